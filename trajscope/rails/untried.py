"""Untried: the cells of a menu that nothing has been to, as values that can be proposed.

Knows what was tried and how near it was; what else speaks against a proposal is asked of whoever asks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import chain, islice
from random import Random
from typing import NamedTuple, TypeVar

from trajscope.knob import Knob
from trajscope.menu import Menu
from trajscope.pair import NEAR, Pair, pair
from trajscope.rails.history import History

MOST = 8  # alternatives that a refusal names
_GRID = 40  # places of a bin that are looked at
_ROOM = 1.5 * NEAR  # kept from a bin's ends where it can be, so that one value does not shadow the next bin
T = TypeVar("T")


class Cell(NamedTuple):
    """One cell of the menu: a choice, or a bin of a range."""

    knob: Knob
    name: str
    number: int  # of the bin or choice

    def values(self, rng: Random | None = None) -> Iterator[object]:
        """Values that fall into it: from its middle outwards, or in random order, those with room to its ends first."""
        k = self.knob
        if k.choices is not None:
            yield k.choices[self.number]
            return
        if k.range is None:
            yield bool(self.number)
            return
        wide = 1.0 / k.size
        met: set[object] = set()
        for place in _places(wide, rng):
            value = _short(k, k.value_at((self.number + place) * wide), self.name)
            if value is not None and value not in met:
                met.add(value)
                yield value


def cells(menu: Menu) -> list[Cell]:
    """Every cell of the menu that can be named; a knob whose values cannot be counted has none."""
    out = []
    for k in menu.knobs.values():
        for i in range(k.size):
            if k.choices is not None:
                name = k.cell(k.choices[i])
            elif k.range is None:
                name = k.cell(bool(i))
            else:
                name = f"{k.name}#{i}"
            if name is not None:
                out.append(Cell(k, name, i))
    return out


class Untried:
    """What could be proposed instead: spread over the families, knobs that nothing has touched first."""

    def __init__(self, history: History, menu: Menu, base: Mapping[str, object] | None = None) -> None:
        self._history = history
        self._menu = menu
        families: dict[str, dict[str, list[Cell]]] = {}
        for cell in cells(menu):
            families.setdefault(cell.knob.family, {}).setdefault(cell.knob.name, []).append(cell)
        self._lanes = [list(_in_turn(map(iter, knobs.values()))) for knobs in families.values()]
        self.stand_on(base)

    def stand_on(self, base: Mapping[str, object] | None) -> None:
        """Take this as what proposals are applied to; None stands for the menu's defaults."""
        self._base = dict(base) if base is not None else self._menu.defaults
        self._offers: dict[str, Pair | None] = {}  # by cell: None where nothing of it may be proposed
        self._at = -1
        self._said: tuple[str, ...] = ()

    def labels(self) -> tuple[str, ...]:
        """Up to eight pairs, each of which is new, near nothing, no no-op and keeps to the constraints."""
        if self._at != self._history.tried:
            self._at = self._history.tried
            self._said = tuple(p.label for p in self._pick())
        return self._said

    def _pick(self) -> Iterator[Pair]:
        seen, fresh = self._history.cells, set(self._menu.knobs) - self._history.knobs
        self._lanes = [[c for c in lane if c.name not in seen] for lane in self._lanes]
        offers = (_in_turn(self._offers_of(lane, fresh, new=new) for lane in self._lanes) for new in (True, False))
        return islice(chain.from_iterable(offers), MOST)

    def _offers_of(self, lane: list[Cell], fresh: set[str], *, new: bool) -> Iterator[Pair]:
        """What may be proposed of a family's knobs: of those that nothing has touched, or of the others."""
        offers = (self._offer(c) for c in lane if (c.knob.name in fresh) is new)
        return (p for p in offers if p is not None)

    def _offer(self, cell: Cell) -> Pair | None:
        """A pair of this cell that may be proposed; what was found once is only asked whether it still is new."""
        known = self._offers.get(cell.name)
        if known is not None and self._history.near(known) is None:
            return known
        if known is None and cell.name in self._offers:
            return None
        held = self._base.get(cell.knob.name)
        for value in cell.values():
            found = pair((self._menu.change(cell.knob.name, value),))
            same = (
                cell.knob.name in self._base and self._menu.change(cell.knob.name, held).text == found.changes[0].text
            )
            if same or self._history.past(found) or self._history.near(found) or found.changes[0].objection:
                continue
            if self._legal(cell.knob.name, found.changes[0].value):
                self._offers[cell.name] = found
                return found
        self._offers[cell.name] = None
        return None

    def _legal(self, knob: str, value: object) -> bool:
        after = {**self._base, knob: value}
        return not any(knob in c.knobs and not _holds(c.holds, after) for c in self._menu.constraints)


def _holds(rule: Callable[[Mapping[str, object]], bool], config: Mapping[str, object]) -> bool:
    try:
        return rule(config)
    except (KeyError, TypeError, ArithmeticError, ValueError, RecursionError):
        return False  # it could not be checked


def _in_turn(lanes: Iterable[Iterator[T]]) -> Iterator[T]:
    """One of each, then one more of each, until all are at their end."""
    left = list(lanes)
    while left:
        for lane in tuple(left):
            for x in lane:
                yield x
                break
            else:
                left.remove(lane)


def _places(wide: float, rng: Random | None) -> list[float]:
    """Places within a bin, 0 to 1: those with room to both ends before those without."""
    room = min(_ROOM / wide, 0.5)
    grid = [(i + 0.5) / _GRID for i in range(_GRID)] + [0.0, 1.0]
    if rng is None:
        grid = sorted([0.5, *grid], key=lambda x: abs(x - 0.5))
    else:
        grid = [rng.uniform(room, 1.0 - room), *rng.sample(grid, len(grid))]
    return sorted(grid, key=lambda x: not room <= x <= 1.0 - room)  # a stable sort: the order within stays


def _short(k: Knob, value: float, cell: str) -> object | None:
    """The value in as few digits as leave it in its cell; None where it lies in another."""
    if isinstance(value, float):
        for digits in (3, 4, 6):
            text = float(f"{value:.{digits}g}")
            if k.objection(text) is None and k.cell(text) == cell:
                return text
    return value if k.objection(value) is None and k.cell(value) == cell else None
