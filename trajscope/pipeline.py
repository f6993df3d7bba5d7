"""The one path from bytes to rows: lines, a reader, runs.

Live and batch both feed it; only where the bytes come from differs.
"""

from __future__ import annotations

import dataclasses
import gc
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any

from msgspec import Struct

from trajscope import bulk, sources
from trajscope.batch import MOST, READ, Batch, joined
from trajscope.blobs import read_blob
from trajscope.columns import Row
from trajscope.errors import SourceError
from trajscope.fold import Metric
from trajscope.lines import Lines
from trajscope.readers import Reader, Source, find, get
from trajscope.run import Run
from trajscope.trial import Header, Item, Line, Trial, Unreadable

Sink = Callable[[Run, Item, Row | None], None]
ColumnSink = Callable[[Run, Mapping[str, Any]], None]


class Standing(Struct, frozen=True):
    """Where the reading of a file with one run stands, between two lines; plain values, to be taken up there again."""

    format: str
    seq: int  # of the line that comes next
    at: int  # where it begins
    last: tuple[int, int]  # the same of the last line with content
    run: tuple[bytes, ...]  # in pieces
    reader: bytes


class Feed:
    """One file's bytes on their way to its runs."""

    def __init__(
        self,
        source: Source,
        reader: type[Reader],
        metrics: Iterable[Metric] = (),
        sink: Sink | None = None,
        columns: ColumnSink | None = None,
    ):
        if source.layout is not None and not hasattr(reader, "layout"):
            fixed = f"{source.path}: is read as {reader.name}, whose fields are fixed, and a map is given for it"
            raise SourceError(f"{fixed}; drop the map, or name another reader with --reader")
        self.source = source
        self.format = reader.name
        self.runs: list[Run] = []
        self._lines = Lines()
        beside = None if source.path == "-" else partial(read_blob, source.path)
        self.reader = reader(dataclasses.replace(source, fetch=source.fetch or beside))
        self._metrics = tuple(metrics)
        self._sink = sink
        self._early: list[Item] = []  # unreadable lines before the first header
        self._early_lines = 0
        self.last: Line | None = None  # that was read
        self._columns = columns
        self._batch = getattr(self.reader, "batch", None) if columns and not self._metrics else None
        self._most = min(READ, MOST)  # lines of the next batch
        self._held: list[Line] = []  # that wait for more of them
        self._ahead: list[tuple[list[Item | Batch], int, Line]] = []  # what was read and not pushed, in pieces
        self._waiting = 0  # lines of those pieces

    @property
    def torn(self) -> int:
        """Bytes of a last line that has no end yet."""
        return self._lines.held

    @property
    def bulky(self) -> bool:
        """Whether lines are read many at a time."""
        return self._batch is not None

    @property
    def _unpushed(self) -> bool:
        return bool(self._held or self._ahead)

    def standing(self) -> Standing | None:
        """All that is needed to go on from the last whole line; None where that cannot be said."""
        snapshot = getattr(self.reader, "snapshot", None)
        if len(self.runs) != 1 or self.last is None or self.last.torn or self._unpushed or snapshot is None:
            return None
        seq, at = self._lines.place
        return Standing(self.format, seq, at, (self.last.seq, self.last.at), tuple(self.runs[0].pieces()), snapshot())

    def resuming(self, standing: Standing, head: bytes, last: bytes) -> Iterator[None]:
        """Go on in short steps: `head` is how the file begins, `last` what it holds from the last line with content."""
        items = chain.from_iterable(map(self.reader.feed, Lines().feed(head)))
        header = next((item for item in items if type(item) is Header), None)
        if header is None:
            raise ValueError("no header in what the file begins with")
        run = Run(header, self._metrics)
        yield from run.taking_up(standing.run)
        self.reader.restore(standing.reader)  # type: ignore[attr-defined]  # a reader with a snapshot has both
        self.last = Lines(*standing.last).feed(last)[0]
        self._lines = Lines(standing.seq, standing.at)
        self.runs.append(run)
        if self._sink:
            self._sink(run, header, None)

    def settle(self, metrics: Iterable[Metric], states: Callable[[Run], Mapping[str, Any]]) -> None:
        """From here on line by line, with these metrics; `states` says what they came to in the rows so far."""
        self.drain()
        self._metrics = tuple(metrics)
        for run in self.runs:
            run.go_on(self._metrics, states(run))
        self._batch = self._columns = None

    def drain(self) -> None:
        """Take the whole lines that wait for more of them."""
        held, self._held = self._held, []
        self._read(held)
        self._push()

    def feed(self, chunk: bytes) -> None:
        """More bytes."""
        lines = self._lines.feed(chunk)
        if self._batch is None:
            self._take(lines)
            return
        self._held += lines
        few = min(READ, MOST)
        whole = len(self._held) // few * few
        read, self._held = self._held[:whole], self._held[whole:]
        for at in range(0, whole, few):
            self._read(read[at : at + few])
            if self._waiting >= MOST:
                self._push()

    def close(self) -> None:
        """The file has ended: its torn last line is all there will be of it."""
        self._held += self._lines.close()
        if self._batch is None:
            self._take(self._held)
        else:
            self.drain()
        if not self.runs:
            first = next((x for x in self._early if isinstance(x, Unreadable)), None)
            where = f"; line {first.seq + 1}: {first.why}" if first else ""
            raise SourceError(
                f"{self.source.path}: none of its {self._early_lines} lines could be read as {self.format}{where}"
            )

    def _take(self, lines: Iterable[Line]) -> None:
        read, sink, run = self.reader.feed, self._sink, self.runs[-1] if self.runs else None
        for line in lines:
            for item in read(line):
                if type(item) is Header:
                    run = self._begin(item)
                elif run is None:
                    self._early.append(item)
                else:
                    row = run.push(item) if type(item) is Trial else run.take(item)
                    if sink:
                        sink(run, item, row)
            if run is None:
                self._early_lines += 1
            else:
                run.tally.lines += 1
            self.last = line

    def _read(self, lines: list[Line]) -> None:
        """Many lines through the reader; the law is that nothing but the time it takes is different."""
        at = 0
        while at < len(lines) and not self.runs:
            self._take(lines[at : at + 1])
            at += 1
        while at < len(lines):
            assert self._batch is not None
            items, taken = self._batch(lines[at : at + self._most])
            at += taken
            self._waiting += taken
            self._ahead.append((items, taken, lines[at - 1]))
            # Where headers come thick, most of a batch would be decoded in vain again and again.
            self._most = min(READ, MOST, 64 if _begins(items) else 2 * self._most)

    def _push(self) -> None:
        """What was read into its runs, trials that stand in a row at once."""
        ahead, self._ahead, self._waiting = self._ahead, [], 0
        trials: list[Batch] = []
        for items, taken, last in ahead:
            self.last = last
            self.runs[-1].tally.lines += taken - _begins(items)
            for item in items:
                if type(item) is Batch:
                    trials.append(item)
                    continue
                self._push_trials(trials)
                trials = []
                run = self.runs[-1]
                if type(item) is Header:
                    self._begin(item).tally.lines += 1
                    continue
                row = run.push(item) if type(item) is Trial else run.take(item)  # type: ignore[arg-type]  # no batch
                if self._sink:
                    self._sink(run, item, row)  # type: ignore[arg-type]  # no batch
        self._push_trials(trials)

    def _push_trials(self, batches: list[Batch]) -> None:
        if batches:
            run = self.runs[-1]
            found = bulk.push(run, joined(batches))
            if self._columns:
                self._columns(run, found)

    def _begin(self, header: Header) -> Run:
        run = Run(header, self._metrics)
        run.alarms = self.source.alarms
        self.runs.append(run)
        for item in self._early:
            run.take(item)
        run.tally.lines += self._early_lines
        self._early, self._early_lines = [], 0
        if self._sink:
            self._sink(run, header, None)
        return run


