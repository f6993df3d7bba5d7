"""What a gate is declared with: whatever could not refuse anything is an error before anything is paid for."""

from __future__ import annotations

import math
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from keepcase import HOLDOUT, RANK, RESPONSE, SCORE, SETTINGS

from trajscope import keep
from trajscope.errors import GateError
from trajscope.settings import load

NO_NUMBERS = [None, float("nan"), math.inf, -math.inf, "0.7", True, False, [0.7], 10**400]
WHERE: dict[str, Callable[[Any], object]] = {
    "a guard's floor": lambda x: keep.Guard("g", (0, 1), floor=x),
    "a guard's ceiling": lambda x: keep.Guard("g", (0, 1), ceiling=x),
    "a margin": lambda x: keep.Margin("m", x),
    "a range": lambda x: keep.Metric("score", "maximize", (0, x)),
    "alpha": lambda x: keep.GateSettings(**{**SETTINGS, "alpha": x}),
    "confirm_alpha": lambda x: keep.GateSettings(**{**SETTINGS, "confirm_alpha": x}),
    "min_effect": lambda x: keep.GateSettings(**{**SETTINGS, "min_effect": x}),
    "a reference": lambda x: keep.Speed(references={"published": x}),
}


@pytest.mark.parametrize("value", NO_NUMBERS, ids=lambda v: str(v)[:8])
@pytest.mark.parametrize("make", WHERE.values(), ids=WHERE.keys())
def test_what_is_no_finite_number_is_no_threshold(make: Callable[[Any], object], value: object) -> None:
    with pytest.raises(GateError):
        make(value)


@pytest.mark.parametrize("value", [v for v in NO_NUMBERS if v is not None], ids=lambda v: str(v)[:8])
@pytest.mark.parametrize(
    "make",
    [
        lambda x: keep.Guard("g", (0, 1), floor=0.5, drop=x),
        lambda x: keep.Holdout("h", "maximize", (0, 1), "rank", tolerance=x),
        lambda x: keep.Holdout("h", "maximize", (0, 1), "rank", eta=x),
        lambda x: keep.Speed(max_gain_per_window=x),
        lambda x: keep.Speed(plausible_ceiling=x),
        lambda x: keep.GateSettings(**{**SETTINGS, "min_d": x}),
    ],
)
def test_what_may_be_left_out_is_a_number_where_it_is_given(make: Callable[[Any], object], value: object) -> None:
    with pytest.raises(GateError):
        make(value)


@pytest.mark.parametrize("value", [*NO_NUMBERS[:-1], 0, -1, 2.5])
def test_a_count_is_a_whole_number(value: Any) -> None:
    with pytest.raises(GateError, match="n is"):
        keep.GateSettings(**{**SETTINGS, "n": value})
    with pytest.raises(GateError, match="has a budget of"):
        keep.Holdout("h", "maximize", (0, 1), "rank", budget=value)


def test_zero_is_a_real_threshold() -> None:
    assert keep.Guard("net_value", (-1e9, 1e9), floor=0.0, drop=0.0).bound == 0.0
    assert keep.Guard("error", (0, 1), ceiling=0).bound == 0


