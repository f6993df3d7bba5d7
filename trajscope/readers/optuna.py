"""Reads studies of Optuna, from its relational storage and its journal alike, as `unfold` tells their ended trials.

A trial proposes a whole configuration, so its pair has a change for each parameter, and its menu is what its samplers
drew from. Nothing is kept or reverted in a study: the best is the best of all complete trials.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, ClassVar, TypeGuard

from trajscope import menu as menus
from trajscope.errors import MenuError
from trajscope.knob import BINS, is_number
from trajscope.menu import Menu
from trajscope.pair import canon, config_hash, pair
from trajscope.readers import Source, specs
from trajscope.readers.fields import finite, goal_of, is_whole, mapping, record, text, time_ms, unfolded, unreadable
from trajscope.trial import Goal, Header, Item, Line, MetricSpec, Trial

VALUE = "value"  # what a study of one objective calls it, as Optuna's own frames do
_STATES = {"COMPLETE": "reverted", "PRUNED": "ineligible", "FAIL": "crashed"}
MOST_CHOICES = BINS  # steps of a range up to which each is a choice of its own


class Optuna:
    """The studies of one storage, one run each."""

    name: ClassVar[str] = "optuna"
    about: ClassVar[str] = "a study of Optuna: its SQLite storage, or the log of its JournalStorage"

    def __init__(self, source: Source) -> None:
        self._source = source
        self._runs = 0
        self._menu: Menu | None = None
        self._mixed: set[str] = set()  # parameters with choices of several types
        self._objection: str | None = None
        self._begin({})

    @classmethod
    def sniff(cls, head: bytes) -> bool:
        """Whether it was unfolded from a study."""
        return unfolded(head, cls.name)

    def feed(self, line: Line) -> Iterable[Item]:
        """The items of one line."""
        obj = record(line)
        if isinstance(obj, str):
            return unreadable(line, obj)
        if obj.get("unfolded") == self.name:
            return (self._header(obj),)
        if "op_code" in obj:
            return unreadable(line, "an operation of the journal that makes no sense here")
        if str(obj.get("state")) not in _STATES:
            return unreadable(line, f"no ended trial: its state is {str(obj.get('state'))[:20]!r}")
        trial = self._trial(line, obj)
        return (trial,) if self._runs else (self._header({}), trial)

    # --- a study -------------------------------------------------------------------------------------------------

    def _begin(self, obj: Mapping[str, Any]) -> None:
        """What a study optimises. Of several objectives none is first: somebody must say which one is meant."""
        listed = obj.get("directions")
        goals = [specs.goal(d) for d in listed] if isinstance(listed, list) else []
        named = obj.get("names")
        names = [text(n) for n in named] if isinstance(named, list) and len(named) == len(goals) else []
        plain = [VALUE] if len(goals) < 2 else [f"values_{i}" for i in range(len(goals))]
        self._objectives = [n or p for n, p in zip(names or [None] * len(plain), plain, strict=True)]
        self._goals: list[Goal | None] = goals or [None]
        asked = self._source.metric
        if asked in plain:
            asked = self._objectives[plain.index(asked)]  # Optuna's own word for it, whatever its name
        self._metric = asked or (self._objectives[0] if len(self._objectives) == 1 else None)
        self._lacking = False

    def _header(self, obj: Mapping[str, Any]) -> Header:
        self._begin(obj)
        self._runs += 1
        said = self._source
        params = mapping(obj.get("params"))
        self._menu, self._objection = _menu(said.menu, params)
        self._mixed = {n for n, d in params.items() if _is_mixed(mapping(d))} if said.menu is None else set()
        at = self._objectives.index(self._metric) if self._metric in self._objectives else None
        goal = self._goals[at] if at is not None else goal_of(self._metric)
        stem = Path(said.path).name.split(".")[0] or "stdin"
        return Header(
            run_id=text(obj.get("study")) or (stem if self._runs == 1 else f"{stem}-{self._runs}"),
            metric=self._metric,
            goal=said.goal or goal,
            metrics=tuple(
                MetricSpec(n, "primary" if n == self._metric else "monitor", g or "minimize")
                for n, g in zip(self._objectives, self._goals, strict=True)
            )
            if len(self._objectives) > 1 and self._metric is not None
            else (),
            menu=self._menu,
            history=said.history,
            has_keeps=False,
        )

    # --- a trial -------------------------------------------------------------------------------------------------

    def _trial(self, line: Line, obj: Mapping[str, Any]) -> Trial:
        state = str(obj["state"])
        status, faults = _STATES[state], list(self._first_faults())
        params = obj.get("params")
        if not isinstance(params, dict):
            faults.append("has no parameters")
            params = {}
        change = self._menu.change if self._menu else canon
        changes = [change(k, _spelt(v) if k in self._mixed else v) for k, v in params.items()]
        metrics, infinite = self._measured(obj)
        value = metrics.get(self._metric) if self._metric else None
        reason = "pruned" if state == "PRUNED" else None
        if state == "COMPLETE" and value is None:
            reason = "nan" if infinite else None
            faults += [] if infinite else self._lacks(metrics)
        number = obj.get("number")
        ended = text(obj.get("complete"))
        return Trial(
            seq=line.seq,
            at=line.at,
            status=status,
            pair=pair(changes) if changes else None,
            iter=number if is_whole(number) else None,
            value=value,
            wall_s=_between(text(obj.get("start")), ended),
            time_ms=time_ms(ended),
            config=config_hash({c.knob: c.value for c in changes}) if changes else None,
            raw_status=state,
            metrics=metrics or None,
            reason_code=reason,
            faults=tuple(faults),
        )

    def _measured(self, obj: Mapping[str, Any]) -> tuple[dict[str, float | None], bool]:
        """The objectives and the user's attributes that are numbers; and whether the metric was none that counts."""
        found: dict[str, float | None] = {}
        infinite = False
        attrs = mapping(obj.get("attrs"))
        values = obj.get("values")
        listed = values if isinstance(values, list) else []
        for name, x in (*attrs.items(), *zip(self._objectives, listed, strict=False)):
            if is_number(x):
                number = finite(_float(x))
                infinite = infinite or (number is None and name == self._metric)
                found[str(name)] = number
        return {k: v for k, v in found.items() if v is not None}, infinite

    def _first_faults(self) -> Iterable[str]:
        """What is to be said of the study, which a header cannot say."""
        if self._objection is not None:
            yield self._objection
            self._objection = None
        if self._metric is None and not self._lacking:
            self._lacking = True
            each = ", ".join(f"{n} ({g or 'no direction'})" for n, g in zip(self._objectives, self._goals, strict=True))
            yield f"{len(self._objectives)} objectives and none of them first: {each}; name one with --metric"

    def _lacks(self, metrics: Mapping[str, Any]) -> list[str]:
        if self._metric is None:
            return []
        if self._lacking:
            return [f"has no {self._metric}"]
        self._lacking = True
        return [
            f"has no {self._metric} (numbers here: {', '.join(sorted(metrics)[:12])}); name the metric with --metric"
        ]


