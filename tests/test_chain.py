"""The chain: whatever is changed after the fact is found, at the line that was changed.

Faults planted and seen to fire: `link` over the newline; `fault` that skips prev, or seq; `first_break` without the
look at the line after; a missing prev that passes.
"""

from __future__ import annotations

import hashlib
import json

from hypothesis import given
from hypothesis import strategies as st

from trajscope.chain import ZEROS, Chain, first_break, link


def chained(bodies: list[str]) -> list[bytes]:
    """Lines with one text each, chained."""
    lines: list[bytes] = []
    chain = Chain()
    for body in bodies:
        line = json.dumps({"seq": chain.seq, "prev": chain.prev, "body": body}).encode()
        lines.append(line)
        chain = chain.after(line)
    return lines


def test_a_link_is_the_beginning_of_the_hash_without_the_newline() -> None:
    # printf '{"a":1}' | sha256sum
    assert link(b'{"a":1}') == "015abd7f5cc57a2d" == hashlib.sha256(b'{"a":1}').hexdigest()[:16]
    assert link(b'{"a":1}\n') == link(b'{"a":1}')
    assert link(b'{"a":1} ') != link(b'{"a":1}')


def test_the_first_line_follows_zeros() -> None:
    assert Chain().prev == ZEROS == "0000000000000000"


@given(st.lists(st.text("ab", max_size=3), max_size=6))
def test_a_chain_nobody_touched_holds(bodies: list[str]) -> None:
    assert first_break(chained(bodies)) is None


def test_any_byte_edited_is_found_at_its_line() -> None:
    lines = chained(["a", "b", "c", "d"])
    for number, line in enumerate(lines[:-1], start=1):
        for at in range(len(line)):
            edited = line[:at] + bytes([line[at] ^ 1]) + line[at + 1 :]
            found = first_break([*lines[: number - 1], edited, *lines[number:]])
            assert found is not None, f"line {number}, byte {at} passed"
            assert found.line == number, f"line {number}, byte {at}: {found}"


@given(st.integers(3, 6), st.data())
def test_a_line_removed_doubled_or_swapped_is_found(n: int, data: st.DataObject) -> None:
    lines = chained([str(i) for i in range(n)])
    at = data.draw(st.integers(0, n - 2))  # the last line may be cut off unseen: nothing follows it
    for changed in (
        lines[:at] + lines[at + 1 :],
        lines[: at + 1] + lines[at:],
        [*lines[:at], lines[at + 1], lines[at], *lines[at + 2 :]],
    ):
        assert first_break(changed) is not None


def test_a_gap_in_the_numbers_is_a_break_even_where_the_hashes_fit() -> None:
    first = json.dumps({"seq": 0, "prev": ZEROS}).encode()
    third = json.dumps({"seq": 2, "prev": link(first)}).encode()
    assert first_break([first, third]) == (2, "has seq 2 where 1 belongs")


def test_a_line_without_a_link_is_a_break() -> None:
    lines = chained(["a", "b"])
    bare = json.dumps({"seq": 2, "body": "c"}).encode()
    assert first_break([*lines, bare]) == (3, "has no prev")
    unnumbered = json.dumps({"prev": link(lines[-1]), "seq": True}).encode()
    assert first_break([*lines, unnumbered]) == (3, "has no seq")
    assert first_break([*lines, b"[1, 2]"]) == (3, "is not a JSON object")
