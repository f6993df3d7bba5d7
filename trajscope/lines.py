"""Bytes in, whole lines out, each with its number and its offset.

Holds back a torn last line until its newline comes, or until the file is known to have ended. Knows no format.
"""

from __future__ import annotations

from trajscope.trial import Line

MAX_LINE = 16 << 20  # bytes; a longer line is counted and located, its bytes are not kept
_BOM = b"\xef\xbb\xbf"
_new = tuple.__new__  # a named tuple without the call in Python that its own constructor makes


class Lines:
    """Cuts one file's bytes into lines. Any cutting of the bytes into chunks gives the same lines."""

    def __init__(self, seq: int = 0, at: int = 0) -> None:
        """From the beginning of a file, or from where its line of this number begins."""
        self._parts: list[bytes] = []  # of the unfinished line, joined when its end comes: copied once
        self._size = 0  # bytes of it, also of those that were let go
        self._seq = seq
        self._at = at

    def feed(self, chunk: bytes) -> list[Line]:
        """The lines that these bytes complete."""
        if b"\n" not in chunk:
            self._keep(chunk)
            return []
        out: list[Line] = []
        if self._size > MAX_LINE:
            cut = chunk.index(b"\n")
            out.append(self._overlong(self._size + cut))
            self._at += 1
            chunk = chunk[cut + 1 :]
        elif self._parts:
            chunk = b"".join((*self._parts, chunk))
        *whole, rest = chunk.split(b"\n")
        seq, at = self._seq, self._at
        for data in whole:
            if len(data) > MAX_LINE:
                out.append(Line(seq, at, b"", False, _too_long(len(data))))
            elif data:
                if data[-1] != 13 and at:
                    out.append(_new(Line, (seq, at, data, False, None)))
                elif clean := _clean(data, at):  # a blank line is blank with any line end
                    out.append(_new(Line, (seq, at, clean, False, None)))
            seq += 1
            at += len(data) + 1
        self._seq, self._at = seq, at
        self._parts, self._size = [], 0
        self._keep(rest)
        return out

    def close(self) -> list[Line]:
        """The last line, where the file ended without a newline."""
        size, data = self._size, b"".join(self._parts)
        self._parts, self._size = [], 0
        if size > MAX_LINE:
            return [self._overlong(size, torn=True)]
        clean = _clean(data, self._at)
        if not clean:
            return []
        line = Line(self._seq, self._at, clean, True)
        self._seq, self._at = self._seq + 1, self._at + len(data)
        return [line]

    @property
    def place(self) -> tuple[int, int]:
        """The number of the line that is not whole yet, and where it begins."""
        return self._seq, self._at

    @property
    def held(self) -> int:
        """Bytes of an unfinished line that are held back."""
        return self._size

    def _keep(self, data: bytes) -> None:
        self._size += len(data)
        if self._size > MAX_LINE:
            self._parts = []
        elif data:
            self._parts.append(data)

    def _overlong(self, size: int, *, torn: bool = False) -> Line:
        line = Line(self._seq, self._at, b"", torn, _too_long(size))
        self._seq, self._at = self._seq + 1, self._at + size
        return line


def _too_long(size: int) -> str:
    return f"line of {size:,} bytes, over the limit of {MAX_LINE:,}"


def _clean(data: bytes, at: int) -> bytes:
    if at == 0 and data.startswith(_BOM):
        data = data[3:]
    return data[:-1] if data.endswith(b"\r") else data
