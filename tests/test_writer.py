"""The writer: a line is there whole or not at all, by one writer, and nothing acknowledged is ever lost.

Faults planted and seen to fire: no lock; no rollback, and no completion, of a short write; state advanced before the
write; a torn tail cut off without its event; resume without the chain, or without the header compared; iter and seq
begun anew; a blob read unverified; a holdout file left open to all, or its values in the trial; NaN written as kept;
the incumbent not advanced by a keep; a fork or a replaced file written to; `end` after an exception.
"""

from __future__ import annotations

import base64
import errno
import hashlib
import json
import os
import re
import stat
import subprocess
import sys
import textwrap
import threading
import zlib
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from trajscope import record
from trajscope.blobs import MAX_INLINE, read_blob, write_blob
from trajscope.chain import first_break
from trajscope.errors import LockedError, MenuError, RecordError, SourceError
from trajscope.pair import config_hash
from trajscope.verdict import Level, Verdict
from trajscope.writer import RunWriter, open_run
from trajscope.writer.holdout import commitment, opened

ROOT = Path(__file__).resolve().parents[1]
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def start(path: Path, **more: Any) -> RunWriter:
    """A run on `path` whose clock stands still; not synced, since no test pulls the plug."""
    said: dict[str, Any] = {"metric": "loss", "fsync": False, "now": lambda: NOON}
    return open_run(path, **said | more)


def rows(path: Path) -> list[dict[str, Any]]:
    """The lines of a file, each of which must be whole, known and chained."""
    data = path.read_bytes()
    assert data.endswith(b"\n")
    lines = data.splitlines()
    assert first_break(lines) is None
    for line in lines:
        assert not isinstance(record.load(line), record.Unknown), line
    return [json.loads(line) for line in lines]


def python(code: str, *args: object) -> subprocess.CompletedProcess[str]:
    """Run a piece of Python in a process of its own."""
    command = [sys.executable, "-c", textwrap.dedent(code), *map(str, args)]
    return subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=50, check=False)


# Laws

calls = st.lists(
    st.one_of(
        st.tuples(
            st.just("trial"),
            st.fixed_dictionaries(
                {"changes": st.dictionaries(st.sampled_from("ab"), st.integers(0, 2), min_size=1)},
                optional={
                    "reason": st.text(max_size=3),
                    "metrics": st.dictionaries(st.just("acc"), st.floats()),
                    "wall_s": st.floats(0, 9),
                    "note": st.text(max_size=3),
                },
            )
            .flatmap(lambda kw: st.tuples(st.just(kw), st.booleans(), st.floats(0, 1) | st.just(float("nan"))))
            .map(lambda t: t[0] | {"value": t[2], "kept": t[1] and t[2] == t[2]}),
        ),
        st.tuples(st.just("event"), st.just({"kind": "alarm", "text": "plateau"})),
        st.tuples(st.just("measure"), st.just({"what": "incumbent", "value": 1})),
    ),
    max_size=4,
)


def play(run: RunWriter, script: list[tuple[str, dict[str, Any]]]) -> list[int]:
    return [getattr(run, verb)(**kw) for verb, kw in script]


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


# Kill, full disk, second writer


