"""The gate: may this be distilled? A plain answer with every check behind it, and what to do about it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trajscope import shape
from trajscope.corpus import policy as policies
from trajscope.corpus.checks import CHECKS, EXIT, Check, Outcome, judge, worst
from trajscope.corpus.diversity import Kernel
from trajscope.corpus.examples import DROPS, Examples
from trajscope.corpus.sft import Chat
from trajscope.corpus.split import plan
from trajscope.corpus.survey import Survey, finite
from trajscope.readers import Source

SCHEMA = 1
MOST = 8  # things to do that are told


@dataclass(frozen=True, slots=True)
class Gate:
    """The answer for one corpus, one policy and one split."""

    files: tuple[str, ...]
    runs: tuple[str, ...]  # their own names, in order; rows are named by their place here and their seq
    policy: str
    split: str
    split_in_words: str
    rows: Mapping[str, int]  # all, train, test, left out, and those that stay to be learnt from
    dropped: Mapping[str, int]  # trials that are no examples, by why
    checks: tuple[Check, ...]
    sft: str | None = None

    @property
    def outcome(self) -> Outcome:
        """`fail` if any check fails, else `insufficient` if any could not tell, else `pass`."""
        return worst(c.outcome for c in self.checks)

    @property
    def exit_code(self) -> int:
        """0 for pass, 1 for fail, 3 for insufficient."""
        return EXIT[self.outcome]

    @property
    def passed(self) -> bool:
        """Whether this may be distilled."""
        return self.outcome == "pass"

    def of(self, outcome: Outcome) -> tuple[Check, ...]:
        """The checks with this outcome."""
        return tuple(c for c in self.checks if c.outcome == outcome)

    @property
    def remedies(self) -> tuple[str, ...]:
        """What to do about it, for what fails before what could not be told."""
        bad = (*self.of("fail"), *self.of("insufficient"))
        return tuple(dict.fromkeys(c.remedy for c in bad if c.remedy))[:MOST]

    def to_json(self) -> dict[str, Any]:
        """The answer as JSON takes it; its schema is `trajscope schema gate`."""
        return {
            "schema": SCHEMA,
            "outcome": self.outcome,
            "files": list(self.files),
            "runs": list(self.runs),
            "policy": self.policy,
            "split": {"kind": self.split, "name": self.split_in_words},
            "sft": self.sft,
            "rows": dict(self.rows),
            "dropped": dict(self.dropped),
            "checks": [_plain(c) for c in self.checks],
            "remedies": list(self.remedies),
        }


def schema() -> dict[str, Any]:
    """The JSON Schema of `trajscope gate --json`."""
    return shape.titled("One answer, as `trajscope gate --json` prints it", answer())


def answer(but: Sequence[str] = ()) -> dict[str, Any]:
    """The same where it stands in something else, perhaps without some of its parts."""
    text, whole = shape.TEXT, shape.COUNT
    number, outcome = shape.null_or(shape.NUMBER), shape.one_of(EXIT)
    row = shape.record({"run": whole | {"description": "Its place in `runs`."}, "seq": whole})
    part = shape.record({"of": {"enum": ["all", "train", "test"]}, "value": number, "n": whole})
    check = {
        "name": {"enum": list(CHECKS)},
        "outcome": outcome,
        "value": number | {"description": "Null where it cannot be told."},
        "bound": text,
        "n": whole | {"description": "Rows that the value is of."},
        "reason": text,
        "rows": {"type": "array", "items": row, "description": "The first trials that show it."},
        "rows_total": whole,
        "parts": {"type": "array", "items": part, "description": "The value on each side of the split."},
        "remedy": {"type": ["string", "null"]},
        "note": {"type": ["string", "null"], "description": "What holds although it passed."},
        "lines": {"type": "array", "items": text, "description": "What of a chat file the run does not bear out."},
    }
    parts = {
        "schema": {"const": SCHEMA},
        "outcome": outcome | {"description": "Exit codes: pass 0, fail 1, insufficient 3."},
        "files": {"type": "array", "items": text},
        "runs": {"type": "array", "items": text},
        "policy": text,
        "split": shape.record({"kind": text, "name": text}),
        "sft": {"type": ["string", "null"]},
        "rows": shape.record(dict.fromkeys(("trials", "all", "train", "test", "left_out", "stay"), whole)),
        "dropped": {"type": "object", "additionalProperties": whole, "propertyNames": {"enum": list(DROPS)}},
        "checks": {"type": "array", "items": shape.record(check)},
        "remedies": {"type": "array", "items": text},
    }
    return shape.record({name: part for name, part in parts.items() if name not in but})


def gate(
    sources: Sequence[tuple[Source, str | None]],
    *,
    policy: str | Path = "default",
    split: str = "auto",
    embargo: int | None = None,
    sft: str | Path | None = None,
    kernel: Kernel | None = None,
) -> Gate:
    """Whether these runs may be distilled, by a policy and under a split; `sft` is a chat file made from them.

    `kernel` says how alike two pairs are, from 0 to 1, where the policy's own is not meant.
    """
    named, thresholds = policies.load(policy)
    examples = Examples(sources)
    return asked(examples, named, thresholds, split=split, embargo=embargo, sft=sft, kernel=kernel)


def asked(
    examples: Examples,
    named: str,
    thresholds: policies.Policy,
    *,
    split: str = "auto",
    embargo: int | None = None,
    sft: str | Path | None = None,
    kernel: Kernel | None = None,
) -> Gate:
    """The same of examples that were opened already."""
    how = plan(examples, split, embargo)
    chat = Chat(sft, runs=len(examples.runs)) if sft is not None else None
    s = Survey(examples, how, chat, kernel)
    return Gate(
        files=tuple(source.path for source, _ in examples.named),
        runs=tuple(run.header.run_id for run in examples.runs),
        policy=named,
        split=how.kind,
        split_in_words=how.name,
        rows={
            "trials": s.trials,
            "all": s.whole.rows,
            "train": s.train.rows,
            "test": s.test.rows,
            "left_out": s.left_out,
            "stay": s.stays,
        },
        dropped=dict(sorted(s.dropped.items())),
        checks=tuple(judge(s, thresholds)),
        sft=None if sft is None else str(sft),
    )


def _plain(c: Check) -> dict[str, Any]:
    return {
        "name": c.name,
        "outcome": c.outcome,
        "value": finite(c.value),
        "bound": c.bound,
        "n": c.n,
        "reason": c.reason,
        "rows": [{"run": run, "seq": seq} for run, seq in c.rows],
        "rows_total": c.rows_total,
        "parts": [{"of": p.where, "value": finite(p.value), "n": p.n} for p in c.parts],
        "remedy": c.remedy if c.outcome != "pass" else None,
        "note": c.note,
        "lines": list(c.lines),
    }
