"""`trajscope report` and `trajscope verify`: one offline page about runs, and whether its numbers are still true."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from trajscope.cli.options import Files, Json, source, sourced
from trajscope.said import NOTHING, Asked


@sourced
def report(
    files: Files,
    *,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE", help="The page. [default: NAME.report.html here]")
    ] = None,
    figures: Annotated[
        Path | None, typer.Option("--figures", metavar="DIR", help="Write every picture (PNG and SVG) to this folder.")
    ] = None,
    markdown: Annotated[
        bool, typer.Option("--markdown", help="Print the brief as Markdown; no page then, unless -o names one.")
    ] = False,
    policy: Annotated[
        str,
        typer.Option("--policy", metavar="NAME|FILE", help="By which the gate is asked; none leaves it unasked."),
    ] = "default",
    asked: Asked = NOTHING,
) -> None:
    """Write one offline page about runs: what to distrust, what to do now, and every number behind it.

    Example: trajscope report run.jsonl -o run.html
    """
    from trajscope.cli.text import clean, warn
    from trajscope.report import build

    if "-" in map(str, files) and len(files) > 1:
        raise typer.BadParameter("standard input stands alone", param_hint="FILES")
    made = build([source(path, asked) for path in files], policy=None if policy == "none" else policy)
    if figures is not None:
        _figures(made.accounts, figures)
    place = output or (None if markdown else Path(f"{_stem(files)}.report.html"))
    if place is not None:
        made.write(place)
    if markdown:
        print(made.markdown(place.name if place is not None else None), end="")
        return
    for account in made.accounts:
        doc = account["doc"]
        print(f"{clean(doc['verdict']['word'])}  {clean(doc['run_id'])}: {clean(doc['verdict']['sentence'])}")
    warn(f"wrote {place} ({len(made.html.encode()):,} bytes)")


def _stem(files: list[Path]) -> str:
    return "runs" if len(files) > 1 else "stdin" if str(files[0]) == "-" else files[0].name.split(".")[0] or "run"


def _figures(accounts: tuple[dict[str, Any], ...], folder: Path) -> None:
    from trajscope.cli.text import warn
    from trajscope.figures import write
    from trajscope.report.pictures import pictures

    for n, account in enumerate(accounts, 1):
        here = folder if len(accounts) == 1 else folder / f"{n}-{account['doc']['run_id']}".replace("/", "_")
        warn(f"wrote {len(write(here, pictures(account)))} files to {here}")


def verify(
    file: Annotated[Path, typer.Argument(metavar="REPORT", help="A report that trajscope wrote.")],
    *,
    original: Annotated[
        list[Path] | None,
        typer.Option("--original", metavar="FILE", help="The run that it is about, to be compared by its hash."),
    ] = None,
    json: Json = False,
) -> None:
    """Count every number of a report again from the data in it, and name each that differs.

    Exit codes: 0 all are true, 1 one is not, 3 it cannot be known.

    Example: trajscope verify run.html
    """
    from trajscope.cli.judged import judged
    from trajscope.cli.text import json_line, plural, verdicts, warn, wide
    from trajscope.report.verify import verify as check
    from trajscope.verdict import exit_code, worst

    found = check(file, original or [])
    level = worst(found.verdicts)
    if json:
        print(json_line(judged(file, found.verdicts, numbers=found.numbers)))
    else:
        print("\n".join(verdicts(found.verdicts, wide())))
        warn(f"{plural(found.numbers, 'number')} of the page looked at")
    sys.stdout.flush()
    if code := exit_code(level):
        raise typer.Exit(code)


def schemas() -> dict[str, dict[str, Any]]:
    """The schema of what `verify` prints."""
    from trajscope import shape
    from trajscope.cli import judged

    numbers = shape.told(shape.COUNT, "Numbers of the page that were looked at.")
    return {"verify": judged.schema("verify", numbers=numbers)}
