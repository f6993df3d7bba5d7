"""Alarms as a whole: what a user may set of them, what a clock adds, and what reaches somebody who is not looking.

Planted and seen to fail: a rule that is off and passes, a FLAILING that stands while its rule is off, silence that
replaces a SUSPECT, a stall that a replay sleeps through, a pause taken for silence, a rule without its data that is
told as a warning.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import pytest
from clirun import Cli
from hypothesis import given
from hypothesis import strategies as st
from law_strategies import analyzed, made
from test_notify import Server
from watchruns import NOON, header, sample, source, trial, watched, write

from trajscope import analysis, rules
from trajscope.alarms import DEFAULTS, QUIETABLE, AlarmSettings, BudgetSettings
from trajscope.menu import parse
from trajscope.notify import sink
from trajscope.readers import Source
from trajscope.rules import Fresh, alive
from trajscope.run import Run
from trajscope.trial import Header, Trial
from trajscope.verdict import Level
from trajscope.watch.panel import Panel
from trajscope.watch.played import Played
from trajscope.watch.telling import Telling
from trajscope.watch.watching import Watching

HOUR = 3600.0


def circling(**alarms: Any) -> Run:
    """A run that keeps one thing, and then goes in circles."""
    run = made(("a", 2, "kept", 0.5), *[("z", 1, "reverted", 1.5 + i % 2 / 100) for i in range(25)])
    run.alarms = AlarmSettings(**alarms)
    return run


def answers(run: Run) -> dict[str, dict[str, Any]]:
    return {v["rule"]: v for v in analyzed(run)["verdicts"]}


# --- what a user may set ----------------------------------------------------------------------------------------------


def test_what_may_be_switched_off_is_every_rule_but_those_of_the_two_worst_words() -> None:
    may = {r.name for r in rules.RULES if r.word not in ("TAMPERED", "SUSPECT")}
    assert set(QUIETABLE) == may | {rules.SILENCE}


@pytest.mark.parametrize("name", QUIETABLE)
def test_a_rule_that_is_off_says_so_and_never_passes(name: str) -> None:
    if name == rules.SILENCE:
        v = rules.heard(Fresh("stalled", 9e9), AlarmSettings(off=(name,)))
        assert (v.level, v.reason) == (Level.WARN, "not evaluable: off by settings")
        return
    found = answers(circling(off=(name,)))[name]
    assert (found["level"], found["reason"]) == ("WARN", "not evaluable: off by settings")


def test_a_run_whose_exploring_was_not_asked_is_not_said_to_explore() -> None:
    on = analyzed(circling())["verdict"]["word"]
    off = analyzed(circling(off=("flailing", "repeats", "dominance", "coverage")))["verdict"]
    assert (on, off["word"]) == ("FLAILING", "UNKNOWN")
    assert "flailing is off by settings" in off["sentence"]


def test_a_word_that_other_rules_still_give_names_those_that_are_off() -> None:
    said = analyzed(circling(off=("repeats", "dominance")))["verdict"]
    assert said["word"] == "FLAILING"
    assert "repeats and dominance are off by settings" in said["sentence"]


def test_the_analysis_names_the_bounds_that_are_not_the_defaults() -> None:
    assert analyzed(circling())["alarms"] == {"bounds": {}, "off": []}
    said = analyzed(circling(plateau=99, budget=BudgetSettings(usd=5.0), off=("stuck",)))
    assert said["alarms"] == {"bounds": {"plateau": 99, "budget.usd": 5.0}, "off": ["stuck"]}


def test_a_plateau_and_a_share_of_repeats_are_as_long_and_as_many_as_the_user_says() -> None:
    assert answers(circling())["flailing"]["level"] == "FAIL"
    loose = answers(circling(plateau=26, repeats=1.0))
    assert "(bound 26)" in loose["flailing"]["reason"]
    assert loose["flailing"]["level"] == "PASS"
    assert (loose["repeats"]["level"], "(bound 100%)" in loose["repeats"]["reason"]) == ("FAIL", True)
    rows = [("z", i if i % 10 < 4 else 99, "reverted", 1.5) for i in range(30)]  # 6 of 10 are repeats
    tight = made(*rows)
    assert answers(tight)["repeats"]["level"] == "WARN"
    tight.alarms = AlarmSettings(repeats=0.5)
    assert answers(tight)["repeats"]["level"] == "FAIL"


def test_settings_beside_a_run_reach_its_analysis_its_screen_and_its_page(tmp_path: Path) -> None:
    cli = Cli(tmp_path)
    (cli.here / "run.jsonl").write_bytes(sample("amnesiac").read_bytes())
    (cli.here / "trajscope.toml").write_text(
        '[alarms]\nrepeats = 1.0\nplateau = 60\noff = ["excess"]\nbudget.hours = 1\n'
    )
    doc = json.loads(cli("analyze", "run.jsonl", "--json").stdout)
    found = {v["rule"]: (v["level"], v["reason"]) for v in doc["verdicts"]}
    assert doc["alarms"]["bounds"] == {"repeats": 1.0, "plateau": 60, "budget.hours": 1.0}
    assert found["repeats"][0] == "WARN"
    assert found["excess"][1] == "not evaluable: off by settings"
    assert found["budget"] == ("FAIL", "1.224 of 1 hours are spent: 122% (bound 100%)")
    assert "not the defaults: repeats 1; plateau 60; budget.hours 1; excess off" in " ".join(
        cli("analyze", "run.jsonl").stdout.split()
    )
    live = json.loads(cli("watch", "run.jsonl", "--once", "--json").stdout)
    assert "budget" in {v["rule"] for v in live["verdicts"]}


def test_a_budget_that_the_header_declares_is_watched_and_a_wrong_one_is_told(tmp_path: Path) -> None:
    def lines(budget: dict[str, Any]) -> list[dict[str, Any]]:
        head = header(settings={"rails": {"budget": budget}})
        return [head, *(trial(n, cost={"usd": 1.0, "wall_s": 60}) for n in range(1, 6))]

    said = {v.rule: v for v in watched(write(tmp_path / "a.jsonl", *lines({"usd": 4, "hours": 9}))).look(NOON).verdicts}
    assert said["budget"].reason.startswith("5 of 4 USD and 0.08333 of 9 hours are spent: 125%")
    p = watched(write(tmp_path / "b.jsonl", *lines({"usd": "four"}))).look(NOON)
    assert p.rows.bad == 1
    assert "usd is 'four'; give a number above 0" in next(v.reason for v in p.verdicts if v.rule == "record")


def test_settings_hold_whichever_way_a_file_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One by one, many at once, from the cache, and played again."""
    from trajscope import cache, replay

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    said, _ = source(sample("amnesiac"))
    set_ = replace(said, alarms=AlarmSettings(repeats=1.0, plateau=60, off=("dominance",)))
    small = analysis.of_file(set_, quick=True)
    monkeypatch.setattr(cache, "WORTH", 0)
    large, cached = (analysis.of_file(set_, quick=True) for _ in range(2))
    assert small == large == cached
    assert small[0]["verdict"]["word"] == "RESEARCHING"
    assert [s.word for s in replay.steps(set_)][-1] == "RESEARCHING"
    assert analysis.of_file(said, quick=True)[0]["verdict"]["word"] == "FLAILING", "and the cache keeps no settings"


