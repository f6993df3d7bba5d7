"""The laws that hold for any metric, any run and any file, however they were cut, stopped or asked.

Each was seen to fail. Planted, one at a time, and the law that spoke:

    coalesce dropped from a sum; a comparison that may be NULL      any metric in Python and in SQL
    arg_max ordered by `at`; SPREAD with one logarithm wrong        any metric in Python and in SQL
    LAST merged the wrong way round                                 two stretches merged
    two columns of SQL_TYPES swapped                                a row has the columns that SQL has
    replicates counted                                              columns that look back; declared replicates
    replicates listed as no-ops                                     declared replicates
    running best raised by ineligible trials, or by a tie           columns that look back
    since_best begun at 1; gap counted in all trials                columns that look back
    noise fed by ineligible values, or without measured baselines   the pooled spread
    trailing rate over nine trials                                  the trailing rate and the windows
    neighbours of another base; none remembered on a second base    near is near
    neighbours, or an array, left out of the snapshot               near is near; to stop and go on
    pairs restored in the order of their labels                     to stop and go on
    the rest of a chunk lost at its boundary                        any cutting of the bytes; the last word
    the baseline compared without its sign                          lower is better is higher is better
    an unknown written as 0, or without its reason                  every null has its reason
    asking that changes the run                                     a live run after t items
    numbers that depend on labels of iterations                     no number depends on the labels
"""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from law_strategies import (
    BASE,
    MENU_JSON,
    VALUES,
    analyzed,
    cut,
    evaluated,
    files,
    folded,
    items,
    leaves,
    linked,
    looked_back,
    made,
    menu,
    metrics,
    pooled,
    pushed,
    rows,
    runs,
)
from msgspec import structs

from trajscope import analysis
from trajscope.columns import SQL_TYPES, Row
from trajscope.errors import SourceError
from trajscope.fold import FOLDS, Metric, Unknown
from trajscope.menu import parse
from trajscope.metrics import HIDDEN, METRICS
from trajscope.pair import canon, config_hash, pair
from trajscope.pipeline import Feed
from trajscope.readers import Source
from trajscope.readers.native import Native
from trajscope.run import Run
from trajscope.store import Store, states
from trajscope.trial import Header, Item, Measure, Trial

SLOW = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]
few = settings(max_examples=25, deadline=None, suppress_health_check=SLOW)
some = settings(max_examples=50, deadline=None, suppress_health_check=SLOW)
many = settings(max_examples=120, deadline=None, suppress_health_check=SLOW)


@pytest.fixture(scope="module")
def store() -> Store:
    """One DuckDB for all examples; each empties its table."""
    return Store()


def in_sql(store: Store, some_rows: list[Row], these: list[Metric]) -> dict[str, Any]:
    """The states of metrics from SQL, over rows that went the way all rows go."""
    store.con.execute('DELETE FROM "row"')
    store._buffers["row"] = [(0, *row) for row in some_rows]
    store.flush()
    return states(store.con, these, '"row"')


def same(a: Any, b: Any) -> bool:
    """Whole numbers exactly, floats to 1e-12, and null is nothing but null."""
    if isinstance(a, tuple) and isinstance(b, tuple):
        return len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, Unknown) or isinstance(b, Unknown) or a is None or b is None:
        return bool(a == b) and type(a) is type(b)
    if isinstance(a, float) or isinstance(b, float):
        return math.isclose(a, b, rel_tol=1e-12, abs_tol=1e-12)
    return bool(a == b)


# --- metrics --------------------------------------------------------------------------------------------------------


@many
@given(metrics(), rows())
def test_any_metric_is_the_same_in_python_and_in_sql(store: Store, m: Metric, some_rows: list[Row]) -> None:
    live, asked = folded(m, some_rows), in_sql(store, some_rows, [m])["m"]
    assert same(live, asked), m.sql
    assert same(m.value(live), m.value(asked)), m.sql


@many
@given(metrics(), rows(), st.integers(0, 6))
def test_two_stretches_merged_are_the_whole(m: Metric, some_rows: list[Row], at: int) -> None:
    parts = m.merge(folded(m, some_rows[:at]), folded(m, some_rows[at:]))
    assert same(parts, folded(m, some_rows)), m.sql


