"""What stands in a description: settings that it names only to say what a change was made on, or tried under.

`the current LR=0.1`, `from X=1`, `remove X=1` say what stood; `at K=64` says what a change was tried under.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from trajscope.recover.tokens import VALUES, Token
from trajscope.recover.words import AGAIN, RERUN, UNDER, VARIANTS
from trajscope.recover.words import STOOD as STOOD_WORDS

GIVEN, STOOD = "given", "stood"  # kinds of values that propose nothing by themselves
_RUN = re.compile(r"(?:trial|run|exp|experiment|candidate)_?\d+\Z")
_THE, _A = "the", "a"
_AS_IT_WAS = frozenset(("the", "same", "blocked", "this", "that", "it"))


def marked(found: Sequence[Token]) -> list[Token]:
    """The tokens, where the value of each `x=1` that proposes nothing has a kind of its own."""
    out = list(found)
    mode = ""
    begun = 0  # of what is said since a comma or plus sign
    for at, t in enumerate(out):
        if t.low in RERUN and at + 1 < len(out) and out[at + 1].low in _AS_IT_WAS:
            return [*out[:at], *(x._replace(kind=STOOD) if x.kind in VALUES else x for x in out[at:])]
        if t.kind == "equals" and at and at + 1 < len(out):
            how = _how(mode, out, at)
            if how and out[at + 1].kind in (*VALUES, "word", "glued"):
                out[at + 1] = out[at + 1]._replace(kind=how)
                mode = how
        elif t.kind == "plus":
            if t.text in "+&":
                mode = ""
            begun = at + 1
        elif t.kind in ("colon", "stop"):
            mode, begun = "", at + 1
        elif t.kind == "word":
            mode = _after(mode, t.low, out, begun, at)
    return out


def _how(mode: str, c: Sequence[Token], at: int) -> str:
    """What a setting is whose sign stands here."""
    noun = c[at + 2] if at + 2 < len(c) else None
    named = noun is not None and noun.kind == "word" and noun.apart and noun.low not in AGAIN
    if mode == _THE:
        return STOOD if named and not _follows(c, at) else ""
    if mode == _A:
        return GIVEN if named and noun is not None and noun.low not in VARIANTS and c[at - 2].low in ("a", "an") else ""
    return mode


def _follows(c: Sequence[Token], at: int) -> bool:
    """Whether `the x=1` comes with what it is for: `the LR=0.1 to 0.2`."""
    return c[at + 2].low in ("on", "with", "at")


def _after(mode: str, low: str, c: Sequence[Token], begun: int, at: int) -> str:
    """The mode behind a word."""
    if low in STOOD_WORDS:
        return STOOD
    if low in UNDER:
        before = c[at - 1].low if at else ""
        tried = low == "at" and (_RUN.match(before) is not None or (at > begun and _only_acts(c, begun, at)))
        return "" if tried else mode if mode == STOOD else GIVEN
    if low in AGAIN:
        return ""
    if low == "the":
        return mode or _THE
    if low in ("a", "an"):
        return _A if not mode or mode == GIVEN else mode
    return "" if mode == _A and not (at + 1 < len(c) and c[at + 1].kind == "equals") else mode


def _only_acts(c: Sequence[Token], begun: int, at: int) -> bool:
    return all(t.low in AGAIN for t in c[begun:at])
