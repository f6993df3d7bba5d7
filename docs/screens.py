"""Takes the pictures of the live screen and of the demo that docs/ shows: `python docs/screens.py [NAME...]`.

Needs the dependency group `docs` (`pip install --group docs`), and a font with its signs: DejaVu Sans Mono has them.

Look at them before they are committed: can a stranger tell from each what is wrong, and what was never tried?
"""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple
from unittest import mock

from trajscope import menu, pipeline, tail
from trajscope.chain import link
from trajscope.readers import Source

ROOT = Path(__file__).resolve().parents[1]
FIGURES = ROOT / "docs" / "figures"
SCALE = 1.0
COLOURS = 64  # letters are smoothed at their edges
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
    age_s: float = AGE_S
    pause: bool = False  # whether the run then asks for a person
    reading: bool = False  # whether the file is still being read


SHOTS = (
    Shot("watch_fine", ["honest"], (120, 34), lines=31),
    Shot("watch_night", ["amnesiac"], (120, 34), lines=LINES),
    Shot("watch_small", ["gamer"], (80, 24), ["t"]),
    Shot("watch_wide", ["linter"], (170, 40)),
    Shot("watch_stalled", ["amnesiac"], (100, 30), lines=LINES, age_s=2400.0),
    Shot("watch_waits", ["honest"], (100, 30), lines=31, pause=True),
    Shot("watch_begins", ["honest"], (80, 12), lines=1),
    Shot("watch_reads", ["synthetic_1000"], (100, 30), lines=701, reading=True),
    Shot("watch_ended", ["honest"], (100, 30)),
    Shot("watch_why", ["amnesiac"], (120, 40), ["w"], lines=LINES),
    Shot("watch_gaps", ["amnesiac"], (100, 24), ["g"]),
    Shot("watch_trial", ["honest"], (100, 40), ["down", "down", "down", "enter", "end"], lines=31),
    Shot("watch_many", FLEET, (120, 16)),
)


def source(path: Path) -> tuple[Source, str | None]:
    """What the command line would say of a file."""
    beside = pipeline.menu_beside(path)
    return Source(str(path), menu=menu.load(beside) if beside else None), None


def lay(shot: Shot, folder: Path) -> float:
    """Put the runs of a picture into a folder, as old as they shall look; what time it is then."""
    folder.mkdir()
    now = NOW
    for name in shot.runs:
        path = folder / f"{name}.jsonl"
        lines = (ROOT / "sample_runs" / name / path.name).read_bytes().splitlines(keepends=True)[: shot.lines]
        path.write_bytes(b"".join([*lines, *([_pause(lines)] if shot.pause else [])]))
        if found := re.findall(rb'"ended":"([^"]+)"', b"".join(lines)):  # such a file says itself how old it is
            last = datetime.fromisoformat(found[-1].decode()).timestamp() + shot.age_s
            now = last if len(shot.runs) == 1 else max(now, last)
        beside = ROOT / "sample_runs" / name / f"{name}.menu.json"
        if beside.is_file():
            shutil.copy(beside, folder)
    for path in folder.glob("*.jsonl"):
        os.utime(path, (now - shot.age_s, now - shot.age_s))
    return now


def _pause(lines: Sequence[bytes]) -> bytes:
    """The line by which a native run asks for a person."""
    asks = {"reason": "a gain of 0.13 without a holdout: look at trial 27"}
    said = {"v": 1, "type": "event", "seq": len(lines), "prev": link(lines[-1]), "kind": "pause", "data": asks}
    return json.dumps(said, separators=(",", ":")).encode() + b"\n"


async def take(shot: Shot) -> str:
    """The picture as SVG."""
    from trajscope.watch.group import Group
    from trajscope.watch.screen.app import Watch
    from trajscope.watch.watching import Watching

    folder = Path("runs")  # a relative path is what one would type
    with tempfile.TemporaryDirectory() as name, contextlib.chdir(name):
        now = lay(shot, folder)
        group = Group(source, folder=folder if len(shot.runs) > 1 else None)
        if group.folder is None:
            path = folder / f"{shot.runs[0]}.jsonl"
            group.add(path, Watching(*source(path), asked=True))
        app = Watch(group, clock=lambda: now, page=str)
        async with app.run_test(size=shot.size) as pilot:
            if not shot.reading:
                app.turn()
                app.turn()
            else:  # as a run of some gigabytes looks while it is opened, in smaller pieces
                with mock.patch.object(tail, "MOST", 1 << 17):
                    group.turn(now, 0.0)
                    app.show_now()
            await pilot.pause()
            await pilot.press(*shot.keys)
            await pilot.pause()
            return app.export_screenshot(title="trajscope watch")


def spoken(words: Sequence[str], columns: int) -> str:
    """What a command says on a terminal so wide, as SVG."""
    from rich.console import Console
    from rich.terminal_theme import MONOKAI
    from rich.text import Text

    ours, theirs = os.openpty()
    env = {**os.environ, "COLUMNS": str(columns), "TERM": "xterm-256color", "PYTHONUTF8": "1"}
    command = [sys.executable, "-m", "trajscope.cli", *words]
    said = bytearray()
    with subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, env=env) as process:
        os.close(theirs)
        with contextlib.suppress(OSError):  # Linux says so when the other side is closed
            while part := os.read(ours, 65536):
                said += part
    os.close(ours)
    if process.returncode:
        raise SystemExit(said.decode("utf-8", "replace"))
    console = Console(record=True, width=columns, file=io.StringIO(), force_terminal=True)
    for line in said.decode("utf-8", "replace").replace("\r", "").splitlines():
        console.print(Text.from_ansi(line), no_wrap=True, crop=True)
    return console.export_svg(title=f"trajscope {' '.join(words)}", theme=MONOKAI)


def squeezed(png: bytes) -> bytes:
    """The picture with a palette: a screen has few colours, and takes a tenth of the room so."""
    from PIL import Image

    out = io.BytesIO()
    flat = Image.open(io.BytesIO(png)).convert("RGB")
    # Not a median of colours, which is none of them.
    found: list[tuple[Any, int]] = Counter(flat.get_flattened_data()).most_common(COLOURS)
    palette = Image.new("P", (1, 1))
    palette.putpalette([part for colour, _ in found for part in colour])
    flat.quantize(palette=palette, dither=Image.Dither.NONE).save(out, "PNG", optimize=True)
    return out.getvalue()


def main() -> None:
    """Write every picture, or those whose names are given."""
    import vl_convert

    asked = set(sys.argv[1:])
    pictures = {shot.name: partial(_taken, shot) for shot in SHOTS} | {
        "demo": partial(spoken, ["demo", "--plain"], 100)
    }
    for name in [x for x in pictures if not asked or x in asked]:
        png = squeezed(vl_convert.svg_to_png(pictures[name](), scale=SCALE))
        (FIGURES / f"{name}.png").write_bytes(png)
        print(f"wrote docs/figures/{name}.png ({len(png):,} bytes)")


def _taken(shot: Shot) -> str:
    return asyncio.run(take(shot))


if __name__ == "__main__":
    main()
