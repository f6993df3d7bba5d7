"""The page about domains runs as it stands, and a scaffold is a whole domain, declared, measured and gated.

Planted and seen to fail: a printed figure changed in the page, a file of the scaffold misspelt, a folder written over.
"""

from __future__ import annotations

import contextlib
import io
import re
from pathlib import Path
from typing import Any

import pytest

from trajscope import keep
from trajscope_loop import declaration, domain, scaffold
from trajscope_loop.bench import measure
from trajscope_loop.errors import DomainError

PAGE = Path(__file__).resolve().parents[1] / "docs" / "domains.md"


def test_the_page_prints_what_it_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"```python\n(.*?)```\n(?:\n```text\n(.*?)```)?", PAGE.read_text("utf-8"), re.DOTALL)
    assert len(blocks) >= 4
    names: dict[str, Any] = {"__name__": "page"}
    for code, said in blocks:
        out = io.StringIO()
        with contextlib.redirect_stdout(out):
            exec(compile(code, "domains.md", "exec"), names)  # noqa: S102  # our own page
        assert out.getvalue() == said


def test_every_key_of_a_declaration_is_on_the_page() -> None:
    page = PAGE.read_text("utf-8")
    keys = [*declaration._TOP, *declaration._RUN, *declaration._EDITS]
    assert [key for key in keys if not re.search(rf"`\[*{key}\]*`", page)] == []


@pytest.mark.parametrize("like", [None, "perturbation"])
def test_a_new_domain_is_whole_and_its_gate_could_refuse(like: str | None, tmp_path: Path) -> None:
    scaffold.new("mine", tmp_path / "mine", like)
    found, folder = domain.load(tmp_path / "mine"), tmp_path / "campaign"
    assert found.name == "mine"
    start = found.workspace(folder).standing()
    results = [measure(found.job(folder, start, found.base, seed, str(seed))) for seed in range(5)]
    assert [r["error"] for r in results] == [None] * 5
    assert len({r["metrics"][found.metric["name"]] for r in results}) == 5
    assert found.gate.holdout is not None
    gate = keep.Gate(found.gate)
    seeds = [{k: r[k] for k in ("seed", "status", "metrics", "first_step")} for r in map(dict, results)]
    hidden = [{"seed": r["seed"], "status": "ok", "metrics": r["holdout"]} for r in results]
    hashes = found.hashes(folder)
    # It is an error here where a declared guard lets a predictor pass that ignores its input.
    gate.start(
        baseline=seeds, degenerates=found.degenerates(folder), config=dict(found.base), hashes=hashes, holdout=hidden
    )


@pytest.mark.parametrize(
    ("name", "like", "why"),
    [
        ("Mine!", None, "'Mine!' is no name for a domain"),
        ("mine", "pertubation", r"there is no domain pertubation; did you mean perturbation\?"),
    ],
)
def test_what_cannot_be_made_is_refused(name: str, like: str | None, why: str, tmp_path: Path) -> None:
    with pytest.raises(DomainError, match=why):
        scaffold.new(name, tmp_path / "x", like)
    assert not (tmp_path / "x").exists()


def test_nothing_is_written_over(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("hours of work")
    with pytest.raises(DomainError, match="is not empty; name a new folder"):
        scaffold.new("mine", tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["mine.txt"]
