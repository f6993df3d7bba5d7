"""Checks of texts: copies, leaks across the split, prompts that nobody saw, targets that change nothing."""

from __future__ import annotations

from trajscope.corpus.checks.answer import Check, count, cure, judged, share
from trajscope.corpus.policy import Alike, CountUpTo, ShareFrom, ShareUpTo
from trajscope.corpus.split import ALL
from trajscope.corpus.survey import Survey

NONE_RECORDED = "no prompt is recorded"


def text_duplicates(s: Survey, p: ShareUpTo) -> Check:
    """No prompt with its target stands twice. Passing says little: one idea may be worded in many ways."""
    n = len(s.texts.pairs)
    if not n:
        return Check("text_duplicates", "insufficient", None, f"<= {p.max:g}", 0, NONE_RECORDED)
    twice = s.duplicates()
    same = s.repeats.n / s.whole.rows if s.whole.rows else 0.0
    note = f"yet {share(same)} of rows repeat a label" if not twice and same > 0.25 else None
    return Check(
        "text_duplicates",
        judged(bad=twice / n > p.max, enough=n >= p.min_n),
        twice / n,
        f"<= {p.max:g}",
        n,
        f"{twice:,} of {count(n, 'text')} stand there twice{_of(s, n)}",
        remedy=cure("drop the copies", bad=twice / n > p.max),
        note=note,
    )


def near_duplicates(s: Survey, p: Alike) -> Check:
    """No test prompt is nearly one that was trained on, beside the lines that every prompt holds."""
    bound = f"<= {p.max}"
    if not s.train_prompts or not s.test_prompts:
        side = "train" if not s.train_prompts else "test"
        said = f"no prompt of the {side} side is at hand" if s.texts.prompts else NONE_RECORDED
        return Check("near_duplicates", "insufficient", None, bound, 0, said)
    n, found = s.alike(p.similarity)
    sampled = f" (the first {n:,} of {s.test_prompts:,})" if n < s.test_prompts else ""
    return Check(
        "near_duplicates",
        judged(bad=found.n > p.max, enough=n >= p.min_n),
        found.n,
        bound,
        n,
        f"{found.n:,} of {count(n, 'test prompt')}{sampled} share {p.similarity:.0%} or more with one of train",
        tuple(found.rows),
        found.n,
        remedy=cure("hold out whole campaigns: --split campaign", bad=found.n > p.max),
    )


def leakage(s: Survey, p: CountUpTo) -> Check:
    """No test trial was proposed with trials of the train side in view."""
    bound, n = f"<= {p.max}", s.test.rows
    if not s.split.in_time:
        said = "whole campaigns are held out" if s.split.kind == "campaign" else "no boundary in time to look across"
        return Check("leakage", judged(bad=False, enough=n >= p.min_n), 0, bound, n, said)
    if s.history is None:
        said = "how many past trials the proposer was shown is not recorded (--history N)"
        return Check("leakage", "insufficient", None, bound, n, said)
    seen = "all trials" if s.history == ALL else f"the last {count(s.history, 'trial')}"
    return Check(
        "leakage",
        judged(bad=s.leaks.n > p.max, enough=n >= p.min_n and s.train.rows > 0),
        s.leaks.n,
        bound,
        n,
        f"{s.leaks.n:,} of {count(n, 'test row')} saw train rows ({seen})",
        tuple(s.leaks.rows),
        s.leaks.n,
        remedy=cure(
            "hold out whole campaigns (--split campaign)"
            if s.history == ALL
            else f"leave {count(s.history, 'trial')} out before the boundary: --embargo {s.history}",
            bad=s.leaks.n > p.max,
        ),
    )


def fidelity(s: Survey, p: ShareFrom) -> Check:
    """Prompts are what the proposer saw: by their recorded hash, and by the configuration that they show."""
    t, bound = s.texts, f">= {p.min:g}"
    if not t.prompts:
        said = f"{NONE_RECORDED}; a chat file can be asked with --sft"
        more = "record what the proposer saw while the run goes on: `shown` in the trial's line"
        return Check("fidelity", "insufficient", None, bound, 0, said, remedy=more)
    n, differ = t.checked + t.lost.n, t.unlike.n + t.lost.n
    if not n:
        return Check("fidelity", "insufficient", None, bound, 0, "nothing is recorded to hold the prompts against")
    value = 1 - differ / n
    all_told = n == s.taught
    kept = t.unlike if t.unlike.n else t.lost
    how = "are not what was seen" if t.unlike.n else "cannot be read under their hash"
    if t.unlike.n and t.lost.n:
        how += f", {t.lost.n} of them cannot be read"
    bad = value < p.min
    return Check(
        "fidelity",
        "fail" if bad and n >= p.min_n else "insufficient" if bad or not all_told or n < p.min_n else "pass",
        value,
        bound,
        n,
        f"{differ:,} of {count(n, 'prompt')} {how}{_of(s, n)}",
        tuple(kept.rows),
        differ,
        remedy="build prompts from what was recorded while the run went on, never anew: `shown` in the trial's line",
    )


def contradictions(s: Survey, p: CountUpTo) -> Check:
    """No target is what the prompt shows as standing already."""
    t, bound = s.texts, f"<= {p.max}"
    if not t.standing:
        said = "no prompt shows the configuration that stands" if t.prompts else NONE_RECORDED
        return Check("contradictions", "insufficient", None, bound, 0, said)
    n = t.standing
    bad = t.same.n > p.max
    return Check(
        "contradictions",
        "insufficient" if n < p.min_n or (not bad and n < t.prompts) else "fail" if bad else "pass",
        t.same.n,
        bound,
        n,
        f"{t.same.n:,} of {count(n, 'target')} are set already in the prompt{_of(s, n)}",
        tuple(t.same.rows),
        t.same.n,
        remedy=cure("drop those rows; a prompt that shows the true base does not make them", bad=bad),
    )


def claims(s: Survey, p: CountUpTo) -> Check | None:
    """Every row of a chat file is a trial of the run, with its proposal, verdict and value."""
    if s.chat is None:
        return None
    n, bad = s.chat.rows, s.claim_count
    held = f"; {s.test_in_chat} of its rows stand on the test side" if s.test_in_chat and s.test_in_chat < n else ""
    first = f"; {s.claims[0][1]}" if s.claims else ""
    return Check(
        "claims",
        judged(bad=bad > p.max, enough=n >= p.min_n),
        bad,
        f"<= {p.max}",
        n,
        f"{bad:,} of {count(n, 'row')} of the chat file differ from the run{first}{held}",
        tuple(row for row, _ in s.claims if row is not None),
        bad,
        remedy=cure(
            "make the file from the run again: what it says of a trial must be what the run recorded", bad=bad > p.max
        ),
        lines=tuple(why for _, why in s.claims),
    )


def _of(s: Survey, n: int) -> str:
    """What could not be looked at."""
    lost = s.taught - n
    where = "not in the file" if s.chat is not None else "have none"
    return f"; {count(lost, 'row')} {where}" if lost > 0 else ""
