"""What a reader yields and a run takes: plain values, one kind for each kind of line.

Knows no file format: `at` is the byte offset that leads back to the line, `seq` its number in the file, from 0.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

from msgspec import Struct

from trajscope.menu import Menu
from trajscope.pair import Pair

STATUSES = ("kept", "reverted", "blocked", "crashed", "aborted", "ineligible", "proposer_error", "other")
CODE = {name: i for i, name in enumerate(STATUSES)}
COMPARED = frozenset(("config", "column"))  # provenances of pairs that were found against the last keep
SCORED = frozenset(("kept", "reverted", "ineligible"))  # these were evaluated, whatever came out
Goal = Literal["minimize", "maximize"]


class Line(NamedTuple):
    """One line of a file, without its line end."""

    seq: int
    at: int
    data: bytes
    torn: bool = False  # the file ended before its line did
    fault: str | None = None  # why its bytes were not kept


class MetricSpec(Struct, frozen=True):
    """A declared metric and what it is for."""

    name: str
    role: str = "monitor"
    goal: Goal = "minimize"
    floor: float | None = None
    ceiling: float | None = None
    anchor: float | None = None


class Header(Struct, kw_only=True):
    """The measurement regime of a run: everything that holds for all of its trials."""

    run_id: str
    metric: str | None = None
    goal: Goal | None = None
    unit: str | None = None
    campaign: str | None = None
    domain: str | None = None
    metrics: tuple[MetricSpec, ...] = ()
    menu: Menu | None = None
    base: Mapping[str, Any] | None = None
    base_id: str | None = None
    evaluator: str | None = None  # these two go into every hash of a configuration
    data: str | None = None
    baseline: float | None = None
    history: int | None = None  # how many past trials the proposer is shown, where that is a number
    settings: str | None = None
    budget: Mapping[str, float] = {}  # trials, hours, tokens, usd: what all trials may take, where it is declared
    unguarded_because: str | None = None
    chained: bool = False
    has_keeps: bool = True
    branching: bool = False  # a trial may be built on any before it, and not on the last keep alone
    guesses: tuple[str, ...] = ()  # what the reader had to choose, and how to choose otherwise
    about: Mapping[str, Any] = {}


class Drift(NamedTuple):
    """Something that ran otherwise than it was proposed, or a scorer that is not the declared one."""

    path: str | None
    knob: str | None
    proposed: Any
    ran: Any


class Seed(Struct, frozen=True):
    """One seed of a trial."""

    seed: int | None
    value: float | None
    status: str = "ok"
    wall_s: float | None = None
    first_step: float | None = None
    metrics: Mapping[str, float] = {}
    error: str | None = None
    code_sha: str | None = None  # of the code that ran
    config_sha: str | None = None  # of the settings that it used
    data_sha: str | None = None
    predictions_sha: str | None = None


class Trial(Struct, kw_only=True, gc=False):
    """One iteration. What is None was not recorded."""

    seq: int
    at: int
    status: str
    pair: Pair | None = None
    iter: int | None = None
    value: float | None = None
    wall_s: float | None = None
    tokens_in: int | None = None
    tokens_out: int | None = None
    usd: float | None = None
    time_ms: int | None = None
    base: str | None = None  # identity of the configuration it changed
    based: bool = False  # the base was recorded, not inferred from the trials before
    config: str | None = None  # identity of the configuration that ran
    moved: Pair | None = None  # what that configuration changes in the header's base
    noop: bool | None = None
    intent: str | None = None
    provenance: str = "native"  # where the pair was read from: native, config, column, diff, text, hash
    confidence: float | None = None  # that the pair is what was tried, where it was recovered and not recorded
    unfound: bool = False  # the repository that was named holds no such commit
    raw_status: str | None = None  # the writer's own word, where it is another
    attempts: int = 1
    refused: tuple[str, ...] = ()  # rails that refused an attempt
    refused_pairs: tuple[Pair, ...] = ()  # what those attempts proposed
    metrics: Mapping[str, Any] | None = None
    seeds: tuple[Seed, ...] = ()
    seed: int | None = None
    first_step: float | None = None
    claimed_best: bool | None = None
    drift: tuple[Drift, ...] = ()
    fingerprinted: bool = False
    diff: str | None = None  # of a code edit
    diff_lost: bool = False  # there is one, and it could not be read
    holdout: bool | None = None  # all that may be known of a holdout the proposer must not see
    reason_code: str | None = None
    faults: tuple[str, ...] = ()


class Measure(Struct, kw_only=True, frozen=True):
    """An evaluation that is no trial."""

    seq: int
    what: str
    value: float | None = None
    name: str | None = None
    config: str | None = None  # of a degenerate one: the configuration that was made blind to its input, if any
    seeds: tuple[Seed, ...] = ()
    metrics: Mapping[str, Any] | None = None


class Event(Struct, kw_only=True, frozen=True):
    """Something that happened to the run, or a line of a type that this version does not know."""

    seq: int
    kind: str
    data: Mapping[str, Any] = {}
    time_ms: int | None = None


class End(Struct, kw_only=True, frozen=True):
    """The run says that it is over, and what it counted."""

    seq: int
    counts: Mapping[str, int] = {}
    reason: str | None = None


class Unreadable(Struct, kw_only=True, frozen=True):
    """A line that holds no record: counted, located, never dropped in silence."""

    seq: int
    at: int
    why: str
    torn: bool = False


class Break(Struct, kw_only=True, frozen=True):
    """The hash chain of the file does not hold at this line."""

    seq: int
    why: str


Item = Header | Trial | Measure | Event | End | Unreadable | Break
