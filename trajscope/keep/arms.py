"""The seeds of one configuration: read strictly, by seed id, and never without those that failed.

Survivors do not speak for the dead: one seed that failed, or lacks a metric, makes the whole arm unusable.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping, Sequence

from msgspec import Struct

from trajscope.keep.settings import Range, finite
from trajscope.trial import Seed

MOST = 1 << 63  # a seed's id goes into files whose readers count in 64 bits

Result = Mapping[str, object] | Seed
Seeds = Sequence[Result] | Mapping[int, object]


class Row(Struct, frozen=True):
    """One seed that ended well."""

    seed: int
    metrics: dict[str, float]
    first_step: float | None = None


Arm = tuple[Row, ...]  # by seed


def read(given: object, ranges: Mapping[str, Range], primary: str) -> tuple[Arm, list[str]]:
    """The seeds as an arm, and every reason why it must not be judged; only metrics that have a range are read.

    Takes what `run.trial(seeds=...)` takes: seed results, `{seed: value}` of the primary, or `{seed: {metric: value}}`.
    """
    rows: list[Row] = []
    faults: list[str] = []
    try:
        results = list(_results(given, primary))
    except (TypeError, ValueError, AttributeError) as error:
        return (), [f"the seeds cannot be read: {error}"]
    for seed, status, metrics, first in results:
        found = _row(seed, status, metrics, first, ranges)
        if isinstance(found, Row):
            rows.append(found)
        else:
            faults.append(found)
    ids = [r.seed for r in rows]
    if twice := sorted({i for i in ids if ids.count(i) > 1}):
        faults.append(f"seed {_list(twice)} is there twice")
    return tuple(sorted(rows, key=lambda r: r.seed)), faults


def too_few(arm: Arm, n: int) -> str | None:
    """Why the arm has too few seeds."""
    return f"{len(arm)} seeds are there and {n} are needed" if len(arm) < n else None


def ineffective(arm: Arm) -> str | None:
    """Why the seeds may not have done anything: no first step, or the same one in two seeds."""
    if lost := [r.seed for r in arm if r.first_step is None]:
        return f"seed {_list(lost)} has no first_step, so nobody can tell that the seed was honoured"
    steps: dict[float | None, int] = {}
    for r in arm:
        if (other := steps.setdefault(r.first_step, r.seed)) != r.seed:
            return f"seeds {other} and {r.seed} have the same first step, {r.first_step:g}: the seed did nothing"
    return None


def reused(arm: Arm, used: Collection[int]) -> str | None:
    """Why the seeds are not fresh."""
    old = sorted({r.seed for r in arm} & set(used))
    return f"seed {_list(old)} was used before; fresh ones are needed" if old else None


def values(arm: Arm, metric: str) -> list[float]:
    """A metric, seed by seed."""
    return [r.metrics[metric] for r in arm]


def mean(arm: Arm, metric: str) -> float:
    """A metric's mean over the seeds."""
    return math.fsum(values(arm, metric)) / len(arm)


def _results(given: object, primary: str) -> Iterable[tuple[object, object, object, object]]:
    if isinstance(given, Mapping):
        for seed, v in given.items():
            yield seed, "ok", v if isinstance(v, Mapping) else {primary: v}, None
        return
    if given is None or isinstance(given, str | bytes) or not isinstance(given, Sequence):
        raise TypeError(f"{type(given).__name__} is no list of seed results")
    for one in given:
        if isinstance(one, Seed):
            own = {} if one.value is None else {primary: one.value}
            yield one.seed, one.status, {**own, **one.metrics}, one.first_step
        elif isinstance(one, Mapping):
            yield one.get("seed"), one.get("status"), one.get("metrics"), one.get("first_step")
        else:
            raise TypeError(f"{type(one).__name__} is no seed result")


def _row(seed: object, status: object, metrics: object, first: object, ranges: Mapping[str, Range]) -> Row | str:
    if isinstance(seed, bool) or not isinstance(seed, int) or not -MOST < seed < MOST:
        return f"a seed's id is {str(seed)[:40]}; give a whole number of at most 63 bits"
    if status != "ok":
        return f"seed {seed} is {status or 'without a status'}, and the others do not speak for it"
    if not isinstance(metrics, Mapping):
        return f"seed {seed} has no metrics"
    known: dict[str, float] = {}
    for name, (low, high) in ranges.items():
        if name not in metrics:
            return f"seed {seed} has no {name}"
        value = finite(metrics[name])
        if value is None:
            return f"{name} of seed {seed} is {metrics[name]!r}, no finite number"
        if not low <= value <= high:
            return f"{name} of seed {seed} is {value:g}, outside [{low:g}, {high:g}]"
        known[name] = value
    step = finite(first)
    if first is not None and step is None:
        return f"the first_step of seed {seed} is {first!r}, no finite number"
    return Row(seed, known, step)


def _list(seeds: Sequence[int]) -> str:
    shown = ", ".join(map(str, seeds[:5]))
    return f"{shown} and {len(seeds) - 5} more" if len(seeds) > 5 else shown


def reported(given: object) -> set[object]:
    """Every metric that some seed reports."""
    try:
        return {m for _, _, metrics, _ in _results(given, "") if isinstance(metrics, Mapping) for m in metrics}
    except (TypeError, ValueError, AttributeError):
        return set()  # what cannot be read is refused by `read`
