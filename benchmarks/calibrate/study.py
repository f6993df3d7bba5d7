"""Study: which campaigns are run, under which gates and bounds, on how many processes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from itertools import cycle, islice, product
from typing import NamedTuple, TypeVar, get_args

from benchmarks.calibrate import clock, gates, ours
from benchmarks.calibrate.campaign import Ran, Setup, Watched, simulate
from benchmarks.calibrate.kinds import HONEST, KINDS, Kind
from benchmarks.calibrate.outcomes import Bound, Decided, Heard, decided, listen
from benchmarks.calibrate.world import World
from trajscope import keep
from trajscope.rules import beside, gain, gaming, ground

PER_HONEST, PER_FAULTY = 54, 30
PER_CLOCK = 400
PER_DRIFTED = 4  # per honest kind and way to drift
PER_FRESH = 27  # per honest kind, for the words: worlds of which no bound was chosen
FIRST_FRESH = 40_000
PER_NULL = 120  # under gates, where a false keep is rare
NOISE = (1.0, 0.5, 2.0)
FOLDER = 20  # finished campaigns that a gate with a history is given
FIRST_OF_FOLDER = 10_000  # seed of the first of them: worlds of which no other number is taken

ORACLE, PUBLISHED, RELATIVE = "oracle", "published: Welch .05, d .3", "relative: paired .10, d .15"
OURS = "ours"
SAFE = keep.Speed(plausible_ceiling=ours.SPAN[1])  # a cap that is never reached: no pause but for a staircase
Row = TypeVar("Row", Heard, Decided)
Make = Callable[[World, Sequence[float]], gates.Gate]


def _alphas(first: float, second: float) -> Make:
    return lambda land, _: ours.Ours(land, ours.settings(alpha=first, confirm_alpha=second))


GATES: dict[str, Make] = {
    ORACLE: lambda land, _: gates.Oracle(land),
    PUBLISHED: lambda *_: gates.Field(gates.published),
    RELATIVE: lambda *_: gates.Field(gates.relative),
    OURS: lambda land, _: ours.Ours(land, ours.settings()),
    f"{OURS}, {FOLDER} finished campaigns": lambda land, folder: ours.Ours(land, ours.settings(), folder),
    **{
        f"{OURS}, alpha {a:g} then {c:g}": _alphas(a, c)
        for a, c in ((0.01, 0.05), (0.02, 0.05), (0.05, 0.05), (0.05, 0.02), (0.05, 0.01))
    },
    f"{OURS}, unconfirmed": lambda land, _: ours.Ours(land, ours.bare("confirmation", "incumbent")),
    f"{OURS}, no holdout": lambda land, _: ours.Ours(land, ours.bare("holdout", holdout=None)),
    "keep.published, with the guard": lambda land, _: ours.Ours(land, ours.published()),
}
BOUNDS: tuple[Bound, ...] = (
    *(
        Bound("flailing", ground, (("NEW_SHARE", x), ("DRY", n)))
        for x, n in ((0.1, 15), (0.2, 10), (0.2, 15), (0.2, 25), (0.3, 15))
    ),
    *(
        Bound("repeats", ground, (("REPEATS_FAIL", x), ("REPEATS_FROM", n)))
        for x, n in ((0.7, 20), (0.8, 20), (0.9, 20), (0.8, 30))
    ),
    *(Bound("dominance", ground, (("TOP_FAIL", x),)) for x in (0.3, 0.4, 0.5, 0.6)),
    *(
        Bound("staircase", gain, (("ROW", n), ("ODD", x)))
        for n, x in ((5, 0.005), (6, 0.002), (6, 0.005), (6, 0.01), (6, 0.02), (6, 0.05))
    ),
    *(Bound("staircase", gain, (("ODD_DIAL", x),)) for x in (0.02, 0.05, 0.1)),
    *(
        Bound("too_good", gain, (("CROWD_MOST", x), ("SMOOTH", y)))
        for x, y in ((2.0, 0.2), (3.0, 0.1), (3.0, 0.2), (3.0, 0.5))
    ),
    *(Bound("variance_collapse", gaming, (("ALPHA", x),)) for x in (0.05, 0.01, 0.005, 0.001)),
    *(Bound("variance_collapse", beside, (("ROSE", x), ("OFTEN", x))) for x in (0.05, 0.25, 0.5)),
    *(
        Bound("divergence", gain, (("ALPHA", x), ("TREND", n)))
        for x, n in ((0.05, 6), (0.01, 5), (0.01, 6), (0.01, 8), (0.001, 6))
    ),
    *(Bound("divergence", gain, (("CHANCE_FAILS", x),)) for x in (0.1, 0.25, 0.4)),
)


class Job(NamedTuple):
    """One campaign to run."""

    kind: str
    setup: Setup
    seed: int
    gate: str
    folder: tuple[float, ...] = ()


def field(scale: float = 1.0) -> Iterator[Job]:
    """Campaigns as the field runs them, for the alarms to hear: with few seeds too, and honest ones unwatched."""
    for kind in KINDS.values():
        seeds = (5, 3, 1) if kind.honest else (5, 3)
        setups = cycle(Setup(*x) for x in product(seeds, NOISE, get_args(Watched)[not kind.honest :]))
        yield from (Job(kind.name, s, i, PUBLISHED) for i, s in enumerate(islice(setups, many(kind, scale))))


def fresh(scale: float = 1.0) -> Iterator[Job]:
    """Honest campaigns in worlds that no other part of the study has seen."""
    for kind in HONEST:
        n = max(1, round(scale * PER_FRESH))
        setups = islice(cycle(Setup(*x) for x in product((5, 3, 1), NOISE, get_args(Watched))), n)
        yield from (Job(kind.name, s, FIRST_FRESH + i, PUBLISHED) for i, s in enumerate(setups))


def drifted(scale: float = 1.0) -> Iterator[Job]:
    """The same honest work, but something else ran than was proposed: from some trial on, or once."""
    for kind, ran in product(HONEST, get_args(Ran)[1:]):
        n = max(1, round(scale * PER_DRIFTED))
        yield from (Job(kind.name, Setup(5, 1.0, "nothing", ran), FIRST_FRESH + i, PUBLISHED) for i in range(n))


def clocks(scale: float = 1.0) -> list[clock.Silence]:
    """Honest campaigns by their clock alone."""
    n = max(1, round(scale * PER_CLOCK))
    return [clock.campaign(name, 100, i) for name in clock.CLOCKS for i in range(n)]


def under_ours(scale: float = 1.0) -> Iterator[Job]:
    """Honest campaigns under our gate, of whose holdout the bit is recorded, for the alarms to hear."""
    for kind in (k for k in HONEST if k.gated):
        noises = islice(cycle(NOISE), many(kind, scale))
        yield from (Job(kind.name, Setup(5, sd, "bit"), i, OURS) for i, sd in enumerate(noises))


def gated(folder: Sequence[float], scale: float = 1.0) -> Iterator[Job]:
    """The same kinds under every gate, with five seeds and everything watched, always the same worlds."""
    for gate, kind in product(GATES, (k for k in KINDS.values() if k.gated)):
        n = many(kind, scale) if kind.name != "null" else max(1, round(scale * PER_NULL))
        noises = islice(cycle(NOISE), n)
        yield from (Job(kind.name, Setup(5, sd), i, gate, tuple(folder)) for i, sd in enumerate(noises))


def many(kind: Kind, scale: float) -> int:
    """How many campaigns of a kind."""
    return max(1, round(scale * (PER_HONEST if kind.honest else PER_FAULTY)))


def hear(job: Job) -> Heard:
    """Run a campaign, and listen to its rules."""
    return listen(simulate(KINDS[job.kind], job.setup, job.seed, _gate(job)), BOUNDS)


def say(job: Job) -> Heard:
    """Run a campaign, and listen to its rules as they stand."""
    return listen(simulate(KINDS[job.kind], job.setup, job.seed, _gate(job)))


def decide(job: Job) -> Decided:
    """Run a campaign, and count what its gate decided."""
    return decided(job.gate, simulate(KINDS[job.kind], job.setup, job.seed, _gate(job)))


def folder() -> tuple[float, ...]:
    """How fast finished honest campaigns gained, as a user's own folder would tell."""
    rates = []
    for i, kind in enumerate(islice(cycle(k for k in HONEST if k.gated), FOLDER)):
        held: list[ours.Ours] = []

        def gate(land: World, held: list[ours.Ours] = held) -> gates.Gate:
            held.append(ours.Ours(land, ours.settings(speed=SAFE)))
            return held[0]

        simulate(kind, Setup(5, NOISE[i % len(NOISE)]), FIRST_OF_FOLDER + i, gate)
        rates.append(held[0].rate)
    return tuple(rates)


def words(jobs: Iterable[Job], processes: int) -> list[Heard]:
    """What was heard of every job under the bounds in force alone, in their order."""
    return _each(say, jobs, processes)


def heard(jobs: Iterable[Job], processes: int) -> list[Heard]:
    """What was heard of every job, in their order."""
    return _each(hear, jobs, processes)


def judged(jobs: Iterable[Job], processes: int) -> list[Decided]:
    """What was decided in every job, in their order."""
    return _each(decide, jobs, processes)


def _each(work: Callable[[Job], Row], jobs: Iterable[Job], processes: int) -> list[Row]:
    if processes < 2:
        return [work(job) for job in jobs]
    with ProcessPoolExecutor(processes) as pool:
        return list(pool.map(work, jobs, chunksize=8))


def _gate(job: Job) -> Callable[[World], gates.Gate]:
    return lambda land: GATES[job.gate](land, job.folder)
