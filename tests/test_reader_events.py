"""Event logs: several lines for each experiment, one trial when its last is there.

Planted and seen to fail: a trial for every line, a decision that comes before any metric taken for no end, an
experiment begun anew that leaves no trace of the first try, a body that is not looked into.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from clirun import SAMPLES
from jsonrows import header, items, labels, of, trials, written
from watchruns import watched

from trajscope.readers.events import Events
from trajscope.testing import ReaderContract
from trajscope.trial import Event, Trial, Unreadable


def told(event: str, key: str | None = "t1", **body: Any) -> dict[str, Any]:
    return {"timestamp": "2026-01-01T00:00:00", "event_type": event, "payload": body} | (
        {"trial_id": key} if key else {}
    )


class TestEvents(ReaderContract):
    reader = Events
    sample = SAMPLES / "events" / "rounds.jsonl"

    def test_a_header_comes_first(self) -> None:
        """Here it waits for the first result: until then nothing says what is measured."""
        found = items(self._samples()[0])
        assert [type(x).__name__ for x in found[:3]] == ["Event", "Header", "Trial"]


def test_an_experiment_is_one_trial_on_the_line_that_ends_it_and_its_other_lines_are_events() -> None:
    data = written(
        told("created", params={"lr": 0.1}), told("segment_end", returncode=0),
        told("decided", decision="keep", val_loss=0.5), told("created", "t2", params={"lr": 0.2}),
        told("decided", "t2", decision="discard", val_loss=0.6),
    )  # fmt: skip
    found = items(data)
    assert [(t.seq, t.status, t.value) for t in of(Trial, found)] == [(2, "kept", 0.5), (4, "reverted", 0.6)]
    assert [e.kind for e in of(Event, found) if e.kind != "claim"] == ["created", "segment_end", "created"]
    assert labels(of(Trial, found))[1] == "lr=0.2"


def test_experiments_that_overlap_are_told_apart() -> None:
    data = written(
        told("created", "a", params={"x": 1}), told("created", "b", params={"x": 2}),
        told("decided", "b", decision="keep", val_loss=2.0), told("decided", "a", decision="discard", val_loss=1.0),
    )  # fmt: skip
    assert [(t.status, t.value) for t in trials(data)] == [("kept", 2.0), ("reverted", 1.0)]


def test_an_experiment_that_is_begun_anew_leaves_the_first_try_as_aborted() -> None:
    data = written(
        told("created", "z", params={"x": 9}), told("decided", "z", decision="keep", val_loss=3.0),
        told("started", params={"x": 1}), told("loop_started", None), told("started", params={"x": 2}),
        told("decided", decision="discard", val_loss=2.0),
    )  # fmt: skip
    assert [(t.status, *labels([t])) for t in trials(data)][1:] == [("aborted", "x=1"), ("reverted", "x=2")]


@pytest.mark.parametrize(
    ("event", "status"), [("run_failed", "crashed"), ("timeout", "crashed"), ("early_stop", "aborted")]
)
def test_an_event_may_say_by_its_name_that_it_is_the_end(event: str, status: str) -> None:
    (found,) = trials(written(told("created", params={"x": 1}), told(event, val_loss=2.0)))
    assert found.status == status


def test_results_that_no_verdict_follows_are_trials_once_the_next_one_shows_it() -> None:
    lines = [x for n in "abc" for x in (told("created", n, params={"x": n}), told("finished", n, val_loss=1.0))]
    found = trials(written(*lines))
    assert [(t.seq, t.status) for t in found] == [(2, "reverted"), (3, "reverted"), (5, "reverted")]
    assert header(written(*lines)).has_keeps is False


def test_an_experiment_whose_end_is_never_told_is_none_that_was_reverted() -> None:
    lines = [x for n in "ab" for x in (told("created", n, params={"x": n}), told("segment_end", n, returncode=0))]
    data = written(*lines, told("created", "c", params={"x": "c"}))
    found = of(Trial, items(data, Events))
    assert [(t.status, t.raw_status) for t in found] == [("other", "no result")] * 2


def test_a_line_without_an_event_is_said_and_not_dropped() -> None:
    data = written(told("created", params={"x": 1}), {"x": 1}, told("decided", decision="keep", val_loss=1.0))
    assert [u.seq for u in of(Unreadable, items(data))] == [1]


def test_a_log_of_events_with_ids_of_their_own_is_no_log_of_experiments() -> None:
    assert not Events.sniff(written(*(told("clicked", f"id{n}", status="ok") for n in range(9))))


def test_a_log_that_grows_has_its_trial_when_the_last_line_is_there(tmp_path: Path) -> None:
    path = tmp_path / "trials.jsonl"
    path.write_bytes(written(told("created", params={"x": 1}), told("decided", decision="keep", val_loss=1.0),
                             told("created", "t2", params={"x": 2})))  # fmt: skip
    watching = watched(path)
    assert len(watching.look(0).trials) == 1
    with path.open("ab") as f:
        f.write(written(told("decided", "t2", decision="discard", val_loss=2.0)))
    watching.step(1.0)
    assert [t.row.seq for t in watching.look(1.0).trials] == [3, 1]
