"""Optuna's relational storage: the trials of each study that came to an end, in the order in which they did.

Studies follow each other, by their number. A trial that runs or waits is none yet; a study without an ended one has
not begun. Values are told as Optuna means them: a categorical one by its choice, not by the index that is stored.
"""

from __future__ import annotations

import json
import math
import sqlite3
from collections.abc import Iterator
from typing import Any

from trajscope.unfold.document import line

OVER = ("COMPLETE", "PRUNED", "FAIL")
CATEGORICAL = "CategoricalDistribution"
NAMES = "study:metric_names"  # the attribute under which a study names its objectives
_INFINITE = {"INF_POS": math.inf, "INF_NEG": -math.inf}


def rows(db: sqlite3.Connection) -> Iterator[bytes]:
    """The lines of every study."""
    for number, name in db.execute("SELECT study_id, study_name FROM studies ORDER BY study_id").fetchall():
        yield from _study(db, number, name)


def head(study: str, directions: list[str], names: object, params: dict[str, Any]) -> bytes:
    """The line before the trials of a study: what it optimises, and which distributions its ended trials drew from."""
    return line({"unfolded": "optuna", "study": study, "directions": directions, "names": names, "params": params})


def merged(params: dict[str, Any], name: str, distribution: dict[str, Any]) -> None:
    """One more distribution of a parameter: bounds that moved are told as the widest."""
    now = distribution.get("attributes")
    known = params.setdefault(name, distribution)
    was = known.get("attributes")
    if known is distribution or not isinstance(was, dict) or not isinstance(now, dict):
        return
    wider = dict(was)
    for end, widest in (("low", min), ("high", max)):
        if isinstance(was.get(end), int | float) and isinstance(now.get(end), int | float):
            wider[end] = widest(was[end], now[end])
    if isinstance(was.get("choices"), list) and isinstance(now.get("choices"), list):
        wider["choices"] = [*was["choices"], *(c for c in now["choices"] if c not in was["choices"])]
    params[name] = {**known, "attributes": wider}


def meant(stored: object, distribution: dict[str, Any]) -> object:
    """The value that a stored number stands for."""
    name, has = distribution.get("name"), distribution.get("attributes")
    if not isinstance(stored, int | float) or not isinstance(has, dict):
        return stored
    if name == CATEGORICAL:
        choices = has.get("choices")
        at = int(stored) if math.isfinite(stored) else -1
        return choices[at] if isinstance(choices, list) and 0 <= at < len(choices) else stored
    return int(stored) if str(name).startswith("Int") and math.isfinite(stored) else stored


def spelt(text: object) -> dict[str, Any]:
    """A distribution from its JSON text; an empty one where it is none."""
    found = decoded(text)
    return found if isinstance(found, dict) else {}


def decoded(text: object) -> Any:
    """What a JSON text holds; the text itself where it is none."""
    try:
        return json.loads(text) if isinstance(text, str) else text
    except (ValueError, RecursionError):
        return text


def _study(db: sqlite3.Connection, study: int, name: str) -> Iterator[bytes]:
    columns = {r[1] for r in db.execute("PRAGMA table_info(trials)")}
    times = ", ".join(c if c in columns else "NULL" for c in ("datetime_start", "datetime_complete"))
    marks = ", ".join("?" * len(OVER))
    trials = db.execute(
        f"SELECT trial_id, number, state, {times} FROM trials WHERE study_id = ? AND state IN ({marks}) "  # noqa: S608  # names of our own
        "ORDER BY datetime_complete IS NULL, datetime_complete, number",
        (study, *OVER),
    ).fetchall()
    if not trials:
        return
    directions = [
        str(d).lower()
        for (d,) in db.execute("SELECT direction FROM study_directions WHERE study_id = ? ORDER BY objective", (study,))
    ]
    params, drawn = _params(db, study)
    values = _values(db, study)
    attrs = _attributes(db, "trial_user_attributes", study)
    yield head(name, directions, _names(db, study), params)
    for number, label, state, begun, ended in trials:
        yield line(
            {
                "number": label,
                "state": state,
                "start": begun,
                "complete": ended,
                "values": values.get(number, []),
                "params": drawn.get(number, {}),
                "attrs": attrs.get(number, {}),
            }
        )


def _params(db: sqlite3.Connection, study: int) -> tuple[dict[str, Any], dict[int, dict[str, object]]]:
    """The distributions of all ended trials, and what each of those drew."""
    params: dict[str, Any] = {}
    drawn: dict[int, dict[str, object]] = {}
    known: dict[object, dict[str, Any]] = {}
    query = (
        "SELECT p.trial_id, p.param_name, p.param_value, p.distribution_json FROM trial_params p "
        "JOIN trials t ON t.trial_id = p.trial_id WHERE t.study_id = ? AND t.state IN (?, ?, ?) ORDER BY p.rowid"
    )
    for trial, name, value, text in db.execute(query, (study, *OVER)):
        if text not in known:
            known[text] = spelt(text)
        merged(params, name, known[text])
        drawn.setdefault(trial, {})[name] = meant(value, known[text])
    return params, drawn


def _values(db: sqlite3.Connection, study: int) -> dict[int, list[float | None]]:
    """What each trial scored, by objective; a storage of old has no column for what is infinite."""
    typed = "value_type" in {r[1] for r in db.execute("PRAGMA table_info(trial_values)")}
    kind = "v.value_type" if typed else "NULL"
    query = (
        f"SELECT v.trial_id, v.objective, v.value, {kind} FROM trial_values v "  # noqa: S608  # names of our own
        "JOIN trials t ON t.trial_id = v.trial_id WHERE t.study_id = ? ORDER BY v.trial_id, v.objective"
    )
    out: dict[int, list[float | None]] = {}
    for trial, objective, value, how in db.execute(query, (study,)):
        found = out.setdefault(trial, [])
        if isinstance(objective, int) and 0 <= objective < 1000:
            found += [None] * (objective + 1 - len(found))
            found[objective] = _INFINITE.get(how, value)
    return out


def _attributes(db: sqlite3.Connection, table: str, study: int) -> dict[int, dict[str, Any]]:
    if not list(db.execute(f"PRAGMA table_info({table})")):
        return {}
    query = (
        f'SELECT a.trial_id, a."key", a.value_json FROM {table} a '  # noqa: S608  # a name of our own
        "JOIN trials t ON t.trial_id = a.trial_id WHERE t.study_id = ? ORDER BY a.rowid"
    )
    out: dict[int, dict[str, Any]] = {}
    for trial, key, text in db.execute(query, (study,)):
        out.setdefault(trial, {})[str(key)] = decoded(text)
    return out


def _names(db: sqlite3.Connection, study: int) -> object:
    if not list(db.execute("PRAGMA table_info(study_system_attributes)")):
        return None
    query = 'SELECT value_json FROM study_system_attributes WHERE study_id = ? AND "key" = ?'
    found = db.execute(query, (study, NAMES)).fetchone()
    return decoded(found[0]) if found else None
