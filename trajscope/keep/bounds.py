"""Steps 2 and 3: guards, seed by seed and against their anchor; margins over the degenerate predictors."""

from __future__ import annotations

from trajscope.keep.arms import Arm, mean
from trajscope.keep.finding import Finding, abort, passed, revert
from trajscope.keep.settings import GateSettings, Guard, Margin
from trajscope.keep.state import Anchor, State

GUARDS, MARGINS = "keep.guards", "keep.margins"


def guards(settings: GateSettings, state: State, arm: Arm) -> Finding:
    """Every guard on every seed, and on the mean against where the campaign started or has been."""
    numbers: dict[str, float] = {}
    for g in settings.guards:
        numbers[f"guard.{g.metric}"] = mean(arm, g.metric)
        anchor = state.anchors.get(g.metric)
        if anchor is None:
            return abort(GUARDS, f"{g.metric} has no anchor: it was not measured at the campaign's start")
        why = broken(g, arm) or fallen(g, arm, anchor)
        if why:
            return revert(GUARDS, why, **numbers)
    names = ", ".join(f"{g.metric} {numbers[f'guard.{g.metric}']:.4g}" for g in settings.guards)
    return passed(GUARDS, f"every guard holds on every seed: {names}" if names else "there is no guard", **numbers)


def margins(settings: GateSettings, state: State, arm: Arm) -> Finding:
    """How far the candidate is above the best of the predictors that ignore their input."""
    numbers: dict[str, float] = {}
    said: list[str] = []
    for m in settings.margins:
        found = gap(m, state, arm)
        if found is None:
            return abort(MARGINS, f"no degenerate predictor was measured on {m.metric}; measure them at the start")
        best, above = found
        numbers[f"margin.{m.metric}"] = above
        said.append(f"{m.metric} is {_by(above)} {best}, and {m.least:g} above is asked for")
        if not above >= m.least:
            return revert(MARGINS, said[-1], **numbers)
    return passed(MARGINS, "; ".join(said) or "there is no margin", **numbers)


def broken(g: Guard, arm: Arm) -> str | None:
    """The seed that breaks the guard's bound; the worst of them."""
    bound = g.bound
    worst = min(arm, key=lambda r: g.sign * r.metrics[g.metric])
    value = worst.metrics[g.metric]
    if bound is not None and g.sign * value >= g.sign * bound:
        return None
    return f"{g.metric} is {value:.4g} on seed {worst.seed}, {_beyond(g)} its {g.side} of {bound}"


def fallen(g: Guard, arm: Arm, anchor: Anchor) -> str | None:
    """How far the mean has come from its anchor, where that is too far."""
    if g.drop is None:
        return None
    at = anchor.best if g.anchor == "best" else anchor.start
    lost = g.sign * (at - mean(arm, g.metric))
    if lost <= g.drop:
        return None
    since = "the best of this campaign" if g.anchor == "best" else "the campaign's start"
    return f"{g.metric} is {mean(arm, g.metric):.4g}, {lost:.4g} worse than {since} ({at:.4g}); {g.drop:g} is allowed"


def gap(m: Margin, state: State, arm: Arm) -> tuple[str, float] | None:
    """The degenerate predictor that is best on the margin's metric, and how far the arm is above it."""
    sign = 1 if m.goal == "maximize" else -1
    if not state.degenerates or any(m.metric not in d for d in state.degenerates.values()):
        return None
    best = max(state.degenerates, key=lambda name: sign * state.degenerates[name][m.metric])
    return best, sign * (mean(arm, m.metric) - state.degenerates[best][m.metric])


def _beyond(g: Guard) -> str:
    return "below" if g.sign > 0 else "above"


def _by(above: float) -> str:
    return f"{above:.4g} above" if above >= 0 else f"{-above:.4g} below"
