"""Prints: the SHA-256 of every declared file, taken from bytes that held still while they were read.

Knows no configuration and keeps no state. What was declared and cannot be printed is an error, never a shorter list.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Callable, Iterable, Iterator, Mapping
from fnmatch import fnmatchcase
from pathlib import Path
from typing import NamedTuple

from trajscope.errors import IntegrityError

CHUNK = 1 << 20
TRIES = 3  # times that a file may change under the reader before it is given up
# What running and saving leave behind; never executed from a private copy, so never printed.
PASSED_OVER = ("__pycache__", ".git", "*.pyc", ".*.swap*")
_MAGIC = frozenset("*?[")


class MissingError(IntegrityError):
    """Something is declared, and nothing is there."""


class Prints(NamedTuple):
    """The declared files at one moment: what each holds, and where the links among them lead."""

    files: Mapping[str, str]  # path below the root, with /, in order: SHA-256 of the bytes
    links: Mapping[str, str]  # path of a link: path below the root that it leads to


def sha256(data: bytes) -> str:
    """The SHA-256 of some bytes, as 64 hex digits."""
    return hashlib.sha256(data).hexdigest()


def take(
    root: str | os.PathLike[str], patterns: Iterable[str], sink: Callable[[str, bytes], object] | None = None
) -> Prints:
    """Print every file that the patterns declare; `sink` is handed the very bytes that were hashed, chunk by chunk.

    A pattern is a path below the root with `*`, `?`, `[]` and `**`; one that meets a folder declares all it holds.
    """
    top = _top(root)
    files, links = _declared(top, patterns)
    return Prints(
        {name: _print(name, place, sink) for name, place in sorted(files.items())}, dict(sorted(links.items()))
    )


def look(root: str | os.PathLike[str], patterns: Iterable[str]) -> Prints:
    """Print what is there of the declared files; one that went is simply not among them."""
    files: dict[str, str] = {}
    links: dict[str, str] = {}
    for pattern in patterns:
        try:
            found = take(root, [pattern])
        except MissingError:
            continue
        files |= found.files
        links |= found.links
    return Prints(dict(sorted(files.items())), dict(sorted(links.items())))


def read(root: str | os.PathLike[str], name: str) -> bytes:
    """The bytes of one declared file, as they were at one moment."""
    kept: list[bytes] = []

    def sink(_: str, chunk: bytes) -> None:
        if not chunk:
            kept.clear()
        kept.append(chunk)

    top = _top(root)
    try:
        place = _inside(top, top / name, name)
    except OSError as error:
        raise IntegrityError(f"{name}: cannot be read ({error.strerror}); restore it, or give the right to") from None
    _print(name, place, sink)
    return b"".join(kept)


def matches(name: str, pattern: str) -> bool:
    """Whether a pattern declares the file of this name."""
    return _fits(name.split("/"), _parts(pattern))


def _top(root: str | os.PathLike[str]) -> Path:
    top = Path(root).resolve()
    if not top.is_dir():
        raise IntegrityError(f"{root}: is no folder; name the folder that the declared files lie in")
    return top


def _declared(top: Path, patterns: Iterable[str]) -> tuple[dict[str, Path], dict[str, str]]:
    files: dict[str, Path] = {}
    links: dict[str, str] = {}
    for pattern in patterns:
        parts = _parts(pattern)
        plain = next((i for i, part in enumerate(parts) if _MAGIC & set(part)), len(parts))
        start = "/".join(parts[:plain])
        found = {
            name: place for name, place in _walk(top, start, links, (), named=parts) if _fits(name.split("/"), parts)
        }
        if not found:
            raise MissingError(
                f"{pattern}: is declared and not there (below {top.name}/); restore it, or declare what there is"
            )
        files |= found
    # A link that no declared file stands behind was only met on the way.
    kept = {k: v for k, v in links.items() if any(f == k or f.startswith(f"{k}/") for f in files)}
    return files, kept


def _parts(pattern: str) -> list[str]:
    parts = [p for p in pattern.replace(os.sep, "/").split("/") if p not in ("", ".")]
    if pattern.startswith(("/", "~")) or ".." in parts or "\0" in pattern:
        raise IntegrityError(f"{pattern}: leads out of the root; declare paths below it")
    return parts


def _fits(name: list[str], parts: list[str]) -> bool:
    if not parts:
        return True  # a folder on the way was met, and declares what it holds
    if parts[0] == "**":
        return any(_fits(name[i:], parts[1:]) for i in range(len(name) + 1))
    return bool(name) and fnmatchcase(name[0], parts[0]) and _fits(name[1:], parts[1:])


def _walk(
    top: Path, name: str, links: dict[str, str], above: tuple[Path, ...], named: list[str]
) -> Iterator[tuple[str, Path]]:
    """Every file at or below a name, in order, folders behind links included."""
    place = top / name
    parts = name.split("/") if name else []
    if parts and parts != named and any(fnmatchcase(parts[-1], p) for p in PASSED_OVER):
        return
    try:
        if place.is_symlink():
            links[name] = _inside(top, place, name).relative_to(top).as_posix()
        real = _inside(top, place, name)
        kind = real.stat().st_mode
    except FileNotFoundError:
        if place.is_symlink():
            raise IntegrityError(f"{name}: is a link that leads nowhere; restore what it stands for") from None
        return
    except OSError as error:
        raise IntegrityError(f"{name}: cannot be read ({error.strerror}); give the reader the right to") from None
    if not stat.S_ISDIR(kind):
        yield name, real
        return
    if real in above:
        raise IntegrityError(f"{name}: is a link to a folder that it lies in; declare the files themselves")
    try:
        inner = sorted(os.listdir(real))
    except OSError as error:
        raise IntegrityError(
            f"{name or top.name}: cannot be listed ({error.strerror}); give the reader the right to"
        ) from None
    for one in inner:
        yield from _walk(top, f"{name}/{one}" if name else one, links, (*above, real), named)


def _inside(top: Path, place: Path, name: str) -> Path:
    """Where a path really leads; out of the root is refused."""
    try:
        real = place.resolve(strict=True)
    except RuntimeError:
        raise IntegrityError(f"{name}: is a link that leads to itself; restore what it stands for") from None
    if not real.is_relative_to(top):
        raise IntegrityError(
            f"{name}: is a link that leads out of the root; put the file there, or choose a wider root"
        )
    return real


def _print(name: str, place: Path, sink: Callable[[str, bytes], object] | None) -> str:
    for _ in range(TRIES):
        try:
            # Never waiting for a pipe, never through a link that was put there since.
            handle = os.open(place, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0))
        except OSError as error:
            raise IntegrityError(
                f"{name}: cannot be read ({error.strerror}); restore it, or give the right to"
            ) from None
        with os.fdopen(handle, "rb", buffering=0) as file:
            before = os.fstat(handle)
            if not stat.S_ISREG(before.st_mode):
                raise IntegrityError(f"{name}: is no plain file; declare files and folders only")
            digest = hashlib.sha256()
            if sink:
                sink(name, b"")  # it begins, perhaps again
            left = before.st_size
            try:
                # A file that grows under the reader is not followed for ever.
                while left >= 0 and (chunk := file.read(CHUNK)):
                    left -= len(chunk)
                    digest.update(chunk)
                    if sink:
                        sink(name, chunk)
            except OSError as error:
                raise IntegrityError(f"{name}: cannot be read ({error.strerror}); look at the disk") from None
            after = os.fstat(handle)
        if (before.st_size, before.st_mtime_ns) == (after.st_size, after.st_mtime_ns):
            return digest.hexdigest()
    raise IntegrityError(f"{name}: changes while it is read; stop what writes it, then ask again")
