"""The perturbation domain: predict what switching on a gene module does to a cell, in a task with a shortcut.

Six loud genes answer every perturbation alike; what tells one perturbation from another is quiet. A model that ignores
its input and predicts the mean shift therefore scores .86 on `pearson_deg`, far above an honest first model (.62).

The sizes were tuned so that the two scores stand there, and the bounds of the gate were set by hand: this shows what
a gate does, it is no evidence about biology. Runs on numpy, in a tenth of a second per seed.

The folder is the domain, as a campaign runs it in children; the functions here do the same in one process.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trajscope import TrajscopeError
from trajscope_loop import declaration
from trajscope_loop.domains.perturbation import judge, train
from trajscope_loop.domains.perturbation.prepare import DATA_SEED, GENES, HOLDOUT, VISIBLE, Split, Task, task
from trajscope_loop.domains.perturbation.train import Model

__all__ = [
    "BASE",
    "DATA_SEED",
    "GATE",
    "GENES",
    "HOLDOUT",
    "VISIBLE",
    "Model",
    "Split",
    "Task",
    "degenerates",
    "fit",
    "run",
    "score",
    "task",
]

BASE: Mapping[str, Any] = train.config()
# What a keep gate is declared with, as `trajscope.keep.declared` reads it.
GATE: Mapping[str, Any] = declaration.gate(declaration.tables(Path(__file__).with_name("domain.toml")))


def fit(config: Mapping[str, Any], seed: int, data: Task) -> Model:
    """Train one configuration with one seed."""
    if unknown := config.keys() - BASE.keys():
        raise TrajscopeError(f"perturbation has no knob {', '.join(sorted(unknown))}; it has {', '.join(BASE)}")
    return train.fit({**BASE, **config}, seed, *data.cells, data.gene_sd)


def score(predicted: NDArray[np.float64], split: Split, mean_shift: NDArray[np.float64]) -> dict[str, float]:
    """The metrics of predictions for one split; a prediction that says nothing scores 0 and is never left out."""
    try:
        return judge.score(predicted, split.change, mean_shift)
    except (ValueError, FloatingPointError) as error:
        raise TrajscopeError(str(error)) from None


def run(config: Mapping[str, Any], seed: int, data: Task | None = None) -> dict[str, float]:
    """Train one configuration with one seed and score it; hidden metrics are named `holdout_...`."""
    data = data or task()
    model = fit(config, seed, data)
    seen, hidden = (model.predict(split.features) for split in (data.visible, data.holdout))
    try:
        found = judge.scores(seen, hidden, data.visible.change, data.holdout.change, data.mean_shift)
    except (ValueError, FloatingPointError) as error:
        raise TrajscopeError(str(error)) from None
    return {**found["metrics"], **found["holdout"], "first_loss": model.first_loss}


def degenerates(data: Task | None = None) -> dict[str, dict[str, float]]:
    """What predictors score that never look at their input. A model must beat the best of them by a margin."""
    data = data or task()
    found = judge.ignorant(data.visible.change, data.holdout.change, data.mean_shift)
    return {name: {**both["metrics"], **both["holdout"]} for name, both in found.items()}
