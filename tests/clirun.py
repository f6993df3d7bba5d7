"""What the tests of the command line share: the command in a process of its own, and the one line of a failure."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SAMPLES = ROOT / "sample_runs"
AMNESIAC = SAMPLES / "amnesiac" / "amnesiac.jsonl"
COMMAND = [sys.executable, "-m", "trajscope.cli"]


class Cli:
    """Runs the command in a folder of its own, as a user without settings, cache or terminal."""

    def __init__(self, tmp_path: Path) -> None:
        self.here = tmp_path / "here"
        self.here.mkdir()
        self._env = {k: v for k, v in os.environ.items() if k not in ("COLUMNS", "NO_COLOR")} | {
            "XDG_CONFIG_HOME": str(tmp_path / "config"),
            "XDG_CACHE_HOME": str(tmp_path / "cache"),
            "PYTHONPATH": str(ROOT),
            "PYTHONUTF8": "1",
        }

    def __call__(self, *args: object, stdin: bytes = b"", **env: str) -> subprocess.CompletedProcess[str]:
        return self.spawn([*COMMAND, *map(str, args)], stdin, **env)

    def shell(self, line: str, **env: str) -> subprocess.CompletedProcess[str]:
        """A line as somebody types it, with `trajscope` for the command."""
        return self.spawn(["sh", "-c", re.sub(r"(^|[|&] )trajscope ", rf"\1{' '.join(COMMAND)} ", line)], b"", **env)

    def spawn(self, command: list[str], stdin: bytes = b"", **env: str) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            command, cwd=self.here, env=self._env | env, input=stdin, capture_output=True, timeout=50, check=False
        )
        out, err = done.stdout.decode("utf-8", "replace"), done.stderr.decode("utf-8", "replace")
        return subprocess.CompletedProcess(done.args, done.returncode, out, err)


def error(done: subprocess.CompletedProcess[str], code: int = 2) -> str:
    """The one line of a failure."""
    assert done.returncode == code, done.stderr
    assert done.stdout == ""
    lines = [line for line in done.stderr.splitlines() if not line.startswith("Usage: ")]
    assert len(lines) == 1, done.stderr
    assert "Traceback" not in done.stderr
    return lines[0].removeprefix("trajscope: ")
