"""The rails one by one and as a chain: what each lets through, what it refuses, and that nothing ever raises.

The red-team table stands in test_rails_redteam.py, what is said of edits in test_lint.py.
"""

from __future__ import annotations

import doctest
import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from railstand import Once, once, told
from strategies import knobs, values

from trajscope import config_hash
from trajscope.constraint import Constraint
from trajscope.errors import SettingsError
from trajscope.menu import Menu, parse
from trajscope.pair import Configs, canon
from trajscope.rails import Answer, Budget, Rails
from trajscope.rails.checks import Checks
from trajscope.rails.history import Spent
from trajscope.rails.proposal import MAX_CHANGES, Proposal, Proposals
from trajscope.verdict import Level, Verdict

ROOT = Path(__file__).resolve().parents[1]
MENU = parse(
    {
        "knobs": {
            "lr": {"type": "float", "range": [1e-5, 1e-1], "default": 1e-3, "aliases": ["learning_rate"]},
            "depth": {"type": "int", "range": [1, 48], "default": 12},
            "width": {"type": "int", "choices": [256, 512, 768], "default": 512},
            "note": {"type": "str"},
            "betas": {"type": "list"},
            "code:loss": {"type": "code"},
        },
        "constraints": [{"id": "fits", "rule": "width * depth <= 12000"}],
    }
)
BASE: Mapping[str, object] = {"lr": 1e-3, "depth": 12, "width": 512, "note": "plain", "betas": [0.9, 0.95]}


def _rails(menu: Menu | None = MENU, base: Mapping[str, object] | None = BASE, **more: Any) -> Rails:
    return Rails(menu, more.pop("history", told()), base=base, repeat=more.pop("repeat", once()), **more)


def _ask(knob: str, value: object, **more: Any) -> Answer:
    return _rails(**more).ask({"knob": knob, "value": value})


# --- laws -----------------------------------------------------------------------------------------------------------

json_like: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["knob", "value", "changes", "reason", "intent", "diff"]) | st.text(max_size=3), inner
        )
    ),
    max_leaves=10,
)


@given(st.binary(max_size=60) | st.text(max_size=60) | json_like | json_like.map(json.dumps))
def test_whatever_comes_in_the_answer_is_a_verdict_and_no_exception(raw: object) -> None:
    answer = _rails().ask(raw)
    assert isinstance(answer.verdict.level, Level)
    assert answer.passed is bool(answer)
    assert answer.verdict.reason
    assert answer.verdict.reason.isprintable()
    if answer.proposal is None:
        assert answer.verdict.rule == "schema"


@given(st.sampled_from([*MENU.knobs, "learning_rate", "nope"]), values)
def test_what_passes_is_on_the_menu_in_range_and_a_change(knob: str, value: object) -> None:
    answer = _ask(knob, value)
    if not answer.passed:
        return
    assert answer.proposal is not None
    (change,) = answer.proposal.pair.changes
    assert change.known
    assert change.objection is None
    config = {**BASE, change.knob: change.value}
    assert MENU.broken(config) == []
    assert config_hash(config) != config_hash(BASE)


@given(
    st.dictionaries(knobs, values, max_size=4),
    st.dictionaries(knobs, values, max_size=3),
    st.none() | st.text(max_size=2),
)
def test_the_short_way_to_the_hash_of_a_configuration_is_the_long_way(
    base: dict[str, object], changed: dict[str, object], salt: str | None
) -> None:
    changes = [canon(k, v) for k, v in changed.items()]
    after = {**base, **{c.knob: c.value for c in changes}}
    assert Configs(base, salt, None, salt).after(changes) == config_hash(after, salt, None, salt)
    assert Configs(base, None, salt).after() == config_hash(base, None, salt)


# --- what a proposal is ---------------------------------------------------------------------------------------------


def test_a_text_its_bytes_and_a_mapping_are_one_proposal() -> None:
    given_text = '{"changes": [{"knob": "learning_rate", "value": "1e-4"}], "reason": "lower", "intent": "revisit"}'
    read = [Proposals(MENU).read(raw) for raw in (given_text, given_text.encode(), json.loads(given_text))]
    assert read[0] == Proposal((("learning_rate", "1e-4"),), MENU.pair({"lr": 1e-4}), "lower", "revisit")
    assert read[1:] == [read[0]] * 2


