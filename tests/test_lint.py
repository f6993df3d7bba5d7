"""The diff lint: where an edit may stand, what it may not reach for, and which passages only a person may change."""

from __future__ import annotations

import difflib
import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from railstand import once, told

from trajscope.errors import SettingsError
from trajscope.menu import parse
from trajscope.rails import Answer, Edits, Protected, Rails, reach
from trajscope.rails.code import fingerprint
from trajscope.verdict import Level, Verdict

TRAIN = """\
import torch
import torch.nn.functional as F

LR = 0.5
SEED = 1337  # never touch


def loss(x, y):
    return F.mse_loss(x, y)


# protected: the scorer reads this
def score(model):
    return model.error
# end protected

for step in range(10):
    loss(1, 2)
"""


def _diff(path: str, before: str | None, after: str | None) -> str:
    old, new = (f"a/{path}" if before is not None else "/dev/null"), (f"b/{path}" if after is not None else "/dev/null")
    return "".join(difflib.unified_diff(_lines(before), _lines(after), old, new, n=1))


def _lines(text: str | None) -> list[str]:
    """The lines of a text, as a file has them: other line ends are letters."""
    return [f"{line}\n" for line in (text or "").split("\n")[:-1]]


def _judge(diff: str, allowed: tuple[str, ...] = ("train.py", "src/**"), **more: Any) -> Verdict | None:
    return Edits(allowed, **more).judge(diff).refusal


def _edit(path: str) -> str:
    return _diff(path, "x = 1\n", "x = 2\n")


# --- where an edit may stand --------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["train.py", "src/a.py", "src/deep/er/b.py", "src/model.yaml"])
def test_what_is_allowed_may_be_edited(path: str) -> None:
    assert _judge(_edit(path)) is None


PLACES = {
    "prepare.py": "may not be edited",
    "sub/train.py": "may not be edited",
    "srcs/a.py": "may not be edited",
    "Train.py": "may not be edited",
    "train.py.orig": "may not be edited",
    "src": "may not be edited",
    "/etc/passwd": "below the root",
    "~/.bashrc": "below the root",
    "C:/x.py": "below the root",
    "../train.py": "plainly",
    "src/../prepare.py": "plainly",
    "src/./a.py": "plainly",
    "src//a.py": "plainly",
    "src/a.py ": "plainly",
    "src/a.py.": "plainly",
    "src/..": "plainly",
    "src\\..\\prepare.py": "file systems",
    "src/a\u200b.py": "file systems",
    "src/caf\u00e9.py": "file systems",
    "src/\u0430.py": "file systems",
    "src/.git/config": "git's own",
    "src/.GIT/hooks/pre-commit": "git's own",
    "src/git~1/config": "git's own",
}


@pytest.mark.parametrize(("path", "word"), PLACES.items())
def test_what_is_not_allowed_may_not_whatever_its_spelling(path: str, word: str) -> None:
    verdict = _judge(_edit(path))
    assert verdict is not None
    assert verdict[:2] == ("edit", Level.FAIL)
    assert word in verdict.reason
    assert verdict.reason.isprintable()


@given(st.text(st.sampled_from("ab/.*?[]\\ \u00e9Tt"), max_size=8))
def test_a_pattern_without_wildcards_allows_only_itself(path: str) -> None:
    verdict = _judge(f"--- a/{path}\n+++ b/{path}\n@@ -1 +1 @@\n-x = 1\n+x = 2\n", ("ab/t.py",))
    assert (verdict is None) == (path == "ab/t.py")


def test_a_star_stays_in_its_folder_and_two_stars_do_not() -> None:
    for pattern, path, allowed in (
        ("src/*.py", "src/a.py", True),
        ("src/*.py", "src/b/a.py", False),
        ("src/**/a.py", "src/a.py", True),
        ("src/**/a.py", "src/b/c/a.py", True),
        ("**/*.py", "a.py", True),
        ("s?c/a.py", "src/a.py", True),
        ("s?c/a.py", "s/c/a.py", False),
        ("src/[ab].py", "src/a.py", False),
        ("src.a.py", "src/a.py", False),
    ):
        assert (_judge(_edit(path), (pattern,)) is None) is allowed, (pattern, path)


