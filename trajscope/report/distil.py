"""Distil: what the gate says of learning from each run of a file, as the report shows it and verify asks it again."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trajscope.blobs import beside
from trajscope.readable import plural, short
from trajscope.readers import Source

if TYPE_CHECKING:
    from trajscope.corpus import Gate

MOST = 20_000  # trials of a file for which the gate is asked: it reads them three times
ALL_WAYS = 5_000  # and for which it is asked of every way to split them
TOLD = 3  # remedies that are told


def answers(source: Source, reader: str | None, runs: Mapping[str, int], policy: str) -> dict[str, dict[str, Any]]:
    """The answer for every run of a file, by its id; `runs` says how many trials each has."""
    many = sum(runs.values())
    if str(source.path) == "-":
        return _unasked(runs, "a pipe is read once, and a corpus is read again: save it into a file and ask the gate")
    if many > MOST:
        return _unasked(runs, f"of over {MOST:,} trials the report does not ask; `trajscope gate` does")
    from trajscope.corpus import Examples, asked
    from trajscope.corpus.policy import load
    from trajscope.corpus.split import kinds
    from trajscope.errors import TrajscopeError

    try:
        examples, (named, thresholds) = Examples([(source, reader)]), load(policy)
        found = asked(examples, named, thresholds)
        ways = [x for x in kinds(examples) if x != found.split] if many <= ALL_WAYS else []
        others = [asked(examples, named, thresholds, split=x) for x in ways]
    except TrajscopeError as e:
        return _unasked(runs, f"the gate could not be asked: {short(str(e), 200)}")
    sentence = _counted(found)
    checks: list[dict[str, Any]] = []
    for c in (*found.of("fail"), *found.of("insufficient"), *found.of("pass")):
        said = {"check": c.name, "outcome": c.outcome, "value": c.value, "bound": c.bound, "n": c.n, "reason": c.reason}
        checks.append(said)
        checks += [{"check": "", "split": p.where, "value": p.value, "n": p.n} for p in c.parts]
    answer = {
        "outcome": found.outcome,
        "sentence": sentence,
        "split": found.split_in_words,
        "remedies": list(found.remedies[:TOLD]),
        "checks": checks,
        "splits": [_other(x, found) for x in others] if many <= ALL_WAYS else None,
        "policy": found.policy,
        "prompts": beside(source.path, ".blobs").is_dir(),  # long texts lie beside the file, and not in the report
    }
    return dict.fromkeys(runs, answer)


def _counted(found: Gate) -> str:
    bad, dark, good = (len(found.of(x)) for x in ("fail", "insufficient", "pass"))
    return f"{plural(bad, 'check fails', 'checks fail')}, {dark} cannot be told, {good} pass"


def _other(found: Gate, than: Gate) -> dict[str, Any]:
    """What the gate says of another way to split, and which checks answer otherwise there."""
    first = {c.name: c.outcome for c in than.checks}
    other = [f"{c.name}: {c.outcome}" for c in found.checks if first.get(c.name) != c.outcome]
    return {"split": found.split_in_words, "outcome": found.outcome, "sentence": _counted(found), "otherwise": other}


def again(
    source: Source, reader: str | None, raw: bytes, runs: Mapping[str, int], policy: str
) -> dict[str, dict[str, Any]]:
    """The same of bytes that a report holds, in a file of the same name."""
    with tempfile.TemporaryDirectory(prefix="trajscope-") as folder:
        path = Path(folder) / (Path(str(source.path)).name or "run")
        path.write_bytes(raw)
        return answers(replace(source, path=str(path)), reader, runs, policy)


def trials(accounts: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    """How many trials each run of a file has."""
    return {a["doc"]["run_id"]: a["doc"]["trials"] for a in accounts}


def _unasked(runs: Mapping[str, int], why: str) -> dict[str, dict[str, Any]]:
    return {run: {"outcome": "not asked", "sentence": why} for run in runs}
