"""Checkpoints of OpenEvolve: the programs that any of them holds, in the order in which they were found.

Given is a `metadata.json`, its checkpoint, or the folder above with all checkpoints. A checkpoint holds the population
of its time, without what was thrown out of it; so of a folder with several, each program is taken from the newest that
has it. A checkpoint whose `metadata.json` is not there yet is still being written, and is left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from trajscope.errors import ForeignError, SourceError
from trajscope.unfold.document import cut, line, load

HEAD, PROGRAMS = "metadata.json", "programs"
MOST_PROGRAMS = 200_000
NAMED = 50  # metrics that are named
_NUMBER = re.compile(r"checkpoint_(\d{1,12})\Z")
# What does not change once a program was evaluated; the rest is the database's own, and changes as it grows.
_LASTING = (
    "id", "code", "changes_description", "language", "parent_id", "generation", "timestamp", "iteration_found",
    "metrics",
)  # fmt: skip
_KEYS = frozenset(("islands", "island_feature_maps", "feature_map"))


def heads(place: Path) -> list[Path]:
    """The metadata of the checkpoints that are meant, the newest first."""
    if not place.is_dir():
        return [place]
    if (place / HEAD).is_file():
        return [place / HEAD] if (place / PROGRAMS).is_dir() else []
    above = place / "checkpoints" if (place / "checkpoints").is_dir() else place
    try:
        found = [(int(m[1]), p) for p in above.iterdir() if (m := _NUMBER.match(p.name)) and (p / HEAD).is_file()]
    except OSError as e:
        raise SourceError(f"{above}: cannot be read ({e.strerror}); check its rights") from None
    return [p / HEAD for _, p in sorted(found, reverse=True)]


def watched(path: Path) -> list[Path]:
    """The folders in which checkpoints and programs appear, and what is written last of each."""
    found = heads(path)
    folders = [path, path / "checkpoints"] if path.is_dir() else []
    return [*folders, *found, *(p.parent / PROGRAMS for p in found)]


def unfold(path: Path) -> Iterator[bytes]:
    """A line for the whole, a line for each program."""
    found = heads(path)
    for head in found[:1]:
        doc = load(head)
        if not isinstance(doc, dict) or not _KEYS & doc.keys():
            raise ForeignError(f"{head}: is a JSON document, and not the metadata of an OpenEvolve checkpoint")
    programs = sorted(_programs(found), key=_order)
    scored = (p["metrics"] for p in programs if isinstance(p.get("metrics"), dict))
    names = dict.fromkeys(str(k) for m in scored for k, x in m.items() if isinstance(x, int | float))
    yield line({"unfolded": "openevolve", "metrics": sorted(names)[:NAMED]})
    for program in programs:
        yield line(program)


def _programs(found: list[Path]) -> Iterator[dict[str, Any]]:
    seen: set[str] = set()
    for head in found:
        folder = head.parent / PROGRAMS
        try:
            names = sorted(p.name for p in folder.iterdir() if p.suffix == ".json" and p.name not in seen)
        except FileNotFoundError:
            continue  # a population of none
        except OSError as e:
            raise SourceError(f"{folder}: cannot be read ({e.strerror}); check its rights") from None
        if len(seen) + len(names) > MOST_PROGRAMS:
            raise SourceError(f"{folder}: holds over {MOST_PROGRAMS:,} programs; export them as JSON lines")
        seen.update(names)
        for name in names:
            held = load(folder / name)
            yield _told(held) if isinstance(held, dict) else {"id": name, "unusable": type(held).__name__}


def _told(held: dict[str, Any]) -> dict[str, Any]:
    out = {k: cut(held[k]) if k != "code" else held[k] for k in _LASTING if k in held}
    inner = held.get("metadata")
    if isinstance(inner, dict):
        out["metadata"] = {k: cut(inner[k]) for k in ("changes", "migrant") if k in inner}
    return out


def _order(program: dict[str, Any]) -> tuple[float, float, str]:
    found, at = program.get("iteration_found"), program.get("timestamp")
    numbers = [float(x) if isinstance(x, int | float) and x == x else 0.0 for x in (found, at)]
    return numbers[0], numbers[1], str(program.get("id"))