KILLED = """
    import os, random, signal, sys
    from trajscope.writer import open_run
    path, rounds = sys.argv[1], int(sys.argv[2])
    random.seed(7)
    for _ in range(rounds):
        ours, theirs = os.pipe()
        if (child := os.fork()) == 0:
            try:
                run = open_run(path, metric="loss", resume=True)
                while True:
                    os.write(theirs, b"%d\\n" % run.trial({"lr": 0.1}, value=1.0, kept=False, note="x" * 500))
            finally:
                os._exit(1)
        os.close(theirs)
        heard = b""
        wanted = random.randint(1, 12)
        while heard.count(b"\\n") < wanted:
            heard += os.read(ours, 4096)
        for _ in range(random.randint(0, 3000)):  # a moment that differs, without a clock
            pass
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        while more := os.read(ours, 4096):
            heard += more
        os.close(ours)
        print(heard.decode().replace(chr(10), ' '))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_kill_9_at_random_moments_loses_nothing_acknowledged(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    done = python(KILLED, path, 20)
    assert done.returncode == 0, done.stderr
    rounds = [[int(s) for s in line.split()] for line in done.stdout.splitlines()]
    assert len(rounds) == 20
    acknowledged = [s for seqs in rounds for s in seqs]
    assert len(acknowledged) == len(set(acknowledged)) >= 20
    with start(path, resume=True):
        pass
    trials = [r["seq"] for r in rows(path) if r["type"] == "trial"]
    assert len(trials) == len(set(trials))
    assert set(acknowledged) <= set(trials)


FULL = """
    import resource, sys
    from trajscope.writer import open_run
    from trajscope.errors import RecordError
    run = open_run(sys.argv[1], metric="loss")
    resource.setrlimit(resource.RLIMIT_FSIZE, (2000, resource.RLIM_INFINITY))
    try:
        while True:
            last = run.trial({"lr": 0.1}, value=1.0, kept=False)
    except RecordError as error:
        print(last, error)
    print(open(sys.argv[1], "rb").read().endswith(b"\\n"))
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    print(run.trial({"lr": 0.2}, value=2.0, kept=False))
    run.close()
"""


def test_a_full_disk_leaves_whole_lines_and_a_writer_that_can_go_on(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    done = python(FULL, path)
    assert done.returncode == 0, done.stderr
    said, whole, after = done.stdout.splitlines()
    last = int(said.split()[0])
    assert f"the file ends with seq {last}" in said
    assert str(path) in said
    assert whole == "True"
    assert int(after) == last + 1
    assert rows(path)[-1]["seq"] == last + 1


LOCKED = """
    import sys
    from trajscope.writer import open_run
    from trajscope.errors import LockedError
    try:
        open_run(sys.argv[1], metric="loss", resume=True)
    except LockedError as error:
        print(error)
