"""Programs bred from programs: AIDE's journals, OpenEvolve's checkpoints and traces, ShinkaEvolve's database.

Planted and seen to fail: the number of a buggy node as its value, code compared as text, migrants as trials, the first
program as a trial, a checkpoint whose metadata is not there yet, programs that the newest checkpoint has dropped lost.
"""

from __future__ import annotations

import gzip
import json
import sqlite3
from pathlib import Path
from typing import Any, ClassVar

import pytest

from trajscope import analysis, pipeline, sources
from trajscope.errors import SourceError
from trajscope.readers import Source
from trajscope.readers.aide import Aide
from trajscope.readers.openevolve import OpenEvolve
from trajscope.readers.shinka import Shinka
from trajscope.recover.code import identity, program
from trajscope.tail import Oddity, Reset, Tail
from trajscope.testing import ReaderContract, samples
from trajscope.trial import Event, Measure, Trial

BASE = "LR = 0.1\n\n\ndef step(x):\n    return x - LR\n"
REMARKED = "# the same\nLR   = 0.1\n\n\ndef step(x):\n    '''It steps.'''\n    return (x - LR)\n"
FASTER = BASE.replace("0.1", "0.2")
OTHER = BASE.replace("x - LR", "x - 2 * LR * x")


def told(path: Path, **said: Any) -> tuple[list[Trial], list[Any], dict[str, Any]]:
    """The trials of a file, everything else, and its document."""
    found: list[Any] = []
    source = Source(str(path), **said)
    pipeline.read(source, sink=lambda run, item, row: found.append(item))
    (doc,) = analysis.of_file(source, quick=True)
    return [x for x in found if isinstance(x, Trial)], [x for x in found if not isinstance(x, Trial)], doc


def label(t: Trial) -> str | None:
    return t.pair.label if t.pair else None


class TestAide(ReaderContract):
    reader = Aide
    sample = samples()["aide"]


class TestOpenEvolve(ReaderContract):
    reader = OpenEvolve
    sample = samples()["openevolve"]


class TestShinka(ReaderContract):
    reader = Shinka
    sample = samples()["shinka"]
    options: ClassVar[dict[str, Any]] = {"metric": "speed"}


# --- code --------------------------------------------------------------------------------------------------------


def test_code_that_says_the_same_is_the_same() -> None:
    made = program(REMARKED, BASE)
    assert made.id == made.base == identity(BASE)
    assert identity(FASTER) != identity(BASE)
    assert identity("x=1\ny=2") != identity("y=2\nx=1")
    assert identity("fn main() {}", "rust") != identity("fn main() { }", "rust")  # no tree of it is known


def test_a_constant_is_a_knob_and_a_rewritten_function_a_symbol() -> None:
    assert program(FASTER, BASE).found.pair.label == "LR=0.2"
    (change,) = program(OTHER, BASE).found.pair.changes
    assert change.knob == "code:step"
    assert program(BASE, None).found.pair.changes[0].knob == "code:program.py"
    assert program("if (", BASE).found.pair.changes  # no Python, and no reason to fail


# --- AIDE --------------------------------------------------------------------------------------------------------


def node(n: int, code: str, value: object = None, **more: Any) -> dict[str, Any]:
    metric = {"value": value, "maximize": None if value is None else True}
    plain = {
        "code": code,
        "plan": f"plan {n}",
        "step": n,
        "id": f"n{n}",
        "ctime": 1767268800.0 + 60 * n,
        "children": [],
        "_term_out": ["line\n"] * 3,
        "exec_time": 10.0 + n,
        "exc_type": None,
        "analysis": "as expected",
        "metric": metric,
        "is_buggy": value is None,
    }
    return plain | more


def journal(path: Path, nodes: list[dict[str, Any]], parents: dict[str, str], **more: Any) -> Path:
    path.write_text(json.dumps({"nodes": nodes, "node2parent": parents, "__version": "2", **more}))
    return path


