"""The skills domain: a folder of instruction files, rewritten by parallel workers, that must stay found and safe.

A score of how well files are found says nothing of what else they lose: a link, a tool, a neighbour's queries, the one
sentence that asked before something was deleted. Each of these is looked for, and compared with the files of the start.

The fifteen files, their cases and the bounds were written by hand, for this: it shows what the finders do, it is no
measurement of anybody's agents. The folder is the domain, as a campaign runs it in children; the functions here do the
same in one process.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from trajscope_loop.domains.skills import judge, prepare, route
from trajscope_loop.domains.skills.judge import Finding

__all__ = ["Finding", "degenerates", "findings", "known", "measured", "start"]

_HERE = Path(__file__).parent


@cache
def _start() -> Mapping[str, str]:
    found: dict[str, str] = json.loads((_HERE / "start.json").read_text("utf-8"))
    return found


def start() -> dict[str, str]:
    """The skill files that a campaign starts from, by path."""
    return dict(_start())


def known(before: Mapping[str, str] | None = None) -> dict[str, Any]:
    """What the judge knows, where rewrites are compared with these files; by default with those of the start."""
    cases = json.loads((_HERE / "cases.json").read_text("utf-8"))
    return prepare.known(cases, before or _start(), prepare.references(_HERE), route=route, judge=judge)


def measured(files: Mapping[str, str], seed: int = 0, against: Mapping[str, Any] | None = None) -> dict[str, float]:
    """The metrics of a folder of skill files; hidden ones are named `holdout_...`."""
    skills, routes, truth = _read(files, seed, against)
    found = judge.scores(skills, routes, truth)
    return {**found["metrics"], **found["holdout"]}


def findings(files: Mapping[str, str], against: Mapping[str, Any] | None = None) -> list[Finding]:
    """What is wrong with a folder of skill files, or worse than it was."""
    return judge.findings(*_read(files, 0, against, drawn=0))


def degenerates() -> dict[str, dict[str, float]]:
    """What folders score that were never thought about."""
    return {name: {**both["metrics"], **both["holdout"]} for name, both in judge.thoughtless(known()).items()}


def _read(
    files: Mapping[str, str], seed: int, against: Mapping[str, Any] | None, drawn: int = route.DRAWN
) -> tuple[dict[str, route.Skill], dict[str, list[route.Scores]], Mapping[str, Any]]:
    truth = against or known()
    routes = route.routes(files, truth["queries"], seed, drawn)
    return {path: route.read(text) for path, text in files.items()}, routes, truth
