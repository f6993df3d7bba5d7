"""The store: what may be asked of it, what may not, and that what it was given stays data."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl
import pytest
from law_strategies import BASE, MENU_JSON, analyzed, linked

from trajscope.columns import SQL_TYPES
from trajscope.errors import QueryError
from trajscope.metrics import METRICS
from trajscope.pipeline import Feed
from trajscope.readers import Source
from trajscope.readers.native import Native
from trajscope.store import Store

HOSTILE = ['\'); DROP TABLE "row"; --', '"', "\\", "a\x00b", "é☃\u202e", "' OR '1'='1", "%s{0}$1", "\r\n\t"]
HEAD: dict[str, Any] = {
    "type": "run",
    "run_id": "r",
    "metric": {"name": "loss", "goal": "minimize"},
    "menu": MENU_JSON,
    "base": {"config": BASE},
}


def trial(i: int, knob: str, value: object, **more: Any) -> dict[str, Any]:
    attempts = [{"changes": [{"knob": knob, "value": value}]}]
    return {"type": "trial", "iter": i, "status": "reverted", "value": 1.0 / i, "attempts": attempts, **more}


def fed(*lines: dict[str, Any] | bytes) -> tuple[Store, Feed]:
    store = Store()
    feed = Feed(Source("f"), Native, METRICS, store.sink)
    feed.feed(linked([HEAD, *lines]))
    return store, feed


@pytest.fixture
def store() -> Store:
    """A store with one run: a baseline measure with a seed, two trials, an event and an unreadable line."""
    seed = {"seed": 0, "status": "ok", "metrics": {"loss": 1.0}, "wall_s": 2.5, "first_step": 4.0}
    store, feed = fed(
        {"type": "measure", "what": "baseline", "seeds": [seed]},
        trial(1, "a", 2),
        {"type": "event", "kind": "pause", "at": "2026-03-02T22:00:00Z", "data": {"why": "it's"}},
        trial(2, "a", 3, seeds=[{**seed, "seed": 7, "status": "crashed", "error": "oom"}]),
        b"no json",
    )
    store.tell([analyzed(feed.runs[0])])
    return store


def test_the_views_have_their_columns(store: Store) -> None:
    trials = store.query("SELECT * FROM trials").columns
    told = ["run_id", "seq", "iter", "status", "pair", "knob"]
    assert trials == [*told, *(c for c in SQL_TYPES if c not in {*told, "at"}), "at", "run"]
    assert sorted(store.query("SELECT * FROM seeds").columns) == sorted(
        ["run_id", "run", "seq", "seed", "status", "value", "wall_s", "first_step", "error"]
    )
    assert sorted(store.query("SELECT * FROM events").columns) == sorted(
        ["run_id", "run", "seq", "kind", "what", "time_ms"]
    )
    runs = store.query("SELECT * FROM runs").columns
    assert {"run_id", "verdict_word", "pairs_unique", "coverage_fraction", "noise_sd", "best_value"} <= set(runs)


def test_the_views_hold_what_was_read(store: Store) -> None:
    assert store.query("SELECT run_id, seq, iter, status, pair, knob, k FROM trials ORDER BY seq").rows == [
        ("r", 2, 1, "reverted", "a=2", "a", 1),
        ("r", 4, 2, "reverted", "a=3", "a", 1),
    ]
    assert store.query("SELECT seq, seed, status, value, wall_s, first_step, error FROM seeds ORDER BY seq").rows == [
        (1, 0, "ok", 1.0, 2.5, 4.0, None),
        (4, 7, "crashed", 1.0, 2.5, 4.0, "oom"),
    ]
    events = store.query("SELECT seq, kind, what, time_ms FROM events ORDER BY seq").rows
    assert [e[:2] for e in events] == [(1, "measure"), (3, "pause"), (5, "unreadable")]
    assert events[1][2:] == (str({"why": "it's"}), 1772488800000)
    assert store.query("SELECT run_id, trials, lines_unreadable FROM runs").rows == [("r", 2, 1)]


@pytest.mark.parametrize("sql", [
    "INSERT INTO pair VALUES (0, 9, 'x', 'x')",
    "WITH x AS (INSERT INTO pair VALUES (0, 9, 'x', 'x') RETURNING *) SELECT * FROM x",
    "EXPLAIN ANALYZE INSERT INTO pair VALUES (0, 9, 'x', 'x')",
    "EXPLAIN ANALYZE DELETE FROM pair",
    "DELETE FROM pair", "UPDATE pair SET label = ''", "DROP VIEW trials", "CREATE TABLE x (a INTEGER)",
    "CREATE MACRO f(a) AS a", "TRUNCATE pair", "ALTER TABLE pair RENAME TO p", "COPY pair TO 'out.csv'",
    "COPY pair FROM '/etc/passwd'", "EXPORT DATABASE 'out'", "ATTACH 'x.db'", "DETACH memory", "USE memory",
    "PRAGMA database_list", "PRAGMA version", "SET threads = 1", "RESET threads", "SET VARIABLE a = 1",
    "CALL pragma_version()", "INSTALL httpfs", "LOAD httpfs", "CHECKPOINT", "BEGIN", "COMMIT", "ROLLBACK",
    "PREPARE p AS SELECT 1", "SELECT 1; SELECT 2", "SELECT 1; DROP TABLE pair", "", ";", "-- nothing",
    "VACUUM", "ANALYZE",
])  # fmt: skip
def test_whatever_writes_or_sets_is_refused(
    store: Store, sql: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    store.flush()
    before = store.con.execute("SELECT * FROM pair").fetchall()
    with pytest.raises(QueryError, match="have: runs, trials, seeds, events"):
        store.query(sql)
    assert store.con.execute("SELECT * FROM pair").fetchall() == before
    assert list(tmp_path.iterdir()) == []
    assert store.query("SELECT count(*) FROM trials").rows == [(2,)], "a refused question leaves the store in order"


@pytest.mark.parametrize("sql", [
    "FROM '{file}'", "SELECT * FROM read_csv('{file}')", "SELECT * FROM read_csv('/etc/passwd')",
    "SELECT * FROM read_csv_auto('{file}')", "SELECT * FROM read_parquet('{file}')",
    "SELECT * FROM read_json('{file}')",
    "SELECT * FROM read_text('/etc/passwd')", "SELECT * FROM read_blob('{file}')", "SELECT * FROM glob('/*')",
    "SELECT * FROM sniff_csv('{file}')", "SELECT * FROM parquet_metadata('{file}')", "SELECT getenv('HOME')",
    "FROM 'https://example.org/a.parquet'", "SELECT * FROM read_csv('s3://a/b.csv')",
    "SELECT * FROM query('FROM ''{file}''')", "SELECT * FROM query_table('{file}')",
    "EXPLAIN ANALYZE COPY pair TO '{file}.out'", "SELECT * FROM pl", "SELECT * FROM secret",
])  # fmt: skip
def test_nothing_reaches_the_file_system_or_the_program(store: Store, sql: str, tmp_path: Path) -> None:
    secret = pl.DataFrame({"a": [1]})  # DuckDB would find it by its name in the caller's frame
    file = tmp_path / "x.csv"
    file.write_text("a,b\n1,2\n")
    with pytest.raises(QueryError):
        store.query(sql.format(file=file))
    assert [p.name for p in tmp_path.iterdir()] == ["x.csv"]
    assert secret.height == 1


def test_the_lock_cannot_be_opened_again(store: Store) -> None:
    store.lock()
    store.lock()
    with pytest.raises(Exception, match="locked"):
        store.con.execute("SET enable_external_access = true")


def test_rows_can_be_handed_over_after_the_lock() -> None:
    store, feed = fed(trial(1, "a", 2))
    store.lock()
    feed.feed(linked([HEAD, trial(2, "a", 3)]).split(b"\n")[1] + b"\n")
    assert store.query("SELECT count(*) FROM trials").rows == [(2,)], "asked at once, without a flush"
    store.tell([analyzed(feed.runs[0])])
    assert store.query("SELECT trials FROM runs").rows == [(2,)]


def test_an_answer_that_is_cut_says_so(store: Store) -> None:
    assert not store.query("SELECT * FROM range(5)", most=5).cut
    found = store.query("SELECT * FROM range(6)", most=5)
    assert (len(found.rows), found.cut) == (5, True)
    assert store.query("SELECT * FROM range(100_000_000_000)", most=1).cut, "endless answers are not waited for"


def test_a_question_that_takes_too_long_is_interrupted_and_the_next_is_answered(store: Store) -> None:
    with pytest.raises(QueryError, match=r"took over 0\.5 s"):
        store.query("SELECT count(*) FROM range(100_000_000) a, range(1_000_000) b", seconds=0.5)
    assert store.query("SELECT 1").rows == [(1,)]


@pytest.mark.parametrize(
    "sql", ["SELECT", "SELEC 1", "SELECT * FROM nowhere", "SELECT nothing FROM trials", "SELECT 1/'a'"]
)
def test_a_wrong_question_is_answered_in_one_line(store: Store, sql: str) -> None:
    with pytest.raises(QueryError) as e:
        store.query(sql)
    assert "\n" not in str(e.value)


@pytest.mark.parametrize("sql", [
    "WITH x AS (SELECT 1) SELECT * FROM x", "SHOW TABLES", "DESCRIBE trials", "FROM trials", "SUMMARIZE trials",
    "EXPLAIN SELECT 1", "VALUES (1)", "(SELECT 1)", "SELECT 1;",
])  # fmt: skip
def test_whatever_only_reads_may_be_asked(store: Store, sql: str) -> None:
    assert store.query(sql).rows


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_texts_stay_data(text: str) -> None:
    store, feed = fed(trial(1, f"k{text}", text), {"type": "event", "kind": text, "data": {text: text}})
    store.tell([{**analyzed(feed.runs[0]), "campaign": text, "run_id": text}])
    pair = feed.runs[0].ground.pairs[0].pair
    assert store.query("SELECT pair, knob, run_id FROM trials").rows == [(pair.label, pair.knob, text)]
    assert store.query("SELECT campaign FROM runs").rows == [(text,)]
    assert store.query("SELECT kind FROM events").rows == [(text,)]
    assert store.query("SELECT count(*) FROM trials").rows == [(1,)]


def test_what_is_unknown_in_every_run_is_null_with_a_type(store: Store) -> None:
    found = store.query("SELECT noise_sd, noise_sd < 1, campaign, campaign = 'x' FROM runs")
    assert found.rows == [(None, None, None, None)]
    kinds = dict(row[:2] for row in store.query("DESCRIBE runs").rows)
    assert (kinds["noise_sd"], kinds["campaign"], kinds["trials"]) == ("DOUBLE", "VARCHAR", "BIGINT")


def test_numbers_beyond_64_bits_are_told_as_floats() -> None:
    store, feed = fed(trial(1, "a", 2))
    doc = {**analyzed(feed.runs[0]), "trials": 2**70}
    store.tell([doc])
    assert store.query("SELECT trials FROM runs").rows == [(float(2**70),)]


def test_each_run_is_asked_for_its_own_rows() -> None:
    store, feeds = Store(), []
    for name, count in (("one", 2), ("two", 3)):
        feed = Feed(Source(name), Native, METRICS, store.sink)
        feed.feed(linked([{**HEAD, "run_id": name}, *(trial(i, "a", i % 2 + 2) for i in range(1, count + 1))]))
        feeds.append(feed)
    for feed, n in zip(feeds, (2, 3), strict=True):
        assert store.states(METRICS, feed.runs[0]) == feed.runs[0].states
        assert store.states(METRICS, feed.runs[0])["trials"] == n
    store.tell([analyzed(f.runs[0]) for f in feeds])
    assert store.query("SELECT run_id, count(*) FROM trials GROUP BY 1 ORDER BY 1").rows == [("one", 2), ("two", 3)]


def test_rows_may_come_between_two_questions() -> None:
    store, feed = fed(trial(1, "a", 2))
    for i in (2, 3):
        assert store.states(METRICS, feed.runs[0])["trials"] == i - 1
        feed.feed(linked([HEAD, trial(i, "a", 3)]).split(b"\n")[1] + b"\n")
        assert store.query("SELECT * FROM trials", most=1).cut
    assert store.states(METRICS, feed.runs[0])["trials"] == 3


def test_a_frame_of_our_own_is_polars(store: Store) -> None:
    frame = store.frame("SELECT seq, value FROM trials ORDER BY seq")
    assert frame["seq"].to_list() == [2, 4]


def test_a_batch_is_handed_over_when_it_is_full(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("trajscope.store.BATCH", 2)
    store, feed = fed(*(trial(i, "a", 2) for i in range(1, 6)))
    assert store.con.execute('SELECT count(*) FROM "row"').fetchall() == [(4,)]
    assert store.states(METRICS, feed.runs[0])["trials"] == 5
