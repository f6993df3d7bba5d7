"""Review values by hand, on runs of a few trials. Values are losses: lower is better, the baseline is 1.0."""

from __future__ import annotations

import math
from typing import Any

import pytest
from law_strategies import BASE, MENU_JSON, analyzed, made, menu

from trajscope.menu import parse
from trajscope.review.ground import width
from trajscope.trial import Break, Drift, Header, Measure, MetricSpec, Seed

Row = tuple[Any, ...]


def head(**more: Any) -> Header:
    return Header(**{"run_id": "r", "metric": "loss", "goal": "minimize", "baseline": 1.0, "base": BASE, **more})


def doc(*rows: Any, **kinds: Any) -> dict[str, Any]:
    return analyzed(made(*rows, **kinds))


# --- gain -----------------------------------------------------------------------------------------------------------


def test_the_baseline_is_declared_or_the_mean_of_its_measures() -> None:
    assert doc()["baseline"] == {"value": 1.0, "n": 1, "source": "header"}
    measures = [Measure(seq=i, what="baseline", value=v) for i, v in enumerate((1.0, 1.2))]
    found = doc(*measures, header=head(baseline=None))["baseline"]
    assert found == {"value": pytest.approx(1.1), "n": 2, "source": "measured"}
    none = doc(header=head(baseline=None))
    assert none["baseline"] == {"value": None, "n": None, "source": None}
    assert none["unknown"]["baseline.value"] == "no baseline is recorded"


def test_the_noise_is_pooled_within_configurations() -> None:
    # {0.5 0.7}: .02; {2 2.1 2.2}: .02; baseline and no-op {1.0 1.4}: .08. Together .12 on 4 degrees of freedom.
    found = doc(("a", 2, "kept", 0.5), ("a", 2, "reverted", 0.7), ("a", 3, "reverted", 2.0), ("a", 3, "reverted", 2.1),
                ("a", 3, "reverted", 2.2), ("a", 1, "reverted", 1.4))["noise"]  # fmt: skip
    assert (found["sd"], found["df"]) == (pytest.approx(math.sqrt(0.12 / 4)), 4)
    assert found["sources"] == {"repeat": 3, "noop": 1}
    assert found["min_detectable"] == pytest.approx((1.6448536 + 0.8416212) * math.sqrt(0.03) * math.sqrt(2))


def test_two_degrees_of_freedom_tell_no_noise() -> None:
    found = doc(*[("a", 2, "reverted", 1.0)] * 3)
    assert (found["noise"]["sd"], found["noise"]["min_detectable"], found["plateau"]["length"]) == (None, None, None)
    assert found["unknown"]["noise.sd"] == "too few repeated evaluations: 2, and 3 are needed"


def test_an_ineligible_value_is_no_noise_and_no_best() -> None:
    rows = [("a", 2, "reverted", 1.0)] * 3 + [("a", 2, "ineligible", 0.1)]
    assert doc(*rows)["noise"]["sd"] is None
    assert doc(*rows, ("a", 2, "kept", 0.9))["best"]["value"] == 0.9


def test_seeds_tell_the_noise_where_nothing_was_repeated() -> None:
    # 1.0 and 1.2 about 1.1: .02 per trial; the mean of two varies by half of that: .01 on one degree of freedom each.
    rows = [("b", 0.1 * i, "reverted", 1.1, {"seeds": (Seed(0, 1.0), Seed(1, 1.2))}) for i in (1, 2, 3)]
    found = doc(*rows)["noise"]
    assert (found["sd"], found["df"], found["sources"]) == (pytest.approx(0.1), 3, {"seeds": 3})


def test_a_crashed_seed_tells_no_noise() -> None:
    rows = [("b", 0.1 * i, "reverted", 1.1, {"seeds": (Seed(0, 1.0), Seed(1, 9.0, "crashed"))}) for i in (1, 2, 3)]
    assert doc(*rows)["noise"]["sd"] is None


