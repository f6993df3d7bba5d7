"""Reads tables that name what was turned: `param_changed old_value new_value`, or a column for each knob.

A column is a knob by its name, or by standing between the number of a trial and its metric in a table of such columns.
"""

from __future__ import annotations

from typing import ClassVar

from trajscope.layout import Layout
from trajscope.readers import heads as beginnings
from trajscope.readers.heads import Head
from trajscope.readers.purposes import is_measured, roles
from trajscope.readers.table import Table


class Knobs(Table):
    """One table with knobs."""

    name: ClassVar[str] = "knobs"
    about: ClassVar[str] = (
        "a table that names what was turned: param_changed, old_value, new_value, or a column per knob"
    )
    knobs: ClassVar[bool] = True

    @classmethod
    def claims(cls, seen: Head) -> bool:
        """By columns for the knob and its new value, or by two columns that are knobs beside a metric."""
        if not seen.heading.in_file:
            return False
        layout = roles(seen.heading.names, seen.rows[0] if seen.rows else None, knobs=True).layout
        if layout.knob is not None and layout.value is not None:
            return True
        return len(layout.knobs) > 1 and layout.metric is not None and is_measured(layout.metric)

    @classmethod
    def fits(cls, head: bytes, layout: Layout) -> bool:
        """Whether somebody named columns that are knobs, and they are there."""
        named = bool(layout.knobs) or (layout.knob is not None and layout.value is not None)
        return named and beginnings.head(head, layout) is not None