def test_the_order_of_changes_does_not_matter() -> None:
    one, two = ({"knob": "lr", "value": 1e-4}, {"knob": "depth", "value": 8})
    read = [Proposals(MENU).read({"changes": changes}) for changes in ([one, two], [two, one])]
    assert [p.pair.label for p in read if isinstance(p, Proposal)] == ["depth=8 + lr=0.0001"] * 2


def test_a_knob_and_its_alias_are_one_knob_and_may_not_be_changed_twice() -> None:
    raw = {"changes": [{"knob": "lr", "value": 1e-4}, {"knob": "Learning-Rate", "value": 1e-4}]}
    verdict = _rails().check(raw)
    assert (verdict.rule, verdict.reason) == ("schema", "the proposal changes 'lr' twice; send each knob once")


def test_true_one_and_one_point_nought_are_told_apart_however_often_they_were_asked() -> None:
    proposals = Proposals()
    for value, label in ((1, "x=1"), (True, "x=true"), (1.0, "x=1"), ("1", 'x="1"'), (0.0, "x=0"), (-0.0, "x=0")):
        read = proposals.read({"knob": "x", "value": value})
        assert isinstance(read, Proposal)
        assert read.pair.label == label


def test_a_number_of_a_library_is_a_number() -> None:
    np = pytest.importorskip("numpy")
    assert _ask("depth", np.int64(8)).passed
    assert _ask("lr", np.float64(1e-4)).passed
    assert _ask("depth", np.bool_(True)).verdict.rule == "range"  # a bool of numpy's
    assert _ask("betas", np.array([0.8, 0.9])).passed
    assert _ask("betas", np.full(1000, 0.5)).verdict.rule == "schema"


def test_a_list_that_holds_itself_is_refused_and_does_not_hang() -> None:
    loop: list[object] = []
    loop.append(loop)
    assert _ask("betas", loop).verdict.rule == "schema"


def test_many_changes_are_counted_before_they_are_looked_at() -> None:
    many = {"changes": [object()] * (MAX_CHANGES + 1)}
    assert "33 changes, over 32" in _rails().check(many).reason


def test_the_memory_of_canonical_forms_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("trajscope.rails.proposal.MEMO", 10)
    proposals = Proposals(MENU)
    for i in range(100):
        proposals.canonical("lr", i)
    assert len(proposals._known) <= 10


class Hostile(dict[str, object]):
    """A mapping that answers every question with an error, whose text is another error."""

    class Cruel(Exception):  # noqa: N818  # it is no more than cruel
        """An error whose text is an error."""

        def __str__(self) -> str:
            raise ValueError

    def keys(self) -> Any:
        raise self.Cruel

    def __iter__(self) -> Iterator[str]:
        raise self.Cruel

    def __len__(self) -> int:
        raise self.Cruel


def test_a_mapping_that_fails_is_a_refusal() -> None:
    answer = _rails().ask(Hostile())
    assert answer.verdict.level is Level.UNKNOWN
    assert answer.verdict.rule == "schema"
    assert "Cruel" in answer.verdict.reason


# --- menu and range -------------------------------------------------------------------------------------------------


def test_without_a_menu_nobody_knows_what_may_be_changed() -> None:
    verdict = _ask("lr", 1e-4, menu=None).verdict
    assert (verdict.rule, verdict.level) == ("menu", Level.UNKNOWN)
    assert "there is no menu" in verdict.reason


def test_a_menu_that_was_only_guessed_forbids_nothing_so_it_allows_nothing() -> None:
    verdict = _ask("lr", 1e-4, menu=replace(MENU, declared=False)).verdict
    assert (verdict.rule, verdict.level) == ("menu", Level.UNKNOWN)
    assert "guessed" in verdict.reason


@pytest.mark.parametrize(("name", "meant"), [("dept", "depth"), ("learningrate", "learning_rate"), ("WIDTH", "width")])
def test_a_name_that_is_nearly_right_is_told_what_it_meant(name: str, meant: str) -> None:
    assert _ask(name, 1).verdict.reason == f"{name} is not on the menu; did you mean {meant}?"


def test_a_long_menu_is_not_listed_whole() -> None:
    menu = parse({"knobs": {f"k{i}": {"type": "int"} for i in range(50)}})
    reason = _ask("zzz", 1, menu=menu, base={}).verdict.reason
    assert reason.endswith("k18, k19, ... (50 in all)")


