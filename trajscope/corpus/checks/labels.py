"""Checks of what was proposed: rows, labels, repeats, knobs, the menu."""

from __future__ import annotations

from trajscope.corpus.checks.answer import Check, Seen, count, cure, judged, share
from trajscope.corpus.policy import CountUpTo, Least, LeastOf, ShareFrom, ShareUpTo
from trajscope.corpus.survey import Survey
from trajscope.readable import short

LETTERS = 40  # of a label in a sentence
RAIL = "put the rail that refuses repeats before the evaluation: `trajscope rail check`"
MORE_KEEPS = "collect more campaigns, or train on all rows with their outcomes instead of on keeps"
NAMED = 3  # knobs that are written out


def rows(s: Survey, p: Least) -> Check:
    """Enough rows to learn from. Fewer are never a fault, only too few."""
    n, gone = s.whole.rows, s.whole.rows - s.stays
    stay = f", {s.stays:,} of them without repeats and no-ops" if gone else ""
    enough = s.stays >= p.min
    said = f"{count(n, 'row')}{stay}"
    more = None if enough else f"collect {p.min - s.stays:,} more rows that repeat nothing"
    return Check("rows", "pass" if enough else "insufficient", s.stays, f">= {p.min:,}", n, said, remedy=more)


def labels(s: Survey, p: LeastOf) -> Check:
    """Enough different things were proposed."""
    n, met = s.whole.rows, len(s.examples.labels)
    good = met >= p.min
    said = f"{count(met, 'different label')} in {count(n, 'row')}"
    outcome = "pass" if good else judged(bad=True, enough=n >= p.min_n)
    more = cure("let a rail refuse repeats and show the proposer what is untried", bad=met < p.min <= n)
    return Check("labels", outcome, met, f">= {p.min:,}", n, said, remedy=more)


def label_duplicates(s: Survey, p: ShareUpTo) -> Check:
    """Rows propose something new, by canonical label: text may differ where the idea does not."""
    n = s.whole.rows
    value = s.repeats.n / n if n else None
    bad = value is not None and value > p.max
    said = f"{s.repeats.n:,} of {count(n, 'row')} propose what an earlier row did"
    return Check(
        "label_duplicates",
        judged(bad=bad, enough=n >= p.min_n),
        value,
        f"<= {p.max:g}",
        n,
        said if n else "no row says what was proposed",
        tuple(s.repeats.rows),
        s.repeats.n,
        remedy=cure(RAIL, bad=bad),
    )


def label_share(s: Survey, p: ShareUpTo) -> Check:
    """No single label takes most rows."""
    n, found = s.whole.rows, s.examples.labels.most
    if not n or found is None:
        return Check("label_share", "insufficient", None, f"<= {p.max:g}", 0, "no row says what was proposed")
    number, label, most = found
    value = most / n
    return Check(
        "label_share",
        judged(bad=value > p.max, enough=n >= p.min_n),
        value,
        f"<= {p.max:g}",
        n,
        f"{short(label, LETTERS)} is {most:,} of {count(n, 'row')}",
        s.rows_of(number),
        most,
        remedy=cure(RAIL, bad=value > p.max),
    )


def knob_coverage(s: Survey, p: ShareFrom) -> Check:
    """The knobs of the menu were tried."""
    known, n = _knobs(s), s.whole.rows
    if not known:
        said = "no menu is known, so nothing says how many knobs there are (--menu FILE)"
        return Check("knob_coverage", "insufficient", None, f">= {p.min:g}", n, said)
    met = s.whole.knobs & known
    value = len(met) / len(known)
    missed = sorted(known - met)
    first = ", ".join(short(x, 20) for x in missed[:NAMED]) + (" ..." if len(missed) > NAMED else "")
    named = f"; never {first}" if missed else ""
    others = ", ".join(short(x, 20) for x in missed[:4]) + (" and others" if len(missed) > 4 else "")
    return Check(
        "knob_coverage",
        judged(bad=value < p.min, enough=n >= p.min_n),
        value,
        f">= {p.min:g}",
        n,
        f"{len(met)} of {count(len(known), 'knob')} tried{named}",
        remedy=cure(f"collect trials on {others}", bad=value < p.min),
    )


def keep_coverage(s: Survey, p: ShareFrom) -> Check:
    """Keeps are spread over the knobs of the menu."""
    known = _knobs(s)
    if not known:
        said = "no menu is known, so nothing says how many knobs there are (--menu FILE)"
        return Check("keep_coverage", "insufficient", None, f">= {p.min:g}", s.whole.kept, said)
    parts = tuple(
        Seen(part.name, len(known & set(part.kept_knobs)) / len(known), part.kept) for part in (s.whole, s.train)
    )
    value = min(x.value for x in parts if x.value is not None)
    bad = any(x.value is not None and x.value < p.min and x.n >= p.min_n for x in parts)
    enough = bad or all(x.n >= p.min_n for x in parts)
    met, trained = (len(known & set(part.kept_knobs)) for part in (s.whole, s.train))
    return Check(
        "keep_coverage",
        judged(bad=bad, enough=enough),
        value,
        f">= {p.min:g}",
        s.whole.kept,
        f"keeps touch {met} of {count(len(known), 'knob')}, those of train {trained}",
        parts=parts,
        remedy=cure(MORE_KEEPS, bad=value < p.min),
    )


def menu(s: Survey, p: CountUpTo) -> Check:
    """Nothing is taught that the menu forbids."""
    n = s.whole.rows
    if any(run.header.menu is None for run in s.examples.runs):
        said = "no menu is known, so nothing says what is allowed (--menu FILE)"
        return Check("menu", "insufficient", None, f"<= {p.max}", n, said)
    return Check(
        "menu",
        judged(bad=s.outside.n > p.max, enough=n >= p.min_n),
        s.outside.n,
        f"<= {p.max}",
        n,
        f"{s.outside.n:,} of {count(n, 'row')} propose what the menu lacks",
        tuple(s.outside.rows),
        s.outside.n,
        remedy=cure("correct the menu, or leave those rows out", bad=s.outside.n > p.max),
    )


def overlap(s: Survey, p: ShareUpTo) -> Check:
    """How much of what is asked in the test was taught in training: with much of it, a test measures recall."""
    n = s.test.rows
    met = s.recalled
    if not n or not s.train.rows:
        return Check("overlap", "insufficient", None, f"<= {p.max:g}", n, "one side of the split has no rows")
    value = met / n
    note = f"a test of {share(value)} known labels measures recall, not novelty" if value > 0.5 else None
    return Check(
        "overlap",
        judged(bad=value > p.max, enough=n >= p.min_n),
        value,
        f"<= {p.max:g}",
        n,
        f"{met:,} of {count(n, 'test row')} have a label that train has too",
        s.rows_of_both() if value > p.max else (),
        met,
        remedy=cure("split by whole labels: --split labels", bad=value > p.max),
        note=note,
    )


def _knobs(s: Survey) -> set[str]:
    """The knobs of all menus; none where a run has no menu."""
    menus = [run.header.menu for run in s.examples.runs]
    return {k for m in menus if m is not None for k in m.knobs} if all(m is not None for m in menus) else set()
