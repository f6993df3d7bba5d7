"""Columns of stage rows: what is read of many decoded rows, as one batch. Knows nothing of lines that are no trials."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from trajscope.batch import Batch, Move, times_ms
from trajscope.readers.fields import time_ms
from trajscope.trial import CODE, Line, Trial

EPOCH = "1970-01-01 00:00:00"  # the time of a row that is not looked at
_BLOCKED = CODE["blocked"]


def columns(
    lines: Sequence[Line],
    rows: Sequence[Any],
    codes: list[int],
    values: list[float | None],
    moves: list[Move],
    noop: list[bool],
    by_hand: Mapping[int, Trial | None],
) -> Batch:
    """The batch of these rows; `by_hand` holds the trials that were read one by one, None where a line is no trial."""
    texts = [r.ts for r in rows]
    remarks = {
        i: Trial(seq=lines[i].seq, at=lines[i].at, status="blocked", refused=(rows[i].stage,))
        for i, c in enumerate(codes)
        if c == _BLOCKED
    }
    out = Batch(
        moves=[],
        what=[],
        seq=[line.seq for line in lines],
        at=[line.at for line in lines],
        status=codes,
        iter=[r.iter for r in rows],
        value=values,
        wall_s=[r.iter_wall_s for r in rows],
        tokens_in=[r.tokens_in for r in rows],
        tokens_out=[r.tokens_out for r in rows],
        time_ms=times_ms(texts) or [time_ms(x) for x in texts],
        first_step=[e.train_loss_first if (e := r.eval_metrics) else None for r in rows],
        claimed_best=[r.is_new_best for r in rows],
        noop=noop,
        remarks=[],
    )
    for i, t in by_hand.items():
        if t is not None:
            remarks[i] = t
            plain = (t.pair, t.config, t.moved, t.base, t.drift, t.seed)
            moves[i] = Move(*plain, provenance=t.provenance, confidence=t.confidence)
            out.status[i] = CODE[t.status]
            for name in ("iter", "value", "wall_s", "tokens_in", "tokens_out", "time_ms", "first_step", "claimed_best"):
                getattr(out, name)[i] = getattr(t, name)
    lost = {i for i, t in by_hand.items() if t is None}
    if lost:
        stay = [i for i in range(len(rows)) if i not in lost]
        moves = [moves[i] for i in stay]
        for name in Batch.__struct_fields__[2 : Batch.__struct_fields__.index("remarks")]:
            column = getattr(out, name)
            setattr(out, name, [column[i] for i in stay])
        place = {i: n for n, i in enumerate(stay)}
        remarks = {place[i]: t for i, t in remarks.items() if i in place}
    out.moves = list(dict.fromkeys(moves))
    number = {m: n for n, m in enumerate(out.moves)}
    out.what = [number[m] for m in moves]
    out.remarks = sorted(remarks.items())
    return out
