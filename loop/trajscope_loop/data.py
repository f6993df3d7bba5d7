"""A domain's data: `given/`, which training may read, and `truth/`, which only the judge may.

Prepared once by a frozen script in a confined child, and held to hashes: the same bytes everywhere, or an error.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from trajscope_loop import confine, crashes
from trajscope_loop.errors import DomainError
from trajscope_loop.room import Room, TamperedError, shas
from trajscope_loop.seams import Job
from trajscope_loop.tree import digest, sha256
from trajscope_loop.untouched import Untouched

PARTS = ("given", "truth")
RECORD = "data.json"
PREPARE_S = 1800.0


def prepare(
    folder: Path,
    script: str | None,
    files: Mapping[str, bytes],
    *,
    env: Mapping[str, str] | None = None,
    memory_mb: int | None = None,
    timeout_s: float = PREPARE_S,
) -> dict[str, str]:
    """Make `folder` with both parts, whole or not at all, and return the hash of every file.

    `files` are all the script may import; without a script both parts are empty.
    """
    folder = folder.absolute()  # the script runs elsewhere
    folder.parent.mkdir(parents=True, exist_ok=True)
    made = Path(tempfile.mkdtemp(prefix=".data-", dir=folder.parent))
    try:
        for part in PARTS:
            (made / part).mkdir()
        (made / "truth").chmod(0o700)
        if script is not None:
            _run(script, files, made, env or {}, memory_mb, timeout_s)
        found = shas(made)
        if script is not None and not found:
            raise DomainError(f"{script}: wrote nothing into given/ or truth/; their paths are its two arguments")
        (made / RECORD).write_text(json.dumps(found, indent=1) + "\n", "ascii")
        try:
            made.rename(folder)
        except OSError:  # somebody else was as quick
            if known(folder) != found:
                raise DomainError(f"{folder}: stands in the way and holds other data; move it away") from None
        return found
    finally:
        shutil.rmtree(made, ignore_errors=True)


def known(folder: Path) -> dict[str, str] | None:
    """What the data of a folder were when they were prepared; None where there are none."""
    try:
        found = json.loads((folder / RECORD).read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise DomainError(
            f"{folder / RECORD}: cannot be read ({error}); move the folder away to prepare anew"
        ) from None
    return {str(k): str(v) for k, v in found.items()}


def now(folder: Path, untouched: Untouched[str] | None = None) -> str:
    """The one hash of the data as they are now, whatever they were."""
    found = shas(folder, untouched)
    found.pop(RECORD, None)
    return digest(found)


def at(job: Job) -> Path:
    """The folder that holds a job's data on this machine, prepared here where it is not at hand."""
    wanted = job["data_shas"]
    if job["data"] is not None and Path(job["data"]).is_dir():
        return Path(job["data"])
    place = _here() / digest(wanted)[:32]
    if not place.is_dir():
        found = prepare(place, job["prepare"], job["files"], memory_mb=None)
        if found != wanted:
            odd = next(n for n in sorted({*found, *wanted}) if found.get(n) != wanted.get(n))
            shutil.rmtree(place, ignore_errors=True)
            raise TamperedError(
                f"{odd}: {job['prepare']} makes other data here than where the campaign began; let it draw, round and "
                "sort in a way that is the same on every machine"
            )
    return place


def _run(
    script: str, files: Mapping[str, bytes], made: Path, env: Mapping[str, str], memory_mb: int | None, timeout_s: float
) -> None:
    with Room(files, {name: sha256(data) for name, data in files.items()}) as room:
        ended = confine.run(
            [sys.executable, str(room.source / script), *(str(made / part) for part in PARTS)],
            cwd=room.source,
            env=confine.environment(room.home, env),
            timeout_s=timeout_s,
            memory_mb=memory_mb,
        )
    if wrong := crashes.of_ended(ended, timeout_s, memory_mb):
        raise DomainError(f"{script}: the data could not be prepared ({wrong[1]})")


def _here() -> Path:
    """Where prepared data are kept on a machine that is not the campaign's: readable by us alone."""
    place = Path(tempfile.gettempdir()) / f"trajscope-data-{os.getuid()}"
    place.mkdir(mode=0o700, exist_ok=True)
    if place.is_symlink() or place.stat().st_uid != os.getuid():
        raise DomainError(f"{place}: belongs to somebody else; set TMPDIR to a folder of your own")
    return place
