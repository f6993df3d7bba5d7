"""Proposers: what memory and rails do to one. `python -m benchmarks.proposers` writes the tables of docs/proposers.md.

Rails, history and prompt are the real ones; proposer and score are simulated, and nothing is trained.
"""

from __future__ import annotations

import argparse
import os
import re
import sys
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from math import sqrt
from pathlib import Path
from random import Random
from statistics import fmean, stdev
from typing import Any, NamedTuple

from trajscope import Menu, Verdict, load_menu
from trajscope.pair import Pair
from trajscope.rails import History, Rails, Turn
from trajscope.rails.ledger import Seen
from trajscope.rails.proposal import Proposals
from trajscope.rails.untried import Untried
from trajscope_loop.proposers import make
from trajscope_loop.proposers.simulated import PICKED, draw
from trajscope_loop.seams import Past, Proposer, View
from trajscope_loop.view import text

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "proposers.md"
MENU = ROOT / "sample_runs" / "amnesiac" / "amnesiac.menu.json"
T, SEEDS = 200, 50
LETTERS = 4  # of a prompt that are taken for one token: no tokenizer is asked
# The recorded night: its baseline, noise and bound of a keep, and where a pair did better or worse than most.
BASE, MOST, NOISE, KEEP = 10.9554, 10.943, 0.0198, 0.005
WORTH = {"d_model=768": 10.878, "d_ff=6144": 10.906, "d_ff=8192": 10.923, "lr#4": 11.11, "d_model=256": 13.75}
PROGRAM = "A small language model is trained for 60 steps on one text. Change one thing, so that it predicts better."


class Played(NamedTuple):
    """A campaign without trainings: what it tried, and what that took."""

    pairs: tuple[str, ...]
    cells: frozenset[str]  # of the menu, that some trial changed alone
    knobs: int
    kept: int
    calls: int
    refused: int
    drawn: int  # cells that the rails drew after too many refusals
    tokens: int  # of all prompts
    ended: Verdict | None  # why it ended before its last trial

    @property
    def repeats(self) -> list[bool]:
        """Which trials tried a pair again."""
        first = {pair: i for i, pair in reversed(list(enumerate(self.pairs)))}
        return [first[pair] < i for i, pair in enumerate(self.pairs)]

    @property
    def windows(self) -> list[float]:
        """The repeat rate of every ten trials."""
        return [fmean(self.repeats[i : i + 10]) for i in range(0, len(self.pairs), 10)]


class Field:
    """A campaign that goes on: the real rails over its history, and what its proposer has taken so far."""

    def __init__(self, proposer: Proposer, menu: Menu, seed: int, *, rails: bool) -> None:
        self.proposer, self.menu, self.seed, self.rails = proposer, menu, seed, rails
        self.base = menu.defaults  # every trial is held against them, as in the recorded night
        self.history = History.none(menu)
        self.chain = Rails(menu, self.history, base=self.base)
        self.untried = Untried(self.history, menu, self.base)
        self.past: list[Past] = []
        self.calls = self.refused = self.drawn = self.letters = 0

    def trial(self) -> Verdict | None:
        """One trial more, or why there is none."""
        number = len(self.past) + 1
        turn = Turn(self.chain)
        pair, why = self._asked(turn, number)
        if pair is None:
            answer = turn.escape(Random(f"{self.seed} {number}"))
            if answer.proposal is None or not answer.passed:
                return why if not self.rails else answer.verdict
            pair, self.drawn = answer.proposal.pair, self.drawn + 1
        value = score(pair, self.seed, number)
        status = "kept" if (BASE - value) / BASE >= KEEP else "reverted"
        self.past.append(Past(number, pair.label, status, value, {}, ""))
        self.history.add(pair, Seen("played", number + 1, number, number, status, value, None, None, pair.label))
        return None

    def _asked(self, turn: Turn, number: int) -> tuple[Pair | None, Verdict | None]:
        """What the proposer says that may be tried, or the last refusal."""
        refusals: list[tuple[Verdict, str]] = []
        while not turn.over:
            view = self._view(refusals, number)
            self.letters += len(text(view))
            said, self.calls = self.proposer.propose(view).proposal, self.calls + 1
            if not self.rails:
                return Proposals(self.menu).read(said).pair, None  # type: ignore[union-attr]  # ours are well formed
            answer = turn.ask(said)
            if answer.passed and answer.proposal is not None:
                return answer.proposal.pair, None
            self.refused += 1
            refusals.append((answer.verdict, "" if answer.proposal is None else answer.proposal.pair.label))
        return None, refusals[-1][0]

    def _view(self, refusals: Sequence[tuple[Verdict, str]], number: int) -> View:
        k, past = self.proposer.history, self.past
        return View(
            program=PROGRAM,
            menu=self.menu,
            base=self.base,
            files={},
            metric="val_bpb",
            goal="minimize",
            best=BASE,
            past=tuple(past if k is None else past[-k:] if k else ()),
            trials=len(past),
            denied=tuple(dict.fromkeys(p.label for p in past)) if self.proposer.denies else (),
            untried=self.untried.labels() if self.proposer.offers else (),
            refusals=tuple(verdict for verdict, _ in refusals),
            refused=tuple(label for _, label in refusals),
            turn=number * 100 + len(refusals),
        )


