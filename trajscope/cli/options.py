"""The options that many verbs share, and how flags, settings and files beside the run become one Source."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from inspect import Parameter, signature
from pathlib import Path
from typing import Annotated, Any, get_args

import typer

from trajscope.said import NOTHING, Asked, said

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
MenuFrom = Annotated[
    Path | None,
    typer.Option(
        "--menu-from", metavar="FILE", help="The source file to infer knobs from, where no menu was declared."
    ),
]
MapFile = Annotated[
    Path | None,
    typer.Option(
        "--map", metavar="FILE", help="What the columns mean, as TOML. [default: NAME.map.toml beside the file]"
    ),
]
Repo = Annotated[
    Path | None,
    typer.Option("--repo", metavar="DIR", help="The git repository that holds the commits which the file names."),
]
History = Annotated[
    int | None, typer.Option("--history", metavar="N", help="How many past trials the proposer was shown.", min=0)
]
Json = Annotated[bool, typer.Option("--json", help="One JSON line per result.")]


FLAGS: dict[str, Any] = dict(
    zip(Asked._fields, (Reader, MetricName, GoalName, MenuFile, MenuFrom, MapFile, Repo, History), strict=True)
)


def sourced(verb: Callable[..., None]) -> Callable[..., None]:
    """A verb that reads files, with the flags that say what a file does not; it gets them as its `asked`."""

    @wraps(verb)
    def called(*args: Any, **named: Any) -> None:
        verb(*args, asked=_checked(Asked(**{name: named.pop(name, None) for name in FLAGS})), **named)

    seen = signature(verb, eval_str=True)
    own = [p for p in seen.parameters.values() if p.name != "asked"]
    flags = [Parameter(name, Parameter.KEYWORD_ONLY, default=None, annotation=kind) for name, kind in FLAGS.items()]
    del called.__wrapped__  # whoever looks through it would see the flags gone
    called.__signature__ = seen.replace(parameters=[*own, *flags])  # type: ignore[attr-defined]  # typer asks for it
    called.__annotations__ = {p.name: p.annotation for p in (*own, *flags)} | {"return": None}
    return called


def _checked(asked: Asked) -> Asked:
    """The flags, if they agree with each other."""
    from trajscope.trial import Goal

    goals = get_args(Goal)
    if asked.goal is not None and asked.goal not in goals:
        raise typer.BadParameter(f"{asked.goal!r} is neither {' nor '.join(goals)}", param_hint="--goal")
    if asked.menu is not None and asked.menu_from is not None:
        raise typer.BadParameter("--menu declares the knobs and --menu-from infers them; say one", param_hint="--menu")
    return asked


def source(path: Path, asked: Asked = NOTHING) -> tuple[Any, str | None]:
    """What is said about a file, flags before settings before what stands beside it."""
    from trajscope.cli.text import warn

    return said(path, asked, warn)


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
