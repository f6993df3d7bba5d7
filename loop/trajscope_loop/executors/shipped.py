"""Whether the code that runs elsewhere is the code that is here: one hash over our own modules, asked on the far side.

What a job trains travels as bytes under their hashes; this is about the bench that measures it.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from trajscope_loop.crashes import failed
from trajscope_loop.seams import Job, Result
from trajscope_loop.tree import digest, sha256

PACKAGES = ("trajscope", "trajscope_loop")


@cache
def ours() -> str:
    """The hash of every module of ours that this process would import."""
    return of([_folder(name) for name in PACKAGES])


def of(folders: list[Path]) -> str:
    """The hash of every Python file below some packages."""
    shas = {
        f"{folder.name}/{path.relative_to(folder).as_posix()}": sha256(path.read_bytes())
        for folder in folders
        for path in folder.rglob("*.py")
    }
    return digest(shas)


def held(fn: Callable[[Job], Result], sha: str, job: Job) -> Result:
    """What the function says of the job, where our modules are those that the campaign runs with."""
    if (here := ours()) != sha:
        return failed(
            job,
            "tampered",
            f"the trajscope on {socket.gethostname()} is another ({here[:12]}, not {sha[:12]}); install the same there",
        )
    return fn(job)


def _folder(name: str) -> Path:
    spec = find_spec(name)
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent
