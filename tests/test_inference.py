"""A menu from a source file: what is a knob, what is none and why, under which names it is met, and that nothing runs.

Planted and seen to fail: a file that is imported, a computed constant as a knob, a range that is invented, two defaults
of which the first is believed, an inferred menu that is called declared, a file's codec that is looked for.
"""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import hypothesis.strategies as st
import pytest
from clirun import AMNESIAC, SAMPLES, Cli, error
from hypothesis import example, given, settings

from trajscope import analysis, inference, menu
from trajscope.cli.options import source
from trajscope.errors import MenuError
from trajscope.inference import infer
from trajscope.rails.checks import Checks
from trajscope.readers import Source
from trajscope.said import Asked
from trajscope.testing import chained
from trajscope.verdict import Level

TRAIN = SAMPLES / "menu_from" / "train.py"


@pytest.fixture
def cli(tmp_path: Path) -> Cli:
    """The command, in a folder of its own."""
    return Cli(tmp_path)


def knobs(text: str) -> dict[str, tuple[str, object]]:
    """The knobs of some source: type and default, `...` where there is none."""
    found = infer(text.encode(), "x.py")
    return {k.name: (k.type, k.default if k.has_default else ...) for k in found.knobs}


def why(text: str) -> dict[str, str]:
    """Why names are no knobs; a knob beside them keeps the menu from being empty."""
    return {x.name: x.why for x in infer(f"{text}\nBESIDE = 1\n".encode(), "x.py").left}


# --- the sample --------------------------------------------------------------------------------------------------

# Written down by reading the file, in the order of its lines.
BY_HAND: dict[str, tuple[str, object, str]] = {
    "DEPTH": ("int", 8, "constant"),
    "ASPECT_RATIO": ("int", 64, "constant"),
    "HEAD_DIM": ("int", 128, "constant"),
    "WINDOW_PATTERN": ("str", "SSSL", "constant"),
    "TOTAL_BATCH_SIZE": ("int", 524288, "constant"),
    "EMBEDDING_LR": ("float", 0.6, "constant"),
    "MATRIX_LR": ("float", 0.04, "constant"),
    "WEIGHT_DECAY": ("float", 0.2, "constant"),
    "ADAM_BETAS": ("list", [0.8, 0.95], "constant"),
    "WARMUP_RATIO": ("float", 0.0, "constant"),
    "USE_SOFTCAP": ("bool", True, "constant"),
    "FINAL_LR_FRAC": ("float", 0.05, "environment"),
    "sequence_len": ("int", 2048, "field"),
    "n_kv_head": ("int", 6, "field"),
    "norm": ("str", "rms", "field"),
    "betas": ("list", [0.9, 0.99], "field"),
    "rope.base": ("int", 10000, "config"),
    "rope.scaled": ("bool", False, "config"),
    "softcap": ("float", 15.0, "config"),
    "schedule": ("str", "cosine", "argument"),
    "grad_clip": ("float", 1.0, "argument"),
    "compile": ("bool", True, "argument"),
}
NONE = ["__all__", "T", "TOKEN", "MODEL_DIM", "DEVICE", "DATA_DIR", "TOKENIZER_FILE", "SEED", "RUN_NAME", "BANNER",
        "SHARDS", "vocab_size", "data", "out"]  # fmt: skip


def test_the_knobs_of_the_sample_are_those_that_a_person_finds() -> None:
    found = inference.of_file(TRAIN)
    assert {k.name: (k.type, k.default, k.how) for k in found.knobs} == BY_HAND
    assert [k.name for k in found.knobs] == list(BY_HAND)
    assert [x.name for x in found.left] == NONE
    lines = TRAIN.read_text().splitlines()
    assert all(k.name.rpartition(".")[2].replace("_", "-") in lines[k.line - 1].replace("_", "-") for k in found.knobs)
    assert {k.name: k.choices for k in found.knobs if k.choices} == {
        "norm": ("rms", "layer"),
        "schedule": ("linear", "cosine"),
    }


def test_no_range_is_invented_so_knobs_are_counted_and_cells_are_not() -> None:
    found = inference.of_file(TRAIN).menu
    assert all(k.range is None for k in found.knobs.values())
    assert found.cells is None
    assert not found.declared


