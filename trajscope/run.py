"""Run: all that is known of one run so far. Trials go in, rows with derived columns come out.

Knows no file and no format, and asks no clock. Live and batch push the same trials through the same lines.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Mapping
from itertools import combinations
from typing import Any

import msgspec

from trajscope.columns import DERIVED_VERSION, Row
from trajscope.fold import Metric
from trajscope.menu import Menu, family
from trajscope.pair import Neighbours, Pair
from trajscope.tally import MOST, ConfigTally, Evidence, Keep, KnobTally, PairTally, Tally
from trajscope.trial import CODE, SCORED, Break, End, Event, Header, Item, Measure, Trial, Unreadable

SAME_START = 1e-4  # relative difference of first steps that numerics alone may make
LAGS = 64  # gaps beyond this many trials are not told apart
_BASE = "\x00baseline"  # the baseline's group where the base configuration has no identity
_EVALUATED = frozenset(CODE[s] for s in SCORED)
_KEPT, _REVERTED, _ABORTED, _INELIGIBLE = CODE["kept"], CODE["reverted"], CODE["aborted"], CODE["ineligible"]


class Run:
    """One run. `metrics` are stepped with every trial; without any, the rows are for SQL to aggregate."""

    def __init__(self, header: Header, metrics: Iterable[Metric] = ()) -> None:
        self.header = header
        self.tally = Tally(settings=header.settings)
        self.metrics = tuple(metrics)
        self.states: dict[str, Any] = {m.name: m.zero() for m in self.metrics}
        self.sign = {"maximize": 1.0, "minimize": -1.0}.get(header.goal or "", 0.0)
        self.repeats = bytearray()  # one flag per counted trial
        self.counted_seqs = array("q")
        self.scores = array("d")  # one per evaluated trial; NaN where it has none
        self.score_configs = array("l")
        self.score_seqs = array("q")
        self._near: dict[str | None, Neighbours] = {}
        self._config_list: list[ConfigTally] = []
        self._pair_list: list[PairTally] = []
        self._guards = [m for m in header.metrics if m.role == "guard"]
        self._base_cells = _cells(header.menu, header.base)
        self._kept_metrics: dict[int, Mapping[str, Any]] = {}
        for knob in header.menu.knobs.values() if header.menu else ():
            self.tally.knobs[knob.name] = KnobTally(knob.name, knob.family, True)
        if header.baseline is not None:
            self._baseline(header.baseline, "header")

    # --- what goes in -------------------------------------------------------------------------------------------

    def take(self, item: Item) -> Row | None:
        """One item of a reader; a trial comes back as its row."""
        if type(item) is Trial:
            return self.push(item)
        t = self.tally
        if isinstance(item, Unreadable):
            t.torn += item.torn
            self._evidence("torn" if item.torn else "unreadable", item.seq)
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
            self._evidence(f"event:{item.kind[:40]}", item.seq)
        return None

    def push(self, t: Trial) -> Row:
        """One trial: derives its columns, counts it, steps the metrics."""
        s = self.tally
        code = CODE.get(t.status, CODE["other"])
        s.trials += 1
        evaluated = code in _EVALUATED or (code == _ABORTED and t.value is not None)
        replicate = evaluated and t.intent == "replicate"
        kept = code == _KEPT
        p = self._pair(t.pair) if t.pair is not None else None
        counted = evaluated and not replicate and p is not None
        eligible = evaluated and code != _INELIGIBLE and t.value is not None and self.sign != 0.0
        s.e += evaluated
        s.c += counted

        config = self._config(t.config, p) if evaluated and t.config is not None else None
        if evaluated and p is not None:
            s.placed = s.placed or config is not None
            s.unplaced = s.unplaced or config is None
        k = gap = kept_k = knob_k = context_k = 0
        new = [0, 0, 0, 0]
        near = revisit = noop = False
        if p is not None:
            new = self._touch(p, t, evaluated, counted, kept, code)
            kept_k = p.kept if kept else 0
            if counted:
                p.n += 1
                k, gap, p.last = p.n, s.c - p.last if p.last else 0, s.c
                lane = s.lanes[p.pair.knob]
                lane[1] += 1
                knob_k = lane[1]
                if config is not None:
                    config.k += 1
                    context_k = config.k
                    revisit = k > 1 and context_k == 1
                if k == 1:
                    p.first = t.seq
                    near = self._is_near(t)
                elif gap <= LAGS:
                    s.lags[gap] = s.lags.get(gap, 0) + 1
                self.repeats.append(k > 1)
                self.counted_seqs.append(t.seq)
            if evaluated and t.noop:
                noop = True
                self._evidence("noop", t.seq)

        if evaluated and s.pending:
            self._compose(t)
        best, new_best = self._score(t, evaluated, eligible, kept, config, noop, replicate)
        if kept:
            self._keep(t, p, config)
        s.runs_of_keeps[0] = s.runs_of_keeps[0] + 1 if kept else 0 if evaluated else s.runs_of_keeps[0]
        s.runs_of_keeps[1] = max(s.runs_of_keeps)
        if t.drift or t.fingerprinted or t.refused or t.faults or t.reason_code or t.claimed_best is not None:
            self._remarks(t, new_best, evaluated)
        if s.drifted and t.wall_s is not None:
            s.drift_wall_s = (s.drift_wall_s or 0.0) + t.wall_s
        if t.iter is not None:
            self._iter(t)
        row = Row(
            t.seq,
            t.at,
            t.iter,
            code,
            evaluated,
            counted,
            kept,
            s.e,
            s.c,
            p.id if p is not None else -1,
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
            t.value,
            best,
            s.best_kept * self.sign if s.best_kept is not None else None,
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
        )
        states = self.states
        for m in self.metrics:
            states[m.name] = m.step(states[m.name], row)
        return row

    # --- what comes out -----------------------------------------------------------------------------------------

    @property
    def configs(self) -> list[ConfigTally]:
        """Every configuration, by its number."""
        return self._config_list

    @property
    def pairs(self) -> list[PairTally]:
        """Every pair, by its number."""
        return self._pair_list

    @property
    def base(self) -> ConfigTally | None:
        """The baseline's group: declared and measured baselines, and the no-ops that replicate them."""
        base_id = self.header.base_id
        return self.tally.configs.get(base_id if base_id is not None else _BASE)

    def evidence(self, name: str) -> Evidence:
        """The trials that show something; an empty one where nothing does."""
        return self.tally.evidence.get(name) or Evidence()

    def snapshot(self) -> bytes:
        """Everything needed to go on from here, as bytes that hold no code."""
        arrays = [bytes(self.repeats), *(a.tobytes() for a in self._arrays())]
        kept = {str(k): dict(v) for k, v in self._kept_metrics.items()}
        body = (DERIVED_VERSION, self.tally, self.states, arrays, kept)
        return msgspec.msgpack.encode(body)

    def restore(self, snapshot: bytes) -> None:
        """Go on from a snapshot of a run with the same header and metrics."""
        kind = tuple[int, Tally, dict[str, Any], list[bytes], dict[str, dict[str, Any]]]
        version, self.tally, states, arrays, kept = msgspec.msgpack.decode(snapshot, type=kind)
        if version != DERIVED_VERSION:
            raise ValueError(f"snapshot of derived version {version}, this one is {DERIVED_VERSION}")
        self.states = {m.name: m.fold.thaw(states[m.name]) for m in self.metrics}
        self.repeats = bytearray(arrays[0])
        for a, data in zip(self._arrays(), arrays[1:], strict=True):
            del a[:]
            a.frombytes(data)
        self._kept_metrics = {int(k): v for k, v in kept.items()}
        self._config_list = sorted(self.tally.configs.values(), key=lambda c: c.id)
        self._pair_list = sorted(self.tally.pairs.values(), key=lambda p: p.id)
        self._near = {}
        for base, label in self.tally.near:
            self._near.setdefault(base, Neighbours()).add(self.tally.pairs[label].pair)

    # --- below: how ---------------------------------------------------------------------------------------------

    def _arrays(self) -> tuple[array[Any], ...]:
        return self.counted_seqs, self.scores, self.score_configs, self.score_seqs

    def _evidence(self, name: str, seq: int) -> None:
        found = self.tally.evidence.get(name)
        if found is None:
            found = self.tally.evidence[name] = Evidence()
        found.add(seq)

    def _pair(self, pair: Pair) -> PairTally:
        s = self.tally
        found = s.pairs.get(pair.label)
        if found is None:
            knobs = []
            outside = False
            for c in pair.changes:
                if c.knob not in s.knobs:
                    s.knobs[c.knob] = KnobTally(c.knob, family(c.knob), self.header.menu is None)
                outside = outside or not c.known or c.objection is not None
                knobs.append(next(i for i, name in enumerate(s.knobs) if name == c.knob))
            lane = s.lanes.setdefault(pair.knob, [len(s.lanes), 0])
            found = s.pairs[pair.label] = PairTally(len(s.pairs), pair, tuple(knobs), lane[0], outside=outside)
            self._pair_list.append(found)
        return found

    def _config(self, name: str, p: PairTally | None = None) -> ConfigTally:
        found = self.tally.configs.get(name)
        if found is None:
            found = self.tally.configs[name] = ConfigTally(len(self._config_list), name)
            self._config_list.append(found)
        if p is not None and found.pair < 0:
            found.pair = p.id
        return found

    def _touch(self, p: PairTally, t: Trial, evaluated: bool, counted: bool, kept: bool, code: int) -> list[int]:
        """Counts the knobs and cells of a proposal; answers how many of each are new."""
        s = self.tally
        new = [0, 0, 0, 0]
        p.kept += kept
        p.reverted += code == _REVERTED
        for c in p.pair.changes:
            knob = s.knobs[c.knob]
            knob.proposed += 1
            new[2] += knob.in_menu and knob.proposed == 1
            if evaluated:
                knob.evaluated += 1
                new[0] += knob.in_menu and knob.evaluated == 1
                if (
                    c.cell is not None
                    and c.cell not in knob.cells
                    and not t.noop
                    and not self._is_default(c.knob, c.cell)
                ):
                    knob.cells.add(c.cell)
                    new[3] += 1
            knob.counted += counted
            knob.kept += kept
            new[1] += kept and knob.in_menu and knob.kept == 1
        if p.outside:
            self._evidence("outside", t.seq)
        s.provenance[t.provenance] = s.provenance.get(t.provenance, 0) + evaluated
        if evaluated and t.moved is not None and self._base_cells is not None:
            self._levels(t.moved)
        return new

    def _is_default(self, name: str, cell: str) -> bool:
        knob = self.header.menu.find(name) if self.header.menu else None
        return knob is not None and knob.default_cell and knob.cell(knob.default) == cell

    def _levels(self, moved: Pair) -> None:
        """Which pairs of cells have stood together: two-way coverage."""
        assert self._base_cells is not None
        changed = {c.knob: c.cell for c in moved.changes if c.knob in self._base_cells and c.cell is not None}
        key = tuple(sorted(changed.values()))
        if key in self.tally.seen_moves:
            return
        if not self.tally.seen_moves:
            self.tally.levels.update(combinations(sorted(self._base_cells.values()), 2))
        self.tally.seen_moves.add(key)
        cells = sorted({**self._base_cells, **changed}.values())
        self.tally.levels.update(combinations(cells, 2))

    def _is_near(self, t: Trial) -> bool:
        if t.pair is None or all(c.position is None for c in t.pair.changes):
            return False
        here = self._near.get(t.base)
        if here is None:
            here = self._near[t.base] = Neighbours()
        near = here.near(t.pair)
        here.add(t.pair)
        self.tally.near.append((t.base, t.pair.label))
        return near

    def _score(
        self,
        t: Trial,
        evaluated: bool,
        eligible: bool,
        kept: bool,
        config: ConfigTally | None,
        noop: bool,
        replicate: bool,
    ) -> tuple[float | None, bool]:
        """Running best, plateaus and the noise pool."""
        s = self.tally
        new_best = False
        score = t.value * self.sign if eligible and t.value is not None else None
        if score is not None and t.value is not None:
            new_best = s.best is None or score > s.best
            if new_best:
                s.best, s.best_seq = score, t.seq
            if (kept or not self.header.has_keeps) and (s.best_kept is None or score > s.best_kept):
                s.best_kept, s.best_kept_seq, s.best_kept_iter = score, t.seq, t.iter
                s.best_kept_config = config.id if config is not None else -1
            if s.baseline:
                s.beats_baseline[0] += score > self.sign * s.baseline[0]
                s.beats_baseline[1] += 1
            if config is not None:
                self._noise(config, t.value, "replicate" if replicate else "noop" if noop else "repeat")
                config.kept += kept
                config.reverted += t.status == "reverted"
        if evaluated:
            self.scores.append(score if score is not None else float("nan"))
            self.score_configs.append(config.id if config is not None else -1)
            self.score_seqs.append(t.seq)
            s.since_keep = 0 if kept else s.since_keep + 1
            if new_best:
                s.since_best, s.dry_first = 0, -1
            else:
                s.since_best += 1
                s.dry_first = t.seq if s.dry_first < 0 else s.dry_first
                if s.since_best > s.longest[0]:
                    s.longest = [s.since_best, s.dry_first, t.seq]
            if t.seeds:
                self._seeds(t, config)
            elif t.first_step is not None and config is not None:
                self._first_step(config, t.seed, t.first_step)
        return (s.best * self.sign if s.best is not None else None), new_best

    def _noise(self, group: ConfigTally, value: float, source: str) -> None:
        grown = group.add(value)
        if group.n > 1:
            s = self.tally
            s.noise_ss += grown
            s.noise_df[source] = s.noise_df.get(source, 0) + 1

    def _seeds(self, t: Trial, config: ConfigTally | None) -> None:
        values = [x.value for x in t.seeds if x.status == "ok" and x.value is not None]
        if len(values) > 1:
            mean = sum(values) / len(values)
            # The noise of a mean over n seeds is that of one seed over the square root of n.
            self.tally.seed_ss += sum((v - mean) ** 2 for v in values) / len(values)
            self.tally.seed_df += len(values) - 1
        if config is not None:
            for x in t.seeds:
                if x.first_step is not None:
                    self._first_step(config, x.seed, x.first_step)

    def _first_step(self, config: ConfigTally, seed: int | None, first: float) -> None:
        """The same configuration and seed must begin alike; where they do not, the seed does nothing."""
        if seed is None:
            return
        if config.first_steps is None:
            config.first_steps = {}
        before = config.first_steps.setdefault(str(seed), first)
        if config.k > 1:
            differs = abs(before - first) > SAME_START * max(abs(before), abs(first))
            self.tally.seed_ineffective = bool(self.tally.seed_ineffective) or differs

    def _measure(self, m: Measure) -> None:
        if m.what == "baseline" and m.value is not None:
            self._baseline(m.value, "measured", m.config)
        elif m.value is not None and m.config is not None:
            self._noise(self._config(m.config), m.value, "measure")
        self._evidence(f"measure:{m.what[:40]}", m.seq)

    def _baseline(self, value: float, source: str, config: str | None = None) -> None:
        s = self.tally
        s.baseline.append(value)
        s.baseline_source = source
        base_id = config if config is not None else self.header.base_id
        self._noise(self._config(base_id if base_id is not None else _BASE), value, "baseline")
        if self.sign and (s.best is None or value * self.sign > s.best):
            s.best = value * self.sign

    def _keep(self, t: Trial, p: PairTally | None, config: ConfigTally | None) -> None:
        s = self.tally
        s.keep_count += 1
        base = self.tally.configs.get(t.base) if t.base is not None else None
        reference = base if base is not None and base.n and base is not config else self.base
        gain = also = None
        if t.value is not None and self.sign and reference is not None and reference.n:
            # Against the declared baseline as it was declared, against an incumbent as it has scored so far.
            held = s.baseline[0] if reference is self.base and s.baseline else reference.mean
            gain = (t.value - held) * self.sign
        before = self._kept_metrics.get(base.id if base is not None else -1)
        if t.metrics and before:
            also = {
                m: v - before[m]
                for m, v in t.metrics.items()
                if m != self.header.metric and isinstance(v, float | int) and isinstance(before.get(m), float | int)
            }
        keep = Keep(
            t.seq, p.id if p else -1, config.id if config else -1, base.id if base else -1, t.value, gain, also or {}
        )
        if len(s.keeps) < MOST:
            s.pending.append(len(s.keeps))
            s.keeps.append(keep)
        if t.metrics and config is not None and len(self._kept_metrics) < MOST:
            self._kept_metrics[config.id] = t.metrics
        self._guarded(t)

    def _compose(self, t: Trial) -> None:
        """Whether what was kept is in the base of what came next."""
        s = self.tally
        own = {c.knob for c in t.pair.changes} if t.pair is not None else set()
        waiting = []
        for i in s.pending:
            keep = s.keeps[i]
            kept = self._pair_list[keep.pair].pair.changes if keep.pair >= 0 else ()
            if t.moved is not None and kept:
                stands = {c.knob: c.text for c in t.moved.changes}
                open_ = [c for c in kept if c.knob not in own]
                if any(stands.get(c.knob) != c.text for c in open_):
                    self._evidence("not_composing", keep.seq)
                elif not open_:
                    waiting.append(i)  # it changes the same knob: the next trial will tell
            elif t.base is not None and keep.config >= 0:
                if t.base != self._config_list[keep.config].label:
                    self._evidence("not_composing", keep.seq)
            else:
                waiting.append(i)
        s.pending = waiting[-MOST:]

    def _guarded(self, t: Trial) -> None:
        """A guard that has no threshold or saw no number did not run; the keep it should have judged is suspect."""
        for g in self._guards:
            seen = [x.metrics.get(g.name) for x in t.seeds if x.status == "ok"] or [(t.metrics or {}).get(g.name)]
            missing = g.floor is None and g.ceiling is None
            if missing or any(not isinstance(v, int | float) or v != v for v in seen):
                self._evidence("guard_missing" if missing else "guard_blind", t.seq)
            elif any(_beyond(v, g.floor, g.ceiling) for v in seen if v is not None):
                self._evidence("guard_broken", t.seq)

    def _remarks(self, t: Trial, new_best: bool, evaluated: bool) -> None:
        s = self.tally
        s.fingerprinted += t.fingerprinted
        if t.drift:
            s.drifted = True
            self._evidence("drift", t.seq)
            for d in t.drift:
                if not any(d.path == x[0] and d.knob == x[1] for x in s.drift) and len(s.drift) < MOST:
                    s.drift.append((d.path, d.knob, d.proposed, d.ran, t.seq))
        for rule in t.refused:
            s.rules[rule] = s.rules.get(rule, 0) + 1
        for fault in t.faults:
            self._evidence("fault", t.seq)
            if len(s.faults) < MOST:
                s.faults.append((t.seq, fault))
        if t.reason_code:
            s.reason_codes[t.reason_code] = s.reason_codes.get(t.reason_code, 0) + 1
            if t.reason_code == "nan":
                self._evidence("nan", t.seq)
        if t.claimed_best is not None and evaluated:
            s.claims += 1
            if t.claimed_best != new_best:
                self._evidence("claimed_best", t.seq)

    def _iter(self, t: Trial) -> None:
        s = self.tally
        if t.iter is None:
            return
        if s.last_iter is not None and t.iter <= s.last_iter:
            self._evidence("iter_order", t.seq)
        s.last_iter = t.iter


def _cells(menu: Menu | None, base: Mapping[str, Any] | None) -> dict[str, str] | None:
    if menu is None or base is None:
        return None
    cells = {}
    for knob in menu.knobs.values():
        cell = menu.change(knob.name, base[knob.name]).cell if knob.name in base else None
        if cell is None:
            return None
        cells[knob.name] = cell
    return cells


def _beyond(value: float, floor: float | None, ceiling: float | None) -> bool:
    return (floor is not None and value < floor) or (ceiling is not None and value > ceiling)
