"""What is said of a file: by whoever asks, before settings, before the menu and the map that lie beside it."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from trajscope import inference, maps, menu, settings
from trajscope.layout import Layout
from trajscope.menu import Menu
from trajscope.pipeline import map_beside, menu_beside
from trajscope.readers import Source, get
from trajscope.settings import Settings, SourceSettings
from trajscope.trial import Goal


def said(
    path: Path,
    reader: str | None = None,
    metric: str | None = None,
    goal: Goal | None = None,
    known: Path | None = None,
) -> tuple[Source, str | None]:
    """The source of a file, and the reader that was named for it; `known` is a file with its menu."""
    found = _settings(path.parent)
    own = found.source
    layout = _layout(path, own)
    format_ = reader or (layout.reader if layout else None) or own.reader
    if format_:
        get(format_)
    return Source(
        str(path),
        metric or own.metric,
        goal or own.goal,
        _knobs(path, known, own),
        own.history,
        found.alarms,
        layout,
        own.repo,
    ), format_


def _knobs(path: Path, known: Path | None, own: SourceSettings) -> Menu | None:
    declared = known or (Path(own.menu) if own.menu else menu_beside(path))
    if declared is not None:
        return _menu(declared)
    return _inferred(Path(own.menu_from)) if own.menu_from else None


def _layout(path: Path, own: SourceSettings) -> Layout | None:
    if own.layout is not None:
        return maps.parse(own.layout, "[source.layout]")
    beside = map_beside(path)
    return maps.load(beside) if beside is not None else None


@cache
def _settings(folder: Path) -> Settings:
    # Once for a folder: a fleet asks this of every file in it.
    return settings.load(folder / "run")


@cache
def _menu(path: Path) -> Menu:
    return menu.load(path)


@cache
def _inferred(path: Path) -> Menu:
    return inference.of_file(path).menu
