"""A whole JSON document, read with limits. One that is written anew in place is half there for a moment: it is said."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec

from trajscope.errors import SourceError

MOST = 1 << 29  # bytes of a document; as Python objects it is ten times as large
MAX_TEXT = 1 << 16  # letters of a text that are carried over; what a program printed has no end


def load(path: Path) -> Any:
    """The value of the document; NaN and Infinity are read."""
    try:
        with path.open("rb") as f:
            data = f.read(MOST + 1)
    except OSError as e:
        raise SourceError(f"{path}: cannot be read ({e.strerror}); check the path") from None
    if len(data) > MOST:
        raise SourceError(f"{path}: is a JSON document of over {MOST:,} bytes; export it as JSON lines")
    try:
        return msgspec.json.decode(data)
    except RecursionError:
        raise SourceError(f"{path}: is nested too deeply to be read; export it as JSON lines") from None
    except (msgspec.MsgspecError, UnicodeError):
        pass
    try:
        return json.loads(data.decode("utf-8", "replace"))
    except RecursionError:
        raise SourceError(f"{path}: is nested too deeply to be read; export it as JSON lines") from None
    except ValueError as e:
        why = "is empty" if not data.strip() else f"is no whole JSON document ({e})"
        raise SourceError(f"{path}: {why}; if somebody writes it just now, read it again, else restore it") from None


def line(record: Any) -> bytes:
    """A record as a line; what no JSON can say is its text."""
    text = json.dumps(record, separators=(",", ":"), default=str)  # escapes all that is not ASCII, half letters too
    return text.encode() + b"\n"


def cut(text: object) -> object:
    """A text, its middle left out where it is very long; anything else as it is."""
    if not isinstance(text, str) or len(text) <= MAX_TEXT:
        return text
    half = MAX_TEXT // 2
    return f"{text[:half]}\n[{len(text) - MAX_TEXT:,} letters left out]\n{text[-half:]}"
