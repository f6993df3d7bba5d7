"""Maps and repositories: how what a person says of a file's columns reaches its reader, on every verb.

Planted and seen to fail: a map beside the file that is used without a word, a flag below the settings, a repository
from the settings of a folder, a map that a reader of fixed fields ignores, a key that nobody knows let through.
"""

from __future__ import annotations

import dataclasses
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import hypothesis.strategies as st
import pytest
import typer
from hypothesis import given
from mapfield import BUILT_IN, TABLE, Tabled, read_by

import trajscope
from trajscope import maps, said, settings
from trajscope.cli.app import app
from trajscope.cli.options import source
from trajscope.errors import SettingsError, SourceError
from trajscope.layout import Layout
from trajscope.said import Asked
from trajscope.testing import samples
from trajscope.trial import STATUSES

MAP = 'metric = "other"\ngoal = "minimize"\n'


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder with a table, a user without settings, and the reader of the tests among the built-in ones."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    settings.user_file().parent.mkdir(parents=True)
    monkeypatch.setattr(Tabled, "told", [])
    folder = tmp_path / "runs"
    folder.mkdir()
    (folder / "t.tsv").write_bytes(TABLE)
    said._settings.cache_clear()
    with read_by({"tabled": BUILT_IN["tabled"]}):  # of tables the planted reader alone knows anything
        yield folder


def call(*args: object) -> int:
    """The command in this process; its exit code."""
    command = typer.main.get_command(app)
    try:
        with command.make_context("trajscope", [str(a) for a in args]) as ctx:
            command.invoke(ctx)
    except typer.Exit as e:
        return e.exit_code
    return 0


# --- the file ----------------------------------------------------------------------------------------------------

texts = st.text(max_size=6).map(lambda t: t.encode("utf-8", "replace").decode())
several = st.lists(texts, min_size=1, max_size=3).map(tuple)
layouts = st.builds(
    Layout,
    metric=st.none() | texts,
    goal=st.sampled_from([None, "minimize", "maximize"]),
    delimiter=st.sampled_from([None, "tab", "comma"]),
    header=st.none() | several,
    baseline=st.just(()) | several,
    knobs=st.just(()) | several,
    statuses=st.dictionaries(st.sampled_from(STATUSES), several, max_size=1),
)


@given(layouts)
def test_a_layout_that_is_written_as_a_map_reads_back_the_same(layout: Layout) -> None:
    assert maps.parse(tomllib.loads(maps.toml(layout)), "m") == layout


def test_a_map_survives_quotes_backslashes_and_control_characters() -> None:
    odd = Layout(metric='a "b" \\c\t\x7f\x01', statuses={"kept": ('"', "\\", "é→")}, knobs=("a.b", "[c]"))
    assert maps.parse(tomllib.loads(maps.toml(odd)), "m") == odd


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("metrik = 'a'\n", r"m.toml: metrik is no role of a column; did you mean metric\?"),
        ("zzz = 1\n", "m.toml: zzz is no role of a column; known: reader, delimiter"),
        ("metric = 3\n", r"m.toml: metric: expected str \| null, got int; mend or remove it"),
        ("goal = 'up'\n", "m.toml: goal: invalid enum value 'up'"),
        ("[statuses]\nkeept = ['a']\n", r"m.toml: statuses: keept is no status; did you mean kept\?"),
        ("[statuses]\nkept = 'a'\n", "m.toml: statuses.*: expected array, got str"),
        ("[statuses]\nkept = ['A']\nreverted = ['a']\n", "m.toml: statuses: 'a' means both kept and reverted"),
        ("[statuses\n", "m.toml: cannot be read as TOML"),
        ("a = " + "[" * 5000, "m.toml: cannot be read as TOML"),
        ("\x00", "m.toml: cannot be read as TOML"),
        ("# " + "x" * (1 << 20), "m.toml: is over 1,048,576 bytes, too long for a map"),
    ],
)
def test_a_map_that_is_wrong_is_one_line_with_the_nearest_key(here: Path, text: str, says: str) -> None:
    path = here / "m.toml"
    path.write_text(text)
    with pytest.raises(SettingsError, match=says) as told:
        maps.load(path)
    assert "\n" not in str(told.value)


def test_a_map_that_is_not_there_is_one_line(here: Path) -> None:
    with pytest.raises(SettingsError, match=r"no\.toml: cannot be read .*; name an existing map with --map"):
        maps.load(here / "no.toml")


# --- the way to the reader ---------------------------------------------------------------------------------------

VERBS: dict[str, tuple[object, ...]] = {
    "analyze": ("analyze", "FILE", "--json"),
    "trials": ("trials", "FILE"),
    "watch": ("watch", "FILE", "--once", "--json"),
    "sql": ("sql", "SELECT count(*) AS n FROM trials", "FILE"),
    "fleet": ("fleet", "FOLDER"),
    "convert": ("convert", "FILE", "-o", "OUT"),
    "formats": ("formats", "--explain", "FILE"),
    "report": ("report", "FILE", "--markdown"),
    "gate": ("gate", "FILE"),
}
FEW = {"gate": 3}  # so few trials tell nothing


