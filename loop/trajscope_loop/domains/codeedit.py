"""Any repository as a domain: files that may be edited, a command that prints metrics, git for keep and revert.

    kind = "codeedit"
    editable = ["train.py", "src/**"]     # patterns; `frozen` is everything else, unless it says less
    [repo]
    path = "."                            # from here; `commit` = "HEAD", `outside` = patterns that no run needs
    [run]
    command = ["python", "train.py"]      # and `judge`, a frozen script, where there is one
    [prints]
    form = "lines"                        # or json, or pattern with `patterns = {metric = '...'}`

Everything is read from one commit, named when the campaign begins; nothing is read from the user's checkout.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from trajscope.rails.places import within
from trajscope_loop import printed
from trajscope_loop.declaration import FILE
from trajscope_loop.domain import FolderDomain
from trajscope_loop.errors import DomainError
from trajscope_loop.git import Worktree
from trajscope_loop.repository import LINK, MODULE, Repository
from trajscope_loop.seams import Config, Job, Tree
from trajscope_loop.tree import digest, sha256
from trajscope_loop.tsv import Results

JUDGE = "trajscope_printed.py"  # what reads the output, where the repository declares no judge
MOST_FILES, MOST_BYTES = 5_000, 64 << 20  # of one job
PYTHONS = ("python", "python3")
_POINTER = b"version https://git-lfs.github.com/spec/"


class CodeDomain(FolderDomain):
    """A repository as `seams.Domain`."""

    def __init__(self, place: Path, raw: Mapping[str, Any]) -> None:
        at, repo = place / FILE, raw.get("repo", {})
        self.repository = Repository(place / repo.get("path", "."))
        self._declared = raw
        self._files: dict[str, bytes] = {}
        self._patterns = _patterns(raw["editable"], "editable", at)
        self._fixed = _patterns(raw.get("frozen", ["**"]), "frozen", at)
        self._outside = _patterns(repo.get("outside", []), "repo.outside", at)
        self._begin(place, self.repository.commit(repo.get("commit", "HEAD")))

    def _begin(self, place: Path, commit: str) -> None:
        """Take everything from this commit."""
        raw, at = dict(self._declared), place / FILE
        self.commit = commit
        self._files, self.passed_over = self._taken(commit, at)
        editable = [n for n in self._files if self.may_edit(n)]
        frozen = [n for n in self._files if not self.may_edit(n)]
        if not editable:
            raise DomainError(f"{at}: no file of {commit[:12]} is {' or '.join(self._patterns)}; declare one that is")
        run = dict(raw["run"])
        if "train" in run:
            raise DomainError(f"{at}: [run] says `train`; a repository is run by `command`")
        if "judge" not in run:
            self._files[JUDGE] = self._reader(raw, at)
            frozen.append(JUDGE)
            run["judge"] = JUDGE
        super().__init__(place, {**raw, "editable": editable, "frozen": frozen, "run": run})
        self.editable = self._patterns
        if JUDGE in frozen and "judge" not in self.gate.without:
            raise DomainError(
                f"{at}: has no judge, so the program scores itself; declare run.judge, or say why not in "
                "[gate.without] judge = ..."
            )
        if JUDGE not in frozen and "judge" in self.gate.without:
            raise DomainError(f"{at}: declares run.judge and goes without one; drop one of the two")
        if self.edits is not None:
            # What code may not mention is the judge and what is declared, not every file that is not to be edited.
            secret = (run["judge"], "truth/", *raw["edits"].get("secret", ()))
            self.edits = replace(self.edits, allowed=self._patterns, secret=secret)

    def may_edit(self, name: str) -> bool:
        """Whether a proposal may change the file of this path; the declaration itself never is."""
        return within(name, self._patterns) and name.rpartition("/")[2] != FILE

    def workspace(self, folder: Path) -> Worktree:
        """A worktree on a branch of the campaign's own, begun from the commit that the campaign was begun from."""
        found = Worktree(folder, self.repository, self.commit, self.may_edit)
        if found.start != self.commit:
            self._begin(self.place, found.start)
        self._rooted(found.root)
        return found

    def results(self, folder: Path, workspace: Worktree) -> Results:
        """The table beside the run that other tools read."""
        return Results(
            folder / "results.tsv",
            metric=self.metric["name"],
            memory=self._declared.get("prints", {}).get("memory"),
            commits=workspace.commits,
        )

    def hashes(self, folder: Path) -> dict[str, str]:
        """Evaluator and data; what judges are objects of git, and so the same as long as they are called the same."""
        found = super().hashes(folder)
        evaluator = {n: sha256(d) for n, d in self._frozen.items()} | {"run": repr(sorted(self._run.items()))}
        return {**found, "evaluator": digest(evaluator)[:16]}

    def tree(self, parent: Tree, changes: Config, diff: str | None) -> Tree:
        """The candidate: the recorded parent with these changes; DomainError where they cannot be made."""
        made = super().tree(parent, changes, diff)
        if gone := sorted(parent.files.keys() - made.files.keys()):
            raise DomainError(f"{gone[0]}: is taken away; empty it instead, so that what it was stays comparable")
        if odd := sorted(n for n in made.files if not self.may_edit(n) or n in self._frozen):
            raise DomainError(f"{odd[0]} may not be edited; what may be is {', '.join(self._patterns)}")
        return made

    def job(self, folder: Path, tree: Tree, config: Config, seed: int, key: str) -> Job:
        """What an executor is given to measure one seed of a tree: the whole candidate, run in its own folder."""
        made = super().job(folder, tree, config, seed, key)
        command = list(self._run["command"])
        script = len(command) > 1 and command[0] in PYTHONS and command[1] in made["files"]
        made["command"], made["python"] = (command[1:] if script else command), script
        made["inside"] = True
        return made

    # --- how a commit is read ------------------------------------------------------------------------------------

    def _read(self, name: str) -> bytes:
        if name in self._files:
            return self._files[name]
        raise DomainError(f"{name}: is not in {self.commit[:12]}; commit it, or correct {self.place / FILE}")

    def _taken(self, commit: str, at: Path) -> tuple[dict[str, bytes], list[str]]:
        """The files of a commit that make up a candidate, and those that cannot be part of one."""
        entries = self.repository.entries(commit)
        named = [n for n in entries if self.may_edit(n) or within(n, self._fixed)]
        named = [n for n in named if not within(n, self._outside)]
        over = [n for n in named if entries[n].mode in (LINK, MODULE)]
        plain_ = {*self._patterns, *self._fixed}
        if odd := next((n for n in over if n in plain_), None):
            raise DomainError(f"{at}: {odd} is a link or a submodule, which is no file of the commit; name files")
        names = [n for n in named if n not in over]
        if len(names) > MOST_FILES:
            raise DomainError(f"{at}: {len(names)} files make up a candidate, over {MOST_FILES}; say less in `frozen`")
        found = self.repository.blobs(entries[n].oid for n in names)
        files = {n: found[entries[n].oid] for n in names}
        if (size := sum(map(len, files.values()))) > MOST_BYTES:
            raise DomainError(f"{at}: a candidate has {size >> 20} MB, over {MOST_BYTES >> 20}; say less in `frozen`")
        if lfs := next((n for n, data in files.items() if data.startswith(_POINTER)), None):
            raise DomainError(
                f"{at}: {lfs} is kept by LFS, and the commit holds a pointer to it; put it into repo.outside and let "
                "run.prepare fetch it"
            )
        both = (n for n in names if self.may_edit(n) and within(n, self._fixed)) if "frozen" in self._declared else ()
        if odd := next(iter(both), None):
            raise DomainError(f"{at}: {odd} is both editable and frozen; keep one")
        if JUDGE in files:
            raise DomainError(f"{at}: the repository has a file {JUDGE}; call it otherwise")
        return files, over

    def _reader(self, raw: Mapping[str, Any], at: Path) -> bytes:
        """The judge that reads the output: how it does so is part of its bytes, and so of its hash."""
        said = raw.get("prints", {})
        form, patterns = said.get("form", "lines"), said.get("patterns", {})
        if form not in ("json", "lines", "pattern") or (form == "pattern") != bool(patterns):
            raise DomainError(f"{at}: prints.form is json, lines, or pattern together with prints.patterns")
        names = list(dict.fromkeys(_metrics(raw)))
        for name in names if patterns else ():
            try:
                groups = re.compile(patterns[name]).groups
            except (KeyError, TypeError, re.error) as error:
                raise DomainError(
                    f"{at}: prints.patterns.{name} is no pattern ({error}); each metric has one"
                ) from None
            if groups != 1:
                raise DomainError(f"{at}: prints.patterns.{name} has {groups} groups; put the number into the one")
        spec = {"form": form, "names": names, "patterns": dict(patterns)}
        return Path(printed.__file__).read_bytes() + f"\n\nSPEC = {spec!r}\n".encode()


def _metrics(raw: Mapping[str, Any]) -> list[str]:
    """Every metric that is asked for, the holdout's among them: it would be the program's word too."""
    gate = raw["gate"]
    if gate.get("holdout"):
        raise DomainError(
            f"{FILE}: gate.holdout needs a judge; what a program prints of itself it can print of a holdout as well"
        )
    out = [raw["metric"]["name"], *(g["metric"] for g in (*gate.get("guards", ()), *gate.get("margins", ())))]
    out += [m["name"] for m in raw.get("metrics", ())]
    return out + [m for m in [raw.get("prints", {}).get("memory")] if m]


def _patterns(found: object, what: str, at: Path) -> tuple[str, ...]:
    if not isinstance(found, list) or not all(isinstance(x, str) and x for x in found):
        raise DomainError(f"{at}: `{what}` is a list of paths or patterns")
    if odd := next((x for x in found if x.startswith(("/", "./", "../")) or "\\" in x or "/../" in x), None):
        raise DomainError(f"{at}: `{what}` holds {odd}; write paths from the top of the repository, such as src/**")
    return tuple(found)
