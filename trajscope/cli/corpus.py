"""`trajscope corpus`: write what may be distilled into a folder of its own, and ask later whether it is still that."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from trajscope.cli.app import Group, Verb
from trajscope.cli.options import Json, source, sourced
from trajscope.said import NOTHING, Asked

if TYPE_CHECKING:
    from trajscope.corpus import Built, Gate

SCHEMA = 1
corpus = typer.Typer(cls=Group, add_completion=False, rich_markup_mode=None)


@corpus.callback()
def _root() -> None:
    """Write what may be distilled into a folder of its own, and ask later whether it is still that.

    Example: trajscope corpus build run.jsonl -o corpus
    """


@corpus.command(cls=Verb, short_help="Write a corpus, where the gate lets it.")
@sourced
def build(
    files: Annotated[list[Path], typer.Argument(metavar="RUN", help="The runs that the corpus is made of.")],
    *,
    out: Annotated[Path, typer.Option("--output", "-o", metavar="DIR", help="The new folder.")],
    policy: Annotated[
        str,
        typer.Option("--policy", metavar="NAME|FILE", help="strict, default, exploratory, or a TOML file."),
    ] = "default",
    split: Annotated[
        str,
        typer.Option("--split", metavar="SPLIT", help="auto, campaign, labels, stratified, tail or at:ITER."),
    ] = "auto",
    embargo: Annotated[
        int | None,
        typer.Option("--embargo", metavar="N", help="Trials left out before the boundary of tail or at:ITER.", min=0),
    ] = None,
    accept: Annotated[
        str | None,
        typer.Option("--accept", metavar="REASON", help="Build it though the gate refuses; the reason goes on record."),
    ] = None,
    balance: Annotated[
        float,
        typer.Option(
            "--balance", metavar="A", help="Weights n^(A-1): 1 leaves labels as they are, 0 makes them equal."
        ),
    ] = 0.5,
    json: Json = False,
    asked: Asked = NOTHING,
) -> None:
    """Write a corpus into a new folder, whole or not at all, where the gate lets it.

    Exit codes: 0 written, 1 the gate fails, 3 it cannot tell; then nothing is written. docs/corpus.md says what is.

    Example: trajscope corpus build runs/*.jsonl -o corpus --split campaign
    """
    from trajscope import corpus as library
    from trajscope.cli.gate import page
    from trajscope.cli.text import json_line, warn, wide
    from trajscope.errors import RefusedError

    named = [source(path, asked) for path in files]
    try:
        found = library.build(named, out, policy=policy, split=split, embargo=embargo, accept=accept, balance=balance)
    except RefusedError as e:
        print(json_line(_answer(e.gate)) if json else page(e.gate, wide()))
        warn(str(e))
        raise typer.Exit(e.gate.exit_code) from None
    if json:
        print(json_line(_answer(found.gate, found)))
    else:
        print("\n".join(_told(found)))


@corpus.command(cls=Verb, short_help="Ask whether a corpus is what its manifest says.")
def verify(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="The corpus.")],
    inputs: Annotated[
        list[Path] | None, typer.Argument(metavar="[RUN]...", help="The runs it was made of, to be compared.")
    ] = None,
    *,
    sha: Annotated[
        str | None, typer.Option("--sha", metavar="HASH", help="The hash that the manifest must have.")
    ] = None,
    json: Json = False,
) -> None:
    """Ask whether every file is what the manifest says, and whether these runs are those it was made of.

    Exit codes: 0 it is, 1 something differs, 3 that cannot be told: the runs, or some of them, are not named.

    Example: trajscope corpus verify corpus runs/*.jsonl
    """
    from trajscope import corpus as library
    from trajscope.cli.judged import judged
    from trajscope.cli.text import json_line, verdicts, wide
    from trajscope.verdict import exit_code, worst

    found = library.verify(folder, inputs or (), sha)
    level = worst(found)
    if json:
        print(json_line(judged(folder, found)))
    else:
        print("\n".join(verdicts(found, wide())))
    raise typer.Exit(exit_code(level))


def schemas() -> dict[str, dict[str, Any]]:
    """The schemas of what the verbs print, and of the manifest that they leave behind and read."""
    from trajscope import shape
    from trajscope.cli import judged
    from trajscope.corpus import contract, gating, rows
    from trajscope.shape import COUNT, SHA256, TEXT, null_or, told

    parts = {
        "corpus": told(null_or(TEXT), "The folder that was written; null, and the four below, where the gate refused."),
        "sha256": told(null_or(SHA256), "The hash of its manifest, to be kept apart from it."),
        "rows": null_or(shape.record(dict.fromkeys(rows.TABLES, COUNT))),
        "trials": null_or(contract.trials()),
        "accepted": told(null_or(TEXT), "Why it was built although the gate refused; null where it did not."),
        "gate": told(gating.answer(), "As `gate --json` says it."),
    }
    return {
        "corpus-build": shape.document("What came of it, as `trajscope corpus build --json` prints it", parts),
        "corpus-verify": judged.schema("corpus verify"),
        "corpus-manifest": contract.schema(),
    }


def _answer(gate: Gate, built: Built | None = None) -> dict[str, Any]:
    """What came of `build`."""
    if built is None:
        said: dict[str, Any] = dict.fromkeys(("corpus", "sha256", "rows", "trials", "accepted"))
    else:
        m = built.manifest
        said = {"corpus": str(built.folder), "sha256": built.sha256, "rows": built.rows}
        said |= {"trials": m["trials"], "accepted": m["accepted"]}
    return {"schema": SCHEMA, **said, "gate": gate.to_json()}


def _told(b: Built) -> list[str]:
    """What was written, and what was not."""
    from trajscope.cli.text import clean, plural

    m, rows = b.manifest, b.rows
    trials, out = m["trials"], []
    if m["accepted"] is not None:
        out.append(f"built although the gate says {b.gate.outcome}; on record: {clean(m['accepted'])}")
    out.append(
        f"{clean(b.folder)}: {', '.join(f'{n:,} {name}' for name, n in rows.items())} "
        f"of {plural(trials['all'], 'trial')} ({trials['train']:,} train, {trials['test']:,} test)"
    )
    if trials["dropped"]:
        most = sorted(trials["dropped"].items(), key=lambda x: (-x[1], x[0]))
        out.append(f"dropped: {', '.join(f'{n:,} {why}' for why, n in most)}")
    out += [f"no {name}: {_why(m['tables'][name])}" for name, n in rows.items() if not n]
    return [*out, f"keep this hash apart from the folder: {b.sha256}"]


def _why(sides: dict[str, dict[str, dict[str, int]]]) -> str:
    found: dict[str, int] = {}
    for side in sides.values():
        for why, n in side["left_out"].items():
            found[why] = found.get(why, 0) + n
    return ", ".join(f"{n:,} {why}" for why, n in sorted(found.items(), key=lambda x: (-x[1], x[0]))) or "nothing kept"
