"""Prompts: what a text shows as standing now, and how alike two texts are. Knows no trials."""

from __future__ import annotations

import hashlib
import json
import re
import zlib
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from trajscope.pair import canon
from trajscope.trial import Header

WORDS = 5  # of a shingle
HASHES, BANDS = 128, 32  # a pair that shares 8 of 10 shingles is met with p > .999, one that shares 4 of 10 with .56
LONGEST = 1 << 20  # letters of a prompt that are looked at
_PRIME = (1 << 61) - 1
_decode = json.JSONDecoder().raw_decode
_BRACE = re.compile(r"\{")


def standing(text: str, knobs: Collection[str]) -> tuple[Mapping[str, Any], str] | None:
    """The configuration that a prompt shows: its last JSON object that gives values to half of these knobs or more.

    With the letters that it stands in.
    """
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
        found = standing(prompt, self._knobs)
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
    runs: Iterable[str] = (" ".join(words[i : i + WORDS]) for i in range(max(1, len(words) - WORDS + 1)))
    return frozenset(zlib.crc32(run.encode("utf-8", "surrogatepass")) for run in runs)


def jaccard(a: frozenset[int], b: frozenset[int]) -> float:
    """The share of shingles that two texts have in common."""
    return len(a & b) / len(a | b) if a or b else 1.0


class Index:
    """Texts by their shingles, so that those much like another are found without comparing all."""

    def __init__(self, texts: Mapping[int, frozenset[int]]) -> None:
        import numpy as np

        draw = np.random.Generator(np.random.PCG64(8))
        self._mul = draw.integers(1, 1 << 31, HASHES, dtype=np.uint64)
        self._add = draw.integers(0, 1 << 31, HASHES, dtype=np.uint64)
        self._texts = texts
        self._bands: dict[bytes, list[int]] = {}
        for key, found in texts.items():
            for band in self._of(found):
                self._bands.setdefault(band, []).append(key)

    def like(self, found: frozenset[int], least: float) -> list[int]:
        """The texts that share at least this much with one."""
        near = {key for band in self._of(found) for key in self._bands.get(band, ())}
        return sorted(key for key in near if jaccard(found, self._texts[key]) >= least)

    def _of(self, found: frozenset[int]) -> list[bytes]:
        import numpy as np

        x = np.fromiter(found, dtype=np.uint64, count=len(found))
        # Products of 31 and 32 bits stay below 2^63, so nothing wraps.
        low = ((x[:, None] * self._mul + self._add) % np.uint64(_PRIME)).min(axis=0)
        width = HASHES // BANDS
        return [bytes([i]) + low[i * width : (i + 1) * width].tobytes() for i in range(BANDS)]
