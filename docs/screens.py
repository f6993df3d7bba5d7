"""Takes the pictures of the live screen that docs/watch.md shows, from the sample runs: `python docs/screens.py`.

Look at them before they are committed: can a stranger tell from each what is wrong, and what was never tried?
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from trajscope import menu, pipeline
from trajscope.readers import Source

ROOT = Path(__file__).resolve().parents[1]
FIGURES = ROOT / "docs" / "figures"
SCALE = 1.0
# 38 iterations in, 41 seconds after the last: the night of the amnesiac, while it could still have been stopped.
LINES, AGE_S = 39, 41.0
NOW = 1_777_141_700.0
FLEET = "amnesiac gamer linter higher replicates synthetic_1000 several ties torn all_crashed".split()


class Shot(NamedTuple):
    """One picture."""

    name: str
    runs: Sequence[str]
    size: tuple[int, int]
    keys: Sequence[str] = ()
    lines: int | None = None  # of the run, where it still goes on


SHOTS = (
    Shot("watch_night", ["amnesiac"], (120, 34), lines=LINES),
    Shot("watch_small", ["gamer"], (80, 24), ["t"]),
    Shot("watch_wide", ["linter"], (170, 40)),
    Shot("watch_gaps", ["amnesiac"], (100, 24), ["g"]),
    Shot("watch_many", FLEET, (120, 16)),
)


def source(path: Path) -> tuple[Source, str | None]:
    """What the command line would say of a file."""
    beside = pipeline.menu_beside(path)
    return Source(str(path), menu=menu.load(beside) if beside else None), None


def lay(shot: Shot, folder: Path) -> None:
    """Put the runs of a picture into a folder, as old as they shall look."""
    folder.mkdir()
    for name in shot.runs:
        path = folder / f"{name}.jsonl"
        lines = (ROOT / "sample_runs" / name / path.name).read_bytes().splitlines(keepends=True)
        path.write_bytes(b"".join(lines[: shot.lines]))
        os.utime(path, (NOW - AGE_S, NOW - AGE_S))
        beside = ROOT / "sample_runs" / name / f"{name}.menu.json"
        if beside.is_file():
            shutil.copy(beside, folder)


async def take(shot: Shot) -> str:
    """The picture as SVG."""
    from trajscope.watch.group import Group
    from trajscope.watch.screen.app import Watch
    from trajscope.watch.watching import Watching

    folder = Path("runs")  # a relative path is what one would type
    with tempfile.TemporaryDirectory() as name, contextlib.chdir(name):
        lay(shot, folder)
        group = Group(source, folder=folder if len(shot.runs) > 1 else None)
        if group.folder is None:
            path = folder / f"{shot.runs[0]}.jsonl"
            group.add(path, Watching(*source(path), asked=True))
        app = Watch(group, clock=lambda: NOW, page=str)
        async with app.run_test(size=shot.size) as pilot:
            app.turn()
            app.turn()
            await pilot.pause()
            await pilot.press(*shot.keys)
            await pilot.pause()
            return app.export_screenshot(title="trajscope watch")


def main() -> None:
    """Write every picture, or those whose names are given."""
    import vl_convert

    for shot in SHOTS:
        if not sys.argv[1:] or shot.name in sys.argv[1:]:
            png = vl_convert.svg_to_png(asyncio.run(take(shot)), scale=SCALE)
            (FIGURES / f"{shot.name}.png").write_bytes(png)
            print(f"wrote docs/figures/{shot.name}.png ({len(png):,} bytes)")


if __name__ == "__main__":
    main()
