"""Checks of what was kept: how many, how different, how sure, and whether both sides of the split kept alike."""

from __future__ import annotations

from trajscope.corpus import diversity
from trajscope.corpus.checks.answer import Check, Seen, count, cure, judged, share, staying
from trajscope.corpus.checks.labels import LETTERS, MORE_KEEPS
from trajscope.corpus.policy import BoundedShare, LeastOf, Modes, ShareFrom, ShareUpTo
from trajscope.corpus.survey import Part, Survey, interval
from trajscope.readable import short

GAINED = 0.1  # effective labels below which weights are not worth their rows


def keeps(s: Survey, p: LeastOf) -> Check:
    """Enough keeps to learn from, out of rows that could have given them, and as many once repeats are dropped."""
    n, kept = s.whole.rows, s.whole.kept
    stay = kept if s.chat is not None else s.whole.kept_stays
    good = kept >= p.min
    return Check(
        "keeps",
        judged(bad=False, enough=stay >= p.min) if good else judged(bad=True, enough=n >= p.min_n),
        kept,
        f">= {p.min:,}",
        n,
        f"{count(kept, 'keep')} in {count(n, 'row')}{staying(kept, stay)}",
        remedy=MORE_KEEPS,
    )


def keep_rate(s: Survey, p: ShareUpTo) -> Check:
    """Both verdicts occur: a gate that keeps everything tells a student nothing."""
    n, kept = s.whole.rows, s.whole.kept
    value = kept / n if n else None
    bad = value is not None and value > p.max
    said = f"{kept:,} of {count(n, 'row')} were kept" if n else "no row has a verdict"
    return Check(
        "keep_rate",
        judged(bad=bad, enough=n >= p.min_n),
        value,
        f"<= {p.max:g}",
        n,
        said,
        remedy=cure("look at the keep gate: what it always keeps it does not judge", bad=bad),
    )


def keep_labels(s: Survey, p: LeastOf) -> Check:
    """Enough different things were kept, out of keeps that could have been different."""
    n, met = s.whole.kept, len(s.whole.keeps)
    good = met >= p.min
    return Check(
        "keep_labels",
        "pass" if good else judged(bad=True, enough=n >= p.min_n),
        met,
        f">= {p.min:,}",
        n,
        f"{count(n, 'keep')} over {count(met, 'label')}; those of train over {len(s.train.keeps)}",
        remedy=_collect(s),
    )


def confirmed_keeps(s: Survey, p: ShareFrom) -> Check:
    """What is taught as good was good a second time."""
    bad: set[str] = set()
    sure: set[str] = set()
    for run in s.examples.runs:
        if run.keeps.unknown is not None:
            reason = f"{run.file}: {run.keeps.unknown}"
            return Check("confirmed_keeps", "insufficient", None, f">= {p.min:g}", s.whole.kept, reason)
        bad |= run.keeps.doubted & s.whole.keeps.keys()
        sure |= run.keeps.sure & s.whole.keeps.keys()
    whole = all(run.keeps.whole for run in s.examples.runs)
    n = len(s.whole.keeps) if whole else len(bad | sure)
    value = len(sure) / n if n else None
    alone = bad - sure
    named = f"; not {', '.join(short(x, 24) for x in sorted(alone)[:3])}{' ...' if len(alone) > 3 else ''}"
    return Check(
        "confirmed_keeps",
        judged(bad=value is not None and value < p.min, enough=n >= p.min_n),
        value,
        f">= {p.min:g}",
        n,
        f"{len(sure)} of {count(n, 'kept label')} held up again{named if alone else ''}" if n else "nothing was kept",
        s.keeps_of(alone),
        sum(s.whole.keeps[label] for label in alone),
        remedy=cure(
            "evaluate unconfirmed keeps once more on fresh seeds, and drop what does not hold up", bad=bool(alone)
        ),
    )


