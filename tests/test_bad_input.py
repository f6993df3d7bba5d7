"""Every bad file is one line with place and remedy, or a counted, located row: never a traceback, never a wrong number.

Faults planted here: the files themselves. That the checks would see a loss is shown in test_fuzz.py (`Dropping`), and
that the memory bound would see one by `test_the_memory_bound_sees_a_file_that_is_held_whole`.
"""

from __future__ import annotations

import bz2
import gzip
import json
import lzma
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from trajscope import menu as menus
from trajscope import pipeline
from trajscope.analysis import analyze
from trajscope.errors import MenuError, SourceError, TrajscopeError
from trajscope.metrics import METRICS
from trajscope.readers import Source
from trajscope.run import Run
from trajscope.testing import chained, samples

ROOT = Path(__file__).resolve().parents[1]
NATIVE = samples()["native"]
HEADER: dict[str, Any] = {"type": "run", "run_id": "r", "metric": {"name": "loss", "goal": "minimize"}}


def trial(**fields: Any) -> dict[str, Any]:
    return {"type": "trial", "status": "reverted", "attempts": [{"knob": "lr", "value": 1}], "value": 0.5, **fields}


@pytest.fixture
def put(tmp_path: Path) -> Callable[[bytes], Path]:
    """Write bytes to a file of their own."""

    def write(data: bytes) -> Path:
        path = tmp_path / "run.jsonl"
        path.write_bytes(data)
        return path

    return write


def run_of(path: Path, reader: str | None = None, **said: Any) -> Run:
    """The only run of a file."""
    (run,) = pipeline.read(Source(str(path), **said), reader, METRICS).runs
    return run


def doc_of(path: Path, reader: str | None = None, **said: Any) -> dict[str, Any]:
    """The document of its only run."""
    return analyze(run_of(path, reader, **said), file=str(path), format="x", quick=True)


def refused(act: Callable[[], object]) -> str:
    """The one line that it raises."""
    with pytest.raises(TrajscopeError) as e:
        act()
    assert "\n" not in str(e.value)
    return str(e.value)


# --- files that are no trajectory --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "is empty; there is nothing to read yet"),
        (b"\n\r\n\n", "is in no format that a reader knows; name one with --reader (have: native, stages, "),
        (bytes(range(256)) * 10, "is binary, not text; name one with --reader (have: native, stages, "),
        (NATIVE.decode().encode("utf-16"), "is binary, not text"),
        (b"[" * 100_000, "is in no format that a reader knows"),
        (b'{"type": "run", "v": ' * 50_000, "is in no format that a reader knows"),
        (b"who,where\nan,there\n", "is in no format that a reader knows"),
        (b'{"a": 1}\n' * 5, "is in no format that a reader knows"),
        (NATIVE.replace(b"\n", b"\r"), "none of its 1 lines could be read as native; line 1: not JSON: Extra data"),
    ],
)
def test_what_is_no_trajectory_is_refused(data: bytes, said: str, put: Callable[[bytes], Path]) -> None:
    path = put(data)
    assert said in refused(lambda: run_of(path))


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"\n\r\n", "none of its 0 lines could be read as native"),
        (b"junk\n[1]\n", "none of its 2 lines could be read as native; line 1: not JSON: "),
        (b"\n\n[" + b"[" * 100_000, "none of its 1 lines could be read as native; line 3: not JSON: nested too deeply"),
    ],
)
def test_a_reader_that_was_named_and_finds_nothing_says_why(
    data: bytes, said: str, put: Callable[[bytes], Path]
) -> None:
    path = put(data)
    assert said in refused(lambda: run_of(path, "native"))


def test_a_folder_and_a_device_are_refused(tmp_path: Path) -> None:
    assert "is a folder; use `trajscope fleet" in refused(lambda: run_of(tmp_path))
    assert "is a device or socket" in refused(lambda: run_of(Path("/dev/zero")))
    assert "No such file" in refused(lambda: run_of(tmp_path / "none.jsonl"))


# --- lines that hold no record -----------------------------------------------------------------------------------

