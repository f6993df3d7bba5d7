"""The law of the bulk lane: many lines at once are, in every row, document and remembered thing, the lines one by one.

Each of these was put into the code and made a test here fail: gaps that forget earlier batches; occurrences counted
from the batch's start; an equal score as a new best; the best by value where 0.0 and -0.0 tie; a dry stretch that
begins anew with a batch; plateaus likewise; keeps composed with keeps only; noise from a configuration's first value
on; no-ops without evidence; kept knobs that are not reached; lags that replace earlier ones; equal labels of
iterations across batches; drift from the trial after; carried keeps ignored; the last keep of a stretch forgotten;
drift as ordinary; lines that are no trials left in; header lines counted twice; a gap of 0 in the store; a year 0.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from law_strategies import MENU_JSON, cut, folded

from benchmarks import generate
from trajscope import analysis, bulk, pipeline
from trajscope.batch import Batch, Move, times_ms
from trajscope.columns import Row
from trajscope.errors import SourceError
from trajscope.menu import parse
from trajscope.metrics import METRICS
from trajscope.pipeline import Feed
from trajscope.readers import Source, get
from trajscope.readers.fields import time_ms
from trajscope.run import Run
from trajscope.store import Store
from trajscope.trial import CODE, Header, Item, Trial

ROOT = Path(__file__).resolve().parents[1]
SLOW = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]
many = settings(max_examples=100, deadline=None, suppress_health_check=SLOW)
BASE = {"a": 1, "b": 0.5, "d": "u", "seed": 0}
CHANGES = [("a", 1), ("a", 2), ("a", 2.0), ("a", "2"), ("a", True), ("b", 0.51), ("b", 0.515), ("b", 0.9), ("z", [1])]
VALUES = [0.0, -0.0, 0.25, 1.0, 1.0, 1.5, 2.0, 3, None, "0.5", math.nan, math.inf]
TIMES = [None, "", "2026-04-25 18:08:37", "2026-04-25 18:08:38", "2026-04-25T18:08:37.25Z", "2026-02-30 00:00:00", "é"]
STAGES = [*["evaluated"] * 12, "blocked", "rejected", "eval_failed", "nim_error", "odd", None, "paused"]
STORED = (
    'SELECT * FROM "row" ORDER BY run, seq',
    "SELECT * FROM pair ORDER BY run, pair",
    "SELECT * FROM event ORDER BY run, seq, kind",
)
DECISIONS = ["revert", "revert", "revert", "keep", "KEEP", "accept", "", None, "later"]


@st.composite
def rows(draw: st.DrawFn, i: int, carried: dict[str, Any], *, rich: bool) -> dict[str, Any]:
    """One stage row; what it keeps is carried into the rows after it."""

    def some(values: list[Any]) -> Any:
        return draw(st.sampled_from(values))

    row: dict[str, Any] = {"iter": some([i, i, i, None, 1]), "stage": some(STAGES) if rich else "evaluated"}
    row["decision"] = some(DECISIONS if rich else DECISIONS[:4])
    row["val_bpb"] = some(VALUES if rich else VALUES[:7])
    row["ts"] = some(TIMES if rich else TIMES[2:4])
    row["is_new_best"] = some([None, True, False])
    row["iter_wall_s"] = some([None, 0.1, 0.3, 2])
    row["tokens_in"] = some([None, 7])
    if some([True, True, False]):
        row["eval_metrics"] = {"train_loss_first": some([None, 1.0, 1.00001, 2.0])}
    if not rich or some([True, True, True, True, False]):
        knob, value = some(CHANGES)
        config = {**BASE, **carried, knob: value, "seed": some([0, 0, 1, None])}
        row["proposal"] = {"knob": knob, "new_value": value, "reason": "x"}
        if rich and some([False, False, False, True]):
            config[knob] = 3  # what ran is not what was proposed
        if not rich or some([True, True, True, False]):
            row["candidate_cfg"] = config if not rich or some([True] * 9 + [False]) else [1]
        if row["decision"] == "keep" and some([True, False]):
            carried[knob] = value
    return {k: x for k, x in row.items() if x is not None or some([True, False])}


@st.composite
def files(draw: st.DrawFn) -> bytes:
    """Stage rows as loops and disks leave them."""
    rich = draw(st.booleans())
    carried: dict[str, Any] = {}
    header: dict[str, Any] = {"_meta": "x"}
    if draw(st.sampled_from([True, True, False])):
        header["baseline_val_bpb"] = draw(st.sampled_from([1.0, 1.2]))
    if draw(st.sampled_from([True, True, True, False])):
        header["baseline_cfg"] = BASE
    lines = [json.dumps(header)] if draw(st.sampled_from([True, True, True, False])) else []
    for i in range(draw(st.integers(0, 24))):
        odd = draw(st.integers(0, 30)) if rich else 30
        if odd == 0:
            lines.append(draw(st.sampled_from(["{", "", " ", "[]", "7", '{"stage": 1}', '{"stage": "evaluated"}'])))
        elif odd == 1:
            lines.append(json.dumps({"stage": "loop_complete", "accept_count": 1}))
        elif odd == 2:
            lines.append(json.dumps({**header, "baseline_val_bpb": 2.0}))
        else:
            lines.append(json.dumps(draw(rows(i, carried, rich=rich))))
    end = draw(st.sampled_from(["\n", "\n", "\n", "\r\n"]))
    text = end.join(lines) + draw(st.sampled_from(["", end]))
    return text.replace("Infinity", draw(st.sampled_from(["Infinity", "1e999"]))).encode()


def sources() -> st.SearchStrategy[Source]:
    """What a user may say of such a file: a direction, a menu, another metric, or nothing."""
    return st.builds(
        Source,
        st.just("f.jsonl"),
        st.sampled_from([None, None, None, None, "iter_wall_s", "tokens_in"]),
        st.sampled_from([None, None, "maximize"]),
        st.sampled_from([None, parse(MENU_JSON)]),
    )


def went(pieces: list[bytes], source: Source, most: int | None, store: Store | None = None) -> tuple[Any, list[Run]]:
    """All that came of these bytes, `most` lines at once or, without it, one by one: documents, rows, memories."""
    rows: dict[int, list[Row]] = {}
    others: list[Any] = []

    def sink(run: Run, item: Item, row: Row | None) -> None:
        if store:
            store.sink(run, item, row)
        if row is not None:
            rows.setdefault(id(run), []).append(row)
        elif not isinstance(item, Header):
            others.append(msgspec.to_builtins(item))

    def columns(run: Run, found: Mapping[str, Any]) -> None:
        if store:
            store.take_columns(run, found)
        plain = [x if isinstance(x, list) else [None if v != v else v for v in x.tolist()] for x in found.values()]
        assert list(found) == list(Row._fields)
        for values in zip(*plain, strict=True):
            row = Row(*values)
            rows.setdefault(id(run), []).append(row._replace(gap=row.gap or None))

    with pytest.MonkeyPatch.context() as patch:
        if most:
            patch.setattr(pipeline, "MOST", most)
            patch.setattr(pipeline, "READ", most // 3 or 1)  # so that what is read in pieces is pushed together
        feed = Feed(source, get("stages"), (), sink, columns if most else None)
        try:
            for piece in pieces:
                feed.feed(piece)
            feed.close()
        except SourceError as e:
            return str(e), []
    docs = []
    for run in feed.runs:
        mine = rows.get(id(run), [])
        states = store.states(METRICS, run) if store else {m.name: folded(m, mine) for m in METRICS}
        docs.append(analysis.document(run, analysis.values(run, states), file="f", format="stages"))
    tables = [store.con.execute(t).fetchall() for t in STORED] if store else []
    found = [[row._asdict() for row in rows.get(id(run), [])] for run in feed.runs]
    kept = [msgspec.msgpack.decode(run.snapshot()) for run in feed.runs]
    return [docs, found, tables, sorted(others, key=str), kept], feed.runs


def differences(a: Any, b: Any, path: str = "") -> list[str]:
    """Where two trees differ: floats by more than 1e-9 of themselves, zero by its sign, all else at all."""
    if isinstance(a, dict) and isinstance(b, dict):
        gone = [f"{path}.{k}: in one only" for k in a.keys() ^ b.keys()]
        return gone + [x for k in a.keys() & b.keys() for x in differences(a[k], b[k], f"{path}.{k}")]
    if isinstance(a, list | tuple) and isinstance(b, list | tuple) and len(a) == len(b):
        return [x for i, (u, v) in enumerate(zip(a, b, strict=True)) for x in differences(u, v, f"{path}[{i}]")]
    numbers = all(isinstance(x, int | float) and not isinstance(x, bool) for x in (a, b))
    if numbers and (isinstance(a, float) or isinstance(b, float)):  # a metric that is read as a whole number is 7
        near = math.isclose(a, b, rel_tol=1e-9) and math.copysign(1, a) == math.copysign(1, b)
        return [] if near or (a != a and b != b) else [f"{path}: {a!r}, {b!r}"]
    return [] if a == b and type(a) is type(b) else [f"{path}: {a!r}, {b!r}"]


@many
@given(files(), sources(), st.lists(st.integers(0, 9000), max_size=4), st.sampled_from([1, 2, 3, 7, 100]))
def test_many_lines_at_once_are_the_lines_one_by_one(data: bytes, source: Source, at: list[int], most: int) -> None:
    one, _ = went([data], source, None)
    all_, _ = went(cut(data, at), source, most)
    assert differences(one, all_) == []


@many
@given(files(), st.sampled_from([2, 5, 100]), st.integers(0, 20))
def test_a_run_goes_on_from_a_batch_as_from_single_trials(data: bytes, most: int, t: int) -> None:
    lines = data.splitlines(keepends=True)
    first, rest = b"".join(lines[:t]), b"".join(lines[t:])
    ends = []
    for how in (None, most):
        _, runs = went([first], Source("f"), how)
        if not runs:
            return
        again = Run(runs[-1].header)
        again.restore(runs[-1].snapshot())
        seen: list[Any] = []

        def keep(_run: Run, item: Item, _row: Row | None, seen: list[Any] = seen) -> None:
            seen.append(item)

        feed = Feed(Source("f"), get("stages"), (), keep)
        feed.feed(first + rest)
        feed.close()
        later = [again.take(x) for x in seen if getattr(x, "seq", -1) >= t]
        ends.append([[None if r is None else r._asdict() for r in later], msgspec.msgpack.decode(again.snapshot())])
    assert differences(ends[0], ends[1]) == []


SAMPLES = [p for p in sorted((ROOT / "sample_runs").rglob("*.jsonl")) if get("stages").sniff(p.read_bytes()[: 1 << 16])]


@pytest.mark.parametrize("path", SAMPLES, ids=lambda p: p.stem)
@pytest.mark.parametrize("most", [4, 1000])
def test_every_sample_of_stages_is_the_same_at_once(path: Path, most: int) -> None:
    data = path.read_bytes()
    beside = pipeline.menu_beside(path)
    source = Source(str(path), menu=parse(json.loads(beside.read_bytes())) if beside else None)
    assert differences(went([data], source, None, Store())[0], went([data], source, most, Store())[0]) == []


def test_a_long_file_is_the_same_at_once() -> None:
    header = json.dumps({"_meta": "x", "baseline_val_bpb": generate.BASELINE, "baseline_cfg": generate.BASE})
    data = "".join([header + "\n", *generate.lines(20_000)]).encode()
    source = Source("f", menu=parse(generate.MENU))
    assert differences(went([data], source, None, Store())[0], went([data], source, 4096, Store())[0]) == []


SECONDS = st.datetimes().map(lambda x: str(x.replace(microsecond=0)))
ODD_TIMES = st.sampled_from([*TIMES, "0000-01-01 00:00:00"])


@many
@given(st.lists(st.one_of(ODD_TIMES, st.text(min_size=19, max_size=19), SECONDS), min_size=1, max_size=4))
def test_times_at_once_are_the_times_one_by_one(texts: list[str | None]) -> None:
    found = times_ms(texts)
    assert found is None or found == [time_ms(x) for x in texts]


def test_a_large_file_is_analyzed_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from trajscope import cache

    path = tmp_path / "f.jsonl"
    generate.write(path, 300)
    said: list[int] = []
    push = bulk.push

    def heard(run: Run, b: Batch) -> dict[str, Any]:
        said.append(len(b.seq))
        return push(run, b)

    monkeypatch.setattr(bulk, "push", heard)
    monkeypatch.setattr(cache, "WORTH", 0)
    docs = analysis.of_file(Source(str(path)), cached=False)
    assert sum(said) == docs[0]["trials"] == 300


SOURCES = [("native", None), ("text", 0.9), ("text", 0.1), ("hash", 0.3)]
STATUSES = ("kept", "reverted", "crashed")
told = st.tuples(st.sampled_from(CHANGES), st.sampled_from(SOURCES), st.sampled_from(STATUSES))


@many
@given(st.lists(told, min_size=1, max_size=12), st.integers(0, 12), st.booleans())
def test_where_pairs_were_read_from_is_counted_as_one_by_one(
    rows: list[tuple[tuple[str, Any], tuple[str, float | None], str]], at: int, recorded: bool
) -> None:
    menu = parse(MENU_JSON)
    rows = [(change, SOURCES[0] if recorded else source, status) for change, source, status in rows]
    moves = {(repr(c), s): Move(menu.pair(dict([c])), provenance=s[0], confidence=s[1]) for c, s, _ in rows}
    trials = [
        Trial(seq=i, at=i, status=status, value=1.0 if status != "crashed" else None, pair=moves[repr(c), s].pair,
              provenance=s[0], confidence=s[1])
        for i, (c, s, status) in enumerate(rows)
    ]  # fmt: skip
    one, many_ = (Run(Header(run_id="r", metric="loss", goal="minimize", menu=menu)) for _ in range(2))
    for t in trials:
        one.push(t)
    for part, said in ((trials[:at], rows[:at]), (trials[at:], rows[at:])):
        if part:
            bulk.push(many_, _batch(part, [moves[repr(c), s] for c, s, _ in said]))
    assert msgspec.to_builtins(many_.tally.sources) == msgspec.to_builtins(one.tally.sources)
    assert many_.tally.provenance == one.tally.provenance


def _batch(trials: list[Trial], moves: list[Move]) -> Batch:
    """These trials as a reader would hand them on."""
    different = list(dict.fromkeys(moves))
    none: list[Any] = [None] * len(trials)
    return Batch(
        moves=different, what=[different.index(m) for m in moves], seq=[t.seq for t in trials],
        at=[t.at for t in trials], status=[CODE[t.status] for t in trials], iter=none, value=[t.value for t in trials],
        wall_s=none, tokens_in=none, tokens_out=none, time_ms=none, first_step=none, claimed_best=none,
        noop=[False] * len(trials), remarks=[],
    )  # fmt: skip
