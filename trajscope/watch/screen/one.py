"""The screen of one run: its panel above, its trials below."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, cast

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.screen import Screen
from textual.widgets import Footer, Input

from trajscope.readable import clean
from trajscope.watch import draw, texts
from trajscope.watch.detail import Detail, detail
from trajscope.watch.ink import Line, Span, padded, width
from trajscope.watch.marks import Marks
from trajscope.watch.panel import Panel, older
from trajscope.watch.screen.asked import Asked, OneTrial, Sql
from trajscope.watch.screen.paper import Paper, Trials
from trajscope.watch.watching import Watching

if TYPE_CHECKING:
    from trajscope.watch.screen.app import Watch

LEAST_TRIALS = 6  # lines that the trials keep, their heads included
SHARE = 4  # and this share of a high window
STILL_S = 5.0  # between two drawings in which only an age differs,
YOUNG_S = 10.0  # where it is this or more


class One(Screen[None]):
    """One run."""

    DEFAULT_CSS = """
    One Input { dock: bottom; margin-bottom: 1; display: none; }
    One Input.asked { display: block; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("slash", "filter", "filter", key_display="/"),
        Binding("w", "why", "why"),
        Binding("g", "gaps", "gaps"),
        Binding("r", "rail", "rail"),
        Binding("s", "sql", "sql"),
        Binding("e", "export", "export"),
        Binding("p", "hold", "hold"),
        Binding("b", "mark", show=False),
        Binding("B", "to_mark", show=False),
        Binding("escape", "back", show=False),
    ]

    def __init__(self, watching: Watching) -> None:
        super().__init__()
        self.watching = watching
        self.marks = Marks(watching.live.source.path)
        self.panel: Panel | None = None
        self.held = False
        self._told = False  # why bookmarks are not kept

    @property
    def house(self) -> Watch:
        """The application."""
        return cast("Watch", self.app)

    def compose(self) -> ComposeResult:
        """Panel, trials, filter, keys."""
        yield Paper()
        yield Trials()
        yield Input(placeholder="filter: words that must all occur (escape ends it)", compact=True)
        yield Footer(show_command_palette=False, compact=True)

    def on_mount(self) -> None:
        """Keys move through the trials."""
        rows = self.query_one(Trials)
        rows.marks = self.marks
        rows.focus()

    def show(self, panel: Panel) -> None:
        """Show this, unless somebody holds the screen."""
        if self.held and self.panel is not None:
            self._draw(behind=panel.rows.trials - self.panel.rows.trials)
            return
        if self._still(panel):
            return
        self.panel = panel
        self._draw()
        self.query_one(Trials).take(panel.trials)

    def _still(self, panel: Panel) -> bool:
        """Whether only an age went on, and by so little that it can wait: drawing is what a quiet file costs."""
        if self.panel is None or (panel.fresh.age_s or 0.0) < YOUNG_S:
            return False
        return 0 < panel.at_s - self.panel.at_s < STILL_S and older(self.panel, panel)

    def on_resize(self, event: events.Resize) -> None:
        """Draw for the new size."""
        self._draw()

    def _draw(self, behind: int = 0) -> None:
        p, size = self.panel, self.app.size
        if p is None:
            return
        room = size.height - 1 - max(LEAST_TRIALS, size.height // SHARE)
        lines = draw.screen(p, size.width, max(4, room))
        if self.held:
            lines[0] = _held(lines[0], behind, size.width)
        self.query_one(Paper).write(lines)

    def on_rows_opened(self, event: Trials.Opened) -> None:
        """One trial in full."""
        shown = self.query_one(Trials).shown
        if event.row >= len(shown):
            return
        row = shown[event.row].row
        path = self.watching.live.source.path

        def found(columns: int) -> Detail:
            return detail(path, row.at, row.seq, columns)

        self.app.push_screen(OneTrial(f"trial {row.seq}", found))

    def action_mark(self) -> None:
        """Mark the trial under the cursor, or take its mark away."""
        rows = self.query_one(Trials)
        if (row := rows.chosen) is None:
            return
        self.marks.turn(row)
        rows.refresh()
        if self.marks.fault and not self._told:
            self._told = True
            said = f"bookmarks last until this screen is closed: {self.marks.fault}"
            self.notify(clean(said), severity="warning", markup=False)

    def action_to_mark(self) -> None:
        """To the next bookmark."""
        if not self.query_one(Trials).to_mark():
            self.notify("none of these trials has a bookmark (b sets one)", markup=False)

    def action_filter(self) -> None:
        """Ask for words."""
        box = self.query_one(Input)
        box.add_class("asked")
        box.focus()

    def on_input_changed(self, event: Input.Changed) -> None:
        """Filter while it is typed."""
        self.query_one(Trials).want(event.value)

    def on_input_submitted(self) -> None:
        """Keep the filter, and go back to the trials."""
        self.query_one(Trials).focus()
        self.query_one(Input).set_class(bool(self.query_one(Input).value), "asked")

    def action_back(self) -> None:
        """End the filter; from a run that was opened among several, go back to them."""
        box = self.query_one(Input)
        if box.has_class("asked"):
            box.value = ""
            box.remove_class("asked")
            self.query_one(Trials).focus()
        else:
            self.house.back()

    def action_why(self) -> None:
        """Every verdict with the trials that show it."""
        if p := self.panel:
            self.app.push_screen(Asked("why", lambda columns: texts.why(p, columns)))

    def action_gaps(self) -> None:
        """What was never tried."""
        if p := self.panel:
            self.app.push_screen(Asked("gaps", lambda columns: self.house.calm(self.watching, texts.gaps, p, columns)))

    def action_rail(self) -> None:
        """What was refused."""
        if p := self.panel:
            self.app.push_screen(Asked("rail", lambda columns: self.house.calm(self.watching, texts.rail, p, columns)))

    def action_sql(self) -> None:
        """Questions in SQL."""
        self.app.push_screen(Sql(self.watching.ask))

    def action_export(self) -> None:
        """Write the analysis and the page to files, and say where."""
        self.house.export(self.watching)

    def action_hold(self) -> None:
        """Hold what is shown, or let go of it."""
        self.held = not self.held
        if self.held:
            self._draw()
        else:
            self.house.turn_soon()


def _held(line: Line, behind: int, columns: int) -> Line:
    """The first line with a word that it is held."""
    said = f" HELD{f', {behind:,} trials behind' if behind > 0 else ''}: p "
    room = columns - len(said)
    return [*padded(line, room), Span(said, "warn")] if width(line) or room > 0 else line
