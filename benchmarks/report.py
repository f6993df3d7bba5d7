"""Report: what the page about a run costs to make, how large it is, and what counting it again costs."""

from __future__ import annotations

import tempfile
from pathlib import Path

from benchmarks.measure import Contender, python, take_turns
from benchmarks.opening import native
from benchmarks.section import Budget, Section

LENGTHS = (1_000, 10_000, 100_000)
ROUNDS = 3
MB = 1e6


def section(rows: int, rounds: int | None) -> Section:
    """A report of a run of each length, made and verified in fresh processes, the drawing engine kept from before."""
    lines, sizes, spent = [], {}, {}
    with tempfile.TemporaryDirectory() as folder:
        env = {"XDG_CACHE_HOME": str(Path(folder) / "cache")}
        for trials in LENGTHS:
            run, page = native(trials), Path(folder) / f"{trials}.html"
            make = Contender("report", python("trajscope.cli", "report", run, "-o", page), env, lambda _: None)
            check = Contender("verify", python("trajscope.cli", "verify", page, "--original", run), env, lambda _: None)
            take_turns([make, check], rounds or ROUNDS)
            sizes[trials], spent[trials] = page.stat().st_size, make.spread("cpu_s").middle
            lines.append(
                (
                    f"{trials:,} trials, {run.stat().st_size / MB:,.1f} MB",
                    f"{sizes[trials] / MB:.2f}",
                    *(f"{c.spread('cpu_s').middle:.1f}" for c in (make, check)),
                    *(f"{c.spread('wall_s').middle:.1f}" for c in (make, check)),
                    f"{make.spread('peak_mb').most:,.0f}",
                )
            )
    return Section(
        "The report",
        "One offline page with everything in it, the bytes of the run and the drawing engine (0.9 MB) among them, "
        "and the same page counted again and compared. Both are processes from their start.",
        ("", "MB", "report, CPU s", "verify, CPU s", "report, wall s", "verify, wall s", "peak MB"),
        lines,
        [
            Budget("report of 1,000 trials, CPU", spent[1_000], 3, "s"),
            Budget("report of 1,000 trials, size", sizes[1_000] / MB, 2, "MB"),
            Budget("report of 100,000 trials, CPU", spent[100_000], 20, "s"),
        ],
    )
