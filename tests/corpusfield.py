"""What the tests of the corpus share: campaigns of any shape, written line by line with chain, prompts and prints.

`campaigns` gives a corpus that no check complains about; each argument plants one fault in it.
"""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from trajscope.menu import parse
from trajscope.pair import config_hash
from trajscope.readers import Source

VALUES = 6  # of a knob, beside its default 0
PRINTS = {"train.py": "a" * 64}
Change = Callable[[int, dict[str, Any]], None]  # campaign, and the trial's line before it is written


class Plan(NamedTuple):
    """One campaign: what it proposes in turn, and which of these it keeps."""

    labels: Sequence[tuple[str, int]]
    kept: frozenset[int]  # places among them
    unconfirmed: frozenset[tuple[str, int]] = frozenset()  # keeps that no measure confirms


def knobs(n: int) -> list[str]:
    """Names of knobs."""
    return [f"k{i:02}" for i in range(n)]


def cells(n: int = 10) -> list[tuple[str, int]]:
    """Every (knob, value) of a menu, one knob after the other and then its next value."""
    return [(k, v) for v in range(1, VALUES + 1) for k in knobs(n)]


def clean(campaigns: int = 5, n: int = 10) -> list[Plan]:
    """Campaigns that try every cell, each beginning at another place, and keep the same ten."""
    every = cells(n)
    good = {every[i * 6 + i % 3] for i in range(len(every) // 6)}
    out = []
    for i in range(campaigns):
        turned = every[i * 12 % len(every) :] + every[: i * 12 % len(every)]
        out.append(Plan(turned, frozenset(j for j, x in enumerate(turned) if x in good)))
    return out


def write(
    folder: Path,
    plans: Sequence[Plan],
    *,
    menu_knobs: int = 10,
    history: int | str | None = 5,
    change: Change | None = None,
    names: Sequence[str] | None = None,
) -> list[Path]:
    """A run file for each campaign."""
    out = []
    for i, plan in enumerate(plans):
        path = folder / f"c{i}.jsonl"
        name = names[i] if names else f"campaign {i}"
        lines = Lines(path)
        base = dict.fromkeys(knobs(menu_knobs), 0)
        lines.add("run", **_header(name, menu_knobs, history))
        seeds = [{"seed": s, "status": "ok", "metrics": {"loss": 1.0 + d}} for s, d in enumerate((-0.01, 0.0, 0.01))]
        lines.add("measure", what="baseline", config_hash=config_hash(base), value=1.0, seeds=seeds)
        confirmed: set[tuple[str, int]] = set()
        for at, (knob, value) in enumerate(plan.labels):
            kept = at in plan.kept
            line = _trial(i, at, knob, value, base, kept=kept)
            if change is not None:
                change(i, line)
            lines.add("trial", **line)
            if kept and (knob, value) not in {*plan.unconfirmed, *confirmed}:
                confirmed.add((knob, value))
                ran = config_hash({**base, knob: value})
                lines.add("measure", what="confirm", config_hash=ran, value=0.801, seeds=_seeds(0.801))
        path.write_bytes(b"".join(line + b"\n" for line in lines.done))
        out.append(path)
    return out


def sources(paths: Sequence[Path], **said: Any) -> list[tuple[Source, str | None]]:
    """Files as the gate takes them."""
    return [(Source(str(path), **said), None) for path in paths]


class Lines:
    """Lines of a native file, chained."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.done: list[bytes] = []

    def add(self, type: str, **fields: Any) -> None:
        """One more."""
        prev = hashlib.sha256(self.done[-1]).hexdigest()[:16] if self.done else "0" * 16
        line = {"v": 1, "type": type, "seq": len(self.done), "prev": prev, **fields}
        self.done.append(json.dumps(line, separators=(",", ":")).encode())


def prompt(campaign: int, at: int, standing: Mapping[str, Any]) -> str:
    """What a proposer is shown: what stands, and words that no other prompt has."""
    draw = random.Random(f"{campaign}/{at}")
    words = " ".join("".join(draw.choices("abcdefghij", k=6)) for _ in range(60))
    return f"[system]\nYou choose.\n\n[user]\nWhat stands: {json.dumps(dict(standing))}\n{words}\nWhat is next?"


def _header(name: str, menu_knobs: int, history: int | str | None) -> dict[str, Any]:
    return {
        "run_id": name.replace(" ", "-"),
        "campaign": name,
        "started": "2026-01-01T22:00:00.000Z",
        "metric": {"name": "loss", "goal": "minimize"},
        "menu": menu(menu_knobs),
        "base": {"config": dict.fromkeys(knobs(menu_knobs), 0)},
        **({"proposer": {"kind": "llm", "history": history}} if history is not None else {}),
        "files": PRINTS,
    }


def menu(n: int) -> dict[str, Any]:
    """The menu of so many knobs, as a header holds it."""
    spec = {"type": "int", "choices": list(range(VALUES + 1)), "default": 0}
    found = {"knobs": dict.fromkeys(knobs(n), spec)}
    parse(found)
    return found


def _trial(campaign: int, at: int, knob: str, value: int, base: Mapping[str, int], *, kept: bool) -> dict[str, Any]:
    score = round((0.8 if kept else 1.05) + 0.002 * (at % 7), 4)
    return {
        "iter": at + 1,
        "status": "kept" if kept else "reverted",
        "attempts": [{"changes": [{"knob": knob, "value": value}], "reason": f"try {at}"}],
        "base_hash": config_hash(base),
        "config_hash": config_hash({**base, knob: value}),
        "shown": prompt(campaign, at, base),
        "value": score,
        "value_source": "seeds",
        "seeds": _seeds(score),
        "fingerprints": {"propose": PRINTS, "run": PRINTS, "score": PRINTS},
        "holdout": {"pass": True, "commitment": "b" * 64} if kept else None,
    }


def _seeds(value: float) -> list[dict[str, Any]]:
    return [
        {"seed": s, "status": "ok", "metrics": {"loss": round(value + d, 6)}} for s, d in enumerate((-0.01, 0.0, 0.01))
    ]
