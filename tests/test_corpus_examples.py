"""Examples and splits: every trial once, the useless ones marked and none lost; sides by hashes, never by chance.

Planted and seen to fail: a repeat that is not marked, a mean over the trials so far instead of over all, a label on
both sides of a grouped split, an embargo that is one trial short, a split that draws random numbers.
"""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import corpusfield as field
import pytest
from clirun import AMNESIAC, SAMPLES
from hypothesis import given
from hypothesis import strategies as st

from trajscope.blobs import write_blob
from trajscope.corpus import DROPS, Example, Examples, plan
from trajscope.corpus.split import TEST, history
from trajscope.errors import CorpusError, SourceError
from trajscope.menu import load
from trajscope.pipeline import menu_beside
from trajscope.readers import Source


def opened(*paths: Path, **said: Any) -> Examples:
    return Examples([(Source(str(p), menu=load(m) if (m := menu_beside(p)) else None, **said), None) for p in paths])


def one(folder: Path, *trials: dict[str, Any], base: dict[str, Any] | None = None) -> Examples:
    """A run of these trials, without a menu."""
    lines = field.Lines(folder / "run.jsonl")
    more = {"base": {"config": base}} if base is not None else {}
    lines.add("run", run_id="r", campaign="c", metric={"name": "loss", "goal": "minimize"}, **more)
    for i, trial in enumerate(trials, 1):
        lines.add("trial", **{"iter": i, "status": "reverted", "value": 1.0, **trial})
    lines.path.write_bytes(b"".join(x + b"\n" for x in lines.done))
    return opened(lines.path)


def tried(knob: str, to: object, **more: Any) -> dict[str, Any]:
    return {"attempts": [{"knob": knob, "value": to}], **more}


# --- examples -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", sorted(SAMPLES.glob("*/*.jsonl")), ids=lambda p: p.stem)
def test_every_trial_of_every_sample_is_one_example_and_may_be_gone_through_again(path: Path) -> None:
    examples = opened(path)
    found = list(examples)
    assert len(found) == sum(run.trials for run in examples.runs)
    assert len({e.key for e in found}) == len(found)
    assert sum(e.counted for e in found) == sum(run.counted for run in examples.runs)
    assert {e.drop for e in found} <= {None, *DROPS}
    assert list(examples) == found


def test_of_the_amnesiac_thirteen_trials_are_left_to_learn_from() -> None:
    found = list(opened(AMNESIAC))
    assert Counter(e.drop for e in found) == {"repeat": 36, "no_op": 1, None: 13}
    assert [e.iter for e in found if e.drop is None] == [1, 2, 3, 4, 10, 12, 13, 14, 17, 20, 21, 25, 38]


def test_the_first_of_its_repeats_bears_their_mean() -> None:
    # The seven evaluations of d_model=768, from the table of its rows.
    values = [10.8722, 10.9373, 10.8713, 10.8575, 10.8873, 10.8692, 10.8534]
    first = next(e for e in opened(AMNESIAC) if e.label == "d_model=768")
    assert (first.iter, first.value, first.replicates) == (4, 10.8722, 7)
    assert first.mean == pytest.approx(sum(values) / 7)


def test_what_changes_the_header_each_time_stands_on_the_header_though_things_were_kept() -> None:
    for e in opened(AMNESIAC):
        assert e.standing is not None
        assert e.standing["d_model"] == "1024", e.iter


@pytest.mark.parametrize(
    ("trial", "drop"),
    [
        (tried("a", 2, status="blocked", value=None), "blocked"),
        (tried("a", 2, status="crashed", value=None), "crashed"),
        (tried("a", 2, status="aborted", value=None), "aborted"),
        (tried("a", 2, status="ineligible"), "ineligible"),
        ({"status": "proposer_error", "value": None, "attempts": []}, "proposer_error"),
        (tried("a", 2, status="lost in space"), "other"),
        ({"attempts": []}, "no_proposal"),
        (tried("a", 2, effective={"a": 3}), "tampered"),
        (tried("a", 2, reason_code="tampered"), "tampered"),
        ({"attempts": [{"knob": "a", "value": 1, "intent": "replicate"}]}, "replicate"),
        (tried("a", 0), "no_op"),
        (tried("a", 1.0), "repeat"),
        (tried("a", 2), None),
        (tried("a", 2, status="kept"), None),
    ],
)
def test_a_trial_that_teaches_nothing_is_marked_with_why_and_stays(
    tmp_path: Path, trial: dict[str, Any], drop: str | None
) -> None:
    found = list(one(tmp_path, tried("a", 1), trial, base={"a": 0}))
    assert [e.drop for e in found] == [None, drop]


