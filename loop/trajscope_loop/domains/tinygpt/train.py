"""The model that is to be improved: a small transformer that reads bytes and says which one follows.

Reads `$GIVEN`, writes a score for every byte that may follow a context into `$OUT`; the upper-case constants are the
knobs. It never sees a truth. Every configuration is given the same work: what a step costs decides how many there are.
"""

from __future__ import annotations

import math
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

N_LAYER = 2
N_HEAD = 2
D_MODEL = 32
D_FF = 128
LR = 0.003  # after the warmup; it falls to a tenth along a cosine
LR_WARMUP = 20  # steps
GRAD_CLIP = 1.0
WEIGHT_DECAY = 0.0  # of matrices
BETA1 = 0.9
BETA2 = 0.999
BATCH_SIZE = 8
SEQ_LEN = 32  # bytes that it looks back, in training and in what it predicts
PRECISION = "fp32"  # of what is multiplied; weights are kept in fp32

# The work that a training may take, in units of a million floating-point operations. A step has a toll besides, and so
# has each of its layers: what it takes to begin, however little is multiplied. Set on one core of a server of 2023,
# where a training takes some two seconds whatever its shape. menu.json states the same in a constraint.
WORK = 40_000
TOLL, LAYER_TOLL = 10, 20
BYTES = 256
SPREAD, LOUD = 0.05, 4.0  # of the first names of bytes; of scores, so that a few hundred steps are enough to be sure
ASKED_AT_ONCE = 256  # contexts


def config() -> dict[str, Any]:
    """The knobs and their values."""
    names = (
        *("n_layer", "n_head", "d_model", "d_ff", "lr", "lr_warmup", "grad_clip", "weight_decay"),
        *("beta1", "beta2", "batch_size", "seq_len", "precision"),
    )
    return {name: globals()[name.upper()] for name in names}


def steps_of(c: Mapping[str, Any]) -> int:
    """How many steps its work allows: six operations for each weight and byte, and those of attention."""
    d = c["d_model"]
    layer = 4 * d * d + 2 * d * c["d_ff"] + d * c["seq_len"]
    step = 6 * c["batch_size"] * c["seq_len"] * (c["n_layer"] * layer + BYTES * d) / 1_000_000
    return int(WORK / (step + TOLL + LAYER_TOLL * c["n_layer"]))


def shapes(c: Mapping[str, Any]) -> list[tuple[int, int]]:
    """The matrices: bytes, places, and four for each layer. There is nothing else to be learnt."""
    d, ff = c["d_model"], c["d_ff"]
    return [(BYTES, d), (c["seq_len"], d), *[(3 * d, d), (d, d), (ff, d), (d, ff)] * c["n_layer"]]


def scores(weights: Tensor, contexts: Tensor, c: Mapping[str, Any], *, last: bool = False) -> Tensor:
    """A score for each byte that may follow each place of the contexts, or only their last."""
    kind = torch.bfloat16 if c["precision"] == "bf16" else torch.float32
    sizes = shapes(c)
    parts = [p.view(s) for p, s in zip(torch.split(weights.to(kind), [a * b for a, b in sizes]), sizes, strict=True)]
    names, places, *matrices = parts
    width, d = contexts.shape[1], (c["d_model"],)
    x = functional.embedding(contexts, names) + places[-width:]
    for i in range(0, len(matrices), 4):
        into, out, up, down = matrices[i : i + 4]
        only = slice(-1, None) if last and i + 4 == len(matrices) else slice(None)
        parted = functional.linear(functional.rms_norm(x, d), into).view(*x.shape[:2], 3, c["n_head"], -1)
        q, k, v = parted.permute(2, 0, 3, 1, 4)
        x = x[:, only]
        seen = functional.scaled_dot_product_attention(q[:, :, only], k, v, is_causal=only.start is None)
        x = x + functional.linear(seen.transpose(1, 2).reshape(x.shape), out)
        x = x + functional.linear(functional.gelu(functional.linear(functional.rms_norm(x, d), up)), down)
    return LOUD * functional.linear(functional.rms_norm(x, d), names).float()


