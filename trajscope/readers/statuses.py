"""What became of a trial, in the words of whoever wrote the file. A word that nobody knows is `other`, never kept.

A word is known by how it begins, whatever its case; the longest beginning that fits wins.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

MOST = 4096  # spellings that are remembered: a column that is no status may hold prose
_SHORT = 3  # letters
RAN = "ran"  # it was evaluated, and the file gives no verdict
BASELINE = "baseline"

KNOWN: Mapping[str, tuple[str, ...]] = {
    "kept": ("keep", "kept", "accept", "promot", "champion", "new champion", "new best", "adopt", "support"),
    "reverted": (
        "discard",
        "revert",
        "reject",
        "archive",
        "incubat",
        "drop",
        "not kept",
        "no improvement",
        "no_improvement",
        "worse",
        "audit_fail",
        "refuted",
    ),
    "ineligible": (
        "disqualif",
        "size_block",
        "oversize",
        "over_budget",
        "eval_budget",
        "train_budget",
        "budget_overrun",
        "constraint",
        "checks_failed",
        "check_failed",
        "guard_failed",
        "ineligible",
        "invalid",
        "pruned",
        "inflated",
        "lookahead",
        "synthetic",
    ),
    "blocked": ("policy_reject", "blocked", "block", "duplicate", "refused", "skip_dup"),
    "aborted": ("harness_abort", "abort", "cancel", "interrupt", "stopped"),
    "proposer_error": ("llm_error", "api_error", "proposer_error", "parse_error", "no_proposal"),
    "crashed": (
        "crash",
        "fail",
        "error",
        "oom",
        "timeout",
        "timed out",
        "nan",
        "preflight_crash",
        "server_failed",
        "benchmark_failed",
        "diverged",
        "killed",
        "broken",
    ),
    RAN: ("ok", "success", "complete", "done", "finished", "evaluated", "pass", "ran", "run", "correct"),
    # Rows that are no decision on an experiment.
    "other": (
        "pending",
        "planned",
        "started",
        "active",
        "wip",
        "running",
        "queued",
        "deferred",
        "info",
        "stale",
        "transfer",
        "tournament",
        "final",
        "note",
        "anchor",
        "refine",
        "pivot",
        "no-op",
        "noop",
        "no op",
        "partial",
        "unclear",
    ),
    BASELINE: ("baseline",),
}
_LEADING = re.compile(r"^[\s\W_]+")
_BETWEEN = re.compile(r"[\s-]+")


class Said(NamedTuple):
    """A word of the file, and what it means."""

    status: str  # one of `trial.STATUSES`, or RAN or BASELINE
    known: bool


class Statuses:
    """The words of one file, as beginnings of words: what somebody declared goes first, then those of its format."""

    def __init__(
        self, said: Mapping[str, tuple[str, ...]] | None = None, own: Mapping[str, tuple[str, ...]] | None = None
    ) -> None:
        """`own`: beginnings that mean something of their own in this format; they go before what is known."""
        self._lists = [_ordered(words) for words in (said, own, KNOWN) if words]
        self._found: dict[str, Said] = {}

    def of(self, raw: str) -> Said:
        """What a word means."""
        found = self._found.get(raw)
        if found is None:
            found = self._meaning(raw)
            if len(self._found) < MOST:
                self._found[raw] = found
        return found

    def _meaning(self, raw: str) -> Said:
        word = _plain(raw)
        for exact, starts in self._lists if word else ():
            if word in exact:
                return Said(exact[word], known=True)
            for start, status in starts:
                if word.startswith(start) and not _inside(word, start):
                    return Said(status, known=True)
        return Said("other", known=False)


def _inside(word: str, start: str) -> bool:
    """Whether a short beginning is only how a longer word begins: `ran` is no beginning of `random`."""
    return len(start) <= _SHORT and word[len(start) : len(start) + 1].isalpha()


def _ordered(words: Mapping[str, tuple[str, ...]]) -> tuple[dict[str, str], list[tuple[str, str]]]:
    """Whole words with what they mean, and the same as beginnings, the longest first."""
    exact = {_plain(w): status for status, said in words.items() for w in said}
    return exact, sorted(exact.items(), key=lambda x: -len(x[0]))


def _plain(raw: str) -> str:
    """A word as words are compared: `size-blocked`, `size blocked` and `SIZE_BLOCKED` are one."""
    return _BETWEEN.sub("_", _LEADING.sub("", raw.casefold()).strip())
