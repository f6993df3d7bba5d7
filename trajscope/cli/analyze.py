"""`trajscope analyze`: the truth about a file."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from trajscope.cli.options import Files, Json, progress, source, sourced, twice
from trajscope.said import NOTHING, Asked


@sourced
def analyze(
    files: Files,
    *,
    json: Json = False,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE", help="Write the JSON lines to this file.")
    ] = None,
    figures: Annotated[
        Path | None, typer.Option("--figures", metavar="DIR", help="Write three figures (PNG and SVG) to this folder.")
    ] = None,
    quick: Annotated[bool, typer.Option("--quick", help="Leave out what needs simulation.")] = False,
    cache: Annotated[bool, typer.Option(help="Keep large finished files as Parquet, so they are read once.")] = True,
    asked: Asked = NOTHING,
) -> None:
    """Tell the truth about a trajectory file in a second.

    Example: trajscope analyze run.jsonl --menu menu.json --figures figures/
    """
    from trajscope import analysis
    from trajscope.cli.page import page
    from trajscope.cli.text import json_line, warn, wide
    from trajscope.errors import TrajscopeError

    if "-" in map(str, files) and len(files) > 1:
        raise typer.BadParameter("standard input stands alone", param_hint="FILES")
    docs: list[dict[str, Any]] = []
    worst = 0
    for at, path in enumerate(files):
        try:
            if figures is not None:
                twice(path, "--figures")
            said, kind = source(path, asked)
            with progress(path) as step:
                found = analysis.of_file(said, kind, quick=quick, cached=cache, progress=step)
            _measured(said, kind, found)
        except TrajscopeError as e:
            if len(files) == 1:
                raise
            warn(str(e))
            worst = 2
            continue
        for doc in found:
            if json:
                print(json_line(doc))
            elif output is None or sys.stdout.isatty():
                print(("\n\n" if docs else "") + page(doc, wide()))
            docs.append(doc)
        if figures is not None:
            alike = [n for n, p in enumerate(files) if p.stem == path.stem]
            own = path.stem if len(alike) == 1 else f"{path.stem}-{alike.index(at) + 1}"
            _figures(said, kind, found, figures / own if len(files) > 1 else figures)
    if output is not None:
        _write(output, "".join(json_line(d) + "\n" for d in docs))
    if worst:
        raise typer.Exit(worst)


def schemas() -> dict[str, dict[str, Any]]:
    """What it prints, and `fleet` too."""
    from trajscope import analysis

    return {"analysis": analysis.schema()}


def _measured(said: Any, kind: str | None, docs: list[dict[str, Any]]) -> None:
    """Raise where a metric was asked for that no trial has: most likely it is spelt otherwise."""
    from trajscope import pipeline
    from trajscope.errors import SourceError
    from trajscope.trial import Trial

    if said.metric is None or not Path(said.path).is_file() or any(d["best"]["value"] is not None for d in docs):
        return
    values = 0
    names: set[str] = set()

    def sink(_run: object, item: object, _row: object) -> None:
        nonlocal values
        if isinstance(item, Trial):
            values += item.value is not None
            names.update(item.metrics or ())

    pipeline.read(said, kind, sink=sink)
    if not values and any(d["evaluated"] for d in docs):
        have = f"have: {', '.join(sorted(names))}" if names else "leave --metric away to take the file's own"
        raise SourceError(f"{said.path}: no trial has a value of {said.metric!r}; {have}")


def _figures(said: Any, kind: str | None, docs: list[dict[str, Any]], folder: Path) -> None:
    from trajscope import frames
    from trajscope.cli.text import warn
    from trajscope.figures import write

    for n, (doc, charts) in enumerate(zip(docs, frames.figures(said, kind, docs), strict=True)):
        here = folder if len(docs) == 1 else folder / f"{n + 1}-{doc['run_id']}".replace("/", "_")
        written = write(here, charts)
        warn(f"wrote {len(written)} files to {here}")


def _write(path: Path, text: str) -> None:
    import os

    from trajscope.errors import TrajscopeError

    tmp = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        tmp.write_text(text, encoding="utf-8")
        tmp.replace(path)
    except OSError as e:
        raise TrajscopeError(f"{path}: cannot be written ({e.strerror}); name another file with -o") from None
