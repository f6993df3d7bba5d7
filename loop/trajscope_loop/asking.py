"""One trial's proposals: the proposer, the rails, the way back with the reason, and the unseen cell after the last one.

Spends nothing on training. What comes out stands in the turn: a candidate that may run, or why there is none.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from random import Random
from typing import Any, Literal, NamedTuple

from trajscope import Level, Verdict
from trajscope.rails import Answer, Proposal, Rails
from trajscope.rails import Turn as Attempts
from trajscope_loop.errors import DomainError
from trajscope_loop.memory import Turn
from trajscope_loop.plan import Plan
from trajscope_loop.seams import Domain, Proposer, Said, Tree, View

MOST_SAID = 2_000  # letters of a proposal that no rail could read
Outcome = Literal["passed", "blocked", "proposer_error"]
EXHAUSTED = "menu_exhausted"


class Ended(NamedTuple):
    """How the asking ended. `reason_code` says more where nothing passed, `why` says it in a sentence."""

    outcome: Outcome
    tree: Tree | None = None
    reason_code: str | None = None
    why: str = ""


class Asking:
    """The attempts of one trial."""

    def __init__(
        self, plan: Plan, domain: Domain, rails: Rails, parent: Tree, turn: Turn, save: Callable[[], None]
    ) -> None:
        self.turn = turn
        self._plan, self._domain, self._rails, self._parent, self._save = plan, domain, rails, parent, save
        self._attempts = Attempts(rails, plan.retries)
        self.refusals: list[tuple[Verdict, str]] = []
        for raw in turn.refused:  # of an earlier life: they are asked again, and refused again
            self._judge(raw)

    def ask(self, proposer: Proposer, view: Callable[[list[tuple[Verdict, str]]], View]) -> Ended:
        """Ask until something passes, nobody may ask any more, or the proposer fails."""
        while not self._over:
            try:
                said = proposer.propose(view(self.refusals))
            except Exception as error:  # noqa: BLE001  # a proposer is a stranger: whatever it does costs one trial
                return Ended("proposer_error", None, "proposer", _told(error))
            self._pay(said)
            tree, answer = self._judge(said.proposal)
            if tree is not None and answer.proposal is not None:
                self._passes(answer, answer.proposal, tree)
                return Ended("passed", tree)
            self.turn.refused.append(_text(said.proposal))
            self.turn.attempts.append(_refusal(answer, said.proposal))
            self._save()
        return self._escape()

    @property
    def _over(self) -> bool:
        return len(self.refusals) >= self._plan.retries

    def _judge(self, raw: object) -> tuple[Tree | None, Answer]:
        """What the rails say, and the candidate where they and the domain let it pass."""
        answer = self._rails.ask(raw) if self._plan.rails == "off" else self._attempts.ask(raw)
        tree = None
        if answer.proposal is not None and (answer.passed or self._plan.rails == "off"):
            tree, why = self._built(answer.proposal)
            if tree is None:
                answer = Answer(Verdict("build", Level.FAIL, why), answer.proposal)
                self._attempts.attempts.append(answer)
        if tree is None:
            self.refusals.append((answer.verdict, "" if answer.proposal is None else answer.proposal.pair.label))
        return tree, answer

    def _built(self, proposal: Proposal) -> tuple[Tree | None, str]:
        try:
            tree = self._domain.tree(self._parent, _changes(proposal), proposal.diff)
        except DomainError as error:
            return None, str(error)
        if tree.sha == self._parent.sha and self._plan.rails != "off":
            return None, "it leaves every file as it is; change what runs"
        return tree, ""

    def _passes(self, answer: Answer, proposal: Proposal, tree: Tree, reason: str | None = None) -> None:
        turn = self.turn
        turn.changes, turn.intent, turn.diff = _changes(proposal), proposal.intent, proposal.diff
        turn.label, turn.tree = proposal.pair.label, tree.sha
        turn.attempts.append(_attempt(proposal, reason))
        if self._plan.rails != "off":  # nobody was asked, so nobody said yes
            turn.attempts[-1]["verdict"] = plain(answer.verdict)

    def _escape(self) -> Ended:
        """The proposer was refused too often: an unseen cell of the menu runs in its place."""
        last = self.refusals[-1][0]
        if self._plan.rails == "off" or self._rails.menu is None:
            return Ended("blocked", None, last.rule, last.reason)
        rng = Random(f"{self._plan.seed}-{self.turn.iter}")
        answer = self._attempts.escape(rng)
        if answer.passed and answer.proposal is not None:
            tree, why = self._built(answer.proposal)
            if tree is None:
                return Ended("blocked", None, "build", f"{answer.proposal.pair.label}, drawn by the rails: {why}")
            self._passes(answer, answer.proposal, tree, f"drawn by the rails after {len(self.refusals)} refusals")
            return Ended("passed", tree)
        code = answer.verdict.rule
        if code == EXHAUSTED and answer.verdict.level is not Level.FAIL:
            code = "no_menu"
        return Ended("blocked", None, code, answer.verdict.reason)

    def _pay(self, said: Said) -> None:
        """What the proposer cost; what it does not say stays unknown."""
        cost, turn = self.turn.cost, self.turn
        first = not turn.shown
        turn.shown.append(said.shown)
        cost["proposer_s"] = (cost.get("proposer_s") or 0.0) + said.wall_s
        for name in ("tokens_in", "tokens_out", "tokens_cached", "usd"):
            more: float | None = getattr(said, name)
            before = 0 if first else cost.get(name)
            cost[name] = None if more is None or before is None else before + more


def _changes(proposal: Proposal) -> dict[str, Any]:
    return {c.knob: c.value for c in proposal.pair.changes}


def _attempt(proposal: Proposal, reason: str | None = None) -> dict[str, Any]:
    out: dict[str, Any] = {"changes": [{"knob": c.knob, "value": c.value} for c in proposal.pair.changes]}
    if said := reason or proposal.reason:
        out["reason"] = said
    if proposal.intent:
        out["intent"] = proposal.intent
    return out


def _refusal(answer: Answer, raw: object) -> dict[str, Any]:
    """A refused attempt as it is recorded; one that could not be read as it was said."""
    out = {"changes": []} if answer.proposal is None else _attempt(answer.proposal)
    if answer.proposal is None:
        out["said"] = _text(raw)[:MOST_SAID]
    return out | {"verdict": plain(answer.verdict)}


def plain(verdict: Verdict) -> dict[str, Any]:
    """A verdict as it is written."""
    out: dict[str, Any] = {"rule": verdict.rule, "level": verdict.level.name, "reason": verdict.reason}
    return out | {k: list(v) for k, v in verdict._asdict().items() if isinstance(v, tuple) and v}


def _text(raw: object) -> str:
    if isinstance(raw, bytes | bytearray):
        return bytes(raw).decode("utf-8", "replace")
    if isinstance(raw, Mapping):
        return json.dumps(dict(raw), default=str)
    return str(raw)


def _told(error: Exception) -> str:
    name = "" if type(error).__name__ == "ProposerError" else f"{type(error).__name__}: "
    return " ".join(f"{name}{error}".split())[:500] or type(error).__name__