def test_every_fold_has_as_many_sql_parts_as_its_state() -> None:
    for fold in FOLDS:
        zero = fold.zero()
        assert len(fold.sql) == (len(zero) if isinstance(zero, tuple) else 1), fold.name


def test_a_row_has_the_columns_that_sql_has_in_the_same_order() -> None:
    assert tuple(SQL_TYPES) == Row._fields


@some
@given(runs())
def test_every_real_metric_is_the_same_live_and_in_sql(store: Store, case: tuple[Header, list[Item]]) -> None:
    run, some_rows = pushed(*case)
    asked = in_sql(store, some_rows, list(METRICS))
    for m in METRICS:
        assert same(run.states[m.name], asked[m.name]), m.name
        assert same(m.merge(m.zero(), run.states[m.name]), run.states[m.name]), m.name


# --- a run ----------------------------------------------------------------------------------------------------------


@some
@given(runs())
def test_every_column_that_looks_back_is_what_looking_back_finds(case: tuple[Header, list[Item]]) -> None:
    _, got = pushed(*case)
    assert all(len(row) == len(Row._fields) for row in got)
    want = looked_back(*case)
    assert [{k: getattr(r, k) for k in w} for r, w in zip(got, want, strict=True)] == want


@some
@given(runs(), st.integers(0, 12))
def test_a_live_run_after_t_items_is_the_run_over_the_first_t(case: tuple[Header, list[Item]], t: int) -> None:
    header, all_items = case
    live = Run(header, METRICS)
    for item in all_items[:t]:
        live.take(item)
        analyzed(live)  # asking on the way changes nothing
    fresh, first = pushed(header, all_items[:t])
    assert analyzed(live) == analyzed(fresh)
    assert pushed(header, all_items)[1][: len(first)] == first, "a later trial changed an earlier row"


@some
@given(runs(), st.integers(0, 12))
def test_to_stop_and_go_on_is_never_to_have_stopped(case: tuple[Header, list[Item]], t: int) -> None:
    header, all_items = case
    before, _ = pushed(header, all_items[:t])
    after = Run(header, METRICS)
    after.restore(before.snapshot())
    assert analyzed(after) == analyzed(before)
    assert [p.id for p in after.ground.pairs] == list(range(len(before.ground.pairs)))
    assert [c.id for c in after.scores.configs] == list(range(len(before.scores.configs)))
    later = [after.take(item) for item in all_items[t:]]
    never, _ = pushed(header, all_items)
    assert [r for r in later if r is not None] == pushed(header, all_items)[1][before.tally.trials :]
    assert analyzed(after, quick=False) == analyzed(never, quick=False)


@some
@given(runs())
def test_every_null_has_its_reason_and_no_unknown_becomes_a_number(case: tuple[Header, list[Item]]) -> None:
    run, _ = pushed(*case)
    v = analysis.values(run, quick=True)
    doc = analyzed(run)
    flat = dict(leaves({k: x for k, x in doc.items() if k != "unknown"}))
    for path, x in v.items():
        if isinstance(x, Unknown) and path not in HIDDEN:
            assert flat[path] is None, path
            assert doc["unknown"][path] == x.why
    # What drifted is data: a knob may have been proposed as null, and a file has no knob.
    nulls = {path for path, x in flat.items() if x is None and not path.startswith("integrity.drifted.")}
    assert nulls == set(doc["unknown"])
    assert all(doc["unknown"].values()), "a reason is a sentence"


