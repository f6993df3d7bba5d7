"""See trajscope at work: a real campaign in under a minute, or how loops fail, with the rails off and then on.

No key, no network; what runs is numpy on this machine.
"""

from __future__ import annotations

import contextlib
import json as json_
import os
import shutil
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from msgspec import Meta

import trajscope
from trajscope_loop import closing, shapes, stories
from trajscope_loop import folder as folders
from trajscope_loop.errors import CampaignError

TRIALS, SEED, K = 22, 1, 5
PLAN: Mapping[str, Any] = {
    "domain": "perturbation",
    "proposer": {"kind": "simulated", "habit": "tempted", "seed": SEED, "k": K},
    # Not the gate: it would stop at the first keep, having no earlier campaign to compare with, and wait for a person.
    "pauses": ["integrity", "TAMPERED", "SUSPECT"],
}
ANSWERS = {
    "fail": "the gate says no to a model that would learn from this run",
    "insufficient": "the gate cannot say yet whether a model may learn from this run, and that is no yes",
    "pass": "the gate lets a model learn from this run",
}
NAMES = ", ".join(stories.STORIES)
# What the guards of the domain look at, for somebody who has never seen it.
MEANS = {
    "response_ratio": "how far apart its answers to different inputs stand, 1 as in truth and 0 where all are the same",
    "direction_acc": "how often it says rightly whether a gene goes up or down",
    "pds": "how often its answer is nearer to its own truth than to others, .5 by chance",
}


class Line(closing.Figures):
    """What came of it, whether a model may learn from it, and the page about it."""

    schema: Literal[1]
    learn: Annotated[Literal["pass", "fail", "insufficient"], Meta(description="What `trajscope gate` says.")]
    report: str


def schemas() -> dict[str, dict[str, Any]]:
    """What it prints with `--json`, for `trajscope schema`."""
    kinds = {name: {"story": Literal[name], "figures": stories.figures(name)} for name in stories.STORIES}
    told = [shapes.fields(name.capitalize(), {"schema": Literal[1], **parts}) for name, parts in kinds.items()]
    return {
        "demo": shapes.of("A campaign, as `trajscope demo --json` prints it", Line),
        "demo-story": shapes.of("A story, as `trajscope demo --story NAME --json` prints it", *told),
    }


def demo(
    *,
    story: Annotated[
        str | None, typer.Option("--story", metavar="NAME", help=f"A failure instead, off and on: {NAMES}.")
    ] = None,
    night: Annotated[bool, typer.Option("--night", help="The story as long as a night: minutes, not seconds.")] = False,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="DIR", help="Keep what it made here, in a new folder.")
    ] = None,
    trials: Annotated[int, typer.Option("--trials", metavar="N", help="Trials of the campaign.", min=1)] = TRIALS,
    plain: Annotated[bool, typer.Option("--plain", help="Lines, and no live screen.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Its figures as one JSON line, at the end.")] = False,
) -> None:
    """See a real campaign in under a minute: proposals, rails, trainings, the gate, and what was saved.

    Example: trajscope demo
    """
    if night and story is None:
        raise typer.BadParameter("goes with --story", param_hint="--night")
    if story is not None and story not in stories.STORIES:
        raise typer.BadParameter(f"there is no story {story!r}; choose of {NAMES}", param_hint="--story")
    with _folder(output) as folder:
        if story is not None:
            told = stories.tell(story, folder, _quiet if json else _dim, night=night)
            one = {"schema": shapes.SCHEMA, "story": story, "figures": told.figures}
            print(json_.dumps(one) if json else "\n".join(_table(told, output)))
        else:
            _campaign(folder, trials, kept=output, screen=not (plain or json), json=json)


def _campaign(folder: Path, trials: int, *, kept: Path | None, screen: bool, json: bool) -> None:
    from trajscope_loop import stage
    from trajscope_loop.plan import made

    plan = made({**PLAN, "iterations": trials})
    if not json:
        for line in _opening(trials):
            print(line)
        print(flush=True)
    outcome = stage.play(folder, plan, _quiet if json else _said, screen=screen and stage.terminal())
    if outcome.code == stage.INTERRUPTED:
        at = f"; it is in {kept}, and `trajscope loop resume {kept}` goes on" if kept else "; nothing is left of it"
        print(f"\n stopped by Ctrl-C{at}", file=sys.stderr)
        raise typer.Exit(outcome.code)
    found = closing.figures(folder)
    run = folder / folders.RUN
    learnt, page = trajscope.gate(run), _reported(run, kept)
    if json:
        told: Line = {"schema": shapes.SCHEMA, **found, "learn": learnt.outcome, "report": str(page)}
        print(json_.dumps(told))
    else:
        words = [*closing.words(found), *_meanings(found), *_after(learnt, page)]
        print("\n".join(_page(words, _next(kept))))
        if outcome.code:
            print(f"\n {outcome.said}")
    if outcome.code:
        raise typer.Exit(outcome.code)


def _opening(trials: int) -> Iterator[str]:
    yield _paint(f" A campaign of {trials} trials, live: numpy on this machine, under a minute on two free cores.", "1")
    yield from _wrapped(
        "A small model predicts how cells answer to a perturbation, and a proposer changes one setting at a time. Each "
        "trial trains with 5 fresh seeds; a judge that training never sees scores it.",
        " ",
    )
    yield from _wrapped(
        f"The proposer is simulated, no model is asked: it remembers {K} trials, repeats itself, and is tempted by "
        "edits that raise the score by ignoring the input. Its path is written and its seed chosen, so that "
        f"{TRIALS} trials show all of it. What it meets is real: rails, trainings, judge, gate, record.",
        " ",
    )


