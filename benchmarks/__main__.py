"""`python -m benchmarks`: measure every budget that this version has a product for, and write RESULTS.md."""

from __future__ import annotations

import argparse
import os
import platform
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from benchmarks import generate
from benchmarks.budgets import BENCHES
from benchmarks.section import Budget, Section

RESULTS = Path(__file__).with_name("RESULTS.md")
LIBRARIES = ("msgspec", "duckdb", "polars", "numpy", "altair", "vl-convert-python")
NOTE = """\
CPU seconds are user and system time of a fresh process and its children. The machine may be busy: contenders take
turns, and ratios are taken between runs of the same round, so trust ratios and CPU seconds; wall times say nothing
here. Files come from `benchmarks/generate.py` and are the same everywhere.
"""


def main() -> None:
    """Parse, measure, write."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument(
        "bench",
        nargs="*",
        choices=[*BENCHES, []],
        metavar="BENCH",
        help=f"some of {', '.join(BENCHES)}; nothing is written then, the page is printed",
    )
    parser.add_argument("--rows", type=int, default=generate.ROWS, help="trials of the long file (%(default)s is 1 GB)")
    parser.add_argument("--rounds", type=int, help="rounds of each bench instead of its own number")
    said = parser.parse_args()
    sections = []
    for name, benches in BENCHES.items():
        for bench in benches if name in (said.bench or BENCHES) else ():
            print(f"{name}, {bench.__name__}:", file=sys.stderr, flush=True)
            sections.append(bench(said.rows, said.rounds))
    page = _page(sections, " ".join(["python -m benchmarks", *sys.argv[1:]]))
    if not said.bench:
        RESULTS.write_text(page, encoding="utf-8")
    print(page)


def _page(sections: Sequence[Section], command: str) -> str:
    """The results as Markdown."""
    budgets = [b for s in sections for b in s.budgets]
    missed = [b for b in budgets if not b.met(b.must)]
    verdict = f"{len(budgets) - len(missed)} of {len(budgets)} budgets are met."
    if missed:
        verdict += f" Missed: {'; '.join(f'{b.what} ({_number(b)}, must be {_bound(b, b.must)})' for b in missed)}."
    parts = [
        "# What it costs",
        f"Written by `{command}`; do not edit. {verdict}",
        NOTE.strip(),
        "\n".join(f"* {line}" for line in _machine()),
        "## Budgets",
        _table(
            ("", "measured", "must", "aim", ""),
            [
                (
                    b.what,
                    _number(b),
                    _bound(b, b.must),
                    _bound(b, b.aim) if b.aim is not None else "",
                    _verdict(b),
                )
                for b in budgets
            ],
        ),
    ]
    for s in sections:
        parts += [f"## {s.title}", s.about, _table(s.head, s.rows)]
    return "\n\n".join(parts) + "\n"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---", *("---:" for _ in head[1:])], *rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)


def _number(b: Budget) -> str:
    return f"{b.measured:,.0f} {b.unit}" if b.measured >= 100 else f"{b.measured:.3g} {b.unit}"


def _bound(b: Budget, bound: float) -> str:
    return f"{'at least' if b.more_is_better else 'under'} {bound:g} {b.unit}"


def _verdict(b: Budget) -> str:
    if not b.met(b.must):
        return "**missed**"
    return "met" if b.aim is None else "met, and the aim" if b.met(b.aim) else "met, not the aim"


def _machine() -> list[str]:
    libraries = ", ".join(f"{name} {version(name)}" for name in LIBRARIES)
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return [
        f"{os.cpu_count()} cores, {_cpu()}, {memory:.0f} GiB, {platform.system()} {platform.release()}",
        f"Python {platform.python_version()}, {libraries}",
        f"{datetime.now(UTC):%Y-%m-%d}",
    ]


def _cpu() -> str:
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return platform.processor() or platform.machine()
    return next((x.split(":")[1].strip() for x in text.splitlines() if x.startswith("model name")), platform.machine())


if __name__ == "__main__":
    main()
