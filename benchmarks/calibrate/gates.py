"""Gates: who decides inside a simulated campaign. The field's, an oracle to measure by, and ours.

A gate holds its incumbent. It is shown a candidate's seeds and may have fresh ones measured.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

from benchmarks.calibrate.world import Config, World
from trajscope.trial import Seed

Arm = tuple[Seed, ...]
Measure = Callable[[Config, int], Arm]  # a configuration, on this many fresh seeds


class Ruling(NamedTuple):
    """What a gate made of a candidate."""

    kept: bool
    paused: str = ""  # the rule that wants a person, if one does
    refused: str = ""  # the step that refused it, where the gate says so
    passed: bool | None = None  # the holdout's bit, where the gate asked for it


class Gate(Protocol):
    """One gate over one campaign."""

    def start(self, base: Config, seeds: Arm, measure: Measure) -> None:
        """The campaign begins with this baseline."""

    def decide(self, config: Config, seeds: Arm) -> Ruling:
        """Keep this candidate or not; a kept one is the next incumbent."""


class Oracle:
    """Knows the truth, and keeps what is honestly better: what there was to be had."""

    def __init__(self, land: World) -> None:
        self._land = land
        self._stands = 0.0

    def start(self, base: Config, seeds: Arm, measure: Measure) -> None:
        """The baseline's quality is where it stands."""
        self._stands = self._land.truth(base).quality

    def decide(self, config: Config, seeds: Arm) -> Ruling:
        """Whether it is better."""
        quality = self._land.truth(config).quality
        kept = quality > self._stands
        self._stands = max(self._stands, quality)
        return Ruling(kept)


class Field:
    """A gate as loops have them: a test against the incumbent's own measurement, which a kept candidate's replaces."""

    def __init__(self, better: Callable[[Arm, Arm], bool]) -> None:
        self._better = better
        self._incumbent: Arm = ()

    def start(self, base: Config, seeds: Arm, measure: Measure) -> None:
        """The baseline is the first incumbent."""
        self._incumbent = seeds

    def decide(self, config: Config, seeds: Arm) -> Ruling:
        """As the test says."""
        kept = self._better(self._incumbent, seeds)
        if kept:
            self._incumbent = seeds
        return Ruling(kept)


def published(old: Arm, new: Arm) -> bool:
    """The published pair of bounds: Welch's test below .05 and an effect above .3 pooled spreads, nothing else.

    With one seed there is no test; then, as such loops do, anything better is kept.
    """
    a, b = values(old, "score"), values(new, "score")
    gain = mean(b) - mean(a)
    if len(a) < 2 or gain <= 0:
        return gain > 0
    va, vb = variance(a) / len(a), variance(b) / len(b)
    pooled = math.sqrt((variance(a) + variance(b)) / 2)
    if va + vb == 0:
        return False
    df = (va + vb) ** 2 / (va**2 / (len(a) - 1) + vb**2 / (len(b) - 1))
    return 2 * t_tail(gain / math.sqrt(va + vb), df) < 0.05 and gain > 0.3 * pooled


def relative(old: Arm, new: Arm) -> bool:
    """A public gate of the same design, at its head: paired and one-sided at .10, guards relative to the last keep."""
    a, b = values(old, "score"), values(new, "score")
    lost = (mean(values(old, "health")) - mean(values(new, "health"))) / abs(mean(values(old, "health")))
    if len(a) < 2:
        return mean(b) > mean(a) and lost <= 0.3
    gains = [y - x for x, y in zip(a, b, strict=True)]
    sd = math.sqrt(variance(gains))
    t = mean(gains) / sd * math.sqrt(len(gains)) if sd else math.inf
    return mean(gains) > 0 and t_tail(t, len(gains) - 1) < 0.10 and mean(gains) > 0.15 * sd and lost <= 0.3


def values(arm: Arm, metric: str) -> list[float]:
    """One metric of every seed."""
    return [s.metrics[metric] for s in arm]


def mean(x: Sequence[float]) -> float:
    """The mean."""
    return sum(x) / len(x)


def variance(x: Sequence[float]) -> float:
    """The unbiased variance."""
    m = mean(x)
    return sum((v - m) ** 2 for v in x) / (len(x) - 1)


def t_tail(t: float, df: float) -> float:
    """P of a t at least this large."""
    from scipy.special import stdtr

    return float(stdtr(df, -t))
