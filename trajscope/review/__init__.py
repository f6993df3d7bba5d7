"""Review values: what must look over all trials so far, and may revise what it said of earlier ones.

Plain functions of a run's tally. Their law: live after trial t is batch over the first t trials.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from trajscope.fold import Unknown
from trajscope.run import Run


class Part(NamedTuple):
    """One leaf of a review value."""

    name: str
    doc: str
    unit: str = ""
    walks: bool = False  # must look at all pairs or keeps again: its value is a function, called where all is asked for


@dataclass(frozen=True, slots=True)
class Review:
    """A value, or a group of values named by `parts`, under its path in `analyze --json`.

    `fn` takes the run and the values before it; it answers with a value, a dict of its parts, or Unknown for all.
    """

    name: str
    doc: str
    fn: Callable[[Run, Mapping[str, Any]], Any]
    unit: str = ""
    parts: tuple[Part, ...] = ()
    slow: bool = False  # needs simulation; left out where a quick answer is asked for
    walks: bool = False  # as with a part

    def values(self, run: Run, before: Mapping[str, Any], *, walk: bool = True) -> dict[str, Any]:
        """Every leaf by its path; without `walk` none that costs more the longer the run."""
        if self.walks and not walk:
            return {}
        out = self.fn(run, before)
        if not self.parts:
            return {self.name: out}
        if isinstance(out, Unknown):
            return {f"{self.name}.{p.name}": out for p in self.parts}
        return {f"{self.name}.{p.name}": _asked(p, out[p.name]) for p in self.parts if walk or not p.walks}


def _asked(part: Part, value: Any) -> Any:
    return value() if part.walks else value
