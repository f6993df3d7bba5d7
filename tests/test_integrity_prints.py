"""Prints, snapshots, checks and swaps: what is declared is hashed, and what cannot be hashed is refused.

Planted and seen to fail: a missing file passed over; a link out of the root followed; a new file in a declared folder
not counted; a snapshot whose hash is not checked; a swap that does not look again before the rename.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import stat
import tempfile
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trajscope import integrity
from trajscope.errors import CASConflict, IntegrityError
from trajscope.integrity import prints, replace
from trajscope.verdict import Level, Verdict


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A small campaign: a script that is edited, a frozen one, a folder of skills."""
    root = tmp_path / "root"
    (root / "skills" / "a").mkdir(parents=True)
    (root / "train.py").write_text("SCALAR_LR = 0.5\nDEPTH = 8\n")
    (root / "prepare.py").write_text("BUDGET = 300\n")
    (root / "skills" / "a" / "SKILL.md").write_text("Ask the user before deleting.\n")
    (root / "skills" / "b.md").write_text("It sorts.\n")
    return root


def level(found: list[Verdict], rule: str) -> Level:
    return next(v.level for v in found if v.rule == rule)


def test_a_print_is_the_sha256_that_other_tools_show(tree: Path) -> None:
    found = prints.take(tree, ["train.py"])
    assert found.files == {"train.py": hashlib.sha256((tree / "train.py").read_bytes()).hexdigest()}


@pytest.mark.parametrize(
    ("pattern", "names"),
    [
        ("train.py", ["train.py"]),
        ("./train.py", ["train.py"]),
        ("*.py", ["prepare.py", "train.py"]),
        ("skills", ["skills/a/SKILL.md", "skills/b.md"]),
        ("skills/", ["skills/a/SKILL.md", "skills/b.md"]),
        ("skills/*.md", ["skills/b.md"]),
        ("**/*.md", ["skills/a/SKILL.md", "skills/b.md"]),
        ("skills/*/SKILL.md", ["skills/a/SKILL.md"]),
        ("**", ["prepare.py", "skills/a/SKILL.md", "skills/b.md", "train.py"]),
        ("tr?in.py", ["train.py"]),
        (".", ["prepare.py", "skills/a/SKILL.md", "skills/b.md", "train.py"]),
    ],
)
def test_a_pattern_declares_these_files_in_order(tree: Path, pattern: str, names: list[str]) -> None:
    assert list(prints.take(tree, [pattern]).files) == names


def test_what_running_leaves_behind_is_passed_over(tree: Path) -> None:
    (tree / "__pycache__").mkdir()
    (tree / "__pycache__" / "train.cpython-311.pyc").write_bytes(b"x")
    (tree / ".git").mkdir()
    (tree / ".git" / "HEAD").write_text("x")
    assert len(prints.take(tree, ["."]).files) == 4


@pytest.mark.parametrize(
    ("pattern", "why"),
    [
        ("no.py", r"no.py: is declared and not there"),
        ("*.rs", r"\*.rs: is declared and not there"),
        ("../x", "leads out of the root"),
        ("/etc/passwd", "leads out of the root"),
        ("~/x", "leads out of the root"),
        ("skills/../train.py", "leads out of the root"),
    ],
)
def test_a_declared_file_that_is_not_there_or_not_below_the_root_is_refused(tree: Path, pattern: str, why: str) -> None:
    with pytest.raises(IntegrityError, match=why):
        prints.take(tree, [pattern])


def test_a_link_is_followed_and_its_target_recorded(tree: Path) -> None:
    (tree / "link.py").symlink_to("train.py")
    found = prints.take(tree, ["link.py"])
    assert found.files["link.py"] == prints.take(tree, ["train.py"]).files["train.py"]
    assert found.links == {"link.py": "train.py"}


