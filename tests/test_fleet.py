"""Fleet: every file below a folder is a run, somebody else's file, or named with what is wrong with it.

Planted and seen to fail: a damaged file taken for a foreign one, small files put into the cache.
"""

from __future__ import annotations

import gzip
import json
import shutil
from collections.abc import Iterator, Mapping
from operator import itemgetter
from pathlib import Path
from typing import Any

import pytest

from trajscope import analysis, cache, fleet, menu, pipeline
from trajscope.errors import SourceError
from trajscope.readers import Source

ROOT = Path(__file__).resolve().parents[1]
SAMPLES = sorted((ROOT / "sample_runs").glob("*/*.jsonl"))


@pytest.fixture(autouse=True)
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's cache, which is empty."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "trajscope"


def said(path: Path) -> tuple[Source, str | None]:
    beside = pipeline.menu_beside(path)
    return Source(str(path), menu=menu.load(beside) if beside else None), None


def at(doc: Mapping[str, Any], path: str) -> Any:
    value: Any = doc
    for part in path.split("."):
        value = value[part]
    return value


def leaves(doc: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    """Every value of a document by its path, but for the reasons of what is unknown."""
    for name, value in doc.items():
        if isinstance(value, dict) and name != "unknown":
            yield from leaves(value, f"{above}{name}.")
        elif name != "unknown":
            yield above + name, value


def headlines(*paths: Path) -> list[dict[str, Any]]:
    found = list(fleet.headlines([said(p) for p in paths]))
    assert not any(isinstance(f, str) for f in found)
    return [line for f in found if not isinstance(f, str) for line in f]


@pytest.mark.parametrize(
    "big", [False, True], ids=["small files are folded", "large ones go through SQL and the cache"]
)
def test_a_headline_is_what_the_full_analysis_says(big: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if big:
        monkeypatch.setattr(cache, "WORTH", 0)
    for _again in range(2):  # the second time from the cache
        lines = sorted(headlines(*SAMPLES), key=itemgetter("file"))  # runs of a file in its order
        docs = [(path, doc) for path in SAMPLES for doc in analysis.of_file(*said(path), quick=True)]
        assert [line["file"] for line in lines] == [str(path) for path, _ in docs]
        for line, (path, doc) in zip(lines, docs, strict=True):
            assert line["unknown"].keys() <= doc["unknown"].keys()
            for key, value in leaves(line):
                want = at(doc, key)
                assert value == (pytest.approx(want, rel=1e-9) if isinstance(want, float) else want), (path.stem, key)


def test_small_files_leave_the_users_cache_alone(kept: Path) -> None:
    headlines(*SAMPLES)
    assert not kept.exists()


def test_a_damaged_cache_is_read_again(kept: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache, "WORTH", 0)
    before = headlines(*SAMPLES[:3])
    for parquet in kept.glob("*.parquet"):
        parquet.write_bytes(b"PAR1" + b"\x00" * (parquet.stat().st_size - 4))
    assert headlines(*SAMPLES[:3]) == before


def test_foreign_files_are_told_apart_from_broken_ones(tmp_path: Path) -> None:
    contents = {
        "run.jsonl": SAMPLES[0].read_bytes(),
        "other.json": b'{"name": "somebody else\'s"}',
        "empty.jsonl": b"",
        "half.jsonl.gz": gzip.compress(SAMPLES[0].read_bytes())[:200],
        "binary.jsonl": b"\x00\x01\x02" * 50,
    }
    for name, data in contents.items():
        (tmp_path / name).write_bytes(data)
    paths = {name: tmp_path / name for name in contents}
    alone = {name: fleet.line(*said(path)) for name, path in paths.items()}
    counted = {name: next(fleet.headlines([said(path)])) for name, path in paths.items()}
    for found in (alone, counted):
        assert isinstance(found["run.jsonl"], list)
        assert found["other.json"] == found["binary.jsonl"] == fleet.FOREIGN
        assert f"{tmp_path / 'empty.jsonl'}: is empty" in found["empty.jsonl"]
        assert f"{tmp_path / 'half.jsonl.gz'}: cannot be read to its end" in found["half.jsonl.gz"]


def test_a_file_with_several_runs_has_a_line_for_each(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sample = (ROOT / "sample_runs/amnesiac/amnesiac.jsonl").read_bytes()
    (tmp_path / "two.jsonl").write_bytes(sample + sample)
    small = headlines(tmp_path / "two.jsonl")
    assert [(line["run_id"], line["trials"]) for line in small] == [("two", 50), ("two-2", 50)]
    monkeypatch.setattr(cache, "WORTH", 0)
    assert headlines(tmp_path / "two.jsonl") == small


def test_only_what_may_be_a_trajectory_is_looked_at(tmp_path: Path) -> None:
    for name in ("a.jsonl", "b/c.tsv", "a.menu.json", "a.coverage.json", "a.holdout.jsonl", ".git/x.json", "n.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True, parents=True)
        (tmp_path / name).touch()
    assert [p.relative_to(tmp_path).as_posix() for p in fleet.files(tmp_path)] == ["a.jsonl", "b/c.tsv"]


def test_what_is_no_folder_is_told_with_a_remedy(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="use `trajscope analyze"):
        fleet.files(SAMPLES[0])
    with pytest.raises(SourceError, match="No such file or directory"):
        fleet.files(tmp_path / "nowhere")


def test_the_worst_word_comes_first() -> None:
    docs = [fleet.line(*said(p)) for p in SAMPLES]
    words = [d[0]["verdict"]["word"] for d in sorted(docs, key=lambda d: fleet.urgency(d[0])) if isinstance(d, list)]  # type: ignore[arg-type]  # none is a str
    order = ["TAMPERED", "SUSPECT", "FLAILING", "UNKNOWN", "RESEARCHING"]
    assert words == sorted(words, key=order.index)
    assert set(words) == set(order)


def test_every_file_is_read_from_its_beginning_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from trajscope import sources

    opened: list[str] = []
    whole = sources.opened

    def counting(path: str | Path) -> Any:
        opened.append(str(path))
        return whole(path)

    monkeypatch.setattr(sources, "opened", counting)
    shutil.copy(SAMPLES[0], tmp_path / "a.jsonl")
    (tmp_path / "b.json").write_text(json.dumps({"foreign": 1}))
    for path in fleet.files(tmp_path):
        fleet.line(*said(path))
        list(fleet.headlines([said(path)]))
    assert sorted(opened) == sorted([str(tmp_path / "a.jsonl"), str(tmp_path / "b.json")] * 2)
