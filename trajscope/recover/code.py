"""What a program changed in the program it was made from, where a file holds both as texts.

The identity of a program is its code without comments and layout, so that two texts that say the same are one.
"""

from __future__ import annotations

import hashlib
from typing import NamedTuple

from trajscope.menu import Menu
from trajscope.pair import canon, pair
from trajscope.recover.edited import edits
from trajscope.recover.found import Found
from trajscope.recover.repo import SURE, of_edits

_BLANK = "pass\n"


class Program(NamedTuple):
    """A program of a lineage: which it is, and what it changed."""

    id: str
    base: str | None  # of the one it was made from
    found: Found


def program(code: str, parent: str | None, language: str = "python", menu: Menu | None = None) -> Program:
    """A program and its change. One that says the same as its parent proposes itself, which is a no-op."""
    own, base = identity(code, language), identity(parent, language) if parent is not None else None
    whole = Found(pair((canon(f"code:{_path(language)}", own),)), "diff", SURE["code"])
    if parent is None or own == base:
        return Program(own, base, whole)
    changed = edits(_bytes(parent), _bytes(code), _path(language))
    return Program(own, base, of_edits(changed, menu) or whole)


def identity(code: str, language: str = "python") -> str:
    """16 hex digits that name what a program says."""
    said = edits(_bytes(_BLANK), _bytes(code), _path(language))
    text = ";".join(f"{e.name}={canon('x', e.value).text}" for e in said) if _is_python(language) else code
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:16]


def _path(language: str) -> str:
    return "program.py" if _is_python(language) else f"program.{language}"


def _is_python(language: str) -> bool:
    return language.lower() in ("python", "py", "python3")


def _bytes(code: str) -> bytes:
    return code.encode("utf-8", "replace")
