"""Survey: one walk over the examples of a corpus, counting on each side of its split what the checks ask for.

Holds counts per label and a few numbers per row, never the rows.
"""

from __future__ import annotations

import math
from array import array
from collections import Counter
from collections.abc import Iterable
from typing import NamedTuple

from trajscope import analysis
from trajscope.corpus import prompts, sft
from trajscope.corpus.examples import Example, Examples
from trajscope.corpus.split import ALL, Split, history
from trajscope.errors import SourceError
from trajscope.pair import Pair
from trajscope.stats import beta_quantile

SHOWN = 20  # rows that are named behind a check; all of them are counted
SAMPLED = 2000  # test prompts that are held against the train side, the first of them
Ref = tuple[int, int]  # run and seq


class Witnesses:
    """Rows that show something: how many, and the first of them."""

    def __init__(self) -> None:
        self.n = 0
        self.rows: list[Ref] = []

    def add(self, row: Ref) -> None:
        """One more."""
        self.n += 1
        if len(self.rows) < SHOWN:
            self.rows.append(row)


class Part:
    """One side of a split, or the whole."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.rows = 0
        self.labels: Counter[str] = Counter()
        self.keeps: Counter[str] = Counter()
        self.knobs: set[str] = set()
        self.kept_knobs: Counter[str] = Counter()

    @property
    def kept(self) -> int:
        """Rows that were kept."""
        return self.keeps.total()

    def add(self, e: Example, pair: Pair) -> None:
        """One counted row."""
        self.rows += 1
        self.labels[pair.label] += 1
        self.knobs.update(c.knob for c in pair.changes if c.known)
        if e.kept:
            self.keeps[pair.label] += 1
            self.kept_knobs.update(c.knob for c in pair.changes if c.known)


class Texts(NamedTuple):
    """What was found in the texts of a corpus."""

    targets: int  # rows with a target
    prompts: int  # rows with a prompt, or the claim of one
    checked: int  # prompts that could be held against the record
    unlike: Witnesses  # of them, those that differ
    lost: Witnesses  # prompts that are named and cannot be read, or were changed
    standing: int  # prompts that show what stands
    same: Witnesses  # of them, those whose target stands already
    pairs: array[int]  # a hash of each prompt with its target


class Survey:
    """All that is counted of a corpus."""

    def __init__(self, examples: Examples, split: Split, chat: sft.Chat | None = None) -> None:
        self.examples, self.split, self.chat = examples, split, chat
        self.whole, self.train, self.test = Part("all"), Part("train"), Part("test")
        self.dropped: Counter[str] = Counter()  # trials that are marked, by why
        self.stays = 0  # rows that may be learnt from
        self.trials = 0
        self.left_out = 0  # rows on neither side
        self.pairs: dict[str, Pair] = {}  # of kept labels
        self._met: set[tuple[str, str]] = set()  # campaign and label
        self.rows_of: dict[str, Witnesses] = {}
        self.keeps_of: dict[str, Witnesses] = {}
        self.repeats, self.outside, self.tampered, self.leaks = (Witnesses() for _ in range(4))
        self.claims: list[tuple[Ref | None, str]] = []  # what the chat file says and the run does not
        self.claim_count = 0
        self.test_in_chat = 0
        self.history = history(examples)
        self.values = [analysis.glance(run) for run in examples.runs]
        self.texts = Texts(0, 0, 0, Witnesses(), Witnesses(), 0, Witnesses(), array("Q"))
        self.common: set[str] | None = None  # lines that every prompt holds
        self.sampled: dict[int, tuple[Ref, str]] = {}  # test prompts
        self.train_prompts = self.test_prompts = 0
        self._last_train: dict[int, int] = {}
        for e in examples:
            self._take(e)
        self._end()

    def alike(self, least: float) -> tuple[int, Witnesses]:
        """Test prompts that share at least this much with a prompt of the train side, of how many that were asked."""
        found = Witnesses()
        if not self.sampled or not self.train_prompts:
            return len(self.sampled), found
        common = self.common or set()
        index = prompts.Index({i: prompts.shingles(text, common) for i, (_, text) in self.sampled.items()})
        met: set[int] = set()
        for e in self.examples:
            taught = e.counted and (self.chat is not None or e.drop is None)
            if taught and self.split.side(e) == "train" and (shown := self._prompt(e)) is not None:
                met.update(index.like(prompts.shingles(shown, common), least))
        for i in sorted(met):
            found.add(self.sampled[i][0])
        return len(self.sampled), found

    def _take(self, e: Example) -> None:
        self.trials += 1
        if e.drop is not None:
            self.dropped[e.drop] += 1
        if e.drop == "tampered":
            self.tampered.add(e.key)
        if not e.counted or e.pair is None:
            if self.chat is not None and (row := self.chat.of(e)) is not None:
                self._claim(None, f"line {row[0]} is of trial {e.seq}, which is {e.status} and teaches nothing")
            return
        self.stays += e.drop is None
        side = self.split.side(e)
        self.left_out += side is None
        label = e.pair.label
        for part in (self.whole, *((self.train,) if side == "train" else (self.test,) if side == "test" else ())):
            part.add(e, e.pair)
        self.rows_of.setdefault(label, Witnesses()).add(e.key)
        if e.kept:
            self.pairs.setdefault(label, e.pair)
            self.keeps_of.setdefault(label, Witnesses()).add(e.key)
        if (e.campaign, label) in self._met:
            self.repeats.add(e.key)
        self._met.add((e.campaign, label))
        if e.outside:
            self.outside.add(e.key)
        self._boundary(e, side)
        self._text(e, side)

    def _boundary(self, e: Example, side: str | None) -> None:
        """Whether a test trial was proposed with trials of the train side in view."""
        if not self.split.in_time:
            return
        if side == "train":
            self._last_train[e.run] = e.n
        elif side == "test" and e.n - self._last_train.get(e.run, -ALL) <= (self.history or 0):
            self.leaks.add(e.key)

    def _text(self, e: Example, side: str | None) -> None:
        if self.chat is None and e.drop is not None:
            return  # nobody will be shown it
        t = self.texts
        prompt, target = None, e.said
        if self.chat is not None:
            row = self.chat.of(e)
            if row is None:
                return
            self.test_in_chat += side == "test"
            header = self.examples.runs[e.run].header
            if why := sft.contradictions(e, row[1], header.menu, header.metric):
                self._claim(e.key, f"line {row[0]}: {why}")
            prompt, target = row[1].prompt, row[1].target
        elif e.prompt is not None:
            prompt = self._prompt(e)
            if prompt is None:
                t.lost.add(e.key)
        seen = prompt is not None or e.prompt is not None
        self.texts = t = t._replace(targets=t.targets + (target is not None), prompts=t.prompts + seen)
        if prompt is None:
            return
        if target is not None:
            t.pairs.append(prompts.short_hash(prompt, target))
        self._shown(e, prompt)
        self.common = set(prompts.lines(prompt)) & (
            self.common if self.common is not None else set(prompts.lines(prompt))
        )
        self.train_prompts += side == "train"
        if side == "test":
            self.test_prompts += 1
            if len(self.sampled) < SAMPLED:
                self.sampled[len(self.sampled)] = e.key, prompt

    def _shown(self, e: Example, prompt: str) -> None:
        """What a prompt shows, held against the record."""
        t, header = self.texts, self.examples.runs[e.run].header
        known = self.chat is not None and e.prompt is not None
        other = known and e.prompt is not None and prompts.sha(prompt) != e.prompt.hash
        shown = prompts.standing(prompt, list(header.base or (header.menu.defaults if header.menu else ())))
        if shown is not None:
            change = header.menu.change if header.menu is not None else None
            texts = {c.knob: c.text for c in (change(k, v) for k, v in shown.items())} if change else _canon(shown)
            if e.standing is not None:
                known = True
                other = other or any(texts[k] != v for k, v in e.standing.items() if k in texts)
            t = t._replace(standing=t.standing + 1)
            if e.pair is not None and all(texts.get(c.knob) == c.text for c in e.pair.changes):
                t.same.add(e.key)
        # A prompt that is taken from the run itself was read under its own hash, and that is the record.
        known = known or self.chat is None
        self.texts = t._replace(checked=t.checked + known)
        if other:
            t.unlike.add(e.key)

    def _prompt(self, e: Example) -> str | None:
        if self.chat is not None:
            row = self.chat.of(e)
            return row[1].prompt if row is not None else None
        try:
            return e.prompt.read() if e.prompt is not None else None
        except SourceError:
            return None

    def _claim(self, row: Ref | None, why: str) -> None:
        self.claim_count += 1
        if len(self.claims) < SHOWN:
            self.claims.append((row, why))

    def _end(self) -> None:
        for line, why in self.chat.strangers() if self.chat is not None else ():
            self._claim(None, f"line {line} {why}")

    @property
    def taught(self) -> int:
        """Rows that should have a text: of a chat file all that it could hold, else those that stay."""
        return self.whole.rows if self.chat is not None else self.stays

    def duplicates(self) -> int:
        """Rows whose prompt and target together occurred before."""
        import numpy as np

        held = np.frombuffer(self.texts.pairs, dtype=np.uint64)
        return len(held) - len(np.unique(held))

    def missed(self, labels: Iterable[str]) -> list[Ref]:
        """The first rows of these labels."""
        return sorted({row for label in labels for row in self.rows_of[label].rows})[:SHOWN]


def interval(k: int, n: int) -> tuple[float, float]:
    """The 95% interval of a share (Clopper-Pearson)."""
    low = beta_quantile(k, n - k + 1, 0.025) if k else 0.0
    return low, beta_quantile(k + 1, n - k, 0.975) if k < n else 1.0


def _canon(shown: object) -> dict[str, str]:
    from trajscope.pair import canon

    assert isinstance(shown, dict)
    return {c.knob: c.text for c in (canon(k, v) for k, v in shown.items())}


def finite(x: float | None) -> float | None:
    """A number that JSON has a word for."""
    return x if x is not None and math.isfinite(x) else None
