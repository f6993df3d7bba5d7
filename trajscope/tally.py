"""Tally: what a run keeps in memory beside its rows, one entry per pair, configuration and knob.

The second grain: noise, flip-flops, coverage and dominance are answered from here. Plain values, so that a run can
be written down and taken up again.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from msgspec import Struct, field

from trajscope.pair import Pair

LATEST = 100  # keeps that detectors look back over
START_DF = 40  # degrees of freedom of the seeds that show how a run's seeds scattered when it began
LATELY = 20  # trials that ran, of which it is remembered whether they crashed
MOST = 1000  # entries of a list of evidence that are kept; its total is always exact


class PairTally(Struct, gc=False):
    """One pair."""

    id: int
    pair: Pair
    lane: int  # number of its knob, or of its combination of knobs
    proposed: int = 0  # trials that proposed it, whatever became of them
    evaluated: int = 0
    moved: int = 0  # evaluated, and no no-op
    n: int = 0  # counted
    last: int = 0  # counted ordinal of its last occurrence
    first: int = 0  # seq
    kept: int = 0
    reverted: int = 0
    outside: bool = False  # holds a knob or value that the menu does not


class ConfigTally(Struct, gc=False):
    """One whole configuration: its evaluations are replicates of each other."""

    id: int
    label: str
    k: int = 0  # counted occurrences
    n: int = 0  # eligible values
    mean: float = 0.0
    kept: int = 0
    reverted: int = 0
    pair: int = -1
    first_seed: int | None = None  # the seed that `first_step` belongs to
    first_step: float = 0.0
    more_steps: dict[int, float] | None = None  # of further seeds

    def add(self, value: float) -> float:
        """One more value; answers by how much the squared deviations grew."""
        self.n += 1
        d = value - self.mean
        self.mean += d / self.n
        return d * (value - self.mean)


class KnobTally(Struct):
    """One knob: whether it was reached, and what its pairs add up to."""

    name: str
    family: str
    in_menu: bool
    proposed: bool = False
    evaluated: bool = False
    kept: bool = False
    cells: set[str] = set()  # touched by evaluated trials, no-ops left out
    proposals: int = 0
    evaluations: int = 0
    counted: int = 0
    keeps: int = 0


class SourceTally(Struct):
    """Counted trials whose pair was read from one place."""

    n: int = 0
    repeats: int = 0
    knobs: set[str] = set()  # of the menu, or all where there is none
    rated: int = 0  # that say how sure their pair is
    sure: float = 0.0  # what those add up to

    def add(self, confidence: float | None, *, repeat: bool) -> None:
        """One more trial."""
        self.n += 1
        self.repeats += repeat
        if confidence is not None:
            self.rated += 1
            self.sure += confidence


class FamilyTally(Struct, gc=False):
    """One family of knobs."""

    knobs: int = 0
    touched: int = 0
    counted: int = 0  # trials that touch it; one of several changes counts once in every family


class Keep(Struct, gc=False):
    """One kept trial."""

    seq: int
    pair: int
    config: int  # -1 when unknown
    base: int  # configuration it changed; -1 when unknown
    value: float | None
    gain: float | None  # over what its base had scored so far
    also: dict[str, float] = {}  # change of every other metric


class Kept(Struct, gc=False):
    """What detectors ask of a kept trial; the latest of them are held."""

    seq: int
    e: int  # evaluated trials up to it
    config: int  # -1 when unknown
    score: float | None  # higher is better
    gain: float | None
    metrics: dict[str, float]
    also: dict[str, float]  # change of every other metric over what it was built upon
    rooms: dict[str, float]  # distance of each guard's worst seed from its bound, negative beyond it
    seeds: int = 0  # that gave a value
    variance: float | None = None  # over those seeds
    wall_s: float | None = None
    holdout: bool | None = None


class Confirm(Struct, gc=False):
    """What declared confirmations of one configuration found."""

    n: int = 0  # seeds, or values where no seeds are recorded
    mean: float = 0.0
    squares: float = 0.0
    times: int = 0

    def add(self, value: float) -> None:
        """One more value."""
        self.n += 1
        d = value - self.mean
        self.mean += d / self.n
        self.squares += d * (value - self.mean)


class Blind(Struct, gc=False):
    """One configuration evaluated without what it should look at."""

    seq: int
    config: int
    name: str
    value: float


class Evidence(Struct, gc=False):
    """Trials that show something: an exact count and the first of them."""

    n: int = 0
    seqs: list[int] = []


class Tally(Struct):
    """Everything about one run that is not a row."""

    trials: int = 0
    e: int = 0
    c: int = 0
    pairs: dict[str, PairTally] = {}
    configs: dict[str, ConfigTally] = {}
    knobs: dict[str, KnobTally] = {}
    families: dict[str, FamilyTally] = {}
    top: int = 0  # id of the pair that was counted most often; of equals, the first that was counted
    top_kept: int = 0  # id of the pair that was kept most often; of equals, the first that was met
    lanes: dict[str, int] = {}  # knob or combination of knobs -> number
    lane_counts: list[int] = []  # counted trials of each lane
    levels: set[tuple[str, str]] = set()  # pairs of cells that stood together in an evaluated configuration
    seen_moves: set[tuple[str, ...]] = set()
    placed: bool = False  # some evaluated trial said which configuration ran
    unplaced: bool = False  # some did not
    baseline: list[float] = []  # declared and measured baseline values
    baseline_mean: float | None = None
    baseline_source: str | None = None
    best: float | None = None  # as a score: higher is better
    best_kept: float | None = None
    best_kept_seq: int = -1
    best_kept_iter: int | None = None
    best_kept_config: int = -1
    since_best: int = 0
    since_keep: int = 0
    dry_first: int = -1
    longest: list[int] = field(default_factory=lambda: [0, -1, -1])  # length, first seq, last seq
    noise_ss: float = 0.0
    noise_df: dict[str, int] = {}
    seed_ss: float = 0.0  # of the mean over seeds
    seed_df: int = 0
    lags: dict[int, int] = {}  # gap -> repeats with that gap
    keeps: list[Keep] = []
    keep_count: int = 0
    pending: list[int] = []  # keeps that wait to be seen in the next base: index into keeps
    near: set[tuple[str | None, str]] = set()  # (base, label) of proposals that have a place on a scale
    beats_baseline: list[int] = field(
        default_factory=lambda: [0, 0]
    )  # eligible trials better than the baseline, and all compared
    rules: dict[str, int] = {}  # refusals by rail
    provenance: dict[str, int] = {}  # evaluated trials by where their pair was read from
    sources: dict[str, SourceTally] = {}  # counted ones
    last_iter: int | None = None
    evidence: dict[str, Evidence] = {}
    drift: list[tuple[str | None, str | None, Any, Any, int]] = []
    fingerprinted: int = 0
    drifted: bool = False
    drift_wall_s: float | None = None
    lines: int = 0
    unread: list[tuple[int, str]] = []
    breaks: list[tuple[int, str]] = []
    break_count: int = 0
    ended: bool = False
    end_counts: dict[str, int] | None = None
    claims: int = 0  # trials that say whether they are a new best
    seed_ineffective: bool | None = None
    faults: list[tuple[int, str]] = []
    keeps_in_row: int = 0
    most_keeps_in_row: int = 0
    ran: int = 0  # trials on which something was spent: evaluated ones and crashes
    crashes_lately: int = 0  # one bit for each of the latest of them, 1 where it crashed
    crash_row: int = 0  # crashes since the last trial that was evaluated
    crash_seqs: list[int] = []  # the latest of those
    timed: int = 0  # of the trials that ran, those that say how long they took
    metered: int = 0  # how many tokens they took, in and out
    priced: int = 0  # what they cost
    new_cell_c: int = 0  # counted trials up to the last that reached a new cell
    new_knob_c: int = 0
    kept_metrics: dict[int, dict[str, float]] = {}  # of the base and of kept configurations, by their number
    kept_prints: dict[int, str] = {}  # what ran in them, by its hashes
    latest: list[Kept] = []
    touched: dict[str, str] = {}  # the first of what kept edits touched, by the name of its evidence
    walls: list[float] = []  # seconds of the first evaluated trials
    start_ss: float = 0.0  # of single seeds, when the run began
    start_df: int = 0
    confirms: dict[int, Confirm] = {}  # by configuration
    degenerates: dict[str, dict[str, float]] = {}  # what predictors that ignore their input scored, by name
    blinds: list[Blind] = []
    data_shas: dict[int, str] = {}  # the data that a seed ran on first, by the seed

    def crashed(self, seq: int) -> None:
        """One more crash in a row."""
        self.crash_row += 1
        self.crash_seqs.append(seq)
        del self.crash_seqs[:-LATELY]

    def witness(self, name: str, seq: int) -> None:
        """One more trial that shows something."""
        found = self.evidence.get(name)
        if found is None:
            found = self.evidence[name] = Evidence()
        found.n += 1
        if found.n <= MOST:
            found.seqs.append(seq)

    def witness_all(self, name: str, seqs: Sequence[int]) -> None:
        """More trials that show something, in order."""
        if len(seqs):
            found = self.evidence.setdefault(name, Evidence())
            found.n += len(seqs)
            found.seqs += map(int, seqs[: MOST - len(found.seqs)])
