"""The screen of several runs: one line each, the worst first; enter opens one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar, cast

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.screen import Screen
from textual.widgets import Footer

from trajscope.readable import clean, plural
from trajscope.watch import draw
from trajscope.watch.ink import Line, Span, cut, fit
from trajscope.watch.panel import Panel
from trajscope.watch.screen.paper import Paper, Rows

if TYPE_CHECKING:
    from trajscope.watch.screen.app import Watch


class Runs(Rows):
    """The runs, one line each."""

    def __init__(self) -> None:
        super().__init__()
        self.shown: Sequence[tuple[str, Panel]] = ()
        self.root = ""  # what all paths begin with

    def head(self, columns: int) -> Line:
        """The heads of the columns."""
        return draw.summary_head(columns)

    def line(self, row: int, columns: int) -> Line:
        """One run."""
        path, panel = self.shown[row]
        return draw.summary(panel, columns, clean(path).removeprefix(self.root))

    def take(self, runs: Sequence[tuple[str, Panel]]) -> None:
        """Show these; the cursor stays on its run."""
        held = self.shown[self.cursor][0] if self.cursor < len(self.shown) else None
        self.shown = runs
        if held is not None:
            self.cursor = next((i for i, (name, _) in enumerate(runs) if name == held), self.cursor)
        self.count(len(runs))


class Many(Screen[None]):
    """Several runs."""

    BINDINGS: ClassVar[list[BindingType]] = []

    def compose(self) -> ComposeResult:
        """What there is, the runs, keys."""
        yield Paper()
        yield Runs()
        yield Footer(show_command_palette=False, compact=True)

    def on_mount(self) -> None:
        """Keys move through the runs."""
        self.query_one(Runs).focus()

    def show(self, where: str, panels: Mapping[str, Panel], troubles: Mapping[str, str]) -> None:
        """Show these runs."""
        ordered = sorted(panels.items(), key=lambda x: (draw.urgency(x[1]), x[1].name, x[0]))
        columns = self.app.size.width
        words: dict[str, int] = {}
        for _, p in ordered:
            words[p.word.word] = words.get(p.word.word, 0) + 1
        counted = ", ".join(f"{n} {w}" for w, n in words.items()) or "none yet; waiting for a file that a reader knows"
        lines: list[Line] = [
            [Span(f" {cut(where, columns // 2)}", "head"), Span(f"   {plural(len(ordered), 'run')}: {counted}")]
        ]
        lines += [[Span(" ! ", "warn"), Span(cut(why, columns - 3), "warn")] for why in list(troubles.values())[:2]]
        self.query_one(Paper).write([*(fit(line, columns) for line in lines), []])
        runs = self.query_one(Runs)
        runs.root = f"{where}/"
        runs.take(ordered)

    def on_rows_opened(self, event: Rows.Opened) -> None:
        """Open one."""
        shown = self.query_one(Runs).shown
        if event.row < len(shown):
            cast("Watch", self.app).open(shown[event.row][0])
