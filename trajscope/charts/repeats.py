"""Is it going in circles? The share of proposals that had been tried before, window by window."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from trajscope.charts.theme import INK, WIDTH, at_y, blank, finish, flat_title, whole_ticks
from trajscope.staircase import counted

if TYPE_CHECKING:
    import altair as alt
    import polars as pl

WINDOWS_DRAWN: Final = 60


def repeat_rate(windows: pl.DataFrame) -> alt.LayerChart:
    """The share of proposals that had been tried before, window by window, to see whether it goes in circles.

    Columns: `first`, `last` (int: the trials of the window), `n` (int), `rate` (0 to 1), `expected` (0 to 1 or null:
    the rate that the same proposals would show in a shuffled order).
    """
    import altair as alt
    import polars as pl

    question, height, left, right = "Is it going in circles?", 260, 70, 50
    rates = pl.col("rate", "expected").cast(pl.Float64).fill_nan(None).clip(0, 1)
    rows = windows.with_columns(rates).filter(pl.col("n") > 0, pl.col("rate").is_not_null()).sort("first")
    if rows.is_empty():
        return blank(question, "No proposal has been evaluated.")
    repeats, total = float((rows["rate"] * rows["n"]).sum()), int(rows["n"].sum())
    notes = [f"{round(repeats):,} of {counted(total, 'proposal')} ({repeats / total:.0%}) had been tried before."]
    per_bar = math.ceil(rows.height / WINDOWS_DRAWN)
    if per_bar > 1:
        notes.append(f"{rows.height:,} windows are drawn, {per_bar} to a bar.")
        rows = rows.group_by(pl.int_range(pl.len()) // per_bar, maintain_order=True).agg(
            pl.col("first").min(),
            pl.col("last").max(),
            (pl.col("rate", "expected") * pl.col("n")).sum() / pl.col("n").sum(),
            known=pl.col("expected").is_not_null().all(),
            n=pl.col("n").sum(),
        )
        # A bar with an unknown part has no expectation.
        rows = rows.with_columns(expected=pl.when("known").then("expected"))
    if rows["expected"].is_not_null().any():
        notes.append(
            "Black line: how many of the same proposals a shuffled order would repeat. A bar above it circles more "
            "than its mix of proposals explains; a climb along with it is what a small stock of ideas looks like, "
            "no proof of forgetting."
        )
    else:
        notes.append("What a shuffled order would repeat is not known.")

    first, last = int(rows["first"][0]), int(rows.select(pl.col("last").max()).item())
    full = int(rows.select(pl.col("n").max()).item())
    few = rows.height <= 12
    hits = (pl.col("rate") * pl.col("n")).round().cast(pl.Int64)
    rows = rows.with_columns(
        left=pl.col("first") - 0.5,
        right=pl.col("last") + 0.5,
        middle=(pl.col("first") + pl.col("last")) / 2,
        room=(pl.col("last") - pl.col("first") + 1) * (WIDTH - left - right) / (last - first + 1),
        hits=pl.format("{} of {}", hits, "n"),
        size=pl.format("n = {}", "n"),
        span=pl.format("{}–{}", "first", "last"),
    )
    x_scale = alt.Scale(domain=[first - 0.5, last + 0.5], nice=False)
    x_axis = alt.Axis(
        title=f"trial (seq), in windows of {full:,}",
grid=False, domain=False, ticks=not few, labels=not few, titleY=30, **whole_ticks(first, last),
    )  # fmt: skip
    y_title = flat_title("proposals already tried (% of the window)", left)
    y_axis = alt.Axis(**{**y_title, "titleY": -24}, format="%", tickCount=5, domain=False)
    y_scale = alt.Scale(domain=[0, 1], nice=False)
    across = {"x": alt.X("left:Q", scale=x_scale, axis=x_axis), "x2": "right:Q"}

    def words(which: pl.Expr, field: str, y: float) -> alt.Chart:
        chart: alt.Chart = alt.Chart(rows.filter(which)).mark_text(color=INK, fontSize=12)
        return chart.encode(x=alt.X("middle:Q", scale=x_scale, axis=x_axis), y=at_y(y), text=field)

    wide = pl.col("room") >= pl.col("hits").str.len_chars() * 6.5 + 6
    bars = alt.Chart(rows).mark_rect(color="#b7c4d1", stroke="white", strokeWidth=3 if few else 0.5)
    lines = alt.Chart(rows.filter(pl.col("expected").is_not_null())).mark_rule(color=INK, strokeWidth=3)
    layers = [
        bars.encode(
            **across,
            y=alt.Y("rate:Q", scale=y_scale, axis=y_axis),
            y2=alt.datum(0),
            tooltip=[alt.Tooltip(f"{name}:Q") for name in ("first", "last", "n", "rate", "expected")],
        ),
        lines.encode(**across, y=alt.Y("expected:Q", scale=y_scale, axis=y_axis)),
        words(wide, "hits:N", height - 14),
        words(~wide & (pl.col("n") < full), "size:N", -8),
        words(pl.lit(few) & (pl.col("room") >= 14), "span:N", height + 14),
    ]
    return finish(layers, question, notes, height=height, left=left, right=right, above=46)
