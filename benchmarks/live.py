"""Live: how soon a new row is in the numbers, what it costs late in a long run, and what a quiet file costs.

The processes that follow and write are those of `followers`. Whoever is compared follows a file of its own that is
written in the same way; only where rows are rare do all follow at the same time.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import pty
import struct
import subprocess
import sys
import tempfile
import termios
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks import generate
from benchmarks.measure import ROOT, once, python
from benchmarks.section import Budget, Section

RATES = ((1, 15), (100, 400), (1000, 4000))  # rows a second, rows
FOLLOWERS = ("watch", "said", "sql", "duckdb", "poll")
NAMES = {
    "numbers": "trajscope watch: coverage, repeat rate, plateau, dominance stepped",
    "said": "trajscope: every value, verdict and the word, at each change",
    "shown": "trajscope watch: shown, four times a second",
    "sql": "trajscope: answered in SQL, asked at each change",
    "duckdb": "the whole file through DuckDB read_ndjson, at each change",
    "poll": "the same every 2 seconds",
}
LENGTHS = (50, 10_000)  # and the long file
HOUR = 360_000  # rows of an hour at 100 a second
SETTLE_S, QUIET_S = 4.0, 15.0
CALM = 0.1  # CPU seconds of one second, below which a process has read what is there
QUIET_ROWS = 10_000
PATIENCE_S = 120.0


class Heard(NamedTuple):
    """What one follower knew and when, how long that was after it was written, and its own CPU."""

    ms: dict[str, list[float]]
    cpu: float  # share of a core while rows came


def latency(rows: int, rounds: int | None) -> Section:
    """From the moment before a row is written to the moment at which it is in the numbers of another process."""
    found: dict[int, dict[str, list[float]]] = {}
    busy: dict[int, dict[str, float]] = {}
    for rate, many in RATES:
        turns = [FOLLOWERS] if rate == 1 else [[f] for f in FOLLOWERS]
        heard = {f: h for turn in turns for f, h in _race(turn, rate, many).items()}
        found[rate] = {name: ms for h in heard.values() for name, ms in h.ms.items()}
        busy[rate] = {name: h.cpu for h in heard.values() for name in h.ms}
    fast = found[1000]
    return Section(
        "From a written row to a number",
        "A process appends lines of about 1 kB at a rate; another follows. Milliseconds from just before the write to "
        "the moment at which the row is in the number, p50 / p99 of wall time, and the share of a core that following "
        f"took. {', '.join(f'{many:,} rows at {rate:,} a second' for rate, many in RATES)}: at one a second the p99 "
        "is the worst of them, and all follow at the same time.",
        ("", *(f"{rate:,} rows/s" for rate, _ in RATES), *(f"core at {rate:,}" for rate, _ in RATES)),
        [
            (
                title,
                *(f"{_at(found[rate][name], 0.5)} / {_at(found[rate][name], 0.99)}" for rate, _ in RATES),
                *(f"{busy[rate][name]:.1%}" for rate, _ in RATES),
            )
            for name, title in NAMES.items()
        ],
        [
            Budget("a row at 1,000 a second in the headline numbers, p50", _quantile(fast["numbers"], 0.5), 1, "ms"),
            Budget("the same, p99", _quantile(fast["numbers"], 0.99), 5, "ms"),
            Budget("a row answered in SQL while live, 1,000 rows/s, p99", _quantile(fast["sql"], 0.99), 1000, "ms"),
        ],
    )


def growth(rows: int, rounds: int | None) -> Section:
    """One more row at fifty, ten thousand and a million."""
    found = [once(python("benchmarks.followers", "grown", generate.cached(n))).answer for n in (*LENGTHS, rows)]
    first, middle, last = found
    flat = last["step_us"] / max(1.0, min(first["step_us"], middle["step_us"]))
    names = {
        "step_us": ("one more row read and stepped (us)", 0),
        "said_ms": ("every value, verdict and the word, the screen's plain values (ms)", 1),
        "sql_ms": ("until SQL has answered with it (ms)", 1),
        "opened_s": ("to read the file up to there (s)", 2),
    }
    return Section(
        "One more row of a growing file",
        "Medians of wall time in one process that follows the file as the screen does, its rows kept for SQL: the step "
        "is all it takes to have a written line in the headline numbers; the rest is counted when somebody looks, at "
        "most four times a second, and never more than a fifth of the time.",
        ("", *(f"at {x['trials']:,.0f} rows" for x in found)),
        [(title, *(f"{x[key]:,.{digits}f}" for x in found)) for key, (title, digits) in names.items()],
        [
            Budget(f"a row's step at {last['trials']:,.0f} over the cheaper of 50 and 10,000: flat", flat, 1.5, "x"),
            Budget(f"a row answered in SQL at {last['trials']:,.0f} rows", last["sql_ms"] / 1000, 1, "s"),
        ],
    )


def hour(rows: int, rounds: int | None) -> Section:
    """Memory after an hour at a hundred rows a second."""
    kinds = (("few", "lines"), ("many", "lines"), ("many", "sql"))
    with contextlib.ExitStack() as stack:
        children = [stack.enter_context(_child("hour", kind, HOUR, asked)) for kind, asked in kinds]
        said = [json.loads(c.communicate(timeout=600)[0].splitlines()[-1]) for c in children]
    return Section(
        "Memory after an hour at 100 rows a second",
        f"{HOUR:,} rows through one watched run, from memory and without waiting; MB that the process holds. The "
        "screen keeps the rows for SQL, `--plain` and `--json` do not.",
        ("", "pairs", *(f"MB at {n:,}" for n in said[0]["marks"]), "CPU us a row"),
        [
            (
                f"{kind} pairs, {'rows kept for SQL' if asked == 'sql' else 'lines only'}",
                f"{x['pairs']:,}",
                *(f"{mb:,.0f}" for mb in x["mb"]),
                f"{x['cpu_s'] / HOUR * 1e6:.0f}",
            )
            for (kind, asked), x in zip(kinds, said, strict=True)
        ],
    )


def quiet(rows: int, rounds: int | None) -> Section:
    """A file to which nobody writes."""
    with tempfile.TemporaryDirectory(dir=generate.folder()) as name, contextlib.ExitStack() as stack:
        path = Path(name) / "run.jsonl"
        path.write_bytes(generate.cached(QUIET_ROWS).read_bytes())
        path.with_suffix(".menu.json").write_text(json.dumps(generate.MENU), encoding="utf-8")
        watched = {
            "trajscope watch --plain": stack.enter_context(_terminal(path, "--plain")),
            "trajscope watch, the screen": stack.enter_context(_terminal(path)),
            "the whole file through DuckDB every 2 seconds": stack.enter_context(_child("poll", path, QUIET_ROWS * 9)),
        }
        _settle(list(watched.values()))
        began, before = time.perf_counter(), {k: _cpu_s(p) for k, p in watched.items()}
        time.sleep(QUIET_S)
        lasted = time.perf_counter() - began
        share = {k: (_cpu_s(p) - before[k]) / lasted * 100 for k, p in watched.items()}
        if gone := [k for k, p in watched.items() if p.poll() is not None]:
            raise SystemExit(f"{', '.join(gone)}: ended while a quiet file was watched; what it took is not known")
        for p in watched.values():
            p.kill()
    ours = [k for k in share if k.startswith("trajscope")]
    return Section(
        "A quiet file",
        f"{QUIET_ROWS:,} rows, then {QUIET_S:.0f} seconds in which nobody writes. CPU time of each process, "
        "the screen's in a terminal of 120 by 40.",
        ("", "% of a core"),
        [(k, f"{x:.2f}") for k, x in share.items()],
        [Budget(f"a quiet file: {k}", share[k], 1, "% of a core") for k in ours],
    )


def _settle(running: Sequence[subprocess.Popen[Any]]) -> None:
    """Wait until all of them have started and read the file: on a busy machine that takes its time."""
    calm, until = 0.0, time.perf_counter() + PATIENCE_S
    while calm < SETTLE_S:
        if time.perf_counter() > until:
            raise SystemExit("a process that watches a quiet file never came to rest")
        before = [_cpu_s(p) for p in running]
        time.sleep(1.0)
        busy = any(_cpu_s(p) - b > CALM or not b for p, b in zip(running, before, strict=True))
        calm = 0.0 if busy else calm + 1.0


def _race(followers: Sequence[str], rate: int, many: int) -> dict[str, Heard]:
    """Whoever follows one file while it is written."""
    with tempfile.TemporaryDirectory(dir=generate.folder()) as name, contextlib.ExitStack() as stack:
        path = Path(name) / "run.jsonl"
        path.write_text(generate.header(), encoding="utf-8")
        running = {f: stack.enter_context(_child(f, path, many)) for f in followers}
        for p in running.values():
            assert p.stdout is not None
            if p.stdout.readline().strip() != b"ready":
                raise SystemExit(f"{p.args!r} did not begin")
        began, before = time.perf_counter(), {f: _cpu_s(p) for f, p in running.items()}
        written = once(python("benchmarks.followers", "write", path, rate, many)).answer
        lasted = time.perf_counter() - began
        cpu = {f: (_cpu_s(p) - before[f]) / lasted for f, p in running.items()}
        out = {}
        for f, p in running.items():
            knew = json.loads(p.communicate(timeout=PATIENCE_S)[0])
            out[f] = Heard({k: _waited(written, v) for k, v in knew.items()}, cpu[f])
            for k, ms in out[f].ms.items():
                print(f"  {rate}/s {k}: {_at(ms, 0.5)} / {_at(ms, 0.99)} ms", file=sys.stderr, flush=True)
    return out


def _waited(written: Sequence[int], known: Sequence[Sequence[int]]) -> list[float]:
    """Milliseconds from each row's writing to the first moment at which so many were known."""
    out, done = [], 0
    for n, at in known:
        out += [(at - written[i]) / 1e6 for i in range(done, n)]
        done = max(done, n)
    if done != len(written):
        raise SystemExit(f"{done} rows of {len(written)} were ever known")
    return out


