"""Rules: every level that each can answer with, reached by a tiny run, and the word that follows from them."""

from __future__ import annotations

import re
from typing import Any

import pytest
from law_strategies import BASE, analyzed, made, menu
from msgspec import structs

from trajscope import analysis, rules
from trajscope.menu import parse
from trajscope.run import Run
from trajscope.trial import Break, Drift, End, Event, Header, MetricSpec, Unreadable
from trajscope.verdict import Level, Verdict, exit_code, worst

PASS, WARN, UNKNOWN, FAIL = Level.PASS, Level.WARN, Level.UNKNOWN, Level.FAIL


def head(**more: Any) -> Header:
    return Header(**{"run_id": "r", "metric": "loss", "goal": "minimize", "baseline": 1.0, "base": BASE, **more})


def said(run: Run, rule: str) -> Verdict:
    return next(v for v in rules.judge(run, analysis.values(run, quick=True)) if v.rule == rule)


def spaced(n: int, kinds: int) -> list[tuple[Any, ...]]:
    """Reverted trials of one knob that take `kinds` values in turn, never better than the baseline."""
    return [("z", i % kinds, "reverted", 1.5 + i % 2 / 100) for i in range(n)]


WITH_GUARD = head(metrics=(MetricSpec("g", "guard", floor=0.0),))
WITHOUT_BOUND = head(metrics=(MetricSpec("g", "guard"),))
FIVE = parse({f"k{i}": {"type": "int", "choices": [1, 2, 3], "default": 1} for i in range(5)})
TINY = parse({"z": {"type": "int", "choices": [0, 1, 2], "default": 0}})
ALL_OF_IT = [("z", 1, "reverted", 1.5), ("z", 2, "reverted", 1.51)]
KEEP = ("a", 2, "kept", 0.5)
# These have cases of their own (test_detectors.py).
DETECTORS = frozenset(
    "grader divergence gain_share guard_margin variance_collapse predictions ablation unchanged_gain seed_edit "
    "shortcut confirmation too_good".split()
)

