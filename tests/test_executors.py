"""Executors: every job has one result, as it is ready, whoever dies; and nothing outlives who started it.

Planted and seen to fail: a worker's death raised, a dead worker taken for an idle one, jobs begun in one go, a worker
that does not look whether its line is cut, keys handed on.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from benchjobs import alive, eventually, job, pids

from trajscope_loop.bench import measure
from trajscope_loop.crashes import failed
from trajscope_loop.errors import ExecutorError
from trajscope_loop.executors import NAMES, make
from trajscope_loop.executors.local import Local, clean, cores
from trajscope_loop.seams import Job, Result


def answers(job: Job) -> Result:
    """A function for executors: its result says who ran it; what the job's key asks for, it does."""
    if job["key"] == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    if job["key"] == "exit":
        os._exit(7)
    if job["key"] == "raise":
        raise ValueError("a fault of ours")
    keys = [value for name, value in os.environ.items() if "KEY" in name and value]
    return {**failed(job, "crashed", "nothing"), "status": "ok", "error": None, "host": f"{os.getpid()} {keys}"}


def asked(*keys: str) -> list[Job]:
    return [job("", key=key, seed=seed) for seed, key in enumerate(keys)]


def test_every_job_has_one_result_and_workers_go_on() -> None:
    with Local(2) as local:
        first = list(local.run(answers, asked(*"abcdefgh")))
        again = list(local.run(answers, asked("i", "j")))
    assert sorted(r["key"] for r in first + again) == [*"abcdefghij"]
    assert {r["status"] for r in first} == {"ok"}
    ran = {r["host"] for r in first}
    assert 1 <= len(ran) <= 2
    assert {r["host"] for r in again} <= ran | {r["host"] for r in again[:1]}


@pytest.mark.parametrize(
    ("key", "why"),
    [
        ("die", "its worker died by SIGKILL, perhaps for its memory; nothing is known of the training"),
        ("exit", "its worker died (exit code 7); nothing is known of the training"),
        ("raise", "the function that jobs are run by failed (ValueError: a fault of ours)"),
    ],
)
def test_a_worker_that_dies_gives_a_result_and_the_others_go_on(key: str, why: str) -> None:
    with Local(1) as local:
        found = {r["key"]: r for r in local.run(answers, asked("a", key, "b", "c"))}
    assert found[key]["status"] == "crashed"
    assert found[key]["error"] == why
    assert found[key]["metrics"] == {}
    assert [found[k]["status"] for k in "abc"] == ["ok"] * 3


def test_a_function_that_a_worker_cannot_find_is_said_for_every_job() -> None:
    def here(job: Job) -> Result:
        return answers(job)

    with Local(1) as local, pytest.raises(ExecutorError, match="cannot be sent"):
        list(local.run(here, asked("a", "b")))


def test_workers_know_no_key_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", "planted")
    with Local(1) as local:
        (found,) = local.run(answers, asked("a"))
    assert found["host"].endswith("[]")


def test_what_holds_a_key_is_told_by_its_name() -> None:
    env = dict.fromkeys(
        [
            *("OPENAI_API_KEY", "HF_TOKEN", "AWS_SECRET_ACCESS_KEY", "DB_PASSWORD", "MODAL_TOKEN_SECRET", "apikey"),
            *("PATH", "KEYBOARD", "TOKENIZERS_PARALLELISM", "MONKEYS_HOUSE", "AUTHOR"),
        ],
        "x",
    )
    assert sorted(clean(env)) == ["AUTHOR", "KEYBOARD", "MONKEYS_HOUSE", "PATH", "TOKENIZERS_PARALLELISM"]


def test_results_come_as_they_are_ready() -> None:
    slow = job("import time; time.sleep(1.5); say('1')", key="slow", seed=0)
    quick = [job("say('2')", key=f"quick {i}", seed=i) for i in range(2)]
    with Local(2) as local:
        order = [r["key"] for r in local.run(measure, [slow, *quick])]
    assert order[-1] == "slow"
    assert sorted(order) == ["quick 0", "quick 1", "slow"]


def test_one_run_at_a_time() -> None:
    with Local(1) as local:
        first = local.run(answers, asked("a", "b"))
        next(first)
        with pytest.raises(ExecutorError, match="runs something already"):
            list(local.run(answers, asked("c")))
        assert len(list(first)) == 1


