"""Skim: of a file only what a rail needs, many times quicker than reading it: what was tried, where, and what it cost.

The readers of our own formats are skimmed line by line as they read, so that identity, values and the hash chain are
theirs; any other reader reads in full, and its trials are cut down. Knows nothing of what the trials mean.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

import msgspec
from msgspec import Struct

from trajscope.chain import link
from trajscope.pair import MAX_TEXT, Pair, config_hash, pair
from trajscope.readers import Reader, Source, get
from trajscope.readers.fields import Whole, finite
from trajscope.readers.native import MEMO, VERSION, Native
from trajscope.readers.stretches import refused
from trajscope.readers.wire import AttemptFields, CostFields
from trajscope.trial import STATUSES, Item, Line, Seed, Trial


class Tried(NamedTuple):
    """What a rail needs of a trial. `fault` is a field that could not be read, so that the rest may mislead."""

    seq: int
    status: str
    pair: Pair | None = None
    iter: int | None = None
    value: float | None = None
    base: str | None = None
    config: str | None = None
    intent: str | None = None
    wall_s: float | None = None
    tokens: int | None = None
    usd: float | None = None
    fault: str | None = None
    based: bool = False  # the base was recorded, not inferred from the trials before


def skim(reader: type[Reader], source: Source) -> Callable[[Sequence[Line]], list[Item | Tried]]:
    """A function from lines to what they hold, trials as `Tried`; it remembers the lines before."""
    if reader is Native:
        lean: Any = LeanNative
    elif reader.name == "stages" and reader is get("stages"):
        from trajscope.readers.skim_stages import LeanStages as lean  # noqa: N813  # a class, under a shorter name
    else:
        read = reader(source).feed
        return lambda lines: [_cut(item) if type(item) is Trial else item for line in lines for item in read(line)]
    skimmed = lean(source).feed
    return lambda lines: [item for line in lines for item in skimmed(line)]


def tokens(into: int | None, out: int | None) -> int | None:
    """Tokens read and written together; None where neither was counted."""
    return None if into is None and out is None else (into or 0) + (out or 0)


def _cut(t: Trial) -> Tried:
    spent = tokens(t.tokens_in, t.tokens_out)
    return Tried(
        t.seq, t.status, t.pair, t.iter, t.value, t.base, t.config, t.intent, t.wall_s, spent, t.usd, None, t.based
    )


class _Seed(Struct, gc=False):
    status: str = "ok"
    metrics: dict[str, float | None] = {}


class _Line(Struct, gc=False):
    """The fields of `wire.LineFields` that a rail needs."""

    v: int | None = None
    type: str | None = None
    seq: int | None = None
    prev: str | None = None
    iter: Whole | None = None
    status: str | None = None
    attempts: tuple[AttemptFields, ...] = ()
    base_hash: str | None = None
    config_hash: str | None = None
    parent: str | None = None
    value: float | None = None
    metrics: dict[str, float | None] | None = None
    seeds: tuple[_Seed, ...] = ()
    cost: CostFields | None = None


class LeanNative(Native):
    """A native file, read as `Native` reads it but for what a rail does not need."""

    def __init__(self, source: Source) -> None:
        super().__init__(source)
        self._lean = msgspec.json.Decoder(_Line).decode
        self._alone: dict[tuple[str, bytes], Pair] = {}  # pairs of one change, by their spelling

    def feed(self, line: Line) -> Iterable[Any]:
        """The items of one line. Whatever is out of the ordinary goes the long way, which ends in `_trial` too."""
        try:
            row = self._lean(line.data)
            if (
                row.prev == self.prev is not None  # the ordinary case: chained, in its place, of this version
                and row.seq == line.seq
                and row.v == VERSION
                and row.type == "trial"
                and self._header is not None
            ):
                trial = self._trial(line, row, ())
                self.prev = link(line.data)
                return (trial,)
        except (ValueError, TypeError, RecursionError):  # a ValueError is all that msgspec raises, and Unicode too
            pass
        return super().feed(line)

    def _upgraded(self, line: Line) -> tuple[Line, Any, tuple[str, ...]]:
        line, row, faults = super()._upgraded(line)
        return line, row, (*faults, "is of version 0") if row.type == "trial" else faults

    def _trial(self, line: Line, row: Any, faults: tuple[str, ...]) -> Any:
        shown = row.attempts[-1] if row.attempts else None
        if shown is not None and refused(shown):
            shown = next((a for a in reversed(row.attempts) if not refused(a)), shown)
        what = self._pair(shown) if shown else None
        status = row.status if row.status in STATUSES else "other"
        value = finite(row.value) if not row.seeds and self.other is None else self._mean(row)
        base, config = row.base_hash or self.incumbent, row.config_hash
        if base in self._known and what is not None and (config is None or status == "kept"):
            whole = {**self._known[base][0], **{c.knob: c.value for c in what.changes}}
            config = config or config_hash(whole, **self._salt, parent=row.parent)
            if status == "kept":
                self._known[config] = (whole, {})
        if status == "kept" and config is not None:
            self.incumbent = config
        cost = row.cost or _FREE
        return _new(
            Tried,
            (
                line.seq,
                status,
                what,
                row.iter,
                value,
                base,
                config,
                shown.intent if shown else None,
                finite(cost.wall_s),
                tokens(cost.tokens_in, cost.tokens_out),
                finite(cost.usd),
                faults[0] if faults else None,
                row.base_hash is not None,
            ),
        )

    def _mean(self, row: Any) -> float | None:
        metric = self._header.metric if self._header else None
        if len(row.seeds) == 1 and row.seeds[0].status == "ok":
            value = row.seeds[0].metrics.get(metric)
            if value is not None:
                return finite(value)
        seeds = (Seed(None, finite(s.metrics.get(metric)), s.status, metrics=s.metrics) for s in row.seeds)
        return self._value(row, tuple(seeds))[0]

    def _pair(self, attempt: AttemptFields) -> Pair | None:
        parts = attempt.changes
        if len(parts) == 1:
            key = (parts[0].knob, bytes(parts[0].value))
            found = self._alone.get(key)
            if found is None:
                found = pair(self.changes(attempt))
                if len(key[1]) <= MAX_TEXT:
                    if len(self._alone) >= MEMO:
                        self._alone.clear()
                    self._alone[key] = found
            return found
        changes = tuple(self.changes(attempt))
        return pair(changes) if changes else None


_FREE = CostFields()
_new = tuple.__new__  # a named tuple without the call in Python that its own constructor makes
