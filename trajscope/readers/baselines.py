"""Baselines: whether a row of a foreign file is what a run begins with, by what it calls itself."""

from __future__ import annotations

import re

from trajscope.readers.statuses import BASELINE

FIRST_WORDS = 80  # letters of a description in which a baseline says that it is one
# A baseline calls itself one among its first words, and is not what something else is compared with.
_CALLED = re.compile(
    r"\W*(?!\b(?:vs|over|than|beats?|from|below|above|against)\b)(?:[\w.:+-]+\W+){0,3}?baseline\b", re.IGNORECASE
)
_COMPARED = re.compile(
    r"\b(?:vs|over|than|beats?|from|below|above|against|no|non)\W+(?:the\W+)?baseline\b", re.IGNORECASE
)


def is_baseline(name: str, description: str, declared: tuple[str, ...] = ()) -> bool:
    """Whether a row of this name and description is one; `declared` are the words by which somebody said to tell."""
    about = description[:FIRST_WORDS].replace("_", " ")
    if declared:
        return name in declared or about.casefold().startswith(declared)
    return name == BASELINE or (_CALLED.match(about) is not None and _COMPARED.search(about) is None)
