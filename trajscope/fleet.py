"""Fleet: a folder of runs, one line each. A file that cannot be read is named, never left out in silence."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from trajscope import analysis, cache, pipeline, sources, unfold
from trajscope.errors import ForeignError, SourceError, TrajscopeError
from trajscope.fold import states_from
from trajscope.metrics import HEADLINE, finish
from trajscope.readers import Source
from trajscope.rules import WORDS

ENDINGS = tuple(
    kind + packed for kind in (".jsonl", ".ndjson", ".tsv", ".csv", ".json") for packed in ("", ".gz", ".xz", ".bz2")
)
PERHAPS = (".db", ".sqlite", ".sqlite3", ".log")  # looked at where the content is something that is unfolded
_KEPT_IN, _NUMBERED = frozenset(("checkpoints", "programs")), "checkpoint_"  # folders of what may be one run
BESIDE = (".menu.json", ".coverage.json", ".expected.json", ".holdout.jsonl", ".schema.json")
SCHEMA = 1  # of a headline
FOREIGN = "foreign"
Said = tuple[Source, str | None]  # what is said about a file, and its reader where one is named
Progress = Callable[[int], None] | None


def files(folder: str | Path) -> list[Path]:
    """Every file below a folder that might be a trajectory."""
    root = Path(folder)
    if not root.exists():
        raise SourceError(f"{root}: cannot be read (No such file or directory); check the path")
    if not root.is_dir():
        raise SourceError(f"{root}: is no folder; use `trajscope analyze {root}` for a file")
    return sorted(_below(root))


def _below(root: Path) -> Iterator[Path]:
    """Files by their endings, and what is unfolded by its content; what belongs to such a folder is not looked at."""
    for name, folders, names in os.walk(root):
        here = Path(name)
        folders[:] = sorted(f for f in folders if not f.startswith("."))
        may_be_one = _KEPT_IN.intersection(folders) or any(f.startswith(_NUMBERED) for f in folders)
        if may_be_one and unfold.find(here) is not None:
            folders.clear()
            yield here
            continue
        for n in names:
            path = here / n
            looked_at = n.endswith(ENDINGS) or (n.endswith(PERHAPS) and unfold.find(path) is not None)
            if looked_at and not n.startswith(".") and not n.endswith(BESIDE) and path.is_file():
                yield path


def line(source: Source, reader: str | None = None, *, progress: Progress = None) -> list[dict[str, Any]] | str:
    """The documents of a file's runs; FOREIGN where no reader knows it, or why it could not be read."""
    return _or_why(partial(analysis.of_file, source, reader, quick=True, progress=progress))


def headlines(said: Iterable[Said], *, progress: Progress = None) -> Iterator[list[dict[str, Any]] | str]:
    """What SQL alone can count of each file's runs, or as `line` why there is nothing; cached files come last.

    Cached are the files that `analyze` caches too, all in one query. A small one is read again: that is as quick, and
    thousands of them would fill the user's cache.
    """
    known: dict[str, Said] = {}
    for source, reader in said:
        found = _or_why(partial(_headline, source, reader, known, progress))
        if found != []:
            yield found
    yield from _cached(known) if known else ()


def urgency(d: Mapping[str, Any]) -> tuple[int, str]:
    """What to look at first: the worst word, then the name."""
    word = d.get("verdict", {}).get("word", "")
    return (WORDS.index(word) if word in WORDS else len(WORDS) + (word != "UNKNOWN"), str(d["file"]))


def _or_why(read: Callable[[], list[dict[str, Any]]]) -> list[dict[str, Any]] | str:
    try:
        return read()
    except ForeignError:
        return FOREIGN
    except TrajscopeError as e:
        return str(e)


def _headline(source: Source, reader: str | None, known: dict[str, Said], progress: Progress) -> list[dict[str, Any]]:
    """What one file says; nothing yet where its rows are cached, which goes to `known`."""
    large = sources.size(source.path) >= cache.WORTH
    name = cache.key(source, reader) if large else None
    if name and cache.holds_rows(name):
        known[name] = source, reader
        if progress:
            progress(sources.size(source.path))
        return []
    return _read(source, reader, progress) if not large else _through_store(source, reader, name, progress)


def _read(source: Source, reader: str | None, progress: Progress = None) -> list[dict[str, Any]]:
    feed = pipeline.read(source, reader, HEADLINE, progress=progress)
    return [_plain(source, run.header.run_id, run.states) for run in feed.runs]


def _through_store(source: Source, reader: str | None, name: str | None, progress: Progress) -> list[dict[str, Any]]:
    from trajscope.store import Store

    store = Store()
    feed = pipeline.read(source, reader, sink=store.sink, progress=progress)
    if name and len(feed.runs) == 1:
        cache.save(name, store, feed.runs[0])
    return [_plain(source, run.header.run_id, store.states(HEADLINE, run)) for run in feed.runs]


def _cached(known: Mapping[str, Said]) -> Iterator[list[dict[str, Any]] | str]:
    """All cached files in one query; where the cache cannot be believed, the file is read again."""
    import duckdb

    from trajscope.store import connect

    parts = ", ".join(part for m in HEADLINE for part in m.sql)
    query = f"SELECT filename, {parts} FROM {cache.table(list(known))} GROUP BY filename"  # noqa: S608  # paths of our own
    try:
        states = {Path(row[0]).stem: states_from(HEADLINE, row[1:]) for row in connect().execute(query).fetchall()}
    except duckdb.Error:
        states = {}
    for name, (source, reader) in known.items():
        yield _or_why(partial(_told, source, reader, states.get(name)))


def _told(source: Source, reader: str | None, states: Mapping[str, Any] | None) -> list[dict[str, Any]]:
    if states is None:
        return _read(source, reader)
    return [_plain(source, pipeline.header(source, reader)[0].header.run_id, states)]


def _plain(source: Source, run_id: str, states: Mapping[str, Any]) -> dict[str, Any]:
    values = finish(states, HEADLINE)
    return analysis.nested({"schema": SCHEMA, "file": source.path, "run_id": run_id, **values})


def schema() -> dict[str, Any]:
    """The JSON Schema of a headline: of the analysis what can be counted without judging."""
    counted = finish({m.name: m.fold.zero() for m in HEADLINE}, HEADLINE)
    title = "One run, as `trajscope fleet --headline --json` prints it"
    return analysis.part(title, ["file", "run_id", *counted], SCHEMA)
