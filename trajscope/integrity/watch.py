"""One trial under watch: its files at propose, run and score, what its child ran with, and what does not agree.

Knows no other trial; its watchman does.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from trajscope.errors import IntegrityError
from trajscope.integrity import checks, compare
from trajscope.integrity.effective import ContradictionError, differences, read
from trajscope.integrity.prints import Prints, look, sha256
from trajscope.integrity.private import Copy
from trajscope.integrity.snapshots import Snapshot
from trajscope.menu import Menu
from trajscope.pair import Change, canon, config_hash
from trajscope.trial import Drift
from trajscope.verdict import Level, Verdict, worst

Note = Callable[[int, Sequence[Drift], float], str | None]
_FROZEN = "It may never change while the campaign runs: restore it, or begin a new campaign with a new snapshot"
_EDITABLE = "It may not change between proposal and score: find what writes it, stop it, and run the trial again"


class Watch:
    """One trial under watch. Leaving its `with` block prints the files once more, and prices what drifted."""

    def __init__(
        self,
        start: Snapshot,
        config: Mapping[str, object],
        menu: Menu | None,
        changes: Mapping[str, object] | None,
        files: Mapping[str, bytes],
        clock: Callable[[], float],
        note: Note,
        number: int,
    ) -> None:
        self.number = number
        self.wall_s = 0.0
        self.verdicts: list[Verdict] = []
        self.drift: list[Drift] = []
        self._start, self._menu, self._note, self._clock, self._began = start, menu, note, clock, clock()
        self._run: Prints | None = None
        self._score: Prints | None = None
        self._effective: dict[str, object] | None = None
        self._stated: dict[str, object] = {}  # what a file says that does not say what was proposed
        self._started = self._closed = False
        self.copy = Copy(start.root, start.patterns, files)
        try:
            self._constants = compare.settings(
                self.copy.path, [n for n in self.copy.prints.files if n not in start.held]
            )
            # What a frozen file is meant to be is what it was at the start of the campaign.
            meant = {n: sha for n, sha in start.prints.files.items() if n in start.held}
            self._propose = Prints(
                {**self.copy.prints.files, **meant}, {**self.copy.prints.links, **_held_links(start)}
            )
            self.wanted = self._wanted(config, changes)
            self._before(config, files)
        except BaseException:
            self.copy.close()
            raise

    def run(
        self, script: str, *args: str, env: Mapping[str, str] | None = None, **options: Any
    ) -> subprocess.CompletedProcess[Any]:
        """Run a script of the private copy to its end; refused where the trial is known not to be what was proposed.

        It works in the root; `options` go to `subprocess.run`.
        """
        if self.level is Level.FAIL:
            raise IntegrityError(f"trial {self.number} was not run: {self.worst.reason}")
        options.setdefault("cwd", self._start.root)
        surely = bool(options.pop("check", False))
        full = {**os.environ, **(env or {}), **self.env}
        done: subprocess.CompletedProcess[Any] = subprocess.run(
            self.command(script, *args), env=full, check=surely, **options
        )
        return done

    def command(self, script: str, *args: str, python: str = sys.executable) -> list[str]:
        """The command line that runs a script of the private copy, for a loop that starts its children itself."""
        self._started = True
        return self.copy.command(script, *args, python=python, constants=self.wanted)

    def path(self, name: str) -> Path:
        """Where a declared file stands in the private copy, for children that are no Python."""
        self._started = True
        return self.copy.path / name

    @property
    def env(self) -> dict[str, str]:
        """What a child's environment needs on top of its own."""
        return self.copy.env()

    def launching(self) -> Verdict:
        """Print the files right before a child is started in place; where it does not pass, do not start it."""
        self._run = self._look(self._start.root)
        changed = self._drifts(self._propose, self._run, self._start.root)
        return checks.stayed("editable", changed, "as proposed", _EDITABLE, n=len(self._propose.files))

    @property
    def snapshot(self) -> Snapshot:
        """The files as proposed: what a `Watcher` holds the tree against while the trial runs."""
        return replace(self._start, prints=self._propose, constants=self._before_constants())

    def saw(self, drift: Drift) -> None:
        """Take in what a `Watcher` saw while the trial ran, though it may be put back by now."""
        rule, remedy = ("frozen", _FROZEN) if checks.is_frozen(self._start, drift) else ("editable", _EDITABLE)
        self._object(checks.stayed(rule, [drift], "", f"Seen while it ran. {remedy}", n=0), [drift])

    @property
    def worst(self) -> Verdict:
        """The verdict that decides."""
        going = Verdict("integrity", Level.UNKNOWN, "the trial is still going on")
        return max(self.verdicts or [going], key=lambda v: v.level)

    @property
    def level(self) -> Level:
        """PASS only where every question was asked, and answered well."""
        return worst(self.verdicts) if self._closed else max(worst(self.verdicts), Level.UNKNOWN)

    @property
    def passed(self) -> bool:
        """Whether what ran is what was proposed; known once the trial is closed."""
        return self._closed and self.level is Level.PASS

    def fields(self, *more: Verdict) -> dict[str, Any]:
        """What `run.trial(...)` takes of this; `more` are verdicts of other rails and gates."""
        self.close()
        stages = {"propose": self._propose, "run": self._run, "score": self._score}
        out: dict[str, Any] = {"fingerprints": {k: _flat(v) for k, v in stages.items() if v is not None}}
        if self._effective is not None:
            out["effective"] = self._effective
        if self.level is Level.FAIL:
            out["reason_code"] = "tampered"
        return out | {"verdicts": [*self.verdicts, *more]}

    def seed(self) -> dict[str, object]:
        """What a seed result of `run.trial(seeds=...)` says of the code and the configuration it ran with."""
        self.close()
        out: dict[str, object] = {}
        if self._run is not None:
            out["code_sha"] = sha256(repr(sorted(_flat(self._run).items())).encode())
        if self._effective is not None:
            out["effective_config_sha"] = config_hash(self._effective)
        return out

    def close(self) -> None:
        """Print the files at score, read what the child reported, and judge; a second time does nothing."""
        if self._closed:
            return
        self._closed = True
        self.wall_s = self._clock() - self._began
        try:
            self._after()
        finally:
            self.copy.close()
        if marked := self._note(self.number, self.drift, self.wall_s):
            self.verdicts.append(Verdict("integrity", Level.FAIL, f"{marked}; a person must acknowledge it"))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self.close()

    # --- what is asked ------------------------------------------------------------------------------------------

    def _wanted(self, config: Mapping[str, object], changes: Mapping[str, object] | None) -> dict[str, object]:
        """The whole configuration that was proposed; a proposal of code is what its constants say."""
        if changes is None:
            return {**config, **compare.agreed(self._constants.values())}
        told = {c.knob: c.value for c in (self._change(k, v) for k, v in changes.items())}
        return {**config, **{k: v for k, v in told.items() if not k.startswith("code:")}}

    def _before(self, config: Mapping[str, object], files: Mapping[str, bytes]) -> None:
        """What can be seen before anything is paid for."""
        changed = self._drifts(self._propose, self.copy.prints, self.copy.path)
        if changed:
            self._object(checks.stayed("frozen", changed, "", _FROZEN, n=0), changed)
        if files:  # they were saved; the tree must hold them
            tree = self._look(self._start.root)
            changed = [d for d in self._drifts(self.copy.prints, tree, self._start.root) if d.path in files]
            if changed:
                self._object(checks.stayed("editable", changed, "", _EDITABLE, n=0), changed)
                self._stated |= {d.knob: d.ran for d in changed if d.knob is not None}
        both = compare.agreed(v for k, v in self._start.constants.items() if k not in self._start.held)
        for name, found in self._constants.items():
            odd = differences({k: v for k, v in self.wanted.items() if k in both}, found, self._menu)
            # A file that holds the base's value may be about to be overridden by an argument: the child will tell.
            odd = [d._replace(path=name) for d in odd if differences({d.knob or "": d.ran}, config, self._menu)]
            if odd:
                words = "; ".join(compare.said(d, "proposed", f"{name} says") for d in odd)
                self._object(Verdict("effective", Level.FAIL, f"{words}. Find what rewrites {name}, and stop it"), odd)
                self._stated |= {k: v for k, v in found.items() if k in self.wanted}
        for verdict in checks.guarded(self._start, self.copy.path):
            if verdict.level is not Level.PASS:
                self.verdicts.append(verdict)

    def _after(self) -> None:
        """What ran, and what the files are now that it is scored."""
        told = self.copy.told()
        if told:
            self._run = Prints(_ran(told), self.copy.prints.links)
        elif self._started and self._run is None:
            self._run = self._look(self.copy.path)._replace(links=self.copy.prints.links)
        self._score = self._look(self._start.root)
        n = len(self._propose.files)
        if self._run is None:
            why = "nobody hashed what the child executed; start it with run(), or call launching() before it starts"
            self.verdicts.append(Verdict("editable", Level.UNKNOWN, why))
        ran_in = self.copy.path if told or self._started else self._start.root
        for stage, at, where in (("run", self._run, ran_in), ("score", self._score, self._start.root)):
            if at is None:
                continue
            changed = self._drifts(self._propose, at, where)
            for rule, fast, remedy in (("frozen", True, _FROZEN), ("editable", False, _EDITABLE)):
                here = [d for d in changed if checks.is_frozen(self._start, d) == fast and d not in self.drift]
                if stage == "run":
                    self._stated |= {d.knob: d.ran for d in here if d.knob is not None}
                if here:
                    self._object(checks.stayed(rule, here, "", f"Seen at {stage}. {remedy}", n=n), here)
        if not self.drift and self._run is not None:
            self.verdicts.append(Verdict("editable", Level.PASS, f"{n} declared files at propose, run and score agree"))
        self._ask_child(told)

    def _ask_child(self, told: Mapping[str, Mapping[str, object]]) -> None:
        """Hold what the child says it ran with against what was proposed."""
        if not self.wanted:
            return
        seen: dict[str, object] = {k: v for k, v in told.get("constants", {}).items() if k in self.wanted}
        try:
            seen |= read(self.copy.report)
        except ContradictionError:
            seen = {}
        except IntegrityError:
            pass  # the constants may be enough; where they are not, nothing was seen
        if not seen:
            self._effective = self._stated or None
            self.verdicts.append(checks.ran(self.wanted, self.copy.report, self._menu))
            return
        self._effective = seen
        changed = differences(self.wanted, seen, self._menu)
        # Knobs first: they say more than a hash does.
        self.drift = [*changed, *(d for d in self.drift if d.knob not in {c.knob for c in changed} - {None})]
        self.verdicts.append(checks.ran(self.wanted, seen, self._menu))

    # --- how ----------------------------------------------------------------------------------------------------

    def _object(self, verdict: Verdict, drift: Sequence[Drift]) -> None:
        self.verdicts.append(verdict)
        self.drift += drift

    def _change(self, knob: str, value: object) -> Change:
        return self._menu.change(knob, value) if self._menu else canon(knob, value)

    def _look(self, root: str | os.PathLike[str]) -> Prints:
        """The declared files now; where they cannot be read none is there, which is a change of all."""
        try:
            return look(root, self._start.patterns)
        except IntegrityError as error:
            self.verdicts.append(Verdict("editable", Level.UNKNOWN, str(error)))
            return Prints({}, {})

    def _drifts(self, old: Prints, new: Prints, root: str | os.PathLike[str]) -> list[Drift]:
        return compare.drifts(old, new, self._before_constants(), root)

    def _before_constants(self) -> dict[str, Mapping[str, object]]:
        return {**self._constants, **{k: v for k, v in self._start.constants.items() if k in self._start.held}}


def _ran(told: Mapping[str, Mapping[str, object]]) -> dict[str, str]:
    """What the child executed: its files at the start, and in their place whatever it found else later."""
    out = {k: str(v) for k, v in told.get("start", {}).items()}
    for later in (told.get("executed", {}), told.get("end", {})):
        out |= {k: str(v) for k, v in later.items() if out.get(k) != v}
    return out


def _held_links(start: Snapshot) -> dict[str, str]:
    return {k: v for k, v in start.prints.links.items() if k in start.held}


def _flat(prints: Prints) -> dict[str, str]:
    """Files and links as one record of fingerprints."""
    return {**prints.files, **{f"{k} (link)": sha256(v.encode()) for k, v in prints.links.items()}}
