"""One identity per proposal, however it is spelled.

Faults planted here and seen to fail: labels from Python equality (1 is True), labels that forget quotes, a
`config_hash` from repr, from unsorted keys, without the evaluator, nearness without its bound, one-sided nearness.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import example, given
from strategies import knobs, model, numbers, respelled, values

from trajscope.menu import parse
from trajscope.pair import MAX_DEPTH, MAX_TEXT, NEAR, Neighbours, canon, config_hash, pair

Labeller = Callable[[Any], str]


def label(value: Any) -> str:
    """The label of a value without any menu."""
    return canon("x", value).label


# --- labels: laws ------------------------------------------------------------------------------------------------


def injective(labeller: Labeller, a: Any, b: Any) -> bool:
    """Whether two labels are equal exactly when the values are."""
    return (labeller(a) == labeller(b)) is bool(model(a) == model(b))


@given(values, values)
@example(1, True)
@example(1, 1.0)
@example(1, "1")
@example([1], [True])
@example([[[[[1]]]]], [[[[[1.0]]]]])
@example([[[[[1]]]]], [[[[["1"]]]]])
@example("caf\u00e9", "cafe\u0301")
@example({"a": 1, "b": 2.0}, {"b": 2, "a": 1.0})
@example(float("nan"), "NaN")
@example(None, "null")
@example(0.1 + 0.2, 0.3)
@example(2**64, float(2**64))
def test_labels_are_equal_exactly_when_values_are(a: Any, b: Any) -> None:
    assert injective(label, a, b)


@pytest.mark.parametrize(
    ("faulty", "a", "b"),
    [
        (lambda v: f"x={v}", 1, "1"),  # no quotes
        (lambda v: f"x={v!r}", 1, 1.0),  # Python's spelling
        (lambda v: f"x={float(v)}", 1, True),  # Python's numbers
        (lambda v: f"x={json.dumps(v)}", 0.1 + 0.2, 0.3),  # all digits
        (lambda v: f"x={json.dumps(v)}", "caf\u00e9", "cafe\u0301"),  # no normal form
        (lambda v: f"x={json.dumps(v)}", {"a": 1, "b": 2}, {"b": 2, "a": 1}),  # order of keys
    ],
)
def test_the_law_of_labels_catches_a_labeller_that(faulty: Labeller, a: Any, b: Any) -> None:
    assert not injective(faulty, a, b)
    assert injective(label, a, b)


@given(st.data(), values)
def test_a_value_spelled_otherwise_is_the_same_pair(data: st.DataObject, value: Any) -> None:
    assert canon("x", data.draw(respelled(value))).text == canon("x", value).text


@given(knobs, values)
def test_canon_is_idempotent(knob: str, value: Any) -> None:
    once = canon(knob, value)
    assert canon(once.knob, once.value)._replace(value=None) == once._replace(value=None)


@given(knobs, values, knobs, values)
@example("a=1", 1, "a", "1=1")
@example("a", "b", "a=b", "")
def test_the_label_of_a_change_leads_back_to_its_knob_and_value(k1: str, v1: Any, k2: str, v2: Any) -> None:
    one, two = canon(k1, v1), canon(k2, v2)
    assert (one.label == two.label) == ((one.knob, one.text) == (two.knob, two.text))


@given(st.dictionaries(knobs, values, max_size=3), st.dictionaries(knobs, values, max_size=3))
@example({"a": 1, "b": 2}, {"a=1 + b": 2})
@example({"a": "1 + b=2"}, {"a": 1, "b": 2})
def test_the_label_of_a_pair_leads_back_to_its_changes(one: dict[str, Any], two: dict[str, Any]) -> None:
    a, b = (pair(canon(k, v) for k, v in changes.items()) for changes in (one, two))
    same = {(c.knob, c.text) for c in a.changes} == {(c.knob, c.text) for c in b.changes}
    assert (a.label == b.label) == same


@given(st.lists(st.tuples(knobs, values), min_size=1, max_size=4), st.randoms(use_true_random=False))
def test_neither_order_nor_saying_it_twice_changes_a_pair(changes: list[tuple[str, Any]], random: Any) -> None:
    parts = [canon(k, v) for k, v in changes]
    shuffled = [*parts, parts[0]]
    random.shuffle(shuffled)
    assert pair(shuffled).label == pair(parts).label


def test_an_object_with_nan_in_it_can_stand_beside_itself() -> None:
    twice = pair([canon("x", {"a": math.nan}), canon("x", {"a": math.nan})])
    assert twice.label == 'x={"a":NaN}'


@given(values)
def test_a_label_is_one_line_that_any_file_can_hold(value: Any) -> None:
    found = canon("a\nb", value).label
    assert "\n" not in found
    assert found.encode()


# --- labels: examples --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1, "x=1"),
        (1.0, "x=1"),
        ("1", 'x="1"'),
        (True, "x=true"),
        ("true", 'x="true"'),
        (1e-4, "x=0.0001"),
        (float("0.00010"), "x=0.0001"),
        ("1e-4", 'x="1e-4"'),
        (0.1 + 0.2, "x=0.3"),
        (-0.0, "x=0"),
        (2**53 - 1, "x=9007199254740991"),
        (float(2**53 - 1), "x=9007199254740991"),
        (10**30, "x=1" + "0" * 30),
        (1e30, "x=1e+30"),
        (math.nan, "x=NaN"),
        ("NaN", 'x="NaN"'),
        (-math.inf, "x=-Infinity"),
        (None, "x=null"),
        ("adam", "x=adam"),
        (" adam ", "x=adam"),
        ("", 'x=""'),
        ("a b", 'x="a b"'),
        ("a=b", 'x="a=b"'),
        ("cafe\u0301", "x=caf\u00e9"),
        ("\ud800", 'x="\ufffd"'),
        ([1, 2.0, "a"], 'x=[1,2,"a"]'),
        ((1, 2), "x=[1,2]"),
        ({2, 1}, "x=[1,2]"),
        ({"b": 1, "a": None}, 'x={"a":null,"b":1}'),
        (np.int64(768), "x=768"),
        (np.float64(0.1), "x=0.1"),
        (np.bool_(True), "x=true"),  # the value is the point
        (np.array([1, 2]), "x=[1,2]"),
        (Decimal("1.5"), 'x="1.5"'),
    ],
)
def test_a_value_has_this_label(value: Any, text: str) -> None:
    assert label(value) == text


def test_a_knobs_name_is_quoted_where_it_reads_like_a_label() -> None:
    assert canon("a=b", 1).label == '"a=b"=1'
    assert canon("", 1).label == '""=1'
    assert canon("train.py lr", 1).label == "train.py lr=1"
    assert pair([canon("a", 1), canon("b", 2)]).label == "a=1 + b=2"
    assert pair([canon("a=1 + b", 2)]).label == '"a=1 + b"=2'
    assert pair([canon("a", 1), canon("b", 2)]).knob == "a + b" != pair([canon("a + b", 2)]).knob


def test_a_knobs_name_has_one_spelling() -> None:
    assert canon("cafe\u0301 ", 1) == canon("caf\u00e9", 1)


def test_what_is_deep_or_long_is_known_by_its_hash() -> None:
    deep: Any = 1
    for _ in range(MAX_DEPTH + 1):
        deep = [deep]
    assert "sha256:" in label(deep)
    assert label(deep) != label([deep])
    assert label("a" * MAX_TEXT).startswith("x=sha256:")
    assert label("a" * MAX_TEXT) != label("a" * MAX_TEXT + "b")
    assert label("a" * (MAX_TEXT - 3)) == "x=" + "a" * (MAX_TEXT - 3)


def test_no_depth_and_no_length_makes_identity_fail() -> None:
    deep: Any = 1
    for _ in range(100_000):
        deep = [deep]
    objects: Any = 1
    for _ in range(100_000):
        objects = {"a": objects, "b": 1.0}
    assert label(deep) != label([deep])
    assert label(objects).startswith('x={"a":{"a":')
    assert label(10**100_000) != label(10**100_000 + 1)
    assert label([10**100_000]) != label([10**100_000 + 1])
    assert config_hash({"a": deep, "b": 10**100_000}) != config_hash({"a": [deep], "b": 10**100_000})


# --- by the menu -------------------------------------------------------------------------------------------------

MENU = parse(
    {
        "n": {"type": "int", "range": [0, 10**9], "units": {"k": 1000, "MiB": 2**20}},
        "f": {"type": "float", "range": [-1.0, 1e30], "units": {"%": 0.01}},
        "opt": {"type": "str", "choices": ["Adam", "adam", "SGD"]},
        "on": {"type": "bool", "default": False},
        "betas": {"type": "list", "choices": [[0.9, 0.95], [0.8, 0.9]]},
        "bag": {"type": "list", "set": True, "choices": [["b", "a"], []], "aliases": ["Bag-of"]},
        "rate": {"type": "float", "range": [0.1, 1.0]},
    }
)


@pytest.mark.parametrize(
    ("knob", "value", "text", "fine"),
    [
        ("n", 768, "n=768", True),
        ("n", 768.0, "n=768", True),
        ("n", "768", "n=768", True),
        ("n", "768.0", "n=768", True),
        ("n", " 10k ", "n=10000", True),
        ("n", "1.5 MiB", "n=1572864", True),
        ("n", "10q", "n=10q", False),
        ("n", 768.5, "n=768.5", False),
        ("n", True, "n=true", False),
        ("n", None, "n=null", False),
        ("n", math.nan, "n=NaN", False),
        ("n", 10**40, "n=1" + "0" * 40, False),
        ("f", "1e-4", "f=0.0001", True),
        ("f", "5%", "f=0.05", True),
        ("f", 10**20, "f=1e+20", True),
        ("f", 1e20, "f=1e+20", True),
        ("f", math.inf, "f=Infinity", False),
        ("f", "1e999", "f=Infinity", False),
        ("f", "fast", "f=fast", False),
        ("opt", "Adam", "opt=Adam", True),
        ("opt", "adam", "opt=adam", True),
        ("opt", "ADAM", "opt=ADAM", False),  # it could be either
        ("opt", "sgd", "opt=SGD", True),
        ("opt", " SGD", "opt=SGD", True),
        ("opt", 1, "opt=1", False),
        ("on", "True", "on=true", True),
        ("on", 1, "on=1", False),
        ("betas", [0.9, 0.95], "betas=[0.9,0.95]", True),
        ("betas", [0.95, 0.9], "betas=[0.95,0.9]", False),
        ("betas", "[0.9, 0.95]", 'betas="[0.9, 0.95]"', False),
        ("bag", ["a", "b"], 'bag=["a","b"]', True),
        ("bag", ["b", "a", "b"], 'bag=["a","b"]', True),
        ("BAG_OF", ["b", "a"], 'bag=["a","b"]', True),
        ("RATE", 0.5, "RATE=0.5", True),  # no alias declared, so it is another knob
    ],
)
def test_a_menu_gives_a_value_this_label(knob: str, value: Any, text: str, fine: bool) -> None:  # data
    found = MENU.change(knob, value)
    assert found.label == text
    assert (found.objection is None) == fine
    assert found.known == (knob != "RATE")


@given(st.sampled_from(sorted(MENU.knobs)), values)
def test_canon_by_a_menu_is_idempotent(knob: str, value: Any) -> None:
    once = MENU.change(knob, value)
    again = MENU.change(once.knob, once.value)
    assert again._replace(value=None) == once._replace(value=None)


# --- configurations ----------------------------------------------------------------------------------------------


def hashes(of: Callable[[Mapping[str, Any]], str], a: dict[str, Any], b: dict[str, Any]) -> bool:
    """Whether two configurations share a hash exactly when they are the same."""
    return (of(a) == of(b)) is bool(model(a) == model(b))


@given(st.dictionaries(knobs, values, max_size=3), st.dictionaries(knobs, values, max_size=3))
@example({"a": 1}, {"a": True})
@example({"a": "\ud800"}, {"a": "?"})
def test_a_configuration_is_its_hash(a: dict[str, Any], b: dict[str, Any]) -> None:
    assert hashes(config_hash, a, b)


@given(st.data(), st.dictionaries(knobs, values, max_size=3))
def test_neither_key_order_nor_spelling_changes_a_configurations_hash(data: st.DataObject, config: Any) -> None:
    assert config_hash(data.draw(respelled(config))) == config_hash(config)


@pytest.mark.parametrize(
    ("faulty", "a", "b"),
    [
        (repr, {"a": 1, "b": 2}, {"b": 2, "a": 1}),
        (lambda c: json.dumps(c, sort_keys=True), {"a": 1}, {"a": 1.0}),
        (lambda c: str(sorted((k, float(v)) for k, v in c.items())), {"a": 1}, {"a": True}),
    ],
)
def test_the_law_of_hashes_catches_one_that(faulty: Callable[[Any], str], a: dict[str, Any], b: dict[str, Any]) -> None:
    assert not hashes(faulty, a, b)
    assert hashes(config_hash, a, b)


def test_a_configurations_hash_covers_evaluator_data_and_parent() -> None:
    made = {config_hash({"a": 1}, *which) for which in ((), ("e",), (None, "e"), (None, None, "e"), ("e", "e"))}
    assert len(made) == 5
    assert all(len(h) == 16 and int(h, 16) >= 0 for h in made)


# --- near --------------------------------------------------------------------------------------------------------

NEARBY = parse(
    {
        "lin": {"type": "float", "range": [0.0, 1.0]},
        "log": {"type": "float", "range": [1e-5, 1e-1]},
        "beta": {"type": "float", "range": [0.0, 0.9999], "scale": "one_minus_log"},
        "int": {"type": "int", "range": [0, 100]},
        "opt": {"type": "str", "choices": ["a", "b"]},
    }
)
points = st.fixed_dictionaries(
    {},
    optional={
        "lin": st.sampled_from([0.0, 0.01, 0.02, 0.03, 0.5, 1.0]),
        "log": st.sampled_from([1e-5, 1.1e-5, 1.2e-5, 1.3e-5, 1e-2]),
        "int": st.integers(0, 6),
        "opt": st.sampled_from(["a", "b"]),
    },
)


def is_near(a: dict[str, Any], b: dict[str, Any]) -> bool:
    """Whether b is near when a is all there is."""
    seen = Neighbours()
    seen.add(NEARBY.pair(a))
    return seen.near(NEARBY.pair(b))


@given(points, points)
def test_near_is_symmetric_and_within_its_bound(a: dict[str, Any], b: dict[str, Any]) -> None:
    near = is_near(a, b)
    assert near == is_near(b, a)
    gaps = [
        abs(NEARBY.change(k, a[k]).position - NEARBY.change(k, b[k]).position)  # type: ignore[operator]  # on a range
        for k in a
        if k in b and k != "opt"
    ]
    same_ground = a.keys() == b.keys() and a.get("opt") == b.get("opt") and a != b
    assert near == (same_ground and bool(gaps) and max(gaps) <= NEAR + 1e-12)


@pytest.mark.parametrize(
    ("a", "b", "near"),
    [
        ({"lin": 0.5}, {"lin": 0.52}, True),
        ({"lin": 0.5}, {"lin": 0.5201}, False),
        ({"lin": 0.5}, {"lin": 0.5}, False),  # that is a repeat
        ({"log": 1e-3}, {"log": 1.2e-3}, True),  # 0.02 of four powers of ten is a factor of 1.202
        ({"log": 1e-3}, {"log": 1.21e-3}, False),
        ({"beta": 0.9}, {"beta": 0.91}, True),  # 1 and 1.0458 of 4 powers: 0.0115
        ({"beta": 0.99}, {"beta": 0.995}, False),  # 2 and 2.301: 0.0753
        ({"int": 5}, {"int": 7}, True),
        ({"int": 5}, {"int": 8}, False),
        ({"opt": "a"}, {"opt": "b"}, False),
        ({"lin": 0.5, "opt": "a"}, {"lin": 0.51, "opt": "a"}, True),
        ({"lin": 0.5, "opt": "a"}, {"lin": 0.51, "opt": "b"}, False),
        ({"lin": 0.5, "int": 5}, {"lin": 0.51, "int": 6}, True),
        ({"lin": 0.5, "int": 5}, {"lin": 0.51, "int": 9}, False),
        ({"lin": 0.5}, {"lin": 0.51, "int": 5}, False),
    ],
)
def test_these_are_near_and_these_are_not(a: dict[str, Any], b: dict[str, Any], near: bool) -> None:  # data
    assert is_near(a, b) == near


def test_a_value_the_menu_forbids_has_no_neighbours() -> None:
    assert not is_near({"lin": 5.0}, {"lin": 5.001})


@given(st.lists(st.sampled_from([0.0, 0.01, 0.015, 0.03, 0.5, 0.52, 0.9]), max_size=6), st.sampled_from([0.02, 0.51]))
def test_near_looks_at_every_earlier_proposal(before: list[float], now: float) -> None:
    seen = Neighbours()
    for value in before:
        seen.add(NEARBY.pair({"lin": value}))
    assert seen.near(NEARBY.pair({"lin": now})) == any(0 < abs(v - now) <= NEAR + 1e-12 for v in before)


@given(numbers)
def test_a_number_keeps_twelve_digits(x: float) -> None:
    found = canon("x", x).value
    if math.isfinite(x):
        assert found == x or abs(found - x) <= abs(x) * 1e-11  # type: ignore[operator]  # a number stays one
