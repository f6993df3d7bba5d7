"""Jobs on a Ray cluster: an existing one by its address, or a local one that is started here and ended again.

Never runs a job twice by itself: what dies has a result that says so, and the campaign decides.
"""

from __future__ import annotations

import contextlib
import logging
import os
import socket
import sys
from collections.abc import Callable, Generator, Sequence
from types import TracebackType
from typing import Any, Self

from trajscope_loop.confine import THREADS
from trajscope_loop.crashes import failed, redacted, secret
from trajscope_loop.errors import ExecutorError
from trajscope_loop.executors import shipped
from trajscope_loop.seams import Job, Result, Status

HELLO_S = 5.0  # for a cluster's address to answer at all
STORE_MB = 100  # of a local cluster's shared memory: jobs and results are small
# A local cluster listens on every network, so it asks for a token (which Ray makes and keeps in ~/.ray); said outright,
# the mode is not announced at every start. Nothing is told to anybody.
_QUIET = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0"}
_LOCAL = {"RAY_AUTH_MODE": "token"}


class OnRay:
    """`address` is a cluster's (`auto`, `ray://host:10001`); without one, a local cluster of `cpus` cores."""

    name = "ray"

    def __init__(
        self, address: str | None = None, cpus: int | None = None, cpus_per_job: float = 1.0, gpus_per_job: float = 0.0
    ) -> None:
        self.address, self.cpus = address, cpus
        self._needs = {"num_cpus": cpus_per_job, "num_gpus": gpus_per_job}
        self._own = False

    def run(self, fn: Callable[[Job], Result], jobs: Sequence[Job]) -> Generator[Result]:
        """Every job's result as it is ready. Who stops asking ends what still runs."""
        ray = self._connected()
        # No retries: a seed that ran twice would be reported once, and nobody would know which.
        remote = ray.remote(**self._needs, max_retries=0)(shipped.held)
        sha = shipped.ours()
        try:
            running = {remote.remote(fn, sha, job): job for job in jobs}
        except Exception as error:  # noqa: BLE001  # a cluster fails in many ways
            raise ExecutorError(f"Ray does not take the jobs ({redacted(str(error))}); look at `ray status`") from None
        try:
            while running:
                (ready, *_), _ = ray.wait(list(running), num_returns=1)
                job = running.pop(ready)
                yield _result(ray, ready, job)
        finally:
            for ref in running:
                with contextlib.suppress(ray.exceptions.RayError, ValueError):
                    ray.cancel(ref, force=True)

    def close(self) -> None:
        """End the cluster that was started here, or leave the one that was not; a second time does nothing."""
        if self._own:
            import ray

            self._own = False
            ray.shutdown()

    def _connected(self) -> Any:
        """Ray itself, connected."""
        os.environ.update(
            {k: v for k, v in {**_QUIET, **({} if self.address else _LOCAL)}.items() if k not in os.environ}
        )
        try:
            import ray
        except ImportError:
            raise ExecutorError("Ray is not installed; pip install 'trajscope[ray]'") from None
        if ray.is_initialized():
            return ray
        _answers(self.address)
        # Keys of ours are blanked for whatever runs there (not Ray's own), and modules are looked for as here.
        keys = (name for name in os.environ if secret(name) and not name.startswith("RAY_"))
        env = dict.fromkeys(keys, "") | dict.fromkeys(THREADS, "1")
        here: dict[str, Any] = {}
        if self.address is None:
            env["PYTHONPATH"] = os.pathsep.join(p for p in sys.path if p)
            here = {"num_cpus": self.cpus, "include_dashboard": False, "object_store_memory": STORE_MB << 20}
        logging.getLogger("ray").setLevel(logging.CRITICAL)  # a job's result says what became of it
        try:
            ray.init(
                address=self.address or "local",
                log_to_driver=False,
                configure_logging=False,
                logging_level=logging.CRITICAL,
                runtime_env={"env_vars": env},
                **here,
            )
        except Exception as error:  # noqa: BLE001  # the same
            where = self.address or "a local cluster"
            why = redacted(f"{type(error).__name__}: {error}")
            raise ExecutorError(f"Ray: {where} cannot be reached ({why}); check address, version and token") from None
        self._own = True
        return ray

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self.close()


def _answers(address: str | None) -> None:
    """Whether anybody listens at a cluster's address; Ray itself would ask for minutes."""
    place = (address or "").removeprefix("ray://").split("/")[0]
    host, _, port = place.rpartition(":")
    if not port.isdigit():
        return  # `auto`, or a name that Ray knows
    try:
        socket.create_connection((host.strip("[]") or "127.0.0.1", int(port)), timeout=HELLO_S).close()
    except (OSError, OverflowError) as error:
        why = getattr(error, "strerror", None) or error
        raise ExecutorError(f"Ray: nobody answers at {address} ({why}); check the address and the network") from None


def _result(ray: Any, ready: Any, job: Job) -> Result:
    """What a task left; where it left nothing, a result that says why."""
    status: Status = "crashed"
    try:
        found: Result = ray.get(ready)
        return found
    except ray.exceptions.OutOfMemoryError as error:
        status, why = "oom", f"Ray ended its worker for its memory ({error})"
    except ray.exceptions.WorkerCrashedError:
        why = "its worker died; nothing is known of the training"
    except ray.exceptions.RayTaskError as error:
        why = f"the function that jobs are run by failed ({error.cause!r})"
    except Exception as error:  # noqa: BLE001  # a cluster fails in many ways, and each job has a result
        why = f"Ray gave no result ({type(error).__name__}: {error})"
    return failed(job, status, why)
