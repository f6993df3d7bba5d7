"""The keep gate, step by step: what it needs, what it refuses and with which sentence, and what it remembers.

Planted and seen to fail: see each test of a refusal; with its step left out of the course, the candidate is kept.
"""

from __future__ import annotations

import json
from pathlib import Path
from statistics import fmean
from typing import Any

import pytest
from keepcase import BASE, DIRECTION, HASHES, SETTINGS, World, ran, run

import trajscope
from trajscope import Level, keep
from trajscope.errors import GateError, GuardVacuousError
from trajscope.keep import bounds
from trajscope.keep.arms import Row

NEW = {"lr": 0.2}


@pytest.fixture
def world() -> World:
    return World(1)


def test_a_better_candidate_is_confirmed_compared_anew_held_out_and_kept(world: World) -> None:
    gate = world.gate()
    first = gate.decide(world.arm(gate.seeds, score=0.7), ran())
    assert (first.word, first.kept, first.status) == ("ABORT", False, "aborted")  # undecided is not kept
    asked, given, decision = [first.needs], [], first
    while decision.needs:
        given.append(world.measure({"score": 0.7}, {"score": 0.6})(decision.needs))
        decision = gate.more(given[-1])
        asked.append(decision.needs)
    new, old = (fmean(row["metrics"]["score"] for row in arm) for arm in given[:2])
    assert [n.what for n in asked if n] == ["confirm", "incumbent", "holdout"]
    assert asked[0] is not None
    assert asked[1] is not None
    assert asked[0].config == trajscope.config_hash(NEW)
    assert asked[1].config == trajscope.config_hash(BASE)
    assert asked[0].seeds == asked[1].seeds == (10, 11, 12, 13, 14)  # 0-4 the baseline, 5-9 the candidate
    assert decision.kept
    assert decision.status == "kept"
    assert decision.holdout_pass is True
    assert decision.reason == f"score is {new - old:.4g} better on 5 fresh seeds"
    assert [v.rule.removeprefix("keep.") for v in decision.verdicts] == [
        *("integrity", "validity", "guards", "margins", "multiplicity", "test", "effect"),
        *("confirm", "confirm", "confirm", "incumbent", "confirm", "confirm", "holdout"),
    ]


def test_the_effect_that_is_reported_is_the_one_of_the_fresh_seeds(world: World) -> None:
    decision = run(world, world.gate())
    assert decision.numbers["effect"] == decision.numbers["confirm.delta"] != decision.numbers["delta"]
    assert decision.deltas["score"]["incumbent"] == pytest.approx(decision.numbers["effect"])


def test_a_candidate_that_is_the_incumbent_again_is_reverted_with_its_number(world: World) -> None:
    decision = run(world, world.gate(), 0.6)
    assert decision.word == "REVERT"
    assert decision.reason.startswith("test: score is ")
    assert decision.reason.endswith("(welch, alpha 0.005): not beyond noise")


def test_a_gain_below_the_least_effect_is_reverted(world: World) -> None:
    decision = run(world, world.gate({"min_effect": 0.2}), 0.7)
    assert decision.word == "REVERT"
    assert "and 0.2 is the least that counts" in decision.reason


def test_a_lucky_draw_is_not_confirmed(world: World) -> None:
    gate = world.gate()
    measure = world.measure({"score": 0.6}, {"score": 0.6})
    decision = gate.decide(world.arm(gate.seeds, score=0.7), ran(), measure=measure)
    assert decision.word == "REVERT"
    assert decision.reason.startswith("confirm: ")
    assert decision.numbers["p"] < 0.005  # the record of the draw stays


def test_an_unlucky_incumbent_is_measured_again_and_no_candidate_profits(world: World) -> None:
    gate = world.gate(baseline=world.arm(score=0.5))
    decision = run(world, gate, 0.6)
    assert (decision.word, decision.numbers["p"] < 0.005) == ("REVERT", True)
    assert len(gate.state()["incumbent"]["arm"]) == 10  # and what was measured anew is remembered


