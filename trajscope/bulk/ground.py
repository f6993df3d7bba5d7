"""Ground of a batch: pairs, knobs, cells, configurations, and the keeps that look into them."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from trajscope.batch import Batch
from trajscope.bulk.arrays import REVERTED, Arrays, nth
from trajscope.run import LAGS, Run
from trajscope.tally import ConfigTally, PairTally, SourceTally

if TYPE_CHECKING:
    from trajscope.bulk.arrays import Flags, Whole


class Pairs:
    """The different pairs of a batch, as they stood before it."""

    def __init__(self, run: Run, b: Batch, a: Arrays) -> None:
        import numpy as np

        s, meet = run.tally, run.ground.meet
        self.of_move = [None if m.pair is None else s.pairs.get(m.pair.label) or meet(m.pair) for m in b.moves]
        self.tallies: list[PairTally] = list({p.id: p for p in self.of_move if p is not None}.values())
        number = {p.id: i for i, p in enumerate(self.tallies)}
        self.of_row: Whole = np.array([-1 if p is None else number[p.id] for p in self.of_move], np.int64)[a.what]
        self.named: Flags = self.of_row >= 0
        self.counted: Flags = self.named & a.evaluated
        self.kept: Flags = self.named & a.kept

    def of(self, field: str, *none: Any) -> Any:
        """A field of each; last what stands for no pair, where that can be asked for."""
        import numpy as np

        return np.array([*(getattr(p, field) for p in self.tallies), *none])

    def times(self, where: Flags) -> list[int]:
        """How often each occurs among these trials."""
        import numpy as np

        found: list[int] = np.bincount(self.of_row[where], minlength=len(self.tallies)).tolist()
        return found


def tread(run: Run, b: Batch, a: Arrays) -> tuple[dict[str, Any], list[ConfigTally | None]]:
    """The columns of pairs, knobs, cells and configurations, and the configuration of every move."""
    import numpy as np

    s, n = run.tally, len(a.seq)
    pairs = Pairs(run, b, a)
    new = _reach(run, a, pairs)
    s.witness_all("outside", a.seq[pairs.named & pairs.of("outside", False)[pairs.of_row]].tolist())
    s.witness_all("noop", a.seq[a.noop].tolist())
    configs = _sequence(run, b, a, pairs)
    context_k = _contexts(a, pairs, configs)
    kept_k = np.zeros(n, np.int64)
    at = np.flatnonzero(pairs.kept)
    kept_k[at] = pairs.of("kept", 0)[pairs.of_row[at]] + nth(pairs.of_row[at])[0] + 1
    k, gap, knob_k = _count(run, a, pairs)
    near = np.zeros(n, np.bool_)
    for i in np.flatnonzero((k > 0) & ((k == 1) | (context_k < 2))).tolist():
        if k[i] == 1:
            pairs.tallies[pairs.of_row[i]].first = b.seq[i]
            near[i] = run.ground.is_near(b.moves[b.what[i]])
        else:
            run.ground.settle(b.moves[b.what[i]])
    _read_from(run, b, a, pairs, k)
    _tell(run, a, pairs)
    columns = {
        "pair": pairs.of("id", -1)[pairs.of_row],
        "k": k,
        "gap": gap,
        "kept_k": kept_k,
        "knob_k": knob_k,
        "context_k": context_k,
        "new_knobs": new[0],
        "new_kept_knobs": new[1],
        "new_proposed_knobs": new[2],
        "new_cells": new[3],
        "near": near,
        "revisit": (k > 1) & (context_k == 1),
    }
    return columns, configs


def _read_from(run: Run, b: Batch, a: Arrays, pairs: Pairs, k: Whole) -> None:
    """Where the pairs were read from. What was recorded is added at once, the rest one by one, as floats must be."""
    import numpy as np

    s = run.tally
    at = np.flatnonzero(pairs.counted)
    names = [b.moves[w].provenance for w in a.what[at].tolist()]
    for name, many in Counter(names).items():
        s.provenance[name] = s.provenance.get(name, 0) + many
    plain = {*names, *s.sources} <= {"native"} and all(m.confidence is None for m in b.moves)
    if plain and names:
        found = s.sources.setdefault("native", SourceTally())
        found.n += len(names)
        found.repeats += int(np.count_nonzero(k[at] > 1))
        at = at[k[at] == 1]
    for i in at.tolist():
        move, p = b.moves[b.what[i]], pairs.tallies[pairs.of_row[i]]
        if plain:
            s.sources["native"].knobs.update(c.knob for c in p.pair.changes if s.knobs[c.knob].in_menu)
        else:
            run.ground.read_from(move.provenance, move.confidence, p, repeat=bool(k[i] > 1))


def _reach(run: Run, a: Arrays, pairs: Pairs) -> Any:
    """What is reached is reached by a pair's first trial, its first evaluated, first effective and first kept one."""
    import numpy as np

    n = len(a.seq)
    reaching = np.zeros(n, np.bool_)
    firsts = {
        "proposed": pairs.named,
        "evaluated": pairs.counted,
        "moved": pairs.counted & ~a.noop,
        "kept": pairs.kept,
    }
    for field, where in firsts.items():
        at = np.flatnonzero(where)
        reaching[at[nth(pairs.of_row[at])[0] + pairs.of(field, 0)[pairs.of_row[at]] == 0]] = True
    new = np.zeros((4, n), np.int16)
    for i in np.flatnonzero(reaching).tolist():
        p = pairs.tallies[pairs.of_row[i]]
        new[:, i] = run.ground.reach(p, evaluated=bool(a.evaluated[i]), kept=bool(a.kept[i]), noop=bool(a.noop[i]))
    return new


