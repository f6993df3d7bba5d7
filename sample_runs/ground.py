"""The ground of a menu, reckoned naively: cells, coverage, what lies near what.

Rows come from rows.py; reckon.py asks the questions.
"""

from __future__ import annotations

import json
import math
from itertools import combinations
from typing import Any

from rows import Row, number, value_text

BINS, NEAR = 10, 0.02


def config_key(config: dict[str, Any] | None, knobs: dict[str, Any]) -> str | None:
    """One spelling of a whole configuration."""
    return None if config is None else json.dumps({k: value_text(v, knobs.get(k)) for k, v in sorted(config.items())})


def coverage(rows: list[Row], evaluated: list[Row], ideas: list[Row], run: Row, out: Row) -> Row:
    """Ground covered; with a menu that can be counted, also its cells and the walkers that need their number."""
    knobs = run["knobs"]
    touched = {k for r in evaluated for k, _ in r["changes"]}
    if not knobs:
        return {"knobs_touched": len(touched)}
    proposed = {k for r in rows for a in r["attempts"] for k, _ in a["changes"]}
    kept = {k for r in evaluated if r["status"] == "kept" for k, _ in r["changes"]}
    known = {
        "knobs_touched": len(touched & set(knobs)),
        "knobs_proposed": len(proposed & set(knobs)),
        "knobs_kept": len(kept & set(knobs)),
        "knobs_total": len(knobs),
        "fraction": len(touched & set(knobs)) / len(knobs),
        "untouched": [k for k in knobs if k not in touched],
    }
    if any(narrow(s) for s in knobs.values()):
        return known
    total = {k: cells_of(s) - ("choices" in s) for k, s in knobs.items()}
    ground = [
        (k, at)
        for r in evaluated
        for k, v in r["changes"]
        if k in knobs and r["key"] != r["under"] and (at := cell(knobs[k], v)) is not None
    ]
    per_knob = {k: len({at for name, at in ground if name == k}) for k in knobs}
    fixed = all(r["under"] == config_key(run["base"], knobs) for r in evaluated)
    one_each = all(len(r["changes"]) == 1 for r in ideas)
    n, m = len(ideas), sum(total.values())
    if n and one_each:
        out["pairs"]["excess_repeats"] = out["pairs"]["repeats"] - (n - m * (1 - (1 - 1 / m) ** n))
    if n and one_each and n == len(evaluated):
        out["nulls"] = {"uniform_knobs_expected": len(knobs) * (1 - (1 - 1 / len(knobs)) ** n)}
    out["beside"]["by_knob"] = {
        k: {"trials": sum(k in dict(r["changes"]) for r in evaluated), "cells": per_knob[k], "of": total[k]}
        for k in knobs
    }
    return {
        **known,
        "cells": {"total": m, "touched": len(set(ground)), "fraction": len(set(ground)) / m},
        "per_knob_mean": sum(per_knob[k] / total[k] for k in knobs) / len(knobs),
        **({"pairwise": pairwise(evaluated, run)} if fixed and evaluated else {}),
    }


def pairwise(evaluated: list[Row], run: Row) -> Row:
    """Pairs of levels (choices or bins of two knobs) that some configuration met, of all there are."""
    knobs = run["knobs"]
    met = {
        pair
        for config in [run["base"], *(r["config"] for r in evaluated)]
        for pair in combinations([(k, level(s, config[k])) for k, s in knobs.items()], 2)
    }
    return {"touched": len(met), "total": sum(cells_of(a) * cells_of(b) for a, b in combinations(knobs.values(), 2))}


def narrow(spec: dict[str, Any]) -> bool:
    """Whether a range holds fewer whole numbers than ten bins; how many cells it has then is not settled here."""
    return spec["type"] == "int" and "range" in spec and spec["range"][1] - spec["range"][0] + 1 < BINS


def cells_of(spec: dict[str, Any]) -> int:
    """Cells of a knob: its choices, or ten bins."""
    return len(spec["choices"]) if "choices" in spec else BINS


def cell(spec: dict[str, Any], value: Any) -> str | None:
    """The cell of a value; None for the exact default, which is no ground."""
    return None if value_text(value, spec) == value_text(spec["default"], spec) else level(spec, value)


def level(spec: dict[str, Any], value: Any) -> str:
    """The choice or bin of a value."""
    if "choices" in spec:
        return value_text(value, spec)
    lo, hi = (scaled(spec, x) for x in spec["range"])
    return f"bin {min(BINS - 1, int((scaled(spec, float(value)) - lo) / (hi - lo) * BINS + 1e-9))}"


def scaled(spec: dict[str, Any], x: float) -> float:
    """The value on its knob's scale."""
    lo, hi = spec["range"]
    scale = spec.get("scale") or ("log" if lo > 0 and hi / lo >= 100 else "linear")
    return math.log10(x) if scale == "log" else -math.log10(1 - x) if scale == "one_minus_log" else float(x)


def near(row: Row, earlier: list[Row], knobs: dict[str, Any]) -> bool:
    """Whether some earlier idea on the same base moved the same knobs to within NEAR of each range."""
    mine = dict(row["changes"])
    for e in earlier:
        theirs = dict(e["changes"])
        if e["under"] == row["under"] and set(theirs) == set(mine):
            gaps = [gap(knobs.get(k), mine[k], theirs[k]) for k in mine]
            if all(g is not None and g <= NEAR + 1e-12 for g in gaps):
                return True
    return False


def gap(spec: dict[str, Any] | None, a: Any, b: Any) -> float | None:
    """How far apart two values are, as a share of the knob's range on its scale."""
    if value_text(a, spec) == value_text(b, spec):
        return 0.0
    if not spec or "range" not in spec or number(a) is None or number(b) is None:
        return None
    lo, hi = (scaled(spec, x) for x in spec["range"])
    return abs(scaled(spec, a) - scaled(spec, b)) / (hi - lo)
