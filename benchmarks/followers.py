"""Followers: the processes of the live benchmarks. `python -m benchmarks.followers NAME ...` is one of them.

A writer appends lines at a rate and says when it wrote each; whoever follows says when it knew how many. Both look at
the monotonic clock, which is the same for all processes. Every follower says `ready` before the writer begins.
"""

from __future__ import annotations

import json
import os
import resource
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks import generate
from trajscope import menu
from trajscope.columns import Row
from trajscope.readers import Source
from trajscope.run import Run
from trajscope.sidecar import Series
from trajscope.wake import Wake
from trajscope.watch.group import Group, beats
from trajscope.watch.watching import Watching

POLL_S = 2.0
MORE = 60  # rows that are appended to see what one more costs
ASKED = 7  # and of these, after how many SQL is asked
EACH = 1000  # rows of one step of the simulated hour
TEMPLATES = 2000  # different rows of it
CONTINUOUS = (("lr", 1e-5, 2e-8), ("weight_decay", 0.0, 7e-7), ("grad_clip", 0.1, 2e-5), ("beta1", 0.8, 5e-7))
LOOKS = 40  # steps of it between two looks
_COLUMNS = "{stage: 'VARCHAR', proposal: 'STRUCT(knob VARCHAR, new_value JSON)', val_bpb: 'DOUBLE'}"
_QUERY = f"""
    WITH t AS (SELECT proposal.knob AS knob, proposal.new_value::VARCHAR AS value, val_bpb, stage
               FROM read_ndjson(?, columns = {_COLUMNS}, ignore_errors = true)),
         p AS (SELECT knob, value, count(*) AS n FROM t WHERE stage = 'evaluated' GROUP BY ALL)
    SELECT (SELECT count(stage) FROM t), (SELECT min(val_bpb) FROM t),
           count(DISTINCT knob) / 13, 1 - count(*) / sum(n), max(n) / sum(n) FROM p"""  # noqa: S608  # constants of ours

Known = list[tuple[int, int]]  # how many rows were known, and when


class Numbers:
    """Stands where a sidecar would: the four headline numbers after each row, and when they were known."""

    fault = None

    def __init__(self) -> None:
        self.known: Known = []
        self._series = Series()

    def take(self, run: Run, _item: object, row: Row | None) -> None:
        """One more row: its point in the series holds the numbers."""
        if row is not None:
            self._series.take(run, row)
            self.known.append((run.tally.trials, time.monotonic_ns()))

    def write(self, *_: object, **__: object) -> bool:
        """Nothing is written."""
        return False


def write(path: str, rate: str, rows: str) -> list[int]:
    """Append so many rows, so many a second; when each was about to be written."""
    lines, when = [x.encode() for x in generate.lines(int(rows), seed=int(rows))], []
    with Path(path).open("ab", buffering=0) as f:
        due = time.perf_counter()
        for line in lines:
            due += 1 / float(rate)
            if (rest := due - time.perf_counter()) > 0:
                time.sleep(rest)
            when.append(time.monotonic_ns())
            f.write(line)
    return when


def watch(path: str, rows: str) -> dict[str, Known]:
    """The loop of `trajscope watch`: numbers as they are stepped, and as they are shown, four times a second."""
    group, numbers, shown = _group(path), Numbers(), []
    next(iter(group.runs.values())).sidecar = numbers  # type: ignore[assignment]  # asked for no more than it has
    with Wake([path]) as wake:
        _ready()
        for _ in beats(group, wake, time.time):
            shown.append((_trials(group), time.monotonic_ns()))
            if shown[-1][0] >= int(rows):
                return {"numbers": numbers.known, "shown": shown}
    raise AssertionError("it goes on for ever")


def said(path: str, rows: str) -> dict[str, Known]:
    """Every value, every verdict and the word, counted anew at each change."""
    group = _group(path)

    def count() -> int:
        group.turn(time.time())
        return _trials(group)

    return {"said": _follow(path, int(rows), count)}


def sql(path: str, rows: str) -> dict[str, Known]:
    """A question in SQL at each change, over the rows that the screen shows."""
    group = _group(path)
    watching = next(iter(group.runs.values()))

    def ask() -> int:
        group.turn(time.time())
        found = watching.ask("SELECT count(*), min(value) FROM trials").rows if watching.live.run else [(0,)]
        return int(found[0][0])

    return {"sql": _follow(path, int(rows), ask)}


def duckdb(path: str, rows: str) -> dict[str, Known]:
    """What one would write: the whole file through DuckDB's own reader at each change."""
    return {"duckdb": _follow(path, int(rows), _query(path))}


def poll(path: str, rows: str) -> dict[str, Known]:
    """The same every two seconds, which is what dashboards do."""
    known: Known = []
    query = _query(path)
    _ready()
    while not known or known[-1][0] < int(rows):
        time.sleep(POLL_S)
        known.append((query(), time.monotonic_ns()))
    return {"poll": known}


