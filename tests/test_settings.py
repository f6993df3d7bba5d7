"""Settings: who wins over whom, and what a user is told about a key that is wrong.

Planted and seen to fail: the user's config below the file beside the run, a menu path taken from the current folder.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from trajscope import settings
from trajscope.errors import SettingsError


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user without settings; returns where they would stand."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    path = settings.user_file()
    path.parent.mkdir(parents=True)
    return path


def test_without_any_file_everything_is_left_to_the_run(tmp_path: Path) -> None:
    assert settings.load(tmp_path / "run.jsonl") == settings.Settings()


def test_the_users_own_config_wins_over_the_folder_and_the_folder_over_its_pyproject(
    tmp_path: Path, home: Path
) -> None:
    (tmp_path / "pyproject.toml").write_text('[tool.trajscope.source]\nmetric = "a"\ngoal = "minimize"\nhistory = 5\n')
    (tmp_path / "trajscope.toml").write_text('[source]\nmetric = "b"\ngoal = "maximize"\n')
    home.write_text('[source]\nmetric = "c"\n')
    said = settings.load(tmp_path / "run.jsonl").source
    assert (said.metric, said.goal, said.history) == ("c", "maximize", 5)


def test_a_menu_is_looked_for_beside_the_file_that_names_it(tmp_path: Path, home: Path) -> None:
    (tmp_path / "trajscope.toml").write_text('[source]\nmenu = "menus/m.json"\n')
    assert settings.load(tmp_path / "run.jsonl").source.menu == str(tmp_path / "menus/m.json")
    home.write_text('[source]\nmenu = "mine.json"\n')
    assert settings.load(tmp_path / "run.jsonl").source.menu == str(home.parent / "mine.json")


def test_standard_input_has_no_folder_and_only_the_users_config(
    tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("trajscope.toml").write_text('[source]\nmetric = "b"\n')
    home.write_text("[source]\nhistory = 3\n")
    said = settings.load("-").source
    assert (said.metric, said.history) == (None, 3)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('[source]\nmetrik = "a"\n', r"\[source\] metrik is no setting; did you mean metric\?"),
        ("[surce]\n", r"\[surce\] is no setting; did you mean source\?"),
        ("[source]\nzzz = 1\n", r"\[source\] zzz is no setting; known: reader, metric, goal, menu, history"),
        ("[source]\nmetric = 3\n", r"\[source\] metric: expected str \| null, got int; mend or remove it"),
        ('[source]\ngoal = "up"\n', r"\[source\] goal: invalid enum value 'up'"),
        ("source = 3\n", r"\[source\]: expected object, got int"),
        ("[source\n", "cannot be read as TOML"),
        ("[alarms]\nplateu = 3\n", r"\[alarms\] plateu is no setting; did you mean plateau\?"),
        ("[alarms]\nplateau = 0\n", r"\[alarms\] plateau: expected int >= 1"),
        ("[alarms]\nrepeats = 1.5\n", r"\[alarms\] repeats: expected float <= 1.0"),
        ("[alarms]\nstalled_factor = inf\n", r"\[alarms\] stalled_factor is inf; give a finite number above 0"),
        ("[alarms]\nstalled_min_s = nan\n", r"\[alarms\] stalled_min_s"),
        ("[alarms.budget]\nhour = 3\n", r"\[alarms.budget\] hour is no setting; did you mean hours\?"),
        ("[alarms.budget]\nusd = -1\n", r"\[alarms.budget\] usd: expected float > 0.0"),
        ("[alarms]\nbudget = 3\n", r"\[alarms\] budget: expected object, got int"),
        ('[alarms]\noff = ["repeets"]\n', r"\[alarms\] off: 'repeets' cannot be switched off; did you mean repeats\?"),
        ('[alarms]\noff = ["integrity"]\n', r"\[alarms\] off: 'integrity' cannot be switched off; known: flailing, "),
        ('[alarms]\nwebhook = "https://example.org"\n', r"\[alarms\] webhook is no setting"),
        # Sinks never come from beside a run, and the sections of later rails are no settings yet.
        ('[sinks]\nurl = "x"\n', r"\[sinks\] is no setting"),
    ],
)
def test_a_wrong_setting_is_told_with_its_file_its_key_and_the_nearest_known_one(
    tmp_path: Path, text: str, says: str
) -> None:
    (tmp_path / "trajscope.toml").write_text(text)
    with pytest.raises(SettingsError, match=f"trajscope.toml: {says}") as told:
        settings.load(tmp_path / "run.jsonl")
    assert "\n" not in str(told.value)


@pytest.mark.parametrize("text", ["[tool]\nother = 1\n", "[project]\nname = 'x'\n", "tool = 3\n"])
def test_a_pyproject_of_others_is_none_of_our_business(tmp_path: Path, text: str) -> None:
    (tmp_path / "pyproject.toml").write_text(text)
    assert settings.load(tmp_path / "run.jsonl") == settings.Settings()


def test_our_own_table_must_be_a_table(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text("[tool]\ntrajscope = 3\n")
    with pytest.raises(SettingsError, match=r"tool\.trajscope is no table"):
        settings.load(tmp_path / "run.jsonl")


def test_each_bound_of_the_alarms_comes_from_the_nearest_to_the_user_who_set_it(tmp_path: Path, home: Path) -> None:
    (tmp_path / "trajscope.toml").write_text(
        '[alarms]\nplateau = 40\nrepeats = 0.9\noff = ["stuck"]\nbudget = { hours = 8, usd = 20 }\n'
    )
    home.write_text("[alarms]\nplateau = 50\n[alarms.budget]\nusd = 5.5\n")
    said = settings.load(tmp_path / "run.jsonl").alarms
    assert said.bounds() == {"plateau": 50, "repeats": 0.9, "budget.hours": 8.0, "budget.usd": 5.5}
    assert said.off == ("stuck",)
