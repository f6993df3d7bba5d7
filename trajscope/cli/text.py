"""Text on a terminal: cleaned of control sequences, wrapped to its width, coloured where that is wanted.

Everything that comes from a file goes through `clean`: trajectories are written by machines that may be hostile.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import textwrap
import unicodedata
from collections.abc import Sequence
from typing import Any, TextIO

MIN_WIDTH, MAX_WIDTH = 60, 140
_CODES = {"red": "31", "yellow": "33", "green": "32", "cyan": "36", "dim": "2", "bold": "1"}
SPARKS = "▁▂▃▄▅▆▇█"


def clean(text: object) -> str:
    """The text without anything that moves a cursor, changes a colour or turns the direction of writing."""
    return "".join(
        c if c == " " or unicodedata.category(c)[0] != "C" else f"\\x{ord(c):02x}" if ord(c) < 256 else ""
        for c in str(text)
    )


def wide(stream: TextIO | None = None) -> int:
    """Columns to write in."""
    return max(MIN_WIDTH, min(MAX_WIDTH, shutil.get_terminal_size((100, 24)).columns))


def coloured(stream: TextIO | None = None) -> bool:
    """Whether colour is wanted: on a terminal, and nobody said NO_COLOR."""
    return (stream or sys.stdout).isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def paint(text: str, *styles: str) -> str:
    """The text in a colour, where colour is wanted."""
    codes = ";".join(_CODES[s] for s in styles)
    return f"\x1b[{codes}m{text}\x1b[0m" if coloured() and codes else text


def wrapped(label: str, text: str, width: int, *, indent: int = 11) -> list[str]:
    """A labelled paragraph that hangs under its label."""
    lines = textwrap.wrap(clean(text), max(20, width - indent), break_on_hyphens=False) or [""]
    return [(f" {label}".ljust(indent) if i == 0 else " " * indent) + line for i, line in enumerate(lines)]


def spark(rates: Sequence[float]) -> str:
    """Rates from 0 to 1 as a row of bars."""
    return "".join(SPARKS[min(int(r * len(SPARKS)), len(SPARKS) - 1)] for r in rates)


def number(x: float | None, digits: int = 5) -> str:
    """A number as a person would write it."""
    if x is None:
        return "?"
    if isinstance(x, int):
        return f"{x:,}"
    return f"{x:.{digits}g}"


def duration(seconds: float | None) -> str:
    """Seconds as a person would say them."""
    if seconds is None:
        return "?"
    if seconds < 100:
        return f"{seconds:.0f} s"
    if seconds < 6000:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"


def table(rows: Sequence[Sequence[str]], head: Sequence[str], *, right: Sequence[int] = ()) -> list[str]:
    """Cells in columns, each as wide as its widest cell."""
    cells = [[clean(c) for c in row] for row in rows]
    widths = [max(len(r[i]) for r in [list(head), *cells]) for i in range(len(head))]
    lines = []
    for n, row in enumerate([list(head), *cells]):
        line = "  ".join(
            c.rjust(w) if i in right else c.ljust(w) for i, (c, w) in enumerate(zip(row, widths, strict=True))
        )
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
