"""The watchman of a campaign: prints every trial at propose, run and score, and remembers since when something drifted.

Once a trial was not what was proposed, every later one is marked too, until a person acknowledges it: it is compared
with trials (the incumbent, the noise) that were something else. That the file is back lifts nothing.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from trajscope.errors import IntegrityError
from trajscope.integrity.compare import said
from trajscope.integrity.snapshots import Snapshot, snapshot
from trajscope.integrity.watch import Watch
from trajscope.menu import Menu
from trajscope.trial import Drift
from trajscope.verdict import Level


class Tampering(NamedTuple):
    """What is known of a drift that nobody has acknowledged: since which trial, what, and what it cost since."""

    since: int
    drift: Drift
    trials: int
    wall_s: float

    @property
    def sentence(self) -> str:
        """The drift, since when, and its price, for a person woken by it."""
        what = said(self.drift, "proposed", "ran")
        path = f" ({self.drift.path})" if self.drift.knob and self.drift.path else ""
        n = f"{self.trials} trial{'' if self.trials == 1 else 's'}"
        return f"{what}{path}, since trial {self.since}: {n} and {_duration(self.wall_s)} were not what was proposed"


class Watchman:
    """Watches the trials of one campaign over declared files.

    `config` is what trials start from (left out: the constants of the editable Python files); `event` is called with
    what goes into the log (`run.event` fits); `clock` counts seconds.
    """

    def __init__(
        self,
        root: str | os.PathLike[str] | Snapshot = ".",
        *,
        editable: Sequence[str] | str = (),
        frozen: Sequence[str] | str = (),
        config: Mapping[str, object] | None = None,
        menu: Menu | None = None,
        event: Callable[..., object] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        start = root if isinstance(root, Snapshot) else snapshot(root, editable=editable, frozen=frozen, config=config)
        self.snapshot = start
        self.config = dict(start.config or {})
        self.menu = menu
        self.tampering: Tampering | None = None
        self.trials = 0
        self._event = event
        self._clock = clock

    def trial(
        self,
        changes: Mapping[str, object] | None = None,
        *,
        files: Mapping[str, bytes] | None = None,
        number: int | None = None,
    ) -> Watch:
        """Begin a trial: print and copy the files now. `files` are the bytes that the proposer saved, where it tells.

        Without `changes` the proposal is the code itself, and its constants are what it proposes.
        """
        self.trials = self.trials + 1 if number is None else number
        return Watch(self.snapshot, self.config, self.menu, changes, files or {}, self._clock, self._note, self.trials)

    def keep(self, watch: Watch) -> None:
        """The trial was kept: the next ones start from its configuration. One that drifted cannot be kept."""
        if watch.level is not Level.PASS:
            raise IntegrityError(f"trial {watch.number} cannot be kept: {watch.worst.reason}")
        self.config = dict(watch.wanted)

    def acknowledge(self, by: str, why: str, config: Mapping[str, object] | None = None) -> None:
        """A person has seen the drift: later trials are no longer marked. `config` is what they start from now."""
        if not by.strip() or not why.strip():
            raise IntegrityError("an acknowledgement names who gave it and why; pass by= and why=")
        if self.tampering is None:
            raise IntegrityError("nothing has drifted, so there is nothing to acknowledge")
        self._log("ack", by=by, why=why, what=self.tampering.sentence)
        self.tampering = None
        self.config |= dict(config or {})

    def _note(self, number: int, drifted: Sequence[Drift], wall_s: float) -> str | None:
        """Take in what a finished trial showed; the answer is what marks it, where an earlier one does."""
        known = self.tampering
        if known is not None:
            self.tampering = known._replace(trials=known.trials + 1, wall_s=known.wall_s + wall_s)
            return self.tampering.sentence
        if drifted:
            d = drifted[0]
            self.tampering = Tampering(number, d, 1, wall_s)
            about = {"path": d.path, "knob": d.knob, "proposed": d.proposed, "ran": d.ran}
            self._log("integrity", **about, since=number, wall_s=wall_s, what=self.tampering.sentence)
        return None

    def _log(self, kind: str, **data: object) -> None:
        if self._event:
            self._event(kind, **data)


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.3g} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
