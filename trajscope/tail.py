"""Follows one growing file: hands on each of its bytes once, and says whatever odd happens to it.

Knows nothing of lines or formats, and asks no clock: whoever polls decides when. No oddity is fatal.
"""

from __future__ import annotations

import io
import os
import select
import stat
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Literal, NamedTuple

from trajscope import sources
from trajscope.errors import SourceError

HEAD = 4096  # bytes at the beginning of a file by which it is known again
LAST = 256  # and before the place where reading goes on
MOST = 4 << 20  # bytes of one poll, so that nobody who waits for the next one waits long

Kind = Literal["absent", "deleted", "returned", "unreadable", "replaced", "sidecar"]


class Oddity(NamedTuple):
    """Something that happened to the file, and changes nothing about what was read."""

    kind: Kind
    text: str


class Reset(NamedTuple):
    """What was read so far is no more in the file: a torn last line stays torn, and everything begins anew."""

    kind: Literal["truncated", "rewritten", "replaced", "rotated"]
    text: str


Part = bytes | Oddity | Reset


class Tail:
    """One file from `at` on. `ended` once nothing more can come: a compressed file, a closed pipe."""

    def __init__(self, path: str | Path, at: int = 0) -> None:
        self.path = str(path)
        self.at = at  # bytes handed on
        self.behind = False  # the last poll left bytes for the next one
        self.ended = False
        self.changed_ns = 0  # when the file last changed, by its own account
        self._fd = -1
        self._head = self._last = b""
        self._said: Kind | None = None  # what is odd now and was said already
        self._packed: Iterator[bytes] | None = None
        self._pipe = self.path == "-"

    def poll(self) -> list[Part]:
        """What came since the last poll. Never raises: a file that cannot be read is said to be so, once."""
        out: list[Part] = []  # filled by the steps below, so that nothing is lost where a later one fails
        if self.ended:
            return out
        try:
            if self._pipe:
                self._from_pipe(out)
            elif self._packed is not None:
                self._unpack(out)
            else:
                self._poll(out)
        except (OSError, SourceError, ValueError) as e:
            self.behind = False
            self._odd(out, "unreadable", f"{self.path}: cannot be read ({getattr(e, 'strerror', None) or e})")
        return out

    def close(self) -> None:
        """Let go of the file."""
        if self._fd >= 0 and self.path != "-":
            os.close(self._fd)
        self._fd = -1

    def _poll(self, out: list[Part]) -> None:
        try:
            here = Path(self.path).stat()
        except FileNotFoundError:
            self._missing(out)
            return
        if self._fd < 0:
            self._open(here)
            if self._pipe or self._packed is not None:
                return  # the next poll reads it
        else:
            held = os.fstat(self._fd)
            if (held.st_dev, held.st_ino) != (here.st_dev, here.st_ino):
                self._moved(out, held)
                here = os.fstat(self._fd)
        if self._said:
            out.append(Oddity("returned", f"{self.path}: is there again"))
            self._said = None
        self._grown(out, here)

    def _open(self, here: os.stat_result) -> None:
        if stat.S_ISDIR(here.st_mode):
            raise SourceError("it is a folder")
        if stat.S_ISFIFO(here.st_mode):
            self._fd = os.open(self.path, os.O_RDONLY | os.O_NONBLOCK)
            self._pipe = self.behind = True
            return
        self._fd = os.open(self.path, os.O_RDONLY)
        if sources.is_packed(os.pread(self._fd, 6, 0)):
            self._packed, self.behind = sources.read(self.path), True
        elif self.at:  # taken up where somebody else left it
            self._head, self._last = os.pread(self._fd, min(HEAD, self.at), 0), self._before(self.at)

    def _missing(self, out: list[Part]) -> None:
        """The name is gone. What was written before it went is still ours to read."""
        self.behind = False
        if self._fd < 0:
            self._odd(out, "absent", f"{self.path}: is not there yet")
            return
        self._drain(out)
        self._odd(out, "deleted", f"{self.path}: was deleted or renamed after {self.at:,} bytes")

    def _moved(self, out: list[Part], held: os.stat_result) -> None:
        """Another file stands under the name: the old one is read to its end first."""
        self._drain(out)
        new = os.open(self.path, os.O_RDONLY)
        try:
            same = self._begins_alike(new)
        except OSError:
            same = False
        os.close(self._fd)
        self._fd = new
        if same and self.at:
            text = f"{self.path}: was replaced by a file with the same first {self.at:,} bytes; going on there"
            out.append(Oddity("replaced", text))
        elif not same:
            self._begin()
            gone = held.st_nlink == 0
            how = "replaced by another file" if gone else "rotated: it was renamed, and another file has its name"
            out.append(Reset("replaced" if gone else "rotated", f"{self.path}: was {how}"))

    def _begins_alike(self, new: int) -> bool:
        """Whether the new file begins with all that was read of the old one, which is still open."""
        if os.fstat(new).st_size < self.at:
            return False
        for start in range(0, self.at, sources.CHUNK):
            n = min(sources.CHUNK, self.at - start)
            if os.pread(new, n, start) != os.pread(self._fd, n, start):
                return False
        return True

    def _grown(self, out: list[Part], here: os.stat_result) -> None:
        if (here.st_size, here.st_mtime_ns) == (self.at, self.changed_ns):
            return
        self.changed_ns, was = here.st_mtime_ns, self.at
        if here.st_size < was:
            self._begin()
            out.append(Reset("truncated", f"{self.path}: was cut from {was:,} to {here.st_size:,} bytes"))
        elif was and not self._known():
            self._begin()
            out.append(Reset("rewritten", f"{self.path}: its first {was:,} bytes are others than those that were read"))
        self._read(out)

    def _known(self) -> bool:
        """Whether the file still begins as it did, and still holds what stood before the place where reading goes on.

        What was changed further inside is not seen here: the chain of a native file tells that.
        """
        return os.pread(self._fd, len(self._head), 0) == self._head and self._before(self.at) == self._last

    def _read(self, out: list[Part]) -> int:
        data = os.pread(self._fd, MOST, self.at)
        self.behind = len(data) == MOST
        if data:
            if len(self._head) < HEAD:
                self._head += data[: HEAD - len(self._head)]
            self._last = (self._last + data)[-LAST:]
            self.at += len(data)
            out.append(data)
        return len(data)

    def _drain(self, out: list[Part]) -> None:
        """What is left of a file that is no longer under its name."""
        while self._read(out):
            pass

    def _begin(self) -> None:
        self.at, self._head, self._last = 0, b"", b""

    def _before(self, at: int) -> bytes:
        return os.pread(self._fd, min(LAST, at), max(0, at - LAST))

    def _unpack(self, out: list[Part]) -> None:
        assert self._packed is not None
        try:
            data = next(self._packed, None)
        except SourceError:
            self.ended = True  # a damaged archive gets no better
            raise
        self.behind = data is not None
        if data is None:
            self.ended = True
        else:
            self.at += len(data)
            out.append(data)

    def _from_pipe(self, out: list[Part]) -> None:
        if self._fd < 0:
            try:
                self._fd = sys.stdin.fileno()
            except (io.UnsupportedOperation, AttributeError) as e:
                self.ended = True
                raise SourceError(f"standard input cannot be read ({e})") from None
        self.behind = False
        if not select.select([self._fd], [], [], 0)[0]:
            return
        try:
            data = os.read(self._fd, MOST)
        except BlockingIOError:
            return
        if data:
            self.behind = True
            self.at += len(data)
            out.append(data)
        else:
            self.ended = self.at > 0 or self.path == "-"  # nobody may have opened a named pipe for writing yet

    def _odd(self, out: list[Part], kind: Kind, text: str) -> None:
        """Say it, unless it was said last time."""
        if self._said != kind:
            self._said = kind
            out.append(Oddity(kind, text))
