"""The standard streams past Python's buffers: what cannot be delivered is known at once."""

from __future__ import annotations

import os


def hold() -> set[int]:
    """The standard streams that are closed, with something harmless in their place.

    Otherwise the first file that is opened takes the number of a stream, and is read or written in its stead.
    """
    closed = set()
    for fd in (0, 1, 2):
        try:
            os.fstat(fd)
        except OSError:
            closed.add(fd)
            os.open(os.devnull, os.O_RDWR)  # takes the lowest free number, which is this one
    return closed


def put(fd: int, text: str) -> None:
    """Write a text and its newline whole, or raise."""
    data = memoryview(text.encode("utf-8", "backslashreplace") + b"\n")
    while data:
        data = data[os.write(fd, data) :]


def take(fd: int, most: int) -> bytes:
    """What can be read up to the end, or a little over `most` bytes of what has none."""
    parts, size = [], 0
    while size <= most and (part := os.read(fd, 1 << 16)):
        parts.append(part)
        size += len(part)
    return b"".join(parts)


def mute() -> None:
    """Let nothing more be written to stdout, or Python tries again at exit and complains."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
