"""Parallel workers: a round loses nothing, brings nothing back, and keeps only what holds alone and together.

Planted and seen to fail: a candidate kept whole instead of its own files, a composition that is not measured, a stale
rewrite put onto what moved, the keep made before its lines, a lost result taken for a pass.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import pytest
from skillfield import FOUND, Inline, folder, quick

from trajscope import Level, TrajscopeError, Verdict, open_run
from trajscope_loop.crashes import failed
from trajscope_loop.domains.skills import suite
from trajscope_loop.errors import DomainError
from trajscope_loop.parallel import Outcome, Rewrite, Round, diff_of, gathered, take_up
from trajscope_loop.seams import Domain, Job, Result, Tree

DEPLOY, NOTES, REVIEW = "skills/deploy.md", "skills/release-notes.md", "skills/code-review.md"
SHORTER = {  # harmless
    DEPLOY: ("2. Deploy to staging and look", "2. Deploy to staging, look"),
    NOTES: ("1. List the merged changes", "1. List merged changes"),
    REVIEW: ("Praise what is good, once.", "Praise once."),
}


def made(place: Path, **given: Any) -> Round:
    options = {"executor": Inline(), "measure": quick, "judge": suite.improves, **given}
    return Round(cast("Domain", FOUND), FOUND.workspace(place), folder(place), **options)


def rewrite(parent: Tree, path: str, old: str = "", new: str = "", worker: str = "") -> Rewrite:
    """A rewrite of one passage; by default the harmless one of its file."""
    old, new = (old, new) if old else SHORTER[path]
    text = parent.files[path].decode()
    assert text.count(old) == 1
    return Rewrite(worker or path, diff_of(path, text, text.replace(old, new)), parent.sha, f"rewrites {path}")


def text(round_: Round, path: str) -> str:
    return (round_.workspace.root / path).read_text("utf-8")


def test_workers_are_asked_at_the_same_time_and_one_that_fails_stops_nobody(tmp_path: Path) -> None:
    round_ = made(tmp_path)
    together = threading.Barrier(3, timeout=20)

    def worker(path: str) -> Any:
        def propose(parent: Tree) -> Rewrite:
            together.wait()  # passes only when all three are at it
            if path == NOTES:
                raise OSError("no answer")
            return rewrite(parent, path)

        return propose

    outcomes = round_.take(gathered({p: worker(p) for p in SHORTER}, round_.workspace.standing()))
    assert [(o.rewrite.worker, o.status) for o in outcomes] == [
        (DEPLOY, "kept"),
        (NOTES, "proposer_error"),
        (REVIEW, "kept"),
    ]
    assert outcomes[1].why == "OSError: no answer"
    assert SHORTER[REVIEW][1] in text(round_, REVIEW)


def test_a_keep_of_one_file_does_not_bring_back_the_old_text_of_another(tmp_path: Path) -> None:
    round_ = made(tmp_path)
    first = round_.workspace.standing()
    round_.take([rewrite(first, DEPLOY)])
    late = rewrite(first, NOTES)  # written against the tree before the first keep
    (outcome,) = round_.take([late])
    assert outcome.status == "kept"
    for path in (DEPLOY, NOTES):
        assert SHORTER[path][1] in text(round_, path)
        assert SHORTER[path][0] not in text(round_, path)


def test_a_rewrite_of_a_file_that_was_rewritten_meanwhile_is_stale(tmp_path: Path) -> None:
    round_ = made(tmp_path)
    first = round_.workspace.standing()
    round_.take([rewrite(first, DEPLOY)])
    (late,) = round_.take([rewrite(first, DEPLOY, "1. Check with `Bash` that", "1. Check with `Bash` first that")])
    assert late.status == "stale"
    assert late.why == f"{DEPLOY} was rewritten since it was read; propose again from what stands"
    assert SHORTER[DEPLOY][1] in text(round_, DEPLOY)


def test_of_two_rewrites_of_one_file_the_first_stays(tmp_path: Path) -> None:
    round_ = made(tmp_path, judge=lengths(99))
    parent = round_.workspace.standing()
    other = rewrite(parent, DEPLOY, "one zone after the other", "zone after zone", worker="second")
    outcomes = round_.take([rewrite(parent, DEPLOY, worker="first"), other])
    assert [o.status for o in outcomes] == ["kept", "stale"]
    assert "was rewritten by first meanwhile" in outcomes[1].why
    assert "one zone after the other" in text(round_, DEPLOY)


def lengths(most: int) -> Any:
    """A judge that lets one file less than the start be as it was, and no more: good alone, bad together."""

    def judge(before: Sequence[Result], after: Sequence[Result]) -> Verdict:
        less = before[0]["metrics"]["words"] - after[0]["metrics"]["words"]
        return Verdict("test", Level.FAIL if less > most else Level.PASS, f"{less:g} words less")

    return judge


def test_what_is_good_alone_and_bad_together_is_found_and_the_later_one_goes(tmp_path: Path) -> None:
    round_ = made(tmp_path, judge=lengths(2))
    parent = round_.workspace.standing()  # 1, 1 and 3 words less
    outcomes = round_.take(
        [
            rewrite(parent, DEPLOY),
            rewrite(parent, NOTES),
            rewrite(parent, REVIEW, "Praise what is good, once.", "Praise what's good."),
        ]
    )
    assert [o.status for o in outcomes] == ["kept", "kept", "reverted"]
    assert outcomes[2].why == f"good alone, and not together with {DEPLOY}, {NOTES}: 4 words less"
    assert "Praise what is good" in text(round_, REVIEW)


def test_a_candidate_that_cannot_be_measured_is_crashed_and_the_others_stay(tmp_path: Path) -> None:
    def breaks(job: Job) -> Result:
        broken = SHORTER[NOTES][1].encode() in job["files"][NOTES]
        return failed(job, "crashed", "it fell over") if broken else quick(job)

    round_ = made(tmp_path, measure=breaks)
    parent = round_.workspace.standing()
    outcomes = round_.take([rewrite(parent, NOTES), rewrite(parent, DEPLOY)])
    assert (outcomes[0].status, outcomes[0].why) == ("crashed", "it fell over")
    assert outcomes[1].status == "kept"


def test_a_result_that_never_came_is_no_pass(tmp_path: Path) -> None:
    round_ = made(tmp_path, executor=Inline(lose=["0/"]))
    parent = round_.workspace.standing()
    with pytest.raises(DomainError, match="the executor gave no result"):
        round_.take([rewrite(parent, DEPLOY)])
    assert round_.workspace.standing() == parent


@pytest.mark.parametrize(
    ("diff", "why"),
    [
        ("nonsense", "the edit cannot be made"),
        ("", "the diff is empty|changes nothing"),
        ("--- /dev/null\n+++ b/skills/new.md\n@@ -0,0 +1 @@\n+x\n", "neither adds nor removes files"),
        ("--- /dev/null\n+++ b/judge.py\n@@ -0,0 +1 @@\n+x\n", "neither adds nor removes files"),
    ],
)
@pytest.mark.parametrize("rails", [True, False])
def test_what_is_no_rewrite_is_blocked_before_anything_is_measured(
    tmp_path: Path, diff: str, why: str, rails: bool
) -> None:
    round_ = made(tmp_path, rails=rails)
    (outcome,) = round_.take([Rewrite("w", diff, round_.workspace.standing().sha)])
    assert outcome.status == "blocked"
    assert re.search(why, outcome.why)


def test_a_parent_that_was_never_recorded_is_blocked(tmp_path: Path) -> None:
    round_ = made(tmp_path)
    sent = rewrite(round_.workspace.standing(), DEPLOY)._replace(parent="f" * 64)
    (outcome,) = round_.take([sent])
    assert outcome.status == "blocked"
    assert "no tree was recorded there" in outcome.why


def test_every_rewrite_has_a_line_with_its_diff_before_anything_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = tmp_path / "run.jsonl"
    with open_run(run, metric="triggered", goal="maximize") as record:
        round_ = made(tmp_path, record=record)
        parent = round_.workspace.standing()
        sent = [rewrite(parent, DEPLOY), Rewrite("lost", "nonsense", parent.sha, "tries")]

        def cut(*_: object) -> None:
            raise KeyboardInterrupt

        with monkeypatch.context() as patched:
            patched.setattr(type(round_.workspace), "keep", cut)  # killed between its lines and its keep
            with pytest.raises(KeyboardInterrupt):
                round_.take(sent)
    trials = [x for x in map(json.loads, run.read_text("utf-8").splitlines()) if x["type"] == "trial"]
    assert [x["status"] for x in trials] == ["kept", "blocked"]
    assert trials[0]["diff"] == sent[0].diff
    assert trials[0]["seeds"][0]["metrics"]["case_lost"] == 0
    assert "holdout_rank" not in str(trials)
    after = FOUND.workspace(tmp_path)
    assert after.standing() == parent
    assert take_up(trials, after).sha == trials[0]["together"]
    assert SHORTER[DEPLOY][1] in (after.root / DEPLOY).read_text("utf-8")
    assert take_up(trials, after) == after.standing()  # a second time does nothing


def test_a_record_that_leads_elsewhere_is_said_and_nothing_is_kept(tmp_path: Path) -> None:
    round_ = made(tmp_path)
    parent = round_.workspace.standing()
    line = {"status": "kept", "diff": rewrite(parent, DEPLOY).diff, "together": "a" * 64}
    with pytest.raises(TrajscopeError, match="the kept diffs do not lead there"):
        take_up([line], round_.workspace)
    assert round_.workspace.standing() == parent


def test_what_somebody_wrote_into_the_folder_meanwhile_is_not_kept(tmp_path: Path) -> None:
    place = tmp_path / "work" / NOTES

    def meddles(job: Job) -> Result:
        place.write_text("meddled with", "utf-8")
        return quick(job)

    round_ = made(tmp_path, measure=meddles)
    parent = round_.workspace.standing()
    with pytest.raises(TrajscopeError, match=r"release-notes.md: is not what was recorded; somebody wrote there"):
        round_.take([rewrite(parent, DEPLOY)])
    assert round_.workspace.standing() == parent


def test_rails_off_measures_what_rails_would_refuse(tmp_path: Path) -> None:
    round_ = made(tmp_path, rails=False)
    sent = rewrite(round_.workspace.standing(), "skills/db-migration.md", "ask the user and wait for a yes", "go on")
    (outcome,) = round_.take([sent])
    assert isinstance(outcome, Outcome)
    assert outcome.status == "reverted"
    assert "passage_lost 1" in outcome.why
