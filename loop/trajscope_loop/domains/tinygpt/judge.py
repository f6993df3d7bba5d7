"""The judge: bits that a prediction needs for bytes which training never saw.

Scores are made probabilities here, so no number that training says of itself counts, and no scale gains anything. Who
says nothing needs 8 bits a byte; what is missing, no number or of another shape is refused.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Ints = NDArray[np.int64]

BYTES = 256
SMOOTH = 0.1  # counts that a table starts with


class Truth(NamedTuple):
    """What follows: the visible questions, where each and its twin was asked, and those of the holdout."""

    visible: Ints
    rows: Ints
    twins: Ints
    holdout: Ints


def judge(out: Path, truth: Path) -> dict[str, dict[str, float]]:
    """The metrics of both splits; that of the second is for the holdout alone."""
    true = known(truth)
    seen = _predicted(out / "visible.npy", len(true.rows) + len(true.twins))
    return scored(seen, _predicted(out / "holdout.npy", len(true.holdout)), true)


def degenerates(given: Path, truth: Path) -> dict[str, dict[str, dict[str, float]]]:
    """What tables of counts score: of nothing, of bytes, of pairs. They never look further back than one byte."""
    train, visible, holdout = (np.load(given / f"{n}.npy").astype(np.int64) for n in ("train", "visible", "holdout"))
    seen, hidden = visible[:, -1], holdout[:, -1]
    once = np.bincount(train, minlength=BYTES) + SMOOTH
    pairs = np.bincount(train[:-1] * BYTES + train[1:], minlength=BYTES**2).reshape(BYTES, BYTES)
    tables = {
        "uniform": np.ones((BYTES, BYTES)),
        "unigram": np.tile(once, (BYTES, 1)),
        "bigram": pairs + once / once.sum(),  # one more pair, which is drawn as bytes are
    }
    true = known(truth)
    return {name: scored(np.log(t)[seen], np.log(t)[hidden], true) for name, t in tables.items()}


def known(truth: Path) -> Truth:
    """What is true."""
    return Truth(*(np.load(truth / f"{name}.npy").astype(np.int64) for name in Truth._fields))


def _predicted(path: Path, n: int) -> Array:
    """The predictions in a file, which may hold numbers and nothing that would be executed."""
    if not path.is_file():
        raise ValueError(f"{path.name} was not predicted; every context needs a row of {BYTES} scores")
    found: Any = np.load(path, allow_pickle=False)
    if not isinstance(found, np.ndarray) or found.dtype.kind not in "fiu":
        raise ValueError(f"{path.name} holds no plain array of numbers")
    if found.shape != (n, BYTES):
        raise ValueError(
            f"{path.name} is {found.shape}; {(n, BYTES)} is asked for, a score for each byte of each context"
        )
    return found.astype(np.float64)


def bits(scores: Array) -> Array:
    """Bits that every byte would need: scores made probabilities that sum to 1, whatever they were."""
    if not np.isfinite(scores).all():
        bad = int((~np.isfinite(scores).all(axis=1)).sum())
        raise FloatingPointError(f"{bad} of {len(scores)} predictions are NaN or infinite; nothing was scored")
    high = scores.max(axis=1, keepdims=True)
    with np.errstate(over="ignore"):  # two scores further apart than a float reaches: the lower one is impossible
        down = np.maximum(scores - high, -1e300)
    need: Array = (np.log(np.exp(down).sum(axis=1, keepdims=True)) - down) / math.log(2)
    return need


def scored(seen: Array, hidden: Array, true: Truth) -> dict[str, dict[str, float]]:
    """The metrics of scores for every context that was asked about."""
    need, real = bits(seen), seen[true.rows]
    told = need[true.rows, true.visible]
    misled = need[true.twins, true.visible[: len(true.twins)]]
    sure = need[true.rows]
    return {
        "metrics": {
            "val_bpb": float(told.mean()),
            "context_use": float((misled - told[: len(true.twins)]).mean()),
            "overconfidence": float(told.mean() - (np.exp2(-sure) * sure).sum(axis=1).mean()),
            "val_top1": top1(real, true.visible),
        },
        "holdout": {"holdout_top1": top1(hidden, true.holdout)},
    }


def top1(scores: Array, following: Ints) -> float:
    """How often the byte that follows has the highest score; among k that share it, it is right one time in k."""
    bits(scores)
    best = scores == scores.max(axis=1, keepdims=True)
    return float((best[np.arange(len(following)), following] / best.sum(axis=1)).mean())
