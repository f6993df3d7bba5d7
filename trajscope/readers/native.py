"""Reads trajscope's own JSON lines, and verifies their hash chain.

What it cannot use it says: a mistyped field becomes a fault of its trial, an unknown line type an event.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, ClassVar

import msgspec
from msgspec import Raw, Struct

from trajscope import menu as menus
from trajscope.errors import MenuError
from trajscope.menu import Menu
from trajscope.pair import Change, canon, config_hash, pair
from trajscope.readers import Source
from trajscope.readers.fields import finite, head_objects, loose, salvage, time_ms, unreadable
from trajscope.trial import (
    STATUSES,
    Break,
    Drift,
    End,
    Event,
    Header,
    Item,
    Line,
    Measure,
    MetricSpec,
    Seed,
    Trial,
)

VERSION = 1
ZEROS = "0" * 16
MEMO = 1 << 16
_TYPES = frozenset(("run", "trial", "measure", "event", "end"))
_REFUSED = frozenset(("FAIL", "UNKNOWN"))


class _Change(Struct, gc=False):
    knob: str
    value: Raw = Raw(b"null")


class _Verdict(Struct, gc=False):
    rule: str = ""
    level: str = ""


class _Attempt(Struct, gc=False):
    changes: tuple[_Change, ...] = ()
    knob: str | None = None
    value: Raw = Raw(b"null")
    intent: str | None = None
    verdict: _Verdict | None = None


class _Seed(Struct, gc=False):
    seed: int | None = None
    status: str = "ok"
    metrics: dict[str, float | None] = {}
    wall_s: float | None = None
    first_step: float | None = None
    error: str | None = None


class _Cost(Struct, gc=False):
    wall_s: float | None = None
    tokens_in: int | None = None
    tokens_out: int | None = None
    usd: float | None = None


class _Fingerprints(Struct, gc=False):
    propose: dict[str, str] = {}
    run: dict[str, str] = {}
    score: dict[str, str] = {}


class _Line(Struct, gc=False):
    """The fields of any line that are read; the rest stays in the file."""

    v: int | None = None
    type: str | None = None
    seq: int | None = None
    prev: str | None = None
    iter: int | None = None
    status: str | None = None
    reason_code: str | None = None
    attempts: tuple[_Attempt, ...] = ()
    base_hash: str | None = None
    config_hash: str | None = None
    value: float | None = None
    metrics: dict[str, float | None] | None = None
    seeds: tuple[_Seed, ...] = ()
    effective: dict[str, Any] | None = None
    fingerprints: _Fingerprints | None = None
    cost: _Cost | None = None
    ended: str | None = None
    new_best: bool | None = None


class Native:
    """One native file; it holds one run."""

    name: ClassVar[str] = "native"
    about: ClassVar[str] = "trajscope's own JSON lines (docs/format.md)"

    def __init__(self, source: Source) -> None:
        self._source = source
        self._menu: Menu | None = source.menu
        self._header: Header | None = None
        self._prev: str | None = ZEROS
        self._pairs: dict[tuple[str, bytes], Change] = {}
        self._incumbent: str | None = None
        self._known: dict[str, tuple[dict[str, Any], dict[str, Change]]] = {}  # base and kept configurations
        self._salt: dict[str, str | None] = {}
        self._decode = msgspec.json.Decoder(_Line).decode

    @classmethod
    def sniff(cls, head: bytes) -> bool:
        """Whether any of the first lines looks like one of this format."""
        return any(o.get("type") in _TYPES and ("v" in o or "prev" in o or "run_id" in o) for o in head_objects(head))

    def feed(self, line: Line) -> Iterable[Item]:
        """The items of one line."""
        if line.fault:
            self._prev = None  # its bytes are gone, so the next line's `prev` cannot be checked
            return unreadable(line, line.fault)
        faults: tuple[str, ...] = ()
        try:
            row = self._decode(line.data)
        except (msgspec.MsgspecError, UnicodeError, RecursionError):
            try:
                obj = loose(line.data)
            except (ValueError, RecursionError) as e:
                self._prev = _link(line.data)
                return unreadable(line, f"not JSON: {e}")
            if not isinstance(obj, dict):
                self._prev = _link(line.data)
                return unreadable(line, f"JSON, but no object: {type(obj).__name__}")
            row, faults = salvage(obj, _Line)
        if row.v is not None and row.v > VERSION:
            self._prev = _link(line.data)
            return unreadable(line, f"version {row.v}; this trajscope reads up to {VERSION}: upgrade it")
        out = [*self._chain(line, row)]
        if row.seq is not None and row.seq != line.seq:
            faults = (*faults, f"seq says {row.seq}, stands on line {line.seq}")
        try:
            out += self._items(line, row, faults)
        except (MenuError, msgspec.MsgspecError, TypeError, AttributeError, ValueError) as e:
            return (*out, *unreadable(line, f"{row.type}: {e}"))
        return out

    def _chain(self, line: Line, row: _Line) -> Iterable[Item]:
        want, self._prev = self._prev, _link(line.data)
        if row.prev is None:
            # A file without a chain cannot be verified; one that loses it half way was edited.
            if self._header is not None and self._header.chained:
                yield Break(seq=line.seq, why="has no `prev`, though the lines before it have")
        elif want is not None and row.prev != want:
            yield Break(seq=line.seq, why=f"`prev` is {row.prev}, the line before it hashes to {want}")

    def _items(self, line: Line, row: _Line, faults: tuple[str, ...]) -> Iterable[Item]:
        if row.type == "run":
            if self._header is not None:
                return unreadable(line, "a second header in one file; start a new file for a new run")
            return (self._begin(loose(line.data), row),)
        if self._header is None:
            return (self._begin({}, row), *self._items(line, row, (*faults, "stands before any header")))
        if row.type == "trial":
            return (self._trial(line, row, faults),)
        if row.type == "measure":
            return (self._measure(line, row),)
        obj = loose(line.data)
        if row.type == "end":
            counts = obj.get("counts") if isinstance(obj.get("counts"), dict) else {}
            kept = {k: v for k, v in counts.items() if k in STATUSES and isinstance(v, int)}
            return (End(seq=line.seq, counts=kept, reason=str(obj.get("reason") or "")),)
        kind = obj.get("kind") if row.type == "event" else row.type
        data = obj.get("data")
        when = time_ms(obj["at"]) if isinstance(obj.get("at"), str) else None
        return (Event(seq=line.seq, kind=str(kind), data=data if isinstance(data, dict) else {}, time_ms=when),)

    def _begin(self, obj: Mapping[str, Any], row: _Line) -> Header:
        said = self._source
        metric = _dict(obj.get("metric"))
        base = _dict(obj.get("base"))
        config = base.get("config")
        config = dict(config) if isinstance(config, dict) else None
        if self._menu is None and isinstance(obj.get("menu"), dict):
            self._menu = menus.parse(obj["menu"], f"{said.path}:1: menu")
        self._salt = {"evaluator": _text(obj.get("evaluator_hash")), "data": _text(obj.get("data_hash"))}
        self._incumbent = _text(base.get("hash")) or (self._hash(config) if config is not None else None)
        if config is not None and self._incumbent:
            self._known[self._incumbent] = (config, {})
        history = _dict(obj.get("proposer")).get("history")
        name = said.metric or _text(metric.get("name"))
        self._header = Header(
            run_id=_text(obj.get("run_id")) or Path(said.path).name.split(".")[0],
            campaign=_text(obj.get("campaign")),
            domain=_text(obj.get("domain")),
            metric=name,
            goal=said.goal or _goal(metric.get("goal")),
            unit=_text(metric.get("unit")),
            metrics=tuple(_spec(m) for m in obj.get("metrics") or () if isinstance(m, dict) and m.get("name")),
            menu=self._menu,
            base=config,
            base_id=self._incumbent,
            history=said.history if said.history is not None else history if isinstance(history, int) else None,
            settings=_text(obj.get("settings_hash")),
            unguarded_because=_text(obj.get("unguarded_because")),
            chained=row.prev is not None,
            about={k: obj[k] for k in ("proposer", "seeds", "software", "started", "files") if k in obj},
        )
        return self._header

    def _hash(self, config: Mapping[str, Any]) -> str:
        return config_hash(config, evaluator=self._salt["evaluator"], data=self._salt["data"])

    def _trial(self, line: Line, row: _Line, faults: tuple[str, ...]) -> Trial:
        ran = next((a for a in reversed(row.attempts) if not _refused(a)), None)
        shown = ran or (row.attempts[-1] if row.attempts else None)
        changes = tuple(self._changes(shown)) if shown else ()
        status = row.status if row.status in STATUSES else "other"
        if row.status not in STATUSES:
            faults = (*faults, f"status {row.status!r} is unknown")
        seeds = tuple(self._seed(s) for s in row.seeds)
        value, nan = self._value(row.value, seeds)
        cost = row.cost or _Cost()
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
            attempts=len(row.attempts),
            refused=tuple(a.verdict.rule for a in row.attempts if a.verdict and _refused(a)),
            refused_pairs=tuple(
                pair(parts)
                for a in row.attempts
                if a is not shown and _refused(a) and (parts := tuple(self._changes(a)))
            ),
            based=row.base_hash is not None,
            metrics=self._metrics(row, seeds),
            seeds=seeds,
            seed=seeds[0].seed if len(seeds) == 1 else None,
            first_step=seeds[0].first_step if len(seeds) == 1 else None,
            claimed_best=row.new_best,
            reason_code="nan" if nan else row.reason_code,
            faults=faults,
        )
        self._place(trial, row, changes)
        return trial

    def _value(self, reported: float | None, seeds: tuple[Seed, ...]) -> tuple[float | None, bool]:
        good = [s for s in seeds if s.status == "ok"]
        values = [s.value for s in good if s.value is not None]
        if values:
            # One seed without a value makes the mean a mean of the lucky ones: no value, not a better one.
            return (sum(values) / len(values), False) if len(values) == len(good) else (None, True)
        return finite(reported), reported is not None and finite(reported) is None

    def _metrics(self, row: _Line, seeds: tuple[Seed, ...]) -> Mapping[str, Any] | None:
        if row.metrics is not None:
            return {k: finite(v) for k, v in row.metrics.items()}
        names = {n for s in seeds for n in s.metrics}
        if not names:
            return None
        good = [s for s in seeds if s.status == "ok"]
        return {n: _mean([s.metrics.get(n) for s in good]) for n in sorted(names)}

    def _seed(self, s: _Seed) -> Seed:
        metric = self._header.metric if self._header else None
        value = finite(s.metrics.get(metric)) if metric else None
        return Seed(s.seed, value, s.status, finite(s.wall_s), s.first_step, s.metrics, s.error)  # type: ignore[arg-type]  # values may be None, seen by the guards

    def _changes(self, attempt: _Attempt) -> Iterable[Change]:
        parts = attempt.changes or ((_Change(attempt.knob, attempt.value),) if attempt.knob else ())
        for c in parts:
            key = (c.knob, bytes(c.value))
            found = self._pairs.get(key)
            if found is None:
                if len(self._pairs) >= MEMO:
                    self._pairs.clear()
                found = self._pairs[key] = self._change(c.knob, loose(key[1]))
            yield found

    def _change(self, knob: str, value: object) -> Change:
        return self._menu.change(knob, value) if self._menu else canon(knob, value)

    def _place(self, trial: Trial, row: _Line, changes: tuple[Change, ...]) -> None:
        """Which configuration it changed, which one ran, and whether that is what was proposed."""
        trial.base = row.base_hash or self._incumbent
        trial.config = row.config_hash
        config: dict[str, Any] | None = None
        if trial.base in self._known and changes:
            base, moves = self._known[trial.base]
            config = {**base, **{c.knob: c.value for c in changes}}
            moves = {**moves, **{c.knob: c for c in changes}}
            trial.moved = pair(moves.values())
            trial.noop = all(c.knob in base and self._change(c.knob, base[c.knob]).text == c.text for c in changes)
            trial.config = trial.config or self._hash(config)
            if trial.status == "kept":
                self._known[trial.config] = (config, moves)
        elif row.base_hash and row.config_hash and changes:
            trial.noop = row.base_hash == row.config_hash
        if trial.status == "kept" and trial.config is not None:
            self._incumbent = trial.config
        self._integrity(trial, row, config or {c.knob: c.value for c in changes})

    def _integrity(self, trial: Trial, row: _Line, want: Mapping[str, Any]) -> None:
        drift = []
        if row.effective:
            for knob, ran in row.effective.items():
                if knob in want and self._change(knob, want[knob]).text != self._change(knob, ran).text:
                    drift.append(Drift(None, knob, want[knob], ran))
        prints = row.fingerprints
        if prints is not None:
            trial.fingerprinted = bool(prints.propose and prints.run and prints.score)
            for stage in (prints.run, prints.score):
                for path, sha in prints.propose.items():
                    if path in stage and stage[path] != sha and not any(d.path == path for d in drift):
                        drift.append(Drift(path, None, sha[:12], stage[path][:12]))
        trial.drift = tuple(drift)

    def _measure(self, line: Line, row: _Line) -> Measure:
        obj = loose(line.data)
        seeds = tuple(self._seed(s) for s in row.seeds)
        value, _ = self._value(row.value, seeds)
        what = str(obj.get("what"))
        config = row.config_hash or (self._header.base_id if self._header and what == "baseline" else None)
        return Measure(seq=line.seq, what=what, value=value, name=_text(obj.get("name")), config=config, seeds=seeds)


def _refused(a: _Attempt) -> bool:
    return a.verdict is not None and a.verdict.level in _REFUSED


def _link(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:16]


def _mean(values: list[float | None]) -> float | None:
    known = [finite(v) for v in values]
    if not known or any(v is None for v in known):
        return None
    return sum(v for v in known if v is not None) / len(known)


def _goal(x: object) -> Any:
    return {"lower": "minimize", "min": "minimize", "higher": "maximize", "max": "maximize"}.get(
        str(x), x if x in ("minimize", "maximize") else None
    )


def _spec(m: Mapping[str, Any]) -> MetricSpec:
    bounds = {k: m[k] for k in ("floor", "ceiling", "anchor") if isinstance(m.get(k), int | float)}
    bounds = {k: float(v) for k, v in bounds.items() if not isinstance(m[k], bool) and finite(float(v)) is not None}
    return MetricSpec(str(m["name"]), str(m.get("role") or "monitor"), _goal(m.get("goal")) or "minimize", **bounds)


def _text(x: object) -> str | None:
    return x if isinstance(x, str) and x else None


def _dict(x: object) -> dict[str, Any]:
    return x if isinstance(x, dict) else {}
