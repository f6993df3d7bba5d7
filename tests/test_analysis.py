"""Analysis: the document has every name, in order, and a reason for every null."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from jsonschema import Draft202012Validator
from law_strategies import BASE, MENU_JSON, analyzed, linked, made, pushed, runs

from trajscope import analysis, cache
from trajscope.errors import SourceError
from trajscope.fold import Unknown
from trajscope.readers import Source
from trajscope.store import Store
from trajscope.trial import Header, Item

KEEP = ("a", 2, "kept", 0.5)
LINES: list[dict[str, Any] | bytes] = [
    {"type": "run", "run_id": "r", "metric": {"name": "loss", "goal": "minimize"}, "menu": MENU_JSON,
     "base": {"config": BASE}},
    *({"type": "trial", "iter": i, "status": "reverted", "value": 1.0, "attempts": [{"knob": "a", "value": i % 2 + 2}]}
      for i in range(1, 13)),
]  # fmt: skip


def at(doc: dict[str, Any], path: str) -> Any:
    for part in path.split("."):
        doc = doc[part]
    return doc


def paths(doc: dict[str, Any], under: str = "") -> set[str]:
    named = {k.path for k in analysis.glossary()}
    out: set[str] = set()
    for key, value in doc.items():
        path = f"{under}{key}"
        out |= {path} if path in named or not isinstance(value, dict) else paths(value, f"{path}.")
    return out


@pytest.mark.parametrize(
    "rows", [[], [KEEP], [KEEP] * 12, [("a", 2, "crashed", None)]], ids=["none", "one", "twelve", "crash"]
)
def test_a_document_has_every_name_of_the_glossary_and_no_other(rows: list[Any]) -> None:
    doc = analyzed(made(*rows))
    assert paths(doc) == {k.path for k in analysis.glossary()}
    assert tuple(doc) == analysis.ORDER


def test_every_name_has_one_sentence() -> None:
    glossary = analysis.glossary()
    assert len({k.path for k in glossary}) == len(glossary)
    assert all(k.doc.endswith(".") for k in glossary)
    assert [k.path.split(".")[0] for k in glossary] == sorted(
        (k.path.split(".")[0] for k in glossary), key=analysis.ORDER.index
    )


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(runs())
def test_any_document_fits_its_schema(run: tuple[Header, list[Item]]) -> None:
    Draft202012Validator(analysis.schema()).validate(analyzed(pushed(*run)[0]))


def test_a_quick_answer_leaves_out_what_needs_simulation_and_says_so() -> None:
    run = made(*[KEEP] * 12)
    quick = analysis.analyze(run, file="f", format="native", quick=True)
    assert quick["nulls"]["memory"] == {"window": None, "lags": None, "leak": None}
    assert "quick answer" in quick["unknown"]["nulls.memory.lags"]
    whole = analysis.analyze(run, file="f", format="native")
    assert len(whole["nulls"]["memory"]["lags"]) == 11
    quick["nulls"], whole["nulls"] = {}, {}
    quick["unknown"] = {k: x for k, x in quick["unknown"].items() if "memory" not in k}
    whole["unknown"] = {k: x for k, x in whole["unknown"].items() if "memory" not in k}
    assert quick == whole


def test_what_is_unknown_inside_a_list_has_its_place_in_its_path() -> None:
    unknown: dict[str, str] = {}
    plain = analysis._known([{"a": Unknown("why"), "b": {"c": Unknown("too")}}, {"a": 0}], "list", unknown)
    assert plain == [{"a": None, "b": {"c": None}}, {"a": 0}]
    assert unknown == {"list.0.a": "why", "list.0.b.c": "too"}


def test_a_zero_stays_a_zero() -> None:
    doc = analyzed(made(("a", 1, "reverted", 1.0)))
    assert (doc["pairs"]["repeats"], doc["pairs"]["repeat_rate"], doc["best"]["value"]) == (0, 0.0, None)


def test_a_run_that_never_said_its_metric_says_what_is_missing() -> None:
    doc = analyzed(made(KEEP, header=Header(run_id="r")))
    unknown = {k for k in doc["unknown"] if k.startswith(("metric", "campaign"))}
    assert unknown == {"metric.name", "metric.goal", "campaign"}
    assert "--metric" in doc["unknown"]["metric.name"]
    assert "--goal" in doc["unknown"]["best.value"]


def test_a_file_is_analyzed_by_one_call(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    path.write_bytes(linked(LINES))
    (doc,) = analysis.of_file(Source(str(path)))
    assert (doc["file"], doc["format"], doc["trials"], doc["lines"]["total"]) == (str(path), "native", 12, 13)


def test_reading_into_a_store_tells_the_same(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    path.write_bytes(linked(LINES))
    store = Store()
    docs = analysis.into_store(store, Source(str(path)))
    assert docs == analysis.of_file(Source(str(path)), quick=True)
    store.tell(docs)
    assert store.query("SELECT trials, pairs_unique FROM runs").rows == [(12, 2)]


def test_progress_adds_up_to_the_size_of_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "run.jsonl"
    path.write_bytes(linked(LINES))
    for worth in (1 << 30, 0):
        monkeypatch.setattr(cache, "WORTH", worth)
        seen: list[int] = []
        analysis.of_file(Source(str(path)), cached=False, progress=seen.append)
        assert sum(seen) == path.stat().st_size


@pytest.mark.parametrize("worth", [1 << 30, 0], ids=["small", "large"])
@pytest.mark.parametrize("body", [b"", b"\n\n", b"no json\n", b"\x00\x01\x02", b"{}\n", b"[1]\n"])
def test_what_is_no_trajectory_is_one_error(
    tmp_path: Path, body: bytes, worth: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cache, "WORTH", worth)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    path = tmp_path / "run.jsonl"
    path.write_bytes(body)
    with pytest.raises(SourceError, match=r"run\.jsonl"):
        analysis.of_file(Source(str(path)))


def test_a_small_file_is_analyzed_without_the_heavy_modules(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    path.write_bytes(linked(LINES))
    program = (
        "import sys, json; from trajscope import analysis; from trajscope.readers import Source; "
        f"analysis.of_file(Source({str(path)!r})); "
        "print(json.dumps(sorted(set(sys.modules) & {'duckdb', 'polars', 'numpy', 'scipy', 'pydantic', 'altair'})))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == []


def test_where_only_some_trials_say_what_they_ran_nothing_is_counted_by_configuration() -> None:
    rows = [("a", 2, "reverted", 1.0)] * 2
    doc = analyzed(made(*rows, ("a", 2, "reverted", 1.0, {"config": None})))
    assert analyzed(made(*rows))["pairs"]["contextual_repeats"] == 1
    assert doc["pairs"]["contextual_repeats"] is None
    assert "some trials" in doc["unknown"]["pairs.contextual_repeats"]
