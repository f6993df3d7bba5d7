"""A snapshot: what the declared files held, what they set, and which passages in them guard something.

Saved as JSON that carries its own hash. The hash shows accidents; who can rewrite the file can rewrite the hash, so
whoever fears that keeps `sha` elsewhere (the header of the run is a good place) and hands it to `load`.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from trajscope.errors import IntegrityError
from trajscope.integrity.compare import agreed
from trajscope.integrity.prints import Prints, matches, read, sha256, take
from trajscope.integrity.replace import place
from trajscope.integrity.sentences import Passage
from trajscope.literals import constants

VERSION = 1
# Files whose sentences somebody obeys.
INSTRUCTIONS = (".md", ".mdx", ".txt", ".rst", ".prompt", ".j2", ".jinja", ".cursorrules")
MOST_TEXT = 4 << 20  # bytes of a file whose sentences are compared


@dataclass(frozen=True, kw_only=True)
class Snapshot:
    """The declared files of a root at one moment."""

    root: Path
    editable: tuple[str, ...] = ()  # patterns: may change between trials, never within one
    frozen: tuple[str, ...] = ()  # patterns: may never change
    prints: Prints
    held: frozenset[str] = frozenset()  # the files that are frozen
    config: Mapping[str, object] | None = None  # what every trial starts from, knob by knob
    constants: Mapping[str, Mapping[str, object]] = field(default_factory=dict)  # by Python file
    texts: Mapping[str, str] = field(default_factory=dict)  # instruction files, whole: their guards are compared later
    protected: tuple[Passage, ...] = ()  # declared, each with its reason

    @property
    def patterns(self) -> tuple[str, ...]:
        """Everything that is declared."""
        return self.editable + self.frozen

    @property
    def files(self) -> dict[str, str]:
        """Path and SHA-256 of every declared file, as the header of a run takes them."""
        return dict(self.prints.files)

    @property
    def sha(self) -> str:
        """The hash of all that is said here, but for where the root lies."""
        body = {k: v for k, v in self._body(self.root).items() if k != "root"}
        return sha256(json.dumps(body, sort_keys=True).encode())

    def save(self, path: str | os.PathLike[str]) -> str:
        """Write it as JSON, whole or not at all, and return its hash; the root is said relative to the file."""
        target = Path(path).resolve()
        body = self._body(target.parent) | {"sha256": self.sha}
        try:
            place(target, json.dumps(body, indent=1, ensure_ascii=False, sort_keys=True).encode() + b"\n")
        except OSError as error:
            raise IntegrityError(f"{path}: cannot be written ({error.strerror}); name another file") from None
        return self.sha

    def _body(self, beside: Path) -> dict[str, Any]:
        return {
            "v": VERSION,
            "kind": "trajscope.snapshot",
            "root": os.path.relpath(self.root, beside).replace(os.sep, "/"),
            "editable": list(self.editable),
            "frozen": list(self.frozen),
            "files": dict(self.prints.files),
            "links": dict(self.prints.links),
            "held": sorted(self.held),
            "config": None if self.config is None else dict(self.config),
            "constants": {k: dict(v) for k, v in self.constants.items()},
            "texts": dict(self.texts),
            "protected": [{"path": p.path, "text": p.text, "line": p.line, "reason": p.reason} for p in self.protected],
        }


def snapshot(
    root: str | os.PathLike[str] = ".",
    *,
    editable: Sequence[str] | str = (),
    frozen: Sequence[str] | str = (),
    config: Mapping[str, object] | None = None,
    protected: Iterable[Mapping[str, object]] = (),
) -> Snapshot:
    """Take the declared files as they are now.

    `config` is what a trial starts from; where it is left out, the constants of the editable Python files are it.
    `protected` holds `{"path", "text", "reason"}`, or `"lines": [first, last]` for the text.
    """
    editable, frozen = (((x,) if isinstance(x, str) else tuple(x)) for x in (editable, frozen))
    if not editable and not frozen:
        raise IntegrityError("no file is declared, so nothing could ever be noticed; pass editable= or frozen=")
    prints = take(root, editable + frozen)
    held = _held(root, prints, editable, frozen)
    known, texts = {}, {}
    for name in prints.files:
        if name.endswith(".py"):
            known[name] = constants(read(root, name))
        elif name.lower().endswith(INSTRUCTIONS) and name not in held:  # a frozen one may not change at all
            texts[name] = _text_of(root, name)
    if config is None:
        config = agreed(found for name, found in known.items() if name not in held) or None
    return Snapshot(
        root=Path(root).resolve(),
        editable=editable,
        frozen=frozen,
        prints=prints,
        held=held,
        config=config if config is None else dict(config),
        constants=known,
        texts=texts,
        protected=tuple(_protected(root, prints, one) for one in protected),
    )


def load(
    path: str | os.PathLike[str], *, root: str | os.PathLike[str] | None = None, sha: str | None = None
) -> Snapshot:
    """A saved snapshot; refused where it was changed, or is not the one whose hash is `sha`."""
    file = Path(path)
    try:
        body = json.loads(file.read_bytes())
        if not isinstance(body, dict) or body.get("kind") != "trajscope.snapshot":
            raise IntegrityError(f"{path}: is no snapshot; take one with `trajscope integrity snapshot`")
        if body.get("v") != VERSION:
            raise IntegrityError(f"{path}: is a snapshot of version {body.get('v')}; this trajscope reads {VERSION}")
        top = Path(root) if root is not None else file.resolve().parent / body["root"]
        found = _parsed(body, top.resolve())
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise IntegrityError(f"{path}: cannot be read as a snapshot ({error}); restore it or take a new one") from None
    if found.sha != body.get("sha256"):
        raise IntegrityError(
            f"{path}: was changed since it was saved (its hash does not fit); restore it or take a new one"
        )
    if sha is not None and found.sha != sha:
        raise IntegrityError(f"{path}: is another snapshot than the one asked for ({found.sha[:12]}, not {sha[:12]})")
    return found


def _parsed(body: dict[str, Any], root: Path) -> Snapshot:
    return Snapshot(
        root=root,
        editable=tuple(map(str, body["editable"])),
        frozen=tuple(map(str, body["frozen"])),
        prints=Prints(dict(body["files"]), dict(body["links"])),
        held=frozenset(body["held"]),
        config=None if body["config"] is None else dict(body["config"]),
        constants={k: dict(v) for k, v in body["constants"].items()},
        texts=dict(body["texts"]),
        protected=tuple(
            Passage(str(p["text"]), "declared", int(p["line"]), str(p["path"]), str(p["reason"]))
            for p in body["protected"]
        ),
    )


def _held(
    root: str | os.PathLike[str], prints: Prints, editable: tuple[str, ...], frozen: tuple[str, ...]
) -> frozenset[str]:
    """The frozen files. What is named in full belongs where it is named; otherwise nothing may be both."""
    out = set()
    for name in prints.files:
        loose, fast = (any(matches(name, p) for p in side) for side in (editable, frozen))
        if loose and fast:
            loose, fast = name in editable, name in frozen
            if loose == fast:
                raise IntegrityError(f"{name}: is declared editable and frozen; name it in full under one of them")
        if fast:
            out.add(name)
    return frozenset(out)


def _text_of(root: str | os.PathLike[str], name: str) -> str:
    data = read(root, name)
    if len(data) > MOST_TEXT:
        raise IntegrityError(
            f"{name}: is over {MOST_TEXT >> 20} MB, too long to compare its sentences; declare it frozen"
        )
    return data.decode("utf-8", "replace")


def _protected(root: str | os.PathLike[str], prints: Prints, one: Mapping[str, object]) -> Passage:
    path, text, reason = (one.get(k) for k in ("path", "text", "reason"))
    if not isinstance(path, str) or path not in prints.files:
        raise IntegrityError(f"{path}: holds a protected passage and is not declared; declare it editable or frozen")
    if not isinstance(reason, str) or not reason.strip():
        raise IntegrityError(f"{path}: a protected passage needs its reason, or somebody will remove it as friction")
    whole = read(root, path).decode("utf-8", "replace")
    if (lines := one.get("lines")) is not None:
        first, last = cast("Sequence[int]", lines)
        text = "\n".join(whole.splitlines()[first - 1 : last])
    if not isinstance(text, str) or not text.strip() or text not in whole:
        raise IntegrityError(
            f"{path}: does not hold the protected passage {str(text)[:60]!r}; say it as it stands there"
        )
    return Passage(text, "declared", whole[: whole.index(text)].count("\n") + 1, path, reason)