def play(proposer: Proposer, menu: Menu, *, rails: bool, seed: int = 0, trials: int = T) -> Played:
    """A whole campaign, as long as there is something to try."""
    field, ended = Field(proposer, menu, seed, rails=rails), None
    while ended is None and len(field.past) < trials:
        ended = field.trial()
    return Played(
        pairs=tuple(p.label for p in field.past),
        cells=frozenset(field.history.cells),
        knobs=len(field.history.knobs),
        kept=sum(p.status == "kept" for p in field.past),
        calls=field.calls,
        refused=field.refused,
        drawn=field.drawn,
        tokens=field.letters // LETTERS,
        ended=ended,
    )


def score(pair: Pair, seed: int, number: int) -> float:
    """What a trial scores: the sum of what its changes are worth, and the noise of this trial; lower is better."""
    worth = sum(WORTH.get(c.label, WORTH.get(c.cell or "", MOST)) - MOST for c in pair.changes)
    return MOST + worth + NOISE * draw(seed, number)[1]


class Arm(NamedTuple):
    """One way to ask a proposer."""

    name: str
    rails: bool
    options: Mapping[str, Any]


_OBEYS, _DENIED = {"bonus": 1.0, "heed": 0.0}, {"k": 5, "denies": True, "heed": 0.0}
AMNESIAC = Arm("k = 5, no rail", False, {"k": 5})
ARMS = (
    Arm("sees nothing", False, {"k": 0}),
    Arm("5 trials", False, {"k": 5}),
    Arm("30 trials", False, {"k": 30}),
    Arm("all, .45 left", False, {}),
    Arm("all, .1 left", False, {"memory": 0.1, **_OBEYS}),
    Arm("all, .01 left", False, {"memory": 0.01, **_OBEYS}),
    Arm("5 trials and the deny list, .1 left", False, {**_DENIED, "denied": 0.1}),
    Arm("5 trials and the deny list, .01 left", False, _DENIED),
    Arm("rail, 5 trials, alternatives ignored", True, {"k": 5, "heed": 0.0}),
    Arm("rail, 5 trials, half of the alternatives taken", True, {"k": 5}),
    Arm("rail, all, .1 left", True, {"memory": 0.1, **_OBEYS}),
    Arm("rail, all, .01 left", True, {"memory": 0.01, **_OBEYS}),
    Arm("rail, 5 trials and untried cells, half taken", True, {"k": 5, "offers": True}),
    Arm("rail, 5 trials and untried cells, nine of ten taken", True, {"k": 5, "offers": True, "heed": 0.9}),
    Arm("rail, 5 trials and the deny list, .1 left", True, {**_DENIED, "denied": 0.1}),
    Arm("rail, 5 trials and the deny list, .01 left", True, _DENIED),
)
_WIDE = {"pairs": 2, "values": "ranges"}
WIDE = (
    Arm("5 trials", False, {"k": 5, **_WIDE}),
    Arm("rail, 5 trials, alternatives ignored", True, {"k": 5, "heed": 0.0, **_WIDE}),
    Arm("rail, 5 trials, half of the alternatives taken", True, {"k": 5, **_WIDE}),
    Arm("rail, 5 trials and untried cells, half taken", True, {"k": 5, "offers": True, **_WIDE}),
)


Runs = Sequence[tuple[Arm, Sequence[Played]]]


def one(arm: Arm, seed: int, trials: int = T) -> Played:
    """One campaign of an arm."""
    return play(make("simulated", seed=seed, **arm.options), load_menu(MENU), rails=arm.rails, seed=seed, trials=trials)


def _made(arm: Arm, seeds: Iterable[int], pool: ProcessPoolExecutor, trials: int = T) -> list[Played]:
    """A campaign for each seed."""
    print(f"{arm.name}:", file=sys.stderr, flush=True)
    return list(pool.map(partial(one, arm, trials=trials), seeds, chunksize=5))


def found(seeds: int, pool: ProcessPoolExecutor) -> dict[str, str]:
    """Every generated block of the page by its name."""
    runs = [(arm, _made(arm, range(seeds), pool)) for arm in ARMS]
    wide = [(arm, _made(arm, range(seeds), pool)) for arm in WIDE]
    first = _made(AMNESIAC, range(3 * seeds), pool, 50)
    return {
        "amnesiac": amnesiac(first, runs[1][1], one(AMNESIAC, PICKED)),
        "widening": widening(runs),
        "menu": exhausted(runs),
        "new": new(wide),
    }


