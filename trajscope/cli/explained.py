"""`trajscope formats --explain`: how one file is read, as a page or as JSON."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from trajscope.cli.options import source, twice
from trajscope.cli.text import clean, json_line, plural, table, wide, wrapped
from trajscope.said import Asked

if TYPE_CHECKING:
    from trajscope.explain import Explained

SCHEMA = 1


def show(path: Path, asked: Asked, *, as_json: bool) -> None:
    """How a file is read; exit code 2 where nobody reads it."""
    from trajscope import explain

    twice(path, "--explain")
    said, kind = source(path, asked)
    found = explain.explain(said, kind)
    print(json_line(_document(found)) if as_json else "\n".join(_page(found, wide())))
    if found.reader is None:
        raise typer.Exit(2)


def _document(found: Explained) -> dict[str, Any]:
    return {
        "schema": SCHEMA,
        "file": found.path,
        "reader": found.reader,
        "why": found.why,
        "others": [{"reader": name, "why": why} for name, why in found.others],
        "fixed": found.layout is None,
        "statuses": [s._asdict() for s in found.statuses],
        "runs": [dict(zip(("run_id", "metric", "goal", "trials"), run, strict=True)) for run in found.runs],
        "map": found.map,
    }


def schema() -> dict[str, Any]:
    """The schema of a line."""
    from trajscope import shape
    from trajscope.shape import COUNT, TEXT, TRUTH, listed, null_or, record, told

    run = {"run_id": TEXT, "metric": null_or(TEXT), "goal": null_or(shape.one_of(("minimize", "maximize")))}
    parts = {
        "file": told(TEXT, "As it was named."),
        "reader": told(null_or(TEXT), "Null where nobody reads it; the exit code is then 2."),
        "why": told(TEXT, "Why this reader; without one, what the file looks like."),
        "others": told(listed(record({"reader": TEXT, "why": TEXT})), "Readers that would claim it too."),
        "fixed": told(TRUTH, "No map can change what its fields mean."),
        "statuses": listed(
            record({"raw": told(TEXT, "What the file says."), "meaning": told(TEXT, "Taken for."), "rows": COUNT})
        ),
        "runs": listed(record({**run, "trials": COUNT})),
        "map": told(null_or(TEXT), "The map to begin with, as TOML."),
    }
    return shape.document("One file, as `trajscope formats --explain FILE --json` prints it", parts, number=SCHEMA)


def _page(found: Explained, width: int) -> list[str]:
    out = wrapped("file", found.path, width)
    out += wrapped("reader", f"{found.reader}: {found.why}" if found.reader else f"none: it {found.why}", width)
    if found.reader:
        others = "; ".join(f"{name} ({why})" for name, why in found.others)
        out += wrapped("others", f"would claim it too: {others}" if others else "none would claim it", width)
    for run_id, metric, goal, trials in found.runs:
        better = goal or "which way is better is not known (--goal)"
        said = f"{run_id}: {metric or 'no metric named (--metric)'}, {better}, {plural(trials, 'trial')}"
        out += wrapped("run", said, width)
    if found.statuses:
        rows = [(f" {s.raw or '(nothing)'}", s.meaning, f"{s.rows:,}") for s in found.statuses]
        out += ["", *table(rows, (" it says", "which means", "rows"), right=(2,))]
    if found.map is not None:
        use = "as it is read now; save this, change it, give it with --map" if found.reader else "a map to begin with"
        out += ["", f"# {use}", *map(clean, found.map.splitlines())]
    elif found.reader:
        out += ["", " what its fields mean is fixed: there is nothing that a map could change"]
    return out
