"""Options: what a menu leaves to propose on what stands, cell by cell, for proposers that no model is behind.

Knows menus and labels, nothing of habits. What a rail would refuse for the menu's own reasons is no option.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from random import Random
from typing import Any, Literal, NamedTuple

from trajscope import Menu
from trajscope.rails.untried import Cell, cells
from trajscope_loop.errors import ProposerError
from trajscope_loop.seams import View

Values = Literal["cells", "ranges"]
MOST = 2  # changes of one proposal


class Option(NamedTuple):
    """One cell of the menu, with the value that stands for it."""

    cell: str  # its name, which memory goes by
    knob: str
    value: object
    of: Cell | None = None  # where other values may be drawn; None where this one is meant


Step = tuple[str, object]  # a knob and its value


def options(menu: Menu, base: Mapping[str, object]) -> list[Option]:
    """Every cell of the menu that holds a value which changes something and keeps to the constraints, in its order."""
    out = []
    for cell in cells(menu):
        value = next((v for v in cell.values() if allowed(menu, base, cell.knob.name, v)), None)
        if value is not None:
            out.append(Option(cell.name, cell.knob.name, value, cell))
    return out


class Standing:
    """The options on what stands, worked out anew where that moved."""

    def __init__(self) -> None:
        self._of: tuple[Menu, dict[str, object]] | None = None
        self._found: list[Option] = []

    def options(self, menu: Menu, base: Mapping[str, object]) -> list[Option]:
        """As `options` says."""
        if self._of is None or self._of[0] is not menu or self._of[1] != base:
            self._found, self._of = options(menu, base), (menu, dict(base))
        return self._found


def allowed(menu: Menu, base: Mapping[str, object], knob: str, value: object) -> bool:
    """Whether the menu lets this change be made, and it changes something."""
    change = menu.change(knob, value)
    if not change.known or change.objection is not None:
        return False
    if knob in base and menu.change(knob, base[knob]).text == change.text:
        return False
    after = {**base, knob: change.value}
    rules = [c for c in menu.constraints if knob in c.knobs]
    return not rules or not Menu(menu.knobs, tuple(rules)).broken(after)


def drawn(menu: Menu, base: Mapping[str, object], option: Option, values: Values, rng: Random) -> object:
    """The value to propose of an option: the one that stands for it, or any of its cell."""
    if values == "cells" or option.of is None or option.of.knob.range is None:
        return option.value
    return next((v for v in option.of.values(rng) if allowed(menu, base, option.knob, v)), option.value)


def parts(label: str) -> Iterator[Step]:
    """The changes that a label names; what cannot be read is left out."""
    for part in label.split(" + "):
        if part.startswith('"'):
            try:
                name, end = json.JSONDecoder().raw_decode(part)
            except ValueError:
                continue
            sign, text = part[end : end + 1], part[end + 1 :]
        else:
            name, sign, text = part.partition("=")
        if sign == "=" and isinstance(name, str):
            try:
                yield name, json.loads(text)
            except ValueError:
                yield name, text  # a plain word stands without its quotes


def places(menu: Menu, label: str) -> list[str]:
    """The cells that a label names; a value without a cell stands for itself."""
    changes = [menu.change(knob, value) for knob, value in parts(label)]
    return [c.cell or c.label for c in changes]


def proposal(steps: Sequence[Step], reason: str) -> dict[str, Any]:
    """The proposal as rails read it."""
    if len(steps) == 1:
        return {"knob": steps[0][0], "value": steps[0][1], "reason": reason}
    return {"changes": [{"knob": knob, "value": value} for knob, value in steps], "reason": reason}


def ground(view: View, who: str) -> Menu:
    """The menu of a view; without one there is nothing to draw from."""
    if view.menu is None or not view.menu.knobs:
        raise ProposerError(f"the {who} proposer draws from a menu and the domain has none; use command or a model")
    return view.menu


def values_of(said: object) -> Values:
    """How values are drawn, as it was asked for."""
    if said == "cells":
        return "cells"
    if said == "ranges":
        return "ranges"
    raise ProposerError(f"values is {said!r}; use cells (one value for each) or ranges (drawn anew each time)")


def pairs_of(said: object) -> int:
    """How many changes a proposal has, as it was asked for."""
    if isinstance(said, bool) or not isinstance(said, int) or not 1 <= said <= MOST:
        raise ProposerError(f"pairs is {said!r}; use 1 for one change in a proposal, or 2 for two")
    return said


def seed_of(said: object) -> int:
    """The seed, as it was asked for."""
    if isinstance(said, bool) or not isinstance(said, int) or said < 0:
        raise ProposerError(f"seed is {said!r}; use a whole number, 0 or more")
    return said
