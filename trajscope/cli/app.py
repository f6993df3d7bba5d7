"""Every verb but `rail`: each parses, calls one library function, and hands the result to a renderer.

Verbs are imported when they are called, so that `trajscope --help` starts quickly. Other packages mount groups of verbs
by the entry point group `trajscope.commands`.
"""

from __future__ import annotations

import errno
import os
import sys
from difflib import get_close_matches
from importlib import import_module
from io import TextIOWrapper
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

from trajscope.cli import streams, values

GROUP = "trajscope.commands"
# The verbs in the order of `--help`: where each lives, what it says of itself. `rail` answers before typer is asked.
VERBS = {
    "analyze": ("trajscope.cli.analyze:analyze", "Tell the truth about a trajectory file in a second."),
    "trials": ("trajscope.cli.trials:trials", "Show the trials of a run, or one of them in full."),
    "watch": ("trajscope.cli.watch:watch", "Watch a run while it goes on."),
    "report": ("trajscope.cli.report:report", "Write one offline page: what to distrust first."),
    "verify": ("trajscope.cli.report:verify", "Count the numbers of a report again."),
    "sql": ("trajscope.cli.sql:sql", "Ask a run questions in SQL, read-only."),
    "fleet": ("trajscope.cli.fleet:fleet", "Show many runs, one line each."),
    "rail": ("", "Ask the rails before a trial, and prove that they fire."),
    "integrity": ("trajscope.cli.integrity:integrity", "Fingerprint the files a loop may and may not edit."),
    "gate": ("trajscope.cli.gate:gate", "Ask whether runs may be distilled, before training on them."),
    "corpus": ("trajscope.cli.corpus:corpus", "Write what may be distilled into a folder of its own."),
    "menu": ("trajscope.cli.menu:menu", "Read which knobs a source file has, without running it."),
    "convert": ("trajscope.cli.convert:convert", "Turn any readable file into trajscope's own format."),
    "formats": ("trajscope.cli.about:formats", "List the formats that can be read, or explain how a file is."),
    "schema": ("trajscope.cli.about:schema", "Print the JSON Schema of a line or of the analysis."),
    "doctor": ("trajscope.cli.doctor:doctor", "Check this installation and this machine."),
}
STRANGERS = "from another package"
_Misuse: Any = typer.BadParameter.__base__  # typer's UsageError, which has moved between its versions


class Verb(TyperCommand):
    """One verb, whose parameters are converted without pydantic."""

    def get_params(self, ctx: Any) -> list[Any]:
        """Its parameters, `--help` among them."""
        return values.plain(super().get_params(ctx))


class Group(TyperGroup):
    """Commands under one word; a word that names none of them is answered with what was likely meant."""

    def get_params(self, ctx: Any) -> list[Any]:
        """The options before a command."""
        return values.plain(super().get_params(ctx))

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """The command that the first word names."""
        word = args[0]
        if not word.startswith("-") and self.get_command(ctx, word) is None:
            have = self.list_commands(ctx)
            near = get_close_matches(word, have, 1)
            if near:
                hint = f"did you mean {near[0]}?"
            elif os.path.exists(word):  # noqa: PTH110  # whatever was typed, a path or not
                hint = f"to read that file: trajscope analyze {word}"
            else:
                hint = f"have: {', '.join(have)}"
            ctx.fail(f"no command is called {word!r}; {hint}")
        return super().resolve_command(ctx, args)


class Verbs(Group):
    """Commands that are imported when somebody calls them."""

    def list_commands(self, ctx: Any) -> list[str]:
        """Every verb there is."""
        return [*VERBS, *sorted(set(mounted()) - set(VERBS))]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """The command behind a verb."""
        where = VERBS[cmd_name][0] if cmd_name in VERBS else mounted().get(cmd_name)
        if not where:
            return None
        module, _, name = where.partition(":")
        found = getattr(import_module(module), name)
        if isinstance(found, typer.Typer):
            return typer.main.get_command(found)
        one = typer.Typer(add_completion=False, rich_markup_mode=None)
        one.command(cmd_name, cls=Verb)(found)
        command = typer.main.get_command(one)
        command.name = cmd_name
        return command

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """The list in `--help`, from the table above: no verb is imported for it."""
        others = mounted()
        lines = [(n, VERBS[n][1] if n in VERBS else _about(others[n])) for n in self.list_commands(ctx)]
        with formatter.section("Commands"):
            formatter.write_dl(lines)


