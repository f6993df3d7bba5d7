"""The grammar of a description: the changes that its tokens tell, name by value, and what stands beside them.

One pass over the tokens, none of which is looked at more than a few times, so that no text takes long.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from trajscope.recover.names import LABEL, clean, is_prose, may_be_set, name_of, nameless, stands_alone
from trajscope.recover.standing import GIVEN, STOOD, marked
from trajscope.recover.tokens import VALUES, Token
from trajscope.recover.words import (
    ADJECTIVES,
    AFTER,
    AMOUNTS,
    COMPARED,
    COUNTED,
    COUNTERS,
    LOOKS,
    MAKE,
    ONLY,
    SAYS,
    STANDS,
    UNCOUNTED,
    UNITS,
    WHERE,
)

MEASURE = "throughput"  # whatever stands before a number of tokens per second
REST = "rest"  # how what only its words name is told
_MODEL = re.compile(r"\w*[a-z]\d+\Z")  # what a format or model is called: bf16, v3
_AT = re.compile(r"(?:batch|bs|conc|concurrency|users|clients|streams)_?\d+\Z")  # measured at so many: batch32
_COUNT = re.compile(r"(\d{1,6})(-?)([^\W\d_]{2,16})\Z")
_AMOUNT = re.compile(r"[\d.]+(?:ms|us|\u00b5s|\u03bcs|ns|s|sec|min|mb|gb|mib|gib|kb|x|b|d|%)\Z", re.IGNORECASE)
_FILE = re.compile(r".*\.[a-z]{1,4}\Z")
_EPOCHS = {"ep": "epochs", "eps": "epochs"}


class Told(NamedTuple):
    """One change that a text tells, and how."""

    name: str
    value: str
    how: str


class _Part(NamedTuple):
    """What stands between two plus signs, commas or `and`."""

    tokens: list[Token]
    joined: bool  # by a plus sign


class _UnchangedError(Exception):
    """The text is about something else than a change."""


def told(found: Sequence[Token]) -> tuple[Told, ...]:
    """The changes that the tokens tell, surest kinds first; loose `NAME value` only where nothing surer is told.

    What a setting was tried under (`at K=64`) is told beside a change and never alone. What is joined to a change and
    names no knob and value, or holds a number that none of them carries, is told by its words.
    """
    if found and found[0].low in LOOKS:
        return ()
    try:
        return tuple(_told(found))
    except _UnchangedError:
        return ()


def _told(found: Sequence[Token]) -> Iterator[Told]:
    only = next((i for i, t in enumerate(found) if t.low in ONLY and _says(found, i + 1, "only")), 0)
    parts = list(_parts(marked(_reported(found[only:]))))
    used: list[set[int]] = [set() for _ in parts]
    sure = [list(_strong(p.tokens, u)) for p, u in zip(parts, used, strict=True)]
    any_ = any(t.how != GIVEN for strong in sure for t in strong)
    for n, part in enumerate(parts):
        if not sure[n]:
            sure[n] = [*_weak(part.tokens, used[n], whole=any_)]
    any_ = any(t.how != GIVEN for strong in sure for t in strong)
    for n, part in enumerate(parts):
        sure[n] = [*_counts(part.tokens, used[n], beside=any(t.how != GIVEN for t in sure[n])), *sure[n]]
    all_ = [t for strong in sure for t in strong]
    if all(t.how == GIVEN for t in all_):
        return
    yield from all_
    argues = any(t.low in SAYS for p in parts for t in p.tokens)
    rest = [
        _rest(p, u, any(t.how != GIVEN for t in s), argues=argues) for p, u, s in zip(parts, used, sure, strict=True)
    ]
    if words := " + ".join(r for r in rest if r):
        yield Told("", words, REST)


def _says(found: Sequence[Token], at: int, word: str) -> bool:
    return at < len(found) and found[at].low == word


def _reported(found: Sequence[Token]) -> Sequence[Token]:
    """Up to a heading, a colon and a number with its unit: `Baseline peak: 5817 tok/s at batch=96` proposes nothing."""
    for at, t in enumerate(found[:-1]):
        if t.kind != "colon" or not at:
            continue
        after = found[at + 1 : at + 5]
        kinds = [x.kind for x in after]
        if kinds[1:3] == ["arrow", "number"]:
            after = after[2:]
        unit = after[1].low if len(after) > 1 else ""
        if (after[0].kind == "glued" and not _counted(after[0])) or (after[0].kind in VALUES and unit in AMOUNTS):
            return found[:at]
        if kinds == ["word", "equals", "number", "number"] and _relative(after[3].text):
            return found[:at]
    return found


def _parts(found: Sequence[Token]) -> Iterator[_Part]:
    """Parts between plus signs, commas and `and`, up to where the text begins to explain what it said."""
    part: list[Token] = []
    said = joined = False
    for at, t in enumerate(found):
        low = t.low
        follows = found[at + 1].kind if at + 1 < len(found) else ""
        if t.kind == "plus" or (t.kind == "word" and low in ("and", "plus")):
            plus = t.text in "+&" or low == "plus"
            if part:
                yield _Part(part, joined or plus)
            part, joined = [], plus
            continue
        if said and (t.kind == "stop" or (t.kind == "word" and low in AFTER and not _goes_on(found, at, part))):
            break
        if said and low == "to" and follows not in VALUES:  # `LR=4e-4 to test whether`
            break
        if said and t.kind == "colon" and (follows not in VALUES or any(x.kind in VALUES for x in part)):
            break
        part.append(t)
        said = said or _is_said(found, at)
    if part:
        yield _Part(part, joined)


def _is_said(found: Sequence[Token], at: int) -> bool:
    """Whether a change is told as far as here."""
    t = found[at]
    if t.kind in VALUES:
        return not _expects(found, at)
    return (t.kind == "glued" and _counted(t) != ()) or (at > 0 and found[at - 1].kind == "arrow")


def _goes_on(found: Sequence[Token], at: int, part: Sequence[Token]) -> bool:
    """Whether `with` or `at` adds another change to one, and does not say what it stands on."""
    low = found[at].low
    if low == "with" and any(t.kind == "arrow" for t in found[at + 2 : at + 6]):
        return any(t.kind == "arrow" for t in part)
    if low not in ("with", "at") or at + 2 >= len(found) or found[at + 2].kind != "equals":
        return False
    return any(t.kind == "equals" for t in part) and not any(t.kind == "arrow" or t.low == "to" for t in part)


def _expects(found: Sequence[Token], at: int) -> bool:
    """Whether a number is only the first half of a change."""
    if at + 1 >= len(found):
        return False
    after = found[at + 1]
    if after.kind == "arrow" or (after.low == "to" and at + 2 < len(found) and found[at + 2].kind in VALUES):
        return True
    return after.low in WHERE and _says(found, 0, "add") and found[at - 1].kind != "equals"


def _strong(clause: list[Token], used: set[int]) -> Iterator[Told]:
    """Arrows, `from a to b`, `x=1`, `x: 1` and `raise x to 1`."""
    if clause and clause[0].low in STANDS and not any(t.kind == "arrow" for t in clause):
        return
    at = begun = 0
    while at < len(clause):
        step = _change(clause, begun, at)
        if step is None:
            at += 1
            continue
        said, end = step
        named = at - 1
        while named > begun and clause[named - 1].kind == "word":
            named -= 1
        used.update(range(named, end))
        begun = at = end
        if said is not None:
            yield said


def _change(c: list[Token], begun: int, at: int) -> tuple[Told | None, int] | None:
    """The change whose first value, or whose sign, stands here, and where to go on."""
    t = c[at]
    if t.kind == "equals" and at > begun and c[at - 1].kind in ("word", "glued"):
        return _equals(c, begun, at)
    if t.kind == "colon":
        if at + 1 < len(c) and c[at + 1].kind in VALUES:
            end, text = _chain(c, at + 1)
            name = name_of(c[begun:at])
            how = "arrow" if end > at + 2 else "colon"
            if how == "colon" and not (stands_alone(name) and _ends(c, end)):
                return None, end
            return _of(name, text, how), end
        if at + 2 < len(c) and c[at + 2].kind == "arrow":
            end, text = _chain(c, at + 1)
            return _of(name_of(c[begun:at]), text, "arrow"), end
        return None
    if t.kind in VALUES or (t.kind in ("word", "glued") and at + 1 < len(c) and c[at + 1].kind == "arrow"):
        return _arrow(c, begun, at)
    if t.kind == "word" and t.low == "to" and at > begun and at + 1 < len(c):
        return _to(c, begun, at)
    return None


def _of(name: str, text: str | None, how: str) -> Told | None:
    return Told(name, text, how) if name and text is not None else None


def _equals(c: list[Token], begun: int, at: int) -> tuple[Told | None, int]:
    """`x=1`."""
    name = clean(c[at - 1].text)
    if at + 1 < len(c) and c[at + 1].kind in (GIVEN, STOOD):
        given = c[at + 1]
        return (Told(name, given.text, GIVEN) if given.kind == GIVEN and not given.bound else None), at + 2
    end, text = _chain(c, at + 1)
    if text is None or _relative(text) or (c[at].apart and not (at == begun + 1 and stands_alone(name))):
        return None, end
    if _AT.match(name) or LABEL.match(name) or _unit(c, end, UNITS) or (end < len(c) and c[end].text == "@"):
        return None, end
    return Told(name, text, "equals"), end


def _arrow(c: list[Token], begun: int, at: int) -> tuple[Told | None, int] | None:
    """`x 1 -> 2` and `x from 1 to 2`; of words too, where they end what is said."""
    end, text = _chain(c, at)
    if end == at + 1 or text is None:
        return None
    before = c[begun:at]
    how = "arrow"
    if before and before[-1].low in ("from", ":"):
        before, how = before[:-1], "from" if before[-1].low == "from" else "arrow"
    name = name_of(before)
    if LABEL.match(name):
        raise _UnchangedError
    if _unit(c, end, UNITS):
        name = MEASURE
    if c[at].kind not in VALUES or c[end - 1].kind not in VALUES:
        ended = end >= len(c) or c[end].kind != "word" or c[end].low in AFTER or c[end].low in WHERE
        if not ended or text.lower() in COMPARED or _FILE.match(text) or (how == "arrow" and is_prose(name)):
            return None, end
        how = "words" if how == "arrow" else how
    if not name or nameless(name):
        return None, end
    return Told(name, text, how), end


def _to(c: list[Token], begun: int, at: int) -> tuple[Told | None, int] | None:
    """`from a to b` of words, and `raise x to 1`."""
    after, before = c[at + 1], c[begun:at]
    is_from = len(before) > 2 and before[-2].low == "from" and before[-1].kind in ("word", "glued")
    if is_from and before[0].low in MAKE:
        name = name_of(before[:-2])
        return (Told(name, after.text, "words") if name and after.kind in ("word", "glued") else None), at + 2
    if after.kind in VALUES and before[0].low in MAKE and all(t.kind == "word" for t in before):
        name = name_of(before)
        if not name or nameless(name) or after.bound:
            return None, at + 2
        return Told(name, after.text, "set"), at + 2
    return None


def _relative(text: str) -> bool:
    """Whether a value only says by how much: `+10%` is what came out."""
    return text.endswith("%") and text[0] in "+-"


def _ends(c: list[Token], at: int) -> bool:
    """Whether nothing follows that would make a number one of tokens, seconds or steps."""
    return at >= len(c) or c[at].kind not in ("word", "glued")


def _unit(c: Sequence[Token], at: int, units: frozenset[str]) -> bool:
    return at < len(c) and c[at].low in units


def _chain(c: list[Token], at: int) -> tuple[int, str | None]:
    """The last value of `a -> b -> c`, and where that ends. None where it is a formula."""
    text: str | None = None
    while at < len(c) and c[at].kind in ("number", "tuple", "word", "glued"):
        text = None if c[at].bound else c[at].text
        at += 1
        if at + 1 < len(c) and (
            c[at].kind == "arrow" or (c[at].low == "to" and c[at - 1].kind in VALUES and c[at + 1].kind in VALUES)
        ):
            at += 1
            continue
        break
    return at, text


def _weak(clause: list[Token], used: set[int], *, whole: bool) -> Iterator[Told]:
    """`NAME 3`; beside surer changes only where that is all of the clause."""
    if clause and clause[0].low in STANDS:
        return
    begun = at = 0
    while at < len(clause):
        t = clause[at]
        if t.kind not in VALUES:
            at += 1
            continue
        here = at
        before, after = clause[begun:at], clause[at + 1 :]
        begun = at = at + 1
        if whole and after:
            return
        if t.bound or _unit(after, 0, UNITS):
            continue
        if t.text.endswith("%") and before and before[-1].low in ("add", "with"):
            if name := name_of([x for x in after[:2] if x.kind == "word"]):
                used.update(range(here + 3))
                yield Told(name, t.text, "share")
            return
        name = name_of(before)
        if not name or _relative(t.text) or not may_be_set(name, before):
            continue
        if stands_alone(name) or (not after and not _MODEL.match(name)) or (len(after) > 1 and after[1].kind in VALUES):
            used.update(range(here - len(before), here + 1))
            if len(after) > 1 and after[0].low in WHERE and before[0].low == "add":
                name = f"{name_of(after[1:3])}_{name}"
                begun = at = len(clause)
            yield Told(name, t.text, "plain")


def _counts(clause: list[Token], used: set[int], *, beside: bool) -> Iterator[Told]:
    """`43 epochs`, `42ep`, `400-restart`: beside a change, or as the first that a clause says."""
    first = 0
    while first < len(clause) and clause[first].low in MAKE - {"with", "then", "and"}:
        first += 1
    for at, t in enumerate(clause):
        if at in used or (at != first and not beside):
            continue
        count = _counted(t)
        wide = at + 1
        if t.kind == "number" and wide < len(clause) and clause[wide].low in COUNTED and t.text.isdecimal():
            count, wide = (t.text, clause[wide].low), wide + 1
        if not count or (at and (clause[at - 1].low in COUNTERS or clause[at - 1].kind == "arrow")):
            continue
        if wide < len(clause) and clause[wide].kind == "arrow":
            continue
        used.update(range(at, wide))
        yield Told(_many(count[1]), count[0], "count")


def _counted(t: Token) -> tuple[()] | tuple[str, str]:
    """How many of what a token like `42ep` or `400-restart` counts."""
    if t.kind != "glued" or (found := _COUNT.match(t.low)) is None:
        return ()
    number, dash, noun = found.groups()
    if noun in UNCOUNTED or not (dash or noun in COUNTED):
        return ()
    return number, noun


def _many(noun: str) -> str:
    """The name of what is counted: that of many."""
    return _EPOCHS.get(noun) or (noun if noun.endswith("s") else f"{noun}es" if noun == "pass" else f"{noun}s")


def _rest(part: _Part, used: set[int], any_: bool, *, argues: bool) -> str:
    """The words of a part that is not told, or has a number that is not; without them two changes would be one."""
    c = part.tokens
    if any_:
        left = [i for i in range(len(c)) if i not in used]
        if not any(_is_open(c, i) for i in left):
            return ""
        return " ".join(c[i].low for i in left)
    if not part.joined or all(t.low in ADJECTIVES or t.low in MAKE or t.kind != "word" for t in c):
        return ""
    if argues or c[0].low in STANDS or LABEL.match(c[0].low.replace("-", "_")):
        return ""
    return " ".join(t.low for t in c)


def _is_open(c: Sequence[Token], at: int) -> bool:
    """Whether a number may be a part of what was proposed: it is no amount, and numbers nothing."""
    t = c[at]
    if t.kind == "glued":
        return _counted(t) != ()
    if t.kind not in VALUES or _relative(t.text) or t.bound or _unit(c, at + 1, AMOUNTS):
        return False
    return not any(x.low in COUNTERS or x.low in ("same", "current") for x in c[max(0, at - 2) : at])
