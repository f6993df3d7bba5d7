"""Telling: what is told of a watched run, in which order, and what is no news."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from clirun import AMNESIAC, Cli
from watchruns import NOON, header, trial, watched, write

from trajscope import rules
from trajscope.alarms import DEFAULTS
from trajscope.notify import Message
from trajscope.readers import Source
from trajscope.rules import Fresh
from trajscope.verdict import Level
from trajscope.watch.telling import Telling
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


def test_silence_is_told_with_what_is_usual_again_while_it_lasts_and_is_over_with_the_next_row(tmp_path: Path) -> None:
    path = write(tmp_path / "run.jsonl", header(), *(trial(n, at_s=60.0 * n) for n in range(1, 9)))
    watching, heard = watched(path, NOON + 480), Heard()
    telling = Telling([heard], pytest.fail, again_s=1000)
    for after in (5, 299, 301, 900, 1302):
        telling.hear(watching.look(NOON + 480 + after))
    write(path, trial(9, at_s=480 + 1310), mode="ab")
    watching.step(NOON + 480 + 1311)
    telling.hear(watching.look(NOON + 480 + 1311))
    telling.close()
    usual = "and a trial usually takes 60 s (bound 300 s)"
    assert [(m.state, m.text) for m in heard.messages if m.rule == "silence"] == [
        ("silent", f"nothing was heard for 301 s, {usual}"),
        ("silent", f"nothing was heard for 22 min, {usual}"),
        ("resolved", f"the last sign of life is 1 s old, {usual}"),
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


def test_a_file_that_is_gone_is_silent_and_one_that_ended_is_not() -> None:
    gone, ended = rules.heard(Fresh("gone", 5.0), DEFAULTS), rules.heard(Fresh("ended", 9e9), DEFAULTS)
    assert (gone.level, gone.reason) == (Level.FAIL, "its file is gone; its last sign of life is 5 s old")
    assert ended.level is Level.PASS


def test_the_command_line_tells_a_file_and_refuses_a_target_it_cannot_tell(tmp_path: Path) -> None:
    out, run = tmp_path / "alarms.jsonl", Cli(tmp_path)
    found = run("watch", AMNESIAC, "--once", "--notify", out)
    assert found.returncode == 0, found.stderr
    rules = {json.loads(line)["rule"] for line in out.read_text().splitlines()}
    assert {"flailing", "repeats"} <= rules
    bad = run("watch", AMNESIAC, "--once", "--notify", "ftp://example.org")
    assert bad.returncode == 2
    assert "cannot be notified" in bad.stderr
