"""Where the parts of a campaign meet: what a proposer sees and says, what a job and its result hold, what a domain is.

Protocols and plain values only; nothing here does anything.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple, NotRequired, Protocol, TypedDict

from trajscope import Menu, Verdict
from trajscope.keep import GateSettings
from trajscope.rails import Edits

Config = Mapping[str, Any]  # every knob and its value
Status = Literal["ok", "crashed", "timeout", "oom", "nan", "import", "tampered"]


class Job(TypedDict):
    """One seed of one candidate, as plain values: it may cross a process, a machine or a cloud.

    The code travels as the bytes that were hashed; data that is too large to travel is prepared again where it runs,
    by the frozen files of the job, and held to its hashes.
    """

    key: str  # names the job within its campaign, and stays the same when it is run again after a crash
    seed: int
    files: dict[str, bytes]  # the declared files: editable and frozen
    shas: dict[str, str]  # what each of them hashes to
    editable: list[str]
    command: list[str]  # a Python script of `files` and its arguments, or any program: `python` says which
    python: bool
    prepare: str | None  # script that writes `given/` and `truth/`; the same bytes everywhere
    data: str | None  # folder that holds both already, where it is at hand
    data_shas: dict[str, str]  # path below that folder to hash
    judge: str | None  # script whose function `judge(out, truth)` scores what training left
    wanted: dict[str, Any]  # the configuration that was proposed; the child's own account is held to it
    constants: dict[str, str]  # the constant of the code that says a knob; a knob that is not here is its own name
    timeout_s: float
    memory_mb: int | None
    env: dict[str, str]  # all that training gets of the environment, besides a PATH and a HOME of its own
    inside: NotRequired[bool]  # it works in the folder of its files, where a repository expects to be


class Result(TypedDict):
    """What became of a job. A seed that did not end well has an error, and no metrics."""

    key: str
    seed: int
    status: Status
    metrics: dict[str, float]
    holdout: dict[str, float]  # for the gate and the sealed file, never for a proposer
    wall_s: float
    code_sha: str | None
    effective: dict[str, Any] | None  # the configuration it really ran with
    effective_config_sha: str | None
    data_sha: str | None
    predictions_sha: str | None
    first_step: float | None
    host: str
    error: str | None
    usd: NotRequired[float]


class Executor(Protocol):
    """Runs one pure function over many jobs, somewhere. Results come as they are ready, in any order."""

    name: str

    def run(self, fn: Callable[[Job], Result], jobs: Sequence[Job]) -> Iterator[Result]:
        """Every job's result; a job whose process died has a result that says so. Never fewer than jobs."""
        ...

    def close(self) -> None:
        """End what was started; a second time does nothing. Another thread may call it while `run` waits."""
        ...


class Tree(NamedTuple):
    """The editable files of a candidate, as they are to run. `sha` names them."""

    files: Mapping[str, bytes]
    sha: str


class Workspace(Protocol):
    """Where the agent's files stand. After every trial they are those of the last keep."""

    root: Path

    def standing(self) -> Tree:
        """The recorded incumbent, whatever stands in the folder now."""
        ...

    def save(self, tree: Tree, parent: str) -> None:
        """Put a candidate into the folder, file by file against what `parent` recorded; nothing where that moved."""
        ...

    def keep(self, tree: Tree, message: str) -> str:
        """The candidate is the incumbent now; its name for `parent`. A second time does nothing."""
        ...

    def restore(self) -> None:
        """The folder holds the incumbent again, verified; what was changed meanwhile is gone."""
        ...


class Past(NamedTuple):
    """One trial of the history, as a proposer may see it: nothing of a holdout is in it."""

    iter: int
    label: str  # the pair
    status: str
    value: float | None
    metrics: Mapping[str, float]
    reason: str


class View(NamedTuple):
    """Everything that a proposer may know when it is asked."""

    program: str  # what the research is about, in the domain's words
    menu: Menu | None
    base: Config  # what stands
    files: Mapping[str, str]  # editable files that stand, where code may be edited
    metric: str
    goal: Literal["minimize", "maximize"]
    best: float | None
    past: tuple[Past, ...]  # the latest `history` trials, oldest first
    trials: int  # in all
    denied: tuple[str, ...]  # pairs that were tried, where the proposer is to be told
    untried: tuple[str, ...]  # cells of the menu that were not, where it is to be told
    refusals: tuple[Verdict, ...]  # of this trial so far, each with its reason and alternatives
    refused: tuple[str, ...]  # the proposals that they refused
    turn: int  # iteration * 100 + attempt: what a simulated proposer draws its random numbers from


class Said(NamedTuple):
    """A proposer's answer: what the rails are asked, and what it took to get it."""

    proposal: object  # JSON text or a mapping; whatever it is, the rails judge it
    shown: str  # the text exactly as the model saw it; empty where no text was shown
    model: str | None = None
    tokens_in: int | None = None
    tokens_out: int | None = None
    tokens_cached: int | None = None
    usd: float | None = None
    wall_s: float = 0.0
    request: str | None = None  # the provider's own name for the request


class Proposer(Protocol):
    """Proposes one change at a time. What fails raises ProposerError; its text holds no key."""

    history: int | None  # trials it is shown; None is all
    denies: bool  # whether it is shown what was tried
    offers: bool  # and what was not

    def header(self) -> dict[str, Any]:
        """What the run's header says of it: kind, model, history, temperature."""
        ...

    def propose(self, view: View) -> Said:
        """One proposal."""
        ...


class Domain(Protocol):
    """What is researched: the code that may be changed, the judge that may not, and how a candidate is measured."""

    name: str
    program: str
    menu: Menu | None
    base: Config
    metric: Mapping[str, Any]  # name, goal, unit
    metrics: Sequence[Mapping[str, Any]]  # every metric with its role, for the header
    gate: GateSettings
    editable: Sequence[str]
    frozen: Sequence[str]
    edits: Edits | None  # where code may be edited, what may be touched

    def workspace(self, folder: Path) -> Workspace:
        """The agent's files in a campaign's folder, made there the first time."""
        ...

    def hashes(self, folder: Path) -> dict[str, str]:
        """Evaluator and data as they are now."""
        ...

    def tree(self, parent: Tree, changes: Config, diff: str | None) -> Tree:
        """The candidate: the recorded parent with these changes; DomainError where they cannot be made."""
        ...

    def job(self, folder: Path, tree: Tree, config: Config, seed: int, key: str) -> Job:
        """What an executor is given to measure one seed of a tree."""
        ...

    def degenerates(self, folder: Path) -> dict[str, dict[str, float]]:
        """What predictors score that ignore their input, measured by the judge."""
        ...
