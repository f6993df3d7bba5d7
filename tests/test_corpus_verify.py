"""Verifying a corpus, its card, and the command: what was changed is named, and no path of a manifest is followed.

Planted and seen to fail: a hash that is not compared, a file that the manifest does not name, one that is gone, an
input that is another, a link that is followed, a label that leaves its code span.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import corpusfield as field
import pytest
from clirun import AMNESIAC, ROOT, Cli, error

import trajscope
from trajscope.corpus import build
from trajscope.corpus.card import card
from trajscope.corpus.manifest import fingerprint, load, text, verify
from trajscope.corpus.rows import LEFT_OUT, REASONS, TABLES
from trajscope.corpus.tables import COLUMNS
from trajscope.errors import CorpusError, SourceError
from trajscope.verdict import Level, worst

PAGE = (ROOT / "docs" / "corpus.md").read_text("utf-8")


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Path]]:
    """A corpus that the gate passed, and its runs."""
    home = tmp_path_factory.mktemp("whole")
    paths = field.write(home, field.clean())
    return build(field.sources(paths), home / "corpus").folder, paths


@pytest.fixture
def copy(whole: tuple[Path, list[Path]], tmp_path: Path) -> Path:
    """The same to be spoilt."""
    return Path(shutil.copytree(whole[0], tmp_path / "corpus"))


@pytest.fixture
def cli(tmp_path: Path) -> Cli:
    """The command, in a folder of its own."""
    return Cli(tmp_path)


def test_a_corpus_that_nobody_touched_is_what_it_says(whole: tuple[Path, list[Path]]) -> None:
    folder, paths = whole
    found = verify(folder, paths[::-1], fingerprint(folder / "manifest.json").sha256)
    assert [(v.rule, v.level) for v in found] == [(r, Level.PASS) for r in ("manifest", "files", "inputs")]
    # Three tables, two sides, two formats, and the card.
    assert found[1].reason == "all 13 are what the manifest says"
    assert found[2].reason == "all 5 are those that this was made of"


def test_a_corpus_whose_runs_nobody_named_is_not_vouched_for(whole: tuple[Path, list[Path]], cli: Cli) -> None:
    found = verify(whole[0])
    assert [v.level for v in found] == [Level.PASS, Level.PASS, Level.UNKNOWN]
    assert found[2].reason == "not compared: name the 5 files that this was made of"
    done = cli("corpus", "verify", whole[0])
    assert done.returncode == 3
    assert found[2].reason in done.stdout


def _edit(folder: Path) -> None:
    path = folder / "sft-train.jsonl"
    path.write_bytes(path.read_bytes().replace(b"k00", b"k01", 1))


def _add(folder: Path) -> None:
    (folder / "parquet" / "sft-train-00001.parquet").write_bytes(b"PAR1")


def _link(folder: Path) -> None:
    path = folder / "pairs-test.jsonl"
    path.rename(folder.parent / "away")
    path.symlink_to(folder.parent / "away")


def _promise(folder: Path) -> None:
    """One more row, and the hash of it, but not the count."""
    path = folder / "sft-train.jsonl"
    path.write_bytes(path.read_bytes() + b"{}\n")
    said = load(folder)
    said["files"]["sft-train.jsonl"] |= fingerprint(path)._asdict()
    (folder / "manifest.json").write_text(text(said))


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (_edit, r"sft-train\.jsonl: holds [\d,]+ bytes with sha256 \w{16}, the manifest says another hash"),
        (_add, r"parquet/sft-train-00001\.parquet: the manifest does not name it"),
        (lambda f: (f / "outcomes-test.jsonl").unlink(), r"outcomes-test\.jsonl: is missing"),
        (lambda f: (f / "README.md").write_text("Trust me."), r"README\.md: holds 9 bytes"),
        (_link, r"pairs-test\.jsonl: is no plain file"),
        (_promise, r"sft-train\.jsonl: holds 41 rows, the manifest says 40"),
    ],
)
def test_what_was_changed_is_named(copy: Path, spoil: Callable[[Path], Any], said: str) -> None:
    spoil(copy)
    bad = [v for v in verify(copy) if v.level == Level.FAIL]
    assert len(bad) == 1
    assert re.fullmatch(said + ".*", bad[0].reason)


def test_a_manifest_that_was_changed_has_another_hash(copy: Path, whole: tuple[Path, list[Path]]) -> None:
    kept = fingerprint(copy / "manifest.json").sha256
    said = load(copy)
    said["gate"]["outcome"] = "pass, truly"
    (copy / "manifest.json").write_text(text(said))
    assert worst(verify(copy, whole[1])) == Level.PASS  # nobody kept the hash, and it says so
    assert "can change it too" in verify(copy)[0].reason
    assert verify(copy, sha=kept)[0].level == Level.FAIL


def test_a_manifest_cannot_send_anybody_out_of_its_folder(copy: Path, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("secret")
    said = load(copy)
    for name in ("../secret", str(secret)):
        said["files"][name] = {**fingerprint(secret)._asdict(), "rows": None}
    (copy / "manifest.json").write_text(text(said))
    bad = [v.reason for v in verify(copy) if v.level == Level.FAIL]
    assert sorted(bad) == sorted([f"{x}: is missing" for x in ("../secret", str(secret))])


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"", "is no manifest"),
        (b"[]", "is no manifest"),
        (b'{"files": []}', "is no manifest"),
        (b'{"files": {}, "schema": 99}', "has schema 99, and 1 is known here"),
        (b"[" * 100_000, "is no manifest"),
    ],
)
def test_what_is_no_manifest_says_so(tmp_path: Path, body: bytes, said: str) -> None:
    (tmp_path / "manifest.json").write_bytes(body)
    with pytest.raises(CorpusError, match=said):
        verify(tmp_path)


def test_a_manifest_that_names_nothing_vouches_for_nothing(tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_text('{"files": {}, "schema": 1}')
    assert [v.level for v in verify(tmp_path)] == [Level.PASS, Level.UNKNOWN, Level.FAIL]
    with pytest.raises(SourceError, match="cannot be read"):
        verify(tmp_path / "nowhere")


def test_inputs_that_are_others_or_too_few_do_not_pass(whole: tuple[Path, list[Path]], tmp_path: Path) -> None:
    folder, paths = whole
    changed = tmp_path / "c0.jsonl"
    changed.write_bytes(paths[0].read_bytes() + b"\n")
    found = verify(folder, [changed, *paths[1:]])[2:]
    assert [v.level for v in found] == [Level.FAIL]
    assert "c0.jsonl: is none of those that this was made of, or was changed" in found[0].reason
    found = verify(folder, paths[1:])[2:]
    assert [(v.level, v.reason) for v in found] == [(Level.UNKNOWN, "not at hand: c0.jsonl")]


# --- the card -------------------------------------------------------------------------------------------------------


def test_the_card_says_what_the_gate_said_what_was_dropped_and_what_not_to_do(tmp_path: Path) -> None:
    b = build(field.sources([AMNESIAC]), tmp_path / "out", accept="to look at it")
    said = (b.folder / "README.md").read_text("utf-8")
    heads = re.findall(r"^## (.*)$", said, re.MULTILINE)
    assert heads[:3] == ["May it be trained on?", "What it must not be used for", "What is in it"]
    for c in b.gate.checks:
        assert f"| {c.outcome} | {c.name} |" in said
    assert "Of 50 trials 37 are dropped; 10 + 3 + 37 = 50." in said
    assert f"| `repeat` | 36 | {REASONS['repeat']} |" in said
    assert "Anything beyond its one campaign" in said
    assert said == card(load(b.folder))  # all of it follows from the manifest


def test_what_a_stranger_wrote_cannot_leave_its_place_on_the_card(tmp_path: Path) -> None:
    evil = "`|<script>alert(1)</script>\n\n# You may train on it\n![x](http://example.org/x)\u202e\x1b[2J"

    def rename(_: int, line: dict[str, Any]) -> None:
        line["attempts"][0]["changes"][0]["value"] = evil

    paths = field.write(tmp_path, field.clean(2), change=rename, names=[evil, "b"])
    lines = [
        x.replace(b'"int"', b'"str"').replace(b'"choices"', b'"examples"') for x in paths[0].read_bytes().split(b"\n")
    ]
    paths[0].write_bytes(b"\n".join(lines))
    b = build(field.sources(paths), tmp_path / "out", accept=evil, split="stratified")
    said = (b.folder / "README.md").read_text("utf-8")
    assert "You may train on it" in said
    assert not re.search(r"^\s*# You", said, re.MULTILINE)
    outside = re.sub(r"`[^`\n]*`", "", said)  # what is left has no code span
    assert "<" not in outside
    assert "`" not in outside
    assert "![" not in outside
    assert "\x1b" not in said
    assert "\u202e" not in said
    for table in re.findall(r"(?:^\|.*\n)+", said, re.MULTILINE):
        assert len({x.count("|") for x in table.splitlines()}) == 1, table


# --- the command and the page ---------------------------------------------------------------------------------------


def test_the_command_refuses_with_the_gates_page_and_its_exit_code(cli: Cli) -> None:
    done = cli("corpus", "build", AMNESIAC, "-o", "out", "--split", "at:42", "--history", 5)
    assert done.returncode == 1
    assert "✗ FAIL  do not distil this" in done.stdout
    assert "out: not built, the gate says fail" in done.stderr
    assert done.stderr.count("\n") == 1
    few = field.write(cli.here, [field.Plan([("k00", 1)], frozenset({0}))])
    assert cli("corpus", "build", *few, "-o", "out").returncode == 3
    assert not (cli.here / "out").exists()


def test_the_command_builds_and_verifies(cli: Cli) -> None:
    paths = field.write(cli.here, field.clean())
    done = cli("corpus", "build", *paths, "-o", "out", "--json")
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert said["rows"] == {"outcomes": 300, "sft": 50, "pairs": 200}
    assert (said["accepted"], said["gate"]["outcome"]) == (None, "pass")
    done = cli("corpus", "verify", "out", *paths, "--sha", said["sha256"])
    assert done.returncode == 0
    assert "●" in done.stdout
    (cli.here / "out" / "README.md").unlink()
    done = cli("corpus", "verify", "out", "--json")
    assert done.returncode == 1
    assert json.loads(done.stdout)["level"] == "FAIL"
    assert "out: exists already" in error(cli("corpus", "build", *paths, "-o", "out"))


def test_a_build_for_a_reason_says_so_and_what_is_not_there(cli: Cli) -> None:
    done = cli("corpus", "build", AMNESIAC, "-o", "out", "--accept", "to look at it")
    assert done.returncode == 0
    assert done.stdout.splitlines()[:4] == [
        "built although the gate says fail; on record: to look at it",
        "out: 13 outcomes, 0 sft, 0 pairs of 50 trials (10 train, 3 test)",
        "dropped: 36 repeat, 1 no_op",
        "no sft: 12 not_kept, 1 no_prompt",
    ]


def test_python_does_the_same(tmp_path: Path) -> None:
    paths = field.write(tmp_path, field.clean())
    b = trajscope.build_corpus(*paths, out=tmp_path / "out")
    assert all(v.level == Level.PASS for v in trajscope.verify_corpus(b.folder, *paths, sha=b.sha256))


def test_the_order_of_sets_in_one_process_makes_no_other_bytes(cli: Cli) -> None:
    # The amnesiac's menu has rules between knobs, and kept more than two labels unequally often.
    paths = [*field.write(cli.here, field.clean(3)), AMNESIAC]
    found = set()
    for seed in ("1", "2"):
        done = cli("corpus", "build", *paths, "-o", seed, "--accept", "a test", "--json", PYTHONHASHSEED=seed)
        found.add(json.loads(done.stdout)["sha256"])
    assert len(found) == 1


def test_the_python_on_the_page_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    (block,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    monkeypatch.chdir(ROOT)
    exec(compile(block, "corpus.md", "exec"), {})  # noqa: S102  # our own text
    assert not (ROOT / "corpus").exists()


def test_the_page_explains_every_table_reason_and_column() -> None:
    words = set(re.findall(r"`(\w+)`", PAGE))
    assert set(TABLES) | set(REASONS) | set(LEFT_OUT) <= words
    assert {column for columns in COLUMNS.values() for column in columns} <= words
