"""A run as it grows: bytes of its tail through its reader into its runs, and what is said of them now.

Asks no clock and never sleeps: whoever steps decides when. What it says after trial *t* is what a file that ended there
would be said to hold.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

from trajscope import analysis, past, rules, sources
from trajscope.chain import link
from trajscope.columns import Row
from trajscope.errors import ForeignError, SourceError
from trajscope.fold import Metric
from trajscope.metrics import METRICS
from trajscope.pipeline import Feed, Sink, Standing
from trajscope.readers import Reader, Source, find, get
from trajscope.rules import Word
from trajscope.run import Run
from trajscope.tail import Oddity, Reset, Tail
from trajscope.trial import End, Item
from trajscope.verdict import Level, Verdict
from trajscope.watermark import Mark

NOTICES = 200  # oddities that are remembered; their total is exact


class Said(NamedTuple):
    """What is known of a run at one moment: the values of `analysis.glance`, and what the rules make of them."""

    values: dict[str, Any]
    verdicts: list[Verdict]
    word: Word


class Bulk(Protocol):
    """Whoever takes rows as columns while a long past is read, and says what metrics come to in them."""

    def columns(self, run: Run, columns: Mapping[str, Any]) -> None:
        """More rows."""
        ...

    def states(self, run: Run) -> Mapping[str, Any]:
        """What the metrics of a run come to so far."""
        ...


@dataclass
class Stepped:
    """What one step brought."""

    items: int = 0
    notices: tuple[Oddity | Reset, ...] = ()


class Live:
    """One file as it grows. `run` is the one that goes on; `past` holds those of files that were replaced or cut."""

    def __init__(
        self,
        source: Source,
        reader: str | None = None,
        *,
        metrics: Iterable[Metric] = METRICS,
        sink: Sink | None = None,
    ) -> None:
        self.source = source
        self.tail = Tail(source.path)
        self.past: list[Run] = []
        self.notices: deque[Oddity | Reset] = deque(maxlen=NOTICES)
        self.odd = 0  # notices in all
        self.begun = 0  # times that the file was read anew from its beginning
        self.why = "the run has not begun"  # why there is no run, where there is none
        self.foreign = False  # no reader knows what is in it so far
        self.finished = False  # an `end` line was the last thing that was read
        self.bulk: Bulk | None = None  # while it is set, whole lines are taken many at a time where a reader can
        self._end = -1  # seq of the `end` line
        self._reader = reader
        self._metrics = tuple(metrics)
        self._sink = sink
        self._feed: Feed | None = None
        self._early = b""  # bytes by which the format is not recognised yet
        self._peeked = b""  # the beginning of a long first line, by which it was not either
        self._items = 0
        self._said: tuple[tuple[int, int], Said] | None = None

    @property
    def runs(self) -> list[Run]:
        """The runs of the file as it is now."""
        return self._feed.runs if self._feed else []

    @property
    def run(self) -> Run | None:
        """The run that goes on."""
        return self.runs[-1] if self.runs else None

    @property
    def format(self) -> str | None:
        """The reader that understands the file, once there is something to understand."""
        return self._feed.format if self._feed else None

    @property
    def torn(self) -> int:
        """Bytes of a last line that is not whole yet."""
        return len(self.tail.held) + (self._feed.torn if self._feed else len(self._early))

    def mark(self) -> Mark | None:
        """How far the file was read: its last whole line with content."""
        last = self._feed.last if self._feed else None
        if last is None or last.torn:
            return None
        return Mark(last.seq, last.at + len(last.data) + 1, link(last.data))

    def step(self) -> Stepped:
        """Take what came since the last step; at most `tail.MOST` bytes of it, then `tail.behind` is true."""
        before, told = self._items, []
        for part in self.tail.poll():
            if isinstance(part, bytes):
                self._take(part)
                continue
            told.append(part)
            self.note(part)
            if isinstance(part, Reset):
                self._begin_anew(lost=part.kind != "retold")
        if self._feed is None:
            self._peek()
            if self.tail.foreign:
                self.why, self.foreign = self.tail.foreign, True
        return Stepped(self._items - before, tuple(told))

    def resuming(self, found: past.Past) -> Iterator[None]:
        """Go on where the past of the file was written down, in short steps.

        Raises what a snapshot that cannot be used raises.
        """
        feed = self._new_feed(get(found.standing.format))
        yield from feed.resuming(found.standing, found.head, found.last)
        self._feed, self.tail = feed, Tail(self.source.path, found.standing.at)
        self.finished = found.finished
        self._items += 1

    def standing(self) -> Standing | None:
        """Where reading stands now, to go on from there another time; None where that cannot be said."""
        return self._feed.standing() if self._feed is not None and self.bulk is None and not self.past else None

    def settle(self) -> None:
        """The past has been taken in: from here on line by line."""
        if self.bulk is not None and self._feed is not None:
            self._feed.settle(self._metrics, self.bulk.states)
        self.bulk, self._said = None, None

    def note(self, odd: Oddity | Reset) -> None:
        """Remember something odd."""
        self.odd += 1
        self.notices.append(odd)

    def close(self) -> None:
        """The file is over: its torn last line is all there will be of it."""
        if rest := self.tail.rest():
            self._take(rest)
        if self._feed is None and self._early:
            self._open(whole=True)
        self._finish()
        self.tail.close()

    def said(self) -> Said | None:
        """What is known of the run that goes on; counted once for each state of it."""
        run = self.run
        if run is None:
            return None
        key = (id(run), self._items)
        if self._said is None or self._said[0] != key:
            values = analysis.glance(run, self.bulk.states(run) if self.bulk else None)
            verdicts = rules.judge(run, values)
            self._said = key, Said(values, verdicts, rules.word(run, values, verdicts))
        return self._said[1]

    def failing(self, words: Collection[str]) -> tuple[Verdict, ...]:
        """The verdicts at FAIL that would make one of these the word of the run."""
        said = self.said()
        found = said.verdicts if said is not None else ()
        return tuple(v for v in found if v.level is Level.FAIL and rules.WORD_OF.get(v.rule) in words)

    def _take(self, data: bytes) -> None:
        if self._feed is not None:
            self._feed.feed(data)
            return
        if len(self._early) < sources.HEAD:  # beyond, no reader knew it, and none will
            self._early += data
            self._open(whole=False)

    def _peek(self) -> None:
        """Find the reader though no line has come: nothing more will, or the first one is long."""
        if self.tail.ended and self._early:
            self._open(whole=True)
        elif not self._early and (head := self.tail.held[: sources.HEAD]) != self._peeked:
            self._peeked = head
            self._open(whole=False)

    def _open(self, *, whole: bool) -> None:
        """Find the reader of what came so far; a file that begins with half a line is waited for."""
        head = (self._early or self._peeked)[: sources.HEAD]
        if not whole and b"\n" not in self._early and len(head) < sources.HEAD:
            return
        try:
            known = get(self._reader) if self._reader else find(self.source.path, head, self.source.layout)
        except SourceError as e:
            self.why, self.foreign = str(e), isinstance(e, ForeignError)
            return
        self.foreign = False
        self._feed = self._new_feed(known)
        early, self._early = self._early, b""
        self._feed.feed(early)

    def _new_feed(self, known: type[Reader]) -> Feed:
        if self.bulk is not None:
            return Feed(self.source, known, (), self._seen, self._columns)
        return Feed(self.source, known, self._metrics, self._seen)

    def _columns(self, run: Run, columns: Mapping[str, Any]) -> None:
        self._items += len(columns["seq"])
        self.finished = self.finished and self._end > int(columns["seq"][-1])  # what is no trial comes first
        if self.bulk is not None:
            self.bulk.columns(run, columns)

    def _seen(self, run: Run, item: Item, row: Row | None) -> None:
        self._items += 1
        self.finished = isinstance(item, End)
        if isinstance(item, End):
            self._end = item.seq
        if self._sink:
            self._sink(run, item, row)

    def _begin_anew(self, *, lost: bool) -> None:
        self._finish()
        self.begun += 1
        self.past += self.runs if lost else []
        self._feed, self._early, self._peeked, self.finished = None, b"", b"", False
        self.why = "the run has not begun anew"

    def _finish(self) -> None:
        if self._feed is not None:
            try:
                self._feed.close()
            except SourceError as e:
                self.why = str(e)
