"""Pack: what a report holds of the file it is about, so that every number can be counted again from the page alone.

Deterministic: the same bytes make the same text. Nothing in it can end the element that it stands in.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

import msgspec

from trajscope import menu
from trajscope.alarms import AlarmSettings
from trajscope.blobs import read_blob
from trajscope.errors import SourceError
from trajscope.layout import Layout
from trajscope.readers import Source

MOST_HELD = 256 << 20  # bytes of a file that are embedded; a longer one is needed itself to count again
MOST_TEXTS = 16 << 20  # bytes of texts that lie beside the run


class Holding:
    """A file's bytes on their way to the reader: hashed, counted and packed as they pass."""

    def __init__(self) -> None:
        self.bytes = 0
        self._sha = hashlib.sha256()
        self._packer = zlib.compressobj(6, zlib.DEFLATED, 31)
        self._parts: list[bytes] | None = []

    def through(self, chunks: Iterable[bytes]) -> Iterator[bytes]:
        """The same bytes again."""
        for chunk in chunks:
            self.bytes += len(chunk)
            self._sha.update(chunk)
            if self.bytes > MOST_HELD:
                self._parts = None
            if self._parts is not None:
                self._parts.append(self._packer.compress(chunk))
            yield chunk

    @property
    def sha256(self) -> str:
        """The hash of what passed."""
        return self._sha.hexdigest()

    def packed(self) -> str | None:
        """All that passed, as text; None where it was too much."""
        if self._parts is None:
            return None
        return base64.b64encode(b"".join([*self._parts, self._packer.flush()])).decode()


class Texts:
    """Texts beside a run, remembered as they are fetched."""

    def __init__(self, path: str) -> None:
        self._path = path
        self.found: dict[str, str] = {}
        self._size = 0

    def fetch(self, sha: str) -> str:
        """The text of this hash."""
        text = read_blob(self._path, sha)
        self._size += len(text)
        if self._size <= MOST_TEXTS:
            self.found[sha] = text
        return text

    @property
    def whole(self) -> bool:
        """Whether all of them are remembered."""
        return self._size <= MOST_TEXTS


def fetched(texts: Mapping[str, str]) -> Callable[[str], str]:
    """Texts that a report holds, fetched as they were from beside the run."""

    def fetch(sha: str) -> str:
        text = texts.get(sha)
        if text is None or hashlib.sha256(text.encode()).hexdigest() != sha:
            raise SourceError(f"{sha[:16]}: the text is not in the report, or was changed")
        return text

    return fetch


def said(source: Source, reader: str | None) -> dict[str, Any]:
    """What the user said of a file, as plain values."""
    return {
        "reader": reader,
        "metric": source.metric,
        "goal": source.goal,
        "history": source.history,
        "menu": source.menu.to_json() if source.menu else None,
        "declared": source.menu.declared if source.menu else None,
        "alarms": msgspec.to_builtins(source.alarms),
        "layout": msgspec.to_builtins(source.layout) if source.layout else None,
        "repo": source.repo,
    }


def unsaid(path: str, words: Mapping[str, Any], fetch: Callable[[str], str] | None) -> tuple[Source, str | None]:
    """The same again as a source."""
    try:
        return (
            Source(
                path,
                words["metric"],
                words["goal"],
                _menu(words) if words["menu"] is not None else None,
                words["history"],
                msgspec.convert(words["alarms"], AlarmSettings),
                msgspec.convert(words["layout"], Layout) if words["layout"] is not None else None,
                fetch=fetch,
            ),
            words["reader"],
        )
    except (KeyError, TypeError, msgspec.ValidationError) as e:
        raise SourceError(f"{path}: its settings cannot be understood ({e}); the report was changed") from None


def _menu(words: Mapping[str, Any]) -> menu.Menu:
    return replace(menu.parse(words["menu"]), declared=bool(words["declared"]))


def script(value: object) -> str:
    """JSON that may stand in a script element: no angle bracket, no ampersand, nothing but ASCII."""
    text = json.dumps(value, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def pack(value: object) -> str:
    """A value as compressed text."""
    return base64.b64encode(gzip.compress(plain(value), 6, mtime=0)).decode()


def plain(value: object) -> bytes:
    """A value as JSON; tuples are lists then, and halves of surrogate pairs are spelt out."""
    return json.dumps(value, ensure_ascii=True, allow_nan=False, separators=(",", ":")).encode()


def unpack(text: str, most: int) -> bytes:
    """What was packed; a text that was changed, or that unpacks to too much, is an error."""
    try:
        packer = zlib.decompressobj(31)
        data = packer.decompress(base64.b64decode(text, validate=True), most)
        if packer.unconsumed_tail or not packer.eof:
            raise ValueError("cut off, or too long")
    except (ValueError, zlib.error) as e:
        raise SourceError(f"data in the report cannot be unpacked ({e}); it was changed or cut off") from None
    return data
