"""Fold and Metric: many values boiled down to one, as steps on a live run and as SQL over a table of rows.

SQL yields the fold's *state*; the same `value` finishes both spellings. The laws in tests/test_laws.py hold any
fold to `fold == SQL` and `merge(fold(a), fold(b)) == fold(a + b)`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from trajscope.columns import Row
from trajscope.expr import ALWAYS, ONE, Expr


class Unknown(NamedTuple):
    """A value that cannot be known, and why; it is null in every output, never 0."""

    why: str


@dataclass(frozen=True, slots=True)
class Fold:
    """A way to boil values down. A state is a number, None, or a tuple of numbers."""

    name: str
    zero: Callable[[], Any]
    step: Callable[[Any, Any], Any]
    merge: Callable[[Any, Any], Any]
    value: Callable[[Any], Any]
    sql: tuple[str, ...]  # one aggregate for each part of the state, over {x} and {where}

    def thaw(self, state: Any) -> Any:
        """A state as it was before it was written down."""
        return tuple(state) if isinstance(state, list) else state


def _same(state: Any) -> Any:
    return state


def _pick(best: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    return lambda a, b: b if a is None else a if b is None else best(a, b)


def _add(a: tuple[Any, ...], b: tuple[Any, ...]) -> tuple[Any, ...]:
    return tuple(x + y for x, y in zip(a, b, strict=True))


def _spread(state: tuple[int, float, int], k: int) -> tuple[int, float, int]:
    n, s, w = state
    # Summed over k = 1..m this is m ln m: the counts of all kinds, from occurrence numbers alone.
    return n + 1, s + k * math.log(k) - ((k - 1) * math.log(k - 1) if k > 1 else 0.0), w + k - 1


_F = " FILTER (WHERE {where})"
COUNT = Fold("count", int, lambda s, v: s + 1, lambda a, b: a + b, _same, ("count({x})" + _F,))
TOTAL = Fold(
    "total",
    lambda: (0, 0),
    lambda s, v: (s[0] + 1, s[1] + v),
    _add,
    lambda s: s[1] if s[0] else None,
    ("count({x})" + _F, "coalesce(sum({x})" + _F + ", 0)"),
)
SUM = Fold("sum", int, lambda s, v: s + v, lambda a, b: a + b, _same, ("coalesce(sum({x})" + _F + ", 0)",))
MOST = Fold("most", lambda: None, _pick(max), _pick(max), _same, ("max({x})" + _F,))
LEAST = Fold("least", lambda: None, _pick(min), _pick(min), _same, ("min({x})" + _F,))
LAST = Fold(
    "last", lambda: None, lambda s, v: v, lambda a, b: a if b is None else b, _same, ("arg_max({x}, seq)" + _F,)
)
SPREAD = Fold(
    "spread",
    lambda: (0, 0.0, 0),
    _spread,
    _add,
    lambda s: s if s[0] else None,
    (
        "count({x})" + _F,
        "coalesce(sum({x} * ln({x}) - CASE WHEN {x} > 1 THEN ({x} - 1) * ln({x} - 1) ELSE 0 END)" + _F + ", 0)",
        "coalesce(sum({x} - 1)" + _F + ", 0)",
    ),
)
FOLDS = (COUNT, TOTAL, SUM, MOST, LEAST, LAST, SPREAD)


@dataclass(frozen=True, slots=True)
class Metric:
    """A plain aggregate of columns, declared once. `name` is its path in `analyze --json`."""

    name: str
    doc: str
    fold: Fold
    of: Expr = ONE
    where: Expr = ALWAYS
    unit: str = ""
    none: str = "nothing was recorded"  # why it has no value, when it has none

    @property
    def sql(self) -> tuple[str, ...]:
        """The aggregates that yield its state."""
        where = self.where.sql
        return tuple(
            part.replace(_F, "").format(x=self.of.sql) if where == "true" else part.format(x=self.of.sql, where=where)
            for part in self.fold.sql
        )

    def zero(self) -> Any:
        """The state before any row."""
        return self.fold.zero()

    def step(self, state: Any, row: Row) -> Any:
        """The state after one more row."""
        if not self.where.fn(row):
            return state
        v = self.of.fn(row)
        return state if v is None else self.fold.step(state, v)

    def merge(self, a: Any, b: Any) -> Any:
        """The state of two stretches of rows, the first before the second."""
        return self.fold.merge(a, b)

    def value(self, state: Any) -> Any:
        """The number, or Unknown."""
        v = self.fold.value(state)
        return Unknown(self.none) if v is None else v


@dataclass(frozen=True, slots=True)
class Formula:
    """A number that follows from metrics. An unknown part makes it unknown, for the same reason."""

    name: str
    doc: str
    fn: Callable[..., Any]
    of: tuple[Metric, ...]
    unit: str = ""

    def value(self, values: Mapping[str, Any]) -> Any:
        """The number, or Unknown."""
        parts = [values[m.name] for m in self.of]
        unknown = next((p for p in parts if isinstance(p, Unknown)), None)
        return unknown if unknown is not None else self.fn(*parts)


def states_from(metrics: Sequence[Metric], flat: Sequence[Any]) -> dict[str, Any]:
    """The states of metrics from one row of their SQL, in order."""
    out = {}
    at = 0
    for m in metrics:
        width = len(m.fold.sql)
        part = tuple(flat[at : at + width])
        out[m.name] = part if isinstance(m.zero(), tuple) else part[0]
        at += width
    return out
