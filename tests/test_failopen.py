"""Faults by which gates of research loops were found to let candidates through, each tried on ours by its number.

Held here, by the keep gate and the recorder: 1-11, 14, 15, 16 (as seeds that miss a feature), 17, 19, 21, 22, 26.
Held elsewhere or still to be held where a loop runs things, which a gate cannot see:
12 (metrics printed by the code under test) and 13 (frozen files by comment only) by `trajscope.integrity` and by an
executor that scores in a process of its own; 18 (placeholder data advertised as knowledge) by the provenance a domain
declares; 20 (a rejected edit that stays) by integrity's compare-and-swap and by the parent the gate compares; 23 and 24
(errors that burn iterations, replies cut at the wrong tag) by the proposers, whose faults are `proposer_error`; 25 (no
alarm for speed, no person, no ledger of cost) by `test_keep_alarms.py` and the budget rail.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
from keepcase import BASE, DEAD, HASHES, RESPONSE, SETTINGS, World, ran, run

import trajscope
from trajscope import keep
from trajscope.errors import GateError, GuardVacuousError, LockedError, RecordError, TrajscopeError

NAN, INF = float("nan"), math.inf


@pytest.fixture
def world() -> World:
    return World(1)


def _without(arm: Any, metric: str, seeds: int = 5) -> Any:
    """The arm with a metric missing in its first seeds."""
    for row in arm[:seeds]:
        del row["metrics"][metric]
    return arm


def _with(arm: Any, metric: str, value: object, seeds: int = 5) -> Any:
    for row in arm[:seeds]:
        row["metrics"][metric] = value
    return arm


def test_f1_a_guard_missing_in_candidate_or_baseline_is_not_no_violation(world: World) -> None:
    gate = world.gate()
    decision = gate.decide(_without(world.arm(gate.seeds, score=0.7), "direction", 1), ran())
    assert (decision.word, decision.reason) == ("ABORT", "validity: seed 5 has no direction")
    with pytest.raises(GateError, match="the baseline cannot be judged: seed 0 has no direction"):
        world.gate(baseline=_without(world.arm(), "direction", 1))


@pytest.mark.parametrize("value", [NAN, INF, -INF, None])
@pytest.mark.parametrize("seeds", [1, 5])
def test_f2_a_guard_that_is_not_finite_is_not_no_violation(world: World, value: object, seeds: int) -> None:
    gate = world.gate()
    decision = gate.decide(_with(world.arm(gate.seeds, score=0.7), "direction", value, seeds), ran())
    assert (decision.word, "direction of seed 5 is" in decision.reason) == ("ABORT", True)
    with pytest.raises(GateError, match="the baseline cannot be judged: direction of seed 0 is"):
        world.gate(baseline=_with(world.arm(), "direction", value, seeds))


def test_f3_no_threshold_is_an_error_and_zero_is_zero(world: World) -> None:
    with pytest.raises(GateError, match="a guard without a bound guards nothing"):
        keep.Guard("net_value", (-1e10, 1e10))
    value = keep.Guard("net_value", (-1e10, 1e10), floor=0.0)
    gate = world.gate(
        {"guards": (value,), "margins": (), "without": {"margins": "-"}},
        baseline=_with(world.arm(), "net_value", 1e8),
        degenerates={"never go": {"net_value": -1.0}},
    )
    for now, word in ((-1e-9, "REVERT"), (-2.1e8, "REVERT"), (0.0, "ABORT"), (0.91e8, "ABORT")):
        arm = _with(world.arm(gate.seeds, score=0.7), "net_value", now)
        decision = gate.decide(arm, ran({"lr": now}))
        assert (decision.word, decision.needs is not None) == (word, word == "ABORT")


def test_f4_a_floor_is_absolute(world: World) -> None:
    decision = run(world, world.gate(), 0.7, direction=0.53)
    assert decision.word == "REVERT"
    assert decision.reason.startswith("guards: direction is 0.5")
    assert decision.reason.endswith("below its floor of 0.7")


def test_f5_six_drops_of_nine_percent_do_not_slide_a_guard_away(world: World) -> None:
    guard = keep.Guard("direction", (0, 1), floor=0.4, drop=0.1)
    settings = {"guards": (RESPONSE, guard), "speed": keep.Speed(plausible_ceiling=1.0)}
    gate = world.gate(settings, baseline=world.arm(sd=0.005), degenerates={"zero": ZERO})
    config, score, words = BASE, 0.6, []
    for n in range(1, 7):
        measure = world.measure(
            {"score": 0.6 + n / 20, "sd": 0.005, "direction": 0.8 * 0.91**n}, {"score": score, "sd": 0.005}
        )
        arm = world.arm(gate.seeds, score=0.6 + n / 20, sd=0.005, direction=0.8 * 0.91**n)
        decision = gate.decide(arm, ran({"lr": float(n)}, config), measure=measure)
        words.append(decision.word)
        if decision.kept:
            config, score = {"lr": float(n)}, 0.6 + n / 20
    assert words == ["KEEP", *["REVERT"] * 5]  # .728 is within .1 of the start's .8; .662 and all after are not


ZERO = {"response": 0.0, "direction": 0.1}


def test_f6_abstention_is_not_skipped(world: World) -> None:
    """Cells without a prediction are missing or NaN: a seed that has them is not judged by the rest."""
    gate = world.gate()
    arm = world.arm(gate.seeds, score=0.79)
    arm[0]["metrics"]["response"] = NAN
    assert gate.decide(arm, ran()).word == "ABORT"
    # Predicting no effect lifts the primary and empties the response: the diversity guard and the margin see it.
    flat = run(world, gate, 0.79, response=0.02)
    assert (flat.word, flat.reason.startswith("guards: response is 0.0")) == ("REVERT", True)


def test_f7_no_variance_is_no_proof_either_way(world: World) -> None:
    gate = world.gate({"without": {"variance": "tried here"}})
    plain = gate.state()
    for row in plain["incumbent"]["arm"]:
        row["metrics"]["score"] = 0.6
    for gain in (1e-6, 0.1):
        again = keep.Gate.resume(gate.settings, plain)
        decision = again.decide(world.arm(gate.seeds, score=0.6 + gain, sd=0), ran())
        assert (decision.word, decision.reason.endswith("need replicates")) == ("ABORT", True)
    with pytest.raises(GateError, match="noise that is 0 tests nothing"):
        world.gate(baseline=world.arm(sd=0))


def test_f7_a_tiny_gain_without_spread_is_not_kept_and_a_true_one_is(world: World) -> None:
    tiny = run(world, world.gate(baseline=_exact(world, 0.6)), 0.6 + 1e-6, sd=0.0)
    assert tiny.word == "REVERT"
    assert run(world, world.gate(), 0.7, sd=0.0).kept  # holdout and diversity were asked


def _exact(world: World, score: float) -> Any:
    """A baseline whose mean is exactly this."""
    arm = world.arm()
    for row, off in zip(arm, (-0.02, -0.01, 0, 0.01, 0.02), strict=True):
        row["metrics"]["score"] = score + off
    return arm


def test_f8_lost_seeds_are_not_left_out_and_the_test_is_not_exchanged(world: World) -> None:
    gate = world.gate()
    arm = world.arm(gate.seeds, score=0.9)
    arm[1], arm[4] = ({"seed": arm[i]["seed"], "status": "crashed", "metrics": {}} for i in (1, 4))
    decision = gate.decide(arm, ran())
    assert decision.word == "ABORT"
    assert decision.reason.startswith("validity: seed 6 is crashed, and the others do not speak for it; seed 9")
    assert gate.decide(world.arm(range(5, 8), score=0.9), ran()).word == "ABORT"
    assert gate.ledger == ()


def test_f8_seeds_are_paired_by_their_id_and_never_by_position(world: World) -> None:
    base = [0.5 + 0.01 * i for i in range(12)]
    pairing = (dict(enumerate(base)), {i: v + 0.05 + 0.001 * (i % 2) for i, v in enumerate(base)})
    gate = world.gate({"test": "paired"}, pairing=pairing)
    arm = world.arm(range(5), score=0.7)
    decision = gate.decide(list(reversed(arm)), ran())
    again = keep.Gate.resume(gate.settings, {**gate.state(), "pending": None, "tried": {}, "ledger": []})
    assert again.decide(arm, ran()).numbers == decision.numbers


def test_f9_a_metric_is_counted_by_its_values_not_by_the_seeds_that_ended_well(world: World) -> None:
    gate = world.gate()
    decision = gate.decide(_without(world.arm(gate.seeds, score=0.9), "score", 3), ran())
    assert decision.word == "ABORT"
    assert decision.reason == "validity: seed 5 has no score; seed 6 has no score; seed 7 has no score"


@pytest.mark.parametrize("metrics", [{}, None, []])
def test_f10_success_with_empty_metrics_is_no_success(world: World, metrics: object) -> None:
    gate = world.gate()
    arm = [{**row, "metrics": metrics} for row in world.arm(gate.seeds, score=0.9)]
    assert gate.decide(arm, ran()).word == "ABORT"


def test_f11_there_is_one_primary_and_the_other_is_a_guard(world: World) -> None:
    with pytest.raises(GateError, match="a gate has one primary metric; make the others guards"):
        keep.GateSettings(**{**SETTINGS, "primary": [SETTINGS["primary"], SETTINGS["primary"]]})
    q = keep.Guard("q", (0, 1), floor=0.5, drop=0.05)
    gate = world.gate(
        {"guards": (q,), "margins": (), "without": {"margins": "-"}},
        baseline=_with(world.arm(), "q", 0.9),
        degenerates={"zero": {"q": 0.0}},
    )
    decision = gate.decide(_with(world.arm(gate.seeds, score=0.9), "q", 0.1), ran())
    assert (decision.word, decision.reason) == ("REVERT", "guards: q is 0.1 on seed 5, below its floor of 0.5")


def test_f14_what_stands_must_be_what_the_candidate_was_built_on(world: World) -> None:
    """A file that a killed run left behind is another parent than the one recorded."""
    gate = world.gate()
    decision = gate.decide(world.arm(gate.seeds, score=0.9), ran(parent={"lr": 0.7}))
    assert (decision.word, "and " in decision.reason, decision.reason.endswith("stands")) == ("ABORT", True, True)


def test_f15_other_data_than_at_the_start_abort(world: World) -> None:
    gate = world.gate()
    for data in ("synthetic", None, ""):
        decision = gate.decide(world.arm(gate.seeds, score=0.9), ran(hashes={**HASHES, "data": data}))
        assert (decision.word, decision.reason.startswith("integrity: data was dddddddddddd")) == ("ABORT", True)


def test_f16_a_seed_that_ran_with_other_features_lacks_what_the_others_report(world: World) -> None:
    gate = world.gate()
    assert gate.decide(_without(world.arm(gate.seeds, score=0.9), "response", 1), ran()).word == "ABORT"


def test_f17_a_guard_that_cannot_move_is_an_error(world: World) -> None:
    diversity = keep.Guard("gen_diversity", (0, 1), floor=0.3, kind="diversity")
    settings = {"guards": (*SETTINGS["guards"], diversity)}
    with pytest.raises(GuardVacuousError, match=r"guard gen_diversity is 0\.5 for the baseline and for dead"):
        world.gate(
            settings,
            baseline=_with(world.arm(), "gen_diversity", 0.5),
            degenerates={"dead": {**DEAD, "gen_diversity": 0.5}},
        )


def test_f19_a_keep_has_its_diff_its_seeds_and_its_deltas(world: World, tmp_path: Path) -> None:
    gate = world.gate(config="c0")
    assert gate.decide(world.arm(gate.seeds, score=0.9), ran("c1", "c0", diff="")).reason == (
        "integrity: there is no diff; an edit that nobody can read again is not kept"
    )
    seeds = world.arm(gate.seeds, score=0.7)
    measure = world.measure({"score": 0.7}, {"score": 0.6})
    decision = gate.decide(seeds, ran("c1", "c0", diff="- a\n+ b"), measure=measure)
    metric = {"name": "score", "goal": "maximize"}
    with trajscope.open_run(tmp_path / "run.jsonl", metric=metric) as run_:
        with pytest.raises(RecordError, match="and no diff"):
            run_.trial({"code:train": "c1"}, seeds=seeds, **decision.record())
        run_.trial({"code:train": "c1"}, seeds=seeds, diff="- a\n+ b", **decision.record())
    line = json.loads((tmp_path / "run.jsonl").read_text().splitlines()[1])
    assert (line["diff"], len(line["seeds"])) == ("- a\n+ b", 5)
    assert set(line["deltas"]) == {"score", "response", "direction"}


def test_f21_a_restart_loses_nothing_and_no_second_writer_joins(world: World, tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    with trajscope.open_run(path, metric="loss") as first:
        first.trial({"lr": 1}, value=1.0, kept=False)
        with pytest.raises(LockedError):
            trajscope.open_run(path, metric="loss", resume=True)
    before = path.read_bytes()
    with pytest.raises(TrajscopeError):
        trajscope.open_run(path, metric="loss")
    with trajscope.open_run(path, metric="loss", resume=True) as again:
        again.trial({"lr": 2}, value=0.9, kept=True)
    assert path.read_bytes().startswith(before)
    gate = world.gate()
    run(world, gate, 0.6)
    resumed = keep.Gate.resume(gate.settings, json.loads(json.dumps(gate.state())))
    assert resumed.ledger == gate.ledger
    assert resumed.seeds == gate.seeds


def test_f22_a_delta_has_the_reference_it_was_measured_against(world: World) -> None:
    gate = world.gate()
    decision = run(world, gate, 0.7)
    base = [row["metrics"]["score"] for row in gate.state()["baseline"]]
    mean = [row["metrics"]["score"] for row in gate.state()["incumbent"]["arm"]]
    assert decision.deltas["score"]["baseline"] == pytest.approx(sum(mean) / 5 - sum(base) / 5)
    assert gate.decide([], ran()).deltas == {}  # nothing measured, nothing said: no 0.0


def test_f26_seeds_that_draw_other_data_are_not_paired_unless_it_was_shown(world: World) -> None:
    with pytest.raises(GateError, match="needs a pairing shown valid"):
        world.gate({"test": "paired"})
    rng = world.rng
    draws = {s: rng.uniform(-1, 1) for s in range(40)}
    with pytest.raises(GateError, match="the pairing is not valid"):
        world.gate({"test": "paired"}, pairing=(draws, {s: -v for s, v in draws.items()}))
