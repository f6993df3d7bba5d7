"""Reads trajscope's own JSON lines, and verifies their hash chain.

What it cannot use it says: a mistyped field becomes a fault of its trial, an unknown line type an event.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import msgspec

from trajscope import menu as menus
from trajscope.batch import Batch
from trajscope.chain import ZEROS, link
from trajscope.errors import MenuError, SourceError
from trajscope.menu import Menu
from trajscope.pair import MAX_TEXT, Change, canon, config_hash, pair
from trajscope.readers import Source, specs
from trajscope.readers.fields import (
    finite,
    goal_of,
    head_objects,
    is_whole,
    loose,
    mapping,
    salvage,
    shown,
    text,
    time_ms,
    unreadable,
)
from trajscope.readers.prints import drifts, graders
from trajscope.readers.seeds import metrics, seed
from trajscope.readers.standing import Standing
from trajscope.readers.stretches import Moves, batch, refused
from trajscope.readers.wire import AttemptFields, BlobFields, ChangeFields, CostFields, LineFields
from trajscope.trial import (
    SCORED,
    STATUSES,
    Break,
    Drift,
    End,
    Event,
    Header,
    Item,
    Line,
    Measure,
    Seed,
    Trial,
    Unreadable,
)
from trajscope.upgrade import upgrade

VERSION = 1
MEMO = 1 << 16
_TYPES = frozenset(("run", "trial", "measure", "event", "end"))
# A header may be longer than what a sniffer is shown, and then it is no JSON.
_HEADER = re.compile(rb'(?:\xef\xbb\xbf)?\s*\{\s*"v"\s*:\s*\d+\s*,\s*"type"\s*:\s*"run"')


class Native:
    """One native file; it holds one run."""

    name: ClassVar[str] = "native"
    about: ClassVar[str] = "trajscope's own JSON lines (docs/format.md)"

    def __init__(self, source: Source) -> None:
        self._source = source
        self._menu: Menu | None = source.menu
        self._header: Header | None = None
        self.prev: str | None = ZEROS
        self._pairs: dict[tuple[str, bytes], Change] = {}
        self.incumbent: str | None = None
        self._base: Standing | None = None
        self._known: dict[str, tuple[dict[str, Any], dict[str, Change]]] = {}  # base and kept configurations
        self._salt: dict[str, str | None] = {}
        self._graders: dict[str, str] = {}  # declared files that score, with their hashes
        self.moves = Moves(self)  # of ordinary trials
        self.other: str | None = None  # a metric that was asked for, and is not the file's own
        self.decode = msgspec.json.Decoder(LineFields).decode

    @classmethod
    def sniff(cls, head: bytes) -> bool:
        """Whether it holds records of ours."""
        return begins(head) or any(
            str(o.get("type")) in _TYPES and ("v" in o or "prev" in o or "run_id" in o) for o in head_objects(head)
        )

    def feed(self, line: Line) -> Iterable[Item]:
        """The items of one line."""
        if line.fault:
            self.prev = None  # its bytes are gone, so the next line's `prev` cannot be checked
            return unreadable(line, line.fault)
        faults: tuple[str, ...] = ()
        try:
            row = self.decode(line.data)
        except (msgspec.MsgspecError, UnicodeError, RecursionError):
            try:
                obj = loose(line.data)
            except ValueError as e:
                self.prev = link(line.data)
                return unreadable(line, f"not JSON: {e}")
            if not isinstance(obj, dict):
                self.prev = link(line.data)
                return unreadable(line, f"JSON, but no object: {type(obj).__name__}")
            row, faults = salvage(obj, LineFields)
            if row.type == "run":
                faults = ()  # its `metrics` and `seeds` are others than a trial's, and it is read by itself
        if row.v is not None and row.v > VERSION:
            self.prev = link(line.data)
            return unreadable(line, f"version {row.v}; this trajscope reads up to {VERSION}: upgrade it")
        out = [*self._chain(line, row)]
        try:
            if not row.v:
                line, row, faults = self._upgraded(line)
            out += self._items(line, row, faults)
        except (msgspec.MsgspecError, TypeError, AttributeError, ValueError, RecursionError) as e:
            return (*out, *unreadable(line, f"{row.type}: {e}"))
        if faults and row.type != "trial" and not isinstance(out[-1], Unreadable):
            out += unreadable(line, f"{row.type}: {'; '.join(faults)}")  # a trial carries its faults itself
        return out

    def batch(self, lines: Sequence[Line]) -> tuple[list[Item | Batch], int]:
        """The items of these lines, ordinary trials as batches; the same as `feed` of each, once a header was met."""
        return batch(self, lines)

    @property
    def metric(self) -> str | None:
        """The metric that values are of."""
        return self._header.metric if self._header else None

    @property
    def chained(self) -> bool:
        """Whether each line must name the one before it."""
        return self._header is not None and self._header.chained

    def keep(self, line: Line, row: LineFields) -> Trial:
        """A kept trial, after which more may be known of the configurations that others stand upon."""
        trial = self._trial(line, row, ())
        self.moves.pop(trial.config, None)
        return trial

    def snapshot(self) -> bytes:
        """What it remembers of the lines so far; what it knows by the header is not in it."""
        moves = {config: tuple(m.values()) for config, (_, m) in self._known.items()}
        return msgspec.msgpack.encode((self.prev, self.incumbent, moves))

    def restore(self, snapshot: bytes) -> None:
        """Go on from a snapshot, the lines up to the header having been read again."""
        kind = tuple[str | None, str | None, dict[str, tuple[Change, ...]]]
        self.prev, self.incumbent, moves = msgspec.msgpack.decode(snapshot, type=kind)
        base = self._header.base if self._header and self._header.base else {}
        self._known = {
            config: ({**base, **{c.knob: c.value for c in m}}, {c.knob: c for c in m}) for config, m in moves.items()
        }

    def _upgraded(self, line: Line) -> tuple[Line, LineFields, tuple[str, ...]]:
        """A line of version 0, as today's version has it."""
        obj = upgrade(mapping(loose(line.data)))
        row, faults = salvage(obj, LineFields)
        return line._replace(data=msgspec.json.encode(obj)), row, () if row.type == "run" else faults

    def _chain(self, line: Line, row: LineFields) -> Iterable[Item]:
        want, self.prev = self.prev, link(line.data)
        if row.prev is None:
            # A file without a chain cannot be verified; one that loses it half way was edited.
            if self._header is not None and self._header.chained:
                yield Break(seq=line.seq, why="has no `prev`, though the lines before it have")
        elif want is not None and row.prev != want:
            yield Break(seq=line.seq, why=f"`prev` is {row.prev}, the line before it hashes to {want}")

    def _items(self, line: Line, row: LineFields, faults: tuple[str, ...]) -> Iterable[Item]:
        if row.type == "run":
            if self._header is not None:
                return unreadable(line, "a second header in one file; start a new file for a new run")
            header, why = self._begin(mapping(loose(line.data)), row)
            return (header, *unreadable(line, why)) if why else (header,)
        if self._header is None and row.type is None:
            return unreadable(line, "has no `type`")  # and begins no run: the file may not be ours at all
        if self._header is None:
            header, _ = self._begin({}, row)
            return (header, *self._items(line, row, (*faults, "stands before any header")))
        if row.type == "trial":
            if row.seq is not None and row.seq != line.seq:
                faults = (*faults, f"seq says {row.seq}, stands on line {line.seq}")
            return (self._trial(line, row, faults),)
        if row.type == "measure":
            return (self._measure(line, row),)
        if row.type is None:
            return unreadable(line, "has no `type`")
        obj = mapping(loose(line.data))
        if row.type == "end":
            counts = mapping(obj.get("counts"))
            kept = {k: v for k, v in counts.items() if k in STATUSES and is_whole(v)}
            return (End(seq=line.seq, counts=kept, reason=str(obj.get("reason") or "")),)
        kind = obj.get("kind") if row.type == "event" else row.type
        data = obj.get("data")
        when = time_ms(obj["at"]) if isinstance(obj.get("at"), str) else None
        return (Event(seq=line.seq, kind=str(kind), data=data if isinstance(data, dict) else {}, time_ms=when),)

    def _begin(self, obj: Mapping[str, Any], row: LineFields) -> tuple[Header, str | None]:
        """The header, and what of it could not be used."""
        said, why = self._source, None
        metric, base = mapping(obj.get("metric")), mapping(obj.get("base"))
        config = dict(base["config"]) if isinstance(base.get("config"), dict) else None
        if not (self._menu and self._menu.declared) and isinstance(obj.get("menu"), dict):  # inferred: it has its own
            try:
                self._menu = menus.parse(obj["menu"], "menu")
            except MenuError as e:
                why = str(e)
        self._salt = {"evaluator": text(obj.get("evaluator_hash")), "data": text(obj.get("data_hash"))}
        self.incumbent = text(base.get("hash")) or (config_hash(config, **self._salt) if config is not None else None)
        if config is not None and self.incumbent:
            self._known[self.incumbent] = (config, {})
        self._graders = graders(mapping(obj.get("files")))
        history = mapping(obj.get("proposer")).get("history")
        listed = obj.get("metrics")
        named = [m for m in (listed if isinstance(listed, list) else ()) if text(mapping(m).get("name"))]
        declared = tuple(specs.spec(m) for m in named)
        budget, unlimited = specs.budget(mapping(mapping(obj.get("settings")).get("rails")).get("budget"))
        why = unlimited or why
        own = text(metric.get("name"))
        self.other = said.metric if said.metric is not None and said.metric != own and own is not None else None
        goal = specs.goal(metric.get("goal"))
        if self.other is not None:  # the file's goal is that of its own metric
            goal = next((m.goal for m in declared if m.name == said.metric), goal_of(said.metric))
        self._header = Header(
            run_id=text(obj.get("run_id")) or Path(said.path).name.split(".")[0],
            campaign=text(obj.get("campaign")),
            domain=text(obj.get("domain")),
            metric=said.metric or own,
            goal=said.goal or goal,
            unit=text(metric.get("unit")) if self.other is None else None,
            metrics=declared,
            menu=self._menu,
            base=config,
            base_id=self.incumbent,
            evaluator=self._salt["evaluator"],
            data=self._salt["data"],
            history=said.history if said.history is not None else history if is_whole(history) else None,
            settings=text(obj.get("settings_hash")),
            budget=budget,
            unguarded_because=text(obj.get("unguarded_because")),
            chained=row.prev is not None,
            **specs.search(obj),
            about={k: obj[k] for k in ("proposer", "seeds", "software", "started", "files") if k in obj},
        )
        return self._header, why

    def _trial(self, line: Line, row: LineFields, faults: tuple[str, ...]) -> Trial:
        ran = next((a for a in reversed(row.attempts) if not refused(a)), None)
        shown = ran or (row.attempts[-1] if row.attempts else None)
        changes = tuple(self.changes(shown)) if shown else ()
        status = row.status if row.status in STATUSES else "other"
        if row.status not in STATUSES:
            faults = (*faults, f"status {row.status!r} is unknown")
        seeds = tuple(seed(s, self.metric) for s in row.seeds)
        value, nan = self._value(row, seeds)
        if value is None and not nan and status in SCORED and row.reason_code is None:
            faults = (*faults, f"was evaluated, and has no value of {self._header.metric if self._header else None}")
        diff, lost = self._diff(row.diff, kept=status == "kept")
        faults = (*faults, lost) if lost else faults
        cost = row.cost or CostFields()
        trial = Trial(
            seq=line.seq,
            at=line.at,
            status=status,
            pair=pair(changes) if changes else None,
            iter=row.iter,
            value=value,
            wall_s=finite(cost.wall_s),
            tokens_in=cost.tokens_in,
            tokens_out=cost.tokens_out,
            usd=finite(cost.usd),
            time_ms=time_ms(row.ended),
            intent=shown.intent if shown else None,
            provenance=text(row.provenance) or "native",
            confidence=finite(row.confidence),
            raw_status=row.raw_status,
            attempts=len(row.attempts),
            refused=tuple(a.verdict.rule for a in row.attempts if a.verdict and refused(a)),
            refused_pairs=tuple(
                pair(parts) for a in row.attempts if a is not shown and refused(a) and (parts := tuple(self.changes(a)))
            ),
            based=row.base_hash is not None,
            metrics=metrics(row, seeds),
            seeds=seeds,
            seed=seeds[0].seed if len(seeds) == 1 else None,
            first_step=seeds[0].first_step if len(seeds) == 1 else None,
            claimed_best=row.new_best,
            diff=diff,
            diff_lost=lost is not None,
            holdout=row.holdout.passed if row.holdout else None,
            reason_code="nan" if nan else row.reason_code,
            faults=faults,
        )
        self.place(trial, row, changes)
        return trial

    def _diff(self, diff: str | BlobFields | None, *, kept: bool) -> tuple[str | None, str | None]:
        """The text of an edit, and why it cannot be read. A long one is fetched for a kept trial only."""
        if not isinstance(diff, BlobFields):
            return diff, None
        if not kept:
            return None, None
        if self._source.fetch is None:
            return None, "its diff lies beside the file, which is not at hand"
        try:
            return self._source.fetch(diff.blob), None
        except SourceError as e:
            return None, f"its diff cannot be read: {e}"

    def _value(self, row: LineFields, seeds: tuple[Seed, ...]) -> tuple[float | None, bool]:
        """The value, and whether there is none because one was NaN or infinite."""
        good = [s for s in seeds if s.status == "ok"]
        values = [s.value for s in good if s.value is not None]
        if values or any(s.metrics.get(self.metric or "") is not None for s in good):
            # One seed without a value makes the mean a mean of the lucky ones: no value, not a better one.
            mean = finite(sum(values) / len(values)) if len(values) == len(good) else None
            if mean is None or len(good) == len(seeds):
                return mean, mean is None
        # Some seeds did not end well: the survivors' mean is theirs alone, so only what was reported counts.
        reported = row.value if self.other is None else (row.metrics or {}).get(self.other)
        return finite(reported), reported is not None and finite(reported) is None

    def changes(self, attempt: AttemptFields) -> Iterable[Change]:
        """What an attempt proposes."""
        parts = attempt.changes or ((ChangeFields(attempt.knob, attempt.value),) if attempt.knob else ())
        for c in parts:
            key = (c.knob, bytes(c.value))
            found = self._pairs.get(key)
            if found is None:
                found = self._change(c.knob, loose(key[1]))
                if len(key[1]) <= MAX_TEXT:
                    if len(self._pairs) >= MEMO:
                        self._pairs.clear()
                    self._pairs[key] = found
            yield found

    def _change(self, knob: str, value: object) -> Change:
        return self._menu.change(knob, value) if self._menu else canon(knob, value)

    def place(self, trial: Trial, row: LineFields, changes: tuple[Change, ...]) -> None:
        """Which configuration it changed, which one ran, and whether that is what was proposed."""
        trial.base = row.base_hash or self.incumbent
        trial.config = row.config_hash
        trial.noop = row.base_hash == row.config_hash if row.base_hash and row.config_hash and changes else None
        config: dict[str, Any] | None = None
        if trial.base in self._known and changes:
            base, moves = self._known[trial.base]
            config = {**base, **{c.knob: c.value for c in changes}}
            moves = {**moves, **{c.knob: c for c in changes}}
            trial.moved = pair(moves.values())
            if self._base is None or self._base.name != (trial.base, row.parent):
                self._base = Standing((trial.base, row.parent), base, self._change, self._salt)
            trial.noop = trial.noop or all(self._base.texts.get(c.knob) == c.text for c in changes)
            trial.config = trial.config or self._base.after(changes)
            if trial.status == "kept":
                self._known[trial.config] = (config, moves)
        if trial.status == "kept" and trial.config is not None:
            self.incumbent = trial.config
        self._integrity(trial, row, config or {c.knob: c.value for c in changes})

    def _integrity(self, trial: Trial, row: LineFields, want: Mapping[str, Any]) -> None:
        drift = []
        if row.effective:
            for name, ran in row.effective.items():
                found = self._change(name, ran)  # it may go by an alias
                knob = name if name in want else found.knob
                if knob in want and self._change(knob, want[knob]).text != found.text:
                    drift.append(Drift(None, knob, shown(want[knob]), shown(ran)))
        prints = row.fingerprints
        if prints is not None:
            trial.fingerprinted = bool(prints.propose and prints.run and prints.score)
            drift += drifts(prints, self._graders)
        trial.drift = tuple(drift)

    def _measure(self, line: Line, row: LineFields) -> Measure:
        obj = mapping(loose(line.data))
        seeds = tuple(seed(s, self.metric) for s in row.seeds)
        value, _ = self._value(row, seeds)
        what = str(obj.get("what"))
        config = row.config_hash or (self._header.base_id if self._header and what == "baseline" else None)
        return Measure(
            seq=line.seq,
            what=what,
            value=value,
            name=text(obj.get("name")),
            config=config,
            seeds=seeds,
            metrics=metrics(row, seeds),
        )


def begins(head: bytes) -> bool:
    """Whether a file begins with the header of a run of ours."""
    return _HEADER.match(head) is not None
