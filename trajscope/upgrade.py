"""Older lines as lines of today: one pure function per version, each to the next.

Knows nothing of models; an upgraded line is checked like any other.
"""

from __future__ import annotations

from collections.abc import Callable

CURRENT = 1


def version(obj: dict[str, object]) -> int | None:
    """The version a line says it has; version 0 did not say. None where `v` is no version at all."""
    v = obj.get("v", 0)
    return v if type(v) is int and v >= 0 else None  # True is no version


def upgrade(obj: dict[str, object]) -> dict[str, object]:
    """The same line in the current version; one of a newer version, or of none, comes back as it is."""
    v = version(obj)
    while v is not None and v < CURRENT:
        obj = {**UPGRADES[v](obj), "v": v + 1}
        v += 1
    return obj


_DECISIONS = {"keep": "kept", "revert": "reverted", "block": "blocked", "crash": "crashed"}


def _from_0(obj: dict[str, object]) -> dict[str, object]:
    """Version 0 had one proposal per trial, a decision for a status, and the metric's name and goal side by side."""
    new = dict(obj)
    if obj.get("type") == "run" and isinstance(metric := obj.get("metric"), str):
        new["metric"] = {"name": metric, "goal": new.pop("goal", "minimize")}
    if obj.get("type") != "trial":
        return new
    proposal = obj.get("proposal")
    if "attempts" not in obj and isinstance(proposal, dict) and "knob" in proposal and "new_value" in proposal:
        rest = {k: v for k, v in proposal.items() if k not in ("knob", "new_value")}
        new["attempts"] = [{"changes": [{"knob": proposal["knob"], "value": proposal["new_value"]}], **rest}]
        del new["proposal"]
    decision = obj.get("decision")
    if "status" not in obj and isinstance(decision, str) and decision in _DECISIONS:
        new["status"] = _DECISIONS[decision]
        del new["decision"]
    return new


UPGRADES: dict[int, Callable[[dict[str, object]], dict[str, object]]] = {0: _from_0}
