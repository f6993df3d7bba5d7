"""What a user may set for the alarms: the few bounds worth setting, a budget, and which rules are not asked."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct

Above0 = Annotated[float, Meta(gt=0)]
Count = Annotated[int, Meta(gt=0)]
Share = Annotated[float, Meta(gt=0, le=1)]
# Rules that may be switched off. What makes a run TAMPERED or SUSPECT is never among them.
QUIETABLE = (
    "flailing repeats dominance coverage silence excess dry_search kept_dominance family_dominance stuck zero_keeps "
    "crashes budget unconfirmed flips baseline seed composition record"
).split()


class BudgetSettings(Struct, forbid_unknown_fields=True, frozen=True):
    """`[alarms.budget]`: what all trials of a run together may take; what is None is not limited."""

    trials: Count | None = None
    hours: Above0 | None = None
    tokens: Count | None = None
    usd: Above0 | None = None


class AlarmSettings(Struct, forbid_unknown_fields=True, frozen=True):
    """`[alarms]`: bounds that take the place of a rule's own; None leaves them as they are."""

    stalled_factor: Above0 | None = None  # usual gaps of silence
    stalled_min_s: Above0 | None = None
    repeats: Share | None = None  # of the last ten proposals
    plateau: Count | None = None  # trials without a best beyond noise
    zero_keeps: Count | None = None  # trials without a keep
    crash_streak: Count | None = None  # crashes in a row
    budget: BudgetSettings = BudgetSettings()
    off: tuple[str, ...] = ()  # rules that are not asked, which is said wherever they would have answered

    def bounds(self) -> dict[str, float]:
        """The bounds that are not the defaults, by name."""
        own = {k: v for k, v in said(self).items() if k not in ("budget", "off")}
        return own | {f"budget.{k}": v for k, v in said(self.budget).items()}


DEFAULTS = AlarmSettings()


def said(of: Struct) -> dict[str, Any]:
    """The fields of a section that somebody set."""
    return {k: v for k, v in msgspec.structs.asdict(of).items() if v is not None}
