"""Run a research campaign: propose, train, keep or revert, under rails.

The verbs of `trajscope loop`. Each parses, calls one function of the library, and says what came of it.
"""

from __future__ import annotations

import getpass
import json as json_
import math
import sys
from pathlib import Path
from typing import Annotated, Any, Literal, TypedDict

import typer
from msgspec import Meta

from trajscope_loop import folder as folders
from trajscope_loop import plan as plans
from trajscope_loop import shapes
from trajscope_loop.errors import CampaignError
from trajscope_loop.memory import Phase

loop = typer.Typer(add_completion=False, rich_markup_mode=None, no_args_is_help=True)

Dir = Annotated[Path, typer.Argument(metavar="DIR", help="The folder of a campaign.")]
Watch = Annotated[bool, typer.Option("--watch", help="Show the live screen while it runs; q closes the screen only.")]
Json = Annotated[bool, typer.Option("--json", help="One JSON line.")]


class Standing(TypedDict):
    """Where a campaign stands, as `status --json` says it."""

    schema: Literal[1]
    phase: Phase | Literal["ended", "paused"]
    working: Annotated[bool, Meta(description="Whether a process is at work on it now.")]
    trials: int
    of: Annotated[int, Meta(description="Trials that were asked for.")]
    value: Annotated[float | None, Meta(description="What the metric is of what stands.")]
    stands: Annotated[dict[str, Any], Meta(description="The configuration that stands.")]
    spent: Annotated[dict[str, float], Meta(description="By what: seconds (wall_s, proposer_s), tokens, usd.")]
    failures: Annotated[int, Meta(description="In a row.")]
    paused: Annotated[str | None, Meta(description="Why it waits for a person.")]
    ended: Annotated[str | None, Meta(description="Why there is no further trial.")]


@loop.callback()
def _root() -> None:
    """Run a research campaign: propose, train, keep or revert, under rails.

    Example: trajscope loop run perturbation -o night
    """


@loop.command(short_help="Begin a campaign in a new folder.")
def run(
    domain: Annotated[
        str | None, typer.Argument(metavar="DOMAIN", help="A built-in domain, or a folder with a domain.toml.")
    ] = None,
    *,
    output: Annotated[Path, typer.Option("--output", "-o", metavar="DIR", help="The campaign's folder.")],
    plan: Annotated[
        Path | None, typer.Option("--plan", metavar="FILE", help="A campaign.toml; options win over what it says.")
    ] = None,
    proposer: Annotated[
        str | None, typer.Option("--proposer", metavar="KIND", help="Who proposes. [default: simulated]")
    ] = None,
    executor: Annotated[
        str | None, typer.Option("--executor", metavar="KIND", help="Where seeds run. [default: local]")
    ] = None,
    iterations: Annotated[
        int | None, typer.Option("--iterations", metavar="N", help="Trials in all. [default: 100]")
    ] = None,
    seeds: Annotated[
        int | None, typer.Option("--seeds", metavar="N", help="Seeds of a measurement. [default: as the domain says]")
    ] = None,
    rails: Annotated[
        str | None, typer.Option("--rails", metavar="MODE", help="on, off, or window with --set window=N.")
    ] = None,
    gate: Annotated[str | None, typer.Option("--gate", metavar="KIND", help="ours, published or open.")] = None,
    values: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Anything else of the plan, such as proposer.k=5; repeatable."),
    ] = None,
    watch: Watch = False,
) -> None:
    """Begin a campaign in a new folder, and go on until it ends, pauses or is stopped.

    Example: trajscope loop run perturbation -o night --iterations 50 --set budget.hours=8
    """
    table = plans.settings(plan) if plan is not None else {}
    for name, value in (
        ("domain", domain),
        ("iterations", iterations),
        ("seeds", seeds),
        ("rails", rails),
        ("gate", gate),
    ):
        if value is not None:
            table[name] = value
    for name, kind in (("proposer", proposer), ("executor", executor)):
        if kind is not None:
            table[name] = {**(table.get(name) or {}), "kind": kind}
    for one in values or ():
        _set(table, one)
    for name, kind in (("proposer", "simulated"), ("executor", "local")):
        if isinstance(table.get(name), dict):
            table[name].setdefault("kind", kind)
    if "domain" not in table:
        raise typer.BadParameter("a campaign needs a DOMAIN, as an argument or in the plan", param_hint="DOMAIN")
    found = plans.made(table, str(plan or "plan"))
    output.mkdir(parents=True, exist_ok=True)
    with folders.held(output):
        from trajscope_loop import parts

        folders.free(output)
        parts.domain(found)  # what is declared wrongly is said before anything is written
        parts.proposer(found)
        memory = folders.begin(output, found)
        _go(output, found, memory, watch=watch)


