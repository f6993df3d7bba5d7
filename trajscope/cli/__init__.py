"""The command line: each verb parses, calls one library function, and hands the result to a renderer.

Verbs are imported when they are called, so that `trajscope --help` and a rail start quickly. Other packages mount
groups of verbs by the entry point group `trajscope.commands`.
"""

from __future__ import annotations

import os
import sys
from importlib import import_module
from typing import Any

import typer
from typer.core import TyperGroup

GROUP = "trajscope.commands"
# The verbs in the order of `--help`: where each lives, and what it says of itself.
VERBS = {
    "analyze": ("trajscope.cli.analyze:analyze", "Tell the truth about a trajectory file in a second."),
    "trials": ("trajscope.cli.trials:trials", "Show the trials of a run, or one of them in full."),
    "sql": ("trajscope.cli.sql:sql", "Ask a run questions in SQL, read-only."),
    "fleet": ("trajscope.cli.fleet:fleet", "Show many runs, one line each."),
    "convert": ("trajscope.cli.convert:convert", "Turn any readable file into trajscope's own format."),
    "formats": ("trajscope.cli.about:formats", "List the formats that can be read."),
    "schema": ("trajscope.cli.about:schema", "Print the JSON Schema of a line or of the analysis."),
    "doctor": ("trajscope.cli.doctor:doctor", "Check this installation and this machine."),
    "demo": ("trajscope.cli.demo:demo", "See a real run that went in circles, live and afterwards."),
}
STRANGERS = "from another package"


class Verbs(TyperGroup):
    """Commands that are imported when somebody calls them."""

    def list_commands(self, ctx: Any) -> list[str]:
        """Every verb there is."""
        return [*VERBS, *sorted(set(_mounted()) - set(VERBS))]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """The command behind a verb."""
        where = VERBS[cmd_name][0] if cmd_name in VERBS else _mounted().get(cmd_name)
        if where is None:
            return None
        module, _, name = where.partition(":")
        found = getattr(import_module(module), name)
        if isinstance(found, typer.Typer):
            return typer.main.get_command(found)
        one = typer.Typer(add_completion=False, rich_markup_mode=None)
        one.command(cmd_name)(found)
        command = typer.main.get_command(one)
        command.name = cmd_name
        return command

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """The list in `--help`, from the table above: no verb is imported for it."""
        lines = [(name, VERBS[name][1] if name in VERBS else STRANGERS) for name in self.list_commands(ctx)]
        with formatter.section("Commands"):
            formatter.write_dl(lines)


app = typer.Typer(cls=Verbs, add_completion=False, rich_markup_mode=None, no_args_is_help=True)


def _version(value: bool) -> None:
    if value:
        from importlib.metadata import version

        typer.echo(f"trajscope {version('trajscope')}")
        raise typer.Exit


@app.callback()
def _root(
    version: bool = typer.Option(False, "--version", callback=_version, is_eager=True, help="Print the version."),
    debug: bool = typer.Option(False, "--debug", help="Show the traceback of an error."),
) -> None:
    """The flight recorder, instrument panel and brakes of autonomous research loops.

    Exit codes: 0 pass, 1 a gate or alarm failed, 2 usage error or refused, 3 unknown, insufficient or our own crash.
    """


def main() -> None:
    """Run the command line; every failure is one line, and nothing but 0 is a pass."""
    from trajscope.errors import TrajscopeError

    debug = "--debug" in sys.argv
    if debug:
        sys.argv.remove("--debug")
    try:
        app()
    except TrajscopeError as e:
        if debug:
            raise
        _fail(str(e), 2)
    except BrokenPipeError:
        # Whoever read our output has seen enough (`| head`); a second complaint at exit would be noise.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        sys.exit(0)
    except KeyboardInterrupt:
        sys.exit(130)
    except Exception as e:
        if debug:
            raise
        _fail(f"trajscope itself failed ({type(e).__name__}: {e}); run it again with --debug and report that", 3)


def _fail(message: str, code: int) -> None:
    from trajscope.cli.text import clean

    print(f"trajscope: {clean(message)}", file=sys.stderr)
    sys.exit(code)


def _mounted() -> dict[str, str]:
    from importlib.metadata import entry_points

    return {p.name: p.value for p in entry_points(group=GROUP)}
