"""The words after `trajscope rail`: its verbs, their options, and what is said to a wrong one.

Made with argparse and nothing of ours: a rail that is asked before every trial has no time for typer.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable, Iterable
from typing import Any, NoReturn

from trajscope.cli import streams

CHECK = """\
Ask whether a proposal may be tried: it is read from standard input, as {"knob": NAME, "value": VALUE} or
{"changes": [{"knob": NAME, "value": VALUE}, ...]}, with a reason, an intent (revisit or replicate) or a diff where
needed.

Exit codes: 0 it passed; 2 everything else: refused, a wrong call, a history that cannot be trusted, our own crash. The
reason stands on standard error. How long to wait is the caller's to say; no answer is a refusal.

Example: echo '{"knob": "lr", "value": 0.002}' | trajscope rail check --menu menu.json --run run.jsonl --json
"""
SELFTEST = """\
Prove that the brakes work here: plant a known repeat, a drifted file and a guard without its threshold, and demand that
the installed command, the integrity check and the keep gate refuse them, and that they let pass what is right.

Exit codes: 0 every plant was refused, everything right passed, and with --run that was recorded; 1 not so.

Example: trajscope rail selftest --menu menu.json
"""
REPLAY = """\
Show what the rails would have done to a run that is over: which trials they would have blocked, the hours and the money
that would have come back, and which keeps would have been lost.

Exit codes: 0 it could be replayed, whatever came out; 2 the file or the menu cannot be used.

