"""Rules: every level that each can answer with, reached by a tiny run, and the word that follows from them."""

from __future__ import annotations

import re
from typing import Any

import pytest
from law_strategies import BASE, analyzed, made, menu
from msgspec import structs

from trajscope import analysis, rules
from trajscope.alarms import AlarmSettings, BudgetSettings
from trajscope.menu import parse
from trajscope.run import Run
from trajscope.trial import Break, Drift, End, Event, Header, MetricSpec, Seed, Unreadable
from trajscope.verdict import Level, Verdict, exit_code, worst

PASS, WARN, UNKNOWN, FAIL = Level.PASS, Level.WARN, Level.UNKNOWN, Level.FAIL


def head(**more: Any) -> Header:
    return Header(**{"run_id": "r", "metric": "loss", "goal": "minimize", "baseline": 1.0, "base": BASE, **more})


def said(run: Run, rule: str) -> Verdict:
    return next(v for v in rules.judge(run, analysis.values(run, quick=True)) if v.rule == rule)


def spaced(n: int, kinds: int) -> list[tuple[Any, ...]]:
    """Reverted trials of one knob that take `kinds` values in turn, never better than the baseline."""
    return [("z", i % kinds, "reverted", 1.5 + i % 2 / 100) for i in range(n)]


def turned(*values: Any, knob: str = "a", seeds: int = 2) -> list[tuple[Any, ...]]:
    """Kept trials that set one knob to these values, each on so many seeds."""
    return [(knob, v, "kept", 0.5, {"seeds": tuple(Seed(i, 0.5 + i / 100) for i in range(seeds))}) for v in values]


def many(n: int) -> list[tuple[Any, ...]]:
    """Reverted trials of the first knob of WIDE and TWO, each with a value of its own."""
    return [("k", i, "reverted", 1.5) for i in range(1, n + 1)]


def others(n: int) -> list[tuple[Any, ...]]:
    """Reverted trials of the other knobs of TWO."""
    return [(f"o{i % 4}", i, "reverted", 1.5) for i in range(1, n + 1)]


def kept(n: int) -> list[tuple[Any, ...]]:
    """Kept trials, each of a pair of its own."""
    return [("b", i, "kept", 0.5) for i in range(n)]


def crashed(n: int, status: str = "crashed") -> list[tuple[Any, ...]]:
    """Trials that came to nothing."""
    return [("z", 1, status, None)] * n


def asked(alarms: AlarmSettings, run: Run) -> Run:
    """A run of which a user asks with bounds of his own."""
    run.alarms = alarms
    return run


WIDE = parse({"k": {"type": "int", "choices": list(range(51)), "default": 0}})
TWO = parse({"knobs": {"k": {"choices": list(range(51)), "default": 0, "family": "x"}}
             | {f"o{i}": {"choices": list(range(51)), "default": 0, "family": "y"} for i in range(4)}})  # fmt: skip
OPEN = parse({"knobs": {"z": {"type": "int"}, "y": {"type": "int"}}})
TEN = head(budget={"trials": 10})
# One repeat in four tells of the noise, and all others are new.
DRY = [("z", i if i % 4 else 0, "reverted", 1.5 + i % 3 / 100) for i in range(20)]
WITH_GUARD = head(metrics=(MetricSpec("g", "guard", floor=0.0),))
WITHOUT_BOUND = head(metrics=(MetricSpec("g", "guard"),))
FIVE = parse({f"k{i}": {"type": "int", "choices": [1, 2, 3], "default": 1} for i in range(5)})
TINY = parse({"z": {"type": "int", "choices": [0, 1, 2], "default": 0}})
ALL_OF_IT = [("z", 1, "reverted", 1.5), ("z", 2, "reverted", 1.51)]
KEEP = ("a", 2, "kept", 0.5)
# Three keeps in nine trials.
LATE = [KEEP, *spaced(2, 1)] * 3
FAILS_WITHOUT_A_WORD = frozenset(
    "excess dry_search kept_dominance family_dominance stuck zero_keeps crashes budget".split()
)
# What these say is of all trials or of none: of what is absent, of a share of everything, of a sum.
NO_TRIAL_SHOWS = frozenset("coverage family_dominance zero_keeps budget baseline seed".split())
# These have cases of their own (test_detectors.py).
DETECTORS = frozenset(
    "grader divergence gain_share guard_margin variance_collapse predictions ablation unchanged_gain seed_edit "
    "shortcut confirmation too_good perfect".split()
)


