"""Shape: the JSON Schema of what programs read, put together from a few parts. Knows nothing of what it describes.

Every object is closed and every name in it is there: what may be unknown is null, never left out.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from trajscope.verdict import Level

DRAFT = "https://json-schema.org/draft/2020-12/schema"
Shape = dict[str, Any]

TEXT: Shape = {"type": "string"}
WHOLE: Shape = {"type": "integer"}
COUNT: Shape = {"type": "integer", "minimum": 0}
NUMBER: Shape = {"type": "number"}
TRUTH: Shape = {"type": "boolean"}
SHA256: Shape = {"type": "string", "pattern": "^[0-9a-f]{64}$"}


def document(title: str, parts: Mapping[str, Shape], about: str | None = None, *, number: int = 1) -> Shape:
    """The schema of one JSON line; `number` is what stands under `schema` in it."""
    return titled(title, record({"schema": {"const": number}, **parts}), about)


def titled(title: str, body: Shape, about: str | None = None) -> Shape:
    """A schema that stands alone."""
    return {"$schema": DRAFT, "title": title, **({"description": about} if about else {}), **body}


def record(parts: Mapping[str, Shape], *, maybe: Iterable[str] = ()) -> Shape:
    """An object of these names and no others; those in `maybe` need not be there."""
    left = set(maybe)
    required = [name for name in parts if name not in left]
    return {"type": "object", "properties": dict(parts), "required": required, "additionalProperties": False}


def listed(item: Shape) -> Shape:
    """A list of these."""
    return {"type": "array", "items": item}


def mapped(value: Shape, keys: Iterable[str] = ()) -> Shape:
    """An object whose names are part of the data; where they are known, they are among `keys`."""
    named = {"propertyNames": {"enum": list(keys)}} if keys else {}
    return {"type": "object", "additionalProperties": value, **named}


def one_of(words: Iterable[str]) -> Shape:
    """One of these words."""
    return {"enum": list(words)}


def null_or(part: Shape) -> Shape:
    """This, or null where it cannot be known."""
    kind = part.get("type")
    if isinstance(kind, str) and "enum" not in part:
        return {**part, "type": [kind, "null"]}
    return {"anyOf": [part, {"type": "null"}]}


def told(part: Shape, about: str) -> Shape:
    """This, and what its name alone does not say."""
    return {**part, "description": about}


LEVEL = one_of(level.name for level in Level)
VERDICT = record(
    {"rule": TEXT, "level": LEVEL, "reason": TEXT, "evidence": told(listed(COUNT), "Trials (seq) that show it.")}
)
