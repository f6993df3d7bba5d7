"""What a piece of Python reaches for beyond itself: other programs, text run as code, the network, the interpreter.

A tripwire, not a sandbox: it reads names as they stand. Code that is meant to hide what it does can hide it.
"""

from __future__ import annotations

import ast
import re
import textwrap
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from trajscope.rails.code import tree

# Full names by why nobody should find them in an edit unannounced; a name stands for all below it, `*` for letters.
_WATCHED = {
    "starts other programs": """
        subprocess pty multiprocessing pexpect plumbum pip ensurepip venv asyncio.create_subprocess_* asyncio.subprocess
        os.system os.popen os.exec* os.spawn* os.posix_spawn* os.fork* os.startfile os.kill*
        concurrent.futures.ProcessPoolExecutor torch.multiprocessing""",
    "runs text as code": """
        eval exec compile breakpoint __import__ builtins __builtins__ importlib runpy imp zipimport pkgutil codeop
        marshal code.interact code.Interactive* py_compile timeit ctypes _ctypes cffi types.FunctionType types.CodeType
        torch.hub torch.utils.cpp_extension numpy.f2py sympy.sympify""",
    "unpickles": """
        pickle.load* pickle.Unpickler _pickle.load* dill.load* cloudpickle.load* joblib.load shelve pandas.read_pickle
        yaml.load yaml.load_all yaml.unsafe_load* yaml.full_load* torch.load""",
    "reaches the network": """
        socket socketserver ssl urllib urllib3 http.client http.server requests httpx aiohttp ftplib smtplib poplib
        imaplib telnetlib xmlrpc websocket websockets paramiko webbrowser boto3 asyncio.open_connection""",
    "reaches into the interpreter": """
        sys.modules sys.path sys.meta_path sys.path_hooks sys.settrace sys.setprofile sys._* sys.addaudithook
        sys.excepthook sys.displayhook gc.get_* inspect.currentframe inspect.stack inspect.getouterframes atexit
        site.addsitedir __main__ globals locals vars unittest.mock""",
    "reads or sets the environment": "os.environ* os.getenv* os.putenv os.unsetenv os.chroot os.setuid dotenv getpass",
}
_IS_WATCHED = [
    (why, re.compile(rf"(?:{'|'.join(names.replace('.', '[.]').replace('*', '.*').split())})(?:[.].+)?\Z"))
    for why, names in _WATCHED.items()
]
_BUILT_IN = frozenset("eval exec compile breakpoint __import__ __builtins__ globals locals vars getattr".split())
_WHOLE_MODULES = frozenset(("os", "sys"))  # passed on by their names alone, they can be used out of sight
_INSIDE = frozenset(
    "__subclasses__ __globals__ __builtins__ __code__ __mro__ __bases__ __base__ __loader__ __spec__ __import__ "
    "__getattribute__ __reduce__ __reduce_ex__ __closure__ f_globals f_locals f_back f_builtins gi_frame tb_frame "
    "cr_frame ag_frame __self__".split()
)
_WORDS = re.compile(
    r"(?<![.\w])(?:eval|exec|compile|__import__|getattr)\s{0,9}\(|__\w{1,40}__\s{0,9}\[|`"
    r"|\b(?:subprocess|ctypes|importlib|runpy|socket|urllib|requests|httpx|pickle|marshal|builtins|multiprocessing)\b"
    r"|\bos\s{0,9}\.\s{0,9}(?:system|popen|exec|spawn|fork|environ)"
)


class Reach(NamedTuple):
    """One name that is reached for, why it is watched, and the expression it stands in."""

    name: str
    why: str
    inside: str
    line: int


def of_text(text: str) -> list[Reach]:
    """What a whole module reaches for; SyntaxError where it is not Python."""
    return list(_Look(tree(text), whole=True).found())


def of_lines(lines: Iterable[tuple[int, str]]) -> list[Reach]:
    """What single lines reach for, as far as they can be read without the rest of their file."""
    out: list[Reach] = []
    for first, block in _blocks(lines):
        out += _of_block(first, block)
    return out


def new(before: list[Reach], after: list[Reach]) -> list[Reach]:
    """What is reached for after an edit and was not before; an expression that changed around it is new."""
    known = Counter((r.name, r.inside) for r in before)
    out = []
    for r in after:
        known[r.name, r.inside] -= 1
        if known[r.name, r.inside] < 0:
            out.append(r)
    return out


def named_in(text: str, files: Iterable[str]) -> list[Reach]:
    """Where a module spells or imports one of these files or folders; SyntaxError where it is not Python."""
    stems = [(name, name.partition("*")[0].rstrip("/").casefold()) for name in files]
    return [
        Reach(name, "names what the code may not read", ast.unparse(node), node.lineno)
        for node in ast.walk(tree(text))
        if isinstance(node, ast.Constant | ast.Import | ast.ImportFrom)
        for name, stem in stems
        if any(stem in said.casefold() for said in _files(node))
    ]


def _files(node: ast.Constant | ast.Import | ast.ImportFrom) -> list[str]:
    """What a text or an import says of files."""
    if isinstance(node, ast.Constant):
        value = node.value
        return (
            [value if isinstance(value, str) else value.decode("utf-8", "replace")]
            if isinstance(value, str | bytes)
            else []
        )
    within = f"{node.module or ''}." if isinstance(node, ast.ImportFrom) else ""
    modules = [within.rstrip("."), *(within + alias.name for alias in node.names)]
    return [f"{module.lstrip('.').replace('.', '/')}.py" for module in modules]


