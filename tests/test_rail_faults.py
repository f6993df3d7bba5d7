"""The fault matrix: whatever breaks around it, a rail never says yes by accident, and says why where it still can.

Every row asks for a proposal that passes while nothing is broken, so that a check left out would show as a pass.
Planted and seen to fail: see the names of the rows; each was tried against a rail that ignores its fault.
"""

from __future__ import annotations

import json
import os
import pty
import random
import re
import resource
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from railfield import BASE, COMMAND, FRESH, ROOT, TRIED, Field
from runfiles import start

from trajscope import menu as menus
from trajscope.errors import HistoryError
from trajscope.rails import History, Rails
from trajscope.rails.asking import ask_command
from trajscope.verdict import Level


@pytest.fixture
def field(tmp_path: Path) -> Field:
    """A campaign in which nothing is broken yet."""
    return Field(tmp_path)


def test_with_nothing_broken_the_proposal_passes_and_the_tried_one_does_not(field: Field) -> None:
    said = field.check()
    assert (said.code, said.json["passed"], said.json["rule"]) == (0, True, "rails"), said
    said = field.check(TRIED)
    assert (said.code, said.json["passed"], said.json["rule"]) == (2, False, "repeat"), said


# --- what is asked about -----------------------------------------------------------------------------------------


def _holding(field: Field, then: str) -> Callable[[], None]:
    """A writer in another process that holds the run and has done something to it; a call lets it go."""
    code = (
        "import sys; from trajscope.writer import open_run\n"
        "import json; head = json.loads(open(sys.argv[1]).readline())\n"
        "run = open_run(sys.argv[1], metric=head['metric'], menu=head['menu'], base=head['base']['config'],\n"
        "               campaign=head['campaign'], resume=True, fsync=False)\n"
        f"{then}\n"
        "print('held', flush=True); sys.stdin.read()\n"
    )
    writer = field.python(code, field.run)
    assert writer.stdout
    assert writer.stdout.readline() == b"held\n"

    def release() -> None:
        writer.communicate()

    return release


def _edit(field: Field, at: int, old: bytes, new: bytes) -> None:
    lines = field.lines()
    assert old in lines[at]
    lines[at] = lines[at].replace(old, new)
    field.run.write_bytes(b"".join(lines))


def _sidecar(field: Field, **wrong: object) -> None:
    from trajscope.chain import link

    lines = field.lines()
    said = {"seq": len(lines) - 1, "offset": sum(map(len, lines)), "line": link(lines[-1]), **wrong}
    field.run.with_suffix(".coverage.json").write_text(json.dumps(said))


def _after_sidecar(field: Field, then: Callable[[], object]) -> None:
    _sidecar(field)
    then()


def _replaced(path: Path, make: Callable[[Path], object]) -> None:
    path.unlink()
    make(path)


