"""What an edit changed between two versions of a source file: constants, literals, else symbols that read otherwise.

Python is read as a syntax tree, so that comments and layout change nothing; other languages line by line, without their
spaces. Nothing is run. Where a literal of one name stands in several places it is told by its symbol.
"""

from __future__ import annotations

import ast
import hashlib
import re
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from functools import cache, lru_cache
from typing import NamedTuple

from trajscope.literals import constants, constants_of
from trajscope.recover.numbers import VALUE, value

MOST_SYMBOLS = 6  # that are named; an edit of more is one of the whole file
MOST_LITERALS = 4  # of one symbol; more than that is a rewrite
DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
_UPPER = re.compile(r"[A-Z][A-Z0-9_]*\Z")
_SPACE = re.compile(r"\s+")
# `NAME = 3`, `name: 3`, `#define NAME 3`, `constexpr int NAME = 3;`, at the beginning of a line without its spaces.
_LINE = re.compile(
    rf"(?:#define\s+(?P<defined>\w+)\s+|(?:[\w:<>*&]+\s+){{0,4}}[\"']?(?P<name>[A-Za-z_][\w.-]*)[\"']?\s*(?::[\w<>]+\s*)?[:=]\s*)"
    rf"(?P<value>{VALUE}|\"[^\"]*\"|'[^']*'|true|false|True|False)\s*[fFuUlL]*\s*[;,]?\s*(?://.*|\#.*)?\Z"
)


class Edit(NamedTuple):
    """One change of an edited file."""

    name: str
    value: object
    how: str  # constant, literal or code


class _Literal(NamedTuple):
    name: str
    node: ast.expr


def edits(before: bytes | None, after: bytes | None, path: str) -> list[Edit]:
    """The changes from one version to the other, none where both are the same code; None is a file not there."""
    if before == after:
        return []
    if path.endswith((".py", ".pyi")) and before is not None and after is not None:
        old, new = _tree(before), _tree(after)
        if old is not None and new is not None:
            return _of_python(old, new, before, after, path)
    return _of_lines(before, after, path)


# --- Python ---------------------------------------------------------------------------------------------------------


