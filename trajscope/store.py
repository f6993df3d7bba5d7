"""Store: rows in DuckDB, in memory, with the views `runs`, `trials`, `seeds` and `events`.

Receives typed columns, never text: what a number is was decided once, by a reader. Answers SQL of people and agents
with no way to the file system, a row cap and a time limit.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from operator import itemgetter
from threading import Timer
from typing import TYPE_CHECKING, Any, NamedTuple, get_args, get_type_hints

from trajscope import shape
from trajscope.columns import SQL_TYPES, Row
from trajscope.errors import QueryError
from trajscope.fold import Metric, states_from
from trajscope.run import Run
from trajscope.trial import STATUSES, Event, Header, Item, Measure, Seed, Trial, Unreadable

if TYPE_CHECKING:
    from pathlib import Path

    import duckdb
    import polars as pl

BATCH = 1 << 13  # rows that are handed over at once; more of them leave the processor's cache
GROUP = 1 << 15  # rows that came as columns are handed over at once; four times as many take 100 MB and no less time
MOST_ROWS = 10_000  # rows that an answer may have
MOST_SECONDS = 30.0  # time that a question may take
READS = frozenset(("SELECT", "EXPLAIN"))  # kinds of statement that may be asked; SHOW, DESCRIBE and WITH are SELECT
_POLARS = {
    "BIGINT": "Int64",
    "INTEGER": "Int32",
    "SMALLINT": "Int16",
    "TINYINT": "Int8",
    "BOOLEAN": "Boolean",
    "DOUBLE": "Float64",
    "VARCHAR": "String",
}
# No comment is taken here: what stands before the statement proper must be plain, or it is not explained.
_EXPLAIN = re.compile(r"\s*EXPLAIN(?:\s+ANALYZE\b|\s*\([\w\s,]*\))?", re.IGNORECASE)
_TEXTS = ("campaign", "name", "goal", "source", "rule", "pair", "method", "status")  # endings of columns of words
TOLD = {
    "at": "The byte at which its line begins.",
    "evaluated": "It was scored, whatever came out.",
    "counted": "Evaluated, and no declared replicate.",
    "e": "Trials evaluated up to here.",
    "c": "Trials counted up to here.",
    "k": "The how-manieth time of its pair; 0 when not counted.",
    "gap": "Counted trials since the pair was last counted.",
    "kept_k": "The same among keeps; 0 when not kept.",
    "knob_k": "The how-manieth time of its knob; 0 when not counted.",
    "context_k": "The how-manieth time of the whole configuration; 0 when unknown or not counted.",
    "new_knobs": "Knobs of the menu that no evaluated trial before it had touched.",
    "new_cells": "The same of cells.",
    "near": "Its pair lies within 2% of an earlier one on the same base.",
    "eligible": "It may be the best, and has a value.",
    "best": "Best eligible value so far, the baseline included.",
    "new_best": "It is strictly better than all before.",
    "since_best": "Evaluated trials since the last best.",
    "drifted": "It or one before it ran otherwise than proposed.",
}
TABLES: dict[str, dict[str, str]] = {
    "row": {"run": "INTEGER", **SQL_TYPES},
    "pair": {"run": "INTEGER", "pair": "INTEGER", "label": "VARCHAR", "knob": "VARCHAR"},
    "seed": {
        "run": "INTEGER",
        "seq": "BIGINT",
        "seed": "BIGINT",
        "status": "VARCHAR",
        "value": "DOUBLE",
        "wall_s": "DOUBLE",
        "first_step": "DOUBLE",
        "error": "VARCHAR",
    },
    "event": {"run": "INTEGER", "seq": "BIGINT", "kind": "VARCHAR", "what": "VARCHAR", "time_ms": "BIGINT"},
}


def schema(number: int) -> dict[str, Any]:
    """The JSON Schema of a row of `trials`, as `trajscope trials --json` prints it."""
    kinds = {int: shape.WHOLE, bool: shape.TRUTH, float: shape.NUMBER}
    columns: dict[str, Any] = {}
    for name, kind in get_type_hints(Row).items():
        plain, *rest = get_args(kind) or (kind,)
        columns[name] = shape.null_or(kinds[plain]) if rest else kinds[plain]
    told = {name: shape.told(columns[name], text) for name, text in TOLD.items()}
    named = {
        "run_id": shape.null_or(shape.TEXT),
        "status": shape.one_of(STATUSES),
        "pair": shape.null_or(shape.TEXT),
        "knob": shape.null_or(shape.TEXT),
        "run": shape.told(shape.COUNT, "The place of its run in the file."),
    }
    about = "Columns that look back speak of the trials up to this one, and of none after it."
    return shape.document(
        "One trial, as `trajscope trials --json` prints it", {**columns, **told, **named}, about, number=number
    )


class Answer(NamedTuple):
    """What a query found."""

    columns: list[str]
    rows: list[tuple[Any, ...]]
    cut: bool  # there were more rows than were asked for


class Stream:
    """Columns on their way between polars and DuckDB, which meet without pyarrow through this one method."""

    def __init__(self, source: Any) -> None:
        self._source = source

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        """The Arrow stream of the source."""
        return self._source.__arrow_c_stream__(requested_schema)


class Store:
    """Runs in DuckDB. Its `sink` takes what a pipeline yields; nothing is asked before `flush`."""

    def __init__(self) -> None:
        self.con = connect()
        self.runs: list[Run] = []
        self._numbers: dict[int, int] = {}  # id of a Run -> its number here
        self._rows: list[list[Row]] = []  # of each run
        self._buffers: dict[str, list[tuple[Any, ...]]] = {name: [] for name in TABLES if name != "row"}
        self._frames: list[pl.DataFrame] = []  # of rows that came as columns
        self._pairs_told: list[int] = []
        self._locked = False
        self._files: list[str] = []  # rows that are not taken in, but read where they lie whenever something is asked
        for name, columns in TABLES.items():
            body = ", ".join(f'"{c}" {kind}' for c, kind in columns.items())
            self.con.execute(f'CREATE TABLE "{name}" ({body})')
            self.con.execute(f'CREATE VIEW "all_{name}" AS SELECT * FROM "{name}"')
        names = ", ".join(f"'{s}'" for s in STATUSES)
        self.con.execute("CREATE TABLE told (run INTEGER, run_id VARCHAR)")
        self.con.execute(
            f"""CREATE VIEW trials AS SELECT told.run_id, r.seq, r.iter, [{names}][r.status + 1] AS status,
            p.label AS pair, p.knob, r.* EXCLUDE (run, seq, iter, status, pair, "at"), r."at", r.run
            FROM all_row r LEFT JOIN pair p ON p.run = r.run AND p.pair = r.pair LEFT JOIN told ON told.run = r.run"""
        )
        self.con.execute("CREATE VIEW seeds AS SELECT told.run_id, s.* FROM all_seed s LEFT JOIN told USING (run)")
        self.con.execute("CREATE VIEW events AS SELECT told.run_id, e.* FROM all_event e LEFT JOIN told USING (run)")

    def sink(self, run: Run, item: Item, row: Row | None) -> None:
        """One item that a run has taken, with its row where it was a trial."""
        if type(item) is Header:
            self._numbers[id(run)] = len(self.runs)
            self.runs.append(run)
            self._pairs_told.append(0)
            self._rows.append([])
            return
        no = self._numbers[id(run)]
        if row is not None:
            rows = self._rows[no]
            rows.append(row)
            if isinstance(item, Trial) and item.seeds:
                self._seeds(no, item.seq, item.seeds)
            if len(rows) >= BATCH:
                self.flush()
        elif isinstance(item, Measure):
            self._buffers["event"].append((no, item.seq, "measure", item.what, None))
            self._seeds(no, item.seq, item.seeds)
        elif isinstance(item, Event):
            self._buffers["event"].append((no, item.seq, item.kind, str(dict(item.data))[:2000], item.time_ms))
        elif isinstance(item, Unreadable):
            self._buffers["event"].append((no, item.seq, "unreadable", item.why, None))

    def take_columns(self, run: Run, columns: Mapping[str, Any]) -> None:
        """Rows that come as columns, in the order of `Row`; NaN stands for null, and so does a gap of 0."""
        import polars as pl

        series = []
        for name, kind in SQL_TYPES.items():
            data, dtype = columns[name], getattr(pl, _POLARS[kind])
            if isinstance(data, list):
                series.append(pl.Series(name, data, dtype=dtype, strict=False))
            else:
                series.append(pl.Series(name, data, nan_to_null=True).cast(dtype))
        frame = pl.DataFrame(series).with_columns(pl.when(pl.col("gap") > 0).then("gap"))
        frame.insert_column(0, pl.lit(self._numbers[id(run)], pl.Int32).alias("run"))
        self._frames.append(frame)
        no = self._numbers[id(run)]
        self._buffers["seed"] += [(no, *seed) for seed in columns.get("seeds", ())]
        if sum(map(len, self._frames)) >= GROUP:
            self.flush()

    def take_rows(self, run: Run, table: str, frame: pl.DataFrame) -> None:
        """Rows of one of the tables, as `rows` gave them."""
        import polars as pl

        columns = [c for c in TABLES[table] if c != "run"]
        frame = frame.select(pl.lit(self._numbers[id(run)], pl.Int32).alias("run"), *columns)
        self._copy(table, frame, f'INSERT INTO "{table}" SELECT * FROM')

    def lay_under(self, run: Run, files: Mapping[str, Sequence[Path]]) -> None:
        """Files with rows of a run by their table: they come first in every answer. Only before the first question."""
        assert not self._locked
        for table, paths in files.items():
            found = [str(p).replace("'", "''") for p in paths]
            self._files += found
            kinds = ", ".join(f'"{c}"' for c in TABLES[table] if c != "run")
            below = f"SELECT {self._numbers[id(run)]}::INTEGER AS run, {kinds} FROM read_parquet({_texts(found)})"
            body = f'{below} UNION ALL SELECT * FROM "{table}"'  # names and numbers of our own
            self.con.execute(f'CREATE OR REPLACE VIEW "all_{table}" AS {body}')

    def rows(self, run: Run, table: str, first: int, after: int) -> pl.DataFrame:
        """The rows of one of the tables that were taken in, without the number that the run has here."""
        where = f"run = {self._numbers[id(run)]} AND seq >= {first} AND seq < {after}"
        return self.frame(f'SELECT * EXCLUDE (run) FROM "{table}" WHERE {where} ORDER BY seq')  # numbers

    def flush(self) -> None:
        """Hand over what was taken since the last time."""
        for no, run in enumerate(self.runs):
            new = run.ground.pairs[self._pairs_told[no] :]
            self._buffers["pair"] += [(no, p.id, p.pair.label, p.pair.knob) for p in new]
            self._pairs_told[no] += len(new)
        if self._frames:
            import polars as pl

            self._copy("row", pl.concat(self._frames, rechunk=False), 'INSERT INTO "row" SELECT * FROM')
            self._frames = []
        for no, trials in enumerate(self._rows):
            if trials:
                self._insert("row", SQL_TYPES, trials, run=no)
                self._rows[no] = []
        for name, rows in self._buffers.items():
            if rows:
                self._insert(name, TABLES[name], rows)
                self._buffers[name] = []

    def states(self, metrics: Sequence[Metric], run: Run) -> dict[str, Any]:
        """The states of metrics over one run, as the run would have stepped them itself."""
        self.flush()
        return states(self.con, metrics, "all_row", f"run = {self._numbers[id(run)]}")

    def tell(self, documents: Iterable[Mapping[str, Any]]) -> None:
        """Put the analysis of each run, in order, behind the view `runs`: one column for every plain value."""
        import polars as pl

        flat = [{"run": no, **_flat(doc)} for no, doc in enumerate(documents)]
        columns: dict[str, list[Any]] = {name: [doc.get(name) for doc in flat] for doc in flat for name in doc}
        frame = pl.DataFrame(
            [pl.Series(c, x, dtype=getattr(pl, _POLARS[_kind(c, x)]), strict=False) for c, x in columns.items()]
        )
        self.con.execute("DROP VIEW IF EXISTS runs")
        self.con.execute("DROP TABLE told")
        self._copy("told", frame, "CREATE TABLE told AS SELECT * FROM")
        self.con.execute("CREATE VIEW runs AS SELECT * EXCLUDE (run), run FROM told")

    def lock(self) -> None:
        """From here on nothing reaches the file system or the settings; rows can still be handed over."""
        self.flush()
        if self._locked:
            return
        self._locked = True
        if self._files:
            self.con.execute(f"SET allowed_paths = {_texts(self._files)}")
        self.con.execute("SET enable_external_access = false")
        self.con.execute("SET lock_configuration = true")

    def query(self, sql: str, most: int = MOST_ROWS, seconds: float = MOST_SECONDS) -> Answer:
        """The answer to one reading statement, `most` rows of it; the store is locked from here on."""
        self.lock()
        try:
            statements = self.con.extract_statements(sql)
        except Exception as e:  # noqa: BLE001  # duckdb's parser errors share no base class with a name
            raise QueryError(f"the query cannot be understood: {_first_line(e)}") from None
        if len(statements) != 1 or statements[0].type.name not in READS:
            kinds = ", ".join(s.type.name for s in statements) or "nothing"
            raise QueryError(f"only one SELECT may be asked, this is {kinds}; have: runs, trials, seeds, events")
        if statements[0].type.name == "EXPLAIN" and self._files:
            self._only_reads(sql)
        # EXPLAIN ANALYZE runs what it explains and a WITH may insert: what a statement is called proves nothing.
        self.con.execute("BEGIN TRANSACTION READ ONLY")
        timer = Timer(seconds, self.con.interrupt)
        timer.start()
        try:
            cursor = self.con.execute(statements[0])
            rows = cursor.fetchmany(most + 1)
            return Answer([d[0] for d in cursor.description or []], rows[:most], len(rows) > most)
        except Exception as e:  # noqa: BLE001  # any error of a stranger's query is that query's error
            why = f"took over {seconds:g} s" if "INTERRUPT" in str(e).upper() else _first_line(e)
            raise QueryError(f"the query does not run: {why}; have: runs, trials, seeds, events") from None
        finally:
            timer.cancel()
            self.con.execute("ROLLBACK")

    def _only_reads(self, sql: str) -> None:
        """Refuse to explain what is no SELECT: EXPLAIN ANALYZE COPY would write over the files that may be read."""
        told = _EXPLAIN.match(sql)
        try:
            kinds = [s.type.name for s in self.con.extract_statements(sql[told.end() :])] if told else []
        except Exception:  # noqa: BLE001  # as in `query`
            kinds = []
        if kinds != ["SELECT"]:
            raise QueryError("only a SELECT may be explained; have: runs, trials, seeds, events")

    def frame(self, sql: str) -> pl.DataFrame:
        """A query of our own as a polars frame."""
        import polars as pl

        self.flush()
        return pl.DataFrame(Stream(self.con.sql(sql)))

    def _seeds(self, no: int, seq: int, seeds: Iterable[Seed]) -> None:
        self._buffers["seed"] += [(no, seq, s.seed, s.status, s.value, s.wall_s, s.first_step, s.error) for s in seeds]

    def _insert(
        self, name: str, columns: Mapping[str, str], rows: Sequence[tuple[Any, ...]], run: int | None = None
    ) -> None:
        import polars as pl

        # Column by column: `zip(*rows)` walks all rows at once, and takes three times as long.
        data = [
            pl.Series(c, list(map(itemgetter(i), rows)), dtype=getattr(pl, _POLARS[kind]), strict=False)
            for i, (c, kind) in enumerate(columns.items())
        ]
        frame = pl.DataFrame(data)
        if run is not None:
            frame.insert_column(0, pl.lit(run, pl.Int32).alias("run"))
        self._copy(name, frame, f'INSERT INTO "{name}" SELECT * FROM')

    def _copy(self, name: str, frame: pl.DataFrame, into: str) -> None:
        self.con.register(f"incoming_{name}", Stream(frame))
        self.con.execute(f"{into} incoming_{name}")
        self.con.unregister(f"incoming_{name}")


def connect(threads: int = 1) -> duckdb.DuckDBPyConnection:
    """A DuckDB of our own, in memory, that fetches no extensions.

    One thread: several add floats up in any order, and the same file must give the same digits.
    """
    import duckdb

    off = ("autoinstall_known_extensions", "autoload_known_extensions")
    return duckdb.connect(":memory:", config={**dict.fromkeys(off, "false"), "threads": str(threads)})


def states(
    con: duckdb.DuckDBPyConnection, metrics: Sequence[Metric], table: str, where: str = "true"
) -> dict[str, Any]:
    """The states of metrics from their SQL over a table of rows."""
    parts = ", ".join(part for m in metrics for part in m.sql)
    # Fetched to its end: an answer that is still open keeps the next rows out.
    (found,) = con.execute(f"SELECT {parts} FROM {table} WHERE {where}").fetchall()
    return states_from(metrics, found)


def _texts(texts: Sequence[str]) -> str:
    """Texts whose quotes were doubled, as a list in SQL."""
    return "[" + ", ".join(f"'{x}'" for x in texts) + "]"


def _flat(doc: Mapping[str, Any], under: str = "") -> dict[str, Any]:
    """The plain values of a document, with their path as one word."""
    out: dict[str, Any] = {}
    for key, value in doc.items():
        if isinstance(value, Mapping):
            if key not in ("unknown", "by_knob", "by_family", "by_rule", "provenance", "by_provenance", "sources"):
                out.update(_flat(value, f"{under}{key}_"))
        elif not isinstance(value, list):
            out[f"{under}{key}"] = value
    return out


def _kind(column: str, values: Sequence[Any]) -> str:
    """The SQL type of a column of documents. Where all is unknown its name tells: DuckDB takes no bare nulls."""
    kinds = {type(x) for x in values if x is not None}
    if not kinds:
        return "VARCHAR" if column.endswith(_TEXTS) else "DOUBLE"
    if kinds == {bool}:
        return "BOOLEAN"
    if kinds == {int} and all(x is None or -(2**63) <= x < 2**63 for x in values):
        return "BIGINT"
    return "DOUBLE" if kinds <= {int, float} else "VARCHAR"


def _first_line(e: Exception) -> str:
    return str(e).strip().splitlines()[0][:300] if str(e).strip() else type(e).__name__