@loop.command(short_help="Go on with a campaign that was stopped, paused or killed.")
def resume(folder: Dir, *, watch: Watch = False) -> None:
    """Go on with a campaign that was stopped, paused or killed; nothing finished is done again.

    Example: trajscope loop resume night
    """
    _there(folder)
    with folders.held(folder):
        plan, memory = folders.take_up(folder)
        if memory.state.ended and memory.state.stopped:
            print(memory.state.stopped)
            return
        if (folder / folders.PAUSE).exists():
            raise CampaignError(f"{folder / folders.PAUSE}: is there, so nothing goes on; remove it, then resume")
        _go(folder, plan, memory, watch=watch)


@loop.command(short_help="Say where a campaign stands.")
def status(folder: Dir, *, json: Json = False) -> None:
    """Say where a campaign stands: its phase, its trials, what it spent, why it waits. Changes nothing.

    Example: trajscope loop status night
    """
    _there(folder)
    found = summary(folder)
    if json:
        print(json_.dumps(found))
        return
    for name, value in found.items():
        if name != "schema" and value is not None and value != {}:
            print(f"{name:<10} {value if not isinstance(value, dict) else json_.dumps(value)}")


@loop.command(short_help="Look at a pause, and let the campaign go on.")
def ack(
    folder: Dir,
    *,
    by: Annotated[str | None, typer.Option("--by", metavar="NAME", help="Who looks. [default: the user]")] = None,
    up_to: Annotated[
        float | None,
        typer.Option("--up-to", metavar="VALUE", help="The metric up to which the gate need not pause again."),
    ] = None,
) -> None:
    """Look at what a paused campaign did, and let it go on. Shows a nonce on the terminal, to be typed back.

    A process of the same user can open a terminal too: this keeps honest loops honest, and no others.

    Example: trajscope loop ack night --up-to 0.92
    """
    from trajscope_loop import pause, stage

    _there(folder)
    with folders.held(folder):
        plan, memory = folders.take_up(folder)
        if memory.state.pause is None:
            raise CampaignError(f"{folder}: is not paused, so there is nothing to acknowledge")
        with pause.terminal() as (reads, writes):
            nonce = pause.confirm(memory.state.pause, reads, writes)
        with stage.opened(folder, plan, memory, print) as campaign:
            campaign.ack(by or getpass.getuser(), nonce, up_to)
    print(f"acknowledged; `trajscope loop resume {folder}` goes on")


def schemas() -> dict[str, dict[str, Any]]:
    """What `status` prints, for `trajscope schema`."""
    return {"loop-status": shapes.of("A campaign, as `trajscope loop status --json` prints it", Standing)}


def summary(folder: Path) -> Standing:
    """Where a campaign stands, as plain values."""
    plan, state, working = folders.standing(folder)
    phase: Any = "ended" if state.ended else "paused" if state.pause else state.phase
    asked = f"{folders.PAUSE} is there" if (folder / folders.PAUSE).exists() else None
    return {
        "schema": shapes.SCHEMA,
        "phase": phase,
        "working": working,
        "trials": state.trials,
        "of": plan.iterations,
        "value": state.value,
        "stands": state.base,
        "spent": {k: round(v, 4) for k, v in state.spent.items()},
        "failures": state.failures,
        "paused": state.pause.why if state.pause else asked,
        "ended": state.stopped,
    }


def _go(folder: Path, plan: plans.Plan, memory: Any, *, watch: bool) -> None:
    """One life of a campaign, to its end; its exit code is ours."""
    from trajscope_loop import stage

    if watch and not stage.terminal():
        print("trajscope: --watch needs a terminal; lines instead", file=sys.stderr)
        watch = False
    outcome = stage.carry(folder, plan, memory, _line, screen=watch, linger_s=math.inf)  # whoever looks on closes it
    print(outcome.said, flush=True)
    if outcome.code:
        raise typer.Exit(outcome.code)


def _line(text: str) -> None:
    print(text, flush=True)


def _set(table: dict[str, Any], said: str) -> None:
    """One `key=value`; the value is JSON, or else a text, and dots lead into a table."""
    key, sign, text = said.partition("=")
    if not sign or not key:
        raise typer.BadParameter(f"{said!r} is no KEY=VALUE", param_hint="--set")
    try:
        value = json_.loads(text)
    except ValueError:
        value = text
    *above, last = key.split(".")
    for name in above:
        table = table.setdefault(name, {})
    table[last] = value


def _there(folder: Path) -> None:
    if not (folder / folders.PLAN).is_file():
        raise CampaignError(f"{folder}: holds no campaign; begin one with `trajscope loop run DOMAIN -o {folder}`")
