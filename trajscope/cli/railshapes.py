"""The schemas of what the verbs of `rail` print. They stand apart: a rail that is asked has no time to import them."""

from __future__ import annotations

from typing import get_args

from trajscope import shape
from trajscope.shape import COUNT, NUMBER, TEXT, TRUTH, Shape, listed, mapped, null_or, one_of, record, told


def schemas() -> dict[str, Shape]:
    """By name."""
    return {"rail-check": _check(), "rail-selftest": _selftest(), "rail-replay": _replay()}


def _check() -> Shape:
    change = record({"knob": TEXT, "value": told({}, "Any JSON value.")})
    proposal = record(
        {
            "pair": told(TEXT, "The canonical label, in which 1, 1.0 and an alias of the knob are one proposal."),
            "changes": listed(change),
            "intent": null_or(one_of(("revisit", "replicate"))),
        }
    )
    return shape.document(
        "The answer, as `trajscope rail check --json` prints it",
        {
            "passed": told(TRUTH, "The exit code is 0 where this is true, and 2 else."),
            "rule": told(TEXT, "Who refused; `rails` where no single rail did, `usage` where the call was wrong."),
            "level": shape.LEVEL,
            "reason": TEXT,
            "evidence": told(listed(COUNT), "Trials (seq) of the run that goes on."),
            "elsewhere": told(listed(TEXT), "Trials of other files, as path:line."),
            "alternatives": told(listed(TEXT), "Pairs that were not tried."),
            "proposal": told(null_or(proposal), "As it was understood; null where it was not."),
        },
    )


def _selftest() -> Shape:
    plant = record(
        {
            "name": TEXT,
            "wanted": one_of(("refused", "passed")),
            "held": told(TRUTH, "Whether it came as it was wanted."),
            "said": TEXT,
        }
    )
    return shape.document(
        "The answer, as `trajscope rail selftest --json` prints it",
        {
            "at": {"type": "string", "format": "date-time"},
            "passed": told(TRUTH, "Whether every plant held."),
            "command": told(TEXT, "The command that was asked."),
            "plants": listed(plant),
            "recorded": told(null_or(TEXT), "Where it was recorded, as path:line; null where it was not."),
        },
    )


def _replay() -> Shape:
    from trajscope.rails.backtest import Rail

    seqs = listed(COUNT)
    return shape.document(
        "One run, as `trajscope rail replay --json` prints it",
        {
            "file": told(TEXT, "As it was named."),
            "only": told(null_or(one_of(get_args(Rail))), "The rail that alone was asked; null: the whole chain."),
            "window": told(null_or(COUNT), "How many trials the rail remembers; null: all."),
            "trials": told(COUNT, "Trials that ran and say what they changed."),
            "passed": COUNT,
            "blocked": told(mapped(seqs), "Trials (seq) that would have been blocked, by rule."),
            "keeps": seqs,
            "keeps_blocked": told(seqs, "Keeps that would have been lost."),
            **dict.fromkeys(("returned_s", "total_s", "returned_usd", "total_usd"), NUMBER),
            "unpriced": told(COUNT, "Blocked trials that do not say how long they took."),
            "silent": told(seqs, "Trials that ran and do not say what they changed."),
            "sentence": TEXT,
        },
    )
