"""The record contract as JSON Schema, for writers in other languages: what a line must hold when it is written."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from trajscope.record.duties import REQUIRED, UNPROPOSED
from trajscope.record.models import TYPES

_NUMBER = {"properties": {"value": {"type": "number"}}, "required": ["value"]}
_PROPOSED = {
    "properties": {
        "attempts": {"minItems": 1, "items": {"properties": {"changes": {"minItems": 1}}, "required": ["changes"]}}
    }
}
# The part of `duties` that a schema can say.
_TRIAL_DUTIES: list[dict[str, Any]] = [
    {"if": {"properties": {"status": {"not": {"enum": list(UNPROPOSED)}}}}, "then": _PROPOSED},
    {
        "if": {"properties": {"status": {"const": "kept"}}},
        "then": {"allOf": [_NUMBER, _PROPOSED], "required": ["value_source"]},
    },
    {
        "if": {"properties": {"status": {"const": "other"}}},
        "then": {"properties": {"raw_status": {"type": "string", "minLength": 1}}, "required": ["raw_status"]},
    },
    {
        "if": {"properties": {"value_source": {"const": "seeds"}}, "required": ["value_source"]},
        "then": {
            "allOf": [_NUMBER],
            "properties": {"seeds": {"minItems": 1, "items": {"properties": {"status": {"const": "ok"}}}}},
            "required": ["seeds"],
        },
    },
]
_RUN_DUTIES: list[dict[str, Any]] = [
    {
        "properties": {
            "metrics": {
                "items": {
                    "if": {"properties": {"role": {"const": "guard"}}},
                    "then": {
                        "anyOf": [
                            {"properties": {b: {"type": "number"}}, "required": [b]} for b in ("floor", "ceiling")
                        ]
                    },
                }
            }
        }
    }
]


def schemas() -> dict[str, dict[str, Any]]:
    """JSON Schema by line type. Unknown fields are allowed everywhere."""
    out: dict[str, dict[str, Any]] = {}
    for kind, model in TYPES.items():
        body = model.model_json_schema()
        body["required"] = list(REQUIRED[kind])
        body["properties"]["seq"] = {"type": "integer", "minimum": 0}
        body["properties"]["prev"] = {"type": "string", "pattern": "^[0-9a-f]{16}$"}
        if duties := {"trial": _TRIAL_DUTIES, "run": _RUN_DUTIES}.get(kind):
            body["allOf"] = duties
        out[kind] = {"$schema": "https://json-schema.org/draft/2020-12/schema", **body}
    return out


def write_schemas(folder: Path) -> list[Path]:
    """Write one `<type>.schema.json` per line type and say which."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for kind, body in schemas().items():
        path = folder / f"{kind}.schema.json"
        path.write_text(json.dumps(body, indent=2) + "\n", encoding="utf-8")
        written.append(path)
    return written
