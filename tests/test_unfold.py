"""What is no file of lines, unfolded: alike from the file and from its tail, and never to the harm of its writer.

Planted and seen to fail: a database opened `mode=ro` in its place (litter, and a writer that was told to wait), one
copied without its WAL, one read once only, a tail that trusted the time of the main file, one that handed on all anew.
"""

from __future__ import annotations

import hashlib
import json
import signal
import sqlite3
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from trajscope import cache, sources, unfold
from trajscope.errors import ForeignError, SourceError
from trajscope.readers import Source
from trajscope.tail import Oddity, Part, Reset, Tail
from trajscope.unfold import document, snapshot
from trajscope.unfolding import Unfolding

# A writer that does one thing for each word it is sent, and says when it is done; it waits for no lock.
WRITER = """
    import sqlite3, sys
    path, mode = sys.argv[1:]
    db = sqlite3.connect(path, timeout=0, isolation_level=None)
    db.execute(f"PRAGMA journal_mode = {mode}")
    db.execute("PRAGMA cache_size = 5")
    db.execute("CREATE TABLE IF NOT EXISTS programs (id TEXT PRIMARY KEY, code TEXT, parent_id TEXT, "
               "generation INTEGER, timestamp REAL, combined_score REAL, correct BOOLEAN)")
    n = db.execute("SELECT count(*) FROM programs").fetchone()[0]
    def put(filler=""):
        global n
        n += 1
        db.execute("INSERT INTO programs VALUES (?, ?, NULL, ?, ?, ?, 1)", (f"p{n}", "x" + filler, n, float(n), n / 8))
    print("ready", flush=True)
    for line in sys.stdin:
        word, count = line.split()
        if word == "rows":
            db.execute("BEGIN") if int(count) > 100 else None
            for _ in range(int(count)):
                put()
            db.execute("COMMIT") if int(count) > 100 else None
        elif word == "hold":  # a transaction that is not committed, larger than the cache, so that it reaches the disk
            db.execute("BEGIN")
            for _ in range(int(count)):
                put("y" * 3000)
            db.execute("UPDATE programs SET combined_score = -1, code = code || '-'")
        elif word == "commit":
            db.execute("COMMIT")
        print("done", flush=True)
"""
MODES = ("DELETE", "TRUNCATE", "PERSIST", "WAL")


class Writer:
    """Another process that writes a database."""

    def __init__(self, path: Path, mode: str) -> None:
        command = [sys.executable, "-c", textwrap.dedent(WRITER), str(path), mode]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.wait("ready")

    def wait(self, word: str = "done") -> None:
        assert self.process.stdout is not None
        said = self.process.stdout.readline().strip()
        assert said == word, "the writer could not write"

    def send(self, word: str, count: int = 0) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(f"{word} {count}\n")
        self.process.stdin.flush()

    def do(self, word: str, count: int = 0) -> None:
        self.send(word, count)
        self.wait()

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.end()

    def end(self) -> None:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()


@pytest.fixture(params=MODES)
def written(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Path, Writer]]:
    """A database that another process has open."""
    path = tmp_path / "evolution.sqlite"
    writer = Writer(path, request.param)
    yield path, writer
    if writer.process.poll() is None:
        writer.end()


def data(parts: list[Part]) -> bytes:
    return b"".join(p for p in parts if isinstance(p, bytes))


def said(parts: list[Part]) -> list[str]:
    return [p.kind for p in parts if isinstance(p, Oddity | Reset)]


def ids(lines: bytes) -> list[Any]:
    """The records among these lines, by their id."""
    return [o["id"] for o in map(json.loads, lines.splitlines()) if "unfolded" not in o]


def whole(path: Path) -> bytes:
    return b"".join(sources.read(path))


def names_in(folder: Path) -> list[str]:
    return sorted(p.name for p in folder.iterdir())


def prints(folder: Path) -> dict[str, tuple[str, int]]:
    """Every file of a folder with its content and time; the shared memory of a WAL is its writer's scratch paper."""
    return {
        p.name: (hashlib.sha256(p.read_bytes()).hexdigest(), p.stat().st_mtime_ns)
        for p in folder.iterdir()
        if not p.name.endswith("-shm")
    }


@pytest.fixture(autouse=True)
def unhurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """However slow the machine is, every change is looked at."""
    monkeypatch.setattr("trajscope.unfolding.QUICK_S", 1e9)


# --- databases ---------------------------------------------------------------------------------------------------


