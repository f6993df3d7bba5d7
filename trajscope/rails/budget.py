"""Budget: what a campaign may spend in all. Refuses before a trial that could exceed it, not after one that did."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

from trajscope.errors import SettingsError
from trajscope.knob import is_number
from trajscope.verdict import Level, Verdict

if TYPE_CHECKING:
    from trajscope.rails.history import Spent

# What a budget calls it, what trials call it, and how many of theirs make one of its own.
_MEASURED = (("hours", "wall_s", 3600.0), ("tokens", "tokens", 1.0), ("usd", "usd", 1.0))


@dataclass(frozen=True)
class Budget:
    """What may be spent on all trials of the campaign together; what is None is not limited."""

    trials: int | None = None
    hours: float | None = None
    tokens: int | None = None
    usd: float | None = None

    def __post_init__(self) -> None:
        """Refuse a budget that could not refuse anything."""
        given = {f.name: value for f in fields(self) if (value := getattr(self, f.name)) is not None}
        if not given:
            raise SettingsError("budget: limits nothing; set trials, hours, tokens or usd")
        for name, value in given.items():
            if not is_number(value) or not 0 < value < math.inf:
                raise SettingsError(f"budget: {name} is {value!r}; give a finite number above 0")

    def check(self, spent: Spent) -> Verdict | None:
        """Why one more trial may not run: it is taken to cost as much as the dearest so far. None where it may."""
        if self.trials is not None and spent.trials + 1 > self.trials:
            return _over(f"{spent.trials:,} of {self.trials:,} trials have run; raise the budget, or stop here")
        for name, cost, unit in _MEASURED:
            most = getattr(self, name)
            if most is None:
                continue
            lacking, used, next_one = spent.unpriced.get(cost, 0), getattr(spent, cost), spent.dearest.get(cost, 0.0)
            if lacking:
                why = f"{lacking:,} of {spent.trials:,} trials do not say what they cost in {cost}"
                rest = f"nobody knows what is left of {most:,g} {name}; record {cost} with every trial"
                return Verdict("budget", Level.UNKNOWN, f"{why}, so {rest}")
            if not all(is_number(x) and 0 <= x < math.inf for x in (used, next_one)):
                why = f"the trials cost {used!r} {cost}, the dearest {next_one!r}: that is no sum of costs"
                return Verdict("budget", Level.UNKNOWN, f"{why}; correct what they record")
            # Not <=: a comparison with what is no number must refuse.
            if not (used + next_one) / unit <= most:
                left = f"{used / unit:,.4g} of {most:,g} {name} are spent"
                more = f" and the dearest trial so far took {next_one / unit:,.4g}" if used / unit < most else ""
                return _over(f"{left}{more}; raise the budget, or stop here")
        return None


def _over(why: str) -> Verdict:
    return Verdict("budget", Level.FAIL, why)
