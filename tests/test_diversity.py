"""Effective numbers, held to published figures and to each other.

Planted and seen to fail: eigenvalues not divided by their sum, a kernel that forgets the knob, weights to the power a-1
of rows instead of labels, a cap that is not shared out again.
"""

from __future__ import annotations

import math
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trajscope.corpus import diversity
from trajscope.menu import parse
from trajscope.pair import Pair

MENU = parse(
    {
        "knobs": {
            "lr": {"type": "float", "range": [0.0, 1.0]},
            "n": {"type": "int", "range": [0, 10]},
            "act": {"choices": ["relu", "gelu"]},
        }
    }
)
# How often the amnesiac proposed each of its fourteen pairs, and kept each of three.
PROPOSED = Counter(dict(zip("abcdefghijklmn", (10, 7, 6, 6, 6, 3, 3, 2, 2, 1, 1, 1, 1, 1), strict=True)))
KEPT = Counter({"a": 6, "b": 1, "c": 1})
counts = st.dictionaries(st.sampled_from("abcdef"), st.integers(1, 9), min_size=1)


def pairs(*labels: str) -> dict[str, Pair]:
    """One pair for each label, all different."""
    return {label: MENU.pair({"n": i}) for i, label in enumerate(sorted(labels))}


@pytest.mark.parametrize(
    ("held", "q", "published"),
    [(PROPOSED, 0, 14), (PROPOSED, 1, 10.4517), (PROPOSED, 2, 8.6806), (KEPT, 1, 2.087), (KEPT, 2, 1.684)],
)
def test_the_effective_numbers_of_the_amnesiac_are_the_published_ones(
    held: Counter[str], q: float, published: float
) -> None:
    assert diversity.hill(held, q) == pytest.approx(published, abs=5e-4)


def test_of_nothing_there_is_no_number_and_of_one_there_is_one() -> None:
    assert diversity.hill({}) is None
    assert diversity.vendi({}, {}, diversity.exact) is None
    assert diversity.hill({"a": 3}) == 1.0


@given(counts, st.sampled_from([1.0, 2.0]))
def test_with_a_kernel_of_zero_and_one_vendi_is_hill(held: dict[str, int], q: float) -> None:
    assert diversity.vendi(held, pairs(*held), diversity.exact, q) == pytest.approx(diversity.hill(held, q))
    own = diversity.vendi(held, pairs(*held), lambda a, b: float(a.label == b.label), q)  # by its eigenvalues
    assert own == pytest.approx(diversity.hill(held, q))


@given(counts)
def test_likeness_only_ever_lowers_the_number_of_kinds(held: dict[str, int]) -> None:
    near, exact = (diversity.vendi(held, pairs(*held), k) for k in (diversity.near, diversity.exact))
    assert near is not None
    assert exact is not None
    assert 1 - 1e-9 <= near <= exact + 1e-9


def test_two_values_of_one_knob_are_alike_by_how_near_they_stand() -> None:
    a, b, far = (MENU.pair({"lr": x}) for x in (0.1, 0.2, 0.9))
    assert diversity.near(a, b) == pytest.approx(math.exp(-1))
    assert diversity.near(a, far) == pytest.approx(math.exp(-8))
    assert diversity.near(a, MENU.pair({"n": 1})) == 0.0
    assert diversity.near(MENU.pair({"act": "relu"}), MENU.pair({"act": "gelu"})) == 0.0
    assert diversity.near(MENU.pair({"lr": 0.1, "n": 3}), MENU.pair({"lr": 0.2, "n": 3})) == pytest.approx(math.exp(-1))


@given(counts, st.sampled_from([0.0, 0.5, 1.0]), st.sampled_from([0.2, 0.5, 1.0]))
def test_weights_are_shares_that_keep_to_their_cap(held: dict[str, int], a: float, cap: float) -> None:
    found = diversity.weights(held, a, cap)
    assert sum(found.values()) == pytest.approx(1.0)
    assert max(found.values()) <= max(cap, 1 / len(held)) + 1e-9


def test_no_weights_make_more_kinds_than_there_are() -> None:
    assert diversity.weights(KEPT, 0.0) == pytest.approx(dict.fromkeys("abc", 1 / 3))
    assert diversity.weights(KEPT, 1.0) == pytest.approx({"a": 0.75, "b": 0.125, "c": 0.125})
    # n^.5 of 6, 1, 1 is 2.449, 1, 1
    assert diversity.weights(KEPT, 0.5)["a"] == pytest.approx(2.44949 / 4.44949, abs=1e-5)
    assert diversity.weights(KEPT, 1.0, 0.5) == pytest.approx({"a": 0.5, "b": 0.25, "c": 0.25})


def test_weights_cost_rows() -> None:
    held = list(KEPT.values())
    assert diversity.effective_rows(held, diversity.shares(held, 1.0)) == pytest.approx(8)
    # a third on each label: (1/3)^2 / 6 + 2 (1/3)^2 = .24074
    assert diversity.effective_rows(held, diversity.shares(held, 0.0)) == pytest.approx(1 / 0.240741, abs=1e-4)


def test_two_sides_are_apart_by_half_of_what_differs() -> None:
    assert diversity.apart({"a": 5}, {"a": 1, "b": 1, "c": 1}) == pytest.approx(2 / 3)  # the amnesiac's keeps
    assert diversity.apart({"a": 1}, {"b": 1}) == 1.0
    assert diversity.apart({"a": 2, "b": 2}, {"a": 1, "b": 1}) == 0.0
    assert diversity.apart({}, {"a": 1}) is None