# --- the rules that compare with a blind walker -----------------------------------------------------------------------


def test_a_blind_walker_is_accused_of_nothing() -> None:
    """The law behind the bounds of `excess`, `stuck` and `family_dominance`: of all walkers 1% at most, ever."""
    asked = tuple(r for r in rules.RULES if r.name in ("excess", "stuck", "family_dominance"))
    knobs = {f"k{i}": {"choices": list(range(1, 8)), "default": 1, "family": "xyz"[i % 3]} for i in range(5)}
    known = parse({"knobs": knobs})
    for seed in range(12):
        draw = Random(seed)
        run = made(header=Header(run_id="r", metric="loss", goal="minimize", baseline=1.0, menu=known))
        for seq in range(1, 71):
            move = known.pair({f"k{draw.randrange(5)}": draw.randint(2, 7)})
            run.push(Trial(seq=seq, at=0, status="reverted", value=2.0, pair=move))
            said = rules.judge(run, analysis.values(run, quick=True), asked)
            assert not [v for v in said if v.level is Level.FAIL], (seed, seq)


# --- what a clock adds ------------------------------------------------------------------------------------------------


@given(st.one_of(st.none(), st.floats(0, 1e6)), st.one_of(st.none(), st.floats(0, 1e5)), st.integers(1, 20))
def test_the_word_stalled_the_state_and_the_rule_are_one_decision(
    age_s: float | None, usual_s: float | None, factor: int
) -> None:
    set_ = AlarmSettings(stalled_factor=float(factor), stalled_min_s=5.0)
    for alarms in (DEFAULTS, set_):
        fresh = alive.judge(age_s, usual_s, alarms)
        verdict = rules.heard(fresh, alarms)
        word = rules.stalled(rules.Word("RESEARCHING", "it goes on"), verdict)
        assert (fresh.state == "stalled") == (verdict.level is Level.FAIL) == (word.word == "STALLED")
        assert (fresh.state == "stalled") == (age_s is not None and age_s > alive.bound_s(usual_s, alarms))


