"""Three runs with a story: the amnesiac, the metric gamer, the linter in the loop.

The first two are rebuilt from the tables of facts in `facts/`; the third is made up around a few published numbers.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from chain import Campaign, sha

FACTS = Path(__file__).parent / "facts"

AMNESIAC_BASE: dict[str, Any] = {
    "n_layer": 24,
    "n_head": 16,
    "d_model": 1024,
    "d_ff": 4096,
    "lr": 0.0003,
    "lr_warmup": 5,
    "grad_clip": 1.0,
    "weight_decay": 0.0,
    "beta1": 0.9,
    "beta2": 0.95,
    "batch_size": 16,
    "seq_len": 1024,
    "precision": "fp8",
}
AMNESIAC_MENU: dict[str, Any] = {
    "knobs": {
        "n_layer": {"type": "int", "range": [4, 48], "default": 24, "family": "capacity"},
        "n_head": {"type": "int", "choices": [4, 8, 16, 32], "default": 16, "family": "capacity"},
        "d_model": {
            "type": "int",
            "choices": [256, 512, 768, 1024, 1536, 2048],
            "default": 1024,
            "family": "capacity",
        },
        "d_ff": {"type": "int", "choices": [1024, 2048, 4096, 6144, 8192], "default": 4096, "family": "capacity"},
        "lr": {"type": "float", "range": [1e-05, 0.01], "default": 0.0003, "family": "optimiser"},
        "lr_warmup": {"type": "int", "range": [0, 50], "default": 5, "family": "optimiser"},
        "grad_clip": {"type": "float", "range": [0.1, 5.0], "default": 1.0, "family": "optimiser"},
        "weight_decay": {"type": "float", "range": [0.0, 0.5], "default": 0.0, "family": "optimiser"},
        "beta1": {"type": "float", "range": [0.5, 0.99], "default": 0.9, "family": "optimiser"},
        "beta2": {"type": "float", "range": [0.8, 0.9999], "default": 0.95, "family": "optimiser"},
        "batch_size": {"type": "int", "choices": [2, 4, 8, 16], "default": 16, "family": "data"},
        "seq_len": {"type": "int", "choices": [512, 1024, 2048], "default": 1024, "family": "data"},
        "precision": {"type": "str", "choices": ["bf16", "fp8"], "default": "fp8", "family": "numerics"},
    },
    "constraints": [
        {"id": "head_divides_model", "rule": "d_model % n_head == 0"},
        {"id": "warmup_leaves_main_steps", "rule": "lr_warmup + 5 <= 30"},
    ],
}


def amnesiac() -> bytes:
    """50 iterations of one change each on a fixed base, in the foreign format they were published in."""
    baseline = 10.9554
    config = AMNESIAC_BASE | {"vocab_size": 50257, "steps": 60, "val_chunk_tokens": 16384, "seed": 0}
    lines: list[dict[str, Any]] = [
        {
            "_meta": "one baseline, then one row per iteration, then the counts",
            "baseline_val_bpb": baseline,
            "baseline_cfg": config,
            "accept_delta_frac": 0.005,
        }
    ]
    wall = 0.0
    for text in _facts("amnesiac"):
        at, clock, knob, raw, bpb, decision, new_best, latency, wall_s, first, last, peak = text.split()
        value, score = json.loads(raw), float(bpb)
        wall += float(wall_s)
        lines.append(
            {
                "iter": int(at),
                "ts": f"2026-04-25 {clock}",
                "stage": "evaluated",
                "proposal": {"knob": knob, "new_value": value},
                "candidate_cfg": config | {knob: value},
                "eval_metrics": {
                    "ok": True,
                    "train_steps": 60,
                    "train_loss_first": float(first),
                    "train_loss_last": float(last),
                    "val_bpb": score,
                    "peak_gpu_mem_gib": float(peak),
                },
                "val_bpb": score,
                "baseline_val_bpb": baseline,
                "improvement_frac": round((baseline - score) / baseline, 4),
                "decision": decision,
                "is_new_best": new_best == "1",
                "nim_latency_s": float(latency),
                "iter_wall_s": float(wall_s),
            }
        )
    rows = lines[1:]
    best = min(rows, key=lambda r: float(r["val_bpb"]))
    lines.append(
        {
            "stage": "loop_complete",
            "iters_requested": len(rows),
            "accept_count": sum(r["decision"] == "keep" for r in rows),
            "revert_count": sum(r["decision"] == "revert" for r in rows),
            "block_count": 0,
            "eval_fail_count": 0,
            "loop_wall_s": 4406.4,
            "baseline_val_bpb": baseline,
            "best_val_bpb": best["val_bpb"],
            "best_proposal": best["proposal"],
            "best_improvement_frac": best["improvement_frac"],
        }
    )
    return b"".join(json.dumps(line).encode() + b"\n" for line in lines)


GAMER_MENU: dict[str, Any] = {
    "knobs": {
        "pull": {"type": "float", "range": [0.0, 1.0], "default": 0.0, "family": "regularisation"},
        "lr": {"type": "float", "range": [0.0005, 0.1], "default": 0.02, "family": "optimiser"},
        "steps": {"type": "int", "range": [20, 520], "default": 220, "family": "optimiser"},
        "hidden": {"type": "int", "choices": [8, 16, 32, 48, 64, 128], "default": 32, "family": "capacity"},
        "wd": {"type": "float", "range": [0.0, 50.0], "default": 0.0, "family": "regularisation"},
    }
}


def gamer() -> bytes:
    """100 trials of five seeds: each keep pulls the predictions closer to the mean shift; the guard has no floor."""
    rows = _facts("gamer")
    tape = Campaign(
        "gamer",
        {"name": "pearson_deg", "goal": "maximize"},
        {"pull": 0.0, "lr": 0.02, "steps": 220, "hidden": 32, "wd": 0.0},
        carry=True,
        domain="perturbation",
        metrics=[{"name": "pearson_deg", "role": "primary"}, {"name": "direction_acc", "role": "guard"}],
        menu=GAMER_MENU,
        proposer={"kind": "llm", "history": 10},
        seeds=[0, 1, 2, 3, 4],
    )
    for row in rows:
        what, *rest = row.split()
        status = rest[0] if len(rest) == 3 else "baseline"
        scores, directions = ([float(x) for x in column.split(",")] for column in rest[-2:])
        wall = [round(60.2 + 1.7 * ((tape.iter + 3 * k) % 5), 1) for k in range(5)]
        seeds = [
            {"seed": k, "status": "ok", "metrics": {"pearson_deg": a, "direction_acc": b}, "wall_s": w}
            for k, (a, b, w) in enumerate(zip(scores, directions, wall, strict=True))
        ]
        mean = round(sum(scores) / 5, 6)
        if status == "baseline":
            tape.measure(mean, seeds=seeds)
            continue
        knob, raw = what.split("=")
        tape.trial(
            status,
            mean,
            (knob, json.loads(raw)),
            wall_s=round(sum(wall), 1),
            value_source="seeds",
            metrics={"pearson_deg": mean, "direction_acc": round(sum(directions) / 5, 6)},
            seeds=seeds,
            spent={"proposer_s": 4.2, "tokens_in": 1800 + 35 * min(10, tape.iter), "tokens_out": 90},
        )
    return tape.finish()


LINTER_BASE = {
    "SCALAR_LR": 0.5,
    "MATRIX_LR": 0.04,
    "EMBEDDING_LR": 0.6,
    "DEPTH": 8,
    "TOTAL_BATCH_SIZE": 524288,
    "DEVICE_BATCH_SIZE": 128,
    "WARMDOWN_RATIO": 0.5,
    "WEIGHT_DECAY": 0.2,
    "WINDOW": "SSSL",
}
# knob, value, loss (- when it crashed), memory in GB, k(ept) r(everted) c(rashed)
LINTER_ROWS = """
DEPTH 10 1.0561 57.9 r | WEIGHT_DECAY 0.1 1.0487 44.0 r | TOTAL_BATCH_SIZE 262144 1.0067 25.9 k
MATRIX_LR 0.08 1.0151 25.9 r | MATRIX_LR 0.05 1.0049 25.9 k | DEPTH 16 - 0 c
WARMDOWN_RATIO 0.3 1.0084 25.9 r | DEVICE_BATCH_SIZE 64 1.0031 21.3 k | EMBEDDING_LR 1.0 1.0058 21.3 r
EMBEDDING_LR 0.4 1.0040 21.3 r | WARMDOWN_RATIO 0.7 1.0012 21.3 k | SCALAR_LR 0.6 1.0013 21.3 r
WINDOW "SSLL" 1.0026 23.8 r | WINDOW "SSSS" 0.9974 18.6 k | WEIGHT_DECAY 0.3 1.0001 18.6 r
MATRIX_LR 0.03 1.0002 18.6 r | EMBEDDING_LR 0.8 0.9949 18.6 k | DEPTH 7 1.0093 15.4 r
TOTAL_BATCH_SIZE 1048576 - 0 c | DEPTH 9 0.9992 20.8 r | DEVICE_BATCH_SIZE 32 0.9926 17.3 k
WEIGHT_DECAY 0.15 0.9951 17.3 r | WARMDOWN_RATIO 0.8 0.9938 17.3 r | MATRIX_LR 0.055 0.9901 17.3 k
TOTAL_BATCH_SIZE 131072 0.9968 17.2 r | WINDOW "SSL" 0.9947 17.9 r | EMBEDDING_LR 0.9 0.9907 17.3 r
WEIGHT_DECAY 0.25 0.9915 17.3 r | WARMDOWN_RATIO 0.6 0.9862 17.0 k | SCALAR_LR 0.6 0.9864 17.0 r
SCALAR_LR 0.4 0.9863 17.0 r | MATRIX_LR 0.06 0.9883 17.0 r | DEVICE_BATCH_SIZE 256 - 0 c
SCALAR_LR 0.7 0.9865 17.0 r | EMBEDDING_LR 0.7 0.9879 17.0 r | SCALAR_LR 0.45 0.9864 17.0 r
WEIGHT_DECAY 0.05 0.9880 17.0 r | SCALAR_LR 0.55 0.9866 17.0 r | WARMDOWN_RATIO 0.65 0.9868 17.0 r
DEPTH 9 0.9889 19.1 r
"""
LINTER_FROM = 12  # the first experiment whose script was rewritten between the save and the run


def linter() -> bytes:
    """40 experiments; from the twelfth on something turns SCALAR_LR back to 0.3 after every save."""
    tape = Campaign(
        "linter",
        {"name": "val_bpb", "goal": "minimize", "unit": "bits/byte"},
        dict(LINTER_BASE),
        carry=True,
        domain="pretraining",
        metrics=[
            {"name": "val_bpb", "role": "primary"},
            {"name": "peak_mem_gb", "role": "monitor", "goal": "minimize"},
        ],
        files={"train.py": sha(_script(LINTER_BASE)), "prepare.py": sha("prepare")},
        proposer={"kind": "agent", "history": "all"},
        unguarded_because="one metric on a frozen validation shard",
    )
    tape.measure(1.048, metrics={"peak_mem_gb": 44.0})
    for cell in LINTER_ROWS.replace("\n", " | ").split(" | "):
        if not cell.strip():
            continue
        knob, raw, loss, mem, fate = cell.split()
        assert tape.base is not None
        proposed = dict(tape.base) | {knob: json.loads(raw)}
        ran = proposed | ({"SCALAR_LR": 0.3} if tape.iter + 1 >= LINTER_FROM else {})
        prints = {
            when: {"train.py": sha(_script(config)), "prepare.py": sha("prepare")}
            for when, config in (("propose", proposed), ("run", ran), ("score", ran))
        }
        common: dict[str, Any] = {"effective": ran, "fingerprints": prints}
        if fate == "c":
            tape.trial("crashed", None, (knob, json.loads(raw)), wall_s=71.4, reason_code="oom", **common)
            continue
        tape.trial(
            {"k": "kept", "r": "reverted"}[fate],
            float(loss),
            (knob, json.loads(raw)),
            wall_s=round(1580 + 7.3 * ((tape.iter * 11) % 9), 1),
            metrics={"val_bpb": float(loss), "peak_mem_gb": float(mem)},
            **common,
        )
    return tape.finish("stopped")


def _script(config: dict[str, Any]) -> str:
    return "".join(f"{k} = {v!r}\n" for k, v in config.items())


def _facts(name: str) -> list[str]:
    lines = (FACTS / f"{name}.txt").read_text(encoding="utf-8").splitlines()
    return [line for line in lines if not line.startswith("#")]
