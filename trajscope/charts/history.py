"""What happened, trial by trial? The score with its noise, and under it every pair by when it came and came back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from trajscope.charts.best import INKS
from trajscope.charts.theme import (
    ACCENT,
    BAND,
    GREY,
    INK,
    MUTED,
    SHADE,
    WIDTH,
    at_x,
    at_y,
    blank,
    flat_title,
    label,
    themed,
    whole_ticks,
)
from trajscope.staircase import Staircase, counted, staircase

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Literal

    import altair as alt
    import polars as pl

LANES: Final = 12
LANE_MARKS: Final = 2_000
HEIGHT: Final = 260
STEP: Final = 20
REST: Final = "all others"


def history(
    trials: pl.DataFrame,
    *,
    metric: str,
    goal: Literal["minimize", "maximize"],
    unit: str | None = None,
    baseline: float | None = None,
    noise_sd: float | None = None,
    alarms: pl.DataFrame | None = None,
    plateau: tuple[int, int] | None = None,
) -> alt.LayerChart | alt.VConcatChart:
    """The score of every trial with its noise, alarms and plateau, over a lane for each of the most proposed pairs.

    Columns: `seq` (int), `value` (number or null), `kept`, `repeat` (bool), `pair` (str or null), and `eligible` (bool)
    where some trials may not be the best. `alarms` has `seq`
    and `text`; `plateau` is the first and last trial of the stretch without a best beyond noise. The interval
    selection `brush` chooses trials; a page may listen to it.
    """
    import altair as alt
    import polars as pl

    question, left, right = "What happened, trial by trial?", 170, 24
    columns = [name for name in ("seq", "value", "kept", "repeat", "eligible") if name in trials.columns]
    run = staircase(trials.select(columns), goal=goal, baseline=baseline, noise_sd=noise_sd)
    if run is None:
        missing = f"None of the {counted(trials.height, 'evaluated trial')} has a value."
        return blank(question, missing if trials.height else "No trial has been evaluated.")
    x_scale = alt.Scale(domain=[run.first - 0.5, run.last + 0.5], nice=False)
    x_axis = alt.Axis(title=None, grid=False, labels=False, ticks=False)
    x = alt.X("seq:Q", scale=x_scale, axis=x_axis)
    sense = "lower is better" if goal == "minimize" else "higher is better"
    title = f"{label(metric, 60)}{f' ({label(unit, 30)})' if unit else ''}, {sense}"
    y_scale = alt.Scale(domain=[run.low, run.high], nice=False, zero=False)
    number: dict[str, Any] = {"format": "~e"} if not 1e-3 <= max(abs(run.low), abs(run.high)) < 1e6 else {}
    y_axis = alt.Axis(**flat_title(title, left), tickCount=6, **number)

    def y(field: str) -> alt.Y:
        return alt.Y(field, scale=y_scale, axis=y_axis)

    layers = _ground(run, plateau, x, y)
    inset = (run.high - run.low) * 0.02
    names = trials.select("seq", pl.col("pair").fill_null("").map_elements(lambda p: label(p, 60), pl.String))
    points = run.points.with_columns(y=pl.col("value").clip(run.low + inset, run.high - inset)).join(names, on="seq")
    shown = [kind for kind in INKS if kind in set(points["kind"])]
    shrink = 1.0 if run.trials <= 120 else 0.4 if run.trials <= 600 else 0.18
    legend = alt.Legend(orient="none", direction="horizontal", legendX=12 - left, legendY=-62, title=None)

    def ink(of: int, factor: float | None = None) -> dict[str, Any]:
        values = [INKS[kind][of] if factor is None else INKS[kind][3] * factor for kind in shown]
        return {"scale": alt.Scale(type="ordinal", domain=shown, range=values), "legend": legend}

    brush = alt.selection_interval(name="brush", encodings=["x"], mark=alt.BrushConfig(fill=ACCENT, fillOpacity=0.12))
    marks = alt.Chart(points).mark_point(strokeWidth=1.6 if run.trials <= 120 else 1, aria=False)
    layers.append(
        marks.encode(
            x=x, y=y("y:Q"), shape=alt.Shape("kind:N", **ink(0)), fill=alt.Fill("kind:N", **ink(1)),
            stroke=alt.Stroke("kind:N", **ink(2)), size=alt.Size("kind:N", **ink(3, shrink)),
            opacity=alt.OpacityValue(0.25, condition={"param": "brush", "value": 1, "empty": True}),
            tooltip=[alt.Tooltip("seq:Q"), alt.Tooltip("pair:N"), alt.Tooltip("value:Q"), alt.Tooltip("kind:N")],
        ).add_params(brush)
    )  # fmt: skip
    if alarms is not None and alarms.height:
        flags = alt.Chart(alarms).mark_point(shape="triangle-down", size=90, filled=True, color=INK, opacity=1)
        layers.append(flags.encode(x=x, y=at_y(-9), tooltip=[alt.Tooltip("seq:Q"), alt.Tooltip("text:N")]))
    top = alt.LayerChart(layer=layers, width=WIDTH - left - right, height=HEIGHT)
    under = _lanes(trials, x_scale, whole_ticks(run.first, run.last), width=WIDTH - left - right, left=left)
    notes = [*run.notes]
    if plateau is not None:
        notes.append(f"Grey: no best beyond noise from trial {plateau[0]} to {plateau[1]}.")
    if alarms is not None and alarms.height:
        notes.append("Triangles on top: an alarm begins.")
    notes.append(
        "Under it: when each pair was proposed; hollow where it had been tried before, joined to its first time."
    )
    made = alt.VConcatChart(vconcat=[top, under], spacing=14, bounds="flush")
    return themed(made, question, notes, left=left, right=right, above=66, least=620)


def _ground(run: Staircase, plateau: tuple[int, int] | None, x: alt.X, y: Callable[[str], alt.Y]) -> list[alt.Chart]:
    """What lies under the points: the plateau, the noise, the baseline, and the best so far."""
    import altair as alt
    import polars as pl

    layers: list[alt.Chart] = []
    if plateau is not None:
        span = pl.DataFrame({"seq": [max(plateau[0], run.first) - 0.5], "b": [min(plateau[1], run.last) + 0.5]})
        shade = alt.Chart(span).mark_rect(color=SHADE).encode(x=x, x2=alt.X2("b:Q"))
        layers.append(shade)
    if run.noise_sd:
        halo = run.corners.with_columns(
            low=(pl.col("best") - run.noise_sd).clip(run.low, run.high),
            high=(pl.col("best") + run.noise_sd).clip(run.low, run.high),
        )
        band = alt.Chart(halo).mark_area(interpolate="step-after", color=BAND)
        layers.append(band.encode(x=x, y=y("low:Q"), y2=alt.Y2("high:Q")))
    if run.baseline is not None:
        rule = alt.Chart(pl.DataFrame({"value": [run.baseline]})).mark_rule(color=INK, strokeDash=[5, 4])
        layers.append(rule.encode(y=y("value:Q")))
    stairs = alt.Chart(run.corners.with_columns(pl.col("best").clip(run.low, run.high)))
    layers.append(stairs.mark_line(interpolate="step-after", color=ACCENT, strokeWidth=2).encode(x=x, y=y("best:Q")))
    return layers


def _lanes(trials: pl.DataFrame, x_scale: alt.Scale, ticks: dict[str, Any], *, width: int, left: int) -> alt.LayerChart:
    """When each of the most proposed pairs came, and came back."""
    import altair as alt
    import polars as pl

    rows = trials.filter(pl.col("pair").is_not_null()).select("seq", "pair", "kept", "repeat")
    counts = rows.group_by("pair", maintain_order=True).agg(n=pl.len(), first=pl.col("seq").min())
    top = counts.sort("n", "first", descending=[True, False]).head(LANES).sort("first")
    order = {pair: i for i, pair in enumerate(top["pair"])}
    lane = pl.col("pair").replace_strict(order, default=len(order), return_dtype=pl.Int64)
    rows = rows.with_columns(lane=lane)
    heads = [(i, label(pair, 21)) for pair, i in order.items()]
    if rows["lane"].max() == len(order):
        heads.append((len(order), REST))
    rows = rows.gather_every(-(-rows.height // LANE_MARKS)) if rows.height > LANE_MARKS else rows
    lanes = rows.filter(pl.col("lane") < len(order)).group_by("lane", maintain_order=True)
    joins = lanes.agg(a=pl.col("seq").min(), b=pl.col("seq").max())
    x_axis = alt.Axis(title="trial (seq)", grid=False, **ticks)
    y_scale = alt.Scale(domain=[-0.6, len(heads) - 0.4], reverse=True, nice=False, zero=False)
    x, y = alt.X("seq:Q", scale=x_scale, axis=x_axis), alt.Y("lane:Q", scale=y_scale, axis=None)
    size = 60 if rows.height <= 300 else 24
    marks = alt.Chart(rows.with_columns(pair=pl.col("pair").map_elements(lambda p: label(p, 60), pl.String)))
    chosen = alt.OpacityValue(0.2, condition={"param": "brush", "value": 1, "empty": True})
    named = pl.DataFrame(heads, schema={"lane": pl.Int64, "name": pl.String}, orient="row")
    layers = [
        alt.Chart(joins)
        .mark_rule(color=GREY)
        .encode(x=alt.X("a:Q", scale=x_scale, axis=x_axis), x2=alt.X2("b:Q"), y=y),
        marks.mark_point(size=size, strokeWidth=1.4).encode(
            x=x,
            y=y,
            shape=alt.ShapeValue("circle", condition={"test": "datum.kept", "value": "diamond"}),
            stroke=alt.StrokeValue(MUTED, condition={"test": "datum.kept", "value": ACCENT}),
            fill=alt.FillValue(
                GREY,
                condition=[
                    {"test": "datum.repeat", "value": "white"},
                    {"test": "datum.kept", "value": ACCENT},
                ],
            ),
            opacity=chosen,
            tooltip=[alt.Tooltip("seq:Q"), alt.Tooltip("pair:N")],
        ),
        alt.Chart(named)
        .mark_text(align="right", fontSize=11, color=INK, limit=left - 14)
        .encode(x=at_x(-10), y=y, text=alt.Text("name:N")),
    ]
    return alt.LayerChart(layer=layers, width=width, height=max(1, len(heads)) * STEP)
