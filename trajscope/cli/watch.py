"""`trajscope watch`: the live screen, and the same in lines where there is no terminal."""

from __future__ import annotations

import contextlib
import io
import os
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from trajscope.cli.options import Json, source, sourced
from trajscope.said import NOTHING, Asked

if TYPE_CHECKING:
    from trajscope.watch.group import Group
    from trajscope.watch.ink import Line
    from trajscope.watch.panel import Panel
    from trajscope.watch.telling import Telling
    from trajscope.watch.watching import Watching

PAINTS = {
    "bad": ("red", "bold"),
    "warn": ("yellow",),
    "good": ("green",),
    "dim": ("dim",),
    "head": ("bold",),
    "accent": ("cyan",),
    "best": ("green",),
    "band": ("dim",),
}


@sourced
def watch(
    files: Annotated[
        list[Path],
        typer.Argument(metavar="FILE|DIR|-", help="A growing run, several, a folder of them, or standard input."),
    ],
    *,
    plain: Annotated[bool, typer.Option("--plain", help="A line whenever something changes, and no screen.")] = False,
    json: Json = False,
    once: Annotated[bool, typer.Option("--once", help="Show what is there now, and end.")] = False,
    until_alarm: Annotated[
        bool, typer.Option("--until-alarm", help="End at the first alarm, with exit code 1; 3 where nothing is known.")
    ] = False,
    sidecar: Annotated[
        bool, typer.Option("--sidecar", help="Keep RUN.coverage.json beside a run that somebody else writes.")
    ] = False,
    notify: Annotated[
        list[str] | None,
        typer.Option(
            "--notify",
            metavar="TARGET",
            help="Tell of alarms: bell, terminal, a URL (slack+https://... for Slack's shape) or a file of JSON lines.",
        ),
    ] = None,
    execute: Annotated[
        list[str] | None,
        typer.Option("--exec", metavar="CMD", help="Run a program for each alarm, with its JSON on standard input."),
    ] = None,
    notify_warnings: Annotated[
        bool, typer.Option("--notify-warnings", help="Tell of warnings too, and not only of what fails.")
    ] = False,
    replay: Annotated[
        float | None,
        typer.Option(
            "--replay", metavar="SPEED", help="Play a finished file, SPEED lines a second; 0 is at once.", min=0
        ),
    ] = None,
    asked: Asked = NOTHING,
) -> None:
    """Watch a run while it goes on: is it alive, what is wrong, is the best real, what was never tried.

    Example: trajscope watch run.jsonl
    """
    import time

    from trajscope.wake import Wake
    from trajscope.watch.group import Group
    from trajscope.watch.played import Played
    from trajscope.watch.watching import Watching

    folder = _folder(files)
    if "-" in map(str, files) and len(files) > 1:
        raise typer.BadParameter("standard input stands alone", param_hint="FILE")
    if replay is not None and (len(files) > 1 or folder is not None or str(files[0]) == "-"):
        raise typer.BadParameter("plays one file", param_hint="--replay")
    lines = plain or json or once or not _terminal()

    def said(path: Path) -> Any:
        return source(path, asked)

    telling = _telling(notify or [], execute or [], warnings=notify_warnings)
    group = Group(said, folder=folder, told=telling.hear if telling else None, sidecars=sidecar)
    for path in files if folder is None else ():
        played = None if replay is None else Played(str(path), replay, time.monotonic)
        group.add(path, Watching(*said(path), asked=not lines, played=played, sidecar=sidecar))
    with Wake([folder] if folder else [p for p in files if str(p) != "-"]) as wake:
        try:
            if lines:
                code = _lines(group, wake, plain=plain, json=json, once=once, until_alarm=until_alarm)
            else:
                code = _screen(group, wake, until_alarm=until_alarm)
        finally:
            group.close()
            if telling:
                telling.close()
    _moments(group.runs.values(), json=json)
    if code:
        raise typer.Exit(code)


def schemas() -> dict[str, dict[str, Any]]:
    """What it prints, what stands beside a run that it watches, and what it hands on."""
    from trajscope import notify, sidecar
    from trajscope.watch import spoken

    return {"watch": spoken.schema(), "coverage": sidecar.schema(), "alarm": notify.schema()}