def _quantile(ms: Sequence[float], q: float) -> float:
    return sorted(ms)[min(len(ms) - 1, int(q * len(ms)))]


def _at(ms: Sequence[float], q: float) -> str:
    found = _quantile(ms, q)
    return f"{found:,.0f}" if found >= 100 else f"{found:.3g}"


@contextlib.contextmanager
def _child(name: str, *args: object) -> Iterator[subprocess.Popen[bytes]]:
    """A follower, ended when nobody needs it any more."""
    p = subprocess.Popen(python("benchmarks.followers", name, *args), stdout=subprocess.PIPE, cwd=ROOT)
    try:
        yield p
    finally:
        p.kill()
        p.communicate()


@contextlib.contextmanager
def _terminal(path: Path, *options: str) -> Iterator[subprocess.Popen[bytes]]:
    """`trajscope watch` in a terminal of its own, whose output is read and thrown away."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 120, 0, 0))
    env = {k: v for k, v in os.environ.items() if k not in ("COLUMNS", "LINES")} | {"TERM": "xterm-256color"}
    p = subprocess.Popen(
        python("trajscope.cli", "watch", path, *options),
        stdin=theirs, stdout=theirs, stderr=theirs, cwd=ROOT, env=env, start_new_session=True,
    )  # fmt: skip
    os.close(theirs)
    reader = threading.Thread(target=_drain, args=(ours,))
    reader.start()
    try:
        yield p
    finally:
        p.kill()
        p.wait()
        reader.join()
        os.close(ours)


def _drain(terminal: int) -> None:
    with contextlib.suppress(OSError):  # a terminal whose other side is closed
        while os.read(terminal, 1 << 16):
            pass


def _cpu_s(p: subprocess.Popen[Any]) -> float:
    """CPU seconds that a process has taken so far, by the system's own account."""
    # Nobody has waited for it, so that one which has just ended still has its account.
    fields = Path(f"/proc/{p.pid}/stat").read_text("utf-8").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
