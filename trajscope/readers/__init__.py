"""Readers: one module per trajectory format, each turning lines into items. This one finds the reader of a file.

Of the built-in ones that claim a file the first counts: they are ordered from the special to the general. Strangers'
readers come by the entry point group `trajscope.readers`; they are asked
only when no built-in claims the file, so that installing a package never changes how a known file is read.
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
    "optuna": "trajscope.readers.optuna:Optuna",
    "aide": "trajscope.readers.aide:Aide",
    "openevolve": "trajscope.readers.openevolve:OpenEvolve",
    "shinka": "trajscope.readers.shinka:Shinka",
    "campaign": "trajscope.readers.campaign:Campaign",
    "pi": "trajscope.readers.pi:Pi",
    "events": "trajscope.readers.events:Events",
    "configs": "trajscope.readers.configs:Configs",
    "codex": "trajscope.readers.codex:Codex",
    "blackboard": "trajscope.readers.blackboard:Blackboard",
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
    """Turns the lines of one file into items; one instance per file.

    A reader may have more, and is asked whether it has. One that takes a map has the class attribute
    `layout: Layout | None = None`, which an instance sets before its first header to the layout that it works by: what
    it found, and `source.layout` over it. `statuses: Counter[tuple[str, str]]` counts what the file calls its rows and
    what each was taken for, a status or `baseline`. Two class methods: `why(head: bytes) -> str` says in one clause why
    it claims a file, `fits(head: bytes, layout: Layout) -> bool` whether it can read by this layout what it does not
    recognise by itself.
    """

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


def find(path: str | Path, head: bytes, layout: Layout | None = None) -> type[Reader]:
    """The reader of this content: the one that a layout names, the first built-in that claims it, else a stranger's."""
    if not head:
        raise SourceError(f"{path}: is empty; there is nothing to read yet")
    if layout is not None and layout.reader is not None:
        return get(layout.reader)
    found = next((reader for name in BUILT_IN if _claims(reader := get(name), head)), None)
    if found is None and layout is not None:
        found = next((reader for name in BUILT_IN if _fits(reader := get(name), head, layout)), None)
    if found is not None:
        return found
    claims = [reader for name in _strangers() if _claims(reader := get(name), head)]  # finding them takes 30 ms
    if len(claims) == 1:
        return claims[0]
    if claims:
        names = ", ".join(r.name for r in claims)
        raise SourceError(f"{path}: {names} all claim this file; name one with --reader")
    raise ForeignError(f"{path}: {unknown(head)} (have: {', '.join((*BUILT_IN, *_strangers()))})")


def claiming(head: bytes) -> list[type[Reader]]:
    """Every reader that claims this content, in the order in which they are asked."""
    return [reader for name in (*BUILT_IN, *_strangers()) if _claims(reader := get(name), head)]


def unknown(head: bytes) -> str:
    """What a file that nobody claims looks like, and what to do about it."""
    from trajscope.readers import corpora, guess  # only who has no reader needs to guess

    if said := corpora.said(head):
        return said
    seen = guess.guess(head)
    can = any(hasattr(get(name), "fits") for name in BUILT_IN)
    return guess.sentence(seen, head, by_map=can)


def _claims(reader: type[Reader], head: bytes) -> bool:
    try:
        return reader.sniff(head)
    except Exception:  # noqa: BLE001  # a sniffer that fails on strange bytes claims nothing
        return False


def _fits(reader: type[Reader], head: bytes, layout: Layout) -> bool:
    fits = getattr(reader, "fits", None)
    try:
        return fits is not None and bool(fits(head, layout))
    except Exception:  # noqa: BLE001  # as with a sniffer
        return False


@cache
def _strangers() -> Mapping[str, Any]:
    from importlib.metadata import entry_points

    return {p.name: p for p in entry_points(group=GROUP) if p.name not in BUILT_IN}
