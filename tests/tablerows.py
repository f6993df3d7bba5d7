"""What the table tests share: rows as text, and what a reader makes of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from trajscope.lines import Lines
from trajscope.readers import Reader, Source, find
from trajscope.trial import Event, Header, Item, Line, Measure, Trial, Unreadable

COLUMNS = ("commit", "val_bpb", "memory_gb", "status", "description")


def tsv(*rows: Sequence[str] | str, end: str = "\n", head: Sequence[str] = COLUMNS) -> bytes:
    """A table under a header; a row that is one text stands as it is."""
    return "".join((r if isinstance(r, str) else "\t".join(r)) + end for r in (head, *rows)).encode()


def cut(data: bytes, size: int | None = None) -> list[Line]:
    """The lines of a file that arrives in pieces of this size."""
    lines, out = Lines(), []
    for at in range(0, len(data), size or len(data) or 1):
        out += lines.feed(data[at : at + (size or len(data))])
    return [*out, *lines.close()]


def read(data: bytes, reader: type[Reader] | None = None, **said: Any) -> list[Item]:
    """The items of a file, by the reader that claims it where none is named."""
    source = Source("results.tsv", **said)
    kind = reader or find("results.tsv", data[: 1 << 16], source.layout)
    feed = kind(source).feed
    return [item for line in cut(data) for item in feed(line)]


def trials(items: Iterable[Item]) -> list[Trial]:
    """The trials alone."""
    return [x for x in items if isinstance(x, Trial)]


def headers(items: Iterable[Item]) -> list[Header]:
    """The headers alone."""
    return [x for x in items if isinstance(x, Header)]


def measures(items: Iterable[Item]) -> list[Measure]:
    """The measures alone."""
    return [x for x in items if isinstance(x, Measure)]


def unread(items: Iterable[Item]) -> list[Unreadable]:
    """What could not be read."""
    return [x for x in items if isinstance(x, Unreadable)]


def events(items: Iterable[Item]) -> list[Event]:
    """The events alone."""
    return [x for x in items if isinstance(x, Event)]


def told(items: Iterable[Item]) -> list[tuple[str, float | None]]:
    """Status and value of every trial."""
    return [(t.status, t.value) for t in trials(items)]
