"""The identity of a proposal: which (knob, value) it is, however it was spelled.

Never uses Python equality, under which True == 1 == 1.0. Knows menus only as the `Spec` of one knob.

The *label* of a pair is its identity: `knob=value`, the value as canonical JSON, several changes joined by ` + `
in the order of their knobs. Labels are injective: `x=1`, `x="1"` and `x=true` are three different pairs.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
import unicodedata
from collections.abc import Iterable, Mapping
from typing import NamedTuple, Protocol

MAX_DEPTH = 4  # nesting of a value beyond which only its hash is kept
MAX_TEXT = 4096  # bytes of a value's text beyond which only its hash is kept
DIGITS = 12  # significant digits that tell two floats apart: 0.1 + 0.2 is 0.3
NEAR = 0.02  # two values this close, as a share of the knob's range on its scale, are near

_STEP = NEAR * 1.001
_Point = tuple[tuple[float, ...], tuple[int, ...]]  # places on scales, and the whole numbers that stand there
_INTEGRAL = 2.0**53
_NUMBER = re.compile(r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?\Z")
_WITH_UNIT = re.compile(r"([+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?)\s*([^\W\d_]+|%)\Z")
_PLAIN = re.compile(r"[^\W][\w./:*-]*\Z")
_WORDS = {"null", "true", "false", "NaN", "Infinity"}


class Spec(Protocol):
    """What `canon` needs to know of a knob; `menu.Knob` is one."""

    @property
    def type(self) -> str:
        """One of `menu.TYPES`."""
        ...

    @property
    def name(self) -> str:
        """The menu's own spelling."""
        ...

    @property
    def units(self) -> Mapping[str, float]:
        """Suffixes and their factors."""
        ...

    @property
    def is_set(self) -> bool:
        """Whether the order of a list does not matter."""
        ...

    def choice(self, text: str) -> str | None:
        """The declared choice a text means."""
        ...

    def objection(self, value: object) -> str | None:
        """Why a value may not be proposed."""
        ...

    def position(self, value: object) -> float | None:
        """Where a number stands, from 0 to 1."""
        ...

    def cell(self, value: object) -> str | None:
        """The cell a value falls into."""
        ...


class Change(NamedTuple):
    """One canonical (knob, value)."""

    knob: str
    text: str  # canonical JSON of the value
    value: object
    known: bool = True  # False when a menu is at hand and does not hold the knob
    objection: str | None = None  # why the menu forbids it
    position: float | None = None  # 0..1 on the knob's scale
    cell: str | None = None  # the menu cell it falls into
    integer: bool = False

    @property
    def label(self) -> str:
        """`knob=value`, a plain word without its quotes."""
        return f"{self.knob}={_plain(self.text)}"


class Pair(NamedTuple):
    """A canonical proposal: one change, or several that were proposed together."""

    label: str
    changes: tuple[Change, ...]

    @property
    def knob(self) -> str:
        """The knob, or the knobs joined by ` + `."""
        return " + ".join(c.knob for c in self.changes)


def canon(knob: str, value: object, spec: Spec | None = None, *, known: bool = True) -> Change:
    """The canonical form of one change, by the knob's spec where a menu holds it."""
    if spec is None:
        clean = _canonical(value, 0)
        return Change(knob, _text(clean), clean, known)
    clean, objection = _typed(value, spec)
    objection = objection or spec.objection(clean)
    place = spec.position(clean) if objection is None else None
    cell = spec.cell(clean) if objection is None else None
    return Change(spec.name, _text(clean), clean, True, objection, place, cell, spec.type == "int")


def pair(changes: Iterable[Change]) -> Pair:
    """The pair of these changes; their order does not matter."""
    parts = tuple(changes)
    if len(parts) == 1:
        return Pair(parts[0].label, parts)
    parts = tuple(sorted(parts))
    return Pair(" + ".join(c.label for c in parts), parts)


def config_hash(
    config: Mapping[str, object], evaluator: str | None = None, data: str | None = None, parent: str | None = None
) -> str:
    """16 hex digits that name a whole configuration: its knobs, evaluator, data and parent commit, never its seeds."""
    body = [_canonical(dict(config), -1), evaluator, data, parent]
    return hashlib.sha256(json.dumps(body, sort_keys=True, ensure_ascii=False).encode("utf-8", "replace")).hexdigest()[
        :16
    ]


