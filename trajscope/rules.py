"""Rules: questions asked of a run's values, each answered with a Verdict and the trials that show it.

A rule sees values by path and evidence by name, never rows or files, so the same rule speaks live and afterwards.
The word of a run is the first that applies of TAMPERED, SUSPECT, STALLED, FLAILING, UNKNOWN, RESEARCHING.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from trajscope.fold import Unknown
from trajscope.run import Run
from trajscope.verdict import Level, Verdict

SHOWN = 20  # trials that a verdict names as evidence
MIN_TRIALS = 8  # counted trials below which nothing is said of exploration
DRY, DRY_SHARE = 15, 0.3  # a plateau beyond noise this long, and this share of the run, is dry
NEW_SHARE = 0.2  # fewer new pairs than this is going in circles
REPEATS_FAIL, REPEATS_WARN, REPEATS_FROM = 0.8, 0.5, 20  # of the last ten, from this many trials on
TOP_FAIL, TOP_WARN = 0.5, 0.3  # one pair's share of counted trials
COVERED_FAIL, COVERED_FROM = 0.25, 3.0  # share of knobs touched after this many trials per knob
STAIRCASE = 6  # keeps in a row
BIAS = 0.01  # p of a lopsided baseline

Values = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Rule:
    """One question. `word` is what a FAIL makes of the run, if anything."""

    name: str
    doc: str
    judge: Callable[[Run, Values], tuple[Level, str, list[int]]]
    word: str | None = None

    def verdict(self, run: Run, v: Values) -> Verdict:
        """Its answer; a rule that fails to answer is UNKNOWN, never a pass."""
        level, reason, seqs = self.judge(run, v)
        return Verdict(self.name, level, reason, tuple(seqs[:SHOWN]))


class Word(NamedTuple):
    """The word of a run and the sentence that justifies it."""

    word: str
    sentence: str


def flailing(run: Run, v: Values) -> tuple[Level, str, list[int]]:
    """No best beyond noise for long, and hardly anything new is tried."""
    new, dry, n = v["pairs.good_turing"], v["plateau.beyond_noise"], run.tally.c
    if isinstance(new, Unknown) or n < MIN_TRIALS:
        return Level.UNKNOWN, f"{_few(n)} to say whether it explores", []
    bound = max(DRY, DRY_SHARE * run.tally.e)
    circling = new < NEW_SHARE
    if not circling:
        return Level.PASS, f"{_pct(new)} of proposals are still new (bound {_pct(NEW_SHARE)})", []
    if isinstance(dry, Unknown):
        return (
            Level.UNKNOWN,
            f"only {_pct(new)} of proposals are still new, and whether the best still moves is not known: {dry.why}",
            [],
        )
    said = f"no best beyond noise for {dry} of {run.tally.e} trials (bound {bound:g})"
    said += f", and only {_pct(new)} of proposals are still new"
    return (
        (Level.FAIL, said, [])
        if dry >= bound
        else (Level.PASS, f"{dry} trials since the last best beyond noise (bound {bound:g})", [])
    )


def repeats(run: Run, v: Values) -> tuple[Level, str, list[int]]:
    """Most of the latest proposals were tried before."""
    rate, n = v["pairs.trailing_rate"], run.tally.c
    if isinstance(rate, Unknown):
        return Level.UNKNOWN, f"repeats cannot be judged: {rate.why}", []
    said = f"{round(rate * 10)} of the last 10 proposals had been tried before"
    recent = [s for s, f in zip(run.counted_seqs[-10:], run.repeats[-10:], strict=True) if f]
    if rate >= REPEATS_FAIL and n >= REPEATS_FROM:
        return Level.FAIL, f"{said} (bound {_pct(REPEATS_FAIL)})", recent
    if rate >= REPEATS_WARN:
        return Level.WARN, f"{said} (bound {_pct(REPEATS_WARN)})", recent
    return Level.PASS, f"{said} (bound {_pct(REPEATS_WARN)})", []


def dominance(run: Run, v: Values) -> tuple[Level, str, list[int]]:
    """One pair takes most proposals."""
    share, n = v["dominance.proposed.share"], run.tally.c
    if isinstance(share, Unknown) or n < MIN_TRIALS:
        return Level.UNKNOWN, f"{_few(n)} to judge dominance", []
    said = f"{v['dominance.proposed.pair']} took {v['dominance.proposed.n']} of {n} proposals"
    level = Level.FAIL if share >= TOP_FAIL and n >= REPEATS_FROM else Level.WARN if share >= TOP_WARN else Level.PASS
    return level, f"{said} (bound {_pct(TOP_FAIL if level is Level.FAIL else TOP_WARN)})", []


def coverage(run: Run, v: Values) -> tuple[Level, str, list[int]]:
    """Knobs stay untouched though there was time for all of them."""
    total, touched = v["coverage.knobs_total"], v["coverage.knobs_touched"]
    if isinstance(total, Unknown) or isinstance(touched, Unknown):
        why = "no menu is known" if isinstance(total, Unknown) else touched.why
        return Level.UNKNOWN, f"coverage cannot be judged: {why}", []
    left = ", ".join(v["coverage.untouched"][:8])
    said = f"{touched} of {total} knobs were touched" + (f"; never: {left}" if left else "")
    enough = run.tally.c >= COVERED_FROM * total
    if enough and touched / total < COVERED_FAIL:
        return Level.FAIL, f"{said} (bound {_pct(COVERED_FAIL)} of them)", []
    return (Level.WARN if enough and touched < total else Level.PASS), said, []


def integrity(run: Run, v: Values) -> tuple[Level, str, list[int]]:
    """What ran is what was proposed, and the log was not edited."""
    t = run.tally
    if t.break_count:
        seq, why = t.breaks[0]
        return (
            Level.FAIL,
            f"the log was edited: line {seq + 1} {why} ({_n(t.break_count, 'break')})",
            [s for s, _ in t.breaks],
        )
    if t.drift:
        path, knob, proposed, ran, seq = t.drift[0]
        hours = f", {_hours(t.drift_wall_s)} spent since" if t.drift_wall_s else ""
        what = f"{knob}: proposed {proposed}, ran {ran}" if knob else f"{path} changed between proposal and score"
        return Level.FAIL, f"{what}, since trial {seq}{hours}", run.evidence("drift").seqs
    status = v["integrity.status"]
    if isinstance(status, Unknown):
        return Level.WARN, f"what ran cannot be verified: {status.why}", []
    return Level.PASS, "the chain holds and every evaluated trial ran what was proposed", []


def guards(run: Run, v: Values) -> tuple[Level, str, list[int]]:
    """Every kept trial was held against its guards."""
    missing, blind, broken = (run.evidence(f"guard_{x}") for x in ("missing", "blind", "broken"))
    names = ", ".join(m.name for m in run.header.metrics if m.role == "guard")
    if missing.n:
        return Level.FAIL, f"guard {names} has no threshold: {_n(missing.n, 'keep')} went unguarded", missing.seqs
    if blind.n:
        return Level.FAIL, f"guard {names} saw no number on {_n(blind.n, 'keep')}", blind.seqs
    if broken.n:
        return Level.FAIL, f"guard {names} was broken on {_n(broken.n, 'keep')}", broken.seqs
    if names:
        return Level.PASS, f"guard {names} ran on all {run.tally.keep_count} keeps", []
    reason = run.header.unguarded_because
    return Level.WARN, f"no guard is declared{f' ({reason})' if reason else ''}", []


def staircase(run: Run, v: Values) -> tuple[Level, str, list[int]]:
    """So many keeps in a row are too good to be true."""
    longest = run.tally.most_keeps_in_row
    if longest >= STAIRCASE:
        return (
            Level.FAIL,
            f"{longest} keeps in a row (bound {STAIRCASE}): too good, too fast",
            [k.seq for k in run.tally.keeps],
        )
    return Level.PASS, f"at most {longest} keeps in a row (bound {STAIRCASE})", []


def unconfirmed(run: Run, v: Values) -> tuple[Level, str, list[int]]:
    """Keeps that no second evaluation confirms."""
    seqs = v["noise.unconfirmed_keeps"]
    if isinstance(seqs, Unknown) or isinstance(v["noise.sd"], Unknown):
        why = seqs.why if isinstance(seqs, Unknown) else v["noise.sd"].why
        return Level.WARN, f"whether keeps are more than noise cannot be told: {why}", []
    if seqs:
        return (
            Level.WARN,
            f"{len(seqs)} of {_n(run.tally.keep_count, 'keep')} {_are(len(seqs))} confirmed by no other evaluation",
            seqs,
        )
    return Level.PASS, f"all {run.tally.keep_count} keeps are confirmed by another evaluation", []


def flips(run: Run, v: Values) -> tuple[Level, str, list[int]]:
    """The same configuration was kept once and reverted once."""
    found = v["noise.flip_flops"]
    if isinstance(found, Unknown):
        return Level.WARN, f"flip-flops cannot be told: {found.why}", []
    names = ", ".join(f"{f['pair']} ({f['kept']} of {f['kept'] + f['reverted']} kept)" for f in found[:3])
    return (
        (Level.WARN, f"same configuration, both verdicts: {names}", [])
        if found
        else (Level.PASS, "no verdict flipped", [])
    )


def baseline(run: Run, v: Values) -> tuple[Level, str, list[int]]:
    """The baseline looks unlucky: too many trials beat it by too little."""
    p, (better, n) = v["audit.baseline_bias.p"], run.tally.beats_baseline
    if isinstance(p, Unknown):
        return Level.WARN, f"the baseline cannot be judged: {p.why}", []
    if p < BIAS and better > n / 2:
        return Level.WARN, f"{better} of {n} trials beat the baseline (p={p:.2g}, bound {BIAS:g}): measure it again", []
    return Level.PASS, f"{better} of {n} trials beat the baseline (p={p:.2g}, bound {BIAS:g})", []


def seed(run: Run, v: Values) -> tuple[Level, str, list[int]]:
    """The recorded seed decides how a trial begins."""
    ineffective = v["audit.seed_ineffective"]
    if isinstance(ineffective, Unknown):
        return Level.WARN, f"whether the seed does anything cannot be told: {ineffective.why}", []
    if ineffective:
        return Level.WARN, "the same configuration and seed began differently: the seed does nothing", []
    return Level.PASS, "no trial contradicts its seed", []


def composition(run: Run, v: Values) -> tuple[Level, str, list[int]]:
    """What was kept is in the base of what came next."""
    seqs = v["audit.keeps_not_composing"]
    if isinstance(seqs, Unknown):
        return Level.WARN, f"whether keeps add up cannot be told: {seqs.why}", []
    n = run.evidence("not_composing").n
    return (
        (Level.WARN, f"{_n(n, 'keep')} {_are(n)} missing from the base of what came next", seqs)
        if n
        else (Level.PASS, "keeps add up", [])
    )


def record(run: Run, v: Values) -> tuple[Level, str, list[int]]:
    """Lines, fields and labels that are not what they should be."""
    t = run.tally
    said, seqs = [], []
    whys = dict(reversed([*t.unread, *t.faults]))
    for name, one, many in (
        ("unreadable", "unreadable line", "unreadable lines"),
        ("torn", "torn line at the end", "torn lines"),
        ("fault", "trial with a field that could not be read", "trials with a field that could not be read"),
        ("nan", "trial scored NaN or infinity, which is no value", "trials scored NaN or infinity, which is no value"),
        ("outside", "proposal outside the menu", "proposals outside the menu"),
        ("noop", "no-op", "no-ops"),
        ("claimed_best", "wrong claim of a new best", "wrong claims of a new best"),
        ("iter_order", "iter label that repeats or goes back", "iter labels that repeat or go back"),
    ):
        found = run.evidence(name)
        if found.n:
            why = whys.get(found.seqs[0]) if name in ("unreadable", "fault") else None
            said.append(_n(found.n, one, many) + (f" (line {found.seqs[0] + 1}: {why})" if why else ""))
            seqs += found.seqs
    if v["audit.counts_reconcile"] is False:
        said.append(f"closing counts {t.end_counts} that differ from the rows")
    return (
        (Level.WARN, "the record has " + ", ".join(said), sorted(set(seqs)))
        if said
        else (Level.PASS, "the record is clean", [])
    )


RULES = (
    Rule("integrity", "What ran is what was proposed, and the log was not edited.", integrity, "TAMPERED"),
    Rule("guards", "Every kept trial was held against its declared guards.", guards, "SUSPECT"),
    Rule("staircase", f"No {STAIRCASE} keeps in a row.", staircase, "SUSPECT"),
    Rule("flailing", "The best still moves beyond noise, or new pairs are still tried.", flailing, "FLAILING"),
    Rule("repeats", "The latest proposals are not mostly repeats.", repeats, "FLAILING"),
    Rule("dominance", "No single pair takes most proposals.", dominance, "FLAILING"),
    Rule("coverage", "Knobs do not stay untouched though there was time for all.", coverage, "FLAILING"),
    Rule("unconfirmed", "Keeps are confirmed by another evaluation.", unconfirmed),
    Rule("flips", "The same configuration gets the same verdict.", flips),
    Rule("baseline", "The baseline is not an unlucky draw.", baseline),
    Rule("seed", "The recorded seed decides how a trial begins.", seed),
    Rule("composition", "What was kept is in the base of what came next.", composition),
    Rule("record", "Lines, fields and labels are what they should be.", record),
)
WORDS = ("TAMPERED", "SUSPECT", "FLAILING")


def judge(run: Run, v: Values, rules: tuple[Rule, ...] = RULES) -> list[Verdict]:
    """Every rule's answer, in order."""
    return [r.verdict(run, v) for r in rules]


