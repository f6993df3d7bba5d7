"""`trajscope sql`: questions in SQL."""

from __future__ import annotations

from typing import Annotated

import typer

from trajscope.cli.options import NOTHING, Asked, Files, Json, progress, source, sourced


@sourced
def sql(
    query: Annotated[str, typer.Argument(metavar="QUERY", help="One SELECT over runs, trials, seeds and events.")],
    files: Files,
    *,
    most: Annotated[
        int, typer.Option("--most", metavar="N", help="Rows to answer with at most.", min=1, max=1_000_000)
    ] = 1000,
    json: Json = False,
    asked: Asked = NOTHING,
) -> None:
    """Ask runs questions in SQL: read-only, with no way to the file system.

    Example: trajscope sql "SELECT pair, count(*) n FROM trials GROUP BY pair ORDER BY n DESC" run.jsonl
    """
    from trajscope import analysis
    from trajscope.cli.text import json_line, table, warn
    from trajscope.store import Store

    store = Store()
    documents = []
    for path in files:
        said, kind = source(path, asked)
        with progress(path) as step:
            documents += analysis.into_store(store, said, kind, step)
    store.tell(documents)
    store.lock()
    answer = store.query(query, most)
    if json:
        for row in answer.rows:
            print(json_line(dict(zip(answer.columns, row, strict=True))))
    else:
        cells = [
            ["" if v is None else f"{v:.6g}" if isinstance(v, float) else str(v) for v in row] for row in answer.rows
        ]
        numbers = [i for i, column in enumerate(zip(*answer.rows, strict=True)) if any(_is_number(v) for v in column)]
        print("\n".join(table(cells, answer.columns, right=numbers)))
    if answer.cut:
        warn(f"the first {most:,} rows are shown; --most N shows more")


def _is_number(v: object) -> bool:
    return isinstance(v, int | float) and not isinstance(v, bool)
