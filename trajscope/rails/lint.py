"""Edits: which files a diff may touch, which passages of them it may not, and what its code may not reach for.

A tripwire for honest mistakes and lazy tricks, not a sandbox. With `root` the files themselves are read and the diff
must fit them to the letter; without it only the lines of the diff are seen, and what they cannot show is refused.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from trajscope import diffs
from trajscope.diffs import Edited
from trajscope.edits import seeds_edited
from trajscope.errors import DiffError, SettingsError
from trajscope.rails import reach
from trajscope.rails.code import PYTHON, fingerprint, misread, parses
from trajscope.rails.passages import Protected, touched
from trajscope.rails.places import odd, surface, within
from trajscope.verdict import Level, Verdict

MAX_LINES = 5_000  # that one diff takes away or puts there
MAX_WIDTH = 2_000  # letters of a line that it puts there
MAX_FILE = 4_000_000  # bytes of a file that is read to judge an edit
_ORDINARY = frozenset((None, "100644"))
_UNSEEN = re.compile("[\x00-\x08\x0b\x0e-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")
SEEDS = "seeds"  # the word in `permits` that lets seeds and splits be edited


class Judged(NamedTuple):
    """What is said of a diff: why it is refused, or the hash of the code that comes out and whether it is the same."""

    refusal: Verdict | None
    hashes: frozenset[str] = frozenset()  # by any of these the result may be called
    print: str | None = None  # the hash of what would run: layout, comments and docstrings left out
    same: bool = False  # the same code would run


@dataclass(frozen=True)
class Edits:
    """Which files may be edited (`*` within a folder, `**` across), and what else holds for an edit.

    `permits` names what is watched and yet allowed (`subprocess`, `getattr`, `seeds`); `secret` names files that the
    code may not mention; `root` is the folder the diff applies to.
    """

    allowed: tuple[str, ...]
    protected: tuple[Protected, ...] = ()
    secret: tuple[str, ...] = ()
    permits: tuple[str, ...] = ()
    root: Path | str | None = None

    def __post_init__(self) -> None:
        """Refuse a declaration that would not protect what it says."""
        for name in ("allowed", "protected", "secret", "permits"):
            given = getattr(self, name)
            # A lone text would be taken for its letters, and a lone Protected for its fields.
            if isinstance(given, str | Protected) or not all(given):
                raise SettingsError(f"edits: {name} must be a tuple without empty parts; write ({given!r},)")
            object.__setattr__(self, name, tuple(given))
        if wrong := next((f"{p.path}: {why}" for p in self.protected if (why := p.fault())), None):
            raise SettingsError(f"edits: {wrong}")

    def judge(self, diff: str) -> Judged:
        """What is to be said of a diff."""
        try:
            edits = diffs.parse(diff)
            if not edits:
                raise _Refused(Level.FAIL, "the diff is empty; send the edit as `git diff` writes it")
            if (lines := sum(len(h.lines) for e in edits for h in e.hunks)) > MAX_LINES:
                raise _Refused(Level.FAIL, f"the diff has {lines:,} lines, over {MAX_LINES:,}; send a smaller edit")
            names = [p.casefold() for e in edits for p in e.paths]
            if len(set(names)) < len(names):
                twice = next(n for n in names if names.count(n) > 1)
                raise _Refused(Level.FAIL, f"{twice} stands twice in the diff; put its hunks together")
            texts = [self._text(e) for e in edits]
        except DiffError as e:
            return Judged(Verdict("edit", Level.FAIL, str(e)))
        except _Refused as e:
            return Judged(Verdict("edit", e.level, str(e)))
        return _printed(texts)

    def _text(self, edit: Edited) -> _Texts:
        """The texts of one file before and after, once nothing is found against the edit."""
        for path in edit.paths:
            self._place(path, edit)
        _shape(edit)
        name = edit.new or edit.old or ""
        before = after = None
        if self.root is not None:
            root = Path(self.root)
            for path in edit.paths:
                _unlinked(root, path)
            if edit.old is not None:
                before = _read(root, edit.old)
            if edit.new is not None and edit.new != edit.old and (root / edit.new).exists():
                raise _Refused(Level.FAIL, f"{name}: the diff says that it is new, and it exists; write it anew")
            after = diffs.applied(edit, before)
        self._passages(edit, before)
        if seeds := [] if SEEDS in self.permits else seeds_edited(edit):
            more = f" and {len(seeds) - 1} more" if len(seeds) > 1 else ""
            raise _Refused(Level.FAIL, f"{seeds[0]}{more}: edits a seed or a split; leave it to the harness")
        self._reaches(edit, before, after)
        return _Texts(name, before, after, edit)

    def _place(self, path: str, edit: Edited) -> None:
        """Whether a file stands where edits are allowed."""
        shown = (path if path.isprintable() else repr(path))[:80]
        if why := odd(path):
            raise _Refused(Level.FAIL, f"{shown}: {why}; name files by their plain path below the root")
        if edit.bare and "/" in path:
            raise _Refused(
                Level.FAIL, f"{shown}: the name lacks git's a/ and b/, so it may be two files; use `git diff`"
            )
        if not within(path, self.allowed):
            may = ", ".join(self.allowed[:8]) or "nothing"
            raise _Refused(Level.FAIL, f"{shown} may not be edited; what may be is {may}")
        if why := None if path in self.allowed else surface(path, edit):
            raise _Refused(Level.FAIL, f"{shown}: {why}; it may be edited only where its full name is allowed")

    def _passages(self, edit: Edited, before: str | None) -> None:
        """Whether the edit keeps out of what is protected."""
        name = edit.old or edit.new
        for p in self.protected:
            if not p.covers(edit):
                continue
            if p.whole:
                raise _Refused(Level.FAIL, f"{name} is protected ({p.reason}); ask a person to make this edit")
            if before is None or edit.new != edit.old:
                why = "where it stands cannot be known here; give Edits a root, and neither move nor make the file"
                raise _Refused(Level.UNKNOWN, f"{name} holds a protected passage ({p.reason}), and {why}")
            passages = p.passages(before)
            if not passages or passages[-1][1] > before.count("\n") + 1:
                why = "is not found; correct how it is declared"
                raise _Refused(Level.UNKNOWN, f"{name}: the protected passage ({p.reason}) {why}")
            for first, last in passages:
                if at := next((n for n, m in touched(edit) if n <= last and m >= first), None):
                    why = f"lies in lines {first} to {last}, which are protected ({p.reason})"
                    raise _Refused(Level.FAIL, f"{name}:{at} {why}; ask a person to make this edit")

    def _reaches(self, edit: Edited, before: str | None, after: str | None) -> None:
        """Whether the code that is new reaches for what it may not."""
        name = edit.new or edit.old or ""
        if edit.new is None or not name.casefold().endswith(PYTHON):
            return
        was_code = edit.old is None or edit.old.casefold().endswith(PYTHON)
        if odd_line := misread([*(line for _, line in edit.added), *(after or "").split("\n")[:2]]):
            why = f"{odd_line[:60]!a} makes Python read the file otherwise than it looks; leave it out"
            raise _Refused(Level.FAIL, f"{name}: {why}")
        if after is None:
            if not was_code:
                raise _Refused(Level.UNKNOWN, f"{name}: becomes code that cannot be seen here; give Edits a root")
            found = reach.of_lines(edit.added)
            named = [
                reach.Reach(s, "names what the code may not read", line.strip(), n)
                for n, line in edit.added
                for s in self.secret
                if s.partition("*")[0].rstrip("/").removesuffix(".py").casefold() in line.casefold()
            ]
        else:
            old = before if was_code and before is not None and parses(before) else ""
            try:
                found = reach.new(reach.of_text(old), reach.of_text(after))
                named = reach.new(reach.named_in(old, self.secret), reach.named_in(after, self.secret))
            except (SyntaxError, ValueError, RecursionError, MemoryError) as e:
                at = f":{e.lineno}" if isinstance(e, SyntaxError) else ""
                why = f"does not read as Python after the edit ({getattr(e, 'msg', e)}); send a whole edit"
                raise _Refused(Level.FAIL, f"{name}{at}: {why}") from None
        for r in (*named, *found):
            if not any(r.name == p or r.name.startswith((f"{p}.", f"{p} ")) for p in self.permits):
                shown = r.inside if len(r.inside) <= 60 else f"{r.inside[:57]}..."
                raise _Refused(
                    Level.FAIL, f"{name}:{r.line}: {shown!r} reaches for {r.name}, which {r.why}; do without it"
                )


class _Refused(Exception):  # noqa: N818  # never leaves this module: it carries a sentence to the one who asked
    def __init__(self, level: Level, why: str) -> None:
        super().__init__(why)
        self.level = level


class _Texts(NamedTuple):
    name: str
    before: str | None
    after: str | None
    edit: Edited


def _shape(edit: Edited) -> None:
    """Refuse what is no plain edit of a plain text."""
    name, modes = edit.new or edit.old, {edit.old_mode, edit.new_mode}
    if "120000" in modes:
        raise _Refused(Level.FAIL, f"{name}: is a link, which may lead anywhere; edit a plain file")
    if "160000" in modes:
        raise _Refused(Level.FAIL, f"{name}: is a submodule, whose code nobody can see here; edit a plain file")
    if edit.binary:
        raise _Refused(Level.FAIL, f"{name}: the edit is binary and cannot be judged; send text")
    if edit.old_mode != edit.new_mode and None not in (edit.old, edit.new):
        raise _Refused(
            Level.FAIL, f"{name}: its mode changes from {edit.old_mode} to {edit.new_mode}; leave the mode alone"
        )
    if edit.new_mode not in _ORDINARY and (edit.old is None or edit.new_mode != "100755"):
        raise _Refused(Level.FAIL, f"{name}: has the mode {edit.new_mode}; plain files have 100644")
    for n, line in (*edit.removed, *edit.added):
        if len(line) > MAX_WIDTH:
            raise _Refused(Level.FAIL, f"{name}:{n}: has {len(line):,} letters, over {MAX_WIDTH:,}; break the line")
    for n, line in edit.added:
        if found := _UNSEEN.search(line):
            raise _Refused(Level.FAIL, f"{name}:{n}: holds a control character ({found[0]!r}); send plain text")


def _unlinked(root: Path, path: str) -> None:
    """Refuse a path that a link is part of, whether or not its file is there."""
    at = root
    for part in PurePosixPath(path).parts:
        at /= part
        if at.is_symlink():
            raise _Refused(Level.FAIL, f"{path}: is reached through a link, which may lead anywhere; edit a plain file")


def _read(root: Path, path: str) -> str:
    """The text of a file below the root."""
    at = root / path
    try:
        if at.stat().st_size > MAX_FILE:
            raise _Refused(
                Level.UNKNOWN, f"{path}: has over {MAX_FILE:,} bytes, so the edit cannot be judged; split it"
            )
        return at.read_bytes().decode("utf-8")
    except (OSError, ValueError) as e:
        why = getattr(e, "strerror", None) or e
        raise _Refused(Level.UNKNOWN, f"{path}: cannot be read ({why}), so the edit cannot be judged") from None


def _printed(texts: list[_Texts]) -> Judged:
    """The hashes of what comes out."""
    if any(t.after is None and t.edit.new is not None for t in texts):
        return Judged(None)
    parts = sorted((t.name, "" if t.after is None else fingerprint(t.name, t.after)) for t in texts)
    mark = parts[0][1] if len(parts) == 1 else hashlib.sha256(repr(parts).encode()).hexdigest()
    same = all(
        t.edit.old == t.edit.new and t.before is not None and t.after is not None
        and fingerprint(t.name, t.before) == fingerprint(t.name, t.after)
        for t in texts
    )  # fmt: skip
    plain = {hashlib.sha256(t.after.encode()).hexdigest() for t in texts if t.after is not None}
    return Judged(None, frozenset({mark, *plain}), mark, same)
