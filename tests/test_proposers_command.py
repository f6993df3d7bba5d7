"""The command proposer, with real programs: what they read, what they print, what becomes of them."""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from proposalview import REFUSAL, menu, past, view

from trajscope.rails import Edits, History, Rails, applied
from trajscope_loop.errors import ProposerError
from trajscope_loop.proposers import make
from trajscope_loop.seams import Said, View

KEY = "sk-test-7b1e5f0c9d2a4e8896"
SAID = '{"knob": "lr", "value": 0.05}'
FILES = {"train.py": "LR = 0.5\nSTEPS = 10\n", "src/net.py": "WIDTH = 8\n"}


def run(tmp_path: Path, program: str, seen: View | None = None, **options: Any) -> Said:
    """What a Python program proposes."""
    file = tmp_path / "propose.py"
    file.write_text(f"import json, os, sys, time\nfrom pathlib import Path\n{program}\n")
    asks = make("command", **{"command": [sys.executable, str(file)], "timeout_s": 20, **options})
    return asks.propose(seen or view())


def fails(tmp_path: Path, program: str, **options: Any) -> str:
    with pytest.raises(ProposerError) as caught:
        run(tmp_path, program, **options)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_what_a_program_prints_is_its_proposal(tmp_path: Path) -> None:
    said = run(tmp_path, f"print({SAID!r})")
    assert said.proposal == SAID
    assert Rails(menu(), History.none(menu()), base={"lr": 0.1, "act": "relu"}).ask(said.proposal).passed
    assert (said.tokens_in, said.usd, said.model) == (None, None, None)


def test_a_program_reads_all_that_there_is_to_know(tmp_path: Path) -> None:
    copy = tmp_path / "read"
    seen = view(
        past=past(3), trials=3, denied=("lr=0.5",), untried=("act=gelu",), refusals=(REFUSAL,), refused=("lr=0.5",)
    )
    said = run(tmp_path, f"Path({str(copy)!r}).write_bytes(sys.stdin.buffer.read())\nprint({SAID!r})", seen)
    assert copy.read_text() == said.shown
    told = json.loads(said.shown)
    assert told["past"][2] == {
        "iter": 3,
        "label": "lr=0.003",
        "status": "reverted",
        "value": 0.997,
        "metrics": {"mem": 2.0},
        "reason": "no gain",
    }
    assert told["menu"]["knobs"]["act"]["choices"] == ["relu", "gelu"]
    assert told["refusals"] == [
        {"proposal": "lr=0.5", "rule": "repeat", "reason": "lr=0.5 was tried in trial 3", "alternatives": ["act=gelu"]}
    ]
    assert (told["denied"], told["untried"], told["base"]["lr"]) == (["lr=0.5"], ["act=gelu"], 0.1)
    assert "Refused just now: lr=0.5" in told["prompt"]


def test_a_program_that_takes_text_reads_the_prompt_alone(tmp_path: Path) -> None:
    said = run(tmp_path, f"assert 'Make the loss small.' in sys.stdin.read()\nprint({SAID!r})", stdin="prompt")
    assert said.shown.startswith("You choose what a research campaign tries next.")


def test_a_program_may_say_what_it_cost(tmp_path: Path) -> None:
    told = {"proposal": json.loads(SAID), "model": "m", "tokens_in": 5, "tokens_out": 2, "usd": 0.5, "request": "r1"}
    said = run(tmp_path, f"print(json.dumps({told!r}))")
    assert said.proposal == {"knob": "lr", "value": 0.05}
    assert (said.model, said.tokens_in, said.tokens_out, said.usd, said.request) == ("m", 5, 2, 0.5, "r1")
    odd = run(tmp_path, f"print(json.dumps({told | {'usd': -1, 'tokens_in': 'many'}!r}))")
    assert (odd.usd, odd.tokens_in) == (None, None)


def test_prose_goes_to_the_rails_as_it_is(tmp_path: Path) -> None:
    assert run(tmp_path, "print('I would try a smaller rate.')").proposal == "I would try a smaller rate."


@pytest.mark.parametrize(
    ("program", "why"),
    [
        ("sys.exit(3)", "ended with 3, and its error output is empty"),
        (f"print({SAID!r})\nraise RuntimeError('no disk')", "ended with 1: "),
        ("os.kill(os.getpid(), 9)", "ended with -9"),
        ("print('   ')", "printed no proposal"),
    ],
)
def test_a_program_that_fails_has_proposed_nothing(program: str, why: str, tmp_path: Path) -> None:
    assert why in fails(tmp_path, program)


