"""What a check of a corpus answers with, and how an outcome follows from a value, its bound and how much was seen."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

Outcome = Literal["pass", "fail", "insufficient"]
ORDER: tuple[Outcome, ...] = ("pass", "insufficient", "fail")
EXIT: Mapping[Outcome, int] = {"pass": 0, "fail": 1, "insufficient": 3}
Ref = tuple[int, int]  # run and seq


class Seen(NamedTuple):
    """A value on one side of the split: what it is of, and how many rows it is of."""

    where: str
    value: float | None
    n: int


@dataclass(frozen=True, slots=True)
class Check:
    """One check's answer."""

    name: str
    outcome: Outcome
    value: float | None
    bound: str
    n: int  # rows that the value is of
    reason: str
    rows: tuple[Ref, ...] = ()
    rows_total: int = 0
    parts: tuple[Seen, ...] = ()
    remedy: str | None = None
    note: str | None = None  # what holds although it passed
    lines: tuple[str, ...] = field(default=())  # what rows cannot say


def worst(outcomes: Iterable[Outcome]) -> Outcome:
    """A failure is never hidden by what could not be told, and that never passes. Nothing asked is not a pass."""
    return max(outcomes, key=ORDER.index, default="insufficient")


def judged(*, bad: bool, enough: bool) -> Outcome:
    """What is bad on enough data fails; what is not enough to know is insufficient, good or bad."""
    return "insufficient" if not enough else "fail" if bad else "pass"


def cure(remedy: str, *, bad: bool) -> str | None:
    """What to do about what is bad. Where there is only too little of it, more rows are all the remedy."""
    return remedy if bad else None


def share(x: float) -> str:
    """A share as it stands in a sentence."""
    return f"{x:.0%}" if x in (0.0, 1.0) or 0.1 <= x <= 0.99 else f"{x:.1%}"


def staying(n: int, stay: int) -> str:
    """How many of so many rows a corpus is written of, where that is fewer."""
    return f", {stay:,} of them {'stays' if stay == 1 else 'stay'} when repeats go" if stay < n else ""


def count(n: int, one: str, many: str | None = None) -> str:
    """How many of something, in words that agree."""
    return f"{n:,} {one if n == 1 else many or one + 's'}"
