"""Batch: many trials at once, in columns, for files too long to make an object of every line.

Knows no file format. A trial of a batch has one plain seed at most, no metrics beside its value unless it was kept, no
intent, and no attempt before the one that ran; whatever else there is to say of one is in `remarks` or `whole`.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from typing import Any

from msgspec import Struct

from trajscope.pair import Pair
from trajscope.trial import STATUSES, Drift, Trial

MOST = 1 << 13  # trials that are pushed at once: twice as many take 16 MB more and no less time
READ = 1 << 10  # lines that are decoded at once, which takes a reader about as long as pushing all those trials


class Move(Struct, frozen=True, eq=False, gc=False):
    """What a trial does: its pair, and the configuration that this leads to. Named as in `Trial`."""

    pair: Pair | None = None
    config: str | None = None
    moved: Pair | None = None
    base: str | None = None
    drift: tuple[Drift, ...] = ()
    seed: int | None = None
    based: bool = False
    noop: bool = False
    provenance: str = "native"
    confidence: float | None = None


class Batch(Struct):
    """Consecutive trials of one run."""

    moves: list[Move]  # in the order in which they first occur
    what: list[int]  # index into moves
    seq: list[int]
    at: list[int]
    status: list[int]
    iter: list[int | None]
    value: list[float | None]
    wall_s: list[float | None]
    tokens_in: list[int | None]
    tokens_out: list[int | None]
    time_ms: list[int | None]
    first_step: list[float | None]
    claimed_best: list[bool | None]
    noop: list[bool]
    remarks: list[tuple[int, Trial]]  # by row: what was refused, drifted, or could not be used
    usd: list[float | None] | None = None
    whole: dict[int, Trial] = {}  # by row: trials that were read whole, since later ones may stand upon them
    seeds: list[tuple[Any, ...]] = []  # as the store holds them: seq, seed, status, value, wall_s, first_step, error

    def trial(self, i: int, move: Move) -> Trial:
        """One of its trials, as far as keeps need it."""
        if i in self.whole:
            return self.whole[i]
        return Trial(
            seq=self.seq[i],
            at=self.at[i],
            status=STATUSES[self.status[i]],
            pair=move.pair,
            iter=self.iter[i],
            value=self.value[i],
            wall_s=self.wall_s[i],
            base=move.base,
            based=move.based,
            config=move.config,
            moved=move.moved,
            noop=self.noop[i],
            provenance=move.provenance,
            confidence=move.confidence,
            drift=move.drift,
        )


_PLAIN = tuple(f for f in Batch.__struct_fields__ if f not in ("moves", "what", "remarks", "usd", "whole"))


def joined(batches: Sequence[Batch]) -> Batch:
    """Batches that stand in a row as one; the moves that they share are the same objects."""
    if len(batches) == 1:
        return batches[0]
    number: dict[Move, int] = {}
    for b in batches:
        for m in b.moves:
            number.setdefault(m, len(number))
    starts = list(accumulate((len(b.seq) for b in batches), initial=0))
    placed = list(zip(starts, batches, strict=False))  # the last start is where the next batch would begin
    plain: dict[str, Any] = {f: [x for b in batches for x in getattr(b, f)] for f in _PLAIN}
    return Batch(
        moves=list(number),
        what=[x for b in batches for x in map([number[m] for m in b.moves].__getitem__, b.what)],
        remarks=[(start + i, t) for start, b in placed for i, t in b.remarks],
        usd=None if all(b.usd is None for b in batches) else [x for b in batches for x in b.usd or [None] * len(b.seq)],
        whole={start + i: t for start, b in placed for i, t in b.whole.items()},
        **plain,
    )


def times_ms(texts: Sequence[str | None]) -> list[int | None] | None:
    """Milliseconds since 1970 of naive times to the second, all spelled `2026-01-31 23:59:59`; None for others."""
    import numpy as np

    if not all(texts) or set(map(len, texts)) != {19}:  # type: ignore[arg-type]  # none of them is None
        return None
    try:
        words = np.array(texts, "S19")
        letters = words.view(np.uint8).reshape(-1, 19)
        digits = letters[:, [0, 1, 2, 3, 5, 6, 8, 9, 11, 12, 14, 15, 17, 18]]
        if (letters[:, [4, 7, 10, 13, 16]] != np.frombuffer(b"-- ::", np.uint8)).any():
            return None
        if digits.min() < 48 or digits.max() > 57 or (letters[:, :4].max(axis=1) == 48).any():  # no year 0000
            return None
        found: list[int | None] = words.astype("datetime64[ms]").astype(np.int64).tolist()
        return found
    except (ValueError, UnicodeError):
        return None