def test_the_end_of_an_error_output_is_told_and_no_more(tmp_path: Path) -> None:
    told = fails(tmp_path, "sys.stderr.write('x' * 5_000_000 + ' the reason\\n')\nsys.exit(1)")
    assert told.endswith(" the reason")
    assert len(told) < 1_000


def test_an_output_without_end_costs_no_memory_and_is_no_proposal(tmp_path: Path) -> None:
    said = run(tmp_path, "sys.stdout.write('{\"knob\": \"' + 'x' * 8_000_000)")
    assert isinstance(said.proposal, str)
    assert len(said.proposal) < 1_300_000
    assert not Rails(menu(), History.none(menu()), base={"lr": 0.1}).ask(said.proposal).passed


def test_a_program_that_hangs_is_ended_with_all_that_it_started(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    program = (
        "import signal, subprocess\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "p = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'], start_new_session=True)\n"
        f"Path({str(pids)!r}).write_text(f'{{os.getpid()}} {{p.pid}}')\ntime.sleep(60)"
    )
    began = time.monotonic()
    told = fails(tmp_path, program, timeout_s=2)
    assert "was not done within 2 s and was ended" in told
    assert time.monotonic() - began < 15
    for pid in map(int, pids.read_text().split()):
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


# --- keys -----------------------------------------------------------------------------------------------------------


def test_a_program_gets_no_key_but_the_one_that_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTHER_API_KEY", KEY)
    monkeypatch.setenv("AGENT_API_KEY", "agent-key-12345")
    program = "print(json.dumps({'proposal': {'knob': 'lr', 'value': len(os.environ['AGENT_API_KEY'])}}))\n"
    program += "assert 'OTHER_API_KEY' not in os.environ, 'leaked'\nassert os.environ['HOME'] and os.environ['PATH']"
    assert run(tmp_path, program, env=["AGENT_API_KEY"]).proposal == {"knob": "lr", "value": 15}
    assert "KeyError: 'AGENT_API_KEY'" in fails(tmp_path, program)


def test_a_key_that_a_program_prints_is_taken_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AGENT_API_KEY", KEY)
    said = run(tmp_path, "print(json.dumps({'knob': os.environ['AGENT_API_KEY'], 'value': 1}))", env=["AGENT_API_KEY"])
    assert said.proposal == '{"knob": "[redacted]", "value": 1}'
    told = fails(tmp_path, "sys.exit('my key is ' + os.environ['AGENT_API_KEY'])", env=["AGENT_API_KEY"])
    assert told.endswith("my key is [redacted]")


# --- edits of code --------------------------------------------------------------------------------------------------

SETS = "p = Path('train.py'); p.write_text(p.read_text().replace('0.5', '0.3'))\n"


def test_files_that_a_program_changed_are_its_proposal(tmp_path: Path) -> None:
    said = run(tmp_path, SETS + 'print(\'{"reason": "slower"}\')', view(files=FILES), edits=True)
    assert isinstance(said.proposal, dict)
    assert said.proposal["reason"] == "slower"
    assert applied(said.proposal["diff"], FILES) == {**FILES, "train.py": "LR = 0.3\nSTEPS = 10\n"}
    (tmp_path / "tree" / "src").mkdir(parents=True)
    for name, text in FILES.items():
        (tmp_path / "tree" / name).write_text(text)
    rails = Rails(None, History.none(None), base={}, edits=Edits(("train.py", "src/**"), root=tmp_path / "tree"))
    assert rails.ask(said.proposal).passed


def test_a_key_that_a_program_writes_into_code_is_taken_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AGENT", KEY)  # no name that tells
    program = "Path('train.py').write_text('LR = ' + repr(os.environ['AGENT']))"
    said = run(tmp_path, program, view(files=FILES), edits=True, env=["AGENT"])
    assert isinstance(said.proposal, dict)
    assert "+LR = '[redacted]'" in said.proposal["diff"]


def test_what_it_makes_and_removes_is_for_the_rails_to_judge(tmp_path: Path) -> None:
    program = "Path('evil.py').write_text('x = 1\\n'); Path('src/net.py').unlink(); print('done')"
    said = run(tmp_path, program, view(files=FILES), edits=True)
    assert isinstance(said.proposal, dict)
    assert applied(said.proposal["diff"], FILES) == {"train.py": FILES["train.py"], "evil.py": "x = 1\n"}
    assert said.proposal["reason"] == "done"
    rails = Rails(None, History.none(None), base={}, edits=Edits(("train.py", "src/**")))
    assert "evil.py may not be edited" in rails.ask(said.proposal).verdict.reason


def test_what_programs_leave_behind_by_themselves_is_no_edit(tmp_path: Path) -> None:
    program = SETS + "os.mkdir('.agent'); Path('.agent/log').write_text('x'); os.mkdir('__pycache__')\n"
    program += "Path('__pycache__/a.pyc').write_text('x')"
    said = run(tmp_path, program, view(files=FILES), edits=True)
    assert isinstance(said.proposal, dict)
    assert set(applied(said.proposal["diff"], FILES)) == set(FILES)


def test_a_program_that_changed_nothing_has_proposed_nothing(tmp_path: Path) -> None:
    said = run(tmp_path, "print('looks fine')", view(files=FILES), edits=True)
    assert said.proposal == "(no file was changed) looks fine"


def test_a_link_is_no_way_out_of_the_copy(tmp_path: Path) -> None:
    outside = tmp_path / "outside.py"
    outside.write_text("SECRET = 1\n")
    said = run(
        tmp_path, f"os.unlink('train.py'); os.symlink({str(outside)!r}, 'train.py')", view(files=FILES), edits=True
    )
    assert isinstance(said.proposal, dict)
    assert "SECRET" not in said.proposal["diff"]
    beside = tmp_path / "repository"
    beside.mkdir()
    (beside / "train.py").symlink_to(outside)
    run(tmp_path, SETS, view(files=FILES), edits=True, beside=str(beside))
    assert outside.read_text() == "SECRET = 1\n"


def test_what_lies_beside_is_seen_and_never_touched(tmp_path: Path) -> None:
    beside = tmp_path / "repository"
    (beside / ".git").mkdir(parents=True)
    (beside / "notes.md").write_text("mind the rate\n")
    (beside / "train.py").write_text("LR = 'stale'\n")
    program = "assert Path('notes.md').read_text() == 'mind the rate\\n'\nassert not Path('.git').exists()\n" + SETS
    program += "Path('notes.md').write_text('gone\\n')"
    said = run(tmp_path, program, view(files=FILES), edits=True, beside=str(beside))
    assert isinstance(said.proposal, dict)
    assert "+LR = 0.3" in said.proposal["diff"]
    assert "+gone" in said.proposal["diff"]  # rails refuse it; it is not passed over
    assert (beside / "notes.md").read_text() == "mind the rate\n"
    assert (beside / "train.py").read_text() == "LR = 'stale'\n"


def test_where_no_code_may_be_edited_an_editing_program_is_an_error(tmp_path: Path) -> None:
    assert "lets no code be edited" in fails(tmp_path, "pass", edits=True)


def test_the_copy_is_gone_afterwards(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "scratch"))
    (tmp_path / "scratch").mkdir()
    run(tmp_path, SETS, view(files=FILES), edits=True)
    fails(tmp_path, "sys.exit(1)")
    assert list((tmp_path / "scratch").iterdir()) == []


