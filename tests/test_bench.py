"""The bench under planted faults: what a training does to be believed, to stay, to take, or to hide.

Planted and seen to fail: see each test; besides them a group ended without its strays, outputs read to their end,
links followed into out/, the judge's NaN let through, a result without metrics.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
from benchjobs import JUDGE, alive, job, pids

from trajscope import config_hash
from trajscope_loop import data, domain
from trajscope_loop.bench import measure
from trajscope_loop.crashes import redacted
from trajscope_loop.domains import perturbation
from trajscope_loop.seams import Job, Result
from trajscope_loop.tree import plant, sha256

LINUX = sys.platform.startswith("linux")


def failed(result: Result, status: str) -> str:
    """The error of a result that must have failed in this way, and must say nothing else."""
    assert (result["status"], result["metrics"], result["holdout"]) == (status, {}, {}), result
    assert result["error"]
    assert "\n" not in result["error"]
    return result["error"]


def test_a_seed_is_trained_judged_and_told_from_where() -> None:
    asked = job("say(os.environ['SEED'] + ' more')\nopen(os.environ['OUT'] + '/first_step', 'w').write('1.25')")
    found = measure(asked)
    assert (found["status"], found["error"]) == ("ok", None)
    assert found["metrics"] == {"said": 7.0}
    assert found["holdout"] == {"more": 2.0}
    assert found["first_step"] == 1.25
    assert found["code_sha"]
    again = measure(asked)
    assert {k: v for k, v in again.items() if k != "wall_s"} == {k: v for k, v in found.items() if k != "wall_s"}


def test_what_training_says_of_itself_is_not_asked() -> None:
    praise = "import json\nsay('0.1')\nprint(json.dumps({'metrics': {'said': 0.99}}))\n"
    praise += "open(os.environ['OUT'] + '/metrics.json', 'w').write('{\"said\": 0.99}')\n"
    assert measure(job(praise))["metrics"] == {"said": 0.1}


def test_a_judge_may_read_what_was_printed_and_training_cannot_put_it_there() -> None:
    judge = "def judge(out, truth): return {'metrics': {'said': float((out / 'stdout.txt').read_text())}}"
    assert measure(job("print(0.5)", judge))["metrics"] == {"said": 0.5}
    forged = "print(0.5); open(os.environ['OUT'] + '/stdout.txt', 'w').write('0.9')"
    assert "the name is taken" in failed(measure(job(forged, judge)), "crashed")


def test_training_sees_no_key_and_nothing_else_of_ours(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", "planted-value")
    monkeypatch.setenv("SOMETHING_ELSE", "planted-value")
    look = f"""
import glob, json
seen = dict(os.environ)
above = ''
try:
    above = open(f'/proc/{{os.getppid()}}/environ').read()
except OSError:
    pass
open({str(tmp_path / "seen.json")!r}, 'w').write(json.dumps([seen, above, os.listdir(os.environ['HOME'])]))
say('1')
"""
    assert measure(job(look, env={"MORE": "1"}))["status"] == "ok"
    seen, above, home = json.loads((tmp_path / "seen.json").read_text())
    assert "planted-value" not in json.dumps(seen) + above
    assert seen.keys() - {"LC_CTYPE", "PWD", "SHLVL", "_"} == {
        *("PATH", "HOME", "TMPDIR", "LANG", "PYTHONDONTWRITEBYTECODE", "SEED", "GIVEN", "OUT", "MORE"),
        *("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS"),
        "TRAJSCOPE_EFFECTIVE",
    }
    assert seen["HOME"] != str(Path.home())
    assert home == []


STAY = """
import signal, subprocess, sys, time
here = {here!r}
def stay():
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    open(os.path.join(here, str(os.getpid())), 'w').close()
    {then}
if os.fork() == 0:
    stay()
if os.fork() == 0:
    os.setsid()          # a group of its own
    if os.fork() == 0:   # and no parent that could be asked about it
        stay()
    os._exit(0)
