"""One question to a server, held to a deadline of our own, and its failure as a sentence.

The SDKs bound the wait for the next byte, not for the answer, and honour a retry-after of any length; here the whole
question ends in time, retries and waits included. Works in a thread of its own, so that a caller may have a running
event loop, and raises outside of it, so that no exception of an SDK (it holds the request and its key) hangs on ours.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable
from typing import Any, Generic, TypeVar

from trajscope_loop.errors import ProposerError
from trajscope_loop.proposers.keys import redacted

T = TypeVar("T")
PATIENCE_S = 5.0  # for a cancelled question to clean up, before its thread is left to itself
MOST_SAID = 400  # letters of what a server said

_REMEDY = {
    400: "correct the option that it names, or leave it out",
    401: "check the key in {key}",
    402: "the account is out of money; pay, or take another one",
    403: "check that the key in {key} may do this",
    404: "check model and base_url",
    413: "the prompt is too long; show less history by k",
    422: "correct the option that it names, or leave it out",
    429: "wait, raise max_retries, or ask for a higher limit",
}


class Heard:
    """What servers answered on the way, for the sentence about a failure."""

    def __init__(self) -> None:
        self.statuses: list[int] = []
        self.retry_after: str | None = None

    async def take(self, response: Any) -> None:
        """Note one HTTP answer; a hook of the SDK's HTTP client."""
        self.statuses.append(response.status_code)
        self.retry_after = response.headers.get("retry-after")

    def told(self) -> str:
        """What was heard, in words."""
        if not self.statuses:
            return "nothing was heard"
        asked = f", which asked to wait {self.retry_after} s" if self.retry_after else ""
        return f"answer {len(self.statuses)} was {self.statuses[-1]}{asked}"


class _Question(Generic[T]):
    """What a thread works on."""

    def __init__(self, ask: Callable[[], Awaitable[T]], timeout_s: float, why: Callable[[Exception], str]) -> None:
        self.answer: T | None = None
        self.failure: str | None = None
        self.late = False
        self._ask, self._timeout_s, self._why = ask, timeout_s, why
        self._loop: asyncio.AbstractEventLoop | None = None
        self._task: asyncio.Task[T] | None = None

    def work(self) -> None:
        try:
            asyncio.run(self._bounded())
        except asyncio.CancelledError:
            self.failure = "was interrupted"
        except Exception as error:  # noqa: BLE001  # whatever an SDK raises becomes a sentence, here and nowhere later
            self.failure = self._why(error)

    async def _bounded(self) -> None:
        self._loop, self._task = asyncio.get_running_loop(), asyncio.ensure_future(self._ask())
        done, _ = await asyncio.wait({self._task}, timeout=self._timeout_s)
        if not done:
            self.late = True
            self._task.cancel()
            await asyncio.wait({self._task}, timeout=PATIENCE_S)
            return
        self.answer = self._task.result()

    def interrupt(self) -> None:
        """End the question from another thread."""
        if self._loop is not None and self._task is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._task.cancel)


def asked(
    ask: Callable[[Heard], Awaitable[T]], *, who: str, key: str | None, timeout_s: float, secret: str | None = None
) -> T:
    """The answer, or a ProposerError in one line that holds no key."""
    heard = Heard()
    question = _Question(lambda: ask(heard), timeout_s, lambda error: _why(error, key or "the server's own settings"))
    thread = threading.Thread(target=question.work, name=f"{who} proposer", daemon=True)
    thread.start()
    try:
        thread.join(timeout_s + PATIENCE_S)
    except BaseException:
        question.interrupt()
        raise
    if question.late or thread.is_alive():
        said = f"gave no whole answer within {timeout_s:g} s ({heard.told()}); raise timeout_s, or see to the server"
    elif question.failure is not None:
        said = question.failure
    else:
        return question.answer  # type: ignore[return-value]  # it neither failed nor is late, so it is the answer
    raise ProposerError(f"{who}: {redacted(said, (secret,) if secret else (), sentence=True)}")


def _why(error: Exception, key: str) -> str:
    """The failure as a sentence, by what both SDKs name alike."""
    kind, status = type(error).__name__, getattr(error, "status_code", None)
    if isinstance(status, int) and status >= 400:
        remedy = _REMEDY.get(status, "the server is at fault; try again later" if status >= 500 else "see its words")
        return f"the server refused with {status}: {_said(error)}; {remedy.format(key=key)}"
    if kind == "APITimeoutError":
        return "the server fell silent until time was up; raise timeout_s, or see to the server"
    if kind == "APIConnectionError":
        deepest: BaseException = error
        while deepest.__cause__ is not None:
            deepest = deepest.__cause__
        words = _short(str(deepest)) or type(deepest).__name__
        return f"the server cannot be reached, or broke off ({words}); check base_url and the network"
    if isinstance(error, ProposerError):
        return str(error)
    return f"no answer that can be read ({kind}: {_short(str(error))}); see to the server"


def _said(error: Exception) -> str:
    """What the server said of it: its message, else whatever it sent."""
    body = getattr(error, "body", None)
    for _ in range(2):
        if isinstance(body, dict):
            body = body.get("error", body.get("message", body)) if "error" in body else body.get("message", body)
    return _short(str(body)) if body else "nothing more"


def _short(text: str) -> str:
    """One line of a foreign text."""
    line = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return line if len(line) <= MOST_SAID else f"{line[:MOST_SAID]}..."
