"""Replay: what the rails would have blocked in a run that is over, what that would have returned, and at what cost.

Every trial that ran is put to the rails as a proposal, on the base it was recorded with, and with everything that ran
before it for a history: the trials that would have been blocked did run, and stay in it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from typing import Any, Literal, NamedTuple

from trajscope import sources
from trajscope.errors import SourceError
from trajscope.lines import Lines
from trajscope.menu import Menu
from trajscope.pair import Pair, config_hash
from trajscope.rails.chain import Rails
from trajscope.rails.history import NOT_RUN, History, Seen
from trajscope.rails.proposal import Proposal
from trajscope.rails.repeat import Repeat
from trajscope.readers import Source, find, get
from trajscope.trial import Header, Item, Trial
from trajscope.verdict import Level, Verdict

Rail = Literal["schema", "menu", "range", "constraint", "noop", "repeat"]
_RULES = {"repeat": frozenset(("repeat", "near", "revisit", "replicate"))}


class Replay(NamedTuple):
    """What would have been blocked: trials by their seq, costs of the blocked and of all."""

    trials: int  # that ran, and say what they changed
    passed: int
    blocked: Mapping[str, tuple[int, ...]]  # by rule
    keeps: tuple[int, ...]
    keeps_blocked: tuple[int, ...]
    returned_s: float
    total_s: float
    returned_usd: float
    total_usd: float
    unpriced: int  # blocked trials that do not say how long they took
    silent: tuple[int, ...]  # trials that ran and do not say what they changed
    sentence: str


class _Asked(NamedTuple):
    """One trial and what was said of it."""

    trial: Trial
    refusal: Verdict | None


def replay(source: Source, reader: str | None = None, only: Rail | None = None, window: int | None = None) -> Replay:
    """Put a run's trials to the rails one by one; `only` looks at one rail, `window` at so many earlier trials."""
    played = Replaying(source, only, window)
    for item in _items(source, reader):
        played.take(item)
    return played.answer()


class Replaying:
    """A replay as the items of a file come; after `most` trials that ran no more are asked about."""

    def __init__(
        self, source: Source, only: Rail | None = None, window: int | None = None, most: int | None = None
    ) -> None:
        if window is not None and window < 1:
            raise SourceError(f"a window of {window} trials holds nothing; give a number from 1 on")
        self._said = source.path, only, window
        self._walk = _Walk(source, only, window)
        self._asked: list[_Asked] = []
        self._silent: list[int] = []
        self._most = most

    @property
    def full(self) -> bool:
        """Whether no more trials are asked about."""
        return self._most is not None and len(self._asked) >= self._most

    def take(self, item: Item) -> None:
        """One more item of the file."""
        if self.full:
            return
        if isinstance(item, Header):
            self._walk.begin(item)
        elif isinstance(item, Trial) and item.status not in NOT_RUN:
            if item.pair is None:
                self._silent.append(item.seq)
            else:
                self._asked.append(_Asked(item, self._walk.step(item, item.pair)))

    def answer(self) -> Replay:
        """What would have been blocked of all that came."""
        path, only, window = self._said
        if not self._asked:
            raise SourceError(f"{path}: no trial ran that says what it changed; there is nothing to replay")
        return _summed(self._asked, tuple(self._silent), only, window)


class _Walk:
    """The state of a replay: the history so far, and the configurations that can be a base."""

    def __init__(self, source: Source, only: str | None, window: int | None) -> None:
        self._menu = source.menu
        self._only = only
        self._window = window
        self._history = History.none(self._menu)
        self._recent: deque[tuple[Pair, Seen, str | None]] = deque(maxlen=window)
        self._path = source.path
        self._header: Header | None = None
        self._known: dict[str, Mapping[str, Any]] = {}
        self._made: tuple[tuple[History, str | None], Rails] | None = None

    def begin(self, header: Header) -> None:
        """A new run in the file: other bases, the same history."""
        self._header = header
        self._known = {header.base_id: header.base} if header.base is not None and header.base_id is not None else {}
        if self._menu is None and header.menu is not None:
            self._menu = header.menu
            self._history = History.none(self._menu)
        self._history.run = self._path

    def step(self, trial: Trial, pair: Pair) -> Verdict | None:
        """What refuses a trial, and the trial into the history."""
        base = self._base(trial, pair)
        after = {**base, **{c.knob: c.value for c in pair.changes}} if base is not None else None
        base_id = config_hash(base) if base is not None else None
        config_id = config_hash(after) if after is not None else None
        if after is not None and trial.config is not None:
            self._known[trial.config] = after
        verdict = self._judge(trial, pair, base, base_id, config_id)
        value = trial.value
        where = (self._path, trial.seq + 1, trial.seq)
        seen = Seen(*where, trial.iter, trial.status, value, base_id, config_id, pair.label)
        self._recent.append((pair, seen, trial.intent)) if self._window else self._history.add(pair, seen, trial.intent)
        rules = _RULES.get(self._only, {self._only}) if self._only else None
        refused = verdict.level >= Level.UNKNOWN and (rules is None or verdict.rule in rules)
        return verdict if refused else None

    def _judge(
        self, trial: Trial, pair: Pair, base: Mapping[str, Any] | None, base_id: str | None, config_id: str | None
    ) -> Verdict:
        history = self._history
        if self._window:
            history = History.none(self._menu)
            history.run = self._path
            for past in self._recent:
                history.add(*past)
        changes = tuple((c.knob, c.value) for c in pair.changes)
        if self._only == "repeat":
            intent = trial.intent if trial.intent in ("revisit", "replicate") else None
            proposal = Proposal(changes, pair, intent=intent)  # type: ignore[arg-type]  # one of the two
            return Repeat(history, self._menu).check(proposal, base_id, config_id)
        raw: dict[str, Any] = {"changes": [{"knob": k, "value": v} for k, v in changes]}
        if trial.intent in ("revisit", "replicate"):
            raw["intent"] = trial.intent
        return self._rails(history, base, base_id).check(raw)

    def _rails(self, history: History, base: Mapping[str, Any] | None, base_id: str | None) -> Rails:
        """The rails on a base; those of the last base are used again, since making them costs more than asking."""
        key = history, base_id
        if self._made is None or self._made[0] != key:
            self._made = key, Rails(self._menu or Menu({}), history, base=base)
        return self._made[1]

    def _base(self, trial: Trial, pair: Pair) -> Mapping[str, Any] | None:
        """The whole configuration that a trial changed, as far as the file tells."""
        if trial.base is not None and trial.base in self._known:
            return self._known[trial.base]
        base = self._header.base if self._header else None
        if base is None or trial.moved is None:
            return None
        own = {c.knob for c in pair.changes}
        return {**base, **{c.knob: c.value for c in trial.moved.changes if c.knob not in own}}


