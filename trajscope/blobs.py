"""Long texts beside a run: `<run>.blobs/<sha256>`, compressed, named by the hash of the text itself.

A name that is not a hash is refused before any path is built from it.
"""

from __future__ import annotations

import hashlib
import os
import re
import stat
import zlib
from pathlib import Path

from trajscope.errors import RecordError, SourceError

MAX_INLINE = 2048  # bytes of UTF-8; a longer text becomes a blob
MAX_BLOB = 64 << 20  # bytes of text; what unpacks to more is refused
_SHA = re.compile(r"[0-9a-f]{64}")


def beside(path: str | os.PathLike[str], suffix: str) -> Path:
    """A sibling of a run file: `night.jsonl` and `.blobs` give `night.blobs`."""
    run = Path(path)
    return run.with_name(run.name.removesuffix(".jsonl") + suffix)


def write_blob(path: str | os.PathLike[str], text: str) -> str:
    """Store a text beside the run at `path`, durably, and return the SHA-256 that names it."""
    data = text.encode()
    if len(data) > MAX_BLOB:
        raise RecordError(f"{path}: a text of {len(data):,} bytes is over the limit of {MAX_BLOB:,}; keep it in a file")
    sha = hashlib.sha256(data).hexdigest()
    folder = beside(path, ".blobs")
    if not folder.is_dir():
        folder.mkdir(exist_ok=True)
        sync_folder(folder.parent)
    if _holds(path, sha):
        return sha
    import secrets  # drags random numbers into whoever only wants to know a path

    temporary = folder / f".{sha}.{secrets.token_hex(4)}"
    try:
        with temporary.open("xb") as out:
            out.write(zlib.compress(data))
            out.flush()
            os.fsync(out.fileno())
        temporary.replace(folder / sha)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    sync_folder(folder)
    return sha


def read_blob(path: str | os.PathLike[str], sha: str) -> str:
    """The text that `sha` names beside the run at `path`; raises where it is gone, changed, or no hash at all."""
    if not _SHA.fullmatch(sha):
        raise SourceError(f"{path}: {sha[:80]!r} names no blob; a blob's name is 64 lower-case hex digits")
    place = beside(path, ".blobs") / sha
    try:
        # Never through a link, and never waiting for a pipe.
        handle = os.open(place, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0))
        with os.fdopen(handle, "rb") as file:
            if not stat.S_ISREG(os.fstat(handle).st_mode):
                raise SourceError(f"{place}: is not a plain file")
            data = _unpack(file.read(MAX_BLOB + 1))
    except OSError as error:
        raise SourceError(f"{place}: the text cannot be read ({error.strerror}); restore it beside the run") from None
    except (zlib.error, ValueError) as error:
        raise SourceError(f"{place}: the text cannot be unpacked ({error}); it was changed or cut off") from None
    if hashlib.sha256(data).hexdigest() != sha:
        raise SourceError(f"{place}: the text was changed; it no longer has the hash that names it")
    return data.decode("utf-8", "replace")


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable, where the system can."""
    if os.name == "nt":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _holds(path: str | os.PathLike[str], sha: str) -> bool:
    try:
        read_blob(path, sha)
    except SourceError:
        return False
    return True


def _unpack(packed: bytes) -> bytes:
    reader = zlib.decompressobj()
    data = reader.decompress(packed, MAX_BLOB)
    if reader.unconsumed_tail or not reader.eof:
        raise ValueError(f"cut off, or over {MAX_BLOB:,} bytes")
    return data