SURFACES = """
conftest.py src/conftest.py src/sitecustomize.py src/usercustomize.py src/x.pth setup.py setup.cfg pyproject.toml
tox.ini noxfile.py pytest.ini Makefile src/makefile GNUmakefile Dockerfile Dockerfile.dev docker-compose.yml
package.json requirements.txt requirements-dev.txt src/constraints.txt uv.lock .envrc .env .bashrc .zshrc .gitattributes
.gitmodules .pre-commit-config.yaml .github/workflows/ci.yml .gitlab-ci.yml .husky/pre-commit .claude/settings.json
.cursor/rules .mcp.json .vscode/tasks.json .devcontainer/devcontainer.json .idea/workspace.xml CLAUDE.md AGENTS.md
src/run.sh src/lib.so src/mod.pyd src/a.ipynb src/trajscope.toml run.coverage.json night.menu.json src/.hidden.py
site-packages/x.py src/CONFTEST.py src/Sitecustomize.py
""".split()


@pytest.mark.parametrize("path", SURFACES)
def test_a_wide_pattern_does_not_reach_what_changes_how_things_are_run(path: str) -> None:
    verdict = _judge(_edit(path), ("**",))
    assert verdict is not None
    assert verdict.level is Level.FAIL
    assert "changes how things are run" in verdict.reason
    assert _judge(_edit(path), ("**", path)) is None  # named in full it was meant


@pytest.mark.parametrize("path", ["random.py", "src/json.py", "src/torch.py", "src/numpy/__init__.py"])
def test_a_new_file_may_not_hide_a_module_from_all_others(path: str) -> None:
    verdict = _judge(_diff(path, None, "x = 1\n"), ("**",))
    assert verdict is not None
    assert "would hide the module" in verdict.reason
    assert _judge(_edit(path), ("**",)) is None  # it was there before


MODES = {
    "a link": (
        "diff --git a/src/l b/src/l\nnew file mode 120000\n--- /dev/null\n+++ b/src/l\n@@ -0,0 +1 @@\n+x\n",
        "a link",
    ),
    "a link that points elsewhere": (
        "diff --git a/src/l b/src/l\nindex 1..2 120000\n--- a/src/l\n+++ b/src/l\n@@ -1 +1 @@\n-x\n+y\n",
        "a link",
    ),
    "a submodule": (
        "diff --git a/src/s b/src/s\nindex 1..2 160000\n--- a/src/s\n+++ b/src/s\n@@ -1 +1 @@\n-x\n+y\n",
        "a submodule",
    ),
    "a mode": ("diff --git a/src/a.py b/src/a.py\nold mode 100644\nnew mode 100755\n", "100644 to 100755"),
    "a new program": (
        "diff --git a/src/a b/src/a\nnew file mode 100755\n--- /dev/null\n+++ b/src/a\n@@ -0,0 +1 @@\n+x\n",
        "mode 100755",
    ),
    "an unheard-of mode": (
        "diff --git a/src/a b/src/a\nnew file mode 104755\n--- /dev/null\n+++ b/src/a\n@@ -0,0 +1 @@\n+x\n",
        "mode 104755",
    ),
    "binary": ("diff --git a/src/a b/src/a\nindex 1..2 100644\nBinary files a/src/a and b/src/a differ\n", "binary"),
    "a rename out": (
        "diff --git a/src/a.py b/other.py\nsimilarity index 100%\nrename from src/a.py\nrename to other.py\n",
        "other.py may not be edited",
    ),
    "a rename in": (
        "diff --git a/prepare.py b/src/a.py\nsimilarity index 100%\nrename from prepare.py\nrename to src/a.py\n",
        "prepare.py may not be edited",
    ),
    "a copy of what is not shown": (
        "diff --git a/holdout.csv b/src/a.csv\nsimilarity index 100%\ncopy from holdout.csv\ncopy to src/a.csv\n",
        "holdout.csv may not be edited",
    ),
    "two names in two cases": (_edit("src/a.py") + _edit("src/A.py"), "stands twice"),
    "one file twice": (_edit("src/a.py") + _edit("src/a.py"), "stands twice"),
    "no prefix, so that a program may strip a folder": (
        "--- src/a.py\n+++ src/a.py\n@@ -1 +1 @@\n-x\n+y\n",
        "lacks git's a/ and b/",
    ),
    "a second file that is not allowed": (_edit("src/a.py") + _edit("prepare.py"), "prepare.py may not be edited"),
    "a file that is deleted and not allowed": (_diff("prepare.py", "x\n", None), "prepare.py may not be edited"),
    "prose": ("I lowered the learning rate.", "belongs to no file"),
    "nothing": ("", "empty"),
    "blank": ("\n\n", "empty"),
    "a control character": (_diff("src/a.py", "x\n", "x\x1b[2K\n"), "control character"),
    "text that runs backwards": (_diff("src/a.py", "x\n", "# \u202e x\n"), "control character"),
}


