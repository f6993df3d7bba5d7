"""Appends lines to a file: each whole or not at all, each chained to the one before, by one writer at a time.

Knows bytes and their chain, no fields. What it has not acknowledged is not in the file.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from trajscope.blobs import sync_folder
from trajscope.chain import Chain
from trajscope.errors import LockedError, RecordError

if TYPE_CHECKING:
    from filelock import FileLock


class Tail(NamedTuple):
    """Where the acknowledged part of the file ends."""

    chain: Chain = Chain()
    size: int = 0


class AppendFile:
    """A locked file that grows by whole lines. Not safe between threads: its owner takes turns."""

    def __init__(self, path: str | os.PathLike[str], *, fsync: bool = True) -> None:
        # Resolved, so that two names of one file meet at one lock.
        self.path = Path(path).resolve()
        self.tail = Tail()
        self.fsync = fsync
        self._pid = os.getpid()
        self._fd = -1
        if not self.path.parent.is_dir():
            raise RecordError(f"{self.path}: the folder {self.path.parent} does not exist; create it first")
        self._lock = _locked(self.path)
        try:
            self._fd = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
            here = os.fstat(self._fd)
        except OSError as error:
            self.close()
            raise RecordError(
                f"{self.path}: cannot be written ({error.strerror}); check the path and its rights"
            ) from None
        self._identity = (here.st_dev, here.st_ino)
        self.found = here.st_size  # bytes that were there when it was opened

    @property
    def ours(self) -> bool:
        """Whether this process opened it, and no fork of it."""
        return os.getpid() == self._pid

    def lines(self) -> Iterator[bytes]:
        """The whole lines of the file, without their newlines; a last line without one is not among them."""
        with self.path.open("rb") as file:
            for line in file:
                if line.endswith(b"\n"):
                    yield line[:-1]

    def accept(self, line: bytes) -> None:
        """Count a line that is already in the file as acknowledged."""
        self.tail = Tail(self.tail.chain.after(line), self.tail.size + len(line) + 1)

    def torn(self) -> bytes:
        """The bytes after the last acknowledged line, as they were when the file was opened."""
        return os.pread(self._fd, self.found - self.tail.size, self.tail.size)

    def append(self, line: bytes) -> None:
        """Add one line, its newline included, durably; where that fails, the file is as it was before."""
        self._unmoved()
        try:
            rest = memoryview(line)
            while rest:  # one write as a rule; a short one is completed
                rest = rest[os.write(self._fd, rest) :]
            self._sync()
            self.tail = Tail(self.tail.chain.after(line), self.tail.size + len(line))
        except BaseException as error:
            # Whatever happened, an interrupt too: the file ends where `tail` says. If even this fails, the next
            # append finds the file changed and refuses.
            with contextlib.suppress(OSError):
                os.ftruncate(self._fd, self.tail.size)
            if isinstance(error, OSError):
                raise RecordError(
                    f"{self.path}: the line was not written ({error.strerror}); the file ends with seq "
                    f"{self.tail.chain.seq - 1}, free space and write it again"
                ) from error
            raise

    def mend(self, lines: list[bytes]) -> None:
        """Write lines over the torn bytes, which they must hold, so that no moment sees neither."""
        torn, start = self.torn(), self.tail.size
        data = b"".join(lines)
        # On Linux a file opened for appending ignores the offset, so this one is opened for itself.
        handle = os.open(self.path, os.O_WRONLY)
        try:
            try:
                _write_at(handle, data, start)
            except OSError as error:
                _write_at(handle, torn, start)
                os.ftruncate(handle, start + len(torn))
                raise RecordError(
                    f"{self.path}: its torn last line was not repaired ({error.strerror}); it is as it was, free space"
                ) from error
            os.ftruncate(handle, start + len(data))
        finally:
            os.close(handle)
        self._sync()
        for line in lines:
            self.accept(line.removesuffix(b"\n"))

    def finish(self, line: bytes) -> None:
        """Give a whole last line the newline it lacks."""
        try:
            os.write(self._fd, b"\n")
            self._sync()
        except OSError as error:
            raise RecordError(f"{self.path}: cannot be written ({error.strerror}); free space and resume") from error
        self.accept(line)

    def sync_name(self) -> None:
        """Make the file's name durable."""
        if self.fsync:
            sync_folder(self.path.parent)

    def close(self) -> None:
        """Let go of the file and its lock; a second time does nothing."""
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)
        if self.ours:  # the lock is shared with a forked child, which must not open it
            self._lock.release(force=True)

    def _sync(self) -> None:
        if self.fsync:
            os.fsync(self._fd)

    def _unmoved(self) -> None:
        """Raise unless the file is still the one that was opened, as this writer left it."""
        if self._fd < 0:
            raise RecordError(f"{self.path}: is closed; open it again with resume=True")
        if not self.ours:
            raise RecordError(
                f"{self.path}: was opened by process {self._pid}, this is a fork of it; let that process write"
            )
        try:
            now = self.path.stat()
        except FileNotFoundError:
            raise RecordError(f"{self.path}: was removed while it was written; restore it and resume") from None
        if (now.st_dev, now.st_ino) != self._identity:
            raise RecordError(f"{self.path}: was replaced by another file while it was written; restore it and resume")
        if now.st_size != self.tail.size:
            raise RecordError(
                f"{self.path}: has {now.st_size:,} bytes where this writer left {self.tail.size:,}; "
                "somebody else changed it, close it and resume"
            )


def _locked(path: Path) -> FileLock:
    from filelock import FileLock, Timeout

    # Held by the writer, not by the thread that opened it.
    lock = FileLock(f"{path}.lock", timeout=0, thread_local=False)
    try:
        lock.acquire()
    except Timeout:
        raise LockedError(f"{path}: another writer holds it ({path.name}.lock); close that one first") from None
    except OSError as error:
        raise RecordError(f"{path}: cannot be locked ({error.strerror}); check the rights of its folder") from None
    return lock


def _write_at(handle: int, data: bytes, at: int) -> None:
    rest = memoryview(data)
    while rest:
        done = os.pwrite(handle, rest, at)
        rest, at = rest[done:], at + done
    os.fsync(handle)
