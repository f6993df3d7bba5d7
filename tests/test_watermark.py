"""A file is behind its sidecar, or it is not; a sidecar that cannot say is no sidecar that may be ignored."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from campaign import lines, mark

from trajscope import watermark
from trajscope.errors import HistoryError
from trajscope.lines import Lines
from trajscope.watermark import Mark

WHOLE = lines([{"changes": {"a": 2}}, {"changes": {"a": 3}}])


def test_the_sidecar_stands_beside_the_run_under_its_name() -> None:
    assert watermark.sidecar("x/night.jsonl") == Path("x/night.coverage.json")
    assert watermark.sidecar("x/results.tsv") == Path("x/results.tsv.coverage.json")


def test_a_run_without_a_sidecar_has_no_mark(tmp_path: Path) -> None:
    assert watermark.read(tmp_path / "run.jsonl") is None


def test_a_mark_knows_its_line_again_with_any_line_end(tmp_path: Path) -> None:
    run = tmp_path / "run.jsonl"
    mark(run, WHOLE)
    found = watermark.read(run)
    assert found is not None
    line = Lines().feed(b"".join(WHOLE))[-1]
    assert found.fault(line) is None
    wide = Lines().feed(b"".join(WHOLE).replace(b"\n", b"\r\n"))[-1]
    assert found._replace(offset=found.offset + len(WHOLE)).fault(wide) is None
    assert "rewritten" in str(found.fault(line._replace(data=line.data.replace(b"reverted", b"REVERTED"))))
    assert "rewritten" in str(found._replace(offset=found.offset + 2).fault(line))


def test_a_shorter_file_is_behind_and_a_longer_one_is_not() -> None:
    found = Mark(3, 100, "0" * 16)
    assert found.behind(100) is None
    assert "has 99 bytes, and its sidecar saw 100 (line 4): it was cut off" in str(found.behind(99))


FINE = {"seq": 1, "offset": 900, "line": "0" * 16}
ODD: list[dict[str, object]] = [
    {},
    {"seq": 1, "offset": 900},
    FINE | {"seq": "1"},
    FINE | {"seq": -1},
    FINE | {"seq": None},
    FINE | {"seq": True},
    FINE | {"offset": 0},
    FINE | {"offset": 9.5},
    FINE | {"line": "xyz"},
    FINE | {"line": "A" * 16},
]


@pytest.mark.parametrize("said", ["", "{", "[]", "5", *map(json.dumps, ODD)])
def test_a_sidecar_that_does_not_say_how_far_the_run_had_come_is_refused(said: str, tmp_path: Path) -> None:
    (tmp_path / "run.coverage.json").write_text(said, "utf-8")
    with pytest.raises(HistoryError, match=r"run\.coverage\.json: .*delete the sidecar"):
        watermark.read(tmp_path / "run.jsonl")


def test_a_sidecar_that_cannot_be_opened_is_refused(tmp_path: Path) -> None:
    (tmp_path / "run.coverage.json").mkdir()
    with pytest.raises(HistoryError, match="cannot be read"):
        watermark.read(tmp_path / "run.jsonl")