HISTORY: dict[str, tuple[Callable[[Field], object], str]] = {
    "the history was deleted": (lambda f: f.run.unlink(), "No such file"),
    "a folder stands in its place": (lambda f: _replaced(f.run, Path.mkdir), "folder"),
    "a link that leads nowhere stands in its place": (
        lambda f: _replaced(f.run, lambda p: p.symlink_to("nowhere")),
        "No such file",
    ),
    "a link that leads to itself stands in its place": (lambda f: _replaced(f.run, lambda p: p.symlink_to(p)), "."),
    "reading it gives an I/O error": (lambda f: _replaced(f.run, lambda p: p.symlink_to("/proc/self/mem")), "."),
    "a device stands in its place": (lambda f: _replaced(f.run, lambda p: p.symlink_to("/dev/zero")), "."),
    "a pipe without a writer stands in its place": (lambda f: _replaced(f.run, os.mkfifo), "is a pipe"),
    "it is empty": (lambda f: f.run.write_bytes(b""), "empty"),
    "it was cut off in the middle of a line": (
        lambda f: f.run.write_bytes(f.run.read_bytes()[:-40]),
        "middle of a line",
    ),
    "it lacks its last newline": (lambda f: f.run.write_bytes(f.run.read_bytes()[:-1]), "middle of a line"),
    "a line in the middle is gone": (
        lambda f: f.run.write_bytes(b"".join(x for i, x in enumerate(f.lines()) if i != 1)),
        "chain",
    ),
    "a line was edited": (lambda f: _edit(f, 1, b"0.01", b"0.02"), "chain"),
    "its last line was edited, and its sidecar knows": (
        lambda f: _after_sidecar(f, lambda: _edit(f, 2, b"gelu", b"relu")),
        "sidecar",
    ),
    "it is shorter than its sidecar says": (
        lambda f: _after_sidecar(f, lambda: f.run.write_bytes(b"".join(f.lines()[:-1]))),
        "sidecar",
    ),
    "its sidecar is garbled": (lambda f: f.run.with_suffix(".coverage.json").write_text("{"), "sidecar"),
    "its sidecar is mistyped": (lambda f: _sidecar(f, offset="7"), "sidecar"),
    "a line is no JSON": (lambda f: f.run.write_bytes(f.run.read_bytes() + b"\x00\xff\n"), "run.jsonl:4"),
    "a line is of a later version": (
        lambda f: f.run.write_bytes(f.run.read_bytes() + b'{"v":99,"type":"trial","seq":3}\n'),
        "version 99",
    ),
    "it is of another format": (lambda f: f.run.write_text("a\tb\n1\t2\n"), "no format|in no format"),
    "it is packed and damaged": (lambda f: f.run.write_bytes(b"\x1f\x8b\x08" + bytes(99)), "."),
    "a trial does not say what it changed": (
        lambda f: _edit(f, 2, b'"changes":[{"knob":"act","value":"gelu"}]', b'"changes":[]'),
        ".",
    ),
    "a second file of the campaign was deleted": (
        lambda f: f.words.extend(["--run", str(f.folder / "gone.jsonl")]),
        "gone",
    ),
}


@pytest.mark.parametrize(("plant", "why"), HISTORY.values(), ids=HISTORY.keys())
def test_a_history_that_cannot_be_trusted_refuses_everything(
    field: Field, plant: Callable[[Field], object], why: str
) -> None:
    plant(field)
    said = field.check()
    assert (said.code, said.json["passed"], said.json["rule"]) == (2, False, "history"), said
    assert re.search(why, said.json["reason"]), said.json["reason"]
    assert said.err.startswith("trajscope: refused (history): ")
    assert said.err.count("\n") == 1


IN_PROCESS = {name: plant for name, (plant, _) in HISTORY.items() if "second file" not in name}


@pytest.mark.parametrize("plant", IN_PROCESS.values(), ids=IN_PROCESS.keys())
def test_a_loop_that_asks_in_its_own_process_is_refused_as_well(field: Field, plant: Callable[[Field], object]) -> None:
    plant(field)
    with pytest.raises(HistoryError, match=r"run\.(jsonl|coverage\.json)"):
        History.of([field.run], menus.load(field.menu))


@pytest.mark.parametrize("plant", IN_PROCESS.values(), ids=IN_PROCESS.keys())
def test_what_breaks_while_a_loop_is_running_is_refused_at_its_next_proposal(
    field: Field, plant: Callable[[Field], object]
) -> None:
    menu = menus.load(field.menu)
    rails = Rails(menu, History.of([field.run], menu), base=BASE)
    assert rails.ask(FRESH).passed
    plant(field)
    for _ in range(2):  # nor is it forgotten
        verdict = rails.check(FRESH)
        assert (verdict.rule, verdict.level) == ("history", Level.UNKNOWN), verdict


def test_a_line_that_is_half_written_is_waited_for_and_then_counts(field: Field) -> None:
    menu = menus.load(field.menu)
    whole = field.run.read_bytes()
    last = field.lines()[-1]
    field.run.write_bytes(whole[: -len(last)])
    rails = Rails(menu, History.of([field.run], menu), base=BASE)
    gelu = {"knob": "act", "value": "gelu"}
    assert rails.ask(gelu).passed
    with field.run.open("ab") as f:
        f.write(last[:50])
        f.flush()
        assert rails.check(gelu).rule == "history"
        f.write(last[50:])
    assert rails.check(gelu).rule == "repeat"
    assert rails.ask(FRESH).passed


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything; the folder, device and I/O error rows stand in")
@pytest.mark.parametrize("which", ["run.jsonl", "menu.json", "."])
def test_a_permission_that_was_lost_is_a_refusal(field: Field, which: str) -> None:
    (field.folder / which).chmod(0)
    try:
        said = field.check(stdin=subprocess.DEVNULL)
    finally:
        (field.folder / which).chmod(0o700)
    assert said.code == 2


