"""How much of the best is luck? Every evaluation of the best configuration and of the baseline, one dot each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from trajscope.charts.theme import ACCENT, BAND, GREY, INK, blank, finish, label
from trajscope.staircase import counted

if TYPE_CHECKING:
    import altair as alt
    import polars as pl

CLAIMED, AGAIN, BASE = "claimed", "measured again", "baseline"
_INKS = {CLAIMED: ("diamond", ACCENT, 190), AGAIN: ("circle", "white", 90), BASE: ("stroke", GREY, 300)}


def believed(
    evaluations: pl.DataFrame,
    *,
    metric: str,
    middle: float | None = None,
    low: float | None = None,
    high: float | None = None,
    unit: str | None = None,
) -> alt.LayerChart:
    """The replicates of the best and of the baseline, with the shrunk best and its interval.

    Columns: `seq` (int or null), `value` (number), `kind` (CLAIMED, AGAIN or BASE). `middle`, `low` and `high` are the
    shrunk best and the ends of its interval, where they are known.
    """
    import altair as alt
    import polars as pl

    question, height, left, right = "How much of the best is luck?", 150, 150, 30
    rows = evaluations.filter(pl.col("value").is_finite())
    if rows.is_empty():
        return blank(question, "Nothing was evaluated that could be the best.")
    if rows.height == 1:
        return blank(question, "The best was evaluated once, and there is no baseline: nothing to hold it against.")
    lane = pl.when(pl.col("kind") == BASE).then(pl.lit("baseline")).otherwise(pl.lit("best configuration"))
    rows = rows.with_columns(lane=lane, said=pl.format("{}: {}", "kind", "value"))
    ends = [x for x in (middle, low, high) if x is not None]
    least, most = min([*rows["value"], *ends]), max([*rows["value"], *ends])
    pad = (most - least) * 0.06 or abs(most) * 0.01 or 1.0
    scale = alt.Scale(domain=[least - pad, most + pad], nice=False, zero=False)
    lanes = alt.Scale(domain=["best configuration", "baseline"])
    y = alt.Y("lane:N", scale=lanes, axis=alt.Axis(title=None, domain=False, ticks=False, labelLimit=left - 20))

    title = label(metric, 60) + (f" ({label(unit, 30)})" if unit else "")

    def x(field: str, **more: Any) -> alt.X:
        return alt.X(field, scale=scale, axis=alt.Axis(title=title, grid=False, tickCount=6), **more)

    layers: list[alt.Chart] = []
    if low is not None and high is not None:
        span = pl.DataFrame({"low": [low], "high": [high], "middle": [middle], "lane": ["best configuration"]})
        said = [alt.Tooltip("middle:Q"), alt.Tooltip("low:Q"), alt.Tooltip("high:Q")]
        band = (
            alt.Chart(span).mark_bar(color=BAND, size=44).encode(x=x("low:Q"), x2=alt.X2("high:Q"), y=y, tooltip=said)
        )
        layers.append(band)
        if middle is not None:
            layers.append(alt.Chart(span).mark_tick(color=ACCENT, thickness=3, size=44).encode(x=x("middle:Q"), y=y))
    shown = [kind for kind in _INKS if kind in set(rows["kind"])]

    def ink(of: int) -> dict[str, Any]:
        legend = alt.Legend(orient="none", direction="horizontal", legendX=-left + 12, legendY=-34, title=None)
        scale = alt.Scale(type="ordinal", domain=shown, range=[_INKS[kind][of] for kind in shown])
        return {"scale": scale, "legend": legend}

    dots = alt.Chart(rows).mark_point(stroke=INK, strokeWidth=1.4, opacity=1, aria=False)
    layers.append(
        dots.encode(
            x=x("value:Q"),
            y=y,
            shape=alt.Shape("kind:N", **ink(0)),
            fill=alt.Fill("kind:N", **ink(1)),
            size=alt.Size("kind:N", **ink(2)),
            tooltip=[alt.Tooltip("said:N"), alt.Tooltip("seq:Q")],
        )
    )
    notes = [f"{counted(rows.filter(pl.col('kind') != BASE).height, 'evaluation')} of the best configuration."]
    if low is not None:
        notes.append("Shaded: where its true value lies with 95% confidence; the line is the best to be believed.")
    else:
        notes.append("The noise is not known, so there is no interval.")
    return finish(layers, question, notes, height=height, left=left, right=right, above=40)