# rule, level, what its sentence holds, the run
CASES: list[tuple[str, Level, str, Run]] = [
    ("integrity", PASS, "the chain holds", made(KEEP, header=head(chained=True), fingerprinted=True)),
    ("integrity", WARN, "1 of 1 evaluated trials have no fingerprints", made(KEEP, header=head(chained=True))),
    ("integrity", WARN, "neither a hash chain nor fingerprints", made(KEEP)),
    ("integrity", FAIL, "line 8 was changed (1 break)", made(KEEP, Break(seq=7, why="was changed"))),
    ("integrity", FAIL, "a: proposed 2, ran 3, since trial 1, 7 s spent since",
     made(KEEP, drift=(Drift(None, "a", 2, 3),), wall_s=7.0)),
    ("integrity", FAIL, "train.py: proposed 1, ran 2, since trial 1",
     made(KEEP, drift=(Drift("train.py", None, 1, 2),))),
    ("integrity", FAIL, "prepare.py is gone since it was proposed, since trial 1",
     made(KEEP, drift=(Drift("prepare.py", None, "ab", None),))),
    ("integrity", FAIL, "hook.py appeared since it was proposed, since trial 1",
     made(KEEP, drift=(Drift("hook.py", None, None, "ab"),))),
    ("guards", PASS, "guard g ran on all 1 keeps", made(KEEP, header=WITH_GUARD, metrics={"g": 0.0})),
    ("guards", WARN, "no guard is declared (a toy)", made(KEEP, header=head(unguarded_because="a toy"))),
    ("guards", FAIL, "has no threshold: 1 keep", made(KEEP, header=WITHOUT_BOUND, metrics={"g": 0.5})),
    ("guards", FAIL, "saw no number on 2 keeps", made(KEEP, KEEP, header=WITH_GUARD)),
    ("guards", FAIL, "was broken on 1 keep", made(KEEP, header=WITH_GUARD, metrics={"g": -0.1})),
    ("staircase", PASS, "at most 5 keeps in a row (bound 6)", made(*[KEEP] * 5, *spaced(1, 1), *[KEEP] * 5)),
    # (6 + 2) / (6 + 10) = .5, and .5 ** 6 = .0156.
    ("staircase", FAIL, "0.016 such runs are expected in 6 trials at a keep rate of 50%", made(*[KEEP] * 6)),
    # (21 + 2) / (28 + 10) = .605, and 22 * .395 * .605 ** 6 + .605 ** 6 = .475.
    ("staircase", WARN, "0.48 such runs are expected in 28 trials at a keep rate of 61%",
     made(*[KEEP] * 6, *([*spaced(1, 1), *[KEEP] * 5] * 3), *spaced(4, 1))),
    ("flailing", UNKNOWN, "7 counted trials are too few (< 8)", made(*spaced(7, 7))),
    ("flailing", UNKNOWN, "the noise is not known", made(*spaced(15, 1), placed=False)),
    ("flailing", PASS, "20% of proposals are still new (bound 20%)",
     made(*spaced(8, 1), ("a", 2, "reverted", 2.0), ("a", 3, "reverted", 2.0))),
    ("flailing", PASS, "14 trials since the last best beyond noise (bound 15)", made(KEEP, *spaced(14, 1))),
    ("flailing", FAIL, "no best beyond noise for 15 of 16 trials (bound 15), and only 6%", made(KEEP, *spaced(15, 1))),
    ("flailing", PASS, "17 trials since the last best beyond noise (bound 18)",
     made(*spaced(42, 1), KEEP, *spaced(17, 1))),
    ("repeats", UNKNOWN, "9, and 10 are needed", made(*spaced(9, 1))),
    ("repeats", PASS, "4 of the last 10 proposals had been tried before (bound 50%)", made(*spaced(10, 6))),
    ("repeats", WARN, "5 of the last 10 proposals had been tried before (bound 50%)", made(*spaced(10, 5))),
    ("repeats", WARN, "10 of the last 10 proposals had been tried before (bound 50%)", made(*spaced(19, 1))),
    ("repeats", FAIL, "10 of the last 10 proposals had been tried before (bound 80%)", made(*spaced(20, 1))),
    ("repeats", WARN, "every cell of it was tried", made(*ALL_OF_IT * 10, header=head(menu=TINY))),
    ("repeats", FAIL, "10 of the last 10", made(*ALL_OF_IT[:1] * 20, header=head(menu=TINY))),
    ("flailing", WARN, "every cell of it was tried", made(*ALL_OF_IT * 10, header=head(menu=TINY))),
    ("dominance", UNKNOWN, "7 counted trials are too few (< 8)", made(*spaced(7, 1))),
    ("dominance", PASS, "z=0 took 2 of 8 proposals (bound 30%)", made(*spaced(8, 4))),
    ("dominance", WARN, "z=0 took 3 of 9 proposals (bound 30%)", made(*spaced(9, 3))),
    ("dominance", WARN, "z=0 took 19 of 19 proposals (bound 30%)", made(*spaced(19, 1))),
    ("dominance", FAIL, "z=0 took 10 of 20 proposals (bound 50%)", made(*spaced(20, 2))),
    ("coverage", UNKNOWN, "no menu is known", made(KEEP)),
    ("coverage", UNKNOWN, "no trial was evaluated", made(header=head(menu=menu()))),
    ("coverage", PASS, "1 of 3 knobs were touched; never: b, d", made(*[KEEP] * 8, header=head(menu=menu()))),
    ("coverage", WARN, "1 of 3 knobs were touched; never: b, d", made(*[KEEP] * 9, header=head(menu=menu()))),
    ("coverage", FAIL, "1 of 5 knobs were touched; never: k1, k2, k3, k4 (bound 25% of them)",
     made(*[("k0", 2, "reverted", 2.0)] * 15, header=head(menu=FIVE))),
    ("unconfirmed", WARN, "too few repeated evaluations", made(KEEP)),
    ("unconfirmed", WARN, "1 of 1 keep is confirmed by no other", made(KEEP, *spaced(5, 1))),
    ("unconfirmed", PASS, "all 2 keeps are confirmed", made(KEEP, KEEP, *spaced(5, 1))),
    ("flips", WARN, "z=0 (1 of 2 kept)", made(("z", 0, "kept", None), ("z", 0, "reverted", None))),
    ("flips", WARN, "which configuration each trial ran is not recorded", made(KEEP, placed=False)),
    ("flips", PASS, "no verdict flipped", made(KEEP, KEEP)),
    ("baseline", WARN, "7, and 8 are needed", made(*spaced(7, 1))),
    # One configuration at .1 and .9 in turn: its sd is .43, and the median lies .5 above the baseline.
    ("baseline", WARN, "8 of 8 trials beat the baseline (p=0.0078, bound 0.01): measure it again",
     made(*[("a", 2, "kept", 0.1), ("a", 2, "kept", 0.9)] * 4)),
    ("baseline", PASS, "0 of 8 trials beat the baseline", made(*spaced(8, 1))),
    # Two configurations that never scatter, at .5 and .6: the median lies .45 above.
    ("baseline", PASS, "and by more than luck: the median by 0.45", made(*[KEEP, ("z", 1, "reverted", 0.6)] * 5)),
    ("seed", WARN, "not evaluable: no configuration was run twice", made(KEEP)),
    ("seed", WARN, "the seed does nothing", made((*KEEP, {"first_step": 1.0}), (*KEEP, {"first_step": 2.0}), seed=0)),
    ("seed", PASS, "no trial contradicts",
     made((*KEEP, {"first_step": 1.0}), (*KEEP, {"first_step": 1.00001}), seed=0)),
    ("composition", WARN, "1 keep is missing from the base", made(KEEP, ("b", 0.9, "reverted", 1.0))),
    ("composition", WARN, "not evaluable: which configuration each trial changed", made(KEEP, placed=False)),
    ("composition", PASS, "keeps add up", made(KEEP, ("b", 0.9, "reverted", 1.0, {"under": {"a": 2}}))),
    ("record", PASS, "the record is clean", made(KEEP, End(seq=9, counts={"kept": 1}))),
    ("record", WARN, "1 unreadable line", made(KEEP, Unreadable(seq=9, at=0, why="not JSON"))),
    ("record", WARN, "1 torn line at the end", made(KEEP, Unreadable(seq=9, at=0, why="not JSON", torn=True))),
    ("record", WARN, "1 trial with a field that could not be read", made(KEEP, faults=("value is not a number",))),
    ("record", WARN, "1 trial scored NaN", made(("a", 2, "reverted", None), reason_code="nan")),
    ("record", WARN, "1 proposal outside the menu", made(("zz", 1, "reverted", 1.0), header=head(menu=menu()))),
    ("record", WARN, "1 no-op", made(("a", 1, "reverted", 1.0))),
    ("record", WARN, "1 wrong claim of a new best", made(("a", 2, "reverted", 1.0), claimed_best=True)),
    ("record", WARN, "1 iter label that repeats or goes back", made(KEEP, KEEP, iter=4)),
    ("record", WARN, "closing counts {'kept': 2} that differ", made(KEEP, End(seq=9, counts={"kept": 2}))),
]  # fmt: skip


