"""The verbs one by one, and the page of the documentation that shows them.

Planted and seen to fail: an option that the page does not name, an output that changed.
"""

from __future__ import annotations

import gzip
import json
import os
import re
import shutil
import tomllib
from pathlib import Path
from typing import Any

import pytest
from clirun import AMNESIAC, ROOT, SAMPLES, Cli, error
from jsonschema import Draft202012Validator

from trajscope import record
from trajscope.cli import words
from trajscope.cli.app import VERBS


@pytest.fixture
def cli(tmp_path: Path) -> Cli:
    """The command, in a folder of its own."""
    return Cli(tmp_path)


def test_settings_beside_a_run_are_heard_and_flags_win(cli: Cli) -> None:
    shutil.copy(AMNESIAC, cli.here / "run.jsonl")
    shutil.copy(AMNESIAC.with_name("amnesiac.menu.json"), cli.here / "knobs.json")
    (cli.here / "trajscope.toml").write_text('[source]\nmenu = "knobs.json"\nhistory = 5\n')
    doc = json.loads(cli("analyze", "run.jsonl", "--json").stdout)
    assert (doc["coverage"]["knobs_total"], doc["pairs"]["visible"]["window"]) == (13, 5)
    doc = json.loads(cli("analyze", "run.jsonl", "--json", "--history", "9").stdout)
    assert doc["pairs"]["visible"]["window"] == 9
    (cli.here / "trajscope.toml").write_text("[source]\nhistori = 5\n")
    assert "trajscope.toml: [source] histori is no setting; did you mean history?" in error(cli("analyze", "run.jsonl"))


def test_a_menu_that_contradicts_itself_is_an_error(cli: Cli) -> None:
    (cli.here / "menu.json").write_text('{"knobs": {"lr": {"type": "float", "range": [1, 0]}}}')
    assert error(cli("analyze", AMNESIAC, "--menu", "menu.json")).startswith("menu.json: knob lr: range 1 to 0")


def test_figures_are_written_for_every_run_apart(cli: Cli) -> None:
    (cli.here / "b").mkdir()
    for name in ("a.jsonl", "b/a.jsonl"):
        shutil.copy(SAMPLES / "higher" / "higher.jsonl", cli.here / name)
    done = cli("analyze", "a.jsonl", "b/a.jsonl", "--figures", "figures", "--quick")
    assert done.returncode == 0, done.stderr
    made = sorted(p.relative_to(cli.here / "figures").as_posix() for p in cli.here.glob("figures/*/*.png"))
    assert made == [f"a-{n}/{c}.png" for n in (1, 2) for c in ("best_so_far", "knob_coverage", "repeat_rate")]


def test_trials_shows_one_in_full_and_some_by_a_condition(cli: Cli) -> None:
    one = json.loads(cli("trials", AMNESIAC, "--seq", "45").stdout)
    assert (one["iter"], one["proposal"]["knob"]) == (45, "d_model")
    rows = [json.loads(x) for x in cli("trials", AMNESIAC, "--where", "kept and k > 1", "--json").stdout.splitlines()]
    assert [r["seq"] for r in rows] == [6, 23, 31, 33, 43, 45, 46]
    done = cli("trials", AMNESIAC, "-n", "3")
    assert [line.split()[0] for line in done.stdout.splitlines()] == ["trial", "48", "49", "50"]
    assert "the latest 3 are shown; --last 0 shows all" in done.stderr


BROKEN = {
    "empty.jsonl": b"",
    "half.jsonl.gz": gzip.compress(os.urandom(4000))[:999],
    "binary.jsonl": bytes(range(256)) * 20,
    "table.tsv": b"who\twhere\nan\tthere\n",
    "other.json": b'{"a": [1, 2]}',
}


def test_a_fleet_names_what_it_could_not_read_and_counts_what_is_not_ours(cli: Cli) -> None:
    for name in ("higher", "gamer"):
        shutil.copy(SAMPLES / name / f"{name}.jsonl", cli.here)
    for name, data in BROKEN.items():
        (cli.here / name).write_bytes(data)
    (cli.here / "odd").mkdir()
    shutil.copy(AMNESIAC, cli.here / "odd" / "run.jsonl")
    (cli.here / "odd" / "run.menu.json").write_text("{}")
    for more in ((), ("--json",), ("--headline",), ("--headline", "--json")):
        done = cli("fleet", ".", *more)
        assert done.returncode == 3
        assert "gamer.jsonl" in done.stdout
        assert "higher.jsonl" in done.stdout
        said = done.stderr.splitlines()
        assert len(said) == 4, said
        assert any("odd/run.jsonl: not read: " in x and "no knobs" in x for x in said)
        assert any("empty.jsonl: is empty" in x for x in said)
        assert any("half.jsonl.gz: cannot be read to its end" in x for x in said)
        assert any("3 files left out: in no format that a reader knows" in x for x in said)
        if "--json" in more:
            assert len([json.loads(x) for x in done.stdout.splitlines()]) == 2


