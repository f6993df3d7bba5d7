"""Edits: what a code edit touches that no gain may come from, namely seeds, random generators, splits and the scorer.

Names decide, so it is a suspicion and no proof; a name that says nothing is not seen.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

from trajscope import diffs
from trajscope.diffs import Edited
from trajscope.errors import DiffError

SHOWN = 80  # letters of a touched line that are kept
_SEED = re.compile(
    r"(?<![A-Za-z])(?:re)?(?:seed|SEED|Seed)(?:s|S|ed)?(?![a-z])|(?<=[a-z])Seeds?(?![a-z])"
    r"|(?i:(?<![a-z])(?:rng|prng_?key|random_?state)(?![a-z])|(?<![a-z])use_deterministic_algorithms\b)"
)
_PART = "train|val|valid|validation|dev|test|holdout|eval"
_SHARE = "frac|fraction|size|ratio|share|pct|split|splits|idx|ids|indices|folds?"
_SPLIT = re.compile(
    rf"(?i)(?<![a-z])(?:(?:{_PART})_(?:{_SHARE})|split_(?:{_SHARE}|at|by)|[nk]_?(?:folds|splits)|num_(?:folds|splits)"
    r"|splits?|folds?|shuffle)['\"]?\]?\s{0,9}(?::[^=]{0,60})?[=:](?!=)"
    r"|(?i:\b(?:train_test_split|random_split|\w*kfold|shuffle_?split|group_?split)\s{0,9}\()"
)
# A quote that is never closed runs to the end, or every quote in it would be looked at as a beginning.
_REMARK = re.compile(r"""("(?:\\.|[^"\\])*(?:"|\\?\Z)|'(?:\\.|[^'\\])*(?:'|\\?\Z))|\#.*""")
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
    seeds = [found for edit in files for found in seeds_edited(edit)]
    graders = dict.fromkeys(p for e in files for p in e.paths if grades(p))
    return Touched(tuple(dict.fromkeys(seeds)), tuple(graders))


def seeds_edited(edit: Edited) -> list[str]:
    """The edited lines that touch a seed, a random number generator or how the data is split, as `path:line: text`.

    A tripwire that reads words, in any language. Lines that were only moved or indented are not counted.
    """
    moved = {line.strip() for _, line in edit.removed} & {line.strip() for _, line in edit.added}
    sides = ((edit.old, edit.removed, "-"), (edit.new, edit.added, "+"))
    return [
        f"{path}:{n}: {sign} {text[:SHOWN]}"
        for path, lines, sign in sides
        for n, line in lines
        if (text := line.strip()) not in moved and seeding(text)
    ]


@lru_cache(maxsize=1024)
def seeding(text: str) -> bool:
    """Whether a line of code sets a seed, a random generator or a split; a knob is one with `=` behind its name."""
    code = _REMARK.sub(r"\1", text)
    return not code.lstrip().startswith("//") and any(p.search(code) for p in (_SEED, _SPLIT))


def grades(path: str) -> bool:
    """Whether a file is a scorer or a test by its name."""
    return not _GRADERS.isdisjoint(w.lower() for w in _WORD.findall(path))
