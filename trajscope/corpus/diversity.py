"""Diversity: how many different things there really are among counted ones, and what weights can make of it."""

from __future__ import annotations

import math
from array import array
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Literal

from trajscope.errors import CorpusError
from trajscope.pair import Pair

Kernel = Callable[[Pair, Pair], float]  # how alike two pairs are: 1 for the same, 0 for nothing in common
KernelName = Literal["exact", "near"]
MOST = 2000  # different pairs that are compared with one another; beyond, the most frequent of them
NEAR = 0.1  # of a knob's scale: two values so far apart are alike by 1/e


def hill(counts: Mapping[str, int] | Sequence[int], q: float = 1.0) -> float | None:
    """The effective number of kinds: all that occur (q=0), by entropy (q=1), by Simpson (q=2). None for no counts."""
    held = counts.values() if isinstance(counts, Mapping) else counts
    total = sum(held)
    return _order((n / total for n in held if n), q) if total else None


def of_shares(shares: Iterable[float], q: float = 1.0) -> float:
    """The same of shares that add up to one."""
    return _order((p for p in shares if p), q)


def vendi(counts: Mapping[str, int], pairs: Mapping[str, Pair], kernel: Kernel, q: float = 1.0) -> float | None:
    """The effective number of kinds where kinds may be alike; with a kernel of 0 and 1 it is `hill`."""
    found = spectrum(counts, pairs, kernel)
    return _order(found, q) if found else None


def spectrum(counts: Mapping[str, int], pairs: Mapping[str, Pair], kernel: Kernel) -> list[float]:
    """Shares of kinds that have nothing in common and amount to these: of all orders the same.

    They are the eigenvalues of the similarity of all rows, over their number: rows with one label fall together.
    """
    total = sum(counts.values())
    if kernel is exact or not total:
        return [n / total for n in counts.values() if n]
    import numpy as np

    top = sorted(counts, key=lambda label: (-counts[label], label))[:MOST]
    share = np.array([counts[x] for x in top], dtype=float)
    root = np.sqrt(share / share.sum())
    alike = np.array([[kernel(pairs[a], pairs[b]) for b in top] for a in top], dtype=float)
    if not (np.isfinite(alike).all() and np.allclose(alike, alike.T) and np.allclose(alike.diagonal(), 1.0)):
        raise CorpusError("the kernel is none: it must be finite, 1 for a pair with itself, the same both ways round")
    found = np.linalg.eigvalsh(alike * root[:, None] * root[None, :])
    held = [float(x) for x in found if x > 1e-12]  # a kernel that is no inner product may give some below 0
    whole = sum(held)
    return [x / whole for x in held]


def exact(a: Pair, b: Pair) -> float:
    """Two pairs are the same or they are not."""
    return 1.0 if a.label == b.label else 0.0


def near(a: Pair, b: Pair) -> float:
    """Values of one knob are the more alike the nearer they stand on its scale."""
    if a.label == b.label:
        return 1.0
    if [c.knob for c in a.changes] != [c.knob for c in b.changes]:
        return 0.0
    out = 1.0
    for x, y in zip(a.changes, b.changes, strict=True):
        if x.position is None or y.position is None:
            out *= x.text == y.text
        else:
            out *= math.exp(-abs(x.position - y.position) / NEAR)
    return out


KERNELS: Mapping[KernelName, Kernel] = {"exact": exact, "near": near}


def weights(counts: Mapping[str, int], a: float, cap: float = 1.0) -> dict[str, float]:
    """The share that each label gets, by its name; the same as `shares`."""
    held = {label: n for label, n in counts.items() if n}
    return dict(zip(held, shares(list(held.values()), a, cap), strict=True))


def shares(counts: Sequence[int], a: float, cap: float = 1.0) -> array[float]:
    """The share that each label gets where rows are weighed by n^(a-1): a=1 leaves them, a=0 makes all labels equal.

    No label gets more than `cap`, unless there are too few labels for that.
    """
    raw = array("d", (n**a for n in counts))
    total = sum(raw)
    found = array("d", (x / total for x in raw))
    least = max(cap, 1 / len(found)) if found else cap
    held: set[int] = set()
    while over := {i for i, x in enumerate(found) if x > least + 1e-12} - held:
        held |= over
        free = sum(x for i, x in enumerate(found) if i not in held)
        room = 1 - least * len(held)
        found = array("d", (least if i in held else x * room / free if free else 0.0 for i, x in enumerate(found)))
    return found


def effective_rows(counts: Sequence[int], shares: Sequence[float]) -> float:
    """How many equally weighted rows are worth as much as these, each label's share spread over its rows (Kish)."""
    squares = sum(x**2 / n for x, n in zip(shares, counts, strict=True))
    return 1 / squares if squares else 0.0


def apart(a: Mapping[str, int], b: Mapping[str, int]) -> float | None:
    """The total variation between two sets of counts: 0 where shares are equal, 1 where they have nothing in common."""
    n, m = sum(a.values()), sum(b.values())
    if not n or not m:
        return None
    return math.fsum(abs(a.get(x, 0) / n - b.get(x, 0) / m) for x in {*a, *b}) / 2  # in whatever order a set has


def _order(shares: Iterable[float], q: float) -> float:
    if q == 1:
        return math.exp(-math.fsum(p * math.log(p) for p in shares))
    return float(math.fsum(p**q for p in shares) ** (1 / (1 - q)))
