"""`trajscope gate` on a terminal and as JSON, and its page in the documentation.

Planted and seen to fail: passes above failures, the exit code of the last split only, a check that the page lacks.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import corpusfield as field
import jsonschema
import pytest
from clirun import AMNESIAC, ROOT, SAMPLES, Cli, error

from trajscope.corpus import DROPS
from trajscope.corpus.checks import CHECKS
from trajscope.corpus.gating import schema
from trajscope.corpus.split import KINDS

PAGE = (ROOT / "docs" / "gate.md").read_text("utf-8")


@pytest.fixture
def cli(tmp_path: Path) -> Cli:
    """The command, in a folder of its own."""
    return Cli(tmp_path)


def test_what_fails_comes_first_and_what_to_do_comes_last(cli: Cli) -> None:
    done = cli("gate", AMNESIAC, "--split", "at:42", "--history", 5, COLUMNS="120")
    assert (done.returncode, done.stderr) == (1, "")
    lines = done.stdout.splitlines()
    marks = "".join(x[1] for x in lines if x[1:2] in "✗?●" and x[2:3] == " ")
    assert re.fullmatch(r"✗(✗{11})(\?{9})(●{3})", marks)
    heads = [x.split()[0] for x in lines if x.startswith((" fails", " cannot", " passes", " what"))]
    assert heads == ["fails", "cannot", "passes", "what"]
    assert lines[3].startswith(" ✗ FAIL  do not distil this: 11 checks fail, 9 cannot be told, 3 pass")


def test_each_failed_check_is_one_line_that_names_trials_where_there_is_room(cli: Cli) -> None:
    lines = cli("gate", AMNESIAC, "--split", "at:42", "--history", 5, COLUMNS="140").stdout.splitlines()
    failed = lines[lines.index(next(x for x in lines if x.startswith(" fails"))) + 1 :][:11]
    assert all(x.startswith(" ✗ ") for x in failed)
    assert any("36 of 50 rows propose what an earlier row did (trials 5, 6, 7, 8, 9, 11" in x for x in failed)
    assert all(len(x) <= 140 for x in lines)


def test_too_little_is_three_and_says_that_it_is_no_pass(cli: Cli) -> None:
    paths = field.write(cli.here, [field.Plan([("k00", 1), ("k01", 1)], frozenset({0}))])
    done = cli("gate", *paths)
    assert done.returncode == 3
    assert "? INSUFFICIENT  nobody can tell yet whether this may be distilled, and that is no pass" in done.stdout


def test_a_diverse_corpus_is_zero_and_says_only_what_passed(cli: Cli) -> None:
    done = cli("gate", *field.write(cli.here, field.clean()))
    assert done.returncode == 0, done.stdout
    assert "● PASS  this may be distilled: 23 pass" in done.stdout
    assert "what to do" not in done.stdout
    assert "c0.jsonl and 4 more files" in " ".join(done.stdout.split())


def test_rows_of_several_runs_are_named_by_their_run(cli: Cli) -> None:
    def outside(campaign: int, line: dict[str, Any]) -> None:
        if campaign == 2 and line["iter"] == 9:
            line["attempts"][0]["changes"] = [{"knob": "k00", "value": 99}]

    done = cli("gate", *field.write(cli.here, field.clean(), change=outside), COLUMNS="120")
    assert "1 of 300 rows propose what the menu lacks (trial campaign-2:" in done.stdout


def test_of_several_splits_each_is_told_and_the_worst_counts(cli: Cli) -> None:
    paths = field.write(cli.here, field.clean())
    done = cli("gate", *paths, "--split", "campaign", "--split", "stratified")
    assert done.returncode == 1
    assert done.stdout.count("policy default") == 2
    alone = cli("gate", *paths, "--split", "stratified", "--split", "campaign", "--json")
    assert alone.returncode == 1
    assert [json.loads(x)["outcome"] for x in alone.stdout.splitlines()] == ["fail", "pass"]


def test_the_json_is_what_its_schema_says(cli: Cli) -> None:
    done = cli("gate", AMNESIAC, "--json", "--split", "at:42")
    (line,) = done.stdout.splitlines()
    said = json.loads(line)
    jsonschema.Draft202012Validator(schema()).validate(said)
    assert [c["name"] for c in said["checks"]] == [name for name in CHECKS if name != "claims"]
    assert json.loads((ROOT / "docs" / "schema" / "gate.schema.json").read_text("utf-8")) == schema()


def test_a_policy_of_ones_own_is_read_from_its_file(cli: Cli) -> None:
    text = (ROOT / "trajscope" / "corpus" / "policies" / "default.toml").read_text("utf-8")
    (cli.here / "mine.toml").write_text(text.replace("[campaigns]\nmin = 3", "[campaigns]\nmin = 6"))
    done = cli("gate", *field.write(cli.here, field.clean()), "--policy", "mine.toml")
    assert done.returncode == 3
    assert "policy mine.toml" in done.stdout
    assert "? campaigns" in done.stdout


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (("--policy", "defualt"), "no policy is called 'defualt'; did you mean default?"),
        (("--policy", "typo.toml"), "typo.toml: [row] is nothing that a policy knows; did you mean [rows]?"),
        (("--split", "half"), "--split 'half' is none of auto, campaign, labels"),
        (("--split", "campaign"), "use --split labels"),
        (("--embargo", 3), "only tail and at:ITER have a boundary in time"),
        (("--sft", "gone.jsonl"), "gone.jsonl: cannot be read"),
        (("--sft", "empty.jsonl"), "empty.jsonl: holds no rows"),
        (("gone.jsonl",), "gone.jsonl: cannot be read"),
        (("empty.jsonl",), "empty.jsonl: is empty; there is nothing to read yet"),
    ],
)
def test_what_cannot_be_asked_is_one_line_with_a_way_out(cli: Cli, args: tuple[object, ...], said: str) -> None:
    (cli.here / "typo.toml").write_text("[row]\nmin = 1\n")
    (cli.here / "empty.jsonl").write_text("")
    assert said in error(cli("gate", AMNESIAC, *args))


def test_a_pipe_is_refused(cli: Cli) -> None:
    assert "save it into a file first" in error(cli("gate", "-", stdin=AMNESIAC.read_bytes()))


@pytest.mark.parametrize("name", ["mixed_values/typed", "nonfinite/nonfinite", "torn/torn", "all_crashed/all_crashed"])
def test_no_odd_file_passes_or_breaks_it(cli: Cli, name: str) -> None:
    done = cli("gate", SAMPLES / f"{name}.jsonl")
    assert done.returncode in (1, 3)
    assert done.stderr == ""


def test_hostile_texts_reach_no_terminal(cli: Cli) -> None:
    lines = field.Lines(cli.here / "bad.jsonl")
    lines.add("run", run_id="\x1b[31mr", campaign="c\x07", metric={"name": "loss", "goal": "minimize"})
    for _ in range(60):
        lines.add("trial", iter=1, status="kept", attempts=[{"knob": "a\x1b]0;x\x07", "value": "\x1b[2J"}], value=1.0)
    lines.path.write_bytes(b"".join(x + b"\n" for x in lines.done))
    done = cli("gate", lines.path)
    assert done.returncode == 1
    assert "\x1b" not in done.stdout
    assert "\x07" not in done.stdout


# --- the page -------------------------------------------------------------------------------------------------------


def test_every_check_mark_and_split_stands_on_the_page() -> None:
    checks, bounds = PAGE.split("## The bounds")
    assert [name for name in CHECKS if f"| `{name}` |" not in checks] == []
    assert [name for name in CHECKS if f"| `{name}` |" not in bounds] == []
    assert [name for name in DROPS if f"`{name}`" not in PAGE] == []
    assert [kind for kind in KINDS if kind != "auto" and f"| `{kind}` |" not in PAGE] == []


def test_the_checks_stand_on_the_page_in_the_order_in_which_they_are_read() -> None:
    table = PAGE.split("## The checks")[1].split("## The bounds")[0]
    assert re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE) == list(CHECKS)


def test_the_page_shows_what_is_printed(cli: Cli) -> None:
    (block,) = re.findall(r"^```console\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    first, *shown = block.splitlines()
    (cli.here / "sample_runs").symlink_to(SAMPLES)
    said = cli.shell(first[2:], COLUMNS="100").stdout.splitlines()
    assert [x for x in shown if x != "..." and x not in said] == []


def test_the_python_of_the_page_runs(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(ROOT)
    plain, test = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    exec(compile(plain, "gate.md", "exec"), {})  # noqa: S102  # our own text
    assert capsys.readouterr().out.startswith("fail 1.0 <= 0.25 5 d_model=768 is 5 of 5 keeps of train")
    names: dict[str, object] = {}
    exec(compile(test, "gate.md", "exec"), names)  # noqa: S102  # our own text
    asked = names["test_the_corpus_may_be_distilled"]
    assert callable(asked)
    with pytest.raises(pytest.fail.Exception, match="may not be distilled"):
        asked()
