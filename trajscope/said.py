"""What is said of a file: by flags before settings before what lies beside it."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from trajscope.errors import SettingsError

if TYPE_CHECKING:
    from trajscope.layout import Layout
    from trajscope.menu import Menu
    from trajscope.readers import Source
    from trajscope.settings import Settings, SourceSettings

Warn = Callable[[str], object]


class Asked(NamedTuple):
    """What the flags say of the files, where they say anything."""

    reader: str | None = None
    metric: str | None = None
    goal: str | None = None
    menu: Path | None = None
    menu_from: Path | None = None
    map: Path | None = None
    repo: Path | None = None
    history: int | None = None


NOTHING = Asked()  # was said by flags


def said(path: Path, asked: Asked = NOTHING, warn: Warn = str) -> tuple[Source, str | None]:
    """The source of a file, and the reader that was named for it; of what was merely found and decides much, `warn`."""
    from trajscope.readers import Source, get

    found = _settings(path.parent if str(path) != "-" else path)
    own = found.source
    layout = _layout(path, asked, own, warn)
    format_ = asked.reader or (layout.reader if layout else None) or own.reader
    if format_:
        get(format_)
    repo = asked.repo or (Path(own.repo) if own.repo else None)
    if repo is not None and not repo.is_dir():
        raise SettingsError(f"{repo}: is no folder, so no repository; name the one that holds the commits with --repo")
    return Source(
        str(path),
        asked.metric or own.metric,
        asked.goal or own.goal,  # type: ignore[arg-type]  # checked above
        _knobs(path, asked, own, warn),
        asked.history if asked.history is not None else own.history,
        found.alarms,
        layout,
        str(repo) if repo is not None else None,
    ), format_


def _knobs(path: Path, asked: Asked, own: SourceSettings, warn: Warn) -> Menu | None:
    """The menu: a declared one before one that is inferred, flags before settings before what lies beside the file."""
    from trajscope.pipeline import menu_beside

    declared = asked.menu or (Path(own.menu) if own.menu else menu_beside(path))
    if declared is not None:
        if asked.menu_from is not None:
            warn(f"{declared}: is the menu of {path}, so --menu-from {asked.menu_from} is not looked at")
        return _menu(declared)
    source = asked.menu_from or (Path(own.menu_from) if own.menu_from else None)
    return _inferred(source) if source is not None else None


def _layout(path: Path, asked: Asked, own: SourceSettings, warn: Warn) -> Layout | None:
    """What the columns mean, where somebody said so; a map that was merely found is named, because it decides much."""
    from trajscope import maps
    from trajscope.pipeline import map_beside

    if asked.map is not None:
        return _map(asked.map)
    if own.layout is not None:
        return maps.parse(own.layout, "[source.layout]")
    if (beside := map_beside(path)) is not None:
        warn(f"{beside}: lies beside {path} and says what its columns mean")
        return _map(beside)
    return None


@cache
def _settings(folder: Path) -> Settings:
    # Once for a folder: a fleet asks this of every file in it.
    from trajscope import settings

    return settings.load(folder / "run" if str(folder) != "-" else "-")


@cache
def _menu(path: Path) -> Menu:
    from trajscope import menu

    return menu.load(path)


@cache
def _inferred(path: Path) -> Menu:
    from trajscope import inference

    return inference.of_file(path).menu


@cache
def _map(path: Path) -> Layout:
    from trajscope import maps

    return maps.load(path)
