"""Jobs for the bench that are about nothing: a script, a judge that looks at texts, no data. Milliseconds each."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from time import monotonic, sleep
from typing import Any

from trajscope_loop.seams import Job
from trajscope_loop.tree import sha256

# Scores what training wrote, so that a test sees what training saw.
JUDGE = """
def judge(out, truth):
    said = (out / "said").read_text().split()
    return {"metrics": {"said": float(said[0])}, "holdout": {"more": float(len(said))}}
"""
SAY = "import os, pathlib; say = (pathlib.Path(os.environ['OUT']) / 'said').write_text\n"


def job(train: str, judge: str = JUDGE, **changed: Any) -> Job:
    """A job whose training is this script."""
    files = {"train.py": (SAY + train).encode(), "judge.py": judge.encode(), **changed.pop("files", {})}
    found = Job(
        key="k",
        seed=7,
        files=files,
        shas={name: sha256(data) for name, data in files.items()},
        editable=["train.py"],
        command=["train.py"],
        python=True,
        prepare=None,
        data=None,
        data_shas={},
        judge="judge.py",
        wanted={},
        constants={},
        timeout_s=20.0,
        memory_mb=None,
        env={},
    )
    found.update(changed)  # type: ignore[typeddict-item]  # names of fields, given by keyword
    return found


def pids(folder: Path) -> list[int]:
    """The processes that wrote their number into a folder."""
    return [int(p.name) for p in folder.iterdir()]


def alive(pid: int) -> bool:
    """Whether a process runs; one that has ended and was not yet asked about does not."""
    try:
        os.kill(pid, 0)
        stat = Path(f"/proc/{pid}/stat")
        return not stat.exists() or stat.read_text().rpartition(")")[2].split()[0] != "Z"
    except (ProcessLookupError, FileNotFoundError):
        return False


def eventually(true: Callable[[], object], patience_s: float = 20.0) -> bool:
    """Whether something becomes true; asked again and again, for as long as it may take on a busy machine."""
    until = monotonic() + patience_s
    while not true():
        if monotonic() > until:
            return False
        sleep(0.01)  # what is waited for is another process
    return True
