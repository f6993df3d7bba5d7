"""`trajscope integrity`: fingerprints of the files a loop declares, for anybody's loop and any language."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from trajscope.cli.app import Group, Verb
from trajscope.cli.options import Json

SCHEMA = 1
integrity = typer.Typer(cls=Group, add_completion=False, rich_markup_mode=None)


@integrity.callback()
def _root() -> None:
    """Fingerprint the files a loop may and may not edit, and ask later whether they are what they were.

    Example: trajscope integrity snapshot --frozen "*.json" --output files.snapshot
    """


@integrity.command(cls=Verb, short_help="Write down what the declared files hold now.")
def snapshot(
    root: Annotated[Path, typer.Argument(metavar="DIR", help="The folder that the files lie in.")] = Path(),
    *,
    output: Annotated[Path, typer.Option("--output", "-o", metavar="FILE", help="Where the snapshot is written.")],
    editable: Annotated[
        list[str] | None,
        typer.Option("--editable", metavar="PATTERN", help="Files that may change between trials; may be repeated."),
    ] = None,
    frozen: Annotated[
        list[str] | None,
        typer.Option("--frozen", metavar="PATTERN", help="Files that may never change; may be repeated."),
    ] = None,
    config: Annotated[
        str | None,
        typer.Option("--config", metavar="CONFIG", help="What a trial starts from: JSON, or a file of it."),
    ] = None,
    protected: Annotated[
        str | None,
        typer.Option(
            "--protected", metavar="FILE", help="Passages that a person guards: a JSON list of {path, text, reason}."
        ),
    ] = None,
    json: Json = False,
) -> None:
    """Write down what the declared files hold now, and print the hash of that.

    Patterns are paths below DIR with *, ?, [] and **; a folder declares all it holds.

    Example: trajscope integrity snapshot --editable train.py --frozen "*.json" -o files.snapshot
    """
    from trajscope import integrity as library
    from trajscope.cli.text import json_line, plural
    from trajscope.errors import TrajscopeError

    found = library.snapshot(
        root,
        editable=editable or (),
        frozen=frozen or (),
        config=None if config is None else _said(config, dict, "--config"),
        protected=() if protected is None else _said(protected, list, "--protected"),
    )
    try:
        sha = found.save(output)
    except OSError as e:
        raise TrajscopeError(f"{output}: cannot be written ({e.strerror}); name another file with -o") from None
    held = len(found.held)
    if json:
        files = {"files": len(found.files), "frozen": held, "editable": len(found.files) - held}
        print(json_line({"schema": SCHEMA, "snapshot": str(output), "sha256": sha, **files}))
    else:
        print(f"{output}: {plural(len(found.files), 'file')}, {held:,} of them frozen")
        print(f"keep this hash where the loop cannot write: {sha}")


@integrity.command(cls=Verb, short_help="Ask whether they are what they were.")
def check(
    file: Annotated[Path, typer.Argument(metavar="SNAPSHOT", help="What `integrity snapshot` wrote.")],
    *,
    root: Annotated[
        Path | None, typer.Option("--root", metavar="DIR", help="The folder, where it is not the one of then.")
    ] = None,
    sha: Annotated[
        str | None, typer.Option("--sha", metavar="HASH", help="The hash that the snapshot must have.")
    ] = None,
    edited: Annotated[bool, typer.Option("--edited", help="Editable files may have changed since.")] = False,
    proposed: Annotated[
        str | None,
        typer.Option("--proposed", metavar="CONFIG", help="What the trial changes: JSON, or a file of it."),
    ] = None,
    effective: Annotated[
        Path | None, typer.Option("--effective", metavar="FILE", help="What the child reported that it ran with.")
    ] = None,
    menu: Annotated[
        Path | None, typer.Option("--menu", metavar="FILE", help="The menu, so that 8k and 8000 are the same.")
    ] = None,
    json: Json = False,
) -> None:
    """Ask whether the declared files are what they were, and whether what ran is what was proposed.

    Exit codes: 0 unchanged, 1 something drifted, 3 that cannot be told.

    Example: trajscope integrity check files.snapshot
    """
    from trajscope import integrity as library
    from trajscope.cli.judged import judged
    from trajscope.cli.text import json_line, verdicts, wide
    from trajscope.errors import IntegrityError
    from trajscope.menu import load
    from trajscope.verdict import Level, Verdict, exit_code, worst

    asked: dict[str, Any] = {"edited": edited, "menu": None if menu is None else load(menu)}
    if proposed is not None:
        asked["proposed"] = _said(proposed, dict, "--proposed")
    if effective is not None:
        asked["effective"] = effective
    try:
        found = library.check(library.load(file, root=root, sha=sha), **asked)
    except IntegrityError as e:
        found = [Verdict("snapshot", Level.UNKNOWN, str(e))]
    level = worst(found)
    if json:
        print(json_line(judged(file, found)))
    else:
        print("\n".join(verdicts(found, wide())))
    raise typer.Exit(exit_code(level))


def schemas() -> dict[str, dict[str, Any]]:
    """The schemas of what the verbs print."""
    from trajscope import shape
    from trajscope.cli import judged

    written = {
        "snapshot": shape.told(shape.TEXT, "The file that was written."),
        "sha256": shape.told(shape.SHA256, "Its hash, to be kept where the loop cannot write."),
        "files": shape.told(shape.COUNT, "Files in it, of both kinds."),
        "frozen": shape.COUNT,
        "editable": shape.COUNT,
    }
    title = "What was written, as `trajscope integrity snapshot --json` prints it"
    return {
        "integrity-snapshot": shape.document(title, written, number=SCHEMA),
        "integrity-check": judged.schema("integrity check"),
    }


def _said(text: str, kind: type, option: str) -> Any:
    """A JSON value that was typed, or that stands in the file of this name."""
    from json import loads

    try:
        raw = text if text.lstrip()[:1] in ("{", "[") else Path(text).read_text("utf-8")
        value = loads(raw)
    except OSError as e:
        raise typer.BadParameter(f"{text}: cannot be read ({e.strerror})", param_hint=option) from None
    except (ValueError, RecursionError) as e:
        raise typer.BadParameter(f"{text[:60]}: is not JSON ({e})", param_hint=option) from None
    if not isinstance(value, kind):
        what = "an object" if kind is dict else "a list"
        raise typer.BadParameter(f"{text[:60]}: is not {what}", param_hint=option)
    return value