def test_the_best_is_the_first_of_equal_kept_values() -> None:
    found = doc(("a", 2, "reverted", 0.4), ("a", 3, "kept", 0.5), ("b", 0.9, "kept", 0.5), iter=7)["best"]
    assert (found["seq"], found["iter"], found["value"], found["gain"], found["gain_fraction"]) == (2, 7, 0.5, 0.5, 0.5)


def test_where_a_format_has_no_keeps_the_best_is_the_best_evaluated() -> None:
    assert doc(("a", 2, "reverted", 0.4), header=head(has_keeps=False))["best"]["value"] == 0.4
    kept_none = doc(("a", 2, "reverted", 0.4))
    assert kept_none["best"]["value"] is None
    assert kept_none["unknown"]["best.value"] == "nothing was kept"


def test_a_gain_is_positive_when_it_is_better() -> None:
    assert doc(("a", 2, "kept", 1.5), header=head(goal="maximize"))["best"]["gain"] == 0.5
    assert doc(("a", 2, "kept", 1.5))["best"]["gain"] == -0.5
    zero = doc(("a", 2, "kept", -0.5), header=head(baseline=0.0))
    assert (zero["best"]["gain"], zero["best"]["gain_fraction"]) == (0.5, None)
    assert zero["unknown"]["best.gain_fraction"] == "the baseline is zero"


def test_a_best_that_was_run_again_is_shrunk_to_its_mean() -> None:
    found = doc(("a", 2, "kept", 0.5), ("a", 2, "reverted", 0.9))["best"]
    assert (found["shrunk"], found["shrunk_gain"]) == (pytest.approx(0.7), pytest.approx(0.3))
    assert found["shrunk_method"] == "mean of its 2 evaluations"


def test_a_best_that_was_run_once_is_shrunk_by_its_standard_error() -> None:
    rows = [("a", 3, "reverted", v) for v in (1.0, 1.1, 1.0, 1.1)]  # sd = sqrt(.01 / 3)
    found = doc(*rows, ("a", 2, "kept", 0.5))["best"]
    gain = 0.5 * (1 - (0.01 / 3) * 2 / 0.25)  # one against one: the variance of a difference is twice as large
    assert (found["shrunk_gain"], found["shrunk"]) == (pytest.approx(gain), pytest.approx(1 - gain))


def test_what_each_keep_added_is_measured_from_what_it_changed() -> None:
    rows = [
        ("a", 2, "kept", 0.8, {"metrics": {"loss": 0.8, "mem": 10.0}}),
        ("b", 0.9, "kept", 0.7, {"under": {"a": 2}, "metrics": {"loss": 0.7, "mem": 13.0}}),
        ("d", "v", "kept", None, {"under": {"a": 2, "b": 0.9}}),
    ]
    found = doc(*rows)
    assert [(k["seq"], k["gain"]) for k in found["contributions"]] == [
        (1, pytest.approx(0.2)), (2, pytest.approx(0.1)), (3, None),
    ]  # fmt: skip
    assert found["contributions"][1]["also"] == {"mem": 3.0}, "the metric itself is the gain"
    assert found["unknown"]["contributions.2.gain"]


def test_a_plateau_ends_when_a_mean_clears_the_incumbents_by_more_than_noise() -> None:
    noisy = [("z", 1, "reverted", v) for v in (2.0, 2.1, 2.0, 2.1)]  # sd sqrt(.01/3) = .0577; one against one .134
    small = ("a", 2, "kept", 0.9)  # .1 better than the baseline: noise
    assert doc(*noisy, small)["plateau"]["beyond_noise"] == 5
    # A second one of .92 or .88: sd sqrt(.0102/4) = .0505; two against one .102, so a lead of .09 is noise, .11 is not.
    assert doc(*noisy, small, ("a", 2, "kept", 0.92))["plateau"]["beyond_noise"] == 6
    assert doc(*noisy, small, ("a", 2, "kept", 0.88))["plateau"]["beyond_noise"] == 0
    clear = ("a", 3, "kept", 0.8)
    assert doc(*noisy, clear)["plateau"]["beyond_noise"] == 0
    # A better one on top must clear the incumbent, not the baseline.
    assert doc(*noisy, clear, ("b", 0.9, "kept", 0.75))["plateau"]["beyond_noise"] == 1
    assert doc(*noisy, clear, ("b", 0.9, "kept", 0.6))["plateau"]["beyond_noise"] == 0


