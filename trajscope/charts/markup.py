"""Markup: HTML from values. Whatever comes from a file is cleaned and escaped on its way in, without exception."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape

from trajscope.readable import clean

VOID = frozenset(("br", "meta", "link", "col", "input", "img", "wbr"))


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