OPEN: dict[str, tuple[dict[str, Any], str]] = {
    "no guard": ({"guards": ()}, "has no guards; declare them, or give the reason in without="),
    "no margin": ({"margins": ()}, "has no margins; declare them"),
    "no holdout": ({"holdout": None}, "has no holdout; declare"),
    "a reason that is empty": ({"guards": (), "without": {"guards": " "}}, "goes without guards and gives no reason"),
    "a reason for what is there": ({"without": {"guards": "none"}}, "declares guards and goes without them"),
    "a part that is none": ({"without": {"test": "slow"}}, "without is 'test'; one of integrity, fingerprints"),
    "two primaries": ({"primary": (SCORE, SCORE)}, "a gate has one primary metric"),
    "one guard twice": ({"guards": (RESPONSE, RESPONSE)}, "guard 'response' is declared twice"),
    "a guard that is none": ({"guards": ("response",)}, "'response' is no Guard"),
    "two seeds": ({"n": 2}, "n is 2 seeds; give a whole number, 3 or more"),
    "a test that is none": ({"test": "wilcoxon"}, "the test is 'wilcoxon'; one of auto, welch, moderated, paired"),
    "alpha that refuses nothing": ({"alpha": 0.9}, r"alpha is 0\.9; give a probability above 0 and at most 0\.5"),
    "alpha that passes nothing": ({"alpha": 0.0}, r"alpha is 0\.0; give a probability above 0"),
    "an effect below nothing": ({"min_effect": -0.1}, r"min_effect is -0\.1; give 0 or more, in units of score"),
    "a holdout that is the primary": (
        {"holdout": keep.Holdout("score", "maximize", (-1, 1), "rank")},
        "the holdout 'score' is the primary 'score' on other data; a shortcut lifts both",
    ),
    "a holdout that is the primary by another name": (
        {"holdout": keep.Holdout("ho_score", "maximize", (-1, 1), "rank")},
        "the holdout 'ho_score' is the primary 'score' on other data",
    ),
    "a holdout of the primary's kind": (
        {"holdout": keep.Holdout("spearman", "maximize", (-1, 1), " Correlation")},
        "the holdout 'spearman' is the primary 'score' on other data",
    ),
    "a holdout that is a guard": (
        {"holdout": keep.Holdout("response", "maximize", (0, 10), "spread")},
        "the holdout 'response' is also a guard or margin, whose values the proposer may see",
    ),
    "a primary of no kind beside a holdout": (
        {"primary": keep.Metric("score", "maximize", (-1, 1))},
        "score says no kind; name what it measures",
    ),
    "two ranges of one metric": (
        {"guards": (keep.Guard("score", (0, 1), floor=0.1),)},
        r"score has two ranges, \[-1, 1\] and \[0, 1\]",
    ),
    "a margin without a range": ({"margins": (keep.Margin("gap", 0.1),)}, "the margin on 'gap' says no range"),
}


@pytest.mark.parametrize(("change", "said"), OPEN.values(), ids=OPEN.keys())
def test_a_gate_that_would_be_open_is_refused(change: dict[str, Any], said: str) -> None:
    with pytest.raises(GateError, match=said):
        keep.GateSettings(**{**SETTINGS, **change})


PARTS: dict[str, tuple[Callable[[], object], str]] = {
    "a guard without a bound": (lambda: keep.Guard("g", (0, 1)), "needs a floor or a ceiling, one of them"),
    "a guard with two": (lambda: keep.Guard("g", (0, 1), floor=0, ceiling=1), "needs a floor or a ceiling, one of"),
    "a bound outside the range": (
        lambda: keep.Guard("g", (0, 1), floor=-0.5),
        r"its floor -0\.5 lies outside \[0, 1\]",
    ),
    "a guard that must rise": (lambda: keep.Guard("g", (0, 1), floor=0, drop=-1), "a drop of -1 asks for a rise"),
    "a guard of no name": (lambda: keep.Guard(" ", (0, 1), floor=0), "a guard has no name"),
    "a margin of 0": (lambda: keep.Margin("m", 0.0), "the margin on 'm' is 0; a margin is above 0"),
    "a margin below 0": (lambda: keep.Margin("m", -0.1), r"the margin on 'm' is -0\.1; a margin is above 0"),
    "a range that is empty": (lambda: keep.Metric("s", "maximize", (1, 1)), r"its range \[1, 1\] is empty"),
    "a range that is none": (lambda: keep.Metric("s", "maximize", 1), "says no range"),  # type: ignore[arg-type]  # the mistake
    "a range that refuses nothing": (
        lambda: keep.Metric("mse", "minimize", (0, 1e300)),
        r"its range \[0, 1e\+300\] refuses nothing; stay within 1e\+100",
    ),
    "a goal that is none": (lambda: keep.Metric("s", "up", (0, 1)), "the goal of s is 'up'; one of minimize, maximize"),  # type: ignore[arg-type]  # the mistake
    "a holdout of no kind": (lambda: keep.Holdout("h", "maximize", (0, 1), ""), "holdout 'h' says no kind"),
    "a cap that refuses all": (lambda: keep.Speed(max_gain_per_window=0), "max_gain_per_window is 0; give a gain"),
}


