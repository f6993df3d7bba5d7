"""Markup of a report: numbers that can be checked, strangers' texts cut to what a page can bear, tables."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape
from typing import Any

from trajscope.charts import Html, joined, tag
from trajscope.readable import number, short

LONGEST = 300  # letters of a stranger's text
__all__ = ["Html", "code", "figure", "joined", "rows", "tag", "text"]


def text(value: object, most: int = LONGEST) -> Html:
    """A stranger's text, cut to a length that a page can bear."""
    return Html(escape(short(value, most), quote=False))


def code(value: object, most: int = 80) -> Html:
    """A stranger's name, in letters of one width."""
    return tag("code", text(value, most))


def figure(path: str, value: float | None, said: str | None = None, digits: int = 5) -> Html:
    """A number with the path that says what it means; `verify` names it by that."""
    if value is None:
        return tag("span", "not known", cls="unknown", data_path=path)
    return tag("data", said if said is not None else number(value, digits), value=repr(value), data_path=path)


def rows(head: Iterable[object], body: Iterable[Iterable[object]], **attributes: Any) -> Html:
    """A table; the first cell of a row names it."""
    top = tag("tr", *(tag("th", h, scope="col") for h in head))
    lines = [
        tag("tr", *(tag("th", c, scope="row") if i == 0 else tag("td", c) for i, c in enumerate(cells)))
        for cells in body
    ]
    table = tag("table", tag("thead", top), tag("tbody", *lines), **attributes)
    # A wide table scrolls in a box of its own, which the keyboard reaches.
    return tag("div", table, cls="wide", tabindex="0", role="group", aria_label=attributes.get("aria_label", "table"))
