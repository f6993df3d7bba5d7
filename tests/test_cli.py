"""The command line as a stranger meets it: how it starts, what it says to a wrong call or a broken file, how it ends.

Planted and seen to fail: pydantic imported by `analyze`, exit 1 on a closed pipe, typer's own four lines of usage.
"""

from __future__ import annotations

import gzip
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from clirun import AMNESIAC, COMMAND, ROOT, SAMPLES, Cli, error

from trajscope.cli.app import VERBS


@pytest.fixture
def cli(tmp_path: Path) -> Cli:
    """The command, in a folder of its own."""
    return Cli(tmp_path)


HEAVY = "pydantic numpy polars duckdb altair scipy vl_convert textual rich"


def loaded(*args: object) -> set[str]:
    """The modules that a command has loaded when it ends."""
    code = (
        "import atexit, sys; sys.argv = ['trajscope', *sys.argv[1:]]\n"
        "atexit.register(lambda: print(*sys.modules, file=sys.stderr))\n"
        "from trajscope.cli import main; main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *map(str, args)], capture_output=True, text=True, cwd=ROOT, check=True, timeout=50
    )
    return set(done.stderr.split())


def test_help_imports_nothing_heavy() -> None:
    assert loaded("--help") & {*HEAVY.split(), "msgspec", "trajscope.analysis"} == set()


@pytest.mark.parametrize("more", [(), ("--json",), ("--quick", "--goal", "minimize", "--history", "5")])
def test_analyze_of_a_small_file_imports_nothing_heavy(more: tuple[str, ...]) -> None:
    assert loaded("analyze", AMNESIAC, *more) & {*HEAVY.split(), "importlib.metadata"} == set()


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (("analyz", "x"), r"no command is called 'analyz'; did you mean analyze\?"),
        (("xyzzy",), r"no command is called 'xyzzy'; have: analyze, trials"),
        ((AMNESIAC,), r"no command is called .*; to read that file: trajscope analyze "),
        (("analyze",), "missing argument 'FILE'"),
        (("analyze", "--jsn", "x"), r"no option is called --jsn; did you mean --json\?"),
        (("analyze", "--xyzzy", "x"), "no option is called --xyzzy$"),
        (("analyze", AMNESIAC, "--goal", "up"), "'up' is neither minimize nor maximize"),
        (("analyze", AMNESIAC, "--metric", "nowhere"), r"amnesiac.jsonl: no trial has a value of 'nowhere'; leave"),
        (("analyze", AMNESIAC, "--reader", "xml"), r"no reader is called 'xml' \(have: native, stages"),
        (("analyze", AMNESIAC, "--menu", "no.json"), r"no.json: cannot be read \(No such file"),
        (("analyze", "-", AMNESIAC), "standard input stands alone"),
        (("analyze", AMNESIAC, "-o", "no/x.json"), r"no/x.json: cannot be written"),
        (("analyze", "-", "--figures", "x"), "-: is a pipe, and --figures reads a file twice; save it"),
        (("trials", "-", "--seq", "3"), "-: is a pipe, and --seq reads a file twice"),
        (("trials", AMNESIAC, "--last", "x"), "'x' is not a whole number"),
        (("trials", AMNESIAC, "--last", "-1"), "-1 is not at least 0"),
        (("trials", AMNESIAC, "--where", "xyzzy > 1"), "the query does not run: .*xyzzy"),
        (("trials", AMNESIAC, "--seq", "0"), "line 0 holds no trial"),
        (("sql", "DROP TABLE trials", AMNESIAC), "only one SELECT may be asked"),
        (("sql", "SELECT * FROM read_text('/etc/hostname')", AMNESIAC), "the query does not run: "),
        (("schema", "xyzzy"), "'xyzzy' is none of run, trial"),
        (("convert", AMNESIAC), "missing option '--output' / '-o'"),
        (("fleet", AMNESIAC), "is no folder; use `trajscope analyze"),
    ],
)
def test_a_wrong_call_is_told_in_one_line_with_a_remedy(cli: Cli, args: tuple[object, ...], says: str) -> None:
    assert re.search(says, error(cli(*args)))


