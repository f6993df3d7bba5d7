"""The journal of AIDE or AI-Scientist: its nodes in order, each with the id of its parent.

The file is written anew as a whole after every step. What a program printed is cut where it is long, because it may be
megabytes; everything else of a node is told as it stands.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from trajscope.errors import ForeignError
from trajscope.unfold.document import cut, line, load

_MANY = ("_term_out", "plot_code", "exc_stack", "children", "parent")  # told otherwise, or not at all


def unfold(path: Path) -> Iterator[bytes]:
    """A line for the journal, a line for each node."""
    doc = load(path)
    if not isinstance(doc, dict) or not isinstance(doc.get("nodes"), list):
        raise ForeignError(f"{path}: is a JSON document that begins like an AIDE journal and holds no list of nodes")
    nodes, parents = doc["nodes"], doc.get("node2parent")
    parents = parents if isinstance(parents, dict) else {}
    yield line({"unfolded": "aide", "version": doc.get("__version"), **_direction(nodes)})
    for node in nodes:
        yield line(_told(node, parents) if isinstance(node, dict) else node)


def watched(path: Path) -> list[Path]:
    """The journal."""
    return [path]


def _told(node: dict[str, Any], parents: dict[str, Any]) -> dict[str, Any]:
    out = {k: cut(v) for k, v in node.items() if k not in _MANY}
    given = node.get("parent")
    inner = given.get("id") if isinstance(given, dict) else given
    out["parent"] = parents.get(str(node.get("id")), inner)
    printed = node.get("_term_out")
    if printed:
        text = "".join(map(str, printed)) if isinstance(printed, list) else str(printed)
        out["term_out"] = text[-2000:]
    return out


def _direction(nodes: list[Any]) -> dict[str, Any]:
    """Which way is better and what is measured, by the first node that says so: a crashed one does not."""
    for node in nodes:
        metric = node.get("metric") if isinstance(node, dict) else None
        if not isinstance(metric, dict) or metric.get("value") is None:
            continue
        value = metric["value"]
        listed = value.get("metric_names") if isinstance(value, dict) else None
        if isinstance(listed, list):
            kept = ("metric_name", "lower_is_better")
            return {"metrics": [{k: m.get(k) for k in kept} for m in listed if isinstance(m, dict)]}
        return {"maximize": metric.get("maximize"), "metric": metric.get("name")}
    return {}
