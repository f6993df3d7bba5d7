"""Where bytes come from: files, compressed files, standard input, and what `unfold` makes lines of.

Beside `unfold` the only module that opens run files for reading. Knows nothing of lines or formats.
"""

from __future__ import annotations

import io
import os
import stat
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

from trajscope import unfold
from trajscope.errors import SourceError
from trajscope.unfold import Kind

CHUNK = 1 << 20
HEAD = 1 << 16  # bytes that readers are shown to recognise a format
MAX_UNPACKED = 64 << 30  # bytes a compressed file may grow to
_PACKED = {b"\x1f\x8b": "gzip", b"BZh": "bz2", b"\xfd7zXZ": "lzma"}


def read(path: str | Path, progress: Callable[[int], None] | None = None) -> Iterator[bytes]:
    """The bytes of a file in chunks; `-` is standard input. Of what is no file of lines, those it unfolds into."""
    kind = unfold.find(path)
    if kind is not None:
        for chunk in unfolded(path, kind):
            if progress:
                progress(len(chunk))
            yield chunk
        return
    total = 0
    with opened(path) as f:
        packed = packing(f) if str(path) != "-" else None
        stream = _unpack(f, packed) if packed else f
        while True:
            try:
                chunk = stream.read(CHUNK)
            except (OSError, EOFError) as e:
                raise SourceError(f"{path}: cannot be read to its end ({e}); {total:,} bytes were") from None
            except Exception as e:  # noqa: BLE001  # zlib.error and lzma.LZMAError have no common base but this
                raise SourceError(f"{path}: its compression is damaged ({e}) after {total:,} bytes") from None
            if not chunk:
                return
            total += len(chunk)
            if packed and total > MAX_UNPACKED:
                raise SourceError(f"{path}: unpacks to over {MAX_UNPACKED:,} bytes; unpack it yourself if you trust it")
            if progress:
                progress(len(chunk))
            yield chunk


def read_at(path: str | Path, at: int, most: int) -> bytes:
    """The line that begins at this offset, without its line end."""
    kind = unfold.find(path)
    if kind is not None:
        return _line_at(path, kind, at)[:most].rstrip(b"\r\n")
    with opened(path) as f:
        packed = packing(f)
        try:
            stream = _unpack(f, packed) if packed else io.BufferedReader(f)
            stream.seek(at)
            return stream.readline(most).rstrip(b"\r\n")
        except Exception as e:  # noqa: BLE001  # zlib.error and lzma.LZMAError have no common base but this
            raise SourceError(f"{path}: byte {at:,} cannot be read ({e}); check the file") from None


def unfolded(path: str | Path, kind: Kind) -> Iterator[bytes]:
    """The lines of what is no file of lines, in chunks of about `CHUNK` bytes."""
    held: list[bytes] = []
    many = 0
    for line in kind.unfold(path):
        held.append(line)
        many += len(line)
        if many >= CHUNK:
            yield b"".join(held)
            held, many = [], 0
    if held:
        yield b"".join(held)


def ending_at(path: str | Path, end: int) -> bytes:
    """The line whose end is the last byte before this offset, without that end; nothing where none ends there."""
    kind = unfold.find(path)
    if kind is None:
        return read_at(path, _begin(path, end), end)
    at = 0
    for line in kind.unfold(path):
        at += len(line)
        if at >= end:
            return line.rstrip(b"\r\n") if at == end else b""
    return b""


def _begin(path: str | Path, end: int) -> int:
    """Where the line begins that ends at this offset."""
    with opened(path) as f:
        at = end - 1  # its own newline
        step = 1 << 16
        while at > 0:
            start = max(0, at - step)
            f.seek(start)
            found = f.read(at - start).rfind(b"\n")
            if found >= 0:
                return start + found + 1
            at = start
    return 0


def _line_at(path: str | Path, kind: Kind, at: int) -> bytes:
    begin = 0
    for line in kind.unfold(path):
        if begin == at:
            return line
        begin += len(line)
        if begin > at:
            break
    raise SourceError(f"{path}: no line begins at byte {at:,} of what it unfolds into; it was changed since")


def length(path: str | Path) -> int:
    """Bytes that `read` gives of the file, archives apart: its own size, or that of what it unfolds into."""
    kind = unfold.find(path)
    return size(path) if kind is None else sum(map(len, kind.unfold(path)))


def size(path: str | Path) -> int:
    """Bytes of the file as it stands; 0 for a pipe."""
    try:
        return os.stat(path).st_size if str(path) != "-" else 0
    except (OSError, ValueError) as e:
        raise _unreadable(path, e) from None


def _unreadable(path: str | Path, e: OSError | ValueError) -> SourceError:
    # A path that holds a NUL byte is a ValueError, and has no other word for it.
    return SourceError(f"{path}: cannot be read ({getattr(e, 'strerror', None) or e}); check the path")


def opened(path: str | Path) -> io.FileIO:
    """A file open for reading, never a folder or a device; `-` is standard input."""
    if str(path) == "-":
        return io.FileIO(sys.stdin.fileno(), "rb", closefd=False)
    try:
        mode = os.stat(path).st_mode
        if stat.S_ISDIR(mode):
            raise SourceError(f"{path}: is a folder; use `trajscope fleet {path}`, or name a file in it")
        if not (stat.S_ISREG(mode) or stat.S_ISFIFO(mode)):
            raise SourceError(f"{path}: is a device or socket, not a file; name a file or `-`")
        return io.FileIO(path, "rb")
    except (OSError, ValueError) as e:
        raise _unreadable(path, e) from None


def is_packed(magic: bytes) -> str | None:
    """The compression that a file begins with, if any; six bytes are enough."""
    return next((kind for sign, kind in _PACKED.items() if magic.startswith(sign)), None)


def packing(f: IO[bytes]) -> str | None:
    """How its bytes are compressed, None where they are not."""
    if not f.seekable():
        return None
    magic = f.read(6)
    f.seek(0)
    return is_packed(magic)


def _unpack(f: IO[bytes], kind: str) -> IO[bytes]:
    from importlib import import_module

    stream: IO[bytes] = import_module(kind).open(f, "rb")
    return stream
