"""The closing words of a campaign: the verdict, the best, the ground, what rails and gate refused and what that saved.

Figures come from the run file by `trajscope.analyze`; nothing here judges anew.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, TypedDict

from msgspec import Meta

from trajscope import analyze
from trajscope_loop import view
from trajscope_loop.folder import RUN

DISTRUSTED = ("TAMPERED", "SUSPECT")
ROWS = 3  # of refusals that are told one by one
# What a refusal says in words that need no documentation; a rule that is not here is told by its name.
RAILS = {
    "repeat": "tried before",
    "near": "within a hair of one that was tried",
    "noop": "would change nothing",
    "constraint": "against a rule of the menu",
    "range": "out of range",
    "menu": "not on the menu",
    "budget": "over the budget",
    "schema": "no proposal at all",
}
GATE = {
    "guards": "broke a guard",
    "margins": "hardly beat an answer that ignores the input",
    "test": "not better beyond noise",
    "effect": "better by too little",
    "confirm": "not confirmed by fresh seeds",
    "incumbent": "no better than what stands, measured again",
    "holdout": "worse on what the proposer never sees",
    "validity": "did not end well",
}
PERSON = (
    "the gate wanted a person to look at gains this large, since no earlier campaign tells whether they are usual. The "
    "plan lets it go on, and the record says so"
)
GAMED = ("guards", "margins", "holdout")  # a refusal of a better score by one of these is the gate's whole point


class Metric(TypedDict):
    """What is optimised."""

    name: str | None
    goal: Literal["minimize", "maximize"] | None


class Best(TypedDict):
    """The best trial; what is null is unknown."""

    iter: int | None
    value: float | None
    gain: float | None
    shrunk: Annotated[float | None, Meta(description="What it is likely to be when it is run again.")]


# Whether the best is to be believed, as the screen says it: true, false, or null where that is not known.
Believed = TypedDict("Believed", {"is": bool | None, "why": str})


class Tempting(TypedDict):
    """A trial that scored better and was refused for what the score does not show."""

    iter: int
    what: str
    value: float
    gain: float
    why: str


class Figures(TypedDict):
    """What came of a campaign; what is null is unknown."""

    word: str
    sentence: str
    metric: Metric
    trials: int
    kept: int
    pairs: Annotated[int, Meta(description="Different ones among counted trials.")]
    repeats: int
    baseline: float | None
    best: Best
    believed: Believed
    knobs: Annotated[tuple[int | None, int | None], Meta(description="Touched, and on the menu.")]
    blind: Annotated[float | None, Meta(description="Knobs that a blind walker would have touched.")]
    attempts: int | None
    refused: Annotated[dict[str, int], Meta(description="Attempts that a rail refused, by rail.")]
    trial_s: Annotated[float | None, Meta(description="What a trial took, on average.")]
    saved_s: float | None
    gate: Annotated[dict[str, int], Meta(description="Trials that the gate refused, by why.")]
    tempting: list[Tempting]
    override: Annotated[str | None, Meta(description="Why a person's pause was passed over.")]


def figures(folder: Path) -> Figures:
    """What came of the campaign in a folder, as plain values; what is not known is None."""
    doc, lines = analyze(folder / RUN)[-1], view.lines(folder / RUN)
    trials = [x for x in lines if x["type"] == "trial"]
    measured = [x for x in trials if x.get("value") is not None]
    mean_s = math.fsum(x["cost"]["wall_s"] for x in measured) / len(measured) if measured else None
    best, rail = doc["best"], doc["rail"]
    reverted = [x for x in trials if x["status"] not in ("kept", "blocked", "proposer_error")]
    return {
        "word": doc["verdict"]["word"],
        "sentence": doc["verdict"]["sentence"],
        "metric": doc["metric"],
        "trials": doc["trials"],
        "kept": doc["status"]["kept"],
        "pairs": doc["pairs"]["unique"],
        "repeats": doc["pairs"]["repeats"],
        "baseline": doc["baseline"]["value"],
        "best": {"iter": best["iter"], "value": best["value"], "gain": best["gain"], "shrunk": best["shrunk"]},
        "believed": _believed(doc),
        "knobs": (doc["coverage"]["knobs_touched"], doc["coverage"]["knobs_total"]),
        "blind": doc["nulls"]["uniform_knobs_expected"],
        "attempts": rail["attempts"],
        "refused": dict(rail["by_rule"]),
        "trial_s": mean_s,
        "saved_s": None if mean_s is None else mean_s * sum(rail["by_rule"].values()),
        "gate": dict(Counter(found for x in reverted if (found := _gate(x)))),
        "tempting": [_tempting(x, doc["metric"]) for x in reverted if _gamed(x, doc["metric"])],
        "override": next((x["data"]["why"] for x in lines if x["type"] == "event" and x["kind"] == "override"), None),
    }


def words(found: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """The same for a person: a heading, which may be empty, and a text; a heading of one sign is the verdict's."""
    name = found["metric"]["name"]
    yield {"RESEARCHING": "●", "UNKNOWN": "?"}.get(found["word"], "✗"), f"{found['word']}  {found['sentence']}"
    yield from _gain(found, name)
    touched, total = found["knobs"]
    blind = "" if found["blind"] is None else f"; a blind walker would have touched {found['blind']:.1f}"
    again = f"{found['repeats']} of them repeats" if found["repeats"] else "none of them a repeat"
    yield "ground", f"{touched} of {total} knobs touched{blind}; {found['trials']} trials, {again}"
    yield from _rails(found)
    yield from _kept(found, name)
    if found["override"]:
        yield "a person", PERSON


