"""The house theme of every chart: inks, fixed margins, the question on top, strangers' names made harmless."""

from __future__ import annotations

import textwrap
import unicodedata
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Final, TypeVar

if TYPE_CHECKING:
    import altair as alt

Chart = TypeVar("Chart", "alt.LayerChart", "alt.VConcatChart")

WIDTH: Final = 900
FONT: Final = "Liberation Sans, Arial, Helvetica, sans-serif"
INK: Final = "#222222"
MUTED: Final = "#595959"
GREY: Final = "#8a8a8a"
PALE: Final = "#d3d8dd"
ACCENT: Final = "#0b5394"  # dark enough to stay apart from every grey when printed without colour
MIDDLE: Final = "#9fc0dd"
GAP: Final = 18  # between the entries of a legend; letters of another font may be wider
BAND: Final = "#dde4eb"
SHADE: Final = "#f0efec"


def finish(
    layers: Sequence[alt.Chart],
    question: str,
    notes: Sequence[str],
    *,
    height: int,
    left: int,
    right: int,
    above: int = 0,
    least: int = 300,
) -> alt.LayerChart:
    """The house theme: the question on top, what the picture says in words under it, every margin fixed.

    `above` is the room that legend and axis title take over the plot, `least` the width under which a page may not
    draw it.
    """
    import altair as alt

    whole = alt.LayerChart(layer=list(layers), width=WIDTH - left - right, height=height)
    return themed(whole, question, notes, left=left, right=right, above=above, least=least)


def themed(
    chart: Chart, question: str, notes: Sequence[str], *, left: int, right: int, above: int = 0, least: int = 300
) -> Chart:
    """The house theme around one picture, or several below each other."""
    import altair as alt

    lines: list[str] = [line for note in notes for line in textwrap.wrap(note, 130)]
    # Several pictures know their height only when they are laid out: these are padded around what they draw.
    whole = isinstance(chart, alt.LayerChart)
    head = 58 + 18 * len(lines)
    above_all = head if whole else 0
    return chart.properties(
        padding={"left": left, "right": right, "top": head + above, "bottom": 54} if whole else 12,
        autosize=alt.AutoSizeParams(type="none" if whole else "pad"),
        background="white",
        title=alt.Title(text=question, subtitle=lines, anchor="start", frame="group", dx=12 - left, offset=18),
        description=" ".join([question, *lines]),
        # For a page, which says all this itself: how wide the plot may be drawn, and what stands over it.
        usermeta={"question": question, "notes": list(notes), "sides": left + right, "least": least, "head": above_all},
        config={
            "font": FONT,
            "view": {"stroke": None},
            "title": {"fontSize": 20, "color": INK, "subtitleFontSize": 13, "subtitleColor": MUTED,
                      "subtitlePadding": 6, "subtitleLineHeight": 18},
            "axis": {"labelFontSize": 12, "labelColor": MUTED, "titleFontSize": 13, "titleFontWeight": "normal",
                     "titleColor": INK, "titleLimit": WIDTH - 24, "domainColor": GREY, "tickColor": GREY,
                     "gridColor": "#e8e8e8"},
            "legend": {"labelFontSize": 12, "labelColor": INK, "labelLimit": 160, "columnPadding": GAP},
        },
    )  # fmt: skip


def bare(spec: dict[str, Any]) -> dict[str, Any]:
    """A picture without its head, which the page says itself, and without words for each of its marks."""
    spec.pop("title", None)
    spec.pop("background", None)
    padding = spec.get("padding")
    if isinstance(padding, dict):
        spec["padding"] = {**padding, "top": padding["top"] - spec["usermeta"]["head"]}
    spec["config"] = {**spec.get("config", {}), "background": None}
    spec["config"] |= {part: {**spec["config"].get(part, {}), "aria": False} for part in ("axis", "legend")}
    for part in _units(spec):
        part["mark"] = {**part["mark"], "aria": False}
    return spec


def _units(spec: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Every part of a picture that has a mark."""
    if isinstance(spec.get("mark"), dict):
        yield spec
    for inside in ("layer", "vconcat"):
        for part in spec.get(inside, ()):
            yield from _units(part)


# A channel as a value of its class: said as a text or a dict it is looked for among all classes of the grammar, by
# their hashes, which takes longer than the rest of a picture.
def at_x(value: float) -> alt.XValue:
    """A place on the picture, from its left edge."""
    import altair as alt

    return alt.XValue(value)  # type: ignore[no-untyped-call]  # altair says no types of these two


def at_y(value: float) -> alt.YValue:
    """A place on the picture, from its upper edge."""
    import altair as alt

    return alt.YValue(value)  # type: ignore[no-untyped-call]  # as above


def whole_ticks(first: int, last: int) -> dict[str, Any]:
    """Ticks at whole numbers only; a short axis has to name them, or halves are drawn and rounded."""
    ticks: dict[str, Any] = {"values": list(range(first, last + 1))} if last - first <= 12 else {"tickCount": 10}
    return {"format": ",d", **ticks}


def flat_title(text: str, left: int) -> dict[str, Any]:
    """A value axis' title lies flat above the axis, where a long name has the whole width."""
    flat = {"titleAngle": 0, "titleAlign": "left", "titleAnchor": "end"}
    return {"title": text, "titleX": 12 - left, "titleY": -14, **flat}


def blank(question: str, message: str) -> alt.LayerChart:
    """A picture that says why there is nothing to draw."""
    import altair as alt
    import polars as pl

    text = (
        alt.Chart(pl.DataFrame({"text": [message]})).mark_text(fontSize=15, color=MUTED).encode(text=alt.Text("text:N"))
    )
    made = finish([text], question, [], height=120, left=70, right=70, above=14)
    made.usermeta = {**made.usermeta, "empty": message}  # a page says it in words, and draws nothing
    return made


def label(text: str, limit: int) -> str:
    """A stranger's name as one short line: unprintable and direction-turning characters shown, the middle left out."""
    line = " ".join(text[:10_000].split())
    line = "".join("\ufffd" if unicodedata.category(c).startswith("C") else c for c in line)
    head = limit * 3 // 5
    return line if len(line) <= limit else f"{line[:head]}…{line[head + 1 - limit :]}"
