"""Opening: how long it takes until the screen of a long run is right, cold, warm and line by line.

`python -m benchmarks.opening HOW PATH` answers for one way in a process of its own; `section` lets them take turns.
"""

from __future__ import annotations

import hashlib
import json
import resource
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks import generate
from benchmarks.measure import Contender, python, take_turns

NOW_S = 1_800_000_000.0
CHEAP_S = 0.005  # between two looks at the clock of whoever waits for the screen


def native(rows: int) -> Path:
    """A chained native run of so many trials, always the same, one seed each; made if it is not there yet."""
    path = generate.folder() / f"native-{rows}-{generate.SEED}-v{generate.VERSION}.jsonl"
    if path.exists():
        return path
    part = path.with_suffix(".part")
    prev = "0" * 16
    with part.open("wb") as f:
        for seq, row in enumerate(_rows(rows)):
            line = json.dumps({"v": 1, "type": row.pop("type"), "seq": seq, "prev": prev, **row}).encode()
            prev = hashlib.sha256(line).hexdigest()[:16]
            f.write(line + b"\n")
    part.rename(path)
    return path


def _rows(rows: int) -> Any:
    base = {k: v for k, v in generate.BASE.items() if k != "seed"}
    metric = {"name": "val_bpb", "goal": "minimize"}
    yield {"type": "run", "run_id": "long", "metric": metric, "menu": generate.MENU, "base": {"config": base}}
    yield {"type": "measure", "what": "baseline", "value": generate.BASELINE}
    for line in generate.lines(rows):
        r = json.loads(line)
        value, p = r.get("val_bpb"), r["proposal"]
        scored = value is not None
        attempt: dict[str, Any] = {"changes": [{"knob": p["knob"], "value": p["new_value"]}]}
        if r["stage"] == "rejected":
            attempt["verdict"] = {"rule": "block_repeat", "level": "FAIL"}
        row: dict[str, Any] = {
            "type": "trial",
            "iter": r["iter"],
            "ended": r["ts"].replace(" ", "T") + ".000Z",
            "status": ("kept" if r["decision"] == "keep" else "reverted")
            if scored
            else ("blocked" if r["stage"] == "rejected" else "crashed"),
            "attempts": [attempt],
            "cost": {"wall_s": r["iter_wall_s"]},
        }
        if scored:
            first = r["eval_metrics"]["train_loss_first"]
            row["seeds"] = [{"seed": 0, "status": "ok", "metrics": {"val_bpb": value}, "first_step": first}]
            row["value"] = value
        yield row


