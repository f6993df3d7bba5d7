"""What the tests of the screen share: the screen without a terminal, driven by a script, and what stands on it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from textual.pilot import Pilot
from watchruns import NOON, source

from trajscope.cli.watch import _exported
from trajscope.watch.group import Group
from trajscope.watch.screen.app import Watch
from trajscope.watch.watching import Watching

Script = Callable[[Watch, Pilot[int]], Awaitable[None]]


def app_on(
    *paths: Path, folder: Path | None = None, now: list[float] | None = None, export: Path | None = None, **more: Any
) -> Watch:
    """The screen of some runs. Nothing is read until `turn`; the clock is the last of `now`."""
    group = Group(source, folder=folder)
    for path in paths:
        group.add(path, Watching(*source(path), asked=len(paths) == 1))
    clock = now if now is not None else [NOON]
    return Watch(group, clock=lambda: clock[-1], page=_exported, export_to=export, **more)


def drive(app: Watch, script: Script, size: tuple[int, int] = (80, 24)) -> None:
    """Show it, read everything there is, and do what the script says."""

    async def go() -> None:
        async with app.run_test(size=size, notifications=True) as pilot:
            app.turn()
            while app.group.behind:
                app.turn()
            app.turn()
            await pilot.pause()
            await script(app, pilot)

    asyncio.run(go())


def text(app: Watch) -> str:
    """What stands on the screen."""
    strips = app.screen._compositor.render_strips()
    return "\n".join("".join(part.text for part in strip).rstrip() for strip in strips)


async def press(pilot: Pilot[int], *keys: str) -> None:
    """Press keys, and let what they began come to an end."""
    await pilot.press(*keys)
    await pilot.app.workers.wait_for_complete()
    await pilot.pause()
