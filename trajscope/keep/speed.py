"""Too good, too fast: whether a campaign gains faster than any before it, and what a person must see before it goes on.

A gain is counted in units of max(seed noise, least effect). An error while asking is itself a reason to pause.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from trajscope.keep import evidence
from trajscope.keep.judge import spread
from trajscope.keep.settings import GateSettings
from trajscope.keep.state import State

RULE = "keep.speed"
WINDOWS = (6, 12)  # decisions
RANKED = 19  # finished campaigns from which a rank reaches 5%
FEW = 5  # from here a prediction limit, below it only declared caps
CAP = 1.5  # the prediction limit never exceeds the fastest campaign by more
ALPHA = 0.01
FIRST_KEEPS = 5
STAIRCASE = 6  # straight keeps: at a keep rate of .2, expected .005 times in 100 decisions


def rate(best: Sequence[float], scale: float) -> float:
    """The most that a campaign gained within one window, in units of `scale`; `best` holds every incumbent's score."""
    return max((best[i] - best[max(0, i - w)] for w in WINDOWS for i in range(len(best))), default=0.0) / scale


def of_campaign(settings: GateSettings, state: State) -> float:
    """The rate of a campaign so far."""
    return rate([settings.sign * v for v in state.best], _scale(settings, state))


def alarm(settings: GateSettings, state: State) -> str | None:
    """Why a person must look before the next decision, or None."""
    try:
        covered = state.acks[-1].up_to if state.acks else None
        at = state.value(settings)
        if covered is not None and settings.sign * at <= settings.sign * covered:
            return None
        return _staircase(state) or _references(settings, at) or _fast(settings, state, at)
    except Exception as error:  # noqa: BLE001  # an alarm that cannot be asked is not quiet
        return f"how fast this campaign gains could not be judged ({type(error).__name__}: {error})"


def bundle(state: State) -> dict[str, Any]:
    """What a person decides on: every keep since somebody last looked, with its diff, deltas, bit and gaps."""
    return {"keeps": state.since, "of": state.since_total, "straight": state.straight}


def _staircase(state: State) -> str | None:
    if state.straight < STAIRCASE:
        return None
    return (
        f"{state.straight} keeps in a row; at a keep rate of .2, {STAIRCASE} are expected .005 times in 100 decisions"
    )


def _references(settings: GateSettings, at: float) -> str | None:
    for name, value in settings.speed.references.items():
        if settings.sign * at > settings.sign * value:
            return f"{settings.primary.name} {at:.4g} is better than {name} ({value:.4g})"
    ceiling = settings.speed.plausible_ceiling
    if ceiling is not None and settings.sign * at > settings.sign * ceiling:
        return f"{settings.primary.name} {at:.4g} is better than the plausible ceiling of {ceiling:.4g}"
    return None


def _fast(settings: GateSettings, state: State, at: float) -> str | None:
    scale, best = _scale(settings, state), [settings.sign * v for v in state.best]
    now, m = of_campaign(settings, state), len(state.history)
    cap = settings.speed.max_gain_per_window
    if cap is not None and now * scale > cap:
        return f"{now * scale:.4g} was gained within {WINDOWS[-1]} decisions; {cap:.4g} is declared as the most"
    if now <= 0:
        return None
    if m >= RANKED:
        p = (1 + sum(h >= now for h in state.history)) / (m + 1)
        return (
            f"gains faster than all but {p:.1%} of {m} finished campaigns ({now:.3g} noise units)"
            if p <= 0.05
            else None
        )
    if m >= FEW:
        limit = prediction_limit(state.history)
        if now > limit:
            return (
                f"gained {now:.3g} noise units in a window; from {m} finished campaigns at most {limit:.3g} is expected"
            )
        return None
    if cap is not None or settings.speed.plausible_ceiling is not None:
        return None
    return _uncalibrated(state, best[-1] - best[0], spread(settings, state).sd, m)


def prediction_limit(history: Sequence[float]) -> float:
    """What one more campaign stays below with 99%, were they log-normal; at most 1.5 times the fastest."""
    logs = [math.log(max(h, 1e-9)) for h in history]
    m = len(logs)
    spreads = evidence.pooled([logs]).sd * math.sqrt(1 + 1 / m)
    top = max(history)
    log_limit = math.fsum(logs) / m + evidence.quantile(1 - ALPHA, m - 1) * spreads
    return min(math.exp(min(log_limit, 700.0)), CAP * top)


def _scale(settings: GateSettings, state: State) -> float:
    return max(spread(settings, state).sd, settings.min_effect)


def _uncalibrated(state: State, gain: float, sd: float, m: int) -> str | None:
    """With no campaigns to compare with and no cap declared, a person looks early."""
    most = 4 * sd * math.sqrt(2)
    why = f"uncalibrated ({m} finished campaigns, {FEW} needed, and neither max_gain_per_window nor plausible_ceiling)"
    if gain > most:
        return f"{why}: the gain of {gain:.4g} is beyond 4 sd sqrt 2 = {most:.4g}"
    if state.keeps >= FIRST_KEEPS:
        return f"{why}: {state.keeps} keeps"
    return None
