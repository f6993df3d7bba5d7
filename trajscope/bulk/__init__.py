"""Bulk: a batch of trials pushed into a run at once, with the same result as `Run.push` of each.

What looks back is found with numpy; what happens once per pair, configuration or keep goes through the functions that
a single trial goes through. Steps no metrics: its columns are for SQL.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from trajscope.batch import Batch
from trajscope.bulk.arrays import Arrays
from trajscope.bulk.ground import tread
from trajscope.bulk.scores import score
from trajscope.run import Run
from trajscope.tally import LATELY, MOST

if TYPE_CHECKING:
    from trajscope.bulk.arrays import Whole


def push(run: Run, b: Batch) -> dict[str, Any]:
    """The columns of these trials, in the order of `Row`, and their seeds if any; NaN is null, and so is a gap of 0."""
    import numpy as np

    s = run.tally
    a = Arrays(b, run.scores.sign)
    e, c = s.e + np.cumsum(a.evaluated), s.c
    s.trials += len(a.seq)
    s.e += int(np.count_nonzero(a.evaluated))
    refused, drifted, wall_s = _remarks(run, b, a, e)
    _spendings(run, b, a)
    trodden, configs = tread(run, b, a)
    scored = score(run, b, a, configs, trodden["context_k"])
    _order(run, b)
    counted = trodden["k"] > 0
    ordinal = c + np.cumsum(counted)
    for reached, field in (("new_cells", "new_cell_c"), ("new_knobs", "new_knob_c")):
        if len(at := np.flatnonzero(trodden[reached])):
            setattr(s, field, int(ordinal[at[-1]]))
    return {
        "seq": a.seq,
        "at": b.at,
        "iter": b.iter,
        "status": a.code,
        "evaluated": a.evaluated,
        "counted": counted,
        "kept": a.kept,
        "e": e,
        "c": ordinal,
        **trodden,
        "replicate": np.zeros(len(a.seq), np.bool_),
        "noop": a.noop,
        "eligible": a.eligible,
        "value": a.value,
        **scored,
        "attempts": np.ones(len(a.seq), np.int32),
        "refused": refused,
        "wall_s": wall_s,
        "tokens_in": b.tokens_in,
        "tokens_out": b.tokens_out,
        "usd": np.full(len(a.seq), np.nan) if b.usd is None else np.array(b.usd, np.float64),
        "time_ms": b.time_ms,
        "drifted": drifted,
        **({"seeds": b.seeds} if b.seeds else {}),
    }


def _remarks(run: Run, b: Batch, a: Arrays, e: Whole) -> tuple[Any, Any, Any]:
    """What was refused and what drifted, and the time that went to trials from the first that drifted on."""
    import numpy as np

    s = run.tally
    refused = np.zeros(len(a.seq), np.int32)
    drifted = np.full(len(a.seq), s.drifted)
    for i, t in b.remarks:
        run.remark(t, bool(a.evaluated[i]))
        refused[i] = len(t.refused)
        if t.drift:
            drifted[i:] = True
    wall_s = np.array(b.wall_s, np.float64)
    s.walls += wall_s[a.evaluated & (e <= MOST) & ~np.isnan(wall_s)].tolist()
    lost = wall_s[drifted & ~np.isnan(wall_s)]
    if len(lost):
        s.drift_wall_s = float(np.cumsum([s.drift_wall_s or 0.0, *lost])[-1])  # in order, as one by one
    return refused, drifted, wall_s


def _spendings(run: Run, b: Batch, a: Arrays) -> None:
    """What ran, what of it crashed, and what says what it cost."""
    import numpy as np

    s = run.tally
    ran = a.evaluated | a.crashed
    s.ran += int(np.count_nonzero(ran))
    crashed, seqs = a.crashed[ran], a.seq[ran]
    for bit in crashed[-LATELY:].tolist():
        s.crashes_lately = (s.crashes_lately << 1 | bit) & ((1 << LATELY) - 1)
    good = np.flatnonzero(~crashed)
    row = seqs[good[-1] + 1 :] if len(good) else seqs
    before = (0, []) if len(good) else (s.crash_row, s.crash_seqs)
    s.crash_row, s.crash_seqs = before[0] + len(row), [*before[1], *row.tolist()][-LATELY:]
    wall, tokens_in, tokens_out = (~np.isnan(np.array(x, np.float64)) for x in (b.wall_s, b.tokens_in, b.tokens_out))
    s.timed += int(np.count_nonzero(wall & ran))
    s.metered += int(np.count_nonzero(tokens_in & tokens_out & ran))


def _order(run: Run, b: Batch) -> None:
    """Labels of iterations that do not grow."""
    import numpy as np

    s = run.tally
    seqs, known = b.seq, b.iter
    if None in known:
        seqs = [seq for seq, x in zip(seqs, known, strict=True) if x is not None]
        known = [x for x in known if x is not None]
    if known:
        labels = np.array(known, np.int64)
        late = np.flatnonzero(labels[1:] <= labels[:-1]) + 1
        if s.last_iter is not None and labels[0] <= s.last_iter:
            late = np.append(0, late)
        s.witness_all("iter_order", [seqs[i] for i in late.tolist()])
        s.last_iter = int(labels[-1])