def test_these_are_all_verbs_that_read_files() -> None:
    command: Any = typer.main.get_command(app)
    have = {
        name: [o for p in command.get_command(None, name).params for o in p.opts]
        for name in command.list_commands(None)
        if name not in ("rail", "demo", "loop", "serve") and command.get_command(None, name) is not None
    }
    assert {name for name, opts in have.items() if "--map" in opts} == set(VERBS)
    for name in VERBS:
        assert {"--map", "--repo", "--menu-from", "--menu", "--reader", "--history"} <= set(have[name])


@pytest.mark.parametrize("verb", VERBS)
def test_what_flags_say_reaches_the_reader(here: Path, verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "m.toml").write_text(MAP)
    (here / "commits").mkdir()
    (here / "trajscope.toml").write_text('[source.layout]\nmetric = "score"\n')
    settings.user_file().write_text(f'[source]\nrepo = "{here}"\n')
    stand = {"FILE": here / "t.tsv", "FOLDER": here, "OUT": here.parent / "out.jsonl"}
    words = [stand.get(str(w), w) for w in VERBS[verb]]
    assert call(*words, "--map", here / "m.toml", "--repo", here / "commits") == FEW.get(verb, 0)
    assert Tabled.told
    for told in Tabled.told:
        assert told.layout == Layout(metric="other", goal="minimize")
        assert told.repo == str(here / "commits")
    capsys.readouterr()


def test_the_layout_of_settings_is_used_and_the_user_goes_before_the_folder(here: Path) -> None:
    (here / "trajscope.toml").write_text('[source.layout]\nmetric = "other"\nstatus = "x"\n')
    assert source(here / "t.tsv")[0].layout == Layout(metric="other", status="x")
    said._settings.cache_clear()
    settings.user_file().write_text('[source.layout]\nmetric = "score"\n')
    assert source(here / "t.tsv")[0].layout == Layout(metric="score"), "a layout counts as a whole"


def test_a_map_beside_the_file_is_used_and_that_is_said(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "t.map.toml").write_text(MAP)
    assert source(here / "t.tsv")[0].layout == Layout(metric="other", goal="minimize")
    assert f"{here}/t.map.toml: lies beside {here}/t.tsv and says what its columns mean" in capsys.readouterr().err
    assert trajscope.analyze(here / "t.tsv")[0]["metric"]["name"] == "other"
    (here / "trajscope.toml").write_text('[source.layout]\nmetric = "score"\n')
    said._settings.cache_clear()
    assert source(here / "t.tsv")[0].layout == Layout(metric="score")
    assert capsys.readouterr().err == ""


def test_standard_input_has_nothing_beside_it(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(here)
    for name in ("-.map.toml", "-.menu.json"):
        Path(name).write_text("nonsense")
    said, _ = source(Path("-"))
    assert (said.layout, said.menu) == (None, None)


def test_the_reader_that_a_map_names_reads_the_file_unless_a_flag_names_another(here: Path) -> None:
    (here / "m.toml").write_text('reader = "native"\n')
    (here / "trajscope.toml").write_text('[source]\nreader = "tabled"\n')
    assert source(here / "t.tsv", Asked(map=here / "m.toml"))[1] == "native"
    assert source(here / "t.tsv", Asked(map=here / "m.toml", reader="stages"))[1] == "stages"


def test_a_map_for_a_reader_whose_fields_are_fixed_is_an_error(here: Path) -> None:
    (here / "n.jsonl").write_bytes(samples()["native"])
    (here / "n.map.toml").write_text(MAP)
    with pytest.raises(SourceError, match=r"n\.jsonl: is read as native, whose fields are fixed, and a map is given"):
        trajscope.analyze(here / "n.jsonl")


# --- the repository ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["trajscope.toml", "pyproject.toml"])
def test_a_folder_may_not_choose_where_git_runs(here: Path, name: str) -> None:
    table = "tool.trajscope.source" if name == "pyproject.toml" else "source"
    (here / name).write_text(f'[{table}]\nrepo = "."\n')
    with pytest.raises(SettingsError, match=r"repo: a folder may not choose where git runs; say it in your own"):
        source(here / "t.tsv")


def test_the_users_own_repository_is_used_relative_to_the_users_file(here: Path) -> None:
    (settings.user_file().parent / "commits").mkdir()
    settings.user_file().write_text('[source]\nrepo = "commits"\n')
    assert source(here / "t.tsv")[0].repo == str(settings.user_file().parent / "commits")


def test_a_map_names_no_repository(here: Path) -> None:
    (here / "t.map.toml").write_text('repo = "."\n')
    with pytest.raises(SettingsError, match="repo is no role of a column"):
        source(here / "t.tsv")


def test_a_repository_that_is_no_folder_is_one_line(here: Path) -> None:
    with pytest.raises(SettingsError, match=r"t\.tsv: is no folder, so no repository"):
        source(here / "t.tsv", Asked(repo=here / "t.tsv"))


def test_everything_that_a_source_may_hold_can_be_said(here: Path) -> None:
    (here / "m.toml").write_text(MAP)
    (here / "menu.json").write_text('{"lr": {"type": "float"}}')
    asked = Asked("tabled", "other", "minimize", here / "menu.json", None, here / "m.toml", here, 3)
    said, reader = source(here / "t.tsv", asked)
    assert reader == "tabled"
    unsaid = [f.name for f in dataclasses.fields(said) if getattr(said, f.name) is None]
    assert unsaid == ["fetch"]
