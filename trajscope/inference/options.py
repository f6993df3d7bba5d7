"""Knobs that a program takes from outside: argparse, click and typer options, and the environment."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping

from trajscope.inference.seen import SIMPLE, Knob, Left, Seen, annotated, choices, last, named, plain, seen

_FLAGS = {"store_true": False, "store_false": True, "BooleanOptionalAction": None}
_CASTS = {"int": int, "float": float, "str": str}
_CLICK = {"INT": "int", "FLOAT": "float", "BOOL": "bool", "STRING": "str"}


def arguments(call: ast.Call, known: Mapping[str, object]) -> Iterator[Seen]:
    """`add_argument("--lr", ...)` of argparse and `@click.option("--lr", ...)`."""
    words = [a.value for a in call.args if isinstance(a, ast.Constant) and isinstance(a.value, str)]
    if not words:
        return
    how = "argument" if last(call) == "add_argument" else "option"
    dashed = [w for w in words if w.startswith("-")]
    typed = max(dashed or words, key=len).partition("/")[0]
    _, said = plain(named(call, "dest"), {})
    name = said if isinstance(said, str) else typed.lstrip("-").replace("-", "_")
    if not dashed:
        yield Left(name, call.lineno, "says what it works on, not how")
        return
    aliases = tuple(w for w in dashed if w.startswith("--") and "/" not in w)
    action = named(call, "action")
    word = action.value if isinstance(action, ast.Constant) else last(action)
    given = named(call, "default")
    certain, default = plain(given, known)
    if word in _FLAGS or plain(named(call, "is_flag"), {})[1] is True:
        value = default if isinstance(default, bool) else _FLAGS.get(str(word), False)
        also = aliases if word != "store_false" else ()  # `--no-x` says the opposite of x
        yield seen(name, call.lineno, how, value, has_default=value is not None, type_="bool", aliases=also)
        return
    if word not in (None, "store"):
        yield Left(name, call.lineno, "does something else than set a value")
        return
    wanted = named(call, "type")
    kind = _CLICK.get(last(wanted) or "") or SIMPLE.get(last(wanted) or "")
    if last(wanted) == "Path":
        yield Left(name, call.lineno, "a place or a file")
        return
    picks = choices(named(call, "choices"))
    if picks is None and isinstance(wanted, ast.Call) and last(wanted) == "Choice" and wanted.args:
        picks = choices(wanted.args[0])
    if kind in _CASTS and isinstance(default, str):
        default = _cast(default, str(kind))
    elif kind is None and wanted is not None and not certain and picks is None:
        yield Left(name, call.lineno, "its type is made by the program")
        return
    several = plain(named(call, "nargs"), {})[1] not in (None, 1, "?")
    shape = (
        "list" if several else kind or (None if default is not None or picks else "str" if how == "argument" else None)
    )
    found = seen(name, call.lineno, how, default, has_default=certain, type_=shape, choices=picks, aliases=aliases)
    yield found._replace(reads=reads(given)) if isinstance(found, Knob) else found


def parameters(function: ast.FunctionDef | ast.AsyncFunctionDef, known: Mapping[str, object]) -> Iterator[Seen]:
    """The parameters of a typer command: with an `Option` as default or in `Annotated`, or plain under `@command`."""
    command = any(last(d) == "command" for d in function.decorator_list)
    clicked = any(last(d) in ("option", "argument") for d in function.decorator_list)
    spec = function.args
    plainly = [*spec.posonlyargs, *spec.args]
    pairs = [*zip(plainly[len(plainly) - len(spec.defaults) :], spec.defaults, strict=True)]
    pairs += [(a, d) for a, d in zip(spec.kwonlyargs, spec.kw_defaults, strict=True) if d is not None]
    for parameter, default in pairs:
        option = _option(default) or _option_in(parameter.annotation)
        if option is None and (not command or clicked):
            continue
        name, line = parameter.arg, parameter.lineno
        if option is not None and last(option) == "Argument":
            yield Left(name, line, "says what it works on, not how")
            continue
        inside = isinstance(default, ast.Call) and option is default
        node = option.args[0] if option and option.args else named(option, "default") if option else None
        given = node if inside else default
        certain, value = plain(given, known)
        kind, picks = annotated(parameter.annotation)
        yield seen(name, line, "option", value, has_default=certain, type_=kind, choices=picks, reads=reads(given))


def environment(node: ast.expr | None) -> Knob | Left | None:
    """`os.environ.get("X", "1")` or `os.getenv`, under a cast or not; None where it is something else."""
    kind, call = None, node
    if isinstance(call, ast.Call) and last(call) in _CASTS and len(call.args) == 1 and not call.keywords:
        kind, call = last(call), call.args[0]
    if not isinstance(call, ast.Call) or not call.args:
        return None
    getter = call.func
    is_env = last(getter) == "getenv" or (
        isinstance(getter, ast.Attribute) and getter.attr == "get" and last(getter.value) == "environ"
    )
    _, name = plain(call.args[0], {})
    if not is_env or not isinstance(name, str):
        return None
    certain, value = plain(call.args[1] if len(call.args) > 1 else named(call, "default"), {})
    if not certain or value is None:
        return Left(name, call.lineno, "of the environment, without a default that is certain")
    value = _cast(value, kind) if kind else value
    return seen(name, call.lineno, "environment", value, type_=kind)


def reads(node: ast.expr | None) -> str | None:
    """The name that a default is."""
    return node.id if isinstance(node, ast.Name) else None


def _cast(value: object, kind: str) -> object:
    try:
        return _CASTS[kind](value)
    except (TypeError, ValueError, OverflowError):
        return None


def _option(node: ast.expr | None) -> ast.Call | None:
    return node if isinstance(node, ast.Call) and last(node) in ("Option", "Argument") else None


def _option_in(node: ast.expr | None) -> ast.Call | None:
    """The option inside `Annotated[float, typer.Option(...)]`."""
    if isinstance(node, ast.Subscript) and last(node.value) == "Annotated" and isinstance(node.slice, ast.Tuple):
        return next((found for x in node.slice.elts[1:] if (found := _option(x)) is not None), None)
    return None
