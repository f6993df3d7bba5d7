"""Who reads a file, why, and how: its reader, what the columns mean, what each status was taken for; and as a map."""

from __future__ import annotations

from collections import Counter
from typing import NamedTuple

from trajscope import maps, pipeline, sources
from trajscope.columns import Row
from trajscope.errors import ForeignError
from trajscope.layout import Layout, over
from trajscope.readers import Reader, Source, claiming, find, get, guess, unknown
from trajscope.run import Run
from trajscope.trial import STATUSES, Item, Trial

BASELINE = "baseline"  # what a row is taken for that is no trial


class Status(NamedTuple):
    """What a file calls some of its rows."""

    raw: str
    meaning: str  # a status, or `baseline`
    rows: int


class Explained(NamedTuple):
    """How a file is read. Without a reader: what it looks like."""

    path: str
    reader: str | None
    why: str
    others: tuple[tuple[str, str], ...]  # readers that would claim it too, and why
    layout: Layout | None  # None: what its fields mean is fixed
    statuses: tuple[Status, ...]
    runs: tuple[tuple[str, str | None, str | None, int], ...]  # id, metric, goal, trials
    map: str | None  # the map file one would begin with


def explain(source: Source, reader: str | None = None) -> Explained:
    """How a file is read, after it was read."""
    head = next(sources.read(source.path), b"")[: sources.HEAD]
    try:
        kind = get(reader) if reader else find(source.path, head, source.layout)
    except ForeignError:
        return _foreign(source, head)
    counted: Counter[tuple[str, str]] = Counter()

    def sink(_run: Run, item: Item, _row: Row | None) -> None:
        if type(item) is Trial:
            counted[item.raw_status or item.status, item.status] += 1

    feed = pipeline.read(source, reader, sink=sink)
    seen: Counter[tuple[str, str]] = Counter(getattr(feed.reader, "statuses", None) or counted)
    layout: Layout | None = getattr(feed.reader, "layout", None)
    statuses = tuple(Status(raw, meaning, n) for (raw, meaning), n in seen.most_common())
    return Explained(
        source.path,
        kind.name,
        _why(kind, head, source, reader),
        tuple((r.name, _clause(r, head)) for r in claiming(head) if r.name != kind.name),
        layout,
        statuses,
        tuple((run.header.run_id, run.header.metric, run.header.goal, run.tally.trials) for run in feed.runs),
        maps.toml(_written(layout, kind.name, statuses)) if layout is not None else None,
    )


def _foreign(source: Source, head: bytes) -> Explained:
    """A file that nobody reads: what it looks like, and a map to begin with."""
    seen = guess.guess(head)
    layout = over(seen.layout, source.layout) if seen.layout is not None else None
    return Explained(
        source.path, None, unknown(head), (), None, (), (), maps.toml(layout) if layout is not None else None
    )


def _why(kind: type[Reader], head: bytes, source: Source, named: str | None) -> str:
    if named is not None or (source.layout is not None and source.layout.reader is not None):
        return "it was named"
    if kind not in claiming(head):
        return "the map that was given fits it"
    return _clause(kind, head)


def _clause(kind: type[Reader], head: bytes) -> str:
    """Why a reader claims a file, in one clause."""
    why = getattr(kind, "why", None)
    try:
        return str(why(head)) if why is not None else f"it is of the kind {kind.about}"
    except Exception:  # noqa: BLE001  # a stranger's reader may fail at whatever it is shown
        return f"it is of the kind {kind.about}"


def _written(layout: Layout, reader: str, statuses: tuple[Status, ...]) -> Layout:
    """The layout with its reader, and with the words that were seen: what `--map` would say of the same file.

    A word that was taken for more than one thing stays the reader's to judge, and so does one by which a row was not
    called a baseline: its description may have said so.
    """
    words: dict[str, list[str]] = {status: list(layout.statuses.get(status, ())) for status in STATUSES}
    said = {w.casefold() for known in (*words.values(), layout.baseline) for w in known}
    baseline = list(layout.baseline)
    meant: dict[str, set[str]] = {}
    for raw, meaning, _ in statuses:
        if meaning != BASELINE:
            meant.setdefault(raw.casefold(), set()).add(meaning)
    for raw, _, _ in statuses:
        word = raw.casefold()
        if not word or word in said:
            continue
        said.add(word)
        meanings = meant.get(word, set())
        if len(meanings) == 1:
            words[min(meanings)].append(raw)
        elif not meanings and BASELINE in word:
            baseline.append(raw)
    named = {status: tuple(known) for status, known in words.items() if known}
    return over(layout, Layout(reader=reader, statuses=named, baseline=tuple(baseline)))
