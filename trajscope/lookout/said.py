"""What is said of a file: flags before settings before the menu that lies beside it."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from trajscope import menu, settings
from trajscope.menu import Menu
from trajscope.pipeline import menu_beside
from trajscope.readers import Source, get
from trajscope.settings import Settings
from trajscope.trial import Goal


def said(
    path: Path,
    reader: str | None = None,
    metric: str | None = None,
    goal: Goal | None = None,
    known: Path | None = None,
    history: int | None = None,
) -> tuple[Source, str | None]:
    """The source of a file, and the reader that was named for it; `known` is a file with its menu."""
    found = _settings(path.parent if str(path) != "-" else path)
    own = found.source
    named = known or (Path(own.menu) if own.menu else menu_beside(path))
    format_ = reader or own.reader
    if format_:
        get(format_)
    return Source(
        str(path),
        metric or own.metric,
        goal or own.goal,
        _menu(named) if named else None,
        history if history is not None else own.history,
        found.alarms,
    ), format_


@cache
def _settings(folder: Path) -> Settings:
    # Once for a folder: a fleet asks this of every file in it.
    return settings.load(folder / "run" if str(folder) != "-" else "-")


@cache
def _menu(path: Path) -> Menu:
    return menu.load(path)
