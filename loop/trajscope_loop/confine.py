"""Runs one program confined: its own process group and supervisor, limits, a clean environment, bounded output.

Knows nothing of training. No sandbox: a program of the same user that is out to deceive can read what that user can.
"""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import BinaryIO, NamedTuple

from trajscope_loop import supervise

SHOWN = 64 << 10  # bytes kept of either end of an output; what lies between is dropped
PATIENCE_S = 5.0  # for a supervisor to end what it supervises, before its group is ended without it
THREADS = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")


class Ended(NamedTuple):
    """How a program ended. `code` is negative for a signal, None where nobody can tell."""

    code: int | None
    timed_out: bool
    wall_s: float
    out: bytes
    err: bytes
    peak_mb: float | None  # of its largest process


class _Output:
    """The beginning and the end of a stream of any length."""

    def __init__(self, most: int) -> None:
        self.head, self.tail, self.dropped, self.most = bytearray(), bytearray(), 0, most

    def take(self, data: bytes) -> None:
        room = self.most - len(self.head)
        self.head += data[:room]
        self.tail += data[room:] if room < len(data) else b""
        if (over := len(self.tail) - self.most) > 0:
            self.dropped += over
            del self.tail[:over]

    def text(self) -> bytes:
        gap = f"\n[{self.dropped} bytes are left out]\n".encode() if self.dropped else b""
        return bytes(self.head) + gap + bytes(self.tail)


def environment(home: Path, more: Mapping[str, str]) -> dict[str, str]:
    """All that a program gets of an environment: nothing of ours but where programs are, so no key."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.defpath.lstrip(":")])
    return {
        "PATH": path,
        "HOME": str(home),
        "TMPDIR": str(home),
        "LANG": "C.UTF-8",
        "PYTHONDONTWRITEBYTECODE": "1",
        **dict.fromkeys(THREADS, "1"),  # seeds run side by side, one core each
        **more,
    }


def run(
    command: Sequence[str],
    *,
    cwd: Path,
    env: Mapping[str, str],
    timeout_s: float,
    memory_mb: int | None = None,
    inline: bool = False,
    stdin: BinaryIO | None = None,
    shown: int = SHOWN,
) -> Ended:
    """Run a command to its end or its time limit; when this returns, nothing that it started is left.

    `inline` runs `[python, script, ...]` inside the supervised interpreter, which saves starting a second one. `stdin`
    is a file that the program reads; `shown` bytes are kept of either end of its outputs.
    """
    began = time.monotonic()
    ours, theirs = socket.socketpair()
    head = [sys.executable, "-s", supervise.__file__, str(theirs.fileno()), str(memory_mb or 0)]
    what = ["inline", *command[1:]] if inline else ["exec", *command]
    with ours:
        with theirs:
            process = subprocess.Popen(
                [*head, *what],
                cwd=cwd,
                env=dict(env),
                stdin=subprocess.DEVNULL if stdin is None else stdin,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                pass_fds=(theirs.fileno(),),
                start_new_session=True,
                bufsize=0,
            )
        try:
            out, err, told, timed_out = _listen(process, ours, began + timeout_s, shown)
        finally:
            # Closing our end is the word to end everything; the group is ended once more without its supervisor.
            ours.close()
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            for pipe in (process.stdout, process.stderr):
                if pipe:
                    pipe.close()
    report = json.loads(told) if told.endswith(b"\n") else {}
    return Ended(report.get("code"), timed_out, time.monotonic() - began, out, err, report.get("peak_mb"))


def _listen(
    process: subprocess.Popen[bytes], ours: socket.socket, until: float, shown: int
) -> tuple[bytes, bytes, bytes, bool]:
    """Take in outputs and the supervisor's report, until it comes or time is up."""
    assert process.stdout is not None
    assert process.stderr is not None
    outputs = {process.stdout.fileno(): _Output(shown), process.stderr.fileno(): _Output(shown)}
    told, timed_out = b"", False
    with selectors.DefaultSelector() as selector:
        for fd in outputs:
            os.set_blocking(fd, False)
            selector.register(fd, selectors.EVENT_READ)
        selector.register(ours, selectors.EVENT_READ)
        while True:
            left = until - time.monotonic()
            if left <= 0:
                if timed_out:
                    break
                timed_out, until = True, time.monotonic() + PATIENCE_S
                with contextlib.suppress(OSError):
                    ours.shutdown(socket.SHUT_WR)
                continue
            ready = [key.fd for key, _ in selector.select(left)]
            for fd in ready:
                if fd in outputs and not _drain(fd, outputs[fd], 1):
                    selector.unregister(fd)
            if ours.fileno() in ready:
                told = b""
                with contextlib.suppress(ConnectionError):
                    told = ours.recv(4096)
                break
        for fd, output in outputs.items():
            _drain(fd, output, 64)
    first, second = outputs.values()
    return first.text(), second.text(), told, timed_out


def _drain(fd: int, output: _Output, most: int) -> bool:
    """Read what is there, a megabyte at a time; whether more may come."""
    for _ in range(most):
        try:
            data = os.read(fd, 1 << 20)
        except BlockingIOError:
            return True
        except OSError:
            return False
        if not data:
            return False
        output.take(data)
    return True
