"""Follows one growing file: hands on each of its lines once, and says whatever odd happens to it.

An unfinished last line is held back, because its writer may yet take it back. Of lines it knows only where they end, of
formats nothing; it asks no clock: whoever polls decides when. No oddity is fatal. What is no file of lines is followed
as the lines that it unfolds into (`unfolding`).
"""

from __future__ import annotations

import io
import os
import select
import stat
import sys
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import Literal, NamedTuple

from trajscope import sources, unfold
from trajscope.errors import ForeignError, SourceError
from trajscope.lines import MAX_LINE
from trajscope.unfolding import Unfolding

HEAD = 4096  # bytes at the beginning of a file by which it is known again
LAST = 256  # and before the place where reading goes on
MOST = 1 << 18  # bytes of one poll, so that nobody who waits for the next one waits long: decoding them takes 50 ms

Kind = Literal["absent", "deleted", "returned", "unreadable", "replaced", "mended", "sidecar"]


class Oddity(NamedTuple):
    """Something that happened to the file, and changes nothing about what was handed on."""

    kind: Kind
    text: str


class Reset(NamedTuple):
    """What was handed on is no more in the file: a torn last line stays torn, and everything begins anew.

    `retold`: it is all there, and more stands between it.
    """

    kind: Literal["truncated", "rewritten", "retold", "replaced", "rotated"]
    text: str


Part = bytes | Oddity | Reset


