"""Generate: a long campaign of stage rows, always the same for the same number of rows and seed.

The proposer is one that loves a few pairs and now and then draws a fresh number, so that pairs repeat as they do in
a real campaign: 980,000 rows are about 1 GB with about 50,000 different pairs. Rows that were not evaluated, keeps by
a fixed bound, noise on every score and a line per trial of about 1,040 bytes are as in published trajectories.
"""

from __future__ import annotations

import json
import os
import random
import shutil
from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import accumulate
from pathlib import Path
from typing import Any

ROWS = 980_000
ROW_BYTES = 1_044
SEED = 20261121
VERSION = 1  # changes with the text that is generated, so that a cached file of another version is not used
BASELINE = 10.9554
ACCEPT = 0.005  # fraction of the baseline that a keep must gain
HABIT = 0.88  # share of proposals that come from the list of favourites
_STEP_S = 75

BASE: dict[str, Any] = {
    "n_layer": 24, "n_head": 16, "d_model": 1024, "d_ff": 4096, "lr": 0.0003, "lr_warmup": 5, "grad_clip": 1.0,
    "weight_decay": 0.0, "beta1": 0.9, "beta2": 0.95, "batch_size": 16, "seq_len": 1024, "precision": "fp8",
    "vocab_size": 50257, "steps": 60, "val_chunk_tokens": 16384, "seed": 0,
}  # fmt: skip
MENU: dict[str, Any] = {
    "knobs": {
        "n_layer": {"type": "int", "range": [4, 48], "default": 24},
        "n_head": {"type": "int", "choices": [4, 8, 16, 32], "default": 16},
        "d_model": {"type": "int", "choices": [256, 512, 768, 1024, 1536, 2048], "default": 1024},
        "d_ff": {"type": "int", "choices": [1024, 2048, 4096, 6144, 8192], "default": 4096},
        "lr": {"type": "float", "range": [1e-05, 0.01], "default": 0.0003, "scale": "log"},
        "lr_warmup": {"type": "int", "range": [0, 100], "default": 5},
        "grad_clip": {"type": "float", "range": [0.1, 10.0], "default": 1.0, "scale": "log"},
        "weight_decay": {"type": "float", "range": [0.0, 0.3], "default": 0.0, "scale": "linear"},
        "beta1": {"type": "float", "range": [0.8, 0.99], "default": 0.9},
        "beta2": {"type": "float", "range": [0.9, 0.9999], "default": 0.95},
        "batch_size": {"type": "int", "choices": [4, 8, 16, 32, 64], "default": 16},
        "seq_len": {"type": "int", "choices": [256, 512, 1024, 2048], "default": 1024},
        "precision": {"type": "str", "choices": ["fp8", "bf16", "fp16"], "default": "fp8"},
    }
}
_FAVOURITES = (
    ("d_model", 1536), ("d_model", 768), ("n_head", 8), ("n_head", 32), ("d_model", 512), ("n_layer", 28),
    ("d_model", 2048), ("lr", 0.0001), ("n_head", 4), ("lr", 0.0005), ("d_ff", 6144), ("n_layer", 32), ("d_ff", 8192),
    ("weight_decay", 0.01), ("beta2", 0.98), ("n_layer", 16), ("weight_decay", 0.1), ("batch_size", 32),
    ("beta2", 0.99), ("lr_warmup", 10), ("d_ff", 2048), ("seq_len", 2048), ("grad_clip", 0.5), ("beta1", 0.95),
    ("precision", "bf16"), ("batch_size", 8), ("lr_warmup", 20), ("d_model", 1024), ("grad_clip", 2.0),
    ("seq_len", 512), ("d_model", 256), ("precision", "fp16"), ("beta1", 0.85), ("d_ff", 1024), ("batch_size", 64),
    ("lr_warmup", 0),
)  # fmt: skip
_OPENINGS = (
    "increase",
    "decrease",
    "try a different",
    "slightly raise",
    "slightly lower",
    "test another",
    "revisit the",
)
_ENDINGS = (
    "to explore a larger model capacity", "to reduce overfitting on the small corpus",
    "for a smoother gradient early in training", "because earlier runs stalled at this setting",
    "to trade some throughput for quality", "to stabilise the first steps of training",
    "since the loss was still falling when the budget ended", "\u2014 a small change that has not hurt before",
)  # fmt: skip


def cached(rows: int = ROWS, seed: int = SEED) -> Path:
    """The file with this many rows, made if it is not there yet; its menu lies beside it."""
    path = folder() / f"campaign-{rows}-{seed}-v{VERSION}.jsonl"
    path.with_name(path.stem + ".menu.json").write_text(json.dumps(MENU))
    if not path.exists():
        need = int(rows * ROW_BYTES * 1.2)
        if (free := shutil.disk_usage(path.parent).free) < need:
            raise SystemExit(f"{path.parent}: {need / 1e9:.1f} GB needed, {free / 1e9:.1f} free; set XDG_CACHE_HOME")
        part = path.with_suffix(".part")
        write(part, rows, seed)
        part.rename(path)
    return path


