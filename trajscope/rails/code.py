"""What a file does, as a hash: the identity of an edit of code, whatever its layout."""

from __future__ import annotations

import ast
import hashlib
import re

PYTHON = (".py", ".pyw")
_HASH = re.compile(r"[0-9a-f]{8,64}\Z")


def names_code(value: object, hashes: frozenset[str]) -> bool:
    """Whether a value is one of these hashes, or the beginning of one."""
    return isinstance(value, str) and _HASH.match(value) is not None and any(h.startswith(value) for h in hashes)


def fingerprint(path: str, text: str) -> str:
    """SHA-256 of what a file does: Python without its layout, comments and docstrings, anything else as it stands."""
    if path.casefold().endswith(PYTHON) and parses(text):
        tree = ast.parse(text)
        for node in ast.walk(tree):
            documented = isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
            if documented and ast.get_docstring(node, clean=False) is not None:  # type: ignore[arg-type]  # documented
                node.body = node.body[1:]  # type: ignore[attr-defined]  # documented
        text = ast.dump(tree)
    return hashlib.sha256(text.encode()).hexdigest()


def parses(text: str) -> bool:
    """Whether a text is Python."""
    try:
        ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return True
