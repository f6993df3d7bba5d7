"""The record contract: what is written can be read, what is unknown survives, what is dishonest is refused.

Faults planted and seen to fire: `extra="ignore"`; NaN tokens let through; an upgrade that edits its argument; a guard
bound tested by truth (0.0); each sentence of `duties` switched off; a newer version read anyway; a stale schema.
"""

from __future__ import annotations

import copy
import json
import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from trajscope import record
from trajscope.errors import RecordError
from trajscope.record import Trial, Unknown, dump, fault, load, make, plain

ROOT = Path(__file__).resolve().parents[1]
HEAD = {"v": 1, "seq": 1, "prev": "0" * 16}
RUN = {"type": "run", "run_id": "r", "campaign": "c", "started": "s", "metric": {"name": "loss", "goal": "minimize"}}
TRIAL = {"type": "trial", "iter": 1, "status": "reverted", "attempts": [{"changes": [{"knob": "lr", "value": 1}]}]}
REFUSED = {"rule": "r", "level": "FAIL", "reason": "no"}
PASSED = {"rule": "r", "level": "PASS", "reason": "yes"}
VALIDATORS = {kind: Draft202012Validator(body) for kind, body in record.schemas().items()}

numbers = st.one_of(st.integers(-3, 3), st.floats(allow_nan=False, allow_infinity=False))
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=4)
values = st.recursive(
    st.none() | st.booleans() | numbers | texts,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(texts, inner, max_size=2),
    max_leaves=4,
)
verdicts = st.fixed_dictionaries(
    {"rule": texts, "level": st.sampled_from(["PASS", "WARN", "UNKNOWN", "FAIL"]), "reason": texts},
    optional={"evidence": st.lists(st.integers(0, 9), max_size=2)},
)
changes = st.lists(st.fixed_dictionaries({"knob": st.sampled_from(["lr", "code:f"]), "value": values}), max_size=2)
attempts = st.fixed_dictionaries(
    {"changes": changes},
    optional={"reason": texts, "intent": st.sampled_from(["replicate", "revisit"]), "verdict": verdicts},
)
seeds = st.fixed_dictionaries(
    {"seed": st.integers(0, 3), "status": st.sampled_from(["ok", "crashed"])},
    optional={"metrics": st.dictionaries(st.just("loss"), st.none() | st.integers(0, 1)), "wall_s": numbers},
)
trials = st.fixed_dictionaries(
    {
        **{k: st.just(v) for k, v in HEAD.items()},
        "type": st.just("trial"),
        "iter": st.integers(0, 3),
        "status": st.sampled_from(
            ["kept", "kept", "reverted", "blocked", "crashed", "aborted", "ineligible", "proposer_error"]
        ),
        "attempts": st.lists(attempts, max_size=2),
        "value": st.none() | st.integers(0, 1),
    },
    optional={
        "value_source": st.sampled_from(["seeds", "reported"]),
        "seeds": st.lists(seeds, max_size=2),
        "diff": texts | st.just({"blob": "0" * 64}),
        "metrics": st.dictionaries(texts, st.none() | numbers, max_size=2),
        "deltas": st.dictionaries(texts, st.fixed_dictionaries({}, optional={"incumbent": numbers}), max_size=1),
        "cost": st.fixed_dictionaries({}, optional={"wall_s": numbers, "tokens_in": st.integers(0, 9)}),
        "new_best": st.booleans(),
        "holdout": st.fixed_dictionaries({"pass": st.booleans(), "commitment": st.just("a" * 64)}),
        "verdicts": st.lists(verdicts, max_size=1),
    },
)
others = st.one_of(
    st.fixed_dictionaries(
        {**{k: st.just(v) for k, v in (HEAD | RUN).items()}},
        optional={
            "metrics": st.lists(
                st.fixed_dictionaries(
                    {
                        "name": st.sampled_from(["loss", "acc"]),
                        "role": st.sampled_from(["primary", "guard", "monitor"]),
                    },
                    optional={"floor": st.none() | st.sampled_from([0, 0.0, 1]), "ceiling": numbers},
                ),
                max_size=2,
            ),
            "base": st.fixed_dictionaries({"config": st.dictionaries(texts, values, max_size=2)}),
            "seeds": st.lists(st.integers(0, 3), max_size=2),
            "proposer": st.fixed_dictionaries({}, optional={"history": st.none() | st.just("all") | st.integers(0, 9)}),
        },
    ),
    st.fixed_dictionaries(
        {**{k: st.just(v) for k, v in HEAD.items()}, "type": st.just("measure"), "what": st.just("baseline")},
        optional={"value": st.none() | numbers, "seeds": st.lists(seeds, max_size=2)},
    ),
    st.fixed_dictionaries(
        {
            **{k: st.just(v) for k, v in HEAD.items()},
            "type": st.just("event"),
            "kind": st.sampled_from(["alarm", "claim"]),
            "data": st.dictionaries(texts, values, max_size=2),
        }
    ),
    st.fixed_dictionaries(
        {
            **{k: st.just(v) for k, v in HEAD.items()},
            "type": st.just("end"),
            "reason": texts,
            "counts": st.dictionaries(texts, st.integers(0, 9), max_size=2),
        }
    ),
)
lines = trials | others


def line(obj: object) -> bytes:
    return json.dumps(obj).encode()


def trial(**fields: Any) -> Any:
    return {**HEAD, **TRIAL, "value": None, **fields}


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


@given(lines)
def test_what_the_writer_accepts_the_schema_accepts(obj: dict[str, object]) -> None:
    if fault(make(obj), "loss") is None:
        VALIDATORS[str(obj["type"])].validate(json.loads(dump(make(obj), metric="loss")))


