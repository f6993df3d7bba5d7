"""Outcomes: what became of one simulated campaign, as a row. Every number of the tables is counted from these."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple

from benchmarks.calibrate.campaign import Campaign
from trajscope import analysis, rules
from trajscope.metrics import METRICS
from trajscope.run import Run
from trajscope.trial import Header
from trajscope.verdict import Level

EVERY = 1  # trials between two looks
SIZES = (0.0, 1.0, 2.0, 3.0)  # lower ends of what an honest gain is called, in spreads over seeds


class Spoken(NamedTuple):
    """What one rule said over a campaign."""

    first: int | None  # trial after which it first stood at FAIL
    last: str  # its level in the end


class Heard(NamedTuple):
    """One campaign, and what every rule said of it."""

    kind: str
    seeds: int
    trials: int
    said: Mapping[str, Spoken]
    word: str


def listen(c: Campaign, every: int = EVERY, only: str | None = None) -> Heard:
    """Play a campaign as if it were live, and look at its rules every so many trials and at the end."""
    asked = tuple(r for r in rules.RULES if only in (None, r.name))
    head = c.items[0]
    assert isinstance(head, Header)
    run = Run(head, METRICS)
    first: dict[str, int] = {}
    verdicts, word = [], ""
    for item in c.items[1:]:
        if run.take(item) is None:
            continue
        n = run.tally.trials
        if n % every and n < len(c.facts):
            continue
        values = analysis.values(run, quick=True)
        verdicts = rules.judge(run, values, asked)
        for v in verdicts:
            if v.level is Level.FAIL:
                first.setdefault(v.rule, n)
        if only is None:
            word = rules.word(run, values, verdicts).word
    said = {v.rule: Spoken(first.get(v.rule), v.level.name) for v in verdicts}
    return Heard(c.kind.name, c.setup.seeds, len(c.facts), said, word)


@contextmanager
def bound(**constants: Any) -> Iterator[None]:
    """The rules with other bounds, for as long as this lasts."""
    before = {name: getattr(rules, name) for name in constants}
    try:
        for name, value in constants.items():
            setattr(rules, name, value)
        yield
    finally:
        for name, value in before.items():
            setattr(rules, name, value)


class Decided(NamedTuple):
    """One campaign under one gate. Sizes are as in SIZES, with what is no gain before them."""

    gate: str
    kind: str
    seeds: int
    offered: tuple[int, ...]  # honest proposals by size
    kept: tuple[int, ...]
    lost: tuple[int, int]  # honest gains that the published gate would keep, and how many of them this one refused
    bought: tuple[int, int]  # proposals that go on along the shortcut: offered, kept
    quality: float  # of the last incumbent, in spreads over seeds
    way: float  # of the shortcut it went, 0 to 1
    paused: int | None  # trial after which it first asked for a person
    pauses: int
    trials: int
    measured: int


def decided(gate: str, c: Campaign) -> Decided:
    """The facts of a campaign, counted."""
    offered, kept = [0] * (len(SIZES) + 1), [0] * (len(SIZES) + 1)
    bought = [f for f in c.facts if f.bought > 0]
    for f in c.facts:
        if f.bought <= 0:
            size = sum(f.honest > low for low in SIZES)
            offered[size] += 1
            kept[size] += f.kept
    had = [f for f in c.facts if f.honest > 0 and f.bought <= 0 and f.field]
    pauses = [i for i, f in enumerate(c.facts, 1) if f.paused]
    return Decided(
        gate,
        c.kind.name,
        c.setup.seeds,
        tuple(offered),
        tuple(kept),
        (len(had), sum(not f.kept for f in had)),
        (len(bought), sum(f.kept for f in bought)),
        sum(f.honest for f in c.facts if f.kept),
        c.way,
        pauses[0] if pauses else None,
        len(pauses),
        len(c.facts),
        c.measured,
    )