@lru_cache(
    maxsize=8
)  # what a commit leaves is mostly what the next one begins with, and parsing is all that takes long
def _tree(source: bytes) -> ast.Module | None:
    """The syntax tree; None for what is no Python."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of odd escapes in other people's code
            return ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def _of_python(old: ast.Module, new: ast.Module, before: bytes, after: bytes, path: str) -> list[Edit]:
    try:
        left = _apart(old.body, new.body, _rows(before), _rows(after))
        was, now = (dict(_symbols(body)) for body in left)
        moved = [name for name in dict.fromkeys((*was, *now)) if _dump(was.get(name)) != _dump(now.get(name))]
        if not moved:
            return []
        known = constants_of(new, after)
        often = cache(lambda: _often(new))
        out: list[Edit] = []
        symbols = 0
        for name in moved:
            found = _changed(name, was.get(name), now.get(name), known, often)
            symbols += any(e.how == "code" for e in found)
            out += found
        if symbols > MOST_SYMBOLS:
            rest = [e for e in out if e.how != "code"]
            return [*rest, Edit(f"code:{path}", _hash(_dump(new.body)), "code")]
        return out
    except (RecursionError, MemoryError):
        return [Edit(f"code:{path}", hashlib.sha256(after).hexdigest()[:16], "code")]


def _rows(source: bytes) -> list[bytes]:
    return source.replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")  # as Python counts them


def _apart(
    old: list[ast.stmt], new: list[ast.stmt], before: list[bytes], after: list[bytes]
) -> tuple[list[ast.stmt], list[ast.stmt]]:
    """The statements that do not stand word for word in the other version; of one class only its own."""
    texts = [[_written(node, rows) for node in body] for body, rows in ((old, before), (new, after))]
    shared = Counter(texts[0]) & Counter(texts[1])
    left: list[list[ast.stmt]] = []
    for body, said in zip((old, new), texts, strict=True):
        spare = shared.copy()
        left.append([])
        for node, text in zip(body, said, strict=True):
            if spare[text] > 0:
                spare[text] -= 1
            elif not _is_text(node):  # a docstring, or a text that nobody uses
                left[-1].append(node)
    classes = [{n.name: n for n in body if isinstance(n, ast.ClassDef)} for body in left]
    for name in classes[0].keys() & classes[1].keys():
        a, b = classes[0][name], classes[1][name]
        bodies = _apart(a.body, b.body, before, after)
        for side, node, body in zip(left, (a, b), bodies, strict=True):
            side[side.index(node)] = ast.ClassDef(node.name, node.bases, node.keywords, body, node.decorator_list)
    return left[0], left[1]


def _written(node: ast.stmt, rows: list[bytes]) -> bytes:
    """The lines of a statement."""
    first = min([node.lineno, *(x.lineno for x in getattr(node, "decorator_list", ()))])
    return b"\n".join(rows[first - 1 : node.end_lineno])


def _is_text(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)


def _symbols(body: list[ast.stmt]) -> Iterator[tuple[str, list[ast.stmt]]]:
    """Functions, methods, constants, and the rest of every class and of the module, by their dotted names."""
    out: dict[str, list[ast.stmt]] = {}
    todo: list[tuple[str, list[ast.stmt]]] = [("", body)]
    while todo:
        under, part = todo.pop()
        for node in part:
            name = under[:-1] or "module"
            if isinstance(node, ast.ClassDef):
                todo.append((f"{under}{node.name}.", node.body))
                node = ast.ClassDef(node.name, node.bases, node.keywords, [ast.Pass()], node.decorator_list)  # noqa: PLW2901  # its body is on its own
                name = f"{under}{node.name}"
            elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                name = f"{under}{node.name}"
            elif (target := _target(node)) is not None:
                name = f"{under}{target}"
            out.setdefault(name, []).append(node)
    yield from out.items()


def _target(node: ast.stmt) -> str | None:
    """The one name that a statement gives a value."""
    if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
        return node.target.id
    if isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name):
        return node.targets[0].id
    return None


def _changed(
    name: str,
    was: list[ast.stmt] | None,
    now: list[ast.stmt] | None,
    known: dict[str, object],
    often: Callable[[], set[str]],
) -> list[Edit]:
    """What became of one symbol."""
    bare = name.rpartition(".")[2]
    if name in known and now is not None and (was is not None or _UPPER.match(bare)):
        return [Edit(name, known[name], "constant")]
    if now is None:
        return [
            Edit(name if _UPPER.match(bare) else f"code:{name}", None, "constant" if _UPPER.match(bare) else "code")
        ]
    literals = None if was is None else _literals(was, now, name)
    if literals is None:
        return [Edit(f"code:{name}", _hash(_dump(now)), "code")]
    found: dict[str, object] = {}
    for literal in literals:
        word = literal.name if literal.name in (name, bare) or literal.name not in often() else f"{name}.{literal.name}"
        new = _plain(literal.node)
        if (word in found and repr(found[word]) != repr(new)) or (word == name and isinstance(new, str)):
            return [Edit(f"code:{name}", _hash(_dump(now)), "code")]
        found[word] = new
    return [Edit(word, new, "literal") for word, new in found.items()]


def _literals(was: list[ast.stmt], now: list[ast.stmt], name: str) -> list[_Literal] | None:
    """The literals in which two pieces of code differ, where they differ in nothing else; None where they do."""
    out: list[_Literal] = []
    todo: list[tuple[object, object, str]] = [(was, now, name)]
    while todo:
        a, b, under = todo.pop()
        if isinstance(a, list) and isinstance(b, list):
            if len(a) != len(b):
                return None
            todo += [(x, y, under) for x, y in zip(reversed(a), reversed(b), strict=True)]
        elif isinstance(a, ast.AST) and isinstance(b, ast.AST):
            if isinstance(a, ast.expr) and isinstance(b, ast.expr) and _is_literal(a) and _is_literal(b):
                if ast.dump(a) != ast.dump(b):
                    out.append(_Literal(under, b))
                    if len(out) > MOST_LITERALS:
                        return None
                continue
            if type(a) is not type(b):
                return None
            todo += reversed(list(_parts(a, b, under)))
        elif a != b:
            return None
    return out


def _parts(a: ast.AST, b: ast.AST, under: str) -> Iterator[tuple[object, object, str]]:
    """The fields of two nodes of one type, each under the name that a value of it would have."""
    if isinstance(a, ast.Dict) and isinstance(b, ast.Dict):
        yield a.keys, b.keys, under
        if len(a.keys) != len(b.keys):
            return
        for k, x, y in zip(a.keys, a.values, b.values, strict=True):
            yield x, y, str(k.value) if isinstance(k, ast.Constant) else under
        return
    if isinstance(a, ast.arguments) and isinstance(b, ast.arguments):
        yield [x.arg for x in _all(a)], [x.arg for x in _all(b)], under
        yield [x.annotation for x in _all(a)], [x.annotation for x in _all(b)], under
        yield len(a.defaults), len(b.defaults), under
        last = [x.arg for x in (*a.posonlyargs, *a.args)][-len(a.defaults) or 1 << 30 :]
        yield from zip(a.defaults, b.defaults, last, strict=False)
        yield len(a.kw_defaults), len(b.kw_defaults), under
        yield from zip(a.kw_defaults, b.kw_defaults, [x.arg for x in a.kwonlyargs], strict=False)
        return
    name = under
    if isinstance(a, ast.keyword):
        name = a.arg or under
    elif isinstance(a, ast.Assign | ast.AnnAssign | ast.AugAssign | ast.NamedExpr):
        target = a.targets[0] if isinstance(a, ast.Assign) else a.target
        name = _spoken(target) or under
    elif isinstance(a, ast.Call) and isinstance(b, ast.Call) and (option := _option(b)) is not None:
        for field in a._fields:
            yield from ((x, y, option) for x, y in _paired(getattr(a, field), getattr(b, field)))
        return
    for field in a._fields:
        yield getattr(a, field, None), getattr(b, field, None), name


def _paired(a: object, b: object) -> Iterator[tuple[object, object]]:
    """Fields of an option's call; its `default=` has the name of the option."""
    if isinstance(a, list) and isinstance(b, list) and len(a) == len(b):
        for x, y in zip(a, b, strict=True):
            if isinstance(x, ast.keyword) and isinstance(y, ast.keyword) and x.arg == y.arg == "default":
                yield x.value, y.value
            else:
                yield x, y
    else:
        yield a, b