def test_the_longest_dry_stretch_is_named_by_its_trials() -> None:
    values = [0.9, 1.0, 1.0, 0.8, 1.0, 1.0, 1.0, 0.7, 1.0]
    found = doc(*(("b", i / 10, "reverted", v) for i, v in enumerate(values)))["plateau"]
    assert found["longest"] == {"length": 3, "first": 5, "last": 7}
    assert found["since_best"] == 1
    never = doc(("a", 2, "reverted", 0.5))
    assert (never["plateau"]["longest"]["length"], never["plateau"]["longest"]["first"]) == (0, None)


def test_a_keep_is_confirmed_by_its_other_evaluations() -> None:
    noisy = [("z", 1, "reverted", v) for v in (2.0, 2.1, 2.0, 2.1)]
    # The bound is 1.645 * .0577 * sqrt(2) = .134 (less with the spread of the keep itself in the pool: .12).
    assert doc(*noisy, ("a", 2, "kept", 0.5), ("a", 2, "reverted", 0.5))["noise"]["unconfirmed_keeps"] == []
    assert doc(*noisy, ("a", 2, "kept", 0.5))["noise"]["unconfirmed_keeps"] == [5]
    assert doc(*noisy, ("a", 2, "kept", 0.5), ("a", 2, "reverted", 0.95))["noise"]["unconfirmed_keeps"] == [5]
    assert doc(*noisy, ("a", 2, "kept", 0.95), ("a", 2, "kept", 0.5))["noise"]["unconfirmed_keeps"] == [6]


def test_a_flip_needs_both_verdicts_on_one_configuration() -> None:
    rows: list[Row] = [("a", 2, "kept", 0.9), ("a", 2, "reverted", 1.0)]
    assert doc(*rows)["noise"]["flip_flops"] == [{"pair": "a=2", "kept": 1, "reverted": 1}]
    moved = ("a", 2, "reverted", 1.0, {"under": {"b": 0.9}})
    assert doc(rows[0], moved)["noise"]["flip_flops"] == [], "on another base it is another configuration"


# --- ground ---------------------------------------------------------------------------------------------------------


def test_coverage_by_hand() -> None:
    rows: list[Row] = [("a", v, "reverted", 1.0) for v in (3, 1)]
    rows += [("a", 2, "kept", 0.9), ("b", 0.9, "crashed", None)]
    found = doc(*rows, header=head(menu=menu()))["coverage"]
    assert (found["knobs_touched"], found["knobs_proposed"], found["knobs_kept"]) == (1, 2, 1)
    assert (found["fraction"], found["source"], found["untouched"]) == (1 / 3, "declared", ["b", "d"])
    # a offers 2 and 3 beside its default, b ten bins, d one beside its default.
    assert found["cells"]["total"] == 2 + 10 + 1
    assert found["cells"]["touched"] == 2
    assert found["per_knob_mean"] == pytest.approx((2 / 2 + 0 + 0) / 3)
    # Levels 3, 10 and 2: 30 + 6 + 20 pairs. The base holds three, each of two new levels of a meets two more.
    assert found["pairwise"] == {"touched": 3 + 2 * 2, "total": 56}
    assert found["by_knob"]["a"] == {"family": "x", "proposed": 3, "evaluated": 3, "counted": 3, "kept": 1, "cells": 2,
                                     "cells_total": 2, "in_menu": True}  # fmt: skip
    assert found["by_family"]["x"] == {"knobs": 2, "touched": 1, "counted": 3, "share": 1.0}


