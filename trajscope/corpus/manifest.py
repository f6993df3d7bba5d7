"""Manifest: what a corpus was made of and what it holds, by hash, and the check that it is still so.

Knows nothing of trials. A manifest is read as a stranger's text: no path that it names is opened, the folder is listed
instead.
"""

from __future__ import annotations

import hashlib
import json
import stat
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from trajscope import sources
from trajscope.errors import CorpusError
from trajscope.readable import plural
from trajscope.verdict import Level, Verdict

SCHEMA = 1
NAME, CARD = "manifest.json", "README.md"
LARGEST = 64 << 20  # bytes of a manifest that is read


class Print(NamedTuple):
    """What a file held when somebody looked."""

    sha256: str
    bytes: int


def fingerprint(path: str | Path) -> Print:
    """The hash and size of a file as it stands on disk, compressed or not."""
    found, size = hashlib.sha256(), 0
    with sources.opened(path) as f:
        try:
            while chunk := f.read(sources.CHUNK):
                found.update(chunk)
                size += len(chunk)
        except OSError as e:
            raise CorpusError(f"{path}: cannot be read to its end ({e.strerror}); check the disk") from None
    return Print(found.hexdigest(), size)


def text_hash(said: str) -> str:
    """The hash of a text."""
    return hashlib.sha256(said.encode("utf-8", "surrogatepass")).hexdigest()


def text(manifest: Mapping[str, Any]) -> str:
    """A manifest as it stands in its file."""
    return json.dumps(manifest, indent=2, sort_keys=True, ensure_ascii=True, allow_nan=False) + "\n"


def load(folder: str | Path) -> dict[str, Any]:
    """The manifest of a corpus."""
    path = Path(folder) / NAME
    with sources.opened(path) as f:
        try:
            found = json.loads(f.read(LARGEST))
        except (OSError, ValueError, RecursionError):
            raise CorpusError(f"{path}: is no manifest of a corpus; build the corpus again") from None
    if not isinstance(found, dict) or not isinstance(found.get("files"), dict):
        raise CorpusError(f"{path}: is no manifest of a corpus; build the corpus again")
    if found.get("schema") != SCHEMA:
        said = f"{found.get('schema')!r}"[:40]
        raise CorpusError(f"{path}: has schema {said}, and {SCHEMA} is known here; verify it with its own version")
    return found


def verify(folder: str | Path, inputs: Sequence[str | Path] = (), sha: str | None = None) -> list[Verdict]:
    """Whether every file is what the manifest says, nothing more lies there, and these inputs are those it names."""
    home = Path(folder)
    manifest = load(home)
    own = fingerprint(home / NAME)
    return [
        _own(own, sha),
        *_files(home, manifest["files"]),
        *_inputs(manifest.get("inputs"), inputs),
    ]


def _own(own: Print, sha: str | None) -> Verdict:
    if sha is None or sha == own.sha256:
        kept = "" if sha else "; whoever changes files can change it too, unless you kept this hash (--sha)"
        return Verdict("manifest", Level.PASS, f"sha256 {own.sha256}{kept}")
    return Verdict("manifest", Level.FAIL, f"has sha256 {own.sha256}, not {sha[:80]}")


def _files(home: Path, said: Mapping[str, Any]) -> list[Verdict]:
    there = {p.relative_to(home).as_posix(): p for p in sorted(home.rglob("*")) if p.is_symlink() or not p.is_dir()}
    there.pop(NAME, None)
    out = [Verdict("files", Level.FAIL, f"{name}: is missing") for name in sorted(set(said) - set(there))]
    right = 0
    for name, path in there.items():
        if (why := _wrong(path, said.get(name))) is None:
            right += 1
        else:
            out.append(Verdict("files", Level.FAIL, f"{name}: {why}"))
    if not out and not right:
        out.append(Verdict("files", Level.UNKNOWN, "the manifest names no file"))
    return out or [Verdict("files", Level.PASS, f"all {right:,} are what the manifest says")]


def _wrong(path: Path, said: Any) -> str | None:
    if not isinstance(said, dict):
        return "the manifest does not name it"
    if path.is_symlink() or not stat.S_ISREG(path.stat().st_mode):
        return "is no plain file"
    found = fingerprint(path)
    if found != (said.get("sha256"), said.get("bytes")):
        return f"holds {found.bytes:,} bytes with sha256 {found.sha256[:16]}, the manifest says another hash"
    rows = said.get("rows")
    if path.suffix == ".jsonl" and rows != (n := _lines(path)):
        return f"holds {n:,} rows, the manifest says {rows}"
    return None


def _lines(path: Path) -> int:
    return sum(chunk.count(b"\n") for chunk in sources.read(path))


def _inputs(said: Any, inputs: Sequence[str | Path]) -> list[Verdict]:
    known = [x for x in said if isinstance(x, dict)] if isinstance(said, list) else []
    if not known:
        return [Verdict("inputs", Level.FAIL, "the manifest does not say what this was made of")]
    if not inputs:
        which = plural(len(known), "file")
        return [Verdict("inputs", Level.UNKNOWN, f"not compared: name the {which} that this was made of")]
    hashes = {x.get("sha256"): x.get("name") for x in known}
    out, met = [], set()
    for path in inputs:
        found = fingerprint(path)
        if found.sha256 in hashes:
            met.add(found.sha256)
        else:
            out.append(Verdict("inputs", Level.FAIL, f"{path}: is none of those that this was made of, or was changed"))
    lost = [str(name) for sha256, name in hashes.items() if sha256 not in met]
    if lost and not out:
        out.append(Verdict("inputs", Level.UNKNOWN, f"not at hand: {', '.join(lost[:5])}"))
    return out or [Verdict("inputs", Level.PASS, f"all {len(known):,} are those that this was made of")]
