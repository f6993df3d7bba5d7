"""What the command line prints: valid JSON, a page that fits and says nothing twice, no text of a run alive.

Planted and seen to fail: an escape sequence let through, the colour of a pass on UNKNOWN, a reason told twice.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
from clirun import AMNESIAC, COMMAND, ROOT, SAMPLES, Cli, error
from law_strategies import analyzed, made

import trajscope
from trajscope import analysis, readable
from trajscope.cli import page, text
from trajscope.readers import Source


@pytest.fixture
def cli(tmp_path: Path) -> Cli:
    """The command, in a folder of its own."""
    return Cli(tmp_path)


def test_json_is_one_valid_line_for_each_run_whatever_the_run(cli: Cli) -> None:
    paths = sorted(SAMPLES.glob("*/*.jsonl"))
    done = cli("analyze", "--json", *paths)
    assert done.returncode == 0
    docs = [json.loads(line, parse_constant=pytest.fail) for line in done.stdout.splitlines()]
    assert list(dict.fromkeys(d["file"] for d in docs)) == [str(p) for p in paths]
    assert len({(d["file"], d["run_id"]) for d in docs}) == len(docs)


def test_what_goes_to_a_file_is_what_json_prints(cli: Cli) -> None:
    done = cli("analyze", AMNESIAC, "-o", "out.json")
    assert (done.returncode, done.stdout) == (0, "")
    assert (cli.here / "out.json").read_text() == cli("analyze", AMNESIAC, "--json").stdout


@pytest.mark.parametrize("verb", ["trials", "formats", "doctor"])
def test_json_is_everywhere(cli: Cli, verb: str) -> None:
    done = cli(verb, *([AMNESIAC] if verb == "trials" else []), "--json")
    assert done.returncode == 0, done.stderr
    assert all(isinstance(json.loads(line), dict) for line in done.stdout.splitlines())


@pytest.mark.parametrize("columns", ["60", "80", "200"])
@pytest.mark.parametrize("path", sorted(SAMPLES.glob("*/*.jsonl")), ids=lambda p: p.stem)
def test_the_page_fits_the_terminal(path: Path, columns: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    for doc in analysis.of_file(Source(str(path)), quick=True):
        lines = page.page({**doc, "file": path.name}, text.wide()).splitlines()
        # A line to copy and the path are not broken.
        assert [x for x in lines if text.columns(x) > int(columns) and not x.startswith(" one trial in full")] == []


def test_the_page_says_nothing_twice_and_counts_in_words_that_agree() -> None:
    paths = sorted(SAMPLES.glob("*/*.jsonl"))
    for path, doc in ((p, doc) for p in paths for doc in analysis.of_file(Source(str(p)), quick=True)):
        said = page.page(doc, 100)
        assert not re.search(r"(?<![\d.,=])1 (trials|knobs|pairs|keeps|no-ops|lines|proposals|configurations)\b", said)
        reasons = [v["reason"] for v in doc["verdicts"] if v["level"] != "PASS"]
        flat = " ".join(said.split())
        assert all(flat.count(" ".join(r.split())) <= 1 for r in reasons), path.stem
        assert " None" not in said


def test_the_page_of_the_amnesiac_holds_its_published_figures(cli: Cli) -> None:
    said = " ".join(cli("analyze", AMNESIAC).stdout.split())
    for figure in (
        "✗ FLAILING",
        "6 of 13 knobs",
        "36 of 50 proposals (72%)",
        "50% 50% 80% 90% 90%",
        "14 different pairs",
        "first keep after 4 trials",
        "at trial 45",
        "d_model=768 (6 of 8 keeps)",
        "1 no-op (trial 48)",
    ):
        assert figure in said


def test_the_page_says_where_pairs_were_read_from_only_where_one_was_not_recorded() -> None:
    def page_of(*sources: dict[str, Any]) -> str:
        rows = [("a", i, "reverted", 1.0, told) for i, told in enumerate(sources)]
        return page.page({**analyzed(made(*rows)), "file": "f", "format": "x"}, 100)

    assert "\n pairs " not in page_of({})
    said = page_of({}, {"provenance": "config", "confidence": 0.95}, {"provenance": "hash", "confidence": 0.3})
    told = "1 recorded, 1 read from configurations (confidence 0.95), 1 known by their words alone (confidence 0.3)"
    assert f" pairs {told} " in " ".join(said.split())


def test_only_a_pass_is_green_and_every_word_has_a_shape_of_its_kind(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(text, "coloured", lambda stream=None: True)
    green = {w for w in (*readable.SHAPES, "NEVER HEARD OF") if "\x1b[32" in page.word(w)}
    assert green == {"RESEARCHING"}
    assert {page.named(w)[0] for w in ("TAMPERED", "SUSPECT", "FLAILING")} == {"✗"}
    assert page.named("UNKNOWN")[0] == page.named("NEVER HEARD OF")[0] == "?"


@pytest.mark.needs_program("script")
def test_a_terminal_gets_colour_unless_nobody_wants_it(cli: Cli) -> None:
    command = " ".join([*COMMAND, "analyze", str(AMNESIAC)])
    said = {}
    for name, env in {"plain": {"NO_COLOR": "1"}, "dumb": {"TERM": "dumb"}, "colour": {"TERM": "xterm"}}.items():
        around = {k: v for k, v in os.environ.items() if k != "NO_COLOR"} | {"PYTHONPATH": str(ROOT)} | env
        done = subprocess.run(
            ["script", "-qec", command, "/dev/null"], env=around, capture_output=True, check=True, timeout=50
        )
        said[name] = done.stdout.decode()
    assert "\x1b[" not in said["plain"] + said["dumb"]
    assert "\x1b[31;1m✗ FLAILING\x1b[0m" in said["colour"]
    assert "\x1b" not in cli("analyze", AMNESIAC).stdout


EVIL = "a\x1b[31mb\x1b]0;title\x07c\rd\ne\u202ef\u2066g\x00h\x9bi"


@pytest.fixture
def hostile(tmp_path: Path) -> Path:
    """A run in which every text is an attack on the terminal that shows it."""
    path = tmp_path / "hostile.jsonl"
    with trajscope.open_run(path, metric=EVIL, run_id=EVIL, base={EVIL: 1}, fsync=False) as run:
        for i in range(25):
            changes = {EVIL + str(i % 3): "v" * 5000 + str(i % 2), "日本": EVIL}
            run.trial(changes, value=1 - i / 100, kept=i % 7 == 3, reason=EVIL, diff=EVIL, note=EVIL)
        run.event("claim", text=EVIL)
    return path


@pytest.mark.parametrize(
    "args", [("analyze",), ("trials",), ("trials", "--seq", "3"), ("sql", "SELECT * FROM trials"), ("convert",)]
)
def test_no_text_of_a_run_reaches_the_terminal_alive(cli: Cli, hostile: Path, args: tuple[str, ...]) -> None:
    command = [*args, hostile] if args[0] != "trials" else ["trials", hostile, *args[1:]]
    done = cli(*command, *(["-o", EVIL.replace("\x00", "") + ".jsonl"] if args[0] == "convert" else []))
    assert done.returncode == 0, done.stderr
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", done.stdout + done.stderr)
    if args == ("analyze",):
        assert all(text.columns(line) <= 200 for line in done.stdout.splitlines())


def test_a_hostile_path_is_cleaned_in_an_error(cli: Cli) -> None:
    said = error(cli("analyze", "no\x1b[31m\nsuch"))
    assert "\x1b" not in said
