"""A finished file played as if it grew: a tail that hands on its lines one by one, and when each alarm first spoke."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

from trajscope import sources
from trajscope.live import Said
from trajscope.rules import SILENCE, Word, heard, stalled
from trajscope.tail import Part
from trajscope.verdict import Level
from trajscope.watch.panel import blind
from trajscope.watch.seen import Seen

STEPS = 2000  # a longer file is played in about so many steps where nobody waits between them


class Played:
    """Stands for a Tail. At `speed` lines per second; 0 is as fast as they are asked for."""

    def __init__(self, path: str, speed: float, clock: Callable[[], float]) -> None:
        self.path = path
        self.at = 0
        self.held = b""  # a file that is over holds nothing back
        self.changed_ns = 0
        self.ended = self.damaged = False
        self.foreign: str | None = None  # it was read once already
        self.behind = True
        self.size = sources.length(path)
        self._speed = speed
        self._clock = clock
        self._lines: Iterator[bytes] | None = None
        self._started = 0.0
        self._given = 0

    def poll(self) -> list[Part]:
        """The next line that is due, if one is."""
        if self.ended:
            return []
        if self._lines is None:
            self._lines, self._started = lines(self.path), self._clock()
        if self._speed and self._given >= 1 + (self._clock() - self._started) * self._speed:
            self.behind = False
            return []
        out: list[Part] = []
        taken, least = 0, 0 if self._speed else self.size // STEPS
        while not out or taken < least:
            line = next(self._lines, None)
            if line is None:
                self.ended = True
                break
            out.append(line)
            taken += len(line)
        self._given += len(out)
        self.at += taken
        self.behind = not self.ended
        return out

    def rest(self) -> bytes:
        """Nothing: the last line is handed on as it is."""
        return b""

    def close(self) -> None:
        """Let go of the file."""
        self.ended, self.behind = True, False


class Moment(NamedTuple):
    """When something was first said: after which trial, and how much had been spent by then."""

    what: str
    level: str
    seq: int
    trials: int
    spent_s: float
    said: str


class Moments:
    """The first time that each rule warned or failed, and that each word was said."""

    def __init__(self) -> None:
        self.found: dict[tuple[str, str], Moment] = {}
        self._word: Word | None = None  # the latest

    def note(self, said: Said, seen: Seen) -> None:
        """What was said after a trial, and in the silence before it."""
        self._silence(seen)
        self._word = said.word
        row = seen.latest[-1] if seen.latest else None
        if row is None:
            return
        at = (row.seq, seen.trials, seen.spent_s)
        if said.word.word != "UNKNOWN":
            self._first(Moment("word", said.word.word, *at, said.word.sentence))
        for v in said.verdicts:
            if v.level in (Level.WARN, Level.FAIL) and not blind(v):
                self._first(Moment(v.rule, v.level.name, *at, v.reason))

    def _silence(self, seen: Seen) -> None:
        gap = seen.gap
        if gap is None or (SILENCE, Level.FAIL.name) in self.found:
            return
        silent = heard(gap.fresh, seen.alarms)
        if silent.level is Level.FAIL:
            at = (gap.seq, gap.trials, gap.spent_s)
            self._first(Moment(SILENCE, silent.level.name, *at, silent.reason))
            if self._word is not None and (word := stalled(self._word, silent)).word == "STALLED":
                self._first(Moment("word", word.word, *at, word.sentence))

    def _first(self, moment: Moment) -> None:
        self.found.setdefault((moment.what, moment.level), moment)


def lines(path: str) -> Iterator[bytes]:
    """The lines of a file with their ends, the last as it is."""
    rest = b""
    for chunk in sources.read(path):
        *whole, rest = (rest + chunk).split(b"\n")
        for line in whole:
            yield line + b"\n"
    if rest:
        yield rest
