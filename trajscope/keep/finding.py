"""What one step of the gate found: a verdict, the word that ends the decision where there is one, and its numbers."""

from __future__ import annotations

from typing import Any, NamedTuple

from trajscope.keep.decision import Word
from trajscope.verdict import Level, Verdict


class Finding(NamedTuple):
    """One step's answer; without a word the next step is asked."""

    verdict: Verdict
    word: Word | None
    numbers: dict[str, Any]


def passed(rule: str, reason: str, **numbers: Any) -> Finding:
    """The step lets the candidate go on."""
    return Finding(Verdict(rule, Level.PASS, reason), None, numbers)


def noted(rule: str, reason: str, **numbers: Any) -> Finding:
    """The step lets it go on, with something to distrust."""
    return Finding(Verdict(rule, Level.WARN, reason), None, numbers)


def revert(rule: str, reason: str, **numbers: Any) -> Finding:
    """The candidate was judged, and is not good enough."""
    return Finding(Verdict(rule, Level.FAIL, reason), "REVERT", numbers)


def abort(rule: str, reason: str, *, sure: bool = False, **numbers: Any) -> Finding:
    """It could not be judged; `sure` where what is wrong is known to be wrong, not merely unknown."""
    return Finding(Verdict(rule, Level.FAIL if sure else Level.UNKNOWN, reason), "ABORT", numbers)
