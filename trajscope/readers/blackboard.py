"""Reads the blackboard of a team of specialists: `exp_id`, `parent_exp`, a hypothesis, a status, and what it measured.

Says what each experiment was built on. The column after the status is the metric; the file names no direction.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

from msgspec.structs import replace

from trajscope.readers.fields import goal_of
from trajscope.readers.heads import Head, Heading, columns
from trajscope.readers.purposes import plain
from trajscope.readers.table import Found, Table

_COLUMNS = frozenset(("exp_id", "parent_exp", "status"))


class Blackboard(Table):
    """One blackboard, or the tree of it."""

    name: ClassVar[str] = "blackboard"
    about: ClassVar[str] = "a table with lineage: exp_id, parent_exp, hypothesis, status, the metric and what it cost"

    @classmethod
    def claims(cls, seen: Head) -> bool:
        """By the columns of the lineage."""
        return columns(seen.heading.names) >= _COLUMNS

    @classmethod
    def _roles(cls, heading: Heading, first: Sequence[str] | None, about: Mapping[str, str]) -> Found:
        found = super()._roles(heading, first, about)
        layout, names = found.layout, heading.names
        after = names.index(layout.status) + 1 if layout.status in names else len(names)
        if after < len(names) and "hypothesis" in columns(names):  # a tree has no fixed place for it
            metric = names[after]
            goal = "minimize" if plain(metric) == "train_s" else goal_of(metric)
            measured = (metric, *(m for m in layout.metrics if m != metric))
            wall = None if layout.wall_s == metric else layout.wall_s
            layout = replace(layout, metric=metric, goal=goal, metrics=measured, wall_s=wall)
            way = () if goal else (f"nothing tells which way {metric} is better; say --goal",)
            found = found._replace(layout=layout, unsure=way)
        hypothesis = next((n for n in names if plain(n) == "hypothesis"), layout.description)
        return found._replace(layout=replace(found.layout, description=hypothesis))
