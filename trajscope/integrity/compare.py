"""What differs between two moments of the declared files, in the words of knobs where a Python file says them.

Knows no trials. A file that came, one that went and a link that leads elsewhere are differences like any other.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping

from trajscope.errors import IntegrityError
from trajscope.integrity.prints import Prints, read
from trajscope.literals import constants, moved
from trajscope.pair import canon
from trajscope.trial import Drift

HEAD = 12  # letters of a hash that people are shown
MOST = 60  # letters of a value that people are shown
Constants = Mapping[str, Mapping[str, object]]


def drifts(old: Prints, new: Prints, was: Constants, root: str | os.PathLike[str]) -> list[Drift]:
    """Every file that differs, one entry for each constant that moved in it; below `root` lie the new ones."""
    out: list[Drift] = []
    for name in sorted({*old.files, *new.files}):
        a, b = old.files.get(name), new.files.get(name)
        if a == b:
            continue
        knobs = moved(was[name], settings(root, [name])[name]) if a and b and name in was else []
        out += [Drift(name, knob, x, y) for knob, x, y in knobs] or [Drift(name, None, _head(a), _head(b))]
    for name in sorted({*old.links, *new.links}):
        a, b = old.links.get(name), new.links.get(name)
        if a != b:
            out.append(Drift(name, None, f"-> {a or 'itself'}", f"-> {b or 'itself'}"))
    return out


def settings(root: str | os.PathLike[str], names: Iterable[str]) -> dict[str, dict[str, object]]:
    """The constants of every Python file among these; a file that went since has none."""
    out = {}
    for name in names:
        if name.endswith(".py"):
            try:
                out[name] = constants(read(root, name))
            except IntegrityError:
                out[name] = {}
    return out


def agreed(known: Iterable[Mapping[str, object]]) -> dict[str, object]:
    """The constants of several files as one configuration; one that two files set differently is no knob of it."""
    out: dict[str, object] = {}
    odd: set[str] = set()
    for found in known:
        odd |= {k for k, v in found.items() if k in out and canon(k, v).text != canon(k, out[k]).text}
        out |= found
    return {k: v for k, v in out.items() if k not in odd}


def said(drift: Drift, proposed: str = "was", ran: str = "is") -> str:
    """One difference in words."""
    if drift.knob is not None:
        a, b = (canon(drift.knob, x).text for x in (drift.proposed, drift.ran))
        return f"{drift.knob}: {proposed} {_short(a)}, {ran} {_short(b)}"
    if drift.ran is None:
        return f"{drift.path} is gone"
    if drift.proposed is None:
        return f"{drift.path} appeared"
    return f"{drift.path}: {proposed} {drift.proposed}, {ran} {drift.ran}"


def _short(text: str) -> str:
    return text if len(text) <= MOST else f"{text[: MOST - 3]}..."


def _head(sha: str | None) -> str | None:
    return None if sha is None else sha[:HEAD]
