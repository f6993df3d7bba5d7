"""A menu where nobody declared one: the knobs of a source file, read from its syntax tree.

Nothing of the file is executed or imported. No range is invented: of most knobs it is known that they are there and
what they stand at, and of a few which values they may take.
"""

from __future__ import annotations

import ast
import re
import warnings
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from trajscope import literals, sources
from trajscope.errors import MenuError, SourceError
from trajscope.inference import options, places
from trajscope.inference.seen import Knob, Left, Seen, last
from trajscope.knob import fold_name
from trajscope.menu import INFERRED, Menu, parse
from trajscope.pair import canon

__all__ = ["Inferred", "Knob", "Left", "infer", "of_file"]
MIXED = "mixed"  # the type of what is a number here and a word there
MOST = 4 << 20  # bytes of a file that an agent edits; a larger one holds data
MOST_INITIALS = 4
SAID = 80  # letters of a complaint of Python's that are shown
# Python would look for the codec of any name that a file writes; these need no looking.
_CODECS = {"utf-8", "utf8", "ascii", "us-ascii", "latin-1", "latin1", "iso-8859-1", "cp1252", "windows-1252"}
_COOKIE = re.compile(rb"[ \t\f]*#[^\n]*?coding[:=][ \t]*([-\w.]+)")
# Initials that are English words, or say too little, name no knob in a sentence.
_COMMON = frozenset(
    "am an as at be by do for go he if in is it me my no nor not of ok on or our so the to too up us vs was we".split()
)


class Inferred(NamedTuple):
    """What a source file offers."""

    menu: Menu
    knobs: tuple[Knob, ...]  # in the order of the menu, with the place where each was seen first
    left: tuple[Left, ...]  # names that are no knobs, and why

    def to_json(self) -> dict[str, Any]:
        """The menu as a file has it, marked as inferred."""
        return {INFERRED: self.menu.source, "knobs": {k.name: _spec(k) for k in self.knobs}}

    @staticmethod
    def spec(k: Knob) -> dict[str, Any]:
        """A knob as the menu declares it."""
        return _spec(k)


def of_file(path: str | Path) -> Inferred:
    """The knobs of a source file."""
    try:
        with sources.opened(path) as f:
            data = b""
            while len(data) <= MOST and (more := f.read(MOST + 1 - len(data))):
                data += more
    except SourceError as e:
        raise MenuError(str(e)) from None
    except OSError as e:
        raise MenuError(f"{path}: cannot be read ({e.strerror}); check the path") from None
    return infer(data, str(path))


def infer(data: bytes, where: str) -> Inferred:
    """The knobs of Python source; `where` it stands begins every complaint."""
    if len(data) > MOST:
        raise MenuError(f"{where}: is over {MOST >> 20} MB; name the file that the agent edits, or declare the knobs")
    tree, known = _parsed(data, where)
    knobs, left = _met(_seen(tree, known))
    if not knobs:
        what = "no constant in capitals, no field with a default, no option, no configuration"
        raise MenuError(f"{where}: holds no knob that can be inferred ({what}); declare them in a menu with --menu")
    said = {INFERRED: where, "knobs": {k.name: _spec(k) for k in knobs}}
    return Inferred(parse(said, where), tuple(knobs), tuple(left))


def _parsed(data: bytes, where: str) -> tuple[ast.Module, Mapping[str, object]]:
    """The syntax tree, and the module's constants."""
    try:
        text = data.removeprefix(b"\xef\xbb\xbf").decode(_codec(data, where))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # an odd escape in a string is its author's affair
            return ast.parse(text), literals.constants(text)
    except SyntaxError as e:
        why = f"line {e.lineno}: {e.msg}" if e.lineno else str(e.msg)
    except UnicodeDecodeError:
        why = "its bytes are no text"
    except (ValueError, RecursionError, MemoryError) as e:
        why = "nested too deeply" if not isinstance(e, ValueError) else str(e)
    raise MenuError(f"{where}: cannot be read as Python ({why[:SAID]}); name the source file that the agent edits")


def _codec(data: bytes, where: str) -> str:
    """What the file says it is written in, of the few that need no code to be looked for."""
    for line in data.split(b"\n", 2)[:2]:
        if found := _COOKIE.match(line.removeprefix(b"\xef\xbb\xbf")):
            name = found[1].decode("ascii", "replace").lower().replace("_", "-")
            if name not in _CODECS:
                raise MenuError(f"{where}: says it is written in {name[:SAID]}; store it as UTF-8")
            return name
    return "utf-8"


def _seen(tree: ast.Module, known: Mapping[str, object]) -> Iterator[Seen]:
    """Everything in the file that may be a knob, in the order of its lines within each kind."""
    nodes = list(ast.walk(tree))
    reads_globals = any(
        isinstance(n, ast.Call) and isinstance(n.func, ast.Name) and n.func.id == "globals" for n in nodes
    )
    inside: set[int] = set()  # reads of the environment that were seen together with their cast
    yield from places.constants(tree, known, lower=reads_globals)
    for node in nodes:
        if isinstance(node, ast.ClassDef):
            yield from places.fields(node, known)
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield from options.parameters(node, known)
            for call in node.decorator_list:
                if isinstance(call, ast.Call) and last(call) == "option":
                    yield from options.arguments(call, known)
        elif isinstance(node, ast.Call) and last(node) == "add_argument":
            yield from options.arguments(node, known)
        elif isinstance(node, ast.Call) and id(node) not in inside and (found := options.environment(node)) is not None:
            inside |= {id(x) for x in node.args}
            yield found


def _met(seen: Iterable[Seen]) -> tuple[list[Knob], list[Left]]:
    """What was seen with each knob once: `--weight-decay`, weight_decay and WEIGHT_DECAY are one."""
    found = list(seen)
    read = Counter(x.reads for x in found if isinstance(x, Knob) and x.reads)
    groups: dict[str, list[Knob]] = {}
    of: dict[str, str] = {}  # a folded name, and the group it leads to
    left: dict[str, Left] = {}
    for x in found:
        if isinstance(x, Left):
            left.setdefault(fold_name(x.name), x)
            continue
        own = (
            (x.reads,) if x.reads and read[x.reads] == 1 else ()
        )  # a constant that only this option reads is the option
        names = [fold_name(n) for n in (x.name, *x.aliases, *own)]
        key = next((of[n] for n in names if n in of), names[0])
        groups.setdefault(key, []).append(x._replace(aliases=(*x.aliases, *own)))
        for name in names:
            of.setdefault(name, key)
    knobs = [_joined(group) for group in groups.values()]
    for k in knobs:
        if k.type == MIXED:
            left[fold_name(k.name)] = Left(k.name, k.line, "has values of different types in different places")
    good = sorted((k for k in knobs if k.type != MIXED), key=lambda k: k.line)
    names_of = {fold_name(n) for k in good for n in (k.name, *k.aliases)}
    lost = sorted((x for key, x in left.items() if key not in names_of), key=lambda x: x.line)
    return _with_spellings(_told_apart(good)), lost


def _joined(group: list[Knob]) -> Knob:
    """The one knob that several places speak of; where they disagree about its default, nobody knows it."""
    kinds = {k.type for k in group}
    kind = group[0].type if len(kinds) == 1 else "float" if kinds == {"int", "float"} else MIXED
    given = [k.default for k in group if k.has_default]
    same = len({canon("x", x).text for x in given}) == 1
    names = dict.fromkeys(n for k in group for n in (k.name, *k.aliases) if n != group[0].name)
    offered = {k.choices for k in group if k.choices is not None}
    return group[0]._replace(
        type=kind,
        default=given[0] if same else None,
        has_default=same,
        choices=offered.pop() if len(offered) == 1 else None,
        aliases=tuple(names),
    )


def _told_apart(knobs: list[Knob]) -> list[Knob]:
    """The knobs without the aliases that lead to more than one of them."""
    many = Counter(name for k in knobs for name in {fold_name(n) for n in (k.name, *k.aliases)})
    return [k._replace(aliases=tuple(a for a in k.aliases if many[fold_name(a)] == 1)) for k in knobs]


def _with_spellings(knobs: list[Knob]) -> list[Knob]:
    """The knobs with their initials for an alias (WD for WEIGHT_DECAY) where those are one knob's alone.

    Each knob gets an alias, if only its own name in other letters: a knob that has one is found whatever the case and
    the dashes of its name.
    """
    taken = {fold_name(n) for k in knobs for n in (k.name, *k.aliases)}
    initials = {k.name: "".join(w[0] for w in _apart(k.name).split()) for k in knobs}
    many = Counter(initials.values())
    out = []
    for k in knobs:
        i = initials[k.name]
        if 2 <= len(i) <= MOST_INITIALS and many[i] == 1 and i not in taken and i not in _COMMON:
            out.append(k._replace(aliases=(*k.aliases, i.upper())))
        else:
            other = k.name.lower() if k.name != k.name.lower() else k.name.upper()
            out.append(k if k.aliases or other == k.name else k._replace(aliases=(other,)))
    return out


def _apart(name: str) -> str:
    """The words of a name in small letters, apart."""
    return re.sub(r"([a-z0-9])([A-Z])", r"\1 \2", name).replace("_", " ").replace("-", " ").replace(".", " ").lower()


def _spec(k: Knob) -> dict[str, Any]:
    """A knob as a menu declares it."""
    out: dict[str, Any] = {"type": k.type}
    if k.choices is not None:
        out["choices"] = list(k.choices)
    if k.aliases:
        out["aliases"] = list(k.aliases)
    return out | ({"default": k.default} if k.has_default else {})
