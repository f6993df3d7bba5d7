"""Whether what ran is what was proposed: fingerprints, effective configuration, compare-and-swap, guarded passages.

For anybody's loop, in three lines:

    watchman = integrity.Watchman(".", editable=["train.py"], frozen=["prepare.py"])
    with watchman.trial({"lr": 1e-3}) as trial:
        trial.run("train.py")

then `run.trial({"lr": 1e-3}, value=..., kept=..., **trial.fields())`. docs/integrity.md tells the rest.
"""

from __future__ import annotations

from trajscope.integrity.checks import check
from trajscope.integrity.effective import report
from trajscope.integrity.replace import swap
from trajscope.integrity.sentences import Passage, passages, removed_passages
from trajscope.integrity.snapshots import Snapshot, load, snapshot
from trajscope.integrity.watcher import Watcher
from trajscope.integrity.watchman import Watchman
from trajscope.literals import constants

__all__ = [
    "Passage",
    "Snapshot",
    "Watcher",
    "Watchman",
    "check",
    "constants",
    "load",
    "passages",
    "removed_passages",
    "report",
    "snapshot",
    "swap",
]
