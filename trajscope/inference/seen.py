"""What a source file says of one name: a knob with its type and default, or why it is none.

Knows values and names; of syntax only how to read a plain value.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping
from typing import NamedTuple

from trajscope.literals import literal
from trajscope.pair import canon

MOST_ITEMS = 16  # of a list that is a setting; a longer one is a table
FAR = 1e150  # a number beyond is no setting, and arithmetic with it overflows
MOST_TEXT = 40  # letters of a word that is a setting
SIMPLE = {"int": "int", "float": "float", "bool": "bool", "str": "str", "list": "list", "tuple": "list"}
_WORD = re.compile(r"[^\W\d_]+|\d+")
_PLAIN = re.compile(r"[\w.+:%@-]*\Z")
_PATH = re.compile(r"[/\\]|^~|^\.|\.[A-Za-z][A-Za-z0-9]{1,4}\Z")
_PLACES = frozenset("path paths dir dirs directory folder file files filename filepath root url uri host port".split())
_NAMES = frozenset("name names project entity tag tags repo version author license copyright title".split())
_PRINTED = frozenset("debug verbose quiet silent help log logging logger".split())
_SEEDS = frozenset("seed seeds".split())


KINDS = ("constant", "field", "argument", "option", "environment", "config")  # what a knob is in the file


class Knob(NamedTuple):
    """A knob as one place of the file says it."""

    name: str
    line: int
    how: str  # one of KINDS
    type: str
    default: object = None
    has_default: bool = False
    choices: tuple[object, ...] | None = None
    aliases: tuple[str, ...] = ()
    reads: str | None = None  # the constant that its default is


class Left(NamedTuple):
    """A name that is no knob, and why."""

    name: str
    line: int
    why: str


Seen = Knob | Left


def seen(
    name: str,
    line: int,
    how: str,
    value: object,
    *,
    has_default: bool = True,
    type_: str | None = None,
    choices: tuple[object, ...] | None = None,
    aliases: tuple[str, ...] = (),
    reads: str | None = None,
) -> Seen:
    """A name with what was said of it, as a knob where it is one."""
    kind = type_ or _kind(value)
    if why := objection(name, value, kind if choices is None else "choice"):
        return Left(name, line, why)
    if kind is None and choices is None:
        return Left(name, line, "nothing says its type" if value is None else "is of no type that a knob may have")
    if choices is not None and kind != "float":
        kind = _kind(choices[0])
    assert kind is not None
    fits = value is not None and _fits(value, kind) and (choices is None or value in choices)
    return Knob(name, line, how, kind, value if fits else None, has_default and fits, choices, aliases, reads)


def objection(name: str, value: object, kind: str | None) -> str | None:
    """Why a name with this value is nothing that one would try, as far as it can be told."""
    words = [w.casefold() for w in _WORD.findall(re.sub(r"([a-z])([A-Z])", r"\1 \2", name))]
    if not words or name.startswith("_"):
        return "is private"
    if _SEEDS & set(words) or words[-2:] == ["random", "state"]:
        return "a seed: it tells replicates apart"
    if words[-1] in _PLACES:
        return "a place or a file"
    if words[-1] in _NAMES and kind in ("str", "list", None):
        return "a name"
    if set(words) <= _PRINTED or words == ["device"]:
        return "about where it runs and what it prints"
    if kind == "choice":
        return None
    return _unlikely(value)


def _unlikely(value: object) -> str | None:
    """Why this value is none that one would try."""
    if isinstance(value, str):
        if _PATH.search(value):
            return "a place or a file"
        if len(value) > MOST_TEXT or not _PLAIN.match(value):
            return "a text for people"
    if isinstance(value, list):
        if len(value) > MOST_ITEMS:
            return f"a table of {len(value)} entries"
        if any(isinstance(x, list | dict) for x in value):
            return "a table"
        return next((why for x in value if (why := _unlikely(x))), None)
    return "a table" if isinstance(value, dict) else None


def _kind(value: object) -> str | None:
    return SIMPLE.get(type(value).__name__)


def _fits(value: object, kind: str) -> bool:
    own = _kind(value)
    if isinstance(value, list):
        return own == kind and all(_fits(x, _kind(x) or "") for x in value)
    if isinstance(value, int | float) and not (abs(value) < FAR):  # NaN compares with nothing
        return False
    return own == kind or (own == "int" and kind == "float")


def plain(node: ast.expr | None, known: Mapping[str, object]) -> tuple[bool, object]:
    """Whether a value is certain without running anything, and which: a literal, or a constant of the module."""
    if node is None:
        return False, None
    if isinstance(node, ast.Name):
        return node.id in known, known.get(node.id)
    try:
        return True, literal(node)
    except ValueError:
        return False, None


def annotated(node: ast.expr | None) -> tuple[str | None, tuple[object, ...] | None]:
    """The type that an annotation says, and the choices where it is a Literal."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):  # an annotation in quotes
        try:
            node = ast.parse(node.value, mode="eval").body
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return None, None
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):  # int | None
        sides = [s for s in (node.left, node.right) if not (isinstance(s, ast.Constant) and s.value is None)]
        return annotated(sides[0]) if len(sides) == 1 else (None, None)
    if isinstance(node, ast.Subscript):
        outer = last(node.value)
        if outer in ("Optional", "Annotated", "Final"):
            return annotated(
                node.slice.elts[0] if isinstance(node.slice, ast.Tuple) and node.slice.elts else node.slice
            )
        if outer == "Literal":
            return None, choices(node.slice)
        return SIMPLE.get((outer or "").casefold()), None
    return SIMPLE.get(last(node) or ""), None


def choices(node: ast.expr | None) -> tuple[object, ...] | None:
    """Choices of one plain type that are said as literals."""
    if node is None:
        return None
    try:
        value = literal(node if isinstance(node, ast.Tuple | ast.List) else ast.Tuple([node], ast.Load()))
    except ValueError:
        return None
    found = list({canon("x", x).text: x for x in value}.values()) if isinstance(value, list) else []
    kinds = {_kind(x) for x in found}
    one = len(kinds) == 1 and kinds <= {"int", "float", "bool", "str"}
    return tuple(found) if one and all(_fits(x, _kind(x) or "") for x in found) else None


def last(node: ast.AST | None) -> str | None:
    """The last word of a dotted name."""
    if isinstance(node, ast.Call):
        node = node.func
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else None


def named(call: ast.Call, word: str) -> ast.expr | None:
    """A keyword argument of a call."""
    return next((k.value for k in call.keywords if k.arg == word), None)
