"""Names of columns, and words in them: what a table's author calls what. Lists and nothing else."""

from __future__ import annotations

from collections.abc import Mapping

# By role, the names that columns have for it; the first of them that a table has is taken.
NAMES: Mapping[str, tuple[str, ...]] = {
    "status": (
        "decision", "status", "outcome", "verdict", "kept", "keep", "accepted", "is_kept", "correctness", "correct",
    ),
    "commit": (
        "commit", "commit_hash", "commit_sha", "git_commit", "git_sha", "sha", "hash", "head_commit",
    ),
    "parent": (
        "parent_exp", "parent_commit", "parent_id", "parent", "parent_candidate_id", "parent_experiment",
    ),
    "description": (
        "description", "desc", "hypothesis", "change", "changes", "change_description", "idea", "what", "summary",
        "notes", "note", "comment", "comments", "message", "reasoning", "reason", "tag",
    ),
    "knob": (
        "param_changed", "knob", "param", "parameter", "parameter_changed", "knob_changed",
    ),
    "value": (
        "new_value", "value_new",
    ),
    "old_value": (
        "old_value", "value_old",
    ),
    "time": (
        "timestamp", "timestamp_ms", "datetime", "ts", "created_at", "finished_at", "started_at", "date", "time",
    ),
    "wall_s": (
        "wall_s", "wall_time_s", "wall_time_sec", "wall_time", "total_s", "duration_s", "duration_sec", "elapsed_s",
        "seconds_elapsed", "elapsed_sec", "elapsed", "runtime_s", "train_seconds", "training_seconds", "train_s",
        "seconds",
    ),
    "tokens_in": (
        "tokens_in", "input_tokens", "prompt_tokens",
    ),
    "tokens_out": (
        "tokens_out", "output_tokens", "completion_tokens",
    ),
    "usd": (
        "usd", "cost_usd", "price_usd",
    ),
    "seed": (
        "seed", "random_seed",
    ),
    "id": (
        "exp_id", "experiment_id", "experiment_num", "experiment", "exp", "iteration", "iter", "trial", "trial_id",
        "trial_number", "run", "run_id", "round", "id", "num", "number", "no", "cycle", "candidate_id", "label",
        "index",
    ),
}  # fmt: skip
ROLE_OF: Mapping[str, str] = {name: role for role, names in NAMES.items() for name in names}
# A status column of these names holds yes or no.
YES_OR_NO = frozenset(
    (
        "kept", "keep", "accepted", "is_kept",
    )
)  # fmt: skip
# Columns that are neither a metric nor a knob; `guard` is what a further check said.
ASIDE = frozenset(
    (
        "tag", "delta", "guard", "tier", "kind", "thread", "specialist", "domain", "prior", "symbol", "period",
        "strategy", "kernel_type", "checkpoint", "head_branch", "workspace_dirty", "self_review", "log_path",
        "job_name", "snapshot_path", "primary_metric", "expected_result", "expected_delta", "interpretation",
        "agrees_with_hypothesis", "next_hypothesis", "baseline_exp", "config_hash", "env", "author", "agent",
        "branch", "file", "files", "task", "subject", "decision_reason", "gpu", "depth_in_tree", "path", "config",
    )
)  # fmt: skip
# Words in a column's name. What tells quality goes before what tells speed, and that before everything else.
QUALITY = frozenset(
    (
        "loss", "bpb", "bpc", "rmse", "mse", "mae", "mape", "ppl", "perplexity", "acc", "accuracy", "auc", "auroc",
        "f1", "score", "r2", "reward", "metric", "objective", "sharpe", "fvu", "error", "err", "wer", "cer", "bleu",
        "rouge", "composite", "pearson", "spearman", "fitness", "mrr", "ndcg", "map", "dice", "recall", "precision",
        "tss", "nll", "elo", "winrate", "return", "profit", "pnl", "mcc", "iou", "fid", "psnr", "ssim", "corr",
        "correlation", "gain",
    )
)  # fmt: skip
# What tells speed or cost.
SPEED = frozenset(
    (
        "time", "seconds", "tflops", "gflops", "throughput", "latency", "fps", "qps", "speedup", "tok", "toks",
        "tokens", "sec", "ms", "us", "ns", "s", "cost", "toffoli", "cycles",
    )
)  # fmt: skip
# What is recorded beside a metric.
BESIDE = frozenset(
    (
        "param", "time", "timestamp", "date", "num", "index", "delta", "tokens", "memory", "mem", "vram", "ram",
        "mfu", "util", "step", "steps", "params", "gb", "mb", "kb", "bytes", "size", "batch", "seeds", "std", "sd",
        "stderr", "improvement", "diff", "gap", "pct", "baseline", "before", "epoch", "epochs", "count", "total",
        "confidence", "final", "peak", "trades", "dd", "drawdown", "pass", "worst", "expected", "n",
    )
)  # fmt: skip
# Beside one of these, a word of quality names what a change is made of, not what it is judged by.
CHANGED = frozenset(
    (
        "before", "delta", "diff", "gap", "improvement", "std", "sd", "worst", "final", "expected", "baseline",
        "confidence", "pct",
    )
)  # fmt: skip
TRAINED = frozenset(("train", "training"))
# Names of what is turned, not measured.
KNOBS = frozenset(
    (
        "k", "architecture", "arch", "expansion_factor", "lr", "learning_rate", "width", "depth", "dim", "hidden",
        "layers", "heads", "dropout", "optimizer", "batch_size", "weight_decay", "warmup", "momentum", "gamma",
        "alpha", "beta", "lambda", "temperature", "window", "direction", "block", "num_warps", "num_stages",
        "slice_fn", "kernel_size",
    )
)  # fmt: skip
