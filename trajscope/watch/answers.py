"""A run that goes on, in DuckDB: questions in SQL are answered from the rows that the screen shows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from trajscope import analysis, past
from trajscope.columns import Row
from trajscope.errors import QueryError
from trajscope.live import Live
from trajscope.metrics import METRICS
from trajscope.past import Past
from trajscope.run import Run
from trajscope.trial import Header, Item

if TYPE_CHECKING:
    from pathlib import Path

    import polars as pl

    from trajscope.store import Answer, Store

WAITING = 4096  # items that are held before DuckDB is started; most runs are shorter and never asked
MOST_ROWS = 500  # rows of an answer on a screen
MOST_SECONDS = 10.0


class Answers:
    """The rows of the runs that stand in a file now. `take` is a sink."""

    def __init__(self) -> None:
        self._store: Store | None = None
        self._waiting: list[tuple[Run, Item, Row | None]] = []
        self._past = 0
        self._found: tuple[Run, Past, bool] | None = None  # what was written down, and is not in the store yet
        self._files: tuple[Path, ...] = ()  # in which its rows lie whenever something is asked

    def take(self, run: Run, item: Item, row: Row | None, lost: int) -> None:
        """One item; `lost` is how many runs the file has lost, after which what was read of them is forgotten."""
        if lost != self._past and isinstance(item, Header):
            self._past, self._store, self._waiting, self._found, self._files = lost, None, [], None, ()
        if self._store is not None:
            self._store.sink(run, item, row)
            return
        self._waiting.append((run, item, row))
        if len(self._waiting) > WAITING:
            self._hand_over()

    def take_columns(self, run: Run, columns: Mapping[str, Any]) -> None:
        """Many trials at once."""
        self._hand_over().take_columns(run, columns)

    def stand_on(self, run: Run, found: Past, *, load: bool) -> None:
        """The rows of this run begin with those that were written down; `load` takes them in, to be counted again."""
        self._found = run, found, load

    def states(self, run: Run) -> Mapping[str, Any]:
        """What the metrics of a run come to in its rows."""
        return self._hand_over().states(METRICS, run)

    def rows(self, run: Run, table: str, first: int, after: int) -> pl.DataFrame:
        """Rows of a run, to be written down."""
        return self._hand_over().rows(run, table, first, after)

    def ask(self, live: Live, sql: str, most: int = MOST_ROWS) -> Answer:
        """The answer to one SELECT over runs, trials, seeds and events; raises QueryError."""
        store = self._hand_over()
        docs = [
            analysis.document(run, analysis.values(run, quick=True), file=live.source.path, format=live.format or "")
            for run in store.runs
        ]
        if docs:
            store.tell(docs)
        if gone := next((x for x in self._files if not x.exists()), None):
            raise _gone(f"{gone} is not there")
        return store.query(sql, most, MOST_SECONDS)

    def _hand_over(self) -> Store:
        from trajscope.store import Store

        if self._store is None:
            self._store = Store()
        waiting, self._waiting = self._waiting, []
        for one in waiting:
            self._store.sink(*one)
        if self._found is not None:
            found, self._found = self._found, None
            self._read(*found, self._store)
        return self._store

    def _read(self, run: Run, found: Past, load: bool, store: Store) -> None:
        import duckdb
        import polars as pl

        try:
            for table in past.TABLES:
                for frame in past.rows(found, table, whole=load):
                    store.take_rows(run, table, frame)
            if not load:
                files = past.files(found)
                store.lay_under(run, files)
                self._files = tuple(x for found in files.values() for x in found)
        except (OSError, pl.exceptions.PolarsError, duckdb.Error) as e:
            self._store, self._found = None, (run, found, load)
            raise _gone(str(e)) from None


def _gone(why: str) -> QueryError:
    return QueryError(f"the rows of the past are gone from the cache ({why}); open the run again")
