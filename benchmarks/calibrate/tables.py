"""Tables: rows of outcomes, counted into Markdown. A share stands with its counts and its exact interval."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from statistics import mean, median
from typing import NamedTuple

from benchmarks.calibrate.kinds import ALARMS, KINDS, Alarm
from benchmarks.calibrate.outcomes import SIZES, Decided, Heard

ORACLE = "oracle"
# The rules that speak for a headline alarm: it has spoken when one of them stood at FAIL.
SPEAKERS: Mapping[Alarm, tuple[str, ...]] = {
    "flailing": ("flailing", "repeats", "dominance", "coverage"),
    "too good too fast": ("staircase",),
    "variance collapse": ("variance_collapse",),
    "holdout divergence": ("holdout_divergence",),
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
    spoken = [row.said[r].first for r in SPEAKERS[alarm] if r in row.said]
    return min((at for at in spoken if at is not None), default=None)


def blind(row: Heard, alarm: Alarm) -> bool:
    """Whether none of its rules could answer."""
    return all(row.said[r].last == "UNKNOWN" for r in SPEAKERS[alarm] if r in row.said)


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


def by_kind(rows: Sequence[Heard]) -> str:
    """Every kind of campaign, and the share of them of which each rule that may set the word spoke."""
    names = [name for name in rows[0].said if any(r.said[name].first is not None for r in rows)]
    body = []
    for kind in KINDS.values():
        own = [r for r in rows if r.kind == kind.name]
        shares = [share(r.said[name].first is not None for r in own) for name in names]
        body.append((kind.name, kind.about, len(own), *(_pct(s.k / s.n) if s.k else "" for s in shares)))
    return markdown(("kind", "what it is", "n", *names), body)


def gates(rows: Sequence[Decided]) -> str:
    """The gates side by side, each over the same campaigns."""
    head = (
        "gate",
        "keeps in 100 tests of nothing",
        "null campaigns with any",
        "honest keeps lost",
        "honest progress made",
        "shortcut steps kept",
        "went half the shortcut",
        "asked for a person, honest",
        "asked for a person, shortcut",
        "seeds per trial",
    )
    there = sum(r.quality for r in rows if r.gate == ORACLE and KINDS[r.kind].honest)
    body = []
    for gate, own in by_gate(rows).items():
        null = [r for r in own if r.kind == "null"]
        honest = [r for r in own if KINDS[r.kind].honest]
        gamed = [r for r in own if KINDS[r.kind].way]
        body.append(
            (
                gate,
                f"{100 * sum(sum(r.kept) for r in null) / sum(sum(r.offered) for r in null):.2g}",
                share(sum(r.kept) > 0 for r in null),
                pooled((r.lost[1], r.lost[0]) for r in honest),
                _pct(sum(r.quality for r in honest) / there),
                pooled((r.bought[1], r.bought[0]) for r in gamed),
                share(r.way >= 0.5 for r in gamed),
                share(r.pauses > 0 for r in honest),
                share(r.pauses > 0 for r in gamed),
                f"{mean(r.measured / r.trials for r in own):.1f}",
            )
        )
    return markdown(head, body)


def sizes(rows: Sequence[Decided]) -> str:
    """What each gate keeps of honest proposals, by what they are truly worth."""
    named = ["worth nothing or less", *(f"{a:g} to {b:g} sd" for a, b in pairwise(SIZES)), f"over {SIZES[-1]:g} sd"]
    body = []
    for gate, own in by_gate(rows).items():
        honest = [r for r in own if KINDS[r.kind].honest]
        body.append((gate, *(pooled((r.kept[i], r.offered[i]) for r in honest) for i in range(len(named)))))
    return markdown(("gate", *named), body)


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
