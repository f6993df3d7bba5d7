"""Real campaigns, killed with SIGKILL at random moments and taken up again. KILLS=200 by hand, a dozen otherwise."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from random import Random
from typing import Any

import pytest
from loophill import hill

import trajscope
from trajscope.integrity import constants
from trajscope_loop import folder as folders
from trajscope_loop.evaluate import leftovers
from trajscope_loop.memory import read

KILLS = int(os.environ.get("KILLS", "12"))
HERE = Path(__file__).parent
DEADLINE_S = 20.0  # for processes to be gone; it takes milliseconds


class Life:
    """One life of a campaign as a process of its own."""

    def __init__(self, *words: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, str(HERE / "loophill.py"), *words],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env={**os.environ, "PYTHONPATH": os.pathsep.join([str(HERE), *sys.path])},
            text=True,
        )

    def lasts(self, seconds: float) -> bool:
        """Whether it is still there after so long; then it is killed."""
        try:
            self.said, _ = self.process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.communicate()
            return True
        return False


def journal(folder: Path) -> dict[str, tuple[int, Any]]:
    """Finished seeds: which file it is, and what it holds."""
    found = {}
    for path in folder.glob("seeds/*.json"):
        found[path.stem] = (path.stat().st_ino, json.loads(path.read_bytes())["result"])
    return found


def measured(folder: Path) -> dict[tuple[str, int], float]:
    """What the run file says of every seed, by the line's kind and the seed: how long it took, to the last digit."""
    out = {}
    for line in (folder / folders.RUN).read_bytes().splitlines():
        said = json.loads(line)
        for seed in said.get("seeds") or []:
            if isinstance(seed, dict):
                out[said.get("what") or "screen", seed["seed"]] = seed["wall_s"]
    return out


def nobody(token: str) -> bool:
    """Whether every process of the campaign is gone, soon."""
    until = time.monotonic() + DEADLINE_S
    while left := leftovers(token):
        if time.monotonic() > until:
            pytest.fail(f"left behind: {left}")
    return True


@pytest.mark.timeout(60 + 5 * KILLS)
def test_killed_again_and_again_it_loses_nothing_and_does_nothing_twice(tmp_path: Path) -> None:
    rng = Random(KILLS)
    domain, folder = hill(tmp_path / "hill"), tmp_path / "campaign"
    trials = max(6, KILLS // 5)
    begin = ("run", str(domain), "-o", str(folder), "--proposer", "loophill:Walker", "--iterations", str(trials))
    kills = 0
    before: dict[str, tuple[int, Any]] = {}
    finished: dict[str, Any] = {}
    while kills < KILLS:
        began = (folder / folders.PLAN).exists()
        life = Life(*(("resume", str(folder)) if began else begin))
        if not life.lasts(rng.uniform(0.3, 1.8)):
            assert life.process.returncode == 0, life.said
            break
        kills += 1
        if not (folder / folders.PLAN).exists():
            continue
        token = read(folder / folders.STATE).token
        assert nobody(token)
        now = journal(folder)
        assert all(now[k][0] == inode for k, (inode, _) in before.items() if k in now)  # none was written again
        before = now
        finished |= {k: result for k, (_, result) in now.items()}
        beside = folder / "run.coverage.json"
        if beside.exists():
            assert json.loads(beside.read_bytes())["offset"] <= (folder / folders.RUN).stat().st_size
    last = Life("resume", str(folder))
    assert not last.lasts(50.0 + KILLS)
    assert last.process.returncode == 0, last.said
    lines = [json.loads(x) for x in (folder / folders.RUN).read_bytes().splitlines()]
    told = [x for x in lines if x["type"] == "trial"]
    assert [t["iter"] for t in told] == list(range(1, trials + 1)), last.said
    (doc,) = trajscope.analyze(folder / folders.RUN)
    assert doc["lines"]["unreadable"] == doc["lines"]["torn"] == 0
    assert doc["integrity"]["status"] == "verified"
    print(f"{kills} kills, {len(lines)} lines, {len(finished)} seeds seen finished before the process died")
    stands = {"x": 1.0, "y": 0} | {
        c["knob"]: c["value"] for t in told if t["status"] == "kept" for c in t["attempts"][-1]["changes"]
    }
    said = constants((folder / "work" / "train.py").read_bytes())
    assert (said["X"], said["Y"]) == (stands["x"], stands["y"])
    ran = measured(folder)
    for key, result in finished.items():
        stage = key.split("-")[1]
        assert ran[stage, result["seed"]] == result["wall_s"], key  # what was finished then is what was recorded
    assert kills
    assert nobody(read(folder / folders.STATE).token)


def test_sigterm_stops_it_and_resume_goes_on(tmp_path: Path) -> None:
    domain, folder = hill(tmp_path / "hill"), tmp_path / "campaign"
    life = Life("run", str(domain), "-o", str(folder), "--proposer", "loophill:Walker", "--iterations", "3")
    assert life.process.stdout is not None
    for line in life.process.stdout:
        if "baseline" in line:
            break
    life.process.send_signal(signal.SIGTERM)
    rest, _ = life.process.communicate(timeout=30)
    assert life.process.returncode == 0, rest
    assert "stopped by SIGTERM" in rest
    token = read(folder / folders.STATE).token
    assert nobody(token)
    again = Life("resume", str(folder))
    assert not again.lasts(50)
    assert "finished: 3 trials" in again.said
