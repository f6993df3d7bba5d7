"""Follow: one file of a campaign, read whole once and then only where it has grown, or refused with the reason.

Whatever would make "not tried yet" a guess is a `HistoryError`: a file that is missing, empty, torn, cut off, written
anew or put in another's place, behind its sidecar, and a line that cannot be read or does not fit the chain.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Callable, Iterator, Sequence
from typing import IO, NamedTuple

from trajscope import sources, unfold, watermark
from trajscope.errors import HistoryError, SourceError, TrajscopeError
from trajscope.knob import said
from trajscope.lines import Lines
from trajscope.menu import Menu
from trajscope.readers import Source, find, get
from trajscope.readers.native import begins
from trajscope.readers.skim import Tried, skim
from trajscope.trial import Break, Header, Item, Line, Unreadable
from trajscope.unfold import Kind, Stamp

_UNKNOWN = "what it holds would pass as never tried"
_ANEW = "if that was meant, read the history again; otherwise restore the file"


class _Stand(NamedTuple):
    """The file as it stood when it was last looked at; the same stand is the same file, unread."""

    device: int
    inode: int
    size: int
    changed_ns: int


class Follow:
    """One file. `more` gives what was written since it was last asked; any doubt is raised, and stays."""

    def __init__(self, path: str | os.PathLike[str], menu: Menu, reader: str | None = None) -> None:
        self.path = str(path)
        self.name = said(self.path)
        self.campaign: str | None = None
        self.header: Header | None = None
        self.native = False
        self._menu = menu
        self._reader = reader
        self._lines = Lines()
        self._read: Callable[[Sequence[Line]], list[Item | Tried]] | None = None
        self._stand: _Stand | None = None
        self._marked: _Stand | None = None  # the sidecar
        self._sidecar = os.fspath(watermark.sidecar(path))  # once: it is asked for with every proposal
        self._head = b""  # hash of the first bytes, and how many they are
        self._head_size = 0
        self._last: tuple[int, bytes] = (0, b"")  # the last line: where it begins, and the hash of its bytes
        self._packed = False  # or unfolded: no line of it can be found by its offset
        self._kind: Kind | None = None
        self._stamp: Stamp | None = None
        self._fault: HistoryError | None = None

    def more(self) -> Iterator[list[Tried]]:
        """The trials that were written since the last call, a stretch at a time."""
        if self._fault is not None:
            raise self._fault
        if self.path == "-":
            raise HistoryError("standard input is no history: it cannot be read again; name a file")
        try:
            # The sidecar is asked first: the file grows before its sidecar does.
            beside = self._beside()
            if _stand(self.path) == self._stand and (beside == self._marked or self._packed) and self._rests():
                return
            mark = watermark.read(self.path) if beside != self._marked else None
            yield from self._grown(mark)
            self._marked = beside
        except HistoryError:
            raise
        except (TrajscopeError, OSError, ValueError) as e:
            why = f"cannot be read ({e.strerror})" if isinstance(e, OSError) else str(e).removeprefix(f"{self.path}: ")
            raise self.lost(f"{why}; {_UNKNOWN}: restore it, name the right file, or leave it out") from e

    # --- the file ------------------------------------------------------------------------------------------------

    def _grown(self, mark: watermark.Mark | None) -> Iterator[list[Tried]]:
        with sources.opened(self.path) as f:
            here = os.fstat(f.fileno())
            stand = _Stand(here.st_dev, here.st_ino, here.st_size, here.st_mtime_ns)
            done = self._stand.size if self._stand else 0
            self._same(f, stand)
            if not stand.size:
                raise self.lost(
                    f"is empty; {_UNKNOWN} where it was cut off: restore it, or say that there is no history"
                )
            if mark is not None and (why := mark.behind(stand.size)) and not self._packed:
                raise self.lost(why)
            if not self._packed:
                self._whole(f, stand.size)
                f.seek(done)
            chunks = sources.read(self.path) if self._packed else self._chunks(f, stand.size - done)
            try:
                found = mark is None or mark.offset <= done
                for chunk in chunks:
                    lines = self._lines.feed(chunk)
                    found = found or (mark is not None and self._confirmed(mark, lines))
                    yield self._take(lines, chunk)
                if not found:
                    raise self.lost(f"does not hold the line that its sidecar saw: it was rewritten; {watermark.MENDS}")
                self._settle(f, stand)
            except HistoryError as e:
                self._fault = e  # what was read of this stretch is no whole history any more
                raise
        if _stand(self.path)[:2] != stand[:2]:
            raise self.lost(f"was replaced by another file while it was read; {_ANEW}")

    def _same(self, f: IO[bytes], stand: _Stand) -> None:
        """Raise unless it is the file that was read before, with nothing of that changed."""
        was = self._stand
        if was is None:
            head = f.read(unfold.SNIFFED)
            self._kind = unfold.known(head)
            self._packed = sources.is_packed(head) is not None or self._kind is not None
            self._stamp = self._kind.stamp(self.path) if self._kind is not None else None
            return
        if stand[:2] != was[:2]:
            raise self.lost(f"was replaced by another file; {_ANEW}")
        if stand.size < was.size:
            raise self.lost(f"had {was.size:,} bytes and has {stand.size:,}: it was cut off; {_ANEW}")
        if self._packed:
            if stand != was or not self._rests():
                what = "compressed" if self._kind is None else "no file of lines"
                raise self.lost(f"changed, and what is {what} cannot be followed; {_ANEW}")
            return
        f.seek(0)
        head = f.read(self._head_size)
        f.seek(self._last[0])
        last = f.read(was.size - self._last[0])
        if (_hash(head), _hash(last)) != (self._head, self._last[1]):
            raise self.lost(f"was rewritten: its first {was.size:,} bytes are not what they were; {_ANEW}")

    def _whole(self, f: IO[bytes], size: int) -> None:
        """Raise where the last line has no end yet; nothing of it is taken, so that it can be once it has."""
        f.seek(size - 1)
        if f.read(1) != b"\n":
            raise self.lost(
                "ends in the middle of a line; wait for its writer and ask again, or resume the run to repair it"
            )

    def _rests(self) -> bool:
        """Whether what belongs to a file that is unfolded stands as it did: a WAL grows while its database does not."""
        return self._kind is None or self._kind.stamp(self.path) == self._stamp

    def _chunks(self, f: IO[bytes], left: int) -> Iterator[bytes]:
        while left:
            chunk = f.read(min(left, sources.CHUNK))
            if not chunk:
                raise self.lost(f"became shorter while it was read; {_ANEW}")
            left -= len(chunk)
            yield chunk

    def _settle(self, f: IO[bytes], stand: _Stand) -> None:
        """Remember how to know the file again."""
        if self._lines.held:  # of a compressed file, which could not be looked at from its end
            raise self.lost("ends in the middle of a line; it was cut off: restore it")
        if self._read is None:
            raise self.lost(f"holds no line; {_UNKNOWN} where it was cut off: restore it, or leave it out")
        self._stand = stand
        if self._packed:
            return
        f.seek(0)
        self._head_size = self._head_size or min(stand.size, sources.HEAD)
        self._head = self._head or _hash(f.read(self._head_size))
        start = self._last[0]
        f.seek(start)
        self._last = (start, _hash(f.read(stand.size - start)))

    def _beside(self) -> _Stand | None:
        """How its sidecar stands; None where it has none, and never had."""
        try:
            return _stand(self._sidecar)
        except FileNotFoundError:
            if self._marked is not None:
                raise self.lost("lost its sidecar while it was followed; read the history again") from None
            return None

    # --- its lines -----------------------------------------------------------------------------------------------

    def _confirmed(self, mark: watermark.Mark, lines: Sequence[Line]) -> bool:
        """Whether the line that the sidecar saw is among these; one that is not what it was is raised."""
        line = next((x for x in lines if x.seq == mark.seq), None) if lines and mark.seq <= lines[-1].seq else None
        if line is not None and (why := mark.fault(line)):
            raise self.lost(why)
        return line is not None

    def _take(self, lines: Sequence[Line], chunk: bytes) -> list[Tried]:
        """The trials on these lines."""
        if self._read is None:
            kind = get(self._reader or "native")
            if self._reader is None and not begins(chunk):
                kind = find(self.path, chunk[: sources.HEAD])
            self.native = kind.name == "native"
            self._read = skim(kind, Source(self.path, menu=self._menu))
        if not lines:
            return []
        self._last = (lines[-1].at, b"")
        try:
            items = self._read(lines)
        except Exception as e:
            raise self.lost(f"makes its reader fail ({type(e).__name__}: {e}); mend it, or leave the file out") from e
        for item in items:
            if type(item) is not Tried:
                self._hear(item)
        return [item for item in items if type(item) is Tried]

    def _hear(self, item: Item | Tried) -> None:
        if isinstance(item, Unreadable):
            raise self.lost(f"cannot be read ({item.why}); {_UNKNOWN}: mend the line", item.seq)
        if isinstance(item, Break):
            raise self.lost(f"does not fit the chain ({item.why}); the file was changed: restore it", item.seq)
        if isinstance(item, Header):
            self.campaign = self.campaign or item.campaign
            self.header = item

    def lost(self, why: str, seq: int | None = None) -> HistoryError:
        """The error that says where the history stops being one."""
        return HistoryError(f"{self.name}: {why}" if seq is None else f"{self.name}:{seq + 1}: {why}")


def _stand(path: str | os.PathLike[str]) -> _Stand:
    s = os.stat(path)  # noqa: PTH116  # a third of the time, and asked of every proposal
    if not stat.S_ISREG(s.st_mode) and not stat.S_ISDIR(s.st_mode):
        raise SourceError(f"{path}: is a pipe or a device, which cannot be read again")  # and might never end
    return _Stand(s.st_dev, s.st_ino, s.st_size, s.st_mtime_ns)


def _hash(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()
