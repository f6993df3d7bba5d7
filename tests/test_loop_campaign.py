"""What a campaign does, trial by trial, and that no known way of keeping what should not be kept is open in it.

The names F1 to F26 are those of the paths on which a published loop kept what it should not have, or lost what it had.
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from loopfield import GATE, MENU, SOURCE, Field, InProcess, Scripted, Toy, measure, x, y

import trajscope
from trajscope.integrity import constants
from trajscope.keep import GateError
from trajscope_loop import folder as folders
from trajscope_loop import memory, pause, plan, view
from trajscope_loop.errors import CampaignError, ProposerError
from trajscope_loop.evaluate import Bench, Stopped, leftovers, lost
from trajscope_loop.executors.local import Local
from trajscope_loop.seams import Job, Result, View

OPEN: dict[str, Any] = {"gate": "open", "pauses": []}


def on_seed(
    wanted: int, change: Callable[[Result], Mapping[str, Any]], stage: str = "screen"
) -> Callable[[Job], Result]:
    """A bench that is itself, but for one seed of a stage."""

    def changed(job: Job) -> Result:
        found = measure(job)
        if job["seed"] % 5 == wanted and f"-{stage}-" in job["key"]:
            found.update(change(found))  # type: ignore[typeddict-item]  # a planted fault may be of any shape
        return found

    return changed


def one(tmp: Path, *proposals: object, fn: Callable[[Job], Result] = measure, **more: Any) -> dict[str, Any]:
    """The first trial of a campaign whose bench is `fn`."""
    field = Field(tmp, Scripted(*proposals or (x(5.0),)), iterations=1, **more)
    field.fn = fn
    field.go()
    return field.trials()[0]


# --- what it does ----------------------------------------------------------------------------------------------------


def test_a_good_change_is_kept_and_the_next_stands_on_it(tmp_path: Path) -> None:
    field = Field(tmp_path, Scripted(x(5.0), y(3), x(2.0)), iterations=3)
    assert field.go().code == 0
    first, second, third = field.trials()
    assert [t["status"] for t in (first, second, third)] == ["kept", "kept", "reverted"]
    assert second["base_hash"] == first["config_hash"]
    assert third["base_hash"] == second["config_hash"]
    assert second["parent"] == first["tree"]
    said = constants(field.standing())
    assert (said["X"], said["Y"]) == (5, 3)
    assert [m["what"] for m in field.lines("measure")] == ["baseline", "degenerate", *["confirm", "incumbent"] * 2]
    doc = trajscope.analyze(field.run)[0]
    assert doc["integrity"] == {"status": "verified", "drifted": []}
    assert doc["audit"]["keeps_not_composing"] == []
    assert doc["lines"]["unreadable"] == 0


def test_a_refusal_goes_back_with_its_reason_and_what_could_be_tried_instead(tmp_path: Path) -> None:
    proposer = Scripted(x(0.0), x(0.0), "let me think", y(3))
    field = Field(tmp_path, proposer, iterations=2)
    field.go()
    asked = proposer.views[-1]
    assert [v.rule for v in asked.refusals] == ["repeat", "schema"]
    assert "x=0 was tried before" in asked.refusals[0].reason
    assert asked.refusals[0].alternatives
    assert asked.refused == ("x=0", "")
    attempts = field.trials()[1]["attempts"]
    assert [a["verdict"]["level"] for a in attempts] == ["FAIL", "FAIL", "PASS"]
    assert attempts[1]["said"] == "let me think"
    assert "Refused just now: x=0: x=0 was tried before" in view.text(asked)


def test_after_five_refusals_an_unseen_cell_is_drawn_and_the_proposer_is_not_asked_again(tmp_path: Path) -> None:
    proposer = Scripted(x(0.0), *[x(0.0)] * 9)
    field = Field(tmp_path, proposer, iterations=2)
    field.go()
    attempts = field.trials()[1]["attempts"]
    assert len(attempts) == 6
    assert len(proposer.views) == 6
    assert attempts[-1]["reason"] == "drawn by the rails after 5 refusals"
    assert attempts[-1]["verdict"]["level"] == "PASS"


def test_an_exhausted_menu_ends_the_campaign_and_says_so(tmp_path: Path) -> None:
    menu = {"knobs": {"y": MENU["knobs"]["y"], "mode": MENU["knobs"]["mode"]}}
    domain = Toy(tmp_path, menu=menu)
    domain.base = {"y": 0, "mode": "a"}
    field = Field(tmp_path, Scripted(fn=lambda _: y(1)), domain=domain)

    def less(job: Job) -> Result:
        found = measure(job)
        return {**found, "effective": {k: v for k, v in (found["effective"] or {}).items() if k != "x"}}

    field.fn = less
    outcome = field.go()
    assert outcome.code == 0
    assert "the menu is exhausted" in outcome.said
    last = field.trials()[-1]
    assert (last["status"], last["reason_code"]) == ("blocked", "menu_exhausted")
    labels = [tuple(c.values()) for t in field.trials()[:-1] for c in t["attempts"][-1]["changes"]]
    assert len(labels) == len(set(labels)) == 6  # all of y, since what it began with is new once y has moved; mode b
    assert "menu is exhausted" in field.lines("end")[0]["reason"]


def test_without_a_menu_to_draw_from_a_refused_trial_is_blocked(tmp_path: Path) -> None:
    domain = Toy(tmp_path)
    domain.menu = None
    field = Field(tmp_path, Scripted(*["prose"] * 5), domain=domain, iterations=1)
    field.go()
    (trial,) = field.trials()
    assert trial["status"] == "blocked"
    assert [a["verdict"]["rule"] for a in trial["attempts"]] == ["schema"] * 5


def test_what_the_proposer_saw_is_kept_word_for_word_beside_the_line(tmp_path: Path) -> None:
    long = "What stands: " + "x" * 5000
    trial = one(tmp_path, x(5.0), domain=None)
    assert trial["shown"] == "turn 100"
    (tmp_path / "long").mkdir()
    field = Field(tmp_path / "long", Scripted(x(5.0), shown=long), iterations=1)
    field.go()
    name = field.trials()[0]["shown"]["blob"]
    assert (field.folder / "run.blobs" / name).exists()


def test_the_proposer_sees_nothing_of_the_holdout(tmp_path: Path) -> None:
    proposer = Scripted(x(5.0), y(3), x(4.0))
    field = Field(tmp_path, proposer, iterations=3)
    field.go()
    sealed = [json.loads(s) for s in (field.folder / "run.holdout.jsonl").read_text().splitlines()]
    values = {repr(v) for s in sealed for v in s["values"]["seeds"].values()}
    assert len(values) == 10
    told = view.text(proposer.views[-1]) + repr(proposer.views[-1]) + field.run.read_text()
    assert not [v for v in values if v in told]
    assert all("rank" not in p.metrics for p in proposer.views[-1].past)


def test_a_holdout_value_in_what_the_proposer_was_shown_aborts_the_trial(tmp_path: Path) -> None:
    field = Field(tmp_path, Scripted(x(5.0)), iterations=1)
    field.go()
    value = json.loads((field.folder / "run.holdout.jsonl").read_text())["values"]["rank"]
    folder = tmp_path / "again"
    folder.mkdir()
    again = Field(folder, Scripted(x(5.0)), iterations=1)
    again.go()
    assert again.trials()[0]["status"] == "kept"
    leaky = Field(_new(tmp_path, "leaky"), Scripted(x(5.0), y(3), shown=f"rank is {value:.6f}"), iterations=2)
    leaky.go()
    assert leaky.trials()[1]["status"] == "aborted"
    assert "a value of the holdout was shown" in leaky.trials()[1]["why"]


def test_the_budget_ends_it_before_a_proposal_that_could_exceed_it_is_paid_for(tmp_path: Path) -> None:
    proposer = Scripted(x(5.0), y(3), x(4.0), usd=1.0)
    field = Field(tmp_path, proposer, budget={"usd": 2.5})
    outcome = field.go()
    assert outcome.code == 0
    assert "2 of 2.5 usd are spent and the dearest trial so far took 1" in outcome.said
    assert len(proposer.views) == 2
    assert field.trials()[0]["cost"]["usd"] == 1.0


def test_a_campaign_that_has_ended_takes_no_further_trial(tmp_path: Path) -> None:
    field = Field(tmp_path, Scripted(x(5.0), y(3)), iterations=1)
    field.go()
    assert field.go().said == "finished: 1 trials"
    assert len(field.trials()) == 1


def test_off_rails_repeats_run_and_the_header_says_that_nobody_asked(tmp_path: Path) -> None:
    field = Field(tmp_path, Scripted(x(5.0), x(5.0), x(5.0)), iterations=3, rails="off", **OPEN)
    field.go()
    assert [t["attempts"][0]["changes"][0]["value"] for t in field.trials()] == [5, 5, 5]
    assert all("verdict" not in t["attempts"][0] for t in field.trials())
    header = field.lines("run")[0]
    assert header["settings"]["rails"]["mode"] == "off"
    assert header["settings"]["gate"]["kind"] == "open"
    assert header["unguarded_because"] == "left out on purpose: this campaign shows what happens without it"
    assert [m["role"] for m in header["metrics"]] == ["primary", "degenerate", "diagnostic"]


def test_rails_with_a_window_forget_what_lies_before_it(tmp_path: Path) -> None:
    script = (x(0.5), x(0.0), x(0.5))
    wide = Field(_new(tmp_path, "wide"), Scripted(*script, y(1)), iterations=3, rails="window", window=2, **OPEN)
    narrow = Field(_new(tmp_path, "narrow"), Scripted(*script), iterations=3, rails="window", window=1, **OPEN)
    wide.go()
    narrow.go()
    assert [len(t["attempts"]) for t in wide.trials()] == [1, 1, 2]
    assert [len(t["attempts"]) for t in narrow.trials()] == [1, 1, 1]


def test_the_gamer_is_kept_by_the_open_gate_and_refused_by_ours(tmp_path: Path) -> None:
    dead = x(9.5)
    assert one(_new(tmp_path, "open"), dead, rails="off", **OPEN)["status"] == "kept"
    refused = one(_new(tmp_path, "ours"), dead)
    assert refused["status"] == "reverted"
    assert "spread is 0 on seed" in refused["why"]


def test_an_open_gate_that_would_pause_is_overridden_in_writing(tmp_path: Path) -> None:
    script = [x(v) for v in (2.0, 3.0, 4.0, 5.0, 6.0)] + [y(1), y(2), y(3)]
    field = Field(tmp_path, Scripted(*script), iterations=8, rails="off", **OPEN)
    assert field.go().code == 0
    assert len(field.trials()) == 8
    (said,) = [e["data"] for e in field.lines("event") if e["kind"] == "override"]
    assert said["by"] == "the plan: the gate may not pause this campaign"


# --- what stops it ---------------------------------------------------------------------------------------------------


def test_a_proposer_that_fails_is_recorded_waited_for_longer_each_time_and_given_up(tmp_path: Path) -> None:
    field = Field(tmp_path, Scripted(fn=lambda _: ProposerError("429: too many")), backoff_s=2.0, failures=4)
    waited: list[float] = []
    field.stop.wait = waited.append  # type: ignore[method-assign, assignment]  # time is not for tests to spend
    outcome = field.go()
    assert outcome.code == 3
    assert "4 trials in a row came to nothing, the last: 429: too many" in outcome.said
    assert waited == [2.0, 4.0, 8.0]
    assert [t["status"] for t in field.trials()] == ["proposer_error"] * 4


def test_a_trial_without_a_proposal_does_not_count_and_one_that_works_ends_the_row(tmp_path: Path) -> None:
    script = (ProposerError("a"), ProposerError("b"), x(5.0), ProposerError("c"), y(1))
    field = Field(tmp_path, Scripted(*script), iterations=2, failures=3)
    assert field.go().said == "finished: 2 trials"
    assert [t["status"] for t in field.trials()] == [
        "proposer_error",
        "proposer_error",
        "kept",
        "proposer_error",
        "kept",
    ]


def test_a_proposer_that_breaks_in_an_unforeseen_way_costs_one_trial(tmp_path: Path) -> None:
    field = Field(tmp_path, Scripted(ZeroDivisionError("x"), y(1)), iterations=1)
    field.go()
    assert field.trials()[0]["why"] == "ZeroDivisionError: x"


def test_the_pause_file_stops_it_before_the_next_proposal(tmp_path: Path) -> None:
    def proposes(seen: View) -> object:
        (field.folder / folders.PAUSE).touch()
        return x(5.0) if seen.trials == 0 else y(1)

    field = Field(tmp_path, Scripted(fn=proposes), iterations=2)
    outcome = field.go()
    assert outcome.code == 0
    assert "PAUSE is there; remove it, then resume" in outcome.said
    assert len(field.trials()) == 1
    (field.folder / folders.PAUSE).unlink()
    field.go()
    assert len(field.trials()) == 2


@pytest.mark.parametrize(("signal", "code"), [("SIGTERM", 0), ("SIGINT", 130)])
def test_asked_to_stop_it_gives_up_the_seeds_that_run_and_records_nothing_half(
    tmp_path: Path, signal: str, code: int
) -> None:
    field = Field(tmp_path, Scripted(x(5.0), y(1)), iterations=2)

    def stops(job: Job) -> Result:
        if job["key"].startswith("00001-screen-7"):
            field.stop.ask(signal)
        return measure(job)

    field.fn = stops
    outcome = field.go()
    assert outcome.code == code
    assert f"stopped by {signal} in trial 1" in outcome.said
    assert field.trials() == []
    assert field.executor.closed
    field.fn, field.stop = measure, pause.Stop()
    assert field.go().code == 0
    assert [t["status"] for t in field.trials()] == ["kept", "kept"]


def test_the_gate_pauses_with_what_a_person_decides_on_and_an_ack_goes_on(tmp_path: Path) -> None:
    domain = Toy(tmp_path, gate={"speed": {"plausible_ceiling": 0.5}})
    field = Field(tmp_path, Scripted(x(5.0), y(1)), domain=domain, iterations=2)
    outcome = field.go()
    assert outcome.code == 1
    assert "better than the plausible ceiling of 0.5" in outcome.said
    (event,) = [e for e in field.lines("event") if e["kind"] == "pause"]
    (kept,) = event["data"]["bundle"]["keeps"]
    assert "+X = 5" in kept["diff"]
    assert kept["holdout_pass"] is True
    assert kept["gaps"]["spread"] > 0.9
    assert kept["deltas"]["score"]["baseline"] > 0.15
    state = memory.read(field.folder / folders.STATE)
    assert state.pause is not None
    assert state.pause.nonce not in field.run.read_text()
    assert field.go().code == 1  # it does not go away by itself
    with folders.held(field.folder):
        campaign = field.campaign()
        with pytest.raises(CampaignError, match="not the one that this pause was shown with"):
            campaign.ack("Ada", "00000000")
        campaign.ack("Ada", state.pause.nonce, up_to=0.9)
        campaign.close()
    assert field.go().code == 0
    assert len(field.trials()) == 2
    (ack,) = [e["data"] for e in field.lines("event") if e["kind"] == "ack"]
    assert (ack["by"], ack["up_to"]) == ("Ada", 0.9)


def test_an_ack_shows_the_bundle_and_takes_the_nonce_back(tmp_path: Path) -> None:
    keep = {"value": 0.6, "effect": 0.2, "holdout_pass": True, "gaps": {"spread": 1.0}, "diff": "-X = 1\n+X = 5\x1b[2J"}
    found = memory.Pause(kind="gate", why="too good", at="now", nonce="abcd1234", bundle={"keeps": [keep], "of": 1})
    out = StringIO()
    assert pause.confirm(found, StringIO("abcd1234\n"), out) == "abcd1234"
    assert "+X = 5" in out.getvalue()
    assert "holdout passed" in out.getvalue()
    assert "\x1b" not in out.getvalue()
    for typed in ("", "\n", "abcd\n"):
        with pytest.raises(CampaignError, match="nothing was acknowledged"):
            pause.confirm(found, StringIO(typed), StringIO())


def test_without_a_terminal_nobody_acknowledges(tmp_path: Path) -> None:
    with (
        pytest.raises(CampaignError, match="an acknowledgement is given by a person"),
        pause.terminal(str(tmp_path / "no")),
    ):
        pass


def test_a_linter_in_the_workspace_is_named_and_pauses_the_campaign(tmp_path: Path) -> None:
    def linter(job: Job) -> Result:
        if "-screen-" in job["key"]:
            script = field.folder / "work" / "train.py"
            script.write_text(script.read_text().replace("X = 5", "X = 4"))
        return measure(job)

    field = Field(tmp_path, Scripted(x(5.0), y(1)), iterations=2)
    field.fn = linter
    outcome = field.go()
    assert outcome.code == 1
    (trial,) = field.trials()
    assert (trial["status"], trial["reason_code"]) == ("aborted", "tampered")
    assert "train.py" in trial["why"]
    assert constants(field.standing())["X"] == 1.0
    doc = trajscope.analyze(field.run)[0]
    assert doc["verdict"]["word"] == "TAMPERED"
    state = memory.read(field.folder / folders.STATE)
    assert state.pause is not None
    field.fn = measure
    with folders.held(field.folder):
        campaign = field.campaign()
        campaign.ack("Ada", state.pause.nonce)
        campaign.close()
    field.go()
    assert field.trials()[1]["status"] == "kept"


def test_a_workspace_that_is_written_to_between_trials_runs_nothing(tmp_path: Path) -> None:
    def proposes(seen: View) -> object:
        (field.folder / "work" / "train.py").write_bytes(SOURCE.replace(b"Y = 0", b"Y = 4"))
        return x(5.0)

    field = Field(tmp_path, Scripted(fn=proposes), iterations=1)
    field.go()
    (trial,) = field.trials()
    assert (trial["status"], trial["reason_code"]) == ("aborted", "tampered")
    assert "somebody wrote there" in trial["why"]
    assert not [k for k in field.executor.started if "screen" in k]


def test_a_linter_during_the_confirmation_leaves_nothing_kept(tmp_path: Path) -> None:
    def linter(job: Job) -> Result:
        if "-confirm-" in job["key"]:
            (field.folder / "work" / "train.py").write_text("X = 4\n")
        return measure(job)

    field = Field(tmp_path, Scripted(x(5.0)), iterations=1)
    field.fn = linter
    field.go()
    (trial,) = field.trials()
    assert (trial["status"], trial["reason_code"]) == ("aborted", "tampered")
    assert constants(field.standing())["X"] == 1.0


def test_unwatched_what_stands_on_the_disk_runs_and_the_header_says_so(tmp_path: Path) -> None:
    def save(self: Any, tree: Any, parent: str) -> None:
        (self.root / "train.py").write_bytes(tree.files["train.py"].replace(b"X = 5", b"X = 2"))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("loopfield.Plain.save", save)
        field = Field(tmp_path, Scripted(x(5.0)), iterations=1, integrity="off", **OPEN)
        field.go()
    (trial,) = field.trials()
    assert abs(trial["value"] - 0.41) < 0.02  # x = 2, not what was proposed
    assert field.lines("run")[0]["settings"]["rails"]["integrity"] == "off"


@pytest.mark.parametrize(("pauses", "code", "trials"), [(["TAMPERED"], 1, 1), ([], 0, 3)])
def test_a_rule_that_begins_to_fail_is_written_once_and_pauses_if_the_plan_says_so(
    tmp_path: Path, pauses: list[str], code: int, trials: int
) -> None:
    field = Field(tmp_path, Scripted(x(5.0), y(1), y(2)), iterations=3, pauses=pauses)

    def linter(job: Job) -> Result:
        if "00001-screen" in job["key"]:
            (field.folder / "work" / "train.py").write_bytes(SOURCE.replace(b"X = 1.0", b"X = 3"))
        return measure(job)

    field.fn = linter
    outcome = field.go()
    assert outcome.code == code
    assert len(field.trials()) == trials
    assert {t["reason_code"] for t in field.trials()} == {"tampered"}  # every later one is marked until somebody looks
    assert [e["data"]["rule"] for e in field.lines("event") if e["kind"] == "alarm"] == ["integrity"]
    assert outcome.said.startswith("paused: integrity: " if pauses else "finished")


# --- the ways a published loop failed --------------------------------------------------------------------------------


def test_f1_and_f2_a_guard_that_is_missing_or_nan_in_one_seed_is_no_keep(tmp_path: Path) -> None:
    gone = one(_new(tmp_path, "a"), fn=on_seed(2, lambda r: {"metrics": {"score": r["metrics"]["score"]}}))
    assert (gone["status"], "has no spread" in gone["why"]) == ("aborted", True)
    nan = one(_new(tmp_path, "b"), fn=on_seed(2, lambda r: {"metrics": {**r["metrics"], "spread": float("nan")}}))
    assert (nan["status"], "no finite number" in nan["why"]) == ("aborted", True)


def test_f3_a_threshold_that_is_missing_never_begins_a_campaign(tmp_path: Path) -> None:
    with pytest.raises(GateError, match="needs a floor or a ceiling"):
        Toy(tmp_path, gate={"guards": [{"metric": "spread", "within": [0, 10]}]})


def test_f7_seeds_that_do_not_vary_are_no_keep(tmp_path: Path) -> None:
    def same(job: Job) -> Result:
        found = measure(job)
        return {
            **found,
            "metrics": {"score": 0.9 if "screen" in job["key"] else found["metrics"]["score"], "spread": 1.0},
        }

    trial = one(tmp_path, fn=same, domain=Toy(tmp_path, gate={"holdout": None, "without": {"holdout": "none here"}}))
    assert trial["status"] != "kept"


def test_f8_one_seed_that_crashed_makes_the_trial_crash_and_survivors_say_nothing(tmp_path: Path) -> None:
    trial = one(tmp_path, fn=on_seed(3, lambda r: {"status": "timeout", "metrics": {}, "error": "after 30 s"}))
    assert (trial["status"], trial["reason_code"], trial["value"]) == ("crashed", "timeout", None)
    assert [s["status"] for s in trial["seeds"]].count("ok") == 4


def test_f8_a_confirmation_seed_that_crashed_is_no_keep(tmp_path: Path) -> None:
    trial = one(tmp_path, fn=on_seed(1, lambda r: {"status": "oom", "metrics": {}}, stage="confirm"))
    assert trial["status"] == "aborted"
    assert "is oom, and the others do not speak for it" in trial["why"]


def test_f9_and_f10_a_seed_that_ended_well_with_nothing_measured_is_no_keep(tmp_path: Path) -> None:
    trial = one(tmp_path, fn=on_seed(0, lambda r: {"metrics": {}}))
    assert (trial["status"], trial["value"]) == ("aborted", None)


class Silent(InProcess):
    """An executor that forgets jobs, answers for others, or twice."""

    def run(self, fn: Callable[[Job], Result], jobs: Sequence[Job]) -> Iterator[Result]:
        for job in jobs:
            if "screen" in job["key"] and job["seed"] % 5 == 4:
                yield {**measure(job), "key": "somebody else's"}
                continue
            yield measure(job)
            yield measure(job)


def test_f10_a_result_that_never_came_is_a_crash_and_one_of_another_job_is_nobodys(tmp_path: Path) -> None:
    field = Field(tmp_path, Scripted(x(5.0)), iterations=1)
    field.executor = Silent()
    field.go()
    (trial,) = field.trials()
    assert (trial["status"], trial["reason_code"]) == ("crashed", "crashed")
    assert [s.get("error") for s in trial["seeds"]][-1] == "the executor gave no result for it"


class Broken(InProcess):
    """An executor that fails as a whole once the campaign goes."""

    def run(self, fn: Callable[[Job], Result], jobs: Sequence[Job]) -> Iterator[Result]:
        if "screen" in jobs[0]["key"]:
            raise ConnectionError("the cluster is gone")
        yield from super().run(fn, jobs)


def test_an_executor_that_fails_crashes_its_trials_until_somebody_mends_it(tmp_path: Path) -> None:
    field = Field(tmp_path, Scripted(*map(x, (5.0, 4.0, 3.0))), failures=2)
    field.executor = Broken()
    outcome = field.go()
    assert outcome.code == 3
    assert [t["status"] for t in field.trials()] == ["crashed", "crashed"]
    assert "the cluster is gone" in field.trials()[0]["seeds"][0]["error"]


def test_f11_a_holdout_that_fell_is_no_keep_whatever_the_primary_did(tmp_path: Path) -> None:
    def falls(job: Job) -> Result:
        found = measure(job)
        lower = found["holdout"]["rank"] - (0.5 if "confirm" in job["key"] else 0.0)
        return {**found, "holdout": {"rank": lower}}

    trial = one(tmp_path, fn=falls)
    assert trial["status"] == "reverted"
    assert trial["holdout"]["pass"] is False


def test_f12_a_candidate_that_reports_the_holdout_itself_is_no_keep_and_its_value_is_not_written(
    tmp_path: Path,
) -> None:
    trial = one(tmp_path, fn=on_seed(1, lambda r: {"metrics": {**r["metrics"], "rank": 0.98765}}))
    assert trial["status"] == "aborted"
    assert "0.98765" not in json.dumps(trial)


def test_f13_an_evaluator_that_changed_is_no_keep(tmp_path: Path) -> None:
    domain = Toy(tmp_path)

    def changes(job: Job) -> Result:
        if "screen" in job["key"]:
            domain.evaluator = "f" * 16
        return measure(job)

    trial = one(tmp_path, fn=changes, domain=domain)
    assert trial["status"] == "aborted"
    assert "evaluator was eeeeeeeeeeee at the campaign's start and is ffffffffffff now" in trial["why"]


def test_f13_seeds_that_ran_different_codes_are_tampered_with(tmp_path: Path) -> None:
    trial = one(tmp_path, fn=on_seed(1, lambda r: {"code_sha": "0" * 64}))
    assert (trial["status"], trial["reason_code"]) == ("aborted", "tampered")
    assert trial["why"] == "the seeds ran 2 different codes; nothing may change while they run"


def test_f15_f16_f26_seeds_that_saw_other_data_are_no_keep(tmp_path: Path) -> None:
    some = one(_new(tmp_path, "some"), fn=on_seed(1, lambda r: {"data_sha": "0" * 64}))
    assert (some["status"], "data of the seeds was dddd" in some["why"]) == ("aborted", True)

    def all_(job: Job) -> Result:
        return {**measure(job), "data_sha": "0" * 64 if "screen" in job["key"] else "d" * 64}

    assert one(_new(tmp_path, "all"), fn=all_)["status"] == "aborted"


def test_f16_a_configuration_that_is_not_the_proposed_one_is_no_keep(tmp_path: Path) -> None:
    def ran(job: Job) -> Result:
        found = measure(job)
        return {**found, "effective": {**(found["effective"] or {}), "y": 4}} if "screen" in job["key"] else found

    trial = one(tmp_path, fn=ran)
    assert (trial["status"], trial["reason_code"]) == ("aborted", "tampered")
    assert "y: proposed 0, ran 4" in trial["why"]


def test_f17_a_guard_that_cannot_move_never_begins_a_campaign(tmp_path: Path) -> None:
    domain = Toy(tmp_path)
    domain.degenerates = lambda _: {"mean": {"score": 1.6, "spread": 1.0}}  # type: ignore[method-assign, assignment]  # a planted fault
    field = Field(tmp_path, Scripted(), domain=domain)
    with pytest.raises(GateError, match="lets mean pass"):
        field.go()
    assert field.trials() == []


def test_f19_every_keep_has_its_diff_its_deltas_and_every_seed(tmp_path: Path) -> None:
    trial = one(tmp_path)
    assert trial["status"] == "kept"
    assert "-X = 1.0\n+X = 5" in trial["diff"]
    assert trial["deltas"]["score"]["incumbent"] > 0.15
    assert len(trial["seeds"]) == 5


def test_a_gate_of_pairs_asks_the_same_seeds_all_night(tmp_path: Path) -> None:
    """Planted and seen to fail: without the pairing the gate does not start."""
    more: dict[str, Any] = {"gate": "paired", "pairing": {"y": 1}, "pauses": []}
    field = Field(tmp_path, Scripted(x(2.0), x(3.0), x(2.9)), iterations=3, rails="off", **more)

    def seeded(job: Job) -> Result:
        found = measure(job)
        score = found["metrics"]["score"] + job["seed"] * 0.1  # what a seed is worth, whatever is tried
        return {**found, "metrics": {**found["metrics"], "score": score}}

    field.fn = seeded
    field.go()
    assert [t["status"] for t in field.trials()] == ["kept", "kept", "reverted"]
    assert all([s["seed"] for s in t["seeds"]] == [0, 1, 2, 3, 4] for t in field.trials())
    header = field.lines("run")[0]["settings"]["gate"]
    assert (header["kind"], header["test"], header["alpha"], header["min_d"]) == ("paired", "paired", 0.1, 0.15)
    for odd in ({"gate": "paired"}, {"pairing": {"y": 1}}):
        with pytest.raises(CampaignError, match="pairing goes with gate = 'paired'"):
            plan.made({"domain": "toy", **odd})


def test_f19_a_keep_without_a_diff_is_refused_by_the_loop_itself(tmp_path: Path) -> None:
    field = Field(tmp_path, Scripted(y(0)), iterations=1, rails="off", **OPEN)

    def lifts(job: Job) -> Result:
        found = measure(job)
        more = 0.5 if "screen" in job["key"] else 0.0
        return {**found, "metrics": {**found["metrics"], "score": found["metrics"]["score"] + more}}

    field.fn = lifts
    field.go()
    (trial,) = field.trials()
    assert (trial["status"], trial["reason_code"]) == ("aborted", "evidence")
    assert field.lines("run")[0]["settings"]["gate"]["kind"] == "open"
    assert memory.read(field.folder / folders.STATE).base == {"x": 1.0, "y": 0, "mode": "a"}


def test_f20_a_rejected_candidate_is_in_nobodys_base(tmp_path: Path) -> None:
    proposer = Scripted(x(2.0, reason="worse"), x(0.0), y(3))
    field = Field(tmp_path, proposer, iterations=3)

    def only_y(job: Job) -> Result:
        found = measure(job)
        dead = "screen" in job["key"] and b"Y = 0" in job["files"]["train.py"]
        return {**found, "metrics": {**found["metrics"], "spread": 0.0 if dead else 1.0}}

    field.fn = only_y
    field.go()
    assert [t["status"] for t in field.trials()] == ["reverted", "reverted", "kept"]
    assert all(dict(v.base) == {"x": 1.0, "y": 0, "mode": "a"} for v in proposer.views)
    assert "-Y = 0\n+Y = 3" in field.trials()[2]["diff"]
    assert "X = 2" not in field.trials()[2]["diff"]


def test_f22_the_proposer_is_told_what_the_record_says(tmp_path: Path) -> None:
    proposer = Scripted(x(5.0), y(3))
    field = Field(tmp_path, proposer, iterations=2)
    field.go()
    (told,) = proposer.views[1].past
    trial = field.trials()[0]
    assert (told.label, told.status, told.value) == ("x=5", "kept", trial["value"])
    assert proposer.views[1].best == trial["value"]


def test_f26_a_replicate_is_measured_on_fresh_seeds_only(tmp_path: Path) -> None:
    field = Field(tmp_path, Scripted(x(2.0), y(1), x(2.0, intent="replicate")), iterations=3)
    field.go()
    seeds = [s["seed"] for line in field.lines() for s in line.get("seeds") or [] if isinstance(s, dict)]
    confirmed = [s["seed"] for m in field.lines("measure") if m["what"] == "incumbent" for s in m["seeds"]]
    assert len(seeds) - len(confirmed) == len(set(seeds))  # the incumbent alone shares them, with the confirmation


# --- its parts -------------------------------------------------------------------------------------------------------


def test_no_result_in_time_is_a_timeout_of_every_seed_that_is_left(tmp_path: Path) -> None:
    class Stuck(InProcess):
        def run(self, fn: Callable[[Job], Result], jobs: Sequence[Job]) -> Iterator[Result]:
            yield fn(jobs[0])
            never.wait()

        def close(self) -> None:
            never.set()

    never = threading.Event()
    domain = Toy(tmp_path)
    domain.timeout_s = 0.0
    jobs = [domain.job(tmp_path, domain.workspace(tmp_path).standing(), {}, s, f"k{s}") for s in range(3)]
    found = Bench(tmp_path / "seeds", Stuck, measure, grace_s=0.5).measure(jobs)
    assert [r["status"] for r in found] == ["ok", "timeout", "timeout"]


def test_leftovers_are_found_by_what_their_environment_says(tmp_path: Path) -> None:
    for pid, said in (("77", b"A=1\0TRAJSCOPE_CAMPAIGN=abc\0"), ("78", b"TRAJSCOPE_CAMPAIGN=abcd\0"), ("x", b"")):
        (tmp_path / pid).mkdir()
        (tmp_path / pid / "environ").write_bytes(said)
    (tmp_path / "79").mkdir()
    assert leftovers("abc", tmp_path) == [77]
    assert leftovers("abc", tmp_path / "no") == []
    assert os.getpid() not in leftovers("abc")


@pytest.mark.parametrize(
    ("table", "says"),
    [
        ({"iteration": 3}, "nothing is called 'iteration'; did you mean iterations"),
        ({"iterations": 0}, "iterations is 0; give 1 or more"),
        ({"iterations": "3"}, "Expected `int`"),
        ({"rails": "none"}, "Invalid enum value 'none'"),
        ({"rails": "window"}, "window goes with rails = 'window'"),
        ({"window": 5}, "window goes with rails = 'window'"),
        ({"pauses": ["never"]}, "nothing pauses on 'never'"),
        ({"proposer": {"k": 5}}, "the proposer names no kind"),
        ({"budget": {"hrs": 5}}, "the budget knows no 'hrs'"),
        ({"budget": {"hours": 0}}, "hours is 0"),
        ({"backoff_s": -1}, "backoff_s is -1"),
    ],
)
def test_a_plan_that_could_not_be_carried_out_is_refused_in_one_line(table: dict[str, Any], says: str) -> None:
    with pytest.raises(trajscope.TrajscopeError, match=says):
        plan.made({"domain": "toy"} | table)


def test_a_plan_reads_back_as_it_was_written(tmp_path: Path) -> None:
    found = plan.made({"domain": "toy", "budget": {"hours": 8}, "pauses": []})
    (tmp_path / "campaign.json").write_bytes(found.text())
    assert plan.load(tmp_path / "campaign.json") == found


def test_a_lost_result_fits_every_field_of_a_result(tmp_path: Path) -> None:
    domain = Toy(tmp_path)
    job = domain.job(tmp_path, domain.workspace(tmp_path).standing(), {}, 1, "k")
    assert set(lost(job, "crashed", "x")) == Result.__annotations__.keys() - {"usd"}
    assert GATE["primary"]["name"] == "score"


def _new(tmp: Path, name: str) -> Path:
    (tmp / name).mkdir()
    return tmp / name


def test_a_local_executor_that_is_given_up_ends_what_runs(tmp_path: Path) -> None:
    jobs = [_hanging(tmp_path, s) for s in (1, 2)]
    stop = pause.Stop()
    bench = Bench(tmp_path / "seeds", Local, wait_for_ever, grace_s=30, asked=lambda: stop.asked, bell=stop.bell)
    threading.Timer(0.5, stop.ask, ["SIGTERM"]).start()
    with pytest.raises(Stopped, match="SIGTERM"):
        bench.measure(jobs)
    assert not [t for t in threading.enumerate() if t.name == "loop-hands"]


def wait_for_ever(_: Job) -> Result:
    """A training that never ends."""
    return threading.Event().wait()  # type: ignore[return-value]  # it does not


def _hanging(tmp: Path, seed: int) -> Job:
    domain = Toy(tmp)
    return domain.job(tmp, domain.workspace(tmp).standing(), {}, seed, f"k{seed}")
