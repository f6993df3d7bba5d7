"""Every line that a program may read is of its schema: each verb that offers `--json`, run for real, however it ends.

Planted and seen to fail: a verb without a case, a schema without one, a name more and a name less in a line of a verb,
a count as text, a schema that is open, a name in the manual that there is no schema of.
"""

from __future__ import annotations

import json
import re
import shlex
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

import corpusfield
import pytest
import typer
from clirun import AMNESIAC, ROOT, SAMPLES
from jsonlines import Answer, free, holds, typed, validators
from jsonschema import Draft202012Validator
from loophill import hill
from railfield import FRESH, TRIED, Field
from reportfield import made
from runfiles import start
from servefield import Served, begun, trial

from trajscope import analysis, corpus, integrity, record
from trajscope.cli import about, app, words
from trajscope.lookout import Lookout
from trajscope.readers import Source
from trajscope_dashboards.desk import Desk
from trajscope_dashboards.stream import One
from trajscope_loop import folder as folders
from trajscope_loop import plan as plans

WRITTEN = frozenset(record.schemas())  # lines of a run file: whoever writes them may add names
NO_SCHEMA = "sql"  # its names are those of the query


class Case(NamedTuple):
    """What is typed, how it ends, and of which schema its lines are; at least one is demanded where `lines` is."""

    typed: str
    schema: str
    code: int = 0
    lines: int | None = None


