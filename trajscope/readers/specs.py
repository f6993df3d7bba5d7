"""What a header declares of a metric or a budget, read leniently: roles, goals and bounds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from trajscope.knob import is_number
from trajscope.readers.fields import FAR, finite, goal_of, shown
from trajscope.trial import Goal, MetricSpec

_GOALS: dict[str, Goal] = {
    "lower": "minimize",
    "min": "minimize",
    "minimize": "minimize",
    "higher": "maximize",
    "max": "maximize",
    "maximize": "maximize",
}


def goal(x: object) -> Goal | None:
    """The goal that a word means."""
    return _GOALS.get(str(x))


def spec(m: Mapping[str, Any]) -> MetricSpec:
    """A declared metric; bounds that are no numbers are none, so that its guard is seen to have no threshold."""
    numbers = {k: m[k] for k in ("floor", "ceiling", "anchor") if isinstance(m.get(k), int | float)}
    bounds = {k: float(x) for k, x in numbers.items() if not isinstance(x, bool) and abs(x) < FAR}
    bounded: Goal | None = None if ("floor" in bounds) == ("ceiling" in bounds) else "minimize"
    if bounded and "floor" in bounds:
        bounded = "maximize"  # what must not fall is better high
    better = goal(m.get("goal")) or bounded or goal_of(str(m["name"])) or "minimize"
    return MetricSpec(str(m["name"]), str(m.get("role") or "monitor"), better, **bounds)


def budget(said: object) -> tuple[dict[str, float], str | None]:
    """A declared budget under the names that the rails give it, and what of it could not be used."""
    said = said if isinstance(said, dict) else {}
    given = {k: x for k in ("trials", "hours", "tokens", "usd") if (x := said.get(k)) is not None}
    usable = {k: x for k, x in given.items() if is_number(x) and finite(x) is not None and x > 0}
    wrong = ", ".join(f"{k} is {shown(x)!r}" for k, x in given.items() if k not in usable)
    return usable, f"the budget in its settings: {wrong}; give a number above 0" if wrong else None


def search(obj: Mapping[str, Any]) -> dict[str, Any]:
    """How a run decides and builds, where it does so otherwise than by keeps on top of each other."""
    guesses = obj.get("guesses")
    return {
        "has_keeps": obj.get("has_keeps") is not False,
        "branching": obj.get("branching") is True,
        "guesses": tuple(x for x in guesses if isinstance(x, str)) if isinstance(guesses, list) else (),
    }
