"""Reads tables with a row per experiment: TSV, CSV and what was meant to be one.

The family of `commit val_bpb memory_gb status description` and its cousins: other metrics, more columns, another order,
no header at all. Formats with a meaning of their own inherit from it. What is not sure is said with the first row.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from operator import itemgetter
from types import MappingProxyType
from typing import Any, ClassVar, NamedTuple

from msgspec.structs import replace

from trajscope.layout import Layout, over
from trajscope.readers import Source
from trajscope.readers import heads as beginnings
from trajscope.readers.cells import missing
from trajscope.readers.fields import unreadable
from trajscope.readers.grid import Fitted, Shape, fitted, is_open, is_rule, of_traceback, split
from trajscope.readers.heads import Head, Heading
from trajscope.readers.names import ROLE_OF, YES_OR_NO
from trajscope.readers.purposes import Roles, plain, roles
from trajscope.readers.rows import Get, Rows
from trajscope.readers.statuses import Statuses
from trajscope.trial import Event, Item, Line

_TRACED = "a line of a Python traceback"
OPEN = 200  # lines that one quoted cell may go over
Words = Mapping[str, tuple[str, ...]]
_HEADS = frozenset(s for n in (*ROLE_OF, "metric") for s in (n, n.upper(), n.capitalize()))
# Rows of different ones measure different things under one name.
_GROUPS = ("kernel_type", "symbol", "task", "subject", "dataset", "benchmark", "backbone")
_YES_OR_NO: Words = {"kept": ("true", "yes", "1"), "reverted": ("false", "no", "0")}
# Words that are a verdict elsewhere: a right result need not be kept, and a cheap run that is promoted goes on to a
# full one, which has a decision of its own.
_CORRECTNESS: Words = {"other": ("pass",)}
_TIERS: Words = {"other": ("promote",)}


_NO_WORDS: Words = MappingProxyType({})


class Found(NamedTuple):
    """What a table turned out to be."""

    layout: Layout
    unsure: tuple[str, ...] = ()
    words: Words = _NO_WORDS  # of its status column, before what is known of statuses


class Table:
    """One table."""

    name: ClassVar[str] = "table"
    about: ClassVar[str] = "a table (TSV, CSV) with a row per experiment, such as commit, val_bpb, status, description"

    layout: Layout | None = None
    knobs: ClassVar[bool] = False  # whether columns that nobody knows may be knobs

    def __init__(self, source: Source) -> None:
        self._source = source
        self._about: dict[str, str] = {}
        self._heading: Heading | None = None
        self._rows: Rows | None = None
        self._changed = False  # a new heading stands, and no row under it has come yet
        self._runs = 0
        self._delimiter, self._width = "\t", 0
        self._heads: frozenset[str] = _HEADS
        self._shape = Shape(0, None, None, None)
        self._known: Callable[[str], bool] = _never
        self._group: tuple[str, int, str] | None = None  # a column that says what is measured, and what it said first
        self._last: int | None = None  # the line of the last row
        self._traced = False  # the lines before were of a traceback
        self._open: list[str] = []  # of a row whose quoted cell goes on
        self._open_at = 0
        self.statuses: Counter[tuple[str, str]] = Counter()

    # --- whose it is --------------------------------------------------------------------------------------------

    @classmethod
    def sniff(cls, head: bytes) -> bool:
        """Whether its columns, or those of a file without names, are those of experiments."""
        seen = beginnings.head(head)
        return seen is not None and cls.claims(seen)

    @classmethod
    def claims(cls, seen: Head) -> bool:
        """Whether a table that begins like this is of this format."""
        if not seen.heading.in_file:
            return True
        found = roles(seen.heading.names, seen.rows[0] if seen.rows else None)
        layout = found.layout
        named = layout.id is not None or layout.commit is not None or layout.description is not None
        if layout.status is None:
            return named and layout.metric is not None and layout.goal is not None
        if layout.metric is not None and layout.goal is not None:
            return True
        if not seen.rows:
            return named and layout.description is not None
        at = seen.heading.names.index(layout.status)
        measured = layout.metric is not None or bool(layout.metrics)
        return measured and beginnings.speaks([r[at] for r in seen.rows if at < len(r)])

    @classmethod
    def fits(cls, head: bytes, layout: Layout) -> bool:
        """Whether it is a table by the columns that somebody named."""
        seen = beginnings.head(head, layout)
        return seen is not None and (cls is Table or cls.claims(seen))

    @classmethod
    def why(cls, head: bytes) -> str:
        """What it is claimed for."""
        seen = beginnings.head(head)
        if seen is None:
            return cls.about
        if not seen.heading.in_file:
            return "it has no header, and its rows hold a commit, a number, a status and a text"
        layout = cls._roles(seen.heading, seen.rows[0] if seen.rows else None, seen.about).layout
        have = [n for n in (layout.id, layout.metric, layout.status, layout.description) if n]
        return f"its header names {', '.join(dict.fromkeys(have))}"

    # --- line by line -------------------------------------------------------------------------------------------

    def feed(self, line: Line) -> Iterable[Item]:
        """The items of one line."""
        if line.fault:
            return unreadable(line, line.fault)
        text = line.data.decode("utf-8", "replace")
        if text[0] == " " and not text.strip(" ") and not self._open:
            return (Event(seq=line.seq, kind="blank"),)
        rows = self._rows
        if rows is None or self._changed or self._open:
            return self._early(line, text)
        cells = text.split(self._delimiter)
        if len(cells) != self._width or '"' in text or "\x00" in text or cells[0] in self._heads or text[0] in "#|":
            return self._odd(line, text)
        self._last = line.seq
        if self._group is None:
            return rows.read(line, self._row(cells))
        return rows.read(line, self._row(cells), self._grouped(cells))

    def _early(self, line: Line, text: str) -> Iterable[Item]:
        """A line before the first row under a heading, or one of a row that goes over several."""
        if self._open:
            return self._closed(line, text)
        if self._heading is None:
            bare = text.replace("\x00", "").lstrip("\ufeff")
            layout = self._source.layout
            found = beginnings.declared(layout, bare) or beginnings.heading(bare, layout)
            if found is None and (said := beginnings.comment(bare)):
                self._about.setdefault(*said)
                return ()
            found = found or beginnings.nameless(bare)
            if found is None:
                return unreadable(line, _TRACED if of_traceback(text) else "stands before any header of a table")
            self._head(found)
            if found.in_file:
                return ()
            if tuple(c.strip() for c in split(bare, found.delimiter)) == found.names:
                return ()
        return self._odd(line, text)

    def _odd(self, line: Line, text: str) -> Iterable[Item]:
        """A line that may be anything: a comment, a new heading, a row of another width, no row at all."""
        faults: tuple[str, ...] = ()
        if "\x00" in text:
            text, faults = text.replace("\x00", ""), ("holds NUL bytes",)
        if is_rule(text):
            return ()
        if text.startswith("#") and len(split(text, self._delimiter)) < self._width:
            if again := beginnings.heading(text, self._source.layout):
                return self._again(again)
            self._about.update((beginnings.comment(text) or ("", ""),))
            return ()
        first = split(text, self._delimiter)[0].strip()
        if (first in self._heads or first.casefold() in self._heads) and (again := self._heading_in(text)):
            return self._again(again)
        if '"' in text and not line.torn and is_open(text, self._delimiter, self._width):
            self._open, self._open_at = [text], line.seq
            return (Event(seq=line.seq, kind="part", data={"why": "a quoted cell goes on in the next line"}),)
        fit = fitted(text, self._delimiter, self._shape, self._known)
        if isinstance(fit, str):
            return (*self._at_once(), *unreadable(line, self._stray(text, fit)))
        return self._read(line, fit, faults)

    def _heading_in(self, text: str) -> Heading | None:
        found = beginnings.heading(text, self._source.layout)
        assert self._heading is not None
        have = {plain(n) for n in self._heading.names}
        return found if found and len(have & {plain(n) for n in found.names}) >= 2 else None

    def _stray(self, text: str, why: str) -> str:
        """Why a line is no row, and whose text it may be."""
        self._traced = of_traceback(text) or (self._traced and self._delimiter not in text)
        if self._traced:
            return _TRACED
        if self._delimiter in text or self._last is None or not text.strip():
            return why
        return f"belongs to the row before (line {self._last + 1}), whose text holds a newline; {why}"

    def _read(self, line: Line, fit: Fitted, faults: tuple[str, ...] = ()) -> Iterable[Item]:
        if self._rows is None or self._changed:
            self._begin(fit.cells)
        assert self._rows is not None
        self._last, self._traced = line.seq, False
        return self._rows.read(line, self._row(fit.cells), (*fit.faults, *faults, *self._grouped(fit.cells)))

    def _grouped(self, cells: list[str]) -> tuple[str, ...]:
        """That this row measures something else than those before; said once."""
        if self._group is None:
            return ()
        name, at, first = self._group
        here = cells[at].strip()
        if not first or here == first:
            self._group = (name, at, here)
            return ()
        self._group = None
        return (f"{name} is {here!r} here and was {first!r}: values of different ones cannot be compared",)

    def _row(self, cells: list[str]) -> Any:
        """What the columns are taken out of."""
        return cells

    def _closed(self, line: Line, text: str) -> Iterable[Item]:
        """The next line of a row whose quoted cell was left open."""
        alone = split(text, self._delimiter)
        s = self._shape.status
        own = len(alone) == self._width and (self._known(alone[s]) if s is not None else text.count('"') % 2 == 0)
        if own or len(self._open) >= OPEN:
            self._open = []
            fit = fitted(text, self._delimiter, self._shape, self._known)
            lost = f"the row that begins in line {self._open_at + 1} never ends"
            return unreadable(line, f"{lost}; {fit}") if isinstance(fit, str) else self._read(line, fit, (lost,))
        self._open.append(text)
        if text.count('"') % 2 == 0:
            if line.torn:
                return unreadable(line, f"the row that begins in line {self._open_at + 1} has no end yet")
            return (Event(seq=line.seq, kind="part", data={"why": f"of the row in line {self._open_at + 1}"}),)
        whole, self._open = "\n".join(self._open), []
        fit = fitted(whole, self._delimiter, self._shape, self._known)
        return unreadable(line, fit) if isinstance(fit, str) else self._read(line, fit)

    # --- headings -----------------------------------------------------------------------------------------------

    def _head(self, found: Heading) -> None:
        """Rows stand under these names from here on."""
        self._heading, self._delimiter, self._width = found, found.delimiter, len(found.names)
        self._heads = _HEADS | {found.names[0]}
        said = self._roles(found, None, self._about)
        self._shape = self._shaped(over(said.layout, self._source.layout))
        words = over(Layout(statuses=said.words), self._source.layout).statuses
        statuses = Statuses({**words, **(self._source.layout.statuses if self._source.layout else {})})
        self._known = lambda cell: statuses.of(cell.strip()).known

    def _shaped(self, layout: Layout) -> Shape:
        assert self._heading is not None
        place = {n: i for i, n in reversed([*enumerate(self._heading.names)])}
        metric = self._source.metric or layout.metric
        return Shape(self._width, *(place.get(n or "") for n in (layout.status, metric, layout.description)))

    def _at_once(self) -> Iterable[Item]:
        """The run of a table whose names say everything, though its first line is no row: broken, it is still a run."""
        if self._rows is not None or self._heading is None or not self._heading.in_file:
            return ()
        layout = self._roles(self._heading, None, self._about).layout
        if layout.status is not None or layout.metric is None:
            return ()  # what stands in the first row tells more
        self._begin([])
        assert self._rows is not None
        return (self._rows.begin(),)

    def _again(self, found: Heading) -> Iterable[Item]:
        """A heading in the middle: the same one says nothing, another one is for the rows that follow."""
        if found != self._heading or self._about:
            self._head(found)
            self._changed = self._rows is not None
        return ()

    def _begin(self, first: list[str]) -> None:
        """The run of these rows: the one that goes on where the metric stays the same, else a new one."""
        assert self._heading is not None
        about, self._about = self._about, {}
        said = self._layout(first, about)
        found, unsure = said.layout, [*said.unsure]
        if self._source.layout and (lost := _lost(self._source.layout, self._heading.names)):
            have = ", ".join(self._heading.names)
            unsure.insert(0, f"the map names {', '.join(lost)}, and there is no such column (have: {have})")
        if self._source.metric or (self._source.layout and self._source.layout.metric):
            unsure = [u for u in unsure if "--metric" not in u]
        if self._source.goal or (self._source.layout and self._source.layout.goal):
            unsure = [u for u in unsure if "--goal" not in u]
        old, self._changed = self._rows, False
        if old is not None and old.goes_on(found):
            old.turn(found, self._bind)
        else:
            self._runs += 1
            self._rows = Rows(
                self._source,
                found,
                self._bind,
                run=self._runs,
                about=about,
                words=said.words,
                unsure=unsure,
                statuses=self.statuses,
            )
        rows = self._rows
        assert rows is not None
        header = None if self._heading.in_file else self._heading.names
        self.layout = replace(
            rows.layout,
            reader=self.name,
            delimiter=beginnings.called(self._heading),
            header=header,
            metric=rows.metric,
            goal=rows.goal,
        )
        self._shape = self._shaped(rows.layout)
        known = {plain(n): i for i, n in enumerate(self._heading.names)}
        group = next((g for g in _GROUPS if g in known), None)
        self._group = (group, known[group], "") if group else None

    def _layout(self, first: Sequence[str], about: Mapping[str, str]) -> Found:
        """What the columns are for, by their names and the first row."""
        assert self._heading is not None
        return self._roles(self._heading, first, about)

    @classmethod
    def _roles(cls, heading: Heading, first: Sequence[str] | None, about: Mapping[str, str]) -> Found:  # noqa: ARG003  # others read it
        """What the columns are for."""
        return cls._found(roles(heading.names, first, knobs=cls.knobs), heading)

    @classmethod
    def _found(cls, said: Roles, heading: Heading) -> Found:
        unsure = said.unsure
        if not heading.in_file:
            unsure = ("the file has no header: its columns are taken by what they hold", *unsure)
        words = words_of(said.layout, heading.names)
        if said_of := [w for held in words.values() for w in held if words is not _YES_OR_NO]:
            what = ", ".join(said_of)
            unsure = (
                f"{what} in {said.layout.status} is taken for no verdict; a map may say that it means kept",
                *unsure,
            )
        return Found(said.layout, unsure, words)

    def _bind(self, column: str) -> Get | None:
        assert self._heading is not None
        names = self._heading.names
        return itemgetter(names.index(column)) if column in names else None


def words_of(layout: Layout, names: Sequence[str]) -> Words:
    """What words mean in a status column of this name, where they mean something else than elsewhere."""
    status = plain(layout.status or "")
    if status in YES_OR_NO:
        return _YES_OR_NO
    if status == "correctness":
        return _CORRECTNESS
    return _TIERS if "tier" in map(plain, names) else {}


def _lost(said: Layout, names: Sequence[str]) -> list[str]:
    """Columns that somebody named and that are not there."""
    one = ("id", "commit", "parent", "metric", "status", "description", "knob", "value", "old_value", "config", "time",
           "wall_s", "tokens_in", "tokens_out", "usd", "seed")  # fmt: skip
    wanted = [n for f in one if (n := getattr(said, f))]
    return [n for n in (*wanted, *said.metrics, *said.knobs) if n not in names and not missing(n)]


def _never(_cell: str) -> bool:
    return False