while len(os.listdir(here)) < 2:
    time.sleep(0.01)
{last}
"""


@pytest.mark.skipif(not LINUX, reason="strays are found by their parents, which only Linux lists")
def test_time_that_is_up_ends_grandchildren_that_ignore_it_and_hid(tmp_path: Path) -> None:
    script = STAY.format(here=str(tmp_path), then="time.sleep(600)", last="stay()")
    why = failed(measure(job(script, timeout_s=2.0)), "timeout")
    assert why == "not done after 2 s; it was ended with all that it had started"
    assert len(pids(tmp_path)) == 3
    assert not [p for p in pids(tmp_path) if alive(p)]


@pytest.mark.skipif(not LINUX, reason="strays are found by their parents, which only Linux lists")
def test_a_training_that_ends_well_leaves_nobody_either(tmp_path: Path) -> None:
    script = STAY.format(here=str(tmp_path), then="time.sleep(600)", last="say('1')")
    assert measure(job(script))["status"] == "ok"
    assert len(pids(tmp_path)) == 2
    assert not [p for p in pids(tmp_path) if alive(p)]


@pytest.mark.skipif(not LINUX, reason="a limit that macOS does not keep")
@pytest.mark.parametrize(
    "take",
    ["x = bytearray(900 << 20)", "x = []\nwhile True: x.append(bytearray(16 << 20))"],
)
def test_memory_beyond_the_limit_is_refused_and_called_so(take: str) -> None:
    assert failed(measure(job(take, memory_mb=256)), "oom") == "MemoryError (its limit is 256 MB)"
    assert measure(job("x = bytearray(64 << 20); say('1')", memory_mb=256))["status"] == "ok"


def test_who_is_killed_near_its_limit_is_out_of_memory_and_who_is_killed_far_from_it_is_not() -> None:
    kill = "import signal; os.kill(os.getpid(), signal.SIGKILL)"
    assert failed(measure(job(kill, memory_mb=1024)), "crashed") == "ended by SIGKILL"
    near = f"x = b'x' * (90 << 20); {kill}"
    assert "killed at" in failed(measure(job(near, memory_mb=128)), "oom")


def test_a_gigabyte_of_output_is_neither_kept_nor_waited_for() -> None:
    script = """
block = b'x' * (1 << 20)
for _ in range(1024):
    os.write(1, block)