def test_a_known_pair_on_a_new_base_is_no_repeat_and_on_an_unknown_one_is(tmp_path: Path) -> None:
    moved = one(
        tmp_path, tried("a", 1, status="kept"), tried("b", 1, status="kept"), tried("a", 1), base={"a": 0, "b": 0}
    )
    assert [e.drop for e in moved] == [None, None, "no_op"]
    moved = one(tmp_path, tried("a", 1), tried("b", 1, status="kept"), tried("a", 1), base={"a": 0, "b": 0})
    assert [e.drop for e in moved] == [None, None, None]
    unknown = one(tmp_path, tried("a", 1), tried("b", 1), tried("a", 1))
    assert [e.drop for e in unknown] == [None, None, "repeat"]


def test_what_stands_moves_with_each_keep(tmp_path: Path) -> None:
    found = one(tmp_path, tried("a", 1, status="kept"), tried("b", 1), tried("b", 2), base={"a": 0, "b": 0})
    assert [e.standing for e in found] == [{"a": "0", "b": "0"}, {"a": "1", "b": "0"}, {"a": "1", "b": "0"}]


def test_a_base_that_no_line_explains_is_not_guessed(tmp_path: Path) -> None:
    found = one(tmp_path, tried("a", 1, base_hash="f" * 16, config_hash="e" * 16), base={"a": 0})
    assert [e.standing for e in found] == [None]


def test_the_proposal_is_told_as_it_was_said_and_as_it_was_spelt(tmp_path: Path) -> None:
    attempts = [
        {"changes": [{"knob": "a", "value": 1}], "verdict": {"rule": "repeat", "level": "FAIL", "reason": "no"}},
        {"changes": [{"knob": "a", "value": 2.0}], "reason": "why not", "verdict": {"rule": "repeat", "level": "PASS"}},
    ]
    (e,) = one(tmp_path, {"attempts": attempts})
    assert e.label == "a=2"
    assert e.raw == "a=2.0"
    assert json.loads(e.said or "") == {"changes": [{"knob": "a", "value": 2.0}], "reason": "why not"}
    first = next(iter(opened(AMNESIAC)))
    assert (first.label, first.raw) == ("n_head=8", "n_head=8")
    assert json.loads(first.said or "")["new_value"] == 8


def test_a_prompt_is_read_from_its_line_or_from_beside_the_run(tmp_path: Path) -> None:
    blob = write_blob(tmp_path / "run.jsonl", "a long text")
    found = list(one(tmp_path, tried("a", 1, shown="short"), tried("a", 2, shown={"blob": blob}), tried("a", 3)))
    assert [e.prompt.read() if e.prompt else None for e in found] == ["short", "a long text", None]
    assert found[1].prompt is not None
    assert found[1].prompt.hash == blob
    (tmp_path / "run.blobs" / blob).unlink()
    with pytest.raises(SourceError, match="restore it beside the run"):
        found[1].prompt.read()


def test_a_file_of_several_runs_gives_each_its_own_number(tmp_path: Path) -> None:
    path = tmp_path / "two.jsonl"
    path.write_bytes(AMNESIAC.read_bytes() + AMNESIAC.read_bytes())
    found = Counter(e.run for e in opened(path, AMNESIAC))
    assert found == {0: 50, 1: 50, 2: 50}


def test_no_run_and_a_pipe_are_refused() -> None:
    with pytest.raises(CorpusError, match="no run is named"):
        Examples([])
    with pytest.raises(SourceError, match="save it into a file first"):
        Examples([(Source("-"), None)])


# --- splits ---------------------------------------------------------------------------------------------------------


def sides(examples: Examples, spec: str, embargo: int | None = None) -> list[tuple[Example, str | None]]:
    split = plan(examples, spec, embargo)
    return [(e, split.side(e)) for e in examples if e.counted]


@pytest.fixture(scope="module")
def three(tmp_path_factory: pytest.TempPathFactory) -> Examples:
    """Three campaigns of sixty."""
    return opened(*field.write(tmp_path_factory.mktemp("three"), field.clean(3)))


