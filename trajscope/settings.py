"""Settings: what a user writes once instead of typing it every time.

Order: flags, the user's own config, `trajscope.toml` beside the run or `[tool.trajscope]` of a pyproject.toml there,
defaults. An unknown key is an error that names the nearest known one. Sinks never come from beside a run.
"""

from __future__ import annotations

import difflib
import os
import tomllib
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from trajscope.errors import SettingsError
from trajscope.trial import Goal


class SourceSettings(Struct, forbid_unknown_fields=True, frozen=True):
    """`[source]`: what a file does not say itself."""

    reader: str | None = None
    metric: str | None = None
    goal: Goal | None = None
    menu: str | None = None
    history: int | None = None


class Settings(Struct, forbid_unknown_fields=True, frozen=True):
    """All sections."""

    source: SourceSettings = SourceSettings()
    gate: dict[str, Any] | None = None  # `[gate]`, whole from one file; `keep.declared` judges it


def load(run: str | Path) -> Settings:
    """The settings that hold for a run: the user's own over those beside it."""
    merged: dict[str, Any] = {}
    for path, table in ((p, t) for p in (*_beside(run), user_file()) if (t := _table(p)) is not None):
        settings = _checked(table, path)
        base = path.parent
        said = {k: v for k, v in msgspec.structs.asdict(settings.source).items() if v is not None}
        if "menu" in said:
            said["menu"] = str(base / Path(said["menu"]).expanduser())
        merged.setdefault("source", {}).update(said)
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
    }
    for section, keys in known.items():
        here = table if not section else table.get(section, {})
        for key in here if isinstance(here, dict) else ():
            if key not in keys:
                near = difflib.get_close_matches(key, keys, 1)
                where = f"[{section}] {key}" if section else f"[{key}]"
                hint = f"did you mean {near[0]}?" if near else f"known: {', '.join(keys)}"
                raise SettingsError(f"{path}: {where} is no setting; {hint}")
    try:
        return msgspec.convert(table, Settings)
    except msgspec.ValidationError as e:
        why, _, place = str(e).partition(" - at `$.")
        section, _, key = place.rstrip("`").partition(".")
        where = f"[{section}] {key}".rstrip()
        raise SettingsError(
            f"{path}: {where}: {why[:1].lower()}{why[1:].replace('`', '')}; mend or remove it"
        ) from None
