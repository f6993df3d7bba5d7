"""The perturbation domain: the figures that were published for it, and scores that cannot be had by saying nothing.

The table is from another implementation of the same task, run before this one was written.
Planted and seen to fail: silent rows left out of the mean, ties counted as losses, the bias trained, the holdout scored
on the visible split, an unknown knob let through.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from trainings import trained

from trajscope import TrajscopeError
from trajscope_loop.domains import perturbation

COLUMNS = (
    *("pearson_deg", "direction_acc", "mse_top20_deg", "pearson_specific", "pds", "response_ratio"),
    *("holdout_pearson_deg", "holdout_direction_acc", "holdout_pearson_specific", "holdout_pds"),
)
# Means over five seeds.
TABLE: list[tuple[dict[str, Any], float, tuple[float, ...]]] = [
    ({}, 0.0179, (0.620, 0.743, 2.053, 0.205, 0.796, 2.777, 0.661, 0.807, 0.311, 0.923)),
    ({"blend": 0.4}, 0.0081, (0.754, 0.765, 0.933, 0.206, 0.766, 1.666, 0.777, 0.833, 0.311, 0.908)),
    ({"blend": 0.6}, 0.0045, (0.819, 0.781, 0.610, 0.206, 0.720, 1.111, 0.833, 0.853, 0.311, 0.880)),
    ({"blend": 0.9}, 0.0022, (0.867, 0.748, 0.421, 0.208, 0.573, 0.278, 0.868, 0.814, 0.312, 0.661)),
    ({"blend": 1.0}, 0.0007, (0.861, 0.648, 0.437, 0.031, 0.500, 0.000, 0.856, 0.677, 0.015, 0.500)),
    ({"wd": 160.0}, 0.0007, (0.861, 0.648, 0.437, 0.031, 0.500, 0.000, 0.856, 0.677, 0.015, 0.500)),
    ({"gene_wd": 40.0}, 0.0022, (0.916, 0.860, 0.277, 0.622, 0.876, 1.303, 0.927, 0.903, 0.712, 0.964)),
]
TASK = perturbation.task()


def visible(answer: np.ndarray[Any, Any]) -> dict[str, float]:
    """What an answer scores on the visible split; one row stands for all perturbations."""
    rows = np.tile(answer, (perturbation.VISIBLE, 1)) if answer.ndim == 1 else answer
    return perturbation.score(rows, TASK.visible, TASK.mean_shift)


@pytest.mark.parametrize(("config", "sd", "figures"), TABLE, ids=[str(config) for config, _, _ in TABLE])
def test_it_scores_what_was_published(config: dict[str, Any], sd: float, figures: tuple[float, ...]) -> None:
    seeds = trained(config).values()
    found = [float(np.mean([s[name] for s in seeds])) for name in COLUMNS]
    assert found == pytest.approx(figures, abs=0.0015)
    assert float(np.std([s["pearson_deg"] for s in seeds], ddof=1)) == pytest.approx(sd, abs=1e-4)


def test_predictors_that_ignore_their_input_score_what_was_published() -> None:
    found = perturbation.degenerates()
    zero, mean = ([found[name][c] for c in COLUMNS] for name in ("zero_effect", "mean_shift"))
    assert zero == pytest.approx((0, 0, 1.571, 0.088, 0.5, 0, 0, 0, 0.064, 0.5), abs=6e-4)
    assert mean == pytest.approx((0.861, 0.650, 0.437, 0, 0.5, 0, 0.856, 0.675, 0, 0.5), abs=6e-4)


def test_one_seed_is_one_result() -> None:
    short = {"steps": 5}
    assert perturbation.run(short, 3) == perturbation.run(short, 3)
    assert perturbation.run(short, 3) != perturbation.run(short, 4)


def test_another_draw_of_the_data_has_the_same_shortcut() -> None:
    other = perturbation.task(7)
    shift = perturbation.degenerates(other)["mean_shift"]["pearson_deg"]
    start, dead = (perturbation.run(c, 0, other) for c in ({}, {"blend": 1.0}))
    assert start["pearson_deg"] + 0.15 < shift
    assert dead["pearson_deg"] == pytest.approx(shift, abs=0.01)
    assert dead["response_ratio"] == pytest.approx(0, abs=1e-12)


def test_the_truth_scores_everything_there_is() -> None:
    found = visible(TASK.visible.change)
    assert found.pop("mse_top20_deg") == 0
    assert found == pytest.approx(dict.fromkeys(found, 1.0))


@given(st.sets(st.integers(0, perturbation.VISIBLE - 1)))
def test_a_perturbation_it_says_nothing_about_scores_nothing_and_is_not_left_out(silent: set[int]) -> None:
    answer = TASK.visible.change.copy()
    answer[sorted(silent)] = 0.0
    spoken = 1 - len(silent) / perturbation.VISIBLE
    found = visible(answer)
    assert found["pearson_deg"] == pytest.approx(spoken)
    assert found["direction_acc"] == pytest.approx(spoken)


@given(st.floats(-3, 3))
def test_one_answer_for_everything_ranks_like_a_guess_whatever_it_is(level: float) -> None:
    found = visible(np.full(perturbation.GENES, level))
    assert found["pds"] == pytest.approx(0.5)
    assert found["response_ratio"] == pytest.approx(0, abs=1e-12)
    assert found["pearson_deg"] == 0


def test_perturbations_that_do_the_same_share_the_place_in_the_ranking() -> None:
    twins = TASK.visible.change.copy()
    twins[1] = twins[0]
    found = perturbation.score(twins, perturbation.Split(TASK.visible.features, twins), TASK.mean_shift)
    # Two of twenty stand half a place behind the front, of nineteen places.
    assert found["pds"] == pytest.approx(1 - (0.5 + 0.5) / 20 / 19)


@given(st.floats(0.01, 100))
def test_direction_does_not_see_how_small_a_response_is_and_the_ratio_does(scale: float) -> None:
    found = visible(TASK.visible.change * scale)
    assert found["direction_acc"] == 1
    assert found["response_ratio"] == pytest.approx(scale)


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -float("inf")])
def test_one_number_that_is_none_refuses_the_whole_answer(bad: float) -> None:
    answer = TASK.visible.change.copy()
    answer[3, 17] = bad
    with pytest.raises(TrajscopeError, match=r"^1 of 20 predictions are NaN or infinite; nothing was scored$"):
        visible(answer)


def test_a_training_that_diverged_is_refused_and_not_scored() -> None:
    with pytest.raises(TrajscopeError, match="nothing was scored"):
        perturbation.run({"wd": 640.0}, 0)


def test_an_answer_too_large_to_score_is_refused() -> None:
    with np.errstate(over="ignore", invalid="ignore"), pytest.raises(TrajscopeError, match="too large to score"):
        visible(TASK.visible.change * 1e200)


def test_an_answer_of_another_shape_is_refused() -> None:
    with pytest.raises(TrajscopeError, match="one row per perturbation"):
        visible(TASK.visible.change[:-1])


def test_a_knob_it_does_not_have_is_refused_by_name() -> None:
    with pytest.raises(TrajscopeError, match="no knob weight_decay; it has hidden, lr, steps"):
        perturbation.run({"weight_decay": 1.0}, 0)


def test_a_seed_leaves_its_mark_before_the_first_step() -> None:
    marks = [perturbation.run({"steps": n}, seed)["first_loss"] for n, seed in ((1, 0), (2, 0), (1, 1))]
    assert marks[0] == marks[1]
    assert marks[0] != marks[2]


def test_every_declared_metric_is_measured_within_its_range_and_every_bound_is_a_number() -> None:
    gate = perturbation.GATE
    measured = trained({})[0]
    for spec in (gate["primary"], *gate["guards"], *gate["margins"], gate["holdout"]):
        low, high = spec["within"]
        assert low <= measured[spec.get("metric", spec.get("name"))] <= high
    assert all(isinstance(guard["floor"], float) for guard in gate["guards"])
    assert gate["holdout"]["kind"] != gate["primary"]["kind"]


def test_a_dead_model_breaks_every_guard_and_the_margin() -> None:
    dead = trained({"blend": 1.0}).values()
    known = perturbation.degenerates().values()
    for guard in perturbation.GATE["guards"]:
        assert max(s[guard["metric"]] for s in dead) < guard["floor"]
    for margin in perturbation.GATE["margins"]:
        best = max(d[margin["metric"]] for d in known)
        assert max(s[margin["metric"]] for s in dead) < best + margin["least"]
