"""The perturbation domain: predict what switching on a gene module does to a cell, in a task with a shortcut.

Six loud genes answer every perturbation alike; what tells one perturbation from another is quiet. A model that ignores
its input and predicts the mean shift therefore scores .86 on `pearson_deg`, far above an honest first model (.62).

The sizes were tuned so that the two scores stand there, and the bounds in GATE were set by hand: this shows what
a gate does, it is no evidence about biology. Runs on numpy, in a tenth of a second per seed.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from trajscope import TrajscopeError

Array = NDArray[np.float64]

DATA_SEED = 42
GENES, SHARED, MODULES, MODULE_GENES, FEATURES = 200, 6, 12, 14, 16
TRAIN, VISIBLE, HOLDOUT, CELLS = 60, 20, 20, 24
TOP = 20  # genes a perturbation is scored on: those that it truly changes most
CELL_SD, LOUD_CELL_SD = 0.6, 1.5
BATCH_SD, LOUD_BATCH_SD = 0.65, 3.2  # of a whole perturbation, in what is trained on: the loud genes are the noisy ones
QUIET = 1e-6  # a prediction that varies less than this over the scored genes says nothing, and scores 0
BATCH = 128  # cells of one training step

BASE: Mapping[str, Any] = {
    "hidden": 32,  # width of the one layer
    "lr": 0.02,  # at the start; it falls to nothing over the steps
    "steps": 200,
    "wd": 0.0,  # weight decay of the output layer; 160 leaves nothing of it
    "gene_wd": 0.0,  # the same, stronger for noisier genes
    "noise_weight": False,  # trust noisy genes less
    "blend": 0.0,  # how far the answer is pulled to the mean shift: 0 is the model, 1 ignores the input
}
# What a keep gate is declared with, as `trajscope.keep.declared` reads it.
GATE: Mapping[str, Any] = {
    "primary": {"name": "pearson_deg", "goal": "maximize", "within": [-1.0, 1.0], "kind": "correlation"},
    "guards": [
        # Scale-free: at a tenth of the response it still passes, so the response has a guard of its own.
        {"metric": "direction_acc", "within": [0.0, 1.0], "floor": 0.70},
        {"metric": "response_ratio", "within": [0.0, 100.0], "floor": 0.50, "kind": "diversity"},
    ],
    # Whatever ignores its input stands at .5 here; on the primary it stands above an honest first model.
    "margins": [{"metric": "pds", "least": 0.10, "within": [0.0, 1.0]}],
    # Another kind than the primary: a correlation on hidden perturbations rises with the shortcut too.
    "holdout": {"metric": "holdout_pds", "goal": "maximize", "within": [0.0, 1.0], "kind": "rank"},
}


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


class Model(NamedTuple):
    """One hidden layer between features and changes, on top of a mean shift that is not trained."""

    into: Array
    into_bias: Array
    out: Array
    shift: Array
    blend: float
    first_loss: float  # before the first step: the mark that a seed leaves

    def predict(self, features: Array) -> Array:
        """The change of every gene, one row per perturbation."""
        answer: Array = (1 - self.blend) * (np.tanh(features @ self.into + self.into_bias) @ self.out) + self.shift
        return answer


def fit(config: Mapping[str, Any], seed: int, data: Task) -> Model:
    """Train on nine tenths of the cells; the seed draws which, the first weights and the order."""
    c = {**BASE, **config}
    if unknown := c.keys() - BASE.keys():
        raise TrajscopeError(f"perturbation has no knob {', '.join(sorted(unknown))}; it has {', '.join(BASE)}")
    draw = np.random.default_rng(1000 + seed)
    n, hidden, steps = len(data.cells.features), c["hidden"], c["steps"]
    drawn = draw.choice(n, int(0.9 * n), replace=False)
    x, y = data.cells.features[drawn], data.cells.change[drawn]
    trust = 1 / data.gene_sd**2 if c["noise_weight"] else np.ones(GENES)
    trust = trust / trust.mean()
    decay = c["wd"] + c["gene_wd"] * data.gene_sd / data.gene_sd.max()
    into = draw.standard_normal((FEATURES, hidden)) / math.sqrt(FEATURES)
    out = 0.1 * draw.standard_normal((hidden, GENES)) / math.sqrt(hidden)
    weights, shift = [into, np.zeros(hidden), out], y.mean(0)
    first_loss = float((trust * (np.tanh(x @ into) @ out + shift - y) ** 2).mean())
    means, squares = ([np.zeros_like(w) for w in weights] for _ in range(2))
    with np.errstate(over="ignore", invalid="ignore"):  # a training that diverges is refused when it is scored
        for step in range(1, steps + 1):
            rate = c["lr"] * (1 - step / (steps + 1))
            batch = draw.integers(0, len(x), BATCH)
            slopes = _slopes(weights, shift, trust, x[batch], y[batch])
            for i, slope in enumerate(slopes):
                _adam(weights[i], slope, means[i], squares[i], rate, step)
            out *= 1 - rate * decay
    return Model(into, weights[1], out, shift, c["blend"], first_loss)


def _slopes(weights: list[Array], shift: Array, trust: Array, x: Array, y: Array) -> tuple[Array, Array, Array]:
    """How the loss of a batch changes with each weight."""
    into, bias, out = weights
    hidden = np.tanh(x @ into + bias)
    off = 2 * (hidden @ out + shift - y) * trust / len(x)
    back = (off @ out.T) * (1 - hidden**2)
    return x.T @ back, back.sum(0), hidden.T @ off


def _adam(weight: Array, slope: Array, mean: Array, square: Array, rate: float, step: int) -> None:
    """One step of Adam, in place."""
    mean += 0.1 * (slope - mean)
    square += 0.01 * (slope**2 - square)
    weight -= rate * mean / (1 - 0.9**step) / (np.sqrt(square / (1 - 0.99**step)) + 1e-8)


def score(predicted: Array, split: Split, mean_shift: Array) -> dict[str, float]:
    """The metrics of predictions for one split; a prediction that says nothing scores 0 and is never left out."""
    truth = split.change
    if predicted.shape != truth.shape:
        raise TrajscopeError(f"predictions are {predicted.shape}, the split is {truth.shape}: one row per perturbation")
    if not np.isfinite(predicted).all():
        bad = int((~np.isfinite(predicted).all(axis=1)).sum())
        raise TrajscopeError(f"{bad} of {len(truth)} predictions are NaN or infinite; nothing was scored")
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
        raise TrajscopeError(f"{', '.join(wild)}: not a finite number, the predictions are too large to score")
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


def run(config: Mapping[str, Any], seed: int, data: Task | None = None) -> dict[str, float]:
    """Train one configuration with one seed and score it; hidden metrics are named `holdout_...`."""
    data = data or task()
    model = fit(config, seed, data)
    scores = _both(data, model.predict(data.visible.features), model.predict(data.holdout.features))
    return {**scores, "first_loss": model.first_loss}


def degenerates(data: Task | None = None) -> dict[str, dict[str, float]]:
    """What predictors score that never look at their input. A model must beat the best of them by a margin."""
    data = data or task()
    answers = {"zero_effect": np.zeros(GENES), "mean_shift": data.mean_shift}
    return {
        name: _both(data, np.tile(answer, (VISIBLE, 1)), np.tile(answer, (HOLDOUT, 1)))
        for name, answer in answers.items()
    }


def _both(data: Task, visible: Array, holdout: Array) -> dict[str, float]:
    with np.errstate(over="ignore", invalid="ignore"):
        seen, hidden = score(visible, data.visible, data.mean_shift), score(holdout, data.holdout, data.mean_shift)
    return {**seen, **{f"holdout_{name}": value for name, value in hidden.items()}}
