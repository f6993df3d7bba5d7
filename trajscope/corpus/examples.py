"""Examples: the trials of one or several runs as labelled examples, those that nobody should learn from marked.

Read twice and never held: the first time tells what looks back from the end (means over replicates, whether keeps are
carried on), every further time yields examples one by one. A run is in memory only while its file is gone through;
afterwards a few kilobytes of it are, and about thirty bytes for each label and each configuration that was tried again.
"""

from __future__ import annotations

import hashlib
import json
from array import array
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import chain
from typing import Any, NamedTuple

import msgspec

from trajscope import blobs, pipeline, sources
from trajscope.columns import Row
from trajscope.corpus.groups import Elsewhere
from trajscope.corpus.labels import Labels
from trajscope.corpus.told import Known, Told, tell
from trajscope.errors import CorpusError, SourceError
from trajscope.lines import Lines
from trajscope.metrics import METRICS
from trajscope.pair import Pair, canon
from trajscope.pipeline import Feed
from trajscope.readers import Source, find, get
from trajscope.run import Run
from trajscope.tally import PairTally
from trajscope.trial import Header, Item, Line, Trial

# Why a trial is no example, the first that applies. A status other than kept and reverted is its own reason.
DROPS = {
    "blocked": "a rail refused it",
    "crashed": "it crashed, so nothing says whether it was good",
    "aborted": "the gate could not judge it",
    "ineligible": "it was measured in another way",
    "proposer_error": "nothing was proposed",
    "other": "its status is unknown",
    "no_proposal": "the record does not say what was proposed",
    "tampered": "what ran is not what was proposed",
    "replicate": "the same configuration on purpose, to measure noise",
    "no_op": "it proposes what already stands",
    "repeat": "proposed before; the first occurrence stands for all, with their mean",
}
_NOTHING: Mapping[str, str] = {}
_NO_LINE = Line(0, 0, b"")


class Prompt(NamedTuple):
    """What the proposer saw, as it was recorded: the text itself, or its hash and the run that it lies beside."""

    text: str | None
    sha: str | None
    path: str

    @property
    def hash(self) -> str:
        """The SHA-256 of the text."""
        return self.sha or hashlib.sha256((self.text or "").encode()).hexdigest()

    def read(self) -> str:
        """The text; raises where it is gone or was changed."""
        return self.text if self.text is not None else blobs.read_blob(self.path, self.sha or "")


class Example(NamedTuple):
    """One trial as something to learn from."""

    run: int  # number of its run among all that were read
    run_id: str
    campaign: str
    seq: int
    iter: int | None
    n: int  # counted trials of its run up to this one
    pair: Pair | None
    place: int  # number of its label among all that were counted; -1 where it is none of them
    raw: str | None  # the proposal's changes as they were spelt
    said: str | None  # the proposal as the proposer said it, as far as that was recorded
    status: str
    against: str | None  # the first verdict against keeping it, as it was recorded
    kept: bool
    counted: bool  # scored, with a proposal, and no declared replicate: what shares are shares of
    value: float | None
    k: int  # the how-manieth time its run counts this pair
    mean: float | None  # over all evaluations of its configuration; its own value where it was not evaluated
    replicates: int  # how many these are
    flipped: bool  # its configuration was kept once and reverted once
    config: str | None
    standing: Mapping[str, str] | None  # what it changed: knob and canonical value; None where that is not known
    base: str | None  # identity of what it changed, where the record says so
    prompt: Prompt | None
    line: tuple[int, int]  # where it was read: number of the file, and of the line in it
    outside: bool  # a knob or value that the menu does not hold
    drop: str | None  # a key of DROPS

    @property
    def label(self) -> str | None:
        """The canonical label of what was proposed."""
        return self.pair.label if self.pair is not None else None

    @property
    def key(self) -> tuple[int, int]:
        """What it is known by: its run and seq."""
        return self.run, self.seq


class _Shown(msgspec.Struct):
    """The prompt that a line holds; formats without it have none."""

    shown: str | dict[str, Any] | None = None
    prompt: str | dict[str, Any] | None = None


class _Said(_Shown):
    """What a line holds beside the trial that a reader makes of it."""

    attempts: list[dict[str, Any]] | None = None
    proposal: dict[str, Any] | str | None = None
    verdicts: msgspec.Raw = msgspec.Raw(b"null")


class _Verdict(msgspec.Struct):
    """What a check of the loop said of a trial."""

    rule: str = ""
    level: str = ""
    reason: str = ""


