"""A workspace in git: what was recorded stands, whatever happens to the folder, and what is the user's is untouched."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from codefield import TRAIN, crowded, git, owned, repository

from trajscope import TrajscopeError
from trajscope_loop.errors import DomainError
from trajscope_loop.git import Worktree
from trajscope_loop.repository import Repository
from trajscope_loop.tree import plant

pytestmark = pytest.mark.needs_program("git")


def editable(name: str) -> bool:
    return name == "train.py" or name.startswith("src/")


def opened(repo: Path, folder: Path, commit: str = "HEAD") -> Worktree:
    folder.mkdir(exist_ok=True)
    found = Worktree(folder, Repository(repo), commit, editable)
    found.restore()
    return found


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    return repository(tmp_path / "a repo")


@pytest.fixture
def work(repo: Path, tmp_path: Path) -> Worktree:
    return opened(repo, tmp_path / "night")


def candidate(work: Worktree, old: str = "LR = 0.5", new: str = "LR = 0.4") -> bytes:
    data = work.standing().files["train.py"]
    assert old.encode() in data
    return data.replace(old.encode(), new.encode())


def content(root: Path) -> dict[str, bytes]:
    """Everything in a worktree but git's own file."""
    out = {}
    for above, folders, names in os.walk(root):
        for name in (*names, *(f for f in folders if (Path(above) / f).is_symlink())):
            path = Path(above) / name
            out[path.relative_to(root).as_posix()] = (
                os.fsencode(path.readlink()) if path.is_symlink() else path.read_bytes()
            )
    del out[".git"]
    return out


def committed(repo: Path, commit: str) -> dict[str, bytes]:
    """The same as git knows it, by another way: `git show` of every path."""
    names = git(repo, "ls-tree", "-r", "--name-only", "-z", commit).split("\0")[:-1]
    modules = {x.split("\t")[1] for x in git(repo, "ls-tree", "-r", commit).splitlines() if x.startswith("160000")}
    return {
        n: subprocess.run(
            ["git", "cat-file", "blob", f"{commit}:{n}"], cwd=repo, capture_output=True, check=True
        ).stdout
        for n in names
        if n not in modules
    }


def test_the_worktree_holds_the_commit_byte_for_byte_on_a_branch_of_its_own(repo: Path, work: Worktree) -> None:
    assert content(work.root) == committed(repo, "HEAD")
    assert (work.root / "notes/a file.txt").read_bytes() == b"one\r\ntwo\n"
    assert os.access(work.root / "run.sh", os.X_OK)
    assert git(work.root, "rev-parse", "--abbrev-ref", "HEAD") == "trajscope/night"
    assert dict(work.standing().files) == {"train.py": TRAIN.encode()}
    assert git(work.root, "diff", "--cached", "--name-only") == ""


def test_a_keep_is_one_commit_on_the_recorded_parent(repo: Path, work: Worktree) -> None:
    start = work.keep(work.standing(), "start")
    tree = plant({"train.py": candidate(work)})
    work.save(tree, start)
    assert (work.root / "train.py").read_bytes() == tree.files["train.py"]
    made = work.keep(tree, "1: lr=0.4")
    assert git(repo, "rev-list", "--parents", "-n1", made) == f"{made} {start}"
    assert git(repo, "rev-parse", "trajscope/night") == made
    assert git(repo, "diff", "--name-only", start, made) == "train.py"
    assert git(repo, "log", "-1", "--format=%an <%ae> %s", made) == "trajscope <loop@trajscope.invalid> 1: lr=0.4"
    assert work.keep(tree, "again") == made
    assert git(repo, "rev-list", "--count", f"{start}..trajscope/night") == "1"
    work.restore()
    assert content(work.root) == committed(repo, made)
    assert work.commits() == {plant({"train.py": TRAIN.encode()}).sha: start, tree.sha: made}


def test_new_files_below_an_editable_pattern_are_kept_and_modes_stay(repo: Path, tmp_path: Path) -> None:
    (repo / "train.py").chmod(0o755)
    git(repo, "commit", "--quiet", "--all", "--message", "mode")
    work = opened(repo, tmp_path / "night")
    tree = plant({"train.py": candidate(work), "src/more stuff.py": b"x = 1\r\n"})
    work.save(tree, work.keep(work.standing(), "start"))
    made = work.keep(tree, "more")
    assert git(repo, "ls-tree", "-r", "--format=%(objectmode) %(path)", made, "train.py", "src").splitlines() == [
        "100644 src/more stuff.py",
        "100755 train.py",
    ]
    assert committed(repo, made)["src/more stuff.py"] == b"x = 1\r\n"
    work.restore()
    assert (work.root / "src/more stuff.py").read_bytes() == b"x = 1\r\n"


