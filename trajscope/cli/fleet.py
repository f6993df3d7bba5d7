"""`trajscope fleet`: many runs, one line each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from trajscope.cli.options import Json, progress, source, sourced
from trajscope.cli.text import duration, number
from trajscope.said import NOTHING, Asked

HEAD = ("verdict", "run", "trials", "knobs", "pairs", "repeats", "plateau", "best", "gain", "cost")
HEADLINE = ("run", "trials", "knobs", "pairs", "repeats", "best", "cost")


@sourced
def fleet(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A folder of runs; it is searched all the way down.")],
    *,
    json: Json = False,
    headline: Annotated[
        bool, typer.Option("--headline", help="Only what can be counted: no verdicts; large files from the cache.")
    ] = False,
    asked: Asked = NOTHING,
) -> None:
    """Show many runs, one line each, worst first.

    Example: trajscope fleet campaigns/ --json
    """
    from trajscope import fleet as library
    from trajscope.cli.text import json_line, plural, warn

    files = library.files(folder)
    said, troubles = _said(files, asked)
    lines: list[dict[str, Any]] = []
    foreign = 0
    with progress(*files) as step:
        answers = (
            library.headlines(said, progress=step) if headline else (library.line(*one, progress=step) for one in said)
        )
        for found in answers:
            if isinstance(found, str):
                foreign += found == library.FOREIGN
                troubles += [found] if found != library.FOREIGN else []
                continue
            lines += found
            for doc in found if json else ():
                print(json_line(doc))
    if lines and not json:
        print("\n".join(_table(lines, folder, headline=headline)))
    for trouble in troubles:
        warn(trouble)
    if foreign:
        warn(f"{plural(foreign, 'file')} left out: in no format that a reader knows (`trajscope formats` lists them)")
    if not lines:
        warn(f"{folder}: no run was found; name a folder of trajectory files")
    if troubles or not lines:
        raise typer.Exit(3)


def schemas() -> dict[str, dict[str, Any]]:
    """What `--headline` prints; without it, a line is as of `analyze`."""
    from trajscope import fleet as library

    return {"headline": library.schema()}


def _said(files: list[Path], asked: Asked) -> tuple[list[tuple[Any, str | None]], list[str]]:
    """What is said about each file; settings or a menu beside one that are wrong are that file's trouble alone."""
    from trajscope.errors import TrajscopeError

    source(Path("-"), asked)  # what is wrong with the flags is wrong with all
    said, troubles = [], []
    for path in files:
        try:
            said.append(source(path, asked))
        except TrajscopeError as e:
            troubles.append(f"{path}: not read: {e}")
    return said, troubles


def _table(lines: list[dict[str, Any]], folder: Path, *, headline: bool) -> list[str]:
    from trajscope import fleet as library
    from trajscope.cli.page import coloured_name, named
    from trajscope.cli.text import table

    several = {f for f, n in Counter(d["file"] for d in lines).items() if n > 1}
    names = [_name(d, folder, several) for d in lines]
    if headline:
        rows = [[name, *_headline(d)] for name, d in sorted(zip(names, lines, strict=True), key=lambda x: x[0])]
        return table(rows, HEADLINE, right=range(1, 7))
    ordered = sorted(zip(names, lines, strict=True), key=lambda x: library.urgency(x[1]))
    words = [d["verdict"]["word"] for _, d in ordered]
    rows = [[named(w), name, *_cells(d)] for w, (name, d) in zip(words, ordered, strict=True)]
    head, *body = table(rows, HEAD, right=range(2, 10))
    return [head, *(coloured_name(named(w), w) + row[len(named(w)) :] for w, row in zip(words, body, strict=True))]


def _name(d: Mapping[str, Any], folder: Path, several: set[str]) -> str:
    """A run by its file, and by its own name where the file holds several."""
    path = str(Path(d["file"]).relative_to(folder))
    return f"{path} {d['run_id']}" if d["file"] in several else path


def _cells(d: Mapping[str, Any]) -> list[str]:
    """One run as the cells of a table."""
    c, total = d["coverage"], d["coverage"]["knobs_total"]
    return [
        f"{d['trials']:,}",
        f"{c['knobs_touched']}/{total}" if total else str(c["knobs_touched"]),
        f"{d['pairs']['unique']:,}",
        _percent(d["pairs"]["repeat_rate"]),
        number(d["plateau"]["beyond_noise"]),
        number(d["best"]["value"], 6),
        number(d["best"]["gain"], 3),
        duration(d["cost"]["wall_s"]),
    ]


def _headline(d: Mapping[str, Any]) -> list[str]:
    """What SQL alone can say of a run, as the cells of a table."""
    return [
        *(number(x, 6) for x in (d["trials"], d["coverage"]["knobs_touched"], d["pairs"]["unique"])),
        _percent(d["pairs"]["repeat_rate"]),
        number(d["best"]["value"], 6),
        duration(d["cost"]["wall_s"]),
    ]


def _percent(x: float | None) -> str:
    return "?" if x is None else f"{x:.0%}"