def test_a_proposal_of_two_knobs_counts_once_in_their_family() -> None:
    known = parse(MENU_JSON)
    both = known.pair({"a": 2, "d": "v"})
    found = doc(("a", 2, "reverted", 1.0, {"pair": both}), header=head(menu=known))["coverage"]
    assert found["by_family"]["x"] == {"knobs": 2, "touched": 2, "counted": 1, "share": 1.0}
    assert (found["by_knob"]["a"]["counted"], found["by_knob"]["d"]["counted"]) == (1, 1)


def test_what_stands_outside_the_menu_is_named_and_covers_nothing() -> None:
    found = doc(("zz", 1, "reverted", 1.0), ("a", 9, "reverted", 1.0), header=head(menu=menu()))["coverage"]
    assert (found["outside"], found["fraction"]) == ([1, 2], 1 / 3)
    assert found["by_knob"]["zz"]["in_menu"] is False
    assert found["cells"]["touched"] == 0


def test_without_a_menu_the_ground_has_no_size() -> None:
    found = doc(("a", 2, "reverted", 1.0))
    for path in ("knobs_total", "fraction", "untouched", "per_knob_mean"):
        assert found["coverage"][path] is None
        assert "--menu" in found["unknown"][f"coverage.{path}"]
    assert (found["pairs"]["excess_repeats"], found["coverage"]["by_knob"]["a"]["cells"]) == (None, None)


def test_a_knob_that_cannot_be_counted_leaves_the_cells_open() -> None:
    known = parse({"a": {"type": "str"}, "b": {"choices": [1, 2]}})
    found = doc(("b", 2, "reverted", 1.0), header=head(menu=known, base={"b": 1}))
    assert (found["coverage"]["cells"]["total"], found["coverage"]["fraction"]) == (None, 0.5)
    assert found["coverage"]["by_knob"]["a"]["cells_total"] is None
    assert found["unknown"]["coverage.by_knob.a.cells_total"] == "the menu gives it neither choices nor a range"


def test_excess_repeats_are_those_beyond_a_uniform_walker() -> None:
    found = doc(*[("a", 2, "reverted", 1.0)] * 4, header=head(menu=menu()))["pairs"]["excess_repeats"]
    assert found == pytest.approx(3 - (4 - 13 * (1 - (12 / 13) ** 4)))  # 13 cells, 4 draws


def test_pairs_are_told_apart_by_where_they_were_read_from() -> None:
    def read(source: str, sure: float | None = None, **more: Any) -> dict[str, Any]:
        return {"provenance": source, "confidence": sure, **more}

    rows: list[Row] = [
        ("a", 2, "reverted", 1.0, read("text", 0.9)),
        ("b", 0.9, "kept", 0.9, read("text", 0.6)),
        ("a", 2, "reverted", 1.0, read("config", 0.95)),
        ("a", 2, "reverted", 1.0, read("config", 0.95, intent="replicate")),  # counts for nothing
        ("a", 3, "crashed", None, read("hash", 0.3)),  # was not evaluated
        ("a", 2, "reverted", 1.0, read("odd")),
        ("d", "v", "reverted", 1.0),
    ]
    found = doc(*rows)
    told = found["pairs"]["by_provenance"]
    assert list(told) == ["native", "config", "text", "odd"]
    names = ("n", "unique", "repeats", "repeat_rate", "knobs_touched", "confidence")
    assert [tuple(told[x][name] for name in names) for x in told] == [
        (1, 1, 0, 0.0, 1, None),
        (1, 0, 1, 1.0, 1, 0.95),  # the repeat of what was read from a text
        (2, 2, 0, 0.0, 2, 0.75),
        (1, 0, 1, 1.0, 1, None),
    ]
    assert "recorded" in found["unknown"]["pairs.by_provenance.native.confidence"]
    assert sum(x["unique"] for x in told.values()) == found["pairs"]["unique"]
    assert sum(x["repeats"] for x in told.values()) == found["pairs"]["repeats"]
    assert found["pairs"]["provenance"]["config"] == 2  # that one is about evaluated trials


