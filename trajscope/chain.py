"""The chain through a record file: every line carries its number and the hash of the line before it.

Knows no fields but `seq` and `prev`. The last line has no successor, so nothing here can vouch for it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from typing import NamedTuple

ZEROS = "0" * 16


def link(line: bytes) -> str:
    """The `prev` of whatever follows this line: 16 hex digits of SHA-256 over its bytes, newline left out."""
    return hashlib.sha256(line.removesuffix(b"\n")).hexdigest()[:16]


class Chain(NamedTuple):
    """The `seq` and `prev` that the next line must carry."""

    seq: int = 0
    prev: str = ZEROS

    def after(self, line: bytes) -> Chain:
        """Where the chain stands once this line is written."""
        return Chain(self.seq + 1, link(line))

    def fault(self, line: Mapping[str, object]) -> str | None:
        """Why this line cannot stand here; a line without `seq` or `prev` cannot be vouched for."""
        seq, prev = line.get("seq"), line.get("prev")
        if type(seq) is not int:  # True == 1
            return "has no seq"
        if seq != self.seq:
            return f"has seq {seq} where {self.seq} belongs"
        if prev is None:
            return "has no prev"
        return None if prev == self.prev else f"holds {prev!r} for line {self.seq}, whose hash is {self.prev}"


class Break(NamedTuple):
    """Where a chain is broken: the line (counted from 1) that was changed, and what shows it."""

    line: int
    why: str


def first_break(lines: Iterable[bytes]) -> Break | None:
    """The first line that was changed, removed or put in after the fact, or None if the chain holds.

    A wrong `prev` accuses two lines. The one after them decides: if it fits the second, the first was changed.
    """
    chain = Chain()
    accused: Break | None = None
    for number, line in enumerate(lines, start=1):
        obj = parsed(line)
        if accused is not None:
            if obj is None or obj.get("prev") == chain.prev:
                return accused
            return Break(number - 1, f"its own prev is wrong, and line {number} does not fit it either")
        if obj is None:
            return Break(number, "is not a JSON object")
        if why := chain.fault(obj):
            if not isinstance(prev := obj.get("prev"), str) or obj.get("seq") != chain.seq or number == 1:
                return Break(number, why)
            accused = Break(number - 1, f"has the hash {chain.prev}, but line {number} remembers {prev}")
        chain = chain.after(line)
    return accused


def parsed(line: bytes) -> dict[str, object] | None:
    """The object that a line holds, or None where it holds none."""
    try:
        obj = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return obj if isinstance(obj, dict) else None
