"""Map files: a layout as TOML, to be read, checked and written.

Knows no trajectory: which columns a file has is its reader's business.
"""

from __future__ import annotations

import difflib
import json
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from trajscope.errors import SettingsError
from trajscope.layout import Layout
from trajscope.trial import STATUSES

MOST = 1 << 20  # bytes of a map; a longer one is something else


def load(path: str | Path) -> Layout:
    """The layout in a map file."""
    path = Path(path)
    try:
        with path.open("rb") as f:
            data = f.read(MOST + 1)
        if len(data) > MOST:
            raise SettingsError(f"{path}: is over {MOST:,} bytes, too long for a map; name another with --map")
        table = tomllib.loads(data.decode("utf-8-sig"))
    except OSError as e:
        raise SettingsError(f"{path}: cannot be read ({e.strerror}); name an existing map with --map") from None
    except (ValueError, RecursionError) as e:
        raise SettingsError(f"{path}: cannot be read as TOML ({e}); mend or remove it") from None
    return parse(table, str(path))


def parse(table: Mapping[str, Any], where: str) -> Layout:
    """The layout of a TOML table; `where` it stands begins every complaint."""
    for key in table:
        if key not in Layout.__struct_fields__:
            raise SettingsError(f"{where}: {key} is no role of a column; {nearest(key, Layout.__struct_fields__)}")
    try:
        found = msgspec.convert(table, Layout)
    except (msgspec.ValidationError, RecursionError) as e:
        why, _, place = str(e).partition(" - at `$.")
        at = place.rstrip("`")
        raise SettingsError(f"{where}: {at}: {why[:1].lower()}{why[1:].replace('`', '')}; mend or remove it") from None
    heard: dict[str, str] = {}
    for status, words in found.statuses.items():
        if status not in STATUSES:
            raise SettingsError(f"{where}: statuses: {status} is no status; {nearest(status, STATUSES)}")
        for word in words:
            if heard.setdefault(word.casefold(), status) != status:
                both = f"{heard[word.casefold()]} and {status}"
                raise SettingsError(f"{where}: statuses: {word!r} means both {both}; leave it to one")
    return found


def toml(layout: Layout) -> str:
    """The layout as a map file that `parse` reads back as the same layout."""
    said = {f: v for f in Layout.__struct_fields__ if (v := getattr(layout, f)) not in (None, (), {})}
    statuses = said.pop("statuses", {})
    lines = [f"{role} = {_value(v)}" for role, v in said.items()]
    if statuses:
        lines += ["", "[statuses]", *(f"{status} = {_value(words)}" for status, words in statuses.items())]
    return "".join(f"{line}\n" for line in lines)


def nearest(name: str, known: Sequence[str]) -> str:
    """What an unknown key was most likely meant to be."""
    near = difflib.get_close_matches(name, known, 1)
    return f"did you mean {near[0]}?" if near else f"known: {', '.join(known)}"


def _value(v: object) -> str:
    if isinstance(v, tuple | list):
        return f"[{', '.join(map(_value, v))}]"
    # JSON's escapes are TOML's, but for DEL; half a surrogate pair has no TOML at all.
    whole = str(v).encode("utf-8", "replace").decode("utf-8")
    return json.dumps(whole, ensure_ascii=False).replace("\x7f", "\\u007f")