@pytest.mark.parametrize(("make", "said"), PARTS.values(), ids=PARTS.keys())
def test_a_part_that_could_not_judge_is_refused(make: Callable[[], object], said: str) -> None:
    with pytest.raises(GateError, match=said):
        make()


TOML = """
[gate]
n = 5
without = { holdout = "the test set is not bought yet" }

[gate.primary]
name = "val_loss"
goal = "minimize"
within = [0, 20]

[[gate.guards]]
metric = "entropy"
within = [0, 12]
floor = 2.5

[[gate.margins]]
metric = "entropy"
least = 0.5
"""


def test_a_gate_can_be_declared_in_a_file() -> None:
    settings = keep.declared(tomllib.loads(TOML)["gate"])
    assert settings == keep.GateSettings(
        primary=keep.Metric("val_loss", "minimize", (0, 20)),
        guards=(keep.Guard("entropy", (0, 12), floor=2.5),),
        margins=(keep.Margin("entropy", 0.5),),
        without={"holdout": "the test set is not bought yet"},
    )
    assert keep.declared(settings.table()) == settings
    assert keep.declared(settings.table()).hash == settings.hash


def test_a_gate_stands_in_the_settings_beside_a_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    assert load(tmp_path / "run.jsonl").gate is None
    (tmp_path / "trajscope.toml").write_text(TOML)
    table = load(tmp_path / "run.jsonl").gate
    assert table is not None
    assert keep.declared(table).primary.name == "val_loss"


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("floor = 2.5", "", "needs a floor or a ceiling"),
        ("floor = 2.5", "floor = nan", "the floor of guard 'entropy' is nan"),
        ("floor = 2.5", "floor = inf", "the floor of guard 'entropy' is inf"),
        ("floor = 2.5", 'floor = "2.5"', r"gate: Expected `float \| null`, got `str`"),
        ("floor = 2.5", "floor = true", r"gate: Expected `float \| null`, got `bool`"),
        ("floor = 2.5", "floor = 2.5\nflor = 2.5", "gate: Object contains unknown field `flor`"),
        ("n = 5", "min_efect = 0.1", "gate: Object contains unknown field `min_efect`"),
        ("least = 0.5", "", "gate: Object missing required field `least`"),
        ("holdout =", "hodlout =", "gate: Invalid enum value 'hodlout'"),
    ],
)
def test_a_threshold_that_is_wrong_in_a_file_is_an_error(old: str, new: str, said: str) -> None:
    with pytest.raises(GateError, match=said):
        keep.declared(tomllib.loads(TOML.replace(old, new))["gate"])


def test_the_published_triple_still_needs_its_guards() -> None:
    with pytest.raises(GateError, match="the gate has no guards"):
        keep.published(SCORE, margins=(RANK,))
    settings = keep.published(SCORE, guards=(RESPONSE,), margins=(RANK,))
    assert (settings.alpha, settings.min_d, settings.test, settings.n) == (0.025, 0.3, "welch", 5)
    assert sorted(settings.without) == ["confirmation", "holdout", "incumbent", "variance"]


def test_settings_that_differ_have_another_hash() -> None:
    one = keep.GateSettings(**SETTINGS)
    other = keep.GateSettings(**{**SETTINGS, "holdout": HOLDOUT, "alpha": 0.01})
    assert one.hash == keep.GateSettings(**SETTINGS).hash != other.hash