def test_a_writer_that_holds_the_run_between_two_lines_is_no_fault(field: Field) -> None:
    release = _holding(field, "")
    try:
        assert field.check().code == 0
        assert field.check(TRIED).json["rule"] == "repeat"
    finally:
        release()


def test_a_writer_in_the_middle_of_a_line_is_a_refusal_until_it_is_done(field: Field) -> None:
    release = _holding(field, 'import os; os.write(run._file._fd, b\'{"v":1,"type":"trial",\')')
    try:
        said = field.check()
    finally:
        release()
    assert (said.code, said.json["rule"]) == (2, "history")


CLOCKS = {
    "a century ahead": "2126-01-01T00:00:00.000Z",
    "long ago": "1970-01-01T00:00:00.000Z",
    "nonsense": "yesterday",
}


@pytest.mark.parametrize("when", CLOCKS.values(), ids=CLOCKS.keys())
def test_a_clock_that_jumped_changes_no_answer(tmp_path: Path, when: str) -> None:
    field = Field(tmp_path)
    field.run.unlink()
    with closing(start(field.run, base=BASE)) as run:
        run.trial({"lr": 0.01}, value=2.0, kept=False, wall_s=1.0, started=when, ended=when)
    assert field.check(TRIED).json["rule"] == "repeat"
    assert field.check(FRESH).code == 0


# --- what is said about it -----------------------------------------------------------------------------------------

WORDS: dict[str, tuple[Callable[[Field], object], str, str]] = {
    "the menu was deleted": (lambda f: f.menu.unlink(), "menu", "cannot be read"),
    "the menu is a folder": (lambda f: _replaced(f.menu, Path.mkdir), "menu", "cannot be read"),
    "the menu is empty": (lambda f: f.menu.write_text(""), "menu", "not JSON"),
    "the menu is garbled": (lambda f: f.menu.write_bytes(os.urandom(300)), "menu", "not JSON"),
    "the menu is another file": (lambda f: f.menu.write_text('{"v": 99, "type": "run"}'), "menu", "knob"),
    "the menu contradicts itself": (lambda f: f.menu.write_text('{"lr": {"range": [1, 0]}}'), "menu", "empty"),
    "no menu is named": (lambda f: f.words.__delitem__(slice(0, 2)), "usage", "--menu"),
    "no history is named": (lambda f: f.words.__delitem__(slice(2, 4)), "usage", "neither --run nor --no-history"),
    "a history is named, and none": (lambda f: f.words.append("--no-history"), "usage", "contradict"),
    "an option is mistyped": (lambda f: f.words.append("--jsn"), "usage", r"--jsn; did you mean --json\?"),
    "an option is cut short": (lambda f: f.words.extend(["--budget-trial", "9"]), "usage", r"mean --budget-trials\?"),
    "a word too many": (lambda f: f.words.append("--json=1"), "usage", "json"),
    "the base is no JSON": (lambda f: f.words.extend(["--base", "{"]), "usage", "JSON"),
    "the base is a file that is not there": (lambda f: f.words.extend(["--base", "b.json"]), "usage", "b.json"),
    "the base is a list": (lambda f: f.words.extend(["--base", "[1]"]), "usage", "object"),
    "a budget is no number": (lambda f: f.words.extend(["--budget-usd", "nan"]), "usage", "finite"),
    "a budget is spent": (lambda f: f.words.extend(["--budget-trials", "2"]), "budget", "2"),
    "the reader is unknown": (lambda f: f.words.extend(["--reader", "xml"]), "history", "xml"),
}


@pytest.mark.parametrize(("plant", "rule", "why"), WORDS.values(), ids=WORDS.keys())
def test_a_call_that_does_not_fit_is_a_refusal(
    field: Field, plant: Callable[[Field], object], rule: str, why: str
) -> None:
    plant(field)
    said = field.check()
    assert (said.code, said.json["passed"], said.json["rule"]) == (2, False, rule), said
    assert re.search(why, said.json["reason"]), said.json["reason"]


