"""Beyond noise: when a configuration's mean last beat the incumbent's by more than noise, kept up as trials come.

The noise is estimated anew with every repeat, and may revise what was said of earlier trials. Who follows an incumbent
depends on the noise alone: it is the first trial that stood out by more, so only trials that stood out by more than
all before them can be it. They are few, and remembered; what was walked once is never walked again.
"""

from __future__ import annotations

import math
from array import array
from bisect import bisect_right

from trajscope.scores import Scores
from trajscope.stats import Z95
from trajscope.tally import Tally

NOBODY = -2  # the incumbent where no configuration is known to be the baseline's


class Incumbent:
    """A configuration from the trial on that made it the best; who may follow it, and how far that was looked at."""

    __slots__ = ("at", "config", "e", "heirs", "mean", "mosts", "n")

    def __init__(self, e: int, config: int, n: int, mean: float) -> None:
        self.e = self.at = e
        self.config, self.n, self.mean = config, n, mean
        self.mosts: list[float] = []  # the most noise under which each heir is still beyond it; they grow
        self.heirs: list[Incumbent] = []


class Beyond:
    """A walk along the scores of one run."""

    def __init__(self) -> None:
        self._began: tuple[object, ...] | None = None

    def last(self, scores: Scores, tally: Tally, sd: float) -> int:
        """The ordinal of the evaluated trial that was the last best beyond noise; 0 where none was."""
        base = scores.base.id if scores.base is not None else NOBODY
        began = (len(tally.baseline), tally.baseline_mean, base)
        if began != self._began:
            self._begin(began, len(tally.baseline), scores.sign * (tally.baseline_mean or 0.0), base)
        elif not self._from <= sd < self._below:
            self._return()
        self._average(scores)
        self._walk(scores, sd)
        return self._here.e

    def _begin(self, began: tuple[object, ...], n: int, mean: float, base: int) -> None:
        self._began = began
        self._ns, self._means = array("q"), array("d")  # of each configuration
        self._then_ns, self._then_means = array("i"), array("d")  # of that of each trial, after it
        if base >= 0:
            self._room(base)
            self._ns[base], self._means[base] = n, mean
        self._first = Incumbent(0, base, n, mean)
        self._return()

    def _return(self) -> None:
        self._here = self._first
        self._from, self._below = 0.0, math.inf  # noise under which every decision up to here stands

    def _room(self, config: int) -> None:
        more = config + 1 - len(self._ns)
        if more > 0:
            self._ns.extend([0] * more)
            self._means.extend([0.0] * more)

    def _average(self, scores: Scores) -> None:
        """What each configuration has scored after each of its trials. An unknown one is nobody's replicate."""
        values, configs, ns, means = scores.scores, scores.score_configs, self._ns, self._means
        self._room(len(scores.configs) - 1)
        for e in range(len(self._then_means), len(values)):
            n, mean, config = 1, values[e], configs[e]
            if config >= 0 and mean == mean:
                n = ns[config] + 1
                mean = means[config] + (mean - means[config]) / n
                ns[config], means[config] = n, mean
            self._then_ns.append(n)
            self._then_means.append(mean)

    def _walk(self, scores: Scores, sd: float) -> None:
        here = self._here
        while True:
            if not here.mosts or here.mosts[-1] <= sd:
                self._look(here, scores, sd)
            i = bisect_right(here.mosts, sd)
            if i:
                self._from = max(self._from, here.mosts[i - 1])
            if i == len(here.mosts):
                break
            self._below = min(self._below, here.mosts[i])
            here = here.heirs[i]
        self._here = here

    def _look(self, here: Incumbent, scores: Scores, sd: float) -> None:
        """On to the next trial that stands out by more than this noise."""
        configs, ns, means = scores.score_configs, self._then_ns, self._then_means
        own, n, best, top = here.config, here.n, here.mean, here.mosts[-1] if here.mosts else 0.0
        for e in range(here.at, len(means)):
            mean, config = means[e], configs[e]
            if config == own:
                if mean == mean:
                    n, best = ns[e], mean
            elif mean > best:
                most = (mean - best) / (Z95 * math.sqrt(1 / n + 1 / ns[e]))
                if most > top:
                    top = most
                    here.mosts.append(most)
                    here.heirs.append(Incumbent(e + 1, config if config >= 0 else NOBODY, ns[e], mean))
                    if most > sd:
                        here.at = e + 1
                        break
        else:
            here.at = len(means)
        here.n, here.mean = n, best
