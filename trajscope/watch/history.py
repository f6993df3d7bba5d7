"""What a run scored, trial by trial, in as many pieces as a screen could ever show, however long the run.

Knows nothing of screens: a long run is held in pieces of 2, 4, 8, ... trials.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from trajscope.columns import Row
from trajscope.trial import CODE

MOST = 1024  # pieces; twice as many are merged two by two
_KEPT, _BLOCKED, _CRASHED = CODE["kept"], CODE["blocked"], CODE["crashed"]
_UNSCORED = frozenset(CODE[s] for s in ("aborted", "proposer_error", "other"))


class Piece(NamedTuple):
    """Some trials in a row. Values are as recorded; `keep` is that of the last keep among them."""

    n: int
    low: float | None
    high: float | None
    keep: float | None
    best: float | None  # best kept so far, after them
    kept: int = 0
    blocked: int = 0
    crashed: int = 0
    other: int = 0  # aborted, failed to propose, of an unknown status


class History:
    """The pieces of one run, in order."""

    def __init__(self) -> None:
        self.each = 1  # trials in a piece
        self._whole: list[Piece] = []
        self._last: Piece | None = None

    def add(self, row: Row) -> None:
        """One more trial."""
        status, value = row.status, row.value if row.evaluated else None
        kept = row.kept
        piece = Piece(
            1,
            value,
            value,
            value if kept else None,
            row.best_kept,
            kept,
            status == _BLOCKED,
            status == _CRASHED,
            status in _UNSCORED,
        )
        self._last = piece if self._last is None else join(self._last, piece)
        if self._last.n == self.each:
            self._whole.append(self._last)
            self._last = None
            if len(self._whole) >= 2 * MOST:
                self.each *= 2
                self._whole = joined(self._whole, 2)

    def pieces(self) -> tuple[Piece, ...]:
        """All of them; the last may hold fewer trials than the others."""
        return (*self._whole, self._last) if self._last else tuple(self._whole)


def join(a: Piece, b: Piece) -> Piece:
    """Two pieces as one."""
    return Piece(
        a.n + b.n,
        _of(min, a.low, b.low),
        _of(max, a.high, b.high),
        a.keep if b.keep is None else b.keep,
        a.best if b.best is None else b.best,
        a.kept + b.kept,
        a.blocked + b.blocked,
        a.crashed + b.crashed,
        a.other + b.other,
    )


def joined(pieces: list[Piece] | tuple[Piece, ...], each: int) -> list[Piece]:
    """Pieces taken together, so many at a time."""
    out = []
    for i in range(0, len(pieces), each):
        piece = pieces[i]
        for more in pieces[i + 1 : i + each]:
            piece = join(piece, more)
        out.append(piece)
    return out


def _of(pick: Callable[[float, float], float], a: float | None, b: float | None) -> float | None:
    return b if a is None else a if b is None else pick(a, b)
