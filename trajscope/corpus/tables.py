"""Tables: rows to JSON lines and Parquet, in bounded memory and always the same bytes.

Rows wait on disk until all are counted, for only then is their weight known; text is never held but for one batch.
"""

from __future__ import annotations

import hashlib
import io
import os
from array import array
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, NamedTuple

import msgspec

from trajscope.corpus import diversity
from trajscope.corpus.counts import Index
from trajscope.corpus.rows import Row, Table

if TYPE_CHECKING:
    import polars as pl

SIDES = ("train", "test")
BATCH = 4 << 20  # bytes of JSON that become columns at once
# Of one Parquet file, whichever is reached first: while one is packed, memory holds about five times its bytes.
PART_BYTES, PART_ROWS = 32 << 20, 250_000
CAP = 0.1  # of the weight that one label may have, unless there are too few labels for that
_encode = msgspec.json.Encoder(order="sorted").encode
_MESSAGES = [("role", "str"), ("content", "str")]
_KNOBS = [("knob", "str"), ("value", "str")]
_NAMED = {
    "campaign": "str", "iter": "int", "label": "str", "mean": "float", "metric": "str", "prompt_sha256": "str",
    "replicates": "int", "run": "int", "run_id": "str", "seq": "int", "value": "float", "weight": "float",
}  # fmt: skip
COLUMNS: Mapping[Table, Mapping[str, Any]] = {
    "outcomes": {
        **_NAMED, "against": "str", "base": _KNOBS, "base_id": "str", "changes": _KNOBS, "condition": "str",
        "flipped": "bool", "goal": "str", "kept": "bool", "messages": _MESSAGES, "over_baseline": "float",
        "status": "str", "target": "str",
    },
    "sft": {**_NAMED, "decision": "str", "messages": _MESSAGES},
    "pairs": {
        "base": _KNOBS, "base_id": "str", "campaign": "str", "chosen": _MESSAGES, "chosen_label": "str",
        "chosen_mean": "float", "chosen_replicates": "int", "chosen_seq": "int", "goal": "str", "margin": "float",
        "margin_in_noise": "float", "metric": "str", "prompt": _MESSAGES, "prompt_sha256": "str",
        "rejected": _MESSAGES, "rejected_label": "str", "rejected_mean": "float", "rejected_replicates": "int",
        "rejected_seq": "int", "run": "int", "run_id": "str", "same_prompt": "bool", "weight": "float",
    },
}  # fmt: skip


class Written(NamedTuple):
    """One file of a corpus."""

    name: str
    rows: int
    bytes: int
    sha256: str


class Weights(NamedTuple):
    """What weights make of the rows of one table's train side."""

    rows: int
    labels: int
    effective_labels: float  # by entropy, each row counted once
    weighted_labels: float  # the same by weight
    effective_rows: float  # (sum of w)^2 / sum of w^2
    largest: float  # share of the weight that one label has


class Waiting:
    """The rows of one table and side, on disk until their weights are known."""

    def __init__(self, folder: Path, table: Table, side: str) -> None:
        self.table, self.side = table, side
        self.left_out: Counter[str] = Counter()
        self.rows = 0
        self._labels, self._counts = Index(), array("I")  # rows of each label, in the order in which they came
        self._path = folder / f"{table}-{side}.waiting"
        self._file: IO[bytes] = self._path.open("xb")

    def add(self, row: Row) -> None:
        """One more."""
        self.rows += 1
        number = self._labels.place(row.label)
        if number == len(self._counts):
            self._counts.append(0)
        self._counts[number] += 1
        self._file.write(b"%d\t%b\n" % (number, canonical(row.fields)))

    def close(self) -> None:
        """No more rows come."""
        self._file.close()

    def weights(self, balance: float) -> tuple[array[float], Weights] | None:
        """The weight of one row of each label, and what they come to; None for no rows."""
        if not self.rows:
            return None
        counts = self._counts
        shares = diversity.shares(counts, balance, CAP)
        found = Weights(
            self.rows,
            len(counts),
            diversity.hill(counts) or 0.0,
            diversity.of_shares(shares),
            diversity.effective_rows(counts, shares),
            max(shares),
        )
        return array("d", (x * self.rows / n for x, n in zip(shares, counts, strict=True))), found

    def write(self, folder: Path, weights: Sequence[float] | None) -> list[Written]:
        """The rows with their weights (all 1 without any) as JSON lines and as Parquet; nothing for no rows."""
        self.close()
        done: list[Written] = []
        if self.rows:
            parts = _Parts(folder, self.table, self.side)
            out = _Hashed(folder, f"{self.table}-{self.side}.jsonl")
            for batch in _batches(self._path, weights):
                out.write(batch)
                parts.add(batch)
            done = [out.close(self.rows), *parts.close()]
        self._path.unlink()
        return done


