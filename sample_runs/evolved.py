"""Writes the samples of formats that are no files of lines: small, made up, from what is known of each format.

`python sample_runs/evolved.py` writes, `--check` names what differs. A database is compared by what it holds.
"""

from __future__ import annotations

import json
import shutil
import sqlite3
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
FORMATS = ("optuna", "aide", "openevolve", "shinka")
CODE = "LR = {lr}\nDEPTH = {depth}\n\n\ndef step(x):\n    return x - LR * x\n"
BEGAN = 1767268800.0

# Optuna: number, state, value, lr, depth, act (an index of the choices). The two last are the same proposal.
TRIALS = (
    (0, "COMPLETE", 0.9, 0.001, 3, 0),
    (1, "COMPLETE", 0.7, 0.01, 3, 1),
    (2, "FAIL", None, 0.1, 6, 1),
    (3, "PRUNED", 0.5, 0.03, 6, 0),
    (4, "COMPLETE", 0.6, 0.01, 4, 1),
    (5, "COMPLETE", 0.64, 0.01, 4, 1),
)
DRAWN = {
    "lr": {"name": "FloatDistribution", "attributes": {"step": None, "low": 1e-4, "high": 1e-1, "log": True}},
    "depth": {"name": "IntDistribution", "attributes": {"log": False, "step": 1, "low": 2, "high": 6}},
    "act": {"name": "CategoricalDistribution", "attributes": {"choices": ["relu", "gelu"]}},
}
# Programs: id, parent, lr, depth, score (None: it failed).
PROGRAMS: tuple[tuple[str, str | None, float, int, float | None], ...] = (
    ("p0", None, 0.1, 2, 0.50),
    ("p1", "p0", 0.2, 2, 0.55),
    ("p2", "p1", 0.2, 3, None),
    ("p3", "p0", 0.2, 2, 0.57),
    ("p4", "p1", 0.2, 4, 0.61),
    ("p5", "p4", 0.2, 4, 0.60),
)


def optuna(folder: Path) -> None:
    """One study, in either storage."""
    db = sqlite3.connect(folder / "study.db")
    with db:
        db.executescript(
            "PRAGMA page_size = 512;"
            "CREATE TABLE studies (study_id INTEGER PRIMARY KEY, study_name VARCHAR(512));"
            "CREATE TABLE study_directions (direction VARCHAR(8), study_id INTEGER, objective INTEGER);"
            "CREATE TABLE trials (trial_id INTEGER PRIMARY KEY, number INTEGER, study_id INTEGER, state VARCHAR(8),"
            " datetime_start DATETIME, datetime_complete DATETIME);"
            "CREATE TABLE trial_params (trial_id INTEGER, param_name VARCHAR(512), param_value FLOAT,"
            " distribution_json TEXT);"
            "CREATE TABLE trial_values (trial_id INTEGER, objective INTEGER, value FLOAT, value_type VARCHAR(7));"
            "INSERT INTO studies VALUES (1, 'night'); INSERT INTO study_directions VALUES ('MINIMIZE', 1, 0);"
        )
        for number, state, value, *drawn in TRIALS:
            own = (number + 1, number, 1, state, f"2026-01-01 12:0{number}:00", f"2026-01-01 12:0{number}:30")
            db.execute("INSERT INTO trials VALUES (?, ?, ?, ?, ?, ?)", own)
            for (name, of), x in zip(DRAWN.items(), drawn, strict=True):
                db.execute("INSERT INTO trial_params VALUES (?, ?, ?, ?)", (number + 1, name, x, json.dumps(of)))
            if value is not None:
                db.execute("INSERT INTO trial_values VALUES (?, 0, ?, 'FINITE')", (number + 1, value))
        db.execute("INSERT INTO trials VALUES (7, 6, 1, 'RUNNING', '2026-01-01 12:06:00', NULL)")
    db.close()
    ops: list[dict[str, Any]] = [{"op_code": 0, "worker_id": "w", "study_name": "night", "directions": [1]}]
    states = {"COMPLETE": 1, "PRUNED": 2, "FAIL": 3}
    for number, state, value, *drawn in TRIALS:
        at = f"2026-01-01T12:0{number}"
        ops.append({"op_code": 4, "worker_id": "w", "study_id": 0, "datetime_start": f"{at}:00.000000+00:00"})
        for (name, of), x in zip(DRAWN.items(), drawn, strict=True):
            told = {"param_name": name, "param_value_internal": x, "distribution": json.dumps(of)}
            ops.append({"op_code": 5, "worker_id": "w", "trial_id": number, **told})
        values = None if value is None else [value]
        done = {"state": states[state], "values": values, "datetime_complete": f"{at}:30.000000+00:00"}
        ops.append({"op_code": 6, "worker_id": "w", "trial_id": number, **done})
    _lines(folder / "journal.log", ops)


