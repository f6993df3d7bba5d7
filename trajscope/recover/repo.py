"""What a commit changed, by the history of a git repository: constants, literals, else symbols by their hash.

Compares a commit with its first parent, as objects. Commits that are not there are normal: a loop throws away what it
discards, and then the commit of a discard is missing, or is the one it was built upon.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from pathlib import Path, PurePosixPath
from types import TracebackType
from typing import Self

from trajscope.menu import Menu
from trajscope.recover.edited import Edit, edits
from trajscope.recover.found import Found, Missing, change, together
from trajscope.recover.objects import Entry, Objects

SURE = {"constant": 0.95, "literal": 0.85, "code": 0.7}  # see docs/recovery.md
MANY, HARDLY = 4, 0.5  # changes from which on it is less sure that they are one proposal
MOST_FILES = 8  # that are looked into; an edit of more is named by their hash
FOLDERS = 4096  # that are looked through for what differs; a small repository can spell out billions
_FILES = frozenset(("100644", "100755"))
# What loops write beside their code: records, notes and pictures.
_RECORDS = frozenset(
    ".tsv .csv .jsonl .ndjson .log .out .err .md .rst .txt .ipynb .png .jpg .jpeg .svg .gif .pdf .html .db .sqlite "
    ".parquet .npy .npz .pt .bin .gz .zip .lock .pyc .gitignore".split()
)


class Repo:
    """One repository, asked for many commits. `counts` says how often what was found."""

    def __init__(self, path: str | Path) -> None:
        self.counts: Counter[str] = Counter()
        self._objects = Objects(path)
        self._known: dict[tuple[str, tuple[str, ...] | None], Found | Missing | None] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """End the git programs."""
        self._objects.close()

    def change(
        self, commit: str, files: Iterable[str] | None = None, menu: Menu | None = None
    ) -> Found | Missing | None:
        """What a commit changed in these files, or in all that are no records; None where it changed no code in them.

        So None is a no-op: comments, layout and other files do not count. What cannot be looked at is `Missing`.
        """
        only = None if files is None else tuple(sorted(set(files)))
        found = self._known.get((commit, only))
        if (commit, only) not in self._known:
            found = self._look(commit.strip().lower(), only, menu)
            self._known[commit, only] = found
        self.counts[_kind(found)] += 1
        return found

    def _look(self, name: str, only: tuple[str, ...] | None, menu: Menu | None) -> Found | Missing | None:
        after = self._objects.commit(name)
        if after is None:
            return Missing(name, "no commit of this name is in the repository")
        if not after.parents:
            return Missing(name, "it is the first commit, so that nothing is known that it changed")
        before = self._objects.commit(after.parents[0])
        if before is None:
            return Missing(name, "its parent is not in the repository (a shallow copy?)")
        try:
            if only is None:
                moved = self._moved(before.tree, after.tree)
            else:
                moved = {p: (self._at(before.tree, p), self._at(after.tree, p)) for p in only}
            found = self._edits({p: pair for p, pair in moved.items() if pair[0] != pair[1]})
        except LookupError as e:
            return Missing(name, str(e.args[0]))
        return of_edits(found, menu)

    def _edits(self, moved: dict[str, tuple[Entry | None, Entry | None]]) -> list[Edit]:
        out: list[Edit] = []
        if len(moved) > MOST_FILES:
            body = ";".join(f"{p}={b.oid if b else None}" for p, (_, b) in sorted(moved.items()))
            return edits(None, body.encode(), "files")
        for path, (a, b) in sorted(moved.items()):
            old, new = self._bytes(a, path), self._bytes(b, path)
            if old is not None and new is not None and b"\0" in old[:8000] + new[:8000]:
                out += [Edit(f"code:{path}", b.oid[:16] if b else None, "code")]
            else:
                out += edits(old, new, path)
        return out

    def _bytes(self, entry: Entry | None, path: str) -> bytes | None:
        if entry is None:
            return None
        data = self._objects.blob(entry.oid)
        if data is None:
            raise LookupError(f"{path} is not in the repository, or too large for a source file")
        return data

    def _at(self, tree: str, path: str) -> Entry | None:
        """The file of this path; None where there is none."""
        parts = PurePosixPath(path).parts
        for part in parts[:-1]:
            entry = self._folder(tree).get(part)
            if entry is None or entry.mode not in ("40000", "040000"):
                return None
            tree = entry.oid
        found = self._folder(tree).get(parts[-1]) if parts else None
        return found if found is not None and found.mode in _FILES else None

    def _folder(self, tree: str) -> dict[str, Entry]:
        found = self._objects.tree(tree)
        if found is None:
            raise LookupError("a folder of it is not in the repository")
        return found

    def _moved(self, before: str, after: str) -> dict[str, tuple[Entry | None, Entry | None]]:
        """The files that two trees have otherwise, records left out."""
        out: dict[str, tuple[Entry | None, Entry | None]] = {}
        todo: list[tuple[str, str | None, str | None]] = [("", before, after)]
        seen = 0
        while todo:
            under, a, b = todo.pop()
            if (seen := seen + 1) > FOLDERS:
                raise LookupError(f"it changes more than {FOLDERS:,} folders; name the edited file")
            was, now = (self._folder(x) if x else {} for x in (a, b))
            for name in dict.fromkeys((*was, *now)):
                x, y = was.get(name), now.get(name)
                if x == y:
                    continue
                folders = [e.oid if e and e.mode in ("40000", "040000") else None for e in (x, y)]
                if any(folders):
                    todo.append((f"{under}{name}/", folders[0], folders[1]))
                files = tuple(e if e and e.mode in _FILES else None for e in (x, y))
                if any(files) and PurePosixPath(name).suffix.lower() not in _RECORDS and not name.startswith("."):
                    out[f"{under}{name}"] = (files[0], files[1])
        return out


def of_edits(changed: list[Edit], menu: Menu | None) -> Found | None:
    """The pair of these changes; None where there are none."""
    if not changed:
        return None
    known = [change(e.name, e.value, menu if e.how != "code" else None) for e in changed]
    sure = min(SURE[e.how] for e in changed)
    return Found(together(known), "diff", sure if len(changed) < MANY else min(sure, HARDLY))


def _kind(found: Found | Missing | None) -> str:
    """What was found, in a word to count."""
    if found is None:
        return "same"
    if isinstance(found, Missing):
        return "missing"
    return "code" if any(c.knob.startswith("code:") for c in found.pair.changes) else "knobs"
