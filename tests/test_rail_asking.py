"""The client that asks the installed command: whatever happens to that command, no clear yes is a refusal.

Planted and seen to fail: an exit code taken for a yes without an answer, a child left behind by a timeout.
"""

from __future__ import annotations

import json
import os
import re
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from trajscope.rails.asking import ask_command
from trajscope.verdict import Level, Verdict

PASSED = {"passed": True, "rule": "rails", "level": "PASS", "reason": "new", "evidence": [], "elsewhere": []}
PASSED |= {"alternatives": [], "proposal": None}
REFUSED = PASSED | {"passed": False, "rule": "repeat", "level": "FAIL", "reason": "tried", "evidence": [3, 5]}


def python(code: str) -> Sequence[str]:
    """A command that runs a piece of Python in place of ours."""
    return sys.executable, "-c", code


def ask(command: Sequence[str], timeout_s: float = 20.0) -> Verdict:
    return ask_command({"knob": "lr", "value": 1}, menu="menu.json", runs=None, command=command, timeout_s=timeout_s)


def answering(said: object, code: int = 0) -> Sequence[str]:
    text = said if isinstance(said, str) else json.dumps(said)
    return python(f"import sys; sys.stdin.read(); print({text!r}); sys.exit({code})")


def test_a_yes_is_an_answer_that_says_so_and_an_exit_code_that_agrees() -> None:
    assert ask(answering(PASSED)) == Verdict("rails", Level.PASS, "new")


def test_a_refusal_arrives_whole() -> None:
    assert ask(answering(REFUSED, 2)) == Verdict("repeat", Level.FAIL, "tried", (3, 5))


SILENT = {
    "it ends well and says nothing": (python(""), "ended with 0, and its answer cannot be read, and it said nothing"),
    "it ends well and says something else": (answering("all good"), "cannot be read: all good"),
    "it ends well and says two things": (answering(json.dumps(PASSED) + "\n{}"), "cannot be read"),
    "it ends well and says no": (answering(REFUSED), "contradicts itself: ended with 0"),
    "it ends in a refusal and says yes": (answering(PASSED, 2), "contradicts itself: ended with 2"),
    "it says yes at level FAIL": (answering(PASSED | {"level": "FAIL"}), "contradicts itself"),
    "it says yes with a word": (answering(PASSED | {"passed": "true"}), "contradicts itself"),
    "it says yes with a number": (answering(PASSED | {"passed": 1}), "contradicts itself"),
    "it says a list": (answering([PASSED]), "cannot be read"),
    "its answer lacks its level": (answering({"passed": True}), "cannot be read"),
    "its answer is half an answer": (answering(json.dumps(PASSED)[:40]), "cannot be read"),
    "its answer is nested without end": (answering("[" * 100_000), "cannot be read"),
    "its answer is no text": (python("import os; os.write(1, bytes(range(256)))"), "cannot be read"),
    "it says yes and ends with 1": (answering(PASSED, 1), "ended with 1"),
    "it says yes and ends with 127": (answering(PASSED, 127), "ended with 127"),
    "it dies of its own fault": (python("raise ValueError('planted')"), "ended with 1 .*ValueError: planted"),
    "it says yes and is killed": (
        python(f"import os; print({json.dumps(PASSED)!r}, flush=True); os.kill(os.getpid(), 9)"),
        "was killed by SIGKILL",
    ),
    "it is nowhere": (("/nowhere/trajscope",), r"could not be asked \(FileNotFoundError"),
    "it may not be run": ((__file__,), r"could not be asked \(PermissionError"),
    "it is no program": (("/",), "could not be asked"),
}


@pytest.mark.parametrize(("command", "why"), SILENT.values(), ids=SILENT.keys())
def test_no_clear_yes_is_a_refusal(command: Sequence[str], why: str) -> None:
    said = ask(command)
    assert (said.rule, said.level) == ("rails", Level.UNKNOWN)
    assert said.reason.endswith("; no answer is a refusal")
    assert re.search(why, said.reason), said.reason


def test_an_installation_without_the_command_is_a_refusal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    monkeypatch.setenv("PATH", "/nowhere")
    said = ask_command("{}", menu="menu.json", runs=None)
    assert (said.level, said.reason.split(" (")[0]) == (Level.UNKNOWN, "the rail command could not be asked")
    assert "no command `trajscope` beside this Python or on the PATH" in said.reason


