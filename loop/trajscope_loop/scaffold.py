"""A new domain: a folder with every file that a domain has, small enough to be read, complete enough to run."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from trajscope_loop.declaration import BUILT_IN, FILE, built_in, nearest, tables
from trajscope_loop.errors import DomainError

_NAME = re.compile(r"[a-z][a-z0-9_-]{0,40}\Z")

_FILES = {
    FILE: """\
# docs/domains.md of trajscope explains every line.
name = "{name}"
editable = ["train.py"]               # what a proposal may change
frozen = ["prepare.py", "judge.py"]   # what no proposal may
menu = "menu.json"
program = "program.md"
seeds = 5
timeout_s = 60
memory_mb = 2048

[run]
prepare = "prepare.py"
train = "train.py"
judge = "judge.py"

[edits]   # code may be edited by diffs; without this line only the menu's knobs change

[metric]
name = "mse"
goal = "minimize"
within = [0.0, 1000.0]   # outside of it no value is believed
kind = "error"

[[gate.guards]]          # a bound that no kept candidate breaks
metric = "spread"
within = [0.0, 100.0]
floor = 0.5
kind = "diversity"       # a predictor that ignores its input cannot pass it

[[gate.margins]]         # by how much every predictor that ignores its input must be beaten
metric = "rank"
least = 0.1
within = [-1.0, 1.0]

[gate.holdout]           # of another kind than the metric, on data that no proposer hears of
metric = "holdout_rank"
goal = "maximize"
within = [-1.0, 1.0]
kind = "rank"
""",
    "menu.json": """\
{{
  "knobs": {{
    "degree": {{"type": "int", "range": [1, 9], "default": 1, "family": "capacity"}},
    "ridge": {{"type": "float", "range": [0.0001, 10.0], "default": 1.0, "scale": "log", "family": "regularisation"}}
  }}
}}
""",
    "program.md": """\
# {name}

Predict y from x. The score is `mse` on points that were not trained on; lower is better. Say here, for whoever
proposes, what the research is about and what is known already.
""",
    "prepare.py": '''\
"""Makes the data, once: `given/`, which training may read, and `truth/`, which only the judge may.

    python prepare.py GIVEN TRUTH

