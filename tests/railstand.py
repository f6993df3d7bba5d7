"""A history and a repeat check small enough to see through, for tests of the rails around them."""

from __future__ import annotations

from typing import Any

from trajscope.errors import HistoryError
from trajscope.rails.history import Spent
from trajscope.rails.proposal import Proposal
from trajscope.verdict import Level, Verdict

FREE = Spent(0, 0.0, 0, 0.0, {}, {})


def told(spent: Spent = FREE, unreadable: str | None = None) -> Any:
    """A history that costs what it is told; Any, since it is one only as far as the chain asks."""
    return Told(spent, unreadable)


def once() -> Any:
    """A repeat check of a few lines; Any, as above."""
    return Once()


class Told:
    """A history that costs what it is told, and cannot be read where it is told so."""

    def __init__(self, spent: Spent, unreadable: str | None) -> None:
        self.spent = spent
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
