"""Rails: what it costs to ask whether something was tried. `python -m benchmarks.rails NAME ...` measures one.

`lookup` asks many times in one process, beside a plain set; `duckdb` scans; `cold` is the command for one question.
"""

from __future__ import annotations

import json
import random
import resource
import shlex
import sys
import sysconfig
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from benchmarks.generate import MENU, folder
from trajscope import menu as menus
from trajscope.chain import ZEROS, link
from trajscope.menu import Menu
from trajscope.pair import Pair, config_hash
from trajscope.rails.chain import Rails
from trajscope.rails.history import History, Seen
from trajscope.rails.proposal import Proposal
from trajscope.rails.repeat import Repeat

VERSION = 1  # changes with the lines that are generated
ASKED = 20_000
ASKED_SLOWLY = 200  # of what takes milliseconds
WIDE = {"knobs": {"x": {"type": "float", "range": [0.0, 1.0], "default": 0.5, "family": "only"}}}
MENUS: dict[str, dict[str, Any]] = {"thirteen": MENU, "one": WIDE}
# The command itself, started without `site`: the finder of an editable install takes a tenth of the budget, and nobody
# who installed a wheel has one.
COLD = """\
import sys
sys.path += {paths!r}
sys.argv = ["trajscope", "rail", "check", "--menu", {menu!r}, "--run", {run!r}, "--base", {base!r}]
from trajscope.cli import main
main()
"""
WORDS = "Increase the capacity of the model a little, to see whether the loss still falls at this budget."


def native(trials: int) -> Path:
    """A native file of so many trials, about 800 bytes each, with its menu beside it; made once."""
    path = folder() / f"rails-{VERSION}-{trials}.jsonl"
    beside = path.with_suffix(".menu.json")
    if path.exists():
        return path
    menu = menus.parse(MENU)
    base, rng = menu.defaults, random.Random(trials)
    named = config_hash(base)
    head = {"type": "run", "run_id": "r", "campaign": "c", "metric": {"name": "loss", "goal": "minimize"}, "menu": MENU}
    rows: list[dict[str, Any]] = [head | {"base": {"config": base, "hash": named}}]
    for i in range(trials):
        knob, value = _drawn(menu, rng)
        loss = round(rng.gauss(10.9, 0.02), 4)
        attempt = {
            "changes": [{"knob": knob, "value": value}],
            "reason": WORDS,
            "verdict": {"rule": "rails", "level": "PASS", "reason": f"{knob}: was not tried before", "evidence": []},
        }
        rows.append(
            {
                "type": "trial",
                "iter": i + 1,
                "started": "2026-01-01T00:00:00.000Z",
                "ended": "2026-01-01T00:01:28.100Z",
                "status": "kept" if rng.random() < 0.05 else "reverted",
                "attempts": [attempt],
                "base_hash": named,
                "config_hash": config_hash({**base, knob: value}),
                "value": loss,
                "value_source": "seeds",
                "deltas": {"loss": {"incumbent": -0.0021, "baseline": -0.0104}},
                "seeds": [{"seed": 0, "status": "ok", "metrics": {"loss": loss}, "wall_s": 71.2}],
                "cost": {"wall_s": 88.1, "proposer_s": 3.1, "tokens_in": 1450, "tokens_out": 180, "usd": 0.0031},
            }
        )
    prev = ZEROS
    with path.open("wb") as out:
        for i, row in enumerate(rows):
            line = json.dumps({"v": 1, "seq": i, "prev": prev, **row}, separators=(",", ":")).encode() + b"\n"
            out.write(line)
            prev = link(line)
    beside.write_text(json.dumps(MENU), encoding="utf-8")
    return path


