"""Skills without children: a function for executors that measures in this process, and one executor that is a loop."""

from __future__ import annotations

import atexit
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path

from trajscope_loop import domain
from trajscope_loop.crashes import failed
from trajscope_loop.domains import skills
from trajscope_loop.seams import Job, Result

KNOWN = skills.known()
FOUND = domain.load("skills")


@cache
def _data() -> Path:
    place = Path(tempfile.mkdtemp(prefix="skillfield-"))
    atexit.register(shutil.rmtree, place, ignore_errors=True)
    FOUND.hashes(place)
    return place / "data"


def folder(place: Path) -> Path:
    """A campaign's folder whose data were prepared, once for all tests."""
    if not (place / "data").exists():
        shutil.copytree(_data(), place / "data")
    return place


@cache
def _measured(files: tuple[tuple[str, str], ...], seed: int) -> Mapping[str, float]:
    return skills.measured(dict(files), seed, KNOWN)


def measured(files: Mapping[str, str], seed: int = 0) -> dict[str, float]:
    """The metrics of skill files, each tree measured once."""
    return dict(_measured(tuple(sorted(files.items())), seed))


def quick(job: Job) -> Result:
    """What the bench would say of a job, measured here; test_skills holds it to the bench."""
    texts = {n: d.decode("utf-8") for n, d in job["files"].items() if n in job["editable"]}
    found = measured(texts, job["seed"])
    hidden = {k: v for k, v in found.items() if k.startswith("holdout_")}
    return {
        **failed(job, "crashed", ""),
        "status": "ok",
        "error": None,
        "metrics": {k: v for k, v in found.items() if k not in hidden},
        "holdout": hidden,
        "first_step": job["seed"] / 7,
    }


class Inline:
    """An executor without processes; it counts what it ran, and loses the jobs whose key holds one of `lose`."""

    name = "inline"

    def __init__(self, *, lose: Sequence[str] = ()) -> None:
        self.ran: Counter[str] = Counter()
        self.lose = lose

    def run(self, fn: Callable[[Job], Result], jobs: Sequence[Job]) -> Iterator[Result]:
        """Every job's result, the last one first: order is nothing to rely on."""
        for job in reversed(jobs):
            self.ran[job["key"].partition("/")[0]] += 1
            if not any(x in job["key"] for x in self.lose):
                yield fn(job)

    def close(self) -> None:
        """Nothing was started."""


def replaced(name: str, old: str, new: str) -> dict[str, str]:
    """The skills of the start with one passage of one file replaced."""
    files, path = skills.start(), f"skills/{name}.md"
    assert files[path].count(old) == 1, (name, old)
    return {**files, path: files[path].replace(old, new)}
