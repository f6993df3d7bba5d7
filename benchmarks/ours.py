"""Ours: what is measured inside one process. `python -m benchmarks.ours NAME PATH` answers one.

What a command of trajscope does as a whole is measured by running that command.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Mapping
from typing import Any

from trajscope import menu, metrics, nulls, pipeline
from trajscope.columns import Row
from trajscope.readers import Source
from trajscope.review.ground import width
from trajscope.run import Run
from trajscope.trial import Item, Trial

EARLY, SOME = 50, 10_000  # trials at which the cost of one more is looked at, beside the end of the file
STRETCH = 2_000


def figures(doc: Mapping[str, Any]) -> dict[str, Any]:
    """The published script's figures in the document of `analyze --json`."""
    pairs = doc["pairs"]
    return {
        "evaluated": doc["evaluated"],
        "kept": doc["status"]["kept"],
        "knobs": doc["coverage"]["knobs_touched"],
        "unique": pairs["unique"],
        "repeats": pairs["repeats"],
        "windows": [round(w["rate"], 9) for w in pairs["windows"]],
        "top": doc["dominance"]["proposed"]["n"],
        "first_keep": doc["first_keep"],
        "best": doc["best"]["value"],
    }


def headline(path: str) -> dict[str, Any]:
    """The published script's figures and no others: one pass, and what a run keeps in memory anyway."""
    first: list[int] = []

    def columns(_run: Run, found: Mapping[str, Any]) -> None:
        if not first and found["kept"].any():
            first.append(int(found["e"][found["kept"].argmax()]))

    run = _read(path, (), columns=columns)
    t = run.tally
    return {
        "evaluated": t.e,
        "kept": t.keep_count,
        "knobs": sum(k.evaluated for k in t.knobs.values()),
        "unique": sum(p.n > 0 for p in run.ground.pairs),
        "repeats": sum(run.repeats),
        "windows": [round(w["rate"], 9) for w in nulls.windows(run, width(t.c))],
        "top": max(p.n for p in run.ground.pairs),
        "first_keep": first[0] if first else None,
        "best": t.best_kept * run.scores.sign if t.best_kept is not None else None,
        "cumulative": max(s for s in run.scores.scores if s == s) * run.scores.sign,
    }


def live(path: str) -> dict[str, float]:
    """What one more trial costs a live run that steps every metric, early and late, and what it costs to stop there."""
    trials: list[Trial] = []
    spent = {"us_at_50": 0.0, "us_at_10k": 0.0, "us_at_end": 0.0}
    end: list[float] = []

    def keep(run: Run, item: Item, row: Row | None) -> None:
        if isinstance(item, Trial):
            trials.append(item)

    plain = _read(path, (), keep)
    for _ in range(100):  # fifty pushes are too short to time, so a hundred runs begin
        run = Run(plain.header, metrics.METRICS)
        spent["us_at_50"] += _push(run, trials[:EARLY]) / 100
    run = Run(plain.header, metrics.METRICS)
    for a in range(0, len(trials), STRETCH):
        us = _push(run, trials[a : a + STRETCH])
        if a == SOME:
            spent["us_at_10k"] = us
        end = [*end[-4:], us]
    spent["us_at_end"] = sorted(end)[len(end) // 2]
    began = time.process_time()
    snapshot = run.snapshot()
    stopped = time.process_time()
    again = Run(plain.header, metrics.METRICS)
    again.restore(snapshot)
    done = time.process_time()
    if again.states != run.states or again.tally.c != run.tally.c:
        raise SystemExit("a restored run differs from the one that was written down")
    return {
        **spent,
        "trials": float(len(trials)),
        "snapshot_s": stopped - began,
        "restore_s": done - stopped,
        "snapshot_mb": len(snapshot) / 1e6,
    }


def _push(run: Run, trials: list[Trial]) -> float:
    """Microseconds of CPU for each of these trials."""
    began = time.process_time()
    for t in trials:
        run.push(t)
    return (time.process_time() - began) / max(1, len(trials)) * 1e6


def _read(
    path: str,
    stepped: tuple[Any, ...],
    sink: pipeline.Sink | None = None,
    columns: pipeline.ColumnSink | None = None,
) -> Run:
    beside = pipeline.menu_beside(path)
    source = Source(path, menu=menu.load(beside) if beside else None)
    return pipeline.read(source, metrics=stepped, sink=sink, columns=columns).runs[0]


OURS: dict[str, Callable[[str], Any]] = {"headline": headline, "live": live}

if __name__ == "__main__":
    print(json.dumps(OURS[sys.argv[1]](sys.argv[2])))
