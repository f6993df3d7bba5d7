"""Ground: which pairs, knobs and cells a run has been to. Knows nothing of scores."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations
from typing import Any, NamedTuple

from trajscope.batch import Move
from trajscope.knob import family
from trajscope.menu import Menu
from trajscope.pair import Neighbours, Pair
from trajscope.tally import KnobTally, PairTally, Tally
from trajscope.trial import Header, Trial


class New(NamedTuple):
    """How many menu knobs and cells a trial was the first to reach."""

    knobs: int = 0
    kept_knobs: int = 0
    proposed_knobs: int = 0
    cells: int = 0


NOTHING = New()


class Ground:
    """Pairs, knobs and cells of one run; its state is the run's tally."""

    def __init__(self, header: Header, tally: Tally) -> None:
        self.menu = header.menu
        self.tally = tally
        self.base_cells = _cells(header.menu, header.base)
        self.pairs: list[PairTally] = sorted(tally.pairs.values(), key=lambda p: p.id)
        self._near: dict[str | None, Neighbours] = {}
        for base, label in tally.near:
            self._near.setdefault(base, Neighbours()).add(tally.pairs[label].pair)
        for knob in self.menu.knobs.values() if self.menu else ():
            tally.knobs.setdefault(knob.name, KnobTally(knob.name, knob.family, True))

    def meet(self, pair: Pair) -> PairTally:
        """A pair that is proposed for the first time."""
        s = self.tally
        outside = False
        for c in pair.changes:
            if c.knob not in s.knobs:
                s.knobs[c.knob] = KnobTally(c.knob, family(c.knob), self.menu is None)
            outside = outside or not c.known or c.objection is not None
        lane = s.lanes.setdefault(pair.knob, len(s.lanes))
        if lane == len(s.lane_counts):
            s.lane_counts.append(0)
        found = s.pairs[pair.label] = PairTally(len(s.pairs), pair, lane, outside=outside)
        self.pairs.append(found)
        return found

    def reach(self, p: PairTally, *, evaluated: bool, kept: bool, noop: bool) -> New:
        """What a pair is the first to reach; asked only when it is proposed, evaluated or kept for the first time."""
        knobs = kept_knobs = proposed = cells = 0
        for c in p.pair.changes:
            knob = self.tally.knobs[c.knob]
            proposed += knob.in_menu and not knob.proposed
            knob.proposed = True
            if evaluated:
                knobs += knob.in_menu and not knob.evaluated
                knob.evaluated = True
                if (
                    c.cell is not None
                    and c.cell not in knob.cells
                    and not noop
                    and not self._is_default(c.knob, c.cell)
                ):
                    knob.cells.add(c.cell)
                    cells += 1
            if kept:
                kept_knobs += knob.in_menu and not knob.kept
                knob.kept = True
        return New(knobs, kept_knobs, proposed, cells)

    def stand(self, moved: Pair) -> None:
        """Which cells stand together in a configuration that runs for the first time."""
        if self.base_cells is None:
            return
        s = self.tally
        changed = {c.knob: c.cell for c in moved.changes if c.knob in self.base_cells and c.cell is not None}
        key = tuple(sorted(changed.values()))
        if key in s.seen_moves:
            return
        if not s.seen_moves:
            s.levels.update(combinations(sorted(self.base_cells.values()), 2))
        s.seen_moves.add(key)
        s.levels.update(combinations(sorted({**self.base_cells, **changed}.values()), 2))

    def is_near(self, t: Trial | Move) -> bool:
        """Whether a new pair lies near an earlier one on the same base."""
        here = self._near.get(t.base)
        near = here is not None and t.pair is not None and here.near(t.pair)
        self.settle(t)
        return near

    def settle(self, t: Trial | Move) -> None:
        """Remember where a pair stands on its base, for those that come near it."""
        if t.pair is None or all(c.position is None for c in t.pair.changes):
            return
        place = (t.base, t.pair.label)
        if place not in self.tally.near:
            self.tally.near.add(place)
            self._near.setdefault(t.base, Neighbours()).add(t.pair)

    def _is_default(self, name: str, cell: str) -> bool:
        knob = self.menu.find(name) if self.menu else None
        return knob is not None and knob.default_cell and knob.cell(knob.default) == cell


def _cells(menu: Menu | None, base: Mapping[str, Any] | None) -> dict[str, str] | None:
    """The cell of every menu knob in the base; None where one cannot be told."""
    if menu is None or base is None:
        return None
    cells = {}
    for knob in menu.knobs.values():
        cell = menu.change(knob.name, base[knob.name]).cell if knob.name in base else None
        if cell is None:
            return None
        cells[knob.name] = cell
    return cells