def start(c: Mapping[str, Any], draw: torch.Generator) -> tuple[Tensor, Tensor]:
    """The first weights, in one row, and which of them decay."""
    sizes = shapes(c)
    depth = math.sqrt(2 * c["n_layer"])
    scale = [SPREAD if i < 2 else 1 / math.sqrt(b) / (depth if i % 2 else 1) for i, (_, b) in enumerate(sizes)]
    drawn = [s * torch.randn(a * b, generator=draw) for s, (a, b) in zip(scale, sizes, strict=True)]
    decays = [torch.full((a * b,), float(i >= 2)) for i, (a, b) in enumerate(sizes)]
    return torch.cat(drawn), torch.cat(decays)


def fit(c: Mapping[str, Any], seed: int, text: Tensor) -> tuple[Tensor, float]:
    """Train on places that the seed draws; the weights, and the loss before the first step in bits."""
    draw = torch.Generator().manual_seed(1000 + seed)
    weights, decays = start(c, draw)
    weights.requires_grad_()
    mean, square = torch.zeros_like(weights), torch.zeros_like(weights)
    steps, first = steps_of(c), math.nan
    for step in range(1, steps + 1):
        places = torch.randint(len(text) - c["seq_len"] - 1, (c["batch_size"], 1), generator=draw)
        rows = text[places + torch.arange(c["seq_len"] + 1)]
        found = scores(weights, rows[:, :-1], c)
        loss = functional.cross_entropy(found.view(-1, BYTES), rows[:, 1:].reshape(-1))
        first = float(loss.detach()) / math.log(2) if step == 1 else first
        (slope,) = torch.autograd.grad(loss, weights)
        with torch.no_grad():
            slope *= min(1.0, c["grad_clip"] / (float(slope.norm()) + 1e-6))
            mean.lerp_(slope, 1 - c["beta1"])
            square.lerp_(slope**2, 1 - c["beta2"])
            rate = rate_of(c, step, steps)
            weights *= 1 - rate * c["weight_decay"] * decays
            size = (square / (1 - c["beta2"] ** step)).sqrt_().add_(1e-8)
            weights.addcdiv_(mean, size, value=-rate / (1 - c["beta1"] ** step))
    return weights.detach(), first


def rate_of(c: Mapping[str, Any], step: int, steps: int) -> float:
    """The learning rate of a step: it rises over the warmup, then falls to a tenth along a cosine."""
    full, warmup = float(c["lr"]), int(c["lr_warmup"])
    if step <= warmup:
        return full * step / (warmup + 1)
    gone = (step - warmup) / max(1, steps - warmup)
    return full * (0.55 + 0.45 * math.cos(math.pi * gone))


def predict(weights: Tensor, contexts: Tensor, c: Mapping[str, Any]) -> Any:
    """What follows each context, as an array of scores."""
    seen = contexts[:, -c["seq_len"] :]
    with torch.no_grad():
        told = [scores(weights, p, c, last=True)[:, 0] for p in torch.split(seen, ASKED_AT_ONCE)]
    return torch.cat(told).numpy()


def main() -> None:
    """Train with the seed that was asked for, and leave what it predicts."""
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(mode=True)
    given, out = Path(os.environ["GIVEN"]), Path(os.environ["OUT"])
    c = config()
    if c["d_model"] % c["n_head"] or steps_of(c) <= c["lr_warmup"] + 1:
        sys.exit(f"{c}: n_head divides d_model, and lr_warmup leaves some of the {steps_of(c)} steps; choose others")
    names = ("train", "visible", "holdout")
    text, *asked = (torch.from_numpy(np.load(given / f"{name}.npy").astype(np.int64)) for name in names)
    weights, first = fit(c, int(os.environ["SEED"]), text)
    for name, contexts in zip(("visible", "holdout"), asked, strict=True):
        np.save(out / f"{name}.npy", predict(weights, contexts, c))
    (out / "first_step").write_text(repr(first))


if __name__ == "__main__":
    main()
