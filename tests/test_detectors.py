"""Detectors: for each a run on which it fires, one on which it is quiet, and one that lacks what it needs.

Numbers are small enough to be worked out by hand; where a p is needed, the comment beside the case says it.
"""

from __future__ import annotations

from typing import Any

import pytest
from law_strategies import BASE, analyzed, made
from msgspec import structs

from trajscope import analysis, rules
from trajscope.pair import config_hash
from trajscope.run import Run
from trajscope.tally import LATEST
from trajscope.trial import Drift, Header, Measure, MetricSpec, Seed
from trajscope.verdict import Level, Verdict

PASS, WARN, UNKNOWN, FAIL = Level.PASS, Level.WARN, Level.UNKNOWN, Level.FAIL
HOME = config_hash(BASE)
EDIT = "--- a/{0}\n+++ b/{0}\n@@ -1 +1 @@\n-{1} = 1\n+{1} = 2\n"


def head(*metrics: MetricSpec, **more: Any) -> Header:
    return Header(**{"run_id": "r", "metric": "acc", "goal": "maximize", "baseline": 0.0, "base": BASE,
                     "metrics": metrics, **more})  # fmt: skip


def said(run: Run, rule: str) -> Verdict:
    return next(v for v in rules.judge(run, analysis.values(run, quick=True)) if v.rule == rule)


def keeps(scores: list[float], **lists: list[Any]) -> list[tuple[Any, ...]]:
    """Kept trials of one score each, every fourth trial a keep; `lists` hold a field of each keep."""
    out: list[tuple[Any, ...]] = []
    for i, score in enumerate(scores):
        more = {name: values[i] for name, values in lists.items()}
        out += [("z", i, "kept", score, more), *[("y", i, "reverted", 0.0)] * 3]
    return out


def seeded(*values: float, **more: Any) -> tuple[Seed, ...]:
    return tuple(Seed(i, v, **more) for i, v in enumerate(values))


def several(n: int, **fields: Any) -> list[dict[str, Any]]:
    return [fields] * n


def edited(n: int, path: str, line: str) -> Run:
    return made(*keeps(rising(n), diff=[EDIT.format(path, line)] * n), header=head())


def rising(n: int) -> list[float]:
    return [0.1 * (i + 1) for i in range(n)]


def base(value: float = 0.0, **metrics: float) -> Measure:
    return Measure(seq=900, what="baseline", value=value, config=HOME, metrics=metrics)


def change(knob: str, value: Any) -> str:
    return config_hash({**BASE, knob: value})


HOLDOUT = MetricSpec("other", "holdout", "maximize")
GUARD = MetricSpec("g", "guard", "maximize", floor=0.5)
RATIO = MetricSpec("ratio", "degenerate", "maximize")
WIDE, CLOSE = (0.0, 1.0, 2.0, 3.0, 4.0), (2.0, 2.01, 2.0, 1.99, 2.0)  # variances 2.5 and 0.00005
FILES = {"files": {"train.py": "1", "score.py": "2"}}


def slices(n: int, one: float, two: float) -> Run:
    """Keeps that each gain so much in two slices over the base."""
    rows = keeps(rising(n), metrics=several(n, **{"acc/one": one, "acc/two": two}))
    return made(base(**{"acc/one": 0.0, "acc/two": 0.0}), *rows, header=head())


def guarded(rooms: list[float], guard: MetricSpec = GUARD) -> Run:
    return made(*keeps(rising(len(rooms)), metrics=[{"g": 0.5 + x} for x in rooms]), header=head(guard))


def scattered(first: tuple[float, ...], late: tuple[float, ...], n: int = 3, **more: Any) -> Run:
    """Three reverted trials whose seeds scatter so, then keeps whose seeds scatter otherwise."""
    rows = [("y", i, "reverted", 2.0, {"seeds": seeded(*first)}) for i in range(3)]
    header = head(*more.pop("metrics", ()))
    more |= {"metrics": values} if (values := more.pop("values", None)) else {}
    return made(*rows, *keeps(rising(n), seeds=[seeded(*late)] * n, **more), header=header)


