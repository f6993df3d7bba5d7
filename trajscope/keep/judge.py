"""Steps 1, 4 and 5: whether an arm may be judged at all, whether it is better, and whether that is enough."""

from __future__ import annotations

import math
from collections.abc import Collection
from typing import Any

from trajscope.keep import arms, evidence
from trajscope.keep.arms import Arm
from trajscope.keep.evidence import Pool, Result
from trajscope.keep.finding import Finding, abort, noted, passed, revert
from trajscope.keep.settings import FULL_SEEDS, GateSettings
from trajscope.keep.state import State

VALIDITY, TEST, EFFECT = "keep.validity", "keep.test", "keep.effect"
COLLAPSED = 0.01  # a spread this improbable under the replicates' is a collapse


def validity(settings: GateSettings, given: object, *, used: Collection[int] = ()) -> tuple[Arm, Finding]:
    """The seeds as an arm, where every one of them ended well, is finite, within range, effective and fresh."""
    arm, faults = arms.read(given, settings.ranges, settings.primary.name)
    if settings.holdout and settings.holdout.metric in arms.reported(given):
        why = f"the candidate reports {settings.holdout.metric} itself; a holdout is measured where it cannot see"
        return arm, abort(VALIDITY, why, sure=True)
    blind = None if "fingerprints" in settings.without else arms.ineffective(arm)
    if found := "; ".join(faults[:3]) or arms.too_few(arm, settings.n) or blind or arms.reused(arm, used):
        return arm, abort(VALIDITY, found, n=len(arm))
    if settings.n < FULL_SEEDS:
        return arm, noted(VALIDITY, f"{len(arm)} seeds, fewer than {FULL_SEEDS}: provisional", n=len(arm))
    return arm, passed(VALIDITY, f"{len(arm)} seeds ended well, finite and within range", n=len(arm))


def spread(settings: GateSettings, state: State) -> Pool:
    """The seed noise as it was at the campaign's start: a gain that is bought makes it shrink."""
    return evidence.pooled([arms.values(state.baseline, settings.primary.name), *state.replicates.values()])


def better(
    settings: GateSettings, state: State, new: Arm, old: Arm, alpha: float
) -> tuple[Result | None, bool, Finding]:
    """The declared test that the new arm is better, whether its spread has collapsed, and what to say of it."""
    a, b = (_signed(settings, arm) for arm in (new, old))
    start = spread(settings, state)
    small = evidence.collapse_p(a, start)
    collapsed = small < COLLAPSED and "variance" not in settings.without
    result: Result | None
    if state.test == "welch":
        result = evidence.welch(a, b, alpha, floor=start.variance if collapsed else 0.0)
    elif state.test == "moderated":
        result = evidence.moderated(a, b, alpha, _prior(settings, state))
    else:
        known = dict(zip((r.seed for r in old), b, strict=True))
        if lost := [r.seed for r in new if r.seed not in known]:
            why = f"a paired test was declared, and the incumbent was not measured on seed {lost[0]}"
            return None, collapsed, abort(TEST, why)
        differences = [x - known[r.seed] for r, x in zip(new, a, strict=True)]
        result = evidence.paired(differences, alpha, evidence.pooled([state.differences]))
    if result is None or not all(map(math.isfinite, result[1:])):
        why = "no seed differs from another in either arm, and no replicates say how much they should: need replicates"
        return None, collapsed, abort(TEST, why)
    numbers = {**result._asdict(), "alpha": alpha, "sd": _sd(a), "sd_start": start.sd, "collapse_p": small}
    said = f"{settings.primary.name} is {_change(result.delta)}, p {result.p:.3g} ({result.test}, alpha {alpha:g})"
    if not result.p < alpha:
        return result, collapsed, revert(TEST, f"{said}: not beyond noise", **numbers)
    if collapsed:
        why = f"{said}, but the seeds spread {_sd(a):.3g} where the start's spread {start.sd:.3g} (p {small:.2g})"
        return result, collapsed, noted(TEST, why, variance_collapse=True, **numbers)
    return result, collapsed, passed(TEST, said, **numbers)


def enough(settings: GateSettings, state: State, result: Result, new: Arm, old: Arm) -> Finding:
    """Whether the gain is large enough in units of the metric, and its lower bound above zero."""
    a, b = (_signed(settings, arm) for arm in (new, old))
    g = evidence.hedges_g(a, b)
    least = settings.min_effect
    if settings.min_d is None:  # a bound on d is asked in the place of the standard error, as published
        least = max(least, spread(settings, state).sd * math.sqrt(1 / len(new) + 1 / len(old)))
    vacuous = evidence.least_d(len(a), len(b), settings.alpha)
    numbers: dict[str, Any] = {"min_effect": least, "effect": result.delta, "g": g, "least_d": vacuous}
    said = f"a gain of {result.delta:.4g}"
    if not result.delta >= least:
        return revert(EFFECT, f"{said}, and {least:.4g} is the least that counts", **numbers)
    if not result.lower > 0:
        return revert(EFFECT, f"{said} with a lower bound of {result.lower:.4g}; above 0 is needed", **numbers)
    if settings.min_d is not None:
        return _published(settings, said, a, b, numbers)
    return passed(EFFECT, f"{said} of at least {least:.4g}, lower bound {result.lower:.4g}", **numbers)


def _published(settings: GateSettings, said: str, a: list[float], b: list[float], numbers: dict[str, Any]) -> Finding:
    """The bound on d, which at few seeds the test alone implies."""
    own = evidence.pooled([a, b])
    if own.ss <= 0:
        return abort(EFFECT, "nothing varies, so d has no unit: need replicates", **numbers)
    d = (math.fsum(a) / len(a) - math.fsum(b) / len(b)) / own.sd
    least = settings.min_d or 0.0
    numbers |= {"d": d, "min_d": least}
    if not d > least:
        return revert(EFFECT, f"d is {d:.3g}, and more than {least:g} is asked for", **numbers)
    if (vacuous := numbers["least_d"]) > least:
        why = f"d {d:.3g} > {least:g} says nothing: at {len(a)} seeds p < {settings.alpha:g} implies {vacuous:.3g}"
        return noted(EFFECT, f"{said}; {why}", **numbers)
    return passed(EFFECT, f"{said}, d {d:.3g}", **numbers)


def _prior(settings: GateSettings, state: State) -> Pool:
    """What the replicates say of the spread, without the arms that are being compared."""
    groups = list(state.replicates.values())
    if state.keeps:
        groups.append(arms.values(state.baseline, settings.primary.name))
    return evidence.pooled(groups)


def _signed(settings: GateSettings, arm: Arm) -> list[float]:
    return [settings.sign * v for v in arms.values(arm, settings.primary.name)]


def _sd(values: list[float]) -> float:
    return evidence.pooled([values]).sd


def _change(delta: float) -> str:
    return f"{delta:.4g} better" if delta >= 0 else f"{-delta:.4g} worse"
