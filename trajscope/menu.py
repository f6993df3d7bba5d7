"""The menu: what may be proposed, as declared knobs with their ranges, scales, cells and constraints.

Knows nothing of trials. Imports no pydantic, so that a rail can start in a few milliseconds.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from trajscope.constraint import Constraint, constraint
from trajscope.errors import MenuError
from trajscope.pair import Change, Pair, canon, pair, spelled

BINS = 10  # cells of a range
TYPES = ("int", "float", "str", "bool", "list", "code")
SCALES = ("linear", "log", "one_minus_log")
ZERO_TO = 1e-4  # where a log scale that holds zero begins, as a share of its upper end
LOG_FROM = 100.0  # a range whose ends are this far apart is looked at on a log scale
_FAR = 1e150  # ends of a range: beyond, widths and products of them overflow
RULE = f"choices and ranges in {BINS} bins, without discrete defaults"

_OTHER_WORDS = {"integer": "int", "number": "float", "string": "str", "categorical": "str", "boolean": "bool"}

# What a knob of this name most likely belongs to, where a menu names no families.
_FAMILY_WORDS = {
    "capacity": "n_layer n_layers num_layers depth layers n_head n_heads num_heads head_dim d_model dim width hidden "
    "hidden_dim hidden_size d_ff ff_dim n_embd embed_dim aspect_ratio n_kv_head n_params",
    "optimiser": "lr learning_rate matrix_lr scalar_lr embedding_lr unembedding_lr lr_warmup warmup warmup_steps "
    "warmdown lr_schedule schedule grad_clip clip weight_decay wd beta1 beta2 adam_betas momentum eps optimizer "
    "optimiser final_lr_frac",
    "regularisation": "dropout label_smoothing noise smooth blend",
    "data": "batch_size total_batch_size device_batch_size seq_len context max_seq_len steps epochs",
    "numerics": "precision dtype amp quant",
}
_GUESS = {name: family for family, names in _FAMILY_WORDS.items() for name in names.split()}


@dataclass(frozen=True, slots=True)
class Knob:
    """One thing that may be changed."""

    name: str
    type: str
    choices: tuple[object, ...] | None = None
    range: tuple[float, float] | None = None
    default: object = None
    has_default: bool = False
    family: str = "other"
    scale: str = "linear"
    bins: int = BINS
    units: Mapping[str, float] = field(default_factory=dict)
    aliases: tuple[str, ...] = ()
    is_set: bool = False

    def choice(self, text: str) -> str | None:
        """The declared choice that this text means, if exactly one does."""
        words = [c for c in self.choices or () if isinstance(c, str)]
        if text in words:
            return text
        alike = [c for c in words if c.casefold() == text.casefold()]
        return alike[0] if len(alike) == 1 else None

    def objection(self, value: object) -> str | None:
        """Why this value may not be proposed."""
        if isinstance(value, float) and not math.isfinite(value):
            return f"{_said(self.name)} takes a finite number"
        if self.choices is not None and not any(_same(value, c) for c in self.choices):
            return f"{_said(self.name)} is one of {', '.join(map(_label, self.choices))}"
        if self.range is not None and not (_is_number(value) and self.range[0] <= value <= self.range[1]):  # type: ignore[operator]  # _is_number
            return f"{_said(self.name)} lies in {self.range[0]:g} to {self.range[1]:g}"
        return None

    def position(self, value: object) -> float | None:
        """Where a number stands in the range, from 0 to 1 on the knob's scale."""
        if self.range is None or not _is_number(value):
            return None
        lo, hi = (self._scaled(x) for x in self.range)
        return (self._scaled(float(value)) - lo) / (hi - lo) if hi > lo else 0.0  # type: ignore[arg-type]  # _is_number

    def _scaled(self, x: float) -> float:
        if self.range is None:
            return x
        if self.scale == "log":
            floor = self.range[0] if self.range[0] > 0 else self.range[1] * ZERO_TO
            # Zero has a place of its own, one bin below the smallest power.
            step = (math.log10(self.range[1]) - math.log10(floor)) / max(1, self.bins - 1)
            return math.log10(x) if x >= floor else math.log10(floor) - step
        if self.scale == "one_minus_log":
            return -math.log10(max(1.0 - x, 1e-12))
        return x

    def cell(self, value: object) -> str | None:
        """The cell a value falls into: its choice, or its bin of the range."""
        if self.choices is not None:
            return next((f"{self.name}={_label(c)}" for c in self.choices if _same(value, c)), None)
        at = self.position(value)
        if at is None:
            return f"{self.name}={str(value).lower()}" if isinstance(value, bool) else None
        return f"{self.name}#{min(int(at * self.size + 1e-9), self.size - 1)}"

    @property
    def size(self) -> int:
        """How many cells it has; 0 where they cannot be counted."""
        if self.choices is not None:
            return len(self.choices)
        if self.range is None:
            return 2 if self.type == "bool" else 0
        if self.type == "int":
            return min(self.bins, int(self.range[1]) - int(self.range[0]) + 1)
        return self.bins

    @property
    def default_cell(self) -> bool:
        """Whether the default fills a cell of its own, so that proposing it is a no-op and no ground."""
        return self.has_default and self.range is None and self.cell(self.default) is not None


