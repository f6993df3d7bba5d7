"""Three pictures of a run: is the gain real, what was never tried, is it going in circles.

Each is a function of a frame and knows neither where the rows came from nor where the picture goes. Every margin is a
number, so that no name, however long, pushes anything out of the picture.
"""

from __future__ import annotations

import math
import textwrap
import unicodedata
from typing import TYPE_CHECKING, Any, Final, Literal

from trajscope.staircase import KINDS, counted, staircase

if TYPE_CHECKING:
    from collections.abc import Sequence

    import altair as alt
    import polars as pl

WIDTH: Final = 900
FONT: Final = "Liberation Sans, Arial, Helvetica, sans-serif"
INK: Final = "#222222"
MUTED: Final = "#595959"
GREY: Final = "#8a8a8a"
PALE: Final = "#d3d8dd"
ACCENT: Final = "#0b5394"  # dark enough to stay apart from every grey when printed without colour

CROSS: Final = "M-1,-1L1,1M1,-1L-1,1"
KNOBS_DRAWN: Final = 80
WINDOWS_DRAWN: Final = 60

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
        return _blank(question, missing if trials.height else "No trial has been evaluated.")

    sense = "lower is better" if goal == "minimize" else "higher is better"
    y_title = f"{_label(metric, 60)}{f' ({_label(unit, 30)})' if unit else ''}, {sense}"
    largest = max(abs(run.low), abs(run.high))
    number: dict[str, Any] = {"format": "~e"} if largest >= 1e6 or largest < 1e-3 else {}
    x_axis = alt.Axis(title="trial (seq)", grid=False, **_whole_ticks(run.first, run.last))
    y_axis = alt.Axis(**_flat_title(y_title, left), tickCount=6, **number)
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
        layers.append(band.encode(x=x, y=y("low:Q"), y2="high:Q"))
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
            tooltip=["seq:Q", "value:Q", "kind:N"],
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
        layers.append(mark.encode(x=alt.value(WIDTH - left - right + 6), y=alt.value(at), text="text:N"))
    return _finish(layers, question, run.notes, height=height, left=left, right=right, above=50)


def knob_coverage(knobs: pl.DataFrame) -> alt.LayerChart:
    """How often each knob was proposed and kept, by family, to see what was never tried.

    Columns: `knob` (str), `family` (str or null), `proposed` (int), `kept` (int), `touched` (bool: evaluated at least
    once), `order` (int: the place in the menu).
    """
    import altair as alt
    import polars as pl

    question = "What was never tried?"
    if knobs.is_empty():
        return _blank(question, "No knob is declared and none was proposed.")
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
        heads.append({"at": at, "text": _label(str(family), 14)})
        for knob in members.iter_rows(named=True):
            counts = {name: knob[name] for name in ("proposed", "kept", "touched")}
            bars.append({"at": at, "name": _label(knob["knob"], 22), "said": _said(**counts), **counts})
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
    x_axis = alt.Axis(title="proposals (count)", **_whole_ticks(0, most))

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
            x=alt.value(-9), y=y, text="name:N"
        ),
        done.mark_text(**words, dx=7, color=MUTED).encode(x=x("proposed:Q"), y=y, text="said:N"),
        never.mark_text(**words, dx=24, color=INK, fontWeight="bold").encode(x=x("proposed:Q"), y=y, text="said:N"),
        never.mark_point(shape=CROSS, size=70, stroke=INK, strokeWidth=2, opacity=1, xOffset=13).encode(
            x=x("proposed:Q"), y=y
        ),
        alt.Chart(pl.DataFrame(heads))
        .mark_text(align="left", color=INK, fontWeight="bold", limit=head_px - 8, fontSize=13)
        .encode(x=alt.value(12 - left), y=y, text="text:N"),
    ]
    return _finish(layers, question, notes, height=round(step * (at + 0.2)), left=left, right=210)


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
        return _blank(question, "No proposal has been evaluated.")
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
grid=False, domain=False, ticks=not few, labels=not few, titleY=30, **_whole_ticks(first, last),
    )  # fmt: skip
    y_title = _flat_title("proposals already tried (% of the window)", left)
    y_axis = alt.Axis(**{**y_title, "titleY": -24}, format="%", tickCount=5, domain=False)
    y_scale = alt.Scale(domain=[0, 1], nice=False)
    across = {"x": alt.X("left:Q", scale=x_scale, axis=x_axis), "x2": "right:Q"}

    def words(which: pl.Expr, field: str, y: float) -> alt.Chart:
        chart: alt.Chart = alt.Chart(rows.filter(which)).mark_text(color=INK, fontSize=12)
        return chart.encode(x=alt.X("middle:Q", scale=x_scale, axis=x_axis), y=alt.value(y), text=field)

    wide = pl.col("room") >= pl.col("hits").str.len_chars() * 6.5 + 6
    bars = alt.Chart(rows).mark_rect(color="#b7c4d1", stroke="white", strokeWidth=3 if few else 0.5)
    lines = alt.Chart(rows.filter(pl.col("expected").is_not_null())).mark_rule(color=INK, strokeWidth=3)
    layers = [
        bars.encode(
            **across,
            y=alt.Y("rate:Q", scale=y_scale, axis=y_axis),
            y2=alt.datum(0),
            tooltip=["first:Q", "last:Q", "n:Q", "rate:Q", "expected:Q"],
        ),
        lines.encode(**across, y=alt.Y("expected:Q", scale=y_scale, axis=y_axis)),
        words(wide, "hits:N", height - 14),
        words(~wide & (pl.col("n") < full), "size:N", -8),
        words(pl.lit(few) & (pl.col("room") >= 14), "span:N", height + 14),
    ]
    return _finish(layers, question, notes, height=height, left=left, right=right, above=34)


