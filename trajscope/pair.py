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
from itertools import product
from operator import itemgetter
from typing import NamedTuple, Protocol

MAX_DEPTH = 4  # nesting of a value beyond which only its hash is kept
MAX_TEXT = 4096  # letters of a value's text beyond which only its hash is kept
MAX_BITS = 8192  # of a whole number beyond which only its hash is kept: Python refuses to spell the very long ones
DIGITS = 12  # significant digits that tell two floats apart: 0.1 + 0.2 is 0.3
NEAR = 0.02  # two values this close, as a share of the knob's range on its scale, are near

_STEP = NEAR * 1.001
_INTEGRAL = 2.0**53
_MOST = 2.0**1023
_NUMBER = re.compile(r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?\Z")
_WITH_UNIT = re.compile(r"([+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?)\s*([^\W\d_]+|%)\Z")
_PLAIN = re.compile(r"[^\W][\w./:*-]*\Z")
_WORDS = {"null", "true", "false", "NaN", "Infinity"}
_KINDS: Mapping[str, tuple[tuple[type, ...], str]] = {
    "int": ((int,), "an integer"),
    "float": ((int, float), "a number"),
    "bool": ((bool,), "true or false"),
    "list": ((list,), "a list"),
    "str": ((str,), "a text"),
    "code": ((str,), "a text"),
}
_ORDER = itemgetter(0, 1)  # knob and text, never the value: a dict cannot be ordered
_LONE = re.compile("[\ud800-\udfff]")  # half a surrogate pair: no file or terminal takes it
_ODD = re.compile(r'[="\x00-\x1f\x7f]| \+ ')  # what would make a knob's name read like a label


class Spec(Protocol):
    """What `canon` needs to know of a knob; `menu.Knob` is one."""

    @property
    def type(self) -> str:
        """One of `menu.TYPES`."""
        ...

    @property
    def name(self) -> str:
        """Its name in the menu."""
        ...

    @property
    def units(self) -> Mapping[str, float]:
        """Suffixes of numbers, and their factors."""
        ...

    @property
    def is_set(self) -> bool:
        """Whether the order of a list means nothing."""
        ...

    def choice(self, text: str) -> str | None:
        """The declared choice that a text means."""
        ...

    def objection(self, value: object) -> str | None:
        """Why a value is not allowed."""
        ...

    def position(self, value: object) -> float | None:
        """Its place on the knob's scale, 0 to 1."""
        ...

    def cell(self, value: object) -> str | None:
        """The menu cell it falls into."""
        ...


class Change(NamedTuple):
    """One canonical (knob, value)."""

    knob: str
    text: str  # canonical JSON of the value
    label: str  # `knob=value`, a plain word without its quotes
    value: object
    known: bool = True  # False when a menu is at hand and does not hold the knob
    objection: str | None = None  # why the menu forbids it
    position: float | None = None  # 0..1 on the knob's scale
    cell: str | None = None  # the menu cell it falls into


class Pair(NamedTuple):
    """A canonical proposal: one change, or several that were proposed together."""

    label: str
    changes: tuple[Change, ...]

    @property
    def knob(self) -> str:
        """The knob, or the knobs joined by ` + `."""
        return " + ".join(_named(c.knob) for c in self.changes)


def canon(knob: str, value: object, spec: Spec | None = None, *, known: bool = True) -> Change:
    """The canonical form of one change, by the knob's spec where a menu holds it."""
    if spec is None:
        clean = _canonical(value, 0)
        return _change(spelled(knob), clean, known=known)
    clean, objection = _typed(value, spec)
    objection = objection or spec.objection(clean)
    place = spec.position(clean) if objection is None else None
    cell = spec.cell(clean) if objection is None else None
    return _change(spec.name, clean, objection=objection, position=place, cell=cell)


def pair(changes: Iterable[Change]) -> Pair:
    """The pair of these changes; their order does not matter, nor does saying one twice."""
    parts = tuple(changes)
    if len(parts) == 1:
        return Pair(parts[0].label, parts)
    parts = tuple(sorted(parts, key=_ORDER))
    labels = [c.label for c in parts]
    if len(set(labels)) < len(labels):
        parts = tuple({c.label: c for c in parts}.values())
        labels = [c.label for c in parts]
    return Pair(" + ".join(labels), parts)


def config_hash(
    config: Mapping[str, object], evaluator: str | None = None, data: str | None = None, parent: str | None = None
) -> str:
    """16 hex digits that name a whole configuration: its knobs, evaluator, data and parent commit, never its seeds."""
    body = [_canonical(dict(config), -1), evaluator, data, parent]
    return _digest(_spelt(body))[:16]


class Configs:
    """The `config_hash` of configurations that differ from one base in a few knobs, without spelling all of it anew."""

    def __init__(
        self,
        base: Mapping[str, object],
        evaluator: str | None = None,
        data: str | None = None,
        parent: str | None = None,
    ) -> None:
        self._base = dict(base)
        self._salt = (evaluator, data, parent)
        spelt = {_key(k): _canonical(base[k], 0) for k in sorted(base, key=str)}
        self._names = {k: _spelt(k) for k in spelt}
        self._parts = {k: f"{self._names[k]}: {_spelt(spelt[k])}" for k in sorted(spelt)}
        self._tail = f"}}, {', '.join(map(_spelt, self._salt))}]"

    def after(self, changes: Iterable[Change] = ()) -> str:
        """The hash of the base with these changes."""
        parts, order = self._parts.copy(), False
        for c in changes:
            if isinstance(c.value, list | dict) or len(c.text) > MAX_TEXT // 2:
                return config_hash({**self._base, **{c.knob: c.value for c in changes}}, *self._salt)
            name = self._names.get(c.knob)
            order = order or name is None
            parts[c.knob] = f"{name or _spelt(c.knob)}: {c.text}"
        inner = (parts[k] for k in sorted(parts)) if order else parts.values()
        return _digest(f"[{{{', '.join(inner)}{self._tail}")[:16]


def spelled(text: str) -> str:
    """A text in its one spelling: NFC, no space around it, U+FFFD for what is no character."""
    text = unicodedata.normalize("NFC", text).strip()
    return text if text.isascii() else _LONE.sub("\ufffd", text)


_Point = tuple[tuple[float, ...], str]  # places on the scales, and the label that tells two of them apart


class Neighbours:
    """Which proposals of one context lie near which: same knobs, same words, numbers within `NEAR`."""

    def __init__(self) -> None:
        # By lane, and by where the first numbers stand in steps a little over NEAR: the near ones are one step away.
        self._lanes: dict[tuple[tuple[str, ...], tuple[int, ...]], list[_Point]] = {}

    def near(self, new: Pair) -> bool:
        """Whether an earlier proposal is near, but not the same."""
        lane, point = self._place(new)
        if not point[0]:
            return False
        around = [(s, s - 1, s + 1) for s in _steps(point[0])]
        return any(
            label != new.label and _close(at, point[0])
            for here in product(*around)
            for at, label in self._lanes.get((lane, here), ())
        )

    def add(self, new: Pair) -> None:
        """Remember a proposal; one without a place on any scale has no neighbours."""
        lane, point = self._place(new)
        if point[0]:
            self._lanes.setdefault((lane, _steps(point[0])), []).append(point)

    @staticmethod
    def _place(new: Pair) -> tuple[tuple[str, ...], _Point]:
        lane, us = [], []
        for c in new.changes:
            if c.position is None:
                lane.append(c.label)
            else:
                lane.append(c.knob)
                us.append(c.position)
        return tuple(lane), (tuple(us), new.label)


def _steps(at: tuple[float, ...]) -> tuple[int, ...]:
    """Where a place stands, by its first numbers: of more than three, too many cells would lie around it."""
    return tuple(int(x // _STEP) for x in at[:3])


def _close(a: tuple[float, ...], b: tuple[float, ...]) -> bool:
    return all(abs(x - y) <= NEAR + 1e-12 for x, y in zip(a, b, strict=True))


def _change(
    knob: str,
    value: object,
    *,
    known: bool = True,
    objection: str | None = None,
    position: float | None = None,
    cell: str | None = None,
) -> Change:
    text = _text(value)
    return Change(knob, text, f"{_named(knob)}={_plain(text)}", value, known, objection, position, cell)


def _named(knob: str) -> str:
    """A knob's name, quoted where it could be taken for a label."""
    if knob.isidentifier() or (knob and not _ODD.search(knob)):
        return knob
    return json.dumps(knob, ensure_ascii=False)


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
        value = spelled(value)
        if kind in ("int", "float"):
            number = _numeric(value, spec.units)
            if number is None:
                return value, f"{_named(spec.name)} takes {_KINDS[kind][1]}"
            value = number
        elif kind == "bool" and value.lower() in ("true", "false"):
            value = value.lower() == "true"
        elif kind in ("str", "code"):
            return spec.choice(value) or value, None
    clean = _canonical(value, 0, as_set=spec.is_set)
    if kind == "float" and type(clean) is int and _INTEGRAL <= abs(clean) < _MOST:
        clean = _number(float(clean))
    if kind == "int" and isinstance(clean, float) and clean.is_integer():
        clean = int(clean)
    fits, what = _KINDS[kind]
    good = isinstance(clean, fits) and isinstance(clean, bool) == (kind == "bool")  # to Python a bool is an int
    return clean, None if good else f"{_named(spec.name)} takes {what}"


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
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int):
        return int(value) if value.bit_length() <= MAX_BITS else f"sha256:{_digest(hex(value))}"
    if isinstance(value, float):
        return _number(value)
    if isinstance(value, str):
        return spelled(value)
    if isinstance(value, Mapping | list | tuple | set | frozenset):
        if depth >= MAX_DEPTH:
            return f"sha256:{_digest_of(value)}"
        if isinstance(value, Mapping):
            return {_key(k): _canonical(value[k], depth + 1) for k in sorted(value, key=str)}
        items = [_canonical(v, depth + 1) for v in value]
        if as_set or isinstance(value, set | frozenset):
            items = [json.loads(t) for t in sorted({_json(v) for v in items})]
        return items
    plain = getattr(value, "tolist", None)  # the numbers of numpy and torch are no Python numbers
    return _canonical(plain(), depth) if callable(plain) else spelled(str(value))


def _digest_of(value: object) -> str:
    """The hash of a value however deep it is: with a stack of its own, so that no nesting can exhaust Python's."""
    out, todo = hashlib.sha256(), [value]
    while todo:
        v = todo.pop()
        if isinstance(v, bytes):
            out.update(v)
        elif isinstance(v, Mapping):
            parts = sorted(((_key(k), v[k]) for k in v), key=lambda kv: kv[0], reverse=True)
            todo += [b"}", *(x for k, item in parts for x in (item, _json(k).encode() + b":")), b"{"]
        elif isinstance(v, list | tuple):
            todo += [b"]", *(x for item in reversed(v) for x in (b",", item)), b"["]
        else:
            out.update(_json(_canonical(v, MAX_DEPTH - 1)).encode())
    return out.hexdigest()[:32]


def _key(k: object) -> str:
    return _LONE.sub("\ufffd", unicodedata.normalize("NFC", str(k)))


def _number(x: float) -> int | float:
    if not math.isfinite(x):
        return x
    if x.is_integer() and abs(x) < _INTEGRAL:
        return int(x)
    x = float(f"{x:.{DIGITS}g}")
    return int(x) if x.is_integer() and abs(x) < _INTEGRAL else x


def _spelt(value: object) -> str:
    return json.dumps(value, sort_keys=True, ensure_ascii=False)


def _json(value: object) -> str:
    return json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"))


def _text(value: object) -> str:
    if type(value) is int:
        text = str(value)
    elif type(value) is float and math.isfinite(value):
        text = repr(value)
    else:
        text = _json(value)
    return text if len(text) <= MAX_TEXT else f'"sha256:{_digest(text)}"'


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:32]
