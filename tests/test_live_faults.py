"""A real recorder that is killed again and again, and a reader that watches: rows in are rows counted, none twice."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from trajscope import analysis, watermark
from trajscope.chain import link
from trajscope.columns import Row
from trajscope.live import Live
from trajscope.readers import Source
from trajscope.run import Run
from trajscope.tail import Reset
from trajscope.trial import Item

KILLS = int(os.environ.get("KILLS", "12"))  # 200 in a soak
WRITER = """\
import sys
import trajscope
with trajscope.open_run(sys.argv[1], metric="loss", resume=True, fsync=False) as run:
    for i in range(10**9):
        run.trial({"lr": i % 50}, value=float(i % 7), kept=False, reason="x" * (i % 900))
"""


def held(path: Path) -> None:
    """The sidecar, where there is one, is whole and tells of nothing that is not in the file."""
    place = watermark.sidecar(path)
    if not place.exists():
        return
    mark = json.loads(place.read_bytes())  # never half of it
    data = path.read_bytes()  # looked at after, so that it can only have grown
    assert mark["offset"] <= len(data)
    lines = data[: mark["offset"]].splitlines()
    assert len(lines) == mark["seq"] + 1
    assert link(lines[-1]) == mark["line"]


@pytest.mark.timeout(60 + 10 * KILLS)
def test_a_recorder_that_is_killed_again_and_again_loses_nothing_that_a_reader_saw(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    rng = random.Random(7)
    counted: list[int] = []

    def count(_run: Run, _item: Item, row: Row | None) -> None:
        if row is not None:
            counted.append(row.seq)

    live = Live(Source(str(path)), sink=count)
    for _ in range(KILLS):
        writer = subprocess.Popen([sys.executable, "-c", WRITER, str(path)], stderr=subprocess.PIPE)
        before, until = len(counted), time.monotonic() + 30
        while len(counted) == before:  # it has begun to write
            live.step()
            assert writer.poll() is None, writer.stderr.read().decode() if writer.stderr else ""
            assert time.monotonic() < until
        until = time.monotonic() + rng.random() / 5
        while time.monotonic() < until:
            live.step()
            held(path)
        writer.send_signal(signal.SIGKILL)
        writer.communicate()
        held(path)
    while live.step().items:
        pass
    live.close()
    assert not any(isinstance(x, Reset) for x in live.notices)
    lines = path.read_bytes().split(b"\n")
    whole = [json.loads(line) for line in lines[:-1]]
    written = [x["seq"] for x in whole if x["type"] == "trial"]
    torn = bool(lines[-1])
    assert counted == written or (torn and counted == [*written, len(whole)])  # all but its newline was there
    assert len(set(counted)) == len(counted)
    [doc] = analysis.of_file(Source(str(path)), quick=True)
    assert doc["trials"] == len(counted)
    assert live.run is not None
    assert not live.run.tally.break_count
