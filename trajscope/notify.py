"""Tells somebody: messages about alarms, and the sinks that carry them out of this process.

What is said of one subject is said once, again after a while if it still holds, and once more when it is over. A sink
that fails is reported and tried again; it never stops or delays what is watched. No diffs, values only in sentences.
"""

from __future__ import annotations

import json
import os
import queue
import shlex
import subprocess
import sys
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, NamedTuple, Protocol, TextIO, get_args
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import HTTPRedirectHandler, Request, build_opener

from trajscope import shape
from trajscope.errors import SettingsError
from trajscope.readable import clean
from trajscope.verdict import Level, Verdict

SILENCE = "silence"  # the rule whose alarm says that there is no data
AGAIN_S = 3600.0  # after which an alarm that still holds is told again
SCHEMA = 1
TIMEOUT_S = 10.0  # for one delivery
TRIES = 3  # deliveries of one message before it is given up, which is then said
WAITING = 100  # messages that may wait for a slow sink; the oldest give way, and their number is told

State = Literal["firing", "still", "resolved", "silent"]


class Message(NamedTuple):
    """One thing to say. `key` names its subject: the run and the rule."""

    key: str
    state: State
    level: str
    run: str
    rule: str
    text: str
    trials: int
    evidence: tuple[int, ...] = ()

    def line(self) -> str:
        """It as one line."""
        mark = {"firing": "ALARM", "still": "STILL", "resolved": "OVER", "silent": "SILENT"}[self.state]
        return f"{mark} {self.run}: {self.rule}: {self.text}"

    def to_json(self) -> dict[str, Any]:
        """It as an object, under the names that docs/watch.md promises."""
        return {"schema": SCHEMA, **self._asdict(), "evidence": list(self.evidence)}


def schema() -> dict[str, Any]:
    """The JSON Schema of a message as a sink gets it."""
    parts: dict[str, Any] = {
        "key": shape.told(shape.TEXT, "What it is about: the run and the rule."),
        "state": shape.told(shape.one_of(get_args(State)), "silent: of a run that says nothing any more."),
        "level": shape.LEVEL,
        "run": shape.TEXT,
        "rule": shape.TEXT,
        "text": shape.TEXT,
        "trials": shape.told(shape.COUNT, "Trials so far."),
        "evidence": shape.told(shape.listed(shape.COUNT), "Trials (seq) that show it."),
    }
    return shape.document("What `trajscope watch --notify` and `--exec` hand on", parts, number=SCHEMA)


class Sink(Protocol):
    """Carries a message somewhere; raises OSError where it could not."""

    def send(self, message: Message) -> None:
        """Deliver it, within `TIMEOUT_S`."""
        ...


@dataclass(slots=True)
class Alarms:
    """Remembers what was said of each subject, and says only what is new. Asks no clock: `now` is handed in."""

    run: str
    least: Level = Level.FAIL  # what is told
    again_s: float = AGAIN_S
    _open: dict[str, tuple[Level, float]] = field(default_factory=dict)

    def hear(self, verdicts: Iterable[Verdict], now: float, trials: int) -> list[Message]:
        """What to say after these verdicts; a rule that is not among them keeps what was said of it."""
        out = []
        for v in verdicts:
            was = self._open.get(v.rule)
            if v.level >= self.least:
                state: State | None = "firing" if was is None or v.level > was[0] else None
                if state is None and was is not None and now - was[1] >= self.again_s:
                    state = "still"
                if state:
                    state = "silent" if v.rule == SILENCE else state
                    self._open[v.rule] = v.level, now
                    out.append(self._message(v, state, trials))
                elif was is not None:
                    self._open[v.rule] = v.level, was[1]
            elif was is not None:
                del self._open[v.rule]
                out.append(self._message(v, "resolved", trials))
        return out

    def _message(self, v: Verdict, state: State, trials: int) -> Message:
        return Message(f"{self.run}/{v.rule}", state, v.level.name, self.run, v.rule, v.reason, trials, v.evidence)


@dataclass(frozen=True, slots=True)
class Terminal:
    """A line on stderr, with a bell if wanted."""

    bell: bool = False
    stream: TextIO | None = None

    def send(self, message: Message) -> None:
        """Write the line."""
        out = self.stream or sys.stderr
        ring = "\a" if self.bell and message.state in ("firing", "silent") else ""
        print(ring + clean(message.line()), file=out, flush=True)


@dataclass(frozen=True, slots=True)
class File:
    """A JSON line at the end of a file."""

    path: Path

    def send(self, message: Message) -> None:
        """Append the line in one write."""
        line = json.dumps(message.to_json(), ensure_ascii=False) + "\n"
        fd = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        try:
            os.write(fd, line.encode("utf-8", "replace"))
        finally:
            os.close(fd)


