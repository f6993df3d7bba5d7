"""Measure: what commands cost, each in a fresh process, taken in turns so that a busy machine is unfair to nobody.

CPU seconds are user and system time of the process and its children; the wall clock is shown, but compares nothing on
a shared machine. Ratios are taken within a round, between runs that stood next to each other.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parent.parent
_RSS_UNIT = 1 if sys.platform == "darwin" else 1024  # bytes in a unit of ru_maxrss


class Sample(NamedTuple):
    """One run of one command."""

    cpu_s: float
    wall_s: float
    peak_mb: float
    answer: Any  # the JSON lines of its stdout, one line's value by itself; None where they are no JSON


class Spread(NamedTuple):
    """The least, the middle and the most of some numbers."""

    least: float
    middle: float
    most: float

    @classmethod
    def of(cls, xs: Iterable[float]) -> Spread:
        """The spread of these numbers."""
        found = sorted(xs)
        return cls(found[0], median(found), found[-1])


@dataclass
class Contender:
    """One way to get an answer: a name and the command that gives it."""

    name: str
    argv: Sequence[str]
    env: Mapping[str, str] = field(default_factory=dict)
    read: Callable[[Any], Any] | None = None  # what of its output is the answer; all of it otherwise
    samples: list[Sample] = field(default_factory=list)

    def spread(self, what: str) -> Spread:
        """Of `cpu_s`, `wall_s` or `peak_mb` over all rounds."""
        return Spread.of(getattr(s, what) for s in self.samples)

    def times(self, other: Contender) -> Spread:
        """How many times the CPU of `other` this takes, round by round."""
        pairs = zip(self.samples, other.samples, strict=True)
        return Spread.of(a.cpu_s / max(b.cpu_s, 1e-9) for a, b in pairs)

    @property
    def answer(self) -> Any:
        """What it said, which must be the same every time."""
        first, *rest = [self.read(s.answer) if self.read else s.answer for s in self.samples]
        if any(said != first for said in rest):
            raise SystemExit(f"{self.name} gives different answers to the same question: it measures nothing")
        return first


def python(module: str, *args: object) -> list[str]:
    """The command that runs a module of this checkout."""
    return [sys.executable, "-m", module, *map(str, args)]


def once(argv: Sequence[str], env: Mapping[str, str] | None = None) -> Sample:
    """One run. A command that fails ends the benchmark: a number for it would be a lie."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        began = time.perf_counter()
        process = subprocess.Popen(
            argv, stdin=subprocess.DEVNULL, stdout=out, stderr=err, cwd=ROOT, env={**os.environ, **(env or {})}
        )
        _, status, usage = os.wait4(process.pid, 0)
        wall_s = time.perf_counter() - began
        process.returncode = os.waitstatus_to_exitcode(status)  # or Popen would wait for it once more
        if process.returncode:
            err.seek(0)
            raise SystemExit(f"{' '.join(argv)} exits with {process.returncode}: {err.read().decode()[-2000:]}")
        out.seek(0)
        lines = out.read().splitlines()
    return Sample(usage.ru_utime + usage.ru_stime, wall_s, usage.ru_maxrss * _RSS_UNIT / 1e6, _json(lines))


def take_turns(contenders: Sequence[Contender], rounds: int, *, warm: bool = True) -> None:
    """Run them A B A B ..., after one unmeasured run of the first that warms the page cache."""
    if warm:
        once(contenders[0].argv, contenders[0].env)
    for i in range(rounds):
        for c in contenders:
            c.samples.append(once(c.argv, c.env))
            print(f"  round {i + 1} {c.name}: {c.samples[-1].cpu_s:.2f} s CPU", file=sys.stderr, flush=True)


def _json(lines: Sequence[bytes]) -> Any:
    try:
        values = [json.loads(line) for line in lines]
    except ValueError:
        return None
    return values[0] if len(values) == 1 else values
