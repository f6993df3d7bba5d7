"""A campaign's folder: begun once, held by one process at a time, cleared of what a killed one left running."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from trajscope_loop import plan as plans
from trajscope_loop.errors import CampaignError
from trajscope_loop.evaluate import leftovers
from trajscope_loop.memory import Memory, State, put, read

if TYPE_CHECKING:
    from trajscope_loop.plan import Plan

RUN, PLAN, STATE, LOCK, PAUSE = "run.jsonl", "campaign.json", "state.json", "lock", "PAUSE"


@contextmanager
def held(folder: Path) -> Iterator[None]:
    """Nobody else works on this campaign meanwhile."""
    from filelock import FileLock, Timeout

    lock = FileLock(folder / LOCK, timeout=0, thread_local=False)
    try:
        lock.acquire()
    except Timeout:
        why = f"another process is at work on this campaign; wait for it, or stop it with `touch {folder}/PAUSE`"
        raise CampaignError(f"{folder}: {why}") from None
    except OSError as error:
        raise CampaignError(f"{folder}: cannot be locked ({error.strerror}); check the rights of the folder") from None
    try:
        yield
    finally:
        lock.release()


def free(folder: Path) -> None:
    """Refuse a folder that holds a campaign."""
    if (folder / PLAN).exists() or (folder / RUN).exists():
        raise CampaignError(f"{folder}: holds a campaign; go on with `trajscope loop resume {folder}`, or name another")


def begin(folder: Path, plan: Plan) -> Memory:
    """Write down what is asked, in a folder that holds no campaign yet. Call it with the folder held."""
    free(folder)
    memory = Memory.new(folder / STATE)
    put(folder / PLAN, plan.text(), sync=True)  # last: a folder without it is begun anew
    return memory


def take_up(folder: Path) -> tuple[Plan, Memory]:
    """The campaign of a folder as it was left; what it left running is ended. Call it with the folder held."""
    plan = plans.load(folder / PLAN)
    memory = Memory.load(folder / STATE)
    for pid in leftovers(memory.state.token):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    return plan, memory


def standing(folder: Path) -> tuple[Plan, State, bool]:
    """What was asked, where it stands, and whether somebody is at work on it now; nothing is changed."""
    plan, state = plans.load(folder / PLAN), read(folder / STATE)
    try:
        with held(folder):
            return plan, state, False
    except CampaignError:
        return plan, state, True
