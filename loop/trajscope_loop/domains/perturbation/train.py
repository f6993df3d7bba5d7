"""The model that is to be improved: one hidden layer from features to changes, on top of a mean shift.

Reads `$GIVEN`, writes what it predicts into `$OUT`; the upper-case constants are the knobs. It never sees a truth.
"""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

HIDDEN = 32  # width of the one layer
LR = 0.02  # at the start; it falls to nothing over the steps
STEPS = 200
WD = 0.0  # weight decay of the output layer; 160 leaves nothing of it
GENE_WD = 0.0  # the same, stronger for noisier genes
NOISE_WEIGHT = False  # trust noisy genes less
BLEND = 0.0  # how far the answer is pulled to the mean shift: 0 is the model, 1 ignores the input
BATCH = 128  # cells of one training step


def config() -> dict[str, Any]:
    """The knobs and their values."""
    names = ("hidden", "lr", "steps", "wd", "gene_wd", "noise_weight", "blend")
    return {name: globals()[name.upper()] for name in names}


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


def fit(c: Mapping[str, Any], seed: int, features: Array, change: Array, gene_sd: Array) -> Model:
    """Train on nine tenths of the cells; the seed draws which, the first weights and the order."""
    draw = np.random.default_rng(1000 + seed)
    n, hidden, steps = len(features), c["hidden"], c["steps"]
    drawn = draw.choice(n, int(0.9 * n), replace=False)
    x, y = features[drawn], change[drawn]
    trust = 1 / gene_sd**2 if c["noise_weight"] else np.ones(len(gene_sd))
    trust = trust / trust.mean()
    decay = c["wd"] + c["gene_wd"] * gene_sd / gene_sd.max()
    into = draw.standard_normal((x.shape[1], hidden)) / math.sqrt(x.shape[1])
    out = 0.1 * draw.standard_normal((hidden, y.shape[1])) / math.sqrt(hidden)
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


def main() -> None:
    """Train with the seed that was asked for, and leave what it predicts."""
    given, out = Path(os.environ["GIVEN"]), Path(os.environ["OUT"])
    model = fit(
        config(),
        int(os.environ["SEED"]),
        np.load(given / "features.npy"),
        np.load(given / "change.npy"),
        np.load(given / "gene_sd.npy"),
    )
    for split in ("visible", "holdout"):
        np.save(out / f"{split}.npy", model.predict(np.load(given / f"{split}.npy")))
    (out / "first_step").write_text(repr(model.first_loss))


if __name__ == "__main__":
    main()