JUNK = {
    "binary": b"\x00\x01\xfe\xff",
    "a nesting bomb": b"[" * 100_000,
    "objects without end": b'{"type":' * 50_000,
    "a NUL byte in a record": b'{"type":"trial","status":"kept\x00"}',
    "an array": b"[1, 2]",
    "no type": b'{"iter": 1}',
    "a version to come": b'{"v": 99, "type": "trial"}',
    "a second header": json.dumps({"v": 1, **HEADER}).encode(),
    "a number over 4,300 digits": b'{"type": "event", "x": ' + b"9" * 5000 + b"}",
}


@pytest.mark.parametrize("junk", JUNK.values(), ids=JUNK.keys())
def test_a_line_that_holds_no_record_is_counted_and_located(junk: bytes, put: Callable[[bytes], Path]) -> None:
    lines = NATIVE.splitlines(keepends=True)
    doc = doc_of(put(b"".join([*lines[:3], junk + b"\n", *lines[3:]])))
    assert doc["lines"] == {"total": 7, "unreadable": 1, "torn": 0}
    assert doc["trials"] == 2
    said = next(v for v in doc["verdicts"] if v["rule"] == "record")
    assert said["level"] == "WARN"
    assert 3 in said["evidence"]


def test_invalid_letters_are_replaced_and_the_record_is_kept(put: Callable[[bytes], Path]) -> None:
    run = run_of(
        put(chained([HEADER]) + b'{"v":1,"type":"trial","status":"kept\xff","attempts":[{"knob":"k\xff","value":1}]}')
    )
    assert list(run.tally.pairs) == ["k\ufffd=1"]
    assert run.tally.faults == [(1, "status 'kept\ufffd' is unknown")]


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\n\n", b"\r\n\n"], ids=repr)
def test_line_ends_and_marks_change_nothing_but_the_chain(end: bytes, put: Callable[[bytes], Path]) -> None:
    plain = doc_of(put(NATIVE))
    mixed = NATIVE.split(b"\n")
    doc = doc_of(
        put(b"\xef\xbb\xbf" + b"".join(line + (end if i % 2 else b"\n") for i, line in enumerate(mixed) if line))
    )
    for key in ("trials", "evaluated", "status", "metric", "baseline", "diversity", "dominance", "lines"):
        assert doc[key] == plain[key], key
    assert doc["best"]["value"] == plain["best"]["value"]


@pytest.mark.skipif(sys.platform == "win32", reason="measures with resource")
@pytest.mark.parametrize("tail", ["\\n", ""], ids=["whole", "torn"])
def test_a_line_of_100_mb_is_counted_and_not_kept(tail: str, tmp_path: Path) -> None:
    grown, doc = _grown(tmp_path, tail, "pipeline.read(Source(path), metrics=METRICS).runs[0]")
    assert doc == {"total": 8 if tail else 7, "unreadable": 1 if tail else 0, "torn": 0 if tail else 1}
    assert grown < 120e6


def test_the_memory_bound_sees_a_file_that_is_held_whole(tmp_path: Path) -> None:
    held = "(open(path, 'rb').read().split(b'\\n'), pipeline.read(Source(path), metrics=METRICS).runs[0])[1]"
    grown, _ = _grown(tmp_path, "\\n", held)
    assert grown > 120e6


def _grown(folder: Path, tail: str, read: str) -> tuple[float, dict[str, int]]:
    """Bytes by which a process grew while it read a file with one line of 100 MB, and what it counted."""
    path = folder / "long.jsonl"
    with path.open("wb") as f:
        f.write(NATIVE)
        f.write(b'{"type":"trial","x":"')
        for _ in range(100):
            f.write(b"x" * 1_000_000)
        f.write(b'"}' + (b"\n" + chained([trial()]) if tail else b""))
    code = f"""
import json, re, resource, sys
from pathlib import Path
from trajscope import pipeline
from trajscope.analysis import analyze
from trajscope.metrics import METRICS
from trajscope.readers import Source
import trajscope.readers.native
path = sys.argv[1]
def peak():
    # On Linux ru_maxrss begins at what the parent had when it forked; the high water mark of this image does not.
    status = Path("/proc/self/status")
    if status.exists():
        return int(re.search(r"VmHWM:\\s+(\\d+) kB", status.read_text())[1]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
before = peak()
run = {read}
print(json.dumps([peak() - before, analyze(run, file="", format="", quick=True)["lines"]]))
"""
    ran = subprocess.run(
        [sys.executable, "-c", code, str(path)], cwd=ROOT, capture_output=True, text=True, check=False, timeout=50
    )
    path.unlink()
    assert ran.returncode == 0, ran.stderr
    grown, lines = json.loads(ran.stdout)
    return grown, lines