@some
@given(runs())
def test_the_figures_of_one_run_agree_with_each_other(case: tuple[Header, list[Item]]) -> None:
    header, all_items = case
    run, some_rows = pushed(header, all_items)
    v = analysis.values(run, quick=True)
    assert v["pairs.unique"] + v["pairs.repeats"] == run.tally.c == sum(r.counted for r in some_rows)
    assert sum(x for k, x in v.items() if k.startswith("status.")) == v["trials"] == len(some_rows)
    assert v["evaluated"] == run.tally.e == sum(evaluated(x) for x in all_items if isinstance(x, Trial))
    assert len(run.scores.scores) == len(run.scores.score_configs) == run.tally.e
    assert sum(w["n"] for w in v["pairs.windows"]) == run.tally.c
    assert sum(round(w["n"] * w["rate"]) for w in v["pairs.windows"]) == v["pairs.repeats"]
    assert sum(w["n"] * w["expected"] for w in v["pairs.windows"]) == pytest.approx(v["pairs.repeats"])
    for path in ("pairs.repeat_rate", "pairs.trailing_rate", "pairs.good_turing", "dominance.proposed.share",
                 "dominance.kept.share", "dominance.family.share", "coverage.fraction", "coverage.cells.fraction",
                 "coverage.per_knob_mean", "cost.repeat_share", "audit.baseline_bias.p"):  # fmt: skip
        assert isinstance(v[path], Unknown) or 0 <= v[path] <= 1, path
    for name, kinds in (("pairs", v["pairs.unique"]), ("knobs", len(run.tally.lanes))):
        for how in ("effective", "simpson_effective"):
            n = v[f"diversity.{name}.{how}"]
            assert isinstance(n, Unknown) or 1 - 1e-9 <= n <= kinds + 1e-9, (name, how)
    if not isinstance(since := v["plateau.since_best"], Unknown):
        assert v["plateau.longest.length"] >= since
    if not isinstance(v["coverage.knobs_touched"], Unknown):
        assert v["coverage.knobs_kept"] <= v["coverage.knobs_touched"] <= v["coverage.knobs_proposed"]


@few
@given(runs(), st.integers(1, 12))
def test_ground_that_was_covered_is_never_uncovered(case: tuple[Header, list[Item]], t: int) -> None:
    header, all_items = case
    less, more = (analysis.values(pushed(header, x)[0], quick=True) for x in (all_items[:t], all_items))
    for path in ("coverage.knobs_touched", "coverage.knobs_proposed", "coverage.knobs_kept", "coverage.cells.touched",
                 "pairs.unique", "coverage.pairwise.touched", "plateau.longest.length", "cost.wall_s"):  # fmt: skip
        assert isinstance(less[path], Unknown) or less[path] <= more[path], path


@some
@given(runs())
def test_the_noise_is_the_pooled_spread_of_what_was_run_twice(case: tuple[Header, list[Item]]) -> None:
    run, _ = pushed(*case)
    sd, df = pooled(*case)
    assert sum(run.tally.noise_df.values()) == df
    if df:
        assert math.sqrt(run.tally.noise_ss / df) == pytest.approx(sd, abs=1e-9)


@few
@given(st.lists(st.integers(0, 8), min_size=8, max_size=24))
def test_the_trailing_rate_and_the_windows_look_at_ten_trials(values: list[int]) -> None:
    v = analysis.values(made(*(("z", x, "reverted", 1.0) for x in values)), quick=True)
    again = [x in values[:i] for i, x in enumerate(values)]
    trailing = v["pairs.trailing_rate"]
    assert isinstance(trailing, Unknown) if len(values) < 10 else trailing == sum(again[-10:]) / 10
    tens = [again[a : a + 10] for a in range(0, len(values), 10)]
    assert [(w["n"], w["rate"]) for w in v["pairs.windows"]] == [(len(t), sum(t) / len(t)) for t in tens]


@many
@given(st.data())
def test_near_is_near_an_earlier_pair_on_the_same_base(data: st.DataObject) -> None:
    header = Header(run_id="r", goal="minimize", menu=menu(), base=BASE)
    trials: list[Item] = []
    for seq in range(1, data.draw(st.integers(4, 10)) + 1):
        change = {"b": data.draw(st.sampled_from([0.5, 0.51, 0.525, 0.9]))}
        under = data.draw(st.sampled_from([{}, {"a": 2}]))
        t = Trial(seq=seq, at=0, status="reverted", value=1.0, pair=menu().pair(change), base=config_hash(under))
        t.config = config_hash({**under, **change})
        t.intent = data.draw(st.sampled_from([None, None, None, "replicate"]))
        trials.append(t)
    run, got = pushed(header, trials)
    assert [r.near for r in got] == [x["near"] for x in looked_back(header, trials)]
    again = Run(header, METRICS)
    again.restore(run.snapshot())
    for base in ({}, {"a": 2}):  # whoever comes after a stop has the same neighbours
        more = Trial(seq=99, at=0, status="reverted", pair=menu().pair({"b": 0.535}), base=config_hash(base))
        assert again.ground.is_near(more) == run.ground.is_near(more)


