"""Who reads a file: the order that decides, what is said of it, the map that says the same, a guess where nobody does.

Planted and seen to fail: the last built-in that claims, a stranger before a map, a map without its words, statuses that
lose their baseline, a guess that calls prose a table.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import ClassVar

import pytest
from mapfield import BUILT_IN, FOUND, TABLE, General, Tabled, read_by

from trajscope import analysis, maps
from trajscope.cli.app import app
from trajscope.errors import ForeignError
from trajscope.explain import Status, _written, explain
from trajscope.layout import Layout
from trajscope.readers import BUILT_IN as READERS
from trajscope.readers import Source, find
from trajscope.readers.guess import guess
from trajscope.readers.stages import Stages
from trajscope.testing import samples
from trajscope.trial import Item, Line


@pytest.fixture
def table(tmp_path: Path) -> Iterator[Path]:
    """A table that two planted readers claim: a special one and, behind it, a general one."""
    path = tmp_path / "t.tsv"
    path.write_bytes(TABLE)
    with read_by(BUILT_IN):
        yield path


# --- the order ---------------------------------------------------------------------------------------------------


def test_of_two_built_in_readers_that_claim_a_file_the_first_reads_it(table: Path) -> None:
    assert find(table, TABLE) is Tabled
    with read_by({name: BUILT_IN[name] for name in reversed(BUILT_IN)}):
        assert find(table, TABLE) is General


def test_a_map_opens_a_file_that_nobody_recognises(table: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    del READERS["general"]  # `table` puts it back
    strange = b"x\ty\n1\t2\n"
    with pytest.raises(ForeignError):
        find("f", strange)
    assert find("f", strange, Layout(metric="y")) is Tabled
    with pytest.raises(ForeignError):
        find("f", strange, Layout(metric="z"))
    assert find("f", strange, Layout(reader="stages")) is Stages


def test_a_stranger_is_asked_after_every_built_in_and_after_the_map(
    table: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    del READERS["general"]  # `table` puts it back

    class Point:
        @staticmethod
        def load() -> type[General]:
            return General

    monkeypatch.setattr("trajscope.readers._strangers", lambda: {"general": Point})
    assert find("f", b"x\ty\n1\t2\n") is General
    assert find("f", b"x\ty\n1\t2\n", Layout(metric="y")) is Tabled


# --- what is said ------------------------------------------------------------------------------------------------


def test_a_file_is_explained_with_its_reader_its_words_and_who_else_claims_it(table: Path) -> None:
    found = explain(Source(str(table)))
    assert (found.reader, found.why) == ("tabled", "its first column is called tabled")
    assert found.others == (("general", "its first column is called tabled"),)
    assert found.layout == FOUND
    assert found.runs == (("t", "score", "maximize", 4),)
    assert sorted(found.statuses) == [
        Status("KEEP", "kept", 1),
        Status("drop: worse", "reverted", 1),
        Status("keep", "kept", 1),
        Status("odd", "other", 1),
        Status("start", "baseline", 1),
    ]
    assert found.map is not None
    assert tomllib.loads(found.map) == {
        "reader": "tabled",
        "metric": "score",
        "goal": "maximize",
        "status": "outcome",
        "baseline": ["start"],
        "statuses": {"kept": ["keep"], "reverted": ["drop: worse"], "other": ["odd"]},
    }


@pytest.mark.parametrize("said", [None, Layout(metric="other", statuses={"kept": ("odd",), "other": ("keep",)})])
def test_the_map_that_is_printed_gives_the_same_analysis(table: Path, tmp_path: Path, said: Layout | None) -> None:
    before = analysis.of_file(Source(str(table), layout=said))
    found = explain(Source(str(table), layout=said))
    (tmp_path / "m.toml").write_text(found.map or "")
    after = analysis.of_file(Source(str(table), layout=maps.load(tmp_path / "m.toml")))
    assert after == before
    again = explain(Source(str(table), layout=maps.load(tmp_path / "m.toml")))
    assert again.map == found.map
    assert again.statuses == found.statuses
    assert again.why == "it was named"


def test_a_word_that_the_reader_itself_takes_for_a_baseline_stands_in_the_map(table: Path) -> None:
    table.write_bytes(TABLE.replace(b"start", b"baseline run"))
    assert tomllib.loads(explain(Source(str(table))).map or "")["baseline"] == ["start", "baseline run"]


def test_a_baseline_is_counted_as_one_by_the_reader_of_tables(tmp_path: Path) -> None:
    path = tmp_path / "results.tsv"
    rows = ("commit\tval_bpb\tstatus\tdescription", "a1\t1.1\tkeep\tbaseline", "b2\t1.0\tkeep\tLR 1 to 2")
    path.write_text("\n".join((*rows, "c3\t1.2\tBASELINE\tonce more", "")))
    found = explain(Source(str(path)))
    assert sorted(found.statuses) == [
        Status("BASELINE", "baseline", 1),
        Status("keep", "baseline", 1),
        Status("keep", "kept", 1),
    ]
    assert tomllib.loads(found.map or "")["baseline"] == ["BASELINE"]


def test_a_word_that_was_taken_for_two_things_is_left_to_the_reader() -> None:
    seen = (Status("keep", "baseline", 5), Status("keep", "kept", 1), Status("ok", "kept", 1), Status("OK", "other", 1))
    written = _written(Layout(metric="m"), "table", (*seen, Status("good", "baseline", 1)))
    assert written == Layout(reader="table", metric="m", statuses={"kept": ("keep",)})


def test_a_map_that_is_changed_changes_what_is_read(table: Path, tmp_path: Path) -> None:
    text = explain(Source(str(table))).map or ""
    (tmp_path / "m.toml").write_text(text.replace('other = ["odd"]', "").replace('"keep"', '"keep", "odd"'))
    was = analysis.of_file(Source(str(table)))[0]
    now = analysis.of_file(Source(str(table), layout=maps.load(tmp_path / "m.toml")))[0]
    assert (was["status"]["kept"], now["status"]["kept"]) == (2, 3)


def test_a_reader_that_counts_nothing_itself_is_counted_by_its_trials(
    table: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Plain(Tabled):
        """As above, without counts."""

        name: ClassVar[str] = "plain"

        def feed(self, line: Line) -> Iterable[Item]:
            items = super().feed(line)
            self.statuses.clear()
            return items

    monkeypatch.setattr("mapfield.Tabled", Plain)
    found = explain(Source(str(table)))
    assert {(s.raw, s.meaning) for s in found.statuses} == {
        ("keep", "kept"),
        ("KEEP", "kept"),
        ("drop: worse", "reverted"),
        ("odd", "other"),
    }


def test_a_format_whose_fields_are_fixed_says_so(tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl"
    path.write_bytes(samples()["native"])
    found = explain(Source(str(path)))
    assert (found.reader, found.layout, found.map, found.others) == ("native", None, None, ())
    assert {(s.raw, s.rows) for s in found.statuses} == {("kept", 1), ("reverted", 1)}


# --- what nobody reads -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "kind", "says"),
    [
        (b"run,loss,verdict\na,0.5,keep\nb,0.6,discard\n", "table", "a table with commas (columns run, loss, verdict)"),
        (b"x;y\n1.5;2\n2.5;3\n", "table", "a table with semicolons (columns x, y)"),
        (b"0.5\tkeep\n0.6\tdrop\n", "table", "a table with tabs (columns column_1, column_2)"),
        (b"# a: b\ncommit\tscore\nabc\t0.1\n", "table", "a table with tabs (columns commit, score)"),
        (b'{"a": 1, "loss": 0.5}\n{"a": 2, "loss": 0.25}\n', "rows", "JSON lines (keys a, loss)"),
        (b'{"nodes": [], "edges": []}', "document", "one JSON document (keys nodes, edges)"),
        (b'{\n "nodes": [],\n "x": 1\n}\n', "document", "one JSON document (keys nodes, x)"),
        (b"SQLite format 3\x00 and more", "sqlite", "an SQLite database whose tables are not known"),
        (b"\x7fELF\x00\x00", "binary", "binary, not text"),
        (b"Dear diary, today nothing, as ever, was measured.\nNor was it, as I said, yesterday.\n", "text", "text"),
        (b"In the first place, nothing was measured on that day.\nIn the second, nothing.\n", "text", "text"),
        (b"# Title\n\nSome | pipe in prose.\nAnd none here.\nNor here.\n", "text", "text"),
        (b"", "text", "text"),
    ],
)
def test_a_file_that_nobody_reads_is_described(data: bytes, kind: str, says: str) -> None:
    from trajscope.readers.guess import looks

    found = guess(data)
    assert (found.kind, looks(found)) == (kind, says)


def test_the_roles_of_its_columns_are_guessed() -> None:
    rows = b"".join(
        b"%d\t0.%d\t4.5\t%s\tset the rate to one tenth of it\n" % (i, i, b"kd"[i % 2 :][:1]) for i in range(9)
    )
    rows = rows.replace(b"\tk\t", b"\tkeep\t").replace(b"\td\t", b"\tdiscard\t")
    found = guess(b"exp\tval_loss\tmemory_gb\tresult\tnotes\n" + rows).layout
    assert found == Layout(delimiter="tab", metric="val_loss", goal="minimize", status="result", description="notes")


def test_whole_numbers_that_count_rows_are_no_metric() -> None:
    assert guess(b"run\tquality\n1\t0.5\n2\t0.25\n").layout == Layout(delimiter="tab", metric="quality")


def test_the_error_names_columns_and_a_map_where_a_reader_takes_one(
    table: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    del READERS["general"]  # `table` puts it back
    with pytest.raises(ForeignError) as told:
        find("f", b"run,loss\na,0.5\n")
    said = str(told.value)
    assert said.startswith(
        "f: is in no format that a reader knows; it looks like a table with commas (columns run, loss)"
    )
    assert "with --map FILE (formats --explain begins one), or name a reader with --reader (have: " in said
    del READERS["tabled"]  # `table` puts it back
    with pytest.raises(ForeignError, match=r"columns run, loss\); name one with --reader"):
        find("f", b"run,loss\na,0.5\n")


def test_a_hostile_header_is_short_and_on_one_line() -> None:
    names = b"\t".join(b"\x1b[31m%d" % i * 50 for i in range(500))
    with pytest.raises(ForeignError) as told:
        find("f", names + b"\n" + b"a\t" * 499 + b"a\n")
    assert len(str(told.value)) < 900
    assert "\x1b" not in str(told.value)


def test_what_nobody_reads_is_explained_with_a_map_to_begin_with_and_exit_code_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    import typer

    path = tmp_path / "x.tsv"
    path.write_bytes(b"name\tval_acc\tverdict\na\t0.5\tkeep\nb\t0.25\tdiscard\n")
    command = typer.main.get_command(app)
    with (
        read_by({}),
        command.make_context("trajscope", ["formats", "--explain", str(path), "--json"]) as ctx,
        pytest.raises(typer.Exit),
    ):
        command.invoke(ctx)
    said = json.loads(capsys.readouterr().out)
    assert said["reader"] is None
    assert tomllib.loads(said["map"]) == {
        "delimiter": "tab",
        "metric": "val_acc",
        "goal": "maximize",
        "status": "verdict",
    }
