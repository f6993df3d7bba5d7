"""Whether what runs is what was proposed: the workspace under watch, from the moment a candidate is saved to its score.

What an executor runs are the recorded bytes, whatever happens to the workspace meanwhile; a workspace that moves says
that somebody writes where only proposals may, and such a trial counts for nothing.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from trajscope import Level
from trajscope.integrity import Watchman
from trajscope.integrity.effective import REPORT
from trajscope.integrity.watch import Watch
from trajscope_loop.account import agreed
from trajscope_loop.asking import plain
from trajscope_loop.errors import CampaignError
from trajscope_loop.seams import Domain, Result, Tree, Workspace


class Trial:
    """One candidate under watch. Without a watchman nobody looks, which the header of the run says."""

    def __init__(self, watch: Watch | None, changes: Mapping[str, Any], marked: str | None) -> None:
        self._watch = watch
        self._changes = changes
        self._marked = marked
        self._seeds: str | None = None
        self.may_run = True
        if watch is not None:
            self.may_run = watch.launching().level is Level.PASS and watch.level is not Level.FAIL

    def ran(self, results: Sequence[Result]) -> None:
        """What the seeds say of themselves."""
        self._seeds = differing(results)
        if self._watch is None:
            return
        effective = agreed([r for r in results if r["status"] == "ok"], "effective")
        if isinstance(effective, Mapping):  # as a child would report it; the knobs of code are held to their hashes
            code = {k: v for k, v in self._changes.items() if k.startswith("code:")}
            config = {k: v for k, v in {**effective, **code}.items() if not k.startswith("code:")}
            Path(self._watch.env[REPORT]).write_text(json.dumps({"config": config}), "utf-8")

    @property
    def tampered(self) -> str | None:
        """Why this trial is not what was proposed; known at the end."""
        if self._marked is not None:
            return f"{self._marked}; a person must acknowledge it"
        if self._watch is not None and self._watch.drift:
            return self._watch.worst.reason
        return self._seeds

    @property
    def withheld(self) -> str | None:
        """Why it did not run though no file is other than it was proposed."""
        found = self._watch is not None and not self._watch.drift and self._watch.level is Level.FAIL
        return self._watch.worst.reason if found and self._watch is not None else None

    def fields(self) -> dict[str, Any]:
        """What the trial's line says of it."""
        if self._watch is None:
            return {}
        found = self._watch.fields()
        return found | {"verdicts": [plain(v) for v in found["verdicts"]]}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        if self._watch is not None:
            self._watch.close()


def man(workspace: Workspace, domain: Domain, base: Mapping[str, Any]) -> Watchman:
    """The watchman over what proposals may change; what they may not is hashed by the domain, and in every child."""
    return Watchman(workspace.root, editable=list(domain.editable), config=base, menu=domain.menu)


def begin(
    watchman: Watchman | None, tree: Tree, changes: Mapping[str, Any], *, number: int, marked: str | None
) -> Trial:
    """Print the candidate that stands in the workspace."""
    watch = None
    if watchman is not None:
        watch = watchman.trial(changes, files=dict(tree.files), number=number)
    return Trial(watch, changes, marked)


def moved(workspace: Workspace, tree: Tree) -> str | None:
    """The first file of the workspace that is not what was saved there."""
    for name, data in tree.files.items():
        try:
            if (workspace.root / name).read_bytes() == data:
                continue
        except OSError:
            pass
        return f"{name} changed between proposal and score; find what writes it, stop it, and run the trial again"
    return None


def as_it_stands(workspace: Workspace, tree: Tree) -> Tree:
    """The candidate as the workspace holds it now, for a campaign in which nobody looks."""
    try:
        return Tree({name: (workspace.root / name).read_bytes() for name in tree.files}, tree.sha)
    except OSError as error:
        raise CampaignError(f"{workspace.root}: cannot be read ({error.strerror}); restore it") from None


def differing(results: Sequence[Result]) -> str | None:
    """What the seeds themselves show: one that ran other bytes, or two that ran different ones."""
    for r in results:
        if r["status"] == "tampered":
            return f"seed {r['seed']}: {r['error'] or 'it did not run what was hashed'}"
    shas = {r["code_sha"] for r in results if r["status"] == "ok"}
    if len(shas) > 1:
        return f"the seeds ran {len(shas)} different codes; nothing may change while they run"
    return None
