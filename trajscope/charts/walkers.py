"""Would a blind walker have seen more? Ground covered so far beside what drawing at random would have covered."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from trajscope.charts.theme import ACCENT, BAND, GREY, INK, blank, finish, flat_title, whole_ticks

if TYPE_CHECKING:
    import altair as alt
    import polars as pl

POINTS = 200
FEW = 5  # up to which every whole number has its tick
TOUCH = 16.0  # pixels between the middles of two lines of text


def walkers(reach: pl.DataFrame, *, total: int | None, what: str = "cells") -> alt.LayerChart:
    """The ground a run had touched after each proposal, and that of walkers who draw uniformly.

    Columns: `c` (int: proposals counted so far), `reached` (int). `total` is how much ground there is.
    """
    import altair as alt
    import polars as pl

    question, height, left, right = "Would a blind walker have seen more?", 200, 70, 120
    n = max(reach["c"].to_list(), default=0)
    if not total or not n:
        return blank(
            question, f"How many {what} there are is not known: no menu." if not total else "Nothing was tried."
        )
    places = sorted({round(i * n / POINTS) for i in range(POINTS + 1)})
    walk = pl.DataFrame([{"c": c, **expected(total, c)} for c in places])
    x = alt.X(
        "c:Q",
        scale=alt.Scale(domain=[0, n], nice=False),
        axis=alt.Axis(title="proposals", grid=False, **whole_ticks(0, n)),
    )
    highest = max([*walk["high"].to_list(), *reach["reached"].to_list()])
    top = min(total, highest * 1.08)
    y_scale = alt.Scale(domain=[0, top])
    ticks = whole_ticks(0, math.ceil(top)) if top <= FEW else {"tickCount": 5, "format": ",d"}
    axis = alt.Axis(**flat_title(f"{what} touched (of {total:,})", left), **ticks)

    def y(field: str) -> alt.Y:
        return alt.Y(field, scale=y_scale, axis=axis)

    last, met = int(reach["reached"][-1]), float(walk["mean"][-1])
    own, blind = apart(float(last), met, TOUCH * top / height)
    at = pl.DataFrame({"c": [n, n], "y": [own, blind], "text": [f"this run: {last:,}", f"blind: {met:,.1f}"]})
    layers = [
        alt.Chart(walk).mark_area(color=BAND).encode(x=x, y=y("low:Q"), y2=alt.Y2("high:Q")),
        alt.Chart(walk).mark_line(color=GREY, strokeDash=[5, 4], strokeWidth=2).encode(x=x, y=y("mean:Q")),
        alt.Chart(reach)
        .mark_line(color=ACCENT, strokeWidth=2.5, interpolate="step-after")
        .encode(x=x, y=y("reached:Q"), tooltip=[alt.Tooltip("c:Q"), alt.Tooltip("reached:Q")]),
        alt.Chart(at)
        .mark_text(align="left", dx=6, color=INK, fontSize=12, limit=right - 10)
        .encode(x=x, y=y("y:Q"), text=alt.Text("text:N")),
    ]
    notes = ["Solid: this run. Dashed, shaded: walkers that draw uniformly, their mean and two standard deviations."]
    return finish(layers, question, notes, height=height, left=left, right=right, above=30)


def apart(a: float, b: float, least: float) -> tuple[float, float]:
    """Two places on a scale from 0, moved so far apart that what is written there does not touch."""
    if abs(a - b) >= least:
        return a, b
    low = max(0.0, (a + b - least) / 2)
    return (low, low + least) if a < b else (low + least, low)


def expected(total: int, drawn: int) -> dict[str, float]:
    """Mean and two standard deviations of the different cells that so many uniform draws meet."""
    miss = math.exp(drawn * math.log1p(-1 / total)) if total > 1 else float(drawn == 0)
    both = math.exp(drawn * math.log1p(-2 / total)) if total > 2 else float(drawn == 0)
    mean = total * (1 - miss)
    variance = max(0.0, total * (total - 1) * both + total * miss - (total * miss) ** 2)
    reach = 2 * math.sqrt(variance)
    return {"mean": mean, "low": max(0.0, mean - reach), "high": min(float(total), mean + reach)}
