"""Candidates as trees of bytes, and a plain folder as the workspace: recorded trees beside the files that stand.

    work/          what an agent looks at; after every trial the incumbent
    trees/<sha>/   every tree that was the incumbent, never changed
    trees/standing the name of the one that is

Knows no git and no domain. The folder is compared with what was recorded, never the other way round.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from trajscope import TrajscopeError
from trajscope.integrity import swap
from trajscope_loop.errors import DomainError
from trajscope_loop.seams import Tree

_STANDING = "standing"
_LEFT = ".swap"  # what swapping leaves beside a file has this in its name


def sha256(data: bytes) -> str:
    """The SHA-256 of some bytes, as 64 hex digits."""
    return hashlib.sha256(data).hexdigest()


def digest(shas: Mapping[str, str]) -> str:
    """The one hash of named hashes."""
    return sha256(repr(sorted(shas.items())).encode())


def plant(files: Mapping[str, bytes]) -> Tree:
    """The tree of these files, under its hash."""
    for name in files:
        parts = PurePosixPath(name).parts
        if not parts or name.startswith("/") or ".." in parts or "\\" in name or "\0" in name:
            raise DomainError(f"{name!r}: is no path below the workspace; name files by their plain path")
    held = dict(sorted(files.items()))
    return Tree(held, digest({name: sha256(data) for name, data in held.items()}))


class Folder:
    """A workspace without version control. `start` is what stands where nothing was recorded yet."""

    def __init__(self, folder: Path, start: Tree) -> None:
        self.root = folder / "work"
        self._trees = folder / "trees"
        self.root.mkdir(parents=True, exist_ok=True)
        self._trees.mkdir(exist_ok=True)
        if not (self._trees / _STANDING).exists():
            self.keep(start, "start")
            self.restore()

    def standing(self) -> Tree:
        """The recorded incumbent, whatever stands in the folder now."""
        return self.recorded((self._trees / _STANDING).read_text("ascii").strip())

    def recorded(self, sha: str) -> Tree:
        """A tree that was the incumbent once, held to its name."""
        place = self._trees / sha
        if len(sha) != 64 or not place.is_dir():
            raise DomainError(f"{place}: no tree was recorded there; restore the folder {self._trees.name}/")
        files = {p.relative_to(place).as_posix(): p.read_bytes() for p in sorted(place.rglob("*")) if p.is_file()}
        found = plant(files)
        if found.sha != sha:
            raise DomainError(f"{place}: is not what was recorded ({found.sha[:12]}); somebody changed it: restore it")
        return found

    def save(self, tree: Tree, parent: str) -> None:
        """Put a candidate into the folder, file by file against what `parent` recorded; nothing where that moved."""
        base = self.recorded(parent).files
        changed = [n for n in sorted({*base, *tree.files}) if base.get(n) != tree.files.get(n)]
        if moved := self.moved(base):
            raise DomainError(
                f"{self.root / moved[0]}: is not what was recorded; somebody wrote there. Nothing was saved: find "
                "what writes it, then restore the workspace"
            )
        done: list[str] = []
        try:
            for name in changed:
                self._put(name, base.get(name), tree.files.get(name))
                done.append(name)
        except TrajscopeError:
            for name in done:  # nothing of a candidate stays where one of its files could not be put
                self._put(name, tree.files.get(name), base.get(name))
            raise

    def moved(self, files: Mapping[str, bytes]) -> list[str]:
        """The files of the folder that are not these; one that came and one that went are among them."""
        there = self._there()
        names = sorted({*files, *there})
        return [n for n in names if n not in there or there[n].is_symlink() or there[n].read_bytes() != files.get(n)]

    def keep(self, tree: Tree, message: str) -> str:
        """The candidate is the incumbent now; its name for `parent`. A second time does nothing."""
        place = self._trees / tree.sha
        if not place.exists():
            temporary = Path(tempfile.mkdtemp(prefix=".new-", dir=self._trees))
            for name, data in tree.files.items():
                _write(temporary / name, data)
            _sync_all(temporary)
            temporary.rename(place)
            _write(self._trees / f"{tree.sha}.message", message.encode())
        self.recorded(tree.sha)
        standing = self._trees / _STANDING
        if not standing.exists() or standing.read_text("ascii") != tree.sha:
            _write(standing.with_name(".standing"), tree.sha.encode())
            standing.with_name(".standing").replace(standing)
        _sync(self._trees)
        return tree.sha

    def restore(self) -> None:
        """The folder holds the incumbent again, verified; what was changed meanwhile is gone."""
        tree = self.standing()
        if self.root.is_symlink():
            raise DomainError(f"{self.root}: is a link; put a folder there, then restore")
        self._clear(tree)
        for name, data in tree.files.items():
            place = self.root / name
            if not place.exists() or place.read_bytes() != data:
                _write(place, data)
        _sync_all(self.root)
        if moved := self.moved(tree.files):
            raise DomainError(f"{self.root / moved[0]}: was restored and at once changed; find what writes it, stop it")

    def _clear(self, tree: Tree) -> None:
        """Take away what the tree does not hold, and what stands in its way."""
        for name, place in self._there().items():
            if name not in tree.files or place.is_symlink():
                place.unlink()
        for folder in sorted((p for p in self.root.rglob("*") if p.is_dir()), reverse=True):
            if folder.relative_to(self.root).as_posix() in tree.files or not any(folder.iterdir()):
                shutil.rmtree(folder)

    def _there(self) -> dict[str, Path]:
        """What stands in the folder, links unfollowed, without what swapping and running leave behind."""
        out = {}
        for above, folders, names in os.walk(self.root):
            folders[:] = [f for f in folders if f != "__pycache__"]
            links = [f for f in folders if (Path(above) / f).is_symlink()]
            for name in (*names, *links):
                if not (name.startswith(".") and _LEFT in name):
                    place = Path(above) / name
                    out[place.relative_to(self.root).as_posix()] = place
        return out

    def _put(self, name: str, old: bytes | None, new: bytes | None) -> None:
        place = self.root / name
        place.parent.mkdir(parents=True, exist_ok=True)
        if new is not None:
            swap(place, None if old is None else sha256(old), new)
        elif old is not None:
            if place.read_bytes() != old:
                raise DomainError(f"{place}: is not what was recorded; somebody wrote there: restore the workspace")
            place.unlink()


def _write(place: Path, data: bytes) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    with place.open("wb") as out:
        out.write(data)
        out.flush()
        os.fsync(out.fileno())


def _sync_all(top: Path) -> None:
    for folder, _, _ in os.walk(top):
        _sync(Path(folder))


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
