"""Supervises one program from the inside of its process group. Started by its path, not imported, by `confine`.

    python supervise.py FD MEMORY_MB inline SCRIPT [ARGUMENT...]
    python supervise.py FD MEMORY_MB exec PROGRAM [ARGUMENT...]

Needs nothing but the standard library. FD is a socket: when its other end closes, because the worker gave up or died,
everything that was started is ended, whatever it ignores and wherever it hid. When the program ends, the report goes
there as one line of JSON.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import resource
import select
import signal
import sys
import time
from types import ModuleType
from typing import Any

LINUX = sys.platform.startswith("linux")
_PDEATHSIG, _SUBREAPER = 1, 36  # of prctl(2)


def main() -> None:
    """Start the program, wait for it or for the word to end, and leave nothing behind."""
    fd, memory_mb, how, command = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3], sys.argv[4:]
    _prctl(_SUBREAPER, 1)  # what its parents left comes to us, and is ended by us
    ours = os.getpid()
    waking, wake = os.pipe()
    os.set_blocking(wake, False)
    signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    child = os.fork()
    if child == 0:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        for one in (fd, waking, wake):
            os.close(one)
        _prctl(_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != ours:  # it died before that was asked for
            os._exit(1)
        _limit(memory_mb)
        _become(how, command)
    code, peak = _await(child, fd, waking)
    peak = max(peak, _end_all())
    with contextlib.suppress(OSError):  # nobody may be left to be told
        os.write(fd, json.dumps({"code": code, "peak_mb": peak}).encode() + b"\n")


def _become(how: str, command: list[str]) -> None:
    """Run the program in this process."""
    if how == "exec":
        try:
            os.execvp(command[0], command)  # noqa: S606  # a list of arguments, never a shell
        except OSError as error:
            sys.stderr.write(f"{command[0]}: cannot be started ({error.strerror})\n")
            sys.stderr.flush()
            os._exit(127)
    with open(command[0], "rb") as file:  # noqa: PTH123  # pathlib is not worth its import here
        code = compile(file.read(), command[0], "exec")
    sys.argv[:] = command
    sys.path[0] = os.path.dirname(command[0])  # noqa: PTH120  # the same
    module = ModuleType("__main__")
    module.__dict__.update(__file__=command[0], __builtins__=__builtins__)
    sys.modules["__main__"] = module
    exec(code, module.__dict__)  # noqa: S102  # it is handed over by the worker, which hashed what it will run
    raise SystemExit


def _await(child: int, fd: int, waking: int) -> tuple[int | None, float]:
    """The exit code of the program, None where the word to end came first, and the memory it took."""
    while True:
        ready, _, _ = select.select([fd, waking], [], [])
        if fd in ready:
            return None, 0.0
        os.read(waking, 4096)
        peak = 0.0
        with contextlib.suppress(ChildProcessError):
            while (found := os.wait4(-1, os.WNOHANG))[0]:
                pid, status, used = found
                peak = max(peak, _mb(used))
                if pid == child:
                    return os.waitstatus_to_exitcode(status), peak


def _end_all() -> float:
    """End every process that is left, until there is none; the memory of the largest."""
    peak = 0.0
    while True:
        for pid in _children():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        try:
            pid, _, used = os.wait4(-1, os.WNOHANG)
        except ChildProcessError:
            return peak
        peak = max(peak, _mb(used))
        if not pid and not LINUX:  # children cannot be listed; the worker ends the group
            return peak
        if not pid:
            time.sleep(0.002)  # it is dying, or came to us since they were listed


def _children() -> list[int]:
    """Our children, orphans that came to us included."""
    out = []
    if LINUX:
        ours = str(os.getpid())
        for name in os.listdir("/proc"):  # noqa: PTH208  # as above
            if name.isdigit():
                with contextlib.suppress(OSError), open(f"/proc/{name}/stat", "rb") as file:  # noqa: PTH123  # as above
                    # The name of the program stands in brackets and may hold some itself.
                    if file.read().rpartition(b")")[2].split()[1].decode() == ours:
                        out.append(int(name))
    return out


def _limit(memory_mb: int) -> None:
    """Bound the memory of the program and of each of its children; no core files."""
    kinds = [(resource.RLIMIT_CORE, 0)]
    if memory_mb:
        # What is written to, not what is mapped: libraries map gigabytes that they never touch. macOS bounds neither.
        kinds.append((resource.RLIMIT_DATA if LINUX else resource.RLIMIT_AS, memory_mb << 20))
    for kind, most in kinds:
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(kind, (most, most))


def _prctl(option: int, value: int) -> None:
    if LINUX:
        ctypes.CDLL(None).prctl(option, value, 0, 0, 0)


def _mb(used: Any) -> float:
    return float(used.ru_maxrss) / (1 << 10 if LINUX else 1 << 20)


if __name__ == "__main__":
    main()
