"""Whether a report is still what was counted: every edit by hand is found, and the number is named.

Planted and seen to fail: a page that is not made anew, data that are not counted again, a hash that is not compared.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from importlib import resources
from pathlib import Path
from typing import Any

import pytest
from clirun import Cli, error
from reportfield import AMNESIAC, hostile, made, source

from trajscope.errors import SourceError
from trajscope.report import build
from trajscope.report.pack import pack, script, unpack
from trajscope.report.page import held
from trajscope.report.verify import verify
from trajscope.verdict import Level, worst

BEGIN = '<script type="application/json" id="trajscope-data">'


@pytest.fixture(scope="module")
def html() -> str:
    return made(AMNESIAC).html


def checked(tmp_path: Path, text: str, *originals: Path) -> tuple[Level, str]:
    path = tmp_path / "report.html"
    path.write_text(text, encoding="utf-8", newline="\n")
    found = verify(path, originals)
    bad = [v for v in found.verdicts if v.level >= Level.UNKNOWN]
    return worst(found.verdicts), "; ".join(v.reason for v in bad)


def edited(html: str, change: Callable[[dict[str, Any]], None]) -> str:
    """The report with other data in it."""
    data = held(html)
    change(data)
    head, _, rest = html.partition(BEGIN)
    return head + BEGIN + script(data) + rest[rest.index("</script>") :]


def test_a_report_as_it_was_made_is_true_and_its_original_is_recognised(tmp_path: Path, html: str) -> None:
    assert checked(tmp_path, html) == (Level.WARN, "")  # the original was not looked at, which is said
    assert checked(tmp_path, html, AMNESIAC) == (Level.PASS, "")


def test_a_hostile_run_is_counted_again_too(tmp_path: Path) -> None:
    run = hostile(tmp_path / "run.jsonl")
    assert checked(tmp_path, made(run).html, run) == (Level.PASS, "")


@pytest.mark.parametrize(
    ("before", "after", "name"),
    [
        ('data-path="best.shrunk">10.8783<', 'data-path="best.shrunk">10.8583<', "number best.shrunk in r0-number"),
        ('<data value="36" data-path="pairs.repeats">', '<data value="6" data-path="pairs.repeats">', "pairs.repeats"),
        ('value="0.10199999999999854"', 'value="0.2"', "number best.gain "),
        ("No holdout: ", "A holdout: ", "text in r0-number says 'A holdout: '"),
        ("FLAILING</span>", "RESEARCHING</span>", "says 'RESEARCHING', and its data say 'FLAILING'"),
        ("</main>", "<p>all is well</p></main>", "all is well"),
        ("</style>", "li { display: none }</style>", "the style differs"),
        ('<script type="module">', '<script type="module">location = "x";', "the script differs"),
        ("script-src ", "script-src * ", "text in the head says '<meta http-equiv"),
    ],
)  # fmt: skip
def test_an_edit_by_hand_is_found_and_named(tmp_path: Path, html: str, before: str, after: str, name: str) -> None:
    assert before in html
    level, said = checked(tmp_path, html.replace(before, after, 1))
    assert level is Level.FAIL
    assert name in said


def test_other_numbers_in_the_data_are_named_by_their_path(tmp_path: Path, html: str) -> None:
    def change(data: dict[str, Any]) -> None:
        account = json.loads(unpack(data["runs"][0]["gz"], 1 << 30))
        account["doc"]["best"]["value"] = 10.5
        account["rows"]["value"][6] = 1.0
        data["runs"][0]["gz"] = pack(account)

    level, said = checked(tmp_path, edited(html, change))
    assert level is Level.FAIL
    assert "amnesiac.jsonl[0].doc.best.value is 10.5, counted 10.8534" in said
    assert "rows.value[6] is 1.0, counted 10.9245" in said


def test_other_bytes_than_were_read_are_found_by_their_hash(tmp_path: Path, html: str) -> None:
    import base64
    import gzip

    def change(data: dict[str, Any]) -> None:
        raw = unpack(data["sources"][0]["gz"], 1 << 30).replace(b"10.8534", b"10.7534")
        data["sources"][0]["gz"] = base64.b64encode(gzip.compress(raw, mtime=0)).decode()

    level, said = checked(tmp_path, edited(html, change))
    assert level is Level.FAIL
    assert "the embedded data hash to" in said
    assert "doc.best.value is 10.8534, counted 10.7534" in said


def test_another_original_is_not_the_one_and_one_that_grew_is_said_to_have(tmp_path: Path, html: str) -> None:
    copy = tmp_path / "copy" / "amnesiac.jsonl"
    copy.parent.mkdir()
    copy.write_bytes(AMNESIAC.read_bytes() + b'{"iter": 51}\n')
    path = tmp_path / "report.html"
    path.write_text(html, encoding="utf-8", newline="\n")
    (grown,) = [v for v in verify(path, [copy]).verdicts if v.rule == "original"]
    assert grown.level is Level.WARN
    assert "has grown since" in grown.reason
    copy.write_bytes(AMNESIAC.read_bytes().replace(b"10.8534", b"10.8535"))
    level, said = checked(tmp_path, html, copy)
    assert level is Level.FAIL
    assert "is not the file that the report is about" in said


def test_a_path_in_a_report_is_never_opened(tmp_path: Path, html: str, monkeypatch: pytest.MonkeyPatch) -> None:
    secret = tmp_path / "secret.jsonl"
    secret.write_text("nothing of yours")

    def change(data: dict[str, Any]) -> None:
        data["sources"][0]["name"] = str(secret)

    monkeypatch.chdir(tmp_path / "..")
    (tmp_path / "elsewhere").mkdir()
    _, said = checked(tmp_path / "elsewhere", edited(html, change))
    assert "is not the file" not in said


def test_a_report_without_its_data_needs_the_original_and_is_not_passed(tmp_path: Path, html: str) -> None:
    def change(data: dict[str, Any]) -> None:
        data["sources"][0] |= {"gz": None, "held": False, "blobs": {}}

    level, said = checked(tmp_path, edited(html, change))
    assert level >= Level.UNKNOWN
    assert "its bytes are not in the report" in said


def test_what_is_no_report_is_refused_in_one_line(tmp_path: Path) -> None:
    for text in ("", "<html>", BEGIN + "{}</script>", BEGIN + "[" * 100_000 + "</script>"):
        path = tmp_path / "x.html"
        path.write_text(text)
        with pytest.raises(SourceError, match="is no report that can be read"):
            verify(path)


def test_the_command_says_it_by_its_exit_code(tmp_path: Path, html: str) -> None:
    cli = Cli(tmp_path)
    (cli.here / "a.html").write_text(html, encoding="utf-8", newline="\n")
    (cli.here / "b.html").write_text(html.replace(">10.8783<", ">10.8<", 1), encoding="utf-8", newline="\n")
    assert cli("verify", "a.html", "--original", AMNESIAC).returncode == 0
    done = cli("verify", "b.html", "--json")
    assert done.returncode == 1
    assert json.loads(done.stdout)["level"] == "FAIL"
    assert "cannot be read as a report" in error(cli("verify", "nowhere.html"))


# --- the gate's answer --------------------------------------------------------------------------------------------
# Planted: an answer that is not asked for again, a policy that is read from a path out of a report.


def test_the_gates_answer_is_in_the_report_and_is_asked_for_again(tmp_path: Path) -> None:
    page = tmp_path / "amnesiac.report.html"
    build([(source(AMNESIAC), None)], policy="default").write(page)
    html = page.read_text()
    assert "<code>keep_share</code>" in html
    assert {v.rule: v.level for v in verify(page).verdicts}["corpus"] is Level.PASS
    page.write_text(html.replace('"value":0.75,', '"value":0.15,', 1))
    (found,) = [v for v in verify(page).verdicts if v.rule == "corpus"]
    assert found.level is Level.FAIL
    assert "0.15" in found.reason


def test_no_policy_is_read_from_a_path_that_a_report_names(tmp_path: Path) -> None:
    own = tmp_path / "own.toml"
    own.write_text((Path(str(resources.files("trajscope.corpus"))) / "policies" / "default.toml").read_text())
    page = tmp_path / "amnesiac.report.html"
    build([(source(AMNESIAC), None)], policy=str(own)).write(page)
    own.write_text("nothing = 1\n")
    (found,) = [v for v in verify(page).verdicts if v.rule == "corpus"]
    assert (found.level, "not asked again" in found.reason) == (Level.WARN, True)


def test_a_gate_that_cannot_be_asked_is_said_and_is_no_pass(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("trajscope.report.distil.MOST", 10)
    html = build([(source(AMNESIAC), None)], policy="default").html
    assert "not asked" in html
    assert "the report does not ask; `trajscope gate` does" in html
