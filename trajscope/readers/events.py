"""Reads event logs: several lines for each experiment, from its proposal to what came of it.

An experiment is one trial, on the line that says how it ended; what its other lines hold is part of it, and each of
them is an event. A log that never says how an experiment ended has no trial of it until the next one begins.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

from trajscope.readers import Source
from trajscope.readers.cells import when_ms
from trajscope.readers.configs import Configs
from trajscope.readers.fields import head_objects, unreadable
from trajscope.readers.roles import VERDICT, roles, within
from trajscope.readers.statuses import RAN, Statuses
from trajscope.trial import Event, Item, Line

EVENT = ("event", "event_type")
ID = ("trial_id", "experiment_id", "exp_id", "candidate_id", "experiment", "trial", "round", "iteration", "iter")
BODY = ("payload", "data", "details")  # objects that hold what an event is about
MOST = 1000  # experiments that are open at once; more are no experiments but something else
_ENDS = frozenset(("stop", "stopped", "failed", "crashed", "timeout", "aborted", "cancelled", "rejected", "discarded"))
_BEGINS = frozenset(("created", "proposed", "started", "start", "launched", "queued", "begin"))
_DONE = frozenset(("end", "ended", "finished", "completed", "complete", "done", "evaluated", "result"))
_SEEN = Statuses()


class Events(Configs):
    """One event log."""

    name: ClassVar[str] = "events"
    about: ClassVar[str] = "JSON lines of events, several for each experiment (round_started, training_finished)"

    words: ClassVar[Mapping[str, tuple[str, ...]]] = {"aborted": ("stop", "interrupt"), "other": ("no result",)}

    def __init__(self, source: Source) -> None:
        super().__init__(source)
        self._open: dict[str, dict[str, Any]] = {}  # all that was said of an experiment so far
        self._done: dict[str, bool] = {}  # whether the last that was said of it is that something ended
        self._verdicts: bool | None = None  # whether results are followed by verdicts; not known of the first

    @classmethod
    def sniff(cls, head: bytes) -> bool:
        """Whether most lines are events of some experiment, several of one, and together say what it came to."""
        seen = [*head_objects(head, 60)]
        named = [o for o in seen if _event(o)]
        by_id: dict[str, dict[str, Any]] = {}
        several = False
        for o in named:
            if (key := _id(o)) is not None:
                several = several or key in by_id
                by_id.setdefault(key, {}).update(_said(o))
        return several and 2 * len(named) > len(seen) and any(_is_experiment(o) for o in by_id.values())

    @classmethod
    def why(cls, head: bytes) -> str:
        """What of it gave the format away."""
        first = next((o for o in head_objects(head, 60) if _event(o) and _id(o) is not None), {})
        event, key = (next((k for k in names if k in first), names[0]) for names in (EVENT, ID))
        return f"several of its lines have the same {key}, each with an {event}"

    def _line(self, line: Line, row: dict[str, Any]) -> Iterable[Item]:
        event, key = _event(row), _id(row)
        if event is None:
            return unreadable(line, "names no event")
        time = next((t for k in ("timestamp", "ts", "time") if (t := when_ms(row.get(k))) is not None), None)
        told = Event(seq=line.seq, kind=event[:40], data=row, time_ms=time)
        if key is None:
            return (told,)
        words, said = frozenset(event.lower().replace("-", "_").split("_")), _said(row)
        before: list[Item] = []
        if words & _BEGINS:
            before = [*self._overtaken(line, key, said)]
        so_far = self._open.setdefault(key, {})
        so_far.update(said)
        over = _verdict(said)
        if not over and words & _ENDS:
            over = next(w for w in event.lower().replace("-", "_").split("_") if w in _ENDS)
        if not over and self._verdicts is False and (words & _DONE) and _metric(so_far):
            over = "completed"
        if not over:
            self._done[key] = bool(words & _DONE)
            return (*before, told)
        if self._verdicts is None and over != "completed":
            self._verdicts = True
        self._open.pop(key)
        self._done.pop(key, None)
        return (*before, *self._ended(line, so_far, None if _verdict(said) else over))

    def _ended(self, line: Line, row: dict[str, Any], word: str | None) -> Iterable[Item]:
        """The trial of an experiment, with a word for how it ended where no line has one."""
        if word is not None:
            row[(self._roles.layout.status if self._roles else None) or "status"] = word
        return self._experiment(line, row)

    def _overtaken(self, line: Line, key: str, said: Mapping[str, Any]) -> Iterable[Item]:
        """The trials of which no more will come, as this line shows: it begins them anew, or begins the next one."""
        again = self._open.get(key)
        if again and _runs(again) and _runs(said):  # what was begun before this came to nothing
            self._open.pop(key)
            self._done.pop(key, None)
            yield from self._ended(line, again, "interrupted")
        for other in [k for k, done in self._done.items() if done and k != key]:
            row = self._open.pop(other)
            self._done.pop(other)
            if not _runs(row) and not _metric(row):
                continue
            if self._verdicts is None and _metric(row):
                self._verdicts = False
            yield from self._ended(line, row, "completed" if _metric(row) else "no result")
        while len(self._open) > MOST:
            oldest = next(iter(self._open))
            self._open.pop(oldest)
            self._done.pop(oldest, None)


def _event(row: Mapping[str, Any]) -> str | None:
    return next((x for k in EVENT if isinstance(x := row.get(k), str) and x), None)


def _id(row: Mapping[str, Any]) -> str | None:
    found = next((row[k] for k in ID if isinstance(row.get(k), str | int) and row[k] is not True), None)
    return None if found is None else str(found)


def _said(row: Mapping[str, Any]) -> dict[str, Any]:
    """What a line says, that of its body at the same level, without what it leaves open."""
    out = {k: v for k, v in row.items() if k not in (*EVENT, *BODY, "event_id") and v is not None}
    for name in BODY:
        body = row.get(name)
        if isinstance(body, dict):
            out.update({str(k): v for k, v in body.items() if v is not None and k not in EVENT})
    return out


def _verdict(said: Mapping[str, Any]) -> str:
    """The word that ends an experiment, nothing where there is none."""
    for name in (*VERDICT, "status"):
        word = said.get(name)
        if isinstance(word, bool):
            return str(word).lower()
        if isinstance(word, str) and (found := _SEEN.of(word)).known:
            if found.status != RAN:
                return word
            if _metric(said):
                return word
    return ""


def _metric(said: Mapping[str, Any]) -> bool:
    found = roles({"status": "ok", **said})
    name = found.layout.metric if found else None
    return name is not None and within(name)(said) is not None


def _runs(said: Mapping[str, Any]) -> bool:
    """Whether it says what is run."""
    found = roles(said)
    return found is not None and (found.layout.config or found.layout.knob) is not None


def _is_experiment(said: Mapping[str, Any]) -> bool:
    return roles(said) is not None and (bool(_verdict(said)) or _runs(said) or _metric(said))
