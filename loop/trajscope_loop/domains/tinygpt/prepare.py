"""The data: the source of Python's standard library as bytes, split by file. The same for one installation of Python.

    python prepare.py GIVEN TRUTH

What training may read: bytes to train on, and contexts whose next byte is not among what it is given. Files of a few
whole packages are the holdout's alone, so that it asks about code by other hands.
"""

from __future__ import annotations

import hashlib
import sys
import sysconfig
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Bytes = NDArray[np.uint8]

DATA_SEED = 42
CONTEXT = 64  # bytes before the one that is asked for
TRAIN, VISIBLE, SWAPPED, HOLDOUT = 2_000_000, 1024, 256, 768  # bytes; questions
LEAST, MOST = 2_000, 60_000  # bytes of a file: no stub, no table, and none that outweighs the others
APART = frozenset(
    "site-packages dist-packages encodings test tests idle_test __pycache__ lib-dynload pydoc_data".split()
)


class Questions(NamedTuple):
    """Contexts, and the byte that follows each."""

    contexts: Bytes
    following: Bytes


def sources(root: Path) -> dict[str, bytes]:
    """The modules of the standard library by relative name, in order; nothing that an installation wrote."""
    out = {}
    for place in sorted(root.rglob("*.py")):
        name = place.relative_to(root)
        made = name.name.startswith("_sysconfig") or name.name in ("sitecustomize.py", "usercustomize.py")
        if APART & set(name.parts) or made or name.parts[0].startswith("config-") or place.is_symlink():
            continue
        data = place.read_bytes()
        if LEAST <= len(data) <= MOST:
            out[name.as_posix()] = data
    return out


def split_of(name: str) -> str:
    """Where a file belongs: by its package where it has one, else by its own name. Neighbours do not change it."""
    package, slash, _ = name.partition("/")
    if slash and _share(package) < 0.2:
        return "holdout"
    return "visible" if _share(name) < 0.1 else "train"


def _share(name: str) -> float:
    """A number from 0 to 1 that is always the same for a name."""
    return int(hashlib.sha256(name.encode()).hexdigest()[:8], 16) / 2**32


def asked(files: Iterable[bytes], n: int, draw: np.random.Generator) -> Questions:
    """Pieces drawn from these files, none of which share a byte: no context tells what follows another."""
    size = CONTEXT + 1
    pieces = np.concatenate([np.frombuffer(f[: len(f) // size * size], np.uint8).reshape(-1, size) for f in files])
    rows = draw.choice(pieces, n, replace=False)
    return Questions(rows[:, :-1], rows[:, -1])


def swapped(real: Questions, others: Questions) -> Questions:
    """As many of the first questions once more, with everything before the last byte taken from others.

    To a table of pairs of bytes both are the same question; who looks further back is misled.
    """
    n = len(others.contexts)
    contexts = others.contexts.copy()
    contexts[:, -1] = real.contexts[:n, -1]
    return Questions(contexts, real.following[:n])


def task(files: dict[str, bytes], seed: int = DATA_SEED) -> tuple[dict[str, Any], dict[str, Any]]:
    """What is given and what is true, as arrays by name."""
    draw = np.random.default_rng(seed)
    parts: dict[str, list[bytes]] = {"train": [], "visible": [], "holdout": []}
    for name, data in files.items():
        parts[split_of(name)].append(data)
    train = np.frombuffer(b"".join(parts["train"][i] for i in draw.permutation(len(parts["train"]))), np.uint8)[:TRAIN]
    found = asked(parts["visible"], VISIBLE + SWAPPED, draw)
    real, others = (Questions(*(x[cut] for x in found)) for cut in (slice(VISIBLE), slice(VISIBLE, None)))
    misled, hidden = swapped(real, others), asked(parts["holdout"], HOLDOUT, draw)
    order = draw.permutation(VISIBLE + SWAPPED)  # nothing tells which of them are swapped
    row = np.argsort(order)
    given = {
        "train": train,
        "visible": np.concatenate([real.contexts, misled.contexts])[order],
        "holdout": hidden.contexts,
    }
    truth = {
        "visible": real.following,
        "rows": row[:VISIBLE],  # where each of them was asked
        "twins": row[VISIBLE:],  # and, for the first of them, its swapped twin
        "holdout": hidden.following,
    }
    return given, truth


def main() -> None:
    """Write what training may read, and what only the judge may."""
    root = Path(sysconfig.get_path("stdlib"))
    files = sources(root)
    if sum(map(len, files.values())) < 2 * TRAIN:
        sys.exit(f"{root}: holds too little source of the standard library; use a Python that comes with its .py files")
    for folder, arrays in zip(map(Path, sys.argv[1:3]), task(files), strict=True):
        for name, array in arrays.items():
            np.save(folder / f"{name}.npy", array)


if __name__ == "__main__":
    main()
