"""Real processes that write, and are killed, cut, rotated and refused: rows in are rows counted, none twice.

And the sidecar is always whole and never ahead of the file, whoever keeps it and however it ends.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
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
from trajscope.wake import Wake

KILLS = int(os.environ.get("KILLS", "12"))  # 200 in a soak
WHOLE = 30.0  # seconds that anything may take
WRITER = """\
import sys
import trajscope
with trajscope.open_run(sys.argv[1], metric="loss", resume=True, fsync=False) as run:
    for i in range(10**9):
        long = 500_000 if i % 20 == 0 else i % 900  # long enough that a kill falls into its writing
        n = run.trial({"lr": i % 50}, value=float(i % 7), kept=False, reason="x" * long)
        if i == 0:
            print(n, flush=True)
"""
# Does as it is told, line by line: one run per file, and a word back once it is done.
OBEDIENT = """\
import os, sys
from pathlib import Path
import trajscope
path = Path(sys.argv[1])
def begin(at=path):
    return trajscope.open_run(at, metric="loss", resume=True, fsync=False, sidecar=False)
run, files, n = begin(), 0, 0
for order in sys.stdin:
    what, count = order.split()
    if what != "write":
        run.close()
        files += 1
    if what == "rotate":
        path.rename(f"{path}.{files}")
        run = begin()
    elif what == "truncate":
        os.truncate(path, path.stat().st_size // 2)
        data = path.read_bytes()
        os.truncate(path, data.rfind(b"\\n") + 1)
        run = begin()
    elif what == "regrow":
        os.truncate(path, 0)
        run = begin()
    elif what == "replace":
        new = path.with_name("new.jsonl")
        run = begin(new)
        run.close()
        new.replace(path)
        run = begin()
    for _ in range(int(count)):
        n += 1
        run.trial({"lr": n}, value=float(n), kept=False, reason="x" * (n % 700))
    print(n, flush=True)
"""
LIMITED = """\
import resource, sys
import trajscope
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), resource.RLIM_INFINITY))
run = trajscope.open_run(sys.argv[1], metric="loss", resume=True, fsync=False)
for i in range(10**6):
    print(run.trial({"lr": i}, value=float(i), kept=False, reason="x" * (i % 900)), flush=True)
