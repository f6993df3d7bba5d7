"""Section: a part of the results page, and the promises that it holds numbers against."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple


class Budget(NamedTuple):
    """One promise and what came of it. `measured` and both bounds are in `unit`."""

    what: str
    measured: float
    must: float
    unit: str
    aim: float | None = None
    more_is_better: bool = False

    def met(self, bound: float) -> bool:
        """Whether the measured number is on the right side."""
        return self.measured >= bound if self.more_is_better else self.measured <= bound


class Section(NamedTuple):
    """A part of the results."""

    title: str
    about: str
    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    budgets: Sequence[Budget] = ()
