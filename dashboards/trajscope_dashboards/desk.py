"""The desk between one reading of the runs and everybody who looks: the newest state of each, never a queue.

Reading has a thread, drawing has another, and the page's own loop is only told that something is new.
"""

from __future__ import annotations

import asyncio
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import msgspec

from trajscope import Lookout, Sight, TrajscopeError
from trajscope_dashboards import drawing
from trajscope_dashboards.changes import changes
from trajscope_dashboards.drawing import Spec

SCHEMA = 1  # of what programs get
REST = 0.25  # times what drawing took that nothing is drawn
MOST_REST_S = 5.0
FIRST_S = 0.2  # between two drawings of the first picture, so that rows which come together are drawn together
OTHERS_S = 3.0  # between two drawings of a picture that hardly moves
WORTH = 2  # times that what changed must be smaller than the whole to be told instead of it
LOOKED_S = 30.0  # after which nobody is held to look at a run any more


class Picture(NamedTuple):
    """A picture, the count of changes at which it was drawn, and how to come to it from the one before.

    Both are spelt once, for everybody who looks.
    """

    at: int
    spec: Spec
    whole: bytes  # the specification, as JSON
    before: int = 0  # the count of the one before
    moved: bytes = b""  # what changed since that, as an event's data; nothing where it is too much to be worth it


@dataclass(frozen=True)
class Post:
    """One run as it was put on the desk, and the count of changes at which that was."""

    sight: Sight
    at: int
    drawn: Mapping[str, Picture]
    spelt: dict[object, bytes] = field(default_factory=dict)  # what was said of it once, and will be again

    def said(self, key: object, value: Callable[[], Any]) -> bytes:
        """A value as JSON, under a key that says which; spelt the first time that it is asked for."""
        found = self.spelt.get(key)
        if found is None:
            found = self.spelt[key] = msgspec.json.encode(value())
        return found


class _Drawn:
    """What each picture of one run was last made of, and when."""

    def __init__(self) -> None:
        self.of: dict[str, object] = {}
        self.inputs: dict[str, tuple[Any, ...]] = {}
        self.at_s: dict[str, float] = {}