def aide(folder: Path) -> None:
    """A journal of six nodes."""
    nodes = []
    for n, (own, _, lr, depth, score) in enumerate(PROGRAMS):
        nodes.append(
            {
                "code": CODE.format(lr=lr, depth=depth), "plan": f"plan {n}", "step": n, "id": own,
                "ctime": BEGAN + 60 * n, "parent": None, "children": [], "_term_out": ["done\n"],
                "exec_time": 10.0, "exc_type": None if score is not None else "ValueError", "analysis": "",
                "metric": {"value": score, "maximize": None if score is None else True}, "is_buggy": score is None,
            }
        )  # fmt: skip
    parents = {own: parent for own, parent, *_ in PROGRAMS if parent is not None}
    doc = {"nodes": nodes, "node2parent": parents, "__version": "2"}
    (folder / "journal.json").write_text(json.dumps(doc) + "\n")


def openevolve(folder: Path) -> None:
    """Two checkpoints, of which the second has dropped a program; and a trace."""
    for last, held in ((3, PROGRAMS[:4]), (5, (*PROGRAMS[:2], *PROGRAMS[3:]))):
        place = folder / "checkpoints" / f"checkpoint_{last}"
        (place / "programs").mkdir(parents=True, exist_ok=True)
        for own, parent, lr, depth, score in held:
            n = int(own[1:])
            program = {
                "id": own, "code": CODE.format(lr=lr, depth=depth), "language": "python", "parent_id": parent,
                "generation": n, "timestamp": BEGAN + n, "iteration_found": n, "metrics": _scored(score),
                "complexity": 80.0, "diversity": 1.0 * last, "metadata": {"island": 0},
            }  # fmt: skip
            (place / "programs" / f"{own}.json").write_text(json.dumps(program) + "\n")
        head = {"island_feature_maps": [{}], "islands": [[p[0] for p in held]], "archive": [], "last_iteration": last}
        (place / "metadata.json").write_text(json.dumps(head) + "\n")
    by_id = {p[0]: p for p in PROGRAMS}
    rows = [
        {
            "iteration": int(own[1:]), "timestamp": BEGAN + int(own[1:]), "parent_id": parent, "child_id": own,
            "parent_metrics": _scored(by_id[parent][4]), "child_metrics": _scored(score),
            "parent_code": CODE.format(lr=by_id[parent][2], depth=by_id[parent][3]),
            "child_code": CODE.format(lr=lr, depth=depth), "island_id": 0, "generation": int(own[1:]),
        }
        for own, parent, lr, depth, score in PROGRAMS
        if parent is not None
    ]  # fmt: skip
    _lines(folder / "trace.ndjson", rows)


def shinka(folder: Path) -> None:
    """A database of six programs."""
    db = sqlite3.connect(folder / "evolution.sqlite")
    with db:
        db.executescript(
            "PRAGMA page_size = 512;"
            "CREATE TABLE programs (id TEXT PRIMARY KEY, code TEXT NOT NULL, language TEXT NOT NULL, parent_id TEXT,"
            " generation INTEGER NOT NULL, timestamp REAL NOT NULL, combined_score REAL, public_metrics TEXT,"
            " private_metrics TEXT, correct BOOLEAN, metadata TEXT);"
            "CREATE TABLE archive (program_id TEXT PRIMARY KEY); INSERT INTO archive VALUES ('p4');"
        )
        for n, (own, parent, lr, depth, score) in enumerate(PROGRAMS):
            code, about = CODE.format(lr=lr, depth=depth), json.dumps({"compute_time": 10.0})
            row = (own, code, "python", parent, n, BEGAN + n, score or 0.0, "{}", "{}", score is not None, about)
            db.execute("INSERT INTO programs VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", row)
    db.close()


def _scored(score: float | None) -> dict[str, float]:
    return {"error": 0.0} if score is None else {"combined_score": score}


def _lines(path: Path, rows: Iterable[dict[str, Any]]) -> None:
    path.write_text("".join(json.dumps(r, separators=(",", ":")) + "\n" for r in rows))


def write(root: Path) -> None:
    """All of them, each in the folder of its format."""
    for name, make in (("optuna", optuna), ("aide", aide), ("openevolve", openevolve), ("shinka", shinka)):
        folder = root / name
        folder.mkdir(parents=True, exist_ok=True)
        make(folder)


def held(root: Path) -> dict[str, str]:
    """What every sample below a folder holds, by its path."""
    out: dict[str, str] = {}
    for path in sorted(p for name in FORMATS for p in (root / name).rglob("*") if p.is_file()):
        if path.suffix in (".db", ".sqlite"):
            db = sqlite3.connect(f"file:{path}?immutable=1", uri=True)
            out[str(path.relative_to(root))] = "\n".join(db.iterdump())
            db.close()
        elif not path.name.endswith(".expected.json"):
            out[str(path.relative_to(root))] = path.read_text()
    return out


def main() -> int:
    """Write or check."""
    with tempfile.TemporaryDirectory() as tmp:
        write(Path(tmp))
        if "--check" in sys.argv:
            made, here = held(Path(tmp)), held(HERE)
            stale = sorted(n for n in made.keys() | here.keys() if made.get(n) != here.get(n))
            print("\n".join(f"{n} is not what this script makes" for n in stale), end="", file=sys.stderr)
            return int(bool(stale))
        for name in FORMATS:
            for old in (HERE / name).glob("*"):
                if not old.name.endswith(".expected.json"):
                    shutil.rmtree(old) if old.is_dir() else old.unlink()
            shutil.copytree(Path(tmp) / name, HERE / name, dirs_exist_ok=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
