"""Reads the metrics that a command printed; the judge of a repository that has none of its own.

Its bytes, with what is declared behind them, are a frozen file of every job: how output is read is hashed with the
rest, and so it imports nothing of ours. What a command prints is its own word; see docs/codeedit.md.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

# What to read: `form` is json, lines or pattern; `names` the metrics; `patterns` one for each where form is pattern.
SPEC: Mapping[str, Any] = {"form": "lines", "names": []}


def judge(out: Path, truth: Path) -> dict[str, dict[str, float]]:
    """Every declared metric, each a finite number and said once; anything else is an error that says which."""
    text = (out / "stdout.txt").read_bytes().decode("utf-8", "replace")
    return {"metrics": read(text, SPEC["form"], SPEC["names"], SPEC.get("patterns", {}))}


def read(text: str, form: str, names: Sequence[str], patterns: Mapping[str, str] | None = None) -> dict[str, float]:
    """The metrics in a text. A progress line that was overwritten on the screen counts as what was shown last."""
    lines = [line.rstrip("\r").rpartition("\r")[2] for line in text.split("\n")]
    if form == "json":
        said = _json(lines)
    elif form == "lines":
        said = _lines(lines)
    else:
        said = [(n, found) for n in names for found in re.findall((patterns or {})[n], "\n".join(lines), re.MULTILINE)]
    return {name: _number(name, [value for n, value in said if n == name], form) for name in names}


def _json(lines: Sequence[str]) -> list[tuple[str, Any]]:
    """The members of the last line that begins with a brace; a name that stands in it twice is there twice."""
    last = next((line for line in reversed(lines) if line.startswith("{")), None)
    if last is None:
        raise ValueError("it printed no line that begins with {; print the metrics as one JSON object, last")
    pairs: list[tuple[str, Any]] = []

    def top(found: Iterable[tuple[str, Any]]) -> dict[str, Any]:
        pairs[:] = found  # the outermost object is finished last
        return dict(pairs)

    try:
        json.loads(last, object_pairs_hook=top)
    except ValueError as error:
        raise ValueError(f"its last line that begins with {{ is no JSON ({error}): {last[:80]}") from None
    return pairs


def _lines(lines: Sequence[str]) -> list[tuple[str, Any]]:
    """What stands as `name: value` after the last line of dashes."""
    dashes = [i for i, line in enumerate(lines) if re.fullmatch(r"-{3,}\s*", line)]
    if not dashes:
        raise ValueError("it printed no line ---; print it, and below it each metric as `name: value`")
    found = (re.match(r"\s*([A-Za-z_][\w./-]*)\s*[:=]\s*(\S+)\s*\Z", line) for line in lines[dashes[-1] + 1 :])
    return [(m[1], m[2]) for m in found if m]


def _number(name: str, said: Sequence[Any], form: str) -> float:
    if not said:
        raise ValueError(f"it printed no {name}; it ended early, or prints it otherwise than as {form}")
    if len(said) > 1:
        raise ValueError(f"it printed {name} {len(said)} times ({', '.join(map(str, said[:3]))}); which one counts?")
    value = said[0]
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise ValueError(f"{name} is {value!r}, which is no number")
    try:
        number = float(value)
    except (ValueError, OverflowError):
        raise ValueError(f"{name} is {str(value)[:40]!r}, which is no number") from None
    if isinstance(value, str) and form == "json":
        raise ValueError(f"{name} is the text {value[:40]!r}; print a number")
    if not math.isfinite(number):
        raise FloatingPointError(f"{name} is {value}, which is no finite number")
    return number
