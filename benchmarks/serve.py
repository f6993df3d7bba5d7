"""Serve: how soon a written row stands on the live page, while fifty clients look at the same run.

One client is a real browser, of which the table and the first picture count once they were painted; the others hold
the same stream of events and draw nothing. The writer is a process of its own.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

from benchmarks import generate
from benchmarks.measure import ROOT
from benchmarks.section import Budget, Section
from trajscope import pipeline
from trajscope.columns import Row
from trajscope.readers import Source

CLIENTS = 50
LENGTHS = (50, 1000, 10_000)  # trials that the run has already
PROMISED = 1000  # trials up to which the promise is made
ROWS = 35  # written while it is measured
EVERY_S = 0.8
WARM = 5  # of them, that are not counted
PATIENCE_S = 60.0
FLAGS = ("--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-sync", "--no-first-run")
SERVE = "from trajscope_dashboards.cli import serve; import typer; typer.run(serve)"
# When each count of trials stood in the table and in the picture, by the wall clock, after it was painted.
WATCH = """
window.SEEN = {table: {}, picture: {}};
const painted = (where, n) => requestAnimationFrame(() => setTimeout(() => { SEEN[where][n] ??= Date.now(); }, 0));
const begin = () => {
  const rows = document.getElementById("rows"), picture = document.querySelector("[data-chart=history]");
  new MutationObserver(() => painted("table", rows.querySelector("th").textContent)).observe(rows, {childList: true});
  const drawn = () => painted("picture", picture.dataset.trials);
  new MutationObserver(drawn).observe(picture, {attributes: true});
};
document.addEventListener("DOMContentLoaded", begin);
"""


def page(rows: int, rounds: int | None) -> Section:
    """From the moment before a row is written to the moment at which it is seen."""
    found = {n: _measure(n) for n in LENGTHS}
    names = {
        "heard": f"the other {CLIENTS - 1} clients: the row came down the stream",
        "table": "the browser: the row stands in the table",
        "picture": "the browser: the row stands in the picture of the whole run",
    }
    return Section(
        "From a written row to the live page",
        f"`trajscope serve` on a folder with one run, {CLIENTS} clients on its stream: Chromium, which draws, and "
        f"{CLIENTS - 1} that only read. A process appends a line every {EVERY_S:g} s, {ROWS - WARM} are counted; "
        "milliseconds of wall time, p50 / p95, from just before the write. Server, browser and clients share this "
        "machine.",
        ("", *(f"at {n:,} trials" for n in LENGTHS)),
        [(title, *(f"{_at(found[n][name], 0.5)} / {_at(found[n][name], 0.95)}" for n in LENGTHS))
         for name, title in names.items()]
        + [("CPU of the server, ms a row", *(f"{found[n]['cpu'][0]:,.0f}" for n in LENGTHS)),
           ("CPU of the browser's page, ms a row", *(f"{found[n]['page'][0]:,.0f}" for n in LENGTHS)),
           ("what a row sends to each client, kB", *(f"{found[n]['sent'][0]:,.1f}" for n in LENGTHS))],
        [Budget(f"a written row drawn on the live page of {PROMISED:,} trials, {CLIENTS} clients, p95",
                max(_quantile(found[n]["picture"], 0.95) for n in LENGTHS if n <= PROMISED), 500, "ms")],
    )  # fmt: skip


def _measure(length: int) -> dict[str, list[float]]:
    from playwright.sync_api import sync_playwright

    lines = [x.encode() for x in generate.lines(length + ROWS, seed=length)]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "run.jsonl"
        path.write_bytes(b"".join(lines[:length]))
        with _server(Path(folder)) as (port, process), sync_playwright() as p:
            run = _ask(port, "/api/runs")["runs"][0]["id"]
            heard: list[dict[int, float]] = [{} for _ in range(CLIENTS - 1)]
            sent = [0] * len(heard)  # bytes
            for i, one in enumerate(heard):
                threading.Thread(target=_hear, args=(port, run, one, sent, i), daemon=True).start()
            browser = p.chromium.launch(executable_path=shutil.which("chromium"), headless=True, args=FLAGS)
            opened = browser.new_page(viewport={"width": 1280, "height": 900})
            opened.add_init_script(WATCH)
            opened.goto(f"http://127.0.0.1:{port}/runs/{run}")
            opened.locator("[data-chart=repeats][data-drawn]").wait_for(timeout=PATIENCE_S * 1000)
            opened.locator("[data-chart=history]").scroll_into_view_if_needed()
            own = opened.context.new_cdp_session(opened)
            own.send("Performance.enable")
            opened.wait_for_timeout(3000)  # until what it began with is drawn everywhere
            before = _cpu_s(process.pid), _page_s(own), sum(sent)
            written = _write(path, lines[length:], opened)
            busy = _cpu_s(process.pid) - before[0], _page_s(own) - before[1]
            came = (sum(sent) - before[2]) / len(sent)
            seen = opened.evaluate("SEEN")
            browser.close()
        known = _rows(path)
    out: dict[str, list[float]] = {"heard": [], "table": [], "picture": [],
                                   "cpu": [busy[0] * 1000 / ROWS], "page": [busy[1] * 1000 / ROWS],
                                   "sent": [came / 1000 / ROWS]}  # fmt: skip
    for i, at in enumerate(written[WARM:], WARM):
        seq, evaluated, fresh = known[length + i]
        out["heard"] += [(one[length + i + 1] - at) * 1000 for one in heard if length + i + 1 in one]
        out["table"] += _first(seen["table"], seq, at)
        if fresh:  # else the picture stays as it is
            out["picture"] += _first(seen["picture"], evaluated, at)
    return out


def _write(path: Path, lines: list[bytes], opened: Any) -> list[float]:
    """Append line by line; when each was about to be written. The browser is let work meanwhile."""
    program = (
        "import sys, time\n"
        "with open(sys.argv[1], 'ab', buffering=0) as f:\n"
        "    for line in sys.stdin.buffer.readlines():\n"
        f"        time.sleep({EVERY_S})\n"
        "        at = time.time()\n"
        "        f.write(line)\n"
        "        print(at, flush=True)\n"
    )
    with subprocess.Popen([sys.executable, "-c", program, str(path)], stdin=subprocess.PIPE,
                          stdout=subprocess.PIPE) as writer:  # fmt: skip
        assert writer.stdin is not None
        assert writer.stdout is not None
        writer.stdin.write(b"".join(lines))
        writer.stdin.close()
        written = [float(x) for x in writer.stdout]
    opened.wait_for_timeout(3000)
    return written


def _rows(path: Path) -> list[tuple[int, int, bool]]:
    """Of each trial its seq, how many were evaluated by then, and whether it was."""
    found: list[tuple[int, int, bool]] = []

    def sink(_run: object, _item: object, row: Row | None) -> None:
        if row is not None:
            found.append((row.seq, row.e, row.evaluated))

    pipeline.read(Source(str(path)), sink=sink)
    return found


def _first(seen: dict[str, int], wanted: int, at: float) -> list[float]:
    """The milliseconds until so many trials, or more, were first seen."""
    times = [ms for n, ms in seen.items() if int(n) >= wanted]
    return [min(times) - at * 1000] if times else []


def _hear(port: int, run: str, told: dict[int, float], sent: list[int], mine: int) -> None:
    connection = HTTPConnection("127.0.0.1", port, timeout=PATIENCE_S)
    connection.request("GET", f"/api/runs/{run}/events")
    answer = connection.getresponse()
    try:
        while line := answer.readline():
            sent[mine] += len(line)
            if line.startswith(b"id: "):
                now, last = time.time(), int(line.rpartition(b":")[2])
                for n in range(max(told, default=last - 1) + 1, last + 1):
                    told[n] = now
    except (OSError, ValueError, AttributeError):
        return  # the server has ended


@contextmanager
def _server(folder: Path) -> Iterator[tuple[int, subprocess.Popen[str]]]:
    places = [str(ROOT), str(ROOT / "dashboards")]
    call = [sys.executable, "-c", SERVE, str(folder), "--port", "0"]
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(places), "XDG_CACHE_HOME": str(folder / ".cache")}
    with subprocess.Popen(call, env=env, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            port = int(process.stdout.readline().split()[0].rstrip("/").rpartition(":")[2])
            yield port, process
        finally:
            process.terminate()


def _ask(port: int, path: str) -> Any:
    until = time.monotonic() + PATIENCE_S
    while time.monotonic() < until:
        connection = HTTPConnection("127.0.0.1", port, timeout=PATIENCE_S)
        connection.request("GET", path)
        said = json.loads(connection.getresponse().read())
        if said["runs"]:
            return said
        time.sleep(0.1)
    raise TimeoutError("the server found no run")


def _cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text("ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _page_s(session: Any) -> float:
    """Seconds that the page's own thread has worked."""
    metrics = session.send("Performance.getMetrics")["metrics"]
    return float(next(m["value"] for m in metrics if m["name"] == "TaskDuration"))


def _quantile(found: list[float], q: float) -> float:
    ordered = sorted(found)
    return ordered[min(len(ordered) - 1, int(q * len(ordered)))] if ordered else float("inf")


def _at(found: list[float], q: float) -> str:
    return f"{_quantile(found, q):,.0f}"
