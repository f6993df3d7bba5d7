"""Asks the installed command from any process, and takes every kind of silence for a refusal.

For loops that do not want our code in their process, or are not written in Python. Knows nothing of what a rail checks.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from trajscope.verdict import Level, Verdict

RULE = "rails"  # the rule of an answer that no single rail gave
TIMEOUT_S = 10.0
_REAP_S = 5.0  # how long a group that was killed may take to be gone
_SHOWN = 300  # letters of foreign output in a sentence

Paths = str | os.PathLike[str]


def ask_command(
    proposal: Mapping[str, Any] | str | bytes,
    *,
    menu: Paths,
    runs: Sequence[Paths] | None,
    base: Mapping[str, Any] | Paths | None = None,
    options: Sequence[str] = (),
    timeout_s: float = TIMEOUT_S,
    command: Sequence[str] | None = None,
) -> Verdict:
    """What `trajscope rail check` answers to a proposal; no answer, or one that is no clear yes, is a refusal.

    `runs=None` says that there is no history; `options` are further ones of the command, such as its budgets. The
    command and all its children are killed when `timeout_s` is over. Never raises but for an interrupt of the caller.
    """
    try:
        asked = _asked(proposal)
        words = [*(command or installed()), *_words(menu, runs, base, options)]
        code, out, err = _run(words, asked, timeout_s)
    except subprocess.TimeoutExpired:
        return _silent(f"gave no answer within {timeout_s:g} s and was killed")
    except Exception as e:  # noqa: BLE001  # whatever kept us from asking, nothing was answered
        return _silent(f"could not be asked ({type(e).__name__}: {_short(e)})")
    return _heard(code, out, err)


def installed() -> tuple[str, ...]:
    """The command of this installation: beside the running Python, else on the PATH."""
    beside = Path(sys.executable).parent / "trajscope"
    found = str(beside) if os.access(beside, os.X_OK) else shutil.which("trajscope")
    if found is None:
        raise FileNotFoundError("no command `trajscope` beside this Python or on the PATH; install it, or name one")
    return (found,)


def _asked(proposal: Mapping[str, Any] | str | bytes) -> bytes:
    if isinstance(proposal, bytes):
        return proposal
    return (proposal if isinstance(proposal, str) else json.dumps(proposal, allow_nan=False)).encode()


def _words(
    menu: Paths, runs: Sequence[Paths] | None, base: Mapping[str, Any] | Paths | None, options: Sequence[str]
) -> list[str]:
    if isinstance(runs, str | os.PathLike):  # a text is a sequence of letters, and none of them is a run
        runs = [runs]
    # `--name=value`, so that no value can pass for an option.
    out = ["rail", "check", "--json", f"--menu={os.fspath(menu)}"]
    out += ["--no-history"] if runs is None else [f"--run={os.fspath(r)}" for r in runs]
    if base is not None:
        out.append(f"--base={json.dumps(dict(base)) if isinstance(base, Mapping) else os.fspath(base)}")
    return [*out, *options]


def _run(words: list[str], asked: bytes, timeout_s: float) -> tuple[int, bytes, bytes]:
    """Exit code and output of the command; whatever happens, nothing of it is left running."""
    child = subprocess.Popen(
        words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True
    )
    try:
        out, err = child.communicate(asked, timeout_s)
    except BaseException:
        _kill(child)
        raise
    return child.returncode, out, err


def _kill(child: subprocess.Popen[bytes]) -> None:
    try:
        os.killpg(child.pid, signal.SIGKILL)  # it leads a group of its own; this reaches its children, stopped or not
    except OSError:
        child.kill()
    for pipe in (child.stdin, child.stdout, child.stderr):
        if pipe is not None:
            with suppress(OSError):
                pipe.close()
    with suppress(subprocess.TimeoutExpired):  # then it hangs inside the kernel, and there is no stronger word
        child.wait(_REAP_S)


def _heard(code: int, out: bytes, err: bytes) -> Verdict:
    """The verdict that was printed, where the exit code and the line say the same."""
    if code not in (0, 2):
        return _silent(f"{_ended(code)} and answered nothing that counts{_shown(err)}")
    try:
        said = json.loads(out)
        passed, reason, rule, level = said["passed"], said["reason"], said["rule"], Level[said["level"]]
        lists = [tuple(said[k]) for k in ("evidence", "elsewhere", "alternatives")]
    except (ValueError, TypeError, KeyError, RecursionError):
        return _silent(f"{_ended(code)}, and its answer cannot be read{_shown(out or err)}")
    if type(passed) is not bool or passed != (code == 0) or passed != (level <= Level.WARN):
        return _silent(f"contradicts itself: {_ended(code)}, and its answer says {_short(out)!r}")
    return Verdict(str(rule), level, str(reason), *lists)


def _ended(code: int) -> str:
    if code >= 0:
        return f"ended with {code}"
    try:
        return f"was killed by {signal.Signals(-code).name}"
    except ValueError:
        return f"was killed by signal {-code}"


def _shown(output: bytes) -> str:
    return f": {_short(output)}" if output.strip() else ", and it said nothing"


def _short(what: object) -> str:
    """One line of whatever it was, its end if it is long: that is where an error stands."""
    text = what.decode("utf-8", "backslashreplace") if isinstance(what, bytes) else str(what)
    text = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return text if len(text) <= _SHOWN else f"...{text[-_SHOWN:]}"


def _silent(why: str) -> Verdict:
    return Verdict(RULE, Level.UNKNOWN, f"the rail command {why}; no answer is a refusal")
