"""Public files, as their owners published them, against counts made without trajscope (tests/count_real.py).

The files are not part of this repository. They are looked for in the folder that TRAJSCOPE_REAL names, else in
`shared/data/real` beside the checkout; where there are none, every comparison is skipped and says so.

Planted and seen to fail: a revert counted as a keep in the `stages` reader, its baseline left out, its summary line
taken for a trial; in tables a promotion counted as a keep, a budget overrun not known, a crash's 0 left as its value
(only the comparison by row sees it); a status, a best and a line number changed in real_expected.json.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
from pathlib import Path
from types import ModuleType
from typing import Any

import count_real
import pytest

import trajscope
from trajscope.readers import BUILT_IN
from trajscope.trial import Measure

ROOT = Path(__file__).resolve().parents[1]
EXPECTED: dict[str, dict[str, Any]] = json.loads(count_real.EXPECTED.read_text("utf-8"))
REAL = Path(os.environ.get("TRAJSCOPE_REAL") or ROOT.parent / "shared" / "data" / "real")

# Readers that are still to be written, and why their files are not compared yet. To be emptied.
WAITING: dict[str, str] = {}


def the(name: str) -> Path:
    """The file, if it is here and is the one that was counted."""
    path = REAL / name
    if not path.is_file():
        pytest.skip("the public files are not on this machine; name their folder with TRAJSCOPE_REAL")
    if hashlib.sha256(path.read_bytes()).hexdigest() != EXPECTED[name]["sha256"]:
        pytest.skip("another version of the file than the one that was counted")
    return path


def total(docs: list[dict[str, Any]], *path: str) -> int:
    """The sum of one count over the runs of a file."""
    found = 0
    for doc in docs:
        value: Any = doc
        for step in path:
            value = value[step]
        found += value
    return found


def facts(docs: list[dict[str, Any]], want: dict[str, Any]) -> dict[str, Any]:
    """What trajscope says of a file, in the words of real_expected.json."""
    bests = [(d["best"]["value"], d["best"]["seq"]) for d in docs if d["best"]["value"] is not None]
    lower = docs[0]["metric"]["goal"] == count_real.LOWER
    value, seq = min(bests, key=lambda b: b[0] if lower else -b[0]) if bests else (None, None)
    # The lines of a database are those that it was unfolded into, which no editor shows.
    line = seq + 1 if seq is not None and want["lines"] is not None else None
    baseline = next((d["baseline"]["value"] for d in docs if d["baseline"]["value"] is not None), None)
    return {
        "content_lines": total(docs, "lines", "total") if want["lines"] is not None else None,
        "unreadable": total(docs, "lines", "unreadable"),
        "trials": total(docs, "trials"),
        **{s: total(docs, "status", s) for s in count_real.STATUSES},
        "baseline": baseline,
        "goal": docs[0]["metric"]["goal"],
        "best": value,
        "line": line,
    }


def wanted(want: dict[str, Any], metric: str | None) -> dict[str, Any]:
    """The same of what was counted, for the metric that trajscope took."""
    first = next(iter(want["metrics"]))
    if want["metric_is_a_guess"] or metric is None:
        mark: dict[str, Any] = {"goal": None, "best": None, "line": None}
    else:
        mark = want["metrics"][metric]
    baseline = want["baseline"]["value"] if want["baseline"] and metric == first else None
    return {
        **{k: want[k] for k in ("content_lines", "unreadable", "trials", *count_real.STATUSES)},
        "baseline": baseline,
        "goal": mark["goal"],
        "best": mark["best"],
        "line": mark["line"] if want["lines"] is not None else None,
    }


@pytest.mark.parametrize("name", EXPECTED)
def test_a_public_file_is_read_as_it_was_counted(name: str) -> None:
    path, want = the(name), EXPECTED[name]
    if want["readers"][0] in WAITING:
        pytest.skip(f"{want['readers'][0]}: {WAITING[want['readers'][0]]}: no reader yet")
    if want["asked"]:
        with pytest.raises(trajscope.TrajscopeError, match=f"no run.*--reader {want['asked']}"):
            trajscope.analyze(path)
    docs = trajscope.analyze(path, reader=want["asked"], quick=True)
    assert {d["format"] for d in docs} <= set(want["readers"])
    names = {d["metric"]["name"] for d in docs}
    assert len(names) == 1
    metric = names.pop()
    measured = any(m["best"] is not None for m in want["metrics"].values()) and not want["metric_is_a_guess"]
    assert metric in want["metrics"] or (metric is None and not measured)
    assert facts(docs, want) == wanted(want, metric)
    if len(docs) == 1 and metric == next(iter(want["metrics"])) and docs[0]["metric"]["goal"]:
        assert docs[0]["plateau"]["longest"]["length"] == want["course"]["longest_dry"]
    if want["pairs"].get("from") == "native":
        assert total(docs, "pairs", "unique") == want["pairs"]["unique"]
    if want["pairs"].get("from") in ("native", "eye"):
        assert total(docs, "pairs", "repeats") == want["pairs"]["repeats"]


@pytest.mark.parametrize("name", EXPECTED)
def test_every_trial_of_a_public_file_is_the_one_that_was_counted(name: str) -> None:
    # Sums may agree where rows do not.
    path, want = the(name), EXPECTED[name]
    if want["readers"][0] in WAITING:
        pytest.skip(f"{want['readers'][0]}: {WAITING[want['readers'][0]]}: no reader yet")
    items = list(trajscope.read(path, reader=want["asked"]))
    metric = next(i.metric for i in items if isinstance(i, trajscope.Header))
    trials = [i for i in items if isinstance(i, trajscope.Trial)]
    count = count_real.RULES[name](path.read_bytes())

    def value(of: count_real.Try) -> float | None:
        return of.values[metric] if metric in of.values and of.status in count_real.EVALUATED else None

    def line(n: int) -> int | None:
        return n if want["lines"] is not None else None

    found = [(line(t.seq + 1), t.status, t.value if t.status in count_real.EVALUATED else None) for t in trials]
    assert found == [(line(t.line), t.status, value(t)) for t in count.tries]
    assert [t.seq + 1 for t in trials if t.status == "crashed" and t.value == 0] == []
    measures = [i.seq + 1 for i in items if isinstance(i, Measure)]
    at = count.baseline.line if count.baseline else None
    assert measures == ([at] if at and want["readers"][0] != "stages" else [])  # stages: in the header


@pytest.mark.parametrize("name", [n for n, want in EXPECTED.items() if len(want["metrics"]) > 1])
def test_a_public_file_with_several_metrics_is_judged_by_the_one_that_is_asked_for(name: str) -> None:
    path, want = the(name), EXPECTED[name]
    if want["readers"][0] in WAITING:
        pytest.skip(f"{want['readers'][0]}: {WAITING[want['readers'][0]]}: no reader yet")
    for metric, mark in want["metrics"].items():
        docs = trajscope.analyze(path, metric=metric, goal=mark["goal"], quick=True)
        assert (docs[0]["metric"]["name"], docs[0]["metric"]["goal"]) == (metric, mark["goal"])
        found = facts(docs, want)
        assert (metric, found["best"], found["line"]) == (metric, mark["best"], mark["line"])


def test_a_reader_that_is_there_is_not_waited_for() -> None:
    assert [name for name in WAITING if name in BUILT_IN] == [], "take them out of WAITING, so that they are compared"


@pytest.mark.parametrize("name", EXPECTED)
def test_what_was_counted_is_what_the_script_counts(name: str) -> None:
    data = the(name).read_bytes()
    found = count_real.report(Path(name), data, count_real.RULES[name](data))
    assert json.loads(json.dumps(found)) == EXPECTED[name]


def test_every_rule_has_its_figures() -> None:
    assert sorted(count_real.RULES) == sorted(EXPECTED)


def test_every_figure_adds_up() -> None:
    for name, f in EXPECTED.items():
        assert f["trials"] == sum(f[s] for s in count_real.STATUSES), name
        if f["lines"] is not None:
            assert f["lines"] == f["content_lines"] + f["blank_lines"], name
            assert f["trials"] + f["unreadable"] <= f["content_lines"], name
        for metric, mark in f["metrics"].items():
            assert (mark["best"] is None) == (mark["line"] is None), (name, metric)
            assert mark["best"] is None or mark["goal"], (name, metric)


def test_the_figures_hold_no_text_of_the_owners() -> None:
    # Names of columns and files are facts; a sentence would be longer than any of them.
    def texts(value: Any) -> list[str]:
        if isinstance(value, dict):
            return [t for k, v in value.items() for t in (k, *texts(v))]
        return [t for v in value for t in texts(v)] if isinstance(value, list) else [value] * isinstance(value, str)

    for f in EXPECTED.values():
        assert all(len(t) <= 32 or t == f["sha256"] for t in texts(f))


# --- the pages that are written from these figures --------------------------------------------------------------------


@pytest.fixture(scope="module")
def study() -> ModuleType:
    """The script that writes the tables of the field study."""
    spec = importlib.util.spec_from_file_location("field_study", ROOT / "docs" / "field_study.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_field_study_says_what_was_counted(study: ModuleType) -> None:
    assert study.stale() == [], "run `python docs/field_study.py`, and mend sentences by hand"


def test_a_sentence_of_the_field_study_that_has_lost_its_number_is_found(
    study: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    wrong = json.loads(count_real.EXPECTED.read_text("utf-8"))
    next(f for name, f in wrong.items() if "mar8" in name)["course"]["gains_below_seed_change"] = 15
    (tmp_path / "wrong.json").write_text(json.dumps(wrong))
    monkeypatch.setattr(study, "EXPECTED", tmp_path / "wrong.json")
    assert study.stale() == [
        "table in field_study.md",
        "no '15 of the 22 keeps gained less than that' in field_study.md",
    ]


def test_every_repository_has_its_licence_in_the_field_study(study: ModuleType) -> None:
    assert {study.repository(name) for name in EXPECTED} == set(study.LICENCES)


def test_what_the_field_study_measured_is_what_trajscope_says(study: ModuleType) -> None:
    if not REAL.is_dir():
        pytest.skip("the public files are not on this machine; name their folder with TRAJSCOPE_REAL")
    for name in EXPECTED:
        the(name)
    assert study.measure(REAL) == json.loads(study.MEASURED.read_text("utf-8")), "run docs/field_study.py --measure"