def _items(source: Source, reader: str | None) -> Iterator[Item]:
    """What a file holds, as its own reader has it."""
    lines, read = Lines(), None
    for chunk in sources.read(source.path):
        if read is None:
            read = (get(reader) if reader else find(source.path, chunk[: sources.HEAD], source.layout))(source).feed
        for line in lines.feed(chunk):
            yield from read(line)
    if read is None:
        raise SourceError(f"{source.path}: is empty; there is nothing to replay")
    for line in lines.close():
        yield from read(line)


def _summed(asked: list[_Asked], silent: tuple[int, ...], only: str | None, window: int | None) -> Replay:
    blocked: dict[str, list[int]] = {}
    for a in asked:
        if a.refusal is not None:
            blocked.setdefault(a.refusal.rule, []).append(a.trial.seq)
    out = [a.trial for a in asked if a.refusal is not None]
    kept = [a.trial for a in asked if a.trial.status == "kept"]
    lost = [a.trial for a in asked if a.trial.status == "kept" and a.refusal is not None]
    found = Replay(
        len(asked),
        len(asked) - len(out),
        {rule: tuple(seqs) for rule, seqs in blocked.items()},
        tuple(t.seq for t in kept),
        tuple(t.seq for t in lost),
        sum(t.wall_s or 0.0 for t in out),
        sum(a.trial.wall_s or 0.0 for a in asked),
        sum(t.usd or 0.0 for t in out),
        sum(a.trial.usd or 0.0 for a in asked),
        sum(t.wall_s is None for t in out),
        silent,
        "",
    )
    who = f"the {only} rail alone" if only else "the rails"
    far = f", looking back {window} trials," if window else ""
    parts = [f"{who}{far} would have blocked {len(out)} of {len(asked)} trials and returned {_returned(found)}"]
    if kept:
        parts.append(_keeps(kept, lost))
    unsure = [a.refusal for a in asked if a.refusal is not None and a.refusal.level is Level.UNKNOWN]
    if unsure:
        parts.append(f"{len(unsure)} of them because it could not be known ({unsure[0].reason})")
    if silent:
        parts.append(f"not asked about, since they do not say what they changed: {len(silent)}")
    return found._replace(sentence="; ".join(parts))


def _returned(r: Replay) -> str:
    long = r.total_s >= 20_000
    back, total = (f"{x / 3600:,.1f}" if long else f"{x:,.0f}" for x in (r.returned_s, r.total_s))
    text = f"{back} of {total} {'h' if long else 's'}"
    if r.total_usd:
        text += f" and {r.returned_usd:,.2f} of {r.total_usd:,.2f} USD"
    return text + (f" (how long they took is unknown of {r.unpriced})" if r.unpriced else "")


def _keeps(kept: list[Trial], lost: list[Trial]) -> str:
    """How many keeps would have been lost; the fewer of both sides by name."""
    if not lost:
        return "no keep is among them"
    stayed = [t for t in kept if t not in lost]
    if len(kept) == len(lost):
        which = ""
    elif len(stayed) <= len(lost):
        which = f", all but {_named(stayed)}"
    else:
        which = f", {_named(lost)}"
    return f"but of {len(kept)} keeps {len(lost)} {'is' if len(lost) == 1 else 'are'} among them{which}"


def _named(trials: list[Trial], most: int = 3) -> str:
    names = [f"seq {t.seq}" if t.iter is None else f"iteration {t.iter}" for t in trials]
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")