def test_a_confirmation_on_seeds_that_were_used_before_is_no_confirmation(world: World) -> None:
    gate = world.gate()
    gate.decide(world.arm(range(5), score=0.7), ran())
    decision = gate.more(world.arm(range(5), score=0.7))
    assert decision.word == "ABORT"
    assert decision.reason == "confirm: seed 0, 1, 2, 3, 4 was used before; fresh ones are needed"


def test_the_incumbent_is_measured_on_seeds_it_was_not_measured_on_before(world: World) -> None:
    gate = world.gate()
    gate.decide(world.arm(range(5, 10), score=0.7), ran())
    gate.more(world.arm(range(10, 15), score=0.7))
    decision = gate.more(world.arm(range(5)))
    assert decision.word == "ABORT"
    assert decision.reason == "incumbent: seed 0, 1, 2, 3, 4 was used before; fresh ones are needed"


def test_a_guard_itself_holds_no_nan(world: World) -> None:
    arm = (Row(0, {"direction": float("nan")}),)
    assert bounds.broken(DIRECTION, arm) == "direction is nan on seed 0, below its floor of 0.7"


def test_the_holdout_answers_with_one_bit_and_no_number_of_it_is_told(world: World) -> None:
    gate = world.gate()
    measure = world.measure({"score": 0.7}, {"score": 0.6}, pds=0.5)
    decision = gate.decide(world.arm(gate.seeds, score=0.7), ran(), measure=measure)
    assert (decision.word, decision.holdout_pass) == ("REVERT", False)
    told = json.dumps([decision.reason, decision.verdicts, decision.numbers, decision.deltas])
    assert "pds" not in told
    assert str(decision.sealed["pds"])[:6] not in told
    assert set(decision.sealed["seeds"]) == {"10", "11", "12", "13", "14"}


def test_a_fault_in_the_holdout_is_an_abort_that_tells_no_value(world: World) -> None:
    gate = world.gate()

    def measure(need: keep.Need) -> Any:
        found = world.measure({"score": 0.7}, {"score": 0.6})(need)
        return {**found, need.seeds[0]: 1.25} if need.what == "holdout" else found

    decision = gate.decide(world.arm(gate.seeds, score=0.7), ran(), measure=measure)
    assert (decision.word, decision.holdout_pass, decision.sealed) == ("ABORT", None, {})
    assert decision.reason == "holdout: it could not be judged: 1 of 5 seeds at fault"


def test_a_spent_holdout_keeps_nothing_more(world: World) -> None:
    holdout = keep.Holdout("pds", "maximize", (0, 1), "rank", budget=1)
    gate = world.gate({"holdout": holdout})
    measure = world.measure({"score": 0.7}, {"score": 0.6}, pds=0.5)
    assert gate.decide(world.arm(gate.seeds, score=0.7), ran(), measure=measure).word == "REVERT"
    decision = gate.decide(world.arm(gate.seeds, score=0.7), ran({"lr": 0.3}), measure=measure)
    assert decision.word == "ABORT"
    assert decision.reason == (
        "holdout: all 1 queries of the holdout are spent; nothing is kept until there is a new holdout"
    )


def test_what_cannot_be_measured_is_not_kept(world: World) -> None:
    gate = world.gate()

    def measure(need: keep.Need) -> Any:
        raise TimeoutError("no card is free")

    decision = gate.decide(world.arm(gate.seeds, score=0.7), ran(), measure=measure)
    assert (decision.word, decision.needs) == ("ABORT", None)
    assert decision.reason == "confirm: could not be measured (TimeoutError: no card is free)"


def test_a_candidate_left_undecided_is_gone_and_its_test_stays_in_the_ledger(world: World) -> None:
    gate = world.gate()
    assert gate.decide(world.arm(gate.seeds, score=0.7), ran()).needs
    assert run(world, gate, 0.6).word == "ABORT"  # the same configuration
    assert len(gate.ledger) == 1
    with pytest.raises(GateError, match="nothing is waited for"):
        gate.more(world.arm())


