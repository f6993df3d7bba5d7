"""The tokens of a description: its words, numbers and signs, up to where it stops saying what was done."""

from __future__ import annotations

import re
from typing import NamedTuple

from trajscope.recover.numbers import TUPLE, VALUE

VALUES = frozenset(("number", "tuple"))
SUBJECT = 4  # words before a dash that make what follows an explanation

_ALIKE = str.maketrans(
    {
        **dict.fromkeys("\u2192\u21d2\u27f6\u27f9\u2794\u279c\u279d\u279e\u21a6\u2b95", "->"),
        **dict.fromkeys("\u2212\u2010\u2011\ufe63\uff0d", "-"),
        **dict.fromkeys("\u00a0\u2007\u2009\u202f\t", " "),
        **dict.fromkeys("`\"'\u2018\u2019\u201c\u201d*", ""),
        **dict.fromkeys("\u2014\u2015", "\u2014"),
        "\u00d7": "x",
        "\u00b2": "2",
    }
)
_POWER = re.compile(r"(?<=\d)\*\*(?=[-+]?\d)")  # before the stars of emphasis go
_TIMES = re.compile(r"(?<=[\w)])\*(?=[\w(])")
_TAG = re.compile(r"\s*(?:\[[^\]\n]{0,60}\]|\(?[A-Za-z]{1,12}[ _#-]?\d{1,6}\)?\s?:(?=\s*[^\W\d])|(?:REVERT|REVERTED|"
    r"FAIL|FAILED|KEEP|KEPT|DISCARD|DISCARDED|CRASH|TRY|TEST|IDEA|HYPOTHESIS|BOTTLENECK|CHANGE|EXPERIMENT)\s?:)\s*",
    re.IGNORECASE)  # fmt: skip
_TOKEN = re.compile(
    rf"(?P<arrow>-{{1,3}}>|=>)|(?P<tuple>{TUPLE})|(?P<number>{VALUE})(?![\w%]|\.\d|-\w)"
    r"|(?P<word>-{0,2}[^\W\d]\w*(?:[./-]\w+)*)|(?P<glued>\w+(?:[./-]\w+)*)"
    r"|(?P<other>[<>!=]=|\u2248=?)|(?P<equals>:?=)|(?P<colon>:)|(?P<plus>[+,&]|/(?=\s|[^\W\d]\w*=))"
    r"|(?P<stop>\u2014|\s(?:--?|\u2013)\s|;|\||\n|[.!?](?=\s|\Z))|(?P<open>[(\[{])|(?P<close>[)\]}])|(?P<odd>\S)"
)
_FORMULA = frozenset("/^*@\u00b7(")
_CONSTANT = re.compile(r"[A-Z][A-Z0-9_]+\Z")


class Token(NamedTuple):
    """One word, number or sign of a text."""

    kind: str
    text: str
    apart: bool = False  # a space stands before it
    bound: bool = False  # it is the beginning of a formula, or is called: `sigmoid(x)`, `1/sqrt(d)`
    low: str = ""


def tokens(text: str) -> list[Token]:
    """The tokens of a text up to where it stops saying what was done."""
    text = _TIMES.sub("\u00b7", _POWER.sub("^", text)).translate(_ALIKE)
    for _ in range(3):
        if (tag := _TAG.match(text)) is None:
            break
        text = text[tag.end() :]
    out: list[Token] = []
    inside = 0
    valued = False  # a number was seen
    size = len(text)
    for found in _TOKEN.finditer(text):
        kind, said = found.lastgroup or "odd", found[0]
        if kind == "stop" and not inside:
            if valued or (len(out) >= SUBJECT and said[0] in "\u2014 "):
                break
            out.clear()  # a sentence without a number said nothing that could be read
            continue
        begin, end = found.span()
        if kind in _CARRIES and begin and text[begin - 1] in ")]" and out and out[-1].kind == "close":
            kind = "odd"  # a power of what is in the brackets
        elif kind == "tuple" and begin and text[begin - 1].isalnum():
            kind = "odd"  # what something is called with
        if kind == "open":
            inside += 1
        elif kind == "close":
            inside = max(0, inside - 1)
        elif kind in _CARRIES:
            valued = True
        apart = begin > 0 and text[begin - 1].isspace()
        bound = end < size and text[end] in _FORMULA and kind in _BINDS and not _separates(text, end)
        out.append(Token(kind, said, apart, bound, said.lower()))
    return _unfolded(out)


_CARRIES = VALUES | {"glued"}
_BINDS = _CARRIES | {"word"}
_SEPARATES = re.compile(r"/(?=\s|[^\W\d]\w*=)")


def _separates(text: str, at: int) -> bool:
    return text[at] == "/" and _SEPARATES.match(text, at) is not None


def _unfolded(all_: list[Token]) -> list[Token]:
    """Without what stands in brackets, and up to a bracket that more does not follow with a plus.

    A bare arrow in them tells the value of the name before: `smaller batch (2^18 -> 2^16)`. So does, of a constant that
    moves with another, an arrow with its name: `DEPTH 9 -> 10 (ASPECT_RATIO 57 -> 51)`.
    """
    out: list[Token] = []
    at = 0
    carried = False
    while at < len(all_):
        kind = all_[at].kind
        if kind != "open":
            if kind != "close":
                out.append(all_[at])
                carried = carried or kind in _CARRIES
            at += 1
            continue
        end = at
        depth = 0
        while end < len(all_):
            depth += (all_[end].kind == "open") - (all_[end].kind == "close")
            end += 1
            if not depth:
                break
        inner = all_[at + 1 : end - 1]
        if len(inner) == 3 and inner[1].kind == "arrow" and inner[2].kind in VALUES and not carried:
            out += inner
            carried = True
        elif moved := _moved(inner):
            last = max((i for i in range(1, len(out)) if out[i - 1].kind == "arrow"), default=len(out) - 1)
            out[last + 1 : last + 1] = (_PLUS, *moved)
            carried = True
        if carried and not (end < len(all_) and all_[end].kind == "plus") and not _is_share(inner):
            break
        at = end
    return out


_PLUS = Token("plus", ",")


def _is_share(inner: list[Token]) -> bool:
    """Whether brackets only say by how much: `(+17%)`."""
    return len(inner) == 1 and inner[0].text[0] in "+-" and inner[0].text[-1] == "%"


def _moved(inner: list[Token]) -> list[Token]:
    """`ASPECT_RATIO 64 -> 54` where brackets begin with it."""
    kinds = [t.kind for t in inner[:4]]
    if kinds == ["word", "number", "arrow", "number"] and _CONSTANT.match(inner[0].text):
        return inner[:4]
    return []
