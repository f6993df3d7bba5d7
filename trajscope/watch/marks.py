"""Bookmarks: trials that somebody wants to find again, kept by file in the user's own state folder.

Nothing is written beside a run. A bookmark is of a line, by its number and the byte where it begins, so that the
trials of another run under the same name are not marked.
"""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

from trajscope.columns import Row

SCHEMA = 1
MOST = 10_000  # bookmarks of one file


def folder() -> Path:
    """Where bookmarks live."""
    home = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(home) / "trajscope" / "bookmarks"


class Marks:
    """The bookmarks of one file. `fault` says why they are not kept, where they are not."""

    def __init__(self, path: str) -> None:
        self.fault: str | None = None
        self._marked: set[tuple[int, int]] = set()
        self._file = str(Path(path).resolve())
        self._kept = folder() / f"{hashlib.sha256(self._file.encode()).hexdigest()[:32]}.json"
        if path == "-":
            self.fault = "standard input has no name to keep them under"
        else:
            self._read()

    def __contains__(self, row: object) -> bool:
        return isinstance(row, Row) and (row.seq, row.at) in self._marked

    def turn(self, row: Row) -> bool:
        """Mark a trial, or take its mark away; whether it is marked now."""
        if self.fault is None:
            self._read()  # another screen of the same file may have marked more
        one = (row.seq, row.at)
        if one in self._marked:
            self._marked.remove(one)
        elif len(self._marked) < MOST:
            self._marked.add(one)
        if self.fault is None:
            self._write()
        return one in self._marked

    def _read(self) -> None:
        """What was kept. What cannot be read is left as it is."""
        try:
            said = json.loads(self._kept.read_bytes())
            if said["schema"] != SCHEMA:
                raise ValueError(f"schema {said['schema']}")
            self._marked = {(int(seq), int(at)) for seq, at in said["marks"]}
        except FileNotFoundError:
            self._marked = set()
        except OSError as e:
            self.fault = f"{self._kept}: cannot be read ({e.strerror})"
        except (ValueError, TypeError, KeyError) as e:
            self.fault = f"{self._kept}: holds no bookmarks ({e}); move it away to have them kept"

    def _write(self) -> None:
        said = {"schema": SCHEMA, "file": self._file, "marks": sorted(self._marked)}
        part = self._kept.with_name(f".{self._kept.name}.{os.getpid()}")
        try:
            self._kept.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            part.write_text(json.dumps(said, ensure_ascii=False) + "\n", "utf-8")
            part.replace(self._kept)
        except OSError as e:
            self.fault = f"{self._kept}: cannot be written ({e.strerror})"