def test_the_ledger_counts_every_test_and_what_they_may_let_through(world: World) -> None:
    gate = world.gate()
    for n in range(3):
        gate.decide(world.arm(gate.seeds, score=0.6), ran({"lr": 1 + n}))
    assert [(t.n, t.alpha, round(t.alpha_spent, 4)) for t in gate.ledger] == [
        (1, 0.005, 0.005),
        (2, 0.005, 0.01),
        (3, 0.005, 0.015),
    ]


# Step 0: the change of `ran`, and what is said.
INTEGRITY = {
    "nothing is known": (None, Level.UNKNOWN, "the hashes of evaluator and data were not taken after the run"),
    "an evaluator that was changed": (
        {"hashes": {**HASHES, "evaluator": "f" * 64}},
        Level.FAIL,
        "evaluator was eeeeeeeeeeee at the campaign's start and is ffffffffffff now",
    ),
    "data that have no hash any more": (
        {"hashes": {"evaluator": "e" * 64}},
        Level.FAIL,
        "data was dddddddddddd at the campaign's start and is missing now",
    ),
    "a hash that is new": (
        {"hashes": {**HASHES, "tests": "t" * 64}},
        Level.FAIL,
        "tests was missing at the campaign's start and is tttttttttttt now",
    ),
    "a knob that drifted": (
        {"effective": {"lr": 0.3}},
        Level.FAIL,
        "what ran is not what was proposed: lr: proposed 0.2, ran 0.3",
    ),
    "a configuration nobody read back": (
        {"effective": None},
        Level.UNKNOWN,
        "the effective configuration is not known; hand it over with ran",
    ),
    "another parent": ({"parent": {"lr": 9}}, Level.FAIL, "it was applied to "),
    "a no-op": (
        {"proposed": {"lr": 0.10}, "effective": {"lr": 0.1}},
        Level.FAIL,
        "it changes nothing: what ran is the incumbent",
    ),
    "a repeat": (
        {"seen": 1},
        Level.FAIL,
        "this configuration ran once before; declare a replicate, with fresh seeds",
    ),
    "a history nobody looked into": (
        {"seen": None},
        Level.UNKNOWN,
        "nobody looked whether this configuration ran before; hand over how often, as seen",
    ),
    "an edit without a diff": (
        {"diff": ""},
        Level.UNKNOWN,
        "there is no diff; an edit that nobody can read again is not kept",
    ),
}


@pytest.mark.parametrize(("change", "level", "said"), INTEGRITY.values(), ids=INTEGRITY.keys())
def test_what_ran_must_be_what_was_proposed(
    world: World, change: dict[str, Any] | None, level: Level, said: str
) -> None:
    gate = world.gate()
    decision = gate.decide(world.arm(gate.seeds, score=0.7), keep.Ran() if change is None else ran(**change))
    assert (decision.word, decision.needs) == ("ABORT", None)
    assert decision.reason.startswith(f"integrity: {said}")
    assert decision.verdicts[0].level is level


def test_a_declared_replicate_needs_fresh_seeds_and_has_them(world: World) -> None:
    gate = world.gate()
    run(world, gate, 0.6)
    again = ran(intent="replicate", seen=1)
    old = gate.decide(world.arm(range(5, 10), score=0.7), again)
    assert (old.word, "a replicate: seed 5, 6, 7, 8, 9 was used before" in old.reason) == ("ABORT", True)
    assert gate.decide(world.arm(gate.seeds, score=0.7), again).needs


def test_a_diff_follows_from_two_whole_configurations(world: World) -> None:
    gate = world.gate(settings={"speed": keep.Speed()})
    decision = run(world, gate, 0.8)
    assert decision.pause is not None
    assert decision.pause.bundle["keeps"][0]["diff"] == "lr: 0.1 -> 0.2"