The same bytes every time and everywhere: it draws from a fixed seed.
"""

import sys
from pathlib import Path

import numpy as np

POINTS = {{"train": 40, "visible": 30, "holdout": 30}}


def main() -> None:
    """Write both parts."""
    given, truth = map(Path, sys.argv[1:3])
    draw = np.random.default_rng(1)
    for split, n in POINTS.items():
        x = draw.uniform(-1, 1, n)
        y = np.sin(3 * x) + x**2
        np.save(given / f"{{split}}_x.npy", x)
        if split == "train":
            np.save(given / "train_y.npy", y + 0.2 * draw.standard_normal(n))
        else:
            np.save(truth / f"{{split}}_y.npy", y)


if __name__ == "__main__":
    main()
''',
    "train.py": '''\
"""The model that is to be improved. Reads `$GIVEN`, writes what it predicts into `$OUT`, draws from `$SEED`."""

import os
from pathlib import Path

import numpy as np

DEGREE = 1  # of the polynomial
RIDGE = 1.0  # how far its coefficients are held to nothing


def features(x: np.ndarray) -> np.ndarray:
    """The powers of x."""
    return np.stack([x**k for k in range(DEGREE + 1)], axis=1)


def main() -> None:
    """Fit on nine tenths of the points, and predict the two splits that are asked for."""
    given, out = Path(os.environ["GIVEN"]), Path(os.environ["OUT"])
    draw = np.random.default_rng(int(os.environ["SEED"]))
    x, y = np.load(given / "train_x.npy"), np.load(given / "train_y.npy")
    some = draw.permutation(len(x))[: int(0.9 * len(x))]
    f = features(x[some])
    w = np.linalg.solve(f.T @ f + RIDGE * np.eye(DEGREE + 1), f.T @ y[some])
    (out / "first_step").write_text(repr(float((y[some] ** 2).mean())))
    for split in ("visible", "holdout"):
        np.save(out / f"{{split}}.npy", features(np.load(given / f"{{split}}_x.npy")) @ w)


if __name__ == "__main__":
    main()
''',
    "judge.py": '''\
"""Scores predictions against truths that training never saw. What is missing or no number is refused, never skipped."""

from pathlib import Path

import numpy as np


def judge(out: Path, truth: Path) -> dict:
    """The metrics of what was predicted; those under `holdout` are told to no proposer."""
    seen, hidden = (predicted(out / f"{{split}}.npy") for split in ("visible", "holdout"))
    return scores(seen, hidden, truth)


def degenerates(given: Path, truth: Path) -> dict:
    """What predictors score that never look at their input."""
    mean = np.load(given / "train_y.npy").mean()
    sizes = [len(np.load(truth / f"{{split}}_y.npy")) for split in ("visible", "holdout")]
    return {{"mean": scores(*(np.full(n, mean) for n in sizes), truth)}}


def predicted(path: Path) -> np.ndarray:
    """Predictions as numbers, never as pickles."""
    found = np.load(path, allow_pickle=False).astype(float)
    if not np.isfinite(found).all():
        raise FloatingPointError(f"{{path.name}} holds numbers that are none")
    return found


def scores(seen: np.ndarray, hidden: np.ndarray, truth: Path) -> dict:
    """Both splits; an answer that is everywhere the same scores 0 where it counts."""
    y, z = (np.load(truth / f"{{split}}_y.npy") for split in ("visible", "holdout"))
    if seen.shape != y.shape or hidden.shape != z.shape:
        raise ValueError(f"{{seen.shape}} and {{hidden.shape}} predictions for {{y.shape}} and {{z.shape}} points")
    return {{
        "metrics": {{
            "mse": float(((seen - y) ** 2).mean()),
            "spread": float(seen.std() / y.std()),
            "rank": rank(seen, y),
        }},
        "holdout": {{"holdout_rank": rank(hidden, z)}},
    }}


def rank(a: np.ndarray, b: np.ndarray) -> float:
    """The correlation of ranks; 0 where one of them says nothing."""
    if a.std() < 1e-9 or b.std() < 1e-9:
        return 0.0
    return float(np.corrcoef(a.argsort().argsort(), b.argsort().argsort())[0, 1])
''',
}


def new(name: str, folder: str | Path, like: str | None = None) -> list[Path]:
    """Write a new domain into a folder that is empty or not there; the files that were written.

    It is a small one that runs, or a copy of a built-in one (`like`).
    """
    if not _NAME.match(name):
        raise DomainError(f"{name!r} is no name for a domain; use small letters, digits, - and _, a letter first")
    place = Path(folder)
    if place.exists() and (not place.is_dir() or any(place.iterdir())):
        raise DomainError(f"{place}: is not empty; name a new folder, so that nothing is written over")
    if like is None:
        texts = {file: text.format(name=name) for file, text in _FILES.items()}
    elif like in built_in():
        raw = tables(BUILT_IN / like / FILE)
        named = [FILE, *raw["editable"], *raw.get("frozen", ()), *(raw[k] for k in ("menu", "program") if k in raw)]
        texts = {n: (BUILT_IN / like / n).read_text("utf-8") for n in dict.fromkeys(named)}
        texts[FILE] = re.sub(r'(?m)^name = ".*"$', f'name = "{name}"', texts[FILE], count=1)
    else:
        raise DomainError(f"there is no domain {like}{nearest(like, built_in())}")
    try:
        place.mkdir(parents=True, exist_ok=True)
        for file, text in texts.items():
            (place / file).parent.mkdir(parents=True, exist_ok=True)
            (place / file).write_text(text, "utf-8")
    except OSError as error:
        shutil.rmtree(place, ignore_errors=True)
        raise DomainError(f"{place}: cannot be written ({error.strerror}); name another folder") from None
    return [place / file for file in texts]
