"""Markup: HTML from values. Whatever comes from a file is cleaned and escaped on its way in, without exception."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape
from typing import Any

from trajscope.readable import clean, number, short

LONGEST = 300  # letters of a stranger's text
VOID = frozenset(("br", "meta", "link", "col"))


class Html(str):
    """Markup that is safe to stand in a page. Only this module and text that is ours make one."""

    __slots__ = ()


def tag(_name: str, *inner: object, **attributes: object) -> Html:
    """An element. `cls` is its class; an attribute that is None or False is left out, one that is True stands bare."""
    said = ""
    for key, value in attributes.items():
        if value is None or value is False:
            continue
        name = "class" if key == "cls" else key.rstrip("_").replace("_", "-")
        said += f" {name}" if value is True else f' {name}="{escape(clean(value), quote=True)}"'
    if _name in VOID:
        return Html(f"<{_name}{said}>")
    return Html(f"<{_name}{said}>{joined(inner)}</{_name}>")


def joined(parts: Iterable[object]) -> Html:
    """Markup as it is, text escaped, nothing for None, and lists part by part."""
    return Html("".join(_part(p) for p in parts))


def _part(p: object) -> str:
    if isinstance(p, Html):
        return p
    if p is None or p is False:
        return ""
    if isinstance(p, list | tuple):
        return joined(p)
    return escape(clean(p), quote=False)


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
