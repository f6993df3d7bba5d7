"""Gather: one pass over a file's bytes, and all that the report says of each of its runs, as plain values.

The same pass serves the report and its verification, so that a number can only differ where somebody changed it.
Knows no HTML.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from trajscope import analysis, rules, sources
from trajscope.columns import Row
from trajscope.errors import SourceError
from trajscope.metrics import METRICS
from trajscope.pair import Pair
from trajscope.pipeline import Feed, uncollected
from trajscope.rails.backtest import Replaying
from trajscope.readers import Source, find, get
from trajscope.report import facts, tiles
from trajscope.run import Run
from trajscope.trial import Event, Header, Item, Measure, Trial
from trajscope.verdict import Level

MOST_ROWS = 200_000  # rows that go into a report; of a longer run the first and the last
LOOKS = 128  # times at least that the rules are asked on the way, of a run of so many trials
MOST_EVENTS = 500
NAMED = 8  # trials that are named behind something; the rows show all of them
MOST_VISITS = 5_000  # of trials to tiles, for whoever outlines the tiles of some trials

# Columns of a row as the report holds it.
COLUMNS = ("seq", "at", "iter", "status", "pair", "k", "first", "value", "best", "wall_s", "time_ms", "marks", "rail")
MARKS = (
    "kept",
    "new_best",
    "noop",
    "near",
    "revisit",
    "replicate",
    "drifted",
    "evaluated",
    "eligible",
)  # bits of `marks`


class Turn(NamedTuple):
    """A rule that changed its level, or the run its word (`rule` is empty then)."""

    seq: int
    after: int  # trials that had been seen
    rule: str
    level: str
    reason: str


class RunSeen:
    """What is noted of one run while its items go by."""

    def __init__(self, run: Run, source: Source) -> None:
        self.run = run
        self.columns: dict[str, list[Any]] = {name: [] for name in COLUMNS}
        self.configs: list[str | None] = []
        self.turns: list[Turn] = []
        self.grid = tiles.Grid(run.header.menu)
        self.measures: list[Measure] = []
        self.events: list[Event] = []
        self.holdouts: list[tuple[int, float, Any]] = []
        self.refused: dict[str, int] = {}
        menu = source.menu or run.header.menu
        # Without a menu, or a base, the other rails refuse whatever comes: they cannot know.
        self.missing = "menu" if menu is None or not menu.declared else "base" if run.header.base is None else None
        self.replay = Replaying(source, "repeat" if self.missing else None)
        self.rails: dict[str, int] = {}  # that would have refused something, and their numbers in the rows
        self.replay.take(run.header)
        self.reach: list[tuple[int, int, int]] = []  # counted trials, knobs and cells reached by then
        self._knobs = self._cells = 0
        self._holdout = next((m.name for m in run.header.metrics if m.role == "holdout"), None)
        self._levels: dict[str, Level] = {}
        self._word = ""
        self._every = 1

    def see(self, item: Item, row: Row | None) -> None:
        """One item, with the row that it became."""
        if type(item) is Trial and row is not None:
            self._trial(item, row)
        elif isinstance(item, Measure):
            self.measures.append(item)
        elif isinstance(item, Event) and len(self.events) < MOST_EVENTS:
            self.events.append(item)

    def _trial(self, t: Trial, row: Row) -> None:
        marks = sum(1 << i for i, name in enumerate(MARKS) if getattr(row, name))
        first = self.run.ground.pairs[row.pair].first if row.k > 1 else None
        best = row.best_kept
        refuses = self.replay.take(t)
        rail = -1 if refuses is None else self.rails.setdefault(refuses, len(self.rails))
        found = (
            t.seq, t.at, t.iter, row.status, row.pair, row.k, first, t.value, best, t.wall_s, t.time_ms, marks, rail,
        )  # fmt: skip
        for column, x in zip(self.columns.values(), found, strict=True):
            column.append(x)
        self.configs.append(t.config if row.eligible else None)
        if t.pair is not None:
            self.grid.add(t.pair, row, t.value)
        for pair in t.refused_pairs:
            self._refused(pair)
        if row.new_knobs or row.new_cells:
            self._knobs += row.new_knobs
            self._cells += row.new_cells
            self.reach.append((row.c, self._knobs, self._cells))
        if t.status == "kept":
            other = (t.metrics or {}).get(self._holdout) if self._holdout else None
            if isinstance(t.value, float | int) and (isinstance(other, float | int) or t.holdout is not None):
                self.holdouts.append((t.seq, t.value, t.holdout if other is None else other))
        n = self.run.tally.trials
        if n % self._every == 0:
            self._look(t.seq)
            if n // self._every >= 2 * LOOKS:
                self._every *= 2

    def _refused(self, pair: Pair) -> None:
        if len(self.refused) < MOST_EVENTS or pair.label in self.refused:
            self.refused[pair.label] = self.refused.get(pair.label, 0) + 1

    def _look(self, seq: int) -> None:
        """What the rules say now, where it is something else than before."""
        run = self.run
        v = analysis.glance(run)
        verdicts = rules.judge(run, v)
        said = rules.word(run, v, verdicts)
        n = run.tally.trials
        if said.word != self._word:
            self._word = said.word
            self.turns.append(Turn(seq, n, "", said.word, said.sentence))
        for x in verdicts:
            before = self._levels.get(x.rule, Level.PASS)
            if x.level is not before and Level.FAIL in (x.level, before):
                self.turns.append(Turn(seq, n, x.rule, x.level.name, x.reason))
            self._levels[x.rule] = x.level

    def account(self, file: str, format: str) -> dict[str, Any]:
        """All that the report says of this run, as plain values."""
        run, rows = self.run, self.columns
        doc = analysis.analyze(run, file=file, format=format)
        return {
            "doc": doc,
            "facts": facts.facts(run, doc, self),
            "pairs": [p.pair.label for p in run.ground.pairs],
            "rows": thinned(rows, MOST_ROWS),
            "rows_total": len(rows["seq"]),
            "turns": [t._asdict() for t in self.turns],
            "looked_every": self._every,
            "tiles": self.grid.tiles(),
            "visits": self.grid.visits(MOST_VISITS),
            "reach": self.reach,
            "rails": list(self.rails),
            "replay": _replayed(self.replay, self.missing),
            "refused": sorted(self.refused.items(), key=lambda x: -x[1])[:50],
            "holdouts": self.holdouts,
            "events": [_event(e) for e in self.events if e.kind in ("override", "selftest", "pause", "ack", "repair")],
        }


def thinned(rows: Mapping[str, list[Any]], most: int) -> dict[str, list[Any]]:
    """The first and the last rows, where there are more than so many."""
    n = len(rows["seq"])
    if n <= most:
        return dict(rows)
    half = most // 2
    return {name: [*column[:half], *column[n - half :]] for name, column in rows.items()}


def gather(source: Source, reader: str | None, chunks: Iterable[bytes]) -> list[dict[str, Any]]:
    """The accounts of all runs in these bytes; they are read as the file of that name would be."""
    parts = iter(chunks)
    head = next(parts, b"")
    kind = get(reader) if reader else find(source.path, head[: sources.HEAD], source.layout)
    seen: dict[int, RunSeen] = {}

    def sink(run: Run, item: Item, row: Row | None) -> None:
        if isinstance(item, Header):
            seen[id(run)] = RunSeen(run, source)
        else:
            seen[id(run)].see(item, row)

    feed = Feed(source, kind, METRICS, sink)
    with uncollected():
        feed.feed(head)
        for chunk in parts:
            feed.feed(chunk)
        feed.close()
    return [seen[id(run)].account(source.path, feed.format) for run in feed.runs]


def _replayed(replay: Replaying, missing: str | None) -> dict[str, Any]:
    """What the rails would have blocked, or why that cannot be said. Which trials those are is in the rows."""
    try:
        found = replay.answer()
    except SourceError as e:
        return {"why": str(e).partition(": ")[2] or str(e)}
    return {
        **{k: getattr(found, k) for k in ("trials", "passed", "returned_s", "total_s", "unpriced")},
        "missing": missing,  # for want of which only the rail against repeats was asked
        "unsure": replay.unsure,
        "by_rule": {rule: _counted(seqs) for rule, seqs in found.blocked.items()},
        "keeps": _counted(found.keeps),
        "keeps_blocked": _counted(found.keeps_blocked),
        "silent": _counted(found.silent),
    }


def _counted(seqs: Sequence[int]) -> dict[str, Any]:
    return {"n": len(seqs), "first": list(seqs[:NAMED])}


def _event(e: Event) -> dict[str, Any]:
    return {"seq": e.seq, "kind": e.kind, "time_ms": e.time_ms, "data": dict(e.data)}
