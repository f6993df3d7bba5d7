"""Unfold: what is no file of lines, as JSON lines: a database, a whole JSON document, a folder of JSON files.

First comes a line that names what it is (`{"unfolded": "optuna", ...}`), then one line for each finished record, in the
order in which they were finished: so something that grew unfolds into the same lines and more. A first line may come to
say more as it grows; then it is told anew.

What is recognised stands in `KINDS`, by the first bytes of a file, never by its name. A kind's module has

    unfold(path)  -> Iterator[bytes]   its lines, each with its newline; raises SourceError
    watched(path) -> list[Path]        whatever changes when it changes; some may not exist

and is imported when a file is of its kind. Nothing is ever written beside a file, and no lock of its writer is taken.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import NamedTuple

from trajscope.errors import SourceError

SNIFFED = 1 << 12  # bytes at the beginning of a file by which its kind is known

Stamp = tuple[tuple[int, int, int] | None, ...]


class Kind(NamedTuple):
    """Something that can be unfolded: how its file begins, and the module that unfolds it."""

    name: str
    about: str
    begins: re.Pattern[bytes]
    module: str
    folder: bool = False  # a folder may be given for it as well

    def claims(self, head: bytes) -> bool:
        """Whether a file that begins so is of this kind."""
        return self.begins.match(head) is not None

    def unfold(self, path: str | Path) -> Iterator[bytes]:
        """Its lines."""
        lines: Iterator[bytes] = import_module(self.module).unfold(Path(path))
        return lines

    def watched(self, path: str | Path) -> list[Path]:
        """The files and folders that change when it changes."""
        places: list[Path] = import_module(self.module).watched(Path(path))
        return places

    def stamp(self, path: str | Path) -> Stamp:
        """How all of those stand: another stamp, other content."""
        return tuple(_stand(p) for p in self.watched(path))


_JSON = rb"(?:\xef\xbb\xbf)?\s*\{\s*"
KINDS: tuple[Kind, ...] = (
    Kind(
        "database",
        "an SQLite database (Optuna, ShinkaEvolve)",
        re.compile(rb"SQLite format 3\x00"),
        "trajscope.unfold.database",
    ),
    Kind(
        "optuna_journal",
        "the log of Optuna's JournalStorage",
        re.compile(_JSON + rb'"op_code"\s*:\s*\d'),
        "trajscope.unfold.optuna_journal",
    ),
    Kind(
        "campaign",
        "the campaign.json of a biology loop",
        re.compile(rb'(?:\xef\xbb\xbf)?\s*\[\s*\{\s*"experiment_id"\s*:'),
        "trajscope.unfold.campaign",
    ),
    Kind(
        "aide",
        "the journal.json of AIDE or AI-Scientist",
        re.compile(_JSON + rb'(?:"__version"\s*:\s*"[^"]*"\s*,\s*)?"(?:nodes"\s*:\s*\[\s*[{\]]|node2parent"\s*:\s*\{)'),
        "trajscope.unfold.aide",
    ),
    Kind(
        "openevolve",
        "a checkpoint of OpenEvolve, or the folder that holds its checkpoints",
        re.compile(_JSON + rb'"(?:island_feature_maps|feature_map|islands)"\s*:\s*[\[{]'),
        "trajscope.unfold.openevolve",
        folder=True,
    ),
)


def known(head: bytes) -> Kind | None:
    """The kind of a file that begins so; None where it is a file of lines, or nothing that is known."""
    return next((k for k in KINDS if k.claims(head)), None) if head else None


def find(path: str | Path) -> Kind | None:
    """The kind of a file or folder; None where it is a file of lines, a pipe, or not there."""
    if str(path) == "-":
        return None
    try:
        place = Path(path)
        if place.is_dir():
            return next((k for k in KINDS if k.folder and _holds(k, place)), None)
        if not place.is_file():  # a pipe would lose what is read of it
            return None
        with place.open("rb") as f:
            return known(f.read(SNIFFED))
    except (OSError, ValueError):
        return None


def _holds(kind: Kind, folder: Path) -> bool:
    try:
        return bool(import_module(kind.module).heads(folder))
    except SourceError:
        return False


def _stand(path: Path) -> tuple[int, int, int] | None:
    try:
        s = path.stat()
    except (OSError, ValueError):
        return None
    return s.st_ino, s.st_size, s.st_mtime_ns
