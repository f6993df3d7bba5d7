"""The objects of a git repository, read through one `git cat-file` and never written.

Only full or short hex names are sent to it, and only bytes of objects are taken: no diff, no textconv, no filter, no
hook, no pager, no fetch. A repository is a stranger's, and so is what its configuration says.
"""

from __future__ import annotations

import os
import re
import select
import subprocess
import tempfile
import time
from collections import OrderedDict
from pathlib import Path
from types import TracebackType
from typing import IO, NamedTuple, Self

from trajscope.errors import SourceError

NAME = re.compile(r"[0-9a-f]{4,64}\Z")
MOST = 4 << 20  # bytes of an object; a larger one is no source file
TIMEOUT_S = 20.0  # for one answer
MEMO, KEPT = 1 << 12, 1 << 15  # objects that are remembered, and the bytes of the largest of them
# Whatever a repository's configuration names as a program is not run by `cat-file`; this holds for the day it is.
_OFF = (
    *("core.hooksPath=/dev/null", "core.fsmonitor=false", "core.pager=cat", "core.attributesFile=/dev/null"),
    *("diff.external=", "protocol.allow=never", "core.sshCommand=false", "core.askPass=", "gc.auto=0"),
)
_ENV = {
    "LC_ALL": "C",
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_NO_REPLACE_OBJECTS": "1",
    "GIT_NO_LAZY_FETCH": "1",
    "GIT_ALLOW_PROTOCOL": "none",  # an older git would ask a promisor for what is missing, by the remote's own program
    "GIT_PAGER": "cat",
    "GIT_ATTR_NOSYSTEM": "1",
}


class Entry(NamedTuple):
    """What a tree says of one name."""

    mode: str
    oid: str


class Commit(NamedTuple):
    """What a commit says of its tree and its parents."""

    oid: str
    tree: str
    parents: tuple[str, ...]


