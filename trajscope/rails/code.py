"""What a file does, as a hash: the identity of an edit of code, whatever its layout."""

from __future__ import annotations

import ast
import hashlib
import re
import warnings

PYTHON = (".py", ".pyw")
_COOKIE = re.compile(r"[ \t\f]*#.*?coding[:=][ \t]*([-\w.]+)")
_HASH = re.compile(r"[0-9a-f]{8,64}\Z")


def tree(text: str) -> ast.Module:
    """The syntax tree of a text; SyntaxError or a like where it is not Python."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what Python would advise its programmers
        return ast.parse(text)


def names_code(value: object, hashes: frozenset[str]) -> bool:
    """Whether a value is one of these hashes, or the beginning of one."""
    return isinstance(value, str) and _HASH.match(value) is not None and any(h.startswith(value) for h in hashes)


def fingerprint(path: str, text: str) -> str:
    """SHA-256 of what a file does: Python without its layout, comments and docstrings, anything else as it stands."""
    if path.casefold().endswith(PYTHON) and parses(text):
        found = tree(text)
        for node in ast.walk(found):
            documented = isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
            if documented and ast.get_docstring(node, clean=False) is not None:  # type: ignore[arg-type]  # documented
                node.body = node.body[1:]  # type: ignore[attr-defined]  # documented
        text = _dumped(found)
    return hashlib.sha256(text.encode()).hexdigest()


def _dumped(node: object) -> str:
    """A tree as text that every version of Python spells alike, which `ast.dump` is not."""
    if isinstance(node, ast.AST):
        said = ((name, value) for name, value in ast.iter_fields(node) if value is not None and value != [])
        return f"{type(node).__name__}({','.join(f'{name}={_dumped(value)}' for name, value in said)})"
    return f"[{','.join(map(_dumped, node))}]" if isinstance(node, list) else repr(node)


def parses(text: str) -> bool:
    """Whether a text is Python."""
    try:
        tree(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return True


def misread(lines: list[str]) -> str | None:
    """A line that makes Python read a file otherwise than it looks: another encoding, or an end in mid-line."""
    for line in lines:
        if (found := _COOKIE.match(line)) and found[1].lower().replace("_", "-") not in ("utf-8", "utf8", "ascii"):
            return line
        if "\r" in line.removesuffix("\r"):
            return line
    return None
