"""Replay: what would have been said while the run went on is what the file cut there says."""

from __future__ import annotations

from pathlib import Path

from clirun import AMNESIAC, SAMPLES

from trajscope import menu, replay
from trajscope.readers import Source


def source(path: Path) -> Source:
    return Source(str(path), menu=menu.load(AMNESIAC.with_name("amnesiac.menu.json")) if path.stem[0] == "a" else None)


def test_a_step_says_what_the_file_cut_there_says(tmp_path: Path) -> None:
    lines = AMNESIAC.read_bytes().splitlines(keepends=True)
    whole = {step.trials: step for step in replay.steps(source(AMNESIAC))}
    assert list(whole) == list(range(1, 51))
    for n in (1, 7, 29, 30, 50):
        (tmp_path / "a.jsonl").write_bytes(b"".join(lines[: n + 1]))
        *_, last = replay.steps(source(tmp_path / "a.jsonl"))
        assert last._replace(left_s=0) == whole[n]._replace(left_s=0)


def test_the_time_that_was_left_shrinks_to_nothing() -> None:
    left = [step.left_s for step in replay.steps(source(AMNESIAC))]
    assert left == sorted(left, reverse=True)
    assert abs(left[-1]) < 1e-6


def test_every_so_many_trials_are_enough() -> None:
    path = SAMPLES / "gamer" / "gamer.jsonl"
    assert [step.trials for step in replay.steps(source(path), every=25)] == [25, 50, 75, 100]