# --- each way of saying a setting --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("LR = 1e-3\nlr = 2", {"LR": ("float", 0.001)}),
        ("N = 2 ** 19", {"N": ("int", 524288)}),
        ("X: float = 1", {"X": ("float", 1)}),
        ("X: 'int | None' = None\nY: int = 2", {"X": ("int", ...), "Y": ("int", 2)}),
        ("B = (0.9, 0.95)", {"B": ("list", [0.9, 0.95])}),
        ("A = 1\nA = 2", {"A": ("int", 2)}),
        ("batch_size = 12\nconfig_keys = [k for k in globals()]", {"batch_size": ("int", 12)}),
        ("config = dict(lr=0.1, deep=dict(n=2))", {"lr": ("float", 0.1), "deep.n": ("int", 2)}),
        ("HPARAMS = {'lr': 0.1}", {"lr": ("float", 0.1)}),
        ("from attrs import define\n@define\nclass A:\n    x: int = 3", {"x": ("int", 3)}),
        ("class A(pydantic.BaseModel):\n    x: float = Field(0.5, ge=0)", {"x": ("float", 0.5)}),
        ("@dataclass(frozen=True)\nclass A:\n    x: int = field(default=4)", {"x": ("int", 4)}),
        ("p.add_argument('-b', '--batch-size', type=int, default=8)", {"batch_size": ("int", 8)}),
        ("p.add_argument('--fast', action='store_true')", {"fast": ("bool", False)}),
        ("p.add_argument('--amp', action=argparse.BooleanOptionalAction, default=True)", {"amp": ("bool", True)}),
        ("p.add_argument('--lr', type=float)", {"lr": ("float", ...)}),
        ("p.add_argument('--lr', type=float, default='1e-3')", {"lr": ("float", 0.001)}),
        ("p.add_argument('--n', type=int, choices=[1, 2])", {"n": ("int", ...)}),
        ("p.add_argument('--betas', nargs=2, type=float, default=[0.9, 0.95])", {"betas": ("list", [0.9, 0.95])}),
        ("@click.option('--lr', default=0.1)\n@click.option('--fast', is_flag=True)\ndef f(lr, fast): ...",
         {"lr": ("float", 0.1), "fast": ("bool", False)}),
        ("@click.option('--act', type=click.Choice(['relu', 'gelu']), default='gelu')\ndef f(act): ...",
         {"act": ("str", "gelu")}),
        ("def main(lr: float = typer.Option(0.1, '--lr'), n: Annotated[int, typer.Option(min=1)] = 3): ...",
         {"lr": ("float", 0.1), "n": ("int", 3)}),
        ("@app.command()\ndef main(lr: float = 0.1): ...\ndef other(x: int = 3): ...", {"lr": ("float", 0.1)}),
        ("import os\nx = int(os.environ.get('DEPTH', '12'))", {"DEPTH": ("int", 12)}),
        ("import os\nx = os.getenv('ACT', 'gelu')", {"ACT": ("str", "gelu")}),
        # What two places say of one knob, and where they disagree.
        ("WEIGHT_DECAY = 0.1\np.add_argument('--weight-decay', type=float, default=WEIGHT_DECAY)",
         {"WEIGHT_DECAY": ("float", 0.1)}),
        ("WD = 0.1\np.add_argument('--weight-decay', type=float, default=WD)", {"WD": ("float", 0.1)}),
        ("L = 0.1\np.add_argument('--a', default=L)\np.add_argument('--b', default=L)",
         {"L": ("float", 0.1), "a": ("float", 0.1), "b": ("float", 0.1)}),
        ("A = 1\nB = 2\np.add_argument('--a', default=B)", {"A": ("int", ...), "B": ("int", 2)}),
        ("LR = 0.1\np.add_argument('--lr', default=0.2)", {"LR": ("float", ...)}),
        ("LR = 0.1\np.add_argument('--lr', default=0.2)\nx = os.getenv('lr', 0.3)", {"LR": ("float", ...)}),
        ("LR = 1\np.add_argument('--lr', default=1.0)", {"LR": ("float", 1)}),
    ],
)  # fmt: skip
def test_a_setting_is_found_however_it_is_said(text: str, found: dict[str, Any]) -> None:
    assert knobs(text) == found


