"""The contract of a native record file: its lines as models, read leniently and written strictly.

load(line)   bytes -> a model, or Unknown with the line kept whole; never raises
dump(model)  a model -> bytes of one line; raises RecordError where the contract forbids it
upgrade(obj) an older line -> today's
schemas()    the same contract for other languages
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass

from pydantic import ValidationError

from trajscope.errors import RecordError
from trajscope.record.duties import REQUIRED, fault, mean
from trajscope.record.models import (
    TYPES,
    Attempt,
    Base,
    Blob,
    Change,
    Constraint,
    Cost,
    Delta,
    End,
    Event,
    Fingerprints,
    HoldoutBit,
    Knob,
    Measure,
    Menu,
    Metric,
    MetricSpec,
    Part,
    Proposer,
    Record,
    RunHeader,
    SeedResult,
    Settings,
    Trial,
    Verdict,
)
from trajscope.record.plain import MAX_DEPTH, finite, has_nan, not_finite, plain, utc
from trajscope.record.schema import schemas, write_schemas
from trajscope.upgrade import CURRENT, UPGRADES, upgrade, version

__all__ = [
    "CURRENT",
    "MAX_DEPTH",
    "REQUIRED",
    "TYPES",
    "UPGRADES",
    "Attempt",
    "Base",
    "Blob",
    "Change",
    "Constraint",
    "Cost",
    "Delta",
    "End",
    "Event",
    "Fingerprints",
    "HoldoutBit",
    "Knob",
    "Measure",
    "Menu",
    "Metric",
    "MetricSpec",
    "Part",
    "Proposer",
    "Record",
    "RunHeader",
    "SeedResult",
    "Settings",
    "Trial",
    "Unknown",
    "Verdict",
    "dump",
    "fault",
    "finite",
    "has_nan",
    "load",
    "make",
    "mean",
    "not_finite",
    "plain",
    "schemas",
    "upgrade",
    "utc",
    "write_schemas",
]


@dataclass(frozen=True)
class Unknown:
    """A line that is no record we know, kept whole: its bytes, its object where it is JSON, and why."""

    line: bytes
    raw: object
    why: str


def load(line: bytes | str) -> Record | Unknown:
    """The record on this line, or Unknown, never an error; NaN and Infinity are read as no value."""
    data = line.encode("utf-8", "surrogatepass") if isinstance(line, str) else line
    data = data.removesuffix(b"\n")
    try:
        raw: object = json.loads(data, parse_constant=lambda _: None, parse_float=_finite)
    except (ValueError, RecursionError) as error:
        return Unknown(data, None, f"is not JSON: {str(error) or type(error).__name__}")
    if not isinstance(raw, dict):
        return Unknown(data, raw, f"is a JSON {type(raw).__name__}, not an object")
    if (v := version(raw)) is None or v > CURRENT:
        return Unknown(data, raw, f"has version {raw.get('v')!r}; this reads up to {CURRENT}")
    try:
        return make(upgrade(raw))
    except RecordError as error:
        return Unknown(data, raw, str(error))


def make(obj: dict[str, object]) -> Record:
    """The model of one current line, by its type; raises RecordError that names the first wrong field."""
    kind = obj.get("type")
    model = TYPES.get(kind) if isinstance(kind, str) else None
    if model is None:
        raise RecordError(f"has the type {kind!r}, which is none of {', '.join(TYPES)}")
    try:
        return model.model_validate(obj)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=True)[0]
        where = ".".join(str(p) for p in first["loc"] if p not in _UNION_ARMS)
        raise RecordError(f"{kind}: {where}: {first['msg']} (got {_short(first['input'])})") from None


def dump(record: Record | Unknown, *, metric: str | None = None, strict: bool = True) -> bytes:
    """One line, newline included; `strict=False` copies what was read, with only its shape promised."""
    if isinstance(record, Unknown):
        return record.line + b"\n"
    if strict and (why := fault(record, metric)):
        raise RecordError(f"{record.type}: {why}")
    body = record.model_dump(exclude_unset=True, by_alias=True)
    obj = plain({"v": CURRENT, "type": record.type, **body}, record.type)
    text = json.dumps(obj, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return text.encode() + b"\n"


_UNION_ARMS = ("int", "float", "constrained-float", "str", "Blob")  # pydantic names the arm of a union it tried


def _finite(text: str) -> float | None:
    number = float(text)
    return number if math.isfinite(number) else None


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
