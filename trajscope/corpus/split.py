"""Splits: which side of a corpus an example stands on. Deterministic: hashes of names, no random numbers.

Knows nothing of thresholds. A split is planned from what is known of whole runs, then asked of one example at a time.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Literal, NamedTuple

from trajscope.corpus.counts import key
from trajscope.corpus.examples import Example, Examples, campaign
from trajscope.errors import CorpusError

Side = Literal["train", "test"]
Kind = Literal["campaign", "labels", "stratified", "tail", "at"]
KINDS = ("auto", "campaign", "labels", "stratified", "tail", "at:ITER")
TEST = 0.2  # share of the rows that is held out
MANY = 5  # campaigns from which on whole campaigns are held out unless somebody says otherwise
ALL = 1 << 60  # more trials than any run has
_EVERY = round(1 / TEST)
_AT = re.compile(r"at:(\d+)\Z")


class Split(NamedTuple):
    """One way to hold examples out. `side` is None for an example that is left out of both sides."""

    kind: Kind
    name: str  # in words
    side: Callable[[Example], Side | None]
    embargo: int | None = None  # trials left out before the boundary; None where a boundary in time was not purged
    in_time: bool = False  # the test side comes after the train side


def plan(examples: Examples, spec: str = "auto", embargo: int | None = None) -> Split:
    """The split that `spec` names; `auto` holds out campaigns from five on, labels below."""
    campaigns = sorted({campaign(run.header) for run in examples.runs})
    kind = spec
    if spec == "auto":
        kind = "campaign" if len(campaigns) >= MANY else "labels"
    found = _AT.match(kind)
    if embargo is not None and kind != "tail" and found is None:
        raise CorpusError(f"--embargo {embargo}: only tail and at:ITER have a boundary in time; leave it away")
    if found is not None:
        return _at(int(found[1]), embargo)
    if kind == "campaign":
        return _campaigns(campaigns)
    if kind == "labels":
        return _labels(examples)
    if kind == "stratified":
        return Split("stratified", "every label on both sides", _every_fifth)
    if kind == "tail":
        return _tail(examples, embargo)
    raise CorpusError(f"--split {spec!r} is none of {', '.join(KINDS)}; for instance --split at:42")


def kinds(examples: Examples) -> tuple[Kind, ...]:
    """The ways in which these examples can be split without anybody saying where."""
    many = len({campaign(run.header) for run in examples.runs}) > 1
    return ("campaign", "labels", "stratified", "tail") if many else ("labels", "stratified", "tail")


def history(examples: Examples) -> int | None:
    """The longest history that a proposer was shown, in trials; None where some run does not say."""
    seen = []
    for run in examples.runs:
        proposer = run.header.about.get("proposer")
        everything = isinstance(proposer, dict) and proposer.get("history") == "all"
        seen.append(ALL if everything and run.header.history is None else run.header.history)
    known = [k for k in seen if k is not None]
    return max(known) if known and len(known) == len(seen) else None


def _campaigns(names: list[str]) -> Split:
    if len(names) < 2:
        raise CorpusError(f"--split campaign needs two campaigns, and there is {len(names)}; use --split labels")
    held = frozenset(sorted(names, key=key)[: max(1, round(TEST * len(names)))])
    what = f"{len(held)} of {len(names)} campaigns held out"
    return Split("campaign", what, lambda e: "test" if e.campaign in held else "train")


def _labels(examples: Examples) -> Split:
    """Every label whole on one side, a fifth of the rows held out from each knob, kept labels apart from the others."""
    labels = examples.labels
    held = bytearray(len(labels))
    owed = {True: 0.0, False: 0.0}  # rows that the test side has not got yet, carried from knob to knob
    for i in labels.by_knob():
        n, kept = labels.rows[i], labels.keeps[i] > 0
        owed[kept] += n * TEST
        if owed[kept] >= n / 2:
            owed[kept] -= n
            held[i] = True
    return Split("labels", "whole labels held out", lambda e: "test" if e.place >= 0 and held[e.place] else "train")


def _every_fifth(e: Example) -> Side:
    return "test" if (e.k + key(f"{e.run_id}\0{e.label}")) % _EVERY == 0 else "train"


def _tail(examples: Examples, embargo: int | None) -> Split:
    """The last fifth of each run, and as many trials left out before it as its proposer could see."""
    seen = history(examples)
    purged = embargo if embargo is not None else seen if seen != ALL else None  # to leave out all would leave nothing
    cuts: Mapping[int, int] = {i: run.counted - round(TEST * run.counted) for i, run in enumerate(examples.runs)}

    def side(e: Example) -> Side | None:
        if e.n > cuts[e.run]:
            return "test"
        return None if e.n > cuts[e.run] - (purged or 0) else "train"

    return Split("tail", f"the last fifth of each run{_left_out(purged)}", side, purged, in_time=True)


def _at(last: int, embargo: int | None) -> Split:
    """What comes after this iteration, by its label, or by its number among counted trials where it has none."""

    def side(e: Example) -> Side | None:
        at = e.iter if e.iter is not None else e.n
        if at > last:
            return "test"
        return None if at > last - (embargo or 0) else "train"

    return Split("at", f"split after iteration {last}{_left_out(embargo)}", side, embargo or 0, in_time=True)


def _left_out(embargo: int | None) -> str:
    return f", {embargo} before it left out" if embargo else ""
