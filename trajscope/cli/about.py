"""`trajscope formats` and `trajscope schema`: what can be read, and what is written."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from trajscope.cli.options import Json, sourced
from trajscope.said import NOTHING, Asked

if TYPE_CHECKING:
    from trajscope.shape import Shape

SCHEMA = 1
STANDS_APART = {"rail": "trajscope.cli.railshapes"}  # where a verb's own module must start fast


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
    from trajscope.readers import formats as readable

    if explain is not None:
        from trajscope.cli import explained

        explained.show(explain, asked, as_json=json)
        return
    if asked != NOTHING:
        raise typer.BadParameter("what is said of a file needs a file: --explain FILE", param_hint="formats")
    rows = [{"schema": SCHEMA, "name": n, "about": r.about, "built_in": n in BUILT_IN} for n, r in readable().items()]
    if json:
        for row in rows:
            print(json_line(row))
    else:
        print("\n".join(table([(str(r["name"]), str(r["about"])) for r in rows], ("name", "what it is"))))


def schemas() -> dict[str, Shape]:
    """What `formats` prints."""
    from trajscope import shape
    from trajscope.cli import explained

    built_in = shape.told(shape.TRUTH, "False where another package brought it.")
    parts = {"name": shape.TEXT, "about": shape.TEXT, "built_in": built_in}
    title = "One format, as `trajscope formats --json` prints it"
    return {"formats": shape.document(title, parts, number=SCHEMA), "formats-explain": explained.schema()}


def known(warn: Callable[[str], None] | None = None) -> dict[str, Shape]:
    """The schema of everything that programs may read, by name: the lines of a run file first, then verb by verb.

    Beside a verb stands a function `schemas`, where the verb has something for programs; so it is with those of other
    packages too, whose names never take the place of ours.
    """
    from importlib import import_module

    from trajscope import record
    from trajscope.cli.app import VERBS, mounted

    found = record.schemas()
    for verb, (where, _) in VERBS.items():
        module = import_module(STANDS_APART.get(verb, where.partition(":")[0]))
        found |= module.schemas() if hasattr(module, "schemas") else {}
    for verb, where in mounted().items():
        try:
            module = import_module(where.partition(":")[0])
            theirs = module.schemas() if hasattr(module, "schemas") else {}
        except Exception as e:  # a stranger's code: what it breaks is told, and ours is there
            if warn is not None:
                warn(f"the schemas of {verb} cannot be had ({type(e).__name__}: {e})")
            continue
        found |= {name: body for name, body in theirs.items() if name not in found}
    return found


def schema(
    name: Annotated[
        str | None,
        typer.Argument(metavar="NAME", help="One of those that are printed without a name; docs/cli.md lists them."),
    ] = None,
) -> None:
    """Print the JSON Schema of a line of a run file, or of what a command hands to programs; without a name, the names.

    Example: trajscope schema trial
    """
    import json

    from trajscope.cli.text import clean, warn

    have = known(warn)
    if name is None:
        print("\n".join(map(clean, have)))
        return
    if name not in have:
        raise typer.BadParameter(f"{name!r} is none of {', '.join(have)}", param_hint="NAME")
    print(json.dumps(have[name], indent=2, ensure_ascii=False))
