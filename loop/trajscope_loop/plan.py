"""What a campaign was asked to do: read from a table, a TOML file or options, written once, never changed.

Knows names, not parts: which domain, proposer and executor are meant is for `parts` to find out.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Literal

import msgspec
from msgspec import Struct

from trajscope.rails import Budget
from trajscope_loop.errors import CampaignError

Rails = Literal["on", "off", "window"]
Gate = Literal["ours", "published", "open", "paired"]
PAUSES = ("gate", "integrity", "TAMPERED", "SUSPECT", "FLAILING")
FILE = "campaign.toml"


class Plan(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Everything that is decided before the first trial."""

    domain: str  # a built-in name, or a folder
    proposer: dict[str, Any] = msgspec.field(default_factory=lambda: {"kind": "simulated"})
    executor: dict[str, Any] = msgspec.field(default_factory=lambda: {"kind": "local"})
    iterations: int = 100  # trials in all; those without a proposal do not count
    seeds: int | None = None  # of one measurement; as the domain's gate says where it is left out
    rails: Rails = "on"
    window: int = 0  # trials that the rails look back over, where they are `window`
    gate: Gate = "ours"
    pairing: dict[str, Any] = {}  # a change that is measured with the start, to show that seeds pair, for `paired`
    integrity: Literal["on", "off"] = "on"
    pauses: tuple[str, ...] = ("gate", "integrity", "TAMPERED", "SUSPECT")  # what stops it until a person has looked
    retries: int = 5  # refusals of one trial, then an unseen cell is drawn
    failures: int = 5  # trials in a row that came to nothing, then it stops
    backoff_s: float = 1.0  # after the first of them; doubled after each further one
    backoff_most_s: float = 300.0
    grace_s: float = 60.0  # beyond what all jobs may take together, then the executor is given up
    budget: dict[str, float] = {}
    history: tuple[str, ...] = ()  # other files of the campaign
    rates: tuple[float, ...] = ()  # of finished campaigns, for the gate
    campaign: str | None = None
    seed: int = 0  # of the cells that are drawn

    def __post_init__(self) -> None:
        """Refuse what could not be carried out."""
        for name, least in (("iterations", 1), ("retries", 1), ("failures", 1), ("window", 0)):
            if getattr(self, name) < least:
                raise CampaignError(f"plan: {name} is {getattr(self, name)}; give {least} or more")
        for name in ("backoff_s", "backoff_most_s", "grace_s"):
            if not 0 <= getattr(self, name) <= 1e6:
                raise CampaignError(f"plan: {name} is {getattr(self, name)}; give seconds, 0 or more")
        if (self.rails == "window") != (self.window > 0):
            raise CampaignError("plan: window goes with rails = 'window', and those need one of 1 or more trials")
        if (self.gate == "paired") != bool(self.pairing):
            raise CampaignError("plan: pairing goes with gate = 'paired', and that needs one: pairing = {KNOB = VALUE}")
        if odd := next((p for p in self.pauses if p not in PAUSES), None):
            raise CampaignError(f"plan: nothing pauses on {odd!r}; choose of {', '.join(PAUSES)}")
        for name in ("proposer", "executor"):
            if not isinstance(getattr(self, name).get("kind"), str):
                raise CampaignError(f"plan: the {name} names no kind; say {name} = {{kind = ...}}")
        self.limits  # noqa: B018  # asked for its refusals

    @property
    def limits(self) -> Budget | None:
        """The budget as rails take it."""
        if odd := next((k for k in self.budget if k not in ("trials", "hours", "tokens", "usd")), None):
            raise CampaignError(f"plan: the budget knows no {odd!r}; set trials, hours, tokens or usd")
        return Budget(**self.budget) if self.budget else None  # type: ignore[arg-type]  # Budget refuses what is no number

    def text(self) -> bytes:
        """The plan as it is written down."""
        return msgspec.json.format(msgspec.json.encode(self, order="sorted"), indent=1) + b"\n"


def made(table: Mapping[str, Any], where: str = "plan") -> Plan:
    """The plan in a table of plain values; an unknown key is an error that names the nearest known one."""
    known = [f.name for f in msgspec.structs.fields(Plan)]
    for key in table:
        if key not in known:
            near = get_close_matches(key, known, 1)
            hint = f"did you mean {near[0]}?" if near else f"known are {', '.join(known)}"
            raise CampaignError(f"{where}: nothing is called {key!r}; {hint}")
    try:
        return msgspec.convert(dict(table), Plan)
    except msgspec.ValidationError as error:
        raise CampaignError(f"{where}: {error}") from None


def load(path: Path) -> Plan:
    """The plan that was written down."""
    try:
        return made(msgspec.json.decode(path.read_bytes()), str(path))
    except FileNotFoundError:
        raise CampaignError(f"{path.parent}: holds no campaign; start one with `trajscope loop run`") from None
    except (OSError, msgspec.DecodeError) as error:
        raise CampaignError(f"{path}: cannot be read as a plan ({error}); restore it") from None


def settings(path: Path) -> dict[str, Any]:
    """The options in a `campaign.toml`."""
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise CampaignError(f"{path}: cannot be read ({error}); correct it, or leave it out") from None
