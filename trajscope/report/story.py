"""Story: the timeline of a run in words, and what each of its keeps contributed. Knows no HTML."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from trajscope.readable import duration, number, ordinal, plural, short
from trajscope.report.gather import MARKS

MOST = 24  # moments that are told
KEEPS = 30
_WEIGHTS = {"begin": 9, "end": 9, "word": 8, "best": 7, "first": 8, "alarm": 6, "event": 5, "plateau": 7, "step": 3}


class Moment(NamedTuple):
    """Something that happened at a trial."""

    seq: int
    kind: str
    text: str


class Keep(NamedTuple):
    """What a keep brought, and what else moved with it."""

    seq: int
    pair: str
    gain: float | None
    in_sd: float | None
    also: tuple[tuple[str, float], ...]
    wall_s: float | None
    value: float | None
    slower: float | None  # than the median trial, as a share
    step: float | None  # over the keep before it, the baseline before the first


def moments(account: Mapping[str, Any]) -> list[Moment]:
    """The timeline: of many moments those that weigh most, in order."""
    doc, rows = account["doc"], account["rows"]
    if not rows["seq"]:
        return []
    found = [Moment(rows["seq"][0], "begin", _begun(doc))]
    found += _keeps(account)
    found += _turned(account)
    longest = doc["plateau"]["longest"]
    if longest and (longest["length"] or 0) > 1:
        length = plural(longest["length"], "trial")
        said = f"the longest dry stretch: no better value for {length}, to trial {longest['last']}"
        found.append(Moment(longest["first"], "plateau", said))
    for e in account["events"]:
        said = short(e["data"].get("reason") or e["data"].get("why") or "", 120)
        found.append(Moment(e["seq"], "event", f"{e['kind']}{f': {said}' if said else ''}"))
    found.append(Moment(rows["seq"][-1], "end", _ended(doc)))
    weighed = sorted(range(len(found)), key=lambda i: (-_WEIGHTS[found[i].kind], found[i].seq))[:MOST]
    return sorted((found[i] for i in weighed), key=lambda m: (m.seq, -_WEIGHTS[m.kind] if m.kind != "end" else 1))


def _turned(account: Mapping[str, Any]) -> list[Moment]:
    """When the run's word changed and alarms began: of what came and went, the first time, and how often in all."""
    turns = account["turns"]
    said = {(t["seq"], t["reason"].partition("; ")[0]) for t in turns if not t["rule"]}
    named = [t for t in turns if t["rule"] and (t["seq"], t["reason"]) not in said]  # else it is what the word says
    out = []
    words = [t for t in turns if not t["rule"] and t["after"] > 1]
    for level in dict.fromkeys(t["level"] for t in words):
        same = [t for t in words if t["level"] == level]
        told = f"{level}: {short(same[0]['reason'].partition(';')[0], 160)}"
        out.append(Moment(same[0]["seq"], "word", f"{told}{_again(same)}"))
        if same[-1] is words[-1] and len(same) > 1:
            out.append(Moment(same[-1]["seq"], "word", f"{level} once more, to the end"))
    for rule in dict.fromkeys(t["rule"] for t in named):
        same = [t for t in named if t["rule"] == rule]
        began = [t for t in same if t["level"] == "FAIL"]
        if began:
            told = f"{rule} begins to fail: {short(began[0]['reason'], 160)}"
            out.append(Moment(began[0]["seq"], "alarm", f"{told}{_again(began)}"))
        if same[-1]["level"] != "FAIL":
            out.append(Moment(same[-1]["seq"], "event", f"{rule} no longer fails"))
    return out


def _again(turns: list[Mapping[str, Any]]) -> str:
    """How often it came back."""
    n = len(turns)
    return "" if n == 1 else f" ({'twice' if n == 2 else f'{n:,} times'} in all, last from trial {turns[-1]['seq']})"


