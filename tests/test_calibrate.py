"""The study behind docs/operating_characteristics.md: its simulators do what they say, its tables count what is there.

Planted and seen to fail: a shortcut that takes nothing from the holdout, an honest searcher that meets the shortcut,
truth taken before the change instead of after it, an interval one-sided, a share over the wrong campaigns, a bound that
is not put back, a gate that remembers another campaign.
"""

from __future__ import annotations

import re
from collections import Counter
from itertools import pairwise
from random import Random
from statistics import fmean, variance
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from benchmarks.calibrate import __main__ as page
from benchmarks.calibrate import clock, gates, ours, study, tables
from benchmarks.calibrate.campaign import Campaign, Ran, Setup, simulate
from benchmarks.calibrate.clock import Clock
from benchmarks.calibrate.kinds import ALARMS, FAULTY, GAMED, HONEST, KINDS, Kind
from benchmarks.calibrate.outcomes import Bound, Decided, Heard, changed, decided, listen
from benchmarks.calibrate.world import SHORTCUT, STEPS, UNIT, World, curved, world
from trajscope import rules
from trajscope.metrics import METRICS
from trajscope.rules import gain
from trajscope.run import Run
from trajscope.trial import Header, Seed, Trial

SOME = 0.05  # of the full study: three campaigns of an honest kind, two of a faulty one, six of nothing
ALL = list(KINDS.values())


def run(kind: Kind, seed: int = 0) -> Campaign:
    """One campaign under the field's gate."""
    return simulate(kind, Setup(5, 1.0), seed, lambda _: gates.Field(gates.published))


def pairs(c: Campaign) -> list[tuple[str, Any]]:
    """What was proposed, in order."""
    return [
        (t.pair.changes[0].knob, t.pair.changes[0].value)
        for t in c.items
        if isinstance(t, Trial) and t.pair is not None
    ]


def arm(scores: list[float], health: float = 0.8) -> gates.Arm:
    return tuple(Seed(i, x, metrics={"score": x, "health": health}) for i, x in enumerate(scores))


@pytest.fixture(scope="module")
def heard() -> list[Heard]:
    return study.heard(study.field(SOME), 1)


@pytest.fixture(scope="module")
def judged() -> list[Decided]:
    jobs = [j for j in study.gated((), SOME) if j.gate in (study.ORACLE, study.PUBLISHED, study.OURS)]
    return study.judged(jobs, 1)


# --- the simulators do what they say ----------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ALL, ids=lambda k: k.name)
def test_the_same_seed_is_the_same_campaign_and_another_is_not(kind: Kind) -> None:
    assert run(kind, 3) == run(kind, 3)
    assert run(kind, 3).items != run(kind, 4).items


@pytest.mark.parametrize("kind", ALL, ids=lambda k: k.name)
def test_a_world_does_not_depend_on_the_gate(kind: Kind) -> None:
    lands: list[World] = []

    def gate(land: World) -> gates.Gate:
        lands.append(land)
        return gates.Field(lambda _old, _new: len(lands) > 1)

    simulate(kind, Setup(3, 1.0), 1, gate)
    simulate(kind, Setup(3, 1.0), 1, gate)
    assert lands[0] == lands[1]


@pytest.mark.parametrize("kind", ALL, ids=lambda k: k.name)
def test_a_run_takes_the_items_and_finds_the_record_clean(kind: Kind) -> None:
    c = run(kind)
    head = c.items[0]
    assert isinstance(head, Header)
    seen = Run(head, METRICS)
    for item in c.items[1:]:
        seen.take(item)
    t = seen.tally
    assert (t.trials, t.keep_count) == (kind.trials, sum(f.kept for f in c.facts))
    found = listen(c)
    assert not t.evidence.get("not_composing")
    assert {name for name in ("record", "composition", "integrity", "seed") if found.said[name].first} == set()


@pytest.mark.parametrize("kind", HONEST, ids=lambda k: k.name)
def test_an_honest_campaign_buys_nothing(kind: Kind) -> None:
    assert all(f.bought == 0 for seed in range(3) for f in run(kind, seed).facts)