def told(ratio: float, spec: MetricSpec = RATIO, before: float = 1.0, blind: float | None = None) -> Run:
    """One keep whose ratio was `before` in its base; perhaps a blind predictor that has one too."""
    items: list[Any] = [base(ratio=before)]
    if blind is not None:
        items.append(Measure(seq=901, what="degenerate", name="mean shift", value=0.0, metrics={"ratio": blind}))
    return made(*items, *keeps([0.5], metrics=[{"ratio": ratio}]), header=head(spec))


def worn(ratios: list[float], blind: float | None = None) -> Run:
    """Keeps whose ratio goes so; nobody knows what their bases had."""
    items: list[Any] = []
    if blind is not None:
        items.append(Measure(seq=901, what="degenerate", name="mean shift", value=0.0, metrics={"ratio": blind}))
    return made(*items, *keeps(rising(len(ratios)), metrics=[{"ratio": x} for x in ratios]), header=head(RATIO))


def blinded(*values: float | None) -> Run:
    """Keeps of 1.0, 2.0, ..., each measured once more without its input."""
    items: list[Any] = [("z", i, "kept", 1.0 + i) for i in range(len(values))]
    items += [
        Measure(seq=900 + i, what="degenerate", name="permuted", value=v, config=change("z", i))
        for i, v in enumerate(values) if v is not None
    ]  # fmt: skip
    return made(*items, header=head())


def ended(metric: str, *scores: float, goal: str = "minimize") -> Run:
    """Keeps of these values under a metric of this name, and one trial that was not kept."""
    rows = [("z", i, "kept", score) for i, score in enumerate(scores)]
    return made(*rows, ("y", 1, "reverted", 40.0), header=head(metric=metric, goal=goal))


def confirmed(*values: float, claims: tuple[float, ...] = (1.0,), **more: Any) -> Run:
    """Keeps that claim a score with seeds around it, each confirmed by a measure with seeds around another."""
    around = (-0.1, 0.0, 0.1)
    items: list[Any] = [("z", i, "kept", c, {"seeds": seeded(*(c + d for d in around))}) for i, c in enumerate(claims)]
    items += [
        Measure(seq=900 + i, what="confirm", value=v, config=change("z", i), seeds=seeded(*(v + d for d in around)))
        for i, v in enumerate(values)
    ]
    return made(*items, header=head(**more))


def timed(*walls: float, status: str = "kept") -> Run:
    return made(
        *[("y", i, "reverted", 0.0, {"wall_s": 100.0 + i}) for i in range(10)],
        *[("z", i, status, 1.0, {"wall_s": w}) for i, w in enumerate(walls)],
        header=head(),
    )


def stepped(scores: list[float], *noise: float, ceiling: float | None = None) -> Run:
    """Keeps of these scores, and a configuration that was run again and again with these values."""
    rows = [("n", 1, "reverted", x) for x in noise]
    return made(*rows, *keeps(scores), header=head(MetricSpec("acc", "primary", "maximize", ceiling=ceiling)))


