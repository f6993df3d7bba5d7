"""What a gate remembers, as plain values: it survives a restart as JSON, and two gates with one state decide alike.

Holds what the holdout measured, so a file of it belongs where the proposer cannot read.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec
from msgspec import Struct

from trajscope.errors import GateError
from trajscope.keep.arms import Arm, mean
from trajscope.keep.decision import Pause, Stage
from trajscope.keep.settings import GateSettings
from trajscope.verdict import Verdict

VERSION = 1


class Incumbent(Struct, frozen=True):
    """What stands, and every fresh measurement of it."""

    config: str | None
    arm: Arm


class Test(Struct, frozen=True, kw_only=True):
    """One line of the ledger: a test that was made, whatever came of it."""

    n: int
    config: str | None
    test: str
    delta: float
    p: float
    alpha: float
    alpha_spent: float  # by this campaign so far, with this test


class Anchor(Struct, frozen=True):
    """A guard's mean at the campaign's start, and the best of any incumbent."""

    start: float
    best: float


class Pending(Struct, frozen=True, kw_only=True):
    """A candidate that has passed so far, and what it still waits for."""

    what: Stage
    seeds: tuple[int, ...]
    config: str | None
    diff: str
    screen: Arm
    confirm: Arm | None = None
    again: Arm | None = None  # the incumbent on fresh seeds
    compared: bool = False  # on fresh seeds
    asked: bool = False  # the holdout, which said yes
    verdicts: tuple[Verdict, ...] = ()
    numbers: dict[str, Any] = {}


class Ladder(Struct, frozen=True):
    """The best holdout value that was released, what noise there is, everything seen, and how often it was asked."""

    released: float
    eta: float  # above the released value by more than this is released itself
    tolerance: float  # below it by more than this is worse
    seen: tuple[float, ...]
    queries: int = 0


class Ack(Struct, frozen=True, kw_only=True):
    """A person's word that what the pause showed is right, up to a value of the primary."""

    by: str
    at: str
    nonce: str
    up_to: float


class State(Struct, kw_only=True):
    """Everything between two calls."""

    v: int = VERSION
    settings: str
    test: Literal["welch", "moderated", "paired"]
    hashes: dict[str, str] | None
    baseline: Arm
    replicates: dict[str, list[float]]  # of the primary, by configuration; the baseline's are not among them
    differences: list[float]  # that showed the pairing valid
    degenerates: dict[str, dict[str, float]]
    incumbent: Incumbent
    anchors: dict[str, Anchor]
    ladder: Ladder | None
    history: tuple[float, ...]
    used: set[int]
    tried: dict[str, int] = {}
    ledger: list[Test] = []
    best: list[float] = []  # the incumbent's mean after the start and after every decision
    straight: int = 0
    keeps: int = 0
    since: list[dict[str, Any]] = []  # the last keeps since a person looked
    since_total: int = 0
    pending: Pending | None = None
    pause: Pause | None = None
    acks: list[Ack] = []

    def value(self, settings: GateSettings) -> float:
        """The incumbent's mean."""
        return mean(self.incumbent.arm, settings.primary.name)


def dump(state: State) -> dict[str, Any]:
    """The state as plain JSON values."""
    out: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(state, order="sorted"))
    return out


def load(plain: object, settings: GateSettings) -> State:
    """The state in plain values; of other settings, another version or unreadable it is a GateError."""
    try:
        state = msgspec.convert(plain, State)
    except msgspec.ValidationError as error:
        raise GateError(f"the gate's state cannot be read ({error}); start the campaign anew") from None
    if state.v != VERSION:
        raise GateError(f"the gate's state is of version {state.v}, this is {VERSION}; start the campaign anew")
    if state.settings != settings.hash:
        raise GateError(
            f"the gate's state was made under the settings {state.settings}, these are {settings.hash}; "
            "a gate does not change within a campaign"
        )
    return state
