"""Diffs: read whole or refused, applied exactly, and what they do to seeds.

git is the other tool: what it writes we read, and what we apply is what it compared.
"""

from __future__ import annotations

import difflib
import subprocess
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from trajscope.diffs import Edited, Hunk, applied, parse
from trajscope.errors import DiffError

LINES = st.sampled_from(
    ["a\n", "b\n", "\n", "-- a\n", "++ b\n", "@@ -1 +1 @@\n", " c\n", "\\ d\n", "diff --git a/x b/x\n"]
)
TEXT = st.lists(LINES, max_size=8).map("".join)


@given(TEXT, TEXT)
@example("-- a\n", "++ b\n")  # with their signs they read `--- a` and `+++ b`
def test_applying_a_diff_gives_what_was_compared(before: str, after: str) -> None:
    made = difflib.unified_diff(before.splitlines(True), after.splitlines(True), "a/f", "b/f", n=1)
    found = parse("".join(made))
    if before == after:
        assert found == ()
        return
    assert applied(found[0], before) == after
    assert found[0].paths == ("f",)


@pytest.mark.needs_program("git")
@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("a\nb\nc", "a\nb\nc\n"),
        ("a\nb\nc\n", "a\nb\nc"),
        ("a\nb\nc", "a\nx\nc"),
        ("a", "b"),
        ("a\r\nb\r\n", "a\r\nc\r\n"),
        ("a\n\nb\n" * 20, "z\n" + "a\n\nb\n" * 20 + "y"),
        ("", "a\n"),
        ("a\x0cb\n", "a\x0cc\n"),
        ("caf\u00e9\n", "cafe\n"),
    ],
)
@pytest.mark.parametrize("context", [0, 3])
def test_what_git_compares_we_apply(before: str, after: str, context: int, tmp_path: Path) -> None:
    made = _git_diff(tmp_path, before, after, f"-U{context}")
    (edit,) = parse(made)
    assert applied(edit, before) == after


def _git_diff(folder: Path, before: str, after: str, *options: str) -> str:
    for side, text in (("a", before), ("b", after)):
        (folder / side).mkdir()
        (folder / side / "f.py").write_bytes(text.encode())
    command = ["git", "diff", "--no-index", "--no-prefix", *options, "a/f.py", "b/f.py"]
    run = subprocess.run(command, cwd=folder, capture_output=True, check=False)
    assert run.returncode == 1
    return run.stdout.decode()


def test_the_lines_of_an_edit_carry_the_numbers_of_their_side() -> None:
    (edit,) = parse("--- a/f\n+++ b/f\n@@ -2,3 +2,4 @@ def f():\n a\n-b\n+c\n+d\n e\n@@ -9 +10,0 @@\n-z\n")
    assert edit.removed == ((3, "b"), (9, "z"))
    assert edit.added == ((3, "c"), (4, "d"))


