"""Prompts: what a text shows as standing now, and how alike two texts are. Knows no trials."""

from __future__ import annotations

import hashlib
import json
import math
import re
import zlib
from collections import Counter
from collections.abc import Collection, Container, Mapping
from itertools import accumulate, chain
from typing import Any

from trajscope.pair import canon
from trajscope.trial import Header

WORDS = 5  # of a shingle
LONGEST = 1 << 20  # letters of a prompt that are looked at
_decode = json.JSONDecoder().raw_decode
_BRACE = re.compile(r"\{")


def standing(text: str, knobs: Collection[str]) -> Mapping[str, Any] | None:
    """The configuration that a prompt shows: its last JSON object that gives values to half of these knobs or more."""
    found = _standing(text, knobs)
    return found[0] if found is not None else None


class Stands:
    """What prompts show as standing, in canonical values; what the prompt before has shown is not read anew."""

    def __init__(self) -> None:
        self._run, self._letters = -1, ""
        self._knobs: list[str] = []
        self._texts: dict[str, str] = {}

    def read(self, run: int, header: Header, prompt: str) -> Mapping[str, str] | None:
        """Knobs and values, by the menu of the run; None where the prompt shows none."""
        if run != self._run:
            self._run, self._letters = run, ""
            self._knobs = list(header.base or (header.menu.defaults if header.menu else ()))
        found = _standing(prompt, self._knobs)
        if found is None:
            return None
        if found[1] != self._letters:
            change = header.menu.change if header.menu is not None else canon
            self._texts = {c.knob: c.text for c in (change(k, v) for k, v in found[0].items())}
            self._letters = found[1]
        return self._texts


def sha(text: str) -> str:
    """The SHA-256 that names a text."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def short_hash(*texts: str) -> int:
    """Eight bytes that tell these texts from others."""
    said = b"\0".join(t.encode("utf-8", "surrogatepass") for t in texts)
    return int.from_bytes(hashlib.blake2b(said, digest_size=8).digest())


def lines(text: str) -> list[str]:
    """The lines of a text that hold anything."""
    return [line for part in text[:LONGEST].splitlines() if (line := part.strip())]


def shingles(text: str, common: Collection[str] = ()) -> frozenset[int]:
    """The runs of five words of a text, without the lines that every prompt holds."""
    words = " ".join(line for line in lines(text) if line not in common).casefold().split()
    data = " ".join(words).encode("utf-8", "surrogatepass")
    ends = list(accumulate((len(word) + 1 for word in data.split(b" ")), initial=0))
    # A run goes from where its first word begins to the blank behind its last.
    return frozenset(zlib.crc32(data[a : b - 1]) for a, b in zip(ends, ends[WORDS:] or ends[-1:], strict=False))


def jaccard(a: frozenset[int], b: frozenset[int]) -> float:
    """The share of shingles that two texts have in common."""
    return len(a & b) / len(a | b) if a or b else 1.0


class Alike:
    """Texts by their shingles, so that all that share much with another are found without comparing each."""

    def __init__(self, texts: Mapping[int, frozenset[int]], least: float) -> None:
        """Of two that share `least`, one's rarest shingles hold one of the other's: only those are looked up."""
        counts = Counter(chain.from_iterable(texts.values()))
        self._order = {x: i for i, x in enumerate(sorted(counts, key=lambda x: (counts[x], x)))}
        self._texts, self._least = texts, least
        self._holding: dict[int, list[int]] = {}  # shingle -> texts that have it among their rarest
        for key, found in texts.items():
            for x in sorted(found, key=self._order.__getitem__)[: self._rarest(len(found))]:
                self._holding.setdefault(x, []).append(key)

    def like(self, found: frozenset[int], but: Container[int] = ()) -> list[int]:
        """The texts that share at least so much with one, but for those that need not be compared."""
        known = found & self._order.keys()
        # What no text holds is rarer than all that some hold.
        left = self._rarest(len(found)) - (len(found) - len(known))
        if left <= 0 and found:
            return []
        rarest = sorted(known, key=self._order.__getitem__)[:left]
        near = {key for x in rarest for key in self._holding.get(x, ())} if found else self._texts.keys()
        return sorted(key for key in near if key not in but and jaccard(found, self._texts[key]) >= self._least)

    def _rarest(self, n: int) -> int:
        """How many of so many shingles one of the shared ones must be among."""
        return n - math.ceil(self._least * n - 1e-9) + 1


def _standing(text: str, knobs: Collection[str]) -> tuple[Mapping[str, Any], str] | None:
    """The same, with the letters that it stands in."""
    found = None
    at, cut = 0, text[:LONGEST]
    while (brace := _BRACE.search(cut, at)) is not None:
        at = brace.end()
        try:
            value, end = _decode(cut, brace.start())
        except (ValueError, RecursionError):
            continue
        if not isinstance(value, dict):
            continue
        at = end
        named = [k for k in knobs if k in value and not isinstance(value[k], dict)]
        if knobs and 2 * len(named) >= len(knobs):
            found = value, cut[brace.start() : end]
    return found
