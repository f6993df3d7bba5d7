"""Tables: rows of outcomes, counted into Markdown. A share stands with its counts and its exact interval."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from statistics import mean, median
from typing import NamedTuple

from benchmarks.calibrate.clock import CLOCKS, Silence
from benchmarks.calibrate.kinds import ALARMS, KINDS, Alarm
from benchmarks.calibrate.outcomes import SIZES, Bound, Decided, Heard

# The rules that speak for a headline alarm: it has spoken when one of them stood at FAIL.
SPEAKERS: Mapping[Alarm, tuple[str, ...]] = {
    "flailing": ("flailing", "repeats", "dominance", "coverage"),
    "too good too fast": ("staircase", "too_good"),
    "variance collapse": ("variance_collapse",),
    "holdout divergence": ("divergence",),
}


class Share(NamedTuple):
    """K of n."""

    k: int
    n: int

    @property
    def interval(self) -> tuple[float, float]:
        """The exact 95% interval of Clopper and Pearson."""
        from scipy.special import betaincinv

        k, n = self
        low = float(betaincinv(k, n - k + 1, 0.025)) if k else 0.0
        high = float(betaincinv(k + 1, n - k, 0.975)) if k < n else 1.0
        return low, high

    def __str__(self) -> str:
        if not self.n:
            return "none"
        low, high = self.interval
        return f"{_pct(self.k / self.n)} ({self.k} of {self.n}; {_pct(low)} to {_pct(high)})"


def share(flags: Iterable[bool]) -> Share:
    """How many of these hold."""
    all_ = list(flags)
    return Share(sum(all_), len(all_))


def first(row: Heard, alarm: Alarm) -> int | None:
    """The trial after which a headline alarm first spoke."""
    spoken = [row.said[r].first for r in SPEAKERS[alarm]]
    return min((at for at in spoken if at is not None), default=None)


def blind(row: Heard, alarm: Alarm) -> bool:
    """Whether none of its rules ever had what it needs to answer."""
    return first(row, alarm) is None and not any(row.said[r].told for r in SPEAKERS[alarm])


def headline(rows: Sequence[Heard]) -> str:
    """Each headline alarm: how often it wrongs an honest campaign, how often and when it finds a planted fault."""
    head = (
        "alarm",
        "spoke of an honest campaign",
        "spoke of a planted one",
        "at trial",
        "unspent by then",
        "could not tell",
    )
    body = []
    for alarm in ALARMS:
        honest = [r for r in rows if KINDS[r.kind].honest]
        planted = [r for r in rows if alarm in KINDS[r.kind].plants]
        when = [(at, r.trials) for r in planted if (at := first(r, alarm)) is not None]
        body.append(
            (
                alarm,
                share(first(r, alarm) is not None for r in honest),
                share(first(r, alarm) is not None for r in planted),
                f"{median(at for at, _ in when):g}" if when else "never",
                _pct(median(1 - at / n for at, n in when)) if when else "",
                share(blind(r, alarm) for r in [*honest, *planted]),
            )
        )
    return markdown(head, body)


def words(fresh: Sequence[Heard], field: Sequence[Heard], drifted: Sequence[Heard], clocks: Sequence[Silence]) -> str:
    """Each word: how often it ever stood over honest work in fresh worlds, how often and when over a planted fault."""
    planted: Mapping[str, Sequence[Heard]] = {
        "TAMPERED": drifted,
        "SUSPECT": [r for r in field if set(KINDS[r.kind].plants) - {"flailing"}],
        "FLAILING": [r for r in field if "flailing" in KINDS[r.kind].plants],
    }
    body: list[tuple[object, ...]] = []
    for word, rows in planted.items():
        when = [r.words[word] for r in rows if word in r.words]
        body.append(
            (
                word,
                share(word in r.words for r in fresh),
                share(word in r.words for r in rows),
                f"{median(when):g}" if when else "never",
            )
        )
    own = [c for c in clocks if c.clock == "ordinary"]
    body.insert(2, ("STALLED", share(c.stalled is not None for c in own), share(c.told_s is not None for c in own), ""))
    return markdown(("word", "stood over an honest campaign", "over a planted fault", "at trial"), body)


def suspected(rows: Sequence[Heard]) -> str:
    """Which honest kinds were ever SUSPECT, by what was recorded of them."""
    kept = list(dict.fromkeys(r.watched for r in rows))
    body = []
    for kind in [*(k.name for k in KINDS.values() if k.honest), "all"]:
        own = [r for r in rows if kind in (r.kind, "all")]
        cells = (share("SUSPECT" in r.words for r in own if r.watched == w) for w in kept)
        body.append((kind, *cells, share("SUSPECT" in r.words for r in own)))
    return markdown(("kind", *(f"recorded of the holdout: {w}" for w in kept), "together"), body)


def clocked(clocks: Sequence[Silence]) -> str:
    """How often each clock alone made an honest run STALLED, and how soon a dead one is called so."""
    body = []
    for name, clock in CLOCKS.items():
        own = [c for c in clocks if c.clock == name]
        late = median(c.told_s / c.usual_s for c in own if c.told_s is not None)
        body.append((name, clock.about, share(c.stalled is not None for c in own), f"{late:.1f}"))
    head = ("clock", "its trials", "STALLED over an honest campaign", "usual trials until a dead one is STALLED")
    return markdown(head, body)


def wronged(rows: Sequence[Heard]) -> str:
    """Each honest kind, and how often each headline alarm spoke of it."""
    body = []
    for kind in (k for k in KINDS.values() if k.honest and k.gated):
        own = [r for r in rows if r.kind == kind.name]
        body.append((kind.name, *(share(first(r, alarm) is not None for r in own) for alarm in ALARMS)))
    body.append(("all", *(share(first(r, alarm) is not None for r in rows) for alarm in ALARMS)))
    return markdown(("kind", *ALARMS), body)


def by_kind(rows: Sequence[Heard]) -> str:
    """Every kind of campaign, and the share of them of which each rule that may set the word spoke."""
    names = [name for name in rows[0].said if any(r.said[name].first is not None for r in rows)]
    body = []
    for kind in KINDS.values():
        own = [r for r in rows if r.kind == kind.name]
        shares = [share(r.said[name].first is not None for r in own) for name in names]
        body.append((kind.name, kind.about, len(own), *(_pct(s.k / s.n) if s.k else "" for s in shares)))
    return markdown(("kind", "what it is", "n", *names), body)


def swept(rows: Sequence[Heard], bounds: Sequence[Bound]) -> str:
    """Each rule under other bounds. Honest campaigns that run out of menu stand apart: they cannot but repeat."""
    body = []
    for b in bounds:
        alarm = next(a for a in ALARMS if b.rule in SPEAKERS[a])
        honest = [r for r in rows if KINDS[r.kind].honest and r.kind != "few knobs"]
        few = [r for r in rows if r.kind == "few knobs"]
        planted = [r for r in rows if alarm in KINDS[r.kind].plants]
        spoke = [share(r.swept[str(b)] is not None for r in own) for own in (honest, few, planted)]
        body.append((f"**{b}**" if b.standing else b, *spoke))
    return markdown(
        ("rule and bound", "spoke of an honest campaign", "of one whose menu ran out", "of a planted one"), body
    )


def by_watch(rows: Sequence[Heard]) -> str:
    """What the two alarms that need a holdout say, by what was recorded of it."""
    body = []
    for watched in dict.fromkeys(r.watched for r in rows):
        for alarm in ALARMS[2:]:
            own = [r for r in rows if r.watched == watched]
            honest = share(first(r, alarm) is not None for r in own if KINDS[r.kind].honest)
            planted = share(first(r, alarm) is not None for r in own if alarm in KINDS[r.kind].plants)
            body.append((watched, alarm, honest, planted))
    return markdown(("recorded of the holdout", "alarm", "spoke of an honest campaign", "of a planted one"), body)


def gates(rows: Sequence[Decided]) -> str:
    """What each gate keeps, over the same campaigns."""
    there = sum(r.quality for r in _honest(next(iter(by_gate(rows).values()))))
    body = []
    for gate, own in by_gate(rows).items():
        null, honest = [r for r in own if r.kind == "null"], _honest(own)
        false = pooled((sum(r.kept), sum(r.offered)) for r in null)
        body.append(
            (
                gate,
                false,
                share(sum(r.kept) > 0 for r in null),
                pooled((r.lost[1], r.lost[0]) for r in honest),
                _pct(sum(r.quality for r in honest) / there),
                f"{mean(r.measured / r.trials for r in own):.1f}",
            )
        )
    head = (
        "gate",
        "kept of what does nothing",
        "null campaigns with a keep",
        "honest keeps lost",
        "honest progress",
        "seeds per trial",
    )
    return markdown(head, body)


def brakes(rows: Sequence[Decided]) -> str:
    """How far each gate lets a shortcut go, and how often it asks for a person."""
    body = []
    for gate, own in by_gate(rows).items():
        gamed = [r for r in own if KINDS[r.kind].way]
        asked = [(r.paused, KINDS[r.kind].trials) for r in gamed if r.paused is not None]
        body.append(
            (
                gate,
                pooled((r.bought[1], r.bought[0]) for r in gamed),
                share(r.way >= 0.5 for r in gamed),
                share(r.paused is not None for r in gamed),
                f"{median(at for at, _ in asked):g}" if asked else "never",
                share(r.paused is not None for r in _honest(own)),
            )
        )
    head = ("gate", "steps kept", "went half the way", "asked for a person", "at trial", "asked about an honest one")
    return markdown(head, body)


def sizes(rows: Sequence[Decided]) -> str:
    """What each gate keeps of honest proposals, by what they are truly worth."""
    named = ["nothing or less", *(f"{a:g} to {b:g} sd" for a, b in pairwise(SIZES)), f"over {SIZES[-1]:g} sd"]
    body = [
        (gate, *(pooled((r.kept[i], r.offered[i]) for r in _honest(own)) for i in range(len(named))))
        for gate, own in by_gate(rows).items()
    ]
    return markdown(("gate", *named), body)


def losses(rows: Sequence[Decided]) -> str:
    """The step of the gate that refused an honest gain which the published gate would have kept."""
    steps = sorted({step for r in rows for step in r.refused if step})
    body = []
    for gate, own in by_gate(rows).items():
        had = sum(r.lost[0] for r in _honest(own))
        found = [sum(r.refused.get(step, 0) for r in _honest(own)) for step in steps]
        if any(found):
            body.append((gate, had, *(Share(n, had) for n in found)))
    return markdown(("gate", "would be kept", *(step.removeprefix("keep.") for step in steps)), body)


def _honest(rows: Iterable[Decided]) -> list[Decided]:
    return [r for r in rows if KINDS[r.kind].honest]


def by_gate(rows: Iterable[Decided]) -> dict[str, list[Decided]]:
    """The rows of every gate, in order of appearance."""
    out: dict[str, list[Decided]] = {}
    for r in rows:
        out.setdefault(r.gate, []).append(r)
    return out


def pooled(counts: Iterable[tuple[int, int]]) -> Share:
    """Counts of several campaigns as one; its interval takes trials of one campaign for independent."""
    all_ = list(counts)
    return Share(sum(k for k, _ in all_), sum(n for _, n in all_))


def markdown(head: Sequence[object], body: Iterable[Sequence[object]]) -> str:
    """A table."""
    lines = [head, ["---", *("---:" for _ in head[1:])], *body]
    return "\n".join(f"| {' | '.join(map(str, cells))} |" for cells in lines)


def _pct(x: float) -> str:
    return f"{x:.1%}" if 0 < x < 0.0995 else f"{x:.0%}"
