"""The reader of docs/readers.md: run as it stands there, held to the contract that the page asks of every reader.

Planted and seen to fail: the example without its `Unreadable`, and one that takes `none` for 0.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from trajscope import readers
from trajscope.analysis import of_file
from trajscope.readers import Source, find
from trajscope.testing import ReaderContract

PAGE = Path(__file__).resolve().parents[1] / "docs" / "readers.md"
DIARY = b"run 1: lr=0.1 -> loss 0.93, kept\nrun 2: lr=0.2 -> loss 0.95, reverted\nrun 3: lr=9 -> loss none, crashed\n"
MOST = 30


def code() -> str:
    """The example of the page."""
    (found,) = [c for c in re.findall(r"```python\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL) if "class Diary" in c]
    return str(found)


@pytest.fixture(scope="module")
def diary() -> Any:
    """The class of the example, in a module of its own as in a package of a stranger's."""
    module = ModuleType("diary")
    sys.modules["diary"] = module
    exec(compile(code(), "docs/readers.md", "exec"), module.__dict__)  # noqa: S102  # our own page
    yield module.Diary
    del sys.modules["diary"]


def test_a_reader_takes_thirty_lines() -> None:
    lines = [x for x in code().splitlines() if x.strip()]
    assert len(lines) <= MOST


@pytest.mark.parametrize("name", [n for n in dir(ReaderContract) if n.startswith("test_")])
def test_it_keeps_the_contract(diary: Any, name: str) -> None:
    held = type("TestDiary", (ReaderContract,), {"reader": diary, "sample": DIARY})()
    getattr(held, name)()


def test_it_is_analysed_like_any_other(diary: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Point:
        """An entry point that is loaded already."""

        def load(self) -> Any:
            return diary

    monkeypatch.setattr(readers, "_strangers", lambda: {"diary": Point()})
    path = tmp_path / "night.txt"
    path.write_bytes(DIARY)
    assert find(path, DIARY) is diary
    (doc,) = of_file(Source(str(path)))
    assert (doc["format"], doc["trials"], doc["best"]["value"], doc["status"]["crashed"]) == ("diary", 3, 0.93, 1)
