"""Watermark: how far a file had come when its sidecar was written. A file that is behind its own sidecar was cut off.

Knows of the sidecar (`<run>.coverage.json`) only what it says of the file.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import NamedTuple

import msgspec

from trajscope.blobs import beside
from trajscope.chain import link
from trajscope.errors import HistoryError
from trajscope.trial import Line

SUFFIX = ".coverage.json"
_HASH = re.compile(r"[0-9a-f]{16}\Z")
MENDS = "restore the file from a copy, or delete the sidecar if the file is known to be whole"


class Mark(NamedTuple):
    """The last line that was seen: its number from 0, the bytes up to and with its newline, and its hash."""

    seq: int
    offset: int
    line: str

    def fault(self, line: Line) -> str | None:
        """What is wrong if the line of this number is not what it was."""
        # A line end has one byte or two, and before the first line may stand three that mark its encoding.
        rest = self.offset - line.at - len(line.data)
        if rest in ((1, 2) if line.at else (1, 2, 4, 5)) and link(line.data) == self.line:
            return None
        return f"line {self.seq + 1} is not the one that its sidecar saw: the file was rewritten; {MENDS}"

    def behind(self, size: int) -> str | None:
        """What is wrong if a file of this size lacks bytes that were there."""
        if size >= self.offset:
            return None
        return f"has {size:,} bytes, and its sidecar saw {self.offset:,} (line {self.seq + 1}): it was cut off; {MENDS}"


class _Sidecar(msgspec.Struct):
    seq: int
    offset: int
    line: str


def sidecar(path: str | os.PathLike[str]) -> Path:
    """The sidecar of a run file: `night.jsonl` has `night.coverage.json`."""
    return beside(path, SUFFIX)


def read(path: str | os.PathLike[str]) -> Mark | None:
    """The mark in the sidecar of the run at `path`; None where it has no sidecar."""
    place = sidecar(path)
    try:
        data = place.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as e:
        raise HistoryError(
            f"{place}: cannot be read ({e.strerror}), so nothing says how long the run was; {MENDS}"
        ) from e
    try:
        found = msgspec.json.decode(data, type=_Sidecar)
    except (ValueError, RecursionError) as e:
        raise HistoryError(f"{place}: does not say how far the run had come ({e}); {MENDS}") from None
    if found.seq < 0 or found.offset <= found.seq or not _HASH.match(found.line):
        raise HistoryError(f"{place}: says that line {found.seq + 1} ended at byte {found.offset}; {MENDS}")
    return Mark(found.seq, found.offset, found.line)