@pytest.mark.parametrize(
    "proposal", [{"knob": "lr", "value": object()}, {"knob": "lr", "value": float("nan")}, "\ud800"]
)
def test_a_proposal_that_cannot_be_sent_is_a_refusal(proposal: object) -> None:
    said = ask_command(proposal, menu="menu.json", runs=None, command=answering(PASSED))  # type: ignore[arg-type]  # that is the point
    assert said.level is Level.UNKNOWN
    assert "could not be asked" in said.reason


def test_a_command_that_closes_its_ears_may_still_answer() -> None:
    # It never reads its 1 MB of standard input, so that writing it fails; what counts is what it says.
    big = json.dumps({"knob": "lr", "value": "x" * 1_000_000})
    code = f"import os; os.close(0); print({json.dumps(REFUSED)!r}, flush=True); os._exit(2)"
    assert ask_command(big, menu="m", runs=None, command=python(code)).rule == "repeat"


def gone(pid: int) -> bool:
    """Whether a process has ended; one that nobody has waited for yet has."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


def test_a_command_that_does_not_answer_is_killed_with_its_children(tmp_path: Path) -> None:
    note = tmp_path / "pids"
    code = (
        "import os, subprocess, sys\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import signal; signal.pause()'])\n"
        f"open({str(note)!r} + '.new', 'w').write(f'{{os.getpid()}} {{child.pid}}')\n"
        f"os.rename({str(note)!r} + '.new', {str(note)!r})\n"
        "child.wait()"
    )
    began = time.monotonic()
    said = ask(python(code), 3.0)
    assert time.monotonic() - began < 15
    assert said.reason == "the rail command gave no answer within 3 s and was killed; no answer is a refusal"
    if Path("/proc/self/stat").exists():
        ended = time.monotonic() + 10
        pids = [int(p) for p in note.read_text().split()]
        while not all(map(gone, pids)) and time.monotonic() < ended:
            os.sched_yield()
        assert [p for p in pids if not gone(p)] == []


def test_a_command_that_was_stopped_is_killed_too() -> None:
    said = ask(python("import os, signal; os.kill(os.getpid(), signal.SIGSTOP)"), 1.0)
    assert "gave no answer within 1 s" in said.reason


def test_a_grandchild_that_left_the_group_and_holds_the_pipes_does_not_hold_us() -> None:
    code = (
        "import subprocess, sys\n"
        "subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(8)'], start_new_session=True)\n"
        f"print({json.dumps(PASSED)!r}, flush=True)"
    )
    began = time.monotonic()
    said = ask(python(code), 2.0)
    assert time.monotonic() - began < 15
    assert said.level is Level.UNKNOWN


def test_where_the_exit_code_is_lost_a_refusal_stays_one() -> None:
    # With SIGCHLD ignored the system throws exit codes away, and Python then says 0.
    before = signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    try:
        said = ask(answering(REFUSED, 2))
        killed = ask(python("import os; os.kill(os.getpid(), 9)"))
    finally:
        signal.signal(signal.SIGCHLD, before)
    assert said.level >= Level.UNKNOWN
    assert killed.level >= Level.UNKNOWN


WORDS = (
    "import json, sys; sys.stdin.read()\n"
    "print(json.dumps({**json.loads(sys.argv[1]), 'reason': ' '.join(sys.argv[2:])}))"
)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        ({"runs": None}, "--no-history"),
        ({"runs": ["a.jsonl", Path("b.jsonl")]}, "--run=a.jsonl --run=b.jsonl"),
        ({"runs": "a.jsonl"}, "--run=a.jsonl"),
        ({"runs": []}, ""),
        ({"runs": ["--no-history"]}, "--run=--no-history"),
        ({"runs": None, "base": {"lr": 1}}, '--no-history --base={"lr": 1}'),
        ({"runs": None, "base": Path("base.json")}, "--no-history --base=base.json"),
        ({"runs": None, "options": ["--budget-trials", "9"]}, "--no-history --budget-trials 9"),
    ],
)
def test_what_is_asked_is_what_was_said(call: dict[str, object], words: str) -> None:
    command = (*python(WORDS), json.dumps(PASSED))
    said = ask_command("{}", menu="m.json", command=command, **call)  # type: ignore[arg-type]  # spelt out above
    assert said.reason == f"rail check --json --menu=m.json {words}".strip()
