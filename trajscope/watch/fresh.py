"""How often a run gives a sign of life: the gaps between its latest trials. What follows from it `rules.alive` says.

Asks no clock. Times without a zone are compared with each other, never with now.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from statistics import median
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from trajscope.bulk.arrays import Floats

GAPS = 64  # latest gaps between trials that say what is usual
MIN_GAPS = 3  # fewer say nothing


class Cadence:
    """How often a run gives a sign of life: the gaps between its latest trials."""

    def __init__(self) -> None:
        self._gaps: deque[float] = deque(maxlen=GAPS)
        self._last: float | None = None

    def beat(self, at_s: float | None, took_s: float | None = None) -> None:
        """A trial ended at this time; where times are not recorded, how long it took stands for the gap."""
        if at_s is not None:
            if self._last is not None and at_s >= self._last:  # a clock that was set back says nothing
                self._gaps.append(at_s - self._last)
            self._last = at_s
        elif took_s is not None and took_s >= 0:
            self._gaps.append(took_s)

    def beats(self, at_s: Floats, took_s: Floats) -> None:
        """Many trials, in order; NaN where a time is not known. The same as `beat` of each."""
        import numpy as np

        timed = ~np.isnan(at_s)
        times = at_s[timed]
        before = np.concatenate(([np.nan if self._last is None else self._last], times[:-1])) if len(times) else times
        gaps = np.where(timed, np.nan, took_s)
        gaps[timed] = times - before
        self._gaps.extend(gaps[gaps >= 0][-GAPS:].tolist())
        if len(times):
            self._last = float(times[-1])

    def snapshot(self) -> tuple[list[float], float | None]:
        """All it remembers."""
        return list(self._gaps), self._last

    def restore(self, gaps: Iterable[float], last: float | None) -> None:
        """Go on from a snapshot."""
        self._gaps, self._last = deque(gaps, maxlen=GAPS), last

    @property
    def known(self) -> int:
        """How many gaps are known."""
        return len(self._gaps)

    @property
    def usual_s(self) -> float | None:
        """The median gap; None while too few are known."""
        return median(self._gaps) if len(self._gaps) >= MIN_GAPS else None
