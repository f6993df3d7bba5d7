"""The router: which skill a query triggers, by the letters that it shares with the skills' descriptions. No model.

Reads the skill files beside it and `$GIVEN/queries.json`, writes scores into `$OUT`; it never sees which is right.

It stands in for an agent that reads all descriptions and picks one. Cosine similarity of weighted runs of three and
four letters: what misspells a word a little still shares runs with it, what says it in other words does not. An agent
knows synonyms and this does not, so it errs on the side of a description that names what people say.
"""

from __future__ import annotations

import json
import math
import os
import random
import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import TypedDict

FOLDER = "skills"
RUNS = (3, 4)  # letters
DRAWN = 6  # misspellings of every visible query, which the seed draws
_FRONT = re.compile(r"\A---[ \t]*\n(.*?)^---[ \t]*$\n?", re.DOTALL | re.MULTILINE)
_SETTING = re.compile(r"([\w-]+)[ \t]*:[ \t]*(.*)")
_WORD = re.compile(r"[a-z0-9]+")
# They stand in every sentence and tell no skill from another.
_IDLE = frozenset(
    "a an and are as at be by for from how i in into is it me my of on or our please pls so that the their them this "
    "to us was we what which who with you your".split()
)


class Skill(TypedDict):
    """One file, read: its settings where it has any, each value as one text, and what stands below them."""

    front: dict[str, str] | None
    body: str
    text: str


Scores = dict[str, float]  # of one query, by the path of each skill


def read(text: str) -> Skill:
    """A skill file; one without settings at its top has none."""
    text = text.removeprefix("\ufeff").replace("\r\n", "\n")
    found = _FRONT.match(text)
    if found is None:
        return Skill(front=None, body=text, text=text)
    front: dict[str, str] = {}
    key = ""
    for line in found[1].split("\n"):
        setting = _SETTING.fullmatch(line.rstrip())
        if setting:
            key = setting[1].casefold()
            front[key] = f"{front[key]} {setting[2]}" if key in front else setting[2]
        elif key and line.strip():
            item = re.sub(r"^-\s+", ", ", line.strip())
            front[key] = f"{front[key]} {item}".strip(" ,")
    return Skill(front=front, body=text[found.end() :], text=text)


def described(skill: Skill) -> str:
    """What the router knows of a skill: its name and its description. A skill without settings is never found."""
    front = skill["front"] or {}
    return f"{front.get('name', '')} {front.get('description', '')}"


class Router:
    """Scores queries against skills, from 0 (nothing in common) to 1.

    How much a run of letters counts is taken from what people ask and not from the descriptions, so that the score of
    a skill is its own: another file can win a query of it, and never lower its score.
    """

    def __init__(self, skills: Mapping[str, str], asked: Collection[str]) -> None:
        held = Counter(run for query in asked for run in _runs(query))
        self._paths = list(skills)
        self._rare = {run: math.log(1 + len(asked) / n) for run, n in held.items()}
        self._unknown = math.log(1 + len(asked))
        self._where: dict[str, list[tuple[str, float]]] = {}
        for path, text in skills.items():
            weights = self._weights(_runs(text))
            for run, weight in weights.items():
                self._where.setdefault(run, []).append((path, weight))

    def scores(self, query: str) -> Scores:
        """How near each skill is to a query."""
        out = dict.fromkeys(self._paths, 0.0)
        for run, weight in self._weights(_runs(query)).items():
            for path, other in self._where.get(run, ()):
                out[path] += weight * other
        return {path: round(score, 9) for path, score in out.items()}

    def _weights(self, runs: Mapping[str, int]) -> dict[str, float]:
        weights = {r: (1 + math.log(n)) * self._rare.get(r, self._unknown) for r, n in runs.items()}
        size = math.sqrt(math.fsum(w * w for w in weights.values()))
        return {r: w / size for r, w in weights.items()}


def _runs(text: str) -> Counter[str]:
    words = [f" {w} " for w in _WORD.findall(text.casefold()) if w not in _IDLE]
    return Counter(w[i : i + n] for w in words for n in RUNS for i in range(len(w) - n + 1))


def misspelt(query: str, draw: random.Random) -> str:
    """The query with one slip in a word of four letters or more: two letters swapped, one lost, or one doubled."""
    words = query.split(" ")
    long = [i for i, w in enumerate(words) if len(w) > 3]
    if not long:
        return query
    at = draw.choice(long)
    word, i, slip = words[at], draw.randrange(1, len(words[at]) - 1), draw.randrange(3)
    words[at] = (
        word[:i] + word[i + 1] + word[i] + word[i + 2 :],
        word[:i] + word[i + 1 :],
        word[:i] + word[i] + word[i:],
    )[slip]
    return " ".join(words)


def routes(
    texts: Mapping[str, str], queries: Mapping[str, str], seed: int, drawn: int = DRAWN
) -> dict[str, list[Scores]]:
    """The scores of each query, as it is first, then as the seed misspells it; those of the holdout as they are."""
    asked = [query for name, query in sorted(queries.items()) if _seen(name)]
    router = Router({path: described(read(text)) for path, text in texts.items()}, asked)
    out: dict[str, list[Scores]] = {}
    for name, query in sorted(queries.items()):
        draw = random.Random(f"{seed} {name}")  # the same for every candidate, so that they compare
        slips = [misspelt(query, draw) for _ in range(drawn if _seen(name) else 0)]
        out[name] = [router.scores(q) for q in (query, *slips)]
    return out


def _seen(name: str) -> bool:
    return name.startswith("visible/")


def skills(place: Path, names: Iterable[str] | None = None) -> dict[str, str]:
    """The skill files of a folder, by path."""
    found = sorted((place / FOLDER).glob("*.md")) if names is None else [place / n for n in names]
    return {p.relative_to(place).as_posix(): p.read_text("utf-8", "replace") for p in found}


def main() -> None:
    """Route every query, and leave the scores and the files as they were read."""
    given, out = Path(os.environ["GIVEN"]), Path(os.environ["OUT"])
    texts = skills(Path(__file__).parent)
    queries = json.loads((given / "queries.json").read_text("utf-8"))
    seed = int(os.environ["SEED"])
    (out / "routes.json").write_text(json.dumps(routes(texts, queries, seed)), "utf-8")
    (out / "skills.json").write_text(json.dumps({path: read(text) for path, text in texts.items()}), "utf-8")
    mark = random.Random(f"mark {seed}").random()  # shows that the seed was used
    (out / "first_step").write_text(repr(mark))


if __name__ == "__main__":
    main()
