"""ReaderContract: what every reader must keep, ours and strangers', as tests to inherit.

    class TestMine(ReaderContract):
        reader = MyReader
        sample = Path("tests/mine.jsonl")

Needs neither pytest nor hypothesis itself: methods named `test_*` that assert. Faults are planted, none drawn.
"""

# asserting is what these methods are for
from __future__ import annotations

import builtins
import io
import json
import os
import socket
import subprocess
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

from trajscope.lines import MAX_LINE, Lines
from trajscope.readers import BUILT_IN, Reader, Source, get
from trajscope.sources import HEAD
from trajscope.testing.specimens import GARBAGE, NOBODYS, WRONG, chained, samples
from trajscope.trial import Header, Item, Line, Trial, Unreadable

__all__ = ["GARBAGE", "NOBODYS", "WRONG", "ReaderContract", "chained", "plain", "samples"]

MOST = 400  # lines of a sample that are read many times over
CUTS = (1, 2, 3, 7, 64, 1021, 1 << 16)


class ReaderContract:
    """The tests. `sample` is a small file of the format, `more` are others, `options` what the user would say."""

    reader: ClassVar[type[Reader]]
    sample: ClassVar[Path | bytes]
    more: ClassVar[Sequence[Path | bytes]] = ()
    options: ClassVar[dict[str, Any]] = {}  # metric, goal, menu, history
    silent: ClassVar[frozenset[int]] = frozenset()  # lines (from 0) that rightly yield nothing: a table's head, a rule

    # --- what it is ---------------------------------------------------------------------------------------------

    def test_it_has_a_name_and_says_what_it_reads(self) -> None:
        """Both stand in `trajscope formats`."""
        assert self.reader.name.isidentifier()
        assert self.reader.about
        assert "\n" not in self.reader.about

    def test_it_claims_its_own_samples(self) -> None:
        """Whole, and by their first `HEAD` bytes."""
        for data in self._samples():
            assert self.reader.sniff(data[:HEAD]) is True

    def test_it_claims_nothing_of_anybody_else(self) -> None:
        """Nor does anybody else claim its samples: of two built-in readers the first that claims a file has it."""
        order = list(BUILT_IN)
        ours = order.index(self.reader.name) if self.reader.name in order else len(order)
        for at, (name, data) in enumerate((name, samples()[name]) for name in order):
            if name == self.reader.name:
                continue
            if at > ours or ours == len(order):
                assert not self.reader.sniff(data), f"claims a file of {name}"
            if at < ours:
                assert not any(get(name).sniff(own[:HEAD]) for own in self._samples()), f"{name} claims its sample"

    def test_it_claims_nothing_that_is_no_trajectory(self) -> None:
        """Prose, pictures, garbage, nothing at all; and strange bytes never make it raise."""
        for data in NOBODYS:
            assert not self.reader.sniff(data), f"claims {data[:40]!r}"
        for data in self._samples():
            for cut in range(0, min(len(data), 2000), 37):
                assert isinstance(self.reader.sniff(data[:cut]), bool)

    # --- what it yields -----------------------------------------------------------------------------------------

    def test_a_header_comes_first(self) -> None:
        """Everything after it belongs to it."""
        for data in self._samples():
            assert isinstance(self._items(_cut(data))[0], Header)

    def test_every_item_points_at_its_line(self) -> None:
        """`seq` is the number of the line that was fed, `at` leads back to its bytes."""
        for data in self._samples():
            for line, items in self._fed(_cut(data)):
                for item in items:
                    if not isinstance(item, Header):
                        assert item.seq == line.seq, f"line {line.seq} yields an item of line {item.seq}"
                    if isinstance(item, Trial | Unreadable):
                        assert item.at == line.at, f"line {line.seq} begins at {line.at}, its item says {item.at}"

    def test_no_line_is_lost(self) -> None:
        """Every line yields something, the declared silent ones apart."""
        for data in self._samples():
            for line, items in self._fed(_cut(data)):
                assert items or line.seq in self.silent, f"line {line.seq} yields nothing"

    def test_garbage_is_counted_and_located_and_never_raises(self) -> None:
        """Between good lines, before any, and as the only thing there is."""
        for data in self._samples():
            lines = _cut(data)
            heads = (0, 1, len(lines) // 2, len(lines))
            for junk in GARBAGE:
                for at in heads:
                    self._holds([*lines[:at], Line(0, 0, junk), *lines[at:]], at, junk)

    def test_a_line_whose_bytes_were_not_kept_is_unreadable(self) -> None:
        """An overlong line comes without its bytes and with a reason."""
        lines = _cut(self._samples()[0])
        fault = Line(0, 0, b"", fault=f"line of 20,000,000 bytes, over the limit of {MAX_LINE:,}")
        for at in (0, 1, len(lines)):
            found = self._holds([*lines[:at], fault, *lines[at:]], at, b"an overlong line")
            assert any(isinstance(x, Unreadable) and x.why for x in found), "an overlong line is not Unreadable"

    def test_a_field_of_the_wrong_type_never_raises(self) -> None:
        """Every field of every JSON line, replaced by everything it should not be, and left out."""
        for data in self._samples():
            lines = _cut(data)
            for i, line in _kinds(lines):
                for wrong in _mutations(line.data):
                    self._holds([*lines[: min(i, 1)], Line(0, 0, wrong), *lines[i + 1 : i + 2]], min(i, 1), wrong)

    def test_bytes_that_were_damaged_never_raise(self) -> None:
        """A line cut short, doubled, turned around, or with a byte that does not belong."""
        for data in self._samples():
            lines = _cut(data)
            for i, line in _kinds(lines):
                d, half = line.data, len(line.data) // 2
                for bad in (
                    d[:half],
                    d[half:],
                    d + d,
                    d[::-1],
                    d[:half] + b"\x00" + d[half:],
                    d.replace(b":", b"\xff"),
                ):
                    self._holds([*lines[: min(i, 1)], Line(0, 0, bad), *lines[i + 1 : i + 2]], min(i, 1), bad)

    # --- laws ---------------------------------------------------------------------------------------------------

    def test_a_prefix_of_the_file_gives_a_prefix_of_the_items(self) -> None:
        """A live file and a finished one are the same up to where they got."""
        for data in self._samples():
            lines = _cut(data)
            whole = plain(self._items(lines))
            for n in sorted({0, 1, 2, len(lines) // 2, max(0, len(lines) - 1)}):
                part = plain(self._items(lines[:n]))
                assert part == whole[: len(part)]

    def test_reading_twice_gives_the_same(self) -> None:
        """Also when two files are read at once: nothing is shared between instances."""
        for data in self._samples():
            lines = _cut(data)
            alone = plain(self._items(lines))
            assert plain(self._items(lines)) == alone
            one, two = self._new(), self._new()
            both: tuple[list[Item], list[Item]] = ([], [])
            for line in lines:
                both[0].extend(one.feed(line))
                both[1].extend(two.feed(line))
            assert plain(both[0]) == plain(both[1]) == alone

    def test_any_cutting_of_the_bytes_gives_the_same_items(self) -> None:
        """Nothing depends on how the bytes arrive."""
        for data in self._samples():
            head = data[: 1 << 14]
            whole = plain(self._items(_cut(head)))
            for size in CUTS:
                cut, lines = Lines(), []
                for at in range(0, len(head), size):
                    lines += cut.feed(head[at : at + size])
                assert plain(self._items([*lines, *cut.close()][:MOST])) == whole

    def test_it_touches_no_file_and_no_network(self) -> None:
        """A reader gets lines; whoever hands them over opens the files. Paths in a record are never followed."""
        for data in self._samples():
            lines = _cut(data)
            self._items(lines)  # what it imports late, it has imported now
            with _sealed():
                self._items(lines)

    # --- how ----------------------------------------------------------------------------------------------------

    def _samples(self) -> list[bytes]:
        return [x if isinstance(x, bytes) else x.read_bytes() for x in (self.sample, *self.more)]

    def _new(self) -> Reader:
        return self.reader(Source("sample.jsonl", **self.options))

    def _items(self, lines: Iterable[Line]) -> list[Item]:
        reader = self._new()
        return [item for line in lines for item in reader.feed(line)]

    def _fed(self, lines: Iterable[Line]) -> Iterator[tuple[Line, list[Item]]]:
        reader = self._new()
        for line in lines:
            yield line, list(reader.feed(line))

    def _holds(self, lines: Sequence[Line], at: int, what: bytes) -> list[Item]:
        """The items of the line at this place, which must be there and lead back to it."""
        found: list[Item] = []
        for line, items in self._fed(_numbered(lines)):
            if line.seq == at:
                found = items
                here = [x for x in items if isinstance(x, Header) or x.seq == at]
                assert here or at in self.silent, f"{what[:60]!r} vanished: no item leads back to it"
        return found


def plain(items: Iterable[Item]) -> list[str]:
    """Items as text that can be compared: NaN equals itself, and a menu is its knobs."""
    return [_text(item) for item in items]


def _text(item: Item) -> str:
    fields = {name: getattr(item, name) for name in item.__struct_fields__}
    if isinstance(item, Header) and item.menu is not None:
        fields["menu"] = (item.menu.knobs, [c.rule for c in item.menu.constraints])
    return f"{type(item).__name__} {fields!r}"


def _cut(data: bytes) -> list[Line]:
    lines = Lines()
    return [*lines.feed(data), *lines.close()][:MOST]


def _numbered(lines: Iterable[Line]) -> Iterator[Line]:
    at = 0
    for seq, line in enumerate(lines):
        yield line._replace(seq=seq, at=at)
        at += len(line.data) + 1


def _kinds(lines: Sequence[Line]) -> Iterator[tuple[int, Line]]:
    """One line of each shape: what a reader does with a line depends on the fields it has."""
    seen = set()
    for i, line in enumerate(lines):
        try:
            shape = str(sorted(map(str, _paths(json.loads(line.data)))))
        except ValueError:
            shape = str(i) if i < 20 else ""
        if shape not in seen:
            seen.add(shape)
            yield i, line


def _mutations(data: bytes) -> Iterator[bytes]:
    """The line with one field wrong, for every field and every wrong value; nothing where it is no JSON object."""
    try:
        obj = json.loads(data)
    except ValueError:
        return
    for path in _paths(obj):
        for wrong in (*WRONG, _gone):
            copy = json.loads(data)
            spot = copy
            for step in path[:-1]:
                spot = spot[step]
            if wrong is _gone:
                del spot[path[-1]]
            else:
                spot[path[-1]] = wrong
            yield json.dumps(copy).encode()
        yield json.dumps(obj).encode().replace(json.dumps(path[-1]).encode(), b"NaN", 1)


def _gone() -> None:
    """Stands for a field that is left out."""


def _paths(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, v in inner:
        yield (*path, key)
        yield from _paths(v, (*path, key))


@contextmanager
def _sealed() -> Iterator[None]:
    """While it lasts, opening anything fails."""
    doors: tuple[tuple[Any, str], ...] = (
        (builtins, "open"), (io, "open"), (io, "FileIO"), (os, "open"), (os, "stat"), (os, "listdir"), (os, "scandir"),
        (socket, "socket"), (subprocess, "Popen"),
    )  # fmt: skip
    before = [(module, name, getattr(module, name)) for module, name in doors]
    try:
        for module, name, _ in before:
            setattr(module, name, _shut(name))
        yield
    finally:
        for module, name, was in before:
            setattr(module, name, was)


def _shut(name: str) -> Callable[..., Any]:
    def shut(*_: object, **__: object) -> Any:
        raise AssertionError(f"a reader called {name}: it is handed lines and opens nothing")

    return shut