def test_help_that_is_asked_for_in_the_middle_of_a_call_is_no_yes(field: Field) -> None:
    said = field.check(FRESH, "--help")
    assert said.code == 2
    assert said.out.startswith("Usage: ")


# --- the proposal --------------------------------------------------------------------------------------------------


def test_standard_input_that_is_closed_is_a_refusal(field: Field) -> None:
    said = field.check(stdin=subprocess.DEVNULL, preexec_fn=lambda: os.close(0))
    assert (said.code, said.json["rule"]) == (2, "schema")


def test_standard_input_without_end_is_a_refusal(field: Field) -> None:
    with open("/dev/zero", "rb") as endless:  # noqa: PTH123  # a device
        said = field.check(stdin=endless)
    assert (said.code, said.json["rule"]) == (2, "schema")


@pytest.mark.parametrize("seed", range(5))
def test_garbage_on_standard_input_is_a_refusal(field: Field, seed: int) -> None:
    said = field.check(random.Random(seed).randbytes(2000))
    assert (said.code, said.json["rule"]) == (2, "schema")


def test_standard_input_that_cannot_be_read_is_a_refusal(field: Field) -> None:
    deaf = os.open(field.folder / "deaf", os.O_WRONLY | os.O_CREAT)
    said = field.check(stdin=deaf)
    os.close(deaf)
    assert (said.code, said.json["rule"]) == (2, "rails")
    assert "Bad file descriptor" in said.json["reason"]


def test_a_terminal_is_told_what_is_waited_for(field: Field) -> None:
    ours, theirs = pty.openpty()
    child = field.start(stdin=theirs)
    os.close(theirs)
    os.write(ours, b"\x04")
    out, err = child.communicate(timeout=50)
    os.close(ours)
    assert child.returncode == 2
    assert json.loads(out)["rule"] == "schema"
    assert b"type {" in err


# --- where the answer goes -----------------------------------------------------------------------------------------


def test_an_answer_that_no_disk_takes_is_a_refusal(field: Field) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("this machine has no /dev/full")
    with open("/dev/full", "wb") as full:  # noqa: PTH123  # a device
        said = field.check(stdout=full)
    assert said.code == 2
    assert "it passed, and that could not be told: standard output cannot be written (No space left" in said.err


def test_an_answer_over_the_limit_of_a_file_is_a_refusal(field: Field) -> None:
    limit = lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (10, 10))  # noqa: E731  # runs in the child
    with (field.folder / "answer").open("wb") as answer:
        said = field.check(stdout=answer, preexec_fn=limit)
    assert said.code == 2
    assert len((field.folder / "answer").read_bytes()) <= 10


def test_an_answer_to_a_closed_standard_output_is_a_refusal(field: Field) -> None:
    said = field.check(preexec_fn=lambda: os.close(1))
    assert said.code == 2
    assert "standard output cannot be written (it is closed)" in said.err


def test_an_answer_that_nobody_reads_is_a_refusal(field: Field) -> None:
    into, out = os.pipe()
    os.close(into)
    said = field.check(stdout=out)
    os.close(out)
    assert said.code == 2
    assert "Broken pipe" in said.err


@pytest.mark.parametrize("code", ["os.close(2)", "os.dup2(os.open('/dev/full', os.O_WRONLY), 2)"])
def test_a_reason_that_nobody_can_read_changes_no_answer(field: Field, code: str) -> None:
    said = field.check(TRIED, preexec_fn=lambda: exec(code))  # noqa: S102  # our own, spelt out above
    assert (said.code, said.json["rule"]) == (2, "repeat")
    assert field.check(preexec_fn=lambda: exec(code)).code == 0  # noqa: S102  # the same


# --- the machine ---------------------------------------------------------------------------------------------------


def test_a_process_that_is_killed_at_any_moment_says_no_yes(field: Field) -> None:
    told = random.Random(3)
    for _ in range(25):
        child = field.start()
        try:
            child.wait(told.uniform(0, 0.2))
        except subprocess.TimeoutExpired:
            child.kill()
        out, _ = child.communicate(timeout=50)
        assert child.returncode in (0, -signal.SIGKILL)
        assert child.returncode or json.loads(out)["passed"] is True