@given(trials)
def test_no_keep_is_written_without_evidence(obj: dict[str, Any]) -> None:
    if obj["status"] != "kept" or fault(make(obj), "loss") is not None:
        return
    assert isinstance(obj["value"], int | float)
    assert obj["value_source"] == "reported" or all(s["metrics"]["loss"] is not None for s in obj["seeds"])
    standing = [a for a in obj["attempts"] if a.get("verdict", PASSED)["level"] in ("PASS", "WARN")]
    assert len(standing) == 1
    assert standing[0]["changes"]


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


# Writing: each row is a line that must not be written, and what is said of it


@pytest.mark.parametrize(
    ("obj", "why"),
    [
        (trial(status="kept", value=None, value_source="reported"), "and no value"),
        (trial(status="kept", value=None), "is kept without a value"),
        (trial(status="kept", value=1), "does not say that its value is reported"),
        (trial(status="kept", value=1, value_source="seeds"), "but it has none"),
        (trial(status="kept", value=1, value_source="seeds", seeds=[]), "but it has none"),
        (
            trial(status="kept", value=1, value_source="seeds", seeds=[{"seed": 0, "status": "crashed"}]),
            "seed 0 is crashed",
        ),
        (
            trial(value=1, value_source="seeds", seeds=[{"seed": 0, "status": "ok", "metrics": {"loss": 2}}]),
            "their mean loss is 2, not 1",
        ),
        (
            trial(status="kept", value=1, value_source="reported", seeds=[{"seed": 4, "status": "ok", "metrics": {}}]),
            "its seed 4 is ok without a loss",
        ),
        (trial(status="kept", value=1, value_source="reported", attempts=[]), "0 of its 0 attempts stand unrefused"),
        (trial(attempts=[{"changes": []}]), "attempt 1 changes nothing"),
        (trial(attempts=[{"changes": [{"knob": "a", "value": 1}], "verdict": REFUSED}]), "0 of its 1 attempts"),
        (trial(attempts=[*TRIAL["attempts"], *TRIAL["attempts"]]), "2 of its 2 attempts"),  # type: ignore[misc]  # a list
        (
            trial(status="blocked", attempts=[{"changes": [{"knob": "a", "value": 1}], "verdict": PASSED}]),
            "a rail let an attempt pass",
        ),
        (
            trial(
                status="kept",
                value=1,
                value_source="reported",
                attempts=[{"changes": [{"knob": "code:f", "value": "ab"}]}],
            ),
            "with the edit code:f and no diff",
        ),
        (trial(holdout={"pass": True, "commitment": "a" * 64, "auc": 0.7}), "more of the holdout than its bit: auc"),
        ({**HEAD, **RUN, "metrics": [{"name": "a", "role": "guard"}]}, "without floor or ceiling"),
        ({**HEAD, **RUN, "metrics": [{"name": "a", "role": "guard", "floor": None}]}, "without floor or ceiling"),
        ({**HEAD, **RUN, "metrics": [{"name": "a", "role": "primary"}]}, "'a' as primary beside its metric 'loss'"),
        (
            {**HEAD, **RUN, "metrics": [{"name": "a", "role": "monitor"}, {"name": "a", "role": "guard", "floor": 0}]},
            "declares the metric 'a' twice",
        ),
        ({**HEAD, **RUN, "campaign": None}, "has no campaign"),
        ({**HEAD, **TRIAL}, "has no value"),
        ({**HEAD, "type": "end", "reason": "done"}, "has no counts"),
    ],
)
def test_a_dishonest_line_is_refused_by_name(obj: dict[str, object], why: str) -> None:
    with pytest.raises(RecordError) as caught:
        dump(make(obj), metric="loss")
    assert why in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "obj",
    [
        trial(status="kept", value=1, value_source="reported"),
        trial(
            status="kept",
            value=1.5,
            value_source="seeds",
            seeds=[{"seed": s, "status": "ok", "metrics": {"loss": v}} for s, v in ((0, 1), (1, 2))],
        ),
        trial(status="blocked", attempts=[]),
        trial(status="proposer_error", attempts=[{"changes": [], "reason": "no JSON in the reply"}]),
        {**HEAD, **RUN, "metrics": [{"name": "a", "role": "guard", "floor": 0.0}]},
    ],
)
def test_an_honest_line_is_written(obj: dict[str, object]) -> None:
    assert json.loads(dump(make(obj), metric="loss")) == obj


def test_the_schema_refuses_what_it_can_say() -> None:
    for bad in (
        trial(status="kept", value=None, value_source="reported"),
        trial(status="kept", value=1),
        trial(status="skipped"),
        trial(attempts=[]),
        trial(prev="12"),
        trial(value=1, value_source="seeds", seeds=[]),
        {k: v for k, v in trial().items() if k != "value"},
    ):
        assert not VALIDATORS["trial"].is_valid(bad), bad
    assert VALIDATORS["trial"].is_valid(trial())
    assert not VALIDATORS["run"].is_valid({**HEAD, **RUN, "metrics": [{"name": "a", "role": "guard"}]})
    assert VALIDATORS["run"].is_valid({**HEAD, **RUN, "metrics": [{"name": "a", "role": "guard", "floor": 0}]})


def test_the_schemas_in_the_documentation_are_of_today(tmp_path: Path) -> None:
    written = record.write_schemas(tmp_path)
    assert {p.name for p in written} == {p.name for p in (ROOT / "docs" / "schema").iterdir()}
    for path in written:
        kept = (ROOT / "docs" / "schema" / path.name).read_text("utf-8")
        assert kept == path.read_text("utf-8"), f"{path.name} is stale: run trajscope.record.write_schemas"
        Draft202012Validator.check_schema(json.loads(kept))


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
