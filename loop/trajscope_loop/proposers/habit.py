"""A habit: what a simulated proposer likes. Favourites with weights, or a path of edits, in a small TOML file.

share = 0.9                          # of its proposals that are favourites, or go on along the path
favourites = [["d_model", 1536, 10]]  # knob, value, weight
steps = [["blend", 0.1]]             # knob, value; in this order
values = "cells"                     # one value for each cell, or "ranges": drawn anew
[knobs]                              # weight of a knob in all other proposals; 1 where it is not here
blend = 0
"""

from __future__ import annotations

import tomllib
from collections import Counter
from collections.abc import Mapping, Sequence
from math import isfinite
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

from trajscope import Menu
from trajscope_loop.errors import ProposerError
from trajscope_loop.proposers.options import Option, Step, Values, allowed, options, values_of

FOLDER = Path(__file__).with_name("habits")
AUTO, DRAWN = "auto", "drawn"
# How often a recorded amnesiac proposed its favourite pairs, most loved first.
LOVED = (10, 7, 6, 6, 6, 3, 3, 2, 2, 1, 1, 1, 1)
_KEYS = ("about", "share", "values", "favourites", "steps", "knobs")


class Habit(NamedTuple):
    """What is liked, and how much; `loved` favourites are drawn from the menu where none are named."""

    name: str
    about: str = ""
    share: float = 0.94
    values: Values = "ranges"
    favourites: Sequence[tuple[str, object, float]] = ()
    steps: Sequence[Step] = ()
    knobs: Mapping[str, float] = {}
    loved: Sequence[float] = ()

    def lacks(self, menu: Menu) -> list[str]:
        """The knobs that it names and the menu does not hold."""
        named = dict.fromkeys((*(f[0] for f in self.favourites), *(s[0] for s in self.steps)))
        return [knob for knob in named if menu.find(knob) is None]


def load(name: str) -> tuple[Habit, ...]:
    """The habits to choose from, the first that fits the menu: one by its name or path, or both that `auto` means."""
    own = Habit(DRAWN, "favourites are drawn from the menu by the seed", loved=LOVED)
    if name == DRAWN:
        return (own,)
    if name == AUTO:
        return read(FOLDER / "amnesiac.toml"), own
    if name.isidentifier():
        if (found := FOLDER / f"{name}.toml").is_file():
            return (read(found),)
        have = ", ".join(sorted(p.stem for p in FOLDER.glob("*.toml")))
        raise ProposerError(f"there is no habit {name!r}; use {AUTO}, {DRAWN}, {have}, or the path of a TOML file")
    return (read(Path(name)),)


def read(path: Path) -> Habit:
    """The habit in a file; what is not understood is an error, not a smaller habit."""
    try:
        raw = tomllib.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise ProposerError(f"{path}: cannot be read as a habit ({error}); correct it") from None
    if odd := sorted(raw.keys() - set(_KEYS)):
        raise ProposerError(f"{path}: a habit holds no {odd[0]}; it holds {', '.join(_KEYS)}")
    knobs = raw.get("knobs", {})
    if not isinstance(knobs, dict):
        raise ProposerError(f"{path}: knobs is no table; write [knobs] and a weight for each")
    share = _number(raw.get("share", 0.94), "share", path)
    if share > 1:
        raise ProposerError(f"{path}: share is {share:g}; give a share, 0 to 1")
    return Habit(
        path.stem,
        str(raw.get("about", "")),
        share,
        values_of(raw.get("values", "ranges")),
        [(k, v, _number(w, f"the weight of {k}", path)) for k, v, w in _rows(raw, "favourites", 3, path)],
        [(k, v) for k, v in _rows(raw, "steps", 2, path)],
        {k: _number(w, f"knobs.{k}", path) for k, w in knobs.items()},
    )


def weighed(
    habit: Habit, menu: Menu, base: Mapping[str, object], found: Sequence[Option], seed: int
) -> tuple[list[Option], list[float]]:
    """What may be proposed, and how much the habit likes each: its favourites, and all else by knob."""
    liked = list(habit.favourites) or _loved(habit, menu, seed)
    liked = [(k, v, w) for k, v, w in liked if allowed(menu, base, k, v)]
    counts = Counter(o.knob for o in found)
    spread = [habit.knobs.get(o.knob, 1.0) / counts[o.knob] for o in found]
    share = (habit.share if any(spread) else 1.0) if liked else 0.0
    every, weights = [], []
    total, broad = sum(w for _, _, w in liked), sum(spread)
    for option, even in zip(found, spread, strict=True):
        mine = [x for x in liked if menu.change(x[0], x[1]).cell == option.cell]
        liked = [x for x in liked if x not in mine]
        rest = (1 - share) * even / broad if broad else 0.0
        every.append(option._replace(value=mine[0][1]) if mine else option)
        weights.append(rest + (share * mine[0][2] / total if mine else 0.0))
        every += [option._replace(value=value) for _, value, _ in mine[1:]]
        weights += [share * w / total for *_, w in mine[1:]]
    every += [Option(menu.change(k, v).cell or menu.change(k, v).label, k, v) for k, v, _ in liked]
    weights += [share * w / total for *_, w in liked]
    return every, weights


def _loved(habit: Habit, menu: Menu, seed: int) -> list[tuple[str, object, float]]:
    """Favourites that the seed draws from the menu, the same whatever stands."""
    rng, every = Random(f"habit {seed}"), options(menu, menu.defaults)
    drawn = rng.sample(every, min(len(habit.loved), len(every)))
    return [(o.knob, o.value, w) for o, w in zip(drawn, habit.loved, strict=False)]


def _rows(raw: Mapping[str, Any], key: str, wide: int, path: Path) -> list[list[Any]]:
    rows = raw.get(key, [])
    if not isinstance(rows, list) or not all(
        isinstance(r, list) and len(r) == wide and isinstance(r[0], str) for r in rows
    ):
        form = '["knob", value, weight]' if wide == 3 else '["knob", value]'
        raise ProposerError(f"{path}: {key} is a list of {form}; correct it")
    return rows


def _number(said: object, what: str, path: Path) -> float:
    if isinstance(said, bool) or not isinstance(said, int | float) or not isfinite(said) or said < 0:
        raise ProposerError(f"{path}: {what} is {said!r}; give a number, 0 or more")
    return float(said)