GIT_HEADERS = {
    "a new file": (
        "diff --git a/f b/f\nnew file mode 100644\nindex 0000000..7898192\n--- /dev/null\n+++ b/f\n@@ -0,0 +1 @@\n+a\n",
        Edited(None, "f", (Hunk(0, 1, ("+a",)),), None, "100644"),
    ),
    "an empty new file": (
        "diff --git a/f b/f\nnew file mode 100644\nindex 0000000..e69de29\n",
        Edited(None, "f", (), None, "100644"),
    ),
    "a deleted file": (
        "diff --git a/f b/f\ndeleted file mode 100644\nindex 7..0\n--- a/f\n+++ /dev/null\n@@ -1 +0,0 @@\n-a\n",
        Edited("f", None, (Hunk(1, 0, ("-a",)),), "100644", None),
    ),
    "a change of mode": (
        "diff --git a/f b/f\nold mode 100644\nnew mode 100755\n",
        Edited("f", "f", (), "100644", "100755"),
    ),
    "a link that points elsewhere says so only in its index line": (
        (
            "diff --git a/f b/f\nindex 1de5659..6d9dd92 120000\n--- a/f\n+++ b/f\n@@ -1 +1 @@\n-a\n"
            "\\ No newline at end of file\n+b\n\\ No newline at end of file\n"
        ),
        Edited(
            "f",
            "f",
            (Hunk(1, 1, ("-a", "\\ No newline at end of file", "+b", "\\ No newline at end of file")),),
            "120000",
            "120000",
        ),
    ),
    "a rename": (
        "diff --git a/old name b/new name\nsimilarity index 100%\nrename from old name\nrename to new name\n",
        Edited("old name", "new name"),
    ),
    "a copy": ("diff --git a/f b/g\nsimilarity index 100%\ncopy from f\ncopy to g\n", Edited("f", "g")),
    "a name with a space": (
        "diff --git a/a b/c b/a b/c\nindex 7..6 100644\n--- a/a b/c\t\n+++ b/a b/c\t\n@@ -1 +1 @@\n-a\n+b\n",
        Edited("a b/c", "a b/c", (Hunk(1, 1, ("-a", "+b")),), "100644", "100644"),
    ),
    "a quoted name": (
        'diff --git "a/caf\\303\\251\\\\101\\t" "b/caf\\303\\251\\\\101\\t"\nold mode 100644\nnew mode 100755\n',
        Edited("caf\u00e9\\101\t", "caf\u00e9\\101\t", (), "100644", "100755"),
    ),
    "a binary file": (
        "diff --git a/f b/f\nindex 1..2 100644\nBinary files a/f and b/f differ\n",
        Edited("f", "f", (), "100644", "100644", binary=True),
    ),
    "a binary patch": (
        "diff --git a/f b/f\nindex 1..2 100644\nGIT binary patch\nliteral 1\nIc${Nk0ssI2\n\nliteral 1\nIc${Nk0ssI2\n\n",
        Edited("f", "f", (), "100644", "100644", binary=True),
    ),
    "a name without a prefix": (
        "--- f\n+++ f\n@@ -1 +1 @@\n-a\n+b\n",
        Edited("f", "f", (Hunk(1, 1, ("-a", "+b")),), bare=True),
    ),
    "an empty line whose space was lost": (
        "--- a/f\n+++ b/f\n@@ -1,2 +1,2 @@\n\n-a\n+b\n",
        Edited("f", "f", (Hunk(1, 1, ("", "-a", "+b")),)),
    ),
    "a time behind the name": (
        "--- a/f\t2026-01-01 00:00:00\n+++ b/f\t2026-01-01 00:00:01\n@@ -1 +1 @@\n-a\n+b\n",
        Edited("f", "f", (Hunk(1, 1, ("-a", "+b")),)),
    ),
    "a header with carriage returns": (
        "diff --git a/f b/f\r\n--- a/f\r\n+++ b/f\r\n@@ -1 +1 @@\r\n-a\r\n+b\r\n",
        Edited("f", "f", (Hunk(1, 1, ("-a\r", "+b\r")),)),
    ),
}


@pytest.mark.parametrize(("text", "edit"), GIT_HEADERS.values(), ids=GIT_HEADERS)
def test_what_git_writes_is_understood(text: str, edit: Edited) -> None:
    assert parse(text) == (edit,)


# Each of these a program that applies diffs would read otherwise than we do, or half.
GOOD = "--- a/f\n+++ b/f\n@@ -1 +1 @@\n-a\n+b\n"
NOT_UNDERSTOOD = {
    "prose": "I changed the learning rate",
    "prose before it": f"Here you are:\n{GOOD}",
    "a code fence": f"```diff\n{GOOD}```\n",
    "a context diff after it": f"{GOOD}*** evil.py\n--- evil.py\n***************\n*** 1 ****\n! x\n--- 1 ----\n! y\n",
    "an ed script after it": f"{GOOD}1c\nx\n.\n",
    "a name for patch alone": f"Index: evil.py\n{GOOD}",
    "a normal diff": "1c1\n< a\n---\n> b\n",
    "a hunk without names": "@@ -1 +1 @@\n-a\n+b\n",
    "a name without a hunk": "--- a/f\n+++ b/f\n",
    "a name without its other": "--- a/f\n@@ -1 +1 @@\n-a\n+b\n",
    "a git name and nothing else": "diff --git a/f b/f\n",
    "no name at all": "--- /dev/null\n+++ /dev/null\n@@ -1 +1 @@\n-a\n+b\n",
    "an empty name": "--- a/\n+++ b/\n@@ -1 +1 @@\n-a\n+b\n",
    "a quote not closed": '--- "a/f\n+++ b/f\n@@ -1 +1 @@\n-a\n+b\n',
    "one name where two belong": "diff --git a/f\nold mode 100644\nnew mode 100755\n",
    "other names under the git line": "diff --git a/f b/f\n--- a/g\n+++ b/g\n@@ -1 +1 @@\n-a\n+b\n",
    "a new file that was there": "diff --git a/f b/f\nnew file mode 100644\n--- a/f\n+++ b/f\n@@ -1 +1 @@\n-a\n+b\n",
    "a rename to a third name": "diff --git a/f b/g\nrename from f\nrename to h\n",
    "a header nobody knows": "diff --git a/f b/f\nowner root\n--- a/f\n+++ b/f\n@@ -1 +1 @@\n-a\n+b\n",
    "fewer lines than counted": "--- a/f\n+++ b/f\n@@ -1,2 +1,2 @@\n-a\n+b\n",
    "more lines than counted": "--- a/f\n+++ b/f\n@@ -1 +1 @@\n-a\n+b\n+c\n",
    "context beyond the count": "--- a/f\n+++ b/f\n@@ -1 +1 @@\n-a\n+b\n c\n",
    "a merge": "diff --cc f\nindex 1,2..3\n--- a/f\n+++ b/f\n@@@ -1,1 -1,1 +1,1 @@@\n--a\n++b\n",
    "counts in foreign digits": "--- a/f\n+++ b/f\n@@ -\u0661 +\u0661 @@\n-a\n+b\n",
    "a count without end": f"--- a/f\n+++ b/f\n@@ -1,{'9' * 5000} +1 @@\n-a\n+b\n",
    "a file that only one side has": f"{GOOD}Only in b: evil.py\n",
    "a file behind a binary patch": "diff --git a/f b/f\nGIT binary patch\nliteral 1\nIc${Nk0ssI2\n\nhello\n",
    "a newline mark before any line": "--- a/f\n+++ b/f\n@@ -1 +1 @@\n\\ No newline at end of file\n-a\n+b\n",
}


