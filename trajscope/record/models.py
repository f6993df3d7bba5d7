"""The lines of a native record file as types: what each may hold, and in which order it is written.

Shape only. What a writer owes beyond shape (evidence for a keep, ...) stands in `duties`.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

Status = Literal["kept", "reverted", "blocked", "crashed", "aborted", "ineligible", "proposer_error", "other"]
Goal = Literal["minimize", "maximize"]
Role = Literal["primary", "guard", "holdout", "degenerate", "monitor", "diagnostic"]
What = Literal["baseline", "incumbent", "degenerate", "confirm"]
Kind = Literal["alarm", "pause", "resume", "ack", "integrity", "override", "repair", "selftest", "claim"]
Provenance = Literal["native", "config", "column", "diff", "text", "hash"]
LevelName = Literal["PASS", "WARN", "UNKNOWN", "FAIL"]
KnobType = Literal["int", "float", "str", "bool", "list", "code"]
Scale = Literal["linear", "log", "one_minus_log"]

# An int stays an int: 1 is not rewritten as 1.0. Strict, so neither a bool nor "0.5" passes for a number.
Number = int | Annotated[float, Field(allow_inf_nan=False)]
Values = dict[str, Number | None]
Files = dict[str, str]


class Part(BaseModel):
    """Anything written into a record: typed where the contract speaks, and open to fields it does not know."""

    model_config = ConfigDict(extra="allow", strict=True, frozen=True)


class Change(Part):
    """One knob and the value proposed for it, as it was proposed."""

    knob: str
    value: Any


class Verdict(Part):
    """What a rail or rule said, as written; `evidence` holds the seq of the trials that show it.

    `elsewhere` names trials of the campaign's other files as `path:line`, `alternatives` pairs nobody has tried.
    """

    rule: str
    level: LevelName
    reason: str
    evidence: list[int] | None = None
    elsewhere: list[str] | None = None
    alternatives: list[str] | None = None


def _longhand(attempt: object) -> object:
    if isinstance(attempt, dict) and "knob" in attempt and "changes" not in attempt:
        rest = {k: v for k, v in attempt.items() if k not in ("knob", "value")}
        return {"changes": [{"knob": attempt["knob"], "value": attempt.get("value")}], **rest}
    return attempt


class Attempt(Part):
    """One proposal inside a trial; `{knob, value, reason}` is read as a proposal of one change."""

    changes: list[Change] = []
    reason: str | None = None
    intent: Literal["replicate", "revisit"] | None = None
    verdict: Verdict | None = None

    @property
    def refused(self) -> bool:
        """Whether a rail stopped it. Unknown is not a pass."""
        return self.verdict is not None and self.verdict.level in ("FAIL", "UNKNOWN")


class SeedResult(Part):
    """One evaluation of a trial under one seed; a seed that did not end well says so in `status`."""

    seed: int
    status: str
    metrics: Values = {}
    wall_s: Number | None = None
    code_sha: str | None = None
    effective_config_sha: str | None = None
    data_sha: str | None = None
    predictions_sha: str | None = None
    first_step: Number | None = None
    host: str | None = None
    error: str | None = None


class Cost(Part):
    """What a trial cost."""

    wall_s: Number | None = None
    proposer_s: Number | None = None
    tokens_in: int | None = None
    tokens_out: int | None = None
    usd: Number | None = None


class Delta(Part):
    """A metric minus its reference, in the metric's own unit and sign."""

    incumbent: Number | None = None
    baseline: Number | None = None


class Blob(Part):
    """A text that lives beside the run, named by the SHA-256 of its bytes."""

    blob: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]


class Fingerprints(Part):
    """SHA-256 of the declared files at the three moments that must agree."""

    propose: Files | None = None
    run: Files | None = None
    score: Files | None = None


class HoldoutBit(Part):
    """All that a trial line tells of the holdout: the bit, and a commitment to the values behind it."""

    passed: Annotated[bool, Field(alias="pass")]
    commitment: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]


class Metric(Part):
    """The one number a run is about."""

    name: str
    goal: Goal
    unit: str | None = None


class MetricSpec(Part):
    """One metric that is measured, and what it is for."""

    name: str
    role: Role
    goal: Goal | None = None
    floor: Number | None = None
    ceiling: Number | None = None
    anchor: Any = None


