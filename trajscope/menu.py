"""The menu: what may be proposed, as declared knobs with their ranges, scales, cells and constraints.

Knows nothing of trials. Imports no pydantic, so that a rail can start in a few milliseconds.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from trajscope.constraint import Constraint, constraints
from trajscope.errors import MenuError
from trajscope.knob import BINS, SCALES, TYPES, ZERO_TO, Knob, family, fold_name, is_number, said
from trajscope.pair import Change, Pair, canon, pair, spelled

LOG_FROM = 100.0  # a range whose ends are this far apart is looked at on a log scale
_FAR = 1e150  # ends of a range: beyond, widths and products of them overflow
INFERRED = "inferred"  # the mark of a menu that nobody declared, until a person takes it out
RULE = f"choices and ranges in {BINS} bins, without discrete defaults"

_OTHER_WORDS = {"integer": "int", "number": "float", "string": "str", "categorical": "str", "boolean": "bool"}


@dataclass(frozen=True, slots=True)
class Menu:
    """The declared list of knobs."""

    knobs: Mapping[str, Knob]
    constraints: tuple[Constraint, ...] = ()
    source: str = "menu"
    declared: bool = True  # False when it was inferred from a source file, or guessed from what was proposed
    _aliases: Mapping[str, str] = field(default_factory=dict)

    def find(self, name: str) -> Knob | None:
        """The knob of this name: exactly, or by an alias that it declares."""
        known = self.knobs
        return known.get(name) or known.get(spelled(name)) or known.get(self._aliases.get(fold_name(name), ""))

    def change(self, name: str, value: object) -> Change:
        """The canonical change; a knob the menu does not hold keeps its name and is marked unknown."""
        knob = self.find(name)
        return canon(name, value, knob, known=knob is not None)

    def pair(self, changes: Mapping[str, object]) -> Pair:
        """The canonical pair of these changes."""
        return pair(self.change(k, v) for k, v in changes.items())

    def broken(self, config: Mapping[str, object]) -> list[str]:
        """The constraints that a whole configuration breaks, in words."""
        out = []
        for c in self.constraints:
            try:
                if not c.holds(config):
                    out.append(f"{c.name}: {c.rule} does not hold")
            except (KeyError, TypeError, ArithmeticError, ValueError, RecursionError) as e:
                out.append(f"{c.name}: {c.rule} cannot be checked ({type(e).__name__}: {e})")
        return out

    def to_json(self) -> dict[str, Any]:
        """The menu as an object that `parse` reads back as the same menu."""
        out: dict[str, Any] = {} if self.declared else {INFERRED: self.source}
        out["knobs"] = {k.name: _spelt(k) for k in self.knobs.values()}
        if self.constraints:
            out["constraints"] = [{"id": c.name, "rule": c.rule} for c in self.constraints]
        return out

    @property
    def defaults(self) -> dict[str, object]:
        """The default configuration, as far as it is declared."""
        return {k.name: k.default for k in self.knobs.values() if k.has_default}

    @property
    def cells(self) -> int | None:
        """Cells that a proposal can reach (`RULE`); None when a knob's cells cannot be counted."""
        if not self.knobs or any(not k.size for k in self.knobs.values()):
            return None
        return sum(k.size - k.default_cell for k in self.knobs.values())


def _spelt(k: Knob) -> dict[str, Any]:
    """A knob as a menu declares it, with everything that was guessed written out."""
    span = {"choices": k.choices, "range": k.range, "units": dict(k.units), "aliases": k.aliases, "set": k.is_set}
    out = {"type": k.type, "family": k.family, "scale": k.scale, "bins": k.bins}
    out |= {name: list(v) if isinstance(v, tuple) else v for name, v in span.items() if v}
    return out | ({"default": k.default} if k.has_default else {})


def load(path: str | Path) -> Menu:
    """The menu in a JSON file."""
    path = Path(path)
    try:
        raw = path.read_bytes()
    except (OSError, ValueError) as e:
        why = getattr(e, "strerror", None) or e
        raise MenuError(f"{path}: cannot be read ({why}); name an existing menu with --menu") from None
    try:
        data = json.loads(raw.removeprefix(b"\xef\xbb\xbf"), object_pairs_hook=_once)
    except (ValueError, RecursionError) as e:
        raise MenuError(f"{path}: not JSON ({e}); a menu is an object with a `knobs` object") from None
    return parse(data, str(path))


