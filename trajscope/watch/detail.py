"""One trial in full, from its line in the file: what was proposed and why, seeds, verdicts, prompts, the diff.

The line is read again from the file and believed in nothing: every text is cut and cleaned.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

from trajscope import blobs, sources
from trajscope.errors import TrajscopeError
from trajscope.lines import MAX_LINE
from trajscope.readable import clean, number, short
from trajscope.watch.ink import Line, Role, Span, cut, wrapped

MOST_LINES = 2000  # of a diff or a prompt
LONGEST = 4000  # letters of one line of them
FIELDS = 60  # fields of a line that are shown
LEVELS: dict[str, Role] = {"FAIL": "bad", "UNKNOWN": "warn", "WARN": "warn", "PASS": "good"}


class Detail(NamedTuple):
    """A trial in full. The diff stands apart, because it is coloured otherwise."""

    lines: list[Line]
    diff: str = ""


def detail(path: str, at: int, seq: int, columns: int) -> Detail:
    """The trial whose line begins at this offset."""
    if path == "-":
        return Detail([[Span(" standard input cannot be read twice: save it into a file to see a trial in full")]])
    try:
        obj = json.loads(sources.read_at(path, at, MAX_LINE))
    except TrajscopeError as e:
        return Detail([[Span(f" {cut(clean(e), columns - 2)}", "bad")]])
    except (ValueError, RecursionError):
        return Detail([[Span(f" line {seq} can no longer be read: the file was changed since", "bad")]])
    if not isinstance(obj, dict):
        return Detail([[Span(f" line {seq} holds no trial any more: the file was changed since", "bad")]])
    diff = _text(path, obj.pop("diff", None))
    return Detail(
        [*_attempts(obj, columns), *_verdicts(obj, columns), *_seeds(obj, columns), *_rest(path, obj, columns)], diff
    )


def _attempts(obj: dict[str, Any], columns: int) -> list[Line]:
    out: list[Line] = []
    found = obj.pop("attempts", None)
    for n, attempt in enumerate(found if isinstance(found, list) else (), 1):
        if not isinstance(attempt, Mapping):
            continue
        changes = attempt.get("changes") or [attempt]
        what = " + ".join(
            f"{short(c.get('knob'), 60)}={short(c.get('value'), 80)}" for c in changes if isinstance(c, Mapping)
        )
        said = attempt.get("verdict")
        out.append([Span(f" attempt {n}  ", "head"), Span(cut(what, columns - 14))])
        out += [[Span(f"            {x}")] for x in _wrapped(attempt.get("reason"), columns - 12)]
        out += _told([said], columns) if isinstance(said, Mapping) else []
    return out


def _verdicts(obj: dict[str, Any], columns: int) -> list[Line]:
    found = obj.pop("verdicts", None)
    return [[Span(" verdicts", "head")], *_told(found, columns)] if isinstance(found, list) and found else []


def _told(verdicts: list[Any], columns: int) -> list[Line]:
    out: list[Line] = []
    for v in verdicts:
        if isinstance(v, Mapping):
            level = short(v.get("level"), 10)
            head = f"   {level:<8} {short(v.get('rule'), 20):<14} "
            first, *rest = _wrapped(v.get("reason"), columns - len(head)) or [""]
            out.append([Span(head, LEVELS.get(level, "warn")), Span(first)])
            out += [[Span(" " * len(head)), Span(x)] for x in rest]
    return out


def _seeds(obj: dict[str, Any], columns: int) -> list[Line]:
    found = obj.pop("seeds", None)
    if not isinstance(found, list) or not found:
        return []
    out: list[Line] = [[Span(" seeds", "head")]]
    for s in found:
        if not isinstance(s, Mapping):
            continue
        metrics = s.get("metrics")
        values = "  ".join(
            f"{short(k, 24)} {_number(v)}" for k, v in (metrics.items() if isinstance(metrics, Mapping) else ())
        )
        bad = s.get("status") not in ("ok", None)
        text = f"   {_number(s.get('seed')):>6}  {short(s.get('status', ''), 12):<10} {values}"
        out.append([Span(cut(text, columns), "bad" if bad else "")])
        if s.get("error"):
            out += [[Span(f"           {x}", "bad")] for x in _wrapped(s["error"], columns - 12)]
    return out


def _rest(path: str, obj: dict[str, Any], columns: int) -> list[Line]:
    """Every other field, prompts and other long texts in full."""
    out: list[Line] = [[Span(" the rest of the line", "head")]]
    long: list[Line] = []
    for key, value in list(obj.items())[:FIELDS]:
        text = _text(path, value)
        if text.count("\n") or len(text) > columns or _is_blob(value):
            long += [[], [Span(f" {short(key, 40)}", "head")]]
            long += [[Span(f"   {x}")] for part in text.split("\n") for x in _broken(part, columns - 4)]
        else:
            out.append([Span(f"   {short(key, 22):<22} ", "dim"), Span(cut(text, columns - 26))])
    if len(obj) > FIELDS:
        out.append([Span(f"   and {len(obj) - FIELDS} more fields", "dim")])
    return out + long


def _text(path: str, value: Any) -> str:
    """A value as text, cleaned line by line; a long text that lies beside the run is fetched."""
    if value is None:
        return ""
    if _is_blob(value):
        try:
            value = blobs.read_blob(path, value["blob"])
        except TrajscopeError as e:
            return clean(e)
    if not isinstance(value, str):
        try:
            value = json.dumps(value, ensure_ascii=False, indent=2 if _deep(value) else None)
        except RecursionError:
            value = "(nested too deeply to be shown)"
    lines = value.split("\n")
    shown = [clean(x.replace("\t", "    ")[:LONGEST].rstrip("\r")) for x in lines[:MOST_LINES]]
    return "\n".join([*shown, f"... and {len(lines) - MOST_LINES:,} more lines"] if len(lines) > MOST_LINES else shown)


def _deep(value: object) -> bool:
    """Whether a value is easier to read over several lines."""
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return any(isinstance(x, dict | list) for x in inner)


def _is_blob(value: object) -> bool:
    return isinstance(value, dict) and isinstance(value.get("blob"), str)


def _number(x: object) -> str:
    return number(x) if isinstance(x, int | float) and not isinstance(x, bool) else short(x, 20)


def _broken(line: str, columns: int) -> list[str]:
    """A line of a text in as many as it takes; what it is indented by stays."""
    indent = line[: len(line) - len(line.lstrip())][: columns // 2]
    return [indent + x for x in wrapped(line.strip(), columns - len(indent), 100)]


def _wrapped(text: object, columns: int) -> list[str]:
    return wrapped(clean(text)[:LONGEST], columns, 20) if text else []