def test_hashes_of_configurations_do_as_well_as_whole_ones(world: World) -> None:
    gate = world.gate(config="c0")
    given = ran("c1", "c0", diff="- a\n+ b")
    measure = world.measure({"score": 0.7}, {"score": 0.6})
    assert gate.decide(world.arm(gate.seeds, score=0.7), given, measure=measure).kept


# Step 1: what is done to the seeds, and what is said.
VALIDITY: dict[str, tuple[Any, str]] = {
    "none at all": (lambda a: None, "the seeds cannot be read: NoneType is no list of seed results"),
    "too few": (lambda a: a[:4], "4 seeds are there and 5 are needed"),
    "one twice": (lambda a: [*a[:4], {**a[3], "first_step": 9.0}], "seed 8 is there twice"),
    "one that failed": (lambda a: [*a, {"seed": 99, "status": "oom"}], "seed 99 is oom, and the others do not"),
    "one without a status": (lambda a: [{**a[0], "status": None}, *a[1:]], "seed 5 is without a status"),
    "one without the metric": (lambda a: [{**a[0], "metrics": {}}, *a[1:]], "seed 5 has no score"),
    "one with no metrics": (lambda a: [{**a[0], "metrics": None}, *a[1:]], "seed 5 has no metrics"),
    "a name that is no number": (lambda a: [{**a[0], "seed": True}, *a[1:]], "a seed's id is True; give a whole"),
    "the same first step twice": (
        lambda a: [{**a[0], "first_step": a[1]["first_step"]}, *a[1:]],
        "seeds 5 and 6 have the same first step",
    ),
    "no first step": (lambda a: [{**a[0], "first_step": None}, *a[1:]], "seed 5 has no first_step, so nobody can"),
    "a first step that is NaN": (
        lambda a: [{**a[0], "first_step": float("nan")}, *a[1:]],
        "the first_step of seed 5 is nan, no finite number",
    ),
}


@pytest.mark.parametrize(("spoil", "said"), VALIDITY.values(), ids=VALIDITY.keys())
def test_survivors_do_not_speak_for_the_dead(world: World, spoil: Any, said: str) -> None:
    gate = world.gate()
    decision = gate.decide(spoil(world.arm(gate.seeds, score=0.7)), ran())
    assert (decision.word, decision.deltas) == ("ABORT", {})
    assert decision.reason.startswith(f"validity: {said}")


def test_a_value_outside_its_declared_range_is_not_believed(world: World) -> None:
    gate = world.gate()
    arm = world.arm(gate.seeds, score=0.7)
    arm[2]["metrics"]["score"] = 1.0000001
    assert gate.decide(arm, ran()).reason == "validity: score of seed 7 is 1, outside [-1, 1]"


def test_a_candidate_that_reports_the_holdout_itself_is_refused(world: World) -> None:
    gate = world.gate()
    arm = world.arm(gate.seeds, score=0.7)
    arm[0]["metrics"]["pds"] = 0.9
    decision = gate.decide(arm, ran())
    assert decision.word == "ABORT"
    assert decision.reason == ("validity: the candidate reports pds itself; a holdout is measured where it cannot see")


def test_three_seeds_are_provisional_and_say_so(world: World) -> None:
    gate = world.gate({"n": 3})
    decision = run(world, gate, 0.9)
    assert decision.verdicts[1] == trajscope.Verdict("keep.validity", Level.WARN, "3 seeds, fewer than 5: provisional")


# Step 2.
def test_one_bad_seed_breaks_a_guard(world: World) -> None:
    gate = world.gate()
    arm = world.arm(gate.seeds, score=0.7)
    arm[3]["metrics"]["direction"] = 0.69
    decision = gate.decide(arm, ran())
    assert decision.word == "REVERT"
    assert decision.reason == "guards: direction is 0.69 on seed 8, below its floor of 0.7"


