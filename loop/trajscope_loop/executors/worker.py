"""A worker of the local executor: runs the jobs that come over a line, one at a time. Started by its path.

    python worker.py FD

When the line is cut it ends at once, in the middle of a job too; what it had started ends with it.
"""

from __future__ import annotations

import os
import pickle
import queue
import sys
import threading
from multiprocessing.connection import Connection
from typing import Any


def main() -> None:
    """Take the path of modules, then jobs, until the line is cut."""
    line = Connection(int(sys.argv[1]))
    os.set_inheritable(line.fileno(), False)
    sys.path[:] = pickle.loads(line.recv_bytes())  # noqa: S301  # our own parent's
    jobs: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(line, jobs), daemon=True).start()
    while True:
        line.send(_answer(jobs.get()))


def _listen(line: Connection, jobs: queue.SimpleQueue[bytes]) -> None:
    while True:
        try:
            jobs.put(line.recv_bytes())
        except (EOFError, OSError):
            os._exit(0)  # whoever waits for the job is gone, and no cleaning up may keep us


def _answer(asked: bytes) -> Any:
    """The result, or a text where the function itself is at fault."""
    try:
        fn, job = pickle.loads(asked)  # noqa: S301  # our own parent's
        return fn(job)
    except Exception as error:  # noqa: BLE001  # the outermost surface of this process: the parent reports it
        return f"the function that jobs are run by failed ({type(error).__name__}: {error})"


if __name__ == "__main__":
    main()