@given(st.integers(0, STEPS), st.floats(0.5, 2))
def test_the_shortcut_moves_what_it_is_declared_to_move(step: int, sd: float) -> None:
    land = KINDS["gamer"].world(Random(1), sd)
    start, there = (land.truth({**land.start, SHORTCUT: s}) for s in (0, step))
    way = step / STEPS
    assert there.quality == start.quality
    assert there.bought == pytest.approx(GAMED.score * way)
    assert start.health - there.health == pytest.approx(GAMED.health * way)
    assert start.rank - there.rank == pytest.approx(GAMED.rank * way)
    assert there.spread == pytest.approx(sd * UNIT * (1 - GAMED.spread * way))


def test_measurements_scatter_around_the_truth_as_declared() -> None:
    land = KINDS["gamer"].world(Random(2), 2.0)
    config = {**land.start, SHORTCUT: 15}
    seeds, truth = land.measure(config, range(4000), Random(3)), land.truth(config)
    scores = [s.metrics["score"] for s in seeds]
    assert fmean(scores) == pytest.approx(0.62 + truth.quality + truth.bought, abs=4 * truth.spread / 4000**0.5)
    assert variance(scores) ** 0.5 == pytest.approx(truth.spread, rel=0.05)
    assert fmean(s.metrics["rank"] for s in seeds) == pytest.approx(truth.rank, abs=0.001)


def test_better_models_of_a_settling_world_scatter_less_and_of_others_do_not() -> None:
    for name, falls in (("settling", True), ("fruitful", False)):
        land = KINDS[name].world(Random(5), 1.0)
        start, best = land.start, max(land.worth, key=lambda p: land.worth[p])
        assert (land.truth({**start, best[0]: best[1]}).spread < land.truth(start).spread) is falls


@pytest.mark.parametrize("seed", range(5))
def test_each_faulty_kind_does_what_its_name_says(seed: int) -> None:
    said = {kind.name: pairs(run(kind, seed)) for kind in FAULTY}
    top = {name: Counter(found).most_common(1)[0][1] / len(found) for name, found in said.items()}
    assert 0.45 < top["fixated"] < 0.75
    assert len(set(said["amnesiac"])) < 35
    assert said["leap"].count((SHORTCUT, STEPS)) == 1
    steps = [i for i, (knob, _) in enumerate(said["staircase"]) if knob == SHORTCUT]
    assert steps[-1] - steps[0] < 14
    assert len(steps) >= 8
    for name in ("gamer", "unguarded gamer", "collapse", "divergence"):
        climbed = [v for knob, v in said[name] if knob == SHORTCUT]
        assert climbed
        assert climbed == sorted(climbed), name
    land = KINDS["null"].world(Random(seed), 1.0)
    assert set(land.worth.values()) == {0.0}


def test_a_lucky_campaign_meets_its_one_great_pair_among_the_first_five() -> None:
    for seed in range(5):
        facts = run(KINDS["lucky"], seed).facts
        assert max(f.honest for f in facts[:5]) == pytest.approx(8)
        assert max(f.honest for f in facts[5:]) < 5


# --- the field's gates ------------------------------------------------------------------------------------------------


@given(st.lists(st.integers(-9, 9), min_size=3, max_size=6), st.lists(st.integers(-9, 9), min_size=3, max_size=6))
def test_the_published_gate_is_welch_and_cohen(old: list[float], new: list[float]) -> None:
    if len(set(old)) == 1 and len(set(new)) == 1:
        return  # there is no test; ours keeps nothing, below
    d = (fmean(new) - fmean(old)) / ((variance(old) + variance(new)) / 2) ** 0.5
    # From moments: on the values scipy warns where one of the arms does not vary.
    p = stats.ttest_ind_from_stats(
        *(fmean(new), variance(new) ** 0.5, len(new), fmean(old), variance(old) ** 0.5, len(old)), equal_var=False
    ).pvalue
    assert gates.published(arm(old), arm(new)) is bool(p < 0.05 and d > 0.3)


def test_where_nothing_varies_the_published_gate_keeps_nothing() -> None:
    assert gates.published(arm([1.0] * 3), arm([2.0] * 3)) is False