os.write(2, b'the end')
os._exit(3)
"""
    assert failed(measure(job(script)), "crashed") == "the end"
    judge = "def judge(out, truth): return {'metrics': {'said': float((out / 'stdout.txt').stat().st_size)}}"
    found = measure(job(script.replace("os._exit(3)", ""), judge))
    assert 2 * (64 << 10) < found["metrics"]["said"] < 2 * (64 << 10) + 100


@pytest.mark.parametrize(
    ("script", "status", "why"),
    [
        ("import no_such_module", "import", "ModuleNotFoundError: No module named 'no_such_module'"),
        ("def f(:\n", "import", "SyntaxError: invalid syntax"),
        ("raise FloatingPointError('the loss is what it should not be')", "nan", "FloatingPointError: the loss"),
        ("raise ValueError('loss is nan at step 3')", "nan", "ValueError: loss is nan at step 3"),
        ("raise ValueError('banana')", "crashed", "ValueError: banana"),
        ("raise KeyError('lr')", "crashed", "KeyError: 'lr'"),
        ("import sys; sys.exit(3)", "crashed", "ended with exit code 3 and said nothing"),
        ("import sys; sys.exit('no data')", "crashed", "no data"),
        ("import signal; os.kill(os.getpid(), signal.SIGSEGV)", "crashed", "ended by SIGSEGV"),
        (
            "import signal; os.kill(os.getppid(), signal.SIGKILL)\nwhile True: pass",
            "crashed",
            "its supervisor was ended",
        ),
        ("raise ValueError('sk-ant-REDACTED was refused')", "crashed", "[removed] was refused"),
        ("raise ValueError('\\x1b[31mred\\u202e')", "crashed", "ValueError:  [31mred"),
        ("pass", "crashed", "the judge: FileNotFoundError"),
    ],
)
def test_a_crash_is_named_by_its_kind_and_its_last_words(script: str, status: str, why: str) -> None:
    assert why in failed(measure(job(script)), status)


def test_keys_of_ours_are_taken_out_of_an_error_whatever_they_look_like() -> None:
    env = {"MY_SERVICE_TOKEN": "plain words as a key", "HOME": "/somewhere"}
    said = redacted("401 for plain words as a key, Authorization: Bearer abcdefgh12345678 in /somewhere", env)
    assert "plain words" not in said
    assert "abcdefgh" not in said
    assert "/somewhere" in said


CONSTANTS: dict[str, Any] = {"wanted": {"lr": 0.5}, "constants": {"lr": "LR"}}


def test_the_configuration_it_ran_with_is_read_back() -> None:
    found = measure(job("LR = 0.5\nsay('1')", **CONSTANTS))
    assert found["effective"] == {"lr": 0.5}
    assert found["effective_config_sha"] == config_hash({"lr": 0.5})


@pytest.mark.parametrize(
    ("script", "why"),
    [
        ("LR = 0.3\nsay('1')", r"LR: proposed 0.5, train.py says 0.3"),
        ("LR = 0.5\nsay('1')\nglobals()['LR'] = 0.3", r"LR: proposed 0.5, ran 0.3"),
        (
            "LR = 0.5\nsay('1')\nos.chmod(__file__, 0o600)\nopen(__file__, 'a').write('# other')\n",
            "train.py: was .*, is .*Seen at run",
        ),
    ],
)
def test_what_did_not_run_as_proposed_is_tampered(script: str, why: str) -> None:
    import re

    assert re.search(why, failed(measure(job(script, **CONSTANTS)), "tampered"))


def test_a_configuration_that_nobody_tells_is_not_taken_for_the_proposed_one() -> None:
    why = failed(measure(job("LR = 0.5\nsay('1')\ndel LR", **CONSTANTS)), "crashed")
    assert why.startswith("what ran cannot be shown to be what was proposed")


def test_bytes_that_changed_on_their_way_are_not_run() -> None:
    asked = job("say('1')")
    asked["files"]["judge.py"] = b"def judge(out, truth): return {'metrics': {'said': 1.0}}"
    assert failed(measure(asked), "tampered") == "judge.py: is not what was hashed; the job was changed on its way"


OUT = "import shutil; out = os.environ['OUT']\n"


@pytest.mark.parametrize(
    ("script", "why"),
    [
        (OUT + "os.symlink('/etc/hostname', out + '/said')", "out/said: is a link"),
        (OUT + "os.symlink('/etc', out + '/more'); say('1')", "out/more: is a link"),
        (OUT + "shutil.rmtree(out); os.symlink('/etc', out)", "out/ is no folder any more"),
        (OUT + "os.mkfifo(out + '/said')", "out/said: is no plain file of its own"),
        (OUT + "say('1'); os.link(out + '/said', out + '/other')", "is no plain file of its own"),
        (OUT + "[open(f'{out}/{n}', 'w').close() for n in range(1001)]", "out/ holds over 1000 files"),
        (OUT + "say('1'); os.truncate(out + '/said', 2 << 30)", "out/ holds over 1024 MB"),
    ],
)
def test_only_plain_files_are_taken_from_what_training_leaves(script: str, why: str) -> None:
    assert why in failed(measure(job(script)), "crashed")


@pytest.mark.parametrize(
    ("judge", "status", "why"),
    [
        ("def judge(out, truth): return {'metrics': {}}", "crashed", "the judge gave no metrics"),
        ("def judge(out, truth): return None", "crashed", "the judge gave no metrics"),
        ("def judge(out, truth): return {'said': 1.0}", "crashed", "the judge gave no metrics"),
        ("def judge(out, truth): return {'metrics': {'said': float('nan')}}", "nan", "said is nan"),
        ("def judge(out, truth): return {'metrics': {'said': True}}", "nan", "said is True"),
        ("def judge(out, truth): raise ZeroDivisionError", "crashed", "the judge: ZeroDivisionError"),
        ("judge = 1", "crashed", "judge.py: has no function judge(out, truth)"),
        ("import no_such_module", "crashed", "judge.py: cannot be loaded (ModuleNotFoundError"),
    ],
)
def test_a_judge_that_gives_no_numbers_gives_no_result(judge: str, status: str, why: str) -> None:
    assert why in failed(measure(job("say('1')", judge)), status)


def test_a_job_without_a_judge_is_not_believed() -> None:
    assert "names no judge" in failed(measure(job("say('1')", judge=JUDGE) | Job(judge=None)), "crashed")  # type: ignore[typeddict-item]  # one field of it


# --- other programs, and data that are made where they are needed -----------------------------------------------------


def test_any_program_runs_in_a_copy_of_the_files_and_is_watched_too() -> None:
    sh: dict[str, Any] = {"files": {"run.sh": b"echo 0.25 > $OUT/said\n"}, "command": ["sh", "run.sh"], "python": False}
    assert measure(job("", **sh))["metrics"] == {"said": 0.25}
    sh["files"] = {"run.sh": b"echo 0.25 > $OUT/said; echo >> run.sh\n"}
    assert "run.sh" in failed(measure(job("", **sh)), "tampered")
    sh["command"] = ["no-such-program"]
    assert "no-such-program: cannot be started" in failed(measure(job("", **sh)), "crashed")


PREPARE = b"import sys, pathlib\ngiven, truth = map(pathlib.Path, sys.argv[1:])\n"
PREPARE += b"(given / 'x').write_text('3'); (truth / 'y').write_text('4')\n"
KNOWS = """
def judge(out, truth):
    return {"metrics": {"off": abs(float((out / "said").read_text()) - float((truth / "y").read_text()))}}
"""
READS = "given = pathlib.Path(os.environ['GIVEN'])\nsay((given / 'x').read_text())\n"


def with_data(train: str, prepare: bytes = PREPARE, **changed: Any) -> Job:
    shas = {"given/x": sha256(b"3"), "truth/y": sha256(b"4")}
    return job(train, KNOWS, files={"prepare.py": prepare}, prepare="prepare.py", data_shas=shas, **changed)


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine that is not the campaign's: nothing of it is prepared there yet."""
    monkeypatch.setattr(data, "_here", lambda: tmp_path)
    return tmp_path


