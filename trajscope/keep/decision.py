"""What a gate answers: a Decision with every number it used, what it still needs, and the pause it may have caused."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

from msgspec import Struct

from trajscope.verdict import Verdict

Word = Literal["KEEP", "REVERT", "ABORT"]
Stage = Literal["confirm", "incumbent", "holdout"]
STATUS: Mapping[Word, str] = {"KEEP": "kept", "REVERT": "reverted", "ABORT": "aborted"}


class Need(NamedTuple):
    """What to measure next: the candidate or the incumbent on these fresh seeds, or the holdout on these."""

    what: Stage
    config: str | None  # hash of the configuration to measure
    seeds: tuple[int, ...]


class Pause(Struct, frozen=True, kw_only=True):
    """Why nothing more is decided until a person has looked, and what there is to look at.

    The nonce belongs on a terminal or in a report, never in a prompt: who acknowledges shows that he has read it.
    """

    rule: str
    reason: str
    nonce: str
    value: float  # of the primary, where the gate stopped
    bundle: dict[str, Any] = {}


class Decision(NamedTuple):
    """KEEP, REVERT or ABORT. While `needs` names something the word is ABORT: undecided is not kept."""

    word: Word
    reason: str
    verdicts: tuple[Verdict, ...]
    numbers: Mapping[str, Any]
    deltas: Mapping[str, Mapping[str, float]] = {}
    needs: Need | None = None
    holdout_pass: bool | None = None
    sealed: Mapping[str, Any] = {}  # what the holdout measured: for the sealed file, never for the proposer
    pause: Pause | None = None

    @property
    def kept(self) -> bool:
        """Whether the candidate is the new incumbent."""
        return self.word == "KEEP" and self.needs is None

    @property
    def status(self) -> str:
        """The status of the trial."""
        return STATUS[self.word]

    def record(self) -> dict[str, Any]:
        """What `run.trial(**decision.record())` writes down: the status, every verdict, delta and number."""
        out: dict[str, Any] = {
            "status": self.status,
            "verdicts": self.verdicts,
            "deltas": self.deltas,
            "gate": dict(self.numbers),
        }
        if self.holdout_pass is not None:
            out |= {"holdout_pass": self.holdout_pass, "holdout": self.sealed}
        return out
