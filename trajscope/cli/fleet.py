"""`trajscope fleet`: many runs, one line each."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from trajscope.cli.options import GoalName, Json, MenuFile, MetricName, Reader, progress, source
from trajscope.cli.text import duration, number

HEAD = ("run", "trials", "knobs", "pairs", "repeats", "dry", "best", "gain", "cost")
HEADLINE = ("run", "trials", "knobs", "pairs", "repeats", "since best", "best", "cost")


def fleet(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A folder of runs; it is searched all the way down.")],
    *,
    json: Json = False,
    headline: Annotated[
        bool, typer.Option("--headline", help="Only what SQL can count, from the cache where it is.")
    ] = False,
    reader: Reader = None,
    metric: MetricName = None,
    goal: GoalName = None,
    menu: MenuFile = None,
) -> None:
    """Show many runs, one line each, worst first.

    Example: trajscope fleet campaigns/ --json
    """
    from trajscope import fleet as library
    from trajscope.cli.text import json_line, table, warn

    lines: list[dict[str, Any]] = []
    failed = skipped = 0
    files = library.files(folder)
    if headline:
        lines = library.headlines([source(p, reader, metric, goal, menu, None) for p in files])
    else:
        for path in files:
            with progress(path) as step:
                found = library.line(*source(path, reader, metric, goal, menu, None), progress=step)
            if isinstance(found, str):
                skipped += found == library.FOREIGN
                failed += found != library.FOREIGN
                if found != library.FOREIGN:
                    warn(found)
                continue
            lines += found
            for doc in found if json else ():
                print(json_line(doc))
    if headline and json:
        for doc in lines:
            print(json_line(doc))
    if headline and not json:
        print("\n".join(table([_headline(d, folder) for d in lines], HEADLINE, right=range(1, 8))))
    elif not json:
        rows = [_cells(d, folder) for d in sorted(lines, key=library.urgency)]
        print("\n".join(table(rows, ("", *HEAD), right=range(2, 10))))
    if skipped:
        warn(f"{skipped} files are in no format that a reader knows (`trajscope formats`)")
    if not lines:
        warn(f"{folder}: no run was found; name a folder of trajectory files")
    if failed or not lines:
        raise typer.Exit(3)


def _cells(d: Mapping[str, Any], folder: str | Path) -> list[str]:
    """One run as the cells of a table."""
    c, total = d["coverage"], d["coverage"]["knobs_total"]
    return [
        d["verdict"]["word"],
        str(Path(d["file"]).relative_to(folder)),
        f"{d['trials']:,}",
        f"{c['knobs_touched']}/{total}" if total else str(c["knobs_touched"]),
        f"{d['pairs']['unique']:,}",
        _percent(d["pairs"]["repeat_rate"]),
        number(d["plateau"]["beyond_noise"]),
        number(d["best"]["value"], 6),
        number(d["best"]["gain"], 3),
        duration(d["cost"]["wall_s"]),
    ]


def _headline(d: Mapping[str, Any], folder: str | Path) -> list[str]:
    """What SQL alone can say of a run, as the cells of a table."""
    return [
        str(Path(d["file"]).relative_to(folder)),
        *(number(d[k], 6) for k in ("trials", "coverage.knobs_touched", "pairs.unique")),
        _percent(d["pairs.repeat_rate"]),
        *(number(d[k], 6) for k in ("plateau.since_best", "best.value")),
        duration(d["cost.wall_s"]),
    ]


def _percent(x: float | None) -> str:
    return "?" if x is None else f"{x:.0%}"