def _meanings(found: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """What the metrics are that a refusal names."""
    said = " ".join(one["why"] for one in found["tempting"][: closing.ROWS])
    for number, name in enumerate(name for name in MEANS if name in said):
        yield "" if number else "words", f"{name}: {MEANS[name]}"


def _reported(run: Path, kept: Path | None) -> Path:
    """The page about the run: beside it, or where it outlives a folder that is gone afterwards."""
    if kept is not None:
        page = kept / "report.html"
    else:
        handle, name = tempfile.mkstemp(prefix="trajscope-demo-", suffix=".html")
        os.close(handle)
        page = Path(name)
    trajscope.load(run).report().write(page)
    return page


def _after(learnt: trajscope.Gate, page: Path) -> Iterator[tuple[str, str]]:
    """What comes after a night: the page about it, and whether to learn from it."""
    yield "report", f"{page}: open it in a browser; it says what to distrust first"
    bad, dark, good = (len(learnt.of(x)) for x in ("fail", "insufficient", "pass"))
    yield "distil", f"{ANSWERS[learnt.outcome]}: {bad} checks fail, {dark} cannot be told, {good} pass"
    if learnt.remedies:
        yield "", f"first of all: {learnt.remedies[0]}"


def _next(kept: Path | None) -> list[tuple[str, str]]:
    run = f"{kept or 'demo-out'}/run.jsonl"
    again = [] if kept else [("trajscope demo -o demo-out", "the same, and its record is kept")]
    return [
        *again,
        (f"trajscope analyze {run}", "everything that can be said of it"),
        (f"trajscope watch {run} --replay 2", "see it again on the live screen"),
        ("trajscope demo --story gamer", f"how loops fail, rails off and then on: {NAMES}"),
        ("trajscope loop run perturbation -o night", "a campaign of your own; trajscope loop --help"),
        ("trajscope analyze FILE", "a log that another loop left behind"),
    ]


def _page(words: Iterable[tuple[str, str]], following: list[tuple[str, str]]) -> Iterator[str]:
    """The closing words, in the width of the terminal."""
    for head, text in words:
        if len(head) == 1:
            colour = "1;32" if head == "●" else "1;33" if head == "?" else "1;31"
            first, *rest = _wrapped(text, " " * 3)
            yield ""
            yield _paint(f" {head} {first.lstrip()}", colour)
            yield from (_paint(line, colour) for line in rest)
            yield ""
            continue
        indent = len(text) - len(text.lstrip())
        first, *rest = _wrapped(text.lstrip(), " " * (11 + indent))
        yield f" {_paint(f'{head:<10}', '1')}{first[11:]}"
        yield from rest
    yield ""
    wide = max(len(command) for command, _ in following)
    yield _paint(" what to type next", "1")
    for command, what in following:
        short = len(command) <= wide and _width() >= wide + len(what) + 5
        yield f"   {command:<{wide}}  {_paint(what, '2')}" if short else f"   {command}"


def _table(told: stories.Told, kept: Path | None) -> Iterator[str]:
    """A story's two sides beside each other."""
    rows = [tuple(told.columns), *map(tuple, told.rows)]
    widths = [max(len(row[i]) for row in rows) for i in range(len(told.columns))]
    yield ""
    yield _paint(f" {told.title}", "1")
    yield ""
    for number, row in enumerate(rows):
        line = " " + "   ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip()
        yield line if number else _paint(line, "1")
    yield ""
    for note in told.notes:
        yield from _wrapped(note, " ")
    if kept is not None:
        yield f" The runs are in {kept}; `trajscope fleet {kept}` shows them beside each other."


def _wrapped(text: str, indent: str) -> list[str]:
    import textwrap

    lines = textwrap.wrap(
        text,
        _width() - 1,
        initial_indent=indent,
        subsequent_indent=indent,
        break_on_hyphens=False,
        break_long_words=False,
    )  # a path is to be copied
    return lines or [indent]


def _width() -> int:
    return min(shutil.get_terminal_size((100, 24)).columns, 110)


def _said(text: str) -> None:
    """A line of the campaign, no wider than the terminal."""
    print(text[: _width()] if sys.stdout.isatty() else text, flush=True)


def _dim(text: str) -> None:
    print(_paint(text[: _width()] if sys.stdout.isatty() else text, "2"), flush=True)


def _quiet(_text: str) -> None:
    pass


def _paint(text: str, how: str) -> str:
    if not sys.stdout.isatty() or os.environ.get("NO_COLOR") or os.environ.get("TERM") in (None, "", "dumb"):
        return text
    return f"\x1b[{how}m{text}\x1b[0m"


@contextlib.contextmanager
def _folder(kept: Path | None) -> Iterator[Path]:
    """An empty folder: the one that was named, or one that is gone afterwards."""
    if kept is not None:
        if kept.exists() and (not kept.is_dir() or any(kept.iterdir())):
            raise CampaignError(f"{kept}: is not empty; name a new folder, or remove it")
        kept.mkdir(parents=True, exist_ok=True)
        yield kept
        return
    with tempfile.TemporaryDirectory(prefix="trajscope-demo-", ignore_cleanup_errors=True) as name:
        yield Path(name)
