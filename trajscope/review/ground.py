"""How much ground a run covered: knobs, cells, pairs, and what dominates them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from trajscope import menu, nulls, stats
from trajscope.fold import Unknown
from trajscope.review import Part, Review
from trajscope.run import Run
from trajscope.tally import SourceTally

WINDOW = 10  # counted trials per window
MOST_WINDOWS = 100  # a longer run gets wider windows
TRAILING = 10
PROVENANCES = ("native", "config", "column", "diff", "text", "hash")
NO_MENU = Unknown("no menu is known; give one with --menu, or the source file to infer it from with --menu-from")
NO_CELLS = Unknown("a knob of the menu has neither choices nor a range, so its cells cannot be counted")
RECORDED = Unknown("pairs were recorded, so there is nothing to be more or less sure of")
NO_PAIRS = Unknown("no evaluated trial names what it changed")


def width(counted: int) -> int:
    """Counted trials per window: 10, or as many as leave 100 windows."""
    return max(WINDOW, -(-counted // MOST_WINDOWS))


def coverage(run: Run, v: Mapping[str, Any]) -> dict[str, Any]:
    """Knobs of the menu and how much of each was tried."""
    known = run.header.menu
    inside = [k for k in run.tally.knobs.values() if k.in_menu]
    total = len(known.knobs) if known else NO_MENU
    source = "none" if known is None else "declared" if known.declared else "inferred"
    return {
        "knobs_total": total,
        "fraction": v["coverage.knobs_touched"] / len(known.knobs)
        if known and _is(v, "coverage.knobs_touched")
        else NO_MENU
        if known is None
        else v["coverage.knobs_touched"],
        "source": source,
        "untouched": [k.name for k in inside if not k.evaluated] if known else NO_MENU,
        "outside": run.evidence("outside").seqs,
        "by_knob": by_knob(run),
        "by_family": _families(run),
        "per_knob_mean": _per_knob_mean(run),
    }


def cells(run: Run, v: Mapping[str, Any]) -> dict[str, Any] | Unknown:
    """Cells of the menu that a proposal can reach."""
    if run.header.menu is None:
        return NO_MENU
    total = run.ground.cells
    if total is None:
        return NO_CELLS
    touched = v["coverage.cells.touched"]
    return {"rule": menu.RULE, "total": total, "fraction": touched if isinstance(touched, Unknown) else touched / total}


def pairwise(run: Run, v: Mapping[str, Any]) -> dict[str, Any] | Unknown:
    """Two-way coverage: pairs of cells of different knobs that stood together in a configuration that ran."""
    known = run.header.menu
    if known is None:
        return NO_MENU
    if run.header.base is None:
        return Unknown("the base configuration is not recorded, so what stood together is not known")
    if run.ground.cells is None or run.ground.base_cells is None:
        return NO_CELLS
    sizes = [k.size for k in known.knobs.values()]
    return {"touched": len(run.tally.levels), "total": (sum(sizes) ** 2 - sum(m * m for m in sizes)) // 2}


def pairs(run: Run, v: Mapping[str, Any]) -> dict[str, Any]:
    """What stands beside the plain counts of pairs."""
    t = run.tally
    n = t.c
    window = run.header.history
    return {
        "trailing_rate": sum(run.repeats[-TRAILING:]) / TRAILING
        if n >= TRAILING
        else Unknown(f"too few proposals: {n}, and {TRAILING} are needed"),
        "windows": lambda: nulls.windows(run, width(n)),
        "no_ops": run.evidence("noop").seqs if t.placed or not t.e else Unknown("no base configuration is recorded"),
        "excess_repeats": _excess(run, v),
        "provenance": {
            name: t.provenance.get(name, 0) for name in (*PROVENANCES, *_in_order(t.provenance, PROVENANCES))
        },
        "by_provenance": {name: _source(t.sources[name]) for name in _in_order(t.sources)},
        "visible": {
            "window": window
            if window is not None
            else (why := Unknown("how many trials the proposer is shown is not recorded; give --history")),
            "n": sum(many for gap, many in t.lags.items() if gap <= window) if window is not None else why,
        },
    }


def _in_order(names: Iterable[str], but: Iterable[str] = ()) -> list[str]:
    """Where pairs were read from, from the surest on, and then what is known to no reader of ours."""
    order = {name: i for i, name in enumerate(PROVENANCES)}
    return sorted(set(names) - set(but), key=lambda name: (order.get(name, len(order)), name))


def _source(s: SourceTally) -> dict[str, Any]:
    """What one source of pairs adds up to."""
    return {
        "n": s.n,
        "unique": s.n - s.repeats,
        "repeats": s.repeats,
        "repeat_rate": s.repeats / s.n,
        "knobs_touched": len(s.knobs),
        "confidence": s.sure / s.rated if s.rated else RECORDED,
    }


def dominance(run: Run, v: Mapping[str, Any]) -> dict[str, Any]:
    """Which pair and family the proposals and keeps went to."""
    t, met = run.tally, run.ground.pairs
    top, top_kept = (met[t.top], met[t.top_kept]) if met else (None, None)
    first = max(t.families, key=lambda name: t.families[name].counted, default=None)
    counted = t.families[first].counted if first is not None else 0
    return {
        "proposed.pair": top.pair.label if top and top.n else NO_PAIRS,
        "kept.pair": top_kept.pair.label if top_kept and top_kept.kept else Unknown("nothing was kept"),
        "family.name": first if counted else NO_PAIRS,
        "family.share": counted / t.c if counted else NO_PAIRS,
    }


def _excess(run: Run, v: Mapping[str, Any]) -> float | Unknown:
    cells = run.ground.cells
    if run.header.menu is None:
        return NO_MENU
    if not cells:
        return NO_CELLS
    if not run.tally.c:
        return NO_PAIRS
    n = run.tally.c
    return float(v["pairs.repeats"] - (n - stats.uniform_distinct(cells, n)))


def by_knob(run: Run) -> dict[str, dict[str, Any]]:
    """For each knob, what its pairs add up to."""
    out: dict[str, dict[str, Any]] = {}
    uncounted = NO_MENU if run.header.menu is None else Unknown("the menu gives it neither choices nor a range")
    for k in run.tally.knobs.values():
        size = run.ground.room(k.name)
        out[k.name] = {
            "family": k.family,
            "proposed": k.proposals,
            "evaluated": k.evaluations,
            "counted": k.counted,
            "kept": k.keeps,
            "cells": len(k.cells) if size else uncounted,
            "cells_total": size or uncounted,
            "in_menu": size is not None,
        }
    return out


def _per_knob_mean(run: Run) -> float | Unknown:
    known = run.header.menu
    if known is None:
        return NO_MENU
    if run.ground.cells is None:
        return NO_CELLS
    shares = [len(run.tally.knobs[name].cells) / room for name in known.knobs if (room := run.ground.room(name))]
    return sum(shares) / len(shares) if shares else NO_CELLS


def _families(run: Run) -> dict[str, dict[str, Any]]:
    c = run.tally.c
    return {
        name: {
            "knobs": f.knobs,
            "touched": f.touched,
            "counted": f.counted,
            "share": f.counted / c if c else NO_PAIRS,
        }
        for name, f in run.tally.families.items()
    }


def _is(v: Mapping[str, Any], name: str) -> bool:
    return not isinstance(v[name], Unknown)


REVIEWS = (
    Review(
        "coverage",
        "Knobs of the menu and how much of each was tried.",
        coverage,
        parts=(
            Part("knobs_total", "Knobs of the menu.", "knobs"),
            Part("fraction", "Touched knobs per knob of the menu."),
            Part("source", "Where the menu comes from: declared, inferred or none."),
            Part("untouched", "Menu knobs that no evaluated trial changed, in the menu's order."),
            Part("outside", "Trials (seq) that proposed a knob or value outside the menu."),
            Part(
                "by_knob",
                "For each knob: family, trials that proposed, evaluated and kept it, cells touched and reachable.",
            ),
            Part("by_family", "For each family: knobs, knobs touched, counted trials that touch it and their share."),
            Part("per_knob_mean", "Mean over the menu's knobs of each knob's share of cells touched."),
        ),
    ),
    Review(
        "coverage.cells",
        "Cells of the menu that a proposal can reach.",
        cells,
        parts=(
            Part("rule", "How cells are counted."),
            Part("total", "Reachable cells.", "cells"),
            Part("fraction", "Touched cells per reachable cell."),
        ),
    ),
    Review(
        "coverage.pairwise",
        "Two-way coverage of cells.",
        pairwise,
        parts=(
            Part(
                "touched",
                "Pairs of cells of two knobs that stood together in a configuration that ran.",
                "pairs of cells",
            ),
            Part("total", "All such pairs of cells.", "pairs of cells"),
        ),
    ),
    Review(
        "pairs",
        "What stands beside the plain counts of pairs.",
        pairs,
        parts=(
            Part("trailing_rate", "Repeat rate of the last 10 counted trials."),
            Part(
                "windows",
                "Tumbling windows of counted trials: first and last seq, n, repeat rate, and the rate expected if the "
                "same proposals came in random order.",
                walks=True,
            ),
            Part("no_ops", "Trials (seq) that proposed what their base already had."),
            Part("excess_repeats", "Repeats beyond those of a walker that draws menu cells uniformly.", "trials"),
            Part("provenance", "Evaluated trials by where their pair was read from."),
            Part(
                "by_provenance",
                "The same of counted trials, for each place that occurs: n, those whose pair was new in the run "
                "(unique) and those whose pair was not (repeats), their repeat rate, knobs touched, and the mean "
                "confidence that the pair is what was tried, null where pairs were recorded.",
            ),
            Part("visible", "Repeats of a pair that the proposer was still shown: its window, and how many."),
        ),
    ),
    Review(
        "dominance",
        "What the proposals and keeps went to.",
        dominance,
        parts=(
            Part("proposed.pair", "The pair that was counted most often."),
            Part("kept.pair", "The pair that was kept most often."),
            Part("family.name", "The family that most counted trials touch."),
            Part("family.share", "Its share of counted trials."),
        ),
    ),
)
