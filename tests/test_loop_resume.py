"""Laws of taking a campaign up: killed at any instruction that leaves a trace, it ends as it would have ended unkilled.

Planted and seen to fail: the state written after the run line instead of before; a journal that is not looked at; the
workspace not restored when a campaign is taken up; a gate that is saved before it has decided.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
from loopfield import CONSTANT, Field, Plain, Scripted, x, y

import trajscope
from trajscope.integrity import constants
from trajscope.writer.append import AppendFile
from trajscope_loop import evaluate, memory
from trajscope_loop import folder as folders
from trajscope_loop.errors import CampaignError
from trajscope_loop.seams import View

SCRIPT = {
    1: (x(5.0),),  # kept, after a confirmation, the incumbent once more and the holdout
    2: (x(5.0), {"knob": "nothing", "value": 1}, y(1)),  # two refusals, then kept
    3: (x(2.0),),  # reverted
}


class Killed(BaseException):
    """The process is gone: nothing of it may clean up."""


def scripted(view: View) -> object:
    """By trial and attempt, so that every life of a campaign is told the same."""
    return SCRIPT[view.turn // 100][view.turn % 100]


class Reaper:
    """Counts what leaves a trace, and ends the process at one of them: just before it, or just after."""

    def __init__(self) -> None:
        self.at = 0
        self.seen = 0

    def wraps(self, fn: Callable[..., Any]) -> Callable[..., Any]:
        def traced(*args: Any, **kwargs: Any) -> Any:
            self.tick()
            found = fn(*args, **kwargs)
            self.tick()
            return found

        return traced

    def tick(self) -> None:
        self.seen += 1
        if self.seen == self.at:
            raise Killed


@pytest.fixture
def reaper(monkeypatch: pytest.MonkeyPatch) -> Reaper:
    found = Reaper()
    monkeypatch.setattr(os, "fsync", lambda _: None)  # a killed process loses nothing that it has written
    put = found.wraps(memory.put)
    monkeypatch.setattr(memory, "put", put)
    monkeypatch.setattr(evaluate, "put", put)
    monkeypatch.setattr(folders, "put", put)
    monkeypatch.setattr(AppendFile, "append", found.wraps(AppendFile.append))
    for name in ("save", "keep", "restore"):
        monkeypatch.setattr(Plain, name, found.wraps(getattr(Plain, name)))
    monkeypatch.setattr(Scripted, "propose", found.wraps(Scripted.propose))
    return found


@pytest.fixture
def quick(tmp_path: Path) -> Iterator[Path]:
    """A folder in memory where there is one: these tests write thousands of files, and pull no plug."""
    memory_at = Path("/dev/shm")  # noqa: S108  # a folder of our own is made in it
    if not os.access(memory_at, os.W_OK):
        yield tmp_path
        return
    with tempfile.TemporaryDirectory(dir=memory_at) as place:
        yield Path(place)


def life(field: Field) -> None:
    """One life of a campaign, which may be cut off anywhere; locks fall with the process."""
    with folders.held(field.folder):
        campaign = None
        try:
            campaign = field.campaign()
            campaign.go_on()
        except Killed:
            if campaign is not None:
                campaign.run._file.close()
            raise
        campaign.close()


def told(field: Field) -> list[dict[str, Any]]:
    """What a campaign's record says of its trials, without clocks and what hangs on them."""
    gone = ("seq", "prev", "started", "ended", "cost", "verdicts")  # a verdict on a repeat names lines
    bits = {"holdout": lambda v: v["pass"]}  # the commitment is salted
    return [{k: bits.get(k, lambda v: v)(v) for k, v in t.items() if k not in gone} for t in field.trials()]


def field(tmp: Path) -> Field:
    tmp.mkdir()
    return Field(tmp, Scripted(fn=scripted), iterations=3)


def test_killed_anywhere_it_ends_as_if_nobody_had_killed_it(quick: Path, reaper: Reaper) -> None:
    reference = field(quick / "reference")
    life(reference)
    points = reaper.seen
    assert [t["status"] for t in reference.trials()] == ["kept", "kept", "reverted"]
    assert points > 60
    measures = [m["what"] for m in reference.lines("measure")]
    every = int(os.environ.get("LOOP_POINTS_EVERY", "7"))  # 1 by hand: all of them take half a minute of a core
    for at in range(1, points + 1, every):
        reaper.seen, reaper.at = 0, at
        one = field(quick / f"at-{at}")
        with pytest.raises(Killed):
            life(one)
        reaper.at, begun = 0, len(one.executor.started)
        finished = {p.stem for p in one.folder.glob("seeds/*.json")}
        life(one)
        assert not finished & set(one.executor.started[begun:]), at
        assert told(one) == told(reference), at
        assert [m["what"] for m in one.lines("measure")] == measures, at
        assert one.standing() == reference.standing(), at


