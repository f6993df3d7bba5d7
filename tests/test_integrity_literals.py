"""The constants of a Python file, held against what Python itself makes of it.

Planted and seen to fail: the first binding counted instead of the last; a conditional binding taken for certain; a name
that a function rebinds; a power without a bound.
"""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trajscope.integrity import constants


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("LR = 0.5", {"LR": 0.5}),
        ("BATCH = 2**19", {"BATCH": 524288}),
        ("N = 40 * 524288", {"N": 20971520}),
        ("BETAS = (0.8, 0.95)", {"BETAS": [0.8, 0.95]}),
        ("WINDOW = 'SSSL'; ON = True; OFF = None", {"WINDOW": "SSSL", "ON": True, "OFF": None}),
        ("LR: float = -1e-3", {"LR": -0.001}),
        ("A = B = 3", {"A": 3, "B": 3}),
        ("A = 2\nB = A * 3", {"A": 2, "B": 6}),
        ("A = 1\nA = 2", {"A": 2}),
        ("A = {'x': [1, 2]}", {"A": {"x": [1, 2]}}),
        ("A = 1\nif x: A = 2", {}),
        ("if x: A = 2\nA = 1", {"A": 1}),
        ("A = 1\nfor A in y: pass", {}),
        ("A = 1\nA += 1", {}),
        ("A = 1\ndel A", {}),
        ("A = 1\nfrom x import A", {}),
        ("A = 1\nfrom x import *\nB = 2", {"B": 2}),
        ("A = 1\ndef f():\n  global A\n  A = 2", {}),
        ("A = 1\ndef f():\n  A = 2", {"A": 1}),
        ("A = 1\nx = [A for A in y]", {"A": 1}),
        ("A = 1\nx = [(A := n) for n in y]", {}),
        ("A = 1\nwith y as A: pass", {}),
        ("A = 1\ntry: pass\nexcept E as A: pass", {}),
        ("A = 1\nclass A: pass", {}),
        ("A = 1\nmatch y:\n  case A: pass", {}),
        ("A = f()", {}),
        ("A = 1\nA = f()", {}),
        ("A = f()\nA = 1", {"A": 1}),
        ("A = 9**9**9**9", {}),
        ("A = 1 << 10**9", {}),
        ("A = 'x' * 10**9", {}),
        ("A = 1 / 0", {}),
        ("A = 'x' + 'y'", {}),
        ("__all__ = ['A']", {}),
        ("this is no python", {}),
        ("A = 1\x00", {}),
        ("", {}),
    ],
)
def test_these_constants_are_certain(source: str, found: dict[str, object]) -> None:
    assert constants(source) == found


values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-99, 99)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=2), inner, max_size=2),
    max_leaves=5,
)


@given(st.lists(st.tuples(st.sampled_from("ABC"), values), max_size=5))
def test_what_python_would_bind_is_what_is_read(lines: list[tuple[str, object]]) -> None:
    source = "\n".join(f"{name} = {value!r}" for name, value in lines)
    there: dict[str, object] = {}
    exec(source, {}, there)  # noqa: S102  # reprs of plain values
    assert constants(source) == there


@given(
    st.recursive(
        st.integers(0, 9).map(str),
        lambda x: st.builds("({} {} {})".format, x, st.sampled_from(["+", "-", "*", "//", "%", "/"]), x),
        max_leaves=6,
    )
)
def test_arithmetic_is_pythons(text: str) -> None:
    try:
        there = eval(text)  # noqa: S307  # digits and operators
    except ZeroDivisionError:
        assert constants(f"A = {text}") == {}
    else:
        assert constants(f"A = {text}") == {"A": there}


@given(st.text(max_size=40))
def test_no_text_is_too_strange_to_read(text: str) -> None:
    assert isinstance(constants(text), dict)


@pytest.mark.parametrize(
    "source",
    [
        "LR = 1\ndef f():\n    global LR\n    LR = 2\n",
        b"# coding: utf-7\nLR = 1\ndef f():\n    +AGcAbABvAGIAYQBs- LR\n    LR = 2\n",
    ],
)
def test_a_name_that_a_function_may_rebind_is_uncertain_in_whatever_encoding_it_says_so(source: str | bytes) -> None:
    assert "LR" not in constants(source)