def test_nothing_that_is_the_users_changes(tmp_path: Path) -> None:
    repo = crowded(tmp_path / "a crowded repo")
    before = owned(repo)
    assert before["stash"]
    work = opened(repo, tmp_path / "a night")
    assert content(work.root) == committed(repo, "HEAD")  # not the dirty files, not the staged, not the stashed
    assert (work.root / "lib").is_dir()
    assert not any((work.root / "lib").iterdir())
    parent = work.keep(work.standing(), "start")
    for value in ("0.4", "0.3"):
        tree = plant(
            {"train.py": re.sub(rb"LR = [0-9.]+", b"LR = " + value.encode(), work.standing().files["train.py"])}
        )
        work.save(tree, parent)
        parent = work.keep(tree, value)
        work.restore()
    again = opened(repo, tmp_path / "a night")
    assert again.standing().sha == work.standing().sha
    assert git(repo, "rev-parse", "trajscope/a-night") == parent
    assert not (repo / ".git/hooked").exists()
    assert owned(repo) == before


def plant_file(work: Worktree) -> None:
    (work.root / "train.py").write_text("print('discarded')\n")


def plant_index(work: Worktree) -> None:
    (work.root / "scale.py").write_text("UNIT = 0.0\n")
    git(work.root, "add", "scale.py")
    git(work.root, "rm", "--quiet", "--cached", "run.sh")


def plant_module(work: Worktree) -> None:
    (work.root / "random.py").write_text("def Random(x): ...\n")
    (work.root / "scratch").mkdir()
    (work.root / "scratch" / "ignored.py").write_text("x = 1\n")
    (work.root / "run.log").write_text("ignored\n")


def plant_cache(work: Worktree) -> None:
    (work.root / "__pycache__").mkdir()
    (work.root / "__pycache__" / "scale.cpython-311.pyc").write_bytes(b"stale")


def plant_stash(work: Worktree) -> None:
    (work.root / "scale.py").write_text("UNIT = 0.0\n")
    git(work.root, "rm", "--quiet", "-r", "--cached", "notes")  # git would convert what is in there, and then refuse
    git(work.root, "stash", "--quiet")
    assert git(work.root, "stash", "list")
    git(work.root, "checkout", "--quiet", "stash@{0}", "--", "scale.py")


def plant_links(work: Worktree) -> None:
    outside = work.root.parent / "outside"
    outside.mkdir()
    (outside / "a file.txt").write_bytes(b"one\r\ntwo\n")
    shutil.rmtree(work.root / "notes")
    (work.root / "notes").symlink_to(outside)
    (work.root / "latest").unlink()
    (work.root / "latest").write_text("no link any more")


def plant_folders(work: Worktree) -> None:
    (work.root / "scale.py").unlink()
    (work.root / "scale.py").mkdir()
    (work.root / "scale.py" / "x").write_text("x")
    (work.root / "empty").mkdir()
    (work.root / "empty").chmod(0)
    git(work.root.parent, "init", "--quiet", str(work.root / "nested"))


def plant_mode(work: Worktree) -> None:
    (work.root / "run.sh").chmod(0o644)
    (work.root / "train.py").chmod(0o755)


def plant_lock(work: Worktree) -> None:
    admin = Path((work.root / ".git").read_text().removeprefix("gitdir: ").strip())
    for name in ("index.lock", "HEAD.lock", "MERGE_HEAD"):
        (admin / name).write_text("0" * 40 + "\n")
    (admin / "rebase-merge").mkdir()
    (admin / "HEAD").write_text("ref: refs/heads/main\n")


def plant_link_to_the_users_checkout(work: Worktree) -> None:
    repo = work.repository.place
    git(repo, "worktree", "add", "--quiet", "--detach", str(work.root.parent / "theirs"))
    (work.root / ".git").write_text(f"gitdir: {repo}/.git/worktrees/theirs\n")


PLANTS = [
    *(plant_file, plant_index, plant_module, plant_cache, plant_stash, plant_links, plant_folders, plant_mode),
    *(plant_lock, plant_link_to_the_users_checkout),
]