class Examples:
    """The examples of one or several files, in the order of the files; may be gone through as often as one likes."""

    def __init__(self, named: Sequence[tuple[Source, str | None]]) -> None:
        """Reads every file once; each is named with its format, or None where that is to be found."""
        self.named = list(named)
        self.runs: list[Told] = []
        self.labels, self.elsewhere = Labels(), Elsewhere()
        self._last: list[int] = []  # number of the last run of each file
        if not self.named:
            raise CorpusError("no run is named; name the files that a corpus is to be made of")
        known = Known()
        for source, reader in self.named:
            if source.path == "-":
                raise SourceError("-: is a pipe, and a corpus is read twice; save it into a file first")
            self._read(source, reader, known)
        self.elsewhere.close()

    def _read(self, source: Source, reader: str | None, known: Known) -> None:
        """What is asked of the runs of a file; they themselves are let go with this call."""
        for run in pipeline.read(source, reader, METRICS).runs:
            self.labels.add(run)
            self.elsewhere.add(len(self.runs), run)
            self.runs.append(tell(run, source.path, known))
        self._last.append(len(self.runs) - 1)

    def __iter__(self) -> Iterator[Example]:
        """Each trial that was read at first. What a growing file has come to hold meanwhile is not gone through."""
        at = -1
        for file, ((source, reader), last) in enumerate(zip(self.named, self._last, strict=True)):
            walk: _Walk | None = None
            for run, item, row, line in _stream(source, reader):
                if isinstance(item, Header):
                    if at == last:
                        break
                    at += 1
                    walk = _Walk(at, file, self.runs[at], run, self.labels)
                elif (
                    line is not None and isinstance(item, Trial) and row is not None and walk is not None and walk.left
                ):
                    yield walk.example(item, row, line)

    def prompts(self, wanted: Callable[[int, int], bool]) -> Iterator[Prompt]:
        """The prompts of these lines (number of the file, and of the line), without the trials that they are of."""
        for file, (source, _) in enumerate(self.named):
            lines = Lines()
            ends = chain(map(lines.feed, sources.read(source.path)), (lines.close() for _ in (None,)))
            for line in chain.from_iterable(ends):
                if wanted(file, line.seq) and (prompt := _prompt_of(line.data, source.path)) is not None:
                    yield prompt


class _Walk:
    """One run as it is gone through again."""

    def __init__(self, number: int, file: int, told: Told, run: Run, labels: Labels) -> None:
        h = told.header
        self._file = file
        self.left = told.trials  # that were there when it was read at first
        self._number, self._told, self._run, self._labels = number, told, run, labels
        self._standing = _Standing(run.header, carried=told.carried)
        self._places = array("q")  # numbers of the labels of its pairs
        self._id, self._campaign = h.run_id, campaign(h)

    def example(self, t: Trial, row: Row, line: Line) -> Example:
        """Its next trial."""
        self.left -= 1
        p = self._run.tally.pairs.get(t.pair.label) if t.pair is not None else None
        place = -1 if p is None else self._place(p)
        counted = row.counted and p is not None
        if counted and place < 0:
            raise CorpusError(f"{self._told.file}: changed while it was read; wait until its run has ended, or copy it")
        # What was evaluated by one trial alone says itself what came of it.
        group = self._told.groups.find(t.config) if row.evaluated and p is not None and t.config is not None else None
        mean, replicates = t.value, int(t.value is not None)
        if group is not None and group.n:
            mean, replicates = group.mean, group.n
        said, raw, prompt, against = _texts(line.data, self._told.file)
        standing = self._standing.under(t)
        self._standing.take(t)
        return Example(
            self._number,
            self._id,
            self._campaign,
            t.seq,
            t.iter,
            row.c,
            t.pair,
            place,
            raw,
            said,
            t.status,
            against if not row.kept else None,
            row.kept,
            counted,
            t.value,
            row.k,
            mean,
            replicates,
            group is not None and group.flipped,
            t.config,
            standing,
            t.base if t.based else None,
            prompt,
            (self._file, line.seq),
            p is not None and p.outside,
            _drop(t, row),
        )

    def _place(self, p: PairTally) -> int:
        """The number of the label of a pair, which is looked up once in a run."""
        while len(self._places) <= p.id:
            self._places.append(self._labels.find(self._run.ground.pairs[len(self._places)].pair.label))
        return self._places[p.id]


def campaign(h: Header) -> str:
    """The campaign that a run belongs to; where none is named, the runs of one domain, metric and evaluator."""
    return h.campaign or "/".join(x or "?" for x in (h.domain, h.metric, h.evaluator))


def _drop(t: Trial, row: Row) -> str | None:
    if t.status not in ("kept", "reverted"):
        return t.status if t.status in DROPS else "other"
    if t.pair is None:
        return "no_proposal"
    if t.drift or t.reason_code == "tampered":
        return "tampered"
    if row.replicate:
        return "replicate"
    if row.noop:
        return "no_op"
    # A known pair on a new base is a revisit and stays. Where the base is not known it may be one, and still goes.
    return "repeat" if row.context_k > 1 or (row.k > 1 and not row.context_k) else None


