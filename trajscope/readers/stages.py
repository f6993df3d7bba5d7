"""Reads loops that log a `stage` per row: a `_meta` header with the baseline, rows, a `loop_complete` footer.

The header may be missing (then there is no baseline) and may come again (then a new run begins).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, ClassVar, TypeGuard

import msgspec
from msgspec import Raw, Struct

from trajscope.menu import Menu
from trajscope.pair import MAX_TEXT, Change, Pair, canon, pair
from trajscope.readers import Source
from trajscope.readers.fields import (
    FAR,
    Whole,
    finite,
    goal_of,
    head_objects,
    loose,
    salvage,
    shown,
    time_ms,
    unreadable,
)
from trajscope.trial import SCORED, Drift, End, Event, Header, Item, Line, Trial

MEMO = 1 << 16  # spellings that are remembered, so that a long file does not decode the same configuration again
_STAGES = {"blocked": "blocked", "rejected": "blocked", "eval_failed": "crashed", "nim_error": "proposer_error"}
_DECISIONS = {"keep": "kept", "kept": "kept", "accept": "kept", "revert": "reverted", "reverted": "reverted"}
_EMPTY = Pair("", ())
# A header may be longer than what a sniffer is shown, and then it is no JSON.
_HEADER = re.compile(rb'(?:\xef\xbb\xbf)?\s*\{\s*"_meta"\s*:.*"baseline_', re.DOTALL)
_MISSING: Any = object()
_Place = tuple[str, Pair, str, tuple[Drift, ...], int | None]  # configuration, what it moved, base, drift, seed


class _Proposal(Struct, gc=False):
    knob: str | None = None
    new_value: Raw = Raw(b"null")


class _Eval(Struct, gc=False):
    train_loss_first: float | None = None


class _Row(Struct, gc=False):
    """The fields of a row that are read; `value` stands under the metric's own name."""

    iter: Whole | None = None
    ts: str | None = None
    stage: str | None = None
    proposal: _Proposal | None = None
    candidate_cfg: Raw = Raw(b"")
    eval_metrics: _Eval | None = None
    decision: str | None = None
    is_new_best: bool | None = None
    iter_wall_s: float | None = None
    tokens_in: Whole | None = None
    tokens_out: Whole | None = None
    value: float | None = None


