"""pi-autoresearch: config lines that begin runs, results, hooks, and the quirks of its writers.

Planted and seen to fail: an unknown status read as a keep (as its own tools do), a crash's 0 taken for a value, a
config line that begins no run, the direction left out of a config not taken for lower, hooks dropped.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, ClassVar

import pytest
from clirun import SAMPLES, Cli
from hypothesis import given
from hypothesis import strategies as st
from jsonrows import header, items, labels, of, trials, written
from watchruns import watched

from trajscope.readers.pi import Pi
from trajscope.testing import ReaderContract
from trajscope.trial import Event, Header, Measure, Trial, Unreadable

CONFIG = {"type": "config", "name": "n", "metricName": "ms", "metricUnit": "ms", "bestDirection": "lower"}


def result(
    run: int = 1, metric: Any = 10.0, status: str = "keep", description: str = "x", **more: Any
) -> dict[str, Any]:
    return {"run": run, "commit": "abc1234", "metric": metric, "metrics": {}, "status": status,
            "description": description, "timestamp": 1780000000000 + run, "segment": 0} | more  # fmt: skip


class TestPi(ReaderContract):
    reader = Pi
    sample = SAMPLES / "pi" / "pi.jsonl"
    more = (SAMPLES / "pi" / "two_rulers.jsonl",)


class TestPiWithAnotherMetric(ReaderContract):
    reader = Pi
    sample = SAMPLES / "pi" / "pi.jsonl"
    options: ClassVar[dict[str, Any]] = {"metric": "allocs", "goal": "minimize"}


def test_a_config_after_results_begins_a_run_with_its_own_ruler_once_something_was_measured() -> None:
    other = CONFIG | {"metricName": "hits", "bestDirection": "higher", "metricUnit": "%"}
    found = items(written(CONFIG, result(), CONFIG, other, result(1, 5)))
    heads = of(Header, found)
    assert [(h.run_id, h.metric, h.goal, h.unit) for h in heads] == [
        ("x", "ms", "minimize", "ms"), ("x-2", "hits", "maximize", "%"),
    ]  # fmt: skip
    assert [type(x).__name__ for x in found] == ["Header", "Trial", "Event", "Event", "Header", "Trial"]


def test_a_log_that_begins_with_results_has_a_metric_without_a_direction() -> None:
    data = written(result(), result(2, 9))
    assert (header(data).metric, header(data).goal) == ("metric", None)
    assert header(data, goal="maximize").goal == "maximize"
    assert [t.value for t in trials(data)] == [10, 9]


def test_a_config_without_a_direction_means_lower_as_it_does_to_its_writer() -> None:
    assert header(written({"type": "config", "metricName": "thing"}, result())).goal == "minimize"


@pytest.mark.parametrize(
    ("word", "status"),
    [
        ("keep", "kept"), ("KEEP", "kept"), ("discard", "reverted"), ("crash", "crashed"),
        ("checks_failed", "ineligible"), ("parked", "other"), ("", "other"),
    ],
)  # fmt: skip
def test_a_status_is_what_it_says_and_an_unknown_one_is_no_keep(word: str, status: str) -> None:
    found = trials(written(CONFIG, result(), result(2, 9, word)))[1]
    assert (found.status, found.raw_status) == (status, word or None)


def test_a_crash_that_scored_nothing_has_no_value_and_no_best_comes_of_it() -> None:
    found = trials(written(CONFIG, result(), result(2, 0, "crash"), result(3, 0, "discard")))
    assert [t.value for t in found] == [10, None, None]
    assert "taken as missing" in found[2].faults[0]


def test_a_zero_before_anything_was_measured_is_no_value_and_a_later_one_that_was_kept_is() -> None:
    early = trials(written(CONFIG, result(1, 0), result(2, 5)))
    assert ([t.value for t in early], len(early[0].faults)) == ([None, 5], 1)
    assert [t.value for t in trials(written(CONFIG, result(1, 3), result(2, 0)))] == [3, 0]
    up = CONFIG | {"bestDirection": "higher"}
    assert [t.value for t in trials(written(up, result(1, 0), result(2, 5)))] == [0, 5]


def test_a_first_result_that_calls_itself_the_baseline_is_a_measure() -> None:
    found = items(written(CONFIG, result(1, 12, description="Baseline: as it was"), result(2, 11)))
    assert [(m.what, m.value) for m in of(Measure, found)] == [("baseline", 12)]
    assert len(of(Trial, found)) == 1


def test_hooks_and_lines_of_other_types_are_events_and_what_is_no_record_is_said() -> None:
    hook = {"type": "hook", "stage": "before", "exit_code": 0}
    found = items(written(CONFIG, hook, {"type": "note", "text": "x"}, {"what": 1}, result()))
    assert [e.kind for e in of(Event, found)] == ["hook", "note"]
    assert [u.seq for u in of(Unreadable, found)] == [3]


def test_other_numbers_may_come_and_go_and_any_of_them_may_be_the_metric() -> None:
    data = written(CONFIG, result(1, 10), result(2, 9, metrics={"allocs": 7}, confidence=1.5, iterationTokens=900))
    assert [t.metrics for t in trials(data)] == [None, {"allocs": 7.0, "confidence": 1.5, "iterationTokens": 900.0}]
    assert [t.value for t in trials(data, metric="allocs")] == [None, 7]
    assert (header(data, metric="allocs").goal, header(data, metric="allocs").unit) == (None, None)


def test_knobs_are_taken_from_the_free_remarks_only_where_a_knob_has_its_value() -> None:
    said = ({"knob": "lr", "value": 0.1}, {"params": {"lr": 0.1, "depth": 2}}, {"knob": "lr"}, {"hypothesis": "lr"})
    found = trials(written(CONFIG, *(result(n, 9, asi=x) for n, x in enumerate(said, 1))))
    assert labels(found)[:2] == ["lr=0.1", "depth=2 + lr=0.1"]
    assert [t.provenance for t in found] == ["native", "native", "hash", "hash"]


def test_what_it_cost_and_when_it_was_stand_in_the_trial() -> None:
    (found,) = trials(written(CONFIG, result(cost={"total": 0.25}, timestamp=1780000000123)))
    assert (found.usd, found.time_ms) == (0.25, 1780000000123)


def test_runs_without_a_commit_are_read_as_well() -> None:
    row = result()
    del row["commit"], row["segment"]
    assert [t.status for t in trials(written(CONFIG, row))] == ["kept"]


@given(
    st.lists(
        st.tuples(st.sampled_from(["keep", "discard", "crash", "x"]), st.sampled_from([0, 1, 2.5, None])), max_size=9
    )
)
def test_every_result_is_a_trial_or_the_baseline_and_no_crash_is_worth_zero(rows: list[tuple[str, Any]]) -> None:
    found = items(written(CONFIG, *(result(n, v, s) for n, (s, v) in enumerate(rows))))
    assert len(of(Trial, found)) + len(of(Measure, found)) == len(rows)
    assert all(t.value != 0 for t in of(Trial, found) if t.status == "crashed")
    assert sum(t.status == "kept" for t in of(Trial, found)) == sum(s == "keep" for s, _ in rows)


def test_a_log_that_grows_is_followed_line_by_line(tmp_path: Path) -> None:
    path = tmp_path / "autoresearch.jsonl"
    path.write_bytes(written(CONFIG, result(1, 10)))
    watching = watched(path)
    assert [t.row.seq for t in watching.look(0).trials] == [1]
    with path.open("ab") as f:
        f.write(written(result(2, 9)) + json.dumps(result(3, 8)).encode()[:40])
    watching.step(1.0)
    assert [t.row.seq for t in watching.look(1.0).trials] == [2, 1]


def test_watch_prints_the_run_that_is_going_on(tmp_path: Path) -> None:
    done = Cli(tmp_path)("watch", SAMPLES / "pi" / "pi.jsonl", "--once", "--plain", COLUMNS="120")
    assert "7 trials" in done.stdout
    assert "best 845" in done.stdout
