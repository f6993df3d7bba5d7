"""One run that is watched: reads it step by step, and says what its screen shows.

Asks no clock and never sleeps: whoever steps says what time it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import nullcontext
from pathlib import Path
from threading import Lock
from time import perf_counter
from typing import TYPE_CHECKING, Any, Protocol

from trajscope import analysis
from trajscope.columns import Row
from trajscope.errors import QueryError, SourceError
from trajscope.live import Live, Said
from trajscope.pipeline import uncollected
from trajscope.readers import Source
from trajscope.rules import alive
from trajscope.rules.alive import Fresh
from trajscope.run import Run
from trajscope.sidecar import Sidecar
from trajscope.tail import Oddity, Reset
from trajscope.trial import Item
from trajscope.watch import panel
from trajscope.watch.answers import Answers
from trajscope.watch.opening import Opening
from trajscope.watch.panel import Panel
from trajscope.watch.played import Moments, Played
from trajscope.watch.seen import Seen

if TYPE_CHECKING:
    from trajscope.store import Answer

REST = 4.0  # the values are counted anew only after so many times what counting them took
ABSOLUTE = "native"  # the format whose times carry a zone, so that they may be compared with now


class Noting(Protocol):
    """Whoever notes every trial of a run, from the first on."""

    def take(self, run: Run, item: Item, row: Row | None) -> None:
        """One item that a run has taken, with its row where it was a trial."""
        ...

    def take_columns(self, run: Run, columns: Mapping[str, Any]) -> None:
        """Many trials in columns, as a bulk lane has them."""
        ...


class Watching:
    """One file on a screen. `asked` tells whether its rows are kept for SQL; `noting` hears of every trial."""

    def __init__(
        self,
        source: Source,
        reader: str | None = None,
        *,
        asked: bool = False,
        played: Played | None = None,
        sidecar: bool = False,
        noting: Noting | None = None,
    ):
        self.busy = Lock()  # held by whoever reads on, or looks where reading writes
        self.seen = Seen(source.alarms)
        self.answers = Answers() if asked else None
        self.live = Live(source, reader, sink=self._take)
        self.reader = reader
        self.played = played
        if played is not None:
            self.live.tail = played  # type: ignore[assignment]  # polled, closed and asked for its place like a tail
        self.sidecar = Sidecar(source.path) if sidecar else None
        self.noting = noting
        self.moments = Moments()  # of a file that is played
        self.items = 0  # taken so far
        self.opening = Opening(self) if played is None and not sidecar else None
        self._said: Said | None = None
        self._told = -1  # items behind `_said`
        self._due_s = 0.0
        self._caught_up = self._closed = False
        self._heard_s: float | None = None  # when something came down a pipe

    @property
    def behind(self) -> bool:
        """Whether there is more to read at once."""
        return self.live.tail.behind or (self.opening is not None and self.opening.waiting)

    @property
    def reading(self) -> bool:
        """Whether there are lines in the file that were not read yet."""
        return self.live.tail.behind or (self.opening is not None and not self.opening.begun)

    @property
    def to_show(self) -> bool:
        """Whether there is something to be shown before anything is read."""
        return self.opening is not None and self.opening.to_show

    @property
    def over(self) -> bool:
        """Whether nothing more will come: the run has ended, or whoever wrote it has gone."""
        return not self.reading and (self.live.tail.ended or self.live.finished)

    @property
    def open_pipe(self) -> bool:
        """Whether it is standard input, and somebody may still write there."""
        return self.live.source.path == "-" and not self.live.tail.ended

    def step(self, now_s: float) -> bool:
        """Read on; whether anything came."""
        with self.busy:
            return self._step(now_s)

    def close(self, *, keep: bool = True) -> None:
        """Read no more: a torn last line is counted as such. Unless told not to, keep what is new for the next time."""
        with self.busy:
            self._close(keep=keep)

    def _close(self, *, keep: bool) -> None:
        self._sidecar(last=True)
        if keep and self.opening is not None and not self._closed:
            self.opening.last()
        self.live.close()

    def look(self, now_s: float, *, at_once: bool = True) -> Panel:
        """The screen at this time. Unless `at_once`, values that took long to count may lag behind for a moment."""
        with self.busy:
            return self._look(now_s, at_once=at_once)

    def ask(self, sql: str) -> Answer:
        """The answer to one SELECT over the rows that the screen shows; raises QueryError."""
        if self.answers is None:
            raise QueryError("the rows of this run are not kept for questions")
        with self.busy:
            return self.answers.ask(self.live, sql)

    def _look(self, now_s: float, *, at_once: bool) -> Panel:
        if self.played is not None and self.seen.time_ms is not None:
            now_s = self.seen.time_ms / 1000  # what is played speaks of its own time
        if self.live.run is None:
            self._said, self._told = None, -1
        elif self._told != self.items and (at_once or perf_counter() >= self._due_s):
            started = perf_counter()
            self._said, self._told = self.live.said(), self.items
            self._due_s = perf_counter() + REST * (perf_counter() - started)
        state = self.fresh(now_s)
        return panel.panel(self.live, self.seen, self._said, state, now_s, self._read(), played=self.played is not None)

    def fresh(self, now_s: float) -> Fresh:
        """How alive the run is at this time."""
        live, seen, usual_s = self.live, self.seen, self.seen.usual_s
        age_s = self._age_s(now_s)
        if self.played is not None and not self.over:
            return Fresh("replay", None, usual_s)
        if live.finished:
            return Fresh("ended", age_s, usual_s)
        if live.tail.ended:
            return Fresh("cut off", age_s, usual_s)
        if self.reading:
            return Fresh("reading", age_s, usual_s)
        if live.run is None or not seen.trials:
            return Fresh("absent" if _odd(live) in ("absent", "deleted") else "not begun", age_s, usual_s)
        if seen.waits_since is not None:
            return Fresh("waiting", age_s, usual_s)
        judged = alive.judge(age_s, usual_s, live.source.alarms)
        return judged._replace(state="gone") if judged.state == "running" and _odd(live) == "deleted" else judged

    def document(self) -> dict[str, Any] | None:
        """The analysis of the run as it stands."""
        with self.busy:
            run = self.live.run
            if run is None:
                return None
            return analysis.analyze(run, file=self.live.source.path, format=self.live.format or "", quick=True)

    def _step(self, now_s: float) -> bool:
        before = self.seen.trials
        with uncollected() if self.behind else nullcontext():
            if self.opening is not None and self.opening.before():
                return True
            stepped = self.live.step()
            if self.opening is not None:
                self.opening.after()
        if stepped.items:
            self.items += stepped.items
            self._heard_s = now_s
            if self._caught_up and self.seen.trials > before:
                self.seen.arrived(now_s)
            if self.played is not None and (said := self.live.said()):
                self.moments.note(said, self.seen)
        if stepped.items and not self.reading:
            self._sidecar()
        self._caught_up = self._caught_up or not self.reading
        if self.live.tail.ended and not self._closed:
            self._closed = True
            self.live.close()  # nothing more can come, so what is torn stays torn
        return bool(stepped.items or stepped.notices)

    def _sidecar(self, *, last: bool = False) -> None:
        """Keep the sidecar of a run that somebody else writes; why that is not done is said once."""
        side = self.sidecar
        if side is None:
            return
        told = side.fault
        try:
            side.write(self.live, last=last)
        except OSError as e:
            side.fault = f"{side.path}: cannot be written ({e.strerror})"
        if side.fault and (told is None or last):
            self.live.note(Oddity("sidecar", f"no sidecar is kept: {side.fault}"))
            self.sidecar = None

    def _take(self, run: Run, item: Item, row: Row | None) -> None:
        self.seen.take(run, item, row)
        if self.sidecar is not None:
            self.sidecar.take(run, item, row)
        if self.noting is not None:
            self.noting.take(run, item, row)
        if self.answers is not None:
            self.answers.take(run, item, row, self.live.begun)

    def _age_s(self, now_s: float) -> float | None:
        """Seconds since the last sign of life: by the record where its times have a zone, else by the file."""
        if self.live.format == ABSOLUTE and self.seen.time_ms is not None:
            return max(0.0, now_s - self.seen.time_ms / 1000)
        changed_ns = self.live.tail.changed_ns
        if changed_ns:
            return max(0.0, now_s - changed_ns / 1e9)
        return None if self._heard_s is None else max(0.0, now_s - self._heard_s)

    def _read(self) -> float | None:
        if self.over or not (self.reading or self.played):
            return None
        total = self.played.size if self.played is not None else _size(self.live.source.path)
        return min(1.0, self.live.tail.at / total) if total else None


def _size(path: str) -> int:
    from trajscope import sources

    try:
        return sources.size(path)
    except SourceError:
        return 0


def _odd(live: Live) -> str | None:
    """What is odd about the file's being there, where anything is."""
    for x in reversed(live.notices):
        if isinstance(x, Reset) or x.kind == "returned":
            return None
        if x.kind in ("absent", "deleted"):
            return x.kind
    return None


def named(path: str | Path) -> str:
    """A file's name without its endings, for what is written beside it."""
    return Path(path).name.split(".")[0] or "run"
