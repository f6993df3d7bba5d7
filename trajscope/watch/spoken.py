"""What is said of a run where there is no screen: lines for people when something changes, JSON lines for programs.

The JSON is `Update`; its schema is in the documentation.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, NamedTuple, get_args

import msgspec
from msgspec import Struct

from trajscope import shape
from trajscope.leaves import LEAVES
from trajscope.readable import SHAPES, duration, number, plural
from trajscope.rules.alive import State
from trajscope.verdict import Level
from trajscope.watch.ink import cut
from trajscope.watch.panel import Belief, Brake, Panel
from trajscope.watch.played import Moment

SCHEMA = 1
ABOUT = {
    "at": "The time that this speaks of, UTC.",
    "file": "As it was named.",
    "age_s": "Since the last sign of life.",
    "usual_s": "The median gap between trials.",
    "refused": "Attempts that a rail refused.",
    "rail_age_s": "Since the rail was last seen to fire, or to fail.",
    "plateau_length": "Evaluated trials since the last best beyond noise.",
    "shrunk": "The best, shrunk by its luck.",
    "never": "Knobs of the menu that no trial touched.",
    "verdicts": "Those that do not pass, the worst first.",
    "notices": "The latest oddities of the file.",
    "odd": "Oddities in all.",
}
ALARMING = ("TAMPERED", "SUSPECT", "STALLED", "FLAILING")


class Told(Struct, frozen=True):
    """What one rule says."""

    rule: str
    level: str
    reason: str
    evidence: tuple[int, ...]


class Update(Struct, frozen=True, kw_only=True):
    """A run at one moment. What is null is unknown, or has too few observations behind it."""

    schema: int = SCHEMA
    at: str  # the time this speaks of, UTC
    file: str
    state: str  # absent, reading, replay, not begun, running, waiting, stalled, gone, ended, cut off
    age_s: float | None  # since the last sign of life
    usual_s: float | None  # median gap between trials
    trials: int
    evaluated: int
    kept: int
    bad_lines: int
    torn_lines: int
    refused: int  # attempts that a rail refused
    rail: str  # PROVEN, FAILED, NEVER PROVEN
    rail_age_s: float | None
    knob_coverage: float | None
    pair_repeat_rate: float | None
    plateau_length: int | None
    mode_dominance: float | None
    best: float | None
    best_seq: int | None
    best_belief: str  # CONFIRMED, UNCONFIRMED, UNKNOWN, DOUBTED, NONE
    shrunk: float | None
    noise_sd: float | None
    never: tuple[str, ...]  # knobs of the menu that no trial touched
    word: str
    sentence: str
    verdicts: tuple[Told, ...]  # that do not pass, worst first
    notices: tuple[str, ...]  # the latest oddities of the file
    odd: int  # oddities in all


def update(p: Panel) -> Update:
    """The panel as programs read it."""
    g, b = p.ground, p.best
    return Update(
        at=stamp(p.at_s),
        file=p.path,
        state=p.fresh.state,
        age_s=p.fresh.age_s,
        usual_s=p.fresh.usual_s,
        trials=p.rows.trials,
        evaluated=p.rows.evaluated,
        kept=p.rows.kept,
        bad_lines=p.rows.bad,
        torn_lines=p.rows.torn,
        refused=p.rows.refused,
        rail=p.rail.state,
        rail_age_s=p.rail.age_s,
        knob_coverage=g.touched / g.total if g.total and g.touched is not None else None,
        pair_repeat_rate=(g.counted - g.pairs) / g.counted if g.counted else None,
        plateau_length=p.repeats.dry,
        mode_dominance=g.top,
        best=b.value,
        best_seq=b.seq,
        best_belief=b.belief,
        shrunk=b.shrunk,
        noise_sd=b.sd,
        never=p.never,
        word=p.word.word,
        sentence=p.word.sentence,
        verdicts=tuple(Told(v.rule, v.level.name, v.reason, v.evidence) for v in p.alarms),
        notices=p.notices,
        odd=p.odd,
    )


def json_line(said: Update) -> str:
    """The update as one line."""
    return msgspec.json.encode(said).decode()


def differs(a: Update | None, b: Update) -> bool:
    """Whether something changed between two updates besides the time."""
    return (
        a is None
        or msgspec.structs.replace(a, at=b.at, age_s=b.age_s, rail_age_s=b.rail_age_s, sentence=b.sentence) != b
    )


def schema() -> dict[str, Any]:
    """The JSON Schema of a line."""
    found = msgspec.json.schema(Update)
    told, update = found["$defs"]["Told"], found["$defs"]["Update"]
    for part in (told, update):
        part |= {"required": list(part["properties"]), "additionalProperties": False}
    parts = update["properties"]
    told["properties"]["level"] = shape.LEVEL
    for name, text in ABOUT.items():
        parts[name] = shape.told(parts[name], text)
    parts |= {
        "schema": {"const": SCHEMA},
        "state": shape.one_of(get_args(State)),
        "rail": shape.told(shape.one_of(get_args(Brake)), "Whether the rail was seen to fire."),
        "best_belief": shape.one_of(get_args(Belief)),
        "word": LEAVES["verdict.word"],
    }
    return shape.titled("One line of `trajscope watch --json`", found)


class Headline(NamedTuple):
    """What makes a line for people: while none of it changes, nothing is said."""

    state: str
    word: str
    touched: int | None
    best: float | None
    alarms: tuple[tuple[str, Level], ...]


def headline(p: Panel) -> Headline:
    """What of a panel is worth a line when it changes."""
    alarms = tuple(sorted((v.rule, v.level) for v in p.alarms if v.level is Level.FAIL))
    return Headline(p.fresh.state, p.word.word, p.ground.touched, p.best.value, alarms)


def plain_line(p: Panel, *, named: bool = False) -> str:
    """One line for people; a file that is played speaks of the times it records."""
    g, r = p.ground, p.repeats
    at = datetime.fromtimestamp(p.at_s, UTC)
    parts = [(at if p.played else at.astimezone()).strftime("%H:%M:%S")]
    parts += [p.name] if named else []
    parts += [p.fresh.state, plural(p.rows.trials, "trial")]
    parts += [f"knobs {g.touched or 0}" + (f"/{g.total}" if g.total else "")]
    late = "n<10" if r.late is None else f"{r.late:.0%}"
    parts += [f"repeats {late}", f"plateau {number(r.dry)}", f"best {number(p.best.value, 6)}"]
    parts += [f"{SHAPES.get(p.word.word, SHAPES['UNKNOWN'])[0]} {p.word.word}: {p.word.sentence}"]
    return "  ".join(parts)


def moments(found: Iterable[Moment], spent_s: float, trials: int, width: int) -> list[str]:
    """When each alarm would first have spoken, and what was left to spend then: lines for people."""
    ordered = sorted(found, key=lambda m: (m.trials, m.what != "word"))
    alarms = [m for m in ordered if m.level in ALARMING or m.level == Level.FAIL.name]
    if not alarms:
        out = [" no alarm would have spoken"]
    else:
        out = [" when each alarm would first have spoken, and what was left to spend then"]
        out.append(f" {'trial':>6}  {'trials left':>11}  {'compute left':>12}  what")
    for m in alarms:
        left = duration(spent_s - m.spent_s) if spent_s else "?"
        what = m.level if m.what == "word" else m.what
        out.append(cut(f" {m.seq:>6}  {trials - m.trials:>11,}  {left:>12}  {what}: {m.said}", width))
    warned = ", ".join(f"{m.what} {m.seq}" for m in ordered if m.level == Level.WARN.name)
    return out + ([cut(f" warnings began at trial: {warned}", width)] if warned else [])


def stamp(now_s: float) -> str:
    """A time as the record writes it."""
    return datetime.fromtimestamp(now_s, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def exit_code(p: Panel | None) -> int:
    """1 where the word is an alarm, 3 where nothing can be said, 0 else."""
    if p is None or p.word.word == "UNKNOWN":
        return 3
    return 1 if p.word.word in ALARMING else 0
