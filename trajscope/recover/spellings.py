"""One spelling of a knob in a run, where code says `LR`, a text says `lr` and a configuration says `Lr`."""

from __future__ import annotations

from collections.abc import Iterable

from trajscope.menu import Menu
from trajscope.pair import Change
from trajscope.recover.found import Found, change, folded, together

_WORDS = "text"  # no knob, but what stands for words


class Spellings:
    """The names that the knobs of a run go by.

    What a menu holds goes by the menu. What was recorded, as a pair or as the key of a configuration, is never spelt
    otherwise; what was recovered from a commit or a text goes by that, else by the first spelling in the run.
    """

    def __init__(self, menu: Menu | None = None) -> None:
        self._menu = menu
        self._known: dict[str, str | None] = {}  # None where two recorded names differ in their spelling only
        self._recorded: set[str] = set()

    def record(self, names: Iterable[str]) -> None:
        """Names that a file records."""
        for name in names:
            if name in self._recorded:
                continue
            self._recorded.add(name)
            before = self._known.get(folded(name))
            self._known[folded(name)] = None if before in self._recorded else name

    def meet(self, found: Found) -> Found:
        """What was recovered, by the names of the run."""
        if found.provenance not in ("diff", "text"):
            return found
        changes = found.pair.changes
        own = [folded(c.knob) for c in changes]
        if len(set(own)) < len(own):  # code may hold both `T` and `t`
            return found
        met = [self._met(c, plain) for c, plain in zip(changes, own, strict=True)]
        if all(a is b for a, b in zip(met, changes, strict=True)):
            return found
        return found._replace(pair=together(met))

    def _met(self, c: Change, plain: str) -> Change:
        if c.knob == _WORDS or c.knob.startswith("code:") or (self._menu is not None and self._menu.find(c.knob)):
            return c
        name = self._known.setdefault(plain, c.knob)
        return c if name is None or name == c.knob else change(name, c.value, self._menu)
