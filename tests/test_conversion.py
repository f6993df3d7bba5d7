"""Conversion: the converted file says what the original said, or the loss is told with its line.

Every sample run is also read as if it were foreign, so that all kinds of items pass through. Planted and seen to fail:
a conversion that dropped the menu, one that dropped refused attempts, one that wrote under the final name at once.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from trajscope import analysis, conversion, menu, pipeline, readers
from trajscope.errors import SourceError
from trajscope.readers import Source
from trajscope.readers.native import Native
from trajscope.trial import Item, Line, Trial

ROOT = Path(__file__).resolve().parents[1]
SAMPLES = sorted((ROOT / "sample_runs").glob("*/*.jsonl"))
# Of these a conversion is refused: a copy would be cleaner than what it was copied from.
REFUSED = {
    "gamer": "guard 'direction_acc' without floor or ceiling",
    "chain_broken": "chain_broken.jsonl:8: the hash chain is broken, and a copy would hide that",
    "params": "the run's metric and direction are not known; give --metric and --goal",
    "rounds": "the run's metric and direction are not known; give --metric and --goal",
}
# What is about the file and not about the run, or counts lines.
# The format demands an iter, so a trial without one is numbered.
ASIDE = {
    "best.iter",
    "verdict.sentence",
    "file",
    "format",
    "run_id",
    "campaign",
    "lines",
    "integrity",
    "unknown",
    "verdicts",
    "baseline.source",
}
BY_SEQ = {
    "evidence",
    "new_best_mismatches",
    "seq",
    "first",
    "last",
    "no_ops",
    "keeps_not_composing",
    "unconfirmed_keeps",
    "outside",
}


class Foreign(Native):
    """Our own format under another name, so that conversion cannot simply copy it."""

    name: ClassVar[str] = "foreign"

    @classmethod
    def sniff(cls, head: bytes) -> bool:
        return not head  # asked of no file: an empty one is never shown


class Stops(Foreign):
    """Fails in the middle of a file, as our own bug would."""

    name: ClassVar[str] = "stops"

    def feed(self, line: Line) -> Any:
        if line.seq == 4:
            raise RuntimeError("a bug of ours")
        return super().feed(line)


@pytest.fixture(autouse=True)
def strangers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two readers that must be named."""
    for kind in (Foreign, Stops):
        monkeypatch.setitem(readers.BUILT_IN, kind.name, f"{__name__}:{kind.__name__}")


def source(path: Path) -> Source:
    beside = pipeline.menu_beside(path)
    return Source(str(path), menu=menu.load(beside) if beside else None)


