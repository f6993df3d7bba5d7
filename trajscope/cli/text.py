"""Text on a terminal: wrapped to its width, coloured where that is wanted, in tables and JSON lines."""

from __future__ import annotations

import contextlib
import json
import os
import sys
import textwrap
from collections.abc import Iterable, Sequence
from typing import Any, TextIO

from trajscope.readable import clean, columns, duration, number, ordinal, plural, short, spark
from trajscope.verdict import Level, Verdict

__all__ = [
    "MARKS",
    "clean",
    "coloured",
    "columns",
    "duration",
    "json_line",
    "number",
    "ordinal",
    "paint",
    "plural",
    "short",
    "spark",
    "table",
    "verdicts",
    "version",
    "warn",
    "wide",
    "wrapped",
]
MIN_WIDTH, DEFAULT_WIDTH, MAX_WIDTH = 60, 100, 140
_CODES = {"red": "31", "yellow": "33", "green": "32", "cyan": "36", "dim": "2", "bold": "1"}
MARKS = {
    Level.PASS: ("●", "green"),
    Level.WARN: ("!", "yellow"),
    Level.UNKNOWN: ("?", "yellow"),
    Level.FAIL: ("✗", "red"),
}


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
