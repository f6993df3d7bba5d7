"""Told: what is asked of a run once its file was read, in a few kilobytes; the run itself is let go.

Knows no examples. What looks back from the end stands here: whether keeps held up, whether the run can be believed,
which configurations were evaluated more than once.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeVar

import msgspec

from trajscope import analysis, rules
from trajscope.corpus.groups import Groups, several
from trajscope.fold import Unknown
from trajscope.menu import Menu
from trajscope.rules import DOUBTED, NOT_EVALUABLE, WORD_OF
from trajscope.run import Run
from trajscope.trial import Header
from trajscope.verdict import Level

SHOWN = 20  # trials that are named behind a doubt
T = TypeVar("T")


class Doubt(NamedTuple):
    """Why a run is not to be believed."""

    why: str
    seqs: tuple[int, ...]  # the first trials that show it


class Keeps(NamedTuple):
    """What became of the keeps of a run, by their labels."""

    n: int
    sure: frozenset[str]  # some keep of theirs held up again
    doubted: frozenset[str]  # some keep of theirs did not
    whole: bool  # these are all: of very many keeps only the first are remembered
    unknown: str | None  # why none of this can be told


@dataclass(frozen=True, slots=True)
class Told:
    """One run."""

    header: Header  # without what nobody asks for; what equals that of another run is that
    file: str
    trials: int
    counted: int
    ended: bool
    unreadable: int
    carried: bool | None  # keeps stand in the base of later trials; None where that is not clear
    noise: float | None  # standard deviation of one evaluation
    sign: float  # 1 where higher is better, -1 where lower is, 0 where nothing says
    baseline: float | None
    keeps: Keeps
    doubt: Doubt | None
    blind: Mapping[str, str]  # rules that could not look, and why
    groups: Groups  # of configurations that were evaluated more than once


class Known:
    """Values that were met, so that equal ones are held once."""

    def __init__(self) -> None:
        self._held: dict[object, Any] = {}

    def same(self, name: object, value: T) -> T:
        """The first value of this name."""
        found: T = self._held.setdefault(name, value)
        return found

    def header(self, h: Header) -> Header:
        """A header as far as it is asked for."""
        about = {k: v for k, v in h.about.items() if k == "proposer"}
        return msgspec.structs.replace(
            h,
            menu=self._menu(h.menu),
            base=self.same(("base", repr(h.base)), h.base),
            about=self.same(("about", repr(about)), about),
            metrics=(),
            budget={},
            guesses=(),
            settings=None,
        )

    def _menu(self, menu: Menu | None) -> Menu | None:
        if menu is None:
            return None
        # By how it is written and not by equality: 1 and True are equal, and are not one value.
        rules = [(c.name, c.rule) for c in menu.constraints]
        return self.same(("menu", repr((menu.knobs, rules, menu.source, menu.declared))), menu)


def tell(run: Run, file: str, known: Known) -> Told:
    """What is asked of a run that was read to its end, its metrics stepped."""
    t, v = run.tally, analysis.glance(run)
    verdicts = rules.judge(run, v)
    said = rules.word(run, v, verdicts)
    doubt = None
    if said.word in DOUBTED:
        shown = {q for x in verdicts if x.level == Level.FAIL and WORD_OF[x.rule] in DOUBTED for q in x.evidence}
        doubt = Doubt(f"{run.header.run_id} is {said.word}: {said.sentence}", tuple(sorted(shown)[:SHOWN]))
    blind = {
        x.rule: known.same(x.reason, x.reason.removeprefix(NOT_EVALUABLE))
        for x in verdicts
        if x.reason.startswith(NOT_EVALUABLE)
    }
    df = sum(t.noise_df.values())
    return Told(
        header=known.header(run.header),
        file=file,
        trials=t.trials,
        counted=t.c,
        ended=t.ended,
        unreadable=sum(run.evidence(name).n for name in ("unreadable", "torn")),
        carried=_carries(run),
        noise=math.sqrt(t.noise_ss / df) if df else None,
        sign=run.scores.sign,
        baseline=t.baseline_mean,
        keeps=_keeps(run, v, known),
        doubt=doubt,
        blind=known.same(("blind", *blind.items()), blind),
        groups=several(run),
    )


def _carries(run: Run) -> bool | None:
    """Whether keeps stand in the base of later trials: False where all trials change the header's; None if unclear."""
    if run.header.base_id is not None:
        return None  # bases have hashes, and each trial's is looked up
    own = (None, "")
    bases = {run.scores.configs[k.base].label for k in run.tally.keeps if k.base >= 0}
    alone = not run.tally.keep_count or bool(run.evidence("not_composing").n)
    return False if alone and bases.issubset(own) else None


def _keeps(run: Run, v: Mapping[str, Any], known: Known) -> Keeps:
    t = run.tally
    if not t.keep_count:
        return Keeps(0, frozenset(), frozenset(), True, None)
    lost = v["noise.unconfirmed_keeps"]
    unknown = next((x.why for x in (lost, v["noise.sd"]) if isinstance(x, Unknown)), None)
    doubted = frozenset(lost) if unknown is None else frozenset()
    labels: tuple[set[str], set[str]] = set(), set()
    for keep in t.keeps:
        if keep.pair >= 0:
            label = run.ground.pairs[keep.pair].pair.label
            labels[keep.seq in doubted].add(known.same(label, label))
    return Keeps(t.keep_count, frozenset(labels[0]), frozenset(labels[1]), t.keep_count == len(t.keeps), unknown)
