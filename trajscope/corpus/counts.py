"""Counts: which of very many things were met, in about twenty bytes each however they are called.

Knows nothing of trials. A thing is known by 64 bits of its hash: among ten million of them, two are taken for one with
a chance of three in a million.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

_MIX, _ALL, _BITS = 0x9E3779B97F4A7C15, (1 << 64) - 1, 64  # odd, so that no two keys are mixed into one


def key(name: str) -> int:
    """What a name is known by."""
    return int.from_bytes(blake2b(name.encode("utf-8", "surrogatepass"), digest_size=8).digest())


class Index:
    """Things by their keys, numbered in the order in which they are met first."""

    def __init__(self) -> None:
        self.keys = array("Q")
        self._bits = 8
        self._slots = array("I", bytes(4 << self._bits))  # a number and one more; 0 where there is room

    def __len__(self) -> int:
        return len(self.keys)

    def find(self, key: int) -> int:
        """The number of a thing; -1 where it was never met."""
        return self._slots[self._slot(key)] - 1

    def place(self, key: int) -> int:
        """The number of a thing, which it gets now if it has none."""
        at = self._slot(key)
        if found := self._slots[at]:
            return found - 1
        self._slots[at] = len(self.keys) + 1
        self.keys.append(key)
        if 3 * len(self.keys) > 2 * len(self._slots):
            self._grow()
        return len(self.keys) - 1

    def _slot(self, key: int) -> int:
        """Where a thing stands, or would."""
        slots, keys = self._slots, self.keys
        last = len(slots) - 1
        at = (key * _MIX & _ALL) >> (_BITS - self._bits)
        while (found := slots[at]) and keys[found - 1] != key:
            at = (at + 1) & last
        return at

    def _grow(self) -> None:
        self._bits += 1
        self._slots = array("I", bytes(4 << self._bits))
        for i, key in enumerate(self.keys, 1):
            self._slots[self._slot(key)] = i


class Leaders:
    """The few that were met most often, with their names, of things whose counts only grow; of equals, by name."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._held: dict[int, tuple[int, str]] = {}  # count, turned round, and name
        self._last: tuple[int, str] | None = None  # of them, where there are so many

    def tell(self, number: int, count: int, name: str) -> None:
        """One thing has been met so often by now."""
        rank = -count, name
        if self._last is not None and rank > self._last:
            return
        self._held[number] = rank
        if len(self._held) > self._most:
            del self._held[max(self._held, key=self._held.__getitem__)]
        if len(self._held) == self._most:
            self._last = max(self._held.values())

    def all(self) -> list[tuple[int, str, int]]:
        """Number, name and count of each, the first first."""
        found = sorted((rank, number) for number, rank in self._held.items())
        return [(number, name, -count) for (count, name), number in found]


def at(keys: array[int], key: int) -> int:
    """The place of a key among sorted ones; -1 where it is not there."""
    found = bisect_left(keys, key)
    return found if found < len(keys) and keys[found] == key else -1


def again(keys: array[int]) -> int:
    """How many of these were met before; they are sorted where they stand, so that nothing is held twice."""
    import numpy as np

    if not keys:
        return 0
    held = np.frombuffer(keys, dtype=np.uint64)
    held.sort()
    return int((held[1:] == held[:-1]).sum())


def array_of(kind: str, numbers: npt.NDArray[np.generic]) -> array[Any]:
    """Numbers of numpy as an array of Python, whose single items are quicker to ask."""
    out = array(kind)
    out.frombytes(numbers.astype(kind).tobytes())
    return out
