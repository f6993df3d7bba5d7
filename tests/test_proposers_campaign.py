"""A campaign whose proposals come from a server or a program: what of them is on record, and that no key is."""

from __future__ import annotations

import gzip
import json
import sys
import zlib
from pathlib import Path
from typing import Any, cast

import pytest
from loopfield import Field, Scripted
from modelserver import Reply, completion, error, message, serving

from trajscope_loop.proposers import make

KEY = "sk-test-7b1e5f0c9d2a4e8896"
pytestmark = pytest.mark.needs_module("anthropic", "openai")


def says(x: float, reason: str = "nearer to six") -> str:
    return json.dumps({"reason": reason, "changes": [{"knob": "x", "value": x}], "intent": None})


def lines(field: Field) -> list[dict[str, Any]]:
    found = [json.loads(line) for line in (field.folder / "run.jsonl").read_text("utf-8").splitlines()]
    return [line for line in found if line["type"] == "trial"]


def unpacked(path: Path) -> bytes:
    """The bytes of a file and, where it is packed, those in it."""
    raw = path.read_bytes()
    for unpack in (gzip.decompress, zlib.decompress):
        try:
            return raw + unpack(raw)
        except (OSError, zlib.error):
            continue
    return raw


@pytest.mark.parametrize("kind", ["anthropic", "openai"])
def test_a_campaign_records_what_was_said_and_paid_and_no_key(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MODEL_API_KEY", KEY)
    answer = message if kind == "anthropic" else completion
    replies = [
        Reply(200, answer("I would go on.")),  # trial 1: refused, then right
        Reply(200, answer(says(4.0))),
        Reply(401, error(f"bad key {KEY}")),  # trial 2: nothing
        Reply(200, answer(says(5.0, f"the key is {KEY}"))),  # trial 3
        Reply(200, answer(f"my key: {KEY}")),  # trial 4: refused, then right
        Reply(200, answer(says(6.0))),
    ]
    with serving(*replies) as server:
        asks = make(
            kind,
            model="some-model",
            base_url=server.root if kind == "anthropic" else f"{server.root}/v1",
            key_env="MODEL_API_KEY",
            max_retries=0,
            prices={"input": 10.0, "output": 100.0},
        )
        field = Field(tmp_path, cast("Scripted", asks), iterations=3)
        assert field.go() == (0, "finished: 3 trials")
        asked = [a.body for a in server.asked]
    first, second, third, fourth = lines(field)
    assert first["attempts"][0]["said"] == "I would go on."
    assert first["attempts"][1]["reason"] == "nearer to six"
    # two answers of 100 and 40 tokens each: 2 x (100 x 10 + 40 x 100) / 10^6
    assert first["cost"]["usd"] == pytest.approx(0.01)
    assert (first["cost"]["tokens_in"], first["cost"]["tokens_out"]) == (200, 80)
    assert first["cost"]["proposer_s"] > 0
    assert second["status"] == "proposer_error"
    assert "refused with 401: bad key [redacted]; check the key in MODEL_API_KEY" in second["why"]
    assert third["attempts"][0]["reason"] == "the key is [redacted]"
    assert fourth["attempts"][0]["said"] == "my key: [redacted]"
    assert "is prose" in json.dumps(asked[1])  # the refusal went back
    blobs = list((field.folder / "run.blobs").rglob("*"))
    assert any(b"Raise the score." in unpacked(p) for p in [*blobs, field.folder / "run.jsonl"] if p.is_file())
    files = [p for p in tmp_path.rglob("*") if p.is_file()]
    assert len(files) > 5
    assert [p for p in files if KEY.encode() in unpacked(p)] == []
    out, err = capfd.readouterr()
    assert KEY not in out + err + "".join(field.said)
    assert KEY not in json.dumps(asked)


def test_a_program_leads_a_campaign(tmp_path: Path) -> None:
    program = tmp_path / "propose.py"
    program.write_text(
        "import json, sys\nseen = json.load(sys.stdin)\n"
        "print(json.dumps({'knob': 'x', 'value': seen['base']['x'] + 1 + len(seen['past'])}))\n"
    )
    asks = make("command", command=[sys.executable, str(program)])
    field = Field(tmp_path, cast("Scripted", asks), iterations=2)
    assert field.go() == (0, "finished: 2 trials")
    first, second = lines(field)
    assert first["attempts"][0]["changes"] == [{"knob": "x", "value": 2.0}]
    assert second["attempts"][0]["changes"][0]["value"] in (3.0, 4.0)  # as the first was reverted or kept