"""


class Counter:
    """A reader that counts each trial it is handed, by the run of the file it came from."""

    def __init__(self, path: Path) -> None:
        self.seqs: list[list[int]] = [[]]
        self.values: list[float] = []
        self._run: Run | None = None
        self.live = Live(Source(str(path)), sink=self._take)

    @property
    def counted(self) -> list[int]:
        return [seq for seqs in self.seqs for seq in seqs]

    def _take(self, run: Run, _item: Item, row: Row | None) -> None:
        if self._run is not None and run is not self._run:
            self.seqs.append([])
        self._run = run
        if row is not None:
            self.seqs[-1].append(row.seq)
            self.values.append(row.value if row.value is not None else -1.0)

    def to_the_end(self) -> None:
        while self.live.step().items or self.live.tail.behind:
            pass


def python(code: str, *args: object) -> subprocess.Popen[str]:
    """A program in a process of its own."""
    line = [sys.executable, "-c", code, *map(str, args)]
    pipe = subprocess.PIPE
    return subprocess.Popen(line, stdin=pipe, stdout=pipe, stderr=pipe, text=True)


def until(true: Callable[[], object], alive: subprocess.Popen[str], path: Path) -> None:
    """Look at every change beside a file until it is true, while the process lives."""
    end = time.monotonic() + WHOLE
    with Wake([path], look_s=0.1) as wake:
        while not true():
            assert alive.poll() is None, alive.communicate()[1]
            assert time.monotonic() < end
            wake.wait()


def killed(process: subprocess.Popen[str]) -> None:
    process.send_signal(signal.SIGKILL)
    process.communicate()


def held(path: Path) -> int:
    """The sidecar, where there is one, is whole and tells of nothing that is not in the file; how far it has come."""
    place = watermark.sidecar(path)
    if not place.exists():
        return 0
    mark = json.loads(place.read_bytes())  # never half of it
    data = path.read_bytes()  # looked at after, so that it can only have grown
    assert mark["offset"] <= len(data)
    lines = data[: mark["offset"]].splitlines()
    assert len(lines) == mark["seq"] + 1
    assert link(lines[-1]) == mark["line"]
    return int(mark["offset"])


def trials(path: Path) -> tuple[list[int], bytes]:
    """The trials that stand whole in a file, by another way than ours, and what is after the last newline."""
    *lines, rest = path.read_bytes().split(b"\n")
    return [x["seq"] for x in map(json.loads, lines) if x["type"] == "trial"], rest


def all_counted(path: Path, counter: Counter) -> None:
    """Each row of the file was counted, none twice, and a batch read says the same."""
    counter.to_the_end()
    written, torn = trials(path)
    assert counter.counted == written
    counter.live.close()
    [doc] = analysis.of_file(Source(str(path)), quick=True)
    assert doc["trials"] == len(counter.counted) in (len(written), len(written) + bool(torn))  # only its newline lacked
    assert not any(isinstance(x, Reset) for x in counter.live.notices)
    assert counter.live.run is not None
    assert not counter.live.run.tally.break_count


@pytest.mark.timeout(60 + 10 * KILLS)
def test_a_recorder_that_is_killed_again_and_again_loses_nothing_that_a_reader_saw(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "run.jsonl"
    rng = random.Random(7)
    counter = Counter(path)
    rows = torn = leavings = checks = 0
    for _ in range(KILLS):
        writer = python(WRITER, path)
        done(writer)  # it has begun to write
        stop = time.monotonic() + rng.random() / 5
        while time.monotonic() < stop:
            counter.live.step()
            held(path)
            checks += 1
        killed(writer)
        held(path)
        counter.to_the_end()
        torn += bool(counter.live.torn)
        leavings = max(leavings, len(list(tmp_path.glob(".run.coverage*"))))
        if path.stat().st_size > 10 << 20:  # held() reads all of it
            all_counted(path, counter)
            rows += len(counter.counted)
            for old in (path, watermark.sidecar(path)):
                old.unlink(missing_ok=True)
            counter = Counter(path)
    if path.exists():  # the last one may just have been put aside
        all_counted(path, counter)
    assert leavings <= 1  # each writer cleared what the one before it left
    if KILLS > 12:
        rows += len(counter.counted)
        with capsys.disabled():
            sys.stdout.write(f"\n{KILLS} kills, {rows} rows, {torn} torn lines, {checks} looks, {leavings} leavings\n")


def told(writer: subprocess.Popen[str], what: str, count: int) -> None:
    """Order an obedient writer to do something, without waiting for it."""
    assert writer.stdin is not None
    writer.stdin.write(f"{what} {count}\n")
    writer.stdin.flush()


def done(writer: subprocess.Popen[str]) -> int:
    """Trials that it has written in all, once it has done what it was told."""
    assert writer.stdout is not None
    line = writer.stdout.readline()
    assert line, writer.communicate()[1]
    return int(line)


@pytest.mark.parametrize("torn", [b'{"v":1,"type":"trial","seq":', b"\xff" * 100_000])
def test_half_a_line_of_a_killed_recorder_that_the_next_one_mends_is_no_reset(tmp_path: Path, torn: bytes) -> None:
    path = tmp_path / "run.jsonl"
    counter = Counter(path)
    for last in (False, True):
        writer = python(OBEDIENT, path)
        told(writer, "write", 5)
        assert done(writer) == 5
        killed(writer)
        if not last:
            with path.open("ab") as f:
                f.write(torn)
            counter.to_the_end()
            assert counter.live.torn == len(torn)
    all_counted(path, counter)
    assert len(counter.counted) == 10
    assert [x.kind for x in counter.live.notices] == ["mended"]


def test_rows_of_files_that_are_rotated_away_are_all_counted(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    counter, writer = Counter(path), python(OBEDIENT, path)
    rng, total = random.Random(11), 0
    for n in range(8):
        told(writer, "rotate" if n else "write", rng.randrange(1, 300))
        done(writer)
        counter.live.step()  # a file that nobody looked at between two rotations is not seen
        told(writer, "write", rng.randrange(1, 300))  # rows of which none or few are read when they are renamed
        if n % 2:
            counter.to_the_end()
        total = done(writer)
    counter.to_the_end()
    assert writer.communicate()[1] == ""
    counter.to_the_end()
    files = [*(tmp_path / f"run.jsonl.{n}" for n in range(1, 8)), path]
    assert counter.seqs == [trials(f)[0] for f in files]
    assert counter.values == [float(n) for n in range(1, total + 1)]
    assert [x.kind for x in counter.live.notices if isinstance(x, Reset)] == ["rotated"] * 7


@pytest.mark.parametrize(
    ("how", "kinds"),
    [("truncate", {"truncated", "rewritten"}), ("regrow", {"truncated", "rewritten"}), ("replace", {"replaced"})],
)
def test_after_a_file_was_cut_or_replaced_its_rows_are_counted_anew(tmp_path: Path, how: str, kinds: set[str]) -> None:
    path = tmp_path / "run.jsonl"
    counter, writer = Counter(path), python(OBEDIENT, path)
    rng = random.Random(13)
    told(writer, "write", 30)
    done(writer)
    counter.to_the_end()
    for _ in range(8):
        before = len(counter.seqs)
        told(writer, how, rng.choice((0, 1, 60, 200)))  # shorter than before, and longer
        for _ in range(rng.randrange(3)):
            counter.live.step()
        done(writer)
        counter.to_the_end()
        assert len(counter.seqs) > before
        assert counter.seqs[-1] == trials(path)[0]  # what is in the file now, each once
    assert writer.communicate()[1] == ""
    resets = [x.kind for x in counter.live.notices if isinstance(x, Reset)]
    assert len(resets) >= 8
    assert set(resets) <= kinds
    assert all(len(set(seqs)) == len(seqs) for seqs in counter.seqs)


def test_a_full_disk_refuses_a_trial_in_one_line_and_half_of_it_is_nowhere(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    counter = Counter(path)
    acknowledged: list[int] = []
    for limit in (60_000, 120_001):
        writer = python(LIMITED, path, limit)
        with Wake([path], look_s=0.1) as wake:
            while writer.poll() is None:
                counter.live.step()
                held(path)
                wake.wait()
        out, err = writer.communicate()
        acknowledged += map(int, out.split())
        assert writer.returncode == 1
        assert err.splitlines()[-1].startswith("trajscope.errors.RecordError: ")
        assert "was not written (File too large); the file ends with seq" in err
        assert "free space and write it again" in err
        assert path.read_bytes().endswith(b"\n")
        assert limit - 2000 < path.stat().st_size <= limit
        counter.to_the_end()
        held(path)
        assert counter.counted == acknowledged
    all_counted(path, counter)


@pytest.mark.skipif(os.environ.get("FULL_DISK") is None, reason="FULL_DISK names a small file system to fill")
def test_a_file_system_without_space_refuses_a_trial_and_lets_it_be_taken_up() -> None:
    path = Path(os.environ["FULL_DISK"], "run.jsonl")
    ballast = path.with_name("ballast")
    ballast.write_bytes(bytes(1 << 18))
    counter = Counter(path)
    for text in ("No space left on device", None):
        writer = python(LIMITED, path, 1 << 40 if text else path.stat().st_size + 100_000)
        with Wake([path], look_s=0.1) as wake:
            while writer.poll() is None:
                counter.live.step()
                held(path)
                wake.wait()
        out, err = writer.communicate()
        assert (text or "File too large") in err
        assert len(out.split()) > 10
        counter.to_the_end()
        assert counter.counted == trials(path)[0]
        held(path)
        ballast.unlink(missing_ok=True)
    all_counted(path, counter)


def test_a_second_recorder_is_refused_in_one_line_and_the_first_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    counter, first = Counter(path), python(OBEDIENT, path)
    told(first, "write", 5)
    assert done(first) == 5
    second = python(OBEDIENT, path)
    _, err = second.communicate("write 5\n")
    assert second.returncode == 1
    assert err.splitlines()[-1] == (
        f"trajscope.errors.LockedError: {path}: another writer holds it (run.jsonl.lock); close that one first"
    )
    told(first, "write", 5)
    assert done(first) == 10
    assert first.communicate()[1] == ""
    all_counted(path, counter)
    assert len(counter.counted) == 10


@pytest.mark.timeout(60 + 10 * KILLS)
def test_a_watcher_that_is_killed_again_and_again_keeps_a_whole_sidecar_that_is_never_ahead(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    rng = random.Random(17)
    writer = python(OBEDIENT, path)
    told(writer, "write", 1)
    total = done(writer)
    reached = 0
    for _ in range(max(2, KILLS // 6)):
        watcher = python("from trajscope.cli.app import main; main()", "watch", path, "--sidecar", "--plain")
        until(lambda: held(path) == path.stat().st_size, watcher, path)
        stop = time.monotonic() + 0.2 + rng.random() / 2
        while time.monotonic() < stop:
            told(writer, "write", rng.randrange(5, 30))
            total = done(writer)
            assert held(path) >= reached  # never behind what it knew, either
            reached = held(path)
        killed(watcher)
        reached = held(path)
    writer.communicate()
    last = python("from trajscope.cli.app import main; main()", "watch", path, "--sidecar", "--once", "--plain")
    assert last.communicate()[1] == ""
    assert held(path) == path.stat().st_size
    side = json.loads(watermark.sidecar(path).read_bytes())
    assert (side["trials"], side["series"]["seq"]) == (total, trials(path)[0])
    assert not list(tmp_path.glob(".run.coverage*"))
