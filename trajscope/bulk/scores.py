"""Scores of a batch: the running best, plateaus, claims, and whether the seed does anything."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from trajscope.batch import Batch
from trajscope.bulk.arrays import Arrays, nth, records, since
from trajscope.run import Run
from trajscope.scores import SAME_START
from trajscope.tally import ConfigTally

if TYPE_CHECKING:
    from trajscope.bulk.arrays import Flags, Whole


def score(run: Run, b: Batch, a: Arrays, configs: list[ConfigTally | None], context_k: Whole) -> dict[str, Any]:
    """The columns of the running best and of plateaus."""
    import numpy as np

    s, scores = run.tally, run.scores
    sign = scores.sign
    value = np.where(a.eligible, a.value * sign, np.nan)
    config = np.array([-1 if x is None else x.id for x in configs], np.int64)[a.what]
    new_best, best, last = records(value, a.eligible, s.best)
    if last >= 0:
        s.best = float(value[last])
    may_hold = a.eligible & a.kept if scores.has_keeps else a.eligible
    _, best_kept, last = records(value, may_hold, s.best_kept)
    if last >= 0:
        s.best_kept, s.best_kept_seq, s.best_kept_iter = float(value[last]), b.seq[last], b.iter[last]
        s.best_kept_config = int(config[last])
    if s.baseline_mean is not None:
        s.beats_baseline[0] += int(np.count_nonzero(value[a.eligible] > sign * s.baseline_mean))
        s.beats_baseline[1] += int(np.count_nonzero(a.eligible))
    scores.scores.frombytes(value[a.evaluated].tobytes())
    scores.score_configs.extend(config[a.evaluated].tolist())
    e: Whole = np.cumsum(a.evaluated, dtype=np.int64)
    since_keep = since(e, a.kept, s.since_keep)
    since_best = since(e, new_best, s.since_best)
    in_row = since(e, a.evaluated & ~a.kept, s.keeps_in_row)
    _longest(run, a, new_best, since_best)
    s.since_keep, s.since_best, s.keeps_in_row = int(since_keep[-1]), int(since_best[-1]), int(in_row[-1])
    s.most_keeps_in_row = max(s.most_keeps_in_row, int(in_row.max()))
    claimed = np.array(b.claimed_best, np.float64)
    claims = a.evaluated & ~np.isnan(claimed)
    s.claims += int(np.count_nonzero(claims))
    s.witness_all("claimed_best", a.seq[claims & (claimed != new_best)].tolist())
    _first_steps(run, b, a, config, context_k)
    return {
        "best": best * sign,
        "best_kept": best_kept * sign,
        "new_best": new_best,
        "since_best": since_best,
        "since_keep": since_keep,
    }


def _longest(run: Run, a: Arrays, new_best: Flags, since_best: Whole) -> None:
    """The longest stretch without a new best, and where the one that goes on began."""
    import numpy as np

    s = run.tally
    dry = a.evaluated & ~new_best
    bests, rows = np.flatnonzero(new_best), np.flatnonzero(dry)

    def began(at: int) -> int:
        best = np.searchsorted(bests, at, side="right") - 1
        if best < 0 and s.dry_first >= 0:
            return s.dry_first
        first = np.searchsorted(rows, bests[best] if best >= 0 else 0)
        return int(a.seq[rows[first]]) if first < len(rows) and rows[first] <= at else -1

    top = int(np.argmax(np.where(dry, since_best, 0)))
    if dry[top] and since_best[top] > s.longest[0]:
        s.longest = [int(since_best[top]), began(top), int(a.seq[top])]
    s.dry_first = began(len(dry) - 1)


def _first_steps(run: Run, b: Batch, a: Arrays, config: Whole, context_k: Whole) -> None:
    """The same configuration and seed must begin alike."""
    import numpy as np

    s, scores = run.tally, run.scores
    first = np.array(b.first_step, np.float64)
    seed = np.array([m.seed or 0 for m in b.moves], np.int64)[a.what]
    seeded = np.array([m.seed is not None for m in b.moves])[a.what]
    at = np.flatnonzero(a.evaluated & (config >= 0) & seeded & ~np.isnan(first))
    if not len(at):
        return
    config, seed, first, k = config[at], seed[at], first[at], context_k[at]
    ids, number = np.unique(config, return_inverse=True)
    groups = [scores.configs[i] for i in ids.tolist()]
    alone = np.array([g.first_seed is None for g in groups])[number] & (nth(number)[0] == 0)

    def one_by_one(where: Flags) -> None:
        for i in np.flatnonzero(where).tolist():
            scores.first_step(groups[number[i]], int(seed[i]), float(first[i]), int(k[i]))

    one_by_one(alone)
    same = seed == np.array([g.first_seed for g in groups], np.int64)[number]
    again = same & ~alone  # so this is at least the second time
    if again.any():
        before, now = np.array([g.first_step for g in groups])[number[again]], first[again]
        differs = np.abs(before - now) > SAME_START * np.maximum(np.abs(before), np.abs(now))
        s.seed_ineffective = bool(s.seed_ineffective) or bool(differs.any())
    one_by_one(~same)
