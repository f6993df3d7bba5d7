"""Stretches of native lines: ordinary trials that stand in a row are read as one batch, all others one by one.

Ordinary is a trial of one attempt, with one plain seed or none, whose chain holds. Its law is that of `Feed`: nothing
but the time it takes is different.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from trajscope.batch import Batch, Move
from trajscope.chain import link
from trajscope.pair import pair
from trajscope.readers.fields import finite, time_ms
from trajscope.trial import CODE, SCORED, Item, Line, Trial

if TYPE_CHECKING:
    from trajscope.readers.native import Native
    from trajscope.readers.wire import AttemptFields, LineFields

REFUSED = frozenset(("FAIL", "UNKNOWN"))  # levels of a verdict that refuses
LEAST = 64  # a shorter stretch is read one by one: a batch has a cost of its own
MOST_MOVES = 1 << 16


class Moves(dict[str | None, dict[Any, Move]]):
    """What trials do, by what they stand upon and how it is spelled; forgotten where a keep tells more of a base."""

    def __init__(self, reader: Native) -> None:
        super().__init__()
        self._reader = reader
        self._held = 0

    def of(self, row: LineFields) -> Move:
        """What a trial of one attempt does."""
        a = row.attempts[0]
        spelled = tuple((c.knob, bytes(c.value)) for c in a.changes) if a.changes else (a.knob, bytes(a.value))
        base = row.base_hash or self._reader.incumbent
        seed = row.seeds[0].seed if row.seeds else None
        key = (spelled, row.base_hash is None, row.config_hash, row.parent, seed)
        found = self.setdefault(base, {}).get(key)
        if found is None:
            self._held += 1
            if self._held > MOST_MOVES:
                self.clear()
                self._held = 1
            changes = tuple(self._reader.changes(a))
            t = Trial(seq=0, at=0, status="other", pair=pair(changes))
            self._reader.place(t, row, changes)
            noop = t.noop is True
            based = row.base_hash is not None
            found = Move(t.pair, t.config, t.moved, t.base, (), seed, based, noop, t.provenance, t.confidence)
            self.setdefault(base, {})[key] = found
        return found


def batch(reader: Native, lines: Sequence[Line]) -> tuple[list[Item | Batch], int]:
    """The items of these lines, in order, the trials of every long stretch as one batch."""
    rows = [_decoded(reader, line) for line in lines]
    links = [link(line.data) for line in lines]
    prev = [reader.prev, *links[:-1]]
    plain = [
        row is not None
        and _is_plain(reader, row, line)
        and (row.prev == before if row.prev is not None else not reader.chained)
        for row, line, before in zip(rows, lines, prev, strict=True)
    ]
    out: list[Item | Batch] = []
    at = 0
    while at < len(lines):
        end = plain.index(False, at) if False in plain[at:] else len(lines)
        if end - at >= LEAST:
            out.append(_stretch(reader, lines[at:end], rows[at:end]))
            reader.prev = links[end - 1]
        else:
            end = min(end + 1, len(lines))
            for line in lines[at:end]:
                out += reader.feed(line)
        at = end
    return out, len(lines)


def refused(a: AttemptFields) -> bool:
    """Whether a rail refused this attempt."""
    return a.verdict is not None and a.verdict.level in REFUSED


def _decoded(reader: Native, line: Line) -> LineFields | None:
    try:
        return reader.decode(line.data)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return None


def _is_plain(reader: Native, row: LineFields, line: Line) -> bool:
    """Whether a line is an ordinary trial, its chain apart."""
    if row.type != "trial" or row.v != 1 or len(row.attempts) != 1 or row.status not in CODE or line.fault:
        return False
    a = row.attempts[0]
    if (row.seq is not None and row.seq != line.seq) or a.intent is not None or not (a.knob or a.changes):
        return False
    if row.effective is not None or row.fingerprints is not None or row.reason_code == "nan" or row.provenance:
        return False
    if not row.seeds:
        value = row.value
        if value is None:
            return row.status not in SCORED or row.reason_code is not None
        return reader.other is None and finite(value) is not None
    s = row.seeds[0]
    return len(row.seeds) == 1 and s.status == "ok" and s.data_sha is None and _value(reader, row) is not None


def _value(reader: Native, row: LineFields) -> float | None:
    return finite(row.seeds[0].metrics.get(reader.metric or "") if row.seeds else row.value)


def _stretch(reader: Native, lines: Sequence[Line], rows: Sequence[Any]) -> Batch:
    """Ordinary trials as a batch. A kept one is read whole: it changes what later ones stand upon."""
    whole: dict[int, Trial] = {}
    remarks: list[tuple[int, Trial]] = []
    moves: list[Move] = []
    for i, (line, row) in enumerate(zip(lines, rows, strict=True)):
        moves.append(reader.moves.of(row))
        a = row.attempts[0]
        rules = (a.verdict.rule,) if a.verdict is not None and refused(a) else ()
        if row.status == "kept":
            whole[i] = trial = reader.keep(line, row)
            if trial.faults or rules:
                remarks.append((i, trial))
        elif rules:
            remarks.append((i, Trial(seq=line.seq, at=line.at, status=row.status, refused=rules)))
    number = {m: n for n, m in enumerate(dict.fromkeys(moves))}
    first = [r.seeds[0] if r.seeds else None for r in rows]
    costs = [r.cost for r in rows]
    values = [_value(reader, r) for r in rows]
    return Batch(
        moves=list(number),
        what=[number[m] for m in moves],
        seq=[line.seq for line in lines],
        at=[line.at for line in lines],
        status=[CODE[r.status] for r in rows],
        iter=[r.iter for r in rows],
        value=values,
        wall_s=[None if c is None else finite(c.wall_s) for c in costs],
        tokens_in=[None if c is None else c.tokens_in for c in costs],
        tokens_out=[None if c is None else c.tokens_out for c in costs],
        time_ms=[time_ms(r.ended) for r in rows],
        first_step=[None if s is None else finite(s.first_step) for s in first],
        claimed_best=[r.new_best for r in rows],
        noop=[m.noop for m in moves],
        remarks=remarks,
        usd=[None if c is None else finite(c.usd) for c in costs],
        whole=whole,
        seeds=[
            (line.seq, s.seed, s.status, value, finite(s.wall_s), finite(s.first_step), s.error)
            for line, value, s in zip(lines, values, first, strict=True)
            if s is not None
        ],
    )
