"""Wakes whoever waits for a file to change: by the system's notices, and by the clock where there are none.

Notices are only a hint: a network mount sends none, so that everybody looks again after `look_s` whatever happened.
A folder is heard with all that is below it, unless that is too much to listen to.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Self

LOOK_S = 1.0  # seconds after which one looks though nothing was heard
DEAF_S = 0.25  # the same where the system sends no notices at all
MANY = 1000  # folders below one; beyond, only its top is heard, because each takes one of the system's watches


class Wake:
    """Waits for changes in the folders of some files. `deaf` says why there are no notices, where there are none."""

    def __init__(self, paths: Iterable[str | Path], *, notices: bool = True, look_s: float = LOOK_S) -> None:
        self.deaf: str | None = None
        self._look_s = look_s
        self._changed = threading.Event()
        self._made = threading.Event()
        self._observer: Any = None
        self._folders: set[Path] = set()
        if notices:
            for path in paths:
                self.also(path)
        else:
            self._no_notices("they were not wanted")

    def also(self, path: str | Path) -> None:
        """Listen for this file too: to its folder, because a file that is replaced takes its own notices with it."""
        place = Path(path).absolute()
        folder = place if place.is_dir() else place.parent
        if self.deaf or folder in self._folders or not folder.is_dir():
            return
        try:
            self._listen(folder, below=folder == place and _few(folder))
            self._folders.add(folder)
        except OSError as e:  # too many watches, a file system without them
            self._no_notices(f"{folder}: {e.strerror or e}")

    def wait(self, most_s: float | None = None) -> bool:
        """Wait until something may have changed, at most so long; whether a notice came."""
        look = self._look_s if most_s is None else min(most_s, self._look_s)
        heard = self._changed.wait(look)
        self._changed.clear()
        return heard

    def made(self) -> bool:
        """Whether anything was made or renamed since this was last asked; always, where no notices come."""
        made = self._made.is_set() or self.deaf is not None
        self._made.clear()
        return made

    def rouse(self) -> None:
        """Wake whoever waits."""
        self._changed.set()

    def close(self) -> None:
        """Listen no more."""
        self._stop()
        self.rouse()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _listen(self, folder: Path, *, below: bool) -> None:
        import logging

        from watchdog.events import FileSystemEvent, FileSystemEventHandler
        from watchdog.observers import Observer

        logging.getLogger("watchdog").addHandler(logging.NullHandler())  # what it says of its own ending is no news
        changed, made = self._changed, self._made

        class Heard(FileSystemEventHandler):
            def on_any_event(self, event: FileSystemEvent) -> None:
                if event.event_type not in ("opened", "closed_no_write"):  # our own reading is no news
                    if event.event_type in ("created", "moved"):
                        made.set()
                    changed.set()

        if self._observer is None:
            self._observer = Observer()
            self._observer.start()
        self._observer.schedule(Heard(), str(folder), recursive=below)

    def _no_notices(self, why: str) -> None:
        self.deaf = why
        self._look_s = min(self._look_s, DEAF_S)
        self._stop()

    def _stop(self) -> None:
        observer, self._observer = self._observer, None
        if observer is not None:
            observer.stop()
            observer.join()


def _few(folder: Path) -> bool:
    """Whether so few folders are below this one that all can be listened to."""
    found = 0
    for _, below, _ in os.walk(folder):
        found += len(below)
        if found > MANY:
            return False
    return True
