"""Writing the record contract: a dishonest line is refused by name, and the schemas say the same to other languages.

Faults planted and seen to fire: each sentence of `duties` switched off; a guard's bound tested by truth (0.0); a schema
that does not ask for the source of a value; a stale schema.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from jsonschema import Draft202012Validator
from recordlines import (
    HEAD,
    PASSED,
    REFUSED,
    ROOT,
    RUN,
    TRIAL,
    VALIDATORS,
    lines,
    trial,
    trials,
)

from trajscope import record
from trajscope.errors import RecordError
from trajscope.record import dump, fault, make


@given(lines)
def test_what_the_writer_accepts_the_schema_accepts(obj: dict[str, object]) -> None:
    if fault(make(obj), "loss") is None:
        VALIDATORS[str(obj["type"])].validate(json.loads(dump(make(obj), metric="loss")))


@given(trials)
def test_no_keep_is_written_without_evidence(obj: dict[str, Any]) -> None:
    if obj["status"] != "kept" or fault(make(obj), "loss") is not None:
        return
    assert isinstance(obj["value"], int | float)
    assert obj["value_source"] == "reported" or all(s["metrics"]["loss"] is not None for s in obj["seeds"])
    standing = [a for a in obj["attempts"] if a.get("verdict", PASSED)["level"] in ("PASS", "WARN")]
    assert len(standing) == 1
    assert standing[0]["changes"]


# Writing: each row is a line that must not be written, and what is said of it


@pytest.mark.parametrize(
    ("obj", "why"),
    [
        (trial(status="kept", value=None, value_source="reported"), "and no value"),
        (trial(status="kept", value=None), "is kept without a value"),
        (trial(status="kept", value=1), "does not say that its value is reported"),
        (trial(status="kept", value=1, value_source="seeds"), "but it has none"),
        (trial(status="kept", value=1, value_source="seeds", seeds=[]), "but it has none"),
        (
            trial(status="kept", value=1, value_source="seeds", seeds=[{"seed": 0, "status": "crashed"}]),
            "seed 0 is crashed",
        ),
        (
            trial(value=1, value_source="seeds", seeds=[{"seed": 0, "status": "ok", "metrics": {"loss": 2}}]),
            "their mean loss is 2, not 1",
        ),
        (
            trial(status="kept", value=1, value_source="reported", seeds=[{"seed": 4, "status": "ok", "metrics": {}}]),
            "its seed 4 is ok without a loss",
        ),
        (trial(status="kept", value=1, value_source="reported", attempts=[]), "0 of its 0 attempts stand unrefused"),
        (trial(attempts=[{"changes": []}]), "attempt 1 changes nothing"),
        (trial(attempts=[{"changes": [{"knob": "a", "value": 1}], "verdict": REFUSED}]), "0 of its 1 attempts"),
        (trial(attempts=[*TRIAL["attempts"], *TRIAL["attempts"]]), "2 of its 2 attempts"),  # type: ignore[misc]  # a list
        (
            trial(status="blocked", attempts=[{"changes": [{"knob": "a", "value": 1}], "verdict": PASSED}]),
            "a rail let an attempt pass",
        ),
        (
            trial(
                status="kept",
                value=1,
                value_source="reported",
                attempts=[{"changes": [{"knob": "code:f", "value": "ab"}]}],
            ),
            "with the edit code:f and no diff",
        ),
        (trial(status="other"), "is other, and no raw_status says in what word"),
        (trial(status="other", raw_status=""), "is other, and no raw_status says in what word"),
        (trial(status="other", raw_status=None, attempts=[]), "is other, and no raw_status says in what word"),
        (trial(holdout={"pass": True, "commitment": "a" * 64, "auc": 0.7}), "more of the holdout than its bit: auc"),
        ({**HEAD, **RUN, "metrics": [{"name": "a", "role": "guard"}]}, "without floor or ceiling"),
        ({**HEAD, **RUN, "metrics": [{"name": "a", "role": "guard", "floor": None}]}, "without floor or ceiling"),
        ({**HEAD, **RUN, "metrics": [{"name": "a", "role": "primary"}]}, "'a' as primary beside its metric 'loss'"),
        (
            {**HEAD, **RUN, "metrics": [{"name": "a", "role": "monitor"}, {"name": "a", "role": "guard", "floor": 0}]},
            "declares the metric 'a' twice",
        ),
        ({**HEAD, **RUN, "campaign": None}, "has no campaign"),
        ({**HEAD, **TRIAL}, "has no value"),
        ({**HEAD, "type": "end", "reason": "done"}, "has no counts"),
    ],
)
def test_a_dishonest_line_is_refused_by_name(obj: dict[str, object], why: str) -> None:
    with pytest.raises(RecordError) as caught:
        dump(make(obj), metric="loss")
    assert why in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "obj",
    [
        trial(status="kept", value=1, value_source="reported"),
        trial(
            status="kept",
            value=1.5,
            value_source="seeds",
            seeds=[{"seed": s, "status": "ok", "metrics": {"loss": v}} for s, v in ((0, 1), (1, 2))],
        ),
        trial(status="blocked", attempts=[]),
        trial(status="other", raw_status="migrated"),
        trial(status="other", raw_status="note", attempts=[]),
        trial(status="proposer_error", attempts=[{"changes": [], "reason": "no JSON in the reply"}]),
        {**HEAD, **RUN, "metrics": [{"name": "a", "role": "guard", "floor": 0.0}]},
    ],
)
def test_an_honest_line_is_written(obj: dict[str, object]) -> None:
    assert json.loads(dump(make(obj), metric="loss")) == obj


def test_the_schema_refuses_what_it_can_say() -> None:
    for bad in (
        trial(status="kept", value=None, value_source="reported"),
        trial(status="kept", value=1),
        trial(status="skipped"),
        trial(status="other"),
        trial(status="other", raw_status=""),
        trial(attempts=[]),
        trial(prev="12"),
        trial(value=1, value_source="seeds", seeds=[]),
        {k: v for k, v in trial().items() if k != "value"},
    ):
        assert not VALIDATORS["trial"].is_valid(bad), bad
    assert VALIDATORS["trial"].is_valid(trial())
    assert not VALIDATORS["run"].is_valid({**HEAD, **RUN, "metrics": [{"name": "a", "role": "guard"}]})
    assert VALIDATORS["run"].is_valid({**HEAD, **RUN, "metrics": [{"name": "a", "role": "guard", "floor": 0}]})


def test_the_schemas_in_the_documentation_are_of_today(tmp_path: Path) -> None:
    written = record.write_schemas(tmp_path)
    assert {p.name for p in written} == {f"{kind}.schema.json" for kind in VALIDATORS}
    for path in written:
        kept = (ROOT / "docs" / "schema" / path.name).read_text("utf-8")
        assert kept == path.read_text("utf-8"), f"{path.name} is stale: run trajscope.record.write_schemas"
        Draft202012Validator.check_schema(json.loads(kept))
