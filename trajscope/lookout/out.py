"""One reading of each file for another program: runs by an id of their own, and what is known of each now.

`rounds` reads in the thread that walks through it; everything else may be asked from any thread.
"""

from __future__ import annotations

import hashlib
import re
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple, get_args

from trajscope import shape
from trajscope.errors import SourceError
from trajscope.lookout.course import LATEST, Course, Line, after, shape_of_line
from trajscope.lookout.frames import Frames, frames
from trajscope.readable import clean, short
from trajscope.said import NOTHING, Asked, said
from trajscope.shape import Shape
from trajscope.tail import Oddity
from trajscope.trial import Goal, Header
from trajscope.wake import Wake
from trajscope.watch import spoken
from trajscope.watch.detail import detail
from trajscope.watch.group import Group, beats
from trajscope.watch.ink import Line as Inked
from trajscope.watch.panel import Panel
from trajscope.watch.spoken import Update, differs, update
from trajscope.watch.watching import Watching

OFTEN_S = 0.1  # looks that follow each other
AGAIN_S = 1.0  # after which a run is looked at again though nothing came: it may have fallen silent
MOST_COURSES = 32  # runs of which every trial is noted; the one that was asked for longest ago is let go
COLUMNS = 110  # letters in a line of a trial in full
__all__ = ["LATEST", "Lookout", "Sight"]


class Sight(NamedTuple):
    """One run as it is now. `lines` are there of a run that was `wanted`, from the moment at which it was read."""

    id: str  # of letters, digits and hyphens, and the same as long as the file has its name
    name: str  # the path below the folder
    course: str  # another one, where trials do not go on from those before
    update: Update
    about: dict[str, Any]  # run_id, metric, baseline, coverage, as `analyze --json` names them
    total: int  # trials in all
    lines: tuple[Line, ...]
    noted: bool  # whether `lines` and `frames` are there

    def after(self, known: int) -> tuple[Line, ...] | None:
        """The trials after the first `known`; None where some of them are not held any more."""
        return after(self.lines, self.total, known)


class _Last(NamedTuple):
    """What a run was looked at with, when, and what came of it."""

    key: tuple[object, ...]
    at_s: float
    panel: Panel


