"""The application: reads in a thread of its own, and shows what was read at most four times a second."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar, TypeVar

from textual.app import App
from textual.binding import Binding, BindingType
from textual.theme import BUILTIN_THEMES
from textual.worker import get_current_worker

from trajscope.readable import clean, short
from trajscope.run import Run
from trajscope.wake import Wake
from trajscope.watch import spoken, texts
from trajscope.watch.group import Group, beats
from trajscope.watch.ink import Line
from trajscope.watch.panel import Panel
from trajscope.watch.screen.asked import Asked
from trajscope.watch.screen.many import Many
from trajscope.watch.screen.one import One
from trajscope.watch.watching import Watching, named

T = TypeVar("T")
DARK = "textual-dark"
TERMINATED, INTERRUPTED = 143, 130  # exit codes, as a shell has them
# The library's own has warnings and successes that are too faint to read on it.
LIGHT = replace(
    BUILTIN_THEMES["textual-light"],
    name="trajscope-light",
    variables={
        **BUILTIN_THEMES["textual-light"].variables,
        "text-warning": "#7a4a00",
        "text-success": "#1a5e31",
        "foreground-muted": "#5a5a5a",
    },
)


class Watch(App[int]):
    """The live screen of one run or several. `page` renders an analysis as text for `e`."""

    TITLE = "trajscope"
    ENABLE_COMMAND_PALETTE = False
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("t", "theme", "light or dark", show=False),
        Binding("question_mark", "help", "help", key_display="?"),
        Binding("q", "quit", "quit"),
        Binding("ctrl+c", "interrupt", show=False, system=True),
    ]

    def __init__(
        self,
        group: Group,
        *,
        clock: Callable[[], float],
        page: Callable[[Mapping[str, Any]], str],
        wake: Wake | None = None,
        until_alarm: bool = False,
        export_to: Path | None = None,
    ) -> None:
        """Without a `wake` nothing is read until `turn` is called."""
        super().__init__()
        self.register_theme(LIGHT)
        self.group = group
        self._clock, self._page, self._wake, self._until_alarm = clock, page, wake, until_alarm
        self._export_to = export_to or Path()
        self._one: One | None = None
        self._many: Many | None = None

    def on_mount(self) -> None:
        """Show the run, or the runs, and begin to read."""
        with contextlib.suppress(NotImplementedError, RuntimeError, ValueError):  # not here, or not in this thread
            asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, self._ended, TERMINATED)
        if self.group.folder is None and len(self.group.runs) == 1:
            self._open(next(iter(self.group.runs.values())))
        else:
            self._many = Many()
            self.push_screen(self._many)
        if self._wake is not None:
            self.run_worker(self._read, thread=True, exclusive=True, group="read")

    def turn(self) -> None:
        """Read on and show it, in this thread."""
        self.group.turn(self._clock())
        self.show_now()

    def show_now(self) -> None:
        """Show what was read."""
        self._show(self._panels())

    def turn_soon(self) -> None:
        """Show anew at the next chance."""
        if self._wake is not None:
            self._wake.rouse()
        else:
            self.turn()

    def open(self, path: str) -> None:
        """One of several runs on its own screen. It is read again from its beginning, to be asked in SQL."""
        watching = self.group.reopened(path)
        self._open(watching)
        self.turn_soon()

    def back(self) -> None:
        """From one of several runs to all of them."""
        if self._many is not None and self._one is not None:
            self._one = None
            self.pop_screen()
            self.turn_soon()

    def calm(
        self, watching: Watching, text: Callable[[Panel, Run | None, int], list[Line]], p: Panel, columns: int
    ) -> list[Line]:
        """A text about a run while nothing is written to it."""
        with watching.busy:
            return text(p, watching.live.run, columns)

    def export(self, watching: Watching) -> None:
        """Write the analysis and the page to files, and say where."""
        doc = watching.document()
        if doc is None:
            self.notify("there is no run to export yet", severity="warning", markup=False)
            return
        stem = self._export_to / named(watching.live.source.path if watching.live.source.path != "-" else "stdin")
        written = {
            f"{stem}.analysis.json": json.dumps(doc, ensure_ascii=False, allow_nan=False) + "\n",
            f"{stem}.page.txt": self._page(doc) + "\n",
        }
        try:
            for name, text in written.items():
                _write(Path(name), text)
        except OSError as e:
            self.notify(clean(f"{e.filename}: cannot be written ({e.strerror})"), severity="error", markup=False)
        else:
            self.notify(short(f"wrote {' and '.join(written)}", 300), markup=False)

    def action_theme(self) -> None:
        """Light or dark."""
        self.theme = LIGHT.name if self.current_theme.dark else DARK

    def action_help(self) -> None:
        """The keys, and how to read the screen."""
        if not isinstance(self.screen, Asked):
            self.push_screen(Asked("help", texts.help_))

    def action_interrupt(self) -> None:
        """Leave as Ctrl-C leaves any command."""
        self._ended(INTERRUPTED)

    def _ended(self, code: int) -> None:
        """Leave, and give the terminal back as it was."""
        self.exit(code)

    def _open(self, watching: Watching) -> None:
        self._one = One(watching)
        self.push_screen(self._one)

    def _read(self) -> None:
        """Read on until the screen is closed. Runs in a thread."""
        worker, wake = get_current_worker(), self._wake
        assert wake is not None
        for _ in beats(self.group, wake, self._clock):
            if worker.is_cancelled:
                return
            self.call_from_thread(self._show, self._panels())

    def _panels(self) -> dict[str, Panel]:
        """What is to be shown of the runs that can be seen."""
        found, one = self.group.look(self._clock(), at_once=False), self._one
        return found if one is None else {path: p for path, p in found.items() if path == one.watching.live.source.path}

    def _show(self, panels: dict[str, Panel]) -> None:
        one = self._one
        if one is not None:
            found = panels.get(one.watching.live.source.path)
            if found is not None and one.is_mounted:
                one.show(found)
        elif self._many is not None and self._many.is_mounted:
            where = clean(self.group.folder or "several files")
            troubles = {k: clean(v).replace(f"{where}/", "") for k, v in self.group.troubles.items()}
            self._many.show(where, panels, troubles)
        if self._until_alarm:
            codes = [spoken.exit_code(p) for p in panels.values()]
            if 1 in codes or (self.group.over and not self.group.behind):
                self.exit(max(codes, default=3) if 1 not in codes else 1)


def _write(path: Path, text: str) -> None:
    tmp = path.with_name(f".{path.name}.{os.getpid()}")
    tmp.write_text(text, encoding="utf-8")
    tmp.replace(path)