@pytest.mark.parametrize("value", ["two\nlines", "x" * 201, "\x1b[2J", "\u202eevil", "a\x85b"])
def test_a_text_that_no_choice_holds_is_one_short_line(value: str) -> None:
    assert _ask("note", value).verdict.rule == "range"
    assert _ask("betas", [value]).verdict.rule == "range"
    assert _ask("betas", [{"a": [value]}]).verdict.rule == "range"
    assert _ask("betas", [{value: 1}]).verdict.rule == "range"


def test_a_plain_line_of_text_passes() -> None:
    assert _ask("note", "caf\u00e9, 2 layers").passed


# --- constraints ----------------------------------------------------------------------------------------------------


def test_a_constraint_is_held_to_the_whole_configuration() -> None:
    verdict = _ask("depth", 24).verdict  # 512 * 24 = 12288
    assert (verdict.rule, verdict.level) == ("constraint", Level.FAIL)
    assert "fits (width * depth <= 12000 with depth=24, width=512)" in verdict.reason
    both = {"changes": [{"knob": "depth", "value": 24}, {"knob": "width", "value": 256}]}
    assert _rails().ask(both).passed


def test_a_base_that_breaks_a_constraint_refuses_what_does_not_mend_it() -> None:
    base = {**BASE, "depth": 48}
    verdict = _ask("lr", 1e-4, base=base).verdict
    assert (verdict.rule, verdict.level) == ("constraint", Level.FAIL)
    assert "the base itself breaks fits" in verdict.reason
    assert _ask("depth", 47, base=base).verdict.reason.startswith("depth=47 breaks fits")
    assert _ask("depth", 8, base=base).passed


def test_a_constraint_whose_knob_nobody_gave_is_unknown() -> None:
    menu = parse({"knobs": {"a": {"type": "int"}, "b": {"type": "int"}}, "constraints": ["a % b == 0"]})
    verdict = _ask("a", 4, menu=menu, base={"a": 2}).verdict
    assert (verdict.rule, verdict.level) == ("constraint", Level.UNKNOWN)
    assert "the base does not say what b is" in verdict.reason
    zero = _ask("a", 4, menu=menu, base={"a": 2, "b": 0}).verdict
    assert (zero.rule, zero.level) == ("constraint", Level.UNKNOWN)
    assert "modulo" in zero.reason


def test_a_default_speaks_for_a_knob_that_the_base_leaves_out() -> None:
    assert _ask("depth", 24, base={"note": "x", "betas": []}).verdict.rule == "constraint"
    assert _ask("depth", 12, base={"note": "x", "betas": []}).verdict.rule == "noop"


def test_without_a_base_nothing_passes() -> None:
    assert _ask("depth", 8, base=None).verdict[:2] == ("constraint", Level.UNKNOWN)
    free = replace(MENU, constraints=())
    for knob, value in (("depth", 8), ("depth", 12), ("note", "x")):
        verdict = _ask(knob, value, menu=free, base=None).verdict
        assert verdict[:2] == ("noop", Level.UNKNOWN)
        assert "base" in verdict.reason


def test_a_base_under_aliases_and_other_spellings_is_the_same_base() -> None:
    base = {"learning_rate": "1e-3", "depth": 12.0, "width": "512", "note": "plain", "betas": [0.9, 0.95]}
    assert _ask("lr", 1e-3, base=base).verdict.rule == "noop"
    assert _ask("lr", 1e-4, base=base).passed
    with pytest.raises(SettingsError, match="twice"):
        _rails(base={**base, "lr": 1e-3})


# --- no-op ----------------------------------------------------------------------------------------------------------


def test_a_knob_whose_value_now_is_unknown_may_be_a_no_op() -> None:
    verdict = _ask("note", "x", base={"lr": 1e-3, "depth": 12, "width": 512}).verdict
    assert verdict[:2] == ("noop", Level.UNKNOWN)
    assert "give the whole base" in verdict.reason


def test_a_part_that_changes_nothing_is_refused_with_the_whole() -> None:
    raw = {"changes": [{"knob": "depth", "value": 8}, {"knob": "lr", "value": 1e-3}]}
    assert "lr=0.001 is what the base already has; leave it out" in _rails().check(raw).reason


# --- budget ---------------------------------------------------------------------------------------------------------

SPENT = Spent(10, 3600.0, 5_000, 2.0, {}, {"wall_s": 600.0, "tokens": 900.0, "usd": 0.4})


@pytest.mark.parametrize(
    "budget",
    [Budget(trials=11), Budget(hours=7 / 6), Budget(tokens=5_900), Budget(usd=2.4), Budget(trials=99, hours=9, usd=9)],
)
def test_a_trial_that_just_fits_may_run(budget: Budget) -> None:
    assert _ask("lr", 1e-4, history=told(SPENT), budget=budget).passed


