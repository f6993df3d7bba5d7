"""How the past of a long file is taken in quickly, and written down for the next time.

Where the user's cache holds how the file began, reading goes on from there; else the past is read many lines at a time,
as far as its reader can, and SQL counts what the metrics came to. In both cases the screen shows what it would show had
every line been read by itself.
"""

from __future__ import annotations

import stat
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from trajscope import cache, past, sources, unfold
from trajscope.errors import QueryError, SourceError
from trajscope.past import Past, Segment
from trajscope.run import Run
from trajscope.watch.answers import Answers

if TYPE_CHECKING:
    import polars as pl

    from trajscope.watch.watching import Watching

AGAIN = 8  # a past is written down anew when the file is closed, if an eighth of what is worth it has come
_DONE = object()
GROWN = 4  # and while it is read, when it has grown by a quarter


class Opening:
    """Of one file. Every step of reading is taken between `before` and `after`."""

    def __init__(self, watching: Watching) -> None:
        self._watching = watching
        self._source = watching.live.source
        self.begun = False  # the file itself was read from
        self.resumed = False  # from what was written down
        self._turns = 0  # that were taken before
        self._asked = watching.answers is not None
        self._name: str | None = None
        self._segments: tuple[Segment, ...] = ()
        self._at = 0  # bytes whose reading was written down
        self._beginning: Iterator[None] | None = None
        self._writing: Iterator[tuple[Segment, ...]] | None = None

    @property
    def waiting(self) -> bool:
        """Whether there is more to do at once."""
        return not self.begun or self._writing is not None

    @property
    def to_show(self) -> bool:
        """Whether a long file is about to be opened, which whoever waits should see first."""
        return self._turns == 1 and not self.begun

    def before(self) -> bool:
        """Before a step of reading; whether this was all for now, so that the screen can be shown."""
        if self.begun or (not self._turns and self._left(0) < max(1, cache.WORTH)):
            return False
        self._turns += 1
        if self._turns == 2:
            self._beginning = self._begin()
        if self._beginning is not None and next(self._beginning, _DONE) is _DONE:
            self._beginning = None
            return True
        return self._beginning is not None or self._turns < 3

    def after(self) -> None:
        """After a step of reading."""
        live, self.begun = self._watching.live, True
        if live.bulk is not None:
            if live.tail.behind:
                return
            live.settle()
            self._write()
        elif self._writing is not None:
            self._go_on()
        elif not live.tail.behind and live.tail.at - self._at >= max(cache.WORTH, self._at // GROWN):
            self._write()
        if self._writing is None and not self._asked:
            self._watching.answers = None

    def last(self) -> None:
        """The file is let go: write down what is new, if that is much."""
        live = self._watching.live
        if self._writing is not None:
            self._finish()
        if live.bulk is not None:
            live.settle()
        if live.tail.at >= cache.WORTH and live.tail.at - self._at > cache.WORTH // AGAIN:
            self._write()
            self._finish()

    # --- of a live reading in bulk ------------------------------------------------------------------------------

    def columns(self, run: Run, columns: Mapping[str, Any]) -> None:
        """More rows."""
        self._watching.seen.take_columns(columns)
        if self._watching.noting is not None:
            self._watching.noting.take_columns(run, columns)
        if self._watching.answers is not None:
            self._watching.answers.take_columns(run, columns)

    def states(self, run: Run) -> Mapping[str, Any]:
        """What the metrics of a run come to so far."""
        assert self._watching.answers is not None
        return self._watching.answers.states(run)

    # --- how ----------------------------------------------------------------------------------------------------

    def _begin(self) -> Iterator[None]:
        w = self._watching
        self._name = past.name(self._source, w.reader)
        # What was written down holds no trial for whoever wants to hear of each.
        known = self._name is not None and w.noting is None
        found = past.load(self._name, self._source) if known and self._name else None
        if found is None or self._left(found.standing.at) >= max(1, cache.WORTH):
            w.live.bulk = self
            w.answers = w.answers or Answers()
        if found is not None:
            yield
            yield from self._resume(found)

    def _resume(self, found: Past) -> Iterator[None]:
        w = self._watching
        try:
            seen = w.seen.thaw(found.also)
            yield from w.live.resuming(found)
        except (msgspec.MsgspecError, SourceError, ValueError, LookupError, TypeError):
            w.live.bulk = self  # it cannot be used, so all is read
            w.answers = w.answers or Answers()
            return
        w.seen.restore(seen)
        self.resumed = True
        assert w.live.run is not None
        if w.answers is not None:
            w.answers.stand_on(w.live.run, found, load=w.live.bulk is not None)
        self._segments, self._at = found.segments, found.standing.at
        w.items += 1

    def _write(self) -> None:
        """Begin to write down how far the file was read."""
        w = self._watching
        self._name = self._name or past.name(self._source, w.reader)
        if self._name is None or w.answers is None or (at := w.live.tail.at) < cache.WORTH:
            return
        self._at = at  # written or not: what failed is not tried again at once
        try:
            standing = w.live.standing()
        except (ValueError, OverflowError, TypeError):
            return  # something in it cannot be written down
        run = w.live.run
        if standing is None or run is None:
            return
        answers = w.answers

        def fetch(table: str, first: int, after: int) -> pl.DataFrame:
            try:
                return answers.rows(run, table, first, after)
            except QueryError as e:
                raise ValueError(str(e)) from None

        self._writing = past.write(
            self._name, self._source, standing, w.seen.snapshot(), fetch, self._segments, finished=w.live.finished
        )

    def _go_on(self) -> None:
        assert self._writing is not None
        found = next(self._writing, None)
        if found is None:
            self._writing = None
        else:
            self._segments = found

    def _finish(self) -> None:
        while self._writing is not None:
            self._go_on()

    def _left(self, at: int) -> int:
        """Bytes of the file from here on; none of what is no plain file."""
        try:
            here = Path(self._source.path).stat()
            if not stat.S_ISREG(here.st_mode) or here.st_size - at < cache.WORTH:
                return 0
            with sources.opened(self._source.path) as f:
                head = f.read(unfold.SNIFFED)
                return 0 if sources.is_packed(head) or unfold.known(head) else here.st_size - at
        except (SourceError, OSError, ValueError):
            return 0
