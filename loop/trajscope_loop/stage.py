"""The stage: one campaign carried out before somebody's eyes, on the live screen or in plain lines.

The screen is `trajscope watch` in a process of its own, which ends when the campaign does. Who leaves it earlier gets
the lines; Ctrl-C on it is Ctrl-C for the campaign.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from trajscope_loop import folder as folders
from trajscope_loop import parts
from trajscope_loop.campaign import Campaign, Outcome
from trajscope_loop.memory import Memory
from trajscope_loop.pause import Stop
from trajscope_loop.plan import Plan

LINGER_S = 2.0  # for which the last word stays on the screen
PATIENCE_S = 5.0  # until a screen that was asked to end is ended
INTERRUPTED = 130  # how a screen exits that was left by Ctrl-C

Say = Callable[[str], object]


@contextlib.contextmanager
def opened(folder: Path, plan: Plan, memory: Memory, say: Say, stop: Stop | None = None) -> Iterator[Campaign]:
    """The campaign of a folder that is held, with the parts that its plan names."""
    campaign = Campaign(
        folder.resolve(), plan, memory, domain=parts.domain(plan), proposer=parts.proposer(plan),
        executor=parts.executor(plan), fn=parts.measure(plan), stop=stop, say=say,
    )  # fmt: skip
    try:
        yield campaign
    finally:
        campaign.close()


def play(folder: Path, plan: Plan, say: Say, *, screen: bool = False, linger_s: float = LINGER_S) -> Outcome:
    """Begin a campaign in a folder and carry it out, to its end or until somebody stops it."""
    folder.mkdir(parents=True, exist_ok=True)
    with folders.held(folder):
        return carry(folder, plan, folders.begin(folder, plan), say, screen=screen, linger_s=linger_s)


def carry(folder: Path, plan: Plan, memory: Memory, say: Say, *, screen: bool, linger_s: float) -> Outcome:
    """Carry out the campaign of a folder that is held. After its end the screen stays a while, unless it is left."""
    stop = Stop()
    shown = Screen(folder / folders.RUN, stop) if screen else None

    def told(text: str) -> None:
        if shown is None or not shown.there:
            say(text)

    with stop.signals():
        try:
            with opened(folder, plan, memory, told, stop) as campaign:
                outcome = campaign.go_on()
            if shown is not None and not stop.asked:
                shown.linger(linger_s)
            return outcome
        finally:
            if shown is not None:
                shown.close()


class Screen:
    """`trajscope watch` on our terminal, while it is there."""

    def __init__(self, run: Path, stop: Stop) -> None:
        self._stop = stop
        self._process = subprocess.Popen([sys.executable, "-m", "trajscope.cli", "watch", str(run)])
        self._left = threading.Event()
        threading.Thread(target=self._wait, name="loop-screen", daemon=True).start()

    @property
    def there(self) -> bool:
        """Whether it still holds the terminal."""
        return not self._left.is_set()

    def linger(self, seconds: float) -> None:
        """Let it stand for a while, unless somebody leaves it."""
        until = time.monotonic() + seconds
        while (
            self._stop.asked is None and (left := until - time.monotonic()) > 0 and not self._left.wait(min(left, 0.1))
        ):
            pass

    def close(self) -> None:
        """End it; it gives the terminal back as it found it."""
        if self.there:
            self._process.send_signal(signal.SIGTERM)
            if not self._left.wait(PATIENCE_S):
                self._process.kill()
                self._left.wait(PATIENCE_S)

    def _wait(self) -> None:
        code = self._process.wait()
        self._left.set()
        if code == INTERRUPTED:
            self._stop.ask("SIGINT")


def terminal() -> bool:
    """Whether there is a terminal that a screen can be drawn on."""
    return sys.stdout.isatty() and sys.stdin.isatty() and os.environ.get("TERM") not in (None, "", "dumb")
