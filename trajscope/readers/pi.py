"""Reads pi-autoresearch: JSON lines of `config`, runs and hooks (`autoresearch.jsonl`, `.auto/log.jsonl`).

A config line between results begins a run of its own: its metric and its direction may be others. The commit of a
discard is that of its parent, and `run` repeats when a session is started again, so neither names a trial.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Any, ClassVar

import msgspec

from trajscope.layout import Layout
from trajscope.readers import Source
from trajscope.readers.cells import numeric, when_ms
from trajscope.readers.fields import head_objects, mapping, record, text, unreadable
from trajscope.readers.objects import at
from trajscope.readers.rows import Get, Rows
from trajscope.readers.specs import goal
from trajscope.trial import SCORED, Event, Header, Item, Line, Measure, Trial

_BESIDE = ("confidence", "iterationTokens")  # numbers that stand beside the metrics
# What an agent puts among its free remarks and means by it what it changed.
_KNOB, _VALUE = ("knob", "param", "parameter"), ("value", "new_value")
_CHANGES = ("changes", "knobs", "params", "overrides", "env_overrides")


class Pi:
    """One log of pi-autoresearch."""

    name: ClassVar[str] = "pi"
    about: ClassVar[str] = "pi-autoresearch: JSON lines of config, runs (metric, status, description) and hooks"
    layout: Layout | None = None

    def __init__(self, source: Source) -> None:
        self._source = source
        self.statuses: Counter[tuple[str, str]] = Counter()
        self._config: Mapping[str, Any] = {}
        self._rows: Rows | None = None
        self._begun = 0  # runs
        self._lower = self._measured = False  # less is better; something was measured in this run

    @classmethod
    def sniff(cls, head: bytes) -> bool:
        """Whether it holds a config line with a metric's name, or runs as pi-autoresearch writes them."""
        return any(_is_config(o) or _is_result(o) for o in head_objects(head))

    @classmethod
    def why(cls, head: bytes) -> str:
        """What of it gave the format away."""
        if any(_is_config(o) for o in head_objects(head)):
            return "it has a line of type config with metricName"
        return "its lines have run, metric, status and description"

    def feed(self, line: Line) -> Iterable[Item]:
        """The items of one line."""
        row = record(line)
        if isinstance(row, str):
            return unreadable(line, row)
        kind = row.get("type")
        if kind == "config":
            return self._configured(line, row)
        if kind in (None, "run") and ("metric" in row or "status" in row):
            return self._result(line, row)
        if isinstance(kind, str):
            event = Event(seq=line.seq, kind=kind[:40] or "note", data=row, time_ms=when_ms(row.get("timestamp")))
            return (event,) if self._begun else (self._begin(), event)
        return unreadable(line, "is no config, run or hook")

    # --- runs ---------------------------------------------------------------------------------------------------

    def _configured(self, line: Line, row: dict[str, Any]) -> Iterable[Item]:
        """A config line: the first is the header at once, a later one when its first result comes, if one does."""
        self._config, self._rows = row, None
        if not self._begun:
            return (self._begin(),)
        return (Event(seq=line.seq, kind="config", data=row, time_ms=when_ms(row.get("timestamp"))),)

    def _begin(self) -> Header:
        """The next run, measured as the last config line says."""
        self._begun += 1
        said, named = self._config, text(self._config.get("metricName"))
        direction = goal(said.get("bestDirection"))
        if named and direction is None:
            direction = "minimize"  # what its own tools take where a config leaves it out
        found = Layout(
            reader="pi",
            id="run",
            commit="commit",
            metric=named or "metric",
            goal=direction,
            status="status",
            description="description",
            knob="asi",
            time="timestamp",
            usd="cost",
        )
        about = {k: v for k in ("name", "metricFormula") if (v := text(said.get(k)))}
        self._rows = rows = Rows(self._source, found, self._bind(named), has_keeps=True, run=self._begun, about=about)
        rows.statuses = self.statuses
        same = self.layout is None or (self.layout.metric, self.layout.goal) == (rows.layout.metric, rows.layout.goal)
        # A map of a file with two rulers leaves the ruler to the file.
        self.layout = rows.layout if same else msgspec.structs.replace(rows.layout, metric=None, goal=None)
        header = rows.begin()
        header.unit = text(said.get("metricUnit")) if rows.metric == found.metric else None
        self._lower, self._measured = rows.goal == "minimize", False
        return header

    def _bind(self, named: str | None) -> Callable[[str], Get]:
        """A metric is written under `metric` and called by the name that the config gave it; others in `metrics`."""
        special = {"metric": self._metric, "asi": _changed, "description": _description, "cost": _usd}

        def bind(name: str) -> Get:
            if name == named:
                return self._metric
            if name in special:
                return special[name]
            direct = at(name)

            def get(row: Any) -> Any:
                inner = row.get("metrics")
                return inner[name] if isinstance(inner, dict) and name in inner else direct(row)

            return get

        return bind

    def _metric(self, row: Any) -> Any:
        """The metric of a result. Where nothing was measured its writer puts 0, which no lower value could beat."""
        value = row.get("metric")
        if value == 0 and self._lower and not self._measured and not any(_numbers(row.get("metrics")).values()):
            return None
        return value

    # --- one result ---------------------------------------------------------------------------------------------

    def _result(self, line: Line, row: dict[str, Any]) -> Iterable[Item]:
        begun: tuple[Item, ...] = (self._begin(),) if self._rows is None else ()
        rows = self._rows
        assert rows is not None
        numbers = {**_numbers(row.get("metrics")), **_numbers({k: row.get(k) for k in _BESIDE})}
        rows.measured.update(numbers)
        zero = row.get("metric") == 0 and self._metric(row) is None
        return (*begun, *(self._with(item, numbers, zero) for item in rows.read(line, row)))

    def _with(self, item: Item, numbers: dict[str, float], zero: bool) -> Item:
        """The item with every other number, since a later result may hold one that no earlier did."""
        if isinstance(item, Trial):
            if zero and item.status in SCORED:
                item.faults = ("its metric is 0 before anything was measured: taken as missing",)
            item.metrics = numbers or None
            self._measured = self._measured or (item.value is not None and item.status in SCORED)
        elif isinstance(item, Measure):
            self._measured = self._measured or item.value is not None
            item = msgspec.structs.replace(item, metrics=numbers or None)
        return item


def _numbers(said: object) -> dict[str, float]:
    return {k: x for k, v in mapping(said).items() if (x := numeric(v)) is not None}


def _changed(row: Any) -> Any:
    """What was changed, where an agent's free remarks say it as a knob and its value; any other remark is prose."""
    asi = mapping(row.get("asi"))
    changes = next((x for k in _CHANGES if isinstance(x := asi.get(k), dict) and x), None)
    if changes is not None:
        return changes
    knob = next((x for k in _KNOB if (x := text(asi.get(k)))), None)
    new = next((asi[k] for k in _VALUE if k in asi), None)
    return None if knob is None or new is None or isinstance(new, dict | list) else {knob: new}


def _description(row: Any) -> Any:
    return text(row.get("description")) or mapping(row.get("asi")).get("hypothesis")


def _usd(row: Any) -> Any:
    cost = row.get("cost")
    return next((cost[k] for k in ("usd", "total") if k in cost), None) if isinstance(cost, dict) else cost


def _is_config(row: Mapping[str, Any]) -> bool:
    return row.get("type") == "config" and "metricName" in row


def _is_result(row: Mapping[str, Any]) -> bool:
    wants = ("run", "metric", "status", "description")
    return all(k in row for k in wants) and not isinstance(row["metric"], dict) and row.get("type") in (None, "run")
