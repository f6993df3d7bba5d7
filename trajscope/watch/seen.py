"""What a screen remembers of the rows that went by: the latest trials, the history of the score, signs of life.

Bounded, however long the run. Begins anew with every run, as the file's own reading does.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from itertools import islice
from typing import NamedTuple

from trajscope.alarms import DEFAULTS, AlarmSettings
from trajscope.columns import Row
from trajscope.rules import alive
from trajscope.rules.alive import Fresh
from trajscope.run import Run
from trajscope.trial import Event, Header, Item
from trajscope.watch.fresh import Cadence
from trajscope.watch.history import History

LATEST = 2000  # trials that can be scrolled and filtered
_OVER = frozenset(("resume", "ack"))  # events that end a pause


class Line(NamedTuple):
    """One trial in the list."""

    row: Row
    pair: str


class Proof(NamedTuple):
    """The last time that the rail was shown faults on purpose."""

    passed: bool
    time_ms: int | None
    seq: int


class Gap(NamedTuple):
    """A silence between two trials of which a clock would have said that the run is stalled."""

    seq: int  # of the trial before it
    trials: int
    spent_s: float
    fresh: Fresh


class Seen:
    """What is remembered of the run that goes on. Its `take` is a sink."""

    def __init__(self, alarms: AlarmSettings = DEFAULTS) -> None:
        self.alarms = alarms
        self._begin()

    def _begin(self) -> None:
        self.latest: deque[Row] = deque(maxlen=LATEST)
        self.history = History()
        self._recorded, self._arrivals = Cadence(), Cadence()
        self.proof: Proof | None = None
        self.waits_since: int | None = None  # seq of a pause that nobody ended
        self.waits_for = ""  # and what it says of itself
        self.time_ms: int | None = None  # of the latest sign of life that records its time
        self.timed = False  # trials record when they ended or how long they took
        self.spent_s = 0.0
        self.trials = 0
        self.gap: Gap | None = None  # the first there was
        self._listed: deque[Line] = deque(maxlen=LATEST)  # newest first
        self._listed_at = 0  # trials behind that list

    def take(self, run: Run, item: Item, row: Row | None) -> None:
        """One item that a run has taken, with its row where it was a trial."""
        if row is not None:
            self._trial(row)
        elif isinstance(item, Event):
            self._event(item)
        elif isinstance(item, Header):
            self._begin()

    @property
    def usual_s(self) -> float | None:
        """The usual gap between trials: as they record it, else as they came."""
        return (self._recorded if self.timed else self._arrivals).usual_s

    def listed(self, label: Callable[[Row], str]) -> tuple[Line, ...]:
        """The latest trials, newest first. Only those that came since the last time are labelled."""
        new = min(self.trials - self._listed_at, len(self.latest))
        for row in islice(self.latest, len(self.latest) - new, None):
            self._listed.appendleft(Line(row, label(row)))
        self._listed_at = self.trials
        return tuple(self._listed)

    def arrived(self, now_s: float) -> None:
        """Trials came at this time, while somebody was watching."""
        self._arrivals.beat(now_s)

    def _trial(self, row: Row) -> None:
        self._alive(row.time_ms)
        self.trials += 1
        self.latest.append(row)
        self.history.add(row)
        self.waits_since = None
        if row.wall_s is not None:
            self.spent_s += row.wall_s
        if row.time_ms is not None:
            self.time_ms = row.time_ms
            self.timed = True
            self._recorded.beat(row.time_ms / 1000)
        elif row.wall_s is not None:
            self.timed = True
            self._recorded.beat(None, row.wall_s)

    def _alive(self, time_ms: int | None) -> None:
        """A sign of life, and how long nothing was heard before it; waiting for a person is no silence."""
        waits = not self.latest or self.waits_since is not None
        if waits or self.gap is not None or time_ms is None or self.time_ms is None:
            return
        fresh = alive.judge((time_ms - self.time_ms) / 1000, self.usual_s, self.alarms)
        if fresh.state == "stalled":
            self.gap = Gap(self.latest[-1].seq, self.trials, self.spent_s, fresh)

    def _event(self, event: Event) -> None:
        self._alive(event.time_ms)
        if event.time_ms is not None:
            self.time_ms = max(self.time_ms or event.time_ms, event.time_ms)
        if event.kind == "selftest":
            self.proof = Proof(event.data.get("passed") is True, event.time_ms, event.seq)
        elif event.kind == "pause":
            self.waits_since = event.seq
            said = event.data.get("reason") or event.data.get("why") or event.data.get("text")
            self.waits_for = said if isinstance(said, str) else ""
        elif event.kind in _OVER:
            self.waits_since = None