FOREVER = "import time\nopen({here!r} + '/' + str(os.getpid()), 'w').close()\ntime.sleep(600)"


def test_who_stops_asking_ends_what_still_runs(tmp_path: Path) -> None:
    stay = [job(FOREVER.format(here=str(tmp_path)), seed=n, timeout_s=600.0) for n in range(2)]
    with Local(2) as local:
        results = local.run(measure, [job("say('1')"), *stay])
        assert next(results)["status"] == "ok"
        assert eventually(lambda: len(pids(tmp_path)) == 1)
        results.close()
        assert eventually(lambda: not any(map(alive, pids(tmp_path))))
        assert [r["status"] for r in local.run(answers, asked("a"))] == ["ok"]
    local.close()


CAMPAIGN = """
import sys
from benchjobs import job
from trajscope_loop.bench import measure
from trajscope_loop.executors.local import Local
source = open(sys.argv[1]).read()
for result in Local(2).run(measure, [job(source, seed=n, timeout_s=600.0) for n in range(2)]):
    print(result)
"""


@pytest.mark.parametrize("who", ["campaign", "worker", "supervisor"])
def test_nothing_survives_whoever_is_killed(who: str, tmp_path: Path) -> None:
    here = tmp_path / "pids"
    here.mkdir()
    script = tmp_path / "train"
    ignoring = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); os.fork()\n"
    script.write_text(ignoring + FOREVER.format(here=str(here)))
    env = {**os.environ, "PYTHONPATH": os.pathsep.join([str(Path(__file__).parent), *filter(None, sys.path)])}
    command = [sys.executable, "-c", CAMPAIGN, str(script)]
    with subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as campaign:
        try:
            assert eventually(lambda: len(pids(here)) == 4)
            group = os.getpgid(pids(here)[0])  # of one training and its grandchild, named by their supervisor
            mine = [p for p in pids(here) if os.getpgid(p) == group]
            assert len(mine) == 2
            os.kill({"campaign": campaign.pid, "worker": _parent(group), "supervisor": group}[who], signal.SIGKILL)
            assert eventually(lambda: not any(map(alive, mine)))
        finally:
            campaign.kill()
        campaign.wait()
        assert eventually(lambda: not any(map(alive, pids(here))))


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux tells a process that its parent died")
def test_a_training_ends_with_its_supervisor_where_nobody_else_can_end_it(tmp_path: Path) -> None:
    here = tmp_path / "pids"
    here.mkdir()
    (tmp_path / "train").write_text(FOREVER.format(here=str(here)))
    env = {**os.environ, "PYTHONPATH": os.pathsep.join([str(Path(__file__).parent), *filter(None, sys.path)])}
    alone = "import sys\nfrom benchjobs import job\nfrom trajscope_loop.bench import measure\n"
    alone += "measure(job(open(sys.argv[1]).read(), timeout_s=600.0))"
    with subprocess.Popen([sys.executable, "-c", alone, str(tmp_path / "train")], env=env) as worker:
        try:
            assert eventually(lambda: pids(here))
            (training,) = pids(here)
            os.kill(worker.pid, signal.SIGSTOP)
            os.kill(_parent(training), signal.SIGKILL)
            assert eventually(lambda: not alive(training))
        finally:
            worker.kill()


def _parent(pid: int) -> int:
    stat = Path(f"/proc/{pid}/stat")
    if stat.exists():
        return int(stat.read_text().rpartition(")")[2].split()[1])
    return int(subprocess.run(["ps", "-o", "ppid=", "-p", str(pid)], capture_output=True, check=True).stdout)


def test_an_executor_is_made_by_its_name_and_options_are_known() -> None:
    assert NAMES == ("local", "ray", "modal")
    assert make("local", workers=3).name == "local"
    assert Local().workers == cores() >= 1
    with pytest.raises(ExecutorError, match="there is no executor 'slurm'; use one of local, ray, modal"):
        make("slurm")
    with pytest.raises(ExecutorError, match="the executor local has no option worker; it has workers"):
        make("local", worker=3)
    with pytest.raises(ExecutorError, match="0 workers cannot run anything"):
        make("local", workers=0)
