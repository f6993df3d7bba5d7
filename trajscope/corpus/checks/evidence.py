"""Checks of the evidence: whether the runs can be believed, and whether the held-out side can tell anything."""

from __future__ import annotations

from trajscope.corpus.checks.answer import Check, count, judged, staying
from trajscope.corpus.examples import campaign
from trajscope.corpus.policy import Least, Trust
from trajscope.corpus.survey import SHOWN, Survey
from trajscope.corpus.told import Doubt

OF_ALL = ("integrity",)  # rules that look at every trial; where nothing was kept the others have nothing to look at


def trust(s: Survey, p: Trust) -> Check:
    """No row is of a tampered or suspect run, and what would have shown that could be looked at."""
    doubted, blind = _looked(s, p)
    n, bound = s.whole.rows, f"<= {p.max}"
    bad = max(sum(s.examples.runs[i].counted for i, _ in doubted), s.tampered.n)
    if bad > p.max:
        reason = doubted[0][1].why if doubted else f"{count(s.tampered.n, 'trial')} did not run what was proposed"
        more = f" (and {count(len(doubted) - 1, 'more run')})" if len(doubted) > 1 else ""
        rows = [(i, seq) for i, doubt in doubted for seq in doubt.seqs] or s.tampered.rows
        remedy = "leave those runs out until somebody has looked: `trajscope analyze` shows why"
        return Check("trust", "fail", bad, bound, n, reason + more, tuple(rows[:SHOWN]), bad, remedy=remedy)
    if blind:
        remedy = "record fingerprints and a holdout: docs/integrity.md, docs/keep.md"
        return Check("trust", "insufficient", None, bound, n, f"not looked at: {'; '.join(blind)}", remedy=remedy)
    if not n:
        return Check("trust", "insufficient", None, bound, n, "there are no rows")
    return Check("trust", "pass", bad, bound, n, f"none of {count(n, 'row')} is tampered or suspect")


def _looked(s: Survey, p: Trust) -> tuple[list[tuple[int, Doubt]], list[str]]:
    """Runs under doubt, and what could not be looked at."""
    doubted = [(i, run.doubt) for i, run in enumerate(s.examples.runs) if run.doubt is not None]
    blind = [
        f"{name}: {run.blind[name]}"
        for run in s.examples.runs
        for name in (p.requires if run.keeps.n else [x for x in p.requires if x in OF_ALL])
        if name in run.blind
    ]
    return doubted, list(dict.fromkeys(blind))


def power(s: Survey, p: Least) -> Check:
    """Enough test rows to tell a good student from a bad one, and as many once repeats are dropped: they are asked."""
    n = s.test.rows
    stay = n if s.chat is not None else s.test.stays
    enough = stay >= p.min
    half = f", a rate is known to ±{0.98 / n**0.5:.2f}" if n else ""
    lacking = f"collect {p.min - stay:,} more test rows{' that repeat nothing' if stay < n else ''}"
    more = None if enough else f"{lacking} before an evaluation is believed"
    said = f"{count(n, 'test row')}{half}{staying(n, stay)}"
    return Check("power", "pass" if enough else "insufficient", n, f">= {p.min:,}", n, said, remedy=more)


def campaigns(s: Survey, p: Least) -> Check:
    """Enough campaigns that what is learnt is not the habit of one."""
    n = len({campaign(run.header) for run in s.examples.runs if run.counted})
    enough = n >= p.min
    more = None if enough else f"collect {count(p.min - n, 'more campaign', 'more campaigns')}"
    said = f"{count(n, 'campaign')} of {count(len(s.examples.runs), 'run')}"
    return Check("campaigns", judged(bad=False, enough=enough), n, f">= {p.min:,}", s.whole.rows, said, remedy=more)
