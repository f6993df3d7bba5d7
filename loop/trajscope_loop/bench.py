"""The bench: measures one seed of one candidate. The pure function that every executor runs, unchanged.

Files are held to their hashes, data to theirs, training runs confined and under watch, and the judge scores what it
left from bytes that training never knew. Whatever cannot be shown is no result.
"""

from __future__ import annotations

import math
import socket
import sys
import time
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from types import ModuleType
from typing import Any

from trajscope import Level, TrajscopeError, config_hash
from trajscope.integrity import Watchman
from trajscope_loop import confine, crashes, data
from trajscope_loop.crashes import failed
from trajscope_loop.errors import DomainError
from trajscope_loop.room import Room, TamperedError, copied, left
from trajscope_loop.seams import Job, Result, Status
from trajscope_loop.tree import digest, sha256

FIRST_STEP = "first_step"  # the file in out/ in which training may leave its loss before the first step
OUTPUTS = ("stdout.txt", "stderr.txt")  # what training printed, for a judge that reads it; its own files come first


class _Wrong(Exception):  # noqa: N818  # never leaves this module: it carries a status to the result
    def __init__(self, status: Status, why: str) -> None:
        super().__init__(why)
        self.status = status


def measure(job: Job) -> Result:
    """Train and judge one seed. Never raises for what a candidate does: the result says what became of it."""
    began = time.monotonic()
    try:
        return _measured(job, began)
    except TamperedError as error:
        status: Status = "tampered"
        why = str(error)
    except _Wrong as wrong:
        status, why = wrong.status, str(wrong)
    except (TrajscopeError, OSError) as error:
        status, why = "crashed", str(error)
    return failed(job, status, why, wall_s=time.monotonic() - began)


def _measured(job: Job, began: float) -> Result:
    with Room(job["files"], job["shas"]) as room:
        place = data.at(job) if job["data_shas"] else room.folder("none")
        _data(place, room.given, job["data_shas"], "given")
        ran = _trained(job, room)
        judged, truth = room.folder("judged"), room.folder("truth")
        predictions = left(room.out, judged)
        _data(place, truth, job["data_shas"], "truth")
        first = _first_step(judged)
        for name, printed in zip(OUTPUTS, (ran.ended.out, ran.ended.err), strict=True):
            if name in predictions:
                raise _Wrong("crashed", f"out/{name}: the name is taken, what training prints goes there")
            (judged / name).write_bytes(printed)
        metrics, holdout = _judged(job, judged, truth)
    return Result(
        key=job["key"],
        seed=job["seed"],
        status="ok",
        metrics=metrics,
        holdout=holdout,
        wall_s=time.monotonic() - began,
        code_sha=ran.code_sha,
        effective=ran.effective,
        effective_config_sha=None if ran.effective is None else config_hash(ran.effective),
        data_sha=digest(job["data_shas"]),
        predictions_sha=digest(predictions),
        first_step=first,
        host=socket.gethostname(),
        error=None,
    )


def _data(place: Path, target: Path, names: Mapping[str, str], part: str) -> None:
    """Copy one part of the data, every byte held to its hash."""
    inside = {n.removeprefix(f"{part}/"): sha for n, sha in names.items() if n.startswith(f"{part}/")}
    copied(place / part, target, inside)


class _Ran:
    """What is known of a training that ended well."""

    def __init__(self, ended: confine.Ended, code_sha: str | None, effective: dict[str, Any] | None) -> None:
        self.ended, self.code_sha, self.effective = ended, code_sha, effective