@given(st.lists(st.tuples(st.integers(-9, 9), st.integers(-9, 9)), min_size=3, max_size=6))
def test_the_relative_gate_is_a_paired_test(both: list[tuple[int, int]]) -> None:
    gains = [float(b - a) for a, b in both]
    if len(set(gains)) == 1:
        return  # its d is infinite, and scipy warns
    p = stats.ttest_1samp(gains, 0, alternative="greater").pvalue
    kept = gates.relative(arm([float(a) for a, _ in both]), arm([float(b) for _, b in both]))
    assert kept is bool(p < 0.10 and fmean(gains) / variance(gains) ** 0.5 > 0.15)


def test_the_relative_gate_lets_a_guard_slide_down_in_small_steps() -> None:
    assert gates.relative(arm([1, 2, 3], 0.80), arm([5, 6, 7.5], 0.60))
    assert not gates.relative(arm([1, 2, 3], 0.80), arm([5, 6, 7.5], 0.55))


def test_the_oracle_keeps_exactly_what_is_better() -> None:
    c = simulate(KINDS["gamer"], Setup(5, 1.0), 0, gates.Oracle)
    assert all(f.kept is (f.honest > 1e-9) for f in c.facts)
    assert c.way == 0


# --- the tables count what is there -----------------------------------------------------------------------------------