def test_only_knobs_of_the_menu_are_touched_wherever_they_were_read() -> None:
    rows: list[Row] = [("a", 2, "reverted", 1.0), ("zz", 1, "reverted", 1.0)]
    assert doc(*rows, header=head(menu=menu()))["pairs"]["by_provenance"]["native"]["knobs_touched"] == 1
    assert doc(*rows)["pairs"]["by_provenance"]["native"]["knobs_touched"] == 2


def test_of_equally_common_pairs_the_first_is_named() -> None:
    rows = [("a", 3, "blocked", None), ("a", 2, "reverted", 1.0), ("a", 3, "reverted", 1.0)]
    assert doc(*rows)["dominance"]["proposed"] == {"n": 1, "share": 0.5, "pair": "a=2"}


def test_what_the_proposer_still_saw_is_counted_by_distance() -> None:
    rows = [("z", v, "reverted", 1.0) for v in (1, 1, 2, 1, 3, 4, 5, 1)]  # repeats at distances 1, 2 and 4
    for window, n in ((0, 0), (1, 1), (2, 2), (3, 2), (4, 3)):
        assert doc(*rows, header=head(history=window))["pairs"]["visible"] == {"window": window, "n": n}
    assert doc(*rows)["pairs"]["visible"] == {"window": None, "n": None}


def test_windows_get_wider_so_that_a_hundred_are_enough() -> None:
    assert [width(n) for n in (0, 1, 10, 1000, 1001, 5000)] == [10, 10, 10, 10, 11, 50]


def test_chao_says_nothing_of_few_trials_or_of_all_new_ones() -> None:
    few = doc(*(("z", i % 3, "reverted", 1.0) for i in range(19)))
    assert few["unknown"]["pairs.chao1"] == "n=19 < 20"
    new = doc(*(("z", i, "reverted", 1.0) for i in range(20)))
    assert "nothing bounds how many" in new["unknown"]["pairs.chao1"]
    # 17 pairs once and two twice are 21 trials: S = 19, f1 = 17, f2 = 2.
    some = doc(*(("z", i, "reverted", 1.0) for i in [*range(17), 17, 17, 18, 18]))
    assert some["pairs"]["chao1"] == pytest.approx(19 + 20 / 21 * 17 * 16 / (2 * 3))


# --- trust ----------------------------------------------------------------------------------------------------------


def test_keeps_that_are_not_carried_on_are_named() -> None:
    kept = ("a", 2, "kept", 0.9)
    on_it = ("b", 0.9, "reverted", 1.0, {"under": {"a": 2}})
    beside_it = ("b", 0.9, "reverted", 1.0)
    assert doc(kept, on_it)["audit"]["keeps_not_composing"] == []
    assert doc(kept, beside_it)["audit"]["keeps_not_composing"] == [1]
    assert doc(kept)["audit"]["keeps_not_composing"] == [], "nothing came after it"
    # The next trial changes the same knob and says nothing; the one after it tells.
    assert doc(kept, ("a", 3, "reverted", 1.0), beside_it)["audit"]["keeps_not_composing"] == [1]
    assert doc(kept, ("a", 3, "reverted", 1.0), on_it)["audit"]["keeps_not_composing"] == []


def test_a_keep_that_a_later_keep_replaces_is_not_missed() -> None:
    first, again = ("a", 2, "kept", 0.9), ("a", 3, "kept", 0.8, {"under": {"a": 2}})
    assert doc(first, again, ("b", 0.9, "reverted", 1.0, {"under": {"a": 3}}))["audit"]["keeps_not_composing"] == []
    assert doc(first, again, ("b", 0.9, "reverted", 1.0, {"under": {"a": 2}}))["audit"]["keeps_not_composing"] == [2]
    many = [("a", i, "kept", 1 / i, {"under": {"a": i - 1}}) for i in range(2, 30)]
    assert doc(*many, ("b", 0.9, "reverted", 1.0))["audit"]["keeps_not_composing"] == [28], "the last one alone"


