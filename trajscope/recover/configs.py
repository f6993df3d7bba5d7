"""Whole configurations against each other: what differs is what was tried. Knows no file."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from trajscope.menu import Menu
from trajscope.recover.found import MOST, Found, change, together
from trajscope.recover.numbers import value

DEPTH = 8  # objects inside objects that are taken apart
# How sure one is, by how many keys differ: where a backbone is exchanged, many follow from one decision.
SURE = ((1, 0.95), (3, 0.9), (5, 0.8), (MOST, 0.5))
HARDLY = 0.3
_PLAIN = frozenset((str, int, float, bool))
# Whole words of a key's last part that make it a seed, or a remark that changes nothing of what runs.
_WORDS = re.compile(r"[a-z0-9]+", re.IGNORECASE)
_SEEDS = frozenset("seed seeds rng prng randomstate".split())
_REMARKS = frozenset(
    "description desc note notes comment comments timestamp date id uuid experiment_num run_id run_name exp_id "
    "experiment_id output_dir out_dir log_dir results_dir save_dir checkpoint_dir".split()
)


def compared(
    base: Mapping[str, object],
    ran: Mapping[str, object],
    *,
    menu: Menu | None = None,
    provenance: str = "config",
    ignore: Iterable[str] = (),
) -> Found | None:
    """What differs between the configuration that stood and the one that ran; None where nothing does.

    None is an answer: a caller that holds both configurations then knows that the trial was a no-op. Seeds and remarks
    are no part of a configuration, `ignore` names further keys by their dotted path. A key that is gone is null.
    """
    before, after, left_out = flat(base), flat(ran), frozenset(ignore)
    texts = provenance == "column"  # of a table every cell is a text
    moved = []
    for path in dict.fromkeys((*before, *after)):
        if path in left_out or _aside(path):
            continue
        name = _named(path, menu)
        old, new = (change(name, _cell(side.get(path)) if texts else side.get(path), menu) for side in (before, after))
        if (path in before) != (path in after) or old.text != new.text:
            moved.append(new)
    if not moved:
        return None
    sure = next((s for most, s in SURE if len(moved) <= most), HARDLY)
    return Found(together(moved), provenance, sure)


def _plainly_same(a: object, b: object) -> bool:
    """Whether two plain values are the same beyond doubt: most of a configuration is, and to spell it takes long."""
    if type(a) is list and type(b) is list:
        return a == b and all(type(x) is str for x in a)
    return type(a) is type(b) and type(a) in _PLAIN and a == b


def flat(config: Mapping[str, object]) -> dict[str, object]:
    """A configuration as dotted paths and plain values; lists stay whole."""
    out: dict[str, object] = {}
    todo: list[tuple[str, int, Mapping[str, object]]] = [("", 0, config)]
    while todo:
        under, depth, at = todo.pop()
        for key, v in at.items():
            path = f"{under}{key}"
            if isinstance(v, Mapping) and depth < DEPTH:
                todo.append((f"{path}.", depth + 1, v))
            else:
                out[path] = v
    return dict(sorted(out.items()))


def _named(path: str, menu: Menu | None) -> str:
    """A path by the name that the menu has for it, which may be that of its last part."""
    if menu is None or menu.find(path) is not None:
        return path
    last = path.rpartition(".")[2]
    return last if menu.find(last) is not None else path


def _cell(v: object) -> object:
    """What a cell of a table means: `0.10` is 0.1, whatever it is a text of."""
    return value(v) if isinstance(v, str) else v


def _aside(path: str) -> bool:
    """Whether a key is a seed or a remark."""
    last = path.rpartition(".")[2].lower()
    words = set(_WORDS.findall(last.replace("_", " ")))
    return last in _REMARKS or not words.isdisjoint(_SEEDS) or {"random", "state"} <= words
