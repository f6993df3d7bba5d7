"""One trial and a campaign under watch: what the child executed, what it ran with, since when something drifted.

The linter is a real process that rewrites the file after every save, as an editor's hook does. Planted and seen to
fail: the child executing what it did not hash; a report that overwrites the first; silence taken for agreement; a mark
that goes when the file is back; a price that forgets the trials after the first; the watcher without its last look.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import trajscope
from trajscope import integrity
from trajscope.errors import IntegrityError
from trajscope.integrity.effective import REPORT, read
from trajscope.trial import Drift
from trajscope.verdict import Level

ROOT = Path(__file__).resolve().parents[1]
TRAIN = """import prepare
SCALAR_LR = 0.5
DEPTH = 8
print(SCALAR_LR, DEPTH, prepare.BUDGET)
"""
REPORTS = """import sys
sys.path.insert(0, {root!r})
from trajscope import integrity
import prepare
SCALAR_LR = 0.5
DEPTH = 8
integrity.report({{"SCALAR_LR": SCALAR_LR, "DEPTH": DEPTH}})
"""
LINTER = """import sys
for line in sys.stdin:
    path = line.strip()
    text = open(path).read()
    open(path, "w").write(text.replace("SCALAR_LR = 0.5", "SCALAR_LR = 0.3"))
    print("tidy", flush=True)
"""


class Linter:
    """Formats on save: rewrites a file in a process of its own whenever it is told that one was saved."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", LINTER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def poke(self, path: Path) -> None:
        """Something was saved; it is done when this returns."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{path}\n")
        self._process.stdin.flush()
        assert self._process.stdout.readline() == "tidy\n"

    def close(self) -> None:
        self._process.communicate()


@pytest.fixture
def linter() -> Iterator[Linter]:
    """A linter that is closed again."""
    made = Linter()
    yield made
    made.close()


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A campaign's folder."""
    root = tmp_path / "root"
    root.mkdir()
    (root / "train.py").write_text(TRAIN)
    (root / "prepare.py").write_text("BUDGET = 300\n")
    return root


@pytest.fixture
def log() -> list[tuple[str, dict[str, Any]]]:
    """What went into the log."""
    return []


