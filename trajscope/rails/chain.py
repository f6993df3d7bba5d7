"""Rails: the checks of a proposal in their order."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from trajscope.errors import HistoryError
from trajscope.menu import Menu
from trajscope.pair import config_hash
from trajscope.rails.history import History
from trajscope.rails.proposal import Proposal, Proposals
from trajscope.rails.repeat import Repeat
from trajscope.verdict import Level, Verdict


class Answer(NamedTuple):
    """The verdict on a proposal, and the proposal where it could be read."""

    verdict: Verdict
    proposal: Proposal | None

    @property
    def passed(self) -> bool:
        """Whether it may be tried."""
        return self.verdict.level < Level.UNKNOWN


class Rails:
    """A small chain: schema, menu, constraints, no-op, repeat."""

    def __init__(self, menu: Menu, history: History, *, base: Mapping[str, object] | None = None) -> None:
        self.menu = menu
        self.history = history
        self.base = base
        self._read = Proposals(menu).read
        self._repeat = Repeat(history, menu, base=base)

    def ask(self, raw: object) -> Answer:
        """The first refusal, or a pass."""
        read = self._read(raw)
        if isinstance(read, Verdict):
            return Answer(read, None)
        try:
            self.history.refresh()
        except HistoryError as e:
            return Answer(Verdict("history", Level.UNKNOWN, str(e)), read)
        for c in read.pair.changes:
            if not c.known or c.objection:
                return Answer(Verdict("menu", Level.FAIL, c.objection or f"{c.knob} is no knob of the menu"), read)
        if self.base is None:
            return Answer(self._repeat.check(read), read)
        after = {**self.base, **{c.knob: c.value for c in read.pair.changes}}
        if broken := self.menu.broken(after):
            return Answer(Verdict("constraint", Level.FAIL, broken[0]), read)
        before, config = config_hash(self.base), config_hash(after)
        if before == config:
            return Answer(Verdict("noop", Level.FAIL, f"{read.pair.label} changes nothing"), read)
        return Answer(self._repeat.check(read, before, config), read)

    def check(self, raw: object) -> Verdict:
        """The verdict alone."""
        return self.ask(raw).verdict
