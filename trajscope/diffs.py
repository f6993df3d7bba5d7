"""Unified diffs taken apart: which files an edit touches, and which lines it takes away and puts there.

Understands a diff whole or not at all: what it cannot place is a `DiffError`, never skipped. Reads no files.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from trajscope.errors import DiffError

_HUNK = re.compile(r"@@ -(\d+)(?:,(\d+))? \+(\d+)(?:,(\d+))? @@")
_NOWHERE = "/dev/null"
# Lines that git writes between the name of a file and its hunks, and that change nothing by themselves.
_QUIET = ("index ", "similarity index ", "dissimilarity index ")
_ESCAPES = {"n": "\n", "t": "\t", '"': '"', "\\": "\\", "r": "\r", "a": "\a", "b": "\b", "f": "\f", "v": "\v"}


class Edited(NamedTuple):
    """One file of a diff. `old` is None where it is new, `new` where it is deleted."""

    old: str | None
    new: str | None
    removed: tuple[tuple[int, str], ...] = ()  # line number in the old file, text
    added: tuple[tuple[int, str], ...] = ()  # line number in the new file, text
    old_mode: str | None = None
    new_mode: str | None = None
    binary: bool = False

    @property
    def paths(self) -> tuple[str, ...]:
        """The names it has before and after."""
        return tuple(dict.fromkeys(p for p in (self.old, self.new) if p is not None))


def parse(text: str) -> tuple[Edited, ...]:
    """The files of a unified diff, as `git diff` or `diff -u` writes it; an empty text has none."""
    lines = text.split("\n")  # not splitlines: a form feed inside a line does not end it
    out: list[Edited] = []
    at = 0
    while at < len(lines):
        line = lines[at]
        if line.startswith("diff --git "):
            found, at = _git(lines, at)
        elif line.startswith("--- ") and at + 1 < len(lines) and lines[at + 1].startswith("+++ "):
            found, at = _body(lines, at, Edited(None, None))
        elif line.startswith(("@@ ", "--- ", "+++ ", "+", "-")):
            raise DiffError(f"line {at + 1} of the diff belongs to no file: {line[:60]!r}; write it with its headers")
        else:
            at += 1  # what stands before the first file: a commit message, a remark
            continue
        out.append(found)
    if not out and text.strip():
        raise DiffError("the text holds no unified diff; write one with `git diff` or `diff -u`")
    return tuple(out)


def _git(lines: list[str], at: int) -> tuple[Edited, int]:
    """One file as git writes it: extended headers, then names and hunks, where there are any."""
    start = at
    old, new = _both(lines[at][len("diff --git ") :], at)
    edit = Edited(old, new)
    at += 1
    while at < len(lines):
        line = lines[at]
        word, _, rest = line.partition(" mode ")
        if line.startswith("--- "):
            return _body(lines, at, edit)
        if line.startswith("diff --git ") or not line:
            break
        if word in ("old", "new", "deleted file", "new file") and rest:
            edit = _moded(edit, word, rest)
        elif line.startswith(("rename from ", "copy from ")):
            edit = edit._replace(old=_name(line.split(" from ", 1)[1], at, strip=False))
        elif line.startswith(("rename to ", "copy to ")):
            edit = edit._replace(new=_name(line.split(" to ", 1)[1], at, strip=False))
        elif line.startswith("Binary files ") or line == "GIT binary patch":
            return edit._replace(binary=True), _next_file(lines, at + 1)
        elif not line.startswith(_QUIET):
            raise DiffError(f"line {at + 1} of the diff is not understood: {line[:60]!r}; write it with `git diff`")
        at += 1
    if at == start + 1:
        raise DiffError(f"line {start + 1} of the diff names a file and says nothing of it; write it with `git diff`")
    return edit, at


def _moded(edit: Edited, word: str, mode: str) -> Edited:
    if word == "new file":
        return edit._replace(old=None, new_mode=mode)
    if word == "deleted file":
        return edit._replace(new=None, old_mode=mode)
    return edit._replace(old_mode=mode) if word == "old" else edit._replace(new_mode=mode)


def _body(lines: list[str], at: int, edit: Edited) -> tuple[Edited, int]:
    """The names and hunks of one file."""
    old, new = _name(lines[at][4:], at), None
    if at + 1 < len(lines) and lines[at + 1].startswith("+++ "):
        new = _name(lines[at + 1][4:], at + 1)
    else:
        raise DiffError(f"line {at + 1} of the diff has no `+++` line after it; write it with `git diff`")
    if old is None and new is None:
        raise DiffError(f"line {at + 1} of the diff names no file; write it with `git diff`")
    known = [p for p in (edit.old, edit.new) if p is not None]
    if known and any(p is not None and p not in known for p in (old, new)):
        raise DiffError(f"line {at + 1} of the diff names other files than its `diff --git` line; write it anew")
    edit = edit._replace(old=old, new=new)
    at += 2
    removed: list[tuple[int, str]] = []
    added: list[tuple[int, str]] = []
    while at < len(lines) and (found := _HUNK.match(lines[at])):
        at = _hunk(lines, at, found, removed, added)
    return edit._replace(removed=tuple(removed), added=tuple(added)), at


def _hunk(
    lines: list[str], at: int, head: re.Match[str], removed: list[tuple[int, str]], added: list[tuple[int, str]]
) -> int:
    """One hunk; its counts decide where it ends, so that no line of it can pass for a header or hide from us."""
    start, (before, after) = at, (int(head[1]), int(head[3]))
    old, new = (int(head[i]) if head[i] is not None else 1 for i in (2, 4))
    at += 1
    while old or new:
        line = lines[at] if at < len(lines) else None
        sign, rest = (line[:1], line[1:]) if line is not None else ("?", "")
        if sign == "-" and old:
            removed.append((before, rest))
            before, old = before + 1, old - 1
        elif sign == "+" and new:
            added.append((after, rest))
            after, new = after + 1, new - 1
        elif (sign == " " or line == "") and old and new:
            before, after, old, new = before + 1, after + 1, old - 1, new - 1
        elif sign != "\\":
            raise DiffError(f"the hunk on line {start + 1} of the diff does not hold what its counts say")
        at += 1
    while at < len(lines) and lines[at].startswith("\\"):  # no newline at the end of the file
        at += 1
    if at < len(lines) and lines[at][:1] in ("+", "-") and not lines[at].startswith(("--- ", "-- ")):
        raise DiffError(f"the hunk on line {start + 1} of the diff holds more than its counts say")
    return at


def _both(text: str, at: int) -> tuple[str, str]:
    """The two names of a `diff --git` line."""
    if text.startswith('"') or text.endswith('"'):
        parts = re.findall(r'"(?:[^"\\]|\\.)*"|\S+', text)
        names = parts if len(parts) == 2 else []
    elif text.count(" b/") == 1:
        first, _, second = text.partition(" b/")
        names = [first, "b/" + second]
    else:  # a name that holds ` b/`: the same name twice
        half = (len(text) - 1) // 2
        names = [text[:half], text[half + 1 :]] if text[:half][2:] == text[half + 1 :][2:] else text.split(" ")
    if len(names) != 2:
        raise DiffError(f"line {at + 1} of the diff does not name two files: {text[:60]!r}")
    old, new = (_name(n, at) for n in names)
    if old is None or new is None:
        raise DiffError(f"line {at + 1} of the diff does not name two files: {text[:60]!r}")
    return old, new


def _name(text: str, at: int, *, strip: bool = True) -> str | None:
    """A file's name without git's `a/` and `b/`, its quotes and the time that `diff -u` puts behind it."""
    text = text.removesuffix("\r")
    if text.startswith('"'):
        end = re.match(r'"((?:[^"\\]|\\.)*)"', text)
        if end is None:
            raise DiffError(f"line {at + 1} of the diff has a name that is quoted but not closed")
        text = _unquoted(end[1])
    else:
        text = text.partition("\t")[0]
    if text == _NOWHERE:
        return None
    if strip and text.startswith(("a/", "b/")):
        text = text[2:]
    if not text:
        raise DiffError(f"line {at + 1} of the diff names no file")
    return text


def _unquoted(text: str) -> str:
    octal = re.sub(r"((?:\\[0-7]{3})+)", _octal, text)
    return re.sub(r"\\(.)", lambda m: _ESCAPES.get(m[1], m[1]), octal)


def _octal(m: re.Match[str]) -> str:
    return bytes(int(n, 8) & 255 for n in m[1].split("\\")[1:]).decode("utf-8", "replace")


def _next_file(lines: list[str], at: int) -> int:
    while at < len(lines) and not lines[at].startswith("diff --git "):
        at += 1
    return at
