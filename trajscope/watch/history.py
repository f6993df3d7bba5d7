"""What a run scored, trial by trial, in as many pieces as a screen could ever show, however long the run.

Knows nothing of screens: a long run is held in pieces of 2, 4, 8, ... trials.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from trajscope.columns import Row
from trajscope.trial import CODE

MOST = 1024  # pieces; twice as many are merged two by two
_KEPT, _BLOCKED, _CRASHED = CODE["kept"], CODE["blocked"], CODE["crashed"]
_UNSCORED = frozenset(CODE[s] for s in ("aborted", "proposer_error", "other"))

_USED = ("seq", "status", "evaluated", "kept", "value", "best_kept")


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
            int(kept),
            int(status == _BLOCKED),
            int(status == _CRASHED),
            int(status in _UNSCORED),
        )
        self._more([piece])

    def add_columns(self, columns: Mapping[str, Any]) -> None:
        """Many trials in columns, in the order of `Row`; NaN stands for null. The same as `add` of each."""
        n, at = len(columns["seq"]), 0
        while at < n:
            # Up to the end of the piece that was begun, then as many whole ones as fit.
            begun = self._last.n if self._last else 0
            many = 1 if begun else max(1, min(2 * MOST - len(self._whole), (n - at) // self.each))
            each = min(self.each - begun, n - at)
            to = min(n, at + many * each)
            self._more(pieces({name: columns[name][at:to] for name in _USED}, each))
            at = to

    def snapshot(self) -> tuple[int, list[Piece], Piece | None]:
        """All it remembers."""
        return self.each, self._whole, self._last

    def restore(self, each: int, whole: list[Piece], last: Piece | None) -> None:
        """Go on from a snapshot."""
        self.each, self._whole, self._last = each, whole, last

    def _more(self, found: list[Piece]) -> None:
        for piece in found:
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


def pieces(columns: Mapping[str, Any], each: int) -> list[Piece]:
    """Trials in columns as pieces of so many."""
    import numpy as np

    n = len(columns["status"])
    starts = np.arange(0, n, each)
    status, kept = columns["status"], columns["kept"]
    value = np.where(columns["evaluated"], columns["value"], np.nan)
    keep, best = (_latest(x, starts) for x in (np.where(kept, value, np.nan), columns["best_kept"]))
    flags = (kept, status == _BLOCKED, status == _CRASHED, np.isin(status, sorted(_UNSCORED)))
    parts = (
        np.diff(np.append(starts, n)),
        np.fmin.reduceat(value, starts),
        np.fmax.reduceat(value, starts),
        keep,
        best,
        *(np.add.reduceat(x.astype(np.int64), starts) for x in flags),
    )
    rows: Any = zip(*(p.tolist() for p in parts), strict=True)
    return [Piece._make(None if x != x else x for x in row) for row in rows]


def _latest(values: Any, starts: Any) -> Any:
    """The last known value from each start to the next, NaN where none is."""
    import numpy as np

    last = np.maximum.reduceat(np.where(np.isnan(values), -1, np.arange(len(values))), starts)
    return np.where(last >= 0, values[last], np.nan)


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
