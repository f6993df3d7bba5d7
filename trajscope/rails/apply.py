"""A diff applied to the texts of files that are handed over, to the letter or not at all. Touches no disk."""

from __future__ import annotations

from collections.abc import Mapping

from trajscope import diffs
from trajscope.errors import DiffError


def applied(diff: str, texts: Mapping[str, str]) -> dict[str, str]:
    """The texts after a unified diff: new files are among them, deleted ones are not, the others are as they were.

    It judges nothing; ask `Edits` first whether the edit is allowed.
    """
    out = dict(texts)
    edits = diffs.parse(diff)
    names = [p for e in edits for p in e.paths]
    if twice := next((n for n in names if names.count(n) > 1), None):
        raise DiffError(f"{twice} stands twice in the diff; put its hunks together")
    for edit in edits:
        if None not in (edit.old, edit.new) and edit.old != edit.new:
            raise DiffError(f"{edit.old}: is moved or copied to {edit.new}; write the one away and the other anew")
        text = diffs.applied(edit, None if edit.old is None else texts.get(edit.old))
        if edit.old is None and edit.new in texts:
            raise DiffError(f"{edit.new}: the diff says that it is new, and it exists; write it anew")
        if edit.old is not None:
            del out[edit.old]
        if edit.new is not None and text is not None:
            out[edit.new] = text
    return out
