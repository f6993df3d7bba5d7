"""The private folder that one program is run in: the bytes that were hashed, its data, its home, what it leaves.

    source/  the declared files        given/  data that it may read
    out/     what it leaves            home/   its HOME and TMPDIR

Knows neither metrics nor campaigns.
"""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from trajscope_loop.errors import DomainError
from trajscope_loop.tree import sha256
from trajscope_loop.untouched import Untouched

MOST_FILES, MOST_BYTES = 1_000, 1 << 30  # that a program may leave
_MAGIC = frozenset("*?[")


class TamperedError(DomainError):
    """Something is not what was hashed."""


class Room:
    """A private folder, gone when its `with` block is left."""

    def __init__(self, files: Mapping[str, bytes], shas: Mapping[str, str]) -> None:
        if odd := next((n for n in files if _MAGIC & set(n)), None):
            raise DomainError(f"{odd}: a declared file has no `*`, `?` or `[` in its name; name it otherwise")
        if wrong := [n for n in sorted({*files, *shas}) if n not in files or sha256(files[n]) != shas.get(n)]:
            raise TamperedError(f"{wrong[0]}: is not what was hashed; the job was changed on its way")
        self._home = Path(tempfile.mkdtemp(prefix="trajscope-job-")).resolve()
        self.source, self.given, self.out, self.home = (self._home / n for n in ("source", "given", "out", "home"))
        for folder in (self.source, self.given, self.out, self.home):
            folder.mkdir()
        for name, data in files.items():
            place = self.source / name
            if not place.resolve().is_relative_to(self.source):
                raise DomainError(f"{name!r}: is no path below the workspace; name files by their plain path")
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(data)

    def folder(self, name: str) -> Path:
        """One more folder, such as the one that a judge looks at."""
        place = self._home / name
        place.mkdir()
        return place

    def close(self) -> None:
        """Remove it; a second time does nothing."""
        for above, _, _ in os.walk(self._home):
            os.chmod(above, 0o700)  # noqa: PTH101  # os.walk gives texts
        shutil.rmtree(self._home, ignore_errors=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self.close()


def copied(source: Path, target: Path, names: Mapping[str, str]) -> None:
    """Copy files below a folder and hold the very bytes that were copied to their hashes."""
    for name, sha in names.items():
        place = target / name
        place.parent.mkdir(parents=True, exist_ok=True)
        try:
            with (source / name).open("rb") as file, place.open("wb") as out:
                found = _pour(file, out)
        except OSError as error:
            raise TamperedError(f"{name}: data cannot be read ({error.strerror}); prepare it again") from None
        if found != sha:
            raise TamperedError(f"{name}: data is not what was hashed; find what writes it, then prepare it again")


def left(out: Path, target: Path) -> dict[str, str]:
    """Take what a program left, by plain files only, into a folder that it never knew; path and hash of each.

    A link may lead to a truth, a pipe may never end: neither is read.
    """
    found: dict[str, str] = {}
    room = MOST_BYTES
    if out.is_symlink() or not out.is_dir():
        raise DomainError("out/ is no folder any more; training may write into it, not replace it")
    for name, place in _plain(out):
        if len(found) == MOST_FILES:
            raise DomainError(f"out/ holds over {MOST_FILES} files; leave predictions only")
        try:
            handle = os.open(place, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        except OSError as error:
            why = "is a link" if error.errno == errno.ELOOP else f"cannot be read ({error.strerror})"
            raise DomainError(f"out/{name}: {why}; predictions are plain files") from None
        with os.fdopen(handle, "rb") as file:
            kind = os.fstat(handle)
            if not stat.S_ISREG(kind.st_mode) or kind.st_nlink > 1:
                raise DomainError(f"out/{name}: is no plain file of its own; predictions are plain files")
            room -= kind.st_size
            if room < 0:
                raise DomainError(f"out/ holds over {MOST_BYTES >> 20} MB; leave predictions only")
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            with (target / name).open("wb") as copy:
                found[name] = _pour(file, copy)
    return found


def shas(folder: Path, known: Untouched[str] | None = None) -> dict[str, str]:
    """Path and hash of every file below a folder; a link is an error. What is `known` is not read again."""
    out = {}
    for name, place in _plain(folder):
        was = place.lstat()
        if stat.S_ISLNK(was.st_mode):
            raise DomainError(f"{place}: is a link; data are plain files")
        found = known.get(place, was) if known else None
        if found is None:
            with place.open("rb") as file:
                found = hashlib.file_digest(file, "sha256").hexdigest()
            if known is not None:
                known.put(place, was, found)
        out[name] = found
    return out


def _plain(top: Path) -> Iterator[tuple[str, Path]]:
    """Every entry below a folder that is none itself, links to folders among them, in order."""
    for above, folders, names in os.walk(top):
        links = [f for f in folders if (Path(above) / f).is_symlink()]
        folders.sort()
        for name in sorted([*names, *links]):
            place = Path(above) / name
            yield place.relative_to(top).as_posix(), place


def _pour(source: IO[bytes], target: IO[bytes]) -> str:
    """Copy a file and hash what was copied."""
    digest = hashlib.sha256()
    while chunk := source.read(1 << 20):
        digest.update(chunk)
        target.write(chunk)
    return digest.hexdigest()