def grown(path: str) -> dict[str, float]:
    """What one more row costs a file that is so long: read, said, and answered in SQL."""
    with tempfile.TemporaryDirectory(dir=generate.folder()) as name:
        here = Path(name) / "run.jsonl"
        shutil.copyfile(path, here)
        began = time.perf_counter()
        group = _group(str(here))
        watching = next(iter(group.runs.values()))
        group.turn(time.time())
        while group.behind:
            group.turn(time.time())
        opened = time.perf_counter() - began
        watching.look(time.time())
        watching.ask("SELECT 1")  # what waits for the first question is not a row's cost
        trials, steps, looks, answers = watching.seen.trials, [], [], []
        for i, line in enumerate(generate.lines(MORE, seed=MORE)):
            with here.open("ab", buffering=0) as f:
                f.write(line.encode())
            t = [time.perf_counter()]
            group.turn(time.time())
            t.append(time.perf_counter())
            watching.look(time.time())
            t.append(time.perf_counter())
            steps.append(t[1] - t[0])
            looks.append(t[2] - t[1])
            if i < ASKED:
                found = watching.ask("SELECT count(*), min(value) FROM trials").rows
                answers.append(time.perf_counter() - t[0])
                if found[0][0] != trials + i + 1:
                    raise SystemExit(f"SQL counts {found[0][0]} trials after {trials + i + 1}")
        group.close()
    return {
        "trials": trials,
        "opened_s": opened,
        "step_us": median(steps) * 1e6,
        "said_ms": median(looks) * 1e3,
        "sql_ms": median(answers) * 1e3,
    }


def hour(kind: str, rows: str, asked: str) -> dict[str, Any]:
    """An hour of rows through a watched run, its few pairs or its many; memory in MB as it goes."""
    watching = Watching(Source("run.jsonl", menu=menu.parse(generate.MENU)), asked=asked == "sql")
    total = int(rows)
    watching.live.tail = Fed(_rows(kind, total))  # type: ignore[assignment]  # polled like a tail
    watching.step(0.0)
    at: dict[int, float] = {}
    began, looks = time.process_time(), 0.0
    marks = [total // 100, total // 10, total]
    for step in range(1, total // EACH + 1):
        watching.step(float(step))
        if step % LOOKS == 0 or step * EACH in marks:
            before = time.process_time()
            watching.look(float(step))
            looks += time.process_time() - before
        if step * EACH in marks:
            at[step * EACH] = _mb()
    run = watching.live.run
    assert run is not None
    if watching.seen.trials != total:
        raise SystemExit(f"{watching.seen.trials} trials of {total} arrived")
    pairs = len(run.ground.pairs)
    return {"mb": list(at.values()), "marks": list(at), "pairs": pairs, "cpu_s": time.process_time() - began - looks}


class Fed:
    """Stands for a tail: so many lines at each poll, from memory."""

    behind, ended, changed_ns = False, False, 0

    held = b""  # no line is ever torn

    def __init__(self, lines: Iterator[bytes]) -> None:
        self.at = 0
        self._lines = lines
        self._header = True

    def poll(self) -> list[bytes]:
        """The next lines."""
        out = [next(self._lines, b"") for _ in range(1 if self._header else EACH)]
        self._header = False
        self.at += sum(map(len, out))
        return [b"".join(out)]

    def close(self) -> None:
        """Nothing is open."""


def _rows(kind: str, rows: int) -> Iterator[bytes]:
    """A header and rows: those of a short campaign again and again, or each of a pair of its own."""
    yield generate.header().encode()
    templates = [json.loads(x) for x in generate.lines(TEMPLATES)]
    for i in range(rows):
        row = templates[i % TEMPLATES]
        row["iter"] = i + 1
        if kind == "many":
            knob, low, step = CONTINUOUS[i % len(CONTINUOUS)]
            value = low + i * step
            row["proposal"] |= {"knob": knob, "new_value": value}
            row["candidate_cfg"] = {**generate.BASE, knob: value}
        yield json.dumps(row).encode() + b"\n"


def _group(path: str) -> Group:
    """One watched file, as the screen watches it."""
    source = Source(path, menu=menu.parse(generate.MENU))
    group = Group(lambda _: (source, None))
    group.add(Path(path), Watching(source, asked=True))
    return group


def _trials(group: Group) -> int:
    """Look at it as the screen does; the trials that this look speaks of."""
    return sum(p.rows.trials for p in group.look(time.time()).values())


def _query(path: str) -> Callable[[], int]:
    import duckdb as db

    con = db.connect()

    def ask() -> int:
        found = con.execute(_QUERY, [path]).fetchone()
        return int(found[0]) if found else 0

    return ask


def _follow(path: str, rows: int, count: Callable[[], int]) -> Known:
    """Count at each change, until so many rows are known."""
    known: Known = []
    with Wake([path]) as wake:
        _ready()
        while not known or known[-1][0] < rows:
            known.append((count(), time.monotonic_ns()))
            if known[-1][0] < rows:
                wake.wait()
    return known


def _ready() -> None:
    print("ready", flush=True)


def _mb() -> float:
    """Memory that is held now."""
    try:
        return int(Path("/proc/self/statm").read_text("utf-8").split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6
    except OSError:  # no Linux: the most that was held so far
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6


if __name__ == "__main__":
    named: list[Callable[..., Any]] = [write, watch, said, sql, duckdb, poll, grown, hour]
    print(json.dumps({f.__name__: f for f in named}[sys.argv[1]](*sys.argv[2:])))