@pytest.mark.parametrize("planted", PLANTS, ids=lambda f: f.__name__.removeprefix("plant_"))
def test_what_a_discarded_candidate_left_is_in_no_later_one(
    repo: Path, work: Worktree, tmp_path: Path, planted: Callable[[Worktree], None]
) -> None:
    parent = work.keep(work.standing(), "start")
    planted(work)
    theirs = tmp_path / "theirs"
    before = git(theirs, "status", "--porcelain=v2", "--branch") if theirs.exists() else ""
    work.restore()
    assert content(work.root) == committed(repo, parent)
    tree = plant({"train.py": candidate(work)})
    work.save(tree, parent)
    made = work.keep(tree, "next")
    assert committed(repo, made) == committed(repo, parent) | {"train.py": tree.files["train.py"]}
    work.restore()
    assert content(work.root) == committed(repo, made)
    assert git(work.root, "status", "--porcelain", "--", ".", ":!notes") == ""  # git would convert the file in there
    assert git(work.root, "rev-parse", "--abbrev-ref", "HEAD") == "trajscope/night"
    assert os.access(work.root / "run.sh", os.X_OK)
    assert not os.access(work.root / "train.py", os.X_OK)
    if theirs.exists():
        assert git(theirs, "status", "--porcelain=v2", "--branch") == before


@pytest.mark.parametrize("planted", [plant_file, plant_index, plant_module, plant_links, plant_mode])
def test_a_candidate_is_not_saved_over_what_somebody_wrote(work: Worktree, planted: Callable[[Worktree], None]) -> None:
    parent = work.keep(work.standing(), "start")
    tree = plant({"train.py": candidate(work)})
    planted(work)
    there = content(work.root)
    with pytest.raises(TrajscopeError, match="is not what was recorded; somebody wrote there"):
        work.save(tree, parent)
    assert content(work.root) == there


def test_a_branch_that_somebody_moved_is_refused_everywhere(repo: Path, work: Worktree, tmp_path: Path) -> None:
    start = work.keep(work.standing(), "start")
    tree = plant({"train.py": candidate(work)})
    (work.root / "scale.py").write_text("UNIT = 0.0\n")
    git(work.root, "commit", "--quiet", "--all", "--message", "theirs")
    theirs = git(repo, "rev-parse", "trajscope/night")
    for act in (
        lambda: work.save(tree, start),
        lambda: work.keep(tree, "ours"),
        work.restore,
        lambda: opened(repo, tmp_path / "night"),
    ):
        with pytest.raises(DomainError, match=f"is at {theirs[:12]}, and {start[:12]} was recorded; somebody moved it"):
            act()
    assert git(repo, "rev-parse", "trajscope/night") == theirs
    assert work.standing().sha == plant({"train.py": TRAIN.encode()}).sha
    git(repo, "update-ref", "refs/heads/trajscope/night", start)  # as the error says
    work.restore()
    assert content(work.root) == committed(repo, start)


def test_a_ref_that_moves_in_the_last_moment_is_refused_by_git_itself(repo: Path) -> None:
    found, ref = Repository(repo), "refs/heads/trajscope/x"
    head = found.commit("HEAD")
    made = found.committed(head, {"train.py": b"x = 1\n"}, "one", repo.parent / "index")
    found.move(ref, head, None)
    with pytest.raises(DomainError, match=r"somebody moved it\. Nothing was kept"):
        found.move(ref, made, made)
    with pytest.raises(DomainError, match="somebody moved it"):
        found.move(ref, made, None)
    assert found.standing(ref) == head
    found.move(ref, made, head)
    found.move(ref, made, head)  # it is there already
    assert found.standing(ref) == made


def test_a_lock_that_a_killed_git_left_on_our_branch_does_not_stop_a_keep(repo: Path, work: Worktree) -> None:
    parent = work.keep(work.standing(), "start")
    lock = repo / ".git/refs/heads/trajscope/night.lock"
    users = repo / ".git/index.lock"
    lock.touch()
    users.touch()
    tree = plant({"train.py": candidate(work)})
    work.save(tree, parent)
    made = work.keep(tree, "kept")
    assert git(repo, "rev-parse", "trajscope/night") == made
    assert not lock.exists()
    assert users.exists()  # somebody else's is not ours to remove


def test_a_branch_that_is_there_already_is_not_taken(repo: Path, tmp_path: Path) -> None:
    git(repo, "branch", "trajscope/night")
    with pytest.raises(DomainError, match="has a branch trajscope/night already; name the campaign's folder otherwise"):
        opened(repo, tmp_path / "night")
    assert git(repo, "rev-parse", "trajscope/night") == git(repo, "rev-parse", "HEAD")


