"""A run as it grows: read in any pieces it is what a batch read finds, and half a line may be taken back."""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import trajscope
from trajscope import analysis, pipeline, sources
from trajscope import tail as tails
from trajscope.columns import Row
from trajscope.live import Live
from trajscope.readers import Source
from trajscope.run import Run
from trajscope.sidecar import Sidecar
from trajscope.trial import Item, Trial

TORN = b"".join(
    json.dumps({"v": 1, "type": "trial", "seq": i, "status": "reverted", "value": i, "diff": "ä" * i}).encode() + end
    for i, end in enumerate((b"\n", b"\r\n", b"\n\n", b"\n", b""), start=1)
)
HEADER = b'{"v": 1, "type": "run", "seq": 0, "run_id": "r", "metric": {"name": "loss", "goal": "minimize"}}\n'


class Taken:
    """What a run took, in order."""

    def __init__(self) -> None:
        self.items: list[Item] = []

    def __call__(self, _run: Run, item: Item, _row: Row | None) -> None:
        self.items.append(item)


def recorded(path: Path, trials: int) -> None:
    """A run with some trials, taken up where there is one."""
    with trajscope.open_run(path, metric="loss", resume=True, sidecar=False, fsync=False) as run:
        for i in range(trials):
            run.trial({"lr": i}, value=float(i), kept=False)


def kinds(live: Live) -> list[str]:
    return [x.kind for x in live.notices]


@given(
    st.lists(st.integers(0, len(HEADER + TORN)), max_size=12),
    st.sampled_from((HEADER + TORN, HEADER + TORN[:-1], HEADER + TORN + b"\n", HEADER[:-1], HEADER + b'{"v"')),
    st.sampled_from((8, 64, tails.MOST)),
)
def test_a_file_that_grew_in_any_pieces_and_is_over_is_what_a_batch_read_finds(
    cuts: list[int], whole: bytes, most: int
) -> None:
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(tails, "MOST", most)
        path = Path(folder, "run.jsonl")
        path.touch()
        grown, batch = Taken(), Taken()
        live = Live(Source(str(path)), sink=grown)
        for a, b in zip([0, *sorted(cuts)], [*sorted(cuts), len(whole)], strict=True):
            with path.open("ab") as f:
                f.write(whole[a:b])
            live.step()
            while live.tail.behind:
                live.step()
            assert len(whole[:b]) == live.tail.at + len(live.tail.held)
            assert live.torn == len(whole[:b]) - whole[:b].rfind(b"\n") - 1
        live.close()
        pipeline.read(Source(str(path)), sink=batch)
        assert grown.items == batch.items
        assert live.torn == 0
        assert not live.notices


@pytest.mark.parametrize("torn", [1, 40, 10_000])
def test_a_torn_line_that_a_recorder_mends_is_no_reset_and_loses_no_sidecar(tmp_path: Path, torn: int) -> None:
    path = tmp_path / "run.jsonl"
    recorded(path, 3)
    start = path.stat().st_size
    with path.open("ab") as f:
        f.write(b'{"v":1,"type":"trial","seq":5,"prev":"' + b"0" * torn)
    side = Sidecar(path)
    live = Live(Source(str(path)), sink=side.take)
    live.step()
    assert side.write(live)
    assert live.torn == path.stat().st_size - start
    recorded(path, 2)
    live.step()
    assert kinds(live) == ["mended"]
    assert not live.past
    assert side.write(live, last=True)
    assert json.loads(side.path.read_bytes())["offset"] == path.stat().st_size
    [doc] = analysis.of_file(Source(str(path)))
    assert live.run is not None
    assert (live.run.tally.trials, doc["trials"], doc["lines"]["torn"], live.torn) == (5, 5, 0, 0)


def test_a_whole_line_that_only_lacks_its_end_is_counted_once(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    recorded(path, 3)
    os.truncate(path, path.stat().st_size - 1)
    taken = Taken()
    live = Live(Source(str(path)), sink=taken)
    live.step()
    recorded(path, 1)
    live.step()
    assert kinds(live) == []
    assert [x.seq for x in taken.items if isinstance(x, Trial)] == [1, 2, 3, 7]  # the end, its repair, the resuming


def test_a_torn_header_that_is_mended_begins_the_run(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    path.write_bytes(b'{"v":1,"type":"run","\xff')
    live = Live(Source(str(path)))
    live.step()
    assert (live.run, live.torn) == (None, 22)
    recorded(path, 2)
    live.step()
    assert kinds(live) == ["mended"]
    assert live.run is not None
    assert live.run.tally.trials == 2


def test_half_a_line_counts_as_torn_when_the_file_is_over_and_not_before(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    recorded(path, 3)
    with path.open("ab") as f:
        f.write(b'{"v":1,')
    live = Live(Source(str(path)))
    live.step()
    assert live.run is not None
    assert (live.torn, live.run.evidence("torn").n) == (7, 0)
    live.close()
    assert (live.torn, live.run.evidence("torn").n) == (0, 1)
    [doc] = analysis.of_file(Source(str(path)))
    assert doc["lines"]["torn"] == 1


def test_a_torn_line_of_a_file_that_was_rotated_stays_torn_in_its_run(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    recorded(path, 3)
    with path.open("ab") as f:
        f.write(b'{"v":1,')
    live = Live(Source(str(path)))
    live.step()
    path.rename(tmp_path / "run.jsonl.1")
    recorded(path, 1)
    live.step()
    assert kinds(live) == ["rotated"]
    assert live.run is not None
    assert [(r.tally.trials, r.evidence("torn").n) for r in (*live.past, live.run)] == [(3, 1), (1, 0)]


@pytest.mark.parametrize(
    ("first", "foreign", "known"), [(HEADER[:-2], False, "native"), (b"\x00\x01" * 50, True, None)]
)
def test_a_long_first_line_is_recognised_or_refused_before_its_end(
    tmp_path: Path, first: bytes, *, foreign: bool, known: str | None
) -> None:
    path = tmp_path / "run.jsonl"
    line = first + b', "note": "'
    path.write_bytes(line + b"x" * (sources.HEAD - len(line) - 1))
    live = Live(Source(str(path)))
    live.step()
    assert (live.format, live.foreign) == (None, False)
    with path.open("ab") as f:
        f.write(b"x")
    live.step()
    assert (live.format, live.foreign) == (known, foreign)
    with path.open("ab") as f:
        f.write(b'"}\n')
    live.step()
    assert (live.run is not None) == (known is not None)
