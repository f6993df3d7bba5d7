"""Waking: by notices where there are some, by the clock where there are none, and never not at all."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from trajscope import wake as wakes
from trajscope.wake import DEAF_S, Wake


def test_a_change_wakes_long_before_the_clock_would(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    with Wake([path], look_s=30) as wake:
        assert wake.deaf is None
        began = time.monotonic()
        path.write_bytes(b"x")
        assert wake.wait()
        assert time.monotonic() - began < 15


def test_a_file_that_is_replaced_still_wakes(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    path.write_bytes(b"x")
    with Wake([path], look_s=30) as wake:
        other = tmp_path / "other"
        other.write_bytes(b"y")
        other.replace(path)
        while wake.wait(0.2):
            pass
        with path.open("ab") as f:
            f.write(b"z")
        assert wake.wait()


def test_without_notices_the_clock_wakes(tmp_path: Path) -> None:
    with Wake([tmp_path / "run.jsonl"], notices=False) as wake:
        assert wake.deaf == "they were not wanted"
        began = time.monotonic()
        assert not wake.wait()
        assert DEAF_S * 0.5 < time.monotonic() - began < 10


def test_a_system_that_refuses_to_send_notices_is_asked_no_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_self: Wake, _folder: Path, *, below: bool) -> None:
        assert not below  # a file is heard through its folder alone
        raise OSError(28, "inotify watch limit reached")

    monkeypatch.setattr(Wake, "_listen", refuse)
    with Wake([tmp_path / "run.jsonl"]) as wake:
        assert wake.deaf is not None
        assert "inotify watch limit reached" in wake.deaf
        assert not wake.wait(0.01)


def test_reading_a_file_wakes_nobody(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    path.write_bytes(b"x")
    with Wake([path], look_s=0.3) as wake:
        path.read_bytes()
        assert not wake.wait()


def heard(wake: Wake) -> bool:
    """Whether something was made, once all notices have come."""
    assert wake.wait()
    made = wake.made()
    while wake.wait(0.2):
        made |= wake.made()
    return made


def test_what_is_made_below_a_folder_wakes_and_is_told_from_what_grows(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    with Wake([tmp_path], look_s=30) as wake:
        (tmp_path / "a" / "b").mkdir()
        assert heard(wake)
        path = tmp_path / "a" / "b" / "run.jsonl"
        path.touch()
        assert heard(wake)
        with path.open("ab") as f:
            f.write(b"x")
        assert not heard(wake)
        path.rename(tmp_path / "a" / "run.jsonl")
        assert heard(wake)


def test_a_folder_of_very_many_is_heard_at_its_top_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wakes, "MANY", 1)
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    with Wake([tmp_path], look_s=0.3) as wake:
        (tmp_path / "a" / "run.jsonl").write_bytes(b"x")
        assert not wake.wait()
        (tmp_path / "run.jsonl").write_bytes(b"x")
        assert wake.wait()


def test_where_no_notices_come_anything_may_have_been_made(tmp_path: Path) -> None:
    with Wake([tmp_path], notices=False) as wake:
        assert wake.made()
        assert wake.made()


def test_who_waits_can_be_roused(tmp_path: Path) -> None:
    with Wake([tmp_path], look_s=30) as wake:
        wake.rouse()
        assert wake.wait()
