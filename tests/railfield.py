"""What the tests of the rails' command share: a small campaign in a folder, and the command asked about it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

from runfiles import start

ROOT = Path(__file__).resolve().parents[1]
COMMAND = (sys.executable, "-m", "trajscope.cli")
MENU = {
    "knobs": {
        "lr": {"type": "float", "range": [0.0001, 0.1], "default": 0.001},
        "depth": {"type": "int", "range": [1, 16], "default": 4},
        "act": {"type": "str", "choices": ["relu", "gelu", "silu"], "default": "relu"},
    }
}
BASE = {"lr": 0.001, "depth": 4, "act": "relu"}
FRESH = {"knob": "act", "value": "silu"}  # allowed, and never tried
TRIED = {"knob": "lr", "value": 0.01}


class Said(NamedTuple):
    """How the command ended, and what it wrote."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> dict[str, Any]:
        """Its answer."""
        found = json.loads(self.out)
        assert isinstance(found, dict)
        return found


class Field:
    """A menu, a run of two trials that has not ended, and the command. What a test breaks, it breaks in here."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.menu = folder / "menu.json"
        self.run = folder / "run.jsonl"
        self.menu.write_text(json.dumps(MENU), "utf-8")
        with closing(start(self.run, menu=MENU, base=BASE)) as run:
            run.trial({"lr": 0.01}, value=2.0, kept=False, wall_s=60.0, cost={"usd": 1.0})
            run.trial({"act": "gelu"}, value=3.0, kept=False, wall_s=60.0, cost={"usd": 1.0})
        self.env = os.environ | {"PYTHONPATH": str(ROOT), "PYTHONUTF8": "1", "COLUMNS": "100"}
        self.words: list[str] = ["--menu", str(self.menu), "--run", str(self.run), "--json"]

    def start(self, proposal: object = FRESH, **how: Any) -> subprocess.Popen[bytes]:
        """The command, begun; `how` goes to Popen, `proposal` into a file that is its standard input."""
        if "stdin" not in how:
            asked = self.folder / "proposal.json"
            asked.write_bytes(proposal if isinstance(proposal, bytes) else json.dumps(proposal).encode())
            how["stdin"] = asked.open("rb")
        how = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "env": self.env, "cwd": self.folder, **how}
        try:
            return subprocess.Popen([*how.pop("command", COMMAND), "rail", "check", *self.words], **how)
        finally:
            if hasattr(how["stdin"], "close"):
                how["stdin"].close()

    def check(self, proposal: object = FRESH, *words: str, **how: Any) -> Said:
        """What the command says to a proposal."""
        before, self.words = self.words, [*self.words, *words]
        child = self.start(proposal, **how)
        self.words = before
        out, err = child.communicate(timeout=50)
        return Said(child.returncode, (out or b"").decode(), (err or b"").decode())

    def lines(self) -> list[bytes]:
        """The lines of the run, with their ends."""
        return self.run.read_bytes().splitlines(keepends=True)

    def python(self, code: str, *words: object, stdin: int = subprocess.PIPE) -> subprocess.Popen[bytes]:
        """A piece of Python beside it, that talks with us by its standard streams."""
        command: Sequence[str] = [sys.executable, "-c", code, *map(str, words)]
        return subprocess.Popen(command, stdin=stdin, stdout=subprocess.PIPE, env=self.env)
