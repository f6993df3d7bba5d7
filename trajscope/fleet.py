"""Fleet: a folder of runs, one line each. A file that cannot be read is named, never left out in silence."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from trajscope import analysis, cache, pipeline, sources
from trajscope.errors import SourceError, TrajscopeError
from trajscope.metrics import HEADLINE, finish
from trajscope.readers import Source, find
from trajscope.rules import WORDS

ENDINGS = (".jsonl", ".ndjson", ".tsv", ".csv", ".json", ".jsonl.gz", ".jsonl.xz", ".jsonl.bz2")
BESIDE = (".menu.json", ".coverage.json", ".expected.json", ".holdout.jsonl", ".schema.json")
FOREIGN = "foreign"


def files(folder: str | Path) -> list[Path]:
    """Every file below a folder that might be a trajectory."""
    root = Path(folder)
    if not root.is_dir():
        raise SourceError(f"{root}: is no folder; use `trajscope analyze {root}` for a file")
    found = (p for p in root.rglob("*") if p.name.endswith(ENDINGS) and not p.name.endswith(BESIDE) and p.is_file())
    return sorted(p for p in found if not any(part.startswith(".") for part in p.relative_to(root).parts))


def line(
    source: Source, reader: str | None = None, *, progress: Callable[[int], None] | None = None
) -> list[dict[str, Any]] | str:
    """The documents of a file's runs; FOREIGN where no reader knows it, or why it could not be read."""
    try:
        if reader is None and not _known(source.path):
            return FOREIGN
        return analysis.of_file(source, reader, quick=True, progress=progress)
    except TrajscopeError as e:
        return str(e)


def headlines(said: Sequence[tuple[Source, str | None]]) -> list[dict[str, Any]]:
    """What SQL alone can count of each file's run, all cached files in one query."""
    from trajscope.store import Store, connect

    names: dict[str, str] = {}
    for source, reader in said:
        name = cache.key(source, reader)
        if name is None or (reader is None and not _known(source.path)):
            continue
        if cache.load(name) is None:
            store = Store()
            feed = pipeline.read(source, reader, sink=store.sink)
            cache.save(name, store, feed.runs[0])
        names[str(cache.rows(name))] = source.path
    if not names:
        return []
    parts = ", ".join(part for m in HEADLINE for part in m.sql)
    query = f"SELECT filename, {parts} FROM {cache.table([Path(p).stem for p in names])} GROUP BY filename"  # noqa: S608  # paths of our own
    return [
        {"file": names[found[0]], **_plain(finish(_states(found[1:]), HEADLINE))}
        for found in connect().execute(query).fetchall()
    ]


def urgency(d: Mapping[str, Any]) -> tuple[int, str]:
    """What to look at first: the worst word, then the name."""
    word = d.get("verdict", {}).get("word", "")
    return (WORDS.index(word) if word in WORDS else len(WORDS) + (word != "UNKNOWN"), str(d["file"]))


def _known(path: str) -> bool:
    try:
        find(path, next(sources.read(path), b"")[: sources.HEAD])
    except SourceError:
        return False
    return True


def _states(flat: Sequence[Any]) -> dict[str, Any]:
    from trajscope.fold import states_from

    return states_from(HEADLINE, flat)


def _plain(values: Mapping[str, Any]) -> dict[str, Any]:
    from trajscope.fold import Unknown

    return {k: None if isinstance(v, Unknown) else v for k, v in values.items()}
