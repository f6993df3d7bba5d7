"""Campaign: one simulated campaign, as the items a reader would yield, with the truth of every trial beside them."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable
from random import Random
from typing import Literal, NamedTuple

from msgspec.structs import replace

from benchmarks.calibrate.gates import Arm, Gate, mean, published, values
from benchmarks.calibrate.kinds import Kind
from benchmarks.calibrate.searchers import Tried, View
from benchmarks.calibrate.world import FLOOR, SHORTCUT, STEPS, UNIT, Config, World
from trajscope.pair import Pair, config_hash
from trajscope.readers.prints import drifts
from trajscope.readers.wire import FingerprintsFields
from trajscope.trial import Header, Item, Measure, MetricSpec, Trial

SCORER = hashlib.sha256(b"score").hexdigest()
METRICS = ("score", "health", "rank")


# What is recorded beside the score: no guard and no holdout; both by value; of the holdout only whether a trial passed,
# as where a proposer must not learn its values.
Watched = Literal["nothing", "values", "bit"]


# What ran: what was proposed; from some trial on another file; another file at one trial only.
Ran = Literal["as proposed", "drifted", "drifted once"]


class Setup(NamedTuple):
    """What differs between campaigns of one kind."""

    seeds: int  # per evaluation
    sd: float  # of one seed, in UNIT
    watched: Watched = "values"
    ran: Ran = "as proposed"


class Fact(NamedTuple):
    """The truth of one trial, against the configuration it changed, in units of the spread over seeds."""

    honest: float  # gain in quality
    bought: float  # gain in score that is none in quality
    field: bool  # what the published gate would say against the same incumbent
    kept: bool
    paused: bool
    refused: str  # by which step


class Campaign(NamedTuple):
    """A finished campaign."""

    kind: Kind
    setup: Setup
    items: tuple[Item, ...]
    facts: tuple[Fact, ...]
    measured: int  # seeds that were run, those of the baseline and of every check included
    way: float  # of the shortcut that the last incumbent has gone, 0 to 1


def simulate(kind: Kind, setup: Setup, seed: int, gate: Callable[[World], Gate]) -> Campaign:
    """Let one kind of campaign run under a gate. The same seed draws the same world, whatever the gate does."""
    land = kind.world(Random(f"{kind.name} world {seed}"), setup.sd)
    propose = kind.searcher(land, Random(f"{kind.name} proposer {seed}"))
    lab = _Lab(land, Random(f"{kind.name} noise {seed}"))
    base: Config = land.start
    first = lab.measure(base, setup.seeds)
    judge = gate(land)
    judge.start(base, first, lab.measure)
    stands = first
    tried: list[Tried] = []
    items: list[Item] = [_header(kind, setup, land, base), _baseline(first, config_hash(base))]
    facts = []
    odd = drifting(kind.trials, setup.ran, Random(f"{kind.name} files {seed}"))
    for seq in range(2, kind.trials + 2):
        pair = propose(View(base, tried))
        config = {**base, pair[0]: pair[1]}
        seeds = lab.measure(config, setup.seeds)
        ruling = judge.decide(config, seeds)
        was, now = land.truth(base), land.truth(config)
        facts.append(
            Fact(
                (now.quality - was.quality) / land.sd,
                (now.bought - was.bought) / land.sd,
                published(stands, seeds),
                ruling.kept,
                bool(ruling.paused),
                ruling.refused,
            )
        )
        move = land.menu.pair({pair[0]: pair[1]})
        passed = _passed(stands, seeds) if ruling.passed is None else ruling.passed
        items.append(_trial(seq, move, base, config, seeds, setup, kept=ruling.kept, passed=passed, odd=seq - 1 in odd))
        gain = mean(values(seeds, "score")) - mean(values(stands, "score"))
        tried.append(Tried(pair, ruling.kept, gain))
        if ruling.kept:
            base, stands = config, seeds
        if ruling.paused and not kind.honest:
            break  # a person looks, and stops it
    return Campaign(kind, setup, tuple(items), tuple(facts), lab.measured, base.get(SHORTCUT, 0) / STEPS)


class _Lab:
    """Measures on seeds nobody has used, and counts them."""

    def __init__(self, land: World, draw: Random) -> None:
        self._land, self._draw = land, draw
        self.measured = 0

    def measure(self, config: Config, n: int) -> Arm:
        """A configuration on this many fresh seeds."""
        first = self.measured
        self.measured += n
        return self._land.measure(config, range(first, self.measured), self._draw)


def _header(kind: Kind, setup: Setup, land: World, base: Config) -> Header:
    watched = (
        MetricSpec("health", "guard", "maximize", floor=FLOOR if kind.guarded else None),
        MetricSpec("rank", "holdout", "maximize"),
    )
    return Header(
        run_id=kind.name,
        metric="score",
        goal="maximize",
        metrics=() if setup.watched == "nothing" else watched,
        menu=land.menu,
        base=base,
        base_id=config_hash(base),
    )


def _baseline(seeds: Arm, config: str) -> Measure:
    return Measure(seq=1, what="baseline", value=mean(values(seeds, "score")), config=config, seeds=seeds)


def _trial(
    seq: int, pair: Pair, base: Config, config: Config, seeds: Arm, setup: Setup, *, kept: bool, passed: bool, odd: bool
) -> Trial:
    names = {"nothing": METRICS[:1], "bit": METRICS[:2], "values": METRICS}[setup.watched]
    prints = _prints(config_hash(config), odd=odd)
    return Trial(
        seq=seq,
        at=seq,
        status="kept" if kept else "reverted",
        pair=pair,
        value=mean(values(seeds, "score")),
        wall_s=sum(s.wall_s or 0.0 for s in seeds),
        base=config_hash(base),
        based=True,
        config=config_hash(config),
        metrics={name: mean(values(seeds, name)) for name in names},
        seeds=tuple(replace(s, metrics={name: s.metrics[name] for name in names}) for s in seeds),
        holdout=passed if setup.watched == "bit" else None,
        drift=tuple(drifts(prints, {})),
        fingerprinted=True,
    )


def drifting(trials: int, ran: Ran, draw: Random) -> range:
    """The trials, counted from 1, in which something else ran than was proposed."""
    first = draw.randrange(5, trials // 2)
    return {"as proposed": range(0), "drifted": range(first, trials + 1), "drifted once": range(first, first + 1)}[ran]


def _prints(config: str, *, odd: bool) -> FingerprintsFields:
    """Hashes of the script and of the scorer at every stage; the script is another one for every configuration."""
    proposed = {"train.py": hashlib.sha256(config.encode()).hexdigest(), "score.py": SCORER}
    ran = {**proposed, "train.py": hashlib.sha256(b"reformatted " + config.encode()).hexdigest()} if odd else proposed
    return FingerprintsFields(propose=proposed, run=ran, score=ran)


def _passed(stands: Arm, seeds: Arm) -> bool:
    """Whether the holdout is no worse than the incumbent's, give or take a standard error."""
    return mean(values(seeds, "rank")) >= mean(values(stands, "rank")) - UNIT / math.sqrt(len(seeds))
