"""Corpus: what may be learnt from runs. Examples, splits, policies, the gate that asks first, and what is then written.

Knows nothing of training. A corpus that cannot be judged does not pass.
"""

from __future__ import annotations

from trajscope.corpus.build import Built, build
from trajscope.corpus.diversity import Kernel
from trajscope.corpus.examples import DROPS, Example, Examples
from trajscope.corpus.gating import Gate, asked, gate
from trajscope.corpus.manifest import verify
from trajscope.corpus.policy import Policy
from trajscope.corpus.split import Split, plan

__all__ = [
    "DROPS",
    "Built",
    "Example",
    "Examples",
    "Gate",
    "Kernel",
    "Policy",
    "Split",
    "asked",
    "build",
    "gate",
    "plan",
    "verify",
]
