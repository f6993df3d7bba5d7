"""`trajscope rail`: one proposal against the whole history, the proof that the rails fire, what they would have done.

`check` ends with 0 for a proposal that passed and whose caller could be told, and with 2 for everything else.
"""

from __future__ import annotations

import errno
import os
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trajscope.cli import streams, words
from trajscope.cli.words import MisuseError

if TYPE_CHECKING:
    import argparse

    from trajscope.rails.base import Base
    from trajscope.rails.budget import Budget
    from trajscope.rails.chain import Answer
    from trajscope.rails.lint import Edits
    from trajscope.rails.proposal import Proposal
    from trajscope.verdict import Verdict

SCHEMA = 1
RULE = "rails"  # the rule of a refusal that no single rail gave
_HINT = 'a proposal is read from the terminal: type {"knob": NAME, "value": VALUE}, then Ctrl-D'


def main(args: list[str]) -> int:
    """Answer the words of a command line that begins with `rail` with an exit code."""
    closed = streams.hold()
    rest = [a for a in args if a != "--debug"]
    rest = rest[rest.index("rail") + 1 :]
    debug = "--debug" in args
    if not rest or rest[0] in ("--help", "-h"):
        streams.put(1, words.overview())
        return 0 if rest else 2
    if rest[0] == "check":
        return _check(rest[1:], closed=closed, debug=debug)
    from trajscope.cli import railverbs

    return railverbs.main(rest[0], rest[1:], debug=debug)


def _check(args: list[str], *, closed: set[int], debug: bool) -> int:
    """Ask, and deliver the answer; whatever goes wrong on the way is a refusal."""
    import gc

    gc.disable()  # the process is over before there is enough to collect, and looking for it takes 10 ms
    proposal: Proposal | None = None
    try:
        if "--help" in args:
            words.check().print_help()
            return 0 if args == ["--help"] else 2  # among other words it may be a stranger's, and nothing was judged
        verdict, proposal = _ask(words.check().read(args), _proposal())
    except BaseException as e:
        if debug:
            import traceback

            traceback.print_exc()
        verdict = _failed(e)
    return _deliver(verdict, proposal, json="--json" in args, closed=closed)


def _ask(said: argparse.Namespace, raw: bytes) -> Answer:
    """The answer of the chain over the whole history."""
    from trajscope import menu as menus
    from trajscope.rails.base import of_menu
    from trajscope.rails.chain import Answer, Rails
    from trajscope.rails.history import History
    from trajscope.verdict import Level, Verdict

    if bool(said.run) == said.no_history:
        why = "--run and --no-history contradict each other" if said.run else "neither --run nor --no-history was said"
        raise MisuseError(f"{why}; name the whole history, or say that there is none", words.check())
    menu = menus.load(said.menu)
    history = History.none(menu) if said.no_history else History.of(said.run, menu, reader=said.reader)
    base = _given(said.base) if said.base is not None else of_menu(menu) if said.no_history else history.base
    header = history.header
    rails = Rails(
        menu,
        history,
        base=base.config,
        evaluator=header.evaluator if header else None,
        data=header.data if header else None,
        parent=said.parent,
        budget=_budget(said),
        edits=_edits(said.edits),
    )
    answer = rails.ask(raw)
    if base.config is None and answer.verdict.level is Level.UNKNOWN:
        why = f"nobody knows what the proposal is applied to: {base.why}"
        return Answer(Verdict("base", Level.UNKNOWN, why), answer.proposal)
    return answer


def _given(text: str) -> Base:
    """The base that was typed, or that stands in the file of this name."""
    from trajscope.rails.base import Base

    return Base(_object(text, "--base"))


def _budget(said: argparse.Namespace) -> Budget | None:
    from trajscope.rails.budget import Budget

    limits = {name: getattr(said, f"budget_{name}") for name in ("trials", "hours", "tokens", "usd")}
    return Budget(**limits) if any(x is not None for x in limits.values()) else None


