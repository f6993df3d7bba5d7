"""How rules say numbers, and what they say where data is missing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from trajscope.verdict import Level

Values = Mapping[str, Any]
Answer = tuple[Level, str, list[int]]  # how bad, the sentence, the trials (seq) that show it
SHOWN = 20  # trials that a verdict names as evidence
NOT_EVALUABLE = "not evaluable: "


def lacking(why: str) -> Answer:
    """A check that could not run: never a pass, and never the word of a run."""
    return Level.WARN, NOT_EVALUABLE + why, []


def percent(x: float) -> str:
    """A share without decimals."""
    return f"{x:.0%}"


def count(n: int, one: str, many: str | None = None) -> str:
    """How many of something, in words that agree."""
    return f"{n:,} {one if n == 1 else many or one + 's'}"


def are(n: int) -> str:
    """The verb that agrees with a number."""
    return "is" if n == 1 else "are"


def hours(seconds: float) -> str:
    """A time in the unit that suits it."""
    if seconds >= 3600:
        return f"{seconds / 3600:.1f} h"
    return f"{seconds / 60:.0f} min" if seconds >= 60 else f"{seconds:.0f} s"
