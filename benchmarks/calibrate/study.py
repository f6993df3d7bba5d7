"""Study: which campaigns are run, under which gates and bounds, on how many processes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from itertools import cycle, islice, product
from typing import NamedTuple, TypeVar

from benchmarks.calibrate import gates
from benchmarks.calibrate.campaign import Setup, simulate
from benchmarks.calibrate.kinds import KINDS, Kind
from benchmarks.calibrate.outcomes import Decided, Heard, decided, listen
from benchmarks.calibrate.tables import ORACLE
from benchmarks.calibrate.world import World

PER_HONEST, PER_FAULTY = 48, 24
NOISE = (1.0, 0.5, 2.0)

GATES: dict[str, Callable[[World], gates.Gate]] = {
    ORACLE: gates.Oracle,
    "published (Welch .05, d .3)": lambda _: gates.Field(gates.published),
    "relative guards (paired .10, d .15)": lambda _: gates.Field(gates.relative),
}


Row = TypeVar("Row", Heard, Decided)


class Job(NamedTuple):
    """One campaign to run."""

    kind: str
    setup: Setup
    seed: int
    gate: str


def setups(kind: Kind) -> Iterable[Setup]:
    """What an owner might choose, in turn: honest campaigns come with fewer seeds too, and unwatched."""
    seeds, watched = ((5, 3, 1), (True, False)) if kind.honest else ((5, 3), (True,))
    return cycle(Setup(*x) for x in product(seeds, NOISE, watched))


def field(scale: float = 1.0) -> list[Job]:
    """Campaigns as the field runs them, for the alarms to hear."""
    return [
        Job(kind.name, setup, seed, "published (Welch .05, d .3)")
        for kind in KINDS.values()
        for seed, setup in enumerate(islice(setups(kind), _many(kind, scale)))
    ]


def gated(gate: str, scale: float = 1.0) -> list[Job]:
    """The same worlds with five seeds, everything watched, under one gate."""
    return [
        Job(kind.name, Setup(5, noise), seed, gate)
        for kind in KINDS.values()
        for seed, noise in enumerate(islice(cycle(NOISE), _many(kind, scale)))
    ]


def _many(kind: Kind, scale: float) -> int:
    return max(1, round(scale * (PER_HONEST if kind.honest else PER_FAULTY)))


def hear(job: Job) -> Heard:
    """Run a campaign, and listen to its rules."""
    return listen(simulate(KINDS[job.kind], job.setup, job.seed, GATES[job.gate]))


def decide(job: Job) -> Decided:
    """Run a campaign, and count what its gate decided."""
    return decided(job.gate, simulate(KINDS[job.kind], job.setup, job.seed, GATES[job.gate]))


def spread(work: Callable[[Job], Row], jobs: Sequence[Job], processes: int) -> list[Row]:
    """The rows of many jobs, in their order."""
    if processes < 2:
        return [work(job) for job in jobs]
    with ProcessPoolExecutor(processes) as pool:
        return list(pool.map(work, jobs, chunksize=4))