@dataclass(frozen=True, slots=True)
class Menu:
    """The declared list of knobs."""

    knobs: Mapping[str, Knob]
    constraints: tuple[Constraint, ...] = ()
    source: str = "menu"
    declared: bool = True  # False when it was guessed from what was proposed
    _aliases: Mapping[str, str] = field(default_factory=dict)

    def find(self, name: str) -> Knob | None:
        """The knob of this name: exactly, or by an alias that it declares."""
        known = self.knobs
        return known.get(name) or known.get(spelled(name)) or known.get(self._aliases.get(_fold(name), ""))

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
        out: dict[str, Any] = {"knobs": {k.name: _spelt(k) for k in self.knobs.values()}}
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
    out: dict[str, Any] = {"type": k.type}
    if k.choices is not None:
        out["choices"] = list(k.choices)
    if k.range is not None:
        out["range"] = list(k.range)
    if k.has_default:
        out["default"] = k.default
    out |= {"family": k.family, "scale": k.scale, "bins": k.bins}
    plain = {"units": dict(k.units), "aliases": list(k.aliases), "set": k.is_set}
    return out | {name: value for name, value in plain.items() if value}


def family(name: str) -> str:
    """The family a knob of this name most likely belongs to."""
    return _GUESS.get(_fold(name), "other")


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
            raise MenuError(f"{source}: knob {_said(name)}: stands twice or has no name; each knob has its own")
        knobs[name] = _knob(name, spec, families, source)
    menu = Menu(knobs, _constraints(data.get("constraints"), knobs, source), source, True, _aliases(knobs, source))
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
    where = f"{source}: knob {_said(name)}"
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
    if not isinstance(span, list) or len(span) != 2 or not all(_is_number(x) for x in span):
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
            if out.setdefault(_fold(alias), knob.name) != knob.name:
                both = f"{_said(out[_fold(alias)])} and {_said(knob.name)}"
                raise MenuError(f"{source}: alias {_said(alias)} names both {both}; leave it to one")
            if own := next((k for k in knobs if _fold(k) == _fold(alias) and k != knob.name), None):
                raise MenuError(f"{source}: alias {_said(alias)} of {_said(knob.name)} is knob {_said(own)}; drop it")
    return out


def _constraints(raw: object, knobs: Mapping[str, Knob], source: str) -> tuple[Constraint, ...]:
    if raw is not None and not isinstance(raw, list):
        raise MenuError(f'{source}: constraints must be a list of rules, such as ["a % b == 0"]')
    out = []
    for i, item in enumerate(raw or (), 1):
        rule = item if isinstance(item, str) else _dict(item).get("rule")
        name = str(_dict(item).get("id") or f"constraint {i}")
        if not isinstance(rule, str):
            raise MenuError(f'{source}: {_said(name)}: has no rule; write one, such as "a % b == 0"')
        out.append(constraint(_said(name), rule, frozenset(knobs), source))
    return tuple(out)


def _is_number(x: object) -> bool:
    return isinstance(x, int | float) and not isinstance(x, bool)


def _is_factor(x: object) -> bool:
    return _is_number(x) and 0 < x < _FAR  # type: ignore[operator]  # _is_number


def _same(a: object, b: object) -> bool:
    # Under == alone 1 is true, and inside a list even after their types were compared.
    return type(a) is type(b) and a == b and (not isinstance(a, list | dict) or _label(a) == _label(b))


def _said(name: str) -> str:
    """A name on one line, however it was written."""
    return name if name.isprintable() else repr(name)


def _once(parts: list[tuple[str, Any]]) -> dict[str, Any]:
    """A JSON object that says everything once; Python would keep the last and forget the rest."""
    out = dict(parts)
    if len(out) < len(parts):
        names = [k for k, _ in parts]
        raise ValueError(f"{next(k for k in names if names.count(k) > 1)!r} stands twice in one object")
    return out


def _label(value: object) -> str:
    return canon("x", value).label[2:]


def _fold(name: str) -> str:
    return spelled(name).casefold().replace("-", "_").replace(".", "_")


def _dict(x: object) -> dict[str, Any]:
    return x if isinstance(x, dict) else {}