def keep_share(s: Survey, p: BoundedShare) -> Check:
    """No single label takes most keeps, and that is not luck of few."""
    parts, bad, enough, worst = [], False, True, None
    for part in (s.whole, s.train):
        n = part.kept
        if not n:
            parts.append(Seen(part.name, None, 0))
            enough = False
            continue
        label, most = min(part.keeps.items(), key=lambda x: (-x[1], x[0]))
        upper = interval(most, n)[1]
        parts.append(Seen(part.name, most / n, n))
        if n < p.min_n:
            enough = False
        elif most / n > p.max:
            bad = True
        elif upper > p.upper:
            enough = False
        if worst is None or most / n > worst[0]:
            worst = most / n, label, most, part
    if worst is None:
        return Check("keep_share", "insufficient", None, f"<= {p.max:g}", 0, "nothing was kept", parts=tuple(parts))
    value, label, most, part = worst
    low, high = interval(most, part.kept)
    whole = f"; of all {share(parts[0].value)}" if parts[0].value is not None and part is not s.whole else ""
    side = "" if part is s.whole else " of train"
    return Check(
        "keep_share",
        "fail" if bad else judged(bad=False, enough=enough),
        value,
        f"<= {p.max:g}",
        part.kept,
        f"{short(label, LETTERS)} is {most} of {count(part.kept, 'keep')}{side} [{low:.2f}, {high:.2f}]{whole}",
        s.keeps_of([label]),
        s.whole.keeps[label],
        tuple(parts),
        remedy=cure(_collect(s), bad=value > p.max),
    )


def keep_modes(s: Survey, p: Modes) -> Check:
    """The keeps are of several kinds on every side, counted by how often each occurs."""
    kernel = s.kernel or diversity.KERNELS[p.kernel]
    parts, told, bad, enough, least = [], [], False, True, None
    for part in (s.whole, s.train, s.test):
        found = diversity.spectrum(part.keeps, s.pairs, kernel)
        if not found:
            parts.append(Seen(part.name, None, part.kept))
            enough = False
            told.append(f"{part.name} none")
            continue
        d1, d2 = (diversity.of_shares(found, q) for q in (1.0, 2.0))
        parts.append(Seen(part.name, d1, part.kept))
        told.append(f"{part.name} {d1:.2f}/{d2:.2f}")
        if part.kept < p.min_n:
            enough = False
        elif d1 < p.effective or d2 < p.simpson:
            bad = True
        if part.kept >= p.min_n or part is s.whole:
            least = d1 if least is None else min(least, d1)
    alike = "" if p.kernel == "exact" else " (near values count as alike)"
    alike = " (how alike two are is said by a kernel of the caller)" if s.kernel else alike
    return Check(
        "keep_modes",
        "fail" if bad else judged(bad=False, enough=enough),
        least,
        f">= {p.effective:g}/{p.simpson:g}",
        s.whole.kept,
        f"modes kept: {', '.join(told)}{alike}",
        parts=tuple(parts),
        remedy=_collect(s, p),
    )


def shift(s: Survey, p: ShareUpTo) -> Check:
    """Train and test kept the same things. Where whole labels are held out, knobs are compared: labels never agree."""
    by_knob = s.split.kind == "labels"
    a, b = (part.kept_knobs if by_knob else part.keeps for part in (s.train, s.test))
    value = diversity.apart(a, b)
    n = min(s.train.kept, s.test.kept)
    if value is None:
        return Check("shift", "insufficient", None, f"<= {p.max:g}", n, "one side of the split kept nothing")
    what = "knobs" if by_knob else "labels"
    return Check(
        "shift",
        judged(bad=value > p.max, enough=n >= p.min_n),
        value,
        f"<= {p.max:g}",
        n,
        f"{share(value)} of kept {what} differ: {s.train.kept} keeps of train, {s.test.kept} of test",
        parts=(Seen("train", None, s.train.kept), Seen("test", None, s.test.kept)),
        remedy=cure(
            "hold out whole campaigns (--split campaign), or collect until both sides have seen the same",
            bad=value > p.max,
        ),
    )


def _collect(s: Survey, p: Modes | None = None) -> str:
    """Whether weights could mend it: they cannot make a kind that does not occur."""
    least: Part = min((x for x in (s.whole, s.train) if x.kept), key=lambda x: len(x.keeps), default=s.whole)
    most = len(least.keeps)
    half = diversity.weights(least.keeps, 0.5)
    now, then = diversity.hill(least.keeps) or 0.0, diversity.of_shares(half.values())
    if p is not None and most >= p.effective and then - now >= GAINED:
        d1 = diversity.hill(dict.fromkeys(least.keeps, 1)) or 0.0
        rows = diversity.effective_rows(list(least.keeps.values()), list(half.values()))
        return (
            f"reweight by n^-0.5: effective kept labels {now:.1f} to {then:.1f} (at most {d1:.0f}), "
            f"worth {rows:.0f} rows; or collect"
        )
    whole = len(s.whole.keeps)
    if not whole:
        return "collect: nothing was kept yet"
    side = f", {most} in train" if least is s.train and most < whole else ""
    return f"collect, do not reweight: at most {count(whole, 'effective mode')} exist{'s' if whole == 1 else ''}{side}"
