"""What a command printed is read as its metrics: what was said last, once, and as a finite number.

Planted and seen to fail: the first line with a brace instead of the last, the first line of dashes, a progress line
with all that it overwrote, a name that is there twice.
"""

from __future__ import annotations

import pytest

from trajscope_loop.printed import read


def test_of_json_the_last_line_with_a_brace_counts() -> None:
    text = '{"loss": 9.0}\nsome words\n{"loss": 0.5, "depth": {"loss": 7}}\ndone {"loss": 3}\n'
    assert read(text, "json", ["loss"]) == {"loss": 0.5}


def test_of_lines_what_stands_below_the_last_dashes_counts() -> None:
    text = "loss: 9.0\n---\nloss: 8.0\n-----\nstep 3 of 3\nloss: 0.5\nmem_gb = 11\n"
    assert read(text, "lines", ["loss", "mem_gb"]) == {"loss": 0.5, "mem_gb": 11.0}


def test_of_a_progress_line_what_was_shown_last_counts() -> None:
    assert read("---\nloss: 9.0\rloss: 0.5\r\n", "lines", ["loss"]) == {"loss": 0.5}


def test_a_pattern_is_looked_for_in_every_line() -> None:
    assert read("a\nfinal val loss = 0.25 (best)\n", "pattern", ["loss"], {"loss": r"^final val loss = (\S+)"}) == {
        "loss": 0.25
    }


@pytest.mark.parametrize(
    ("form", "text", "why"),
    [
        ("json", "loss 0.5\n", "no line that begins with {"),
        ("json", '{"loss": 0.5\n', "is no JSON"),
        ("json", '{"loss": 1.0, "loss": 0.5}\n', "2 times"),
        ("json", '{"loss": "0.5"}\n', "print a number"),
        ("json", '{"loss": true}\n', "which is no number"),
        ("json", '{"mse": 1}\n', "it printed no loss"),
        ("lines", "loss: 0.5\n", "it printed no line ---"),
        ("lines", "---\nloss: 0.5\nloss: 0.4\n", "2 times"),
        ("lines", "---\nloss: low\n", "which is no number"),
        ("lines", "---\nthe loss: 0.5\n", "it printed no loss"),
    ],
)
def test_what_is_not_certain_is_no_metric(form: str, text: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        read(text, form, ["loss"])


def test_a_number_without_end_is_no_metric() -> None:
    with pytest.raises(FloatingPointError, match="no finite number"):
        read('{"loss": NaN}\n', "json", ["loss"])