def lookup(kind: str, pairs: str) -> dict[str, float]:
    """Microseconds of one check and of what it rests on, over hits, misses and near repeats in equal parts."""
    menu = menus.parse(MENUS[kind])
    rng, many = random.Random(7), int(pairs)
    history = History.none(menu)
    began = time.process_time()
    tried = _fill(history, menu, rng, many)
    filled = time.process_time() - began
    rail = Repeat(history, menu)
    asked: list[Pair] = []
    for i in range(ASKED):
        if i % 3 == 0:
            asked.append(menu.pair({"x" if kind == "one" else "lr": rng.choice(tried)}))
        else:
            asked.append(menu.pair(dict([_drawn(menu, rng)])))
    raw = [{"knob": p.changes[0].knob, "value": p.changes[0].value} for p in asked]
    proposals = [Proposal((), p) for p in asked]
    plain = {p.label for p in asked[::2]}
    return {
        "fill_s": filled,
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1e6 if sys.platform == "darwin" else 1e3),
        "on_disk": float(history._pairs.on_disk),  # noqa: SLF001  # whether this measures SQLite
        **_spread("ask", Rails(menu, history, base=menu.defaults).ask, raw),
        **_spread("check", rail.check, proposals),
        **_spread("past", history.past, asked),
        **_spread("near", history.near, asked),
        **_spread("set", plain.__contains__, [p.label for p in asked]),
    }


def duckdb(pairs: str) -> dict[str, float]:
    """Microseconds to find a pair by a scan of a table in memory."""
    import duckdb as engine

    many = int(pairs)
    con = engine.connect()
    con.execute("create table h as select 'lr=' || (range / 1e9)::varchar as label from range(?)", [many])
    rng = random.Random(7)
    labels = [f"lr={rng.randrange(2 * many) / 1e9}" for _ in range(ASKED_SLOWLY)]
    return _spread("scan", lambda x: con.execute("select 1 from h where label = ? limit 1", [x]).fetchone(), labels)


def _fill(history: History, menu: Menu, rng: random.Random, many: int) -> list[float]:
    """So many different pairs, nearly all of one continuous knob; some of their values."""
    name = "x" if "x" in menu.knobs else "lr"
    low, high = menu.knobs[name].range or (0.0, 1.0)
    some = []
    for i in range(many):
        value = low + (high - low) * rng.random()
        p = menu.pair({name: value})
        history.add(p, Seen("run.jsonl", i + 2, i + 1, i + 1, "reverted", 10.9, "base", f"{i:016x}", p.label))
        if i % max(1, many // 1000) == 0:
            some.append(value)
    return some


def cold(trials: int) -> list[str]:
    """The command line that puts one proposal to `rail check`, in a process of its own."""
    path = native(trials)
    beside = path.with_suffix(".menu.json")
    program = COLD.format(
        paths=[str(Path(__file__).resolve().parents[1]), sysconfig.get_path("purelib")],
        menu=str(beside),
        run=str(path),
        base=json.dumps(menus.load(beside).defaults),
    )
    asked = f'echo \'{{"knob": "lr", "value": 0.00031}}\' | {shlex.quote(sys.executable)} -S -c {shlex.quote(program)}'
    return ["sh", "-c", f"{asked}; test $? -eq 2"]  # of so many trials one was near


def _drawn(menu: Menu, rng: random.Random) -> tuple[str, Any]:
    knob = menu.knobs[rng.choice(list(menu.knobs))]
    if knob.choices is not None:
        return knob.name, rng.choice(knob.choices)
    low, high = knob.range or (0.0, 1.0)
    return knob.name, rng.randint(int(low), int(high)) if knob.type == "int" else rng.uniform(low, high)


def _spread(name: str, ask: Callable[[Any], object], questions: Sequence[Any]) -> dict[str, float]:
    clock, took = time.perf_counter_ns, []
    for q in questions[:200]:
        ask(q)
    for q in questions:
        began = clock()
        ask(q)
        took.append(clock() - began)
    took.sort()
    return {f"{name}_p50": took[len(took) // 2] / 1e3, f"{name}_p99": took[int(len(took) * 0.99)] / 1e3}


if __name__ == "__main__":
    kinds: dict[str, Callable[..., dict[str, Any]]] = {"lookup": lookup, "duckdb": duckdb}
    print(json.dumps(kinds[sys.argv[1]](*sys.argv[2:])))
