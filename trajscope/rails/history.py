"""History: everything that was tried in a campaign, by this run, earlier ones and other agents, asked in microseconds.

What cannot be known for sure is a `HistoryError`, never an empty history: that must be said, with `History.none`.
"""

from __future__ import annotations

import gc
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from trajscope.errors import HistoryError
from trajscope.menu import Menu
from trajscope.pair import Pair
from trajscope.rails.base import REMEDY, Base, Incumbent
from trajscope.rails.follow import Follow
from trajscope.rails.ledger import MOST, Ledger, Past, Ran, Seen
from trajscope.rails.nearby import Nearby
from trajscope.readers.skim import Tried
from trajscope.trial import SCORED, Header

__all__ = ["History", "Past", "Ran", "Seen", "Spent"]

NOT_RUN = frozenset(("blocked", "proposer_error"))  # nothing was spent on the proposal of such a trial
_INTENTS = ("revisit", "replicate")
_COSTS = ("wall_s", "tokens", "usd")
_new = tuple.__new__  # a named tuple without the call in Python that its own constructor makes


class Spent(NamedTuple):
    """What the trials that ran cost, those that did not run included where they were paid for.

    `unpriced` counts trials that ran and do not say what they cost, `dearest` is the most that one cost, by name.
    """

    trials: int
    wall_s: float
    tokens: int
    usd: float
    unpriced: dict[str, int]
    dearest: dict[str, float]