UNEVEN = [1.0, 2.0, 7.0, 8.0, 9.0, 15.0, 16.0, 20.0]
CASES: list[tuple[str, Level, str, Run]] = [
    # Eight keeps that rise while the holdout falls: of 8! orders one rises so; 1/40320 = 2.5e-05 < .01/(3*4).
    ("divergence", FAIL, "over 8 keeps acc rose away from the holdout other (p=2e-05, bound 0.0008)",
     made(*keeps(rising(8), metrics=[{"other": 1 - 0.01 * i} for i in range(8)]), header=head(HOLDOUT))),
    ("divergence", FAIL, "acc rose away",
     made(*keeps(rising(8), metrics=several(8, other=0.5)), header=head(HOLDOUT))),  # it does not move at all
    ("divergence", PASS, "the holdout goes along over 8 keeps",
     made(*keeps(rising(8), metrics=[{"other": 0.01 * i} for i in range(8)]), header=head(HOLDOUT))),
    ("divergence", PASS, "the holdout goes along over 8 keeps",  # lower is better, and it falls
     made(*keeps(rising(8), metrics=[{"other": -0.01 * i} for i in range(8)]),
          header=head(MetricSpec("other", "holdout", "minimize")))),
    # .25 ** 4 = .0039 < .01/2; at least two of four fail by chance with .2617; six of six .00024 < .01/12.
    ("divergence", FAIL, "4 of 4 keeps stood though the holdout failed (p=0.004 where 25% fail by chance, bound 0.005)",
     made(*keeps(rising(4), holdout=[False] * 4), header=head(HOLDOUT))),
    ("divergence", FAIL, "6 of 6 keeps stood though the holdout failed (p=0.0002",
     made(*keeps(rising(6), holdout=[False] * 6), header=head(HOLDOUT))),
    ("divergence", WARN, "2 of 4 keeps stood though the holdout failed (p=0.3",
     made(*keeps(rising(4), holdout=[True, False, True, False]), header=head(HOLDOUT))),
    ("divergence", PASS, "the holdout goes along over 2 keeps",
     made(*keeps(rising(2), holdout=[True, True]), header=head(HOLDOUT))),
    ("divergence", WARN, "not evaluable: no holdout", made(*keeps(rising(3)), header=head())),
    ("divergence", WARN, "not evaluable: a holdout on 5 keeps; 6 are needed",
     made(*keeps(rising(5), metrics=several(5, other=1.0)), header=head(HOLDOUT))),

    ("gain_share", FAIL, "all gain over 5 keeps comes from acc/one (+0.5); no other of 2 slices", slices(5, 0.1, -0.1)),
    ("gain_share", FAIL, "comes from acc/one", slices(5, 0.1, 0.0)),
    ("gain_share", PASS, "2 of 2 slices gained over 5 keeps", slices(5, 0.9, 0.001)),
    ("gain_share", WARN, "not evaluable: slices on 4 keeps; 5 are needed", slices(4, 0.1, -0.1)),
    ("gain_share", WARN, "not evaluable: no slices named acc/...", made(*keeps(rising(6)), header=head())),

    # 1/8! = 2.5e-05 < .05/(3*4); the last room .05 is a tenth of the floor .5, and .05 a keep goes in one more.
    ("guard_margin", FAIL, "the room before guard g shrank over 8 keeps to 10% of its bound (p=2e-05, bounds 0.004",
     guarded([0.4, 0.35, 0.3, 0.25, 0.2, 0.15, 0.1, 0.05])),
    ("guard_margin", FAIL, "gone in about 1 more", guarded([0.4, 0.35, 0.3, 0.25, 0.2, 0.15, 0.1, 0.05])),
    ("guard_margin", PASS, "no guard wears down over 8 keeps", guarded([0.4, 0.35, 0.34, 0.33, 0.3, 0.29, 0.2, 0.13])),
    ("guard_margin", PASS, "no guard wears down", guarded([0.05, 0.1, 0.05, 0.1, 0.05, 0.1, 0.05, 0.1])),
    ("guard_margin", FAIL, "to 12% of its bound",  # which is 0, and so of the widest room: .1 of .8
     made(*keeps(rising(8), metrics=[{"g": 0.8 - 0.1 * i} for i in range(8)]),
          header=head(MetricSpec("g", "guard", floor=0.0)))),
    # The bound is .5, so that .1 is a fifth of it: but it began with .15, and has more than half of that.
    ("guard_margin", PASS, "no guard wears down", guarded([0.15, 0.14, 0.13, 0.12, 0.115, 0.11, 0.105, 0.1])),
    ("guard_margin", WARN, "not evaluable: a guarded value on 5 keeps; 6 are needed", guarded([0.1] * 5)),
    ("guard_margin", WARN, "not evaluable: no guard with a bound", made(*keeps(rising(6)), header=head())),

    # The metric and its seeds alone cannot tell a model that settles from one that ignores its input.
    ("variance_collapse", WARN, "the seeds of the last 3 keeps scatter by 0.0071", scattered(WIDE, CLOSE)),
    ("variance_collapse", WARN, "scatter by 0, ", scattered(WIDE, (2.0,) * 5)),
    ("variance_collapse", WARN, "no holdout of another kind says whether it settles or ignores its input",
     scattered(WIDE, CLOSE, holdout=[True] * 3, metrics=(MetricSpec("holdout_acc", "holdout"),))),  # the same once more
    ("variance_collapse", PASS, "the seeds of the last 3 keeps scatter by 1.6, those of the beginning by 1.6",
     scattered(WIDE, WIDE)),
    ("variance_collapse", WARN, "the holdout, which is of another kind, goes along",
     scattered(WIDE, CLOSE, holdout=[True] * 3, metrics=(HOLDOUT,))),
    # A holdout that rises with each of six keeps (1/720) vouches, one that stays does not.
    ("variance_collapse", WARN, "the holdout, which is of another kind, goes along",
     scattered(WIDE, CLOSE, 6, metrics=(HOLDOUT,), values=[{"other": 0.1 * i} for i in range(6)])),
    ("variance_collapse", FAIL, "the holdout does not go along",
     scattered(WIDE, CLOSE, 6, metrics=(HOLDOUT,), values=[{"other": 0.1}] * 6)),
    ("variance_collapse", FAIL, "the holdout does not go along",
     scattered(WIDE, CLOSE, holdout=[True, None, True], metrics=(HOLDOUT,))),
    # Of ten bits nine pass or more with .75**10 + 10 * .25 * .75**9 = .244 < .25; of nine eight or more with .300.
    ("variance_collapse", WARN, "the holdout, which is of another kind, goes along",
     scattered(WIDE, CLOSE, 10, holdout=[True] * 8 + [False, True], metrics=(HOLDOUT,))),
    ("variance_collapse", FAIL, "the holdout does not go along",
     scattered(WIDE, CLOSE, 9, holdout=[True] * 7 + [False, True], metrics=(HOLDOUT,))),
    # A guard without any bound that falls with each of six keeps (1/720 < .01) accuses; of five it falls with 1/120.
    ("variance_collapse", FAIL, "g falls with it",
     scattered(WIDE, CLOSE, 6, metrics=(MetricSpec("g", "guard", "maximize"),),
               values=[{"g": 0.9 - 0.1 * i} for i in range(6)])),
    ("variance_collapse", FAIL, "g falls with it",
     scattered(WIDE, CLOSE, 6, metrics=(MetricSpec("g", "guard", "minimize"),),
               values=[{"g": 0.1 * i} for i in range(6)])),
    ("variance_collapse", WARN, "no holdout of another kind",
     scattered(WIDE, CLOSE, 6, metrics=(MetricSpec("g", "guard", "maximize"),), values=[{"g": 0.1}] * 6)),
    ("variance_collapse", WARN, "not evaluable: several seeds on 2 keeps; 3 are needed", scattered(WIDE, CLOSE, 2)),
    ("variance_collapse", WARN, "not evaluable: no keep with several seeds", made(*keeps(rising(6)), header=head())),
    ("variance_collapse", WARN, "not evaluable: 6 degrees of freedom of seeds",
     scattered((0.0, 1.0), (2.0, 2.0), 3)),
    ("variance_collapse", WARN, "not evaluable: no spread of seeds to begin with",
     scattered((1.0,) * 5, (2.0,) * 5)),

    ("predictions", FAIL, "ratio fell to 40% of its base's at keep 2 (bound 50%)", told(0.4)),
    ("predictions", PASS, "the model is told from a blind one by ratio over 1 keep", told(0.5)),
    ("predictions", FAIL, "ratio is 0.4 at keep 2 (bound 0.45)",
     told(0.4, MetricSpec("ratio", "degenerate", "maximize", floor=0.45), 0.5)),
    ("predictions", FAIL, "ratio is 0.995 at keep 2 (bound 0.99)",
     told(0.995, MetricSpec("ratio", "degenerate", "minimize", ceiling=0.99), 0.9)),
    # Six keeps that each lose a little: 1/720 < .01/2, and .48 of 1 is left; .52 is not little enough.
    ("predictions", FAIL, "ratio fell over 6 keeps to 48% of what it was before them (p=0.001, bounds 0.005 and 50%)",
     worn([1.0, 0.9, 0.8, 0.7, 0.6, 0.48])),
    ("predictions", PASS, "told from a blind one", worn([1.0, 0.9, 0.8, 0.7, 0.6, 0.52])),
    ("predictions", PASS, "told from a blind one", worn([1.0, 0.9, 0.8, 0.6, 0.48])),  # five are no trend
    ("predictions", PASS, "told from a blind one", worn([1.0, 0.7, 0.9, 0.6, 0.8, 0.48])),  # and this is none either
    # Above .3, where a blind one stands, .7 were there at first: .34 of .7 is 49%.
    ("predictions", FAIL, "to 49% of what", worn([1.0, 0.93, 0.86, 0.79, 0.72, 0.64], blind=0.3)),
    ("predictions", FAIL, "no better than that of mean shift, which ignores its input", told(0.8, blind=0.8)),
    ("predictions", FAIL, "fell to 25%", told(0.8, blind=0.7333333, before=1.0)),  # .0667 above it, of .2667
    ("predictions", WARN, "not evaluable: no metric of role degenerate", made(*keeps(rising(2)), header=head())),
    ("predictions", WARN, "not evaluable: no keep has a value of ratio", made(*keeps(rising(2)), header=head(RATIO))),

    ("ablation", FAIL, "measured permuted a model loses 0.1, where the one before lost 0.5", blinded(0.5, 1.9)),
    ("ablation", FAIL, "scores no worse than with its input (line 901)", blinded(1.0)),
    ("ablation", PASS, "2 measures without input lose", blinded(0.5, 1.8)),
    ("ablation", WARN, "not evaluable: no measure without input", blinded(None)),

    ("unchanged_gain", FAIL, "1 keep gained though nothing that ran was changed (bound 0)",
     made(("a", 1, "kept", 0.5), header=head())),  # which is the base's
    ("unchanged_gain", FAIL, "1 keep gained",
     made(structs.replace(base(), seeds=seeded(0.0, predictions_sha="p")),
          ("a", 2, "kept", 0.5, {"seeds": seeded(0.5, predictions_sha="p")}), header=head())),
    ("unchanged_gain", PASS, "each gain of 1 keep came with a change",
     made(structs.replace(base(), seeds=seeded(0.0, predictions_sha="p")),
          ("a", 2, "kept", 0.5, {"seeds": seeded(0.5, predictions_sha="q")}), header=head())),
    ("unchanged_gain", PASS, "each gain", made(("a", 1, "kept", 0.0), header=head())),  # a no-op, and no gain
    ("unchanged_gain", WARN, "not evaluable: no configuration, and no hash of what ran, on 1 of 1 keep",
     made(("a", 2, "kept", 0.5), header=head(), placed=False)),

    ("seed_edit", FAIL, "2 keeps touched seeds or splits, the first by 'train.py:1: - SEED = 1'",
     edited(2, "train.py", "SEED")),
    ("seed_edit", FAIL, "the first by 'random_state=3'", made(("random_state", 3, "kept", 0.5), header=head())),
    ("seed_edit", PASS, "no keep touches a seed", edited(2, "train.py", "proceed = speed")),
    ("seed_edit", PASS, "no keep touches a seed", made(("random_state", 3, "reverted", 0.5), header=head())),
    ("seed_edit", WARN, "not evaluable: no readable diff of 1 keep, the first trial 1",
     made(("code:train", "x", "kept", 0.5), header=head())),
    ("seed_edit", WARN, "not evaluable: no readable diff of 1 keep",
     made(("a", 2, "kept", 0.5, {"diff": "+ what is this"}), header=head())),

    ("grader", FAIL, "1 keep edited what scores, the first lib/evaluate.py", edited(1, "lib/evaluate.py", "x")),
    ("grader", FAIL, "score.py, which scores, is 3 from trial 1 on; 2 was declared",
     made(("a", 2, "kept", 0.5), header=head(about=FILES), drift=(Drift("score.py", None, "2", "3"),))),
    ("grader", FAIL, "the data changed: 1 evaluation ran on other data than before",
     made(("a", 2, "reverted", 0.5, {"seeds": seeded(0.5, data_sha="d")}),
          ("a", 3, "reverted", 0.5, {"seeds": seeded(0.5, data_sha="e")}), header=head())),
    ("grader", PASS, "no scorer, test or data was seen to change",
     made(("a", 2, "kept", 0.5), header=head(about=FILES), fingerprinted=True)),
    ("grader", PASS, "no scorer", edited(1, "train.py", "x")),
    ("grader", PASS, "no scorer",
     made(*[("a", i, "reverted", 0.5, {"seeds": seeded(0.5, data_sha="d")}) for i in (2, 3)], header=head())),
    ("grader", WARN, "not evaluable: no fingerprint of a scorer", made(("a", 2, "kept", 0.5), header=head())),

    # log(104.5) is the middle, half of ten logs lie within 2.4%: a deviation is at least 5%, and 5/104 is 60 of them.
    ("shortcut", FAIL, "1 gain took far less time than usual: keep 11 5 s (z=-60", timed(5.0)),
    ("shortcut", PASS, "no gain took another time than usual (1 keep, bound 4)", timed(95.0)),
    ("shortcut", WARN, "1 gain took far more time than usual: keep 11 500 s", timed(500.0)),
    ("shortcut", PASS, "(0 keeps", timed(5.0, status="reverted")),
    ("shortcut", PASS, "(0 keeps",  # it took no time, and brought nothing
     made(*[("y", i, "reverted", 0.0, {"wall_s": 100.0}) for i in range(10)], ("z", 1, "kept", -1.0, {"wall_s": 5.0}),
          header=head())),
    ("shortcut", WARN, "not evaluable: a time on 0 trials; 8 are needed", made(*keeps(rising(2)), header=head())),

    # Three seeds each, sd .1: .5 below is 6.1 standard errors with 4 df, p .0018 < .005; .2 is 2.4, p .036.
    ("confirmation", FAIL, "1 of 1 confirmation fell short of what the keep claimed (p=0.002, bound 0.005)",
     confirmed(0.5)),
    ("confirmation", WARN, "1 of 1 confirmation missed the claim by over 2 standard errors", confirmed(0.8)),
    ("confirmation", PASS, "2 confirmations bore out", confirmed(0.95, 2.4, claims=(1.0, 2.0))),
    ("confirmation", WARN, "not evaluable: no declared confirmation", confirmed()),

    # Before them none of twenty, drawn towards a fifth by ten more: 2/30, and three times that of 20 is 4.
    ("too_good", FAIL, "13 of the last 20 trials were kept, more than 3 times the 7% of the trials before",
     made(*[("y", i, "reverted", 0.0) for i in range(20)],
          *[("z", i, "kept" if i % 3 else "reverted", 0.1 * i) for i in range(20)], header=head())),
    ("too_good", WARN, "not evaluable",  # an expert keeps as often at the end as at the beginning
     made(*[("z", i, "kept" if i % 3 else "reverted", (7 * i) % 60) for i in range(60)], header=head())),
    # Four values scatter by a sum of squares of 1, eight times three others by none: sd = sqrt(1 / (3 + 16)).
    ("too_good", FAIL, "8 keeps climb more evenly than noise allows: by 1 each, and that scatters by 0, the noise",
     stepped([float(x) for x in range(1, 9)], 0.0, 1.0, 0.0, 1.0)),
    ("too_good", PASS, "within what was declared plausible (30)", stepped(UNEVEN, 0.0, 1.0, 0.0, 1.0, ceiling=30.0)),
    ("too_good", FAIL, "2 keeps went beyond 15.5, which was declared plausible",
     stepped(UNEVEN, 0.0, 1.0, 0.0, 1.0, ceiling=15.5)),
    ("too_good", WARN, "not evaluable",  # thirteen in twenty trials, and then twenty more without
     made(*[("z", i, "kept" if i % 3 else "reverted", 0.1 * i) for i in range(20)],
          *[("y", i, "reverted", 0.0) for i in range(20)], header=head())),
    ("too_good", WARN, "not evaluable",  # even, but by steps of less than the noise
     stepped([0.1 * x for x in range(1, 9)], 0.0, 1.0, 0.0, 1.0)),
    ("too_good", PASS, "nothing was kept", made(("a", 2, "reverted", 0.5), header=head())),
    ("too_good", WARN, "not evaluable: no declared end of what is plausible; the best rose by",
     stepped(UNEVEN, 0.0, 1.0, 0.0, 1.0)),

    ("perfect", FAIL, "val_rmse of the best keep is 0 to the last digit", ended("val_rmse", 32.7, 27.3, 0.0)),
    ("perfect", FAIL, "pearson of the best keep is 1 to the last digit", ended("pearson", 0.5, 1.0, goal="maximize")),
    ("perfect", PASS, "the best keep is 27.3 from 0, where nothing would be left", ended("val_rmse", 32.7, 27.3)),
    ("perfect", PASS, "the best keep is 0.001 from 1", ended("r2", 0.5, 0.999, goal="maximize")),
    ("perfect", WARN, "not evaluable: the best keep is past 0", ended("loss", 0.0, -2.0)),  # a likelihood may
    ("perfect", FAIL, "val_rmse of the best keep is past 0, where no rmse can be", ended("val_rmse", 3.0, -2.0)),
    ("perfect", FAIL, "r2 of the best keep is past 1, where no r2 can be", ended("r2", 0.5, 1.2, goal="maximize")),
    ("perfect", PASS, "the best keep is 2 from 0", ended("neg_rmse", -3.0, -2.0, goal="maximize")),
    ("perfect", FAIL, "neg_rmse of the best keep is 0 to the last", ended("neg_rmse", -3.0, 0.0, goal="maximize")),
    ("perfect", WARN, "not evaluable: the best keep is past 0", ended("rmse", 3.0, 9.0, goal="maximize")),
    ("perfect", WARN, "not evaluable: by its name pearson", ended("pearson", 0.5, 0.2)),
    ("perfect", PASS, "the best keep is 27 from 0",  # what the gate refused is no keep
     made(("z", 1, "kept", 27.0), ("z", 2, "reverted", 0.0), header=head(metric="val_rmse", goal="minimize"))),
    # A share of cases may well be all of them, and `glossary` is not about a loss.
    ("perfect", WARN, "not evaluable: no kept value", ended("accuracy", 0.5, 1.0, goal="maximize")),
    ("perfect", WARN, "not evaluable: no kept value", ended("glossary", 0.5, 0.0)),
    ("perfect", PASS, "nothing was kept", ended("val_rmse")),
]  # fmt: skip


