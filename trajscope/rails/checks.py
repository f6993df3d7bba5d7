"""What a menu and a base say of a proposal: known knobs, allowed values, constraints, and whether anything changes.

Each check answers None, or the verdict that refuses. What cannot be known is refused as UNKNOWN.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache

from trajscope.constraint import Constraint
from trajscope.errors import SettingsError
from trajscope.knob import Knob, said
from trajscope.menu import Menu
from trajscope.pair import Change, Pair, canon
from trajscope.verdict import Level, Verdict

CODE = "code:"  # what the name of an edit of code begins with
MAX_WORD = 200  # letters of a text that no choice holds to a spelling
SHOWN = 60  # letters of a label in a sentence
NAMES = 20  # knobs that a sentence lists

_UNSEEN = re.compile("[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")
_HASH = re.compile(r"[0-9a-f]{8,64}\Z")


class Checks:
    """The checks of one menu and one base."""

    def __init__(self, menu: Menu | None, base: Mapping[str, object] | None, *, code: bool = False) -> None:
        self.menu = menu
        self._code = code  # edits of code have an allow-list of their own
        self._knobs: Mapping[str, Knob] = menu.knobs if menu is not None else {}
        self._base = None if base is None else _changes(menu, base)
        # What a configuration holds where nobody says otherwise.
        self._config = {} if menu is None else {k: canon(k, v, menu.find(k)).value for k, v in menu.defaults.items()}
        self._config |= {name: c.value for name, c in (self._base or {}).items()}
        self._labels = {name: self._change(name, value).label for name, value in self._config.items()}
        self._constraints = () if menu is None else menu.constraints
        self._before = [_broken(c, self._config) for c in self._constraints] if base is not None else []

    def _change(self, name: str, value: object) -> Change:
        return canon(name, value) if self.menu is None else self.menu.change(name, value)

    def on_menu(self, pair: Pair) -> Verdict | None:
        """Whether every knob is one that may be changed."""
        for c in pair.changes:
            if self._code and c.knob.startswith(CODE):
                continue
            if self.menu is None or not self.menu.declared:
                why = "there is no menu" if self.menu is None else "the menu was only guessed, not declared"
                return Verdict(
                    "menu",
                    Level.UNKNOWN,
                    f"{why}, so nobody knows whether {_shown(c.knob)} may be changed; declare one",
                )
            if not c.known or c.knob not in self._knobs:
                return Verdict("menu", Level.FAIL, f"{_shown(c.knob)} is not on the menu; {self._instead(c.knob)}")
        return None

    def _instead(self, name: str) -> str:
        assert self.menu is not None
        names = tuple(self.menu.knobs)
        if near := _nearest(
            name, tuple(dict.fromkeys((*names, *(a for k in self._knobs.values() for a in k.aliases))))
        ):
            return f"did you mean {near}?"
        more = f", ... ({len(names)} in all)" if len(names) > NAMES else ""
        return f"choose from {', '.join(map(said, names[:NAMES]))}{more}"

    def in_range(self, pair: Pair) -> Verdict | None:
        """Whether every value is one that its knob may take."""
        for c in pair.changes:
            why = c.objection
            if why is None:
                value = c.value
                knob = self._knobs.get(c.knob)
                kind = "code" if c.knob.startswith(CODE) else knob.type if knob is not None else ""
                if kind == "code":
                    if value is None or (isinstance(value, str) and _HASH.match(value)):
                        continue
                    why = f"{_shown(c.knob)} takes the SHA-256 of the resulting code, 8 to 64 lower-case hex digits"
                elif isinstance(value, str | list | dict) and (knob is None or knob.choices is None):
                    why = _wild(value)
            if why is not None:
                label = c.label if len(c.label) <= SHOWN else f"{c.label[:SHOWN]}..."
                label = label if label.isprintable() else ascii(label)
                return Verdict("range", Level.FAIL, f"{label} may not be proposed: {why}")
        return None

    def constraints(self, pair: Pair) -> Verdict | None:
        """Whether every constraint holds once the changes are applied to the base."""
        if not self._constraints:
            return None
        if self._base is None:
            why = f"without a base nobody knows whether {_shown(pair.label)} keeps {self._constraints[0].name}"
            return _unknown("constraint", f"{why}; give the configuration that it changes")
        config = None
        for constraint, before in zip(self._constraints, self._before, strict=True):
            if all(c.knob not in constraint.knobs for c in pair.changes):
                if before is not None:
                    level, why = before
                    whose = "the base itself breaks" if level is Level.FAIL else "the base itself cannot be held to"
                    return Verdict("constraint", level, f"{whose} {constraint.name} ({why}); correct the base")
                continue
            config = config or {**self._config, **{c.knob: c.value for c in pair.changes}}
            if broken := _broken(constraint, config):
                level, why = broken
                verb = "breaks" if level is Level.FAIL else "cannot be held to"
                what = f"{_shown(pair.label)} {verb} {constraint.name} ({why})"
                return Verdict("constraint", level, f"{what}; choose a value that fits, or change both")
        return None

    def no_op(self, pair: Pair) -> Verdict | None:
        """Whether every change changes something: one that does not would only hide a repeat."""
        for c in pair.changes:
            if self._labels.get(c.knob) == c.label:
                if self._base is None:
                    break
                what = "leave it out" if len(pair.changes) > 1 else "propose something else"
                return Verdict("noop", Level.FAIL, f"{_shown(c.label)} is what the base already has; {what}")
            if c.knob not in self._labels and not c.knob.startswith(CODE):
                why = "the base does not say" if self._base is not None else "without a base nobody knows"
                what = f"what {_shown(c.knob)} is now, so {_shown(c.label)} may change nothing"
                return _unknown("noop", f"{why} {what}; give the whole base")
        if self._base is None:
            why = f"without a base nobody knows whether {_shown(pair.label)} changes anything"
            return _unknown("noop", f"{why}; give the configuration that it changes")
        return None


def _changes(menu: Menu | None, base: Mapping[str, object]) -> dict[str, Change]:
    """The base under the names of the menu."""
    out: dict[str, Change] = {}
    for name, value in base.items():
        change = canon(str(name), value) if menu is None else menu.change(str(name), value)
        if change.knob in out:
            raise SettingsError(f"the base names {_shown(change.knob)} twice; leave one of its spellings out")
        out[change.knob] = change
    return out


def _broken(constraint: Constraint, config: Mapping[str, object]) -> tuple[Level, str] | None:
    """How a configuration fails a constraint, if it does."""
    try:
        if constraint.holds(config):
            return None
        level, why = Level.FAIL, ""
    except KeyError as e:
        return Level.UNKNOWN, f"{constraint.rule}: the base does not say what {e.args[0]} is"
    except (TypeError, ArithmeticError, ValueError, RecursionError) as e:
        level, why = Level.UNKNOWN, f": {e}"
    values = ", ".join(f"{k}={config[k]}" for k in sorted(constraint.knobs) if k in config)
    return level, f"{constraint.rule} with {values[:SHOWN]}{why}"


def _wild(value: object) -> str | None:
    """What is wrong with a text that no list of choices holds to a spelling."""
    todo = [value]
    while todo:
        part = todo.pop()
        if isinstance(part, str):
            if len(part) > MAX_WORD:
                return f"a text of {len(part):,} letters, over {MAX_WORD}"
            if found := _UNSEEN.search(part):
                return f"a text with a control character ({found[0]!r}); send one line of plain text"
        elif isinstance(part, list):
            todo += part
        elif isinstance(part, dict):
            todo += [*part, *part.values()]
    return None


@lru_cache(1024)
def _nearest(name: str, names: tuple[str, ...]) -> str | None:
    """The name that was most likely meant."""
    from difflib import get_close_matches

    name = name.casefold()[:MAX_WORD]
    # Only names that look alike at a glance are compared letter by letter: that takes microseconds for each.
    plain = {
        n.casefold(): n
        for n in names
        if abs(len(n) - len(name)) <= 4 and (n[:1].casefold() == name[:1] or n[-1:].casefold() == name[-1:])
    }
    found = get_close_matches(name, plain, 1, 0.7)
    return said(plain[found[0]]) if found else None


def _shown(name: str) -> str:
    short = name if len(name) <= SHOWN else f"{name[:SHOWN]}..."
    return said(short) if short else "''"


def _unknown(rule: str, why: str) -> Verdict:
    return Verdict(rule, Level.UNKNOWN, why)
