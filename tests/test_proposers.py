"""Proposers without a model, asked as a campaign asks them, with the real rails over what they said.

Figures of the recorded night, and of the study that picked the seed, come from other programs, not from our output.
Planted and seen to fail: see each group.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_gamed_ladder import HONEST, LADDER

from benchmarks import proposers as study
from trajscope import Level, Menu, Verdict, load_menu, open_run
from trajscope.menu import parse
from trajscope.rails import History, Rails
from trajscope_loop.domain import load
from trajscope_loop.errors import ProposerError
from trajscope_loop.proposers import NAMES, habit, make
from trajscope_loop.proposers.options import options, parts, places
from trajscope_loop.proposers.simulated import PICKED, draw
from trajscope_loop.seams import Past, Proposer, View

THIRTEEN = load_menu(study.MENU)
SMALL = parse(
    {
        "knobs": {
            "lr": {"type": "float", "range": [0.0001, 0.1], "default": 0.001},
            "depth": {"type": "int", "range": [1, 16], "default": 4},
            "act": {"type": "str", "choices": ["relu", "gelu", "silu"], "default": "relu"},
            "amp": {"type": "bool", "default": False},
        },
        "constraints": [{"id": "shallow", "rule": "depth <= 8"}],
    }
)


def seen(menu: Menu | None = SMALL, number: int = 1, attempt: int = 0, **more: Any) -> View:
    """A view at some trial and attempt; `past` may be labels."""
    past = tuple(
        p if isinstance(p, Past) else Past(i, p, "reverted", 1.0, {}, "") for i, p in enumerate(more.pop("past", ()))
    )
    told: dict[str, Any] = {
        "program": "",
        "menu": menu,
        "base": menu.defaults if menu else {},
        "files": {},
        "metric": "loss",
        "goal": "minimize",
        "best": None,
        "trials": len(past),
        "denied": (),
        "untried": (),
        "refusals": (),
        "refused": (),
    }
    return View(**{**told, "past": past, "turn": number * 100 + attempt, **more})


def said(proposer: Proposer, view: View) -> str:
    """The label of what it proposes."""
    assert view.menu is not None
    proposal = proposer.propose(view).proposal
    assert isinstance(proposal, Mapping)
    changes = proposal.get("changes") or [proposal]
    return view.menu.pair({c["knob"]: c["value"] for c in changes}).label


def often(proposer: Proposer, times: int = 400, **view: Any) -> Counter[str]:
    """How often it proposes what, over many trials that look alike."""
    return Counter(said(proposer, seen(number=n, **view)) for n in range(1, times + 1))


# --- the recorded night -----------------------------------------------------------------------------------------------
# Planted: the noise not drawn between two proposals; the bonus of a kept pair forgotten; the window one trial longer.


def test_the_picked_seed_shows_the_recorded_night() -> None:
    night = study.play(make("simulated", seed=PICKED, k=5), THIRTEEN, rails=False, seed=PICKED, trials=50)
    assert night.windows == [0.5, 0.5, 0.8, 0.9, 0.9]
    assert (len(set(night.pairs)), night.knobs, night.kept) == (14, 6, 5)
    assert fmean(night.repeats) == 0.72


def test_the_luck_of_a_trial_is_what_numpy_draws_in_turn() -> None:
    rng = np.random.default_rng(7)
    again = [(rng.random(), rng.standard_normal()) for _ in range(600)]
    assert [draw(7, n) for n in (600, 1, 257, 256)] == [again[i] for i in (599, 0, 256, 255)]


def test_seeds_that_were_not_picked_find_about_twenty_pairs_of_two_hundred() -> None:
    found = [
        len(set(study.play(make("simulated", seed=s, k=5), THIRTEEN, rails=False, seed=s).pairs)) for s in range(6)
    ]
    # The study's mean over 100 seeds is 21.2; the mean of six has a standard error of about one.
    assert fmean(found) == pytest.approx(21.2, abs=4)


# --- with the rail ----------------------------------------------------------------------------------------------------
# Planted: the campaign does not tell the history; a refused change as likely as before; two changes of one knob.


@pytest.mark.parametrize("seed", [PICKED, 0, 1])
def test_two_changes_with_values_from_ranges_make_two_hundred_of_two_hundred(seed: int) -> None:
    night = study.play(make("simulated", seed=seed, k=5, pairs=2, values="ranges"), THIRTEEN, rails=True, seed=seed)
    assert len(set(night.pairs)) == len(night.pairs) == 200
    assert night.ended is None


@pytest.mark.parametrize("name", ["simulated", "grid"])
def test_a_menu_of_single_changes_is_new_until_exhausted_and_that_is_said(name: str) -> None:
    proposer = make(name) if name == "grid" else make(name, seed=PICKED, k=5)
    night = study.play(proposer, THIRTEEN, rails=True, seed=PICKED)
    assert not any(night.repeats)
    # By hand: 9 more values of n_head, d_model and d_ff than their defaults would make 3 + 5 + 4, batch_size 3, seq_len
    # 2, precision 1, and seven ranges of ten bins: 88; a warm-up above 25 leaves too few steps, which closes four bins.
    assert THIRTEEN.cells == 88
    assert len(night.cells) == 84
    assert night.ended is not None
    assert (night.ended.rule, night.ended.level) == ("menu_exhausted", Level.FAIL)


def test_the_rail_costs_calls_and_what_it_shows_takes_most_of_them_back() -> None:
    arms = {
        "ignored": {"heed": 0.0},
        "offered": {"offers": True, "heed": 0.9},
        "denied": {"denies": True, "heed": 0.0},
    }
    calls = {n: study.play(make("simulated", k=5, **o), THIRTEEN, rails=True).calls for n, o in arms.items()}
    assert calls["ignored"] > 2 * 84
    assert calls["offered"] < 1.5 * 84
    assert calls["denied"] < 0.75 * calls["ignored"]


@given(st.integers(0, 10**6), st.integers(1, 500), st.sampled_from(["drawn", "auto"]), st.booleans())
@settings(max_examples=40)
def test_nothing_is_proposed_that_the_menu_itself_forbids(seed: int, number: int, liked: str, two: bool) -> None:
    rails = Rails(SMALL, History.none(SMALL), base=SMALL.defaults)
    pairs = 2 if two else 1
    every = [
        make("simulated", seed=seed, habit=liked, pairs=pairs),
        make("random", seed=seed, pairs=pairs),
        make("grid", pairs=pairs),
    ]
    for proposer in every:
        answer = rails.ask(proposer.propose(seen(number=number)).proposal)
        assert answer.passed, answer.verdict.reason
        assert answer.proposal is not None
        assert len(answer.proposal.pair.changes) == pairs


# --- memory -----------------------------------------------------------------------------------------------------------
# Planted: each copy in view counted; the kept bonus on what was reverted; denied pairs left alone.

FREE = {"habit": "drawn", "seed": 3}


def favourite(**options: Any) -> str:
    return often(make("simulated", **FREE, **options)).most_common(1)[0][0]


def test_a_pair_in_view_is_less_likely_and_a_copy_of_it_changes_nothing() -> None:
    plain, sight = make("simulated", **FREE, values="cells"), make("simulated", **FREE, values="cells", memory=0.1)
    loved, n = often(plain).most_common(1)[0]
    once = often(sight, past=[loved])
    assert once[loved] < 0.3 * n
    assert often(sight, past=[loved] * 4) == once


def test_a_kept_pair_in_view_is_liked_again() -> None:
    proposer = make("simulated", **FREE, values="cells", memory=0.2, bonus=4.0)
    loved = favourite(values="cells")
    kept = often(proposer, past=[Past(1, loved, "kept", 1.0, {}, "")])
    assert kept[loved] > 2 * often(proposer, past=[loved])[loved]


def test_what_it_is_told_was_tried_it_hardly_says() -> None:
    loved = favourite(values="cells")
    assert often(make("simulated", **FREE, values="cells"), denied=(loved,))[loved] <= 4


def test_a_refused_pair_is_less_likely_each_time() -> None:
    proposer, loved = make("simulated", **FREE, values="cells"), favourite(values="cells")
    no = Verdict("repeat", Level.FAIL, "was tried before")
    counts = [often(proposer, attempt=i, refusals=(no,) * i, refused=(loved,) * i)[loved] for i in (0, 1, 2)]
    assert counts[0] > 3 * counts[1] > 6 * counts[2]


def test_it_takes_what_is_offered_as_often_as_it_heeds() -> None:
    offered = ("act=silu", "depth=2")
    for heed, low, high in ((0.0, 0, 60), (0.5, 170, 290), (1.0, 400, 400)):
        counts = often(make("simulated", **FREE, heed=heed), untried=offered)
        assert low <= sum(counts[label] for label in offered) <= high


def test_alternatives_of_a_refusal_are_offers_too() -> None:
    no = Verdict("repeat", Level.FAIL, "was tried before", alternatives=("act=silu",))
    view = seen(attempt=1, refusals=(no,), refused=("act=gelu",))
    assert said(make("simulated", **FREE, heed=1.0), view) == "act=silu"


def test_an_offer_that_the_base_forbids_is_not_taken() -> None:
    view = seen(untried=("depth=12", "act=relu", "nothing=1", '"torn'))
    assert said(make("simulated", **FREE, heed=1.0), view) not in {"depth=12", "act=relu", "nothing=1"}


# --- the same again ---------------------------------------------------------------------------------------------------
# Planted: a counter of calls in the draw; one generator for all trials.


@pytest.mark.parametrize("name", ["simulated", "random", "grid"])
def test_a_resumed_campaign_is_told_the_same(name: str) -> None:
    options: dict[str, Any] = {} if name == "grid" else {"seed": 5, "pairs": 2}
    views = [seen(number=n, attempt=a, past=["act=gelu"]) for n in (1, 7, 40) for a in (0, 3)]
    first = make(name, **options)
    told = [first.propose(v).proposal for v in views]
    again = make(name, **options)
    assert [again.propose(v).proposal for v in reversed(views)] == told[::-1]


@pytest.mark.parametrize("name", ["simulated", "random", "grid"])
def test_after_a_keep_nothing_is_proposed_that_stands(name: str) -> None:
    proposer = make(name)
    proposer.propose(seen())
    moved = {**SMALL.defaults, "act": "gelu"}
    past = [f"{o.knob}={o.value}" for o in options(SMALL, moved) if o.knob in {"lr", "depth"}]
    told = {said(proposer, seen(number=n, base=moved, past=past)) for n in range(2, 200)}
    assert "act=gelu" not in told
    assert "act=relu" in told


def test_seeds_and_attempts_differ() -> None:
    assert len({said(make("simulated", seed=s, habit="drawn"), seen()) for s in range(12)}) > 4
    assert len({said(make("simulated", habit="drawn"), seen(attempt=a)) for a in range(12)}) > 4


def test_values_of_a_range_are_drawn_anew_and_those_of_cells_are_not() -> None:
    wide, few = (
        {label for label in often(make("random", seed=1, values=v)) if label.startswith("lr=")}
        for v in ("ranges", "cells")
    )
    assert len(few) == 10
    assert len(wide) > 40
    assert {SMALL.change("lr", v).cell for label in wide for _, v in parts(label)} == {f"lr#{i}" for i in range(10)}


# --- blind ------------------------------------------------------------------------------------------------------------
# Planted: knobs drawn alike instead of cells; the grid without memory.


def test_random_draws_each_cell_alike_and_sees_nothing() -> None:
    proposer = make("random", seed=2, values="cells")
    counts = often(proposer, times=2000)
    cells = len(options(SMALL, SMALL.defaults))
    assert len(counts) == cells
    # Each is 2000 / cells, with a standard deviation of its root: five of them to each side.
    even = 2000 / cells
    assert all(abs(n - even) < 5 * even**0.5 for n in counts.values())
    assert often(proposer, times=50, past=["act=gelu"], denied=("act=silu",)) == often(proposer, times=50)


def test_the_grid_goes_through_every_cell_once_in_order() -> None:
    walked: list[str] = []
    for n in range(1, 40):
        label = said(make("grid"), seen(number=n, past=walked))
        if label in walked:
            break
        walked.append(label)
    # By hand: ten bins of lr, ten of depth of which the sixth to tenth lie above 8, two other words, one other bool.
    assert [label.split("=")[0] for label in walked] == ["lr"] * 10 + ["depth"] * 5 + ["act"] * 2 + ["amp"]
    assert said(make("grid"), seen(past=walked)) == walked[0]


def test_the_grid_skips_what_was_refused() -> None:
    first = said(make("grid"), seen())
    assert said(make("grid"), seen(attempt=1, refused=(first,))) != first


# --- habits -----------------------------------------------------------------------------------------------------------
# Planted: the path begun anew at each trial; an unknown key let through; a weight of 0 taken for 1.

PERTURBATION = load("perturbation").menu


def walk(name: str, trials: int, **options: Any) -> list[str]:
    """What is proposed where nothing is ever kept."""
    past: list[str] = []
    proposer = make("simulated", habit=name, **options)
    for n in range(1, trials + 1):
        past.append(said(proposer, seen(PERTURBATION, n, past=past)))
    return past


@pytest.mark.parametrize(("name", "edits"), [("honest", HONEST), ("gamer", LADDER)])
def test_the_habits_walk_the_edits_of_their_story_in_order(name: str, edits: tuple[Mapping[str, Any], ...]) -> None:
    assert PERTURBATION is not None
    path = [PERTURBATION.pair(dict(e)).label for e in edits]
    found = [label for label in dict.fromkeys(walk(name, 60)) if label in path]
    assert found == path


def test_the_long_night_pulls_to_the_mean_at_every_third_trial_and_rails_refuse_what_it_repeats() -> None:
    assert PERTURBATION is not None
    path = walk("night", 100)
    assert path[::3] == [f"blend={3 * i / 100:g}" for i in range(1, 34)] + ["blend=1"]
    assert not any(label.startswith("blend") for i, label in enumerate(path) if i % 3)
    night = study.play(make("simulated", habit="night", heed=0.0), PERTURBATION, rails=True, trials=20)
    assert night.refused > 0
    assert len(night.pairs) == len(set(night.pairs)) == 20


def test_a_path_goes_on_from_what_stands() -> None:
    assert PERTURBATION is not None
    base = {**PERTURBATION.defaults, "blend": 0.3}
    labels = {said(make("simulated", seed=s, habit="gamer", k=0), seen(PERTURBATION, base=base)) for s in range(30)}
    assert "blend=0.4" in labels
    assert not labels & {"blend=0.1", "blend=0.2", "blend=0.3"}


def test_the_honest_habit_never_touches_the_blend() -> None:
    assert not [label for seed in range(3) for label in walk("honest", 60, seed=seed) if "blend" in label]


def test_every_habit_of_ours_can_be_read_and_says_what_it_is() -> None:
    for path in sorted(habit.FOLDER.glob("*.toml")):
        found = habit.read(path)
        assert found.about
        assert make("simulated", habit=path.stem).header()["habit"] == path.stem


def test_the_favourites_are_the_pair_counts_of_the_recorded_night() -> None:
    from trajscope import Trial, read

    counts = Counter(
        t.pair.label
        for t in read(study.MENU.with_name("amnesiac.jsonl"))
        if isinstance(t, Trial) and t.pair is not None
    )
    liked = {THIRTEEN.change(k, v).label: w for k, v, w in habit.read(habit.FOLDER / "amnesiac.toml").favourites}
    assert liked == {label: n for label, n in counts.items() if label != "d_ff=4096"}  # which is the default


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("shares = 0.5", "holds no shares"),
        ("share = 1.5", "give a share"),
        ('favourites = [["lr", 1]]', "favourites is a list of"),
        ('favourites = [["lr", 1, -1]]', "give a number"),
        ('steps = [["lr"]]', "steps is a list of"),
        ("knobs = 3", "knobs is no table"),
        ('values = "any"', "use cells"),
        ("share = ", "cannot be read"),
    ],
)
def test_a_habit_that_is_not_understood_is_an_error(tmp_path: Path, text: str, why: str) -> None:
    path = tmp_path / "own.toml"
    path.write_text(text)
    with pytest.raises(ProposerError, match=why):
        make("simulated", habit=str(path))


def test_a_habit_of_other_knobs_is_an_error_and_auto_finds_one_that_fits() -> None:
    with pytest.raises(ProposerError, match="names d_model, which the menu does not hold"):
        make("simulated", habit="amnesiac").propose(seen())
    assert said(make("simulated"), seen())


# --- what is said of them ---------------------------------------------------------------------------------------------
# Planted: an option left out of the header; the note on the picked seed dropped.


def test_the_header_says_every_option_and_that_nothing_was_measured_on_a_model() -> None:
    import inspect

    from trajscope_loop.proposers.simulated import Simulated

    head = make("simulated", seed=PICKED, k=5).header()
    assert {*inspect.signature(Simulated).parameters} - {"k"} <= head.keys()
    assert (head["kind"], head["model"], head["history"]) == ("simulated", None, 5)
    notes = " ".join(head["notes"])
    assert "no model was asked" in notes
    assert "chosen of 0 to 2999" in notes
    assert "built in" in notes
    assert "chosen" not in " ".join(make("simulated", seed=1, k=5).header()["notes"])


@pytest.mark.parametrize("name", ["simulated", "random", "grid"])
def test_the_header_can_be_recorded(tmp_path: Path, name: str) -> None:
    with open_run(tmp_path / "run.jsonl", metric="loss", goal="minimize", proposer=make(name).header()):
        pass
    head = json.loads((tmp_path / "run.jsonl").read_text().splitlines()[0])
    assert head["proposer"]["kind"] == name


def test_a_proposer_is_found_by_name_and_options_are_held_to_it() -> None:
    assert {"simulated", "random", "grid"} <= set(NAMES)
    for name, wrong, why in (
        ("nobody", {}, "there is no proposer 'nobody'"),
        ("simulated", {"kk": 1}, "has no option kk"),
        ("simulated", {"k": -1}, "k is -1"),
        ("simulated", {"k": True}, "k is True"),
        ("simulated", {"heed": 2.0}, "heed is 2.0"),
        ("simulated", {"memory": float("nan")}, "memory is nan"),
        ("simulated", {"habit": "sloth"}, "there is no habit 'sloth'"),
        ("simulated", {"seed": -1}, "seed is -1"),
        ("random", {"pairs": 3}, "pairs is 3"),
        ("random", {"values": "all"}, "values is 'all'"),
    ):
        with pytest.raises(ProposerError, match=why):
            make(name, **wrong)


@pytest.mark.parametrize("name", ["simulated", "random", "grid"])
def test_without_a_menu_there_is_nothing_to_draw_from(name: str) -> None:
    with pytest.raises(ProposerError, match="the domain has none"):
        make(name).propose(seen(None))


@pytest.mark.parametrize("label", ["lr=0.01", 'act="a + b"', '"x=y"=3', "a=1 + b=true", "x=[1, 2]"])
def test_a_label_names_its_changes(label: str) -> None:
    if "a + b" in label:
        assert list(parts(label)) != []  # a text that holds the sign between changes is read as none of ours
        return
    steps = list(parts(label))
    assert Menu({}).pair(dict(steps)).label == label.replace("[1, 2]", "[1,2]")


def test_places_are_cells_and_a_value_without_one_stands_for_itself() -> None:
    assert places(SMALL, "lr=0.0001 + act=gelu") == ["lr#0", "act=gelu"]
    assert places(SMALL, "other=3") == ["other=3"]


# --- the page ---------------------------------------------------------------------------------------------------------


def test_the_page_shows_what_the_study_makes_now() -> None:
    page = study.PAGE.read_text("utf-8")
    short, whole = (study.one(study.AMNESIAC, PICKED, t) for t in (50, 200))
    counts = f"{len(set(short.pairs))} | {short.knobs} | {len(set(whole.pairs))}"
    assert f"| seed {PICKED}, picked | .50 .50 .80 .90 .90 | {counts} |" in page
    assert all(f"| {arm.name} |" in page for arm in (*study.ARMS, *study.WIDE))
    assert "menu_exhausted: the menu is exhausted: 84 of 94 cells were tried" in page


def test_a_page_without_its_marks_is_refused() -> None:
    assert study.filled("a <!-- x -->old<!-- /x --> b", {"x": "new"}) == "a <!-- x -->\nnew\n<!-- /x --> b"
    with pytest.raises(SystemExit, match="stands there 0 times"):
        study.filled("a", {"x": "new"})
