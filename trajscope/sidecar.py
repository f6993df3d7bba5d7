"""The sidecar, `<run>.coverage.json`: what is known of a run now, replaced whole after its trials, for whoever polls.

It also says how far the file had come, so that a file that is behind its own sidecar is known to have been cut off. It
is never ahead of the file, and one that tells of lines that are no more is left as it is: it is the evidence.
"""

from __future__ import annotations

import contextlib
import json
import re
import secrets
import stat
import warnings
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from time import thread_time
from typing import IO, Any, NamedTuple

from trajscope import analysis, shape, sources, watermark
from trajscope.chain import link
from trajscope.columns import Row
from trajscope.errors import HistoryError, SourceError
from trajscope.fold import Unknown
from trajscope.live import Live
from trajscope.readers import Source
from trajscope.review import gain
from trajscope.run import Run
from trajscope.trial import Header

SCHEMA = 1
EVERY_S = 0.2  # between two writings, but for the last
REST = 20.0  # and never more often than this many times what the last one took, so that a long run is not slowed
WHOLE = 10_000  # trials up to which the series hold every one; beyond, every second, fourth, ...
SHOWN = 100  # entries of a list; its total stands beside it
HEADLINES = {
    "knob_coverage": "coverage.fraction",
    "pair_repeat_rate": "pairs.repeat_rate",
    "plateau_length": "plateau.length",
    "mode_dominance": "dominance.proposed.share",
}
TRIES = 5  # of one writing, where somebody takes its temporary file for a leaving
PARTS = ("trials", "evaluated", "status", "lines", "best", "noise", "plateau", "cost", "verdict")


class Point(NamedTuple):
    """The four numbers as they were after one trial; None where one was not known then."""

    seq: int
    knob_coverage: float | None
    pair_repeat_rate: float | None
    plateau_length: int | None
    mode_dominance: float | None


class Series:
    """The points of a run, thinned where there are many."""

    def __init__(self) -> None:
        self.points: list[Point] = []
        self.stride = 1
        self._trials = self._touched = self._unique = self._most = 0

    def take(self, run: Run, row: Row) -> None:
        """One more trial."""
        self._trials += 1
        self._touched += row.new_knobs
        self._unique += row.k == 1
        self._most = max(self._most, row.k)
        if self._trials % self.stride:
            return
        knobs = len(run.header.menu.knobs) if run.header.menu else 0
        c = row.c
        noise = gain.noise(run, {})
        dry = Unknown("") if isinstance(noise, Unknown) else gain.since_beyond_noise(run, noise["sd"])
        self.points.append(
            Point(
                row.seq,
                self._touched / knobs if knobs else None,
                (c - self._unique) / c if c else None,
                None if isinstance(dry, Unknown) else dry,
                self._most / c if c else None,
            )
        )
        if len(self.points) > WHOLE:
            self.points = self.points[1::2]
            self.stride *= 2

    def to_json(self) -> dict[str, Any]:
        """One list for each number."""
        return {"stride": self.stride, **{n: [p[i] for p in self.points] for i, n in enumerate(Point._fields)}}


def document(live: Live, series: Series, mark: watermark.Mark, now: datetime) -> dict[str, Any]:
    """What the sidecar holds of the run that goes on."""
    run = live.run
    assert run is not None
    v = analysis.values(run, quick=True)
    doc = analysis.document(run, v, file=live.source.path, format=live.format or "")
    heads = {name: v[path] for name, path in HEADLINES.items()}
    return {
        "schema": SCHEMA,
        "run_id": doc["run_id"],
        "seq": mark.seq,
        "offset": mark.offset,
        "line": mark.line,
        "updated_at": f"{now:%Y-%m-%dT%H:%M:%S}.{now.microsecond // 1000:03d}Z",
        **{name: None if isinstance(x, Unknown) else x for name, x in heads.items()},
        "series": series.to_json(),
        "windows": doc["pairs"]["windows"],
        **{part: doc[part] for part in PARTS},
        "verdicts": [_short(v) for v in doc["verdicts"]],
        "unknown": {n: x.why for n, x in heads.items() if isinstance(x, Unknown)},
    }


def schema() -> dict[str, Any]:
    """The sidecar's JSON Schema; what it shares with the analysis is of the analysis."""
    shared, number = analysis.schema()["properties"], shape.null_or(shape.NUMBER)
    own = {
        "run_id": shared["run_id"],
        "seq": shape.told(shape.COUNT, "The last line that it covers."),
        "offset": shape.told(shape.COUNT, "The byte after that line."),
        "line": shape.told(shape.TEXT, "The head of that line's hash."),
        "updated_at": {"type": "string", "format": "date-time"},
        **{name: shape.told(number, f"`{path}` of the analysis.") for name, path in HEADLINES.items()},
        "series": shape.record({"stride": shape.COUNT, **dict.fromkeys(Point._fields, shape.listed(number))}),
        "windows": shared["pairs"]["properties"]["windows"],
        **{part: shared[part] for part in PARTS},
        "verdicts": shape.listed(shape.record({**shape.VERDICT["properties"], "evidence_total": shape.COUNT})),
        "unknown": shared["unknown"],
    }
    return shape.document("The sidecar of a run, `<run>.coverage.json`", own, number=SCHEMA)