# --- order, headers, chains --------------------------------------------------------------------------------------


def test_iters_that_repeat_or_go_back_are_labels_and_are_shown(put: Callable[[bytes], Path]) -> None:
    run = run_of(put(chained([HEADER, *(trial(iter=i) for i in (1, 2, 2, 5, 3))])))
    assert run.tally.trials == 5
    assert run.evidence("iter_order").seqs == [3, 5]


def test_a_missing_header_leaves_the_metric_unknown_and_says_so(put: Callable[[bytes], Path]) -> None:
    doc = doc_of(put(chained([trial(), trial()])))
    assert doc["metric"] == {"name": None, "goal": None}
    assert doc["unknown"]["metric.name"] == "the file names no metric; give --metric"
    assert doc["unknown"]["best.value"]
    assert doc["trials"] == 2
    said = next(v for v in doc["verdicts"] if v["rule"] == "record")
    assert 0 in said["evidence"]


def test_a_second_header_never_changes_what_the_first_said(put: Callable[[bytes], Path]) -> None:
    other = {**HEADER, "run_id": "other", "metric": {"name": "acc", "goal": "maximize"}}
    doc = doc_of(put(chained([HEADER, trial(), other, trial()])))
    assert (doc["run_id"], doc["metric"]["name"], doc["trials"], doc["lines"]["unreadable"]) == ("r", "loss", 2, 1)


def test_a_line_that_was_edited_breaks_the_chain_at_the_line_after_it(put: Callable[[bytes], Path]) -> None:
    run = run_of(put(NATIVE.replace(b'"value":1.1', b'"value":0.1')))
    assert [seq for seq, _ in run.tally.breaks] == [4]
    doc = doc_of(put(NATIVE.replace(b'"value":1.1', b'"value":0.1')))
    assert doc["verdict"]["word"] == "TAMPERED"


@pytest.mark.parametrize("gone", [1, 3])
def test_a_line_that_was_taken_out_breaks_the_chain(gone: int, put: Callable[[bytes], Path]) -> None:
    lines = NATIVE.splitlines(keepends=True)
    run = run_of(put(b"".join([*lines[:gone], *lines[gone + 1 :]])))
    assert [seq for seq, _ in run.tally.breaks] == [gone]


def test_a_chain_that_stops_half_way_is_a_break(put: Callable[[bytes], Path]) -> None:
    bare = json.dumps({"v": 1, **trial()}).encode() + b"\n"
    assert [seq for seq, _ in run_of(put(NATIVE + bare)).tally.breaks] == [6]


@pytest.mark.parametrize("keep", [1, 20, 100])
def test_a_torn_tail_is_counted_apart_and_costs_nothing_else(keep: int, put: Callable[[bytes], Path]) -> None:
    more = chained([trial()])
    doc = doc_of(put(NATIVE + more[:keep]))
    assert doc["lines"] == {"total": 7, "unreadable": 0, "torn": 1}
    assert doc["trials"] == 2


def test_a_last_line_that_only_lacks_its_newline_is_read(put: Callable[[bytes], Path]) -> None:
    assert doc_of(put(NATIVE[:-1])) == doc_of(put(NATIVE))