@dataclass(frozen=True, slots=True)
class Program:
    """A program of the user's: the message as JSON on its stdin, its main words in TRAJSCOPE_* variables."""

    command: tuple[str, ...]
    timeout_s: float = TIMEOUT_S

    def send(self, message: Message) -> None:
        """Run it; a program that fails or takes too long is a failed delivery."""
        words = {"STATE": message.state, "RULE": message.rule, "RUN": message.run, "TEXT": message.text}
        env = os.environ | {f"TRAJSCOPE_{k}": v.replace("\0", " ") for k, v in words.items()}
        try:
            done = subprocess.run(  # the user's own command, from the user's own flag
                self.command,
                input=json.dumps(message.to_json()).encode(),
                env=env,
                timeout=self.timeout_s,
                capture_output=True,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise OSError(f"{self.command[0]} took over {self.timeout_s:g} s") from None
        if done.returncode:
            said = done.stderr.decode(errors="replace").strip().splitlines()
            raise OSError(f"{self.command[0]} ended with {done.returncode}{f': {said[-1]}' if said else ''}")


@dataclass(frozen=True, slots=True)
class Webhook:
    """An HTTP endpoint: our own JSON, or the `text` that Slack and its kin take."""

    url: str
    slack: bool = False
    timeout_s: float = TIMEOUT_S

    def send(self, message: Message) -> None:
        """Post it; any answer but 2xx is a failed delivery."""
        body: Mapping[str, Any] = {"text": _escaped(message.line())} if self.slack else message.to_json()
        data = json.dumps(body).encode()
        request = Request(self.url, data, {"Content-Type": "application/json"}, method="POST")  # noqa: S310  # checked in sink()
        try:
            with build_opener(_Stay).open(request, timeout=self.timeout_s) as answer:
                answer.read(1024)
        except HTTPError as e:
            with e:
                raise OSError(f"{self._host()} answered {e.code}") from None
        except (OSError, ValueError) as e:
            raise OSError(f"{self._host()}: {getattr(e, 'reason', None) or e}") from None

    def _host(self) -> str:
        # The path of a webhook is its password.
        return urlsplit(self.url).hostname or "the webhook"


class _Stay(HTTPRedirectHandler):
    """Follows no redirect: what was to be told to one address is told to no other."""

    def redirect_request(self, *_: Any, **__: Any) -> None:
        """Answer as if there were none."""
        return


class Courier:
    """Delivers in the background, in order, to each sink by itself. `failed` hears of what could not be delivered."""

    def __init__(
        self,
        sinks: Iterable[Sink],
        failed: Callable[[str], None],
        *,
        pause_s: float = 1.0,
        tries: int = TRIES,
    ) -> None:
        self._failed, self._pause_s, self._tries = failed, pause_s, tries
        self._stop = threading.Event()
        self._routes = [(s, queue.Queue[Message | None](WAITING)) for s in sinks]
        self._threads = [threading.Thread(target=self._carry, args=r, daemon=True) for r in self._routes]
        for t in self._threads:
            t.start()

    def tell(self, message: Message) -> None:
        """Hand it to every sink; returns at once."""
        for sink, waiting in self._routes:
            try:
                waiting.put_nowait(message)
            except queue.Full:
                lost = waiting.get_nowait()
                self._failed(f"{_name(sink)}: too slow; a message was dropped: {lost.line() if lost else ''}")
                waiting.put_nowait(message)

    def close(self, most_s: float = TIMEOUT_S) -> None:
        """Deliver what waits, for so long at most."""
        for _, waiting in self._routes:
            try:
                waiting.put(None, timeout=most_s)
            except queue.Full:
                break
        for t in self._threads:
            t.join(most_s)
        self._stop.set()

    def _carry(self, sink: Sink, waiting: queue.Queue[Message | None]) -> None:
        while (message := waiting.get()) is not None:
            why = ""
            for n in range(self._tries):
                if n and self._stop.wait(self._pause_s * 2 ** (n - 1)):
                    break
                try:
                    sink.send(message)
                    break
                except OSError as e:
                    why = str(e)
            else:
                self._failed(f"{_name(sink)}: not delivered after {self._tries} tries ({why}): {message.line()}")


def sink(target: str) -> Sink:
    """The sink that a `--notify` names: bell, terminal, a URL (slack+https://... for Slack's shape) or a file."""
    if target in ("bell", "terminal"):
        return Terminal(bell=target == "bell")
    if "://" in target:
        slack = target.startswith("slack+")
        url = target.removeprefix("slack+")
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise SettingsError(f"{parts.scheme}://: cannot be notified; use http, https, slack+https, bell or a file")
        return Webhook(url, slack=slack or parts.hostname == "hooks.slack.com")
    return File(Path(target))


def program(command: str) -> Program:
    """The sink of an `--exec`: a program with its arguments; no shell reads it."""
    try:
        words = tuple(shlex.split(command))
    except ValueError as e:
        raise SettingsError(f"--exec {command!r} cannot be read ({e}); quote it as a shell would have it") from None
    if not words:
        raise SettingsError("--exec names no program; write one, such as --exec 'notify-send trajscope'")
    return Program(words)


def _escaped(text: str) -> str:
    """The text as Slack wants it, so that nothing in it calls a whole channel."""
    return clean(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _name(sink: Sink) -> str:
    return type(sink).__name__.lower()
