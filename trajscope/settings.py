"""Settings: what a user writes once instead of typing it every time.

Order: flags, the user's own config, `trajscope.toml` beside the run or `[tool.trajscope]` of a pyproject.toml there,
defaults. An unknown key is an error that names the nearest known one. Sinks never come from beside a run, nor does the
place of a repository: a record must not choose the folder that git runs in.
"""

from __future__ import annotations

import math
import os
import tomllib
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from trajscope import maps
from trajscope.alarms import QUIETABLE, AlarmSettings, BudgetSettings, said
from trajscope.errors import SettingsError
from trajscope.maps import nearest
from trajscope.trial import Goal

PATHS = ("menu", "menu_from", "repo")  # relative to the file that names them


class SourceSettings(Struct, forbid_unknown_fields=True, frozen=True):
    """`[source]`: what a file does not say itself."""

    reader: str | None = None
    metric: str | None = None
    goal: Goal | None = None
    menu: str | None = None
    history: int | None = None
    menu_from: str | None = None
    repo: str | None = None  # of the user's own config alone
    layout: dict[str, Any] | None = None  # `[source.layout]`, whole from one file; `maps` judges it


class Settings(Struct, forbid_unknown_fields=True, frozen=True):
    """All sections."""

    source: SourceSettings = SourceSettings()
    alarms: AlarmSettings = AlarmSettings()
    gate: dict[str, Any] | None = None  # `[gate]`, whole from one file; `keep.declared` judges it


def load(run: str | Path) -> Settings:
    """The settings that hold for a run: the user's own over those beside it."""
    merged: dict[str, Any] = {}
    for path, table in ((p, t) for p in (*_beside(run), user_file()) if (t := _table(p)) is not None):
        settings = _checked(table, path)
        base = path.parent
        own = said(settings.source)
        own |= {name: str(base / Path(own[name]).expanduser()) for name in PATHS if name in own}
        merged.setdefault("source", {}).update(own)
        if "alarms" in table:
            given = table["alarms"]
            budget = {**merged.get("alarms", {}).get("budget", {}), **given.get("budget", {})}
            merged["alarms"] = {**merged.get("alarms", {}), **given, "budget": budget}
        if settings.gate is not None:
            merged["gate"] = settings.gate
    return msgspec.convert(merged, Settings)


def user_file() -> Path:
    """The user's own config."""
    home = os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config"
    return Path(home) / "trajscope" / "config.toml"


def _beside(run: str | Path) -> tuple[Path, ...]:
    if str(run) == "-":
        return ()
    folder = Path(run).parent
    return folder / "pyproject.toml", folder / "trajscope.toml"


def _table(path: Path) -> dict[str, Any] | None:
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as e:
        raise SettingsError(f"{path}: cannot be read as TOML ({e}); mend or remove it") from None
    if path.name == "pyproject.toml":
        tool = data.get("tool")
        mine = tool.get("trajscope") if isinstance(tool, dict) else None
        if mine is not None and not isinstance(mine, dict):
            raise SettingsError(f"{path}: tool.trajscope is no table; write [tool.trajscope.source]")
        return mine
    return data


def _checked(table: dict[str, Any], path: Path) -> Settings:
    known: dict[str, tuple[str, ...]] = {
        "": Settings.__struct_fields__,
        "source": SourceSettings.__struct_fields__,
        "alarms": AlarmSettings.__struct_fields__,
        "alarms.budget": BudgetSettings.__struct_fields__,
    }
    for section, keys in known.items():
        here: Any = table
        for name in section.split(".") if section else ():
            here = here.get(name, {}) if isinstance(here, dict) else {}
        for key in here if isinstance(here, dict) else ():
            if key not in keys:
                where = f"[{section}] {key}" if section else f"[{key}]"
                raise SettingsError(f"{path}: {where} is no setting; {nearest(key, keys)}")
    return _sourced(_quietable(_converted(table, path), path), path)


def _sourced(found: Settings, path: Path) -> Settings:
    """Raise where two menus are named, a layout is none, or a folder says where git is to run."""
    if found.source.menu is not None and found.source.menu_from is not None:
        raise SettingsError(f"{path}: [source] names both menu and menu_from; keep one")
    if found.source.repo is not None and path != user_file():
        own = "your own config or --repo"
        raise SettingsError(f"{path}: [source] repo: a folder may not choose where git runs; say it in {own}")
    if found.source.layout is not None:
        maps.parse(found.source.layout, f"{path}: [source.layout]")
    return found


def _quietable(found: Settings, path: Path) -> Settings:
    """Raise where a rule is switched off that is none, or that may not be; or where a bound is infinite."""
    for name in found.alarms.off:
        if name not in QUIETABLE:
            raise SettingsError(f"{path}: [alarms] off: {name!r} cannot be switched off; {nearest(name, QUIETABLE)}")
    for name, bound in found.alarms.bounds().items():
        if not math.isfinite(bound):
            raise SettingsError(f"{path}: [alarms] {name} is {bound}; give a finite number above 0")
    return found


def _converted(table: dict[str, Any], path: Path) -> Settings:
    try:
        return msgspec.convert(table, Settings)
    except msgspec.ValidationError as e:
        why, _, place = str(e).partition(" - at `$.")
        section, _, key = place.rstrip("`").rpartition(".") if place.count(".") else (place.rstrip("`"), "", "")
        where = f"[{section}] {key}".rstrip()
        raise SettingsError(
            f"{path}: {where}: {why[:1].lower()}{why[1:].replace('`', '')}; mend or remove it"
        ) from None
