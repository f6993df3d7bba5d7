"""Outcomes: what became of one simulated campaign, as a row. Every number of the tables is counted from these."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import ModuleType
from typing import Any, NamedTuple

from benchmarks.calibrate.campaign import Campaign
from trajscope import analysis, rules
from trajscope.metrics import METRICS
from trajscope.run import Run
from trajscope.trial import Header
from trajscope.verdict import Level, Verdict

SIZES = (0.0, 1.0, 2.0, 3.0)  # lower ends of what an honest gain is called, in spreads over seeds


class Spoken(NamedTuple):
    """What one rule said over a campaign."""

    first: int | None  # trial after which it first stood at FAIL
    told: bool  # in the end it had what it needs to answer


class Heard(NamedTuple):
    """One campaign, and what every rule said of it; `swept` is when a rule first spoke under another bound."""

    kind: str
    seeds: int
    watched: str
    trials: int
    said: Mapping[str, Spoken]
    words: Mapping[str, int]  # trial after which each word first stood
    ran: str
    swept: Mapping[str, int | None]


class Bound(NamedTuple):
    """Another bound for one rule: constants of the module that holds it."""

    rule: str
    module: ModuleType
    constants: tuple[tuple[str, Any], ...]

    def __str__(self) -> str:
        return f"{self.rule}: {', '.join(f'{name} {value:g}' for name, value in self.constants)}"

    @property
    def standing(self) -> bool:
        """Whether these are the bounds that the rule has."""
        return all(getattr(self.module, name) == value for name, value in self.constants)


def listen(c: Campaign, bounds: Sequence[Bound] = ()) -> Heard:
    """Play a campaign as if it were live, and ask every rule after every trial."""
    head = c.items[0]
    assert isinstance(head, Header)
    run = Run(head, METRICS)
    asked = {r.name: r for r in rules.RULES}
    first: dict[str, int] = {}
    swept: dict[str, int | None] = dict.fromkeys(map(str, bounds))
    verdicts: list[Verdict] = []
    words: dict[str, int] = {}
    for item in c.items[1:]:
        if run.take(item) is None:
            continue
        values = analysis.values(run, quick=True)
        verdicts = rules.judge(run, values)
        words.setdefault(rules.word(run, values, verdicts).word, run.tally.trials)
        for v in verdicts:
            if v.level is Level.FAIL:
                first.setdefault(v.rule, run.tally.trials)
        for b in bounds:
            if swept[str(b)] is None:
                with changed(b):
                    # Not its verdict, which a run may hold from an earlier trial, under the bounds in force.
                    spoke = asked[b.rule].judge(run, values)[0] is Level.FAIL
                swept[str(b)] = run.tally.trials if spoke else None
    said = {v.rule: Spoken(first.get(v.rule), _told(v)) for v in verdicts}
    return Heard(c.kind.name, c.setup.seeds, c.setup.watched, len(c.facts), said, words, c.setup.ran, swept)


def _told(v: Verdict) -> bool:
    return v.level is not Level.UNKNOWN and not v.reason.startswith(rules.NOT_EVALUABLE)


@contextmanager
def changed(b: Bound) -> Iterator[None]:
    """A rule under another bound, for as long as this lasts."""
    before = {name: getattr(b.module, name) for name, _ in b.constants}
    try:
        for name, value in b.constants:
            setattr(b.module, name, value)
        yield
    finally:
        for name, value in before.items():
            setattr(b.module, name, value)


class Decided(NamedTuple):
    """One campaign under one gate. Sizes are as in SIZES, with what is no gain before them."""

    gate: str
    kind: str
    seeds: int
    offered: tuple[int, ...]  # honest proposals by size
    kept: tuple[int, ...]
    lost: tuple[int, int]  # honest gains that the published gate would keep, and how many of them this one refused
    bought: tuple[int, int]  # proposals that go on along the shortcut: offered, kept
    refused: Mapping[str, int]  # of those lost, by the step that refused them
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
        Counter(f.refused for f in had if not f.kept),
        sum(f.honest for f in c.facts if f.kept),
        c.way,
        pauses[0] if pauses else None,
        len(pauses),
        len(c.facts),
        c.measured,
    )