class Knob(Part):
    """One thing that may be changed, as the header declares it; `menu` gives it its meaning."""

    type: KnobType
    choices: list[Any] | None = None
    range: list[Number] | None = None
    default: Any = None
    family: str | None = None
    scale: Scale | None = None
    aliases: list[str] | None = None
    units: dict[str, Number] | None = None
    set: bool | None = None
    bins: int | None = None


class Constraint(Part):
    """A rule over several knobs, in words that `menu` parses."""

    id: str
    rule: str


class Menu(Part):
    """What may be proposed."""

    knobs: dict[str, Knob]
    constraints: list[Constraint] | None = None


class Base(Part):
    """The configuration a run starts from."""

    config: dict[str, Any]
    hash: str | None = None


class Settings(Part):
    """The rails and the gate that were in force."""

    rails: dict[str, Any] | None = None
    gate: dict[str, Any] | None = None


class Proposer(Part):
    """Who proposes; `history` is how many trials it sees."""

    kind: str | None = None
    model: str | None = None
    history: int | Literal["all"] | None = None
    temperature: Number | None = None


class Line(Part):
    """What every line carries."""

    v: Literal[1] = 1
    seq: int | None = None
    prev: str | None = None


class RunHeader(Line):
    """The first line: who runs what, measured how, within which bounds."""

    type: Literal["run"] = "run"
    run_id: str | None = None
    campaign: str | None = None
    domain: str | None = None
    started: str | None = None
    metric: Metric
    metrics: list[MetricSpec] | None = None
    menu: Menu | None = None
    base: Base | None = None
    evaluator_hash: str | None = None
    data_hash: str | None = None
    settings: Settings | None = None
    settings_hash: str | None = None
    files: Files | None = None
    proposer: Proposer | None = None
    seeds: list[int] | None = None
    has_keeps: bool | None = None  # false where nobody decided: a search without verdicts
    branching: bool | None = None  # true where a trial may be built on any before it, and not on the last keep alone
    guesses: list[str] | None = None  # what the reader of another format had to choose
    software: dict[str, str] | None = None
    unguarded_because: str | None = None


class Trial(Line):
    """One iteration: what was tried, what a rail said, what came out, what was decided."""

    type: Literal["trial"] = "trial"
    iter: int | None = None
    started: str | None = None
    ended: str | None = None
    status: Status
    raw_status: str | None = None  # the word of whoever wrote it first, where it was another
    reason_code: str | None = None
    attempts: list[Annotated[Attempt, BeforeValidator(_longhand)]] = []
    provenance: Provenance | None = None  # where the proposal was read from; recorded as it was made, if not said
    confidence: Annotated[Number, Field(ge=0, le=1)] | None = None  # that it is what was tried, where it was recovered
    base_hash: str | None = None
    config_hash: str | None = None
    parent: str | None = None
    diff: str | Blob | None = None
    verdicts: list[Verdict] | None = None
    value: Number | None = None
    value_source: Literal["seeds", "reported"] | None = None
    metrics: Values | None = None
    deltas: dict[str, Delta] | None = None
    seeds: list[SeedResult] | None = None
    effective: dict[str, Any] | None = None
    fingerprints: Fingerprints | None = None
    cost: Cost | None = None
    new_best: bool | None = None
    holdout: HoldoutBit | None = None

    @property
    def ran(self) -> Attempt | None:
        """The proposal that was run: the last one no rail refused."""
        return next((a for a in reversed(self.attempts) if not a.refused), None)


class Measure(Line):
    """An evaluation that is no trial."""

    type: Literal["measure"] = "measure"
    what: What
    name: str | None = None
    config_hash: str | None = None
    value: Number | None = None
    reason_code: str | None = None
    seeds: list[SeedResult] | None = None
    ended: str | None = None


class Event(Line):
    """Something that happened to the run, told by the machinery or a person."""

    type: Literal["event"] = "event"
    kind: Kind
    at: str | None = None
    data: dict[str, Any] = {}


class End(Line):
    """The run ended on purpose."""

    type: Literal["end"] = "end"
    ended: str | None = None
    reason: str | None = None
    counts: dict[str, int] | None = None


Record = RunHeader | Trial | Measure | Event | End
TYPES: dict[str, type[Record]] = {"run": RunHeader, "trial": Trial, "measure": Measure, "event": Event, "end": End}