def test_a_seed_that_is_on_disk_is_never_run_again(tmp_path: Path, reaper: Reaper) -> None:
    one = field(tmp_path / "one")
    kept: list[str] = []
    real = evaluate.Bench._keep

    def keep(self: evaluate.Bench, job: Any, result: Any) -> None:
        real(self, job, result)
        kept.append(job["key"])
        if len(kept) in (3, 9, 14, 18):
            raise Killed

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(evaluate.Bench, "_keep", keep)
        for _ in range(5):
            finished, begun = set(kept), len(one.executor.started)
            with pytest.raises(Killed) if len(kept) < 18 else nullcontext():
                life(one)
            assert not finished & set(one.executor.started[begun:])
    assert len(kept) == len(set(kept)) == 5 + 15 + 15 + 5  # the baseline; two keeps with both second looks; a revert


def test_a_torn_trial_line_is_written_again_once(tmp_path: Path) -> None:
    one = field(tmp_path / "one")
    with pytest.MonkeyPatch.context() as patch:
        real = AppendFile.append

        def append(self: AppendFile, line: bytes) -> None:
            if b'"type":"trial"' in line and b'"iter":2' in line:
                os.pwrite(self._fd, line[: len(line) // 2], self.tail.size)
                raise Killed
            real(self, line)

        patch.setattr(AppendFile, "append", append)
        with pytest.raises(Killed):
            life(one)
    life(one)
    assert [t["iter"] for t in one.trials()] == [1, 2, 3]
    assert [e["kind"] for e in one.lines("event")].count("repair") == 1
    assert trajscope.analyze(one.run)[0]["lines"] == {"total": len(one.lines()), "unreadable": 0, "torn": 0}


def test_the_workspace_equals_the_last_keep_whatever_stood_there(tmp_path: Path) -> None:
    one = field(tmp_path / "one")
    life(one)
    assert one.trials()[-1]["status"] == "reverted"
    said = constants(one.standing())
    assert {k: said[c] for k, c in CONSTANT.items()} == {"x": 5.0, "y": 1, "mode": "a"}
    (one.folder / "work" / "train.py").write_text("X = 10.0\n")
    with folders.held(one.folder):
        one.campaign().close()
    assert constants(one.standing())["X"] == 5.0


def test_a_workspace_that_is_not_the_last_keep_is_refused(tmp_path: Path) -> None:
    one = field(tmp_path / "one")
    life(one)
    trees = one.folder / "trees"
    first = next(p.name for p in trees.iterdir() if p.is_dir() and b"X = 1.0" in (p / "train.py").read_bytes())
    (trees / "standing").write_text(first)
    with folders.held(one.folder), pytest.raises(CampaignError, match="the last keep that was recorded"):
        one.campaign()


def test_a_second_process_is_refused_in_one_line(tmp_path: Path) -> None:
    one = field(tmp_path / "one")
    with (
        folders.held(one.folder),
        pytest.raises(CampaignError, match="another process is at work on this campaign; wait for it"),
        folders.held(one.folder),
    ):
        pass


def test_a_folder_that_holds_a_campaign_is_not_begun_again(tmp_path: Path) -> None:
    one = field(tmp_path / "one")
    life(one)
    with pytest.raises(CampaignError, match="holds a campaign; go on with"):
        folders.begin(one.folder, one.plan)


def test_a_campaign_whose_memory_is_gone_is_not_guessed_at(tmp_path: Path) -> None:
    one = field(tmp_path / "one")
    life(one)
    (one.folder / folders.STATE).unlink()
    with pytest.raises(CampaignError, match="what the gate remembers; start a new campaign"):
        folders.take_up(one.folder)


def test_a_candidate_that_cannot_be_built_again_is_not_replaced_by_another(tmp_path: Path) -> None:
    one = field(tmp_path / "one")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Plain, "save", _killed)
        with pytest.raises(Killed):
            life(one)
    state = memory.read(one.folder / folders.STATE)
    assert state.phase == "running"
    assert state.turn is not None
    CONSTANT["x"], before = "Y", CONSTANT["x"]
    try:
        with pytest.raises(CampaignError, match="trial 1: the candidate cannot be built again as it was"):
            life(one)
    finally:
        CONSTANT["x"] = before


def test_every_step_is_in_the_table_and_no_other_is_taken(tmp_path: Path) -> None:
    for before in memory.NEXT:
        for after in memory.NEXT:
            found = memory.Memory(tmp_path / "state.json", memory.State(phase=before))
            if after in memory.NEXT[before]:
                found.go(after)
                assert memory.read(found.path).phase == after
            else:
                with pytest.raises(CampaignError, match=f"does not go from {before} to {after}"):
                    found.go(after)
                assert found.state.phase == before


def test_nothing_is_proposed_while_a_person_has_not_looked(tmp_path: Path) -> None:
    waits = memory.Pause(kind="gate", why="too good", at="", nonce="0")
    found = memory.Memory(tmp_path / "state.json", memory.State(phase="idle", pause=waits))
    with pytest.raises(CampaignError, match="while a person has not looked: too good"):
        found.go("proposing")


def test_the_state_is_readable_by_its_owner_only(tmp_path: Path) -> None:
    one = field(tmp_path / "one")
    life(one)
    assert (one.folder / folders.STATE).stat().st_mode & 0o777 == 0o600
    assert (one.folder / "seeds").stat().st_mode & 0o777 == 0o700


def _killed(*_: object) -> None:
    raise Killed
