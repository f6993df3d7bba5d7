"""Published chat files: rows of `messages` that claim to come from a run, found by their `seq` or `iter`.

Only where each row stands is kept; its text is read again when it is asked for.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from trajscope import sources
from trajscope.corpus.examples import Example
from trajscope.errors import CorpusError
from trajscope.lines import MAX_LINE, Lines
from trajscope.menu import Menu
from trajscope.pair import canon, pair

DECISIONS = {"keep": True, "kept": True, "accept": True, "revert": False, "reverted": False, "reject": False}
SAME = 1e-6  # relative difference of a value that may come of its spelling
_Key = tuple[str | None, str, int]


class Text(NamedTuple):
    """What a student would be shown for one trial."""

    system: str
    user: str
    target: str
    row: Mapping[str, Any]

    @property
    def prompt(self) -> str:
        """All that stands before the target, in the form in which a loop of ours records what it showed."""
        return f"[system]\n{self.system}\n\n[user]\n{self.user}" if self.system else self.user


class Chat:
    """One file of chat rows."""

    def __init__(self, path: str | Path, *, runs: int) -> None:
        """Reads it once; `runs` is how many runs it may come from: with more than one a row must name its own."""
        self.path = str(path)
        self.rows = 0
        self.unplaced: list[tuple[int, str]] = []  # line, why it can be of no trial
        self._at: dict[_Key, tuple[int, int]] = {}  # line and offset
        self._one = runs == 1
        for line, at, data in self._lines():
            self.rows += 1
            text = _text(data)
            if isinstance(text, str):
                self.unplaced.append((line, text))
                continue
            key = self._key(text.row)
            if key is None:
                what = "names neither seq nor iter" if self._one else "does not name its run_id with seq or iter"
                self.unplaced.append((line, what))
            elif key in self._at:
                self.unplaced.append((line, f"stands for the same trial as line {self._at[key][0]}"))
            else:
                self._at[key] = line, at
        if not self.rows:
            raise CorpusError(f"{self.path}: holds no rows; name a chat file of JSON lines with `messages`")
        self._waiting = set(self._at)

    def of(self, e: Example) -> tuple[int, Text] | None:
        """The row of a trial and the line it stands on, where there is one."""
        for run in (e.run_id, *((None,) if self._one else ())):
            for name, value in (("seq", e.seq), ("iter", e.iter)):
                found = self._at.get((run, name, value)) if value is not None else None
                if found is not None:
                    self._waiting.discard((run, name, value if value is not None else -1))
                    text = _text(sources.read_at(self.path, found[1], MAX_LINE))
                    assert isinstance(text, Text)  # it was when the file was read first
                    return found[0], text
        return None

    def strangers(self) -> list[tuple[int, str]]:
        """Rows (line, why) that no trial asked for so far."""
        lost = [(self._at[key][0], f"{key[1]} {key[2]} is no trial of the run") for key in self._waiting]
        return sorted([*self.unplaced, *lost])

    def _key(self, row: Mapping[str, Any]) -> _Key | None:
        run = row.get("run_id") if isinstance(row.get("run_id"), str) else None
        if run is None and not self._one:
            return None
        for name in ("seq", "iter"):
            value = row.get(name)
            if isinstance(value, int) and not isinstance(value, bool):
                return run, name, value
        return None

    def _lines(self) -> Iterator[tuple[int, int, bytes]]:
        cut = Lines()
        for chunk in sources.read(self.path):
            yield from ((x.seq + 1, x.at, x.data) for x in cut.feed(chunk))
        yield from ((x.seq + 1, x.at, x.data) for x in cut.close())


def contradictions(e: Example, text: Text, menu: Menu | None, metric: str | None) -> str | None:
    """What a row says of its trial that the run does not."""
    label = target_label(text.target, menu)
    if label is None:
        return "its target is no proposal"
    if label != e.label:
        return f"it teaches {label}, and the trial proposed {e.label}"
    decision = DECISIONS.get(str(text.row.get("decision", text.row.get("status"))).lower())
    if decision is not None and decision != e.kept:
        return f"it says {'kept' if decision else 'reverted'}, and the trial was {e.status}"
    value = text.row.get(metric) if metric else None
    if isinstance(value, int | float) and (e.value is None or not math.isclose(value, e.value, rel_tol=SAME)):
        return f"it says {metric} {value}, and the trial scored {e.value}"
    return None


def target_label(target: str, menu: Menu | None) -> str | None:
    """The canonical label of a target, where it is a proposal in JSON."""
    try:
        said = json.loads(target)
    except (ValueError, RecursionError):
        return None
    if not isinstance(said, dict):
        return None
    listed = said.get("changes")
    changes = listed if isinstance(listed, list) and listed else [said]
    change = menu.change if menu is not None else canon
    parts = [
        change(c["knob"], c.get("value", c.get("new_value")))
        for c in changes
        if isinstance(c, dict) and isinstance(c.get("knob"), str)
    ]
    return pair(parts).label if len(parts) == len(changes) else None


def _text(data: bytes) -> Text | str:
    """A row, or why it is none."""
    try:
        row = json.loads(data)
    except (ValueError, RecursionError):
        return "is not JSON"
    said = row.get("messages") if isinstance(row, dict) else None
    if not isinstance(said, list) or not all(isinstance(m, dict) and isinstance(m.get("content"), str) for m in said):
        return "has no `messages` with texts"
    if not said or said[-1].get("role") != "assistant":
        return "does not end with what the assistant says"
    by_role = {
        role: "\n\n".join(m["content"] for m in said[:-1] if m.get("role") == role) for role in ("system", "user")
    }
    return Text(by_role["system"], by_role["user"], said[-1]["content"], row)
