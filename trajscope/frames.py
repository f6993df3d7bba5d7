"""Frames: the data half of every chart, as polars frames, from documents and rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from trajscope import pipeline
from trajscope.columns import Row
from trajscope.readers import Source
from trajscope.run import Run
from trajscope.trial import Item

if TYPE_CHECKING:
    import altair as alt
    import polars as pl


def trials(source: Source, reader: str | None = None) -> list[pl.DataFrame]:
    """Of each run in a file, its evaluated trials: seq, value, kept, repeat."""
    import polars as pl

    found: dict[int, list[tuple[int, float | None, bool, bool]]] = {}

    def sink(run: Run, item: Item, row: Row | None) -> None:
        rows = found.setdefault(id(run), [])
        if row is not None and row.evaluated:
            rows.append((row.seq, row.value, row.kept, row.k > 1))

    feed = pipeline.read(source, reader, sink=sink)
    schema = {"seq": pl.Int64, "value": pl.Float64, "kept": pl.Boolean, "repeat": pl.Boolean}
    return [pl.DataFrame(found[id(run)], schema, orient="row") for run in feed.runs]


def knobs(doc: Mapping[str, Any]) -> pl.DataFrame:
    """The knobs of a document: knob, family, proposed, kept, touched, order."""
    import polars as pl

    rows = [
        (name, k["family"], k["proposed"], k["kept"], k["evaluated"] > 0, i)
        for i, (name, k) in enumerate(doc["coverage"]["by_knob"].items())
    ]
    schema = {
        "knob": pl.String,
        "family": pl.String,
        "proposed": pl.Int64,
        "kept": pl.Int64,
        "touched": pl.Boolean,
        "order": pl.Int64,
    }
    return pl.DataFrame(rows, schema, orient="row")


def windows(doc: Mapping[str, Any]) -> pl.DataFrame:
    """The windows of a document: first, last, n, rate, expected."""
    import polars as pl

    schema = {"first": pl.Int64, "last": pl.Int64, "n": pl.Int64, "rate": pl.Float64, "expected": pl.Float64}
    return pl.DataFrame(doc["pairs"]["windows"], schema)


def figures(
    source: Source, reader: str | None, docs: Sequence[Mapping[str, Any]]
) -> list[dict[str, alt.Chart | alt.LayerChart]]:
    """The three charts of every run in a file."""
    from trajscope import charts

    return [
        {
            "best_so_far": charts.best_so_far(
                frame,
                metric=doc["metric"]["name"] or "value",
                goal=doc["metric"]["goal"] or "minimize",
                baseline=doc["baseline"]["value"],
                noise_sd=doc["noise"]["sd"],
            ),
            "knob_coverage": charts.knob_coverage(knobs(doc)),
            "repeat_rate": charts.repeat_rate(windows(doc)),
        }
        for doc, frame in zip(docs, trials(source, reader), strict=True)
    ]
