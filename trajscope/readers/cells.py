"""Cells of tables as people and loops spell them: numbers, times, and every way to say that there is none."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

from trajscope.readers.fields import finite, time_ms

# What stands where there is no value. A word that may also be one (`baseline`, `0`) is for the reader to judge.
MISSING = frozenset(
    ("", "-", "--", "–", "—", "n/a", "na", "n_a", "n.a.", "none", "null", "nil", "nan", "pending", "?", "tbd", "failed")
)
_NUMBER = re.compile(
    r"(?:[$€£¥]\s*)?([+\-\u2212\u2013]?(?:\d{1,3}(?:,\d{3})+|\d+)?(?:\.\d+)?\.?(?:[eE][+\-\u2212]?\d+)?)\s*(%|[^\W\d_]{1,8}|[¢$€])?\Z"
)
_YEAR_2001_S, _YEAR_2001_MS = 10**9, 10**12  # an epoch before is no time of an experiment
MOST = 1 << 14


def missing(cell: str) -> bool:
    """Whether it says that there is no value."""
    return cell.strip().casefold() in MISSING


@lru_cache(maxsize=MOST)
def number(cell: str) -> float | None:
    """The number in a cell, its unit left aside (`84.50%`, `1.1x`, `$3`, `1,234`); None where it is none."""
    text = cell.strip()
    found = _NUMBER.match(text)
    if found is None or not any(c.isdigit() for c in found[1]):
        return None
    try:
        return finite(float(found[1].replace(",", "").replace("\u2212", "-").replace("\u2013", "-")))
    except ValueError:
        return None


def numeric(value: Any) -> float | None:
    """The number that a cell or a JSON value holds."""
    if isinstance(value, str):
        return number(value)
    if isinstance(value, int | float) and not isinstance(value, bool):
        return finite(float(value)) if abs(value) < 1e300 else None
    return None


def word(value: Any) -> str:
    """A cell or JSON value as text; nothing where there is none."""
    if value is None:
        return ""
    return value if isinstance(value, str) else str(value)


def value(cell: Any) -> Any:
    """A cell as the value of a knob: a number where it is a plain one, else the text."""
    if not isinstance(cell, str):
        return cell
    text = cell.strip()
    if text.casefold() in ("true", "false"):
        return text.casefold() == "true"
    try:
        return int(text)
    except ValueError:
        pass
    try:
        found = float(text)
    except ValueError:
        return text
    return found if finite(found) is not None else text


def when_ms(value: Any) -> int | None:
    """A time: ISO text, or seconds or milliseconds since 1970."""
    if isinstance(value, str) and (found := time_ms(value.strip())) is not None:
        return found
    at = numeric(value)
    if at is None or at < _YEAR_2001_S:
        return None
    return int(at) if at >= _YEAR_2001_MS else int(at * 1000)