class Sidecar:
    """Writes the sidecar of one file as it grows. `fault` says why nothing is written, where nothing is."""

    def __init__(
        self,
        path: str | Path,
        now: Callable[[], datetime] | None = None,
        effort_s: Callable[[], float] = thread_time,  # not the time that went by: others may have had the processor
    ) -> None:
        self.path = watermark.sidecar(path)
        self.series = Series()
        self.fault: str | None = None
        self._now = now or (lambda: datetime.now(UTC))
        self._effort_s = effort_s
        self._written = 0  # the offset that the last one told of
        self._last: datetime | None = None
        self._rest_s = EVERY_S
        if str(path) == "-":
            self.fault = "standard input has no sidecar"
        else:
            self._vouch(path)
        if self.fault is None:
            clear(self.path)

    def take(self, run: Run, item: object, row: Row | None) -> None:
        """One item that the run took; a header begins another run, or the same anew."""
        if isinstance(item, Header):
            self.series = Series()
        if row is not None:
            self.series.take(run, row)

    def write(self, live: Live, *, last: bool = False) -> bool:
        """Write it if something is new and the last time is long enough ago, or if it is the `last`; whether it was."""
        if live.past and self.fault is None:
            self.fault = f"{live.source.path}: was cut off or replaced; its sidecar is left as it was"
        mark, now = live.mark(), self._now()
        if self.fault or live.run is None or mark is None or mark.offset == self._written:
            return False
        if not last and self._last is not None and abs((now - self._last).total_seconds()) < self._rest_s:
            return False
        started = self._effort_s()
        body = json.dumps(document(live, self.series, mark, now), ensure_ascii=False, separators=(",", ":"))
        _replace(self.path, body.encode())
        self._written, self._last = mark.offset, now
        self._rest_s = max(EVERY_S, REST * (self._effort_s() - started))
        return True

    def _vouch(self, path: str | Path) -> None:
        """Never write over a sidecar that knows of more than the file holds."""
        try:
            mark = watermark.read(path)
            if mark is None:
                return
            self.fault = mark.behind(sources.length(path))
            if self.fault is None and link(sources.ending_at(path, mark.offset)) != mark.line:
                self.fault = f"{path}: line {mark.seq + 1} is not the one that its sidecar saw"
        except (HistoryError, SourceError) as e:
            self.fault = str(e)


def follow(path: str | Path, side: Sidecar) -> Callable[[bool], None]:
    """A follower for the writer of a run: keeps the sidecar of its file, and never stands in the way of a trial."""
    live = Live(Source(str(path)), sink=side.take)

    def step(last: bool) -> None:
        if side.fault is None:
            try:
                live.step()
                while live.tail.behind:
                    live.step()
                side.write(live, last=last)
            except OSError as e:
                side.fault = f"{side.path}: cannot be written ({e.strerror})"
            if side.fault:
                warnings.warn(f"{side.fault}; the run goes on without it", RuntimeWarning, stacklevel=4)
        if last:
            live.close()

    step(False)
    return step


def _short(v: Mapping[str, Any]) -> dict[str, Any]:
    shown = v["evidence"]
    return {**v, "evidence": shown[:SHOWN], "evidence_total": len(shown)}


def clear(path: Path) -> None:
    """Remove what a killed writer of this sidecar left: its temporary files, which nobody holds any more."""
    own = re.compile(rf"\.{re.escape(path.name)}\.[0-9a-f]{{8}}\Z")
    with contextlib.suppress(OSError):  # a folder that cannot be listed holds nothing up
        for found in path.parent.iterdir():
            if not own.match(found.name):
                continue
            with contextlib.suppress(OSError):
                if stat.S_ISREG(found.lstat().st_mode):
                    with found.open("rb") as f:
                        if _held(f):
                            found.unlink()


def _replace(path: Path, body: bytes) -> None:
    """Replace the file whole, so that nobody ever reads half of it."""
    for _ in range(TRIES):
        temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
        try:
            with temporary.open("xb") as f:
                _held(f)
                f.write(body)
                f.flush()
                temporary.replace(path)
                return
        except FileNotFoundError:  # cleared away between its making and its lock
            if not path.parent.is_dir():
                raise
        except OSError:
            with contextlib.suppress(OSError):
                temporary.unlink(missing_ok=True)
            raise
    raise FileNotFoundError(2, "its temporary file vanished again and again", str(path))


def _held(f: IO[bytes]) -> bool:
    """Hold a file until it is closed; whether nobody else did. The system lets go of it when its holder is killed."""
    try:
        import fcntl

        fcntl.flock(f, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (ImportError, OSError):
        return False
    return True