class _Standing:
    """What stood before each trial of one run, as far as the record tells."""

    def __init__(self, header: Header, *, carried: bool | None) -> None:
        self._header, self._carried = header, carried
        self._base: Mapping[str, str] | None = None
        if header.base is not None:
            change = header.menu.change if header.menu else canon
            self._base = {c.knob: c.text for c in (change(k, v) for k, v in header.base.items())}
        self._known = {header.base_id: self._base}  # and what kept configurations come to
        self._kept: Mapping[str, str] | None = _NOTHING  # what the last keep changed
        self._whole = self._base  # and came to

    def under(self, t: Trial) -> Mapping[str, str] | None:
        """What a trial changed."""
        if self._base is None or self._carried is False:
            return self._base
        if self._header.base_id is not None:
            return self._known.get(t.base)
        return self._whole if self._carried_on(t) else None

    def _carried_on(self, t: Trial) -> bool:
        """Whether a trial shows that it stands on the last keep."""
        if t.moved is None or self._kept is None:
            return False
        own = {c.knob for c in t.pair.changes} if t.pair is not None else set()
        rest = {c.knob: c.text for c in t.moved.changes if c.knob not in own}
        shows = rest == {k: v for k, v in self._kept.items() if k not in own}
        return shows and bool(rest or not self._kept)

    def take(self, t: Trial) -> None:
        """The trial has happened."""
        if t.status != "kept" or self._base is None:
            return
        self._kept = {c.knob: c.text for c in t.moved.changes} if t.moved is not None else None
        self._whole = {**self._base, **self._kept} if self._kept is not None else None
        if t.config is not None and self._whole is not None:
            self._known[t.config] = self._whole


def _stream(source: Source, reader: str | None) -> Iterator[tuple[Run, Item, Row | None, Line | None]]:
    """What a file holds, with the line of each trial, never more than a chunk of it at a time."""
    held: list[tuple[Run, Item, Row | None]] = []
    chunks = sources.read(source.path)
    head = next(chunks, b"")
    kind = get(reader) if reader else find(source.path, head[: sources.HEAD], source.layout)
    feed = Feed(source, kind, (), lambda run, item, row: held.append((run, item, row)))
    lines = Lines()

    def ready(cut: list[Line]) -> Iterator[tuple[Run, Item, Row | None, Line | None]]:
        raw = {line.at: line for line in cut}
        for run, item, row in held:
            # What is a trial of no line of its own has no texts, and stands where the file begins.
            yield run, item, row, raw.get(item.at, _NO_LINE) if isinstance(item, Trial) else None
        held.clear()

    for chunk in chain((head,), chunks):
        feed.feed(chunk)
        yield from ready(lines.feed(chunk))
    feed.close()
    yield from ready(lines.close())


_json = json.JSONEncoder(ensure_ascii=False).encode
_decode = msgspec.json.Decoder(_Said).decode
_decode_verdicts = msgspec.json.Decoder(list[_Verdict] | None).decode
_decode_shown = msgspec.json.Decoder(_Shown).decode


def _texts(line: bytes, path: str) -> tuple[str | None, str | None, Prompt | None, str | None]:
    """The proposal as it was said, its changes as they were spelt, the prompt, and what spoke against it."""
    try:
        row = _decode(line)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return None, None, None, None
    against = _against(row.verdicts)
    prompt = _prompt(row.shown if row.shown is not None else row.prompt, path)
    said: Any = row.proposal
    if row.attempts:
        said = next((a for a in reversed(row.attempts) if not _refused(a)), row.attempts[-1])
    if isinstance(said, str):
        return said, None, prompt, against
    if not isinstance(said, dict):
        return None, None, prompt, against
    text = said.get("said")
    if not isinstance(text, str):
        text = _json({k: v for k, v in said.items() if k != "verdict"})
    return text, _spelt(said), prompt, against


def _against(verdicts: msgspec.Raw) -> str | None:
    """The first recorded verdict that fails, else the first that is no pass, in its own words."""
    try:
        found = _decode_verdicts(verdicts) or []
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return None
    first = next((v for level in ("FAIL", "UNKNOWN") for v in found if v.level == level), None)
    return f"{first.rule}: {first.reason}" if first is not None else None


def _prompt_of(line: bytes, path: str) -> Prompt | None:
    """The prompt alone."""
    try:
        row = _decode_shown(line)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return None
    return _prompt(row.shown if row.shown is not None else row.prompt, path)


def _prompt(shown: str | dict[str, Any] | None, path: str) -> Prompt | None:
    if isinstance(shown, str):
        return Prompt(shown, None, path)
    if isinstance(shown, dict) and isinstance(shown.get("blob"), str):
        return Prompt(None, shown["blob"], path)
    return None


def _refused(attempt: Mapping[str, Any]) -> bool:
    verdict = attempt.get("verdict")
    return isinstance(verdict, Mapping) and verdict.get("level") in ("FAIL", "UNKNOWN")


def _spelt(said: Mapping[str, Any]) -> str | None:
    """`knob=value` as the proposer wrote it, several joined by ` + `."""
    listed = said.get("changes")
    changes = [c for c in listed if isinstance(c, Mapping)] if isinstance(listed, list) and listed else [said]
    parts = [f"{c['knob']}={_json(c.get('value', c.get('new_value')))}" for c in changes if "knob" in c]
    return " + ".join(parts) or None
