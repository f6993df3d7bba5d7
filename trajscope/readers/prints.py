"""Fingerprints of a trial, compared: which files were not at run or score what they were when it was proposed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from trajscope.readers.wire import FingerprintsFields
from trajscope.trial import Drift

SHOWN = 12  # digits of a hash that are shown


def drifts(prints: FingerprintsFields, graders: Mapping[str, str]) -> list[Drift]:
    """Every file that changed, once; `graders` are the files that score, which no trial may have changed."""
    found: dict[str, Drift] = {}
    for stage in (prints.propose, prints.run, prints.score):
        for path, was, now in _compared(prints.propose, stage, graders):
            if was != now:
                found.setdefault(path, Drift(path, None, was and was[:SHOWN], now and now[:SHOWN]))
    return list(found.values())


def graders(files: Mapping[str, object]) -> dict[str, str]:
    """The declared files that score, with their hashes."""
    if not files:
        return {}
    from trajscope.edits import grades  # most headers declare none, and a rail starts without it

    return {path: sha for path, sha in files.items() if grades(path) and isinstance(sha, str)}


def _compared(
    proposed: Mapping[str, str], stage: Mapping[str, str], graders: Mapping[str, str]
) -> Iterator[tuple[str, str | None, str | None]]:
    """Each file with the hash it must have and the one it had; one that came or went was changed as well."""
    for path, sha in graders.items():
        if path in stage:
            yield path, sha, stage[path]
    if proposed and stage:
        for path in dict.fromkeys((*proposed, *stage)):
            yield path, proposed.get(path), stage.get(path)