Example: trajscope rail replay run.jsonl --only repeat --rows
"""


class MisuseError(Exception):
    """A wrong call: what was wrong with it, and the parser that knows how it is called."""

    def __init__(self, message: str, parser: Parser) -> None:
        super().__init__(message)
        self.parser = parser


class Parser(argparse.ArgumentParser):
    """Argparse in our words: no abbreviations, mistakes are raised, and the nearest option is named."""

    color = False  # newer Pythons paint their help; every other verb here does not

    def __init__(self, verb: str, about: str, arguments: str = "") -> None:
        prog = f"trajscope rail {verb}"
        super().__init__(
            prog,
            usage=f"{prog} [OPTIONS]{arguments}",
            description=about,
            allow_abbrev=False,
            add_help=False,
            formatter_class=_Formatter,
        )
        self._positionals.title, self._optionals.title = "Arguments", "Options"

    @property
    def options(self) -> list[str]:
        """Every option it takes."""
        return [o for action in self._actions for o in action.option_strings]

    def error(self, message: str) -> NoReturn:
        """Raise what argparse would have printed before it ended the process."""
        raise MisuseError(message, self)

    def print_help(self, file: object = None) -> None:
        """Print the help, or raise where it cannot be printed."""
        streams.put(1, self.format_help().rstrip())

    def read(self, words: list[str]) -> argparse.Namespace:
        """What these words say."""
        said, rest = self.parse_known_args(words)
        if rest:
            self.error(_unknown(next((w for w in rest if w.startswith("-")), rest[0]), self.options))
        return said


class _Formatter(argparse.HelpFormatter):
    """Help as the other verbs print it."""

    def add_usage(self, usage: Any, actions: Any, groups: Any, prefix: str | None = None) -> None:
        super().add_usage(usage, actions, groups, "Usage: ")

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        import textwrap

        parts = (textwrap.fill(" ".join(p.split()), width - 2, break_on_hyphens=False) for p in text.split("\n\n"))
        return textwrap.indent("\n\n".join(parts), "  ")


def check() -> Parser:
    """The words of `rail check`."""
    parser = Parser("check", CHECK)
    add = parser.add_argument
    add("--menu", metavar="FILE", required=True, help="The menu of knobs. [required]")
    add(
        "--run",
        metavar="FILE",
        nargs="+",
        action="extend",
        help="The run that goes on, then earlier runs and other agents' files of the campaign: the whole history.",
    )
    add("--no-history", action="store_true", help="Nothing was tried before; without --run this must be said.")
    add(
        "--base",
        metavar="CONFIG",
        help="The configuration the proposal is applied to, as a JSON object or a file of one; without it, what the "
        "run says, where that is clear.",
    )
    add("--parent", metavar="COMMIT", help="The commit the base stands on, where configurations are named by it.")
    add("--budget-trials", metavar="N", type=_whole, help="How many trials the campaign may have.")
    add("--budget-hours", metavar="H", type=_amount, help="How many hours they may take in all.")
    add("--budget-tokens", metavar="N", type=_whole, help="How many tokens they may take in all.")
    add("--budget-usd", metavar="X", type=_amount, help="How many dollars they may cost in all.")
    add("--edits", metavar="FILE", help="Which files a proposed diff may edit, as JSON; without it no diff passes.")
    _reader(parser)
    return _common(parser, "One JSON line on standard output, of a refusal too.")


def selftest() -> Parser:
    """The words of `rail selftest`."""
    parser = Parser("selftest", SELFTEST)
    parser.add_argument("--menu", metavar="FILE", help="Plant in this menu. [default: one of its own]")
    parser.add_argument("--run", metavar="FILE", help="Record the result as an event in this run, which must be idle.")
    parser.add_argument(
        "--timeout", metavar="S", type=_amount, default=30.0, help="Seconds the command may take. [default: 30]"
    )
    return _common(parser, "One JSON line on standard output.")


def replay() -> Parser:
    """The words of `rail replay`."""
    parser = Parser("replay", REPLAY, " RUN")
    parser.add_argument("run", metavar="RUN", help="A trajectory file that is read to its end.")
    parser.add_argument("--only", metavar="RAIL", help="Only this rail. [default: the whole chain]")
    parser.add_argument(
        "--window", metavar="N", type=_whole, help="The rail remembers only the last N trials. [default: all]"
    )
    parser.add_argument(
        "--menu", metavar="FILE", help="The menu of knobs. [default: the run's own, or the one beside it]"
    )
    parser.add_argument("--rows", action="store_true", help="List the trials that would have been blocked.")
    _reader(parser)
    return _common(parser, "One JSON line per run.")


VERBS: dict[str, tuple[Callable[[], Parser], str]] = {
    "check": (check, "Ask whether a proposal may be tried; it comes on standard input."),
    "selftest": (selftest, "Plant faults and demand that they are refused."),
    "replay": (replay, "Show what the rails would have done to a run that is over."),
}


def overview() -> str:
    """What `trajscope rail --help` prints."""
    lines = "\n".join(f"  {name:<10}{about}" for name, (_, about) in VERBS.items())
    return (
        "Usage: trajscope rail VERB [OPTIONS]\n\n  Ask the rails before a trial, and prove that they fire.\n\n"
        f"  Example: trajscope rail selftest\n\nVerbs:\n{lines}\n\nEach has its own --help."
    )


def unknown_verb(word: str) -> str:
    """What is said to a verb that there is none of."""
    from difflib import get_close_matches

    near = get_close_matches(word, VERBS, 1)
    return f"no rail verb is called {word!r}; " + (f"did you mean {near[0]}?" if near else f"have: {', '.join(VERBS)}")


def _reader(parser: Parser) -> None:
    parser.add_argument(
        "--reader", metavar="NAME", help="The format, where it is not recognised (`trajscope formats` lists them)."
    )


def _common(parser: Parser, json: str) -> Parser:
    parser.add_argument("--json", action="store_true", help=json)
    parser.add_argument("--debug", action="store_true", help="Show the traceback of an error.")
    parser.add_argument("--help", action="store_true", help="Show this message and exit.")  # seen to before it is read
    return parser


def _unknown(word: str, options: Iterable[str]) -> str:
    if not word.startswith("-"):
        return f"got an unexpected argument {word!r}"
    from difflib import get_close_matches

    name = word.partition("=")[0]
    near = get_close_matches(name, [o for o in options if o.startswith("--")], 1)
    return f"no option is called {name}" + (f"; did you mean {near[0]}?" if near else "")


def _whole(text: str) -> int:
    try:
        n = int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number") from None
    if n < 1:
        raise argparse.ArgumentTypeError(f"{n} is not at least 1")
    return n


def _amount(text: str) -> float:
    try:
        x = float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number") from None
    if not 0 < x < math.inf:  # written so that NaN, which compares with nothing, is refused
        raise argparse.ArgumentTypeError(f"{text} is not above 0 and finite")
    return x
