"""Step 0: whether what ran is what was proposed, on the parent that stands, under the ruler the campaign began with."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Literal

from msgspec import Struct

from trajscope.keep.arms import Arm, reused
from trajscope.keep.finding import Finding, abort, passed
from trajscope.keep.settings import GateSettings, text, whole
from trajscope.keep.state import State
from trajscope.pair import config_hash

RULE = "keep.integrity"
Config = str | Mapping[str, object]


class Ran(Struct, frozen=True, kw_only=True):
    """What ran, as the harness saw it. None means that nobody looked, and what nobody looked at is not kept.

    A configuration is a mapping of all knobs, or its hash. `hashes` are those of evaluator, tests and data now; `seen`
    is how many earlier trials of the campaign ran this configuration; `shown` are the texts the proposer was given.
    """

    proposed: Config | None = None
    effective: Config | None = None
    parent: Config | None = None
    hashes: Mapping[str, str] | None = None
    seen: int | None = None
    intent: Literal["replicate", "revisit"] | None = None
    diff: str | None = None
    shown: tuple[str, ...] | None = None


def name(config: object) -> str | None:
    """The hash of a configuration, where it is one."""
    if isinstance(config, Mapping):
        return config_hash(config)
    return config if isinstance(config, str) and config.strip() else None


def integrity(settings: GateSettings, state: State, ran: Ran, arm: Arm) -> Finding:
    """The first thing that differs from what it should be, or that nobody looked at."""
    if "integrity" in settings.without:
        return passed(RULE, "not asked")
    found = _ruler(state, ran) or _config(state, ran) or _again(state, ran, arm)
    if found is None and not text(diff(ran)):
        found = abort(RULE, "there is no diff; an edit that nobody can read again is not kept")
    return found or passed(RULE, f"what ran is what was proposed, {name(ran.effective)}")


def diff(ran: Ran) -> str:
    """The edit as text: as given, or knob by knob where both configurations are known whole."""
    if ran.diff is not None:
        return ran.diff if text(ran.diff) else ""
    if not isinstance(ran.parent, Mapping) or not isinstance(ran.effective, Mapping):
        return ""
    return "\n".join(f"{k}: {a} -> {b}" for k, a, b in _differing(ran.parent, ran.effective))


def _ruler(state: State, ran: Ran) -> Finding | None:
    if not isinstance(ran.hashes, Mapping) or not ran.hashes:
        return abort(RULE, "the hashes of evaluator and data were not taken after the run")
    start = state.hashes or {}
    for what in sorted({*start, *ran.hashes}, key=str):
        before, now = (str(h.get(what, "missing"))[:12] for h in (start, ran.hashes))
        if start.get(what) != ran.hashes.get(what):
            return abort(RULE, f"{what} was {before} at the campaign's start and is {now} now", sure=True)
    return None


def _config(state: State, ran: Ran) -> Finding | None:
    proposed, effective, parent = name(ran.proposed), name(ran.effective), name(ran.parent)
    for what, config in (("proposed", proposed), ("effective", effective), ("parent", parent)):
        if config is None:
            return abort(RULE, f"the {what} configuration is not known; hand it over with ran")
    if effective != proposed:
        moved = _drift(ran.proposed, ran.effective) or f"proposed {proposed}, ran {effective}"
        return abort(RULE, f"what ran is not what was proposed: {moved}", sure=True)
    if parent != state.incumbent.config:
        return abort(RULE, f"it was applied to {parent}, and {state.incumbent.config} stands", sure=True)
    if effective == parent:
        return abort(RULE, "it changes nothing: what ran is the incumbent", sure=True)
    return None


def _again(state: State, ran: Ran, arm: Arm) -> Finding | None:
    if not whole(ran.seen, 0):
        return abort(RULE, "nobody looked whether this configuration ran before; hand over how often, as seen")
    times = max(ran.seen or 0, state.tried.get(name(ran.effective) or "", 0))
    if not times:
        return None
    if ran.intent != "replicate":
        often = "once" if times == 1 else f"{times} times"
        why = f"this configuration ran {often} before; declare a replicate, with fresh seeds"
        return abort(RULE, why, sure=True)
    old = reused(arm, state.used)
    return abort(RULE, f"a replicate: {old}", sure=True) if old else None


def _drift(old: object, new: object) -> str:
    """The knobs that differ, where both configurations are known whole."""
    if not isinstance(old, Mapping) or not isinstance(new, Mapping):
        return ""
    return "; ".join(f"{k}: proposed {a}, ran {b}" for k, a, b in _differing(old, new)[:5])


def _differing(old: Mapping[str, object], new: Mapping[str, object]) -> list[tuple[str, str, str]]:
    out = []
    for k in sorted({*old, *new}, key=str):
        before, after = ({k: c[k]} if k in c else {} for c in (old, new))
        if config_hash(before) != config_hash(after):
            a, b = (json.dumps(c[k], default=str) if c else "not there" for c in (before, after))
            out.append((str(k), a, b))
    return out
