"""Checks: questions asked of a corpus before anything is trained on it, each answered with value, bound, n and reason.

A check fails only on enough data; what has too few rows, or cannot be looked at, is insufficient and never passes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from trajscope.corpus.checks import evidence, keeps, labels, texts
from trajscope.corpus.checks.answer import EXIT, Check, Outcome, Seen, worst
from trajscope.corpus.policy import Policy
from trajscope.corpus.survey import Survey

__all__ = ["CHECKS", "EXIT", "Check", "Outcome", "Seen", "judge", "worst"]
# In the order in which they are read. Each takes the section of the policy that has its name.
CHECKS: dict[str, Callable[[Survey, Any], Check | None]] = {
    "trust": evidence.trust,
    "keep_modes": keeps.keep_modes,
    "keep_share": keeps.keep_share,
    "keep_labels": keeps.keep_labels,
    "keeps": keeps.keeps,
    "confirmed_keeps": keeps.confirmed_keeps,
    "keep_coverage": labels.keep_coverage,
    "keep_rate": keeps.keep_rate,
    "label_duplicates": labels.label_duplicates,
    "label_share": labels.label_share,
    "knob_coverage": labels.knob_coverage,
    "menu": labels.menu,
    "fidelity": texts.fidelity,
    "claims": texts.claims,
    "contradictions": texts.contradictions,
    "leakage": texts.leakage,
    "near_duplicates": texts.near_duplicates,
    "shift": keeps.shift,
    "overlap": labels.overlap,
    "text_duplicates": texts.text_duplicates,
    "rows": labels.rows,
    "labels": labels.labels,
    "power": evidence.power,
    "campaigns": evidence.campaigns,
}


def judge(survey: Survey, policy: Policy) -> list[Check]:
    """Every check's answer."""
    asked = (check(survey, getattr(policy, name)) for name, check in CHECKS.items())
    return [found for found in asked if found is not None]
