"""Taking up a run file: nothing acknowledged is lost, nothing that was changed is gone on with.

Faults planted and seen to fire: a torn tail cut off without its event, or lost where the repair fails; any file taken
for a torn run; the chain, or the header, not looked at; counts and iter begun anew.
"""

from __future__ import annotations

import base64
import errno
import os
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from runfiles import NOON, calls, play, rows, start

from trajscope.errors import RecordError


@settings(max_examples=150, deadline=None)
@given(calls, st.floats(0, 1), calls)
def test_any_prefix_resumed_loses_no_whole_line_and_no_byte(
    tmp_path_factory: pytest.TempPathFactory,
    script: list[tuple[str, dict[str, Any]]],
    share: float,
    more: list[tuple[str, dict[str, Any]]],
) -> None:
    path = tmp_path_factory.mktemp("law") / "run.jsonl"
    with start(path, run_id="r", base={"a": 0}) as run:
        play(run, script)
    whole = path.read_bytes()
    data = whole[: round(share * len(whole))]
    path.write_bytes(data)
    kept, torn = data[: data.rfind(b"\n") + 1], data[data.rfind(b"\n") + 1 :]
    with start(path, run_id="r", base={"a": 0}, resume=True) as run:
        seqs = play(run, more)
    lines = rows(path)
    assert path.read_bytes().startswith(kept)
    assert len(set(seqs)) == len(more)
    trials = [r for r in lines if r["type"] == "trial"]
    assert [r["iter"] for r in trials] == list(range(1, len(trials) + 1))
    assert sum(lines[-1]["counts"].values()) == len(trials)
    if torn:
        found = [r["data"] for r in lines if r["type"] == "event" and r["kind"] == "repair"]
        whole_but_newline = path.read_bytes().startswith(kept + torn + b"\n")
        assert found[0] == {"newline": True} if whole_but_newline else found[0]["text"].encode() == torn


@settings(max_examples=40, deadline=None)
@given(st.binary(min_size=1, max_size=40).filter(lambda b: b"\n" not in b))
def test_torn_bytes_of_any_kind_are_kept_in_the_repair(tmp_path_factory: pytest.TempPathFactory, torn: bytes) -> None:
    path = tmp_path_factory.mktemp("law") / "run.jsonl"
    start(path).close()
    with path.open("ab") as file:
        file.write(torn)
    start(path, resume=True).close()
    repair = rows(path)[1]["data"]
    held = repair["text"].encode() if "text" in repair else base64.b64decode(repair["base64"])
    assert held == torn
    assert repair["bytes"] == len(torn)


def test_a_file_that_is_there_needs_resume(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    start(path).close()
    with pytest.raises(RecordError, match="is not empty; pass resume=True"):
        start(path)
    path.write_bytes(b"")
    start(path).close()  # an empty file is a new one
    start(tmp_path / "new.jsonl", resume=True).close()


@pytest.mark.parametrize("content", [b"hello", b"hello\n", b'{"v":1,"type":"trial"}\n', b"[1]\n", b'{"a":1}'])
def test_a_file_that_is_no_run_is_left_alone(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "run.jsonl"
    path.write_bytes(content)
    with pytest.raises(RecordError, match=r"run\.jsonl:1: "):
        start(path, resume=True)
    assert path.read_bytes() == content
    with pytest.raises(RecordError, match=r"run\.jsonl:1: "):  # and its lock was let go
        start(path, resume=True)


def test_a_chain_broken_by_one_byte_is_found_at_its_line(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    with start(path) as run:
        for i in range(3):
            run.trial({"lr": i}, value=i, kept=True)
    data = path.read_bytes()
    lines = data.splitlines(keepends=True)
    for number in range(2, len(lines)):
        at = sum(map(len, lines[: number - 1])) + lines[number - 1].index(b'"iter":') + 7
        path.write_bytes(data[:at] + b"9" + data[at + 1 :])
        with pytest.raises(RecordError, match=rf"run\.jsonl:{number}: has the hash"):
            start(path, resume=True)
        assert path.read_bytes() == data[:at] + b"9" + data[at + 1 :]


@pytest.mark.parametrize(
    ("other", "name"),
    [
        ({"metric": "acc"}, "campaign"),
        ({"metric": "acc", "campaign": "c"}, "metric"),
        ({"campaign": "c", "goal": "maximize"}, "metric"),
        ({"campaign": "c", "run_id": "other"}, "run_id"),
        ({"campaign": "c", "base": {"lr": 2}}, "base"),
        ({"campaign": "c", "seeds": [1]}, "seeds"),
        ({"campaign": "c", "my_field": 1}, "my_field"),
    ],
)
def test_another_header_is_refused_by_its_first_field(tmp_path: Path, other: dict[str, Any], name: str) -> None:
    path = tmp_path / "run.jsonl"
    start(path, campaign="c", base={"lr": 1}).close()
    before = path.read_bytes()
    with pytest.raises(RecordError, match=rf"run\.jsonl:1: the header differs in {name}: "):
        start(path, **{"base": {"lr": 1}} | other, resume=True)
    assert path.read_bytes() == before


def test_a_header_may_differ_in_time_and_software(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    start(path, software={"torch": "2.4"}).close()
    start(path, software={"torch": "2.5"}, now=lambda: NOON + timedelta(1), resume=True).close()
    assert rows(path)[1]["data"] == {"ended": False, "software": {"torch": "2.5"}}


def test_a_run_that_ended_may_go_on(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    with start(path) as run:
        run.trial({"lr": 1}, value=1, kept=True, iter=7)
        run.end("budget spent")
        with pytest.raises(RecordError, match="the run has ended"):
            run.trial({"lr": 2}, value=1, kept=False)
    with start(path, resume=True) as run:
        run.trial({"lr": 2}, value=1, kept=False)
    assert [(r["type"], r.get("iter") or r.get("reason") or r.get("kind")) for r in rows(path)[1:]] == [
        ("trial", 7),
        ("end", "budget spent"),
        ("event", "resume"),
        ("trial", 8),
        ("end", "finished"),
    ]
    assert rows(path)[-1]["counts"] == {"kept": 1, "reverted": 1}
    assert rows(path)[3]["data"]["ended"] is True


def test_a_line_that_only_lacks_its_newline_is_kept_as_a_line(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    run = start(path)
    run.trial({"lr": 1}, value=1, kept=True)
    run.close()
    path.write_bytes(path.read_bytes()[:-1])
    with start(path, resume=True) as run:
        assert run.counts == {"kept": 1}
    assert [r.get("kind") for r in rows(path)] == [None, None, "repair", "resume", None]


def test_a_repair_that_fails_leaves_the_torn_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "run.jsonl"
    start(path).close()
    with path.open("ab") as file:
        file.write(b'{"v":1,"ty')
    before = path.read_bytes()
    real, calls = os.pwrite, [60, 0]  # more than was torn, then no more

    def full(fd: int, data: Any, at: int) -> int:
        if calls and (size := calls.pop(0)) == 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(fd, bytes(data)[: size if calls else None], at)

    with monkeypatch.context() as patch:
        patch.setattr(os, "pwrite", full)
        with pytest.raises(RecordError, match="its torn last line was not repaired"):
            start(path, resume=True)
    assert path.read_bytes() == before
    start(path, resume=True).close()
    assert rows(path)[1]["data"]["text"] == '{"v":1,"ty'
