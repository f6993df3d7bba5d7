"""Tiles: every knob by its values, and what was tried of them: the ground a run covered, cell by cell.

A knob of the menu has the cells of the menu, touched or not. Of any other, the values that were tried are all there is.
"""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from trajscope.columns import Row
from trajscope.knob import Knob, family
from trajscope.menu import Menu
from trajscope.pair import Change, Pair
from trajscope.readable import short

MOST_VALUES = 14  # tiles of one knob; beyond, the rarest are one tile
MOST_KNOBS = 60
REST = "others"
LETTERS = 60  # of a value; a picture cuts it to its tile


class Tile(Struct):
    """One cell of one knob, and what became of the trials that proposed it."""

    knob: str
    family: str
    cell: str
    text: str
    default: bool = False
    proposed: int = 0
    evaluated: int = 0
    kept: int = 0
    n: int = 0  # values
    total: float = 0.0
    first: int | None = None  # seq


class Grid:
    """The tiles of one run as its trials come; with `visited`, also which tile each trial was on."""

    def __init__(self, menu: Menu | None, *, visited: bool = True) -> None:
        self._menu = menu
        self._visited = visited
        self._tiles: dict[str, dict[str, Tile]] = {}
        self._visits: list[tuple[str, str, int]] = []  # knob, cell, seq
        for knob in menu.knobs.values() if menu else ():
            self._tiles[knob.name] = {t.cell: t for t in cells(knob)}

    def add(self, pair: Pair, row: Row, value: float | None) -> None:
        """One trial's proposal."""
        for c in pair.changes:
            tile = self._tile(c)
            tile.proposed += 1
            if self._visited:
                self._visits.append((c.knob, tile.cell, row.seq))
            tile.evaluated += row.evaluated
            tile.kept += row.kept
            if tile.first is None:
                tile.first = row.seq
            if value is not None and row.eligible:
                tile.n += 1
                tile.total += value

    def _tile(self, c: Change) -> Tile:
        row = self._tiles.setdefault(c.knob, {})
        cell = c.cell or c.label
        found = row.get(cell)
        if found is None:
            knob = self._menu.find(c.knob) if self._menu else None
            of = knob.family if knob else family(c.knob)
            found = row[cell] = Tile(c.knob, of, cell, c.text.strip('"')[:LETTERS])
        return found

    def tiles(self) -> list[dict[str, Any]]:
        """Knob by knob: where each tile stands in its row, and what it holds."""
        return [_plain(t, at) for row in self._rows() for at, t in enumerate(row)]

    def visits(self, most: int) -> list[tuple[str, int, int]]:
        """Which tile each trial was on, by its knob and place: of many, every so manieth."""
        places = {(t.knob, t.cell): at for row in self._rows() for at, t in enumerate(row)}
        each = -(-len(self._visits) // most) or 1
        found = ((knob, places.get((knob, cell)), seq) for knob, cell, seq in self._visits[::each])
        return [(knob, at, seq) for knob, at, seq in found if at is not None]

    def _rows(self) -> list[list[Tile]]:
        rows = list(self._tiles.values())
        if len(rows) > MOST_KNOBS:
            rows = sorted(rows, key=lambda row: -sum(t.proposed for t in row.values()))[:MOST_KNOBS]
        return [_few(list(row.values())) for row in rows]


def cells(knob: Knob) -> list[Tile]:
    """The cells of a knob of the menu, in their order."""
    own = knob.cell(knob.default) if knob.has_default else None
    if knob.choices is not None:
        named = [(knob.cell(c) or "", _text(c)) for c in knob.choices]
    elif knob.range is not None:
        named = [(f"{knob.name}#{i}", _text(knob.value_at(i / knob.size))) for i in range(knob.size)]
    else:
        named = [(f"{knob.name}={word}", word) for word in ("false", "true")[: knob.size]]
    return [Tile(knob.name, knob.family, cell, text, cell == own) for cell, text in named]


def _few(row: list[Tile]) -> list[Tile]:
    """A row that fits: the values that were proposed most, and the rest as one."""
    if len(row) <= MOST_VALUES:
        return row
    order = sorted(range(len(row)), key=lambda i: -row[i].proposed)[: MOST_VALUES - 1]
    shown = [row[i] for i in sorted(order)]
    rest = [row[i] for i in range(len(row)) if i not in set(order)]
    firsts = [t.first for t in rest if t.first is not None]
    one = Tile(
        row[0].knob, row[0].family, f"{row[0].knob} {REST}", f"{len(rest):,} {REST}", False,
        sum(t.proposed for t in rest), sum(t.evaluated for t in rest), sum(t.kept for t in rest),
        sum(t.n for t in rest), sum(t.total for t in rest),
        min(firsts, default=None),
    )  # fmt: skip
    return [*shown, one]


def _plain(t: Tile, at: int) -> dict[str, Any]:
    mean = t.total / t.n if t.n else None
    return {
        "knob": t.knob, "family": t.family, "at": at, "text": t.text, "default": t.default, "proposed": t.proposed,
        "evaluated": t.evaluated, "kept": t.kept, "mean": mean, "first": t.first,
    }  # fmt: skip


def _text(value: object) -> str:
    return short(f"{value:.3g}" if isinstance(value, float) else value, 16)
