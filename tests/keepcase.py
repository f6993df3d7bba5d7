"""A small campaign for the tests of the keep gate: a model with a score, two guards, a margin and a holdout.

Lets one see what a gate does with an arm of any mean, spread or gap; it trains nothing.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from trajscope import keep

SCORE = keep.Metric("score", "maximize", (-1, 1), "correlation")
RESPONSE = keep.Guard("response", (0, 10), floor=0.5, drop=0.5, kind="diversity")
DIRECTION = keep.Guard("direction", (0, 1), floor=0.7)
RANK = keep.Margin("response", 0.2)
HOLDOUT = keep.Holdout("pds", "maximize", (0, 1), "rank")
SD = 0.02
BASE = {"lr": 0.1}
HASHES = {"evaluator": "e" * 64, "data": "d" * 64}
DEAD = {"response": 0.0, "direction": 0.65}
SETTINGS: dict[str, Any] = {
    "primary": SCORE,
    "guards": (RESPONSE, DIRECTION),
    "margins": (RANK,),
    "holdout": HOLDOUT,
    "speed": keep.Speed(plausible_ceiling=0.95),
}
Seeds = list[dict[str, Any]]


class World:
    """Draws seeds of a model whose true score, response, direction and holdout are given."""

    def __init__(self, seed: int = 0) -> None:
        self.rng = random.Random(seed)

    def arm(self, seeds: Iterable[int] = range(5), score: float = 0.6, sd: float = SD, **means: float) -> Seeds:
        """Seeds as a loop hands them over."""
        return [self.one(s, score=self.rng.gauss(score, sd), **means) for s in seeds]

    def one(self, seed: int, score: float, response: float = 1.2, direction: float = 0.8) -> dict[str, Any]:
        """One seed that ended well."""
        metrics = {
            "score": score,
            "response": response + self.rng.uniform(-0.01, 0.01),
            "direction": direction + self.rng.uniform(-0.01, 0.01),
        }
        return {"seed": seed, "status": "ok", "first_step": self.rng.random(), "metrics": metrics}

    def holdout(self, seeds: Iterable[int] = range(5), pds: float = 0.8) -> dict[int, float]:
        """The holdout, seed by seed."""
        return {s: self.rng.gauss(pds, 0.01) for s in seeds}

    def gate(self, settings: Mapping[str, Any] | None = None, **start: Any) -> keep.Gate:
        """A gate that was started."""
        gate = keep.Gate(keep.GateSettings(**{**SETTINGS, **(settings or {})}))
        given: dict[str, Any] = {
            "baseline": self.arm(),
            "degenerates": {"mean shift": DEAD},
            "config": BASE,
            "hashes": HASHES,
            "holdout": self.holdout() if gate.settings.holdout else None,
        }
        gate.start(**{**given, **start})
        return gate

    def measure(self, new: Mapping[str, float], old: Mapping[str, float], pds: float = 0.8) -> Callable[..., Any]:
        """What the gate asks for: the candidate, the incumbent or the holdout on fresh seeds."""

        def measured(need: keep.Need) -> object:
            if need.what == "holdout":
                return self.holdout(need.seeds, pds)
            return self.arm(need.seeds, **(new if need.what == "confirm" else old))

        return measured


def ran(config: object = None, parent: object = BASE, **other: Any) -> keep.Ran:
    """A candidate that ran as it was proposed."""
    config = {"lr": 0.2} if config is None else config
    given = {"proposed": config, "effective": config, "parent": parent, "hashes": HASHES, "seen": 0, "shown": ()}
    return keep.Ran(**{**given, **other})


def run(world: World, gate: keep.Gate, score: float = 0.7, **means: float) -> keep.Decision:
    """A candidate of this score against the baseline, decided to the end."""
    new = {"score": score, **means}
    return gate.decide(world.arm(gate.seeds, **new), ran(), measure=world.measure(new, {"score": 0.6}))
