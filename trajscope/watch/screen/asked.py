"""What a key puts before the screen: a text, one trial in full, questions in SQL. Escape goes back."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar

from rich.syntax import Syntax
from rich.text import Text
from textual import events, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import DataTable, Input, Static

from trajscope.errors import QueryError
from trajscope.readable import clean, plural, short
from trajscope.watch.detail import Detail
from trajscope.watch.ink import Line, Span, fit
from trajscope.watch.screen.paper import Paper, content

if TYPE_CHECKING:
    from trajscope.store import Answer

MARGIN = 12  # columns that the frame around a text takes
LONGEST = 200  # letters of a cell of an answer
FIRST = "SELECT pair, count(*) AS n, sum(kept::int) AS kept FROM trials GROUP BY pair ORDER BY n DESC, pair"
BACK: list[BindingType] = [Binding("escape,q", "dismiss", "back")]
CSS = """
.frame { border: round $primary; border-title-color: $text-primary; background: $surface; padding: 0 1; }
.frame { width: 100%; height: 100%; margin: 1 2; }
"""


class Asked(ModalScreen[None]):
    """A text that can be scrolled. It is asked for again when the window changes its size."""

    DEFAULT_CSS = "Asked { align: center middle; } Asked " + CSS.strip().replace("\n.", "\nAsked .")
    BINDINGS: ClassVar[list[BindingType]] = BACK

    def __init__(self, title: str, text: Callable[[int], list[Line]]) -> None:
        super().__init__()
        self._title, self._text = title, text

    def compose(self) -> ComposeResult:
        """One text in a frame."""
        with VerticalScroll(classes="frame") as frame:
            yield Paper()
        frame.border_title, frame.border_subtitle = self._title, "escape: back"

    def on_mount(self) -> None:
        """Write it, and let the keys scroll it."""
        self._write(self.app.size.width)
        self.query_one(VerticalScroll).focus()

    def on_resize(self, event: events.Resize) -> None:
        """Write it anew."""
        self._write(event.size.width)

    def _write(self, width: int) -> None:
        columns = max(20, width - MARGIN)
        self.query_one(Paper).write([fit(line, columns) for line in self._text(columns)])


class OneTrial(Asked):
    """One trial in full, its diff in colour."""

    def __init__(self, title: str, found: Callable[[int], Detail]) -> None:
        super().__init__(title, lambda columns: found(columns).lines)
        self._found = found

    def compose(self) -> ComposeResult:
        """The fields, then the diff."""
        with VerticalScroll(classes="frame") as frame:
            yield Paper()
            yield Static(id="diff", markup=False)
        frame.border_title, frame.border_subtitle = self._title, "escape: back"

    def _write(self, width: int) -> None:
        columns = max(20, width - MARGIN)
        found = self._found(columns)
        head: list[Line] = [[], [Span(" diff" if found.diff else " no diff is recorded", "head")]]
        self.query_one(Paper).write([fit(line, columns) for line in (*found.lines, *head)])
        theme = "ansi_dark" if self.app.current_theme.dark else "ansi_light"
        diff = Syntax(found.diff, "diff", theme=theme, background_color="default", word_wrap=True)
        self.query_one("#diff", Static).update(diff if found.diff else "")


class Sql(ModalScreen[None]):
    """Questions in SQL over the rows that the screen shows."""

    DEFAULT_CSS = "Sql " + CSS.strip().replace("\n.", "\nSql .") + "Sql DataTable { height: 1fr; }"
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "dismiss", "back")]

    def __init__(self, ask: Callable[[str], Answer]) -> None:
        super().__init__()
        self._ask = ask

    def compose(self) -> ComposeResult:
        """The question, what became of it, the answer."""
        with Vertical(classes="frame") as frame:
            yield Input(FIRST, compact=True, select_on_focus=False)
            yield Static("enter asks; views: runs, trials, seeds, events", id="said", markup=False)
            yield DataTable(cursor_type="row", zebra_stripes=True)
        frame.border_title, frame.border_subtitle = "SQL, read-only", "escape: back"

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Ask."""
        self.query_one("#said", Static).update("asking ...")
        self._answer(event.value)

    @work(thread=True, exclusive=True, group="sql")
    def _answer(self, sql: str) -> None:
        # In a thread of its own: a question may take seconds, and the screen goes on.
        try:
            found: Answer | str = self._ask(sql)
        except QueryError as e:
            found = str(e)
        self.app.call_from_thread(self._show, found)

    def _show(self, found: Answer | str) -> None:
        if not self.is_mounted:
            return
        table, said = self.query_one(DataTable), self.query_one("#said", Static)
        if isinstance(found, str):
            said.update(content([[Span(clean(found), "bad")]]))
            return
        table.clear(columns=True)
        table.add_columns(*(Text(short(c, LONGEST)) for c in found.columns))
        for row in found.rows:
            table.add_row(*map(_cell, row))
        more = ", and there are more" if found.cut else ""
        said.update(f"{plural(len(found.rows), 'row')}{more}")


def _cell(value: Any) -> Text:
    """A cell without markup, however it was written."""
    said = "" if value is None else f"{value:.6g}" if isinstance(value, float) else short(value, LONGEST)
    return Text(said, justify="right" if isinstance(value, int | float) and not isinstance(value, bool) else "left")
