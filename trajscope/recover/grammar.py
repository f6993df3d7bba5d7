"""The grammar of a description: its tokens, and the changes that they tell, name by value.

One pass over the tokens, none of which is looked at more than a few times, so that no text takes long.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from trajscope.knob import family
from trajscope.recover.numbers import TUPLE, VALUE

WORDS = 4  # of a name
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
_MODEL = re.compile(r"\w*[a-z]\d+\Z")  # what a format or model is called: bf16, v3
_POWER = re.compile(r"(?<=\d)\*\*(?=[-+]?\d)")  # before the stars of emphasis go
_TAG = re.compile(r"\s*(?:\[[^\]\n]{0,60}\]|\(?[A-Za-z]{1,12}[ _#-]?\d{1,6}\)?\s?:(?=\s*[^\W\d])|(?:REVERT|REVERTED|"
    r"FAIL|FAILED|KEEP|KEPT|DISCARD|DISCARDED|CRASH|TRY|TEST|IDEA|HYPOTHESIS|BOTTLENECK|CHANGE|EXPERIMENT)\s?:)\s*",
    re.IGNORECASE)  # fmt: skip
_TOKEN = re.compile(
    rf"(?P<arrow>-{{1,3}}>|=>)|(?P<tuple>{TUPLE})|(?P<number>{VALUE})(?![\w%]|\.\d|-\w)"
    r"|(?P<word>-{0,2}[^\W\d]\w*(?:[./-]\w+)*)|(?P<glued>\w+(?:[./-]\w+)*)"
    r"|(?P<other>[<>!=]=|\u2248=?)|(?P<equals>:?=)|(?P<colon>:)|(?P<plus>[+,&]|/(?=\s))"
    r"|(?P<stop>\u2014|\s(?:--?|\u2013)\s|;|\||\n|[.!?](?=\s|\Z))|(?P<open>[(\[{])|(?P<close>[)\]}])|(?P<odd>\S)"
)
# A word from which on a text speaks of what stands, of why, or of what came out.
_AFTER = frozenset(
    "vs versus than after instead "
    "because since compared unchanged keeping despite with on at via so but while where which "
    "when if same already replacing".split()
)
_ONLY = frozenset(("changing", "varying", "change", "vary"))
_WHERE = frozenset("on to for in".split())
_STANDS = frozenset("keep keeping hold holding stay use using at given on fix fixed".split())
_MAKE = frozenset(
    "set raise raised raising increase increased increasing lower lowered lowering reduce reduced reducing decrease "
    "decreased decreasing change changed changing bump drop dropped cut halve halving double doubled doubling shrink "
    "widen extend shorten switch switched switching move scale adjust tune try test testing use using make replace "
    "grow push tighten loosen add added adding combine combined linearly then also now and both with sweep continue "
    "run isolate retest re-test revert restore slightly further even".split()
)
_ADJECTIVES = frozenset(
    "higher wider deeper larger bigger longer more smaller shorter fewer less tiny small the a an new only just "
    "current its our default baseline of from by at is be was to best".split()
)
# Words before a number that only number or count something.
_COUNTERS = frozenset(
    "cycle round phase exp experiment experiments run trial trials iteration iter gpu agent version v top last first "
    "only every after before over under about around approx beats beat got gave saves save costs cost takes needs "
    "than by all step at and or with for in of on is was are to from per up down day days "
    "best worst exps row rows pr issue stage part try attempt result results total python cuda "
    "kept triton sglang vllm torch gain loses loss".split()
)
_LEXICON = frozenset(
    "softcap warmdown warmup batch accum base momentum init temperature temp window k rank dim depth width layers "
    "heads lr wd eps beta beta1 beta2 alpha gamma lambda decay dropout scale hidden head_dim epochs clip clipping "
    "threshold patience lookback horizon stages warps capacity vocab context seq_len min_child_weight "
    "n_estimators".split()
)


class Token(NamedTuple):
    """One word, number or sign of a text."""

    kind: str
    text: str
    apart: bool = False  # a space stands before it


class Told(NamedTuple):
    """One change that a text tells, and how."""

    name: str
    value: str
    how: str


def tokens(text: str) -> list[Token]:
    """The tokens of a text up to where it stops saying what was done."""
    text = _POWER.sub("^", text).translate(_ALIKE)
    for _ in range(3):
        if (tag := _TAG.match(text)) is None:
            break
        text = text[tag.end() :]
    out: list[Token] = []
    inside = 0
    for found in _TOKEN.finditer(text):
        kind = found.lastgroup or "odd"
        if kind == "stop" and not inside:
            if any(t.kind in _VALUES or t.kind == "glued" for t in out):
                break
            out.clear()  # a sentence without a number said nothing that could be read
        elif kind in ("open", "close"):
            inside = max(0, inside + (1 if kind == "open" else -1))
            out.append(Token(kind, found[0]))
        else:
            out.append(Token(kind, found[0], apart=found.start() > 0 and text[found.start() - 1].isspace()))
    return _unfolded(out)


_VALUES = frozenset(("number", "tuple"))


def _unfolded(all_: list[Token]) -> list[Token]:
    """Without what stands in brackets, and up to a bracket that more does not follow with a plus.

    A bare arrow in them tells the value of the name before: `smaller batch (2^18 -> 2^16)`.
    """
    out: list[Token] = []
    at = 0
    while at < len(all_):
        if all_[at].kind != "open":
            if all_[at].kind != "close":
                out.append(all_[at])
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
        if len(inner) == 3 and inner[1].kind == "arrow" and not any(t.kind in _VALUES for t in out):
            out += inner
        elif not any(t.kind in _VALUES or t.kind == "glued" for t in out) or (
            end < len(all_) and all_[end].kind == "plus"
        ):
            pass
        else:
            break
        at = end
    return out


def told(found: Sequence[Token]) -> Iterator[Told]:
    """The changes that the tokens tell, surest kinds first; loose `NAME value` only where nothing surer is told."""
    only = next((i for i, t in enumerate(found) if t.text.lower() in _ONLY and _says(found, i + 1, "only")), 0)
    clauses = list(_clauses(found[only:]))
    sure = [[*_strong(clause)] for clause in clauses]
    any_ = any(sure)
    for clause, strong in zip(clauses, sure, strict=True):
        if strong:
            yield from strong
        else:
            yield from _weak(clause, whole=any_)


def _says(found: Sequence[Token], at: int, word: str) -> bool:
    return at < len(found) and found[at].text.lower() == word


def _clauses(found: Sequence[Token]) -> Iterator[list[Token]]:
    """Parts between plus signs, commas and `and`, up to where the text begins to explain what it said."""
    part: list[Token] = []
    said = False
    for at, t in enumerate(found):
        low = t.text.lower()
        follows = found[at + 1].kind if at + 1 < len(found) else ""
        if t.kind == "plus" or (t.kind == "word" and low == "and"):
            if part:
                yield part
            part = []
            continue
        if said and (t.kind == "stop" or (t.kind == "word" and low in _AFTER and not _goes_on(found, at, part))):
            break
        if said and low == "to" and follows not in _VALUES:  # `LR=4e-4 to test whether`
            break
        if said and t.kind == "colon" and follows not in _VALUES:
            break
        part.append(t)
        said = said or (t.kind in _VALUES and not _expects(found, at))
    if part:
        yield part


def _goes_on(found: Sequence[Token], at: int, part: Sequence[Token]) -> bool:
    """Whether `with` or `at` adds another `x=1` to one, and does not say what an arrow's change stands on."""
    if found[at].text.lower() not in ("with", "at") or at + 2 >= len(found) or found[at + 2].kind != "equals":
        return False
    return not any(t.kind == "arrow" or t.text.lower() == "to" for t in part)


