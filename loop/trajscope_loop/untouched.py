"""What was found out about a file, believed for as long as its inode says that nobody touched it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Generic, TypeVar

T = TypeVar("T")
RACY_NS = 100_000_000  # a file that was written so shortly before it was read is read again


class Untouched(Generic[T]):
    """One finding per file. `beside` is a folder on the same file system, whose clock tells what is recent."""

    def __init__(self, beside: Path) -> None:
        self._probe = beside / ".now"
        self._known: dict[str, tuple[tuple[int, ...], T]] = {}

    def get(self, place: Path, now: os.stat_result) -> T | None:
        """What was found before; None where that was of another file, or of another state of this one."""
        known = self._known.get(str(place))
        return known[1] if known is not None and known[0] == _print(now) else None

    def put(self, place: Path, was: os.stat_result, found: T) -> None:
        """Remember this; `was` is what the file was before it was read."""
        if self._time_ns() - was.st_ctime_ns > RACY_NS:
            self._known[str(place)] = (_print(was), found)

    def _time_ns(self) -> int:
        """What time the file system says it is, which may be another than ours."""
        self._probe.touch()
        return self._probe.stat().st_mtime_ns


def _print(found: os.stat_result) -> tuple[int, ...]:
    """Whoever writes moves the last of these, and only a clock that was set can move it back."""
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns
