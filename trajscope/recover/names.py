"""The names of knobs, as the words of a description make them."""

from __future__ import annotations

import re
from collections.abc import Sequence

from trajscope.knob import family
from trajscope.recover.tokens import Token
from trajscope.recover.words import ADJECTIVES, AFTER, BARE, BEHIND, COUNTERS, INSIDE, LEXICON, MAKE, NO_NAME, WHERE

WORDS = 4  # of a name
# What trials and runs are called; from one number of theirs to another a run goes on, and nothing is changed.
LABEL = re.compile(r"(?:trial|run|exp|experiment|candidate|round|job|attempt|gpu|agent)_?\d+\Z")


def name_of(before: Sequence[Token]) -> str:
    """The name that the last of these words make, without what is done to it."""
    words: list[str] = []
    for t in reversed(before):
        if t.kind != "word" or len(words) == WORDS + 2:
            break
        words.insert(0, t.text)
    while words and (words[-1].lower() in ADJECTIVES or words[-1].lower() in BEHIND):
        words.pop()
    if words and _is_code(words[-1]):
        return clean(words[-1])
    for at in range(len(words) - 1, -1, -1):
        if words[at].lower() in AFTER or words[at].lower() in WHERE:
            words = words[at + 1 :]
            break
    while words and (words[0].lower() in MAKE or words[0].lower() in ADJECTIVES):
        words.pop(0)
    words = words[-WORDS:]
    return "_".join(clean(w) for w in words)


def clean(word: str) -> str:
    """A word of a name as names are spelt."""
    return word.lstrip("-").rpartition("/")[2].replace("-", "_").lower()


def stands_alone(name: str) -> bool:
    """Whether a name is a knob's, whatever follows its number."""
    last = name.rpartition("_")[2]
    return ("_" in name and family(name) != "other") or family(last) != "other" or last in LEXICON or name in LEXICON


def may_be_set(name: str, before: Sequence[Token]) -> bool:
    """Whether words before a number may name a knob: they count nothing, say no place and no state."""
    last = before[-1]
    if last.kind != "word" or last.low == "x" or last.low in COUNTERS - {"at", "of", "by", "is"} or nameless(name):
        return False
    if any(t.low in ("same", "current") or (t.low in ("replace", "replaces", "replacing")) for t in before):
        return False
    if last.low in ("at", "of", "by", "is"):
        return stands_alone(name)
    own = name.count("_") + 1
    return not (len(before) > own and before[-own - 1].low in ("on", "in", "for"))


def nameless(name: str) -> bool:
    """Whether words cannot name a knob."""
    last = name.rpartition("_")[2]
    if last in NO_NAME or last.endswith("ly") or name in BARE or LABEL.match(name):
        return True
    return not INSIDE.isdisjoint(name.split("_")) and name.count("_") > 1


def is_prose(name: str) -> bool:
    """Whether words make a sentence rather than a name."""
    return not ADJECTIVES.isdisjoint(name.split("_"))


def _is_code(word: str) -> bool:
    """Whether a word is a name of code, which stands for itself."""
    bare = word.strip("-")
    return (
        ("_" in bare and not bare[0].isdigit())
        or (len(bare) > 3 and bare.isupper() and bare.isalpha())
        or word.startswith("--")
    )
