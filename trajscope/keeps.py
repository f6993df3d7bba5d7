"""Keeps: what each kept trial added, whether it was guarded, and whether what came next was built on it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from trajscope.ground import Ground
from trajscope.scores import Scores
from trajscope.tally import MOST, ConfigTally, Keep, PairTally, Tally
from trajscope.trial import Header, Trial


class Keeps:
    """The kept trials of one run; its state is the run's tally."""

    def __init__(self, header: Header, tally: Tally, ground: Ground, scores: Scores) -> None:
        self.tally, self.ground, self.scores = tally, ground, scores
        self.metric = header.metric
        self.guards = [m for m in header.metrics if m.role == "guard"]

    def keep(self, t: Trial, p: PairTally | None, config: ConfigTally | None) -> None:
        """One kept trial."""
        s, scores = self.tally, self.scores
        s.keep_count += 1
        base = s.configs.get(t.base) if t.base is not None else None
        reference = base if base is not None and base.n and base is not config else scores.base
        gain = None
        if t.value is not None and scores.sign and reference is not None and reference.n:
            # Against the declared baseline as it was declared, against an incumbent as it has scored so far.
            held = reference.mean if reference is not scores.base or s.baseline_mean is None else s.baseline_mean
            gain = (t.value - held) * scores.sign
        if len(s.keeps) < MOST:
            # What changes nothing is in every base, and what ran as something else was never kept.
            if not t.noop and not t.drift:
                s.pending.append(len(s.keeps))
            s.keeps.append(
                Keep(
                    t.seq,
                    p.id if p else -1,
                    config.id if config else -1,
                    base.id if base else -1,
                    t.value,
                    gain,
                    self._also(t.metrics, base),
                )
            )
        if t.metrics and config is not None and len(s.kept_metrics) < MOST:
            s.kept_metrics[config.id] = _numbers(t.metrics)
        self._guard(t)

    def compose(self, t: Trial) -> None:
        """Whether what was kept is in the base of this, the next evaluated trial."""
        if not t.based and t.moved is None:
            return  # it says nothing of its base
        s = self.tally
        own = {c.knob for c in t.pair.changes} if t.pair is not None else set()
        waiting = []
        for i in s.pending:
            keep = s.keeps[i]
            kept = self.ground.pairs[keep.pair].pair.changes if keep.pair >= 0 else ()
            if t.based and keep.config >= 0:
                if t.base != self.scores.configs[keep.config].label:
                    s.witness("not_composing", keep.seq)
            elif t.moved is not None and kept:
                stands = {c.knob: c.text for c in t.moved.changes}
                others = [c for c in kept if c.knob not in own]
                if any(stands.get(c.knob) != c.text for c in others):
                    s.witness("not_composing", keep.seq)
                elif not others:
                    waiting.append(i)  # it changes the same knob: a later trial will tell
            else:
                waiting.append(i)
        s.pending = waiting[-MOST:]

    def _also(self, metrics: Mapping[str, Any] | None, base: ConfigTally | None) -> dict[str, float]:
        before = self.tally.kept_metrics.get(base.id) if base is not None else None
        if not metrics or not before:
            return {}
        now = _numbers(metrics)
        return {m: now[m] - before[m] for m in now if m in before and m != self.metric}

    def _guard(self, t: Trial) -> None:
        """A guard that has no threshold or saw no number did not run; the keep it should have judged is suspect."""
        for g in self.guards:
            seen = [x.metrics.get(g.name) for x in t.seeds if x.status == "ok"] or [(t.metrics or {}).get(g.name)]
            if g.floor is None and g.ceiling is None:
                self.tally.witness("guard_missing", t.seq)
            elif any(not isinstance(v, int | float) or v != v for v in seen):
                self.tally.witness("guard_blind", t.seq)
            elif any(_beyond(v, g.floor, g.ceiling) for v in seen if v is not None):
                self.tally.witness("guard_broken", t.seq)


def _numbers(metrics: Mapping[str, Any]) -> dict[str, float]:
    return {m: float(x) for m, x in metrics.items() if isinstance(x, int | float) and x == x}


def _beyond(value: float, floor: float | None, ceiling: float | None) -> bool:
    return (floor is not None and value < floor) or (ceiling is not None and value > ceiling)
