"""What the readers of evolved programs share: lines, the lineage of code, and what such a file leaves open.

Nothing is kept or reverted where programs are bred from programs: whichever was good enough has children. So the best
is that of all that were evaluated, and each pair is what a program changed in the one that it was made from.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, ClassVar, Literal

from trajscope.knob import is_number
from trajscope.readers import Source
from trajscope.readers.fields import finite, goal_of, is_whole, record, unfolded, unreadable
from trajscope.recover import Spellings
from trajscope.recover.code import Program, identity, program
from trajscope.trial import Goal, Header, Item, Line, Measure, Trial

MOST_CODE = 1 << 28  # letters of programs that are remembered, to be compared with what is made from them


class Programs:
    """The lines of one file; a format says what an item of it is."""

    name: ClassVar[str]
    about: ClassVar[str]

    def __init__(self, source: Source) -> None:
        self._source = source
        self._runs = 0
        self._said: list[str] = []  # of the run, told with its first trial
        self._begin()

    @classmethod
    def sniff(cls, head: bytes) -> bool:
        """Whether it was unfolded from a file of this format."""
        return unfolded(head, cls.name)

    def feed(self, line: Line) -> Iterable[Item]:
        """The items of one line."""
        obj = record(line)
        if isinstance(obj, str):
            return unreadable(line, obj)
        if obj.get("unfolded") == self.name:
            return (self._header(obj),)
        if (why := self._lacks(obj)) is not None:
            return unreadable(line, why)
        header = () if self._runs else (self._header(obj),)
        return (*header, self._item(line, obj))

    # --- what a format says --------------------------------------------------------------------------------------

    def _lacks(self, obj: Mapping[str, Any]) -> str | None:
        """Why this is no record of the format."""
        raise NotImplementedError

    def _measures(self, obj: Mapping[str, Any]) -> tuple[str | None, Goal | None]:
        """The file's own metric and its direction, by its first line."""
        raise NotImplementedError

    def _item(self, line: Line, obj: Mapping[str, Any]) -> Item:
        """The item of a record."""
        raise NotImplementedError

    # --- what is the same ----------------------------------------------------------------------------------------

    def _begin(self) -> None:
        self._codes: dict[str, tuple[str, str]] = {}
        self._held = 0
        self._metric: str | None = None
        self._own: str | None = None  # the file's own metric
        self._based = False  # a program that was made from none was seen
        self._spellings = Spellings(self._source.menu)

    def _header(self, obj: Mapping[str, Any]) -> Header:
        self._begin()
        self._runs += 1
        said = self._source
        own, goal = self._measures(obj)
        self._metric, self._own = said.metric or own, own
        stem = Path(said.path).name.split(".")[0] or "stdin"
        return Header(
            run_id=stem if self._runs == 1 else f"{stem}-{self._runs}",
            metric=self._metric,
            goal=said.goal or (goal if self._metric == own else goal_of(self._metric)),
            menu=said.menu,
            history=said.history,
            has_keeps=False,
            branching=True,
        )

    def _born(self, own: object, parent: object, code: object, language: object) -> Program | None:
        """What a program changed in its parent, where the file holds the code."""
        if not isinstance(code, str):
            return None
        tongue = language if isinstance(language, str) and language else "python"
        before = self._codes.get(str(parent)) if parent is not None else None
        made = program(code, before[0] if before else None, tongue, self._source.menu)
        if self._held + len(code) <= MOST_CODE:
            self._held += len(code)
            self._codes[str(own)] = (code, tongue)
        return made

    def _trial(
        self,
        line: Line,
        made: Program | None,
        status: str,
        value: float | None,
        *,
        crashed: bool,
        raw: str | None = None,
        reason: str | None = None,
        **more: Any,
    ) -> Trial:
        faults, self._said = tuple(self._said), []
        if not crashed and value is None and reason is None:
            faults = (*faults, f"has no {self._metric}" if self._metric else "has no value")
        found = self._spellings.meet(made.found) if made else None
        return Trial(
            seq=line.seq,
            at=line.at,
            status=status,
            value=None if crashed else value,
            pair=found.pair if found else None,
            provenance=found.provenance if found else "native",
            confidence=found.confidence if found else None,
            config=made.id if made else None,
            base=made.base if made else None,
            based=made is not None and made.base is not None,
            noop=made.id == made.base if made and made.base is not None else None,
            raw_status=raw,
            reason_code=reason,
            faults=faults,
            **more,
        )

    def _baseline(self, line: Line, value: float | None, code: object, language: object, **more: Any) -> Measure:
        """The program that all others come from."""
        self._based = True
        tongue = language if isinstance(language, str) and language else "python"
        what: Literal["baseline"] = "baseline"
        config = identity(code, tongue) if isinstance(code, str) else None
        return Measure(seq=line.seq, what=what, value=value, config=config, **more)


def numbers(*parts: object) -> dict[str, float]:
    """What is a finite number in these objects."""
    out: dict[str, float] = {}
    for part in parts:
        for key, x in part.items() if isinstance(part, dict) else ():
            if is_number(x) and (found := number(x)) is not None:
                out[str(key)] = found
    return out


def number(x: object) -> float | None:
    """A finite number, None for all else."""
    try:
        return finite(float(x)) if is_number(x) else None  # type: ignore[arg-type]  # is_number was asked
    except OverflowError:
        return None


def epoch_ms(x: object) -> int | None:
    """Milliseconds since 1970 of seconds since then."""
    found = number(x)
    return int(found * 1000) if found is not None and abs(found) < 1e12 else None


def whole(x: object) -> int | None:
    """A whole number that a column can hold."""
    return x if is_whole(x) else None
