"""Descriptions read for what was changed: `X 0.1 -> 0.2`, `X from a to b`, `x=1`, `x: 1`, `raise X to 1`, `X 1`.

Reads the beginning of a text, up to where it begins to explain or to report. Knows no other trial, so that a value said
as a factor (`0.8x`) stays one.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Iterable
from functools import lru_cache
from typing import NamedTuple

from trajscope.menu import Menu
from trajscope.pair import Change, canon, pair
from trajscope.recover.found import MOST, Found, change, folded, known, together
from trajscope.recover.grammar import REST, Told, told
from trajscope.recover.numbers import value
from trajscope.recover.standing import GIVEN
from trajscope.recover.tokens import tokens

READ = 2048  # letters of a text that are looked at: descriptions of 3 KB exist, and say first what they did
KEPT = 1 << 16  # letters that tell one text from another
SPELT = 60  # letters of a text that stand as they are; of a longer one so many, and a hash of the whole
# How often a person who read the text named the same pair, by how it was said; see docs/recovery.md.
SURE = {"arrow": 0.9, "from": 0.9, "equals": 0.85, "set": 0.8, "words": 0.7, "colon": 0.7, "plain": 0.6, "share": 0.5,
    "count": 0.7, GIVEN: 0.7, REST: 0.6}  # fmt: skip
KNOWN = 0.5  # share of the doubt that is left where a menu holds the knob
# A number of this is what was measured and no knob, whatever stands before it.
MEASURED = frozenset(
    "loss bpb rmse mse mae err error accuracy acc auc auroc f1 r2 mape perplexity ppl score fvu gap delta improvement "
    "mfu tflops tok_s tok_sec tps throughput speedup latency memory mem_gb vram gib gb mb ms seconds runtime wall "
    "sharpe drawdown gain reward best objective allocs allocations artifact pct peak ceiling threshold_met jaccard "
    "gini".split()
)
# And a name that ends with one of these, or is all of it.
_RESULTS = frozenset("cosine similarity sim correlation pearson spearman bleu rouge decode prefill variance".split())
_ALONE = frozenset("std cos corr".split())
# Of these 32K is 2**15.
_TOKENS = frozenset("batch token tokens context ctx seq sequence len length chunk window vocab".split())
_SPACE = re.compile(r"\s+")
_END = re.compile(r"[\s.,;:!?\u2026]+\Z")


class _Said(NamedTuple):
    change: Change
    how: str
    known: bool


def described(text: str, *, metrics: Iterable[str] = (), menu: Menu | None = None) -> Found | None:
    """What a description says was changed; None where it says nothing of the kind.

    `metrics` are the names of what is measured: metrics and columns. They are never knobs, and from an arrow of theirs
    on a text reports and proposes no more.
    """
    measured = _folded(frozenset(metrics))
    said: dict[str, _Said] = {}
    reports = False  # beside `accuracy=0.9` words with a number say what of
    for found in read(text[:READ]):
        if found.how == REST:
            if said and (rest := _words(found.value)):
                said[_WORDS] = _Said(canon(_WORDS, rest), REST, False)
            continue
        plain = folded(found.name)
        name = known(found.name, menu) if menu is not None else None
        if plain in measured or (name is None and _is_measured(plain, found.how)):
            if found.how == "arrow":
                break
            reports = reports or found.how == "equals"
            continue
        if reports and found.how == "plain":
            continue
        what = _change(name or found.name, plain, found.value, menu)
        if len(said) < MOST:  # what is said again is said of what stands
            said.setdefault(what.knob, _Said(what, found.how, name is not None))
    if all(s.how in (GIVEN, REST) for s in said.values()):
        return None
    sure = min(1 - (1 - SURE[s.how]) * (KNOWN if s.known else 1) for s in said.values())
    return Found(together(s.change for s in said.values()), "text", round(sure, 3))


def hashed(text: str) -> Found | None:
    """The words themselves as a pair of the knob `text`: two trials that were described alike are one proposal.

    Case, spaces and what ends a sentence tell nothing apart, numbers do. None where there are no words.
    """
    words = _words(text)
    return Found(pair((canon(_WORDS, words),)), "hash", 0.3) if words else None


def _words(text: str) -> str:
    """A text as a value: a person can read it, and no other text has it."""
    words = normal(text)
    if len(words) <= SPELT and words.isprintable():
        return words
    return f"{words[:SPELT].rstrip()} … {hashlib.sha256(words.encode('utf-8', 'surrogatepass')).hexdigest()[:8]}"


def normal(text: str) -> str:
    """A text as texts are compared."""
    once = _SPACE.sub(" ", unicodedata.normalize("NFKC", text[:KEPT]).casefold())
    # Folding case may undo the normal form of what follows, and the other way round: twice is enough for both.
    return _END.sub("", _SPACE.sub(" ", unicodedata.normalize("NFKC", once).casefold())).strip()


@lru_cache(maxsize=1 << 8)
def _folded(names: frozenset[str]) -> frozenset[str]:
    return frozenset(map(folded, names))


def _change(name: str, plain: str, said: str, menu: Menu | None) -> Change:
    return change(name, value(said, binary=not _TOKENS.isdisjoint(plain.split("_"))), menu)


@lru_cache(maxsize=1 << 12)
def _is_measured(name: str, how: str) -> bool:
    words = name.split("_")
    if how == "plain" and not MEASURED.isdisjoint(words):
        return True
    return words[-1] in MEASURED or words[-1] in _RESULTS or "_".join(words[-2:]) in MEASURED or name in _ALONE


# --- what is read once for many ---------------------------------------------------------------------------------------


def read(text: str) -> tuple[Told, ...]:
    """What a text tells, by its template.

    Loops say the same sentence of many numbers, and to the grammar a plain number is as good as another.
    """
    parts = _PLAIN.split(text)
    if len(parts) == 1 or len(parts) > 2 * _SLOTS or len(text) > _SHORT or _SLOT in text:
        return told(tokens(text))
    numbers = parts[1::2]
    parts[1::2] = [(_PART if "." in x else _WHOLE)[n] for n, x in enumerate(numbers)]
    return tuple([t if at is None else _filled(t, at, numbers) for t, at in _template("".join(parts))])


@lru_cache(maxsize=1 << 12)
def _template(text: str) -> tuple[tuple[Told, int | None], ...]:
    """What is told, and which number is its value: -1 where some are a part of it."""
    return tuple((t, _SLOTTED.get(t.value, -1 if _SLOT in t.value else None)) for t in told(tokens(text)))


def _filled(t: Told, at: int, numbers: list[str]) -> Told:
    if at >= 0:
        return Told(t.name, numbers[at], t.how)
    return Told(t.name, _IS_SLOT.sub(lambda m: numbers[_SLOTTED[m[0]]], t.value), t.how)


_WORDS = "text"  # the knob that words stand behind
_SHORT = 512  # letters of a text that is remembered
_SLOTS = 16  # numbers in it
_SLOT = "9190"  # two more digits say which
_WHOLE = tuple(f"{_SLOT}{n:02}" for n in range(_SLOTS))
_PART = tuple(f"{_SLOT}.{n:02}" for n in range(_SLOTS))
_SLOTTED = {slot: n for slots in (_WHOLE, _PART) for n, slot in enumerate(slots)}
_IS_SLOT = re.compile(rf"{_SLOT}\.?\d\d")
_PLAIN = re.compile(r"(?<![^\s=>\u2192])(\d{1,6}(?:\.\d{1,9})?)(?=\s|\u2192|->|\Z)", re.ASCII)
