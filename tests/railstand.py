"""A history and a repeat check small enough to see through, for tests of the rails around them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from trajscope.errors import HistoryError
from trajscope.rails.proposal import Proposal
from trajscope.verdict import Level, Verdict


class Costs(NamedTuple):
    """What a campaign cost."""

    trials: int = 0
    wall_s: float = 0.0
    tokens: int = 0
    usd: float = 0.0
    unpriced: Mapping[str, int] = {}
    dearest: Mapping[str, float] = {}


class Told:
    """A history that costs what it is told, and cannot be read where it is told so."""

    def __init__(self, spent: Costs | None = None, unreadable: str | None = None) -> None:
        self.spent = spent or Costs()
        self.unreadable = unreadable
        self.refreshed = 0

    def refresh(self) -> None:
        """Count, or fail."""
        self.refreshed += 1
        if self.unreadable is not None:
            raise HistoryError(self.unreadable)


class Once:
    """Refuses a pair that it was asked about before; shows the hashes it was given."""

    def __init__(self) -> None:
        self.seen: dict[str, tuple[str | None, str | None]] = {}

    def check(self, proposal: Proposal, base: str | None, config: str | None) -> Verdict:
        """Whether it is new."""
        if proposal.pair.label in self.seen:
            return Verdict("repeat", Level.FAIL, f"{proposal.pair.label} was tried before")
        self.seen[proposal.pair.label] = (base, config)
        return Verdict("repeat", Level.PASS, "was not tried before")
