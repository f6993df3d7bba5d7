"""`trajscope gate`: may this be distilled? What fails first, then what cannot be told, and at the end what to do."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from trajscope.cli.options import Json, source, sourced
from trajscope.said import NOTHING, Asked
from trajscope.verdict import Level

if TYPE_CHECKING:
    from trajscope.corpus import Gate
    from trajscope.corpus.checks import Check, Outcome

NAME, VALUE, BOUND = 17, 5, 7  # columns
TITLES: dict[Outcome, str] = {"fail": "fails", "insufficient": "cannot be told", "pass": "passes"}
WORDS: dict[Outcome, tuple[str, str]] = {
    "fail": ("FAIL", "do not distil this"),
    "insufficient": ("INSUFFICIENT", "nobody can tell yet whether this may be distilled, and that is no pass"),
    "pass": ("PASS", "this may be distilled"),
}


@sourced
def gate(
    files: Annotated[list[Path], typer.Argument(metavar="RUN", help="The runs that the corpus is made of.")],
    *,
    policy: Annotated[
        str,
        typer.Option("--policy", metavar="NAME|FILE", help="strict, default, exploratory, or a TOML file."),
    ] = "default",
    split: Annotated[
        list[str] | None,
        typer.Option(
            "--split",
            metavar="SPLIT",
            help="auto, campaign, labels, stratified, tail or at:ITER; may be repeated. [default: auto]",
        ),
    ] = None,
    embargo: Annotated[
        int | None,
        typer.Option("--embargo", metavar="N", help="Trials left out before the boundary of tail or at:ITER.", min=0),
    ] = None,
    sft: Annotated[
        Path | None,
        typer.Option("--sft", metavar="FILE", help="A chat file (JSON lines of `messages`) made from these runs."),
    ] = None,
    json: Json = False,
    asked: Asked = NOTHING,
) -> None:
    """Ask whether runs may be distilled, before a night of training is spent on them.

    Exit codes: 0 pass, 1 a check fails, 3 something cannot be told. docs/gate.md explains every check.

    Example: trajscope gate run.jsonl --policy strict --split tail
    """
    from trajscope import corpus
    from trajscope.cli.text import json_line, wide
    from trajscope.corpus.checks import EXIT, worst
    from trajscope.corpus.policy import load

    named, thresholds = load(policy)
    examples = corpus.Examples([source(path, asked) for path in files])
    found = [
        corpus.asked(examples, named, thresholds, split=how, embargo=embargo, sft=sft) for how in split or ["auto"]
    ]
    for n, answer in enumerate(found):
        if json:
            print(json_line(answer.to_json()))
        else:
            print(("\n\n" if n else "") + page(answer, wide()))
    raise typer.Exit(EXIT[worst(x.outcome for x in found)])


def schemas() -> dict[str, dict[str, Any]]:
    """What it prints."""
    from trajscope.corpus import gating

    return {"gate": gating.schema()}


def page(g: Gate, width: int) -> str:
    """The answer on a terminal."""
    from trajscope.cli.text import paint, wrapped

    lines = _head(g, width)
    for outcome in ("fail", "insufficient", "pass"):
        if checks := g.of(outcome):
            head = f" {TITLES[outcome]:<{NAME + 1}} {'is':>{VALUE}}  {'must be':<{BOUND}}"
            lines += ["", paint(head.rstrip(), "dim")]
            lines += [line for c in checks for line in _check(g, c, width)]
    if g.remedies:
        lines += ["", paint(" what to do", "dim")]
        for n, remedy in enumerate(g.remedies, 1):
            first, *rest = wrapped("", remedy, width, indent=4)
            lines += [f" {n}  {first.strip()}", *rest]
    return "\n".join(lines)


def _head(g: Gate, width: int) -> list[str]:
    from trajscope.cli.text import MARKS, paint, plural, short, wrapped

    more = f" and {plural(len(g.files) - 1, 'more file')}" if len(g.files) > 1 else ""
    title = short(f"{g.files[0]}{more}", 2 * width)
    rows = g.rows
    out = f", {rows['left_out']:,} on neither side" if rows["left_out"] else ""
    chat = f"; texts of {g.sft}" if g.sft else ""
    said = (
        f"{plural(rows['all'], 'row')}: {rows['train']:,} train, {rows['test']:,} test{out} ({g.split_in_words}); "
        f"policy {g.policy}{chat}"
    )
    counts = [
        f"{plural(len(g.of('fail')), 'check fails', 'checks fail')}" if g.of("fail") else "",
        f"{len(g.of('insufficient'))} cannot be told" if g.of("insufficient") else "",
        f"{len(g.of('pass'))} pass",
    ]
    word, sentence = WORDS[g.outcome]
    mark, colour = MARKS[_level(g.outcome)]
    first, *rest = wrapped("", f"{sentence}: {', '.join(x for x in counts if x)}", width, indent=len(word) + 5)
    return [
        *(paint(line, "bold") for line in wrapped("", title, width, indent=1)),
        *wrapped("", said, width, indent=1),
        "",
        f" {paint(f'{mark} {word}', colour)}  {first.strip()}",
        *rest,
    ]


def _check(g: Gate, c: Check, width: int) -> list[str]:
    from trajscope.cli.text import MARKS, clean, paint, wrapped

    mark, colour = MARKS[_level(c.outcome)]
    head = f" {c.name:<{NAME - 1}} {_number(c.value):>{VALUE}}  {_bound(c):<{BOUND}} "
    said = clean(c.reason) + (f"; {c.note}" if c.note else "")
    said += _rows(g, c, width - len(head) - 2 - len(said)) if c.outcome != "pass" else ""
    first, *rest = wrapped("", said, width, indent=len(head) + 2)
    return [f" {paint(mark, colour)}{head}{first.strip()}", *rest]


def _number(x: float | None) -> str:
    return "?" if x is None else f"{x:,}" if isinstance(x, int) else f"{x:.2f}"


def _bound(c: Check) -> str:
    return c.bound.replace(">=", "≥").replace("<=", "≤")


def _rows(g: Gate, c: Check, room: int) -> str:
    """As many of the rows behind a check as stand on its line, by the run where there are several."""
    from trajscope.cli.text import short

    named = [f"{short(g.runs[run], 24)}:{seq}" if len(g.runs) > 1 else str(seq) for run, seq in c.rows]
    for n in range(len(named), 0, -1):
        more = ", ..." if c.rows_total > n else ""
        said = f" ({'trial' if c.rows_total == 1 else 'trials'} {', '.join(named[:n])}{more})"
        if len(said) <= room:
            return said
    return ""


def _level(outcome: Outcome) -> Level:
    return {"pass": Level.PASS, "insufficient": Level.UNKNOWN, "fail": Level.FAIL}[outcome]
