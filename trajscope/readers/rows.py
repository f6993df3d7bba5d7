"""Rows: what is the same in every format of one row per experiment. A row and a layout become the items of a run.

Knows no file format: a reader cuts its lines into rows and binds the names of columns to them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from trajscope.layout import Layout, over
from trajscope.pair import config_hash
from trajscope.readers import Source
from trajscope.readers.baselines import is_baseline
from trajscope.readers.cells import missing, number, numeric, when_ms, word
from trajscope.readers.fields import finite, goal_of, is_whole
from trajscope.readers.proposals import Proposals
from trajscope.readers.statuses import BASELINE, RAN, Said, Statuses
from trajscope.recover import Repo, Spellings
from trajscope.trial import SCORED, Goal, Header, Item, Line, Measure, MetricSpec, Trial

Row = Any
Get = Callable[[Row], Any]


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
        unsure: Sequence[str] = (),
        statuses: Counter[tuple[str, str]] | None = None,
    ) -> None:
        self.layout, self.metric, self.goal = _regime(source, found)
        # A word as it was written, and what it was taken for.
        self.statuses: Counter[tuple[str, str]] = statuses if statuses is not None else Counter()
        self._source, self._run, self._about = source, run, dict(about or {})
        self._words = Statuses(self.layout.statuses, words)
        self._declared = tuple(w.casefold() for w in self.layout.baseline)
        self._has_keeps = has_keeps
        self._unsure = tuple(unsure)  # where something had to be guessed
        self._ids: set[str] = set()  # that stood for what ran
        self._header: Header | None = None
        self._kept: Mapping[str, Any] | None = None  # the configuration of the last keep
        self._kept_id: str | None = None
        self._best: float | None = None
        self._scored = False  # a row was evaluated
        self._repo = Repo(source.repo) if source.repo and self.layout.commit else None
        self._spellings = Spellings(source.menu)
        self._binding(bind)

    def goes_on(self, found: Layout) -> bool:
        """Whether rows under this layout are measured like those so far."""
        _, metric, goal = _regime(self._source, found)
        return metric == self.metric and goal == self.goal

    def turn(self, found: Layout, bind: Callable[[str], Get | None]) -> None:
        """The same run goes on under other columns."""
        self.layout = over(found, self._source.layout)
        self._binding(bind)

    def learn(self, field: str, column: str) -> None:
        """A column that the first row did not have: when, how long, how much. What tells trials apart stands."""
        self.layout = msgspec.structs.replace(self.layout, **{field: column})
        self._get[field] = self._bind(column) or _nothing

    def _binding(self, bind: Callable[[str], Get | None]) -> None:
        self._bind, layout = bind, self.layout

        def get(name: str | None) -> Get:
            found = bind(name) if name is not None else None
            return found if found is not None else _nothing

        self._get = {f: get(getattr(layout, f)) for f in _CELLS}
        self._get["metric"] = get(self.metric)
        self._others = [(m, get(m)) for m in layout.metrics if m != self.metric]
        names = {layout.metric, self.metric, *layout.metrics, layout.wall_s, layout.status}
        self.measured = {n for n in names if n}  # names that are no knobs; a reader may know more
        before = (self.metric or "").removesuffix("_after") + "_before"
        self._before = bind(before) if (self.metric or "").endswith("_after") else None
        # Beside a commit, columns of knobs are some of what ran, and equal ones say nothing of the rest.
        self._whole = layout.config is not None or layout.commit is None
        self._proposals = Proposals(
            self._source.menu,
            layout,
            self._get,
            [(k, get(k)) for k in layout.knobs],
            self.measured,
            self._repo,
            self._spellings,
        )
        # What a parent names is a commit where its column says so, else the id of a row.
        by_commit = layout.commit is not None and (layout.id is None or "commit" in (layout.parent or ""))
        self._identity = self._get["commit" if by_commit else "id"]

    def read(self, line: Line, row: Row, odd: tuple[str, ...] = ()) -> Iterable[Item]:
        """The items of one row: the run's header in front of the first. `odd`: what had to be put right in it."""
        get = self._get
        raw = word(get["status"](row)).strip()
        said = self._words.of(raw) if raw else _SILENT
        if not said.known and missing(raw):  # `failed` is no value, and a word
            said = _SILENT
        value, prose = self._value(row)
        begun: tuple[Item, ...] = ()
        if self._header is None:
            begun = (self.begin(row, said),)
        if self._is_baseline(row, said, value):
            self.statuses[raw, BASELINE] += 1
            self._scored = True
            self._note(value)
            return (*begun, self._measure(line, row, value))
        status, faults = self._status(raw, said)
        if status == "kept" and not self._has_keeps:
            self._has_keeps, faults = (
                True,
                (f"{raw!r}, where the first row gave no verdict: what was kept is not known",),
            )
        if status == "reverted" and self._before is not None and value == 0 and self._refused(raw, row):
            status, value = "blocked", None
        self.statuses[raw, status] += 1
        if odd:
            faults = (*odd, *faults)
        value, faults = self._judged(status, value, prose, faults)
        trial = self._trial(line, row, status, raw, value, faults)
        self._scored = self._scored or status in SCORED
        return (*begun, trial)

    # --- the run ------------------------------------------------------------------------------------------------

    def begin(self, row: Row = None, said: Said | None = None) -> Header:
        """The run's header; a format that has a line for it need not wait for a row."""
        if self._has_keeps is None:
            # An empty cell is no word that says there are no verdicts.
            self._has_keeps = self.layout.status is not None and said is not None and _judges(said)
        first = None
        if said is not None and self._is_baseline(row, said, self._value(row)[0]):
            first = self._proposals.config(row) if self._whole else None
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
            branching=self.layout.parent is not None,
            guesses=self._unsure,
            about=self._about,
        )
        return self._header

    def _is_baseline(self, row: Row, said: Said, value: float | None) -> bool:
        """Whether it is no trial: a first evaluated row that calls itself a baseline, or a row whose status says so."""
        if said.status == BASELINE:
            return True
        if self._scored or (value is None and self.metric is not None) or said.status == "crashed":
            return False
        name = word(self._get["id"](row)).strip().casefold()
        return is_baseline(name, word(self._get["description"](row)), self._declared)

    def _measure(self, line: Line, row: Row, value: float | None) -> Measure:
        header = self._header
        config = self._proposals.config(row)
        if config and self._whole:
            identity: str | None = config_hash(config)
        elif self.layout.parent is not None:
            identity = self._named(row)
        else:
            identity = header.base_id if header else None
        return Measure(seq=line.seq, what="baseline", value=value, config=identity, metrics=self._metrics(row))

    # --- one trial ----------------------------------------------------------------------------------------------

    def _status(self, raw: str, said: Said) -> tuple[str, tuple[str, ...]]:
        if said.status == RAN:
            if not self._has_keeps:
                return "reverted", ()
            return "other", ("has no status" if missing(raw) else f"status {raw!r} is no verdict",)
        if not said.known:
            return "other", (f"status {raw!r} is unknown",)
        return said.status, ()

    def _refused(self, raw: str, row: Row) -> bool:
        """Whether it was turned down unseen: rejected, with nothing measured before the change nor after it."""
        return raw.casefold().startswith("reject") and self._before is not None and numeric(self._before(row)) == 0

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
        if value is None and status in _DECIDED and self.metric is not None:
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
        config = self._proposals.config(row)
        alone = self._whole and not self._has_keeps  # nothing is built upon: what is proposed is all of it
        found, noop = self._proposals.found(row, config, {} if alone else self._kept, whole=self._whole)
        knobs, config = config, config if self._whole else None
        identity = config_hash(config) if config is not None else None
        base, based = self._kept_id if config is not None else None, False
        if config is None and self.layout.parent is not None:  # then ids stand for what ran
            identity = self._named(row)
            parent = word(get["parent"](row)).strip()
            base, based = (None, False) if missing(parent) or parent == identity else (parent, True)
        trial = Trial(
            seq=line.seq,
            at=line.at,
            status=status,
            pair=found.pair if found else None,
            iter=self._iteration(row),
            value=value,
            wall_s=numeric(get["wall_s"](row)),
            tokens_in=_whole(get["tokens_in"](row)),
            tokens_out=_whole(get["tokens_out"](row)),
            usd=numeric(get["usd"](row)),
            time_ms=when_ms(get["time"](row)),
            base=base,
            based=based,
            config=identity,
            moved=self._proposals.between(self._header.base if self._header else None, config),
            noop=noop,
            provenance=found.provenance if found else "native",
            confidence=found.confidence if found and found.provenance != "native" else None,
            unfound=self._proposals.unfound,
            raw_status=raw or None,
            metrics=self._metrics(row),
            seed=_whole(get["seed"](row)),
            faults=faults,
        )
        if status == "kept" and knobs is not None:
            self._kept, self._kept_id = knobs, identity
        return trial

    def _named(self, row: Row) -> str | None:
        """The name that children of a row call it by; one that stood before stands for something else."""
        name = word(self._identity(row)).strip()
        if missing(name) or name in self._ids:
            return None
        self._ids.add(name)
        return name

    def _iteration(self, row: Row) -> int | None:
        """The number of a trial; a commit may be spelt in digits alone and is none."""
        cell = self._get["id"](row)
        if self.layout.id == self.layout.commit and isinstance(cell, str) and len(cell) > _LABEL:
            return None
        return _whole(cell)

    def _metrics(self, row: Row) -> dict[str, float] | None:
        return {m: x for m, get in self._others if (x := numeric(get(row))) is not None} or None


