"""Lines made of spans, each a text with a role. What a role looks like is decided where the lines are put on a screen.

Knows no terminal; every width is in columns, so that a wide letter takes two.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Sequence
from typing import Literal, NamedTuple

from trajscope.readable import columns

Role = Literal["", "bad", "warn", "good", "dim", "head", "accent", "best", "band", "key"]


class Span(NamedTuple):
    """A text in a role."""

    text: str
    role: Role = ""


Line = list[Span]


def width(line: Iterable[Span]) -> int:
    """Columns that a line takes."""
    return sum(columns(s.text) for s in line)


def plain(line: Iterable[Span]) -> str:
    """The text of a line."""
    return "".join(s.text for s in line)


def cut(text: str, most: int) -> str:
    """A text that takes so many columns at most; what is cut off is shown to be."""
    if columns(text) <= most:
        return text
    out, room = [], most - 1
    for c in text:
        room -= columns(c)
        if room < 0:
            break
        out.append(c)
    return "".join(out) + "…" if most > 0 else ""


def fit(line: Iterable[Span], most: int) -> Line:
    """A line that takes so many columns at most."""
    out: Line = []
    room = most
    for s in line:
        taken = columns(s.text)
        if taken > room:
            return [*out, Span(cut(s.text, room), s.role)] if room > 0 else out
        out.append(s)
        room -= taken
    return out


def padded(line: Line, to: int) -> Line:
    """A line that takes exactly so many columns."""
    fitted = fit(line, to)
    return [*fitted, Span(" " * (to - width(fitted)))]


def flow(label: str, parts: Sequence[Sequence[Span]], most: int, indent: int, gap: str = "   ") -> list[Line]:
    """Parts one after the other behind a label, in as many lines as they need; no part is broken."""
    out: list[Line] = [[Span(f" {label}".ljust(indent), "head")]]
    empty = True
    for part in parts:
        if not empty and width(out[-1]) + len(gap) + width(part) > most:
            out.append([Span(" " * indent)])
            empty = True
        out[-1] += ([] if empty else [Span(gap)]) + list(part)
        empty = False
    return [fit(line, most) for line in out]


def wrapped(text: str, most: int, lines: int) -> list[str]:
    """A text in so many lines at most; what is left out is shown to be."""
    found = textwrap.wrap(text, max(8, most), break_on_hyphens=False) or [""]
    if len(found) > lines:
        found = [*found[: lines - 1], cut(found[lines - 1] + " …", most)]
        if not found[-1].endswith("…"):
            found[-1] += "…"
    return found


def beside(left: Sequence[Line], right: Sequence[Line], at: int) -> list[Line]:
    """Two blocks of lines, the right one from a column on."""
    out = []
    for i in range(max(len(left), len(right))):
        line = left[i] if i < len(left) else []
        out.append(padded(list(line), at) + list(right[i]) if i < len(right) else list(line))
    return out
