"""Rewrites of files as a proposal: edits by quotation, or files that were changed in a copy, turned into one diff.

A model quotes well and counts lines badly, so it is asked for what to replace; the diff is taken by us.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Mapping
from typing import Any

KNOB = "code:edit"  # rails give it the hash of what comes out as its value


def proposal(text: str, files: Mapping[str, str]) -> object:
    """What rails are asked of an answer: itself, or with its edits as a diff; words where they cannot be made."""
    try:
        said = json.loads(text)
    except (ValueError, RecursionError):
        return text
    if not isinstance(said, dict) or "edits" not in said:
        return text
    edits, rest = said["edits"], {k: v for k, v in said.items() if k != "edits"}
    if not edits:
        return rest
    after = dict(files)
    if not isinstance(edits, list):
        return f"(edits are no list) {text}"
    for number, edit in enumerate(edits, 1):
        fault = _fault(edit, after)
        if fault:
            return f"(edit {number} cannot be made: {fault}) {text}"
        after[edit["file"]] = after[edit["file"]].replace(edit["old"], edit["new"], 1)
    return coded(rest, diff(files, after))


def coded(said: Mapping[str, Any], change: str) -> dict[str, Any]:
    """A proposal with this diff, beside what else it changes."""
    rest = {k: v for k, v in said.items() if k not in ("changes", "knob", "value", "diff")}
    changes = said.get("changes") or []
    if not changes:
        return {**rest, "knob": KNOB, "value": None, "diff": change}
    more = [*changes, {"knob": KNOB, "value": None}] if isinstance(changes, list) else changes
    return {**rest, "changes": more, "diff": change}


def _fault(edit: Any, files: Mapping[str, str]) -> str | None:
    if not isinstance(edit, dict) or any(not isinstance(edit.get(k), str) for k in ("file", "old", "new")):
        return "it needs file, old and new, each a text"
    if edit["file"] not in files:
        return f"{edit['file'][:80]} is no file that may be edited; take {', '.join(files)}"
    if not edit["old"]:
        return "old is empty; quote what is to be replaced"
    if edit["old"] == edit["new"]:
        return "old and new are the same"
    count = files[edit["file"]].count(edit["old"])
    return None if count == 1 else f"old stands {count} times in {edit['file']}; quote what stands there exactly once"


def diff(old: Mapping[str, str], new: Mapping[str, str]) -> str:
    """The unified diff, files that were made or removed included."""
    out = []
    for name in sorted({*old, *new}):
        a, b = old.get(name), new.get(name)
        if a == b:
            continue
        found = difflib.unified_diff(
            [] if a is None else _lines(a),
            [] if b is None else _lines(b),
            "/dev/null" if a is None else f"a/{name}",
            "/dev/null" if b is None else f"b/{name}",
        )
        out += [line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in found]
    return "".join(out)


def _lines(text: str) -> list[str]:
    """Lines as diffs count them: only a newline ends one."""
    *whole, last = text.split("\n")
    return [f"{line}\n" for line in whole] + ([last] if last else [])
