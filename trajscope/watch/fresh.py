"""Whether a run is alive: how old its last sign of life is, against how often it usually gives one.

Asks no clock: whoever looks says what time it is. Times without a zone are compared with each other, never with now.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from statistics import median
from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    from trajscope.bulk.arrays import Floats

GAPS = 64  # latest gaps between trials that say what is usual
MIN_GAPS = 3  # fewer say nothing
TIMES = 5.0  # silence of more than so many usual gaps is a stall
FLOOR_S = 60.0  # but never a shorter one
BLIND_S = 3600.0  # the same where what is usual is not known

State = Literal["absent", "reading", "replay", "not begun", "running", "waiting", "stalled", "gone", "ended", "cut off"]


class Fresh(NamedTuple):
    """How alive a run is. `age_s` is None where nothing was heard of it, `usual_s` where too few gaps are known."""

    state: State
    age_s: float | None = None
    usual_s: float | None = None
    bound_s: float = BLIND_S


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


def bound_s(usual_s: float | None) -> float:
    """Seconds of silence beyond which a run is stalled."""
    return BLIND_S if usual_s is None else max(FLOOR_S, TIMES * usual_s)


def judge(age_s: float | None, usual_s: float | None) -> Fresh:
    """A run that goes on: running, or silent for too long."""
    bound = bound_s(usual_s)
    return Fresh("stalled" if age_s is not None and age_s > bound else "running", age_s, usual_s, bound)
