"""What a writer owes beyond shape: no keep without evidence, no guard without a bound, no trial without a proposal.

Reading never asks this: a stranger's line that falls short is shown, not refused.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from trajscope.record.models import End, Event, Measure, Record, RunHeader, SeedResult, Trial

# Fields that may be missing when a line is read, and must be there when one is written.
REQUIRED: dict[str, tuple[str, ...]] = {
    "run": ("v", "type", "seq", "prev", "run_id", "campaign", "started", "metric"),
    "trial": ("v", "type", "seq", "prev", "iter", "status", "attempts", "value"),
    "measure": ("v", "type", "seq", "prev", "what"),
    "event": ("v", "type", "seq", "prev", "kind", "data"),
    "end": ("v", "type", "seq", "prev", "reason", "counts"),
}
UNPROPOSED = ("blocked", "proposer_error", "other")  # the statuses that may have no proposal


def fault(line: Record, metric: str | None = None) -> str | None:
    """Why this line must not be written, or None; `metric` is the name the run's header gives its metric."""
    nullable = ("value",) if isinstance(line, Trial) else ()
    for name in REQUIRED[line.type][2:]:
        if name not in line.model_fields_set or (name not in nullable and getattr(line, name) is None):
            return f"has no {name}"
    match line:
        case RunHeader():
            return _header(line)
        case Trial():
            return _attempts(line) or _evidence(line, metric) or _holdout(line)
        case Measure() | Event() | End():
            return None


def _header(run: RunHeader) -> str | None:
    specs = run.metrics or []
    names = [m.name for m in specs]
    if twice := next((n for n in names if names.count(n) > 1), None):
        return f"declares the metric {twice!r} twice"
    for m in specs:
        if m.role == "guard" and m.floor is None and m.ceiling is None:
            return f"declares the guard {m.name!r} without floor or ceiling: a guard without a bound guards nothing"
        if m.role == "primary" and m.name != run.metric.name:
            return f"declares {m.name!r} as primary beside its metric {run.metric.name!r}; a run has one"
    return None


def _attempts(trial: Trial) -> str | None:
    if trial.status == "other" and not trial.raw_status:
        return "is other, and no raw_status says in what word; it is for what another format said"
    for number, attempt in enumerate(trial.attempts, start=1):
        # A refused attempt may have been prose: it changes nothing, and it is recorded that somebody said it.
        if not attempt.changes and not attempt.refused and trial.status not in UNPROPOSED:
            return (
                f"is {trial.status}, but attempt {number} changes nothing: name the knobs, or code:<symbol> for an edit"
            )
    standing = [a for a in trial.attempts if not a.refused]
    if trial.status == "blocked":
        passed = [a for a in standing if a.verdict is not None]
        return "is blocked, but a rail let an attempt pass" if passed else None
    if trial.status not in UNPROPOSED and len(standing) != 1:
        return (
            f"is {trial.status}, but {len(standing)} of its {len(trial.attempts)} attempts stand unrefused; one was run"
        )
    return None


def _evidence(trial: Trial, metric: str | None) -> str | None:
    source = trial.value_source
    if source is not None and trial.value is None:
        return f"has the value source {source!r} and no value"
    if source == "seeds" and (why := _derived(trial.value, trial.seeds or [], metric)):
        return f"says its value comes from its seeds, but {why}"
    if trial.status != "kept":
        return None
    if trial.value is None:
        return "is kept without a value; only a finite number can be kept"
    if source is None:
        return "is kept without seeds, and does not say that its value is reported (value_source)"
    for seed in trial.seeds or []:
        if metric is not None and seed.status == "ok" and seed.metrics.get(metric) is None:
            return f"is kept, but its seed {seed.seed} is ok without a {metric}"
    changed = trial.ran.changes if trial.ran else []
    if not trial.diff and (code := next((c.knob for c in changed if c.knob.startswith("code:")), None)):
        return f"is kept with the edit {code} and no diff; an edit that nobody can read again is not kept"
    return None


def _derived(value: float | None, seeds: list[SeedResult], metric: str | None) -> str | None:
    if not seeds:
        return "it has none"
    if lost := next((s for s in seeds if s.status != "ok"), None):
        return f"seed {lost.seed} is {lost.status}, and a mean over survivors is not derived but reported"
    if metric is None:
        return None
    if (derived := mean([s.metrics.get(metric) for s in seeds])) is None:
        return f"not every seed has a {metric}"
    if value is None or not math.isclose(value, derived, rel_tol=1e-9, abs_tol=1e-12):
        return f"their mean {metric} is {derived:g}, not {value}"
    return None


def mean(values: Sequence[float | None]) -> float | None:
    """The mean over all seeds, or None where one has no value: survivors do not speak for the dead."""
    known = [v for v in values if v is not None]
    return math.fsum(known) / len(known) if known and len(known) == len(values) else None


def _holdout(trial: Trial) -> str | None:
    if trial.holdout is not None and trial.holdout.model_extra:
        return f"tells more of the holdout than its bit: {', '.join(trial.holdout.model_extra)}"
    return None
