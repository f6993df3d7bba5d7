"""One-sided tests of two arms, and the size of the difference. Positive is better; the caller has turned the sign.

scipy.special is used for the t and F distributions only. Knows no seeds: values come in, in the order of their seeds.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal, NamedTuple

MOST_PRIOR_DF = 20  # replicates of other configurations never weigh more than this: their spread need not be this one's

ROUNDING = 1e-12  # values that agree to this share of their size do not vary


class Pool(NamedTuple):
    """Spread known from replicates: the sum of squared deviations, and its degrees of freedom."""

    ss: float
    df: int

    @property
    def variance(self) -> float:
        """The pooled variance."""
        return self.ss / self.df if self.df else 0.0

    @property
    def sd(self) -> float:
        """The pooled standard deviation."""
        return math.sqrt(self.variance)


class Result(NamedTuple):
    """What a test found."""

    test: Literal["welch", "moderated", "paired"]
    delta: float
    se: float
    df: float
    t: float
    p: float
    lower: float  # one-sided confidence bound of the difference, at the level of the test


def pooled(groups: Sequence[Sequence[float]]) -> Pool:
    """The spread within groups."""
    return Pool(math.fsum(_ss(g) for g in groups), sum(len(g) - 1 for g in groups if g))


def welch(new: Sequence[float], old: Sequence[float], alpha: float, floor: float = 0.0) -> Result | None:
    """Welch's test that the new mean is higher; None where nothing varies. `floor` is the least variance of the new."""
    a, b = max(_var(new), floor) / len(new), _var(old) / len(old)
    if a + b <= 0:
        return None
    share = a / (a + b)  # squares of shares, since squares of small variances are 0
    df = 1 / (share**2 / (len(new) - 1) + (1 - share) ** 2 / (len(old) - 1))
    return _result("welch", _mean(new) - _mean(old), math.sqrt(a + b), df, alpha)


def moderated(new: Sequence[float], old: Sequence[float], alpha: float, prior: Pool) -> Result | None:
    """A t test with equal variances, whose variance is shrunk towards that of the replicates."""
    own = pooled([new, old])
    d0 = min(prior.df, MOST_PRIOR_DF)
    df = d0 + own.df
    variance = (d0 * prior.variance + own.ss) / df
    if variance <= 0:
        return None
    return _result("moderated", _mean(new) - _mean(old), math.sqrt(variance * (1 / len(new) + 1 / len(old))), df, alpha)


def paired(differences: Sequence[float], alpha: float, prior: Pool) -> Result | None:
    """A t test of differences seed by seed, their variance shrunk towards that of earlier differences."""
    d0 = min(prior.df, MOST_PRIOR_DF)
    df = d0 + len(differences) - 1
    variance = (d0 * prior.variance + _ss(differences)) / df
    if variance <= 0:
        return None
    return _result("paired", _mean(differences), math.sqrt(variance / len(differences)), df, alpha)


def hedges_g(new: Sequence[float], old: Sequence[float]) -> float | None:
    """The difference in standard deviations, signed, corrected for small samples; None where nothing varies."""
    own = pooled([new, old])
    if own.ss <= 0:
        return None
    return (_mean(new) - _mean(old)) / own.sd * (1 - 3 / (4 * own.df - 1))


def least_d(n_new: int, n_old: int, alpha: float) -> float:
    """The smallest d that a t test of this alpha and these sizes can find: below it a bound on d binds nothing."""
    return quantile(1 - alpha, n_new + n_old - 2) * math.sqrt(1 / n_new + 1 / n_old)


def collapse_p(values: Sequence[float], reference: Pool) -> float:
    """P of a spread as small as this one, were it that of the reference."""
    from scipy.special import fdtr

    if reference.variance <= 0:
        return 1.0
    return float(fdtr(len(values) - 1, reference.df, _var(values) / reference.variance))


def correlation(a: Sequence[float], b: Sequence[float]) -> float:
    """Pearson's r; 0 where one of them does not vary."""
    ma, mb = _mean(a), _mean(b)
    down = math.sqrt(_ss(a) * _ss(b))
    return math.fsum((x - ma) * (y - mb) for x, y in zip(a, b, strict=True)) / down if down > 0 else 0.0


def quantile(p: float, df: float) -> float:
    """The quantile of Student's t."""
    from scipy.special import stdtrit

    return float(stdtrit(df, p))


def _result(test: Literal["welch", "moderated", "paired"], delta: float, se: float, df: float, alpha: float) -> Result:
    from scipy.special import stdtr

    t = delta / se
    return Result(test, delta, se, df, t, float(stdtr(df, -t)), delta - quantile(1 - alpha, df) * se)


def _mean(x: Sequence[float]) -> float:
    return math.fsum(x) / len(x)


def _ss(x: Sequence[float]) -> float:
    """The sum of squared deviations; exactly 0 where all are the same but for rounding."""
    if not x or max(x) - min(x) <= ROUNDING * max(map(abs, x)):
        return 0.0
    m = _mean(x)
    return math.fsum((v - m) ** 2 for v in x)


def _var(x: Sequence[float]) -> float:
    return _ss(x) / (len(x) - 1)