# --- what must not matter -------------------------------------------------------------------------------------------


def turned(header: Header, all_items: list[Item]) -> tuple[Header, list[Item]]:
    """The same run with every value negated and the goal the other way round."""

    def minus(x: float | None) -> float | None:
        return None if x is None else -x

    def flip(item: Item) -> Item:
        if not isinstance(item, Trial | Measure):
            return item
        seeds = tuple(structs.replace(s, value=minus(s.value)) for s in item.seeds)
        return structs.replace(item, value=minus(item.value), seeds=seeds)

    goal: Any = {"minimize": "maximize", "maximize": "minimize"}.get(header.goal or "")
    return structs.replace(header, goal=goal, baseline=minus(header.baseline)), [flip(x) for x in all_items]


@some
@given(runs())
def test_lower_is_better_is_higher_is_better_turned_round(case: tuple[Header, list[Item]]) -> None:
    runs_ = pushed(*case)[0], pushed(*turned(*case))[0]
    assert runs_[0].tally.beats_baseline == runs_[1].tally.beats_baseline
    doc, other = map(analyzed, runs_)
    for group, leaf in (("baseline", "value"), ("best", "value"), ("best", "shrunk")):
        if isinstance(other.get(group), dict) and other[group][leaf] is not None:
            other[group][leaf] = -other[group][leaf]
    other["metric"]["goal"] = doc["metric"]["goal"]
    sliced = [*doc["verdicts"], *other["verdicts"]]
    for x in (doc, other):  # slices of the metric are not turned here, nor is the word that may hang on them
        x["verdicts"] = [v for v in x["verdicts"] if v["rule"] != "gain_share"]
        x["verdict"] = None if any(v["rule"] == "gain_share" and v["level"] == "FAIL" for v in sliced) else x["verdict"]
    assert other == doc


NEW_NAMES = {"a": "zeta", "b": "alpha", "d": "m", "z": "a"}


def renamed(header: Header, all_items: list[Item]) -> tuple[Header, list[Item]]:
    """The same run with other names for its knobs, which also sort otherwise."""
    known = None
    if header.menu is not None:
        known = parse({"knobs": {NEW_NAMES[k]: spec for k, spec in MENU_JSON["knobs"].items()}})

    def again(p: Any) -> Any:
        if p is None:
            return None
        changes = {NEW_NAMES[c.knob]: c.value for c in p.changes}
        return known.pair(changes) if known else pair(canon(k, x) for k, x in changes.items())

    def rename(item: Item) -> Item:
        if not isinstance(item, Trial):
            return item
        return structs.replace(
            item, pair=again(item.pair), moved=again(item.moved), refused_pairs=tuple(map(again, item.refused_pairs))
        )

    base = {NEW_NAMES[k]: x for k, x in header.base.items()} if header.base is not None else None
    return structs.replace(header, menu=known, base=base), [rename(x) for x in all_items]


def numbers(doc: dict[str, Any], names: dict[str, str]) -> dict[str, Any]:
    """Every leaf that is no text, under paths that do not depend on what knobs are called."""
    known = doc["coverage"]["by_knob"]
    doc["coverage"]["by_knob"] = {names.get(k, k): {**x, "family": ""} for k, x in known.items()}
    return {k: x for k, x in leaves(doc) if not isinstance(x, str)}


@few
@given(runs())
def test_no_number_depends_on_what_knobs_are_called(case: tuple[Header, list[Item]]) -> None:
    doc, other = analyzed(pushed(*case)[0]), analyzed(pushed(*renamed(*case))[0])
    back = {new: old for old, new in NEW_NAMES.items()}
    if case[0].menu is None:  # families are then guessed from names
        for d in (doc, other):
            d["coverage"]["by_family"] = d["dominance"]["family"] = {}
            d["unknown"] = {k: x for k, x in d["unknown"].items() if "famil" not in k}
    assert numbers(other, back) == numbers(doc, {})
    assert [x["level"] for x in other["verdicts"]] == [x["level"] for x in doc["verdicts"]]
    assert other["verdict"]["word"] == doc["verdict"]["word"]


