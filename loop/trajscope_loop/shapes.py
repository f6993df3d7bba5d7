"""Shapes: the JSON Schema of what the verbs of the loop print, made from the types of their lines."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from msgspec import defstruct, json

SCHEMA: Final = 1


def fields(name: str, parts: Mapping[str, Any]) -> Any:
    """A type that is spelt as an object of these names: what the schema of a named tuple's `_asdict` is made from."""
    return defstruct(name, list(parts.items()), forbid_unknown_fields=True)


def of(title: str, *kinds: Any) -> dict[str, Any]:
    """The schema of a line that is of one of these types: they say every name, and there are no others."""
    found, named = json.schema_components(kinds, ref_template="#/$defs/{name}")
    for part in _objects([found, named]):
        part["additionalProperties"] = False
    body = found[0] if len(found) == 1 else {"oneOf": list(found)}
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": title, **body, "$defs": named}


def _objects(part: Any) -> Iterator[dict[str, Any]]:
    """Every object whose names are known, however deep."""
    if isinstance(part, dict):
        if isinstance(part.get("properties"), dict) and part.get("type") == "object":
            yield part
        part = list(part.values())
    for inner in part if isinstance(part, list | tuple) else ():
        yield from _objects(inner)