class _Look:
    """One look at a tree: what its names stand for, and which of them are watched."""

    def __init__(self, module: ast.Module, *, whole: bool, above: int = 0) -> None:
        self._module = module
        self._above = above  # lines that stand above the tree in its file
        self._whole = whole  # in part of a file a name that nothing explains may well be a module
        self._stands_for: dict[str, str] = {}
        for node in ast.walk(module):
            if isinstance(node, ast.Import):
                for alias in node.names:
                    name = alias.asname or alias.name.partition(".")[0]
                    self._stands_for[name] = alias.name if alias.asname else name
            elif isinstance(node, ast.ImportFrom) and not node.level:
                self._stands_for |= {alias.asname or alias.name: f"{node.module}.{alias.name}" for alias in node.names}

    def found(self) -> Iterator[Reach]:
        """Everything watched, in no order."""
        for root in _expressions(self._module):
            used = {id(node.value) for node in ast.walk(root) if isinstance(node, ast.Attribute)}
            for node in ast.walk(root):
                for name in self._names(node):
                    if why := _why(name, passed_on=isinstance(node, ast.Name) and id(node) not in used):
                        yield Reach(name, why, ast.unparse(root), self._above + getattr(node, "lineno", 0))

    def _names(self, node: ast.AST) -> list[str]:
        """The full names that a node reaches for by itself."""
        if isinstance(node, ast.Import):
            return [alias.name for alias in node.names]
        if isinstance(node, ast.ImportFrom):
            return [] if node.level else [f"{node.module}.{alias.name}" for alias in node.names]
        if isinstance(node, ast.Call):
            return self._called(node)
        if isinstance(node, ast.Attribute):
            name = self._dotted(node) or f"?.{node.attr}"
            return [] if name == _LOADS else [name]
        if isinstance(node, ast.Name):
            name = self._dotted(node) or ""
            return [name] if name in _WHOLE_MODULES or (name in _BUILT_IN - {"getattr"}) or "." in name else []
        return []

    def _called(self, call: ast.Call) -> list[str]:
        """What is reached for by how something is called."""
        name, said = self._dotted(call.func), {k.arg: k.value for k in call.keywords}
        if name == "getattr" and len(call.args) > 1:
            key = call.args[1]
            fixed = isinstance(key, ast.Constant) and isinstance(key.value, str)
            return [f"{self._dotted(call.args[0]) or '?'}.{key.value}"] if fixed else [_WORKED_OUT]  # type: ignore[attr-defined]  # fixed
        if name == _LOADS:
            only = said.get("weights_only")
            return [] if isinstance(only, ast.Constant) and only.value is True else [_LOADS]
        return [
            reached
            for word, reached in _OPENS.items()
            if (value := said.get(word)) is not None and not (isinstance(value, ast.Constant) and value.value is False)
        ]

    def _dotted(self, node: ast.AST) -> str | None:
        """The full name of `a.b.c`, with `a` as its import says; None where it does not begin with a known name."""
        if isinstance(node, ast.Attribute):
            before = self._dotted(node.value)
            return f"{before}.{node.attr}" if before else None
        if isinstance(node, ast.Name):
            known = not self._whole or node.id in _BUILT_IN
            return self._stands_for.get(node.id, node.id if known else None)
        return None


# What a line may be part of, tried in turn where it is no statement by itself.
_FRAMES = ("?", "? pass", "if 0: pass\n? pass", "try: pass\n? pass", "(?)", "f(?)")
_LOADS = "torch.load"  # unpickles, unless it is told to load weights only
_OPENS = {"allow_pickle": "pickle.load", "trust_remote_code": "exec"}  # arguments, and what they make of any call
_WORKED_OUT = "getattr with a name that is worked out"


def _why(name: str, *, passed_on: bool) -> str | None:
    """Why a name is watched, if it is."""
    if name == _WORKED_OUT:
        return "hides what it reaches for"
    if name in _WHOLE_MODULES:
        return "passes a whole module on" if passed_on else None
    if name.rpartition(".")[2] in _INSIDE:
        return "reaches into the interpreter"
    if name.endswith(".*"):  # from os import *
        return next((why for why, names in _WATCHED.items() if f" {name[:-1]}" in f" {' '.join(names.split())} "), None)
    return next((why for why, watched in _IS_WATCHED if watched.match(name)), None)


def _expressions(module: ast.Module) -> Iterator[ast.AST]:
    """The outermost expressions of every statement, and imports whole."""
    todo: list[ast.AST] = [module]
    while todo:
        node = todo.pop()
        if isinstance(node, ast.expr | ast.Import | ast.ImportFrom):
            yield node
        else:
            todo += ast.iter_child_nodes(node)


def _blocks(lines: Iterable[tuple[int, str]]) -> Iterator[tuple[int, list[str]]]:
    """Lines that follow each other, with the number of the first."""
    first, block = 0, list[str]()
    for n, line in lines:
        if block and n != first + len(block):
            yield first, block
            block = []
        first = first if block else n
        block.append(line)
    if block:
        yield first, block


def _of_block(first: int, block: list[str]) -> list[Reach]:
    try:
        return list(_Look(tree(textwrap.dedent("\n".join(block))), whole=False, above=first - 1).found())
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        if len(block) > 1:
            return [r for i, line in enumerate(block) for r in _of_block(first + i, [line])]
    line = unicodedata.normalize("NFKC", block[0].strip())  # as Python reads names
    for whole in (
        line,
        f"{line} pass",
        f"if 0: pass\n{line} pass",
        f"try: pass\n{line} pass",
        f"({line})",
        f"f({line})",
    ):
        try:
            return [r._replace(line=first) for r in _Look(tree(whole), whole=False).found()]
        except (SyntaxError, ValueError):
            continue
        except (RecursionError, MemoryError):
            return [Reach("what cannot be seen", "is nested too deep to be read", line, first)]
    return [Reach(m[0].strip("( "), "cannot be read as Python by itself", line, first) for m in _WORDS.finditer(line)]
