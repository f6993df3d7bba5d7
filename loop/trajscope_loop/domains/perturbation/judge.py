"""The judge: scores predictions against truths that training never saw.

A prediction that says nothing scores 0 and is never left out; one that is no number is refused.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

SHARED = 6  # the loud genes, which come first
TOP = 20  # genes a perturbation is scored on: those that it truly changes most
QUIET = 1e-6  # a prediction that varies less than this over the scored genes says nothing, and scores 0
SPLITS = ("visible", "holdout")


def judge(out: Path, truth: Path) -> dict[str, dict[str, float]]:
    """The metrics of both splits; those of the second are for the holdout alone."""
    seen, hidden = (_predicted(out / f"{split}.npy") for split in SPLITS)
    return scores(seen, hidden, *known(truth))


def degenerates(given: Path, truth: Path) -> dict[str, dict[str, dict[str, float]]]:
    """What predictors score that never look at their input. A model must beat the best of them by a margin."""
    return ignorant(*known(truth))


def ignorant(visible: Array, holdout: Array, mean_shift: Array) -> dict[str, dict[str, dict[str, float]]]:
    """The scores of the two answers that are the same for every perturbation."""
    return {
        name: scores(
            np.tile(answer, (len(visible), 1)), np.tile(answer, (len(holdout), 1)), visible, holdout, mean_shift
        )
        for name, answer in {"zero_effect": np.zeros_like(mean_shift), "mean_shift": mean_shift}.items()
    }


def known(truth: Path) -> tuple[Array, Array, Array]:
    """What is true: the changes of both splits, and the mean shift of what was trained on."""
    visible, holdout, mean_shift = (np.load(truth / f"{name}.npy") for name in (*SPLITS, "mean_shift"))
    return visible, holdout, mean_shift


def scores(
    seen: Array, hidden: Array, visible: Array, holdout: Array, mean_shift: Array
) -> dict[str, dict[str, float]]:
    """The scores of predictions for both splits; hidden metrics are named `holdout_...`."""
    with np.errstate(over="ignore", invalid="ignore"):
        found = score(hidden, holdout, mean_shift)
        return {
            "metrics": score(seen, visible, mean_shift),
            "holdout": {f"holdout_{name}": value for name, value in found.items()},
        }


def _predicted(path: Path) -> Array:
    """The predictions in a file, which may hold numbers and nothing that would be executed."""
    if not path.is_file():
        raise ValueError(f"{path.name} was not predicted; every perturbation needs a row")
    found: Any = np.load(path, allow_pickle=False)
    if not isinstance(found, np.ndarray) or found.dtype.kind not in "fiu":
        raise ValueError(f"{path.name} holds no plain array of numbers")
    return found.astype(np.float64)


def score(predicted: Array, truth: Array, mean_shift: Array) -> dict[str, float]:
    """The metrics of predictions for one split; a prediction that says nothing scores 0 and is never left out."""
    if predicted.shape != truth.shape:
        raise ValueError(f"predictions are {predicted.shape}, the split is {truth.shape}: one row per perturbation")
    if not np.isfinite(predicted).all():
        bad = int((~np.isfinite(predicted).all(axis=1)).sum())
        raise FloatingPointError(f"{bad} of {len(truth)} predictions are NaN or infinite; nothing was scored")
    row = np.arange(len(truth))[:, None]
    top = np.argsort(-np.abs(truth), axis=1)[:, :TOP]
    said, true, mean = predicted[row, top], truth[row, top], mean_shift[top]
    away = np.abs(predicted[:, None, :] - truth[None, :, :]).sum(axis=2)
    own = np.diagonal(away)[:, None]
    tied = np.abs(away - own) <= 1e-12 * (1 + own)
    nearer = ((away < own) & ~tied).sum(axis=1) + (tied.sum(axis=1) - 1) / 2
    quiet = slice(SHARED, None)
    scores = {
        "pearson_deg": _pearson(said, true),
        "direction_acc": float((np.sign(said) == np.sign(true)).mean()),
        "mse_top20_deg": float(((said - true) ** 2).mean()),
        "pearson_specific": _pearson(said - mean, true - mean),
        "pds": float(1 - nearer.mean() / (len(truth) - 1)),
        "response_ratio": _spread(predicted[:, quiet]) / _spread(truth[:, quiet]),
    }
    if wild := [name for name, value in scores.items() if not math.isfinite(value)]:
        raise FloatingPointError(f"{', '.join(wild)}: not a finite number, the predictions are too large to score")
    return scores


def _pearson(a: Array, b: Array) -> float:
    """The mean correlation over rows; a row of `a` that hardly varies counts as 0."""
    a, b = a - a.mean(axis=1, keepdims=True), b - b.mean(axis=1, keepdims=True)
    speaks = np.sqrt((a**2).mean(axis=1)) > QUIET
    size = np.sqrt((a**2).sum(axis=1) * (b**2).sum(axis=1))
    return float(np.divide((a * b).sum(axis=1), size, out=np.zeros(len(a)), where=speaks).mean())


def _spread(changes: Array) -> float:
    """How far apart the perturbations of a split stand."""
    return float(np.sqrt(((changes - changes.mean(axis=0)) ** 2).sum(axis=1).mean()))