def test_a_fleet_without_a_run_is_no_pass(cli: Cli) -> None:
    (cli.here / "empty").mkdir()
    assert "no run was found" in error(cli("fleet", "empty"), 3)


def test_convert_says_what_it_wrote_and_what_it_could_not(cli: Cli) -> None:
    (cli.here / "in.jsonl").write_bytes(AMNESIAC.read_bytes() + b"{half")
    done = cli("convert", "in.jsonl", "-o", "out.jsonl")
    assert (done.returncode, done.stdout) == (0, "out.jsonl: 50 trials\n")
    assert done.stderr.startswith("trajscope: in.jsonl: line 53: not JSON")
    assert "out.jsonl: exists already and is not overwritten" in error(cli("convert", "in.jsonl", "-o", "out.jsonl"))
    done = cli("convert", "out.jsonl", "-o", "again.jsonl")
    assert done.stdout == "again.jsonl: 50 trials, copied: it is in trajscope's own format already\n"


def test_doctor_tries_every_part_and_says_what_to_do(cli: Cli) -> None:
    done = cli("doctor")
    assert done.returncode == 0, done.stdout
    names = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["dependencies"]
    assert [n for n in names if re.split(r"[>=<]", n)[0] not in done.stdout] == []
    (cli.here / "taken").write_text("")
    done = cli("doctor", XDG_CACHE_HOME=str(cli.here / "taken"))
    assert done.returncode == 1
    assert "✗ cache" in done.stdout
    assert "XDG_CACHE_HOME" in done.stdout


def test_a_schema_is_printed_by_its_name_and_all_names_without_one(cli: Cli) -> None:
    names = cli("schema").stdout.split()
    assert names[:6] == ["run", "trial", "measure", "event", "end", "analysis"]
    assert {"watch", "coverage", "alarm", "gate", "rail-check", "loop-status", "serve-run"} <= {*names}
    printed = json.loads(cli("schema", "trial").stdout)
    Draft202012Validator.check_schema(printed)
    assert printed == record.schemas()["trial"]


DOCS = ROOT / "docs" / "cli.md"


def options(verb: str) -> list[str]:
    """Every option of a verb, and of the verbs under it, from its own declaration."""
    import typer

    from trajscope.cli.app import app

    if verb == "rail":
        return [o for made, _ in words.VERBS.values() for o in made().options if o != "--help"]
    command: Any = typer.main.get_command(app)
    found = command.get_command(None, verb)
    return [
        o
        for one in (found, *getattr(found, "commands", {}).values())
        for p in one.params
        for o in (*p.opts, *p.secondary_opts)
        if o[0] == "-"
    ]


def test_every_command_and_option_stands_on_the_page() -> None:
    sections = dict(
        part.split("\n", 1)
        for part in re.split(r"^## `?(?:trajscope )?", DOCS.read_text("utf-8"), flags=re.MULTILINE)[1:]
    )
    sections = {head.strip("` ").split()[0].strip("`"): body for head, body in sections.items()}
    shared = next(body for head, body in sections.items() if head.startswith("Options"))
    for verb in VERBS:
        assert verb in sections, verb
        assert [o for o in options(verb) if f"`{o}" not in sections[verb] + shared] == [], verb


BLOCKS = (
    re.findall(r"^```console\n(.*?)^```$", DOCS.read_text("utf-8"), re.MULTILINE | re.DOTALL) if DOCS.exists() else []
)


@pytest.mark.parametrize("block", BLOCKS, ids=lambda b: b.split("\n")[0][2:60])
def test_a_shown_command_prints_what_is_shown(block: str, cli: Cli) -> None:
    first, *shown = block.splitlines()
    assert re.match(r"\$ (echo '[^']*' \| )?trajscope ", first)
    (cli.here / "sample_runs").symlink_to(SAMPLES)
    done = cli.shell(first[2:], COLUMNS="100")
    said = [x.rstrip() for x in (done.stdout + done.stderr).splitlines()]
    at = 0
    for line in shown:  # `...` stands for lines that are left out, or for the rest of one
        begin, dots, _ = line.rstrip().partition("...")
        found = [n for n, x in enumerate(said[at:], at) if (x.startswith(begin) if dots else x == begin)]
        if begin.strip():
            assert found, line
            at = found[0] + 1


def test_every_command_has_an_example_with_its_output() -> None:
    shown = {verb for b in BLOCKS for verb in re.findall(r"trajscope ((?:rail )?\w+)", b.partition("\n")[0])}
    assert shown >= {v for v in VERBS if v not in ("doctor", "rail")} | {f"rail {v}" for v in words.VERBS}
