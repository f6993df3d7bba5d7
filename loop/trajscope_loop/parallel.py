"""Parallel workers: rewrites of several files at once against what stands, judged apart, put together by one writer.

    propose (workers, side by side) -> rails -> measure (all at once) -> judge each -> compose -> verify -> record, keep

A campaign takes one proposal after another; here the trials of a round share their base. What one worker read may be
stale when its rewrite arrives: it is put onto what stands file by file, and only where its file is still the one that
it read. So a keep of one file never brings back the old text of another. Rewrites that are good alone and bad together
are found by measuring what comes out, and the later of them goes.

Knows no statistics: the seeds of both sides draw the same, so that a difference is the rewrite's own doing.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from trajscope import Level, TrajscopeError, Verdict
from trajscope.rails import applied
from trajscope_loop.domain import rooted
from trajscope_loop.errors import DomainError
from trajscope_loop.seams import Domain, Executor, Job, Result, Tree
from trajscope_loop.tree import Folder, plant, sha256

if TYPE_CHECKING:
    from trajscope import RunWriter

Status = Literal["kept", "reverted", "blocked", "stale", "crashed", "proposer_error"]
Judge = Callable[[Sequence[Result], Sequence[Result]], Verdict]
PARENT, TOGETHER = "parent", "together"


class Rewrite(NamedTuple):
    """What a worker sends: a diff against the tree that it was shown, and what it says of it."""

    worker: str
    diff: str
    parent: str  # the name of that tree
    said: str = ""


@dataclass
class Outcome:
    """What became of one rewrite."""

    rewrite: Rewrite
    status: Status
    why: str
    tree: Tree | None = None  # what stands, with this rewrite alone
    changed: tuple[str, ...] = ()
    results: list[Result] = field(default_factory=list)


def gathered(workers: Mapping[str, Callable[[Tree], Rewrite]], parent: Tree) -> list[Rewrite | Outcome]:
    """What all workers propose, asked at the same time; in their order. One that fails is an outcome of its own."""

    def ask(name: str) -> Rewrite | Outcome:
        try:
            return workers[name](parent)
        except Exception as error:  # noqa: BLE001  # a worker may fail in any way, and the others go on
            said = f"{type(error).__name__}: {error}"
            return Outcome(Rewrite(name, "", parent.sha), "proposer_error", said)

    with ThreadPoolExecutor(max_workers=max(1, len(workers))) as pool:
        return list(pool.map(ask, workers))


@dataclass
class Round:
    """One round of rewrites. Whoever makes it holds the folder: there is one writer."""

    domain: Domain
    workspace: Folder
    folder: Path
    executor: Executor
    measure: Callable[[Job], Result]
    judge: Judge
    seeds: Sequence[int] = (0,)
    rails: bool = True
    record: RunWriter | None = None
    _said: str = field(default="", init=False)  # why the last composition did not hold

    def take(self, proposed: Sequence[Rewrite | Outcome]) -> list[Outcome]:
        """Judge all, keep what holds alone and together, and write down every one of them."""
        self.workspace.restore()
        standing = self.workspace.standing()
        outcomes = [r if isinstance(r, Outcome) else self._placed(r, standing) for r in proposed]
        open_ = [o for o in outcomes if o.tree is not None]
        found = self._measured({PARENT: standing} | {str(i): o.tree for i, o in enumerate(open_) if o.tree})
        if bad := next((r for r in found[PARENT] if r["status"] != "ok"), None):
            raise DomainError(f"what stands cannot be measured ({bad['error']}); correct it before it is rewritten")
        for i, outcome in enumerate(open_):
            outcome.results = found[str(i)]
            self._judged(outcome, found[PARENT])
        self._unclashed([o for o in outcomes if o.status == "kept"])
        kept = self._together(standing, [o for o in outcomes if o.status == "kept"], found[PARENT])
        self._recorded(outcomes, standing, kept, found[PARENT])
        if kept.sha != standing.sha:
            self.workspace.save(kept, standing.sha)
            self.workspace.keep(kept, "; ".join(o.rewrite.said for o in outcomes if o.status == "kept"))
        self.workspace.restore()
        return outcomes

    # --- one rewrite ---------------------------------------------------------------------------------------------

    def _placed(self, rewrite: Rewrite, standing: Tree) -> Outcome:
        """The rewrite on top of what stands, or why it is not even measured."""
        try:
            parent = standing if rewrite.parent == standing.sha else self.workspace.recorded(rewrite.parent)
            tree = self.domain.tree(parent, {}, rewrite.diff)
            if odd := sorted(tree.files.keys() ^ parent.files.keys()):
                return Outcome(rewrite, "blocked", f"{odd[0]}: a rewrite neither adds nor removes files")
            changed = tuple(sorted(n for n in tree.files if tree.files[n] != parent.files[n]))
            if moved := [n for n in changed if standing.files.get(n) != parent.files.get(n)]:
                why = f"{moved[0]} was rewritten since it was read; propose again from what stands"
                return Outcome(rewrite, "stale", why, changed=changed)
            if self.rails and (refused := self._refused(rewrite, parent)):
                return Outcome(rewrite, "blocked", refused, changed=changed)
        except TrajscopeError as error:
            return Outcome(rewrite, "blocked", str(error))
        if not changed:
            return Outcome(rewrite, "blocked", "the rewrite changes nothing")
        return Outcome(rewrite, "kept", "", _onto(standing, tree, changed), changed)

    def _refused(self, rewrite: Rewrite, parent: Tree) -> str | None:
        """What the rails say of the diff; the folder holds what stands, and so does every file that is changed."""
        if self.domain.edits is None:
            return f"{self.domain.name}: its files may not be edited"
        # Not the parent's own folder: the changed files are the same in both, and nothing else is read.
        refusal = rooted(self.domain.edits, self.workspace.root).judge(rewrite.diff).refusal
        return refusal.reason if refusal else None

    def _judged(self, outcome: Outcome, standing: Sequence[Result]) -> None:
        if bad := next((r for r in outcome.results if r["status"] != "ok"), None):
            outcome.status, outcome.why = "crashed", bad["error"] or bad["status"]
            return
        verdict = self.judge(standing, outcome.results)
        outcome.why = verdict.reason
        if verdict.level is not Level.PASS:
            outcome.status = "reverted"

    # --- all of them ---------------------------------------------------------------------------------------------

    def _unclashed(self, kept: Sequence[Outcome]) -> None:
        """Of two rewrites of one file the first stays: the other one was written without knowing it."""
        taken: dict[str, str] = {}
        for outcome in kept:
            if clash := next((n for n in outcome.changed if n in taken), None):
                outcome.status = "stale"
                outcome.why = f"{clash} was rewritten by {taken[clash]} meanwhile; propose again from what stands"
            else:
                taken |= dict.fromkeys(outcome.changed, outcome.rewrite.worker)

    def _together(self, standing: Tree, kept: Sequence[Outcome], before: Sequence[Result]) -> Tree:
        """What stands with every kept rewrite; where that does not hold together, those that break it go."""
        whole = _composed(standing, kept)
        if len(kept) < 2 or self._holds(whole, before):
            return whole
        stay: list[Outcome] = []
        for outcome in kept:
            if not stay or self._holds(_composed(standing, [*stay, outcome]), before):
                stay.append(outcome)
            else:
                others = ", ".join(o.rewrite.worker for o in stay)
                outcome.status = "reverted"
                outcome.why = f"good alone, and not together with {others}: {self._said}"
        return _composed(standing, stay)

    def _holds(self, tree: Tree, before: Sequence[Result]) -> bool:
        results = self._measured({TOGETHER: tree})[TOGETHER]
        bad = next((r for r in results if r["status"] != "ok"), None)
        verdict = None if bad else self.judge(before, results)
        self._said = verdict.reason if verdict else str(bad and bad["error"])
        return verdict is not None and verdict.level is Level.PASS

    def _measured(self, trees: Mapping[str, Tree]) -> dict[str, list[Result]]:
        """Every seed of every tree, as the executor finishes them; a result that never came is none that passed."""
        jobs = [
            self.domain.job(self.folder, tree, self.domain.base, seed, f"{name}/{tree.sha[:16]}/{seed}")
            for name, tree in trees.items()
            for seed in self.seeds
        ]
        found: dict[str, Result] = {}
        for r in self.executor.run(self.measure, jobs):
            found[r["key"]] = r
        if lost := [j["key"] for j in jobs if j["key"] not in found]:
            raise DomainError(f"{lost[0]}: the executor gave no result; run the round again")
        return {n: [found[f"{n}/{t.sha[:16]}/{s}"] for s in self.seeds] for n, t in trees.items()}

    # --- the record ----------------------------------------------------------------------------------------------

    def _recorded(self, outcomes: Sequence[Outcome], standing: Tree, kept: Tree, before: Sequence[Result]) -> None:
        """One line for each, durable before anything is kept; `together` names the tree that all keeps make."""
        if self.record is None:
            return
        old = _means(before)
        for o in outcomes:
            new = _means(o.results)
            self.record.trial(
                [{"knob": f"code:{n}", "value": sha256(o.tree.files[n]) if o.tree else None} for n in o.changed],
                status=o.status if o.status != "stale" else "blocked",
                reason_code="stale" if o.status == "stale" else None,
                reason=o.rewrite.said or None,
                value=new.get(self.domain.metric["name"]),
                metrics=new or None,
                deltas={"incumbent": {k: v - old[k] for k, v in new.items() if k in old}} if new else None,
                seeds=[_seed(r) for r in o.results] or None,
                diff=o.rewrite.diff or None,
                parent=standing.sha,
                worker=o.rewrite.worker,
                together=kept.sha,
                why=o.why,
            )


def take_up(lines: Sequence[Mapping[str, Any]], workspace: Folder) -> Tree:
    """What the record says was kept stands: a round that was killed between its lines and its keep is made good."""
    standing = workspace.standing()
    last = next((x["together"] for x in reversed(lines) if x.get("together")), standing.sha)
    if last == standing.sha:
        return standing
    diffs = [x["diff"] for x in lines if x.get("together") == last and x["status"] == "kept"]
    files = {n: d.decode("utf-8") for n, d in standing.files.items()}
    for diff in diffs:
        files |= applied(diff, files)
    made = plant({n: t.encode() for n, t in files.items()})
    if made.sha != last:
        raise DomainError(
            f"{workspace.root}: stands at {standing.sha[:12]}, the record ends at {last[:12]}, and the kept diffs do "
            "not lead there (the round was cut off in the middle of its lines); run it again in a new folder"
        )
    workspace.keep(made, "taken up from the record")
    workspace.restore()
    return made


def diff_of(name: str, old: str, new: str) -> str:
    """The rewrite of one whole file as a diff."""
    a, b = old.splitlines(keepends=True), new.splitlines(keepends=True)
    found = difflib.unified_diff(a, b, f"a/{name}", f"b/{name}")
    return "".join(x if x.endswith("\n") else f"{x}\n\\ No newline at end of file\n" for x in found)


def _onto(standing: Tree, tree: Tree, changed: Sequence[str]) -> Tree:
    return plant({**standing.files, **{n: tree.files[n] for n in changed}})


def _composed(standing: Tree, kept: Sequence[Outcome]) -> Tree:
    for outcome in kept:
        assert outcome.tree is not None
        standing = _onto(standing, outcome.tree, outcome.changed)
    return standing


def _means(results: Sequence[Result]) -> dict[str, float]:
    names = results[0]["metrics"] if results else ()
    held = [n for n in names if all(n in r["metrics"] for r in results)]
    return {n: sum(r["metrics"][n] for r in results) / len(results) for n in held}


def _seed(result: Result) -> dict[str, Any]:
    kept = ("seed", "status", "metrics", "wall_s", "code_sha", "data_sha", "first_step", "host", "error")
    return {k: v for k, v in result.items() if k in kept and v is not None}
