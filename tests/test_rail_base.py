"""What a proposal is applied to: taken from the record only where that leaves no doubt.

Planted and seen to fail: a keep whose hash is not looked at, a latest trial that stood elsewhere.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from runfiles import start

import trajscope
from trajscope import menu as menus
from trajscope.pair import config_hash
from trajscope.rails.base import Base, Incumbent, of_menu
from trajscope.trial import Header, Trial

BASE = {"lr": 0.1, "depth": 4}


def found(path: Path) -> Base:
    """The base that the record of a run leaves."""
    state: Incumbent | None = None
    for item in trajscope.read(path):
        if isinstance(item, Header):
            state = Incumbent(item)
        elif isinstance(item, Trial):
            assert state
            state.push(item)
    assert state
    return state.base()


def recorded(path: Path, trials: Iterable[dict[str, Any]], **header: Any) -> Base:
    """The base after a run of these trials that our own writer has written."""
    with start(path, **{"base": BASE, **header}) as run:
        for t in trials:
            run.trial(**{"value": 1.0, "wall_s": 1.0, **t})
    return found(path)


def keep(**changes: object) -> dict[str, Any]:
    return {"changes": changes, "kept": True, "diff": "d", "deltas": {"loss": {"incumbent": -1}}, "seeds": {0: 1.0}}


def test_a_run_without_keeps_stands_where_it_started(tmp_path: Path) -> None:
    assert recorded(tmp_path / "r.jsonl", [{"changes": {"lr": 1}, "kept": False}]) == Base(BASE)


steps = st.lists(
    st.tuples(st.sampled_from(["lr", "depth"]), st.integers(0, 2), st.booleans()),
    max_size=5,
)


@given(steps, st.sampled_from([None, "e1"]), st.sampled_from([None, "d1"]))
def test_what_our_writer_wrote_is_always_clear(
    tmp_path_factory: pytest.TempPathFactory, trials: list[Any], evaluator: str | None, data: str | None
) -> None:
    want: dict[str, object] = dict(BASE)
    said = []
    for knob, value, kept in trials:
        said.append(keep(**{knob: value}) if kept else {"changes": {knob: value}, "kept": False})
        want |= {knob: value} if kept else {}
    path = tmp_path_factory.mktemp("run") / "r.jsonl"
    assert recorded(path, said, evaluator_hash=evaluator, data_hash=data) == Base(want)


DOUBTS: dict[str, tuple[list[dict[str, Any]], dict[str, Any], str]] = {
    "the run says no base": ([], {"base": None}, "the run does not record the configuration it starts from"),
    "a keep has another hash than its changes make": (
        [keep(lr=1) | {"config_hash": "0" * 16}],
        {},
        "trial 1 was kept as 0000000000000000, which is not what its changes make of its base",
    ),
    "the latest trial stood elsewhere": (
        [keep(lr=1), {"changes": {"depth": 5}, "kept": False, "base_hash": "f" * 16}],
        {},
        r"trial 2 stood on another base \(ffffffffffffffff\) than the latest keep",
    ),
    "a keep stood elsewhere": (
        [keep(lr=1), keep(depth=5) | {"base_config": BASE}, {"changes": {"lr": 3}, "kept": False}],
        {},
        "trial 2 stood on another base .* than the latest keep",
    ),
    "a keep names a commit as its parent": ([keep(lr=1) | {"parent": "abc"}], {}, "trial 1 "),
}


@pytest.mark.parametrize(("trials", "header", "why"), DOUBTS.values(), ids=DOUBTS.keys())
def test_a_doubt_is_said_and_never_guessed_away(
    tmp_path: Path, trials: list[dict[str, Any]], header: dict[str, Any], why: str
) -> None:
    base = recorded(tmp_path / "r.jsonl", trials, **header)
    assert base.config is None
    assert base.why
    assert base.why.endswith("; say it with --base")
    assert re.match(why, base.why), base.why


def test_a_trial_that_is_back_on_the_latest_keep_ends_the_doubt(tmp_path: Path) -> None:
    away = {"changes": {"depth": 5}, "kept": False, "base_hash": "f" * 16}
    back = {"changes": {"depth": 5}, "kept": False}
    assert recorded(tmp_path / "r.jsonl", [keep(lr=1), away, back]) == Base({"lr": 1, "depth": 4})


def test_a_keep_that_records_nothing_of_its_base_is_in_doubt() -> None:
    lr = menus.parse({"lr": {"range": [0.0, 1.0]}}).pair({"lr": 1})
    kept = Trial(seq=1, at=0, status="kept", pair=lr, config=config_hash({**BASE, "lr": 1}))
    for based in (True, False):
        state = Incumbent(Header(run_id="r", base=BASE, base_id=config_hash(BASE)))
        kept.base, kept.based = config_hash(BASE), based
        state.push(kept)
        assert (state.base().config is not None) == based


def test_without_history_the_defaults_of_the_menu_are_the_base_if_every_knob_has_one() -> None:
    full = menus.parse({"lr": {"range": [0.0, 1.0], "default": 0.5}, "act": {"choices": ["a", "b"], "default": "a"}})
    assert of_menu(full) == Base({"lr": 0.5, "act": "a"})
    half = menus.parse({"lr": {"range": [0.0, 1.0]}, "act": {"choices": ["a", "b"], "default": "a"}})
    assert of_menu(half) == Base(None, "the menu has no default for lr; say it with --base")
