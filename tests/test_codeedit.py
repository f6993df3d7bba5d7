"""A repository as a domain: what is declared wrongly is said, what runs is the commit, what is printed is judged."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from random import Random
from typing import Any

import pytest
from codefield import DOMAIN, TRAIN, git, owned, repository
from loopfield import InProcess

from trajscope import TrajscopeError, analyze, config_hash
from trajscope.integrity import constants
from trajscope_loop import domain as domains
from trajscope_loop import folder as folders
from trajscope_loop import tsv
from trajscope_loop.bench import measure
from trajscope_loop.campaign import Campaign, Outcome
from trajscope_loop.crashes import failed
from trajscope_loop.domains.codeedit import CodeDomain
from trajscope_loop.errors import DomainError
from trajscope_loop.evaluate import Measure
from trajscope_loop.git import Worktree
from trajscope_loop.plan import made
from trajscope_loop.seams import Domain, Job, Result, Said, View
from trajscope_loop.tree import sha256

pytestmark = pytest.mark.needs_program("git")

Changed = Callable[..., CodeDomain]


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    return repository(tmp_path / "a repo")


@pytest.fixture
def changed(repo: Path, tmp_path: Path) -> Changed:
    """The domain, with texts of its declaration replaced."""

    def change(*swaps: tuple[str, str]) -> CodeDomain:
        text = DOMAIN.format(path=repo)
        for old, new in swaps:
            assert old in text
            text = text.replace(old, new)
        place = tmp_path / "domain"
        place.mkdir(exist_ok=True)
        (place / "domain.toml").write_text(text)
        found = domains.load(place)
        assert isinstance(found, CodeDomain)
        return found

    return change


def diff(old: str, new: str, line: int, name: str = "train.py") -> str:
    return f"--- a/{name}\n+++ b/{name}\n@@ -{line} +{line} @@\n-{old}\n+{new}\n"


def test_the_commit_is_what_runs_not_what_stands_in_the_checkout(repo: Path, changed: Changed, tmp_path: Path) -> None:
    (repo / "train.py").write_text("print('dirty')\n")
    (repo / "scale.py").write_text("UNIT = 100.0\n")
    found: Domain = changed()
    work = found.workspace(tmp_path / "night")
    found.hashes(tmp_path / "night")
    tree = found.tree(work.standing(), {}, diff("LR = 0.5", "LR = 0.3", 6))
    result = measure(found.job(tmp_path / "night", tree, {}, 0, "k"))
    assert (result["status"], result["error"]) == ("ok", None)
    assert result["metrics"]["val_bpb"] == pytest.approx(1.02, abs=0.005)  # by hand: 1 + 0 + .01 * 2
    assert result["metrics"]["peak_vram_mb"] == 8192
    assert result["metrics"].keys() == {"val_bpb", "peak_vram_mb"}
    assert result["code_sha"]


def test_a_shell_command_runs_in_its_folder_too(changed: Changed, tmp_path: Path) -> None:
    found = changed(('["python", "train.py"]', '["sh", "./run.sh"]'))
    work = found.workspace(tmp_path / "night")
    result = measure(found.job(tmp_path / "night", work.standing(), {}, 0, "k"))
    assert (result["status"], result["error"]) == ("ok", None)
    assert result["metrics"]["val_bpb"] == pytest.approx(1.06, abs=0.005)  # 1 + .2 ** 2 + .01 * 2


@pytest.mark.parametrize(
    ("line", "status", "why"),
    [
        ("print('val_bpb: 0.1')", "crashed", "it printed val_bpb 2 times"),
        ("raise SystemExit", "crashed", "it printed no line ---"),
        ("loss = float('nan')", "nan", "val_bpb is nan"),
        ("import nowhere", "import", "No module named 'nowhere'"),
    ],
)
def test_a_run_that_says_nothing_certain_has_no_metric(
    changed: Changed, tmp_path: Path, line: str, status: str, why: str
) -> None:
    found = changed()
    work = found.workspace(tmp_path / "night")
    at = 13 if "val_bpb" in line else 10
    old = TRAIN.splitlines()[at - 1]
    tree = found.tree(work.standing(), {}, f"--- a/train.py\n+++ b/train.py\n@@ -{at} +{at},2 @@\n {old}\n+{line}\n")
    result = measure(found.job(tmp_path / "night", tree, {}, 0, "k"))
    assert (result["status"], result["metrics"]) == (status, {})
    assert why in (result["error"] or "")


def test_a_frozen_judge_of_the_repository_scores_instead(repo: Path, changed: Changed, tmp_path: Path) -> None:
    (repo / "judge.py").write_text(
        "def judge(out, truth):\n    text = (out / 'stdout.txt').read_bytes().decode()\n"
        "    return {'metrics': {'val_bpb': float(text.count(chr(10)))}}\n"
    )
    git(repo, "add", "judge.py")
    git(repo, "commit", "--quiet", "--message", "a judge")
    found = changed(
        ('command = ["python", "train.py"]', 'command = ["python", "train.py"]\njudge = "judge.py"'),
        ('judge = "the script prints its own loss"\n', ""),
    )
    work = found.workspace(tmp_path / "night")
    result = measure(found.job(tmp_path / "night", work.standing(), {}, 0, "k"))
    assert result["metrics"] == {"val_bpb": 5.0}
    before = found.hashes(tmp_path / "night")
    (repo / "judge.py").write_text("def judge(out, truth):\n    return {'metrics': {'val_bpb': 0.0}}\n")
    git(repo, "commit", "--quiet", "--all", "--message", "easier")
    later = changed(
        ('command = ["python", "train.py"]', 'command = ["python", "train.py"]\njudge = "judge.py"'),
        ('judge = "the script prints its own loss"\n', ""),
    )
    later.workspace(tmp_path / "night")
    assert later.hashes(tmp_path / "night") == before  # the campaign goes on from the commit that it began from
    assert measure(later.job(tmp_path / "night", work.standing(), {}, 0, "k"))["metrics"] == {"val_bpb": 5.0}


def test_how_output_is_read_belongs_to_the_evaluator(changed: Changed, tmp_path: Path) -> None:
    one = changed().hashes(tmp_path)
    other = changed(("[prints]", '[prints]\nform = "json"')).hashes(tmp_path)
    assert one["evaluator"] != other["evaluator"]


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        ('kind = "codeedit"', 'kind = "code"', "`kind` is 'code'; it is codeedit, or left out"),
        ('kind = "codeedit"\n', "", r"\[repo\] belongs to a repository; say kind = \"codeedit\""),
        ('editable = ["train.py"]', 'editable = ["trian.py"]', "no file of [0-9a-f]{12} is trian.py"),
        ('editable = ["train.py"]', 'editable = ["../train.py"]', "write paths from the top of the repository"),
        ('editable = ["train.py"]', 'editable = ["latest"]', "latest is a link or a submodule"),
        ("seeds = 5", 'seeds = 5\nfrozen = ["*.py"]', "train.py is both editable and frozen"),
        ("[repo]", '[repo]\ncommit = "nowhere"', "has no commit 'nowhere'"),
        ("[repo]", '[repo]\nbranch = "main"', "`repo.branch` is unknown"),
        ("path = ", 'commit = "HEAD"\npath = "/proc" #', "/proc: is no git repository that can be used"),
        ("[prints]", '[prints]\nform = "xml"', "prints.form is json, lines, or pattern"),
        ("[prints]", '[prints]\nform = "pattern"', "prints.form is json, lines, or pattern together"),
        (
            "[prints]",
            "[prints]\nform = \"pattern\"\npatterns = {val_bpb = '(a)(b)', peak_vram_mb = '(x)'}",
            "prints.patterns.val_bpb has 2 groups",
        ),
        ("[prints]", "[prints]\nform = \"pattern\"\npatterns = {val_bpb = '(a)'}", "peak_vram_mb is no pattern"),
        (
            'judge = "the script prints its own loss"\n',
            "",
            "so the program scores itself; declare run.judge, or say why",
        ),
        ('judge = "the script prints its own loss"', 'judge = " "', "goes without judge and gives no reason"),
        ('command = ["python", "train.py"]', 'train = "train.py"', "a repository is run by `command`"),
        (
            'command = ["python", "train.py"]',
            'command = ["python", "train.py"]\njudge = "scale.py"',
            "declares run.judge and goes without one",
        ),
        (
            'command = ["python", "train.py"]',
            'command = ["python", "train.py"]\njudge = "train.py"',
            "run.judge is train.py, which is not frozen",
        ),
    ],
)
def test_what_is_declared_wrongly_is_said_before_anything_runs(changed: Changed, old: str, new: str, why: str) -> None:
    with pytest.raises(TrajscopeError, match=why):
        changed((old, new))


def test_a_file_in_lfs_is_refused_and_may_be_left_outside(repo: Path, changed: Changed) -> None:
    (repo / "data.bin").write_text("version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 9\n")
    git(repo, "add", "data.bin")
    git(repo, "commit", "--quiet", "--message", "a pointer")
    with pytest.raises(DomainError, match=r"data.bin is kept by LFS.* put it into repo.outside"):
        changed()
    assert "data.bin" not in changed(("[repo]", '[repo]\noutside = ["*.bin"]')).frozen


@pytest.mark.parametrize(
    ("edit", "why"),
    [
        (diff("UNIT = 1.0", "UNIT = 0.0", 1, "scale.py"), "scale.py"),
        (
            "--- /dev/null\n+++ b/other.py\n@@ -0,0 +1 @@\n+x = 1\n",
            "other.py may not be edited; what may be is train.py",
        ),
        (
            f"--- a/train.py\n+++ /dev/null\n@@ -1,{len(TRAIN.splitlines())} +0,0 @@\n"
            + "".join(f"-{x}\n" for x in TRAIN.splitlines()),
            "train.py: is taken away",
        ),
        (diff("LR = 0.6", "LR = 0.3", 6), "the edit cannot be made"),
    ],
)
def test_a_diff_that_is_no_edit_of_what_may_be_edited_makes_no_candidate(
    changed: Changed, tmp_path: Path, edit: str, why: str
) -> None:
    found = changed()
    standing = found.workspace(tmp_path / "night").standing()
    with pytest.raises(DomainError, match=why):
        found.tree(standing, {}, edit)


# --- campaigns --------------------------------------------------------------------------------------------------------


class Script:
    """Proposes diffs of a list, one a trial; the first value of LR is what stands."""

    history: int | None = None
    denies = False
    offers = False

    def __init__(self, values: Mapping[int, str]) -> None:
        self.values = values

    def header(self) -> dict[str, Any]:
        return {"kind": "script"}

    def propose(self, view: View) -> Said:
        lines = view.files["train.py"].splitlines()
        old = lines[5]
        return Said(
            {"knob": "code:lr", "value": None, "diff": diff(old, self.values[view.turn // 100], 6), "reason": "a rate"},
            "",
        )


VALUES = {1: "LR = 0.45", 2: "LR = 0.9", 3: "LR = 1 / 0", 4: "LR = 0.3"}


def quick(job: Job) -> Result:
    """A seed without a child: the constants of the very bytes of the job decide."""
    said = constants(job["files"]["train.py"])
    if "LR" not in said:
        return failed(job, "crashed", "ZeroDivisionError: division by zero")
    loss = 1.02 + (float(str(said["LR"])) - 0.3) ** 2 + Random(f"{said['LR']}-{job['seed']}").gauss(0, 0.001)
    return {
        **failed(job, "ok", ""),
        "metrics": {"val_bpb": loss, "peak_vram_mb": 8192.0},
        "code_sha": sha256(job["files"]["train.py"]),
        "effective": {},
        "effective_config_sha": config_hash({}),
        "data_sha": "d" * 64,
        "error": None,
    }


class Dead(BaseException):
    """Ends a life of a campaign."""


def live(
    folder: Path, found: CodeDomain, fn: Measure = quick, say: Callable[[str], object] = lambda _: None
) -> Outcome:
    """One life of the campaign, to its end."""
    table = {"domain": str(found.place), "iterations": 4, "pauses": [], "backoff_s": 0.0}
    folder.mkdir(exist_ok=True)
    with folders.held(folder):
        plan = made(table)
        memory = folders.take_up(folder)[1] if (folder / folders.PLAN).exists() else folders.begin(folder, plan)
        campaign = Campaign(
            folder, plan, memory, domain=found, proposer=Script(VALUES), executor=InProcess, fn=fn, say=say
        )
        try:
            return campaign.go_on()
        finally:
            campaign.close()


def rows(folder: Path) -> list[dict[str, str]]:
    with (folder / "results.tsv").open(newline="") as file:
        return list(csv.DictReader(file, delimiter="\t"))


def test_a_campaign_keeps_and_reverts_by_git_and_writes_the_table(repo: Path, changed: Changed, tmp_path: Path) -> None:
    before, folder = owned(repo), tmp_path / "a night"
    outcome = live(folder, changed(("seeds = 5", "seeds = 3")), measure)
    assert (outcome.code, outcome.said) == (0, "finished: 4 trials")
    found = rows(folder)
    assert list(found[0]) == ["commit", "val_bpb", "memory_gb", "status", "description"]
    commits = git(repo, "log", "--reverse", "--format=%h", "--abbrev=7", "main..trajscope/a-night").split()
    start = git(repo, "rev-parse", "--short=7", "main")
    assert [(r["commit"], r["status"]) for r in found] == [
        ("baseline", "keep"),
        (commits[0], "keep"),
        (commits[0], "discard"),
        (commits[0], "crash"),
        (commits[1], "keep"),
    ]
    assert start not in commits
    assert [r["memory_gb"] for r in found] == ["8.0", "8.0", "8.0", "0.0", "8.0"]
    assert [float(r["val_bpb"]) for r in found] == pytest.approx([1.06, 1.0425, 1.38, 0.0, 1.02], abs=0.003)
    assert found[1]["description"] == "code:lr: a rate"
    assert git(repo, "show", "trajscope/a-night:train.py").splitlines()[5] == "LR = 0.3"
    assert (folder / "work/train.py").read_text() == TRAIN.replace("LR = 0.5", "LR = 0.3")
    assert owned(repo) == before
    assert analyze(folder / "run.jsonl")[0]["integrity"]["status"] == "verified"
    header = json.loads((folder / "run.jsonl").read_text().splitlines()[0])
    assert header["settings"]["gate"]["without"]["judge"] == "the script prints its own loss"
    first = json.loads(next(x for x in (folder / "run.jsonl").read_text().splitlines() if '"type":"trial"' in x))
    assert any("judge" in v["reason"] for v in first["verdicts"])


@pytest.mark.parametrize("step", ["_recording", "_settling", "_settle", "keep", "table"])
def test_ended_in_a_keep_the_table_has_every_row_once(changed: Changed, tmp_path: Path, step: str) -> None:
    folder, found = tmp_path / "night", changed()
    where: tuple[Any, str] = {"keep": (Worktree, "keep"), "table": (tsv.Results, "add")}.get(step, (Campaign, step))
    real, calls = getattr(*where), [0]

    def dies(*args: Any) -> Any:
        """After the step of the fourth trial is done, and before anybody hears of it."""
        done = real(*args)
        calls[0] += 1
        run = folder / "run.jsonl"
        if run.exists() and run.read_text().count('"type":"trial"') == 4:
            raise Dead
        return done

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(*where, dies)
        with pytest.raises(Dead):
            live(folder, found)
    assert calls[0]
    assert live(folder, found).code == 0
    assert [r["status"] for r in rows(folder)] == ["keep", "keep", "discard", "crash", "keep"]
    text, commits = (folder / "results.tsv").read_text(), {r["commit"] for r in rows(folder)}
    log = git(found.repository.place, "log", "--format=%H", "main..trajscope/night").split()
    assert commits == {"baseline", *(c[:7] for c in log)}
    (folder / "results.tsv").unlink()
    live(folder, found)
    assert (folder / "results.tsv").read_text() == text  # the run file says all of it


def test_a_small_value_is_not_written_as_the_zero_of_a_crash(tmp_path: Path) -> None:
    table = tsv.Results(tmp_path / "t.tsv", metric="m", memory=None, commits=dict)
    table.begin([])
    line = {"status": "reverted", "metrics": {"m": 3e-9}, "parent": "0123456789", "attempts": [{"reason": "a\tb\nc"}]}
    table.add([line, {"status": "blocked"}, {**line, "metrics": {"m": 0.0}}], "f" * 40)
    assert (tmp_path / "t.tsv").read_text().splitlines()[1:] == [
        "0123456\t3e-09\t\tdiscard\ta b c",
        "0123456\t0.000000\t\tdiscard\ta b c",
    ]