def _edits(path: str | None) -> Edits | None:
    """What may be edited, as the file of this name declares it; its root is said relative to the file."""
    if path is None:
        return None
    from trajscope.rails.lint import Edits
    from trajscope.rails.passages import Protected

    found = dict(_object(path, "--edits"))
    try:
        found["protected"] = tuple(Protected(**p) for p in found.get("protected", ()))
        root = found.get("root")
        found["root"] = None if root is None else Path(path).parent / root
        return Edits(**found)
    except TypeError as e:
        raise MisuseError(
            f"--edits: {path}: {e}; it holds {', '.join(Edits.__dataclass_fields__)}", words.check()
        ) from e


def _object(text: str, option: str) -> dict[str, Any]:
    """A JSON object that was typed, or that stands in the file of this name."""
    from json import loads

    try:
        if not text.lstrip().startswith(("{", "[")):
            text = Path(text).read_text("utf-8")
        found = loads(text)
    except OSError as e:
        raise MisuseError(f"{option}: {text}: cannot be read ({e.strerror})", words.check()) from e
    except (ValueError, RecursionError) as e:
        raise MisuseError(f"{option}: {text[:60]}: is not JSON ({e})", words.check()) from e
    if not isinstance(found, dict):
        raise MisuseError(f"{option}: {text[:60]}: is not an object", words.check())
    return found


def _proposal() -> bytes:
    """What stands on standard input, to a little over what a proposal may have."""
    from trajscope.rails.proposal import MAX_BYTES

    if os.isatty(0):
        streams.put(2, f"trajscope: {_HINT}")
    return streams.take(0, MAX_BYTES)


def _failed(e: BaseException) -> Verdict:
    """The refusal that an error is."""
    from trajscope import errors
    from trajscope.verdict import Level, Verdict

    if isinstance(e, MisuseError):
        return Verdict("usage", Level.FAIL, f"{e}; {e.parser.prog} --help says how it is called")
    if isinstance(e, errors.SettingsError):
        return Verdict("usage", Level.FAIL, str(e))
    if isinstance(e, errors.TrajscopeError):
        return Verdict("menu" if isinstance(e, errors.MenuError) else "history", Level.UNKNOWN, str(e))
    what = f"{type(e).__name__}: {e}" if str(e) else type(e).__name__
    return Verdict(RULE, Level.UNKNOWN, f"the rail itself failed ({what}); no answer is a refusal")


def _deliver(verdict: Verdict, proposal: Proposal | None, *, json: bool, closed: set[int]) -> int:
    """Tell the caller; a pass that cannot be told is none."""
    from trajscope.cli.text import clean
    from trajscope.verdict import Level

    passed = verdict.level <= Level.WARN
    if json:
        try:
            if 1 in closed:
                raise OSError(errno.EBADF, "it is closed")
            streams.put(1, _line(verdict, proposal, passed=passed))
        except OSError as e:
            if passed:
                reason = f"it passed, and that could not be told: standard output cannot be written ({e.strerror})"
                verdict, passed = type(verdict)(RULE, Level.UNKNOWN, reason), False
    word = "passed" if passed else "refused"
    more = f"; untried: {', '.join(verdict.alternatives)}" if verdict.alternatives else ""
    with suppress(OSError):  # the exit code says it
        streams.put(2, f"trajscope: {word} ({clean(verdict.rule)}): {clean(verdict.reason + more)}")
    return 0 if passed else 2


def _line(verdict: Verdict, proposal: Proposal | None, *, passed: bool) -> str:
    import json

    said = {"schema": SCHEMA, "passed": passed, **verdict._asdict(), "level": verdict.level.name}
    found: dict[str, Any] = {**said, "proposal": None}
    if proposal is not None:
        changes = [{"knob": c.knob, "value": c.value} for c in proposal.pair.changes]
        found["proposal"] = {"pair": proposal.pair.label, "changes": changes, "intent": proposal.intent}
    return json.dumps(found, separators=(",", ":"), default=str)