def parse(data: object, source: str = "menu") -> Menu:
    """A menu from its JSON object; a menu that contradicts itself is an error, not a smaller menu."""
    if not isinstance(data, dict):
        raise MenuError(f"{source}: a menu is an object with a `knobs` object")
    raw = data.get("knobs", data)
    if isinstance(raw, list):
        raw = _named(raw, source)
    if not isinstance(raw, dict) or not raw:
        raise MenuError(f"{source}: has no knobs; a menu is an object with a `knobs` object")
    knobs: dict[str, Knob] = {}
    families = _families(data.get("families"))
    for key, spec in raw.items():
        name = spelled(str(key))
        if not name or name in knobs:
            raise MenuError(f"{source}: knob {said(name)}: stands twice or has no name; each knob has its own")
        knobs[name] = _knob(name, spec, families, source)
    declared = "knobs" not in data or INFERRED not in data  # whatever it says: doubt is not taken away by a value
    limits = constraints(data.get("constraints"), frozenset(knobs), source)
    menu = Menu(knobs, limits, source, declared, _aliases(knobs, source))
    settled = tuple(c for c in menu.constraints if c.knobs <= menu.defaults.keys())
    for why in replace(menu, constraints=settled).broken(menu.defaults):
        raise MenuError(f"{source}: the defaults break a constraint ({why}); change one of them")
    return menu


def _named(raw: list[Any], source: str) -> dict[str, Any]:
    """A list of knobs by their names."""
    out: dict[str, Any] = {}
    for i, spec in enumerate(raw, 1):
        name = spec.get("name") if isinstance(spec, dict) else None
        if not isinstance(name, str) or name in out:
            raise MenuError(f"{source}: knob {i} of the list has no name of its own; give each one a `name`")
        out[name] = spec
    return out


def _families(raw: object) -> dict[str, str]:
    """The family of each knob, from an object that lists the knobs of each family."""
    return {str(k): str(f) for f, ks in _dict(raw).items() if isinstance(ks, list) for k in ks}


def _knob(name: str, spec: object, families: Mapping[str, str], source: str) -> Knob:
    where = f"{source}: knob {said(name)}"
    if not isinstance(spec, dict):
        raise MenuError(f"{where}: must be an object with type and choices or range")
    kind, choices, span, scale = _shape(spec, where)
    bins = spec.get("bins", BINS)
    if isinstance(bins, bool) or not isinstance(bins, int) or not 1 <= bins <= 1000:
        raise MenuError(f"{where}: bins must be a whole number from 1 to 1000")
    units, aliases = spec.get("units") or {}, spec.get("aliases") or []
    if not isinstance(units, dict) or not all(_is_factor(v) for v in units.values()):
        raise MenuError(f"{where}: units map a suffix to a factor, such as {{'k': 1000}}")
    if not isinstance(aliases, list) or not all(isinstance(a, str) for a in aliases):
        raise MenuError(f"{where}: aliases must be a list of names")
    knob = Knob(
        name,
        kind,
        range=span,
        default=spec.get("default"),
        has_default="default" in spec,
        family=str(spec.get("family") or families.get(name) or family(name)),
        scale=scale,
        bins=bins,
        units={str(k): float(v) for k, v in units.items()},
        aliases=tuple(aliases),
        is_set=bool(spec.get("set")),
    )
    if choices is not None:
        knob = replace(knob, choices=_choices(knob, choices, where))
    if knob.has_default:
        held = canon(name, knob.default, knob)
        if held.objection:
            raise MenuError(
                f"{where}: default {held.text} is not allowed by it ({held.objection}); correct one of them"
            )
        knob = replace(knob, default=held.value)
    return knob


