"""Doubts: which verdicts flipped and which keeps nothing confirms, kept up as trials come.

Only configurations that were evaluated since the last time are looked at again; the noise may change without that.
"""

from __future__ import annotations

import math
from bisect import insort
from typing import Any

from trajscope.scores import Scores
from trajscope.stats import Z95
from trajscope.tally import MOST, Keep, PairTally, Tally

HOME = -1  # stands for the baseline's group among those that keeps are held against


class Doubts:
    """What the evaluations of one run say of its verdicts."""

    def __init__(self) -> None:
        self._begin()

    def _begin(self) -> None:
        self._flips: list[int] = []  # configurations that were kept once and reverted once, in order
        self._told: dict[int, dict[str, Any]] = {}
        self._first: list[dict[str, Any]] | None = []  # of them; None where one was told more
        self._seqs: list[int] = []  # of each keep,
        self._gains: list[float] = []  # by how much its other evaluations beat its reference,
        self._roots: list[float] = []  # and how many times the noise that must be
        self._on: dict[int, set[int]] = {}  # configuration -> keeps that hang on it

    def look(self, scores: Scores, tally: Tally, pairs: list[PairTally]) -> None:
        """Take in what was evaluated since the last time."""
        changed = scores.changed
        if changed is None:
            self._begin()
            changed = {c.id for c in scores.configs if c.kept and c.reverted}
        scores.changed = set()
        for i in changed:
            self._flip(i, scores, pairs)
        if scores.base is not None and scores.base.id in changed:
            changed.add(HOME)
        for i in {keep for config in changed for keep in self._on.get(config, ())}:
            self._gains[i], self._roots[i] = self._weigh(tally.keeps[i], i, scores)
        for i in range(len(self._gains), len(tally.keeps)):
            keep = tally.keeps[i]
            for config in {keep.config, keep.base}:
                self._on.setdefault(config, set()).add(i)
            gain, root = self._weigh(keep, i, scores)
            self._seqs.append(keep.seq)
            self._gains.append(gain)
            self._roots.append(root)

    def flips(self) -> list[dict[str, Any]]:
        """The first configurations with both verdicts: pair, kept, reverted."""
        if self._first is None:
            self._first = [self._told[i] for i in self._flips[:MOST]]
        return self._first

    def unconfirmed(self, sd: float | None) -> list[int]:
        """Keeps (seq) that no other evaluation of theirs beats their reference for by more than this noise."""
        if sd is None:
            return list(self._seqs)
        least = Z95 * sd
        weighed = zip(self._seqs, self._gains, self._roots, strict=True)
        return [seq for seq, gain, root in weighed if not gain > least * root]

    def _flip(self, config: int, scores: Scores, pairs: list[PairTally]) -> None:
        c = scores.configs[config]
        if c.kept and c.reverted:
            if config not in self._told:
                insort(self._flips, config)
            self._first = None
            label = pairs[c.pair].pair.label if c.pair >= 0 else c.label
            self._told[config] = {"pair": label, "kept": c.kept, "reverted": c.reverted}

    def _weigh(self, keep: Keep, i: int, scores: Scores) -> tuple[float, float]:
        """By how much the other evaluations of a keep's configuration beat its reference."""
        never = -math.inf, 0.0
        if keep.config < 0 or keep.value is None:
            return never
        c = scores.configs[keep.config]
        if c.n < 2:
            return never
        base = scores.configs[keep.base] if keep.base >= 0 and scores.configs[keep.base].n else None
        if base is None:
            base = scores.base
            self._on.setdefault(HOME, set()).add(i)
        if base is None or not base.n:
            return never
        others = (c.mean * c.n - keep.value) / (c.n - 1)
        return (others - base.mean) * scores.sign, math.sqrt(1 / base.n + 1 / (c.n - 1))