@pytest.mark.parametrize(
    ("text", "name", "says"),
    [
        ("A = 1\nB = A * 2", "B", "is computed from A"),
        ("import torch\nD = torch.device('cuda')", "D", r"is made by a call (device)"),
        ("R = re.compile('x')", "R", "a regular expression"),
        ("T = TypeVar('T')", "T", "a type variable"),
        ("__all__ = ['a']", "__all__", "what the module exports"),
        ("DATA_SEED = 3", "DATA_SEED", "a seed: it tells replicates apart"),
        ("RANDOM_STATE = 3", "RANDOM_STATE", "a seed: it tells replicates apart"),
        ("OUT = 'runs/x'", "OUT", "a place or a file"),
        ("WEIGHTS = 'model.pt'", "WEIGHTS", "a place or a file"),
        ("CACHE_DIR = 'x'", "CACHE_DIR", "a place or a file"),
        ("RUN_NAME = 'x'", "RUN_NAME", "a name"),
        ("PROMPT = 'You are a helpful model.'", "PROMPT", "a text for people"),
        ("VERBOSE = True", "VERBOSE", "about where it runs and what it prints"),
        ("X = None", "X", "nothing says its type"),
        ("X = {'a': 1}", "X", "a table"),
        ("X = [[1], [2]]", "X", "a table"),
        ("if y:\n    X = 1", "X", "is bound under a condition"),
        ("X = 1\ndef f():\n    global X\n    X = 2", "X", "is bound in more than one way, so its value is not certain"),
        ("X = y if z else 3", "X", "is an expression whose value only running it would tell"),
        ("X = os.environ.get('Y')", "Y", "of the environment, without a default that is certain"),
        ("p.add_argument('--config', type=Path)", "config", "a place or a file"),
        ("p.add_argument('--v', action='count')", "v", "does something else than set a value"),
        ("X = 1\np.add_argument('--x', default='a')", "X", "has values of different types in different places"),
        ("@dataclass\nclass A:\n    x: int", "x", "has no default"),
        ("X = 9 ** 99999", "X", "is an expression whose value only running it would tell"),
    ],
)
def test_what_is_no_knob_is_listed_with_the_reason(text: str, name: str, says: str) -> None:
    assert why(text)[name] == says


def test_a_number_that_no_menu_can_hold_is_no_default() -> None:
    assert knobs("X = 1e999\nY = -1e200\nZ = [1e999]\nW = 1") == {
        "X": ("float", ...), "Y": ("float", ...), "Z": ("list", ...), "W": ("int", 1)
    }  # fmt: skip


# --- names meet --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("spelling", "knob"),
    [
        ("DEPTH", "DEPTH"), ("depth", "DEPTH"), ("Depth", "DEPTH"), ("weight_decay", "WEIGHT_DECAY"),
        ("weight-decay", "WEIGHT_DECAY"), ("--weight-decay", "WEIGHT_DECAY"), ("WD", "WEIGHT_DECAY"),
        ("wd", "WEIGHT_DECAY"), ("AR", "ASPECT_RATIO"), ("grad-clip", "grad_clip"), ("ROPE.BASE", "rope.base"),
        ("rope_base", "rope.base"), ("NORM", "norm"), ("lr", None), ("EMBEDDING", None), ("us", None),
        ("--no-compile", None),
    ],
)  # fmt: skip
def test_a_knob_is_met_under_every_spelling_that_can_mean_only_it(spelling: str, knob: str | None) -> None:
    inferred = inference.of_file(TRAIN).menu
    found = inferred.find(spelling)
    assert (found.name if found else None) == knob
    assert inferred.change(spelling, 3).knob == (knob or spelling)


def test_initials_of_two_knobs_or_of_a_common_word_lead_to_none() -> None:
    found = infer(b"MAX_LR = 1\nMIN_LR = 2\nTHRESHOLD_OFFSET = 3\nWEIGHT_DECAY = 4\nWD = 5\n", "x.py").menu
    assert found.find("ml") is None
    assert found.find("to") is None
    wd = found.find("wd")
    assert wd is not None
    assert wd.name == "WD"


