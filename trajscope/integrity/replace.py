"""Compare-and-swap of a file: new bytes only where the old ones are what the writer thought to replace.

Writers that swap take turns (a lock beside the file). Against one that does not, a window remains between the last look
and the rename, microseconds wide: what it wrote in there is lost. What it writes afterwards is seen by reading back.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import stat
from pathlib import Path

from trajscope.blobs import sync_folder
from trajscope.errors import CASConflict, IntegrityError
from trajscope.integrity.prints import sha256

PATIENCE_S = 10.0  # for another swapper to finish


def swap(path: str | os.PathLike[str], expected: str | None, new: bytes, *, patience_s: float = PATIENCE_S) -> str:
    """Replace a file whose SHA-256 is `expected` (None: that is not there), and return the new SHA-256.

    Otherwise `CASConflict`, and nothing is written. A link is followed, the mode is kept, the bytes are on the disk.
    """
    from filelock import FileLock, Timeout

    if expected is not None and (len(expected) != 64 or set(expected) - set("0123456789abcdef")):
        raise IntegrityError(f"{path}: {expected[:20]!r} is no SHA-256 in hex; hand over that of what was read")
    target = Path(os.path.realpath(path))
    try:
        with FileLock(target.with_name(f".{target.name}.swap-lock"), timeout=patience_s):
            _agree(target, expected)
            place(target, new, before=lambda: _agree(target, expected))
            wrote = sha256(new)
            if (now := _sha(target)) != wrote:
                raise CASConflict(
                    f"{target}: was written and at once changed by somebody else ({_said(now)}, not {wrote[:12]}); "
                    "find what writes it, then read it again"
                )
            return wrote
    except Timeout:
        raise CASConflict(
            f"{target}: another writer has been at it for {patience_s:g} s; nothing was written, try again"
        ) from None
    except OSError as error:
        raise IntegrityError(f"{target}: cannot be written ({error.strerror}); it is as it was") from None


def place(target: Path, data: bytes, before: object = None) -> None:
    """Put bytes in the place of a file, whole or not at all, durably; `before` is asked right before the rename."""
    temporary = target.with_name(f".{target.name}.swap-{secrets.token_hex(4)}")
    try:
        with temporary.open("xb") as out:
            out.write(data)
            out.flush()
            with contextlib.suppress(FileNotFoundError):  # a new file has the mode that new files have
                os.fchmod(out.fileno(), stat.S_IMODE(target.stat().st_mode))
            os.fsync(out.fileno())
        if callable(before):
            before()
        temporary.replace(target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    sync_folder(target.parent)


def _agree(target: Path, expected: str | None) -> None:
    now = _sha(target)
    if now != expected:
        raise CASConflict(
            f"{target}: is {_said(now)}, not {_said(expected)}; somebody wrote it since it was read. Nothing was "
            "written: read it again and decide anew"
        )


def _said(sha: str | None) -> str:
    return "absent" if sha is None else sha[:12]


def _sha(target: Path) -> str | None:
    try:
        return sha256(target.read_bytes())
    except FileNotFoundError:
        return None