def _trained(job: Job, room: Room) -> _Ran:
    """Run the child under watch: bytes hashed inside it, the configuration read back, files the same afterwards."""
    named = job["constants"]
    watchman = Watchman(
        room.source,
        editable=job["editable"],
        frozen=sorted(job["files"].keys() - set(job["editable"])),
        config={named.get(knob, knob): value for knob, value in job["wanted"].items()},
    )
    env = confine.environment(room.home, {"SEED": str(job["seed"]), "GIVEN": str(room.given), "OUT": str(room.out)})
    with watchman.trial({}) as watch:
        if watch.worst.level is Level.FAIL:
            raise _Wrong("tampered", watch.worst.reason)
        if not job["python"] and (before := watch.launching()).level is not Level.PASS:
            raise _Wrong("tampered", before.reason)
        ended = confine.run(
            watch.command(*job["command"]) if job["python"] else job["command"],
            cwd=room.home if job["python"] and not job.get("inside") else room.source,
            env={**env, **job["env"], **watch.env},
            timeout_s=job["timeout_s"],
            memory_mb=job["memory_mb"],
            inline=job["python"],
        )
    wrong = crashes.of_ended(ended, job["timeout_s"], job["memory_mb"])
    if watch.drift:  # whatever else went wrong, this is why nothing here can be believed
        raise _Wrong("tampered", watch.worst.reason)
    if wrong:
        raise _Wrong(*wrong)
    if not watch.passed:
        raise _Wrong("crashed", f"what ran cannot be shown to be what was proposed: {watch.worst.reason}")
    told = watch.fields().get("effective")
    if told is None and not job["wanted"]:
        told = {}  # code without knobs: all that was proposed are the bytes, which were hashed
    knobs = {constant: knob for knob, constant in named.items()}
    effective = None if told is None else {knobs.get(k, k): v for k, v in told.items()}
    code_sha = watch.seed().get("code_sha")
    return _Ran(ended, None if code_sha is None else str(code_sha), effective)


def _first_step(judged: Path) -> float | None:
    """The number that training left as its mark; one that is none is left out."""
    try:
        found = float((judged / FIRST_STEP).read_bytes()[:64])
    except (OSError, ValueError):
        return None
    return found if math.isfinite(found) else None


# --- the judge --------------------------------------------------------------------------------------------------------


def _judged(job: Job, out: Path, truth: Path) -> tuple[dict[str, float], dict[str, float]]:
    """What the judge says, held to being numbers."""
    if job["judge"] is None:
        raise _Wrong("crashed", "the job names no judge, and nobody believes what training says of itself")
    try:
        found = judge_of(job["files"][job["judge"]], job["judge"]).judge(out, truth)
    except FloatingPointError as error:
        raise _Wrong("nan", f"the judge: {error}") from None
    except Exception as error:  # noqa: BLE001  # predictions are foreign, and a judge may stumble over them in any way
        raise _Wrong("crashed", f"the judge: {type(error).__name__}: {error}") from None
    if not isinstance(found, dict) or found.keys() - {"metrics", "holdout"} or not found.get("metrics"):
        raise _Wrong("crashed", "the judge gave no metrics; it returns {'metrics': {...}, 'holdout': {...}}")
    return numbers(found["metrics"], "metrics"), numbers(found.get("holdout") or {}, "holdout")


def numbers(found: object, what: str) -> dict[str, float]:
    """A judge's scores as plain finite numbers, or no result at all."""
    if not isinstance(found, dict):
        raise _Wrong("crashed", f"the judge's {what} are no mapping of names to numbers")
    out = {}
    for name, value in found.items():
        try:
            number = math.nan if isinstance(value, bool | str | bytes) else float(value)
        except (TypeError, ValueError):
            number = math.nan
        if not isinstance(name, str) or not math.isfinite(number):
            raise _Wrong("nan", f"the judge: {name} is {value!r}, which is no finite number")
        out[name] = number
    return out


@lru_cache(maxsize=8)
def judge_of(source: bytes, name: str) -> ModuleType:
    """A judge from its bytes, executed once in a process."""
    module = ModuleType(f"judge_{sha256(source)[:8]}")
    module.__file__ = name
    sys.modules[module.__name__] = module  # where dataclasses and pickles look a class up
    try:
        exec(compile(source, name, "exec", dont_inherit=True), module.__dict__)  # noqa: S102  # frozen, and hashed
    except Exception as error:  # noqa: BLE001  # whatever a judge stumbles over while it is loaded
        raise DomainError(f"{name}: cannot be loaded ({type(error).__name__}: {error}); correct it") from None
    if not callable(getattr(module, "judge", None)):
        raise DomainError(f"{name}: has no function judge(out, truth); write one")
    return module