def test_a_recorded_base_tells_whether_keeps_compose() -> None:
    kept = ("a", 2, "kept", 0.9)
    assert doc(kept, ("a", 3, "reverted", 1.0), based=True)["audit"]["keeps_not_composing"] == [1]
    assert doc(kept, ("a", 3, "reverted", 1.0, {"under": {"a": 2}}), based=True)["audit"]["keeps_not_composing"] == []


def test_time_after_the_first_drift_is_tampered() -> None:
    drift = {"drift": (Drift("train.py", None, "aa", "bb"),)}
    found = doc(("a", 2, "reverted", 1.0), ("a", 3, "reverted", 1.0, drift), ("b", 0.9, "reverted", 1.0), wall_s=4.0)
    assert found["cost"]["tampered_wall_s"] == 8.0
    assert found["integrity"]["status"] == "drifted"
    assert found["integrity"]["drifted"] == [
        {"path": "train.py", "knob": None, "proposed": "aa", "ran": "bb", "from_seq": 2}
    ]


def test_only_a_chain_and_fingerprints_of_every_trial_verify() -> None:
    rows: list[Row] = [("a", 2, "reverted", 1.0), ("a", 3, "reverted", 1.0)]
    whole = doc(*rows, header=head(chained=True), fingerprinted=True)
    assert (whole["integrity"]["status"], whole["cost"]["tampered_wall_s"]) == ("verified", 0.0)
    one = doc(rows[0], (*rows[1], {"fingerprinted": True}), header=head(chained=True))
    assert (one["integrity"]["status"], one["cost"]["tampered_wall_s"]) == (None, None)
    assert "1 of 2 evaluated trials have no fingerprints" in one["unknown"]["integrity.status"]
    assert doc(*rows, fingerprinted=True)["integrity"]["status"] is None, "without a chain the log may be edited"
    assert doc(*rows, Break(seq=9, why="x"), header=head(chained=True))["integrity"]["status"] == "chain_broken"
    assert doc(header=head(chained=True))["integrity"]["status"] is None, "nothing ran, so nothing is verified"


def test_a_guard_is_held_against_every_seed() -> None:
    guarded = head(metrics=(MetricSpec("g", "guard", ceiling=1.0),))

    def levels(*values: float | None) -> str:
        seeds = tuple(Seed(i, 0.5, metrics={"g": v}) for i, v in enumerate(values))  # type: ignore[dict-item]  # as read
        found = doc(("a", 2, "kept", 0.5, {"seeds": seeds, "metrics": {"g": 0.5}}), header=guarded)
        return str(next(v["reason"] for v in found["verdicts"] if v["rule"] == "guards"))

    assert "ran on all" in levels(0.5, 1.0)
    assert "was broken" in levels(0.5, 1.1), "the mean would hide it"
    assert "saw no number" in levels(0.5, None)
    assert "saw no number" in levels(0.5, math.nan), "NaN > 1.0 is False, and no pass"


def test_the_time_of_repeats_needs_times() -> None:
    rows: list[Row] = [("a", 2, "reverted", 1.0, {"wall_s": s}) for s in (3.0, 1.0)]
    cost = doc(*rows, ("a", 3, "crashed", None, {"wall_s": 4.0}))["cost"]
    assert (cost["wall_s"], cost["repeat_wall_s"], cost["repeat_share"]) == (8.0, 1.0, 1 / 8)
    assert (cost["tokens_in"], cost["tokens_out"], cost["usd"], cost["tampered_wall_s"]) == (None, None, None, None)
    bare = doc(("a", 2, "reverted", 1.0))
    assert (bare["cost"]["wall_s"], bare["cost"]["repeat_share"]) == (None, None)
    assert bare["unknown"]["cost.wall_s"] == "no trial records its time"