def test_committed_rows_arrive_and_those_of_an_open_transaction_do_not(written: tuple[Path, Writer]) -> None:
    path, writer = written
    tail = Tail(path)
    writer.do("rows", 2000)
    first = data(tail.poll())
    assert ids(first) == [f"p{n}" for n in range(1, 2001)]
    writer.do("hold", 40)  # 120 KB: more than fits into the cache, so that all of it is on the disk
    assert tail.poll() == []
    assert whole(path) == first
    writer.do("commit")
    parts = tail.poll()
    while tail.behind:
        parts += tail.poll()
    assert (said(parts), ids(data(parts))) == (["rewritten"], [f"p{n}" for n in range(1, 2041)])  # their scores changed
    assert tail.poll() == []
    assert tail.at == sources.length(path) == len(whole(path))


def test_reading_a_database_leaves_no_trace_of_it(written: tuple[Path, Writer]) -> None:
    path, writer = written
    writer.do("rows", 5)
    before, names = prints(path.parent), names_in(path.parent)
    tail = Tail(path)
    tail.poll()
    whole(path)
    tail.close()
    assert (prints(path.parent), names_in(path.parent)) == (before, names)
    writer.end()
    before, names = prints(path.parent), names_in(path.parent)
    whole(path)
    assert (prints(path.parent), names_in(path.parent)) == (before, names)


def test_a_writer_that_waits_for_nothing_is_never_told_to_wait(written: tuple[Path, Writer]) -> None:
    path, writer = written
    tail, found = Tail(path), b""
    for _ in range(4):
        writer.send("rows", 25)  # it fails at the first lock that it meets
        for _ in range(8):
            found += data(tail.poll())
        writer.wait()
    while new := data(tail.poll()):
        found += new
    assert ids(found) == [f"p{n}" for n in range(1, 101)]


def test_what_a_killed_writer_did_not_commit_is_not_read(written: tuple[Path, Writer]) -> None:
    path, writer = written
    writer.do("rows", 2000)
    tail = Tail(path)
    first = data(tail.poll())
    writer.do("hold", 40)
    writer.kill()
    before, names = prints(path.parent), names_in(path.parent)
    assert whole(path) == first
    assert tail.poll() == []
    assert (prints(path.parent), names_in(path.parent)) == (before, names), "the journal is its owner's"


def test_a_wal_that_grows_while_its_database_stands_still_is_news_and_another_cache_key(tmp_path: Path) -> None:
    path = tmp_path / "e.sqlite"
    writer = Writer(path, "WAL")
    writer.do("rows", 1)
    tail, source = Tail(path), Source(str(path))
    tail.poll()
    stood, key = path.stat(), cache.key(source, None)
    assert cache.key(source, None) == key
    writer.do("rows", 1)
    now = path.stat()
    assert (now.st_size, now.st_mtime_ns) == (stood.st_size, stood.st_mtime_ns)
    assert cache.key(source, None) != key
    assert ids(data(tail.poll())) == ["p2"]
    writer.end()


def test_a_database_that_changes_between_two_readings_is_read_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "e.sqlite"
    writer = Writer(path, "DELETE")
    writer.do("rows", 2)
    real, left = snapshot._read, [1]

    def meddled(place: Path, copy: Path | None) -> tuple[str | None, ...]:
        found = real(place, copy)
        if copy is not None and left[0]:
            left[0] -= 1
            writer.do("rows", 1)
        return found

    monkeypatch.setattr(snapshot, "_read", meddled)
    assert ids(whole(path)) == ["p1", "p2", "p3"]
    left[0] = snapshot.TRIES + 1
    with pytest.raises(SourceError, match="changes faster than it can be read"):
        whole(path)
    tail = Tail(path)
    left[0] = snapshot.TRIES + 1
    assert said(tail.poll()) == ["unreadable"]
    left[0] = 0
    parts = tail.poll()
    assert said(parts) == ["returned"]
    assert ids(data(parts))[:3] == ["p1", "p2", "p3"]
    writer.end()


def test_a_database_of_another_kind_is_named_with_its_tables(tmp_path: Path) -> None:
    path = tmp_path / "other.db"
    with sqlite3.connect(path) as db:
        db.execute("CREATE TABLE birds (name TEXT)")
        db.execute("CREATE TABLE nests (tree TEXT)")
    with pytest.raises(ForeignError) as e:
        whole(path)
    assert "tables: birds, nests" in str(e.value)
    assert "\n" not in str(e.value)
    tail = Tail(path)
    assert said(tail.poll()) == ["unreadable"]
    assert tail.foreign == str(e.value)
    assert tail.poll() == []  # said once