def test_a_link_out_of_the_root_is_refused(tree: Path, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("x")
    (tree / "link.py").symlink_to(tmp_path / "secret")
    with pytest.raises(IntegrityError, match=r"link.py: is a link that leads out of the root"):
        prints.take(tree, ["link.py"])


def test_a_folder_behind_a_link_is_declared_too_and_a_circle_is_refused(tree: Path) -> None:
    (tree / "more").symlink_to("skills")
    found = prints.take(tree, ["more"])
    assert (list(found.files), found.links) == (["more/a/SKILL.md", "more/b.md"], {"more": "skills"})
    (tree / "skills" / "round").symlink_to("..")
    with pytest.raises(IntegrityError, match="a folder that it lies in"):
        prints.take(tree, ["."])


def test_a_link_that_leads_nowhere_or_to_itself_is_refused(tree: Path) -> None:
    (tree / "gone.py").symlink_to("nowhere.py")
    with pytest.raises(IntegrityError, match="leads nowhere"):
        prints.take(tree, ["gone.py"])
    (tree / "self.py").symlink_to("self.py")
    with pytest.raises(IntegrityError, match=r"self.py: "):
        prints.take(tree, ["self.py"])


def test_a_pipe_is_no_file_and_nobody_waits_for_it(tree: Path) -> None:
    os.mkfifo(tree / "pipe")
    with pytest.raises(IntegrityError, match="no plain file"):
        prints.take(tree, ["pipe"])


def test_a_file_that_changes_while_it_is_read_is_refused(tree: Path) -> None:
    def grow(_: str, __: bytes) -> None:
        with (tree / "train.py").open("a") as out:
            out.write("x")

    with pytest.raises(IntegrityError, match="changes while it is read"):
        prints.take(tree, ["train.py"], grow)


def test_the_sink_is_handed_the_bytes_that_were_hashed(tree: Path) -> None:
    got = bytearray()
    found = prints.take(tree, ["train.py"], lambda _, chunk: got.extend(chunk))
    assert hashlib.sha256(got).hexdigest() == found.files["train.py"]


# --- snapshots -------------------------------------------------------------------------------------------------------


def test_a_snapshot_comes_back_the_same_from_its_file(tree: Path, tmp_path: Path) -> None:
    ask = {"path": "skills/a/SKILL.md", "text": "Ask the user before deleting.", "reason": "a night's work was lost"}
    taken = integrity.snapshot(tree, editable=["train.py", "skills"], frozen="prepare.py", protected=[ask])
    sha = taken.save(tmp_path / "start.json")
    assert integrity.load(tmp_path / "start.json", sha=sha) == taken
    assert taken.config == {"SCALAR_LR": 0.5, "DEPTH": 8}
    assert str(tmp_path) not in (tmp_path / "start.json").read_text()
    assert {v.level for v in integrity.check(taken)} == {Level.PASS}


def test_a_snapshot_that_was_edited_or_is_another_is_refused(tree: Path, tmp_path: Path) -> None:
    file = tmp_path / "start.json"
    integrity.snapshot(tree, editable="train.py").save(file)
    with pytest.raises(IntegrityError, match="another snapshot"):
        integrity.load(file, sha="0" * 64)
    body = json.loads(file.read_text())
    body["config"]["SCALAR_LR"] = 0.3
    file.write_text(json.dumps(body))
    with pytest.raises(IntegrityError, match="was changed since it was saved"):
        integrity.load(file)


@given(
    st.binary(max_size=60)
    | st.recursive(
        st.none() | st.integers(), lambda x: st.dictionaries(st.sampled_from(["v", "kind", "files", "root"]), x)
    ).map(lambda x: json.dumps(x).encode())
)
def test_whatever_a_file_holds_it_is_a_snapshot_or_refused(data: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "s.json"
        file.write_bytes(data)
        with pytest.raises(IntegrityError):
            integrity.load(file)


def test_nothing_declared_is_refused(tree: Path) -> None:
    with pytest.raises(IntegrityError, match="no file is declared"):
        integrity.snapshot(tree)


def test_a_file_is_editable_or_frozen_and_where_it_is_named_in_full_counts(tree: Path) -> None:
    assert integrity.snapshot(tree, editable="train.py", frozen="*.py").held == {"prepare.py"}
    with pytest.raises(IntegrityError, match=r"declared editable and frozen"):
        integrity.snapshot(tree, editable="train*", frozen="*.py")


def test_a_protected_passage_without_a_reason_or_a_place_is_refused(tree: Path) -> None:
    for one, why in (
        ({"path": "skills/b.md", "text": "It sorts."}, "needs its reason"),
        ({"path": "skills/b.md", "text": "It sings.", "reason": "x"}, "does not hold the protected passage"),
        ({"path": "no.md", "text": "x", "reason": "x"}, "is not declared"),
    ):
        with pytest.raises(IntegrityError, match=why):
            integrity.snapshot(tree, editable="skills", protected=[one])


# --- checks ----------------------------------------------------------------------------------------------------------


def test_a_frozen_file_never_changes_and_the_sentence_names_the_constant(tree: Path) -> None:
    start = integrity.snapshot(tree, editable="train.py", frozen="prepare.py")
    (tree / "prepare.py").write_text("BUDGET = 3000\n")
    found = integrity.check(start, edited=True)
    assert level(found, "frozen") is Level.FAIL
    assert found[0].reason.startswith("prepare.py changed (BUDGET: was 300, is 3000). It may never change")


def test_an_editable_file_may_change_between_trials_and_not_within_one(tree: Path) -> None:
    start = integrity.snapshot(tree, editable="train.py", frozen="prepare.py")
    (tree / "train.py").write_text("SCALAR_LR = 0.3\nDEPTH = 8\n")
    assert level(integrity.check(start), "editable") is Level.FAIL
    assert level(integrity.check(start, edited=True), "editable") is Level.PASS


def test_a_file_that_appears_or_goes_is_a_change(tree: Path) -> None:
    start = integrity.snapshot(tree, frozen="skills")
    (tree / "skills" / "c.md").write_text("x")
    assert "skills/c.md appeared" in integrity.check(start)[0].reason
    (tree / "skills" / "c.md").unlink()
    (tree / "skills" / "b.md").unlink()
    assert "skills/b.md is gone" in integrity.check(start)[0].reason


def test_a_link_that_leads_elsewhere_is_a_change_though_the_bytes_are_the_same(tree: Path) -> None:
    (tree / "other.py").write_bytes((tree / "train.py").read_bytes())
    (tree / "link.py").symlink_to("train.py")
    start = integrity.snapshot(tree, frozen="link.py")
    (tree / "link.py").unlink()
    (tree / "link.py").symlink_to("other.py")
    assert level(integrity.check(start), "frozen") is Level.FAIL


def test_a_declared_file_that_went_fails_the_check(tree: Path) -> None:
    start = integrity.snapshot(tree, frozen="prepare.py")
    (tree / "prepare.py").unlink()
    found = integrity.check(start)
    assert (found[0].level, "prepare.py" in found[0].reason) == (Level.FAIL, True)


def test_a_lost_confirmation_in_an_editable_skill_needs_a_person(tree: Path) -> None:
    start = integrity.snapshot(tree, editable="skills")
    (tree / "skills" / "a" / "SKILL.md").write_text("Delete what is old.\n")
    found = integrity.check(start, edited=True)
    assert level(found, "protected") is Level.FAIL
    said = next(v.reason for v in found if v.rule == "protected")
    assert said.startswith("skills/a/SKILL.md:1: “Ask the user before deleting.” is gone. A person must agree")


def test_a_declared_passage_says_why_it_is_protected_when_it_goes(tree: Path) -> None:
    ask = {"path": "skills/b.md", "lines": (1, 1), "reason": "two tools parse it"}
    start = integrity.snapshot(tree, editable="skills", protected=[ask])
    (tree / "skills" / "b.md").write_text("It orders.\n")
    assert "was protected because two tools parse it" in integrity.check(start, edited=True)[-1].reason


@pytest.mark.parametrize(
    ("effective", "level_", "said"),
    [
        ({"SCALAR_LR": 0.5, "DEPTH": 8}, Level.PASS, "2 knobs ran as proposed"),
        ({"SCALAR_LR": 0.3, "DEPTH": 8}, Level.FAIL, "SCALAR_LR: proposed 0.5, ran 0.3. Find what rewrites it"),
        ({"SCALAR_LR": "0.5", "DEPTH": 8}, Level.FAIL, 'SCALAR_LR: proposed 0.5, ran "0.5"'),
        ({"SCALAR_LR": 0.5, "DEPTH": 8.0}, Level.PASS, "2 knobs"),
        ({"SCALAR_LR": 0.5, "DEPTH": True}, Level.FAIL, "DEPTH: proposed 8, ran true"),
        ({"SCALAR_LR": 0.5}, Level.UNKNOWN, "DEPTH: proposed, and the report does not say"),
        (None, Level.UNKNOWN, "SCALAR_LR=0.5; DEPTH=8: nobody reported what ran"),
        ("no/such/file", Level.UNKNOWN, "did not report"),
    ],
)
def test_what_ran_is_held_against_what_was_proposed_and_silence_is_no_pass(
    tree: Path, effective: object, level_: Level, said: str
) -> None:
    start = integrity.snapshot(tree, editable="train.py")
    verdict = integrity.check(start, effective=effective)[-1]  # type: ignore[arg-type]  # a case of the table
    assert (verdict.rule, verdict.level) == ("effective", level_)
    assert said in verdict.reason


# --- compare and swap ------------------------------------------------------------------------------------------------


def test_a_swap_replaces_what_was_expected_and_keeps_the_mode(tree: Path) -> None:
    file = tree / "train.py"
    file.chmod(0o750)
    sha = integrity.swap(file, prints.sha256(file.read_bytes()), b"new")
    assert (file.read_bytes(), sha) == (b"new", hashlib.sha256(b"new").hexdigest())
    assert stat.S_IMODE(file.stat().st_mode) == 0o750


def test_a_swap_of_something_else_writes_nothing(tree: Path) -> None:
    file = tree / "train.py"
    before, old = file.read_bytes(), prints.sha256(file.read_bytes())
    with pytest.raises(CASConflict, match="Nothing was written"):
        integrity.swap(file, prints.sha256(b"stale"), b"new")
    with pytest.raises(CASConflict, match="not absent"):
        integrity.swap(file, None, b"new")
    assert file.read_bytes() == before
    assert prints.sha256(before) == old
    assert [p.name for p in tree.iterdir() if "swap-" in p.name] == [".train.py.swap-lock"]


def test_a_swap_may_create_and_never_twice(tree: Path) -> None:
    integrity.swap(tree / "new.py", None, b"a")
    with pytest.raises(CASConflict):
        integrity.swap(tree / "new.py", None, b"b")
    assert (tree / "new.py").read_bytes() == b"a"


def test_a_swap_follows_a_link_and_leaves_it_a_link(tree: Path) -> None:
    (tree / "link.py").symlink_to("train.py")
    integrity.swap(tree / "link.py", prints.sha256((tree / "train.py").read_bytes()), b"new")
    assert (tree / "link.py").is_symlink()
    assert (tree / "train.py").read_bytes() == b"new"


def test_a_writer_without_the_lock_between_the_two_looks_is_seen(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tree / "train.py"
    old = prints.sha256(file.read_bytes())
    real = replace.place

    def slow(target: Path, data: bytes, before: object = None) -> None:
        file.write_bytes(b"somebody else")
        real(target, data, before)

    monkeypatch.setattr(replace, "place", slow)
    with pytest.raises(CASConflict):
        integrity.swap(file, old, b"new")
    assert file.read_bytes() == b"somebody else"


def test_a_writer_right_after_the_rename_is_seen(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tree / "train.py"
    real = replace.place

    def undone(target: Path, data: bytes, before: object = None) -> None:
        real(target, data, before)
        file.write_bytes(b"linted")

    monkeypatch.setattr(replace, "place", undone)
    with pytest.raises(CASConflict, match="at once changed by somebody else"):
        integrity.swap(file, prints.sha256(file.read_bytes()), b"new")


def test_of_many_swappers_with_one_expectation_one_wins(tree: Path) -> None:
    file, won = tree / "train.py", []
    old = prints.sha256(file.read_bytes())
    start = threading.Barrier(8)

    def one(n: int) -> None:
        start.wait()
        with contextlib.suppress(CASConflict):
            won.append(integrity.swap(file, old, b"%d" % n))

    threads = [threading.Thread(target=one, args=(n,)) for n in range(8)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert won == [prints.sha256(file.read_bytes())]


def test_what_is_no_hash_is_refused_before_anything_is_looked_at(tree: Path) -> None:
    with pytest.raises(IntegrityError, match="no SHA-256"):
        integrity.swap(tree / "train.py", "abc", b"new")