class Desk:
    """Walks through the rounds of a lookout and holds what came of them."""

    def __init__(self, lookout: Lookout, clock: Callable[[], float] = time.monotonic) -> None:
        self.lookout = lookout
        self.count = 0  # changes so far
        self.posts: Mapping[str, Post] = {}  # replaced whole
        self.gone: dict[str, int] = {}  # runs that are no more, and the count at which they went
        self.fault: str | None = None  # why nothing is read any more
        self.ready = threading.Event()  # the folder was looked through once
        self.over = False
        self._clock = clock
        self._lock = threading.Lock()
        self._looked: dict[str, float] = {}
        self._drawn: dict[str, _Drawn] = {}
        self._to_draw = threading.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._bell = asyncio.Event()
        self._threads = [
            threading.Thread(target=part, name=f"trajscope {name}", daemon=True)
            for name, part in (("reads", self._walk), ("draws", self._draw))
        ]

    def begin(self, loop: asyncio.AbstractEventLoop) -> None:
        """Begin to read; `loop` is told of what is new."""
        self._loop = loop
        for thread in self._threads:
            thread.start()

    def end(self) -> None:
        """Read and draw no more, and let everybody who waits go."""
        if not self.over:
            self.over = True
            self.lookout.stop()
            self._to_draw.set()
            self._ring()

    def looked_at(self, run: str) -> None:
        """Somebody looks at a run: its trials are noted and its pictures drawn."""
        post = self.posts.get(run)
        if post is None:
            return
        known = run in self._looked
        self._looked[run] = self._clock()
        if not known or not post.sight.noted:
            self.lookout.want(run)
        self._to_draw.set()

    async def news(self, count: int) -> None:
        """Wait until there is something that came after so many changes."""
        while self.count <= count and not self.over:
            await self._bell.wait()

    def _walk(self) -> None:
        try:
            for changed in self.lookout.rounds():
                if changed:
                    self._post(changed)
                self.ready.set()
        except Exception as e:  # noqa: BLE001  # the outermost surface of this thread: whoever looks is told
            known = isinstance(e, TrajscopeError)
            self.fault = str(e) if known else f"trajscope itself failed ({type(e).__name__}: {e})"
            print(f"trajscope: {self.fault}; nothing is read any more", file=sys.stderr, flush=True)
            with self._lock:
                self.count += 1
        self.ready.set()
        self._ring()

    def _post(self, changed: frozenset[str]) -> None:
        with self._lock:
            sights, posts, count = self.lookout.sights, dict(self.posts), self.count + 1
            for run in changed:
                if (sight := sights.get(run)) is None:
                    posts.pop(run, None)
                    self.gone[run] = count
                    self._looked.pop(run, None)
                    self._drawn.pop(run, None)
                    continue
                self.gone.pop(run, None)
                old = posts.get(run)
                same = old is not None and old.sight.course == sight.course
                posts[run] = Post(sight, count, old.drawn if old is not None and same else {})
            self.posts = posts
            self.count = count  # last: who has seen a count has seen all that belongs to it
        self._to_draw.set()
        self._ring()

    def _draw(self) -> None:
        """Draw what somebody looks at, one picture of each run at a time; rest in proportion to what it took."""
        while not self.over:
            started = self._clock()
            waits = [self._draw_one(run) for run, at_s in list(self._looked.items()) if started - at_s < LOOKED_S]
            time.sleep(min(MOST_REST_S, REST * (self._clock() - started)))
            wait = min((x for x in waits if x is not None), default=None)
            if wait is None or wait > 0:
                self._to_draw.wait(wait)
                self._to_draw.clear()

    def _draw_one(self, run: str) -> float | None:
        """Draw the picture of a run that comes first: the one that moves with every row before those that hardly do.

        Answers in how many seconds another is due; None where all are drawn.
        """
        post, d = self.posts.get(run), self._drawn.setdefault(run, _Drawn())
        if post is None or not post.sight.noted:
            return None
        s, now_s = post.sight, self._clock()
        made_of = (s.course, s.total, s.update.noise_sd, s.update.plateau_length, s.about["baseline"]["value"])
        due = [(self._due(d, n) - now_s, n != drawing.FIRST, n) for n in drawing.NAMES if d.of.get(n) != made_of]
        if not due:
            return None
        wait, _, name = min(due, key=lambda x: (max(0.0, x[0]), x[1], x[0]))
        if wait > 0:
            return wait
        d.of[name], d.at_s[name] = made_of, now_s
        self._make(run, s, name, d)
        return 0.0

    @staticmethod
    def _due(d: _Drawn, name: str) -> float:
        """The time from which a picture may be drawn again."""
        return d.at_s.get(name, float("-inf")) + (FIRST_S if name == drawing.FIRST else OTHERS_S)

    def _make(self, run: str, sight: Sight, name: str, d: _Drawn) -> None:
        """Put a picture on the desk, if it is another than before."""
        try:
            frames = self.lookout.frames(run)
            inputs = drawing.inputs(frames, name) if frames is not None else ()
            if frames is None or (name in self._lying(run) and drawing.same(d.inputs.get(name), inputs)):
                return
            spec = drawing.specs(frames, (name,)).get(name)
            d.inputs[name] = inputs
        except Exception as e:  # noqa: BLE001  # the outermost surface of this thread: the page goes on without it
            print(f"trajscope: {run} cannot be drawn ({type(e).__name__}: {e})", file=sys.stderr, flush=True)
            return
        with self._lock:
            post = self.posts.get(run)
            if post is None or post.sight.course != sight.course:
                return
            count = self.count + 1
            new = drawn(post.drawn.get(name), spec, count) if spec is not None else None
            if new is None:
                return
            self.posts = {**self.posts, run: replace(post, drawn={**post.drawn, name: new})}
            self.count = count
        self._ring()

    def _lying(self, run: str) -> Mapping[str, Picture]:
        post = self.posts.get(run)
        return post.drawn if post is not None else {}

    def _ring(self) -> None:
        loop = self._loop
        if loop is not None and not loop.is_closed():
            loop.call_soon_threadsafe(self._rung)

    def _rung(self) -> None:
        bell, self._bell = self._bell, asyncio.Event()
        bell.set()


def drawn(before: Picture | None, spec: Spec, at: int) -> Picture | None:
    """A picture as it is put on the desk; None where it is the one that lies there already."""
    spec["usermeta"]["version"] = at
    new = changes(before.spec, spec) if before is not None else []
    if new == [[["usermeta", "version"], at]]:
        return None
    whole = msgspec.json.encode(spec)
    if before is None:
        return Picture(at, spec, whole)
    moved = msgspec.json.encode({"from": before.at, "changes": new})
    return Picture(at, spec, whole, before.at, moved if WORTH * len(moved) < len(whole) else b"")


def state(post: Post) -> dict[str, Any]:
    """A run as the page and the JSON of the API have it, but for its trials."""
    s = post.sight
    return {"schema": SCHEMA, "id": s.id, "name": s.name, **s.about, "watch": s.update}
