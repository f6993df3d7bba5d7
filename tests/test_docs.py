"""The documentation is held to the code: nothing generated is stale, every code block runs, every name is explained.

Planted and seen to fail: a metric without a line in the page, a README block edited by hand, a rule left out of the
page, a Python block with a misspelt call.
"""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from types import ModuleType

import pytest

import trajscope
from trajscope import analysis, rules
from trajscope.readers import BUILT_IN

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def generate() -> ModuleType:
    """The script that writes the documentation."""
    spec = importlib.util.spec_from_file_location("generate", ROOT / "docs" / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_nothing_generated_is_stale(generate: ModuleType) -> None:
    assert generate.stale() == [], "run `make docs`"


def test_every_number_and_rule_is_on_the_metric_page() -> None:
    page = (ROOT / "docs" / "metrics.md").read_text("utf-8")
    assert [k.path for k in analysis.glossary() if f"| `{k.path}` |" not in page] == []
    assert [r.name for r in rules.RULES if f"| `{r.name}` |" not in page] == []


def test_every_number_has_one_meaning() -> None:
    paths = [k.path for k in analysis.glossary()]
    assert sorted(set(paths)) == sorted(paths)
    assert all(k.doc.endswith(".") for k in analysis.glossary())


def test_every_leaf_of_a_document_is_documented() -> None:
    doc = trajscope.analyze(ROOT / "sample_runs" / "amnesiac" / "amnesiac.jsonl")[0]
    known = {k.path for k in analysis.glossary()}

    def leaves(value: object, path: str) -> list[str]:
        if path in known or not isinstance(value, dict):
            return [path]
        return [leaf for key, inner in value.items() for leaf in leaves(inner, f"{path}.{key}" if path else key)]

    assert set(leaves(doc, "")) == known


def test_the_recorder_of_the_readme_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text("utf-8"), re.DOTALL)
    assert blocks
    monkeypatch.chdir(tmp_path)
    for block in blocks:
        exec(compile(block, "README.md", "exec"), {"train": lambda lr: 1 + (lr - 3e-4) ** 2, "best": 2.0})  # noqa: S102  # our own text
    doc = trajscope.analyze("run.jsonl")[0]
    assert (doc["trials"], doc["status"]["kept"], doc["integrity"]["drifted"]) == (3, 2, [])


def test_every_reader_is_in_the_documentation() -> None:
    pages = "".join(p.read_text("utf-8") for p in (ROOT / "docs").glob("*.md"))
    assert [name for name in BUILT_IN if f"`{name}`" not in pages] == []


def test_the_public_names_are_these() -> None:
    assert sorted(trajscope.__all__) == [
        *("Asked", "Gate", "Header", "Level", "Live", "Lookout", "Menu", "Run", "RunFile", "RunWriter", "Sight"),
        *("TrajscopeError", "Trial", "Verdict"),
        *("analyze", "build_corpus", "config_hash", "follow", "gate", "load", "load_menu", "open_run", "read"),
        *("sourced", "sql", "verify_corpus"),
    ]
    for name in trajscope.__all__:
        assert getattr(trajscope, name).__doc__
    with pytest.raises(AttributeError, match="it has Asked"):
        _ = trajscope.no_such_name
