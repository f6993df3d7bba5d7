"""One trial's measurements: its candidate, the jobs of each stage, what came of them, and what the gate is told.

Everything here can be had again after a kill: the candidate from the recorded parent, finished results from the disk.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from trajscope import TrajscopeError
from trajscope.keep import GateSettings, Ran
from trajscope_loop import account, watched
from trajscope_loop.errors import CampaignError
from trajscope_loop.evaluate import MARK, Bench
from trajscope_loop.memory import State, Turn
from trajscope_loop.plan import Plan
from trajscope_loop.seams import Config, Domain, Job, Result, Tree, Workspace

DATA = "data of the seeds"
PAIRS = 10  # seeds that show whether they control the noise


class Stand:
    """The test stand of one campaign, cleared before each trial."""

    def __init__(
        self,
        folder: Path,
        plan: Plan,
        state: State,
        *,
        domain: Domain,
        workspace: Workspace,
        settings: GateSettings,
        bench: Bench,
    ) -> None:
        self.folder, self.plan, self.state, self.domain = folder, plan, state, domain
        self.workspace, self.settings, self.bench = workspace, settings, bench
        self.clear()

    def clear(self, tree: Tree | None = None) -> None:
        """Nothing is known of the next trial yet, but perhaps its candidate."""
        self._tree = tree
        self._placed = False
        self._results: dict[str, list[Result]] = {}

    @property
    def turn(self) -> Turn:
        """The trial that goes on."""
        assert self.state.turn is not None, "no trial goes on"
        return self.state.turn

    def measured(self, stage: str, seeds: Sequence[int], tree: Tree, config: Config) -> list[Result]:
        """The results of one stage of this trial; asked for again they are at hand."""
        if stage not in self._results:
            if self.plan.integrity == "off" and self.state.turn is not None and stage != "incumbent":
                tree = watched.as_it_stands(self.workspace, tree)
            number = self.state.turn.iter if self.state.turn else 0
            jobs: list[Job] = []
            for seed in seeds:
                job = self.domain.job(self.folder, tree, config, seed, f"{number:05d}-{stage}-{seed}-{tree.sha[:12]}")
                job["env"] = {**job["env"], MARK: self.state.token}
                if self.plan.integrity == "off":
                    job["wanted"] = {}  # nobody looks
                jobs.append(job)
            self._results[stage] = self.bench.measure(jobs)
        return self._results[stage]

    def pairing(self) -> tuple[list[dict[str, Any]], list[dict[str, Any]]] | None:
        """The start and one change of it on seeds that they share, for a gate that pairs its seeds."""
        if not self.plan.pairing:
            return None
        standing, base = self.workspace.standing(), self.state.base
        arms = (
            ("pairing", standing, base),
            ("paired", self.domain.tree(standing, self.plan.pairing, None), {**base, **self.plan.pairing}),
        )
        first, second = ([dict(r) for r in self.measured(s, range(PAIRS), t, c)] for s, t, c in arms)
        return first, second

    def asked(self, need: Mapping[str, Any]) -> list[Result]:
        """What the gate waits for: the candidate or the incumbent, on fresh seeds."""
        if need["what"] == "incumbent":
            return self.measured("incumbent", need["seeds"], self.workspace.standing(), self.state.base)
        return self.measured(need["what"], need["seeds"], self.candidate(), self.config)

    def given(self, need: Mapping[str, Any]) -> Any:
        """What the gate is given: nothing, and so an ABORT, where the workspace is not what it was."""
        turn = self.turn
        if self.plan.integrity == "on":
            try:
                self.place(self.candidate())
                turn.tampered = watched.moved(self.workspace, self.candidate())
            except TrajscopeError as error:
                turn.tampered = str(error)
        if need["what"] != "holdout":
            results = self.asked(need)
            turn.tampered = turn.tampered or watched.differing(results)
            return () if turn.tampered else [dict(r) for r in results]
        if turn.tampered or self.settings.holdout is None:
            return ()
        last = "confirm" if any(n["what"] == "confirm" for n in turn.asked) else "screen"
        seeds = next((n["seeds"] for n in turn.asked if n["what"] == "confirm"), turn.seeds)
        results = self.measured(last, seeds, self.candidate(), self.config)
        return {r["seed"]: r["holdout"].get(self.settings.holdout.metric) for r in results}

    def ran(self, results: Sequence[Result], seen: int) -> Ran:
        """What the harness saw of this trial; `seen` is how many earlier ones ran this configuration."""
        turn, config = self.turn, self.config
        said = account.agreed([r for r in results if r["status"] == "ok"], "effective")
        code = {k: v for k, v in turn.changes.items() if k.startswith("code:")}  # held to its hash in every child
        known = {k: v for k, v in self.state.base.items() if k.startswith("code:")}
        return Ran(
            proposed=config,
            effective={**known, **said, **code} if isinstance(said, Mapping) else None,
            parent=self.state.base,
            hashes=self.ruler(results),
            seen=seen,
            intent=turn.intent,
            diff=account.diff(self.workspace.standing(), self.candidate()) or None,
            shown=tuple(turn.shown),
        )

    def ruler(self, results: Sequence[Result]) -> dict[str, str]:
        """The hashes of evaluator and data as they are now, and of the data that the seeds saw."""
        found = dict(self.domain.hashes(self.folder))
        if self.state.data_sha is not None:
            shas = {str(r["data_sha"]) for r in results if r["status"] == "ok"} or {self.state.data_sha}
            found[DATA] = " and ".join(sorted(shas))
        return found

    def place(self, tree: Tree) -> None:
        """The candidate stands in the workspace, once per life of a trial."""
        if not self._placed:
            self.workspace.save(tree, self.state.parent)
            self._placed = True

    def candidate(self) -> Tree:
        """The candidate of this trial, built from the recorded parent and held to its hash."""
        turn, standing = self.turn, self.workspace.standing()
        if standing.sha == turn.tree:  # it is kept already
            return standing
        if self._tree is None:
            self._tree = self.domain.tree(standing, turn.changes, turn.diff)
        if self._tree.sha != turn.tree:
            raise CampaignError(
                f"trial {turn.iter}: the candidate cannot be built again as it was ({self._tree.sha[:12]}, not "
                f"{turn.tree[:12]}); somebody changed the domain: restore it"
            )
        return self._tree

    @property
    def config(self) -> Config:
        """The whole configuration of the candidate."""
        return {**self.state.base, **self.turn.changes}
