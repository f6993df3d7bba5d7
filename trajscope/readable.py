"""Numbers, durations and strangers' texts as a person reads them.

Everything that comes from a file goes through `clean`: trajectories are written by machines that may be hostile.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

# A word of a run and a level of a rule, each with a shape: colour alone says nothing on paper or to the colour-blind.
SHAPES = {
    "TAMPERED": ("✗", ("red", "bold")),
    "SUSPECT": ("✗", ("red", "bold")),
    "FLAILING": ("✗", ("red", "bold")),
    "STALLED": ("!", ("yellow", "bold")),
    "UNKNOWN": ("?", ("yellow", "bold")),
    "RESEARCHING": ("●", ("green", "bold")),
}
MARKS = {"FAIL": ("✗", "red"), "UNKNOWN": ("?", "yellow"), "WARN": ("!", "yellow")}
MOST_BARS = 40
SPARKS = "▁▂▃▄▅▆▇█"


def clean(text: object) -> str:
    """The text without anything that moves a cursor, changes a colour or turns the direction of writing."""
    said = str(text)
    if said.isprintable():  # as nearly all are
        return said
    return "".join(
        c if c.isprintable() or unicodedata.category(c) == "Zs" else f"\\x{ord(c):02x}" if ord(c) < 256 else ""
        for c in said
    )


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


def age(seconds: float) -> str:
    """How long ago something was, as a person would say it."""
    return duration(seconds) if seconds < 72 * 3600 else f"{seconds / 86400:,.0f} days"


def columns(text: str) -> int:
    """How many columns of a terminal a text takes."""
    if text.isascii():
        return len(text)
    return sum(
        0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in ("W", "F") else 1 for c in text
    )


def ordinal(n: int) -> str:
    """1st, 2nd, 3rd, 4th, 11th, 21st."""
    return f"{n:,}{'th' if n % 100 in (11, 12, 13) else {1: 'st', 2: 'nd', 3: 'rd'}.get(n % 10, 'th')}"
