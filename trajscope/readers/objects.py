"""Objects of JSON rows: what stands under a dotted path, which numbers there are, and settings worth comparing.

Knows no format: a path is a key, or keys joined by dots where objects lie inside objects.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from trajscope.readers.cells import missing
from trajscope.readers.cells import value as plain
from trajscope.readers.fields import finite
from trajscope.recover import flat

DEPTH = 6  # objects inside objects in which numbers are looked for
MANY = 8  # different words from which on a list is a set of switches: one of fifty columns left out is one change
# Words of a key that make it a seed, or say which run it was and not what ran.
_SEEDS = frozenset(("seed", "seeds", "rng", "prng"))
_REMARKS = frozenset(
    "description desc note notes comment comments name timestamp date time id uuid run_id run_name exp_id exp_name "
    "experiment_id experiment_num output_dir out_dir log_dir results_dir save_dir checkpoint_dir".split()
)
_KEYS, _VALUES = ("key", "knob", "name", "param"), ("value", "new_value", "new", "to")
_PLACES = re.compile(r"(?:^|[._])(?:paths?|dirs?|files?|folder)$", re.IGNORECASE)


def at(path: str) -> Callable[[Any], Any]:
    """The function that takes what stands under this path out of a row; None where nothing does."""
    steps = path.split(".")
    if len(steps) == 1:
        return lambda row: row.get(path)

    def get(row: Any) -> Any:
        if path in row:  # a key may hold a dot
            return row[path]
        for step in steps:
            if not isinstance(row, dict):
                return None
            row = row.get(step)
        return row

    return get


def leaves(row: Mapping[str, Any], depth: int = DEPTH) -> Iterator[tuple[str, Any]]:
    """Every value that is no object, by its path; lists are left whole."""
    todo: list[tuple[str, int, Mapping[str, Any]]] = [("", 0, row)]
    while todo:
        under, deep, inner = todo.pop(0)
        for key, value in inner.items():
            if isinstance(value, dict) and value and deep < depth:
                todo.append((f"{under}{key}.", deep + 1, value))
            else:
                yield f"{under}{key}", value


def is_number(value: Any) -> bool:
    """A finite number, and no bool."""
    return isinstance(value, int | float) and not isinstance(value, bool) and _finite(value)


def settings(config: Mapping[str, Any]) -> dict[str, Any]:
    """A configuration as it is compared: a place in the file system by its last name, a long list of words in order.

    The same data in another folder, or with the other slash, is no other configuration; nor are a seed or a remark.
    """
    out: dict[str, Any] = {}
    for key, value in config.items():
        name = str(key).lower()
        if name in _REMARKS or name == "random_state" or _SEEDS.intersection(re.split(r"[^a-z]+", name)):
            continue
        if value is None:  # not set, as if the key were not there
            continue
        if isinstance(value, dict):
            if not _PLACES.search(str(key)):
                out[key] = settings(value)
        elif isinstance(value, str) and _PLACES.search(str(key)):
            out[key] = re.split(r"[\\/]", value.rstrip("\\/"))[-1]
        elif isinstance(value, str):
            out[key] = plain(value)  # an environment holds numbers as text
        elif isinstance(value, list) and _switches(value):
            out[key] = sorted(value)
        else:
            out[key] = value
    return out


def changes(said: dict[str, Any] | list[Any]) -> Iterable[tuple[str, Any]]:
    """What an object of changes, or a list of objects with a key and a value, changes."""
    if isinstance(said, dict):
        return flat(said).items()
    each = (x for x in said if isinstance(x, dict))
    named = ((next((x[k] for k in _KEYS if isinstance(x.get(k), str)), None), x) for x in each)
    return ((k, next((x[v] for v in _VALUES if v in x), None)) for k, x in named if k is not None and not missing(k))


def switched(base: Mapping[str, Any], ran: Mapping[str, Any]) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    """Two configurations, a long list of words that both hold taken apart into a switch for each word."""
    apart = [k for k, x in base.items() if type(x) in (list, dict) and type(ran.get(k)) is type(x) and ran[k] != x]
    if not apart:
        return base, ran
    one, two = dict(base), dict(ran)
    for key in apart:
        a, b = one[key], two[key]
        if isinstance(a, dict):
            one[key], two[key] = switched(a, b)
        elif _switches(a) and _switches(b):
            one[key], two[key] = dict.fromkeys(a, "on"), dict.fromkeys(b, "on")
    return one, two


def _switches(value: list[Any]) -> bool:
    return len(value) >= MANY and all(isinstance(x, str) for x in value) and len(set(value)) == len(value)


def _finite(value: float) -> bool:
    try:
        return finite(float(value)) is not None
    except OverflowError:
        return False