def _menu(said: Menu | None, params: Mapping[str, Any]) -> tuple[Menu | None, str | None]:
    """What the samplers drew from as a menu, and why there is none."""
    if said is not None or not params:
        return said, None
    try:
        return menus.parse({"knobs": {name: knob(mapping(d)) for name, d in params.items()}}, "its distributions"), None
    except (MenuError, OverflowError) as e:
        return None, f"no menu can be made of its distributions: {e}"


def knob(distribution: Mapping[str, Any]) -> dict[str, Any]:
    """A distribution as a menu declares a knob. Few steps are choices: ten bins would hold more than there is."""
    name, has = str(distribution.get("name")), mapping(distribution.get("attributes"))
    if isinstance(choices := has.get("choices"), list) and choices:
        return _chosen(choices)
    low, high, step = has.get("low"), has.get("high"), has.get("step") or has.get("q")
    whole = name.startswith("Int")
    kind = "int" if whole else "float"
    if not _is_number(low) or not _is_number(high):
        return {"type": kind}
    if low == high:
        return {"type": kind, "choices": [low]}
    log = has.get("log") is True or "LogUniform" in name
    step = step or (1 if whole else None)
    if _is_number(step) and step > 0 and not log and (high - low) / step < MOST_CHOICES:
        values = [low + i * step for i in range(int((high - low) / step + 1e-9) + 1)]
        return {"type": kind, "choices": values}
    return {"type": kind, "range": [low, high], "scale": "log" if log else "linear"}


def _chosen(choices: list[Any]) -> dict[str, Any]:
    """Choices of one type as they are; of several, as texts, as the menu knows no others."""
    kinds = {type(c) for c in choices}
    for kind, types in (("bool", {bool}), ("int", {int}), ("float", {int, float}), ("str", {str}), ("list", {list})):
        if kinds <= types:
            return {"type": kind, "choices": choices}
    return {"type": "str", "choices": list(map(_spelt, choices))}


def _spelt(choice: object) -> str:
    """A choice as a text, where others are of other types: `true` is not the text "true"."""
    if isinstance(choice, str) and choice not in ("true", "false", "null") and choice[:1] not in '-0123456789["{':
        return choice
    return json.dumps(choice)


def _is_mixed(distribution: Mapping[str, Any]) -> bool:
    choices = mapping(distribution.get("attributes")).get("choices")
    return isinstance(choices, list) and _chosen(choices)["choices"] is not choices


def _is_number(x: object) -> TypeGuard[int | float]:
    return is_number(x)


def _between(begun: str | None, ended: str | None) -> float | None:
    """Seconds between two times of one kind, to the microsecond; None where a clock went backwards."""
    try:
        took = (datetime.fromisoformat(ended or "") - datetime.fromisoformat(begun or "")).total_seconds()
    except (ValueError, TypeError, OverflowError):
        return None
    return took if took >= 0 else None


def _float(x: object) -> float | None:
    try:
        return float(x)  # type: ignore[arg-type]  # is_number was asked
    except OverflowError:
        return None
