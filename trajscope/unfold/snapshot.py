"""A private copy of an SQLite database as it stood at one moment, taken without its writer noticing anything.

Opening a living database, even `mode=ro`, takes locks that a writer waits for, and leaves a `-shm` and a `-wal` beside
one in WAL mode. So the database is copied with its `-wal` and `-journal`, without any lock: read twice, and when both
readings are the same byte for byte, that is what stood there between the two. This is what a power cut leaves, and
SQLite recovers from it: frames of the WAL that were not committed are left out, a hot journal is rolled back.

What this cannot see: a transaction in a database that keeps its journal in memory (`journal_mode=MEMORY` or `OFF`).
A program that has the same database open through SQLite itself must not read it here: closing a file drops the locks
that its process holds on it.
"""

from __future__ import annotations

import hashlib
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from trajscope.errors import SourceError

MOST = 4 << 30  # bytes of a database with its journal
TRIES = 12  # readings of one that is written all the while
CHUNK = 1 << 20
STEPS = 2_000_000  # thousands of instructions of all queries, after which a schema is taken for a trap
BESIDE = ("", "-wal", "-journal")


def parts(path: Path) -> list[Path]:
    """The database, and what may stand beside it and belongs to it."""
    return [path.with_name(path.name + suffix) for suffix in BESIDE]


@contextmanager
def copied(path: Path) -> Iterator[sqlite3.Connection]:
    """A connection to a copy of its own, gone afterwards."""
    path = path.resolve()  # the journal stands beside the file, not beside a link to it
    with tempfile.TemporaryDirectory(prefix="trajscope-") as folder:
        copy = Path(folder) / "db"
        _take(path, copy)
        try:
            with closing(sqlite3.connect(copy, isolation_level=None)) as db:
                _tame(db)
                yield db
        except sqlite3.Error as e:
            raise SourceError(f"{path}: cannot be read as an SQLite database ({e}); check it, or wait") from None


def tables(db: sqlite3.Connection) -> dict[str, frozenset[str]]:
    """The columns of every real table; views and virtual tables may run anything, and are none."""
    found = db.execute(
        "SELECT name FROM sqlite_master WHERE type = 'table' AND sql NOT LIKE 'create virtual%' ORDER BY name"
    )
    names = [name for (name,) in found if not name.startswith("sqlite_")]
    return {n: frozenset(r[1] for r in db.execute(f"PRAGMA table_info({_quoted(n)})")) for n in names}


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _tame(db: sqlite3.Connection) -> None:
    """A schema from strangers may not run functions, nor without end."""
    left = [STEPS]

    def tick() -> int:
        left[0] -= 1
        return left[0] < 0

    db.execute("PRAGMA trusted_schema = OFF")
    db.execute("PRAGMA query_only = ON")
    db.set_progress_handler(tick, 1000)
    db.text_factory = lambda b: b.decode("utf-8", "replace")


def _take(path: Path, copy: Path) -> None:
    """Copy what stands there at one moment; raise where it does not hold still for two readings."""
    before = _read(path, copy)
    for _ in range(TRIES):
        now = _read(path, None)
        if now == before:
            return
        before = _read(path, copy)
    raise SourceError(f"{path}: changes faster than it can be read; it is read again when it rests")


def _read(path: Path, copy: Path | None) -> tuple[str | None, ...]:
    """A hash of each part, None where there is none; each is copied where a copy is wanted."""
    out: list[str | None] = []
    total = 0
    for part, suffix in zip(parts(path), BESIDE, strict=True):
        to = copy.with_name(copy.name + suffix) if copy is not None else None
        try:
            with part.open("rb") as f:
                if to is not None:
                    to.unlink(missing_ok=True)
                seen = hashlib.blake2b()
                with to.open("wb") if to is not None else _nowhere() as out_file:
                    while chunk := f.read(CHUNK):
                        total += len(chunk)
                        if total > MOST:
                            raise SourceError(f"{path}: is a database of over {MOST:,} bytes; export it as JSON lines")
                        seen.update(chunk)
                        if out_file is not None:
                            out_file.write(chunk)
                out.append(seen.hexdigest())
        except FileNotFoundError:
            if not suffix:
                raise SourceError(f"{path}: cannot be read (No such file or directory); check the path") from None
            if to is not None:
                to.unlink(missing_ok=True)
            out.append(None)
        except OSError as e:
            raise SourceError(f"{part}: cannot be read ({e.strerror}); check its rights") from None
    return tuple(out)


@contextmanager
def _nowhere() -> Iterator[None]:
    yield None
