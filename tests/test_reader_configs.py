"""JSON lines of one experiment each: roles found by name and content, whole configurations, words of every kind.

Planted and seen to fail: a seed left in the identity of a configuration, a NaN taken for a value, `false` read without
its reason, a row without a verdict read as a keep, the metric of a first row that failed never looked for again, a
path compared with its folders.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, ClassVar

import pytest
from clirun import SAMPLES, Cli, error
from hypothesis import given
from hypothesis import strategies as st
from jsonrows import header, items, labels, of, trials, written
from watchruns import watched

from trajscope.errors import ForeignError
from trajscope.layout import Layout
from trajscope.readers import find
from trajscope.readers.configs import Configs
from trajscope.readers.roles import roles
from trajscope.testing import ReaderContract
from trajscope.trial import Event, Header, Measure, Trial, Unreadable

NESTED = {"id": 1, "status": "KEEP", "val_loss": 1.0, "config": {"seed": 1, "data": {"path": "a/b", "cols": ["x"]}}}


class TestConfigs(ReaderContract):
    reader = Configs
    sample = SAMPLES / "configs" / "yes_or_no.jsonl"
    more = (SAMPLES / "configs" / "overrides.jsonl", written(NESTED, NESTED | {"status": "DISCARD"}))


class TestConfigsWithALayout(ReaderContract):
    reader = Configs
    sample = written(*({"id": n, "val_loss": 1.0, "kept": n == 1, "train_seconds": 2.0} for n in (1, 2)))
    options: ClassVar[dict[str, Any]] = {"layout": Layout(metric="train_seconds", status="kept", goal="minimize")}


def row(n: int = 1, value: Any = 1.0, status: Any = "KEEP", **config: Any) -> dict[str, Any]:
    return {"id": n, "status": status, "val_loss": value, "config": {"lr": 0.1, "depth": 4} | config}


# --- what a field is for ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "metric", "goal"),
    [
        ({"val_bpb": 1.0, "val_loss": 2.0}, "val_bpb", "minimize"),
        ({"val_acc": 0.5, "train_acc": 0.9}, "val_acc", "maximize"),
        ({"results": {"val_bpb": 1.0, "peak_vram_mb": 3}}, "val_bpb", "minimize"),
        ({"objective": {"proxy_score": 1.0, "bytes_total": 5}}, "proxy_score", "maximize"),
        ({"score": None, "wall_time_s": 3.0}, "score", "maximize"),
        ({"thing": 3.0, "seconds": 9.0}, "thing", None),
        ({"val_primary": 3.0, "config": {"composite": {"higher_is_better": False}}}, "val_primary", "minimize"),
        ({"thing": 1.0, "direction": "maximize"}, "thing", "maximize"),
        ({"ahead": 1.0, "imm": 2.0}, None, None),
    ],
)
def test_the_metric_is_the_number_that_is_optimised(
    fields: dict[str, Any], metric: str | None, goal: str | None
) -> None:
    found = roles({"status": "ok", **fields})
    assert found is not None
    assert (found.layout.metric, found.layout.goal) == (metric, goal)


def test_two_metrics_with_no_primary_are_named_and_neither_is_taken() -> None:
    data = written(*({"exp": n, "change": "x", "ahead": n / 2, "imm": n / 3, "status": "KEEP"} for n in (1, 2)))
    assert header(data).metric is None
    said = "nothing tells which of ahead, imm is the metric; name it with --metric"
    assert header(data).guesses == (said,)
    assert [t.value for t in trials(data, metric="imm", goal="minimize")] == [1 / 3, 2 / 3]


def test_what_was_guessed_is_said_once_and_not_where_somebody_said_it() -> None:
    data = written(row(1), row(2, 0.9), row(3, 0.8))
    assert [e.data["text"] for e in of(Event, items(data))] == [
        "val_loss is taken to be better lower, by its name; --goal says otherwise"
    ]
    assert of(Event, items(data, goal="minimize")) == []


def test_the_choice_of_a_metric_is_said_with_the_run() -> None:
    data = written(*({"id": n, "exit_code": 0, "env": {"A": n}, "val_bpb": 1.0, "int8_bpb": 2.0} for n in (1, 2)))
    assert header(data).guesses == ("the metric is taken to be val_bpb, and not int8_bpb; --metric names another",)
    assert header(data, metric="int8_bpb").guesses == ()
    assert [t.faults for t in trials(data)] == [(), ()]
    assert "say it with --goal" in header(written({"id": 1, "env": {"A": 1}, "quux": 3.0})).guesses[0]


def test_a_test_score_in_every_row_is_remarked_upon() -> None:
    data = written(*(row(n, test_size=0.2) | {"test_loss": 0.5} for n in (1, 2)))
    assert [e.data["text"] for e in of(Event, items(data, goal="minimize"))] == [
        "test_loss stands in every row: whoever reads this log has seen the test set"
    ]


# --- verdicts -----------------------------------------------------------------------------------------------------


def test_rows_without_a_verdict_are_evaluations_and_what_they_propose_is_the_whole_configuration() -> None:
    data = written(*({"params": {"lr": x, "seed": n}, "val_loss": 1.0} for n, x in enumerate((0.1, 0.2, 0.1))))
    assert header(data).has_keeps is False
    found = trials(data)
    assert [t.status for t in found] == ["reverted"] * 3
    assert labels(found) == ["lr=0.1", "lr=0.2", "lr=0.1"]
    assert found[0].config == found[2].config != found[1].config


@pytest.mark.parametrize(("code", "status"), [(0, "reverted"), (1, "crashed"), (-6, "crashed"), (137, "crashed")])
def test_an_exit_code_is_a_status_and_no_verdict(code: int, status: str) -> None:
    data = written({"extra_env": {"A": "1"}, "exit_code": code, "val_loss": 1.0})
    (found,) = trials(data)
    assert (found.status, found.raw_status, header(data).has_keeps) == (status, str(code), False)


@pytest.mark.parametrize(
    ("fields", "status", "raw"),
    [
        ({"kept": True, "gate_reason": "improved"}, "kept", "true"),
        ({"kept": False, "gate_reason": "no_improvement (best=1)"}, "reverted", "no_improvement"),
        ({"kept": False, "gate_reason": "artifact_over_budget (2 > 1)"}, "ineligible", "artifact_over_budget"),
        ({"kept": False, "over_budget": True}, "ineligible", "over_budget"),
        ({"kept": False, "gate_reason": "no_changes"}, "blocked", "no_changes"),
        ({"kept": False}, "reverted", "false"),
    ],
)
def test_a_yes_or_no_is_read_with_its_reason(fields: dict[str, Any], status: str, raw: str) -> None:
    (found,) = trials(written({"id": 1, "val_loss": 1.0, **fields}))
    assert (found.status, found.raw_status) == (status, raw)


def test_a_no_without_a_value_and_with_an_error_is_a_crash() -> None:
    (found,) = trials(written({"id": 1, "val_loss": None, "kept": False, "error": "CUDA error"}))
    assert found.status == "crashed"


def test_a_result_that_calls_itself_invalid_can_be_no_best() -> None:
    data = written({"id": 1, "env": {"A": 1}, "return_code": 0, "objective": {"proxy_score": 1e6, "valid": False}})
    assert [t.status for t in trials(data, goal="minimize")] == ["ineligible"]


def test_a_first_row_that_failed_does_not_settle_what_the_rows_are() -> None:
    bad = {"id": 1, "params": {"lr": 0.1}, "results": {"status": "failed"}}
    good = {"id": 2, "params": {"lr": 0.1}, "results": {"status": "success", "val_loss": 1.0}}
    assert [(h.metric, h.has_keeps) for h in of(Header, items(written(bad, good, good)))] == [
        (None, False), ("val_loss", False),
    ]  # fmt: skip
    found = items(written(bad, good, good), Configs, metric="val_loss")
    assert len(of(Header, found)) == 1
    words = [{"id": 1, "status": "error", "val_loss": None, "config": {"a": 1}}, row(2), row(3, 0.9, "DISCARD", lr=1)]
    found = items(written(*words))
    assert [h.has_keeps for h in of(Header, found)] == [False, True]
    assert [t.status for t in of(Trial, found)] == ["crashed", "kept", "reverted"]


# --- configurations -----------------------------------------------------------------------------------------------


def test_a_trial_is_what_its_configuration_changes_in_that_of_the_last_keep() -> None:
    data = written(
        row(1), row(2, 0.9, "DISCARD", lr=0.2), row(3, 0.8, "KEEP", depth=5), row(4, 0.9, "DISCARD", depth=5, lr=0.3)
    )
    found = trials(data)
    assert labels(found)[1:] == ["lr=0.2", "depth=5", "lr=0.3"]
    assert {t.provenance for t in found[1:]} == {"config"}
    assert found[3].base == found[2].config


def test_a_seed_a_remark_and_a_folder_are_no_part_of_a_configuration() -> None:
    same = (
        {"seed": 1, "description": "a", "data": {"path": "C:\\x\\d.csv"}, "opt": {"rng_seed": 3}, "note": "q"},
        {"seed": 2, "description": "b", "data": {"path": "/srv/y/d.csv"}, "opt": {"rng_seed": 4}, "paths": {"out": 1}},
    )
    one, two = trials(written(*(row(n, 1.0, **c) for n, c in enumerate(same))))
    assert one.config == two.config
    other = trials(written(row(1, 1.0, data={"path": "/srv/y/e.csv"})))[0]
    assert other.config != one.config


def test_numbers_as_text_are_numbers_and_a_long_list_of_words_is_a_set_of_switches() -> None:
    cols = [f"c{n}" for n in range(9)]
    data = written(
        row(1, 1.0, cols=cols, lr="1e-1"),
        row(2, 0.9, "DISCARD", cols=cols[:-1]),
        row(3, 0.9, "DISCARD", cols=cols[::-1]),
    )
    found = trials(data)
    assert labels(found)[1] == "cols.c8=null"
    assert found[2].config == found[0].config
    assert found[2].noop is True


def test_a_configuration_of_five_hundred_keys_and_one_nested_to_any_depth_are_read() -> None:
    wide = {f"k{n}": n for n in range(500)}
    deep: dict[str, Any] = {"x": 1}
    for _ in range(60):
        deep = {"in": deep}
    data = written(row(1, 1.0, **wide), row(2, 0.9, "DISCARD", **wide | {"k7": 8}), row(3, 0.9, "DISCARD", deep=deep))
    found = trials(data)
    assert labels(found)[1] == "k7=8"
    assert found[2].pair is not None


@pytest.mark.parametrize(
    ("said", "label"),
    [
        ([{"key": "LR", "value": "0.10"}, {"key": "K", "value": 4}], "K=4 + LR=0.1"),
        ({"LR": "1e-1"}, "LR=0.1"),
    ],
)
def test_overrides_are_a_proposal_of_their_own_however_they_are_written(said: Any, label: str) -> None:
    (found,) = trials(written({"id": 1, "env_overrides": said, "decision": "keep", "val_loss": 1.0}))
    assert (labels([found]), found.provenance) == ([label], "native")


# --- quirks -------------------------------------------------------------------------------------------------------


def test_nan_and_infinity_are_no_values_and_are_said_to_be_what_the_trial_came_to() -> None:
    lines = [
        f'{{"id":{n},"status":"KEEP","val_loss":{v},"config":{{"a":{n}}}}}'
        for n, v in enumerate(("NaN", "-Infinity", "1.0"))
    ]
    found = trials(written(*lines))
    assert [(t.value, t.reason_code, t.faults) for t in found] == [
        (None, "nan", ()),
        (None, "nan", ()),
        (1.0, None, ()),
    ]


def test_a_value_as_text_is_a_number_and_a_text_that_is_none_is_said() -> None:
    found = trials(written(row(1, "1.25"), row(2, "see log"), row(3, "n/a")))
    assert [t.value for t in found] == [1.25, None, None]
    assert "no number" in found[1].faults[0]


def test_a_line_of_another_kind_is_an_event_where_it_says_what_it_is_and_else_unreadable() -> None:
    found = items(
        written(
            row(1), {"type": "summary", "best": 1}, {"_note": 1}, {"what": 1}, "oops", *(row(n, 0.5) for n in (2, 3, 4))
        )
    )
    assert [e.kind for e in of(Event, found)][1:] == ["summary", "note"]
    assert [u.seq for u in of(Unreadable, found)] == [3, 4]
    assert len(of(Trial, found)) == 4


def test_a_column_that_the_first_row_did_not_have_is_read_where_it_comes() -> None:
    late = row(2, 0.9) | {"train_seconds": 30.0, "timestamp": "2026-01-01T00:00:00"}
    one, two = trials(written(row(1, None, "crash"), late))
    assert (one.wall_s, two.wall_s, two.time_ms) == (None, 30.0, 1767225600000)


def test_a_training_corpus_is_named_as_one_and_read_where_somebody_asks(tmp_path: Path) -> None:
    said = json.dumps({"knob": "lr", "new_value": 0.2})
    chat = [{"role": "user", "content": "?"}, {"role": "assistant", "content": said}]
    data = written(*({"iter": n, "messages": chat, "decision": "revert", "val_bpb": 1.0 + n} for n in (1, 2)))
    with pytest.raises(ForeignError, match=r"is a training corpus \(chats with decision\).*--reader configs"):
        find("train.jsonl", data)
    found = of(Trial, items(data, Configs))
    assert (labels(found), found[0].provenance) == (["lr=0.2", "lr=0.2"], "native")
    (tmp_path / "train.jsonl").write_bytes(data)
    assert "training corpus" in error(Cli(tmp_path)("analyze", tmp_path / "train.jsonl"))


@pytest.mark.parametrize(
    "line",
    [
        {"step": 1, "loss": 2.0, "lr": 0.1},
        {"role": "user", "content": "x", "status": "ok"},
        {"level": "info", "message": "started", "status": "ok"},
        {"event": "x", "status": "ok", "val_loss": 1.0},
    ],
)
def test_training_logs_chats_and_messages_are_nobodys_experiments(line: dict[str, Any]) -> None:
    assert not Configs.sniff(written(line, line, line))


def test_a_layout_opens_rows_whose_names_nobody_knows() -> None:
    data = written(*({"n": n, "quux": 1.0 / n, "went": w} for n, w in ((1, "fine"), (2, "bad"))))
    said = Layout(metric="quux", goal="minimize", status="went", statuses={"kept": ("fine",), "reverted": ("bad",)})
    assert not Configs.sniff(data)
    assert Configs.fits(data, said)
    found = of(Trial, items(data, Configs, layout=said))
    assert [(t.status, t.value) for t in found] == [("kept", 1.0), ("reverted", 0.5)]


@given(
    st.lists(
        st.fixed_dictionaries(
            {"status": st.sampled_from(["KEEP", "DISCARD", "crash", "?"])},
            optional={
                "val_loss": st.sampled_from([0, 1, 0.5, None, "nan", "0.7", True]),
                "config": st.dictionaries(st.sampled_from("abc"), st.sampled_from([1, "1", None, [1], {"d": 2}])),
            },
        ),
        max_size=8,
    )
)
def test_every_row_with_a_status_is_one_trial_and_only_keep_is_kept(rows: list[dict[str, Any]]) -> None:
    found = items(written(*rows), Configs)
    assert len(of(Trial, found)) + len(of(Measure, found)) == len(rows)
    assert sum(t.status == "kept" for t in of(Trial, found)) == sum(r["status"] == "KEEP" for r in rows)
    assert all(t.config is None or t.config != "" for t in of(Trial, found))


def test_a_file_that_grows_is_followed(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    path.write_bytes(written(row(1), row(2, 0.9)))
    watching = watched(path)
    with path.open("ab") as f:
        f.write(written(row(3, 0.8, lr=9)) + b'{"id": 4, "sta')
    watching.step(1.0)
    assert [t.row.seq for t in watching.look(1.0).trials] == [2, 1, 0]
