"""`trajscope loop` as somebody types it: real processes, a real terminal, and the price of not using it.

Planted and seen to fail: the group imported for `--help`; an ack that takes anything for the nonce.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from loophill import DOMAIN, hill

from trajscope_loop import folder as folders
from trajscope_loop.memory import read

ROOT = Path(__file__).resolve().parents[1]
# Makes the terminal at its stdin its own, as a shell's children have it, and becomes the command.
AT_A_TERMINAL = (
    "import fcntl, os, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); os.execv(sys.argv[1], sys.argv[1:])"
)


class Typed:
    """Runs the command in a folder, with the group mounted as an installation mounts it."""

    def __init__(self, tmp: Path) -> None:
        self.here = tmp
        entries = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["entry-points"]
        info = tmp / "installed" / "guests-1.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: guests\nVersion: 1\n")
        lines = [f"[{g}]\n" + "".join(f"{n} = {v}\n" for n, v in found.items()) for g, found in entries.items()]
        (info / "entry_points.txt").write_text("\n".join(lines))
        places = [str(info.parent), str(ROOT), str(ROOT / "loop"), str(ROOT / "tests")]
        self.env = {**os.environ, "PYTHONPATH": os.pathsep.join(places), "COLUMNS": "100"}

    def __call__(self, *words: str, flags: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, *flags, "-m", "trajscope.cli", *words]
        return subprocess.run(
            command, cwd=self.here, env=self.env, capture_output=True, text=True, timeout=50, check=False,
            stdin=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip

    def at_a_terminal(self, *words: str, typed: str) -> tuple[int, str]:
        """The exit code and what stood on the terminal; `{nonce}` is what was shown there."""
        ours, theirs = os.openpty()
        command = [sys.executable, "-c", AT_A_TERMINAL, sys.executable, "-m", "trajscope.cli", *words]
        process = subprocess.Popen(
            command, cwd=self.here, env=self.env, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True
        )
        os.close(theirs)
        seen = ""
        while True:
            try:
                part = os.read(ours, 4096).decode()
            except OSError:  # Linux says so when the other side is closed
                break
            if not part:
                break
            before, seen = "leave it paused: " in seen, seen + part
            if not before and "leave it paused: " in seen:
                nonce = seen.rpartition("\nType ")[2].split()[0]
                os.write(ours, typed.format(nonce=nonce).encode() + b"\n")
        os.close(ours)
        return process.wait(30), seen


def test_the_group_is_listed_with_its_line_and_nothing_of_it_is_imported(tmp_path: Path) -> None:
    done = Typed(tmp_path)("--help", flags=("-X", "importtime"))
    assert done.returncode == 0
    assert " loop Run a research campaign: propose, train, keep or revert, under rails." in " ".join(
        done.stdout.split()
    )
    assert "trajscope_loop" not in done.stderr


def test_every_verb_has_help_with_an_example(tmp_path: Path) -> None:
    typed = Typed(tmp_path)
    for verb in ("run", "resume", "status", "ack"):
        done = typed("loop", verb, "--help")
        assert done.returncode == 0
        assert f"Example: trajscope loop {verb} " in " ".join(done.stdout.split())


def test_a_campaign_from_its_beginning_to_its_end(tmp_path: Path) -> None:
    typed, domain = Typed(tmp_path), hill(tmp_path / "hill")
    (tmp_path / "campaign.toml").write_text(
        f'domain = "{domain}"\niterations = 50\nproposer = {{kind = "loophill:Walker"}}\n'
    )
    done = typed(
        "loop", "run", "--plan", "campaign.toml", "-o", "night", "--iterations", "2", "--set", "executor.workers=2"
    )
    assert done.returncode == 0, done.stderr
    *_, first, second, last = done.stdout.splitlines()
    assert (first.split()[0], second.split()[0], last) == ("1", "2", "finished: 2 trials")
    found = json.loads(typed("loop", "status", "night", "--json").stdout)
    assert (found["phase"], found["trials"], found["of"], found["working"]) == ("ended", 2, 2, False)
    assert "phase      ended" in typed("loop", "status", "night").stdout
    assert typed("loop", "resume", "night").stdout == "finished: 2 trials\n"
    again = typed("loop", "run", str(domain), "-o", "night")
    assert again.returncode == 2
    assert (
        again.stderr
        == "trajscope: night: holds a campaign; go on with `trajscope loop resume night`, or name another\n"
    )
    assert json.loads((tmp_path / "night" / folders.PLAN).read_bytes())["executor"] == {"kind": "local", "workers": 2}


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("resume", "nowhere"), "nowhere: holds no campaign; begin one with `trajscope loop run DOMAIN -o nowhere`"),
        (("status", "nowhere"), "nowhere: holds no campaign"),
        (("run", "-o", "night"), "a campaign needs a DOMAIN"),
        (("run", "hill", "-o", "night", "--set", "x"), "'x' is no KEY=VALUE"),
        (("run", "hill", "-o", "night", "--rails", "none"), "Invalid enum value 'none'"),
        (
            ("run", "hill", "-o", "night", "--proposer", "no:where"),
            "plan: no:where cannot be had (No module named 'no')",
        ),
        (
            ("run", "hill", "-o", "night", "--proposer", "loophill:Walker", "--set", "proposer.k=1"),
            "does not take these",
        ),
        (("run", "hill", "-o", "night", "--plan", "no.toml"), "no.toml: cannot be read"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_line_and_leaves_nothing_behind(
    tmp_path: Path, words: tuple[str, ...], says: str
) -> None:
    typed = Typed(tmp_path)
    hill(tmp_path / "hill")
    done = typed("loop", *words)
    assert done.returncode == 2
    assert says in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "night" / folders.PLAN).exists()


def test_a_pause_is_lifted_by_a_person_at_a_terminal_and_by_nobody_else(tmp_path: Path) -> None:
    typed, domain = Typed(tmp_path), hill(tmp_path / "hill")
    (domain / "domain.toml").write_text(DOMAIN.replace("plausible_ceiling = 5.0", "plausible_ceiling = 0.4"))
    words = ("--proposer", "loophill:Walker", "--iterations", "12")
    done = typed("loop", "run", str(domain), "-o", "night", *words)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "paused: score" in done.stdout
    assert typed("loop", "resume", "night").returncode == 1
    alone = typed("loop", "ack", "night")
    assert alone.returncode == 2
    assert "an acknowledgement is given by a person" in alone.stderr
    wrong, _ = typed.at_a_terminal("loop", "ack", "night", typed="yes")
    assert wrong == 2
    state = read(tmp_path / "night" / folders.STATE)
    assert state.pause is not None
    code, seen = typed.at_a_terminal("loop", "ack", "night", "--by", "Ada", "--up-to", "2", typed="{nonce}")
    assert code == 0, seen
    assert "+X = " in seen
    assert "holdout passed" in seen
    assert state.pause.nonce not in (tmp_path / "night" / folders.RUN).read_text()
    assert read(tmp_path / "night" / folders.STATE).pause is None


def test_the_pause_file_is_named_when_somebody_resumes(tmp_path: Path) -> None:
    typed, domain = Typed(tmp_path), hill(tmp_path / "hill")
    folder = tmp_path / "night"
    folder.mkdir()
    (folder / folders.PAUSE).touch()
    done = typed("loop", "run", str(domain), "-o", "night", "--proposer", "loophill:Walker")
    assert done.returncode == 0
    assert "PAUSE is there; remove it, then resume" in done.stdout
    assert json.loads(typed("loop", "status", "night", "--json").stdout)["paused"] == "PAUSE is there"
    assert "PAUSE: is there, so nothing goes on; remove it, then resume" in typed("loop", "resume", "night").stderr