def canonical(fields: Mapping[str, Any]) -> bytes:
    """JSON with sorted keys and no blanks. What is no Unicode is spelt out rather than lost."""
    try:
        return _encode(fields)
    except UnicodeEncodeError:
        return _encode(_spelt_out(fields))


def _spelt_out(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode()
    if isinstance(value, Mapping):
        return {_spelt_out(k): _spelt_out(v) for k, v in value.items()}
    return [_spelt_out(x) for x in value] if isinstance(value, list | tuple) else value


def _batches(path: Path, weights: Sequence[float] | None) -> Iterator[bytes]:
    """Whole lines, each with its weight: `weight` is the last of the sorted keys."""
    held, size = [], 0
    with path.open("rb") as f:
        for line in f:
            number, _, row = line.partition(b"\t")
            weight = b"%r" % weights[int(number)] if weights is not None else b"1.0"
            held.append(b'%b,"weight":%b}\n' % (row[:-2], weight))
            size += len(held[-1])
            if size >= BATCH:
                yield b"".join(held)
                held, size = [], 0
    if held:
        yield b"".join(held)


class _Hashed:
    """A file that is hashed as it is written."""

    def __init__(self, folder: Path, name: str) -> None:
        self._name, self._sha, self._size = name, hashlib.sha256(), 0
        (folder / name).parent.mkdir(exist_ok=True)
        self._file: IO[bytes] = (folder / name).open("xb")

    def write(self, data: bytes | memoryview[int]) -> None:
        self._file.write(data)
        self._sha.update(data)
        self._size += len(data)

    def close(self, rows: int) -> Written:
        with self._file:
            self._file.flush()
            os.fsync(self._file.fileno())
        return Written(self._name, rows, self._size, self._sha.hexdigest())


class _Parts:
    """The same rows as Parquet, in as many files as it takes."""

    def __init__(self, folder: Path, table: Table, side: str) -> None:
        self._folder, self._stem = folder, f"parquet/{table}-{side}"
        self._schema = _schema(table)
        self._frames: list[pl.DataFrame] = []
        self._bytes = self._rows = 0
        self._done: list[Written] = []

    def add(self, lines: bytes) -> None:
        import polars as pl

        frame = pl.read_ndjson(io.BytesIO(lines), schema=self._schema)
        self._frames.append(frame)
        self._bytes += len(lines)
        self._rows += frame.height
        if self._bytes >= PART_BYTES or self._rows >= PART_ROWS:
            self._part()

    def close(self) -> list[Written]:
        if self._frames:
            self._part()
        return self._done

    def _part(self) -> None:
        import polars as pl

        packed = io.BytesIO()
        pl.concat(self._frames, rechunk=True).write_parquet(packed, compression="zstd", row_group_size=PART_ROWS)
        out = _Hashed(self._folder, f"{self._stem}-{len(self._done):05}.parquet")
        out.write(packed.getbuffer())
        self._done.append(out.close(self._rows))
        self._frames, self._bytes, self._rows = [], 0, 0


def _schema(table: Table) -> dict[str, Any]:
    import polars as pl

    plain: dict[str, Any] = {"str": pl.String, "int": pl.Int64, "float": pl.Float64, "bool": pl.Boolean}
    return {
        name: plain[kind] if isinstance(kind, str) else pl.List(pl.Struct({k: plain[t] for k, t in kind}))
        for name, kind in sorted(COLUMNS[table].items())
    }
