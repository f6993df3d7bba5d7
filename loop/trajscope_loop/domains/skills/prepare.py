"""What is routed and what is right: the queries without their answers, and for the judge the answers and the start.

    python prepare.py GIVEN TRUTH
    python prepare.py --freeze      writes start.json, the skill files as they are now: run it before a campaign

Draws nothing: the cases are fixed. Which of them pass at the start is found by routing the files of the start.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

KINDS = ("plain", "fuzzy", "misspelt")


def wanted(cases: Mapping[str, Any]) -> dict[str, tuple[str, str | None]]:
    """Every query with the file that it should trigger; `visible/...` or `holdout/...` is its name."""
    out: dict[str, tuple[str, str | None]] = {}
    for skill, said in cases["skills"].items():
        if missing := [kind for kind in (*KINDS, "holdout") if not said.get(kind)]:
            raise ValueError(f"cases.json: {skill} has no {missing[0]} cases; a skill without them cannot be judged")
        for kind in KINDS:
            out |= {f"visible/{skill}/{kind}/{i}": (q, f"skills/{skill}.md") for i, q in enumerate(said[kind])}
        out |= {f"holdout/{skill}/{i}": (q, f"skills/{skill}.md") for i, q in enumerate(said["holdout"])}
    for part, queries in cases["none"].items():
        out |= {f"{part}/none/{i}": (q, None) for i, q in enumerate(queries)}
    return out


def known(
    cases: Mapping[str, Any], start: Mapping[str, str], references: Mapping[str, str], *, route: Any, judge: Any
) -> dict[str, Any]:
    """What the judge knows. `route` and `judge` are the modules, as hashed here or as installed there."""
    if odd := sorted({f"skills/{name}.md" for name in cases["skills"]} ^ start.keys()):
        raise ValueError(
            f"{odd[0]}: stands in one of cases.json and start.json only; write its cases, run prepare.py --freeze"
        )
    asked = wanted(cases)
    queries = {name: query for name, (query, _) in asked.items()}
    right = {name: path for name, (_, path) in asked.items()}
    found = route.routes(start, queries, 0, drawn=0)
    visible = [name for name in queries if name.startswith("visible/")]
    return {
        "queries": queries,
        "wanted": right,
        "passing": [name for name in visible if judge.chosen(found[name][0]) == right[name]],
        "start": {path: route.read(text) for path, text in start.items()},
        "anchors": {path: judge.headings(text) for path, text in references.items()},
        "tools": cases["tools"],
        "needs": {f"skills/{skill}.md": said["needs"] for skill, said in cases["skills"].items()},
    }


def references(place: Path) -> dict[str, str]:
    """The files that skills may refer to, by path."""
    return {p.relative_to(place).as_posix(): p.read_text("utf-8") for p in sorted((place / "references").glob("*.md"))}


def frozen(place: Path) -> str:
    """The text of `start.json`: what the files of a folder ask and confirm now is what will be guarded."""
    texts = {p.relative_to(place).as_posix(): p.read_text("utf-8") for p in sorted((place / "skills").glob("*.md"))}
    return json.dumps(texts, indent=1, ensure_ascii=False) + "\n"


def main() -> None:
    """Write what the router may read, and what only the judge may."""
    import judge  # type: ignore[import-not-found]  # the hashed files beside this one
    import route  # type: ignore[import-not-found]

    place = Path(__file__).parent
    if sys.argv[1:] == ["--freeze"]:
        (place / "start.json").write_text(frozen(place), "utf-8")
        return
    given, truth = map(Path, sys.argv[1:3])
    cases, start = (json.loads((place / f"{name}.json").read_text("utf-8")) for name in ("cases", "start"))
    found = known(cases, start, references(place), route=route, judge=judge)
    (given / "queries.json").write_text(json.dumps(found["queries"]), "utf-8")
    (truth / "truth.json").write_text(json.dumps(found), "utf-8")


if __name__ == "__main__":
    main()
