"""What was never tried? How often each knob was proposed and kept, by family."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from trajscope.charts.theme import ACCENT, GREY, INK, MUTED, PALE, at_x, blank, finish, label, whole_ticks
from trajscope.staircase import counted

if TYPE_CHECKING:
    import altair as alt
    import polars as pl

CROSS: Final = "M-1,-1L1,1M1,-1L-1,1"
KNOBS_DRAWN: Final = 80


def knob_coverage(knobs: pl.DataFrame) -> alt.LayerChart:
    """How often each knob was proposed and kept, by family, to see what was never tried.

    Columns: `knob` (str), `family` (str or null), `proposed` (int), `kept` (int), `touched` (bool: evaluated at least
    once), `order` (int: the place in the menu).
    """
    import altair as alt
    import polars as pl

    question = "What was never tried?"
    if knobs.is_empty():
        return blank(question, "No knob is declared and none was proposed.")
    known = [pl.col("proposed", "kept").cast(pl.Int64).fill_null(0), pl.col("touched").fill_null(value=False)]
    rows = knobs.select("knob", pl.col("family").fill_null("no family"), *known, "order")
    rows = rows.sort("order", maintain_order=True)
    notes = [_never_tried(rows), "Bar: how often it was proposed; its dark part: how many of those were kept."]
    if rows.height > KNOBS_DRAWN:
        # Room for both halves of the answer: the tried by how often, the untried in menu order.
        tried = rows.filter("touched").sort("proposed", descending=True, maintain_order=True)
        untried = rows.filter(~pl.col("touched")).head(max(KNOBS_DRAWN // 2, KNOBS_DRAWN - tried.height))
        rows = pl.concat([tried.head(KNOBS_DRAWN - untried.height), untried]).sort("order", maintain_order=True)
        notes.append(f"Drawn: {rows.height} of {knobs.height:,}, the most proposed and the first untried of the menu.")

    bars: list[dict[str, Any]] = []
    heads: list[dict[str, Any]] = []
    at = 0.0
    for (family,), members in rows.group_by("family", maintain_order=True):
        heads.append({"at": at, "text": label(str(family), 14)})
        for knob in members.iter_rows(named=True):
            counts = {name: knob[name] for name in ("proposed", "kept", "touched")}
            bars.append({"at": at, "name": label(knob["knob"], 22), "said": _said(**counts), **counts})
            at += 1.0
        at += 0.5  # air between families
    # 7.5 px a letter is generous; the limits cut what is wider still.
    name_px = min(180, 30 + 7.5 * max(len(bar["name"]) for bar in bars))
    head_px = min(118, 20 + 7.5 * max(len(head["text"]) for head in heads))
    left = round(name_px + head_px) + 12
    step = 24 if len(bars) <= 30 else 17
    most = max(1, *(int(bar["proposed"]) for bar in bars))

    y_scale = alt.Scale(domain=[-0.7, at - 0.8], reverse=True, nice=False, zero=False)
    y = alt.Y("at:Q", scale=y_scale, axis=None)
    x_axis = alt.Axis(title="proposals (count)", **whole_ticks(0, most))

    def x(field: str) -> alt.X:
        return alt.X(field, scale=alt.Scale(domain=[0, most], nice=False), axis=x_axis)

    frame = pl.DataFrame(bars)
    every, done = alt.Chart(frame), alt.Chart(frame.filter("touched"))
    never = alt.Chart(frame.filter(~pl.col("touched")))
    bar_ink: dict[str, Any] = {"orient": "horizontal", "size": round(step * 0.66)}
    words: dict[str, Any] = {"align": "left", "fontSize": 12}
    layers = [
        every.mark_bar(**bar_ink, color=PALE, stroke=GREY, strokeWidth=1).encode(x=x("proposed:Q"), y=y),
        every.mark_bar(**bar_ink, color=ACCENT).encode(x=x("kept:Q"), y=y),
        every.mark_text(align="right", color=INK, limit=name_px - 12, fontSize=13).encode(
            x=at_x(-9), y=y, text=alt.Text("name:N")
        ),
        done.mark_text(**words, dx=7, color=MUTED).encode(x=x("proposed:Q"), y=y, text=alt.Text("said:N")),
        never.mark_text(**words, dx=24, color=INK, fontWeight="bold").encode(
            x=x("proposed:Q"), y=y, text=alt.Text("said:N")
        ),
        never.mark_point(shape=CROSS, size=70, stroke=INK, strokeWidth=2, opacity=1, xOffset=13).encode(
            x=x("proposed:Q"), y=y
        ),
        alt.Chart(pl.DataFrame(heads))
        .mark_text(align="left", color=INK, fontWeight="bold", limit=head_px - 8, fontSize=13)
        .encode(x=at_x(12 - left), y=y, text=alt.Text("text:N")),
    ]
    return finish(layers, question, notes, height=round(step * (at + 0.2)), left=left, right=210)


def _never_tried(rows: pl.DataFrame) -> str:
    import polars as pl

    untried = rows.filter(~pl.col("touched"))
    if untried.is_empty():
        return f"Every knob listed ({rows.height:,}) was tried; a knob that no menu declares cannot be listed."
    families, tried = set(rows["family"]), set(rows.filter("touched")["family"])
    dark = len(families - tried)
    of_families = f", nor any knob of {dark} of the {len(families)} families" if dark else ""
    count = f"{untried.height:,} of {counted(rows.height, 'knob')} {'was' if untried.height == 1 else 'were'}"
    return f"{count} never tried{of_families}."


def _said(*, proposed: int, kept: int, touched: bool) -> str:
    if touched:
        return f"{proposed:,} proposed, {f'{kept:,}' if kept else 'none'} kept"
    return f"never tried, {proposed:,} refused" if proposed else "never tried"
