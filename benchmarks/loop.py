"""Loop: what an iteration costs beyond proposer, training and the start of children. `python -m benchmarks.loop [N]`.

A real campaign on the perturbation domain, with every rail, the whole gate and every write; in the place of training
stands a function that takes no time, and in the place of the executor a plain loop.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from random import Random
from statistics import median
from typing import Any

from trajscope_loop import folder as folders
from trajscope_loop.campaign import Campaign
from trajscope_loop.domain import load
from trajscope_loop.evaluate import lost
from trajscope_loop.plan import made
from trajscope_loop.seams import Job, Result, Said, View

TRIALS = 60


class Drawn:
    """A new learning rate each time."""

    history: int | None = 0
    denies = False
    offers = False

    def header(self) -> dict[str, Any]:
        """It has no model."""
        return {"kind": "drawn"}

    def propose(self, view: View) -> Said:
        """One that was not tried."""
        assert view.menu is not None
        knob = view.menu.knobs["gene_wd"] if view.turn % 2 else view.menu.knobs["lr"]
        value = knob.value_at(Random(view.turn).random())
        return Said({"knob": knob.name, "value": float(f"{value:.4g}")}, "What it saw. " * 300)


class Here:
    """Runs jobs one after the other."""

    name = "here"

    def run(self, fn: Callable[[Job], Result], jobs: Sequence[Job]) -> Iterator[Result]:
        """Every job's result."""
        return map(fn, jobs)

    def close(self) -> None:
        """Nothing was started."""


def untrained(job: Job) -> Result:
    """What a seed might have scored, in no time: much the same for every configuration, so that all are reverted."""
    rng = Random(f"{job['seed']}{job['wanted']}")
    return {
        **lost(job, "ok", ""),
        "metrics": {
            "pearson_deg": rng.gauss(0.62, 0.018),
            "direction_acc": rng.gauss(0.75, 0.005),
            "response_ratio": rng.gauss(2.7, 0.05),
            "pds": rng.gauss(0.8, 0.01),
        },
        "holdout": {"holdout_pds": rng.gauss(0.9, 0.01)},
        "first_step": rng.random(),
        "effective": job["wanted"],
        "code_sha": job["shas"]["train.py"],
        "error": None,
        "wall_s": 0.0,
    }


def iterations(trials: int) -> dict[str, float]:
    """Milliseconds of one iteration: of processor time, of the clock, and of the clock without waiting for the disk."""
    waited: list[float] = []
    marks: list[tuple[float, float, float]] = []
    sync = os.fsync

    def fsync(handle: int) -> None:
        began = time.perf_counter()
        sync(handle)
        waited.append(time.perf_counter() - began)

    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        os.fsync = fsync  # type: ignore[assignment]  # the same, and its time
        try:
            with folders.held(folder):
                plan = made({"domain": "perturbation", "iterations": trials, "pauses": [], "failures": 10_000})
                campaign = Campaign(
                    folder,
                    plan,
                    folders.begin(folder, plan),
                    domain=load("perturbation"),
                    proposer=Drawn(),
                    executor=Here,
                    fn=untrained,
                    say=lambda _: marks.append((time.process_time(), time.perf_counter(), sum(waited))),
                )
                campaign.go_on()
                campaign.close()
        finally:
            os.fsync = sync
    steps = [[b - a for a, b in zip(x, y, strict=True)] for x, y in pairwise(marks)][-trials + 5 :]
    return {
        "cpu_ms": median(cpu for cpu, _, _ in steps) * 1000,
        "wall_ms": median(wall for _, wall, _ in steps) * 1000,
        "disk_ms": median(disk for _, _, disk in steps) * 1000,
        "beyond_disk_ms": median(wall - disk for _, wall, disk in steps) * 1000,
    }


if __name__ == "__main__":
    print(json.dumps(iterations(int(sys.argv[1]) if len(sys.argv) > 1 else TRIALS)))