class Neighbours:
    """Which proposals of one context lie near which: same knobs, same words, numbers within `NEAR`."""

    def __init__(self) -> None:
        # By lane, and by where the first number stands in steps a little over NEAR: the near ones are one step away.
        self._lanes: dict[tuple[tuple[str, ...], int], list[_Point]] = {}

    def near(self, new: Pair) -> bool:
        """Whether an earlier proposal is near, but not the same."""
        lane, point = self._place(new)
        if not point[0]:
            return False
        step = int(point[0][0] // _STEP)
        return any(
            other != point and _close(other, point)
            for here in (step, step - 1, step + 1)
            for other in self._lanes.get((lane, here), ())
        )

    def add(self, new: Pair) -> None:
        """Remember a proposal; one without a place on any scale has no neighbours."""
        lane, point = self._place(new)
        if point[0]:
            self._lanes.setdefault((lane, int(point[0][0] // _STEP)), []).append(point)

    @staticmethod
    def _place(new: Pair) -> tuple[tuple[str, ...], _Point]:
        lane, us, ints = [], [], []
        for c in new.changes:
            if c.position is None:
                lane.append(c.label)
            else:
                lane.append(c.knob)
                us.append(c.position)
                ints.append(int(c.value) if c.integer and isinstance(c.value, int) else 0)
        return tuple(lane), (tuple(us), tuple(ints))


def _close(a: _Point, b: _Point) -> bool:
    return all(abs(x - y) <= NEAR + 1e-12 for x, y in zip(a[0], b[0], strict=True))


def _plain(text: str) -> str:
    """A JSON string without its quotes where nothing else could be meant."""
    if text.startswith('"'):
        word = text[1:-1]
        if _PLAIN.match(word) and word not in _WORDS and not _NUMBER.match(word):
            return word
    return text


def _typed(value: object, spec: Spec) -> tuple[object, str | None]:
    """The value as its spec's type wants it, or as it came with an objection."""
    kind = spec.type
    if isinstance(value, str):
        value = unicodedata.normalize("NFC", value).strip()
        if kind in ("int", "float"):
            number = _numeric(value, spec.units)
            if number is None:
                return value, f"{spec.name} takes a number"
            value = number
        elif kind == "bool" and value.lower() in ("true", "false"):
            value = value.lower() == "true"
        elif kind in ("str", "code"):
            return spec.choice(value) or value, None
    clean = _canonical(value, 0, as_set=spec.is_set)
    if kind == "int" and (isinstance(clean, bool) or not isinstance(clean, int)):
        return clean, f"{spec.name} takes an integer"
    if kind == "float" and (isinstance(clean, bool) or not isinstance(clean, int | float)):
        return clean, f"{spec.name} takes a number"
    if kind == "bool" and not isinstance(clean, bool):
        return clean, f"{spec.name} takes true or false"
    if kind == "list" and not isinstance(clean, list):
        return clean, f"{spec.name} takes a list"
    if kind in ("str", "code") and not isinstance(clean, str):
        return clean, f"{spec.name} takes a text"
    return clean, None


def _numeric(text: str, units: Mapping[str, float]) -> int | float | None:
    if _NUMBER.match(text):
        try:
            return int(text)
        except ValueError:
            return float(text)
    found = _WITH_UNIT.match(text)
    if found and found[2] in units:
        return float(found[1]) * units[found[2]]
    return None


def _canonical(value: object, depth: int, *, as_set: bool = False) -> object:
    """The value with every number, string and container in its one spelling."""
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, float):
        return _number(value)
    if isinstance(value, str):
        return unicodedata.normalize("NFC", value).strip()
    if depth >= MAX_DEPTH:
        return f"sha256:{_digest(json.dumps(value, sort_keys=True, default=str))}"
    if isinstance(value, Mapping):
        return {str(k): _canonical(value[k], depth + 1) for k in sorted(value, key=str)}
    if isinstance(value, list | tuple | set | frozenset):
        items = [_canonical(v, depth + 1) for v in value]
        if as_set or isinstance(value, set | frozenset):
            items = [json.loads(t) for t in sorted({_json(v) for v in items})]
        return items
    return str(value)


def _number(x: float) -> int | float:
    if not math.isfinite(x):
        return x
    x = float(f"{x:.{DIGITS}g}")
    return int(x) if x.is_integer() and abs(x) < _INTEGRAL else x


def _json(value: object) -> str:
    return json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"))


def _text(value: object) -> str:
    kind = type(value)
    text = str(value) if kind is int else repr(value) if kind is float and math.isfinite(value) else _json(value)  # type: ignore[arg-type]  # a float
    return text if len(text) <= MAX_TEXT else f'"sha256:{_digest(text)}"'


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:32]
