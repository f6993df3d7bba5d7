"""Beyond noise: when a configuration's mean last beat the incumbent's by more than noise, kept up as trials come.

The noise is estimated anew with every repeat, and may revise what was said of earlier trials. Every decision holds for
a range of noise; only where the estimate leaves the range of all of them are the trials walked again from the first.
"""

from __future__ import annotations

import math
from array import array

from trajscope.scores import Scores
from trajscope.stats import Z95
from trajscope.tally import Tally

NOBODY = -2  # the incumbent where no configuration is known to be the baseline's


class Beyond:
    """A walk along the scores of one run."""

    def __init__(self) -> None:
        self._began: tuple[object, ...] | None = None

    def last(self, scores: Scores, tally: Tally, sd: float) -> int:
        """The ordinal of the evaluated trial that was the last best beyond noise; 0 where none was."""
        base = scores.base.id if scores.base is not None else NOBODY
        began = (len(tally.baseline), tally.baseline_mean, base)
        if began != self._began or not self._from <= sd < self._below:
            self._begin(began, len(tally.baseline), scores.sign * (tally.baseline_mean or 0.0), base)
        self._walk(scores, sd)
        return self._last

    def _begin(self, began: tuple[object, ...], n: int, mean: float, base: int) -> None:
        self._began = began
        self._from, self._below = 0.0, math.inf  # noise under which every decision so far stands
        self._at = self._last = 0
        self._incumbent, self._n, self._mean = base, n, mean
        self._ns, self._means = array("q"), array("d")  # of each configuration
        if base >= 0:
            self._room(base)
            self._ns[base], self._means[base] = n, mean

    def _room(self, config: int) -> None:
        more = config + 1 - len(self._ns)
        if more > 0:
            self._ns.extend([0] * more)
            self._means.extend([0.0] * more)

    def _walk(self, scores: Scores, sd: float) -> None:
        values, configs = scores.scores, scores.score_configs
        for e in range(self._at, len(values)):
            score, config = values[e], configs[e]
            if score != score:
                continue
            n, mean = 1, score
            if config >= 0:
                self._room(config)
                n = self._ns[config] + 1
                before = self._means[config]
                mean = before + (score - before) / n
                self._ns[config], self._means[config] = n, mean
            if config >= 0 and config == self._incumbent:
                self._n, self._mean = n, mean
            elif mean > self._mean:
                # The most noise under which this is still beyond it.
                most = (mean - self._mean) / (Z95 * math.sqrt(1 / self._n + 1 / n))
                if most > sd:
                    self._below = min(self._below, most)
                    # An unknown configuration is nobody's replicate.
                    self._incumbent = config if config >= 0 else NOBODY
                    self._n, self._mean, self._last = n, mean, e + 1
                else:
                    self._from = max(self._from, most)
        self._at = len(values)
