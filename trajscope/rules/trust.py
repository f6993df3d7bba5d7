"""Can the record be believed? What ran, guards, noise-sized keeps, baseline, seeds, composition, odd lines."""

from __future__ import annotations

from heapq import merge
from itertools import groupby, islice
from statistics import median

from trajscope.fold import Unknown
from trajscope.rules.wording import SHOWN, Answer, Values, are, count, hours, lacking
from trajscope.run import Run
from trajscope.scores import SAME_START
from trajscope.tally import LATEST, MOST
from trajscope.verdict import Level

BIAS = 0.01  # p of a lopsided baseline
FAR = 2.0  # noise sds by which most trials may beat a sound baseline


def integrity(run: Run, v: Values) -> Answer:
    """What ran is what was proposed, and the log was not edited."""
    t = run.tally
    if t.break_count:
        seq, why = t.breaks[0]
        return (
            Level.FAIL,
            f"the log was edited: line {seq + 1} {why} ({count(t.break_count, 'break')})",
            [s for s, _ in t.breaks],
        )
    if t.drift:
        path, knob, proposed, ran, seq = t.drift[0]
        lost = f", {hours(t.drift_wall_s)} spent since" if t.drift_wall_s else ""
        what = f"{knob or path}: proposed {proposed}, ran {ran}"
        if knob is None and None in (proposed, ran):  # a file that was not there at one of the moments
            what = f"{path} {'is gone' if ran is None else 'appeared'} since it was proposed"
        return Level.FAIL, f"{what}, since trial {seq}{lost}", run.evidence("drift").seqs
    status = v["integrity.status"]
    if isinstance(status, Unknown):
        return lacking(status.why)
    return Level.PASS, "the chain holds and every evaluated trial ran what was proposed", []


def guards(run: Run, v: Values) -> Answer:
    """Every kept trial was held against its guards."""
    missing, blind, broken = (run.evidence(f"guard_{x}") for x in ("missing", "blind", "broken"))
    names = ", ".join(m.name for m in run.header.metrics if m.role == "guard")
    if missing.n:
        return Level.FAIL, f"guard {names} has no threshold: {count(missing.n, 'keep')} went unguarded", missing.seqs
    if blind.n:
        return Level.FAIL, f"guard {names} saw no number on {count(blind.n, 'keep')}", blind.seqs
    if broken.n:
        return Level.FAIL, f"guard {names} was broken on {count(broken.n, 'keep')}", broken.seqs
    if names:
        return Level.PASS, f"guard {names} ran on all {run.tally.keep_count} keeps", []
    reason = run.header.unguarded_because
    return Level.WARN, f"no guard is declared{f' ({reason})' if reason else ''}", []


def unconfirmed(run: Run, v: Values) -> Answer:
    """Keeps that no second evaluation confirms."""
    seqs = v["noise.unconfirmed_keeps"]
    if isinstance(seqs, Unknown) or isinstance(v["noise.sd"], Unknown):
        why = seqs.why if isinstance(seqs, Unknown) else v["noise.sd"].why
        return lacking(why)
    if seqs:
        return (
            Level.WARN,
            f"{len(seqs)} of {count(run.tally.keep_count, 'keep')} {are(len(seqs))} confirmed by no other evaluation",
            seqs,
        )
    return Level.PASS, f"all {run.tally.keep_count} keeps are confirmed by another evaluation", []


def flips(run: Run, v: Values) -> Answer:
    """The same configuration was kept once and reverted once."""
    found = v["noise.flip_flops"]
    if isinstance(found, Unknown):
        return lacking(found.why)
    names = ", ".join(f"{f['pair']} ({f['kept']} of {f['kept'] + f['reverted']} kept)" for f in found[:3])
    if not found:
        return Level.PASS, "no verdict flipped", []
    configs = run.scores.configs
    seqs = [k.seq for k in run.tally.keeps[-LATEST:] if k.config >= 0 and configs[k.config].reverted]
    return Level.WARN, f"same configuration, both verdicts: {names}", seqs