def test_a_guard_slides_no_further_than_its_drop_from_the_best(world: World) -> None:
    gate = world.gate()
    decision = run(world, gate, 0.7, response=0.65)
    assert decision.word == "REVERT"
    assert "worse than the best of this campaign" in decision.reason
    assert decision.reason.endswith("0.5 is allowed")


def test_a_ceiling_is_a_floor_for_what_should_be_small(world: World) -> None:
    error = keep.Guard("error", (0, 5), ceiling=1.0, drop=0.1)
    gate = keep.Gate(keep.GateSettings(**{**SETTINGS, "guards": (error,), "margins": (), "without": {"margins": "-"}}))

    def arm(value: float, seeds: Any = range(5)) -> Any:
        return [{**a, "metrics": {**a["metrics"], "error": value}} for a in world.arm(seeds, score=0.9)]

    gate.start(
        baseline=[{**a, "metrics": {**a["metrics"], "score": a["metrics"]["score"] - 0.5}} for a in arm(0.5)],
        degenerates={"noise": {"error": 3}},
        config=BASE,
        hashes=HASHES,
        holdout=world.holdout(),
    )
    assert gate.decide(arm(1.5), ran()).reason == "guards: error is 1.5 on seed 0, above its ceiling of 1.0"
    assert "error is 0.7, 0.2 worse than the best of this campaign (0.5)" in gate.decide(arm(0.7), ran()).reason
    assert gate.decide(arm(0.55), ran()).needs


# Step 3.
def test_a_candidate_must_be_above_every_degenerate_predictor(world: World) -> None:
    degenerates = {"mean shift": {"response": 0.0, "direction": 0.6}, "shuffled": {"response": 1.1, "direction": 0.1}}
    gate = world.gate(degenerates=degenerates)
    decision = run(world, gate, 0.7)
    assert decision.word == "REVERT"
    assert decision.reason.startswith("margins: response is 0.")
    assert decision.reason.endswith(" above shuffled, and 0.2 above is asked for")


# Step 4.
def test_no_spread_in_either_arm_is_no_proof_and_asks_for_replicates(world: World) -> None:
    gate = world.gate({"without": {"variance": "tried here"}})
    state = gate.state()
    for row in state["incumbent"]["arm"]:
        row["metrics"]["score"] = 0.6
    gate = keep.Gate.resume(gate.settings, state)
    decision = gate.decide(world.arm(gate.seeds, score=0.7, sd=0), ran())
    assert decision.word == "ABORT"
    assert decision.reason.endswith("need replicates")


def test_a_collapsed_spread_is_kept_only_where_holdout_and_diversity_are_asked(world: World) -> None:
    gate = world.gate()
    decision = run(world, gate, 0.7, sd=1e-4)
    tested = next(v for v in decision.verdicts if v.rule == "keep.test")
    assert (decision.word, tested.level, decision.numbers["variance_collapse"]) == ("KEEP", Level.WARN, True)
    assert "but the seeds spread" in tested.reason
    blind = world.gate({"holdout": None, "without": {"holdout": "none yet"}})
    decision = run(world, blind, 0.7, sd=1e-4)
    assert decision.word == "ABORT"
    assert decision.reason.endswith("withheld: no holdout can say whether the model still works")
    guards = (keep.Guard("response", (0, 10), floor=0.5),)
    decision = run(world, world.gate({"guards": guards}), 0.7, sd=1e-4)
    assert decision.word == "ABORT"
    assert decision.reason.endswith("withheld: no diversity guard can say whether the model still looks at its input")


def test_replicates_moderate_the_test_and_are_what_auto_takes(world: World) -> None:
    gate = world.gate(replicates={"warmup": {s: 0.55 + 0.02 * (-1) ** s for s in range(20, 26)}})
    decision = run(world, gate, 0.7)
    assert decision.numbers["test"] == "moderated"
    assert decision.numbers["df"] == 5 + 8  # five from six replicates, eight from the two arms


