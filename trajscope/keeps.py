"""Keeps: what each kept trial added, whether it was guarded, and whether what came next was built on it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from trajscope import edits
from trajscope.ground import Ground
from trajscope.scores import SAME_START, Scores
from trajscope.tally import LATEST, MOST, Blind, ConfigTally, Confirm, Keep, Kept, PairTally, Tally
from trajscope.trial import COMPARED, Header, Measure, MetricSpec, Seed, Trial

WAITING = 64  # keeps that wait to be seen in a later base; each is looked at with every trial


class Keeps:
    """The kept trials of one run; its state is the run's tally."""

    def __init__(self, header: Header, tally: Tally, ground: Ground, scores: Scores) -> None:
        self.tally, self.ground, self.scores = tally, ground, scores
        self.metric, self.branching = header.metric, header.branching
        self.guards = [m for m in header.metrics if m.role == "guard"]

    def keep(self, t: Trial, p: PairTally | None, config: ConfigTally | None, e: int) -> None:
        """One kept trial, the e-th that was evaluated."""
        s, scores = self.tally, self.scores
        s.keep_count += 1
        base = s.configs.get(t.base) if t.base is not None else None
        reference = base if base is not None and base.n and base is not config else scores.base
        gain = None
        if t.value is not None and scores.sign and reference is not None and reference.n:
            # Against the declared baseline as it was declared, against an incumbent as it has scored so far.
            held = reference.mean if reference is not scores.base or s.baseline_mean is None else s.baseline_mean
            gain = (t.value - held) * scores.sign
        also = self._also(t.metrics, base)
        if len(s.keeps) < MOST:
            # What changes nothing is in every base, and what ran as something else was never kept.
            if not t.noop and not t.drift:
                s.pending.append(len(s.keeps))
            place = p.id if p else -1, config.id if config else -1, base.id if base else -1
            s.keeps.append(Keep(t.seq, *place, t.value, gain, also))
        self._look(t, Kept(t.seq, e, config.id if config else -1, None, gain, {}, also, self._guard(t)))
        self._touch(t, base, gain)
        if config is not None:
            self._stand(config, t.metrics, t.seeds)

    def measure(self, m: Measure) -> None:
        """An evaluation that is no trial, as far as it says something of keeps."""
        s, scores = self.tally, self.scores
        config = scores.meet(m.config) if m.config is not None else None
        if m.what == "baseline":
            self._stand(scores.meet(m.config if m.config is not None else scores.base_id), m.metrics, m.seeds)
        elif m.what == "confirm" and config is not None and m.value is not None and len(s.confirms) < MOST:
            found = s.confirms.setdefault(config.id, Confirm())
            found.times += 1
            for value in _values(m.seeds) or (m.value,):
                found.add(value)
        elif m.what == "degenerate" and config is None and len(s.degenerates) < MOST:
            own = {self.metric: m.value} if self.metric else {}
            s.degenerates[m.name or "unnamed"] = _numbers({**own, **(m.metrics or {})})
        elif m.what == "degenerate" and config is not None and m.value is not None and len(s.blinds) < MOST:
            s.blinds.append(Blind(m.seq, config.id, m.name or "unnamed", m.value))

    def compose(self, t: Trial) -> None:
        """Whether what was kept is in the base of this, the next evaluated trial."""
        s = self.tally
        if t.provenance in COMPARED:  # with the last keep: whatever is missing is among the changes
            s.pending = []
            return
        if not t.based and t.moved is None:
            return  # it says nothing of its base
        own = {c.knob for c in t.pair.changes} if t.pair is not None else set()
        waiting: list[int] = []
        lost: list[int] = []
        later: dict[str, str] = {}  # what the latest keep made of a knob: another value says nothing against an earlier
        for i in reversed(s.pending):
            keep = s.keeps[i]
            kept = self.ground.pairs[keep.pair].pair.changes if keep.pair >= 0 else ()
            if t.based and keep.config >= 0:
                if t.base != self.scores.configs[keep.config].label:
                    if self.branching:
                        waiting.append(i)  # somebody else's branch
                    else:
                        lost.append(keep.seq)
            elif t.moved is not None and kept:
                stands = {c.knob: c.text for c in t.moved.changes}
                asked = [c for c in kept if later.get(c.knob, c.text) == c.text]
                others = [c for c in asked if c.knob not in own]
                if any(stands.get(c.knob) != c.text for c in others):
                    lost.append(keep.seq)
                elif asked and not others:
                    waiting.append(i)  # it changes the same knob: a later trial will tell
            else:
                waiting.append(i)
            later = {c.knob: c.text for c in kept} | later
        waiting.reverse()
        for seq in reversed(lost):
            s.witness("not_composing", seq)
        s.pending = waiting[-WAITING:]

    def _stand(self, config: ConfigTally, metrics: Mapping[str, Any] | None, seeds: tuple[Seed, ...]) -> None:
        """What later keeps are held against, should they be built upon this."""
        s = self.tally
        if metrics and len(s.kept_metrics) < MOST:
            s.kept_metrics[config.id] = _numbers(metrics)
        if seeds and len(s.kept_prints) < MOST and (found := _prints(seeds)):
            s.kept_prints[config.id] = found

    def _look(self, t: Trial, k: Kept) -> None:
        """What detectors ask of it beside the keeps before it."""
        s = self.tally
        if t.value is not None and self.scores.sign:
            k.score = t.value * self.scores.sign
        if t.metrics:
            k.metrics = _numbers(t.metrics)
        if t.seeds and len(values := _values(t.seeds)) > 1:
            mean = sum(values) / len(values)
            k.seeds, k.variance = len(values), sum((v - mean) ** 2 for v in values) / (len(values) - 1)
        k.wall_s, k.holdout = t.wall_s, t.holdout
        s.latest.append(k)
        if len(s.latest) > LATEST:
            del s.latest[0]

    def _touch(self, t: Trial, base: ConfigTally | None, gain: float | None) -> None:
        """What one keep is enough to show: a gain without a change, a failed holdout, an edit of seeds or scorers."""
        s = self.tally
        before = s.kept_prints.get(base.id) if t.seeds and base is not None else None
        now = _prints(t.seeds) if before is not None else None
        same = now == before if before and now and now[0] == before[0] else None
        if t.config is None and same is None:
            s.witness("change_unknown", t.seq)
        elif (same or t.noop) and gain is not None and gain > SAME_START * abs(t.value or 0.0):
            s.witness("unchanged_gain", t.seq)
        if t.holdout is not None:
            s.witness("holdout_passed" if t.holdout else "holdout_failed", t.seq)
        changes = t.pair.changes if t.pair is not None else ()
        found = edits.touched(t.diff) if t.diff else None
        if not changes or t.diff_lost or (found.fault if found else any(c.knob.startswith("code:") for c in changes)):
            s.witness("edit_unread", t.seq)
        elif found:
            s.witness("edit_read", t.seq)
        seeds = (*(found.seeds if found else ()), *(c.label for c in changes if edits.seeding(f"{c.knob} =")))
        for name, what in (("seed_edit", seeds), ("grader_edit", found.graders if found else ())):
            if what:
                s.witness(name, t.seq)
                s.touched.setdefault(name, what[0])

    def _also(self, metrics: Mapping[str, Any] | None, base: ConfigTally | None) -> dict[str, float]:
        before = self.tally.kept_metrics.get(base.id) if base is not None else None
        if not metrics or not before:
            return {}
        now = _numbers(metrics)
        return {m: now[m] - before[m] for m in now if m in before and m != self.metric}

    def _guard(self, t: Trial) -> dict[str, float]:
        """A guard that has no threshold or saw no number did not run; the keep it should have judged is suspect."""
        rooms = {}
        for g in self.guards:
            seen = [x.metrics.get(g.name) for x in t.seeds if x.status == "ok"] or [(t.metrics or {}).get(g.name)]
            if g.floor is None and g.ceiling is None:
                self.tally.witness("guard_missing", t.seq)
            elif any(not isinstance(v, int | float) or v != v for v in seen):
                self.tally.witness("guard_blind", t.seq)
            else:
                rooms[g.name] = _room((v for v in seen if v is not None), g)
                if rooms[g.name] < 0:
                    self.tally.witness("guard_broken", t.seq)
        return rooms


def _numbers(metrics: Mapping[str, Any]) -> dict[str, float]:
    return {m: float(x) for m, x in metrics.items() if isinstance(x, int | float) and x == x}


def _values(seeds: tuple[Seed, ...]) -> list[float]:
    return [x.value for x in seeds if x.status == "ok" and x.value is not None]


def _room(seen: Iterable[float], g: MetricSpec) -> float:
    """How far the worst of these lies from the bound of its guard; negative beyond it."""
    return min(
        room
        for v in seen
        for room in (v - g.floor if g.floor is not None else None, g.ceiling - v if g.ceiling is not None else None)
        if room is not None
    )


def _prints(seeds: tuple[Seed, ...]) -> str | None:
    """What ran, by its hashes: that of its predictions, else those of its code and settings; None where some lack."""
    if all(x.predictions_sha for x in seeds):
        return "p" + " ".join(str(x.predictions_sha) for x in seeds)
    if all(x.code_sha and x.config_sha for x in seeds):
        return "c" + " ".join(dict.fromkeys(f"{x.code_sha} {x.config_sha}" for x in seeds))
    return None