def test_a_journal_is_a_tree_of_programs(tmp_path: Path) -> None:
    nodes = [
        node(0, BASE, 0.5),
        node(1, FASTER, 0.7),
        node(2, OTHER, None, exc_type="ZeroDivisionError"),
        node(3, REMARKED, 0.52),
        node(4, FASTER, 0.9, is_buggy=True),  # it scored, and is said to be wrong
        node(5, BASE, 0.6),
    ]
    parents = {"n1": "n0", "n2": "n1", "n3": "n0", "n4": "n0"}
    trials, _, doc = told(journal(tmp_path / "journal.json", nodes, parents))
    assert [(t.status, t.value, t.reason_code) for t in trials] == [
        ("reverted", 0.5, None),
        ("reverted", 0.7, None),
        ("crashed", None, "ZeroDivisionError"),
        ("reverted", 0.52, None),
        ("crashed", None, None),
        ("reverted", 0.6, None),
    ]
    assert label(trials[1]) == "LR=0.2"
    assert trials[2].base == trials[1].config == identity(FASTER)
    assert (trials[3].noop, trials[3].config) == (True, trials[0].config)
    assert [t.based for t in trials] == [False, True, True, True, True, False]
    assert {t.provenance for t in trials} == {"diff"}
    assert trials[1].confidence == 0.95
    assert [t.wall_s for t in trials] == [10.0 + n for n in range(6)]
    assert trials[1].time_ms == 1767268860000
    assert (doc["metric"], doc["best"]["value"]) == ({"name": "metric", "goal": "maximize"}, 0.7)
    assert doc["status"]["kept"] == 0
    assert doc["pairs"]["no_ops"] == [4]
    assert doc["pairs"]["contextual_repeats"] == 2  # the first program again: the no-op, and the last draft


def test_a_journal_that_minimises_says_so_and_one_of_failures_does_not(tmp_path: Path) -> None:
    nodes = [node(0, BASE, 0.5, metric={"value": 0.5, "maximize": False}), node(1, FASTER, 0.4)]
    path = journal(tmp_path / "journal.json", nodes, {})
    assert told(path)[2]["best"]["value"] == 0.4
    journal(path, [node(0, BASE), node(1, FASTER)], {"n1": "n0"})
    trials, _, doc = told(path)
    assert (doc["metric"]["goal"], doc["best"]["value"], [t.status for t in trials]) == (None, None, ["crashed"] * 2)


def scientist(*metrics: tuple[str, bool, list[float | None]]) -> dict[str, Any]:
    named = [
        {
            "metric_name": name,
            "lower_is_better": lower,
            "description": "",
            "data": [{"dataset_name": f"d{i}", "final_value": v, "best_value": v} for i, v in enumerate(values)],
        }
        for name, lower, values in metrics
    ]
    return {"value": {"metric_names": named}, "maximize": None, "name": None, "description": None}


def test_a_journal_of_ai_scientist_names_its_metric_and_its_data_sets(tmp_path: Path) -> None:
    nodes = [
        node(0, BASE, metric=scientist(("loss", True, [0.4, 0.6])), is_buggy=False),
        node(1, BASE + "\nSEED = 1\n", metric=scientist(("loss", True, [0.2, 0.6])), is_buggy=False, is_seed_node=True),
        node(2, FASTER, metric=scientist(("loss", True, [0.1, None])), is_buggy=False),
    ]
    trials, _, doc = told(journal(tmp_path / "journal.json", nodes, {"n1": "n0", "n2": "n0"}))
    assert doc["metric"] == {"name": "loss", "goal": "minimize"}
    assert [t.value for t in trials] == [0.5, 0.4, None]  # half a mean is none
    assert [t.intent for t in trials] == [None, "replicate", None]
    assert trials[2].faults == ("has no loss",)