def test_the_names_of_a_declared_menu_are_what_they_were() -> None:
    declared = menu.parse({"DEPTH": {"type": "int"}, "lr": {"type": "float", "aliases": ["rate"]}})
    assert declared.find("depth") is None
    assert declared.change("depth", 3).label == "depth=3"
    assert declared.find("LR") == declared.knobs["lr"]


# --- nothing runs, nothing raises --------------------------------------------------------------------------------


def test_nothing_of_the_file_or_beside_it_is_run(cli: Cli) -> None:
    touch = "import pathlib\npathlib.Path('ran').touch()\n"
    folder = cli.here / "src"
    folder.mkdir()
    (folder / "train.py").write_text(
        f"{touch}from helper import *\nimport typer, os, ast2\nDEPTH = 8\n"
        "X: __import__('pathlib').Path('ran').touch() = 3\nY: \"__import__('pathlib').Path('ran').touch()\" = 4\n"
        "def f(x: int = typer.Option(__import__('pathlib').Path('ran').touch())): ...\n"
    )
    for name in ("helper.py", "ast2.py", "typer.py", "trajscope_plugin.py", "sitecustomize.py"):
        (folder / name).write_text(touch)
    done = cli("menu", "infer", "src/train.py", "-o", "menu.json")
    assert done.returncode == 0, done.stderr
    assert cli("analyze", AMNESIAC, "--menu-from", "src/train.py", "--json").returncode == 0
    assert not (cli.here / "ran").exists()
    subprocess.run([sys.executable, "src/train.py"], cwd=cli.here, check=False, capture_output=True, timeout=50)
    assert (cli.here / "ran").exists(), "the plant does nothing, so this test could not fail"


def test_a_codec_that_a_file_names_is_not_looked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    import codecs

    asked: list[str] = []

    def search(name: str) -> None:
        asked.append(name)

    codecs.register(search)
    try:
        with pytest.raises(MenuError, match="says it is written in evil-codec; store it as UTF-8"):
            infer(b"# -*- coding: evil_codec -*-\nA = 1\n", "x.py")
    finally:
        codecs.unregister(search)
    assert asked == []


HOSTILE: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "holds no knob that can be inferred"),
    "no python": (b"metric\tvalue\n1\t2\n", "cannot be read as Python"),
    "json": (b'{"lr": 0.1}', "holds no knob that can be inferred"),
    "null bytes": (b"A = 1\n\x00", "cannot be read as Python"),
    "no text": (b"A = '\xff\xfe'", "its bytes are no text"),
    "binary": (bytes(range(256)), "cannot be read as Python"),
    "brackets": (b"A = " + b"(" * 100_000, "cannot be read as Python"),
    "signs": (b"A = " + b"-" * 100_000 + b"1", "cannot be read as Python"),
    "sums": (b"A = " + b"1+" * 100_000 + b"1", "cannot be read as Python"),
    "attributes": (b"A = a" + b".a" * 100_000, "cannot be read as Python"),
    "indents": (b"".join(b" " * i + b"if 1:\n" for i in range(200)), "cannot be read as Python"),
    "annotation": (b'X: "' + b"(" * 300 + b'" = 1\nB = 2', ""),
    "huge": (b"A = 1\n" + b"#" * (4 << 20), "is over 4 MB"),
    "digits": (b"A = " + b"9" * 5000, "cannot be read as Python"),
    "power": (b"A = 2 ** 2 ** 2 ** 99\nB = 1 << (1 << 60)\n", "holds no knob that can be inferred"),
    "repeats": (b"A = 'x' * 10 ** 12\nB = (1,) * 10 ** 12\n", "holds no knob that can be inferred"),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_a_hostile_file_is_one_line(case: str) -> None:
    data, says = HOSTILE[case]
    if not says:
        assert infer(data, "x.py").knobs
        return
    with pytest.raises(MenuError) as told:
        infer(data, "x.py")
    assert says in str(told.value)
    assert "\n" not in str(told.value)
    assert str(told.value).startswith("x.py: ")
    assert len(str(told.value)) < 250


def test_what_is_no_file_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(MenuError, match="cannot be read"):
        inference.of_file(tmp_path / "no.py")
    with pytest.raises(MenuError, match="is a folder"):
        inference.of_file(tmp_path)


