"""`trajscope trials`: the rows of a run, or one of them in full."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from trajscope.cli.options import File, Json, progress, source, sourced, twice
from trajscope.said import NOTHING, Asked

SCHEMA = 1
HEAD = ("trial", "iter", "status", "pair", "time", "value", "best", "")


@sourced
def trials(
    file: File,
    *,
    seq: Annotated[
        int | None, typer.Option("--seq", metavar="N", help="Show this trial in full: its line, diff and verdicts.")
    ] = None,
    where: Annotated[
        str | None, typer.Option("--where", metavar="SQL", help="Only trials for which this SQL condition holds.")
    ] = None,
    last: Annotated[
        int, typer.Option("--last", "-n", metavar="N", help="How many of the latest to show; 0 is all.", min=0)
    ] = 40,
    json: Json = False,
    asked: Asked = NOTHING,
) -> None:
    """Show the trials of a run, newest last, or one of them in full.

    Example: trajscope trials run.jsonl --where "kept and k > 1"
    """
    from trajscope import analysis
    from trajscope.cli.text import json_line, table, warn
    from trajscope.store import Store

    said, kind = source(file, asked)
    if seq is not None:
        twice(file, "--seq")
        _one(said, kind, seq, as_json=json)
        return
    with progress(file) as step:
        store = Store()
        store.tell(analysis.into_store(store, said, kind, step))
    store.lock()
    condition = f"WHERE ({where})" if where else ""
    most = last or 1_000_000
    query = (
        f"SELECT * FROM (SELECT * FROM trials {condition} ORDER BY run, seq DESC LIMIT {most + 1}) ORDER BY run, seq"  # noqa: S608  # a reading connection, and `query` takes one SELECT only
    )
    answer = store.query(query, most + 1)
    rows = [dict(zip(answer.columns, r, strict=True)) for r in answer.rows]
    cut = len(rows) > most
    for row in rows[-most:] if json else ():
        print(json_line({"schema": SCHEMA, **row}))
    if not json:
        print("\n".join(table([_cells(r) for r in rows[-most:]], HEAD, right=(0, 1, 4, 5, 6))))
    if cut:
        warn(f"the latest {most:,} are shown; --last 0 shows all")


def schemas() -> dict[str, dict[str, Any]]:
    """The schemas of a trial among others, and of one in full."""
    from trajscope import shape, store

    line = {
        "file": shape.told(shape.TEXT, "As it was named."),
        "seq": shape.COUNT,
        "line": shape.told({}, "What the file has there, which is the file's own: JSON, or else its text."),
    }
    one = "One trial in full, as `trajscope trials --seq N --json` prints it"
    return {"trials": store.schema(SCHEMA), "trials-seq": shape.document(one, line, number=SCHEMA)}


def _cells(r: dict[str, Any]) -> list[str]:
    from trajscope.cli.text import number, ordinal, short

    seen = "" if not r["k"] else "new" if r["k"] == 1 else ordinal(r["k"])
    marks = [w for w in ("new_best", "noop", "near", "revisit", "replicate", "drifted") if r[w]]
    said = ", ".join(marks).replace("noop", "no-op").replace("new_best", "best so far")
    iteration = "" if r["iter"] is None else str(r["iter"])
    return [
        str(r["seq"]),
        iteration,
        r["status"],
        short(r["pair"] or "", 48),
        seen,
        number(r["value"], 6),
        number(r["best"], 6),
        said,
    ]


def _one(said: Any, kind: str | None, seq: int, *, as_json: bool) -> None:
    import json

    from trajscope import pipeline, sources
    from trajscope.cli.text import clean, json_line
    from trajscope.errors import SourceError
    from trajscope.lines import MAX_LINE
    from trajscope.trial import Trial

    at: dict[int, int] = {}

    def sink(_run: object, item: object, row: object) -> None:
        if isinstance(item, Trial):
            at[item.seq] = item.at

    pipeline.read(said, kind, sink=sink)
    if seq not in at:
        raise SourceError(f"{said.path}: line {seq} holds no trial; `trajscope trials {said.path}` lists them")
    line = sources.read_at(said.path, at[seq], MAX_LINE).decode("utf-8", "replace")
    try:
        obj = json.loads(line)
    except ValueError:
        obj = line
    if as_json:
        print(json_line({"schema": SCHEMA, "file": said.path, "seq": seq, "line": obj}))
        return
    if not isinstance(obj, dict):
        print(clean(line))
        return
    diff = obj.pop("diff", None)
    for row in json.dumps(obj, indent=2, ensure_ascii=False).splitlines():
        print(row[: len(row) - len(row.lstrip())] + clean(row.lstrip()))
    if isinstance(diff, str):
        print()
        for row in diff.splitlines():
            print(clean(row))
