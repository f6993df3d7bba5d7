"""Unfolds the list of records that a biology campaign keeps in `campaign.json`, which is written anew with each."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from trajscope.errors import SourceError
from trajscope.unfold import document


def unfold(path: Path) -> Iterator[bytes]:
    """What it is, and then its records in their order."""
    held = document.load(path)
    if not isinstance(held, list):
        raise SourceError(f"{path}: is no list of records; name the file that the campaign keeps")
    yield document.line({"unfolded": "campaign"})
    for record in held:
        fields = record.items() if isinstance(record, dict) else ()
        yield document.line({k: document.cut(v) for k, v in fields} if fields else record)


def watched(path: Path) -> list[Path]:
    """The document alone."""
    return [path]
