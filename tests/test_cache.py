"""The cache: named by everything that matters, believed only when whole, never in the way."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from law_strategies import BASE, MENU_JSON, linked, menu

from trajscope import analysis, cache, pipeline
from trajscope.errors import SourceError
from trajscope.menu import parse
from trajscope.readers import Source

LINES: list[dict[str, Any] | bytes] = [
    {"type": "run", "run_id": "r", "metric": {"name": "loss", "goal": "minimize"}, "menu": MENU_JSON,
     "base": {"config": BASE}},
    {"type": "measure", "what": "baseline", "value": 1.0},
    *({"type": "trial", "iter": i, "status": "reverted", "value": 1.0 + i % 3 / 10, "cost": {"wall_s": 0.1 * i},
       "attempts": [{"changes": [{"knob": "a", "value": i % 2 + 2}]}]} for i in range(1, 13)),
]  # fmt: skip


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Source:
    """A file that is worth caching, and a cache folder of its own."""
    monkeypatch.setattr(cache, "WORTH", 0)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    path = tmp_path / "run.jsonl"
    path.write_bytes(linked(LINES))
    return Source(str(path))


def plain(source: Source) -> list[dict[str, Any]]:
    """What a read says that no cache has touched."""
    return analysis.of_file(source, cached=False)


def cached() -> list[Path]:
    return sorted(cache.folder().glob("*")) if cache.folder().is_dir() else []


def test_a_file_is_read_once(run: Source, monkeypatch: pytest.MonkeyPatch) -> None:
    first = analysis.of_file(run)
    assert [p.suffix for p in cached()] == [".parquet", ".run"]
    monkeypatch.setattr(pipeline, "read", None)
    assert analysis.of_file(run) == first


def test_whoever_wants_no_cache_gets_none(run: Source) -> None:
    assert plain(run)
    assert cached() == []


def test_a_small_file_is_not_worth_caching(run: Source, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache, "WORTH", 1 << 20)
    analysis.of_file(run)
    assert cached() == []


@pytest.mark.parametrize("change", ["longer", "same size", "touched", "metric", "goal", "history", "menu", "inferred",
                                    "reader", "version", "name"])  # fmt: skip
def test_whatever_changes_the_answer_changes_the_key(
    run: Source, change: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    path = Path(run.path)
    before = cache.key(run, None)
    assert before == cache.key(Source(run.path), None), "the same question, the same key"
    stat = path.stat()
    other, reader = run, None
    if change == "longer":
        path.write_bytes(path.read_bytes() + b"\n")
        os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    elif change == "same size":
        path.write_bytes(path.read_bytes().replace(b"reverted", b"rejected"))
        os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    elif change == "touched":
        os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns + 1))
    elif change == "version":
        monkeypatch.setattr(cache, "DERIVED_VERSION", -1)
    elif change == "name":
        other = Source(str(tmp_path / "copy.jsonl"))
        Path(other.path).write_bytes(path.read_bytes())
        os.utime(other.path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    elif change == "reader":
        reader = "native"
    elif change == "inferred":
        guessed, declared = menu(), menu()
        object.__setattr__(guessed, "declared", False)
        assert cache.key(Source(run.path, menu=guessed), None) != cache.key(Source(run.path, menu=declared), None)
        return
    else:
        said: dict[str, Any] = {
            "metric": "acc",
            "goal": "maximize",
            "history": 5,
            "menu": parse({"a": {"choices": [1]}}),
        }
        other = Source(run.path, **{change: said[change]})
    assert cache.key(other, reader) != before


def test_a_changed_knob_of_a_menu_changes_the_key(run: Source) -> None:
    wide, narrow = (parse({"a": {"type": "int", "range": [0, hi]}}) for hi in (10, 9))
    assert cache.key(Source(run.path, menu=wide), None) != cache.key(Source(run.path, menu=narrow), None)


def test_what_is_no_file_has_no_key(tmp_path: Path) -> None:
    assert cache.key(Source(str(tmp_path)), None) is None
    assert cache.key(Source(str(tmp_path / "missing")), None) is None


DAMAGES: dict[str, Callable[[Path, Path], object]] = {
    "rows cut short": lambda rows, run: rows.write_bytes(rows.read_bytes()[:-10]),
    "rows of garbage": lambda rows, run: rows.write_bytes(b"x" * rows.stat().st_size),
    "rows empty": lambda rows, run: rows.write_bytes(b""),
    "rows gone": lambda rows, run: rows.unlink(),
    "snapshot cut short": lambda rows, run: run.write_bytes(run.read_bytes()[:-1]),
    "snapshot of one byte": lambda rows, run: run.write_bytes(b"\x93"),
    "snapshot empty": lambda rows, run: run.write_bytes(b""),
    "snapshot gone": lambda rows, run: run.unlink(),
    "snapshot with a flipped bit": lambda rows, run: run.write_bytes(
        run.read_bytes()[:200] + bytes([run.read_bytes()[200] ^ 1]) + run.read_bytes()[201:]
    ),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_cache_is_never_believed(run: Source, damage: str) -> None:
    want = analysis.of_file(run)
    rows, snapshot = cached()
    DAMAGES[damage](rows, snapshot)
    assert analysis.of_file(run) == want
    assert cache.load(rows.stem) is not None, "and the whole one took its place"


def test_rows_of_another_run_are_never_believed(run: Source, tmp_path: Path) -> None:
    want = analysis.of_file(run)
    rows, snapshot = cached()
    other = tmp_path / "other.jsonl"
    other.write_bytes(linked(LINES[:5]))
    analysis.of_file(Source(str(other)))
    foreign = next(p for p in cached() if p.suffix == ".parquet" and p != rows)
    state = snapshot.read_bytes()[cache.SEAL :]
    rows.write_bytes(foreign.read_bytes())
    snapshot.write_bytes(cache._seal(state, rows) + state)  # as if it had been sealed with them
    assert analysis.of_file(run) == want


@pytest.mark.parametrize("what", ["version", "shape"])
def test_a_snapshot_of_another_version_is_read_again(run: Source, what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    want = analysis.of_file(run)
    rows, snapshot = cached()
    if what == "version":  # two versions that share a key by accident
        monkeypatch.setattr("trajscope.run.DERIVED_VERSION", -1)
    else:
        body = b"\x94\x01\x80\x80\x90"  # a tally without anything, and no arrays
        snapshot.write_bytes(cache._seal(body, rows) + body)
    assert analysis.of_file(run) == want


def test_a_folder_that_cannot_be_written_costs_nothing(
    run: Source, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    assert analysis.of_file(run) == plain(run)


def test_a_disk_that_fills_up_costs_nothing(run: Source, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    # DuckDB's own error where its COPY fails, which is no OSError: the folder for it is a file.
    class Full:
        """A folder that is gone when DuckDB writes to it."""

        def __init__(self, dir: object) -> None: ...

        def __enter__(self) -> str:
            return str(tmp_path / "nowhere")

        def __exit__(self, *_: object) -> None: ...

    monkeypatch.setattr("tempfile.TemporaryDirectory", Full)
    assert analysis.of_file(run) == plain(run)
    assert cached() == []


def test_a_number_that_no_snapshot_can_hold_costs_nothing(run: Source) -> None:
    path = Path(run.path)
    huge = path.read_bytes().replace(b'"value":2}', b'"value":' + b"9" * 40 + b"}")
    path.write_bytes(huge)
    assert analysis.of_file(run) == plain(run)


def test_a_file_of_several_runs_is_read_every_time(run: Source, tmp_path: Path) -> None:
    head = {"_meta": "m", "baseline_val_bpb": 1.0, "baseline_cfg": {"a": 1}}
    row = {
        "stage": "evaluated",
        "iter": 1,
        "proposal": {"knob": "a", "new_value": 2},
        "val_bpb": 0.9,
        "decision": "keep",
    }
    path = tmp_path / "stages.jsonl"
    path.write_text("".join(json.dumps(x) + "\n" for x in (head, row, head, row, row)))
    docs = analysis.of_file(Source(str(path)))
    assert [d["trials"] for d in docs] == [1, 2]
    assert docs == analysis.of_file(Source(str(path)))
    assert cached() == []


def test_a_header_after_a_megabyte_of_garbage_is_found_again(run: Source) -> None:
    path = Path(run.path)
    path.write_bytes(b'{"type":"run"\n' * 90_000 + path.read_bytes())
    first = analysis.of_file(run, "native")
    assert first[0]["lines"]["unreadable"] >= 90_000
    assert analysis.of_file(run, "native") == first


def test_a_file_that_became_unreadable_says_so(run: Source) -> None:
    analysis.of_file(run)
    Path(run.path).write_bytes(b"\x00" * 10)
    with pytest.raises(SourceError):
        analysis.of_file(run)


PROGRAM = """
import json, sys
from trajscope import analysis, cache
from trajscope.readers import Source
cache.WORTH = 0
print(json.dumps(analysis.of_file(Source(sys.argv[1]), quick=True)))
"""


def test_two_processes_at_once_agree(run: Source) -> None:
    command = [sys.executable, "-c", PROGRAM, run.path]
    both = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env={**os.environ}) for _ in range(2)]
    said = [json.loads(p.communicate()[0]) for p in both]
    assert said[0] == said[1] == analysis.of_file(run, quick=True)
    assert [p.suffix for p in cached()] == [".parquet", ".run"], "nothing half-written is left behind"
