"""Flat: what one more row costs a run that is watched, from 50 trials to a million. `python -m benchmarks.flat`.

One process grows one run; at each length some hundred rows are pushed one by one and everything that a screen and its
alarms ask is asked after each. `few` draws from 50 pairs, `many` from a tenth as many as there are trials, most of them
rare, and `distinct` repeats none. One trial in fifty is kept, so the lists of keeps are full in the long runs.
"""

from __future__ import annotations

import argparse
import json
import random
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal, NamedTuple, get_args

from benchmarks import generate
from trajscope import menu
from trajscope.live import Live
from trajscope.pair import Pair
from trajscope.readers import Source
from trajscope.rules import alive
from trajscope.run import Run
from trajscope.trial import Trial
from trajscope.watch import panel
from trajscope.watch.seen import Seen

Kind = Literal["few", "many", "distinct"]
LENGTHS = (50, 10_000, 100_000, 1_000_000)
ASKED = 300  # rows at each length after which everything is asked
FEW, KEPT = 50, 0.02
STEPS = ("push", "said", "panel")
MENU = menu.parse(generate.MENU)


class Cost(NamedTuple):
    """Microseconds of CPU of one step at one length: the middle, and what one in a hundred takes at least."""

    kind: str
    rows: int
    step: str
    p50_us: float
    p99_us: float
    first_us: float  # the first time that it is asked, after all the rows before


def trials(kind: Kind, rows: int, seed: int = generate.SEED) -> Iterator[Trial]:
    """Trials of a run that keeps what happened to score well, and now and then moves its base."""
    rng = random.Random(seed)
    made: dict[int, Pair] = {}
    base = "base"
    for i in range(rows):
        which = i if kind == "distinct" else rng.randrange(FEW if kind == "few" else 1 + int(i * rng.random() ** 3 / 5))
        pair = made.get(which) if kind != "distinct" else None
        if pair is None:
            knob = ("lr", "weight_decay", "beta2", "grad_clip")[which % 4]
            span = generate.MENU["knobs"][knob]["range"]
            pair = made[which] = MENU.pair({knob: round(span[0] + (span[1] - span[0]) * (which + 1) / 1_100_000, 12)})
            if kind == "distinct":
                made.clear()
        kept = rng.random() < KEPT
        config = f"{base} {pair.label}"
        yield Trial(
            seq=i + 1,
            at=i * 1000,
            status="kept" if kept else "reverted",
            pair=pair,
            iter=i,
            value=10.0 + rng.gauss(0.0, 0.1) - min(2.0, which % 97 / 100) - (0.05 if kept else 0.0),
            wall_s=60.0 * rng.lognormvariate(0.0, 0.1),
            base=base,
            based=True,
            config=config,
            moved=pair,
            noop=False,
            time_ms=1_790_000_000_000 + i * 60_000,
        )
        if kept and rng.random() < 0.001:
            base = f"base {i}"


def costs(kind: Kind, lengths: tuple[int, ...] = LENGTHS, asked: int = ASKED) -> list[Cost]:
    """What push, said and panel cost at each length of one growing run."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "run.jsonl"
        header = {"v": 1, "type": "run", "run_id": "flat", "metric": {"name": "loss", "goal": "minimize"}}
        path.write_text(json.dumps({**header, "menu": generate.MENU}) + "\n")
        live = Live(Source(str(path)))
        live.step()
    run, seen, out = live.run, Seen(), []
    assert run is not None
    run.scores.baseline(10.0, "header", "base")
    coming = trials(kind, max(lengths) + asked)
    for rows in lengths:
        while run.tally.trials < rows:
            t = next(coming)
            seen.take(run, t, run.push(t))
        spent: dict[str, list[float]] = {step: [] for step in STEPS}
        for t in (next(coming) for _ in range(min(asked, rows))):
            _one(live, run, seen, t, spent)
        for step, us in spent.items():
            first, *rest = us
            rest.sort()
            out.append(Cost(kind, rows, step, rest[len(rest) // 2], rest[int(len(rest) * 0.99)], first))
    return out


def _one(live: Live, run: Run, seen: Seen, t: Trial, spent: dict[str, list[float]]) -> None:
    row = _timed(spent["push"], lambda: run.push(t))
    seen.take(run, t, row)
    live._items += 1  # noqa: SLF001  # as if the line had been read: only what follows it is timed
    said = _timed(spent["said"], live.said)
    state = alive.judge(1.0, 60.0)
    _timed(spent["panel"], lambda: panel.panel(live, seen, said, state, 1_800_000_000.0))


def _timed(into: list[float], step: Callable[[], Any]) -> Any:
    began = time.thread_time()
    found = step()
    into.append((time.thread_time() - began) * 1e6)
    return found


def main() -> None:
    """Measure in this process, and print a table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.flat", description=__doc__)
    parser.add_argument("--kind", choices=get_args(Kind), action="append", help="all three unless named")
    parser.add_argument("--most", type=int, default=LENGTHS[-1], help="longest run (%(default)s)")
    said = parser.parse_args()
    print(f"{'pairs':<9} {'rows':>9} {'step':<6} {'p50 us':>9} {'p99 us':>9} {'first us':>10}")
    for kind in said.kind or get_args(Kind):
        for c in costs(kind, tuple(n for n in LENGTHS if n <= said.most)):
            print(f"{c.kind:<9} {c.rows:>9,} {c.step:<6} {c.p50_us:>9.1f} {c.p99_us:>9.1f} {c.first_us:>10.1f}")
        print(f"{kind:<9} peak {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:,.0f} MiB", file=sys.stderr)


if __name__ == "__main__":
    main()
