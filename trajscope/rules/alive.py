"""Is it alive? How long nothing was heard of a run, against how often it usually gives a sign of life.

Asks no clock: whoever looks says how old the last sign is. Asked only where somebody looked at one.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

from trajscope.alarms import DEFAULTS, AlarmSettings
from trajscope.readable import age
from trajscope.rules.wording import Answer, lacking
from trajscope.verdict import Level

TIMES = 5.0  # silence of more than so many usual gaps is a stall
FLOOR_S = 60.0  # but never a shorter one
BLIND_S = 3600.0  # the same where what is usual is not known

State = Literal["absent", "reading", "replay", "not begun", "running", "waiting", "stalled", "gone", "ended", "cut off"]
_UNHEARD = {
    "absent": "there is no file yet",
    "reading": "the file is still being read",
    "replay": "a finished file is played",
    "not begun": "no trial has come yet",
    "cut off": "nothing more is read, and the run did not say that it ended",
}


class Fresh(NamedTuple):
    """How alive a run is. `age_s` is None where nothing was heard of it, `usual_s` where too few gaps are known."""

    state: State
    age_s: float | None = None
    usual_s: float | None = None
    bound_s: float = BLIND_S


def bound_s(usual_s: float | None, alarms: AlarmSettings = DEFAULTS) -> float:
    """Seconds of silence beyond which a run is stalled."""
    floor_s = FLOOR_S if alarms.stalled_min_s is None else alarms.stalled_min_s
    if usual_s is None:
        return max(BLIND_S, floor_s)
    return max(floor_s, (alarms.stalled_factor or TIMES) * usual_s)


def judge(age_s: float | None, usual_s: float | None, alarms: AlarmSettings = DEFAULTS) -> Fresh:
    """A run that goes on: running, or silent for too long."""
    bound = bound_s(usual_s, alarms)
    return Fresh("stalled" if age_s is not None and age_s > bound else "running", age_s, usual_s, bound)


def silence(f: Fresh) -> Answer:
    """What the age of the last sign of life says of a run."""
    if f.state in _UNHEARD:
        return lacking(_UNHEARD[f.state])
    if f.state == "gone":
        return Level.FAIL, f"its file is gone{_since(f)}", []
    if f.state in ("ended", "waiting"):
        return Level.PASS, "it said that it ended" if f.state == "ended" else "it waits for a person", []
    if f.age_s is None:
        return lacking("when the run last gave a sign of life is not known")
    usual = "its pace is not known yet" if f.usual_s is None else f"a trial usually takes {pause(f.usual_s)}"
    said = f"{usual} (bound {pause(f.bound_s)})"
    if f.state == "stalled":
        return Level.FAIL, f"nothing was heard for {pause(f.age_s)}, and {said}", []
    return Level.PASS, f"the last sign of life is {pause(f.age_s)} old, and {said}", []


def pause(seconds: float) -> str:
    """A silence: to the second as long as that tells it from its bound."""
    return f"{seconds:.0f} s" if seconds < 600 else age(seconds)


def _since(f: Fresh) -> str:
    return "" if f.age_s is None else f"; its last sign of life is {pause(f.age_s)} old"