def _telling(targets: list[str], commands: list[str], *, warnings: bool) -> Telling | None:
    """Whoever is to be told; a target that cannot be told is an error before anything is watched."""
    if not targets and not commands:
        return None
    from trajscope import notify
    from trajscope.cli.text import warn
    from trajscope.verdict import Level
    from trajscope.watch.telling import Telling

    sinks = [*map(notify.sink, targets), *map(notify.program, commands)]
    return Telling(sinks, warn, least=Level.WARN if warnings else Level.FAIL)


def _screen(group: Group, wake: Any, *, until_alarm: bool) -> int:
    """The live screen, until somebody leaves it; the exit code."""
    import time

    from trajscope.watch.screen.app import Watch

    if "-" in group.runs:
        _keys_from_the_terminal()
    app = Watch(group, clock=time.time, page=_exported, wake=wake, until_alarm=until_alarm)
    return app.run() or app.return_code or 0


def _exported(doc: Mapping[str, Any]) -> str:
    """The page of an analysis as a file has it: without colour, whatever the terminal can do."""
    from trajscope.cli.page import page
    from trajscope.cli.text import DEFAULT_WIDTH

    with contextlib.redirect_stdout(io.StringIO()):
        return page(doc, DEFAULT_WIDTH)


def _keys_from_the_terminal() -> None:
    """Standard input is the run: keep it, and let the keys come from the terminal itself."""
    run = os.dup(0)
    terminal = os.open("/dev/tty", os.O_RDWR)
    os.dup2(terminal, 0)
    os.close(terminal)
    sys.stdin = os.fdopen(run)


def _lines(group: Group, wake: Any, *, plain: bool, json: bool, once: bool, until_alarm: bool) -> int:
    """Say what there is to say, line by line; the exit code."""
    import time

    from trajscope.cli.text import warn
    from trajscope.watch import spoken
    from trajscope.watch.group import panels

    told: dict[int, Any] = {}  # what was last said of each run
    odd: dict[int, int] = {}
    codes: dict[int, int] = {}
    several = group.folder is not None or len(group.runs) > 1
    for watching, panel in panels(group, wake, time.time, once=once):
        run = id(watching)
        before, codes[run] = told.get(run), spoken.exit_code(panel)
        for text in panel.notices[len(panel.notices) - min(len(panel.notices), panel.odd - odd.get(run, 0)) :]:
            warn(f"{panel.name}: {text}")
        odd[run] = panel.odd
        if json:
            told[run] = spoken.update(panel)
            if spoken.differs(before, told[run]):
                print(spoken.json_line(told[run]), flush=True)
        elif once and not plain:
            _page(panel)
        else:
            told[run] = spoken.headline(panel)
            if told[run] != before:
                print(spoken.plain_line(panel, named=several), flush=True)
        if until_alarm and codes[run] == 1:
            return 1
    if until_alarm:
        return max(codes.values(), default=3)
    return 3 if once and not any(x.seen.trials for x in group.runs.values()) else 0


def _page(panel: Panel) -> None:
    """The whole screen, once, in the colours of the terminal."""
    from trajscope.cli.text import wide
    from trajscope.watch import draw

    columns = wide()
    for line in [
        *draw.screen(panel, columns, 40),
        draw.head(columns),
        *(draw.trial(t, columns) for t in panel.trials[:10]),
    ]:
        print(_painted(line))


def _painted(line: Line) -> str:
    from trajscope.cli.text import paint

    return "".join(paint(s.text, *PAINTS.get(s.role, ())) if s.role else s.text for s in line).rstrip()


def _moments(runs: Iterable[Watching], *, json: bool) -> None:
    """When each alarm of a played file first spoke."""
    from trajscope.cli.text import wide
    from trajscope.watch import spoken

    for watching in runs:
        if watching.played is None or json:
            continue
        found, seen = watching.moments.found.values(), watching.seen
        print("\n".join(spoken.moments(found, seen.spent_s, seen.trials, wide())))


def _folder(files: list[Path]) -> Path | None:
    folders = [p for p in files if p.is_dir()]
    if folders and len(files) > 1:
        raise typer.BadParameter("a folder stands alone", param_hint="FILE")
    return folders[0] if folders else None


def _terminal() -> bool:
    """Whether there is a terminal that a screen can be drawn on."""
    return sys.stdout.isatty() and os.environ.get("TERM") not in (None, "", "dumb")
