"""Proposals: what one row of a foreign file proposed, by the surest way that its columns allow.

Of a run it is told only what stood when the row came.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from trajscope.layout import Layout
from trajscope.menu import Menu
from trajscope.pair import Change, Pair, canon, pair
from trajscope.readers.cells import missing, value, word
from trajscope.readers.objects import changes, switched
from trajscope.recover import Found, Missing, Repo, Spellings, compared, described, flat, hashed

Row = Any
Get = Callable[[Row], Any]


class Proposals:
    """The proposals of rows under one layout. `measured` are names that are no knobs; the set may grow."""

    def __init__(
        self,
        menu: Menu | None,
        layout: Layout,
        get: Mapping[str, Get],
        knobs: Sequence[tuple[str, Get]],
        measured: Collection[str],
        repo: Repo | None,
        spellings: Spellings,
    ) -> None:
        self._menu, self._layout, self._get, self._knobs = menu, layout, get, knobs
        self._measured, self._repo = measured, repo
        self.unfound = False  # the commit of the latest row was asked for, and is not there
        self._spellings = spellings
        spellings.record(k for k, _ in knobs)

    def found(
        self, row: Row, config: Mapping[str, Any] | None, stood: Mapping[str, Any] | None, *, whole: bool
    ) -> tuple[Found | None, bool | None]:
        """The pair, and whether the row proposes what already stands.

        `stood` is the configuration that it was built on, empty where nothing is built upon; `whole` says that the
        configuration is all of what ran.
        """
        if native := self._native(row):
            self._spellings.record(c.knob for c in native.pair.changes)
            return native, self._same(row)
        noop: bool | None = None
        if config is not None and stood is not None:
            base = stood if whole else {k: v for k, v in stood.items() if k in config}
            found = compared(*switched(base, config), menu=self._menu, provenance=self._way)
            if found is not None:
                return found, False if whole and stood else None
            noop = True if whole else None
        if self._repo is not None:
            change = self._repo.change(word(self._get["commit"](row)).strip(), menu=self._menu)
            self.unfound = isinstance(change, Missing)
            if isinstance(change, Found):
                return self._met(change, config), noop
        text = word(self._get["description"](row))
        found = described(text, metrics=self._measured, menu=self._menu)
        return (self._met(found, config) if found else hashed(text)), noop

    def _met(self, found: Found, config: Mapping[str, Any] | None) -> Found:
        """What was recovered, by the names of the run, of which the row's configuration has some."""
        if config is not None and self._layout.config is not None:
            self._spellings.record(flat(config))
        return self._spellings.meet(found)

    def config(self, row: Row) -> dict[str, Any] | None:
        """The configuration that ran, where the row says it."""
        if self._layout.config is not None:
            held = self._get["config"](row)
            if isinstance(held, str):
                try:
                    held = json.loads(held)
                except (ValueError, RecursionError):
                    return None
            return held if isinstance(held, dict) and held else None
        if self._knobs:
            cells = {k: get(row) for k, get in self._knobs}
            said = {k: value(c) for k, c in cells.items() if c is not None and not (isinstance(c, str) and missing(c))}
            return said or None
        return None

    def between(self, base: Mapping[str, Any] | None, config: Mapping[str, Any] | None) -> Pair | None:
        """What a configuration changes in another."""
        if config is None or base is None:
            return None
        found = compared(*switched(base, config), menu=self._menu, provenance="config")
        return found.pair if found else Pair("", ())

    @property
    def _way(self) -> str:
        return "config" if self._layout.config else "column"

    def _native(self, row: Row) -> Found | None:
        """The proposal where the row has columns of its own for it, or one object or list of what was changed."""
        knob = self._get["knob"](row)
        if knob is None:
            return None
        if isinstance(knob, dict | list):
            said = tuple(self._change(k, value(x)) for k, x in changes(knob))
            return Found(pair(said), "native", 1.0) if said else None
        if missing(word(knob)):
            return None
        return Found(pair((self._change(word(knob).strip(), value(self._get["value"](row))),)), "native", 1.0)

    def _change(self, knob: str, said: object) -> Change:
        return self._menu.change(knob, said) if self._menu else canon(knob, said)

    def _same(self, row: Row) -> bool | None:
        """Whether the proposed value is the one that stood before, where the row says that."""
        old = word(self._get["old_value"](row)).strip()
        return None if missing(old) else value(old) == value(word(self._get["value"](row)))
