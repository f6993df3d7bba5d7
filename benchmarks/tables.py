"""Tables: a table of somebody else's loop, read beside the same rows in our own format.

`python -m benchmarks.tables read PATH` reads one file to its end in this process and says what that took.
"""

from __future__ import annotations

import json
import random
import sys
import time
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.generate import folder
from benchmarks.measure import Contender, python, take_turns
from benchmarks.section import Budget, Section
from trajscope import conversion, pipeline
from trajscope.readers import Source

VERSION = 1  # changes with the lines that are generated
ROWS = 100_000
ROUNDS = 5
KNOBS = ("MATRIX_LR", "EMBEDDING_LR", "WARMDOWN_RATIO", "DEPTH", "WEIGHT_DECAY", "SOFTCAP", "ROPE_BASE")
VERDICTS = ("worse", "too slow, fewer steps", "small gain", "within noise", "overshoots")


def table(rows: int) -> Path:
    """A `results.tsv` with a commit, a metric, the memory, a status and a sentence in each row; made once."""
    path = folder() / f"table-{VERSION}-{rows}.tsv"
    if path.exists():
        return path
    dice, best = random.Random(rows), 1.2
    lines = ["commit\tval_bpb\tmemory_gb\tstatus\tdescription", "baseline\t1.200000\t44.0\tkeep\tbaseline"]
    for n in range(rows):
        value = round(1.2 + dice.gauss(0, 0.01) - n * 1e-7, 6)
        status = "crash" if dice.random() < 0.05 else "keep" if value < best else "discard"  # a share
        best = min(best, value) if status == "keep" else best
        old, new = round(dice.random(), 3), round(dice.random(), 3)
        said = f"{dice.choice(KNOBS)} {old} {dice.choice(('to', '->'))} {new} ({dice.choice(VERDICTS)})"
        cells = (f"{dice.getrandbits(28):07x}", f"{0 if status == 'crash' else value:.6f}", "60.2", status, said)
        lines.append("\t".join(cells))
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def native(rows: int) -> Path:
    """The same trials in our own format; made once."""
    path = folder() / f"table-{VERSION}-{rows}.jsonl"
    if not path.exists():
        conversion.convert(Source(str(table(rows))), path)
    return path


def read(path: str) -> dict[str, float]:
    """CPU seconds of reading a file to its end line by line, into a run without metrics."""
    began = time.process_time()
    run = pipeline.read(Source(path)).runs[0]
    return {"cpu_s": time.process_time() - began, "trials": run.tally.trials, "kept": run.tally.keep_count}


def section(rows: int, rounds: int | None) -> Section:
    """A table beside native lines."""
    held = min(rows, ROWS)
    ours = Contender("native lines", python("benchmarks.tables", "read", native(held)))
    theirs = Contender("the same rows as a table", python("benchmarks.tables", "read", table(held)))
    take_turns([ours, theirs], rounds or ROUNDS)
    answers: list[tuple[Any, Any]] = [(a.answer, b.answer) for a, b in zip(ours.samples, theirs.samples, strict=True)]
    for a, b in answers:
        if (a["trials"], a["kept"]) != (b["trials"], b["kept"]):
            raise SystemExit(f"native lines hold {a}, the table {b}")
    share = median(a["cpu_s"] / b["cpu_s"] for a, b in answers)
    return Section(
        f"A table of {held:,} rows",
        "Rows per second of CPU of reading alone, line by line, without starting Python; a pair is read out of every "
        "row's text. Both hold the same trials and keeps, or this page would not have been written.",
        ("", "rows per CPU second, median", *(f"round {n + 1}" for n in range(len(answers)))),
        [
            (c.name, f"{held / median(s):,.0f}", *(f"{held / x:,.0f}" for x in s))
            for c, s in ((ours, [a["cpu_s"] for a, _ in answers]), (theirs, [b["cpu_s"] for _, b in answers]))
        ],
        [Budget("rows of a table per CPU second, beside native lines", share, 0.2, "x", more_is_better=True)],
    )


if __name__ == "__main__":
    print(json.dumps(read(sys.argv[2])))