app = typer.Typer(cls=Verbs, add_completion=False, rich_markup_mode=None)


def _version(value: bool) -> None:
    if value:
        from trajscope.cli.text import version as installed

        typer.echo(f"trajscope {installed('trajscope') or '(a checkout that is not installed)'}")
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

    for stream in (sys.stdout, sys.stderr):
        # A terminal that has no such letter, or a path that is no UTF-8, is no reason to fail; in JSON it stays valid.
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    args = sys.argv[1:]
    if debug := "--debug" in args:
        args.remove("--debug")
    try:
        code = _run(args) if args else _run(["--help"]) or 2
        sys.stdout.flush()
    except _Misuse as e:
        code = _misuse(e)
    except TrajscopeError as e:
        if debug:
            raise
        code = _say(str(e), 2)
    except BrokenPipeError:
        # Whoever read our output has seen enough (`| head`); a complaint, here or at exit, would be noise.
        streams.mute()
        code = 0
    except KeyboardInterrupt:
        code = 130
    except Exception as e:
        if debug:
            raise
        if isinstance(e, OSError) and e.errno == errno.ENOSPC:
            streams.mute()
            code = _say(f"{e.filename or 'the output'}: cannot be written ({e.strerror}); free some space", 3)
        else:
            said = f"trajscope itself failed ({type(e).__name__}: {e})"
            code = _say(f"{said}; run it again with --debug and report that", 3)
    sys.exit(code)


def _run(args: list[str]) -> int:
    # Not `app()`: that would print errors in its own way, and end with 1 where a pipe was closed.
    command = typer.main.get_command(app)
    try:
        with command.make_context("trajscope", args) as ctx:
            command.invoke(ctx)
    except typer.Exit as e:
        return e.exit_code
    return 0


def _misuse(e: Any) -> int:
    """A wrong call in two lines: how it is called, and what was wrong."""
    said = e.format_message()
    if e.ctx is not None:
        print(f"{' '.join(e.ctx.get_usage().split())}  ({e.ctx.command_path} --help says more)", file=sys.stderr)
        wanted = getattr(e, "option_name", "")
        if said.startswith("No such option"):
            known = [o for p in e.ctx.command.params for o in (*p.opts, *p.secondary_opts) if o.startswith("--")]
            near = get_close_matches(wanted, known, 1)
            said = f"no option is called {wanted}" + (f"; did you mean {near[0]}?" if near else "")
    return _say(said[:1].lower() + said[1:].rstrip("."), 2)


def _say(message: str, code: int) -> int:
    from trajscope.cli.text import warn

    warn(message)
    return code


def mounted() -> dict[str, str]:
    """The verbs of other packages: where each lives."""
    from importlib.metadata import entry_points

    return {p.name: p.value for p in entry_points(group=GROUP)}


def _about(where: str) -> str:
    """The first line of the module that a mounted command lives in, read without importing anything of it."""
    import ast
    from importlib.util import find_spec

    top, *rest = where.partition(":")[0].split(".")
    try:
        spec = find_spec(top)
        homes = (spec.submodule_search_locations or ()) if spec else ()
        for home in homes:
            place = os.path.join(home, *rest[:-1], f"{rest[-1]}.py")  # noqa: PTH118  # text all the way
            if os.path.isfile(place):  # noqa: PTH113  # the same
                with open(place, encoding="utf-8") as file:  # noqa: PTH123  # the same
                    said = ast.get_docstring(ast.parse(file.read()))
                return said.splitlines()[0] if said else STRANGERS
    except (OSError, ValueError, SyntaxError, IndexError, ImportError):
        pass  # a stranger's package may be broken; its own command says how
    return STRANGERS
