"""Clock: how long trials take, and when somebody who looks would have been told that the run stalled.

Times are log-normal around five minutes, and now and then a trial takes several times as long as it would have.
Chosen by hand, before the table was looked at.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from random import Random
from typing import NamedTuple

from trajscope.rules import alive
from trajscope.watch import fresh

USUAL_S = 300.0


class Clock(NamedTuple):
    """How trial times scatter (sd of log seconds), and which share of trials takes how many times as long."""

    about: str
    scatter: float
    slow: float
    times: float


CLOCKS: Mapping[str, Clock] = {
    "budgeted": Clock("every trial has the same time to train, and one in 50 takes twice as long", 0.1, 0.02, 2.0),
    "ordinary": Clock("most trials lie within half and twice the usual, one in 50 takes twice as long", 0.3, 0.02, 2.0),
    "ragged": Clock(
        "most lie within a third and three times of it, one in 50 takes three times as long", 0.5, 0.02, 3.0
    ),
}


class Silence(NamedTuple):
    """One run by its clock."""

    clock: str
    stalled: int | None  # trial in whose silence an honest run was first called stalled
    told_s: float | None  # seconds after the last sign of life at which a run that stops for good is called so
    usual_s: float


def campaign(clock: str, trials: int, seed: int) -> Silence:
    """An honest campaign, which then stops for good."""
    took = list(times(CLOCKS[clock], trials, Random(f"{clock} clock {seed}")))
    cadence = heard(took)
    usual = cadence.usual_s
    assert usual is not None
    return Silence(clock, stalled(took), alive.bound_s(usual), usual)


def times(clock: Clock, trials: int, draw: Random) -> Iterator[float]:
    """Seconds from the end of each trial to the end of the next."""
    for _ in range(trials):
        slow = clock.times if draw.random() < clock.slow else 1.0
        yield USUAL_S * slow * math.exp(draw.gauss(0, clock.scatter))


def heard(took: Sequence[float]) -> fresh.Cadence:
    """What is known of its pace after these trials."""
    cadence, at = fresh.Cadence(), 0.0
    cadence.beat(at)
    for t in took:
        at += t
        cadence.beat(at)
    return cadence


def stalled(took: Sequence[float]) -> int | None:
    """The first trial that was waited for longer than a run may be silent, by what was known of its pace until then."""
    cadence, at = fresh.Cadence(), 0.0
    cadence.beat(at)
    for i, t in enumerate(took, 1):
        if alive.judge(t, cadence.usual_s).state == "stalled":
            return i
        at += t
        cadence.beat(at)
    return None
