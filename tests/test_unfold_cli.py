"""The commands on what is no file of lines: analyze, fleet, trials, watch with its sidecar and alarms, and folders.

Planted and seen to fail: a folder of a run searched for runs, a database of strangers as trouble, a sidecar that
measured the database by its own size.
"""

from __future__ import annotations

import json
import sqlite3
import subprocess
from pathlib import Path
from typing import Any

import pytest
from clirun import COMMAND, ROOT, Cli
from test_evolved import BASE, FASTER, FIRST, OTHER, bred, checkpoint, journal, node

from trajscope import fleet, watermark
from trajscope.readers import Source
from trajscope.watch.group import Group


@pytest.fixture
def cli(tmp_path: Path) -> Cli:
    return Cli(tmp_path)


def database(path: Path, n: int = 3) -> Path:
    rows: list[tuple[Any, ...]] = [
        (f"p{i}", BASE.replace("0.1", f"0.{i}"), "a", i, 0.5 + i / 100, 1, {}) for i in range(1, n + 1)
    ]
    return bred(path, ("a", BASE, None, 0, 0.5, 1, {}), *rows)


def stuck(path: Path, n: int) -> Path:
    """An evolution that tries the same two things again and again, and gets no better."""
    rows: list[tuple[Any, ...]] = [(f"p{i}", (FASTER, OTHER)[i % 2], "a", i, 0.4, 1, {}) for i in range(1, n + 1)]
    return bred(path, ("a", BASE, None, 0, 0.5, 1, {}), *rows)


def test_every_kind_is_analysed_listed_and_shown(cli: Cli) -> None:
    database(cli.here / "evolution_db.sqlite")
    journal(cli.here / "journal.json", [node(0, BASE, 0.5), node(1, FASTER, 0.7)], {"n1": "n0"})
    checkpoint(cli.here / "openevolve_output", 10, FIRST)
    for name, kind in (
        ("evolution_db.sqlite", "shinka"),
        ("journal.json", "aide"),
        ("openevolve_output", "openevolve"),
    ):
        done = cli("analyze", "--json", name)
        assert (done.returncode, json.loads(done.stdout)["format"]) == (0, kind), done.stderr
    shown = cli("trials", "journal.json", "--seq", "2", "--json")
    assert json.loads(shown.stdout)["line"]["id"] == "n1", shown.stderr
    done = cli("fleet", ".", "--json")
    assert sorted(json.loads(x)["format"] for x in done.stdout.splitlines()) == ["aide", "openevolve", "shinka"]
    assert done.returncode == 0, done.stderr


def test_a_database_of_strangers_is_one_line_alone_and_counted_among_others(cli: Cli) -> None:
    db = sqlite3.connect(cli.here / "app.db")
    with db:
        db.execute("CREATE TABLE birds (name TEXT)")
    db.close()
    done = cli("analyze", "app.db")
    assert done.returncode == 2
    assert "tables: birds" in done.stderr
    assert len(done.stderr.splitlines()) == 1
    (cli.here / "notes.log").write_text("words\n")
    database(cli.here / "e.sqlite")
    done = cli("fleet", ".", "--json")
    assert len(done.stdout.splitlines()) == 1
    assert (done.returncode, "1 file left out" in done.stderr) == (0, True), done.stderr


def test_a_folder_that_is_a_run_is_watched_as_one(cli: Cli) -> None:
    checkpoint(cli.here / "out", 10, FIRST)
    done = cli("watch", "--plain", "--once", "out")
    assert done.returncode == 0, done.stderr
    assert "2 trials" in done.stdout or "trial" in done.stdout
    assert len(done.stdout.splitlines()) == 1
    assert fleet.files(cli.here) == [cli.here / "out"]


def test_a_watched_folder_lets_go_of_strangers_until_they_change(tmp_path: Path) -> None:
    db = sqlite3.connect(tmp_path / "late.db")
    with db:
        db.execute("CREATE TABLE birds (name TEXT)")
    group = Group(lambda p: (Source(str(p)), None), folder=tmp_path)
    now = 1.0
    for _ in range(3):
        group.turn(now)
        now += 100.0
    assert (group.runs, group.troubles) == ({}, {})
    db.close()
    (tmp_path / "late.db").unlink()
    database(tmp_path / "late.db")
    for _ in range(3):
        group.turn(now)
        now += 100.0
    (watching,) = group.runs.values()
    assert watching.seen.trials == 3
    group.close()


def test_an_alarm_rings_for_a_database(cli: Cli) -> None:
    database(cli.here / "calm.sqlite")
    assert cli("watch", "--plain", "--once", "--until-alarm", "calm.sqlite").returncode != 1
    stuck(cli.here / "stuck.sqlite", 40)
    done = cli("watch", "--plain", "--once", "--until-alarm", "stuck.sqlite")
    assert done.returncode == 1, done.stdout + done.stderr


def test_a_growing_database_has_a_sidecar_and_rings_when_it_is_time(tmp_path: Path) -> None:
    path = stuck(tmp_path / "e.sqlite", 1)
    command = [*COMMAND, "watch", "--json", "--sidecar", "--until-alarm", str(path)]
    env = {"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin", "HOME": str(tmp_path)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=env) as watch:
        assert watch.stdout is not None
        assert watch.stdout.readline()  # the first word of it
        bred(path, *((f"q{i}", (FASTER, OTHER)[i % 2], "a", i, 0.4, 1, {}) for i in range(2, 41)))
        _, said = watch.communicate(timeout=40)
        assert watch.returncode == 1, said
    mark = watermark.read(path)
    assert mark is not None
    assert mark.seq == 41  # a line for the database, the first program, forty trials
    side: dict[str, Any] = json.loads(watermark.sidecar(path).read_text())
    assert len(side["series"]["seq"]) == side["trials"] == 40
    assert sorted(p.name for p in tmp_path.iterdir() if "sqlite" in p.name) == ["e.sqlite", "e.sqlite.coverage.json"]
    done = subprocess.run(
        [*COMMAND, "watch", "--plain", "--once", "--sidecar", str(path)],
        capture_output=True,
        text=True,
        env=env,
        check=False,
    )
    assert "sidecar" not in done.stderr, "it vouches for its own"
    db = sqlite3.connect(path)
    with db:
        db.execute("DELETE FROM programs WHERE id = 'q40'")
    db.close()
    done = subprocess.run(
        [*COMMAND, "watch", "--plain", "--once", "--sidecar", str(path)],
        capture_output=True,
        text=True,
        env=env,
        check=False,
    )
    assert "no sidecar is kept" in done.stderr, "what its sidecar saw is no more"
