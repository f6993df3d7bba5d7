"""Reading the record contract: what was written is read, what is unknown survives, no line is lost.

Faults planted and seen to fire: `extra="ignore"`; NaN tokens and 1e999 let through; an upgrade that edits its argument;
a newer version read anyway; non-finite numbers, deep nesting and lone surrogates taken for plain.
"""

from __future__ import annotations

import copy
import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from recordlines import (
    HEAD,
    RUN,
    TRIAL,
    line,
    lines,
    trial,
    values,
)

from trajscope import record
from trajscope.errors import RecordError
from trajscope.record import Trial, Unknown, dump, fault, load, make, plain

# Laws


@given(lines)
def test_what_is_written_is_read_again_as_the_same(obj: dict[str, object]) -> None:
    one = make(obj)
    again = load(dump(one, strict=False))
    assert again == one
    assert dump(again, strict=False) == dump(one, strict=False)


@given(lines)
def test_reading_and_writing_again_changes_no_field(obj: dict[str, object]) -> None:
    assert json.loads(dump(load(line(obj)), strict=False)) == json.loads(line(obj))


@given(lines, st.data())
def test_an_unknown_field_survives_wherever_it_stands(obj: dict[str, object], data: st.DataObject) -> None:
    obj = copy.deepcopy(obj)
    places = list(_objects(obj))
    place = data.draw(st.sampled_from(places))
    place["zz_unknown"] = data.draw(values)
    read = load(line(obj))
    assert not isinstance(read, Unknown)
    assert json.loads(dump(read, strict=False)) == json.loads(line(obj))


def _objects(obj: Any) -> Any:
    """The objects of a line that the contract types; what a config or knob value holds is the user's own."""
    yield obj
    for key in ("metric", "base", "proposer", "cost"):
        if key in obj:
            yield obj[key]
    for key in ("attempts", "changes", "seeds", "metrics", "verdicts"):
        if isinstance(obj.get(key), list):
            for item in obj[key]:
                if isinstance(item, dict):
                    yield from _objects(item)


@given(st.binary(max_size=40) | values.map(line) | st.builds(lambda b, n: b[:n], lines.map(line), st.integers(0, 200)))
def test_reading_never_raises_and_never_loses_a_line(data: bytes) -> None:
    read = load(data)
    if isinstance(read, Unknown):
        assert dump(read) == data.removesuffix(b"\n") + b"\n"
        assert read.why


@given(st.floats(), st.floats())
def test_finite_leaves_no_number_that_json_cannot_hold(a: float, b: float) -> None:
    clean: Any = record.finite({"a": a, "b": [b, {"c": a}], "d": "nan"})
    json.dumps(clean, allow_nan=False)
    assert clean["d"] == "nan"
    assert record.has_nan([a, b]) == (not (math.isfinite(a) and math.isfinite(b)))
    assert (clean["a"] is None) == (not math.isfinite(a))


# Reading


def test_the_shorthand_of_an_attempt_is_read_as_one_change() -> None:
    read = load(line(trial(attempts=[{"knob": "lr", "value": 0.5, "reason": "lower", "note": 1}])))
    assert isinstance(read, Trial)
    assert json.loads(dump(read))["attempts"] == [
        {"changes": [{"knob": "lr", "value": 0.5}], "reason": "lower", "note": 1}
    ]


def test_a_line_without_seq_or_prev_is_read_and_not_written() -> None:
    read = load(line({"v": 1, **TRIAL, "value": 1}))
    assert isinstance(read, Trial)
    assert read.seq is None
    with pytest.raises(RecordError, match="trial: has no seq"):
        dump(read)


@pytest.mark.parametrize("token", ["NaN", "Infinity", "-Infinity", "1e999"])
def test_a_number_that_is_not_finite_is_read_as_no_value(token: str) -> None:
    read = load(line(trial(metrics={"a": 1})).replace(b'"value": null', f'"value": {token}'.encode()))
    assert isinstance(read, Trial)
    assert read.value is None
    assert b"null" in dump(read)


def test_a_guard_read_with_a_bound_of_nan_has_no_bound() -> None:
    text = line({**HEAD, **RUN, "metrics": [{"name": "acc", "role": "guard", "floor": 7}]})
    read = load(text.replace(b'"floor": 7', b'"floor": NaN'))
    assert not isinstance(read, Unknown)
    assert "without floor or ceiling" in (fault(read) or "")


def test_an_integer_stays_an_integer() -> None:
    assert b'"value":1,' in dump(make(trial(value=1, value_source="reported")))
    assert b'"value":1.0,' in dump(make(trial(value=1.0, value_source="reported")))


