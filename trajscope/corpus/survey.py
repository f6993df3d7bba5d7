"""Survey: one walk over the examples of a corpus, counting on each side of its split what the checks ask for.

Holds a few numbers for each label and twenty bytes for each row, never the rows.
"""

from __future__ import annotations

import math
from array import array
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from itertools import islice

from trajscope.corpus import prompts, sft
from trajscope.corpus.counts import Index, again
from trajscope.corpus.diversity import Kernel
from trajscope.corpus.examples import Example, Examples, Prompt, campaign
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
        self.stays = self.kept_stays = 0  # rows, and keeps among them, that a corpus is written of
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
        self.stays += e.drop is None
        self.kept_stays += e.kept and e.drop is None
        self.knobs.update(c.knob for c in pair.changes if c.known)
        if e.kept:
            self.keeps[pair.label] += 1
            self.kept_knobs.update(c.knob for c in pair.changes if c.known)


class Texts:
    """What was found in the texts of a corpus."""

    def __init__(self) -> None:
        self.prompts = 0  # rows with a prompt, or the claim of one
        self.checked = 0  # prompts that could be held against the record
        self.unlike = Witnesses()  # of them, those that differ
        self.lost = Witnesses()  # prompts that are named and cannot be read, or were changed
        self.standing = 0  # prompts that show what stands
        self.same = Witnesses()  # of them, those whose target stands already
        self.pairs = array("Q")  # a hash of each prompt with its target


class Rows:
    """Where each row stands, and which label it has: twelve bytes each, in the order in which they are gone through."""

    def __init__(self, runs: int) -> None:
        self._begins = array("Q", bytes(8 * runs))  # rows before each run
        self._run = -1
        self._seqs, self._labels = array("q"), array("I")  # numbers of labels doubled, and one more for a keep

    def add(self, e: Example) -> None:
        """One more."""
        while self._run < e.run:
            self._run += 1
            self._begins[self._run] = len(self._seqs)
        self._seqs.append(e.seq)
        self._labels.append(2 * e.place + e.kept)

    def of(self, wanted: Callable[[int, bool], bool]) -> Iterator[Ref]:
        """Those that are wanted for their label, and for whether they were kept."""
        for i, found in enumerate(self._labels):
            if wanted(found >> 1, bool(found & 1)):
                yield bisect_right(self._begins, i, hi=self._run + 1) - 1, self._seqs[i]


class Marks:
    """Lines that are remembered, one bit each."""

    def __init__(self, files: int) -> None:
        self._bits = [bytearray() for _ in range(files)]

    def add(self, file: int, line: int) -> None:
        """One more."""
        bits, at = self._bits[file], line >> 3
        if at >= len(bits):
            bits.extend(bytes(at + 1 - len(bits)))
        bits[at] |= 1 << (line & 7)

    def has(self, file: int, line: int) -> bool:
        """Whether it is one of them."""
        bits, at = self._bits[file], line >> 3
        return at < len(bits) and bool(bits[at] >> (line & 7) & 1)


class Again:
    """Whether an earlier row of the same campaign has the label of this one."""

    def __init__(self, examples: Examples) -> None:
        runs = Counter(campaign(run.header) for run in examples.runs)
        self._numbers = {name: i for i, name in enumerate(x for x, n in runs.items() if n > 1)}
        self._met = Index()  # of campaigns with several runs: label and campaign

    def met(self, e: Example) -> bool:
        """Whether it does; asked once of each row, in their order."""
        number = self._numbers.get(e.campaign)
        if e.k > 1 or number is None:
            return e.k > 1
        before = len(self._met)
        return self._met.place(e.place * len(self._numbers) + number) < before


