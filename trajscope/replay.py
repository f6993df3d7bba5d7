"""Replay: a finished file played as if it were live, to see what would have been said, and when."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from trajscope import analysis, pipeline, rules
from trajscope.columns import Row
from trajscope.fold import Unknown
from trajscope.metrics import METRICS
from trajscope.readers import Source
from trajscope.run import Run
from trajscope.trial import Header, Item


class Step(NamedTuple):
    """What was known after one trial."""

    trials: int
    word: str
    sentence: str
    pairs: int
    repeat_rate: float | None
    dry: int | None
    best: float | None
    left_s: float  # time that the trials after this one took


def steps(source: Source, reader: str | None = None, *, every: int = 1) -> Iterator[Step]:
    """What would have been known after every so many trials, by the same path that reads a live file."""
    items: list[Item] = []

    def keep(_run: Run, item: Item, _row: Row | None) -> None:
        items.append(item)

    whole = pipeline.read(source, reader, sink=keep).runs[-1]
    total = sum(getattr(i, "wall_s", None) or 0.0 for i in items)
    spent = 0.0
    run = _begun(whole.header, source)
    for item in items:
        if isinstance(item, Header):
            run = _begun(item, source)
            continue
        row = run.take(item)
        if row is None:
            continue
        spent += row.wall_s or 0.0
        if run.tally.trials % every == 0:
            yield _step(run, total - spent)


def _begun(header: Header, source: Source) -> Run:
    run = Run(header, METRICS)
    run.alarms = source.alarms
    return run


def _step(run: Run, left_s: float) -> Step:
    v = analysis.glance(run)
    said = rules.word(run, v, rules.judge(run, v))
    known = {
        k: None if isinstance(v[k], Unknown) else v[k] for k in ("pairs.trailing_rate", "plateau.length", "best.value")
    }
    return Step(
        run.tally.trials,
        said.word,
        said.sentence,
        v["pairs.unique"],
        known["pairs.trailing_rate"],
        known["plateau.length"],
        known["best.value"],
        left_s,
    )
