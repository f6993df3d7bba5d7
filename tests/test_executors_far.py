"""Ray for real, on a cluster of its own; Modal as far as it goes without its service: objects, local calls, refusals.

Planted and seen to fail: a module of ours changed on the way, a missing token passed on as Modal says it, the client
left to its own minute, a lost job without a result, a price taken for granted.
"""

from __future__ import annotations

import os
import queue
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from benchjobs import alive, eventually, job, pids
from test_executors import FOREVER, answers, asked

from trajscope_loop.bench import measure
from trajscope_loop.errors import ExecutorError
from trajscope_loop.executors import make, onmodal, shipped
from trajscope_loop.executors.onmodal import OnModal
from trajscope_loop.executors.onray import OnRay

ELSEWHERE = """
import sys
from benchjobs import job
from trajscope_loop.bench import measure
from trajscope_loop.executors import make
ray = make("ray", address=sys.argv[1])
print(*(r["metrics"] for r in ray.run(measure, [job("say('5')")])))
ray.close()
"""


@pytest.mark.ray
@pytest.mark.needs_module("ray")
@pytest.mark.timeout(300)  # a cluster starts in seconds on a quiet machine, in a minute on one that is shared
@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::DeprecationWarning", "ignore::FutureWarning")
def test_the_same_function_runs_on_ray_whoever_dies_and_by_an_address(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", "planted")
    here = measure(job("say('1 2')"))
    with OnRay(cpus=2) as ray:
        found = list(ray.run(measure, [job("say('1 2')", seed=seed) for seed in range(3)]))
        fates = {r["key"]: r for r in ray.run(answers, asked("a", "die", "raise", "b"))}
        import ray as running

        address = running.get_runtime_context().gcs_address
        env = {**os.environ, "PYTHONPATH": os.pathsep.join([str(Path(__file__).parent), *filter(None, sys.path)])}
        command = [sys.executable, "-c", ELSEWHERE, address]
        other = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
        assert other.stdout.split("\n")[0] == "{'said': 5.0}", other.stderr
        stay = job(FOREVER.format(here=str(tmp_path)), seed=1, timeout_s=600.0)
        abandoned = ray.run(measure, [job("say('1')"), stay])
        assert next(abandoned)["status"] == "ok"
        assert eventually(lambda: pids(tmp_path))
        abandoned.close()
        assert eventually(lambda: not any(map(alive, pids(tmp_path))))
    ray.close()
    assert not running.is_initialized()
    assert sorted(r["seed"] for r in found) == [0, 1, 2]
    assert all(r["metrics"] == here["metrics"] and r["code_sha"] == here["code_sha"] for r in found)
    assert {k: (r["status"], r["error"]) for k, r in fates.items()} == {
        "a": ("ok", None),
        "b": ("ok", None),
        "die": ("crashed", "its worker died; nothing is known of the training"),
        "raise": ("crashed", "the function that jobs are run by failed (ValueError('a fault of ours'))"),
    }
    assert "planted" not in fates["a"]["host"]
    assert "oken authentication" not in "".join(capfd.readouterr())


@pytest.mark.needs_module("ray")
@pytest.mark.parametrize("form", ["127.0.0.1:{}", "ray://127.0.0.1:{}"])
@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::DeprecationWarning", "ignore::FutureWarning")
def test_a_cluster_that_does_not_answer_is_said_at_once(form: str) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = form.format(free.getsockname()[1])
    with pytest.raises(ExecutorError, match=rf"^Ray: nobody answers at {address} \(Connection refused\)"):
        list(OnRay(address).run(answers, asked("a")))


def test_modules_of_ours_that_are_others_there_run_nothing(tmp_path: Path) -> None:
    found = shipped.held(answers, shipped.ours(), *asked("a"))
    assert found["status"] == "ok"
    found = shipped.held(answers, "0" * 64, *asked("a"))
    assert found["status"] == "tampered"
    assert "install the same there" in str(found["error"])
    (tmp_path / "pkg").mkdir()
    (tmp_path / "pkg" / "a.py").write_text("x = 1\n")
    before = shipped.of([tmp_path / "pkg"])
    (tmp_path / "pkg" / "a.py").write_text("x = 2\n")
    assert shipped.of([tmp_path / "pkg"]) != before


# --- Modal ------------------------------------------------------------------------------------------------------------

modal_is_here = pytest.mark.needs_module("modal")


@modal_is_here
def test_app_image_and_function_are_built_and_run_here_without_a_service() -> None:
    made = OnModal(gpu="H100", cpu=2.0, memory_mb=4096, retries=2, containers=5)
    app, function = made.function(measure, 60.0)
    assert app.name == "trajscope"
    place, found = function.local(3, job("say('1 2')"))
    here = measure(job("say('1 2')"))
    assert place == 3
    assert {k: v for k, v in found.items() if k != "wall_s"} == {k: v for k, v in here.items() if k != "wall_s"}


@modal_is_here
def test_what_is_shipped_is_a_function_that_comes_back_whole() -> None:
    import pickle

    from modal._vendor import cloudpickle

    # The client's own pickler, which sends a function made inside another by its code.
    sent = cloudpickle.dumps(onmodal.there(answers, shipped.ours()))  # type: ignore[no-untyped-call]  # it has no types
    there = pickle.loads(sent)  # noqa: S301  # our own bytes
    place, found = there(1, *asked("a"))
    assert (place, found["status"]) == (1, "ok")


def test_packages_are_pinned_to_what_is_installed_here() -> None:
    import msgspec
    import numpy as np

    assert onmodal.pinned(["numpy", "msgspec", "numpy", "torch==2.4.0"]) == [
        f"numpy=={np.__version__}",
        f"msgspec=={msgspec.__version__}",
        "torch==2.4.0",
    ]
    with pytest.raises(ExecutorError, match="no-such-package is not installed here"):
        onmodal.pinned(["no-such-package"])


@modal_is_here
def test_nobody_without_credentials_gets_further_than_one_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("MODAL_TOKEN_ID", "MODAL_TOKEN_SECRET", "MODAL_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("MODAL_CONFIG_PATH", str(tmp_path / "none.toml"))
    with pytest.raises(ExecutorError) as caught:
        list(OnModal().run(answers, asked("a")))
    assert str(caught.value) == (
        "Modal knows nobody here; run `modal token new`, or set MODAL_TOKEN_ID and MODAL_TOKEN_SECRET"
    )


@modal_is_here
def test_a_service_that_does_not_answer_is_not_waited_for_a_minute() -> None:
    # The client reads its configuration when it is imported, so a process of its own asks.
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        env = {**os.environ, "MODAL_SERVER_URL": f"http://127.0.0.1:{silent.getsockname()[1]}"}
        env |= {"MODAL_TOKEN_ID": "ak-planted", "MODAL_TOKEN_SECRET": "as-planted"}
        env["PYTHONPATH"] = os.pathsep.join([str(Path(__file__).parent), *filter(None, sys.path)])
        program = (
            "import os\nfrom test_executors import answers, asked\nfrom trajscope_loop.executors import make\n"
            "try:\n    list(make('modal', hello_s=1.0).run(answers, asked('a')))\n"
            "except Exception as error:\n    print(error, flush=True)\nos._exit(0)\n"
        )
        command = [sys.executable, "-c", program]
        ran = subprocess.run(command, env=env, capture_output=True, text=True, check=True, timeout=50)
    assert ran.stdout == "Modal does not answer for 1 s; check the network, then try again\n"


def _news(*said: Any) -> queue.Queue[Any]:
    """What a session tells, already there."""
    news: queue.Queue[Any] = queue.Queue()
    for one in said:
        news.put(one)
    return news


def test_results_are_told_with_their_price_and_a_lost_job_with_its_reason() -> None:
    first, second, third = asked("a", "b", "c")
    result = {**answers(second), "wall_s": 20.0}
    made = OnModal(usd_per_second=0.0015)
    news = _news((1, result), RuntimeError("container was preempted"), onmodal._DONE)
    found = list(made._told(news, [first, second, third]))
    assert [(r["key"], r["status"]) for r in found] == [("b", "ok"), ("a", "crashed"), ("c", "crashed")]
    assert found[0]["usd"] == pytest.approx(0.03)
    assert found[1]["error"] == "Modal: RuntimeError: container was preempted"
    assert "usd" not in next(OnModal()._told(_news((0, answers(first))), [first]))


def test_silence_of_the_service_ends_in_results_that_say_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(onmodal, "BUILD_S", 0.01)
    monkeypatch.setattr(onmodal, "STARTING_S", 0.01)
    made = OnModal(retries=0)
    (found,) = made._told(_news(), [job("", timeout_s=0.01)])
    assert found["error"] == "Modal has not answered for 0 s"


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"packages": "torch"}, "packages is a list of names"),
        ({"usd_per_second": 3600}, "is no price"),
        ({"gpus": 1}, "the executor modal has no option gpus; it has gpu, packages"),
    ],
)
def test_an_option_that_means_nothing_is_refused(options: dict[str, Any], why: str) -> None:
    with pytest.raises(ExecutorError, match=why):
        make("modal", **options)
