"""Commits of real repositories, and what they changed.

Faults planted here and seen to fail: `git diff` with the repository's textconv, `git status` with its fsmonitor, lazy
fetching from a promisor, comments as changes, docstrings as changes, a reordered file as code, literals by place and
not by name, parents left out, the last parent of a merge, a symbol's hash from its lines.
"""

from __future__ import annotations

import ast
import json
import os
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trajscope import analysis
from trajscope.errors import SourceError
from trajscope.menu import parse
from trajscope.pair import canon, pair
from trajscope.readers import Source
from trajscope.recover import Found, Missing, Repo
from trajscope.recover.edited import Edit, edits

TRAIN = '''"""Train."""
import os

DEPTH = 8
TOTAL_BATCH_SIZE = 2**19  # tokens
ADAM_BETAS = (0.8, 0.95)
WINDOW = "SSSL"
RATE = float(os.environ.get("RATE", 0.02))


class Config:
    """Settings."""

    width: int = 768


class Model:
    def forward(self, x, softcap=15):
        x = 15 * tanh(x / 15)
        return self.head(x, scale=0.5)

    def groups(self):
        return [dict(name="a", lr=0.1), dict(name="b", lr=0.2)]


def schedule(step):
    return 1 - step


def arguments(parser):
    parser.add_argument("--warm-up", type=int, default=100)
'''


