"""The panel and everything that is drawn from it: what a file says live is what it says when it is read at once.

Planted and seen to fail: a frame one column too wide, a history that forgot its lowest value, a STALLED that hid a
TAMPERED, a naive time compared with now, rows of a file that was replaced still answering in SQL.
"""

from __future__ import annotations

import json
import os
import unicodedata
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from clirun import AMNESIAC, SAMPLES, Cli, error
from hypothesis import given, settings
from hypothesis import strategies as st
from watchruns import ESCAPE, NOON, header, hostile, panel, sample, trial, watched, write

from trajscope.errors import QueryError
from trajscope.readable import MARKS, SHAPES, columns
from trajscope.rules import alive
from trajscope.trial import STATUSES
from trajscope.watch import draw, history, ink, spoken, texts
from trajscope.watch.detail import detail
from trajscope.watch.fresh import Cadence
from trajscope.watch.history import History, Piece
from trajscope.watch.panel import Panel

RUNS = sorted(SAMPLES.glob("*/*.jsonl"))
HOUR = 3600.0


def everything(p: Panel, width: int, height: int) -> list[ink.Line]:
    """Every line that a panel is drawn as."""
    lines = draw.screen(p, width, height)
    lines += [draw.head(width), draw.summary(p, width), draw.summary_head(width)]
    return lines + [draw.trial(t, width) for t in p.trials[:30]]


def said(lines: list[ink.Line]) -> str:
    """Lines as one text."""
    return "\n".join(map(ink.plain, lines))


# --- laws ---------------------------------------------------------------------------------------------------------


@given(
    st.lists(st.integers(1, 4000), max_size=20), st.sampled_from(["amnesiac", "gamer", "attempts", "torn", "several"])
)
@settings(max_examples=20)
def test_a_file_that_grew_in_any_pieces_is_shown_as_one_read_at_once(
    tmp_path_factory: Any, cuts: list[int], name: str
) -> None:
    data = sample(name).read_bytes()
    path = tmp_path_factory.mktemp("grown") / f"{name}.jsonl"
    path.write_bytes(b"")
    os.utime(path, (NOON, NOON))
    watching = watched(path)
    at = 0
    for size in (*cuts, len(data)):
        with path.open("ab") as f:
            f.write(data[at : at + size])
        at += size
        os.utime(path, (NOON + at, NOON + at))
        watching.step(NOON)
        watching.look(NOON)
    grown = watching.look(NOON + HOUR)
    assert grown._replace(notices=(), odd=0) == panel(path, NOON + HOUR)


@pytest.mark.parametrize("path", RUNS, ids=lambda p: p.stem)
def test_no_line_is_wider_than_the_window_and_no_panel_higher(path: Path) -> None:
    p = panel(path)
    for width in (20, 40, 60, 80, 100, 149, 150, 200, 300):
        for height in (1, 4, 10, 17, 24, 50):
            assert len(draw.screen(p, width, height)) <= height
            for line in everything(p, width, height):
                assert ink.width(line) <= width, ink.plain(line)


def test_nothing_from_a_hostile_file_can_steer_a_terminal_or_leave_the_window(tmp_path: Path) -> None:
    path = hostile(tmp_path / "x.jsonl")
    watching = watched(path)
    p = watching.look(NOON)
    assert (p.rows.trials, p.rows.bad) == (39, 1)
    run = watching.live.run
    for width in (40, 80, 200):
        found = everything(p, width, 50)
        assert all(ink.width(line) <= width for line in found)
        found += [*texts.why(p, width), *texts.gaps(p, run, width), *texts.rail(p, run, width)]
        one = detail(str(path), p.trials[0].row.at, p.trials[0].row.seq, width)
        text = said(found) + said(one.lines) + one.diff + spoken.plain_line(p)
        assert {c for c in text if unicodedata.category(c) in ("Cc", "Cf", "Zl", "Zp")} == {"\n"}
        assert "[bold]red" in said(one.lines)  # as it was written: a text, not markup
    assert "\x1b" not in spoken.json_line(spoken.update(p))