def test_the_start_is_named_once_though_head_moves_on(repo: Path, work: Worktree, tmp_path: Path) -> None:
    start = work.start
    (repo / "train.py").write_text("print('newer')\n")
    git(repo, "commit", "--quiet", "--all", "--message", "newer")
    again = opened(repo, tmp_path / "night")
    assert again.start == start
    assert again.standing().files["train.py"] == TRAIN.encode()


def test_a_worktree_that_was_thrown_away_or_moved_is_made_again(repo: Path, work: Worktree, tmp_path: Path) -> None:
    start = work.keep(work.standing(), "start")
    shutil.rmtree(work.root)
    git(repo, "worktree", "prune")
    again = opened(repo, tmp_path / "night")
    assert content(again.root) == committed(repo, start)
    (tmp_path / "night").rename(tmp_path / "moved")
    moved = opened(repo, tmp_path / "moved")
    assert content(moved.root) == committed(repo, start)
    git(repo, "worktree", "prune")
    assert git(moved.root, "status", "--porcelain", "--", ".", ":!notes") == ""


class Killed(BaseException):
    """Ends a life where it is raised; nothing in a workspace catches it."""


def life(repo: Path, folder: Path, calls: int) -> int:
    """Open a workspace, keep one candidate, restore; ended before the n-th call of git or the n-th replaced file."""
    left = [calls]

    def counted(fn: Callable[..., object]) -> Callable[..., object]:
        def call(*args: object, **more: object) -> object:
            left[0] -= 1
            if left[0] == 0:
                raise Killed
            return fn(*args, **more)

        return call

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Repository, "_run", counted(Repository._run))
        patch.setattr(Path, "replace", counted(Path.replace))
        work = opened(repo, folder)
        parent = work.keep(work.standing(), "start")
        tree = plant({"train.py": work.standing().files["train.py"].replace(b"LR = 0.5", b"LR = 0.4")})
        if tree.sha != work.standing().sha:
            work.save(tree, parent)
            work.keep(tree, "kept")
            work.restore()
    return left[0]


def taken_up(repo: Path, folder: Path) -> None:
    """A further life ends as one life without a kill does: one commit, and the folder is what it holds."""
    life(repo, folder, 10_000)
    branch = f"trajscope/{folder.name}"
    assert git(repo, "rev-list", "--count", f"main..{branch}") == "1"
    tip = committed(repo, branch)
    assert b"LR = 0.4" in tip["train.py"]
    assert content(folder / "work") == tip


@pytest.mark.timeout(120)
def test_ended_before_any_step_it_is_taken_up_where_it_was(repo: Path, tmp_path: Path) -> None:
    calls = 10_000 - life(repo, tmp_path / "whole", 10_000)
    assert calls > 20
    for call in range(1, calls + 1):
        with pytest.raises(Killed):
            life(repo, tmp_path / f"killed-{call}", call)
        taken_up(repo, tmp_path / f"killed-{call}")


def test_killed_as_a_process_while_git_works_it_is_taken_up(repo: Path, tmp_path: Path) -> None:
    # A git that says where it is and then hangs: the kill comes while it holds what it holds.
    slow = tmp_path / "bin"
    slow.mkdir()
    (slow / "git").write_text(
        f'#!/bin/sh\ncase "$*" in *update-ref*kept*|*update-ref*night*)\n  {shutil.which("git")} "$@"\n'
        "  echo moved; exec sleep 60;; esac\n"
        f'exec {shutil.which("git")} "$@"\n'
    )
    (slow / "git").chmod(0o755)
    program = (
        f"import sys\nsys.path[:0] = {[p for p in sys.path if p]!r}\n"
        "from pathlib import Path\nfrom test_git import life\n"
        f"life(Path({str(repo)!r}), Path({str(tmp_path / 'night')!r}), 10_000)\n"
    )
    folder = tmp_path / "night"
    opened(repo, folder)  # the branch is there; the next update-ref is the keep's
    with subprocess.Popen(
        [sys.executable, "-c", program],
        env={**os.environ, "PATH": f"{slow}{os.pathsep}{os.environ['PATH']}"},
        stdout=subprocess.DEVNULL,
    ) as process:
        start = git(repo, "rev-parse", "main")
        while git(repo, "rev-parse", "trajscope/night") == start:
            assert process.poll() is None
        process.kill()
    assert (folder / "trees" / "next").exists()  # the branch was moved, and nobody was told
    taken_up(repo, folder)