def figures(doc: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Every figure of a document that is not a line number, by its path."""
    if path in ASIDE or path.rpartition(".")[2] in BY_SEQ:
        return
    if isinstance(doc, dict):
        for key, value in doc.items():
            yield from figures(value, f"{path}.{key}".lstrip("."))
    elif isinstance(doc, list):
        for i, value in enumerate(doc):
            yield from figures(value, f"{path}.{i}")
    else:
        yield path, doc


def compare(path: Path, out: Path, reader: str | None) -> list[conversion.Written]:
    """Convert; where nothing was lost, both files must say the same. Levels and reasons are compared by rule."""
    before = analysis.of_file(source(path), reader, quick=True)
    written = conversion.convert(source(path), out, reader)
    after = [doc for w in written for doc in analysis.of_file(Source(str(w.path)), quick=True)]
    for was, now, w in zip(before, after, written, strict=True):
        if not w.losses:
            assert dict(figures(now)) == dict(figures(was))
            levels = [{v["rule"]: v["level"] for v in d["verdicts"]} for d in (was, now)]
            assert levels[0] == levels[1]
    return written


@pytest.mark.parametrize("path", [p for p in SAMPLES if p.stem not in REFUSED], ids=lambda p: p.stem)
def test_a_converted_sample_gives_the_figures_of_the_original(path: Path, tmp_path: Path) -> None:
    reader = "foreign" if pipeline.read(source(path)).format == "native" else None
    written = compare(path, tmp_path / "out.jsonl", reader)
    # A word nobody knows; a keep without a number; half a line; the holdout bits of keeps, whose values are elsewhere.
    lossy = {"pi": 1, "nonfinite": 1, "torn": 1, "gamed": 12, "honest": 8, "tinygpt": 1}
    assert sum(len(w.losses) for w in written) == lossy.get(path.stem, 0)
    assert {p.name for p in tmp_path.iterdir()} == {w.path.name for w in written}  # no lock, no draft


@pytest.mark.parametrize("name", REFUSED)
def test_a_run_that_would_come_out_cleaner_than_it_is_is_refused(name: str, tmp_path: Path) -> None:
    path = next(p for p in SAMPLES if p.stem == name)
    with pytest.raises(SourceError, match=REFUSED[name]):
        conversion.convert(source(path), tmp_path / "out.jsonl", "foreign" if path.parent.name == name else None)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("path", SAMPLES, ids=lambda p: p.stem)
def test_a_file_of_our_own_format_is_copied_byte_for_byte(path: Path, tmp_path: Path) -> None:
    if pipeline.read(source(path)).format != "native":
        pytest.skip("a foreign file")
    packed = tmp_path / "run.jsonl.gz"
    packed.write_bytes(gzip.compress(path.read_bytes()))
    for n, file in enumerate((path, packed)):
        (written,) = conversion.convert(source(file), tmp_path / f"out{n}.jsonl")
        assert written.copied
        assert written.path.read_bytes() == path.read_bytes()


stages = st.lists(
    st.fixed_dictionaries(
        {
            "stage": st.sampled_from(["evaluated", "evaluated", "blocked", "eval_failed", "nim_error", "mystery"]),
            "proposal": st.fixed_dictionaries(
                {"knob": st.sampled_from("ab"), "new_value": st.integers(0, 2) | st.sampled_from(["x", None, 0.5])}
            )
            | st.none(),
            "val_bpb": st.floats(0, 2) | st.none(),
            "decision": st.sampled_from(["keep", "revert"]),
        },
        optional={
            "iter": st.integers(0, 9),
            "ts": st.just("2026-01-01 10:00:00"),
            "iter_wall_s": st.floats(0, 9),
            "is_new_best": st.booleans(),
            "candidate_cfg": st.fixed_dictionaries(
                {"a": st.integers(0, 2), "b": st.integers(0, 2)}, optional={"seed": st.integers(0, 1)}
            ),
        },
    ),
    max_size=8,
)


def evaluated(knob: str, value: int, decision: str, **config: int) -> dict[str, Any]:
    """One evaluated row that says which configuration ran."""
    row = {"stage": "evaluated", "proposal": {"knob": knob, "new_value": value}, "val_bpb": 0.0, "decision": decision}
    return {**row, "candidate_cfg": {"a": 0, "b": 0, **config}}


@settings(max_examples=60, deadline=None)
@given(rows=stages, base=st.booleans())
# Seen by rare seeds: a kept no-op; a keep with only a trial of its own knob after it; a keep that
# ran the base itself; one that ran something else.
@example(rows=[evaluated("a", 0, "keep"), evaluated("b", 1, "revert", b=1)], base=True)
@example(rows=[evaluated("a", 1, "keep", a=1), evaluated("a", 2, "revert", a=2)], base=True)
@example(rows=[evaluated("a", 1, "keep")], base=True)
@example(rows=[evaluated("b", 2, "keep", b=1), evaluated("a", 0, "keep", b=1)], base=True)
def test_any_foreign_run_says_the_same_after_conversion_or_tells_what_it_lost(
    rows: list[dict[str, Any]], base: bool, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("run")
    head = {"_meta": 1, "baseline_val_bpb": 1.0, **({"baseline_cfg": {"a": 0, "b": 0}} if base else {})}
    path = folder / "in.jsonl"
    path.write_text("".join(json.dumps(r) + "\n" for r in (head, *rows)))
    compare(path, folder / "out.jsonl", None)


def test_a_keep_that_nothing_was_seen_to_build_upon_is_told_as_a_loss(tmp_path: Path) -> None:
    path = tmp_path / "in.jsonl"
    head = {"_meta": 1, "baseline_val_bpb": 1.0, "baseline_cfg": {"a": 0, "b": 0}}
    rows = [head, evaluated("a", 1, "keep", a=1), evaluated("a", 2, "revert", a=2)]
    path.write_text("".join(json.dumps(r) + "\n" for r in rows))
    (written,) = conversion.convert(source(path), tmp_path / "out.jsonl")
    assert written.losses == ["line 2: it does not tell whether this keep was built upon; the new file does"]


def test_what_detectors_ask_for_is_carried_over(tmp_path: Path) -> None:
    sample = ROOT / "sample_runs/gamed/gamed.jsonl"
    (written,) = conversion.convert(source(sample), tmp_path / "out.jsonl", "foreign")
    assert {loss.partition(": ")[2] for loss in written.losses} == {
        "its holdout bit stands without the values that it commits to, and cannot be carried over"
    }
    before, after = (
        {v["rule"]: v["level"] for v in analysis.of_file(Source(str(p)), quick=True)[0]["verdicts"]}
        for p in (sample, tmp_path / "out.jsonl")
    )
    assert after == before


def test_what_could_not_be_carried_over_is_told_by_its_line(tmp_path: Path) -> None:
    path = tmp_path / "in.jsonl"
    rows = [
        {"_meta": 1, "baseline_val_bpb": 1.0},
        {"stage": "evaluated", "proposal": {"knob": "a", "new_value": 1}, "val_bpb": None, "decision": "keep"},
        {"stage": "evaluated", "proposal": None, "val_bpb": 0.5, "decision": "revert"},
        {"stage": "unheard_of", "proposal": {"knob": "a", "new_value": 2}, "val_bpb": 0.5},
    ]
    path.write_text("".join(json.dumps(r) + "\n" for r in rows) + "{half")
    (written,) = conversion.convert(source(path), tmp_path / "out.jsonl")
    told = "\n".join(written.losses)
    assert list(dict.fromkeys(loss.partition(":")[0] for loss in written.losses)) == [f"line {n}" for n in (2, 3, 4, 5)]
    assert "line 2: is kept without a value; only a finite number can be kept; it became ineligible" in told
    assert "line 3: is reverted, but 0 of its 0 attempts stand unrefused; one was run; it became an event" in told
    assert "line 4: a status that the format does not have; it became aborted" in told
    assert written.trials == 2


def test_no_time_of_the_conversion_stands_for_a_time_of_a_trial(tmp_path: Path) -> None:
    sample = ROOT / "sample_runs/amnesiac/amnesiac.jsonl"
    conversion.convert(source(sample), tmp_path / "out.jsonl")
    times: list[list[int | None]] = []
    for path in (sample, tmp_path / "out.jsonl"):
        found: list[int | None] = []

        def sink(_run: object, item: Item, _row: object, found: list[int | None] = found) -> None:
            if isinstance(item, Trial):
                found.append(item.time_ms)

        pipeline.read(source(path), sink=sink)
        times.append(found)
    lines = [json.loads(line) for line in (tmp_path / "out.jsonl").read_bytes().splitlines()]
    assert lines[2]["time"] == "2026-04-25T18:07:22.000"  # as it stood in the file, and without a zone
    assert not any("ended" in line for line in lines if line["type"] in ("trial", "measure"))
    assert set(times[1]) == {None}


def test_lines_after_the_closing_one_are_still_carried_over(tmp_path: Path) -> None:
    lines = (ROOT / "sample_runs/amnesiac/amnesiac.jsonl").read_bytes().splitlines(keepends=True)
    path = tmp_path / "in.jsonl"
    path.write_bytes(b"".join([*lines[:20], lines[-1], *lines[20:-1]]))
    (written,) = conversion.convert(Source(str(path)), tmp_path / "out.jsonl")
    assert written.trials == 50
    assert len(written.losses) == 1
    assert written.losses[0].startswith("line 21: its closing counts {'kept': 8, 'reverted': 42")
    assert json.loads((tmp_path / "out.jsonl").read_bytes().splitlines()[-1])["type"] == "end"


def test_every_run_of_a_file_becomes_a_file_of_its_own(tmp_path: Path) -> None:
    sample = (ROOT / "sample_runs/amnesiac/amnesiac.jsonl").read_bytes()
    (tmp_path / "two.jsonl").write_bytes(sample + sample)
    written = conversion.convert(Source(str(tmp_path / "two.jsonl")), tmp_path / "out.jsonl")
    assert [(w.path.name, w.trials) for w in written] == [("out.jsonl", 50), ("out-2.jsonl", 50)]


@pytest.mark.parametrize("taken", ["out.jsonl", "out-2.jsonl", "out.blobs"])
def test_nothing_is_overwritten_and_then_nothing_at_all_is_written(taken: str, tmp_path: Path) -> None:
    sample = (ROOT / "sample_runs/amnesiac/amnesiac.jsonl").read_bytes()
    (tmp_path / "two.jsonl").write_bytes(sample + sample)
    (tmp_path / taken).write_text("mine")
    with pytest.raises(SourceError, match=f"{taken}: exists already"):
        conversion.convert(Source(str(tmp_path / "two.jsonl")), tmp_path / "out.jsonl")
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted(["two.jsonl", taken])
    assert (tmp_path / taken).read_text() == "mine"


def test_a_crash_in_the_middle_leaves_neither_a_half_file_nor_a_lock(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="a bug of ours"):
        conversion.convert(source(ROOT / "sample_runs/higher/higher.jsonl"), tmp_path / "out.jsonl", "stops")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_not_there_is_named_with_a_remedy(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"nowhere/out.jsonl: cannot be written \(No such file or directory\)"):
        conversion.convert(source(ROOT / "sample_runs/higher/higher.jsonl"), tmp_path / "nowhere" / "out.jsonl")


def test_a_run_without_a_direction_asks_for_it(tmp_path: Path) -> None:
    path = tmp_path / "in.jsonl"
    path.write_text('{"_meta": 1, "baseline_thing": 1.0}\n')
    with pytest.raises(SourceError, match="the run's direction is not known; give --goal"):
        conversion.convert(Source(str(path)), tmp_path / "out.jsonl")


@pytest.mark.parametrize("path", sorted((ROOT / "sample_runs").glob("*/*.menu.json")), ids=lambda p: p.stem)
def test_a_menu_written_down_and_read_again_is_the_same_menu(path: Path) -> None:
    known = menu.load(path)
    again = menu.parse(json.loads(json.dumps(known.to_json())), known.source)
    assert again.knobs == known.knobs
    assert [(c.name, c.rule) for c in again.constraints] == [(c.name, c.rule) for c in known.constraints]
    assert again.cells == known.cells
