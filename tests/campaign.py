"""What the tests of the rails share: native lines of a small campaign, chained, as bytes; and the menu they are of."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from trajscope.chain import ZEROS, link
from trajscope.menu import parse
from trajscope.pair import Pair, config_hash
from trajscope.rails.history import Seen

MENU = parse(
    {
        "knobs": {
            "a": {"type": "int", "choices": [1, 2, 3], "default": 1, "family": "x"},
            "b": {"type": "float", "range": [0.0, 1.0], "default": 0.5, "family": "y"},
            "c": {"type": "float", "range": [0.001, 1.0], "default": 0.1, "family": "y"},
            "d": {"type": "str", "choices": ["u", "v"], "default": "u", "family": "x"},
        }
    }
)
BASE = MENU.defaults
HASH = config_hash(BASE)
Changes = Mapping[str, Any]


def lines(trials: Iterable[Changes], campaign: str | None = "night", **header: Any) -> list[bytes]:
    """A header, then one trial per mapping: `changes` and whatever fields differ from a reverted trial's."""
    rows: list[dict[str, Any]] = [
        {
            "type": "run",
            "run_id": "r",
            "campaign": campaign,
            "metric": {"name": "loss", "goal": "minimize"},
            "base": {"config": BASE, "hash": HASH},
            **header,
        }
    ]
    for i, trial in enumerate(trials, 1):
        changes = trial.get("changes", {})
        attempt = {"changes": [{"knob": k, "value": v} for k, v in changes.items()], "intent": trial.get("intent")}
        usual = {
            "iter": i,
            "status": "reverted",
            "attempts": [attempt] if changes else [],
            "base_hash": HASH,
            "config_hash": config_hash({**BASE, **changes}),
            "value": 1.0,
            "cost": {"wall_s": 10.0},
        }
        rows.append({"type": "trial", **usual, **{k: v for k, v in trial.items() if k not in ("changes", "intent")}})
    return chained(rows)


def chained(rows: Iterable[Mapping[str, Any]]) -> list[bytes]:
    """Rows as chained lines, newlines included."""
    out: list[bytes] = []
    prev = ZEROS
    for i, row in enumerate(rows):
        line = json.dumps({"v": 1, "seq": i, "prev": prev, **row}).encode() + b"\n"
        prev = link(line)
        out.append(line)
    return out


def write(path: Path, trials: Iterable[Changes], **header: Any) -> Path:
    """A file of these trials."""
    path.write_bytes(b"".join(lines(trials, **header)))
    return path


def mark(path: Path, whole: list[bytes], upto: int | None = None) -> None:
    """The sidecar that has seen these lines, or the first so many of them."""
    seen = whole[:upto]
    said = {"seq": len(seen) - 1, "offset": len(b"".join(seen)), "line": link(seen[-1])}
    path.with_suffix(".coverage.json").write_text(json.dumps(said), "utf-8")


def seen(pair: Pair, seq: int, base: str | None = HASH, config: str | None = None, status: str = "reverted") -> Seen:
    """A trial of our own."""
    return Seen("run.jsonl", seq + 1, seq, seq, status, 1.0, base, config, pair.label)
