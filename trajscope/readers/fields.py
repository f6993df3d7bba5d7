"""What every JSON reader needs: one lenient decode, times, and an honest account of what could not be used."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import msgspec

from trajscope.trial import Goal, Line, Unreadable

T = TypeVar("T", bound=msgspec.Struct)
MAX_WHY = 120  # letters of a reason that are kept
_EPOCH, _NAIVE_EPOCH = datetime(1970, 1, 1, tzinfo=UTC), datetime(1970, 1, 1)  # noqa: DTZ001  # for naive times
_MS, _HALF_MS = timedelta(milliseconds=1), timedelta(microseconds=500)


def unreadable(line: Line, why: str) -> tuple[Unreadable]:
    """The line as a counted, located, visible row."""
    return (Unreadable(seq=line.seq, at=line.at, why=why[:MAX_WHY], torn=line.torn),)


def loose(data: bytes) -> Any:
    """JSON as people write it: NaN and Infinity tokens and broken UTF-8 are read, all else that is no JSON raises."""
    return json.loads(data.decode("utf-8", "replace"))


def salvage(obj: Mapping[str, Any], kind: type[T]) -> tuple[T, tuple[str, ...]]:
    """The fields of an object that have the type they should, and the names of those that do not."""
    good: dict[str, Any] = {}
    faults = []
    for field in msgspec.structs.fields(kind):
        if field.encode_name not in obj:
            continue
        raw = obj[field.encode_name]
        try:
            good[field.name] = msgspec.convert(_keep_raw(raw, field.type), field.type, strict=False)
        except (msgspec.ValidationError, RecursionError):
            faults.append(f"{field.encode_name} is not what it should be: {_short(raw)}")
    return kind(**good), tuple(faults)


def finite(x: float | None) -> float | None:
    """The number, or None where it is missing, NaN or infinite."""
    return x if x is not None and math.isfinite(x) else None


def time_ms(text: str | None) -> int | None:
    """Milliseconds since 1970 of an ISO time; a naive time is taken as it stands, only differences are used."""
    if not text:
        return None
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        return None
    # Three times quicker than timestamp(), and this is asked of every row.
    return (at - (_EPOCH if at.tzinfo else _NAIVE_EPOCH) + _HALF_MS) // _MS


def head_objects(head: bytes, most: int = 20) -> Iterable[dict[str, Any]]:
    """The first JSON objects of a file, for sniffing."""
    for data in head.removeprefix(b"\xef\xbb\xbf").split(b"\n")[:most]:
        try:
            obj = loose(data)
        except (ValueError, RecursionError):
            continue
        if isinstance(obj, dict):
            yield obj


def _keep_raw(raw: Any, kind: Any) -> Any:
    return msgspec.Raw(msgspec.json.encode(raw)) if "Raw" in str(kind) and raw is not None else raw


def _short(raw: Any) -> str:
    text = repr(raw)
    return text if len(text) <= 40 else text[:37] + "..."


_SMALLER = (
    "loss",
    "bpb",
    "rmse",
    "mse",
    "mae",
    "err",
    "perplexity",
    "ppl",
    "latency",
    "wall",
    "seconds",
    "time",
    "fvu",
)
_LARGER = ("acc", "pearson", "auroc", "auc", "f1", "score", "r2", "reward", "throughput", "tok_sec", "tflops", "sharpe")


def goal_of(metric: str | None) -> Goal | None:
    """The direction that a metric's name gives away; None where it could be either."""
    name = (metric or "").lower()
    down, up = (any(word in name for word in words) for words in (_SMALLER, _LARGER))
    if down == up:
        return None
    return "minimize" if down else "maximize"
