"""Shapes: the JSON Schema of what the page answers to programs, put together from those of a lookout."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from trajscope import Lookout
from trajscope_dashboards.desk import SCHEMA

Shape = dict[str, Any]
NUMBER: Shape = {"const": SCHEMA}
TEXT: Shape = {"type": "string"}
TOTAL: Shape = {"type": "integer", "minimum": 0, "description": "Trials in all."}
FAULT: Shape = {"type": ["string", "null"], "description": "Why nothing is read any more; null while it is."}


def schemas() -> dict[str, Shape]:
    """By the names under which `trajscope schema` prints them."""
    parts = Lookout.shapes()
    update, line, trial = parts["update"], parts["line"], parts["trial"]
    defined = update["$defs"]
    run = {
        "schema": NUMBER,
        "id": TEXT,
        "name": TEXT,
        **parts["about"]["properties"],
        "watch": {"$ref": update["$ref"]},
    }
    runs = {"runs": _list(_closed(run))}
    about = {"troubles": _list(TEXT) | {"description": "Files that cannot be read, and why."}, "fault": FAULT}
    gone = {"gone": _list(TEXT) | {"description": "The ids of those that are no more."}}
    rows = {"total": TOTAL, "rows": _list(line)}
    return {
        "serve-runs": _titled("/api/runs, and the event `reset` of all runs", {**runs, **about}, defined),
        "serve-news": _titled("The event `runs`", {**runs, **gone, **about}, defined),
        "serve-run": _titled("/api/runs/ID, and the event `run`", {**run, "fault": FAULT}, defined),
        "serve-rows": _titled("/api/runs/ID/rows, and the events `reset` and `rows` of a run", rows),
        "serve-trial": _titled("/api/runs/ID/trials/SEQ", trial["properties"]),
        "serve-gone": _titled("The event `gone`", {"id": TEXT, **about}),
    }


def _titled(title: str, parts: Mapping[str, Shape], defined: Mapping[str, Shape] | None = None) -> Shape:
    head = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": title}
    return {**head, **_closed({"schema": NUMBER, **parts}), **({"$defs": dict(defined)} if defined else {})}


def _closed(parts: Mapping[str, Shape]) -> Shape:
    return {"type": "object", "properties": dict(parts), "required": list(parts), "additionalProperties": False}


def _list(item: Shape) -> Shape:
    return {"type": "array", "items": item}
