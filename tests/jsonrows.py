"""What the tests of JSON rows share: a file of rows in memory, and what a reader makes of it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any, TypeVar

from trajscope.lines import Lines
from trajscope.readers import Reader, Source, find
from trajscope.trial import Header, Item, Trial

T = TypeVar("T")


def written(*rows: dict[str, Any] | str) -> bytes:
    """The bytes of a file with these rows; a text stands as it is."""
    return b"".join((r if isinstance(r, str) else json.dumps(r)).encode() + b"\n" for r in rows)


def items(data: bytes, reader: type[Reader] | None = None, **said: Any) -> list[Item]:
    """What the reader that claims a file makes of it."""
    mine = (reader or find("x.jsonl", data))(Source("x.jsonl", **said))
    lines = Lines()
    return [item for line in (*lines.feed(data), *lines.close()) for item in mine.feed(line)]


def of(kind: type[T], found: Iterable[Item]) -> list[T]:
    """The items of one kind."""
    return [x for x in found if isinstance(x, kind)]


def trials(data: bytes, **said: Any) -> list[Trial]:
    """The trials of a file."""
    return of(Trial, items(data, **said))


def header(data: bytes, **said: Any) -> Header:
    """The first header of a file."""
    return of(Header, items(data, **said))[0]


def labels(found: Sequence[Trial]) -> list[str | None]:
    """What was proposed, trial by trial."""
    return [t.pair.label if t.pair else None for t in found]
