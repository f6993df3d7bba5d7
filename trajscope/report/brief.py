"""Brief: the verdict in one breath, what to distrust in its order, and three things to do now.

Knows no HTML. What is said comes from the analysis; only the order and the advice are made here.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from trajscope import rules
from trajscope.readable import duration, number, plural, short
from trajscope.rules.wording import NOT_EVALUABLE
from trajscope.stats import Z80, Z95

LUCK = 0.1  # share of a claimed gain lost by measuring again from which it is spoken of
ACTIONS = 3
UNTOUCHED = 4  # names of untouched knobs that are written out
MOST_AGAIN = 50  # evaluations beyond which no number is proposed
_LEVELS = ("FAIL", "UNKNOWN", "WARN")

Account = Mapping[str, Any]


class Doubt(NamedTuple):
    """One thing to distrust, and the trials that show it."""

    level: str
    rule: str
    text: str
    seqs: tuple[int, ...] = ()


class Brief(NamedTuple):
    """What somebody reads first."""

    word: str
    head: str
    clauses: tuple[str, ...]
    doubts: tuple[Doubt, ...]
    blind: tuple[Doubt, ...]  # what could not be checked
    quiet: tuple[str, ...]
    actions: tuple[str, ...]


def brief(account: Account) -> Brief:
    """The brief of one run."""
    doc = account["doc"]
    head, *clauses = doc["verdict"]["sentence"].split("; ")
    blind = [v for v in doc["verdicts"] if v["level"] == "WARN" and v["reason"].startswith(NOT_EVALUABLE)]
    return Brief(
        doc["verdict"]["word"],
        sentence(head),
        tuple(clauses),
        doubts(account),
        tuple(Doubt("WARN", v["rule"], v["reason"].removeprefix(NOT_EVALUABLE)) for v in blind),
        tuple(v["rule"] for v in doc["verdicts"] if v["level"] == "PASS"),
        actions(account),
    )


def sentence(said: str) -> str:
    """The same with a capital in front, unless it begins with a name."""
    first = said.partition(" ")[0].rstrip(",;:")
    return said[:1].upper() + said[1:] if first.isalpha() else said


def doubts(account: Account) -> tuple[Doubt, ...]:
    """What to distrust, the worst first: by level, by what a rule makes of a run, in the order of the rules."""
    doc = account["doc"]
    found = [
        Doubt(v["level"], v["rule"], v["reason"], tuple(v["evidence"]))
        for v in doc["verdicts"]
        if v["level"] in _LEVELS and not v["reason"].startswith(NOT_EVALUABLE)
    ]
    places = {r.name: i for i, r in enumerate(rules.RULES)}
    words = {r.name: rules.WORDS.index(r.word) if r.word else len(rules.WORDS) for r in rules.RULES}

    def rank(d: Doubt) -> tuple[int, int, int]:
        return _LEVELS.index(d.level), words.get(d.rule, 0), places.get(d.rule, -1)

    return tuple(sorted([*luck(account), *found], key=rank))


def luck(account: Account) -> list[Doubt]:
    """What the best itself leaves to doubt: luck, an interval that holds no gain, or a noise that nobody knows."""
    doc, best = account["doc"], account["facts"]["best"]
    b = doc["best"]
    if b["gain"] is None or b["gain"] <= 0:
        return []
    if doc["noise"]["sd"] is None:
        why = doc["unknown"].get("noise.sd", "no noise is known")
        return [Doubt("UNKNOWN", "luck", f"how much of the gain of {number(b['gain'], 3)} is luck: {why}", (b["seq"],))]
    out = []
    if best["gain_low"] is not None and best["gain_low"] <= 0:
        ends = f"{number(best['gain_low'], 3)} to {number(best['gain_high'], 3)}"
        said = f"the best may be no better than the baseline: its gain lies in {ends} (95%)"
        out.append(Doubt("WARN", "luck", said, tuple(seq for seq, _ in best["evaluations"])))
    elif best["luck"] is not None and best["luck"] >= LUCK:
        claimed, shrunk = number(b["gain"], 3), number(b["shrunk_gain"], 3)
        said = f"of the claimed gain {claimed}, {best['luck']:.0%} is luck: {shrunk} is left ({b['shrunk_method']})"
        out.append(Doubt("WARN", "luck", said, tuple(seq for seq, _ in best["evaluations"])))
    return out


def actions(account: Account) -> tuple[str, ...]:
    """Three things to do, for the worst doubts first; the same advice is given once."""
    rulings = [d.rule for d in doubts(account)]
    if not account["doc"]["trials"]:
        rulings = ["record"]  # before anything ran nothing else can be done about it
    said: list[str] = []
    for rule in [*rulings, *_ALWAYS]:
        advice = _ADVICE.get(rule)
        text = advice(account) if advice else None
        if text and text not in said:
            said.append(text)
        if len(said) == ACTIONS:
            break
    return tuple(said)


def _integrity(a: Account) -> str:
    drift = a["doc"]["integrity"]["drifted"]
    if not drift:
        return "Take the log from where its writer put it, and find who changed this copy: nothing in it is evidence."
    since = drift[0]["from_seq"]
    what = short(drift[0]["path"] or drift[0]["knob"], 60)
    return f"Discard trial {since} and everything after it; find what rewrote {what} before the loop runs again."


def _grader(a: Account) -> str:
    return "Restore scorer and data from a copy the loop cannot write, and score the last keeps again."


def _guards(a: Account) -> str:
    names = ", ".join(short(g, 40) for g in a["facts"]["guards"])
    if not names:
        return "Declare a guard with a bound, and a holdout the loop never sees, before the next night."
    return f"Give {names} a bound, and hold every keep against it before any of them is used."


def _suspect(a: Account) -> str:
    seq = a["doc"]["best"]["seq"]
    return f"Score trial {seq} on data the loop never saw, with the loop stopped; until then nothing was gained."


def _rails(a: Account) -> str | None:
    r = a["replay"]
    if "why" in r:
        return None
    blocked = r["trials"] - r["passed"]
    if not blocked:
        return None
    back = f" and {duration(r['returned_s'])} given back" if r["returned_s"] else ""
    return (
        f"Ask the rails before every trial (trajscope rail check): here {blocked:,} of {plural(r['trials'], 'trial')} "
        f"would have been refused{back}. Show the proposer the whole history, too."
    )


def _coverage(a: Account) -> str | None:
    names = a["doc"]["coverage"]["untouched"] or []
    if not names:
        return None
    more = f" and {len(names) - UNTOUCHED} more" if len(names) > UNTOUCHED else ""
    return f"Try what was never touched: {', '.join(short(n, 30) for n in names[:UNTOUCHED])}{more}."


def _again(a: Account) -> str | None:
    b, noise = a["doc"]["best"], a["doc"]["noise"]["sd"]
    if b["value"] is None:
        return None
    times = "4 times"
    if noise and (gain := b["shrunk_gain"] or b["gain"]) and gain > 0:
        need = math.ceil(2 * ((Z95 + Z80) * noise / gain) ** 2)
        times = "twice" if need <= 2 else f"{need} times" if need <= MOST_AGAIN else f"over {MOST_AGAIN} times"
    claim = (
        f"claim {number(b['shrunk'], 6)}, not {number(b['value'], 6)}" if b["shrunk"] is not None else "claim nothing"
    )
    base = "the baseline" if a["doc"]["baseline"]["value"] is not None else "a baseline"
    return f"Measure trial {b['seq']} again with fresh seeds, {times}, and {base} beside it; until then {claim}."


def _keeps(a: Account) -> str:
    seqs = a["doc"]["noise"]["unconfirmed_keeps"] or []
    named = ", ".join(map(str, seqs[:5]))
    if len(seqs) == 1:
        return f"Measure trial {named} again, a keep that nothing confirms, before building on it."
    more = f" and {len(seqs) - 5:,} more" if len(seqs) > 5 else ""
    return f"Measure the keeps again that nothing confirms (trials {named}{more}) before building on them."


def _seed(a: Account) -> str:
    return "Make the recorded seed decide how a trial begins, or record another: replicates mean nothing until then."


def _compose(a: Account) -> str:
    seqs = a["doc"]["audit"]["keeps_not_composing"] or []
    return f"Decide whether keeps are built upon: {plural(len(seqs), 'keep')} went missing from what came next."


def _record(a: Account) -> str:
    lines = a["doc"]["lines"]
    if bad := lines["unreadable"] + lines["torn"]:
        return f"Look at the {plural(bad, 'line')} that could not be read: no number here counts them."
    return "Look at what is odd in the record, or had to be guessed, before relying on any count."


def _corpus(a: Account) -> str:
    return "Before anything is distilled from it, ask the gate whether this run may be learned from."


_ADVICE: Mapping[str, Callable[[Account], str | None]] = {
    "integrity": _integrity, "grader": _grader, "guards": _guards, "luck": _again, "flailing": _rails,
    "repeats": _rails, "dominance": _rails, "excess": _rails, "coverage": _coverage, "stuck": _coverage,
    "family_dominance": _coverage, "kept_dominance": _coverage, "unconfirmed": _keeps, "flips": _again,
    "baseline": _again, "seed": _seed, "composition": _compose, "record": _record, "corpus": _corpus,
    **dict.fromkeys(
        ("divergence", "gain_share", "guard_margin", "variance_collapse", "predictions", "ablation", "unchanged_gain",
         "seed_edit", "shortcut", "confirmation", "staircase", "too_good", "perfect"), _suspect),
}  # fmt: skip
_ALWAYS = ("guards", "luck", "corpus", "coverage")


def markdown(account: Account, *, link: str | None = None) -> str:
    """The brief for a pull request or the summary of a build."""
    b, doc = brief(account), account["doc"]
    best = doc["best"]
    title = _plain(doc["run_id"] or doc["file"], 80)
    out = [f"### {rules_shape(b.word)} {b.word}: {title}", "", f"**{_plain(b.head)}.**", ""]
    out += [f"{'; '.join(_plain(c) for c in b.clauses)}.", ""] if b.clauses else []
    gain = "no best" if best["gain"] is None else f"claimed {number(best['gain'], 3)}"
    left = "" if best["shrunk_gain"] is None else f", believable {number(best['shrunk_gain'], 3)}"
    known = doc["pairs"]["repeat_rate"]
    again = (
        "not known"
        if known is None
        else f"{doc['pairs']['repeats']:,} of {doc['pairs']['unique'] + doc['pairs']['repeats']:,}"
    )
    out += [
        "| trials | kept | gain | tried before |", "|---|---|---|---|",
        f"| {doc['trials']:,} | {doc['status']['kept']:,} | {gain}{left} | {again} |", "",
    ]  # fmt: skip
    if b.doubts:
        out += ["**What to distrust**", ""]
        out += [f"{i}. {rules_mark(d.level)} {_plain(d.text)}{_seqs(d.seqs)}" for i, d in enumerate(b.doubts, 1)]
        out += [""]
    out += ["**Do now**", "", *(f"{i}. {_plain(a)}" for i, a in enumerate(b.actions, 1)), ""]
    if b.blind:
        out += [f"Not checked for want of data: {', '.join(d.rule for d in b.blind)}.", ""]
    return "\n".join(out + ([f"Report: {_plain(link)}", ""] if link else []))


def rules_shape(word: str) -> str:
    """The shape of a verdict word."""
    from trajscope.readable import SHAPES

    return SHAPES.get(word, SHAPES["UNKNOWN"])[0]


def rules_mark(level: str) -> str:
    """The shape of a level."""
    from trajscope.readable import MARKS

    return MARKS.get(level, ("●", ""))[0]


def _seqs(seqs: tuple[int, ...], most: int = 8) -> str:
    if not seqs:
        return ""
    more = ", ..." if len(seqs) > most else ""
    return f" (trial{'' if len(seqs) == 1 else 's'} {', '.join(map(str, seqs[:most]))}{more})"


def _plain(said: object, most: int = 400) -> str:
    """A stranger's text in Markdown: nothing in it is a link, a tag, an emphasis or a table."""
    cut = short(said, most)
    return "".join(f"\\{c}" if c in "\\`*_{}[]<>#|!~@" else c for c in cut)
