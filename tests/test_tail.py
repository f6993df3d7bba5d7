"""The tail: every line once, every oddity said once, whatever happens to the file."""

from __future__ import annotations

import gzip
import os
import stat
import tempfile
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trajscope import tail as tails
from trajscope.tail import Oddity, Part, Reset, Tail


def data(parts: list[Part]) -> bytes:
    """The bytes among the parts."""
    return b"".join(p for p in parts if isinstance(p, bytes))


def said(parts: list[Part]) -> list[str]:
    """The kinds of what was announced."""
    return [p.kind for p in parts if isinstance(p, Oddity | Reset)]


def test_what_is_appended_is_handed_on_once(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    path.write_bytes(b"one\n")
    t = Tail(path)
    assert data(t.poll()) == b"one\n"
    assert t.poll() == []
    with path.open("ab") as f:
        f.write(b"tw")
    assert t.poll() == []
    assert (t.at, t.held) == (4, b"tw")
    with path.open("ab") as f:
        f.write(b"o\n")
    assert t.poll() == [b"two\n"]
    assert (t.at, t.held) == (8, b"")


@pytest.mark.parametrize("anew", [b"[tw]\nthree\n", b"[tw", b"t", b"", b"three\nfour\n"])
def test_an_unfinished_line_may_be_taken_back_or_written_anew(tmp_path: Path, anew: bytes) -> None:
    path = tmp_path / "run.jsonl"
    path.write_bytes(b"one\ntw")
    t = Tail(path)
    assert data(t.poll()) == b"one\n"
    with path.open("r+b") as f:  # as a recorder does that takes its file up again
        f.seek(4)
        f.write(anew)
        f.truncate()
    parts = t.poll()
    assert said(parts) == ["mended"]
    assert data(parts) + t.held == anew
    assert t.poll() == []


def test_a_line_that_is_written_over_while_it_is_read_is_not_handed_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "run.jsonl"
    path.write_bytes(b"one\nAAAABBBB")
    t = Tail(path)
    t.poll()
    path.write_bytes(b"one\naaaabbb\n")  # as long as before
    real, halves = os.pread, [b"AAAAbbb\n"]  # what one look finds whose first half came before the writing
    monkeypatch.setattr(os, "pread", lambda fd, n, at: halves.pop() if n > 256 and halves else real(fd, n, at))
    assert t.poll() == []
    assert t.behind
    parts = t.poll()
    assert not halves
    assert (said(parts), data(parts)) == (["mended"], b"aaaabbb\n")


def test_a_line_too_long_to_hold_is_handed_on_as_it_comes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tails, "MOST", 4)
    monkeypatch.setattr(tails, "MAX_LINE", 10)
    path = tmp_path / "run.jsonl"
    path.write_bytes(b"x" * 19)
    t = Tail(path)
    handed = [data(t.poll()) for _ in range(6)]
    assert handed == [b"", b"", b"x" * 12, b"x" * 4, b"x" * 3, b""]
    with path.open("ab") as f:
        f.write(b"x\nab")
    assert (data(t.poll()), data(t.poll()), t.held) == (b"x\n", b"", b"ab")  # four bytes at a time


