"""Text on a terminal: cleaned of control sequences, wrapped to its width, coloured where that is wanted.

Everything that comes from a file goes through `clean`: trajectories are written by machines that may be hostile.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
import textwrap
import unicodedata
from collections.abc import Iterable, Sequence
from typing import Any, TextIO

from trajscope.verdict import Level, Verdict

MIN_WIDTH, DEFAULT_WIDTH, MAX_WIDTH = 60, 100, 140
_CODES = {"red": "31", "yellow": "33", "green": "32", "cyan": "36", "dim": "2", "bold": "1"}
MOST_BARS = 40
MARKS = {
    Level.PASS: ("●", "green"),
    Level.WARN: ("!", "yellow"),
    Level.UNKNOWN: ("?", "yellow"),
    Level.FAIL: ("✗", "red"),
}
SPARKS = "▁▂▃▄▅▆▇█"


def clean(text: object) -> str:
    """The text without anything that moves a cursor, changes a colour or turns the direction of writing."""
    return "".join(
        c if c == " " or unicodedata.category(c)[0] != "C" else f"\\x{ord(c):02x}" if ord(c) < 256 else ""
        for c in str(text)
    )


def wide() -> int:
    """Columns to write in: those of COLUMNS, else of whatever terminal there is, also where stdout is a pipe."""
    columns = int(os.environ["COLUMNS"]) if os.environ.get("COLUMNS", "").isdigit() else 0
    for fd in (1, 2, 0):
        if columns > 0:
            break
        with contextlib.suppress(OSError):
            columns = os.get_terminal_size(fd).columns
    return max(MIN_WIDTH, min(MAX_WIDTH, columns or DEFAULT_WIDTH))


def coloured(stream: TextIO | None = None) -> bool:
    """Whether colour is wanted: on a terminal, and nobody said NO_COLOR."""
    return (stream or sys.stdout).isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def paint(text: str, *styles: str) -> str:
    """The text in a colour, where colour is wanted."""
    codes = ";".join(_CODES[s] for s in styles)
    return f"\x1b[{codes}m{text}\x1b[0m" if text and codes and coloured() else text


def wrapped(label: str, text: str, width: int, *, indent: int = 11) -> list[str]:
    """A labelled paragraph that hangs under its label."""
    lines = textwrap.wrap(clean(text), max(20, width - indent), break_on_hyphens=False) or [""]
    return [(f" {label}".ljust(indent) if i == 0 else " " * indent) + line for i, line in enumerate(lines)]


def verdicts(found: Iterable[Verdict], width: int) -> list[str]:
    """Verdicts one below the other, each with its mark."""
    out = []
    for v in found:
        mark, colour = MARKS[v.level]
        first, *rest = wrapped("", v.reason, width, indent=14)
        out += [f" {paint(mark, colour)} {clean(v.rule):<11}{first.strip()}", *rest]
    return out


def short(text: object, most: int) -> str:
    """A text that a stranger may have made very long, cut to so many letters."""
    said = clean(text)
    return said if len(said) <= most else said[: most - 3] + "..."


def spark(rates: Sequence[float], most: int = MOST_BARS) -> str:
    """Rates from 0 to 1 as a row of bars; a long row shows the means of neighbours."""
    each = -(-len(rates) // most)
    means = [sum(part) / len(part) for i in range(0, len(rates), each or 1) if (part := rates[i : i + each])]
    return "".join(SPARKS[min(int(r * len(SPARKS)), len(SPARKS) - 1)] for r in means)


def number(x: float | None, digits: int = 5) -> str:
    """A number as a person would write it."""
    if x is None:
        return "?"
    if isinstance(x, int):
        return f"{x:,}"
    return f"{x:.{digits}g}"


def plural(n: int, one: str, many: str | None = None) -> str:
    """How many of something there are, in words that agree."""
    return f"{n:,} {one if n == 1 else many or one + 's'}"


def duration(seconds: float | None) -> str:
    """Seconds as a person would say them."""
    if seconds is None:
        return "?"
    if seconds < 100:
        return f"{seconds:.0f} s"
    if seconds < 6000:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"


def columns(text: str) -> int:
    """How many columns of a terminal a text takes."""
    return sum(
        0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in ("W", "F") else 1 for c in text
    )


def ordinal(n: int) -> str:
    """1st, 2nd, 3rd, 4th, 11th, 21st."""
    return f"{n:,}{'th' if n % 100 in (11, 12, 13) else {1: 'st', 2: 'nd', 3: 'rd'}.get(n % 10, 'th')}"


def table(rows: Sequence[Sequence[str]], head: Sequence[str], *, right: Sequence[int] = ()) -> list[str]:
    """Cells in columns, each as wide as its widest cell."""
    cells = [[clean(c) for c in row] for row in rows]
    widths = [max(columns(r[i]) for r in [list(head), *cells]) for i in range(len(head))]
    lines = []
    for n, row in enumerate([list(head), *cells]):
        pads = [" " * (w - columns(c)) for c, w in zip(row, widths, strict=True)]
        line = "  ".join(pad + c if i in right else c + pad for i, (c, pad) in enumerate(zip(row, pads, strict=True)))
        lines.append(paint(line.rstrip(), "dim") if n == 0 else line.rstrip())
    return lines


def json_line(value: Any) -> str:
    """One JSON line; a number that JSON has no word for is a bug, not output."""
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"), default=str)


def version(package: str) -> str | None:
    """The installed version of a package; None where it is not installed, as in a checkout."""
    from importlib import metadata

    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def warn(message: str) -> None:
    """One line on stderr."""
    print(f"trajscope: {clean(message)}", file=sys.stderr)