class History:
    """What was tried. `of` reads it from files and `refresh` follows them; `add` is for trials no file holds."""

    def __init__(self, menu: Menu | None = None, *, most: int = MOST) -> None:
        self.menu = menu or Menu({})  # without a menu a header's own is not asked either: one identity for all files
        self.run: str | None = None  # the file of the run that goes on
        self.trials = 0  # all of them
        self.tried = 0  # those that ran
        self.evaluated = 0  # those that were scored
        self.intents = dict.fromkeys(_INTENTS, 0)
        self.knobs: set[str] = set()  # that some trial changed
        self.cells: set[str] = set()  # of the menu, that some trial changed alone
        self._pairs = Ledger(Past, most)
        self._configs = Ledger(Ran, most)
        self._places = Ledger(bool, most)  # pair and base, where it is not the first base of that pair
        self._near = Nearby()
        self._follows: list[Follow] = []
        self._incumbent: Incumbent | None = None  # of the run that goes on
        self._own: set[tuple[str, int]] = set()  # trials that were added before they could be read
        self._cost = dict.fromkeys(_COSTS, 0.0)
        self._unpriced = dict.fromkeys(_COSTS, 0)
        self._dearest = dict.fromkeys(_COSTS, 0.0)

    @classmethod
    def of(
        cls,
        paths: Iterable[str | os.PathLike[str]],
        menu: Menu | None,
        *,
        reader: str | None = None,
        most: int = MOST,
    ) -> History:
        """The history in these files: the run that goes on first, then earlier runs and other agents' files."""
        self = cls(menu, most=most)
        seen: set[tuple[int, int]] = set()
        for path in [paths] if isinstance(paths, str | os.PathLike) else paths:
            try:
                here = Path(path).stat()
                known = (here.st_dev, here.st_ino) in seen  # two names of one file are one file
                seen.add((here.st_dev, here.st_ino))
            except (OSError, ValueError):
                known = False  # whoever reads it says what is wrong
            if not known:
                self._follows.append(Follow(path, self.menu, reader))
        if not self._follows:
            raise HistoryError("no file of the campaign is named; name the run, or say that there is no history")
        self.run = self._follows[0].name
        was = gc.isenabled()
        gc.disable()  # no cycles are made, and the collector would walk every trial again and again
        try:
            self.refresh()
        except BaseException:
            self.close()
            raise
        finally:
            if was:
                gc.enable()
        return self

    @classmethod
    def none(cls, menu: Menu | None = None) -> History:
        """No history, on purpose: nothing was tried before."""
        return cls(menu)

    # --- what is asked -------------------------------------------------------------------------------------------

    def past(self, pair: Pair) -> Past | None:
        """What is known of a pair; None if it was never tried."""
        return self._pairs.get(pair.label)

    def near(self, pair: Pair) -> Seen | None:
        """The first trial of some other pair that lies near this one."""
        return self._near.near(pair)

    def ran(self, config: str) -> Ran | None:
        """What is known of a whole configuration, by its hash."""
        return self._configs.get(config)

    def on(self, pair: Pair, base: str) -> bool:
        """Whether a pair was tried on this base."""
        past = self._pairs.get(pair.label)
        if past is None:
            return False
        return past.first.base == base or self._places.get(f"{pair.label}\0{base}") is not None

    @property
    def spent(self) -> Spent:
        """What all of it cost."""
        wall_s, tokens, usd = self._cost.values()
        return Spent(self.tried, wall_s, int(tokens), usd, dict(self._unpriced), dict(self._dearest))

    @property
    def header(self) -> Header | None:
        """The header of the run that goes on."""
        return self._follows[0].header if self._follows else None

    @property
    def base(self) -> Base:
        """What the next proposal of the run that goes on is applied to, where its record leaves no doubt."""
        return Base(None, f"no run is named; {REMEDY}") if self._incumbent is None else self._incumbent.base()

    # --- what goes in --------------------------------------------------------------------------------------------

    def add(
        self,
        pair: Pair,
        seen: Seen,
        intent: str | None = None,
        *,
        wall_s: float | None = None,
        tokens: int | None = None,
        usd: float | None = None,
    ) -> None:
        """One more trial, as it runs. If a followed file gets it too, under this path and line, it counts once."""
        if self._follows and any(f.name == seen.where for f in self._follows):
            self._own.add((seen.where, seen.line))
        self._note(pair, seen, intent)
        if wall_s is None and tokens is None and usd is None:
            if seen.status not in NOT_RUN:
                self._unpriced = {name: n + 1 for name, n in self._unpriced.items()}
            return
        self._price([Tried(seen.seq, seen.status, wall_s=wall_s, tokens=tokens, usd=usd)])

    def refresh(self) -> None:
        """Take in what was written since; anything that would make the history a guess is a `HistoryError`."""
        for follow in reversed(self._follows):  # other files first, so that a pair's last trial is one of this run
            for trials in follow.more():
                if follow is self._follows[0]:
                    self._pursue(follow, trials)
                self._take(follow, trials)
        named = [f for f in self._follows if f.campaign is not None]
        if other := next((f for f in named if f.campaign != named[0].campaign), None):
            raise HistoryError(
                f"{other.name}: belongs to the campaign {other.campaign!r}, {named[0].name} to "
                f"{named[0].campaign!r}; name only files of one campaign"
            )

    def _pursue(self, follow: Follow, trials: Iterable[Tried]) -> None:
        """Follow the base of the run that goes on; trials of an earlier run in its file can only add a doubt."""
        if follow.header is None:
            return
        if self._incumbent is None or self._incumbent.header is not follow.header:
            self._incumbent = Incumbent(follow.header)
        for t in trials:
            self._incumbent.push(t)

    def close(self) -> None:
        """Let go of what stands on disk; a history that fitted into memory goes on as before."""
        for ledger in (self._pairs, self._configs, self._places):
            ledger.close()

    def _take(self, follow: Follow, trials: Sequence[Tried]) -> None:
        name, native = follow.name, follow.native
        if self._own:  # trials that were added by hand before they stood in the file
            again = [t for t in trials if (name, t.seq + 1) in self._own]
            self._own.difference_update((name, t.seq + 1) for t in again)
            trials = [t for t in trials if t not in again]
        for seq, status, pair, number, value, base, config, intent, _, _, _, fault, _ in trials:
            if fault is not None:
                raise follow.lost(f"{fault}, so what it tried is a guess; mend the line, or leave the file out", seq)
            if pair is not None:
                # What another format calls a base is not the hash that a rail knows bases by.
                place = (base, config) if native else (None, None)
                seen = _new(Seen, (name, seq + 1, seq, number, status, value, *place, pair.label))
                self._note(pair, seen, intent)
            elif status in NOT_RUN:
                self.trials += 1
            else:
                raise follow.lost(
                    f"a trial ({status}) that does not say what it changed could be any; add the change to the line, "
                    "or leave the file out",
                    seq,
                )
        self._price(trials)

    def _price(self, trials: Sequence[Tried]) -> None:
        """What trials cost; many at once take a third of what they take one by one."""
        idle = [t for t in trials if t.status in NOT_RUN]
        for name, values, unasked in zip(_COSTS, _costs(trials), _costs(idle), strict=True):
            known = [x for x in values if x is not None and x >= 0]  # neither nothing nor NaN is a price
            self._cost[name] = sum(known, self._cost[name])
            self._dearest[name] = max(self._dearest[name], max(known, default=0.0))
            unpriced = len(values) - len(known)
            self._unpriced[name] += unpriced - sum(not (x is not None and x >= 0) for x in unasked)

    def _note(self, pair: Pair, seen: Seen, intent: str | None) -> None:
        self.trials += 1
        status = seen.status
        if status in NOT_RUN:
            return
        self.tried += 1
        self.evaluated += status in SCORED or (status == "aborted" and seen.value is not None)
        if intent in self.intents:
            self.intents[intent] += 1
        label, base, config = pair.label, seen.base, seen.config
        past = self._pairs.get(label)
        if past is None:
            self._pairs.put(label, _new(Past, (1, seen, seen, int(status == "kept"), int(base is None))))
            self._near.add(pair, seen)
            self._ground(pair)
        else:
            n, first, _, kept, unplaced = past
            self._pairs.put(label, Past(n + 1, first, seen, kept + (status == "kept"), unplaced + (base is None)))
            if base is not None and base != first.base:
                self._places.put(f"{label}\0{base}", True)
        if config is not None:
            ran = self._configs.get(config)
            n, replicates = (ran.n, ran.replicates) if ran else (0, 0)
            self._configs.put(config, _new(Ran, (n + 1, replicates + (intent == "replicate"), seen)))

    def _ground(self, pair: Pair) -> None:
        for c in pair.changes:
            self.knobs.add(c.knob)
        if len(pair.changes) == 1 and (cell := pair.changes[0].cell) is not None:
            self.cells.add(cell)


def _costs(trials: Sequence[Tried]) -> tuple[list[float | None], ...]:
    """What trials cost, one list for each of `_COSTS`."""
    return [t.wall_s for t in trials], [t.tokens for t in trials], [t.usd for t in trials]
