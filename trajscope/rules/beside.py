"""What is recorded beside the metric: whether it vouches for what the keeps gained, or falls as they gain."""

from __future__ import annotations

from collections.abc import Sequence

from trajscope import stats
from trajscope.run import Run
from trajscope.tally import Kept

# Who vouches only clears, and a model that settles is honest more often than not: one in four may be chance.
ROSE = 0.25  # p of a holdout that only seems to rise with the keeps
PASSES, OFTEN = 0.75, 0.25  # of the bits of a holdout that stays where it is, and p of so many passes by chance
FELL = 0.01  # p of a guarded value that only seems to fall with the keeps


def other_holdout(run: Run, rows: Sequence[Kept]) -> bool:
    """Whether any of these keeps has a bit or a value of a holdout that is not the primary metric once more."""
    names = _others(run)
    return bool(names) and any(k.holdout is not None or any(n in k.metrics for n in names) for k in rows)


def vouched(run: Run, rows: Sequence[Kept]) -> bool:
    """Whether such a holdout passed on all of these keeps, passes too often for chance, or rose with the keeps.

    By chance a holdout that stays where it is passes PASSES of the times, against one standard error.
    """
    names, latest = _others(run), run.tally.latest
    if not names or not rows:
        return False
    if all(k.holdout is not None for k in rows):
        bits = [k.holdout for k in latest if k.holdout is not None]
        if all(k.holdout for k in rows) or stats.binomial_tail(sum(bits), len(bits), PASSES) < OFTEN:
            return True
    return any(
        all(n in k.metrics for k in rows)
        and stats.mann_kendall([sign * k.metrics[n] for k in latest if n in k.metrics]) < ROSE
        for n, sign in names.items()
    )


def falling(run: Run) -> str | None:
    """A guard, or what tells the model from a blind one, that falls with the keeps, whether it has a bound or not."""
    for m in run.header.metrics:
        sign = 1.0 if m.goal == "minimize" else -1.0
        values = [sign * k.metrics[m.name] for k in run.tally.latest if m.name in k.metrics]
        if m.role in ("guard", "degenerate") and stats.mann_kendall(values) < FELL:
            return m.name
    return None


def _others(run: Run) -> dict[str, float]:
    """Holdouts of another kind, and +1 or -1 so that higher is better."""
    return {
        m.name: -1.0 if m.goal == "minimize" else 1.0
        for m in run.header.metrics
        if m.role == "holdout" and str(run.header.metric) not in m.name
    }
