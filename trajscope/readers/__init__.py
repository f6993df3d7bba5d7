"""Readers: one module per trajectory format, each turning lines into items. This one finds the reader of a file.

Strangers' readers come by the entry point group `trajscope.readers`; they are asked only when no built-in claims
the file, so that installing a package never changes how a known file is read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any, ClassVar, Protocol, cast

from trajscope.alarms import DEFAULTS, AlarmSettings
from trajscope.errors import ForeignError, SourceError
from trajscope.layout import Layout
from trajscope.menu import Menu
from trajscope.trial import Goal, Item, Line

# From the special to the general: the first that claims a file reads it.
BUILT_IN = {
    "native": "trajscope.readers.native:Native",
    "stages": "trajscope.readers.stages:Stages",
    "codex": "trajscope.readers.codex:Codex",
    "blackboard": "trajscope.readers.blackboard:Blackboard",
    "campaign": "trajscope.readers.campaign:Campaign",
    "knobs": "trajscope.readers.knobs:Knobs",
    "table": "trajscope.readers.table:Table",
}
GROUP = "trajscope.readers"


@dataclass(frozen=True, slots=True)
class Source:
    """What the user said about a file that the file may not say itself."""

    path: str
    metric: str | None = None
    goal: Goal | None = None
    menu: Menu | None = None
    history: int | None = None
    alarms: AlarmSettings = DEFAULTS
    layout: Layout | None = None  # what the columns mean, where somebody said so
    repo: str | None = None  # a git repository that holds the commits the file names
    fetch: Callable[[str], str] | None = None  # a long text that lies beside the file, by its hash


class Reader(Protocol):
    """Turns the lines of one file into items; one instance per file."""

    name: ClassVar[str]
    about: ClassVar[str]

    def __init__(self, source: Source) -> None: ...

    @classmethod
    def sniff(cls, head: bytes) -> bool:
        """Whether the beginning of a file (`sources.HEAD` bytes at most) is of this format, by content alone."""
        ...

    def feed(self, line: Line) -> Iterable[Item]:
        """The items of one line. Foreign bytes are data: what cannot be understood is `Unreadable`, never raised."""
        ...


def formats() -> dict[str, type[Reader]]:
    """Every reader there is, built-in ones first."""
    return {name: get(name) for name in (*BUILT_IN, *_strangers())}


def get(name: str) -> type[Reader]:
    """The reader of this name."""
    where = BUILT_IN.get(name)
    if where is None:
        point = _strangers().get(name)
        if point is None:
            have = ", ".join((*BUILT_IN, *_strangers()))
            raise SourceError(f"no reader is called {name!r} (have: {have})")
        try:
            return cast("type[Reader]", point.load())
        except Exception as e:  # a stranger's package may fail in any way while it is imported
            raise SourceError(f"reader {name!r} cannot be loaded ({type(e).__name__}: {e}); mend that package") from e
    module, _, cls = where.partition(":")
    return cast("type[Reader]", getattr(import_module(module), cls))


def find(path: str | Path, head: bytes) -> type[Reader]:
    """The reader that claims this content."""
    if not head:
        raise SourceError(f"{path}: is empty; there is nothing to read yet")
    for name in BUILT_IN:
        if _claims(reader := get(name), head):
            return reader
    claims = [reader for name in _strangers() if _claims(reader := get(name), head)]
    if len(claims) == 1:
        return claims[0]
    if claims:
        names = ", ".join(r.name for r in claims)
        raise SourceError(f"{path}: {names} all claim this file; name one with --reader")
    have = ", ".join((*BUILT_IN, *_strangers()))
    kind = "binary, not text" if b"\x00" in head[:1024] else "in no format that a reader knows"
    raise ForeignError(f"{path}: is {kind}; name one with --reader (have: {have})")


def _claims(reader: type[Reader], head: bytes) -> bool:
    try:
        return reader.sniff(head)
    except Exception:  # noqa: BLE001  # a sniffer that fails on strange bytes claims nothing
        return False


@cache
def _strangers() -> Mapping[str, Any]:
    from importlib.metadata import entry_points

    return {p.name: p for p in entry_points(group=GROUP) if p.name not in BUILT_IN}
