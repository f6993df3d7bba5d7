"""Passages that only a person may change: declared with a reason, found in a file, held against an edit."""

from __future__ import annotations

import re
from typing import NamedTuple

from trajscope.diffs import Edited
from trajscope.rails.places import glob


class Protected(NamedTuple):
    """A passage that only a person may change, and why: a whole file, numbered lines, or what markers enclose.

    `begin` and `end` are regular expressions for lines; without `end` the lines that match `begin` are protected.
    """

    path: str
    reason: str
    first: int | None = None
    last: int | None = None
    begin: str | None = None
    end: str | None = None

    @property
    def whole(self) -> bool:
        """Whether the whole file is protected."""
        return self.first is None and self.last is None and self.begin is None

    def covers(self, edit: Edited) -> bool:
        """Whether it speaks of this file, in whatever case its name is written."""
        return any(glob(self.path).match(path) for path in edit.paths)

    def fault(self) -> str | None:
        """Why it would not protect what it says, if so."""
        first = 1 if self.first is None else self.first
        last = first if self.last is None else self.last
        if not self.path or not self.reason.strip():
            return "is protected without a reason; say why, or nobody will keep it"
        if (self.end and not self.begin) or not 1 <= first <= last:
            return "is protected from nowhere; give first and last line, or begin"
        for marker in (self.begin, self.end):
            try:
                re.compile(marker or "")
            except re.error as e:
                return f"{marker!r} is no regular expression ({e}); correct it"
        return None

    def passages(self, text: str) -> list[tuple[int, int]]:
        """First and last line of every protected passage in the file; none found is for the caller to refuse."""
        lines = text.split("\n")
        if self.begin is None:
            return [(self.first or 1, self.last or self.first or len(lines))]
        out = []
        opened = None
        for n, line in enumerate(lines, 1):
            if opened is None and re.search(self.begin, line):
                opened = n
            if opened is not None and (self.end is None or re.search(self.end, line)):
                out.append((opened, n))
                opened = None
        return out if opened is None else [*out, (opened, len(lines))]


def touched(edit: Edited) -> list[tuple[int, int]]:
    """Lines of the old file that an edit takes away, and the two neighbours between which it puts some.

    As (n, n) and (n + 1, n): a passage from n + 1 to n + 9 is not touched by lines put before it or behind it.
    """
    out = []
    for hunk in edit.hunks:
        at = hunk.old_start if any(line[:1] in (" ", "-", "") for line in hunk.lines) else hunk.old_start + 1
        for line in hunk.lines:
            if line[:1] == "+":
                out.append((at, at - 1))
            elif line[:1] == "-":
                out.append((at, at))
            at += line[:1] in (" ", "-", "")
    return out
