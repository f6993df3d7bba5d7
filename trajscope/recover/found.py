"""What was recovered: a pair, where from, and how sure. Knows no source."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import NamedTuple

from trajscope.knob import fold_name
from trajscope.menu import Menu
from trajscope.pair import Change, Pair, canon, pair

MOST = 16  # changes of one pair; what changes more than that is named by its number and hash


class Found(NamedTuple):
    """A pair that was not recorded as one."""

    pair: Pair
    provenance: str  # config, column, diff, text or hash
    confidence: float  # from 0 to 1: how often a person who reads the source would name the same pair


class Missing(NamedTuple):
    """A commit that cannot be looked at, and why; that is normal, since loops throw away what they discard."""

    commit: str
    why: str


def change(name: str, value: object, menu: Menu | None) -> Change:
    """The canonical change; a menu may know the name in another spelling."""
    return canon(name, value) if menu is None else menu.change(known(name, menu) or name, value)


def known(name: str, menu: Menu | None) -> str | None:
    """The knob of the menu that these words name: exactly, by an alias, or but for case, spaces and dashes."""
    if menu is None:
        return None
    if (knob := menu.find(name) or menu.find(folded(name))) is not None:
        return knob.name
    plain = folded(name)
    alike = [k.name for k in menu.knobs.values() if plain in map(folded, (k.name, *k.aliases))]
    return alike[0] if len(alike) == 1 else None


@lru_cache(maxsize=1 << 12)  # a table asks for the same names in every row
def folded(name: str) -> str:
    """A name as names are compared: small letters, one underscore between words."""
    return "_".join(fold_name(name).replace("_", " ").split())


def together(changes: Iterable[Change]) -> Pair:
    """The pair of these changes; of a knob that is said twice the last word counts."""
    return pair({c.knob: c for c in changes}.values())
