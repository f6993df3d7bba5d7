"""The questions about one snapshot and the files as they are now, and about one proposal and what ran of it.

Every answer is a `Verdict`. What could not be looked at is UNKNOWN, which is no pass.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence

from trajscope.errors import IntegrityError
from trajscope.integrity import compare
from trajscope.integrity.effective import ContradictionError, differences, read, unsaid
from trajscope.integrity.prints import look, matches
from trajscope.integrity.prints import read as read_file
from trajscope.integrity.sentences import Passage, removed_passages
from trajscope.integrity.snapshots import Snapshot
from trajscope.menu import Menu
from trajscope.pair import canon
from trajscope.trial import Drift
from trajscope.verdict import Level, Verdict

SHOWN = 4  # differences that a sentence names; the rest are counted
Reported = Mapping[str, object] | str | os.PathLike[str] | None
UNSEEN: Reported = ""  # nothing was reported, and nothing was asked for


def check(
    snapshot: Snapshot,
    *,
    proposed: Mapping[str, object] | None = None,
    effective: Reported = UNSEEN,
    edited: bool = False,
    menu: Menu | None = None,
) -> list[Verdict]:
    """Hold the files, and what a child reported, against a snapshot; never raises, and never passes what it cannot see.

    `edited` says that editable files may have changed since, as between two trials. `proposed` are the changes of the
    trial, `effective` is what ran: a mapping, or the file that `report` wrote; None says that no report came.
    """
    out = [*_files(snapshot, edited=edited), *guarded(snapshot, snapshot.root)]
    if effective != UNSEEN or proposed is not None:
        out.append(ran(dict(snapshot.config or {}) | dict(proposed or {}), effective, menu))
    return out


def ran(wanted: Mapping[str, object], effective: Reported, menu: Menu | None = None) -> Verdict:
    """Whether what ran is what was proposed, knob by knob."""
    knobs = {k: v for k, v in wanted.items() if not k.startswith("code:")}  # code is held by its hash
    if effective is None or effective == UNSEEN:
        return _unknown(
            "effective", f"{_asked(knobs)}: nobody reported what ran; call integrity.report(config) in the child"
        )
    try:
        found = effective if isinstance(effective, Mapping) else read(effective)
    except IntegrityError as error:
        level = Level.FAIL if isinstance(error, ContradictionError) else Level.UNKNOWN
        return Verdict("effective", level, f"{_asked(knobs)}: {error}")
    if changed := differences(knobs, found, menu):
        words = _listed([compare.said(d, "proposed", "ran") for d in changed])
        return Verdict("effective", Level.FAIL, f"{words}. Find what rewrites it, stop it, and run the trial again")
    if quiet := unsaid(knobs, found, menu):
        return _unknown(
            "effective",
            f"{_listed(quiet)}: proposed, and the report does not say what ran; report every knob that may change",
        )
    if not knobs:
        return _unknown("effective", "no knob was proposed or declared, so there is nothing to compare; pass config=")
    return Verdict("effective", Level.PASS, f"{_count(len(knobs), 'knob')} ran as proposed")


def stayed(rule: str, changed: Sequence[Drift], what: str, remedy: str, *, n: int) -> Verdict:
    """Whether files stayed as they were; `n` were looked at."""
    if not changed:
        return Verdict(rule, Level.PASS, f"{_count(n, f'{rule} file')} {what}")
    return Verdict(rule, Level.FAIL, f"{_named(changed)}. {remedy}")


def passages(lost: Iterable[Passage]) -> Verdict:
    """Whether every passage that guards something is still there, as strong as it was."""
    found = list(lost)
    if not found:
        return Verdict("protected", Level.PASS, "every passage that asks, confirms, forbids or permits is still there")
    words = _listed([_loss(p) for p in found])
    return Verdict("protected", Level.FAIL, f"{words}. A person must agree to that; until then restore it")


def _files(snapshot: Snapshot, *, edited: bool) -> list[Verdict]:
    rules = [r for r, there in (("frozen", snapshot.frozen), ("editable", snapshot.editable)) if there]
    try:
        now = look(snapshot.root, snapshot.patterns)
    except IntegrityError as error:
        return [_unknown(rules[0], f"{error}")]
    changed = compare.drifts(snapshot.prints, now, snapshot.constants, snapshot.root)
    fast = [d for d in changed if is_frozen(snapshot, d)]
    out = []
    if snapshot.frozen:
        remedy = "It may never change while the campaign runs: restore it, or begin a new campaign with a new snapshot"
        out.append(stayed("frozen", fast, "unchanged since the snapshot", remedy, n=len(snapshot.held)))
    if snapshot.editable:
        loose = [] if edited else [d for d in changed if d not in fast]
        remedy = "It may change between trials, not since this one was proposed: find what writes it, and run it again"
        what = "may have changed between trials" if edited else "unchanged since the snapshot"
        n = len(snapshot.prints.files) - len(snapshot.held)
        out.append(stayed("editable", loose, what, remedy, n=n))
    return out


def is_frozen(snapshot: Snapshot, drift: Drift) -> bool:
    """Whether a file is frozen; one that came since is, unless only an editable pattern can have declared it."""
    name = drift.path or ""
    if name in snapshot.prints.files:
        return name in snapshot.held
    return any(matches(name, p) for p in snapshot.frozen) and name not in snapshot.editable


def guarded(snapshot: Snapshot, root: str | os.PathLike[str]) -> list[Verdict]:
    """Whether the files below a root still hold every passage that guarded something at the snapshot."""
    if not snapshot.texts and not snapshot.protected:
        return []
    try:
        now = {
            name: read_file(root, name).decode("utf-8", "replace")
            for name in sorted({*snapshot.texts, *(p.path or "" for p in snapshot.protected)})
        }
    except (IntegrityError, OSError) as error:
        return [_unknown("protected", f"the passages that guard cannot be looked at: {error}")]
    lost = [p for p in snapshot.protected if " ".join(p.text.split()) not in " ".join(now[p.path or ""].split())]
    for name, text in snapshot.texts.items():
        lost += [p._replace(path=name) for p in removed_passages(text, now[name])]
    return [passages(lost)]


def _loss(p: Passage) -> str:
    where = f"{p.path}:{p.line}: " if p.path else f"line {p.line}: "
    text = f"“{p.text if len(p.text) <= 120 else p.text[:117] + '...'}”"
    if p.kind == "undoes":
        return f"{where}{text} came in and undoes a rule"
    if p.reason:
        return f"{where}{text} is gone, and was protected because {p.reason}"
    return f"{where}{text} " + (f"became “{p.now}”" if p.now else "is gone")


def _named(changed: Sequence[Drift]) -> str:
    files: dict[str, list[str]] = {}
    for d in changed:
        files.setdefault(d.path or "", []).append(compare.said(d))
    return _listed([f"{name} changed ({', '.join(w)})" if ":" in w[0] else w[0] for name, w in files.items()])


def _asked(knobs: Mapping[str, object]) -> str:
    return _listed([canon(k, v).label for k, v in knobs.items()]) or "what was proposed"


def _listed(parts: Sequence[str]) -> str:
    more = len(parts) - SHOWN
    return "; ".join(parts[:SHOWN]) + (f"; and {more} more" if more > 0 else "")


def _count(n: int, what: str) -> str:
    return f"{n} {what}" + ("" if n == 1 else "s")


def _unknown(rule: str, why: str) -> Verdict:
    return Verdict(rule, Level.UNKNOWN, why)
