"""Reads the results table of a coding agent's research skill: `# key: value` lines, then `iteration commit metric ...`.

The direction stands in the file. A commit of `-` was never made: the change was discarded before.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar

from msgspec.structs import replace

from trajscope.readers.heads import Head, Heading, columns
from trajscope.readers.table import Found, Table
from trajscope.trial import Goal, Item, Line, Trial

_COLUMNS = frozenset(("iteration", "commit", "metric", "status"))
_GOALS: Mapping[str, Goal] = {
    "lower": "minimize", "min": "minimize", "minimize": "minimize", "minimise": "minimize", "down": "minimize",
    "higher": "maximize", "max": "maximize", "maximize": "maximize", "maximise": "maximize", "up": "maximize",
}  # fmt: skip


class Codex(Table):
    """One table under its preamble."""

    name: ClassVar[str] = "codex"
    about: ClassVar[str] = (
        "a table under lines such as `# metric_direction: lower`: iteration, commit, metric, delta, guard"
    )

    _guard = ""  # what the guard of the last row says, where it did not hold

    @classmethod
    def claims(cls, seen: Head) -> bool:
        """By its columns, with a direction before them or the difference and the guard among them."""
        names = columns(seen.heading.names)
        said = "metric_direction" in seen.about or {"delta", "guard"} <= names
        return names >= _COLUMNS and said

    @classmethod
    def _roles(cls, heading: Heading, first: Sequence[str] | None, about: Mapping[str, str]) -> Found:
        found = super()._roles(heading, first, about)
        goal = _GOALS.get(about.get("metric_direction", "").strip().casefold())
        unsure = tuple(u for u in found.unsure if goal is None or "--goal" not in u)
        metric = next((n for n in heading.names if n.casefold() == "metric"), found.layout.metric)
        return found._replace(
            layout=replace(found.layout, metric=metric, goal=goal or found.layout.goal), unsure=unsure
        )

    def feed(self, line: Line) -> Iterable[Item]:
        """The items of one line; that something was kept although its guard failed is said."""
        self._guard = ""
        items = super().feed(line)
        if self._guard:
            for item in items:
                if type(item) is Trial and item.status == "kept":
                    item.faults = (*item.faults, f"was kept, and its guard says {self._guard!r}")
        return items

    def _row(self, cells: list[str]) -> Any:
        names = self._heading.names if self._heading else ()
        at = names.index("guard") if "guard" in names else len(cells)
        cell = cells[at].strip() if at < len(cells) else ""
        self._guard = cell if cell.casefold().startswith(("fail", "error", "broken", "red")) else ""
        return cells
