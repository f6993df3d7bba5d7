"""What a screen remembers of the rows that went by: the latest trials, the history of the score, signs of life.

Bounded, however long the run. Begins anew with every run, as the file's own reading does.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from itertools import islice
from typing import Any, NamedTuple

import msgspec

from trajscope.alarms import DEFAULTS, AlarmSettings
from trajscope.columns import SQL_TYPES, Row
from trajscope.rules import alive
from trajscope.rules.alive import Fresh
from trajscope.run import Run
from trajscope.trial import Event, Header, Item
from trajscope.watch.fresh import Cadence
from trajscope.watch.history import History, Piece

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


class Kept(msgspec.Struct, frozen=True, array_like=True):
    """All that is remembered of a run, but for when its trials came to whoever watched."""

    latest: list[Row]
    history: tuple[int, list[Piece], Piece | None]
    recorded: tuple[list[float], float | None]
    proof: Proof | None
    waits_since: int | None
    time_ms: int | None
    timed: bool
    spent_s: float
    trials: int


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
        self._after: list[tuple[int, int]] = []  # seq and time of events that no later one outdoes, since a timed trial
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

    @staticmethod
    def thaw(snapshot: bytes) -> Kept:
        """What a snapshot holds."""
        return msgspec.msgpack.decode(snapshot, type=Kept)

    def take_columns(self, columns: Mapping[str, Any]) -> None:
        """Many trials in columns, as a bulk lane has them. What is no trial may have come before: its seq tells."""
        import numpy as np

        seq = columns["seq"]
        self.trials += len(seq)
        self.latest.extend(listed_rows(columns, LATEST))
        self.history.add_columns(columns)
        if self.waits_since is not None and self.waits_since < seq[-1]:
            self.waits_since = None
        times, walls = np.array(columns["time_ms"], np.float64), np.array(columns["wall_s"], np.float64)
        self.spent_s = float(np.cumsum([self.spent_s, *walls[~np.isnan(walls)]])[-1])  # in order, as one by one
        self.timed = self.timed or not (np.isnan(times) & np.isnan(walls)).all()
        self._recorded.beats(times / 1000, walls)
        timed = np.flatnonzero(~np.isnan(times))
        if len(timed):
            self._after = [x for x in self._after if x[0] > seq[timed[-1]]]
            self.time_ms = max([int(times[timed[-1]]), *(ms for _, ms in self._after)])

    def snapshot(self) -> bytes:
        """All it remembers, as bytes that hold no code."""
        kept = Kept(
            list(self.latest),
            self.history.snapshot(),
            self._recorded.snapshot(),
            self.proof,
            self.waits_since,
            self.time_ms,
            self.timed,
            self.spent_s,
            self.trials,
        )
        return msgspec.msgpack.encode(kept)

    def restore(self, kept: Kept) -> None:
        """Go on from what was remembered."""
        self._begin()
        self.latest.extend(kept.latest)
        self.history.restore(*kept.history)
        self._recorded.restore(*kept.recorded)
        self.proof, self.waits_since = kept.proof, kept.waits_since
        self.time_ms, self.timed = kept.time_ms, kept.timed
        self.spent_s, self.trials = kept.spent_s, kept.trials

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
            self.time_ms, self._after = row.time_ms, []
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
            while self._after and self._after[-1][1] <= event.time_ms:
                self._after.pop()
            self._after.append((event.seq, event.time_ms))
        if event.kind == "selftest":
            self.proof = Proof(event.data.get("passed") is True, event.time_ms, event.seq)
        elif event.kind == "pause":
            self.waits_since = event.seq
            said = event.data.get("reason") or event.data.get("why") or event.data.get("text")
            self.waits_for = said if isinstance(said, str) else ""
        elif event.kind in _OVER:
            self.waits_since = None


def listed_rows(columns: Mapping[str, Any], most: int) -> list[Row]:
    """The latest of the trials in columns, one by one."""
    parts = []
    for name in Row._fields:
        found = columns[name][-most:]
        if not isinstance(found, list):
            found = found.tolist()
            if name == "gap":
                found = [x or None for x in found]
            elif SQL_TYPES[name] == "DOUBLE":
                found = [None if x != x else x for x in found]
        parts.append(found)
    return list(map(Row._make, zip(*parts, strict=True)))
