"""docs/format.md is held to its word: its examples run, its lines could be written, no field is left out."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator
from runfiles import ROOT, rows

from trajscope import record
from trajscope.writer import open_run


def fenced(language: str) -> list[str]:
    text = (ROOT / "docs" / "format.md").read_text("utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)


def test_the_examples_in_the_documentation_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    blocks = fenced("python")
    assert len(blocks) == 2
    for block in blocks:
        exec(compile(block, "docs/format.md", "exec"), {})  # noqa: S102  our own documentation
    statuses = [r["status"] for r in rows(tmp_path / "run.jsonl") if r["type"] == "trial"]
    assert statuses == ["reverted", "kept"]
    by_hand = rows(tmp_path / "by-hand.jsonl")
    assert by_hand[1]["value"] == 0.42
    # A file written by hand can be taken up by the writer.
    with open_run("by-hand.jsonl", metric="val_loss", campaign="lm", resume=True) as run:
        assert run.trial({"lr": 3e-4}, value=0.4, kept=True) == 3


def test_every_line_shown_in_the_documentation_could_be_written() -> None:
    lines = [line for block in fenced("json") for line in block.splitlines()]
    shown = [json.loads(line) for line in lines]
    assert {r["type"] for r in shown} == set(record.TYPES)
    assert [r["seq"] for r in shown] == list(range(len(shown)))
    for one in shown:
        one["prev"] = "0" * 16  # the page leaves them out
        assert record.fault(record.make(one), "val_loss") is None
        Draft202012Validator(record.schemas()[one["type"]]).validate(one)


def test_every_field_of_the_contract_is_documented() -> None:
    text = (ROOT / "docs" / "format.md").read_text("utf-8")
    for model in record.TYPES.values():
        for name in model.model_fields:
            assert re.search(rf"[`\"{{]{name}[`\":,]", text), f"{model.__name__}.{name}"
