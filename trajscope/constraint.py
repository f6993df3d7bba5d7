"""Rules between knobs, such as `d_model % n_head == 0`: parsed into closures, never evaluated as Python.

Knows nothing of menus beyond the names of their knobs.
"""

from __future__ import annotations

import ast
import math
import operator
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from trajscope.errors import MenuError

MAX_POWER = 64  # exponent a rule may raise to
MAX_RULE = 1000  # letters of a rule
MAX_BITS = 4096  # of a whole number that a rule may compute


@dataclass(frozen=True, slots=True)
class Constraint:
    """A rule between knobs, parsed, never evaluated as Python."""

    name: str
    rule: str
    knobs: frozenset[str]
    holds: Callable[[Mapping[str, Any]], bool] = field(compare=False)  # what the rule says, and no two are one object


_ALLOWED = "allowed are knobs, numbers, words, + - * / // % **, comparisons, and, or, not"
_BINARY: dict[type, Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
}
_COMPARE: dict[type, Callable[[Any, Any], Any]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}


def constraint(name: str, rule: str, knobs: frozenset[str], source: str = "menu") -> Constraint:
    """A constraint from its text: names of knobs, numbers, words, arithmetic, comparisons, and/or/not; nothing else."""
    if len(rule) > MAX_RULE:
        raise MenuError(f"{source}: {name}: a rule of {len(rule):,} letters, over {MAX_RULE:,}; split it")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what Python would advise its programmers
            tree = ast.parse(rule.strip(), mode="eval")
        holds = _build(tree.body)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as e:
        why = getattr(e, "msg", e)
        raise MenuError(f"{source}: {name}: {rule[:80]!r} is not a rule ({why}); {_ALLOWED}") from None
    names = frozenset(n.id for n in ast.walk(tree) if isinstance(n, ast.Name))
    if missing := sorted(names - knobs):
        raise MenuError(f"{source}: {name}: {missing[0]} is not a knob of this menu; correct or drop the rule")
    return Constraint(name, rule, names, lambda config: bool(holds(config)))


def constraints(raw: object, knobs: frozenset[str], source: str = "menu") -> tuple[Constraint, ...]:
    """The constraints of a menu: a list of rules, each a text or an object with `id` and `rule`."""
    if raw is not None and not isinstance(raw, list):
        raise MenuError(f'{source}: constraints must be a list of rules, such as ["a % b == 0"]')
    out = []
    for i, item in enumerate(raw or (), 1):
        spec = item if isinstance(item, dict) else {"rule": item}
        name = str(spec.get("id") or f"constraint {i}")
        name = name if name.isprintable() else repr(name)
        if not isinstance(spec.get("rule"), str):
            raise MenuError(f'{source}: {name}: has no rule; write one, such as "a % b == 0"')
        out.append(constraint(name, spec["rule"], knobs, source))
    return tuple(out)


def _build(node: ast.expr) -> Callable[[Mapping[str, Any]], Any]:
    if isinstance(node, ast.Constant) and isinstance(node.value, int | float | str | bool):
        value = node.value
        return lambda _: value
    if isinstance(node, ast.Name):
        name = node.id
        return lambda c: c[name]
    if isinstance(node, ast.BinOp):
        left, right = _build(node.left), _build(node.right)
        if isinstance(node.op, ast.Pow):
            return lambda c: _power(left(c), right(c))
        if type(node.op) in _BINARY:
            do = _BINARY[type(node.op)]
            return lambda c: do(_numeric(left(c)), _numeric(right(c)))
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not | ast.USub):
        inner = _build(node.operand)
        return (lambda c: not inner(c)) if isinstance(node.op, ast.Not) else (lambda c: -_numeric(inner(c)))
    if isinstance(node, ast.BoolOp):
        parts = [_build(v) for v in node.values]
        every = isinstance(node.op, ast.And)
        return lambda c: (all if every else any)(p(c) for p in parts)
    if isinstance(node, ast.Compare) and all(type(op) in _COMPARE for op in node.ops):
        terms = [_build(v) for v in (node.left, *node.comparators)]
        tests = [_COMPARE[type(op)] for op in node.ops]
        return lambda c: all(t(a(c), b(c)) for t, a, b in zip(tests, terms, terms[1:], strict=False))
    raise ValueError(f"{type(node).__name__} is not allowed in a rule")


def _numeric(x: Any) -> Any:
    if not _is_number(x):
        raise TypeError(f"{x!r} is not a number")  # "ab" % n and "ab" * 10**9 are Python, not arithmetic
    return x


def _power(a: Any, b: Any) -> Any:
    a, b = _numeric(a), _numeric(b)
    if abs(b) > MAX_POWER or (isinstance(a, int) and a.bit_length() * abs(b) > MAX_BITS):
        raise ValueError(f"powers go to {MAX_POWER} and {MAX_BITS} bits")
    if a < 0 and not float(b).is_integer():
        raise ValueError(f"{a} has no power of {b}")
    return a**b


def _is_number(x: object) -> bool:
    return isinstance(x, int | float) and not isinstance(x, bool) and (isinstance(x, int) or math.isfinite(x))
