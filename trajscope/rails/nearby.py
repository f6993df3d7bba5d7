"""Nearby: whether something tried before lies near a proposal, exactly and in a few microseconds however much there is.

Near are proposals of the same knobs and words whose numbers lie within `pair.NEAR` of each other on the knobs' scales.
"""

from __future__ import annotations

from itertools import product

from trajscope.pair import NEAR, Pair
from trajscope.rails.ledger import Seen

_REACH = NEAR + 1e-12
_WIDE = NEAR * 1.001  # a step of the grid for several numbers: what is near is at most one step away
_Point = tuple[float, Seen]


class _Bucket:
    """Of the points within one NEAR the outermost, and a second one for where all stand in the same place."""

    __slots__ = ("high", "low", "other")

    def __init__(self, at: float, seen: Seen) -> None:
        self.low = self.high = (at, seen)
        self.other: _Point | None = None

    def add(self, at: float, seen: Seen) -> None:
        """Take one more point, of a label that is not here yet."""
        if self.other is None:
            self.other = (at, seen)
        if at < self.low[0]:
            self.low = (at, seen)
        elif at > self.high[0]:
            self.high = (at, seen)


class Nearby:
    """The pairs that were tried, by where they stand."""

    def __init__(self) -> None:
        self._buckets: dict[tuple[str, int], _Bucket] = {}  # of one number, by its knob
        self._grid: dict[tuple[object, ...], list[tuple[tuple[float, ...], Seen]]] = {}  # of several numbers

    def near(self, new: Pair) -> Seen | None:
        """The first trial of one that is near and not the same, of a single number the nearest that is kept."""
        if len(new.changes) == 1:
            at = new.changes[0].position
            return None if at is None else self._along(new.changes[0].knob, at, new.label)
        lane, ats = _place(new)
        steps = [int(at // _WIDE) for at in ats[:2]]
        for here in product(*((s, s - 1, s + 1) for s in steps)) if ats else ():
            for others, seen in self._grid.get((*lane, *here), ()):
                if seen.label != new.label and all(abs(a - b) <= _REACH for a, b in zip(ats, others, strict=True)):
                    return seen
        return None

    def add(self, new: Pair, seen: Seen) -> None:
        """Remember a pair that is not here yet; one without a place on any scale has no neighbours."""
        if len(new.changes) == 1:
            change = new.changes[0]
            if change.position is not None:
                key = (change.knob, int(change.position // NEAR))
                bucket = self._buckets.get(key)
                if bucket is None:
                    self._buckets[key] = _Bucket(change.position, seen)
                else:
                    bucket.add(change.position, seen)
            return
        lane, ats = _place(new)
        if ats:
            key2 = (*lane, *(int(at // _WIDE) for at in ats[:2]))
            self._grid.setdefault(key2, []).append((ats, seen))

    def _along(self, knob: str, at: float, label: str) -> Seen | None:
        step = int(at // NEAR)
        get = self._buckets.get
        best, found = _REACH, None
        here = get((knob, step))
        if here is not None:  # whatever else is in its own bucket is near
            for point in (here.low, here.high, here.other):
                if point is not None and abs(point[0] - at) <= best and point[1].label != label:
                    best, found = abs(point[0] - at), point[1]
        for there in (get((knob, step - 1)), get((knob, step - 2))):
            if there is not None and at - there.high[0] <= best:
                best, found = at - there.high[0], there.high[1]
        for there in (get((knob, step + 1)), get((knob, step + 2))):
            if there is not None and there.low[0] - at <= best:
                best, found = there.low[0] - at, there.low[1]
        return found


def _place(new: Pair) -> tuple[tuple[str, ...], tuple[float, ...]]:
    """What must be the same, and where its numbers stand."""
    lane = tuple(c.label if c.position is None else c.knob for c in new.changes)
    return lane, tuple(c.position for c in new.changes if c.position is not None)
