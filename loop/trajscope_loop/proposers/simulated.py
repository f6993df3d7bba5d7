"""Simulated: a proposer without a model, offline: favourites, or a path of edits, and a memory of the last k trials.

`--seed 1625 --k 5` shows the amnesiac on the 13-knob menu: 14 pairs in 50 trials, repeats in windows of ten .5 .5 .8 .9
.9. That seed was chosen of 0 to 2999 as the one that comes closest to a recorded night; the mean of many seeds is .29
.70 .84 .88 .91. The favourites are that night's own, the other numbers are set by eye. It shows how a loop behaves, and
is no evidence of how any model does. What it proposes depends on its options and on the view alone.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import accumulate, islice
from math import isfinite
from random import Random
from time import perf_counter
from typing import Any, NamedTuple

from trajscope import Menu
from trajscope_loop.errors import ProposerError
from trajscope_loop.proposers.habit import AUTO, Habit, load, weighed
from trajscope_loop.proposers.options import (
    Option,
    Step,
    allowed,
    drawn,
    ground,
    options,
    pairs_of,
    parts,
    places,
    proposal,
    seed_of,
    values_of,
)
from trajscope_loop.seams import Said, View

PICKED = 1625
DISCLOSED = "no model was asked; the numbers are set by eye, so this shows how a loop behaves, not how models do"
CHOSEN = f"seed {PICKED} was chosen of 0 to 2999 to resemble one recorded night; most seeds look otherwise"


class Ground(NamedTuple):
    """What there is to choose from on one base, and how much the habit likes it."""

    menu: Menu
    base: Mapping[str, object]
    options: Sequence[Option]
    weights: Sequence[float]
    known: dict[str, list[str]]  # the cells of a label, worked out once

    def places(self, label: str) -> list[str]:
        """The cells that a label names."""
        found = self.known.get(label)
        if found is None:
            found = self.known[label] = places(self.menu, label)
        return found


class Simulated:
    """Biased preferences and a memory.

    A change in the last `k` trials keeps `memory` of its weight, times `bonus` where it was kept; one that it is told
    was tried keeps `denied`, one that was just refused keeps `refused`. Of the untried changes that it is shown, in
    the view or with a refusal, it takes one with the chance `heed`.
    """

    def __init__(
        self,
        *,
        seed: int = 0,
        k: int | str | None = None,
        habit: str = AUTO,
        memory: float = 0.45,
        bonus: float = 2.0,
        denied: float = 0.01,
        refused: float = 0.2,
        heed: float = 0.5,
        values: str | None = None,
        pairs: int = 1,
        denies: bool = False,
        offers: bool = False,
    ) -> None:
        if k is not None and k != "all" and (isinstance(k, bool | str) or k < 0):
            raise ProposerError(f"k is {k!r}; give the number of trials it sees, 0 or more, or 'all'")
        self.history: int | None = k if isinstance(k, int) else None
        self.seed, self.pairs = seed_of(seed), pairs_of(pairs)
        self.values = None if values is None else values_of(values)
        self.memory, self.bonus = _weight("memory", memory), _weight("bonus", bonus)
        self.denied, self.refused = _weight("denied", denied), _weight("refused", refused)
        self.heed = _weight("heed", heed, 1.0)
        self.denies, self.offers = bool(denies), bool(offers)
        self.habit, self._habits = habit, load(habit)
        self._ground: Ground | None = None

    def header(self) -> dict[str, Any]:
        """Everything that decides what it proposes, and what it must not be taken for."""
        notes = [DISCLOSED, *(h.about for h in self._habits if h.about)]
        if self.seed == PICKED and self.history == 5:
            notes.append(CHOSEN)
        numbers = {n: getattr(self, n) for n in ("memory", "bonus", "denied", "refused", "heed", "pairs")}
        shows = {"denies": self.denies, "offers": self.offers}
        return {
            "kind": "simulated",
            "model": None,
            "history": "all" if self.history is None else self.history,
            "temperature": None,
            "seed": self.seed,
            "habit": self.habit,
            **numbers,
            "values": self.values or "as the habit says",
            **shows,
            "notes": notes,
        }

    def propose(self, view: View) -> Said:
        """One change of its habit, or two."""
        began = perf_counter()
        menu = ground(view, "simulated")
        habit = self._fitting(menu)
        rng = Random(f"{self.seed} {view.turn}")
        steps, reason = self._offered(view, menu, rng), "one of the untried changes that it was shown"
        if not steps:
            steps, reason = self._next(view, menu, habit), "the next edit of its path"
            if not steps or rng.random() >= habit.share:
                steps, reason = [], "drawn from its preferences"
        steps = self._filled(steps[: self.pairs], view, menu, habit, rng)
        return Said(proposal(steps, reason) if steps else {}, "", wall_s=perf_counter() - began)

    def _fitting(self, menu: Menu) -> Habit:
        """The habit for this menu; one that names other knobs is an error, since something else would be shown."""
        lacks: list[str] = []
        for habit in self._habits:
            lacks = habit.lacks(menu)
            if not lacks:
                return habit
        raise ProposerError(f"the habit {self.habit} names {lacks[0]}, which the menu does not hold; use drawn")

    def _offered(self, view: View, menu: Menu, rng: Random) -> list[Step]:
        """What it takes of the untried changes that it was shown."""
        shown = [*view.untried, *(view.refusals[-1].alternatives if view.refusals else ())]
        if not shown or rng.random() >= self.heed:
            return []
        rng.shuffle(shown)
        found: dict[str, Step] = {}
        for knob, value in (step for label in shown for step in parts(label)):
            if allowed(menu, view.base, knob, value):
                found.setdefault(knob, (knob, value))
        return list(islice(found.values(), self.pairs))

    def _next(self, view: View, menu: Menu, habit: Habit) -> list[Step]:
        """The first edit of the path beyond those that it sees were tried, or that stand."""
        seen = {menu.change(*step).label for label in _told(view) for step in parts(label)}
        seen |= {menu.change(knob, value).label for knob, value in view.base.items()}
        path = [menu.change(knob, value) for knob, value in habit.steps]
        at = max((i for i, c in enumerate(path) if c.label in seen), default=-1)
        ahead = (c for c in path[at + 1 :] if allowed(menu, view.base, c.knob, c.value))
        return [(c.knob, c.value) for c in islice(ahead, 1)]

    def _filled(self, steps: list[Step], view: View, menu: Menu, habit: Habit, rng: Random) -> list[Step]:
        """As many changes as were asked for, those that are missing drawn by weight."""
        here = self._stands(view, menu, habit)
        left = self._remembered(view, here)
        values = self.values or habit.values
        number, attempt = divmod(view.turn, 100)
        luck = rng.random() if attempt or steps else draw(self.seed, number)[0]
        while len(steps) < self.pairs:
            taken = {knob for knob, _ in steps}
            weights = [0.0 if o.knob in taken else w for o, w in zip(here.options, left, strict=True)]
            if not any(weights):
                break
            one = here.options[_picked(weights, luck)]
            steps = [*steps, (one.knob, drawn(menu, view.base, one, values, rng))]
            luck = rng.random()
        return steps

    def _stands(self, view: View, menu: Menu, habit: Habit) -> Ground:
        """The options and their weights; they change with the base alone."""
        here = self._ground
        if here is None or here.menu is not menu or here.base != view.base:
            found, weights = weighed(habit, menu, view.base, options(menu, view.base), self.seed)
            here = self._ground = Ground(menu, dict(view.base), found, weights, {})
        return here

    def _remembered(self, view: View, here: Ground) -> list[float]:
        """The weights after what it sees of the past; a cell counts once, however often it is seen."""
        kept: dict[str, bool] = {}
        for p in view.past:
            for place in here.places(p.label):
                kept[place] = kept.get(place, False) or p.status == "kept"
        factor = {place: self.memory * (self.bonus if good else 1.0) for place, good in kept.items()}
        for label in view.denied:
            for place in here.places(label):
                factor[place] = min(self.denied, factor.get(place, 1.0))
        for label in view.refused:
            for place in here.places(label):
                factor[place] = factor.get(place, 1.0) * self.refused
        return [w * factor.get(o.cell, 1.0) for o, w in zip(here.options, here.weights, strict=True)]


def draw(seed: int, number: int) -> tuple[float, float]:
    """The luck of a trial, counted from 1: where its first proposal falls, 0 to 1, and a normal number for a noise.

    They come in turn out of numpy's default generator, so that anybody can draw them again.
    """
    number = max(number, 1)
    long = 256
    while long < number:
        long *= 4
    return _draws(seed, long)[number - 1]


@lru_cache(maxsize=8)
def _draws(seed: int, n: int) -> tuple[tuple[float, float], ...]:
    import numpy as np

    rng = np.random.default_rng(seed)
    return tuple((float(rng.random()), float(rng.standard_normal())) for _ in range(n))


def _picked(weights: Sequence[float], luck: float) -> int:
    """The place that luck falls on."""
    ends = list(accumulate(weights))
    at = bisect_right(ends, luck * ends[-1])
    return min(at, max(i for i, w in enumerate(weights) if w > 0))


def _told(view: View) -> Iterator[str]:
    """Every label that it sees was proposed before."""
    yield from (p.label for p in view.past)
    yield from view.denied
    yield from view.refused


def _weight(name: str, said: object, most: float = 1e6) -> float:
    if isinstance(said, bool) or not isinstance(said, int | float) or not isfinite(said) or not 0 <= said <= most:
        raise ProposerError(f"{name} is {said!r}; give a number, 0 to {most:g}")
    return float(said)
