"""A folder that is watched: what appears in it, however deep, and what is none of ours."""

from __future__ import annotations

import bz2
import gzip
import lzma
import time
from pathlib import Path

import pytest
from watchruns import NOON, header, sample, trial, write

from trajscope.readers import Source
from trajscope.wake import Wake
from trajscope.watch import group as groups
from trajscope.watch.group import Group, beats


def on(folder: Path) -> Group:
    """A folder that is watched, searched once."""
    group = Group(lambda path: (Source(str(path)), None), folder=folder)
    group.turn(NOON)
    return group


def names(group: Group) -> list[str]:
    return sorted(Path(p).name for p in group.runs)


def test_a_run_in_a_new_folder_appears_when_something_was_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(groups, "REST", 0)
    group = on(tmp_path)
    (tmp_path / "deep" / "er").mkdir(parents=True)
    write(tmp_path / "deep" / "er" / "new.jsonl", header(), trial(1))
    group.turn(NOON + 0.1)
    assert names(group) == []  # nobody said so
    group.search_soon()
    group.turn(NOON + 0.1)
    assert names(group) == ["new.jsonl"]
    write(tmp_path / "deep" / "next.jsonl", header(), trial(1))
    group.turn(NOON + 0.2)
    group.turn(NOON + 0.1 + groups.SEARCH_S)
    assert names(group) == ["new.jsonl", "next.jsonl"]  # found without a word in any case


def test_a_search_that_takes_long_is_made_less_often(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ticks = iter(range(1000))
    monkeypatch.setattr(groups, "perf_counter", lambda: float(next(ticks)))  # each search takes a second
    group = on(tmp_path)
    write(tmp_path / "new.jsonl", header(), trial(1))
    group.search_soon()
    group.turn(NOON + groups.REST - 1)
    assert (names(group), group.made) == ([], True)
    group.turn(NOON + groups.REST)
    assert (names(group), group.made) == (["new.jsonl"], False)


def test_a_notice_from_below_brings_a_new_run_long_before_the_next_search(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(groups, "SEARCH_S", 1e9)
    (tmp_path / "a").mkdir()
    with Wake([tmp_path], look_s=1) as wake:
        group = on(tmp_path)
        beat = beats(group, wake, time.time)
        next(beat)
        next(beat)
        assert not group.made
        write(tmp_path / "a" / "new.jsonl", header(), trial(1))
        until = time.monotonic() + 30
        while not group.runs and time.monotonic() < until:
            next(beat)
        assert names(group) == ["new.jsonl"]


def test_finished_files_are_read_however_they_are_compressed(tmp_path: Path) -> None:
    data = sample("amnesiac").read_bytes()
    (tmp_path / "a.jsonl.gz").write_bytes(gzip.compress(data))
    (tmp_path / "b.ndjson.bz2").write_bytes(bz2.compress(data))
    (tmp_path / "c.json.xz").write_bytes(lzma.compress(data))
    (tmp_path / "notes.jsonl.gz").write_bytes(gzip.compress(b'{"a": 1}\n'))
    (tmp_path / "notes.txt.gz").write_bytes(gzip.compress(data))
    group = on(tmp_path)
    for n in range(20):
        group.turn(NOON + n * groups.SEARCH_S)
    assert names(group) == ["a.jsonl.gz", "b.ndjson.bz2", "c.json.xz"]
    assert {x.seen.trials for x in group.runs.values()} == {50}
    assert all(x.over for x in group.runs.values())


def test_an_archive_that_is_still_being_written_is_read_again_when_it_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl.gz"
    whole = gzip.compress(sample("amnesiac").read_bytes())
    trials = []
    group = None
    for n, upto in enumerate((0, 3, len(whole) // 2, len(whole) // 2, len(whole))):
        if n != 3:  # where nothing changed, nothing is read again
            path.write_bytes(whole[:upto])
        group = group or on(tmp_path)
        before = group.runs.get(str(path))
        for k in range(4):
            group.turn(NOON + (n + k / 4) * 2 * groups.SEARCH_S)
        if n == 3:
            assert group.runs[str(path)] is before
        trials.append(group.runs[str(path)].seen.trials)
    assert trials[-1] == 50
    assert all(t < 50 for t in trials[:-1])


def test_what_opening_a_file_took_does_not_put_off_the_next_search(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spent = [0.0]
    monkeypatch.setattr("trajscope.watch.group.perf_counter", lambda: spent[0])

    def said(path: Path) -> tuple[Source, str | None]:
        spent[0] += 5.0  # as the first file of all, which brings in the readers
        return Source(str(path)), None

    write(tmp_path / "a.jsonl", header(), trial(1))
    group = Group(said, folder=tmp_path)
    group.turn(100.0)
    write(tmp_path / "b.jsonl", header(), trial(1))
    group.turn(103.0)
    assert names(group) == ["a.jsonl", "b.jsonl"]
    group.close()
