"""Is the gain real? Holdout against primary, slices, confirmations, speed, and how the keeps follow one another."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from itertools import pairwise
from statistics import fmean, pstdev
from typing import NamedTuple

from trajscope import stats
from trajscope.fold import Unknown
from trajscope.rules import beside
from trajscope.rules.wording import Answer, Values, count, lacking, percent
from trajscope.run import Run
from trajscope.tally import Confirm, Kept
from trajscope.trial import MetricSpec
from trajscope.verdict import Level

ALPHA = 0.01  # false alarms that one statistical detector may give per campaign of nulls
TREND = 6  # keeps below which no trend is looked for
BITS = 4  # keeps with a holdout bit below which no number of failures is beyond chance
CHANCE_FAILS = 0.25  # of the holdout bits of keeps that leave it where it was, against one standard error
SLICED = 5  # keeps with slices below which their shares say nothing
SHORT = 2.0  # standard errors by which a confirmation may miss its claim
ROW, ODD = 6, 0.005  # keeps in a row, and how often so long a row may be expected before it says nothing
ODD_DIAL = 0.05  # the same of a row that turns one knob ever further, each keep measured on several seeds
# Of an honest campaign that nothing is known of yet: a fifth, believed as much as so many trials of its own.
KEEP_RATE, KEEP_TRIALS = 0.2, 10
CROWD, CROWD_MOST = 20, 3.0  # of the latest trials, this many times the share that was kept before
# Keeps needed, and the share of the noise by which steps of more than the noise must scatter: kept values are records,
# and records of noise alone climb evenly. Of honest walks of 50 to 200 trials 0.2% fall below it, 1.8% at worst.
SMOOTH_FROM, SMOOTH = 8, 0.2
WINDOWS = (6, 12)  # trials over which a rise is called fast
# Where a metric can go no further, and which way that is, by a word of its name: a continuous measure of real data
# never gets there. Shares of cases that are right do: accuracies, areas under curves and plain errors are not here.
PERFECT = {
    **dict.fromkeys(("loss", "mse", "rmse", "mae", "mape", "rmsle", "nrmse", "nll", "bpb", "bpc", "fvu"), (0.0, -1)),
    **dict.fromkeys(("perplexity", "ppl"), (1.0, -1)),
    **dict.fromkeys(("r2", "pearson", "spearman"), (1.0, 1)),
}
OPEN = frozenset(("loss", "nll"))  # of them, those that may go further all the same


def divergence(run: Run, v: Values) -> Answer:
    """The primary metric rises away from the holdout."""
    kept = run.tally.latest
    specs = [m for m in run.header.metrics if m.role == "holdout"]
    failed, passed = run.evidence("holdout_failed"), run.evidence("holdout_passed")
    bits = failed.n + passed.n
    if not specs and not bits:
        return lacking("no holdout")
    if not run.tally.keep_count:
        return Level.PASS, "nothing was kept", []
    for m in specs:
        rows = [k for k in kept if m.name in k.metrics and k.score is not None]
        if len(rows) >= TREND:
            apart = _apart(rows, m)
            p, bound = stats.mann_kendall(apart), stats.spent(ALPHA, run.tally.keep_count - TREND + 1)
            if p < bound:
                said = f"over {count(len(rows), 'keep')} {run.header.metric} rose away from the holdout {m.name}"
                return Level.FAIL, f"{said} (p={p:.1g}, bound {bound:.1g})", [k.seq for k in rows]
    if failed.n:
        p, bound = stats.binomial_tail(failed.n, bits, CHANCE_FAILS), stats.spent(ALPHA, max(1, bits - BITS + 1))
        said = f"{failed.n} of {count(bits, 'keep')} stood though the holdout failed"
        said += f" (p={p:.1g} where {percent(CHANCE_FAILS)} fail by chance, bound {bound:.1g})"
        return (Level.FAIL if p < bound else Level.WARN), said, failed.seqs
    longest = max((sum(m.name in k.metrics for k in kept) for m in specs), default=0)
    if not bits and longest < TREND:
        return lacking(f"a holdout on {count(longest, 'keep')}; {TREND} are needed")
    return Level.PASS, f"the holdout goes along over {count(max(bits, longest), 'keep')}", []


def _apart(rows: Sequence[Kept], m: MetricSpec) -> list[float]:
    """How far the primary stands above the holdout at each keep, each in units of its own spread."""
    sign = -1.0 if m.goal == "minimize" else 1.0
    first, second = [k.score or 0.0 for k in rows], [sign * k.metrics[m.name] for k in rows]
    return [a - b for a, b in zip(_z(first), _z(second), strict=True)]


def _z(xs: list[float]) -> list[float]:
    mean, sd = fmean(xs), pstdev(xs)
    return [(x - mean) / sd if sd else 0.0 for x in xs]


def gain_share(run: Run, v: Values) -> Answer:
    """One slice of the primary metric gains and all others do not."""
    if run.header.metric is None:
        return lacking("which metric it is about is not known")
    start = f"{run.header.metric}/"
    rows = [k for k in run.tally.latest if sum(m.startswith(start) for m in k.also) > 1]
    if not rows:
        return lacking(f"no slices named {start}...")
    if len(rows) < SLICED:
        return lacking(f"slices on {count(len(rows), 'keep')}; {SLICED} are needed")
    gains: dict[str, float] = {}
    for k in rows:
        for m, x in k.also.items():
            if m.startswith(start):
                gains[m] = gains.get(m, 0.0) + x * run.scores.sign
    top = max(gains, key=lambda m: gains[m])
    others = [x for m, x in gains.items() if m != top]
    if gains[top] > 0 and max(others) <= 0:
        said = f"all gain over {count(len(rows), 'keep')} comes from {top} ({gains[top]:+.3g})"
        return Level.FAIL, f"{said}; no other of {len(gains)} slices gained", [k.seq for k in rows]
    gained = sum(x > 0 for x in gains.values())
    return Level.PASS, f"{gained} of {len(gains)} slices gained over {count(len(rows), 'keep')}", []


def confirmation(run: Run, v: Values) -> Answer:
    """A declared confirmation falls short of what the keep claimed."""
    t = run.tally
    if not t.confirms:
        return lacking("no declared confirmation")
    claims = {k.config: k for k in t.latest if k.config >= 0 and k.score is not None}
    pairs = [(claims[c], found) for c, found in t.confirms.items() if c in claims]
    if not pairs:
        return lacking("no confirmation that names a kept configuration")
    judged = [(k, short, p) for k, c in pairs if (found := _short(run, v, k, c)) is not None for short, p in [found]]
    if not judged:
        return lacking("no seeds and no repeats to tell how a confirmation scatters")
    bound = stats.spent(ALPHA, len(judged))
    failed = [k.seq for k, _, p in judged if p < bound]
    if failed:
        said = f"{len(failed)} of {count(len(judged), 'confirmation')} fell short of what the keep claimed"
        return Level.FAIL, f"{said} (p={min(p for *_, p in judged):.1g}, bound {bound:.1g})", failed
    weak = [k.seq for k, short, _ in judged if short > SHORT]
    if weak:
        said = f"{len(weak)} of {count(len(judged), 'confirmation')} missed the claim by over {SHORT:g} standard errors"
        return Level.WARN, said, weak
    return Level.PASS, f"{count(len(judged), 'confirmation')} bore out what the keeps claimed", []


def _short(run: Run, v: Values, k: Kept, c: Confirm) -> tuple[float, float] | None:
    """By how many standard errors a confirmation fell short of its claim, and the p of falling that short."""
    sd, df = v["noise.sd"], v["noise.df"]
    if c.n > 1 and k.variance is not None and c.n > c.times:
        pooled_df = k.seeds - 1 + c.n - 1
        pooled = ((k.seeds - 1) * k.variance + c.squares) / pooled_df
        se, df = math.sqrt(pooled * (1 / k.seeds + 1 / c.n)), pooled_df
    elif isinstance(sd, Unknown):
        return None
    else:
        se = sd * math.sqrt(1 + 1 / c.times)
    missed = (k.score or 0.0) - c.mean * run.scores.sign
    short = missed / se if se else math.copysign(math.inf, missed) if missed else 0.0
    return short, stats.student_tail(short, df)


def staircase(run: Run, v: Values) -> Answer:
    """So many keeps in a row are too good to be true, at the rate at which this run keeps.

    A row is judged by what was known at its end: what is easily had is had first, so that the rate of the whole run
    says nothing of a row at its beginning. One that turns a single knob ever further is believed a little less.
    """
    longest = run.tally.most_keeps_in_row
    if longest < ROW:
        return Level.PASS, f"at most {longest} keeps in a row (bound {ROW})", []
    rows = [_climb(run, i, j) for i, j in _rows(run.tally.latest) if j - i >= ROW]
    if not rows:
        return Level.WARN, f"{longest} keeps in a row (bound {ROW}), before the keeps that are looked back over", []
    c = min(rows, key=lambda c: c.chance / c.bound)
    said = f"{len(c.keeps)} keeps in a row (bound {ROW})"
    said += f", each of them {c.dial} turned further the same way" if c.dial else ""
    said += f": too good, too fast; {c.chance:.2g} such runs are expected in {count(c.trials, 'trial')} at a keep rate "
    said += f"of {percent(c.rate)} (bound {c.bound:g})"
    seqs = [k.seq for k in c.keeps]
    if c.chance >= c.bound:
        return Level.WARN, said, seqs
    if beside.vouched(run, c.keeps):
        return Level.WARN, f"{said}; the holdout, which is of another kind, goes along", seqs
    return Level.FAIL, said, seqs


class Climb(NamedTuple):
    """A row of keeps, and how often so long a row is expected in a run that had kept so many by its end."""

    keeps: Sequence[Kept]
    trials: int
    rate: float
    chance: float
    dial: str | None  # the knob that all of them turned further the same way

    @property
    def bound(self) -> float:
        """How rare it must be."""
        return ODD_DIAL if self.dial else ODD


def _climb(run: Run, i: int, j: int) -> Climb:
    """The keeps from i to j of those that are held, as one row."""
    t, keeps = run.tally, run.tally.latest[i:j]
    trials = keeps[-1].e
    rate = _keep_rate(t.keep_count - (len(t.latest) - j), trials)
    return Climb(keeps, trials, rate, stats.expected_runs(trials, j - i, rate), _dial(run, keeps))


def _dial(run: Run, rows: Sequence[Kept]) -> str | None:
    """The one knob that these keeps turned, each further than the one before and all the same way.

    Only where each has several seeds: one seed passes for better by luck, and a climb of such keeps says little.
    """
    seqs = {k.seq for k in rows if k.seeds > 1}
    pairs = [run.ground.pairs[k.pair].pair for k in run.tally.keeps if k.seq in seqs and k.pair >= 0]
    moves = [p.changes[0] for p in pairs if len(p.changes) == 1]
    if len(moves) < len(rows) or len({c.knob for c in moves}) > 1:
        return None
    values = [c.value for c in moves if isinstance(c.value, int | float) and not isinstance(c.value, bool)]
    steps = {b > a for a, b in pairwise(values)}
    same = len(values) == len(moves) and len(set(values)) == len(values) and len(steps) == 1
    return moves[0].knob if same else None


def _rows(kept: Sequence[Kept]) -> list[tuple[int, int]]:
    """Where the keeps that followed upon each other begin and end."""
    starts = [i for i, k in enumerate(kept) if not i or k.e != kept[i - 1].e + 1]
    return list(zip(starts, [*starts[1:], len(kept)], strict=True))


def _keep_rate(kept: int, trials: int) -> float:
    """The share that a campaign keeps, drawn towards that of an honest one while little is known of it."""
    return (kept + KEEP_RATE * KEEP_TRIALS) / (trials + KEEP_TRIALS)


def too_good(run: Run, v: Values) -> Answer:
    """Keeps come too often, too evenly, or beyond what was declared plausible."""
    t = run.tally
    if not t.keep_count:
        return Level.PASS, "nothing was kept", []
    if t.e >= 2 * CROWD and (crowded := _crowded(run)):
        return crowded
    sd = v["noise.sd"]
    scores = [k.score for k in t.latest if k.score is not None]
    if len(scores) >= SMOOTH_FROM and not isinstance(sd, Unknown) and sd > 0:
        rough, step = stats.roughness(scores), (scores[-1] - scores[0]) / (len(scores) - 1)
        if rough < SMOOTH * sd <= SMOOTH * step:
            said = f"{len(scores)} keeps climb more evenly than noise allows: by {step:.2g} each, and that scatters by"
            seqs = [k.seq for k in t.latest]
            return Level.FAIL, f"{said} {rough:.2g}, the noise by {sd:.2g} (bound {percent(SMOOTH)} of it)", seqs
    cap = next((m for m in run.header.metrics if m.role == "primary"), None)
    end = None if cap is None else cap.ceiling if run.scores.sign > 0 else cap.floor
    rise = _rise(run, sd)
    if end is None:
        return lacking(f"no declared end of what is plausible; {rise}")
    beyond = [k.seq for k in t.latest if k.score is not None and k.score > end * run.scores.sign]
    if beyond:
        return Level.FAIL, f"{count(len(beyond), 'keep')} went beyond {end:g}, which was declared plausible", beyond
    return Level.PASS, f"{rise}, within what was declared plausible ({end:g})", []


def perfect(run: Run, v: Values) -> Answer:
    """What was kept is perfect to the last digit."""
    t, metric = run.tally, run.header.metric or ""
    word = next((w for w in re.split(r"[^a-z0-9]+", metric.lower()) if w in PERFECT), None)
    if not t.keep_count:
        return Level.PASS, "nothing was kept", []
    if word is None or t.best_kept is None or not run.scores.sign:
        return lacking("no kept value of a metric whose name says where it ends, such as a loss")
    end, way = PERFECT[word]
    if end and way != run.scores.sign:  # of an error that is turned round the end is 0 as well
        return lacking(f"by its name {metric} is better the other way round")
    room = end * run.scores.sign - t.best_kept
    if room > 0:
        return Level.PASS, f"the best keep is {room:g} from {end:g}, where nothing would be left to gain", []
    if room < 0 and (word in OPEN or way != run.scores.sign):
        return lacking(f"the best keep is past {end:g}, so the name does not say where {metric} ends")
    if room < 0:
        return Level.FAIL, f"{metric} of the best keep is past {end:g}, where no {word} can be", [t.best_kept_seq]
    why = "no model gets there on data that it was not fitted to"
    return Level.FAIL, f"{metric} of the best keep is {end:g} to the last digit: {why}", [t.best_kept_seq]


def _crowded(run: Run) -> Answer | None:
    """Whether the latest trials were kept far more often than those before them, whose rate is itself an estimate."""
    t = run.tally
    late = [k for k in t.latest if k.e > t.e - CROWD]
    kept, before = t.keep_count - len(late), t.e - CROWD
    rate = _keep_rate(kept, before)
    hits, misses = kept + KEEP_RATE * KEEP_TRIALS, before - kept + (1 - KEEP_RATE) * KEEP_TRIALS
    most, p = CROWD_MOST * rate * CROWD, stats.beta_binomial_tail(len(late), CROWD, hits, misses)
    bound = stats.spent(ALPHA, t.e // CROWD - 1)  # one look for every so many trials
    if len(late) <= most or p >= bound or beside.vouched(run, late):
        return None
    said = f"{len(late)} of the last {CROWD} trials were kept, more than {CROWD_MOST:g} times the {percent(rate)} of"
    return Level.FAIL, f"{said} the trials before (p={p:.1g}, bound {bound:.1g})", [k.seq for k in late]


def _rise(run: Run, sd: float | Unknown) -> str:
    """How fast the best rose, in the units there are."""
    if isinstance(sd, Unknown) or not sd:
        return "how fast the best rose is not known either"
    steps, best = [], -math.inf
    if run.tally.baseline_mean is not None:
        best = run.tally.baseline_mean * run.scores.sign
        steps.append((0, best))
    for k in run.tally.latest:
        if k.score is not None and k.score > best:
            best = k.score
            steps.append((k.e, best))
    rise, window, _ = stats.fastest(steps, sd, WINDOWS)
    if not window:
        return "the best did not rise"
    return f"the best rose by {rise:.1f} times the noise within {window} trials"
