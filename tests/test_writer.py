"""What a call of the writer becomes: one line that says what was said, or a refusal that names the fault.

Faults planted and seen to fire: NaN written as kept; a mean over surviving seeds; a keep that does not advance the
incumbent; an incumbent of another kind of hash trusted; a seq of the caller's own; `end` after an exception.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from runfiles import NOON, calls, play, python, rows, start

from trajscope.errors import MenuError, RecordError
from trajscope.pair import config_hash
from trajscope.verdict import Level, Verdict


@settings(max_examples=60, deadline=None)
@given(calls)
def test_each_call_is_one_line_that_reads_back_as_called(
    tmp_path_factory: pytest.TempPathFactory, script: list[tuple[str, dict[str, Any]]]
) -> None:
    path = tmp_path_factory.mktemp("law") / "run.jsonl"
    with start(path) as run:
        seqs = play(run, script)
    lines = rows(path)
    assert seqs == list(range(1, len(script) + 1))
    assert [r["type"] for r in lines] == ["run", *(verb for verb, _ in script), "end"]
    trials = [r for r in lines if r["type"] == "trial"]
    assert [r["iter"] for r in trials] == list(range(1, len(trials) + 1))
    for (_, kw), row in zip([c for c in script if c[0] == "trial"], trials, strict=True):
        assert {c["knob"]: c["value"] for c in row["attempts"][0]["changes"]} == kw["changes"]
        lost = kw["value"] != kw["value"]
        assert row["value"] == (None if lost else kw["value"])
        assert row["status"] == ("kept" if kw["kept"] else "reverted")
        assert row.get("note") == kw.get("note")
        if lost:
            assert row["reason_code"] == "nan"


def test_changes_may_be_a_dict_a_pair_or_a_list(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    one, two = {"knob": "lr", "value": 1}, {"knob": "n", "value": [2]}
    with start(path) as run:
        for spelt in ({"lr": 1}, ("lr", 1), one, [one], [("lr", 1)]):
            run.trial(spelt, value=1, kept=False)
        run.trial({"lr": 1, "n": [2]}, value=1, kept=False)
        run.trial([("lr", 1), two], value=1, kept=False)
        run.trial(one | {"unit": "1/s"}, value=1, kept=False, diff="")
        with pytest.raises(RecordError, match="changes are a str"):
            run.trial("lr", value=1, kept=False)
    found = [r["attempts"][0]["changes"] for r in rows(path) if r["type"] == "trial"]
    assert not any("diff" in r for r in rows(path))  # an empty text is no text
    assert found == [[one]] * 5 + [[one, two]] * 2 + [[one | {"unit": "1/s"}]]


def test_refused_attempts_nest_before_the_one_that_ran(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    no = Verdict("block_repeat", Level.FAIL, "lr=1 was tried in trial 1", (1,))
    with start(path) as run:
        run.trial(
            {"lr": 2},
            attempts=[{"knob": "lr", "value": 1, "verdict": no}],
            verdict=Verdict("block_repeat", Level.PASS, "never tried"),
            reason="lower",
            value=1,
            kept=True,
        )
        run.trial(attempts=[{"changes": {"lr": 1}, "verdict": no}], status="blocked")
        run.trial(status="proposer_error", reason="no JSON in the reply")
    refused = {
        "changes": [{"knob": "lr", "value": 1}],
        "verdict": {"rule": "block_repeat", "level": "FAIL", "reason": "lr=1 was tried in trial 1", "evidence": [1]},
    }
    _, ran, blocked, error, _ = rows(path)
    assert ran["attempts"] == [
        refused,
        {
            "changes": [{"knob": "lr", "value": 2}],
            "reason": "lower",
            "verdict": {"rule": "block_repeat", "level": "PASS", "reason": "never tried"},
        },
    ]
    assert blocked["attempts"] == [refused]
    assert blocked["value"] is None
    assert error["attempts"] == [{"changes": [], "reason": "no JSON in the reply"}]


@pytest.mark.parametrize(
    ("call", "why"),
    [
        ({"value": 1}, "a trial needs a decision"),
        ({"value": 1, "kept": True, "status": "crashed"}, "cannot be kept=True"),
        ({"value": 1, "kept": False, "status": "kept"}, "cannot be kept=False"),
        ({"kept": True}, "is kept without a value"),
        ({"value": float("nan"), "kept": True}, "is kept without a value"),
        ({"seeds": {0: 1.0, 1: float("inf")}, "kept": True}, "is kept without a value"),
        ({"value": 1, "status": "skipped"}, "status: Input should be"),
        ({"value": "1", "kept": False}, "value: "),
        ({"changes": {}, "value": 1, "kept": False}, "0 of its 0 attempts"),
        ({"changes": {"lr": float("nan")}, "value": 1, "kept": False}, "change of 'lr'.value is nan"),
        ({"changes": {"code:f": "ab"}, "value": 1, "kept": True, "diff": ""}, "no diff"),
        ({"value": 1, "kept": False, "seq": 3}, "seq is the writer's own"),
        ({"value": 1, "kept": False, "note": object()}, "trial.note is a object"),
        ({"kept": True, "holdout": {"m": 1}, "holdout_pass": True}, "is kept without a value"),
        ({"value": 1, "kept": True, "holdout_pass": True}, "needs its values and its bit"),
        ({"value": 1, "kept": True, "holdout": {"m": 1}}, "needs its values and its bit"),
        ({"value": 1, "kept": True, "holdout": {"m": float("nan")}, "holdout_pass": True}, "unknown is no pass"),
    ],
)
def test_a_dishonest_call_is_refused_and_leaves_nothing(tmp_path: Path, call: dict[str, Any], why: str) -> None:
    path = tmp_path / "run.jsonl"
    run = start(path)
    before = path.read_bytes()
    with pytest.raises(RecordError, match=re.escape(why)) as caught:
        run.trial(**{"changes": {"lr": 1}} | call)
    assert "\n" not in str(caught.value)
    assert path.read_bytes() == before
    assert not (tmp_path / "run.holdout.jsonl").exists()
    assert run.trial({"lr": 1}, value=1, kept=True) == 1
    run.close()


def test_a_value_follows_from_its_seeds_only_where_all_ended_well(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    with start(path) as run:
        run.trial({"lr": 1}, seeds={0: 1, 1: 2}, kept=True)
        run.trial({"lr": 2}, seeds={0: 1, 1: 2}, value=1.5, kept=True)
        run.trial({"lr": 3}, seeds={0: 1, 1: 2}, value=1, kept=True)
        run.trial({"lr": 4}, seeds={0: 1, 1: None}, kept=False)
        run.trial({"lr": 5}, seeds=[{"seed": 0, "status": "crashed", "error": "oom"}], status="crashed")
        run.trial({"lr": 6}, seeds={0: float("nan")}, kept=False)
        run.measure("baseline", seeds={0: 1, 1: 2})
    found = [r for r in rows(path) if r["type"] in ("trial", "measure")]
    assert [(r["value"], r.get("value_source")) for r in found] == [
        (1.5, "seeds"),
        (1.5, "seeds"),
        (1, "reported"),
        (None, None),
        (None, None),
        (None, None),
        (1.5, None),
    ]
    assert found[3]["seeds"][1]["status"] == "missing"
    assert (found[5]["seeds"][0]["status"], found[5]["reason_code"]) == ("nan", "nan")


def test_the_incumbent_is_tracked_and_found_again(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    base = {"lr": 1, "n": 2}
    with start(path, base=base, evaluator_hash="e") as run:
        run.trial({"lr": 2}, value=1, kept=True)
        run.trial({"n": 3}, value=1, kept=False)
        run.measure("incumbent", value=1)
        run.measure("baseline", value=1)
    with start(path, base=base, evaluator_hash="e", resume=True) as run:
        run.trial({"n": 4}, value=1, kept=True)
        run.trial({"n": 5}, value=1, kept=False, base_config=base)
        run.trial({"n": 5}, status="blocked")

    def name(lr: int, n: int) -> str:
        return config_hash({"n": n, "lr": lr}, evaluator="e")

    found = [(r.get("base_hash"), r.get("config_hash")) for r in rows(path) if r["type"] in ("trial", "measure")]
    assert rows(path)[0]["base"] == {"config": base, "hash": name(1, 2)}
    assert found == [
        (name(1, 2), name(2, 2)),
        (name(2, 2), name(2, 3)),
        (None, name(2, 2)),
        (None, name(1, 2)),
        (name(2, 2), name(2, 4)),
        (name(1, 2), name(1, 5)),
        (name(2, 4), None),
    ]


def test_an_incumbent_that_cannot_be_named_is_unknown(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    with start(path, base={"lr": 1}) as run:
        run.trial({"lr": 2}, value=1, kept=True, config_hash="f" * 16)
        run.trial({"lr": 3}, value=1, kept=False)
    with start(path, base={"lr": 1}, resume=True) as run:
        run.trial({"lr": 3}, value=1, kept=False)
    trials = [r for r in rows(path) if r["type"] == "trial"]
    assert trials[0]["config_hash"] == "f" * 16
    assert not {"base_hash", "config_hash"} & (trials[1].keys() | trials[2].keys())


def test_names_and_values_count_as_the_menu_knows_them(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    menu = {"knobs": {"lr": {"type": "float", "range": [0.1, 9], "default": 1, "aliases": ["learning_rate"]}}}
    with start(path, base={"lr": 1}, menu=menu) as run:
        run.trial({"learning_rate": "2.0"}, value=1, kept=True)
        run.trial({"lr": 2}, value=1, kept=False)
    trials = [r for r in rows(path) if r["type"] == "trial"]
    assert trials[0]["attempts"][0]["changes"] == [{"knob": "learning_rate", "value": "2.0"}]
    assert trials[0]["config_hash"] == config_hash({"lr": 2}) == trials[1]["base_hash"] == trials[1]["config_hash"]
    with pytest.raises(MenuError):
        start(tmp_path / "other.jsonl", menu={"knobs": {"lr": {"type": "float", "range": [9, 1]}}})


def test_times_are_utc_with_milliseconds(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    with start(path, now=lambda: datetime(2026, 1, 1, 1, 2, 3, 456789, timezone(timedelta(hours=2)))) as run:
        run.trial({"lr": 1}, value=1, kept=True, started=NOON)
    header, trial, _ = rows(path)
    assert header["started"] == trial["ended"] == "2025-12-31T23:02:03.456Z"
    assert trial["started"] == "2026-01-01T12:00:00.000Z"


def test_keys_stand_in_the_order_of_the_contract(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    with start(path) as run:
        run.trial({"lr": 1}, value=1, kept=True, zz=1, wall_s=2.0, diff="-a\n+b", metrics={"acc": 0.5})
    keys = "v type seq prev iter ended status attempts diff value value_source metrics cost zz"
    assert list(rows(path)[1]) == keys.split()
    assert b" " not in path.read_bytes()


def test_the_writer_costs_no_pydantic_until_a_run_is_opened() -> None:
    done = python("import sys, trajscope.writer, trajscope.chain, trajscope.blobs; print('pydantic' in sys.modules)")
    assert done.stdout == "False\n"


def test_an_exception_leaves_no_end_and_no_lock(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    with pytest.raises(ZeroDivisionError), start(path) as run:
        run.trial({"lr": 1}, value=1 / 0, kept=True)
    assert [r["type"] for r in rows(path)] == ["run"]
    start(path, resume=True).close()
