"""What lies beside a run file: long texts that prove themselves, holdout values that stay out of sight.

Faults planted and seen to fire: a blob read unverified, cut off, too large, through a link, or by a name that is no
hash; a holdout file left open to all; its torn line continued; values taken without their commitment.
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
import zlib
from pathlib import Path

import pytest
from runfiles import rows, start

from trajscope.blobs import MAX_INLINE, read_blob, write_blob
from trajscope.errors import RecordError, SourceError
from trajscope.writer.holdout import commitment, opened


def test_long_texts_go_beside_the_file(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    long, exact = "é" * MAX_INLINE, "x" * MAX_INLINE
    with start(path) as run:
        run.trial({"lr": 1}, value=1, kept=True, diff=long, prompt=long + "!", note=exact)
        run.event("pause", diff=long)
    trial, event = rows(path)[1:3]
    assert read_blob(path, trial["diff"]["blob"]) == long
    assert read_blob(path, trial["prompt"]["blob"]) == long + "!"
    assert trial["note"] == exact
    assert event["data"]["diff"] == trial["diff"]
    assert sorted(p.name for p in (tmp_path / "run.blobs").iterdir()) == sorted(
        (trial["diff"]["blob"], trial["prompt"]["blob"])
    )


def test_a_blob_that_was_touched_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    sha = write_blob(path, "honest " * 400)
    place = tmp_path / "run.blobs" / sha
    honest = place.read_bytes()
    for bad, why in (
        (zlib.compress(b"tampered " * 400), "the text was changed"),
        (honest[:-1], "cut off"),
        (b"garbage", "cannot be unpacked"),
        (b"", "cut off"),
    ):
        place.write_bytes(bad)
        with pytest.raises(SourceError, match=why):
            read_blob(path, sha)
    assert write_blob(path, "honest " * 400) == sha  # the next writer of the same text mends it
    assert read_blob(path, sha) == "honest " * 400
    place.unlink()
    with pytest.raises(SourceError, match="cannot be read"):
        read_blob(path, sha)


def test_a_blob_larger_than_it_says_is_not_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "run.jsonl"
    sha = write_blob(path, "x" * 5000)
    monkeypatch.setattr("trajscope.blobs.MAX_BLOB", 4999)
    with pytest.raises(SourceError, match="or over 4,999 bytes"):
        read_blob(path, sha)
    with pytest.raises(RecordError, match="over the limit"):
        write_blob(path, "y" * 5000)


@pytest.mark.parametrize("name", ["../secret", "/etc/passwd", "", "a" * 63, "A" * 64, "a" * 64 + "\n", "a" * 65])
def test_only_a_hash_names_a_blob(tmp_path: Path, name: str) -> None:
    with pytest.raises(SourceError, match="names no blob"):
        read_blob(tmp_path / "run.jsonl", name)


def test_a_blob_is_never_read_through_a_link_or_a_pipe(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    sha = write_blob(path, "text")
    place = tmp_path / "run.blobs" / sha
    place.rename(tmp_path / "elsewhere")
    place.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(SourceError, match="cannot be read"):
        read_blob(path, sha)
    place.unlink()
    os.mkfifo(place)
    with pytest.raises(SourceError, match="is not a plain file"):
        read_blob(path, sha)


def test_holdout_values_stay_out_of_the_run_file(tmp_path: Path) -> None:
    path, hidden = tmp_path / "run.jsonl", tmp_path / "run.holdout.jsonl"
    hidden.touch(mode=0o644)  # was there before, open to all
    with start(path) as run:
        seq = run.trial({"lr": 1}, value=1, kept=True, holdout={"auc": 0.73125, "é": None}, holdout_pass=False)
        run.trial({"lr": 1}, value=1, kept=True, holdout={"auc": 0.73125}, holdout_pass=True)
    assert stat.S_IMODE(hidden.stat().st_mode) == 0o600
    assert b"0.73125" not in path.read_bytes()  # with its point: a hash may hold the bare digits
    assert b"auc" not in path.read_bytes()
    first, second = (r["holdout"] for r in rows(path) if r["type"] == "trial")
    assert (first["pass"], second["pass"]) == (False, True)
    assert first.keys() == {"pass", "commitment"}
    assert opened(hidden, seq, first["commitment"]) == {"auc": 0.73125, "é": None}
    entry = json.loads(hidden.read_bytes().splitlines()[1])
    assert commitment(entry["salt"], entry["values"]) == second["commitment"]
    hidden.write_bytes(hidden.read_bytes().replace(b"0.73125", b"0.9"))
    with pytest.raises(SourceError, match="no values for seq 1 that fit"):
        opened(hidden, seq, first["commitment"])


def test_the_commitment_is_what_the_contract_says() -> None:
    text = 'salt{"a":1,"b":0.5}'
    assert commitment("salt", {"b": 0.5, "a": 1}) == hashlib.sha256(text.encode()).hexdigest()


def test_the_holdout_may_lie_elsewhere_and_survives_a_torn_line(tmp_path: Path) -> None:
    hidden = tmp_path / "far.jsonl"
    hidden.write_bytes(b'{"seq":1,"sa')
    with start(tmp_path / "run.jsonl", holdout_path=hidden) as run:
        run.trial({"lr": 1}, value=1, kept=True, holdout={"auc": 1}, holdout_pass=True)
    bit = rows(tmp_path / "run.jsonl")[1]["holdout"]
    assert opened(hidden, 1, bit["commitment"]) == {"auc": 1}