@pytest.mark.parametrize(
    ("budget", "words"),
    [
        (Budget(trials=10), "10 of 10 trials have run"),
        (Budget(hours=1.16), "1 of 1.16 hours are spent and the dearest trial so far took 0.1667"),
        (Budget(tokens=5_899), "5,000 of 5,899 tokens are spent and the dearest trial so far took 900"),
        (Budget(usd=2.39), "2 of 2.39 usd are spent and the dearest trial so far took 0.4"),
        (Budget(usd=1), "2 of 1 usd are spent;"),
    ],
)
def test_a_trial_that_could_exceed_the_budget_is_refused_before_it_runs(budget: Budget, words: str) -> None:
    verdict = _ask("lr", 1e-4, history=told(SPENT), budget=budget).verdict
    assert verdict[:2] == ("budget", Level.FAIL)
    assert words in verdict.reason


@pytest.mark.parametrize(
    "spent",
    [
        SPENT._replace(unpriced={"usd": 1}),
        SPENT._replace(usd=-0.1),
        SPENT._replace(usd=float("nan")),
        SPENT._replace(usd=float("inf")),
        SPENT._replace(dearest={"usd": float("nan")}),
        SPENT._replace(dearest={"usd": -1.0}),
    ],
)
def test_a_history_that_does_not_know_what_it_cost_cannot_keep_a_budget(spent: Spent) -> None:
    verdict = _ask("lr", 1e-4, history=told(spent), budget=Budget(usd=100)).verdict
    assert verdict[:2] == ("budget", Level.UNKNOWN)
    # What has no price matters only to a budget in that price.
    assert _ask("lr", 1e-4, history=told(spent), budget=Budget(hours=100)).passed


@pytest.mark.parametrize("most", [0, -1, float("nan"), float("inf"), True, "5"])
def test_a_budget_that_cannot_refuse_is_an_error_before_anything_is_paid_for(most: Any) -> None:
    with pytest.raises(SettingsError, match="finite number above 0"):
        Budget(usd=most)
    with pytest.raises(SettingsError, match="limits nothing"):
        Budget()


# --- the chain ------------------------------------------------------------------------------------------------------


def test_an_answer_that_refuses_is_not_true() -> None:
    assert not _ask("lr", 9.0)
    assert not _ask("lr", 9.0).passed
    assert _ask("lr", 1e-4)


def test_the_pass_repeats_what_the_last_rail_said() -> None:
    assert _ask("lr", 1e-4).verdict == Verdict("rails", Level.PASS, "lr=0.0001 was not tried before")


def test_the_first_refusal_is_the_answer() -> None:
    # Wrong in every way that a rail knows: what is mended in turn shows the order.
    history = told(SPENT, "the log was cut off; restore it")
    seen = Once()
    base = {**BASE, "width": 768}
    rails = _rails(base=base, history=history, repeat=seen, budget=Budget(trials=1))
    asked = [
        {"knob": "deep", "value": 99, "diff": "", "extra": 1},
        {"knob": "deep", "value": 99, "diff": ""},
        {"knob": "depth", "value": 99, "diff": ""},
        {"knob": "depth", "value": 48, "diff": ""},
        {"knob": "depth", "value": 12, "diff": ""},
        {"knob": "depth", "value": 12},
        {"knob": "depth", "value": 8},
    ]
    rules = [rails.check(raw).rule for raw in asked]
    assert rules == ["schema", "menu", "range", "constraint", "edit", "noop", "history"]
    history.unreadable = None
    assert [rails.check(asked[-1]).rule for _ in range(2)] == ["budget", "repeat"]


def test_the_hashes_that_the_repeat_rail_sees_are_those_a_recorder_writes() -> None:
    seen = Once()
    rails = _rails(repeat=seen, evaluator="e1", data="d1", parent="c1")
    rails.ask({"knob": "learning_rate", "value": "1e-4"})
    after = config_hash({**BASE, "lr": 1e-4}, "e1", "d1", "c1")
    assert seen.seen == {"lr=0.0001": (config_hash(BASE, "e1", "d1", "c1"), after)}


def test_a_history_that_cannot_be_trusted_refuses_in_its_own_words() -> None:
    verdict = _ask("lr", 1e-4, history=told(unreadable="run.jsonl: was cut off; restore it")).verdict
    assert verdict == Verdict("history", Level.UNKNOWN, "run.jsonl: was cut off; restore it")