@pytest.mark.parametrize(
    ("rule", "level", "holds", "run"), CASES, ids=[f"{r}-{x.name}-{s[:40]}" for r, x, s, _ in CASES]
)
def test_each_detector_fires_is_quiet_or_says_what_it_lacks(rule: str, level: Level, holds: str, run: Run) -> None:
    verdict = said(run, rule)
    assert (verdict.level, holds in verdict.reason) == (level, True), verdict


def test_every_detector_was_seen_to_fire_to_be_quiet_and_to_lack_its_data() -> None:
    for name in {name for name, *_ in CASES}:
        mine = [(level, reason) for rule, level, reason, _ in CASES if rule == name]
        assert {PASS, FAIL} <= {level for level, _ in mine}, name
        assert any(reason.startswith(rules.NOT_EVALUABLE) for _, reason in mine), name


def test_fifteen_detectors_have_a_rule_each() -> None:
    assert {r.detector for r in rules.RULES if r.detector} == set(range(1, 16))
    words = {r.detector: r.word for r in rules.RULES if r.detector}
    assert {n for n, w in words.items() if w == "SUSPECT"} == {*range(1, 9), 10, 12, 13}
    assert {n for n, w in words.items() if w == "TAMPERED"} == {9, 11}
    assert words[14] is words[15] is None