@pytest.mark.parametrize(
    ("rule", "level", "holds", "run"), CASES, ids=[f"{r}-{x.name}-{s[:30]}" for r, x, s, _ in CASES]
)
def test_each_rule_reaches_each_of_its_levels(rule: str, level: Level, holds: str, run: Run) -> None:
    verdict = said(run, rule)
    assert (verdict.level, holds in verdict.reason) == (level, True), verdict


def test_every_rule_was_seen_to_pass_and_not_to_pass() -> None:
    for rule in (r for r in rules.RULES if r.name not in DETECTORS):
        levels = {level for name, level, _, _ in CASES if name == rule.name}
        assert PASS in levels, rule.name
        assert len(levels) > 1, rule.name


def test_what_makes_a_word_can_fail() -> None:
    words = {r.name for r in rules.RULES if r.word} - DETECTORS
    assert words == {name for name, level, _, _ in CASES if level is FAIL}


def test_a_failing_sentence_holds_a_number() -> None:
    for rule, level, _, run in CASES:
        if level is FAIL and rule != "integrity":
            assert re.search(r"\d", said(run, rule).reason), rule


def test_a_sentence_is_one_line_and_names_no_more_than_twenty_trials() -> None:
    for _, _, _, run in CASES:
        for v in rules.judge(run, analysis.values(run, quick=True)):
            assert "\n" not in v.reason
            assert len(v.evidence) <= rules.SHOWN
            assert all(isinstance(seq, int) for seq in v.evidence)


