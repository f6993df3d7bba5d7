"""The database of ShinkaEvolve: its programs in the order in which they were added.

Told is what does not change after a program was evaluated: whether it stands in the archive does, and is left out.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator

from trajscope.unfold.document import cut, line
from trajscope.unfold.optuna import decoded

_LASTING = (
    "id", "code", "language", "parent_id", "generation", "timestamp", "combined_score", "public_metrics",
    "private_metrics", "text_feedback", "correct", "metadata",
)  # fmt: skip
_OBJECTS = frozenset(("public_metrics", "private_metrics", "metadata"))


def rows(db: sqlite3.Connection) -> Iterator[bytes]:
    """A line for the database, a line for each program."""
    has = {r[1] for r in db.execute("PRAGMA table_info(programs)")}
    columns = [c for c in _LASTING if c in has]
    yield line({"unfolded": "shinka"})
    for row in db.execute(f"SELECT {', '.join(columns)} FROM programs ORDER BY rowid"):  # noqa: S608  # names of our own
        told = {c: decoded(v) if c in _OBJECTS else v for c, v in zip(columns, row, strict=True)}
        yield line({k: v if k == "code" else cut(v) for k, v in told.items()})
