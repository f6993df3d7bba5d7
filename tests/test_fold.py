"""Fold and Metric by hand: what each state is, and what it says of nothing."""

from __future__ import annotations

import math
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trajscope.expr import c
from trajscope.fold import COUNT, LAST, LEAST, MOST, SPREAD, SUM, TOTAL, Fold, Formula, Metric, Unknown, states_from
from trajscope.metrics import FORMULAS, HIDDEN, METRICS, finish


def state(fold: Fold, values: list[int]) -> object:
    s = fold.zero()
    for v in values:
        s = fold.step(s, v)
    return s


@pytest.mark.parametrize(
    ("fold", "value"), [(COUNT, 3), (TOTAL, 6), (SUM, 6), (MOST, 3), (LEAST, 1), (LAST, 2)], ids=lambda x: str(x)[:24]
)
def test_a_fold_of_three_values(fold: Fold, value: int) -> None:
    assert fold.value(state(fold, [3, 1, 2])) == value


def test_a_fold_of_nothing_is_nothing_but_for_counts() -> None:
    assert [f.value(f.zero()) for f in (COUNT, SUM)] == [0, 0]
    assert [f.value(f.zero()) for f in (TOTAL, MOST, LEAST, LAST, SPREAD)] == [None] * 5


def test_a_total_of_zeros_is_zero_and_not_nothing() -> None:
    assert TOTAL.value(state(TOTAL, [0, 0])) == 0


def test_a_metric_without_a_value_says_why() -> None:
    m = Metric("m", "", MOST, c.gap, none="no repeat")
    assert m.value(m.zero()) == Unknown("no repeat")


@given(st.lists(st.sampled_from("abcd"), min_size=1, max_size=12))
def test_occurrence_numbers_alone_tell_entropy_and_simpson(names: list[str]) -> None:
    seen: Counter[str] = Counter()
    s = SPREAD.zero()
    for name in names:
        seen[name] += 1
        s = SPREAD.step(s, seen[name])
    n = len(names)
    values = {f.name: f.fn(s) for f in FORMULAS if f.name.startswith("diversity.pairs.")}
    shannon = -sum(m / n * math.log(m / n) for m in seen.values())
    assert values["diversity.pairs.shannon"] == pytest.approx(shannon, abs=1e-12)
    assert values["diversity.pairs.effective"] == pytest.approx(math.exp(shannon))
    assert values["diversity.pairs.simpson_effective"] == pytest.approx(1 / sum((m / n) ** 2 for m in seen.values()))
    same = sum(m * (m - 1) for m in seen.values())
    want = same / (n * (n - 1)) if n > 1 else Unknown("n=1 < 2")
    assert values["diversity.pairs.simpson_unbiased"] == (pytest.approx(want) if n > 1 else want)


def test_a_formula_is_unknown_for_the_reason_of_its_first_unknown_part() -> None:
    a, b = Metric("a", "", MOST, none="no a"), Metric("b", "", MOST, none="no b")
    f = Formula("f", "", lambda x, y: x / y, (a, b))
    assert f.value({"a": 1, "b": 4}) == 0.25
    assert f.value({"a": 1, "b": Unknown("no b")}) == Unknown("no b")
    assert f.value({"a": Unknown("no a"), "b": Unknown("no b")}) == Unknown("no a")


def test_states_come_back_from_one_flat_row_in_order() -> None:
    some = (Metric("a", "", COUNT), Metric("b", "", SPREAD, c.k), Metric("c", "", MOST, c.k))
    assert states_from(some, (4, 2, 1.5, 3, None)) == {"a": 4, "b": (2, 1.5, 3), "c": None}


def test_a_state_that_was_written_down_is_a_tuple_again() -> None:
    assert SPREAD.thaw([1, 0.0, 0]) == (1, 0.0, 0)
    assert MOST.thaw(None) is None


def test_the_metrics_of_no_trials_are_counts_of_zero_and_reasons() -> None:
    values = finish({m.name: m.zero() for m in METRICS})
    numbers = {k for k, x in values.items() if not isinstance(x, Unknown)}
    counts = {m.name for m in METRICS if m.fold is COUNT} - HIDDEN
    assert numbers == counts | {"pairs.singletons"}
    assert all(values[k] == 0 for k in numbers)


def test_every_metric_has_a_name_of_its_own_and_a_sentence() -> None:
    docs = [(m.name, m.doc) for m in METRICS] + [(f.name, f.doc) for f in FORMULAS]
    assert len({name for name, _ in docs}) == len(docs)
    assert all(doc.endswith(".") for _, doc in docs)