class Git:
    """A repository made with git itself."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.mkdir(parents=True, exist_ok=True)
        self("init", "-q", "-b", "main")

    def __call__(self, *words: str) -> str:
        who = {f"GIT_{a}_{b}": "x@x.invalid" for a in ("AUTHOR", "COMMITTER") for b in ("NAME", "EMAIL")}
        env = {k: v for k, v in os.environ.items() if not k.startswith("GIT_")} | who
        env |= {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
        done = subprocess.run(["git", *words], cwd=self.path, env=env, capture_output=True, check=True, text=True)
        return done.stdout.strip()

    def commit(self, **files: str) -> str:
        """Commit these files, `_` in a name for a dot, and answer with the commit."""
        for name, text in files.items():
            (self.path / name.replace("_", ".")).write_text(text, "utf-8")
        self("add", "-A")
        self("-c", "core.hooksPath=/dev/null", "commit", "-q", "--allow-empty", "-m", "x")
        return self("rev-parse", "HEAD")


@pytest.fixture
def git(tmp_path: Path) -> Git:
    return Git(tmp_path / "repo")


def labels(old: str, new: str, path: str = "train.py") -> list[str]:
    """What differs, as labels; a hash is shown as its length."""
    out = edits(old.encode(), new.encode(), path)
    return [f"{e.name}={len(str(e.value))} hex" if e.name.startswith("code:") and e.value else _label(e) for e in out]


def _label(e: Edit) -> str:
    return canon(e.name, e.value).label


@pytest.mark.parametrize(
    ("old", "new", "wanted"),
    [
        ("DEPTH = 8", "DEPTH = 10", ["DEPTH=10"]),
        ("2**19", "2**18", ["TOTAL_BATCH_SIZE=262144"]),
        ("(0.8, 0.95)", "(0.9, 0.95)", ["ADAM_BETAS=[0.9,0.95]"]),
        ('"SSSL"', '"SSLL"', ["WINDOW=SSLL"]),
        ('"RATE", 0.02', '"RATE", 0.03', ["RATE=0.03"]),
        ("width: int = 768", "width: int = 1024", ["width=1024"]),
        ("softcap=15", "softcap=20", ["softcap=20"]),
        ("15 * tanh(x / 15)", "20 * tanh(x / 20)", ["x=20"]),
        ("15 * tanh(x / 15)", "15 * tanh(x / 20)", ["x=20"]),
        ("15 * tanh(x / 15)", "16 * tanh(x / 20)", ["code:Model.forward=16 hex"]),
        ("scale=0.5", "scale=0.25", ["scale=0.25"]),
        ("lr=0.2", "lr=0.3", ["Model.groups.lr=0.3"]),
        ("default=100", "default=200", ["warm_up=200"]),
        ("1 - step", "2 - step", ["schedule=2"]),
        ("1 - step", "1 - step**2", ["code:schedule=16 hex"]),
        ("DEPTH = 8", "DEPTH = 8\nHEADS = 4", ["HEADS=4"]),
        ('WINDOW = "SSSL"\n', "", ["WINDOW=null"]),
        ("DEPTH = 8", "DEPTH = 9\nimport sys", ["DEPTH=9", "code:module=16 hex"]),
        ("def schedule", "def other():\n    pass\n\n\ndef schedule", ["code:other=16 hex"]),
        ("# tokens", "# so many tokens", []),
        ('"""Settings."""', '"""All settings."""', []),
        ("0.02))", "0.02,)\n)", []),
        ("DEPTH = 8", "DEPTH = (8)", []),
        ("DEPTH = 8", "DEPTH = 8.0", ["DEPTH=8"]),
    ],
)
def test_an_edit_of_python_is_named_by_what_it_changes(old: str, new: str, wanted: list[str]) -> None:
    assert old in TRAIN
    assert labels(TRAIN, TRAIN.replace(old, new)) == wanted


def test_functions_in_another_order_are_the_same_code() -> None:
    head, _, tail = TRAIN.partition("def schedule")
    one, _, two = tail.partition("def arguments")
    assert labels(TRAIN, f"{head}def arguments{two}\n\ndef schedule{one}") == []


def test_the_hash_of_a_symbol_is_of_its_code_and_not_of_its_lines() -> None:
    new = TRAIN.replace("1 - step", "1 - step**2")
    spaced = new.replace("1 - step**2", "(1 -\n            step ** 2)  # steeper")
    assert edits(TRAIN.encode(), new.encode(), "t.py") == edits(TRAIN.encode(), spaced.encode(), "t.py")
    assert edits(TRAIN.encode(), new.encode(), "t.py") != edits(
        TRAIN.encode(), TRAIN.replace("1 - step", "1 - step**3").encode(), "t.py"
    )


def test_the_hash_of_a_symbol_does_not_hang_on_where_it_stands() -> None:
    new = TRAIN.replace("1 - step", "1 - step**2")
    lower = new.replace("def schedule", "# far\n# below\n\ndef schedule")
    assert edits(TRAIN.encode(), new.encode(), "t.py") == edits(TRAIN.encode(), lower.encode(), "t.py")


@pytest.mark.parametrize("head", ["class Model:", "    def groups(self):", "def schedule(step):"])
def test_a_docstring_is_no_change_and_no_part_of_one(head: str) -> None:
    text = f'{" " * (4 + len(head) - len(head.lstrip()))}"""Says so."""'
    told = TRAIN.replace(head, f"{head}\n{text}")
    assert told != TRAIN
    assert labels(TRAIN, told) == []
    new = [x.replace("1 - step", "1 - step**2").replace("lr=0.1", "lr=rate()").encode() for x in (TRAIN, told)]
    assert edits(TRAIN.encode(), new[0], "t.py") == edits(TRAIN.encode(), new[1], "t.py")


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_the_ends_of_lines_change_nothing(end: str) -> None:
    assert labels(TRAIN, TRAIN.replace("\n", end)) == []
    new = TRAIN.replace("DEPTH = 8", "DEPTH = 9").replace("\n", end)
    assert labels(TRAIN.replace("\n", end), new) == ["DEPTH=9"]


def test_a_rewrite_is_named_as_the_whole_file() -> None:
    new = "".join(f"def f{i}(x):\n    return x + {i}\n\n" for i in range(20))
    assert labels(TRAIN.replace("DEPTH = 8\n", ""), f"DEPTH = 8\n{new}")[-1] == "code:train.py=16 hex"


@pytest.mark.parametrize(
    ("path", "old", "new", "wanted"),
    [
        ("k.cu", "#define BLOCK 64\nint x;", "#define BLOCK   128\nint x;", ["BLOCK=128"]),
        ("k.cpp", "constexpr int kTile = 4; // a", "constexpr int kTile = 8; // b", ["kTile=8"]),
        ("c.toml", "lr = 0.1\nname = 'a'", "lr = 0.2\nname = 'b'", ["lr=0.2", "name=b"]),
        ("c.yaml", "lr: 1e-3", "lr: 3e-3  # more", ["lr=0.003"]),
        ("c.json", '{\n"lr": 0.1,\n"on": true\n}', '{\n"lr": 0.1,\n"on": false\n}', ["on=false"]),
        ("k.c", "a = b;", "a  =  b;", []),
        ("k.c", "a = b + 1;", "a = c;", ["code:k.c=16 hex"]),
        ("t.py", "def f(:", "def g(:", ["code:t.py=16 hex"]),
    ],
)
def test_other_languages_are_read_line_by_line(path: str, old: str, new: str, wanted: list[str]) -> None:
    assert labels(old, new, path) == wanted


@given(st.binary(max_size=200), st.binary(max_size=200), st.sampled_from(("a.py", "a.c")))
def test_no_bytes_raise(old: bytes, new: bytes, path: str) -> None:
    found = edits(old, new, path)
    assert edits(old, old, path) == []
    if found:
        again = pair(canon(e.name, e.value) for e in found)
        assert pair(canon(c.knob, json.loads(c.text)) for c in again.changes).label == again.label


@given(st.integers(0, 400))
def test_a_file_printed_anew_from_its_tree_is_the_same_code(n: int) -> None:
    source = TRAIN.replace("8", str(n))
    assert edits(source.encode(), ast.unparse(ast.parse(source)).encode(), "t.py") == []


def test_a_commit_is_compared_with_its_parent_and_counted(git: Git) -> None:
    first = git.commit(train_py=TRAIN, results_tsv="a\n")
    second = git.commit(train_py=TRAIN.replace("DEPTH = 8", "DEPTH = 10"), results_tsv="a\nb\n")
    third = git.commit(train_py=TRAIN.replace("DEPTH = 8", "DEPTH = 10  # deeper"))
    fourth = git.commit(train_py=TRAIN.replace("1 - step", "2 - step**2"))
    with Repo(git.path) as repo:
        found = repo.change(second[:7])
        assert isinstance(found, Found)
        assert (found.pair.label, found.provenance, found.confidence) == ("DEPTH=10", "diff", 0.95)
        assert repo.change(second, ["train.py"]) == found
        assert repo.change(second, ["other.py"]) is None
        assert repo.change(third) is None
        code = repo.change(fourth)
        assert isinstance(code, Found)
        assert [c.knob for c in code.pair.changes] == ["DEPTH", "code:schedule"]
        assert isinstance(repo.change(first), Missing)
        for name in ("f" * 40, "baseline", "-", "", "HEAD", "--help", "0" * 7, "main", "a\nb", f"{second}^"):
            assert isinstance(repo.change(name), Missing)
        assert repo.counts == {"knobs": 2, "same": 2, "code": 1, "missing": 11}


def test_a_merge_changes_what_it_brings_into_its_first_parent(git: Git) -> None:
    git.commit(train_py=TRAIN)
    git("checkout", "-q", "-b", "side")
    git.commit(train_py=TRAIN.replace("DEPTH = 8", "DEPTH = 10"))
    git("checkout", "-q", "main")
    git.commit(train_py=TRAIN.replace("default=100", "default=200"))
    git("-c", "core.hooksPath=/dev/null", "merge", "-q", "-m", "x", "side")
    with Repo(git.path) as repo:
        found = repo.change(git("rev-parse", "HEAD"))
    assert isinstance(found, Found)
    assert found.pair.label == "DEPTH=10"


def test_a_menu_names_the_constants(git: Git) -> None:
    git.commit(train_py=TRAIN)
    commit = git.commit(train_py=TRAIN.replace("DEPTH = 8", "DEPTH = 10"))
    menu = parse({"knobs": {"depth": {"type": "int", "range": [2, 20]}}})
    with Repo(git.path) as repo:
        found = repo.change(commit, menu=menu)
        assert isinstance(found, Found)
        assert (found.pair.label, found.pair.changes[0].known) == ("depth=10", True)


def test_the_parent_of_a_shallow_copy_is_missing_and_said_so(git: Git, tmp_path: Path) -> None:
    git.commit(train_py=TRAIN)
    last = git.commit(train_py=TRAIN.replace("8", "9"))
    git("clone", "-q", "--depth", "1", f"file://{git.path}", str(tmp_path / "copy"))
    with Repo(tmp_path / "copy") as repo:
        found = repo.change(last)
    assert isinstance(found, Missing)
    assert "parent" in found.why


def test_a_folder_below_a_bare_copy_and_a_worktree_are_all_the_repository(git: Git, tmp_path: Path) -> None:
    (git.path / "sub").mkdir()
    git.commit(train_py=TRAIN)
    last = git.commit(train_py=TRAIN.replace("DEPTH = 8", "DEPTH = 9"))
    git("clone", "-q", "--bare", str(git.path), str(tmp_path / "bare"))
    git("worktree", "add", "-q", str(tmp_path / "tree"), "-b", "other")
    for path in (git.path / "sub", tmp_path / "bare", tmp_path / "tree"):
        with Repo(path) as repo:
            assert isinstance(repo.change(last), Found)


def test_nothing_that_a_hostile_repository_plants_is_run(git: Git, tmp_path: Path) -> None:
    planted = tmp_path / "planted"
    evil = tmp_path / "evil.sh"
    evil.write_text(f'#!/bin/sh\necho run >> {planted}\ncat "$1" 2>/dev/null\n')
    evil.chmod(0o755)
    git.commit(train_py=TRAIN, _gitattributes="*.py diff=evil filter=evil\n")
    last = git.commit(train_py=TRAIN.replace("DEPTH = 8", "DEPTH = 9"))
    hooks = git.path / ".git" / "hooks"
    for hook in ("post-checkout", "pre-commit", "reference-transaction", "post-index-change", "fsmonitor-watchman"):
        (hooks / hook).write_text(evil.read_text())
        (hooks / hook).chmod(0o755)
    settings = {
        "core.fsmonitor": str(evil), "core.pager": str(evil), "pager.cat-file": str(evil), "diff.external": str(evil),
        "diff.evil.textconv": str(evil), "diff.evil.command": str(evil), "filter.evil.smudge": str(evil),
        "filter.evil.clean": str(evil), "filter.evil.process": str(evil), "core.editor": str(evil),
        "core.sshCommand": str(evil), "core.askPass": str(evil), "core.gitProxy": str(evil),
        "core.alternateRefsCommand": str(evil), "alias.cat-file": f"!{evil}", "alias.rev-parse": f"!{evil}",
        "credential.helper": str(evil), "core.repositoryFormatVersion": "1", "extensions.partialClone": "evil",
        "remote.evil.promisor": "true", "remote.evil.url": f"ext::{evil}", "protocol.ext.allow": "always",
        "protocol.allow": "always", "uploadpack.packObjectsHook": str(evil), "remote.evil.uploadpack": str(evil),
    }  # fmt: skip
    with (git.path / ".git" / "config").open("a") as f:
        for key, said in settings.items():
            section, _, name = key.rpartition(".")
            top, _, sub = section.partition(".")
            f.write(f"[{top}{f' {json.dumps(sub)}' if sub else ''}]\n\t{name} = {json.dumps(said)}\n")
    with Repo(git.path) as repo:
        assert isinstance(repo.change(last), Found)
        assert isinstance(repo.change("e" * 40), Missing)  # which a promisor would be asked for
        assert isinstance(repo.change("e" * 7), Missing)
    assert not planted.exists()


def test_the_plants_are_alive(git: Git, tmp_path: Path) -> None:
    # Without this the test above would pass with any planted program that could not run.
    planted = tmp_path / "planted"
    evil = tmp_path / "evil.sh"
    evil.write_text(f'#!/bin/sh\necho run >> {planted}\ncat "$1"\n')
    evil.chmod(0o755)
    git.commit(train_py=TRAIN, _gitattributes="*.py diff=evil\n")
    git.commit(train_py=TRAIN.replace("8", "9"))
    git("config", "diff.evil.textconv", str(evil))
    git("diff", "HEAD^", "HEAD")
    assert planted.exists()


def test_variables_of_git_are_not_listened_to(git: Git, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    git.commit(train_py=TRAIN)
    last = git.commit(train_py=TRAIN.replace("DEPTH = 8", "DEPTH = 9"))
    other = Git(tmp_path / "other")
    other.commit(a_py="x = 1")
    monkeypatch.setenv("GIT_DIR", str(other.path / ".git"))
    monkeypatch.setenv("GIT_OBJECT_DIRECTORY", str(tmp_path / "nowhere"))
    with Repo(git.path) as repo:
        assert isinstance(repo.change(last), Found)


def test_a_replaced_commit_is_the_one_that_was_made(git: Git) -> None:
    git.commit(train_py=TRAIN)
    good = git.commit(train_py=TRAIN.replace("DEPTH = 8", "DEPTH = 9"))
    bad = git.commit(train_py=TRAIN.replace("DEPTH = 8", "DEPTH = 99"))
    git("replace", good, bad)
    with Repo(git.path) as repo:
        found = repo.change(good)
    assert isinstance(found, Found)
    assert found.pair.label == "DEPTH=9"


def test_a_repository_that_spells_out_billions_of_folders_is_given_up(git: Git) -> None:
    git.commit(train_py=TRAIN)
    blob = git("rev-parse", "HEAD:train.py")
    tree = _mktree(git, f"100644 blob {blob}\ttrain.py\n")
    for _ in range(10):
        tree = _mktree(git, "".join(f"040000 tree {tree}\tf{i}\n" for i in range(10)))
    who = ("-c", "user.name=x", "-c", "user.email=x@x.invalid")
    bomb = git(*who, "commit-tree", tree, "-p", "HEAD", "-m", "x")
    began = time.process_time()
    with Repo(git.path) as repo:
        found = repo.change(bomb)
        assert isinstance(found, Missing)
        assert "folders" in found.why
        assert isinstance(repo.change(bomb, ["train.py"]), Found)  # it is gone at the top
    assert time.process_time() - began < 5


def _mktree(git: Git, said: str) -> str:
    done = subprocess.run(["git", "mktree"], cwd=git.path, input=said, capture_output=True, check=True, text=True)
    return done.stdout.strip()


def test_a_file_too_large_for_source_is_missing_and_the_next_is_read(git: Git) -> None:
    git.commit(train_py=TRAIN)
    large = git.commit(train_py="x = 1\n" * 1_000_000)
    small = git.commit(train_py=TRAIN)
    last = git.commit(train_py=TRAIN.replace("DEPTH = 8", "DEPTH = 9"))
    with Repo(git.path) as repo:
        assert isinstance(repo.change(large), Missing)
        assert isinstance(repo.change(small), Missing)
        assert isinstance(repo.change(last), Found)


@pytest.mark.parametrize(("where", "said"), [("nothing", "is no git repository"), ("gone", "is no folder")])
def test_what_is_no_repository_is_said_in_one_line(tmp_path: Path, where: str, said: str) -> None:
    (tmp_path / "nothing").mkdir()
    with pytest.raises(SourceError, match=said):
        Repo(tmp_path / where)


def test_a_git_that_does_not_answer_is_given_up(git: Git, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    commit = git.commit(train_py=TRAIN)
    slow = tmp_path / "bin" / "git"
    slow.parent.mkdir()
    slow.write_text("#!/bin/sh\nexec tail -f /dev/null\n")
    slow.chmod(0o755)
    from trajscope.recover.objects import Objects

    objects = Objects(git.path, timeout_s=0.2)
    monkeypatch.setenv("PATH", f"{slow.parent}:{os.environ['PATH']}")
    with pytest.raises(SourceError, match="did not answer"):
        objects.commit(commit)


def test_many_commits_are_read_by_two_programs_in_a_moment(git: Git, monkeypatch: pytest.MonkeyPatch) -> None:
    source = TRAIN
    git.commit(train_py=source)
    stream = []
    for i in range(300):
        text = source.replace("DEPTH = 8", f"DEPTH = {i + 100}").encode()
        stream.append(
            b"commit refs/heads/main\ncommitter x <x@x.invalid> %d +0000\ndata 1\nx\n%s"
            b"M 100644 inline train.py\ndata %d\n%s\n"
            % (1_700_000_000 + i, b"from refs/heads/main^0\n" if not i else b"", len(text), text)
        )
    subprocess.run(["git", "fast-import", "--quiet"], cwd=git.path, input=b"".join(stream), check=True)
    commits = git("rev-list", "main").split()[:-1]
    started: list[Any] = []
    popen = subprocess.Popen

    def counted(*words: Any, **more: Any) -> Any:
        started.append(words)
        return popen(*words, **more)

    monkeypatch.setattr(subprocess, "Popen", counted)
    with Repo(git.path) as repo:
        started.clear()
        found = [repo.change(c, ["train.py"]) for c in commits]
        assert len(started) == 2
    assert [f.pair.label for f in found if isinstance(f, Found)] == [f"DEPTH={i + 100}" for i in reversed(range(300))]


def test_commits_that_are_not_there_are_counted_where_somebody_reads_it(tmp_path: Path) -> None:
    import subprocess

    repo = tmp_path / "repo"
    subprocess.run(["git", "init", "-q", str(repo)], check=True)
    table = tmp_path / "results.tsv"
    rows = [("0000001", "1.0", "keep", "baseline"), *((f"000000{n}", "0.9", "discard", f"LR {n}") for n in range(2, 5))]
    lines = [("commit", "val_loss", "status", "description"), *rows]
    table.write_text("".join("\t".join(row) + "\n" for row in lines))

    def reason(**said: str) -> str:
        (doc,) = analysis.of_file(Source(str(table), **said), quick=True)  # type: ignore[arg-type]  # texts alone
        return next(str(v["reason"]) for v in doc["verdicts"] if v["rule"] == "record")

    assert reason(repo=str(repo)) == "the record is clean; the repository holds no commit of 3 trials"
    assert reason() == "the record is clean"
