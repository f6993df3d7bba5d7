"""Jobs on this machine's cores: one fresh process per core, each of which runs one job after another.

A worker that dies gives its job a result with the reason, and another takes its place. Workers begin without the keys
of our environment, and end when we do, however we end.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Generator, Mapping, Sequence
from multiprocessing.connection import Connection, wait
from pathlib import Path
from pickle import PicklingError
from types import TracebackType
from typing import Self, cast

from trajscope_loop.confine import THREADS
from trajscope_loop.crashes import failed, secret
from trajscope_loop.errors import ExecutorError
from trajscope_loop.executors import worker
from trajscope_loop.seams import Job, Result

Fn = Callable[[Job], Result]


class Local:
    """`workers` processes, by default one for each core that we may use."""

    name = "local"

    def __init__(self, workers: int | None = None) -> None:
        if workers is not None and (isinstance(workers, bool) or workers < 1):
            raise ExecutorError(f"{workers!r} workers cannot run anything; give a whole number above 0")
        self.workers = workers or cores()
        self._idle: list[_Worker] = []
        self._busy: dict[Connection, tuple[_Worker, Job]] = {}
        self._folder: Path | None = None  # of the workers, gone with them
        self._running = False

    def run(self, fn: Fn, jobs: Sequence[Job]) -> Generator[Result]:
        """Every job's result as it is ready. Who stops asking ends what still runs."""
        if self._running:
            raise ExecutorError("the local executor runs something already; take all its results first, or close it")
        self._running = True
        waiting = list(reversed(jobs))
        busy = self._busy
        try:
            while waiting or busy:
                while waiting and len(busy) < self.workers:
                    found, job = self._idle.pop() if self._idle else _Worker(self._home()), waiting.pop()
                    busy[found.connection] = (found, job)
                    found.begin(fn, job)
                for ready in cast(list[Connection], wait(list(busy))):
                    found, job = busy.pop(ready)
                    result = found.answer(job)
                    if not found.gone:
                        self._idle.append(found)
                    yield result
        finally:
            for found, _ in busy.values():
                found.end()
            busy.clear()
            self._running = False

    def close(self) -> None:
        """End what was started; a second time does nothing. From another thread too, while `run` waits for results."""
        for found, _ in list(self._busy.values()):
            found.kill()  # the line is cut, which wakes whoever waits at it, and each job gets a result that says so
        while self._idle:
            self._idle.pop().end()
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None

    def _home(self) -> Path:
        if self._folder is None:
            self._folder = Path(tempfile.mkdtemp(prefix="trajscope-local-"))
        return self._folder

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self.close()


class _Worker:
    """One process and the line to it. When the line is cut, it ends, and all that it had started."""

    def __init__(self, folder: Path) -> None:
        self.gone = False
        ours, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, worker.__file__, str(theirs.fileno())],
                env={**clean(os.environ), **dict.fromkeys(THREADS, "1"), "TMPDIR": str(folder)},
                stdin=subprocess.DEVNULL,
                pass_fds=(theirs.fileno(),),
                start_new_session=True,  # Ctrl-C is for us, who end it in order
            )
        self.connection = Connection(ours.detach())
        self._send(sys.path)

    def begin(self, fn: Fn, job: Job) -> None:
        """Hand over a job; what cannot be handed over shows when the answer is asked for."""
        self._send((fn, job))

    def answer(self, job: Job) -> Result:
        """The result of the job; where the process died of it, one that says so."""
        try:
            said = self.connection.recv()
        except (EOFError, OSError):
            self.gone = True
            code = self.end()
            killed = " by SIGKILL, perhaps for its memory" if code == -signal.SIGKILL else f" (exit code {code})"
            return failed(job, "crashed", f"its worker died{killed}; nothing is known of the training")
        return failed(job, "crashed", said) if isinstance(said, str) else cast(Result, said)

    def kill(self) -> None:
        """End it at once; whoever holds the line sees it cut."""
        self._process.kill()

    def end(self) -> int:
        """Cut the line, and see that it is gone."""
        self.connection.close()
        try:
            return self._process.wait(5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            return self._process.wait()

    def _send(self, what: object) -> None:
        try:
            self.connection.send(what)
        except OSError:
            return  # it died: the answer tells
        except (AttributeError, TypeError, PicklingError) as error:
            why = "a function is named at the top of a module that can be imported, and a job holds plain values"
            raise ExecutorError(f"what is to run cannot be sent to another process ({error}); {why}") from None


def clean(environment: Mapping[str, str]) -> dict[str, str]:
    """An environment without what looks like a key."""
    return {name: value for name, value in environment.items() if not secret(name)}


def cores() -> int:
    """How many cores we may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