def _expects(found: Sequence[Token], at: int) -> bool:
    """Whether a number is only the first half of a change."""
    if at + 1 >= len(found):
        return False
    after = found[at + 1]
    low = after.text.lower()
    return after.kind == "arrow" or low == "to" or (low in _WHERE and _says(found, 0, "add"))


def _strong(clause: list[Token]) -> Iterator[Told]:
    """Arrows, `from a to b`, `x=1`, `x: 1` and `raise x to 1`."""
    if clause and clause[0].text.lower() in _STANDS and not any(t.kind == "arrow" for t in clause):
        return
    at = begun = 0
    while at < len(clause):
        step = _change(clause, begun, at)
        if step is None:
            at += 1
            continue
        said, at = step
        begun = at
        if said is not None:
            yield said


def _change(c: list[Token], begun: int, at: int) -> tuple[Told | None, int] | None:
    """The change whose first value, or whose sign, stands here, and where to go on."""
    t = c[at]
    if t.kind == "equals" and at > begun and c[at - 1].kind in ("word", "glued"):
        end, text = _chain(c, at + 1)
        name = _clean(c[at - 1].text)
        if text is None or _relative(text) or (t.apart and not (at == begun + 1 and _stands_alone(name))):
            return None, end
        return Told(name, text, "equals"), end
    if t.kind == "colon":
        if at + 1 < len(c) and c[at + 1].kind in _VALUES:
            end, text = _chain(c, at + 1)
            name = _name(c[begun:at])
            how = "arrow" if end > at + 2 else "colon"
            if how == "colon" and not (_stands_alone(name) and _ends(c, end)):
                return None, end
            return (Told(name, text, how) if name and text is not None else None), end
        if at + 2 < len(c) and c[at + 2].kind == "arrow":
            end, text = _chain(c, at + 1)
            name = _name(c[begun:at])
            return (Told(name, text, "arrow") if name and text is not None else None), end
        return None
    if t.kind in _VALUES or (t.kind in ("word", "glued") and at + 1 < len(c) and c[at + 1].kind == "arrow"):
        end, text = _chain(c, at)
        if end == at + 1 or text is None:
            return None
        before = c[begun:at]
        how = "arrow"
        if before and before[-1].text.lower() in ("from", ":"):
            before, how = before[:-1], "from" if before[-1].text.lower() == "from" else "arrow"
        name = _name(before)
        if name and t.kind not in _VALUES and how == "arrow":
            how, name = "words", "" if _is_prose(name) else name
        return (Told(name, text, how) if name else None), end
    if t.kind == "word" and t.text.lower() == "to" and at > begun and at + 1 < len(c):
        return _to(c, begun, at)
    return None


