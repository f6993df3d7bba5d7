"""Stories: how research loops failed, each told twice, with the rails off and then on. `tell` finds one by its name."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

from trajscope_loop.errors import CampaignError

# What each shows, in the words of the help.
STORIES = {
    "amnesiac": "a proposer that sees its last five trials goes in circles",
    "gamer": "a score is raised by a model that ignores its input",
    "linter": "a constant is rewritten between save and run",
    "skills": "instruction files are improved, and lose what they asked and confirmed",
}

_TOLD = {"linter": "linted", "skills": "skilled"}  # where a story is told, if not by the module of its name
Say = Callable[[str], object]


class Told(NamedTuple):
    """A story that was told: rows of what, without and with, and what follows. `figures` are the same as values."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    notes: Sequence[str]
    figures: Mapping[str, Any]


def figures(name: str) -> Any:
    """The type of a story's figures."""
    return import_module(f"trajscope_loop.stories.{_TOLD.get(name, name)}").FIGURES


def tell(name: str, folder: Path, say: Say, *, night: bool = False) -> Told:
    """Play a story in an empty folder; what happens is said as it happens."""
    if name not in STORIES:
        raise CampaignError(f"there is no story {name!r}; choose of {', '.join(STORIES)}")
    found: Told = import_module(f"trajscope_loop.stories.{_TOLD.get(name, name)}").tell(folder, say, night=night)
    return found