class Stages:
    """One file of stage rows."""

    name: ClassVar[str] = "stages"
    about: ClassVar[str] = "JSON lines with a `_meta` header, `stage` rows and a `loop_complete` footer"

    def __init__(self, source: Source) -> None:
        self._source = source
        self._menu = source.menu
        self._runs = 0
        self._pairs: dict[tuple[str, bytes], Pair] = {}
        self._places: dict[tuple[str, bytes], _Place | None] = {}
        self._changes: dict[tuple[str, type, object], Change] = {}
        self._lacking = False  # it was said that a row lacks the metric
        self._begin(source.metric or "val_bpb", None)

    @classmethod
    def sniff(cls, head: bytes) -> bool:
        """Whether it holds a `_meta` header or rows with a stage."""
        if _HEADER.match(head):
            return True
        return any(
            ("_meta" in o and any(k.startswith("baseline_") for k in o))
            or ("stage" in o and ("proposal" in o or o["stage"] == "loop_complete"))
            for o in head_objects(head)
        )

    def feed(self, line: Line) -> Iterable[Item]:
        """The items of one line."""
        if line.fault:
            return unreadable(line, line.fault)
        faults: tuple[str, ...] = ()
        row: Any
        try:
            try:
                row = self._decode(line.data)
            except (msgspec.MsgspecError, UnicodeError, RecursionError):
                obj = loose(line.data)
                if not isinstance(obj, dict):
                    return unreadable(line, f"JSON, but no object: {type(obj).__name__}")
                row, faults = salvage(obj, self._kind)
            if row.stage == "evaluated":
                trial = self._trial(line, row, faults)
                return (trial,) if self._runs else self._with_header(trial)
            return self._rare(line, row, faults)
        except ValueError as e:
            return unreadable(line, f"not JSON: {e}")

    def _rare(self, line: Line, row: Any, faults: tuple[str, ...]) -> Iterable[Item]:
        if row.stage is None:
            obj = loose(line.data)
            if isinstance(obj, dict) and ("_meta" in obj or "baseline_cfg" in obj):
                return (self._header(obj),)
            return unreadable(line, "has no `stage`")
        if row.stage not in ("loop_complete", "paused"):
            return self._with_header(self._trial(line, row, faults))
        said = unreadable(line, "; ".join(faults)) if faults else ()
        if row.stage == "loop_complete":
            return (*self._with_header(self._end(line)), *said)
        return (*self._with_header(Event(seq=line.seq, kind="pause", time_ms=time_ms(row.ts))), *said)

    def _with_header(self, item: Item) -> Iterable[Item]:
        return (item,) if self._runs else (self._header({}), item)

    def _begin(self, metric: str, base: Mapping[str, Any] | None) -> None:
        self._base = {k: v for k, v in base.items() if k != "seed"} if base is not None else None
        self._carry = False
        self._kept: Pair | None = None
        fields = [(f.name, f.type, msgspec.field(default=f.default)) for f in msgspec.structs.fields(_Row)[:-1]]
        named: dict[str, Any] | None = None
        if metric in {name for name, _, _ in fields}:  # the metric is one of the fields that are read anyway
            named = {"value": property(lambda row: x if isinstance(x := getattr(row, metric), int | float) else None)}
        else:
            fields.append(("value", float | None, msgspec.field(name=metric, default=None)))
        self._metric = metric
        self._kind: Any = msgspec.defstruct("Row", fields, gc=False, namespace=named)
        self._decode = msgspec.json.Decoder(self._kind).decode
        self._places.clear()

    def _header(self, obj: Mapping[str, Any]) -> Header:
        said = self._source
        baselines = {
            k.removeprefix("baseline_"): float(v)
            for k, v in obj.items()
            if k.startswith("baseline_") and isinstance(v, int | float) and not isinstance(v, bool) and abs(v) < FAR
        }
        metric = said.metric or next(iter(baselines), "val_bpb")
        base = obj.get("baseline_cfg")
        self._begin(metric, base if isinstance(base, dict) else None)
        self._runs += 1
        stem = Path(said.path).name.split(".")[0] or "stdin"
        return Header(
            run_id=stem if self._runs == 1 else f"{stem}-{self._runs}",
            metric=metric,
            goal=said.goal or goal_of(metric),
            menu=self._menu,
            base=self._base,
            base_id="" if self._base is not None else None,
            baseline=finite(baselines.get(metric)),
            history=said.history,
        )

    def _trial(self, line: Line, row: Any, faults: tuple[str, ...]) -> Trial:
        status = _STAGES.get(row.stage, "other")
        if row.stage == "evaluated":
            status = _DECISIONS.get((row.decision or "").lower(), "other")
        proposal, value, reason = row.proposal, finite(row.value), None
        p = self._pair(proposal.knob, bytes(proposal.new_value)) if proposal and proposal.knob else None
        if value is None:
            if row.value is not None:
                reason = "nan"
            elif status in SCORED:
                faults = (*faults, self._lacks(line))
        config = moved = base = seed = noop = None
        drift: tuple[Drift, ...] = ()
        if self._base is not None and p is not None and (raw := bytes(row.candidate_cfg)):
            place = self._places.get((p.label, raw), _MISSING)
            if place is _MISSING:
                if len(self._places) >= MEMO:
                    self._places.clear()
                place = self._places[p.label, raw] = self._place(p, raw)
            if place is not None:
                config, moved, base, drift, seed = place
                noop = self._carried(p, moved, base, kept=status == "kept")
        return Trial(
            seq=line.seq,
            at=line.at,
            status=status,
            pair=p,
            iter=row.iter,
            value=value,
            wall_s=finite(row.iter_wall_s),
            tokens_in=row.tokens_in,
            tokens_out=row.tokens_out,
            time_ms=time_ms(row.ts),
            base=base,
            config=config,
            moved=moved,
            noop=noop,
            refused=(row.stage,) if status == "blocked" else (),
            seed=seed,
            first_step=finite(row.eval_metrics.train_loss_first) if row.eval_metrics else None,
            claimed_best=row.is_new_best,
            drift=drift,
            reason_code=reason,
            faults=faults,
        )

    def _lacks(self, line: Line) -> str:
        """That an evaluated row has no value, and the first time, what it has instead."""
        if self._lacking:
            return f"has no {self._metric}"
        self._lacking = True
        have = [k for k, v in loose(line.data).items() if isinstance(v, int | float) and not isinstance(v, bool)]
        return f"has no {self._metric} (numbers here: {', '.join(sorted(have)[:12])}); name the metric with --metric"

    def _pair(self, knob: str, raw: bytes) -> Pair:
        found = self._pairs.get((knob, raw))
        if found is None:
            try:
                value = loose(raw)
            except ValueError:
                value = raw.decode("utf-8", "replace")
            found = pair((self._change(knob, value),))
            if len(raw) <= MAX_TEXT:
                if len(self._pairs) >= MEMO:
                    self._pairs.clear()
                self._pairs[knob, raw] = found
        return found

    def _change(self, knob: str, value: object) -> Change:
        menu: Menu | None = self._menu
        if isinstance(value, list | dict):
            return menu.change(knob, value) if menu else canon(knob, value)
        key = (knob, type(value), value)  # the type, because 1 == True
        found = self._changes.get(key)
        if found is None:
            if len(self._changes) >= MEMO:
                self._changes.clear()
            found = self._changes[key] = menu.change(knob, value) if menu else canon(knob, value)
        return found

    def _place(self, p: Pair, raw: bytes) -> _Place | None:
        """Which configuration ran, what it changes in the base, and whether that is what was proposed."""
        try:
            config = loose(raw)
        except ValueError:
            return None
        if not isinstance(config, dict) or self._base is None:
            return None
        changes = [
            self._change(k, v) for k, v in config.items() if k != "seed" and not _identical(v, self._base.get(k))
        ]
        changes = [c for c in changes if c.text != self._change(c.knob, self._base.get(c.knob)).text]
        moved = pair(changes) if changes else _EMPTY
        own = {c.knob for c in p.changes}
        rest = [c for c in changes if c.knob not in own]
        drift = tuple(
            Drift(None, c.knob, shown(c.value), shown(config[c.knob]))
            for c in p.changes
            if c.knob in config and self._change(c.knob, config[c.knob]).text != c.text
        )
        seed = config.get("seed")
        return moved.label, moved, pair(rest).label if rest else "", drift, seed if _is_whole(seed) else None

    def _carried(self, p: Pair, moved: Pair, base: str, *, kept: bool) -> bool:
        """Whether a trial proposes what already stands, which hangs on whether keeps are carried into the next base."""
        # A kept change can stand in this base only where something beside the trial's own knobs does.
        if self._kept is not None and not self._carry and (base or not self._kept.changes):
            own = {c.knob for c in p.changes}
            stands = {c.label for c in moved.changes}
            self._carry = all(c.label in stands and c.knob not in own for c in self._kept.changes)
        standing = self._kept if self._carry and self._kept is not None else _EMPTY
        if kept:
            self._kept = moved
        return moved.label == standing.label

    def _end(self, line: Line) -> End:
        obj = loose(line.data)
        names = {
            "accept_count": "kept",
            "revert_count": "reverted",
            "block_count": "blocked",
            "eval_fail_count": "crashed",
        }
        return End(
            seq=line.seq,
            counts={new: obj[old] for old, new in names.items() if _is_whole(obj.get(old))},
            reason="loop_complete",
        )


def _is_whole(x: object) -> TypeGuard[int]:
    return isinstance(x, int) and not isinstance(x, bool) and abs(x) < 2**63


def _identical(a: object, b: object) -> bool:
    return type(a) is type(b) and a == b