class Broken:
    """A repeat rail that fails in some way."""

    def __init__(self, answer: object) -> None:
        self.answer = answer

    def check(self, proposal: Proposal, base: str | None, config: str | None) -> Any:
        """Raise, or answer nonsense."""
        if isinstance(self.answer, BaseException):
            raise self.answer
        return self.answer


@pytest.mark.parametrize(
    "answer",
    [
        RuntimeError("database is locked"),
        OSError(28, "No space left on device"),
        MemoryError(),
        RecursionError(),
        TimeoutError("after 5 s"),
        KeyError("x"),
        True,
        None,
        Proposal((), MENU.pair({"lr": 1e-4})),
        "PASS",
        Level.PASS,
        Verdict("repeat", 0, "0 is no Level"),  # type: ignore[arg-type]  # what a careless plugin would answer
        Verdict("repeat", None, ""),  # type: ignore[arg-type]  # the same
    ],
)
def test_a_rail_that_fails_or_talks_nonsense_refuses(answer: object) -> None:
    verdict = _rails(repeat=Broken(answer)).check({"knob": "lr", "value": 1e-4})
    assert verdict[:2] == ("repeat", Level.UNKNOWN)
    assert "the repeat check failed" in verdict.reason
    assert "refused unjudged" in verdict.reason


@pytest.mark.parametrize("rule", ["menu", "range", "constraint", "noop"])
def test_whichever_rail_fails_is_named(rule: str, monkeypatch: pytest.MonkeyPatch) -> None:
    name = {"menu": "on_menu", "range": "in_range", "constraint": "constraints", "noop": "no_op"}[rule]

    def fail(self: Checks, pair: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(Checks, name, fail)
    assert _ask("lr", 1e-4).verdict[:2] == (rule, Level.UNKNOWN)


def test_a_constraint_that_fails_in_an_unknown_way_refuses() -> None:
    def fails(config: Mapping[str, object]) -> bool:
        raise AttributeError("no such thing") if config["depth"] == 8 else KeyError("nothing")

    menu = replace(MENU, constraints=(Constraint("odd", "?", frozenset(("depth",)), fails),))
    assert _ask("depth", 8, menu=menu).verdict[:2] == ("constraint", Level.UNKNOWN)


def test_the_history_is_looked_at_again_for_every_proposal() -> None:
    history = told()
    rails = _rails(history=history)
    for value in (1e-4, 2e-4, 3e-4):
        rails.ask({"knob": "lr", "value": value})
    assert history.refreshed == 3


def test_an_edit_of_code_needs_a_diff() -> None:
    verdict = _ask("code:loss", "a" * 64).verdict
    assert verdict[:2] == ("edit", Level.FAIL)
    assert "brings no diff" in verdict.reason
    assert _ask("code:loss", "not a hash").verdict.rule == "range"


def test_the_rails_start_without_anything_heavy() -> None:
    program = (
        "import sys, json\n"
        "from trajscope.menu import load\n"
        "from trajscope.rails import Answer, Budget, Rails\n"
        "print(*sorted({'pydantic', 'typer', 'duckdb', 'polars', 'numpy', 'scipy', 'altair', 'difflib', 'ast'}"
        " & sys.modules.keys()))"
    )
    run = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert run.stdout.split() in ([], ["ast"])  # constraints are parsed with it


def test_the_examples_of_the_page_come_out_as_printed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    page = (ROOT / "docs" / "rails.md").read_text("utf-8")
    example = doctest.DocTestParser().get_doctest(page.replace("```", "\n"), {}, "docs/rails.md", "docs/rails.md", 0)
    assert len(example.examples) > 30
    said: list[str] = []
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS)
    runner.run(example, out=said.append)
    assert runner.failures == 0, "".join(said)


def test_every_rule_of_the_chain_is_on_the_page() -> None:
    page = (ROOT / "docs" / "rails.md").read_text("utf-8")
    rules = "schema menu range constraint edit noop repeat near revisit replicate history budget".split()
    assert [rule for rule in rules if f"`{rule}`" not in page] == []


def test_a_public_name_is_what_it_says_whatever_was_imported() -> None:
    from trajscope import rails

    for name in rails.__all__:
        assert callable(getattr(rails, name)), name
    with pytest.raises(AttributeError, match="it has Answer"):
        _ = rails.no_such_name
