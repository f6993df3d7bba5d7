"""The screen, driven by keys and mouse without a terminal, and compared with how it looked when somebody looked at it.

Planted and seen to fail: a filter that let every trial pass, `p` that did not hold, markup of a file interpreted, an
export into nowhere that said nothing, a word in another colour.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
from pathlib import Path

import pytest
from clirun import AMNESIAC, SAMPLES
from textual.pilot import Pilot
from textual.widgets import DataTable, Input
from watchruns import NOON, header, hostile, sample, trial, write
from watchscreen import app_on, drive, press, text

from trajscope.wake import Wake
from trajscope.watch import marks
from trajscope.watch.screen.app import Watch
from trajscope.watch.screen.asked import Asked, OneTrial, Sql
from trajscope.watch.screen.many import Many, Runs
from trajscope.watch.screen.one import One
from trajscope.watch.screen.paper import Trials

LOOKED_AT = Path(__file__).parent / "screens"


@pytest.fixture(autouse=True)
def _state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A state folder of its own, so that nobody's bookmarks are touched."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


# --- keys ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("key", "says"),
    [
        ("w", "9 of the last 10 proposals had been tried before (bound 80%)"),
        ("g", "never touched (7 of 13 knobs)"),
        ("r", "NEVER PROVEN"),
        ("question_mark", "A blind walker draws knobs"),
    ],
)
def test_a_key_shows_what_stands_behind_the_screen_and_escape_goes_back(key: str, says: str) -> None:
    async def script(app: Watch, pilot: Pilot[int]) -> None:
        await press(pilot, key)
        assert isinstance(app.screen, Asked)
        assert says in text(app)
        await pilot.resize_terminal(60, 20)
        await pilot.pause()
        await press(pilot, "escape")
        assert isinstance(app.screen, One)

    drive(app_on(AMNESIAC), script, (100, 40))


def test_enter_shows_a_trial_in_full_with_its_diff(tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", header(), trial(1), trial(2, diff="--- a\n+++ b\n-old line\n+new line"))

    async def script(app: Watch, pilot: Pilot[int]) -> None:
        await press(pilot, "enter")
        assert isinstance(app.screen, OneTrial)
        assert "lr=2" in text(app)
        assert "+new line" in text(app)
        await press(pilot, "escape", "down", "enter")
        assert "lr=1" in text(app)
        assert "no diff is recorded" in text(app)

    drive(app_on(path), script)


def test_of_a_quiet_file_only_the_age_goes_on_and_that_is_not_drawn_each_second(tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", header(), *(trial(i) for i in range(1, 6)))
    os.utime(path, (NOON, NOON))
    now = [NOON + 20.0]

    async def script(app: Watch, pilot: Pilot[int]) -> None:
        async def shown(later_s: float) -> str:
            now.append(now[-1] + later_s)
            app.turn()
            await pilot.pause()
            return text(app)

        first = await shown(0)
        assert await shown(1) == first
        last = await shown(5)
        assert last != first, "five seconds are told"
        with path.open("a", encoding="utf-8") as out:
            out.write(json.dumps(trial(6)) + "\n")
        assert "6 trials" in await shown(1), "and a trial at once"

    drive(app_on(path, now=now), script)


def test_slash_filters_the_trials_while_it_is_typed_and_escape_ends_it() -> None:
    async def script(app: Watch, pilot: Pilot[int]) -> None:
        rows = app.screen.query_one(Trials)
        await press(pilot, "slash", *"kept 768")
        assert [t.row.seq for t in rows.shown] == [45, 33, 31, 23, 6, 4]
        assert "6 of 50 hold: kept 768" in text(app)
        await press(pilot, "enter", "down", "enter")
        assert isinstance(app.screen, OneTrial)
        await press(pilot, "escape", "escape")
        assert len(rows.shown) == 50

    drive(app_on(AMNESIAC), script, (100, 30))


def test_s_answers_in_sql_and_shows_what_is_wrong_with_a_question() -> None:
    async def script(app: Watch, pilot: Pilot[int]) -> None:
        await press(pilot, "s", "enter")
        assert isinstance(app.screen, Sql)
        table = app.screen.query_one(DataTable)
        assert table.row_count == 14
        assert [str(c) for c in table.get_row_at(0)] == ["d_model=1536", "10", "0"]
        app.screen.query_one(Input).value = "DROP TABLE told"
        await press(pilot, "enter")
        assert "only one SELECT may be asked" in text(app)
        app.screen.query_one(Input).value = "SELECT '[bold]x[/]' AS \"[red]y\", 1.5, NULL, true"
        await press(pilot, "enter")
        assert [str(c) for c in table.get_row_at(0)] == ["[bold]x[/]", "1.5", "", "True"]
        assert str(table.ordered_columns[0].label) == "[red]y"
        await press(pilot, "escape")
        assert isinstance(app.screen, One)

    drive(app_on(AMNESIAC), script, (100, 30))


def test_e_writes_the_analysis_and_the_page_and_says_where(tmp_path: Path) -> None:
    async def script(app: Watch, pilot: Pilot[int]) -> None:
        await press(pilot, "e")
        assert "wrote" in text(app)

    drive(app_on(AMNESIAC, export=tmp_path), script, (120, 30))
    assert json.loads((tmp_path / "amnesiac.analysis.json").read_text())["trials"] == 50
    page = (tmp_path / "amnesiac.page.txt").read_text()
    assert "✗ FLAILING" in page
    assert "\x1b" not in page
    assert sorted(p.name for p in tmp_path.iterdir()) == ["amnesiac.analysis.json", "amnesiac.page.txt"]


def test_an_export_that_cannot_be_written_says_so(tmp_path: Path) -> None:
    async def script(app: Watch, pilot: Pilot[int]) -> None:
        await press(pilot, "e")
        assert [n.severity for n in app._notifications] == ["error"]
        assert [n.message.partition(": ")[2] for n in app._notifications] == [
            "cannot be written (No such file or directory)"
        ]

    drive(app_on(AMNESIAC, export=tmp_path / "nowhere"), script, (120, 30))


def test_t_turns_light_and_dark() -> None:
    async def script(app: Watch, pilot: Pilot[int]) -> None:
        assert app.current_theme.dark
        await press(pilot, "t")
        assert not app.current_theme.dark
        await press(pilot, "t")
        assert app.current_theme.dark

    drive(app_on(AMNESIAC), script)


def test_p_holds_the_screen_while_reading_goes_on(tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", header(), trial(1))

    async def script(app: Watch, pilot: Pilot[int]) -> None:
        await press(pilot, "p")
        write(path, trial(2), trial(3), mode="ab")
        app.turn()
        await pilot.pause()
        assert "HELD, 2 trials behind" in text(app)
        assert "lr=3" not in text(app)
        await press(pilot, "p")
        assert "HELD" not in text(app)
        assert "lr=3" in text(app)

    drive(app_on(path), script)


def test_b_marks_a_trial_for_good_and_capital_b_goes_to_the_next_mark(tmp_path: Path) -> None:
    beside = tmp_path / "run"
    beside.mkdir()
    path = write(beside / "a.jsonl", header(), *(trial(n) for n in range(1, 30)))

    async def mark(app: Watch, pilot: Pilot[int]) -> None:
        rows = app.screen.query_one(Trials)
        await press(pilot, "B")
        assert [n.message for n in app._notifications] == ["none of these trials has a bookmark (b sets one)"]
        await press(pilot, "down", "down", "b", *["down"] * 20, "b")
        assert text(app).count("★") == 1  # the other is out of sight
        await press(pilot, "B")
        assert rows.shown[rows.cursor].row.seq == 27
        await press(pilot, "B")
        assert rows.shown[rows.cursor].row.seq == 7
        await press(pilot, "b")

    drive(app_on(path), mark)
    assert [p.name for p in path.parent.iterdir()] == ["a.jsonl"]  # nothing beside the run

    async def again(app: Watch, pilot: Pilot[int]) -> None:
        rows = app.screen.query_one(Trials)
        assert [t.row.seq for t in rows.shown if t.row in rows.marks] == [27]
        await press(pilot, "end", "B")
        assert rows.shown[rows.cursor].row.seq == 27
        assert "27★" in text(app)

    drive(app_on(path), again)
    write(path, header(run_id="a longer name"), *(trial(n) for n in range(1, 30)))

    async def other(app: Watch, pilot: Pilot[int]) -> None:
        rows = app.screen.query_one(Trials)
        assert not any(t.row in rows.marks for t in rows.shown)  # another line is in its place

    drive(app_on(path), other)


@pytest.mark.parametrize("held", [b"{", b'{"schema": 2, "marks": []}', b'{"schema": 1, "marks": [1]}'])
def test_bookmarks_that_cannot_be_read_are_left_alone_and_said_once(tmp_path: Path, held: bytes) -> None:
    path = write(tmp_path / "a.jsonl", header(), trial(1), trial(2))

    async def mark(app: Watch, pilot: Pilot[int]) -> None:
        await press(pilot, "b")

    drive(app_on(path), mark)
    (kept,) = marks.folder().iterdir()
    kept.write_bytes(held)

    async def again(app: Watch, pilot: Pilot[int]) -> None:
        await press(pilot, "b", "down", "b")
        assert text(app).count("★") == 2
        assert [n.severity for n in app._notifications] == ["warning"]

    drive(app_on(path), again)
    assert kept.read_bytes() == held


def test_q_quits() -> None:
    app = app_on(AMNESIAC)

    async def script(app: Watch, pilot: Pilot[int]) -> None:
        await press(pilot, "q")

    drive(app, script)
    assert app.return_code == 0


# --- what changes -------------------------------------------------------------------------------------------------


def test_new_trials_stand_on_top_and_the_cursor_stays_on_its_own(tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", header(), *(trial(n) for n in range(1, 40)))

    async def script(app: Watch, pilot: Pilot[int]) -> None:
        rows = app.screen.query_one(Trials)
        assert rows.shown[rows.cursor].row.seq == 39
        write(path, trial(40), mode="ab")
        app.turn()
        assert rows.shown[rows.cursor].row.seq == 40  # on the newest it follows
        await press(pilot, "pagedown", "down")
        held = rows.shown[rows.cursor].row.seq
        write(path, trial(41), trial(42), mode="ab")
        app.turn()
        assert rows.shown[rows.cursor].row.seq == held
        await press(pilot, "end")
        assert "lr=1 " in text(app)
        await press(pilot, "home")
        assert rows.cursor == 0

    drive(app_on(path), script)


def test_the_mouse_chooses_opens_and_scrolls() -> None:
    async def script(app: Watch, pilot: Pilot[int]) -> None:
        rows = app.screen.query_one(Trials)
        await pilot.click(Trials, offset=(5, 3))
        assert rows.cursor == 2
        await pilot.click(Trials, offset=(5, 3))
        await pilot.pause()
        assert isinstance(app.screen, OneTrial)
        await press(pilot, "escape")
        await pilot.click(Trials, offset=(5, 0))  # the heads are no row
        assert rows.cursor == 2

    drive(app_on(AMNESIAC), script)


@pytest.mark.parametrize("size", [(20, 6), (40, 12), (80, 24), (250, 70)])
def test_any_size_of_window_will_do(size: tuple[int, int], tmp_path: Path) -> None:
    path = hostile(tmp_path / "x.jsonl")

    async def script(app: Watch, pilot: Pilot[int]) -> None:
        for other in ((80, 24), size, (30, 8), size):
            await pilot.resize_terminal(*other)
            await pilot.pause()
        await press(pilot, "w", "escape", "g", "escape", "r", "escape", "enter", "escape")
        assert text(app)

    drive(app_on(path), script, size)


def test_text_of_a_hostile_file_stays_text(tmp_path: Path) -> None:
    async def script(app: Watch, pilot: Pilot[int]) -> None:
        await press(pilot, "enter")
        assert "[bold]red[/bold]" in text(app)
        assert "\x1b" not in app.export_screenshot()
        await press(pilot, "escape", "s", "enter")
        assert "\x1b" not in app.export_screenshot()

    drive(app_on(hostile(tmp_path / "x.jsonl")), script, (120, 40))


def test_without_colour_everything_is_still_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")

    async def script(app: Watch, pilot: Pilot[int]) -> None:
        said = text(app)
        assert "✗ FLAILING" in said
        assert "● CONFIRMED" in said
        assert "▸" in said
        fills = set(re.findall(r"-r\d+ { fill: #(\w{6})", app.export_screenshot()))
        assert {c for c in fills if not c[:2] == c[2:4] == c[4:]} <= {"c5c8c6"}  # the picture's own grey

    drive(app_on(AMNESIAC), script)


def test_a_run_that_has_not_begun_is_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "later.jsonl"

    async def script(app: Watch, pilot: Pilot[int]) -> None:
        assert "? NOT THERE" in text(app)
        await press(pilot, "w", "escape", "g", "escape", "r", "escape", "enter", "e", "s", "enter", "escape")
        write(path, header(), trial(1))
        app.turn()
        await pilot.pause()
        assert "lr=1" in text(app)

    drive(app_on(path), script)


def test_the_screen_ends_at_the_first_alarm_where_that_is_wanted(tmp_path: Path) -> None:
    lines = AMNESIAC.read_bytes().splitlines(keepends=True)
    path = write(tmp_path / "amnesiac.jsonl", *lines[:20])
    os.utime(path, (NOON, NOON))
    shutil.copy(AMNESIAC.with_name("amnesiac.menu.json"), tmp_path)
    app = app_on(path, until_alarm=True)

    async def script(app: Watch, pilot: Pilot[int]) -> None:
        assert app.is_running
        write(path, *lines[20:], mode="ab")
        app.turn()
        await pilot.pause()

    drive(app, script)
    assert app.return_value == 1


def test_reading_goes_on_in_a_thread_of_its_own(tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", header(), trial(1))

    async def go() -> None:
        with Wake([path], notices=False, look_s=0.1) as wake:
            app = app_on(path, wake=wake)
            async with app.run_test() as pilot:
                for n in (1, 2):
                    while f"lr={n}" not in text(app):  # the limit of a test ends it where this never comes
                        await pilot.pause(0.02)
                    write(path, trial(n + 1), mode="ab")

    asyncio.run(go())


# --- several ------------------------------------------------------------------------------------------------------


def test_ten_runs_have_a_line_each_worst_first_and_enter_opens_one(tmp_path: Path) -> None:
    names = "linter gamer amnesiac higher ties several replicates torn all_kept all_crashed".split()
    for name in names:
        shutil.copy(sample(name), tmp_path)

    async def script(app: Watch, pilot: Pilot[int]) -> None:
        assert isinstance(app.screen, Many)
        rows = app.screen.query_one(Runs)
        assert [p.word.word for _, p in rows.shown][:3] == ["TAMPERED", "SUSPECT", "FLAILING"]
        assert all(f"{name}.jsonl" in text(app) for name in names)
        await press(pilot, "down", "down", "enter")
        assert isinstance(app.screen, One)
        app.turn()
        await pilot.pause()
        assert "FLAILING" in text(app)
        await press(pilot, "s", "enter")
        assert app.screen.query_one(DataTable).row_count > 0
        await press(pilot, "escape", "escape")
        assert isinstance(app.screen, Many)

    drive(app_on(folder=tmp_path), script, (120, 30))


def test_a_run_that_appears_in_the_folder_appears_on_the_screen(tmp_path: Path) -> None:
    now = [NOON]

    async def script(app: Watch, pilot: Pilot[int]) -> None:
        assert "0 runs" in text(app)
        write(tmp_path / "new.jsonl", header(), trial(1))
        (tmp_path / "notes.json").write_text("{}\n")
        (tmp_path / "broken.jsonl").write_text('{"v": 1, "type": "run"}\n')
        (tmp_path / "broken.menu.json").write_text("{")
        now.append(NOON + 5)
        app.turn()
        await pilot.pause()
        assert "new.jsonl" in text(app)
        assert "broken.menu.json" in text(app)  # named, never left out in silence
        assert "notes" not in text(app)

    drive(app_on(folder=tmp_path, now=now), script)


# --- how it looks -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "size", "keys"),
    [("amnesiac", (80, 24), ()), ("linter", (120, 36), ("t",)), ("synthetic_1000", (200, 50), ())],
)
def test_the_screen_looks_as_it_did_when_somebody_looked(
    name: str, size: tuple[int, int], keys: tuple[str, ...], tmp_path: Path
) -> None:
    """Whoever changes the screen on purpose looks at the new picture, and deletes the old one to have it written.

    As text, which does not change with Textual's version; which role has which colour is no matter of the panel.
    """
    path = tmp_path / f"{name}.jsonl"
    shutil.copy(sample(name), path)
    os.utime(path, (NOON, NOON))
    if name == "amnesiac":
        shutil.copy(AMNESIAC.with_name("amnesiac.menu.json"), tmp_path)
    found: list[str] = []

    async def script(app: Watch, pilot: Pilot[int]) -> None:
        await press(pilot, *keys)
        found.append("\n".join(text(app).splitlines()[:-1]) + "\n")  # the last line is Textual's

    drive(app_on(path, now=[NOON + 300 * 86400]), script, size)
    kept = LOOKED_AT / f"{name}_{size[0]}x{size[1]}.txt"
    if not kept.exists():
        kept.parent.mkdir(exist_ok=True)
        kept.write_text(found[0], "utf-8")
        pytest.fail(f"there was no picture to compare with: look at {kept.relative_to(SAMPLES.parent)}")
    assert found[0] == kept.read_text("utf-8")
