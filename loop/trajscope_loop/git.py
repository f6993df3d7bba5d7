"""A workspace in git: a worktree of its own on a branch of its own, compared with what was recorded, byte by byte.

    work/              the worktree, on `trajscope/<campaign>`; after every trial the last keep and nothing else
    trees/git.json     repository, branch and the commit that the campaign began from
    trees/standing     the commit that is the incumbent
    trees/next         the one that is becoming it, while the branch is moved
    trees/admin        the folder in which git keeps what it knows of the worktree

What decides is the record in `trees/` and the objects it names; folder, index and branch are made equal to it, or
refused. The user's checkout, index, stash, hooks and configuration are never touched.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import stat
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

from trajscope_loop.errors import DomainError
from trajscope_loop.memory import put
from trajscope_loop.repository import LINK, MODULE, PROGRAM, Entry, Repository
from trajscope_loop.seams import Tree
from trajscope_loop.tree import Folder, plant
from trajscope_loop.untouched import Untouched

TRAILER = "Trajscope-Tree"
AT_ONCE = 200  # files of which the bytes are in memory at once
# What a stopped merge, rebase or git leaves in the folder that git keeps of our worktree; all of it is ours.
_HALF = frozenset(
    "index.lock HEAD.lock ORIG_HEAD.lock MERGE_HEAD MERGE_MSG MERGE_MODE MERGE_RR AUTO_MERGE SQUASH_MSG REBASE_HEAD "
    "CHERRY_PICK_HEAD REVERT_HEAD BISECT_LOG BISECT_START BISECT_NAMES rebase-merge rebase-apply sequencer".split()
)


class _Record(NamedTuple):
    """What `git.json` says."""

    repository: str
    branch: str
    start: str


class Worktree(Folder):
    """A worktree as the workspace. `editable` says of a path whether proposals may change it."""

    def __init__(self, folder: Path, repository: Repository, commit: str, editable: Callable[[str], bool]) -> None:
        folder = folder.resolve()
        self.root = folder / "work"
        self._trees = folder / "trees"
        self._trees.mkdir(parents=True, exist_ok=True)
        self.repository, self._editable = repository, editable
        self._memo: dict[str, tuple[dict[str, Entry], Tree]] = {}
        self._clean = Untouched[Entry](self._trees)
        self._record = self._recorded(folder, commit)
        self.branch, self.start = self._record.branch, self._record.start
        self._ref = f"refs/heads/{self.branch}"
        self._begin()
        self._admin = self._worktree()
        if not self._own_index.exists():
            self.repository.index(self._commit, self._own_index)

    # --- what stands ---------------------------------------------------------------------------------------------

    def standing(self) -> Tree:
        """The recorded incumbent, whatever stands in the folder now."""
        return self.recorded(self._commit)

    def recorded(self, sha: str) -> Tree:
        """The editable files of a commit, from objects that are what they are called."""
        return self._of(sha)[1]

    def save(self, tree: Tree, parent: str) -> None:
        """Put a candidate into the folder, file by file against what `parent` recorded; nothing where that moved."""
        if parent != self._commit:
            raise DomainError(f"the parent is {parent[:12]}, and {self._commit[:12]} stands; build the candidate anew")
        self._unmoved()
        super().save(tree, parent)

    def keep(self, tree: Tree, message: str) -> str:
        """The candidate is the incumbent now: one commit on the recorded one. A second time does nothing."""
        parent = self._commit
        before = self.recorded(parent)
        self._unmoved()
        if before.sha == tree.sha:
            return parent
        if odd := next((n for n in tree.files if not self._editable(n)), None):
            raise DomainError(f"{odd}: may not be changed, so it is not kept")
        changed = {n: tree.files.get(n) for n in sorted({*before.files, *tree.files})}
        changed = {n: data for n, data in changed.items() if before.files.get(n) != data}
        scratch = self._trees / "index.new"
        text = f"{' '.join(message.split()) or 'keep'}\n\n{TRAILER}: {tree.sha}\n"
        made = self.repository.committed(parent, changed, text, scratch)
        if self.recorded(made).sha != tree.sha:
            raise DomainError(f"{made[:12]}: holds other files than were kept; look for a wrapper around git")
        put(self._trees / "next", made.encode(), sync=True)
        self.repository.move(self._ref, made, parent, self._admin)
        self._own_index.unlink(missing_ok=True)
        (self._trees / "next").replace(self._trees / "standing")
        scratch.replace(self._own_index)
        return made

    def commits(self) -> dict[str, str]:
        """The commit of every tree that was kept."""
        out = {self.recorded(self.start).sha: self.start}
        for said in reversed(self.repository.log(self._commit, self.start)):
            commit, _, message = said.partition("\n")
            if found := re.search(rf"^{TRAILER}: ([0-9a-f]{{64}})$", message, re.MULTILINE):
                out[found[1]] = commit
        return out

    # --- the folder ----------------------------------------------------------------------------------------------

    def restore(self) -> None:
        """The folder holds the incumbent again, verified, and so do index and HEAD; what was changed is gone."""
        if self.root.is_symlink():
            raise DomainError(f"{self.root}: is a link; put a folder there, then restore")
        self._admin = self._worktree()
        entries, _ = self._of(self._commit)
        self._sweep(entries)
        there = self._there()
        wrong = [n for n, entry in entries.items() if entry.mode != MODULE and not self._is(n, entry, there)]
        for some in (wrong[i : i + AT_ONCE] for i in range(0, len(wrong), AT_ONCE)):
            found = self.repository.blobs(entries[n].oid for n in some)
            for name in some:
                self._place(self.root / name, entries[name].mode, found[entries[name].oid])
        self._reset()
        if moved := self.moved(self.standing().files):
            raise DomainError(f"{self.root / moved[0]}: was restored and at once changed; find what writes it, stop it")
        self._unmoved()

    def moved(self, files: Mapping[str, bytes]) -> list[str]:
        """The files that are not as recorded, with these as the editable ones; what came and what went among them."""
        entries, there = self._of(self._commit)[0], self._there()
        held = {n: e for n, e in entries.items() if e.mode != MODULE and (n in files or not self._editable(n))}
        wanted = {n: Entry(held[n].mode if n in held else "", self.repository.oid(files[n])) for n in files}
        odd = [n for n, entry in (held | wanted).items() if not self._is(n, entry, there)]
        return sorted({*odd, *(n for n in there if n not in held and n not in wanted and not _passing(n))})

    def _is(self, name: str, entry: Entry, there: Mapping[str, Path]) -> bool:
        """Whether a path holds what an entry says. Editable files are always read, others where they were touched."""
        place = there.get(name)
        if place is None:
            return False
        found = place.lstat()
        if stat.S_ISLNK(found.st_mode):
            return entry.mode == LINK and self.repository.oid(os.fsencode(place.readlink())) == entry.oid
        executable = bool(found.st_mode & stat.S_IXUSR)
        if not stat.S_ISREG(found.st_mode) or entry.mode == LINK:
            return False
        if entry.mode and executable != (entry.mode == PROGRAM):
            return False
        if not self._editable(name) and self._clean.get(place, found) == entry:
            return True
        if self.repository.oid(place.read_bytes()) != entry.oid:
            return False
        self._clean.put(place, found, entry)
        return True

    def _there(self) -> dict[str, Path]:
        """What stands in the folder, links unfollowed, without git's own file."""
        out = {}
        for above, folders, names in os.walk(self.root):
            for name in (*names, *(f for f in folders if (Path(above) / f).is_symlink())):
                place = Path(above) / name
                out[place.relative_to(self.root).as_posix()] = place
        out.pop(".git", None)
        return out

    def _sweep(self, entries: Mapping[str, Entry]) -> None:
        """Take away whatever is not in the tree, ignored or not, and what stands in the way of what is."""
        folders = {"/".join(parts[:i]) for n in entries for parts in [n.split("/")] for i in range(1, len(parts))}
        modules = {n for n, e in entries.items() if e.mode == MODULE}
        for above, below, names in os.walk(self.root):
            at = Path(above)
            top = at.relative_to(self.root).as_posix()
            for name in [*below]:
                path, whole = at / name, name if top == "." else f"{top}/{name}"
                if path.is_symlink() or whole in modules or whole not in folders:
                    below.remove(name)
                    if path.is_symlink() and not (whole in entries and entries[whole].mode == LINK):
                        path.unlink()
                    elif not path.is_symlink() and (whole not in modules or any(path.iterdir())):
                        _gone(path)
            for name in names:
                whole = name if top == "." else f"{top}/{name}"
                if whole not in entries and whole != ".git":
                    (at / name).unlink()
        for name in modules:
            (self.root / name).mkdir(parents=True, exist_ok=True)

    def _place(self, place: Path, mode: str, data: bytes) -> None:
        place.parent.mkdir(parents=True, exist_ok=True)
        if place.is_dir() and not place.is_symlink():
            _gone(place)
        place.unlink(missing_ok=True)
        if mode == LINK:
            place.symlink_to(os.fsdecode(data))
            return
        place.write_bytes(data)
        if mode == PROGRAM:
            place.chmod(place.stat().st_mode | 0o111)

    def _reset(self) -> None:
        """Index, HEAD and half-done commands of our worktree: as if nobody had been there."""
        for name in _HALF:
            left = self._admin / name
            if left.is_dir() and not left.is_symlink():
                shutil.rmtree(left)
            else:
                left.unlink(missing_ok=True)
        for name, wanted in (("HEAD", f"ref: {self._ref}\n".encode()), ("index", self._own_index.read_bytes())):
            if _read(self._admin / name) != wanted:
                temporary = self._admin / f"{name}.trajscope"
                temporary.write_bytes(wanted)
                temporary.replace(self._admin / name)

    # --- how it is opened ----------------------------------------------------------------------------------------

    @property
    def _commit(self) -> str:
        return (self._trees / "standing").read_text("ascii").strip()

    @property
    def _own_index(self) -> Path:
        """The index of the incumbent; named for it, so that one that a kill left behind is not taken for it."""
        return self._trees / f"index.{self._commit[:16]}"

    def _of(self, commit: str) -> tuple[dict[str, Entry], Tree]:
        if commit not in self._memo:
            entries = self.repository.entries(commit)
            names = [n for n, e in entries.items() if e.mode not in (LINK, MODULE) and self._editable(n)]
            found = self.repository.blobs(entries[n].oid for n in names)
            if len(self._memo) > 3:
                self._memo.clear()
            self._memo[commit] = entries, plant({n: found[entries[n].oid] for n in names})
        return self._memo[commit]

    def _unmoved(self) -> None:
        """The branch is where it was recorded."""
        if (now := self.repository.standing(self._ref)) != self._commit:
            raise DomainError(
                f"{self.branch}: is at {(now or 'nothing')[:12]}, and {self._commit[:12]} was recorded; somebody moved "
                f"it. Put it back with `git update-ref {self._ref} {self._commit}`"
            )

    def _recorded(self, folder: Path, commit: str) -> _Record:
        place = self._trees / "git.json"
        try:
            found = _Record(**json.loads(place.read_bytes()))
        except FileNotFoundError:
            start = self.repository.commit(commit)
            found = _Record(str(self.repository.folder), f"trajscope/{slug(folder.name)}", start)
            if self.repository.standing(f"refs/heads/{found.branch}") is not None:
                raise DomainError(
                    f"{self.repository.place}: has a branch {found.branch} already; name the campaign's folder "
                    "otherwise, or delete the branch"
                ) from None
            if self.root.exists() and any(self.root.iterdir()):
                raise DomainError(f"{self.root}: is not empty; begin the campaign in a new folder") from None
            put(place, json.dumps(found._asdict(), indent=1).encode() + b"\n", sync=True)
        except (OSError, ValueError, TypeError) as error:
            raise DomainError(f"{place}: cannot be read ({error}); restore it") from None
        if Path(found.repository) != self.repository.folder:
            raise DomainError(
                f"{place}: the campaign belongs to the repository {found.repository}, not to {self.repository.folder}"
            )
        return found

    def _begin(self) -> None:
        """Branch and record, made or taken up, whatever moment the last life ended at."""
        standing, following = self._trees / "standing", self._trees / "next"
        now = self.repository.standing(self._ref)
        if not standing.exists():
            if now is None:
                self.repository.move(self._ref, self.start, None)
            elif now != self.start:
                raise DomainError(f"{self.branch}: is at {now[:12]}, not at {self.start[:12]}; somebody moved it")
            put(standing, self.start.encode(), sync=True)
        elif following.exists():  # it was written after the trial's line: the keep is finished, never taken back
            after = following.read_text("ascii")
            self.repository.move(self._ref, after, self._commit)
            following.replace(standing)
        self._unmoved()

    def _worktree(self) -> Path:
        """The folder in which git keeps what it knows of our worktree; what somebody broke of the two is made whole."""
        noted, link = self._trees / "admin", self.root / ".git"
        admin = Path(os.fsdecode(_read(noted) or b""))
        ours = admin.parent == self.repository.folder / "worktrees" and _read(admin / "commondir") == b"../..\n"
        if not ours:
            _gone(self.root)
            self.repository.worktree(self.root, self.branch)
            admin = Path(os.fsdecode(link.read_bytes().removeprefix(b"gitdir: ").rstrip(b"\n")))
            put(noted, os.fsencode(admin), sync=True)
        self.root.mkdir(exist_ok=True)
        # The link may lead elsewhere by now, and git's own may lead to where the campaign's folder once was.
        back = os.fsencode(link) + b"\n"
        for place, wanted in ((link, b"gitdir: " + os.fsencode(admin) + b"\n"), (admin / "gitdir", back)):
            if place.is_symlink() or _read(place) != wanted:
                _gone(place)
                place.write_bytes(wanted)
        return admin


def slug(name: str) -> str:
    """A campaign's name as git takes it for a branch."""
    return re.sub(r"[^A-Za-z0-9_-]+", "-", name).strip("-") or "campaign"


def _passing(name: str) -> bool:
    """Whether a file is what running and saving leave behind; it is no candidate's, and is taken away with the rest."""
    *above, last = name.split("/")
    return "__pycache__" in above or (last.startswith(".") and ".swap" in last)


def _gone(place: Path) -> None:
    """Remove a file or a folder, one that forbids it too."""
    if place.is_symlink() or not place.is_dir():
        place.unlink(missing_ok=True)
        return
    place.chmod(0o700)
    for above, below, _ in os.walk(place):
        for name in below:
            if not (path := Path(above) / name).is_symlink():
                path.chmod(0o700)  # before it is looked into
    shutil.rmtree(place)


def _read(place: Path) -> bytes | None:
    try:
        return place.read_bytes()
    except OSError:
        return None