words = st.sampled_from(
    "A LR lr --lr x.y 1 -2.5 1e999 'a' 'a/b' \"\" None True ... = == : ( ) [ ] { } , . \n \n \n \t class def "
    "@dataclass @ Field field import os.environ.get( p.add_argument( default= choices= type=int action='store_true' "
    "Literal[ Annotated[ typer.Option( globals() config = dict( ** * << lambda: 'é' \\ # if else global".split(" ")
)


sentences = st.lists(words).map(lambda w: " ".join(w).encode())


@settings(max_examples=300)
@given(
    st.binary(max_size=60) | st.text(max_size=60).map(str.encode) | st.lists(words).map(lambda w: " ".join(w).encode())
)
@example(b"A = '\\ud800'")
@example(b"X: 'A[' = 1")
def test_any_bytes_give_a_menu_or_one_line(data: bytes) -> None:
    try:
        found = infer(data, "x.py")
    except MenuError as e:
        assert "\n" not in str(e)  # noqa: PT017  # one of two answers, and it is a line
        return
    again = menu.parse(json.loads(json.dumps(found.to_json())), "again")
    assert again.knobs == found.menu.knobs
    assert not again.declared


atoms = st.integers(-5, 5) | st.floats(allow_nan=True) | st.booleans() | st.sampled_from(["a", "a b", "x.py", "é", ""])
values = atoms | st.lists(atoms, max_size=3) | st.none() | st.dictionaries(st.sampled_from(["k", "K", "seed"]), atoms)
names = st.sampled_from(["A", "a", "A_B", "a_b", "AB", "ab", "config", "DEFAULTS", "É", "SEED", "x"])


@settings(max_examples=200)
@given(st.lists(st.tuples(names, values, st.sampled_from(["{} = {!r}", "p.add_argument('--{}', default={!r})"]))))
def test_any_settings_give_a_menu_that_reads_back_the_same(said: list[tuple[str, object, str]]) -> None:
    text = "\n".join(how.format(name, value) for name, value, how in said)
    try:
        found = infer(text.encode(), "x.py")
    except MenuError as e:
        assert "holds no knob" in str(e)  # noqa: PT017  # one of two answers, and never a contradiction
        return
    assert menu.parse(json.loads(json.dumps(found.to_json())), "again").knobs == found.menu.knobs
    for k in found.knobs:
        assert found.menu.find(k.name) == found.menu.knobs[k.name]


# --- the file, the flags, the coverage ---------------------------------------------------------------------------


def test_an_inferred_menu_stays_inferred_until_a_person_takes_the_mark_out(cli: Cli) -> None:
    done = cli("menu", "infer", TRAIN, "-o", "menu.json")
    assert "take the line `inferred` out" in done.stderr
    path = cli.here / "menu.json"
    found = menu.load(path)
    assert found.knobs == inference.of_file(TRAIN).menu.knobs
    assert not found.declared
    assert not menu.parse({"inferred": False, "knobs": {"lr": {"type": "float"}}}).declared, "whatever the mark says"
    lines = [line for line in path.read_text().splitlines() if '"inferred"' not in line]
    path.write_text("\n".join(lines))
    assert menu.load(path).declared
    assert menu.load(path).knobs == found.knobs


def test_a_menu_that_is_there_is_never_overwritten(cli: Cli) -> None:
    (cli.here / "menu.json").write_text("mended")
    said = error(cli("menu", "infer", TRAIN, "-o", "menu.json"))
    assert said.startswith("menu.json: exists already and is not overwritten")
    assert (cli.here / "menu.json").read_text() == "mended"


def test_a_rail_lets_nothing_pass_by_a_menu_that_nobody_declared() -> None:
    inferred = inference.of_file(TRAIN).menu
    verdict = Checks(inferred, None).on_menu(inferred.pair({"DEPTH": 9}))
    assert verdict is not None
    assert verdict.level is Level.UNKNOWN


