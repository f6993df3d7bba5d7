"""What the bench adds to a training, and how two cores compare with one: `python -m benchmarks.loop_executors`."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

from benchmarks.section import Budget, Section
from trajscope_loop import confine, domain
from trajscope_loop.bench import measure
from trajscope_loop.executors.local import Local, cores
from trajscope_loop.seams import Job
from trajscope_loop.tree import sha256

ROUNDS = 15
SEEDS = 20  # enough that the last one, which runs alone, does not decide
WORK = 12_000_000  # turns of an empty loop: about half a second, in which nothing is shared
_TRAIN = f"""
import os, pathlib
n = 0
while n < {WORK}:
    n += 1
(pathlib.Path(os.environ["OUT"]) / "said").write_text("1")
"""
_JUDGE = 'def judge(out, truth): return {"metrics": {"said": float((out / "said").read_text())}}'


def section(_rows: int, rounds: int | None = None) -> Section:
    """Both measurements, as a section of the results."""
    rounds = rounds or ROUNDS
    added, plain, whole = overhead(rounds)
    rows = [
        ["one seed of perturbation, by the bench", f"{1000 * whole:.0f} ms CPU"],
        ["the same script by `python train.py`", f"{1000 * plain:.0f} ms CPU"],
        ["what the bench adds", f"{1000 * added:.0f} ms CPU"],
    ]
    budgets = [Budget("the bench beyond training and child start, each seed", 1000 * added, 50.0, "ms CPU")]
    if cores() >= 2:
        rate = two_cores(max(3, rounds // 5))
        rows.append([f"{SEEDS} seeds that only compute, two workers beside one", f"{rate:.2f} times the rate"])
        budgets.append(Budget("two workers beside one", rate, 1.8, "times", more_is_better=True))
    about = (
        "The bench copies and hashes files and data, starts a supervisor, watches, judges. Five seeds alone cannot be "
        "faster than 5/3 on two cores, because the fifth runs alone; the rate is that of many."
    )
    return Section("The bench of the loop", about, ("", ""), rows, budgets)


def overhead(rounds: int) -> tuple[float, float, float]:
    """CPU seconds of a seed: what the bench adds, the training by itself, and the whole; the middle of all rounds."""
    found = domain.load("perturbation")
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        found.hashes(folder)
        tree = found.workspace(folder).standing()
        (folder / "out").mkdir()
        env = confine.environment(
            folder, {"GIVEN": str(folder / "data/given"), "OUT": str(folder / "out"), "SEED": "0"}
        )
        command = [sys.executable, "-s", str(folder / "work" / "train.py")]
        both = []
        for turn in range(rounds + 1):
            began = _cpu()
            result = measure(found.job(folder, tree, found.base, 0, str(turn)))
            assert result["status"] == "ok", result
            middle = _cpu()
            subprocess.run(command, env=env, cwd=folder, check=True)
            both.append((middle - began, _cpu() - middle))
        both = both[1:]  # the first imports what the judge needs
        added = median(whole - plain for whole, plain in both)
        return added, median(plain for _, plain in both), median(whole for whole, _ in both)


def two_cores(rounds: int) -> float:
    """How many times the rate of one worker two workers have; the middle of all rounds."""
    ratios = []
    with Local(1) as one, Local(2) as two:
        for local in (one, two):
            list(local.run(measure, [_job(seed) for seed in range(local.workers)]))  # workers have begun
        for _ in range(rounds):
            took = []
            for local in (one, two):
                began = time.monotonic()
                results = list(local.run(measure, [_job(seed) for seed in range(SEEDS)]))
                took.append(time.monotonic() - began)
                assert {r["status"] for r in results} == {"ok"}, results
            ratios.append(took[0] / took[1])
    return median(ratios)


def _job(seed: int) -> Job:
    files = {"train.py": _TRAIN.encode(), "judge.py": _JUDGE.encode()}
    return Job(
        key=str(seed),
        seed=seed,
        files=files,
        shas={name: sha256(data) for name, data in files.items()},
        editable=["train.py"],
        command=["train.py"],
        python=True,
        prepare=None,
        data=None,
        data_shas={},
        judge="judge.py",
        wanted={},
        constants={},
        timeout_s=120.0,
        memory_mb=None,
        env={},
    )


def _cpu() -> float:
    """CPU seconds of this process and of every child that has ended."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(u.ru_utime + u.ru_stime for u in used)


if __name__ == "__main__":
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    made = section(0, int(sys.argv[1]) if len(sys.argv) > 1 else None)
    print(made.about)
    for row in made.rows:
        print(*row, sep=": ")
