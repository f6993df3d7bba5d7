"""Purposes: what the columns of a table are for, told by their names and by the first row under them.

Knows no file and no delimiter. A name is compared without case, spaces and dashes; what it says goes by whole words.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from msgspec.structs import replace

from trajscope.layout import Layout
from trajscope.readers.cells import missing, number
from trajscope.readers.fields import goal_of
from trajscope.readers.names import ASIDE, BESIDE, CHANGED, KNOBS, NAMES, QUALITY, ROLE_OF, SPEED, TRAINED

_KNOB_LIKE = re.compile(r"(?:n|num|max|min|use|block|tile)_[a-z0-9_]+\Z")
_NAME = re.compile(r"[^\W\d_][\w.()%/±+\-#@²*]{0,47}(?: [\w.()%/±+\-#@²*]{1,24}){0,3}\Z|#\Z")
_WORDS = re.compile(r"[a-z0-9²]+")
MOST = 256  # columns of a table


class Roles(NamedTuple):
    """What was found: a layout, and what must be said of it where something had to be guessed."""

    layout: Layout
    unsure: tuple[str, ...] = ()


def plain(name: str) -> str:
    """A column's name as names are compared."""
    return name.strip().strip('"`*').strip().casefold().replace(" ", "_").replace("-", "_")


def is_heading(cells: Sequence[str]) -> bool:
    """Whether these cells are names of columns: all are names, none a number, and two or more are for something."""
    if not 2 <= len(cells) <= MOST:
        return False
    names = [c.strip().strip('"`*').strip() for c in cells]
    if sum(map(bool, names)) < 2 or any(n and not _NAME.match(n) for n in names):
        return False
    known = [plain(n) for n in names]
    roles = {ROLE_OF[n] for n in known if n in ROLE_OF}
    measured = [n for n in known if n not in ROLE_OF and _class(n) < _OTHER]
    if "status" in roles or "value" in roles:
        return len(roles) >= 2 or bool(measured)
    bare = not any(" " in n for n in names)
    return bool(measured) and (bool(roles & {"id", "commit"}) or (bare and len(names) > 2))


def roles(names: Sequence[str], first: Sequence[str] | None = None, *, knobs: bool = False) -> Roles:
    """The roles of columns of these names; `first` is the first row, `knobs` that unknown columns may be knobs."""
    spelt: dict[str, str] = {}
    for name in names:
        spelt.setdefault(plain(name), name)
    found: dict[str, str] = {}
    for role, wanted in NAMES.items():
        has = next((n for n in wanted if n in spelt and spelt[n] not in found.values()), None)
        if has is not None:
            found[role] = spelt[has]
    if "value" not in found and "knob" in found and "value" in spelt:
        found["value"] = spelt["value"]
    if "value" not in found:
        found.pop("knob", None)
    taken = {plain(n) for n in found.values()} - {plain(found.get("wall_s", ""))}
    place = {plain(n): i for i, n in reversed([*enumerate(names)])}
    others = [n for n in spelt if n and n not in taken and n not in ASIDE]
    free = [n for n in others if _may_be_number(first, place[n])]
    metric, rivals, why = _metric(free)
    turned = _turned([n for n in others if n != metric], metric, place, found) if knobs else ()
    measured = [n for n in free if n not in turned]
    rivals = [n for n in rivals if n not in turned]
    if "wall_s" in found and plain(found["wall_s"]) == metric:
        del found["wall_s"]
    if "id" not in found and "commit" in found:
        found["id"] = found["commit"]
    label = found.get("id")
    if "description" not in found and label and first and not turned and _is_text(first, place[plain(label)]):
        found["description"] = label  # then what it is called is all that is said of it
    layout = replace(
        Layout(**found),  # type: ignore[arg-type]  # the roles of `NAMES` are all texts
        metric=spelt[metric] if metric else None,
        goal=goal_of(metric),
        metrics=tuple(spelt[n] for n in measured),
        knobs=tuple(spelt[n] for n in turned),
    )
    return Roles(layout, tuple(_sentence(why, metric, [spelt[n] for n in rivals], layout)))


def _sentence(why: str, metric: str | None, rivals: list[str], layout: Layout) -> list[str]:
    said = []
    if metric is None and rivals:
        said.append(f"no column is the metric by its name ({', '.join(rivals[:8])}); name it with --metric")
    elif metric is None:
        said.append("no column is a metric; name one with --metric")
    elif rivals:
        said.append(f"{layout.metric} is taken as the metric, {why} among {', '.join(rivals[:8])}; else say --metric")
    if metric is not None and layout.goal is None:
        said.append(f"nothing tells which way {layout.metric} is better; say --goal")
    return said


_GOOD, _QUICK, _OTHER, _NO = range(4)


def _class(name: str) -> int:
    """How likely the number under this name is what a loop optimises: 0 quality, 1 speed, 2 perhaps, 3 not."""
    words = set(_WORDS.findall(name))
    aside = words & BESIDE
    if words & QUALITY and not aside & CHANGED:  # fmt: skip
        return _GOOD if not words & TRAINED else _QUICK
    speed = words & SPEED
    if speed and not aside - {"tokens", "time", "peak"}:
        return _QUICK
    return _NO if aside else _OTHER


def _metric(free: Sequence[str]) -> tuple[str | None, list[str], str]:
    """The metric, the columns that could be it as well, and why it was taken and not they."""
    after = [n for n in free if n.endswith("_after") and f"{n.removesuffix('_after')}_before" in free]
    if after:
        return after[0], after[1:], "the first"
    ranks: tuple[list[str], ...] = ([], [], [], [])
    for name in free:
        ranks[_class(name)].append(name)
    for rank in ranks[:2]:
        if rank:
            return rank[0], rank[1:], "the first"
    if len(ranks[_OTHER]) == 1:
        return ranks[_OTHER][0], [], ""
    return None, ranks[_OTHER], ""


def _turned(
    free: Sequence[str],
    metric: str | None,
    place: Mapping[str, int],
    found: Mapping[str, str],
) -> tuple[str, ...]:
    """The columns that are knobs: by their names, or all between the id and the metric in a table made of knobs."""
    named = [n for n in free if is_knob(n)]
    if metric is None:
        return tuple(named)
    before = [n for n in free if place[n] < place[metric] and (_class(n) == _OTHER or is_knob(n))]
    grid = not found.keys() & {"status", "commit", "description"}
    if len(before) >= (2 if grid else 3) and not any(place[n] > place[metric] for n in named):
        return tuple(before)
    return tuple(n for n in named if place[n] < place[metric]) or tuple(named)


def is_measured(name: str) -> bool:
    """Whether a column of this name holds what something is judged by: its quality, or its speed."""
    return _class(plain(name)) < _OTHER


def is_knob(name: str) -> bool:
    """Whether a column of this name is turned, not measured."""
    name = plain(name)
    if name in KNOBS:
        return True
    return bool(_KNOB_LIKE.match(name)) and not set(_WORDS.findall(name)) & (BESIDE - {"n", "num"})


def _may_be_number(first: Sequence[str] | None, i: int) -> bool:
    """Whether the first row does not speak against numbers in this column."""
    if first is None or i >= len(first):
        return True
    return missing(first[i]) or number(first[i]) is not None or _holds_number(first[i])


def _is_text(row: Sequence[str], i: int) -> bool:
    return i < len(row) and number(row[i]) is None


def _holds_number(cell: str) -> bool:
    """Prose that begins with a number: several metrics in one cell."""
    return bool(re.match(r"\s*[+-]?\d", cell))
