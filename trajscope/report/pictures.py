"""Pictures: the frames of an account, and the charts that are drawn of them, by name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from trajscope import charts
from trajscope.report.gather import MARKS

if TYPE_CHECKING:
    import altair as alt
    import polars as pl

    Picture: TypeAlias = alt.LayerChart | alt.VConcatChart

ALARMS = 40  # that are flagged in the picture


def pictures(account: Mapping[str, Any]) -> dict[str, Picture]:
    """Every picture of one run, in the order of the page."""
    from altair.utils.schemapi import debug_mode

    # Every part would be held against the grammar's schema as it is made, a second in all; the tests do that instead.
    with debug_mode(False):
        return _pictures(account)


def _pictures(account: Mapping[str, Any]) -> dict[str, Picture]:
    import polars as pl

    doc, facts, rows = account["doc"], account["facts"], trials(account)
    metric = doc["metric"]["name"] or "value"
    goal: Literal["minimize", "maximize"] = "maximize" if doc["metric"]["goal"] == "maximize" else "minimize"
    best, noise = facts["best"], doc["noise"]["sd"]
    shrunk = doc["best"]["shrunk"]
    out: dict[str, Picture] = {
        "believed": charts.believed(
            evaluations(account),
            metric=metric,
            middle=shrunk if shrunk is not None and best["n"] > 1 else None,
            low=best["low"],
            high=best["high"],
            unit=facts["unit"],
        )
    }
    if kept := [k for k in account["holdouts"] if not isinstance(k[2], bool)]:
        frame = pl.DataFrame(kept, {"seq": pl.Int64, "value": pl.Float64, "holdout": pl.Float64}, orient="row")
        out["holdout"] = charts.holdout(frame, metric=metric, name=facts["holdout"] or "holdout")
    out["tiles"] = charts.tile_map(tiles(account), visits(account), menu=bool(doc["coverage"]["knobs_total"]))
    what, total = ground(doc)
    out["walkers"] = charts.walkers(reach(account, what), total=total, what=what)
    out["history"] = charts.history(
        rows.filter("evaluated"),
        metric=metric,
        goal=goal,
        unit=facts["unit"],
        baseline=doc["baseline"]["value"],
        noise_sd=noise,
        alarms=alarms(account),
        plateau=plateau(account),
    )
    return out


def ground(doc: Mapping[str, Any]) -> tuple[str, int | None]:
    """What is counted as ground, and how much of it there is: cells where they can be counted, else knobs."""
    cells = doc["coverage"]["cells"]["total"]
    return ("cells", cells) if cells else ("knobs", doc["coverage"]["knobs_total"])


def trials(account: Mapping[str, Any]) -> pl.DataFrame:
    """The rows: seq, value, kept, repeat, evaluated, eligible, pair."""
    import polars as pl

    rows, names = account["rows"], account["pairs"]
    kept, evaluated, eligible = (1 << MARKS.index(name) for name in ("kept", "evaluated", "eligible"))
    return pl.DataFrame(
        {
            "seq": pl.Series(rows["seq"], dtype=pl.Int64),
            "value": pl.Series(rows["value"], dtype=pl.Float64, strict=False),
            "kept": pl.Series([bool(m & kept) for m in rows["marks"]], dtype=pl.Boolean),
            "repeat": pl.Series([k > 1 for k in rows["k"]], dtype=pl.Boolean),
            "evaluated": pl.Series([bool(m & evaluated) for m in rows["marks"]], dtype=pl.Boolean),
            "eligible": pl.Series([bool(m & eligible) for m in rows["marks"]], dtype=pl.Boolean),
            "pair": pl.Series([names[p] if p >= 0 else None for p in rows["pair"]], dtype=pl.String),
        }
    )


def evaluations(account: Mapping[str, Any]) -> pl.DataFrame:
    """The evaluations of the best configuration and of the baseline: seq, value, kind."""
    import polars as pl

    best, claimed = account["facts"]["best"], account["doc"]["best"]["seq"]
    own = [(seq, v, charts.CLAIMED if seq == claimed else charts.AGAIN) for seq, v in best["evaluations"]]
    base = [(seq, v, charts.BASE) for seq, v in best["baselines"]]
    schema = {"seq": pl.Int64, "value": pl.Float64, "kind": pl.String}
    return pl.DataFrame([*own, *base], schema, orient="row")


def tiles(account: Mapping[str, Any]) -> pl.DataFrame:
    """The tiles as a frame."""
    import polars as pl

    schema = {
        "knob": pl.String, "family": pl.String, "at": pl.Int64, "text": pl.String, "default": pl.Boolean,
        "proposed": pl.Int64, "evaluated": pl.Int64, "kept": pl.Int64, "mean": pl.Float64, "first": pl.Int64,
    }  # fmt: skip
    return pl.DataFrame(account["tiles"], schema)


def visits(account: Mapping[str, Any]) -> pl.DataFrame:
    """Which tile each trial was on: knob, at, seq; of a long run not all."""
    import polars as pl

    schema = {"knob": pl.String, "at": pl.Int64, "seq": pl.Int64}
    return pl.DataFrame(account["visits"], schema, orient="row")


def reach(account: Mapping[str, Any], what: str) -> pl.DataFrame:
    """Ground touched after each proposal that reached something new: c, reached."""
    import polars as pl

    at = 2 if what == "cells" else 1
    steps = [(0, 0), *((x[0], x[at]) for x in account["reach"])]
    counted = account["doc"]["pairs"]["unique"] + account["doc"]["pairs"]["repeats"]
    steps.append((max(counted, steps[-1][0]), steps[-1][1]))
    return pl.DataFrame(steps, {"c": pl.Int64, "reached": pl.Int64}, orient="row")


def alarms(account: Mapping[str, Any]) -> pl.DataFrame:
    """Where a rule began to fail: seq, text."""
    import polars as pl

    found = [(t["seq"], f"{t['rule']}: {t['reason']}") for t in account["turns"] if t["rule"] and t["level"] == "FAIL"]
    frame = pl.DataFrame(found[:ALARMS], {"seq": pl.Int64, "text": pl.String}, orient="row")
    return frame.group_by("seq", maintain_order=True).agg(pl.col("text").str.join("; "))


def plateau(account: Mapping[str, Any]) -> tuple[int, int] | None:
    """The stretch without a best beyond noise, by its first and last trial."""
    length = account["doc"]["plateau"]["beyond_noise"]
    evaluated = 1 << MARKS.index("evaluated")
    seqs = [s for s, m in zip(account["rows"]["seq"], account["rows"]["marks"], strict=True) if m & evaluated]
    if not length or not seqs:
        return None
    return seqs[-min(length, len(seqs))], seqs[-1]
