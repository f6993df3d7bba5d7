"""Server-sent events: what one client has seen, and the newest state since then. A slow one skips, nobody waits for it.

A trial is sent once: the id of an event says how far its trials go, so that who comes back with it goes on there.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import msgspec

from trajscope_dashboards.desk import Desk, Post, state

AT_ONCE = 500  # trials of one event; the latest of a longer run
BEAT_S = 15.0  # of silence, after which a client hears that we are still here
PATIENCE_S = 60.0  # that a client may take nothing of what is sent
RETRY_MS = 1000

Message = tuple[str, str | None, Any]  # event, id, data


class All:
    """What a client knows of all runs."""

    def __init__(self, desk: Desk, last: str) -> None:
        self._desk = desk
        self._count = 0
        self._begun = False

    def pending(self) -> list[Message]:
        """What is new for it."""
        desk, count, since = self._desk, self._desk.count, self._count
        if not self._begun:
            self._begun, self._count = True, count
            return [("reset", None, everything(desk))]
        new = [state(p) for p in desk.posts.values() if p.at > since]
        gone = [run for run, at in list(desk.gone.items()) if at > since]
        self._count = count
        return [("runs", None, {"runs": new, "gone": gone, **_about(desk)})] if new or gone or desk.fault else []

    @property
    def count(self) -> int:
        """The changes that it knows of."""
        return self._count


class One:
    """What a client knows of one run."""

    def __init__(self, desk: Desk, run: str, last: str) -> None:
        self._desk = desk
        self._run = run
        self._course, _, known = last.rpartition(":")
        self._known = int(known) if known.isdecimal() and len(known) < 16 else 0
        self._count = 0
        self._there = True

    @property
    def count(self) -> int:
        """The changes that it knows of."""
        return self._count

    def pending(self) -> list[Message]:
        """What is new for it."""
        desk, since, self._count = self._desk, self._count, self._desk.count
        desk.looked_at(self._run)
        post = desk.posts.get(self._run)
        if post is None:
            gone, self._there = self._there, False
            return [("gone", None, {"id": self._run, **_about(desk)})] if gone else []
        self._there = True
        out: list[Message] = self._trials(post) if post.sight.noted else []
        if post.at > since or desk.fault:
            out.append(("run", None, {**state(post), "fault": desk.fault}))
        if new := {name: msgspec.Raw(x.spec) for name, x in post.drawn.items() if x.at > since}:
            out.append(("charts", None, new))
        return out

    def _trials(self, post: Post) -> list[Message]:
        s = post.sight
        new = s.after(self._known) if s.course == self._course else None
        if new is None or len(new) > AT_ONCE:
            event, shown = "reset", s.lines[-AT_ONCE:]
        elif new:
            event, shown = "rows", new
        else:
            return []
        self._course, self._known = s.course, s.total
        return [(event, f"{s.course}:{s.total}", {"total": s.total, "rows": shown})]


def everything(desk: Desk) -> dict[str, Any]:
    """Every run as it is now."""
    return {"runs": [state(p) for p in desk.posts.values()], **_about(desk)}


def _about(desk: Desk) -> dict[str, Any]:
    return {"troubles": desk.lookout.troubles, "fault": desk.fault}


def spelt(message: Message) -> bytes:
    """An event as it goes over the wire; JSON has no line breaks of its own."""
    event, known, data = message
    head = f"event: {event}\n" + (f"id: {known}\n" if known else "")
    return head.encode() + b"data: " + msgspec.json.encode(data) + b"\n\n"


async def serve(desk: Desk, client: All | One, send: Callable[[bytes], Any]) -> None:
    """Send what is new as long as the client takes it and we go on."""
    await send(b"retry: %d\n\n" % RETRY_MS)
    while not desk.over:
        data = b"".join(map(spelt, client.pending()))
        if data:
            async with asyncio.timeout(PATIENCE_S):
                await send(data)
        try:
            async with asyncio.timeout(BEAT_S):
                await desk.news(client.count)
        except TimeoutError:
            async with asyncio.timeout(PATIENCE_S):
                await send(b": still here\n\n")
