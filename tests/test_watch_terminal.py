"""The screen in a real terminal: started as a user starts it, fed by another program, driven by keys, left by `q`."""

from __future__ import annotations

import os
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path
from threading import Event
from time import monotonic

import pytest
from clirun import AMNESIAC, COMMAND, ROOT
from watchruns import header, trial, write

from trajscope.watch import texts

PATIENCE_S = 30.0
pytestmark = pytest.mark.needs_program("tmux")


class Terminal:
    """A terminal of 100 by 30 in which one command runs. It has a server of its own, so that nobody's is disturbed."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._socket = str(folder / "tmux")

    def run(self, line: str) -> None:
        """Start a line of shell; what it exits with is shown after it."""
        wrapped = f"{line}; echo exit=$?; exec cat"
        env = {
            "PYTHONPATH": str(ROOT),
            "TERM": "xterm-256color",
            "XDG_CONFIG_HOME": str(self._folder),
            "XDG_STATE_HOME": str(self._folder / "state"),
            "PYTHONUTF8": "1",
        }
        variables = [x for k, v in env.items() for x in ("-e", f"{k}={v}")]
        self._tmux("new-session", "-d", "-x", "100", "-y", "30", "-s", "t", *variables, "sh", "-c", wrapped)

    def press(self, *keys: str) -> None:
        """Press keys."""
        self._tmux("send-keys", "-t", "t", *keys)

    def back(self) -> None:
        """Go back from a text; a key that followed at once would read as Alt with that key."""
        self.press("Escape")
        self.wait("enter open", without="escape: back")

    def wait(self, *texts: str, without: str = "\0") -> str:
        """Look until all of these stand on the screen."""
        until = monotonic() + PATIENCE_S
        while True:
            shown = self._tmux("capture-pane", "-p", "-t", "t")
            if all(x in shown for x in texts) and without not in shown:
                return shown
            assert monotonic() < until, f"{texts} never stood on the screen:\n{shown}"
            Event().wait(0.05)

    def close(self) -> None:
        """End the session and its server."""
        self._tmux("kill-server")

    def _tmux(self, *args: str) -> str:
        # COLUMNS and LINES, where somebody set them, would count for more than the window.
        env = {k: v for k, v in os.environ.items() if k not in ("COLUMNS", "LINES")} | {"LC_ALL": "C.UTF-8"}
        command = ["tmux", "-u", "-f", os.devnull, "-S", self._socket, *args]
        done = subprocess.run(
            command, env=env, cwd=self._folder, capture_output=True, text=True, check=True, timeout=20
        )
        return done.stdout


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Terminal]:
    """A terminal."""
    found = Terminal(tmp_path)
    yield found
    found.close()


def watch(*args: object) -> str:
    """The command as somebody types it."""
    return shlex.join([*COMMAND, "watch", *map(str, args)])


def test_a_run_is_watched_from_before_its_beginning_to_its_end(terminal: Terminal, tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    terminal.run(watch(path))
    terminal.wait("? NOT THERE", "q quit")
    write(path, header())
    terminal.wait("? NOT BEGUN")
    write(path, trial(1), trial(2), mode="ab")
    terminal.wait("2 trials", "lr=2")
    terminal.press("w")
    terminal.wait("escape: back", "no guard is declared")
    terminal.back()
    terminal.press("s")
    terminal.wait("SQL, read-only")
    terminal.press("Enter")
    terminal.wait("2 rows")
    terminal.back()
    path.write_bytes(b"")
    terminal.wait("was cut from")
    write(path, header(), trial(1), {"v": 1, "type": "end", "counts": {}})
    terminal.wait("■ ENDED", "1 trial,")
    terminal.press("q")
    terminal.wait("exit=0")


def test_every_key_of_the_help_page_is_answered_while_the_file_grows(terminal: Terminal, tmp_path: Path) -> None:
    path = write(
        tmp_path / "run.jsonl", header(), *(trial(n, diff=f"--- a\n+++ b\n-{n}\n+new {n}") for n in range(1, 30))
    )
    pressed: dict[str, list[str]] = {}  # of each line of the help page

    def press(line: str, key: str, *says: str, without: str = "\0") -> None:
        pressed.setdefault(line, []).append(key)
        terminal.press(key)
        terminal.wait(*says, without=without)

    def leave() -> None:
        pressed.setdefault("escape", []).append("Escape")
        terminal.back()

    terminal.run(watch(path))
    terminal.wait("29 trials", "lr=29")
    for line, key, says in (
        ("enter", "Enter", "+new 29"),
        ("w", "w", "no guard is declared"),
        ("g", "g", "there is no menu"),
        ("r", "r", "attempts refused"),
        ("s", "s", "SQL, read-only"),
        ("?", "?", "A blind walker draws knobs"),
    ):
        press(line, key, "escape: back", says)
        leave()
    write(path, trial(30), mode="ab")
    terminal.wait("30 trials", "lr=30 ")
    press("p", "p", "HELD")
    write(path, trial(31), mode="ab")
    terminal.wait("HELD, 1 trial")
    press("p", "p", "31 trials", without="HELD")
    press("arrows", "Down", "▸    30")
    press("b, B", "b", "30★")
    press("arrows", "End", "▸     1 ")
    press("b, B", "B", "▸    30★")
    press("arrows", "Home", "▸    31")
    press("arrows", "NPage", without="▸    31")
    press("arrows", "PPage", "▸    31")
    press("/", "/", "filter: words")
    terminal.press("l", "r", "=", "1", "2")
    terminal.wait("1 of 31 hold: lr=12")
    terminal.press("Escape")
    terminal.wait("lr=31", without="hold:")
    press("e", "e", "wrote run.analysis.json")
    press("t", "t", "31 trials")
    press("q", "q", "exit=0")
    assert {"analysis.json", "page.txt"} <= {p.name.partition(".")[2] for p in tmp_path.iterdir()}
    assert sorted(pressed) == sorted([*(key for key, _ in texts.KEYS), "?"])


def test_a_pipe_is_watched_while_the_keys_come_from_the_terminal(terminal: Terminal) -> None:
    terminal.run(f"(cat {shlex.quote(str(AMNESIAC))}; exec sleep 50) | ({watch('-')}; echo exit=$?)")
    terminal.wait("50 trials", "FLAILING")
    terminal.press("?")
    terminal.wait("A blind walker draws knobs")
    terminal.back()
    terminal.press("q")
    terminal.wait("exit=0")


def test_a_replay_ends_with_what_would_have_been_said_and_when(terminal: Terminal) -> None:
    terminal.run(watch(AMNESIAC, "--replay", "0"))
    terminal.wait("50 trials", "FLAILING")
    terminal.press("q")
    terminal.wait("exit=0", "when each alarm would first have spoken", "30           20        29 min")