CASES = [
    Case("analyze amnesiac.jsonl --json", "analysis", lines=1),
    Case("analyze table.tsv amnesiac.jsonl two.jsonl --quick --json", "analysis", lines=4),
    Case("analyze gone.jsonl chain.jsonl --quick --json", "analysis", 2, 1),
    Case("analyze foreign.json --json", "analysis", 2, 0),
    Case("trials amnesiac.jsonl --json", "trials", lines=40),
    Case("trials table.tsv --last 0 --json", "trials", lines=5),
    Case("trials two.jsonl --where kept --json", "trials", lines=16),
    Case("trials amnesiac.jsonl --where false --json", "trials", lines=0),
    Case("trials amnesiac.jsonl --where nothing --json", "trials", 2, 0),
    Case("trials amnesiac.jsonl --seq 6 --json", "trials-seq", lines=1),
    Case("trials table.tsv --seq 3 --json", "trials-seq", lines=1),
    Case("trials amnesiac.jsonl --seq 999 --json", "trials-seq", 2, 0),
    Case("watch amnesiac.jsonl --once --json", "watch", lines=1),
    Case("watch good --once --json", "watch", lines=2),
    Case("watch empty.jsonl --once --json", "watch", 3, 1),
    Case("watch foreign.json --once --json", "watch", 3, 1),
    Case("watch chain.jsonl --until-alarm --json", "watch", 1),
    Case("watch few.jsonl --replay 0 --json", "watch"),
    Case("verify page.html --json", "verify", lines=1),
    Case("verify changed.html --json", "verify", 1, 1),
    Case("verify page.html --original table.tsv --json", "verify", 1, 1),
    Case("verify gone.html --json", "verify", 2, 0),
    Case("fleet good --json", "analysis", lines=2),
    Case("fleet good --headline --json", "headline", lines=2),
    Case("fleet odd --json", "analysis", 3, 3),
    Case("fleet odd --headline --json", "headline", 3, 3),
    Case("fleet nothing --json", "analysis", 3, 0),
    Case("rail selftest --timeout 0.001 --json", "rail-selftest", 1, 1),
    Case("rail replay amnesiac.jsonl --json", "rail-replay", lines=1),
    Case("rail replay amnesiac.jsonl --only repeat --window 5 --json", "rail-replay", lines=1),
    Case("rail replay empty.jsonl --json", "rail-replay", 2, 0),
    Case(
        "integrity snapshot --editable code.py --frozen data.json -o new.snapshot --json", "integrity-snapshot", lines=1
    ),
    Case("integrity snapshot --frozen no-such-file -o no.snapshot --json", "integrity-snapshot", 2, 0),
    Case("integrity check kept.snapshot --json", "integrity-check", lines=1),
    Case("integrity check drifted.snapshot --json", "integrity-check", 1, 1),
    Case("integrity check gone.snapshot --json", "integrity-check", 3, 1),
    Case("gate amnesiac.jsonl --split stratified --split tail --json", "gate", 1, 2),
    Case("gate few.jsonl --json", "gate", 3, 1),
    Case("gate c0.jsonl c1.jsonl c2.jsonl c3.jsonl c4.jsonl --json", "gate", lines=1),
    Case("gate foreign.json --json", "gate", 2, 0),
    Case("corpus build amnesiac.jsonl -o no --json", "corpus-build", 1, 1),
    Case("corpus build few.jsonl -o no --json", "corpus-build", 3, 1),
    Case("corpus build amnesiac.jsonl -o taken --json", "corpus-build", 2, 0),
    Case("corpus build amnesiac.jsonl -o accepted --accept because --json", "corpus-build", lines=1),
    Case("corpus build c0.jsonl c1.jsonl c2.jsonl c3.jsonl c4.jsonl -o built --json", "corpus-build", lines=1),
    Case("corpus verify taken amnesiac.jsonl --json", "corpus-verify", lines=1),
    Case("corpus verify spoilt --json", "corpus-verify", 1, 1),
    Case("corpus verify of-two amnesiac.jsonl --json", "corpus-verify", 3, 1),
    Case("corpus verify good --json", "corpus-verify", 2, 0),
    Case("menu infer code.py --json", "menu-infer", lines=3),
    Case("menu infer nothing.py --json", "menu-infer", 2, 0),
    Case("formats --json", "formats"),
    Case("formats --explain table.tsv --json", "formats-explain", lines=1),
    Case("formats --explain two.jsonl --json", "formats-explain", lines=1),
    Case("formats --explain foreign.json --json", "formats-explain", 2, 1),
    Case("doctor --json", "doctor", lines=8),
    Case("loop status begun --json", "loop-status", lines=1),
    Case("loop status asked --json", "loop-status", lines=1),
    Case("loop status over --json", "loop-status", lines=1),
    Case("loop status nowhere --json", "loop-status", 2, 0),
    Case("demo --story amnesiac --json", "demo-story", lines=1),
    Case("demo --story nobody --json", "demo-story", 2, 0),
]
# Of each schema, the case in whose first line everything is put wrong.
FIRST = {c.schema: c for c in reversed(CASES) if c.lines != 0}
# Asked by tests of their own: here below, where whole processes must run; a campaign of `demo` and stories that train
# in tests/test_demo.py.
ELSEWHERE = {
    "sql": "", "rail check": "rail-check", "demo": "demo", "serve": "serve-run serve-runs serve-rows serve-trial "
    "serve-news serve-gone", "watch --sidecar --notify": "coverage alarm", "corpus build": "corpus-manifest",
}  # fmt: skip


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with what the cases speak of."""
    here = tmp_path_factory.mktemp("lines")
    for folder in ("good", "odd", "nothing"):
        (here / folder).mkdir()
    amnesiac = AMNESIAC.read_bytes()
    shutil.copy(AMNESIAC.with_suffix(".menu.json"), here / "amnesiac.menu.json")
    table = "commit\tval_bpb\tstatus\tdescription\n" + "".join(
        f"{i:07x}\t{1 - i / 100}\t{'keep' if i % 2 else 'discard'}\tlr 0.{i} -> 0.{i + 1}\n" for i in range(1, 6)
    )
    chain = (SAMPLES / "chain_broken" / "chain_broken.jsonl").read_bytes()
    for name, data in {
        "amnesiac.jsonl": amnesiac, "two.jsonl": amnesiac + amnesiac, "table.tsv": table.encode(), "empty.jsonl": b"",
        "chain.jsonl": chain, "foreign.json": b'{"a": 1}', "good/a.jsonl": amnesiac, "good/b.tsv": table.encode(),
        "odd/a.jsonl": amnesiac, "odd/chain.jsonl": chain, "odd/empty.jsonl": b"", "odd/torn.jsonl": amnesiac[:-40],
        "code.py": b"DEPTH = 8\nLR = 0.1\nPATH = '/data'\n", "nothing.py": b"print(1)\n", "data.json": b"[1]",
    }.items():  # fmt: skip
        (here / name).write_bytes(data)
    with closing(start(here / "few.jsonl", metric="loss", menu={"knobs": {"lr": {"type": "float"}}})) as run:
        for i in range(6):
            run.trial({"lr": i / 10}, value=1 - i / 10, kept=not i, wall_s=1.0)
    corpusfield.write(here, corpusfield.clean())
    _pages(here)
    _snapshots(here)
    _corpora(here)
    _campaigns(here)
    return here


def _pages(here: Path) -> None:
    page = made(here / "amnesiac.jsonl").html
    (here / "page.html").write_text(page, "utf-8")
    (here / "changed.html").write_text(page.replace(">10.8783<", ">10.8<", 1), "utf-8")


def _snapshots(here: Path) -> None:
    for name in ("kept", "drifted"):
        (here / f"{name}.py").write_text("LR = 0.5\n")
        integrity.snapshot(here, editable=[f"{name}.py"], frozen=["data.json"]).save(here / f"{name}.snapshot")
    (here / "drifted.py").write_text("LR = 0.3\n")


def _corpora(here: Path) -> None:
    one = Source(str(here / "amnesiac.jsonl")), None
    other = Source(str(here / "few.jsonl")), None
    for name, named in {"taken": [one], "spoilt": [one], "of-two": [one, other]}.items():
        corpus.build(named, here / name, accept="a test")
    (here / "spoilt" / "README.md").write_text("")


def _campaigns(here: Path) -> None:
    domain = hill(here / "hill")
    plan = plans.made({"domain": str(domain), "proposer": {"kind": "loophill:Walker"}, "executor": {"kind": "local"}})
    for name in ("begun", "asked", "over"):
        (here / name).mkdir()
        memory = folders.begin(here / name, plan)
        if name == "over":
            memory.state.ended, memory.state.stopped, memory.state.value = True, "finished: 2 trials", 0.5
            memory.state.base, memory.state.spent = {"x": 1.0}, {"wall_s": 2.5}
            memory.save(sync=True)
    (here / "asked" / folders.PAUSE).touch()


@pytest.fixture
def asked(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[[str], Answer]:
    """The command in that folder, as a user without settings."""
    monkeypatch.chdir(place)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return lambda line: typed(shlex.split(line), monkeypatch, capsys)


@pytest.mark.parametrize("case", CASES, ids=[c.typed for c in CASES])
def test_every_line_is_of_its_schema_however_the_command_ends(case: Case, asked: Callable[[str], Answer]) -> None:
    answer = asked(case.typed)
    assert answer.code == case.code, answer.said
    assert len(answer.lines) == case.lines if case.lines is not None else answer.lines, answer
    for line in answer.lines:
        validators()[case.schema].validate(line)
    if case is FIRST[case.schema]:
        holds(case.schema, answer.lines[0])


# --- what is asked otherwise ------------------------------------------------------------------------------------------


def test_the_rail_answers_in_one_line_of_its_schema_whatever_it_is_asked(tmp_path: Path) -> None:
    field = Field(tmp_path)
    said = [field.check(x) for x in (FRESH, TRIED, b"no JSON")]
    said += [field.check(FRESH, *more) for more in (("--jsn",), ("--run", "gone.jsonl"))]
    assert [x.code for x in said] == [0, 2, 2, 2, 2]
    for one in said:
        holds("rail-check", one.json)


def test_the_self_test_that_passes_is_of_its_schema_too(asked: Callable[[str], Answer], place: Path) -> None:
    answer = asked("rail selftest --run few.jsonl --json")
    assert (answer.code, answer.lines[0]["passed"]) == (0, True), answer.lines
    assert answer.lines[0]["recorded"].startswith("few.jsonl:")
    holds("rail-selftest", answer.lines[0])


def test_rows_of_a_query_are_objects_and_have_no_schema(asked: Callable[[str], Answer]) -> None:
    answer = asked("sql 'SELECT pair, count(*) AS n FROM trials GROUP BY pair' amnesiac.jsonl --json")
    assert (answer.code, len(answer.lines)) == (0, 14)
    assert all(line.keys() == {"pair", "n"} for line in answer.lines)
    assert NO_SCHEMA not in validators()


def test_what_watch_leaves_beside_a_run_and_hands_on_is_of_its_schema(
    asked: Callable[[str], Answer], place: Path, tmp_path: Path
) -> None:
    shutil.copy(place / "chain.jsonl", tmp_path / "run.jsonl")
    told = tmp_path / "told.jsonl"
    asked(f"watch {tmp_path / 'run.jsonl'} --sidecar --notify {told} --until-alarm --json")
    holds("coverage", json.loads((tmp_path / "run.coverage.json").read_text("utf-8")))
    for line in told.read_text("utf-8").splitlines():
        holds("alarm", json.loads(line))


def test_a_manifest_is_of_its_schema(place: Path) -> None:
    said = [json.loads((place / name / "manifest.json").read_text("utf-8")) for name in ("taken", "of-two")]
    validators()["corpus-manifest"].validate(said[0])
    holds("corpus-manifest", said[1])


def test_an_installation_that_does_not_work_says_so_in_lines_of_the_schema(
    asked: Callable[[str], Answer], monkeypatch: pytest.MonkeyPatch, place: Path
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(place / "data.json"))
    answer = asked("doctor --json")
    assert answer.code == 1
    assert [line["check"] for line in answer.lines if not line["ok"]] == ["cache"]
    for line in answer.lines:
        holds("doctor", line)


@pytest.mark.needs_module("starlette", "uvicorn")
def test_what_the_page_answers_and_tells_is_of_its_schemas(tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    runs.mkdir()
    (runs / "broken.jsonl.gz").write_bytes(b"no gzip")
    (runs / "empty.jsonl").write_bytes(b"")
    with begun(runs / "a.jsonl", 3) as run, Served(tmp_path, runs) as served:
        one = f"/api/runs/{served.run('a.jsonl')}"
        with served.events(f"{one}/events") as heard:
            validators()["serve-rows"].validate(heard.next("reset").data)
            validators()["serve-run"].validate(heard.next("run").data)
            trial(run, 3)
            holds("serve-rows", heard.next("rows").data)
        holds("serve-run", served.ask(one).json)
        seq = served.ask(f"{one}/rows").json["rows"][-1]["seq"]
        for address, name in {
            "/api/runs": "serve-runs", one: "serve-run", f"{one}/rows?most=2": "serve-rows",
            f"{one}/rows?most=0": "serve-rows", f"{one}/analysis": "analysis",
        }.items():  # fmt: skip
            validators()[name].validate(served.ask(address).json)
        holds("serve-trial", served.ask(f"{one}/trials/{seq}").json)
        with served.events("/api/events") as heard:
            holds("serve-runs", heard.next("reset").data)
            trial(run, 4)
            holds("serve-news", heard.next("runs").data)
    (gone,) = One(Desk(Lookout(runs)), "no-more", "").pending()
    assert gone[0] == "gone"
    holds("serve-gone", json.loads(gone[2]))


# --- nothing is left out ----------------------------------------------------------------------------------------------


def verbs(command: Any, name: str = "") -> Iterator[str]:
    """Every verb below a command that offers `--json`."""
    if hasattr(command, "list_commands"):
        for word in command.list_commands(None):
            if (one := command.get_command(None, word)) is not None:
                yield from verbs(one, f"{name} {word}".strip())
    if any("--json" in p.opts for p in command.params):
        yield name


def test_no_verb_offers_json_without_a_case() -> None:
    offered = {*verbs(typer.main.get_command(app.app))}
    offered |= {f"rail {verb}" for verb, (parser, _) in words.VERBS.items() if "--json" in parser().options}
    assert {"analyze", "rail check", "loop status", "demo"} <= offered
    met = {*ELSEWHERE} | {c.typed.rpartition(" --json")[0] for c in CASES}
    assert {verb for verb in offered if not any(f"{x} ".startswith(f"{verb} ") for x in met)} == set()


def test_no_schema_is_without_a_line_that_was_held_to_it() -> None:
    met = {c.schema for c in CASES if c.lines != 0} | {name for names in ELSEWHERE.values() for name in names.split()}
    assert {*validators()} - WRITTEN == met


def test_the_documentation_names_every_schema_and_holds_it() -> None:
    page = (ROOT / "docs" / "cli.md").read_text("utf-8").partition("\n## schema\n")[2].partition("\n## ")[0]
    rows = [line.split("|")[1] for line in page.splitlines() if line.startswith("| `")]
    assert [name for row in rows for name in re.findall(r"`(\S+)`", row)] != []
    assert {name for row in rows for name in re.findall(r"`(\S+)`", row)} == {*validators()}
    assert {p.name for p in (ROOT / "docs" / "schema").iterdir()} == {f"{n}.schema.json" for n in validators()}


# What may be anything: values of a run, which are anybody's.
ANYTHING = {
    "analysis": {"proposed", "ran"}, "trials-seq": {"line"}, "rail-check": {"value"},
    "menu-infer": {"choices", "default"},
}  # fmt: skip


@pytest.mark.parametrize("name", sorted({*validators()} - WRITTEN))
def test_a_schema_is_whole_closed_numbered_and_leaves_nothing_open_but_values(name: str) -> None:
    schema: Any = validators()[name].schema
    Draft202012Validator.check_schema(schema)
    assert schema["$schema"].endswith("2020-12/schema")
    assert schema["title"]
    # The configuration that stands has the names that the domain's knobs have.
    assert free(schema) == (ANYTHING.get(name, set()), {"stands"} if name == "loop-status" else set())


def test_a_strangers_schemas_are_asked_for_and_what_is_broken_in_them_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    theirs = {"theirs": {"type": "object"}, "analysis": {"type": "null"}}
    monkeypatch.setitem(sys.modules, "a_guest", SimpleNamespace(schemas=lambda: theirs))
    monkeypatch.setitem(sys.modules, "a_broken_guest", SimpleNamespace(schemas=lambda: 1 / 0))
    monkeypatch.setattr(app, "mounted", lambda: {"guest": "a_guest:verb", "broken": "a_broken_guest:verb"})
    told: list[str] = []
    found = about.known(told.append)
    assert found["theirs"] == theirs["theirs"]
    assert found["analysis"] == analysis.schema()  # nobody's takes the place of ours
    assert told == ["the schemas of broken cannot be had (ZeroDivisionError: division by zero)"]


def test_a_rail_that_is_asked_imports_no_schema(tmp_path: Path) -> None:
    field = Field(tmp_path)
    code = (
        "import sys; from trajscope.cli import rail; code = rail.main(sys.argv[1:]);"
        "sys.exit(code or bool({'trajscope.shape', 'trajscope.cli.railshapes'} & {*sys.modules}))"
    )
    child = field.start(FRESH, command=(sys.executable, "-c", code))
    assert child.communicate(timeout=50)[0]
    assert child.returncode == 0