@pytest.mark.parametrize(("diff", "word"), MODES.values(), ids=MODES)
def test_what_is_no_plain_edit_of_plain_files_is_refused(diff: str, word: str) -> None:
    verdict = _judge(diff)
    assert verdict is not None
    assert verdict[:2] == ("edit", Level.FAIL)
    assert word in verdict.reason


# --- what it may not reach for ------------------------------------------------------------------------------------

REACHES = {
    "import subprocess": "subprocess",
    "import subprocess as sp": "subprocess",
    "from subprocess import run": "subprocess",
    "import os; os.system('id')": "os.system",
    "from os import system as s": "os.system",
    "import os as o; o.execv('a', [])": "os.execv",
    "import os; os.fork()": "os.fork",
    "import os; os.popen('id').read()": "os.popen",
    "import os; os.spawnl(0, 'a')": "os.spawnl",
    "import os; os.posix_spawn('a', [], {})": "os.posix_spawn",
    "import os; os.environ['X'] = '1'": "os.environ",
    "import os; x = os": "os",
    "import os; getattr(os, 'sys' + 'tem')('id')": "getattr",
    "getattr(model, name)()": "getattr with a name that is worked out",
    "import os; vars(os)['system']('id')": "vars",
    "from os import *": "os.*",
    "eval('1')": "eval",
    "e = eval": "eval",
    "exec('x = 1')": "exec",
    "compile('1', '', 'eval')": "compile",
    "__import__('os')": "__import__",
    "__builtins__['eval']('1')": "__builtins__",
    "import builtins": "builtins",
    "import importlib": "importlib",
    "from importlib import import_module": "importlib",
    "import ctypes": "ctypes",
    "import socket": "socket",
    "from urllib.request import urlopen": "urllib",
    "import requests": "requests",
    "import http.client": "http.client",
    "import pickle; pickle.load(f)": "pickle.load",
    "from pickle import loads": "pickle.loads",
    "import numpy as np; np.load(f, allow_pickle=True)": "pickle.load",
    "import torch; torch.load(f)": "torch.load",
    "import torch; torch.load(f, weights_only=False)": "torch.load",
    "import sys; sys.modules['prepare'].score = f": "sys.modules",
    "import sys; sys.path.insert(0, 'x')": "sys.path",
    "import sys; sys._getframe(1)": "sys._getframe",
    "import gc; gc.get_objects()": "gc.get_objects",
    "().__class__.__base__.__subclasses__()": "__subclasses__",
    "f.__globals__['x'] = 1": "__globals__",
    "f'{eval(x)}'": "eval",
    "[eval(x) for x in y]": "eval",
    "x = lambda: __import__('os')": "__import__",
    "@eval\ndef f(): pass": "eval",
    "class A(eval('B')): pass": "eval",
    "match x:\n    case 1 if eval('1'): pass": "eval",
    "try: pass\nexcept eval('E'): pass": "eval",
    "async def f():\n    async with g(exec): pass": "exec",
}


