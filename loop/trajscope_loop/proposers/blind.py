"""Random and grid: proposers that look at no score. What a campaign does better than these, it owes to its proposer.

`random` sees nothing at all. `grid` sees which cells were tried, and takes the next one in the menu's order.
"""

from __future__ import annotations

from itertools import combinations
from random import Random
from time import perf_counter
from typing import Any

from trajscope_loop.proposers.options import (
    Option,
    Standing,
    drawn,
    ground,
    pairs_of,
    places,
    proposal,
    seed_of,
    values_of,
)
from trajscope_loop.seams import Said, View


class Blind:
    """Draws each cell alike, and a value in it; `values="cells"` keeps to one value for each."""

    history: int | None = 0
    denies = False
    offers = False

    def __init__(self, *, seed: int = 0, pairs: int = 1, values: str = "ranges") -> None:
        self.seed, self.pairs, self.values = seed_of(seed), pairs_of(pairs), values_of(values)
        self._standing = Standing()

    def header(self) -> dict[str, Any]:
        """Who proposes."""
        told = {"seed": self.seed, "pairs": self.pairs, "values": self.values}
        return {"kind": "random", "model": None, "history": 0, "temperature": None, **told}

    def propose(self, view: View) -> Said:
        """Any change that the menu allows."""
        began = perf_counter()
        menu, rng = ground(view, "random"), Random(f"random {self.seed} {view.turn}")
        left, picked = self._standing.options(menu, view.base), list[Option]()
        while left and len(picked) < self.pairs:
            picked.append(rng.choice(left))
            left = [o for o in left if o.knob != picked[-1].knob]
        steps = [(o.knob, drawn(menu, view.base, o, self.values, rng)) for o in picked]
        return Said(proposal(steps, "drawn blindly") if steps else {}, "", wall_s=perf_counter() - began)


class Grid:
    """The first cell in the menu's order that nothing was tried in; once all were, the first of them again."""

    history: int | None = None
    denies = False
    offers = False

    def __init__(self, *, pairs: int = 1) -> None:
        self.pairs = pairs_of(pairs)
        self._standing = Standing()

    def header(self) -> dict[str, Any]:
        """Who proposes."""
        return {"kind": "grid", "model": None, "history": None, "temperature": None, "pairs": self.pairs}

    def propose(self, view: View) -> Said:
        """The next cell, or the next two of different knobs."""
        began = perf_counter()
        menu = ground(view, "grid")
        tried = {tuple(sorted(places(menu, label))) for label in (*(p.label for p in view.past), *view.refused)}
        found = self._standing.options(menu, view.base)
        every = [c for c in combinations(found, self.pairs) if len({o.knob for o in c}) == self.pairs]
        new = (c for c in every if tuple(sorted(o.cell for o in c)) not in tried)
        steps = [(o.knob, o.value) for o in next(new, every[0] if every else ())]
        return Said(proposal(steps, "next of the grid") if steps else {}, "", wall_s=perf_counter() - began)
