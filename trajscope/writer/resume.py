"""Takes up a run file where it was left: its chain checked, its header compared, its torn end made whole.

Writes nothing itself. Raises rather than go on with a file that was changed.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Mapping
from itertools import chain as joined
from pathlib import Path
from typing import TYPE_CHECKING

from trajscope.chain import Chain, first_break, parsed
from trajscope.errors import RecordError
from trajscope.writer.append import AppendFile

if TYPE_CHECKING:
    from trajscope.record import Record, Unknown

OWN = ("seq", "prev", "started", "software")  # header fields that may differ when a run is taken up again


def checked(file: AppendFile) -> Iterator[Record | Unknown]:
    """Every whole line of the file, in order, each one accepted; raises at the first line that was changed."""
    from trajscope.record import load

    for number, line in enumerate(file.lines(), start=1):
        obj = parsed(line)
        if obj is None or file.tail.chain.fault(obj):
            if number == 1:
                raise RecordError(f"{file.path}:1: is not the header of a run; name another file")
            raise RecordError(_broken(file))
        file.accept(line)
        yield load(line)


def fits(line: bytes, chain: Chain) -> bool:
    """Whether this is a whole line that only lacks its newline."""
    obj = parsed(line)
    return obj is not None and chain.fault(obj) is None


def could_be_header(torn: bytes) -> bool:
    """Whether these bytes are the beginning of a run line as this package writes it."""
    start = b'{"v":1,"type":"run",'
    return torn.startswith(start) or start.startswith(torn)


def kept_bytes(torn: bytes) -> dict[str, object]:
    """Torn bytes as the data of a repair event: as text where they are text."""
    try:
        return {"bytes": len(torn), "text": torn.decode()}
    except UnicodeDecodeError:
        return {"bytes": len(torn), "base64": base64.b64encode(torn).decode()}


def compare(path: Path, old: Mapping[str, object], new: Mapping[str, object]) -> None:
    """Raise, naming the first field in which the header of the file and of this call differ."""
    for name in joined(old, (n for n in new if n not in old)):
        if name in OWN or _same(old.get(name), new.get(name)):
            continue
        raise RecordError(
            f"{path}:1: the header differs in {name}: the file has {_short(old.get(name))}, this run "
            f"{_short(new.get(name))}; start a new file, or resume with what the file says"
        )


def _broken(file: AppendFile) -> str:
    found = first_break(file.lines())
    where, why = (found.line, found.why) if found else (file.tail.chain.seq + 1, "does not fit the chain")
    return f"{file.path}:{where}: {why}; the file was changed after it was written, start a new one"


def _same(a: object, b: object) -> bool:
    return json.dumps(a, sort_keys=True) == json.dumps(b, sort_keys=True)


def _short(value: object) -> str:
    text = "nothing" if value is None else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 60 else text[:57] + "..."
