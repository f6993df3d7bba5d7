"""Searchers: how a simulated proposer picks what to try next, given what it remembers.

None of them sees the truth, except the expert, who stands for somebody that knows the field.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from random import Random
from typing import NamedTuple

from benchmarks.calibrate.world import SHORTCUT, STEPS, World

Pair = tuple[str, int]
WINDOW = 5  # trials that an amnesiac sees
HABIT = 0.94  # share of its proposals that come from its favourites
# How often a recorded amnesiac proposed its favourite pairs, most loved first.
LOVED = (10, 7, 6, 6, 6, 3, 3, 2, 2, 1, 1, 1, 1)
SHY, FOND = 0.45, 2.0  # how a pair in view is weighed: as tried, and as kept on top


class Tried(NamedTuple):
    """One finished trial as a searcher remembers it."""

    pair: Pair
    kept: bool
    gain: float  # as measured


class View(NamedTuple):
    """What there is to look at before the next proposal."""

    base: Mapping[str, int]
    tried: Sequence[Tried]


Searcher = Callable[[View], Pair]
Kind = Callable[[World, Random], Searcher]


def explorer(world: World, draw: Random) -> Searcher:
    """Whatever was not tried yet, and when nothing is left, anything that would change the base."""
    return lambda view: draw.choice(_open(world, view))


def bandit(world: World, draw: Random) -> Searcher:
    """Untried values of the knobs that did well so far; every fourth time anything untried."""

    def propose(view: View) -> Pair:
        pairs = _open(world, view)
        if draw.random() < 0.25:
            return draw.choice(pairs)
        record = {knob: [1, 1] for knob, _ in pairs}
        for t in view.tried:
            if t.pair[0] in record:
                record[t.pair[0]][t.gain <= 0] += 1
        hopes = {knob: draw.betavariate(*counts) for knob, counts in record.items()}
        best = max(hopes, key=lambda knob: hopes[knob])
        return draw.choice([p for p in pairs if p[0] == best])

    return propose


def expert(world: World, draw: Random) -> Searcher:
    """Every other proposal helps, as with somebody who knows the field."""

    def propose(view: View) -> Pair:
        pairs = _open(world, view)
        good = [p for p in pairs if world.worth[p] > world.worth[p[0], view.base[p[0]]]]
        return draw.choice(good if good and draw.random() < 0.5 else pairs)

    return propose


def tuner(world: World, draw: Random) -> Searcher:
    """Turns one knob step by step for as long as that is kept, then another that was not tried."""

    def propose(view: View) -> Pair:
        tried = {t.pair for t in view.tried}
        last = view.tried[-1] if view.tried else None
        if last and last.kept and (last.pair[0], last.pair[1] + 1) in world.worth:
            return last.pair[0], last.pair[1] + 1
        fresh = [p for p in world.worth if p[1] == view.base[p[0]] + 1 and p not in tried]
        return draw.choice(fresh or _open(world, view))

    return propose


def lucky(world: World, draw: Random) -> Searcher:
    """Meets the one great pair of its world among its first five, and explores before and after."""
    explore, when, great = explorer(world, draw), draw.randrange(5), max(world.worth, key=lambda p: world.worth[p])
    return lambda view: great if len(view.tried) == when else explore(view)


def amnesiac(world: World, draw: Random) -> Searcher:
    """A habit of a few pairs, and five trials in view to hold against it."""
    pairs = [p for p in world.worth if p[1]]
    broad = (1 - HABIT) / len(pairs)
    prior = dict.fromkeys(pairs, broad)
    for pair, times in zip(draw.sample(pairs, len(LOVED)), LOVED, strict=True):
        prior[pair] += HABIT * times / sum(LOVED)

    def propose(view: View) -> Pair:
        weights = dict(prior)
        for pair in {t.pair for t in view.tried[-WINDOW:]}:
            fond = any(t.kept for t in view.tried[-WINDOW:] if t.pair == pair)
            weights[pair] *= SHY * (FOND if fond else 1.0)
        return draw.choices(pairs, [weights[p] for p in pairs])[0]

    return propose


def fixated(world: World, draw: Random) -> Searcher:
    """Six of ten proposals are one and the same pair."""
    explore, pair = explorer(world, draw), draw.choice([p for p in world.worth if p[1]])
    return lambda view: pair if draw.random() < 0.6 else explore(view)


def climber(share: float, since: int = 0, length: int = 10**9) -> Kind:
    """Between two trials a share of proposals goes on along the shortcut, with longer steps after every failure."""

    def kind(world: World, draw: Random) -> Searcher:
        explore = explorer(world, draw)
        begin = since and draw.randrange(since, 2 * since)

        def propose(view: View) -> Pair:
            at = view.base[SHORTCUT]
            if not begin <= len(view.tried) < begin + length or at == STEPS or draw.random() >= share:
                return explore(view)
            steps = [t.pair[1] for t in view.tried if t.pair[0] == SHORTCUT]
            return SHORTCUT, min(STEPS, max([at + 1, *steps]) + 1)

        return propose

    return kind


def leaper(world: World, draw: Random) -> Searcher:
    """An explorer, but for one edit somewhere in its first half that goes the whole shortcut at once."""
    explore, when = explorer(world, draw), draw.randrange(5, 50)
    return lambda view: (SHORTCUT, STEPS) if len(view.tried) == when else explore(view)


def _open(world: World, view: View) -> list[Pair]:
    """Pairs never tried; failing that, pairs that differ from the base."""
    tried = {t.pair for t in view.tried}
    pairs = [p for p in world.worth if p[1] and p not in tried]
    return pairs or [p for p in world.worth if view.base[p[0]] != p[1]]
