"""Replay: what the rails would have blocked in a run that is over, what that would have returned, and at what cost.

Every trial that ran is put to the rails as a proposal, on the base it was recorded with, and with everything that ran
before it for a history: the trials that would have been blocked did run, and stay in it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Literal, NamedTuple, TypeAlias

from trajscope import sources
from trajscope.errors import SourceError
from trajscope.lines import Lines
from trajscope.menu import Menu
from trajscope.pair import Change, Configs, Pair
from trajscope.rails.chain import Rails
from trajscope.rails.history import NOT_RUN, History, Seen
from trajscope.rails.proposal import MEMO, Proposal, Proposals
from trajscope.rails.repeat import Repeat
from trajscope.readers import Source, find, get
from trajscope.trial import Header, Item, Trial
from trajscope.verdict import Level, Verdict

Rail = Literal["schema", "menu", "range", "constraint", "noop", "repeat"]
GROUNDS = 256  # bases that are held ready
_RULES = {"repeat": frozenset(("repeat", "near", "revisit", "replicate"))}
_Named: TypeAlias = tuple[int, int | None]  # a trial by its seq and its iteration


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


def replay(source: Source, reader: str | None = None, only: Rail | None = None, window: int | None = None) -> Replay:
    """Put a run's trials to the rails one by one; `only` looks at one rail, `window` at so many earlier trials."""
    played = Replaying(source, only, window)
    for item in _items(source, reader):
        played.take(item)
    return played.answer()


class Replaying:
    """A replay as the items of a file come. Of a trial only what is counted is kept, however long the file."""

    def __init__(self, source: Source, only: Rail | None = None, window: int | None = None) -> None:
        if window is not None and window < 1:
            raise SourceError(f"a window of {window} trials holds nothing; give a number from 1 on")
        self._said = source.path, only, window
        self._walk = _Walk(source, only, window)
        self._trials = self._passed = self._unpriced = self._unsure = 0
        self._blocked: dict[str, list[int]] = {}
        self._kept: list[_Named] = []
        self._lost: list[_Named] = []
        self._silent: list[int] = []
        self._spent = [0.0] * 4  # seconds and dollars of the blocked, then of all
        self._why = ""  # it could not be known of the first such trial

    def take(self, item: Item) -> str | None:
        """One more item of the file; the rule that would have blocked it, where one would."""
        if isinstance(item, Header):
            self._walk.begin(item)
        elif isinstance(item, Trial) and item.status not in NOT_RUN:
            if item.pair is not None:
                return self._count(item, self._walk.step(item, item.pair))
            self._silent.append(item.seq)
        return None

    @property
    def unsure(self) -> tuple[int, str]:
        """How many were refused because something could not be known, and what it was of the first of them."""
        return self._unsure, self._why

    def _count(self, trial: Trial, refusal: Verdict | None) -> str | None:
        wall_s, usd, spent = trial.wall_s or 0.0, trial.usd or 0.0, self._spent
        self._trials += 1
        spent[2] += wall_s
        spent[3] += usd
        if trial.status == "kept":
            self._kept.append((trial.seq, trial.iter))
        if refusal is None:
            self._passed += 1
            return None
        spent[0] += wall_s
        spent[1] += usd
        self._unpriced += trial.wall_s is None
        self._blocked.setdefault(refusal.rule, []).append(trial.seq)
        if trial.status == "kept":
            self._lost.append((trial.seq, trial.iter))
        if refusal.level is Level.UNKNOWN:
            self._why = self._why or refusal.reason
            self._unsure += 1
        return refusal.rule

    def answer(self) -> Replay:
        """What would have been blocked of all that came."""
        path = self._said[0]
        if not self._trials:
            raise SourceError(f"{path}: no trial ran that says what it changed; there is nothing to replay")
        found = Replay(
            self._trials, self._passed, {rule: tuple(seqs) for rule, seqs in self._blocked.items()},
            tuple(seq for seq, _ in self._kept), tuple(seq for seq, _ in self._lost),
            self._spent[0], self._spent[2], self._spent[1], self._spent[3], self._unpriced, tuple(self._silent), "",
        )  # fmt: skip
        return found._replace(sentence="; ".join(self._sentence(found)))

    def _sentence(self, found: Replay) -> Iterator[str]:
        _, only, window = self._said
        who = f"the {only} rail alone" if only else "the rails"
        far = f", looking back {window} trials," if window else ""
        blocked = found.trials - found.passed
        yield f"{who}{far} would have blocked {blocked} of {found.trials} trials and returned {_returned(found)}"
        if self._kept:
            yield _keeps(self._kept, self._lost)
        if self._unsure:
            yield f"{self._unsure} of them because it could not be known ({self._why})"
        if self._silent:
            yield f"not asked about, since they do not say what they changed: {len(self._silent)}"


class _Ground:
    """A configuration that proposals change, with what is worked out of it once."""

    def __init__(self, config: Mapping[str, Any]) -> None:
        self.config = config
        self._configs = Configs(config)
        self.id = self._configs.after()
        self.rails: Rails | None = None

    def after(self, pair: Pair) -> str:
        """The hash of what a proposal makes of it."""
        return self._configs.after(pair.changes)


