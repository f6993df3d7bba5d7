"""Arrays: a batch as numpy sees it, and the three ways in which its columns look back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from trajscope.batch import Batch
from trajscope.run import CRASHED, EVALUATED
from trajscope.trial import CODE, STATUSES

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Flags = npt.NDArray[np.bool_]
    Whole = npt.NDArray[np.int64]
    Floats = npt.NDArray[np.float64]

KEPT, REVERTED = CODE["kept"], CODE["reverted"]
_ABORTED, _INELIGIBLE = CODE["aborted"], CODE["ineligible"]


class Arrays:
    """The columns of a batch that others are derived from."""

    def __init__(self, b: Batch, sign: float) -> None:
        import numpy as np

        self.seq: Whole = np.array(b.seq, np.int64)
        self.what: Whole = np.array(b.what, np.int64)
        self.code = np.array(b.status, np.int8)
        self.value: Floats = np.array(b.value, np.float64)
        known = ~np.isnan(self.value)
        scored = np.array([i in EVALUATED for i in range(len(STATUSES))])[self.code]
        self.evaluated: Flags = scored | ((self.code == _ABORTED) & known)
        self.crashed: Flags = np.array([i in CRASHED for i in range(len(STATUSES))])[self.code] & ~self.evaluated
        self.eligible: Flags = self.evaluated & (self.code != _INELIGIBLE) & known & (sign != 0.0)
        self.kept: Flags = self.code == KEPT
        self.noop: Flags = np.array(b.noop, np.bool_) & self.evaluated


def nth(groups: npt.NDArray[Any]) -> tuple[Whole, Whole]:
    """For each element how many of its group came before, and where the one just before it stands; -1 without one."""
    import numpy as np

    n = len(groups)
    count, previous = np.zeros(n, np.int64), np.full(n, -1, np.int64)
    if n:
        # A stable sort of short whole numbers takes a tenth of the time.
        order = np.argsort(groups.astype(np.int16) if groups.max() < 1 << 15 else groups, kind="stable")
        in_order = groups[order]
        starts = np.flatnonzero(np.concatenate(([True], in_order[1:] != in_order[:-1])))
        count[order] = np.arange(n) - np.repeat(starts, np.diff(np.append(starts, n)))
        previous[order[1:]] = order[:-1]
        previous[order[starts]] = -1
    return count, previous


def records(score: Floats, where: Flags, before: float | None) -> tuple[Flags, Floats, int]:
    """Which scores are better than all before, the best up to each trial, and where the last record is; -1 without."""
    import numpy as np

    low = -np.inf if before is None else before
    high = np.maximum.accumulate(np.concatenate(([low], np.where(where, score, -np.inf))))
    record = where & (score > high[:-1])
    # By place and not by value: 0.0 and -0.0 are equally good, and the first of them stands.
    latest = np.maximum.accumulate(np.where(record, np.arange(len(score)), -1))
    return record, np.where(latest >= 0, score[latest], np.nan if before is None else before), int(latest[-1])


def since(e: Whole, where: Flags, before: int) -> Whole:
    """How many trials were evaluated since the last of these; `before` at the beginning."""
    import numpy as np

    found: Whole = e - np.maximum.accumulate(np.where(where, e, -before))
    return found
