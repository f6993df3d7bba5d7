"""No bytes make reading raise anything but its own error, lose a line in silence, or yield a number that is none.

`tests/fuzz_atheris.py` drives `survives` for hours; here it runs for seconds. Faults planted here and seen to fail: a
reader that drops a line (`Dropping`), one that raises (`Raising`), a document with NaN, with a null that has no reason.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, ClassVar

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from strategies import damaged, dumped, native_headers, native_records, stages_headers, stages_records

from trajscope import pipeline
from trajscope.analysis import analyze
from trajscope.errors import SourceError, TrajscopeError
from trajscope.lines import Lines
from trajscope.metrics import METRICS
from trajscope.readers import Reader, Source, get
from trajscope.readers.native import Native
from trajscope.readers.table import Table
from trajscope.run import Run
from trajscope.testing import chained, samples
from trajscope.trial import Header, Item, Line, Trial, Unreadable

# Lists of rows: a null inside of one is a field of that row, and its column says why.
ROWS = ("contributions", "verdicts", "pairs.windows", "noise.flip_flops", "integrity.drifted", "nulls.memory.lags")


def nulls(value: Any, path: str = "") -> Iterator[str]:
    """The path of every null, those inside lists of rows apart."""
    if value is None:
        yield path
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield from nulls(inner, f"{path}.{key}" if path else key)
    elif isinstance(value, list) and not path.startswith(ROWS):
        for i, inner in enumerate(value):
            yield from nulls(inner, f"{path}.{i}")


def honest(doc: dict[str, Any]) -> None:
    """What must hold of every document: it is JSON, and whatever is null says why."""
    json.dumps(doc, allow_nan=False)
    json.dumps(doc, ensure_ascii=False).encode()
    allowed = ("coverage.by_knob.", "coverage.by_family.")  # a knob outside the menu has no cells
    silent = [p for p in nulls({k: v for k, v in doc.items() if k != "unknown"}) if p not in doc["unknown"]]
    assert [p for p in silent if not p.startswith(allowed)] == []
    assert all(isinstance(why, str) and why for why in doc["unknown"].values())


def accounted(data: bytes, items: list[tuple[int, Item]], runs: Iterable[Run], *, table: bool = False) -> None:
    """That nothing was lost: every line yielded something, and the runs counted what they were given."""
    lines = Lines()
    whole = [*lines.feed(data), *lines.close()]
    at = {seq for seq, _ in items}
    # What stands above the rows of a table, and the same again further down, is its heading and no record.
    begun = min((seq for seq, x in items if isinstance(x, Header)), default=len(whole))
    above = {x.data for x in whole if table and x.seq < begun}
    remarks = {x.data for x in whole if table and x.data.lstrip().startswith(b"#")}
    assert [x.seq for x in whole if x.seq not in at and x.data not in above | remarks] == []
    counted = list(runs)
    assert sum(r.tally.lines for r in counted) == len(whole)
    assert sum(r.tally.trials for r in counted) == sum(isinstance(x, Trial) for _, x in items)
    unread = sum(r.evidence("unreadable").n + r.evidence("torn").n for r in counted)
    assert unread == sum(isinstance(x, Unreadable) for _, x in items)


class _Watched:
    """A reader that notes what each line yielded; the pipeline takes it for the real one."""

    kind: ClassVar[type[Reader]]
    seen: ClassVar[list[tuple[int, Item]]]
    name: ClassVar[str] = "watched"
    about: ClassVar[str] = "what another reader yields"

    @classmethod
    def sniff(cls, head: bytes) -> bool:
        return cls.kind.sniff(head)

    def __init__(self, source: Source) -> None:
        self.reader = self.kind(source)

    def feed(self, line: Line) -> list[Item]:
        items = list(self.reader.feed(line))
        self.seen.extend((line.seq, x) for x in items)
        return items


def survives(data: bytes, reader: str | type[Reader] | None = None, **said: Any) -> list[dict[str, Any]]:
    """The documents of these bytes, after all that must hold of them was seen to hold; none where none can be."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "run.jsonl"
        path.write_bytes(data)
        source = Source(str(path), **said)
        kind = get(reader) if isinstance(reader, str) else reader
        if kind is None:
            try:
                pipeline.read(source)
            except TrajscopeError as e:
                assert "\n" not in str(e)  # noqa: PT017  # whether it raises is not the question
            return []
        watched: type[_Watched] = type("W", (_Watched,), {"kind": kind, "seen": []})
        feed = pipeline.Feed(source, watched, METRICS)
        try:
            feed.feed(data)
            feed.close()
        except SourceError as e:
            assert "\n" not in str(e)  # noqa: PT017  # the same
            assert not any(isinstance(x, Header) for _, x in watched.seen)
            return []
        accounted(data, watched.seen, feed.runs, table=issubclass(kind, Table))
        docs = [analyze(run, file="run.jsonl", format=feed.format) for run in feed.runs]
        for doc, run in zip(docs, feed.runs, strict=True):
            honest(doc)
            again = Run(run.header, METRICS)
            again.restore(run.snapshot())
            assert analyze(again, file="run.jsonl", format=feed.format) == doc
        return docs


