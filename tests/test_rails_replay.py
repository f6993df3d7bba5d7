"""What the rails would have blocked in a run that is over: the amnesiac's published numbers, and small runs by hand."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from campaign import BASE, HASH, MENU, write

from trajscope import menu as menus
from trajscope.errors import SourceError
from trajscope.pair import config_hash
from trajscope.rails.backtest import replay
from trajscope.readers import Source

ROOT = Path(__file__).resolve().parents[1] / "sample_runs"
AMNESIAC = Source(str(ROOT / "amnesiac" / "amnesiac.jsonl"), menu=menus.load(ROOT / "amnesiac" / "amnesiac.menu.json"))


def blocked(found: Any) -> set[int]:
    return {seq for seqs in found.blocked.values() for seq in seqs}


def test_of_the_amnesiac_the_repeat_rail_alone_blocks_36_and_loses_7_of_8_keeps_and_says_both() -> None:
    r = replay(AMNESIAC, only="repeat")
    assert (r.trials, r.passed, {rule: len(seqs) for rule, seqs in r.blocked.items()}) == (50, 14, {"repeat": 36})
    assert (round(r.returned_s), round(r.total_s)) == (3266, 4406)
    assert (len(r.keeps), set(r.keeps) - set(r.keeps_blocked)) == (8, {4})
    assert r.sentence == (
        "the repeat rail alone would have blocked 36 of 50 trials and returned 3,266 of 4,406 s; but of 8 keeps 7 "
        "are among them, all but iteration 4"
    )
    # The proposals that were new, from the table of the run.
    assert set(range(1, 51)) - blocked(r) == {1, 2, 3, 4, 10, 12, 13, 14, 17, 20, 21, 25, 38, 48}


def test_a_rail_that_sees_five_proposals_blocks_11_of_them() -> None:
    r = replay(AMNESIAC, only="repeat", window=5)
    # By the gaps of the same table: 1 four times, 2 six times, 5 once.
    assert blocked(r) == {5, 6, 11, 15, 27, 29, 32, 33, 34, 36, 40}
    assert "looking back 5 trials" in r.sentence


@pytest.mark.parametrize("window", [49, 50, 1000])
def test_a_window_as_long_as_the_run_is_the_full_history(window: int) -> None:
    assert blocked(replay(AMNESIAC, only="repeat", window=window)) == blocked(replay(AMNESIAC, only="repeat"))


def test_the_whole_chain_also_blocks_the_no_op() -> None:
    r = replay(AMNESIAC)
    assert {rule: len(seqs) for rule, seqs in r.blocked.items()} == {"repeat": 36, "noop": 1}
    assert r.blocked["noop"] == (48,)
    assert blocked(replay(AMNESIAC, only="noop")) == {48}


def run(tmp_path: Path, *trials: dict[str, Any], **header: Any) -> Source:
    return Source(str(write(tmp_path / "run.jsonl", trials, **header)), menu=MENU)


def test_a_moving_base_is_the_one_that_was_recorded(tmp_path: Path) -> None:
    kept = config_hash({**BASE, "a": 2})
    moved: dict[str, Any] = {"base_hash": kept, "config_hash": None}
    rows: list[dict[str, Any]] = [
        {"changes": {"d": "v"}},
        {"changes": {"a": 2}, "status": "kept"},
        {"changes": {"d": "v"}, "intent": "revisit", **moved},  # declared, and true
        {"changes": {"a": 2}, **moved},  # changes nothing there
        {"changes": {"d": "v"}, **moved},  # not declared
        {"changes": {"d": "v"}, "intent": "replicate", **moved},
        {"changes": {"d": "v"}, "intent": "revisit", **moved},  # no longer a new base
    ]
    r = replay(run(tmp_path, *rows))
    assert r.blocked == {"noop": (4,), "repeat": (5,), "revisit": (7,)}
    assert (r.trials, r.passed, r.keeps, r.keeps_blocked) == (7, 4, (2,), ())
    assert r.sentence.endswith("returned 30 of 70 s; no keep is among them")


def test_near_repeats_count_and_what_was_not_tried_does_not(tmp_path: Path) -> None:
    rows: list[dict[str, Any]] = [
        {"changes": {"b": 0.3}, "status": "blocked"},
        {"changes": {"b": 0.3}},
        {"changes": {"b": 0.31}, "cost": {"usd": 2.0}},
        {"status": "proposer_error"},
        {"changes": {"b": 0.9}, "cost": {"usd": 1.0, "wall_s": 5}},
    ]
    r = replay(run(tmp_path, *rows))
    assert r.blocked == {"near": (3,)}
    assert (r.trials, r.returned_usd, r.total_usd, r.unpriced) == (3, 2.0, 3.0, 1)
    assert r.sentence == (
        "the rails would have blocked 1 of 3 trials and returned 0 of 15 s and 2.00 of 3.00 USD "
        "(how long they took is unknown of 1)"
    )


def test_trials_that_do_not_say_what_they_changed_are_counted_apart(tmp_path: Path) -> None:
    r = replay(run(tmp_path, {"changes": {"a": 2}}, {}))
    assert (r.trials, r.silent) == (1, (2,))
    assert "not asked about, since they do not say what they changed: 1" in r.sentence


def test_a_new_header_begins_with_its_own_base_and_the_same_history(tmp_path: Path) -> None:
    rows: list[dict[str, Any]] = [
        {"_meta": "m", "baseline_val_bpb": 1.0, "baseline_cfg": BASE},
        {"stage": "evaluated", "proposal": {"knob": "a", "new_value": 2}, "candidate_cfg": {**BASE, "a": 2}},
        {"_meta": "m", "baseline_val_bpb": 1.0, "baseline_cfg": {**BASE, "d": "v"}},
        {"stage": "evaluated", "proposal": {"knob": "a", "new_value": 2}, "candidate_cfg": {**BASE, "d": "v", "a": 2}},
        {"stage": "evaluated", "proposal": {"knob": "d", "new_value": "v"}, "candidate_cfg": {**BASE, "d": "v"}},
    ]
    path = tmp_path / "stages.jsonl"
    path.write_text("".join(json.dumps(r | {"decision": "revert", "val_bpb": 1.0}) + "\n" for r in rows), "utf-8")
    assert replay(Source(str(path), menu=MENU)).blocked == {"repeat": (3,), "noop": (4,)}


def test_there_is_nothing_to_replay_where_nothing_ran(tmp_path: Path) -> None:
    for source in (run(tmp_path), run(tmp_path, {"changes": {"a": 2}, "status": "blocked"})):
        with pytest.raises(SourceError, match="nothing to replay"):
            replay(source)
    (tmp_path / "empty.jsonl").write_bytes(b"")
    with pytest.raises(SourceError, match="is empty"):
        replay(Source(str(tmp_path / "empty.jsonl")))
    with pytest.raises(SourceError, match="a window of 0"):
        replay(AMNESIAC, window=0)
    assert HASH
