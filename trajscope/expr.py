"""Expr: one value of one row, carried in two spellings that the same hand writes: Python and SQL.

Goes one way only: nothing here parses SQL. Comparisons never yield NULL, or the two spellings could disagree.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from operator import attrgetter
from typing import Any

from trajscope.columns import Row


@dataclass(frozen=True, eq=False, slots=True)
class Expr:
    """A value computed from one row."""

    fn: Callable[[Row], Any]
    sql: str

    def _compare(self, other: object, op: str, holds: Callable[[Any, Any], bool]) -> Expr:
        a, b = self, as_expr(other)

        def fn(row: Row) -> bool:
            x, y = a.fn(row), b.fn(row)
            return x is not None and y is not None and holds(x, y)

        return Expr(fn, f"coalesce({a.sql} {op} {b.sql}, false)")

    def __lt__(self, other: object) -> Expr:
        return self._compare(other, "<", lambda x, y: x < y)

    def __gt__(self, other: object) -> Expr:
        return self._compare(other, ">", lambda x, y: x > y)

    def __le__(self, other: object) -> Expr:
        return self._compare(other, "<=", lambda x, y: x <= y)

    def __ge__(self, other: object) -> Expr:
        return self._compare(other, ">=", lambda x, y: x >= y)

    def __eq__(self, other: object) -> Expr:  # type: ignore[override]  # builds an Expr, as its callers expect
        a, b = self, as_expr(other)
        return Expr(lambda row: a.fn(row) == b.fn(row), f"({a.sql} IS NOT DISTINCT FROM {b.sql})")

    def __ne__(self, other: object) -> Expr:  # type: ignore[override]  # as __eq__
        return ~(self == other)

    __hash__ = object.__hash__  # __eq__ builds an Expr, so identity is the only sensible hash

    def __invert__(self) -> Expr:
        return Expr(lambda row: not self.fn(row), f"(NOT {self.sql})")

    def __and__(self, other: Expr) -> Expr:
        return Expr(lambda row: self.fn(row) and other.fn(row), f"({self.sql} AND {other.sql})")

    def __or__(self, other: Expr) -> Expr:
        return Expr(lambda row: self.fn(row) or other.fn(row), f"({self.sql} OR {other.sql})")

    def __bool__(self) -> bool:
        raise TypeError("an expression has no truth of its own: write a & b, a | b, ~a; not and, or, not, a < b < c")

    def __add__(self, other: Expr) -> Expr:
        def fn(row: Row) -> Any:
            x, y = self.fn(row), other.fn(row)
            return None if x is None or y is None else x + y

        return Expr(fn, f"({self.sql} + {other.sql})")


def as_expr(x: object) -> Expr:
    """A constant as an expression."""
    if isinstance(x, Expr):
        return x
    if isinstance(x, bool):
        return Expr(lambda row: x, str(x).lower())
    if isinstance(x, int) or (isinstance(x, float) and math.isfinite(x)):
        return Expr(lambda row: x, repr(x))
    if isinstance(x, str):
        return Expr(lambda row: x, "'" + x.replace("'", "''") + "'")
    raise TypeError(f"{x!r} cannot stand in an expression: use a column, a finite number, a bool or a str")


class _Columns:
    """The columns of a row by name: `c.k > 1`."""

    def __getattr__(self, name: str) -> Expr:
        if name not in Row._fields:
            raise AttributeError(f"a row has no column {name!r}; it has {', '.join(Row._fields)}")
        return Expr(attrgetter(name), name)


c = _Columns()
ALWAYS = as_expr(True)
ONE = as_expr(1)