@given(st.lists(st.tuples(st.sampled_from([None, -1.0, 0.0, 2.5]), st.booleans(), st.sampled_from([0, 1, 2, 3, 6]))))
def test_the_history_forgets_no_trial_and_no_extreme(tmp_path_factory: Any, drawn: list[Any]) -> None:
    was, history.MOST = history.MOST, 4  # a short run is long enough then
    try:
        found = History()
        for value, kept, status in drawn:
            found.add(_row(value, kept, status))
    finally:
        history.MOST = was
    pieces = found.pieces()
    values = [v for v, _, s in drawn if v is not None and s in (0, 1)]
    assert sum(p.n for p in pieces) == len(drawn)
    assert len(pieces) <= 8
    assert all(p.n == found.each for p in pieces[:-1])
    assert min((p.low for p in pieces if p.low is not None), default=None) == min(values, default=None)
    assert max((p.high for p in pieces if p.high is not None), default=None) == max(values, default=None)
    assert sum(p.crashed for p in pieces) == sum(STATUSES[s] == "crashed" for _, _, s in drawn)


def _row(value: float | None, kept: bool, status: int) -> Any:
    from trajscope.columns import SQL_TYPES, Row

    blank: dict[str, Any] = dict.fromkeys(SQL_TYPES, 0)
    said = {"value": value, "kept": kept, "status": status, "evaluated": status in (0, 1), "best_kept": None}
    return Row(**blank | said)


