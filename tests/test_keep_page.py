"""The page on the keep gate: its blocks run in their order, print what stands under them, and name what there is."""

from __future__ import annotations

import contextlib
import io
import re
from pathlib import Path
from typing import Any, get_args

from trajscope import keep
from trajscope.keep import speed
from trajscope.keep.settings import Part

PAGE = (Path(__file__).resolve().parents[1] / "docs" / "keep.md").read_text("utf-8")


def test_every_block_of_the_page_prints_what_stands_under_it() -> None:
    names: dict[str, Any] = {}
    blocks = re.findall(r"```python\n(.*?)```(?:\n\n```\n(.*?)```)?", PAGE, re.DOTALL)
    assert len(blocks) == 6
    for code, printed in blocks:
        out = io.StringIO()
        with contextlib.redirect_stdout(out):
            exec(compile(code, "docs/keep.md", "exec"), names)  # noqa: S102  # our own text
        assert out.getvalue() == printed


def test_everything_public_stands_on_the_page() -> None:
    assert [name for name in keep.__all__ if name not in PAGE] == []
    assert [part for part in get_args(Part) if f"`{part}`" not in PAGE] == []


def test_the_numbers_on_the_page_are_the_defaults() -> None:
    plain = keep.declared({"primary": {"name": "x", "goal": "minimize", "within": [0, 1]}, "without": GONE})
    assert (plain.alpha, plain.confirm_alpha, plain.n, plain.min_effect) == (0.005, 0.05, 5, 0.0)
    assert keep.Holdout("h", "minimize", (0, 1), "rank").budget == 50
    assert (speed.RANKED, speed.FEW, speed.CAP, speed.FIRST_KEEPS, speed.STAIRCASE) == (19, 5, 1.5, 5, 6)


GONE = dict.fromkeys(("guards", "margins", "holdout"), "only the defaults are asked")