def test_the_lines_for_programs_hold_knobs_and_what_was_left_out(cli: Cli) -> None:
    lines = [json.loads(line) for line in cli("menu", "infer", TRAIN, "--json").stdout.splitlines()]
    assert [x["knob"] for x in lines if "knob" in x] == list(BY_HAND)
    assert [x["left"] for x in lines if "left" in x] == NONE
    assert lines[0] == {
        "schema": 1,
        "knob": "DEPTH",
        "type": "int",
        "aliases": ["depth"],
        "default": 8,
        "line": 16,
        "how": "constant",
    }


HEADER: dict[str, Any] = {"type": "run", "run_id": "r", "metric": {"name": "loss", "goal": "minimize"}}


def run(path: Path, **header: Any) -> Path:
    """A run of two trials, one of which says `depth` and one `weight-decay`."""
    trials = [
        {"type": "trial", "status": "reverted", "attempts": [{"changes": [{"knob": k, "value": v}]}], "value": 1.0}
        for k, v in (("depth", 9), ("weight-decay", 0.1))
    ]
    path.write_bytes(chained([HEADER | header, *trials]))
    return path


def test_coverage_of_an_inferred_menu_is_called_inferred_and_names_the_untouched(tmp_path: Path) -> None:
    path = run(tmp_path / "r.jsonl")
    (tmp_path / "train.py").write_bytes(TRAIN.read_bytes())
    doc = analysis.of_file(source(path, Asked(menu_from=tmp_path / "train.py"))[0])[0]["coverage"]
    assert (doc["source"], doc["knobs_total"], doc["knobs_touched"]) == ("inferred", 22, 2)
    assert doc["untouched"] == [k for k in BY_HAND if k not in ("DEPTH", "WEIGHT_DECAY")]
    assert doc["outside"] == []
    assert doc["cells"]["total"] is None


def test_a_declared_menu_goes_before_an_inferred_one_and_that_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = run(tmp_path / "r.jsonl")
    (tmp_path / "r.menu.json").write_text('{"depth": {"type": "int"}}')
    found = source(path, Asked(menu_from=TRAIN))[0].menu
    assert (list(found.knobs), found.declared) == (["depth"], True)
    assert f"so --menu-from {TRAIN} is not looked at" in capsys.readouterr().err


def test_a_menu_in_the_header_of_the_file_goes_before_an_inferred_one(tmp_path: Path) -> None:
    path = run(tmp_path / "r.jsonl", menu={"knobs": {"depth": {"type": "int"}}})
    inferred = inference.of_file(TRAIN).menu
    assert analysis.of_file(Source(str(path), menu=inferred))[0]["coverage"]["source"] == "declared"
    given = menu.parse({"depth": {"type": "int"}, "width": {"type": "int"}})
    assert analysis.of_file(Source(str(path), menu=given))[0]["coverage"]["knobs_total"] == 2


def test_both_menus_at_once_are_an_error(cli: Cli) -> None:
    said = error(cli("analyze", AMNESIAC, "--menu", "menu.json", "--menu-from", TRAIN))
    assert "--menu declares the knobs and --menu-from infers them; say one" in said


def test_settings_may_name_the_source_file_relative_to_themselves(cli: Cli) -> None:
    run(cli.here / "r.jsonl")
    (cli.here / "src").mkdir()
    (cli.here / "src" / "train.py").write_bytes(TRAIN.read_bytes())
    (cli.here / "trajscope.toml").write_text('[source]\nmenu_from = "src/train.py"\n')
    doc = json.loads(cli("analyze", "r.jsonl", "--json").stdout)
    assert doc["coverage"]["source"] == "inferred"
    page = cli("analyze", "r.jsonl").stdout
    assert "2 of 22 knobs (inferred, nobody declared them) touched" in " ".join(page.split())
    (cli.here / "trajscope.toml").write_text('[source]\nmenu_from = "src/train.py"\nmenu = "m.json"\n')
    assert "names both menu and menu_from; keep one" in error(cli("analyze", "r.jsonl"))


def test_the_standard_library_is_read_without_a_fault() -> None:
    home = Path(ast.__file__).parent
    knobs_found = 0
    for path in sorted(home.glob("[a-h]*.py")):
        try:
            knobs_found += len(inference.of_file(path).knobs)
        except MenuError as e:
            assert "holds no knob" in str(e) or "is written in" in str(e)  # noqa: PT017  # never that it cannot be read
    assert knobs_found > 20
