"""Seeds of a native line: what each scored, and what they come to together. Knows no line but the fields of one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from trajscope.readers.fields import finite
from trajscope.readers.wire import LineFields, SeedFields
from trajscope.trial import Seed


def seed(s: SeedFields, metric: str | None) -> Seed:
    """One seed."""
    value = finite(s.metrics.get(metric)) if metric else None
    shas = s.code_sha, s.effective_config_sha, s.data_sha, s.predictions_sha
    return Seed(s.seed, value, s.status, finite(s.wall_s), finite(s.first_step), s.metrics, s.error, *shas)  # type: ignore[arg-type]  # values may be None, seen by the guards


def metrics(row: LineFields, seeds: tuple[Seed, ...]) -> Mapping[str, Any] | None:
    """Every metric: as reported, else the mean over the seeds that ended well."""
    if row.metrics is not None:
        return {k: finite(v) for k, v in row.metrics.items()}
    names = {n for s in seeds for n in s.metrics}
    if not names:
        return None
    good = [s for s in seeds if s.status == "ok"]
    return {n: _mean([s.metrics.get(n) for s in good]) for n in sorted(names)}


def _mean(values: list[float | None]) -> float | None:
    known = [finite(v) for v in values]
    if not known or any(v is None for v in known):
        return None
    return finite(sum(v for v in known if v is not None) / len(known))