class _Walk:
    """The state of a replay: the history so far, and the configurations that can be a base."""

    def __init__(self, source: Source, only: str | None, window: int | None) -> None:
        self._menu = source.menu
        self._only = only
        self._rules = _RULES.get(only, {only}) if only else None
        self._window = window
        self._history = History.none(self._menu)
        self._recent: deque[tuple[Pair, Seen, str | None]] = deque(maxlen=window)
        self._path = source.path
        self._begun(None)

    def begin(self, header: Header) -> None:
        """A new run in the file: other bases, the same history."""
        if self._menu is None and header.menu is not None:
            self._menu = header.menu
            self._history = History.none(self._menu)
        self._history.run = self._path
        self._begun(header)

    def _begun(self, header: Header | None) -> None:
        self._header = header
        self._proposals = Proposals(self._menu)
        self._read: dict[tuple[str, str | None], Proposal | Verdict] = {}
        self._made: dict[str, tuple[Mapping[str, Any], Pair]] = {}  # by its hash: the base of a trial, and its changes
        self._grounds: dict[object, _Ground] = {}
        self._nowhere: Rails | None = None  # the rails where no base is known

    def step(self, trial: Trial, pair: Pair) -> Verdict | None:
        """What refuses a trial, and the trial into the history."""
        ground = self._ground(trial, pair)
        base_id = ground.id if ground is not None else None
        config_id = ground.after(pair) if ground is not None else None
        if ground is not None and trial.config is not None and trial.config not in self._made:
            self._made[trial.config] = ground.config, pair
        verdict = self._judge(trial, pair, ground, config_id)
        where = (self._path, trial.seq + 1, trial.seq)
        seen = Seen(*where, trial.iter, trial.status, trial.value, base_id, config_id, pair.label)
        self._recent.append((pair, seen, trial.intent)) if self._window else self._history.add(pair, seen, trial.intent)
        refused = verdict.level >= Level.UNKNOWN and (self._rules is None or verdict.rule in self._rules)
        return verdict if refused else None

    def _judge(self, trial: Trial, pair: Pair, ground: _Ground | None, config_id: str | None) -> Verdict:
        history = self._history
        if self._window:
            history = History.none(self._menu)
            history.run = self._path
            for past in self._recent:
                history.add(*past)
        intent = trial.intent if trial.intent in ("revisit", "replicate") else None
        if self._only == "repeat":
            changes = tuple((c.knob, c.value) for c in pair.changes)
            proposal = Proposal(changes, pair, intent=intent)  # type: ignore[arg-type]  # one of the two
            repeat = Repeat(history, self._menu, offers=False)
            return repeat.check(proposal, ground.id if ground is not None else None, config_id)
        said = self._proposal(pair, intent)
        return said if isinstance(said, Verdict) else self._rails(history, ground).check(said)

    def _proposal(self, pair: Pair, intent: str | None) -> Proposal | Verdict:
        """What a pair is as a proposal; of one that comes again, what it was the last time."""
        key = pair.label, intent
        found = self._read.get(key)
        if found is None:
            raw: dict[str, Any] = {"changes": [{"knob": c.knob, "value": c.value} for c in pair.changes]}
            if intent is not None:
                raw["intent"] = intent
            if len(self._read) >= MEMO:
                self._read.clear()
            found = self._read[key] = self._proposals.read(raw)
        return found

    def _rails(self, history: History, ground: _Ground | None) -> Rails:
        """The rails on a base; they are used again, since making them costs more than asking."""
        made = ground.rails if ground is not None else self._nowhere
        if made is None or made.history is not history:
            base, menu = ground.config if ground is not None else None, self._menu or Menu({})
            made = Rails(menu, history, base=base, repeat=Repeat(history, menu, base=base, offers=False))
            if ground is None:
                self._nowhere = made
            else:
                ground.rails = made
        return made

    def _ground(self, trial: Trial, pair: Pair) -> _Ground | None:
        """The whole configuration that a trial changed, as far as the file tells."""
        base = self._header.base if self._header else None
        if base is None or self._header is None:
            return None
        if trial.base is not None and trial.base == self._header.base_id:
            return self._kept(trial.base, base)
        if trial.base is not None and trial.base in self._made:
            before, changed = self._made[trial.base]
            return self._kept(trial.base, before, changed.changes)
        if trial.moved is None:
            return None
        own = {c.knob for c in pair.changes}
        moved = tuple(c for c in trial.moved.changes if c.knob not in own)
        return self._kept(tuple(c.label for c in moved), base, moved)

    def _kept(self, key: object, base: Mapping[str, Any], changes: Iterable[Change] = ()) -> _Ground:
        """The ground of this key, made where it is asked for first."""
        found = self._grounds.get(key)
        if found is None:
            if len(self._grounds) >= GROUNDS:
                self._grounds.clear()
            found = self._grounds[key] = _Ground({**base, **{c.knob: c.value for c in changes}})
        return found


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


def _returned(r: Replay) -> str:
    long = r.total_s >= 20_000
    back, total = (f"{x / 3600:,.1f}" if long else f"{x:,.0f}" for x in (r.returned_s, r.total_s))
    text = f"{back} of {total} {'h' if long else 's'}"
    if r.total_usd:
        text += f" and {r.returned_usd:,.2f} of {r.total_usd:,.2f} USD"
    return text + (f" (how long they took is unknown of {r.unpriced})" if r.unpriced else "")


def _keeps(kept: list[_Named], lost: list[_Named]) -> str:
    """How many keeps would have been lost; the fewer of both sides by name."""
    if not lost:
        return "no keep is among them"
    gone = set(lost)
    stayed = [t for t in kept if t not in gone]
    if len(kept) == len(lost):
        which = ""
    elif len(stayed) <= len(lost):
        which = f", all but {_named(stayed)}"
    else:
        which = f", {_named(lost)}"
    return f"but of {len(kept)} keeps {len(lost)} {'is' if len(lost) == 1 else 'are'} among them{which}"


def _named(trials: list[_Named], most: int = 3) -> str:
    names = [f"seq {seq}" if number is None else f"iteration {number}" for seq, number in trials]
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")
