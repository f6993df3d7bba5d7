"""Holdout values, kept where the proposer cannot see them: a file of mode 0600, and a salted commitment in the trial.

The trial line tells the bit and the commitment; who holds this file can show later which values they stood for.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
from collections.abc import Mapping
from pathlib import Path

from trajscope.blobs import sync_folder
from trajscope.errors import SourceError


def commitment(salt: str, values: Mapping[str, object]) -> str:
    """SHA-256 over the salt and the values as JSON with sorted keys and no spaces."""
    text = json.dumps(values, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return hashlib.sha256((salt + text).encode()).hexdigest()


def seal(path: Path, seq: int, values: Mapping[str, object], *, fsync: bool) -> str:
    """Append the values of trial `seq` to the holdout file, durably, and return the trial's commitment."""
    salt = secrets.token_hex(16)
    line = json.dumps({"seq": seq, "salt": salt, "values": values}, separators=(",", ":"), ensure_ascii=False)
    new = not path.exists()
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | getattr(os, "O_NOFOLLOW", 0), 0o600)
    try:
        os.fchmod(handle, 0o600)  # it may have been there before, open to others
        start = os.fstat(handle).st_size
        torn = start and os.pread(handle, 1, start - 1) != b"\n"
        data = (b"\n" if torn else b"") + line.encode() + b"\n"
        try:
            if os.write(handle, data) != len(data):
                raise OSError(28, "No space left on device")
            if fsync:
                os.fsync(handle)
        except OSError:
            os.ftruncate(handle, start)
            raise
    finally:
        os.close(handle)
    if new and fsync:
        sync_folder(path.parent)
    return commitment(salt, values)


def opened(path: str | os.PathLike[str], seq: int, committed: str) -> dict[str, object]:
    """The values behind a trial's commitment; raises where the file holds none that fit it.

    A crash may leave values of a trial that was never written, so a seq may stand there twice: the commitment decides.
    """
    for line in Path(path).read_bytes().splitlines():
        try:
            entry = json.loads(line)
            values = entry["values"]
            if entry["seq"] == seq and commitment(entry["salt"], values) == committed:
                return dict(values)
        except (ValueError, TypeError, KeyError):
            continue  # a torn line; if it was the one asked for, the error below says so
    raise SourceError(f"{path}: holds no values for seq {seq} that fit its commitment; they are gone or were changed")
