"""A training script of the kind that an agent edits: every way of saying a setting, much that is none. Never run."""

import argparse
import os
import re
from dataclasses import dataclass, field
from typing import Literal, TypeVar

import torch  # noqa: TID253  # this file is read and never run

__all__ = ["GPTConfig", "main"]
T = TypeVar("T")
TOKEN = re.compile(r"\s+|\w+")

# --- what the agent may turn
DEPTH = 8
ASPECT_RATIO = 64
HEAD_DIM = 128
WINDOW_PATTERN = "SSSL"
TOTAL_BATCH_SIZE = 2**19
EMBEDDING_LR = 0.6
MATRIX_LR = 0.04
WEIGHT_DECAY = 0.2
ADAM_BETAS = (0.8, 0.95)
WARMUP_RATIO = 0.0
USE_SOFTCAP = True
FINAL_LR_FRAC = float(os.environ.get("FINAL_LR_FRAC", "0.05"))

# --- what follows from it, and what it stands on
MODEL_DIM = DEPTH * ASPECT_RATIO
DEVICE = torch.device("cuda")
DATA_DIR = "data/shards"
TOKENIZER_FILE = "tokenizer.json"
SEED = 1337
RUN_NAME = "night"
BANNER = "training a small transformer, this takes five minutes"
SHARDS = ("a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l", "m", "n", "o", "p", "q")

if torch.cuda.is_available():
    COMPILE = True


@dataclass
class GPTConfig:
    """The shape of the model."""

    vocab_size: int
    sequence_len: int = 2048
    n_kv_head: int = 6
    norm: Literal["rms", "layer"] = "rms"
    betas: tuple[float, float] = field(default_factory=lambda: (0.9, 0.99))
    weight_decay: float = WEIGHT_DECAY


config = {"rope": {"base": 10000, "scaled": False}, "softcap": 15.0}


def main() -> None:
    """Train."""
    parser = argparse.ArgumentParser()
    parser.add_argument("data")
    parser.add_argument("--weight-decay", type=float, default=WEIGHT_DECAY)
    parser.add_argument("--schedule", choices=["linear", "cosine"], default="cosine")
    parser.add_argument("--grad-clip", type=float, default=1.0)
    parser.add_argument("--no-compile", dest="compile", action="store_false")
    parser.add_argument("--out", type=str, default="out/model.pt")
    parser.parse_args()


if __name__ == "__main__":
    main()
