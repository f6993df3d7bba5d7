"""Tests and estimates on plain numbers: noise tests, binomial tails, expectations under shuffling.

The standard library is enough for these; what needs more imports scipy inside its own function.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

Z95 = 1.6448536269514722  # one-sided 5%
Z80 = 0.8416212335729143  # 80% power


def beyond_noise(gain: float, sd: float, n_a: int, n_b: int) -> bool:
    """Whether a difference of two means is more than noise at one-sided 5%."""
    return gain > Z95 * sd * math.sqrt(1 / n_a + 1 / n_b)


def min_detectable(sd: float) -> float:
    """The true gain that one trial against one other shows with 80% power at one-sided 5%."""
    return (Z95 + Z80) * sd * math.sqrt(2)


def shrink(gain: float, se: float) -> float:
    """A gain shrunk by how much of it luck explains."""
    return gain * max(0.0, 1 - (se / gain) ** 2) if gain else 0.0


def binomial_two_sided(k: int, n: int) -> float:
    """P of a split at least as uneven as k of n under a fair coin."""
    tail = max(k, n - k)
    if n > 1000:
        z = (tail - 0.5 - n / 2) / math.sqrt(n / 4)
        return min(1.0, math.erfc(z / math.sqrt(2)))
    return min(1.0, 2 * sum(math.comb(n, i) for i in range(tail, n + 1)) / (1 << n))


def expected_unique(kinds: Mapping[int, int], total: int, drawn: int) -> float:
    """Kinds expected among the first `drawn` of `total` in random order; `kinds` maps a count to how many have it."""
    return sum(many * (1 - _none_of(n, total, drawn)) for n, many in kinds.items())


def expected_gap(kinds: Mapping[int, int], total: int, gap: int) -> float:
    """Repeats expected at exactly this distance from their last occurrence, in random order."""
    if total < 2 or gap >= total:
        return 0.0
    both = sum(many * n * (n - 1) * _none_of(n - 2, total - 2, gap - 1) for n, many in kinds.items() if n > 1)
    return (total - gap) * both / (total * (total - 1))


def uniform_distinct(cells: int, drawn: int) -> float:
    """Different cells that a walker drawing uniformly would have met."""
    return cells * -math.expm1(drawn * math.log1p(-1 / cells)) if cells > 1 else float(min(cells, drawn))


def _none_of(n: int, total: int, drawn: int) -> float:
    """P that none of n marked items is among `drawn` of `total`."""
    if n <= 0:
        return 1.0
    if total - drawn < n:
        return 0.0
    lg = math.lgamma
    return math.exp(lg(total - n + 1) + lg(total - drawn + 1) - lg(total + 1) - lg(total - drawn - n + 1))
