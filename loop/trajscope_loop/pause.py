"""What stops a campaign: signals, the pause file, the gate, integrity, alarms; and the person who lets it go on.

An acknowledgement asks for a nonce that is shown on a terminal only. That keeps honest loops honest: a process of the
same user can open a terminal too.
"""

from __future__ import annotations

import json
import secrets
import signal
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from queue import Empty, SimpleQueue
from time import monotonic
from typing import Any, TextIO

from trajscope_loop.errors import CampaignError
from trajscope_loop.memory import Pause

SIGNALS = (signal.SIGTERM, signal.SIGINT)
MOST = 4_000  # letters of a diff that a terminal shows


class Stop:
    """Whether somebody asked the campaign to stop. A signal is heeded at the next safe place, a second one at once."""

    def __init__(self) -> None:
        self.asked: str | None = None
        self.bell: SimpleQueue[Any] = SimpleQueue()  # its put may be called from a signal handler

    def ask(self, why: str) -> None:
        """Ask for it."""
        self.asked = why
        self.bell.put(("stop", None, why))

    def wait(self, seconds: float) -> None:
        """Rest, unless somebody asks to stop meanwhile."""
        until = monotonic() + seconds
        while self.asked is None and (left := until - monotonic()) > 0:
            try:
                self.bell.get(timeout=left)
            except Empty:
                return

    @contextmanager
    def signals(self) -> Iterator[None]:
        """Heed SIGTERM and SIGINT meanwhile; only the main thread can."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {s: signal.signal(s, self._heard) for s in SIGNALS}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _heard(self, number: int, _frame: object) -> None:
        if self.asked is not None:
            raise KeyboardInterrupt
        self.ask(signal.Signals(number).name)


def made(
    kind: Any, why: str, bundle: Mapping[str, Any], at: str, *, nonce: str | None = None, value: float | None = None
) -> Pause:
    """A pause; the gate's has a nonce and a value already."""
    return Pause(kind=kind, why=why, at=at, nonce=nonce or secrets.token_hex(4), value=value, bundle=dict(bundle))


def bundle(gate: Mapping[str, Any] | None, **more: Any) -> dict[str, Any]:
    """What a person decides on: the keeps since somebody last looked, each with diff, deltas, bit and gaps."""
    state = gate or {}
    keeps = {"keeps": state.get("since", []), "of": state.get("since_total", 0), "straight": state.get("straight", 0)}
    return keeps | {k: v for k, v in more.items() if v}


def told(pause: Pause) -> Iterator[str]:
    """The bundle as lines for a person."""
    yield f"paused ({pause.kind}) at {pause.at}: {pause.why}"
    keeps = pause.bundle.get("keeps", [])
    yield f"{pause.bundle.get('of', len(keeps))} keeps since somebody looked, {len(keeps)} shown"
    for keep in keeps:
        passed = {True: "passed", False: "failed"}.get(keep.get("holdout_pass"), "not asked")
        yield f"-- value {keep.get('value'):.6g}, effect {keep.get('effect'):.4g}, holdout {passed}"
        for metric, gap in (keep.get("gaps") or {}).items():
            yield f"   {metric}: {gap:.4g} above the best predictor that ignores its input"
        for metric, moved in (keep.get("deltas") or {}).items():
            yield f"   {metric}: " + ", ".join(f"{k} {v:+.4g}" for k, v in moved.items())
        yield from (f"   {line}" for line in str(keep.get("diff", ""))[:MOST].splitlines())
    for name, value in pause.bundle.items():
        if name not in ("keeps", "of", "straight"):
            yield f"{name}: {value if isinstance(value, str) else json.dumps(value, default=str)}"


def confirm(pause: Pause, reads: TextIO, writes: TextIO) -> str:
    """Show the bundle and the nonce on a terminal, and take the nonce back from whoever sits there."""
    writes.writelines(f"{_plain(line)}\n" for line in told(pause))
    writes.write(f"\nType {pause.nonce} to say that you have looked, or nothing to leave it paused: ")
    writes.flush()
    typed = reads.readline().strip()
    if typed != pause.nonce:
        raise CampaignError("what was typed is not what was shown; nothing was acknowledged")
    return typed


@contextmanager
def terminal(path: str = "/dev/tty") -> Iterator[tuple[TextIO, TextIO]]:
    """The terminal that a person sits at, whatever stdin and stdout are: to read from, and to write to."""
    try:
        with open(path, encoding="utf-8", errors="replace") as reads, open(path, "w", encoding="utf-8") as writes:  # noqa: PTH123  # a device
            yield reads, writes
    except OSError as error:
        why = f"there is no terminal ({error.strerror}); an acknowledgement is given by a person at one"
        raise CampaignError(f"{path}: {why}") from None


def _plain(text: str) -> str:
    """A line without anything that a terminal would obey."""
    return "".join(c if c.isprintable() else " " for c in text)