def _begins(items: Sequence[Item | Batch]) -> bool:
    """Whether a run begins behind these items."""
    return bool(items) and type(items[-1]) is Header


def read(
    source: Source,
    reader: str | None = None,
    metrics: Iterable[Metric] = (),
    sink: Sink | None = None,
    progress: Callable[[int], None] | None = None,
    columns: ColumnSink | None = None,
) -> Feed:
    """A whole file, read to its end. Where nothing but SQL asks for rows, `columns` takes them many at once."""
    chunks = sources.read(source.path, progress)
    head = next(chunks, b"")
    kind = get(reader) if reader else find(source.path, head[: sources.HEAD], source.layout)
    feed = Feed(source, kind, metrics, sink, columns)
    with uncollected():
        feed.feed(head)
        for chunk in chunks:
            feed.feed(chunk)
        feed.close()
    return feed


@contextmanager
def uncollected() -> Iterator[None]:
    """No cycles are made while reading, and the collector would walk every pair again and again: 7% of a large file."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


def header(source: Source, reader: str | None = None) -> tuple[Run, str]:
    """The run that a file begins with, before any trial, and the format that was found."""
    head = next(sources.read(source.path), b"")
    kind = get(reader) if reader else find(source.path, head[: sources.HEAD], source.layout)
    read_line = kind(source).feed
    for line in Lines().feed(head):
        for item in read_line(line):
            if isinstance(item, Header):
                run = Run(item)
                run.alarms = source.alarms
                return run, kind.name
    raise SourceError(f"{source.path}: no header in its first {len(head):,} bytes; read it whole with --no-cache")


def menu_beside(path: str | Path) -> Path | None:
    """`NAME.menu.json` beside `NAME.jsonl`, where there is one."""
    return _beside(path, ".menu.json")


def map_beside(path: str | Path) -> Path | None:
    """`NAME.map.toml` beside `NAME.tsv`, where there is one."""
    return _beside(path, ".map.toml")


def _beside(path: str | Path, end: str) -> Path | None:
    p = Path(path)
    for stem in (p.name, p.name.split(".")[0]) if str(path) != "-" and p.name else ():
        found = p.with_name(f"{stem}{end}")
        if found.is_file():
            return found
    return None