class Tail:
    """One file from `at` on. `ended` once nothing more can come: a compressed file, a closed pipe."""

    def __init__(self, path: str | Path, at: int = 0) -> None:
        self.path = str(path)
        self.at = at  # bytes handed on: whole lines, but for one that is too long to hold
        self.held = b""  # bytes of the file after those: a line that has no end yet
        self.behind = False  # the last poll left bytes for the next one
        self.ended = False
        self.damaged = False  # an archive that cannot be unpacked to its end
        self.changed_ns = 0  # when the file last changed, by its own account
        self._fd = -1
        self._head = self._last = b""
        self._said: Kind | None = None  # what is odd now and was said already
        self._packed: Iterator[bytes] | None = None
        self._unfolding: Unfolding | None = None
        self._waiting: deque[bytes] = deque()  # lines of it that are not handed on yet
        self.foreign: str | None = None  # why nobody can unfold what is there
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
            elif self._unfolding is not None:
                self._unfold(out, self._unfolding)
            else:
                self._poll(out)
        except (OSError, SourceError, ValueError) as e:
            self.behind = False
            self._odd(out, "unreadable", f"{self.path}: cannot be read ({getattr(e, 'strerror', None) or e})")
        return out

    def rest(self) -> bytes:
        """What was held back, handed on because the file is over."""
        rest, self.held = self.held, b""
        self._hand_on(rest)
        return rest

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
            if self._pipe:
                return  # the next poll reads it
            if self._unfolding is not None:
                self._unfold(out, self._unfolding)
                return
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
            if (kind := unfold.find(self.path)) is None:
                raise SourceError("it is a folder")
            self._unfolding = Unfolding(self.path, kind)
            return
        if stat.S_ISFIFO(here.st_mode):
            self._fd = os.open(self.path, os.O_RDONLY | os.O_NONBLOCK)
            self._pipe = self.behind = True
            return
        self._fd = os.open(self.path, os.O_RDONLY)
        if self.at:  # taken up where somebody else left it
            self._head, self._last = os.pread(self._fd, min(HEAD, self.at), 0), self._before(self.at)

    def _missing(self, out: list[Part]) -> None:
        """The name is gone. The lines that were written before it went are still ours to read."""
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
        self._fd, self.changed_ns = new, 0
        if same and self.at:
            text = f"{self.path}: was replaced by a file with the same first {self.at:,} bytes; going on there"
            out.append(Oddity("replaced", text))
        elif not same:
            self._begin(out)
            gone = held.st_nlink == 0
            how = "replaced by another file" if gone else "rotated: it was renamed, and another file has its name"
            out.append(Reset("replaced" if gone else "rotated", f"{self.path}: was {how}"))

    def _begins_alike(self, new: int) -> bool:
        """Whether the new file begins with all that was handed on of the old one, which is still open."""
        if os.fstat(new).st_size < self.at:
            return False
        for start in range(0, self.at, sources.CHUNK):
            n = min(sources.CHUNK, self.at - start)
            if os.pread(new, n, start) != os.pread(self._fd, n, start):
                return False
        return True

    def _grown(self, out: list[Part], here: os.stat_result) -> None:
        if (here.st_size, here.st_mtime_ns) == (self.at + len(self.held), self.changed_ns):
            self.behind = False
            return
        self.changed_ns, was = here.st_mtime_ns, self.at
        if here.st_size < was:
            text = f"{self.path}: was cut from {was + len(self.held):,} to {here.st_size:,} bytes"
            self._begin(out)
            out.append(Reset("truncated", text))
        elif was and not self._known():
            self._begin(out)
            out.append(Reset("rewritten", f"{self.path}: its first {was:,} bytes are others than those that were read"))
        self._read(out)

    def _known(self) -> bool:
        """Whether the file still begins as it did, and still holds what stood before the place where reading goes on.

        What was changed further inside is not seen here: the chain of a native file tells that.
        """
        return os.pread(self._fd, len(self._head), 0) == self._head and self._before(self.at) == self._last

    def _read(self, out: list[Part]) -> None:
        """Hand on the whole lines that came. What is held back is read again, so that it may be changed till then."""
        most = len(self.held) + MOST
        data = os.pread(self._fd, most, self.at)
        self.behind = len(data) == most
        if os.pread(self._fd, len(data), self.at) != data:
            # Somebody writes over it just now, and what was read may be half old and half new.
            self.behind, self.changed_ns = True, 0
            return
        if self.at == 0 and sources.is_packed(data[:6]):
            self._packed, self.behind, self.held = sources.read(self.path), True, b""
            return
        if self.at == 0 and (kind := unfold.known(data[: unfold.SNIFFED])):
            self.close()
            self._unfolding, self.behind, self.held = Unfolding(self.path, kind), False, b""
            self._unfold(out, self._unfolding)
            return
        if not data.startswith(self.held):
            text = f"{self.path}: its unfinished last line, {len(self.held):,} bytes, was taken back or written anew"
            out.append(Oddity("mended", text))
        # Within a line that was too long to hold, all that comes is handed on.
        inside = self._last != b"" and not self._last.endswith(b"\n")
        end = len(data) if inside or len(data) > MAX_LINE else 0
        end = data.rfind(b"\n") + 1 or end
        data, self.held = data[:end], data[end:]
        if data:
            self._hand_on(data)
            out.append(data)

    def _hand_on(self, data: bytes) -> None:
        if len(self._head) < HEAD:
            self._head += data[: HEAD - len(self._head)]
        self._last = (self._last + data[-LAST:])[-LAST:]
        self.at += len(data)

    def _drain(self, out: list[Part]) -> None:
        """The lines that are left of a file that is no longer under its name."""
        self._read(out)
        while self.behind:
            self._read(out)

    def _begin(self, out: list[Part]) -> None:
        """Begin anew; an unfinished line of what was there is all there will be of it."""
        if rest := self.rest():
            out.append(rest)
        self.at, self._head, self._last = 0, b"", b""

    def _before(self, at: int) -> bytes:
        return os.pread(self._fd, min(LAST, at), max(0, at - LAST))

    def _unfold(self, out: list[Part], u: Unfolding) -> None:
        """What came of something that is unfolded. What cannot be now is asked for again; what was read stands."""
        if not self._waiting:
            try:
                here = Path(self.path).stat()
                if self._is_other(here):
                    self._unfolding, self.foreign = None, None
                    self.at, self._head, self._last = 0, b"", b""
                    if u.at:
                        out.append(Reset("replaced", f"{self.path}: was replaced by something of another kind"))
                    self._poll(out)
                    return
                news = u.more()
            except FileNotFoundError:
                was = "was deleted or renamed" if u.at else "is not there yet"
                self._odd(out, "deleted" if u.at else "absent", f"{self.path}: {was}")
                return
            except SourceError as e:
                self.foreign = str(e) if isinstance(e, ForeignError) else None
                self._odd(out, "unreadable", str(e))
                return
            if news is None:
                return
            if self._said:
                out.append(Oddity("returned", f"{self.path}: can be read again"))
                self._said = None
            self.changed_ns, self.foreign = u.changed_ns, None
            if news.anew == "retold":
                text = f"{self.path}: has more to say of what was read, and is read anew from its beginning"
                out.append(Reset("retold", text))
            elif news.anew:
                out.append(Reset("rewritten", f"{self.path}: does not hold all that was read any more"))
            self.at = 0 if news.anew else self.at
            self._waiting.extend(news.lines)
        part: list[bytes] = []
        size = 0
        while self._waiting and size < MOST:
            part.append(self._waiting.popleft())
            size += len(part[-1])
        self.behind = bool(self._waiting)
        if part:
            self.at += size
            out.append(b"".join(part))

    def _is_other(self, here: os.stat_result) -> bool:
        """Whether something of another kind stands there now; what is short may be the beginning of the same."""
        return (
            self._unfolding is not None
            and here.st_size > unfold.SNIFFED
            and unfold.find(self.path) is not (self._unfolding.kind)
        )

    def _unpack(self, out: list[Part]) -> None:
        assert self._packed is not None
        try:
            data = next(self._packed, None)
        except SourceError:
            self.ended = self.damaged = True  # gets no better, unless it is still being written
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