def _to(c: list[Token], begun: int, at: int) -> tuple[Told | None, int] | None:
    """`from a to b` of words, and `raise x to 1`."""
    after, before = c[at + 1], c[begun:at]
    is_from = len(before) > 2 and before[-2].text.lower() == "from" and before[-1].kind in ("word", "glued")
    if is_from and before[0].text.lower() in _MAKE:
        name = _name(before[:-2])
        return (Told(name, after.text, "words") if name and after.kind in ("word", "glued") else None), at + 2
    if after.kind in _VALUES and before[0].text.lower() in _MAKE and all(t.kind == "word" for t in before):
        name = _name(before)
        return (Told(name, after.text, "set") if name else None), at + 2
    return None


def _relative(text: str) -> bool:
    """Whether a value only says by how much: `+10%` is what came out."""
    return text.endswith("%") and text[0] in "+-"


def _ends(c: list[Token], at: int) -> bool:
    """Whether nothing follows that would make a number one of tokens, seconds or steps."""
    return at >= len(c) or c[at].kind not in ("word", "glued")


def _chain(c: list[Token], at: int) -> tuple[int, str | None]:
    """The last value of `a -> b -> c`, and where that ends."""
    text: str | None = None
    while at < len(c) and c[at].kind in ("number", "tuple", "word", "glued"):
        text = c[at].text
        at += 1
        if at + 1 < len(c) and (
            c[at].kind == "arrow"
            or (c[at].text.lower() == "to" and c[at - 1].kind in _VALUES and c[at + 1].kind in _VALUES)
        ):
            at += 1
            continue
        break
    return at, text


def _weak(clause: list[Token], *, whole: bool) -> Iterator[Told]:
    """`NAME 3`; beside surer changes only where that is all of the clause."""
    if clause and clause[0].text.lower() in _STANDS:
        return
    begun = at = 0
    while at < len(clause):
        t = clause[at]
        if t.kind not in _VALUES:
            at += 1
            continue
        before, after = clause[begun:at], clause[at + 1 :]
        begun = at = at + 1
        if whole and after:
            return
        if t.text.endswith("%") and before and before[-1].text.lower() in ("add", "with"):
            if name := _name([x for x in after[:2] if x.kind == "word"]):
                yield Told(name, t.text, "share")
            return
        name = _name(before)
        if (
            not name
            or (t.text[0] in "+-" and t.text[-1] == "%")
            or before[-1].kind != "word"
            or before[-1].text.lower() in _COUNTERS - {"at", "of", "by", "is"}
        ):
            continue
        if (
            _stands_alone(name)
            or (not after and not _MODEL.match(name))
            or (len(after) > 1 and after[1].kind in _VALUES)
        ):
            if len(after) > 1 and after[0].text.lower() in _WHERE and before[0].text.lower() == "add":
                name = f"{_name(after[1:3])}_{name}"
                begun = at = len(clause)
            yield Told(name, t.text, "plain")


def _stands_alone(name: str) -> bool:
    """Whether a name is a knob's, whatever follows its number."""
    last = name.rpartition("_")[2]
    return ("_" in name and family(name) != "other") or family(last) != "other" or last in _LEXICON or name in _LEXICON


def _name(before: Sequence[Token]) -> str:
    """The name that the last of these words make, without what is done to it."""
    words: list[str] = []
    for t in reversed(before):
        if t.kind != "word" or len(words) == WORDS + 2:
            break
        words.insert(0, t.text)
    while words and words[-1].lower() in _ADJECTIVES:
        words.pop()
    if words and _is_code(words[-1]):
        return _clean(words[-1])
    for at in range(len(words) - 1, -1, -1):
        if words[at].lower() in _AFTER or words[at].lower() in _WHERE:
            words = words[at + 1 :]
            break
    while words and words[0].lower() in _MAKE | _ADJECTIVES:
        words.pop(0)
    words = words[-WORDS:]
    return "_".join(_clean(w) for w in words)


def _is_prose(name: str) -> bool:
    """Whether words make a sentence rather than a name."""
    return not _ADJECTIVES.isdisjoint(name.split("_"))


def _is_code(word: str) -> bool:
    """Whether a word is a name of code, which stands for itself."""
    bare = word.strip("-")
    return (
        ("_" in bare and not bare[0].isdigit())
        or (len(bare) > 3 and bare.isupper() and bare.isalpha())
        or word.startswith("--")
    )


def _clean(word: str) -> str:
    return word.lstrip("-").rpartition("/")[2].replace("-", "_").lower()
