"""Bytes to lines: exact numbers and offsets, whatever the line ends and however the bytes arrive.

Faults planted here and seen to fail: a cutter that forgets what it held back (`Forgetful`), one that counts only
lines with content (`Skipping`), and offsets that ignore the byte order mark.
"""

from __future__ import annotations

import hypothesis.strategies as st
import pytest
from hypothesis import example, given

import trajscope.lines
from trajscope.lines import Lines
from trajscope.trial import Line

pieces = st.lists(
    st.sampled_from([b"a", b"bc", b"\n", b"\r\n", b"\r", b" ", b"\xef\xbb\xbf", b"\x00", b"\xff"]), max_size=12
)
LIMIT = 8  # bytes of a line, so that overlong ones happen


def cut(data: bytes, sizes: list[int], lines: Lines | None = None) -> list[Line]:
    """The lines of these bytes, handed over in chunks of these sizes and then the rest."""
    lines = lines or Lines()
    out: list[Line] = []
    at = 0
    for size in sizes:
        out += lines.feed(data[at : at + size])
        at += size
    return [*out, *lines.feed(data[at:]), *lines.close()]


def by_hand(data: bytes) -> list[tuple[int, int, bytes, bool]]:
    """The same by a loop over single bytes: number, offset, content, torn."""
    found, seq, start = [], 0, 0
    for i, byte in enumerate([*data, None]):
        if byte not in (10, None) or (byte is None and start == len(data)):
            continue
        raw = data[start:i]
        content = raw[3:] if start == 0 and raw[:3] == b"\xef\xbb\xbf" else raw
        content = content[:-1] if content[-1:] == b"\r" else content
        if content:
            found.append(
                (
                    seq,
                    start,
                    content if len(raw) <= LIMIT or (byte is None and i - start <= LIMIT) else b"",
                    byte is None,
                )
            )
        seq, start = seq + 1, i + 1
    return found


@pytest.fixture(autouse=True)
def _short_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trajscope.lines, "MAX_LINE", LIMIT)


@given(pieces.map(b"".join), st.lists(st.integers(0, 4), max_size=12))
@example(b"\xef\xbb\xbf\n", [1, 1, 1])
@example(b"\r\n\r\na", [1])
@example(b"a" * 9 + b"\r\n" + b"b", [8, 1, 1])
@example(b"a" * 20, [5, 5, 5, 5])
@example(b"a" * 8 + b"\n", [8])
def test_any_cutting_gives_the_lines_that_a_loop_over_bytes_gives(data: bytes, sizes: list[int]) -> None:
    found = [(x.seq, x.at, x.data, x.torn) for x in cut(data, sizes)]
    assert found == by_hand(data)
    assert cut(data, sizes) == cut(data, [])


class Forgetful(Lines):
    """Lets go of an unfinished line when the next chunk comes."""

    def feed(self, chunk: bytes) -> list[Line]:
        self._parts, self._size = [], 0
        return super().feed(chunk)


class Skipping(Lines):
    """Counts the lines it yields."""

    def feed(self, chunk: bytes) -> list[Line]:
        out = super().feed(chunk)
        self._seq -= chunk.count(b"\n\n")
        return out


@pytest.mark.parametrize("faulty", [Forgetful, Skipping])
def test_the_law_catches_a_cutter_that_is(faulty: type[Lines]) -> None:
    data = b"ab\n\ncd\n\nef\n"
    assert [(x.seq, x.at, x.data, x.torn) for x in cut(data, [1, 4], faulty())] != by_hand(data)


def test_an_offset_leads_back_to_its_line() -> None:
    data = b"\xef\xbb\xbfone\r\n\r\ntwo\n\n\nthree"
    for line in cut(data, [1, 2, 3]):
        assert data[line.at :].split(b"\n")[0].removeprefix(b"\xef\xbb\xbf").rstrip(b"\r") == line.data
    assert [x.seq for x in cut(data, [])] == [0, 2, 5]


def test_a_blank_line_is_blank_with_any_line_end() -> None:
    assert cut(b"\n\r\n\n\xef\xbb\xbf", []) == [Line(3, 4, b"\xef\xbb\xbf", True)]  # a mark is one at the start only
    assert cut(b"\xef\xbb\xbf\r\n\r\n\r", []) == []


def test_a_torn_last_line_waits_for_its_newline() -> None:
    lines = Lines()
    assert lines.feed(b"one\ntw") == [Line(0, 0, b"one")]
    assert lines.held == 2
    assert lines.feed(b"o\n") == [Line(1, 4, b"two")]
    assert lines.held == 0


def test_a_torn_last_line_is_marked_when_the_file_ends() -> None:
    assert cut(b"one\ntw", []) == [Line(0, 0, b"one"), Line(1, 4, b"tw", True)]


def test_an_overlong_line_is_counted_and_located_and_its_bytes_are_let_go() -> None:
    lines = Lines()
    for _ in range(1000):
        assert lines.feed(b"123456789") == []
    assert lines.held == 9000
    assert lines._parts == []
    short = Lines()
    for _ in range(4):
        short.feed(b"123")
    assert (short._parts, short.held) == ([], 12)
    assert lines.feed(b"\nnext\n") == [
        Line(0, 0, b"", False, "line of 9,000 bytes, over the limit of 8"),
        Line(1, 9001, b"next"),
    ]


def test_an_overlong_last_line_is_torn() -> None:
    assert cut(b"a\n" + b"b" * 20, [4]) == [
        Line(0, 0, b"a"),
        Line(1, 2, b"", True, "line of 20 bytes, over the limit of 8"),
    ]


def test_the_chunks_of_one_line_are_copied_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trajscope.lines, "MAX_LINE", 1 << 20)
    lines, chunk = Lines(), b"x" * 1024
    for _ in range(100):
        lines.feed(chunk)
    assert all(part is chunk for part in lines._parts)  # joined again and again, a long line would take quadratic time
    (line,) = lines.feed(b"\n")
    assert line.data == b"x" * 102_400
