"""Descriptions read for what was changed: `X 0.1 -> 0.2`, `X from a to b`, `x=1`, `x: 1`, `raise X to 1`, `X 1`.

Reads the beginning of a text, up to where it begins to explain or to report. Knows no other trial, so that a value said
as a factor (`0.8x`) stays one.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Iterable
from typing import NamedTuple

from trajscope.menu import Menu
from trajscope.pair import Change, canon, pair
from trajscope.recover.found import MOST, Found, change, folded, known, together
from trajscope.recover.grammar import Told, tokens, told
from trajscope.recover.numbers import value

READ = 2048  # letters of a text that are looked at: descriptions of 3 KB exist, and say first what they did
KEPT = 1 << 16  # letters that are hashed
# How often a person who read the text named the same pair, by how it was said; see docs/recovery.md.
SURE = {"arrow": 0.9, "from": 0.9, "equals": 0.85, "set": 0.8, "words": 0.7, "colon": 0.7, "plain": 0.6, "share": 0.5}
KNOWN = 0.5  # share of the doubt that is left where a menu holds the knob
# A number of this is what was measured and no knob, whatever stands before it.
MEASURED = frozenset(
    "loss bpb rmse mse mae err error accuracy acc auc auroc f1 r2 mape perplexity ppl score fvu gap delta improvement "
    "mfu tflops tok_s tok_sec tps throughput speedup latency memory mem_gb vram gib gb mb ms seconds runtime wall "
    "sharpe drawdown gain reward best objective allocs allocations artifact pct peak ceiling threshold_met".split()
)
# Of these 32K is 2**15.
_TOKENS = ("batch", "token", "tokens", "context", "ctx", "seq", "sequence", "len", "length", "chunk", "window", "vocab")
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
    measured = frozenset(folded(m) for m in metrics)
    said: dict[str, _Said] = {}
    for found in told(tokens(text[:READ])):
        name = known(found.name, menu)
        if folded(found.name) in measured or (name is None and _is_measured(found)):
            if found.how == "arrow":
                break
            continue
        what = _change(name or found.name, found, menu)
        if len(said) < MOST:  # what is said again is said of what stands
            said.setdefault(what.knob, _Said(what, found.how, name is not None))
    if not said:
        return None
    sure = min(1 - (1 - SURE[s.how]) * (KNOWN if s.known else 1) for s in said.values())
    return Found(together(s.change for s in said.values()), "text", round(sure, 3))


def hashed(text: str) -> Found | None:
    """The words themselves as a pair of the knob `text`: two trials that were described alike are one proposal.

    Case, spaces and what ends a sentence tell nothing apart, numbers do. None where there are no words.
    """
    words = normal(text)
    if not words:
        return None
    digest = hashlib.sha256(words.encode("utf-8", "surrogatepass")).hexdigest()[:8]
    return Found(pair((canon("text", digest),)), "hash", 0.3)


def normal(text: str) -> str:
    """A text as texts are compared."""
    once = _SPACE.sub(" ", unicodedata.normalize("NFKC", text[:KEPT]).casefold())
    # Folding case may undo the normal form of what follows, and the other way round: twice is enough for both.
    return _END.sub("", _SPACE.sub(" ", unicodedata.normalize("NFKC", once).casefold())).strip()


def _change(name: str, found: Told, menu: Menu | None) -> Change:
    binary = any(word in _TOKENS for word in folded(found.name).split("_"))
    return change(name, value(found.value, binary=binary), menu)


def _is_measured(found: Told) -> bool:
    words = folded(found.name).split("_")
    if found.how == "plain" and not MEASURED.isdisjoint(words):
        return True
    return words[-1] in MEASURED or "_".join(words[-2:]) in MEASURED