@pytest.mark.parametrize(
    ("obj", "why"),
    [
        ({"v": 2, "type": "trial", "status": "kept"}, "has version 2; this reads up to 1"),
        ({"v": "1", "type": "trial"}, "has version '1'; this reads up to 1"),
        ({"v": True, "type": "end"}, "has version True; this reads up to 1"),
        ({"v": 1, "type": "rollout", "reward": 1}, "has the type 'rollout', which is none of run, trial"),
        (trial(status="skipped"), "trial: status: Input should be 'kept', "),
        (trial(value="0.5"), "trial: value: "),
        (trial(value=True), "trial: value: "),
        (trial(cost={"wall_s": "12"}), "trial: cost.wall_s: "),
        ([1], "is a JSON list, not an object"),
    ],
)
def test_a_line_that_is_no_known_record_is_kept_with_its_reason(obj: object, why: str) -> None:
    read = load(line(obj))
    assert isinstance(read, Unknown)
    assert read.raw == obj
    assert read.why.startswith(why)
    assert "\n" not in read.why


def test_what_cannot_be_json_is_kept_with_its_reason() -> None:
    for data in (b"", b"{", b"\xff", b"[" * 100_000, b"1" * 5000):
        read = load(data + b"\n")
        assert isinstance(read, Unknown)
        assert dump(read) == data + b"\n"


# Versions


def test_version_0_is_read_as_today() -> None:
    old = {"type": "trial", "iter": 4, "proposal": {"knob": "lr", "new_value": 0.5, "reason": "lower", "by": "llm"}}
    read = load(line({**old, "decision": "keep", "value": 1.5, "seq": 3}))
    assert isinstance(read, Trial)
    assert json.loads(dump(read, strict=False)) == {
        "v": 1,
        "type": "trial",
        "seq": 3,
        "iter": 4,
        "status": "kept",
        "attempts": [{"changes": [{"knob": "lr", "value": 0.5}], "reason": "lower", "by": "llm"}],
        "value": 1.5,
    }
    header = load(line({"type": "run", "run_id": "r", "metric": "acc", "goal": "maximize"}))
    assert isinstance(header, record.RunHeader)
    assert (header.metric.name, header.metric.goal) == ("acc", "maximize")


def test_an_upgrade_does_not_edit_the_line_it_is_given() -> None:
    old: dict[str, object] = {"type": "trial", "proposal": {"knob": "lr", "new_value": 1}, "decision": "keep"}
    before = copy.deepcopy(old)
    assert record.upgrade(old) != old
    assert old == before


def test_a_decision_of_version_0_that_is_unknown_is_not_guessed() -> None:
    assert isinstance(load(line({"type": "trial", "iter": 1, "decision": "maybe", "value": 1})), Unknown)


@given(st.dictionaries(st.sampled_from(["v", "type", "proposal", "decision", "metric", "goal", "x"]), values))
def test_an_upgrade_is_pure_and_leaves_today_alone(obj: dict[str, object]) -> None:
    before = copy.deepcopy(obj)
    new = record.upgrade(obj)
    assert line(obj) == line(before)
    assert line(record.upgrade(new)) == line(new)
    assert sorted(record.UPGRADES) == list(range(record.CURRENT))  # a step from every version to the next


def test_an_upgrade_drops_no_field() -> None:
    old = {"v": 0, "type": "trial", "proposal": {"knob": "lr"}, "decision": 5, "zz": [1]}
    assert record.upgrade(old) == {**old, "v": 1}


# Plain values


def test_numpy_values_become_plain() -> None:
    import numpy as np

    held = plain({"a": np.float32(0.5), "b": np.int64(3), "c": np.bool_(True), "d": (1, np.array(2.0))}, "x")
    assert json.dumps(held) == '{"a": 0.5, "b": 3, "c": true, "d": [1, 2.0]}'


def test_what_json_cannot_hold_is_refused_by_name() -> None:
    deep: list[Any] = []
    for _ in range(100):
        deep = [deep]
    for bad, why in (
        ({"a": [1, object()]}, "x.a[1] is a object"),
        ({"a": float("nan")}, "x.a is nan"),
        ({"a": {1: 2}}, "x.a has the key 1"),
        (deep, "nests deeper than 32 levels"),
        (b"bytes", "x is a bytes"),
    ):
        with pytest.raises(RecordError, match=why.replace("[", r"\[").replace("]", r"\]")):
            plain(bad, "x")


def test_a_lone_surrogate_is_written_out_visibly() -> None:
    assert plain("a\ud800b", "x") == "a\\ud800b"
