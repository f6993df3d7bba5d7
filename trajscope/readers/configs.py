"""Reads JSON lines of one experiment each: a metric, a verdict or a status, and the configuration that ran.

What a field is for is found by name and by what stands there (`roles`). Where rows give no verdict, what a trial
proposes is the whole of its configuration.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from math import isfinite
from typing import Any, ClassVar

import msgspec

from trajscope.layout import Layout
from trajscope.readers import Source, corpora
from trajscope.readers.cells import numeric, when_ms
from trajscope.readers.fields import goal_of, head_objects, record, unreadable
from trajscope.readers.objects import is_number, leaves, settings
from trajscope.readers.roles import CONFIG, OVERRIDES, REASON, Roles, roles, short, within
from trajscope.readers.rows import Get, Rows
from trajscope.readers.statuses import RAN, Statuses
from trajscope.trial import SCORED, Event, Item, Line, Measure, Trial

MOST = 64  # other numbers of a row that are kept
# Why something was not kept, by its first word, where a row only says yes or no.
_REASONS: Mapping[str, tuple[str, ...]] = {
    "reverted": ("no_", "not_", "worse", "regress"),
    "ineligible": ("artifact_over", "over_", "oversize", "size", "budget", "constraint", "illegal"),
    "blocked": ("no_change", "nochange", "noop", "no_op", "no-op", "duplicate", "already", "policy"),
}
_VERDICTS = {"kept": ("true",), "reverted": ("false", *_REASONS["reverted"])}
_YES_OR_NO = {**_REASONS, **_VERDICTS}
_WENT = {RAN: ("true", "0"), "crashed": ("false", *"123456789")}
_OTHERS = (corpora.CHAT, "_meta", "metricName", "event", "op_code")
_STAGES = ("proposal", "candidate_cfg", "eval_metrics")  # beside a stage they are another reader's
_LATER = ("time", "wall_s", "tokens_in", "tokens_out", "usd", "seed", "description", "commit")
_PROPOSED = frozenset((*CONFIG, *(o.partition(".")[0] for o in OVERRIDES), "proposal"))
_PEEKED = ("test", "holdout")


class Configs:
    """One file of experiments."""

    name: ClassVar[str] = "configs"
    about: ClassVar[str] = "JSON lines of one experiment each: config or params, metric, and a verdict or status"
    layout: Layout | None = None
    words: ClassVar[Mapping[str, tuple[str, ...]]] = {}  # statuses of a format beside the usual ones

    def __init__(self, source: Source) -> None:
        self._source = source
        self.statuses: Counter[tuple[str, str]] = Counter()
        self._rows: Rows | None = None
        self._roles: Roles | None = None
        self._runs = 0
        self._telling: list[Get] = []  # of what shows that a row is an experiment
        self._settled = False  # a row was evaluated: what its fields are for stands
        self._judged = False  # a row came to a verdict or an end
        self._reasons = Statuses({}, _REASONS)

    @classmethod
    def sniff(cls, head: bytes) -> bool:
        """Whether most of its rows are experiments, and one of them holds a number that may be the metric."""
        seen = [*head_objects(head)]
        if any("unfolded" in o for o in seen):  # a database or a document as lines, which has its own reader
            return False
        found = [r for o in seen if not _of_another(o) and (r := roles(o)) is not None]
        measured = any(r.layout.metric or r.rivals for r in found)
        return measured and 2 * len(found) > len(seen)

    @classmethod
    def fits(cls, head: bytes, layout: Layout) -> bool:
        """Whether its rows hold what a layout names."""
        named = [p for p in (layout.metric, layout.status) if p is not None]
        seen = [*head_objects(head)]
        return bool(named) and any(within(p)(o) is not None for o in seen for p in named)

    @classmethod
    def why(cls, head: bytes) -> str:
        """What of it gave the format away."""
        found = next((r for o in head_objects(head) if (r := roles(o)) is not None), None)
        if found is None:
            return cls.about
        of = found.layout
        named = (of.metric or " and ".join(found.rivals[:3]), of.status, of.config or of.knob)
        return f"its rows hold {', '.join(dict.fromkeys(n for n in named if n))}"

    def feed(self, line: Line) -> Iterable[Item]:
        """The items of one line."""
        row = record(line)
        if isinstance(row, str):
            return unreadable(line, row)
        return self._line(line, row)

    def _line(self, line: Line, row: dict[str, Any]) -> Iterable[Item]:
        return self._experiment(line, row)

    def _experiment(self, line: Line, row: dict[str, Any]) -> Iterable[Item]:
        """The items of all that is known of one experiment."""
        if self._settled and self._is_row(row):
            assert self._rows is not None
            return [*self._fuller(row, self._rows.read(line, row))]
        found = roles(row, self._source.layout)
        if found is None:
            return self._beside(line, row)
        begins = self._rows is None or (not self._settled and self._otherwise(found))
        if begins:
            self._begin(found)
        assert self._rows is not None
        for name in _LATER:
            if getattr(self._rows.layout, name) is None and (path := getattr(found.layout, name)) is not None:
                self._rows.learn(name, path)
        items = [*self._fuller(row, self._rows.read(line, row))]
        return (*items[:1], *self._claims(line, found, row), *items[1:]) if begins else items

    # --- the run ------------------------------------------------------------------------------------------------

    def _is_row(self, row: dict[str, Any]) -> bool:
        """Whether it is plainly one more experiment."""
        return any(get(row) is not None for get in self._telling)

    def _otherwise(self, found: Roles) -> bool:
        """Whether this row, of a run that has evaluated nothing yet, tells what its first did not."""
        was = self._roles
        assert was is not None
        said = self._source.metric or (self._source.layout and self._source.layout.metric)
        if was.layout.metric is None and found.layout.metric is not None and not said:
            return True
        return not self._judged and found.layout.status is not None and was.has_keeps != found.has_keeps

    def _begin(self, found: Roles) -> None:
        self._runs += 1
        self._roles = found
        verdict = found.has_keeps
        self._rows = rows = Rows(
            self._source,
            msgspec.structs.replace(found.layout, reader="configs"),
            self._bind,
            has_keeps=verdict,
            run=self._runs,
            unsure=tuple(self._unsure(found)),
            words={**(_YES_OR_NO if verdict else _WENT), **self.words},
        )
        rows.statuses = self.statuses
        self.layout = rows.layout
        self._telling = [within(p) for p in (rows.layout.metric, rows.layout.status) if p is not None]

    def _bind(self, path: str) -> Get:
        """The value under a path: settings where they are compared, words where a verdict is a yes or no."""
        found, get = self._roles, within(path)
        assert found is not None
        said = self._source.layout or Layout()
        if path == (said.status or found.layout.status):
            return lambda row: self._word(get(row), row)
        if path == "messages":
            return corpora.proposed
        if path in (said.config, said.knob, found.layout.config, found.layout.knob):
            return lambda row: settings(x) if isinstance(x := get(row), dict) else x
        return get

    def _word(self, said: Any, row: Mapping[str, Any]) -> Any:
        """A status as text. Of a no, the reason is the better word where it is known."""
        if said is True:
            return "true"
        if said is not False:
            return "invalid" if within("valid")(row) is False else said
        if self._rows is None or self._roles is None or not self._roles.has_keeps:
            return "false"
        for reason in (row.get(r) for r in REASON):
            first = reason.split()[0] if isinstance(reason, str) and reason.strip() else ""
            if first and self._reasons.of(first).status not in (RAN, "other"):
                return first
        if row.get("over_budget") is True:
            return "over_budget"
        metric = self._roles.layout.metric
        if row.get("error") and metric is not None and within(metric)(row) is None:
            return f"error {row['error']}"[:80]
        return "false"

    def _unsure(self, found: Roles) -> Iterable[str]:
        """What had to be guessed, or cannot be known, in a way that may change what is said of the run."""
        source = self._source
        said = source.metric or (source.layout and source.layout.metric)
        names = ", ".join(found.rivals[:8])
        metric = said or found.layout.metric
        if found.rivals and not said:
            yield (
                f"the metric is taken to be {metric}, and not {names}; --metric names another"
                if metric
                else f"nothing tells which of {names} is the metric; name it with --metric"
            )
        goal = source.goal or (source.layout and source.layout.goal) or goal_of(metric)
        if metric and goal is None and (said or found.layout.goal is None):
            yield f"nothing tells which way {metric} is better; say it with --goal"

    def _claims(self, line: Line, found: Roles, row: Mapping[str, Any]) -> Iterable[Item]:
        """What was told by a name, and what nobody should be shown: said once, where the run begins."""
        rows = self._rows
        assert rows is not None
        said = []
        if found.by_name and self._source.goal is None and rows.goal is not None:
            said.append(f"{rows.metric} is taken to be better {_SIDE[rows.goal]}, by its name; --goal says otherwise")
        if seen := [p for p, x in leaves(row) if _peeks(p) and is_number(x)]:
            said.append(f"{', '.join(seen[:4])} stands in every row: whoever reads this log has seen the test set")
        return [Event(seq=line.seq, kind="claim", data={"what": "layout", "text": text}) for text in said]

    # --- one row ------------------------------------------------------------------------------------------------

    def _beside(self, line: Line, row: dict[str, Any]) -> Iterable[Item]:
        """A line that is no experiment: a header or footer of somebody's, where it says what it is."""
        kind = next((row[k] for k in ("type", "event", "kind") if isinstance(row.get(k), str) and row[k]), None)
        if kind is None and not any(str(k).startswith("_") for k in row):
            return unreadable(line, "has no metric, status or configuration")
        return (Event(seq=line.seq, kind=(kind or "note")[:40], data=row, time_ms=when_ms(row.get("timestamp"))),)

    def _fuller(self, row: dict[str, Any], items: Iterable[Item]) -> Iterable[Item]:
        """The items with every other number of the row, since later rows may hold one that the first did not."""
        rows = self._rows
        assert rows is not None
        own = {rows.metric, *(getattr(rows.layout, f) for f in ("id", "status", "time", "wall_s", "seed", "usd"))}
        for item in items:
            if isinstance(item, Trial | Measure):
                numbers = {
                    short(p): numeric(v)
                    for p, v in leaves(row)
                    if is_number(v) and not {p, short(p)} & own and p.partition(".")[0] not in _PROPOSED
                }
                metrics = dict([*numbers.items()][:MOST]) or None
                if isinstance(item, Trial):
                    item.metrics = metrics
                    self._judged = self._judged or item.status in SCORED
                    self._settled = self._settled or (item.status in SCORED and item.value is not None)
                    self._diverged(row, item)
                else:
                    item = msgspec.structs.replace(item, metrics=metrics)  # noqa: PLW2901  # it is frozen
                    self._settled = True
            yield item

    def _diverged(self, row: dict[str, Any], trial: Trial) -> None:
        """NaN and infinity are what a trial came to, not a field that is missing."""
        rows = self._rows
        assert rows is not None
        value = within(rows.metric)(row) if rows.metric else None
        if trial.status in SCORED and trial.value is None and isinstance(value, float) and not isfinite(value):
            trial.reason_code, trial.faults = "nan", ()


def _peeks(path: str) -> bool:
    """Whether a number is by its name a score on what nobody should be shown."""
    return path.rpartition(".")[2].split("_")[0] in _PEEKED and path.partition(".")[0] not in _PROPOSED


def _of_another(row: Mapping[str, Any]) -> bool:
    """Whether it is a line of a format that has a reader of its own, or of no experiments at all."""
    of_pi = all(k in row for k in ("run", "metric", "status", "description"))
    of_ours = "v" in row and row.get("type") in ("run", "trial", "measure", "event", "end")
    of_stages = "stage" in row and any(k in row for k in _STAGES)
    return of_pi or of_ours or of_stages or any(k in row for k in _OTHERS)


_SIDE = {"minimize": "lower", "maximize": "higher"}