def test_a_file_that_grows_between_reads_only_gains(put: Callable[[bytes], Path]) -> None:
    lines = NATIVE.splitlines(keepends=True)
    before: list[Any] = []
    for n in range(1, len(lines) + 1):
        for cut in (len(lines[n - 1]) // 2, len(lines[n - 1])):
            run = (
                run_of(put(b"".join(lines[: n - 1]) + lines[n - 1][:cut]), "native")
                if n > 1 or cut == len(lines[0])
                else None
            )
            now = list(run.scores.scores) if run else []
            assert now[: len(before)] == before
            before = now
    assert len(before) == 2


# --- menus and metrics -------------------------------------------------------------------------------------------


def test_a_knob_outside_the_menu_is_proposed_ground_and_never_coverage(put: Callable[[bytes], Path]) -> None:
    menu = menus.parse({"lr": {"range": [0.0, 1.0]}, "depth": {"choices": [1, 2]}})
    odd = [
        {"knob": "LR", "value": 0.5},
        {"knob": "depth", "value": 9},
        {"knob": "depth", "value": True},
        {"knob": "lr", "value": 0.5},
    ]
    doc = doc_of(put(chained([HEADER, *(trial(attempts=[a]) for a in odd)])), menu=menu)
    assert doc["coverage"]["outside"] == [1, 2, 3]
    assert doc["coverage"]["knobs_total"] == 2
    assert doc["coverage"]["cells"]["touched"] == 1
    assert doc["coverage"]["fraction"] <= 1.0
    assert doc["coverage"]["by_knob"]["LR"]["in_menu"] is False


def test_a_menu_in_the_header_that_contradicts_itself_is_a_row_and_no_smaller_menu(
    put: Callable[[bytes], Path],
) -> None:
    menu = {"knobs": {"lr": {"range": [0.0, 1.0]}, "depth": {"choices": []}}}
    run = run_of(put(chained([{**HEADER, "menu": menu}, trial()])))
    assert run.tally.unread == [(0, "menu: knob depth: choices must be a list of at least one value")]
    doc = analyze(run, file="x", format="native", quick=True)
    assert doc["coverage"]["knobs_total"] is None
    assert doc["unknown"]["coverage.knobs_total"].startswith("no menu is known; give one with --menu")
    assert doc["metric"]["name"] == "loss"


def test_a_menu_of_the_user_that_contradicts_itself_stops_before_anything_is_read(tmp_path: Path) -> None:
    path = tmp_path / "m.json"
    path.write_bytes(b'{"lr": {"range": [1, 0]}}')
    with pytest.raises(MenuError, match=r"m\.json: knob lr: range 1 to 0"):
        menus.load(path)


@pytest.mark.parametrize("name", ["native", "stages"])
def test_a_metric_that_is_nowhere_is_never_a_number_and_is_said(name: str, put: Callable[[bytes], Path]) -> None:
    doc = doc_of(put(samples()[name]), metric="lss")
    assert doc["metric"]["name"] == "lss"
    assert doc["best"]["value"] is None
    assert doc["unknown"]["best.value"]
    said = next(v for v in doc["verdicts"] if v["rule"] == "record")
    assert said["level"] == "WARN"
    assert "lss" in said["reason"]


def test_nan_costs_the_value_and_leaves_the_pair(put: Callable[[bytes], Path]) -> None:
    run = run_of(put(chained([HEADER, trial(value=float("nan")), trial(value=float("inf")), trial(value=1e200)])))
    assert run.evidence("nan").seqs == [1, 2, 3]
    assert run.tally.c == 3
    assert run.tally.best is None


def test_a_mistyped_field_is_a_fault_of_its_trial(put: Callable[[bytes], Path]) -> None:
    run = run_of(put(chained([HEADER, trial(value="0.5x"), trial(attempts="lr=1"), trial(iter=[1])])))
    assert [seq for seq, _ in run.tally.faults] == [1, 1, 2, 3]
    assert run.tally.faults[0][1] == 'value is not what it should be: "0.5x"'


# --- other sources -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress, lzma.compress])
def test_a_compressed_run_reads_like_a_plain_one(pack: Callable[[bytes], bytes], put: Callable[[bytes], Path]) -> None:
    plain = doc_of(put(NATIVE))
    assert doc_of(put(pack(NATIVE))) == plain


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress, lzma.compress])
def test_a_damaged_compressed_run_is_refused(pack: Callable[[bytes], bytes], put: Callable[[bytes], Path]) -> None:
    packed = pack(NATIVE)
    path = put(packed[:-20])
    assert str(path) in refused(lambda: run_of(path))
    path = put(packed[:20] + bytes(len(packed) - 20))
    assert str(path) in refused(lambda: run_of(path))


def test_a_pipe_is_read_like_a_file(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    os.mkfifo(path)
    writer = threading.Thread(target=path.write_bytes, args=(NATIVE,))
    writer.start()
    doc = doc_of(path)
    writer.join()
    assert doc["trials"] == 2


def test_errors_are_one_family(tmp_path: Path) -> None:
    with pytest.raises(SourceError):
        run_of(tmp_path)
    assert issubclass(SourceError, TrajscopeError)
    assert issubclass(MenuError, TrajscopeError)