def test_several_metrics_of_ai_scientist_need_a_word_from_somebody(tmp_path: Path) -> None:
    both = scientist(("loss", True, [0.4]), ("accuracy", False, [0.8]))
    path = journal(tmp_path / "journal.json", [node(0, BASE, metric=both, is_buggy=False)], {})
    trials, _, doc = told(path)
    assert (doc["metric"]["name"], trials[0].value) == (None, None)
    assert "loss (minimize), accuracy (maximize); name one with --metric" in trials[0].faults[0]
    trials, _, doc = told(path, metric="accuracy")
    assert (doc["metric"], trials[0].value) == ({"name": "accuracy", "goal": "maximize"}, 0.8)


# --- OpenEvolve --------------------------------------------------------------------------------------------------


def found(n: int, code: str, parent: str | None, score: float | None, **more: Any) -> dict[str, Any]:
    plain = {
        "id": f"p{n}",
        "code": code,
        "changes_description": "",
        "language": "python",
        "parent_id": parent,
        "generation": n,
        "timestamp": 1767268800.0 + n,
        "iteration_found": n,
        "metrics": {"error": 0.0} if score is None else {"combined_score": score, "speed": 2.0},
        "complexity": 3.0,
        "diversity": float(n),
        "metadata": {"island": n % 2},
        "embedding": [0.1, 0.2],
    }
    return plain | more


def checkpoint(folder: Path, n: int, programs: list[dict[str, Any]], *, whole: bool = True) -> Path:
    place = folder / "checkpoints" / f"checkpoint_{n}"
    (place / "programs").mkdir(parents=True)
    for p in programs:
        (place / "programs" / f"{p['id']}.json").write_text(json.dumps(p))
    head = {"island_feature_maps": [{}], "islands": [[p["id"] for p in programs]], "archive": [], "last_iteration": n}
    if whole:
        (place / "metadata.json").write_text(json.dumps(head))
    return place


FIRST = [found(0, BASE, None, 0.5), found(1, FASTER, "p0", 0.6), found(2, OTHER, "p0", None)]


def test_a_checkpoint_is_read_from_its_metadata_itself_or_the_folder_above(tmp_path: Path) -> None:
    place = checkpoint(tmp_path, 10, FIRST)
    for path in (place / "metadata.json", place, tmp_path / "checkpoints", tmp_path):
        trials, others, doc = told(path)
        assert doc["format"] == "openevolve"
        assert [(label(t), t.status, t.value, t.iter) for t in trials] == [
            ("LR=0.2", "reverted", 0.6, 1),
            (label(trials[1]), "crashed", None, 2),
        ]
        assert [x.value for x in others if isinstance(x, Measure)] == [0.5]
        assert doc["baseline"] == {"value": 0.5, "n": 1, "source": "measured"}
        assert (doc["metric"], doc["best"]["value"]) == ({"name": "combined_score", "goal": "maximize"}, 0.6)
        assert doc["best"]["gain"] == pytest.approx(0.1)


def test_programs_that_were_dropped_come_from_older_checkpoints_and_half_a_checkpoint_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("trajscope.unfolding.QUICK_S", 1e9)
    checkpoint(tmp_path, 9, FIRST)
    tail = Tail(tmp_path)
    first = b"".join(p for p in tail.poll() if isinstance(p, bytes))
    changed = [p | {"diversity": 7.0, "metadata": {"island": 1}} for p in FIRST[:1]]  # its place in the population
    place = checkpoint(tmp_path, 10, [*changed, found(3, OTHER, "p1", 0.7)], whole=False)
    assert tail.poll() == []
    (place / "metadata.json").write_text(json.dumps({"islands": [], "archive": [], "last_iteration": 10}))
    parts = tail.poll()
    assert not [p for p in parts if isinstance(p, Oddity | Reset)]
    new = b"".join(p for p in parts if isinstance(p, bytes))
    assert [json.loads(x)["id"] for x in new.splitlines()] == ["p3"]
    assert first + new == b"".join(sources.read(tmp_path))
    assert told(tmp_path)[2]["trials"] == 3
    assert told(place)[2]["trials"] == 1  # of this one alone, as it was asked for


