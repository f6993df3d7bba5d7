"""Tests and estimates on plain numbers: noise tests, binomial tails, expectations under shuffling.

The standard library is enough for these.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from statistics import NormalDist, median

MOST_TERMS = 100_000  # of a continued fraction; it takes about the root of its larger number
EXACT = 20  # numbers up to which a trend's p is exact, where none of them tie
MAD_SD = 1.4826  # a normal's sd in medians of absolute deviations
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
    ways = total = 1  # to have all of n on one side
    for i in range(n, tail, -1):
        ways = ways * i // (n - i + 1)
        total += ways
    return min(1.0, 2 * total / (1 << n))


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


def mann_kendall(values: Sequence[float]) -> float:
    """One-sided p of so much rising, were every order equally likely: exact for few without ties, normal beyond."""
    n, s = len(values), 0
    later: list[float] = []  # in order
    for v in reversed(values):
        s += len(later) - bisect_right(later, v) - bisect_left(later, v)
        insort(later, v)
    counts = dict.fromkeys(values, 0)
    for v in values:
        counts[v] += 1
    if n <= EXACT and len(counts) == n:
        falls = (n * (n - 1) // 2 - s) // 2
        return sum(_inversions(n)[: falls + 1]) / math.factorial(n)
    variance = (n * (n - 1) * (2 * n + 5) - sum(t * (t - 1) * (2 * t + 5) for t in counts.values())) / 18
    return 1 - NormalDist().cdf((s - 1) / math.sqrt(variance)) if variance > 0 else 1.0


def theil_sen(values: Sequence[float]) -> float:
    """The median slope from one of these numbers to a later one; 0 for fewer than two."""
    slopes = [(b - a) / d for i, a in enumerate(values) for d, b in enumerate(values[i + 1 :], 1)]
    return median(slopes) if slopes else 0.0


def smaller_variance(variance: float, df: int, pooled: float, pooled_df: int) -> float:
    """P of a variance at least this much smaller than the pool's, were both of one spread (F test)."""
    if pooled <= 0:
        return 1.0
    return beta_share(df / 2, pooled_df / 2, df * variance / (df * variance + pooled_df * pooled))


def fisher(ps: Sequence[float]) -> float:
    """Independent p values as one (Fisher)."""
    if not ps:
        return 1.0
    if min(ps) <= 0:
        return 0.0
    half = -sum(map(math.log, ps))  # half a chi square of twice as many degrees of freedom as there are p values
    term = total = math.exp(-half)
    for i in range(1, len(ps)):
        term *= half / i
        total += term
    return min(1.0, total)


def student_tail(t: float, df: float) -> float:
    """P of at least t under Student's distribution."""
    tail = beta_share(df / 2, 0.5, df / (df + t * t)) / 2
    return tail if t >= 0 else 1 - tail


def student_quantile(p: float, df: float) -> float:
    """What Student's distribution stays under with probability p, one over a half."""
    y = beta_quantile(0.5, df / 2, 2 * p - 1)  # of t² / (df + t²), which keeps its digits however large df is
    return math.sqrt(df * y / (1 - y))


def beta_share(a: float, b: float, x: float) -> float:
    """P of at most x under a beta distribution, by the continued fraction (Lentz)."""
    # By hand, because importing what knows it takes scipy longer than all else that an analysis does.
    if not 0 < x < 1:
        return float(x >= 1)
    if x > (a + 1) / (a + b + 2):  # where the fraction of the other tail is the quicker one
        return 1 - beta_share(b, a, 1 - x)
    scale = math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log1p(-x)
    c, d = 1.0, 1 / _off_zero(1 - (a + b) * x / (a + 1))
    found = d
    for m in range(1, MOST_TERMS):
        for term in (
            m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m)),
            -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1)),
        ):
            d = 1 / _off_zero(1 + term * d)
            c = _off_zero(1 + term / c)
            found *= c * d
        if abs(c * d - 1) < 1e-15:
            break
    return min(1.0, math.exp(scale) * found / a)


def beta_quantile(a: float, b: float, p: float) -> float:
    """What a beta distribution stays under with probability p, to the last digit but one."""
    low, high = 0.0, 1.0
    while low < (middle := (low + high) / 2) < high:
        if beta_share(a, b, middle) < p:
            low = middle
        else:
            high = middle
        if high - low < 1e-15 * high:
            break
    return high


def _off_zero(x: float) -> float:
    return x if abs(x) > 1e-300 else 1e-300


