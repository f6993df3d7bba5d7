"""The constants of a Python file, read without running it, so that a drift in a file can be said in knobs.

Knows only what is certain: a name that is bound in any other way than by plain values at module level is left out.
"""

from __future__ import annotations

import ast
import operator
import re
from collections.abc import Callable, Mapping
from copy import deepcopy
from functools import lru_cache
from typing import Any

from trajscope.pair import MAX_BITS, canon

_TWO: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.Pow: operator.pow,
    ast.LShift: operator.lshift,
    ast.RShift: operator.rshift,
}
_ONE: dict[type[ast.unaryop], Callable[[Any], Any]] = {ast.USub: operator.neg, ast.UAdd: operator.pos}
_SCOPES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)
_GLOBAL = re.compile(rb"\bglobal\b")
_ENCODED = re.compile(rb"(?:[^\n]*\n)?[^\n]*coding")  # in another encoding the word may be other bytes
_LOOPS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)


class _UnclearError(Exception):
    """The value of an expression is not certain without running it."""


def constants(source: str | bytes) -> dict[str, object]:
    """The module-level constants of Python source: numbers, words, bools, None, lists and tuples of them, arithmetic.

    A file that is no Python has none. The last of several plain bindings counts; after a binding under a condition, in
    a loop, by an import or a `global` statement the name is uncertain, and missing here.
    """
    return deepcopy(_constants(source))  # a list in it is the caller's own


def constants_of(tree: ast.Module, source: str | bytes) -> dict[str, object]:
    """The same of source that was parsed already."""
    known: dict[str, object] = {}
    always = _globals(tree) if _rebinds(source) else set()
    lost = set(always)
    for node in tree.body:
        bound = _plain(node)
        if bound is None:
            taken = _bound(node)
            for name in known.keys() if "*" in taken else taken:
                lost.add(name)  # whatever follows: this binding may come again
            continue
        found, value = bound
        for name in found:
            try:
                known[name] = _value(value, known, lost)
                lost.discard(name)
            except (_UnclearError, ArithmeticError, TypeError, ValueError, RecursionError):
                lost.add(name)
    lost |= always
    return {k: v for k, v in known.items() if k not in lost and not k.startswith("__")}


@lru_cache(maxsize=32)  # a loop asks of one candidate, seed by seed, and parsing it takes milliseconds
def _constants(source: str | bytes) -> dict[str, object]:
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return {}
    return constants_of(tree, source)


def literal(node: ast.expr) -> object:
    """The value of an expression that no name goes into; ValueError where it is not certain without running it."""
    try:
        return _value(node, {}, set())
    except (_UnclearError, ArithmeticError, TypeError, ValueError, RecursionError):
        raise ValueError("not certain without running it") from None


def moved(before: Mapping[str, object], after: Mapping[str, object]) -> list[tuple[str, object, object]]:
    """The constants that two versions of a file give other values: name, before, after."""
    return [(k, v, after[k]) for k, v in before.items() if k in after and canon(k, v).text != canon(k, after[k]).text]


def _plain(node: ast.stmt) -> tuple[list[str], ast.expr] | None:
    """The names and the value of a statement that only gives names a value."""
    if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.value is not None:
        return [node.target.id], node.value
    if isinstance(node, ast.Assign) and all(isinstance(t, ast.Name) for t in node.targets):
        inner = _bound(ast.Expr(node.value))  # a walrus inside binds too
        return None if inner else ([t.id for t in node.targets if isinstance(t, ast.Name)], node.value)
    return None


def _value(node: ast.expr, known: Mapping[str, object], lost: set[str]) -> object:
    if isinstance(node, ast.Constant) and (node.value is None or isinstance(node.value, bool | int | float | str)):
        return node.value
    if isinstance(node, ast.Name) and node.id in known and node.id not in lost:
        return known[node.id]
    if isinstance(node, ast.Tuple | ast.List):
        return [_value(x, known, lost) for x in node.elts]
    if isinstance(node, ast.Dict) and all(isinstance(k, ast.Constant) and isinstance(k.value, str) for k in node.keys):
        pairs = zip(node.keys, node.values, strict=True)
        return {str(k.value): _value(v, known, lost) for k, v in pairs if isinstance(k, ast.Constant)}
    if isinstance(node, ast.UnaryOp) and type(node.op) in _ONE:
        return _ONE[type(node.op)](_number(node.operand, known, lost))
    if isinstance(node, ast.BinOp) and type(node.op) in _TWO:
        left, right = _number(node.left, known, lost), _number(node.right, known, lost)
        if isinstance(node.op, ast.Pow | ast.LShift) and not _small(left, right):
            raise _UnclearError
        done = _TWO[type(node.op)](left, right)
        if isinstance(done, int | float) and (isinstance(done, float) or done.bit_length() <= MAX_BITS):
            return done
    raise _UnclearError


def _number(node: ast.expr, known: Mapping[str, object], lost: set[str]) -> int | float:
    found = _value(node, known, lost)
    if isinstance(found, bool) or not isinstance(found, int | float):
        raise _UnclearError
    return found


def _small(left: float, right: float) -> bool:
    """Whether a power or shift stays a number that one can hold."""
    if isinstance(left, int) and isinstance(right, int):
        return abs(right) <= MAX_BITS and left.bit_length() * max(1, abs(right)) <= 2 * MAX_BITS
    return True


def _bound(node: ast.AST) -> set[str]:
    """Every name that a statement may bind in the module, `*` for an import of everything."""
    out: set[str] = set()
    todo: list[ast.AST] = [node]
    while todo:
        at = todo.pop()
        if isinstance(at, ast.Name) and not isinstance(at.ctx, ast.Load):
            out.add(at.id)
        elif isinstance(at, ast.alias):
            out.add((at.asname or at.name).partition(".")[0])
        elif isinstance(at, ast.ExceptHandler | ast.MatchAs | ast.MatchStar) and at.name:
            out.add(at.name)
        if isinstance(at, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            out.add(at.name)
        if isinstance(at, _LOOPS):  # their own names stay inside, a walrus does not
            out |= {
                n.target.id for n in ast.walk(at) if isinstance(n, ast.NamedExpr) and isinstance(n.target, ast.Name)
            }
        elif not isinstance(at, _SCOPES):
            todo += ast.iter_child_nodes(at)
    return out


def _rebinds(source: str | bytes) -> bool:
    """Whether the statement may stand anywhere; to walk a whole tree for it takes longer than all else."""
    data = source.encode("utf-8", "replace") if isinstance(source, str) else source
    return _GLOBAL.search(data) is not None or _ENCODED.match(data) is not None


def _globals(tree: ast.Module) -> set[str]:
    """The names that some function may rebind."""
    return {name for node in ast.walk(tree) if isinstance(node, ast.Global) for name in node.names}
