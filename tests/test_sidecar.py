"""The sidecar: the numbers of the run as it stands, never ahead of the file, and evidence where the file was cut."""

from __future__ import annotations

import fcntl
import json
import shutil
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from clirun import AMNESIAC, Cli

import trajscope
from trajscope import analysis, menu, sidecar, watermark
from trajscope.chain import link
from trajscope.live import Live
from trajscope.readers import Source
from trajscope.sidecar import Sidecar

MENU = menu.load(AMNESIAC.with_name("amnesiac.menu.json"))


class Clock:
    """A time that only moves when it is told to."""

    def __init__(self) -> None:
        self.now = datetime(2026, 1, 1, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now


def grown(
    path: Path,
    lines: list[bytes],
    clock: Clock,
    *,
    every_s: float = 1.0,
    effort_s: Callable[[], float] = lambda: 0.0,
) -> tuple[Live, Sidecar, list[dict[str, Any]]]:
    """A file that grows line by line, with what its sidecar held each time it was written."""
    side = Sidecar(path, clock, effort_s)
    live = Live(Source(str(path), menu=MENU), sink=side.take)
    held = []
    for line in lines:
        with path.open("ab") as f:
            f.write(line)
        live.step()
        clock.now += timedelta(seconds=every_s)
        if side.write(live):
            held.append(json.loads(side.path.read_bytes()))
    return live, side, held


@pytest.fixture
def lines() -> list[bytes]:
    return AMNESIAC.read_bytes().splitlines(keepends=True)


def test_it_says_what_the_analysis_of_the_file_says(tmp_path: Path, lines: list[bytes]) -> None:
    path = tmp_path / "run.jsonl"
    path.touch()
    _, side, held = grown(path, lines, Clock())
    assert side.path == tmp_path / "run.coverage.json"
    [doc] = analysis.of_file(Source(str(path), menu=MENU))
    last = held[-1]
    assert last["knob_coverage"] == pytest.approx(6 / 13)
    assert last["pair_repeat_rate"] == pytest.approx(36 / 50)
    assert last["plateau_length"] == 46
    assert last["mode_dominance"] == pytest.approx(10 / 50)
    assert last["verdict"] == doc["verdict"]
    assert last["windows"] == doc["pairs"]["windows"]
    assert last["cost"]["repeat_wall_s"] == doc["cost"]["repeat_wall_s"]
    series = last["series"]
    assert [len(series[name]) for name in series if name != "stride"] == [50] * 5
    for name in sidecar.HEADLINES:
        assert series[name][-1] == pytest.approx(last[name])


def test_every_one_of_a_run_is_of_its_schema(tmp_path: Path, lines: list[bytes]) -> None:
    _, _, held = grown(tmp_path / "run.jsonl", lines, Clock())
    asked = jsonschema.Draft202012Validator({**sidecar.schema(), "additionalProperties": False})
    assert len(held) == len(lines)
    for doc in held:
        asked.validate(doc)


def test_each_point_of_the_series_is_what_was_said_then(tmp_path: Path, lines: list[bytes]) -> None:
    path = tmp_path / "run.jsonl"
    path.touch()
    _, _, held = grown(path, lines, Clock())
    by_seq = {h["series"]["seq"][-1]: h for h in held if h["series"]["seq"]}
    series = held[-1]["series"]
    for i, seq in enumerate(series["seq"]):
        for name in sidecar.HEADLINES:
            assert series[name][i] == pytest.approx(by_seq[seq][name]), (seq, name)


def test_it_is_never_ahead_of_the_file_and_its_mark_holds(tmp_path: Path, lines: list[bytes]) -> None:
    path = tmp_path / "run.jsonl"
    path.touch()
    pieces = [line[i : i + 100] for line in lines for i in range(0, len(line), 100)]  # torn again and again
    _, _, held = grown(path, pieces, Clock())
    whole = path.read_bytes()
    for h in held:
        assert h["offset"] <= len(whole)
        assert whole[: h["offset"]].endswith(b"\n")
        assert link(whole[: h["offset"]].splitlines()[h["seq"]]) == h["line"]
    assert watermark.read(path) == watermark.Mark(held[-1]["seq"], len(whole), link(lines[-1]))


def test_it_is_written_at_most_so_often_and_always_after_the_last(tmp_path: Path, lines: list[bytes]) -> None:
    path = tmp_path / "run.jsonl"
    path.touch()
    live, side, held = grown(path, lines, Clock(), every_s=0.05)
    assert len(held) < len(lines) / 3
    side.write(live, last=True)
    assert json.loads(side.path.read_bytes())["seq"] == len(lines) - 1
    assert not side.write(live, last=True)  # nothing is new


def test_a_run_whose_numbers_take_long_is_written_less_often(tmp_path: Path, lines: list[bytes]) -> None:
    ticks = iter(range(10_000))
    path = tmp_path / "run.jsonl"
    path.touch()
    # Each writing takes a sixteenth of a second, and 20 / 16 are 1.25: of a line each second, every second one.
    _, _, held = grown(path, lines, Clock(), effort_s=lambda: next(ticks) / 16)
    assert len(held) == pytest.approx(len(lines) / 2, abs=1)


def test_a_file_that_is_cut_keeps_the_sidecar_that_shows_it(tmp_path: Path, lines: list[bytes]) -> None:
    path = tmp_path / "run.jsonl"
    path.touch()
    live, side, _ = grown(path, lines, Clock())
    before = side.path.read_bytes()
    path.write_bytes(b"".join(lines[:20]))
    live.step()
    assert not side.write(live, last=True)
    assert "was cut off or replaced" in str(side.fault)
    assert side.path.read_bytes() == before
    again = Sidecar(path)
    assert "it was cut off" in str(again.fault)


def test_a_sidecar_of_another_file_is_not_written_over(tmp_path: Path, lines: list[bytes]) -> None:
    path = tmp_path / "run.jsonl"
    path.touch()
    _, side, _ = grown(path, lines, Clock())
    path.write_bytes(b"".join(lines).replace(b"reverted", b"Reverted").replace(b"revert", b"Revert"))
    assert "is not the one that its sidecar saw" in str(Sidecar(path).fault)
    side.path.write_text("{}")
    assert Sidecar(path).fault is not None


def test_a_run_that_is_taken_up_again_goes_on_with_its_sidecar(tmp_path: Path, lines: list[bytes]) -> None:
    path = tmp_path / "run.jsonl"
    path.touch()
    grown(path, lines[:30], Clock())
    side = Sidecar(path, Clock())
    assert side.fault is None
    live = Live(Source(str(path), menu=MENU), sink=side.take)
    live.step()
    with path.open("ab") as f:
        f.write(b"".join(lines[30:]))
    live.step()
    assert side.write(live)
    assert len(json.loads(side.path.read_bytes())["series"]["seq"]) == 50


def test_a_long_run_is_thinned_and_says_so(tmp_path: Path, lines: list[bytes], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sidecar, "WHOLE", 20)
    path = tmp_path / "run.jsonl"
    path.touch()
    _, _, held = grown(path, lines, Clock())
    series = held[-1]["series"]
    assert series["stride"] == 4
    steps = {b - a for a, b in zip(series["seq"], series["seq"][1:], strict=False)}
    assert steps == {4}
    assert 10 <= len(series["seq"]) <= 20


def test_nothing_is_left_where_it_cannot_be_written(tmp_path: Path, lines: list[bytes]) -> None:
    path = tmp_path / "run.jsonl"
    shutil.copy(AMNESIAC, path)
    side = Sidecar(path)
    live = Live(Source(str(path), menu=MENU), sink=side.take)
    live.step()
    side.path.mkdir()
    with pytest.raises(OSError, match=r"run\.coverage\.json"):
        side.write(live, last=True)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["run.coverage.json", "run.jsonl"]
    assert lines


def test_a_recorder_keeps_its_own_sidecar(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    with trajscope.open_run(path, metric="loss", fsync=False) as run:
        for i in range(12):
            run.trial({"lr": i % 3}, value=1.0, kept=False)
    held = json.loads((tmp_path / "run.coverage.json").read_bytes())
    assert held["pair_repeat_rate"] == pytest.approx(9 / 12)
    assert held["seq"] == 13  # the header before, the end after
    assert watermark.read(path) == watermark.Mark(13, path.stat().st_size, link(path.read_bytes().splitlines()[-1]))
    with trajscope.open_run(path, metric="loss", fsync=False, resume=True) as run:
        run.trial({"lr": 9}, value=1.0, kept=False)
    assert json.loads((tmp_path / "run.coverage.json").read_bytes())["series"]["seq"][-1] == 15


def test_a_recorder_may_go_without_one(tmp_path: Path) -> None:
    with trajscope.open_run(tmp_path / "run.jsonl", metric="loss", sidecar=False) as run:
        run.trial({"lr": 1}, value=1.0, kept=False)
    assert not (tmp_path / "run.coverage.json").exists()


def test_a_sidecar_that_cannot_be_written_loses_no_trial(tmp_path: Path) -> None:
    run = trajscope.open_run(tmp_path / "run.jsonl", metric="loss")
    (tmp_path / "run.coverage.json").unlink(missing_ok=True)
    (tmp_path / "run.coverage.json").mkdir()
    run.trial({"lr": 1}, value=1.0, kept=False)
    with pytest.warns(RuntimeWarning, match="the run goes on without it"):
        run.close()
    assert trajscope.analyze(tmp_path / "run.jsonl")[0]["trials"] == 1


def test_a_recorder_does_not_go_on_with_a_file_that_is_behind_its_sidecar(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    with trajscope.open_run(path, metric="loss", fsync=False) as run:
        for i in range(5):
            run.trial({"lr": i}, value=1.0, kept=False)
    cut = b"".join(path.read_bytes().splitlines(keepends=True)[:3])  # the chain of what is left holds
    path.write_bytes(cut)
    with pytest.raises(trajscope.TrajscopeError, match="it was cut off"):
        trajscope.open_run(path, metric="loss", resume=True)
    assert path.read_bytes() == cut


def test_watching_keeps_a_sidecar_for_a_stranger(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    shutil.copy(AMNESIAC, path)
    done = Cli(tmp_path)("watch", path, "--once", "--sidecar")
    assert done.returncode == 0, done.stderr
    assert json.loads((tmp_path / "run.coverage.json").read_bytes())["pair_repeat_rate"] == pytest.approx(0.72)
    path.write_bytes(path.read_bytes()[:5000])
    (tmp_path / "again").mkdir()
    done = Cli(tmp_path / "again")("watch", path, "--once", "--sidecar")
    assert "no sidecar is kept" in done.stderr


def test_what_a_killed_writer_left_is_cleared_away_and_nothing_else(tmp_path: Path, lines: list[bytes]) -> None:
    path = tmp_path / "run.jsonl"
    path.write_bytes(b"".join(lines))
    left, held, linked = (tmp_path / f".run.coverage.json.{x}" for x in ("0123abcd", "11111111", "22222222"))
    others = [".run.coverage.json.bak", ".run.coverage.json.0123abcde", ".run2.coverage.json.0123abcd", "run.json"]
    for name in others:
        (tmp_path / name).write_text("{")
    linked.symlink_to(tmp_path / "run.json")
    left.write_text("{")
    with held.open("wb") as f:
        fcntl.flock(f, fcntl.LOCK_EX)  # somebody writes it just now
        Sidecar(path)
        assert held.exists()
    assert not left.exists()
    assert {p.name for p in tmp_path.iterdir()} == {path.name, held.name, linked.name, *others}


def test_a_file_that_is_taken_for_a_leaving_is_written_again(
    tmp_path: Path, lines: list[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "run.jsonl"
    path.touch()
    live, side, _ = grown(path, lines[:3], Clock())
    with path.open("ab") as f:
        f.write(lines[3])
    live.step()
    real, taken = Path.replace, [0, 0]

    def replace(self: Path, target: Path) -> Path:
        if taken:
            taken.pop()
            self.unlink()  # by somebody who clears away, twice
        return real(self, target)

    monkeypatch.setattr(Path, "replace", replace)
    assert side.write(live, last=True)
    assert not taken
    assert json.loads(side.path.read_bytes())["seq"] == 3
    taken += [0] * sidecar.TRIES
    with path.open("ab") as f:
        f.write(lines[4])
    live.step()
    with pytest.raises(FileNotFoundError, match="again and again"):
        side.write(live, last=True)


def test_whoever_reads_it_while_it_is_replaced_reads_the_old_one_whole(tmp_path: Path, lines: list[bytes]) -> None:
    path = tmp_path / "run.jsonl"
    path.touch()
    live, side, held = grown(path, lines[:3], Clock())
    with side.path.open("rb") as f:
        begun = f.read(10)
        with path.open("ab") as more:
            more.write(lines[3])
        live.step()
        assert side.write(live, last=True)
        assert json.loads(begun + f.read()) == held[-1]
    assert json.loads(side.path.read_bytes())["seq"] == 3
