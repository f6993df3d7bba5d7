"""What a proposer is shown: the trials so far without anything of a holdout, and the same as a text for models.

Reads the campaign's own run file back, so that what is shown is what is recorded.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from trajscope import Menu, Verdict
from trajscope.rails import History
from trajscope.rails.untried import Untried
from trajscope_loop.seams import Domain, Past, Proposer, Tree, View

DIGITS = 6  # of a number in a text
NOT_RUN = ("blocked", "proposer_error")


class Known(NamedTuple):
    """One trial that was recorded: as a proposer may see it, and the changes that it made."""

    past: Past
    changes: Mapping[str, Any]


def lines(path: Path) -> list[dict[str, Any]]:
    """Every whole line of our own run file, as objects; a torn end is the writer's to mend."""
    found = []
    for line in path.read_bytes().split(b"\n")[:-1]:
        try:
            obj = json.loads(line)
        except ValueError:
            continue  # the writer refuses a file whose chain is broken; this is a repaired piece
        if isinstance(obj, dict):
            found.append(obj)
    return found


def known(line: Mapping[str, Any], menu: Menu | None, hidden: Iterable[str]) -> Known:
    """A trial of the run file, without what nobody may see who proposes."""
    ran = next((a for a in reversed(line["attempts"]) if not refused(a)), None) or (line["attempts"] or [{}])[-1]
    metrics = {k: v for k, v in (line.get("metrics") or {}).items() if k not in set(hidden) and v is not None}
    changes = {c["knob"]: c["value"] for c in ran.get("changes", ())}
    told = Past(line["iter"], named(changes, menu), line["status"], line.get("value"), metrics, line.get("why") or "")
    return Known(told, changes)


def refused(attempt: Mapping[str, Any]) -> bool:
    """Whether a rail stopped this attempt."""
    return (attempt.get("verdict") or {}).get("level") in ("FAIL", "UNKNOWN")


def named(changes: Mapping[str, Any], menu: Menu | None) -> str:
    """The label of these changes."""
    if not changes:
        return ""
    return (menu or Menu({})).pair(changes).label


def shown(
    domain: Domain,
    proposer: Proposer,
    *,
    base: Mapping[str, Any],
    tree: Tree,
    best: float | None,
    trials: Sequence[Known],
    history: History,
    refusals: Sequence[tuple[Verdict, str]],
    number: int,
) -> View:
    """Everything the proposer may know now."""
    k = proposer.history
    told = [t.past for t in trials]
    tried = tuple(dict.fromkeys(p.label for p in told if p.label and p.status not in NOT_RUN))
    files = {n: data.decode("utf-8", "replace") for n, data in tree.files.items()} if domain.edits else {}
    offers = Untried(history, domain.menu, base).labels() if proposer.offers and domain.menu is not None else ()
    return View(
        program=domain.program,
        menu=domain.menu,
        base=dict(base),
        files=files,
        metric=str(domain.metric["name"]),
        goal=domain.metric.get("goal", "minimize"),
        best=best,
        past=tuple(told if k is None else told[-k:] if k else ()),
        trials=len(trials),
        denied=tried if proposer.denies else (),
        untried=offers,
        refusals=tuple(v for v, _ in refusals),
        refused=tuple(label for _, label in refusals),
        turn=number * 100 + len(refusals),
    )


def text(view: View) -> str:
    """The view as a prompt: what it is about, what stands, what was tried, what was refused and why."""
    parts = [view.program.strip(), f"The metric is {view.metric}; the goal is to {view.goal} it."]
    if view.menu is not None:
        parts.append("The menu, as JSON:\n" + json.dumps(view.menu.to_json(), separators=(",", ":")))
    if view.base:
        parts.append("What stands: " + json.dumps(dict(view.base), default=str))
    if view.best is not None:
        parts.append(f"It scores {view.best:.{DIGITS}g}.")
    parts += [f"--- {name}\n{body}" for name, body in view.files.items()]
    if view.past:
        parts.append(f"The latest {len(view.past)} of {view.trials} trials:\n" + "\n".join(map(_told, view.past)))
    if view.denied:
        parts.append("Tried before, and refused if proposed again: " + ", ".join(view.denied))
    if view.untried:
        parts.append("Not tried yet, among others: " + ", ".join(view.untried))
    for verdict, label in zip(view.refusals, view.refused, strict=True):
        instead = f" Instead: {', '.join(verdict.alternatives)}." if verdict.alternatives else ""
        parts.append(f"Refused just now: {label or 'your proposal'}: {verdict.reason}.{instead}")
    return "\n\n".join(parts)


def _told(p: Past) -> str:
    value = "no value" if p.value is None else f"{p.value:.{DIGITS}g}"
    more = "".join(f", {k} {v:.{DIGITS}g}" for k, v in p.metrics.items())
    return f"{p.iter}. {p.label or '(nothing)'}: {p.status}, {value}{more}{f' ({p.reason})' if p.reason else ''}"
