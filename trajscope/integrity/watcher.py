"""Sees a declared file change while the run is still going, and says which file and which knob.

A notice is only a reason to look: what counts is the hash. Leaving the `with` block looks once more, so that a notice
that never came costs time, not truth. What changed and was put back between two looks stays unseen.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, Self

from trajscope.errors import IntegrityError
from trajscope.integrity import compare
from trajscope.integrity.prints import look
from trajscope.integrity.snapshots import Snapshot
from trajscope.trial import Drift

if TYPE_CHECKING:
    from watchdog.observers.api import BaseObserver

How = Literal["auto", "notify", "poll"]
# Reading a file is an event too (`opened`, `closed_no_write`): answering it with a look would never end.
_WRITES = frozenset(("created", "modified", "moved", "deleted", "closed"))


class Watcher:
    """Watches the files of a snapshot from a thread of its own, and calls `seen` with every drift once.

    `how`: `notify` asks the system (and fails where it cannot), `poll` looks every `every_s`, `auto` is the first with
    the second to fall back on; after entering it says which of the two it is. `wait` is for tests: it is called between
    two polls and ends the watch by returning True.
    """

    def __init__(
        self,
        snapshot: Snapshot,
        seen: Callable[[Drift], object],
        *,
        how: How = "auto",
        every_s: float = 1.0,
        wait: Callable[[float], bool] | None = None,
    ) -> None:
        self.how: How = how
        self.drifts: list[Drift] = []
        self.error: BaseException | None = None  # why the watch ended early, if it did
        self._snapshot, self._seen, self._every_s = snapshot, seen, every_s
        self._stop, self._wake, self._turn = threading.Event(), threading.Event(), threading.Lock()
        self._wait = wait or self._stop.wait
        self._observer: BaseObserver | None = None
        self._thread: threading.Thread | None = None

    def look(self) -> list[Drift]:
        """Hash everything now, and return and call back what was not known yet."""
        with self._turn:
            try:
                now = look(self._snapshot.root, self._snapshot.patterns)
                start = self._snapshot
                found = compare.drifts(start.prints, now, start.constants, start.root)
            except IntegrityError as error:
                found = [Drift(str(error).partition(":")[0], None, "readable", str(error))]
            fresh = [d for d in found if d not in self.drifts]
            self.drifts += fresh
        for drift in fresh:
            self._seen(drift)
        return fresh

    def __enter__(self) -> Self:
        if self.how != "poll":
            self._notify()
        self._thread = threading.Thread(target=self._watch, name="trajscope-watcher", daemon=True)
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self._stop.set()
        self._wake.set()
        if self._observer is not None:
            self._observer.stop()
            self._observer.join()
        if self._thread is not None:
            self._thread.join()
        self.look()

    def _watch(self) -> None:
        try:
            self.look()  # what changed before anybody listened
            while not self._stop.is_set():
                if self._observer is None:
                    if self._wait(self._every_s):
                        return
                else:
                    self._wake.wait()
                    self._wake.clear()
                self.look()
        except BaseException as error:  # noqa: BLE001  # a callback's fault is its owner's to see, and must not be lost
            self.error = error

    def _notify(self) -> None:
        """Listen to the folders of the declared files; a file that is replaced keeps its folder, not its inode."""
        try:
            from watchdog.events import FileSystemEventHandler
            from watchdog.observers import Observer

            class Handler(FileSystemEventHandler):
                def on_any_event(_, event: Any) -> None:  # noqa: N805  # the watcher is `self` here
                    if event.event_type in _WRITES:
                        self._wake.set()

            self._observer = Observer()
            for folder, deep in self._folders().items():
                self._observer.schedule(Handler(), str(folder), recursive=deep)
            self._observer.start()
            self.how = "notify"
        except (ImportError, OSError) as error:
            self._observer = None
            if self.how == "notify":
                raise IntegrityError(f"the system gives no notice of changes ({error}); pass how='poll'") from None
            self.how = "poll"

    def _folders(self) -> dict[Path, bool]:
        """The folders to listen to, and whether to all below them."""
        root = self._snapshot.root
        out: dict[Path, bool] = {}
        for pattern in self._snapshot.patterns:
            plain = [p for p in pattern.split("/") if p not in ("", ".")]
            cut = next((i for i, p in enumerate(plain) if set(p) & set("*?[")), len(plain))
            start = root.joinpath(*plain[:cut])
            deep = start.is_dir()
            out[start if deep else start.parent] = deep or out.get(start.parent, False)
        for name in self._snapshot.prints.links:
            target = (root / name).resolve().parent
            out.setdefault(target, False)
        return out
