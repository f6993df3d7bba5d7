"""The keep gate: KEEP, REVERT or ABORT after an evaluation, and every number behind it.

    gate = keep.Gate(settings)
    gate.start(baseline=seeds, degenerates={"mean shift": values}, ...)
    decision = gate.decide(seeds, ran, measure=measure)

Whatever is missing, not finite or not comparable is an ABORT. Nothing here runs or writes anything.
"""

from __future__ import annotations

from trajscope.errors import GateError, GuardVacuousError
from trajscope.keep.decision import Decision, Need, Pause
from trajscope.keep.gate import Gate
from trajscope.keep.published import published
from trajscope.keep.ran import Ran
from trajscope.keep.settings import GateSettings, Guard, Holdout, Margin, Metric, Speed, declared
from trajscope.keep.speed import rate

__all__ = [
    "Decision",
    "Gate",
    "GateError",
    "GateSettings",
    "Guard",
    "GuardVacuousError",
    "Holdout",
    "Margin",
    "Metric",
    "Need",
    "Pause",
    "Ran",
    "Speed",
    "declared",
    "published",
    "rate",
]