@pytest.mark.parametrize("spec", ["campaign", "labels", "stratified", "tail", "at:42"])
def test_a_split_is_the_same_whenever_it_is_asked_and_holds_about_a_fifth_out(three: Examples, spec: str) -> None:
    found = sides(three, spec)
    assert found == sides(Examples(three.named), spec)
    held = sum(side == "test" for _, side in found) / len(found)
    assert {"campaign": 1 / 3, "at:42": 18 / 60}.get(spec, TEST) == pytest.approx(held, abs=0.03)


def test_a_campaign_is_never_on_both_sides(three: Examples) -> None:
    held: dict[str, set[str | None]] = {}
    for e, side in sides(three, "campaign"):
        held.setdefault(e.campaign, set()).add(side)
    assert sorted(map(len, held.values())) == [1, 1, 1]


def test_a_label_is_never_on_both_sides_of_a_grouped_split(three: Examples) -> None:
    held: dict[str | None, set[str | None]] = {}
    kept = Counter[str | None]()
    for e, side in sides(three, "labels"):
        held.setdefault(e.label, set()).add(side)
        kept[side] += e.kept
    assert {len(x) for x in held.values()} == {1}
    assert kept == {"train": 24, "test": 6}  # ten kept labels, three rows of each: a fifth of both verdicts


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(1, 3), st.booleans()), min_size=1, max_size=30))
def test_a_grouped_split_holds_out_no_more_than_half_a_label_too_many(rows: list[tuple[str, int, bool]]) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        trials = [tried(k, v, status="kept" if kept else "reverted") for k, v, kept in rows]
        found = sides(one(Path(folder), *trials), "labels")
    labels = Counter(e.label for e, _ in found)
    kept = {e.label for e, _ in found if e.kept}
    for group in (kept, set(labels) - kept):
        mine = [(e, side) for e, side in found if e.label in group]
        largest = max((labels[x] for x in group), default=0)
        assert abs(sum(side == "test" for _, side in mine) - TEST * len(mine)) <= largest / 2 + 1e-9


def test_a_stratified_split_has_every_common_label_on_both_sides(tmp_path: Path) -> None:
    rows = [tried("a", v, config_hash=f"{i:016x}", base_hash="0" * 16) for i, v in enumerate([1, 2, 3] * 10)]
    held = Counter((e.label, side) for e, side in sides(one(tmp_path, *rows), "stratified"))
    assert {n for (_, side), n in held.items() if side == "test"} == {2}
    assert len(held) == 6


def test_a_tail_leaves_out_what_its_proposer_could_still_see(three: Examples) -> None:
    found = [side for e, side in sides(three, "tail") if e.run == 0]
    assert found == ["train"] * 43 + [None] * 5 + ["test"] * 12  # the header says that five were shown
    found = [side for e, side in sides(three, "tail", 0) if e.run == 0]
    assert found == ["train"] * 48 + ["test"] * 12


def test_a_published_split_is_at_its_iteration_and_leaves_nothing_out_unasked() -> None:
    examples = opened(AMNESIAC)
    assert [side for _, side in sides(examples, "at:42")] == ["train"] * 42 + ["test"] * 8
    assert [side for _, side in sides(examples, "at:42", 5)] == ["train"] * 37 + [None] * 5 + ["test"] * 8


def test_from_five_campaigns_on_whole_campaigns_are_held_out(tmp_path: Path, three: Examples) -> None:
    assert plan(three).kind == "labels"
    assert plan(opened(*field.write(tmp_path, field.clean(5)))).kind == "campaign"


def test_how_far_a_proposer_sees_is_the_farthest_and_unknown_where_one_run_does_not_say(tmp_path: Path) -> None:
    seen: tuple[tuple[int | str | None, ...], ...] = ((3, 9), (3, None), (3, "all"))
    found = []
    for i, histories in enumerate(seen):
        paths = []
        for j, k in enumerate(histories):
            (folder := tmp_path / f"{i}{j}").mkdir()
            paths += field.write(folder, field.clean(1), history=k)
        found.append(history(opened(*paths)))
    assert found == [9, None, 1 << 60]


@pytest.mark.parametrize(
    ("spec", "embargo", "said"),
    [
        ("label", None, "'label' is none of auto, campaign"),
        ("at:", None, "--split at:42"),
        ("campaign", None, "needs two campaigns, and there is 1; use --split labels"),
        ("labels", 3, "only tail and at:ITER have a boundary in time"),
    ],
)
def test_a_split_that_cannot_be_made_says_so(spec: str, embargo: int | None, said: str) -> None:
    with pytest.raises(CorpusError, match=said):
        plan(opened(AMNESIAC), spec, embargo)
