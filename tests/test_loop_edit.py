"""Constants set in source, and diffs applied: what was asked changes, nothing else, and what is unclear is refused.

Planted and seen to fail: columns counted in letters instead of bytes, the last of two bindings set, a computed value
replaced, a moved file taken for a new one.
"""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trajscope import TrajscopeError
from trajscope.integrity import constants
from trajscope.rails import applied
from trajscope_loop.edit import set_constants
from trajscope_loop.errors import DomainError

SOURCE = (
    '# é, before everything\r\nLR = 0.02  # at the start\nWORDS: str = "ä"; STEPS = (200)\n\n\ndef f():\n\treturn LR\n'
)

values = st.one_of(
    st.none(), st.booleans(), st.integers(-(10**6), 10**6), st.floats(-1e6, 1e6), st.text(st.characters(codec="ascii"))
)


def test_a_value_is_replaced_and_every_other_byte_stays() -> None:
    found = set_constants(SOURCE.encode(), {"LR": 0.05, "STEPS": 400, "WORDS": "ö"})
    wanted = SOURCE.replace("0.02", "0.05").replace("200", "400").replace('"ä"', "'ö'")
    assert found.decode() == wanted


def test_a_mark_of_utf8_at_the_front_stays() -> None:
    assert set_constants(b"\xef\xbb\xbfLR = 1\n", {"LR": 2}) == b"\xef\xbb\xbfLR = 2\n"


def test_a_value_that_stands_is_not_spelt_anew() -> None:
    assert set_constants(b"LR = 2e-2\n", {"LR": 0.02}) == b"LR = 2e-2\n"
    assert set_constants(b"ON = 1\n", {"ON": True}) == b"ON = True\n"  # 1 and true are two values


@given(st.dictionaries(st.sampled_from(["LR", "WORDS", "STEPS"]), st.one_of(values, st.lists(values, max_size=3))))
def test_what_was_set_is_what_is_read(chosen: dict[str, object]) -> None:
    found = constants(set_constants(SOURCE.encode(), chosen))
    was = constants(SOURCE)
    assert found == {**was, **chosen}


@pytest.mark.parametrize(
    ("source", "why"),
    [
        ("WD = 1\n", r"^train.py: sets no constant LR; write `LR = ...` at its top level$"),
        ("LR = 1\nLR = 2\n", r"^train.py: binds LR more than once \(lines 1, 2\); set it once$"),
        ("LR = 1\nLR += 2\n", "more than once"),
        ("LR = 1\ndef f():\n    global LR\n", "more than once"),
        ("LR = 1\nfrom x import LR\n", "more than once"),
        ("LR = 1\ndef f(LR): pass\n", "more than once"),
        ("LR = 2**19\n", r"^train.py:1: LR is computed \(2 \*\* 19\); write the value itself$"),
        ("x = LR = 1\n", r"^train.py:1: LR is not set by a plain `LR = ...` at the top level$"),
        ("if 1:\n    LR = 1\n", "not set by a plain"),
        ("LR: float\n", "not set by a plain"),
        ("LR = \n", r"^train.py:1: is no Python"),
    ],
)
def test_what_cannot_be_set_surely_is_refused(source: str, why: str) -> None:
    with pytest.raises(DomainError, match=why):
        set_constants(source.encode(), {"LR": 0.5}, "train.py")


@pytest.mark.parametrize("value", [float("nan"), float("inf"), {"a": 1}, object()])
def test_a_value_that_is_none_is_refused(value: object) -> None:
    with pytest.raises(DomainError, match=r"^LR cannot be"):
        set_constants(b"LR = 1\n", {"LR": value})


DIFF = "--- a/train.py\n+++ b/train.py\n@@ -1,2 +1,2 @@\n LR = 1\n-WD = 2\n+WD = 3\n"


def test_a_diff_changes_its_file_and_leaves_the_others() -> None:
    found = applied(DIFF, {"train.py": "LR = 1\nWD = 2\n", "other.py": "x"})
    assert found == {"train.py": "LR = 1\nWD = 3\n", "other.py": "x"}


def test_a_diff_may_make_a_file_and_take_one_away() -> None:
    new = "--- /dev/null\n+++ b/new.py\n@@ -0,0 +1 @@\n+x = 1\n"
    gone = "--- a/old.py\n+++ /dev/null\n@@ -1 +0,0 @@\n-y = 1\n"
    assert applied(new + gone, {"old.py": "y = 1\n"}) == {"new.py": "x = 1\n"}


@pytest.mark.parametrize(
    ("diff", "why"),
    [
        (DIFF.replace("-WD = 2", "-WD = 9"), "does not read as the diff says"),
        (DIFF.replace("a/train.py", "a/gone.py").replace("b/train.py", "b/gone.py"), "there is no such file"),
        ("--- /dev/null\n+++ b/train.py\n@@ -0,0 +1 @@\n+x = 1\n", "says that it is new, and it exists"),
        (DIFF.replace("b/train.py", "b/moved.py"), "is moved or copied to moved.py"),
        (DIFF + DIFF, "stands twice"),
        ("nothing of the kind", "no file|no unified diff"),
    ],
)
def test_a_diff_that_does_not_fit_changes_nothing(diff: str, why: str) -> None:
    with pytest.raises(TrajscopeError, match=why):
        applied(diff, {"train.py": "LR = 1\nWD = 2\n"})
