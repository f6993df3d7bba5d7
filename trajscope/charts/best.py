"""Is the gain real? Every trial, the best so far as a staircase, and the noise around it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final, Literal

from trajscope.charts.theme import (
    ACCENT,
    GREY,
    INK,
    WIDTH,
    at_x,
    at_y,
    blank,
    finish,
    flat_title,
    label,
    whole_ticks,
)
from trajscope.staircase import KINDS, counted, staircase

if TYPE_CHECKING:
    import altair as alt
    import polars as pl

# Shape, fill, stroke and area of each kind of point: kept by shape and size as well as colour, a repeat by its hollow.
INKS: Final = dict(
    zip(
        KINDS,
        (
            ("diamond", ACCENT, ACCENT, 130),
            ("diamond", "white", ACCENT, 130),
            ("circle", GREY, GREY, 50),
            ("circle", "white", GREY, 50),
            ("triangle-up", INK, INK, 80),
            ("triangle-down", INK, INK, 80),
        ),
        strict=True,
    )
)


def best_so_far(
    trials: pl.DataFrame,
    *,
    metric: str,
    goal: Literal["minimize", "maximize"],
    unit: str | None = None,
    baseline: float | None = None,
    noise_sd: float | None = None,
) -> alt.LayerChart:
    """Every evaluated trial, the best so far as a staircase, and the noise around it, to see whether the gain is real.

    Columns: `seq` (int), `value` (number or null), `kept` (bool), `repeat` (bool: the pair was tried before).
    The best is taken over kept trials, or over all where nothing was kept, and stands at the baseline until then.
    """
    import altair as alt
    import polars as pl

    question, height, left, right = "Is the gain real?", 300, 70, 100
    run = staircase(trials, goal=goal, baseline=baseline, noise_sd=noise_sd)
    if run is None:
        missing = f"None of the {counted(trials.height, 'evaluated trial')} has a value."
        return blank(question, missing if trials.height else "No trial has been evaluated.")

    sense = "lower is better" if goal == "minimize" else "higher is better"
    y_title = f"{label(metric, 60)}{f' ({label(unit, 30)})' if unit else ''}, {sense}"
    largest = max(abs(run.low), abs(run.high))
    number: dict[str, Any] = {"format": "~e"} if largest >= 1e6 or largest < 1e-3 else {}
    x_axis = alt.Axis(title="trial (seq)", grid=False, **whole_ticks(run.first, run.last))
    y_axis = alt.Axis(**flat_title(y_title, left), tickCount=6, **number)
    x = alt.X("seq:Q", scale=alt.Scale(domain=[run.first - 0.5, run.last + 0.5], nice=False), axis=x_axis)

    def y(field: str) -> alt.Y:
        return alt.Y(field, scale=alt.Scale(domain=[run.low, run.high], nice=False, zero=False), axis=y_axis)

    # What leaves the scale is cut here: the engine numbers its clip paths, so the same run would give another file.
    layers: list[alt.Chart] = []
    if run.noise_sd:
        halo = run.corners.with_columns(
            low=(pl.col("best") - run.noise_sd).clip(run.low, run.high),
            high=(pl.col("best") + run.noise_sd).clip(run.low, run.high),
        )
        band = alt.Chart(halo).mark_area(interpolate="step-after", color="#dde4eb")
        layers.append(band.encode(x=x, y=y("low:Q"), y2=alt.Y2("high:Q")))
    if run.baseline is not None:
        rule = alt.Chart(pl.DataFrame({"value": [run.baseline]})).mark_rule(color=INK, strokeDash=[5, 4])
        layers.append(rule.encode(y=y("value:Q")))
    stairs = alt.Chart(run.corners.with_columns(pl.col("best").clip(run.low, run.high))).mark_line(
        interpolate="step-after", color=ACCENT, strokeWidth=2
    )
    layers.append(stairs.encode(x=x, y=y("best:Q")))

    shown = [kind for kind in INKS if kind in set(run.points["kind"])]
    shrink = 1.0 if run.trials <= 120 else 0.4 if run.trials <= 600 else 0.18
    legend = alt.Legend(orient="none", direction="horizontal", legendX=0, legendY=-50, title=None)

    def ink(of: int, factor: float | None = None) -> dict[str, Any]:
        values = [INKS[kind][of] if factor is None else INKS[kind][3] * factor for kind in shown]
        # Said, because left alone a size takes a point scale, which knows only two ends and none for one kind.
        return {"scale": alt.Scale(type="ordinal", domain=shown, range=values), "legend": legend}

    # Points beyond the scale sit just inside the edge, whole.
    inset = (run.high - run.low) * 0.02
    points = run.points.with_columns(y=pl.col("value").clip(run.low + inset, run.high - inset))
    marks = alt.Chart(points).mark_point(strokeWidth=1.6 if run.trials <= 120 else 1, opacity=1, aria=False)
    layers.append(
        marks.encode(
            x=x,
            y=y("y:Q"),
            shape=alt.Shape("kind:N", **ink(0)),
            fill=alt.Fill("kind:N", **ink(1)),
            stroke=alt.Stroke("kind:N", **ink(2)),
            size=alt.Size("kind:N", **ink(3, shrink)),
            tooltip=[alt.Tooltip("seq:Q"), alt.Tooltip("value:Q"), alt.Tooltip("kind:N")],
        )
    )

    def place(value: float) -> float:
        return height * (run.high - value) / (run.high - run.low)

    # The two values stand right of the plot, the baseline's pushed aside where they would touch.
    at, touch = place(run.best), 46.0
    labels = [(at, ACCENT, f"best\n{run.best:.6g}\n(trial {run.best_seq})")]
    if run.baseline is not None:
        gap = place(run.baseline) - at
        away = math.copysign(max(abs(gap), touch), gap or touch)
        labels.append((at + away, INK, f"baseline\n{run.baseline:.6g}"))
    for at, color, text in labels:
        mark = alt.Chart(pl.DataFrame({"text": [text]})).mark_text(
            align="left", baseline="middle", lineBreak="\n", color=color, fontSize=12, dy=-9, limit=right - 8
        )
        layers.append(mark.encode(x=at_x(WIDTH - left - right + 6), y=at_y(at), text=alt.Text("text:N")))
    return finish(layers, question, run.notes, height=height, left=left, right=right, above=50)