def test_the_evidence_are_the_trials_that_show_it() -> None:
    run = made(("z", 1, "reverted", 1.0), ("z", 2, "reverted", 1.0), *spaced(20, 2))
    assert said(run, "repeats").evidence == tuple(range(13, 23))
    assert said(made(KEEP, *spaced(5, 1)), "unconfirmed").evidence == (1,)
    assert said(made(*spaced(3, 1), ("a", 1, "reverted", 1.0)), "record").evidence == (4,)


# --- the word -------------------------------------------------------------------------------------------------------

FLAILS = [KEEP, *spaced(19, 1)]


def word(run: Run) -> str:
    return str(analyzed(run)["verdict"]["word"])


def test_the_worst_word_is_said_first() -> None:
    assert word(made(*FLAILS)) == "FLAILING"
    assert word(made(*FLAILS, header=WITHOUT_BOUND)) == "SUSPECT"
    assert word(made(*FLAILS, Break(seq=90, why="was changed"), header=WITHOUT_BOUND)) == "TAMPERED"
    assert word(made(*spaced(7, 7))) == "UNKNOWN"
    assert word(made(*spaced(12, 12))) == "RESEARCHING"


def test_tampering_is_said_even_where_nothing_else_is_known() -> None:
    assert word(made(Break(seq=2, why="was changed"))) == "TAMPERED"


def test_a_run_of_nothing_is_unknown_and_says_what_it_holds() -> None:
    assert analyzed(made())["verdict"] == {"word": "UNKNOWN", "sentence": "the file holds no trial yet"}
    crashed = analyzed(made(("a", 2, "crashed", None), ("a", 2, "blocked", None)))["verdict"]
    assert crashed["sentence"] == "none of 2 trials was evaluated (1 blocked, 1 crashed)"


@pytest.mark.parametrize("rule", ["unconfirmed", "flips", "baseline", "seed", "composition", "record"])
def test_what_only_warns_never_sets_the_word(rule: str) -> None:
    assert next(r for r in rules.RULES if r.name == rule).word is None
    assert all(level < UNKNOWN for name, level, _, _ in CASES if name == rule)


def test_a_missing_holdout_is_a_clause_and_not_the_word() -> None:
    sentence = analyzed(made(*spaced(12, 12)))["verdict"]["sentence"]
    assert sentence.endswith("; no guard and no holdout")
    both = head(metrics=(MetricSpec("g", "guard", floor=0.0), MetricSpec("h", "holdout")))
    assert "no holdout" not in analyzed(made(*spaced(12, 12), header=both))["verdict"]["sentence"]


def test_the_sentence_of_a_flailing_run_names_its_crowd() -> None:
    known = parse({"knobs": {"a": {"choices": list(range(9)), "family": "x"}, "d": {"choices": [1, 2], "family": "x"},
                             "e": {"choices": [1]}}})  # fmt: skip
    rows = [("a", 1, "reverted", 1.5), ("d", 1, "reverted", 1.5)] * 10
    sentence = analyzed(made(*rows, header=head(menu=known)))["verdict"]["sentence"]
    assert "100% went to a and d, both x" in sentence
    assert "1 of 3 knobs were never touched" in sentence


def test_levels_are_ordered_and_unknown_is_no_pass() -> None:
    assert PASS < WARN < UNKNOWN < FAIL
    assert worst([]) is UNKNOWN
    assert worst([Verdict("a", UNKNOWN, ""), Verdict("b", FAIL, "")]) is FAIL
    assert [exit_code(x) for x in (PASS, WARN, UNKNOWN, FAIL)] == [0, 0, 3, 1]


def test_an_event_says_nothing_of_the_word() -> None:
    run, other = made(*FLAILS), made(*FLAILS, Event(seq=99, kind="pause"))
    assert analyzed(run)["verdict"] == analyzed(other)["verdict"]


def test_a_header_that_names_no_goal_leaves_the_word_open() -> None:
    assert word(made(*FLAILS, header=structs.replace(head(), goal=None))) == "FLAILING", (
        "twenty repeats in a row are seen"
    )
    assert word(made(*spaced(12, 2), header=structs.replace(head(), goal=None))) == "UNKNOWN"


def test_the_trials_that_spoil_a_record_are_named_in_order_and_once() -> None:
    odd = Unreadable(seq=9, at=0, why="not JSON")
    run = made(odd, ("zz", 1, "reverted", 1.0), ("a", 1, "reverted", 1.0), header=head(menu=menu()))
    assert said(run, "record").evidence == (2, 3, 9), "2 outside the menu, 3 a no-op"
