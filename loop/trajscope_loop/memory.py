"""Where a campaign stands: `state.json`, replaced whole at every step, and the table of the steps that there are.

It remembers what the run file does not say yet. Where the two disagree, the run file decides. It holds what the holdout
measured, so it is readable by the owner only.
"""

from __future__ import annotations

import os
import secrets
from pathlib import Path
from typing import Any, Literal, get_args

import msgspec
from msgspec import Struct

from trajscope_loop.errors import CampaignError

VERSION = 1
Phase = Literal["starting", "idle", "proposing", "running", "judging", "confirming", "recording", "settling"]
# Every step there is. `recording` is entered with the lines to be written, and left when all of them are durable.
NEXT: dict[Phase, tuple[Phase, ...]] = {
    "starting": ("recording",),
    "idle": ("proposing",),
    "proposing": ("running", "recording"),
    "running": ("judging", "recording"),
    "judging": ("confirming", "recording"),
    "confirming": ("judging",),
    "recording": ("settling",),
    "settling": ("idle",),
}
assert set(NEXT) == set(get_args(Phase))


class Turn(Struct, kw_only=True):
    """The trial that goes on."""

    iter: int
    started: str
    attempts: list[dict[str, Any]] = []  # as they will be recorded
    refused: list[str] = []  # proposals that were refused, as JSON, so that the rails can be asked again
    shown: list[str] = []  # what the proposer saw, attempt by attempt
    cost: dict[str, float | None] = {}
    wall_s: float = 0.0  # spent on it by earlier lives of the campaign
    changes: dict[str, Any] = {}  # what passed
    intent: Literal["replicate", "revisit"] | None = None
    diff: str | None = None  # as the proposer sent it
    label: str = ""
    tree: str = ""  # what the candidate must hash to
    seeds: tuple[int, ...] = ()
    watched: dict[str, Any] = {}  # fingerprints, what ran, verdicts
    tampered: str | None = None  # why this trial is not what was proposed
    withheld: str | None = None  # why it was not run though nothing is wrong with the files
    need: dict[str, Any] | None = None  # what the gate waits for
    asked: list[dict[str, Any]] = []  # everything it waited for, in order
    kept: bool = False
    failed: bool = False  # it came to nothing: no proposal, or none that ran


class Pause(Struct, kw_only=True):
    """Why nothing goes on until a person has looked. The nonce is never shown but on a terminal."""

    kind: Literal["gate", "integrity", "alarm"]
    why: str
    at: str
    nonce: str
    value: float | None = None
    bundle: dict[str, Any] = {}


class State(Struct, kw_only=True):
    """Everything between two steps."""

    v: int = VERSION
    phase: Phase = "starting"
    token: str = ""  # stands in the environment of every child, by which leftovers are found
    trials: int = 0  # lines of type trial
    counted: int = 0  # those that had a proposal
    failures: int = 0  # in a row
    spent: dict[str, float] = {}
    value: float | None = None  # of what stands
    base: dict[str, Any] = {}
    tree: str = ""
    parent: str = ""
    files: dict[str, str] = {}  # declared files and their hashes when it began
    data_sha: str | None = None  # of the data that the seeds of the baseline saw
    gate: dict[str, Any] | None = None
    turn: Turn | None = None
    lines: list[dict[str, Any]] = []  # that are to be written, in order; the last one is the trial
    before: int = 0  # lines of trials and measures that the run file held before them
    tampered: str | None = None  # what nobody has acknowledged yet: it marks every later trial
    failing: list[str] = []  # rules that had spoken when it last looked
    pause: Pause | None = None
    stopped: str | None = None  # why there is no further trial
    ended: bool = False  # and the run file says so


class Memory:
    """The state of one campaign on disk. A step that the table lacks is an error of ours, and nothing is written."""

    def __init__(self, path: Path, state: State) -> None:
        self.path = path
        self.state = state

    @classmethod
    def new(cls, path: Path) -> Memory:
        """The state of a campaign that has not begun."""
        memory = cls(path, State(token=secrets.token_hex(8)))
        memory.save(sync=True)
        return memory

    @classmethod
    def load(cls, path: Path) -> Memory:
        """The state as it was last written."""
        return cls(path, read(path))

    def go(self, phase: Phase, *, sync: bool = False) -> None:
        """Take a step, on disk before it is taken. `sync` where the loss of power must not take it back."""
        state = self.state
        if phase not in NEXT[state.phase]:
            raise CampaignError(f"a campaign does not go from {state.phase} to {phase}: a fault of the loop")
        if phase == "proposing" and state.pause is not None:
            raise CampaignError(f"nothing is proposed while a person has not looked: {state.pause.why}")
        before, state.phase = state.phase, phase
        try:
            self.save(sync=sync)
        except BaseException:
            state.phase = before
            raise

    def save(self, *, sync: bool = False) -> None:
        """Replace the file, whole or not at all."""
        put(self.path, msgspec.json.encode(self.state), sync=sync)


def read(path: Path) -> State:
    """The state in a file."""
    try:
        state = msgspec.json.decode(path.read_bytes(), type=State)
    except FileNotFoundError:
        raise CampaignError(f"{path}: is gone, and with it what the gate remembers; start a new campaign") from None
    except (OSError, msgspec.DecodeError) as error:
        raise CampaignError(f"{path}: cannot be read ({error}); start a new campaign") from None
    if state.v != VERSION:
        raise CampaignError(f"{path}: is of version {state.v}, this loop reads {VERSION}; use the one that wrote it")
    return state


def put(path: Path, data: bytes, *, sync: bool) -> None:
    """Replace a file whole, readable by its owner only."""
    temporary = path.with_name(f".{path.name}.new")
    handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | getattr(os, "O_NOFOLLOW", 0), 0o600)
    with os.fdopen(handle, "wb") as out:
        out.write(data)
        out.flush()
        if sync:
            os.fsync(handle)
    temporary.replace(path)
    if sync:
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
