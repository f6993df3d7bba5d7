"""What other people's programs call: read a file, analyse it, ask it in SQL. The command line does nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trajscope import analysis, menu, pipeline
from trajscope.menu import Menu
from trajscope.readers import Source
from trajscope.trial import Goal, Item

if TYPE_CHECKING:
    import polars as pl


def load_menu(path: str | Path) -> Menu:
    """The menu in a JSON file."""
    return menu.load(path)


def read(
    path: str | Path,
    *,
    reader: str | None = None,
    metric: str | None = None,
    goal: Goal | None = None,
    menu: Menu | None = None,
) -> Iterator[Item]:
    """Everything a trajectory file holds, in order: headers, trials, measures, events, and what could not be read."""
    items: list[Item] = []
    pipeline.read(_source(path, metric, goal, menu, None), reader, sink=lambda _run, item, _row: items.append(item))
    return iter(items)


def analyze(
    path: str | Path,
    *,
    reader: str | None = None,
    metric: str | None = None,
    goal: Goal | None = None,
    menu: Menu | None = None,
    history: int | None = None,
    quick: bool = False,
) -> list[dict[str, Any]]:
    """The document of every run in a file, as `trajscope analyze --json` prints it."""
    return analysis.of_file(_source(path, metric, goal, menu, history), reader, quick=quick)


def sql(query: str, *paths: str | Path) -> pl.DataFrame:
    """The answer of runs, trials, seeds and events to one SELECT."""
    import polars as pl

    from trajscope.store import Store

    store = Store()
    documents = [doc for path in paths for doc in analysis.into_store(store, _source(path, None, None, None, None))]
    store.tell(documents)
    store.lock()
    answer = store.query(query, most=1_000_000)
    return pl.DataFrame(answer.rows, schema=answer.columns, orient="row", infer_schema_length=None)


def _source(path: str | Path, metric: str | None, goal: Goal | None, known: Menu | None, history: int | None) -> Source:
    beside = pipeline.menu_beside(path) if known is None else None
    return Source(str(path), metric, goal, menu.load(beside) if beside else known, history)