def test_a_migrant_is_no_trial_and_its_children_are_compared_with_it(tmp_path: Path) -> None:
    migrant = found(3, BASE, "p0", 0.5, metadata={"island": 1, "migrant": True}, iteration_found=2)
    child = found(4, FASTER, "p3", 0.8)
    trials, others, _ = told(checkpoint(tmp_path, 1, [FIRST[0], migrant, child]))
    assert [label(t) for t in trials] == ["LR=0.2"]
    assert [x.data["what"] for x in others if isinstance(x, Event)] == ["survivors", "migration"]


def test_a_crash_that_scored_nought_has_no_value(tmp_path: Path) -> None:
    crash = found(1, FASTER, "p0", 0.0)
    crash["metrics"]["error"] = "Failed to load program"
    trials, _, doc = told(checkpoint(tmp_path, 1, [FIRST[0], crash]))
    assert [(t.status, t.value) for t in trials] == [("crashed", None)]
    assert doc["best"]["value"] is None


def test_without_a_combined_score_the_one_metric_counts_and_of_several_none(tmp_path: Path) -> None:
    one = [p | {"metrics": {"area": 2.0 + n}} for n, p in enumerate(FIRST)]
    assert told(checkpoint(tmp_path / "one", 1, one))[2]["metric"] == {"name": "area", "goal": "maximize"}
    two = [p | {"metrics": {"area": 2.0, "speed": 1.0 + n}} for n, p in enumerate(FIRST)]
    trials, _, doc = told(place := checkpoint(tmp_path / "two", 1, two))
    assert doc["metric"]["name"] is None
    assert "2 metrics that may be meant: area, speed; name one with --metric" in trials[0].faults[0]
    assert told(place, metric="speed", goal="maximize")[2]["best"]["value"] == 3.0


def test_a_damaged_program_is_one_line_with_its_path(tmp_path: Path) -> None:
    place = checkpoint(tmp_path, 1, FIRST)
    (place / "programs" / "p1.json").write_text("{")
    with pytest.raises(SourceError, match=r"p1\.json: is no whole JSON document"):
        told(place)


def traced(n: int, **more: Any) -> dict[str, Any]:
    plain = {
        "iteration": n,
        "timestamp": 1767268800.0 + n,
        "parent_id": "p0",
        "child_id": f"p{n}",
        "parent_metrics": {"combined_score": 0.5},
        "child_metrics": {"combined_score": 0.5 + n / 10},
        "island_id": 0,
        "generation": n,
    }
    return plain | more


@pytest.mark.parametrize("packed", [False, True])
def test_a_trace_is_read_line_by_line(tmp_path: Path, packed: bool) -> None:
    rows = [
        traced(1, parent_code=BASE, child_code=FASTER),
        traced(2, code_diff="-a\n+b\n"),
        traced(3, code_diff="-a\n+b\n", child_metrics={"error": 0.0, "timeout": True}),
        traced(4, child_changes_description="LR 0.1 -> 0.3"),
        traced(5),
    ]
    data = "".join(json.dumps(r) + "\n" for r in rows).encode()
    path = tmp_path / ("evolution_trace.jsonl.gz" if packed else "evolution_trace.jsonl")
    path.write_bytes(gzip.compress(data) if packed else data)
    trials, _, doc = told(path)
    assert doc["format"] == "openevolve"
    assert [t.value for t in trials] == [0.6, 0.7, None, 0.9, 1.0]
    assert [t.status for t in trials] == ["reverted", "reverted", "crashed", "reverted", "reverted"]
    assert (label(trials[0]), label(trials[3]), trials[4].pair) == ("LR=0.2", "lr=0.3", None)
    assert label(trials[1]) == label(trials[2])
    assert [t.provenance for t in trials[:4]] == ["diff", "diff", "diff", "text"]
    assert trials[2].reason_code == "timeout"