@pytest.mark.parametrize(("code", "name"), REACHES.items())
@pytest.mark.parametrize("rooted", [False, True])
def test_code_that_reaches_out_is_refused_with_its_line(code: str, name: str, rooted: bool, tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text("import torch\nx = 1\n", "utf-8")
    diff = _diff("train.py", "import torch\nx = 1\n", f"import torch\nx = 1\n{code}\n")
    verdict = _judge(diff, root=tmp_path if rooted else None)
    assert verdict is not None
    assert verdict[:2] == ("edit", Level.FAIL)
    assert name in verdict.reason
    assert verdict.reason.startswith("train.py:")


DISGUISED = {
    "an encoding that turns a comment into code": ("# coding: unicode_escape\nx = 1\n", "otherwise than it looks"),
    "an encoding by its other spelling": ("#!x\n# vim: set fileencoding=utf-7 :\nx = 1\n", "otherwise than it looks"),
    "a line that ends in its middle": ("x = 1  # fine\rimport os\n", "otherwise than it looks"),
    "letters that Python reads as others": ("x = \uff45val('1')\n", "reaches for eval"),
    "letters in a line that is no statement": ("f(\n    \uff45val(\n    '1'))\n", "eval"),
    "a line nobody reads to its end": ("x = 1" + " " * 2_000 + "; import os\n", "over 2,000"),
    "more than anybody reads": ("x = 1\n" * 5_001, "over 5,000"),
    "an argument that runs what it loads": ("m = load('x', trust_remote_code=True)\n", "exec"),
    "an argument that is worked out": ("m = load('x', allow_pickle=yes)\n", "pickle"),
}


@pytest.mark.parametrize(("code", "word"), DISGUISED.values(), ids=DISGUISED)
@pytest.mark.parametrize("rooted", [False, True])
def test_code_in_disguise_is_refused(code: str, word: str, rooted: bool, tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text("y = 0\n", "utf-8")
    verdict = _judge(_diff("train.py", "y = 0\n", code), root=tmp_path if rooted else None)
    assert verdict is not None
    assert verdict[:2] == ("edit", Level.FAIL)
    assert word in verdict.reason
    assert verdict.reason.isprintable()


@pytest.mark.parametrize("rooted", [False, True])
def test_code_that_is_too_deep_to_be_read_is_refused_and_not_waved_through(rooted: bool, tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text("y = 0\n", "utf-8")
    deep = f"y = {'-' * 1_900}().__class__.__subclasses__()\n"
    answer = _ask(_diff("train.py", "y = 0\n", deep), "a" * 64, root=tmp_path if rooted else None)
    assert answer.verdict.rule == "edit"


def test_a_line_that_goes_may_not_bring_an_encoding_into_force(tmp_path: Path) -> None:
    before = "x = 1\ny = 2\n# coding: utf-7\n"
    (tmp_path / "train.py").write_text(before, "utf-8")
    verdict = _judge(_diff("train.py", before, before.replace("x = 1\n", "")), root=tmp_path)
    assert verdict is not None
    assert "coding: utf-7" in verdict.reason


def test_a_text_that_becomes_code_is_new_code(tmp_path: Path) -> None:
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "notes.txt").write_text("import subprocess\n", "utf-8")
    moved = "diff --git a/src/notes.txt b/src/notes.py\nrename from src/notes.txt\nrename to src/notes.py\n"
    seen = _judge(moved, root=tmp_path)
    assert seen is not None
    assert "subprocess" in seen.reason
    unseen = _judge(moved)
    assert unseen is not None
    assert unseen.level is Level.UNKNOWN


def test_the_advice_that_python_gives_is_not_an_error(tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text("x = 1\n", "utf-8")
    assert _judge(_diff("train.py", "x = 1\n", "x = '\\d' is 1\n"), root=tmp_path) is None
    assert _judge(_diff("train.py", "x = 1\n", "x = '\\d'\n")) is None


HARMLESS = [
    "model.eval()",
    "import torch; torch.compile(model)",
    "import re; re.compile('x')",
    "import os; os.path.join('a', 'b')",
    "import torch; torch.load(f, weights_only=True)",
    "import numpy as np; np.load(f)",
    "getattr(model, 'forward')",
    "import sys; sys.stdout.flush()",
    "print('we never eval or import subprocess here')",
    "# subprocess.run(['x'])",
    "x.execute(); y.compiled = 1",
    "type(self).__name__",
]


@pytest.mark.parametrize("code", HARMLESS)
@pytest.mark.parametrize("rooted", [False, True])
def test_code_that_only_sounds_like_it_passes(code: str, rooted: bool, tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text("x = 1\n", "utf-8")
    diff = _diff("train.py", "x = 1\n", f"x = 1\n{code}\n")
    assert _judge(diff, root=tmp_path if rooted else None) is None


def test_what_was_there_before_is_not_held_against_an_edit_elsewhere(tmp_path: Path) -> None:
    before = "import subprocess\nsubprocess.run(['nvidia-smi'])\nLR = 1\n"
    (tmp_path / "train.py").write_text(before, "utf-8")
    assert _judge(_diff("train.py", before, before.replace("LR = 1", "LR = 2")), root=tmp_path) is None
    other = _judge(_diff("train.py", before, before.replace("nvidia-smi", "curl")), root=tmp_path)
    assert other is not None
    assert "curl" in other.reason
    twice = _judge(_diff("train.py", before, before + "subprocess.run(['nvidia-smi'])\n"), root=tmp_path)
    assert twice is not None


def test_with_the_file_an_alias_from_another_line_is_seen_through(tmp_path: Path) -> None:
    before = "import os as o\nx = 1\n"
    (tmp_path / "train.py").write_text(before, "utf-8")
    verdict = _judge(_diff("train.py", before, before + "o.system('id')\n"), root=tmp_path)
    assert verdict is not None
    assert "train.py:3: \"o.system('id')\" reaches for os.system, which starts other programs" in verdict.reason


def test_lines_that_are_no_python_by_themselves_are_read_word_by_word() -> None:
    before = "f(\n    1,\n)\n"
    verdict = _judge(_diff("train.py", before, "f(\n    1, eval(\n    'x'),\n)\n"))
    assert verdict is not None
    assert "eval" in verdict.reason
    assert [r.name for r in reach.of_lines([(1, "1, \uff45val(")])] == ["eval"]  # as Python reads names
    inside = _judge(_diff("train.py", "if x:\n    pass\n", "if eval('x'):\n    pass\n"))
    assert inside is not None
    assert (
        _judge(_diff("train.py", "if x:\n    pass\nelse:\n    pass\n", "if x:\n    pass\nelif y:\n    pass\n")) is None
    )


def test_what_is_permitted_by_name_passes() -> None:
    diff = _diff("train.py", "x = 1\n", "x = 1\nimport subprocess\nsubprocess.run(['x'])\n")
    assert _judge(diff, permits=("subprocess",)) is None
    assert _judge(diff, permits=("sub",)) is not None
    assert _judge(_diff("train.py", "x = 1\n", "x = getattr(m, n)\n"), permits=("getattr",)) is None
    assert _judge(_diff("train.py", "x = 1\n", "SEED = 1\n"), permits=("seeds",)) is None


def test_code_that_is_no_python_any_more_is_refused(tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text("x = 1\n", "utf-8")
    verdict = _judge(_diff("train.py", "x = 1\n", "x = (1\n"), root=tmp_path)
    assert verdict is not None
    assert "does not read as Python after the edit" in verdict.reason


def test_a_file_that_the_code_may_not_read_may_not_be_named(tmp_path: Path) -> None:
    secret = ("prepare.py", "data/holdout/**")
    (tmp_path / "train.py").write_text("x = 1\n", "utf-8")
    for line in ("open('data/holdout/y.csv')", "import prepare", "from prepare import y", "p = 'data/' 'holdout'"):
        diff = _diff("train.py", "x = 1\n", f"x = 1\n{line}\n")
        verdict = _judge(diff, secret=secret, root=tmp_path)
        assert verdict is not None, line
        assert "may not read" in verdict.reason
    assert _judge(_diff("train.py", "x = 1\n", "import prepare\n"), secret=secret) is not None
    assert _judge(_diff("train.py", "x = 1\n", "prepared = 1\n"), secret=secret, root=tmp_path) is None


# --- seeds and protected passages ---------------------------------------------------------------------------------


def test_a_seed_is_left_to_the_harness() -> None:
    verdict = _judge(_diff("train.py", TRAIN, TRAIN.replace("1337", "7")))
    assert verdict is not None
    assert verdict.level is Level.FAIL
    assert "train.py:5: - SEED = 1337" in verdict.reason
    assert _judge(_diff("train.py", TRAIN, TRAIN.replace("LR = 0.5", "LR = 0.3"))) is None


PASSAGES = {
    "markers": Protected("train.py", "the scorer reads it", begin=r"^# protected", end=r"^# end protected"),
    "lines": Protected("train.py", "the scorer reads it", first=12, last=15),
}


@pytest.mark.parametrize("protected", PASSAGES.values(), ids=PASSAGES)
@pytest.mark.parametrize(
    ("old", "new", "touches"),
    [
        ("model.error", "0", True),
        ("# protected: the scorer reads this\n", "", True),
        ("# end protected\n", "", True),
        ("def score(model):\n", "def score(model):\n    model.cheat()\n", True),
        ("# end protected\n", "    pass\n# end protected\n", True),
        ("# protected: the scorer", "# protected: somebody", True),
        ("LR = 0.5", "LR = 0.3", False),
        ("LR = 0.5\n", "LR = 0.3\nWD = 1\n\n", False),
        ("    return F.mse_loss(x, y)\n\n\n", "    return F.mse_loss(x, y)\n\n\nWD = 1\n", False),
        ("# end protected\n", "# end protected\nWD = 1\n", False),
        ("range(10)", "range(20)", False),
    ],
)
def test_a_protected_passage_asks_for_a_person(
    protected: Protected, old: str, new: str, touches: bool, tmp_path: Path
) -> None:
    (tmp_path / "train.py").write_text(TRAIN, "utf-8")
    assert old in TRAIN
    verdict = _judge(_diff("train.py", TRAIN, TRAIN.replace(old, new)), protected=(protected,), root=tmp_path)
    assert (verdict is not None) == touches
    if verdict is not None:
        assert verdict.level is Level.FAIL
        assert "the scorer reads it" in verdict.reason
        assert "ask a person" in verdict.reason


def test_a_whole_file_may_be_protected_within_what_is_allowed() -> None:
    protected = (Protected("src/score*.py", "it decides what is kept"),)
    for path in ("src/score.py", "src/Score.py", "src/scorers.py"):
        verdict = _judge(_edit(path), protected=protected)
        assert verdict is not None
        assert "it decides what is kept" in verdict.reason
    assert _judge(_edit("src/a.py"), protected=protected) is None
    moved = (
        "diff --git a/src/score.py b/src/a.py\nsimilarity index 100%\nrename from src/score.py\nrename to src/a.py\n"
    )
    assert _judge(moved, protected=protected) is not None


@pytest.mark.parametrize("protected", PASSAGES.values(), ids=PASSAGES)
def test_where_a_passage_cannot_be_found_nothing_of_its_file_may_change(protected: Protected, tmp_path: Path) -> None:
    harmless = _diff("train.py", TRAIN, TRAIN.replace("LR = 0.5", "LR = 0.3"))
    blind = _judge(harmless, protected=(protected,))
    assert blind is not None
    assert blind.level is Level.UNKNOWN
    short = "LR = 0.5\n"
    (tmp_path / "train.py").write_text(short, "utf-8")
    lost = _judge(_diff("train.py", short, "LR = 0.3\n"), protected=(protected,), root=tmp_path)
    assert lost is not None
    assert lost.level is Level.UNKNOWN
    assert "is not found" in lost.reason


def test_a_hunk_that_lies_about_its_lines_is_refused(tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text(TRAIN, "utf-8")
    honest = _diff("train.py", TRAIN, TRAIN.replace("    return model.error", "    return 0"))
    lying = honest.replace("@@ -13,3 +13,3 @@", "@@ -1,3 +1,3 @@")
    assert lying != honest
    verdict = _judge(lying, protected=(PASSAGES["markers"],), root=tmp_path)
    assert verdict is not None
    assert "does not read as the diff says" in verdict.reason


BAD = [
    {"allowed": "train.py"},
    {"allowed": ("",)},
    {"allowed": ("**",), "protected": Protected("a", "b")},
    {"allowed": ("**",), "protected": (Protected("a", " "),)},
    {"allowed": ("**",), "protected": (Protected("a", "b", first=9, last=3),)},
    {"allowed": ("**",), "protected": (Protected("a", "b", first=0),)},
    {"allowed": ("**",), "protected": (Protected("a", "b", last=-1),)},
    {"allowed": ("**",), "protected": (Protected("a", "b", end="x"),)},
    {"allowed": ("**",), "protected": (Protected("a", "b", begin="("),)},
    {"allowed": ("**",), "protected": (Protected("", "b"),)},
    {"allowed": ("**",), "permits": "subprocess"},
]


@pytest.mark.parametrize("given_args", BAD)
def test_a_declaration_that_would_not_protect_is_an_error(given_args: dict[str, Any]) -> None:
    with pytest.raises(SettingsError, match="edits: "):
        Edits(**given_args)


# --- the files themselves -----------------------------------------------------------------------------------------


def test_a_diff_must_fit_the_file_as_it_stands(tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text("x = 7\n", "utf-8")
    for diff, word in (
        (_edit("train.py"), "does not read as the diff says"),
        (_edit("src/gone.py"), "cannot be read"),
        (_diff("train.py", None, "x = 1\n"), "exists"),
    ):
        verdict = _judge(diff, root=tmp_path)
        assert verdict is not None
        assert word in verdict.reason


def test_a_file_behind_a_link_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "a.py").write_text("x = 1\n", "utf-8")
    (tmp_path / "src").symlink_to("real")
    verdict = _judge(_edit("src/a.py"), root=tmp_path)
    assert verdict is not None
    assert "a link" in verdict.reason


def test_a_new_file_in_a_folder_behind_a_link_is_not_written(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "src").symlink_to("real")
    verdict = _judge(_diff("src/b.py", None, "x = 1\n"), root=tmp_path)
    assert verdict is not None
    assert "a link" in verdict.reason


def test_a_file_that_is_no_text_or_too_large_cannot_be_judged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "train.py").write_bytes(b"\xff\xfe")
    verdict = _judge(_edit("train.py"), root=tmp_path)
    assert verdict is not None
    assert verdict.level is Level.UNKNOWN
    (tmp_path / "train.py").write_text("x = 1\n", "utf-8")
    monkeypatch.setattr("trajscope.rails.lint.MAX_FILE", 3)
    verdict = _judge(_edit("train.py"), root=tmp_path)
    assert verdict is not None
    assert verdict.level is Level.UNKNOWN


# --- in the chain -------------------------------------------------------------------------------------------------

MENU = parse({"knobs": {"lr": {"type": "float", "range": [0, 1], "default": 0.5}}})


def _ask(diff: str | None, value: object = None, *, root: Path | None = None, knob: str = "code:loss") -> Answer:
    edits = Edits(("train.py",), root=root)
    rails = Rails(MENU, told(), base={"lr": 0.5}, repeat=once(), edits=edits)
    return rails.ask(json.dumps({"knob": knob, "value": value, "diff": diff}))


def test_the_hash_of_an_edit_is_worked_out_where_the_proposal_leaves_it_to_us(tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text(TRAIN, "utf-8")
    after = TRAIN.replace("mse_loss", "l1_loss")
    answer = _ask(_diff("train.py", TRAIN, after), root=tmp_path)
    assert answer.passed, answer.verdict.reason
    assert answer.proposal is not None
    assert answer.proposal.pair.label == f"code:loss={fingerprint('train.py', after)}"
    blind = _ask(_diff("train.py", TRAIN, after))
    assert blind.verdict[:2] == ("edit", Level.UNKNOWN)


def test_layout_comments_and_docstrings_do_not_make_new_code() -> None:
    one = '"""Doc."""\ndef f( a ):\n  "what"\n  return a+1 # why\n'
    two = "def f(a):\n    return (a + 1)\n"
    assert fingerprint("a.py", one) == fingerprint("a.py", two)
    assert fingerprint("a.py", two) != fingerprint("a.py", two.replace("1", "2"))
    assert fingerprint("a.txt", one) != fingerprint("a.txt", two)
    assert fingerprint("a.py", "x = (") != fingerprint("a.py", "x =  (")


def test_an_edit_that_changes_no_code_is_a_no_op(tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text(TRAIN, "utf-8")
    diff = _diff("train.py", TRAIN, TRAIN.replace("LR = 0.5\n", "LR = 0.5  # as published\n"))
    verdict = _ask(diff, root=tmp_path).verdict
    assert verdict[:2] == ("noop", Level.FAIL)
    assert "comments" in verdict.reason


def test_a_hash_that_is_sent_must_be_of_what_comes_out(tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text(TRAIN, "utf-8")
    after = TRAIN.replace("mse_loss", "l1_loss")
    diff = _diff("train.py", TRAIN, after)
    plain = hashlib.sha256(after.encode()).hexdigest()
    for said in (plain, plain[:12], fingerprint("train.py", after)):
        assert _ask(diff, said, root=tmp_path).passed
    other = _ask(diff, hashlib.sha256(TRAIN.encode()).hexdigest(), root=tmp_path)
    assert other.verdict[:2] == ("edit", Level.FAIL)
    assert "send the hash of what comes out" in other.verdict.reason
    assert _ask(diff, plain[:7], root=tmp_path).verdict.rule == "range"


def test_code_without_a_diff_and_a_diff_without_code_are_judged_alike(tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text(TRAIN, "utf-8")
    assert _ask(None, "a" * 64, root=tmp_path).verdict[:2] == ("edit", Level.FAIL)
    setting = _diff("train.py", TRAIN, TRAIN.replace("LR = 0.5", "LR = 0.3"))
    assert _ask(setting, 0.3, root=tmp_path, knob="lr").passed
    evil = _diff("train.py", TRAIN, TRAIN + "eval('1')\n")
    assert _ask(evil, 0.3, root=tmp_path, knob="lr").verdict.rule == "edit"


def test_a_campaign_of_edits_alone_needs_no_menu(tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text("x = 1\n", "utf-8")
    rails = Rails(None, told(), base={}, repeat=once(), edits=Edits(("train.py",), root=tmp_path))
    assert rails.ask({"knob": "code:train", "value": None, "diff": _edit("train.py")}).passed
    assert not rails.ask({"knob": "code:train", "value": None, "diff": _edit("train.py")}).passed  # the same code
    assert rails.check({"knob": "lr", "value": 1, "diff": _edit("train.py")}).rule == "menu"


@given(st.text(st.sampled_from("-+@ ab/1,\n\\dif gt.py"), max_size=60))
def test_any_text_for_a_diff_is_answered(text: str) -> None:
    answer = _ask(text, "a" * 64)
    assert isinstance(answer.verdict.level, Level)
    assert answer.verdict.rule == "edit"
