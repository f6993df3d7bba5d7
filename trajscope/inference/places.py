"""Knobs that stand in the file itself: module constants, configurations, fields of dataclasses and their kin."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping

from trajscope.inference.options import environment, reads
from trajscope.inference.seen import Knob, Left, Seen, annotated, last, named, plain, seen

_UPPER = re.compile(r"[A-Z][A-Z0-9_]*\Z")
_CONFIG = re.compile(
    r"(^|_)(cfg|config|configs|conf|defaults?|hparams?|hyperparams?|hyperparameters?|params?)($|_)", re.IGNORECASE
)
_DECORATORS = frozenset("dataclass define attrs attributes s frozen mutable pydantic_dataclass".split())
_BASES = frozenset("BaseModel BaseSettings BaseConfig Struct NamedTuple SQLModel PretrainedConfig".split())
_FIELDS = frozenset("field Field attrib ib".split())
_CALLED = {"compile": "a regular expression", "TypeVar": "a type variable", "ParamSpec": "a type variable"}
MOST_DEPTH = 4  # of configurations inside configurations


def constants(tree: ast.Module, known: Mapping[str, object], *, lower: bool) -> Iterator[Seen]:
    """The constants of the module: names in capitals, all names where the file reads its own `globals()`."""
    yield from _conditional(tree)
    found: dict[str, tuple[int, ast.expr, ast.expr | None]] = {}
    for node in tree.body:
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.value is not None:
            found[node.target.id] = node.lineno, node.value, node.annotation
        elif isinstance(node, ast.Assign):
            found |= {t.id: (node.lineno, node.value, None) for t in node.targets if isinstance(t, ast.Name)}
    for name, (line, value, annotation) in found.items():
        if config := _configuration(name, value):
            yield from _entries(config, "", line, known)
        elif _UPPER.match(name) or (lower and not name.startswith("_")):
            yield _constant(name, line, value, annotation, known)
        elif name == "__all__":
            yield Left(name, line, "what the module exports")


def _conditional(tree: ast.Module) -> Iterator[Left]:
    """Names in capitals that are bound under a condition, in a loop or in a `try`."""
    todo: list[ast.stmt] = [n for n in tree.body if isinstance(n, ast.If | ast.Try | ast.For | ast.While | ast.With)]
    while todo:
        node = todo.pop()
        if isinstance(node, ast.Assign):
            names = [t.id for t in node.targets if isinstance(t, ast.Name) and _UPPER.match(t.id)]
            yield from (Left(name, node.lineno, "is bound under a condition") for name in names)
        elif not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            todo += [n for n in ast.iter_child_nodes(node) if isinstance(n, ast.stmt)]


def _constant(name: str, line: int, value: ast.expr, annotation: ast.expr | None, known: Mapping[str, object]) -> Seen:
    outside = environment(value)
    if isinstance(outside, Left):
        return Left(name, line, outside.why)
    if isinstance(outside, Knob):
        return outside._replace(line=line, aliases=(*outside.aliases, name))
    kind, picks = annotated(annotation)
    certain, plainly = plain(value, {})
    if certain and name in known:
        return seen(name, line, "constant", plainly, type_=kind, choices=picks)
    if certain:
        return Left(name, line, "is bound in more than one way, so its value is not certain")
    others = sorted({n.id for n in ast.walk(value) if isinstance(n, ast.Name) and n.id in known and n.id != name})
    if others:
        return Left(name, line, f"is computed from {', '.join(others[:4])}{', ...' * (len(others) > 4)}")
    if isinstance(value, ast.Call):
        return Left(
            name, line, _CALLED.get(last(value) or "", f"is made by a call ({last(value) or 'of an expression'})")
        )
    return Left(name, line, "is an expression whose value only running it would tell")


def fields(node: ast.ClassDef, known: Mapping[str, object]) -> Iterator[Seen]:
    """The fields with a default of a dataclass, an attrs class, a pydantic model and their like."""
    if not any(last(d) in _DECORATORS for d in node.decorator_list) and not any(last(b) in _BASES for b in node.bases):
        return
    for field in node.body:
        if not isinstance(field, ast.AnnAssign) or not isinstance(field.target, ast.Name):
            continue
        name, value = field.target.id, field.value
        outer = field.annotation.value if isinstance(field.annotation, ast.Subscript) else field.annotation
        if last(outer) == "ClassVar" or name.startswith("_"):
            continue
        if isinstance(value, ast.Call) and last(value) in _FIELDS:
            given = value.args[0] if value.args and last(value) == "Field" else named(value, "default")
            factory = named(value, "default_factory") or named(value, "factory")
            value = given if given is not None else factory.body if isinstance(factory, ast.Lambda) else None
        if value is None:
            yield Left(name, field.lineno, "has no default")
            continue
        outside = environment(value)
        if outside is not None:
            yield outside if isinstance(outside, Left) else outside._replace(aliases=(*outside.aliases, name))
            continue
        certain, plainly = plain(value, known)
        kind, picks = annotated(field.annotation)
        if not certain:
            yield Left(name, field.lineno, "is an expression whose value only running it would tell")
        else:
            yield seen(name, field.lineno, "field", plainly, type_=kind, choices=picks, reads=reads(value))


def _configuration(name: str, value: ast.expr) -> ast.Dict | ast.Call | None:
    """The dictionary of a name that says it is a configuration."""
    if not _CONFIG.search(name):
        return None
    return _entries_of(value)


def _entries_of(value: ast.expr) -> ast.Dict | ast.Call | None:
    if isinstance(value, ast.Call):
        keyed = last(value) in ("dict", "SimpleNamespace", "Namespace") and not value.args
        return value if keyed and value.keywords and all(k.arg for k in value.keywords) else None
    keys = value.keys if isinstance(value, ast.Dict) else []
    words = keys and all(isinstance(k, ast.Constant) and isinstance(k.value, str) for k in keys)
    return value if isinstance(value, ast.Dict) and words else None


def _entries(
    node: ast.Dict | ast.Call, above: str, line: int, known: Mapping[str, object], depth: int = 0
) -> Iterator[Seen]:
    """The entries of a configuration; those of one inside it under `outer.inner`."""
    if isinstance(node, ast.Dict):
        pairs = [(str(k.value), v) for k, v in zip(node.keys, node.values, strict=True) if isinstance(k, ast.Constant)]
    else:
        pairs = [(str(k.arg), k.value) for k in node.keywords]
    for key, value in pairs:
        name, at = f"{above}{key}", value.lineno
        inner = _entries_of(value)
        certain, plainly = plain(value, known)
        if inner is not None and depth < MOST_DEPTH:
            yield from _entries(inner, f"{name}.", line, known, depth + 1)
        elif certain:
            yield seen(name, at, "config", plainly)
        else:
            yield Left(name, at, "is an expression whose value only running it would tell")