@pytest.mark.parametrize("word", ["SIGTERM", "SIGINT", "SIGHUP", "SIGXCPU", "SIGSEGV"])
def test_a_signal_while_it_reads_is_no_yes(field: Field, word: str) -> None:
    into, out = os.pipe()
    child = field.start(stdin=into)
    os.write(out, b" " * 60_000 + b"{")
    os.write(out, b" " * 60_000)  # there is no room for this until it reads
    child.send_signal(getattr(signal, word))
    os.close(out)
    child.communicate(timeout=50)
    assert child.returncode in (2, -getattr(signal, word))


def test_a_process_that_was_stopped_is_a_refusal_to_who_waits_for_it(field: Field) -> None:
    stopped = (sys.executable, "-c", "import os, signal; os.kill(os.getpid(), signal.SIGSTOP)")
    said = ask_command(FRESH, menu=field.menu, runs=[field.run], command=stopped, timeout_s=1)
    assert "gave no answer within 1 s" in said.reason


@pytest.mark.parametrize("megabytes", [1, 8, 20, 30, 40, 60, 90])
def test_too_little_memory_is_no_yes(field: Field, megabytes: int) -> None:
    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_AS, (megabytes << 20, megabytes << 20))

    said = field.check(TRIED, preexec_fn=limit)
    assert said.code != 0
    said = field.check(preexec_fn=limit)
    assert said.code or said.json["passed"] is True


def test_memory_that_ends_while_the_history_is_read_is_a_refusal_with_a_reason(field: Field) -> None:
    _sitecustomize(field, "import trajscope.menu as m\ndef load(*a): raise MemoryError\nm.load = load\n")
    said = field.check()
    assert (said.code, said.json["rule"]) == (2, "rails")
    assert "the rail itself failed (MemoryError); no answer is a refusal" in said.json["reason"]


def test_no_file_descriptor_left_is_no_yes(field: Field) -> None:
    for most in (3, 4, 5):
        said = field.check(TRIED, preexec_fn=lambda n=most: resource.setrlimit(resource.RLIMIT_NOFILE, (n, n)))
        assert said.code != 0


def test_a_working_directory_that_is_gone_is_a_refusal(field: Field) -> None:
    gone = field.folder / "gone"
    gone.mkdir()
    field.words[3] = "run.jsonl"
    said = field.check(cwd=gone, preexec_fn=gone.rmdir)
    assert (said.code, said.json["rule"]) == (2, "history")


# --- the interpreter -----------------------------------------------------------------------------------------------


def _sitecustomize(field: Field, code: str) -> None:
    (field.folder / "sitecustomize.py").write_text(code)
    field.env["PYTHONPATH"] = f"{field.folder}{os.pathsep}{ROOT}"


def _shadow(name: str, code: str) -> Callable[[Field], None]:
    def plant(field: Field) -> None:
        (field.folder / "shadow").mkdir()
        (field.folder / "shadow" / f"{name}.py").write_text(code)
        field.env["PYTHONPATH"] = f"{field.folder / 'shadow'}{os.pathsep}{ROOT}"

    return plant


def _without(*names: str) -> Callable[[Field], None]:
    """An installation that lacks some of our modules."""

    def plant(field: Field) -> None:
        site = field.folder / "site"
        shutil.copytree(ROOT / "trajscope", site / "trajscope", ignore=shutil.ignore_patterns("__pycache__"))
        for name in names:
            (site / "trajscope" / name).unlink()
        field.env["PYTHONPATH"] = str(site)

    return plant


