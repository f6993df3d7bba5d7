"""Puts lines of spans on a Textual screen: which colour a role has, in light and dark, and a list of trials."""

from __future__ import annotations

from collections.abc import Container, Sequence
from typing import ClassVar

from textual import events
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.message import Message
from textual.reactive import reactive
from textual.widget import Widget
from textual.widgets import Static

from trajscope.columns import Row
from trajscope.watch import draw
from trajscope.watch.ink import Line, Role, Span, padded, plain
from trajscope.watch.seen import Line as Trial

CURSOR = "▸"
STYLES: dict[Role, str] = {
    "": "",
    "bad": "bold $text-error",
    "warn": "$text-warning",
    "good": "$text-success",
    "dim": "$foreground-muted",
    "head": "bold",
    "accent": "$text-primary",
    "best": "bold $text-success",
    "band": "$foreground-disabled",
    "key": "bold $text-primary",
}


def content(lines: Sequence[Line]) -> Content:
    """Lines as Textual draws them. Nothing in them is markup."""
    parts: list[str | tuple[str, str]] = []
    for n, line in enumerate(lines):
        parts += ["\n"] if n else []
        parts += [(s.text, STYLES[s.role]) for s in line if s.text]
    return Content.assemble(*parts)


class Paper(Static):
    """Lines of the house on the screen."""

    DEFAULT_CSS = "Paper { height: auto; width: 1fr; text-wrap: nowrap; }"

    def __init__(self) -> None:
        super().__init__()
        self._lines: Sequence[Line] = ()

    def write(self, lines: Sequence[Line]) -> None:
        """Show these lines; what stands there already is not drawn again."""
        if lines != self._lines:
            high, self._lines = len(self._lines), lines
            self.update(content(lines), layout=len(lines) != high)  # a layout costs as much as all the rest


class Rows(Widget, can_focus=True):
    """A list of which only the visible part is drawn, so that its length costs nothing. Enter or a click opens one."""

    DEFAULT_CSS = "Rows { height: 1fr; width: 1fr; }"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "move(-1)", show=False),
        Binding("down,j", "move(1)", show=False),
        Binding("pageup", "page(-1)", show=False),
        Binding("pagedown,space", "page(1)", show=False),
        Binding("home", "move(-1000000)", show=False),
        Binding("end", "move(1000000)", show=False),
        Binding("enter", "open", "open", key_display="enter"),
    ]
    cursor: reactive[int] = reactive(0)
    top: reactive[int] = reactive(0)

    class Opened(Message):
        """Somebody wants to see one row in full."""

        def __init__(self, row: int) -> None:
            super().__init__()
            self.row = row

    def __init__(self) -> None:
        super().__init__()
        self._lines = 0

    def line(self, row: int, columns: int) -> Line:
        """One row."""
        raise NotImplementedError

    def head(self, columns: int) -> Line:
        """The heads of the columns."""
        raise NotImplementedError

    def count(self, rows: int) -> None:
        """There are so many rows now."""
        self._lines = rows
        self.cursor = max(0, min(self.cursor, rows - 1))
        self._follow()
        self.refresh()

    def render(self) -> Content:
        """The visible part."""
        columns, lines = self.size.width, self.size.height - 1
        if columns < 1 or lines < 1:
            return Content("")
        out = [[Span(" "), *self.head(columns - 1)]]
        for row in range(self.top, min(self._lines, self.top + lines)):
            mark = Span(CURSOR if row == self.cursor else " ", "key")
            out.append(padded([mark, *self.line(row, columns - 1)], columns))
        shown = content(out)
        at = self.cursor - self.top
        if self._lines and 0 <= at < lines:
            start = sum(len(plain(x)) + 1 for x in out[: at + 1])
            # The mark is for those who see no colour.
            shown = shown.stylize("on $primary-muted", start, start + len(plain(out[at + 1])))
        return shown

    def action_move(self, by: int) -> None:
        """Move the cursor."""
        self.cursor = max(0, min(self._lines - 1, self.cursor + by))
        self._follow()

    def action_page(self, by: int) -> None:
        """Move the cursor by a screen."""
        self.action_move(by * max(1, self.size.height - 2))

    def action_open(self) -> None:
        """Open the row under the cursor."""
        if self._lines:
            self.post_message(self.Opened(self.cursor))

    def on_click(self, event: events.Click) -> None:
        """The first click chooses a row, the next one on it opens it."""
        row = self.top + event.y - 1
        if event.y < 1 or row >= self._lines:
            return
        if row == self.cursor:
            self.action_open()
        self.cursor = row

    def on_mouse_scroll_down(self) -> None:
        """Down by three."""
        self.action_move(3)

    def on_mouse_scroll_up(self) -> None:
        """Up by three."""
        self.action_move(-3)

    def on_resize(self) -> None:
        """Keep the cursor in sight."""
        self._follow()

    def _follow(self) -> None:
        room = max(1, self.size.height - 1)
        if self.cursor < self.top:
            self.top = self.cursor
        elif self.cursor >= self.top + room:
            self.top = self.cursor - room + 1
        self.top = max(0, min(self.top, self._lines - room)) if self._lines > room else 0


class Trials(Rows):
    """The trials of a run, newest first."""

    def __init__(self) -> None:
        super().__init__()
        self.all: tuple[Trial, ...] = ()
        self.shown: Sequence[Trial] = ()
        self.wanted = ""
        self.marks: Container[Row] = ()

    @property
    def chosen(self) -> Row | None:
        """The trial under the cursor."""
        return self.shown[self.cursor].row if self.cursor < len(self.shown) else None

    def to_mark(self) -> bool:
        """Move to the next bookmark further down, from the last to the first; whether there is one."""
        n, at = len(self.shown), self.cursor
        for i in (x % n for x in range(at + 1, at + n + 1)):
            if self.shown[i].row in self.marks:
                self.action_move(i - at)
                return True
        return False

    def take(self, trials: tuple[Trial, ...]) -> None:
        """Show these; the cursor stays on its trial where it is not on the newest."""
        if trials is self.all:
            return
        held = self.shown[self.cursor].row.seq if self.cursor and self.cursor < len(self.shown) else None
        self.all = trials
        self._filter()
        if held is not None:
            self.cursor = next((i for i, t in enumerate(self.shown) if t.row.seq == held), self.cursor)
        self.count(len(self.shown))

    def want(self, words: str) -> None:
        """Show only trials in which all of these words occur."""
        self.wanted = words
        self._filter()
        self.count(len(self.shown))

    def head(self, columns: int) -> Line:
        """The heads of the columns, and what is left out."""
        if self.wanted:
            return draw.head(columns, f"{len(self.shown):,} of {len(self.all):,} hold: {self.wanted}")
        return draw.head(columns)

    def line(self, row: int, columns: int) -> Line:
        """One trial."""
        return draw.trial(self.shown[row], columns, marked=self.shown[row].row in self.marks)

    def _filter(self) -> None:
        words = self.wanted.casefold().split()
        self.shown = [t for t in self.all if draw.holds(t, words)] if words else self.all
