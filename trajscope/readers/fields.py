"""What every JSON reader needs: one lenient decode, times, and an honest account of what could not be used."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from itertools import islice
from typing import Annotated, Any, TypeGuard, TypeVar, get_args

import msgspec

from trajscope.pair import canon
from trajscope.trial import Goal, Line, Unreadable

T = TypeVar("T", bound=msgspec.Struct)
FAR = 1e150  # a number beyond overflows when it is squared; a run that got there has diverged
MAX_WHY = 120  # letters of a reason that are kept
_EPOCH, _NAIVE_EPOCH = datetime(1970, 1, 1, tzinfo=UTC), datetime(1970, 1, 1)  # noqa: DTZ001  # for naive times
_MS, _HALF_MS = timedelta(milliseconds=1), timedelta(microseconds=500)
Whole = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]  # what a column can hold


def unreadable(line: Line, why: str) -> tuple[Unreadable]:
    """The line as a counted, located, visible row."""
    return (Unreadable(seq=line.seq, at=line.at, why=why[:MAX_WHY], torn=line.torn),)


def loose(data: bytes) -> Any:
    """JSON as people write it: NaN and Infinity tokens and broken UTF-8 are read; what is no JSON is a ValueError."""
    try:
        return msgspec.json.decode(data)  # three times quicker; what it refuses is looked at again
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        pass
    try:
        obj = json.loads(data.decode("utf-8", "replace"))
        if b"\\ud" in data or b"\\uD" in data:  # half a surrogate pair would break whatever writes it
            whole = json.dumps(obj, ensure_ascii=False).encode("utf-16", "surrogatepass").decode("utf-16", "replace")
            obj = json.loads(whole)
    except RecursionError:
        raise ValueError("nested too deeply") from None
    return obj


def record(line: Line) -> dict[str, Any] | str:
    """The JSON object of a line, or why it holds none."""
    if line.fault:
        return line.fault
    try:
        obj = loose(line.data)
    except ValueError as e:
        return f"not JSON: {e}"
    return obj if isinstance(obj, dict) else f"JSON, but no object: {type(obj).__name__}"


def salvage(obj: Mapping[str, Any], kind: type[T]) -> tuple[T, tuple[str, ...]]:
    """The fields of an object that have the type they should, and the names of those that do not."""
    good: dict[str, Any] = {}
    faults = []
    for field in _fields(kind):
        if field.encode_name not in obj:
            continue
        raw = obj[field.encode_name]
        try:
            good[field.name] = msgspec.convert(_rawed(raw, field.type), field.type, strict=False)
        except (msgspec.MsgspecError, RecursionError):
            faults.append(f"{field.encode_name} is not what it should be: {_short(raw)}")
    return kind(**good), tuple(faults)


@lru_cache(maxsize=64)
def _fields(kind: type[msgspec.Struct]) -> tuple[Any, ...]:
    return msgspec.structs.fields(kind)  # resolves every annotation anew; a file may be salvaged line by line


def shown(value: Any) -> Any:
    """A value as it may stand in any output: a word, a finite number of 64 bits, or the text of all else."""
    if value is None or isinstance(value, bool | str):
        return value
    if isinstance(value, int | float) and abs(value) < 2.0**63:
        return value
    return canon("x", value).text


def finite(x: float | None) -> float | None:
    """The number, or None where it is missing, NaN, infinite, or so far out that no arithmetic survives it."""
    return x if x is not None and -FAR < x < FAR else None


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
    lines = (data for data in head.removeprefix(b"\xef\xbb\xbf").split(b"\n") if not data.isspace() and data)
    for data in islice(lines, most):
        try:
            obj = loose(data)
        except ValueError:
            continue
        if isinstance(obj, dict):
            yield obj


def unfolded(head: bytes, name: str) -> bool:
    """Whether these lines were unfolded from something of this name; the first may be longer than a head."""
    return head.startswith(f'{{"unfolded":"{name}"'.encode())


def is_whole(x: object) -> TypeGuard[int]:
    """Whether it is a whole number that a column can hold."""
    return isinstance(x, int) and not isinstance(x, bool) and abs(x) < 2**63


def text(x: object) -> str | None:
    """A text that says something, else nothing."""
    return x if isinstance(x, str) and x else None


def mapping(x: object) -> dict[str, Any]:
    """An object, an empty one where it is something else."""
    return x if isinstance(x, dict) else {}


def identical(a: object, b: object) -> bool:
    """Equal, and of one type."""
    return type(a) is type(b) and a == b


def _rawed(value: Any, kind: Any) -> Any:
    """The value, its untyped fields turned back to the bytes that a decoder would have left of them."""
    kinds = (kind, *get_args(kind))
    if msgspec.Raw in kinds:
        return msgspec.Raw(json.dumps(value).encode())
    if isinstance(value, list) and len(kinds) > 1:
        return [_rawed(v, kinds[1]) for v in value]
    if isinstance(value, dict):
        for k in kinds:
            if isinstance(k, type) and issubclass(k, msgspec.Struct):
                types = {f.encode_name: f.type for f in _fields(k)}
                return {name: _rawed(v, types.get(name, Any)) for name, v in value.items()}
    return value


def _short(raw: Any) -> str:
    text = canon("x", raw).text
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
_LARGER = (
    "acc",
    "pearson",
    "auroc",
    "auc",
    "f1",
    "score",
    "r2",
    "reward",
    "throughput",
    "tok_s",
    "tok_per_s",
    "tokens_per_s",
    "tok/s",
    "tflops",
    "sharpe",
)


def goal_of(metric: str | None) -> Goal | None:
    """The direction that a metric's name gives away; None where it could be either."""
    name = (metric or "").lower()
    down, up = (any(word in name for word in words) for words in (_SMALLER, _LARGER))
    if down == up:
        return None
    return "minimize" if down else "maximize"
