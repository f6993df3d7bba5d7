"""Where bytes come from: every failure is one line with place and remedy.

Faults planted here: damaged, truncated and over-large compressed files, devices, folders, paths with a NUL byte.
"""

from __future__ import annotations

import bz2
import gzip
import lzma
import os
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from trajscope import sources
from trajscope.errors import SourceError

PACKERS: dict[str, Callable[[bytes], bytes]] = {"gz": gzip.compress, "bz2": bz2.compress, "xz": lzma.compress}
DATA = b"".join(b'{"n": %d}\n' % i for i in range(5000))


def error(act: Callable[[], object]) -> str:
    """The one line that it raises."""
    with pytest.raises(SourceError) as e:
        act()
    assert "\n" not in str(e.value)
    return str(e.value)


def whole(path: Path | str) -> bytes:
    return b"".join(sources.read(path))


def test_a_file_comes_in_chunks_that_add_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "CHUNK", 1000)
    path = tmp_path / "a.jsonl"
    path.write_bytes(DATA)
    told: list[int] = []
    chunks = list(sources.read(path, told.append))
    assert b"".join(chunks) == DATA
    assert max(map(len, chunks)) == 1000
    assert sum(told) == len(DATA)
    assert sources.size(path) == len(DATA)


@pytest.mark.parametrize("kind", PACKERS)
def test_a_compressed_file_reads_like_a_plain_one(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"  # the name says nothing: the bytes do
    path.write_bytes(PACKERS[kind](DATA))
    assert whole(path) == DATA
    assert sources.read_at(path, 9, 1 << 20) == b'{"n": 1}'


@pytest.mark.parametrize("kind", PACKERS)
def test_a_compressed_file_that_was_cut_short_is_an_error(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "a"
    packed = PACKERS[kind](DATA)
    path.write_bytes(packed[: len(packed) // 2])
    said = error(lambda: whole(path))
    assert said.startswith(f"{path}: ")
    assert "cannot be read to its end" in said


@pytest.mark.parametrize("kind", PACKERS)
def test_a_compressed_file_that_is_damaged_is_an_error(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "a"
    packed = bytearray(PACKERS[kind](DATA))
    for i in range(20, len(packed), 7):
        packed[i] ^= 0x55
    path.write_bytes(packed)
    said = error(lambda: whole(path))
    assert said.startswith(f"{path}: ")
    assert "bytes" in said
    assert error(lambda: sources.read_at(path, 40_000, 100)).startswith(f"{path}: byte 40,000 cannot be read (")


def test_a_file_that_unpacks_without_end_is_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "MAX_UNPACKED", 10_000)
    path = tmp_path / "bomb.gz"
    path.write_bytes(gzip.compress(bytes(3_000_000)))
    assert "unpacks to over 10,000 bytes; unpack it yourself if you trust it" in error(lambda: whole(path))


def test_a_folder_names_the_verb_for_folders(tmp_path: Path) -> None:
    assert error(lambda: whole(tmp_path)) == (
        f"{tmp_path}: is a folder; use `trajscope fleet {tmp_path}`, or name a file in it"
    )


@pytest.mark.parametrize("device", ["/dev/zero", "/dev/null"])
def test_a_device_is_refused(device: str) -> None:
    assert error(lambda: whole(device)) == f"{device}: is a device or socket, not a file; name a file or `-`"


@pytest.mark.parametrize("act", [whole, sources.size, lambda p: sources.read_at(p, 0, 10)])
@pytest.mark.parametrize(
    ("name", "why"),
    [("none", "No such file or directory"), ("a\0b", "embedded null byte"), ("x" * 300, "File name too long")],
)
def test_a_path_that_leads_nowhere_is_an_error(
    name: str, why: str, act: Callable[[str], object], tmp_path: Path
) -> None:
    said = error(lambda: act(str(tmp_path / name)))
    assert why in said
    assert said.endswith("; check the path")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"x")
    path.chmod(0)
    assert "Permission denied" in error(lambda: whole(path))


def test_a_pipe_is_read_to_its_end_and_has_no_size(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    writer = threading.Thread(target=path.write_bytes, args=(DATA,))
    writer.start()
    assert whole(path) == DATA
    writer.join()
    assert sources.size(path) == 0


def test_standard_input_is_read_and_left_open(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    path = tmp_path / "in"
    path.write_bytes(DATA)
    with path.open("rb") as stdin:
        monkeypatch.setattr("sys.stdin", stdin)
        assert whole("-") == DATA
        assert not stdin.closed
        assert os.fstat(stdin.fileno()).st_size == len(DATA)
    assert sources.size("-") == 0


def test_a_line_is_read_by_its_offset_and_no_further_than_asked(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"one\r\ntwo\n" + b"x" * 100_000)
    assert sources.read_at(path, 0, 100) == b"one"
    assert sources.read_at(path, 5, 100) == b"two"
    assert sources.read_at(path, 9, 50) == b"x" * 50
    assert sources.read_at(path, 10**9, 50) == b""
