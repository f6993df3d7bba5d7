"""Jobs on Modal: one container each, with the Python and the packages that are installed here, and a price.

Written against the client and tried without its service: a live run has not been seen. The client may hang for a
minute where nobody answers, so that every wait here has a deadline of our own.
"""

from __future__ import annotations

import queue
import sys
import threading
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from importlib.metadata import PackageNotFoundError, version
from types import TracebackType
from typing import Any, Self

from trajscope_loop.crashes import failed, redacted
from trajscope_loop.errors import ExecutorError
from trajscope_loop.executors import shipped
from trajscope_loop.seams import Job, Result

NEEDED = ("msgspec", "filelock", "numpy")  # by the bench; numpy by most judges
HELLO_S = 15.0  # for the service to answer at all
BUILD_S = 1800.0  # for the image to be built and the first container to begin
STARTING_S = 300.0  # for any other container to begin
_DONE = object()


class OnModal:
    """`packages` are installed as they are here; `usd_per_second` is the price that results are told to cost.

    `gpu` is Modal's word for one (`"H100"`); a container has no network unless `network` is true.
    """

    name = "modal"

    def __init__(
        self,
        gpu: str | None = None,
        packages: Sequence[str] = (),
        *,
        app: str = "trajscope",
        cpu: float | None = None,
        memory_mb: int | None = None,
        retries: int = 1,
        containers: int | None = None,
        network: bool = False,
        usd_per_second: float | None = None,
        hello_s: float = HELLO_S,
    ) -> None:
        if isinstance(packages, str):
            raise ExecutorError(f"packages is a list of names, not the text {packages!r}")
        if usd_per_second is not None and not 0 <= usd_per_second < 1:
            raise ExecutorError(f"{usd_per_second!r} dollars a second is no price; give what Modal's page says")
        self.gpu, self.app, self.usd_per_second, self.retries, self.hello_s = gpu, app, usd_per_second, retries, hello_s
        self.packages = pinned([*NEEDED, *packages])
        self._container = {"cpu": cpu, "memory": memory_mb, "max_containers": containers, "block_network": not network}

    def run(self, fn: Callable[[Job], Result], jobs: Sequence[Job]) -> Generator[Result]:
        """Every job's result as it is ready. Who stops asking ends the app, and with it what still runs."""
        if not jobs:
            return
        self._hello()
        app, function = self.function(fn, max(job["timeout_s"] for job in jobs))
        news: queue.Queue[Any] = queue.Queue()
        stop = threading.Event()
        threading.Thread(target=_session, args=(app, function, list(jobs), news, stop), daemon=True).start()
        try:
            yield from self._told(news, list(jobs))
        finally:
            stop.set()

    def close(self) -> None:
        """An app ends with its run; there is nothing to end."""

    def function(self, fn: Callable[[Job], Result], timeout_s: float) -> tuple[Any, Any]:
        """The app and the function that runs a job there; nothing is sent anywhere yet."""
        modal = _client()
        python = f"{sys.version_info.major}.{sys.version_info.minor}"
        image = modal.Image.debian_slim(python_version=python).pip_install(*self.packages)
        # The packages as they stand here, not a published version: the hash is asked for on the far side.
        image = image.add_local_python_source(*shipped.PACKAGES)
        app = modal.App(self.app)
        declared = app.function(
            image=image,
            gpu=self.gpu,
            serialized=True,  # it is made here, inside a function
            timeout=int(timeout_s + STARTING_S),
            retries=self.retries,  # of a container that is lost; the bench itself never raises
            restrict_modal_access=True,
            include_source=False,
            **{k: v for k, v in self._container.items() if v is not None},
        )
        return app, declared(there(fn, shipped.ours()))

    def _told(self, news: queue.Queue[Any], jobs: list[Job]) -> Iterator[Result]:
        """Results as they come, and one that says why for every job that has none in the end."""
        left = dict(enumerate(jobs))
        longest = max(job["timeout_s"] for job in jobs) * (1 + self.retries) + STARTING_S
        patience, why = BUILD_S + longest, "Modal lost it"
        while left:
            try:
                said = news.get(timeout=patience)
            except queue.Empty:
                why = f"Modal has not answered for {patience:.0f} s"
                break
            if said is _DONE:
                break
            if isinstance(said, BaseException):
                why = f"Modal: {type(said).__name__}: {said}"
                continue
            place, result = said
            patience = longest
            if place in left:
                del left[place]
                yield self._priced(result)
        for job in left.values():
            yield failed(job, "crashed", why)

    def _priced(self, result: Result) -> Result:
        if self.usd_per_second is not None:
            result["usd"] = round(result["wall_s"] * self.usd_per_second, 6)
        return result

    def _hello(self) -> None:
        """Whether there are credentials, and somebody who takes them."""
        modal = _client()
        answer: queue.Queue[BaseException | None] = queue.Queue()

        def ask() -> None:
            try:
                modal.Client.from_env().hello()
                answer.put(None)
            except BaseException as error:  # noqa: BLE001  # it is told to the one who waits
                answer.put(error)

        threading.Thread(target=ask, daemon=True).start()
        began = time.monotonic()
        try:
            error = answer.get(timeout=self.hello_s)
        except queue.Empty:
            waited = time.monotonic() - began
            raise ExecutorError(
                f"Modal does not answer for {waited:.0f} s; check the network, then try again"
            ) from None
        if isinstance(error, modal.exception.AuthError):
            raise ExecutorError(
                "Modal knows nobody here; run `modal token new`, or set MODAL_TOKEN_ID and MODAL_TOKEN_SECRET"
            )
        if error is not None:
            why = redacted(f"{type(error).__name__}: {error}")
            raise ExecutorError(f"Modal cannot be reached ({why}); check the network, then try again")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self.close()


def there(fn: Callable[[Job], Result], sha: str) -> Callable[[int, Job], tuple[int, Result]]:
    """What a container runs: the function, once its modules are shown to be ours, and which of the jobs it was."""

    def run_job(place: int, job: Job) -> tuple[int, Result]:
        return place, shipped.held(fn, sha, job)

    return run_job


def pinned(packages: Sequence[str]) -> list[str]:
    """The packages at the versions that are installed here; one that already says its version stays as it is."""
    out = []
    for package in dict.fromkeys(packages):
        if "==" in package:
            out.append(package)
            continue
        try:
            out.append(f"{package}=={version(package).partition('+')[0]}")  # a local build has its own index
        except PackageNotFoundError:
            raise ExecutorError(
                f"{package} is not installed here, so its version is unknown; write {package}==..."
            ) from None
    return out


def _session(app: Any, function: Any, jobs: list[Job], news: queue.Queue[Any], stop: threading.Event) -> None:
    """Run all jobs in one app, and tell what comes; whoever waits has a deadline of their own."""
    try:
        with app.run():
            found = function.map(range(len(jobs)), jobs, order_outputs=False, return_exceptions=True)
            for said in found:
                news.put(said)
                if stop.is_set():
                    break
    except BaseException as error:  # noqa: BLE001  # it is told to the one who waits
        news.put(error)
    finally:
        news.put(_DONE)


def _client() -> Any:
    try:
        import modal
    except ImportError:
        raise ExecutorError("Modal is not installed; pip install 'trajscope[modal]'") from None
    return modal
