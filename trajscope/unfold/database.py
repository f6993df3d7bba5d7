"""SQLite databases: which program's one is, by its tables, and its lines by the module that knows them."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

from trajscope.errors import ForeignError
from trajscope.unfold import snapshot

# The tables and columns that tell whose a database is, and the module whose `rows(db)` gives the lines.
KNOWN: dict[str, tuple[dict[str, frozenset[str]], str]] = {
    "optuna": (
        {
            "studies": frozenset(("study_id", "study_name")),
            "study_directions": frozenset(("direction", "study_id", "objective")),
            "trials": frozenset(("trial_id", "number", "study_id", "state")),
            "trial_params": frozenset(("trial_id", "param_name", "param_value", "distribution_json")),
            "trial_values": frozenset(("trial_id", "objective", "value")),
        },
        "trajscope.unfold.optuna",
    ),
    "shinka": (
        {"programs": frozenset(("id", "code", "parent_id", "generation", "combined_score", "correct"))},
        "trajscope.unfold.shinka",
    ),
}
SHOWN = 12  # tables of an unknown database that are named


def unfold(path: Path) -> Iterator[bytes]:
    """The lines of a database that somebody here knows."""
    with snapshot.copied(path) as db:
        has = snapshot.tables(db)
        for wanted, module in KNOWN.values():
            if all(columns <= has.get(table, frozenset()) for table, columns in wanted.items()):
                yield from import_module(module).rows(db)
                return
    if not has:
        raise ForeignError(f"{path}: is an SQLite database without tables; there is nothing to read yet")
    names = ", ".join(list(has)[:SHOWN]) + (f" and {len(has) - SHOWN} more" if len(has) > SHOWN else "")
    raise ForeignError(
        f"{path}: is an SQLite database that no reader knows (tables: {names}; known are those of"
        f" {' and '.join(KNOWN)}); export its trials as JSON lines or CSV"
    )


def watched(path: Path) -> list[Path]:
    """The file itself; its WAL, which may grow while the file stands still; its journal."""
    return snapshot.parts(path.resolve())
