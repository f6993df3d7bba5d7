"""A run that goes on, in DuckDB: questions in SQL are answered from the rows that the screen shows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trajscope import analysis
from trajscope.columns import Row
from trajscope.live import Live
from trajscope.run import Run
from trajscope.trial import Header, Item

if TYPE_CHECKING:
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

    def take(self, run: Run, item: Item, row: Row | None, past: int) -> None:
        """One item; `past` is how many runs the file has lost, after which what was read of them is forgotten."""
        if past != self._past and isinstance(item, Header):
            self._past, self._store, self._waiting = past, None, []
        if self._store is not None:
            self._store.sink(run, item, row)
            return
        self._waiting.append((run, item, row))
        if len(self._waiting) > WAITING:
            self._hand_over()

    def ask(self, live: Live, sql: str, most: int = MOST_ROWS) -> Answer:
        """The answer to one SELECT over runs, trials, seeds and events; raises QueryError."""
        store = self._hand_over()
        docs = [
            analysis.document(run, analysis.values(run, quick=True), file=live.source.path, format=live.format or "")
            for run in store.runs
        ]
        if docs:
            store.tell(docs)
        return store.query(sql, most, MOST_SECONDS)

    def _hand_over(self) -> Store:
        from trajscope.store import Store

        if self._store is None:
            self._store = Store()
        waiting, self._waiting = self._waiting, []
        for one in waiting:
            self._store.sink(*one)
        return self._store
