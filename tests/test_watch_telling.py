"""Telling: what is told of a watched run, in which order, and what is no news."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from clirun import AMNESIAC, Cli

from trajscope.notify import Message
from trajscope.readers import Source
from trajscope.verdict import Level
from trajscope.watch.fresh import Fresh
from trajscope.watch.telling import Telling, silence
from trajscope.watch.watching import Watching


class Heard:
    """A sink that keeps what it was given."""

    def __init__(self) -> None:
        self.messages: list[Message] = []

    def send(self, message: Message) -> None:
        self.messages.append(message)


def test_what_a_growing_file_comes_to_is_told_once(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    watching, heard = Watching(Source(str(path))), Heard()
    telling = Telling([heard], pytest.fail)
    for n, line in enumerate(AMNESIAC.read_bytes().splitlines(keepends=True)):
        with path.open("ab") as f:
            f.write(line)
        while watching.step(float(n)):
            pass
        telling.hear(watching.look(float(n)))
    telling.close()
    told = [(m.state, m.rule) for m in heard.messages]
    assert len(told) == len(set(told))
    assert ("firing", "repeats") in told
    first = next(m for m in heard.messages if m.rule == "repeats")
    assert "of the last 10 proposals had been tried before" in first.text
    assert first.trials < 50
    assert all(m.level == "FAIL" or m.state == "resolved" for m in heard.messages)


def test_silence_is_told_with_what_is_usual_and_is_over_with_the_next_row(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    shutil.copy(AMNESIAC, path)
    watching, heard = Watching(Source(str(path))), Heard()
    while watching.step(0.0):
        pass
    panel = watching.look(0.0)
    telling = Telling([heard], pytest.fail, least=Level.FAIL)
    for fresh in (Fresh("running", 5.0, 60.0), Fresh("stalled", 400.0, 60.0, 300.0), Fresh("running", 1.0, 60.0)):
        telling.hear(panel._replace(fresh=fresh))
    telling.close()
    about = [(m.state, m.text) for m in heard.messages if m.rule == "silence"]
    assert about == [
        ("silent", "no row for 7 min (usual 60 s, bound 5 min)"),
        ("resolved", "data comes again"),
    ]


@pytest.mark.parametrize("state", ["reading", "replay", "absent", "not begun"])
def test_what_is_still_being_read_is_no_news(tmp_path: Path, state: str) -> None:
    path = tmp_path / "run.jsonl"
    shutil.copy(AMNESIAC, path)
    watching, heard = Watching(Source(str(path))), Heard()
    while watching.step(0.0):
        pass
    telling = Telling([heard], pytest.fail)
    telling.hear(watching.look(0.0)._replace(fresh=Fresh(state)))  # type: ignore[arg-type]  # each is one
    telling.close()
    assert heard.messages == []


def test_a_file_that_is_gone_is_silent() -> None:
    panel = Watching(Source("nowhere.jsonl")).look(0.0)
    assert silence(panel._replace(fresh=Fresh("gone"))) == "its file is gone"
    assert silence(panel._replace(fresh=Fresh("ended"))) == ""


def test_the_command_line_tells_a_file_and_refuses_a_target_it_cannot_tell(tmp_path: Path) -> None:
    out, run = tmp_path / "alarms.jsonl", Cli(tmp_path)
    found = run("watch", AMNESIAC, "--once", "--notify", out)
    assert found.returncode == 0, found.stderr
    rules = {json.loads(line)["rule"] for line in out.read_text().splitlines()}
    assert {"flailing", "repeats"} <= rules
    bad = run("watch", AMNESIAC, "--once", "--notify", "ftp://example.org")
    assert bad.returncode == 2
    assert "cannot be notified" in bad.stderr
