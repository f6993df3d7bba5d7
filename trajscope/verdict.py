"""Level and Verdict: what every rule, rail and gate answers with.

Knows nothing of what was judged: a verdict is a sentence, its level and the trials that show it.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import IntEnum
from typing import Any, NamedTuple


class Level(IntEnum):
    """How bad it is. Worst is max: a FAIL is never hidden by an UNKNOWN, and an UNKNOWN never passes."""

    PASS = 0
    WARN = 1
    UNKNOWN = 2
    FAIL = 3


class Verdict(NamedTuple):
    """One rule's answer: the sentence carries the number and its bound, `evidence` the trials (seq) that show it.

    `elsewhere` names trials of other files of the campaign as `path:line`; `alternatives` what could be tried instead,
    as labels of pairs.
    """

    rule: str
    level: Level
    reason: str
    evidence: tuple[int, ...] = ()
    elsewhere: tuple[str, ...] = ()
    alternatives: tuple[str, ...] = ()


def plain(v: Verdict) -> dict[str, Any]:
    """A verdict as the JSON of every command has it."""
    return {"rule": v.rule, "level": v.level.name, "reason": v.reason, "evidence": list(v.evidence)}


def worst(verdicts: Iterable[Verdict]) -> Level:
    """The level of the worst verdict; nothing was judged is UNKNOWN, never a pass."""
    return max((v.level for v in verdicts), default=Level.UNKNOWN)


def exit_code(level: Level) -> int:
    """0 for PASS and WARN, 1 for FAIL, 3 for UNKNOWN (2 belongs to usage errors)."""
    return {Level.PASS: 0, Level.WARN: 0, Level.UNKNOWN: 3, Level.FAIL: 1}[level]
