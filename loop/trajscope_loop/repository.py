"""Git's plumbing, as the loop uses it: objects and one branch of its own, never anybody's checkout, index or hooks.

Bytes go in and come out as they are hashed: no filter, no line ending is converted, no hook runs, nothing is signed,
nothing is fetched. Knows no campaign.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

from trajscope_loop.errors import DomainError

AUTHOR, ADDRESS = "trajscope", "loop@trajscope.invalid"
FILE, PROGRAM, LINK, MODULE = "100644", "100755", "120000", "160000"  # modes of a tree's entries
LOCK_S = 2.0  # a lock on our own branch that is older was left by somebody who was killed
TIMEOUT_S = 120.0
_OFF = (
    *("core.hooksPath=/dev/null", "core.fsmonitor=false", "core.autocrlf=false", "core.fsync=objects,reference"),
    *("gc.auto=0", "maintenance.auto=false", "commit.gpgSign=false", "core.logAllRefUpdates=true"),
)


class Entry(NamedTuple):
    """What a tree says of one path."""

    mode: str
    oid: str


class Repository:
    """The repository that a folder belongs to. `clock` and `wait` are for a lock that somebody holds."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self._where = ["-C", str(place)]
        try:
            found = self._run("rev-parse", "--path-format=absolute", "--git-common-dir", "--show-object-format")
        except DomainError as error:
            raise DomainError(f"{place}: is no git repository that can be used ({error})") from None
        folder, form = found.decode().splitlines()
        self.folder = Path(folder)
        self._where = ["--git-dir", folder]
        self._hash = hashlib.sha256 if form == "sha256" else hashlib.sha1

    def oid(self, data: bytes) -> str:
        """What git calls these bytes."""
        return self._hash(b"blob %d\0" % len(data) + data).hexdigest()

    def commit(self, name: str) -> str:
        """The full name of a commit."""
        try:
            return self._text("rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}")
        except DomainError:
            raise DomainError(f"{self.place}: has no commit {name!r}; name one that it has") from None

    def parents(self, commit: str) -> list[str]:
        """The commits that it follows."""
        return self._text("rev-list", "--parents", "--max-count=1", commit).split()[1:]

    def entries(self, commit: str) -> dict[str, Entry]:
        """Every path of a commit, submodules and links among them."""
        out = {}
        for line in self._run("ls-tree", "-r", "-z", "--full-tree", commit).split(b"\0")[:-1]:
            said, _, name = line.partition(b"\t")
            mode, _, oid = said.decode().split()
            out[os.fsdecode(name)] = Entry(mode, oid)
        return out

    def blobs(self, oids: Iterable[str]) -> dict[str, bytes]:
        """The bytes of these objects, each held to its name."""
        wanted = sorted(set(oids))
        out: dict[str, bytes] = {}
        if not wanted:
            return out
        said = self._run("cat-file", "--batch", data="".join(f"{oid}\n" for oid in wanted).encode())
        at = 0
        for oid in wanted:
            end = said.find(b"\n", at)
            head = said[at:end].split()
            if len(head) != 3:
                raise DomainError(f"{self.place}: lacks the object {oid[:12]}; fetch it, or name another commit")
            size = int(head[2])
            data = said[end + 1 : end + 1 + size]
            at = end + size + 2
            if self.oid(data) != oid:
                raise DomainError(f"{self.place}: the object {oid[:12]} is not what it is called; run `git fsck`")
            out[oid] = data
        return out

    def committed(self, parent: str, files: Mapping[str, bytes | None], message: str, index: Path) -> str:
        """A commit whose one parent is `parent`, with these files changed and nothing else; no branch is moved.

        None takes a file away; `index` is a scratch file, which ends as the index of the commit.
        """
        before = self.entries(parent)
        lines = []
        for name, data in files.items():
            if data is None:
                lines.append(f"0 {'0' * len(parent)}\t".encode() + os.fsencode(name))
                continue
            oid = self._text("hash-object", "-w", "--no-filters", "--stdin", data=data)
            if oid != self.oid(data):
                raise DomainError(f"{name}: git stored other bytes than it was given; look for a wrapper around git")
            mode = before[name].mode if name in before else FILE
            lines.append(f"{mode} {oid}\t".encode() + os.fsencode(name))
        self.index(parent, index)
        self._run("update-index", "-z", "--index-info", data=b"\0".join(lines) + b"\0", index=index)
        tree = self._text("write-tree", index=index)
        made = self._text("commit-tree", tree, "-p", parent, data=message.encode())
        if self.parents(made) != [parent]:
            raise DomainError(f"{self.place}: a commit has another parent than it was given; look for a wrapper of git")
        after = self.entries(made)
        changed = {n for n in {*before, *after} if before.get(n) != after.get(n)}
        if odd := changed - files.keys():
            raise DomainError(f"{min(odd)}: changed though it was not to; look for a wrapper around git")
        return made

    def index(self, commit: str, index: Path) -> None:
        """Make an index file that holds exactly what a commit does."""
        for left in (index, index.with_name(f"{index.name}.lock")):
            left.unlink(missing_ok=True)
        self._run("read-tree", commit, index=index)

    def standing(self, ref: str) -> str | None:
        """Where a ref points to; None where there is none."""
        found = self._text("for-each-ref", "--format=%(refname) %(objectname)", ref)
        return next((oid for name, _, oid in (x.partition(" ") for x in found.splitlines()) if name == ref), None)

    def move(self, ref: str, new: str, old: str | None, admin: Path | None = None) -> None:
        """Move a ref from `old` to `new`, refused where it points elsewhere by now."""
        until = time.monotonic() + LOCK_S
        while True:
            try:
                self._run("update-ref", "-m", "trajscope", ref, new, old or "0" * len(new), admin=admin)
                return
            except DomainError as error:
                if (now := self.standing(ref)) != old:
                    if now == new:
                        return
                    raise DomainError(
                        f"{ref}: is at {_short(now)}, and {_short(old)} was recorded; somebody moved it. Nothing was "
                        f"kept: put it back with `git update-ref {ref} {old or '-d'}`"
                    ) from None
                # Only the campaign moves this ref, and it holds the campaign's lock: what stays locked was left behind.
                locks = [self.folder / f"{ref}.lock", *([admin / "HEAD.lock"] if admin else [])]
                if not any(lock.exists() for lock in locks):
                    raise DomainError(f"{ref}: cannot be moved ({error})") from None
                if time.monotonic() >= until:
                    for lock in locks:
                        lock.unlink(missing_ok=True)
                time.sleep(0.02)

    def worktree(self, place: Path, branch: str) -> None:
        """Add an empty worktree on a branch, over what is left of one that was half made."""
        listed = self._run("worktree", "list", "--porcelain", "-z").decode(errors="surrogateescape")
        for one in listed.split("\0\0"):
            said = dict(x.partition(" ")[::2] for x in one.split("\0") if x)
            if said.get("branch") == f"refs/heads/{branch}" and Path(said["worktree"]) != place:
                raise DomainError(f"{said['worktree']}: has {branch} checked out; check out another branch there")
        self._run("worktree", "add", "--quiet", "--force", "--force", "--no-checkout", str(place), branch)

    def log(self, ref: str, since: str) -> list[str]:
        """The messages of the commits after `since`, each behind its commit's full name and a newline."""
        found = self._run("log", "-z", "--format=%H%n%B", f"{since}..{ref}").decode("utf-8", "replace")
        return [x for x in found.split("\0") if x]

    def _text(self, *words: str, data: bytes = b"", index: Path | None = None) -> str:
        return self._run(*words, data=data, index=index).decode().strip()

    def _run(self, *words: str, data: bytes = b"", index: Path | None = None, admin: Path | None = None) -> bytes:
        env = {k: v for k, v in os.environ.items() if not k.startswith("GIT_")}
        env |= {f"GIT_{who}_{what}": said for who in ("AUTHOR", "COMMITTER") for what, said in _IDENTITY.items()}
        env |= {
            "LC_ALL": "C",
            "GIT_TERMINAL_PROMPT": "0",
            "GIT_OPTIONAL_LOCKS": "0",
            "GIT_NO_REPLACE_OBJECTS": "1",
            "GIT_NO_LAZY_FETCH": "1",
            "GIT_ADVICE": "0",
        }
        if index is not None:
            env["GIT_INDEX_FILE"] = str(index)
        where = self._where if admin is None else ["--git-dir", str(admin)]
        settings = [x for one in _OFF for x in ("-c", one)]
        try:
            done = subprocess.run(
                ["git", *where, *settings, *words], input=data, env=env, capture_output=True, timeout=TIMEOUT_S,
                check=False, start_new_session=True,  # Ctrl-C is for us, and no git is to stop half-way
            )  # fmt: skip
        except FileNotFoundError:
            raise DomainError("git is not installed; install it, or use a domain without a repository") from None
        except subprocess.TimeoutExpired:
            raise DomainError(f"git {words[0]}: not done after {TIMEOUT_S:g} s; look at the disk") from None
        if done.returncode:
            said = " | ".join(x for x in done.stderr.decode("utf-8", "replace").splitlines() if x.strip())
            raise DomainError(f"git {words[0]}: {said[:300] or f'exit code {done.returncode}'}")
        return done.stdout


_IDENTITY = {"NAME": AUTHOR, "EMAIL": ADDRESS}


def _short(commit: str | None) -> str:
    return "nothing" if commit is None else commit[:12]
