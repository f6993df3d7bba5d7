"""`trajscope integrity`: a snapshot of anybody's files, and the question whether they are what they were.

Planted and seen to fail: a drift that ends with 0, a snapshot that is gone taken for "unchanged".
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from clirun import Cli, error


@pytest.fixture
def cli(tmp_path: Path) -> Cli:
    """The command in a folder with a loop's files, of which a snapshot was taken."""
    cli = Cli(tmp_path)
    (cli.here / "train.py").write_text("SCALAR_LR = 0.5\nDEPTH = 4\n")
    (cli.here / "data").mkdir()
    (cli.here / "data" / "valid.json").write_text("[1, 2]")
    done = cli("integrity", "snapshot", "--editable", "train.py", "--frozen", "data", "-o", "files.snapshot")
    assert (done.returncode, done.stderr) == (0, ""), done
    first, second = done.stdout.splitlines()
    assert first == "files.snapshot: 2 files, 1 of them frozen"
    assert second.startswith("keep this hash where the loop cannot write: ")
    return cli


def test_files_that_are_what_they_were_end_with_0(cli: Cli) -> None:
    done = cli("integrity", "check", "files.snapshot")
    assert (done.returncode, done.stderr) == (0, "")
    assert [line[:10] for line in done.stdout.splitlines()] == [" ● frozen ", " ● editabl"]


def test_a_file_that_drifted_ends_with_1_and_names_the_knob(cli: Cli) -> None:
    (cli.here / "train.py").write_text("SCALAR_LR = 0.3\nDEPTH = 4\n")
    done = cli("integrity", "check", "files.snapshot")
    assert done.returncode == 1
    assert "✗ editable" in done.stdout
    assert "SCALAR_LR: was 0.5, is 0.3" in done.stdout
    said = json.loads(cli("integrity", "check", "files.snapshot", "--json").stdout)
    assert said["level"] == "FAIL"
    assert [(v["rule"], v["level"]) for v in said["verdicts"]] == [("frozen", "PASS"), ("editable", "FAIL")]
    assert cli("integrity", "check", "files.snapshot", "--edited").returncode == 0


def test_a_frozen_file_that_changed_is_no_edit(cli: Cli) -> None:
    (cli.here / "data" / "valid.json").write_text("[1, 2, 3]")
    assert cli("integrity", "check", "files.snapshot", "--edited").returncode == 1


def test_what_ran_is_held_against_what_was_proposed(cli: Cli) -> None:
    (cli.here / "ran.json").write_text(json.dumps({"SCALAR_LR": 0.3, "DEPTH": 4}))
    words = ("integrity", "check", "files.snapshot", "--proposed", '{"DEPTH": 4}')
    assert cli(*words).returncode == 3  # nobody reported what ran
    done = cli(*words, "--effective", "gone.json")
    assert done.returncode in (1, 3)
    (cli.here / "proposed.json").write_text('{"DEPTH": 8}')
    done = cli("integrity", "check", "files.snapshot", "--proposed", "proposed.json", "--effective", "gone.json")
    assert done.returncode in (1, 3)


@pytest.mark.parametrize("spoil", ["gone", "garbled", "edited", "another"])
def test_what_cannot_be_told_ends_with_3(cli: Cli, spoil: str) -> None:
    path, more = cli.here / "files.snapshot", []
    if spoil == "gone":
        path.unlink()
    elif spoil == "garbled":
        path.write_text("{")
    elif spoil == "edited":
        path.write_text(path.read_text().replace('"editable"', '"editible"', 1))
    else:
        more = ["--sha", "0" * 64]
    done = cli("integrity", "check", "files.snapshot", *more)
    assert (done.returncode, done.stderr, done.stdout[:10]) == (3, "", " ? snapsho"), done
    done = cli("integrity", "check", "files.snapshot", *more, "--json")
    assert (done.returncode, json.loads(done.stdout)["level"]) == (3, "UNKNOWN")


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("snapshot", "-o", "x"), "no file is declared"),
        (("snapshot", "--frozen", "nowhere", "-o", "x"), "nowhere: is declared and not there"),
        (("snapshot", "--frozn", "a", "-o", "x"), r"no option is called --frozn; did you mean --frozen?"),
        (("snapshot", "--frozen", "data"), "missing option '--output' / '-o'"),
        (("snapshot", "--frozen", "data", "--config", "{", "-o", "x"), "{: is not JSON"),
        (("snapshot", "--frozen", "data", "--config", "[1]", "-o", "x"), "[1]: is not an object"),
        (("snapshot", "--frozen", "data", "--protected", "no.json", "-o", "x"), "no.json: cannot be read"),
        (("snapshot", "--frozen", "data", "-o", "no/x"), "no/x"),
        (("chek",), "no command is called 'chek'; did you mean check?"),
        (("check",), "missing argument 'SNAPSHOT'"),
    ],
)
def test_a_wrong_call_is_told_in_one_line(cli: Cli, words: tuple[str, ...], says: str) -> None:
    assert says in error(cli("integrity", *words))


def test_a_snapshot_says_in_json_what_it_holds(cli: Cli) -> None:
    said = json.loads(cli("integrity", "snapshot", "--frozen", "data", "-o", "x", "--json").stdout)
    assert (said["snapshot"], said["files"], said["frozen"], len(said["sha256"])) == ("x", 1, 1, 64)
    assert cli("integrity", "check", "x", "--sha", said["sha256"]).returncode == 0