def word(run: Run, v: Values, verdicts: list[Verdict], rules: tuple[Rule, ...] = RULES) -> Word:
    """The verdict word of a run with the sentence that justifies it."""
    words = {r.name: r.word for r in rules}
    for w in WORDS:
        failed = [x for x in verdicts if x.level is Level.FAIL and words[x.rule] == w]
        if failed:
            return Word(w, failed[0].reason + _context(run, v, w, failed[0].rule))
    if not run.tally.trials:
        return Word("UNKNOWN", "the file holds no trial yet")
    if not run.tally.e:
        return Word("UNKNOWN", f"none of {_n(run.tally.trials, 'trial')} was evaluated ({_statuses(v)})")
    open_ = [x for x in verdicts if x.level is Level.UNKNOWN and words[x.rule] == "FLAILING" and x.rule != "coverage"]
    if open_:
        return Word("UNKNOWN", open_[0].reason)
    return Word(
        "RESEARCHING", next(x.reason for x in verdicts if x.rule == "flailing") + _context(run, v, "RESEARCHING")
    )


def _context(run: Run, v: Values, w: str, led: str = "") -> str:
    """What else a stranger needs to hear in the same breath."""
    said = []
    if w == "FLAILING":
        rate = v["pairs.trailing_rate"]
        late = f", {round(rate * 10)} of the last 10" if not isinstance(rate, Unknown) and led != "repeats" else ""
        said.append(f"{v['pairs.repeats']} of {run.tally.c} proposals had been tried before{late}")
        said += _crowd(run, v)
    if w in ("FLAILING", "RESEARCHING") and not isinstance(v["coverage.fraction"], Unknown):
        left = len(v["coverage.untouched"])
        said.append(
            f"{left} of {v['coverage.knobs_total']} knobs were never touched" if left else "every knob was touched"
        )
    missing = [name for name in ("guard", "holdout") if not any(m.role == name for m in run.header.metrics)]
    said.append(" and ".join(f"no {m}" for m in missing))
    return "".join(f"; {s}" for s in said if s)