def test_a_user_says_after_how_many_gaps_a_run_is_stalled() -> None:
    assert alive.bound_s(100.0) == 500.0
    assert alive.bound_s(100.0, AlarmSettings(stalled_factor=2.0)) == 200.0
    assert alive.bound_s(1.0, AlarmSettings(stalled_min_s=10.0)) == 10.0
    assert alive.bound_s(None, AlarmSettings(stalled_min_s=10.0)) == alive.BLIND_S
    assert alive.bound_s(None, AlarmSettings(stalled_min_s=9000.0)) == 9000.0


@pytest.mark.parametrize("word", ["TAMPERED", "SUSPECT"])
def test_no_silence_replaces_what_is_worse(word: str) -> None:
    said = rules.Word(word, "why")
    assert rules.stalled(said, rules.heard(Fresh("stalled", 9e9), DEFAULTS)) == said


@pytest.mark.parametrize("word", ["FLAILING", "UNKNOWN", "RESEARCHING"])
def test_silence_replaces_what_is_better_and_says_what_it_was(word: str) -> None:
    said = rules.stalled(rules.Word(word, "why"), rules.heard(Fresh("stalled", 400.0, 60.0, 300.0), DEFAULTS))
    assert said.word == "STALLED"
    assert said.sentence == (
        f"nothing was heard for 400 s, and a trial usually takes 60 s (bound 300 s); before that {word}: why"
    )


def test_a_suspect_run_that_falls_silent_stays_suspect_on_the_screen() -> None:
    watching = watched(sample("gamer"), NOON)
    head = watching.live.run
    assert head is not None
    p = watching.look(NOON + 365 * 24 * HOUR)
    assert (p.word.word, p.fresh.state) in (("SUSPECT", "stalled"), ("SUSPECT", "ended"))


def test_without_a_clock_nobody_is_asked_whether_a_run_is_alive() -> None:
    assert rules.SILENCE not in answers(circling())


@pytest.mark.parametrize("state", ["absent", "reading", "replay", "not begun", "cut off"])
def test_where_silence_cannot_be_judged_it_neither_passes_nor_fails(state: Any) -> None:
    v = rules.heard(Fresh(state, 9e9), DEFAULTS)
    assert (v.level, v.reason.startswith(rules.NOT_EVALUABLE)) == (Level.WARN, True)


def _silent(tmp_path: Path, *between: dict[str, Any]) -> Watching:
    """A played run of a trial a minute, with two hours of nothing after the tenth."""
    head = header(started="2026-01-01T12:00:00Z")
    rows = [trial(n, at_s=60.0 * n) for n in range(1, 11)] + [*between]
    rows += [trial(n, at_s=60.0 * n + 2 * HOUR) for n in range(11 + len(between), 14)]
    path = write(tmp_path / "a.jsonl", head, *rows)
    watching = Watching(Source(str(path)), played=Played(str(path), 0.0, lambda: 0.0))
    while not watching.over:
        watching.step(0.0)
    return watching


def test_a_replay_says_when_the_run_would_have_been_called_stalled(tmp_path: Path) -> None:
    found = _silent(tmp_path).moments.found
    stall = found["silence", "FAIL"]
    assert (stall.seq, stall.trials) == (10, 10)
    assert stall.said == "nothing was heard for 2.0 h, and a trial usually takes 60 s (bound 300 s)"
    assert found["word", "STALLED"].seq == 10


def test_a_replay_takes_a_pause_for_a_person_for_no_silence(tmp_path: Path) -> None:
    at = "2026-01-01T12:10:05Z"
    pause = {"v": 1, "type": "event", "seq": 11, "kind": "pause", "at": at}
    assert not [x for x in _silent(tmp_path, pause).moments.found if "silence" in x or "STALLED" in x]


def test_until_alarm_ends_for_silence(tmp_path: Path) -> None:
    cli = Cli(tmp_path)
    write(cli.here / "run.jsonl", header(), *(trial(n, at_s=60.0 * n) for n in range(1, 9)))  # long ago
    done = cli("watch", "run.jsonl", "--until-alarm", "--json")
    said = json.loads(done.stdout.splitlines()[-1])
    assert (done.returncode, said["word"]) == (1, "STALLED")
    assert said["verdicts"][0]["rule"] == "silence"


# --- what reaches somebody --------------------------------------------------------------------------------------------


@pytest.fixture
def server() -> Iterator[Server]:
    s = Server()
    yield s
    s.close()


