"""The laws that hold for any metric, any run and any file, however they were cut, stopped or asked.

FAULTS_GO_HERE
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
from trajscope.pair import canon, pair
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
def test_every_real_metric_is_the_same_live_and_in_sql(store: Store, made: tuple[Header, list[Item]]) -> None:
    run, some_rows = pushed(*made)
    asked = in_sql(store, some_rows, list(METRICS))
    for m in METRICS:
        assert same(run.states[m.name], asked[m.name]), m.name
        assert same(m.merge(m.zero(), run.states[m.name]), run.states[m.name]), m.name


# --- a run ----------------------------------------------------------------------------------------------------------


@some
@given(runs())
def test_every_column_that_looks_back_is_what_looking_back_finds(made: tuple[Header, list[Item]]) -> None:
    _, got = pushed(*made)
    assert all(len(row) == len(Row._fields) for row in got)
    want = looked_back(*made)
    assert [{k: getattr(r, k) for k in w} for r, w in zip(got, want, strict=True)] == want


@some
@given(runs(), st.integers(0, 12))
def test_a_live_run_after_t_items_is_the_run_over_the_first_t(made: tuple[Header, list[Item]], t: int) -> None:
    header, all_items = made
    live = Run(header, METRICS)
    for item in all_items[:t]:
        live.take(item)
        analyzed(live)  # asking on the way changes nothing
    fresh, first = pushed(header, all_items[:t])
    assert analyzed(live) == analyzed(fresh)
    assert pushed(header, all_items)[1][: len(first)] == first, "a later trial changed an earlier row"


@some
@given(runs(), st.integers(0, 12))
def test_to_stop_and_go_on_is_never_to_have_stopped(made: tuple[Header, list[Item]], t: int) -> None:
    header, all_items = made
    before, _ = pushed(header, all_items[:t])
    after = Run(header, METRICS)
    after.restore(before.snapshot())
    assert analyzed(after) == analyzed(before)
    later = [after.take(item) for item in all_items[t:]]
    never, _ = pushed(header, all_items)
    assert [r for r in later if r is not None] == pushed(header, all_items)[1][before.tally.trials :]
    assert analyzed(after, quick=False) == analyzed(never, quick=False)


@some
@given(runs())
def test_every_null_has_its_reason_and_no_unknown_becomes_a_number(made: tuple[Header, list[Item]]) -> None:
    run, _ = pushed(*made)
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
def test_the_figures_of_one_run_agree_with_each_other(made: tuple[Header, list[Item]]) -> None:
    header, all_items = made
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
def test_ground_that_was_covered_is_never_uncovered(made: tuple[Header, list[Item]], t: int) -> None:
    header, all_items = made
    less, more = (analysis.values(pushed(header, x)[0], quick=True) for x in (all_items[:t], all_items))
    for path in ("coverage.knobs_touched", "coverage.knobs_proposed", "coverage.knobs_kept", "coverage.cells.touched",
                 "pairs.unique", "coverage.pairwise.touched", "plateau.longest.length", "cost.wall_s"):  # fmt: skip
        assert isinstance(less[path], Unknown) or less[path] <= more[path], path


@some
@given(runs())
def test_the_noise_is_the_pooled_spread_of_what_was_run_twice(made: tuple[Header, list[Item]]) -> None:
    run, _ = pushed(*made)
    sd, df = pooled(*made)
    assert sum(run.tally.noise_df.values()) == df
    if df:
        assert math.sqrt(run.tally.noise_ss / df) == pytest.approx(sd, abs=1e-9)


@few
@given(runs(plain=True))
def test_the_trailing_rate_looks_at_ten_trials(made: tuple[Header, list[Item]]) -> None:
    run, some_rows = pushed(*made)
    counted = [r for r in some_rows if r.counted]
    got = analysis.values(run, quick=True)["pairs.trailing_rate"]
    assert isinstance(got, Unknown) if len(counted) < 10 else got == sum(r.k > 1 for r in counted[-10:]) / 10


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
def test_lower_is_better_is_higher_is_better_turned_round(made: tuple[Header, list[Item]]) -> None:
    doc, other = analyzed(pushed(*made)[0]), analyzed(pushed(*turned(*made))[0])
    for group, leaf in (("baseline", "value"), ("best", "value"), ("best", "shrunk")):
        if isinstance(other.get(group), dict) and other[group][leaf] is not None:
            other[group][leaf] = -other[group][leaf]
    other["metric"]["goal"] = doc["metric"]["goal"]
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
def test_no_number_depends_on_what_knobs_are_called(made: tuple[Header, list[Item]]) -> None:
    doc, other = analyzed(pushed(*made)[0]), analyzed(pushed(*renamed(*made))[0])
    back = {new: old for old, new in NEW_NAMES.items()}
    if made[0].menu is None:  # families are then guessed from names
        for d in (doc, other):
            d["coverage"]["by_family"] = d["dominance"]["family"] = {}
            d["unknown"] = {k: x for k, x in d["unknown"].items() if "famil" not in k}
    assert numbers(other, back) == numbers(doc, {})
    assert [x["level"] for x in other["verdicts"]] == [x["level"] for x in doc["verdicts"]]
    assert other["verdict"]["word"] == doc["verdict"]["word"]


@few
@given(runs())
def test_no_number_depends_on_the_labels_of_iterations(made: tuple[Header, list[Item]]) -> None:
    header, all_items = made
    other = [structs.replace(x, iter=3 * x.iter - 50) if isinstance(x, Trial) and x.iter is not None else x
             for x in all_items]  # fmt: skip
    docs = [analyzed(pushed(header, x)[0]) for x in (all_items, other)]
    for d in docs:
        d["best"] = {k: x for k, x in d["best"].items() if k != "iter"} if isinstance(d["best"], dict) else d["best"]
    assert docs[0] == docs[1]


@some
@given(runs(placed=True))
def test_declared_replicates_never_change_the_figures_of_pairs(made: tuple[Header, list[Item]]) -> None:
    header, all_items = made
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