def _shape(spec: Mapping[str, Any], where: str) -> tuple[str, list[Any] | None, tuple[float, float] | None, str]:
    """Type, choices, range and scale, as far as they agree."""
    choices, span, scale = spec.get("choices"), spec.get("range"), spec.get("scale")
    if choices is not None and (not isinstance(choices, list) or not choices):
        raise MenuError(f"{where}: choices must be a list of at least one value")
    said = str(spec.get("type") or _kind_of(choices, span))
    kind = _OTHER_WORDS.get(said, said)
    if kind not in TYPES:
        raise MenuError(f"{where}: type {kind[:40]!r} is unknown; use one of {', '.join(TYPES)}")
    if choices is not None and span is not None:
        raise MenuError(f"{where}: has both choices and a range; keep one")
    if span is not None:
        return kind, None, *_span(span, kind, scale, where)
    if scale is not None and scale not in SCALES:
        raise MenuError(f"{where}: scale {str(scale)[:40]!r} is unknown; use one of {', '.join(SCALES)}")
    return kind, choices, None, scale or "linear"


def _choices(knob: Knob, choices: list[Any], where: str) -> tuple[object, ...]:
    """The choices in their one spelling."""
    found = [canon(knob.name, c, replace(knob, range=None)) for c in choices]
    if bad := next((c for c in found if c.objection), None):
        raise MenuError(f"{where}: choice {bad.text} contradicts its type ({bad.objection}); correct one of them")
    if len({c.text for c in found}) < len(found):
        raise MenuError(f"{where}: lists a choice twice; keep one")
    return tuple(c.value for c in found)


def _span(span: object, kind: str, scale: object, where: str) -> tuple[tuple[float, float], str]:
    if not isinstance(span, list) or len(span) != 2 or not all(is_number(x) for x in span):
        raise MenuError(f"{where}: range must be two numbers, low and high")
    lo, hi = span
    if kind not in ("int", "float") or not lo < hi or not max(-lo, hi) < _FAR:
        raise MenuError(f"{where}: range {lo} to {hi} of type {kind} is empty or not of numbers; write [low, high]")
    if scale is None:
        scale = "log" if lo > 0 and hi / lo >= LOG_FROM else "linear"
    if scale not in SCALES or (scale == "log" and (lo < 0 or hi <= 0)) or (scale == "one_minus_log" and hi >= 1):
        raise MenuError(f"{where}: scale {scale!r} does not fit a range of {lo} to {hi} (have: {', '.join(SCALES)})")
    if scale == "log" and not (lo or hi * ZERO_TO) > 0:
        raise MenuError(f"{where}: range {lo} to {hi} is too narrow for a log scale; use linear")
    return (lo, hi), str(scale)


def _kind_of(choices: object, span: object) -> str:
    values = choices if isinstance(choices, list) else span if isinstance(span, list) else []
    kinds = {type(v).__name__ for v in values}
    if kinds == {"int", "float"}:
        return "float"
    return kinds.pop() if len(kinds) == 1 else "missing"


def _aliases(knobs: Mapping[str, Knob], source: str) -> dict[str, str]:
    out: dict[str, str] = {}
    for knob in knobs.values():
        for alias in (*knob.aliases, knob.name) if knob.aliases else ():
            if out.setdefault(fold_name(alias), knob.name) != knob.name:
                both = f"{said(out[fold_name(alias)])} and {said(knob.name)}"
                raise MenuError(f"{source}: alias {said(alias)} names both {both}; leave it to one")
            if own := next((k for k in knobs if fold_name(k) == fold_name(alias) and k != knob.name), None):
                raise MenuError(f"{source}: alias {said(alias)} of {said(knob.name)} is knob {said(own)}; drop it")
    return out


def _is_factor(x: object) -> bool:
    return is_number(x) and 0 < x < _FAR  # type: ignore[operator]  # is_number


def _once(parts: list[tuple[str, Any]]) -> dict[str, Any]:
    """A JSON object that says everything once; Python would keep the last and forget the rest."""
    out = dict(parts)
    if len(out) < len(parts):
        names = [k for k, _ in parts]
        raise ValueError(f"{next(k for k in names if names.count(k) > 1)!r} stands twice in one object")
    return out


def _dict(x: object) -> dict[str, Any]:
    return x if isinstance(x, dict) else {}
