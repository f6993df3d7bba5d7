"""The plain-folder workspace: saved against what was recorded, kept once, restored whatever somebody did to it.

Planted and seen to fail: the folder taken for the incumbent, a stray file left standing, a link written through, a
recorded tree believed without its hash, the first file of a save left there when the second could not be put.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from trajscope import TrajscopeError
from trajscope_loop.errors import DomainError
from trajscope_loop.tree import Folder, plant

START = plant({"train.py": b"LR = 1\n", "lib/model.py": b"x\n"})
NEXT = plant({"train.py": b"LR = 2\n", "lib/model.py": b"x\n", "lib/new.py": b"y\n"})


def standing(folder: Folder) -> dict[str, bytes]:
    """Everything that stands in the workspace, but for what swapping leaves."""
    files = (p for p in folder.root.rglob("*") if (p.is_file() or p.is_symlink()) and ".swap" not in p.name)
    return {p.relative_to(folder.root).as_posix(): p.read_bytes() for p in files}


def test_a_workspace_begins_with_what_it_is_given_and_goes_on_with_what_was_kept(tmp_path: Path) -> None:
    first = Folder(tmp_path, START)
    assert standing(first) == START.files
    first.save(NEXT, START.sha)
    assert first.keep(NEXT, "lr 2") == NEXT.sha == first.keep(NEXT, "lr 2")
    again = Folder(tmp_path, START)
    assert again.standing() == NEXT
    assert again.recorded(START.sha) == START


def test_a_candidate_that_was_not_kept_is_gone_after_restoring(tmp_path: Path) -> None:
    folder = Folder(tmp_path, START)
    folder.save(NEXT, START.sha)
    assert standing(folder) == NEXT.files
    folder.restore()
    assert standing(folder) == START.files


def test_nothing_is_saved_where_one_file_moved(tmp_path: Path) -> None:
    folder = Folder(tmp_path, START)
    (folder.root / "lib/model.py").write_bytes(b"rewritten by a linter\n")
    with pytest.raises(DomainError, match=r"lib/model.py: is not what was recorded; somebody wrote there"):
        folder.save(NEXT, START.sha)
    assert (folder.root / "train.py").read_bytes() == b"LR = 1\n"
    assert not (folder.root / "lib/new.py").exists()


def test_a_save_that_fails_midway_leaves_nothing_of_the_candidate(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = Folder(tmp_path, START)
    whole = folder._put
    seen: list[str] = []

    def put(name: str, old: bytes | None, new: bytes | None) -> None:
        seen.append(name)
        if len(seen) == 2:
            raise DomainError("the disk is full")
        whole(name, old, new)

    monkeypatch.setattr(folder, "_put", put)
    with pytest.raises(DomainError, match="the disk is full"):
        folder.save(NEXT, START.sha)
    assert standing(folder) == START.files


def test_a_recorded_tree_that_was_changed_is_not_believed(tmp_path: Path) -> None:
    folder = Folder(tmp_path, START)
    (tmp_path / "trees" / START.sha / "train.py").write_bytes(b"LR = 0.3\n")
    with pytest.raises(DomainError, match="is not what was recorded"):
        folder.restore()


def test_a_link_in_the_workspace_is_not_written_through(tmp_path: Path) -> None:
    folder = Folder(tmp_path, START)
    outside = tmp_path / "outside.py"
    outside.write_bytes(b"LR = 1\n")
    (folder.root / "train.py").unlink()
    (folder.root / "train.py").symlink_to(outside)
    with pytest.raises(DomainError, match=r"train.py: is not what was recorded"):
        folder.save(NEXT, START.sha)
    folder.restore()
    assert not (folder.root / "train.py").is_symlink()
    assert standing(folder) == START.files
    assert outside.read_bytes() == b"LR = 1\n"


@pytest.mark.parametrize("name", ["/etc/x", "../x", "a/../../x", "a\\b", ""])
def test_a_path_out_of_the_workspace_is_refused(name: str) -> None:
    with pytest.raises(DomainError, match="is no path below the workspace"):
        plant({name: b""})


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["write", "remove", "folder", "link", "save", "keep"]),
            st.sampled_from(["train.py", "lib/model.py", "lib", "stray.py", "deep/er.py", "train.py/x"]),
        ),
        max_size=8,
    )
)
def test_whatever_is_done_to_it_restoring_brings_back_the_last_keep(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, str]]
) -> None:
    folder = Folder(tmp_path_factory.mktemp("ws"), START)
    last = START
    for what, name in steps:
        place = folder.root / name
        try:
            if what == "write":
                place.parent.mkdir(parents=True, exist_ok=True)
                place.write_bytes(b"stray")
            elif what == "remove":
                place.unlink()
            elif what == "folder":
                place.unlink(missing_ok=True)
                place.mkdir(parents=True)
            elif what == "link":
                place.symlink_to(folder.root.parent)
            elif what == "save":
                folder.save(NEXT, last.sha)
            else:
                folder.keep(NEXT, "kept")
                last = NEXT
        except (OSError, TrajscopeError):
            continue
    folder.restore()
    assert standing(folder) == last.files
    assert folder.standing() == last
