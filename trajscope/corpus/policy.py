"""Policies: the thresholds that a corpus must meet, as small TOML files, each of them whole.

A key that is not known is an error that names the nearest; so is one that is missing, for a check without its
threshold would be no check.
"""

from __future__ import annotations

import difflib
import math
import tomllib
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct

from trajscope.corpus.diversity import KernelName
from trajscope.errors import PolicyError

SHIPPED = ("strict", "default", "exploratory")
Share = Annotated[float, Meta(ge=0, le=1)]
Count = Annotated[int, Meta(ge=0)]
Some = Annotated[int, Meta(ge=1)]
AboveOne = Annotated[float, Meta(gt=1)]  # nothing has fewer modes than one, so a bound of one could not fail


class Least(Struct, forbid_unknown_fields=True, frozen=True):
    """So many are needed; fewer are too few to know."""

    min: Some


class LeastOf(Struct, forbid_unknown_fields=True, frozen=True):
    """So many are needed, once there are `min_n` rows that they could have come from."""

    min: Some
    min_n: Some


class ShareFrom(Struct, forbid_unknown_fields=True, frozen=True):
    """A share must be at least this, once it is a share of `min_n`."""

    min: Share
    min_n: Some


class ShareUpTo(Struct, forbid_unknown_fields=True, frozen=True):
    """A share may be at most this, once it is a share of `min_n`."""

    max: Share
    min_n: Some


class BoundedShare(Struct, forbid_unknown_fields=True, frozen=True):
    """The same, and the upper end of its 95% interval (Clopper-Pearson) at most `upper`."""

    max: Share
    upper: Share
    min_n: Some


class Modes(Struct, forbid_unknown_fields=True, frozen=True):
    """Effective numbers by entropy and by Simpson must be at least these."""

    effective: AboveOne
    simpson: AboveOne
    kernel: KernelName
    min_n: Some


class CountUpTo(Struct, forbid_unknown_fields=True, frozen=True):
    """At most so many, once so many were looked at."""

    max: Count
    min_n: Some


class Alike(Struct, forbid_unknown_fields=True, frozen=True):
    """At most so many test prompts that share this much with a train prompt."""

    max: Count
    similarity: Annotated[float, Meta(gt=0, le=1)]
    min_n: Some


class Trust(Struct, forbid_unknown_fields=True, frozen=True):
    """At most so many tampered or suspect rows, and rules that must have been able to look."""

    max: Count
    requires: tuple[str, ...]


class Policy(Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """All thresholds; each field is a check by name."""

    rows: Least
    labels: LeastOf
    label_duplicates: ShareUpTo
    label_share: ShareUpTo
    knob_coverage: ShareFrom
    keeps: LeastOf
    keep_rate: ShareUpTo
    keep_labels: LeastOf
    confirmed_keeps: ShareFrom
    keep_share: BoundedShare
    keep_modes: Modes
    keep_coverage: ShareFrom
    shift: ShareUpTo
    overlap: ShareUpTo
    leakage: CountUpTo
    near_duplicates: Alike
    text_duplicates: ShareUpTo
    fidelity: ShareFrom
    contradictions: CountUpTo
    claims: CountUpTo
    menu: CountUpTo
    trust: Trust
    power: Least
    campaigns: Least


def load(named: str | Path) -> tuple[str, Policy]:
    """A shipped policy by its name, or the one in a TOML file; with the name to call it by."""
    if str(named) in SHIPPED:
        text = (resources.files("trajscope.corpus") / "policies" / f"{named}.toml").read_text("utf-8")
        return str(named), parse(text, str(named))
    path = Path(named)
    if path.suffix != ".toml" and not path.exists():
        near = difflib.get_close_matches(str(named), SHIPPED, 1)
        hint = f"did you mean {near[0]}?" if near else f"have {', '.join(SHIPPED)}, or name a .toml file"
        raise PolicyError(f"no policy is called {str(named)!r}; {hint}")
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as e:
        raise PolicyError(f"{path}: cannot be read ({getattr(e, 'strerror', None) or e}); name another file") from None
    return path.name, parse(text, str(path))


def parse(text: str, where: str) -> Policy:
    """A policy from its TOML."""
    try:
        table = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as e:
        raise PolicyError(f"{where}: is not TOML ({e}); mend it") from None
    fields = {f.name: f.type for f in msgspec.structs.fields(Policy)}
    _only(table, tuple(fields), where, "[{}]")
    for name, kind in fields.items():
        section = table.get(name)
        if section is None:
            raise PolicyError(f"{where}: [{name}] is missing, and a check without its threshold is no check; add it")
        if not isinstance(section, dict):
            raise PolicyError(f"{where}: {name} is no table; write [{name}]")
        keys = tuple(f.name for f in msgspec.structs.fields(kind))
        _only(section, keys, where, f"[{name}] {{}}")
        for key in keys:
            if key not in section:
                raise PolicyError(f"{where}: [{name}] {key} is missing, and nothing stands in for it; add it")
            if isinstance(section[key], float) and not math.isfinite(section[key]):
                raise PolicyError(f"{where}: [{name}] {key} is {section[key]}; give a finite number")
    try:
        found = msgspec.convert(table, Policy)
    except msgspec.ValidationError as e:
        why, _, place = str(e).partition(" - at `$.")
        name, _, key = place.rstrip("`").partition(".")
        raise PolicyError(f"{where}: [{name}] {key}: {why[:1].lower()}{why[1:].replace('`', '')}; mend it") from None
    _rules(found, where)
    return found


def _only(table: Mapping[str, Any], known: tuple[str, ...], where: str, spelt: str) -> None:
    for key in table:
        if key not in known:
            near = difflib.get_close_matches(key, known, 1)
            hint = f"did you mean {spelt.format(near[0])}?" if near else f"known: {', '.join(known)}"
            raise PolicyError(f"{where}: {spelt.format(key)} is nothing that a policy knows; {hint}")


def _rules(policy: Policy, where: str) -> None:
    from trajscope.rules import RULES

    known = [r.name for r in RULES]
    for name in policy.trust.requires:
        if name not in known:
            near = difflib.get_close_matches(name, known, 1)
            hint = f"did you mean {near[0]}?" if near else f"known: {', '.join(known)}"
            raise PolicyError(f"{where}: [trust] requires {name!r}, which is no rule; {hint}")
