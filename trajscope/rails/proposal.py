"""A proposal: one JSON object, taken apart and held to its shape before anything else is asked of it.

Knows nothing of what was tried. Whatever comes in, what comes out is a `Proposal` or the `Verdict` that refuses it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any, Literal, NamedTuple, cast

from trajscope.menu import Menu
from trajscope.pair import MAX_DEPTH, MAX_TEXT, Change, Pair, canon, pair
from trajscope.verdict import Level, Verdict

MAX_BYTES = 1_000_000  # of a proposal, its diff included
MAX_REASON = 2_000  # letters of a reason
MAX_NAME = 200  # letters of a knob's name
MAX_CHANGES = 32  # changes proposed together
MAX_PARTS = 256  # numbers, words and lists inside one value
MAX_BITS = 1_024  # of a whole number: no float reaches further
MEMO = 4_096  # changes whose canonical form is remembered

Intent = Literal["revisit", "replicate"]
INTENTS = ("revisit", "replicate")
FORM = '{"knob": NAME, "value": VALUE}'

_MAY_HOLD = frozenset(("knob", "value", "changes", "reason", "intent", "diff"))
_CHANGE = frozenset(("knob", "value"))
_LONE = re.compile("[\ud800-\udfff]")
# Control characters and what turns the direction of a line: nothing a person who reads the log should be shown.
_UNSEEN = re.compile("[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")
_UNSEEN_IN_PROSE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")  # may hold lines and tabs


class Proposal(NamedTuple):
    """What is proposed: the changes as they came, their canonical pair, and what was said about them."""

    changes: tuple[tuple[str, object], ...]
    pair: Pair
    reason: str | None = None
    intent: Intent | None = None
    diff: str | None = None


class Proposals:
    """Reads proposals under one menu, and remembers the canonical forms it has worked out."""

    def __init__(self, menu: Menu | None = None) -> None:
        self.menu = menu
        self._change: Callable[[str, object], Change] = menu.change if menu is not None else canon
        self._known: dict[tuple[str, type, object], Change] = {}

    def read(self, raw: object) -> Proposal | Verdict:
        """The proposal in a JSON text, its bytes or a mapping, or why it is none."""
        try:
            said = _object(raw)
            changes = _changes(said)
            found = tuple(self.canonical(knob, value) for knob, value in changes)
            if len(found) > 1 and len({c.knob for c in found}) < len(found):
                names = [c.knob for c in found]
                twice = next(n for n in names if names.count(n) > 1)
                raise _Odd(f"changes {_shown(twice)} twice; send each knob once")
            reason = _prose(said.get("reason"))
            intent, diff = said.get("intent"), said.get("diff")
            if intent is not None and (type(intent) is not str or intent not in INTENTS):
                raise _Odd(f"has the intent {_shown(intent)}; send revisit or replicate, or leave it out")
            return Proposal(changes, pair(found), reason, cast("Intent | None", intent), _diff(diff))
        except _Odd as odd:
            return Verdict("schema", Level.FAIL, f"the proposal {odd}")

    def canonical(self, knob: str, value: object) -> Change:
        """The canonical form of one change."""
        if isinstance(value, list | dict):
            return self._change(knob, value)
        key = (knob, type(value), value)
        found = self._known.get(key)
        if found is None:
            if len(self._known) >= MEMO:
                self._known.clear()
            found = self._known[key] = self._change(knob, value)
        return found


class _Odd(Exception):  # noqa: N818  # never leaves this module: it carries the rest of a sentence
    """What is wrong with a proposal, after `the proposal `."""


def _once(parts: list[tuple[str, Any]]) -> dict[str, Any]:
    out = dict(parts)
    if len(out) < len(parts):
        names = [k for k, _ in parts]
        twice = next(n for n in names if names.count(n) > 1)
        raise _Odd(f"says {_shown(twice)} twice in one object; say it once")
    return out


def _no_number(word: str) -> Any:
    raise _Odd(f"holds {word}, which is no number; send a finite one")


_DECODE = json.JSONDecoder(object_pairs_hook=_once, parse_constant=_no_number).decode


def _object(raw: object) -> dict[str, Any]:
    """The JSON object that a proposal is, with only the keys it may have."""
    if type(raw) is not dict and isinstance(raw, bytes | bytearray | memoryview):
        raw = _decoded(bytes(raw)) if len(raw) <= MAX_BYTES else _too_long(len(raw))
    if isinstance(raw, str):
        found = _parsed(raw)
    elif type(raw) is dict or isinstance(raw, Mapping):
        found = dict(raw) if len(raw) <= len(_MAY_HOLD) else _extra(raw)
    else:
        raise _Odd(f"is {_article(_json_type(raw))}; send {FORM} as JSON text or as a mapping")
    if not found.keys() <= _MAY_HOLD:
        _extra(found)
    return found


def _too_long(size: int) -> Any:
    raise _Odd(f"has {size:,} bytes, over {MAX_BYTES:,}; send a smaller change")


def _extra(found: Mapping[Any, Any]) -> Any:
    other = next(k for k in found if k not in _MAY_HOLD)
    raise _Odd(f"holds {_shown(other)}, which nothing asks for; send {FORM}, and reason, intent or diff where needed")


def _decoded(raw: bytes) -> str:
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as e:
        raise _Odd(f"is not UTF-8 (byte {e.start}); send {FORM} as UTF-8 text") from None


def _parsed(text: str) -> dict[str, Any]:
    if len(text) > MAX_BYTES:
        _too_long(len(text))
    try:
        found = _DECODE(text)
    except (ValueError, RecursionError, MemoryError) as e:
        raise _Odd(_no_json(text, e)) from None
    if not isinstance(found, dict):
        raise _Odd(f"is {_article(_json_type(found))} and no object; send {FORM}")
    return found


def _no_json(text: str, why: Exception) -> str:
    """What a text that is no JSON looks most like, and what to send instead."""
    begin = text.lstrip()
    if not begin:
        return f"is empty; send {FORM}"
    if begin.startswith("```"):
        return f"stands in a code fence; send {FORM} alone, without the fence"
    if begin.startswith("\ufeff"):
        return f"begins with a byte order mark; send {FORM} without it"
    at = f" at letter {why.pos + 1}" if isinstance(why, json.JSONDecodeError) else ""
    if isinstance(why, json.JSONDecodeError) and why.msg == "Extra data":
        return f"goes on after its JSON ends{at} ({_shown(text[why.pos :])}); send one object and nothing else"
    if not begin.startswith(("{", "[", '"')):
        return f"is prose and not JSON ({_shown(begin)}); send {FORM} and nothing else"
    if isinstance(why, RecursionError | MemoryError):
        return f"is nested too deep; send a value of at most {MAX_DEPTH} levels"
    if not isinstance(why, json.JSONDecodeError):
        return f"holds a number too long to read; send one below {MAX_BITS} bits"
    return f"is not JSON ({why.msg}{at}); send {FORM} and nothing else"


def _changes(said: Mapping[str, Any]) -> tuple[tuple[str, object], ...]:
    """The changes as they came, each a knob and a plain value."""
    if "changes" not in said:
        return (_one(said, "the proposal"),)
    given = said["changes"]
    if "knob" in said or "value" in said:
        raise _Odd("has changes and a knob of its own; send either")
    if not isinstance(given, list | tuple):
        raise _Odd(f"has changes that are {_article(_json_type(given))}; send a list of {FORM}")
    if not given:
        raise _Odd(f"changes nothing; send a list of at least one {FORM}")
    if len(given) > MAX_CHANGES:
        raise _Odd(f"has {len(given):,} changes, over {MAX_CHANGES}; send fewer at once")
    return tuple(_one(c, f"change {i}") for i, c in enumerate(given, 1))


def _one(given: object, which: str) -> tuple[str, object]:
    if not (type(given) is dict or isinstance(given, Mapping)) or (
        which != "the proposal" and not given.keys() <= _CHANGE
    ):
        raise _Odd(f"has a {which} that is not {FORM}; send a knob and its value, nothing else")
    for key in ("knob", "value"):
        if key not in given:
            raise _Odd(f"has no {key}{'' if which == 'the proposal' else f' in {which}'}; send {FORM}")
    knob = given["knob"]
    if not isinstance(knob, str):
        raise _Odd(f"has {_article(_json_type(knob))} for a knob's name; send its name as text")
    if not knob.isascii() or not knob.isprintable():
        _seen(knob, _UNSEEN, "a knob's name")
    if not knob.strip():
        raise _Odd("names no knob: the name is empty; send one of the menu")
    if len(knob) > MAX_NAME:
        raise _Odd(f"names a knob in {len(knob):,} letters, over {MAX_NAME}; send one of the menu")
    value = given["value"]
    kind = type(value)
    # Nearly every value is a plain number, and looks like one at a glance.
    plain = (kind is int or kind is float) and -1e300 < value < 1e300
    return str(knob), value if plain or value is None or kind is bool else _plain(value)


def _plain(value: object) -> object:
    """A value as JSON has it, if it is small enough to be one."""
    if callable(foreign := getattr(value, "tolist", None)):  # the numbers of numpy and torch
        value = foreign()
    parts, letters, todo = 0, 0, [(value, 0)]
    while todo:
        part, depth = todo.pop()
        parts += 1
        if isinstance(part, Mapping | list | tuple):
            if depth == MAX_DEPTH:
                raise _Odd(f"has a value nested deeper than {MAX_DEPTH} levels; send a flat one")
            if parts + len(todo) + len(part) > MAX_PARTS:
                raise _Odd(f"has a value of more than {MAX_PARTS} parts; send a smaller one")
            todo += [(v, depth + 1) for v in (part.values() if isinstance(part, Mapping) else part)]
            letters += sum(map(_letters, part)) if isinstance(part, Mapping) else 0
        else:
            letters += _letters(part)
    if letters > MAX_TEXT:
        raise _Odd(f"has a value of {letters:,} letters, over {MAX_TEXT:,}; send a shorter one")
    return list(value) if isinstance(value, tuple) else value


def _letters(part: object) -> int:
    """How many letters a value without parts holds, if it is one that JSON has."""
    if isinstance(part, str):
        _seen(part, None, "a value")
        return len(part)
    if isinstance(part, int) and not isinstance(part, bool) and part.bit_length() > MAX_BITS:
        raise _Odd(f"has a number of {part.bit_length():,} bits, over {MAX_BITS:,}; send a smaller one")
    if isinstance(part, float) and not float("-inf") < part < float("inf"):
        raise _Odd("has a value that is not finite; send a finite number")
    if part is not None and not isinstance(part, bool | int | float):
        raise _Odd(f"has {_article(type(part).__name__)} in its value; send a number, a text, true or false")
    return 0


def _prose(reason: object) -> str | None:
    if reason is None:
        return None
    if not isinstance(reason, str):
        raise _Odd(f"has {_article(_json_type(reason))} for a reason; send a text, or leave it out")
    if len(reason) > MAX_REASON:
        raise _Odd(f"has a reason of {len(reason):,} letters, over {MAX_REASON:,}; say it in fewer")
    _seen(reason, _UNSEEN_IN_PROSE, "its reason")
    return str(reason)


def _diff(diff: object) -> str | None:
    if diff is None:
        return None
    if not isinstance(diff, str):
        raise _Odd(f"has {_article(_json_type(diff))} for a diff; send a unified diff as text, or leave it out")
    if len(diff) > MAX_BYTES:
        raise _Odd(f"has a diff of {len(diff):,} letters, over {MAX_BYTES:,}; send a smaller edit")
    _seen(diff, None, "its diff")
    return str(diff)


def _seen(text: str, unseen: re.Pattern[str] | None, where: str) -> None:
    """Refuse text that no file or terminal can hold, or that shows otherwise than it reads."""
    if not text.isascii() and (found := _LONE.search(text)):
        raise _Odd(f"has half a character ({found[0]!r}) in {where}; send valid Unicode")
    if unseen is not None and (found := unseen.search(text)):
        raise _Odd(f"has a control character ({found[0]!r}) in {where}; send plain text")


def _shown(text: object) -> str:
    """A stranger's text, short and on one line."""
    if not isinstance(text, str):
        return _article(_json_type(text))
    shown = repr(text[:41])
    return shown if len(shown) <= 44 else f"{shown[:40]}..."


def _json_type(value: object) -> str:
    names = {bool: "boolean", int: "number", float: "number", str: "text", list: "list", tuple: "list"}
    if value is None:
        return "null"
    return "object" if isinstance(value, Mapping) else names.get(type(value), type(value).__name__)


def _article(noun: str) -> str:
    return noun if noun == "null" else f"an {noun}" if noun[:1] in "aeiou" else f"a {noun}"
