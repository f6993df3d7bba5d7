"""Seeds in parallel: jobs through an executor, each result on disk before the next is waited for, none run twice.

Knows neither gate nor proposal. A job that has no result when its time is over has one that says so: survivors never
speak for the dead.
"""

from __future__ import annotations

import hashlib
import os
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any, cast

import msgspec

from trajscope_loop.memory import put
from trajscope_loop.seams import Executor, Job, Result

Measure = Callable[[Job], Result]
STATUSES = ("ok", "crashed", "timeout", "oom", "nan", "import", "tampered")


class Stopped(Exception):  # noqa: N818  # nothing is wrong: somebody asked for it
    """A person or the system asked the campaign to stop."""


class Bench:
    """Measures jobs. `bell` is rung by whoever wants to wake it: a result that came, or a request to stop."""

    def __init__(
        self,
        folder: Path,
        executor: Callable[[], Executor],
        fn: Measure,
        *,
        grace_s: float,
        asked: Callable[[], str | None] = lambda: None,
        bell: SimpleQueue[Any] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.folder = folder
        self.bell: SimpleQueue[Any] = bell or SimpleQueue()
        self._make, self._fn = executor, fn
        self._grace_s, self._asked, self._clock = grace_s, asked, clock
        self._hands: Hands | None = None
        folder.mkdir(mode=0o700, exist_ok=True)

    def measure(self, jobs: Sequence[Job]) -> list[Result]:
        """The result of every job, in the order of the jobs. Raises Stopped; what was finished by then is kept."""
        known = {job["key"]: found for job in jobs if (found := self._finished(job)) is not None}
        left = {job["key"]: job for job in jobs if job["key"] not in known}
        if left:
            self._run(left, known)
        return [known[job["key"]] for job in jobs]

    def forget(self) -> None:
        """The trial is recorded: its results need not be kept apart any longer."""
        for path in self.folder.glob("*.json"):
            path.unlink()

    def close(self) -> None:
        """End what was started."""
        if self._hands is not None:
            self._hands.close()
            self._hands = None

    def _run(self, left: dict[str, Job], known: dict[str, Result]) -> None:
        hands = self._hands = self._hands or Hands(self._make(), self.bell)
        until = self._clock() + self._grace_s + sum(job["timeout_s"] for job in left.values())
        number = hands.begin(self._fn, list(left.values()))
        why = "the executor gave no result for it"
        status = "crashed"
        while left:
            if reason := self._asked():
                self.close()
                raise Stopped(reason)
            try:
                kind, of, what = self.bell.get(timeout=max(0.0, until - self._clock()))
            except Empty:
                status, why = "timeout", "no result came within the time that all jobs together may take"
                self.close()
                break
            if of != number:
                continue  # a wake-up call, or what is left of an evaluation that was given up
            if kind == "result":
                self._take(what, left, known)
            else:
                why = f"the executor failed: {what}" if kind == "error" else why
                break
        for key, job in left.items():
            known[key] = lost(job, cast("Any", status), why)
            self._keep(job, known[key])

    def _take(self, given: object, left: dict[str, Job], known: dict[str, Result]) -> None:
        """A result, if it is one of a job that was asked for; what is malformed is a crash of that job."""
        key = given.get("key") if isinstance(given, Mapping) else None
        job = left.pop(key, None) if isinstance(key, str) else None
        if job is None:
            return
        result = cast("Result", given)
        if result.get("seed") != job["seed"] or result.get("status") not in STATUSES:
            result = lost(job, "crashed", "what came back is no result of this job")
        known[job["key"]] = result
        self._keep(job, result)

    def _keep(self, job: Job, result: Result) -> None:
        put(self._place(job), msgspec.json.encode({"of": _named(job), "result": result}), sync=True)

    def _finished(self, job: Job) -> Result | None:
        """The result that an earlier life of this campaign finished; a torn or foreign file is none."""
        try:
            found = msgspec.json.decode(self._place(job).read_bytes())
            return cast("Result", found["result"]) if found["of"] == _named(job) else None
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def _place(self, job: Job) -> Path:
        return self.folder / f"{job['key']}.json"


class Hands:
    """One thread for the whole life of an executor.

    A child may be bound to the life of the thread that started it, so a thread per evaluation would end its workers.
    """

    def __init__(self, executor: Executor, bell: SimpleQueue[Any]) -> None:
        self._executor = executor
        self._bell = bell
        self._todo: SimpleQueue[tuple[int, Measure, list[Job]] | None] = SimpleQueue()
        self._number = 0
        self._thread = threading.Thread(target=self._work, name="loop-hands", daemon=True)
        self._thread.start()

    def begin(self, fn: Measure, jobs: list[Job]) -> int:
        """Run these jobs; results ring the bell under the number that comes back."""
        self._number = _count()
        self._todo.put((self._number, fn, jobs))
        return self._number

    def close(self, patience_s: float = 5.0) -> None:
        """End the executor's children; its thread ends with them, or is left to itself."""
        self._todo.put(None)
        self._executor.close()
        self._thread.join(patience_s)

    def _work(self) -> None:
        while (todo := self._todo.get()) is not None:
            number, fn, jobs = todo
            try:
                for result in self._executor.run(fn, jobs):
                    self._bell.put(("result", number, result))
                self._bell.put(("end", number, None))
            except Exception as error:  # noqa: BLE001  # the surface of a stranger's executor: reported as lost seeds
                self._bell.put(("error", number, f"{type(error).__name__}: {error}"))


_NUMBERS = iter(range(1, 1 << 62))


def _count() -> int:
    return next(_NUMBERS)


def lost(job: Job, status: Any, why: str) -> Result:
    """The result of a job that has none."""
    return {
        "key": job["key"],
        "seed": job["seed"],
        "status": status,
        "metrics": {},
        "holdout": {},
        "wall_s": 0.0,
        "code_sha": None,
        "effective": None,
        "effective_config_sha": None,
        "data_sha": None,
        "predictions_sha": None,
        "first_step": None,
        "host": "",
        "error": why,
    }


def _named(job: Job) -> str:
    """What a finished result belongs to: the very files, seed and configuration."""
    body = [job["key"], job["seed"], sorted(job["shas"].items()), job["wanted"], job["command"]]
    return hashlib.sha256(repr(body).encode()).hexdigest()


MARK = "TRAJSCOPE_CAMPAIGN"  # in the environment of every child


def leftovers(token: str, proc: Path = Path("/proc")) -> list[int]:
    """The processes that an earlier life of this campaign left behind; found by what their environment says."""
    wanted = f"{MARK}={token}".encode()
    found = []
    for place in proc.glob("[0-9]*") if proc.is_dir() else ():
        try:
            if int(place.name) != os.getpid() and wanted in (place / "environ").read_bytes().split(b"\0"):
                found.append(int(place.name))
        except OSError:
            continue  # gone meanwhile, or somebody else's
    return found
