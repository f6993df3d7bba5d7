"""`trajscope convert`: any readable file as a native one."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from trajscope.cli.options import NOTHING, Asked, File, progress, source, sourced

SHOWN = 10


@sourced
def convert(
    file: File,
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="FILE", help="The native file to write; it must not exist yet.")
    ],
    *,
    asked: Asked = NOTHING,
) -> None:
    """Turn any readable file into trajscope's own format.

    Example: trajscope convert results.jsonl -o run.jsonl
    """
    from trajscope import conversion
    from trajscope.cli.text import clean, plural, warn

    said, kind = source(file, asked)
    with progress(file) as step:
        written = conversion.convert(said, output, kind, step)
    for w in written:
        note = ", copied: it is in trajscope's own format already" if w.copied else ""
        print(clean(f"{w.path}: {plural(w.trials, 'trial')}{note}"))
        for loss in w.losses[:SHOWN]:
            warn(f"{file}: {loss}")
        if len(w.losses) > SHOWN:
            more = plural(len(w.losses) - SHOWN, "more line")
            warn(f"{file}: and {more} that could not be carried over as they were")
