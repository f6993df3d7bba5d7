"""Server-sent events: what one client has seen, and the newest state since then. A slow one skips, nobody waits for it.

A trial is sent once: the id of an event says how far its trials go, so that who comes back with it goes on there.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from trajscope_dashboards.desk import SCHEMA, Desk, Picture, Post, state

AT_ONCE = 500  # trials of one event; the latest of a longer run
BEAT_S = 15.0  # of silence, after which a client hears that we are still here
PATIENCE_S = 60.0  # that a client may take nothing of what is sent
RETRY_MS = 1000

Message = tuple[str, str | None, bytes]  # event, id, data as JSON


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
            return [("reset", None, msgspec.json.encode(everything(desk)))]
        new = [_state(p) for p in list(desk.posts.values()) if p.at > since]
        gone = [run for run, at in list(desk.gone.items()) if at > since]
        self._count = count
        if not (new or gone or desk.fault):
            return []
        return [("runs", None, msgspec.json.encode({"runs": new, "gone": gone, **_about(desk)}))]

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
        self._has: dict[str, int] = {}  # pictures, and the count at which each was drawn

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
            return [("gone", None, msgspec.json.encode({"id": self._run, **_about(desk)}))] if gone else []
        self._there = True
        out: list[Message] = self._trials(post) if post.sight.noted else []
        if desk.fault:
            out.append(("run", None, msgspec.json.encode({**state(post), "fault": desk.fault})))
        elif post.at > since:
            out.append(("run", None, post.said("run", lambda: {**state(post), "fault": None})))
        return out + self._pictures(post.drawn)

    def _pictures(self, drawn: Mapping[str, Picture]) -> list[Message]:
        """What is new of the pictures: what changed, for who has the one before, and the whole for everybody else."""
        out: list[Message] = []
        for name, x in drawn.items():
            known, self._has[name] = self._has.get(name), x.at
            if known == x.at:
                continue
            of = b"moved" if x.moved and known == x.before else b"charts"
            data = x.moved if of == b"moved" else x.whole
            out.append((of.decode(), None, b'{"%b":%b}' % (name.encode(), data)))
        return out

    def _trials(self, post: Post) -> list[Message]:
        s = post.sight
        known = self._known if s.course == self._course else None
        new = s.after(known) if known is not None else None
        if new is None or len(new) > AT_ONCE:
            event, known, shown = "reset", None, s.lines[-AT_ONCE:]
        elif new:
            event, shown = "rows", new
        else:
            return []
        self._course, self._known = s.course, s.total
        data = post.said(("rows", known), lambda: {"schema": SCHEMA, "total": s.total, "rows": shown})
        return [(event, f"{s.course}:{s.total}", data)]


def everything(desk: Desk) -> dict[str, Any]:
    """Every run as it is now."""
    return {"runs": [state(p) for p in list(desk.posts.values())], **_about(desk)}


def _state(post: Post) -> msgspec.Raw:
    """The same run, spelt once for everybody."""
    return msgspec.Raw(post.said("state", lambda: state(post)))


def _about(desk: Desk) -> dict[str, Any]:
    return {"schema": SCHEMA, "troubles": desk.lookout.troubles, "fault": desk.fault}


def spelt(message: Message) -> bytes:
    """An event as it goes over the wire; JSON has no line breaks of its own."""
    event, known, data = message
    head = f"event: {event}\n" + (f"id: {known}\n" if known else "")
    return head.encode() + b"data: " + data + b"\n\n"


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