@given(st.integers(1, 400).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_an_interval_is_the_exact_one(counts: tuple[int, int]) -> None:
    k, n = counts
    exact = stats.binomtest(k, n).proportion_ci(method="exact")
    assert tables.Share(k, n).interval == pytest.approx((exact.low, exact.high), abs=1e-9)


def test_a_share_shows_its_counts_and_its_interval() -> None:
    assert str(tables.Share(6, 8)) == "75% (6 of 8; 35% to 97%)"
    assert str(tables.Share(0, 200)) == "0% (0 of 200; 0% to 1.8%)"
    assert str(tables.Share(0, 0)) == "none"


def test_the_headline_is_a_count_of_its_rows(heard: list[Heard]) -> None:
    lines = {x.split(" | ")[0].strip("| "): x.split(" | ") for x in tables.headline(heard).splitlines()[2:]}
    for alarm in ALARMS:
        wrong = right = honest = planted = 0
        for r in heard:
            spoke = any(r.said[name].first is not None for name in tables.SPEAKERS[alarm])
            if KINDS[r.kind] in HONEST:
                honest, wrong = honest + 1, wrong + spoke
            if alarm in KINDS[r.kind].plants:
                planted, right = planted + 1, right + spoke
        assert f"({wrong} of {honest};" in lines[alarm][1]
        assert f"({right} of {planted};" in lines[alarm][2]


def test_a_gate_s_row_is_a_count_of_its_campaigns(judged: list[Decided]) -> None:
    lines = {x.split(" | ")[0].strip("| "): x.split(" | ") for x in tables.gates(judged).splitlines()[2:]}
    jobs = [j for j in study.gated((), SOME) if j.gate == study.OURS]
    again = [simulate(KINDS[j.kind], j.setup, j.seed, lambda land: ours.Ours(land, ours.settings())) for j in jobs]
    null = [f for c in again if c.kind.name == "null" for f in c.facts]
    had = [f for c in again if c.kind.honest for f in c.facts if f.honest > 0 and f.field]
    assert f"({sum(f.kept for f in null)} of {len(null)};" in lines[study.OURS][1]
    assert f"({sum(not f.kept for f in had)} of {len(had)};" in lines[study.OURS][3]


def test_what_a_campaign_s_facts_say_is_what_its_row_says() -> None:
    c = simulate(KINDS["gamer"], Setup(5, 1.0), 2, lambda land: ours.Ours(land, ours.settings()))
    row = decided("ours", c)
    assert sum(row.offered) + row.bought[0] == row.trials == len(c.facts)
    assert sum(row.kept) + row.bought[1] == sum(f.kept for f in c.facts)
    assert row.paused == next((i for i, f in enumerate(c.facts, 1) if f.paused), None)
    assert row.measured >= 5 * (row.trials + 1)


def test_a_faulty_campaign_ends_where_a_person_is_asked_and_an_honest_one_goes_on() -> None:
    ends = [
        decided("", simulate(KINDS[k], Setup(5, 0.5), 1, lambda x: ours.Ours(x, ours.settings())))
        for k in ("staircase", "lucky")
    ]
    assert [r.paused is not None for r in ends] == [True, True]
    assert ends[0].trials == ends[0].paused
    assert ends[1].trials == KINDS["lucky"].trials


# --- bounds -----------------------------------------------------------------------------------------------------------


def test_a_rule_under_its_own_bound_speaks_when_it_speaks(heard: list[Heard]) -> None:
    standing = [b for b in study.BOUNDS if b.standing]
    assert {b.rule for b in standing} == {b.rule for b in study.BOUNDS}
    for r in heard:
        for b in standing:
            assert r.swept[str(b)] == r.said[b.rule].first


def test_another_bound_lasts_as_long_as_it_is_asked_for() -> None:
    b = Bound("staircase", gain, (("ROW", 2),))
    before = gain.ROW
    with changed(b):
        assert gain.ROW == 2
    assert before == gain.ROW


def test_a_bound_is_put_back_whatever_happens_meanwhile() -> None:
    before = gain.ROW
    with pytest.raises(KeyError), changed(Bound("staircase", gain, (("ROW", 2),))):
        raise KeyError
    assert before == gain.ROW


# --- the words ------------------------------------------------------------------------------------------------------


def test_honest_files_are_what_was_proposed_and_a_drift_is_told_at_its_first_trial() -> None:
    kind = KINDS["explorer"]
    for ran in get_args(Ran):
        c = simulate(kind, Setup(3, 1.0, "nothing", ran), 4, lambda _: gates.Field(gates.published))
        odd = [i for i, t in enumerate((t for t in c.items if isinstance(t, Trial)), 1) if t.drift]
        assert len(odd) == {"as proposed": 0, "drifted once": 1}.get(ran, kind.trials - odd[0] + 1 if odd else -1)
        words = listen(c).words
        assert words.get("TAMPERED") == (odd[0] if odd else None)


def test_a_tuner_turns_a_knob_on_while_it_is_kept_and_then_takes_another() -> None:
    c = run(KINDS["tuner"], 2)
    moves = pairs(c)
    for (knob, value), fact, (then, more) in zip(moves, c.facts, moves[1:], strict=False):
        if fact.kept and value < 10:
            assert (then, more) == (knob, value + 1)
    assert sum(f.kept for f in c.facts) > 5
    assert len({knob for knob, _ in moves}) > 5


def test_a_dial_helps_less_and_less_up_to_its_best_value() -> None:
    land = curved(world(Random(1)), Random(2), helps=1.0)
    for name in land.menu.knobs:
        steps = [b - a for a, b in pairwise(land.worth[name, v] for v in range(11))]
        assert steps == sorted(steps, reverse=True)
        assert steps[0] > 0


def test_a_run_is_stalled_while_a_trial_takes_over_five_times_the_usual() -> None:
    assert clock.stalled([300.0] * 5 + [1501.0] + [300.0] * 3) == 6
    assert clock.stalled([300.0] * 5 + [1500.0] + [300.0] * 3) is None
    assert clock.stalled([3601.0]) == 1  # nothing is usual yet: an hour
    even = Clock("", 0.0, 0.0, 1.0)
    assert list(clock.times(even, 3, Random(0))) == [300.0] * 3
    assert max(clock.times(even._replace(slow=1.0, times=4.0), 3, Random(0))) == 1200.0


def test_the_words_are_a_count_of_their_rows() -> None:
    fresh, drifted = study.words(study.fresh(SOME), 1), study.words(study.drifted(SOME), 1)
    clocks = study.clocks(SOME)
    lines = {x.split(" | ")[0].strip("| "): x for x in tables.words(fresh, fresh, drifted, clocks).splitlines()[2:]}
    assert list(lines) == ["TAMPERED", "SUSPECT", "STALLED", "FLAILING"]
    assert f"({len(drifted)} of {len(drifted)};" in lines["TAMPERED"]
    for word in ("TAMPERED", "SUSPECT", "FLAILING"):
        assert f"({sum(word in r.words for r in fresh)} of {len(fresh)};" in lines[word]
    stalls = sum(c.stalled is not None for c in clocks if c.clock == "ordinary")
    assert f"({stalls} of {len(clocks) // 3};" in lines["STALLED"]


def test_the_fresh_worlds_of_the_words_are_seen_by_nothing_else() -> None:
    elsewhere = {(j.kind, j.seed) for jobs in (study.field(), study.under_ours(), study.gated(())) for j in jobs}
    mine = {(j.kind, j.seed) for j in study.fresh()}
    assert len(mine) >= 200
    assert not mine & elsewhere


def test_the_page_says_of_no_word_that_it_comes_wrongly_in_more_than_a_twentieth() -> None:
    block = page.PAGE.read_text("utf-8").split("<!-- words -->")[1].split("<!-- /words -->")[0]
    found = dict(re.findall(r"^\| ([A-Z]+) \| [^(]*\((\d+ of \d+);", block, re.MULTILINE))
    assert set(found) == {"TAMPERED", "SUSPECT", "STALLED", "FLAILING"}
    for wrong, of in (map(int, x.split(" of ")) for x in found.values()):
        assert of >= 200
        assert wrong <= 0.05 * of


def test_a_looser_bound_never_speaks_later(heard: list[Heard]) -> None:
    sixes = [b for b in study.BOUNDS if b.rule == "staircase" and ("ROW", 6) in b.constants]
    rows = sorted(sixes, key=lambda b: -dict(b.constants)["ODD"])
    assert len(rows) > 1
    for r in heard:
        for loose, tight in pairwise(rows):
            if (late := r.swept[str(tight)]) is not None:
                early = r.swept[str(loose)]
                assert early is not None
                assert early <= late


def test_every_rule_of_a_headline_alarm_is_there() -> None:
    names = {r.name for r in rules.RULES}
    assert {name for speakers in tables.SPEAKERS.values() for name in speakers} <= names
    assert set(tables.SPEAKERS) == set(ALARMS)


# --- what the study must find -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("alarm", ["flailing", "variance collapse", "holdout divergence"])
def test_a_planted_fault_is_spoken_of_more_often_than_honest_work(heard: list[Heard], alarm: str) -> None:
    name = next(a for a in ALARMS if a == alarm)
    for kind in (k for k in FAULTY if name in k.plants):
        found = tables.share(tables.first(r, name) is not None for r in heard if r.kind == kind.name)
        wrong = tables.share(tables.first(r, name) is not None for r in heard if KINDS[r.kind].honest)
        assert found.k / found.n > wrong.k / wrong.n + 0.3, kind.name


def test_ours_keeps_no_shortcut_that_the_field_s_gate_follows_to_the_end(judged: list[Decided]) -> None:
    way = {g: [r.way for r in judged if r.gate == g and KINDS[r.kind].way] for g in (study.PUBLISHED, study.OURS)}
    assert fmean(way[study.PUBLISHED]) > 0.9
    assert fmean(way[study.OURS]) < 0.3


def test_ours_makes_honest_progress_and_keeps_no_noise(judged: list[Decided]) -> None:
    made = {
        g: sum(r.quality for r in judged if r.gate == g and KINDS[r.kind].honest) for g in (study.ORACLE, study.OURS)
    }
    assert made[study.OURS] > 0.5 * made[study.ORACLE]
    null = [r for r in judged if r.kind == "null" and r.gate == study.OURS]
    assert sum(map(len, (r.kept for r in null))) > 0
    assert sum(sum(r.kept) for r in null) <= 2


# --- the page ---------------------------------------------------------------------------------------------------------


def test_a_block_is_replaced_and_a_missing_one_is_said() -> None:
    text = "a\n<!-- x -->\nold\n<!-- /x -->\nb"
    assert page.filled(text, {"x": "new"}) == "a\n<!-- x -->\nnew\n<!-- /x -->\nb"
    with pytest.raises(SystemExit, match="block y stands there 0 times"):
        page.filled(text, {"y": "new"})


def test_the_page_holds_every_block_and_the_size_of_the_study() -> None:
    text = page.PAGE.read_text("utf-8")
    honest = sum(study.many(k, 1) for k in HONEST)
    faulty = sum(study.many(k, 1) for k in FAULTY)
    assert min(honest, faulty) >= 200
    assert f"{honest} honest and {faulty} faulty campaigns" in text
    rows = re.findall(r"^\| ([^|]+?) \|", text, re.MULTILINE)
    assert set(study.GATES) <= set(rows)
    assert set(KINDS) <= set(rows)
    assert {str(b) for b in study.BOUNDS} <= {row.strip("*") for row in rows}
