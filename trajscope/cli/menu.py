"""`trajscope menu`: the knobs there are, where nobody has declared them yet."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from trajscope.cli.app import Group, Verb
from trajscope.cli.options import Json

menu = typer.Typer(cls=Group, add_completion=False, rich_markup_mode=None)
SCHEMA = 1
HEAD = ("knob", "type", "default", "line", "how", "also called")
WIDE = 40  # letters of a cell


@menu.callback()
def _root() -> None:
    """Say which knobs there are.

    Example: trajscope menu infer train.py
    """


@menu.command(cls=Verb, short_help="Read the knobs of a source file, without running it.")
def infer(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The Python file that the agent edits.")],
    *,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="FILE", help="Write a menu to this file; it must not exist yet."),
    ] = None,
    json: Json = False,
) -> None:
    """Read the knobs of a Python file: constants, fields, options and configurations, with types and defaults.

    Nothing of the file is executed. The menu is marked as inferred until a person takes that mark out.

    Example: trajscope menu infer train.py -o menu.json
    """
    from trajscope import inference
    from trajscope.cli.text import clean, json_line, plural, short, table, warn

    found = inference.of_file(file)
    if output is not None:
        _write(output, found.to_json())
    if json:
        for k in found.knobs:
            print(json_line({"schema": SCHEMA, "knob": k.name, **found.spec(k), "line": k.line, "how": k.how}))
        for x in found.left:
            print(json_line({"schema": SCHEMA, "left": x.name, "line": x.line, "why": x.why}))
    else:
        rows = [
            (short(k.name, WIDE), _type(k), _default(k), str(k.line), k.how, short(", ".join(k.aliases), WIDE))
            for k in found.knobs
        ]
        print("\n".join(table(rows, HEAD, right=(3,))))
        print(f"\n{plural(len(found.knobs), 'knob')}; {plural(len(found.left), 'name')} left out:")
        print("\n".join(f"  {clean(x.name)} (line {x.line}): {clean(x.why)}" for x in found.left))
    if output is not None:
        said = f"{output}: a menu of {plural(len(found.knobs), 'knob')}, marked as inferred"
        warn(f"{said}; look at it, mend it, and take the line `inferred` out: then it is declared")


def schemas() -> dict[str, dict[str, Any]]:
    """The schema of a line: a knob, or a name that is none."""
    from trajscope import shape
    from trajscope.inference.seen import KINDS
    from trajscope.shape import COUNT, TEXT, listed, record, told

    number, line = {"schema": {"const": SCHEMA}}, {"line": told(COUNT, "From 1 on.")}
    knob = {
        **number,
        "knob": TEXT,
        "type": told(TEXT, "As a menu says it."),
        "choices": listed({}),
        "aliases": told(listed(TEXT), "Other names of it."),
        "default": told({}, "Any JSON value; not there where the file does not say it."),
        **line,
        "how": told(shape.one_of(KINDS), "What it is in the file."),
    }
    left = {**number, "left": told(TEXT, "A name that is no knob."), **line, "why": TEXT}
    both = {"oneOf": [record(knob, maybe=("choices", "aliases", "default")), record(left)]}
    return {"menu-infer": shape.titled("One name of a file, as `trajscope menu infer --json` prints it", both)}


def _type(k: Any) -> str:
    from trajscope.cli.text import short

    return k.type if k.choices is None else short(f"{k.type}: {', '.join(map(str, k.choices))}", WIDE)


def _default(k: Any) -> str:
    from trajscope.cli.text import short
    from trajscope.pair import canon

    return short(canon("x", k.default).text, WIDE) if k.has_default else "?"


def _write(path: Path, menu: Any) -> None:
    import json

    from trajscope.errors import MenuError

    knobs = ",\n".join(f"    {json.dumps(k)}: {json.dumps(v, ensure_ascii=False)}" for k, v in menu["knobs"].items())
    text = f'{{\n  "inferred": {json.dumps(menu["inferred"], ensure_ascii=False)},\n  "knobs": {{\n{knobs}\n  }}\n}}\n'
    try:
        with path.open("x", encoding="utf-8") as f:
            f.write(text)
    except FileExistsError:
        said = "exists already and is not overwritten, since a person may have mended it"
        raise MenuError(f"{path}: {said}; remove it, or name another file with -o") from None
    except (OSError, ValueError) as e:
        raise MenuError(
            f"{path}: cannot be written ({getattr(e, 'strerror', None) or e}); name another with -o"
        ) from None
