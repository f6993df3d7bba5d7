"""The options that many verbs share, and how flags, settings and files beside the run become one Source."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, get_args

import typer

File = Annotated[Path, typer.Argument(metavar="FILE", help="A trajectory file; `-` is standard input.")]
Files = Annotated[list[Path], typer.Argument(metavar="FILE", help="Trajectory files; `-` is standard input.")]
Reader = Annotated[
    str | None, typer.Option("--reader", metavar="NAME", help="The format, where it is not recognised (see `formats`).")
]
MetricName = Annotated[
    str | None,
    typer.Option("--metric", metavar="NAME", help="The metric, where the file does not say or another is wanted."),
]
GoalName = Annotated[
    str | None, typer.Option("--goal", metavar="GOAL", help="minimize or maximize, where the file does not say.")
]
MenuFile = Annotated[
    Path | None,
    typer.Option("--menu", metavar="FILE", help="The menu of knobs. [default: NAME.menu.json beside the file]"),
]
History = Annotated[
    int | None, typer.Option("--history", metavar="N", help="How many past trials the proposer was shown.", min=0)
]
Json = Annotated[bool, typer.Option("--json", help="One JSON line per result.")]


def source(
    path: Path, reader: str | None, metric: str | None, goal: str | None, menu: Path | None, history: int | None
) -> tuple[Any, str | None]:
    """What is said about a file, flags before settings before what stands beside it."""
    from trajscope.lookout.said import said
    from trajscope.trial import Goal

    goals = get_args(Goal)
    if goal is not None and goal not in goals:
        raise typer.BadParameter(f"{goal!r} is neither {' nor '.join(goals)}", param_hint="--goal")
    return said(path, reader, metric, goal, menu, history)  # type: ignore[arg-type]  # checked above


def twice(path: Path, what: str) -> None:
    """Raise for a pipe where a file must be read a second time."""
    from trajscope.errors import SourceError

    if str(path) == "-" or path.is_fifo():
        raise SourceError(f"{path}: is a pipe, and {what} reads a file twice; save it into a file first")


@contextmanager
def progress(*paths: Path) -> Iterator[Callable[[int], None] | None]:
    """A bar on stderr for whatever takes over a second, where somebody is watching."""
    if not sys.stderr.isatty() or not all(path.is_file() for path in paths):
        yield None
        return
    started, total, done = time.monotonic(), sum(path.stat().st_size for path in paths), 0
    bar: Any = None

    def step(n: int) -> None:
        nonlocal done, bar
        done += n
        if bar is None and time.monotonic() - started > 1:
            from rich.console import Console
            from rich.progress import Progress

            bar = Progress(console=Console(stderr=True), transient=True)
            bar.start()
            bar.add_task(paths[0].name if len(paths) == 1 else f"{len(paths):,} files", total=total)
        if bar is not None:
            bar.update(bar.task_ids[0], completed=min(done, total))

    try:
        yield step
    finally:
        if bar is not None:
            bar.stop()
