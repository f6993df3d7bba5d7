"""Values as JSON can hold them: numpy scalars, tuples and paths made plain, everything else refused by name.

The one place where a number that is not finite becomes a missing value: `finite`.
"""

from __future__ import annotations

import math
import numbers
import os
from collections.abc import Mapping
from datetime import UTC, date, datetime
from enum import Enum

from trajscope.errors import RecordError

MAX_DEPTH = 32  # lists and objects inside each other


def plain(value: object, where: str, depth: int = 0) -> object:
    """The value as plain JSON types; raises where it has none, is not finite, or nests too deep."""
    if depth > MAX_DEPTH:
        raise RecordError(f"{where} nests deeper than {MAX_DEPTH} levels; write it as text")
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, Enum):
        return plain(value.value, where, depth + 1)
    if isinstance(value, str):
        # A lone surrogate has no UTF-8: it is written out, visibly, as its escape.
        return value.encode("utf-8", "backslashreplace").decode()
    if isinstance(value, Mapping):
        return {_key(k, where): plain(v, f"{where}.{k}", depth + 1) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [plain(v, f"{where}[{i}]", depth + 1) for i, v in enumerate(value)]
    if isinstance(value, set | frozenset):
        return sorted((plain(v, where, depth + 1) for v in value), key=repr)
    if isinstance(value, datetime):
        return utc(value)
    if isinstance(value, os.PathLike | date):
        return str(value)
    number = _number(value)
    if number is None:
        raise RecordError(
            f"{where} is a {type(value).__name__}, which JSON cannot hold; pass a number, text, list or dict"
        )
    if isinstance(number, float) and not math.isfinite(number):
        raise RecordError(f"{where} is {number}, and a number that is not finite is never written; pass None or text")
    return number


def finite(value: object) -> object:
    """The measured value with None wherever a number is not finite: a diverged loss is a missing value."""
    if isinstance(value, Mapping):
        return {k: finite(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [finite(v) for v in value]
    return None if not_finite(value) else value


def has_nan(value: object) -> bool:
    """Whether `finite` would lose something here."""
    if isinstance(value, Mapping):
        return any(has_nan(v) for v in value.values())
    if isinstance(value, list | tuple):
        return any(has_nan(v) for v in value)
    return not_finite(value)


def not_finite(value: object) -> bool:
    """Whether this is a number, and NaN or infinite."""
    number = None if value is None or isinstance(value, bool | str) else _number(value)
    return isinstance(number, float) and not math.isfinite(number)


def utc(moment: datetime) -> str:
    """A time as the contract writes it: UTC with `Z` and milliseconds; a naive time stays naive."""
    if moment.tzinfo is None:
        return moment.isoformat(timespec="milliseconds")
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"


def _key(key: object, where: str) -> str:
    if isinstance(key, str):
        return str(plain(key, where))
    raise RecordError(f"{where} has the key {key!r}, and JSON keys are text; write str({key!r})")


def _number(value: object) -> int | float | None:
    if isinstance(value, numbers.Integral):
        return int(value)
    if isinstance(value, numbers.Real):
        return float(value)
    # A tensor or array of one element: numpy and torch both call it item().
    item = getattr(value, "item", None)
    if callable(item) and getattr(value, "ndim", 0) == 0:
        inner = item()
        return inner if isinstance(inner, int | float) else None
    return None