def test_a_paired_test_needs_a_pairing_that_was_shown_and_the_incumbents_seeds(world: World) -> None:
    base = [0.5 + 0.01 * (i % 5) for i in range(12)]
    good = (dict(enumerate(base)), {i: v + 0.05 + 0.001 * (i % 2) for i, v in enumerate(base)})
    gate = world.gate({"test": "paired"}, pairing=good)
    assert gate.seeds == (0, 1, 2, 3, 4)
    assert gate.decide(world.arm(gate.seeds, score=0.7), ran()).numbers["test"] == "paired"
    decision = gate.decide(world.arm(range(50, 55), score=0.7), ran({"lr": 5}))
    assert decision.word == "ABORT"
    assert decision.reason == "test: a paired test was declared, and the incumbent was not measured on seed 50"
    bad = (dict(enumerate(base)), {i: -v for i, v in enumerate(base)})
    for pairing, said in (
        (None, "a paired test needs a pairing shown valid on 10 shared seeds"),
        (({0: 0.1}, {0: 0.2}), "the pairing shares 1 seeds; 10 show"),
        (bad, r"the pairing is not valid: over 12 shared seeds the correlation is -1\.00"),
    ):
        with pytest.raises(GateError, match=said):
            world.gate({"test": "paired"}, pairing=pairing)


# Preflight.
def test_guards_that_let_a_degenerate_pass_are_vacuous(world: World) -> None:
    with pytest.raises(GuardVacuousError, match=r"every guard lets mean shift pass: response 0\.9 \(floor 0\.5\)"):
        world.gate(degenerates={"mean shift": {"response": 0.9, "direction": 0.9}})


def test_a_guard_that_cannot_move_is_vacuous(world: World) -> None:
    stuck = [{**a, "metrics": {**a["metrics"], "direction": 0.8}} for a in world.arm()]
    with pytest.raises(
        GuardVacuousError, match=r"guard direction is 0\.8 for the baseline and for zero: it cannot move"
    ):
        world.gate(baseline=stuck, degenerates={"zero": {"response": 0.0, "direction": 0.8}})


def test_a_baseline_that_breaks_a_guard_itself_is_said(world: World) -> None:
    gate = keep.Gate(keep.GateSettings(**SETTINGS))
    said = gate.start(
        baseline=world.arm(direction=0.6),
        degenerates={"zero": {"response": 0.0, "direction": 0.1}},
        config=BASE,
        hashes=HASHES,
        holdout=world.holdout(),
    )
    assert next(v.reason for v in said if v.level is Level.WARN).startswith("the baseline itself is refused: direction")


START: dict[str, tuple[dict[str, Any], str]] = {
    "a baseline with a seed lost": ({"baseline": World().arm(range(4))}, "the baseline cannot be judged: 4 seeds"),
    "a baseline without noise": ({"baseline": World().arm(sd=0)}, "score is the same on all 5 seeds of the baseline"),
    "no degenerates": ({"degenerates": {}}, "guards are tried on degenerate predictors, and none was measured"),
    "a degenerate without its guard": ({"degenerates": {"zero": {"response": 0}}}, "zero cannot be judged: .* no dir"),
    "a degenerate that failed": (
        {"degenerates": {"zero": [{"seed": 0, "status": "crashed"}]}},
        "zero cannot be judged: seed 0 is crashed",
    ),
    "no hashes": ({"hashes": None}, "the hashes of evaluator and data are missing"),
    "an empty hash": ({"hashes": {"evaluator": ""}}, "the hashes of evaluator and data are missing"),
    "no configuration": ({"config": None}, "the baseline's configuration is not known"),
    "no holdout": ({"holdout": None}, "the baseline's holdout cannot be judged"),
    "too little of the holdout": ({"holdout": {0: 0.5}}, "the baseline's holdout cannot be judged: 1 seeds are there"),
    "a rate that is no number": ({"history": [float("nan")]}, "a finished campaign's rate is nan"),
}


