"""Ground: which pairs, knobs and cells a run has been to. Knows nothing of scores."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from itertools import combinations
from typing import Any, NamedTuple

from trajscope.batch import Move
from trajscope.knob import family
from trajscope.menu import Menu
from trajscope.pair import Neighbours, Pair
from trajscope.tally import FamilyTally, KnobTally, PairTally, SourceTally, Tally
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
        self._rooms: dict[str, int | None] = {}
        self._near: dict[str | None, Neighbours] = {}
        for knob in self.menu.knobs.values() if self.menu else ():
            if knob.name not in tally.knobs:
                self._found(KnobTally(knob.name, knob.family, True))

    @cached_property
    def cells(self) -> int | None:
        """Cells of the menu that a proposal can reach; None where they cannot be counted."""
        return self.menu.cells if self.menu else None

    def room(self, name: str) -> int | None:
        """Cells of one knob that a proposal can reach, 0 where they cannot be counted; None for a knob of no menu."""
        if name not in self._rooms:
            knob = self.menu.find(name) if self.menu else None
            self._rooms[name] = None if knob is None else knob.size - knob.default_cell
        return self._rooms[name]

    def meet(self, pair: Pair) -> PairTally:
        """A pair that is proposed for the first time."""
        s = self.tally
        outside = False
        for c in pair.changes:
            if c.knob not in s.knobs:
                self._found(KnobTally(c.knob, family(c.knob), self.menu is None))
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
                self.tally.families[knob.family].touched += not knob.evaluated
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

    def tell(self, p: PairTally, proposals: int, evaluations: int, counted: int, keeps: int) -> None:
        """What became of a pair, once or in so many trials: its knobs and families hear it, and it may lead now."""
        s = self.tally
        families = set()
        for c in p.pair.changes:
            knob = s.knobs[c.knob]
            families.add(knob.family)
            knob.proposals += proposals
            knob.evaluations += evaluations
            knob.counted += counted
            knob.keeps += keeps
        if counted:
            for name in families:
                s.families[name].counted += counted
            top = self.pairs[s.top]
            if p.n >= top.n and (p.n > top.n or (p.first, p.id) < (top.first, top.id)):
                s.top = p.id
        if keeps:
            top = self.pairs[s.top_kept]
            if p.kept > top.kept or (p.kept == top.kept and p.id < top.id):
                s.top_kept = p.id

    def read_from(self, name: str, confidence: float | None, p: PairTally, *, repeat: bool) -> None:
        """Where the pair of a counted trial was read from."""
        sources = self.tally.sources
        found = sources.get(name)
        if found is None:
            found = sources[name] = SourceTally()
        found.add(confidence, repeat=repeat)
        if not repeat or len(sources) > 1:  # a known pair may be new to this source
            found.knobs.update(c.knob for c in p.pair.changes if self.tally.knobs[c.knob].in_menu)

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
        near = t.pair is not None and self._around(t.base).near(t.pair)
        self.settle(t)
        return near

    def settle(self, t: Trial | Move) -> None:
        """Remember where a pair stands on its base, for those that come near it."""
        if t.pair is None or all(c.position is None for c in t.pair.changes):
            return
        place = (t.base, t.pair.label)
        if place not in self.tally.near:
            self._around(t.base).add(t.pair)  # which looks at what was written: this one is told only afterwards
            self.tally.near.add(place)

    def _around(self, base: str | None) -> Neighbours:
        """What stands on a base. Of a run that was written down, a base is laid out when it is first asked for."""
        found = self._near.get(base)
        if found is None:
            found = self._near[base] = Neighbours()
            for label in self._written.pop(base, ()):
                found.add(self.tally.pairs[label].pair)
        return found

    @cached_property
    def _written(self) -> dict[str | None, list[str]]:
        """The pairs on every base, as a tally had them when it was taken up."""
        out: dict[str | None, list[str]] = {}
        for base, label in self.tally.near:
            out.setdefault(base, []).append(label)
        return out

    def _found(self, knob: KnobTally) -> None:
        self.tally.knobs[knob.name] = knob
        self.tally.families.setdefault(knob.family, FamilyTally()).knobs += 1

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