many = settings(max_examples=120, deadline=None, suppress_health_check=list(HealthCheck))


@many
@given(
    st.binary(max_size=300)
    | st.lists(st.sampled_from([b"{", b"}", b'"type"', b":", b"\n", b"[", b"1", b"NaN"])).map(b"".join)
)
@example(b"")
@example(b"\x1f\x8b\x08")
@example(b"BZh9")
@example(b"\xfd7zXZ\x00")
def test_any_bytes_are_read_or_refused_in_one_line(data: bytes) -> None:
    survives(data)
    for name in ("native", "stages"):
        survives(data, name)


@many
@given(
    native_headers, st.lists(native_records, max_size=8), st.booleans(), st.sampled_from([None, "loss", "acc", "none"])
)
def test_any_native_records_are_accounted_for(
    header: dict[str, Any],
    rows: list[dict[str, Any]],
    sound: bool,  # drawn
    metric: str | None,
) -> None:
    objects = [header, *rows]
    data = chained(objects) if sound else b"\n".join(map(dumped, objects))
    survives(data, "native", metric=metric)


@many
@given(
    st.none() | stages_headers,
    st.lists(stages_records, max_size=8),
    st.sampled_from([None, "loss", "iter_wall_s", "none"]),
)
def test_any_stage_rows_are_accounted_for(
    header: dict[str, Any] | None, rows: list[dict[str, Any]], metric: str | None
) -> None:
    objects = [*([header] if header else []), *rows]
    survives(b"\n".join(map(dumped, objects)), "stages", metric=metric)


@many
@given(st.sampled_from(sorted(samples().items())).flatmap(lambda s: st.tuples(st.just(s[0]), damaged(s[1]))))
def test_a_damaged_file_is_accounted_for(case: tuple[str, bytes]) -> None:
    name, data = case
    survives(data, name)
    survives(data)


# --- the checks themselves ---------------------------------------------------------------------------------------


class Dropping(Native):
    """Loses what it cannot read."""

    def feed(self, line: Line) -> list[Item]:
        return [x for x in super().feed(line) if not isinstance(x, Unreadable)]


class Raising(Native):
    """Believes in JSON."""

    def feed(self, line: Line) -> Iterable[Item]:
        json.loads(line.data)
        return super().feed(line)


@pytest.mark.parametrize("faulty", [Dropping, Raising])
def test_the_check_of_a_file_catches_a_reader_that_is(faulty: type[Native]) -> None:
    data = samples()["native"] + b"{torn\n"
    assert survives(data, Native)
    with pytest.raises((AssertionError, ValueError)):
        survives(data, faulty)


def test_the_check_of_a_document_catches_nan_and_silent_nulls() -> None:
    (doc,) = survives(samples()["native"], "native")
    with pytest.raises(ValueError, match="not JSON compliant"):
        honest({**doc, "trials": float("nan")})
    with pytest.raises(AssertionError):
        honest({**doc, "trials": None})
    with pytest.raises(AssertionError):
        honest({**doc, "unknown": {**doc["unknown"], "x": ""}})
    with pytest.raises(UnicodeEncodeError):
        honest({**doc, "file": "\ud800"})