def worded(words: int, named: int) -> Run:
    """New proposals, of which so many are known by their words alone."""
    rows = [("z", i, "reverted", 2.0, {"provenance": "hash" if i < words else "text"}) for i in range(words + named)]
    return made(*rows)


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
    # (6 + 2) / (6 + 10) = .5, and .5 ** 6 = .0156; (12 + 2) / (12 + 10) = .636, and .636 ** 12 = .0044.
    ("staircase", WARN, "0.016 such runs are expected in 6 trials at a keep rate of 50%", made(*[KEEP] * 6)),
    ("staircase", FAIL, "0.0044 such runs are expected in 12 trials at a keep rate of 64% (bound 0.005)",
     made(*[KEEP] * 12)),
    # (21 + 2) / (28 + 10) = .605, and 22 * .395 * .605 ** 6 + .605 ** 6 = .475.
    ("staircase", WARN, "0.48 such runs are expected in 28 trials at a keep rate of 61%",
     made(*spaced(4, 1), *([*[KEEP] * 5, *spaced(1, 1)] * 3), *[KEEP] * 6)),
    # What came after a row says nothing of it: (16 + 2) / (18 + 10) = .643, and 12 * .357 * .0706 + .0706 = .373. With
    # sixty more trials the rate is .205 and the row looks rare; a row at the very beginning stays what it was.
    ("staircase", WARN, "0.37 such runs are expected in 18 trials at a keep rate of 64%",
     made(*([*[KEEP] * 5, *spaced(1, 1)] * 2), *[KEEP] * 6, *spaced(60, 1))),
    ("staircase", FAIL, "0.0044 such runs are expected in 12 trials at a keep rate of 64%",
     made(*[KEEP] * 12, *([*spaced(1, 1), *[KEEP] * 5] * 3), *spaced(4, 1))),
    # Nine of fifteen were kept: (9 + 2) / (15 + 10) = .44, and 9 * .56 * .44 ** 6 + .44 ** 6 = .0438: too many for any
    # row, too few for one knob turned ever further, where several seeds say that each step was one.
    ("staircase", WARN, "0.044 such runs are expected in 15 trials at a keep rate of 44% (bound 0.005)",
     made(*LATE, *turned(1, 2, 3, 5, 4, 6))),
    ("staircase", WARN, "keep rate of 44% (bound 0.005)",
     made(*LATE, *turned(1, 2, 3), *turned(4, knob="b"), *turned(5, 6))),
    ("staircase", WARN, "keep rate of 44% (bound 0.005)", made(*LATE, *turned(1, 2, "3", 4, 5, 6))),
    ("staircase", WARN, "keep rate of 44% (bound 0.005)", made(*LATE, *turned(1, 2, 3, 4, 5, 6, seeds=1))),
    ("staircase", FAIL, "in a row (bound 6), each of them a turned further the same way: too good, too fast; 0.044",
     made(*LATE, *turned(1, 2, 3, 4, 5, 6))),
    ("staircase", FAIL, "each of them a turned further the same way",
     made(*LATE, *turned(-0.1, -0.2, -0.3, -0.4, -0.5, -0.6))),
    # A holdout of another kind that passes on all twelve vouches for them; one that is the metric once more does not.
    ("staircase", WARN, "the holdout, which is of another kind, goes along",
     made(*[(*KEEP, {"holdout": True})] * 12, header=head(metrics=(MetricSpec("other", "holdout"),)))),
    ("staircase", FAIL, "0.0044 such runs",
     made(*[(*KEEP, {"holdout": True})] * 12, header=head(metrics=(MetricSpec("holdout_loss", "holdout"),)))),
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
    # Eleven new sentences of twenty are no eleven ideas, ten leave it at that; and old words are old all the same.
    ("flailing", UNKNOWN, "11 of 20 proposals are known by words alone", worded(11, 9)),
    ("flailing", PASS, "100% of proposals are still new", worded(10, 10)),
    ("flailing", FAIL, "only 6% of proposals are still new", made(KEEP, *spaced(15, 1), provenance="hash")),
    ("repeats", UNKNOWN, "11 of 20 proposals are known by words alone", worded(11, 9)),
    ("repeats", PASS, "0 of the last 10", worded(10, 10)),
    ("repeats", FAIL, "10 of the last 10", made(*spaced(20, 1), provenance="hash")),
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
    ("excess", WARN, "not evaluable: no menu is known", made(*spaced(20, 1))),
    ("excess", WARN, "not evaluable: 7 counted trials are too few", made(*spaced(7, 1), header=head(menu=WIDE))),
    ("excess", PASS, "0 of 20 proposals had been tried before", made(*many(20), header=head(menu=WIDE))),
    # 50 * (1 - .98 ** 20) = 16.62 cells met, so 3.38 repeats; and C(50, 8) * (8 / 50) ** 20 = 6.5e-8 < .01 / 420.
    ("excess", FAIL, ("12 of 20 proposals had been tried before, where a blind walker over 50 cells repeats 3.4 "
     "(p<6e-08, bound 2e-05)"), made(*many(8), *many(8), *many(4), header=head(menu=WIDE))),
    # C(50, 10) * (10 / 50) ** 20 = 1.1e-4: fewer than .01, and not than .01 / 420.
    ("excess", WARN, "(p<0.0001, bound 0.01)", made(*many(10), *many(10), header=head(menu=WIDE))),
    ("dry_search", WARN, "not evaluable: the noise is not known", made(*many(20), header=head(menu=WIDE))),
    ("dry_search", PASS, "14 trials since the last best beyond noise (bound 15)", made(KEEP, *DRY[:14])),
    ("dry_search", WARN, "20 trials since the last best beyond noise (bound 15), though 76% of proposals are still new",
     made(KEEP, *DRY)),
    ("dry_search", FAIL, "(bound 20)", asked(AlarmSettings(plateau=20), made(KEEP, *DRY))),
    ("dry_search", PASS, "(bound 21)", asked(AlarmSettings(plateau=21), made(KEEP, *DRY))),
    ("dry_search", PASS, "flailing speaks", made(KEEP, *spaced(15, 1))),
    ("dry_search", WARN, "15 trials since", asked(AlarmSettings(off=("flailing",)), made(KEEP, *spaced(15, 1)))),
    ("kept_dominance", WARN, "not evaluable: no keep names what it changed", made(*spaced(3, 1))),
    ("kept_dominance", WARN, "not evaluable: 3 keeps are too few (< 4)", made(*[KEEP] * 3)),
    ("kept_dominance", WARN, "a=2 took 7 of 7 keeps (bound 30%)", made(*[KEEP] * 7)),
    ("kept_dominance", WARN, "a=2 took 3 of 8 keeps (bound 30%)", made(*[KEEP] * 3, *kept(5))),
    ("kept_dominance", PASS, "took 2 of 8 keeps (bound 30%)", made(*[KEEP] * 2, *kept(6))),
    ("kept_dominance", FAIL, "a=2 took 4 of 8 keeps (bound 50%)", made(*[KEEP] * 4, *kept(4))),
    ("family_dominance", WARN, "not evaluable: no menu is known", made(*spaced(20, 1))),
    ("family_dominance", WARN, "not evaluable: all knobs of the menu are of one family",
     made(*many(20), header=head(menu=WIDE))),
    ("family_dominance", WARN, "not evaluable: 7 counted trials", made(*many(7), header=head(menu=TWO))),
    # 15 of 20 in a fifth of the knobs: 20 * (.75 ln 3.75 + .25 ln .3125) = 14.0, exp of minus that 8.2e-7.
    ("family_dominance", FAIL, "x took 75% of 20 changes and holds 20% of the knobs (bound 75%; p<8e-07, bound 2e-05)",
     made(*many(15), *others(5), header=head(menu=TWO))),
    # 10 of 19: 19 * (.526 ln 2.632 + .474 ln .592) = 4.96, .007.
    ("family_dominance", WARN, "x took 53% of 19 changes and holds 20% of the knobs (bound 50%; p<0.007, bound 0.01)",
     made(*many(10), *others(9), header=head(menu=TWO))),
    ("family_dominance", PASS, "y took 55% of 20 changes and holds 80%",
     made(*many(9), *others(11), header=head(menu=TWO))),
    ("stuck", WARN, "not evaluable: no menu is known", made(*spaced(20, 1))),
    ("stuck", PASS, "no new cell in the last 14 trials (bound 15), though 49 of 50 are untried",
     made(*many(1) * 15, header=head(menu=WIDE))),
    ("stuck", FAIL, ("no new cell in the last 15 trials (bound 15), though 49 of 50 are untried: a blind walker misses "
     "them with p=3e-26 (bound 0.0017)"), made(*many(1) * 16, header=head(menu=WIDE))),
    # (1 - 10 / 50) ** 22 = .0074: under .01, and not under .01 / (41 * 42).
    ("stuck", WARN, ("no new cell in the last 22 trials (bound 18.6), though 10 of 50 are untried: a blind walker "
     "misses them with p=0.007 (bound 0.01)"), made(*many(40), *many(22), header=head(menu=WIDE))),
    ("stuck", PASS, "all 50 cells of the menu were tried", made(*many(50), *many(40), header=head(menu=WIDE))),
    # A knob that has no range: one of two knobs in 20 trials, .5 ** 19.
    ("stuck", FAIL, ("no new knob in the last 19 trials (bound 15), though 1 of 2 are untried: a blind walker misses "
     "them with p=2e-06 (bound 0.0017)"), made(*spaced(20, 20), header=head(menu=OPEN))),
    ("zero_keeps", WARN, "not evaluable: the format has no keeps", made(*spaced(9, 1), header=head(has_keeps=False))),
    ("zero_keeps", WARN, "not evaluable: no trial was evaluated", made()),
    # Beta(2, 8): 9 * 8 / ((9 + n) * (8 + n)) is .0512 after 29 and .0486 after 30.
    ("zero_keeps", PASS, "no keep in the last 29 trials, and nothing was kept before (p=0.051, bound 0.05)",
     made(*spaced(29, 29))),
    ("zero_keeps", WARN, "no keep in the last 30 trials, and nothing was kept before (p=0.049, bound 0.05)",
     made(*spaced(30, 30))),
    # 72 / (269 * 268) = .000999.
    ("zero_keeps", FAIL, "(p=0.001, bound 0.001)", made(*spaced(260, 260))),
    # Beta(3, 8): 10 * 9 * 8 / ((10 + n) * (9 + n) * (8 + n)) is .0051 after 43 and .0046 after 45.
    ("zero_keeps", PASS, "no keep in the last 43 trials, after 1 keep in 1 trial", made(KEEP, *spaced(43, 43))),
    ("zero_keeps", WARN, "after 1 keep in 1 trial (p=0.0046, bound 0.005)", made(KEEP, *spaced(45, 45))),
    ("zero_keeps", WARN, "no keep in the last 900 trials, after 9 keeps in 9 trials", made(*kept(9), *spaced(900, 9))),
    ("zero_keeps", FAIL, "(bound 12)", asked(AlarmSettings(zero_keeps=12), made(*spaced(12, 12)))),
    ("crashes", WARN, "not evaluable: no trial ran", made(("a", 2, "blocked", None))),
    ("crashes", PASS, "4 of the last 10 trials crashed (bound 25%), 4 of them in a row (bound 5)",
     made(*spaced(6, 6), *crashed(4))),
    # (0 + 1) / (6 + 10) = 1 / 16; (11 - 5) * (15 / 16) / 16 ** 5 + 1 / 16 ** 5 = 6.3e-6.
    ("crashes", FAIL, "5 trials in a row crashed (bound 5); 6.3e-06 such rows are expected at a crash rate of 6%",
     made(*spaced(6, 6), *crashed(5))),
    ("crashes", FAIL, "5 trials in a row crashed", made(*spaced(6, 6), *crashed(3, "aborted"), *crashed(2))),
    ("crashes", FAIL, "5 trials in a row", made(*crashed(3), ("a", 2, "blocked", None), *crashed(2))),
    ("crashes", PASS, "0 of the last 5 trials crashed", made(*[("a", 2, "aborted", 1.0)] * 5)),
    ("crashes", PASS, "in a row (bound 5)", made(*crashed(5), KEEP)),
    ("crashes", FAIL, "10 of the last 20 trials crashed (bound 50%)", made(*[KEEP, *crashed(1)] * 10)),
    ("crashes", WARN, "5 of the last 20 trials crashed (bound 25%)", made(*[*[KEEP] * 3, *crashed(1)] * 5)),
    ("crashes", PASS, "4 of the last 20 trials crashed", made(*[*[KEEP] * 4, *crashed(1)] * 4)),
    # Of 40 before them 16 crashed: 17 / 50, and 40 * .66 * .34 ** 5 + .34 ** 5 = .12.
    ("crashes", WARN, "5 trials in a row crashed (bound 5); 0.12 such rows are expected at a crash rate of 34%",
     made(*crashed(16), *[KEEP] * 24, *crashed(5))),
    ("crashes", FAIL, "(bound 2)", asked(AlarmSettings(crash_streak=2), made(*crashed(2)))),
    ("budget", WARN, "not evaluable: no budget is declared", made(KEEP, wall_s=9.0)),
    ("budget", PASS, "7 of 10 trials are spent: 70% (bound 80%)", made(*spaced(7, 7), header=TEN)),
    ("budget", WARN, "8 of 10 trials are spent: 80% (bound 80%)", made(*spaced(8, 8), header=TEN)),
    ("budget", WARN, "10 of 10 trials are spent: 100% (bound 80%)", made(*spaced(10, 8), header=TEN)),
    ("budget", FAIL, "11 of 10 trials are spent: 110% (bound 100%)",
     made(*spaced(10, 8), *crashed(1), header=TEN)),
    ("budget", PASS, "7 of 10 trials", made(*spaced(7, 7), ("a", 2, "blocked", None), header=TEN)),
    ("budget", FAIL, "1.25 of 1 hours and 1.25 of 5 USD are spent: 125%",
     asked(AlarmSettings(budget=BudgetSettings(hours=1, usd=5)), made(*spaced(5, 5), wall_s=900.0, usd=0.25))),
    ("budget", WARN, "90 of 100 tokens are spent: 90%",
     asked(AlarmSettings(budget=BudgetSettings(tokens=100)), made(*spaced(9, 9), tokens_in=7, tokens_out=3))),
    ("budget", FAIL, "11 of 10 trials", asked(AlarmSettings(budget=BudgetSettings(trials=99)),
                                              made(*spaced(11, 9), header=TEN))),  # of two, the tighter holds
    ("budget", WARN, "not evaluable: 1 of 2 trials that ran do not say what they took of 1 hours",
     asked(AlarmSettings(budget=BudgetSettings(hours=1)), made((*KEEP, {"wall_s": 900.0}), KEEP))),
    ("budget", FAIL, "1.111 of 1 hours are spent: 111%",  # what is known is too much, whatever the other took
     asked(AlarmSettings(budget=BudgetSettings(hours=1)), made((*KEEP, {"wall_s": 4000.0}), KEEP))),
    ("budget", WARN, "not evaluable: 1 of 1 trial that ran do not say what they took of 3 usd",
     asked(AlarmSettings(budget=BudgetSettings(usd=3)), made(KEEP))),
    ("unconfirmed", WARN, "too few repeated evaluations", made(KEEP)),
    ("unconfirmed", WARN, "1 of 1 keep is confirmed by no other", made(KEEP, *spaced(5, 1))),
    ("unconfirmed", PASS, "all 2 keeps are confirmed", made(KEEP, KEEP, *spaced(5, 1))),
    ("flips", WARN, "z=0 (1 of 2 kept)", made(("z", 0, "kept", None), ("z", 0, "reverted", None))),
    ("flips", WARN, "which configuration each trial ran is not recorded", made(KEEP, placed=False)),
    ("flips", PASS, "no verdict flipped", made(KEEP, KEEP)),
    ("baseline", WARN, "7, and 8 are needed", made(*spaced(7, 1))),
    # One configuration at .1 and .9 in turn: its sd is .43, and the median lies .5 above the baseline.
    ("baseline", WARN, "8 of 8 trials beat the baseline (p=0.0078, bound 0.01): measure it again",
     made(*[("a", 2, "reverted", 0.1), ("a", 2, "reverted", 0.9)] * 4)),
    ("baseline", WARN, "not evaluable: what comes after a keep",  # which is in the base of all that follow
     made(KEEP, *[("z", i, "reverted", 0.5, {"under": {"a": 2}}) for i in range(9)])),
    ("baseline", WARN, "not evaluable: what comes after a keep",  # of which nobody knows what it stands on
     made(KEEP, *[("z", i, "reverted", 0.5) for i in range(9)], placed=False)),
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
    assert words == {name for name, level, _, _ in CASES if level is FAIL} - FAILS_WITHOUT_A_WORD
    assert not any(r.word for r in rules.RULES if r.name in FAILS_WITHOUT_A_WORD)


def test_what_does_not_pass_names_a_number_and_the_trials_that_show_it() -> None:
    """Over all rules and all cases; those of the detectors are in test_detectors.py."""
    for rule, level, _, run in CASES:
        v = said(run, rule)
        if level in (WARN, FAIL) and not v.reason.startswith((rules.NOT_EVALUABLE, "no guard is declared")):
            assert re.search(r"\d", v.reason), v
            assert v.evidence or rule in NO_TRIAL_SHOWS or "declared" in v.reason or "closing counts" in v.reason, v


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