def amnesiac(first: Sequence[Played], whole: Sequence[Played], picked: Played) -> str:
    """The recorded night, the seed that was picked to look like it, and what seeds look like that were not picked."""
    means = [fmean(p.windows[i] for p in first) for i in range(5)]
    same = sum(p.windows == picked.windows[:5] for p in first)
    head = ("", "repeats in tens of the first 50", "pairs of 50", "knobs of 50", "pairs of 200")
    short = one(AMNESIAC, PICKED, 50)
    rows = [
        ("the recorded night", _rates((0.5, 0.5, 0.8, 0.9, 0.9)), "14", "6", "it had 50"),
        (f"seed {PICKED}, picked", _rates(short.windows), str(_unique(short)), str(short.knobs), str(_unique(picked))),
        (
            "seeds that were not picked, mean",
            _rates(means),
            _mean([_unique(p) for p in first]),
            _mean([p.knobs for p in first]),
            _mean([_unique(p) for p in whole]),
        ),
    ]
    return _table(head, rows) + f"\n\n{same} of {len(first)} seeds that were not picked have the same five windows."


def widening(runs: Runs) -> str:
    """What each arm found and what it took."""
    head = ("", "new in 50", "new in 200", "repeats", "trials", "calls", "refusals", "drawn", "tokens", "tokens a pair")
    rows = []
    for arm, played in runs:
        tokens = fmean(p.tokens for p in played)
        rows.append(
            (
                arm.name,
                _mean([_unique(p, 50) for p in played]),
                _mean([_unique(p) for p in played]),
                f"{fmean(fmean(p.repeats) for p in played):.0%}",
                *(f"{fmean(x):.0f}" for x in ([len(p.pairs) for p in played], [p.calls for p in played])),
                *(f"{fmean(x):.0f}" for x in ([p.refused for p in played], [p.drawn for p in played])),
                f"{tokens / 1000:,.0f}k",
                f"{tokens / fmean(_unique(p) for p in played):,.0f}",
            )
        )
    return _table(head, rows)


def exhausted(runs: Runs) -> str:
    """How the campaigns with a rail ended on a menu of cells."""
    railed = [p for arm, played in runs if arm.rails for p in played]
    ended = [p for p in railed if p.ended is not None]
    cells = {len(p.cells) for p in ended}
    said = Counter(f"{p.ended.rule}: {p.ended.reason}" for p in ended if p.ended is not None)
    pairs = [_unique(p) for p in ended]
    again = sum(any(p.repeats) for p in railed)
    text = f"Of {len(railed)} campaigns with the rail {len(ended)} ended before trial {T}, after {min(pairs)} to "
    text += f"{max(pairs)} pairs in {' or '.join(map(str, sorted(cells)))} cells; {again} held a repeat. What was said:"
    return "\n".join([text, "", "```text", said.most_common(1)[0][0], "```"])


def new(wide: Runs) -> str:
    """Two changes in a proposal, values drawn anew."""
    head = (
        "two changes, values from ranges",
        "pairs of 200",
        "fewest",
        "campaigns with 200 of 200",
        "calls",
        "refusals",
    )
    rows = [
        (
            arm.name,
            _mean([_unique(p) for p in played]),
            str(min(map(_unique, played))),
            f"{sum(_unique(p) == T for p in played)} of {len(played)}",
            f"{fmean(p.calls for p in played):.0f}",
            f"{fmean(p.refused for p in played):.0f}",
        )
        for arm, played in wide
    ]
    return _table(head, rows)


def _unique(played: Played, trials: int = T) -> int:
    return len(set(played.pairs[:trials]))


def _mean(values: Sequence[float]) -> str:
    """The mean, and half of its 95% interval."""
    half = 1.96 * stdev(values) / sqrt(len(values)) if len(values) > 1 else 0.0
    return f"{fmean(values):.1f} ± {half:.1f}"


def _rates(rates: Iterable[float]) -> str:
    return " ".join(f"{r:.2f}".lstrip("0") if r < 1 else "1" for r in rates)


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---", *("---:" for _ in head[1:])], *rows]
    return "\n".join("| " + " | ".join(row) + " |" for row in lines)


def filled(page: str, blocks: Mapping[str, str]) -> str:
    """The page with every block between its two marks replaced."""
    for name, body in blocks.items():
        parts = re.split(rf"(<!-- /?{name} -->)", page)
        if len(parts) != 5:
            raise SystemExit(f"{PAGE.name}: block {name} stands there {len(parts) // 4} times, once is needed")
        page = f"{parts[0]}{parts[1]}\n{body}\n{parts[3]}{parts[4]}"
    return page


def main() -> None:
    """Parse, play, write."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.proposers", description=__doc__)
    parser.add_argument("--seeds", type=int, default=SEEDS, help="of each arm (%(default)s); fewer write nothing")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1, help="(%(default)s)")
    said = parser.parse_args()
    with ProcessPoolExecutor(said.processes) as pool:
        blocks = found(said.seeds, pool)
    if said.seeds < SEEDS:
        print("\n\n".join(blocks.values()))
    else:
        PAGE.write_text(filled(PAGE.read_text("utf-8"), blocks), "utf-8")
        print(f"wrote {PAGE.name}", file=sys.stderr)


if __name__ == "__main__":
    main()
