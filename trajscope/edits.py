"""Edits: what a code edit touches that no gain may come from, namely seeds, random generators, splits and the scorer.

Names decide, so it is a suspicion and no proof; a name that says nothing is not seen.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

from trajscope import diffs
from trajscope.errors import DiffError

SHOWN = 100  # letters of a touched line that are kept
_SEED = re.compile(
    r"(?i)(?<![a-z])(?:re|un|pre)?seed(?:s|ed|ing)?(?![a-z])"
    r"|(?i:(?<![a-z])p?rng(?:s|key)?(?![a-z])|random_?state|train_test_split|kfold|test_size)"
    r"|(?i:(?<![a-z])(?:train|val|valid|validation|test|holdout)_(?:size|split|frac\w*|ratio|idx|indices)(?![a-z]))"
    r"|(?i:(?<![.a-z])split(?:s|_\w+)?\s*=(?!=))"
)
_GRADERS = frozenset(
    "eval evals evaluate evaluator evaluation grade grader graders grading score scorer scorers scoring judge verifier "
    "verify reward rewards holdout test tests conftest metric metrics".split()
)
_WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])")


class Touched(NamedTuple):
    """What one edit touches; `fault` where the diff was not understood, and then what was found is not all."""

    seeds: tuple[str, ...] = ()  # `path: line`
    graders: tuple[str, ...] = ()  # paths
    fault: str | None = None


def touched(diff: str) -> Touched:
    """What a unified diff touches of seeds and scorers."""
    try:
        files = diffs.parse(diff)
    except DiffError as e:
        lines = [x[1:].strip() for x in diff.splitlines() if x[:1] in ("+", "-")]
        return Touched(tuple(dict.fromkeys(x[:SHOWN] for x in lines if seeding(x))), fault=str(e))
    seeds = [
        f"{e.paths[0] if e.paths else '?'}: {text.strip()[:SHOWN]}"
        for e in files
        for _, text in (*e.removed, *e.added)
        if seeding(text)
    ]
    graders = dict.fromkeys(p for e in files for p in e.paths if grades(p))
    return Touched(tuple(dict.fromkeys(seeds)), tuple(graders))


@lru_cache(maxsize=1024)
def seeding(text: str) -> bool:
    """Whether a line of code, or the name of a knob, is about a seed, a random generator or a split."""
    return not text.lstrip().startswith(("#", "//")) and _SEED.search(text) is not None


def grades(path: str) -> bool:
    """Whether a file is a scorer or a test by its name."""
    return not _GRADERS.isdisjoint(w.lower() for w in _WORD.findall(path))
