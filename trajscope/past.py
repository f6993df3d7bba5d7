"""Past: what was read of a growing file, written down, so that the next who opens it goes on from there.

Lives in the user's cache folder, named by the file's path and first bytes and by what was said of it. It is believed
where the file still begins with the same `cache.ENDS` bytes and still holds the same before the place where reading
goes on. What was changed between the two is not seen here: that takes a whole read (`analyze --no-cache`), and in a
native file the chain tells. Anything else means reading it whole.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from trajscope import cache, unfold
from trajscope.cache import SEAL
from trajscope.columns import DERIVED_VERSION
from trajscope.metrics import METRICS
from trajscope.pipeline import Standing
from trajscope.readers import Source
from trajscope.tally import Tally

if TYPE_CHECKING:
    import polars as pl

VERSION = 2
ROWS = 1 << 17  # lines whose rows go into one file; only the last one is written again when more come
TABLES = ("row", "seed", "event")


class Segment(msgspec.Struct, frozen=True):
    """Some rows in a file of their own: of one table, from one line of the run to another."""

    table: str
    first: int  # seq
    after: int  # seq of the first line that is not in it
    size: int  # bytes of the file

    @property
    def whole(self) -> bool:
        """Whether no more rows can come into it."""
        return self.after - self.first == ROWS

    def path(self, name: str) -> Path:
        """Where it lies."""
        return cache.folder() / f"{name}.{self.first}-{self.after}.{self.table}.parquet"


class _Body(msgspec.Struct, frozen=True):
    tail: bytes
    standing: Standing
    finished: bool
    also: bytes
    segments: tuple[Segment, ...]


class Past(NamedTuple):
    """The past of one file, as far as it was written down, and believed."""

    name: str
    standing: Standing
    finished: bool  # an `end` line was the last that was read
    also: bytes  # what whoever wrote it down remembers beside
    segments: tuple[Segment, ...]
    head: bytes  # what the file begins with
    last: bytes  # its bytes from the last line with content on


def name(source: Source, reader: str | None) -> str | None:
    """What names the past of a file that may have grown; None for what is no file of lines, or too short."""
    try:
        with Path(source.path).open("rb") as f:
            head = f.read(cache.ENDS)
    except OSError:
        return None
    if len(head) < cache.ENDS or unfold.known(head) is not None:
        return None
    body = [str(Path(source.path).resolve()), "past", VERSION, _meaning(), cache.said(source, reader)]
    return hashlib.sha256(json.dumps(body).encode() + head).hexdigest()[:32]


def load(name: str, source: Source) -> Past | None:
    """What was written down of a file, where it can be believed."""
    try:
        kept = _index(name).read_bytes()
        seal, body = kept[:SEAL], kept[SEAL:]
        if seal != hashlib.sha256(body).digest():
            return None
        found = msgspec.msgpack.decode(body, type=_Body)
        if any(s.path(name).stat().st_size != s.size for s in found.segments):
            return None
        with Path(source.path).open("rb") as f:
            head = f.read(cache.HEADER)
            at = found.standing.at
            if _tail(f, at) != found.tail:
                return None
            f.seek(found.standing.last[1])
            last = f.read(at - found.standing.last[1])
        for path in (_index(name), *(s.path(name) for s in found.segments)):
            os.utime(path)  # what is used is not what is thrown away first
    except (OSError, msgspec.MsgspecError):
        return None
    return Past(name, found.standing, found.finished, found.also, found.segments, head[:at], last)


def write(
    name: str,
    source: Source,
    standing: Standing,
    also: bytes,
    fetch: Callable[[str, int, int], pl.DataFrame],
    kept: Sequence[Segment] = (),
    *,
    finished: bool = False,
) -> Iterator[tuple[Segment, ...]]:
    """Write down how far a file was read, in short steps: each yields the files of rows so far, the last all of them.

    `fetch` answers with the rows of a table from one seq to another; those in `kept` are not asked for again. Raises
    nothing: a cache that cannot be written costs time, and nothing else.
    """
    import polars as pl

    try:
        cache.folder().mkdir(parents=True, exist_ok=True)
        segments = [s for s in kept if s.whole]
        begin = max((s.after for s in segments), default=0)
        for first in range(begin, standing.seq, ROWS):
            after = min(first + ROWS, standing.seq)
            frames = ((table, fetch(table, first, after)) for table in TABLES)
            segments += [_put(name, frame, table, first, after) for table, frame in frames if len(frame)]
            yield tuple(segments)
        with Path(source.path).open("rb") as f:
            tail = _tail(f, standing.at)
        body = msgspec.msgpack.encode(_Body(tail, standing, finished, also, tuple(segments)))
        with tempfile.TemporaryDirectory(dir=cache.folder()) as tmp:
            index = Path(tmp) / "index"
            index.write_bytes(hashlib.sha256(body).digest() + body)
            index.replace(_index(name))
        _let_go(name, segments)
        cache.trim(keep=name)
        yield tuple(segments)
    except (OSError, ValueError, OverflowError, pl.exceptions.PolarsError):
        return


def rows(found: Past, table: str, *, whole: bool) -> Iterator[pl.DataFrame]:
    """The rows of a table of the past, some at a time: of all its files, or of those that are to be written again."""
    import polars as pl

    for s in found.segments:
        if s.table == table and (whole or not s.whole):
            yield pl.read_parquet(s.path(found.name))


def files(found: Past) -> dict[str, list[Path]]:
    """The files of rows that nobody writes again, by their table."""
    out: dict[str, list[Path]] = {}
    for s in found.segments:
        if s.whole:
            out.setdefault(s.table, []).append(s.path(found.name))
    return out


def _put(name: str, frame: pl.DataFrame, table: str, first: int, after: int) -> Segment:
    with tempfile.TemporaryDirectory(dir=cache.folder()) as tmp:
        part = Path(tmp) / "rows"
        frame.write_parquet(part, compression="zstd", compression_level=1)
        found = Segment(table, first, after, part.stat().st_size)
        part.replace(found.path(name))
    return found


def _let_go(name: str, segments: Sequence[Segment]) -> None:
    """Files of rows that nothing names any more."""
    named = {s.path(name) for s in segments}
    for path in cache.folder().glob(f"{name}.*.parquet"):
        if path not in named:
            path.unlink(missing_ok=True)


def _index(name: str) -> Path:
    return cache.folder() / f"{name}.past"


def _tail(f: Any, at: int) -> bytes:
    """A hash of what stands before this place, and of where that is; of nothing where the file is shorter."""
    start = max(0, at - cache.ENDS)
    f.seek(start)
    data: bytes = f.read(at - start)
    return hashlib.sha256(b"%d " % (start + len(data)) + data).digest()


def _meaning() -> list[Any]:
    """What a snapshot's numbers mean: another version's are not to be gone on from."""
    try:
        ours = version("trajscope")
    except PackageNotFoundError:
        ours = ""
    metrics = [(m.name, m.sql) for m in METRICS]
    return [ours, DERIVED_VERSION, list(Tally.__struct_fields__), metrics]