def test_without_a_word_it_says_what_there_is_and_is_no_pass(cli: Cli) -> None:
    done = cli()
    assert done.returncode == 2
    assert "Commands:" in done.stdout
    assert done.stderr == ""


@pytest.mark.parametrize("verb", VERBS)
def test_every_command_has_help_with_an_example_that_runs(cli: Cli, verb: str) -> None:
    done = cli(verb, "--help")
    assert done.returncode == 0
    found = re.search(r"Example: (trajscope [^\n]*(?:\n  \S[^\n]*)*)", done.stdout)
    assert found
    assert found[1].split()[1] == verb
    shutil.copy(AMNESIAC, cli.here / "run.jsonl")
    shutil.copy(AMNESIAC, cli.here / "results.jsonl")
    shutil.copy(AMNESIAC.with_name("amnesiac.menu.json"), cli.here / "menu.json")
    shutil.copy(SAMPLES / "menu_from" / "train.py", cli.here)
    (cli.here / "campaigns").mkdir()
    shutil.copy(AMNESIAC, cli.here / "campaigns" / "night.jsonl")
    if verb == "verify":
        assert cli("report", "run.jsonl", "-o", "run.html").returncode == 0
    # A convert that was typed as shown writes run.jsonl, which must not be there.
    if verb == "convert":
        (cli.here / "run.jsonl").unlink()
    example = cli.shell(" ".join(found[1].split()))
    assert example.returncode == (verb in ("gate", "corpus")), example.stderr  # the amnesiac may not be distilled
    assert example.stdout


def test_the_list_in_the_help_is_what_each_verb_says_of_itself(cli: Cli) -> None:
    done = cli("--help").stdout
    assert all(f"  {verb}" in done and line in done for verb, (_, line) in VERBS.items())


def test_the_version_is_told_also_from_a_checkout(cli: Cli) -> None:
    assert cli("--version").stdout.startswith("trajscope ")


def test_the_package_itself_is_the_command_where_the_script_is_not_on_the_path(cli: Cli) -> None:
    done = cli.spawn([sys.executable, "-m", "trajscope", "--version"])
    assert (done.returncode, done.stdout) == (0, cli("--version").stdout)
    assert cli.spawn([sys.executable, "-m", "trajscope", "analyze", "no.jsonl"]).returncode == 2


BROKEN: dict[str, tuple[bytes, str]] = {
    "empty.jsonl": (b"", "is empty; there is nothing to read yet"),
    "binary.jsonl": (bytes(range(256)) * 20, "is binary, not text; name one with --reader"),
    "table.tsv": (
        b"name\tcolour\nx\tred\n",
        "is in no format that a reader knows; it looks like a table with tabs (columns name, colour); ",
    ),
    "other.json": (b'{"a": [1, 2]}', "is in no format that a reader knows"),
    "half.jsonl.gz": (gzip.compress(os.urandom(4000))[:999], "cannot be read to its end"),
}


@pytest.mark.parametrize("verb", ["analyze", "trials"])
@pytest.mark.parametrize("name", BROKEN)
def test_a_file_that_cannot_be_read_is_named_in_one_line(cli: Cli, verb: str, name: str) -> None:
    (cli.here / name).write_bytes(BROKEN[name][0])
    assert error(cli(verb, name)).startswith(f"{name}: {BROKEN[name][1]}")


def test_what_is_no_file_at_all_is_named_too(cli: Cli) -> None:
    (cli.here / "folder").mkdir()
    assert "folder: is a folder; use `trajscope fleet folder`" in error(cli("analyze", "folder"))
    assert "nowhere.jsonl: cannot be read (No such file or directory)" in error(cli("analyze", "nowhere.jsonl"))
    assert "is a device or socket" in error(cli("analyze", "/dev/null"))


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_a_file_that_may_not_be_read_is_named(cli: Cli) -> None:
    (cli.here / "mine.jsonl").write_bytes(AMNESIAC.read_bytes())
    (cli.here / "mine.jsonl").chmod(0)
    assert "mine.jsonl: cannot be read (Permission denied)" in error(cli("analyze", "mine.jsonl"))


