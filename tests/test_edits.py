"""Edits: what a diff touches of seeds, splits and scorers, and what only looks like it."""

from __future__ import annotations

import pytest

from trajscope import edits
from trajscope.diffs import Edited, Hunk
from trajscope.edits import seeds_edited


@pytest.mark.parametrize(
    "line",
    [
        "SEED = 1337",
        "torch.manual_seed(0)",
        "np.random.seed(args.seed)",
        "rng = np.random.default_rng(3)",
        "key = jax.random.PRNGKey(0)",
        "  random_state=42,",
        "x, y = train_test_split(data)",
        "for fold in KFold(5):",
        "VAL_SPLIT = 0.1",
        "test_size=0.2",
        "val_fraction: 0.3",
        'load(split="train")',
        "data_seed =",
        "n_seeds: 3",
        "reseed()",
    ],
)
def test_a_line_about_seeds_or_splits_is_seen(line: str) -> None:
    assert edits.seeding(line)


@pytest.mark.parametrize(
    "line",
    [
        "parts = text.split(',')",
        "lines = body.splitlines()",
        "proceed = speed",
        "# the seed is fixed",
        "// seed",
        "lr = 3e-4",
        "linseed = oil",
        "if split == 3:",
        "strange = orange",
    ],
)
def test_a_line_that_only_looks_like_it_is_not(line: str) -> None:
    assert not edits.seeding(line)


@pytest.mark.parametrize(
    ("path", "scores"),
    [
        ("evaluate.py", True),
        ("lib/eval/run.py", True),
        ("tests/test_x.py", True),
        ("RewardModel.py", True),
        ("conftest.py", True),
        ("val_metrics.py", True),
        ("train.py", False),
        ("latest.py", False),
        ("medieval.py", False),
        ("contest.py", False),
        ("model/attention.py", False),
    ],
)
def test_a_file_that_scores_is_known_by_its_name(path: str, scores: bool) -> None:
    assert edits.grades(path) is scores


DIFF = """diff --git a/train.py b/train.py
--- a/train.py
+++ b/train.py
@@ -1,2 +1,2 @@
-SEED = 1
-lr = 3
+SEED = 2
+lr = 4
diff --git a/eval.py b/eval.py
--- a/eval.py
+++ b/eval.py
@@ -1 +1 @@
-x
+y
"""


def test_a_diff_tells_each_line_and_each_file_once() -> None:
    found = edits.touched(DIFF)
    assert found.seeds == ("train.py:1: - SEED = 1", "train.py:1: + SEED = 2")
    assert found.graders == ("eval.py",)
    assert found.fault is None


def test_a_diff_that_is_not_understood_is_not_passed() -> None:
    found = edits.touched("-lr = 2\n+lr = 3\n")
    assert found.fault is not None
    assert (found.seeds, found.graders) == ((), ())


def test_a_seed_is_seen_in_a_diff_that_is_not_understood_too() -> None:
    assert edits.touched("-SEED = 1\n+SEED = 2\n the seed\n").seeds == ("SEED = 1", "SEED = 2")


@pytest.mark.parametrize(
    "line",
    [
        "SEED = 7",
        "torch.manual_seed(1)",
        "rng = np.random.default_rng(3)",
        "model = fit(x, random_state=4)",
        'config["seed"] = 9',
        "  seed: 12",
        "key = jax.random.PRNGKey(0)",
        "dataSeed = 1",
        "TRAIN_FRAC = 0.9",
        "test_size=0.2,",
        "val_split: float = 0.1",
        "n_folds = 5",
        "x, y = train_test_split(x, y)",
        "shuffle=False,",
        "torch.use_deterministic_algorithms(False)",
    ],
)
def test_an_edited_line_about_seeds_or_splits_is_named_with_its_place(line: str) -> None:
    assert seeds_edited(_edit(["x = 1"], [line])) == [f"train.py:3: + {line.strip()}"]
    assert seeds_edited(_edit([line], ["x = 1"])) == [f"train.py:3: - {line.strip()}"]


@pytest.mark.parametrize(
    "line",
    [
        'parts = text.split(",")',
        "q, k, v = qkv.split(n_embd, dim=2)",
        "test_batch_size = 8",
        "exceed = 3",
        "lr = 3e-4  # seed = 7 was worse",
        "proceeds = 1",
        "test_loss = evaluate(model)",
        "train_size_mb = 3",
    ],
)
def test_an_edited_line_that_only_sounds_like_it_is_not_named(line: str) -> None:
    assert seeds_edited(_edit(["x = 1"], [line])) == []


def test_a_seed_that_was_only_moved_or_indented_is_not_edited() -> None:
    assert seeds_edited(_edit(["torch.manual_seed(1)"], ["if True:", "    torch.manual_seed(1)"])) == []


def _edit(removed: list[str], added: list[str]) -> Edited:
    lines = (*(f"-{line}" for line in removed), *(f"+{line}" for line in added))
    return Edited("train.py", "train.py", (Hunk(3, 3, lines),))
