"""Turn: one trial's proposals. After five refusals the proposer is not asked again: an unseen cell is drawn for it.

Nothing is ever waved through. When no cell of the menu is left, the turn says `menu_exhausted`.
"""

from __future__ import annotations

from random import Random
from typing import Protocol

from trajscope.menu import Menu
from trajscope.rails.chain import Answer
from trajscope.rails.history import History
from trajscope.rails.untried import cells
from trajscope.verdict import Level, Verdict

RETRIES = 5
# What one cell may be refused for without a word about the next; any other refusal would meet all of them.
_OF_THE_CELL = frozenset(("menu", "range", "constraint", "noop", "repeat", "near"))


class Asked(Protocol):
    """A chain of rails."""

    @property
    def menu(self) -> Menu | None:
        """What may be proposed."""
        ...

    @property
    def history(self) -> History:
        """What was tried."""
        ...

    def ask(self, raw: object) -> Answer:
        """What is said of a proposal."""
        ...


class Turn:
    """The attempts of one trial: `ask` until one passes or `over`, then `escape`."""

    def __init__(self, rails: Asked, retries: int = RETRIES) -> None:
        self.attempts: list[Answer] = []
        self.retries = retries
        self._rails = rails

    @property
    def over(self) -> bool:
        """Whether the proposer was refused as often as it may be."""
        return len(self.attempts) >= self.retries

    def ask(self, raw: object) -> Answer:
        """What the rails say of a proposal; once the turn is over, nothing passes but an escape."""
        if self.over:
            why = f"was refused {len(self.attempts)} times of {self.retries}; draw an unseen cell with escape"
            return Answer(Verdict(self.attempts[-1].verdict.rule, Level.FAIL, f"the proposer {why}"), None)
        answer = self._rails.ask(raw)
        if not answer.passed:
            self.attempts.append(answer)
        return answer

    def escape(self, rng: Random) -> Answer:
        """A change drawn evenly from the cells that nothing was tried in alone and that every rail lets pass."""
        menu = self._rails.menu
        if menu is None or not menu.knobs:
            return _none(
                Level.UNKNOWN, "there is no menu, so no unseen cell can be drawn; stop, or give the rails a menu"
            )
        every, seen = cells(menu), self._rails.history.cells
        left = [c for c in every if c.name not in seen]
        rng.shuffle(left)
        closed: dict[str, int] = {}
        for cell in left:
            why = ""
            for value in cell.values(rng):
                answer = self._rails.ask({"knob": cell.knob.name, "value": value})
                why = answer.verdict.rule
                if answer.passed or why not in _OF_THE_CELL:
                    return answer
            closed[why] = closed.get(why, 0) + 1
        told = [
            f"{len(every) - len(left)} of {len(every)} cells were tried",
            *(f"{n} {_SHUT[w]}" for w, n in closed.items()),
        ]
        return _none(Level.FAIL, f"the menu is exhausted: {', '.join(told)}; stop, widen the menu, or move the base")


_SHUT = {
    "": "hold no value that can be proposed",
    "menu": "are not allowed by the menu",
    "range": "are out of range",
    "constraint": "break a constraint",
    "noop": "would change nothing",
    "repeat": "would repeat a configuration",
    "near": "lie near what was tried",
}


def _none(level: Level, why: str) -> Answer:
    return Answer(Verdict("menu_exhausted", level, why), None)