class Objects:
    """The objects of one repository. Closed by `close`, by leaving its `with` block, or with its owner."""

    def __init__(self, path: str | Path, *, timeout_s: float = TIMEOUT_S) -> None:
        self.path, self._timeout_s = Path(path), timeout_s
        self._memo: OrderedDict[str, tuple[str, bytes]] = OrderedDict()
        self._git: dict[str, subprocess.Popen[bytes]] = {}
        self._said: dict[str, IO[bytes]] = {}
        self._left: dict[str, bytes] = {}
        if not self.path.is_dir():
            raise SourceError(f"{self.path}: is no folder; name the folder of the git repository with --repo")
        self._folder = self._found()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def __del__(self) -> None:
        if hasattr(self, "_git"):
            self.close()

    def close(self) -> None:
        """End the programs."""
        for git in self._git.values():
            git.kill()
            for pipe in (git.stdin, git.stdout):
                if pipe is not None:
                    pipe.close()
            git.wait()
        for said in self._said.values():
            said.close()
        self._git.clear()
        self._said.clear()
        self._left.clear()

    def commit(self, name: str) -> Commit | None:
        """The commit of this name, short or full; None where there is none, or more than one."""
        if not NAME.match(name):
            return None
        found = self._read(name)
        if found is None or found[1] != "commit":
            return None
        oid, _, data = found
        head = data.partition(b"\n\n")[0].decode("ascii", "replace").splitlines()
        said = [line.split(" ", 1) for line in head if " " in line]
        tree = next((v for k, v in said if k == "tree"), "")
        parents = tuple(v for k, v in said if k == "parent")
        if not all(NAME.match(x) for x in (tree, *parents)):
            return None
        return Commit(oid, tree, parents)

    def tree(self, oid: str) -> dict[str, Entry] | None:
        """The entries of one folder; None where it is not in the repository."""
        found = self._read(oid)
        if found is None or found[1] != "tree":
            return None
        data, at, width = found[2], 0, len(found[0]) // 2
        out: dict[str, Entry] = {}
        while at < len(data):
            space, end = data.find(b" ", at), data.find(b"\0", at)
            if not at < space < end:
                return None
            name = data[space + 1 : end].decode("utf-8", "surrogateescape")
            out[name] = Entry(data[at:space].decode("ascii", "replace"), data[end + 1 : end + 1 + width].hex())
            at = end + 1 + width
        return out

    def blob(self, oid: str) -> bytes | None:
        """The bytes of a file; None where it is missing, or too large for a source file."""
        found = self._read(oid)
        return found[2] if found is not None and found[1] == "blob" else None

    def _read(self, name: str) -> tuple[str, str, bytes] | None:
        if name in self._memo:
            self._memo.move_to_end(name)
            kind, data = self._memo[name]
            return name, kind, data
        head = self._line("--batch-check", name).split()
        if len(head) != 3 or not head[2].isdigit() or int(head[2]) > MOST:
            return None
        oid, kind = head[0], head[1]
        if oid not in self._memo:
            size = int(head[2])
            if self._line("--batch", oid).split() != head:
                return None
            data = self._take("--batch", size + 1)[:-1]
            if size < KEPT:
                self._memo[oid] = (kind, data)
                while len(self._memo) > MEMO:
                    self._memo.popitem(last=False)
        else:
            data = self._memo[oid][1]
        return oid, kind, data

    def _line(self, how: str, name: str) -> str:
        """Ask for an object, and its line."""
        git = self._started(how)
        assert git.stdin is not None
        try:
            git.stdin.write(name.encode("ascii") + b"\n")
            git.stdin.flush()
        except OSError:
            raise self._broken(how) from None
        until = time.monotonic() + self._timeout_s
        while b"\n" not in self._left[how]:
            self._more(how, until)
            if len(self._left[how]) > 1 << 16 and b"\n" not in self._left[how]:
                raise self._broken(how)
        line, _, self._left[how] = self._left[how].partition(b"\n")
        return line.decode("ascii", "replace")

    def _take(self, how: str, size: int) -> bytes:
        until = time.monotonic() + self._timeout_s
        while len(self._left[how]) < size:
            self._more(how, until)
        data, self._left[how] = self._left[how][:size], self._left[how][size:]
        return data

    def _more(self, how: str, until: float) -> None:
        out = self._git[how].stdout
        assert out is not None
        ready, _, _ = select.select([out], [], [], max(0.0, until - time.monotonic()))
        chunk = os.read(out.fileno(), 1 << 20) if ready else b""
        if not chunk:
            raise self._broken(how) if ready else self._late()
        self._left[how] += chunk

    def _started(self, how: str) -> subprocess.Popen[bytes]:
        if how not in self._git:
            said = self._said[how] = tempfile.TemporaryFile()  # noqa: SIM115  # as long as the program runs
            self._git[how] = subprocess.Popen(
                ["git", "--git-dir", self._folder, *_settings(), "--no-pager", "cat-file", how],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=said, env=_environment(), cwd=self._folder,
                start_new_session=True,
            )  # fmt: skip
            self._left[how] = b""
        return self._git[how]

    def _found(self) -> str:
        """Where the repository's objects are."""
        try:
            done = subprocess.run(
                ["git", "-C", str(self.path), *_settings(), "rev-parse", "--path-format=absolute", "--git-common-dir"],
                env=_environment(), capture_output=True, timeout=self._timeout_s, check=False, stdin=subprocess.DEVNULL,
            )  # fmt: skip
        except FileNotFoundError:
            raise SourceError("git is not installed; install it, or leave --repo away") from None
        except subprocess.TimeoutExpired:
            raise self._late() from None
        if done.returncode:
            said = " ".join(done.stderr.decode("utf-8", "replace").split())
            raise SourceError(f"{self.path}: is no git repository that can be read ({said[:200]}); check --repo")
        return os.fsdecode(done.stdout).removesuffix("\n")

    def _late(self) -> SourceError:
        self.close()
        return SourceError(
            f"{self.path}: git did not answer in {self._timeout_s:g} s; check the disk, or leave --repo away"
        )

    def _broken(self, how: str) -> SourceError:
        said = self._said.get(how)
        why = ""
        if said is not None:
            said.seek(0)
            why = " ".join(said.read(400).decode("utf-8", "replace").split())
        self.close()
        return SourceError(f"{self.path}: git stopped ({why or 'it gave no reason'}); run `git fsck` there")


def _settings() -> list[str]:
    return [x for one in _OFF for x in ("-c", one)]


def _environment() -> dict[str, str]:
    return {k: v for k, v in os.environ.items() if not k.startswith("GIT_")} | _ENV