def _gain(found: Mapping[str, Any], name: str) -> Iterator[tuple[str, str]]:
    best = found["best"]
    if not found["kept"] or best["value"] is None or found["baseline"] is None:
        yield "gain", f"none: nothing was kept, and {name} stands where it stood"
        return
    again = "" if best["shrunk"] is None else f", and about {best['shrunk']:.3f} if it is run again"
    yield "gain", f"{name} from {found['baseline']:.3f} to {best['value']:.3f} in trial {best['iter']}{again}"
    yield "", found["believed"]["why"]


def _rails(found: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    refused = sum(found["refused"].values())
    if not refused:
        yield "rails", f"refused none of {found['attempts']} proposals"
        return
    by = _listed(found["refused"], RAILS)
    yield "rails", f"refused {refused} of {found['attempts']} proposals before anything was spent on them: {by}"
    if found["trial_s"] is not None:
        saved = f"{refused} trials saved, {found['saved_s']:.0f} s at {found['trial_s']:.1f} s each"
        yield "", f"{saved}; where a trial takes five minutes, {refused * 5 / 60:.1f} hours"


def _kept(found: Mapping[str, Any], name: str) -> Iterator[tuple[str, str]]:
    by = _listed(found["gate"], GATE)
    yield "gate", f"kept {found['kept']} of {found['trials']}" + (f"; refused the others: {by}" if by else "")
    tempting: Sequence[Mapping[str, Any]] = found["tempting"]
    if tempting:
        many = "1 of these raised" if len(tempting) == 1 else f"{len(tempting)} of these raised"
        yield "", f"{many} the score, and paid with what the score does not show:"
    for one in tempting[:ROWS]:
        yield "", f"  {one['what']} scored {one['value']:.3f}, {one['gain']:+.3f}; {one['why']}"
    if len(tempting) > ROWS:
        yield "", f"  and {len(tempting) - ROWS} more"


def _believed(doc: Mapping[str, Any]) -> Believed:
    """Whether the best is to be believed, as the screen says it: True, False, or None where that is not known."""
    best, loose = doc["best"], doc["noise"]["unconfirmed_keeps"]
    if doc["verdict"]["word"] in DISTRUSTED:
        return {"is": False, "why": f"not to be believed while {doc['verdict']['word']} stands"}
    if best["value"] is None or loose is None or doc["noise"]["sd"] is None:
        return {"is": None, "why": "nothing tells whether that is real or luck"}
    if best["seq"] in loose:
        return {
            "is": False,
            "why": "not confirmed: no other evaluation of it beats what it was built on by more than noise",
        }
    return {"is": True, "why": "believed: other seeds beat what it was built on too, by more than noise"}


def _gate(line: Mapping[str, Any]) -> str | None:
    """Which part of the gate refused a trial, without its prefix."""
    failed = [v["rule"] for v in line.get("verdicts") or () if v["level"] in ("FAIL", "UNKNOWN")]
    named = [r.removeprefix("keep.") for r in failed]
    return named[0] if named else line.get("reason_code")


def _gamed(line: Mapping[str, Any], metric: Mapping[str, Any]) -> bool:
    gain = _over_incumbent(line, metric)
    return _gate(line) in GAMED and gain is not None and gain > 0


def _over_incumbent(line: Mapping[str, Any], metric: Mapping[str, Any]) -> float | None:
    moved = ((line.get("deltas") or {}).get(metric["name"]) or {}).get("incumbent")
    return None if moved is None else moved if metric["goal"] == "maximize" else -moved


def _tempting(line: Mapping[str, Any], metric: Mapping[str, Any]) -> Tempting:
    changes = line["attempts"][-1]["changes"]
    _, _, why = str(line.get("why") or "").partition(": ")
    return {
        "iter": line["iter"],
        "what": " + ".join(f"{c['knob']}={c['value']}" for c in changes),
        "value": line["value"],
        "gain": line["deltas"][metric["name"]]["incumbent"],
        "why": why.partition(";")[0],
    }


def _listed(counts: Mapping[str, int], known: Mapping[str, str]) -> str:
    ordered = sorted(counts.items(), key=lambda x: -x[1])
    return ", ".join(f"{n} {known.get(rule, rule)}" for rule, n in ordered)