def _all(a: ast.arguments) -> list[ast.arg]:
    return [*a.posonlyargs, *a.args, *a.kwonlyargs, *(x for x in (a.vararg, a.kwarg) if x)]


def _option(call: ast.Call) -> str | None:
    """The name of a command line option that a call declares."""
    first = call.args[0] if call.args else None
    text = first.value if isinstance(first, ast.Constant) else None
    return text.lstrip("-").replace("-", "_") if isinstance(text, str) and text.startswith("--") else None


def _spoken(target: ast.expr) -> str | None:
    """What a target is called: `self.scale` is scale, `group["lr"]` is lr."""
    if isinstance(target, ast.Name):
        return target.id
    if isinstance(target, ast.Attribute):
        return target.attr
    if isinstance(target, ast.Subscript) and isinstance(target.slice, ast.Constant):
        return str(target.slice.value)
    return None


def _is_literal(node: ast.expr) -> bool:
    """Whether an expression is a value that is written out."""
    if isinstance(node, ast.Constant):
        return True
    if isinstance(node, ast.Tuple | ast.List | ast.Set):
        return all(map(_is_literal, node.elts))
    if isinstance(node, ast.UnaryOp):
        return isinstance(node.operand, ast.Constant)
    return isinstance(node, ast.BinOp) and _is_literal(node.left) and _is_literal(node.right)


def _plain(node: ast.expr) -> object:
    """The value of a literal, or how it is written."""
    text = ast.unparse(node)
    found = constants(f"x = {text}")
    return found.get("x", text)


def _often(tree: ast.Module) -> set[str]:
    """Names that hold a literal in more than one place, so that the name alone does not say which."""
    seen: set[str] = set()
    out: set[str] = set()
    for node in ast.walk(tree):
        name = None
        if isinstance(node, ast.keyword) and _is_literal(node.value):
            name = node.arg
        elif isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None and _is_literal(node.value):
            name = _spoken(node.targets[0] if isinstance(node, ast.Assign) else node.target)
        if name is not None:
            (out if name in seen else seen).add(name)
    return out


def _dump(body: list[ast.stmt] | None) -> str | None:
    """Code in one spelling, without its docstrings."""
    if body is None:
        return None
    for node in (n for statement in body for n in ast.walk(statement)):
        if isinstance(node, DOCUMENTED) and any(map(_is_text, node.body)):
            node.body = [x for x in node.body if not _is_text(x)] or [ast.Pass()]
    return "\n".join(map(ast.dump, body))


def _hash(text: str | None) -> str:
    return hashlib.sha256((text or "").encode("utf-8", "surrogatepass")).hexdigest()[:16]


# --- other languages ------------------------------------------------------------------------------------------------


def _of_lines(before: bytes | None, after: bytes | None, path: str) -> list[Edit]:
    """Lines that give a name another value, where nothing else differs; else the file by its hash."""
    if after is None:
        return [Edit(f"code:{path}", None, "code")]
    old, new = ([] if data is None else _lines(data) for data in (before, after))
    if old == new:
        return []
    code = Edit(f"code:{path}", _hash("\n".join(new)), "code")
    if len(old) != len(new):
        return [code]
    out: dict[str, object] = {}
    for a, b in zip(old, new, strict=True):
        if a == b:
            continue
        x, y = _LINE.match(a[:400]), _LINE.match(b[:400])
        name = (y["name"] or y["defined"]) if y else None
        if x is None or y is None or name != (x["name"] or x["defined"]) or name in out:
            return [code]
        out[str(name)] = _word(y["value"])
        if len(out) > 2 * MOST_LITERALS:
            return [code]
    return [Edit(name, v, "constant" if _UPPER.match(name) else "literal") for name, v in out.items()]


def _lines(data: bytes) -> list[str]:
    text = data.decode("utf-8", "replace")
    return [line for x in text.splitlines() if (line := _SPACE.sub(" ", x).strip())]


def _word(text: str) -> object:
    if text[:1] in "\"'":
        return text[1:-1]
    return text.lower() == "true" if text.lower() in ("true", "false") else value(text)