def _finish(
    layers: Sequence[alt.Chart],
    question: str,
    notes: Sequence[str],
    *,
    height: int,
    left: int,
    right: int,
    above: int = 0,
) -> alt.LayerChart:
    """The house theme: the question on top, what the picture says in words under it, every margin fixed.

    `above` is the room that legend and axis title take over the plot.
    """
    import altair as alt

    lines = [line for note in notes for line in textwrap.wrap(note, 130)]
    return alt.LayerChart(layer=list(layers)).properties(
        width=WIDTH - left - right,
        height=height,
        padding={"left": left, "right": right, "top": 58 + 18 * len(lines) + above, "bottom": 54},
        autosize=alt.AutoSizeParams(type="none"),
        background="white",
        title=alt.Title(text=question, subtitle=lines, anchor="start", frame="group", dx=12 - left, offset=18),
        description=" ".join([question, *lines]),
        config={
            "font": FONT,
            "view": {"stroke": None},
            "title": {"fontSize": 20, "color": INK, "subtitleFontSize": 13, "subtitleColor": MUTED,
                      "subtitlePadding": 6, "subtitleLineHeight": 18},
            "axis": {"labelFontSize": 12, "labelColor": MUTED, "titleFontSize": 13, "titleFontWeight": "normal",
                     "titleColor": INK, "titleLimit": WIDTH - 24, "domainColor": GREY, "tickColor": GREY,
                     "gridColor": "#e8e8e8"},
            "legend": {"labelFontSize": 12, "labelColor": INK, "labelLimit": 160},
        },
    )  # fmt: skip


def _whole_ticks(first: int, last: int) -> dict[str, Any]:
    """Ticks at whole numbers only; a short axis has to name them, or halves are drawn and rounded."""
    ticks: dict[str, Any] = {"values": list(range(first, last + 1))} if last - first <= 12 else {"tickCount": 10}
    return {"format": ",d", **ticks}


def _flat_title(text: str, left: int) -> dict[str, Any]:
    """A value axis' title lies flat above the axis, where a long name has the whole width."""
    flat = {"titleAngle": 0, "titleAlign": "left", "titleAnchor": "end"}
    return {"title": text, "titleX": 12 - left, "titleY": -14, **flat}


def _blank(question: str, message: str) -> alt.LayerChart:
    """A picture that says why there is nothing to draw."""
    import altair as alt
    import polars as pl

    text = alt.Chart(pl.DataFrame({"text": [message]})).mark_text(fontSize=15, color=MUTED).encode(text="text:N")
    return _finish([text], question, [], height=120, left=70, right=70, above=14)


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


def _label(text: str, limit: int) -> str:
    """A stranger's name as one short line: unprintable and direction-turning characters shown, the middle left out."""
    line = " ".join(text[:10_000].split())
    line = "".join("\ufffd" if unicodedata.category(c).startswith("C") else c for c in line)
    head = limit * 3 // 5
    return line if len(line) <= limit else f"{line[:head]}…{line[head + 1 - limit :]}"
