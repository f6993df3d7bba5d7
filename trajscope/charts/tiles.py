"""Where has it been? Every knob by its values: how often each was tried, what was kept, and what nobody touched."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from trajscope.charts.theme import ACCENT, GREY, INK, MIDDLE, MUTED, PALE, WIDTH, at_x, blank, finish, label

if TYPE_CHECKING:
    import altair as alt
    import polars as pl

# Strokes across a tile: hatching, which the grammar itself does not have.
HATCH: Final = "".join(
    f"M{max(-2.1, c - 0.85):.2f},{max(-2.1, c - 0.85) - c:.2f}L{min(2.1, c + 0.85):.2f},{min(2.1, c + 0.85) - c:.2f}"
    for c in (-2.5, -2, -1.5, -1, -0.5, 0, 0.5, 1, 1.5, 2, 2.5)
)
NEVER, TRIED, SOME, MOSTLY = "never tried", "tried, none kept", "some kept", "half or more kept"
_FILLS = {NEVER: "white", TRIED: PALE, SOME: MIDDLE, MOSTLY: ACCENT}
STEP: Final = 34
NAME: Final = 20  # letters of a knob that fit beside its row


def tile_map(tiles: pl.DataFrame, visits: pl.DataFrame | None = None, *, menu: bool = True) -> alt.LayerChart:
    """A row for each knob and a tile for each of its values, to see what was never touched and where all went.

    Columns: `knob`, `family`, `text` (str), `at` (int: the place in its row), `default` (bool), `proposed`, `kept`
    (int), `mean` (number or null). `visits` (`knob`, `at`, `seq`) lets a page outline the tiles of some trials: it
    sets the signals `from_seq` and `to_seq`. Without a `menu` the tiles are those that were tried, and no more.
    """
    import altair as alt
    import polars as pl

    question = "Where has it been, and where never?"
    if tiles.is_empty():
        return blank(question, "No knob is declared and none was proposed.")
    names = tiles["knob"].unique(maintain_order=True).to_list()
    order = {name: i for i, name in enumerate(names)}
    share = pl.col("kept") / pl.col("proposed")
    tried_kind = pl.when(pl.col("proposed") == 0).then(pl.lit(NEVER)).when(pl.col("kept") == 0).then(pl.lit(TRIED))
    kind = tried_kind.when(share < 0.5).then(pl.lit(SOME)).otherwise(pl.lit(MOSTLY))
    rows = tiles.with_columns(
        row=pl.col("knob").replace_strict(order, return_dtype=pl.Int64),
        kind=kind,
        said=pl.format("{} = {}", pl.col("knob").map_elements(lambda x: label(x, 60), pl.String), "text"),
        count=pl.when(pl.col("proposed") > 0).then(pl.col("proposed").cast(pl.String)).otherwise(pl.lit("")),
        text=pl.col("text").map_elements(lambda x: label(x, 24), pl.String),  # the engine cuts it to its tile
    )
    heads = pl.DataFrame(
        {"row": range(len(names)), "name": [label(x, NAME) for x in names]}, schema={"row": pl.Int64, "name": pl.String}
    )
    left, right, width = 170, 14, max(tiles["at"].to_list()) + 1
    x_scale = alt.Scale(domain=[-0.5, max(width, 10) - 0.5], nice=False, zero=False)
    x = alt.X("at:Q", scale=x_scale, axis=None)
    y_scale = alt.Scale(domain=[-0.5, len(names) - 0.5], reverse=True, nice=False, zero=False)
    y = alt.Y("row:Q", scale=y_scale, axis=None)
    shown = [kind for kind in _FILLS if kind in set(rows["kind"])]
    fill = alt.Fill(
        "kind:N",
        scale=alt.Scale(domain=shown, range=[_FILLS[kind] for kind in shown]),
        legend=alt.Legend(orient="none", direction="horizontal", legendX=12 - left, legendY=-30, title=None,
                          symbolType="square", symbolStrokeColor=GREY),
    )  # fmt: skip
    tip = [
        alt.Tooltip("said:N"), alt.Tooltip("proposed:Q"), alt.Tooltip("kept:Q"), alt.Tooltip("mean:Q", format=".6g"),
    ]  # fmt: skip
    chart = alt.Chart(rows)
    never, tried = chart.transform_filter("datum.proposed == 0"), chart.transform_filter("datum.proposed > 0")
    space: dict[str, Any] = {"x": x, "y": y}
    words = alt.Text("text:N")
    small: dict[str, Any] = {"fontSize": 10, "dy": 9, "limit": (WIDTH - left - right) // max(width, 10) - 6}
    on_dark = alt.ColorValue(INK, condition={"test": f"datum.kind == '{MOSTLY}'", "value": "white"})
    boxes = chart.transform_calculate(
        x1="datum.at - 0.47", x2="datum.at + 0.47", y1="datum.row - 0.44", y2="datum.row + 0.44"
    )
    layers = [
        boxes.mark_rect(stroke=GREY, strokeWidth=0.7).encode(
            x=alt.X("x1:Q", scale=x_scale, axis=None), x2=alt.X2("x2:Q"), y=alt.Y("y1:Q", scale=y_scale, axis=None),
            y2=alt.Y2("y2:Q"), fill=fill, tooltip=tip,
        ),
        never.mark_point(shape=HATCH, size=900, stroke=GREY, strokeWidth=0.8, filled=False, opacity=1).encode(
            **space, tooltip=tip
        ),
        tried.mark_text(fontSize=13, fontWeight="bold", dy=-5).encode(
            **space, text=alt.Text("count:N"), color=on_dark
        ),
        tried.mark_text(**small).encode(
            **space, text=words, color=on_dark
        ),
        never.mark_text(**small, color=MUTED, stroke="white", strokeWidth=3).encode(**space, text=words),
        never.mark_text(**small, color=MUTED).encode(**space, text=words),
        chart.transform_filter("datum.default").mark_point(shape="triangle-down", size=36, color=INK, filled=True,
                                                           opacity=1, xOffset=-26, yOffset=-9).encode(**space),
        alt.Chart(heads).mark_text(align="right", fontSize=11, color=INK, limit=left - 18).encode(
            x=at_x(-8), y=y, text=alt.Text("name:N")
        ),
    ]  # fmt: skip
    params = []
    if visits is not None and visits.height:
        params = [alt.param(name="from_seq", value=-1), alt.param(name="to_seq", value=-1)]
        seen = visits.with_columns(row=pl.col("knob").replace_strict(order, default=None, return_dtype=pl.Int64))
        brushed = alt.Chart(seen.drop("knob")).transform_filter("datum.seq >= from_seq && datum.seq <= to_seq")
        layers.append(
            brushed.mark_square(size=900, filled=False, stroke=INK, strokeWidth=2.5, opacity=1).encode(**space)
        )
    untouched = rows.filter(pl.col("proposed") == 0).height
    knobs = rows.group_by("knob").agg(pl.col("proposed").sum()).filter(pl.col("proposed") == 0).height
    said = f"{untouched:,} of {rows.height:,} tiles were never tried; {knobs} of {len(names)} knobs not at all."
    if not menu:
        said = "Every tile here was tried: without a menu nobody knows which others there are."
    notes = [said, "Number: how often it was proposed."]
    if rows["default"].any():
        notes.append("Triangle: the default, where the run began.")
    made = finish(layers, question, notes, height=STEP * len(names), left=left, right=right, above=36, least=880)
    return made.add_params(*params) if params else made