def test_data_that_are_not_at_hand_are_made_again_and_once(elsewhere: Path) -> None:
    assert measure(with_data(READS))["metrics"] == {"off": 1.0}
    made = next(elsewhere.glob("*/data.json"))
    before = made.stat().st_mtime_ns
    assert measure(with_data(READS))["metrics"] == {"off": 1.0}
    assert made.stat().st_mtime_ns == before


def test_data_that_come_out_differently_elsewhere_are_no_data(elsewhere: Path) -> None:
    other = PREPARE.replace(b"'3'", b"'5'")
    why = failed(measure(with_data(READS, other)), "tampered")
    assert why.startswith("given/x: prepare.py makes other data here than where the campaign began")
    assert not list(elsewhere.iterdir())


@pytest.mark.parametrize("name", ["given/x", "truth/y"])
def test_data_that_were_changed_are_no_data(elsewhere: Path, name: str) -> None:
    measure(with_data(READS))
    place = next(elsewhere.glob(f"*/{name}"))
    place.write_text("9")
    assert f"{name.partition('/')[2]}: data is not what was hashed" in failed(measure(with_data(READS)), "tampered")


def test_training_finds_no_truth_beside_what_it_is_given(elsewhere: Path) -> None:
    look = READS + "say(str(len([p for p in given.parent.rglob('*') if 'truth' in p.name])))"
    assert measure(with_data(look))["metrics"] == {"off": 4.0}


def test_what_training_does_to_its_data_stays_its_own(elsewhere: Path) -> None:
    assert measure(with_data(READS + "(given / 'x').write_text('4')\nsay('4')"))["status"] == "ok"
    assert next(elsewhere.glob("*/given/x")).read_text() == "3"


# --- predictions, as a real domain judges them ------------------------------------------------------------------------


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A job of the perturbation domain in which the model's answer is another."""
    found, folder = domain.load("perturbation"), tmp_path_factory.mktemp("real")

    def make(last: str) -> Job:
        source = found._start["train.py"].replace(b"STEPS = 200", b"STEPS = 5")
        source = source.replace(b'if __name__ == "__main__":\n    main()\n', f"main()\n{last}\n".encode())
        return found.job(folder, plant({"train.py": source}), {**found.base, "steps": 5}, 0, "k")

    return make


def test_a_child_scores_what_the_same_model_scores_in_one_process(real: Any) -> None:
    found, known = measure(real("")), perturbation.run({"steps": 5}, 0)
    assert {**found["metrics"], **found["holdout"], "first_loss": found["first_step"]} == pytest.approx(known)


CHANGE = "import os; out = Path(os.environ['OUT']); said = np.load(out / 'visible.npy')\n"


@pytest.mark.parametrize(
    ("last", "status", "why"),
    [
        ("said[3, 17] = np.nan; np.save(out / 'visible.npy', said)", "nan", "1 of 20 predictions are NaN or infinite"),
        ("np.save(out / 'visible.npy', said[:-1])", "crashed", "one row per perturbation"),
        ("np.save(out / 'visible.npy', said * 1e200)", "nan", "too large to score"),
        ("(out / 'holdout.npy').unlink()", "crashed", "holdout.npy was not predicted"),
        ("np.save(out / 'visible.npy', said.astype(str))", "crashed", "no plain array of numbers"),
        ("(out / 'visible.npy').write_bytes(b'not an array')", "crashed", "the judge: "),
        ("np.save(out / 'visible.npy', said.astype(object), allow_pickle=True)", "crashed", "allow_pickle=False"),
    ],
)
def test_predictions_that_are_none_are_no_result(real: Any, last: str, status: str, why: str) -> None:
    assert why in failed(measure(real(CHANGE + last)), status)


def test_a_pickle_in_the_place_of_predictions_is_never_opened(real: Any, tmp_path: Path) -> None:
    mark = tmp_path / "opened"
    trap = f"""
import pickle
class Trap:
    def __reduce__(self):
        return (os.mkdir, ({str(mark)!r},))
(out / 'visible.npy').write_bytes(pickle.dumps(Trap()))
"""
    failed(measure(real(CHANGE + trap)), "crashed")
    assert not mark.exists()


def test_one_answer_for_every_perturbation_scores_nothing_where_it_counts(real: Any) -> None:
    flat = "np.save(out / 'visible.npy', np.full_like(said, 0.7))"
    found = measure(real(CHANGE + flat))["metrics"]
    assert (found["pearson_deg"], found["pds"]) == (0.0, 0.5)
    assert found["response_ratio"] == pytest.approx(0, abs=1e-12)


def test_nothing_stays_in_the_temporary_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import tempfile

    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    measure(job("say('1')"))
    measure(job("raise ValueError"))
    assert not list(tmp_path.iterdir())