def test_a_server_hears_an_alarm_once_again_and_that_it_is_over_and_of_silence_and_no_diff(
    server: Server, tmp_path: Path
) -> None:
    """The whole way: lines of a file, rules, memory of what was said, HTTP."""
    changed = "+lr = 'hunter2'"
    crash: dict[str, Any] = {"status": "crashed", "value": None, "diff": f"--- a\n+++ b\n{changed}\n"}
    path = write(tmp_path / "run.jsonl", header(), *(trial(n, at_s=60.0 * n, diff=changed) for n in range(1, 6)))
    watching = watched(path)
    failed: list[str] = []
    telling = Telling([sink(server.url), sink(f"slack+{server.url}/slack")], failed.append, again_s=HOUR)

    def goes_on(now_s: float, *lines: dict[str, Any]) -> None:
        write(path, *lines, mode="ab")
        watching.step(NOON + now_s)
        telling.hear(watching.look(NOON + now_s))

    goes_on(300)
    goes_on(600, *(trial(n, at_s=60.0 * n, **crash) for n in range(6, 11)))  # five crashes in a row
    goes_on(610)  # and nothing new
    goes_on(660, trial(11, at_s=660.0, **crash))  # a sixth is the same alarm
    goes_on(720, trial(12, at_s=720.0))  # over
    goes_on(720 + 400)  # silence: more than five minutes
    goes_on(720 + 500)
    goes_on(720 + 400 + HOUR)  # and it lasts
    goes_on(5000, trial(13, at_s=5000.0))
    telling.close()
    own = [b for p, b in server.got if p == "/hook"]
    assert [(m["rule"], m["state"]) for m in own] == [
        ("crashes", "firing"),
        ("crashes", "resolved"),
        ("silence", "silent"),
        ("silence", "silent"),
        ("silence", "resolved"),
    ]
    assert own[0]["text"].startswith("5 trials in a row crashed (bound 5)")  # type: ignore[attr-defined]  # JSON
    assert own[0]["evidence"] == [6, 7, 8, 9, 10]
    slack = [b["text"] for p, b in server.got if p == "/hook/slack"]
    assert [str(x).split()[0] for x in slack] == ["ALARM", "OVER", "SILENT", "SILENT", "OVER"]
    assert not [body for _, body in server.got if "hunter2" in json.dumps(body)]
    assert failed == []


def test_an_alarm_that_still_holds_is_told_a_server_again_after_the_interval(server: Server, tmp_path: Path) -> None:
    crash: dict[str, Any] = {"status": "crashed", "value": None}
    path = write(tmp_path / "run.jsonl", header(), *(trial(n, at_s=60.0 * n, **crash) for n in range(1, 7)))
    watching = watched(path)
    telling = Telling([sink(server.url)], pytest.fail, again_s=120.0)
    for n in range(7, 12):  # a minute each
        write(path, trial(n, at_s=60.0 * n, **crash), mode="ab")
        watching.step(NOON + 60.0 * n)
        telling.hear(watching.look(NOON + 60.0 * n))
    telling.close()
    assert [(m["state"], m["trials"]) for _, m in server.got] == [("firing", 7), ("still", 9), ("still", 11)]


def test_what_lacks_its_data_is_told_nobody_as_a_warning(server: Server) -> None:
    watching = Watching(*source(sample("amnesiac")))
    while watching.behind or not watching.live.run:
        watching.step(NOON)
    telling = Telling([sink(server.url)], pytest.fail, least=Level.WARN)
    telling.hear(watching.look(NOON)._replace(fresh=Fresh("running", 1.0)))
    telling.close()
    told = {str(m["rule"]) for _, m in server.got}
    assert {"repeats", "kept_dominance", "unconfirmed"} <= told
    assert not told & {"divergence", "gain_share", "budget"}


def test_the_screen_says_why_of_every_alarm_with_its_trials() -> None:
    from trajscope.watch import texts

    p: Panel = watched(sample("amnesiac")).look(NOON)
    page = "\n".join("".join(s.text for s in line) for line in texts.why(p, 120))
    for v in p.alarms:
        assert v.reason[:60] in page, v
    assert "kept_dominance" in page
    assert "what could not be asked of this run" in page


def test_a_guard_that_could_not_run_is_no_alarm_that_settings_can_silence(tmp_path: Path) -> None:
    cli = Cli(tmp_path)
    write(cli.here / "run.jsonl", header(), trial(1))
    (cli.here / "trajscope.toml").write_text('[alarms]\noff = ["guards"]\n')
    done = cli("analyze", "run.jsonl")
    assert done.returncode == 2
    assert "[alarms] off: 'guards' cannot be switched off" in done.stderr
