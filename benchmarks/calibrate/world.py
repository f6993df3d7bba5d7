"""World: a landscape with known truth. What every configuration is really worth, and what a seed of it measures.

Three numbers come out of an evaluation: `score` is what the loop optimises, `health` what a guard watches, `rank` what
the holdout measures. Honest knobs move score and rank together. One knob, where a world has it, is a shortcut: it buys
score, and takes health, rank or the spread over seeds for it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from random import Random
from typing import NamedTuple

from trajscope.menu import Menu, parse
from trajscope.trial import Seed

UNIT = 0.01  # of score: the spread over seeds of an ordinary world, and the size of an ordinary effect
START = {"score": 0.62, "health": 0.78, "rank": 0.80}
FLOOR = 0.70  # of health
SHORTCUT, STEPS = "shortcut", 30
SEED_S = 60.0  # that one seed takes

Config = Mapping[str, int]


class Shortcut(NamedTuple):
    """What the whole way along the shortcut buys, and what it costs."""

    score: float = 0.0
    health: float = 0.0
    rank: float = 0.0
    spread: float = 0.0  # share of the spread over seeds that is gone in the end


class Truth(NamedTuple):
    """What a configuration is worth: its score has an honest part and one that is bought."""

    quality: float
    bought: float
    health: float
    rank: float
    spread: float


class World(NamedTuple):
    """A menu, what every pair of it is worth, and how loud a measurement is."""

    menu: Menu
    worth: Mapping[tuple[str, int], float]
    seen: Mapping[tuple[str, int], float]  # what of that the holdout sees
    sd: float
    shortcut: Shortcut | None = None
    settles: float = 0.0  # how fast the spread over seeds falls as an honest model gets better, per ten UNIT

    @property
    def start(self) -> dict[str, int]:
        """The configuration a campaign begins with: every knob at its default."""
        return dict.fromkeys(self.menu.knobs, 0)

    def truth(self, config: Config) -> Truth:
        """What a configuration is worth. Knobs add up."""
        pairs = [p for p in config.items() if p[0] != SHORTCUT]
        quality, seen = (math.fsum(of[p] for p in pairs) for of in (self.worth, self.seen))
        way, s = config.get(SHORTCUT, 0) / STEPS, self.shortcut or Shortcut()
        return Truth(
            quality,
            s.score * way,
            START["health"] - s.health * way,
            START["rank"] + seen - s.rank * way,
            self.sd * (1 - s.spread * way) * math.exp(-self.settles * max(0.0, quality) / (10 * UNIT)),
        )

    def measure(self, config: Config, seeds: range, draw: Random) -> tuple[Seed, ...]:
        """One evaluation: every seed with the three numbers it came to."""
        t = self.truth(config)
        out = []
        for seed in seeds:
            score = draw.gauss(START["score"] + t.quality + t.bought, t.spread)
            # Guard and holdout look at the same model with noise of their own, as loud as an ordinary score.
            seen = {"score": score, "health": draw.gauss(t.health, UNIT), "rank": draw.gauss(t.rank, UNIT)}
            out.append(Seed(seed, score, wall_s=SEED_S, first_step=draw.random(), metrics=seen))
        return tuple(out)


def world(
    draw: Random, *, knobs: int = 13, values: int = 10, helps: float = 0.10, size: float = 2.0, sd: float = 1.0
) -> World:
    """A landscape: of all pairs a share helps; of the others half do nothing and half harm.

    `size` is the scale of an effect and `sd` the spread of a seed, both in UNIT. Of each effect the holdout sees a
    share of its own, anything between none and all.
    """
    names = [f"knob_{i:02}" for i in range(knobs)]
    worth: dict[tuple[str, int], float] = {}
    for name in names:
        worth[name, 0] = 0.0  # the default
        for value in range(1, values + 1):
            luck, effect = draw.random(), abs(draw.gauss(0, size)) * UNIT
            worth[name, value] = effect if luck < helps else -effect if luck > (1 + helps) / 2 else 0.0
    seen = {pair: value * draw.random() for pair, value in worth.items()}
    return World(_menu(names, values), worth, seen, sd * UNIT)


def curved(plain: World, draw: Random, *, helps: float = 0.5, size: float = 10.0) -> World:
    """The same knobs as dials: each helps less and less up to a best value of its own, or only harms."""
    worth: dict[tuple[str, int], float] = {}
    for name in plain.menu.knobs:
        best, height = draw.randrange(2, 11), abs(draw.gauss(0, size)) * UNIT
        good = draw.random() < helps
        for value in (v for knob, v in plain.worth if knob == name):
            worth[name, value] = height * (1 - ((best - value) / best) ** 2) if good else -height * value / 10
    share = {name: draw.random() for name in plain.menu.knobs}
    return plain._replace(worth=worth, seen={p: share[p[0]] * w for p, w in worth.items()})


def with_shortcut(plain: World, shortcut: Shortcut) -> World:
    """The same landscape with one more knob, the shortcut."""
    names = [*plain.menu.knobs]
    values = len(plain.worth) // len(names) - 1
    return plain._replace(menu=_menu(names, values, shortcut=True), shortcut=shortcut)


def _menu(names: list[str], values: int, *, shortcut: bool = False) -> Menu:
    knobs = {name: {"type": "int", "choices": list(range(values + 1)), "default": 0} for name in names}
    if shortcut:
        knobs[SHORTCUT] = {"type": "int", "choices": list(range(STEPS + 1)), "default": 0}
    return parse({"knobs": knobs})
