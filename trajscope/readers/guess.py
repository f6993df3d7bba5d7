"""What a file that no reader claims looks like: a table, JSON lines, a JSON document; and what its columns may be.

A guess is shown to a person and read by nothing.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Literal, NamedTuple

from trajscope.layout import Delimiter, Layout
from trajscope.readable import short
from trajscope.readers.fields import goal_of, head_objects

Kind = Literal["table", "rows", "document", "sqlite", "binary", "text"]
DELIMITERS: dict[str, tuple[Delimiter, str]] = {
    "\t": ("tab", "tabs"),
    ",": ("comma", "commas"),
    ";": ("semicolon", "semicolons"),
    "|": ("pipe", "pipes"),
}
LINES = 50  # of the head that are looked at
SPILLED = 3  # lines with as many tabs as the first that make a table of any text
SHOWN = 12  # columns that are named
WIDE = 32  # letters of a column's name that are shown
# Numbers that are measured beside the metric, in most tables of the wild.
_BESIDE = re.compile(
    r"mem|mfu|tok|step|param|time|sec|wall|seed|iter|epoch|cost|usd|commit|id$|^n_|num|size|delta", re.IGNORECASE
)
_VERDICT = re.compile(r"keep|kept|accept|discard|revert|reject|crash|fail|ok$|success|baseline", re.IGNORECASE)
_NUMBER = re.compile(r"\s*[-+−]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?\s*%?\s*\Z")


class Guess(NamedTuple):
    """What a file looks like."""

    kind: Kind
    columns: tuple[str, ...] = ()
    layout: Layout | None = None  # what its columns may mean
    apart: str = ""  # what stands between its columns, in words


def guess(head: bytes) -> Guess:
    """What the beginning of a file looks like."""
    if head.startswith(b"SQLite format 3\x00"):
        return Guess("sqlite")
    if b"\x00" in head[:1024]:
        return Guess("binary")
    objects = [o for o in head_objects(head, LINES) if o]
    if objects:
        keys = tuple(dict.fromkeys(str(k) for o in objects for k in o))
        cells = [["" if o.get(k) is None else _text(o.get(k)) for k in keys] for o in objects]
        return Guess("rows" if len(objects) > 1 else "document", keys, _roles(keys, cells))
    text = head.decode("utf-8", "replace").removeprefix("\ufeff")
    if text.lstrip()[:1] in ("{", "["):
        return Guess("document", tuple(dict.fromkeys(re.findall(r'"([^"\\\n]{1,64})"\s*:', text[:4096]))))
    return _table([line for line in text.splitlines()[:LINES] if line.strip() and not line.startswith("#")])


def sentence(found: Guess, head: bytes, *, by_map: bool) -> str:
    """What it looks like and what to do, in one line without its end."""
    what = looks(found)
    if found.kind in ("binary", "sqlite"):
        return f"is {what}; name one with --reader"
    if found.kind == "text":
        return "is in no format that a reader knows; name one with --reader"
    if not by_map or found.kind == "document":
        return f"is in no format that a reader knows; it looks like {what}; name one with --reader"
    said = "say which holds the metric, which the status and so on with --map FILE (formats --explain begins one)"
    return f"is in no format that a reader knows; it looks like {what}; {said}, or name a reader with --reader"


def looks(found: Guess) -> str:
    """What it looks like, in a few words."""
    names = ", ".join(short(c, WIDE) for c in found.columns[:SHOWN])
    more = f" and {len(found.columns) - SHOWN} more" if len(found.columns) > SHOWN else ""
    match found.kind:
        case "table":
            return f"a table with {found.apart} (columns {names}{more})"
        case "rows":
            return f"JSON lines (keys {names}{more})"
        case "document":
            return f"one JSON document (keys {names}{more})" if names else "one JSON document"
        case "sqlite":
            return "an SQLite database whose tables are not known"
        case "binary":
            return "binary, not text"
        case _:
            return "text"


def _table(lines: Sequence[str]) -> Guess:
    """A table where most lines hold as many of one delimiter as the first; else text."""
    for mark, (name, words) in DELIMITERS.items():
        many = lines[0].count(mark) if lines else 0
        alike = sum(x.count(mark) == many for x in lines[1:])
        # A few tabs in each line are enough: what stands between them may be text that spilled out of a cell.
        if not many or (alike * 2 < len(lines) - 1 and not (mark == "\t" and alike >= SPILLED)):
            continue
        head, *rows = [[c.strip().strip('"') for c in x.split(mark)] for x in lines]
        if mark == "," and any(len(c.split()) > 4 for c in head):
            continue  # prose has commas too
        if any(_NUMBER.match(c) for c in head):  # no header: the first line is data
            columns = tuple(f"column_{n}" for n in range(1, len(head) + 1))
            found = _roles(columns, [head, *rows])
            return Guess("table", columns, _with(found, delimiter=name, header=columns), words)
        return Guess("table", tuple(head), _with(_roles(head, rows), delimiter=name), words)
    return Guess("text")


def _roles(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> Layout:
    """Which column most likely is the metric, which the status, which the description."""
    numbers: list[str] = []
    status = description = None
    longest = 20.0
    for n, column in enumerate(columns):
        cells = [r[n] for r in rows if n < len(r) and r[n]]
        if not cells or cells[0][:1] in ("{", "["):
            continue
        if sum(bool(_NUMBER.match(c)) for c in cells) * 2 > len(cells):
            counts = all(c.strip().isdigit() for c in cells)  # whole numbers count or name something
            numbers += [column] if not counts and not _BESIDE.search(column) else []
        elif sum(bool(_VERDICT.match(c)) for c in cells) * 2 > len(cells):
            status = status or column
        elif (mean := sum(map(len, cells)) / len(cells)) > longest:
            longest, description = mean, column
    metric = next((c for c in numbers if goal_of(c)), numbers[0] if numbers else None)
    return Layout(metric=metric, goal=goal_of(metric), status=status, description=description)


def _with(layout: Layout, **more: object) -> Layout:
    said = {f: getattr(layout, f) for f in Layout.__struct_fields__}
    return Layout(**(said | more))


def _text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, default=str)
