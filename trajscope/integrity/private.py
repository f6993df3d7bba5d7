"""A private, read-only copy of the declared files, made of the very bytes that were hashed: what a child executes.

Read-only stops accidents and formatters. A process of the same user that is out to deceive can still change the copy;
then the child, which hashes what it executes, does not run it.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import IO

from trajscope.errors import IntegrityError
from trajscope.integrity import child
from trajscope.integrity.effective import REPORT
from trajscope.integrity.prints import Prints, matches, sha256, take

MOST = 256 << 20  # bytes; what is larger is declared by a file of checksums


class Copy:
    """The declared files of one trial, apart from the tree that anybody may write to."""

    def __init__(
        self, root: str | os.PathLike[str], patterns: Sequence[str], new: Mapping[str, bytes] | None = None
    ) -> None:
        """Copy and print; `new` holds bytes that stand in the place of the files of these names."""
        self._home = Path(tempfile.mkdtemp(prefix="trajscope-")).resolve()
        self.path = self._home / "code"
        self.report = self._home / "effective.json"
        self._tells = self._home / "child.json"
        self._origin = os.path.realpath(root)
        self._size = 0
        self._out: IO[bytes] | None = None
        try:
            self.path.mkdir()
            self.prints = self._fill(root, patterns, new or {})
        except BaseException:
            self.close()
            raise

    def env(self) -> dict[str, str]:
        """What a child's environment needs on top of its own: where to report to."""
        return {REPORT: str(self.report)}

    def command(
        self, script: str, *args: str, python: str = sys.executable, constants: Iterable[str] = ()
    ) -> list[str]:
        """The command line that runs a script of the copy, checked inside the child before it executes a byte."""
        if script not in self.prints.files:
            raise IntegrityError(f"{script}: is not declared, so it was not hashed; declare it editable or frozen")
        body = json.dumps(
            {
                "root": str(self.path),
                "origin": self._origin,
                "files": dict(self.prints.files),
                "tells": str(self._tells),
                "constants": sorted(constants),
            }
        ).encode()
        manifest = self._home / f"{sha256(body)[:16]}.json"
        manifest.write_bytes(body)
        return [python, child.__file__, str(manifest), sha256(body), script, *args]

    def told(self) -> dict[str, dict[str, object]]:
        """What the child checked at its start and end, what it executed, its constants; empty where it told nothing."""
        try:
            found = json.loads(self._tells.read_bytes())
        except (OSError, ValueError):
            return {}
        return {k: v for k, v in found.items() if isinstance(v, dict)} if isinstance(found, dict) else {}

    def now(self) -> Prints:
        """The prints of the copy as it is now."""
        return Prints(take(self.path, ["**"]).files, self.prints.links)

    def close(self) -> None:
        """Remove the copy; a second time does nothing."""
        for folder, _, _ in os.walk(self._home):
            os.chmod(folder, 0o700)
        shutil.rmtree(self._home, ignore_errors=True)

    def _fill(self, root: str | os.PathLike[str], patterns: Sequence[str], new: Mapping[str, bytes]) -> Prints:
        try:
            found = take(root, patterns, self._sink)
        finally:
            if self._out:
                self._out.close()
        for name in new:
            if name not in found.files and not any(matches(name, p) for p in patterns):
                raise IntegrityError(f"{name}: is proposed and not declared; declare it editable")
        files = dict(found.files)
        for name, data in new.items():
            (self.path / name).parent.mkdir(parents=True, exist_ok=True)
            (self.path / name).write_bytes(data)
            files[name] = sha256(data)
        for folder, _, inner in os.walk(self.path, topdown=False):
            for one in inner:
                os.chmod(os.path.join(folder, one), 0o400)
            os.chmod(folder, 0o500)
        return Prints(dict(sorted(files.items())), found.links)

    def _sink(self, name: str, chunk: bytes) -> None:
        if not chunk:
            if self._out:
                self._out.close()
            place = self.path / name
            place.parent.mkdir(parents=True, exist_ok=True)
            self._out = place.open("wb")
        elif self._out:
            self._size += len(chunk)
            if self._size > MOST:
                raise IntegrityError(
                    f"{name}: the declared files are over {MOST >> 20} MB, too much to copy for a trial; declare a "
                    "file of checksums in the place of large data"
                )
            self._out.write(chunk)