def watched(how: str, path: str) -> dict[str, float]:
    """One opening as the screen does it, in its own thread, while another waits for its turn as keys do."""
    from trajscope import menu, pipeline
    from trajscope.readers import Source
    from trajscope.watch.group import beats
    from trajscope.watch.watching import Watching

    began = time.perf_counter()
    beside = pipeline.menu_beside(path)
    watching = Watching(Source(path, menu=menu.load(beside) if beside else None), asked=True)
    if how == "lines":
        watching.opening = None
    group = _Alone(watching)
    said: dict[str, float] = {}
    over = threading.Event()
    block = threading.Thread(target=_wait_for_turns, args=(over, said))
    block.start()
    paints: list[float] = []
    for _ in beats(group, _NoWake(), lambda: NOW_S):  # type: ignore[arg-type]  # stand-ins with the same shape
        watching.look(NOW_S, at_once=not watching.reading)
        paints.append(time.perf_counter() - began)
        if not watching.reading:
            break
    over.set()
    block.join()
    said["first_s"], said["right_s"] = paints[0], paints[-1]
    said["between_paints_s"] = max((b - a for a, b in pairwise(paints)), default=0.0)
    asked = time.perf_counter()
    found = watching.ask("SELECT status, count(*), avg(value) FROM trials GROUP BY ALL ORDER BY ALL").rows
    said["sql_s"] = time.perf_counter() - asked
    while watching.behind:
        watching.step(NOW_S)
    closed = time.perf_counter()
    watching.close()
    said["close_s"] = time.perf_counter() - closed
    said["peak_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3
    said["trials"] = float(sum(row[1] for row in found))
    return said


def rival(path: str) -> dict[str, float]:
    """What anybody would write: every line through `json.loads`, and what became of it counted."""
    from collections import Counter

    began = time.perf_counter()
    counts: Counter[str] = Counter()
    pairs: Counter[str] = Counter()
    best = None
    with open(path, encoding="utf-8") as f:  # noqa: PTH123  # as anybody would write it
        for line in f:
            row = json.loads(line)
            if row.get("type", "trial") != "trial" or "_meta" in row:
                continue
            counts[row.get("status") or row["stage"]] += 1
            proposal = row.get("proposal") or row["attempts"][-1]
            pairs[json.dumps(proposal.get("changes") or [proposal["knob"], proposal["new_value"]])] += 1
            value = row.get("value", row.get("val_bpb"))
            best = value if best is None or (value is not None and value < best) else best
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3
    return {"right_s": time.perf_counter() - began, "trials": float(counts.total()), "peak_mb": peak_mb}


class _Alone:
    """A group of one run that is read step by step."""

    played = False

    def __init__(self, watching: Any) -> None:
        self._watching = watching

    @property
    def behind(self) -> bool:
        return bool(self._watching.reading)

    def turn(self, now_s: float, turn_s: float = 0.1) -> bool:
        until, news = time.perf_counter() + turn_s, bool(self._watching.step(now_s))
        while self.behind and not self._watching.to_show and time.perf_counter() < until:
            news |= bool(self._watching.step(now_s))
        return news


class _NoWake:
    """Nobody is waited for."""

    def wait(self, _seconds: float | None = None) -> None: ...

    def made(self) -> bool:
        return False


def _wait_for_turns(over: threading.Event, said: dict[str, float]) -> None:
    """How long somebody who only wants the interpreter for a moment had to wait for it."""
    longest, before = 0.0, time.perf_counter()
    while not over.is_set():
        time.sleep(CHEAP_S)
        now = time.perf_counter()
        longest, before = max(longest, now - before - CHEAP_S), now
    said["block_s"] = longest


def section(rows: int, rounds: int) -> list[dict[str, Any]]:
    """All ways on both kinds of file, taking turns; the middle of each number."""
    out = []
    for path in (native(rows), generate.cached(rows)):
        with tempfile.TemporaryDirectory(dir=generate.folder()) as home:
            ways = {
                "json.loads": Contender("json.loads", python("benchmarks.opening", "rival", path)),
                "line by line": Contender("line by line", python("benchmarks.opening", "lines", path)),
                "cold": Contender("cold", python("benchmarks.opening", "cold", path), {"XDG_CACHE_HOME": "/dev/null"}),
                "warm": Contender("warm", python("benchmarks.opening", "warm", path), {"XDG_CACHE_HOME": home}),
            }
            take_turns([ways["warm"]], 1)  # the unmeasured one fills the cache
            ways["warm"].samples.clear()
            take_turns(list(ways.values()), rounds, warm=False)
        for name, way in ways.items():
            said = [s.answer for s in way.samples]
            middle = {k: median(x[k] for x in said) for k in said[0]}
            out.append({"file": path.name, "how": name, "cpu_s": way.spread("cpu_s").middle, **middle})
    trials = {x["trials"] for x in out}
    if len(trials) != 1:
        raise SystemExit(f"the ways count different trials: {sorted(trials)}")
    return out


WAYS: dict[str, Callable[[str], dict[str, float]]] = {"rival": rival}

if __name__ == "__main__":
    how, where = sys.argv[1:]
    if how == "all":
        for found in section(int(where), 1):
            print(json.dumps({k: round(v, 3) if isinstance(v, float) else v for k, v in found.items()}))
    else:
        print(json.dumps(WAYS[how](where) if how in WAYS else watched(how, where)))
