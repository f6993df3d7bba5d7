"""Changes: what must be told to somebody who has one JSON value, so that they have the next one.

The law: the old value with its changes is the new value, whatever both are. Little changes in long lists cost little
where what is new comes at their ends, as trials do.
"""

from __future__ import annotations

from typing import Any

SHORT = 64  # elements of a list whose elements are looked at one by one
Path = list[str | int]
Change = list[Any]  # [path, value], or [path, how many of the list stay, what stands after them]


def changes(old: Any, new: Any) -> list[Change]:
    """From one value to the next; at most one change for each place, and none of them inside another."""
    out: list[Change] = []
    _walk(old, new, [], out)
    return out


def _walk(old: Any, new: Any, path: Path, out: list[Change]) -> None:
    if isinstance(old, dict) and isinstance(new, dict) and old.keys() == new.keys():
        for key, value in new.items():
            _walk(old[key], value, [*path, key], out)
    elif isinstance(old, list) and isinstance(new, list):
        if len(old) == len(new) <= SHORT:
            for i, value in enumerate(new):
                _walk(old[i], value, [*path, i], out)
        elif (kept := _common(old, new)) < max(len(old), len(new)):
            out.append([path, kept, new[kept:]])
    elif not _same(old, new):
        out.append([path, new])


def _common(old: list[Any], new: list[Any]) -> int:
    """How many elements both begin with."""
    most = min(len(old), len(new))
    return next((i for i in range(most) if not _same(old[i], new[i])), most)


def _same(a: Any, b: Any) -> bool:
    """Whether two values are the same JSON: to Python, 1 and True are equal, and 1.0 too."""
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(_same(a[k], b[k]) for k in a)
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(map(_same, a, b))
    return type(a) is type(b) and bool(a == b)
