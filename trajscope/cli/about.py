"""`trajscope formats` and `trajscope schema`: what can be read, and what is written."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from trajscope.cli.options import NOTHING, Asked, Json, sourced


@sourced
def formats(
    *,
    explain: Annotated[
        Path | None,
        typer.Option("--explain", metavar="FILE", help="Who reads this file, why and how, and the map to change that."),
    ] = None,
    json: Json = False,
    asked: Asked = NOTHING,
) -> None:
    """List the formats that can be read. A file is recognised by its content, never by its name.

    With --explain: how one file is read, and the map file that one would write to have it read otherwise.

    Example: trajscope formats --explain run.jsonl
    """
    from trajscope.cli.text import json_line, table
    from trajscope.readers import BUILT_IN
    from trajscope.readers import formats as known

    if explain is not None:
        from trajscope.cli import explained

        explained.show(explain, asked, as_json=json)
        return
    if asked != NOTHING:
        raise typer.BadParameter("what is said of a file needs a file: --explain FILE", param_hint="formats")
    rows = [{"name": n, "about": r.about, "built_in": n in BUILT_IN} for n, r in known().items()]
    if json:
        for row in rows:
            print(json_line(row))
    else:
        print("\n".join(table([(str(r["name"]), str(r["about"])) for r in rows], ("name", "what it is"))))


def schemas() -> dict[str, dict[str, Any]]:
    """The schema of everything that programs may read, by name: the lines of a run file first."""
    from trajscope import analysis, notify, record, sidecar
    from trajscope.watch import spoken

    said = {
        "analysis": analysis.schema(),
        "watch": spoken.schema(),
        "coverage": sidecar.schema(),
        "alarm": notify.schema(),
    }
    return {**record.schemas(), **said}


def schema(
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="NAME", help="run, trial, measure, event, end; analysis, watch, coverage (the sidecar) or alarm."
        ),
    ] = None,
) -> None:
    """Print the JSON Schema of a line of a run file, or of what a command hands to programs; without a name, the names.

    Example: trajscope schema trial
    """
    import json

    known = schemas()
    if name is None:
        print("\n".join(known))
        return
    if name not in known:
        raise typer.BadParameter(f"{name!r} is none of {', '.join(known)}", param_hint="NAME")
    print(json.dumps(known[name], indent=2, ensure_ascii=False))
