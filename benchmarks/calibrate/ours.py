"""Ours: the keep gate of trajscope inside a simulated campaign, at its defaults or with one of them changed."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from msgspec.structs import replace

from benchmarks.calibrate.gates import Arm, Measure, Ruling, values, variance
from benchmarks.calibrate.world import FLOOR, UNIT, Config, World
from trajscope import keep
from trajscope.keep.settings import Part
from trajscope.pair import config_hash
from trajscope.trial import Seed
from trajscope.verdict import Level

HASHES = {"evaluator": "simulated"}
# A predictor that ignores its input: good at the score, bad in health.
DEAD = {"score": 0.86, "health": 0.60}
SPAN = (-5.0, 5.0)
ACKED = 5 * UNIT  # how much further a person lets an honest campaign go who was asked


def settings(**changed: Any) -> keep.GateSettings:
    """The gate as one would declare it for the simulated world; everything else is a default."""
    declared: dict[str, Any] = {
        "primary": keep.Metric("score", "maximize", SPAN, "fit"),
        "guards": (keep.Guard("health", SPAN, floor=FLOOR, kind="diversity"),),
        "holdout": keep.Holdout("rank", "maximize", SPAN, "order"),
        "without": {"margins": "the simulated world has no metric that a dead model is bad at, except its guard"},
    }
    return keep.GateSettings(**declared | changed)


def bare(*parts: Part, **changed: Any) -> keep.GateSettings:
    """The same without some of its steps."""
    whole = settings()
    return settings(without={**whole.without, **dict.fromkeys(parts, "to see what the step is worth")}, **changed)


def published() -> keep.GateSettings:
    """The published triple as trajscope offers it: a guard it must have, a margin this world has not."""
    whole = settings()
    return keep.published(whole.primary, guards=whole.guards, without=whole.without)


class Ours:
    """The gate, with a person who lets honest campaigns go on when asked. Faulty ones are stopped by who runs them."""

    def __init__(self, land: World, declared: keep.GateSettings, history: Sequence[float] = ()) -> None:
        self._gate = keep.Gate(declared)
        self._history = history
        self._stands: Config = {}
        self._ran: dict[str, int] = {}

    def start(self, base: Config, seeds: Arm, measure: Measure) -> None:
        """The baseline, its holdout and the dead predictor."""
        self._stands, self._fresh = base, measure
        self._sd = math.sqrt(variance(values(seeds, "score")))
        self._gate.start(
            baseline=_shown(seeds),
            degenerates={"dead": DEAD},
            config=base,
            hashes=HASHES,
            holdout=_held(seeds) if self._gate.settings.holdout else None,
            history=self._history,
        )

    def decide(self, config: Config, seeds: Arm) -> Ruling:
        """Through every step to the end, measuring what the gate asks for."""
        name, arm = config_hash(config), _named(seeds, self._gate.seeds)
        ran = keep.Ran(
            proposed=config,
            effective=config,
            parent=self._stands,
            hashes=HASHES,
            seen=self._ran.get(name, 0),
            shown=(),
        )
        self._ran[name] = self._ran.get(name, 0) + 1
        last = arm

        def measure(need: keep.Need) -> list[Seed]:
            nonlocal last
            if need.what == "holdout":
                return _held(last)
            asked = _named(
                self._fresh(self._stands if need.what == "incumbent" else config, len(need.seeds)), need.seeds
            )
            last = asked if need.what == "confirm" else last
            return _shown(asked)

        decision = self._gate.decide(_shown(arm), ran, measure=measure)
        if decision.kept:
            self._stands = config
        pause = self._gate.pause
        if pause is not None:
            self._gate.ack(by="a person", at="then", nonce=pause.nonce, up_to=pause.value + ACKED)
        refused = next((v.rule for v in reversed(decision.verdicts) if v.level >= Level.UNKNOWN), "")
        why = "" if decision.kept else refused
        return Ruling(decision.kept, pause.rule if pause else "", why, decision.holdout_pass)

    @property
    def rate(self) -> float:
        """How fast it gained so far, as a finished campaign is remembered."""
        return keep.rate(self._gate.state()["best"], self._sd)


def _named(seeds: Arm, ids: Sequence[int]) -> Arm:
    """The same results under the seeds that were asked for: in a simulation a seed is a name."""
    return tuple(replace(s, seed=i) for s, i in zip(seeds, ids, strict=True))


def _shown(seeds: Arm) -> list[Seed]:
    """Without the holdout, which no candidate reports."""
    return [replace(s, metrics={k: v for k, v in s.metrics.items() if k != "rank"}) for s in seeds]


def _held(seeds: Arm) -> list[Seed]:
    return [replace(s, value=None, metrics={"rank": s.metrics["rank"]}) for s in seeds]
