"""The amnesiac: one recorded night of 50 trials that went in circles, and the same played again, rails off and on.

The recorded night is read as if it grew. The other two are simulated: rails, history, record and alarms are the real
ones, the proposer has the habits of that night and the score is drawn, so nothing is trained. The seed was chosen to
resemble the night.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from random import Random
from statistics import fmean
from typing import Any, NamedTuple, get_type_hints

from trajscope import Menu, Trial, load_menu, open_run, read
from trajscope.rails import Answer, History, Proposal, Rails, Turn
from trajscope.rails.ledger import Seen
from trajscope_loop import shapes
from trajscope_loop.asking import plain
from trajscope_loop.errors import CampaignError
from trajscope_loop.proposers import make
from trajscope_loop.proposers.simulated import PICKED, draw
from trajscope_loop.seams import Past, Proposer, View
from trajscope_loop.stories import Say, Told
from trajscope_loop.stories.watching import Watch, replayed

NAME, K, TRIALS = "amnesiac", 5, 200
# The recorded night: its baseline, its noise, what counted as a keep, and the pairs that did better or worse than most.
BASE, MOST, NOISE, KEEP = 10.9554, 10.943, 0.0198, 0.005
WORTH = {"d_model=768": 10.878, "d_ff=6144": 10.906, "d_ff=8192": 10.923, "lr#4": 11.11, "d_model=256": 13.75}


class Night(NamedTuple):
    """What became of one night."""

    trials: int
    pairs: int
    knobs: int
    refused: int
    windows: tuple[float, ...]  # repeats per ten trials
    flailing: int | None  # the first trial after which that was said
    unspent_s: float | None  # what the trials after that one took
    ended: str | None  # why it ended before its last trial


NIGHTS = ("recorded", "off", "on", "wide")
FIGURES = shapes.fields("Nights", dict.fromkeys(NIGHTS, shapes.fields("OneNight", get_type_hints(Night))))


def tell(folder: Path, say: Say, *, night: bool = False) -> Told:  # it is as long as it can be
    """The night as it was recorded, and played again without and with rails."""
    path, menu_file = sample()
    menu = load_menu(menu_file)
    say("The night as it was recorded: 50 trials by an 8B model that was shown its last five.")
    was = recorded(path, menu_file, folder / "recorded.jsonl")
    _progress(say, was)
    say(f"The same habits played again, without rails: {TRIALS} trials.")
    off = played(folder / "off.jsonl", menu, rails=False)
    _progress(say, off)
    say("With rails: what was tried anywhere in the history is refused, and an untried change is offered.")
    on = played(folder / "on.jsonl", menu, rails=True)
    _progress(say, on)
    say("With rails, two changes in a proposal, and values between the usual ones.")
    wide = played(folder / "wide.jsonl", menu, rails=True, pairs=2, values="ranges")
    _progress(say, wide)
    nights = (was, off, on, wide)
    return Told(
        "The amnesiac: does the loop explore?",
        ("", "as recorded", "rails off", "rails on", "on, two changes"),
        (
            ("trials", *(str(n.trials) for n in nights)),
            ("pairs that are new", *(str(n.pairs) for n in nights)),
            ("repeats, per ten", *(_windows(n) for n in nights)),
            ("knobs touched", *(f"{n.knobs} of {len(menu.knobs)}" for n in nights)),
            ("refused unspent", *(str(n.refused) if n.refused else "-" for n in nights)),
            ("FLAILING said", *("never" if n.flailing is None else f"after trial {n.flailing}" for n in nights)),
        ),
        _notes(was, on),
        {name: n._asdict() for name, n in zip(NIGHTS, nights, strict=True)},
    )


def recorded(path: Path, menu_file: Path, copy: Path) -> Night:
    """The recorded night, line by line, as somebody would have watched it."""
    shutil.copy(menu_file, copy.with_suffix(".menu.json"))
    trials = [item for item in read(path, menu=load_menu(menu_file)) if isinstance(item, Trial)]
    watch = replayed(path, copy)
    at = watch.after("FLAILING")
    unspent = None if at is None else sum(t.wall_s or 0.0 for t in trials[at:])
    return _night(watch, [t.pair.label for t in trials if t.pair is not None], 0, unspent, None)


def played(
    path: Path,
    menu: Menu,
    *,
    rails: bool,
    trials: int = TRIALS,
    seed: int = PICKED,
    pairs: int = 1,
    values: str | None = None,
) -> Night:
    """A night without trainings, recorded and watched like any other."""
    proposer = make("simulated", seed=seed, k=K, pairs=pairs, values=values)
    field, ended = Field(proposer, menu, seed, rails=rails), None
    header = {"proposer": proposer.header(), "domain": "simulated score: nothing is trained"}
    if not rails:
        header["settings"] = {"rails": {"mode": "off"}}
    with open_run(
        path, sidecar=False, metric="val_bpb", goal="minimize", menu=menu.to_json(), base=menu.defaults, fsync=False,
        unguarded_because="nothing is trained", **header,
    ) as run:  # fmt: skip
        run.measure("baseline", value=BASE)
        watch = Watch(path)
        for number in range(1, trials + 1):
            found = field.trial(number)
            ended = found.pop("ended", None)
            run.trial(base_config=menu.defaults, **found)
            watch.look()
            if ended is not None:
                break
        run.end(ended or f"finished: {trials} trials")
    return _night(watch, [p.label for p in field.past], field.refused, None, ended)


class Field:
    """A campaign without trainings: the real rails over its history."""

    def __init__(self, proposer: Proposer, menu: Menu, seed: int, *, rails: bool) -> None:
        self.proposer, self.menu, self.seed, self.rails = proposer, menu, seed, rails
        self.history = History.none(menu)
        self.chain = Rails(menu, self.history, base=menu.defaults)
        self.past: list[Past] = []
        self.refused = 0

    def trial(self, number: int) -> dict[str, Any]:
        """The line of one trial; `ended` says why there can be no further one."""
        turn, attempts, refusals = Turn(self.chain), list[dict[str, Any]](), list[Answer]()
        passed = None
        while passed is None and not turn.over:
            said = self.proposer.propose(self._view(refusals, number)).proposal
            answer = turn.ask(said) if self.rails else self.chain.ask(said)
            if answer.proposal is None:
                raise CampaignError(f"the simulated proposer said what is no proposal: {answer.verdict.reason}")
            attempts.append(_attempt(answer.proposal, answer if self.rails else None))
            if answer.passed or not self.rails:
                passed = answer.proposal
            else:
                refusals.append(answer)
        self.refused += len(refusals)
        if passed is None:
            answer = turn.escape(Random(f"{self.seed} {number}"))
            if not answer.passed or answer.proposal is None:
                return {"status": "blocked", "attempts": attempts, "ended": answer.verdict.reason,
                        "reason_code": answer.verdict.rule}  # fmt: skip
            passed = answer.proposal
            attempts.append(_attempt(passed, answer))
        return {"attempts": attempts, **self._ran(passed, number)}

    def _ran(self, proposal: Proposal, number: int) -> dict[str, Any]:
        pair = proposal.pair
        worth = sum(WORTH.get(c.label, WORTH.get(c.cell or "", MOST)) - MOST for c in pair.changes)
        value = MOST + worth + NOISE * draw(self.seed, number)[1]
        status = "kept" if (BASE - value) / BASE >= KEEP else "reverted"
        self.past.append(Past(number, pair.label, status, value, {}, ""))
        self.history.add(pair, Seen("played", number, number, number, status, value, None, None, pair.label))
        return {"value": value, "status": status, "iter": number}

    def _view(self, refusals: Sequence[Answer], number: int) -> View:
        k = self.proposer.history
        return View(
            program="", menu=self.menu, base=self.menu.defaults, files={}, metric="val_bpb", goal="minimize", best=BASE,
            past=tuple(self.past if k is None else self.past[-k:]), trials=len(self.past), denied=(), untried=(),
            refusals=tuple(a.verdict for a in refusals),
            refused=tuple(a.proposal.pair.label for a in refusals if a.proposal is not None),
            turn=number * 100 + len(refusals),
        )  # fmt: skip


def _night(watch: Watch, labels: Sequence[str], refused: int, unspent: float | None, ended: str | None) -> Night:
    first: dict[str, int] = {}
    again = [first.setdefault(label, i) < i for i, label in enumerate(labels)]
    windows = tuple(fmean(again[i : i + 10]) for i in range(0, len(again), 10))
    knobs = {part.partition("=")[0] for label in labels for part in label.split(" + ")}
    return Night(len(labels), len(first), len(knobs), refused, windows, watch.after("FLAILING"), unspent, ended)


def _attempt(proposal: Proposal, answer: Answer | None) -> dict[str, Any]:
    said: dict[str, Any] = {"changes": [{"knob": c.knob, "value": c.value} for c in proposal.pair.changes]}
    return said if answer is None else said | {"verdict": plain(answer.verdict)}


def _windows(night: Night) -> str:
    shown = night.windows[:5]
    return " ".join(f"{w:.1f}".lstrip("0") if w else "0" for w in shown) + (" ..." if len(night.windows) > 5 else "")


def _progress(say: Say, night: Night) -> None:
    said = f"  {night.trials} trials, {night.pairs} different pairs"
    if night.flailing is not None:
        said += f"; FLAILING after trial {night.flailing}"
    if night.ended is not None:
        said += f"; {night.ended}"
    say(said)


def _notes(was: Night, on: Night) -> Sequence[str]:
    notes = []
    if was.flailing is not None and was.unspent_s is not None:
        notes.append(
            f"The recorded night could have been stopped after trial {was.flailing}, with {was.unspent_s / 60:.0f} "
            "minutes of compute unspent."
        )
    if on.ended is not None:
        notes.append(f"With rails the single changes end: {on.ended}.")
    notes.append(
        f"All but the recorded night is simulated: no model was asked, the score is drawn, seed {PICKED} was chosen "
        "because it resembles that night."
    )
    return notes


def sample() -> tuple[Path, Path]:
    """The recorded night and its menu, in a checkout or as they were installed."""
    checkout = Path(__file__).resolve().parents[3] / "sample_runs"
    for place in (checkout, Path(sys.prefix) / "share" / "trajscope"):
        found = place / NAME / f"{NAME}.jsonl"
        if found.is_file():
            return found, found.with_name(f"{NAME}.menu.json")
    raise CampaignError("the recorded night is not installed; install trajscope again, or run this in a checkout")
