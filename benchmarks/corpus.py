"""Corpus: what building one costs, and that its memory hangs on the longest run and on different labels, not on trials.

Native files of one night each, written once: prompts, hashes of bases and configurations, keeps that are built upon.
"""

from __future__ import annotations

import hashlib
import json
import random
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks import generate
from benchmarks.measure import once, python
from benchmarks.section import Budget, Section
from trajscope.pair import config_hash

KEPT = 0.02
HABIT = 0.9  # share of proposals that are taken from a knob's few favourites
FAVOURITES = 8  # values of a knob that are proposed again and again
KNOBS = 12
WORDS = 40  # of a prompt, beside the configuration that stands


class Shape(NamedTuple):
    """Files of one kind."""

    name: str
    runs: int  # for each million rows
    moves: bool  # whether keeps are built upon
    habits: bool = True  # whether anything is proposed again


# One long night of a proposer with habits, each trial on the same base: most of it is repeats. Many nights of a
# proposer whose keeps are built upon, so that hardly a configuration comes twice. And one long night in which nothing
# comes twice: the run itself is the most that is in memory.
MANY = Shape("runs of 1,000 trials, keeps built upon", 1000, True)
SHAPES = (Shape("one run, one base", 1, False), MANY)
NEW = Shape("one run, nothing proposed twice", 1, False, habits=False)
LONGEST = 1_000_000  # trials of that


def write(folder: Path, shape: Shape, rows: int) -> None:
    """The run files, always the same."""
    runs = max(1, shape.runs * rows // 1_000_000) if shape.runs > 1 else 1
    for i in range(runs):
        with (folder / f"{i:05}.jsonl").open("wb") as f:
            prev = "0" * 16
            for n, line in enumerate(_lines(i, rows // runs, shape)):
                data = json.dumps({"v": 1, "seq": n, "prev": prev, **line}, separators=(",", ":")).encode()
                prev = hashlib.sha256(data).hexdigest()[:16]
                f.write(data + b"\n")


def _lines(run: int, rows: int, shape: Shape) -> Iterator[dict[str, Any]]:
    draw = random.Random(f"{generate.SEED}/{run}")
    names = [f"k{i:02}" for i in range(KNOBS)]
    base: dict[str, Any] = dict.fromkeys(names, 0.5)
    spec = {"type": "float", "range": [0.0, 1.0], "default": 0.5}
    liked = {k: [round(draw.random(), 3) for _ in range(FAVOURITES)] for k in names}
    yield {
        "type": "run",
        "run_id": f"night-{run:05}",
        "campaign": f"campaign {run // 10}",
        "metric": {"name": "loss", "goal": "minimize"},
        "menu": {"knobs": dict.fromkeys(names, spec)},
        "base": {"config": base},
        "proposer": {"kind": "llm", "history": 5},
    }
    yield {"type": "measure", "what": "baseline", "config_hash": config_hash(base), "value": 1.0}
    stands = config_hash(base)
    for i in range(1, rows + 1):
        knob = draw.choice(names)
        value = draw.choice(liked[knob]) if draw.random() < HABIT else round(draw.random(), 4)
        value = value if shape.habits else i / (rows + 1)
        ran = config_hash({**base, knob: value})
        kept = draw.random() < KEPT
        words = " ".join(f"{draw.getrandbits(24):06x}" for _ in range(WORDS))
        yield {
            "type": "trial",
            "iter": i,
            "status": "kept" if kept else "reverted",
            "attempts": [{"changes": [{"knob": knob, "value": value}], "reason": "as good as any"}],
            "base_hash": stands,
            "config_hash": ran,
            "shown": f"[system]\nYou choose.\n\n[user]\nStands: {json.dumps(base)}\n{words}",
            "value": round(draw.gauss(0.9 if kept else 1.05, 0.02), 5),
            "value_source": "reported",
        }
        if kept and shape.moves:
            base, stands = {**base, knob: value}, ran


def cached(shape: Shape, rows: int) -> list[Path]:
    """The files of this shape, made if they are not there yet."""
    made_by = hashlib.sha256(Path(__file__).read_bytes()).hexdigest()[:8]
    folder = generate.folder() / f"corpus-{shape.runs}-{'habits' if shape.habits else 'new'}-{rows}-{made_by}"
    if not (folder / "made").exists():
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        write(folder, shape, rows)
        (folder / "made").touch()
    return sorted(folder.glob("*.jsonl"))


def section(rows: int, rounds: int | None) -> Section:
    """Building from files of three lengths, the longest of as many rows as the long file has."""
    del rounds  # a build of the longest takes minutes, and memory does not scatter
    table, budgets = [], []
    for shape in (*SHAPES, NEW):
        most = rows if shape.habits else min(rows, LONGEST)
        for n in (most // 10, most // 3, most):
            paths = cached(shape, n)
            with tempfile.TemporaryDirectory(dir=generate.folder()) as home:
                done = once(python("benchmarks.corpus", Path(home) / "out", *paths))
            said = done.answer
            size = sum(p.stat().st_size for p in paths)
            table.append(
                (
                    f"{shape.name}, {n:,} trials ({size / 1e9:.2g} GB)",
                    f"{said['stay']:,}",
                    f"{done.cpu_s:,.0f}",
                    f"{done.cpu_s / n * 1e6:,.0f}",
                    f"{done.peak_mb:,.0f}",
                )
            )
            if n == rows and shape.habits:
                budgets.append(Budget(f"corpus of {n:,} rows, {shape.name}: peak memory", done.peak_mb, 1000, "MB"))
    return Section(
        "A corpus",
        "`trajscope corpus build`, the gate's question included, of native files with a prompt in every line. What "
        "stays is what is written: repeats on the same base go. Memory is that of the longest run, and about twenty "
        "bytes a trial beside it. Where nothing is proposed twice a run is large, for it knows all of its pairs.",
        ("", "examples that stay", "CPU s", "us a trial", "peak MB"),
        table,
        budgets,
    )


def main() -> None:
    """Build a corpus of the files that are named, and say how much stayed."""
    from trajscope.corpus import build
    from trajscope.readers import Source

    out, *paths = sys.argv[1:]
    found = build([(Source(path), None) for path in paths], out, accept="a benchmark")
    trials = found.manifest["trials"]
    print(json.dumps({"stay": trials["train"] + trials["test"], "trials": trials["all"], "rows": found.rows}))


if __name__ == "__main__":
    main()
