"""What the tests of the screen share: a run written line by line, watched by hand, and a file that means harm."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from clirun import SAMPLES

from trajscope import menu, pipeline
from trajscope.readers import Source
from trajscope.watch.panel import Panel
from trajscope.watch.watching import Watching

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC).timestamp()
ESCAPE = "\x1b]0;owned\x07\x1b[2J\x1b[31m[bold]red[/bold]\u202e\u2028\x9b\x00"


def sample(name: str) -> Path:
    """A run of the samples."""
    return SAMPLES / name / f"{name}.jsonl"


def source(path: Path) -> tuple[Source, str | None]:
    """What the command line would say of a file."""
    beside = pipeline.menu_beside(path)
    return Source(str(path), menu=menu.load(beside) if beside else None), None


def watched(path: Path, now_s: float = NOON, *, asked: bool = False) -> Watching:
    """A file, read as far as it goes."""
    watching = Watching(*source(path), asked=asked)
    watching.step(now_s)
    while watching.behind:
        watching.step(now_s)
    return watching


def panel(path: Path, now_s: float = NOON) -> Panel:
    """The screen of a file."""
    return watched(path, now_s).look(now_s)


def header(**more: Any) -> dict[str, Any]:
    """The first line of a native run without a chain."""
    return {"v": 1, "type": "run", "run_id": "r", "metric": {"name": "loss", "goal": "minimize"}} | more


def trial(
    n: int, value: float | None = 1.0, *, knob: str = "lr", at_s: float | None = None, **more: Any
) -> dict[str, Any]:
    """One trial line; it ends `at_s` seconds after NOON."""
    out = {
        "v": 1,
        "type": "trial",
        "seq": n,
        "iter": n,
        "status": "reverted",
        "attempts": [{"changes": [{"knob": knob, "value": n}]}],
        "value": value,
    }
    if at_s is not None:
        out["ended"] = datetime.fromtimestamp(NOON + at_s, UTC).isoformat().replace("+00:00", "Z")
    return out | more


def write(path: Path, *lines: dict[str, Any] | bytes, mode: str = "wb") -> Path:
    """Lines into a file."""
    with path.open(mode) as f:
        for line in lines:
            f.write(line if isinstance(line, bytes) else json.dumps(line).encode() + b"\n")
    return path


def hostile(path: Path) -> Path:
    """A run in which every text tries to steer the terminal, is markup, or is very long."""
    names = [f"{ESCAPE}{i}{'k' * 300}" for i in range(20)]
    knobs = {
        name: {"type": "int", "range": [1, 100], "family": f"[red]{ESCAPE}{i % 3}"} for i, name in enumerate(names)
    }
    lines: list[dict[str, Any] | bytes] = [
        header(run_id=ESCAPE, metric={"name": f"[blink]{ESCAPE}", "goal": "minimize"}, menu={"knobs": knobs})
    ]
    for n in range(1, 40):
        more: dict[str, Any] = {"diff": f"+{ESCAPE}\n-[link=x]\n" * 3, "note": ESCAPE * 400, "reason_code": ESCAPE}
        lines.append(trial(n, 1e308 if n % 7 else None, knob=names[n % 15], **more))
    lines += [ESCAPE.encode("utf-8", "surrogatepass") * 3 + b"\n", b'{"type": "event", "kind": "\\u001b[31mx"}\n']
    return write(path, *lines)