class Lookout:
    """Watches one file, or every run below a folder.

    `asked` says of the files what they do not say themselves; what was merely found and decides much, hears `warn`.
    """

    def __init__(
        self,
        path: str | Path,
        asked: Asked = NOTHING,
        *,
        warn: Callable[[str], object] = str,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.path = Path(path)
        self.folder = self.path if self.path.is_dir() else None
        if self.folder is None and not self.path.exists():
            raise SourceError(f"{clean(path)}: cannot be read (No such file or directory); check the path")
        said(Path("-"), asked)  # what is wrong with what was asked is wrong with every file
        self._group = Group(lambda file: said(file, asked, lambda x: warn(short(x, 400))), folder=self.folder)
        if self.folder is None:
            self._group.add(self.path)
        self._clock = clock
        self._wake = Wake([self.path])
        self._epoch = secrets.token_hex(4)
        self._ids: dict[str, str] = {}  # by path
        self._paths: dict[str, str] = {}  # by id
        self._last: dict[str, _Last] = {}
        self._courses: dict[str, Course] = {}  # by id, the one that was asked for longest ago first
        self._wanted: set[str] = set()
        self._asking = threading.Lock()
        self._over = False
        self.sights: MappingProxyType[str, Sight] = MappingProxyType({})  # replaced whole

    @staticmethod
    def shapes() -> dict[str, Shape]:
        """The JSON Schema of what a program puts its own answers together from, by what it is of."""
        return _shapes()

    @property
    def troubles(self) -> list[str]:
        """Files that cannot be watched, and why."""
        return [short(x, 400) for x in list(self._group.troubles.values())]

    def want(self, id: str) -> None:
        """From now on note every trial of this run."""
        with self._asking:
            self._wanted.add(id)
        self._wake.rouse()

    def stop(self) -> None:
        """End the rounds."""
        self._over = True
        self._wake.rouse()

    def rounds(self) -> Iterator[frozenset[str]]:
        """Read for ever; the ids of what changed, again and again, and nothing where time went by."""
        try:
            for _ in beats(self._group, self._wake, self._clock, often_s=OFTEN_S):
                if self._over:
                    return
                self._note()
                yield self._look(self._clock())
        finally:
            self._group.close()
            self._wake.close()

    def frames(self, id: str) -> Frames | None:
        """What the charts of a run are made of; None while its trials are not noted, or there are none."""
        watching, course, last = self._watching(id), self._courses.get(id), self._last.get(id)
        if watching is None or course is None or last is None or watching.noting is not course:
            return None
        with watching.busy:
            run = watching.live.run
            return None if run is None or not course.total else frames(run, last.panel, course)

    def trial(self, id: str, seq: int) -> dict[str, Any] | None:
        """One trial in full: its line in the file as text, and its diff; None where there is no such trial."""
        watching, course = self._watching(id), self._courses.get(id)
        if watching is None or course is None:
            return None
        with watching.busy:
            at = course.place(seq)
        if at is None:
            return None
        found = detail(watching.live.source.path, at, seq, COLUMNS)
        return {"seq": seq, "text": [_text(x) for x in found.lines], "diff": found.diff}

    def analysis(self, id: str) -> dict[str, Any] | None:
        """The analysis of a run as it stands, without what would take long; None while there is no run."""
        watching = self._watching(id)
        return watching.document() if watching is not None else None

    def _watching(self, id: str) -> Watching | None:
        return self._group.runs.get(self._paths.get(id, ""))

    def _note(self) -> None:
        """Begin to note the runs that somebody wants, by reading them again from their beginning."""
        with self._asking:
            wanted, self._wanted = self._wanted, set()
        for one in sorted(wanted):
            old = self._watching(one)
            if old is None:
                continue
            if (course := self._courses.pop(one, None)) is None:
                course = Course()
                old.close(keep=False)
                self._group.runs[self._paths[one]] = Watching(old.live.source, old.reader, noting=course)
            self._courses[one] = course
        while len(self._courses) > MOST_COURSES:
            gone = next(iter(self._courses))
            del self._courses[gone]
            if (watching := self._watching(gone)) is not None:
                watching.noting = None
        if wanted:
            self._group.turn(self._clock())

    def _look(self, now_s: float) -> frozenset[str]:
        """Look at every run that may say something else than before."""
        found, changed = dict(self.sights), set()
        for path, watching in list(self._group.runs.items()):
            one = self._id(path)
            if one not in found and self._silent(watching):
                continue
            last, key = self._last.get(one), self._key(one, watching)
            if last is not None and last.key == key and (watching.over or abs(now_s - last.at_s) < AGAIN_S):
                continue
            panel = watching.look(now_s, at_once=not watching.behind)
            self._last[one] = _Last(key, now_s, panel)
            sight = self._sight(one, watching, panel)
            if _news(found.get(one), sight):
                changed.add(one)
            found[one] = sight
        here = set(map(self._id, self._group.runs))
        for one in found.keys() - here:
            del found[one], self._last[one]
            self._courses.pop(one, None)
            changed.add(one)
        self.sights = MappingProxyType(found)
        return frozenset(changed)

    def _silent(self, w: Watching) -> bool:
        """Whether a file of the folder shows no run yet, and no trouble: it may be something else altogether."""
        live = w.live
        troubled = any(isinstance(x, Oddity) and x.kind == "unreadable" for x in list(live.notices))
        return self.folder is not None and live.run is None and not w.reading and not troubled

    def _key(self, id: str, w: Watching) -> tuple[object, ...]:
        """What must change for the run to say something else, but for the time."""
        live = w.live
        file = live.odd, len(live.past), live.finished, live.torn, live.why
        return id in self._courses, w, w.items, w.reading, *file

    def _sight(self, id: str, w: Watching, panel: Panel) -> Sight:
        course, run = self._courses.get(id), w.live.run
        noted = course is not None and w.noting is course and not w.reading
        shown = course if noted and run is not None else None
        begun = f"{course.begun if course else 0}.{len(w.live.past)}.{len(w.live.runs)}"
        return Sight(
            id,
            self._name(w.live.source.path),
            f"{self._epoch}.{begun}",
            update(panel),
            _about(panel, run.header if run else None) | {"holdout": shown.no_holdout if shown is not None else None},
            shown.total if shown else 0,
            shown.lines() if shown else (),
            noted,
        )

    def _id(self, path: str) -> str:
        found = self._ids.get(path)
        if found is None:
            name = self._name(path)
            word = re.sub(r"[^a-z0-9]+", "-", Path(name).name.split(".")[0].lower()).strip("-")[:40]
            raw = str(Path(path).relative_to(self.folder) if self.folder else Path(path).name)
            sha = hashlib.sha256(raw.encode("utf-8", "surrogateescape")).hexdigest()[:8]
            found = self._ids[path] = f"{word}-{sha}" if word else sha
            self._paths[found] = path
        return found

    def _name(self, path: str) -> str:
        return short(Path(path).relative_to(self.folder) if self.folder else Path(path).name, 120)


def _news(old: Sight | None, new: Sight) -> bool:
    return (
        old is None
        or (old.course, old.total, old.noted, old.about) != (new.course, new.total, new.noted, new.about)
        or differs(old.update, new.update)
    )


def _about(p: Panel, header: Header | None) -> dict[str, Any]:
    """What a line of `watch --json` leaves out, by the names of the analysis."""
    g, b = p.ground, p.best
    name, goal, unit = (header.metric, header.goal, header.unit) if header else (None, None, None)
    return {
        "run_id": short(header.run_id, 120) if header else None,
        "metric": {"name": name and short(name, 60), "goal": goal, "unit": unit and short(unit, 30)},
        "baseline": {"value": p.score.baseline},
        "best": {"gain": b.claimed, "gain_fraction": b.fraction, "shrunk_gain": b.shrunk_gain, "why": b.why},
        "coverage": {
            "knobs_touched": g.touched,
            "knobs_total": g.total,
            "cells": {"touched": g.cells, "total": g.cells_total},
        },
        "pairs": {"unique": g.pairs, "trailing_rate": p.repeats.late},
        "plateau": {"since_best": p.repeats.since_best, "since_keep": p.repeats.since_keep},
        "nulls": {"uniform_knobs_expected": g.blind},
        "cost": {"wall_s": g.wall_s, "repeat_share": g.waste},
        "waits": p.waits,
        "read": p.read,
    }


def _text(line: Inked) -> str:
    return "".join(span.text for span in line)


def _shapes() -> dict[str, Shape]:
    """The JSON Schema of the parts that a program puts its answers together from: `about`, `update`, `line`, `trial`.

    `update` is a whole schema, with definitions of its own.
    """
    count, number, text = shape.null_or(shape.COUNT), shape.null_or(shape.NUMBER), shape.null_or(shape.TEXT)
    about = {
        "run_id": text,
        "metric": shape.record({"name": text, "goal": shape.null_or(shape.one_of(get_args(Goal))), "unit": text}),
        "baseline": shape.record({"value": number}),
        "best": shape.record({"gain": number, "gain_fraction": number, "shrunk_gain": number, "why": shape.TEXT}),
        "coverage": shape.record(
            {"knobs_touched": count, "knobs_total": count, "cells": shape.record({"touched": count, "total": count})}
        ),
        "pairs": shape.record({"unique": count, "trailing_rate": number}),
        "plateau": shape.record({"since_best": count, "since_keep": count}),
        "nulls": shape.record({"uniform_knobs_expected": number}),
        "cost": shape.record({"wall_s": number, "repeat_share": number}),
        "waits": shape.told(shape.TEXT, "Why it asks for a person; empty where it does not."),
        "read": shape.told(number, "The share of a long file that was read so far; null once all of it was."),
        "holdout": shape.told(text, "Why there is no picture of a holdout; null where there is one, or none yet."),
    }
    trial = {"seq": shape.COUNT, "text": shape.told(shape.listed(shape.TEXT), "Its line in full."), "diff": text}
    return {
        "about": shape.record(about),
        "update": spoken.schema(),
        "line": shape_of_line(),
        "trial": shape.record(trial),
    }
