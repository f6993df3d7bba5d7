"""Watching: what somebody who watched a run would have been told, trial by trial, and when first."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from trajscope import follow


class First(NamedTuple):
    """When a word was first said: after which trial, and what the best stood at."""

    trial: int
    best: float | None


class Watch:
    """Looks at a file as it grows."""

    def __init__(self, path: Path) -> None:
        self._live = follow(path)
        self.first: dict[str, First] = {}  # of every word

    def look(self) -> None:
        """Take in what is new."""
        while self._live.step().items:
            pass
        if (said := self._live.said()) is not None:
            best = said.values["best.value"]
            found = First(said.values["trials"], best if isinstance(best, float) else None)
            self.first.setdefault(said.word.word, found)

    def after(self, word: str) -> int | None:
        """After how many trials a word was first said."""
        found = self.first.get(word)
        return None if found is None else found.trial

    def close(self) -> None:
        """Look no longer."""
        self._live.close()


def replayed(path: Path, copy: Path) -> Watch:
    """A finished file looked at after each of its lines."""
    watch = Watch(copy)
    with path.open("rb") as source, copy.open("wb") as growing:
        for line in source:
            growing.write(line)
            growing.flush()
            watch.look()
    watch.close()
    return watch
