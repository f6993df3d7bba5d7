"""`python -m benchmarks.calibrate`: run the study and write its tables into docs/operating_characteristics.md."""

from __future__ import annotations

import argparse
import os
import re
import sys
from collections.abc import Mapping
from pathlib import Path

from benchmarks.calibrate import study, tables
from benchmarks.calibrate.kinds import KINDS

PAGE = Path(__file__).parents[2] / "docs" / "operating_characteristics.md"


def main() -> None:
    """Parse, run, write."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.calibrate", description=__doc__)
    parser.add_argument("--scale", type=float, default=1.0, help="share of the campaigns; below 1 nothing is written")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1, help="(%(default)s)")
    said = parser.parse_args()
    blocks = found(said.scale, said.processes)
    if said.scale < 1:
        print("\n\n".join(blocks.values()))
    else:
        PAGE.write_text(filled(PAGE.read_text("utf-8"), blocks), "utf-8")
        print(f"wrote {PAGE.name}", file=sys.stderr)


def found(scale: float, processes: int) -> dict[str, str]:
    """Every generated block of the page by its name."""
    folder = study.folder()
    alarms = told(scale, processes)
    judged = study.judged(study.gated(folder, scale), processes)
    return {
        **alarms,
        "gates": tables.gates(judged),
        "sizes": tables.sizes(judged),
        "losses": tables.losses(judged),
        "brakes": tables.brakes(judged),
    }


def told(scale: float, processes: int) -> dict[str, str]:
    """The blocks about words and alarms."""
    heard = study.heard(study.field(scale), processes)
    fresh = study.words(study.fresh(scale), processes)
    drifted = study.words(study.drifted(scale), processes)
    clocks = study.clocks(scale)
    ours = study.words(study.under_ours(scale), processes)
    honest = sum(KINDS[r.kind].honest for r in heard)
    size = f"{honest} honest and {len(heard) - honest} faulty campaigns for the alarms"
    size += f", and {len(fresh)} honest ones in fresh worlds for the words"
    size += f"; under each of {len(study.GATES)} gates the same kinds but the tuner once more, in the same worlds"
    return {
        "size": size,
        "words": tables.words(fresh, heard, drifted, clocks),
        "suspected": tables.suspected([*(r for r in heard if KINDS[r.kind].honest), *fresh]),
        "clocks": tables.clocked(clocks),
        "alarms": tables.headline(heard),
        "watched": tables.by_watch(heard),
        "kinds": tables.by_kind(heard),
        "ours": tables.wronged(ours),
        "bounds": tables.swept(heard, study.BOUNDS),
    }


def filled(page: str, blocks: Mapping[str, str]) -> str:
    """The page with every block between its two marks replaced."""
    for name, text in blocks.items():
        parts = re.split(rf"(<!-- /?{name} -->)", page)
        if len(parts) != 5:
            raise SystemExit(f"{PAGE.name}: block {name} stands there {len(parts) // 4} times, once is needed")
        before, opens, _, closes, after = parts
        page = f"{before}{opens}\n{text}\n{closes}{after}"
    return page


if __name__ == "__main__":
    main()
