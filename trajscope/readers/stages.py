"""Reads loops that log a `stage` per row: a `_meta` header with the baseline, rows, a `loop_complete` footer.

The header may be missing (then there is no baseline) and may come again (then a new run begins).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import msgspec
from msgspec import Raw, Struct

from trajscope.batch import Batch, Move
from trajscope.menu import Menu
from trajscope.pair import MAX_TEXT, Change, Pair, canon, pair
from trajscope.readers import Source
from trajscope.readers.columns import EPOCH, columns
from trajscope.readers.fields import (
    FAR,
    Whole,
    finite,
    goal_of,
    head_objects,
    identical,
    is_whole,
    loose,
    salvage,
    shown,
    time_ms,
    unreadable,
)
from trajscope.trial import CODE, SCORED, Drift, End, Event, Header, Item, Line, Trial

MEMO = 1 << 16  # spellings that are remembered, so that a long file does not decode the same configuration again
_STAGES = {"blocked": "blocked", "rejected": "blocked", "eval_failed": "crashed", "nim_error": "proposer_error"}
_DECISIONS = {"keep": "kept", "kept": "kept", "accept": "kept", "revert": "reverted", "reverted": "reverted"}
_EMPTY = Pair("", ())
# A header may be longer than what a sniffer is shown, and then it is no JSON.
_HEADER = re.compile(rb'(?:\xef\xbb\xbf)?\s*\{\s*"_meta"\s*:.*"baseline_', re.DOTALL)
_NOWHERE = Move()
_KEPT, _REVERTED = CODE["kept"], CODE["reverted"]
_RARE = -1  # the code of a row that is no trial, or may be none
_ASKING = frozenset((_RARE, _KEPT, _REVERTED))  # only some rows with these codes are ordinary


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


class _Codes(dict[tuple[str | None, str | None], int]):
    """The status of a row, by its stage and decision."""

    def __missing__(self, key: tuple[str | None, str | None]) -> int:
        stage, decision = key
        code = _RARE if stage in (None, "loop_complete", "paused") else CODE[status_of(stage, decision)]
        if len(self) < MEMO:
            self[key] = code
        return code


def status_of(stage: str | None, decision: str | None) -> str:
    """What became of a trial."""
    if stage == "evaluated":
        return _DECISIONS.get((decision or "").lower(), "other")
    return _STAGES.get(stage or "", "other")


class Stages:
    """One file of stage rows."""

    name: ClassVar[str] = "stages"
    about: ClassVar[str] = "JSON lines with a `_meta` header, `stage` rows and a `loop_complete` footer"

    _kept: Pair | None  # what the last keep moved

    def __init__(self, source: Source) -> None:
        self._source = source
        self._menu = source.menu
        self._runs = 0
        self._pairs: dict[tuple[str, bytes], Pair] = {}
        self._moves: dict[tuple[str | None, bytes, bytes], Move] = {}
        self._changes: dict[tuple[str, type, object], Change] = {}
        self._codes = _Codes()
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

    def snapshot(self) -> bytes:
        """What it remembers of the lines so far; what it knows by the header is not in it."""
        return msgspec.msgpack.encode((self._lacking, self._carry, self._kept))

    def restore(self, snapshot: bytes) -> None:
        """Go on from a snapshot, the lines up to the header having been read again."""
        self._lacking, self._carry, self._kept = msgspec.msgpack.decode(snapshot, type=tuple[bool, bool, Pair | None])

    def batch(self, lines: Sequence[Line]) -> tuple[list[Item | Batch], int]:
        """The items of these lines up to the next header, trials as one batch; and how many lines that is.

        The same as `feed` of each, for readers that have met a header. What is out of the ordinary goes through `feed`.
        """
        rows = self._rows(lines)
        known, status = self._moves.get, self._codes
        codes = [status[r.stage, r.decision] for r in rows]
        values = [r.value for r in rows]
        moves: list[Any] = [
            known((p.knob, bytes(p.new_value), bytes(r.candidate_cfg))) if (p := r.proposal) else _NOWHERE for r in rows
        ]
        for i in [i for i, move in enumerate(moves) if move is None]:
            p = rows[i].proposal
            moves[i] = self._move(p.knob, bytes(p.new_value), bytes(rows[i].candidate_cfg))
        odd = [i for i, (c, v) in enumerate(zip(codes, values, strict=True)) if c in _ASKING and (c < 0 or v is None)]
        if any(m.drift for m in set(moves)):
            odd = sorted({*odd, *(i for i, m in enumerate(moves) if m.drift)})
        if self._metric in rows[0].__struct_fields__:
            odd = list(range(len(rows)))
        out: list[Item | Batch] = []
        noop: list[bool] = []
        by_hand: dict[int, Trial | None] = {}
        begun: list[Item] = []
        for i in odd:
            noop += self._noops(moves[len(noop) : i], codes[len(noop) : i])
            items = self.feed(lines[i])
            by_hand[i] = trial = next((x for x in items if type(x) is Trial), None)
            noop.append(trial is not None and trial.noop is True)
            begun = [x for x in items if type(x) is Header]
            out += [x for x in items if type(x) is not Header and type(x) is not Trial]
            if begun:
                break
        else:
            noop += self._noops(moves[len(noop) :], codes[len(noop) :])
        n = len(noop)
        found = columns(lines[:n], rows[:n], codes[:n], values[:n], moves[:n], noop, by_hand)
        return [*out, *([found] if found.seq else []), *begun], n

    def _rows(self, lines: Sequence[Line]) -> list[Any]:
        """The decoded lines, with a row without a stage for each that cannot be decoded at once."""
        decode, blank = self._decode, self._kind(ts=EPOCH)
        try:
            return [decode(line.data) for line in lines]
        except (msgspec.MsgspecError, UnicodeError, RecursionError):
            rows = []
        for line in lines:
            try:
                rows.append(decode(line.data))
            except (msgspec.MsgspecError, UnicodeError, RecursionError):
                rows.append(blank)
        return rows

    def _noops(self, moves: Sequence[Move], codes: Sequence[int]) -> list[bool]:
        """For each trial of a stretch whether it proposes what already stands."""
        kept = [m for m, c in zip(moves, codes, strict=True) if c == _KEPT and m.config is not None]
        may_carry = self._carry or any(m.base for m in set(moves)) or any(m.config == "" for m in kept)
        if may_carry or (self._kept is not None and not self._kept.changes):
            return [
                m.config is not None and self._carried(m, kept=c == _KEPT) for m, c in zip(moves, codes, strict=True)
            ]
        if kept:
            self._kept = kept[-1].moved
        return [m.config == "" for m in moves]

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
        self._kept = None
        fields = [(f.name, f.type, msgspec.field(default=f.default)) for f in msgspec.structs.fields(_Row)[:-1]]
        named: dict[str, Any] | None = None
        if metric in {name for name, _, _ in fields}:  # the metric is one of the fields that are read anyway
            named = {"value": property(lambda row: x if isinstance(x := getattr(row, metric), int | float) else None)}
        else:
            fields.append(("value", float | None, msgspec.field(name=metric, default=None)))
        self._metric = metric
        self._kind: Any = msgspec.defstruct("Row", fields, gc=False, namespace=named)
        self._decode = msgspec.json.Decoder(self._kind).decode
        self._moves.clear()

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
        status = status_of(row.stage, row.decision)
        proposal, value, reason = row.proposal, finite(row.value), None
        move = self._move(proposal.knob, bytes(proposal.new_value), bytes(row.candidate_cfg)) if proposal else _NOWHERE
        if value is None:
            if row.value is not None:
                reason = "nan"
            elif status in SCORED:
                faults = (*faults, self._lacks(line))
        kept = status == "kept"
        noop = self._carried(move, kept=kept) if move.config is not None else None
        return Trial(
            seq=line.seq,
            at=line.at,
            status=status,
            pair=move.pair,
            iter=row.iter,
            value=value,
            wall_s=finite(row.iter_wall_s),
            tokens_in=row.tokens_in,
            tokens_out=row.tokens_out,
            time_ms=time_ms(row.ts),
            base=move.base,
            config=move.config,
            moved=move.moved,
            noop=noop,
            refused=(row.stage,) if status == "blocked" else (),
            seed=move.seed,
            first_step=finite(row.eval_metrics.train_loss_first) if row.eval_metrics else None,
            claimed_best=row.is_new_best,
            drift=move.drift,
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

    def _move(self, knob: str | None, value: bytes, config: bytes) -> Move:
        """What a row does, by the spelling of its knob, value and configuration."""
        found = self._moves.get((knob, value, config))
        if found is None:
            p = self._pair(knob, value) if knob else None
            found = self._place(p, config) if p is not None and config and self._base is not None else Move(pair=p)
            if len(self._moves) >= MEMO:
                self._moves.clear()
            self._moves[knob, value, config] = found
        return found

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

    def _place(self, p: Pair, raw: bytes) -> Move:
        """Which configuration ran, what it changes in the base, and whether that is what was proposed."""
        try:
            config = loose(raw)
        except ValueError:
            return Move(pair=p)
        if not isinstance(config, dict) or self._base is None:
            return Move(pair=p)
        changes = [self._change(k, v) for k, v in config.items() if k != "seed" and not identical(v, self._base.get(k))]
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
        base = pair(rest).label if rest else ""
        return Move(p, moved.label, moved, base, drift, seed if is_whole(seed) else None)

    def _carried(self, move: Move, *, kept: bool) -> bool:
        """Whether a trial proposes what already stands, which hangs on whether keeps are carried into the next base."""
        moved = move.moved or _EMPTY
        # A kept change can stand in this base only where something beside the trial's own knobs does.
        if self._kept is not None and not self._carry and (move.base or not self._kept.changes):
            own = {c.knob for c in move.pair.changes} if move.pair is not None else set()
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
            counts={new: obj[old] for old, new in names.items() if is_whole(obj.get(old))},
            reason="loop_complete",
        )
