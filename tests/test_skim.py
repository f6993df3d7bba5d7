"""The skimmed file says of every trial what the full reader says, on every sample, whatever is wrong with it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from campaign import chained
from hypothesis import given
from hypothesis import strategies as st
from law_strategies import menu
from strategies import FIELDS

from trajscope import menu as menus
from trajscope.lines import Lines
from trajscope.menu import Menu
from trajscope.readers import Source, find, get
from trajscope.readers.skim import Tried, skim, tokens
from trajscope.trial import Trial

SAMPLES = sorted((Path(__file__).resolve().parents[1] / "sample_runs").rglob("*.jsonl"))


def both(data: bytes, name: str, known: Menu | None, metric: str | None = None) -> tuple[list[Any], list[Any]]:
    """What the full reader says, cut down here by hand, and what is skimmed."""
    lines = Lines()
    whole = [*lines.feed(data), *lines.close()]
    source = Source("x.jsonl", menu=known, metric=metric)
    read = get(name)(source).feed
    full = [_cut(item) if isinstance(item, Trial) else item for line in whole for item in read(line)]
    return full, [x._replace(fault=None) if type(x) is Tried else x for x in skim(get(name), source)(whole)]


def _cut(t: Trial) -> Tried:
    spent = tokens(t.tokens_in, t.tokens_out)
    return Tried(
        t.seq, t.status, t.pair, t.iter, t.value, t.base, t.config, t.intent, t.wall_s, spent, t.usd, None, t.based
    )


@pytest.mark.parametrize("path", SAMPLES, ids=lambda p: p.stem)
@pytest.mark.parametrize("asked", [None, "acc"])
def test_every_sample_run_is_skimmed_as_it_is_read(path: Path, asked: str | None) -> None:
    beside = path.with_suffix(".menu.json")
    data = path.read_bytes()
    full, quick = both(data, find(path, data).name, menus.load(beside) if beside.exists() else None, asked)
    assert quick == full
    assert any(type(x) is Tried for x in quick)


native = st.lists(
    st.fixed_dictionaries({}, optional={k: st.sampled_from(v) for k, v in FIELDS.items()}).map(
        lambda o: {"v": 1, "type": "trial"} | o
    ),
    max_size=5,
)


@given(native, st.booleans(), st.sampled_from([None, "acc"]))
def test_native_lines_of_any_make_are_skimmed_as_they_are_read(
    rows: list[dict[str, Any]], headed: bool, metric: str | None
) -> None:
    head = [{"v": 1, "type": "run", "run_id": "r", "metric": {"name": "loss", "goal": "minimize"}}] if headed else []
    data = b"".join(json.dumps(row).encode() + b"\n" for row in [*head, *rows])
    full, quick = both(data, "native", menu(), metric)
    assert quick == full


REFUSED = {"knob": "a", "value": 3, "verdict": {"rule": "repeat", "level": "FAIL"}}
CHAINED: dict[str, dict[str, Any]] = {
    "a refused attempt after the one that ran": {"attempts": [{"knob": "a", "value": 2}, REFUSED]},
    "nothing but refused attempts": {"attempts": [REFUSED | {"value": 1}, REFUSED]},
    "one seed, and that one crashed": {"seeds": [{"seed": 1, "status": "crashed", "metrics": {"loss": 2.0}}]},
    "a seed without a value": {"seeds": [{"seed": 1, "metrics": {"loss": None}}], "value": 3.0},
    "one of two seeds crashed": {"seeds": [{"metrics": {"loss": 2.0}}, {"status": "oom", "metrics": {"loss": 1.0}}]},
    "another place in the file": {"seq": 7},
    "a kept trial moves the base": {"status": "kept", "config_hash": None, "base_hash": None},
}


@pytest.mark.parametrize("fields", CHAINED.values(), ids=CHAINED.keys())
def test_chained_lines_take_the_short_way_to_the_same_trial(fields: dict[str, Any]) -> None:
    head = {"type": "run", "run_id": "r", "metric": {"name": "loss"}, "base": {"config": {"a": 1, "b": 0.5, "d": "u"}}}
    trial = {"type": "trial", "status": "reverted", "attempts": [{"knob": "a", "value": 2}]}
    full, quick = both(b"".join(chained([head, trial, trial | fields, trial])), "native", menu())
    assert quick == full


stages = st.lists(
    st.fixed_dictionaries(
        {
            "stage": st.sampled_from(
                ["evaluated", "evaluated", "blocked", "eval_failed", "loop_complete", "paused", "x"]
            )
        },
        optional={
            "iter": st.sampled_from([1, 2, "3", None]),
            "proposal": st.sampled_from([{"knob": "a", "new_value": 2}, {"knob": "b", "new_value": 0.51}, {}, 5]),
            "candidate_cfg": st.sampled_from([{"a": 2, "b": 0.5, "d": "u"}, {"a": 1, "b": 0.51, "seed": 3}, 5]),
            "decision": st.sampled_from(["keep", "revert", "odd"]),
            "val_bpb": st.sampled_from([1.0, None, "x", float("nan")]),
            "iter_wall_s": st.sampled_from([2.5, "x"]),
            "tokens_in": st.sampled_from([7, -1]),
        },
    ),
    max_size=5,
)


@given(stages, st.booleans())
def test_stage_rows_of_any_make_are_skimmed_as_they_are_read(rows: list[dict[str, Any]], headed: bool) -> None:
    head = [{"_meta": "m", "baseline_val_bpb": 1.0, "baseline_cfg": {"a": 1, "b": 0.5, "d": "u"}}] if headed else []
    data = b"".join(json.dumps(row).encode() + b"\n" for row in [*head, *rows])
    full, quick = both(data, "stages", menu())
    assert quick == full


def test_a_field_of_another_type_is_told_apart_from_one_that_is_missing() -> None:
    head = {"v": 1, "type": "run", "run_id": "r", "metric": {"name": "loss", "goal": "minimize"}}
    trial = {"v": 1, "type": "trial", "status": "reverted", "attempts": [{"knob": "a", "value": 1}]}
    rows = [head, trial, trial | {"base_hash": 5}, trial | {"seq": 9}, trial | {"v": 0}]
    lines = Lines().feed(b"".join(json.dumps(row).encode() + b"\n" for row in rows))
    found = [x.fault for x in skim(get("native"), Source("x"))(lines) if isinstance(x, Tried)]
    assert found == [None, "base_hash is not what it should be: 5", "seq says 9, stands on line 3", "is of version 0"]


def test_any_other_reader_reads_in_full_and_is_cut_down() -> None:
    class Foreign(get("stages")):  # type: ignore[misc]  # a stranger's reader
        name = "foreign"

    rows = [
        {"stage": "evaluated", "iter": 1, "proposal": {"knob": "a", "new_value": 2}, "val_bpb": 1.0, "tokens_in": 3}
    ]
    lines = Lines().feed(b"".join(json.dumps(row).encode() + b"\n" for row in rows))
    found = [x for x in skim(Foreign, Source("x", menu=menu()))(lines) if isinstance(x, Tried)]
    assert [(t.seq, t.status, t.pair and t.pair.label, t.value, t.tokens) for t in found] == [
        (0, "other", "a=2", 1.0, 3)
    ]
