"""What other people's programs call: read a file, analyse it, ask it in SQL. The command line does nothing else."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trajscope import analysis, maps, menu, pipeline
from trajscope.errors import RecordError
from trajscope.menu import Menu
from trajscope.readers import Source
from trajscope.trial import Goal, Item

if TYPE_CHECKING:
    import polars as pl

    from trajscope.corpus import Built, Gate, Kernel
    from trajscope.live import Live
    from trajscope.report import Report
    from trajscope.store import Store
    from trajscope.verdict import Verdict
    from trajscope.writer import RunWriter


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


def gate(
    *paths: str | Path,
    policy: str | Path = "default",
    split: str = "auto",
    embargo: int | None = None,
    sft: str | Path | None = None,
    kernel: Kernel | None = None,
    reader: str | None = None,
    metric: str | None = None,
    goal: Goal | None = None,
    menu: Menu | None = None,
    history: int | None = None,
) -> Gate:
    """Whether runs may be distilled: `passed`, and behind it every check with value, bound, n and reason.

    `kernel(a, b)` says how alike two proposals are, from 0 to 1, by `a.changes` with their `knob` and `value`: kept
    ones are then counted as so many effective modes. Without it the policy's own is taken.
    """
    from trajscope import corpus

    sources = [(_source(path, metric, goal, menu, history), reader) for path in paths]
    return corpus.gate(sources, policy=policy, split=split, embargo=embargo, sft=sft, kernel=kernel)


def build_corpus(
    *paths: str | Path,
    out: str | Path,
    policy: str | Path = "default",
    split: str = "auto",
    embargo: int | None = None,
    accept: str | None = None,
    balance: float = 0.5,
    reader: str | None = None,
    metric: str | None = None,
    goal: Goal | None = None,
    menu: Menu | None = None,
    history: int | None = None,
) -> Built:
    """A corpus of runs in the new folder `out`, whole or not at all: `rows`, `sha256` and `manifest` say what it holds.

    Raises where the gate does not let it pass, with the gate's answer as `gate`; `accept` is a reason to build it all
    the same, and goes on record.
    """
    from trajscope import corpus

    sources = [(_source(path, metric, goal, menu, history), reader) for path in paths]
    return corpus.build(sources, out, policy=policy, split=split, embargo=embargo, accept=accept, balance=balance)


def verify_corpus(folder: str | Path, *inputs: str | Path, sha: str | None = None) -> list[Verdict]:
    """Whether a corpus is still what its manifest says, and these inputs are those that it was made of."""
    from trajscope import corpus

    return corpus.verify(folder, inputs, sha)


def follow(path: str | Path) -> Live:
    """A run file as it grows: `step()` takes in what is new, `said()` is what is known now, `failing` what alarms."""
    from trajscope.live import Live

    return Live(_source(path, None, None, None, None))


def sql(query: str, *paths: str | Path) -> pl.DataFrame:
    """The answer of runs, trials, seeds and events to one SELECT."""
    from trajscope.store import Store

    store = Store()
    documents = [doc for path in paths for doc in analysis.into_store(store, _source(path, None, None, None, None))]
    store.tell(documents)
    store.lock()
    return _answer(store, query)


def _answer(store: Store, query: str) -> pl.DataFrame:
    import polars as pl

    answer = store.query(query, most=1_000_000)
    return pl.DataFrame(answer.rows, schema=answer.columns, orient="row", infer_schema_length=None)


class RunFile:
    """A trajectory file with everything that is known of its runs: numbers, frames, and its report."""

    def __init__(self, source: Source, reader: str | None = None) -> None:
        self._source, self._reader = source, reader
        self._store: Store | None = None
        self._documents: list[dict[str, Any]] = []

    def __repr__(self) -> str:
        """Its name. What it holds is not read for that."""
        return f"trajscope.load({str(self._source.path)!r})"

    @property
    def documents(self) -> list[dict[str, Any]]:
        """The document of every run, as `trajscope analyze --json` prints it."""
        self._opened()
        return self._documents

    def trials(self) -> pl.DataFrame:
        """Every trial in columns, those that look back included."""
        return self.sql("SELECT * FROM trials ORDER BY run, seq")

    def sql(self, query: str) -> pl.DataFrame:
        """The answer of runs, trials, seeds and events to one SELECT."""
        return _answer(self._opened(), query)

    def report(self, policy: str | None = "default") -> Report:
        """The offline page about it: `.write(path)`, `.markdown()`, or itself in a notebook.

        The gate is asked by this policy whether it may be learned from; by none it is not asked.
        """
        from trajscope import report

        return report.build([(self._source, self._reader)], policy=policy)

    def _opened(self) -> Store:
        from trajscope.store import Store

        if self._store is None:
            store = Store()
            self._documents = analysis.into_store(store, self._source, self._reader)
            store.tell(self._documents)
            store.lock()
            self._store = store
        return self._store

    def _repr_html_(self) -> str:
        """The brief of every run, for a notebook."""
        from trajscope.report.notebook import brief

        return brief(self._source, self._reader)


def load(
    path: str | Path,
    *,
    reader: str | None = None,
    metric: str | None = None,
    goal: Goal | None = None,
    menu: Menu | None = None,
    history: int | None = None,
) -> RunFile:
    """A trajectory file, to be asked: `.documents`, `.trials()`, `.sql(query)`, `.report()`."""
    return RunFile(_source(path, metric, goal, menu, history), reader)


def open_run(path: str | os.PathLike[str], *, sidecar: bool = True, **run: Any) -> RunWriter:
    """Start a run file, or go on with one (`resume=True`). Keyword arguments are those of `trajscope.writer.open_run`.

    Beside it, unless `sidecar` is false, `<run>.coverage.json` says what is known of the run now.
    """
    from trajscope import writer

    if not sidecar:
        return writer.open_run(path, **run)
    from trajscope.sidecar import Sidecar, follow

    side = Sidecar(Path(path))
    if side.fault:  # looked at before anything is written to the file
        raise RecordError(f"{side.fault}; nothing was written")
    opened = writer.open_run(path, **run)
    opened.followers.append(follow(opened.path, side))
    return opened


def _source(path: str | Path, metric: str | None, goal: Goal | None, known: Menu | None, history: int | None) -> Source:
    beside = pipeline.menu_beside(path) if known is None else None
    mapped = pipeline.map_beside(path)
    layout = maps.load(mapped) if mapped else None
    return Source(str(path), metric, goal, menu.load(beside) if beside else known, history, layout=layout)
