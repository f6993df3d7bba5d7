"""Something that is unfolded again whenever it changed, and what of it is new.

Handed on is what stands behind the lines that were handed on before. Where those are no longer the beginning, it begins
anew: `retold` if every record is still there, in its order, between others or below a first line that says more;
`rewritten` if one is not.
"""

from __future__ import annotations

import hashlib
import time
from array import array
from collections.abc import Callable, Iterable, Iterator
from typing import Literal, NamedTuple

from trajscope.unfold import Kind, Stamp

QUICK_S = 0.1  # what is unfolded as quickly is unfolded at every change
REST = 4.0  # and the rest no more often than this many times what the last unfolding took
HEAD = b'{"unfolded":'  # how a first line begins, which may come to say more


class News(NamedTuple):
    """Lines that were not handed on yet; `anew` where they begin at the beginning again, and why."""

    lines: list[bytes]
    anew: Literal["retold", "rewritten"] | None = None


class Unfolding:
    """One file or folder that may grow."""

    def __init__(self, path: str, kind: Kind, clock: Callable[[], float] = time.monotonic) -> None:
        self.path, self.kind = path, kind
        self.at = 0  # bytes of the lines that were handed on
        self.changed_ns = 0
        self._clock = clock
        self._stamp: Stamp | None = None
        self._sum = hashlib.blake2b()  # of the same lines
        self._records = array("q")  # their hashes, first lines apart
        self._ready_s = 0.0

    def more(self) -> News | None:
        """What is new; None where nothing changed, or it is not time yet. Raises SourceError, and then asks again."""
        stamp = self.kind.stamp(self.path)
        if stamp == self._stamp or self._clock() < self._ready_s:
            return None
        self._stamp = None
        started = self._clock()
        try:
            news = self._compared(self.kind.unfold(self.path))
        finally:
            took = self._clock() - started
            self._ready_s = self._clock() + REST * took if took > QUICK_S else 0.0
        if news is None:
            news = self._begun_anew(list(self.kind.unfold(self.path)))
        self._hand_on(news.lines)
        self._stamp = stamp  # taken before: what came while it was unfolded is another stamp
        self.changed_ns = max((s[2] for s in stamp if s is not None), default=0)
        return news

    def _compared(self, lines: Iterator[bytes]) -> News | None:
        """What stands behind the lines that were handed on; None where those are not the beginning."""
        seen, at = hashlib.blake2b(), 0
        for line in lines if self.at else ():
            seen.update(line)
            at += len(line)
            if at >= self.at:
                break
        same = at == self.at and seen.digest() == self._sum.digest()
        return News(list(lines)) if same else None

    def _begun_anew(self, lines: list[bytes]) -> News:
        told = iter(_hashes(lines))
        kept = all(any(h == new for new in told) for h in self._records)
        self.at, self._sum, self._records = 0, hashlib.blake2b(), array("q")
        return News(lines, "retold" if kept else "rewritten")

    def _hand_on(self, lines: list[bytes]) -> None:
        for line in lines:
            self._sum.update(line)
            self.at += len(line)
        self._records.extend(_hashes(lines))


def _hashes(lines: Iterable[bytes]) -> Iterator[int]:
    return (hash(line) for line in lines if not line.startswith(HEAD))
