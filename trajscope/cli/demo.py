"""`trajscope demo`: a real run that went in circles, replayed as if it were live, then looked at in the morning."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from trajscope.replay import Step

EVERY = 10
NAME = "amnesiac"


def demo(
    *,
    speed: Annotated[
        float, typer.Option("--speed", metavar="N", help="Trials per second of the replay; 0 does not wait.", min=0)
    ] = 25.0,
) -> None:
    """See a real run that went in circles: first as it happened, then the morning after.

    Example: trajscope demo
    """
    import time

    from trajscope import analysis, menu, pipeline, replay
    from trajscope.cli.page import page, word
    from trajscope.cli.text import duration, paint, wide
    from trajscope.readers import Source

    path = sample()
    beside = pipeline.menu_beside(path)
    source = Source(_near(path), menu=menu.load(beside) if beside else None)
    print(paint(" As it happened: 50 trials, proposed by a model that saw only its last five.\n", "bold"))
    print("  trial  pairs  repeats of the last ten  plateau        best")
    first = None
    for step in replay.steps(source):
        if step.word == "FLAILING" and first is None:
            first = step
        if step.trials % EVERY == 0 or step is first:
            print(_line(step), word(step.word))
        if speed and sys.stdout.isatty():
            time.sleep(1 / speed)
    if first is not None:
        unspent = duration(first.left_s)
        print(f"\n At trial {first.trials} it could have been stopped, with {unspent} of compute unspent.")
        print(" The plateau is counted in trials since a best beyond noise.")
    print(paint("\n The morning after: `trajscope analyze` on the same file.\n", "bold"))
    for doc in analysis.of_file(source):
        print(page(doc, wide()))
    print("\n Now your own: trajscope analyze FILE, or trajscope fleet DIR for all of them.")


def _line(step: Step) -> str:
    from trajscope.cli.text import number

    rate = "?" if step.repeat_rate is None else f"{step.repeat_rate:.0%}"
    return f"{step.trials:7}{step.pairs:7}{rate:>25}{number(step.dry):>9}{number(step.best, 6):>12} "


def _near(path: Path) -> str:
    """The path as somebody in this folder would type it."""
    here = Path.cwd()
    return str(path.relative_to(here) if path.is_relative_to(here) else path)


def sample() -> Path:
    """The bundled run."""
    from trajscope.errors import SourceError

    checkout = Path(__file__).resolve().parents[2] / "sample_runs"
    for folder in (checkout, Path(sys.prefix) / "share" / "trajscope"):
        found = folder / NAME / f"{NAME}.jsonl"
        if found.is_file():
            return found
    raise SourceError("the sample run is not installed; run the demo from a checkout")