def _begun(doc: Mapping[str, Any]) -> str:
    base = doc["baseline"]["value"]
    return f"begins{f' at the baseline {number(base, 6)}' if base is not None else ', with no baseline'}"


def _ended(doc: Mapping[str, Any]) -> str:
    dry = doc["plateau"]["beyond_noise"]
    said = f"the last trial: {doc['verdict']['word']}"
    return said if dry is None else f"{said}, {plural(dry, 'trial')} after the last best beyond noise"


def _keeps(account: Mapping[str, Any]) -> list[Moment]:
    """The first keep, every better one, and the best that last stood out of the noise."""
    doc, rows, names = account["doc"], account["rows"], account["pairs"]
    kept = 1 << MARKS.index("kept")
    out: list[Moment] = []
    best: float | None = None
    sign = -1.0 if doc["metric"]["goal"] == "minimize" else 1.0
    for seq, pair, k, value, marks in zip(*(rows[c] for c in ("seq", "pair", "k", "value", "marks")), strict=True):
        if not marks & kept:
            continue
        what = short(names[pair], 60) if pair >= 0 else "an unnamed change"
        again = "" if k < 2 else f", proposed for the {ordinal(k)} time"
        better = value is not None and (best is None or sign * value > sign * best)
        if better:
            best = value
        said = f"{what}{again}, {number(value, 6)}"
        if not out:
            out.append(Moment(seq, "first", f"first keep: {said}"))
        elif better:
            out.append(Moment(seq, "best" if seq == doc["best"]["seq"] else "step", f"better: {said}"))
    return out


def keeps(account: Mapping[str, Any]) -> list[Keep]:
    """What each keep contributed: of many, the first and the last."""
    doc, rows, names = account["doc"], account["rows"], account["pairs"]
    at = {seq: i for i, seq in enumerate(rows["seq"])}
    sd, usual = doc["noise"]["sd"], account["facts"]["median_wall_s"]
    found = list(doc["contributions"] or [])
    if len(found) > KEEPS:
        found = [*found[: KEEPS // 2], *found[-KEEPS // 2 :]]
    out, stood = [], _stood(account)
    for c in found:
        i = at.get(c["seq"])
        pair = names[rows["pair"][i]] if i is not None and rows["pair"][i] >= 0 else ""
        wall = rows["wall_s"][i] if i is not None else None
        also = tuple(sorted(c["also"].items(), key=lambda x: x[0]))
        in_sd = c["gain"] / sd if sd and c["gain"] is not None else None
        slower = wall / usual - 1 if wall is not None and usual else None
        value = rows["value"][i] if i is not None else None
        out.append(Keep(c["seq"], pair, c["gain"], in_sd, also, wall, value, slower, stood.get(c["seq"])))
    return out


def bases_known(account: Mapping[str, Any]) -> bool:
    """Whether the record says what keeps were built on, so that a gain is over that and not over the baseline."""
    return account["doc"]["audit"]["keeps_not_composing"] is not None


def _stood(account: Mapping[str, Any]) -> dict[int, float]:
    """By how much each keep is better than the one before it."""
    doc, rows = account["doc"], account["rows"]
    sign = -1.0 if doc["metric"]["goal"] == "minimize" else 1.0
    kept, before = 1 << MARKS.index("kept"), doc["baseline"]["value"]
    out: dict[int, float] = {}
    for seq, value, marks in zip(rows["seq"], rows["value"], rows["marks"], strict=True):
        if marks & kept and value is not None:
            if before is not None:
                out[seq] = sign * (value - before)
            before = value
    return out


def took(k: Keep) -> str:
    """How long a keep took, beside the median trial."""
    if k.wall_s is None:
        return ""
    if k.slower is None or abs(k.slower) < 0.02:
        return duration(k.wall_s)
    return f"{duration(k.wall_s)}, {abs(k.slower):.0%} {'longer' if k.slower > 0 else 'shorter'} than usual"
