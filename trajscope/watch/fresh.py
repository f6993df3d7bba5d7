"""How often a run gives a sign of life: the gaps between its latest trials. What follows from it `rules.alive` says.

Asks no clock. Times without a zone are compared with each other, never with now.
"""

from __future__ import annotations

from collections import deque
from statistics import median

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

    @property
    def known(self) -> int:
        """How many gaps are known."""
        return len(self._gaps)

    @property
    def usual_s(self) -> float | None:
        """The median gap; None while too few are known."""
        return median(self._gaps) if len(self._gaps) >= MIN_GAPS else None
