"""Configurations against each other.

Faults planted here and seen to fail: seeds counted, a key that is gone left out, Python equality (1 is True), the
order of keys, lists taken apart.
"""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import values

from trajscope.menu import parse
from trajscope.pair import canon, pair
from trajscope.recover import compared, flat

configs = st.dictionaries(st.sampled_from(("lr", "depth", "opt", "seed", "data.x", "")), values, max_size=4)


def label(base: dict[str, Any], ran: dict[str, Any], **more: Any) -> str | None:
    """What differs, as a label."""
    found = compared(base, ran, **more)
    return found.pair.label if found else None


def test_every_key_that_differs_is_a_change_by_its_dotted_path() -> None:
    base = {"lr": 0.1, "opt": {"name": "adam", "betas": [0.9, 0.95]}, "depth": 8}
    ran = {"lr": 0.2, "opt": {"name": "adam", "betas": [0.9, 0.99]}, "width": 64}
    assert label(base, ran) == "depth=null + lr=0.2 + opt.betas=[0.9,0.99] + width=64"


def test_where_nothing_differs_there_is_nothing_which_says_that_it_was_a_no_op() -> None:
    assert compared({"lr": 1, "x": {}}, {"x": {}, "lr": 1.0}) is None


@pytest.mark.parametrize("key", ["seed", "random_state", "data_seed", "random_seed", "run_id", "description", "a.seed"])
def test_seeds_and_remarks_are_no_part_of_a_configuration(key: str) -> None:
    assert compared({key: 1, "lr": 1}, {key: 2, "lr": 1}) is None


def test_keys_that_are_to_be_ignored_are() -> None:
    assert label({"lr": 1, "path": "a"}, {"lr": 2, "path": "b"}, ignore=["path"]) == "lr=2"


@pytest.mark.parametrize(("a", "b"), [(1, True), (1, "1"), (0.1, 0.10001), (None, False)])
def test_values_differ_by_their_one_spelling(a: object, b: object) -> None:
    assert compared({"x": a}, {"x": b}) is not None
    assert compared({"x": a}, {"x": a}) is None


def test_null_is_not_the_same_as_being_left_out() -> None:
    assert label({"x": None}, {}) == "x=null"
    assert label({}, {"x": None}) == "x=null"


def test_cells_of_a_table_are_compared_by_what_they_mean() -> None:
    assert compared({"lr": "0.10"}, {"lr": "0.1"}, provenance="column") is None
    found = compared({"lr": "0.10", "act": "relu"}, {"lr": "2e-1", "act": "gelu"}, provenance="column")
    assert found is not None
    assert (found.pair.label, found.provenance) == ("act=gelu + lr=0.2", "column")


def test_a_menu_names_the_knobs_and_types_their_values() -> None:
    menu = parse({"knobs": {"lr": {"type": "float", "range": [0, 1], "aliases": ["learning_rate"]}}})
    assert label({"opt": {"learning_rate": 0.1}}, {"opt": {"learning_rate": "0.10"}}, menu=menu) is None
    assert label({"opt": {"learning_rate": 0.1}}, {"opt": {"learning_rate": "0.2"}}, menu=menu) == "lr=0.2"
    assert label({"opt.x": 1}, {"opt.x": 2}, menu=menu) == "opt.x=2"


def test_the_more_keys_differ_the_less_sure_it_is_what_was_tried() -> None:
    sure = [compared({}, {f"k{i}": i for i in range(n)}) for n in (1, 2, 4, 6, 40)]
    assert [f.confidence for f in sure if f] == [0.95, 0.9, 0.8, 0.5, 0.3]


@given(configs, configs)
def test_what_is_found_stands_and_leads_from_one_to_the_other(base: dict[str, Any], ran: dict[str, Any]) -> None:
    found = compared(base, ran)
    assert compared(base, base) is None
    assert (found is None) == (compared(ran, base) is None)
    if found is None:
        return
    assert pair(canon(c.knob, json.loads(c.text)) for c in found.pair.changes).label == found.pair.label
    assert {c.knob for c in found.pair.changes} <= {canon(k, 0).knob for k in (*flat(base), *flat(ran))}


def test_a_configuration_however_deep_is_compared() -> None:
    deep: dict[str, Any] = {"x": 1}
    for _ in range(300):
        deep = {"a": deep}
    other = json.loads(json.dumps(deep).replace("1", "2"))
    assert compared(deep, other) is not None
    assert compared(deep, deep) is None
