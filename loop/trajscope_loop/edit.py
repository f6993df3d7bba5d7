"""Changes of source: upper-case constants set in place, everything else byte for byte as it was.

Knows no menu. A constant that is missing, bound twice or computed is an error: what cannot be set surely is not set.
"""

from __future__ import annotations

import ast
import math
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple

from trajscope.integrity import constants
from trajscope_loop.errors import DomainError

_BOM = b"\xef\xbb\xbf"


def set_constants(source: bytes, values: Mapping[str, object], name: str = "the file") -> bytes:
    """The source with these module-level constants set; the other bytes are the same.

    The value that stands must be a literal, and the only one that the module gives the name.
    """
    bom = _BOM if source.startswith(_BOM) else b""
    body = source[len(bom) :]
    try:
        module = _parsed(body)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        where = f"{name}:{error.lineno}" if isinstance(error, SyntaxError) else name
        raise DomainError(f"{where}: is no Python in UTF-8 ({getattr(error, 'msg', error)}); correct it") from None
    starts = [0]
    for line in body.splitlines(keepends=True):  # of bytes: only what ends a line for Python too
        starts.append(starts[-1] + len(line))
    spans = []
    for constant, value in values.items():
        node = _literal(module, constant, name)
        assert node.end_lineno is not None
        assert node.end_col_offset is not None
        first, last = starts[node.lineno - 1] + node.col_offset, starts[node.end_lineno - 1] + node.end_col_offset
        if not _same(ast.literal_eval(node), value):
            spans.append((first, last, spelt(value, constant)))
    for first, last, text in sorted(spans, reverse=True):
        body = body[:first] + text.encode() + body[last:]
    found = constants(body)
    if wrong := next((c for c, v in values.items() if c not in found or not _same(found[c], v)), None):
        raise DomainError(f"{name}: {wrong} does not read as {values[wrong]!r} after it was set; set it plainly, once")
    return bom + body


def spelt(value: object, constant: str = "a constant") -> str:
    """A value as Python source."""
    if isinstance(value, float) and not math.isfinite(value):
        raise DomainError(f"{constant} cannot be {value!r}; give a finite number")
    if value is None or isinstance(value, bool | int | float | str):
        return repr(value)
    if isinstance(value, list | tuple):
        inner = ", ".join(spelt(v, constant) for v in value)
        return f"[{inner}]" if isinstance(value, list) else f"({inner}{',' * (len(value) == 1)})"
    raise DomainError(f"{constant} cannot be a {type(value).__name__}; give a number, a text, a bool or a list of them")


class _Module(NamedTuple):
    body: list[ast.stmt]
    binding: dict[str, list[ast.AST]]  # the nodes that give a name a value, or may


@lru_cache(maxsize=8)  # of one parent many candidates are made, and to parse and walk it takes milliseconds
def _parsed(body: bytes) -> _Module:
    module = ast.parse(body.decode("utf-8"))
    binding: dict[str, list[ast.AST]] = {}
    for node in ast.walk(module):
        for name in _bound(node):
            binding.setdefault(name, []).append(node)
    return _Module(module.body, binding)


def _literal(module: _Module, constant: str, name: str) -> ast.expr:
    """The one literal that the module gives the name."""
    bound = module.binding.get(constant, [])
    plain = [value for s in module.body if (value := _plain(s, constant)) is not None]
    if not bound:
        raise DomainError(f"{name}: sets no constant {constant}; write `{constant} = ...` at its top level")
    if len(bound) > 1:
        lines = ", ".join(str(getattr(n, "lineno", "?")) for n in bound)
        raise DomainError(f"{name}: binds {constant} more than once (lines {lines}); set it once")
    if not plain:
        line = getattr(bound[0], "lineno", "?")
        raise DomainError(f"{name}:{line}: {constant} is not set by a plain `{constant} = ...` at the top level")
    value = plain[0]
    try:
        ast.literal_eval(value)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        shown = ast.unparse(value)[:40]
        raise DomainError(f"{name}:{value.lineno}: {constant} is computed ({shown}); write the value itself") from None
    return value


def _plain(node: ast.stmt, constant: str) -> ast.expr | None:
    """The value of a statement that does nothing but give the name one."""
    if isinstance(node, ast.Assign) and len(node.targets) == 1:
        target: ast.expr = node.targets[0]
    elif isinstance(node, ast.AnnAssign):
        target = node.target
    else:
        return None
    return node.value if isinstance(target, ast.Name) and target.id == constant else None


def _bound(node: ast.AST) -> Sequence[str]:
    """The names that a node gives a value, or may, in whatever scope: one of the same name elsewhere misleads."""
    if isinstance(node, ast.Name):
        return () if isinstance(node.ctx, ast.Load) else (node.id,)
    if isinstance(node, ast.arg):
        return (node.arg,)
    if isinstance(node, ast.alias):
        return ((node.asname or node.name).partition(".")[0],)
    if isinstance(node, ast.Global | ast.Nonlocal):
        return node.names
    name = getattr(node, "name", None)
    return (name,) if isinstance(name, str) else ()


def _same(a: object, b: object) -> bool:
    """Whether two values are one, a bool never being a number and 1 being 1.0."""
    if isinstance(a, list | tuple) and isinstance(b, list | tuple):
        return len(a) == len(b) and all(map(_same, a, b))
    return a == b and isinstance(a, bool) == isinstance(b, bool)
