"""What the tests of JSON lines share: the command in this process, and every schema with what holds a line to it."""

from __future__ import annotations

import gc
import json
import sys
from collections.abc import Iterator
from functools import cache
from typing import Any, NamedTuple

import pytest
from jsonschema import Draft202012Validator

from trajscope import cli
from trajscope.cli import about


class Answer(NamedTuple):
    """How the command ended, its lines, and what it said besides."""

    code: int
    lines: list[Any]
    said: str


@cache
def validators() -> dict[str, Draft202012Validator]:
    """One for every schema, those of our guests among them; none may be missing."""
    return {name: Draft202012Validator(body) for name, body in about.known(pytest.fail).items()}


def typed(words: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Answer:
    """The command as somebody types it, but in this process. What it prints must be JSON lines."""
    monkeypatch.setattr(sys, "argv", ["trajscope", *words])
    capsys.readouterr()
    try:
        with pytest.raises(SystemExit) as ended:
            cli.main()
    finally:
        gc.enable()  # a rail goes without it
    out, err = capsys.readouterr()
    lines = [json.loads(x, parse_constant=pytest.fail) for x in out.splitlines()]
    return Answer(int(ended.value.code or 0), lines, err)


def holds(name: str, line: Any) -> None:
    """A line is of its schema, and with anything wrong in it is not."""
    asked = validators()[name]
    asked.validate(line)
    wrong = list(spoilt(line, asked.schema))
    assert len(wrong) > 4
    assert [what for what, one in wrong if asked.is_valid(one)] == []


def spoilt(line: Any, schema: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """The line with one thing wrong, and what: a name more in each object, each name gone, each value of another kind.

    What the schema leaves free is left alone, and so are names that are data; a test says which these are.
    """
    for path, node, part in _nodes(line, schema, schema, ()):
        where = "/".join(path)
        if isinstance(node, dict):
            if part.get("additionalProperties", True) is not True:
                yield f"{where}: one more", _with(line, (*path, "unheard_of"), [[[]]])
            for name in part.get("required", ()):
                yield f"{where}/{name}: gone", _with(line, (*path, name))
        if path:
            yield f"{where}: another kind", _with(line, path, [[[]]])


def free(schema: dict[str, Any]) -> tuple[set[str], set[str]]:
    """Where a schema takes anything: names of values, and objects to which any name may be added."""
    anything: set[str] = set()
    opened: set[str] = set()

    def walk(part: Any, name: str) -> None:
        part = part if part is not True else {}
        if not part.keys() - {"description", "title"}:
            anything.add(name)
        if part.get("type") == "object" and part.get("additionalProperties", True) is True:
            opened.add(name)
        for inner, what in part.get("properties", {}).items():
            walk(what, inner)
        for one in (*part.get("anyOf", ()), *part.get("oneOf", ())):
            walk(one, name)
        for key in ("items", "additionalProperties"):
            if isinstance(part.get(key), dict):
                walk(part[key], name)

    for part in (schema, *schema.get("$defs", {}).values()):
        walk({"$ref": ""} | part, part.get("title", ""))
    return anything, opened


def _nodes(
    node: Any, part: dict[str, Any], root: dict[str, Any], path: tuple[str, ...]
) -> Iterator[tuple[tuple[str, ...], Any, dict[str, Any]]]:
    """Every value with its path and the part of the schema that it is of, but for what is free."""
    part = _of(node, part, root)
    if not part.keys() - {"description", "title"}:
        return
    yield path, node, part
    if isinstance(node, dict):
        for name, value in node.items():
            inner = part.get("properties", {}).get(name, part.get("additionalProperties"))
            if isinstance(inner, dict):
                yield from _nodes(value, inner, root, (*path, name))
    elif isinstance(node, list) and node and isinstance(part.get("items"), dict):
        yield from _nodes(node[0], part["items"], root, (*path, "0"))


def _of(node: Any, part: dict[str, Any], root: dict[str, Any]) -> dict[str, Any]:
    """The part itself, behind what refers to it and out of those that it may be."""
    while True:
        if "$ref" in part:
            found: Any = root
            for name in part["$ref"].removeprefix("#/").split("/"):
                found = found[name]
            part = found
        elif some := [*part.get("anyOf", ()), *part.get("oneOf", ())]:
            fits = (one for one in some if Draft202012Validator({**one, "$defs": root.get("$defs", {})}).is_valid(node))
            part = next(fits)
        else:
            return part


_GONE = object()


def _with(line: Any, path: tuple[str, ...], value: Any = _GONE) -> Any:
    copy = json.loads(json.dumps(line))
    node = copy
    for name in path[:-1]:
        node = node[int(name)] if isinstance(node, list) else node[name]
    last: Any = int(path[-1]) if isinstance(node, list) else path[-1]
    if value is _GONE:
        del node[last]
    else:
        node[last] = value
    return copy
