"""A small reader of tables that takes a map, so that one can see what a reader is told and what is asked of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import ClassVar

from trajscope.layout import Layout, over
from trajscope.readers import BUILT_IN as READERS
from trajscope.readers import Source
from trajscope.trial import Header, Item, Line, Measure, Trial, Unreadable

OWN = {"keep": "kept", "drop": "reverted", "boom": "crashed"}
FOUND = Layout(metric="score", goal="maximize", status="outcome", baseline=("start",))
TABLE = b"""tabled	score	outcome	other
1	0.5	start	3
2	0.6	keep	2
3	0.4	drop: worse	1
4	0.7	odd	0
5	0.8	KEEP	5
"""


class Tabled:
    """Tab-separated, with its columns by name."""

    name: ClassVar[str] = "tabled"
    about: ClassVar[str] = "a table of the tests"
    layout: Layout | None = None
    told: ClassVar[list[Source]] = []

    def __init__(self, source: Source) -> None:
        self.told.append(source)
        self._source = source
        self.layout = over(FOUND, source.layout)
        self.statuses: Counter[tuple[str, str]] = Counter()
        self._columns: list[str] = []

    @classmethod
    def sniff(cls, head: bytes) -> bool:
        """Whether the first column says so."""
        return head.startswith(b"tabled\t")

    @classmethod
    def why(cls, head: bytes) -> str:
        """In one clause."""
        return f"its first column is called {head[:6].decode()}"

    @classmethod
    def fits(cls, head: bytes, layout: Layout) -> bool:
        """Whether the columns that a map names are there."""
        return layout.metric is not None and layout.metric.encode() in head.split(b"\n")[0].split(b"\t")

    def feed(self, line: Line) -> Iterable[Item]:
        """The items of a row."""
        layout, cells = self.layout, line.data.decode("utf-8", "replace").split("\t")
        assert layout is not None
        if not self._columns:
            self._columns = cells
            return (Header(run_id="t", metric=layout.metric, goal=layout.goal),)
        row = dict(zip(self._columns, cells, strict=False))
        word = row.get(layout.status or "", "")
        meaning = "baseline" if word in layout.baseline or word.startswith("base") else self._meaning(word)
        self.statuses[word, meaning] += 1
        try:
            value = float(row.get(layout.metric or "", ""))
        except ValueError:
            return (Unreadable(seq=line.seq, at=line.at, why="no number"),)
        if meaning == "baseline":
            return (Measure(seq=line.seq, what="baseline", value=value),)
        return (Trial(seq=line.seq, at=line.at, status=meaning, value=value, raw_status=word),)

    def _meaning(self, word: str) -> str:
        assert self.layout is not None
        told = {w.casefold(): status for status, words in self.layout.statuses.items() for w in words}
        if word.casefold() in told:
            return told[word.casefold()]
        near = sorted((w for w in told if word.casefold().startswith(w)), key=len)
        return told[near[-1]] if near else next((s for w, s in OWN.items() if word.casefold().startswith(w)), "other")


class General(Tabled):
    """Claims every table, as a general reader at the end of the order may."""

    name: ClassVar[str] = "general"
    about: ClassVar[str] = "any table"
    told: ClassVar[list[Source]] = []

    @classmethod
    def sniff(cls, head: bytes) -> bool:
        """Whether there is a tab."""
        return b"\t" in head


BUILT_IN = {"tabled": "mapfield:Tabled", "general": "mapfield:General"}


@contextmanager
def read_by(names: Mapping[str, str]) -> Iterator[None]:
    """Only these readers and the two of JSON lines are built in, in this order; afterwards all, in theirs."""
    was = dict(READERS)
    READERS.clear()
    READERS.update({**{name: was[name] for name in ("native", "stages")}, **names})
    try:
        yield
    finally:
        READERS.clear()
        READERS.update(was)