def robust(pool: Sequence[float], least: float) -> tuple[float, float]:
    """The median of a pool, and its robust standard deviation, which is no smaller than `least`."""
    middle = median(pool)
    return middle, max(least, MAD_SD * median(abs(x - middle) for x in pool))


def binomial_tail(k: int, n: int, p: float) -> float:
    """P of at least k of n, each with probability p."""
    return min(1.0, sum(math.comb(n, i) * p**i * (1 - p) ** (n - i) for i in range(k, n + 1)))


def beta_binomial_tail(k: int, n: int, hits: float, misses: float) -> float:
    """P of at least k of n, each with a probability that is known only by so many hits and misses."""

    def log_beta(a: float, b: float) -> float:
        return math.lgamma(a) + math.lgamma(b) - math.lgamma(a + b)

    whole = log_beta(hits, misses)
    terms = (math.comb(n, i) * math.exp(log_beta(hits + i, misses + n - i) - whole) for i in range(k, n + 1))
    return min(1.0, math.fsum(terms))


def binomial_bound(k: int, n: int, p: float) -> float:
    """What the P of at least k of n, each with probability p, cannot exceed (Chernoff): at once, however large n."""
    share = k / n if n else 0.0
    if share <= p:
        return 1.0
    if p <= 0:
        return 0.0
    apart = share * math.log(share / p) + ((1 - share) * math.log((1 - share) / (1 - p)) if share < 1 else 0.0)
    return math.exp(-n * apart)


def few_met(cells: int, drawn: int, met: int) -> float:
    """What the P cannot exceed that a walker drawing uniformly meets no more than so many different cells.

    He stays within some set of that size; each set has (met / cells) ** drawn, and there are so many sets.
    """
    if met >= min(cells, drawn):
        return 1.0
    sets = math.lgamma(cells + 1) - math.lgamma(met + 1) - math.lgamma(cells - met + 1)
    return min(1.0, math.exp(min(0.0, sets + drawn * math.log(met / cells)))) if met else 0.0


def drought(n: int, wins: float, losses: float) -> float:
    """P of no success in n, where the rate of success is known as well as so many wins and losses tell (beta)."""
    lg = math.lgamma
    return math.exp(lg(losses + n) + lg(wins + losses) - lg(losses) - lg(wins + losses + n))


def expected_runs(n: int, length: int, p: float) -> float:
    """Runs of at least so many in a row expected among n, each with probability p."""
    return max(0, n - length) * (1 - p) * p**length + (p**length if n >= length else 0.0)


def spent(alpha: float, look: int) -> float:
    """What the look of this number may use of an alpha, so that however many looks use no more than all of it."""
    return alpha / (look * (look + 1))


def fastest(steps: Sequence[tuple[int, float]], scale: float, windows: Iterable[int]) -> tuple[float, int, int]:
    """The most that the best rose within any window, in units of `scale`: how much, the window, and where it ended.

    `steps` are (trial, best so far, higher is better) wherever the best rose, the first of them where it began.
    """
    found = (0.0, 0, 0)
    for w in windows:
        at = 0
        for i, (end, best) in enumerate(steps):
            while at + 1 < i and steps[at + 1][0] <= end - w:
                at += 1
            rise = (best - steps[at][1]) / scale
            if i and rise > found[0]:
                found = (rise, w, end)
    return found


def roughness(values: Sequence[float]) -> float:
    """The noise of a smooth series as its second differences tell it; 0 for fewer than three."""
    firsts = [b - a for a, b in pairwise(values)]
    seconds = [b - a for a, b in pairwise(firsts)]
    return math.sqrt(sum(x * x for x in seconds) / (6 * len(seconds))) if seconds else 0.0


def _inversions(n: int) -> list[int]:
    """How many orders of n have 0, 1, 2, ... inversions."""
    counts = [1]
    for size in range(2, n + 1):
        wide = len(counts) + size - 1
        counts = [sum(counts[max(0, k - size + 1) : k + 1]) for k in range(wide)]
    return counts


def _none_of(n: int, total: int, drawn: int) -> float:
    """P that none of n marked items is among `drawn` of `total`."""
    if n <= 0:
        return 1.0
    if total - drawn < n:
        return 0.0
    lg = math.lgamma
    return math.exp(lg(total - n + 1) + lg(total - drawn + 1) - lg(total + 1) - lg(total - drawn - n + 1))
