"""Ledger: what is known of each pair, configuration or place, in memory up to a million of them, in SQLite beyond.

Exact always: whole labels are compared, never their hashes alone. The database is a temporary file that only this
process can see, and it is gone when the ledger is.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, TypeVar

import msgspec

from trajscope.errors import HistoryError

if TYPE_CHECKING:
    import sqlite3

MOST = 1_000_000  # labels that are held in memory
_CACHE_KB = 64_000
_AT_ONCE = 50_000  # that wait in memory to be written together, once there is a database
_FAILS = "free space where temporary files go (SQLITE_TMPDIR, TMPDIR) and read the history again"


class Seen(NamedTuple):
    """One trial that tried a pair: where it stands, what came of it, on which base."""

    where: str
    line: int  # counted from 1
    seq: int
    iter: int | None
    status: str
    value: float | None
    base: str | None
    config: str | None
    label: str = ""  # of its pair

    @property
    def place(self) -> str:
        """The file and the line."""
        return f"{self.where}:{self.line}"

    @property
    def outcome(self) -> str:
        """What came of it, in words."""
        return self.status if self.value is None else f"{self.status}, {self.value:g}"


class Past(NamedTuple):
    """What is known of one pair: exact counts, and the first and last trial that tried it."""

    n: int
    first: Seen
    last: Seen
    kept: int = 0
    unplaced: int = 0  # trials that do not say on which base they ran


class Ran(NamedTuple):
    """What is known of one whole configuration."""

    n: int
    replicates: int
    last: Seen


V = TypeVar("V")


class Ledger(Generic[V]):
    """Values by label."""

    get: Callable[[str], V | None]

    def __init__(self, kind: type[V], most: int = MOST) -> None:
        self._kind = kind
        self._most = most
        self._held: dict[str, V] = {}
        self._disk: sqlite3.Connection | None = None
        self.get = self._held.get  # bound once: asked of every proposal

    def put(self, label: str, value: V) -> None:
        """Remember a value under this label, instead of what was there."""
        self._held[label] = value
        if len(self._held) > self._most:
            self._spill()

    @property
    def on_disk(self) -> bool:
        """Whether it has outgrown the memory it may take."""
        return self._disk is not None

    def close(self) -> None:
        """Let go of the database, and with it of the file; what is asked afterwards is an error."""
        if self._disk is not None:
            self._disk.close()
            self._lost(ValueError("it was closed"))

    def _spill(self) -> None:
        """Move everything that is held to the database; in order, which is many times quicker than one by one."""
        import sqlite3

        try:
            if self._disk is None:
                self._open()
            assert self._disk is not None
            rows = ((label, _encode(value)) for label, value in sorted(self._held.items()))
            self._disk.execute("begin")
            self._disk.executemany("insert or replace into held values (?, ?)", rows)
            self._disk.execute("commit")
        except sqlite3.Error as e:
            raise self._lost(e) from e
        self._held.clear()

    def _open(self) -> None:
        import sqlite3

        # An empty name is a temporary file of mode 0600 that SQLite unlinks as soon as it has opened it.
        self._disk = sqlite3.connect("", isolation_level=None, check_same_thread=False)
        for wish in ("journal_mode=off", "synchronous=off", f"cache_size=-{_CACHE_KB}"):
            self._disk.execute(f"pragma {wish}")
        self._disk.execute("create table held (label text primary key, value blob not null) without rowid")
        self._most = min(self._most, _AT_ONCE)
        recent, find, decode = self._held.get, self._disk.execute, msgspec.msgpack.Decoder(self._kind).decode

        def get(label: str) -> V | None:
            found = recent(label)
            if found is not None:
                return found
            try:
                row = find("select value from held where label = ?", (label,)).fetchone()
            except sqlite3.Error as e:
                raise self._lost(e) from e
            return None if row is None else decode(row[0])

        self.get = get

    def _lost(self, why: Exception) -> HistoryError:
        """The error of a ledger that no longer holds what it was given: from now on it refuses whatever is asked."""
        error = HistoryError(f"the history outgrew memory, and its temporary database fails ({why}); {_FAILS}")

        def lost(_label: str, _value: V | None = None) -> Any:
            raise error

        self.get, self.put = lost, lost  # type: ignore[method-assign, assignment]  # of this ledger alone
        return error


_encode = msgspec.msgpack.Encoder().encode
