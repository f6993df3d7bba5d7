"""Grid: a line of a delimited table becomes as many cells as its header has, or a reason why it does not.

Knows no role but where the status, the metric and the description stand, by which a row of another width is put right.
Only what is certain is put right; all else is said.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Sequence
from typing import NamedTuple

from trajscope.layout import Delimiter
from trajscope.readers.cells import missing, number

DELIMITERS: dict[Delimiter, str] = {"tab": "\t", "comma": ",", "semicolon": ";", "pipe": "|"}
NAME_OF = {sign: name for name, sign in DELIMITERS.items()}
ESCAPED_TAB = "\\t"  # what `echo` writes where `echo -e` was meant
_WORD = 40  # letters beyond which a cell is prose, however it begins
_TRACEBACK = (
    "Traceback (most recent call last)",
    '  File "',
    "During handling of the above",
    "The above exception was",
)
Known = Callable[[str], bool]


class Shape(NamedTuple):
    """The header of a table, as far as the width of its rows goes."""

    width: int
    status: int | None
    metric: int | None
    description: int | None


class Fitted(NamedTuple):
    """The cells of a row under its header, and what had to be put right."""

    cells: list[str]
    faults: tuple[str, ...] = ()


def split(text: str, delimiter: str) -> list[str]:
    """The cells of a line; quotes are taken off where a cell begins and ends with one."""
    if delimiter == "|":
        bare = text.strip()
        bare = bare.removeprefix("|").removesuffix("|") if bare.startswith("|") else bare
        return [c.strip() for c in bare.split("|")]
    if '"' not in text:
        return text.split(delimiter)
    if delimiter == "\t":
        return [unquoted(c) for c in text.split("\t")]
    return _quoted(text, delimiter) or [unquoted(c) for c in text.split(delimiter)]


def unquoted(cell: str) -> str:
    """The text between quotes that enclose the whole cell, doubled ones single; any other cell as it is."""
    if len(cell) > 1 and cell[0] == '"' == cell[-1]:
        return cell[1:-1].replace('""', '"')
    return cell


def _quoted(text: str, delimiter: str) -> list[str] | None:
    """The cells by the rules of CSV; None where the line breaks them."""
    try:
        return next(csv.reader([text], delimiter=delimiter, strict=True), None)
    except csv.Error:
        return None


def is_open(text: str, delimiter: str, width: int) -> bool:
    """Whether the last cell begins with a quote that this line does not close, so that the row goes on."""
    if text.count('"') % 2 == 0:
        return False
    cells = text.split(delimiter)
    at = next((i for i, c in enumerate(cells) if c.startswith('"') and c.count('"') % 2), None)
    if not at:  # a line that begins with a quote is prose that was spilled
        return False
    return delimiter != "\t" or len(cells) < width


def fitted(text: str, delimiter: str, shape: Shape, known: Known) -> Fitted | str:
    """The cells of a line whose width is not its header's, or why it is no row."""
    cells = split(text, delimiter)
    if len(cells) != shape.width and delimiter == "\t" and ESCAPED_TAB in text:
        cells = split(text.replace(ESCAPED_TAB, "\t"), delimiter)
    if len(cells) > shape.width and '"' in text and delimiter == "\t":
        whole = _quoted(text, delimiter)  # a tab inside of quotes
        cells = whole if whole is not None and len(whole) == shape.width else cells
    if len(cells) == shape.width:
        return Fitted(cells)
    if not any(c.strip() for c in cells):
        return "holds no text"
    return _narrowed(cells, delimiter, shape, known) if len(cells) > shape.width else _widened(cells, shape, known)


def _says(cell: str, known: Known) -> bool:
    """Whether a cell is a status and not the beginning of a sentence."""
    text = cell.strip()
    return 0 < len(text) <= _WORD and " " not in text and known(text)


def _narrowed(cells: list[str], delimiter: str, shape: Shape, known: Known) -> Fitted:
    """A row with too many cells: the description holds the delimiter, or a cell was written that has no column."""
    width, s, d = shape.width, shape.status, shape.description
    more = len(cells) - width
    told = (f"has {len(cells)} cells under {width} columns",)
    if d is not None:
        joined = [*cells[:d], delimiter.join(cells[d : d + more + 1]), *cells[d + more + 1 :]]
        if s is None or _says(joined[s], known):
            return Fitted(joined, () if d == width - 1 else told)
    if s is not None and _says(cells[s + more], known) and not _says(cells[s], known):
        out = [*cells[:s], *cells[s + more :]]
        m = shape.metric
        if m is not None and m < s and cells[m] != cells[m + more]:
            out[m] = ""  # either could be it
        return Fitted(out, told)
    return Fitted(cells[:width], told)


def _widened(cells: list[str], shape: Shape, known: Known) -> Fitted | str:
    """A row with too few cells: its last ones were left out, one in the middle was, or several were run together."""
    width, s = shape.width, shape.status
    less = width - len(cells)
    if s is None:
        m = shape.metric
        if m is not None and m < len(cells) and (number(cells[m]) is not None or missing(cells[m])):
            return Fitted([*cells, *[""] * less], _short(cells, shape))
        return f"has {len(cells)} of {width} columns"
    earlier = s - less
    here = s < len(cells) and _says(cells[s], known)
    there = 0 < earlier < len(cells) and _says(cells[earlier], known)
    if here and there:
        return f"has {len(cells)} of {width} columns, and two of its cells could be the status"
    if there:
        m = shape.metric
        out = [*cells[:earlier], *[""] * less, *cells[earlier:]]
        if m is not None and m < s:
            out[m] = ""  # nothing says which cell was left out
        return Fitted(out, (f"has {len(cells)} of {width} columns: read by where its status stands",))
    if here or (s < len(cells) and missing(cells[s])):
        return Fitted([*cells, *[""] * less], _short(cells, shape))
    if len(cells) > 1 and s >= len(cells) and (found := _unsquashed(cells, shape, known)):
        return found
    return f"has {len(cells)} of {width} columns, and its status is not among them"


def _short(cells: Sequence[str], shape: Shape) -> tuple[str, ...]:
    """What is said of a row that ends early; that a description is left out is nothing."""
    m = shape.metric
    return (f"has {len(cells)} of {shape.width} columns",) if m is not None and m >= len(cells) else ()


def _unsquashed(cells: list[str], shape: Shape, known: Known) -> Fitted | None:
    """A row whose last cells were run together with spaces between, where both status and metric fall into place."""
    tail, s, m = shape.width - len(cells), shape.status, shape.metric
    words = cells[-1].split(" ")
    if len(words) <= tail or s is None or m is None:
        return None
    out = [*cells[:-1], unquoted(" ".join(words[:-tail])), *words[-tail:]]
    if not _says(out[s], known) or not (number(out[m]) is not None or missing(out[m])):
        return None
    return Fitted(out, (f"{tail + 1} of its cells were run together: told apart by their places",))


def is_rule(text: str) -> bool:
    """A line under a heading that only draws: `|---|:--:|`, `-----`."""
    return len(text) > 2 and not text.isspace() and not text.strip("|-=+: \t")


def of_traceback(text: str) -> bool:
    """Whether a line begins or belongs to the report of a Python error."""
    return text.startswith(_TRACEBACK)
