"""Words: what the page says of a run in sentences and numbers. Its script says the same of what comes later."""

from __future__ import annotations

from typing import Any

SHAPES = {"TAMPERED": "✗", "SUSPECT": "✗", "FLAILING": "✗", "STALLED": "!", "UNKNOWN": "?", "RESEARCHING": "●"}
MARKS = {"FAIL": "✗", "UNKNOWN": "?", "WARN": "!"}
ORDER = ("TAMPERED", "SUSPECT", "STALLED", "FLAILING", "UNKNOWN", "RESEARCHING")
LIVING = ("running", "reading", "waiting", "stalled", "not begun")
BELIEFS = {
    "CONFIRMED": "confirmed by other evaluations",
    "UNCONFIRMED": "not confirmed by any other evaluation",
    "UNKNOWN": "gain or luck: not known",
    "DOUBTED": "not to be trusted",
    "NONE": "nothing was kept yet",
}
NAMED = 6  # alarms that are named in a banner
STATUSES = {"proposer_error": "proposer error"}
SIGNS = {"new_best": "best so far", "noop": "no-op", "near": "near", "revisit": "revisit", "replicate": "replicate",
         "drifted": "drifted"}  # fmt: skip


def number(x: float | None, digits: int = 6) -> str:
    """A number as a person would write it; nothing where it is not known."""
    if x is None:
        return ""
    return f"{x:,}" if isinstance(x, int) else f"{x:.{digits}g}"


def share(x: float | None) -> str:
    """A share as a person would say it."""
    return "not known" if x is None else f"{x:.0%}"


def took(s: float | None) -> str:
    """Seconds as a person would say them."""
    if s is None:
        return ""
    if s < 100:
        return f"{s:.0f} s"
    if s < 6000:
        return f"{s / 60:.0f} min"
    return f"{s / 3600:.1f} h" if s < 72 * 3600 else f"{s / 86400:,.0f} days"


def counted(n: int, one: str) -> str:
    """`1 trial`, `1,234 trials`."""
    return f"{n:,} {one}{'' if n == 1 else 's'}"


def life(run: dict[str, Any]) -> str:
    """How alive a run is."""
    w = run["watch"]
    parts = [w.state]
    if run["read"] is not None:
        parts[0] = f"reading, {run['read']:.0%}"
    if w.age_s is not None and w.state != "reading":
        parts.append(f"last sign of life {took(w.age_s)} ago")
    if w.state in LIVING and w.usual_s is not None:
        parts.append(f"usually every {took(w.usual_s)}")
    return ", ".join(parts)


def age(run: dict[str, Any]) -> str:
    """How alive a run is, in short."""
    w = run["watch"]
    if run["read"] is not None:
        return f"reading, {run['read']:.0%}"
    return w.state if w.age_s is None else f"{w.state}, {took(w.age_s)} ago"


def clauses(sentence: str) -> tuple[str, str]:
    """What decided the word, and what else is said with it."""
    head, _, rest = sentence.partition("; ")
    return head, rest


def banner(run: dict[str, Any]) -> str:
    """How many alarms there are, and which."""
    found = alarms(run)
    named = ", ".join(v.rule.replace("_", " ") for v in found[:NAMED])
    return f"✗ {counted(len(found), 'alarm')}: {named}{' and more' if len(found) > NAMED else ''}"


def alarms(run: dict[str, Any]) -> list[Any]:
    """The verdicts that fail."""
    return [v for v in run["watch"].verdicts if v.level == "FAIL"]


def four(run: dict[str, Any]) -> list[tuple[str, str, str]]:
    """The numbers that stand in front: what, the number, what to hold it against."""
    w, c, p = run["watch"], run["coverage"], run["pairs"]
    best = number(w.best) or "none"
    touched = f"{c['knobs_touched']}" if c["knobs_touched"] is not None else "not known"
    blind = run["nulls"]["uniform_knobs_expected"]
    late = "n<10" if p["trailing_rate"] is None else f"{p['trailing_rate']:.0%}"
    stands = BELIEFS[w.best_belief]
    if w.best is not None and w.shrunk is not None and w.best_belief != "DOUBTED":
        stands += f"; would likely score {number(w.shrunk)}"
    blur = w.plateau_length is None and w.noise_sd is None
    return [
        ("best", best, stands),
        ("knobs touched", touched + (f" of {c['knobs_total']}" if c["knobs_total"] else ""),
         "" if blind is None else f"a blind walker: {blind:.1f}"),
        ("proposals tried before", share(w.pair_repeat_rate), f"{late} of the last ten"),
        ("trials since a best beyond noise", number(w.plateau_length) or "not known",
         "the noise is not known" if blur else f"of {counted(w.evaluated, 'evaluated trial')}"),
    ]  # fmt: skip


def urgency(run: dict[str, Any]) -> tuple[int, str]:
    """What to look at first: the worst word, then the name."""
    return ORDER.index(run["watch"].word), run["name"]


def again(row: dict[str, Any]) -> str:
    """The how-manieth time a pair was tried."""
    if not row["k"]:
        return ""
    return "new" if row["k"] == 1 else f"{row['k']}., first {row['first']}"


def signs(row: dict[str, Any]) -> str:
    """What is remarkable of a trial."""
    return ", ".join(SIGNS[s] for s in row["signs"] if s in SIGNS)