# --- options --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"command": ""}, "command is empty"),
        ({"command": "no-such-program --x"}, "no-such-program is no program"),
        ({"command": "'"}, "cannot be taken apart"),
        ({"command": ["true", f"--key={KEY}"]}, "command holds a key"),
        ({"env": ["NO_SUCH_KEY"]}, "holds no NO_SUCH_KEY"),
        ({"env": "PATH"}, "env names variables"),
        ({"env": ["A=b"]}, "env names variables"),
        ({"stdin": "xml"}, "stdin is 'xml'"),
        ({"timeout_s": -1}, "timeout_s is -1"),
        ({"beside": "."}, "beside goes with edits"),
        ({"beside": "/no/such/folder", "edits": True}, "is no folder"),
        ({"k": 1.5}, "k is 1.5"),
    ],
)
def test_what_is_asked_for_wrongly_is_refused_at_once(options: dict[str, Any], why: str) -> None:
    with pytest.raises(ProposerError) as caught:
        make("command", **{"command": "true", **options})
    assert why in str(caught.value)
    assert KEY not in str(caught.value)


def test_a_command_may_be_one_line_and_stands_in_the_header() -> None:
    head = make("command", command="true --fast 'a b'", k=5).header()
    assert (head["command"], head["history"], head["env"]) == (["true", "--fast", "a b"], 5, [])
    assert json.loads(json.dumps(head)) == head
