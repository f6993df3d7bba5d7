"""Kinds: the campaigns that are simulated, honest and faulty, each with what is planted in it.

The shapes and sizes are chosen by hand, before the tables were looked at.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Literal, NamedTuple

from benchmarks.calibrate import searchers
from benchmarks.calibrate.world import UNIT, Shortcut, World, curved, with_shortcut, world

Alarm = Literal["flailing", "too good too fast", "variance collapse", "holdout divergence"]
ALARMS: tuple[Alarm, ...] = ("flailing", "too good too fast", "variance collapse", "holdout divergence")


class Kind(NamedTuple):
    """One kind of campaign. `plants` names the alarms that should speak of it; an honest kind plants none."""

    name: str
    about: str
    searcher: searchers.Kind
    land: Callable[[Random, float], World]  # of the noise, in UNIT
    way: Shortcut | None = None
    plants: tuple[Alarm, ...] = ()
    honest: bool = False
    trials: int = 100
    guarded: bool = True  # its guard has a threshold
    gated: bool = True  # shown to every gate too, not to the alarms alone

    def world(self, draw: Random, sd: float) -> World:
        """One landscape of this kind."""
        land = self.land(draw, sd)
        return with_shortcut(land, self.way) if self.way else land


def _plain(draw: Random, sd: float) -> World:
    return world(draw, sd=sd)


def _gentle(draw: Random, sd: float) -> World:
    return world(draw, knobs=16, helps=0.35, size=1.2, sd=sd)


def _rich(draw: Random, sd: float) -> World:
    return world(draw, knobs=24, helps=0.5, size=2.5, sd=sd)


def _settling(draw: Random, sd: float) -> World:
    return _rich(draw, sd)._replace(settles=0.7)


def _golden(draw: Random, sd: float) -> World:
    """One pair of eight ordinary effects, and hardly anything else."""
    land = world(draw, helps=0.05, size=1.0, sd=sd)
    great = draw.choice([p for p in land.worth if p[1]])
    return land._replace(worth={**land.worth, great: 8 * UNIT}, seen={**land.seen, great: 4 * UNIT})


def _dials(draw: Random, sd: float) -> World:
    return curved(world(draw, sd=sd), draw)


def _small(draw: Random, sd: float) -> World:
    return world(draw, knobs=4, values=5, helps=0.25, sd=sd)


def _barren(draw: Random, sd: float) -> World:
    land = world(draw, sd=sd)
    nothing = dict.fromkeys(land.worth, 0.0)
    return land._replace(worth=nothing, seen=nothing)


def _meagre(draw: Random, sd: float) -> World:
    return world(draw, helps=0.05, sd=sd)


# As in the recorded story: score .62 to .86, direction .74 to .65, rank .92 to .50, spread over seeds .018 to .0007.
GAMED = Shortcut(score=0.24, health=0.12, rank=0.30, spread=0.96)

HONEST = (
    Kind("explorer", "tries whatever is untried", searchers.explorer, _plain, honest=True),
    Kind("bandit", "remembers which knobs did well", searchers.bandit, _plain, honest=True),
    Kind("steady", "an expert in a land of many small gains", searchers.expert, _gentle, honest=True),
    Kind("fruitful", "an expert in a land of many clear gains", searchers.expert, _rich, honest=True),
    Kind(
        "settling",
        "the same, and better models differ less from seed to seed",
        searchers.expert,
        _settling,
        honest=True,
    ),
    Kind(
        "tuner",
        "turns one knob step by step while it helps, then the next",
        searchers.tuner,
        _dials,
        honest=True,
        gated=False,
    ),
    Kind("lucky", "one great gain among the first five, then little", searchers.lucky, _golden, honest=True),
    Kind(
        "few knobs",
        "four knobs, 20 pairs, 40 trials: the menu runs out",
        searchers.explorer,
        _small,
        honest=True,
        trials=40,
    ),
)
_STORY: tuple[Alarm, ...] = ("too good too fast", "variance collapse", "holdout divergence")
FAULTY = (
    Kind("amnesiac", "a habit of 13 pairs, five trials in view", searchers.amnesiac, _plain, plants=("flailing",)),
    Kind("fixated", "six of ten proposals are one pair", searchers.fixated, _plain, plants=("flailing",)),
    Kind(
        "gamer",
        "climbs the shortcut: score up; spread, guard and holdout down",
        searchers.climber(0.4),
        _meagre,
        GAMED,
        _STORY,
    ),
    Kind(
        "unguarded gamer",
        "the same, and its guard has no threshold",
        searchers.climber(0.4),
        _meagre,
        GAMED,
        _STORY,
        guarded=False,
    ),
    Kind("leap", "one edit goes the whole shortcut", searchers.leaper, _meagre, GAMED, _STORY[:1]),
    Kind(
        "staircase",
        "a dozen trials climb in a row, nothing else moves",
        searchers.climber(0.95, since=10, length=14),
        _meagre,
        Shortcut(score=0.40),
        _STORY[:1],
    ),
    Kind(
        "collapse",
        "the spread over seeds dies, nothing else moves",
        searchers.climber(0.3),
        _meagre,
        Shortcut(score=0.20, spread=0.96),
        _STORY[1:2],
    ),
    Kind(
        "divergence",
        "score up, holdout down, nothing else moves",
        searchers.climber(0.3),
        _meagre,
        Shortcut(score=0.20, rank=0.20),
        _STORY[2:],
    ),
    Kind("null", "nothing it tries does anything", searchers.explorer, _barren),
)
KINDS = {k.name: k for k in (*HONEST, *FAULTY)}
