"""Expr: two spellings of one value, and mistakes that are told at once."""

from __future__ import annotations

from typing import Any

import duckdb
import pytest

from trajscope.columns import Row
from trajscope.expr import ALWAYS, ONE, Expr, as_expr, c

EMPTY = Row(*[None] * len(Row._fields))  # type: ignore[arg-type]  # only the columns of a test are looked at


def both(e: Expr, **columns: Any) -> tuple[Any, Any]:
    """What Python and what SQL say of one row."""
    row = EMPTY._replace(**columns)
    names = ", ".join(f"{'NULL' if v is None else repr(v)} AS {k}" for k, v in columns.items()) or "1 AS none"
    return e.fn(row), duckdb.connect().execute(f"SELECT {e.sql} FROM (SELECT {names})").fetchall()[0][0]  # noqa: S608


@pytest.mark.parametrize("x", [None, 0, 1, 2])
@pytest.mark.parametrize("y", [None, 0, 1])
def test_a_comparison_is_true_or_false_and_never_null(x: int | None, y: int | None) -> None:
    for e in (c.k < c.gap, c.k <= c.gap, c.k > c.gap, c.k >= c.gap, c.k == c.gap, c.k != c.gap, ~(c.k < c.gap)):
        python, sql = both(e, k=x, gap=y)
        assert python is sql, e.sql
        assert isinstance(sql, bool)


def test_null_equals_null_and_nothing_else() -> None:
    assert both(c.k == c.gap, k=None, gap=None) == (True, True)
    assert both(c.k == 0, k=None) == (False, False)
    assert both(c.k != 0, k=None) == (True, True)


def test_a_sum_with_an_unknown_part_is_unknown() -> None:
    assert both(c.k + c.gap, k=1, gap=2) == (3, 3)
    assert both(c.k + c.gap, k=1, gap=None) == (None, None)


def test_and_binds_as_it_is_written() -> None:
    e = (c.k == 1) & ((c.gap == 2) | (c.gap == 3))
    assert both(e, k=1, gap=3) == (True, True)
    assert both(e, k=2, gap=3) == (False, False)
    assert both(ALWAYS) == (True, True)
    assert both(ONE) == (1, 1)


@pytest.mark.parametrize("text", ["it's", "'; DROP TABLE row; --", "\\", "%", ""])
def test_a_text_is_quoted(text: str) -> None:
    assert both(as_expr(text)) == (text, text)
    assert both(as_expr(text) == text) == (True, True)


@pytest.mark.parametrize("number", [0, -3, 2**40, 0.1, -1.5, 1e-300, 1e300])
def test_a_number_is_the_same_in_both_spellings(number: float) -> None:
    python, sql = both(as_expr(number) == number)
    assert python is sql is True


@pytest.mark.parametrize("nonsense", [None, float("nan"), float("inf"), [], {}, object(), b"x"])
def test_what_cannot_stand_in_an_expression_is_refused(nonsense: object) -> None:
    with pytest.raises(TypeError, match="cannot stand in an expression"):
        as_expr(nonsense)


def test_a_column_that_a_row_does_not_have_is_named() -> None:
    with pytest.raises(AttributeError, match=r"no column 'K'; it has seq, at, iter"):
        c.K  # noqa: B018


@pytest.mark.parametrize("mistake", [lambda: bool(c.k), lambda: c.k and c.gap, lambda: not c.k, lambda: 0 < c.k < 2])
def test_an_expression_has_no_truth_of_its_own(mistake: Any) -> None:
    with pytest.raises(TypeError, match=r"write a & b"):
        mistake()


def test_expressions_can_be_keys() -> None:
    assert len({c.kept, c.kept}) == 2  # by identity: == builds an expression
