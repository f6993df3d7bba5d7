"""`trajscope rail`: how it starts, what it answers, what the self-test and the replay show.

Planted and seen to fail: typer imported by a check, a pass without its JSON line, a base that was guessed, a self-test
that a command which refuses everything, or nothing, would pass.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from clirun import AMNESIAC, ROOT, SAMPLES, Cli, error
from railfield import BASE, FRESH, MENU, TRIED, Field
from runfiles import start

from trajscope import menu as menus
from trajscope.cli import words
from trajscope.errors import MenuError, RecordError
from trajscope.rails import proof
from trajscope.verdict import Level

HEAVY = "pydantic typer click rich numpy polars duckdb altair scipy textual filelock sqlite3 subprocess asyncio"


@pytest.fixture
def field(tmp_path: Path) -> Field:
    """A menu, a run of two trials, and the command."""
    return Field(tmp_path)


@pytest.fixture
def cli(tmp_path: Path) -> Cli:
    """The command, in a folder of its own."""
    return Cli(tmp_path)


# --- how it starts -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("proposal", [FRESH, TRIED, {"knob": "nowhere", "value": 1}])
def test_a_check_imports_nothing_heavy(field: Field, proposal: object) -> None:
    field.env["PYTHONPROFILEIMPORTTIME"] = "1"
    said = field.check(proposal)
    loaded = {line.rpartition("|")[2].strip().partition(".")[0] for line in said.err.splitlines() if "|" in line}
    assert {"trajscope", "msgspec"} <= loaded
    assert loaded & set(HEAVY.split()) == set()


@pytest.mark.parametrize("verb", words.VERBS)
def test_every_verb_has_help_with_an_example_that_runs(field: Field, cli: Cli, verb: str) -> None:
    done = cli("rail", verb, "--help", COLUMNS="80")
    assert (done.returncode, done.stderr) == (0, "")
    assert max(map(len, done.stdout.splitlines())) <= 80
    found = re.search(r"Example: ([^\n]*trajscope [^\n]*(?:\n  \S[^\n]*)*)", done.stdout)
    assert found
    assert f"trajscope rail {verb}" in " ".join(found[1].split())
    shutil.copy(field.menu, cli.here / "menu.json")
    shutil.copy(field.run, cli.here / "run.jsonl")
    example = cli.shell(" ".join(found[1].split()))
    assert example.returncode == 0, example.stderr
    assert example.stdout


def test_the_list_of_verbs_says_what_each_says_of_itself(cli: Cli) -> None:
    done = cli("rail", "--help")
    assert done.returncode == 0
    assert all(f"  {verb}" in done.stdout and about in done.stdout for verb, (_, about) in words.VERBS.items())
    done = cli("rail")
    assert (done.returncode, done.stderr) == (2, "")
    assert "Verbs:" in done.stdout


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (("chek",), "no rail verb is called 'chek'; did you mean check?"),
        (("xyzzy",), "no rail verb is called 'xyzzy'; have: check, selftest, replay"),
        (("selftest", "--jsn"), "no option is called --jsn; did you mean --json?"),
        (("selftest", "x"), "got an unexpected argument 'x'"),
        (("selftest", "--timeout", "nan"), "nan is not above 0 and finite"),
        (("selftest", "--menu", "no.json"), "no.json: cannot be read (No such file"),
        (("replay",), "required: RUN"),
        (("replay", "x", "--window", "0"), "0 is not at least 1"),
        (("replay", "nowhere.jsonl"), "nowhere.jsonl: cannot be read (No such file"),
        (("replay", str(AMNESIAC), "--only", "nothing"), "'nothing' is none of schema, menu"),
    ],
)
def test_a_wrong_call_is_told_in_one_line(cli: Cli, call: tuple[str, ...], says: str) -> None:
    assert says in error(cli("rail", *call))


# --- what it answers -----------------------------------------------------------------------------------------------


def test_a_refusal_is_one_line_with_its_rule_its_reason_and_what_to_try(field: Field) -> None:
    field.words.remove("--json")
    said = field.check(TRIED)
    assert (said.code, said.out) == (2, "")
    assert re.fullmatch(r"trajscope: refused \(repeat\): lr=0\.01 was tried before.*; untried: .+\n", said.err), (
        said.err
    )


def test_a_pass_is_one_line_too(field: Field) -> None:
    field.words.remove("--json")
    said = field.check()
    assert (said.code, said.out) == (0, "")
    assert re.fullmatch(r"trajscope: passed \(rails\): act=silu.*\n", said.err), said.err


def test_the_answer_in_json_names_everything(field: Field) -> None:
    said = field.check(TRIED).json
    names = ["schema", "passed", "rule", "level", "reason", "evidence", "elsewhere", "alternatives", "proposal"]
    assert list(said) == names
    assert (said["passed"], said["rule"], said["level"], said["evidence"]) == (False, "repeat", "FAIL", [1])
    assert 0 < len(said["alternatives"]) <= 8
    assert said["proposal"] == {"pair": "lr=0.01", "changes": [{"knob": "lr", "value": 0.01}], "intent": None}
    assert field.check(b"no JSON").json["proposal"] is None


def test_control_characters_of_strangers_reach_no_terminal(field: Field) -> None:
    for proposal, more in (({"knob": "lr\x1b[31m", "value": 1}, ()), (FRESH, ("--menu", "\x1b[31m.json"))):
        said = field.check(proposal, *more)
        assert said.code == 2
        assert "\x1b" not in said.out + said.err


def test_trials_of_other_files_are_named_by_their_place(field: Field) -> None:
    other = field.folder / "earlier.jsonl"
    with start(other, menu=MENU, base=BASE) as run:
        run.trial({"depth": 8}, value=1.0, kept=False, wall_s=1.0)
    said = field.check({"knob": "depth", "value": 8}, "--run", str(other)).json
    assert (said["rule"], said["evidence"], said["elsewhere"]) == ("repeat", [], [f"{other}:2"])
    assert field.check({"knob": "depth", "value": 8}).code == 0


def test_without_a_history_the_defaults_of_the_menu_are_the_base(field: Field) -> None:
    field.words = ["--menu", str(field.menu), "--no-history", "--json"]
    assert field.check().code == 0
    assert field.check({"knob": "lr", "value": 0.001}).json["rule"] == "noop"
    field.menu.write_text(json.dumps({"knobs": {**MENU["knobs"], "new": {"range": [0.0, 1.0]}}}))
    said = field.check()
    assert (said.code, said.json["rule"], said.json["level"]) == (2, "base", "UNKNOWN")
    assert said.json["reason"].endswith("the menu has no default for new; say it with --base")


@pytest.mark.parametrize("typed", [True, False])
def test_the_base_may_be_typed_or_stand_in_a_file(field: Field, typed: bool) -> None:
    base = json.dumps(BASE | {"act": "silu"})
    (field.folder / "base.json").write_text(base)
    said = field.check(FRESH, "--base", base if typed else "base.json")
    assert said.json["rule"] == "noop"


def test_a_base_that_the_record_leaves_in_doubt_is_asked_for(field: Field) -> None:
    field.run.unlink()
    with start(field.run, menu=MENU) as run:  # says no base
        run.trial({"lr": 0.01}, value=2.0, kept=False, wall_s=1.0)
    said = field.check()
    assert (said.code, said.json["rule"]) == (2, "base")
    assert "the run does not record the configuration it starts from; say it with --base" in said.json["reason"]
    assert field.check(FRESH, "--base", json.dumps(BASE)).code == 0
    assert field.check({"knob": "nowhere", "value": 1}).json["rule"] == "menu"  # what is plainly wrong is told first


def test_a_kept_change_is_part_of_the_base(field: Field) -> None:
    field.run.unlink()
    with start(field.run, menu=MENU, base=BASE) as run:
        more: dict[str, Any] = {"diff": "d", "deltas": {"loss": {"incumbent": -1.0}}, "seeds": {0: 1.0}, "wall_s": 1.0}
        run.trial({"lr": 0.01}, kept=True, **more)
    assert field.check().code == 0
    declared = {"knob": "lr", "value": 0.01, "intent": "revisit"}
    assert field.check(declared).json["rule"] == "noop"


def test_budgets_refuse_before_they_are_overrun(field: Field) -> None:
    # Two trials of a minute and a dollar each are recorded.
    for option, enough, spent in (("trials", 3, 2), ("hours", 0.06, 0.04), ("usd", 3, 2.5)):
        assert field.check(FRESH, f"--budget-{option}", str(enough)).code == 0, option
        assert field.check(FRESH, f"--budget-{option}", str(spent)).json["rule"] == "budget", option
    said = field.check(FRESH, "--budget-tokens", "1000").json
    assert (said["rule"], said["level"]) == ("budget", "UNKNOWN")


DIFF = "--- a/train.py\n+++ b/train.py\n@@ -1 +1 @@\n-LR = 0.5\n+LR = 0.4\n"


def test_a_diff_passes_only_where_edits_are_declared(field: Field) -> None:
    (field.folder / "train.py").write_text("LR = 0.5\n")
    proposal = {"knob": "code:LR", "value": None, "diff": DIFF}
    assert field.check(proposal).code == 2
    edits = field.folder / "edits.json"
    edits.write_text(json.dumps({"allowed": ["train.py"], "root": "."}))
    words = ("--edits", "edits.json", "--base", json.dumps(BASE))
    said = field.check(proposal, *words)
    assert said.json["rule"] != "usage", said
    edits.write_text(json.dumps({"allowed": ["other.py"], "root": "."}))
    assert field.check(proposal, *words).json["rule"] == "edit"
    edits.write_text(json.dumps({"alowed": ["train.py"]}))
    said = field.check(proposal, *words)
    assert said.json["rule"] == "usage"
    assert "alowed" in said.json["reason"]


def test_debug_shows_the_traceback_and_changes_no_answer(field: Field) -> None:
    field.menu.unlink()
    said = field.check(FRESH, "--debug")
    assert (said.code, said.json["rule"]) == (2, "menu")
    assert "Traceback" in said.err


# --- the self-test -------------------------------------------------------------------------------------------------

YES = "import json, sys; sys.stdin.read(); print(json.dumps({**ANSWER, 'passed': True, 'level': 'PASS'}))"
NO = "import json, sys; sys.stdin.read(); print(json.dumps({**ANSWER, 'passed': False, 'level': 'FAIL'})); sys.exit(2)"
ANSWER = {"rule": "repeat", "reason": "so", "evidence": [], "elsewhere": [], "alternatives": []}


def fake(code: str) -> Sequence[str]:
    return sys.executable, "-c", code.replace("ANSWER", repr(ANSWER))


def test_the_brakes_hold_here() -> None:
    found = proof.selftest(command=(sys.executable, "-m", "trajscope.cli"))
    assert found.passed, [p for p in found.plants if not p.held]
    assert {p.wanted for p in found.plants} == {"refused", "passed"}


def test_a_menu_of_ones_own_can_be_planted_in() -> None:
    menu = menus.load(AMNESIAC.with_name("amnesiac.menu.json"))
    assert proof.selftest(menu=menu, command=(sys.executable, "-m", "trajscope.cli")).passed


@pytest.mark.parametrize(
    ("code", "held"),
    [
        (YES, {"a pair that was not"}),
        (NO, {"a pair that was tried before"}),  # the rule it names fits no other
        ("", set()),
        ("raise SystemExit(2)", set()),
    ],
)
def test_a_command_that_always_says_the_same_does_not_pass(code: str, held: set[str]) -> None:
    found = proof.selftest(command=fake(code))
    assert not found.passed
    assert {p.name for p in found.plants[:5] if p.held} == held


def test_a_missing_command_does_not_pass() -> None:
    found = proof.selftest(command=("/nowhere/trajscope",))
    assert not found.passed
    assert any("FileNotFoundError" in p.said for p in found.plants if not p.held)


def test_a_gate_that_takes_a_guard_without_a_threshold_does_not_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    from trajscope.keep import settings

    monkeypatch.setattr(settings, "declared", lambda table: None)
    found = proof.selftest(command=(sys.executable, "-m", "trajscope.cli"))
    assert {p.name for p in found.plants if not p.held} == {
        f"a guard whose threshold is {kind}" for kind in ("missing", "null", "NaN", "a text")
    }


def test_what_is_broken_inside_is_told_and_does_not_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(proof, "Rails", None)
    found = proof.selftest(command=(sys.executable, "-m", "trajscope.cli"))
    assert [p.name for p in found.plants if not p.held] == ["proposals, asked in this process"]


def test_a_menu_without_room_is_an_error() -> None:
    with pytest.raises(MenuError, match="no room for two different proposals"):
        proof.selftest(menu=menus.parse({"act": {"choices": ["a", "b"], "default": "a"}}))


def events(path: Path) -> list[dict[str, object]]:
    return [r for r in map(json.loads, path.read_text().splitlines()) if r["type"] in ("event", "end")]


FOUND = proof.Selftest("2026-01-01T12:00:00.000Z", "trajscope", (proof.Plant("a pair", "refused", True, "repeat: so"),))


def test_the_self_test_is_recorded_in_a_run_that_is_idle(field: Field, cli: Cli) -> None:
    said = json.loads(cli("rail", "selftest", "--run", field.run, "--json").stdout)
    assert (said["passed"], said["recorded"]) == (True, f"{field.run}:5")
    resume, test = events(field.run)
    assert (resume["kind"], test["kind"]) == ("resume", "selftest")
    assert test["data"]["passed"] is True  # type: ignore[index]  # JSON
    assert field.check().code == 0
    assert proof.record(field.run, FOUND) == 6


def test_a_run_that_had_ended_has_ended_again(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    with start(path, base=BASE, menu=MENU) as run:
        run.trial({"lr": 0.01}, value=2.0, kept=False)
        run.end("out of money")
    proof.record(path, FOUND)
    last = events(path)[-1]
    assert (last["type"], last["reason"]) == ("end", "out of money")


def test_a_run_with_every_field_of_a_header_takes_a_record(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    more = {
        "metrics": [{"name": "acc", "role": "guard", "floor": 0.5}],
        "evaluator_hash": "e",
        "seeds": [1, 2],
        "own": 3,
    }
    start(path, metric={"name": "loss", "goal": "minimize", "unit": "nats"}, domain="d", **more).close()
    assert proof.record(path, FOUND) == 2


def test_a_run_that_is_being_written_is_left_alone_and_its_loop_told_how(cli: Cli) -> None:
    path = cli.here / "run.jsonl"
    with start(path, base=BASE, menu=MENU) as run:
        before = path.read_bytes()
        done = cli("rail", "selftest", "--run", path)
        assert (done.returncode, path.read_bytes()) == (1, before)
        assert "another writer holds it" in done.stderr
        assert "rails.selftest(run), with its own writer" in done.stderr
        proof.selftest(run, command=fake(""))
    assert events(path)[0]["kind"] == "selftest"


@pytest.mark.parametrize("text", ["", "{}\n", '{"_meta": {}}\n'])
def test_a_file_that_is_no_run_of_ours_takes_no_record(tmp_path: Path, text: str) -> None:
    path = tmp_path / "other.jsonl"
    path.write_text(text)
    with pytest.raises(RecordError, match=r"other\.jsonl:1: is not the header of a run"):
        proof.record(path, FOUND)
    assert path.read_text() == text


# --- the replay ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("more", "blocked", "keeps"),
    [(("--only", "repeat"), 36, 7), (("--only", "repeat", "--window", "5"), 11, None), ((), 37, 7)],
)
def test_the_replay_of_the_amnesiac_says_what_it_would_have_saved_and_lost(
    cli: Cli, more: tuple[str, ...], blocked: int, keeps: int | None
) -> None:
    said = json.loads(cli("rail", "replay", AMNESIAC, *more, "--json").stdout)
    assert (sum(map(len, said["blocked"].values())), said["passed"]) == (blocked, 50 - blocked)
    assert keeps is None or len(said["keeps_blocked"]) == keeps
    done = cli("rail", "replay", AMNESIAC, *more, "--rows", COLUMNS="80")
    assert done.returncode == 0
    rows = [line for line in done.stdout.splitlines() if re.match(r" +\d+ +\d+  (kept|reverted)", line)]
    assert len(rows) == blocked


def test_the_replay_says_both_what_comes_back_and_what_is_lost(cli: Cli) -> None:
    text = " ".join(cli("rail", "replay", AMNESIAC, "--only", "repeat").stdout.split())
    assert "would have blocked 36 of 50 trials and returned 3,266 of 4,406 s" in text
    assert "of 8 keeps 7 are among them, all but iteration 4" in text
    assert "36 trials in full with --rows" in text


def test_a_replay_without_anything_blocked_shows_no_table(cli: Cli) -> None:
    with start(cli.here / "run.jsonl", base=BASE, menu=MENU) as run:
        run.trial({"lr": 0.01}, value=2.0, kept=False, wall_s=1.0)
    done = cli("rail", "replay", "run.jsonl")
    assert done.returncode == 0
    assert "would have blocked 0 of 1 trials" in done.stdout
    assert "--rows" not in done.stdout


def test_a_pipe_that_closes_early_is_no_failure_of_a_replay() -> None:
    big = SAMPLES / "synthetic_1000" / "synthetic_1000.jsonl"
    command = [sys.executable, "-m", "trajscope.cli", "rail", "replay", str(big), "--rows"]
    child = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert child.stdout
    child.stdout.close()
    _, err = child.communicate(timeout=50)
    assert (child.returncode, err) == (0, b"")


def test_what_ask_command_hears_of_the_real_command_is_what_it_said(field: Field) -> None:
    from trajscope.rails.asking import ask_command

    command = (sys.executable, "-m", "trajscope.cli")
    said = ask_command(TRIED, menu=field.menu, runs=[field.run], command=command)
    assert (said.rule, said.level, said.evidence) == ("repeat", Level.FAIL, (1,))
    assert ask_command(FRESH, menu=field.menu, runs=[field.run], base=BASE, command=command).level is Level.PASS
    assert ask_command(FRESH, menu=field.menu, runs=[], command=command).rule == "usage"
