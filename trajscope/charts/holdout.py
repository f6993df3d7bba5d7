"""Does the holdout go along? The proxy and the holdout of every keep, on scales of their own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trajscope.charts.theme import ACCENT, INK, blank, finish, label

if TYPE_CHECKING:
    import altair as alt
    import polars as pl


def holdout(keeps: pl.DataFrame, *, metric: str, name: str) -> alt.LayerChart:
    """What the keeps scored beside what the holdout says of them.

    Columns: `seq` (int), `value`, `holdout` (numbers).
    """
    import altair as alt

    question, height, left, right = "Does the holdout go along?", 200, 80, 80
    if keeps.is_empty():
        return blank(question, "No keep has a value of the holdout.")
    base = alt.Chart(keeps).encode(x=alt.X("seq:Q", axis=alt.Axis(title="trial (seq)", grid=False, format=",d")))
    tip = [alt.Tooltip("seq:Q"), alt.Tooltip("value:Q"), alt.Tooltip("holdout:Q")]
    own = base.mark_line(color=ACCENT, strokeWidth=2, point={"shape": "diamond", "color": ACCENT, "size": 70}).encode(
        y=alt.Y("value:Q", scale=alt.Scale(zero=False), axis=alt.Axis(title=label(metric, 40), titleColor=ACCENT)),
        tooltip=tip,
    )
    other = base.mark_line(color=INK, strokeDash=[5, 4], point={"shape": "square", "color": INK, "size": 60}).encode(
        y=alt.Y("holdout:Q", scale=alt.Scale(zero=False), axis=alt.Axis(title=label(name, 40), orient="right")),
        tooltip=tip,
    )
    notes = ["Diamonds, solid: what was optimised, left. Squares, dashed: the holdout, right."]
    made = finish([own, other], question, notes, height=height, left=left, right=right, above=10)
    whole: alt.LayerChart = made.resolve_scale(y="independent")
    return whole