def folder() -> Path:
    """Where generated files are kept, outside the checkout."""
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "trajscope-benchmarks"
    home.mkdir(parents=True, exist_ok=True)
    return home


def write(path: Path, rows: int, seed: int = SEED) -> None:
    """One file: the header, then the rows."""
    with path.open("w", encoding="utf-8", newline="\n") as f:
        f.write(header())
        f.writelines(lines(rows, seed))


def header() -> str:
    """The line before the first row."""
    meta = "trajectory log; first record is baseline; subsequent records are agent iterations"
    first = {"_meta": meta, "baseline_val_bpb": BASELINE, "baseline_cfg": BASE, "accept_delta_frac": ACCEPT}
    return json.dumps(first) + "\n"


def lines(rows: int, seed: int = SEED) -> Iterator[str]:
    """The lines of the trials, in order."""
    rng = random.Random(seed)
    weights = list(accumulate(1 / (i + 1) ** 1.1 for i in range(len(_FAVOURITES))))
    best, at = BASELINE, datetime(2026, 4, 25, 18, 7, 22)  # noqa: DTZ001  # such files are naive
    for i in range(1, rows + 1):
        knob, value = rng.choices(_FAVOURITES, cum_weights=weights)[0] if rng.random() < HABIT else _fresh(rng)
        row = _row(rng, i, str(at + timedelta(seconds=_STEP_S * i)), knob, value, best)
        if row.get("is_new_best"):
            best = row["val_bpb"]
        yield json.dumps(row) + "\n"


def _fresh(rng: random.Random) -> tuple[str, Any]:
    """A number that nobody is fond of."""
    kind = rng.random()
    if kind < 0.46:
        return "lr", float(f"{10 ** rng.uniform(-5, -2):.4g}")
    if kind < 0.92:
        return "weight_decay", round(rng.uniform(0, 0.3), 5)
    return "n_layer", rng.randint(4, 48)


def _row(rng: random.Random, i: int, at: str, knob: str, value: Any, best: float) -> dict[str, Any]:
    chance = rng.random()
    stage = "rejected" if chance < 0.02 else "eval_failed" if chance < 0.03 else "evaluated"
    reason = f"{rng.choice(_OPENINGS)} {knob} {rng.choice(_ENDINGS)}"
    kind = type(value).__name__
    shown = repr(value) if kind == "str" else value
    diff = (
        f"--- a/cfg.py\n+++ b/cfg.py\n@@ -1 +1 @@\n-    {knob}: {kind} = {BASE[knob]}\n+    {knob}: {kind} = {shown}\n"
    )
    row: dict[str, Any] = {
        "iter": i, "ts": at, "stage": stage, "verdict_ok": stage != "rejected",
        "proposal": {"knob": knob, "new_value": value, "reason": reason}, "diff": diff,
        "candidate_cfg": {**BASE, knob: value},
    }  # fmt: skip
    if stage != "evaluated":
        return {**row, "nim_latency_s": round(rng.uniform(0.8, 1.6), 2), "iter_wall_s": round(rng.uniform(1, 4), 1)}
    bpb = round(BASELINE - _effect(knob, value) + rng.gauss(0.0, 0.02), 4)
    wall = round(rng.gauss(72, 4), 1)
    row["eval_metrics"] = {
        "ok": True, "params_m": 354.6, "train_steps": 60, "train_loss_first": round(rng.gauss(10.99, 0.01), 3),
        "train_loss_last": round(rng.gauss(7.45, 0.02), 3), "val_bpb": bpb, "val_n_batches": 1,
        "mean_step_ms": round(wall * 16.6, 2), "train_wall_s": wall, "val_wall_s": 0.51, "peak_gpu_mem_gib": 24.31,
    }  # fmt: skip
    gained = (BASELINE - bpb) / BASELINE
    return {
        **row, "val_bpb": bpb, "baseline_val_bpb": BASELINE, "improvement_frac": round(gained, 4),
        "decision": "keep" if gained >= ACCEPT else "revert", "is_new_best": bpb < best,
        "nim_latency_s": round(rng.uniform(0.8, 1.6), 2), "iter_wall_s": round(wall + 2.4, 1),
    }  # fmt: skip


def _effect(knob: str, value: Any) -> float:
    """What a change does to the score, before noise: the same for the same change, small, mostly nothing."""
    return random.Random(f"{knob}={value}").gauss(0.0, 0.03)