def _crowd(run: Run, v: Values) -> list[str]:
    """The two knobs that took most proposals, where they took most of them."""
    n = run.tally.c
    top = sorted(v["coverage.by_knob"].items(), key=lambda item: -item[1]["counted"])[:2]
    share = sum(k["counted"] for _, k in top) / n if n else 0.0
    if len(top) < 2 or not 0.5 <= share <= 1:
        return []
    (a, first), (b, second) = top
    same = f", both {first['family']}" if first["family"] == second["family"] != "other" else ""
    return [f"{_pct(share)} went to {a} and {b}{same}"]


def _statuses(v: Values) -> str:
    return ", ".join(f"{n} {name.removeprefix('status.')}" for name, n in v.items() if name.startswith("status.") and n)


def _pct(x: float) -> str:
    return f"{x:.0%}"


def _n(n: int, one: str, many: str | None = None) -> str:
    """How many of something, in words that agree."""
    return f"{n:,} {one if n == 1 else many or one + 's'}"


def _are(n: int) -> str:
    return "is" if n == 1 else "are"


def _few(n: int) -> str:
    return f"{_n(n, 'counted trial')} {_are(n)} too few (< {MIN_TRIALS})"


def _hours(seconds: float) -> str:
    return (
        f"{seconds / 3600:.1f} h"
        if seconds >= 3600
        else f"{seconds / 60:.0f} min"
        if seconds >= 60
        else f"{seconds:.0f} s"
    )
