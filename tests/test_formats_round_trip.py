"""Every format written as ours and read again gives the same line, but for its file, its format and its line numbers.

A format is added by one line in `CASES`. Planted and seen to fail: a conversion that forgot whether there are keeps,
where a pair came from, and the native reader forgetting each.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from test_conversion import figures
from test_evolved import BASE, FASTER, FIRST, OTHER, REMARKED, bred, checkpoint, journal, node, traced
from test_optuna import filled

from trajscope import analysis, conversion, pipeline
from trajscope.menu import Menu
from trajscope.readers import Source
from trajscope.testing import samples
from trajscope.trial import Trial

Make = Callable[[Path], Path]


def optuna_database(folder: Path) -> Path:
    filled(f"sqlite:///{folder / 'study.db'}")
    return folder / "study.db"


def optuna_journal(folder: Path) -> Path:
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend

    filled(JournalStorage(JournalFileBackend(str(folder / "journal.log"))))
    return folder / "journal.log"


def aide(folder: Path) -> Path:
    nodes = [
        node(0, BASE, 0.5),
        node(1, FASTER, 0.7),
        node(2, OTHER, None, exc_type="ValueError"),
        node(3, REMARKED, 0.52),
        node(4, FASTER, 0.6),
        node(5, FASTER + "\nSEED = 2\n", 0.61, is_seed_node=True),
    ]
    return journal(folder / "journal.json", nodes, {"n1": "n0", "n2": "n1", "n3": "n0", "n5": "n4"})


def shinka(folder: Path) -> Path:
    return bred(
        folder / "e.sqlite",
        ("a", BASE, None, 0, 0.5, 1, {"compute_time": 4.0}),
        ("a2", BASE, None, 0, 0.5, 1, {"_is_island_copy": True}),
        ("b", FASTER, "a", 1, 0.6, 1, {"compute_time": 3.0, "api_costs": 0.01}),
        ("c", OTHER, "b", 2, 9.0, 0, {}),
        ("d", FASTER, "a2", 3, 0.61, 1, {}),
    )


def openevolve(folder: Path) -> Path:
    checkpoint(folder / "out", 10, FIRST)
    return folder / "out"


def trace(folder: Path) -> Path:
    import json

    rows = [traced(1, parent_code=BASE, child_code=FASTER), traced(2, code_diff="-a\n+b\n"), traced(3, code_diff="-c")]
    path = folder / "evolution_trace.jsonl"
    path.write_text("".join(json.dumps(r) + "\n" for r in rows))
    return path


def stages(folder: Path) -> Path:
    path = folder / "stages.jsonl"
    path.write_bytes(samples()["stages"])
    return path


CASES: dict[str, Make] = {
    "stages": stages,
    "optuna": optuna_database,
    "optuna_journal": optuna_journal,
    "aide": aide,
    "openevolve": openevolve,
    "openevolve_trace": trace,
    "shinka": shinka,
}


@pytest.mark.parametrize("case", CASES)
def test_a_file_written_as_ours_gives_the_same_line(case: str, tmp_path: Path) -> None:
    path = CASES[case](tmp_path)
    (was,) = analysis.of_file(Source(str(path)), quick=True)
    (written,) = conversion.convert(Source(str(path)), tmp_path / "ours.jsonl")
    assert written.losses == []
    (now,) = analysis.of_file(Source(str(written.path)), quick=True)
    assert now["format"] == "native"
    assert dict(figures(now)) == dict(figures(was))
    assert {v["rule"]: v["level"] for v in now["verdicts"]} == {v["rule"]: v["level"] for v in was["verdicts"]}
    assert (now["run_id"], now["metric"]) == (was["run_id"], was["metric"])


@pytest.mark.parametrize("case", CASES)
def test_what_stands_beside_the_figures_is_carried_over_too(case: str, tmp_path: Path) -> None:
    path = CASES[case](tmp_path)
    (written,) = conversion.convert(Source(str(path)), tmp_path / "ours.jsonl")
    was, now = trials(path), trials(written.path)
    for field in ("raw_status", "provenance", "confidence", "reason_code", "intent"):
        assert [getattr(t, field) for t in now] == [getattr(t, field) for t in was], field
    before, after = (pipeline.header(Source(str(p)))[0].header for p in (path, written.path))
    assert (after.has_keeps, knobs(after.menu)) == (before.has_keeps, knobs(before.menu))


def knobs(menu: Menu | None) -> Any:
    return menu.knobs if menu else None


def trials(path: Path) -> list[Trial]:
    found: list[Any] = []
    pipeline.read(Source(str(path)), sink=lambda run, item, row: found.append(item))
    return [x for x in found if isinstance(x, Trial)]
