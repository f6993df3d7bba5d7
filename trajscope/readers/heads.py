"""Heads: how a table begins: comments, the names of its columns, the sign between them. A table may have no names.

Reads the beginning of a file only to recognise it; the reader then goes line by line by the same functions.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from trajscope.layout import Delimiter, Layout
from trajscope.readers.cells import number
from trajscope.readers.grid import DELIMITERS, ESCAPED_TAB, NAME_OF, is_rule, split
from trajscope.readers.purposes import is_heading, plain
from trajscope.readers.statuses import Statuses

LINES = 60  # of a file that are looked at; more may stand before a header only as comments
STRAY = 5  # lines that are neither comment nor header which may stand before it
ROWS = 20
_COMMENT = re.compile(r"#+\s*([\w.\- ]{1,60}?)\s*[:=]\s*(.*)\Z", re.DOTALL)
_HASH = re.compile(r"(?:[0-9a-f]{6,40}(?:-\w+)?|HEAD(?:[~^]\d*)?|baseline|none|-)\Z", re.IGNORECASE)
_WORDS = Statuses()


class Heading(NamedTuple):
    """The names of the columns and the sign between them."""

    names: tuple[str, ...]
    delimiter: str
    in_file: bool = True  # a line of the file holds them


class Head(NamedTuple):
    """What the beginning of a file holds."""

    heading: Heading
    about: Mapping[str, str]  # `# key: value` lines
    rows: list[list[str]]


def comment(text: str) -> tuple[str, str] | None:
    """Key and value of a line of comment; the key is empty where it is only a remark. None where it is no comment."""
    if not text.startswith("#"):
        return None
    found = _COMMENT.match(text)
    return (found[1].strip(), found[2].strip()) if found else ("", text.lstrip("# "))


def heading(text: str, layout: Layout | None = None) -> Heading | None:
    """The names in a line, where it is the head of a table."""
    bare = text.lstrip("\ufeff")
    if bare.startswith("#"):
        bare = bare.lstrip("#").lstrip()
    wanted = _named(layout)
    signs = [DELIMITERS[layout.delimiter]] if layout and layout.delimiter else list(DELIMITERS.values())
    for sign in signs:
        for line in (bare, bare.replace(ESCAPED_TAB, "\t")) if sign == "\t" and ESCAPED_TAB in bare else (bare,):
            if sign not in line:
                continue
            names = [c.strip().strip('"`*').strip() for c in split(line, sign)]
            if wanted and wanted <= set(names):
                return Heading(tuple(names), sign)
            if is_heading(names):
                return Heading(tuple(names), sign)
    return None


def _named(layout: Layout | None) -> frozenset[str]:
    """The columns that somebody named; two at least, for one word may stand in any line."""
    if layout is None:
        return frozenset()
    one = (layout.metric, layout.status, layout.id, layout.commit, layout.description, layout.knob, layout.value)
    names = frozenset(n for n in (*one, *layout.metrics, *layout.knobs) if n)
    return names if len(names) > 1 else frozenset()


def declared(layout: Layout | None, text: str) -> Heading | None:
    """The names that somebody gave a file without any, where this line has as many cells."""
    if layout is None or not layout.header:
        return None
    signs = [DELIMITERS[layout.delimiter]] if layout.delimiter else list(DELIMITERS.values())
    sign = next((s for s in signs if len(split(text, s)) == len(layout.header)), None)
    return Heading(layout.header, sign, in_file=False) if sign else None


def nameless(text: str) -> Heading | None:
    """Names for a row without a head, told by content: something like a commit, a number, a status word, a text."""
    cells = split(text, "\t")
    if not 4 <= len(cells) <= 12 or is_heading(cells):
        return None
    status = next((i for i, c in enumerate(cells) if _is_status(c)), None)
    if status is None or not _HASH.match(cells[0].strip()):
        return None
    names: list[str] = []
    numbers = 0
    for i, cell in enumerate(cells):
        if i == 0:
            names.append("commit")
        elif i == status:
            names.append("status")
        elif i == len(cells) - 1:
            names.append("description")
        elif number(cell) is not None:
            numbers += 1
            names.append("metric" if numbers == 1 else f"number_{numbers}")
        else:
            names.append(f"column_{i + 1}")
    return Heading(tuple(names), "\t", in_file=False) if numbers and names.count("status") == 1 else None


def _is_status(cell: str) -> bool:
    text = cell.strip()
    return 0 < len(text) <= 20 and " " not in text and _WORDS.of(text).known


def head(data: bytes, layout: Layout | None = None) -> Head | None:
    """How a file begins, None where it is no table that anybody knows."""
    lines = data.decode("utf-8", "replace").lstrip("\ufeff").replace("\x00", "").split("\n")
    if len(data) >= 1 << 12 and len(lines) > 1:
        lines.pop()  # it may have been cut
    about: dict[str, str] = {}
    found: Heading | None = None
    rows: list[list[str]] = []
    stray = 0
    for raw in lines[:LINES]:
        text = raw.rstrip("\r")
        if not text.strip():
            continue
        if found is None:
            found = declared(layout, text) or heading(text, layout)
            if found is None and (said := comment(text)):
                about.setdefault(*said)
            elif found is None:
                found = nameless(text)
                stray += found is None
            if found is not None and not found.in_file:
                rows.append(split(text, found.delimiter))
            if stray > STRAY:
                return None
        elif len(rows) < ROWS and not is_rule(text):
            line = text.replace(ESCAPED_TAB, "\t") if found.delimiter == "\t" else text
            rows.append(split(line, found.delimiter))
    return Head(found, about, rows) if found else None


def speaks(words: Sequence[str]) -> bool:
    """Whether one of these words is a verdict, or something else that is known to stand in a column of verdicts."""
    return any(_WORDS.of(w).known for w in words if w.strip())


def columns(names: Sequence[str]) -> frozenset[str]:
    """The names as they are compared."""
    return frozenset(map(plain, names))


def called(heading: Heading) -> Delimiter:
    """The sign between the columns, in words."""
    return NAME_OF[heading.delimiter]