@pytest.mark.parametrize("upto", [2, 9, 31, 52])
def test_what_sql_counts_is_what_the_screen_shows(tmp_path: Path, upto: int) -> None:
    lines = AMNESIAC.read_bytes().splitlines(keepends=True)
    path = write(tmp_path / "a.jsonl", *lines[: upto // 2])
    watching = watched(path, asked=True)
    watching.ask("SELECT 1")
    write(path, *lines[upto // 2 : upto], mode="ab")
    watching.step(NOON)
    p = watching.look(NOON)
    sql = "SELECT count(*), sum(kept::int), count(*) FILTER (k = 1), count(*) FILTER (k > 0), max(seq) FROM trials"
    ((trials, kept, pairs, counted, last),) = watching.ask(sql).rows
    assert (trials, kept or 0, pairs, counted) == (p.rows.trials, p.rows.kept, p.ground.pairs, p.ground.counted)
    assert last == (p.trials[0].row.seq if p.trials else None)
    assert watching.ask("SELECT verdict_word, pairs_unique FROM runs").rows == [(p.word.word, p.ground.pairs)]


def test_sql_answers_from_the_file_that_is_there_now(tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", header(), *(trial(n) for n in range(1, 6)))
    watching = watched(path, asked=True)
    assert watching.ask("SELECT count(*) FROM trials").rows == [(5,)]
    write(path, header(run_id="new"), trial(1))
    watching.step(NOON)
    assert watching.ask("SELECT count(*) FROM trials").rows == [(1,)]
    p = watching.look(NOON)
    assert (p.rows.trials, len(p.trials), sum(x.n for x in p.score.pieces), p.odd) == (1, 1, 1, 1)
    assert "was cut from" in said(draw.screen(p, 100, 30))
    with pytest.raises(QueryError, match="only one SELECT"):
        watching.ask("DROP TABLE told")


# --- is it alive --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("gaps", "age", "state"),
    [
        ([], 10.0, "running"),
        ([], alive.BLIND_S + 1, "stalled"),  # the pace is not known: an hour is too long for anybody
        ([10.0] * 2, 900.0, "running"),  # n<3
        ([10.0] * 3, 59.0, "running"),
        ([10.0] * 3, 61.0, "stalled"),
        ([100.0] * 5, 499.0, "running"),
        ([100.0] * 5, 501.0, "stalled"),
        ([1.0, 100.0, 100.0, 9000.0, 100.0], 499.0, "running"),  # one long trial changes nothing
        ([100.0] * 5, None, "running"),
    ],
)
def test_silence_is_judged_against_the_runs_own_pace(gaps: list[float], age: float | None, state: str) -> None:
    cadence, at = Cadence(), 0.0
    cadence.beat(at)
    for gap in gaps:
        at += gap
        cadence.beat(at)
    assert alive.judge(age, cadence.usual_s).state == state


def test_a_clock_that_is_set_back_is_no_gap() -> None:
    cadence = Cadence()
    for at in (0.0, 10.0, 20.0, -5000.0, -4990.0):
        cadence.beat(at)
    assert (cadence.usual_s, cadence.known) == (10.0, 3)


def test_a_silent_run_is_stalled_and_an_ended_one_is_not(tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", header(), *(trial(n, at_s=30.0 * n) for n in range(1, 11)))
    watching = watched(path)
    assert watching.look(NOON + 400).fresh.state == "running"
    p = watching.look(NOON + 300 + 151)
    assert (p.fresh.state, p.word.word, p.fresh.usual_s) == ("stalled", "STALLED", 30.0)
    assert p.word.sentence.startswith("nothing was heard for 151 s, and a trial usually takes 30 s (bound 150 s)")
    write(path, {"v": 1, "type": "end", "counts": {}}, mode="ab")
    watching.step(NOON)
    assert watching.look(NOON + 300 + 151).fresh.state == "ended"


def test_no_silence_hides_that_a_run_was_tampered_with(tmp_path: Path) -> None:
    lines = sample("linter").read_bytes().splitlines(keepends=True)
    p = panel(write(tmp_path / "a.jsonl", *lines[:-1]), NOON + 365 * 24 * HOUR)
    assert (p.fresh.state, p.word.word, p.best.belief) == ("stalled", "TAMPERED", "DOUBTED")


def test_times_without_a_zone_are_never_compared_with_now(tmp_path: Path) -> None:
    lines = AMNESIAC.read_bytes().splitlines(keepends=True)
    path = write(tmp_path / "amnesiac.jsonl", *lines[:40])
    os.utime(path, (NOON, NOON))
    p = panel(path, NOON + 90)
    assert (p.fresh.state, p.fresh.age_s) == ("running", 90.0)
    assert panel(path, NOON + HOUR).fresh.state == "stalled"


def test_a_run_that_waits_for_a_person_is_not_stalled(tmp_path: Path) -> None:
    pause = {"v": 1, "type": "event", "kind": "pause", "at": "2026-01-01T12:02:30Z", "data": {}}
    path = write(tmp_path / "a.jsonl", header(), *(trial(n, at_s=30.0 * n) for n in range(1, 5)), pause)
    watching = watched(path)
    assert watching.look(NOON + HOUR).fresh.state == "waiting"
    write(path, pause | {"kind": "resume"}, mode="ab")
    watching.step(NOON)
    assert watching.look(NOON + HOUR).fresh.state == "stalled"


def test_how_old_the_last_proof_of_the_rail_is_stands_on_the_screen(tmp_path: Path) -> None:
    proof = {"v": 1, "type": "event", "kind": "selftest", "at": "2026-01-01T12:00:00Z", "data": {"passed": True}}
    path = write(tmp_path / "a.jsonl", header(), trial(1, at_s=0.0))
    watching = watched(path)
    assert "rail NEVER PROVEN" in said(draw.screen(watching.look(NOON), 100, 30))
    write(path, proof, mode="ab")
    watching.step(NOON)
    assert "rail PROVEN 6 min ago" in said(draw.screen(watching.look(NOON + 360), 100, 30))
    write(path, proof | {"data": {"passed": "yes"}}, mode="ab")
    watching.step(NOON)
    assert watching.look(NOON + 360).rail.state == "FAILED"  # whatever is not true is not a pass


def test_a_file_that_comes_goes_and_comes_again_says_so(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    watching = watched(path)
    p = watching.look(NOON)
    assert (p.fresh.state, p.word.word) == ("absent", "UNKNOWN")
    assert "is not there yet" in said(draw.screen(p, 80, 20))
    write(path, header())
    watching.step(NOON)
    assert watching.look(NOON).fresh.state == "not begun"
    write(path, trial(1, at_s=0.0), mode="ab")
    watching.step(NOON)
    assert watching.look(NOON).fresh.state == "running"
    path.unlink()
    watching.step(NOON)
    assert watching.look(NOON).fresh.state == "gone"


def test_nothing_is_said_of_a_run_that_is_no_longer_there(tmp_path: Path) -> None:
    path = write(tmp_path / "amnesiac.jsonl", AMNESIAC.read_bytes())
    watching = watched(path)
    assert watching.look(NOON).word.word == "FLAILING"
    path.write_bytes(b"")
    watching.step(NOON)
    p = watching.look(NOON)
    assert (p.word.word, p.alarms, p.trials, p.rows.trials, p.best.value) == ("UNKNOWN", (), (), 0, None)
    assert p.word.sentence == "the run has not begun anew"


def test_half_a_line_waits_and_is_torn_only_when_the_file_is_over(tmp_path: Path) -> None:
    watching = watched(sample("torn"))
    p = watching.look(NOON)
    assert (p.rows.torn, p.rows.held > 0) == (0, True)
    assert "half a line waits" in said(draw.screen(p, 80, 20))
    watching.close()
    watching.items += 1
    assert watching.look(NOON).rows.torn == 1


# --- what is shown ------------------------------------------------------------------------------------------------


def test_the_amnesiac_is_told_in_its_published_figures() -> None:
    text = said(draw.screen(panel(AMNESIAC), 120, 40))
    for figure in (
        "✗ FLAILING",
        "50 trials, 0 bad lines",
        "6 of 13 knobs",
        "a blind walker would touch 12.8",
        "13 of 88 cells",
        "14 pairs in 50 proposals, effective 10.5",
        "9 of the last 10 tried before",
        "never tried (7): n_layer, lr_warmup, grad_clip, weight_decay, batch_size, seq_len, precision",
        "10.8534 at trial 45",
        "74% of 73 min on repeats",
    ):
        assert figure in text, figure


@pytest.mark.parametrize(
    ("name", "belief"),
    [
        ("amnesiac", "CONFIRMED"),
        ("gamer", "DOUBTED"),
        ("linter", "DOUBTED"),
        ("all_crashed", "NONE"),
        ("two_lines", "UNKNOWN"),
    ],
)
def test_whether_the_best_is_real_is_said_in_a_word(name: str, belief: str) -> None:
    p = panel(sample(name), NOON - 400 * 24 * HOUR)
    assert p.best.belief == belief
    assert draw.BELIEFS[belief][0] in said(draw.screen(p, 80, 17))


def test_numbers_with_too_few_observations_behind_them_are_not_shown(tmp_path: Path) -> None:
    p = panel(write(tmp_path / "a.jsonl", header(), trial(1, at_s=0.0), trial(2, at_s=9.0)))
    text = said(draw.screen(p, 100, 30))
    assert "last ten n<10" in text
    assert "plateau n<8" in text
    assert "noise n<3" in text
    assert "n<3" in ink.plain(draw.summary(p, 120))


@pytest.mark.parametrize("lines", [17, 40])
def test_the_order_is_alive_wrong_real_ground_score_repeats_knobs(lines: int) -> None:
    text = said(draw.screen(panel(AMNESIAC), 80, lines))
    order = ["ENDED", "FLAILING", "\n best", "\n ground", "never tried", "\n score", "\n repeats", "\n knobs"]
    assert [text.index(x) for x in order] == sorted(text.index(x) for x in order)


def test_forty_knobs_of_long_names_fit_a_small_window(tmp_path: Path) -> None:
    names = [f"a_knob_with_a_really_long_name_{i:02}" for i in range(40)]
    knobs = {name: {"type": "int", "range": [0, 500]} for name in names}
    p = panel(
        write(tmp_path / "a.jsonl", header(menu={"knobs": knobs}), *(trial(n, knob=names[n % 30]) for n in range(60)))
    )
    lines = draw.screen(p, 80, 17)
    assert len(lines) <= 17
    assert "never tried (10)" in said(lines)
    assert "… g all" in said(lines)


def test_shape_alone_tells_the_words_apart_as_it_does_in_analyze() -> None:
    assert {word: mark for word, (mark, _) in draw.WORDS.items()} == {word: mark for word, (mark, _) in SHAPES.items()}
    assert all(draw.WORDS[w][1] != "good" for w in draw.WORDS if w != "RESEARCHING")
    assert draw.LEVELS.keys() >= {3, 2, 1}
    assert set(MARKS) == {"FAIL", "UNKNOWN", "WARN"}


def test_why_names_every_verdict_with_its_trials() -> None:
    p = panel(sample("gamer"))
    text = said(texts.why(p, 100))
    assert all(v.rule in text for v in p.verdicts)
    assert "5 ◆ kept" in text
    assert "trials in all: 5, 8, 11" in text


def test_a_trial_in_full_has_its_prompt_from_beside_the_run(tmp_path: Path) -> None:
    import trajscope

    with trajscope.open_run(tmp_path / "run.jsonl", metric="loss", fsync=False) as run:
        run.trial({"lr": 1}, value=1.0, kept=False, diff="+a\n-b", prompt="think " * 500)
    p = panel(tmp_path / "run.jsonl")
    (line,) = p.trials
    found = detail(str(tmp_path / "run.jsonl"), line.row.at, line.row.seq, 80)
    text = said(found.lines)
    assert found.diff == "+a\n-b"
    assert text.count("think") == 500
    assert all(ink.width(x) <= 80 for x in found.lines)
    (tmp_path / "run.jsonl").write_text("gone\n")
    assert "was changed since" in said(detail(str(tmp_path / "run.jsonl"), line.row.at, line.row.seq, 80).lines)


@given(st.text(st.sampled_from("ab 日é[\\"), max_size=40), st.integers(1, 30))
def test_a_text_is_cut_to_columns_and_shows_that_it_was(text: str, most: int) -> None:
    cut = ink.cut(text, most)
    assert columns(cut) <= most
    assert cut == text or cut.endswith("…")


# --- without a screen ---------------------------------------------------------------------------------------------


@pytest.fixture
def cli(tmp_path: Path) -> Cli:
    """The command, in a folder of its own."""
    return Cli(tmp_path)


def test_every_json_line_is_of_the_documented_schema(cli: Cli) -> None:
    done = cli("watch", AMNESIAC, "--replay", "0", "--json")
    lines = [json.loads(x, parse_constant=pytest.fail) for x in done.stdout.splitlines()]
    page = json.loads((SAMPLES.parent / "docs" / "schema" / "watch.schema.json").read_text())
    for line in lines:
        jsonschema.validate(line, page)
    assert [x["trials"] for x in lines] == sorted(x["trials"] for x in lines)
    assert next(x["trials"] for x in lines if x["word"] == "FLAILING") == 30
    assert (lines[-1]["state"], lines[-1]["knob_coverage"], lines[-1]["pair_repeat_rate"]) == ("ended", 6 / 13, 36 / 50)


@pytest.mark.parametrize(
    ("name", "seq", "word"), [("amnesiac", 30, "FLAILING"), ("gamer", 5, "SUSPECT"), ("linter", 13, "TAMPERED")]
)
def test_a_replay_says_when_each_story_could_have_been_stopped(cli: Cli, name: str, seq: int, word: str) -> None:
    done = cli("watch", sample(name), "--replay", "0", "--plain", COLUMNS="120")
    assert done.returncode == 0, done.stderr
    told = done.stdout.partition("when each alarm would first have spoken")[2].splitlines()
    at = next(i for i, line in enumerate(told) if f" {word}: " in line)
    assert told[at].split()[0] == str(seq)
    assert any(rule in told[at + 1] for rule in ("repeats: ", "guards: ", "integrity: "))
    assert all(int(line.split()[0]) <= seq for line in told[2:at])  # alarms without a word may have been earlier
    assert told[-1].startswith(" warnings began at trial: ")
    assert done.stdout.index(f"{word}: ") < done.stdout.index("when each alarm")


@pytest.mark.parametrize(("name", "code"), [("amnesiac", 1), ("gamer", 1), ("higher", 0), ("ties", 3), ("torn", 1)])
def test_until_alarm_speaks_by_its_exit_code(cli: Cli, name: str, code: int) -> None:
    done = cli("watch", sample(name), "--plain", "--until-alarm")
    assert done.returncode == code, done.stdout + done.stderr


def test_standard_input_is_watched_to_its_end(cli: Cli) -> None:
    done = cli("watch", "-", "--json", "--once", stdin=sample("gamer").read_bytes())
    (line,) = map(json.loads, done.stdout.splitlines())
    assert (line["trials"], line["word"], line["state"]) == (100, "SUSPECT", "ended")


def test_a_folder_is_watched_run_by_run_and_strangers_files_are_let_go(cli: Cli) -> None:
    (cli.here / "runs").mkdir()
    for name in ("amnesiac", "gamer"):
        (cli.here / "runs" / f"{name}.jsonl").write_bytes(sample(name).read_bytes())
    (cli.here / "runs" / "notes.jsonl").write_text('{"a": 1}\n')
    done = cli("watch", "runs", "--json", "--once")
    assert done.returncode == 0, done.stderr
    assert {json.loads(x)["file"] for x in done.stdout.splitlines()} == {"runs/amnesiac.jsonl", "runs/gamer.jsonl"}


def test_one_look_is_the_whole_screen_in_plain_text(cli: Cli) -> None:
    done = cli("watch", sample("gamer"), "--once", COLUMNS="90")
    assert done.returncode == 0
    assert "✗ SUSPECT  guard direction_acc has no threshold" in done.stdout
    assert "NOT TO BE TRUSTED" in done.stdout
    assert "\x1b" not in done.stdout
    assert max(map(columns, done.stdout.splitlines())) <= 90


def test_nothing_that_steers_a_terminal_is_printed(cli: Cli) -> None:
    path = hostile(cli.here / "x.jsonl")
    for flags in (["--once"], ["--once", "--plain"], ["--once", "--json"], ["--replay", "0", "--plain"]):
        done = cli("watch", path, *flags)
        assert not set(done.stdout + done.stderr) & set(ESCAPE) - set("]0;owned[2J31mbolred/")


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (("watch", "-", AMNESIAC), "standard input stands alone"),
        (("watch", SAMPLES, AMNESIAC), "a folder stands alone"),
        (("watch", SAMPLES, "--replay", "1"), "plays one file"),
        (("watch", AMNESIAC, "--replay", "-1"), "-1 is not at least 0"),
        (("watch", "nowhere.jsonl", "--replay", "1"), "cannot be read"),
    ],
)
def test_a_wrong_call_is_answered_in_one_line(cli: Cli, args: tuple[object, ...], says: str) -> None:
    assert says in error(cli(*args))


def test_a_file_that_is_not_there_is_unknown(cli: Cli) -> None:
    done = cli("watch", "nowhere.jsonl", "--once")
    assert done.returncode == 3
    assert "? UNKNOWN" in done.stdout


def test_a_piece_of_nothing_is_drawn_as_nothing() -> None:
    from trajscope.watch.chart import chart
    from trajscope.watch.panel import Score

    assert chart(Score(), 80, 5) == []
    assert chart(Score((Piece(1, None, None, None, None, crashed=1),)), 80, 5) == []
    flat = chart(Score((Piece(1, 5.0, 5.0, None, None),) * 3, baseline=5.0), 40, 5)
    assert len(flat) == 5
    assert {ink.width(x) <= 40 for x in flat} == {True}