def _sequence(run: Run, b: Batch, a: Arrays, pairs: Pairs) -> list[ConfigTally | None]:
    """What hangs on the trials just before: the noise pool, and the keeps that look into it. In order, one by one."""
    import numpy as np

    s = run.tally
    found: list[Any] = [_sequence] * len(b.moves)  # which is no configuration: it was not asked for yet
    ss, df, noops = s.noise_ss, 0, 0
    at = np.flatnonzero(a.evaluated)
    columns = (at, a.what[at], a.value[at], a.eligible[at], a.kept[at], a.noop[at])
    before = s.e - len(at)
    for e, (i, w, value, eligible, kept, noop) in enumerate(zip(*(x.tolist() for x in columns), strict=True), 1):
        config = found[w]
        if config is _sequence:
            p = pairs.of_move[w]
            config = found[w] = run.place(b.moves[w], p) if p is not None else None
        if s.pending:
            run.keeps.compose(b.trial(i, b.moves[w]))
        if config is not None and eligible:  # as ConfigTally.add, without the call
            n = config.n + 1
            d = value - config.mean
            mean = config.mean + d / n
            grown = d * (value - mean)
            config.n, config.mean = n, mean
            if n > 1:
                ss += grown
                df += 1
                noops += noop
        if kept:
            run.keeps.keep(b.trial(i, b.moves[w]), pairs.of_move[w], config, before + e)
    run.scores.changed = None  # whose they are was not written down
    s.noise_ss = ss
    for source, more in (("repeat", df - noops), ("noop", noops)):
        if more:
            s.noise_df[source] = s.noise_df.get(source, 0) + more
    return [None if x is _sequence else x for x in found]


def _contexts(a: Arrays, pairs: Pairs, configs: list[ConfigTally | None]) -> Whole:
    """Counted occurrences of whole configurations, which are told what became of them."""
    import numpy as np

    groups = list({x.id: x for x in configs if x is not None}.values())
    number = {x.id: i for i, x in enumerate(groups)}
    config = np.array([-1 if x is None else number[x.id] for x in configs], np.int64)[a.what]
    placed = pairs.counted & (config >= 0)
    at = np.flatnonzero(placed)
    context_k = np.zeros(len(config), np.int64)
    context_k[at] = np.array([*(x.k for x in groups), 0])[config[at]] + nth(config[at])[0] + 1
    kinds = (placed, placed & a.kept, placed & (a.code == REVERTED))
    changes = (np.bincount(config[x], minlength=len(groups)).tolist() for x in kinds)
    for x, counts, keeps, reverts in zip(groups, *changes, strict=True):
        x.k += counts
        x.kept += keeps
        x.reverted += reverts
    return context_k


def _count(run: Run, a: Arrays, pairs: Pairs) -> tuple[Whole, Whole, Whole]:
    """Counted occurrences of pairs and knobs, and the trials since a pair was last counted."""
    import numpy as np

    s = run.tally
    k, gap, knob_k = np.zeros((3, len(a.seq)), np.int64)
    at = np.flatnonzero(pairs.counted)
    pair = pairs.of_row[at]
    before, previous = nth(pair)
    c = s.c + 1 + np.arange(len(at))
    last = pairs.of("last", 0)
    k[at] = pairs.of("n", 0)[pair] + before + 1
    gap[at] = np.where(k[at] > 1, c - np.where(previous >= 0, c[previous], last[pair]), 0)
    last[pair] = c
    for p, ordinal in zip(pairs.tallies, last.tolist(), strict=False):
        p.last = ordinal
    lane = pairs.of("lane", 0)[pair]
    knob_k[at] = np.array([*s.lane_counts, 0])[lane] + nth(lane)[0] + 1
    s.lane_counts[:] = (np.array(s.lane_counts, np.int64) + np.bincount(lane, minlength=len(s.lane_counts))).tolist()
    lags = np.bincount(gap[(gap > 0) & (gap <= LAGS)])
    for lag in np.flatnonzero(lags).tolist():
        s.lags[lag] = s.lags.get(lag, 0) + int(lags[lag])
    run.repeats += (k[at] > 1).tobytes()
    run.counted_seqs.frombytes(a.seq[at].tobytes())
    s.c += len(at)
    return k, gap, knob_k


def _tell(run: Run, a: Arrays, pairs: Pairs) -> None:
    """Tell the pairs, their knobs and families how often they were proposed, and what became of them."""
    reverted = pairs.named & (a.code == REVERTED)
    changes = (pairs.times(x) for x in (pairs.named, pairs.counted, pairs.counted & ~a.noop, pairs.kept, reverted))
    for p, proposed, counts, moved, keeps, reverts in zip(pairs.tallies, *changes, strict=True):
        p.proposed += proposed
        p.evaluated += counts
        p.moved += moved
        p.n += counts
        p.kept += keeps
        p.reverted += reverts
        run.ground.tell(p, proposed, counts, counts, keeps)