@pytest.mark.parametrize("text", NOT_UNDERSTOOD.values(), ids=NOT_UNDERSTOOD)
def test_what_is_not_understood_whole_is_an_error_with_a_remedy(text: str) -> None:
    with pytest.raises(DiffError, match="write it with `git diff`"):
        parse(text)


def test_a_file_behind_a_binary_patch_is_not_swallowed_by_it() -> None:
    found = parse(f"diff --git a/f b/f\nGIT binary patch\nliteral 1\nIc${{Nk0ssI2\n\n{GOOD.replace('/f', '/evil')}")
    assert [e.new for e in found] == ["f", "evil"]


@given(
    st.lists(st.sampled_from([*GOOD.splitlines(True), "diff --git a/f b/f\n", "\\ No\n", "old mode 1\n", " \n", "x"]))
)
def test_any_lines_are_read_or_refused_and_every_changed_line_is_accounted_for(lines: list[str]) -> None:
    text = "".join(lines)
    try:
        found = parse(text)
    except DiffError:
        return
    signed = sum(line[:1] in ("+", "-") and not line.startswith(("+++ ", "--- ")) for line in text.split("\n"))
    assert sum(len(e.added) + len(e.removed) for e in found) >= signed


DOES_NOT_FIT = {
    "another line": ("x\n", GOOD),
    "past the end": ("a\n", GOOD.replace("-1 +1", "-2 +2")),
    "no newline where the diff has one": ("a", GOOD),
    "hunks out of order": ("a\na\na\n", f"{GOOD.replace('-1 +1', '-3 +3')}@@ -1 +1 @@\n-a\n+b\n"),
    "a hunk twice": ("a\n", f"{GOOD}@@ -1 +1 @@\n-a\n+b\n"),
    "a file that is not there": (None, GOOD),
    "a new file that is there": ("a\n", "--- /dev/null\n+++ b/f\n@@ -0,0 +1 @@\n+a\n"),
    "a deletion that leaves lines": ("a\nb\n", "--- a/f\n+++ /dev/null\n@@ -1 +0,0 @@\n-a\n"),
    "a line glued to the next": ("a\nb\n", "--- a/f\n+++ b/f\n@@ -0,0 +1 @@\n+x\n\\ No newline at end of file\n"),
    "binary": ("a\n", "diff --git a/f b/f\nindex 1..2 100644\nBinary files a/f and b/f differ\n"),
}


@pytest.mark.parametrize(("before", "text"), DOES_NOT_FIT.values(), ids=DOES_NOT_FIT)
def test_an_edit_that_does_not_fit_the_file_exactly_is_not_applied(before: str | None, text: str) -> None:
    (edit,) = parse(text)
    with pytest.raises(DiffError, match=r"^f"):
        applied(edit, before)


def test_a_whole_deletion_leaves_no_file() -> None:
    (edit,) = parse("--- a/f\n+++ /dev/null\n@@ -1 +0,0 @@\n-a\n")
    assert applied(edit, "a\n") is None
