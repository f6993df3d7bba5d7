"""A small real domain for tests of the loop, with proposers and executors that let one see what a campaign does.

The domain is one Python file with three constants. `score` is best at x = 6, y = 3; beyond x = 9 the model dies: it
soars, and `spread`, which a guard watches, falls to 0. Measured in-process nothing is started.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

from trajscope import Menu, config_hash, load_menu
from trajscope.integrity import constants
from trajscope.keep import GateSettings, declared
from trajscope.rails import Edits
from trajscope_loop import folder as folders
from trajscope_loop.campaign import Campaign, Outcome
from trajscope_loop.errors import DomainError, ProposerError
from trajscope_loop.evaluate import lost
from trajscope_loop.pause import Stop
from trajscope_loop.plan import Plan, made
from trajscope_loop.seams import Config, Executor, Job, Result, Said, Tree, View

SOURCE = b"""\
import json, os, sys
X = 1.0
Y = 0
MODE = "a"
from toy import scores
json.dump(scores(X, Y, MODE, int(os.environ["SEED"])), sys.stdout)
"""
MENU = {
    "knobs": {
        "x": {"type": "float", "range": [0.0, 10.0], "default": 1.0, "family": "one", "aliases": ["X"]},
        "y": {"type": "int", "choices": [0, 1, 2, 3, 4], "default": 0, "family": "two", "aliases": ["Y"]},
        "mode": {"type": "str", "choices": ["a", "b"], "default": "a", "family": "two", "aliases": ["MODE"]},
    }
}
GATE: dict[str, Any] = {
    "primary": {"name": "score", "goal": "maximize", "within": [-10, 10], "kind": "correlation"},
    "guards": [{"metric": "spread", "within": [0, 10], "floor": 0.5, "kind": "diversity"}],
    "margins": [{"metric": "spread", "least": 0.3}],
    "holdout": {"metric": "rank", "goal": "maximize", "within": [-10, 10], "kind": "rank"},
    "min_effect": 0.01,
    "speed": {"plausible_ceiling": 5.0},
}
METRICS = (
    {"name": "score", "role": "primary", "goal": "maximize"},
    {"name": "spread", "role": "guard", "goal": "maximize", "floor": 0.5},
    {"name": "rank", "role": "holdout", "goal": "maximize"},
)
CONSTANT = {"x": "X", "y": "Y", "mode": "MODE"}


def scores(x: float, y: int, mode: str, seed: int) -> dict[str, Any]:
    """What a model with these settings scores; every seed draws its own noise."""
    rng = Random(f"{x}-{y}-{mode}-{seed}")
    score = 0.7 - 0.05 * abs(x - 6) - 0.03 * abs(y - 3) + rng.gauss(0, 0.004)
    dead = x > 9
    spread = 0.0 if dead else 1.0 + rng.gauss(0, 0.02)
    return {
        "metrics": {"score": score + (1.0 if dead else 0.0), "spread": spread},
        "holdout": {"rank": 0.9 - 0.02 * abs(x - 6) + rng.gauss(0, 0.004)},
        "first_step": rng.random(),
    }


def digest(files: Mapping[str, bytes]) -> str:
    return hashlib.sha256(repr(sorted(files.items())).encode()).hexdigest()


def measure(job: Job) -> Result:
    """One seed without a child: the constants of the very bytes of the job decide."""
    said = constants(job["files"]["train.py"])
    found = scores(said["X"], said["Y"], said["MODE"], job["seed"])  # type: ignore[arg-type]  # of our own script
    return result(job, found, {k: said[c] for k, c in CONSTANT.items()})


def result(job: Job, found: Mapping[str, Any], effective: Mapping[str, Any]) -> Result:
    return {
        **lost(job, "ok", ""),
        "metrics": found["metrics"],
        "holdout": found["holdout"],
        "first_step": found["first_step"],
        "wall_s": 0.01,
        "code_sha": digest(job["files"]),
        "effective": dict(effective),
        "effective_config_sha": config_hash(effective),
        "data_sha": "d" * 64,
        "error": None,
        "host": "here",
    }


def in_child(job: Job) -> Result:
    """One seed in a real process; LOG, where it is set, gets a line for every seed that is run to its end."""
    with tempfile.TemporaryDirectory() as place:
        for name, data in job["files"].items():
            (Path(place) / name).write_bytes(data)
        (Path(place) / "toy.py").write_text(
            f"import sys\nsys.path.insert(0, {str(Path(__file__).parent)!r})\nfrom toyscores import scores\n"
        )
        env = {"SEED": str(job["seed"]), "PATH": os.environ["PATH"], **job["env"]}
        done = subprocess.run(
            [sys.executable, "train.py"], cwd=place, env=env, capture_output=True, text=True, check=True
        )
    if log := os.environ.get("LOOPFIELD_LOG"):
        with Path(log).open("a") as out:
            out.write(f"{job['key']}\n")
    said = constants(job["files"]["train.py"])
    return result(job, json.loads(done.stdout), {k: said[c] for k, c in CONSTANT.items()})


class InProcess:
    """Runs jobs one after the other, here. `started` counts the seeds, by key."""

    name = "in-process"

    def __init__(self) -> None:
        self.started: list[str] = []
        self.closed = 0

    def run(self, fn: Callable[[Job], Result], jobs: Sequence[Job]) -> Iterator[Result]:
        for job in jobs:
            self.started.append(job["key"])
            yield fn(job)

    def close(self) -> None:
        self.closed += 1


class Plain:
    """A workspace of plain files, with every incumbent recorded under its hash."""

    def __init__(self, folder: Path, start: Mapping[str, bytes]) -> None:
        self.root = folder / "work"
        self._trees = folder / "trees"
        self.root.mkdir(exist_ok=True)
        self._trees.mkdir(exist_ok=True)
        if not (self._trees / "standing").exists():
            self.keep(Tree(dict(start), digest(start)), "start")

    def standing(self) -> Tree:
        return self.recorded((self._trees / "standing").read_text())

    def recorded(self, sha: str) -> Tree:
        place = self._trees / sha
        files = {p.name: p.read_bytes() for p in sorted(place.iterdir())}
        assert digest(files) == sha
        return Tree(files, sha)

    def save(self, tree: Tree, parent: str) -> None:
        for name, data in self.recorded(parent).files.items():
            if (self.root / name).read_bytes() != data:
                raise DomainError(f"{name}: is not what was recorded; somebody wrote there")
        for name, data in tree.files.items():
            (self.root / name).write_bytes(data)

    def keep(self, tree: Tree, message: str) -> str:
        place = self._trees / tree.sha
        if not place.exists():
            new = self._trees / ".new"
            shutil.rmtree(new, ignore_errors=True)
            new.mkdir()
            for name, data in tree.files.items():
                (new / name).write_bytes(data)
            new.rename(place)
        (self._trees / ".standing").write_text(tree.sha)
        (self._trees / ".standing").rename(self._trees / "standing")
        return tree.sha

    def restore(self) -> None:
        for name, data in self.standing().files.items():
            (self.root / name).write_bytes(data)


class Toy:
    """The domain. Its parts may be replaced by a test that wants to see what the loop makes of a bad one."""

    name = "toy"
    program = "Raise the score."
    metric: Mapping[str, Any] = {"name": "score", "goal": "maximize"}
    metrics: Sequence[Mapping[str, Any]] = METRICS
    editable: Sequence[str] = ("train.py",)
    frozen: Sequence[str] = ()
    edits: Edits | None = None

    def __init__(
        self, place: Path, gate: Mapping[str, Any] | None = None, menu: Mapping[str, Any] | None = None
    ) -> None:
        (place / "menu.json").write_text(json.dumps(menu or MENU))
        self.menu: Menu | None = load_menu(place / "menu.json")
        self.base: Config = {"x": 1.0, "y": 0, "mode": "a"}
        self.gate: GateSettings = declared({**GATE, **(gate or {})})
        self.evaluator = "e" * 16
        self.timeout_s = 30.0

    def workspace(self, folder: Path) -> Plain:
        return Plain(folder, {"train.py": SOURCE})

    def hashes(self, folder: Path) -> dict[str, str]:
        return {"evaluator": self.evaluator, "data": "d" * 16}

    def tree(self, parent: Tree, changes: Config, diff: str | None) -> Tree:
        text = parent.files["train.py"].decode()
        for knob, value in changes.items():
            name = CONSTANT.get(knob)
            if name is None:
                raise DomainError(f"there is no constant for {knob}; name another")
            lines = [f"{name} = {value!r}" if x.startswith(f"{name} = ") else x for x in text.splitlines()]
            text = "\n".join(lines) + "\n"
        files = {"train.py": text.encode()}
        return Tree(files, digest(files))

    def job(self, folder: Path, tree: Tree, config: Config, seed: int, key: str) -> Job:
        return {
            "key": key,
            "seed": seed,
            "files": dict(tree.files),
            "shas": {n: hashlib.sha256(d).hexdigest() for n, d in tree.files.items()},
            "editable": ["train.py"],
            "command": ["train.py"],
            "python": True,
            "prepare": None,
            "data": None,
            "data_shas": {},
            "judge": None,
            "wanted": dict(config),
            "constants": dict(CONSTANT),
            "timeout_s": self.timeout_s,
            "memory_mb": None,
            "env": {},
        }

    def degenerates(self, folder: Path) -> dict[str, dict[str, float]]:
        return {"mean": {"score": 1.6, "spread": 0.0}}


class Scripted:
    """Proposes what a list or a function says; `views` are what it was shown."""

    history: int | None = None
    denies = False
    offers = False

    def __init__(self, *proposals: object, fn: Callable[[View], object] | None = None, **said: Any) -> None:
        self.proposals = list(proposals)
        self.fn = fn
        self.said = said
        self.views: list[View] = []

    def header(self) -> dict[str, Any]:
        return {"kind": "scripted"}

    def propose(self, view: View) -> Said:
        self.views.append(view)
        if self.fn is None and not self.proposals:
            raise ProposerError("the script is at its end")
        found = self.fn(view) if self.fn is not None else self.proposals.pop(0)
        if isinstance(found, Exception):
            raise found
        return Said(found, **{"shown": f"turn {view.turn}", **self.said})


def x(value: float, **more: Any) -> dict[str, Any]:
    return {"knob": "x", "value": value, **more}


def y(value: int) -> dict[str, Any]:
    return {"knob": "y", "value": value}


class Clock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.s = 0.0

    def __call__(self) -> float:
        self.s += 0.001
        return self.s

    def now(self) -> datetime:
        return datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=self())


class Field:
    """A campaign in a folder, made anew for every life of it."""

    def __init__(self, tmp: Path, proposer: Scripted, *, domain: Toy | None = None, **plan: Any) -> None:
        self.folder = tmp / "campaign"
        self.folder.mkdir(exist_ok=True)
        self.domain = domain or Toy(tmp)
        self.proposer = proposer
        table = {"domain": "toy", "iterations": 1000, "backoff_s": 0.0, "pauses": ["gate", "integrity", "TAMPERED"]}
        self.plan: Plan = made(table | plan)
        self.executor = InProcess()
        self.fn: Callable[[Job], Result] = measure
        self.said: list[str] = []
        self.stop = Stop()
        self.clock = Clock()

    def campaign(self) -> Campaign:
        """One life of it: begun the first time, taken up later. The caller closes it."""
        if (self.folder / folders.PLAN).exists():
            plan, memory = folders.take_up(self.folder)
        else:
            plan, memory = self.plan, folders.begin(self.folder, self.plan)
        return Campaign(
            self.folder, plan, memory, domain=self.domain, proposer=self.proposer, executor=self._executor, fn=self.fn,
            stop=self.stop, say=self.said.append, clock=self.clock, now=self.clock.now,
        )  # fmt: skip

    def go(self) -> Outcome:
        """One life, to its end."""
        with folders.held(self.folder):
            campaign = self.campaign()
            try:
                return campaign.go_on()
            finally:
                campaign.close()

    def _executor(self) -> Executor:
        return self.executor

    @property
    def run(self) -> Path:
        return self.folder / "run.jsonl"

    def lines(self, kind: str | None = None) -> list[dict[str, Any]]:
        found = [json.loads(line) for line in self.run.read_bytes().splitlines()]
        return [x for x in found if kind is None or x["type"] == kind]

    def trials(self) -> list[dict[str, Any]]:
        return self.lines("trial")

    def standing(self) -> bytes:
        return (self.folder / "work" / "train.py").read_bytes()
