"""What other people's programs call, held to what the command line prints."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from clirun import AMNESIAC, SAMPLES, Cli

import trajscope
from trajscope.errors import SourceError


def test_every_public_name_is_there_and_no_other() -> None:
    assert all(hasattr(trajscope, name) for name in trajscope.__all__)
    with pytest.raises(AttributeError, match="has no attribute 'analyse'; it has Asked"):
        trajscope.analyse  # noqa: B018  # that is the point


def test_analyze_answers_with_what_the_command_prints(tmp_path: Path) -> None:
    printed = json.loads(Cli(tmp_path)("analyze", AMNESIAC, "--json").stdout)
    (doc,) = trajscope.analyze(AMNESIAC)
    assert json.loads(json.dumps(doc)) == printed


def test_a_menu_beside_the_file_is_found_and_one_that_is_given_wins(tmp_path: Path) -> None:
    assert trajscope.analyze(AMNESIAC)[0]["coverage"]["knobs_total"] == 13
    (tmp_path / "menu.json").write_text('{"knobs": {"d_model": {"type": "int", "range": [1, 4096]}}}')
    given = trajscope.load_menu(tmp_path / "menu.json")
    assert trajscope.analyze(AMNESIAC, menu=given)[0]["coverage"]["knobs_total"] == 1


def test_read_yields_the_items_of_a_file_in_order() -> None:
    items = list(trajscope.read(AMNESIAC))
    assert isinstance(items[0], trajscope.Header)
    assert [i.iter for i in items if isinstance(i, trajscope.Trial)] == list(range(1, 51))


def test_sql_sees_all_runs_at_once() -> None:
    higher = SAMPLES / "higher" / "higher.jsonl"
    frame = trajscope.sql("SELECT run_id, trials FROM runs ORDER BY trials", AMNESIAC, higher)
    assert frame.rows() == [("higher-20260302", 12), ("amnesiac", 50)]


def test_what_cannot_be_read_raises_the_error_that_the_command_prints() -> None:
    with pytest.raises(SourceError, match="cannot be read"):
        trajscope.analyze("nowhere.jsonl")