def test_what_is_held_back_is_handed_on_when_the_file_is_over(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    path.write_bytes(b"one\ntw")
    t = Tail(path)
    t.poll()
    assert (t.rest(), t.rest(), t.at) == (b"tw", b"", 6)


@pytest.mark.parametrize("how", ["rotated", "replaced", "truncated", "rewritten"])
def test_half_a_line_of_a_file_that_is_no_more_is_handed_on_before_the_next_begins(tmp_path: Path, how: str) -> None:
    path = tmp_path / "run.jsonl"
    path.write_bytes(b"one\ntw")
    t = Tail(path)
    t.poll()
    new = {"truncated": b"\n", "rewritten": b"eno\nthree\n"}.get(how, b"new\n")
    if how == "rotated":
        path.rename(tmp_path / "run.jsonl.1")
    elif how == "replaced":
        path.unlink()
    path.write_bytes(new)
    assert [p if isinstance(p, bytes) else p.kind for p in t.poll()] == [b"tw", how, new]


def test_half_a_line_of_a_file_that_was_deleted_waits_for_its_return(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    path.write_bytes(b"one\ntw")
    t = Tail(path)
    t.poll()
    path.rename(tmp_path / "away")
    assert (said(t.poll()), t.held) == (["deleted"], b"tw")
    (tmp_path / "away").rename(path)
    with path.open("ab") as f:
        f.write(b"o\n")
    parts = t.poll()
    assert (said(parts), data(parts)) == (["returned"], b"two\n")


def test_a_file_that_turns_out_to_be_compressed_is_unpacked(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl.gz"
    packed = gzip.compress(b"one\n")
    t = Tail(path)
    for upto in (0, 1, len(packed)):  # before anything is in it, too
        path.write_bytes(packed[:upto])
        assert data(t.poll()) == b""
    assert data(t.poll()) == b"one\n"


def test_a_file_that_is_not_there_yet_is_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    t = Tail(path)
    assert said(t.poll()) == ["absent"]
    assert t.poll() == []
    path.write_bytes(b"x\n")
    parts = t.poll()
    assert (said(parts), data(parts)) == (["returned"], b"x\n")


def test_a_truncated_file_begins_anew(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    path.write_bytes(b"one\ntwo\n")
    t = Tail(path)
    t.poll()
    path.write_bytes(b"new\n")
    parts = t.poll()
    assert said(parts) == ["truncated"]
    assert data(parts) == b"new\n"
    assert "from 8 to 4 bytes" in str(parts[0])


@pytest.mark.parametrize("first", [b"one\n", b"o" * (3 * tails.HEAD) + b"\n"])
def test_a_file_cut_and_grown_again_in_its_inode_is_noticed(tmp_path: Path, first: bytes) -> None:
    path = tmp_path / "run.jsonl"
    path.write_bytes(first)
    t = Tail(path)
    t.poll()
    inode = path.stat().st_ino
    path.write_bytes(b"two\n" + first)
    assert path.stat().st_ino == inode
    parts = t.poll()
    assert said(parts) == ["rewritten"]
    assert data(parts) == b"two\n" + first


def test_a_tail_that_was_rewritten_under_a_known_head_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    head = b"h" * (2 * tails.HEAD)
    path.write_bytes(head + b"one\n")
    t = Tail(path)
    t.poll()
    path.write_bytes(head + b"two\nthree\n")
    assert said(t.poll()) == ["rewritten"]


def test_a_rotated_file_is_read_to_its_end_before_the_next_begins(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    path.write_bytes(b"one\n")
    t = Tail(path)
    t.poll()
    with path.open("ab") as f:
        f.write(b"late\n")
    path.rename(tmp_path / "run.jsonl.1")
    path.write_bytes(b"two\n")
    parts = t.poll()
    assert [p if isinstance(p, bytes) else p.kind for p in parts] == [b"late\n", "rotated", b"two\n"]


def test_a_replacement_that_begins_alike_goes_on_where_reading_stood(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    path.write_bytes(b"one\n")
    t = Tail(path)
    t.poll()
    other = tmp_path / "new"
    other.write_bytes(b"one\ntwo\n")
    other.replace(path)
    parts = t.poll()
    assert (said(parts), data(parts)) == (["replaced"], b"two\n")


def test_half_a_line_that_a_replacement_ends_otherwise_is_read_again(tmp_path: Path) -> None:
    path, other = tmp_path / "run.jsonl", tmp_path / "new"
    path.write_bytes(b"one\ntw")
    other.write_bytes(b"one\nx\n")
    for p in (path, other):
        os.utime(p, ns=(1, 1))  # as a copy that keeps times may have them
    t = Tail(path)
    t.poll()
    other.replace(path)
    parts = t.poll()
    assert (said(parts), data(parts)) == (["replaced", "mended"], b"x\n")


def test_a_replacement_that_begins_otherwise_begins_anew(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    path.write_bytes(b"one\n")
    t = Tail(path)
    t.poll()
    other = tmp_path / "new"
    other.write_bytes(b"eno\ntwo\n")
    other.replace(path)
    parts = t.poll()
    assert (said(parts), data(parts)) == (["replaced"], b"eno\ntwo\n")
    assert isinstance(parts[0], Reset)


def test_a_deleted_file_is_read_to_its_end_and_may_come_back(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    path.write_bytes(b"one\n")
    t = Tail(path)
    t.poll()
    with path.open("ab") as f:
        f.write(b"two\n")
    path.unlink()
    parts = t.poll()
    assert (said(parts), data(parts)) == (["deleted"], b"two\n")
    assert t.poll() == []
    path.write_bytes(b"one\ntwo\nthree\n")
    parts = t.poll()
    assert (said(parts), data(parts)) == (["replaced", "returned"], b"three\n")


def test_bytes_that_were_drained_are_not_lost_where_the_new_file_cannot_be_read(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    path.write_bytes(b"one\n")
    t = Tail(path)
    t.poll()
    with path.open("ab") as f:
        f.write(b"two\n")
    path.unlink()
    path.symlink_to(path)  # a name that leads nowhere, whoever asks
    parts = t.poll()
    assert said(parts) == ["unreadable"]
    path.unlink()
    assert data(t.poll()) == b"two\n"


def test_a_folder_is_said_to_be_one_and_does_not_raise(tmp_path: Path) -> None:
    t = Tail(tmp_path)
    assert said(t.poll()) == ["unreadable"]
    assert t.poll() == []


def test_a_compressed_file_is_read_whole_and_ends(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl.gz"
    path.write_bytes(gzip.compress(b"line\n" * 1000))
    t = Tail(path)
    got = b""
    for _ in range(10):
        got += data(t.poll())
    assert got == b"line\n" * 1000
    assert t.ended


def test_a_damaged_archive_says_so_and_ends(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl.gz"
    path.write_bytes(gzip.compress(os.urandom(5000))[:3000])
    t = Tail(path)
    kinds = [k for _ in range(10) for k in said(t.poll())]
    assert kinds == ["unreadable"]
    assert t.ended


def test_a_named_pipe_ends_when_its_writer_does(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    assert stat.S_ISFIFO(path.stat().st_mode)
    t = Tail(path)
    assert t.poll() == []
    assert t.poll() == []
    assert not t.ended
    writer = threading.Thread(target=path.write_bytes, args=(b"one\n",))
    writer.start()
    got = b""
    while not t.ended:
        got += data(t.poll())
    writer.join()
    assert got == b"one\n"


def test_a_large_file_comes_in_pieces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tails, "MOST", 10)
    path = tmp_path / "run.jsonl"
    path.write_bytes(b"x\ny\n\n" * 5)
    t = Tail(path)
    sizes = [(len(data(t.poll())), t.behind) for _ in range(4)]
    assert sizes == [(10, True), (10, True), (5, False), (0, False)]
    with path.open("ab") as f:
        f.write(b"x" * 9 + b"\n")
    sizes = [(len(data(t.poll())), t.behind) for _ in range(2)]
    assert sizes == [(10, True), (0, False)]  # a full piece may have been the last


def test_reading_may_be_taken_up_in_the_middle(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    path.write_bytes(b"one\ntwo\n")
    t = Tail(path, at=4)
    assert data(t.poll()) == b"two\n"
    path.write_bytes(b"neo\nowt\nthree\n")
    parts = t.poll()
    assert (said(parts), data(parts)) == (["rewritten"], b"neo\nowt\nthree\n")


OPS = st.lists(
    st.one_of(
        st.tuples(st.just("append"), st.lists(st.sampled_from(b"ab\n"), min_size=1, max_size=6).map(bytes)),
        st.tuples(st.just("mend"), st.lists(st.sampled_from(b"ab\n"), max_size=6).map(bytes)),
        st.tuples(st.sampled_from(("poll", "truncate", "rotate", "replace", "copy", "delete")), st.just(b"")),
    ),
    max_size=30,
)


def disturb(path: Path, op: str, arg: bytes, n: int) -> None:
    """Do something to the file that a writer, a rotation or a careless person would."""
    old = path.read_bytes() if path.exists() else None
    other = path.with_name("other")
    if op == "append":
        with path.open("ab") as f:
            f.write(arg)
    elif old is None:
        return
    elif op == "mend":
        whole = old.rfind(b"\n") + 1
        with path.open("r+b") as f:
            f.seek(whole)
            f.write(arg)
            f.truncate()
    elif op == "truncate":
        os.truncate(path, len(old) // 2)
    elif op == "rotate":
        path.rename(f"{path}.{n}")
    elif op == "delete":
        path.unlink()
    else:
        other.write_bytes(old + b"+" if op == "copy" else b"-" + old)
        other.replace(path)
    if path.exists():  # distinct times, so that no change hides in the clock's grain
        os.utime(path, ns=(n * 10**9, n * 10**9))


@given(OPS)
def test_whatever_happens_what_was_read_since_the_last_reset_is_the_file(ops: list[tuple[str, bytes]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "run.jsonl")
        path.write_bytes(b"")
        t = Tail(path)
        since, harmless = b"", True
        for n, (op, arg) in enumerate([*ops, ("poll", b"")]):
            if op != "poll":
                disturb(path, op, arg, n)
                harmless &= op in ("append", "mend")
                continue
            for part in t.poll():
                assert not (harmless and isinstance(part, Reset))
                since = b"" if isinstance(part, Reset) else since + (part if isinstance(part, bytes) else b"")
            if path.exists():
                assert since == path.read_bytes()[: len(since)]
                assert since + t.held == path.read_bytes()
                assert since[-1:] in (b"", b"\n")
        t.close()
