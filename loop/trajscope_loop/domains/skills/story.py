"""The story of the skills: fifteen files, fifteen workers at once; without rails 13 are "improved", 3 of them worse.

    found = tell(folder, rails=False)

The rewrites are data (`rewrites.toml`): simulated workers that send what was written for them, chosen to resemble the
story. What is real is everything after that: rails, children, router, judge, composition, record.
"""

from __future__ import annotations

import tomllib
from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, cast

from trajscope import open_run
from trajscope_loop.bench import measure as benched
from trajscope_loop.domain import load
from trajscope_loop.domains import skills
from trajscope_loop.domains.skills import suite
from trajscope_loop.errors import DomainError
from trajscope_loop.parallel import Outcome, Rewrite, Round, diff_of, gathered
from trajscope_loop.seams import Domain, Executor, Job, Result, Tree

HARMLESS, IDLE = "harmless", "idle"
SEEDS = (0, 1)
RUN = "run.jsonl"


class Written(NamedTuple):
    """A rewrite of one sample skill, and what it truly is."""

    name: str
    path: str
    kind: str  # harmless, idle, or what it loses
    said: str
    changes: tuple[tuple[str, str], ...]
    story: bool = False

    @property
    def worse(self) -> bool:
        """Whether it loses something."""
        return self.kind not in (HARMLESS, IDLE)

    def of(self, old: str) -> str:
        """The file as this rewrite leaves it."""
        for before, after in self.changes:
            if old.count(before) != 1:
                raise DomainError(f"rewrites.toml: {self.name}: {before[:40]!r} stands not once in {self.path}")
            old = old.replace(before, after)
        return old

    def propose(self, parent: Tree) -> Rewrite:
        """What its worker sends when it is shown a tree."""
        old = parent.files[self.path].decode("utf-8")
        return Rewrite(self.name, diff_of(self.path, old, self.of(old)), parent.sha, self.said)


class Told(NamedTuple):
    """How the story went: what became of each rewrite, and what is wrong with what stands at the end."""

    outcomes: list[Outcome]
    worse: list[str]  # the names of those that were kept and lose something
    findings: list[skills.Finding]
    run: Path


def rewrites() -> list[Written]:
    """Every rewrite of the sample skills."""
    raw: list[dict[str, Any]] = tomllib.loads(Path(__file__).with_name("rewrites.toml").read_text("utf-8"))["rewrite"]
    return [
        Written(
            r["name"],
            f"skills/{r['skill']}.md",
            r["kind"],
            r["said"],
            tuple((a, b) for a, b in r["changes"]),
            r.get("story", False),
        )
        for r in raw
    ]


def tell(
    folder: Path,
    *,
    rails: bool,
    executor: Executor | None = None,
    measure: Callable[[Job], Result] = benched,
    seeds: Sequence[int] = SEEDS,
    say: Callable[[str], object] = lambda _: None,
) -> Told:
    """Play the night into a folder: one round of all fifteen workers. `rails` are rails, guards and holdout."""
    if executor is None:
        from trajscope_loop.executors import make

        executor = make("local")
    written = {w.name: w for w in rewrites() if w.story}
    domain = load("skills")
    workspace = domain.workspace(folder)
    try:
        hashes = domain.hashes(folder)
        with open_run(
            folder / RUN,
            metric=domain.metric["name"],
            goal=domain.metric["goal"],
            domain=domain.name,
            metrics=list(domain.metrics),
            evaluator_hash=hashes["evaluator"],
            data_hash=hashes["data"],
        ) as record:
            outcomes = Round(
                cast("Domain", domain),
                workspace,
                folder,
                executor,
                measure,
                suite.improves if rails else suite.looks_better,
                seeds,
                rails,
                record,
            ).take(gathered({n: partial(Written.propose, w) for n, w in written.items()}, workspace.standing()))
            record.end(f"{len(outcomes)} rewrites judged")
    finally:
        executor.close()
    for o in outcomes:
        say(f"{o.status:<9} {written[o.rewrite.worker].path.removeprefix('skills/'):<22} {o.rewrite.said}: {o.why}")
    stands = {n: d.decode("utf-8") for n, d in workspace.standing().files.items()}
    worse = [o.rewrite.worker for o in outcomes if o.status == "kept" and written[o.rewrite.worker].worse]
    found = skills.findings(stands)
    say(summary(outcomes, worse, found))
    return Told(outcomes, worse, found, folder / RUN)


def summary(outcomes: Sequence[Outcome], worse: Sequence[str], findings: Sequence[skills.Finding]) -> str:
    """The night in one sentence."""
    n = Counter(o.status for o in outcomes)
    lost = Counter(f.kind for f in findings)
    told = ", ".join(f"{kind} {count}" for kind, count in sorted(lost.items())) or "nothing is lost"
    return f"{n['kept']} of {len(outcomes)} rewrites kept, {len(worse)} of them worse; in the files that stand: {told}"
