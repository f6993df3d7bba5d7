"""Repeat: what was tried is not tried again, unless that is declared, true and within its budget."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property

from trajscope.menu import Menu
from trajscope.pair import NEAR, Pair
from trajscope.rails.history import History, Past, Seen
from trajscope.rails.proposal import Proposal
from trajscope.rails.untried import Untried
from trajscope.verdict import Level, Verdict

NEW = Verdict("repeat", Level.PASS, "was not tried before")
_WAYS = "propose something new, or declare a revisit on a new base or a replicate with fresh seeds"


class Repeat:
    """The rail against repeats, over the full history of the campaign.

    `share` of the trials that ran, and never fewer than `least`, may be declared revisits, and as many replicates;
    at most `per_config` replicates of one configuration. A refusal names what is untried instead, unless without
    `offers`: to find that takes longer than to refuse.
    """

    def __init__(
        self,
        history: History,
        menu: Menu | None = None,
        *,
        base: Mapping[str, object] | None = None,
        near: bool = True,
        offers: bool = True,
        share: float = 0.10,
        least: int = 2,
        per_config: int = 5,
    ) -> None:
        self.history = history
        self._offers = offers
        self._stand = menu or history.menu, base
        self._near = near
        self._share = share
        self._least = least
        self._per_config = per_config

    @cached_property
    def untried(self) -> Untried:
        """What could be proposed instead."""
        return Untried(self.history, *self._stand)

    def check(self, proposal: Proposal, base: str | None = None, config: str | None = None) -> Verdict:
        """Whether a proposal may be tried; `base` is the hash of what it changes, `config` of what would run."""
        if proposal.intent == "revisit":
            return self._revisit(proposal.pair, base, config)
        if proposal.intent == "replicate":
            return self._replicate(proposal.pair, config)
        past = self.history.past(proposal.pair)
        if past is not None:
            return self._refuse("repeat", f"{self._told(past, proposal.pair)}; {_WAYS}", past.first, past.last)
        if self._near and (seen := self.history.near(proposal.pair)) is not None:
            what = f"{proposal.pair.label} is a near repeat (within {NEAR:.0%} of the range) of {seen.label}"
            why = f"{what}, which was tried {self._where(seen)}; move further away or propose something else"
            return self._refuse("near", why, seen)
        if config and (ran := self.history.ran(config)) is not None:
            what = f"{proposal.pair.label} leads to a configuration that ran before, {_times(ran.n)}"
            return self._refuse("repeat", f"{what}: {self._where(ran.last)} as {ran.last.label}; {_WAYS}", ran.last)
        return NEW

    # --- declared ------------------------------------------------------------------------------------------------

    def _revisit(self, pair: Pair, base: str | None, config: str | None) -> Verdict:
        past = self.history.past(pair)
        if past is None:
            return self._refuse("revisit", f"{pair.label} was never tried, so it is no revisit; leave the intent out")
        if not base:
            return self._unknown(
                "revisit",
                "on which base it would run is not known, so nothing says that it is a new one; name the base",
            )
        if self.history.on(pair, base):
            told = self._told(past, pair)
            return self._refuse(
                "revisit", f"{told}, and on this base too; a revisit needs a new base", past.first, past.last
            )
        if past.unplaced:
            which = f"{past.unplaced} of {past.n} trials of {pair.label} do not say on which base they ran"
            return self._unknown(
                "revisit", f"{which}, so this base may be no new one; propose something else", past.first, past.last
            )
        if config and (ran := self.history.ran(config)) is not None:
            return self._refuse(
                "revisit",
                f"what would run is no new configuration: it ran {_times(ran.n)}, {self._where(ran.last)}",
                ran.last,
            )
        return self._budgeted("revisit", f"{pair.label} was tried {_times(past.n)}, never on this base")

    def _replicate(self, pair: Pair, config: str | None) -> Verdict:
        if not config:
            return self._unknown(
                "replicate",
                "which whole configuration would run is not known, so nothing says that it ran before; name the base",
            )
        ran = self.history.ran(config)
        if ran is None:
            return self._refuse(
                "replicate",
                f"{pair.label} leads to a configuration that never ran, so it is no replicate; leave the intent out",
            )
        if ran.replicates >= self._per_config:
            told = f"this configuration has {ran.replicates} replicates of {self._per_config} at most"
            return self._refuse("replicate", f"{told} (last {self._where(ran.last)}); propose something new", ran.last)
        return self._budgeted("replicate", f"its configuration ran {_times(ran.n)}")

    def _budgeted(self, intent: str, why: str) -> Verdict:
        used, tried = self.history.intents[intent], self.history.tried
        most = max(self._least, int(self._share * tried))
        if used < most:
            return Verdict("repeat", Level.PASS, f"{why}; {intent} {used + 1} of {most}")
        rule = f"the larger of {self._least} and {self._share:.0%} of {tried} trials"
        return self._refuse(intent, f"{used} of {most} {intent}s are used up ({rule}); propose something new")

    # --- how it is said ------------------------------------------------------------------------------------------

    def _refuse(self, rule: str, reason: str, *shown: Seen) -> Verdict:
        run = self.history.run
        own = dict.fromkeys(s.seq for s in shown if s.where == run)
        other = dict.fromkeys(s.place for s in shown if s.where != run)
        instead = self.untried.labels() if self._offers else ()
        return Verdict(rule, Level.FAIL, reason, tuple(own), tuple(other), instead)

    def _unknown(self, rule: str, reason: str, *shown: Seen) -> Verdict:
        return self._refuse(rule, reason, *shown)._replace(level=Level.UNKNOWN)

    def _told(self, past: Past, pair: Pair) -> str:
        """What became of a pair."""
        if past.n == 1:
            return f"{pair.label} was tried before, {self._where(past.first)}"
        kept = f"kept {_times(past.kept)}" if past.kept else "never kept"
        ends = f"first {self._where(past.first)}, last {self._where(past.last)}"
        return f"{pair.label} was tried {_times(past.n)} and {kept}: {ends}"

    def _where(self, seen: Seen) -> str:
        if seen.where != self.history.run:
            return f"at {seen.place} ({seen.outcome})"
        name = f"seq {seen.seq}" if seen.iter is None else f"iteration {seen.iter}, seq {seen.seq}"
        return f"in {name} ({seen.outcome})"


def _times(n: int) -> str:
    return "once" if n == 1 else "twice" if n == 2 else f"{n:,} times"