@pytest.mark.parametrize("rule", sorted({name for name, *_ in CASES}))
def test_a_detector_sets_the_word_and_names_the_trials(rule: str) -> None:
    for name, level, _, run in CASES:
        if name == rule and level is FAIL:
            doc = analyzed(run)
            assert doc["verdict"]["word"] in ("SUSPECT", "TAMPERED")
            if rule != "ablation":  # what was measured blind may be the base, which is no trial
                assert said(run, rule).evidence


def test_what_lacks_its_data_never_sets_the_word_and_never_passes() -> None:
    for _, level, reason, run in CASES:
        if reason.startswith(rules.NOT_EVALUABLE):
            assert level is WARN
            assert analyzed(run)["verdict"]["word"] not in ("TAMPERED", "SUSPECT")


def test_one_bad_keep_is_not_forgotten_behind_a_hundred_good_ones() -> None:
    rows = keeps(rising(LATEST + 20))
    rows[0] = ("seed", 1, "kept", 0.1)
    run = made(*rows, header=head())
    assert len(run.tally.latest) == LATEST
    assert run.tally.latest[-1].seq == 4 * (LATEST + 19) + 1
    assert said(run, "seed_edit").evidence == (1,)


def test_a_predictor_that_ignores_its_input_is_no_replicate_of_the_configuration_it_was_made_from() -> None:
    run = blinded(-5.0)
    assert run.tally.noise_df == {}
    assert run.scores.configs[run.tally.blinds[0].config].mean == 1.0