"""


def test_a_second_process_is_refused_while_the_first_writes(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    alias = tmp_path / "alias.jsonl"
    alias.symlink_to(path)
    with start(path) as run:
        for name in (path, alias):
            said = python(LOCKED, name).stdout
            assert said.startswith(f"{path}: another writer holds it")
            assert said.count("\n") == 1
        run.trial({"lr": 1}, value=1, kept=True)
    assert python(LOCKED, path).stdout == ""


def test_a_second_writer_in_this_process_is_refused_too(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    refused: list[Exception] = []

    def second() -> None:
        try:
            start(path, resume=True)
        except LockedError as error:
            refused.append(error)

    with start(path):
        thread = threading.Thread(target=second)
        thread.start()
        thread.join()
        second()
    assert len(refused) == 2
    start(path, resume=True).close()


def test_a_writer_may_be_closed_by_another_thread_than_opened_it(tmp_path: Path) -> None:
    run = start(tmp_path / "run.jsonl")
    thread = threading.Thread(target=run.close)
    thread.start()
    thread.join()
    start(tmp_path / "run.jsonl", resume=True).close()


def test_threads_share_one_writer(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    with start(path) as run:

        def work() -> None:
            for _ in range(20):
                run.trial({"lr": 1}, value=1, kept=False)

        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert [r["iter"] for r in rows(path) if r["type"] == "trial"] == list(range(1, 81))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_child_may_not_write(tmp_path: Path) -> None:
    done = python(
        """
        import os, sys
        from trajscope.writer import open_run
        from trajscope.errors import LockedError, RecordError
        run = open_run(sys.argv[1], metric="loss")
        if os.fork() == 0:
            try:
                run.trial({"lr": 1}, value=1, kept=True)
            except RecordError as error:
                print(error, flush=True)
            run.close()
            os._exit(0)
        os.wait()
        run.trial({"lr": 1}, value=1, kept=True)
        try:
            open_run(sys.argv[1], metric="loss", resume=True)
        except LockedError:
            print("still locked")
        """,
        tmp_path / "run.jsonl",
    )
    assert "this is a fork of it" in done.stdout
    assert "still locked" in done.stdout
    assert len(rows(tmp_path / "run.jsonl")) == 2


def short(real: Callable[[int, Any], int], sizes: list[int]) -> Callable[[int, Any], int]:
    """A disk that takes only so many bytes per write, and is full at 0."""

    def write(fd: int, data: Any) -> int:
        if not sizes:
            return real(fd, data)
        if (size := sizes.pop(0)) == 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(fd, bytes(data)[:size])

    return write


def test_a_short_write_is_completed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "run.jsonl"
    run = start(path)
    monkeypatch.setattr(os, "write", short(os.write, [5, 1, 7]))
    run.trial({"lr": 1}, value=1, kept=True)
    run.close()
    assert len(rows(path)) == 2


def test_a_write_that_fails_half_way_is_rolled_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "run.jsonl"
    run = start(path)
    before = path.read_bytes()
    monkeypatch.setattr(os, "write", short(os.write, [5, 0]))
    with pytest.raises(RecordError, match=re.escape(f"{path}: the line was not written (No space left on device)")):
        run.trial({"lr": 1}, value=1, kept=True)
    assert path.read_bytes() == before
    assert run.trial({"lr": 1}, value=1, kept=True) == 1
    run.close()
    assert rows(path)[-1]["iter"] == 1


def test_an_interrupt_before_the_line_is_durable_takes_it_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "run.jsonl"
    run = start(path, fsync=True)

    def interrupted(_fd: int) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", interrupted)
        with pytest.raises(KeyboardInterrupt):
            run.trial({"lr": 1}, value=1, kept=True)
    assert run.trial({"lr": 2}, value=1, kept=True) == 1
    run.close()
    assert [r["seq"] for r in rows(path)] == [0, 1]


def test_every_line_is_synced_before_it_is_acknowledged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[int] = []
    real = os.fsync
    run = start(tmp_path / "run.jsonl", fsync=True)

    def sync(fd: int) -> None:
        synced.append(os.fstat(fd).st_size)
        real(fd)

    monkeypatch.setattr(os, "fsync", sync)
    run.trial({"lr": 1}, value=1, kept=True)
    assert synced == [(tmp_path / "run.jsonl").stat().st_size]
    run.close()


def test_a_repair_that_fails_leaves_the_torn_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "run.jsonl"
    start(path).close()
    with path.open("ab") as file:
        file.write(b'{"v":1,"ty')
    before = path.read_bytes()
    real, calls = os.pwrite, [4, 0]

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


@pytest.mark.parametrize(
    ("harm", "why"),
    [
        (lambda p: p.write_bytes(p.read_bytes() + b"{}\n"), "somebody else changed it"),
        (lambda p: os.truncate(p, 10), "has 10 bytes where this writer left"),
        (lambda p: p.unlink(), "was removed while it was written"),
        (lambda p: p.with_name("x").write_bytes(p.read_bytes()) and p.with_name("x").rename(p), "was replaced"),
    ],
)
def test_a_file_changed_under_the_writer_is_not_written_to(
    tmp_path: Path, harm: Callable[[Path], object], why: str
) -> None:
    run = start(tmp_path / "run.jsonl")
    harm(tmp_path / "run.jsonl")
    with pytest.raises(RecordError, match=why):
        run.trial({"lr": 1}, value=1, kept=True)
    run.close()


# Resuming


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


def test_an_exception_leaves_no_end_and_no_lock(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    with pytest.raises(ZeroDivisionError), start(path) as run:
        run.trial({"lr": 1}, value=1 / 0, kept=True)
    assert [r["type"] for r in rows(path)] == ["run"]
    start(path, resume=True).close()


# Trials


def test_changes_may_be_a_dict_a_pair_or_a_list(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    one, two = {"knob": "lr", "value": 1}, {"knob": "n", "value": [2]}
    with start(path) as run:
        for spelt in ({"lr": 1}, ("lr", 1), one, [one], [("lr", 1)]):
            run.trial(spelt, value=1, kept=False)
        run.trial({"lr": 1, "n": [2]}, value=1, kept=False)
        run.trial([("lr", 1), two], value=1, kept=False)
        run.trial(one | {"unit": "1/s"}, value=1, kept=False)
        with pytest.raises(RecordError, match="changes are a str"):
            run.trial("lr", value=1, kept=False)
    found = [r["attempts"][0]["changes"] for r in rows(path) if r["type"] == "trial"]
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


# Beside the file


def test_long_texts_go_beside_the_file(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    long, exact = "é" * MAX_INLINE, "x" * MAX_INLINE
    with start(path) as run:
        run.trial({"lr": 1}, value=1, kept=True, diff=long, prompt=long + "!", note=exact)
        run.event("pause", diff=long)
    trial, event = rows(path)[1:3]
    assert read_blob(path, trial["diff"]["blob"]) == long
    assert read_blob(path, trial["prompt"]["blob"]) == long + "!"
    assert trial["note"] == exact
    assert event["data"]["diff"] == trial["diff"]
    assert sorted(p.name for p in (tmp_path / "run.blobs").iterdir()) == sorted(
        (trial["diff"]["blob"], trial["prompt"]["blob"])
    )


def test_a_blob_that_was_touched_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    sha = write_blob(path, "honest " * 400)
    place = tmp_path / "run.blobs" / sha
    honest = place.read_bytes()
    for bad, why in (
        (zlib.compress(b"tampered " * 400), "the text was changed"),
        (honest[:-1], "cut off"),
        (b"garbage", "cannot be unpacked"),
        (b"", "cut off"),
    ):
        place.write_bytes(bad)
        with pytest.raises(SourceError, match=why):
            read_blob(path, sha)
    assert write_blob(path, "honest " * 400) == sha  # the next writer of the same text mends it
    assert read_blob(path, sha) == "honest " * 400
    place.unlink()
    with pytest.raises(SourceError, match="cannot be read"):
        read_blob(path, sha)


def test_a_blob_larger_than_it_says_is_not_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "run.jsonl"
    sha = write_blob(path, "x" * 5000)
    monkeypatch.setattr("trajscope.blobs.MAX_BLOB", 4999)
    with pytest.raises(SourceError, match="or over 4,999 bytes"):
        read_blob(path, sha)
    with pytest.raises(RecordError, match="over the limit"):
        write_blob(path, "y" * 5000)


@pytest.mark.parametrize("name", ["../secret", "/etc/passwd", "", "a" * 63, "A" * 64, "a" * 64 + "\n", "a" * 65])
def test_only_a_hash_names_a_blob(tmp_path: Path, name: str) -> None:
    with pytest.raises(SourceError, match="names no blob"):
        read_blob(tmp_path / "run.jsonl", name)


def test_a_blob_is_never_read_through_a_link_or_a_pipe(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    sha = write_blob(path, "text")
    place = tmp_path / "run.blobs" / sha
    place.rename(tmp_path / "elsewhere")
    place.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(SourceError, match="cannot be read"):
        read_blob(path, sha)
    place.unlink()
    os.mkfifo(place)
    with pytest.raises(SourceError, match="is not a plain file"):
        read_blob(path, sha)


def test_holdout_values_stay_out_of_the_run_file(tmp_path: Path) -> None:
    path, hidden = tmp_path / "run.jsonl", tmp_path / "run.holdout.jsonl"
    hidden.touch(mode=0o644)  # was there before, open to all
    with start(path) as run:
        seq = run.trial({"lr": 1}, value=1, kept=True, holdout={"auc": 0.73125, "é": None}, holdout_pass=False)
        run.trial({"lr": 1}, value=1, kept=True, holdout={"auc": 0.73125}, holdout_pass=True)
    assert stat.S_IMODE(hidden.stat().st_mode) == 0o600
    assert b"73125" not in path.read_bytes()
    first, second = (r["holdout"] for r in rows(path) if r["type"] == "trial")
    assert (first["pass"], second["pass"]) == (False, True)
    assert first.keys() == {"pass", "commitment"}
    assert opened(hidden, seq, first["commitment"]) == {"auc": 0.73125, "é": None}
    entry = json.loads(hidden.read_bytes().splitlines()[1])
    assert commitment(entry["salt"], entry["values"]) == second["commitment"]
    hidden.write_bytes(hidden.read_bytes().replace(b"0.73125", b"0.9"))
    with pytest.raises(SourceError, match="no values for seq 1 that fit"):
        opened(hidden, seq, first["commitment"])


def test_the_commitment_is_what_the_contract_says() -> None:
    text = 'salt{"a":1,"b":0.5}'
    assert commitment("salt", {"b": 0.5, "a": 1}) == hashlib.sha256(text.encode()).hexdigest()


def test_the_holdout_may_lie_elsewhere_and_survives_a_torn_line(tmp_path: Path) -> None:
    hidden = tmp_path / "far.jsonl"
    hidden.write_bytes(b'{"seq":1,"sa')
    with start(tmp_path / "run.jsonl", holdout_path=hidden) as run:
        run.trial({"lr": 1}, value=1, kept=True, holdout={"auc": 1}, holdout_pass=True)
    bit = rows(tmp_path / "run.jsonl")[1]["holdout"]
    assert opened(hidden, 1, bit["commitment"]) == {"auc": 1}


# The documentation


def fenced(language: str) -> list[str]:
    text = (ROOT / "docs" / "format.md").read_text("utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)


def test_the_examples_in_the_documentation_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    blocks = fenced("python")
    assert len(blocks) == 2
    for block in blocks:
        exec(compile(block, "docs/format.md", "exec"), {})  # noqa: S102  our own documentation
    statuses = [r["status"] for r in rows(tmp_path / "run.jsonl") if r["type"] == "trial"]
    assert statuses == ["reverted", "kept"]
    by_hand = rows(tmp_path / "by-hand.jsonl")
    assert by_hand[1]["value"] == 0.42
    # A file written by hand can be taken up by the writer.
    with open_run("by-hand.jsonl", metric="val_loss", campaign="lm", resume=True) as run:
        assert run.trial({"lr": 3e-4}, value=0.4, kept=True) == 3


def test_every_line_shown_in_the_documentation_could_be_written() -> None:
    lines = [line for block in fenced("json") for line in block.splitlines()]
    shown = [json.loads(line) for line in lines]
    assert {r["type"] for r in shown} == set(record.TYPES)
    assert [r["seq"] for r in shown] == list(range(len(shown)))
    for one in shown:
        one["prev"] = "0" * 16  # the page leaves them out
        assert record.fault(record.make(one), "val_loss") is None
        Draft202012Validator(record.schemas()[one["type"]]).validate(one)


def test_every_field_of_the_contract_is_documented() -> None:
    text = (ROOT / "docs" / "format.md").read_text("utf-8")
    for model in record.TYPES.values():
        for name in model.model_fields:
            assert re.search(rf"[`\"{{]{name}[`\":,]", text), f"{model.__name__}.{name}"


def test_the_writer_costs_no_pydantic_until_a_run_is_opened() -> None:
    done = python("import sys, trajscope.writer, trajscope.chain, trajscope.blobs; print('pydantic' in sys.modules)")
    assert done.stdout == "False\n"