def baseline(run: Run, v: Values) -> Answer:
    """The baseline looks unlucky: too many trials beat it by too little."""
    p, (better, n) = v["audit.baseline_bias.p"], run.tally.beats_baseline
    if isinstance(p, Unknown):
        return lacking(p.why)
    if run.tally.keep_count > 2 * run.evidence("not_composing").n:
        return lacking("what comes after a keep may be built on it, and beats the baseline by that")
    said = f"{better} of {n} trials beat the baseline (p={p:.2g}, bound {BIAS:g})"
    if p >= BIAS or better <= n / 2:
        return Level.PASS, said, []
    sd, first = v["noise.sd"], run.scores.scores[:MOST]
    if not isinstance(sd, Unknown) and run.tally.baseline_mean is not None:
        middle = run.once("first scores", len(first), lambda: median(x for x in first if x == x))
        gain = middle - run.tally.baseline_mean * run.scores.sign
        if gain >= FAR * sd:
            return Level.PASS, f"{said}, and by more than luck: the median by {gain:.2g} (bound {FAR:g} x {sd:.2g})", []
    return Level.WARN, f"{said}: measure it again", []


def seed(run: Run, v: Values) -> Answer:
    """The recorded seed decides how a trial begins."""
    ineffective = v["audit.seed_ineffective"]
    if isinstance(ineffective, Unknown):
        return lacking(ineffective.why)
    if ineffective:
        said = f"the same configuration and seed began differently by over {SAME_START:.2%}: the seed does nothing"
        return Level.WARN, said, []
    return Level.PASS, "no trial contradicts its seed", []


def composition(run: Run, v: Values) -> Answer:
    """What was kept is in the base of what came next."""
    seqs = v["audit.keeps_not_composing"]
    if isinstance(seqs, Unknown):
        return lacking(seqs.why)
    n = run.evidence("not_composing").n
    return (
        (Level.WARN, f"{count(n, 'keep')} {are(n)} missing from the base of what came next", seqs)
        if n
        else (Level.PASS, "keeps add up", [])
    )


def record(run: Run, v: Values) -> Answer:
    """Lines, fields and labels that are not what they should be."""
    t = run.tally
    said: list[str] = []
    seqs: list[list[int]] = []  # each in order
    for name, one, many in (
        ("unreadable", "unreadable line", "unreadable lines"),
        ("torn", "torn line at the end", "torn lines"),
        ("fault", "trial with a field that could not be read", "trials with a field that could not be read"),
        (
            "nan",
            "trial scored NaN, infinity or over 1e150, which is no value",
            "trials scored NaN, infinity or over 1e150, which is no value",
        ),
        ("outside", "proposal outside the menu", "proposals outside the menu"),
        ("noop", "no-op", "no-ops"),
        ("claimed_best", "wrong claim of a new best", "wrong claims of a new best"),
        ("iter_order", "iter label that repeats or goes back", "iter labels that repeat or go back"),
    ):
        found = run.evidence(name)
        if found.n:
            first = found.seqs[0]
            told = (*t.unread, *t.faults) if name in ("unreadable", "fault") else ()
            why = next((why for seq, why in told if seq == first), None)
            said.append(count(found.n, one, many) + (f" (line {first + 1}: {why})" if why else ""))
            seqs.append(found.seqs)
    if v["audit.counts_reconcile"] is False:
        said.append(f"closing counts {t.end_counts} that differ from the rows")
    unfound = run.evidence("unfound").n  # which is normal: discards are often not committed
    gone = f"; the repository holds no commit of {count(unfound, 'trial', 'trials')}" if unfound else ""
    if guesses := run.header.guesses:
        said.append(f"left its reader {count(len(guesses), 'thing', 'things')} to guess ({'; '.join(guesses)})")
    return (
        (
            Level.WARN,
            "the record has " + ", ".join(said) + gone,
            list(islice((s for s, _ in groupby(merge(*seqs))), SHOWN)),
        )
        if said
        else (Level.PASS, "the record is clean" + gone, [])
    )
