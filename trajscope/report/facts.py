"""Facts: the few numbers of a report that `analyze` does not have, each with its definition.

Every number has a path here or in the analysis, so that a reader can look up what it means, and `verify` can name it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise
from statistics import median
from typing import TYPE_CHECKING, Any

from trajscope.analysis import Key
from trajscope.run import Run
from trajscope.stats import student_quantile, uniform_distinct

if TYPE_CHECKING:
    from trajscope.report.gather import RunSeen

DRAWN = 200  # evaluations of one configuration that are drawn
GAP_S = 600.0  # seconds without a trial from which a gap is spoken of
GAPS = 5.0  # and so many usual gaps
DEFINED = (
    Key("facts.best.low", "Lower end of the 95% interval of the shrunk best: its Student interval over the noise."),
    Key("facts.best.high", "Upper end of it."),
    Key("facts.best.gain_low", "Lower end of the 95% interval of the shrunk gain, the baseline's own noise included."),
    Key("facts.best.gain_high", "Upper end of it."),
    Key("facts.best.n", "Evaluations of the best configuration.", "evaluations"),
    Key("facts.best.base_n", "Evaluations of the baseline's configuration.", "evaluations"),
    Key("facts.best.luck", "Share of the claimed gain that measuring again took away."),
    Key("facts.walkers.cells_expected", "Cells that a walker drawing them uniformly would have touched.", "cells"),
    Key("facts.clock.gaps", "Pauses between trials of over 10 minutes and 5 usual gaps, the trial's time left out."),
    Key("facts.clock.longest_s", "The longest of them.", "s"),
    Key("facts.proofs", "Self-tests of the rails that the run records.", "self-tests"),
    Key("facts.median_wall_s", "Median time of a trial.", "s"),
)


def facts(run: Run, doc: Mapping[str, Any], seen: RunSeen) -> dict[str, Any]:
    """The facts of one run."""
    walls = [x for x in seen.columns["wall_s"] if x is not None]
    cells = run.ground.cells
    return {
        "best": best(run, doc, *evaluations(run, seen)),
        "walkers": {"cells_expected": uniform_distinct(cells, run.tally.c) if cells and run.tally.c else None},
        "clock": clock(seen.columns["time_ms"], seen.columns["wall_s"]),
        "proofs": run.evidence("event:selftest").n,
        "median_wall_s": median(walls) if walls else None,
        "chained": run.header.chained,
        "fingerprinted": run.tally.fingerprinted,
        "guards": [m.name for m in run.header.metrics if m.role == "guard"],
        "holdout": next((m.name for m in run.header.metrics if m.role == "holdout"), None),
        "unit": run.header.unit,
        "evidence": {name: run.evidence(name).n for name in ("noop", "outside", "fault", "iter_order", "nan")},
    }


def evaluations(run: Run, seen: RunSeen) -> tuple[list[tuple[int, float]], list[tuple[int, float]]]:
    """Every value of the best configuration and of the baseline's: (seq, value)."""
    at, base = run.tally.best_kept_config, run.scores.base
    config = run.scores.configs[at].label if at >= 0 else None
    return _evaluations(config, seen), _evaluations(base.label if base else None, seen)


def best(
    run: Run, doc: Mapping[str, Any], own: Sequence[tuple[int, float]], based: Sequence[tuple[int, float]]
) -> dict[str, Any]:
    """How far the best can be believed: its evaluations, the baseline's, and intervals where the noise is known.

    Of `doc` it looks at `best`, `baseline.value` and `noise`.
    """
    t, b, noise = run.tally, doc["best"], doc["noise"]
    config = run.scores.configs[t.best_kept_config] if t.best_kept_config >= 0 else None
    if not own and b["value"] is not None:
        own = [(b["seq"], b["value"])]
    base = run.scores.base
    out: dict[str, Any] = {
        "n": config.n if config else len(own),
        "base_n": max(len(t.baseline), base.n if base else 0),
        "evaluations": own[:DRAWN],
        "baselines": [*((None, x) for x in t.baseline), *based][:DRAWN],
        **dict.fromkeys(("low", "high", "gain_low", "gain_high", "luck")),
    }
    if b["gain"] and b["shrunk_gain"] is not None and b["gain"] > 0:
        out["luck"] = max(0.0, 1 - b["shrunk_gain"] / b["gain"])
    if noise["sd"] is None or b["value"] is None:
        return out
    # Evaluated once, the best is its own and only witness; the interval is then around what it claimed.
    middle = b["shrunk"] if out["n"] > 1 and b["shrunk"] is not None else b["value"]
    t95 = student_quantile(0.975, noise["df"])
    reach = t95 * noise["sd"] / math.sqrt(max(1, out["n"]))
    out["low"], out["high"] = middle - reach, middle + reach
    if doc["baseline"]["value"] is not None:
        gain = (middle - doc["baseline"]["value"]) * run.scores.sign
        wide = t95 * noise["sd"] * math.sqrt(1 / max(1, out["n"]) + 1 / max(1, out["base_n"]))
        out["gain_low"], out["gain_high"] = gain - wide, gain + wide
    return out


def clock(times_ms: Sequence[int | None], walls_s: Sequence[float | None]) -> dict[str, Any]:
    """Pauses between trials that their own time does not explain."""
    known = [(t / 1000, w or 0.0) for t, w in zip(times_ms, walls_s, strict=True) if t is not None]
    steps = [b[0] - a[0] for a, b in pairwise(known)]
    if not steps:
        return {"known": False, "gaps": None, "longest_s": None}
    bound = max(GAP_S, GAPS * median(steps))
    # Whether a time is that of a trial's begin or end, the longer of both may have filled it.
    idle = [b[0] - a[0] - max(a[1], b[1]) for a, b in pairwise(known)]
    gaps = [x for x in idle if x > bound]
    return {"known": True, "gaps": len(gaps), "longest_s": max(gaps, default=None)}


def _evaluations(config: str | None, seen: RunSeen) -> list[tuple[int, float]]:
    """Every value that a configuration scored: (seq, value)."""
    if config is None:
        return []
    rows = zip(seen.columns["seq"], seen.columns["value"], seen.configs, strict=True)
    found = [(seq, value) for seq, value, of in rows if of == config and value is not None]
    found += [
        (m.seq, m.value)
        for m in seen.measures
        if m.config == config and m.value is not None and m.what not in ("degenerate", "baseline")
    ]
    return sorted(found)
