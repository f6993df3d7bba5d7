"""One knob, spelt by code, by a text and by a configuration.

Faults planted here and seen to fail: names taken as they come, a recorded name spelt otherwise, two constants of code
that differ in their capitals taken for one.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from tablerows import read, trials, tsv
from test_recover_repo import Git

from trajscope.menu import parse
from trajscope.pair import canon, pair
from trajscope.recover import Found, Spellings

WAYS = st.sampled_from(["diff", "text", "native", "config"])
SPELT = st.sampled_from(["a", "A", "b-c", "B_c"])


def found(way: str, *knobs: str) -> Found:
    """A pair that was recovered this way."""
    return Found(pair(canon(k, 1) for k in knobs), way, 0.9)


def labels(data: bytes, **said: Any) -> list[str]:
    """The pairs of a table."""
    return [t.pair.label if t.pair else "-" for t in trials(read(data, **said))]


def test_a_text_and_a_commit_of_one_run_name_one_knob(tmp_path: Path) -> None:
    git = Git(tmp_path / "repo")
    commits = []
    for depth in (8, 9, 10):
        (git.path / "train.py").write_text(f"BLOCK_DEPTH = {depth}\n", "utf-8")
        git("add", "-A")
        git("commit", "-q", "-m", "x")
        commits.append(git("rev-parse", "HEAD"))
    data = tsv(
        (commits[1], "1.0", "1", "keep", "one block more"),
        ("0" * 40, "1.1", "1", "discard", "block-depth 9 -> 10"),
        (commits[2], "1.1", "1", "discard", "another block"),
    )
    assert labels(data, repo=str(git.path)) == ["BLOCK_DEPTH=9", "BLOCK_DEPTH=10", "BLOCK_DEPTH=10"]


def test_a_recorded_pair_keeps_its_name_and_a_text_takes_it() -> None:
    data = tsv(
        ("1", "1.0", "keep", "MatrixLR", "0.1", ""),
        ("2", "1.1", "discard", "", "", "matrixlr 0.1 -> 0.2"),
        ("3", "1.1", "discard", "matrixlr", "0.2", ""),
        head=("id", "val_loss", "status", "knob", "value", "description"),
    )
    assert labels(data) == ["MatrixLR=0.1", "MatrixLR=0.2", "matrixlr=0.2"]


def test_a_configuration_goes_by_its_own_keys() -> None:
    names = Spellings()
    assert names.meet(found("text", "lr")).pair.label == "lr=1"
    for way in ("config", "column", "native", "hash"):
        assert names.meet(found(way, "LR")).pair.label == "LR=1"


def test_a_menu_decides_first() -> None:
    menu = parse({"knobs": {"Lr": {"type": "float", "range": [0, 1], "aliases": ["rate"]}}})
    names = Spellings(menu)
    names.record(["LR"])
    told = Found(pair((menu.change("Lr", 0.5),)), "text", 0.9)
    assert names.meet(told) is told


def test_what_code_tells_apart_stays_apart() -> None:
    names = Spellings()
    both = found("diff", "T", "t")
    assert names.meet(both) is both
    names = Spellings()
    names.record(["T", "t"])
    for knob in ("t", "T"):
        assert names.meet(found("diff", knob)).pair.label == f"{knob}=1"


def test_code_and_words_have_no_other_spelling() -> None:
    names = Spellings()
    names.record(["CODE:Model", "Text"])
    for own in (found("diff", "code:model"), found("text", "text", "lr")):
        assert names.meet(own) == own


@given(
    st.lists(
        st.tuples(st.sampled_from(["diff", "text", "native", "config"]), st.sampled_from(["a", "A", "b-c", "B_c"]))
    )
)
def test_no_two_recovered_pairs_differ_by_their_spelling_alone(said: list[tuple[str, str]]) -> None:
    names = Spellings()
    met = [names.meet(found(way, knob)).pair.knob for way, knob in said if way in ("diff", "text")]
    assert len(set(met)) == len({k.casefold().replace("-", "_") for way, k in said if way in ("diff", "text")})