def test_a_view_with_the_name_of_a_table_is_not_asked(tmp_path: Path) -> None:
    path = tmp_path / "trap.db"
    with sqlite3.connect(path) as db:
        db.execute(
            "CREATE VIEW programs (id, code, parent_id, generation, combined_score, correct) AS "
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i, '', '', 1, 1.0, 1 FROM n"
        )
    with pytest.raises(ForeignError, match="without tables"):
        whole(path)


@pytest.mark.parametrize("at", [16, 100, 4096, 5000])
def test_a_damaged_database_is_one_line_and_never_a_traceback(tmp_path: Path, at: int) -> None:
    path = tmp_path / "e.sqlite"
    writer = Writer(path, "DELETE")
    writer.do("rows", 30)
    writer.end()
    held = bytearray(path.read_bytes())
    held[at : at + 400] = b"\xff" * 400
    path.write_bytes(held)
    if at == 5000:  # in the rows: what SQLite still reads is told
        assert len(ids(whole(path))) == 30
        return
    with pytest.raises(SourceError) as e:
        whole(path)
    assert str(e.value).startswith(str(path))
    assert "\n" not in str(e.value)


def test_a_database_over_the_limit_is_said_to_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "e.sqlite"
    with sqlite3.connect(path) as db:
        db.execute("CREATE TABLE programs (id TEXT)")
    monkeypatch.setattr(snapshot, "MOST", 5000)
    with pytest.raises(SourceError, match="a database of over 5,000 bytes"):
        whole(path)


# --- documents ---------------------------------------------------------------------------------------------------


def journal(*nodes: dict[str, Any], **more: Any) -> bytes:
    return json.dumps({"nodes": nodes, "node2parent": {}, "__version": "2", **more}).encode()


def node(n: int, value: float | None = None) -> dict[str, Any]:
    metric = {"value": value, "maximize": None if value is None else True}
    return {"id": f"n{n}", "code": f"x = {n}", "step": n, "metric": metric, "is_buggy": value is None}


def test_a_document_that_grew_hands_on_what_is_new(tmp_path: Path) -> None:
    path = tmp_path / "journal.json"
    path.write_bytes(journal(node(0, 0.5)))
    tail = Tail(path)
    first = data(tail.poll())
    path.write_bytes(journal(node(0, 0.5), node(1, 0.6)))
    parts = tail.poll()
    assert (said(parts), ids(data(parts))) == ([], ["n1"])
    assert first + data(parts) == whole(path)
    for line in whole(path).splitlines():
        at = whole(path).index(line)
        assert sources.read_at(path, at, 1 << 20) == line
        assert sources.ending_at(path, at + len(line) + 1) == line
    assert sources.ending_at(path, 3) == b""
    with pytest.raises(SourceError, match="no line begins at byte 3"):
        sources.read_at(path, 3, 100)


def test_half_a_document_is_said_and_what_was_read_of_it_stands(tmp_path: Path) -> None:
    path = tmp_path / "journal.json"
    grown = journal(node(0, 0.5), node(1, 0.6))
    path.write_bytes(journal(node(0, 0.5)))
    tail = Tail(path)
    tail.poll()
    for half in (b"", grown[:1], grown[:20], grown[:-1]):
        path.write_bytes(half)
        parts = tail.poll()
        assert said(parts) in (["unreadable"], [])
        assert data(parts) == b""
    path.write_bytes(grown)
    parts = tail.poll()
    assert (said(parts), ids(data(parts))) == (["returned"], ["n1"])


