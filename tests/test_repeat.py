"""Nothing is tried twice unless that is declared, true and within its budget; what else could be tried is legal."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from campaign import BASE, MENU, seen, write
from hypothesis import given
from hypothesis import strategies as st

from trajscope import menu as menus
from trajscope.pair import config_hash
from trajscope.rails.history import History
from trajscope.rails.proposal import Proposal, Proposals
from trajscope.rails.repeat import Repeat
from trajscope.rails.untried import cells
from trajscope.verdict import Level, Verdict

READ = Proposals(MENU).read
OTHER = {**BASE, "d": "v"}


def proposed(changes: Mapping[str, Any], intent: str | None = None) -> Proposal:
    found = READ({"changes": [{"knob": k, "value": v} for k, v in changes.items()], "intent": intent})
    assert isinstance(found, Proposal)
    return found


def asked(
    rail: Repeat, changes: Mapping[str, Any], intent: str | None = None, base: Mapping[str, Any] | None = BASE
) -> Verdict:
    """What the rail says of these changes on this base."""
    if base is None:
        return rail.check(proposed(changes, intent))
    return rail.check(proposed(changes, intent), config_hash(base), config_hash({**base, **changes}))


def history(tmp_path: Path, *trials: Mapping[str, Any]) -> History:
    return History.of([write(tmp_path / "run.jsonl", trials)], MENU)


def test_a_pair_that_was_tried_is_refused_with_what_came_of_it(tmp_path: Path) -> None:
    rows: list[dict[str, Any]] = [
        {"changes": {"a": 2}},
        {"changes": {"b": 0.1}},
        {"changes": {"a": 2}, "status": "kept", "value": 0.5},
    ]
    found = asked(Repeat(history(tmp_path, *rows), MENU), {"a": "2.0"})
    assert (found.rule, found.level, found.evidence, found.elsewhere) == ("repeat", Level.FAIL, (1, 3), ())
    assert found.reason == (
        "a=2 was tried twice and kept once: first in iteration 1, seq 1 (reverted, 1), last in iteration 3, seq 3 "
        "(kept, 0.5); propose something new, or declare a revisit on a new base or a replicate with fresh seeds"
    )


def test_a_pair_tried_on_another_base_or_never_finished_is_refused_all_the_same(tmp_path: Path) -> None:
    rail = Repeat(history(tmp_path, {"changes": {"a": 2}, "status": "crashed", "value": None}), MENU)
    found = asked(rail, {"a": 2}, base=OTHER)
    assert found.reason.startswith("a=2 was tried before, in iteration 1, seq 1 (crashed); ")


def test_other_files_are_named_by_path_and_line(tmp_path: Path) -> None:
    other = write(tmp_path / "other.jsonl", [{"changes": {"b": 0.2}}, {"changes": {"a": 2}}])
    rail = Repeat(History.of([write(tmp_path / "run.jsonl", [{"changes": {"a": 2}}]), other], MENU), MENU)
    found = asked(rail, {"a": 2})
    assert (found.evidence, found.elsewhere) == ((1,), (f"{other}:3",))
    assert f"first at {other}:3 (reverted, 1), last in iteration 1" in found.reason


def test_a_near_repeat_is_refused_with_what_it_is_near(tmp_path: Path) -> None:
    rail = Repeat(history(tmp_path, {"changes": {"b": 0.3}}), MENU)
    found = asked(rail, {"b": 0.3199})
    assert (found.rule, found.level, found.evidence) == ("near", Level.FAIL, (1,))
    assert found.reason.startswith(
        "b=0.3199 is a near repeat (within 2% of the range) of b=0.3, which was tried in iter"
    )
    assert asked(rail, {"b": 0.3201}).level is Level.PASS
    assert asked(Repeat(rail.history, MENU, near=False), {"b": 0.3199}).level is Level.PASS


def test_another_way_to_a_configuration_that_ran_is_refused(tmp_path: Path) -> None:
    rail = Repeat(history(tmp_path, {"changes": {"a": 2}}), MENU)
    found = asked(rail, {"a": 2, "d": "u"})  # the second change is none
    assert (found.rule, found.level, found.evidence) == ("repeat", Level.FAIL, (1,))
    assert "leads to a configuration that ran before, once: in iteration 1, seq 1 (reverted, 1) as a=2" in found.reason


def test_what_was_never_tried_passes_without_a_base_too(tmp_path: Path) -> None:
    rail = Repeat(history(tmp_path, {"changes": {"a": 2}}), MENU)
    assert asked(rail, {"a": 3}).level is Level.PASS
    assert asked(rail, {"a": 3}, base=None).level is Level.PASS
    assert asked(rail, {"a": 2, "b": 0.9}).level is Level.PASS


# --- declared ------------------------------------------------------------------------------------------------------


def test_a_revisit_passes_on_a_new_base_alone(tmp_path: Path) -> None:
    rail = Repeat(history(tmp_path, {"changes": {"a": 2}}), MENU)
    found = asked(rail, {"a": 2}, "revisit", OTHER)
    assert (found.level, found.reason) == (Level.PASS, "a=2 was tried once, never on this base; revisit 1 of 2")
    same = asked(rail, {"a": 2}, "revisit")
    assert (same.rule, same.level) == ("revisit", Level.FAIL)
    assert "on this base too" in same.reason
    never = asked(rail, {"a": 3}, "revisit", OTHER)
    assert (never.rule, never.level) == ("revisit", Level.FAIL)
    assert "never tried, so it is no revisit" in never.reason
    unknown = asked(rail, {"a": 2}, "revisit", None)
    assert (unknown.rule, unknown.level) == ("revisit", Level.UNKNOWN)


def test_a_revisit_is_refused_where_some_trial_does_not_say_its_base(tmp_path: Path) -> None:
    rail = Repeat(
        history(tmp_path, {"changes": {"a": 2}}, {"changes": {"a": 3}, "base_hash": None, "config_hash": None}), MENU
    )
    rail.history.add(MENU.pair({"a": 2}), seen(MENU.pair({"a": 2}), 5, base=None))
    found = asked(rail, {"a": 2}, "revisit", OTHER)
    assert (found.rule, found.level) == ("revisit", Level.UNKNOWN)
    assert "1 of 2 trials of a=2 do not say on which base they ran" in found.reason


def test_a_revisit_of_a_configuration_that_ran_is_refused(tmp_path: Path) -> None:
    whole = config_hash({**OTHER, "a": 2})
    rail = Repeat(history(tmp_path, {"changes": {"a": 2}}, {"changes": {"a": 2, "d": "v"}, "config_hash": whole}), MENU)
    found = asked(rail, {"a": 2}, "revisit", OTHER)
    assert (found.rule, found.level) == ("revisit", Level.FAIL)
    assert "no new configuration" in found.reason


def test_a_replicate_needs_its_whole_configuration_to_have_run(tmp_path: Path) -> None:
    rail = Repeat(history(tmp_path, {"changes": {"a": 2}}), MENU)
    assert asked(rail, {"a": 2}, "replicate").reason == "its configuration ran once; replicate 1 of 2"
    never = asked(rail, {"a": 2}, "replicate", OTHER)
    assert (never.rule, never.level) == ("replicate", Level.FAIL)
    assert "a configuration that never ran" in never.reason
    unknown = asked(rail, {"a": 2}, "replicate", None)
    assert (unknown.rule, unknown.level) == ("replicate", Level.UNKNOWN)


@pytest.mark.parametrize(
    ("tried", "used", "passes"),
    [(3, 1, True), (3, 2, False), (29, 2, False), (30, 2, True), (30, 3, False), (40, 3, True)],
)
@pytest.mark.parametrize("intent", ["revisit", "replicate"])
def test_declared_repeats_have_a_budget_of_two_or_a_tenth(intent: str, tried: int, used: int, passes: bool) -> None:
    h = History.none(MENU)
    for i in range(tried):
        p = MENU.pair({"b": i / 1000}) if i else MENU.pair({"a": 2})
        config = config_hash({**BASE, "a": 2}) if i == 0 else f"{i:016}"
        h.add(p, seen(p, i, config=config), intent if 0 < i <= used else None)
    found = asked(Repeat(h, MENU), {"a": 2}, intent, BASE if intent == "replicate" else OTHER)
    assert (found.level is Level.PASS) is passes
    if not passes:
        assert (
            f"{used} of {max(2, tried // 10)} {intent}s are used up (the larger of 2 and 10% of {tried} trials)"
            in found.reason
        )


def test_a_configuration_has_five_replicates_at_most() -> None:
    h = History.none(MENU)
    p = MENU.pair({"a": 2})
    for i in range(100):
        h.add(p, seen(p, i, config=config_hash({**BASE, "a": 2})), "replicate" if 0 < i <= 5 else None)
    found = asked(Repeat(h, MENU), {"a": 2}, "replicate")
    assert (found.rule, found.level) == ("replicate", Level.FAIL)
    assert "has 5 replicates of 5 at most" in found.reason
    assert asked(Repeat(h, MENU, per_config=6), {"a": 2}, "replicate").level is Level.PASS


# --- what else -----------------------------------------------------------------------------------------------------

RULED = menus.parse(
    {
        "knobs": {
            "m": {"type": "int", "choices": [4, 6, 8], "default": 4, "family": "x"},
            "n": {"type": "int", "choices": [2, 3, 4], "default": 2, "family": "x"},
            "w": {"type": "int", "range": [0, 50], "default": 5, "family": "y"},
            "e": {"type": "float", "range": [1e-5, 1e-2], "default": 3e-4, "family": "y"},
            "s": {"type": "bool", "default": False, "family": "z"},
            "t": {"type": "str", "family": "z"},
        },
        "constraints": [{"id": "div", "rule": "m % n == 0"}, {"id": "warm", "rule": "w + 5 <= 30"}],
    }
)
tries = st.one_of(
    st.fixed_dictionaries({"m": st.sampled_from([4, 6, 8])}),
    st.fixed_dictionaries({"w": st.integers(0, 50)}),
    st.fixed_dictionaries({"e": st.floats(1e-5, 1e-2)}),
    st.fixed_dictionaries({"s": st.booleans()}),
    st.fixed_dictionaries({"n": st.sampled_from([2, 3, 4])}, optional={"w": st.integers(0, 50)}),
)


@given(st.lists(tries, max_size=40), st.sampled_from([None, {"m": 6, "n": 3}, {"m": 8, "w": 20}]))
def test_every_alternative_is_new_near_nothing_legal_and_changes_something(
    tried: list[dict[str, Any]], moved: dict[str, Any] | None
) -> None:
    h = History.none(RULED)
    rail = Repeat(h, RULED, base=None if moved is None else {**RULED.defaults, **moved})
    base = {**RULED.defaults, **(moved or {})}
    for i, changes in enumerate(tried):
        p = RULED.pair(changes)
        h.add(p, seen(p, i))
        offers = rail.untried.labels()
        assert len(offers) == len(set(offers)) <= 8
        for label in offers:
            name, _, text = label.partition("=")
            new = RULED.change(name, text)
            assert (new.label, new.objection) == (label, None)
            assert h.past(RULED.pair({name: new.value})) is None
            assert h.near(RULED.pair({name: new.value})) is None
            assert RULED.broken({**base, name: new.value}) == []
            assert name not in base or RULED.change(name, base[name]).text != new.text
        assert {x.partition("=")[0] for x in offers} <= {"m", "n", "w", "e", "s"}


def test_an_offer_that_something_came_near_is_withdrawn() -> None:
    # Of 0 to 50 in ten bins, 0 to 25 keep to the rule; one of each of five bins is tried, and the sixth holds only 25.
    menu = menus.parse(
        {"knobs": {"w": {"type": "int", "range": [0, 50]}}, "constraints": [{"id": "warm", "rule": "w <= 25"}]}
    )
    h = History.none(menu)
    rail = Repeat(h, menu)
    for w, offered in ((2, 5), (7, 4), (12, 3), (17, 2), (22, 1)):
        h.add(menu.pair({"w": w}), seen(menu.pair({"w": w}), w))
        assert len(rail.untried.labels()) == offered
    assert rail.untried.labels() == ("w=25",)
    h.add(menu.pair({"w": 24}), seen(menu.pair({"w": 24}), 24))
    assert rail.untried.labels() == ()
    assert Repeat(h, menu).untried.labels() == ()


def test_alternatives_begin_with_untouched_knobs_of_different_families(tmp_path: Path) -> None:
    h = History.none(RULED)
    rail = Repeat(h, RULED)
    assert [x.partition("=")[0] for x in rail.untried.labels()[:3]] == ["m", "w", "s"]
    p = RULED.pair({"m": 8})
    h.add(p, seen(p, 1))
    names = [x.partition("=")[0] for x in rail.untried.labels()]
    assert names[:3] == ["n", "w", "s"]
    assert names[-1] != "m"  # touched, so not before all that is not


@given(
    st.sampled_from([("linear", 0.0, 1.0), ("log", 1e-5, 1e-2), ("log", 0.0, 0.3), ("one_minus_log", 0.5, 0.9999)]),
    st.floats(0, 1),
)
def test_a_place_on_the_scale_leads_to_its_value_and_back(span: tuple[str, float, float], place: float) -> None:
    scale, low, high = span
    knob = menus.parse({"knobs": {"k": {"type": "float", "range": [low, high], "scale": scale}}}).knobs["k"]
    value = knob.value_at(place)
    assert low <= value <= high
    at = knob.position(value)
    assert at is not None
    assert at == pytest.approx(place, abs=1e-9) or (value == 0.0 and place < 1 / (knob.bins - 1))


@given(st.sampled_from(["int", "float"]), st.integers(1, 60), st.integers(2, 60), st.randoms())
def test_every_value_of_a_cell_lies_in_it(kind: str, bins: int, width: int, rng: Any) -> None:
    spec = {"type": kind, "range": [3, 3 + width], "bins": bins}
    menu = menus.parse({"knobs": {"k": spec}})
    for cell in cells(menu):
        for values in (list(cell.values()), list(cell.values(rng))):
            assert len(set(values)) == len(values) > 0
            assert {menu.change("k", v).cell for v in values} == {cell.name}
    assert len(cells(menu)) == menu.knobs["k"].size
