"""Reads the journals of AIDE and AI-Scientist: a tree of programs, each with what it scored.

A draft has no parent and is a program of its own. What is buggy has crashed, whatever number stands there.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from trajscope.knob import is_number
from trajscope.readers.fields import mapping, text
from trajscope.readers.lineage import Programs, epoch_ms, number, whole
from trajscope.trial import Goal, Item, Line

METRIC = "metric"  # what it is called where nobody named it


class Aide(Programs):
    """One journal."""

    name: ClassVar[str] = "aide"
    about: ClassVar[str] = "journal.json of AIDE or AI-Scientist: a tree of programs"

    def _lacks(self, obj: Mapping[str, Any]) -> str | None:
        return None if "code" in obj and ("metric" in obj or "is_buggy" in obj) else "no node of a journal"

    def _measures(self, obj: Mapping[str, Any]) -> tuple[str | None, Goal | None]:
        listed = obj.get("metrics")
        if not isinstance(listed, list):
            best = obj.get("maximize")
            goal: Goal | None = None if not isinstance(best, bool) else "maximize" if best else "minimize"
            return text(obj.get("metric")) or METRIC, goal
        goals: dict[str, Goal | None] = {}
        for m in map(mapping, listed):
            lower = m.get("lower_is_better")
            goals[str(m.get("metric_name"))] = None if not isinstance(lower, bool) else _GOAL[lower]
        if len(goals) == 1:
            return next(iter(goals.items()))
        asked = self._source.metric
        if asked in goals:
            return asked, goals[asked]
        each = ", ".join(f"{n} ({g or 'no direction'})" for n, g in list(goals.items())[:12])
        self._said.append(f"{len(goals)} metrics and none of them first: {each}; name one with --metric")
        return None, None

    def _item(self, line: Line, obj: Mapping[str, Any]) -> Item:
        made = self._born(obj.get("id"), obj.get("parent"), obj.get("code"), "python")
        found = mapping(obj.get("metric")).get("value") if isinstance(obj.get("metric"), dict) else obj.get("metric")
        metrics = _averages(found)
        plain = is_number(found) and self._metric == self._own
        value = number(found) if plain else metrics.get(self._metric or "")
        buggy = obj.get("is_buggy")
        crashed = buggy is True or found is None
        status = "crashed" if crashed else "reverted" if buggy is False or value is not None else "other"
        nan = plain and value is None
        return self._trial(
            line,
            made,
            status,
            value,
            crashed=crashed,
            raw="buggy" if buggy is True else None,
            reason="nan" if nan and not crashed else text(obj.get("exc_type")) if crashed else None,
            iter=whole(obj.get("step")),
            wall_s=number(obj.get("exec_time")),
            time_ms=epoch_ms(obj.get("ctime")),
            intent="replicate" if obj.get("is_seed_node") is True else None,
            metrics=metrics or None,
        )


_GOAL: dict[bool, Goal] = {True: "minimize", False: "maximize"}


def _averages(value: object) -> dict[str, float]:
    """Each metric of AI-Scientist, as the mean over its data sets; one that lacks a number has no mean."""
    out: dict[str, float] = {}
    listed = mapping(value).get("metric_names")
    for m in map(mapping, listed if isinstance(listed, list) else ()):
        data = m.get("data")
        values = [number(mapping(d).get("final_value")) for d in data] if isinstance(data, list) else []
        known = [v for v in values if v is not None]
        if known and len(known) == len(values):
            out[str(m.get("metric_name"))] = sum(known) / len(known)
    return out
