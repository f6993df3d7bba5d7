"""Rivals: what one would write instead of installing trajscope. `python -m benchmarks.rivals NAME PATH` answers one.

Each computes real answers under the names of `ours.figures`, so that the benchmark can hold them against each other.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Callable
from itertools import accumulate
from pathlib import Path
from typing import Any

_COLUMNS = {
    "stage": "VARCHAR",
    "proposal": "STRUCT(knob VARCHAR, new_value JSON)",
    "val_bpb": "DOUBLE",
    "decision": "VARCHAR",
}


def script(path: str) -> dict[str, Any]:
    """The script that most campaigns come with: every line through json.loads into a list, then counters and sets."""
    with Path(path).open(encoding="utf-8") as f:
        rows = [json.loads(line) for line in f]
    trials = [r for r in rows if r.get("stage") == "evaluated"]
    keeps = [r for r in trials if r.get("decision") == "keep"]
    knobs = Counter(r["proposal"]["knob"] for r in trials)
    pairs = Counter((r["proposal"]["knob"], r["proposal"]["new_value"]) for r in trials)
    seen, repeats = set(), []
    for r in trials:
        pair = (r["proposal"]["knob"], r["proposal"]["new_value"])
        repeats.append(pair in seen)
        seen.add(pair)
    width = max(10, -(-len(trials) // 100))
    cumulative = list(accumulate((r.get("val_bpb", float("inf")) for r in trials), min))
    order = {id(r): e for e, r in enumerate(trials, 1)}
    return {
        "evaluated": len(trials),
        "kept": len(keeps),
        "knobs": len(knobs),
        "unique": len(seen),
        "repeats": sum(repeats),
        "windows": [round(sum(w := repeats[a : a + width]) / len(w), 9) for a in range(0, len(repeats), width)],
        "top": pairs.most_common(1)[0][1],
        "first_keep": order[id(keeps[0])] if keeps else None,
        "best": min((r["val_bpb"] for r in keeps), default=None),
        "cumulative": cumulative[-1],
    }


def duckdb(path: str) -> dict[str, Any]:
    """One aggregate of DuckDB over its own reader, told the columns: no windows, no order."""
    import duckdb as db

    found = db.connect().execute(
        f"""WITH t AS (SELECT proposal.knob AS knob, proposal.new_value::VARCHAR AS value, val_bpb, decision
                      FROM read_ndjson(?, columns = {_COLUMNS}) WHERE stage = 'evaluated')
           SELECT count(*), count(*) FILTER (WHERE decision = 'keep'), count(DISTINCT knob),
                  count(DISTINCT (knob, value)), min(val_bpb) FILTER (WHERE decision = 'keep') FROM t""",  # noqa: S608  # constants of ours
        [path],
    )
    row = found.fetchone()
    assert row is not None
    evaluated, kept, knobs, unique, best = row
    return {
        "evaluated": evaluated,
        "kept": kept,
        "knobs": knobs,
        "unique": unique,
        "repeats": evaluated - unique,
        "best": best,
    }


def polars(path: str) -> dict[str, Any]:
    """A lazy frame of polars over its own reader, told the schema; windows and order come cheap here."""
    import polars as pl

    schema: dict[str, Any] = {
        "stage": pl.String,
        "proposal": pl.Struct({"knob": pl.String, "new_value": pl.String}),
        "val_bpb": pl.Float64,
        "decision": pl.String,
    }
    t = (
        pl.scan_ndjson(path, schema=schema)
        .filter(pl.col("stage") == "evaluated")
        .select(
            "val_bpb",
            kept=pl.col("decision") == "keep",
            knob=pl.col("proposal").struct.field("knob"),
            value=pl.col("proposal").struct.field("new_value"),
        )
        .collect()
    )
    first = t.select(f=pl.struct("knob", "value").is_first_distinct())["f"]
    repeats = ~first
    width = max(10, -(-len(t) // 100))
    kept = t["kept"].fill_null(value=False)
    return {
        "evaluated": len(t),
        "kept": int(kept.sum()),
        "knobs": t["knob"].n_unique(),
        "unique": int(first.sum()),
        "repeats": int(repeats.sum()),
        "windows": [
            round(float(repeats[a : a + width].cast(pl.Int64).sum()) / len(repeats[a : a + width]), 9)
            for a in range(0, len(t), width)
        ],
        "top": int(t.group_by("knob", "value").len()["len"].max()),  # type: ignore[arg-type]  # not empty
        "first_keep": int(kept.arg_max()) + 1 if kept.any() else None,  # type: ignore[arg-type]  # not empty
        "best": t.filter(kept)["val_bpb"].min(),
        "cumulative": t["val_bpb"].min(),
    }


def parquet(folder: str) -> int:
    """Headline figures of every Parquet file in a folder by polars, streaming; answers how many trials there were."""
    import polars as pl

    t = pl.scan_parquet(f"{folder}/*.parquet", include_file_paths="file").filter("counted")
    pairs = t.group_by("file", "pair").agg(n=pl.len())
    by_pair = pairs.group_by("file").agg(unique=pl.len(), counted=pl.col("n").sum(), top=pl.col("n").max())
    rest = t.group_by("file").agg(
        kept=pl.col("kept").sum(), best=pl.col("best_kept").min(), first=pl.col("e").filter("kept").min(),
        wall=pl.col("wall_s").sum(),
    )  # fmt: skip
    return int(by_pair.join(rest, on="file").collect(engine="streaming")["counted"].sum())


RIVALS: dict[str, Callable[[str], Any]] = {"script": script, "duckdb": duckdb, "polars": polars, "parquet": parquet}

if __name__ == "__main__":
    print(json.dumps(RIVALS[sys.argv[1]](sys.argv[2])))