_DECIDED = ("kept", "reverted")  # what was thrown out before may have no value
_SILENT = Said(RAN, known=True)  # a row without a status
_LABEL = 5  # digits of a label where a commit stands elsewhere: `001`
_CELLS = (
    "id", "commit", "parent", "status", "description", "knob", "value", "old_value", "config",
    "time", "wall_s", "tokens_in", "tokens_out", "usd", "seed",
)  # fmt: skip


def _judges(said: Said) -> bool:
    """Whether the first status is a verdict; an empty cell is no word that says there are none."""
    return said.status != RAN or said is _SILENT


def _regime(source: Source, found: Layout) -> tuple[Layout, str | None, Goal | None]:
    """The layout with what somebody said over it, the metric, and the direction, which holds for that metric alone."""
    layout = over(found, source.layout)
    metric = source.metric or layout.metric
    return layout, metric, source.goal or (layout.goal if metric == layout.metric else None) or goal_of(metric)


def _nothing(_row: Row) -> None:
    return None


def _whole(cell: Any) -> int | None:
    """A whole number that a column can hold."""
    if isinstance(cell, str):
        found = number(cell)
        return int(found) if found is not None and found.is_integer() and cell.strip().isdecimal() else None
    return cell if is_whole(cell) and finite(float(cell)) is not None else None
