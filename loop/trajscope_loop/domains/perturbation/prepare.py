"""The data: noisy cells to train on, two splits that are scored without noise. Always the same.

    python prepare.py GIVEN TRUTH

The sizes were tuned so that a predictor of the mean shift scores .86 and an honest first model .62.
"""

from __future__ import annotations

import sys
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

DATA_SEED = 42
GENES, SHARED, MODULES, MODULE_GENES, FEATURES = 200, 6, 12, 14, 16
TRAIN, VISIBLE, HOLDOUT, CELLS = 60, 20, 20, 24
CELL_SD, LOUD_CELL_SD = 0.6, 1.5
BATCH_SD, LOUD_BATCH_SD = 0.65, 3.2  # of a whole perturbation, in what is trained on: the loud genes are the noisy ones


class Split(NamedTuple):
    """Perturbations to predict: what is known of each, and what each truly changes."""

    features: Array
    change: Array


class Task(NamedTuple):
    """The data: noisy cells to train on, two splits that are scored without noise."""

    cells: Split
    visible: Split
    holdout: Split
    gene_sd: Array  # of the batch noise
    mean_shift: Array


@cache
def task(seed: int = DATA_SEED) -> Task:
    """The data of one seed, always the same."""
    draw = np.random.default_rng(seed)
    level = draw.gamma(2.0, 1.0, GENES)
    level[:SHARED] += 8.0
    cell_sd, gene_sd = _by_loudness(CELL_SD, LOUD_CELL_SD), _by_loudness(BATCH_SD, LOUD_BATCH_SD)
    common = np.zeros(GENES)
    common[:SHARED] = 2.0 * np.array([1, -1, 1, 1, -1, -1]) * draw.uniform(0.75, 1.25, SHARED)
    loadings = np.zeros((MODULES, GENES))
    for module in range(MODULES):
        first = SHARED + MODULE_GENES * module
        signs = draw.choice([-1, 1], MODULE_GENES)
        loadings[module, first : first + MODULE_GENES] = signs * draw.uniform(0.7, 1.3, MODULE_GENES)
    embedding = draw.standard_normal((MODULES, FEATURES))
    embedding /= np.linalg.norm(embedding, axis=1, keepdims=True)
    n = TRAIN + VISIBLE + HOLDOUT
    module_of = np.concatenate([draw.permutation(np.arange(size) % MODULES) for size in (TRAIN, VISIBLE, HOLDOUT)])
    sign = draw.choice([-1.0, 1.0], n)
    for module in range(MODULES):  # both signs alike in what is trained on, so that only the shared genes have a mean
        same = np.flatnonzero(module_of[:TRAIN] == module)
        sign[same] = 1.0 - 2.0 * (np.arange(len(same)) % 2)
    strength = sign * draw.uniform(0.7, 1.3, n)
    change = common * draw.uniform(0.85, 1.15, (n, 1)) + 0.72 * strength[:, None] * loadings[module_of]
    features = 2.0 * strength[:, None] * embedding[module_of] + 0.42 * draw.standard_normal((n, FEATURES))
    control = level + cell_sd * draw.standard_normal((n, CELLS, GENES))
    treated = level + cell_sd * draw.standard_normal((n, CELLS, GENES))
    treated += change[:, None, :] * (1 + 0.15 * draw.standard_normal((n, CELLS, 1)))
    treated += (gene_sd * draw.standard_normal((n, GENES)))[:, None, :]
    measured = (treated[:TRAIN] - control[:TRAIN].mean((0, 1))).reshape(TRAIN * CELLS, GENES)
    seen, held = slice(TRAIN, TRAIN + VISIBLE), slice(TRAIN + VISIBLE, n)
    return Task(
        cells=Split(np.repeat(features[:TRAIN], CELLS, axis=0), measured),
        visible=Split(features[seen], change[seen]),
        holdout=Split(features[held], change[held]),
        gene_sd=gene_sd,
        mean_shift=measured.mean(0),
    )


def _by_loudness(quiet: float, loud: float) -> Array:
    return np.where(np.arange(GENES) < SHARED, loud, quiet)


def main() -> None:
    """Write what training may read, and what only the judge may."""
    given, truth = map(Path, sys.argv[1:3])
    data = task()
    seen = {"features": data.cells.features, "change": data.cells.change, "gene_sd": data.gene_sd}
    asked = {"visible": data.visible.features, "holdout": data.holdout.features}
    for name, array in {**seen, **asked}.items():
        np.save(given / f"{name}.npy", array)
    hidden = {"visible": data.visible.change, "holdout": data.holdout.change, "mean_shift": data.mean_shift}
    for name, array in hidden.items():
        np.save(truth / f"{name}.npy", array)


if __name__ == "__main__":
    main()