class Clock:
    """Seconds that pass when told to."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    """A clock that stands still."""
    return Clock()


@pytest.fixture
def watchman(tree: Path, clock: Clock, log: list[tuple[str, dict[str, Any]]]) -> integrity.Watchman:
    """One who watches it."""
    return integrity.Watchman(
        tree,
        editable=["train.py"],
        frozen=["prepare.py"],
        event=lambda kind, **data: log.append((kind, data)),
        clock=clock,
    )


def reasons(trial: Any) -> str:
    return " | ".join(f"{v.rule} {v.level.name} {v.reason}" for v in trial.verdicts)


# --- what the child executes ----------------------------------------------------------------------------------------


def test_a_trial_that_ran_as_proposed_passes_and_needs_no_line_in_the_script(
    watchman: integrity.Watchman, tree: Path
) -> None:
    (tree / "train.py").write_text(TRAIN.replace("= 8", "= 10"))
    with watchman.trial({"DEPTH": 10}) as trial:
        done = trial.run("train.py", capture_output=True, text=True)
    assert (done.stdout, done.returncode) == ("0.5 10 300\n", 0)
    assert trial.passed, reasons(trial)
    fields = trial.fields()
    assert fields["effective"] == {"SCALAR_LR": 0.5, "DEPTH": 10}
    prints: Any = fields["fingerprints"]
    assert prints["propose"] == prints["run"] == prints["score"]
    assert list(prints["run"]) == ["prepare.py", "train.py"]
    assert set(trial.seed()) == {"code_sha", "effective_config_sha"}


def test_the_child_executes_the_bytes_that_were_hashed_whatever_becomes_of_the_tree(
    watchman: integrity.Watchman, tree: Path
) -> None:
    with watchman.trial({"DEPTH": 8}) as trial:
        (tree / "train.py").write_text("print('somebody else')")
        (tree / "prepare.py").write_text("BUDGET = 9999")
        done = trial.run("train.py", capture_output=True, text=True)
    assert done.stdout == "0.5 8 300\n"
    assert not trial.passed
    assert "frozen FAIL prepare.py changed (BUDGET: was 300, is 9999). Seen at score." in reasons(trial)
    assert trial.fields()["effective"] == {"SCALAR_LR": 0.5, "DEPTH": 8}


@pytest.mark.parametrize("name", ["train.py", "prepare.py"])
def test_a_copy_that_was_changed_is_not_executed(watchman: integrity.Watchman, name: str) -> None:
    with watchman.trial({"DEPTH": 8}) as trial:
        place = trial.path(name)
        place.chmod(0o600)
        place.write_text("print('evil')\nBUDGET = 1\n")
        done = trial.run("train.py", capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (97, "")
    assert done.stderr.startswith(f"trajscope: not run: {name} is not what was hashed")
    assert not trial.passed


def test_a_data_file_of_the_copy_that_was_changed_keeps_the_script_from_running(tree: Path) -> None:
    (tree / "data.json").write_text("[1]")
    with integrity.Watchman(tree, editable="train.py", frozen=["prepare.py", "data.json"]).trial() as trial:
        place = trial.path("data.json")
        place.chmod(0o600)
        place.write_text("[2]")
        done = trial.run("train.py", capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (97, "")


def test_a_module_changed_between_the_start_of_the_child_and_its_import_is_not_executed(
    watchman: integrity.Watchman, tree: Path
) -> None:
    evil = "import os, sys\nhere = os.path.join(os.path.dirname(__file__), 'prepare.py')\nos.chmod(here, 0o600)\n"
    (tree / "train.py").write_text(f"{evil}open(here, 'w').write('BUDGET = 1')\nimport prepare\nprint('ran')\n")
    with watchman.trial() as trial:
        done = trial.run("train.py", capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (97, "")
    assert not trial.passed


@pytest.mark.parametrize("where", ["", ".", "{tree}"])
def test_a_module_that_was_not_declared_is_not_there_for_the_child(
    watchman: integrity.Watchman, tree: Path, where: str
) -> None:
    (tree / "undeclared.py").write_text("X = 1\n")
    (tree / "train.py").write_text("import undeclared\n")
    with watchman.trial() as trial:
        env = {"PYTHONPATH": where.format(tree=tree)}
        done = trial.run("train.py", capture_output=True, text=True, cwd=tree, env=env)
    assert "No module named 'undeclared'" in done.stderr


def test_a_script_that_was_not_declared_is_not_run(watchman: integrity.Watchman) -> None:
    with watchman.trial() as trial, pytest.raises(IntegrityError, match=r"other.py: is not declared"):
        trial.run("other.py")


def test_the_private_copy_is_gone_afterwards_also_after_an_error(watchman: integrity.Watchman) -> None:
    trial = watchman.trial()
    place = trial.path("train.py")
    assert place.stat().st_mode & 0o777 == 0o400
    with pytest.raises(ZeroDivisionError), trial:
        _ = 1 / 0
    assert not place.exists()


def test_a_script_sees_its_arguments_its_name_and_the_folder_it_was_started_in(tree: Path) -> None:
    (tree / "train.py").write_text("import os, sys\nprint(__name__, sys.argv[1:], os.path.basename(os.getcwd()))\n")
    with integrity.Watchman(tree, editable="train.py").trial() as trial:
        done = trial.run("train.py", "--lr", "1", capture_output=True, text=True)
    assert done.stdout == "__main__ ['--lr', '1'] root\n"


# --- what it ran with -----------------------------------------------------------------------------------------------


def test_a_report_of_the_child_counts_before_its_constants(tree: Path) -> None:
    text = REPORTS.format(root=str(ROOT)).replace('"DEPTH": DEPTH', '"DEPTH": 4')
    (tree / "train.py").write_text(text)
    with integrity.Watchman(tree, editable="train.py", frozen="prepare.py").trial({"DEPTH": 8}) as trial:
        trial.run("train.py")
    assert "effective FAIL DEPTH: proposed 8, ran 4. Find what rewrites it" in reasons(trial)


def test_a_child_that_says_two_things_fails_even_where_it_swallows_the_refusal(tree: Path) -> None:
    text = (
        REPORTS.format(root=str(ROOT))
        + "try: integrity.report({'SCALAR_LR': 0.3, 'DEPTH': 8})\nexcept Exception: pass\n"
    )
    (tree / "train.py").write_text(text)
    with integrity.Watchman(tree, editable="train.py", frozen="prepare.py").trial({"DEPTH": 8}) as trial:
        trial.run("train.py")
    assert trial.level is Level.FAIL
    assert "reported twice, and not the same" in reasons(trial)


def test_a_child_that_leaves_without_a_word_is_no_pass(watchman: integrity.Watchman, tree: Path) -> None:
    (tree / "train.py").write_text(TRAIN + "import os; os._exit(0)\n")
    with watchman.trial({"DEPTH": 8}) as trial:
        trial.run("train.py", capture_output=True)
    assert (trial.level, trial.passed) == (Level.UNKNOWN, False)
    assert "effective UNKNOWN SCALAR_LR=0.5; DEPTH=8: the child did not report" in reasons(trial)


def test_a_trial_that_nobody_ran_is_no_pass(watchman: integrity.Watchman) -> None:
    with watchman.trial({"DEPTH": 8}) as trial:
        pass
    assert trial.level is Level.UNKNOWN
    assert "nobody hashed what the child executed" in reasons(trial)


def test_a_constant_that_the_script_changes_itself_is_not_what_was_proposed(tree: Path) -> None:
    (tree / "train.py").write_text("BATCH = 128\nglobals()['BATCH'] = 64\n")
    with integrity.Watchman(tree, editable="train.py").trial({"BATCH": 128}) as trial:
        trial.run("train.py")
    assert "BATCH: proposed 128, ran 64" in reasons(trial)


def test_a_constant_that_two_files_set_differently_is_no_knob(tree: Path) -> None:
    (tree / "other.py").write_text("DEPTH = 4\nSCALAR_LR = 0.5\n")
    watchman = integrity.Watchman(tree, editable=["train.py", "other.py"], frozen=["prepare.py"])
    assert watchman.config == {"SCALAR_LR": 0.5}
    with watchman.trial({"SCALAR_LR": 0.5}) as trial:
        trial.run("train.py", capture_output=True)
    assert trial.passed, reasons(trial)


def test_a_report_is_written_once_and_read_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = tmp_path / "effective.json"
    assert integrity.report({"lr": 0.1}) is False
    monkeypatch.setenv(REPORT, str(place))
    assert integrity.report({"lr": 0.1, "betas": (0.9, 0.95)})
    assert integrity.report({"lr": 0.10, "betas": [0.9, 0.95]})
    assert read(place) == {"lr": 0.1, "betas": [0.9, 0.95]}
    with pytest.raises(IntegrityError, match=r"two reports of one child differ \(lr: first 0.1, then 0.2"):
        integrity.report({"lr": 0.2, "betas": (0.9, 0.95)})
    with pytest.raises(IntegrityError, match="reported twice"):
        read(place)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["effective.json", "effective.json.differs"]


def test_a_report_of_what_is_no_number_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(REPORT, str(tmp_path / "e.json"))
    with pytest.raises(IntegrityError, match="lr=NaN is no number"):
        integrity.report({"lr": float("nan")})


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b"{}", b'{"config": 3}', b"\xff", b"[" * 9999])
def test_a_report_that_cannot_be_read_is_refused(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "e.json").write_bytes(data)
    with pytest.raises(IntegrityError):
        read(tmp_path / "e.json")


# --- since when, and what it cost -----------------------------------------------------------------------------------


@pytest.mark.needs_program("git")
def test_the_linter_is_caught_at_the_first_trial_though_git_looks_right(
    watchman: integrity.Watchman, tree: Path, linter: Linter, tmp_path: Path
) -> None:
    def git(*args: str) -> str:
        command = ["git", "-c", "user.name=a", "-c", "user.email=a@b", "-C", str(tree), *args]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout

    git("init", "-q")
    git("add", ".")
    git("commit", "-qm", "start")
    proposed = TRAIN.replace("DEPTH = 8", "DEPTH = 10")
    (tree / "train.py").write_text(proposed)
    git("commit", "-qam", "depth 10")
    linter.poke(tree / "train.py")  # the editor's hook, after the save
    shown = [x for x in git("show", "HEAD").splitlines() if x.startswith(("+", "-")) and x[:3] not in ("+++", "---")]
    assert shown == ["-DEPTH = 8", "+DEPTH = 10"]

    with (
        trajscope.open_run(tmp_path / "run.jsonl", metric="loss", base=watchman.config) as run,
        watchman.trial({"DEPTH": 10}, files={"train.py": proposed.encode()}) as trial,
    ):
        with pytest.raises(IntegrityError, match=r"trial 1 was not run: .*SCALAR_LR: was 0.5, is 0.3"):
            trial.run("train.py")
        run.trial({"DEPTH": 10}, status="aborted", wall_s=trial.wall_s, **trial.fields())
    assert trial.drift[0] == Drift("train.py", "SCALAR_LR", 0.5, 0.3)
    doc = trajscope.analyze(tmp_path / "run.jsonl")[0]
    assert doc["verdict"]["word"] == "TAMPERED"
    assert "SCALAR_LR: proposed 0.5, ran 0.3" in doc["verdict"]["sentence"]


def test_without_the_proposers_bytes_the_constants_of_the_file_show_it_before_anything_is_paid_for(
    watchman: integrity.Watchman, tree: Path, linter: Linter
) -> None:
    (tree / "train.py").write_text(TRAIN.replace("DEPTH = 8", "DEPTH = 10"))
    linter.poke(tree / "train.py")
    with (
        watchman.trial({"DEPTH": 10}) as trial,
        pytest.raises(IntegrityError, match=r"SCALAR_LR: proposed 0.5, train.py says 0.3. Find what rewrites train.py"),
    ):
        trial.run("train.py")
    assert trial.fields()["effective"] == {"SCALAR_LR": 0.3, "DEPTH": 10}


def test_a_loop_that_trains_in_place_is_told_the_knob_the_trial_and_the_hours(
    tree: Path, linter: Linter, clock: Clock, tmp_path: Path
) -> None:
    path = tmp_path / "run.jsonl"
    with trajscope.open_run(path, metric="loss", base={"SCALAR_LR": 0.5, "DEPTH": 8}) as run:
        watchman = integrity.Watchman(tree, editable=["train.py"], frozen=["prepare.py"], event=run.event, clock=clock)
        for depth in (9, 10, 11, 12):
            (tree / "train.py").write_text(TRAIN.replace("DEPTH = 8", f"DEPTH = {depth}"))
            with watchman.trial({"DEPTH": depth}) as trial:
                if depth > 9:
                    linter.poke(tree / "train.py")
                trial.launching()
                subprocess.run([sys.executable, "train.py"], cwd=tree, check=True, capture_output=True)
                clock.now += 1800
            run.trial({"DEPTH": depth}, value=1.0, kept=False, wall_s=trial.wall_s, **trial.fields())
    assert watchman.tampering is not None
    assert watchman.tampering.sentence == (
        "SCALAR_LR: proposed 0.5, ran 0.3 (train.py), since trial 2: 3 trials and 1.5 h were not what was proposed"
    )
    doc = trajscope.analyze(path)[0]
    assert (doc["verdict"]["word"], doc["cost"]["tampered_wall_s"]) == ("TAMPERED", 5400.0)
    (knob, file) = doc["integrity"]["drifted"]
    lines = [json.loads(x) for x in path.read_text().splitlines()]
    seqs = [x["seq"] for x in lines if x["type"] == "trial"]
    assert (knob["knob"], knob["proposed"], knob["ran"], knob["from_seq"]) == ("SCALAR_LR", 0.5, 0.3, seqs[1])
    assert (file["path"], file["from_seq"]) == ("train.py", seqs[1])
    assert "SCALAR_LR: proposed 0.5, ran 0.3" in doc["verdict"]["sentence"]
    (event,) = [x for x in lines if x["type"] == "event"]
    assert (event["kind"], event["data"]["knob"], event["data"]["since"]) == ("integrity", "SCALAR_LR", 2)
    assert "reason_code" not in lines[1]


def test_a_later_trial_is_marked_until_a_person_acknowledges_even_when_the_file_is_back(
    watchman: integrity.Watchman, tree: Path, clock: Clock, log: list[tuple[str, dict[str, Any]]]
) -> None:
    with watchman.trial({"DEPTH": 8}):
        (tree / "train.py").write_text(TRAIN.replace("0.5", "0.3"))
        clock.now += 60
    (tree / "train.py").write_text(TRAIN)
    with watchman.trial({"DEPTH": 8}) as later:
        later.run("train.py", capture_output=True)
        clock.now += 60
    assert later.level is Level.FAIL
    assert later.fields()["reason_code"] == "tampered"
    assert later.verdicts[-1].reason == (
        "SCALAR_LR: proposed 0.5, ran 0.3 (train.py), since trial 1: 2 trials and 2 min were not what was proposed; "
        "a person must acknowledge it"
    )
    with pytest.raises(IntegrityError, match="trial 2 cannot be kept"):
        watchman.keep(later)
    with pytest.raises(IntegrityError, match="names who gave it and why"):
        watchman.acknowledge(" ", "seen")
    watchman.acknowledge("Ada", "the hook is off")
    with pytest.raises(IntegrityError, match="nothing has drifted"):
        watchman.acknowledge("Ada", "again")
    with watchman.trial({"DEPTH": 8}) as clean:
        clean.run("train.py", capture_output=True)
    assert clean.passed, reasons(clean)
    assert [kind for kind, _ in log] == ["integrity", "ack"]


def test_what_was_kept_is_what_the_next_trial_starts_from(watchman: integrity.Watchman, tree: Path) -> None:
    (tree / "train.py").write_text(TRAIN.replace("= 8", "= 10"))
    with watchman.trial({"DEPTH": 10}) as trial:
        trial.run("train.py", capture_output=True)
    watchman.keep(trial)
    (tree / "train.py").write_text(TRAIN)  # the keep is undone
    with watchman.trial({"SCALAR_LR": 0.5}) as after:
        assert "DEPTH: proposed 10, train.py says 8" in reasons(after)


def test_a_frozen_file_that_changed_between_trials_fails_the_next_and_its_record_says_so(
    watchman: integrity.Watchman, tree: Path
) -> None:
    (tree / "prepare.py").write_text("BUDGET = 3000\n")
    with watchman.trial({"DEPTH": 8}) as trial, pytest.raises(IntegrityError, match="BUDGET: was 300, is 3000"):
        trial.run("train.py")
    prints: Any = trial.fields()["fingerprints"]
    assert prints["propose"]["prepare.py"] == watchman.snapshot.files["prepare.py"] != prints["score"]["prepare.py"]


def test_a_file_that_goes_while_the_trial_runs_is_a_drift_and_its_record_says_so(tree: Path, tmp_path: Path) -> None:
    watchman = integrity.Watchman(tree, editable=["*.py"])
    with watchman.trial({"DEPTH": 8}) as trial:
        trial.run("train.py", capture_output=True)
        (tree / "prepare.py").unlink()
    assert "prepare.py is gone" in reasons(trial)
    with trajscope.open_run(tmp_path / "run.jsonl", metric="loss") as run:
        run.trial({"DEPTH": 8}, value=1.0, kept=False, **trial.fields())
    (drift,) = trajscope.analyze(tmp_path / "run.jsonl")[0]["integrity"]["drifted"]
    assert (drift["path"], drift["ran"]) == ("prepare.py", None)


def test_a_clean_campaign_reads_as_verified(watchman: integrity.Watchman, tmp_path: Path) -> None:
    with trajscope.open_run(tmp_path / "run.jsonl", metric="loss", base=watchman.config) as run:
        with watchman.trial({"DEPTH": 8}) as trial:
            trial.run("train.py", capture_output=True)
        run.trial({"DEPTH": 8}, value=1.0, kept=False, wall_s=1.0, **trial.fields())
    assert trajscope.analyze(tmp_path / "run.jsonl")[0]["integrity"]["status"] == "verified"


def test_a_lost_confirmation_fails_the_trial_before_it_runs(tree: Path) -> None:
    (tree / "SKILL.md").write_text("Ask the user before deleting.\nIt sorts.\n")
    watchman = integrity.Watchman(tree, editable=["train.py", "SKILL.md"], frozen=["prepare.py"])
    (tree / "SKILL.md").write_text("It sorts.\n")
    with watchman.trial() as trial, pytest.raises(IntegrityError, match=r"Ask the user before deleting\.” is gone"):
        trial.run("train.py")


# --- while it runs --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["notify", "poll"])
def test_a_watcher_sees_the_linter_while_the_trial_still_runs(
    watchman: integrity.Watchman, tree: Path, linter: Linter, how: Any
) -> None:
    seen, happened = [], threading.Event()

    def call(drift: Drift) -> None:
        seen.append(drift)  # perhaps first the file as it stood half written
        if drift.knob is not None:
            happened.set()

    with watchman.trial({"DEPTH": 8}) as trial, integrity.Watcher(trial.snapshot, call, how=how, every_s=0.01) as w:
        assert w.how == how
        linter.poke(tree / "train.py")
        assert happened.wait(20)
    assert seen[-1] == Drift("train.py", "SCALAR_LR", 0.5, 0.3)


def test_a_change_that_was_put_back_while_the_trial_ran_still_counts(
    watchman: integrity.Watchman, tree: Path, linter: Linter
) -> None:
    happened = threading.Event()
    with watchman.trial({"DEPTH": 8}) as trial:

        def saw(drift: Drift) -> None:
            trial.saw(drift)
            if drift.knob is not None:
                happened.set()

        with integrity.Watcher(trial.snapshot, saw):
            linter.poke(tree / "train.py")
            assert happened.wait(20)
            (tree / "train.py").write_text(TRAIN)
    assert "editable FAIL train.py changed (SCALAR_LR: was 0.5, is 0.3). Seen while it ran." in reasons(trial)


def test_a_notice_that_never_came_is_made_good_by_the_last_look(watchman: integrity.Watchman, tree: Path) -> None:
    seen: list[Drift] = []
    asked = threading.Event()

    def never(_: float) -> bool:
        asked.set()
        return True  # the watch ends after its first look

    with (
        watchman.trial({"DEPTH": 8}) as trial,
        integrity.Watcher(trial.snapshot, seen.append, how="poll", wait=never),
    ):
        assert asked.wait(20)
        (tree / "train.py").write_text(TRAIN.replace("0.5", "0.3"))
        assert seen == []
    assert [d.knob for d in seen] == ["SCALAR_LR"]


def test_a_drift_is_told_once_and_a_new_one_again(watchman: integrity.Watchman, tree: Path) -> None:
    with watchman.trial({"DEPTH": 8}) as trial:
        watcher = integrity.Watcher(trial.snapshot, lambda _: None, how="poll")
        assert watcher.look() == []
        (tree / "train.py").write_text(TRAIN.replace("0.5", "0.3"))
        assert [d.ran for d in watcher.look()] == [0.3]
        assert watcher.look() == []
        (tree / "train.py").write_text(TRAIN.replace("0.5", "0.2"))
        assert [d.ran for d in watcher.look()] == [0.2]
        (tree / "train.py").unlink()
        assert len(watcher.look()) == 1


def test_where_the_system_gives_no_notice_auto_polls_and_notify_says_so(
    watchman: integrity.Watchman, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "watchdog.observers", None)
    with watchman.trial({"DEPTH": 8}) as trial:
        with integrity.Watcher(trial.snapshot, lambda _: None, wait=lambda _: True) as watcher:
            assert watcher.how == "poll"
        with (
            pytest.raises(IntegrityError, match="pass how='poll'"),
            integrity.Watcher(trial.snapshot, lambda _: None, how="notify"),
        ):
            pass


def test_importing_it_loads_neither_watchdog_nor_filelock_nor_pydantic() -> None:
    code = "import sys, trajscope.integrity; print({'watchdog', 'filelock', 'pydantic'} & sys.modules.keys())"
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=env)
    assert done.stdout == "set()\n"
