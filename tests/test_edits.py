"""Edits: what a diff touches of seeds, splits and scorers, and what only looks like it."""

from __future__ import annotations

import pytest

from trajscope import edits


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
        "data_seed",
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
    assert found.seeds == ("train.py: SEED = 1", "train.py: SEED = 2")
    assert found.graders == ("eval.py",)
    assert found.fault is None


def test_a_diff_that_is_not_understood_is_not_passed() -> None:
    found = edits.touched("-lr = 2\n+lr = 3\n")
    assert found.fault is not None
    assert (found.seeds, found.graders) == ((), ())


def test_a_seed_is_seen_in_a_diff_that_is_not_understood_too() -> None:
    assert edits.touched("-SEED = 1\n+SEED = 2\n the seed\n").seeds == ("SEED = 1", "SEED = 2")
