"""Corpus: what may be learnt from runs. Labelled examples, splits, policies, and the gate that asks before training.

Knows nothing of training. A corpus that cannot be judged does not pass.
"""

from __future__ import annotations

from trajscope.corpus.examples import DROPS, Example, Examples
from trajscope.corpus.gating import Gate, asked, gate
from trajscope.corpus.policy import Policy
from trajscope.corpus.split import Split, plan

__all__ = ["DROPS", "Example", "Examples", "Gate", "Policy", "Split", "asked", "gate", "plan"]
