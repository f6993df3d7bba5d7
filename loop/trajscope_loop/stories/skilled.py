"""Skill files improved by fifteen workers at once, as a story of `trajscope demo`: both nights beside each other."""

from __future__ import annotations

from pathlib import Path
from typing import TypedDict

from trajscope_loop.domains.skills import story
from trajscope_loop.stories import Say, Told


class Night(TypedDict):
    """One round of all workers."""

    kept: int
    of: int
    worse: list[str]  # files that were kept and are
    lost: int  # what the files that stand have lost


class Figures(TypedDict):
    """Both."""

    off: Night
    on: Night


FIGURES = Figures


def tell(folder: Path, say: Say, *, night: bool = False) -> Told:
    """One round of all workers without rails, then with rails, guards and holdout."""
    nights = {}
    for name, on in (("off", False), ("on", True)):
        say(f"rails {name}: fifteen workers, each with one rewrite")
        (folder / name).mkdir()
        found = nights[name] = story.tell(folder / name, rails=on)
        say(f"  {story.summary(found.outcomes, found.worse, found.findings)}")
    every = tuple(nights.values())
    kept = [sum(o.status == "kept" for o in n.outcomes) for n in every]
    return Told(
        "Skill files: what did the improvements lose?",
        ("", "rails off", "rails on"),
        (
            ("kept", *(f"{k} of {len(n.outcomes)}" for k, n in zip(kept, every, strict=True))),
            ("of them worse", *(str(len(n.worse)) for n in every)),
            ("lost in the files that stand", *(str(len(n.findings)) for n in every)),
        ),
        ("The rewrites were written to resemble what was reported; router, judge, rails and record are real.",),
        Figures(off=_figures(nights["off"], kept[0]), on=_figures(nights["on"], kept[1])),
    )


def _figures(n: story.Told, kept: int) -> Night:
    return Night(kept=kept, of=len(n.outcomes), worse=list(n.worse), lost=len(n.findings))
