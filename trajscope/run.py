"""Run: all that is known of one run so far. Trials go in, rows with derived columns come out.

Knows no file and no format, and asks no clock. Live and batch push the same trials through the same lines.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import accumulate, islice, pairwise
from typing import Any, TypeVar

import msgspec

from trajscope.alarms import DEFAULTS
from trajscope.batch import Move
from trajscope.beyond import Beyond
from trajscope.columns import DERIVED_VERSION, Row
from trajscope.doubts import Doubts
from trajscope.fold import Metric
from trajscope.ground import NOTHING, Ground, New
from trajscope.keeps import Keeps
from trajscope.pair import Pair
from trajscope.scores import Scores
from trajscope.tally import LATELY, MOST, ConfigTally, Evidence, PairTally, Tally
from trajscope.trial import CODE, SCORED, Break, End, Event, Header, Item, Measure, Trial, Unreadable

LAGS = 64  # gaps beyond this many trials are not told apart
EVALUATED = frozenset(CODE[s] for s in SCORED)
_KEPT, _REVERTED, _ABORTED, _INELIGIBLE = CODE["kept"], CODE["reverted"], CODE["aborted"], CODE["ineligible"]
_OTHER = CODE["other"]
CRASHED = frozenset((CODE["crashed"], _ABORTED))  # an aborted one with a value was evaluated all the same
_RECENT = (1 << LATELY) - 1
PART = 1 << 14  # entries of a piece of what was written down: they are decoded in 30 ms
_LONG: dict[str, Any] = {  # what of a tally grows with the run, and is written down in pieces
    "pairs": dict[str, PairTally],
    "configs": dict[str, ConfigTally],
    "near": set[tuple[str | None, str]],
    "seen_moves": set[tuple[str, ...]],
}
_TABLES = ("pairs", "configs")
T = TypeVar("T")
_new = tuple.__new__  # a Row without the call in Python that its own constructor makes


class Run:
    """One run. `metrics` are stepped with every trial; without any, the rows are for SQL to aggregate."""

    def __init__(self, header: Header, metrics: Iterable[Metric] = ()) -> None:
        self.header = header
        self.alarms = DEFAULTS  # what a user set for the rules that are asked of it
        self.metrics = tuple(metrics)
        self.states: dict[str, Any] = {m.name: m.zero() for m in self.metrics}
        self._steps = [(m.name, m.step) for m in self.metrics]
        self.repeats = bytearray()  # one flag per counted trial
        self.counted_seqs = array("q")
        self._stand_on(Tally())
        if header.baseline is not None:
            self.scores.baseline(header.baseline, "header")

    def _stand_on(self, tally: Tally) -> None:
        self.tally = tally
        self.ground = Ground(self.header, tally)
        self.scores = Scores(self.header, tally)
        self.keeps = Keeps(self.header, tally, self.ground, self.scores)
        self.beyond = Beyond()
        self.doubts = Doubts()
        self._held: dict[str, tuple[object, Any]] = {}
        self._repeats_so_far = array("i", [0])  # before each counted trial, as far as somebody asked

    # --- what goes in -------------------------------------------------------------------------------------------

    def take(self, item: Item) -> Row | None:
        """One item of a reader; a trial comes back as its row."""
        if type(item) is Trial:
            return self.push(item)
        t = self.tally
        if isinstance(item, Unreadable):
            t.witness("torn" if item.torn else "unreadable", item.seq)
            if len(t.unread) < MOST:
                t.unread.append((item.seq, item.why))
        elif isinstance(item, Measure):
            self._measure(item)
        elif isinstance(item, Break):
            t.break_count += 1
            if len(t.breaks) < MOST:
                t.breaks.append((item.seq, item.why))
        elif isinstance(item, End):
            t.ended, t.end_counts = True, dict(item.counts)
        elif isinstance(item, Event):
            t.witness(f"event:{item.kind[:40]}", item.seq)
        return None

    def push(self, t: Trial) -> Row:  # noqa: C901, PLR0912, PLR0915  # a call costs a tenth of a row
        """One trial: derives its columns, counts it, steps the metrics."""
        s = self.tally
        code = CODE.get(t.status, _OTHER)
        value = t.value
        kept = code == _KEPT
        evaluated = code in EVALUATED or (code == _ABORTED and value is not None)
        replicate = evaluated and t.intent == "replicate"
        pair = t.pair
        s.trials += 1
        s.e += evaluated
        if evaluated or code in CRASHED:
            s.ran += 1
            s.crashes_lately = (s.crashes_lately << 1 | (not evaluated)) & _RECENT
            if not evaluated:
                s.crashed(t.seq)
            elif s.crash_row:
                s.crash_row, s.crash_seqs = 0, []
            s.timed += t.wall_s is not None
            s.metered += t.tokens_in is not None and t.tokens_out is not None
            s.priced += t.usd is not None
        k = gap = kept_k = knob_k = context_k = 0
        near = revisit = noop = counted = False
        new = NOTHING
        p: PairTally | None = None
        config: ConfigTally | None = None
        if t.unfound:
            s.witness("unfound", t.seq)
        if t.refused_pairs:
            new = self._refused(t.refused_pairs)
        if pair is not None:
            p = s.pairs.get(pair.label) or self.ground.meet(pair)
            p.proposed += 1
            if p.outside:
                s.witness("outside", t.seq)
            if evaluated:
                p.evaluated += 1
                noop = t.noop is True
                p.moved += not noop
                if noop and not replicate:
                    s.witness("noop", t.seq)
                s.provenance[t.provenance] = s.provenance.get(t.provenance, 0) + 1
                config = self.place(t, p)
                counted = not replicate
            if kept:
                p.kept += 1
                kept_k = p.kept
            elif code == _REVERTED:
                p.reverted += 1
            if p.proposed == 1 or (evaluated and (p.evaluated == 1 or (p.moved == 1 and not noop))) or kept_k == 1:
                before = new.proposed_knobs
                new = self.ground.reach(p, evaluated=evaluated, kept=kept, noop=noop)
                new = new._replace(proposed_knobs=new.proposed_knobs + before) if before else new
            if counted:
                s.c += 1
                p.n += 1
                k = p.n
                s.lane_counts[p.lane] += 1
                knob_k = s.lane_counts[p.lane]
                if config is not None:
                    config.k += 1
                    context_k = config.k
                    revisit = k > 1 and context_k == 1
                if k == 1:
                    p.first = t.seq
                    near = self.ground.is_near(t)
                else:
                    if context_k < 2:  # a known pair, but perhaps not on this base; 0 is an unknown configuration
                        self.ground.settle(t)
                    gap = s.c - p.last
                    if gap <= LAGS:
                        s.lags[gap] = s.lags.get(gap, 0) + 1
                p.last = s.c
                self.ground.read_from(t.provenance, t.confidence, p, repeat=k > 1)
                self.repeats.append(k > 1)
                self.counted_seqs.append(t.seq)
            self.ground.tell(p, 1, evaluated, counted, kept)
            if new.cells:
                s.new_cell_c = s.c
            if new.knobs:
                s.new_knob_c = s.c
        eligible = new_best = False
        if evaluated:
            if s.e <= MOST and t.wall_s is not None:
                s.walls.append(t.wall_s)
            if s.pending:
                self.keeps.compose(t)
            eligible = value is not None and code != _INELIGIBLE and self.scores.sign != 0.0
            source = "replicate" if replicate else "noop" if noop else "repeat"
            new_best = self.scores.score(t, config, eligible=eligible, kept=kept, source=source)
            if kept:
                self.keeps.keep(t, p, config, s.e)
                s.keeps_in_row += 1
                s.most_keeps_in_row = max(s.most_keeps_in_row, s.keeps_in_row)
            else:
                s.keeps_in_row = 0
            if t.claimed_best is not None:
                s.claims += 1
                if t.claimed_best != new_best:
                    s.witness("claimed_best", t.seq)
        if t.drift or t.fingerprinted or t.refused or t.faults or t.reason_code:
            self.remark(t, evaluated)
        if s.drifted and t.wall_s is not None:
            s.drift_wall_s = (s.drift_wall_s or 0.0) + t.wall_s
        if t.iter is not None:
            if s.last_iter is not None and t.iter <= s.last_iter:
                s.witness("iter_order", t.seq)
            s.last_iter = t.iter
        sign = self.scores.sign
        row = _new(
            Row,
            (
                t.seq,
                t.at,
                t.iter,
                code,
                evaluated,
                counted,
                kept,
                s.e,
                s.c,
                -1 if p is None else p.id,
                k,
                gap or None,
                kept_k,
                knob_k,
                context_k,
                new[0],
                new[1],
                new[2],
                new[3],
                near,
                revisit,
                replicate,
                noop,
                eligible,
                value,
                None if s.best is None else s.best * sign,
                None if s.best_kept is None else s.best_kept * sign,
                new_best,
                s.since_best,
                s.since_keep,
                t.attempts,
                len(t.refused),
                t.wall_s,
                t.tokens_in,
                t.tokens_out,
                t.usd,
                t.time_ms,
                s.drifted,
            ),
        )
        states = self.states
        for name, step in self._steps:
            states[name] = step(states[name], row)
        return row

    def place(self, t: Trial | Move, p: PairTally) -> ConfigTally | None:
        """The configuration that an evaluated trial ran, where that is known."""
        s = self.tally
        if t.config is None:
            s.unplaced = True
            return None
        s.placed = True
        config = s.configs.get(t.config)
        if config is None or config.pair < 0:
            config = self.scores.meet(t.config, p.id)
            if t.moved is not None:
                self.ground.stand(t.moved)
        return config

    def remark(self, t: Trial, evaluated: bool) -> None:
        """What is out of the ordinary about a trial."""
        s = self.tally
        s.fingerprinted += t.fingerprinted and evaluated
        if t.drift:
            s.drifted = True
            s.witness("drift", t.seq)
            for d in t.drift:
                if len(s.drift) < MOST and not any(d.path == x[0] and d.knob == x[1] for x in s.drift):
                    s.drift.append((d.path, d.knob, d.proposed, d.ran, t.seq))
        for rule in t.refused:
            s.rules[rule] = s.rules.get(rule, 0) + 1
        for fault in t.faults:
            s.witness("fault", t.seq)
            if len(s.faults) < MOST:
                s.faults.append((t.seq, fault))
        if t.reason_code == "nan":
            s.witness("nan", t.seq)

    # --- what comes out -----------------------------------------------------------------------------------------

    def evidence(self, name: str) -> Evidence:
        """The trials that show something; an empty one where nothing does."""
        return self.tally.evidence.get(name) or Evidence()

    def once(self, name: str, key: object, answer: Callable[[], T]) -> T:
        """What is answered to a question of this name; asked again only when the key, all it hangs on, has changed."""
        held = self._held.get(name)
        if held is None or held[0] != key:
            held = self._held[name] = key, answer()
        found: T = held[1]
        return found

    def repeat_rates(self, width: int) -> list[float]:
        """The share of repeats in each window of so many counted trials."""
        so_far, n = self._repeats_so_far, len(self.repeats)
        so_far.extend(islice(accumulate(self.repeats[len(so_far) - 1 :], initial=so_far[-1]), 1, None))
        ends = (*range(0, n, width), n)
        return [(so_far[b] - so_far[a]) / (b - a) for a, b in pairwise(ends)]

    def snapshot(self) -> bytes:
        """Everything needed to go on from here, as bytes that hold no code."""
        arrays = [bytes(self.repeats), *(a.tobytes() for a in self._arrays())]
        body = DERIVED_VERSION, self.tally, self.states, arrays
        try:
            return msgspec.msgpack.encode(body)
        except OverflowError:
            self._spell_values()
            return msgspec.msgpack.encode(body)

    def restore(self, snapshot: bytes) -> None:
        """Go on from a snapshot of a run with the same header and metrics."""
        kind = tuple[int, Tally, dict[str, Any], list[bytes]]
        self._go_on_from(*msgspec.msgpack.decode(snapshot, type=kind))

    def _go_on_from(self, version: int, tally: Tally, states: dict[str, Any], arrays: list[bytes]) -> None:
        if version != DERIVED_VERSION:
            raise ValueError(f"snapshot of derived version {version}, this one is {DERIVED_VERSION}")
        self._stand_on(tally)
        self.states = {m.name: m.fold.thaw(states[m.name]) for m in self.metrics}
        self.repeats = bytearray(arrays[0])
        for a, data in zip(self._arrays(), arrays[1:], strict=True):
            del a[:]
            a.frombytes(data)

    def pieces(self) -> list[bytes]:
        """The same as `snapshot`, in pieces that are quickly decoded."""
        try:
            return self._pieces()
        except OverflowError:
            self._spell_values()
            return self._pieces()

    def _pieces(self) -> list[bytes]:
        slim = msgspec.structs.replace(self.tally, **{name: {} if name in _TABLES else set() for name in _LONG})
        arrays = [bytes(self.repeats), *(a.tobytes() for a in self._arrays())]
        out = [msgspec.msgpack.encode((DERIVED_VERSION, slim, self.states, arrays))]
        for i, name in enumerate(_LONG):
            held = getattr(self.tally, name)
            entries = iter(held.items() if name in _TABLES else held)
            while part := list(islice(entries, PART)):
                out.append(bytes([i]) + msgspec.msgpack.encode(dict(part) if name in _TABLES else part))
        return out

    def taking_up(self, pieces: Iterable[bytes]) -> Iterator[None]:
        """Go on from such pieces, one at a time; nothing is taken up before the last of them."""
        first, *rest = pieces
        kind = tuple[int, Tally, dict[str, Any], list[bytes]]
        version, tally, states, arrays = msgspec.msgpack.decode(first, type=kind)
        yield
        names = list(_LONG)
        for piece in rest:
            name = names[piece[0]]
            getattr(tally, name).update(msgspec.msgpack.decode(memoryview(piece)[1:], type=_LONG[name]))
            yield
        self._go_on_from(version, tally, states, arrays)

    def go_on(self, metrics: Iterable[Metric], states: Mapping[str, Any]) -> None:
        """Step these metrics from here on; `states` are what they came to so far."""
        self.metrics = tuple(metrics)
        self.states = dict(states)
        self._steps = [(m.name, m.step) for m in self.metrics]

    # --- how ----------------------------------------------------------------------------------------------------

    def _spell_values(self) -> None:
        """For a whole number of over 64 bits among the values, which cannot be written: its text says the same."""
        for p in self.tally.pairs.values():
            p.pair = Pair(p.pair.label, tuple(c._replace(value=c.text) for c in p.pair.changes))

    def _arrays(self) -> tuple[array[Any], ...]:
        return self.counted_seqs, *self.scores.arrays

    def _refused(self, pairs: tuple[Pair, ...]) -> New:
        """What was proposed and refused inside a trial: proposed ground, never touched ground."""
        first = 0
        for pair in pairs:
            p = self.tally.pairs.get(pair.label) or self.ground.meet(pair)
            p.proposed += 1
            self.ground.tell(p, 1, 0, 0, 0)
            first += self.ground.reach(p, evaluated=False, kept=False, noop=False).proposed_knobs
        return New(proposed_knobs=first)

    def _measure(self, m: Measure) -> None:
        if m.what == "baseline" and m.value is not None:
            self.scores.baseline(m.value, "measured", m.config)
        elif m.value is not None and m.config is not None and m.what != "degenerate":
            self.scores.noise(self.scores.meet(m.config), m.value, "measure")
        self.keeps.measure(m)
        self.scores.seeds(m.seeds, m.seq)
        self.tally.witness(f"measure:{m.what[:40]}", m.seq)
