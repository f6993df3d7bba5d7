"""Unified diffs taken apart: which files an edit touches, and which lines it takes away and puts there.

Understands a diff whole or not at all: what it cannot place is a `DiffError`, never skipped, since a program that
applies diffs may understand what we did not. Reads no files; `applied` is told their text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from trajscope.errors import DiffError

_HUNK = re.compile(r"@@ -([0-9]{1,9})(?:,([0-9]{1,9}))? \+([0-9]{1,9})(?:,([0-9]{1,9}))? @@")
_INDEX = re.compile(r"index [0-9a-f]+\.\.[0-9a-f]+(?: ([0-9]{6}))?\r?\Z")
_PACKED = re.compile(r"(?:literal|delta) [0-9]+\Z")
_BASE85 = re.compile(r"[A-Za-z][0-9A-Za-z!#$%&()*+;<=>?@^_`{|}~-]+\Z")
_ESCAPE = re.compile(rb"\\([0-7]{3}|.)", re.DOTALL)
_ESCAPES = {b"n": b"\n", b"t": b"\t", b"r": b"\r", b"a": b"\a", b"b": b"\b", b"f": b"\f", b"v": b"\v"}
_NOWHERE = "/dev/null"
# Lines of git between the name of a file and its hunks that change nothing by themselves.
_QUIET = ("similarity index ", "dissimilarity index ")
_WRITE_ANEW = "write it with `git diff`"

# Words of code, in any language that writes names with letters and underscores.


class Hunk(NamedTuple):
    """Lines that stand together, each with its sign before it; a backslash says that no newline ends the line above."""

    old_start: int
    new_start: int
    lines: tuple[str, ...]


class Edited(NamedTuple):
    """One file of a diff. `old` is None where it is new, `new` where it is deleted."""

    old: str | None
    new: str | None
    hunks: tuple[Hunk, ...] = ()
    old_mode: str | None = None
    new_mode: str | None = None
    binary: bool = False
    bare: bool = False  # a name stands without git's a/ or b/: it depends on who applies the diff which file that is

    @property
    def paths(self) -> tuple[str, ...]:
        """The names it has before and after."""
        return tuple(dict.fromkeys(p for p in (self.old, self.new) if p is not None))

    @property
    def removed(self) -> tuple[tuple[int, str], ...]:
        """The lines it takes away, with their numbers in the old file as the diff has them."""
        return tuple((n, line[1:]) for h in self.hunks for n, line in _numbered(h.old_start, h.lines, "-"))

    @property
    def added(self) -> tuple[tuple[int, str], ...]:
        """The lines it puts there, with their numbers in the new file as the diff has them."""
        return tuple((n, line[1:]) for h in self.hunks for n, line in _numbered(h.new_start, h.lines, "+"))


def parse(text: str) -> tuple[Edited, ...]:
    """The files of a unified diff, as `git diff` or `diff -u` writes it; an empty text has none.

    Nothing may stand around the files, not even a commit message: other programs read names and commands there.
    """
    lines = text.split("\n")  # not splitlines: a form feed inside a line does not end it
    if lines[-1] == "":
        lines.pop()
    out: list[Edited] = []
    at = 0
    while at < len(lines):
        line = lines[at]
        if line.startswith("diff --git "):
            found, at = _git(lines, at)
            out.append(found)
        elif line.startswith("--- "):
            found, at = _body(lines, at, Edited(None, None))
            out.append(found)
        elif not line.strip() or line.startswith("diff -"):  # `diff -ru old new` before a file
            at += 1
        else:
            raise DiffError(
                f"line {at + 1} of the diff belongs to no file: {line[:60]!r}; {_WRITE_ANEW}, and nothing else"
            )
    if not out and text.strip():
        raise DiffError(f"the text holds no unified diff; {_WRITE_ANEW} or `diff -u`")
    return tuple(out)


def applied(edit: Edited, before: str | None) -> str | None:
    """The file after the edit, None where it is deleted; `before` is its text, None where there is no such file.

    Every line must stand exactly where the diff says, without the searching that patch programs do.
    """
    name = edit.new or edit.old
    if edit.binary:
        raise DiffError(f"{name}: the edit is binary and cannot be read; send text")
    if (edit.old is None) != (before is None):
        raise DiffError(f"{name}: {'exists' if edit.old is None else 'there is no such file'}; {_WRITE_ANEW} anew")
    old, out, at = _ended(before or ""), [], 0
    for hunk in edit.hunks:
        lines = list(_contents(hunk))
        start = hunk.old_start - any(sign != "+" for sign, _ in lines)  # a hunk of new lines names the line before it
        if not at <= start <= len(old):
            raise DiffError(f"{name}: the hunk at line {hunk.old_start} stands past the end or before an earlier one")
        out += old[at:start]
        at = start
        for sign, content in lines:
            if sign != "+":
                if at >= len(old) or old[at] != content:
                    raise DiffError(f"{name}:{at + 1}: the file does not read as the diff says; {_WRITE_ANEW} anew")
                at += 1
            if sign != "-":
                out.append(content)
    out += old[at:]
    if edit.new is None:
        if out:
            raise DiffError(f"{name}: is deleted, but {len(out)} of its lines are not; {_WRITE_ANEW} anew")
        return None
    if any(not line.endswith("\n") for line in out[:-1]):
        raise DiffError(f"{name}: has a line without its newline before the end; {_WRITE_ANEW} anew")
    return "".join(out)


def _ended(text: str) -> list[str]:
    """The lines of a text with their newlines, which the last one may lack."""
    *lines, rest = text.split("\n")
    return [f"{line}\n" for line in lines] + ([rest] if rest else [])


def _contents(hunk: Hunk) -> Iterator[tuple[str, str]]:
    """Sign and line of a hunk, with its newline where it has one."""
    for i, line in enumerate(hunk.lines):
        if not line.startswith("\\"):
            bare = i + 1 < len(hunk.lines) and hunk.lines[i + 1].startswith("\\")
            yield line[:1] or " ", line[1:] + ("" if bare else "\n")


def _numbered(start: int, lines: tuple[str, ...], sign: str) -> Iterator[tuple[int, str]]:
    at = start
    for line in lines:
        if line[:1] == sign:
            yield at, line
        at += line[:1] in (sign, " ", "")


def _git(lines: list[str], at: int) -> tuple[Edited, int]:
    """One file as git writes it: extended headers, then names and hunks, where there are any."""
    start = at
    edit = _both(lines[at][len("diff --git ") :], at)
    known = edit.paths
    at += 1
    while at < len(lines):
        line = lines[at]
        word, _, mode = line.partition(" mode ")
        if line.startswith("--- "):
            return _body(lines, at, edit)
        if line.startswith("diff --git ") or not line:
            break
        if word in ("old", "new", "deleted file", "new file") and mode:
            edit = _moded(edit, word, mode.removesuffix("\r"))
        elif found := _INDEX.match(line):
            # Where the mode stays the same it stands here alone: how a link or a submodule shows that it is one.
            edit = edit._replace(old_mode=edit.old_mode or found[1], new_mode=edit.new_mode or found[1])
        elif line.startswith(("rename from ", "copy from ", "rename to ", "copy to ")):
            edit = _moved(edit, line, at, known)
        elif line.startswith("Binary files ") or line.rstrip("\r") == "GIT binary patch":
            return edit._replace(binary=True), _binary(lines, at + 1)
        elif not line.startswith(_QUIET):
            raise DiffError(f"line {at + 1} of the diff is not understood: {line[:60]!r}; {_WRITE_ANEW}")
        at += 1
    if at == start + 1:
        raise DiffError(f"line {start + 1} of the diff names a file and says nothing of it; {_WRITE_ANEW}")
    return edit, at


def _moded(edit: Edited, word: str, mode: str) -> Edited:
    if word == "new file":
        return edit._replace(old=None, new_mode=mode)
    if word == "deleted file":
        return edit._replace(new=None, old_mode=mode)
    return edit._replace(old_mode=mode) if word == "old" else edit._replace(new_mode=mode)


def _moved(edit: Edited, line: str, at: int, known: tuple[str, ...]) -> Edited:
    """A rename or copy; its names have no prefixes, and must be those of the `diff --git` line."""
    _, word, text = line.split(" ", 2)
    name, _ = _name(text, at, strip=False)
    if name not in known:
        raise DiffError(f"line {at + 1} of the diff names another file than its `diff --git` line; {_WRITE_ANEW}")
    return edit._replace(old=name) if word == "from" else edit._replace(new=name)


def _binary(lines: list[str], at: int) -> int:
    """Past the packed bytes of a binary patch, and not past anything else."""
    while at < len(lines) and _PACKED.match(lines[at].rstrip("\r")):
        at += 1
        while at < len(lines) and _BASE85.match(lines[at].rstrip("\r")):
            at += 1
        while at < len(lines) and not lines[at].strip():
            at += 1
    return at


def _body(lines: list[str], at: int, edit: Edited) -> tuple[Edited, int]:
    """The names and hunks of one file."""
    if at + 1 == len(lines) or not lines[at + 1].startswith("+++ "):
        raise DiffError(f"line {at + 1} of the diff has no `+++` line after it; {_WRITE_ANEW}")
    (old, bare), (new, bare_too) = _name(lines[at][4:], at), _name(lines[at + 1][4:], at + 1)
    if old is None and new is None:
        raise DiffError(f"line {at + 1} of the diff names no file; {_WRITE_ANEW}")
    known = edit.paths
    if known and (not {old, new} <= {*known, None} or (edit.old, edit.new).count(None) > (old, new).count(None)):
        raise DiffError(f"line {at + 1} of the diff names other files than its `diff --git` line; {_WRITE_ANEW}")
    at += 2
    hunks: list[Hunk] = []
    while at < len(lines) and (found := _HUNK.match(lines[at])):
        hunk, at = _hunk(lines, at, found)
        hunks.append(hunk)
    if not hunks:
        raise DiffError(f"line {at} of the diff names a file and changes nothing in it; {_WRITE_ANEW}")
    return edit._replace(old=old, new=new, hunks=tuple(hunks), bare=edit.bare or bare or bare_too), at


def _hunk(lines: list[str], at: int, head: re.Match[str]) -> tuple[Hunk, int]:
    """One hunk; its counts decide where it ends, so that no line of it can pass for a header or hide from us."""
    start = at
    old, new = (int(head[i]) if head[i] is not None else 1 for i in (2, 4))
    at += 1
    while old or new or (at < len(lines) and lines[at].startswith("\\ ")):
        line = lines[at] if at < len(lines) else "?"
        sign = line[:1] or " "  # some editors take the space of an empty line away
        left = {" ": min(old, new), "-": old, "+": new, "\\": at > start + 1 and line.startswith("\\ ")}
        if not left.get(sign):
            raise DiffError(
                f"the hunk on line {start + 1} of the diff does not hold what its counts say; {_WRITE_ANEW}"
            )
        old -= sign in " -"
        new -= sign in " +"
        at += 1
    return Hunk(int(head[1]), int(head[3]), tuple(lines[start + 1 : at])), at


def _both(text: str, at: int) -> Edited:
    """The two names of a `diff --git` line."""
    text = text.removesuffix("\r")
    half = len(text) // 2
    if '"' in text:
        names = re.findall(r'"(?:[^"\\]|\\.)*"|\S+', text)
    elif text[half : half + 1] == " " and text[:half].removeprefix("a/") == text[half + 1 :].removeprefix("b/"):
        names = [text[:half], text[half + 1 :]]  # the same name twice, whatever spaces it holds
    elif text.count(" b/") == 1:
        first, _, second = text.partition(" b/")
        names = [first, f"b/{second}"]
    else:
        names = text.split(" ")
    if len(names) != 2:
        raise DiffError(f"line {at + 1} of the diff does not name two files: {text[:60]!r}; {_WRITE_ANEW}")
    (old, bare), (new, bare_too) = (_name(n, at) for n in names)
    if old is None or new is None:
        raise DiffError(f"line {at + 1} of the diff does not name two files: {text[:60]!r}; {_WRITE_ANEW}")
    return Edited(old, new, bare=bare or bare_too)


def _name(text: str, at: int, *, strip: bool = True) -> tuple[str | None, bool]:
    """A file's name without git's `a/` or `b/`, quotes and the time that `diff -u` adds; and whether it had neither."""
    text = text.removesuffix("\r")
    if text.startswith('"'):
        found = re.match(r'"((?:[^"\\]|\\.)*)"', text)
        if found is None:
            raise DiffError(f"line {at + 1} of the diff has a name that is quoted but not closed; {_WRITE_ANEW}")
        text = _ESCAPE.sub(_escaped, found[1].encode("utf-8", "replace")).decode("utf-8", "replace")
    else:
        text = text.partition("\t")[0]
        if text == _NOWHERE:
            return None, False
    prefixed = text.startswith(("a/", "b/"))
    if strip and prefixed:
        text = text[2:]
    if not text:
        raise DiffError(f"line {at + 1} of the diff names no file; {_WRITE_ANEW}")
    return text, strip and not prefixed


def _escaped(m: re.Match[bytes]) -> bytes:
    found = m[1]
    return bytes([int(found, 8) & 255]) if len(found) == 3 else _ESCAPES.get(found, found)
