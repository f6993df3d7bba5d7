"""Passages of an instruction file that ask, confirm, forbid or permit: which of them an edit takes away or weakens.

Compares sentences, not lines, so that a moved or reflowed text is the same text. Knows English control words and a few
of other languages, no grammar and no meaning: where it doubts, a person decides.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator
from difflib import SequenceMatcher
from typing import Literal, NamedTuple

from trajscope.integrity.wording import IDLE, KINDS, UNDOES, Kind, control, harmless, words

LIKE = 0.5  # share of words in common above which a sentence is taken for a new wording of another

PERMISSIONS = (
    "allowed-tools",
    "tools",
    "disallowed-tools",
    "permissions",
    "permission-mode",
    "disable-model-invocation",
)
_FRONT = re.compile(r"\A\ufeff?---[ \t]*\r?\n(.*?)^(?:---|\.\.\.)[ \t]*$\r?\n?", re.DOTALL | re.MULTILINE)
_HIDDEN = re.compile(r"<!--.*?(?:-->|\Z)|~~[^~\n]+~~", re.DOTALL)
_ITEM = re.compile(r"^(\s*)(?:[-*+•]|\d{1,3}[.)]|\[[ xX]\])\s+(?:\[[ xX]\]\s+)?(.*)$")
_FENCE = re.compile(r"(`{3,}|~{3,})")
_RULER = frozenset("-=*_|: ")
_HEADING = re.compile(r"^\s{0,3}#{1,6}\s+(.*?)\s*#*\s*$")
_END = re.compile(r"(?<=[.!?。！？])[\"')\]*_`]*\s+(?=[\"'(\[*_`]*[^\W_a-z])|(?<=[。！？])")
_ABBREVIATED = re.compile(r"\b(?:e\.g|i\.e|etc|vs|cf|approx|no|dr|mr|ms)\.$", re.IGNORECASE)


class Passage(NamedTuple):
    """One sentence that guards something, and where it stood."""

    text: str
    kind: Kind
    line: int
    path: str | None = None
    reason: str | None = None  # why it was declared; undeclared passages have none
    now: str | None = None  # the sentence that stands in its place, where one resembles it


class _Unit(NamedTuple):
    text: str
    line: int
    words: tuple[str, ...]
    where: Literal["text", "code", "front"]
    kind: Kind | None


def passages(text: str) -> list[Passage]:
    """Every passage that asks, confirms, forbids or permits."""
    return [Passage(u.text, u.kind, u.line) for u in _units(text) if u.kind]


def removed_passages(before: str, after: str) -> list[Passage]:
    """The guarding passages of `before` that `after` no longer holds as strong as they were, in order.

    Sentences that newly undo a rule ("skip the confirmation") are among them, with the kind `undoes`.
    """
    old, new = list(_units(before)), list(_units(after))
    here = Counter((u.where, u.words) for u in new)
    missing = []
    for u in old:
        if here[u.where, u.words] > 0:
            here[u.where, u.words] -= 1
        elif u.kind:
            missing.append(u)
    there = Counter((u.where, u.words) for u in old)
    fresh = []
    for u in new:
        if there[u.where, u.words] > 0:
            there[u.where, u.words] -= 1
        else:
            fresh.append(u)
    lost = []
    for u in missing:
        found = next((f for f in fresh if f.where == u.where and harmless(u.words, f.words)), None)
        if found is not None:
            fresh.remove(found)
        else:
            lost.append(u)
    out = [_lost(u, fresh) for u in lost]
    out += [Passage(u.text, "undoes", u.line) for u in fresh if _undoes(u)]
    return out


def _undoes(u: _Unit) -> bool:
    return u.where == "text" and UNDOES.search(" ".join(u.words)) is not None


def _lost(u: _Unit, fresh: Iterable[_Unit]) -> Passage:
    scored = [(SequenceMatcher(None, u.words, f.words, autojunk=False).ratio(), f.text) for f in fresh]
    score, text = max(scored, default=(0.0, ""))
    return Passage(u.text, u.kind or "forbids", u.line, now=text if score >= LIKE else None)


def _units(text: str) -> Iterator[_Unit]:
    """The sentences, list items and settings of a text, in order."""
    text = unicodedata.normalize("NFC", text).replace("\r\n", "\n")
    front = _FRONT.match(text)
    if front:
        yield from _settings(front[1])
        text = "\n" * front[0].count("\n") + text[front.end() :]
    page = _Page()
    text = _HIDDEN.sub(lambda m: "\n" * m[0].count("\n"), text)  # what is struck out or commented out says nothing
    for number, line in enumerate(text.split("\n"), 1):
        yield from page.feed(line, number)
    yield from page.done()


class _Page:
    """Lines of Markdown to sentences, each under what stands over it."""

    def __init__(self) -> None:
        self.heading = self.lead = self.fence = ""
        self.block: list[str] = []
        self.at = 0
        self.item = False

    def feed(self, line: str, number: int) -> Iterator[_Unit]:
        """The units that this line ends or is."""
        bare = line.strip().lstrip(">").strip()
        mark = _FENCE.match(bare)
        if self.fence or mark:
            yield from self._code(bare, mark[1] if mark else "", number)
            return
        title, entry = _HEADING.match(line), _ITEM.match(line)
        empty = set(bare) <= _RULER
        if title or entry or empty:
            yield from self.done()
            self.item = bool(entry)
        if title:
            self.heading, self.lead = title[1], ""
            yield _unit(title[1], number, "")
        elif not empty:
            self.at = self.at if self.block else number
            self.block.append(entry[2] if entry else bare)

    def done(self) -> Iterator[_Unit]:
        """The sentences of the paragraph or list item that ends here."""
        whole = " ".join(self.block)
        self.block.clear()
        if not whole:
            return
        for sentence in _sentences(whole):
            yield _unit(sentence, self.at, (self.lead or self.heading) if self.item else "")
        if not self.item:
            self.lead = whole if whole.rstrip("*_ ").endswith(":") else ""

    def _code(self, bare: str, mark: str, number: int) -> Iterator[_Unit]:
        if mark and not self.fence:
            yield from self.done()
            self.fence = mark
        elif mark.startswith(self.fence) and bare == mark:
            self.fence = ""
        elif bare:
            yield _unit(bare, number, "", "code")


def _settings(front: str) -> Iterator[_Unit]:
    """The front matter: each key with all that belongs to it; only keys about permissions guard."""
    key, parts, at = "", [""], 2
    for number, line in enumerate([*front.splitlines(), "end:"], 2):
        found = re.match(r"([\w-]+)[ \t]*:(.*)$", line)
        if not found:
            parts.append(line)
            continue
        if key:
            value = sorted(w for w in re.split(r"[\s,\[\]\"']+|(?:^|\s)-\s", " ".join(parts)) if w and w != "-")
            folded = key.casefold().replace("_", "-")
            kind: Kind | None = "permits" if folded in PERMISSIONS else None
            yield _Unit(f"{key}: {' '.join(' '.join(parts).split())}", at, (folded, *value), "front", kind)
        key, parts, at = found[1], [found[2]], number


def _sentences(block: str) -> Iterator[str]:
    parts = [p for p in _END.split(block) if p]
    held = ""
    for part in parts:
        held = f"{held} {part}".strip()
        if not _ABBREVIATED.search(part):
            yield held
            held = ""
    if held:
        yield held


def _unit(text: str, line: int, over: str, where: Literal["text", "code"] = "text") -> _Unit:
    own, above = words(text), words(over) if over else ()
    guarded = control(own)
    if not guarded and control(above):
        # "Never:" makes a rule of every item below it; taken from under it the item says something else.
        return _Unit(f"{over.rstrip()} {text}", line, (*above, "»", *own), where, _kind(above))
    return _Unit(text, line, own, where, _kind(own) if guarded else None)


def _kind(own: tuple[str, ...]) -> Kind:
    spoken = " ".join(w for w in own if w not in IDLE)
    return next((kind for kind, pattern in KINDS if pattern.search(spoken)), "forbids")
