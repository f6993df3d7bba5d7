"""Rows: what is the same in every format of one row per experiment. A row and a layout become the items of a run.

Knows no file format: a reader cuts its lines into rows and binds the names of columns to them.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import msgspec

from trajscope.layout import Layout, over
from trajscope.pair import Pair, config_hash, pair
from trajscope.readers import Source
from trajscope.readers.cells import missing, number, numeric, value, when_ms, word
from trajscope.readers.fields import finite, goal_of, is_whole
from trajscope.readers.objects import switched
from trajscope.readers.statuses import BASELINE, RAN, Said, Statuses
from trajscope.recover import Found, Repo, compared, described, flat, hashed
from trajscope.trial import SCORED, Header, Item, Line, Measure, MetricSpec, Trial

Row = Any
Get = Callable[[Row], Any]
# A baseline calls itself one among its first words, and is not what something else is compared with.
_BASELINE = re.compile(
    r"\W*(?!\b(?:vs|over|than|beats?|from|below|above|against)\b)(?:[\w.:+-]+\W+){0,3}?baseline\b", re.IGNORECASE
)
_COMPARED = re.compile(
    r"\b(?:vs|over|than|beats?|from|below|above|against|no|non)\W+(?:the\W+)?baseline\b", re.IGNORECASE
)
_KEYS, _VALUES = ("key", "knob", "name", "param"), ("value", "new_value", "new", "to")
_FIRST_WORDS = 80  # letters of a description in which a baseline says that it is one


class Rows:
    """The rows of one run. `bind` gives the function that takes a column's cell out of a row, None where there is none.

    `has_keeps` says that the file gives verdicts; left out, the first row's own status tells. `words` are statuses in
    the words of the format.
    """

    def __init__(
        self,
        source: Source,
        found: Layout,
        bind: Callable[[str], Get | None],
        *,
        has_keeps: bool | None = None,
        run: int = 1,
        about: Mapping[str, Any] | None = None,
        words: Mapping[str, tuple[str, ...]] | None = None,
    ) -> None:
        self.layout = layout = over(found, source.layout)
        self.metric = source.metric or layout.metric
        of_it = layout.goal if self.metric == layout.metric else None  # said of one metric, not of any other
        self.goal = source.goal or of_it or goal_of(self.metric)
        self.statuses: Counter[tuple[str, str]] = Counter()  # a word as it was written, and what it was taken for
        self._source, self._run, self._about = source, run, dict(about or {})
        self._words = Statuses(layout.statuses, words)
        self._declared = tuple(w.casefold() for w in layout.baseline)
        self._has_keeps = has_keeps
        self._header: Header | None = None
        self._bind = bind
        self._kept: Mapping[str, Any] | None = None  # the configuration of the last keep
        self._kept_id: str | None = None
        self._best: float | None = None
        self._scored = False  # a row was evaluated
        self._repo = Repo(source.repo) if source.repo and layout.commit else None

        def get(name: str | None) -> Get:
            found = bind(name) if name is not None else None
            return found if found is not None else _nothing

        self._get = {f: get(getattr(layout, f)) for f in _CELLS}
        self._get["metric"] = get(self.metric)
        self._others = [(m, get(m)) for m in layout.metrics if m != self.metric]
        self._knobs = [(k, get(k)) for k in layout.knobs]
        names = {layout.metric, self.metric, *layout.metrics, layout.wall_s, layout.status}
        self.measured = {n for n in names if n}  # names that are no knobs; a reader may know more

    def read(self, line: Line, row: Row) -> Iterable[Item]:
        """The items of one row: the run's header in front of the first."""
        get = self._get
        raw = word(get["status"](row)).strip()
        said = self._words.of(raw) if raw else Said(RAN, known=True)
        value, odd = self._value(row)
        begun: tuple[Item, ...] = ()
        if self._header is None:
            begun = (self.begin(row, said),)
        if self._is_baseline(row, said, value):
            self.statuses[raw, BASELINE] += 1
            self._scored = True
            self._note(value)
            return (*begun, self._measure(line, row, value))
        status, faults = self._status(raw, said)
        self.statuses[raw, status] += 1
        value, faults = self._judged(status, value, odd, faults)
        trial = self._trial(line, row, status, raw, value, faults)
        self._scored = self._scored or status in SCORED
        return (*begun, trial)

    def learn(self, field: str, column: str) -> None:
        """A column that the first row did not have: when, how long, how much. What tells trials apart stands."""
        self.layout = msgspec.structs.replace(self.layout, **{field: column})
        self._get[field] = self._bind(column) or _nothing

    # --- the run ------------------------------------------------------------------------------------------------

    def begin(self, row: Row = None, said: Said | None = None) -> Header:
        """The run's header; a format that has a line for it need not wait for a row."""
        if self._has_keeps is None:
            self._has_keeps = self.layout.status is not None and said is not None and said.status != RAN
        is_base = said is not None and self._is_baseline(row, said, self._value(row)[0])
        first = self._config(row) if is_base else None
        self._kept = first
        self._kept_id = config_hash(first) if first else None
        stem = Path(self._source.path).name.split(".")[0] or "stdin"
        self._header = Header(
            run_id=stem if self._run == 1 else f"{stem}-{self._run}",
            metric=self.metric,
            goal=self.goal,
            metrics=tuple(MetricSpec(name=m, goal=goal_of(m) or "minimize") for m, _ in self._others),
            menu=self._source.menu,
            base=first,
            base_id=self._kept_id,
            history=self._source.history,
            has_keeps=self._has_keeps,
            about=self._about,
        )
        return self._header

    def _is_baseline(self, row: Row, said: Said, value: float | None) -> bool:
        """Whether it is no trial: a first evaluated row that calls itself a baseline, or a row whose status says so."""
        if said.status == BASELINE:
            return True
        if self._scored or value is None or said.status == "crashed":
            return False
        name = word(self._get["id"](row)).strip().casefold()
        about = word(self._get["description"](row))[:_FIRST_WORDS].replace("_", " ")
        if self._declared:
            return name in self._declared or about.casefold().startswith(self._declared)
        return name == BASELINE or (_BASELINE.match(about) is not None and _COMPARED.search(about) is None)

    def _measure(self, line: Line, row: Row, value: float | None) -> Measure:
        header = self._header
        config = self._config(row)
        identity = config_hash(config) if config else header.base_id if header else None
        return Measure(seq=line.seq, what="baseline", value=value, config=identity, metrics=self._metrics(row))

    # --- one trial ----------------------------------------------------------------------------------------------

    def _status(self, raw: str, said: Said) -> tuple[str, tuple[str, ...]]:
        if said.status == RAN:
            return ("other", (f"status {raw!r} is no verdict",)) if self._has_keeps else ("reverted", ())
        if not said.known:
            return "other", (f"status {raw!r} is unknown",)
        return said.status, ()

    def _value(self, row: Row) -> tuple[float | None, str]:
        """The value, and the text of a cell that holds something else than a number."""
        cell = self._get["metric"](row)
        found = numeric(cell)
        odd = cell if found is None and isinstance(cell, str) and not missing(cell) else ""
        return found, odd

    def _judged(
        self, status: str, value: float | None, odd: str, faults: tuple[str, ...]
    ) -> tuple[float | None, tuple[str, ...]]:
        """The value of a trial that ended like this: a crash's 0 is none, and no 0 is a best that nobody kept."""
        if value == 0 and status not in ("kept", "ineligible"):
            if status == "crashed":
                return None, faults
            if self.goal == "minimize" and self._best is not None and self._best > 0:
                return None, (*faults, f"{self.metric} is 0, better than any, and was not kept: taken as missing")
        if value is None and status in SCORED and self.metric is not None:
            faults = (*faults, f"{self.metric} is {odd[:40]!r}, no number" if odd else f"has no {self.metric}")
        if status == "kept":
            self._note(value)
        return value, faults

    def _note(self, value: float | None) -> None:
        if value is not None and (self._best is None or (value < self._best) == (self.goal == "minimize")):
            self._best = value

    def _trial(
        self, line: Line, row: Row, status: str, raw: str, value: float | None, faults: tuple[str, ...]
    ) -> Trial:
        get = self._get
        config = self._config(row)
        found, noop = self._found(row, config)
        identity = config_hash(config) if config is not None else None
        base, based = self._kept_id if config is not None else None, False
        if config is None and self.layout.parent is not None:  # then ids stand for what ran
            identity = word(get["id"](row)).strip() or None
            base = word(get["parent"](row)).strip() or None
            base, based = (None, False) if base is None or missing(base) else (base, True)
        trial = Trial(
            seq=line.seq,
            at=line.at,
            status=status,
            pair=found.pair if found else None,
            iter=_whole(get["id"](row)),
            value=value,
            wall_s=numeric(get["wall_s"](row)),
            tokens_in=_whole(get["tokens_in"](row)),
            tokens_out=_whole(get["tokens_out"](row)),
            usd=numeric(get["usd"](row)),
            time_ms=when_ms(get["time"](row)),
            base=base,
            based=based,
            config=identity,
            moved=self._moved(config),
            noop=noop,
            provenance=found.provenance if found else "native",
            confidence=found.confidence if found and found.provenance != "native" else None,
            raw_status=raw or None,
            metrics=self._metrics(row),
            seed=_whole(get["seed"](row)),
            faults=faults,
        )
        if status == "kept" and config is not None:
            self._kept, self._kept_id = config, identity
        return trial

    def _metrics(self, row: Row) -> dict[str, float] | None:
        return {m: x for m, get in self._others if (x := numeric(get(row))) is not None} or None

    # --- what was proposed --------------------------------------------------------------------------------------

    def _found(self, row: Row, config: Mapping[str, Any] | None) -> tuple[Found | None, bool | None]:
        """The pair by the surest way there is, and whether the row proposes what already stands."""
        menu, get = self._source.menu, self._get
        if native := self._native(row):
            return native, None
        noop: bool | None = None
        if config is not None:
            way = "config" if self.layout.config else "column"
            if not self._has_keeps:  # nothing is built upon: what is proposed is all of it
                return compared({}, config, menu=menu, provenance=way), None
            if self._kept is not None:
                found = compared(*switched(self._kept, config), menu=menu, provenance=way)
                if found is not None:
                    return found, False
                noop = True
        if self._repo is not None:
            change = self._repo.change(word(get["commit"](row)).strip(), menu=menu)
            if isinstance(change, Found):
                return change, noop
        text = word(get["description"](row))
        return described(text, metrics=self.measured, menu=menu) or hashed(text), noop

    def _native(self, row: Row) -> Found | None:
        """The proposal where the row has columns of its own for it, or one object or list of what was changed."""
        knob = self._get["knob"](row)
        change = self._source.menu.change if self._source.menu else _canon
        if isinstance(knob, dict | list):
            said = tuple(change(k, value(x)) for k, x in _changes(knob))
            return Found(pair(said), "native", 1.0) if said else None
        if missing(word(knob)):
            return None
        return Found(pair((change(word(knob).strip(), value(self._get["value"](row))),)), "native", 1.0)

    def _config(self, row: Row) -> dict[str, Any] | None:
        """The configuration that ran, where the row says it."""
        if self.layout.config is not None:
            held = self._get["config"](row)
            if isinstance(held, str):
                try:
                    held = json.loads(held)
                except (ValueError, RecursionError):
                    return None
            return held if isinstance(held, dict) and held else None
        if self._knobs:
            cells = {k: get(row) for k, get in self._knobs}
            return {k: value(c) for k, c in cells.items() if c is not None and not (isinstance(c, str) and missing(c))}
        return None

    def _moved(self, config: Mapping[str, Any] | None) -> Pair | None:
        base = self._header.base if self._header else None
        if config is None or base is None:
            return None
        found = compared(*switched(base, config), menu=self._source.menu, provenance="config")
        return found.pair if found else Pair("", ())


_CELLS = (
    "id", "commit", "parent", "status", "description", "knob", "value", "old_value", "config",
    "time", "wall_s", "tokens_in", "tokens_out", "usd", "seed",
)  # fmt: skip


def _nothing(_row: Row) -> None:
    return None


def _whole(cell: Any) -> int | None:
    """A whole number that a column can hold."""
    if isinstance(cell, str):
        found = number(cell)
        return int(found) if found is not None and found.is_integer() and cell.strip().isdecimal() else None
    return cell if is_whole(cell) and finite(float(cell)) is not None else None


def _changes(said: dict[str, Any] | list[Any]) -> Iterable[tuple[str, Any]]:
    """What an object of changes, or a list of objects with a key and a value, changes."""
    if isinstance(said, dict):
        return flat(said).items()
    each = (x for x in said if isinstance(x, dict))
    named = ((next((x[k] for k in _KEYS if isinstance(x.get(k), str)), None), x) for x in each)
    return ((k, next((x[v] for v in _VALUES if v in x), None)) for k, x in named if k is not None and not missing(k))


def _canon(knob: str, value: object) -> Any:
    from trajscope.pair import canon

    return canon(knob, value)