def _truncated(which: str) -> Callable[[Field], None]:
    """An installation whose compiled modules were cut off by a full disk."""

    def plant(field: Field) -> None:
        cache = field.folder / "cache"
        field.env["PYTHONPYCACHEPREFIX"] = str(cache)
        field.env.pop("PYTHONDONTWRITEBYTECODE", None)
        assert field.check().code == 0
        found = [p for p in cache.rglob("*.pyc") if "trajscope" in str(p) and p.name.startswith(which)]
        assert found
        for p in found:
            p.write_bytes(p.read_bytes()[: p.stat().st_size // 2])

    return plant


# The reason is None where the interpreter ends before our code begins.
BROKEN: dict[str, tuple[Callable[[Field], object], str | None]] = {
    "PYTHONHOME leads nowhere": (lambda f: f.env.update(PYTHONHOME="/nowhere"), None),
    "the encoding is unknown": (lambda f: f.env.update(PYTHONIOENCODING="nonsense", PYTHONUTF8="0"), None),
    "json raises when it is imported": (_shadow("json", "raise RuntimeError('planted')"), "RuntimeError"),
    "json ends the process well when it is imported": (_shadow("json", "raise SystemExit(0)"), "SystemExit"),
    "msgspec raises when it is imported": (_shadow("msgspec", "raise RuntimeError('planted')"), "RuntimeError"),
    "msgspec ends the process well when it is imported": (_shadow("msgspec", "import sys; sys.exit()"), "SystemExit"),
    "msgspec is another module": (_shadow("msgspec", ""), "."),
    "argparse raises when it is imported": (_shadow("argparse", "1 / 0"), "ZeroDivisionError"),
    "textwrap interrupts when it is imported": (_shadow("textwrap", "raise KeyboardInterrupt"), "KeyboardInterrupt"),
    "hashlib is not Python": (_shadow("hashlib", "this is not Python("), "SyntaxError"),
    "the menu module is missing": (_without("menu.py"), "trajscope.menu"),
    "the module that refuses is missing": (_without("cli/rail.py"), "ImportError"),
    "the command is missing": (_without("cli/__init__.py", "cli/__main__.py"), None),
    "the module of the history is missing": (_without("rails/history.py"), "trajscope.rails.history"),
    "a compiled module of ours is cut off": (_truncated("chain."), "EOFError"),
    "every compiled module of ours is cut off": (_truncated(""), None),
}


@pytest.mark.parametrize(("plant", "why"), BROKEN.values(), ids=BROKEN.keys())
def test_a_broken_interpreter_is_no_yes(field: Field, plant: Callable[[Field], object], why: str | None) -> None:
    plant(field)
    said = field.check()
    assert said.code != 0
    if why is not None:
        assert said.code == 2, said
        assert re.search(why, said.err), said.err
        assert said.err.startswith("trajscope: refused (")
        assert said.err.count("\n") == 1


def test_an_interpreter_that_ends_well_before_our_code_begins_is_a_refusal_to_who_asked(field: Field) -> None:
    # No command can guard against this by its exit code; the answer on standard output can.
    (field.folder / "sitecustomize.py").write_text("import os; os._exit(0)")
    command = ("env", f"PYTHONPATH={field.folder}{os.pathsep}{ROOT}", *COMMAND)
    said = ask_command(FRESH, menu=field.menu, runs=[field.run], command=command)
    assert said.level is Level.UNKNOWN
    assert "its answer cannot be read" in said.reason


PLACES = ["trajscope.menu.load", "trajscope.rails.chain.Rails.ask", "trajscope.rails.history.History.of", "os.isatty"]
ERRORS = [
    "ValueError('x')",
    "KeyboardInterrupt()",
    "MemoryError()",
    "SystemExit(0)",
    "RecursionError('x')",
    "OSError(5, 'x')",
]
ERRORS += ["BaseException('x')", "GeneratorExit()", "UnicodeDecodeError('utf-8', b'x', 0, 1, 'x')"]


@pytest.mark.parametrize("error", ERRORS)
@pytest.mark.parametrize("place", PLACES)
def test_an_error_of_our_own_anywhere_is_a_refusal(field: Field, place: str, error: str) -> None:
    module, _, name = place.rpartition(".")
    owner, _, inner = module.rpartition(".") if name in ("ask", "of") else (module, "", "")
    where = f"import_module({owner!r})" + (f".{inner}" if inner else "")
    code = f"from importlib import import_module\ndef f(*a, **k): raise {error}\nsetattr({where}, {name!r}, f)\n"
    _sitecustomize(field, code)
    said = field.check()
    assert (said.code, said.json["passed"], said.json["rule"]) == (2, False, "rails"), said
    assert said.json["reason"].endswith("no answer is a refusal")
