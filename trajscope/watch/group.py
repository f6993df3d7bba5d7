"""Some runs that are watched at once: files that were named, or a folder in which new ones appear.

Knows no terminal and no clock. Reading is cut into short turns, so that one long file does not keep the others waiting.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from time import perf_counter

from trajscope import fleet, sources, unfold
from trajscope.errors import TrajscopeError
from trajscope.readers import Source
from trajscope.unfold import Stamp
from trajscope.wake import Wake
from trajscope.watch.panel import Panel
from trajscope.watch.watching import Watching

TURN_S = 0.1  # reading of one turn
SEARCH_S = 2.0  # how often a folder is searched for new files, though nobody said that there are any
REST = 20.0  # and never more often than this many times what a search takes
OFTEN_S = 0.25  # the values are counted at most so often

Said = Callable[[Path], tuple[Source, str | None]]


class Group:
    """Runs by their path. `folder` is searched for more of them; a file that no reader knows is let go again."""

    def __init__(
        self,
        said: Said,
        *,
        folder: Path | None = None,
        told: Callable[[Panel], None] | None = None,
        sidecars: bool = False,
    ) -> None:
        self.runs: dict[str, Watching] = {}
        self.troubles: dict[str, str] = {}  # files that cannot be watched, and why
        self.folder = folder
        self._said = said
        self._told = told
        self._sidecars = sidecars
        self._foreign: dict[str, int] = {}  # and how many bytes no reader knew
        self._strange: dict[str, Stamp] = {}  # the same of what is unfolded, as it stood
        self._damaged: dict[str, int] = {}  # archives that could not be unpacked whole, and their times then
        self._made = True  # something may be in the folder that was not
        self._searched_s = 0.0  # the clock at the last search, and what a search costs at most
        self._rest_s = 0.0

    def add(self, path: Path, watching: Watching | None = None) -> None:
        """Watch one more file."""
        self.runs[str(path)] = watching or Watching(*self._said(path), sidecar=self._sidecars)

    def reopened(self, path: str) -> Watching:
        """A run read again from its beginning, with its rows kept for SQL."""
        old = self.runs[path]
        if old.answers is None and old.played is None:
            old.close(keep=False)
            self.runs[path] = Watching(old.live.source, old.reader, asked=True, sidecar=self._sidecars)
        return self.runs[path]

    @property
    def played(self) -> bool:
        """Whether some run is a finished one that is played."""
        return any(x.played for x in self.runs.values())

    @property
    def behind(self) -> bool:
        """Whether some run has more to read at once."""
        return any(x.behind for x in self.runs.values())

    @property
    def over(self) -> bool:
        """Whether nothing more will come of any of them."""
        return self.folder is None and all(x.over for x in self.runs.values())

    @property
    def made(self) -> bool:
        """Whether something may be in the folder that was not searched for yet."""
        return self.folder is not None and self._made

    def search_soon(self) -> None:
        """Something was made in the folder."""
        self._made = True

    def turn(self, now_s: float, turn_s: float = TURN_S) -> bool:
        """Read on for a moment, a step of each run at least; whether anything came."""
        if self.folder is not None and self._due(now_s):
            self._made, self._searched_s = False, now_s
            self._search(self.folder)
        until, news = perf_counter() + turn_s, False
        for path, watching in list(self.runs.items()):
            news |= watching.step(now_s)
            while watching.behind and not watching.to_show and perf_counter() < until:
                news |= watching.step(now_s)
            if self.folder is not None and watching.live.run is None and watching.live.foreign:
                watching.close()
                del self.runs[path]
                self._foreign[path] = sources.HEAD if watching.live.tail.ended else watching.live.tail.at
                if (kind := unfold.find(path)) is not None:  # not by its size: its tables may come in a WAL
                    self._strange[path] = kind.stamp(path)
            if self.folder is not None and watching.live.tail.damaged:
                self._damaged[path] = watching.live.tail.changed_ns
        return news

    def look(self, now_s: float, *, at_once: bool = True) -> dict[str, Panel]:
        """Every run as it is now, by its path; whoever wanted to be told hears of it."""
        found = {path: x.look(now_s, at_once=at_once or not x.behind) for path, x in list(self.runs.items())}
        for panel in found.values() if self._told else ():
            self._told(panel)  # type: ignore[misc]  # asked above
        return found

    def close(self) -> None:
        """Let go of all of them."""
        for watching in self.runs.values():
            watching.close()

    def _worth(self, path: str) -> bool:
        """Whether a file that no reader knew has so much more in it that one might."""
        if path in self._strange:
            kind = unfold.find(path)
            return kind is None or kind.stamp(path) != self._strange[path]
        known = self._foreign.get(path)
        return known is None or (known < sources.HEAD and sources.size(path) > known)

    def _due(self, now_s: float) -> bool:
        """Whether the folder is to be searched: soon where something was made, and else now and then."""
        rest_s = self._rest_s if self._made else max(SEARCH_S, self._rest_s)
        return not self._searched_s or abs(now_s - self._searched_s) >= rest_s

    def _grew(self, path: str) -> bool:
        """Whether an archive was changed since it could not be unpacked: it may not have been written to its end."""
        if path not in self._damaged or self._damaged[path] == _changed_ns(path):
            return False
        del self._damaged[path]
        self.runs.pop(path).close()
        return True

    def _search(self, folder: Path) -> None:
        started = perf_counter()
        try:
            found = fleet.files(folder)
        except (TrajscopeError, OSError) as e:
            self.troubles[str(folder)] = str(e)
            return
        # Without what is found for the first time: to open that, and what it imports, is no search.
        self._rest_s = REST * (perf_counter() - started)
        self.troubles.pop(str(folder), None)
        for path in found:
            name = str(path)
            if (name in self.runs and not self._grew(name)) or name in self.troubles or not self._worth(name):
                continue
            try:
                self.add(path)
            except TrajscopeError as e:
                self.troubles[name] = str(e)


def _changed_ns(path: str) -> int:
    try:
        return Path(path).stat().st_mtime_ns
    except OSError:
        return 0


def beats(
    group: Group, wake: Wake, clock: Callable[[], float], *, every: bool = False, often_s: float = OFTEN_S
) -> Iterator[None]:
    """Read on for ever, and say when it is time to show it: when something may have changed, but not too often.

    With `every`, each step of reading is shown; else there are `often_s` between two times.
    """
    due_s = 0.0
    while True:
        if wake.made():
            group.search_soon()
        group.turn(clock(), 0.0 if every else TURN_S)
        rest_s = due_s - perf_counter()
        if rest_s > 0 and not every:
            if not group.behind:
                wake.wait(rest_s)
            continue
        due_s = perf_counter() + often_s
        yield
        if not group.behind:
            wake.wait(OFTEN_S if group.played or group.made else None)


def panels(
    group: Group, wake: Wake, clock: Callable[[], float], *, once: bool = False
) -> Iterator[tuple[Watching, Panel]]:
    """What is to be said of each run, whenever something may have changed; ends when nothing more can come.

    With `once`, what is there now is read and every run is told of once.
    """
    if once:
        _to_the_end(group, wake, clock)
        yield from _each(group, clock)
        return
    for _ in beats(group, wake, clock, every=group.played):
        yield from _each(group, clock)
        if group.over:
            return


def _each(group: Group, clock: Callable[[], float]) -> Iterator[tuple[Watching, Panel]]:
    found = group.look(clock())
    yield from ((group.runs[path], panel) for path, panel in found.items())


def _to_the_end(group: Group, wake: Wake, clock: Callable[[], float]) -> None:
    """Read what is there, and of a pipe what comes until it is closed."""
    group.turn(clock())
    while group.behind or any(x.open_pipe for x in group.runs.values()):
        if not group.behind:
            wake.wait(OFTEN_S)
        group.turn(clock())
    group.close()  # a last line without an end is torn as far as one look can tell
