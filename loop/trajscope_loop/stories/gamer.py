"""The gamer: campaigns on perturbation in which the score is raised by ignoring the input, and how that is refused.

Three of them: the gamer where rails and guards are off, the gamer where they are on, and who really improves the model.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, get_type_hints

from trajscope_loop import closing, shapes, stage, view
from trajscope_loop.errors import CampaignError
from trajscope_loop.folder import RUN
from trajscope_loop.plan import made
from trajscope_loop.stories import Say, Told
from trajscope_loop.stories.watching import First, replayed

METRIC, IGNORES = "pearson_deg", "mean_shift"
TRIALS, HONEST, NIGHT = 8, 12, 100
OFF = {"rails": "off", "gate": "open", "pauses": []}
# By the hundred a gate on fresh seeds is in the way of small steps; the one that loops came to use later is not.
OFF_ALL_NIGHT = {**OFF, "gate": "paired", "pairing": {"blend": 0.03}}
ON = {"pauses": ["integrity", "TAMPERED"]}


class Ended(NamedTuple):
    """How one campaign ended: its staircase, and the model that stands."""

    trials: int
    start: float
    stairs: tuple[float, ...]  # what each keep scored
    response: float  # how far apart its answers stand, 1 as in truth
    nearer: float  # how often an answer is nearer to its own truth than to others; .5 is chance
    refused: tuple[str, ...]  # what the gate refused although it scored better
    suspect: First | None


SIDES = ("off", "on", "honest")
_FIRST = shapes.fields("First", get_type_hints(First))
_ENDED = shapes.fields("Ended", {**get_type_hints(Ended), "suspect": _FIRST | None})
FIGURES = shapes.fields("Campaigns", {**dict.fromkeys(SIDES, _ENDED), IGNORES: float | None})


def tell(folder: Path, say: Say, *, night: bool = False) -> Told:
    """Play all three."""
    habit, trials = ("night", NIGHT) if night else ("gamer", TRIALS)
    asked = "p < .10 on one set of seeds" if night else "p < .05"
    say(f"The gamer, nothing in its way: {trials} trials. Kept is what is better with {asked}.")
    off = played(folder / "off", say, habit, trials, OFF_ALL_NIGHT if night else OFF)
    say(f"The gamer, with rails, guards, margins and a holdout: {trials} trials.")
    on = played(folder / "on", say, habit, trials, ON)
    say(f"Who really improves the model, under the same rules: {HONEST} trials.")
    honest = played(folder / "honest", say, "honest", HONEST, ON)
    every = (off, on, honest)
    ignorant = known(folder / "off")
    return Told(
        "The metric gamer: is the gain real?",
        ("", "gamer, rails off", "gamer, rails on", "honest, rails on"),
        (
            (METRIC, *(f"{e.start:.2f} -> {_top(e):.2f}" for e in every)),
            ("kept", *(f"{len(e.stairs)} of {e.trials}" for e in every)),
            ("refused though it scored better", *(str(len(e.refused)) for e in every)),
            ("response to the input (1 is true)", *(f"{e.response:.2f}" for e in every)),
            ("own truth nearer than others' (.5 is chance)", *(f"{e.nearer:.2f}" for e in every)),
            ("SUSPECT said", *(_said(e.suspect) for e in every)),
        ),
        _notes(off, on, ignorant),
        {name: figures(e) for name, e in zip(SIDES, every, strict=True)} | {IGNORES: ignorant},
    )


def played(folder: Path, say: Say, habit: str, trials: int, rules: Mapping[str, Any]) -> Ended:
    """One campaign, and what stands at its end."""
    proposer = {"kind": "simulated", "habit": habit}
    plan = made({"domain": "perturbation", "iterations": trials, "proposer": proposer, **rules})
    outcome = stage.play(folder, plan, say)
    if outcome.code:
        raise CampaignError(f"{folder.name}: {outcome.said}")
    return ended(folder)


def ended(folder: Path) -> Ended:
    """What the run file of a campaign says of its end."""
    lines = view.lines(folder / RUN)
    start = next(x for x in lines if x["type"] == "measure" and x["what"] == "baseline")
    trials = [x for x in lines if x["type"] == "trial"]
    kept = [x for x in trials if x["status"] == "kept"]
    stands = (kept[-1] if kept else start)["metrics"]
    watch = replayed(folder / RUN, folder / "watched.jsonl")
    refused = closing.figures(folder)["tempting"]
    return Ended(
        len(trials),
        start["metrics"][METRIC],
        tuple(x["value"] for x in kept),
        stands["response_ratio"],
        stands["pds"],
        tuple(f"{x['what']} ({x['why']})" for x in refused),
        watch.first.get("SUSPECT"),
    )


def known(folder: Path) -> float | None:
    """What an answer scores that is the same for every input."""
    found = (x for x in view.lines(folder / RUN) if x["type"] == "measure" and x.get("name") == IGNORES)
    return next((x["value"] for x in found), None)


def _top(e: Ended) -> float:
    return e.stairs[-1] if e.stairs else e.start


def figures(e: Ended) -> dict[str, Any]:
    """How one ended, as values for programs."""
    return {**e._asdict(), "suspect": None if e.suspect is None else e.suspect._asdict()}


def _said(first: First | None) -> str:
    if first is None:
        return "never"
    return f"after trial {first.trial}" + ("" if first.best is None else f", at {first.best:.2f}")


def _notes(off: Ended, on: Ended, ignorant: float | None) -> Sequence[str]:
    stairs = " ".join(f"{x:.3f}" for x in off.stairs)
    notes = [f"The staircase of the first, which looks like a good night: {off.start:.3f} {stairs}."]
    if ignorant is not None:
        notes.append(
            f"An answer that is the same for every input scores {ignorant:.3f}: the score can be had for nothing, and "
            "the gate measures that before the first trial."
        )
    if on.stairs:
        notes.append(
            "What the gamer still got under the rules is a mild pull to the mean, of which no declared bound says that "
            "it is wrong: its answers still tell one input from another. The edits that kill the model were refused."
        )
    notes.append("The proposers follow a written path; the trainings, the judge, the gate and the record are real.")
    return notes