def test_one_bad_file_among_many_does_not_hide_the_others(cli: Cli) -> None:
    done = cli("analyze", "--json", "nowhere.jsonl", AMNESIAC, "no-more.jsonl")
    assert done.returncode == 2
    assert [json.loads(line)["run_id"] for line in done.stdout.splitlines()] == ["amnesiac"]
    assert len(done.stderr.splitlines()) == 2


def test_a_file_comes_as_well_by_a_pipe_or_packed(cli: Cli) -> None:
    known = json.loads(cli("analyze", AMNESIAC, "--json").stdout)["pairs"]["repeats"]
    packed = cli.here / "run.jsonl.gz"
    packed.write_bytes(gzip.compress(AMNESIAC.read_bytes()))
    for done in (cli("analyze", "-", "--json", stdin=AMNESIAC.read_bytes()), cli("analyze", packed, "--json")):
        assert json.loads(done.stdout)["pairs"]["repeats"] == known == 36


@pytest.mark.parametrize("verb", [("analyze", "--json"), ("trials", "--last", "0")])
def test_a_reader_that_has_seen_enough_is_no_failure(verb: tuple[str, ...]) -> None:
    big = SAMPLES / "synthetic_1000" / "synthetic_1000.jsonl"
    many = [big] * (12 if verb[0] == "analyze" else 1)
    command = subprocess.Popen(
        [*COMMAND, verb[0], *map(str, many), *verb[1:]], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert command.stdout
    assert command.stderr
    command.stdout.readline()
    command.stdout.close()
    said = command.stderr.read()
    command.stderr.close()
    assert (command.wait(50), said) == (0, b"")


def test_an_interrupt_ends_with_130_and_without_a_word() -> None:
    command = subprocess.Popen(
        [*COMMAND, "analyze", "-"], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert command.stdin
    # A pipe takes this much only while somebody reads it, so the command is in its own code when the last byte went.
    command.stdin.write(AMNESIAC.read_bytes() * 8)
    command.stdin.flush()
    command.send_signal(signal.SIGINT)
    out, err = command.communicate(timeout=50)
    assert (command.returncode, out, err) == (130, b"", b"")


def test_our_own_crash_is_one_line_with_3_and_a_traceback_only_on_demand(cli: Cli) -> None:
    (cli.here / "sitecustomize.py").write_text(
        "import trajscope.analysis as a\ndef of_file(*x, **y): raise ValueError('planted')\na.of_file = of_file\n"
    )
    path = f"{cli.here}{os.pathsep}{ROOT}"
    said = error(cli("analyze", AMNESIAC, PYTHONPATH=path), 3)
    assert said.startswith("trajscope itself failed (ValueError: planted); run it again with --debug")
    assert "Traceback" in cli("analyze", AMNESIAC, "--debug", PYTHONPATH=path).stderr


def test_a_full_disk_is_told_as_such(cli: Cli) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("this machine has no /dev/full")
    with open("/dev/full", "wb") as full:  # noqa: PTH123  # a device
        done = subprocess.run(
            [*COMMAND, "analyze", str(AMNESIAC)], cwd=ROOT, stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )
    assert done.returncode == 3
    assert done.stderr.splitlines() == [
        "trajscope: the output: cannot be written (No space left on device); free some space"
    ]


def test_a_terminal_without_our_letters_is_no_failure(cli: Cli) -> None:
    done = cli("analyze", AMNESIAC, PYTHONIOENCODING="ascii", PYTHONUTF8="0")
    assert done.returncode == 0
    assert "FLAILING" in done.stdout
    assert done.stdout.isascii()
