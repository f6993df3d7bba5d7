"""What may be proposed: cells, scales, aliases, and every way in which a menu contradicts itself.

Faults planted here and seen to fail: each row of `CONTRADICTIONS` is one; `sound` is the same menu without it.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import given
from strategies import values

from trajscope.errors import MenuError
from trajscope.knob import SCALES, Knob
from trajscope.menu import load, parse

# A menu of a small transformer, as a real loop declared it.
THIRTEEN: dict[str, Any] = {
    "n_layer": {"type": "int", "range": [4, 48], "default": 24},
    "n_head": {"type": "int", "choices": [4, 8, 16, 32], "default": 16},
    "d_model": {"type": "int", "choices": [256, 512, 768, 1024, 1536, 2048], "default": 1024},
    "d_ff": {"type": "int", "choices": [1024, 2048, 4096, 6144, 8192], "default": 4096},
    "lr": {"type": "float", "range": [1e-5, 1e-2], "default": 3e-4},
    "lr_warmup": {"type": "int", "range": [0, 50], "default": 5},
    "grad_clip": {"type": "float", "range": [0.1, 5.0], "default": 1.0},
    "weight_decay": {"type": "float", "range": [0.0, 0.3], "default": 0.0},
    "beta1": {"type": "float", "range": [0.8, 0.98], "default": 0.9},
    "beta2": {"type": "float", "range": [0.9, 0.999], "default": 0.95},
    "batch_size": {"type": "int", "choices": [2, 4, 8], "default": 4},
    "seq_len": {"type": "int", "choices": [512, 1024, 2048, 4096], "default": 1024},
    "precision": {"type": "str", "choices": ["bf16", "fp8"], "default": "bf16"},
}


# --- cells -------------------------------------------------------------------------------------------------------


def test_a_menu_of_thirteen_knobs_has_94_cells_and_88_without_discrete_defaults() -> None:
    # Choices: 4 + 6 + 5 + 3 + 4 + 2 = 24. Seven ranges in ten bins: 70. Six choices are defaults.
    menu = parse({"knobs": THIRTEEN})
    assert sum(k.size for k in menu.knobs.values()) == 94
    assert menu.cells == 88
    bare = parse(
        {"knobs": {name: {k: v for k, v in spec.items() if k != "default"} for name, spec in THIRTEEN.items()}}
    )
    assert bare.cells == 94


def test_a_default_of_a_range_is_no_cell_of_its_own() -> None:
    menu = parse(
        {
            "a": {"range": [0.0, 1.0], "default": 0.5},
            "b": {"choices": [1, 2], "default": 1},
            "c": {"type": "bool", "default": True},
        }
    )
    assert menu.cells == 10 + 1 + 1


def test_a_knob_without_choices_or_range_leaves_the_cells_unknown() -> None:
    assert parse({"a": {"type": "str"}, "b": {"choices": [1]}}).cells is None


@pytest.mark.parametrize(
    ("spec", "size"),
    [
        ({"range": [0.0, 1.0]}, 10),
        ({"range": [0.0, 1.0], "bins": 3}, 3),
        ({"type": "int", "range": [0, 50]}, 10),
        ({"type": "int", "range": [1, 4]}, 4),
        ({"type": "int", "range": [1, 4], "bins": 2}, 2),
        ({"choices": ["a", "b"]}, 2),
        ({"type": "bool"}, 2),
        ({"type": "float"}, 0),
    ],
)
def test_a_knob_has_this_many_cells(spec: dict[str, Any], size: int) -> None:
    assert parse({"k": spec}).knobs["k"].size == size


ranges = st.sampled_from(
    [
        {"type": "float", "range": [0.0, 1.0]},
        {"type": "float", "range": [-3.0, 5.0], "bins": 7},
        {"type": "float", "range": [1e-5, 1e-2]},
        {"type": "float", "range": [0.0, 1.0], "scale": "log"},
        {"type": "float", "range": [0.0, 1.0], "scale": "log", "bins": 1},
        {"type": "float", "range": [0.0, 0.9999], "scale": "one_minus_log"},
        {"type": "int", "range": [0, 50]},
        {"type": "int", "range": [1, 4]},
        {"type": "int", "range": [1, 1024]},
        {"type": "int", "range": [0, 3], "scale": "log"},
    ]
)


@given(ranges, st.floats(0, 1), st.floats(0, 1))
def test_cells_partition_the_range_in_order(spec: dict[str, Any], u: float, v: float) -> None:
    knob = parse({"k": spec}).knobs["k"]
    lo, hi = spec["range"]
    a, b = sorted(min(hi, lo + x * (hi - lo)) for x in (u, v))
    if spec["type"] == "int":
        a, b = round(a), round(b)
    cells = [int(str(knob.cell(x)).removeprefix("k#")) for x in (lo, a, b, hi)]
    assert cells == sorted(cells)
    assert (cells[0], cells[-1]) == (0, knob.size - 1)
    places = [knob.position(x) for x in (lo, a, b, hi)]
    assert places[0] == 0.0
    assert places == sorted(places, key=float)  # type: ignore[arg-type]  # a number of a range has a place
    assert places[3] == pytest.approx(1.0)


@given(ranges)
def test_every_cell_can_be_reached(spec: dict[str, Any]) -> None:
    knob = parse({"k": spec}).knobs["k"]
    lo, hi = spec["range"]
    if spec["type"] == "int":
        tried: list[float] = list(range(lo, hi + 1))
    else:
        tried = [lo + (hi - lo) * i / 1000 for i in range(1001)] + [hi * 10 ** (-i / 100) for i in range(600)]
        tried += [1 - 10 ** (-i / 100) for i in range(400)]
    found = {knob.cell(x) for x in tried if lo <= x <= hi}
    if not (spec["type"] == "int" and "scale" in spec) and spec["range"] != [
        1,
        1024,
    ]:  # whole numbers leave log bins empty
        assert len(found) == knob.size
    assert len(found) <= knob.size


def test_zero_has_a_bin_of_its_own_on_a_declared_log_scale() -> None:
    knob = parse({"wd": {"range": [0.0, 1.0], "scale": "log"}}).knobs["wd"]
    # Nine bins over the four powers of ten from 1e-4 to 1, and one below for zero.
    assert knob.cell(0.0) == "wd#0"
    assert knob.cell(1e-4) == "wd#1"
    assert knob.cell(10 ** (-4 + 4 / 9 * 1.5)) == "wd#2"
    assert knob.cell(1.0) == "wd#9"
    assert knob.position(0.0) == 0.0
    assert knob.position(1e-4) == pytest.approx(0.1)


def test_a_range_over_two_powers_of_ten_is_looked_at_on_a_log_scale() -> None:
    assert parse({"lr": {"range": [1e-4, 1e-2]}}).knobs["lr"].scale == "log"
    assert parse({"lr": {"range": [1e-4, 0.99e-2]}}).knobs["lr"].scale == "linear"
    assert parse({"wd": {"range": [0.0, 100.0]}}).knobs["wd"].scale == "linear"
    # 2e-4 and 3e-4 of the three powers from 1e-5 to 1e-2: .4337 and .4924, one bin.
    lr = parse({"lr": {"range": [1e-5, 1e-2]}}).knobs["lr"]
    assert lr.cell(2e-4) == lr.cell(3e-4) == "lr#4"


def test_one_minus_log_spreads_what_is_close_to_one() -> None:
    beta = parse({"b": {"range": [0.9, 0.9999], "scale": "one_minus_log"}}).knobs["b"]
    assert beta.position(0.9) == 0.0
    assert beta.position(0.99) == pytest.approx(1 / 3)
    assert beta.position(0.999) == pytest.approx(2 / 3)
    assert beta.position(0.9999) == pytest.approx(1.0)


# --- names -------------------------------------------------------------------------------------------------------


def test_a_knob_is_found_by_its_name_or_a_declared_alias_only() -> None:
    menu = parse(
        {
            "learning_rate": {"range": [0.0, 1.0], "aliases": ["lr"]},
            "depth": {"choices": [1, 2]},
            "caf\u00e9": {"choices": [1]},
        }
    )

    def name(said: str) -> str | None:
        knob = menu.find(said)
        return knob.name if knob else None

    assert [name(x) for x in ("learning_rate", "lr", "LR", "Learning-Rate", "learning.rate", " lr ")] == [
        "learning_rate"
    ] * 6
    assert [name(x) for x in ("depth", " depth", "Depth", "DEPTH", "n_layer", "")] == [
        "depth",
        "depth",
        None,
        None,
        None,
        None,
    ]
    assert name("cafe\u0301") == "caf\u00e9"


def test_a_knob_outside_the_menu_keeps_its_name_and_is_marked() -> None:
    found = parse({"a": {"choices": [1]}}).change("B", 5.0)
    assert (found.label, found.known, found.objection) == ("B=5", False, None)


def test_families_are_declared_or_guessed_from_the_name() -> None:
    menu = parse(
        {
            "knobs": {
                "lr": {"type": "float"},
                "d_model": {"type": "int"},
                "zeal": {"type": "int"},
                "x": {"type": "int", "family": "own"},
            },
            "families": {"mine": ["zeal"]},
        }
    )
    assert [k.family for k in menu.knobs.values()] == ["optimiser", "capacity", "mine", "own"]


# --- contradictions ----------------------------------------------------------------------------------------------

DEEP: Any = []
for _ in range(100):
    DEEP = [DEEP]

CONTRADICTIONS: list[tuple[Any, str]] = [
    ([], "a menu is an object with a `knobs` object"),
    (5, "a menu is an object with a `knobs` object"),
    ({}, "no knobs"),
    ({"knobs": {}}, "no knobs"),
    ({"knobs": 5}, "no knobs"),
    ({"knobs": [{"type": "int"}]}, "knob 1 of the list has no name of its own; give each one a `name`"),
    ({"knobs": [{"name": "a", "type": "int"}, {"name": "a", "type": "int"}]}, "knob 2 of the list has no name"),
    ({"knobs": [{"name": ["a"]}]}, "knob 1 of the list has no name"),
    ({"knobs": [5]}, "knob 1 of the list has no name"),
    ({"knobs": {"": {"type": "int"}}}, "stands twice or has no name"),
    ({"knobs": {"a": {"type": "int"}, "a ": {"type": "int"}}}, "knob a: stands twice or has no name"),
    ({"knobs": {"a": 5}}, "knob a: must be an object with type and choices or range"),
    ({"knobs": {"a\nb": 5}}, r"knob 'a\nb': must be an object"),
    ({"a": {}}, "knob a: type 'missing' is unknown; use one of int, float, str, bool, list, code"),
    ({"a": {"type": "intt"}}, "knob a: type 'intt' is unknown; use one of"),
    ({"a": {"type": []}}, "knob a: type 'missing' is unknown; use one of"),
    ({"a": {"type": [1]}}, "knob a: type '[1]' is unknown; use one of"),
    ({"a": {"type": {"x": 1}}}, "is unknown; use one of"),
    ({"a": {"choices": [1, "x"]}}, "is unknown; use one of"),
    ({"a": {"choices": []}}, "knob a: choices must be a list of at least one value"),
    ({"a": {"choices": "abc"}}, "knob a: choices must be a list"),
    ({"a": {"choices": [1], "range": [0, 1]}}, "knob a: has both choices and a range; keep one"),
    ({"a": {"type": "int", "choices": [1, "two"]}}, 'knob a: choice "two" contradicts its type (a takes an integer)'),
    ({"a": {"type": "int", "choices": [True]}}, "knob a: choice true contradicts its type"),
    ({"a": {"type": "float", "choices": [math.nan]}}, "knob a: choice NaN contradicts its type"),
    ({"a": {"type": "bool", "choices": [0, 1]}}, "knob a: choice 0 contradicts its type (a takes true or false)"),
    ({"a": {"type": "int", "choices": [1, 1.0]}}, "knob a: lists a choice twice"),
    ({"a": {"choices": ["caf\u00e9", "cafe\u0301"]}}, "knob a: lists a choice twice"),
    ({"a": {"type": "list", "set": True, "choices": [[1, 2], [2, 1]]}}, "knob a: lists a choice twice"),
    ({"a": {"range": [1, 0]}}, "knob a: range 1 to 0 of type int is empty or not of numbers"),
    ({"a": {"range": [1, 1]}}, "knob a: range 1 to 1"),
    ({"a": {"range": [0.0, math.inf]}}, "knob a: range 0.0 to inf"),
    ({"a": {"range": [math.nan, 1.0]}}, "knob a: range nan to 1.0"),
    ({"a": {"range": [-1e308, 1e308]}}, "knob a: range -1e+308 to 1e+308"),
    ({"a": {"range": [0, 10**400]}}, "knob a: range 0 to 1"),
    ({"a": {"type": "int", "range": [0]}}, "knob a: range must be two numbers, low and high"),
    ({"a": {"type": "int", "range": ["0", "1"]}}, "knob a: range must be two numbers"),
    ({"a": {"type": "int", "range": [False, True]}}, "knob a: range must be two numbers"),
    ({"a": {"type": "int", "range": {"lo": 0}}}, "knob a: range must be two numbers"),
    ({"a": {"type": "str", "range": [0, 1]}}, "knob a: range 0 to 1 of type str is empty or not of numbers"),
    ({"a": {"range": [-1.0, 1.0], "scale": "log"}}, "knob a: scale 'log' does not fit a range of -1.0 to 1.0"),
    ({"a": {"range": [0.0, 1.0], "scale": "one_minus_log"}}, "knob a: scale 'one_minus_log' does not fit"),
    ({"a": {"range": [0.0, 1.0], "scale": "sqrt"}}, "knob a: scale 'sqrt' does not fit"),
    ({"a": {"range": [0.0, 1.0], "scale": []}}, "knob a: scale [] does not fit"),
    ({"a": {"range": [0.0, 1e-320], "scale": "log"}}, "knob a: range 0.0 to 1e-320 is too narrow for a log scale"),
    ({"a": {"choices": [1], "scale": "sqrt"}}, "scale 'sqrt' is unknown; use one of linear, log, one_minus_log"),
    ({"a": {"type": "int", "bins": 0}}, "knob a: bins must be a whole number from 1 to 1000"),
    ({"a": {"type": "int", "bins": True}}, "knob a: bins"),
    ({"a": {"type": "int", "bins": 2.5}}, "knob a: bins"),
    ({"a": {"type": "int", "units": {"k": "1000"}}}, "knob a: units map a suffix to a factor"),
    ({"a": {"type": "int", "units": {"k": 10**400}}}, "knob a: units map a suffix to a factor"),
    ({"a": {"type": "int", "units": {"k": 0}}}, "knob a: units map a suffix to a factor"),
    ({"a": {"type": "int", "units": ["k"]}}, "knob a: units map a suffix to a factor"),
    ({"a": {"type": "int", "aliases": "ab"}}, "knob a: aliases must be a list of names"),
    ({"a": {"type": "int", "aliases": [1]}}, "knob a: aliases must be a list of names"),
    ({"a": {"type": "int", "default": "x"}}, 'knob a: default "x" is not allowed by it (a takes an integer)'),
    ({"a": {"type": "int", "default": None}}, "knob a: default null is not allowed by it (a takes an integer)"),
    ({"a": {"range": [0, 9], "default": 10}}, "knob a: default 10 is not allowed by it (a lies in 0 to 9)"),
    ({"a": {"choices": [1, 2], "default": 3}}, "knob a: default 3 is not allowed by it (a is one of 1, 2)"),
    ({"a": {"choices": ["x\ny"], "default": "z"}}, 'is not allowed by it (a is one of "x\\ny")'),
    ({"a": {"type": "list", "choices": [[1]], "default": [True]}}, "knob a: default [true] is not allowed"),
    ({"a": {"type": "list", "default": DEEP[0][0], "choices": [[1]]}}, "knob a: default [[[["),
    (
        {"a": {"type": "int", "aliases": ["x"]}, "b": {"type": "int", "aliases": ["X"]}},
        "alias X names both a and b; leave it to one",
    ),
    ({"a": {"type": "int", "aliases": ["b"]}, "b": {"type": "int"}}, "alias b of a is knob b; drop it"),
    ({"a": {"type": "int", "aliases": ["B"]}, "b": {"type": "int"}}, "alias B of a is knob b; drop it"),
    ({"knobs": {"a": {"type": "int"}}, "constraints": "a > 0"}, "constraints must be a list of rules"),
    ({"knobs": {"a": {"type": "int"}}, "constraints": {"rule": "a > 0"}}, "constraints must be a list of rules"),
    ({"knobs": {"a": {"type": "int"}}, "constraints": [5]}, "constraint 1: has no rule"),
    ({"knobs": {"a": {"type": "int"}}, "constraints": [{"id": "c"}]}, "c: has no rule"),
    ({"knobs": {"a": {"type": "int"}}, "constraints": ["a > 0", "b > 0"]}, "constraint 2: b is not a knob of this"),
    ({"knobs": {"a": {"type": "int"}}, "constraints": ["f(a)"]}, "constraint 1: 'f(a)' is not a rule"),
    ({"knobs": {"a": {"type": "int"}}, "constraints": [{"id": "x\ny", "rule": "b"}]}, r"'x\ny': b is not a knob"),
    (
        {
            "knobs": {"a": {"type": "int", "default": 7}, "b": {"type": "int"}},
            "constraints": [{"id": "even", "rule": "a % 2 == 0"}],
        },
        "the defaults break a constraint (even: a % 2 == 0 does not hold); change one of them",
    ),
    (
        {"knobs": {"a": {"type": "int", "default": 0}}, "constraints": ["1 / a > 0"]},
        "break a constraint (constraint 1: 1 / a > 0 cannot be checked (ZeroDivisionError: division by zero))",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("menu", "said"), CONTRADICTIONS, ids=lambda x: str(x)[:50])
def test_a_menu_that_contradicts_itself_is_one_line_with_place_and_knob(menu: Any, said: str) -> None:
    with pytest.raises(MenuError) as e:
        parse(menu, "my.menu.json")
    assert str(e.value).startswith("my.menu.json: ")
    assert said in str(e.value)
    assert "\n" not in str(e.value)


def test_the_same_menu_without_its_contradiction_is_sound() -> None:
    sound = {
        "knobs": {
            "a": {"type": "integer", "range": [0, 9], "default": 6, "aliases": ["x"], "units": {"k": 1000}, "bins": 3},
            "b": {"choices": ["u", "v"], "default": "U"},
            "c": {"type": "list", "set": True, "choices": [[2, 1]], "default": [1, 2]},
            "d": {"range": [0.0, 1.0], "scale": "log", "default": 0},
        },
        "constraints": [{"id": "even", "rule": "a % 2 == 0"}, "d < 1 or b == 'v'"],
        "families": {"mine": ["a"]},
    }
    menu = parse(sound)
    assert menu.defaults == {"a": 6, "b": "u", "c": [1, 2], "d": 0}
    assert menu.broken({"a": 3, "b": "u", "d": 1}) == [
        "even: a % 2 == 0 does not hold",
        "constraint 2: d < 1 or b == 'v' does not hold",
    ]
    assert menu.broken({"a": "six", "b": "v", "d": 1}) == [
        "even: a % 2 == 0 cannot be checked (TypeError: 'six' is not a number)"
    ]
    assert menu.broken({"b": "v", "d": 1}) == ["even: a % 2 == 0 cannot be checked (KeyError: 'a')"]


def test_a_list_of_knobs_is_a_menu_too() -> None:
    menu = parse({"knobs": [{"name": "a", "type": "int"}, {"name": "b", "choices": [1.5, 2]}]})
    assert {k.name: k.type for k in menu.knobs.values()} == {"a": "int", "b": "float"}


@given(st.dictionaries(st.sampled_from(["knobs", "a", "constraints", "families"]), values, max_size=3))
def test_any_object_is_a_menu_or_a_one_line_error(menu: dict[str, Any]) -> None:
    try:
        assert parse(menu).knobs
    except MenuError as e:
        assert "\n" not in str(e)  # noqa: PT017  # whether it raises is not the question


fields = st.fixed_dictionaries(
    {},
    optional={
        "type": st.sampled_from(["int", "float", "str", "bool", "list", "code"]) | values,
        "choices": st.lists(values, max_size=3) | values,
        "range": st.lists(st.floats() | st.integers(), min_size=2, max_size=2) | values,
        "default": values,
        "scale": st.sampled_from(SCALES) | values,
        "aliases": values,
        "units": values,
        "set": values,
        "bins": values,
        "family": values,
    },
)


@given(st.dictionaries(st.sampled_from(["a", "b", "A"]), fields, min_size=1, max_size=2), values)
def test_any_knob_is_sound_or_a_one_line_error(knobs: dict[str, Any], value: Any) -> None:
    try:
        menu = parse(knobs)
    except MenuError as e:
        assert "\n" not in str(e)  # noqa: PT017  # whether it raises is not the question
        return
    found = menu.change("a", value)
    if found.position is not None:
        assert 0.0 <= found.position <= 1.0 + 1e-9
    for knob in menu.knobs.values():
        if knob.has_default:
            assert menu.change(knob.name, knob.default).objection is None


# --- files -------------------------------------------------------------------------------------------------------


def test_a_menu_is_read_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "m.json"
    path.write_bytes(b"\xef\xbb\xbf" + json.dumps({"knobs": THIRTEEN}).encode())
    menu = load(path)
    assert len(menu.knobs) == 13
    assert menu.source == str(path)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "not JSON"),
        (b"{", "not JSON"),
        (b"\xff\xfe", "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (b"[]", "a menu is an object"),
        (b'{"knobs": {"a": {"type": "int"}, "a": {"type": "str"}}}', "'a' stands twice in one object"),
        (b'{"a": {"type": "int", "type": "str"}}', "'type' stands twice in one object"),
        (b'{"a": {"type": "int", "default": ' + b"9" * 5000 + b"}}", "not JSON"),
    ],
)
def test_a_file_that_holds_no_menu_is_one_line(data: bytes, said: str, tmp_path: Path) -> None:
    path = tmp_path / "m.json"
    path.write_bytes(data)
    with pytest.raises(MenuError) as e:
        load(path)
    assert str(e.value).startswith(f"{path}: ")
    assert said in str(e.value)
    assert "\n" not in str(e.value)


@pytest.mark.parametrize("name", ["none.json", "", "a\0b"])
def test_a_menu_that_cannot_be_read_is_one_line(name: str, tmp_path: Path) -> None:
    with pytest.raises(MenuError, match=r"cannot be read \(.*\); name an existing menu with --menu"):
        load(f"{tmp_path}/{name}")


def test_a_choice_is_found_by_case_only_where_one_alone_fits() -> None:
    knob = Knob("k", "str", choices=("Adam", "adam", "SGD", 1))
    assert [knob.choice(x) for x in ("Adam", "adam", "ADAM", "sgd", "1", "x")] == [
        "Adam",
        "adam",
        None,
        "SGD",
        None,
        None,
    ]


@given(st.dictionaries(st.sampled_from(["a", "b", "A"]), fields, min_size=1, max_size=2))
def test_a_menu_that_is_written_down_reads_back_the_same(knobs: dict[str, Any]) -> None:
    try:
        menu = parse(knobs)
    except MenuError:
        return
    again = parse(json.loads(json.dumps(menu.to_json())))
    assert repr(again.knobs) == repr(menu.knobs)


def test_true_is_no_choice_of_a_knob_that_offers_one() -> None:
    knob = Knob("k", "int", choices=(1, 2))
    assert knob.objection(1) is None
    assert knob.objection(True) == "k is one of 1, 2"  # the value is the point
    assert knob.cell(True) is None  # the same