# --- ShinkaEvolve ------------------------------------------------------------------------------------------------

COLUMNS = (
    "id TEXT PRIMARY KEY, code TEXT NOT NULL, language TEXT NOT NULL, parent_id TEXT, generation INTEGER NOT NULL, "
    "timestamp REAL NOT NULL, combined_score REAL, public_metrics TEXT, private_metrics TEXT, text_feedback TEXT, "
    "embedding TEXT, correct BOOLEAN DEFAULT 0, children_count INTEGER NOT NULL DEFAULT 0, metadata TEXT"
)


def bred(path: Path, *rows: tuple[Any, ...]) -> Path:
    """A database with these programs: id, code, parent, generation, score, correct, metadata."""
    db = sqlite3.connect(path)
    with db:
        db.execute(f"CREATE TABLE IF NOT EXISTS programs ({COLUMNS})")
        db.execute("CREATE TABLE IF NOT EXISTS archive (program_id TEXT PRIMARY KEY)")
        for own, code, parent, generation, score, correct, about in rows:
            held = (own, code, "python", parent, generation, 1767268800.0 + generation, score, '{"speed": 2.0}', "{}")
            more = ("feedback", "[0.1]", correct, 0, json.dumps(about))
            db.execute(f"INSERT INTO programs VALUES ({', '.join('?' * 14)})", (*held, *more))  # noqa: S608  # marks
    db.close()
    return path


def test_a_database_of_programs_is_a_run(tmp_path: Path) -> None:
    path = bred(
        tmp_path / "evolution_db.sqlite",
        ("a", BASE, None, 0, 0.5, 1, {"compute_time": 4.0}),
        ("a2", BASE, None, 0, 0.5, 1, {"_is_island_copy": True, "_original_program_id": "a"}),
        ("b", FASTER, "a", 1, 0.6, 1, {"compute_time": 3.0, "api_costs": 0.01, "novelty_cost": 0.005}),
        ("c", OTHER, "b", 2, 9.0, 0, {}),
        ("d", FASTER, "a2", 3, 0.61, 1, {}),
    )
    trials, others, doc = told(path)
    assert [(t.status, t.value, t.raw_status) for t in trials] == [
        ("reverted", 0.6, None),
        ("crashed", None, "incorrect"),
        ("reverted", 0.61, None),
    ]
    assert (label(trials[0]), label(trials[2])) == ("LR=0.2", "LR=0.2")
    assert (trials[0].wall_s, trials[0].iter) == (3.0, 1)
    assert trials[0].usd == pytest.approx(0.01 + 0.005)
    assert [x.data["what"] for x in others if isinstance(x, Event)] == ["island copy"]
    assert doc["baseline"]["value"] == 0.5
    assert (doc["metric"]["goal"], doc["best"]["value"]) == ("maximize", 0.61)
    assert doc["pairs"]["repeats"] == 1
    assert told(path, metric="speed", goal="maximize")[2]["best"]["value"] == 2.0


def test_what_the_archive_takes_up_changes_nothing_that_was_read(tmp_path: Path) -> None:
    path = bred(tmp_path / "e.sqlite", ("a", BASE, None, 0, 0.5, 1, {}), ("b", FASTER, "a", 1, 0.6, 1, {}))
    tail = Tail(path)
    before = b"".join(p for p in tail.poll() if isinstance(p, bytes))
    db = sqlite3.connect(path)
    with db:
        db.execute("INSERT INTO archive VALUES ('b')")
        db.execute("UPDATE programs SET children_count = 3, embedding = '[]' WHERE id = 'a'")
    db.close()
    assert tail.poll() == []
    assert b"".join(sources.read(path)) == before
