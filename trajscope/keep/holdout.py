"""Step 8: a frozen measure that the proposer never sees. It is asked seldom, answers with one bit, and must not leak.

The Ladder of Blum and Hardt (arXiv 1502.04585): what a candidate is compared with moves only when clearly beaten.
"""

from __future__ import annotations

import math
import re

from msgspec.structs import replace

from trajscope.keep import evidence
from trajscope.keep.arms import Arm, mean, values
from trajscope.keep.finding import Finding, abort, passed, revert
from trajscope.keep.settings import GateSettings, Holdout
from trajscope.keep.state import Ladder

RULE = "keep.holdout"
LEAKS = "keep.leaks"
DIGITS = 6  # significant digits by which a number alone gives a value away; fewer are met by chance
NOISE = 0.95  # of two means that are the same, one in twenty is worse than the other by more than the tolerance
NEAR_DIGITS = 3  # enough on a line that names the holdout
_NUMBER = re.compile(r"(?<![\w.])[+-]?(\d+\.?\d*|\.\d+)(?:[eE]([+-]?\d+))?(?![\w])")


def begin(holdout: Holdout, arm: Arm) -> Ladder:
    """The ladder's first rung: the baseline."""
    found = values(arm, holdout.metric)
    at = mean(arm, holdout.metric)
    se = evidence.pooled([found]).sd / math.sqrt(len(found))
    eta = se if holdout.eta is None else holdout.eta
    noise = evidence.quantile(NOISE, len(found) - 1) * math.sqrt(2) * se
    return Ladder(at, eta, noise if holdout.tolerance is None else holdout.tolerance, (*found, at))


def bit(holdout: Holdout, ladder: Ladder, arm: Arm) -> tuple[Finding, Ladder]:
    """Whether the candidate is no worse than what was last released, and the ladder after that. Tells no value."""
    sign = 1 if holdout.goal == "maximize" else -1
    found = values(arm, holdout.metric)
    at = mean(arm, holdout.metric)
    gain = sign * (at - ladder.released)
    after = replace(ladder, released=at if gain > ladder.eta else ladder.released, seen=(*ladder.seen, *found, at))
    left = f"{holdout.budget - ladder.queries} of {holdout.budget} queries are left"
    if not gain >= -ladder.tolerance:
        return revert(RULE, f"worse on the holdout than what was last released; {left}", queries=ladder.queries), after
    return passed(RULE, f"no worse on the holdout than what was last released; {left}", queries=ladder.queries), after


def spent(holdout: Holdout, ladder: Ladder) -> Finding | None:
    """Why the holdout may not be asked once more."""
    if ladder.queries < holdout.budget:
        return None
    why = f"all {holdout.budget} queries of the holdout are spent; nothing is kept until there is a new holdout"
    return abort(RULE, why, queries=ladder.queries)


def leaks(settings: GateSettings, ladder: Ladder, shown: object) -> Finding | None:
    """Whether a value of the holdout stands in a text that the proposer was given."""
    if settings.holdout is None or "leaks" in settings.without:
        return None
    texts = (shown,) if isinstance(shown, str) else shown
    if not isinstance(texts, list | tuple):
        return abort(LEAKS, "the texts shown to the proposer were not handed over, so nobody can tell that none leaked")
    for number, text in enumerate(texts, 1):
        if not isinstance(text, str):
            return abort(LEAKS, f"text {number} shown to the proposer is a {type(text).__name__}, no text")
        if line := _leak(settings.holdout.metric.casefold(), ladder.seen, text):
            why = f"a value of the holdout was shown to the proposer (text {number}, line {line}); replace the holdout"
            return abort(LEAKS, why, sure=True)
    return None


def _leak(name: str, seen: tuple[float, ...], text: str) -> int | None:
    """The line that gives a value away: enough of its digits, fewer where the line names the metric."""
    for number, line in enumerate(text.splitlines(), 1):
        need = NEAR_DIGITS if name in line.casefold() else DIGITS
        for found in _NUMBER.finditer(line):
            digits = len(found[1].replace(".", "").lstrip("0"))
            if digits >= need and _says(found, seen):
                return number
    return None


def _says(found: re.Match[str], seen: tuple[float, ...]) -> bool:
    """Whether a number is one of the values, rounded or cut to the places it is written with, or as a percentage."""
    told = abs(float(found[0]))
    places = len(found[1].partition(".")[2]) - int(found[2] or 0)
    if abs(places) > 300:
        return False
    return any(abs(abs(v) * scale - told) < 10.0**-places for v in seen for scale in (1, 100))