class Survey:
    """All that is counted of a corpus."""

    def __init__(
        self, examples: Examples, split: Split, chat: sft.Chat | None = None, kernel: Kernel | None = None
    ) -> None:
        self.examples, self.split, self.chat = examples, split, chat
        self.kernel = kernel  # another than those that policies know
        self.whole, self.train, self.test = Part("all"), Part("train"), Part("test")
        self.dropped: Counter[str] = Counter()  # trials that are marked, by why
        self.trials = 0
        self.left_out = 0  # rows on neither side
        self.pairs: dict[str, Pair] = {}  # of kept labels
        self._rows = Rows(len(examples.runs))
        self._known = bytearray(len(examples.labels))  # which labels each side has
        self.recalled = 0  # test rows with a label of train, known when all was seen
        self._of_test = array("I", bytes(4 * len(examples.labels)))  # test rows of each label
        self._again = Again(examples)
        self.repeats, self.outside, self.tampered, self.leaks = (Witnesses() for _ in range(4))
        self.claims: list[tuple[Ref | None, str]] = []  # what the chat file says and the run does not
        self.claim_count = 0
        self.test_in_chat = 0
        self.history = history(examples)
        self.texts = Texts()
        self.common: set[str] | None = None  # lines that every prompt holds
        self.sampled: dict[int, tuple[Ref, str]] = {}  # test prompts
        self.train_prompts = self.test_prompts = 0
        self._stands = prompts.Stands()
        self._taught = Marks(len(examples.named))  # lines with prompts of the train side
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
        alike = prompts.Alike({i: prompts.shingles(text, common) for i, (_, text) in self.sampled.items()}, least)
        met: set[int] = set()
        for shown in self._trained():
            met.update(alike.like(prompts.shingles(shown, common), met))
        for i in sorted(met):
            found.add(self.sampled[i][0])
        return len(self.sampled), found

    def _trained(self) -> Iterator[str]:
        """The prompts of the train side once more. Those of the runs themselves are read without the trials."""
        if self.chat is None:
            yield from (text for x in self.examples.prompts(self._taught.has) if (text := _read(x)) is not None)
            return
        for e in self.examples:
            if e.counted and self.split.side(e) == "train" and (shown := self._prompt(e)) is not None:
                yield shown

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
        side = self.split.side(e)
        self.left_out += side is None
        for part in (self.whole, *((self.train,) if side == "train" else (self.test,) if side == "test" else ())):
            part.add(e, e.pair)
        self._rows.add(e)
        if side == "train":
            self._known[e.place] = True
        elif side == "test":
            self._of_test[e.place] += 1
        if e.kept:
            self.pairs.setdefault(e.pair.label, e.pair)
        if self._again.met(e):
            self.repeats.add(e.key)
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
        t.prompts += prompt is not None or e.prompt is not None
        if prompt is None:
            return
        if target is not None:
            t.pairs.append(prompts.short_hash(prompt, target))
        self._shown(e, prompt)
        self._sample(e, side, prompt)

    def _sample(self, e: Example, side: str | None, prompt: str) -> None:
        """What is remembered of a prompt, to find others like it."""
        if self.common is None:
            self.common = set(prompts.lines(prompt))
        elif self.common:
            self.common.intersection_update(prompts.lines(prompt))
        if side == "train":
            self.train_prompts += 1
            self._taught.add(*e.line)
        if side == "test":
            self.test_prompts += 1
            if len(self.sampled) < SAMPLED:
                self.sampled[len(self.sampled)] = e.key, prompt

    def _shown(self, e: Example, prompt: str) -> None:
        """What a prompt shows, held against the record."""
        t, header = self.texts, self.examples.runs[e.run].header
        known = self.chat is not None and e.prompt is not None
        other = known and e.prompt is not None and prompts.sha(prompt) != e.prompt.hash
        texts = self._stands.read(e.run, header, prompt)
        if texts is not None:
            if e.standing is not None:
                known = True
                other = other or any(texts[k] != v for k, v in e.standing.items() if k in texts)
            t.standing += 1
            if e.pair is not None and all(texts.get(c.knob) == c.text for c in e.pair.changes):
                t.same.add(e.key)
        # A prompt that is taken from the run itself was read under its own hash, and that is the record.
        known = known or self.chat is None
        t.checked += known
        if other:
            t.unlike.add(e.key)

    def _prompt(self, e: Example) -> str | None:
        if self.chat is not None:
            row = self.chat.of(e)
            return row[1].prompt if row is not None else None
        return _read(e.prompt) if e.prompt is not None else None

    def _claim(self, row: Ref | None, why: str) -> None:
        self.claim_count += 1
        if len(self.claims) < SHOWN:
            self.claims.append((row, why))

    def _end(self) -> None:
        self.recalled = sum(n for n, known in zip(self._of_test, self._known, strict=True) if known)
        for line, why in self.chat.strangers() if self.chat is not None else ():
            self._claim(None, f"line {line} {why}")

    @property
    def stays(self) -> int:
        """Rows that may be learnt from."""
        return self.whole.stays

    @property
    def taught(self) -> int:
        """Rows that should have a text: of a chat file all that it could hold, else those that stay."""
        return self.whole.rows if self.chat is not None else self.stays

    def duplicates(self) -> int:
        """Rows whose prompt and target together occurred before."""
        return again(self.texts.pairs)

    def rows_of(self, label: int) -> tuple[Ref, ...]:
        """The first rows of a label."""
        return tuple(islice(self._rows.of(lambda i, _: i == label), SHOWN))

    def keeps_of(self, labels: Iterable[str]) -> tuple[Ref, ...]:
        """The first keeps of these labels."""
        numbers = {self.examples.labels.find(label) for label in labels}
        return tuple(islice(self._rows.of(lambda i, kept: kept and i in numbers), SHOWN)) if numbers else ()

    def rows_of_both(self) -> tuple[Ref, ...]:
        """The first rows of labels that both sides have."""
        return tuple(islice(self._rows.of(lambda i, _: bool(self._known[i] and self._of_test[i])), SHOWN))


def _read(prompt: Prompt) -> str | None:
    try:
        return prompt.read()
    except SourceError:
        return None


def interval(k: int, n: int) -> tuple[float, float]:
    """The 95% interval of a share (Clopper-Pearson)."""
    low = beta_quantile(k, n - k + 1, 0.025) if k else 0.0
    return low, beta_quantile(k + 1, n - k, 0.975) if k < n else 1.0


def finite(x: float | None) -> float | None:
    """A number that JSON has a word for."""
    return x if x is not None and math.isfinite(x) else None
