"""Tables that grow: line by line and letter by letter they are what a batch read finds; a reset is a new file.

Planted and seen to fail: a reader that takes a header without its newline for the whole one, one that forgets where
a reset table begins.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from clirun import Cli
from tablerows import COLUMNS, told, tsv

import trajscope
from trajscope import pipeline
from trajscope.columns import Row
from trajscope.live import Live
from trajscope.readers import Source
from trajscope.run import Run
from trajscope.trial import Item

TABLES = sorted((Path(__file__).resolve().parents[1] / "sample_runs").glob("*/*.[tc]sv"))
BASE = ("baseline", "1.1", "11", "keep", "baseline")


class Taken:
    """What a run took, in order."""

    def __init__(self) -> None:
        self.items: list[Item] = []

    def __call__(self, _run: Run, item: Item, _row: Row | None) -> None:
        self.items.append(item)


@pytest.mark.parametrize("sample", TABLES, ids=lambda p: f"{p.parent.name}/{p.name}")
@pytest.mark.parametrize("size", [0, 17, 400])
def test_a_table_that_grew_is_what_a_batch_read_finds(tmp_path: Path, sample: Path, size: int) -> None:
    data = sample.read_bytes()
    pieces = [data[a : a + size] for a in range(0, len(data), size)] if size else data.splitlines(keepends=True)
    path = tmp_path / sample.name
    path.touch()
    grown, batch = Taken(), Taken()
    live = Live(Source(str(path)), sink=grown)
    for piece in pieces:
        with path.open("ab") as f:
            f.write(piece)
        live.step()
    live.close()
    pipeline.read(Source(str(path)), sink=batch)
    assert grown.items == batch.items
    assert not live.notices


def test_a_header_without_its_newline_is_waited_for(tmp_path: Path) -> None:
    path, taken = tmp_path / "results.tsv", Taken()
    path.write_bytes("\t".join(COLUMNS[:3]).encode())
    live = Live(Source(str(path)), sink=taken)
    live.step()
    assert live.run is None
    with path.open("ab") as f:
        f.write(("\t" + "\t".join(COLUMNS[3:]) + "\n").encode() + "\t".join(BASE).encode() + b"\na1\t1.0\t11\tke")
    live.step()
    assert live.run is not None
    assert (live.run.header.metric, told(taken.items)) == ("val_bpb", [])
    with path.open("ab") as f:
        f.write(b"ep\tLR 1 to 2\n")
    live.step()
    assert told(taken.items) == [("kept", 1.0)]


def test_a_table_that_is_reset_begins_again(tmp_path: Path) -> None:
    path, taken = tmp_path / "results.tsv", Taken()
    path.write_bytes(tsv(BASE, *((f"a{n}", "1.0", "11", "discard", f"LR {n}") for n in range(5))))
    live = Live(Source(str(path)), sink=taken)
    live.step()
    assert live.run is not None
    assert live.run.tally.trials == 5
    path.write_bytes(tsv())  # as a loop does that begins anew
    live.step()
    with path.open("ab") as f:
        f.write(b"b1\t0.9\t11\tkeep\tx\n")
    live.step()
    assert [n.kind for n in live.notices] == ["truncated"]
    assert live.run.tally.trials == 1


def test_a_table_is_watched_until_its_alarm_and_leaves_a_sidecar(tmp_path: Path) -> None:
    path = tmp_path / "results.tsv"
    rows = [(f"a{n}", str(1.2 + n % 3 / 100), "11", "discard", "LR 0.1 to 0.2") for n in range(40)]
    path.write_bytes(tsv(BASE, *rows))
    os.utime(path, (1, 1))
    done = Cli(tmp_path)("watch", path, "--plain", "--until-alarm", "--sidecar")
    assert done.returncode == 1, done.stdout + done.stderr
    assert "repeat" in done.stdout
    side = json.loads((tmp_path / "results.tsv.coverage.json").read_bytes())
    (doc,) = trajscope.analyze(path, quick=True)
    assert side["pair_repeat_rate"] == doc["pairs"]["repeat_rate"] == pytest.approx(39 / 40)