def test_what_comes_while_a_document_is_read_is_read_next(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "journal.json"
    path.write_bytes(journal(node(0, 0.5)))
    real = document.load

    def slow(place: Path) -> Any:
        found = real(place)
        place.write_bytes(journal(node(0, 0.5), node(1, 0.6)))
        return found

    monkeypatch.setattr("trajscope.unfold.aide.load", slow)
    tail = Tail(path)
    assert ids(data(tail.poll())) == ["n0"]
    assert ids(data(tail.poll())) == ["n1"]


def test_a_document_that_is_half_there_from_the_start_is_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "journal.json"
    grown = journal(node(0, 0.5))
    tail = Tail(path)
    assert said(tail.poll()) == ["absent"]
    for half in (b"", grown[:1], grown[:30]):
        path.write_bytes(half)
        assert data(tail.poll()) == b""
    path.write_bytes(grown)
    assert ids(data(tail.poll())) == ["n0"]


def test_a_record_that_was_changed_is_a_rewriting_and_a_late_fact_is_none(tmp_path: Path) -> None:
    path = tmp_path / "journal.json"
    path.write_bytes(journal(node(0), node(1)))
    tail = Tail(path)
    assert "maximize" not in json.loads(data(tail.poll()).splitlines()[0])
    path.write_bytes(journal(node(0), node(1), node(2, 0.5)))  # only now it is known which way is better
    parts = tail.poll()
    assert (said(parts), ids(data(parts))) == (["retold"], ["n0", "n1", "n2"])
    path.write_bytes(journal(node(0), node(1, 0.9), node(2, 0.5)))
    parts = tail.poll()
    assert (said(parts), ids(data(parts))) == (["rewritten"], ["n0", "n1", "n2"])
    assert tail.at == sources.length(path)


def test_a_document_that_becomes_a_file_of_lines_is_read_as_one(tmp_path: Path) -> None:
    path = tmp_path / "journal.json"
    path.write_bytes(journal(node(0, 0.5)))
    tail = Tail(path)
    tail.poll()
    lines = b'{"v": 1, "type": "run"}\n' * 300
    path.write_bytes(lines)
    parts = tail.poll()
    assert (said(parts), data(parts)) == (["replaced"], lines)


def test_a_deleted_document_is_said_to_be_once_and_may_come_again(tmp_path: Path) -> None:
    path = tmp_path / "journal.json"
    path.write_bytes(journal(node(0, 0.5)))
    tail = Tail(path)
    tail.poll()
    path.unlink()
    assert [said(tail.poll()) for _ in range(2)] == [["deleted"], []]
    path.write_bytes(journal(node(0, 0.5), node(1, 0.5)))
    parts = tail.poll()
    assert (said(parts), ids(data(parts))) == (["returned"], ["n1"])


@pytest.mark.parametrize(
    ("held", "why"),
    [
        (b'{"nodes": [{"code": ' + b"[" * 200_000, "nested too deeply"),
        (b'{"nodes": [{"code": 1}], "x": }', "no whole JSON document"),
        (b'{"nodes": [{"code": 1}]}\n{"nodes": []}\n', "no whole JSON document"),
    ],
)
def test_a_document_that_cannot_be_read_is_one_line(tmp_path: Path, held: bytes, why: str) -> None:
    path = tmp_path / "journal.json"
    path.write_bytes(held)
    with pytest.raises(SourceError, match=why) as e:
        whole(path)
    assert str(e.value).startswith(f"{path}: ")
    assert "\n" not in str(e.value)


def test_a_document_over_the_limit_is_said_to_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "journal.json"
    path.write_bytes(journal(node(0, 0.5)))
    monkeypatch.setattr(document, "MOST", 100)
    with pytest.raises(SourceError, match="a JSON document of over 100 bytes"):
        whole(path)


def test_much_that_comes_at_once_is_handed_on_in_pieces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "journal.json"
    path.write_bytes(journal(*(node(n, 0.5) for n in range(50))))
    monkeypatch.setattr("trajscope.tail.MOST", 1000)
    tail, pieces = Tail(path), []
    while new := data(tail.poll()):
        assert new.endswith(b"\n")
        pieces.append(new)
        assert tail.behind == (b"".join(pieces) != whole(path))
    assert len(pieces) > 4
    assert b"".join(pieces) == whole(path)


def test_what_takes_long_to_unfold_is_not_unfolded_at_every_look(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("trajscope.unfolding.QUICK_S", 0.1)
    path = tmp_path / "journal.json"
    path.write_bytes(journal(node(0, 0.5)))
    kind = unfold.find(path)
    assert kind is not None
    ticks = iter((0.0, 0.0, 3.0, 3.0, 14.9, 15.0, 15.0, 15.0, 15.0))  # the first unfolding takes three seconds
    u = Unfolding(str(path), kind, clock=lambda: next(ticks))
    assert u.more() is not None
    path.write_bytes(journal(node(0, 0.5), node(1, 0.5)))
    assert u.more() is None  # 14.9 < 3 + 4 * 3
    news = u.more()
    assert news is not None
    assert len(news.lines) == 1


@pytest.mark.parametrize(
    "head",
    [
        b"",
        b"{",
        b'{"v": 1, "type": "run"}\n',
        b"SQLite format 3",
        b'{"nodes": 3}\n',
        b"commit\tval_bpb\n",
        b'["nodes"]',
    ],
)
def test_what_is_a_file_of_lines_is_not_unfolded(head: bytes) -> None:
    assert unfold.known(head) is None
