"""Cache: a finished file's rows as Parquet, and its run written down, so that it is read once.

Lives in the user's cache folder. Keyed by the file's path, size, time and content at both ends, and by what was said
about it; anything else means reading it again. The JSONL stays the truth: a cache may be deleted at any time.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from trajscope import unfold
from trajscope.columns import DERIVED_VERSION
from trajscope.errors import SourceError
from trajscope.readers import Source
from trajscope.run import Run

if TYPE_CHECKING:
    from trajscope.store import Store

ENDS = 1 << 16  # bytes at each end that must be as they were
SEAL = 32  # bytes in front of a snapshot that show whether all of it was written
PARQUET = b"PAR1"  # what a whole Parquet file begins and ends with
WORTH = 8 << 20  # bytes from which reading again costs more than keeping
HEADER = 1 << 20  # bytes at the beginning of a file among which its header is looked for
MOST = 4 << 30  # bytes of all cached runs together; beyond, those that were not used for longest go


def folder() -> Path:
    """Where cached runs live."""
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(home) / "trajscope"


def key(source: Source, reader: str | None) -> str | None:
    """What names the cached form of a file; None for what is no regular file.

    Of what is unfolded every part counts: the WAL of a database grows while the database itself stands still.
    """
    path = Path(source.path)
    try:
        kind = unfold.find(path)
        places = [path] if kind is None else [p for p in kind.watched(path) if p.is_file()]
        stands, ends = [], b""
        for place in places:
            stat = place.stat()
            stands.append([str(place.resolve()), stat.st_size, stat.st_mtime_ns])
            with place.open("rb") as f:
                ends += f.read(ENDS)
                f.seek(max(0, stat.st_size - ENDS))
                ends += f.read(ENDS)
    except (OSError, SourceError):
        return None
    body = [stands, DERIVED_VERSION, said(source, reader)]
    return hashlib.sha256(json.dumps(body).encode() + ends).hexdigest()[:32]


def said(source: Source, reader: str | None) -> list[Any]:
    """What was said of a file, beside what it says itself."""
    menu = [repr(k) for k in source.menu.knobs.values()] if source.menu else None
    declared = source.menu.declared if source.menu else None
    layout = msgspec.to_builtins(source.layout) if source.layout else None
    return [source.metric, source.goal, source.history, menu, declared, layout, source.repo, reader]


def rows(name: str) -> Path:
    """The Parquet of a cached file."""
    return folder() / f"{name}.parquet"


def holds_rows(name: str) -> bool:
    """Whether a file's rows are there and look whole, for questions that need no snapshot."""
    with contextlib.suppress(OSError), rows(name).open("rb") as f:
        if f.read(4) == PARQUET and f.seek(-4, os.SEEK_END) > 4:
            return f.read(4) == PARQUET
    return False


def load(name: str) -> bytes | None:
    """The snapshot of a cached file's run, where it and its rows are whole."""
    with contextlib.suppress(OSError):
        kept = (folder() / f"{name}.run").read_bytes()
        seal, snapshot = kept[:SEAL], kept[SEAL:]
        if seal == _seal(snapshot, rows(name)):
            return snapshot
    return None


def save(name: str, store: Store, run: Run) -> None:
    """Keep a run that was read. A cache that cannot be written costs time, nothing else."""
    import duckdb

    # A knob may hold a number that no snapshot can: that run is read again every time.
    with contextlib.suppress(OSError, duckdb.Error, ValueError, OverflowError):
        folder().mkdir(parents=True, exist_ok=True)
        store.flush()
        with tempfile.TemporaryDirectory(dir=folder()) as tmp:
            parquet = Path(tmp) / "rows"
            text = str(parquet).replace("'", "''")
            columns = 'SELECT * EXCLUDE (run) FROM "row"'
            store.con.execute(f"COPY ({columns}) TO '{text}' (FORMAT parquet, COMPRESSION zstd)")
            state = run.snapshot()
            snapshot = Path(tmp) / "run"
            snapshot.write_bytes(_seal(state, parquet) + state)
            snapshot.replace(folder() / f"{name}.run")
            parquet.replace(rows(name))
        trim(keep=name)


def trim(keep: str) -> None:
    """Throw away what was not used for longest where the folder has grown too large; `keep` is not thrown away."""
    files: dict[str, list[tuple[Path, os.stat_result]]] = {}
    with contextlib.suppress(OSError):
        for path in folder().iterdir():
            if path.is_file():
                files.setdefault(path.name.split(".")[0], []).append((path, path.stat()))
    size = sum(stat.st_size for found in files.values() for _, stat in found)
    for _, name in sorted((max(stat.st_mtime_ns for _, stat in found), name) for name, found in files.items()):
        if size <= MOST:
            return
        for path, stat in files[name] if name != keep else ():
            with contextlib.suppress(OSError):
                path.unlink()
                size -= stat.st_size


def _seal(snapshot: bytes, parquet: Path) -> bytes:
    """What a whole cache begins with: a hash of its snapshot and of how long its rows are."""
    return hashlib.sha256(b"%d " % parquet.stat().st_size + snapshot).digest()


def table(names: list[str]) -> str:
    """Cached rows as a table for SQL, with the file name in `filename`."""
    paths = ", ".join("'" + str(rows(n)).replace("'", "''") + "'" for n in names)
    return f"read_parquet([{paths}], filename = true)"