@few
@given(runs())
def test_no_number_depends_on_the_labels_of_iterations(case: tuple[Header, list[Item]]) -> None:
    header, all_items = case
    other = [structs.replace(x, iter=3 * x.iter - 50) if isinstance(x, Trial) and x.iter is not None else x
             for x in all_items]  # fmt: skip
    docs = [analyzed(pushed(header, x)[0]) for x in (all_items, other)]
    for d in docs:
        d["best"] = {k: x for k, x in d["best"].items() if k != "iter"} if isinstance(d["best"], dict) else d["best"]
    assert docs[0] == docs[1]


@some
@given(runs(placed=True))
def test_declared_replicates_never_change_the_figures_of_pairs(case: tuple[Header, list[Item]]) -> None:
    header, all_items = case
    without = [x for x in all_items if not (isinstance(x, Trial) and x.intent == "replicate")]
    with_, less = (analyzed(pushed(header, x)[0]) for x in (all_items, without))
    for d in (with_, less):
        for beside in ("replicates", "provenance"):  # these two are about evaluated trials
            del d["pairs"][beside]
    assert with_["pairs"] == less["pairs"]
    assert with_["diversity"]["pairs"] == less["diversity"]["pairs"]
    assert with_["dominance"]["proposed"] == less["dominance"]["proposed"]


# --- a file ---------------------------------------------------------------------------------------------------------


def read(pieces: list[bytes]) -> list[dict[str, Any]]:
    feed = Feed(Source("f"), Native, METRICS)
    try:
        for piece in pieces:
            feed.feed(piece)
        feed.close()
    except SourceError as e:  # a header torn in the middle leaves nothing to read
        return [{"error": str(e)}]
    return [analyzed(run) for run in feed.runs]


@some
@given(files(), st.lists(st.integers(0, 5000), max_size=8))
def test_any_cutting_of_the_bytes_is_the_whole_file(data: bytes, at: list[int]) -> None:
    assert read(cut(data, at)) == read([data])


@few
@given(files(most=4))
def test_a_file_read_byte_by_byte_is_the_whole_file(data: bytes) -> None:
    assert read([data[i : i + 1] for i in range(len(data))]) == read([data])


@few
@given(files(), st.lists(st.integers(0, 5000), max_size=6))
def test_the_last_word_of_a_live_run_is_the_word_of_its_file(data: bytes, at: list[int]) -> None:
    if "error" in (finished := read([data])[0]):
        return
    feed = Feed(Source("f"), Native, METRICS)
    for piece in cut(data, at):
        feed.feed(piece)
        for run in feed.runs:
            analyzed(run)
    feed.close()
    last = analyzed(feed.runs[0])
    assert last["verdict"] == finished["verdict"]
    assert last["verdicts"] == finished["verdicts"]


@few
@given(st.lists(VALUES, min_size=1, max_size=6), st.integers(0, 6))
def test_a_changed_byte_in_any_line_but_the_last_is_tampering(values: list[float | None], which: int) -> None:
    trial: list[dict[str, Any] | bytes] = [
        {"type": "trial", "iter": i, "status": "reverted", "value": x, "attempts": []} for i, x in enumerate(values)
    ]
    lines = linked([{"type": "run", "run_id": "r", "base": {"config": BASE}}, *trial]).split(b"\n")[:-1]
    honest = b"\n".join(lines)
    edited = which % (len(lines) - 1)
    lines[edited] = lines[edited].replace(b'"v":1', b'"v": 1')
    assert read([honest])[0]["verdict"]["word"] != "TAMPERED"
    assert read([b"\n".join(lines)])[0]["verdict"]["word"] == "TAMPERED"


def test_a_document_of_a_run_is_json() -> None:
    run, _ = pushed(Header(run_id="r"), [])
    assert json.loads(json.dumps(analyzed(run), allow_nan=False)) == analyzed(run)


@few
@given(st.data())
def test_every_document_of_any_run_is_json(data: st.DataObject) -> None:
    header, all_items = data.draw(runs())
    more = data.draw(items(header, 3))
    doc = analyzed(pushed(header, [*all_items, *more])[0])
    assert json.loads(json.dumps(doc, allow_nan=False)) == doc
