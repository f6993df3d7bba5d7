"""Reads a sample into plain rows for reckon.py: json.loads, one dictionary per trial, nothing clever.

Imports nothing of the product and shares no code with it: two readings of the same page that may disagree.
"""

from __future__ import annotations

import hashlib
import json
import math
import unicodedata
from contextlib import suppress
from pathlib import Path
from typing import Any

Row = dict[str, Any]
STATUSES = ("kept", "reverted", "blocked", "crashed", "aborted", "ineligible", "proposer_error", "other")


def value_text(value: Any, spec: dict[str, Any] | None) -> str:
    """The canonical value as JSON text."""
    kind = spec.get("type") if spec else None
    if isinstance(value, str):
        value = unicodedata.normalize("NFC", value).strip()
        if kind in ("int", "float"):
            with suppress(ValueError):
                value = float(value)
        for choice in (spec or {}).get("choices", []):
            if isinstance(choice, str) and isinstance(value, str) and choice.lower() == value.lower():
                value = choice
    return json.dumps(_plain(value), separators=(",", ":"), sort_keys=True, ensure_ascii=False)


def _plain(value: Any) -> Any:
    if isinstance(value, float) and math.isfinite(value):
        value = float(f"{value:.12g}")
        return int(value) if value.is_integer() and abs(value) < 2**53 else value
    if isinstance(value, list):
        return [_plain(v) for v in value]
    if isinstance(value, dict):
        return {k: _plain(v) for k, v in value.items()}
    return value


def label(changes: list[tuple[str, Any]], knobs: dict[str, Any]) -> str:
    """`knob=value`, several joined by ` + ` in the order of their knobs."""
    return " + ".join(f"{k}={_unquoted(value_text(v, knobs.get(k)))}" for k, v in sorted(changes, key=lambda c: c[0]))


def _unquoted(text: str) -> str:
    word = text[1:-1]
    if not text.startswith('"') or not word or any(c in word for c in " =+,\"'\\"):
        return text
    try:
        json.loads(word)  # accepts NaN and Infinity too
    except ValueError:
        return word
    return text


def number(value: Any) -> float | None:
    """A finite number, or nothing."""
    good = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    return float(value) if good else None


def read(path: Path) -> dict[str, Any]:
    """The run: header facts, `baseline` values, `rows`, and what is wrong with the lines."""
    raw = path.read_bytes()
    parts = raw.split(b"\n")
    torn = parts[-1] != b""
    lines = [json.loads(p) for p in parts[:-1]]
    beside = path.with_name(path.stem + ".menu.json")
    menu = json.loads(beside.read_text()) if beside.exists() else lines[0].get("menu")
    run = {"lines": len(lines), "torn": torn, "menu": menu, "knobs": (menu or {}).get("knobs", {}), "header": lines[0]}
    return run | (_native(lines, parts) if lines[0].get("type") == "run" else _amnesiac(lines, run["knobs"]))


def _native(lines: list[Row], parts: list[bytes]) -> Row:
    header = lines[0]
    configs: dict[str, dict[str, Any]] = {}  # what each hash stands for: hashes are only names here
    base = header.get("base")
    if base:
        configs[base["hash"]] = base["config"]
    rows, baseline, counts = [], [], None
    for seq, line in enumerate(lines):
        if line["type"] == "measure" and line["what"] == "baseline":
            baseline.append(number(line.get("value")))
        if line["type"] == "end":
            counts = line["counts"]
        if line["type"] != "trial":
            continue
        attempts = [_attempt(a) for a in line.get("attempts", [])]
        passed = [a for a in attempts if a["level"] not in ("FAIL", "UNKNOWN")]
        ran = passed[-1] if passed else None
        under = line.get("base_hash") or (base["hash"] if base else None)
        before = configs.get(under) if under else None
        after = dict(before) | dict(ran["changes"]) if before is not None and ran else None
        if after is not None and line.get("config_hash"):
            configs[line["config_hash"]] = after
        cost = line.get("cost") or {}
        prints = line.get("fingerprints") or {}
        rows.append(
            {
                "seq": seq,
                "iter": line["iter"],
                "status": line["status"] if line["status"] in STATUSES else "other",
                "attempts": attempts,
                "changes": ran["changes"] if ran else [],
                "intent": ran["intent"] if ran else None,
                "value": number(line.get("value")),
                "base": before,
                "config": after,
                "wall": cost.get("wall_s"),
                "tokens_in": cost.get("tokens_in"),
                "tokens_out": cost.get("tokens_out"),
                "usd": cost.get("usd"),
                "new_best": line.get("new_best"),
                "first_steps": {s["seed"]: s["first_step"] for s in line.get("seeds", []) if "first_step" in s},
                "drifted": len({json.dumps(p, sort_keys=True) for p in prints.values()}) > 1,
            }
        )
    chain = all(
        line["prev"] == (hashlib.sha256(parts[i - 1]).hexdigest()[:16] if i else "0" * 16)
        for i, line in enumerate(lines)
    )
    guards = [m for m in header.get("metrics", []) if m["role"] == "guard"]
    return {
        "goal": header["metric"]["goal"],
        "metric": header["metric"]["name"],
        "base": base["config"] if base else None,
        "baseline": [v for v in baseline if v is not None],
        "rows": rows,
        "counts": counts,
        "chain": chain,
        "seeded": any("seeds" in line for line in lines if line["type"] != "run"),
        "open_guard": any("floor" not in g and "ceiling" not in g for g in guards),
    }


def _attempt(attempt: Row) -> Row:
    changes = attempt.get("changes") or [attempt]
    return {
        "changes": [(c["knob"], c["value"]) for c in changes],
        "intent": attempt.get("intent"),
        "level": (attempt.get("verdict") or {}).get("level", "PASS"),
        "rule": (attempt.get("verdict") or {}).get("rule"),
    }


def _amnesiac(lines: list[Row], knobs: dict[str, Any]) -> Row:
    base = {k: v for k, v in lines[0]["baseline_cfg"].items() if k in knobs}
    rows = []
    for seq, line in enumerate(lines):
        if line.get("stage") != "evaluated":
            continue
        changes = [(line["proposal"]["knob"], line["proposal"]["new_value"])]
        rows.append(
            {
                "seq": seq,
                "iter": line["iter"],
                "status": {"keep": "kept", "revert": "reverted"}[line["decision"]],
                "attempts": [{"changes": changes, "level": "PASS", "rule": None}],
                "changes": changes,
                "intent": None,
                "value": number(line["val_bpb"]),
                "base": base,
                "config": {k: v for k, v in line["candidate_cfg"].items() if k in knobs},
                "wall": line["iter_wall_s"],
                "new_best": line["is_new_best"],
                "first_steps": {line["candidate_cfg"]["seed"]: line["eval_metrics"]["train_loss_first"]},
                "drifted": False,
            }
        )
    end = lines[-1]
    return {
        "goal": "minimize",
        "metric": "val_bpb",
        "base": base,
        "baseline": [lines[0]["baseline_val_bpb"]],
        "rows": rows,
        "counts": {"kept": end["accept_count"], "reverted": end["revert_count"]},
        "chain": True,
        "seeded": False,
        "open_guard": False,
    }
