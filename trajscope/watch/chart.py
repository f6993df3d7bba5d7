"""The score, trial by trial, in letters: a dot for each trial, a line for the best so far, a band for the noise."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

from trajscope.readable import number
from trajscope.watch.history import Piece, joined
from trajscope.watch.ink import Line, Role, Span
from trajscope.watch.panel import Score

KEEP, REVERT, BLOCKED, CRASHED, OTHER = "◆", "·", "x", "!", "?"
STEP, BAND, OUT_ABOVE, OUT_BELOW = "─", "░", "^", "v"
MARGIN = 11  # columns for the numbers at the right
FENCE = 3.0  # values further than so many times the middle half's width from it lie outside the picture
SOME = 8  # values from which on a stray one is left outside
AIR = 0.05  # of the range, above and below


class Frame(NamedTuple):
    """The values at the lowest and the highest line of the picture."""

    low: float
    high: float


@lru_cache(maxsize=2)  # a quiet file is looked at every second, and its picture stays the same
def chart(score: Score, width: int, height: int) -> Sequence[Line]:
    """So many lines of the picture; none where there is nothing to draw."""
    frame = _frame(score)
    if frame is None or height < 2 or width < MARGIN + 8:
        return []
    pieces = joined(score.pieces, max(1, -(-len(score.pieces) // (width - MARGIN))))
    step = max(1.0, min(3.0, (width - MARGIN) / len(pieces)))
    lane = any(p.blocked or p.crashed or p.other for p in score.pieces) and height > 3
    rows = height - lane
    places = [int(i * step) for i in range(len(pieces) + 1)]
    grid: list[list[Span]] = [[Span(" ")] * places[-1] for _ in range(height)]
    for piece, x, end in zip(pieces, places, places[1:], strict=False):
        _draw(grid, x, end - x, piece, score, frame, rows, lane=lane)
    labels = _labels(score, pieces, frame, rows, height)
    return [_together(cells, width - MARGIN) + labels[y] for y, cells in enumerate(grid)]


def _frame(score: Score) -> Frame | None:
    """The values between which the picture is drawn: nearly all of them, and always the best and the baseline."""
    values = sorted(x for p in score.pieces for x in (p.low, p.high) if x is not None)
    best = next((p.best for p in reversed(score.pieces) if p.best is not None), None)
    if not values:
        return None
    inner = values
    if len(values) >= 2 * SOME:  # two of each piece
        low, high = values[len(values) // 4], values[-1 - len(values) // 4]
        off = FENCE * (high - low)
        inner = [x for x in values if low - off <= x <= high + off]
    said = [x for x in (best, score.baseline) if x is not None]
    if best is not None and score.sd:
        said += [best - score.sd, best + score.sd]
    low, high = min(inner + said), max(inner + said)
    air = AIR * (high - low) or abs(high) * AIR or 1.0
    return Frame(low - air, high + air)


def _row(value: float, frame: Frame, rows: int) -> int:
    """The line of a value, from the top; outside the picture it is -1 or `rows`."""
    if value > frame.high:
        return -1
    if value < frame.low:
        return rows
    return min(rows - 1, int((frame.high - value) / (frame.high - frame.low) * rows))


def _draw(
    grid: list[list[Span]], x: int, step: int, p: Piece, score: Score, frame: Frame, rows: int, *, lane: bool
) -> None:
    best = score.baseline if p.best is None else p.best
    if best is not None:
        if score.sd and p.best is not None:
            first, last = _row(best + score.sd, frame, rows), _row(best - score.sd, frame, rows)
            for y in range(max(0, first), min(rows - 1, last) + 1):
                grid[y][x : x + step] = [Span(BAND, "band")] * step
        y = _row(best, frame, rows)
        if 0 <= y < rows:
            grid[y][x : x + step] = [Span(STEP, "best")] * step
    for value in {p.low, p.high} - {None}:
        _dot(grid, x, value, frame, rows, Span(REVERT))  # type: ignore[arg-type]  # None was taken out
    if p.kept and p.keep is not None:
        _dot(grid, x, p.keep, frame, rows, Span(KEEP, "good"))
    mark = CRASHED if p.crashed else BLOCKED if p.blocked else OTHER if p.other else ""
    if mark and (lane or (p.low is None and p.high is None)):
        grid[-1][x] = Span(mark, "bad" if mark == CRASHED else "warn")


def _dot(grid: list[list[Span]], x: int, value: float, frame: Frame, rows: int, mark: Span) -> None:
    y = _row(value, frame, rows)
    if y < 0:
        grid[0][x] = Span(OUT_ABOVE, mark.role or "dim")
    elif y >= rows:
        grid[rows - 1][x] = Span(OUT_BELOW, mark.role or "dim")
    else:
        grid[y][x] = mark


def _labels(score: Score, pieces: Sequence[Piece], frame: Frame, rows: int, height: int) -> list[Line]:
    """The numbers at the right: the ends of the scale, and the best."""
    labels: list[Line] = [[] for _ in range(height)]
    labels[0] = [_label(frame.high, "dim")]
    labels[rows - 1] = [_label(frame.low, "dim")]
    best = next((p.best for p in reversed(pieces) if p.best is not None), None)
    if best is not None and 0 <= (y := _row(best, frame, rows)) < rows:
        labels[y] = [_label(best, "best")]
    return labels


def _label(value: float, role: Role) -> Span:
    return Span(f" {number(value, 5)}"[:MARGIN], role)


def _together(cells: Sequence[Span], to: int) -> Line:
    """Neighbours of one role as one span, padded."""
    out: Line = []
    for s in [*cells, Span(" " * (to - len(cells)))]:
        if out and out[-1].role == s.role:
            out[-1] = Span(out[-1].text + s.text, s.role)
        else:
            out.append(s)
    return out
