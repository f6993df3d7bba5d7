"""How a call may spell what a record holds: dicts, pairs and lists as the shapes of the file contract.

Fills nothing in that the caller did not say, except what follows: a status from `kept`, a value from its seeds.
"""

from __future__ import annotations

import hashlib
import json
import math
import platform
from collections.abc import Iterable, Mapping, Sequence
from typing import cast

from trajscope import pair
from trajscope.errors import RecordError
from trajscope.verdict import Level, Verdict

Changes = Mapping[str, object] | tuple[str, object] | Sequence[object] | None
Seeds = Mapping[int, float | None] | Sequence[Mapping[str, object]] | None
Fields = dict[str, object]
_LISTS = ("evidence", "elsewhere", "alternatives")  # of a verdict


def changes(given: Changes) -> list[Fields]:
    """`{knob: value}`, `(knob, value)`, one `{"knob", "value"}`, or a list of the latter two, as a list of changes."""
    from trajscope.record import plain

    if given is None:
        return []
    if isinstance(given, Mapping):
        found = [given] if given.keys() >= {"knob", "value"} else [{"knob": k, "value": v} for k, v in given.items()]
    elif isinstance(given, tuple) and len(given) == 2 and isinstance(given[0], str):
        found = [{"knob": given[0], "value": given[1]}]
    elif isinstance(given, str) or not isinstance(given, Sequence):
        raise RecordError(
            f"changes are a {type(given).__name__}; pass {{knob: value}}, (knob, value) or a list of those"
        )
    else:
        return [one for item in given for one in changes(cast("Changes", item))]
    return [cast("Fields", plain(c, f"change of {c.get('knob')!r}")) for c in found]


def attempt(given: Mapping[str, object]) -> Fields:
    """An attempt whose changes and verdict may be spelt as in a call; `{knob, value, reason}` is one of one change."""
    out = dict(given)
    if "changes" in out:
        out["changes"] = changes(cast("Changes", out["changes"]))
    elif "knob" in out:
        out = {"changes": changes((str(out.pop("knob")), out.pop("value", None))), **out}
    if "verdict" in out:
        out["verdict"] = verdict(cast("Verdict | Mapping[str, object] | None", out["verdict"]))
    return known(out)


def verdict(given: Verdict | Mapping[str, object] | None) -> Fields | None:
    """A verdict as written: its level by name, lists only where they hold something."""
    if given is None:
        return None
    out: Fields = dict(given._asdict()) if isinstance(given, Verdict) else dict(given)
    if isinstance(level := out.get("level"), Level):
        out["level"] = level.name
    return {k: v for k, v in out.items() if k not in _LISTS or v not in ((), None)}


def status(given: str | None, *, kept: bool | None) -> str:
    """The status a trial is written with; what was decided is the caller's to say."""
    if given is None and kept is None:
        raise RecordError("a trial needs a decision: pass kept=True, kept=False or status=")
    if given is None:
        return "kept" if kept else "reverted"
    if kept is not None and bool(kept) != (given == "kept"):
        raise RecordError(f"a trial cannot be kept={kept} and have the status {given!r}")
    return given


def seeds(given: Seeds, metric: str) -> list[Fields] | None:
    """`{seed: value}` or a list of seed results; a seed whose metric is not finite did not end well."""
    from trajscope.record import not_finite

    if given is None:
        return None
    if isinstance(given, Mapping):
        given = [
            {"seed": s, "status": "missing" if v is None else "ok", "metrics": {metric: v}} for s, v in given.items()
        ]
    out = []
    for one in given:
        result = dict(one)
        measured = result.get("metrics")
        if result.get("status") == "ok" and isinstance(measured, Mapping) and not_finite(measured.get(metric)):
            result["status"] = "nan"
        out.append(result)
    return out


def value(given: object, results: list[Fields] | None, metric: str) -> tuple[object, str | None]:
    """The value of a trial and where it comes from; derived only where every seed ended well."""
    from trajscope.record import mean, plain

    found: list[object] = []
    for one in results or []:
        measured = one.get("metrics")
        found.append(measured.get(metric) if one.get("status") == "ok" and isinstance(measured, Mapping) else None)
    known = [None if v is None else cast("float", plain(v, metric)) for v in found]
    derived = mean(known)
    if given is None:
        return derived, None if derived is None else "seeds"
    same = derived is not None and isinstance(given, float | int) and math.isclose(given, derived, rel_tol=1e-9)
    return given, "seeds" if same else "reported"


def cost(given: Mapping[str, object] | None, wall_s: float | None) -> Fields | None:
    """The cost with its most common part spelt outside."""
    out = dict(given or {}) | ({} if wall_s is None else {"wall_s": wall_s})
    return out or None


def known(fields: Mapping[str, object], *, keep: str = "") -> Fields:
    """The fields that hold something; what is unknown is left out, except the one to `keep`."""
    return {k: v for k, v in fields.items() if v is not None or k == keep}


def applied(attempts: Iterable[Mapping[str, object]]) -> Fields:
    """What the proposal that was run changes, or nothing where none was."""
    standing: Fields = {}
    for one in attempts:
        judged = one.get("verdict")
        if not (isinstance(judged, Mapping) and judged.get("level") in ("FAIL", "UNKNOWN")):
            standing = {str(c["knob"]): c["value"] for c in cast("list[Fields]", one.get("changes") or [])}
    return standing


def header(
    metric: str | Mapping[str, object], goal: str, base: Mapping[str, object] | None, rest: Mapping[str, object]
) -> Fields:
    """The fields of a run line, with the campaign and the base hash that follow from the others."""
    from trajscope.record import plain

    measured: Fields = {"name": metric, "goal": goal} if isinstance(metric, str) else {"goal": goal, **metric}
    if "name" not in measured:
        raise RecordError("the metric has no name; pass metric='...' or {'name': ..., 'goal': ...}")
    regime = plain([rest.get("domain"), measured, rest.get("evaluator_hash")], "metric")
    campaign = hashlib.sha256(json.dumps(regime, sort_keys=True).encode()).hexdigest()[:12]
    out: Fields = {"campaign": campaign, "metric": measured, **rest}
    if base is not None:
        config = cast("Fields", plain(base, "base"))
        out["base"] = {"config": config, "hash": config_hash(config, rest)}
    out.setdefault("software", {"python": platform.python_version()})
    return out


def config_hash(config: Mapping[str, object], run: Mapping[str, object], parent: object = None) -> str:
    """The hash of a configuration under a run's evaluator and data."""
    evaluator, data = run.get("evaluator_hash"), run.get("data_hash")
    return pair.config_hash(config, *(None if x is None else str(x) for x in (evaluator, data, parent)))
