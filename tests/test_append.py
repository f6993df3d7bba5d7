"""A line is in the file whole or not at all, written by one writer, and durable before it is acknowledged.

Faults planted and seen to fire: no lock, a lock per thread, a lock per name; no rollback, and no completion, of a short
write; state advanced before the write; no sync; an interrupt let through; a fork, or a file changed, removed or
replaced, written to.
"""

from __future__ import annotations

import errno
import os
import re
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from runfiles import python, rows, start

from trajscope.errors import LockedError, RecordError

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
