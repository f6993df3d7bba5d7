"""Reads the campaigns of a biology research loop: its table, and its list of records unfolded to one a line.

The metrics stand in one cell as JSON, the means over seeds; the first of them is taken where nobody names another.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from operator import attrgetter
from typing import Any, ClassVar

from trajscope.layout import Layout
from trajscope.readers.cells import numeric
from trajscope.readers.fields import goal_of, head_objects, loose, unreadable
from trajscope.readers.heads import Head, Heading, columns
from trajscope.readers.purposes import plain
from trajscope.readers.rows import Get
from trajscope.readers.table import Found, Table
from trajscope.trial import Item, Line, Trial

_COLUMNS = frozenset(("experiment_id", "status", "metrics_json"))
_FIELDS = frozenset(("experiment_id", "iteration", "status", "metrics", "num_seeds_total"))
_CELLS = frozenset(("experiment_id", "iteration", "status", "description", "timestamp", "mean_train_seconds"))
_BESIDE = {"p_values": "p", "effect_sizes": "effect"}  # by metric too; what they are called among a trial's metrics


class Campaign(Table):
    """One campaign."""

    name: ClassVar[str] = "campaign"
    about: ClassVar[str] = "a biology campaign: a table with metrics_json and num_seeds, or its records as JSON lines"

    _now: _Row | None = None  # the row that is read
    _records = False  # the file is a list of records, and no table
    _first: _Row | None = None  # the record that a list begins with

    @classmethod
    def sniff(cls, head: bytes) -> bool:
        """By the columns of the table, or the fields of a record."""
        return super().sniff(head) or any(o.keys() >= _FIELDS for o in head_objects(head))

    @classmethod
    def claims(cls, seen: Head) -> bool:
        """By the columns."""
        return columns(seen.heading.names) >= _COLUMNS

    @classmethod
    def why(cls, head: bytes) -> str:  # noqa: ARG003  # one reason for all of them
        """What it is claimed for."""
        return "it holds experiment_id, status and metrics for each experiment, with p values and seeds"

    def feed(self, line: Line) -> Iterable[Item]:
        """The items of one line, a row of the table or a record."""
        self._now = None
        record = line.data.startswith(b"{") and not line.fault
        if not record and self._records and not line.fault:
            return unreadable(line, "no record among records")
        items = self._record(line) if record else super().feed(line)
        if self._now is not None:
            for item in items:
                if type(item) is Trial:
                    item.iter = self._now.iteration
        return items

    def _record(self, line: Line) -> Iterable[Item]:
        """The items of a record that stands on a line of its own."""
        try:
            obj = loose(line.data)
        except ValueError as e:
            return unreadable(line, f"not JSON: {e}")
        if isinstance(obj, dict) and "unfolded" in obj:
            return ()  # what the document was, and no record of it
        if not isinstance(obj, dict) or "experiment_id" not in obj:
            return unreadable(line, "has no experiment_id")
        row = _Row(
            {k: v for k, v in obj.items() if not isinstance(v, dict | list)},
            {f: _numbers(obj.get(f)) for f in ("metrics", *_BESIDE)},
            obj.get("num_seeds_success"),
            obj.get("num_seeds_total"),
        )
        if self._rows is None:
            self._records = self._heading is None
            self._heading = self._heading or Heading(tuple(row.cells), "\t")
            self._first = row
            self._begin([])
        assert self._rows is not None
        self._now, self._last = row, line.seq
        return self._rows.read(line, row)

    def _row(self, cells: list[str]) -> _Row:
        assert self._heading is not None
        self._now = row = self._of(cells)
        return row

    def _of(self, cells: Sequence[str]) -> _Row:
        assert self._heading is not None
        named = dict(zip(map(plain, self._heading.names), cells, strict=False))
        numbers = {f: _numbers(named.get(f"{f}_json", "")) for f in ("metrics", *_BESIDE)}
        good, _, total = named.get("num_seeds", "").partition("/")
        return _Row(named, numbers, numeric(good), numeric(total))

    def _layout(self, first: Sequence[str], about: Mapping[str, str]) -> Found:
        row, self._first = self._first or self._of(first), None
        have = row.cells
        measured = tuple(row.numbers["metrics"])
        metric = self._source.metric or next(iter(measured), None)
        beside = [f"{short}.{m}" for field, short in _BESIDE.items() for m in row.numbers[field] or measured]
        layout = Layout(
            id="experiment_id",
            metric=metric,
            goal=goal_of(metric),
            metrics=(*measured, *beside, "seeds_ok", "seeds"),
            status="status",
            description="description" if "description" in have else None,
            time="timestamp" if "timestamp" in have else None,
            wall_s="mean_train_seconds" if "mean_train_seconds" in have else None,
        )
        unsure = []
        if metric is None:
            unsure.append("the first record holds no metric; name one with --metric")
        elif len(measured) > 1:
            unsure.append(f"{metric} is taken as the metric, the first of {', '.join(measured)}; else say --metric")
        if metric is not None and layout.goal is None:
            unsure.append(f"nothing tells which way {metric} is better; say --goal")
        return Found(layout, tuple(unsure))

    def _bind(self, column: str) -> Get | None:
        if column in ("seeds", "seeds_ok"):
            return attrgetter(column)
        field, name = next(
            ((f, column.removeprefix(f"{short}.")) for f, short in _BESIDE.items() if column.startswith(f"{short}.")),
            ("metrics", column),
        )
        if column in _CELLS:
            return lambda row: row.cells.get(column)
        return lambda row: row.numbers[field].get(name)


class _Row:
    """One experiment, whether it came as cells or as a record."""

    __slots__ = ("cells", "iteration", "numbers", "seeds", "seeds_ok")

    def __init__(self, cells: Mapping[str, Any], numbers: Mapping[str, dict[str, float]], good: Any, all: Any) -> None:
        self.cells, self.numbers, self.seeds_ok, self.seeds = cells, numbers, good, all
        told = numeric(cells.get("iteration"))
        self.iteration = int(told) if told is not None and told.is_integer() else None


def _numbers(held: object) -> dict[str, float]:
    """The numbers of an object, which may be spelt as text; nothing where it is none."""
    if isinstance(held, str):
        try:
            held = loose(held.encode("utf-8", "replace"))
        except ValueError:
            return {}
    return {str(k): x for k, v in held.items() if (x := numeric(v)) is not None} if isinstance(held, dict) else {}