@pytest.mark.parametrize(("change", "said"), START.values(), ids=START.keys())
def test_a_campaign_that_cannot_be_judged_does_not_begin(world: World, change: dict[str, Any], said: str) -> None:
    with pytest.raises(GateError, match=said):
        world.gate(**change)


def test_a_gate_begins_once_and_is_asked_only_after_that(world: World) -> None:
    with pytest.raises(GateError, match="the gate was not started"):
        keep.Gate(keep.GateSettings(**SETTINGS)).decide(world.arm())
    gate = world.gate()
    with pytest.raises(GateError, match="this campaign has begun"):
        gate.start(baseline=world.arm())


# What is remembered.
def test_a_gate_goes_on_from_plain_json_in_the_middle_of_a_decision(world: World) -> None:
    gate = world.gate()
    decision = gate.decide(world.arm(gate.seeds, score=0.7), ran())
    measure = world.measure({"score": 0.7}, {"score": 0.6})
    while decision.needs:
        again = keep.Gate.resume(gate.settings, json.loads(json.dumps(gate.state())))
        assert again.state() == gate.state()
        given = measure(decision.needs)
        decision = gate.more(given)
        assert again.more(given) == decision
    assert decision.kept


def test_a_state_of_other_settings_version_or_shape_is_refused(world: World) -> None:
    gate = world.gate()
    other = keep.GateSettings(**{**SETTINGS, "alpha": 0.05})
    with pytest.raises(GateError, match="a gate does not change within a campaign"):
        keep.Gate.resume(other, gate.state())
    with pytest.raises(GateError, match="is of version 2, this is 1"):
        keep.Gate.resume(gate.settings, {**gate.state(), "v": 2})
    with pytest.raises(GateError, match="cannot be read"):
        keep.Gate.resume(gate.settings, {**gate.state(), "ledger": None})


def test_a_decision_is_a_trial_of_a_run(world: World, tmp_path: Path) -> None:
    gate = world.gate()
    seeds = world.arm(gate.seeds, score=0.7)
    decision = gate.decide(seeds, ran(), measure=world.measure({"score": 0.7}, {"score": 0.6}))
    metric = {"name": "score", "goal": "maximize"}
    with trajscope.open_run(tmp_path / "run.jsonl", metric=metric, settings={"gate": gate.settings.table()}) as run:
        run.trial(NEW, seeds=seeds, **decision.record())
    line = json.loads((tmp_path / "run.jsonl").read_text().splitlines()[1])
    assert (line["status"], line["gate"]["tests"], line["holdout"]["pass"]) == ("kept", 1, True)
    assert line["deltas"]["score"]["baseline"] == pytest.approx(decision.deltas["score"]["baseline"])
    assert "pds" not in (tmp_path / "run.jsonl").read_text().split("\n")[1]


def test_the_next_candidate_is_compared_with_what_was_kept(world: World) -> None:
    gate = world.gate()
    assert run(world, gate, 0.7).kept
    measure = world.measure({"score": 0.7}, {"score": 0.7})
    second = gate.decide(world.arm(gate.seeds, score=0.7), ran({"lr": 0.4}, NEW), measure=measure)
    assert second.word == "REVERT"
    assert abs(second.deltas["score"]["incumbent"]) < 0.05 < second.deltas["score"]["baseline"]


def test_what_a_gate_goes_without_stands_in_every_decision(world: World) -> None:
    gate = world.gate({"holdout": None, "without": {"holdout": "the test set is not bought yet"}})
    said = trajscope.Verdict("keep.without", Level.WARN, "without holdout: the test set is not bought yet")
    assert run(world, gate, 0.6).verdicts[0] == said
    measure = world.measure({"score": 0.7}, {"score": 0.6})
    kept = gate.decide(world.arm(gate.seeds, score=0.7), ran({"lr": 0.7}), measure=measure)
    assert kept.verdicts[0] == said
    assert (kept.kept, kept.reason.endswith("; without holdout: the test set is not bought yet")) == (True, True)
